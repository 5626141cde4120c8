/*-------------------------------------------------------------------------
 *
 * core/task_wait.h
 *	  How long a task waits before it is offered again.
 *
 *-------------------------------------------------------------------------
 */
#ifndef RSN_CORE_TASK_WAIT_H
#define RSN_CORE_TASK_WAIT_H

#include <stdbool.h>
#include <stdint.h>

/* What the waits depend on, besides what the task has gone through. */
typedef struct RsnRetryPolicy
{
	int64_t		timeout_ms;		/* after an offer, and at the second setback */
	int64_t		timeout_max_ms; /* not less than timeout_ms */
	double		backoff;		/* factor for each further setback, >= 1 */
	double		jitter;			/* what part of the wait to leave out, 0 to 1 */
	bool		is_immediate;	/* setbacks are not waited for */
	bool		is_preferring;	/* it is for one process of a group, at first */
	bool		is_withholding; /* only who has given it back waits so long */
	double		offer_backoff;	/* factor for each further offer; to 1: none */
} RsnRetryPolicy;

extern int64_t rsn_task_setback_wait(const RsnRetryPolicy *policy,
									 int32_t setbacks);
extern int64_t rsn_task_offer_wait(const RsnRetryPolicy *policy,
								   int32_t offers);
extern int64_t rsn_task_others_wait(const RsnRetryPolicy *policy,
									int32_t setbacks, int64_t wait_ms);

#endif							/* RSN_CORE_TASK_WAIT_H */
