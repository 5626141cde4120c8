/*-------------------------------------------------------------------------
 *
 * store/clock_ahead.c
 *	  The statements on what was set by a clock that was ahead.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "store/internal.h"

/*
 * Locks tasks of which one of these holds, and nothing lies after until; skips what
 * others have locked: the lease ends later than one that begins at now; it was offered
 * or held before and is offered again after latest; it was born after now and is to
 * be offered then.
 */
int
rsn_store_lock_tasks_ahead(int64 now_ms, int64 latest_ms, int64 until_ms,
						   int limit, RsnTaskRow **rows)
{
	RsnArgs		args = {0};
	uint64		count;

	rsn_args_add(&args, Int64GetDatum(now_ms));
	rsn_args_add(&args, Int64GetDatum(latest_ms));
	rsn_args_add(&args, Int64GetDatum(limit));
	rsn_args_add(&args, Int64GetDatum(until_ms));
	count = rsn_store_exec(RSN_QUERY_LOCK_TASKS_AHEAD, &args);
	*rows = rsn_store_tasks_from_result(count);
	return (int) count;
}

/*
 * Has messages due at an instant that were written or received after now, but not after
 * until, and are due after now: those that a listener has had once, or all others, at
 * most limit for which we notify and as many that are dequeued.  Returns how many.
 */
int
rsn_store_set_messages_right(bool is_delivered, int64 now_ms, int64 until_ms,
							 int64 due_at_ms, int limit)
{
	RsnArgs		args = {0};

	rsn_args_add(&args, Int64GetDatum(now_ms));
	rsn_args_add(&args, Int64GetDatum(due_at_ms));
	rsn_args_add(&args, Int64GetDatum(limit));
	rsn_args_add(&args, Int64GetDatum(until_ms));
	rsn_args_add(&args, BoolGetDatum(is_delivered));
	return (int) rsn_store_exec(RSN_QUERY_SET_MESSAGES_RIGHT, &args);
}
