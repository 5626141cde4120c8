/*-------------------------------------------------------------------------
 *
 * store/payload.c
 *	  Params and values in the forms of the two public surfaces.
 *
 * The typed functions take and show JSON.  The wire protocol carries an opaque
 * string, into which the SDKs put base64 of UTF-8 JSON.  What is stored are the
 * bytes that the base64 stands for, a quarter less, and the same for both.  A
 * string that would not come back unchanged from that is stored as it is.
 *
 * Any string can come through the wire protocol.  One that is not JSON, or JSON
 * that jsonb or the encoding of the database cannot hold, is no typed value; to
 * find that out raises no error, because a page or a queue can have
 * the strings of others.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/detoast.h"
#include "catalog/namespace.h"
#include "mb/pg_wchar.h"
#include "miscadmin.h"
#include "utils/builtins.h"
#include "utils/datum.h"
#include "utils/memutils.h"

#include "core/json.h"
#include "server/compat.h"
#include "server/guc.h"
#include "store/payload.h"
#include "store/sizes.h"

/* From this size on what is needed in between is freed at once. */
#define LARGE_SIZE	(64 * 1024)

/* What a record of the wire protocol has beside what is counted, or less. */
#define RECORD_OVERHEAD	512

/* The stack that jsonb_in() needs for a level: three times what was seen. */
#define STACK_PER_LEVEL	512

/* How large what is stored will be when it is taken out of the table. */
Size
rsn_stored_size(const struct varlena *stored)
{
	return stored == NULL ? 0 : toast_raw_datum_size(PointerGetDatum(stored));
}

/* The jsonb that is stored, ready to be looked into; NULL for none. */
Jsonb *
rsn_stored_jsonb(struct varlena *stored)
{
	return stored == NULL ? NULL : DatumGetJsonbP(PointerGetDatum(stored));
}

/*
 * About what a param or value takes in a record of the wire protocol, where data
 * is base64.  The typed functions show the JSON as well.
 */
Size
rsn_payload_size(const RsnPayload *payload)
{
	return rsn_stored_size(payload->headers) +
		rsn_stored_size(payload->data) / 3 * 4 +
		rsn_stored_size(payload->text);
}

/* The same of a promise. */
Size
rsn_promise_size(const RsnPromiseRow *row)
{
	return RECORD_OVERHEAD + VARSIZE_ANY(row->id) +
		rsn_stored_size(row->tags) + rsn_payload_size(&row->param) +
		rsn_payload_size(&row->value);
}

/* What a page has so far. */
typedef struct FilledPage
{
	Size		nbytes;
	int			n;
} FilledPage;

/* Adds a row to the page; false for one that is left for the next. */
static bool
add_to_page(FilledPage *page, Size size)
{
	page->nbytes += size;
	if (page->n > 0 && page->nbytes > (Size) rsn_guc_page_bytes)
		return false;
	page->n++;
	return true;
}

/* How many of these promises a page has room for: at least one. */
int
rsn_promises_that_fit(const RsnPromiseRow *rows, int n)
{
	FilledPage	page = {0};

	while (page.n < n && add_to_page(&page, rsn_promise_size(&rows[page.n])))
		;
	return page.n;
}

/* The same of messages. */
int
rsn_messages_that_fit(const RsnMessageRow *rows, int n)
{
	FilledPage	page = {0};

	while (page.n < n &&
		   add_to_page(&page, rows[page.n].has_promise
					   ? rsn_promise_size(&rows[page.n].promise)
					   : RECORD_OVERHEAD))
		;
	return page.n;
}

/* The same of schedules. */
int
rsn_schedules_that_fit(const RsnScheduleRow *rows, int n)
{
	FilledPage	page = {0};

	while (page.n < n &&
		   add_to_page(&page, RECORD_OVERHEAD +
					   rsn_stored_size(rows[page.n].promise_tags) +
					   rsn_payload_size(&rows[page.n].param)))
		;
	return page.n;
}

/* True when there is room on the stack for so many levels of nesting. */
static bool
has_stack_for(int depth)
{
	volatile char frame[STACK_PER_LEVEL];
	bool		result;

	frame[0] = 0;
	if (stack_is_too_deep())
		return false;
	result = depth <= 0 || has_stack_for(depth - 1);
	return result && frame[0] == 0;
}

/*
 * True for bytes that the typed functions show as jsonb, and for jsonb which they
 * would take.
 */
bool
rsn_data_is_typed(const char *utf8, int len)
{
	RsnJsonShape shape;

	return pg_verify_mbstr(PG_UTF8, utf8, len, true) &&
		rsn_json_read(utf8, len, &shape) &&
		shape.text_len <= RSN_DATA_MAX && shape.jsonb_len <= RSN_DATA_MAX &&
		has_stack_for(shape.depth);
}

/* The text in the encoding of the database, or NULL if that lacks a character. */
static char *
to_server(char *utf8, int len)
{
	int			encoding = GetDatabaseEncoding();
	Oid			conversion;
	Size		size;
	char	   *result;

	if (encoding == PG_UTF8 || encoding == PG_SQL_ASCII)
		return utf8;
	conversion = FindDefaultConversionProc(PG_UTF8, encoding);
	if (!OidIsValid(conversion))
		return NULL;
	size = (Size) len * MAX_CONVERSION_GROWTH + 1;
	result = palloc(size);
	if (pg_do_encoding_conversion_buf(conversion, PG_UTF8, encoding,
									  (unsigned char *) utf8, len,
									  (unsigned char *) result, size,
									  true) < len)
		return NULL;
	return result;
}

/* The jsonb that stored bytes of UTF-8 JSON stand for, or NULL. */
static Jsonb *
json_from_data(struct varlena *stored)
{
	bytea	   *data = PG_DETOAST_DATUM_PACKED(PointerGetDatum(stored));
	int			len = VARSIZE_ANY_EXHDR(data);
	char	   *utf8;
	char	   *json;

	if (!rsn_data_is_typed(VARDATA_ANY(data), len))
		return NULL;
	utf8 = pnstrdup(VARDATA_ANY(data), len);
	if (GetDatabaseEncoding() != PG_UTF8)
	{
		len = rsn_json_unescape(utf8, len);
		utf8[len] = '\0';
	}
	json = to_server(utf8, len);
	if (json == NULL)
		return NULL;
	return DatumGetJsonbP(DirectFunctionCall1(jsonb_in,
											  CStringGetDatum(json)));
}

/* A param or value as the typed functions show it; NULL when it is no jsonb. */
Jsonb *
rsn_payload_json(const RsnPayload *payload)
{
	MemoryContext context;
	MemoryContext old;
	Jsonb	   *json;

	if (payload->json != NULL || payload->data == NULL)
		return payload->json;
	if (rsn_stored_size(payload->data) < LARGE_SIZE)
		return json_from_data(payload->data);

	context = AllocSetContextCreate(CurrentMemoryContext, "resonate payload",
									ALLOCSET_DEFAULT_SIZES);
	old = MemoryContextSwitchTo(context);
	json = json_from_data(payload->data);
	MemoryContextSwitchTo(old);
	if (json != NULL)
		json = (Jsonb *) PG_DETOAST_DATUM_COPY(PointerGetDatum(json));
	MemoryContextDelete(context);
	return json;
}

static bool
is_same_image(const void *a, const void *b)
{
	if (a == NULL || b == NULL)
		return a == b;
	return a == b ||
		datum_image_eq(PointerGetDatum(a), PointerGetDatum(b), false, -1);
}

/* Headers that are absent are the same as none. */
static bool
is_same_headers(struct varlena *a_stored, struct varlena *b_stored)
{
	Jsonb	   *a = rsn_stored_jsonb(a_stored);
	Jsonb	   *b = rsn_stored_jsonb(b_stored);
	bool		has_a = a != NULL && JB_ROOT_COUNT(a) > 0;
	bool		has_b = b != NULL && JB_ROOT_COUNT(b) > 0;

	if (!has_a || !has_b)
		return has_a == has_b;
	return compareJsonbContainers(&a->root, &b->root) == 0;
}

/* True when both are the same. */
bool
rsn_payload_equals(const RsnPayload *a, const RsnPayload *b)
{
	return is_same_headers(a->headers, b->headers) &&
		is_same_image(a->data, b->data) && is_same_image(a->text, b->text);
}

static text *
encode(const char *bytes, int len)
{
	int			encoded_len = pg_b64_enc_len(len);
	text	   *result = palloc(VARHDRSZ + encoded_len);

	encoded_len = rsn_b64_encode(bytes, len, VARDATA(result), encoded_len);
	if (encoded_len < 0)
		elog(ERROR, "could not encode %d bytes as base64", len);
	SET_VARSIZE(result, VARHDRSZ + encoded_len);
	return result;
}

/* The string as the wire protocol carries it, or NULL. */
text *
rsn_payload_string(const RsnPayload *payload)
{
	bytea	   *data;
	text	   *result;

	Assert(payload->data == NULL || payload->text == NULL);
	if (payload->text !=NULL)
		return DatumGetTextPP(PointerGetDatum(payload->text));
	if (payload->data == NULL)
		return NULL;
	data = PG_DETOAST_DATUM_PACKED(PointerGetDatum(payload->data));
	result = encode(VARDATA_ANY(data), VARSIZE_ANY_EXHDR(data));
	if (data != payload->data)
		pfree(data);
	return result;
}

/* The reverse. */
void
rsn_payload_set_string(RsnPayload *payload, const char *string, int len)
{
	int			decoded_len = pg_b64_dec_len(len);
	bytea	   *data = palloc(VARHDRSZ + decoded_len);
	text	   *again;

	payload->data = NULL;
	payload->text = NULL;
	decoded_len = rsn_b64_decode(string, len, VARDATA(data), decoded_len);
	if (decoded_len >= 0)
	{
		SET_VARSIZE(data, VARHDRSZ + decoded_len);
		again = encode(VARDATA(data), decoded_len);
		if ((int) VARSIZE_ANY_EXHDR(again) == len &&
			memcmp(VARDATA_ANY(again), string, len) == 0)
		{
			payload->data = data;
			return;
		}
	}
	payload->text = cstring_to_text_with_len(string, len);
}
