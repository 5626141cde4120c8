/*-------------------------------------------------------------------------
 *
 * engine/fence.c
 *	  Lock, read, decide, write: what is done with proof of a lease.
 *
 * A fence concerns two objects: the task whose lease is proved, and the inner
 * promise, which is created or settled.  The lock order puts the promise first,
 * so whether the lease holds is known for certain only when the promise is
 * locked, or inserted, already.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "miscadmin.h"

#include "engine/internal.h"
#include "server/clock.h"

/* The status of a fence on a task that was just read, NULL for no row. */
static RsnStatus
guard_status(text *id, const RsnTaskRow *row, int32 version)
{
	if (row == NULL)
		return rsn_engine_without_row(id).status;
	return rsn_task_guard(&row->core, version, rsn_clock_now()).status;
}

/*
 * Does what a fence guards to the inner promise that exists: a settlement, or
 * the answer to a create.  False when the promise is gone again.
 */
static bool
try_fence_existing(text *id, int32 version, text *inner_id,
				   const RsnFenceAction *action, RsnFenceOutcome *result)
{
	RsnPromiseRow *inner = rsn_store_lock_promise(inner_id);
	RsnTaskSet	tasks;
	RsnDecision decision;
	int64		now_ms;

	if (inner == NULL)
		return false;
	tasks = rsn_engine_lock_tasks_for(inner, id);
	result->status = guard_status(id, rsn_engine_find_task(&tasks, id),
								  version);
	if (result->status != RSN_STATUS_OK)
		return true;

	now_ms = rsn_clock_now();
	if (action->create != NULL)
		decision = rsn_promise_create(&inner->core, &action->create->rule,
									  now_ms);
	else
		decision = rsn_promise_settle(&inner->core, &action->settle->rule,
									  now_ms);
	result->inner = rsn_engine_apply(inner, &decision, action->settle, &tasks,
									 now_ms);
	return true;
}

static RsnStatus
look_and_guard(text *id, int32 version, RsnTaskLook look)
{
	RsnTaskOutcome without_row;
	RsnTaskRow *row = rsn_engine_look_for_task(id, look, &without_row);

	return row != NULL ? guard_status(id, row, version) : without_row.status;
}

/* Holds the task for as long as this transaction lasts; others may do so too. */
static RsnStatus
share_guard(text *id, int32 version)
{
	return look_and_guard(id, version, rsn_store_share_task);
}

/*
 * Creates the inner promise, unless it exists.  The promise has to be inserted
 * before the task may be locked, so if the lease is lost by then, it is deleted
 * again.
 */
static bool
try_fence_insert(text *id, int32 version, const RsnCreateRequest *request,
				 RsnFenceOutcome *result)
{
	if (!rsn_engine_try_insert(request, rsn_clock_now(), &result->inner))
		return false;
	result->status = share_guard(id, version);
	if (result->status == RSN_STATUS_OK)
		rsn_engine_offer_new(result->inner.promise, request);
	else
		rsn_store_delete_promise(request->id);
	return true;
}

/* Answers the create of a promise that exists and has not lapsed. */
static bool
try_fence_answer(text *id, int32 version, const RsnCreateRequest *request,
				 RsnFenceOutcome *result)
{
	RsnPromiseRow *inner = rsn_store_read_promise(request->id);
	int64		now_ms = rsn_clock_now();
	RsnDecision decision;

	if (inner == NULL || rsn_promise_is_lapsed(&inner->core, now_ms))
		return false;
	result->status = share_guard(id, version);
	decision = rsn_promise_create(&inner->core, &request->rule, now_ms);
	decision.next = inner->core;
	result->inner = rsn_engine_unwritten(inner, &decision);
	return true;
}

static void
fence_create(text *id, int32 version, const RsnFenceAction *action,
			 RsnFenceOutcome *result)
{
	while (!try_fence_insert(id, version, action->create, result) &&
		   !try_fence_answer(id, version, action->create, result) &&
		   !try_fence_existing(id, version, action->create->id, action,
							   result))
		CHECK_FOR_INTERRUPTS();
}

static void
fence_settle(text *id, int32 version, const RsnFenceAction *action,
			 RsnFenceOutcome *result)
{
	if (try_fence_existing(id, version, action->settle->id, action, result))
		return;
	result->status = share_guard(id, version);
	result->inner.status = RSN_STATUS_NOT_FOUND;
	result->inner.id = action->settle->id;
}

/*
 * Creates or settles another promise with proof of the lease, or does nothing.
 * The other promise must not be the task's own.  Without an action it only
 * proves the lease.
 */
RsnFenceOutcome
rsn_engine_fence(text *id, int32 version, const RsnFenceAction *action)
{
	RsnFenceOutcome result = {0};

	rsn_store_begin();
	result.status = look_and_guard(id, version, rsn_store_read_task);
	if (result.status == RSN_STATUS_OK && action->create != NULL)
		fence_create(id, version, action, &result);
	else if (result.status == RSN_STATUS_OK && action->settle != NULL)
		fence_settle(id, version, action, &result);
	else if (result.status == RSN_STATUS_OK)
		result.status = share_guard(id, version);
	if (result.status != RSN_STATUS_OK)
		memset(&result.inner, 0, sizeof(result.inner));
	rsn_store_end();
	return result;
}
