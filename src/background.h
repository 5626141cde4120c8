/*-------------------------------------------------------------------------
 *
 * background.h
 *	  The steps of background work, each of them bounded.
 *
 *-------------------------------------------------------------------------
 */
#ifndef RSN_BACKGROUND_H
#define RSN_BACKGROUND_H

/* In the order in which they are tried. */
typedef enum RsnStep
{
	RSN_STEP_TIMEOUT,			/* settle promises past their deadline */
	RSN_STEP_DELIVER,			/* notify */
	RSN_STEP_RECONCILE,			/* fire callbacks that a restore has left */
	RSN_STEP_PRUNE				/* delete old history */
} RsnStep;

#define RSN_NSTEPS (RSN_STEP_PRUNE + 1)

/* Promises that cannot be timed out; the others go on. */
typedef struct RsnSetAside
{
	text	  **ids;
	int			n;
} RsnSetAside;

extern const char *rsn_step_name(RsnStep step);
extern int	rsn_background_step(RsnStep step, int64 now_ms, int limit,
								const RsnSetAside *set_aside);
extern int64 rsn_background_next_due(const RsnSetAside *set_aside);
extern int	rsn_background_list(RsnStep step, int64 now_ms,
								const RsnSetAside *set_aside, text ***ids);
extern void rsn_background_step_one(RsnStep step, int64 now_ms, text *id);
extern bool rsn_background_has_prepared(void);

#endif							/* RSN_BACKGROUND_H */
