/*-------------------------------------------------------------------------
 *
 * core/json.c
 *	  Whether a string is JSON that jsonb can hold.
 *
 * The wire protocol carries any string, and the server's own functions raise an
 * error for what is JSON and yet cannot be jsonb: a zero character, half of a
 * surrogate pair, a number beyond numeric, too much nesting.  So a caller that
 * shows a stored string asks here first.  Nothing is raised, no memory taken, and
 * the stack does not grow with the nesting.
 *
 * The input is valid UTF-8.
 *
 *-------------------------------------------------------------------------
 */
#include "core/json.h"

#include <stdint.h>
#include <string.h>

/* Bounds of numeric: digits before and behind the point, and the exponent. */
#define NUMERIC_WEIGHT_MAX		131071
#define NUMERIC_SCALE_MAX		16383
#define NUMERIC_EXPONENT_MAX	1073741822

/* From there on the header of a numeric is longer. */
#define NUMERIC_SHORT_WEIGHT_MAX	252
#define NUMERIC_SHORT_SCALE_MAX		63

#define DEC_DIGITS		4		/* decimal digits in a digit of numeric */

/* What jsonb needs beside the contents: for an entry, and a container. */
#define JENTRY_LEN		4
#define CONTAINER_LEN	4

typedef struct Reader
{
	const char *at;
	const char *end;
	RsnJsonShape *shape;
	int			depth;
	uint8_t		is_object[RSN_JSON_DEPTH_MAX / 8 + 1];
} Reader;

/* Where the decimal digits of a number are. */
typedef struct Number
{
	int64_t		nint;			/* before the point */
	int64_t		nfraction;
	int64_t		nleading;		/* zeros before the first other digit */
	bool		is_zero;
	int64_t		exponent;
} Number;

static void
skip_space(Reader *reader)
{
	while (reader->at < reader->end &&
		   (*reader->at == ' ' || *reader->at == '\t' ||
			*reader->at == '\n' || *reader->at == '\r'))
		reader->at++;
}

/* Reads this character, if it is the next one. */
static bool
take(Reader *reader, char c)
{
	if (reader->at == reader->end || *reader->at != c)
		return false;
	reader->at++;
	return true;
}

static void
align_jsonb(RsnJsonShape *shape)
{
	shape->jsonb_len = (shape->jsonb_len + 3) & ~(size_t) 3;
}

static int
hex_digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	if (c >= 'A' && c <= 'F')
		return c - 'A' + 10;
	return -1;
}

/* The code unit of four hexadecimal digits, or -1. */
static int
code_unit(const char *at, const char *end)
{
	int			result = 0;

	if (end - at < 4)
		return -1;
	for (int i = 0; i < 4; i++)
	{
		int			digit = hex_digit(at[i]);

		if (digit < 0)
			return -1;
		result = result * 16 + digit;
	}
	return result;
}

/*
 * The character of a \u escape, both of them if it is a pair, whose digits begin
 * at a place that is moved behind it; -1 when there is none.
 */
static int32_t
escaped_character(const char **at, const char *end)
{
	int			first = code_unit(*at, end);
	int			second;

	if (first < 0 || (first >= 0xDC00 && first <= 0xDFFF))
		return -1;
	*at += 4;
	if (first < 0xD800 || first > 0xDBFF)
		return first;
	if (end - *at < 6 || (*at)[0] != '\\' || (*at)[1] != 'u')
		return -1;
	second = code_unit(*at + 2, end);
	if (second < 0xDC00 || second > 0xDFFF)
		return -1;
	*at += 6;
	return 0x10000 + ((first - 0xD800) << 10) + (second - 0xDC00);
}

static int
utf8_len(int32_t character)
{
	return character < 0x80 ? 1 : character < 0x800 ? 2
		: character < 0x10000 ? 3 : 4;
}

/* Reads what is behind a backslash. */
static bool
read_escape(Reader *reader)
{
	RsnJsonShape *shape = reader->shape;
	int32_t		character;
	char		c;

	if (reader->at == reader->end)
		return false;
	c = *reader->at++;
	if (c != 'u')
	{
		shape->text_len += c == '/' ? 1 : 2;
		shape->jsonb_len++;
		return c != '\0' && strchr("\"\\/bfnrt", c) != NULL;
	}
	character = escaped_character(&reader->at, reader->end);
	if (character <= 0)
		return false;
	shape->jsonb_len += utf8_len(character);
	if (character < ' ')
		shape->text_len += 6;
	else if (character == '"' || character == '\\')
		shape->text_len += 2;
	else
		shape->text_len += utf8_len(character);
	return true;
}

/* Reads a string from behind its opening quote. */
static bool
read_string(Reader *reader)
{
	RsnJsonShape *shape = reader->shape;

	shape->text_len += 2;
	shape->jsonb_len += JENTRY_LEN;
	while (reader->at < reader->end)
	{
		unsigned char c = *reader->at++;

		if (c == '"')
			return true;
		if (c < ' ')
			return false;
		if (c == '\\')
		{
			if (!read_escape(reader))
				return false;
			continue;
		}
		shape->text_len++;
		shape->jsonb_len++;
	}
	return false;
}

/* Reads digits, at least one, and says how many; zeros in front are noted. */
static int64_t
read_digits(Reader *reader, Number *number)
{
	const char *start = reader->at;

	while (reader->at < reader->end && *reader->at >= '0' &&
		   *reader->at <= '9')
	{
		if (number->is_zero && *reader->at == '0')
			number->nleading++;
		else
			number->is_zero = false;
		reader->at++;
	}
	return reader->at - start;
}

/* Reads an exponent from behind its letter. */
static bool
read_exponent(Reader *reader, Number *number)
{
	bool		is_negative = take(reader, '-');
	const char *start;

	if (!is_negative)
		(void) take(reader, '+');
	start = reader->at;
	while (reader->at < reader->end && *reader->at >= '0' &&
		   *reader->at <= '9')
	{
		if (number->exponent <= NUMERIC_EXPONENT_MAX)
			number->exponent = number->exponent * 10 + (*reader->at - '0');
		reader->at++;
	}
	if (reader->at == start || number->exponent > NUMERIC_EXPONENT_MAX)
		return false;
	if (is_negative)
		number->exponent = -number->exponent;
	return true;
}

/* Adds what a number needs; false when numeric cannot hold it. */
static bool
add_number(RsnJsonShape *shape, const Number *number)
{
	int64_t		weight = number->nint - 1 - number->nleading +
	number->exponent;
	int64_t		scale = number->nfraction - number->exponent;
	int64_t		nsignificant = number->nint + number->nfraction -
	number->nleading;
	int64_t		ndigits = 0;

	if (scale < 0)
		scale = 0;
	if (scale > NUMERIC_SCALE_MAX)
		return false;
	if (number->is_zero)
		weight = 0;
	else if (number->nfraction == 0 && number->exponent == 0)
		ndigits = (nsignificant + DEC_DIGITS - 1) / DEC_DIGITS;
	else
		ndigits = nsignificant / DEC_DIGITS + 2;
	if (weight > NUMERIC_WEIGHT_MAX)
		return false;
	align_jsonb(shape);
	shape->jsonb_len += JENTRY_LEN + 6 + 2 * ndigits;
	if (scale > NUMERIC_SHORT_SCALE_MAX || weight > NUMERIC_SHORT_WEIGHT_MAX ||
		weight < -NUMERIC_SHORT_WEIGHT_MAX)
		shape->jsonb_len += 2;
	shape->text_len += (weight > 0 ? weight : 0) + 1;
	if (scale > 0)
		shape->text_len += 1 + scale;
	return true;
}

static bool
read_number(Reader *reader)
{
	Number		number = {.is_zero = true};
	bool		is_zero_first;

	if (take(reader, '-'))
		reader->shape->text_len++;
	is_zero_first = reader->at < reader->end && *reader->at == '0';
	number.nint = read_digits(reader, &number);
	if (number.nint == 0 || (is_zero_first && number.nint > 1))
		return false;
	if (take(reader, '.'))
	{
		number.nfraction = read_digits(reader, &number);
		if (number.nfraction == 0)
			return false;
	}
	if ((take(reader, 'e') || take(reader, 'E')) &&
		!read_exponent(reader, &number))
		return false;
	return add_number(reader->shape, &number);
}

static bool
read_word(Reader *reader, const char *word)
{
	size_t		len = strlen(word);

	if ((size_t) (reader->end - reader->at) < len ||
		memcmp(reader->at, word, len) != 0)
		return false;
	reader->at += len;
	reader->shape->text_len += len;
	reader->shape->jsonb_len += JENTRY_LEN;
	return true;
}

static bool
read_scalar(Reader *reader)
{
	if (take(reader, '"'))
		return read_string(reader);
	return read_word(reader, "null") || read_word(reader, "true") ||
		read_word(reader, "false") || read_number(reader);
}

static bool
is_in_object(const Reader *reader)
{
	return reader->depth > 0 &&
		(reader->is_object[reader->depth / 8] >> (reader->depth % 8)) & 1;
}

/* Goes into an object or array; false when that is too deep. */
static bool
open_container(Reader *reader, bool is_object)
{
	RsnJsonShape *shape = reader->shape;
	uint8_t		bit;

	if (reader->depth == RSN_JSON_DEPTH_MAX)
		return false;
	reader->depth++;
	if (reader->depth > shape->depth)
		shape->depth = reader->depth;
	bit = 1 << (reader->depth % 8);
	if (is_object)
		reader->is_object[reader->depth / 8] |= bit;
	else
		reader->is_object[reader->depth / 8] &= ~bit;
	align_jsonb(shape);
	shape->jsonb_len += JENTRY_LEN + CONTAINER_LEN;
	shape->text_len += 2;
	return true;
}

/* Reads the key of a member and its colon. */
static bool
read_key(Reader *reader)
{
	skip_space(reader);
	if (!take(reader, '"') || !read_string(reader))
		return false;
	skip_space(reader);
	reader->shape->text_len += 2;
	return take(reader, ':');
}

/* Leaves what a closing bracket ends. */
static bool
close_container(Reader *reader)
{
	if (reader->depth == 0 ||
		!take(reader, is_in_object(reader) ? '}' : ']'))
		return false;
	reader->depth--;
	return true;
}

/*
 * Reads one value or, of an object or array that is not empty, its beginning up
 * to the first value in it; is_open says so.
 */
static bool
read_value(Reader *reader, bool *is_open)
{
	bool		is_object;

	*is_open = false;
	skip_space(reader);
	is_object = take(reader, '{');
	if (!is_object && !take(reader, '['))
		return read_scalar(reader);
	if (!open_container(reader, is_object))
		return false;
	skip_space(reader);
	if (close_container(reader))
		return true;
	*is_open = true;
	return !is_object || read_key(reader);
}

/* Reads what is behind a value, up to the next one; false when there is none. */
static bool
read_separator(Reader *reader)
{
	do
		skip_space(reader);
	while (close_container(reader));
	if (reader->depth == 0 || !take(reader, ','))
		return false;
	reader->shape->text_len += 2;
	return !is_in_object(reader) || read_key(reader);
}

/*
 * True when the text is JSON that can become jsonb, and then says how large that
 * would be: it is for the caller to say how large it may be.
 */
bool
rsn_json_read(const char *utf8, size_t len, RsnJsonShape *shape)
{
	Reader		reader = {.at = utf8,.end = utf8 + len,.shape = shape};
	bool		is_open;

	memset(shape, 0, sizeof(RsnJsonShape));
	do
	{
		do
		{
			if (!read_value(&reader, &is_open))
				return false;
		} while (is_open);
	} while (read_separator(&reader));
	return reader.depth == 0 && reader.at == reader.end;
}

static char *
put_utf8(char *to, int32_t character)
{
	if (character < 0x800)
		*to++ = (char) (0xC0 | (character >> 6));
	else
	{
		if (character < 0x10000)
			*to++ = (char) (0xE0 | (character >> 12));
		else
		{
			*to++ = (char) (0xF0 | (character >> 18));
			*to++ = (char) (0x80 | ((character >> 12) & 0x3F));
		}
		*to++ = (char) (0x80 | ((character >> 6) & 0x3F));
	}
	*to++ = (char) (0x80 | (character & 0x3F));
	return to;
}

/*
 * Replaces escapes of characters beyond ASCII by the characters, in place, in JSON
 * that rsn_json_read has accepted; returns its new length.  An encoding may lack a
 * character, and the conversion of the text finds out about all of them then.
 */
size_t
rsn_json_unescape(char *utf8, size_t len)
{
	const char *from = utf8;
	const char *end = utf8 + len;
	char	   *to = utf8;

	while (from < end)
	{
		const char *digits = from + 2;
		int32_t		character = 0;

		if (*from != '\\' || end - from < 2)
		{
			*to++ = *from++;
			continue;
		}
		if (from[1] == 'u')
			character = escaped_character(&digits, end);
		if (character >= 0x80)
		{
			to = put_utf8(to, character);
			from = digits;
			continue;
		}
		*to++ = *from++;
		*to++ = *from++;
	}
	return to - utf8;
}
