/*-------------------------------------------------------------------------
 *
 * engine/create.c
 *	  Lock, read, decide, write: promises that are created one by one.
 *
 * A create inserts its promise or finds the one that has the id, whether it creates a
 * promise alone, with a callback, with its task taken, or under a fence
 * (engine/fence.c).  What depends on the insert happens only if this call's insert
 * produced a row.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "miscadmin.h"

#include "engine/caller.h"
#include "engine/internal.h"
#include "server/clock.h"

/* Makes the record that the decision wants out of a request to create. */
RsnPromiseRow
rsn_engine_new_row(const RsnCreateRequest *request,
				   const RsnDecision *decision)
{
	RsnPromiseRow row = {0};

	Assert(decision->write == RSN_WRITE_INSERT);
	Assert(decision->next.is_targeted == (request->target != NULL));
	row.core = decision->next;
	row.id = request->id;
	row.key_for_create = request->key;
	row.tags = (struct varlena *) request->tags;
	row.param = request->param;
	row.task_version = -1;
	if (decision->next.is_targeted &&
		decision->next.state != RSN_PROMISE_PENDING)
		row.task_version = 0;	/* born fulfilled */
	return row;
}

/* Inserts the promise without its task, unless its id exists. */
static bool
try_insert(const RsnCreateRequest *request, int64 now_ms, RsnOutcome *outcome)
{
	RsnDecision decision = rsn_promise_create(NULL, &request->rule, now_ms);
	RsnPromiseRow *row = rsn_store_alloc(sizeof(RsnPromiseRow));

	*row = rsn_engine_new_row(request, &decision);
	if (!rsn_store_insert_promise(row))
		return false;
	rsn_engine_note_write(row);
	outcome->status = decision.status;
	outcome->id = row->id;
	outcome->promise = row;
	return true;
}

/* Reads the promise that has the id; false when it is gone, or is to be settled. */
static bool
try_read(const RsnCreateRequest *request, RsnOutcome *outcome)
{
	RsnPromiseRow *row = rsn_store_read_promise(request->id);
	RsnDecision decision;

	/* A separate statement, so that its snapshot sees who won the insert. */
	if (row == NULL)
		return false;
	decision = rsn_promise_create(&row->core, &request->rule, rsn_clock_now());
	Assert(decision.status != RSN_STATUS_CREATED);
	if (decision.write != RSN_WRITE_NONE)
		return false;
	*outcome = rsn_engine_unwritten(row, &decision);
	return true;
}

/*
 * Inserts the promise without its task, or finds the one that has the id.  It is
 * locked if it is to be settled or the caller wants the lock; the decision upon it is
 * then the caller's, after its last wait.  Otherwise the outcome is that of the create.
 */
RsnFound
rsn_engine_insert_or_find(const RsnCreateRequest *request, int64 now_ms,
						  bool wants_lock, RsnOutcome *outcome)
{
	memset(outcome, 0, sizeof(*outcome));
	outcome->id = request->id;
	for (;;)
	{
		if (try_insert(request, now_ms, outcome))
			return RSN_FOUND_NONE;
		if (!wants_lock && try_read(request, outcome))
			return RSN_FOUND_READ;
		outcome->promise = rsn_store_lock_promise(request->id);
		if (outcome->promise != NULL)
			return RSN_FOUND_LOCKED;

		/* It was there and is gone: rolled back, or pruned. */
		CHECK_FOR_INTERRUPTS();
	}
}

/* Inserts the promise, with its task if it has one, unless its id exists. */
static RsnOutcome
create(const RsnCreateRequest *request, int64 now_ms)
{
	RsnOutcome	outcome;
	RsnFound	found = rsn_engine_insert_or_find(request, now_ms, false, &outcome);

	if (found == RSN_FOUND_NONE)
		rsn_engine_offer_new(outcome.promise, request);
	else if (found == RSN_FOUND_LOCKED)
	{
		RsnDecision decision;

		now_ms = rsn_clock_now();
		decision = rsn_promise_create(&outcome.promise->core, &request->rule,
									  now_ms);
		outcome = rsn_engine_apply(outcome.promise, &decision, NULL, NULL, now_ms);
	}
	return outcome;
}

/* Creates a promise as of now, or returns the one that has the id. */
RsnOutcome
rsn_engine_create(const RsnCreateRequest *request, int64 now_ms)
{
	RsnOutcome	outcome;

	rsn_store_begin();
	outcome = create(request, now_ms);
	rsn_store_end();
	return outcome;
}

/*
 * Creates a promise and registers a callback on it: both or neither.  A promise that
 * somebody else has just created gets no callback.
 */
RsnOutcome
rsn_engine_create_and_register(const RsnCreateRequest *request,
							   RsnCallbackRow *callback, int64 now_ms)
{
	RsnOutcome	outcome = {0};

	if (!request->rule.is_external)
	{
		outcome.status = RSN_STATUS_NOT_EXTERNAL;
		outcome.id = request->id;
		return outcome;
	}

	rsn_store_begin();
	outcome = create(request, now_ms);
	if (outcome.status == RSN_STATUS_CREATED &&
		outcome.promise->core.state == RSN_PROMISE_PENDING)
	{
		callback->created_at_ms = outcome.promise->core.created_at_ms;
		if (!rsn_store_insert_callback(callback))
			elog(ERROR, "a promise that was just created has a callback");
		outcome.callback = callback;
	}
	rsn_store_end();
	return outcome;
}

/* The promise that was just created, with its task held by the creator. */
static RsnTaskOutcome
outcome_taken_at_birth(const RsnCreateRequest *request, const RsnLease *lease,
					   RsnPromiseRow *promise, int64 now_ms)
{
	RsnTaskOutcome outcome = rsn_engine_task_outcome(request->id, RSN_STATUS_CREATED);
	RsnTask		task;

	Assert(promise->core.is_targeted);
	outcome.promise = promise;
	if (promise->core.state != RSN_PROMISE_PENDING)
	{
		rsn_engine_show_fulfilled(&outcome, promise);
		return outcome;
	}
	task = rsn_task_new_acquired(promise->core.timeout_at_ms, lease->ttl_ms,
								 now_ms);
	rsn_engine_insert_task(request, &task, lease->pid);
	rsn_engine_show_task(&outcome, &task, lease->pid);
	return outcome;
}

/* Takes the locked task of a promise that is locked, pending and targeted. */
static RsnTaskOutcome
take_task(RsnPromiseRow *promise, const RsnTaskSet *tasks,
		  const RsnLease *lease, int64 now_ms)
{
	RsnTaskOutcome outcome;
	RsnTaskRow *row = rsn_engine_find_task(tasks, promise->id);
	RsnTaskDecision decision;

	Assert(promise->core.is_targeted &&
		   promise->core.state == RSN_PROMISE_PENDING);
	if (row == NULL)
	{
		rsn_engine_task_missing(promise);
		return rsn_engine_task_outcome(promise->id, RSN_STATUS_CONFLICT);
	}
	decision = rsn_task_take(&row->core, lease->ttl_ms, now_ms);
	if (decision.is_changed)
		row->pid = lease->pid;
	outcome = rsn_engine_apply_task(row, &decision, now_ms);
	outcome.promise = promise;
	return outcome;
}

/*
 * Takes the task of a promise that exists and is locked.  With keys, what another key
 * has created is not taken.
 */
static RsnTaskOutcome
take_existing(RsnPromiseRow *promise, const RsnCreateRequest *request,
			  const RsnLease *lease, bool has_keys)
{
	RsnTaskSet	tasks = rsn_engine_lock_tasks_for(promise, NULL);
	RsnTaskOutcome outcome = rsn_engine_task_outcome(request->id, RSN_STATUS_OK);

	/* Both are decided at one instant, after the last wait. */
	int64		now_ms = rsn_clock_now();
	RsnDecision decision = rsn_promise_create(&promise->core, &request->rule,
											  now_ms);

	(void) rsn_engine_apply(promise, &decision, NULL, &tasks, now_ms);
	if (has_keys && decision.status != RSN_STATUS_OK)
		outcome.status = decision.status;
	else if (!promise->core.is_targeted)
		outcome.status = RSN_STATUS_UNFIT;
	else if (promise->core.state != RSN_PROMISE_PENDING)
		rsn_engine_show_fulfilled(&outcome, promise);
	else
		outcome = take_task(promise, &tasks, lease, now_ms);
	outcome.promise = promise;
	return outcome;
}

/* Creates a targeted promise and takes its task, or takes that of the existing one. */
RsnTaskOutcome
rsn_engine_create_and_take(const RsnCreateRequest *request,
						   const RsnLease *lease, bool has_keys,
						   int64 now_ms)
{
	RsnTaskOutcome result;
	RsnOutcome	created;

	rsn_caller_note(lease->pid);
	rsn_store_begin();
	if (rsn_engine_insert_or_find(request, now_ms, true, &created) == RSN_FOUND_NONE)
		result = outcome_taken_at_birth(request, lease, created.promise, now_ms);
	else
		result = take_existing(created.promise, request, lease, has_keys);
	rsn_store_end();
	return result;
}
