/*-------------------------------------------------------------------------
 *
 * store_task.c
 *	  The statements on tasks and on who awaits what.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "utils/builtins.h"

#include "clock.h"
#include "store_plan.h"

/* The order of TASK_COLUMNS. */
enum
{
	TASK_CLOCK_AT = 1, TASK_TIMEOUT_AT, TASK_TTL, TASK_VERSION, TASK_RESUMES,
	TASK_SETBACKS, TASK_STATE, TASK_ID, TASK_ADDRESS, TASK_PID
};

static void
check_core(const RsnTaskRow *row, int sqlstate)
{
	const char *violated = rsn_task_check(&row->core);

	if (violated != NULL)
		ereport(ERROR,
				(errcode(sqlstate),
				 errmsg("task \"%s\" violates invariant \"%s\"",
						text_to_cstring(row->id), violated)));
}

static RsnTaskState
get_state(HeapTuple tuple)
{
	RsnTaskState state;
	char	   *name = SPI_getvalue(tuple, SPI_tuptable->tupdesc, TASK_STATE);

	if (name == NULL || !rsn_task_state_from_name(name, &state))
		ereport(ERROR,
				(errcode(ERRCODE_DATA_CORRUPTED),
				 errmsg("unrecognized task state: \"%s\"",
						name == NULL ? "" : name)));
	return state;
}

static void
task_from_tuple(HeapTuple tuple, RsnTaskRow *row)
{
	RsnTask    *core = &row->core;

	row->id = rsn_store_get_text(tuple, TASK_ID);
	row->address = rsn_store_get_text(tuple, TASK_ADDRESS);
	row->pid = rsn_store_get_text(tuple, TASK_PID);
	core->state = get_state(tuple);
	core->has_pid = row->pid != NULL;
	core->version = rsn_store_get_int32(tuple, TASK_VERSION, 0);
	core->resumes = rsn_store_get_int32(tuple, TASK_RESUMES, 0);
	core->setbacks = rsn_store_get_int32(tuple, TASK_SETBACKS, 0);
	core->ttl_ms = rsn_store_get_int64(tuple, TASK_TTL, 0);
	core->clock_at_ms = rsn_store_get_int64(tuple, TASK_CLOCK_AT, 0);
	core->timeout_at_ms = rsn_store_get_int64(tuple, TASK_TIMEOUT_AT, 0);
	check_core(row, ERRCODE_DATA_CORRUPTED);
}

/* The tasks of the last statement, in its order; NULL for none. */
static RsnTaskRow *
tasks_from_result(uint64 n)
{
	RsnTaskRow *rows = NULL;

	if (n > 0)
		rows = rsn_store_alloc(n * sizeof(RsnTaskRow));
	for (uint64 i = 0; i < n; i++)
		task_from_tuple(SPI_tuptable->vals[i], &rows[i]);
	return rows;
}

static void
add_nullable(RsnArgs *args, Datum value, bool is_null)
{
	rsn_args_add(args, value);
	if (is_null)
		args->nulls[args->n - 1] = 'n';
}

static void
add_clock(RsnArgs *args, const RsnTask *core)
{
	add_nullable(args, Int64GetDatum(core->clock_at_ms),
				 core->state != RSN_TASK_PENDING &&
				 core->state != RSN_TASK_ACQUIRED);
}

/* What changes in the life of a task; state is the last but one. */
static void
add_progress(RsnArgs *args, const RsnTask *core)
{
	add_nullable(args, Int64GetDatum(core->ttl_ms),
				 core->state != RSN_TASK_ACQUIRED);
	rsn_args_add(args, Int32GetDatum(core->version));
	rsn_args_add(args, Int32GetDatum(core->resumes));
	rsn_args_add(args, Int32GetDatum(core->setbacks));
	rsn_args_add(args, CStringGetTextDatum(rsn_task_state_name(core->state)));
}

/* Inserts the task of a promise that this transaction has inserted. */
void
rsn_store_insert_task(const RsnTaskRow *row)
{
	RsnArgs		args = {0};

	check_core(row, ERRCODE_INTERNAL_ERROR);
	add_clock(&args, &row->core);
	rsn_args_add(&args, Int64GetDatum(row->core.timeout_at_ms));
	add_progress(&args, &row->core);
	rsn_args_add_text(&args, row->id);
	rsn_args_add_text(&args, row->address);
	rsn_args_add_text(&args, row->pid);
	rsn_store_exec(RSN_QUERY_INSERT_TASK, &args);
}

static RsnTaskRow *
one_task(RsnQuery query, text *id)
{
	RsnArgs		args = {0};

	rsn_args_add_text(&args, id);
	return tasks_from_result(rsn_store_exec(query, &args));
}

/* The stored task, or NULL; locks nothing. */
RsnTaskRow *
rsn_store_read_task(text *id)
{
	return one_task(RSN_QUERY_READ_TASK, id);
}

/*
 * The stored task, or NULL, read after any wait for the lock: FOR NO KEY UPDATE,
 * or FOR SHARE, which only keeps it from being changed.
 */
RsnTaskRow *
rsn_store_lock_task(text *id, bool is_shared)
{
	return one_task(is_shared ? RSN_QUERY_SHARE_TASK : RSN_QUERY_LOCK_TASK,
					id);
}

/* The stored tasks of these ids, locked and answered in byte order. */
int
rsn_store_lock_tasks(text *const *ids, int n, RsnTaskRow **rows)
{
	RsnArgs		args = {0};
	uint64		count;

	rsn_args_add_texts(&args, ids, n);
	count = rsn_store_exec(RSN_QUERY_LOCK_TASKS, &args);
	*rows = tasks_from_result(count);
	return (int) count;
}

/*
 * The tasks that the settlement of locked promises concerns: their own and those
 * of their awaiters; and that of extra_id, unless NULL.  Locked and answered in
 * byte order.
 */
int
rsn_store_lock_tasks_for(text *const *promise_ids, int n, text *extra_id,
						 RsnTaskRow **rows)
{
	RsnArgs		args = {0};
	text	  **own_ids = palloc(sizeof(text *) * (n + 1));
	uint64		count;

	memcpy(own_ids, promise_ids, sizeof(text *) * n);
	if (extra_id != NULL)
		own_ids[n] = extra_id;
	rsn_args_add_texts(&args, promise_ids, n);
	rsn_args_add_texts(&args, own_ids, extra_id != NULL ? n + 1 : n);
	count = rsn_store_exec(RSN_QUERY_LOCK_TASKS_FOR, &args);
	*rows = tasks_from_result(count);
	return (int) count;
}

/* The tasks that a process holds, locked and answered in byte order. */
int
rsn_store_lock_tasks_of_pid(text *pid, RsnTaskRow **rows)
{
	RsnArgs		args = {0};
	uint64		count;

	rsn_args_add_text(&args, pid);
	count = rsn_store_exec(RSN_QUERY_LOCK_TASKS_OF_PID, &args);
	*rows = tasks_from_result(count);
	return (int) count;
}

/*
 * Locks live tasks whose lease has ended, the longest ended first; skips those
 * that others have locked, and those set aside.
 */
int
rsn_store_lock_ended_leases(int64 now_ms, int limit, text *const *set_aside,
							int nset_aside, RsnTaskRow **rows)
{
	RsnArgs		args = {0};
	uint64		count;

	rsn_args_add(&args, Int64GetDatum(now_ms));
	rsn_args_add(&args, Int64GetDatum(limit));
	rsn_args_add_texts(&args, set_aside, nset_aside);
	count = rsn_store_exec(RSN_QUERY_LOCK_ENDED_LEASES, &args);
	*rows = tasks_from_result(count);
	return (int) count;
}

/*
 * Locks live pending tasks of an address whose clock is due, the longest due
 * first; skips those that others have locked.
 */
int
rsn_store_lock_due_tasks(text *address, int64 now_ms, int limit,
						 RsnTaskRow **rows)
{
	RsnArgs		args = {0};
	uint64		count;

	rsn_args_add_text(&args, address);
	rsn_args_add(&args, Int64GetDatum(now_ms));
	rsn_args_add(&args, Int64GetDatum(limit));
	count = rsn_store_exec(RSN_QUERY_LOCK_DUE_TASKS, &args);
	*rows = tasks_from_result(count);
	return (int) count;
}

/* The same for all notify:// addresses, in no order. */
int
rsn_store_lock_due_notify_tasks(int64 now_ms, int limit, RsnTaskRow **rows)
{
	RsnArgs		args = {0};
	uint64		count;

	rsn_args_add(&args, Int64GetDatum(now_ms));
	rsn_args_add(&args, Int64GetDatum(limit));
	count = rsn_store_exec(RSN_QUERY_LOCK_DUE_NOTIFY_TASKS, &args);
	*rows = tasks_from_result(count);
	return (int) count;
}

/* Stores what has become of a locked task. */
void
rsn_store_update_task(const RsnTaskRow *row)
{
	RsnArgs		args = {0};

	check_core(row, ERRCODE_INTERNAL_ERROR);
	rsn_args_add_text(&args, row->id);
	add_clock(&args, &row->core);
	add_progress(&args, &row->core);
	rsn_args_add_text(&args, row->pid);
	if (rsn_store_exec(RSN_QUERY_UPDATE_TASK, &args) != 1)
		elog(ERROR, "task \"%s\" is gone although it was locked",
			 text_to_cstring(row->id));
}

/* Deletes a locked task, which is fulfilled. */
void
rsn_store_delete_task(text *id)
{
	RsnArgs		args = {0};

	rsn_args_add_text(&args, id);
	if (rsn_store_exec(RSN_QUERY_DELETE_TASK, &args) != 1)
		elog(ERROR, "task \"%s\" is gone although it was locked",
			 text_to_cstring(id));
}

/* Deletes tasks whose promise is settled, as a restore can leave them. */
int
rsn_store_delete_stale_tasks(int limit)
{
	RsnArgs		args = {0};

	rsn_args_add(&args, Int64GetDatum(limit));
	return (int) rsn_store_exec(RSN_QUERY_DELETE_STALE_TASKS, &args);
}

/* Tasks as they are at now, in order of their ids, after one of them. */
int
rsn_store_search_tasks(RsnTaskState state, bool is_any_state, text *after_id,
					   int64 now_ms, int limit, RsnTaskRow **rows)
{
	RsnArgs		args = {0};
	bool		is_live = !is_any_state && state != RSN_TASK_FULFILLED;
	bool		wants_fulfilled = is_any_state || state == RSN_TASK_FULFILLED;
	uint64		count;

	/* No live task is in a state that none is stored in. */
	if (is_live)
		rsn_args_add(&args, CStringGetTextDatum(rsn_task_state_name(state)));
	else
		rsn_args_add_text(&args, NULL);
	rsn_args_add(&args, BoolGetDatum(wants_fulfilled));
	rsn_args_add(&args, BoolGetDatum(is_any_state || is_live));
	rsn_args_add_text(&args, after_id);
	rsn_args_add(&args, Int64GetDatum(now_ms));
	rsn_args_add(&args, Int64GetDatum(limit));
	count = rsn_store_exec(RSN_QUERY_SEARCH_TASKS, &args);
	*rows = tasks_from_result(count);
	return (int) count;
}

static int64
first_time(uint64 n)
{
	if (n == 0)
		return RSN_TIME_NEVER;
	return rsn_store_get_int64(SPI_tuptable->vals[0], 1, RSN_TIME_NEVER);
}

/* When the next lease ends, or RSN_TIME_NEVER. */
int64
rsn_store_next_lease(text *const *set_aside, int nset_aside)
{
	RsnArgs		args = {0};

	rsn_args_add_texts(&args, set_aside, nset_aside);
	return first_time(rsn_store_exec(RSN_QUERY_NEXT_LEASE, &args));
}

/* When the first task after an instant becomes due, or RSN_TIME_NEVER. */
int64
rsn_store_next_offer(int64 after_ms)
{
	RsnArgs		args = {0};

	rsn_args_add(&args, Int64GetDatum(after_ms));
	return first_time(rsn_store_exec(RSN_QUERY_NEXT_OFFER, &args));
}

/* The addresses that have tasks or messages to dequeue at now. */
int
rsn_store_waiting_addresses(int64 now_ms, RsnWaiting **rows)
{
	RsnArgs		args = {0};
	uint64		count;

	rsn_args_add(&args, Int64GetDatum(now_ms));
	count = rsn_store_exec(RSN_QUERY_WAITING_ADDRESSES, &args);
	*rows = rsn_store_alloc(Max(count, 1) * sizeof(RsnWaiting));
	for (uint64 i = 0; i < count; i++)
	{
		HeapTuple	tuple = SPI_tuptable->vals[i];
		bool		is_null;

		(*rows)[i].is_task =
			DatumGetBool(SPI_getbinval(tuple, SPI_tuptable->tupdesc, 1,
									   &is_null));
		(*rows)[i].address = rsn_store_get_text(tuple, 2);
		(*rows)[i].newest_ms = rsn_store_get_int64(tuple, 3, 0);
	}
	return (int) count;
}

/* Records that a task awaits a locked promise; false when it was known. */
bool
rsn_store_insert_awaiter(text *awaited_id, text *awaiter_id)
{
	RsnArgs		args = {0};

	rsn_args_add_text(&args, awaited_id);
	rsn_args_add_text(&args, awaiter_id);
	return rsn_store_exec(RSN_QUERY_INSERT_AWAITER, &args) == 1;
}

/* Deletes the awaiters of locked promises, and answers them, with repetitions. */
int
rsn_store_take_awaiters(text *const *awaited_ids, int n, text ***awaiter_ids)
{
	RsnArgs		args = {0};
	uint64		count;

	rsn_args_add_texts(&args, awaited_ids, n);
	count = rsn_store_exec(RSN_QUERY_TAKE_AWAITERS, &args);
	return rsn_store_texts_from_result(count, awaiter_ids);
}
