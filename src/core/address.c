/*-------------------------------------------------------------------------
 *
 * core/address.c
 *	  Where a message goes: the grammar of addresses.
 *
 * This file decides whether a text is an address and of which kind.  It must
 * not include a PostgreSQL header, allocate, or look beyond the given length:
 * the text is a piece of a datum and is not zero-terminated.
 *
 *-------------------------------------------------------------------------
 */
#include "core/address.h"

#include <string.h>

/* A piece of the text that is still to be read. */
typedef struct Span
{
	const char *data;
	size_t		len;
} Span;

/* Takes the literal prefix off the span; false when it is not there. */
static bool
skip_prefix(Span *span, const char *prefix)
{
	size_t		prefix_len = strlen(prefix);

	if (span->len < prefix_len || memcmp(span->data, prefix, prefix_len) != 0)
		return false;
	span->data += prefix_len;
	span->len -= prefix_len;
	return true;
}

/* The length of the span before the first of the stop bytes. */
static size_t
length_until(Span span, const char *stops, size_t nstops)
{
	size_t		i = 0;

	while (i < span.len && memchr(stops, span.data[i], nstops) == NULL)
		i++;
	return i;
}

/* An address that is refused, with the sentence that says why. */
static RsnAddress
invalid_address(const char *reason)
{
	RsnAddress	address = {RSN_ADDRESS_INVALID, NULL, 0, NULL};

	address.reason = reason;
	return address;
}

/* A valid address of the kind. */
static RsnAddress
valid_address(RsnAddressKind kind)
{
	RsnAddress	address = {RSN_ADDRESS_INVALID, NULL, 0, NULL};

	address.kind = kind;
	return address;
}

/* Reads what follows notify://. */
static RsnAddress
parse_notify(Span channel)
{
	RsnAddress	address = valid_address(RSN_ADDRESS_NOTIFY);

	if (channel.len == 0)
		return invalid_address("A notify address needs a channel.");
	if (channel.len > RSN_ADDRESS_CHANNEL_LEN_MAX)
		return invalid_address("A channel has at most 63 bytes.");
	address.channel = channel.data;
	address.channel_len = channel.len;
	return address;
}

/*
 * Reads what follows poll://.  The group ends at the first slash; the id is
 * all that follows, more slashes included.
 */
static RsnAddress
parse_poll(Span rest)
{
	bool		is_unicast = skip_prefix(&rest, "uni@");
	size_t		group_len;

	if (!is_unicast && !skip_prefix(&rest, "any@"))
		return invalid_address("A poll address starts with \"poll://any@\" or \"poll://uni@\".");

	group_len = length_until(rest, "/", 1);
	if (group_len == 0)
		return invalid_address("A poll address needs a group.");
	if (memchr(rest.data, '@', group_len) != NULL)
		return invalid_address("The group of a poll address has no \"@\".");
	if (group_len + 1 == rest.len)
		return invalid_address("The id of a poll address is empty.");
	if (is_unicast && group_len == rest.len)
		return invalid_address("A poll address of one worker needs an id.");
	return valid_address(RSN_ADDRESS_POLL);
}

/* Reads what follows http:// or https://; only the host is looked at. */
static RsnAddress
parse_http(Span rest)
{
	Span		host = rest;
	size_t		user_len;

	host.len = length_until(rest, "/?#", 3);
	while ((user_len = length_until(host, "@", 1)) < host.len)
	{
		host.data += user_len + 1;
		host.len -= user_len + 1;
	}
	if (length_until(host, ":", 1) == 0)
		return invalid_address("An http address needs a host.");
	return valid_address(RSN_ADDRESS_HTTP);
}

static bool
is_letter(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

/* Takes a scheme with the :// after it off the span; false when none is there. */
static bool
skip_scheme(Span *span)
{
	size_t		len = length_until(*span, ":", 1);

	if (len == 0 || !is_letter(span->data[0]))
		return false;
	for (size_t i = 1; i < len; i++)
	{
		char		c = span->data[i];

		if (!is_letter(c) && !(c >= '0' && c <= '9') &&
			c != '+' && c != '-' && c != '.')
			return false;
	}
	span->data += len;
	span->len -= len;
	return skip_prefix(span, "://");
}

/* True when the text starts with a scheme of ours in other letters. */
static bool
is_misspelled(Span text)
{
	static const char *const ours[] = {"notify:", "poll:", "http:", "https:"};

	for (size_t i = 0; i < sizeof(ours) / sizeof(ours[0]); i++)
	{
		size_t		j = 0;

		while (j < text.len && ours[i][j] != '\0' &&
			   (text.data[j] | (is_letter(text.data[j]) ? 0x20 : 0)) ==
			   ours[i][j])
			j++;
		if (ours[i][j] == '\0')
			return true;
	}
	return false;
}

/*
 * Reads an address of any other scheme: a queue that somebody else drains.  Those
 * of ours are not among them, in whatever letters: nobody would know why nothing
 * is notified.
 */
static RsnAddress
parse_queue(Span text)
{
	Span		rest = text;

	if (!skip_scheme(&rest))
		return invalid_address("An address starts with a scheme and \"://\".");
	if (is_misspelled(text))
		return invalid_address("The schemes \"notify\", \"poll\", \"http\" and \"https\" are in lower case.");
	if (rest.len == 0)
		return invalid_address("Nothing follows the scheme.");
	return valid_address(RSN_ADDRESS_QUEUE);
}

/*
 * The length of poll://any@GROUP at the start of poll://any@GROUP/ID, whose id is
 * only preferred; zero for any other text.
 */
size_t
rsn_address_group_len(const char *text, size_t len)
{
	Span		rest = {text, len};
	size_t		group_len;

	if (!skip_prefix(&rest, "poll://any@"))
		return 0;
	group_len = length_until(rest, "/", 1);
	if (group_len == 0 || group_len + 1 >= rest.len)
		return 0;
	return len - rest.len + group_len;
}

/*
 * The id in poll://any@GROUP/ID or poll://uni@GROUP/ID, which is that of a process:
 * how many bytes it has at the end of the text; zero for any other text.
 */
size_t
rsn_address_id_len(const char *text, size_t len)
{
	Span		rest = {text, len};
	size_t		group_len;

	if (!skip_prefix(&rest, "poll://any@") &&
		!skip_prefix(&rest, "poll://uni@"))
		return 0;
	group_len = length_until(rest, "/", 1);
	return group_len < rest.len ? rest.len - group_len - 1 : 0;
}

/*
 * True when a listener of the wire protocol can be told there, which is less exact
 * about it: any scheme with something after it, but for notify, and a poll address
 * has an "@".
 */
bool
rsn_address_is_listener(const char *text, size_t len)
{
	Span		rest = {text, len};

	if (len > RSN_ADDRESS_LEN_MAX || skip_prefix(&rest, "notify://"))
		return false;
	if (skip_prefix(&rest, "poll://"))
		return rest.len > 0 && memchr(rest.data, '@', rest.len) != NULL;
	return skip_scheme(&rest) && rest.len > 0;
}

/* Parses an address; text may be NULL when len is zero. */
RsnAddress
rsn_address_parse(const char *text, size_t len)
{
	Span		rest;

	if (len == 0)
		return invalid_address("An address is not empty.");
	if (len > RSN_ADDRESS_LEN_MAX)
		return invalid_address("An address has at most 1024 bytes.");
	if (memchr(text, '\0', len) != NULL)
		return invalid_address("An address has no zero byte.");

	rest.data = text;
	rest.len = len;
	if (skip_prefix(&rest, "notify://"))
		return parse_notify(rest);
	if (skip_prefix(&rest, "poll://"))
		return parse_poll(rest);
	if (skip_prefix(&rest, "http://") || skip_prefix(&rest, "https://"))
		return parse_http(rest);
	return parse_queue(rest);
}

/* True for an address that is told with NOTIFY. */
bool
rsn_address_is_notify(const char *text, size_t len)
{
	return rsn_address_parse(text, len).kind == RSN_ADDRESS_NOTIFY;
}
