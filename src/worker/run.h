/*-------------------------------------------------------------------------
 *
 * worker/run.h
 *	  One step of the worker: its transaction, and what becomes of a failure.
 *
 *-------------------------------------------------------------------------
 */
#ifndef RSN_WORKER_RUN_H
#define RSN_WORKER_RUN_H

#include "server/failure.h"
#include "signal/slot.h"
#include "worker/progress.h"

typedef struct RsnRun
{
	RsnSlot    *slot;
	MemoryContext scratch;		/* reset after each transaction */
	MemoryContext error_context;	/* reset after each failure */
	RsnProgress progress;
	RsnFailure	failure;		/* why the last transaction failed */
	bool		is_canceled;	/* and whether somebody wanted that */
	int			nreported;		/* errors of this step, so far */
	bool		is_aside_full;	/* it has failed for more than can be set
								 * aside */
	int64		switch_seen_ms; /* when resonate.worker was looked at last */
	int64		attached_ms;	/* by the same clock, when the turn began */
} RsnRun;

/* How a step has ended. */
typedef enum RsnStepEnd
{
	RSN_STEP_DONE,
	RSN_STEP_PARTLY,			/* row by row, since it fails as a whole */
	RSN_STEP_FAILED				/* nothing has happened */
} RsnStepEnd;

/* What is done in a transaction, in the scratch context. */
typedef void (*RsnAction) (RsnRun *run, void *arg);

extern void rsn_run_init(RsnRun *run, RsnSlot *slot);
extern bool rsn_run_try(RsnRun *run, const char *activity,
						RsnAction action, void *arg);
extern RsnStepEnd rsn_run_step(RsnRun *run, RsnStep step, int *n);
extern int64 rsn_run_next_release(const RsnRun *run);
extern void rsn_run_release(RsnRun *run);

/* worker/place.c */
extern RsnSlot *rsn_place_take(void);
extern void rsn_place_leave(RsnRun *run, RsnWorkerExit reason);
extern void rsn_place_yield(RsnRun *run);
extern void rsn_place_wait_for_switch(RsnRun *run);
extern void rsn_place_pass_turn(RsnRun *run, int64 wake_at_ms);

#endif							/* RSN_WORKER_RUN_H */
