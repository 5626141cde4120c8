/*-------------------------------------------------------------------------
 *
 * core/task_wait.c
 *	  How long a task waits before it is offered again.
 *
 * This file owns the waits, which depend on the policy and on what the task has gone
 * through.  Like core/task.c it must not include a PostgreSQL header.
 *
 *-------------------------------------------------------------------------
 */
#include "core/task_wait.h"

/* The wait of others: what part of the retry timeout it grows by, and how often. */
#define OTHERS_WAIT_PART	50
#define OTHERS_WAIT_STEPS	10

/* The n-th of a row of waits, the first of which is exactly what the protocol says. */
static int64_t
growing_wait(const RsnRetryPolicy *policy, double backoff, int32_t n)
{
	double		wait = (double) policy->timeout_ms;

	for (int32_t i = 1; i < n && backoff > 1; i++)
	{
		wait *= backoff;
		if (wait >= (double) policy->timeout_max_ms)
			break;
	}
	if (wait > (double) policy->timeout_max_ms)
		wait = (double) policy->timeout_max_ms;
	if (n > 1)
		wait -= wait * policy->jitter;
	return (int64_t) wait;
}

/* The wait after a setback: none after the first, then growing. */
int64_t
rsn_task_setback_wait(const RsnRetryPolicy *policy, int32_t setbacks)
{
	if (setbacks <= 1 || policy->is_immediate)
		return 0;
	return growing_wait(policy, policy->backoff, setbacks - 1);
}

/*
 * The wait after an offer.  A session that asks for tasks is offered them as often as
 * the protocol says; one that is told unasked, less and less often.
 */
int64_t
rsn_task_offer_wait(const RsnRetryPolicy *policy, int32_t offers)
{
	if (policy->offer_backoff <= 1)
		return policy->timeout_ms;
	return growing_wait(policy, policy->offer_backoff, offers);
}

/*
 * The wait of those who have not given it back, for which it says little that others
 * cannot run the task: none after the second setback either, then a short one.  It
 * grows, and in the end as that of the others, since the task may be what ends every
 * process that takes it.
 */
int64_t
rsn_task_others_wait(const RsnRetryPolicy *policy, int32_t setbacks,
					 int64_t wait_ms)
{
	double		step = (double) policy->timeout_ms / OTHERS_WAIT_PART;
	double		wait = 0;

	for (int32_t i = 2; i < setbacks && wait < (double) wait_ms; i++)
		wait = i <= OTHERS_WAIT_STEPS ? wait + step : wait * 2;
	return wait < (double) wait_ms ? (int64_t) wait : wait_ms;
}
