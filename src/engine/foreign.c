/*-------------------------------------------------------------------------
 *
 * engine/foreign.c
 *	  Lock, read, decide, write: what follows from the writes of others.
 *
 * A role that may write to the tables can settle a promise by an UPDATE, or remove
 * rows, past the engine.  In its transaction the same follows from it as if the engine had
 * done it: nobody sees a settled promise that has a task, or a task that waits for
 * what is gone.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "utils/builtins.h"

#include "engine/internal.h"
#include "server/clock.h"
#include "signal/wake.h"

/* What follows from the settlement of a promise by somebody else. */
void
rsn_engine_follow_settlement(text *id)
{
	RsnPromiseRow *promise;
	RsnTaskSet	tasks;
	RsnTaskRow *task;

	rsn_store_begin();
	promise = rsn_store_read_promise(id);
	if (promise != NULL)
	{
		tasks = rsn_engine_lock_tasks_for(promise, NULL);
		task = rsn_engine_find_task(&tasks, id);
		if (task != NULL)
			rsn_store_delete_task(task);
		rsn_engine_catch_up(promise, &tasks, rsn_clock_now());
	}
	rsn_store_end();
}

/*
 * What follows when somebody deletes a promise: nothing of it stays, and who awaits it
 * goes on, to find that it does not exist.  Its own task is not read, so that one that
 * cannot be read can be deleted like this.
 */
void
rsn_engine_follow_deletion(text *id)
{
	RsnTaskSet	tasks = {.awaited_ids = &id,.nawaited = 1};

	rsn_store_begin();
	tasks.n = rsn_store_lock_tasks_and_awaiters(NULL, 0, &id, 1, &tasks.rows);
	rsn_engine_resume_awaiters(&tasks, rsn_clock_now());
	rsn_store_delete_all_of(id);
	rsn_store_end();
}

/* The same for all promises. */
void
rsn_engine_follow_truncation(void)
{
	rsn_store_begin();
	rsn_store_delete_all_but_promises();
	rsn_store_end();
}

/* Refuses to leave a pending promise without its task. */
void
rsn_engine_check_task_deleted(text *id)
{
	RsnPromiseRow *promise;

	rsn_store_begin();
	promise = rsn_store_read_promise(id);
	if (promise != NULL && promise->core.is_targeted &&
		promise->core.state == RSN_PROMISE_PENDING &&
		rsn_store_read_task(id) == NULL)
		ereport(ERROR,
				(errcode(ERRCODE_CHECK_VIOLATION),
				 errmsg("cannot delete the task of pending promise \"%s\"",
						text_to_cstring(id)),
				 errhint("Settle or delete the promise, which deletes its task.")));
	rsn_store_end();
}

/* The same for all tasks. */
void
rsn_engine_check_tasks_truncated(void)
{
	text	   *id;

	rsn_store_begin();
	id = rsn_store_find_without_task();
	if (id != NULL)
		ereport(ERROR,
				(errcode(ERRCODE_CHECK_VIOLATION),
				 errmsg("cannot truncate the tasks while promises are pending"),
				 errdetail("Promise \"%s\" needs its task.",
						   text_to_cstring(id)),
				 errhint("Truncate resonate.promises, which deletes all tasks.")));
	rsn_store_end();
}

/* Resumes a locked task; nothing would. */
static void
resume(RsnTaskRow *task, int64 now_ms)
{
	RsnRetryPolicy policy = rsn_engine_retry_policy(task);
	RsnTaskDecision decision = rsn_task_resume(&task->core, 1, &policy, now_ms);

	Assert(task->core.state == RSN_TASK_SUSPENDED);
	rsn_engine_write_task(task, &decision, now_ms);
}

/* Resumes a suspended task that somebody has left nothing to await. */
void
rsn_engine_follow_awaiter(text *awaiter_id)
{
	RsnTaskRow *task;

	rsn_store_begin();
	task = rsn_store_lock_task(awaiter_id);
	if (task != NULL && task->core.state == RSN_TASK_SUSPENDED &&
		!rsn_store_is_awaiting(awaiter_id))
		resume(task, rsn_clock_now());
	rsn_store_end();
}

/* The same for all tasks. */
void
rsn_engine_follow_awaiters_truncated(void)
{
	RsnTaskRow *tasks;
	int			n;

	rsn_store_begin();
	n = rsn_store_lock_stranded_tasks(&tasks);
	for (int i = 0; i < n; i++)
		resume(&tasks[i], rsn_clock_now());
	rsn_store_end();
}
