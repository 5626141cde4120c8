/*-------------------------------------------------------------------------
 *
 * api/record.c
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

#include "api/record.h"
#include "server/clock.h"
#include "server/compat.h"
#include "store/payload.h"

/* Columns of resonate.callback_result before those of the promise. */
#define CALLBACK_NCOLUMNS 4

/* 9999-12-31 00:00 UTC, which is in the year 9999 everywhere. */
#define TIME_SHOWN_MAX_MS INT64CONST(253402214400000)

/* The columns of a row are set one by one; until then they are NULL. */
void
rsn_set_null(Datum *values, bool *nulls, int n)
{
	memset(values, 0, sizeof(Datum) * n);
	memset(nulls, true, sizeof(bool) * n);
}

void
rsn_set_datum(Datum *values, bool *nulls, int i, Datum value)
{
	values[i] = value;
	nulls[i] = false;
}

/* A column that is NULL when the pointer is. */
void
rsn_set_varlena(Datum *values, bool *nulls, int i, const void *value)
{
	if (value != NULL)
		rsn_set_datum(values, nulls, i, PointerGetDatum(value));
}

/*
 * An instant, as a timestamptz.  What the client libraries of most languages cannot
 * read, which is infinity and what is beyond the year 9999, is NULL: they fail on
 * the whole page for it.
 */
void
rsn_set_time(Datum *values, bool *nulls, int i, int64 ms)
{
	if (ms > TIME_SHOWN_MAX_MS)
		return;
	rsn_set_datum(values, nulls, i,
				  TimestampTzGetDatum(rsn_timestamptz_from_ms(ms)));
}

/*
 * A length of time, as an interval.  What the microseconds of one cannot hold is
 * NULL, as an instant is that lies so far ahead.
 */
void
rsn_set_interval(Datum *values, bool *nulls, int i, int64 ms)
{
	Interval   *interval;

	if (ms > PG_INT64_MAX / 1000)
		return;
	interval = palloc0(sizeof(Interval));
	interval->time = ms * 1000;
	rsn_set_datum(values, nulls, i, PointerGetDatum(interval));
}

/* Headers that are absent show as an empty object. */
static const Jsonb *
headers_or_empty(const Jsonb *headers)
{
	static const JsonbContainer empty = {JB_FOBJECT};
	static Jsonb empty_object;

	if (headers != NULL)
		return headers;
	SET_VARSIZE(&empty_object, VARHDRSZ + sizeof(empty));
	empty_object.root = empty;
	return &empty_object;
}

/* The three columns of a param or value. */
void
rsn_set_payload(Datum *values, bool *nulls, int i, const RsnPayload *payload)
{
	rsn_set_varlena(values, nulls, i, rsn_payload_json(payload));
	rsn_set_varlena(values, nulls, i + 1,
					headers_or_empty(rsn_stored_jsonb(payload->headers)));
	rsn_set_varlena(values, nulls, i + 2, rsn_payload_string(payload));
}

/* The value columns, which stay NULL while the promise is pending. */
static void
set_value(Datum *values, bool *nulls, int i, const RsnPromiseRow *row)
{
	if (row->core.state == RSN_PROMISE_PENDING)
		return;
	rsn_set_payload(values, nulls, i, &row->value);
}

/* The columns that all result types have for a promise. */
void
rsn_set_promise(Datum *values, bool *nulls, const RsnPromiseRow *row)
{
	const RsnPromise *core = &row->core;

	rsn_set_varlena(values, nulls, 0, row->id);
	rsn_set_datum(values, nulls, 1,
				  CStringGetTextDatum(rsn_promise_state_name(core->state)));
	set_value(values, nulls, 2, row);
	rsn_set_payload(values, nulls, 5, &row->param);
	rsn_set_varlena(values, nulls, 8, rsn_stored_jsonb(row->tags));
	rsn_set_varlena(values, nulls, 9, row->key_for_create);
	rsn_set_varlena(values, nulls, 10, row->key_for_complete);
	rsn_set_time(values, nulls, 11, core->timeout_at_ms);
	rsn_set_time(values, nulls, 12, core->created_at_ms);
	if (core->state != RSN_PROMISE_PENDING)
		rsn_set_time(values, nulls, 13, core->settled_at_ms);
	rsn_set_datum(values, nulls, 14, Int64GetDatum(core->timeout_at_ms));
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
	rsn_set_null(values, nulls, 1 + RSN_PROMISE_NCOLUMNS);
	rsn_set_datum(values, nulls, 0, Int32GetDatum(outcome->status));
	rsn_set_varlena(values, nulls, 1, outcome->id);
	if (outcome->promise != NULL)
		rsn_set_promise(values + 1, nulls + 1, outcome->promise);
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

	rsn_set_null(values, nulls, lengthof(values));
	rsn_set_datum(values, nulls, 0, Int32GetDatum(outcome->status));
	if (callback != NULL)
	{
		rsn_set_varlena(values, nulls, 1, callback->callback_id);
		rsn_set_varlena(values, nulls, 2, callback->address);
		rsn_set_time(values, nulls, 3, callback->created_at_ms);
	}
	rsn_set_varlena(values, nulls, CALLBACK_NCOLUMNS, outcome->id);
	if (outcome->promise != NULL)
		rsn_set_promise(values + CALLBACK_NCOLUMNS, nulls + CALLBACK_NCOLUMNS,
						outcome->promise);
	return rsn_record_form(fcinfo, values, nulls);
}

/*
 * Puts rows into the result of a function, each in memory of its own, because any
 * number of them can be large.  A cursor, if any, goes into the first column of the
 * last row.
 */
void
rsn_put_page(FunctionCallInfo fcinfo, int n, text *cursor, RsnSetRow set_row,
			 const void *arg)
{
	ReturnSetInfo *result = (ReturnSetInfo *) fcinfo->resultinfo;
	MemoryContext scratch = AllocSetContextCreate(CurrentMemoryContext,
												  "resonate result row",
												  ALLOCSET_DEFAULT_SIZES);
	MemoryContext old = MemoryContextSwitchTo(scratch);

	for (int i = 0; i < n; i++)
	{
		int			ncolumns = result->setDesc->natts;
		Datum	   *values = palloc(sizeof(Datum) * ncolumns);
		bool	   *nulls = palloc(sizeof(bool) * ncolumns);

		rsn_set_null(values, nulls, ncolumns);
		set_row(values, nulls, i, arg);
		if (cursor != NULL && i == n - 1)
			rsn_set_varlena(values, nulls, 0, cursor);
		tuplestore_putvalues(result->setResult, result->setDesc, values,
							 nulls);
		MemoryContextReset(scratch);
	}
	MemoryContextSwitchTo(old);
	MemoryContextDelete(scratch);
}

/* The same without a cursor. */
void
rsn_put_rows(FunctionCallInfo fcinfo, int n, RsnSetRow set_row,
			 const void *arg)
{
	rsn_put_page(fcinfo, n, NULL, set_row, arg);
}

static void
set_outcome_of(Datum *values, bool *nulls, int i, const void *arg)
{
	set_outcome(values, nulls, &((const RsnOutcome *) arg)[i]);
}

/* A set of resonate.promise_result, in the order of the outcomes. */
void
rsn_put_outcomes(FunctionCallInfo fcinfo, const RsnOutcome *outcomes, int n)
{
	rsn_put_rows(fcinfo, n, set_outcome_of, outcomes);
}

static void
set_found(Datum *values, bool *nulls, int i, const void *arg)
{
	rsn_set_promise(values + 1, nulls + 1, &((const RsnPromiseRow *) arg)[i]);
}

/* A set of resonate.search_result; cursor, if any, goes into the last row. */
void
rsn_put_found(FunctionCallInfo fcinfo, const RsnPromiseRow *rows, int n,
			  text *cursor)
{
	rsn_put_page(fcinfo, n, cursor, set_found, rows);
}

static void
set_message(Datum *values, bool *nulls, int i, const void *arg)
{
	const RsnMessageRow *row = &((const RsnMessageRow *) arg)[i];
	const RsnPromise *core = &row->promise.core;

	rsn_set_datum(values, nulls, 0,
				  CStringGetTextDatum(row->kind == RSN_CALLBACK_LISTENER
									  ? "listener" : "callback"));
	rsn_set_varlena(values, nulls, 1, row->promise_id);
	rsn_set_varlena(values, nulls, 2, row->callback_id);
	rsn_set_varlena(values, nulls, 3, row->address);
	rsn_set_datum(values, nulls, 4, Int32GetDatum(row->attempt));
	rsn_set_time(values, nulls, 5, row->due_at_ms);
	if (!row->has_promise)
		return;
	rsn_set_datum(values, nulls, 6,
				  CStringGetTextDatum(rsn_promise_state_name(core->state)));
	set_value(values, nulls, 7, &row->promise);
	rsn_set_time(values, nulls, 10, core->settled_at_ms);
}

/* A set of resonate.message. */
void
rsn_put_messages(FunctionCallInfo fcinfo, const RsnMessageRow *rows, int n)
{
	rsn_put_rows(fcinfo, n, set_message, rows);
}
