/*-------------------------------------------------------------------------
 *
 * worker/internal.h
 *	  What the files of the worker share.
 *
 *-------------------------------------------------------------------------
 */
#ifndef RSN_WORKER_INTERNAL_H
#define RSN_WORKER_INTERNAL_H

#include "worker/run.h"

typedef struct RsnWorker
{
	RsnRun		run;
	bool		is_wanted[RSN_NSTEPS];	/* what is to be run */
	bool		must_read[RSN_NSTEPS];	/* not only what was handed over */
	int64		not_before_ms[RSN_NSTEPS];	/* after a failure, or by plan */
	int64		wait_ms[RSN_NSTEPS];	/* the last one after a failure */
	bool		must_look;		/* in the next turn, at all that can be due */
	bool		is_full_look;	/* the present look begins at the start */
	int64		ask_not_before_ms[RSN_NASKS];	/* after a failure */
	int64		ask_wait_ms[RSN_NASKS]; /* the last one after a failure */
	int64		full_look_at_ms;	/* when to begin at the start again */
	int64		start_not_before_ms[RSN_NSTEPS];	/* a step that fails there */
	int64		start_wait_ms[RSN_NSTEPS];	/* the last one after that */
	int64		locked_wait_ms; /* the last one for what was left */
	bool		has_busy;		/* tasks to be offered were locked */
	int64		turn_began_ms;
	int64		next_due_ms;	/* the first of what was not due at the last
								 * look */
	bool		is_left;		/* some that was due then was not taken */
	int64		looked_at_ms;	/* before the steps of that turn */
	int64		due_ms;			/* when to look again */
	int64		last_seen_ms;	/* the clock at the last turn */
} RsnWorker;

/* worker/plan.c */
extern void rsn_plan_want(RsnWorker *worker, RsnStep step);
extern void rsn_plan_want_all(RsnWorker *worker);
extern int64 rsn_plan_wait_for_locked(int64 wait_ms);
extern int64 rsn_plan_wait_after_failure(const RsnWorker *worker,
										 int64 wait_ms, bool has_progress);
extern void rsn_plan_note_wanted(RsnWorker *worker);
extern void rsn_plan_after_failure(RsnWorker *worker, RsnStep step,
								   RsnStepEnd end);
extern void rsn_plan_after_run(RsnWorker *worker, RsnStep step, int n,
							   bool was_reading, int64 began_ms);
extern bool rsn_plan_is_ready(const RsnWorker *worker, RsnStep step);
extern int64 rsn_plan_next(const RsnWorker *worker);

/* worker/look.c */
extern bool rsn_look_note_clock(RsnWorker *worker);
extern int64 rsn_look_next(const RsnWorker *worker);
extern bool rsn_look_is_wanted(const RsnWorker *worker);
extern void rsn_look_begin(RsnWorker *worker);
extern void rsn_look_ahead(RsnWorker *worker);
extern void rsn_look_soon(RsnWorker *worker);
extern void rsn_look_for_prepared(RsnSlot *slot);
extern int64 rsn_look_due_time(const RsnWorker *worker);

#endif							/* RSN_WORKER_INTERNAL_H */
