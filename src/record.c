/*-------------------------------------------------------------------------
 *
 * record.c
 *	  Rows of the result types of the typed functions.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/htup_details.h"
#include "funcapi.h"
#include "mb/pg_wchar.h"
#include "utils/builtins.h"
#include "utils/timestamp.h"

#include "clock.h"
#include "compat.h"
#include "record.h"

/* Columns of resonate.callback_result before those of the promise. */
#define CALLBACK_NCOLUMNS 4

/* Columns of resonate.message. */
#define MESSAGE_NCOLUMNS 10

static void
set_null(Datum *values, bool *nulls, int n)
{
	memset(values, 0, sizeof(Datum) * n);
	memset(nulls, true, sizeof(bool) * n);
}

static void
set_datum(Datum *values, bool *nulls, int i, Datum value)
{
	values[i] = value;
	nulls[i] = false;
}

static void
set_varlena(Datum *values, bool *nulls, int i, const void *value)
{
	if (value != NULL)
		set_datum(values, nulls, i, PointerGetDatum(value));
}

static void
set_time(Datum *values, bool *nulls, int i, int64 ms)
{
	set_datum(values, nulls, i,
			  TimestampTzGetDatum(rsn_timestamptz_from_ms(ms)));
}

/*
 * True when the bytes are UTF-8 JSON.  Ours are, but a row that somebody else
 * wrote must not stop those who only read it.
 */
static bool
is_json(const bytea *data)
{
	char	   *bytes = VARDATA_ANY(data);
	int			len = VARSIZE_ANY_EXHDR(data);

	return pg_verify_mbstr(PG_UTF8, bytes, len, true) &&
		pg_parse_json(rsn_json_lexer(bytes, len), &nullSemAction) ==
		JSON_SUCCESS;
}

/* True when the bytes are JSON that the database's own encoding can hold as it is. */
bool
rsn_data_is_json(const bytea *data)
{
	const char *bytes = VARDATA_ANY(data);

	if (!is_json(data))
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

/* The jsonb that stored bytes of UTF-8 JSON stand for. */
static Datum
json_from_data(const bytea *data)
{
	int			len = VARSIZE_ANY_EXHDR(data);
	char	   *utf8 = palloc(len + 1);
	char	   *json;

	memcpy(utf8, VARDATA_ANY(data), len);
	utf8[len] = '\0';
	json = pg_any_to_server(utf8, len, PG_UTF8);
	return DirectFunctionCall1(jsonb_in, CStringGetDatum(json));
}

/* The raw data, as the wire protocol carries it: base64 of UTF-8 JSON. */
static text *
base64_from_data(const bytea *data)
{
	int			len = VARSIZE_ANY_EXHDR(data);
	int			encoded_len = pg_b64_enc_len(len);
	text	   *result = palloc(VARHDRSZ + encoded_len);

	encoded_len = rsn_b64_encode(VARDATA_ANY(data), len, VARDATA(result),
								 encoded_len);
	if (encoded_len < 0)
		elog(ERROR, "could not encode %d bytes as base64", len);
	SET_VARSIZE(result, VARHDRSZ + encoded_len);
	return result;
}

/* Headers that are absent show as an empty object. */
static Datum
headers_or_empty(const Jsonb *headers)
{
	if (headers != NULL)
		return PointerGetDatum(headers);
	return DirectFunctionCall1(jsonb_in, CStringGetDatum("{}"));
}

static void
set_data(Datum *values, bool *nulls, int i, const bytea *data)
{
	if (data != NULL && is_json(data))
		set_datum(values, nulls, i, json_from_data(data));
}

static void
set_raw_data(Datum *values, bool *nulls, int i, const bytea *data)
{
	if (data != NULL)
		set_varlena(values, nulls, i, base64_from_data(data));
}

/* The value columns, which stay NULL while the promise is pending. */
static void
set_value(Datum *values, bool *nulls, int i, const RsnPromiseRow *row)
{
	if (row->core.state == RSN_PROMISE_PENDING)
		return;
	set_data(values, nulls, i, row->value_data);
	set_datum(values, nulls, i + 1, headers_or_empty(row->value_headers));
	set_raw_data(values, nulls, i + 2, row->value_data);
}

/* The columns that all result types have for a promise. */
static void
set_promise(Datum *values, bool *nulls, const RsnPromiseRow *row)
{
	const RsnPromise *core = &row->core;

	set_varlena(values, nulls, 0, row->id);
	set_datum(values, nulls, 1,
			  CStringGetTextDatum(rsn_promise_state_name(core->state)));
	set_value(values, nulls, 2, row);
	set_data(values, nulls, 5, row->param_data);
	set_datum(values, nulls, 6, headers_or_empty(row->param_headers));
	set_raw_data(values, nulls, 7, row->param_data);
	set_varlena(values, nulls, 8, row->tags);
	set_varlena(values, nulls, 9, row->key_for_create);
	set_varlena(values, nulls, 10, row->key_for_complete);
	set_time(values, nulls, 11, core->timeout_at_ms);
	set_time(values, nulls, 12, core->created_at_ms);
	if (core->state != RSN_PROMISE_PENDING)
		set_time(values, nulls, 13, core->settled_at_ms);
}

/* A row of the function's own result type, looked up once for each query. */
Datum
rsn_record_form(FunctionCallInfo fcinfo, Datum *values, bool *nulls)
{
	TupleDesc	desc = fcinfo->flinfo->fn_extra;

	if (desc == NULL)
	{
		MemoryContext old = MemoryContextSwitchTo(fcinfo->flinfo->fn_mcxt);

		if (get_call_result_type(fcinfo, NULL, &desc) != TYPEFUNC_COMPOSITE)
			elog(ERROR, "function %u does not return a composite type",
				 fcinfo->flinfo->fn_oid);
		desc = BlessTupleDesc(desc);
		fcinfo->flinfo->fn_extra = desc;
		MemoryContextSwitchTo(old);
	}
	return HeapTupleGetDatum(heap_form_tuple(desc, values, nulls));
}

static void
set_outcome(Datum *values, bool *nulls, const RsnOutcome *outcome)
{
	set_null(values, nulls, 1 + RSN_PROMISE_NCOLUMNS);
	set_datum(values, nulls, 0, Int32GetDatum(outcome->status));
	set_varlena(values, nulls, 1, outcome->id);
	if (outcome->promise != NULL)
		set_promise(values + 1, nulls + 1, outcome->promise);
}

/* A resonate.promise_result. */
Datum
rsn_record_promise(FunctionCallInfo fcinfo, const RsnOutcome *outcome)
{
	Datum		values[1 + RSN_PROMISE_NCOLUMNS];
	bool		nulls[1 + RSN_PROMISE_NCOLUMNS];

	set_outcome(values, nulls, outcome);
	return rsn_record_form(fcinfo, values, nulls);
}

/* A resonate.callback_result. */
Datum
rsn_record_callback(FunctionCallInfo fcinfo, const RsnOutcome *outcome)
{
	Datum		values[CALLBACK_NCOLUMNS + RSN_PROMISE_NCOLUMNS];
	bool		nulls[CALLBACK_NCOLUMNS + RSN_PROMISE_NCOLUMNS];
	const RsnCallbackRow *callback = outcome->callback;

	set_null(values, nulls, lengthof(values));
	set_datum(values, nulls, 0, Int32GetDatum(outcome->status));
	if (callback != NULL)
	{
		set_varlena(values, nulls, 1, callback->callback_id);
		set_varlena(values, nulls, 2, callback->address);
		set_time(values, nulls, 3, callback->created_at_ms);
	}
	set_varlena(values, nulls, CALLBACK_NCOLUMNS, outcome->id);
	if (outcome->promise != NULL)
		set_promise(values + CALLBACK_NCOLUMNS, nulls + CALLBACK_NCOLUMNS,
					outcome->promise);
	return rsn_record_form(fcinfo, values, nulls);
}

/* A set of resonate.promise_result, in the order of the outcomes. */
void
rsn_put_outcomes(FunctionCallInfo fcinfo, const RsnOutcome *outcomes, int n)
{
	ReturnSetInfo *result = (ReturnSetInfo *) fcinfo->resultinfo;
	MemoryContext scratch = AllocSetContextCreate(CurrentMemoryContext,
												  "resonate result row",
												  ALLOCSET_DEFAULT_SIZES);
	MemoryContext old = MemoryContextSwitchTo(scratch);

	for (int i = 0; i < n; i++)
	{
		Datum		values[1 + RSN_PROMISE_NCOLUMNS];
		bool		nulls[1 + RSN_PROMISE_NCOLUMNS];

		set_outcome(values, nulls, &outcomes[i]);
		tuplestore_putvalues(result->setResult, result->setDesc, values,
							 nulls);
		MemoryContextReset(scratch);
	}
	MemoryContextSwitchTo(old);
	MemoryContextDelete(scratch);
}

/* A set of resonate.search_result; cursor, if any, goes into the last row. */
void
rsn_put_found(FunctionCallInfo fcinfo, const RsnPromiseRow *rows, int n,
			  text *cursor)
{
	ReturnSetInfo *result = (ReturnSetInfo *) fcinfo->resultinfo;

	for (int i = 0; i < n; i++)
	{
		Datum		values[1 + RSN_PROMISE_NCOLUMNS];
		bool		nulls[1 + RSN_PROMISE_NCOLUMNS];

		set_null(values, nulls, lengthof(values));
		if (i == n - 1)
			set_varlena(values, nulls, 0, cursor);
		set_promise(values + 1, nulls + 1, &rows[i]);
		tuplestore_putvalues(result->setResult, result->setDesc, values,
							 nulls);
	}
}

/* A set of resonate.message. */
void
rsn_put_messages(FunctionCallInfo fcinfo, const RsnMessageRow *rows, int n)
{
	ReturnSetInfo *result = (ReturnSetInfo *) fcinfo->resultinfo;

	for (int i = 0; i < n; i++)
	{
		const RsnMessageRow *row = &rows[i];
		Datum		values[MESSAGE_NCOLUMNS];
		bool		nulls[MESSAGE_NCOLUMNS];

		set_null(values, nulls, lengthof(values));
		set_varlena(values, nulls, 0, row->promise_id);
		set_varlena(values, nulls, 1, row->callback_id);
		set_varlena(values, nulls, 2, row->address);
		set_datum(values, nulls, 3, Int32GetDatum(row->attempt));
		set_time(values, nulls, 4, row->due_at_ms);
		if (row->has_promise)
		{
			const RsnPromise *core = &row->promise.core;

			set_datum(values, nulls, 5,
					  CStringGetTextDatum(rsn_promise_state_name(core->state)));
			set_value(values, nulls, 6, &row->promise);
			set_time(values, nulls, 9, core->settled_at_ms);
		}
		tuplestore_putvalues(result->setResult, result->setDesc, values,
							 nulls);
	}
}
