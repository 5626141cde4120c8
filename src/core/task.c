/*-------------------------------------------------------------------------
 *
 * core/task.c
 *	  The task of a targeted promise as a pure state machine.
 *
 * This file owns every rule about tasks.  Like core/promise.c it must not include a
 * PostgreSQL header.
 *
 *----------
 *		edge						function
 *		(none) -> PENDING			rsn_task_new_pending
 *		(none) -> ACQUIRED			rsn_task_new_acquired
 *		(none) -> FULFILLED			rsn_task_fulfilled, born past its deadline
 *		PENDING -> ACQUIRED			rsn_task_acquire, rsn_task_take
 *		PENDING -> PENDING			rsn_task_offer, rsn_task_offer_to_others
 *		ACQUIRED -> PENDING			rsn_task_release, rsn_task_end_lease
 *		ACQUIRED -> SUSPENDED		rsn_task_suspend
 *		ACQUIRED -> ACQUIRED		rsn_task_heartbeat; rsn_task_suspend that
 *									finds an awaited promise settled
 *		either -> itself			rsn_task_set_right
 *		SUSPENDED -> PENDING		rsn_task_resume
 *		any but FULFILLED -> HALTED	rsn_task_halt
 *		HALTED -> PENDING			rsn_task_continue
 *		any -> FULFILLED			its promise settles: no row is left
 *
 *		The deadline comes first: a task whose promise is past its deadline is
 *		fulfilled, whatever is stored.
 *
 *		Invariants, checked by rsn_task_check after every load and before every
 *		store:
 *		 1. ACQUIRED exactly when there is a pid, a ttl and version >= 1
 *		 2. the clock is zero unless PENDING or ACQUIRED
 *		 3. SUSPENDED, FULFILLED: no resumes
 *		 4. version, resumes, setbacks, offers >= 0
 *		 5. no offers, and no clock of others, unless PENDING
 *----------
 *
 *-------------------------------------------------------------------------
 */
#include "core/task.h"

#include <string.h>

static const char *const state_names[RSN_TASK_NSTATES] = {
	"pending",
	"acquired",
	"suspended",
	"halted",
	"fulfilled"
};

static RsnTaskDecision
decide_unchanged(const RsnTask *stored, RsnStatus status, int64_t now_ms)
{
	RsnTaskDecision decision = {0};

	decision.status = status;
	decision.next = rsn_task_observe(stored, now_ms);
	return decision;
}

static RsnTaskDecision
decide_change(const RsnTask *next)
{
	RsnTaskDecision decision = {0};

	decision.status = RSN_STATUS_OK;
	decision.is_changed = true;
	decision.next = *next;
	return decision;
}

/* Takes the lease and the clocks away. */
static void
clear_lease(RsnTask *task)
{
	task->has_pid = false;
	task->ttl_ms = 0;
	task->clock_at_ms = 0;
	task->offers = 0;
	task->others_at_ms = 0;
}

/* The one process that it is for may be gone, so it is not the only one for long. */
static void
make_pending(RsnTask *task, int64_t offer_at_ms, const RsnRetryPolicy *policy)
{
	clear_lease(task);
	task->state = RSN_TASK_PENDING;
	task->clock_at_ms = offer_at_ms;
	if (policy->is_preferring)
		task->others_at_ms = rsn_deadline_after(offer_at_ms,
												policy->timeout_ms);
}

static void
make_acquired(RsnTask *task, int64_t ttl_ms, int64_t now_ms)
{
	task->state = RSN_TASK_ACQUIRED;
	task->has_pid = true;
	task->version++;
	task->resumes = 0;
	task->offers = 0;
	task->ttl_ms = ttl_ms;
	task->clock_at_ms = rsn_deadline_after(now_ms, ttl_ms);
	task->others_at_ms = 0;
}

/* Back into the queue without having got further. */
static RsnTask
set_back(const RsnTask *stored, const RsnRetryPolicy *policy, int64_t now_ms)
{
	RsnTask		next = *stored;
	int64_t		wait_ms;

	if (next.setbacks < INT32_MAX)
		next.setbacks++;
	wait_ms = rsn_task_setback_wait(policy, next.setbacks);
	make_pending(&next, rsn_deadline_after(now_ms, wait_ms), policy);
	if (wait_ms > 0 && policy->is_withholding)
		next.others_at_ms =
			rsn_deadline_after(now_ms, rsn_task_others_wait(policy, next.setbacks,
															wait_ms));
	return next;
}

/* True while the promise of the task is not past its deadline. */
bool
rsn_task_is_alive(const RsnTask *stored, int64_t now_ms)
{
	return stored->state != RSN_TASK_FULFILLED &&
		now_ms < stored->timeout_at_ms;
}

/* The task as every reader must see it at now. */
RsnTask
rsn_task_observe(const RsnTask *stored, int64_t now_ms)
{
	if (rsn_task_is_alive(stored, now_ms))
		return *stored;
	return rsn_task_fulfilled(stored->version, stored->timeout_at_ms);
}

/* A task whose promise is settled: only the version is left. */
RsnTask
rsn_task_fulfilled(int32_t version, int64_t timeout_at_ms)
{
	RsnTask		task = {0};

	task.state = RSN_TASK_FULFILLED;
	task.version = version;
	task.timeout_at_ms = timeout_at_ms;
	return task;
}

RsnTask
rsn_task_new_pending(int64_t timeout_at_ms, int64_t offer_at_ms,
					 const RsnRetryPolicy *policy)
{
	RsnTask		task = {0};

	task.timeout_at_ms = timeout_at_ms;
	make_pending(&task, offer_at_ms, policy);
	return task;
}

RsnTask
rsn_task_new_acquired(int64_t timeout_at_ms, int64_t ttl_ms, int64_t now_ms)
{
	RsnTask		task = {0};

	task.timeout_at_ms = timeout_at_ms;
	make_acquired(&task, ttl_ms, now_ms);
	return task;
}

/* OK for who holds the lease of that version; else CONFLICT. */
RsnTaskDecision
rsn_task_guard(const RsnTask *stored, int32_t version, int64_t now_ms)
{
	RsnStatus	status = RSN_STATUS_OK;

	if (!rsn_task_is_alive(stored, now_ms) ||
		stored->state != RSN_TASK_ACQUIRED || stored->version != version)
		status = RSN_STATUS_CONFLICT;
	return decide_unchanged(stored, status, now_ms);
}

/* Acquire the version that an execute message has named. */
RsnTaskDecision
rsn_task_acquire(const RsnTask *stored, int32_t version, int64_t ttl_ms,
				 int64_t now_ms)
{
	if (stored->version != version)
		return decide_unchanged(stored, RSN_STATUS_CONFLICT, now_ms);
	return rsn_task_take(stored, ttl_ms, now_ms);
}

/* Acquire whatever version, as the creator of the promise may. */
RsnTaskDecision
rsn_task_take(const RsnTask *stored, int64_t ttl_ms, int64_t now_ms)
{
	RsnTask		next = *stored;

	/* A version that cannot be counted further can never be issued again. */
	if (!rsn_task_is_alive(stored, now_ms) ||
		stored->state != RSN_TASK_PENDING || stored->version == INT32_MAX)
		return decide_unchanged(stored, RSN_STATUS_CONFLICT, now_ms);
	make_acquired(&next, ttl_ms, now_ms);
	return decide_change(&next);
}

/* Give the lease back unfinished. */
RsnTaskDecision
rsn_task_release(const RsnTask *stored, int32_t version,
				 const RsnRetryPolicy *policy, int64_t now_ms)
{
	RsnTaskDecision decision = rsn_task_guard(stored, version, now_ms);
	RsnTask		next;

	if (decision.status != RSN_STATUS_OK)
		return decision;
	next = set_back(stored, policy, now_ms);
	return decide_change(&next);
}

/*
 * Wait for other promises.  REDIRECT: one of them is settled already, so the
 * holder goes on and nothing is registered.
 */
RsnTaskDecision
rsn_task_suspend(const RsnTask *stored, int32_t version,
				 const RsnAwaited *awaited, int64_t now_ms)
{
	RsnTaskDecision decision = rsn_task_guard(stored, version, now_ms);
	RsnTask		next = *stored;

	if (decision.status != RSN_STATUS_OK)
		return decision;
	if (awaited->is_unfit)
		return decide_unchanged(stored, RSN_STATUS_UNFIT, now_ms);

	next.resumes = 0;
	if (!awaited->is_settled)
	{
		clear_lease(&next);
		next.state = RSN_TASK_SUSPENDED;
		next.setbacks = 0;
	}
	decision = decide_change(&next);
	if (awaited->is_settled)
		decision.status = RSN_STATUS_REDIRECT;
	return decision;
}

/* Extend the lease by its own ttl; what is not the holder's is left alone. */
RsnTaskDecision
rsn_task_heartbeat(const RsnTask *stored, int32_t version, bool is_holder,
				   int64_t now_ms)
{
	RsnTaskDecision decision = rsn_task_guard(stored, version, now_ms);
	RsnTask		next = *stored;

	if (decision.status != RSN_STATUS_OK || !is_holder)
		return decide_unchanged(stored, RSN_STATUS_OK, now_ms);
	next.clock_at_ms = rsn_deadline_after(now_ms, stored->ttl_ms);
	return decide_change(&next);
}

/* Keep the task from being run; halting twice is no conflict. */
RsnTaskDecision
rsn_task_halt(const RsnTask *stored, int64_t now_ms)
{
	RsnTask		next = *stored;

	if (!rsn_task_is_alive(stored, now_ms))
		return decide_unchanged(stored, RSN_STATUS_CONFLICT, now_ms);
	if (stored->state == RSN_TASK_HALTED)
		return decide_unchanged(stored, RSN_STATUS_OK, now_ms);
	clear_lease(&next);
	next.state = RSN_TASK_HALTED;
	return decide_change(&next);
}

/* Let a halted task run again. */
RsnTaskDecision
rsn_task_continue(const RsnTask *stored, const RsnRetryPolicy *policy,
				  int64_t now_ms)
{
	RsnTask		next = *stored;

	if (!rsn_task_is_alive(stored, now_ms) ||
		stored->state != RSN_TASK_HALTED)
		return decide_unchanged(stored, RSN_STATUS_CONFLICT, now_ms);
	next.setbacks = 0;
	make_pending(&next, now_ms, policy);
	return decide_change(&next);
}

/*
 * Promises that it awaited have settled.  The deadline of its own promise wins:
 * a task past it is not woken.
 */
RsnTaskDecision
rsn_task_resume(const RsnTask *stored, int32_t resumes,
				const RsnRetryPolicy *policy, int64_t now_ms)
{
	RsnTask		next = *stored;

	if (!rsn_task_is_alive(stored, now_ms))
		return decide_unchanged(stored, RSN_STATUS_OK, now_ms);
	next.resumes = stored->resumes > INT32_MAX - resumes ? INT32_MAX
		: stored->resumes + resumes;
	if (stored->state == RSN_TASK_SUSPENDED)
		make_pending(&next, now_ms, policy);
	return decide_change(&next);
}

/* The lease has ended without word from its holder. */
RsnTaskDecision
rsn_task_end_lease(const RsnTask *stored, const RsnRetryPolicy *policy,
				   int64_t now_ms)
{
	RsnTask		next;

	if (!rsn_task_is_alive(stored, now_ms) ||
		stored->state != RSN_TASK_ACQUIRED || stored->clock_at_ms > now_ms)
		return decide_unchanged(stored, RSN_STATUS_OK, now_ms);
	next = set_back(stored, policy, now_ms);
	return decide_change(&next);
}

/* The task is offered to a worker, and will be again unless it is acquired. */
RsnTaskDecision
rsn_task_offer(const RsnTask *stored, const RsnRetryPolicy *policy,
			   int64_t now_ms)
{
	RsnTask		next = *stored;

	if (!rsn_task_is_alive(stored, now_ms) ||
		stored->state != RSN_TASK_PENDING || stored->clock_at_ms > now_ms)
		return decide_unchanged(stored, RSN_STATUS_OK, now_ms);
	if (next.offers < INT32_MAX)
		next.offers++;
	next.clock_at_ms = rsn_deadline_after(now_ms,
										  rsn_task_offer_wait(policy, next.offers));

	/* Others who take from the same queue have had this offer, too. */
	if (!policy->is_preferring && next.others_at_ms > 0 &&
		next.others_at_ms < next.clock_at_ms)
		next.others_at_ms = next.clock_at_ms;
	return decide_change(&next);
}

/* The same before its clock, or where it is not for: an offer to others. */
RsnTaskDecision
rsn_task_offer_to_others(const RsnTask *stored, const RsnRetryPolicy *policy,
						 int64_t now_ms)
{
	RsnTask		next = *stored;

	if (!rsn_task_is_alive(stored, now_ms) ||
		stored->state != RSN_TASK_PENDING || stored->others_at_ms == 0 ||
		stored->others_at_ms > now_ms)
		return decide_unchanged(stored, RSN_STATUS_OK, now_ms);
	next.others_at_ms = rsn_deadline_after(now_ms, policy->timeout_ms);

	/* Its own clock moves when it is due, and not before. */
	if (next.clock_at_ms <= now_ms)
		next.clock_at_ms = next.others_at_ms;
	return decide_change(&next);
}

/*
 * The clock was set by one that was ahead, if it is later than it can be: a lease is
 * then a full one from now, and the next offer is now, unless it was put off until a
 * given instant.
 */
RsnTaskDecision
rsn_task_set_right(const RsnTask *stored, const RsnRetryPolicy *policy,
				   int64_t delay_until_ms, int64_t now_ms)
{
	bool		is_acquired = stored->state == RSN_TASK_ACQUIRED;
	int64_t		wait_ms = is_acquired ? stored->ttl_ms : policy->timeout_max_ms;
	int64_t		right_ms = is_acquired ? rsn_deadline_after(now_ms, wait_ms) : now_ms;
	int64_t		latest_ms;
	RsnTask		next = *stored;

	latest_ms = rsn_deadline_after(rsn_deadline_after(now_ms, wait_ms),
								   RSN_TASK_CLOCK_TOLERANCE_MS);
	if (!is_acquired && delay_until_ms > now_ms)
	{
		right_ms = delay_until_ms;
		if (latest_ms < delay_until_ms)
			latest_ms = delay_until_ms;
	}
	if (!rsn_task_is_alive(stored, now_ms) || stored->clock_at_ms <= latest_ms)
		return decide_unchanged(stored, RSN_STATUS_OK, now_ms);
	next.clock_at_ms = right_ms;
	if (next.others_at_ms > right_ms)
		next.others_at_ms = policy->is_preferring
			? rsn_deadline_after(right_ms, policy->timeout_ms) : right_ms;
	return decide_change(&next);
}

/* The name of an invariant that the record violates, or NULL. */
const char *
rsn_task_check(const RsnTask *task)
{
	bool		is_acquired = task->state == RSN_TASK_ACQUIRED;
	bool		has_clock = is_acquired || task->state == RSN_TASK_PENDING;

	if (is_acquired != task->has_pid)
		return "acquired_iff_has_pid";
	if (task->ttl_ms < 0 || is_acquired != (task->ttl_ms > 0))
		return "acquired_iff_has_ttl";
	if (is_acquired && task->version < 1)
		return "acquired_version_positive";
	if (!has_clock && task->clock_at_ms != 0)
		return "clock_only_while_pending_or_acquired";
	if (task->others_at_ms != 0 && task->state != RSN_TASK_PENDING)
		return "others_only_while_pending";
	if (task->resumes != 0 && (task->state == RSN_TASK_SUSPENDED ||
							   task->state == RSN_TASK_FULFILLED))
		return "suspended_or_fulfilled_has_no_resumes";
	if (task->version < 0 || task->resumes < 0 || task->setbacks < 0 ||
		task->offers < 0)
		return "counters_not_negative";
	if (task->offers != 0 && task->state != RSN_TASK_PENDING)
		return "offers_only_while_pending";
	if ((unsigned) task->state >= RSN_TASK_NSTATES)
		return "state_is_known";
	return NULL;
}

/*
 * The name of an invariant that a step from one stored task to the next violates,
 * or NULL.  A version is handed out once: it grows by one with each acquisition,
 * and only then.
 */
const char *
rsn_task_check_step(const RsnTask *before, const RsnTask *after)
{
	bool		is_acquired = before->state == RSN_TASK_PENDING &&
	after->state == RSN_TASK_ACQUIRED;

	if (before->state == RSN_TASK_FULFILLED)
		return "fulfilment_is_final";
	if (after->state == RSN_TASK_ACQUIRED && !is_acquired &&
		before->state != RSN_TASK_ACQUIRED)
		return "only_pending_is_acquired";
	if (after->state == RSN_TASK_SUSPENDED &&
		before->state != RSN_TASK_ACQUIRED)
		return "only_acquired_is_suspended";
	if ((int64_t) after->version - before->version != (is_acquired ? 1 : 0))
		return "version_counts_acquisitions";
	if (before->timeout_at_ms != after->timeout_at_ms)
		return "deadline_is_final";
	return NULL;
}

/* The public name of a state; the labels of resonate.task_state and "fulfilled". */
const char *
rsn_task_state_name(RsnTaskState state)
{
	return state_names[state];
}

/* Looks a state up by its public name; false when there is none such. */
bool
rsn_task_state_from_name(const char *name, RsnTaskState *state)
{
	for (int i = 0; i < RSN_TASK_NSTATES; i++)
	{
		if (strcmp(name, state_names[i]) == 0)
		{
			*state = (RsnTaskState) i;
			return true;
		}
	}
	return false;
}
