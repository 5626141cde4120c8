/*-------------------------------------------------------------------------
 *
 * worker/step.h
 *	  Running the steps of background work.
 *
 *-------------------------------------------------------------------------
 */
#ifndef RSN_WORKER_STEP_H
#define RSN_WORKER_STEP_H

#include "worker/progress.h"

/* A step as a whole, or one row of it. */
typedef struct RsnStepPart
{
	RsnStep		step;
	int64		now_ms;
	RsnProgress *progress;
	text	   *id;				/* NULL: all of it */
	int			ntaken;			/* how many rows it took */
} RsnStepPart;

/* What a step would take. */
typedef struct RsnStepRows
{
	text	  **ids;
	int64	   *due_ms;			/* since when; NULL: it does not go by that */
	int			n;
} RsnStepRows;

extern const char *rsn_step_name(RsnStep step);
extern int	rsn_step_run(RsnStep step, int64 now_ms, int limit,
						 RsnProgress *progress);
extern void rsn_step_run_part(RsnStepPart *part);
extern void rsn_step_list(RsnStep step, int64 now_ms, RsnProgress *progress,
						  RsnStepRows *rows);
extern int64 rsn_step_next_due(RsnAsk ask, const RsnProgress *progress,
							   int64 from_ms, int64 looked_at_ms);

#endif							/* RSN_WORKER_STEP_H */
