/*-------------------------------------------------------------------------
 *
 * payload.c
 *	  Params and values in the forms of the two public surfaces.
 *
 * The typed functions take and show JSON.  The wire protocol carries an opaque
 * string, into which the SDKs put base64 of UTF-8 JSON.  What is stored are the
 * bytes that the base64 stands for, a quarter less, and the same for both.  A
 * string that would not come back unchanged from that is stored as it is.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "mb/pg_wchar.h"
#include "utils/builtins.h"

#include "compat.h"
#include "payload.h"

/*
 * True when the bytes are UTF-8 JSON.  Those of the typed functions are; those
 * from the wire protocol can be anything.
 */
bool
rsn_payload_is_json(const bytea *data)
{
	char	   *bytes = VARDATA_ANY(data);
	int			len = VARSIZE_ANY_EXHDR(data);

	return pg_verify_mbstr(PG_UTF8, bytes, len, true) &&
		pg_parse_json(rsn_json_lexer(bytes, len), &nullSemAction) ==
		JSON_SUCCESS;
}

/* True when the bytes are JSON that the database's own encoding can hold as it is. */
bool
rsn_payload_is_server_json(const bytea *data)
{
	const char *bytes = VARDATA_ANY(data);

	if (!rsn_payload_is_json(data))
		return false;
	if (GetDatabaseEncoding() == PG_UTF8)
		return true;
	for (int i = 0; i < (int) VARSIZE_ANY_EXHDR(data); i++)
	{
		if (IS_HIGHBIT_SET(bytes[i]))
			return false;
	}
	return true;
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
	if (payload->data == NULL)
		return payload->text;
	return encode(VARDATA_ANY(payload->data),
				  VARSIZE_ANY_EXHDR(payload->data));
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
