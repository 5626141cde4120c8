/*-------------------------------------------------------------------------
 *
 * engine/follow.c
 *	  The tasks that a settlement concerns: the promises' own, and who awaits them.
 *
 * Anybody can have any number of tasks await a promise of somebody else, and keep
 * them locked.  So a settlement resumes no more of them than its share, waits for
 * none that others have locked, and leaves the rest to the worker
 * (engine/reconcile.c).  Only where there is no worker, or it goes by another clock,
 * a settlement does it all.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "engine/internal.h"
#include "server/id.h"
#include "signal/wake.h"

/*
 * What one transaction does at once for all its promises, and for one of them.  A
 * sweep may leave all to the worker, since it is the worker; a call of many promises
 * pays for them itself.
 */
#define FOLLOWERS_MAX	1024
#define SHARE_MAX		256
#define SHARE_OF_CALL	16
#define SHARE_OF_SWEEP	1

/* How many that wait for one of n promises are told at once. */
static int
share_of(int n, bool may_wait)
{
	return Min(SHARE_MAX, Max(may_wait ? SHARE_OF_CALL : SHARE_OF_SWEEP,
							  FOLLOWERS_MAX / Max(n, 1)));
}

/* Locks the tasks of these ids and all that await these promises, waiting for each. */
static RsnTaskSet
lock_all(text *const *own_ids, int nown, RsnPromiseRow *const *rows, int n)
{
	RsnTaskSet	set = {0};

	set.awaited_ids = palloc(sizeof(text *) * Max(n, 1));
	for (int i = 0; i < n; i++)
	{
		if (rows[i]->core.is_external && rsn_store_may_be_awaited(rows[i]->id))
			set.awaited_ids[set.nawaited++] = rows[i]->id;
	}
	if (set.nawaited > 0)
		set.n = rsn_store_lock_tasks_and_awaiters(own_ids, nown,
												  set.awaited_ids,
												  set.nawaited, &set.rows);
	else if (nown > 0)
		set.n = rsn_store_lock_tasks(own_ids, nown, &set.rows);
	Assert(rsn_engine_is_in_order(&set));
	return set;
}

static void
leave(RsnTaskSet *set, text *promise_id)
{
	if (set->nleft == 0 ||
		!rsn_id_equals(set->left_ids[set->nleft - 1], promise_id))
		set->left_ids[set->nleft++] = promise_id;
}

/*
 * Lists those who await the promises, at most its share of each, and notes which
 * promises are awaited and which are left; awaited is who each of them waits for.
 */
static int
list_awaiters(RsnTaskSet *set, RsnPromiseRow *const *rows, int n, text ***ids,
			  text ***awaited)
{
	int			nids = 0;
	int			size = 0;

	*ids = NULL;
	*awaited = NULL;
	for (int i = 0; i < n; i++)
	{
		int			count = 0;

		if (!rows[i]->core.is_external ||
			!rsn_store_may_be_awaited(rows[i]->id))
			continue;
		if (nids + set->share > size)
		{
			size = 2 * size + set->share;
			*ids = *ids == NULL ? palloc(sizeof(text *) * size)
				: repalloc_huge(*ids, sizeof(text *) * size);
			*awaited = *awaited == NULL ? palloc(sizeof(text *) * size)
				: repalloc_huge(*awaited, sizeof(text *) * size);
		}
		Assert(nids + set->share <= size);
		if (!rsn_store_list_few_awaiters(rows[i]->id, set->share, *ids + nids,
										 &count))
		{
			leave(set, rows[i]->id);
			continue;
		}
		Assert(count <= set->share);
		for (int j = 0; j < count; j++)
			(*awaited)[nids + j] = rows[i]->id;
		nids += count;
		if (count > 0)
			set->awaited_ids[set->nawaited++] = rows[i]->id;
	}
	return nids;
}

static int
compare_task_rows(const void *a, const void *b)
{
	return rsn_id_compare(((const RsnTaskRow *) a)->id,
						  ((const RsnTaskRow *) b)->id);
}

/* Adds tasks to those of the set, of which none is among them. */
static void
add_tasks(RsnTaskSet *set, RsnTaskRow *rows, int n)
{
	RsnTaskRow *all;

	if (set->n == 0)
	{
		set->rows = rows;
		set->n = n;
		return;
	}
	if (n == 0)
		return;
	all = palloc_extended(sizeof(RsnTaskRow) * (set->n + n), MCXT_ALLOC_HUGE);
	memcpy(all, set->rows, sizeof(RsnTaskRow) * set->n);
	memcpy(all + set->n, rows, sizeof(RsnTaskRow) * n);
	qsort(all, set->n + n, sizeof(RsnTaskRow), compare_task_rows);
	set->rows = all;
	set->n += n;
	Assert(rsn_engine_is_in_order(set));
}

/*
 * Locks those who await the promises without waiting, beside the tasks that the set
 * has.  What is too much and what others have locked is left.
 */
static void
add_awaiters(RsnTaskSet *set, RsnPromiseRow *const *rows, int n)
{
	RsnTaskRow *locked;
	text	  **ids;
	text	  **awaited;
	text	  **others;
	int			nids;
	int			nothers = 0;
	int			nlocked;

	set->awaited_ids = palloc(sizeof(text *) * Max(n, 1));
	set->left_ids = palloc(sizeof(text *) * 2 * Max(n, 1));
	nids = list_awaiters(set, rows, n, &ids, &awaited);
	if (nids == 0)
		return;
	others = palloc_extended(sizeof(text *) * nids, MCXT_ALLOC_HUGE);
	for (int i = 0; i < nids; i++)
	{
		if (rsn_engine_find_task(set, ids[i]) == NULL)
			others[nothers++] = ids[i];
	}
	nlocked = rsn_store_try_lock_tasks(others, nothers, &locked, &set->busy,
									   &set->nbusy);
	add_tasks(set, locked, nlocked);
	Assert(rsn_id_is_sorted(set->busy, set->nbusy));
	for (int i = 0; i < nids; i++)
	{
		if (rsn_id_is_among(set->busy, set->nbusy, ids[i]))
			leave(set, awaited[i]);
	}
}

/* The ids of the promises' own tasks, with room for one more; returns how many. */
static int
list_own(RsnPromiseRow *const *rows, int n, text ***ids)
{
	int			nids = 0;

	*ids = palloc(sizeof(text *) * (n + 1));
	for (int i = 0; i < n; i++)
	{
		if (rows[i]->core.is_targeted)
			(*ids)[nids++] = rows[i]->id;
	}
	return nids;
}

/*
 * Locks the tasks that the settlement of locked promises concerns, and one more,
 * unless NULL.  Waits for the promises' own and for that one.
 */
RsnTaskSet
rsn_engine_lock_tasks(RsnPromiseRow *const *rows, int n, text *extra_id)
{
	RsnTaskSet	set = {0};
	text	  **own_ids;
	int			nown = list_own(rows, n, &own_ids);

	if (extra_id != NULL)
		own_ids[nown++] = extra_id;
	if (!rsn_wake_can_leave())
		return lock_all(own_ids, nown, rows, n);
	set.share = share_of(n, true);
	if (nown > 0)
		set.n = rsn_store_lock_tasks(own_ids, nown, &set.rows);
	add_awaiters(&set, rows, n);
	return set;
}

/* The same for one promise. */
RsnTaskSet
rsn_engine_lock_tasks_for(RsnPromiseRow *row, text *extra_id)
{
	return rsn_engine_lock_tasks(&row, 1, extra_id);
}

/*
 * The same without waiting: leaves out those promises that have a task which somebody
 * else has locked.
 */
RsnTaskSet
rsn_engine_try_lock_tasks(RsnPromiseRow **rows, int *n)
{
	RsnTaskSet	set = {0};
	text	  **own_ids;
	text	  **busy = NULL;
	int			nown;
	int			nbusy = 0;
	int			nkept = 0;

	if (!rsn_wake_can_leave())
		return rsn_engine_try_lock_all(rows, n);
	set.share = share_of(*n, false);
	nown = list_own(rows, *n, &own_ids);
	if (nown > 0)
		set.n = rsn_store_try_lock_tasks(own_ids, nown, &set.rows, &busy,
										 &nbusy);
	Assert(rsn_id_is_sorted(busy, nbusy));
	for (int i = 0; i < *n; i++)
	{
		if (nbusy == 0 || !rsn_id_is_among(busy, nbusy, rows[i]->id))
			rows[nkept++] = rows[i];
	}
	*n = nkept;
	add_awaiters(&set, rows, nkept);
	return set;
}
