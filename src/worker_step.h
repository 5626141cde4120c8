/*-------------------------------------------------------------------------
 *
 * worker_step.h
 *	  One step of the worker: its transaction, and what becomes of a failure.
 *
 *-------------------------------------------------------------------------
 */
#ifndef RSN_WORKER_STEP_H
#define RSN_WORKER_STEP_H

#include "background.h"
#include "shared.h"

typedef struct RsnRunner
{
	RsnSlot    *slot;
	MemoryContext scratch;		/* reset after each transaction */
	MemoryContext set_aside_context;
	RsnProgress progress;
	int64		forget_at_ms;	/* when to try those set aside again */
} RsnRunner;

/* What is done in a transaction, in the scratch context. */
typedef void (*RsnAction) (RsnRunner *runner, void *arg);

extern void rsn_runner_init(RsnRunner *runner, RsnSlot *slot);
extern void rsn_runner_leave(RsnRunner *runner, RsnWorkerExit reason);
extern bool rsn_runner_try(RsnRunner *runner, const char *activity,
						   RsnAction action, void *arg);
extern int	rsn_runner_step(RsnRunner *runner, RsnStep step);
extern bool rsn_runner_has_set_aside(const RsnRunner *runner);
extern void rsn_runner_forget(RsnRunner *runner);

#endif							/* RSN_WORKER_STEP_H */
