/*-------------------------------------------------------------------------
 *
 * engine/task.c
 *	  Lock, read, decide, write: operations on tasks.
 *
 * The locks that each operation takes are listed in docs/tasks.md.  In short:
 * what concerns only the task locks only its row; what also concerns promises
 * locks those first.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "miscadmin.h"
#include "utils/builtins.h"

#include "engine/caller.h"
#include "engine/internal.h"
#include "server/clock.h"
#include "signal/wake.h"

/* An outcome that shows neither a task nor a promise. */
RsnTaskOutcome
rsn_engine_task_outcome(text *id, RsnStatus status)
{
	RsnTaskOutcome outcome = {0};

	outcome.status = status;
	outcome.id = id;
	return outcome;
}

/* Shows a task in an outcome. */
void
rsn_engine_show_task(RsnTaskOutcome *outcome, const RsnTask *task, text *pid)
{
	outcome->has_task = true;
	outcome->task = *task;
	outcome->pid = task->has_pid ? pid : NULL;
}

/* Shows the task of a promise that is settled. */
void
rsn_engine_show_fulfilled(RsnTaskOutcome *outcome, const RsnPromiseRow *promise)
{
	RsnTask		task = rsn_task_fulfilled(promise->task_version,
										  promise->core.timeout_at_ms);

	/* A settled promise keeps the version of the task that it has deleted. */
	Assert(promise->core.is_targeted && promise->task_version >= 0);
	rsn_engine_show_task(outcome, &task, NULL);
}

/* The outcome for a task that has no row: none at all, or fulfilled. */
RsnTaskOutcome
rsn_engine_without_row(text *id)
{
	RsnPromiseRow *promise = rsn_store_read_promise(id);
	RsnTaskOutcome outcome = rsn_engine_task_outcome(id, RSN_STATUS_NOT_FOUND);

	if (promise == NULL || !promise->core.is_targeted)
		return outcome;
	outcome.status = RSN_STATUS_CONFLICT;

	/* It may still seem to be pending to a transaction with an old snapshot. */
	if (promise->task_version >= 0)
		rsn_engine_show_fulfilled(&outcome, promise);
	return outcome;
}

/* Performs the decision on a locked task and makes the outcome of it. */
RsnTaskOutcome
rsn_engine_apply_task(RsnTaskRow *row, const RsnTaskDecision *decision, int64 now_ms)
{
	RsnTaskOutcome outcome = rsn_engine_task_outcome(row->id, decision->status);

	rsn_engine_write_task(row, decision, now_ms);
	rsn_engine_show_task(&outcome, &row->core, row->pid);
	return outcome;
}

static RsnTaskRow *
read_task(text *id)
{
	RsnTaskRow *row;

	rsn_store_begin();
	row = rsn_store_read_task(id);
	rsn_store_end();
	return row;
}

/*
 * Looks at a task once.  False when it was settled, or has lapsed, between the
 * looks at the promise and at the task.
 */
static bool
look_at_task(text *id, RsnTaskOutcome *result)
{
	RsnPromiseRow *promise = rsn_engine_get(id).promise;
	RsnTaskRow *row;

	*result = rsn_engine_task_outcome(id, RSN_STATUS_NOT_FOUND);
	if (promise == NULL || !promise->core.is_targeted)
		return true;
	result->status = RSN_STATUS_OK;
	result->promise = promise;
	if (promise->task_version >= 0)
	{
		rsn_engine_show_fulfilled(result, promise);
		return true;
	}

	row = read_task(id);
	if (row == NULL)
		return false;
	if (promise->core.state != RSN_PROMISE_PENDING)
	{
		/* Projected, by somebody who cannot write. */
		promise->task_version = row->core.version;
		rsn_engine_show_fulfilled(result, promise);
		return true;
	}
	rsn_engine_show_task(result, &row->core, row->pid);
	return rsn_task_is_alive(&row->core, rsn_clock_now());
}

/* The task as it is now, with its promise. */
RsnTaskOutcome
rsn_engine_get_task(text *id)
{
	RsnTaskOutcome result;

	/* It can lapse in between, or be settled, but not again and again. */
	for (int i = 0; i < 3; i++)
	{
		if (look_at_task(id, &result))
			return result;
	}
	rsn_engine_task_missing(result.promise);
	return result;
}

/*
 * The task as look finds it, or NULL with the outcome for a task without a row.
 * When there is no row, but a promise that must have one, then both were created
 * between the two looks, so look once more.  If the row is gone again, the
 * promise says how it ended.
 */
RsnTaskRow *
rsn_engine_look_for_task(text *id, RsnTaskLook look,
						 RsnTaskOutcome *without_row)
{
	RsnTaskRow *row = look(id);

	if (row != NULL)
		return row;
	*without_row = rsn_engine_without_row(id);
	if (without_row->status != RSN_STATUS_CONFLICT || without_row->has_task)
		return NULL;
	row = look(id);
	if (row == NULL)
		*without_row = rsn_engine_without_row(id);
	return row;
}

/* Acquires the version of a task that an execute message has named. */
RsnTaskOutcome
rsn_engine_acquire(text *id, int32 version, const RsnLease *lease)
{
	RsnTaskOutcome result;
	RsnTaskRow *row;

	rsn_caller_note(lease->pid);
	rsn_store_begin();
	row = rsn_engine_look_for_task(id, rsn_store_lock_task, &result);
	if (row != NULL)
	{
		/* Nobody can settle it while we have its task. */
		RsnPromiseRow *promise = rsn_store_read_promise(id);
		int64		now_ms = rsn_clock_now();
		RsnTaskDecision decision = rsn_task_acquire(&row->core, version,
													lease->ttl_ms, now_ms);

		/* There is none yet: somebody is restoring a dump. */
		if (promise == NULL)
			decision = rsn_task_guard(&row->core, -1, now_ms);
		if (decision.is_changed)
			row->pid = lease->pid;
		result = rsn_engine_apply_task(row, &decision, now_ms);
		if (result.status == RSN_STATUS_OK)
			result.promise = promise;
		Assert(result.status != RSN_STATUS_OK || result.promise != NULL);
	}
	rsn_store_end();
	return result;
}

typedef RsnTaskDecision (*TaskRule) (const RsnTask *stored, int32 version,
									 const RsnRetryPolicy *policy,
									 int64 now_ms);

/* Changes a task as a rule says that needs nothing but the task. */
static RsnTaskOutcome
change_task(text *id, int32 version, TaskRule rule)
{
	RsnTaskOutcome result;
	RsnTaskRow *row;

	rsn_store_begin();
	row = rsn_engine_look_for_task(id, rsn_store_lock_task, &result);
	if (row != NULL)
	{
		int64		now_ms = rsn_clock_now();
		RsnRetryPolicy policy = rsn_engine_retry_policy(row);
		RsnTaskDecision decision = rule(&row->core, version, &policy, now_ms);

		result = rsn_engine_apply_task(row, &decision, now_ms);
	}
	rsn_store_end();
	return result;
}

/* Gives a task back unfinished. */
RsnTaskOutcome
rsn_engine_release(text *id, int32 version)
{
	return change_task(id, version, rsn_task_release);
}

static RsnTaskDecision
halt(const RsnTask *stored, int32 version, const RsnRetryPolicy *policy,
	 int64 now_ms)
{
	return rsn_task_halt(stored, now_ms);
}

/* Keeps a task from being run. */
RsnTaskOutcome
rsn_engine_halt(text *id)
{
	return change_task(id, 0, halt);
}

static RsnTaskDecision
continue_halted(const RsnTask *stored, int32 version,
				const RsnRetryPolicy *policy, int64 now_ms)
{
	return rsn_task_continue(stored, policy, now_ms);
}

/* Lets a halted task run again. */
RsnTaskOutcome
rsn_engine_continue(text *id)
{
	return change_task(id, 0, continue_halted);
}

/* What a task that wants to wait finds; the promises are locked. */
static RsnAwaited
look_at_awaited(const RsnPromiseRow *rows, int nfound, int nwanted,
				int64 now_ms)
{
	RsnAwaited	awaited = {0};

	Assert(nfound <= nwanted);
	awaited.is_unfit = nfound < nwanted;
	for (int i = 0; i < nfound; i++)
	{
		RsnPromise	seen = rsn_promise_observe(&rows[i].core, now_ms);

		awaited.is_unfit |= !seen.is_external;
		awaited.is_settled |= seen.state != RSN_PROMISE_PENDING;
	}
	return awaited;
}

/* Has a task wait for promises, which are all different and none is its own. */
RsnTaskOutcome
rsn_engine_suspend(text *id, int32 version, text *const *awaited_ids,
				   int nawaited)
{
	RsnTaskOutcome result;
	RsnPromiseRow *promises;
	RsnTaskRow *row;
	int			nfound;

	rsn_store_begin();
	nfound = rsn_store_lock_promises(awaited_ids, nawaited, &promises);
	row = rsn_engine_look_for_task(id, rsn_store_lock_task, &result);
	if (row != NULL)
	{
		int64		now_ms = rsn_clock_now();
		RsnAwaited	awaited = look_at_awaited(promises, nfound, nawaited,
											  now_ms);
		RsnTaskDecision decision = rsn_task_suspend(&row->core, version,
													&awaited, now_ms);

		result = rsn_engine_apply_task(row, &decision, now_ms);
		if (result.status == RSN_STATUS_OK)
		{
			/* It would sleep for ever on one that does not exist. */
			Assert(nfound == nawaited);
			for (int i = 0; i < nfound; i++)
				(void) rsn_store_insert_awaiter(promises[i].id, id);
		}
	}
	rsn_store_end();
	return result;
}

/* Settles a locked promise for the holder of its task. */
static RsnTaskOutcome
fulfill_locked(RsnPromiseRow *promise, int32 version,
			   const RsnSettleRequest *request)
{
	RsnTaskSet	tasks = rsn_engine_lock_tasks_for(promise, NULL);
	RsnTaskRow *row = rsn_engine_find_task(&tasks, promise->id);
	RsnTaskOutcome result = rsn_engine_task_outcome(promise->id, RSN_STATUS_CONFLICT);
	int64		now_ms = rsn_clock_now();
	RsnTaskDecision guard;
	RsnDecision decision;

	if (row == NULL)
		return rsn_engine_without_row(promise->id);
	guard = rsn_task_guard(&row->core, version, now_ms);
	if (guard.status != RSN_STATUS_OK)
	{
		rsn_engine_show_task(&result, &guard.next, row->pid);
		return result;
	}
	decision = rsn_promise_settle(&promise->core, &request->rule, now_ms);
	if (decision.status != RSN_STATUS_CREATED)
		elog(ERROR, "the task of a promise that cannot be settled is held");
	(void) rsn_engine_apply(promise, &decision, request, &tasks, now_ms);

	result.status = RSN_STATUS_OK;
	result.promise = promise;
	rsn_engine_show_fulfilled(&result, promise);
	return result;
}

/* Ends a task with the settlement of its promise. */
RsnTaskOutcome
rsn_engine_fulfill(int32 version, const RsnSettleRequest *request)
{
	RsnTaskOutcome result = rsn_engine_task_outcome(request->id, RSN_STATUS_NOT_FOUND);
	RsnPromiseRow *promise;

	rsn_store_begin();
	promise = rsn_store_lock_promise(request->id);
	if (promise != NULL && promise->core.is_targeted)
		result = fulfill_locked(promise, version, request);
	rsn_store_end();
	return result;
}

/* True for a promise that exists and has a task; is_alive says if that is not over. */
static bool
can_await(text *id, int64 now_ms, bool *is_alive)
{
	RsnPromiseRow *row = rsn_store_read_promise(id);

	if (row == NULL || !row->core.is_targeted)
		return false;
	*is_alive = rsn_promise_observe(&row->core, now_ms).state ==
		RSN_PROMISE_PENDING;
	return true;
}

/* Has the task of a promise woken when another one settles. */
RsnOutcome
rsn_engine_register_awaiter(text *awaited_id, text *awaiter_id)
{
	RsnOutcome	result = {0};
	RsnPromiseRow *awaited;

	result.status = RSN_STATUS_NOT_FOUND;
	result.id = awaited_id;
	rsn_store_begin();
	awaited = rsn_store_lock_promise(awaited_id);
	if (awaited != NULL)
	{
		int64		now_ms = rsn_clock_now();
		RsnDecision decision = rsn_promise_register(&awaited->core, false,
													now_ms);
		bool		is_alive = false;

		if (!can_await(awaiter_id, now_ms, &is_alive))
			decision.status = RSN_STATUS_UNFIT;
		if (decision.status == RSN_STATUS_CREATED && is_alive)
			(void) rsn_store_insert_awaiter(awaited_id, awaiter_id);
		result = rsn_engine_apply(awaited, &decision, NULL, NULL, now_ms);
	}
	rsn_store_end();
	return result;
}

/*
 * Tasks in order of their ids, as they are now.  Unless NULL, next_id is where to go
 * on after a page that is not full.
 */
int
rsn_engine_search_tasks(RsnTaskState state, bool is_any_state, text *after_id,
						int limit, RsnTaskRow **rows, text **next_id)
{
	int			n;

	rsn_store_begin();
	n = rsn_store_search_tasks(state, is_any_state, after_id,
							   rsn_clock_now(), limit, rows, next_id);
	rsn_store_end();
	return n;
}
