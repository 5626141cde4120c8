/*-------------------------------------------------------------------------
 *
 * json_test.c
 *	  Stand-alone test of core/json.c: what is JSON, what jsonb lacks, and how large
 *	  it would be.
 *
 * Every text is read from a heap block of exactly its length, so that the address
 * sanitizer sees a read of one byte too many.  What PostgreSQL itself says is
 * compared in test/pgtap/values.sql.
 *
 *-------------------------------------------------------------------------
 */
#include "core/json.h"

#include <stdlib.h>
#include <string.h>

#include "tap.h"

#define LENGTH_OF(array) (sizeof(array) / sizeof((array)[0]))

static const char *const good[] = {
	"null", "true", "false", "0", "-0", "0.0", "-1.5e-3", "1E+2", "\"\"", "[]",
	"{}", " [ ] ", "\t\n\r{ }", "[1,2]", "[1 , [2] , {} ]", "{\"a\":1}",
	"{ \"a\" : { \"b\" : [ ] } , \"a\" : 2 }", "\"\\\"\\\\\\/\\b\\f\\n\\r\\t\"",
	"\"\\u0001\"", "\"\\ud83d\\ude00\"", "\"\\uD83D\\uDE00\"", "\"\\uffff\"",
	"\"\xc3\xa9\xf0\x9f\x98\x80\"", "\"\x7f\"", "1e131071", "9e-16383",
	"0e1000000", "0.00001e131076", "\"\\\\u0000\""
};

static const char *const bad[] = {
	"", " ", "nul", "nullx", "True", "01", "-", "+1", ".5", "1.", "1.e1", "1e",
	"1e+", "1e1.5", "0x10", "NaN", "Infinity", "1 2", "1,", "[", "]", "{", "}",
	"[1,]", "[,1]", "[1 2]", "{\"a\"}", "{\"a\":}", "{\"a\":1,}", "{,}", "{1:2}",
	"{\"a\" 1}", "[}", "{]", "[1}", "{\"a\":1]", "[]]", "\"", "\"\\\"", "\"\\",
	"\"\\x\"", "\"\\u\"", "\"\\u12\"", "\"\\u12g4\"", "\"\n\"", "\"\t\"", "'a'",
	"// 1", "[1]x", "\xef\xbb\xbf" "1",

	/* JSON that jsonb cannot hold. */
	"\"\\u0000\"", "\"a\\u0000b\"", "{\"\\u0000\":1}", "\"\\ud83d\"",
	"\"\\ude00\"", "\"\\ud83dx\"", "\"\\ud83d\\n\"", "\"\\ud83d\\ud83d\"",
	"\"\\ude00\\ud83d\"", "\"\\ud83d\\u0041\"", "1e131072", "-1e131072",
	"1e400000", "10e131071", "1e-16384", "0e-16384", "0e1073741823",
	"1e99999999999999999999", "1e-99999999999999999999"
};

/* Reads a text from a block of its own. */
static bool
read_text(const char *text, size_t len, RsnJsonShape *shape)
{
	char	   *copy = tap_alloc(len);
	bool		result;

	memcpy(copy, text, len);
	result = rsn_json_read(copy, len, shape);
	free(copy);
	return result;
}

static void
test_verdicts(void)
{
	RsnJsonShape shape;

	for (size_t i = 0; i < LENGTH_OF(good); i++)
	{
		tap_begin();
		tap_expect(read_text(good[i], strlen(good[i]), &shape), "refused");
		tap_end("%s", good[i]);
	}
	for (size_t i = 0; i < LENGTH_OF(bad); i++)
	{
		tap_begin();
		tap_expect(!read_text(bad[i], strlen(bad[i]), &shape), "accepted");
		tap_end("no jsonb, %d", (int) i);
	}
	tap_begin();
	tap_expect(!read_text("\"a\0b\"", 5, &shape), "accepted");
	tap_end("a zero byte");
}

/* No beginning of a text that ends with a bracket or a quote is JSON. */
static void
test_prefixes(void)
{
	RsnJsonShape shape;

	tap_begin();
	for (size_t i = 0; i < LENGTH_OF(good); i++)
	{
		size_t		len = strlen(good[i]);

		if (strchr("]}\"", good[i][len - 1]) == NULL)
			continue;
		for (size_t end = 0; end < len; end++)
			tap_expect(!read_text(good[i], end, &shape), "%d bytes of %s",
					   (int) end, good[i]);
	}
	tap_end("the beginning of a text is none");
}

/* Expects of a text of repeated parts whether it is read, and how deep it is. */
static void
expect_nested(int depth, bool is_read, const char *opening,
			  const char *closing)
{
	size_t		nopening = strlen(opening);
	size_t		nclosing = strlen(closing);
	size_t		len = depth * (nopening + nclosing) + 1;
	char	   *text = tap_alloc(len);
	char	   *at = text;
	RsnJsonShape shape;

	for (int i = 0; i < depth; i++, at += nopening)
		memcpy(at, opening, nopening);
	*at++ = '1';
	for (int i = 0; i < depth; i++, at += nclosing)
		memcpy(at, closing, nclosing);
	tap_begin();
	tap_expect(read_text(text, len, &shape) == is_read, "not so");
	tap_expect(!is_read || shape.depth == depth, "depth %d", shape.depth);
	tap_end("%d levels of %s", depth, opening);
	free(text);
}

static void
test_depth(void)
{
	expect_nested(RSN_JSON_DEPTH_MAX, true, "[", "]");
	expect_nested(RSN_JSON_DEPTH_MAX + 1, false, "[", "]");
	expect_nested(1000000, false, "[", "]");
	expect_nested(RSN_JSON_DEPTH_MAX, true, "{\"a\":", "}");
	expect_nested(RSN_JSON_DEPTH_MAX + 1, false, "{\"a\":", "}");
	expect_nested(100, true, "{\"a\":1,\"b\":", "}");
}

/* What PostgreSQL writes for a text, and at least as many bytes of jsonb. */
static void
expect_size(const char *text, size_t text_len, size_t jsonb_len)
{
	RsnJsonShape shape = {0};

	tap_begin();
	tap_expect(read_text(text, strlen(text), &shape), "refused");
	tap_expect(shape.text_len >= text_len && shape.text_len <= text_len + 2,
			   "%zu bytes of text", shape.text_len);
	tap_expect(shape.jsonb_len >= jsonb_len &&
			   shape.jsonb_len <= jsonb_len + jsonb_len / 2 + 16,
			   "%zu bytes of jsonb", shape.jsonb_len);
	tap_end("the size of %s", text);
}

static void
test_sizes(void)
{
	expect_size("[1,2,3]", strlen("[1, 2, 3]"), 40);
	expect_size("{\"a\":\"\\u00e9\"}", strlen("{\"a\": \"\xc3\xa9\"}"), 15);
	expect_size("\"\\u0001\\/\"", strlen("\"\\u0001/\""), 6);
	expect_size("1e5", strlen("100000"), 8);
	expect_size("[1e131071]", 131074, 16);
	expect_size("1.50e-3", strlen("0.00150"), 8);
	expect_size("[null,true]", strlen("[null, true]"), 12);
}

static void
expect_unescaped(const char *text, const char *expected)
{
	size_t		len = strlen(text);
	char	   *copy = tap_alloc(len);

	memcpy(copy, text, len);
	len = rsn_json_unescape(copy, len);
	tap_begin();
	tap_expect(len == strlen(expected) && memcmp(copy, expected, len) == 0,
			   "%.*s", (int) len, copy);
	tap_end("unescaped: %s", text);
	free(copy);
}

static void
test_unescape(void)
{
	expect_unescaped("\"\\u00e9\\u20ac\\ud83d\\ude00\"",
					 "\"\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80\"");
	expect_unescaped("\"\\u0041\\n\\\\u00e9\\u0022\"",
					 "\"\\u0041\\n\\\\u00e9\\u0022\"");
	expect_unescaped("[1,{\"\\u0080\":\"\xc3\xa9\"}]",
					 "[1,{\"\xc2\x80\":\"\xc3\xa9\"}]");
}

int
main(void)
{
	tap_start();
	test_verdicts();
	test_prefixes();
	test_depth();
	test_sizes();
	test_unescape();
	return tap_finish();
}
