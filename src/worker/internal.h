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
	RsnRunner	runner;
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

extern void rsn_worker_want(RsnWorker *worker, RsnStep step);
extern void rsn_worker_want_all(RsnWorker *worker);
extern int64 rsn_worker_wait_after_failure(const RsnWorker *worker,
										   int64 wait_ms, bool has_progress);
extern int64 rsn_worker_wait_for_busy(int64 wait_ms);
extern bool rsn_worker_note_clock(RsnWorker *worker);
extern int64 rsn_worker_next_look(const RsnWorker *worker);
extern bool rsn_worker_is_look_wanted(const RsnWorker *worker);
extern void rsn_worker_begin_look(RsnWorker *worker);
extern void rsn_worker_look_ahead(RsnWorker *worker);
extern void rsn_worker_look_soon(RsnWorker *worker);
extern int64 rsn_worker_due_time(const RsnWorker *worker);

#endif							/* RSN_WORKER_INTERNAL_H */
