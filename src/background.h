/*-------------------------------------------------------------------------
 *
 * background.h
 *	  The steps of background work, each of them bounded.
 *
 *-------------------------------------------------------------------------
 */
#ifndef RSN_BACKGROUND_H
#define RSN_BACKGROUND_H

#include "engine.h"

/* In the order in which they are tried. */
typedef enum RsnStep
{
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

/* What a step cannot deal with, by id; all else goes on. */
typedef struct RsnSetAside
{
	text	  **ids;
	int			n;
} RsnSetAside;

/* What is remembered from one run of a step to the next. */
typedef struct RsnProgress
{
	RsnSetAside set_aside;
	RsnPrunePosition pruned;
	int64		prune_anew_at_ms;	/* when to begin at the start again */
} RsnProgress;

extern const char *rsn_step_name(RsnStep step);
extern int	rsn_background_limit(RsnStep step);
extern int	rsn_background_step(RsnStep step, int64 now_ms, int limit,
								RsnProgress *progress);
extern int64 rsn_background_next_due(const RsnSetAside *set_aside);
extern int64 rsn_background_next_offer(int64 after_ms);
extern bool rsn_background_has_ids(RsnStep step);
extern int	rsn_background_process_timeouts(int64 now_ms);
extern void rsn_background_tick(int64 now_ms);
extern int	rsn_background_list(RsnStep step, int64 now_ms,
								const RsnSetAside *set_aside, text ***ids);
extern void rsn_background_step_one(RsnStep step, int64 now_ms, text *id);
extern bool rsn_background_has_prepared(void);

#endif							/* RSN_BACKGROUND_H */
