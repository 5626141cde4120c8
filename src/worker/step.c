/*-------------------------------------------------------------------------
 *
 * worker/step.c
 *	  Running the steps of background work.
 *
 * The table that describes them, and what is done with it: run a step, or for one row,
 * list its rows, ask when it will have some.  What each of them does is in worker/work.c.
 *
 * A step runs inside the transaction of its caller, which is the worker or, in
 * tests, resonate.worker_step().  No step waits for a lock: where it does not look first
 * whether it is free, because that cannot be known or hardly ever matters, lock_timeout
 * ends the wait soon.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/xact.h"
#include "utils/guc.h"

#include "server/guc.h"
#include "worker/settings.h"
#include "worker/step.h"
#include "worker/work.h"

/* What a step is. */
typedef struct StepDef
{
	const char *name;
	int			(*run) (int64 now_ms, int limit, RsnProgress *progress);
	const int  *limit;			/* how many rows it takes at most, as
								 * configured */
	int			(*run_one) (int64 now_ms, text *id);	/* NULL: only as a whole */
	RsnDueKind	rows;			/* where they are found, to be taken one by
								 * one */
} StepDef;

static const StepDef steps[] = {
	[RSN_STEP_CLOCK] = {"clock", rsn_work_clock, &rsn_guc_sweep_batch_size},
	[RSN_STEP_SCHEDULE] = {"schedule", rsn_work_schedule, &rsn_guc_schedule_batch_size,
	rsn_work_schedule_one, RSN_DUE_SCHEDULES},
	[RSN_STEP_TIMEOUT] = {"timeout", rsn_work_timeout, &rsn_guc_sweep_batch_size,
	rsn_work_timeout_one, RSN_DUE_PROMISES},
	[RSN_STEP_LEASE] = {"lease", rsn_work_lease, &rsn_guc_sweep_batch_size,
	rsn_work_lease_one, RSN_DUE_LEASES},
	[RSN_STEP_DISPATCH] = {"dispatch", rsn_work_dispatch, &rsn_guc_delivery_batch_size,
	rsn_work_dispatch_one, RSN_DUE_OFFERS},
	[RSN_STEP_DELIVER] = {"deliver", rsn_work_deliver, &rsn_guc_delivery_batch_size,
	rsn_work_deliver_one, RSN_DUE_MESSAGES},
	[RSN_STEP_RECONCILE] = {"reconcile", rsn_work_reconcile, &rsn_guc_sweep_batch_size,
	rsn_work_reconcile_one},
	[RSN_STEP_EXPIRE] = {"expire", rsn_work_expire, &rsn_guc_prune_batch_size},
	[RSN_STEP_PRUNE] = {"prune", rsn_work_prune, &rsn_guc_prune_batch_size,
	rsn_work_prune_one, RSN_DUE_INTERNAL_PROMISES}
};

StaticAssertDecl(lengthof(steps) == RSN_NSTEPS, "every step is described");

/* The name of a step, in activities, messages and the statistics. */
const char *
rsn_step_name(RsnStep step)
{
	Assert((int) step >= 0 && (int) step < RSN_NSTEPS);
	return steps[step].name;
}

/* Has nobody wait long for a lock until the nest level that is returned ends. */
static int
limit_waits(void)
{
	int			nest_level = NewGUCNestLevel();

	(void) set_config_option("lock_timeout", RSN_LOCK_TIMEOUT, PGC_USERSET,
							 PGC_S_SESSION, GUC_ACTION_SAVE, true, 0, false);
	return nest_level;
}

/*
 * Runs a step of at most limit rows (zero: as configured) as of now, and
 * returns how many rows it took.  Unless the step knows better, there are more if
 * it took all that it may.  Nobody waits long for a lock in it, whatever the
 * session has set.
 */
int
rsn_step_run(RsnStep step, int64 now_ms, int limit,
			 RsnProgress *progress)
{
	int			nest_level = limit_waits();
	int			n;

	Assert(IsTransactionState());
	if (limit == 0)
		limit = *steps[step].limit;
	Assert(limit > 0);
	progress->has_more = false;
	progress->has_busy = false;
	n = steps[step].run(now_ms, limit, progress);
	Assert(n >= 0);
	progress->has_more |= n >= limit;
	AtEOXact_GUC(true, nest_level);
	return n;
}

/* Which step takes what is asked for. */
static const RsnStep asked_for[] = {
	[RSN_ASK_DEADLINE] = RSN_STEP_TIMEOUT,
	[RSN_ASK_LEASE] = RSN_STEP_LEASE,
	[RSN_ASK_SCHEDULE] = RSN_STEP_SCHEDULE,
	[RSN_ASK_MESSAGE] = RSN_STEP_DELIVER,
	[RSN_ASK_OFFER] = RSN_STEP_DISPATCH
};

StaticAssertDecl(lengthof(asked_for) == RSN_NASKS, "every question has a step");

static int64
next_due(RsnAsk ask, const RsnProgress *progress, int64 from_ms,
		 int64 looked_at_ms)
{
	RsnStep		step = asked_for[ask];
	const RsnSetAside *set_aside = &progress->set_aside[step];

	Assert((int) ask >= 0 && (int) ask < RSN_NASKS);
	/* What can be dequeued stays due, and was told of. */
	if (ask == RSN_ASK_OFFER)
		return rsn_store_next_offer(Max(from_ms, looked_at_ms));
	return rsn_store_next_due(steps[step].rows, from_ms, set_aside->ids,
							  set_aside->n);
}

/*
 * When the next of a kind from an instant on is due, or RSN_TIME_NEVER; without what
 * is set aside.
 */
int64
rsn_step_next_due(RsnAsk ask, const RsnProgress *progress,
				  int64 from_ms, int64 looked_at_ms)
{
	int64		next_ms;

	rsn_store_begin();
	next_ms = next_due(ask, progress, from_ms, looked_at_ms);
	rsn_store_end();
	return next_ms;
}

/*
 * Lists what a step would take, to try it row by row: nothing of a step that can only be
 * taken as a whole, and waits after a failure.
 */
void
rsn_step_list(RsnStep step, int64 now_ms, RsnProgress *progress,
			  RsnStepRows *rows)
{
	const RsnSetAside *set_aside = &progress->set_aside[step];
	int			limit = *steps[step].limit;

	memset(rows, 0, sizeof(*rows));
	if (steps[step].run_one == NULL)
		return;
	if (step == RSN_STEP_RECONCILE)
	{
		rows->n = rsn_engine_list_left(&progress->reconciled, limit,
									   set_aside->ids, set_aside->n,
									   &rows->ids);
		return;
	}
	rsn_store_begin();
	rows->n = rsn_store_due_ids(steps[step].rows, rsn_work_from(progress, step),
								now_ms, limit, set_aside->ids, set_aside->n,
								&rows->ids, &rows->due_ms);
	Assert(rows->n <= limit);
	rsn_store_end();
}

/* Runs a step for one row; returns how many rows it took. */
static int
run_one(RsnStep step, int64 now_ms, text *id)
{
	int			nest_level = limit_waits();
	int			n;

	Assert(steps[step].run_one != NULL);
	n = steps[step].run_one(now_ms, id);
	AtEOXact_GUC(true, nest_level);
	return n;
}

/* Runs a step, as configured, or for one row of it. */
void
rsn_step_run_part(RsnStepPart *part)
{
	if (part->id == NULL)
		part->ntaken = rsn_step_run(part->step, part->now_ms, 0,
									part->progress);
	else
		part->ntaken = run_one(part->step, part->now_ms, part->id);
}
