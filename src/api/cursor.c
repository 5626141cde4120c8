/*-------------------------------------------------------------------------
 *
 * api/cursor.c
 *	  Patterns and cursors of searches.
 *
 * A cursor holds the whole request and the position of the last row of its
 * page, in binary with a checksum, as base64.  It is opaque, neither secret nor
 * signed: what it holds is checked like arguments, so a forged one asks for
 * nothing that a call without it cannot ask for.  A call that has filters of its
 * own besides takes only a cursor of the same ones.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "lib/stringinfo.h"
#include "libpq/pqformat.h"
#include "mb/pg_wchar.h"
#include "port/pg_crc32c.h"
#include "utils/builtins.h"

#include "api/args.h"
#include "api/cursor.h"
#include "server/compat.h"
#include "server/json_write.h"

#define CURSOR_VERSION	2

/* Checksum, version, group, limit, created_at, two lengths, and a count. */
#define CURSOR_LEN_MIN	(4 + 1 + 1 + 4 + 8 + 3 * 4)

/* In base64: as large as tags can be, and the rest. */
#define CURSOR_TEXT_MAX	(2 * RSN_DATA_MAX)

/* The count of tags of a search for any. */
#define ANY_TAGS		(-1)

/*
 * A LIKE pattern in which only the asterisks of the pattern are special.  A
 * backslash before an asterisk or a backslash takes its meaning away; before
 * anything else it stands for itself, and so it does at the end.
 */
static char *
like_from_pattern(const text *pattern)
{
	StringInfoData buffer;
	const char *data = VARDATA_ANY(pattern);
	int			len = VARSIZE_ANY_EXHDR(pattern);

	initStringInfo(&buffer);
	for (int i = 0; i < len; i++)
	{
		bool		is_literal = data[i] == '\\' && i + 1 < len &&
		(data[i + 1] == '*' || data[i + 1] == '\\');

		if (is_literal)
			i++;
		switch (data[i])
		{
			case '*':
				appendStringInfoChar(&buffer, is_literal ? '*' : '%');
				break;
			case '\\':
			case '%':
			case '_':
				appendStringInfoChar(&buffer, '\\');
				appendStringInfoChar(&buffer, data[i]);
				break;
			default:
				appendStringInfoChar(&buffer, data[i]);
				break;
		}
	}
	return buffer.data;
}

static void
set_wanted_states(RsnStateGroup group, bool *wants)
{
	bool		is_all = group == RSN_GROUP_ALL;
	bool		is_rejected = is_all || group == RSN_GROUP_REJECTED;

	wants[RSN_PROMISE_PENDING] = is_all || group == RSN_GROUP_PENDING;
	wants[RSN_PROMISE_RESOLVED] = is_all || group == RSN_GROUP_RESOLVED;
	wants[RSN_PROMISE_REJECTED] = is_rejected;
	wants[RSN_PROMISE_CANCELED] = is_rejected || group == RSN_GROUP_CANCELED;
	wants[RSN_PROMISE_TIMEDOUT] = is_rejected || group == RSN_GROUP_TIMEDOUT;
}

/* What the store has to look for. */
void
rsn_search_prepare(const RsnSearchRequest *request, RsnSearch *search)
{
	memset(search, 0, sizeof(RsnSearch));
	search->like_pattern = like_from_pattern(request->pattern);
	search->tags = request->tags;
	set_wanted_states(request->group, search->wants);
	search->has_position = request->has_position;
	search->position_created_at_ms = request->position_created_at_ms;
	search->position_id = request->position_id;
	search->limit = request->limit;
}

static void
send_bytes(StringInfo buffer, const char *data, int len)
{
	pq_sendint32(buffer, len);
	appendBinaryStringInfo(buffer, data, len);
}

static void
send_text(StringInfo buffer, const text *value)
{
	send_bytes(buffer, VARDATA_ANY(value), VARSIZE_ANY_EXHDR(value));
}

/* How many tags there are, and each key with its value. */
static void
send_tags(StringInfo buffer, Jsonb *tags)
{
	JsonbIterator *it;
	JsonbIteratorToken token;
	JsonbValue	value;

	if (tags == NULL)
	{
		pq_sendint32(buffer, ANY_TAGS);
		return;
	}
	pq_sendint32(buffer, JB_ROOT_COUNT(tags));
	it = JsonbIteratorInit(&tags->root);
	while ((token = JsonbIteratorNext(&it, &value, true)) != WJB_DONE)
	{
		if (token == WJB_KEY || token == WJB_VALUE)
			send_bytes(buffer, value.val.string.val, value.val.string.len);
	}
}

static uint32
checksum(const char *data, int len)
{
	pg_crc32c	crc;

	INIT_CRC32C(crc);
	COMP_CRC32C(crc, data, len);
	FIN_CRC32C(crc);
	return crc;
}

/* The cursor that continues a request after the last row of its page. */
text *
rsn_cursor_encode(const RsnSearchRequest *request, const RsnPromiseRow *last)
{
	StringInfoData body;
	StringInfoData all;
	text	   *result;
	int			len;

	initStringInfo(&body);
	pq_sendbyte(&body, CURSOR_VERSION);
	pq_sendbyte(&body, request->group);
	pq_sendint32(&body, request->limit);
	pq_sendint64(&body, last->core.created_at_ms);
	send_text(&body, last->id);
	send_text(&body, request->pattern);
	send_tags(&body, request->tags);

	initStringInfo(&all);
	pq_sendint32(&all, checksum(body.data, body.len));
	appendBinaryStringInfo(&all, body.data, body.len);

	result = palloc(VARHDRSZ + pg_b64_enc_len(all.len));
	len = rsn_b64_encode(all.data, all.len, VARDATA(result),
						 pg_b64_enc_len(all.len));
	SET_VARSIZE(result, VARHDRSZ + len);
	return result;
}

static void
invalid_cursor(void)
{
	ereport(ERROR,
			(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
			 errmsg("invalid value for argument \"cursor\""),
			 errhint("Use the cursor of the last row of a page, unchanged.")));
}

/* The bytes that a cursor encodes, without their checksum, which must be right. */
static StringInfoData
cursor_body(const text *cursor)
{
	StringInfoData body;
	int			len = VARSIZE_ANY_EXHDR(cursor);
	char	   *data;
	uint32		expected;

	if (len > CURSOR_TEXT_MAX)
		invalid_cursor();
	data = palloc(pg_b64_dec_len(len) + 1);
	len = rsn_b64_decode(VARDATA_ANY(cursor), len, data, pg_b64_dec_len(len));
	if (len < CURSOR_LEN_MIN)
		invalid_cursor();
	memcpy(&expected, data, sizeof(uint32));
	if (pg_ntoh32(expected) != checksum(data + 4, len - 4))
		invalid_cursor();

	body.data = data + 4;
	body.len = len - 4;
	body.maxlen = body.len;
	body.cursor = 0;
	return body;
}

static int
get_int(StringInfo body)
{
	if (body->len - body->cursor < 4)
		invalid_cursor();
	return (int) pq_getmsgint(body, 4);
}

/* Bytes of the cursor that are text in the server encoding. */
static text *
get_text(StringInfo body, int len_min, int len_max)
{
	int			encoding = GetDatabaseEncoding() == PG_SQL_ASCII ? PG_UTF8
	: GetDatabaseEncoding();
	const char *data;
	int			len = get_int(body);

	if (len < len_min || len > len_max || len > body->len - body->cursor)
		invalid_cursor();
	data = pq_getmsgbytes(body, len);
	if (!pg_verify_mbstr(encoding, data, len, true))
		invalid_cursor();
	return cstring_to_text_with_len(data, len);
}

/* What was sent as tags; as many are read as there are bytes for. */
static Jsonb *
get_tags(StringInfo body)
{
	int			n = get_int(body);
	RsnJson		json;

	if (n == ANY_TAGS)
		return NULL;
	if (n < 0)
		invalid_cursor();
	rsn_json_begin_object(&json);
	for (int i = 0; i < n; i++)
	{
		char	   *key = text_to_cstring(get_text(body, 0, RSN_DATA_MAX));

		rsn_json_add_text(&json, key, get_text(body, 0, RSN_DATA_MAX));
	}
	return JsonbValueToJsonb(rsn_json_end_object(&json));
}

/* Reads the request that a cursor continues. */
void
rsn_cursor_decode(const text *cursor, RsnSearchRequest *request)
{
	StringInfoData body = cursor_body(cursor);
	int			group;

	memset(request, 0, sizeof(RsnSearchRequest));
	if (pq_getmsgbyte(&body) != CURSOR_VERSION)
		invalid_cursor();
	group = pq_getmsgbyte(&body);
	request->limit = (int) pq_getmsgint(&body, 4);
	if (group >= RSN_NGROUPS || request->limit < 1 ||
		request->limit > RSN_SEARCH_LIMIT_MAX)
		invalid_cursor();
	request->group = (RsnStateGroup) group;
	request->has_position = true;
	request->position_created_at_ms = pq_getmsgint64(&body);
	request->position_id = get_text(&body, 1, RSN_PROMISE_ID_MAX);
	request->pattern = get_text(&body, 1, RSN_PATTERN_LEN_MAX);
	request->tags = rsn_check_strings(get_tags(&body), "cursor", 0);
	if (body.cursor != body.len)
		invalid_cursor();
}
