/*-------------------------------------------------------------------------
 *
 * fuzz_address.c
 *	  Fuzz target for core/address.c: the input is the text of an address.
 *
 * The verdict is compared with that of regular expressions, which say the
 * grammar at the top of core/address.h another time.
 *
 *-------------------------------------------------------------------------
 */
#include "core/address.h"

#include <regex.h>

#include "input.h"

#define NPATTERNS 4

/* In the order of RsnAddressKind. */
static const char *const patterns[NPATTERNS] = {
	"^notify://.{1,63}$",
	"^poll://(any@[^@/]+|(any|uni)@[^@/]+/.+)$",
	"^https?://([^/?#]*@)?[^/?#@:][^/?#@]*([/?#].*)?$",
	"^[A-Za-z][A-Za-z0-9+.-]*://.+$"
};

/* What looks like the last of them and is meant to be another. */
static const char *const not_a_queue =
"^([Nn][Oo][Tt][Ii][Ff][Yy]|[Pp][Oo][Ll][Ll]|[Hh][Tt][Tt][Pp][Ss]?)://";

/* What a listener of the wire protocol may be told at. */
static const char *const listener = "^(poll://.*@.*|[A-Za-z][A-Za-z0-9+.-]*://.+)$";
static const char *const not_a_listener = "^(notify://.*|poll://[^@]*)$";

/* True when the text matches one expression and not the other. */
static bool
matches(const char *text, size_t len, const char *wanted, const char *unwanted)
{
	char		terminated[RSN_ADDRESS_LEN_MAX + 1] = {0};
	regex_t		yes;
	regex_t		no;
	bool		result;

	if (len > RSN_ADDRESS_LEN_MAX || memchr(text, '\0', len) != NULL)
		return false;
	memcpy(terminated, text, len);
	REQUIRE(regcomp(&yes, wanted, REG_EXTENDED) == 0);
	REQUIRE(regcomp(&no, unwanted, REG_EXTENDED) == 0);
	result = regexec(&yes, terminated, 0, NULL, 0) == 0 &&
		regexec(&no, terminated, 0, NULL, 0) != 0;
	regfree(&yes);
	regfree(&no);
	return result;
}

/* The kind of a text by the regular expressions. */
static RsnAddressKind
classify(const char *text, size_t len)
{
	static regex_t compiled[NPATTERNS];
	static bool is_compiled = false;
	char		terminated[RSN_ADDRESS_LEN_MAX + 1] = {0};

	if (!is_compiled)
	{
		for (int i = 0; i < NPATTERNS; i++)
			REQUIRE(regcomp(&compiled[i], patterns[i], REG_EXTENDED) == 0);
		is_compiled = true;
	}
	if (len > RSN_ADDRESS_LEN_MAX || memchr(text, '\0', len) != NULL)
		return RSN_ADDRESS_INVALID;
	memcpy(terminated, text, len);
	for (int i = 0; i < NPATTERNS; i++)
	{
		if (i == NPATTERNS - 1 &&
			!matches(text, len, patterns[i], not_a_queue))
			continue;
		if (regexec(&compiled[i], terminated, 0, NULL, 0) == 0)
			return (RsnAddressKind) (RSN_ADDRESS_NOTIFY + i);
	}
	return RSN_ADDRESS_INVALID;
}

/* A channel is the rest of the text, and the text made of it is the same. */
static void
check_channel(const RsnAddress *address, const char *text, size_t len)
{
	static const char scheme[] = "notify://";
	size_t		scheme_len = sizeof(scheme) - 1;

	if (address->kind != RSN_ADDRESS_NOTIFY)
	{
		REQUIRE(address->channel == NULL && address->channel_len == 0);
		return;
	}
	REQUIRE(address->channel == text + scheme_len);
	REQUIRE(address->channel_len == len - scheme_len);
	REQUIRE(address->channel_len >= 1 &&
			address->channel_len <= RSN_ADDRESS_CHANNEL_LEN_MAX);
	REQUIRE(memcmp(text, scheme, scheme_len) == 0);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	Input		input = {data, size};
	char	   *text = copy_text(&input);
	RsnAddress	address = rsn_address_parse(text, size);
	RsnAddress	again = rsn_address_parse(text, size);

	REQUIRE(address.kind == classify(text, size));
	REQUIRE((address.kind == RSN_ADDRESS_INVALID) == (address.reason != NULL));
	REQUIRE(address.reason == NULL ||
			address.reason[strlen(address.reason) - 1] == '.');
	REQUIRE(again.kind == address.kind && again.reason == address.reason);
	check_channel(&address, text, size);
	REQUIRE(memchr(text, '\0', size) != NULL ||
			rsn_address_is_listener(text, size) ==
			matches(text, size, listener, not_a_listener));
	free(text);
	return 0;
}
