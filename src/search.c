/*-------------------------------------------------------------------------
 *
 * search.c
 *	  Patterns and cursors of searches.
 *
 * A cursor holds the whole request and the position of the last row of its
 * page, in binary with a checksum, as base64.  It is opaque, not secret: what
 * it can ask for, its holder can ask for anyway.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "lib/stringinfo.h"
#include "libpq/pqformat.h"
#include "port/pg_crc32c.h"
#include "utils/builtins.h"

#include "compat.h"
#include "search.h"

#define CURSOR_VERSION	1

/* Checksum, version, group, limit, created_at, and three lengths. */
#define CURSOR_LEN_MIN	(4 + 1 + 1 + 4 + 8 + 3 * 4)

/* A LIKE pattern in which only the asterisks of the pattern are special. */
static char *
like_from_pattern(const text *pattern)
{
	StringInfoData buffer;
	const char *data = VARDATA_ANY(pattern);
	int			len = VARSIZE_ANY_EXHDR(pattern);

	initStringInfo(&buffer);
	for (int i = 0; i < len; i++)
	{
		switch (data[i])
		{
			case '*':
				appendStringInfoChar(&buffer, '%');
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
	wants[RSN_PROMISE_CANCELED] = is_rejected;
	wants[RSN_PROMISE_TIMEDOUT] = is_rejected;
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
	char	   *tags = NULL;
	text	   *result;
	int			len;

	if (request->tags != NULL)
		tags = JsonbToCString(NULL, &request->tags->root,
							  VARSIZE(request->tags));

	initStringInfo(&body);
	pq_sendbyte(&body, CURSOR_VERSION);
	pq_sendbyte(&body, request->group);
	pq_sendint32(&body, request->limit);
	pq_sendint64(&body, last->core.created_at_ms);
	send_bytes(&body, VARDATA_ANY(last->id), VARSIZE_ANY_EXHDR(last->id));
	send_bytes(&body, VARDATA_ANY(request->pattern),
			   VARSIZE_ANY_EXHDR(request->pattern));
	send_bytes(&body, tags == NULL ? "" : tags,
			   tags == NULL ? 0 : strlen(tags));

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
cursor_body(text *cursor)
{
	StringInfoData body;
	int			len = VARSIZE_ANY_EXHDR(cursor);
	char	   *data = palloc(pg_b64_dec_len(len) + 1);
	uint32		expected;

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

static text *
get_text(StringInfo body)
{
	int			len;

	if (body->len - body->cursor < 4)
		invalid_cursor();
	len = (int) pq_getmsgint(body, 4);
	if (len < 0 || len > body->len - body->cursor)
		invalid_cursor();
	return cstring_to_text_with_len(pq_getmsgbytes(body, len), len);
}

/* Reads the request that a cursor continues. */
void
rsn_cursor_decode(text *cursor, RsnSearchRequest *request)
{
	StringInfoData body = cursor_body(cursor);
	text	   *tags;
	int			group;

	memset(request, 0, sizeof(RsnSearchRequest));
	if (pq_getmsgbyte(&body) != CURSOR_VERSION)
		invalid_cursor();
	group = pq_getmsgbyte(&body);
	request->limit = (int) pq_getmsgint(&body, 4);
	if (group > RSN_GROUP_REJECTED || request->limit < 1 ||
		request->limit > RSN_SEARCH_LIMIT_MAX)
		invalid_cursor();
	request->group = (RsnStateGroup) group;
	request->has_position = true;
	request->position_created_at_ms = pq_getmsgint64(&body);
	request->position_id = get_text(&body);
	request->pattern = get_text(&body);
	tags = get_text(&body);
	if (VARSIZE_ANY_EXHDR(tags) > 0)
		request->tags = DatumGetJsonbP(DirectFunctionCall1(jsonb_in,
														   CStringGetDatum(text_to_cstring(tags))));
}
