/*-------------------------------------------------------------------------
 *
 * server/json_write.c
 *	  Writing JSON: as jsonb, and as text in ASCII.
 *
 * What functions return is jsonb, which is built without being text first.  What is
 * sent to clients of any encoding is text in ASCII, in which everything else is
 * escaped.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "catalog/namespace.h"
#include "mb/pg_wchar.h"
#include "utils/builtins.h"
#include "utils/fmgrprotos.h"
#include "utils/numeric.h"

#include "server/json_write.h"

/* What stands for bytes that are no character. */
#define REPLACEMENT 0xFFFD

/* A byte below this is a control character. */
#define CONTROL_END 0x20

static JsonbValue
string_value(const char *data, int len)
{
	JsonbValue	value;

	value.type = jbvString;
	value.val.string.val = (char *) data;
	value.val.string.len = len;
	return value;
}

static void
push_key(RsnJson *json, const char *name)
{
	JsonbValue	key = string_value(name, strlen(name));

	pushJsonbValue(&json->state, WJB_KEY, &key);
}

void
rsn_json_begin_object(RsnJson *json)
{
	json->state = NULL;
	pushJsonbValue(&json->state, WJB_BEGIN_OBJECT, NULL);
}

JsonbValue *
rsn_json_end_object(RsnJson *json)
{
	return pushJsonbValue(&json->state, WJB_END_OBJECT, NULL);
}

void
rsn_json_begin_array(RsnJson *json)
{
	json->state = NULL;
	pushJsonbValue(&json->state, WJB_BEGIN_ARRAY, NULL);
}

JsonbValue *
rsn_json_end_array(RsnJson *json)
{
	return pushJsonbValue(&json->state, WJB_END_ARRAY, NULL);
}

/* Adds a member to an object. */
void
rsn_json_add(RsnJson *json, const char *name, JsonbValue *value)
{
	push_key(json, name);
	pushJsonbValue(&json->state, WJB_VALUE, value);
}

void
rsn_json_add_string(RsnJson *json, const char *name, const char *value)
{
	JsonbValue	string = string_value(value, strlen(value));

	rsn_json_add(json, name, &string);
}

/* Adds a text, unless it is NULL. */
void
rsn_json_add_text(RsnJson *json, const char *name, const text *value)
{
	JsonbValue	string;

	if (value == NULL)
		return;
	string = string_value(VARDATA_ANY(value), VARSIZE_ANY_EXHDR(value));
	rsn_json_add(json, name, &string);
}

void
rsn_json_add_int(RsnJson *json, const char *name, int64 value)
{
	JsonbValue	number;

	number.type = jbvNumeric;
	number.val.numeric = int64_to_numeric(value);
	rsn_json_add(json, name, &number);
}

/* An object or array as a value, which points into it. */
JsonbValue
rsn_json_value(Jsonb *json)
{
	JsonbValue	value;

	value.type = jbvBinary;
	value.val.binary.data = &json->root;
	value.val.binary.len = VARSIZE(json) - VARHDRSZ;
	return value;
}

/* Adds an object or array, unless it is NULL. */
void
rsn_json_add_jsonb(RsnJson *json, const char *name, Jsonb *value)
{
	JsonbValue	binary;

	if (value == NULL)
		return;
	binary = rsn_json_value(value);
	rsn_json_add(json, name, &binary);
}

/* Adds all members of an object. */
void
rsn_json_add_members(RsnJson *json, Jsonb *object)
{
	JsonbIterator *it = JsonbIteratorInit(&object->root);
	JsonbIteratorToken token;
	JsonbValue	value;

	while ((token = JsonbIteratorNext(&it, &value, true)) != WJB_DONE)
	{
		if (token == WJB_KEY || token == WJB_VALUE)
			pushJsonbValue(&json->state, token, &value);
	}
}

/* Adds an element to an array. */
void
rsn_json_append(RsnJson *json, JsonbValue *value)
{
	pushJsonbValue(&json->state, WJB_ELEM, value);
}

JsonbValue *
rsn_json_string(const char *value)
{
	JsonbValue *result = palloc(sizeof(JsonbValue));

	*result = string_value(value, strlen(value));
	return result;
}

Jsonb *
rsn_json_empty_object(void)
{
	RsnJson		json;

	rsn_json_begin_object(&json);
	return JsonbValueToJsonb(rsn_json_end_object(&json));
}

/*
 * How long a string is at most when it is written in JSON that is not ASCII only,
 * without its quotes.
 */
Size
rsn_json_written_len(const char *data, int len)
{
	Size		result = len;

	for (int i = 0; i < len; i++)
	{
		if ((unsigned char) data[i] < CONTROL_END)
			result += 5;
		else if (data[i] == '"' || data[i] == '\\')
			result++;
	}
	return result;
}

static void
append_escape(StringInfo buffer, pg_wchar character)
{
	Assert(character <= 0x10FFFF);
	if (character >= 0x10000)
	{
		appendStringInfo(buffer, "\\u%04x",
						 0xD800 + ((character - 0x10000) >> 10));
		character = 0xDC00 + (character & 0x3FF);
	}
	appendStringInfo(buffer, "\\u%04x", (unsigned int) character);
}

/* Adds a character of ASCII that is part of a string. */
static void
append_ascii(StringInfo buffer, char c)
{
	if (c == '"' || c == '\\')
		appendStringInfo(buffer, "\\%c", c);
	else if ((unsigned char) c < CONTROL_END)
		append_escape(buffer, c);
	else
		appendStringInfoChar(buffer, c);
}

/* Adds UTF-8, which is JSON already or part of a string. */
static void
append_utf8(StringInfo buffer, const char *utf8, int len, bool is_json)
{
	for (int i = 0; i < len;)
	{
		const unsigned char *at = (const unsigned char *) utf8 + i;
		int			character_len = pg_utf_mblen(at);

		if (!IS_HIGHBIT_SET(*at))
		{
			if (is_json)
				appendStringInfoChar(buffer, *at);
			else
				append_ascii(buffer, *at);
			i++;
		}
		else if (character_len <= len - i &&
				 pg_utf8_islegal(at, character_len))
		{
			append_escape(buffer, utf8_to_unicode(at));
			i += character_len;
		}
		else
		{
			append_escape(buffer, REPLACEMENT);
			i++;
		}
	}
}

/* The same in the encoding of the database; raises no error for any bytes. */
static void
append_server(StringInfo buffer, const char *data, int len, bool is_json)
{
	int			encoding = GetDatabaseEncoding();
	Oid			conversion = InvalidOid;
	int			size = len * MAX_CONVERSION_GROWTH + 1;
	char	   *utf8;

	if (encoding != PG_UTF8 && encoding != PG_SQL_ASCII)
		conversion = FindDefaultConversionProc(encoding, PG_UTF8);
	if (!OidIsValid(conversion))
	{
		append_utf8(buffer, data, len, is_json);
		return;
	}
	utf8 = palloc(size);
	while (len > 0)
	{
		int			n = pg_do_encoding_conversion_buf(conversion, encoding,
													  PG_UTF8,
													  (unsigned char *) data,
													  len,
													  (unsigned char *) utf8,
													  size, true);

		append_utf8(buffer, utf8, strlen(utf8), is_json);
		if (n < len)
		{
			append_escape(buffer, REPLACEMENT);
			n += pg_encoding_mblen(encoding, data + n);
		}
		data += Min(n, len);
		len -= Min(n, len);
	}
	pfree(utf8);
}

/* Begins a member, or the outermost object. */
static void
append_name(StringInfo buffer, const char *name)
{
	if (name == NULL)
		return;
	Assert(buffer->len > 0);
	if (buffer->data[buffer->len - 1] != '{')
		appendStringInfoChar(buffer, ',');
	appendStringInfo(buffer, "\"%s\":", name);
}

void
rsn_ascii_begin_object(StringInfo buffer, const char *name)
{
	append_name(buffer, name);
	appendStringInfoChar(buffer, '{');
}

void
rsn_ascii_end_object(StringInfo buffer)
{
	appendStringInfoChar(buffer, '}');
}

/* Adds a string in the encoding of the database. */
static void
add_string(StringInfo buffer, const char *name, const char *data, int len)
{
	append_name(buffer, name);
	appendStringInfoChar(buffer, '"');
	append_server(buffer, data, len, false);
	appendStringInfoChar(buffer, '"');
}

void
rsn_ascii_add_string(StringInfo buffer, const char *name, const char *value)
{
	add_string(buffer, name, value, strlen(value));
}

void
rsn_ascii_add_text(StringInfo buffer, const char *name, const text *value)
{
	add_string(buffer, name, VARDATA_ANY(value), VARSIZE_ANY_EXHDR(value));
}

void
rsn_ascii_add_int(StringInfo buffer, const char *name, int64 value)
{
	append_name(buffer, name);
	appendStringInfo(buffer, INT64_FORMAT, value);
}

/* Adds a member that is JSON already. */
void
rsn_ascii_add_jsonb(StringInfo buffer, const char *name, Jsonb *value)
{
	char	   *json = JsonbToCString(NULL, &value->root, VARSIZE(value));

	append_name(buffer, name);
	append_server(buffer, json, strlen(json), true);
}

/* The same of text in UTF-8, whatever the encoding of the database. */
void
rsn_ascii_add_json(StringInfo buffer, const char *name, const char *utf8,
				   int len)
{
	append_name(buffer, name);
	append_utf8(buffer, utf8, len, true);
}
