/*-------------------------------------------------------------------------
 *
 * store_promise.c
 *	  The statements on promises.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "utils/array.h"
#include "utils/builtins.h"

#include "clock.h"
#include "store_plan.h"

/* The columns of many rows, one array each, for a set-wise statement. */
typedef struct ColumnBuilder
{
	Datum	   *values;
	bool	   *nulls;
	int			n;
} ColumnBuilder;

/* Promises are checked before every store as well as after every load. */
static void
check_row(const RsnPromiseRow *row)
{
	const char *violated = rsn_promise_check(&row->core);

	if ((row->task_version >= 0) !=
		(row->core.is_targeted && row->core.state != RSN_PROMISE_PENDING))
		violated = "task_version_iff_fulfilled";
	if (violated != NULL)
		ereport(ERROR,
				(errcode(ERRCODE_INTERNAL_ERROR),
				 errmsg("cannot store promise \"%s\": it would violate invariant \"%s\"",
						text_to_cstring(row->id), violated)));
}

static text *
state_text(RsnPromiseState state)
{
	return cstring_to_text(rsn_promise_state_name(state));
}

/* The version that a task has ended with; NULL for who has none. */
static void
add_task_version(RsnArgs *args, const RsnPromiseRow *row)
{
	rsn_args_add(args, Int32GetDatum(row->task_version));
	if (row->task_version < 0)
		args->nulls[args->n - 1] = 'n';
}

static void
add_settled_at(RsnArgs *args, const RsnPromise *core)
{
	rsn_args_add(args, Int64GetDatum(core->settled_at_ms));
	if (core->state == RSN_PROMISE_PENDING)
		args->nulls[args->n - 1] = 'n';
}

/* Inserts a new promise; false when the id exists already. */
bool
rsn_store_insert_promise(const RsnPromiseRow *row)
{
	RsnArgs		args = {0};
	const RsnPromise *core = &row->core;

	check_row(row);
	rsn_args_add(&args, Int64GetDatum(core->created_at_ms));
	rsn_args_add(&args, Int64GetDatum(core->timeout_at_ms));
	add_settled_at(&args, core);
	rsn_args_add_text(&args, state_text(core->state));
	rsn_args_add(&args, BoolGetDatum(core->is_timer));
	rsn_args_add(&args, BoolGetDatum(core->is_external));
	rsn_args_add(&args, BoolGetDatum(core->is_targeted));
	add_task_version(&args, row);
	rsn_args_add_text(&args, row->id);
	rsn_args_add_text(&args, row->key_for_create);
	rsn_args_add_varlena(&args, row->tags);
	rsn_args_add_payload(&args, &row->param);
	return rsn_store_exec(RSN_QUERY_INSERT_PROMISE, &args) == 1;
}

static void
column_init(ColumnBuilder *column, int n)
{
	column->values = palloc_extended(sizeof(Datum) * n, MCXT_ALLOC_HUGE);
	column->nulls = palloc(sizeof(bool) * n);
	column->n = 0;
}

static void
column_add(ColumnBuilder *column, Datum value, bool is_null)
{
	column->values[column->n] = value;
	column->nulls[column->n] = is_null;
	column->n++;
}

static void
column_add_varlena(ColumnBuilder *column, void *value)
{
	column_add(column, PointerGetDatum(value), value == NULL);
}

/* Adds the column as an argument; the element is a varlena unless said so. */
static void
args_add_column(RsnArgs *args, ColumnBuilder *column, Oid type)
{
	int			lower = 1;
	int16		length = -1;
	bool		by_value = false;
	char		align = TYPALIGN_INT;

	if (type == INT8OID)
	{
		length = sizeof(int64);
		by_value = FLOAT8PASSBYVAL;
		align = TYPALIGN_DOUBLE;
	}
	else if (type == INT4OID)
	{
		length = sizeof(int32);
		by_value = true;
	}
	else if (type == BOOLOID)
	{
		length = sizeof(bool);
		by_value = true;
		align = TYPALIGN_CHAR;
	}
	rsn_args_add(args, PointerGetDatum(construct_md_array(column->values,
														  column->nulls, 1,
														  &column->n, &lower,
														  type, length,
														  by_value, align)));
}

/* What INSERT_PROMISES takes, column by column. */
enum
{
	INSERT_CREATED_AT, INSERT_TIMEOUT_AT, INSERT_SETTLED_AT, INSERT_STATE,
	INSERT_TIMER, INSERT_EXTERNAL, INSERT_TARGETED, INSERT_TASK_VERSION,
	INSERT_ID, INSERT_KEY, INSERT_TAGS, INSERT_PARAM_HEADERS,
	INSERT_PARAM_DATA, INSERT_PARAM_TEXT, INSERT_NCOLUMNS
};

static const Oid insert_types[INSERT_NCOLUMNS] = {
	INT8OID, INT8OID, INT8OID, TEXTOID, BOOLOID, BOOLOID, BOOLOID, INT4OID,
	TEXTOID, TEXTOID, JSONBOID, JSONBOID, BYTEAOID, TEXTOID
};

static void
add_insert_row(ColumnBuilder *columns, const RsnPromiseRow *row)
{
	const RsnPromise *core = &row->core;

	check_row(row);
	column_add(&columns[INSERT_CREATED_AT],
			   Int64GetDatum(core->created_at_ms), false);
	column_add(&columns[INSERT_TIMEOUT_AT],
			   Int64GetDatum(core->timeout_at_ms), false);
	column_add(&columns[INSERT_SETTLED_AT],
			   Int64GetDatum(core->settled_at_ms),
			   core->state == RSN_PROMISE_PENDING);
	column_add_varlena(&columns[INSERT_STATE], state_text(core->state));
	column_add(&columns[INSERT_TIMER], BoolGetDatum(core->is_timer), false);
	column_add(&columns[INSERT_EXTERNAL], BoolGetDatum(core->is_external),
			   false);
	column_add(&columns[INSERT_TARGETED], BoolGetDatum(core->is_targeted),
			   false);
	column_add(&columns[INSERT_TASK_VERSION],
			   Int32GetDatum(row->task_version), row->task_version < 0);
	column_add_varlena(&columns[INSERT_ID], row->id);
	column_add_varlena(&columns[INSERT_KEY], row->key_for_create);
	column_add_varlena(&columns[INSERT_TAGS], row->tags);
	column_add_varlena(&columns[INSERT_PARAM_HEADERS], row->param.headers);
	column_add_varlena(&columns[INSERT_PARAM_DATA], row->param.data);
	column_add_varlena(&columns[INSERT_PARAM_TEXT], row->param.text);
}

/*
 * Inserts new promises, which must be in byte order of their ids; answers how
 * many, and the ids of those that did not exist before.
 */
int
rsn_store_insert_promises(const RsnPromiseRow *const *rows, int n,
						  text ***inserted)
{
	RsnArgs		args = {0};
	ColumnBuilder columns[INSERT_NCOLUMNS];
	uint64		count;

	for (int i = 0; i < INSERT_NCOLUMNS; i++)
		column_init(&columns[i], n);
	for (int i = 0; i < n; i++)
		add_insert_row(columns, rows[i]);
	for (int i = 0; i < INSERT_NCOLUMNS; i++)
		args_add_column(&args, &columns[i], insert_types[i]);

	count = rsn_store_exec(RSN_QUERY_INSERT_PROMISES, &args);
	return rsn_store_texts_from_result(count, inserted);
}

/* The stored promise, or NULL; locks nothing. */
RsnPromiseRow *
rsn_store_read_promise(text *id)
{
	RsnArgs		args = {0};

	rsn_args_add_text(&args, id);
	return rsn_store_rows_from_result(rsn_store_exec(RSN_QUERY_READ_PROMISE,
													 &args));
}

/*
 * The stored promise, locked FOR NO KEY UPDATE, or NULL.  It is read after any
 * wait for the lock.
 */
RsnPromiseRow *
rsn_store_lock_promise(text *id)
{
	RsnArgs		args = {0};

	rsn_args_add_text(&args, id);
	return rsn_store_rows_from_result(rsn_store_exec(RSN_QUERY_LOCK_PROMISE,
													 &args));
}

/* The stored promises of these ids, in no order; locks nothing. */
int
rsn_store_read_promises(text *const *ids, int n, RsnPromiseRow **rows)
{
	RsnArgs		args = {0};
	uint64		count;

	rsn_args_add_texts(&args, ids, n);
	count = rsn_store_exec(RSN_QUERY_READ_PROMISES, &args);
	*rows = rsn_store_rows_from_result(count);
	return (int) count;
}

/* The same, locked FOR NO KEY UPDATE and answered in byte order. */
int
rsn_store_lock_promises(text *const *ids, int n, RsnPromiseRow **rows)
{
	RsnArgs		args = {0};
	uint64		count;

	rsn_args_add_texts(&args, ids, n);
	count = rsn_store_exec(RSN_QUERY_LOCK_PROMISES, &args);
	*rows = rsn_store_rows_from_result(count);
	return (int) count;
}

/*
 * Locks external or internal promises whose deadline is not after now, earliest
 * first; skips those that others have locked, and those set aside.  Without
 * payload.
 */
int
rsn_store_lock_due_promises(int64 now_ms, int limit, bool is_external,
							text *const *set_aside, int nset_aside,
							RsnPromiseRow **rows)
{
	RsnArgs		args = {0};
	uint64		count;

	rsn_args_add(&args, Int64GetDatum(now_ms));
	rsn_args_add(&args, Int64GetDatum(limit));
	rsn_args_add_texts(&args, set_aside, nset_aside);
	rsn_args_add(&args, BoolGetDatum(is_external));
	count = rsn_store_exec(RSN_QUERY_LOCK_DUE, &args);
	*rows = rsn_store_rows_from_result(count);
	return (int) count;
}

/* The ids of what is due at now; locks nothing. */
int
rsn_store_due_ids(RsnDueKind kind, int64 now_ms, int limit,
				  text *const *set_aside, int nset_aside, text ***ids)
{
	static const RsnQuery queries[] = {
		[RSN_DUE_PROMISES] = RSN_QUERY_DUE_IDS,
		[RSN_DUE_LEASES] = RSN_QUERY_DUE_LEASE_IDS,
		[RSN_DUE_SCHEDULES] = RSN_QUERY_DUE_SCHEDULE_IDS
	};
	RsnArgs		args = {0};
	uint64		count;

	rsn_args_add(&args, Int64GetDatum(now_ms));
	rsn_args_add(&args, Int64GetDatum(limit));
	rsn_args_add_texts(&args, set_aside, nset_aside);
	count = rsn_store_exec(queries[kind], &args);
	return rsn_store_texts_from_result(count, ids);
}

/* Stores the settlement of a promise that is locked and stored as pending. */
void
rsn_store_settle_promise(const RsnPromiseRow *row)
{
	RsnArgs		args = {0};

	check_row(row);
	rsn_args_add_text(&args, row->id);
	rsn_args_add_text(&args, state_text(row->core.state));
	rsn_args_add(&args, Int64GetDatum(row->core.settled_at_ms));
	rsn_args_add_text(&args, row->key_for_complete);
	add_task_version(&args, row);
	rsn_args_add_payload(&args, &row->value);
	if (rsn_store_exec(RSN_QUERY_SETTLE_PROMISE, &args) != 1)
		elog(ERROR, "promise \"%s\" is gone although it was locked",
			 text_to_cstring(row->id));
}

/*
 * True when the tags alone say what the partial index on tags leaves out, so
 * that it cannot serve the search.
 */
static bool
is_default_tags(Jsonb *tags)
{
	Datum		default_tags;

	if (JB_ROOT_COUNT(tags) == 0)
		return true;
	default_tags = DirectFunctionCall1(jsonb_in,
									   CStringGetDatum("{\"resonate:external\": \"true\"}"));
	return compareJsonbContainers(&tags->root,
								  &DatumGetJsonbP(default_tags)->root) == 0;
}

static ArrayType *
wanted_states(const bool *wants)
{
	Datum		names[RSN_PROMISE_NSTATES];
	int			n = 0;

	for (int i = 0; i < RSN_PROMISE_NSTATES; i++)
	{
		if (wants[i])
			names[n++] = CStringGetTextDatum(rsn_promise_state_name(i));
	}
	return construct_array(names, n, TEXTOID, -1, false, TYPALIGN_INT);
}

/*
 * Promises newest first, as stored: one that has lapsed is found by what it is
 * at now and still reads as pending.
 */
int
rsn_store_search_promises(const RsnSearch *search, RsnPromiseRow **rows)
{
	RsnArgs		args = {0};
	uint64		count;
	bool		is_indexed = search->tags != NULL &&
	!is_default_tags(search->tags);

	rsn_args_add(&args, BoolGetDatum(search->wants[RSN_PROMISE_RESOLVED]));
	rsn_args_add(&args, BoolGetDatum(search->wants[RSN_PROMISE_TIMEDOUT]));
	rsn_args_add(&args, PointerGetDatum(wanted_states(search->wants)));
	rsn_args_add(&args, Int64GetDatum(search->now_ms));
	rsn_args_add(&args, CStringGetTextDatum(search->like_pattern));
	rsn_args_add_varlena(&args, is_indexed ? search->tags : NULL);
	rsn_args_add_varlena(&args, is_indexed ? NULL : search->tags);
	rsn_args_add(&args, Int64GetDatum(search->has_position
									  ? search->position_created_at_ms
									  : RSN_TIME_NEVER));
	rsn_args_add_text(&args, search->has_position ? search->position_id
					  : cstring_to_text(""));
	rsn_args_add(&args, Int64GetDatum(search->limit));

	count = rsn_store_exec(RSN_QUERY_SEARCH, &args);
	*rows = rsn_store_rows_from_result(count);
	return (int) count;
}

/* The earliest armed deadline, or RSN_TIME_NEVER. */
int64
rsn_store_next_deadline(text *const *set_aside, int nset_aside)
{
	RsnArgs		args = {0};

	rsn_args_add_texts(&args, set_aside, nset_aside);
	if (rsn_store_exec(RSN_QUERY_NEXT_DEADLINE, &args) == 0)
		return RSN_TIME_NEVER;
	return rsn_store_get_int64(SPI_tuptable->vals[0], 1, RSN_TIME_NEVER);
}

/* Deletes promises of one settled state; answers how many. */
int
rsn_store_prune_promises(RsnPromiseState state, int64 settled_before_ms,
						 int limit)
{
	RsnArgs		args = {0};

	rsn_args_add_text(&args, state_text(state));
	rsn_args_add(&args, Int64GetDatum(settled_before_ms));
	rsn_args_add(&args, Int64GetDatum(limit));
	return (int) rsn_store_exec(RSN_QUERY_PRUNE, &args);
}

/* Counts rows by stored state, and what is due at now. */
void
rsn_store_count(int64 now_ms, RsnStateCounts *counts)
{
	RsnArgs		args = {0};
	uint64		n = rsn_store_exec(RSN_QUERY_COUNT_STATES, NULL);

	memset(counts, 0, sizeof(RsnStateCounts));
	for (uint64 i = 0; i < n; i++)
	{
		HeapTuple	tuple = SPI_tuptable->vals[i];
		RsnPromiseState state;

		if (rsn_promise_state_from_name(SPI_getvalue(tuple,
													 SPI_tuptable->tupdesc, 1),
										&state))
			counts->states[state] = rsn_store_get_int64(tuple, 2, 0);
	}

	rsn_args_add(&args, Int64GetDatum(now_ms));
	rsn_store_exec(RSN_QUERY_COUNT_REST, &args);
	counts->due = rsn_store_get_int64(SPI_tuptable->vals[0], 1, 0);
	counts->oldest_due_ms = rsn_store_get_int64(SPI_tuptable->vals[0], 2, 0);
	counts->callbacks = rsn_store_get_int64(SPI_tuptable->vals[0], 3, 0);
	counts->messages = rsn_store_get_int64(SPI_tuptable->vals[0], 4, 0);
	counts->schedules = rsn_store_get_int64(SPI_tuptable->vals[0], 5, 0);
	for (int i = 0; i < RSN_TASK_FULFILLED; i++)
		counts->tasks[i] = rsn_store_get_int64(SPI_tuptable->vals[0], 6 + i, 0);
}

/* Promises in order of their ids, as stored; their states are as of now. */
int
rsn_store_search_promises_by_id(const RsnIdSearch *search, int64 now_ms,
								RsnPromiseRow **rows)
{
	RsnArgs		args = {0};
	bool		is_indexed = search->tags != NULL &&
	!is_default_tags(search->tags);
	uint64		count;

	rsn_args_add_text(&args, search->after_id);
	rsn_args_add(&args, Int64GetDatum(now_ms));
	rsn_args_add(&args, PointerGetDatum(wanted_states(search->wants)));
	rsn_args_add_varlena(&args, is_indexed ? search->tags : NULL);
	rsn_args_add_varlena(&args, is_indexed ? NULL : search->tags);
	rsn_args_add(&args, Int64GetDatum(search->limit));
	count = rsn_store_exec(RSN_QUERY_SEARCH_BY_ID, &args);
	*rows = rsn_store_rows_from_result(count);
	return (int) count;
}

/* Deletes a promise that this very transaction has inserted. */
void
rsn_store_delete_promise(text *id)
{
	RsnArgs		args = {0};

	rsn_args_add_text(&args, id);
	if (rsn_store_exec(RSN_QUERY_DELETE_PROMISE, &args) != 1)
		elog(ERROR, "promise \"%s\" is gone although it was just inserted",
			 text_to_cstring(id));
}

/*
 * Promises that have this one tag, but for one of them, in order of their ids;
 * as stored.
 */
int
rsn_store_branch(Jsonb *branch_tag, text *except_id, int limit,
				 RsnPromiseRow **rows)
{
	RsnArgs		args = {0};
	uint64		count;

	rsn_args_add_varlena(&args, branch_tag);
	rsn_args_add_text(&args, except_id);
	rsn_args_add(&args, Int64GetDatum(limit));
	count = rsn_store_exec(RSN_QUERY_BRANCH, &args);
	*rows = rsn_store_rows_from_result(count);
	return (int) count;
}

/* Like rsn_store_lock_promises, but never waits: leaves out what is locked. */
int
rsn_store_try_lock_promises(text *const *ids, int n, RsnPromiseRow **rows)
{
	RsnArgs		args = {0};
	uint64		count;

	rsn_args_add_texts(&args, ids, n);
	count = rsn_store_exec(RSN_QUERY_TRY_LOCK_PROMISES, &args);
	*rows = rsn_store_rows_from_result(count);
	return (int) count;
}
