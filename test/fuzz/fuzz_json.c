/*-------------------------------------------------------------------------
 *
 * fuzz_json.c
 *	  Fuzz target for core/json.c: the input is the text.
 *
 * What is accepted must stay so, and be the same size, however it is spaced and
 * whichever characters are escaped.
 *
 *-------------------------------------------------------------------------
 */
#include "core/json.h"

#include "input.h"

/* The text in brackets, with a space on each side. */
static char *
enclose(const char *text, size_t len)
{
	char	   *result = malloc(len + 4);

	REQUIRE(result != NULL);
	memcpy(result, "[ ", 2);
	memcpy(result + 2, text, len);
	memcpy(result + 2 + len, " ]", 2);
	return result;
}

/* An array of an accepted value is accepted, unless it is too deep then. */
static void
check_enclosed(const char *text, size_t len, const RsnJsonShape *shape)
{
	char	   *enclosed = enclose(text, len);
	RsnJsonShape outer;

	REQUIRE(rsn_json_read(enclosed, len + 4, &outer) ==
			(shape->depth < RSN_JSON_DEPTH_MAX));
	if (shape->depth < RSN_JSON_DEPTH_MAX)
	{
		REQUIRE(outer.depth == shape->depth + 1);
		REQUIRE(outer.text_len == shape->text_len + 2);
	}
	free(enclosed);
}

/* Without escapes it is no longer than before, and means the same. */
static void
check_unescaped(char *text, size_t len, const RsnJsonShape *shape)
{
	RsnJsonShape again;
	size_t		shorter = rsn_json_unescape(text, len);

	REQUIRE(shorter <= len);
	REQUIRE(rsn_json_read(text, shorter, &again));
	REQUIRE(again.depth == shape->depth);
	REQUIRE(again.text_len == shape->text_len);
	REQUIRE(again.jsonb_len == shape->jsonb_len);
	REQUIRE(rsn_json_unescape(text, shorter) == shorter);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	Input		input = {data, size};
	char	   *text = copy_text(&input);
	RsnJsonShape shape;

	if (rsn_json_read(text, size, &shape))
	{
		REQUIRE(shape.depth >= 0 && shape.depth <= RSN_JSON_DEPTH_MAX);
		REQUIRE(shape.text_len > 0 && shape.jsonb_len > 0);
		check_enclosed(text, size, &shape);
		check_unescaped(text, size, &shape);
	}
	free(text);
	return 0;
}
