/*-------------------------------------------------------------------------
 *
 * api/admin.c
 *	  SQL functions for operation and tests.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/xact.h"
#include "catalog/pg_type.h"
#include "commands/extension.h"
#include "fmgr.h"
#include "funcapi.h"
#include "miscadmin.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/timestamp.h"

#include "api/args.h"
#include "api/record.h"
#include "engine/engine.h"
#include "server/clock.h"
#include "signal/slot.h"
#include "signal/wake.h"
#include "worker/step.h"
#include "worker/switch.h"

#define STATS_NCOLUMNS	(22 + RSN_NCOUNTERS)
#define PRUNE_LIMIT_DEFAULT	1000

/* How many entries of history are looked at together. */
#define PRUNE_ENTRIES	1000
#define ROWS_LIMIT_MAX	100000
#define QUEUES_LIMIT_DEFAULT	1000

PG_FUNCTION_INFO_V1(resonate_prune);
PG_FUNCTION_INFO_V1(resonate_get_stats);
PG_FUNCTION_INFO_V1(resonate_worker_error);
PG_FUNCTION_INFO_V1(resonate_get_queues);
PG_FUNCTION_INFO_V1(resonate_worker_step);
PG_FUNCTION_INFO_V1(resonate_start_worker);

/* resonate.prune(settled_before, limit) */
Datum
resonate_prune(PG_FUNCTION_ARGS)
{
	int			limit = rsn_check_limit(RSN_ARG_INT32(1, PRUNE_LIMIT_DEFAULT),
										ROWS_LIMIT_MAX);
	RsnPrunePosition position = {0};
	int64		settled_by_ms;
	int			n = 0;

	rsn_check_not_null(PG_ARGISNULL(0), "settled_before", 0);
	settled_by_ms = rsn_ms_from_timestamptz(PG_GETARG_TIMESTAMPTZ(0));
	do
	{
		CHECK_FOR_INTERRUPTS();
		n += rsn_engine_prune(settled_by_ms,
							  Min(settled_by_ms, rsn_clock_now()), limit - n,
							  PRUNE_ENTRIES, NULL, 0, &position);
	} while (n < limit && position.has_more);
	PG_RETURN_INT32(n);
}

static Datum
time_or_null(RsnSlot *slot, pg_atomic_uint64 *ms, bool *is_null)
{
	int64		value = slot == NULL ? 0 : (int64) pg_atomic_read_u64(ms);

	*is_null = value == 0;
	return *is_null ? (Datum) 0
		: TimestampTzGetDatum(rsn_timestamptz_from_ms(value));
}

/* The columns about the worker. */
static void
put_worker_stats(RsnSlot *slot, Datum *values, bool *nulls)
{
	uint32		pid = slot == NULL ? 0 : pg_atomic_read_u32(&slot->pid);

	nulls[0] = pid == 0;
	values[0] = Int32GetDatum((int32) pid);
	values[1] = time_or_null(slot, &slot->started_at_ms, &nulls[1]);
	values[2] = time_or_null(slot, &slot->active_at_ms, &nulls[2]);
	for (int i = 0; i < RSN_NCOUNTERS; i++)
	{
		nulls[3 + i] = slot == NULL;
		if (slot != NULL)
			values[3 + i] =
				Int64GetDatum((int64) pg_atomic_read_u64(&slot->counters[i]));
	}
}

/* Whether there is a worker, and if not, why. */
static const char *
worker_state(RsnSlot *slot)
{
	if (slot != NULL && pg_atomic_read_u32(&slot->pid) != 0)
		return pg_atomic_read_u32(&slot->is_paused) != 0 ? "paused" : "running";
	if (!rsn_switch_is_on())
		return "off";
	if (slot != NULL && pg_atomic_read_u32(&slot->is_waiting) != 0)
		return "waiting";
	if (slot != NULL && pg_atomic_read_u32(&slot->is_resting) != 0)
		return "resting";
	return "none";
}

/* The names of the steps whose last run failed. */
static Datum
failing_steps(RsnSlot *slot)
{
	uint32		steps = slot == NULL ? 0
	: pg_atomic_read_u32(&slot->failing_steps);
	Datum		names[RSN_NSTEPS];
	int			n = 0;

	for (int i = 0; i < RSN_NSTEPS; i++)
	{
		if ((steps & (1U << i)) != 0)
			names[n++] = CStringGetTextDatum(rsn_step_name((RsnStep) i));
	}
	return PointerGetDatum(construct_array(names, n, TEXTOID, -1, false,
										   TYPALIGN_INT));
}

/*
 * The columns about what fails.  The text of an error may quote an id, so it is not
 * here but in resonate.worker_error().
 */
static void
put_failure_stats(RsnSlot *slot, Datum *values, bool *nulls)
{
	RsnLastError error = {.at_ms = 0};

	if (slot != NULL)
		error = rsn_slot_last_error(slot);
	values[0] = CStringGetTextDatum(worker_state(slot));
	values[1] = failing_steps(slot);
	nulls[2] = nulls[3] = nulls[4] = error.at_ms == 0;
	if (error.at_ms == 0)
		return;
	values[2] = TimestampTzGetDatum(rsn_timestamptz_from_ms(error.at_ms));
	values[3] = CStringGetTextDatum(unpack_sql_state(error.sqlstate));
	values[4] = CStringGetTextDatum(error.activity);
}

/* resonate.worker_error() */
Datum
resonate_worker_error(PG_FUNCTION_ARGS)
{
	RsnSlot    *slot = rsn_slot_find(MyDatabaseId);
	RsnLastError error;

	if (slot == NULL)
		PG_RETURN_NULL();
	error = rsn_slot_last_error(slot);
	if (error.at_ms == 0)
		PG_RETURN_NULL();
	PG_RETURN_TEXT_P(cstring_to_text(error.text));
}

/* resonate.get_stats() */
Datum
resonate_get_stats(PG_FUNCTION_ARGS)
{
	RsnStateCounts counts;
	Datum		values[STATS_NCOLUMNS] = {0};
	bool		nulls[STATS_NCOLUMNS] = {0};
	RsnSlot    *slot = rsn_slot_find(MyDatabaseId);
	int64		now_ms = rsn_clock_now();
	int			i = 0;

	rsn_store_begin();
	rsn_store_count(now_ms, &counts);
	rsn_store_end();

	while (i < RSN_PROMISE_NSTATES)
	{
		values[i] = Int64GetDatum(counts.states[i]);
		i++;
	}
	values[i++] = Int64GetDatum(counts.due);
	nulls[i] = counts.due == 0;
	if (counts.due > 0)
	{
		Interval   *age = palloc0(sizeof(Interval));

		age->time = (now_ms - counts.oldest_due_ms) * 1000;
		values[i] = PointerGetDatum(age);
	}
	i++;
	values[i++] = Int64GetDatum(counts.callbacks);
	values[i++] = Int64GetDatum(counts.messages);
	for (int state = 0; state < RSN_TASK_FULFILLED; state++)
		values[i++] = Int64GetDatum(counts.tasks[state]);
	values[i++] = Int64GetDatum(counts.schedules);
	put_worker_stats(slot, values + i, nulls + i);
	i += 3 + RSN_NCOUNTERS;
	put_failure_stats(slot, values + i, nulls + i);
	return rsn_record_form(fcinfo, values, nulls);
}

/* What waits, as of an instant. */
typedef struct Queues
{
	RsnQueueRow *rows;
	int64		now_ms;
} Queues;

/* How old is what has waited since an instant; nothing is what has not waited. */
static void
set_age(Datum *values, bool *nulls, int i, int64 since_ms, int64 now_ms)
{
	if (since_ms >= 0)
		rsn_set_interval(values, nulls, i, Max(now_ms - since_ms, 0));
}

static void
set_queue(Datum *values, bool *nulls, int i, const void *arg)
{
	const Queues *queues = arg;
	const RsnQueueRow *row = &queues->rows[i];

	rsn_set_varlena(values, nulls, 0, row->address);
	rsn_set_datum(values, nulls, 1, Int64GetDatum(row->tasks));
	rsn_set_datum(values, nulls, 2, Int64GetDatum(row->tasks_due));
	set_age(values, nulls, 3, row->due_since_ms, queues->now_ms);
	rsn_set_datum(values, nulls, 4, Int64GetDatum(row->tasks_offered));
	rsn_set_datum(values, nulls, 5, Int64GetDatum(row->messages));
	set_age(values, nulls, 6, row->messages_since_ms, queues->now_ms);
}

/* resonate.get_queues(limit) */
Datum
resonate_get_queues(PG_FUNCTION_ARGS)
{
	int			limit = rsn_check_limit(RSN_ARG_INT32(0, QUEUES_LIMIT_DEFAULT),
										ROWS_LIMIT_MAX);
	Queues		queues;
	int			n;

	InitMaterializedSRF(fcinfo, 0);
	queues.now_ms = rsn_clock_now();
	rsn_store_begin();
	n = rsn_store_count_queues(queues.now_ms, limit, &queues.rows);
	rsn_store_end();
	rsn_put_rows(fcinfo, n, set_queue, &queues);
	return (Datum) 0;
}

static int64
step_time(FunctionCallInfo fcinfo, int n)
{
	TimestampTz now;

	if (PG_ARGISNULL(n))
		return rsn_clock_now();
	now = PG_GETARG_TIMESTAMPTZ(n);
	if (TIMESTAMP_NOT_FINITE(now) || rsn_ms_from_timestamptz(now) < 0)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("%s must be an instant after 1970",
						rsn_arg_where("now", 0))));
	return rsn_ms_from_timestamptz(now);
}

/* resonate.worker_step(now, limit) */
Datum
resonate_worker_step(PG_FUNCTION_ARGS)
{
	RsnProgress start = {0};
	int64		now_ms = step_time(fcinfo, 0);
	int			limit = 0;
	const char *name = "idle";
	int			n = 0;
	int64		next_ms = RSN_TIME_NEVER;
	Datum		values[3];
	bool		nulls[3] = {0};

	if (!PG_ARGISNULL(1))
		limit = rsn_check_limit(PG_GETARG_INT32(1), ROWS_LIMIT_MAX);
	for (int i = 0; i < RSN_NSTEPS && n == 0; i++)
	{
		n = rsn_step_run((RsnStep) i, now_ms, limit, &start);
		if (n > 0)
			name = rsn_step_name((RsnStep) i);
	}
	for (int i = 0; i < RSN_ASK_OFFER; i++)
		next_ms = Min(next_ms,
					  rsn_step_next_due((RsnAsk) i, &start, PG_INT64_MIN,
										now_ms));

	values[0] = CStringGetTextDatum(name);
	values[1] = Int32GetDatum(n);
	values[2] = TimestampTzGetDatum(rsn_timestamptz_from_ms(next_ms));
	nulls[2] = next_ms == RSN_TIME_NEVER;
	return rsn_record_form(fcinfo, values, nulls);
}

/* True from CREATE EXTENSION without preloading to the end of its transaction. */
static bool must_advise = false;

static void
advise_at_commit(XactEvent event, void *arg)
{
	if (!must_advise)
		return;
	must_advise = false;
	if (event == XACT_EVENT_PRE_COMMIT)
		ereport(NOTICE,
				(errmsg("resonate is not in shared_preload_libraries"),
				 errdetail("Nobody starts the worker after a restart, or after it has ended, until a call leaves work behind; notifications and messages wait until then."),
				 errhint("Add resonate to shared_preload_libraries and restart the server.")));
}

/*
 * Says that the library should be preloaded.  At the commit, since a script of an
 * extension shows nothing less than warnings.
 */
static void
advise_to_preload(void)
{
	static bool is_registered = false;

	if (!creating_extension || IsBinaryUpgrade || rsn_shared_is_preloaded())
		return;
	if (!is_registered)
		RegisterXactCallback(advise_at_commit, NULL);
	is_registered = true;
	must_advise = true;
}

/* resonate.start_worker() */
Datum
resonate_start_worker(PG_FUNCTION_ARGS)
{
	advise_to_preload();
	rsn_wake_note_start();
	PG_RETURN_VOID();
}
