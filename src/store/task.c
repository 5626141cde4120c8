/*-------------------------------------------------------------------------
 *
 * store/task.c
 *	  Tasks: their rows, read, locked and written.
 *
 * A task has a row from the birth of its promise, which is targeted, until that settles: a
 * fulfilled task is not stored, but made up by searches.  It is checked before it is stored
 * and after it was read.  Several are locked in byte order of their ids.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/htup_details.h"
#include "utils/builtins.h"

#include "core/address.h"
#include "server/id.h"
#include "store/internal.h"
#include "store/sql.h"

/* True for a column, counted from zero, that a task keeps for as long as it lives. */
bool
rsn_store_is_task_birth_column(int column)
{
	Assert(column >= 0);
	return column == RSN_TASK_COL_ID || column == RSN_TASK_COL_TIMEOUT_AT;
}

/* The id in a row of resonate.tasks. */
text *
rsn_store_task_id(HeapTuple tuple, TupleDesc desc)
{
	bool		is_null;

	return DatumGetTextPP(heap_getattr(tuple, RSN_TASK_COL_ID + 1, desc, &is_null));
}

static const char *
check_task(const RsnTaskRow *row)
{
	if (VARSIZE_ANY_EXHDR(row->address) > RSN_TARGET_LEN_MAX)
		return "address_length";
	if ((row->others_address != NULL) != (row->core.others_at_ms != 0))
		return "others_have_address_and_clock";
	if (row->given_back_by != NULL && row->core.setbacks == 0)
		return "given_back_is_a_setback";
	return rsn_task_check(&row->core);
}

static void
check_row(const RsnTaskRow *row, int sqlstate)
{
	const char *violated = check_task(row);

	if (violated != NULL)
		ereport(ERROR,
				(errcode(sqlstate),
				 errmsg("task \"%s\" violates invariant \"%s\"",
						text_to_cstring(row->id), violated)));
}

/* A fulfilled task is not stored; a search makes it up, without a state. */
static RsnTaskState
get_state(const Datum *values, const bool *nulls)
{
	if (nulls[RSN_TASK_COL_STATE])
		return RSN_TASK_FULFILLED;
	return (RsnTaskState) rsn_enum_index(RSN_ENUM_TASK_STATE,
										 DatumGetObjectId(values[RSN_TASK_COL_STATE]));
}

static int64
get_int64(const Datum *values, const bool *nulls, int column)
{
	return nulls[column] ? 0 : DatumGetInt64(values[column]);
}

/* Reads a task from the columns of its table, without checking it. */
static void
row_from_values(const Datum *values, const bool *nulls,
				const ItemPointerData *tid, RsnTaskRow *row)
{
	RsnTask    *core = &row->core;

	Assert(!nulls[RSN_TASK_COL_ID]);
	row->tid = *tid;
	row->id = rsn_store_keep(values[RSN_TASK_COL_ID], nulls[RSN_TASK_COL_ID]);
	row->address = rsn_store_keep(values[RSN_TASK_COL_ADDRESS], nulls[RSN_TASK_COL_ADDRESS]);
	row->pid = rsn_store_keep(values[RSN_TASK_COL_PID], nulls[RSN_TASK_COL_PID]);
	core->state = get_state(values, nulls);
	core->has_pid = row->pid != NULL;
	core->version = DatumGetInt32(values[RSN_TASK_COL_VERSION]);
	core->resumes = DatumGetInt32(values[RSN_TASK_COL_RESUMES]);
	core->setbacks = DatumGetInt32(values[RSN_TASK_COL_SETBACKS]);
	core->ttl_ms = get_int64(values, nulls, RSN_TASK_COL_TTL);
	core->clock_at_ms = get_int64(values, nulls, RSN_TASK_COL_CLOCK_AT);
	core->timeout_at_ms = DatumGetInt64(values[RSN_TASK_COL_TIMEOUT_AT]);
	core->offers = nulls[RSN_TASK_COL_OFFERS] ? 0 : DatumGetInt32(values[RSN_TASK_COL_OFFERS]);
	core->others_at_ms = get_int64(values, nulls, RSN_TASK_COL_OTHERS_AT);
	row->others_address = rsn_store_keep(values[RSN_TASK_COL_OTHERS_ADDRESS],
										 nulls[RSN_TASK_COL_OTHERS_ADDRESS]);
	row->given_back_by = (ArrayType *)
		rsn_store_keep(values[RSN_TASK_COL_GIVEN_BACK_BY],
					   nulls[RSN_TASK_COL_GIVEN_BACK_BY]);
}

static void
task_from_values(const Datum *values, const bool *nulls,
				 const ItemPointerData *tid, RsnTaskRow *row)
{
	row_from_values(values, nulls, tid, row);
	check_row(row, ERRCODE_DATA_CORRUPTED);
}

/*
 * The name of an invariant that a row of resonate.tasks violates, or NULL.
 */
const char *
rsn_store_check_task_values(const Datum *values, const bool *nulls)
{
	static const ItemPointerData nowhere;
	RsnTaskRow	row;

	row_from_values(values, nulls, &nowhere, &row);
	if (nulls[RSN_TASK_COL_CLOCK_AT] != (row.core.state != RSN_TASK_PENDING &&
										 row.core.state != RSN_TASK_ACQUIRED))
		return "clock_only_while_pending_or_acquired";
	return check_task(&row);
}

/* The tasks of the last statement, in its order; NULL for none. */
RsnTaskRow *
rsn_store_tasks_from_result(uint64 n)
{
	RsnTaskRow *rows = NULL;

	Assert(SPI_tuptable->tupdesc->natts == RSN_TASK_COL_CTID + 1);
	if (n > 0)
		rows = rsn_store_alloc(n * sizeof(RsnTaskRow));
	for (uint64 i = 0; i < n; i++)
	{
		Datum		values[RSN_STORE_MAX_COLUMNS];
		bool		nulls[RSN_STORE_MAX_COLUMNS];

		heap_deform_tuple(SPI_tuptable->vals[i], SPI_tuptable->tupdesc, values,
						  nulls);
		task_from_values(values, nulls,
						 (ItemPointer) DatumGetPointer(values[RSN_TASK_COL_CTID]),
						 &rows[i]);
	}
	return rows;
}

/* What changes in the life of a task. */
static void
set_progress(RsnNewTuple *new, const RsnTaskRow *row)
{
	const RsnTask *core = &row->core;
	Oid			type = rsn_table_column_type(RSN_TABLE_TASKS, RSN_TASK_COL_STATE);

	Assert(core->state != RSN_TASK_FULFILLED);
	rsn_tuple_set(new, RSN_TASK_COL_CLOCK_AT, Int64GetDatum(core->clock_at_ms),
				  core->state != RSN_TASK_PENDING &&
				  core->state != RSN_TASK_ACQUIRED);
	rsn_tuple_set(new, RSN_TASK_COL_TTL, Int64GetDatum(core->ttl_ms),
				  core->state != RSN_TASK_ACQUIRED);
	rsn_tuple_set(new, RSN_TASK_COL_VERSION, Int32GetDatum(core->version), false);
	rsn_tuple_set(new, RSN_TASK_COL_RESUMES, Int32GetDatum(core->resumes), false);
	rsn_tuple_set(new, RSN_TASK_COL_SETBACKS, Int32GetDatum(core->setbacks), false);
	rsn_tuple_set(new, RSN_TASK_COL_STATE,
				  ObjectIdGetDatum(rsn_enum_value(RSN_ENUM_TASK_STATE, type,
												  core->state)),
				  false);
	rsn_tuple_set_varlena(new, RSN_TASK_COL_PID, row->pid);
	rsn_tuple_set(new, RSN_TASK_COL_OFFERS, Int32GetDatum(core->offers),
				  core->offers == 0);
	rsn_tuple_set(new, RSN_TASK_COL_OTHERS_AT, Int64GetDatum(core->others_at_ms),
				  core->others_at_ms == 0);
	rsn_tuple_set_varlena(new, RSN_TASK_COL_OTHERS_ADDRESS, row->others_address);
	rsn_tuple_set_varlena(new, RSN_TASK_COL_GIVEN_BACK_BY, row->given_back_by);
}

/* Inserts the task of a promise that this transaction has inserted. */
void
rsn_store_insert_task(const RsnTaskRow *row)
{
	RsnNewTuple new = {0};

	check_row(row, ERRCODE_INTERNAL_ERROR);
	set_progress(&new, row);
	rsn_tuple_set(&new, RSN_TASK_COL_TIMEOUT_AT,
				  Int64GetDatum(row->core.timeout_at_ms), false);
	rsn_tuple_set_varlena(&new, RSN_TASK_COL_ID, row->id);
	rsn_tuple_set_varlena(&new, RSN_TASK_COL_ADDRESS, row->address);
	(void) rsn_table_insert(RSN_TABLE_TASKS, &new, false);
}

/* What stands in a row that was found by its key or its place. */
void
rsn_store_task_from_tuple(const RsnTuple *tuple, RsnTaskRow *row)
{
	task_from_values(tuple->values, tuple->nulls, tuple->tid, row);
}

static RsnTaskRow *
task_from_found(const RsnTuple *tuple)
{
	RsnTaskRow *row = rsn_store_alloc(sizeof(RsnTaskRow));

	rsn_store_task_from_tuple(tuple, row);
	return row;
}

/* The stored task, or NULL; locks nothing. */
RsnTaskRow *
rsn_store_read_task(text *id)
{
	RsnTuple	tuple;

	if (!rsn_table_find(RSN_TABLE_TASKS, id, &tuple))
		return NULL;
	return task_from_found(&tuple);
}

static RsnTaskRow *
lock_task(text *id, LockTupleMode mode)
{
	RsnTuple	tuple;

	if (!rsn_table_lock(RSN_TABLE_TASKS, id, mode, &tuple))
		return NULL;
	return task_from_found(&tuple);
}

/* The stored task, or NULL, locked FOR NO KEY UPDATE and read after any wait. */
RsnTaskRow *
rsn_store_lock_task(text *id)
{
	return lock_task(id, LockTupleNoKeyExclusive);
}

/* The same FOR SHARE, which only keeps it from being changed. */
RsnTaskRow *
rsn_store_share_task(text *id)
{
	return lock_task(id, LockTupleShare);
}

/* The stored tasks of these ids, locked and returned in byte order. */
int
rsn_store_lock_tasks(text *const *ids, int n, RsnTaskRow **rows)
{
	RsnTuple	tuple;
	text	  **sorted = rsn_store_sort_ids(ids, &n);
	int			count = 0;

	*rows = rsn_store_alloc(sizeof(RsnTaskRow) * Max(n, 1));
	for (int i = 0; i < n; i++)
	{
		Assert(i == 0 || rsn_id_compare(sorted[i - 1], sorted[i]) < 0);
		if (rsn_table_lock(RSN_TABLE_TASKS, sorted[i], LockTupleNoKeyExclusive,
						   &tuple))
			task_from_values(tuple.values, tuple.nulls, tuple.tid,
							 &(*rows)[count++]);
	}
	return count;
}

/*
 * The same without waiting.  Those that somebody else has locked are busy; their ids
 * are returned in byte order as well.
 */
int
rsn_store_try_lock_tasks(text *const *ids, int n, RsnTaskRow **rows,
						 text ***busy, int *nbusy)
{
	RsnTuple	tuple;
	text	  **sorted = rsn_store_sort_ids(ids, &n);
	int			count = 0;

	*rows = rsn_store_alloc(sizeof(RsnTaskRow) * Max(n, 1));
	*busy = rsn_store_alloc(sizeof(text *) * Max(n, 1));
	*nbusy = 0;
	for (int i = 0; i < n; i++)
	{
		Assert(i == 0 || rsn_id_compare(sorted[i - 1], sorted[i]) < 0);
		switch (rsn_table_lock_if_free(RSN_TABLE_TASKS, sorted[i], &tuple))
		{
			case RSN_LOCK_TAKEN:
				task_from_values(tuple.values, tuple.nulls, tuple.tid,
								 &(*rows)[count++]);
				break;
			case RSN_LOCK_BUSY:
				(*busy)[(*nbusy)++] = sorted[i];
				break;
			case RSN_LOCK_NO_ROW:
				break;
		}
	}
	return count;
}

/*
 * All that a settlement of promises touches, and perhaps one more, in one
 * go and in byte order.
 */
static RsnStatement lock_tasks_and_awaiters_stmt = {
	.name = "lock_tasks_and_awaiters",
	.sql = "SELECT " TASK_COLUMNS " FROM resonate.tasks t"
	" WHERE t.id" EQ "ANY (ARRAY(SELECT a.awaiter_id"
	" FROM resonate.awaiters a WHERE a.awaited_id" EQ "ANY ($1))"
	" OPERATOR(pg_catalog.||) $2)"
	" ORDER BY t.id FOR NO KEY UPDATE",
	.spi_result = SPI_OK_SELECT,
	.cursor_options = PLAN_ONCE,
	ARGS(TEXTARRAYOID, TEXTARRAYOID)
};

/*
 * The tasks of these ids and those that await these promises, which are locked.
 * Locked and returned in byte order.
 */
int
rsn_store_lock_tasks_and_awaiters(text *const *ids, int n,
								  text *const *awaited_ids, int nawaited,
								  RsnTaskRow **rows)
{
	RsnArgs		args = {0};
	uint64		count;

	rsn_args_add_texts(&args, awaited_ids, nawaited);
	rsn_args_add_texts(&args, ids, n);
	count = rsn_store_exec(&lock_tasks_and_awaiters_stmt, &args);
	*rows = rsn_store_tasks_from_result(count);
	return (int) count;
}

static RsnStatement lock_tasks_of_pid_stmt = {
	.name = "lock_tasks_of_pid",
	.sql = "SELECT " TASK_COLUMNS " FROM resonate.tasks t"
	" WHERE t.id" EQ "ANY (ARRAY(SELECT h.id FROM resonate.tasks h"
	" WHERE h.state" EQ TASK_STATE("acquired")
	" AND h.clock_at IS NOT NULL AND h.pid" EQ "$1))"
	" AND t.pid" EQ "$1"
	" ORDER BY t.id FOR NO KEY UPDATE",
	.spi_result = SPI_OK_SELECT,
	.cursor_options = PLAN_ONCE,
	ARGS(TEXTOID)
};

/* The tasks that a process holds, locked and returned in byte order. */
int
rsn_store_lock_tasks_of_pid(text *pid, RsnTaskRow **rows)
{
	RsnArgs		args = {0};
	uint64		count;

	rsn_args_add_text(&args, pid);
	count = rsn_store_exec(&lock_tasks_of_pid_stmt, &args);
	*rows = rsn_store_tasks_from_result(count);
	return (int) count;
}

static RsnStatement lock_ended_leases_stmt = {
	.name = "lock_ended_leases",
	.sql = "SELECT " TASK_COLUMNS " FROM resonate.tasks t"
	" WHERE t.state" EQ TASK_STATE("acquired")
	" AND t.clock_at" GE "$4 AND t.clock_at" LE "$1"
	" AND " ALIVE_AT("$1") " AND t.id" NE "ALL ($3)"
	" ORDER BY t.clock_at LIMIT $2 FOR NO KEY UPDATE SKIP LOCKED",
	.spi_result = SPI_OK_SELECT,
	.cursor_options = PLAN_ONCE,
	ARGS(INT8OID, INT8OID, TEXTARRAYOID, INT8OID)
};

/*
 * Locks live tasks whose lease has ended, not before from, the longest ended first; skips those
 * that others have locked, and those set aside.
 */
int
rsn_store_lock_ended_leases(int64 from_ms, int64 now_ms, int limit,
							text *const *set_aside, int nset_aside,
							RsnTaskRow **rows)
{
	RsnArgs		args = {0};
	uint64		count;

	rsn_args_add_due(&args, now_ms, limit, set_aside, nset_aside);
	rsn_args_add(&args, Int64GetDatum(from_ms));
	count = rsn_store_exec(&lock_ended_leases_stmt, &args);
	*rows = rsn_store_tasks_from_result(count);
	return (int) count;
}

/* Stores what has become of a locked task. */
void
rsn_store_update_task(RsnTaskRow *row)
{
	RsnNewTuple new = {0};

	Assert(ItemPointerIsValid(&row->tid));
	check_row(row, ERRCODE_INTERNAL_ERROR);
	set_progress(&new, row);
	rsn_table_update(RSN_TABLE_TASKS, &row->tid, &new);
}

/* Deletes a locked task, which is fulfilled. */
void
rsn_store_delete_task(const RsnTaskRow *row)
{
	rsn_table_delete(RSN_TABLE_TASKS, &row->tid);
}

static RsnStatement delete_stale_tasks_stmt = {
	.name = "delete_stale_tasks",
	.sql = "DELETE FROM resonate.tasks d"
	" WHERE d.ctid" EQ "ANY (ARRAY(SELECT t.ctid FROM resonate.tasks t"
	" CROSS JOIN LATERAL (SELECT p.state FROM resonate.promises p"
	" WHERE p.id" EQ "t.id OFFSET 0) AS p"
	" WHERE " IN_RANGE("t.id", "$2", "$3")
	" AND p.state" NE STATE("pending")
	" LIMIT $1 FOR UPDATE OF t SKIP LOCKED))",
	.spi_result = SPI_OK_DELETE,
	.cursor_options = PLAN_ONCE,
	ARGS(INT8OID, TEXTOID, TEXTOID)
};

/*
 * Deletes tasks in a range whose promise is settled, as a restore can leave them.
 */
int
rsn_store_delete_stale_tasks(const RsnKeyRange *range, int limit)
{
	RsnArgs		args = {0};

	Assert(rsn_id_compare(range->after, range->last) <= 0);
	rsn_args_add(&args, Int64GetDatum(limit));
	rsn_args_add_text(&args, range->after);
	rsn_args_add_text(&args, range->last);
	return (int) rsn_store_exec(&delete_stale_tasks_stmt, &args);
}
