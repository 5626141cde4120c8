/*-------------------------------------------------------------------------
 *
 * background.c
 *	  The steps of background work, each of them bounded.
 *
 * A step runs inside the transaction of its caller, which is the worker or, in
 * tests, resonate.worker_step().  Several backends may run steps at once: what
 * another one has locked is skipped.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/xact.h"
#include "miscadmin.h"
#include "utils/memutils.h"
#include "utils/resowner.h"

#include "background.h"
#include "clock.h"
#include "delivery.h"
#include "engine.h"
#include "guc.h"
#include "shared.h"

/* How often to begin pruning at the start. */
#define PRUNE_ANEW_MS	60000

/* How long a step that failed for a caller is left to the worker. */
#define FAILED_STEP_WAIT_MS 60000

static const char *const step_names[] = {
	[RSN_STEP_SCHEDULE] = "schedule",
	[RSN_STEP_TIMEOUT] = "timeout",
	[RSN_STEP_LEASE] = "lease",
	[RSN_STEP_DISPATCH] = "dispatch",
	[RSN_STEP_DELIVER] = "deliver",
	[RSN_STEP_RECONCILE] = "reconcile",
	[RSN_STEP_EXPIRE] = "expire",
	[RSN_STEP_PRUNE] = "prune"
};

StaticAssertDecl(lengthof(step_names) == RSN_NSTEPS, "every step has a name");

const char *
rsn_step_name(RsnStep step)
{
	return step_names[step];
}

static int
step_schedule(int64 now_ms, int limit, const RsnSetAside *set_aside)
{
	int			n = rsn_engine_fire_schedule(now_ms, limit, set_aside->ids,
											 set_aside->n);

	rsn_shared_count(RSN_COUNT_OCCURRENCES, n);
	return n;
}

static int
step_lease(int64 now_ms, int limit, const RsnSetAside *set_aside)
{
	int			n = rsn_engine_end_leases(now_ms, limit, set_aside->ids,
										  set_aside->n);

	rsn_shared_count(RSN_COUNT_LEASES_ENDED, n);
	return n;
}

static int
step_dispatch(int64 now_ms, int limit)
{
	RsnDelivered offered = rsn_delivery_offer(now_ms, limit);

	rsn_shared_count(RSN_COUNT_NOTIFICATIONS, offered.notified);
	rsn_shared_count(RSN_COUNT_DELIVERY_FAILURES, offered.failed);
	return offered.processed;
}

static int
step_timeout(int64 now_ms, int limit, const RsnSetAside *set_aside)
{
	int			n = rsn_engine_expire_due(now_ms, limit, set_aside->ids,
										  set_aside->n);

	if (n > 0)
		rsn_shared_count(RSN_COUNT_SWEEPS, 1);
	rsn_shared_count(RSN_COUNT_TIMED_OUT, n);
	return n;
}

static int
step_deliver(int64 now_ms, int limit)
{
	RsnDelivered delivered = rsn_delivery_notify(now_ms, limit);

	if (delivered.processed > 0)
		rsn_shared_count(RSN_COUNT_DELIVERIES, 1);
	rsn_shared_count(RSN_COUNT_NOTIFICATIONS, delivered.notified);
	rsn_shared_count(RSN_COUNT_DELIVERY_FAILURES, delivered.failed);
	return delivered.processed;
}

static int
step_expire(int64 now_ms, int limit)
{
	int			n = rsn_delivery_expire(now_ms, limit);

	rsn_shared_count(RSN_COUNT_EXPIRED, n);
	return n;
}

/*
 * Goes on where the last run ended, and now and then begins anew for what could
 * not be pruned when it was passed.
 */
static int
step_prune(int64 now_ms, int limit, RsnProgress *progress)
{
	int			n;

	if (rsn_guc_retention_s < 0)
		return 0;
	if (now_ms >= progress->prune_anew_at_ms)
	{
		memset(&progress->pruned, 0, sizeof(progress->pruned));
		progress->prune_anew_at_ms = now_ms + PRUNE_ANEW_MS;
	}
	n = rsn_engine_prune(now_ms - (int64) rsn_guc_retention_s * 1000, now_ms,
						 limit, &progress->pruned);
	rsn_shared_count(RSN_COUNT_PRUNED, n);
	return n;
}

/* How many rows a step takes at most, as configured. */
int
rsn_background_limit(RsnStep step)
{
	switch (step)
	{
		case RSN_STEP_SCHEDULE:
			return rsn_guc_schedule_batch_size;
		case RSN_STEP_TIMEOUT:
		case RSN_STEP_LEASE:
		case RSN_STEP_RECONCILE:
			return rsn_guc_sweep_batch_size;
		case RSN_STEP_DISPATCH:
		case RSN_STEP_DELIVER:
			return rsn_guc_delivery_batch_size;
		case RSN_STEP_EXPIRE:
		case RSN_STEP_PRUNE:
			return rsn_guc_prune_batch_size;
	}
	return 0;
}

/*
 * Runs a step of at most limit rows (zero: as configured) as of now, and
 * answers how many rows it took.  The counters count what a step has tried,
 * even if its transaction is rolled back.
 */
int
rsn_background_step(RsnStep step, int64 now_ms, int limit,
					RsnProgress *progress)
{
	const RsnSetAside *set_aside = &progress->set_aside;

	if (limit == 0)
		limit = rsn_background_limit(step);
	switch (step)
	{
		case RSN_STEP_SCHEDULE:
			return step_schedule(now_ms, limit, set_aside);
		case RSN_STEP_TIMEOUT:
			return step_timeout(now_ms, limit, set_aside);
		case RSN_STEP_LEASE:
			return step_lease(now_ms, limit, set_aside);
		case RSN_STEP_DISPATCH:
			return step_dispatch(now_ms, limit);
		case RSN_STEP_DELIVER:
			return step_deliver(now_ms, limit);
		case RSN_STEP_RECONCILE:
			return rsn_engine_reconcile(now_ms, limit, set_aside->ids,
										set_aside->n);
		case RSN_STEP_EXPIRE:
			return step_expire(now_ms, limit);
		case RSN_STEP_PRUNE:
			return step_prune(now_ms, limit, progress);
	}
	return 0;
}

/* False for errors that come from the transaction, the session or the server. */
static bool
is_fault_of_row(int sqlstate)
{
	int			category = ERRCODE_TO_CATEGORY(sqlstate);

	return category != ERRCODE_TO_CATEGORY(ERRCODE_READ_ONLY_SQL_TRANSACTION) &&
		category != ERRCODE_TO_CATEGORY(ERRCODE_T_R_SERIALIZATION_FAILURE) &&
		category != ERRCODE_TO_CATEGORY(ERRCODE_INSUFFICIENT_RESOURCES) &&
		category != ERRCODE_TO_CATEGORY(ERRCODE_LOCK_NOT_AVAILABLE) &&
		category != ERRCODE_TO_CATEGORY(ERRCODE_QUERY_CANCELED);
}

/*
 * Runs a step, and takes it back if it fails.  What cannot be dealt with is for
 * the worker to find out and to set aside; it must not keep a caller who only
 * wants his own work from it.  So the step is left to the worker for a while.
 */
static int
try_step(RsnStep step, int64 now_ms)
{
	static int64 not_before_ms[RSN_NSTEPS];
	MemoryContext context = CurrentMemoryContext;
	ResourceOwner owner = CurrentResourceOwner;
	RsnProgress start = {0};
	volatile int n = 0;

	if (now_ms < not_before_ms[step])
		return 0;
	BeginInternalSubTransaction(NULL);
	MemoryContextSwitchTo(context);
	PG_TRY();
	{
		n = rsn_background_step(step, now_ms, 0, &start);
		ReleaseCurrentSubTransaction();
	}
	PG_CATCH();
	{
		ErrorData  *error;

		MemoryContextSwitchTo(context);
		error = CopyErrorData();
		FlushErrorState();
		RollbackAndReleaseCurrentSubTransaction();
		if (!is_fault_of_row(error->sqlerrcode))
			ReThrowError(error);
		not_before_ms[step] = rsn_deadline_after(now_ms, FAILED_STEP_WAIT_MS);
		ereport(WARNING,
				(errcode(error->sqlerrcode),
				 errmsg("could not run step \"%s\": %s", step_names[step],
						error->message),
				 errdetail("It is left to the background worker for a minute.")));
		n = 0;
	}
	PG_END_TRY();
	MemoryContextSwitchTo(context);
	CurrentResourceOwner = owner;
	return n;
}

/*
 * What every caller may have done for himself: schedules, deadlines and leases,
 * one batch of each, in the order in which locks are taken.  Answers how many.
 */
int
rsn_background_process_timeouts(int64 now_ms)
{
	int			n = 0;

	n += try_step(RSN_STEP_SCHEDULE, now_ms);
	n += try_step(RSN_STEP_TIMEOUT, now_ms);
	n += try_step(RSN_STEP_LEASE, now_ms);
	return n;
}

/*
 * One sweep of everything that is due at an instant, in the order of the
 * protocol's debug.tick.
 */
void
rsn_background_tick(int64 now_ms)
{
	static const RsnStep steps[] = {
		RSN_STEP_TIMEOUT, RSN_STEP_LEASE, RSN_STEP_SCHEDULE
	};
	MemoryContext step_context = AllocSetContextCreate(CurrentMemoryContext,
													   "resonate tick",
													   ALLOCSET_DEFAULT_SIZES);
	MemoryContext caller_context = MemoryContextSwitchTo(step_context);
	RsnProgress start = {0};

	/* There may be any number of steps, all in one statement. */
	for (int i = 0; i < (int) lengthof(steps); i++)
	{
		while (rsn_background_step(steps[i], now_ms, 0, &start) > 0)
		{
			MemoryContextReset(step_context);
			CHECK_FOR_INTERRUPTS();
		}
	}
	MemoryContextSwitchTo(caller_context);
	MemoryContextDelete(step_context);
}

/* When the next deadline, lease, schedule or message is due, or RSN_TIME_NEVER. */
int64
rsn_background_next_due(const RsnSetAside *set_aside)
{
	int64		next_ms;

	rsn_store_begin();
	next_ms = rsn_store_next_deadline(set_aside->ids, set_aside->n);
	next_ms = Min(next_ms, rsn_store_next_lease(set_aside->ids,
												set_aside->n));
	next_ms = Min(next_ms, rsn_store_next_schedule(set_aside->ids,
												   set_aside->n));
	next_ms = Min(next_ms, rsn_store_next_notification());
	rsn_store_end();
	return next_ms;
}

/* When the first task after an instant is to be offered, or RSN_TIME_NEVER. */
int64
rsn_background_next_offer(int64 after_ms)
{
	int64		next_ms;

	rsn_store_begin();
	next_ms = rsn_store_next_offer(after_ms);
	rsn_store_end();
	return next_ms;
}

/* True for a step whose rows can be tried one by one. */
bool
rsn_background_has_ids(RsnStep step)
{
	return step == RSN_STEP_SCHEDULE || step == RSN_STEP_TIMEOUT ||
		step == RSN_STEP_LEASE || step == RSN_STEP_RECONCILE;
}

/* The ids that a step would take, to try them one by one. */
int
rsn_background_list(RsnStep step, int64 now_ms, const RsnSetAside *set_aside,
					text ***ids)
{
	RsnDueKind	kind = RSN_DUE_PROMISES;
	int			n;

	if (step == RSN_STEP_SCHEDULE)
		kind = RSN_DUE_SCHEDULES;
	else if (step == RSN_STEP_LEASE)
		kind = RSN_DUE_LEASES;

	rsn_store_begin();
	if (step == RSN_STEP_RECONCILE)
		n = rsn_store_unfired_promises(rsn_guc_sweep_batch_size,
									   set_aside->ids, set_aside->n, ids);
	else
		n = rsn_store_due_ids(kind, now_ms, rsn_guc_sweep_batch_size,
							  set_aside->ids, set_aside->n, ids);
	rsn_store_end();
	return n;
}

/* Runs a step for one of these. */
void
rsn_background_step_one(RsnStep step, int64 now_ms, text *id)
{
	switch (step)
	{
		case RSN_STEP_SCHEDULE:
			rsn_engine_fire_one_schedule(id, now_ms,
										 rsn_guc_schedule_batch_size);
			break;
		case RSN_STEP_TIMEOUT:
			(void) rsn_engine_get(id);
			break;
		case RSN_STEP_LEASE:
			rsn_engine_end_lease(id, now_ms);
			break;
		default:
			rsn_engine_reconcile_one(id, now_ms);
			break;
	}
}

/* True while a prepared transaction may still commit in this database. */
bool
rsn_background_has_prepared(void)
{
	bool		result;

	rsn_store_begin();
	result = rsn_store_has_prepared_transactions();
	rsn_store_end();
	return result;
}
