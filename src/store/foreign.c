/*-------------------------------------------------------------------------
 *
 * store/foreign.c
 *	  What hangs on promises, for those who write past the engine.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "store/internal.h"

/* Deletes all that hangs on a promise that is gone. */
void
rsn_store_delete_all_of(text *promise_id)
{
	RsnArgs		args = {0};

	rsn_args_add_text(&args, promise_id);
	rsn_store_exec(RSN_QUERY_DELETE_ALL_OF, &args);
}

/* Deletes all that hangs on promises; there is none any more. */
void
rsn_store_delete_all_but_promises(void)
{
	rsn_store_exec(RSN_QUERY_DELETE_ALL_BUT_PROMISES, NULL);
}

/* A pending promise that has a target but no task, or NULL. */
text *
rsn_store_find_without_task(void)
{
	text	  **ids;
	uint64		n = rsn_store_exec(RSN_QUERY_WITHOUT_TASK, NULL);

	return rsn_store_texts_from_result(n, &ids) > 0 ? ids[0] : NULL;
}

/* True when a task awaits any promise. */
bool
rsn_store_is_awaiting(text *awaiter_id)
{
	RsnArgs		args = {0};

	rsn_args_add_text(&args, awaiter_id);
	return rsn_store_exec(RSN_QUERY_IS_AWAITING, &args) > 0;
}

/* Locks the suspended tasks that await nothing. */
int
rsn_store_lock_stranded_tasks(RsnTaskRow **rows)
{
	uint64		n = rsn_store_exec(RSN_QUERY_LOCK_STRANDED_TASKS, NULL);

	*rows = rsn_store_tasks_from_result(n);
	return (int) n;
}
