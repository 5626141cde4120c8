/*-------------------------------------------------------------------------
 *
 * worker/plan.c
 *	  Which steps the worker runs, and not before when.
 *
 * A step is wanted because somebody has asked for it, because a look may find something
 * for it, or because its last run has left something.  Whatever fails, a step or a look,
 * waits before it is tried again, the longer the more often.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/xact.h"

#include "server/clock.h"
#include "server/guc.h"
#include "worker/handed.h"
#include "worker/internal.h"
#include "worker/work.h"

/*
 * How often to look for messages and history that have become too old: while there
 * are some, so that they go in small parts, and while there are none.
 */
#define CLEAR_BUSY_INTERVAL_MS	1000
#define CLEAR_IDLE_INTERVAL_MS	60000

/* From this wait on, a transaction that has locked something is not about to end. */
#define LOCKED_LONG_MS		40

/* Waits for what others have locked: they double from one to the next. */
#define LOCKED_WAIT_MIN_MS	10
#define LOCKED_WAIT_MAX_MS	1000

/* The same where only a look at everything finds it again. */
#define BUSY_WAIT_MAX_MS	10000

/* Waits after failures, which begin at resonate.retry_interval, grow to this. */
#define FAILED_WAIT_MAX_MS	60000

/* Has a step run that reads what there is. */
void
rsn_plan_want(RsnWorker *worker, RsnStep step)
{
	Assert((int) step >= 0 && (int) step < RSN_NSTEPS);
	worker->is_wanted[step] = true;
	worker->must_read[step] = true;
}

/* Has all steps run but those that are only run on demand. */
void
rsn_plan_want_all(RsnWorker *worker)
{
	for (int i = 0; i < RSN_NSTEPS; i++)
	{
		if (i != RSN_STEP_RECONCILE && i != RSN_STEP_CLOCK)
			rsn_plan_want(worker, (RsnStep) i);
	}
}

/* The wait that follows another one of the same kind; zero: there was none. */
static int64
next_wait(int64 wait_ms, int64 min_ms, int64 max_ms)
{
	Assert(wait_ms >= 0 && min_ms > 0);
	return Min(Max(wait_ms * 2, min_ms), Max(min_ms, max_ms));
}

/* The wait for what others have locked. */
int64
rsn_plan_wait_for_locked(int64 wait_ms)
{
	return next_wait(wait_ms, LOCKED_WAIT_MIN_MS, LOCKED_WAIT_MAX_MS);
}

/* The wait after a failure like the last one. */
int64
rsn_plan_wait_after_failure(const RsnWorker *worker, int64 wait_ms,
							bool has_progress)
{
	if (has_progress || worker->run.failure == RSN_FAILURE_LOCKED)
		return rsn_plan_wait_for_locked(Min(wait_ms, LOCKED_WAIT_MAX_MS));
	return next_wait(wait_ms, rsn_guc_retry_interval_ms, FAILED_WAIT_MAX_MS);
}

/*
 * The wait for what others work on and only a look at everything finds again, so
 * that it may become longer than that for what is due.
 */
static int64
wait_for_busy(int64 wait_ms)
{
	return next_wait(wait_ms, LOCKED_WAIT_MIN_MS, BUSY_WAIT_MAX_MS);
}

/* Has all that others may have left looked for. */
static void
want_reconciling(RsnWorker *worker)
{
	rsn_work_want_reconciling(&worker->run.progress);
	rsn_plan_want(worker, RSN_STEP_RECONCILE);
}

/* Has the deadlines of internal promises stored, from the start. */
static void
want_expiring(RsnWorker *worker)
{
	worker->run.progress.must_expire = true;
	worker->run.progress.pruned.lapsed_from_ms = 0;
	worker->not_before_ms[RSN_STEP_PRUNE] = 0;
	rsn_plan_want(worker, RSN_STEP_PRUNE);
}

/* The same instead of what was handed over, after a failure; rows say the same. */
static void
look_at_all_left(RsnWorker *worker)
{
	RsnProgress *progress = &worker->run.progress;

	(void) rsn_handed_drop(RSN_HANDOFF_LEFT, true);
	memset(&progress->left, 0, sizeof(progress->left));
	memset(&progress->reconciled, 0, sizeof(progress->reconciled));
	want_reconciling(worker);
}

/* What has been asked for since the last look at the flags. */
void
rsn_plan_note_wanted(RsnWorker *worker)
{
	Assert(!IsTransactionState());
	if (pg_atomic_exchange_u32(&worker->run.slot->must_deliver, 0) != 0)
		rsn_plan_want(worker, RSN_STEP_DELIVER);
	if (pg_atomic_exchange_u32(&worker->run.slot->must_offer, 0) != 0)
	{
		worker->run.progress.offered.must_walk = true;
		rsn_plan_want(worker, RSN_STEP_DISPATCH);
	}
	if (pg_atomic_exchange_u32(&worker->run.slot->must_reconcile,
							   RSN_RECONCILE_NO) != RSN_RECONCILE_NO)
		want_reconciling(worker);

	if (pg_atomic_exchange_u32(&worker->run.slot->must_expire, 0) != 0)
		want_expiring(worker);

	rsn_handed_fetch(worker->run.slot);
	if (rsn_handed_has(RSN_HANDOFF_CALLBACK))
		worker->is_wanted[RSN_STEP_DELIVER] = true;
	if (rsn_handed_has(RSN_HANDOFF_OFFER) ||
		rsn_handed_has(RSN_HANDOFF_UNBLOCK))
		worker->is_wanted[RSN_STEP_DISPATCH] = true;

	/* Of very many promises rows say the same. */
	if (rsn_handed_drop(RSN_HANDOFF_LEFT, false))
		want_reconciling(worker);
	if (rsn_handed_has(RSN_HANDOFF_LEFT))
	{
		int64	   *not_before_ms = &worker->not_before_ms[RSN_STEP_RECONCILE];

		/* They need not wait for what others work on. */
		if (*not_before_ms == worker->run.progress.retry_left_ms)
			*not_before_ms = 0;
		worker->is_wanted[RSN_STEP_RECONCILE] = true;
	}
}

/* True for a step that deletes what nobody needs any more. */
static bool
is_clearing(RsnStep step)
{
	return step == RSN_STEP_EXPIRE || step == RSN_STEP_PRUNE;
}

/*
 * Plans the next part of clearing, after one that has found n rows.  Nobody waits
 * for it, so where there is much it rests for as long as it has worked.
 */
static void
plan_clearing(RsnWorker *worker, RsnStep step, int n, int64 began_ms)
{
	int64		now_ms = rsn_clock_now();
	int64		rest_ms = CLEAR_BUSY_INTERVAL_MS;

	Assert(is_clearing(step));
	if (worker->run.progress.has_more)
		rest_ms = Min(now_ms - began_ms, CLEAR_BUSY_INTERVAL_MS);
	else if (n == 0)
		rest_ms = CLEAR_IDLE_INTERVAL_MS;
	rsn_plan_want(worker, step);
	worker->not_before_ms[step] = now_ms + rest_ms;
}

/*
 * Plans the next run of a step that has failed, as a whole or for some of its rows;
 * later, if at its start there are more of these than can be set aside.
 * What it was handed stays with it, unless that may be its fault, since one of it has
 * been locked for a while, say, or has become too much; then it is found as rows
 * again, one by one.
 */
void
rsn_plan_after_failure(RsnWorker *worker, RsnStep step, RsnStepEnd end)
{
	Assert(end != RSN_STEP_DONE);
	worker->wait_ms[step] = rsn_plan_wait_after_failure(worker, worker->wait_ms[step],
														end == RSN_STEP_PARTLY);
	worker->not_before_ms[step] = rsn_clock_now() + worker->wait_ms[step];
	rsn_plan_want(worker, step);
	if (worker->run.is_aside_full)
	{
		int64	   *from_ms = &worker->run.progress.from_ms[step];

		/* Of what has become due since the last look, commits need not tell. */
		*from_ms = Min(*from_ms, worker->looked_at_ms + 1);
		worker->start_wait_ms[step] =
			rsn_plan_wait_after_failure(worker, worker->start_wait_ms[step],
										false);
		worker->start_not_before_ms[step] = rsn_clock_now() +
			worker->start_wait_ms[step];
	}
	if (step == RSN_STEP_DELIVER &&
		rsn_handed_drop(RSN_HANDOFF_CALLBACK,
						worker->run.failure == RSN_FAILURE_ROW ||
						(worker->run.failure == RSN_FAILURE_LOCKED &&
						 worker->wait_ms[step] >= LOCKED_LONG_MS)))
		want_reconciling(worker);
	else if (step == RSN_STEP_DISPATCH)
	{
		(void) rsn_handed_drop(RSN_HANDOFF_OFFER, false);
		(void) rsn_handed_drop(RSN_HANDOFF_UNBLOCK, false);

		/* Whatever has not been told since, the addresses show. */
		worker->run.progress.offered.is_walking = false;
		worker->run.progress.offered.must_walk = true;
	}
	else if (step == RSN_STEP_RECONCILE)
		look_at_all_left(worker);
}

/* True for a step of whose work commits tell by the instant at which it is due. */
static bool
is_told_of(RsnStep step)
{
	return step == RSN_STEP_TIMEOUT || step == RSN_STEP_LEASE;
}

/*
 * Plans the next run of reconciling, which has done n rows: at once if there are
 * more, and again from the start, after a while that grows, for what it has passed
 * because somebody works on it.
 */
static void
plan_reconciling(RsnWorker *worker, int n)
{
	RsnProgress *progress = &worker->run.progress;
	int64	   *wait_ms = &worker->wait_ms[RSN_STEP_RECONCILE];

	if (n > 0 || progress->has_more)
		rsn_plan_want(worker, RSN_STEP_RECONCILE);
	else if (progress->has_busy)
	{
		int64		now_ms = rsn_clock_now();

		if (now_ms >= progress->retry_left_ms)
		{
			*wait_ms = wait_for_busy(*wait_ms);
			progress->retry_left_ms = now_ms + *wait_ms;
		}
		worker->not_before_ms[RSN_STEP_RECONCILE] = progress->retry_left_ms;
		rsn_plan_want(worker, RSN_STEP_RECONCILE);
	}
	else
		*wait_ms = 0;
}

/*
 * Plans the next run of a step that began at an instant and has found n rows: at once if
 * there are more.
 */
void
rsn_plan_after_run(RsnWorker *worker, RsnStep step, int n, bool was_reading,
				   int64 began_ms)
{
	Assert(n >= 0);
	if (worker->run.progress.from_ms[step] <= 0)
		worker->start_wait_ms[step] = 0;
	if (step == RSN_STEP_RECONCILE)
	{
		plan_reconciling(worker, n);
		return;
	}
	worker->wait_ms[step] = 0;
	if (was_reading && !worker->run.progress.has_more &&
		is_told_of(step))
		worker->run.progress.from_ms[step] = worker->looked_at_ms + 1;
	worker->has_busy |= step == RSN_STEP_DISPATCH &&
		worker->run.progress.has_busy;
	if (worker->run.progress.has_more &&
		(step == RSN_STEP_DISPATCH || (n > 0 && was_reading)))
		rsn_plan_want(worker, step);
	if (is_clearing(step))
		plan_clearing(worker, step, n, began_ms);
}

/* True for a step that is wanted and does not have to wait. */
bool
rsn_plan_is_ready(const RsnWorker *worker, RsnStep step)
{
	return worker->is_wanted[step] &&
		rsn_clock_now() >= worker->not_before_ms[step];
}

/* When a step that has to wait may run. */
int64
rsn_plan_next(const RsnWorker *worker)
{
	int64		next_ms = RSN_TIME_NEVER;

	for (int i = 0; i < RSN_NSTEPS; i++)
	{
		if (worker->is_wanted[i])
			next_ms = Min(next_ms, worker->not_before_ms[i]);
	}
	return next_ms;
}
