/*-------------------------------------------------------------------------
 *
 * store/sizes.c
 *	  How large what comes in may be.
 *
 * What can be stored must be readable by every function, or be refused at once.  Nothing
 * here raises an error: the caller says which argument is too large.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "mb/pg_wchar.h"

#include "server/json_write.h"
#include "store/sizes.h"

/*
 * True when all strings in it are UTF-8, which JSON has to be and which only
 * SQL_ASCII does not guarantee.
 */
bool
rsn_jsonb_is_utf8(Jsonb *json)
{
	JsonbIterator *it;
	JsonbIteratorToken token;
	JsonbValue	value;

	if (GetDatabaseEncoding() != PG_SQL_ASCII)
		return true;
	it = JsonbIteratorInit(&json->root);
	while ((token = JsonbIteratorNext(&it, &value, false)) != WJB_DONE)
	{
		if ((token == WJB_KEY || token == WJB_VALUE || token == WJB_ELEM) &&
			value.type == jbvString &&
			!pg_verify_mbstr(PG_UTF8, value.val.string.val,
							 value.val.string.len, true))
			return false;
	}
	return true;
}

/* How long an object of strings is when it is written, NULL being none. */
static Size
written_object_len(Jsonb *object)
{
	JsonbIterator *it;
	JsonbIteratorToken token;
	JsonbValue	value;
	Size		result = 2;

	if (object == NULL)
		return 0;
	it = JsonbIteratorInit(&object->root);
	while ((token = JsonbIteratorNext(&it, &value, true)) != WJB_DONE)
	{
		if (token == WJB_KEY || token == WJB_VALUE)
			result += 4 + rsn_json_written_len(value.val.string.val,
											   value.val.string.len);
	}
	return result;
}

/* How long tags, if any, headers and data are in the wire protocol, as text. */
Size
rsn_written_size(Jsonb *tags, const RsnPayload *payload)
{
	Size		result = written_object_len(tags) +
	written_object_len((Jsonb *) payload->headers);

	if (payload->data != NULL)
		result += ((Size) VARSIZE_ANY_EXHDR(payload->data) + 2) / 3 * 4;
	if (payload->text !=NULL)
		result += rsn_json_written_len(VARDATA_ANY(payload->text),
									   VARSIZE_ANY_EXHDR(payload->text));
	return result;
}
