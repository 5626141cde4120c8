/*-------------------------------------------------------------------------
 *
 * worker/look.c
 *	  When the worker looks at the tables, and where it begins.
 *
 * What is due and was not taken is locked by somebody, or has failed.  The worker
 * comes back for that after a while that grows, beginning at the start, and does
 * not let it stand in the way: all other looks begin where the last one has been,
 * or at the earliest deadline that commits have told of since.
 *
 * A look asks several tables when something will be due.  If one of them cannot be
 * asked, the others are asked alone, and that one again after a while that grows.
 *
 * There are two kinds of looks.  A full one begins at the start (from_ms of a step is
 * PG_INT64_MIN); it is the first one, the one at full_look_at_ms, once a minute at least,
 * and each one while something is prepared or is to be reconciled.  Any other begins at
 * from_ms.  Invariant, for the steps timeout and lease: what is due before from_ms is
 * done, was found to be locked, failed or set aside, or a commit has told of it since by
 * told_ms, which rsn_look_begin takes into account.  It holds because from_ms moves only
 * to behind looked_at_ms, after a step that has read all that was due by then, and because
 * a row that the step could not see yet is one whose commit found wake_at_ms at
 * RSN_TIME_NEVER and so told of it (signal/wake.c, W3).  A step with more failures than
 * can be set aside passes over them, and goes back in the next full look.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/xact.h"

#include "server/clock.h"
#include "worker/internal.h"
#include "worker/step.h"

/* How often at least to look at everything, whatever we were told. */
#define LOOK_INTERVAL_MS	60000

/* A look at what is locked is followed by a rest so many times as long. */
#define LOCKED_SHARE		10
#define LOCKED_REST_MAX_MS	10000

/* A clock that is set back by more than this makes what was planned void. */
#define CLOCK_BACK_MS		1000

/*
 * Notes what time it is; true when the clock was set back, so that nothing that was
 * planned by it holds.
 */
bool
rsn_look_note_clock(RsnWorker *worker)
{
	int64		now_ms = rsn_clock_now();
	int64		back_ms = worker->last_seen_ms - now_ms;

	Assert(!IsTransactionState());
	worker->last_seen_ms = now_ms;
	if (back_ms <= CLOCK_BACK_MS)
		return false;
	ereport(LOG,
			(errmsg("the clock of the server was set back by %lld seconds",
					(long long) (back_ms / 1000))));
	memset(worker->not_before_ms, 0, sizeof(worker->not_before_ms));
	memset(worker->ask_not_before_ms, 0, sizeof(worker->ask_not_before_ms));
	memset(worker->start_not_before_ms, 0,
		   sizeof(worker->start_not_before_ms));
	worker->run.progress.prune_anew_at_ms = 0;
	worker->run.progress.retry_left_ms = 0;
	for (int i = 0; i < RSN_NSTEPS; i++)
		(void) rsn_set_aside_release(&worker->run.progress.set_aside[i],
									 RSN_TIME_NEVER);
	worker->must_look = true;
	rsn_plan_want(worker, RSN_STEP_CLOCK);
	return true;
}

/* When to look next: as of the last look, or as commits have told since. */
int64
rsn_look_next(const RsnWorker *worker)
{
	return Min(worker->due_ms,
			   (int64) pg_atomic_read_u64(&worker->run.slot->told_ms));
}

/* True when more can be due than what a look finds that goes on from the last one. */
static bool
is_full_look_wanted(const RsnWorker *worker)
{
	RsnSlot    *slot = worker->run.slot;

	return worker->must_look || rsn_clock_now() >= worker->full_look_at_ms ||
		pg_atomic_read_u32(&slot->must_poll) != 0 ||
		pg_atomic_read_u32(&slot->must_reconcile) != RSN_RECONCILE_NO;
}

/*
 * True when something can be due that is not known: a turn that is only told of
 * offers does without asking for deadlines, leases and schedules.
 */
bool
rsn_look_is_wanted(const RsnWorker *worker)
{
	return rsn_clock_now() >= rsn_look_next(worker) ||
		is_full_look_wanted(worker);
}

/*
 * Begins a look at everything that can be due; from here on commits tell of every
 * deadline.
 */
void
rsn_look_begin(RsnWorker *worker)
{
	RsnSlot    *slot = worker->run.slot;
	RsnOfferPosition *offered = &worker->run.progress.offered;
	int64		from_ms;

	Assert(!IsTransactionState());
	/* What was written without a word is found where it is. */
	offered->must_walk |= worker->must_look ||
		pg_atomic_read_u32(&slot->must_poll) != 0 ||
		pg_atomic_read_u32(&slot->must_reconcile) == RSN_RECONCILE_FOREIGN_ROWS;
	worker->is_full_look = is_full_look_wanted(worker);
	pg_atomic_write_u64(&slot->wake_at_ms, RSN_TIME_NEVER);
	pg_memory_barrier();
	from_ms = (int64) pg_atomic_exchange_u64(&slot->told_ms, RSN_TIME_NEVER);
	pg_memory_barrier();
	for (int i = 0; i < RSN_NSTEPS; i++)
	{
		int64	   *from = &worker->run.progress.from_ms[i];

		if (worker->is_full_look &&
			rsn_clock_now() >= worker->start_not_before_ms[i])
			*from = PG_INT64_MIN;
		else
			*from = Min(*from, from_ms);
	}
	offered->from_ms = Min(offered->from_ms, from_ms);
	worker->must_look = false;
	worker->has_busy = false;
	rsn_run_release(&worker->run);
	worker->looked_at_ms = rsn_clock_now();
	rsn_plan_want_all(worker);
}

/* What is asked in a transaction. */
typedef struct Asking
{
	RsnWorker  *worker;
	int			first;			/* the first question */
	int			n;
	int64		first_due_ms;	/* the results */
	int64		next_due_ms;
} Asking;

/* True while a prepared transaction may still commit in this database. */
static bool
has_prepared(void)
{
	bool		result;

	rsn_store_begin();
	result = rsn_store_has_prepared_transactions();
	rsn_store_end();
	return result;
}

/*
 * Asks whether a prepared transaction is left.  That comes before asking when something
 * is due, so that what one commits meanwhile shows in the rows.  What nobody asks for in
 * that way, and a step may have looked for before, is looked for once more: tasks and
 * messages to be told of, and those who were left.
 */
void
rsn_look_for_prepared(RsnSlot *slot)
{
	uint32		npolls = pg_atomic_read_u32(&slot->must_poll);

	Assert(IsTransactionState());
	/* Not if another one was prepared meanwhile. */
	if (npolls == 0 || has_prepared() ||
		!pg_atomic_compare_exchange_u32(&slot->must_poll, &npolls, 0))
		return;
	pg_atomic_write_u32(&slot->must_offer, 1);
	if (pg_atomic_exchange_u32(&slot->may_be_left, 0) != 0)
		pg_atomic_write_u32(&slot->must_reconcile, RSN_RECONCILE_MORE);
}

/* Asks the tables when something will be due. */
static void
ask_tables(RsnRun *run, void *arg)
{
	Asking	   *asking = arg;
	RsnWorker  *worker = asking->worker;
	int64		now_ms = rsn_clock_now();

	Assert(asking->n > 0 && asking->first + asking->n <= RSN_NASKS);
	asking->first_due_ms = RSN_TIME_NEVER;
	asking->next_due_ms = RSN_TIME_NEVER;
	if (asking->first == 0)
		rsn_look_for_prepared(run->slot);
	for (int i = asking->first; i < asking->first + asking->n; i++)
	{
		RsnAsk		ask = (RsnAsk) i;
		int64		first_ms;
		int64		next_ms;

		if (now_ms < worker->ask_not_before_ms[i])
			continue;
		first_ms = rsn_step_next_due(ask, &run->progress,
									 PG_INT64_MIN,
									 worker->looked_at_ms);
		next_ms = first_ms > worker->looked_at_ms ? first_ms
			: rsn_step_next_due(ask, &run->progress,
								worker->looked_at_ms + 1,
								worker->looked_at_ms);
		Assert(next_ms > worker->looked_at_ms);
		asking->first_due_ms = Min(asking->first_due_ms, first_ms);
		asking->next_due_ms = Min(asking->next_due_ms, next_ms);
	}
}

/* Asks some tables, and notes what they say; false when that has failed. */
static bool
try_to_ask(RsnWorker *worker, int first, int n)
{
	Asking		asking = {.worker = worker,.first = first,.n = n};

	if (!rsn_run_try(&worker->run, "look ahead", ask_tables, &asking))
		return false;
	worker->is_left |= asking.first_due_ms <= worker->looked_at_ms;
	worker->next_due_ms = Min(worker->next_due_ms, asking.next_due_ms);
	return true;
}

/* The same one by one, since one of them cannot be asked. */
static void
ask_one_by_one(RsnWorker *worker)
{
	for (int i = 0; i < RSN_NASKS; i++)
	{
		if (rsn_clock_now() < worker->ask_not_before_ms[i])
			continue;
		if (try_to_ask(worker, i, 1))
			continue;
		worker->ask_wait_ms[i] =
			rsn_plan_wait_after_failure(worker, worker->ask_wait_ms[i],
										false);
		worker->ask_not_before_ms[i] = rsn_clock_now() +
			worker->ask_wait_ms[i];
	}
}

/*
 * Plans the next look from the start.  If something is left that is due, it is
 * locked by somebody, or has failed: then soon, but so that those who have locked
 * many do not keep us looking at them.
 */
static void
plan_full_look(RsnWorker *worker)
{
	int64		now_ms = rsn_clock_now();
	bool		is_left = worker->is_left || worker->has_busy;

	if (!is_left)
		worker->locked_wait_ms = 0;
	else if (worker->is_full_look)
		worker->locked_wait_ms = rsn_plan_wait_for_locked(worker->locked_wait_ms);
	else if (worker->locked_wait_ms == 0)
		worker->locked_wait_ms = rsn_plan_wait_for_locked(0);
	else
		return;					/* it is planned */

	if (is_left)
		worker->full_look_at_ms = now_ms +
			Max(worker->locked_wait_ms,
				Min(LOCKED_SHARE * (now_ms - worker->looked_at_ms),
					LOCKED_REST_MAX_MS));
	else if (worker->is_full_look)
		worker->full_look_at_ms = worker->looked_at_ms + LOOK_INTERVAL_MS;
}

/* Finds out when to look again, after the steps of a look. */
void
rsn_look_ahead(RsnWorker *worker)
{
	worker->run.nreported = 0;
	worker->is_left = false;
	worker->next_due_ms = RSN_TIME_NEVER;
	if (!try_to_ask(worker, 0, RSN_NASKS))
		ask_one_by_one(worker);
	for (int i = 0; i < RSN_NASKS; i++)
	{
		if (worker->ask_not_before_ms[i] <= worker->looked_at_ms)
			worker->ask_wait_ms[i] = 0;
	}
	plan_full_look(worker);
}

/*
 * Has the next look begin soon, and at the start, for what a turn has met that did
 * not look, and somebody works on: if that is rolled back, nobody is told of it.
 */
void
rsn_look_soon(RsnWorker *worker)
{
	int64		at_ms = rsn_clock_now() +
	Max(worker->locked_wait_ms, rsn_plan_wait_for_locked(0));

	worker->full_look_at_ms = Min(worker->full_look_at_ms, at_ms);
	worker->due_ms = Min(worker->due_ms, worker->full_look_at_ms);
	worker->has_busy = false;
}

/* When something is to be done that needs a look, as of the last one. */
int64
rsn_look_due_time(const RsnWorker *worker)
{
	int64		due_ms = Min(worker->next_due_ms, worker->full_look_at_ms);

	for (int i = 0; i < RSN_NASKS; i++)
	{
		if (worker->ask_not_before_ms[i] > worker->looked_at_ms)
			due_ms = Min(due_ms, worker->ask_not_before_ms[i]);
	}
	return Min(due_ms, rsn_run_next_release(&worker->run));
}
