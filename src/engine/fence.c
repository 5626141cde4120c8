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

#include "engine/internal.h"
#include "server/clock.h"
#include "server/id.h"

/* The status of a fence on a task that was just read, NULL for no row. */
static RsnStatus
guard_status(text *id, const RsnTaskRow *row, int32 version)
{
	if (row == NULL)
		return rsn_engine_without_row(id).status;
	return rsn_task_guard(&row->core, version, rsn_clock_now()).status;
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
 * Does what a fence guards to the inner promise, which exists and is locked: a
 * settlement, or what a create does.
 */
static void
fence_locked(text *id, int32 version, RsnPromiseRow *inner,
			 const RsnFenceAction *action, RsnFenceOutcome *result)
{
	RsnTaskSet	tasks = rsn_engine_lock_tasks_for(inner, id);
	RsnDecision decision;
	int64		now_ms;

	/* The task would be deleted under the eyes of who proves its lease. */
	Assert(!rsn_id_equals(inner->id, id));
	result->status = guard_status(id, rsn_engine_find_task(&tasks, id),
								  version);
	if (result->status != RSN_STATUS_OK)
		return;
	now_ms = rsn_clock_now();
	if (action->create != NULL)
		decision = rsn_promise_create(&inner->core, &action->create->rule,
									  now_ms);
	else
		decision = rsn_promise_settle(&inner->core, &action->settle->rule,
									  now_ms);
	result->inner = rsn_engine_apply(inner, &decision, action->settle, &tasks,
									 now_ms);
}

/*
 * Creates the inner promise, unless it exists.  The promise has to be inserted
 * before the task may be locked, so if the lease is lost by then, it is deleted
 * again.
 */
static void
fence_create(text *id, int32 version, const RsnFenceAction *action,
			 RsnFenceOutcome *result)
{
	const RsnCreateRequest *request = action->create;
	RsnFound	found = rsn_engine_insert_or_find(request, rsn_clock_now(), false,
												  &result->inner);

	if (found == RSN_FOUND_LOCKED)
	{
		fence_locked(id, version, result->inner.promise, action, result);
		return;
	}
	result->status = share_guard(id, version);
	if (found == RSN_FOUND_READ)
		return;
	if (result->status == RSN_STATUS_OK)
		rsn_engine_offer_new(result->inner.promise, request);
	else
		rsn_store_delete_promise(request->id);
}

static void
fence_settle(text *id, int32 version, const RsnFenceAction *action,
			 RsnFenceOutcome *result)
{
	RsnPromiseRow *inner = rsn_store_lock_promise(action->settle->id);

	if (inner != NULL)
	{
		fence_locked(id, version, inner, action, result);
		return;
	}
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

	Assert(action->create == NULL || action->settle == NULL);
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
