/*-------------------------------------------------------------------------
 *
 * worker/progress.h
 *	  The steps of background work, and what is remembered from one to the next.
 *
 *-------------------------------------------------------------------------
 */
#ifndef RSN_WORKER_PROGRESS_H
#define RSN_WORKER_PROGRESS_H

#include "engine/engine.h"
#include "worker/offer.h"
#include "worker/set_aside.h"

/* In the order in which they are tried. */
typedef enum RsnStep
{
	RSN_STEP_CLOCK,				/* set right what a clock that was ahead has
								 * left */
	RSN_STEP_SCHEDULE,			/* fire occurrences of a schedule (R7) */
	RSN_STEP_TIMEOUT,			/* settle promises past their deadline (R1) */
	RSN_STEP_LEASE,				/* put tasks back whose lease has ended (R5) */
	RSN_STEP_DISPATCH,			/* offer tasks (R6) */
	RSN_STEP_DELIVER,			/* notify */
	RSN_STEP_RECONCILE,			/* catch up on what a restore has left (R3,
								 * R4) */
	RSN_STEP_EXPIRE,			/* delete messages that nobody takes */
	RSN_STEP_PRUNE				/* delete old history */
} RsnStep;

#define RSN_NSTEPS (RSN_STEP_PRUNE + 1)

/* Of what can be asked when it is due. */
typedef enum RsnAsk
{
	RSN_ASK_DEADLINE,
	RSN_ASK_LEASE,
	RSN_ASK_SCHEDULE,
	RSN_ASK_MESSAGE,			/* to a notify:// address */
	RSN_ASK_OFFER				/* of a task: the next one after a look */
} RsnAsk;

#define RSN_NASKS (RSN_ASK_OFFER + 1)

/* What is remembered from one run of a step to the next. */
typedef struct RsnProgress
{
	RsnSetAside set_aside[RSN_NSTEPS];	/* by id; all else goes on */

	/*
	 * What was due before that instant is done, or somebody works on it, so
	 * it need not be looked at again.  Zero: look at everything.
	 */
	int64		from_ms[RSN_NSTEPS];
	bool		has_more;		/* the last step has not seen all that is due */
	bool		has_busy;		/* it has left out what others work on */
	RsnReconcilePosition reconciled;	/* of all that there is */
	bool		is_reconciled;	/* there is none, so it need not go on */
	bool		must_reconcile_again;	/* when it has come to the end */
	bool		has_passed_busy;	/* it has, but for what others work on */
	RsnReconcilePosition left;	/* of the promise that was handed over first */
	int64		retry_left_ms;	/* when to come back for what others work on */
	RsnOfferPosition offered;
	RsnPrunePosition pruned;
	bool		must_expire;	/* internal promises, before they are old */
	bool		is_worker;		/* others wait for the end of the step */
	bool		are_zones_followed; /* by all schedules, else up to an id */
	char		zones_followed_to[RSN_SCHEDULE_ID_MAX + 1];
	int64		pruning_since_ms;	/* when it began there */
	int64		prune_anew_at_ms;	/* when to begin there again */
} RsnProgress;

#endif							/* RSN_WORKER_PROGRESS_H */
