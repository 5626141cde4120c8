/*-------------------------------------------------------------------------
 *
 * engine_reconcile.c
 *	  Lock, read, decide, write: what a restore has left undone.
 *
 * A settlement tells all who wait in its own transaction, so that the engine
 * leaves nothing here to do.  Rows that are loaded by others may.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "miscadmin.h"

#include "engine_internal.h"

/* A part of reconciling looks at as many entries as its limit, or at these. */
#define RECONCILE_ENTRIES_MIN 1000

/*
 * What follows from the settlement of promises that are settled already; returns for
 * how many.  The others are awaited by tasks that somebody works on.
 */
static int
catch_up(text *const *ids, int n, int64 now_ms)
{
	RsnTaskSet	tasks = {.nawaited = n};

	tasks.awaited_ids = palloc(sizeof(text *) * Max(n, 1));
	memcpy(tasks.awaited_ids, ids, sizeof(text *) * n);
	rsn_engine_try_lock_awaiters(&tasks);
	if (tasks.nawaited == 0)
		return 0;
	rsn_engine_catch_up(&tasks, now_ms);
	return tasks.nawaited;
}

/* The parts of the tables that are to be looked at next; the store is open. */
void
rsn_engine_next_left_over(const RsnReconcilePosition *position, int limit,
						  RsnKeyRange *ranges)
{
	for (int i = 0; i < RSN_NLEFT; i++)
		ranges[i] = rsn_store_next_left_over((RsnLeftOver) i,
											 &position->marks[i],
											 Max(limit, RECONCILE_ENTRIES_MIN));
}

/* Goes on after the ranges, or at the start once all of them were at their ends. */
static void
move_on(RsnReconcilePosition *position, const RsnKeyRange *ranges)
{
	position->has_more = false;
	for (int i = 0; i < RSN_NLEFT; i++)
	{
		RsnKeyMark *mark = &position->marks[i];

		position->has_more |= !ranges[i].is_end;
		mark->len = Min(VARSIZE_ANY_EXHDR(ranges[i].last), sizeof(mark->key));
		memcpy(mark->key, VARDATA_ANY(ranges[i].last), mark->len);
	}
	if (!position->has_more)
		memset(position->marks, 0, sizeof(position->marks));
}

/*
 * Catches up on promises in these ranges, at most limit where somebody works on none;
 * returns for how many, and says if it was all of them but the busy ones.
 */
static int
catch_up_in(const RsnKeyRange *ranges, int64 now_ms, int limit,
			text *const *set_aside, int nset_aside,
			RsnReconcilePosition *position, bool *is_all)
{
	text	  **ids;
	int64		nwanted = limit;
	int			ndone;
	int			n;

	do
	{
		CHECK_FOR_INTERRUPTS();
		n = rsn_store_unfired_promises(ranges, (int) nwanted, set_aside,
									   nset_aside, &ids);
		*is_all = n < nwanted;
		ndone = n > 0 ? catch_up(ids, n, now_ms) : 0;

		/* What others work on is found again, and must not hide the rest. */
		nwanted = Min(nwanted * 4, PG_INT32_MAX);
	} while (ndone == 0 && !*is_all);
	position->has_busy |= *is_all && ndone < n;
	return ndone;
}

/*
 * Tells those who wait for settled promises, and deletes the tasks of settled
 * ones.  The engine leaves none, but a restore loads tables one after the other
 * while the worker runs.  Looks at a part of what there is, and moves the position
 * behind it unless there may be more to do in it.  The position keeps in mind that
 * it has passed what somebody works on.
 */
int
rsn_engine_reconcile(int64 now_ms, int limit, text *const *set_aside,
					 int nset_aside, RsnReconcilePosition *position)
{
	RsnKeyRange ranges[RSN_NLEFT];
	bool		is_all;
	int			ndone;
	int			nstale;

	rsn_store_begin();
	rsn_engine_next_left_over(position, limit, ranges);
	ndone = catch_up_in(ranges, now_ms, limit, set_aside, nset_aside, position,
						&is_all);
	nstale = rsn_store_delete_stale_tasks(&ranges[RSN_LEFT_TASKS], limit);
	if (is_all && nstale < limit)
		move_on(position, ranges);
	else
		position->has_more = true;
	rsn_store_end();
	return ndone + nstale;
}

/* The same for one promise. */
void
rsn_engine_reconcile_one(text *promise_id, int64 now_ms)
{
	rsn_store_begin();
	(void) catch_up(&promise_id, 1, now_ms);
	rsn_store_end();
}
