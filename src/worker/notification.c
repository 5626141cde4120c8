/*-------------------------------------------------------------------------
 *
 * worker/notification.c
 *	  What a NOTIFY of the worker says.
 *
 * It is JSON in ASCII: the server converts a notification to the encoding of each
 * client that listens, and a character which that lacks ends the connection of
 * the client.  A channel may be outside of ASCII, but only whoever listens to it
 * is sent its name, and has sent that himself.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "catalog/namespace.h"
#include "lib/stringinfo.h"
#include "mb/pg_wchar.h"
#include "utils/builtins.h"

#include "store/payload.h"
#include "worker/notification.h"

/* NOTIFY refuses a payload of this many bytes (async.c). */
#define PAYLOAD_MAX 8000

/* What stands for bytes that are no character. */
#define REPLACEMENT 0xFFFD

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
	else if ((unsigned char) c < ' ')
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

/* Adds a member that is a text. */
static void
append_text(StringInfo buffer, const char *name, const text *value)
{
	appendStringInfo(buffer, "\"%s\":\"", name);
	append_server(buffer, VARDATA_ANY(value), VARSIZE_ANY_EXHDR(value), false);
	appendStringInfoChar(buffer, '"');
}

/* Adds a value, as far as a client can read it and it may fit. */
static void
append_value(StringInfo buffer, const RsnPayload *value)
{
	if (value->data != NULL && rsn_stored_size(value->data) < PAYLOAD_MAX)
	{
		bytea	   *data = PG_DETOAST_DATUM_PACKED(PointerGetDatum(value->data));
		int			len = VARSIZE_ANY_EXHDR(data);

		if (rsn_data_is_typed(VARDATA_ANY(data), len))
		{
			appendStringInfoString(buffer, ",\"value\":");
			append_utf8(buffer, VARDATA_ANY(data), len, true);
		}
	}
	if (value->headers != NULL &&
		rsn_stored_size(value->headers) < PAYLOAD_MAX)
	{
		Jsonb	   *headers = rsn_stored_jsonb(value->headers);
		char	   *json = JsonbToCString(NULL, &headers->root,
										  VARSIZE(headers));

		appendStringInfoString(buffer, ",\"value_headers\":");
		append_server(buffer, json, strlen(json), true);
	}
}

/*
 * What a listener gets: which promise, which callback, and how it ended.  The
 * limits on ids keep this below the limit of NOTIFY: a byte of theirs takes six at
 * most.  The record is NULL, or adds its value where that fits.  NULL for what is
 * too long all the same.
 */
char *
rsn_notification_unblock(const RsnMessageRow *message,
						 const RsnPromiseRow *record)
{
	StringInfoData buffer;
	RsnPromiseState state = record != NULL ? record->core.state
	: message->promise.core.state;

	initStringInfo(&buffer);
	appendStringInfoString(&buffer, "{\"kind\":\"unblock\",");
	append_text(&buffer, "callback", message->callback_id);
	appendStringInfoString(&buffer, ",\"promise\":{");
	append_text(&buffer, "id", message->promise_id);
	appendStringInfo(&buffer, ",\"state\":\"%s\"",
					 rsn_promise_state_name(state));
	if (record != NULL)
		append_value(&buffer, &record->value);
	appendStringInfoString(&buffer, "}}");
	if (buffer.len < PAYLOAD_MAX)
		return buffer.data;
	pfree(buffer.data);
	return record != NULL ? rsn_notification_unblock(message, NULL) : NULL;
}

/* What the target of a task gets; NULL when it is too long. */
char *
rsn_notification_execute(const RsnTaskRow *task)
{
	StringInfoData buffer;

	initStringInfo(&buffer);
	appendStringInfoString(&buffer, "{\"kind\":\"execute\",\"task\":{");
	append_text(&buffer, "id", task->id);
	appendStringInfo(&buffer, ",\"version\":%d}}", task->core.version);
	return buffer.len < PAYLOAD_MAX ? buffer.data : NULL;
}
