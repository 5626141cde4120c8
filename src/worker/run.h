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
#include "worker/step.h"

typedef struct RsnRunner
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
} RsnRunner;

/* How a step has ended. */
typedef enum RsnStepEnd
{
	RSN_STEP_DONE,
	RSN_STEP_PARTLY,			/* row by row, since it fails as a whole */
	RSN_STEP_FAILED				/* nothing has happened */
} RsnStepEnd;

/* What is done in a transaction, in the scratch context. */
typedef void (*RsnAction) (RsnRunner *runner, void *arg);

extern void rsn_runner_init(RsnRunner *runner, RsnSlot *slot);
extern bool rsn_runner_try(RsnRunner *runner, const char *activity,
						   RsnAction action, void *arg);
extern RsnStepEnd rsn_runner_step(RsnRunner *runner, RsnStep step, int *n);
extern int64 rsn_runner_next_release(const RsnRunner *runner);
extern void rsn_runner_release(RsnRunner *runner);

/* worker/place.c */
extern RsnSlot *rsn_worker_attach(void);
extern void rsn_runner_leave(RsnRunner *runner, RsnWorkerExit reason);
extern void rsn_runner_yield(RsnRunner *runner);
extern void rsn_runner_wait_for_switch(RsnRunner *runner);
extern void rsn_runner_pass_turn(RsnRunner *runner, int64 wake_at_ms);

#endif							/* RSN_WORKER_RUN_H */
