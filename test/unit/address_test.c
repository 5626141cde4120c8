/*-------------------------------------------------------------------------
 *
 * address_test.c
 *	  Stand-alone test of core/address.c: the grammar, its limits, its reasons.
 *
 * Every text is parsed from a heap block of exactly its length, so that the
 * address sanitizer sees a read of one byte too many.
 *
 *-------------------------------------------------------------------------
 */
#include "core/address.h"

#include <stdlib.h>
#include <string.h>

#include "tap.h"

/* The length of a literal, zero bytes inside it included. */
#define TEXT(literal) (literal), sizeof(literal) - 1

#define LENGTH_OF(array) (sizeof(array) / sizeof((array)[0]))

static const char empty[] = "An address is not empty.";
static const char too_long[] = "An address has at most 1024 bytes.";
static const char zero_byte[] = "An address has no zero byte.";
static const char no_scheme[] =
"An address starts with a scheme and \"://\".";
static const char misspelled[] =
"The schemes \"notify\", \"poll\", \"http\" and \"https\" are in lower case.";
static const char no_rest[] = "Nothing follows the scheme.";
static const char no_channel[] = "A notify address needs a channel.";
static const char long_channel[] = "A channel has at most 63 bytes.";
static const char no_cast[] =
"A poll address starts with \"poll://any@\" or \"poll://uni@\".";
static const char no_group[] = "A poll address needs a group.";
static const char at_in_group[] = "The group of a poll address has no \"@\".";
static const char empty_id[] = "The id of a poll address is empty.";
static const char no_id[] = "A poll address of one worker needs an id.";
static const char no_host[] = "An http address needs a host.";

static const char *const all_reasons[] = {
	empty, too_long, zero_byte, no_scheme, misspelled, no_rest, no_channel, long_channel,
	no_cast, no_group, at_in_group, empty_id, no_id, no_host
};

static bool is_reached[LENGTH_OF(all_reasons)];

typedef struct ValidCase
{
	const char *text;
	size_t		len;
	RsnAddressKind kind;
	const char *channel;		/* NULL unless kind is RSN_ADDRESS_NOTIFY */
} ValidCase;

typedef struct InvalidCase
{
	const char *text;
	size_t		len;
	const char *reason;
} InvalidCase;

#define SIXTY_THREE \
	"c23456789012345678901234567890123456789012345678901234567890123"

static const ValidCase valid_cases[] = {
	{TEXT("notify://c"), RSN_ADDRESS_NOTIFY, "c"},
	{TEXT("notify://orders"), RSN_ADDRESS_NOTIFY, "orders"},
	{TEXT("notify://Orders"), RSN_ADDRESS_NOTIFY, "Orders"},
	{TEXT("notify:// a/b@c?d "), RSN_ADDRESS_NOTIFY, " a/b@c?d "},
	{TEXT("notify://notify://x"), RSN_ADDRESS_NOTIFY, "notify://x"},
	{TEXT("notify:///"), RSN_ADDRESS_NOTIFY, "/"},
	{TEXT("notify://\xc3\xa9\xff"), RSN_ADDRESS_NOTIFY, "\xc3\xa9\xff"},
	{TEXT("notify://" SIXTY_THREE), RSN_ADDRESS_NOTIFY, SIXTY_THREE},
	{TEXT("poll://any@g"), RSN_ADDRESS_POLL, NULL},
	{TEXT("poll://any@default"), RSN_ADDRESS_POLL, NULL},
	{TEXT("poll://any@default/worker-1"), RSN_ADDRESS_POLL, NULL},
	{TEXT("poll://any@g/i"), RSN_ADDRESS_POLL, NULL},
	{TEXT("poll://any@any"), RSN_ADDRESS_POLL, NULL},
	{TEXT("poll://any@g:1?x#y"), RSN_ADDRESS_POLL, NULL},
	{TEXT("poll://any@g/a/b"), RSN_ADDRESS_POLL, NULL},
	{TEXT("poll://any@g//"), RSN_ADDRESS_POLL, NULL},
	{TEXT("poll://any@g/a@b"), RSN_ADDRESS_POLL, NULL},
	{TEXT("poll://uni@g/i"), RSN_ADDRESS_POLL, NULL},
	{TEXT("poll://uni@default/worker-1"), RSN_ADDRESS_POLL, NULL},
	{TEXT("poll://uni@g/a/b@c"), RSN_ADDRESS_POLL, NULL},
	{TEXT("poll://uni@\xff/\x80"), RSN_ADDRESS_POLL, NULL},
	{TEXT("http://h"), RSN_ADDRESS_HTTP, NULL},
	{TEXT("http://example.org"), RSN_ADDRESS_HTTP, NULL},
	{TEXT("http://example.org:8080/a?b=c#d"), RSN_ADDRESS_HTTP, NULL},
	{TEXT("http://[::1]:8080/"), RSN_ADDRESS_HTTP, NULL},
	{TEXT("http://user@host/"), RSN_ADDRESS_HTTP, NULL},
	{TEXT("http://user:secret@host:1"), RSN_ADDRESS_HTTP, NULL},
	{TEXT("http://h/@"), RSN_ADDRESS_HTTP, NULL},
	{TEXT("http://h?@"), RSN_ADDRESS_HTTP, NULL},
	{TEXT("https://h"), RSN_ADDRESS_HTTP, NULL},
	{TEXT("https://example.org/hook"), RSN_ADDRESS_HTTP, NULL},
	{TEXT("xnotify://c"), RSN_ADDRESS_QUEUE, NULL},
	{TEXT("notifyx://c"), RSN_ADDRESS_QUEUE, NULL},
	{TEXT("notifies://c"), RSN_ADDRESS_QUEUE, NULL},
	{TEXT("pol://any@g"), RSN_ADDRESS_QUEUE, NULL},
	{TEXT("polls://any@g"), RSN_ADDRESS_QUEUE, NULL},
	{TEXT("httpss://h"), RSN_ADDRESS_QUEUE, NULL},
	{TEXT("ftp://h"), RSN_ADDRESS_QUEUE, NULL},
	{TEXT("sqs://q"), RSN_ADDRESS_QUEUE, NULL},
	{TEXT("gcps://project/topic"), RSN_ADDRESS_QUEUE, NULL},
	{TEXT("a://b"), RSN_ADDRESS_QUEUE, NULL},
	{TEXT("Z://b"), RSN_ADDRESS_QUEUE, NULL},
	{TEXT("x1+2-3.4://b"), RSN_ADDRESS_QUEUE, NULL},
	{TEXT("x:///"), RSN_ADDRESS_QUEUE, NULL},
	{TEXT("x://\xff"), RSN_ADDRESS_QUEUE, NULL}
};

static const InvalidCase invalid_cases[] = {
	{NULL, 0, empty},
	{TEXT(""), empty},
	{TEXT("\0"), zero_byte},
	{TEXT("notify://a\0b"), zero_byte},
	{TEXT("notify://a\0"), zero_byte},
	{TEXT("notify://\0"), zero_byte},
	{TEXT("\0notify://a"), zero_byte},
	{TEXT("poll://any@g\0/i"), zero_byte},
	{TEXT("poll://uni@g/i\0"), zero_byte},
	{TEXT("http://\0"), zero_byte},
	{TEXT("https://h\0"), zero_byte},
	{TEXT("x"), no_scheme},
	{TEXT("orders"), no_scheme},
	{TEXT("://x"), no_scheme},
	{TEXT("notify"), no_scheme},
	{TEXT("notify:"), no_scheme},
	{TEXT("notify:/c"), no_scheme},
	{TEXT("notify:orders"), no_scheme},
	{TEXT("Notify://c"), misspelled},
	{TEXT("NOTIFY://c"), misspelled},
	{TEXT(" notify://c"), no_scheme},
	{TEXT("POLL://any@g"), misspelled},
	{TEXT("HTTP://h"), misspelled},
	{TEXT("Https://h"), misspelled},
	{TEXT("http:/h"), no_scheme},
	{TEXT("https:h"), no_scheme},
	{TEXT("1x://y"), no_scheme},
	{TEXT("+x://y"), no_scheme},
	{TEXT("x y://z"), no_scheme},
	{TEXT("x_y://z"), no_scheme},
	{TEXT("\xc3\xa9://z"), no_scheme},
	{TEXT("x:y://z"), no_scheme},
	{TEXT("x:/y"), no_scheme},
	{TEXT("HttpS://h"), misspelled},
	{TEXT("sqs://"), no_rest},
	{TEXT("x://"), no_rest},
	{TEXT("notify://"), no_channel},
	{TEXT("notify://" SIXTY_THREE "4"), long_channel},
	{TEXT("notify://" SIXTY_THREE SIXTY_THREE), long_channel},
	{TEXT("poll://"), no_cast},
	{TEXT("poll://default"), no_cast},
	{TEXT("poll://default/id"), no_cast},
	{TEXT("poll://any"), no_cast},
	{TEXT("poll://uni"), no_cast},
	{TEXT("poll://any/x@g"), no_cast},
	{TEXT("poll:///any@g"), no_cast},
	{TEXT("poll://@g"), no_cast},
	{TEXT("poll://all@g"), no_cast},
	{TEXT("poll://Any@g"), no_cast},
	{TEXT("poll://UNI@g/i"), no_cast},
	{TEXT("poll://anyx@g"), no_cast},
	{TEXT("poll://xany@g"), no_cast},
	{TEXT("poll://any:@g"), no_cast},
	{TEXT("poll://any@"), no_group},
	{TEXT("poll://uni@"), no_group},
	{TEXT("poll://any@/"), no_group},
	{TEXT("poll://any@/i"), no_group},
	{TEXT("poll://uni@/i"), no_group},
	{TEXT("poll://any@@"), at_in_group},
	{TEXT("poll://any@g@h"), at_in_group},
	{TEXT("poll://any@g@"), at_in_group},
	{TEXT("poll://any@@g"), at_in_group},
	{TEXT("poll://uni@g@h/i"), at_in_group},
	{TEXT("poll://any@uni@g/i"), at_in_group},
	{TEXT("poll://any@g/"), empty_id},
	{TEXT("poll://uni@g/"), empty_id},
	{TEXT("poll://uni@g"), no_id},
	{TEXT("poll://uni@default"), no_id},
	{TEXT("http://"), no_host},
	{TEXT("https://"), no_host},
	{TEXT("http:///path"), no_host},
	{TEXT("http://:8080"), no_host},
	{TEXT("http://?a=b"), no_host},
	{TEXT("http://#a"), no_host},
	{TEXT("http://@"), no_host},
	{TEXT("http://user@"), no_host},
	{TEXT("http://a@b@"), no_host},
	{TEXT("http://user@:80/"), no_host},
	{TEXT("https:///h"), no_host}
};

/* What a listener of the wire protocol may be told at. */
typedef struct ListenerCase
{
	const char *text;
	size_t		len;
	bool		is_listener;
} ListenerCase;

static const ListenerCase listener_cases[] = {
	{TEXT("poll://any@g"), true},
	{TEXT("poll://uni@g/i"), true},
	{TEXT("poll://whoever@"), true},
	{TEXT("poll://g/@"), true},
	{TEXT("poll://default"), false},
	{TEXT("poll://"), false},
	{TEXT("http://h"), true},
	{TEXT("https://:80"), true},
	{TEXT("http://"), false},
	{TEXT("sqs://q"), true},
	{TEXT("gcps://project/topic"), true},
	{TEXT("x1+2-3.4://b"), true},
	{TEXT("HTTP://h"), true},
	{TEXT("sqs://"), false},
	{TEXT("sqs:q"), false},
	{TEXT("sqs"), false},
	{TEXT(""), false},
	{TEXT("://x"), false},
	{TEXT("1x://y"), false},
	{TEXT("x y://z"), false},
	{TEXT("notify://channel"), false},
	{TEXT("notify://"), false}
};

/* Marks a reason as reached; false when it is none of the known ones. */
static bool
reach_reason(const char *reason)
{
	for (size_t i = 0; i < LENGTH_OF(all_reasons); i++)
	{
		if (strcmp(reason, all_reasons[i]) == 0)
		{
			is_reached[i] = true;
			return true;
		}
	}
	return false;
}

/* Expects of any text that the parts of its parsed address agree. */
static void
expect_coherent(const char *text, size_t len, const RsnAddress *address)
{
	bool		is_invalid = address->kind == RSN_ADDRESS_INVALID;
	bool		is_notify = address->kind == RSN_ADDRESS_NOTIFY;

	tap_expect((address->reason != NULL) == is_invalid,
			   "a reason exactly when invalid, length %zu", len);
	tap_expect(address->reason == NULL || reach_reason(address->reason),
			   "a known reason, length %zu", len);
	tap_expect((address->channel != NULL) == is_notify,
			   "a channel exactly for notify, length %zu", len);
	if (is_notify)
		tap_expect(address->channel_len >= 1 &&
				   address->channel_len <= RSN_ADDRESS_CHANNEL_LEN_MAX &&
				   address->channel + address->channel_len == text + len,
				   "the channel is the end of the text, length %zu", len);
	else
		tap_expect(address->channel_len == 0,
				   "no length without a channel, length %zu", len);
}

/* Returns a copy of the text in a heap block of exactly its length. */
static char *
copy_exactly(const char *text, size_t len)
{
	char	   *copy = tap_alloc(len);

	if (len > 0)
		memcpy(copy, text, len);
	return copy;
}

/* Parses an exact copy, expects that the parts agree, and returns the kind. */
static RsnAddressKind
parse_copy(const char *text, size_t len)
{
	char	   *copy = copy_exactly(text, len);
	RsnAddress	address = rsn_address_parse(copy, len);

	expect_coherent(copy, len, &address);
	free(copy);
	return address.kind;
}

/* Returns the start of a text with what would upset a TAP line made a dot. */
static const char *
printable(const char *text, size_t len)
{
	static char buffer[41];
	size_t		i;

	for (i = 0; i < len && i < sizeof(buffer) - 1; i++)
		buffer[i] = text[i] > ' ' && text[i] < 127 && text[i] != '#'
			? text[i] : '.';
	buffer[i] = '\0';
	return buffer;
}

/* Tests one valid address. */
static void
test_valid(const ValidCase *item)
{
	char	   *copy = copy_exactly(item->text, item->len);
	RsnAddress	address = rsn_address_parse(copy, item->len);

	tap_begin();
	expect_coherent(copy, item->len, &address);
	tap_expect(address.kind == item->kind, "kind %d, expected %d, reason %s",
			   (int) address.kind, (int) item->kind,
			   address.reason == NULL ? "none" : address.reason);
	if (item->channel != NULL)
		tap_expect(address.channel != NULL &&
				   address.channel_len == strlen(item->channel) &&
				   memcmp(address.channel, item->channel,
						  address.channel_len) == 0,
				   "channel of %zu bytes", address.channel_len);
	tap_end("valid, kind %d, %zu bytes: %s", (int) item->kind, item->len,
			printable(item->text, item->len));
	free(copy);
}

/* Tests one invalid address. */
static void
test_invalid(const InvalidCase *item)
{
	char	   *copy = copy_exactly(item->text, item->len);
	RsnAddress	address = rsn_address_parse(copy, item->len);

	tap_begin();
	expect_coherent(copy, item->len, &address);
	tap_expect(address.kind == RSN_ADDRESS_INVALID, "kind %d",
			   (int) address.kind);
	tap_expect(address.reason != NULL &&
			   strcmp(address.reason, item->reason) == 0, "reason: %s",
			   address.reason == NULL ? "none" : address.reason);
	tap_end("invalid, %zu bytes: %s: %s", item->len,
			printable(item->text, item->len), item->reason);
	free(copy);
}

/* Tests what the wire protocol says to an address. */
static void
test_listener(const ListenerCase *item)
{
	char	   *copy = copy_exactly(item->text, item->len);

	tap_begin();
	tap_expect(rsn_address_is_listener(copy, item->len) == item->is_listener,
			   "expected %d", (int) item->is_listener);
	tap_end("listener %d: %s", (int) item->is_listener,
			printable(item->text, item->len));
	free(copy);
}

/* Tests an address of a prefix and filler, of a total length, for its kind. */
static void
test_length(const char *prefix, size_t len, RsnAddressKind kind)
{
	char		text[RSN_ADDRESS_LEN_MAX + 2];

	memset(text, 'x', sizeof(text));
	memcpy(text, prefix, strlen(prefix));
	tap_begin();
	tap_expect(parse_copy(text, len) == kind, "wrong kind");
	tap_end("%s... of %zu bytes is of kind %d", prefix, len, (int) kind);
}

/* Tests that an address of more than the limit is refused for its length. */
static void
test_too_long(void)
{
	char		text[RSN_ADDRESS_LEN_MAX * 2] = "http://";

	tap_begin();
	for (size_t len = RSN_ADDRESS_LEN_MAX + 1; len <= sizeof(text); len++)
	{
		RsnAddress	address = rsn_address_parse(text, len);

		tap_expect(address.reason != NULL &&
				   strcmp(address.reason, too_long) == 0,
				   "%zu bytes", len);
		expect_coherent(text, len, &address);
	}
	tap_end("every text above the limit is refused for its length");
}

/* Tests every prefix of a valid address, each in a block of its own. */
static void
test_prefixes(const ValidCase *item)
{
	tap_begin();
	for (size_t len = 0; len <= item->len; len++)
		parse_copy(item->text, len);
	tap_end("every prefix of a valid address of %zu bytes", item->len);
}

/* Tests a valid address with each byte replaced by every other in turn. */
static void
test_replaced_bytes(const ValidCase *item)
{
	char	   *copy = copy_exactly(item->text, item->len);

	tap_begin();
	for (size_t i = 0; i < item->len; i++)
	{
		for (int byte = 0; byte < 256; byte++)
		{
			RsnAddressKind kind;

			copy[i] = (char) byte;
			kind = parse_copy(copy, item->len);
			tap_expect(byte != 0 || kind == RSN_ADDRESS_INVALID,
					   "zero byte at %zu", i);
		}
		copy[i] = item->text[i];
	}
	tap_end("every replaced byte of a valid address of %zu bytes", item->len);
	free(copy);
}

/* Tests that each reason was given for something. */
static void
test_reasons_reached(void)
{
	tap_begin();
	for (size_t i = 0; i < LENGTH_OF(all_reasons); i++)
		tap_expect(is_reached[i], "never given: %s", all_reasons[i]);
	tap_end("every reason is reached");
}

/* Tests that the limits are the documented ones. */
static void
test_limits(void)
{
	tap_begin();
	tap_expect(RSN_ADDRESS_LEN_MAX == 1024, "length of an address");
	tap_expect(RSN_ADDRESS_CHANNEL_LEN_MAX == 63, "length of a channel");
	tap_end("limits are the documented ones");

	test_length("http://", RSN_ADDRESS_LEN_MAX, RSN_ADDRESS_HTTP);
	test_length("http://", RSN_ADDRESS_LEN_MAX + 1, RSN_ADDRESS_INVALID);
	test_length("poll://any@", RSN_ADDRESS_LEN_MAX, RSN_ADDRESS_POLL);
	test_length("poll://any@", RSN_ADDRESS_LEN_MAX + 1, RSN_ADDRESS_INVALID);
	test_length("poll://uni@g/", RSN_ADDRESS_LEN_MAX, RSN_ADDRESS_POLL);
	test_length("poll://uni@g/", RSN_ADDRESS_LEN_MAX + 1, RSN_ADDRESS_INVALID);
	test_length("notify://", strlen("notify://") + 63, RSN_ADDRESS_NOTIFY);
	test_length("notify://", strlen("notify://") + 64, RSN_ADDRESS_INVALID);
	test_length("notify://", RSN_ADDRESS_LEN_MAX + 1, RSN_ADDRESS_INVALID);
	test_too_long();
}

/* Runs everything. */
int
main(void)
{
	tap_start();
	for (size_t i = 0; i < LENGTH_OF(valid_cases); i++)
		test_valid(&valid_cases[i]);
	for (size_t i = 0; i < LENGTH_OF(invalid_cases); i++)
		test_invalid(&invalid_cases[i]);
	for (size_t i = 0; i < LENGTH_OF(listener_cases); i++)
		test_listener(&listener_cases[i]);
	test_limits();
	test_reasons_reached();
	for (size_t i = 0; i < LENGTH_OF(valid_cases); i++)
	{
		test_prefixes(&valid_cases[i]);
		test_replaced_bytes(&valid_cases[i]);
	}
	return tap_finish();
}
