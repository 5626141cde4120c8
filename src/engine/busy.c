/*-------------------------------------------------------------------------
 *
 * engine/busy.c
 *	  What a settlement concerns and somebody else works on.
 *
 * A settlement by a command waits for the tasks that it concerns.  The background
 * leaves out the promises of which one is locked, and comes back for them.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "engine/internal.h"
#include "server/id.h"

/* The ids of those awaited whose awaiters are among the busy tasks, in byte order. */
static int
list_held_up(const RsnAwaiterRow *awaiters, int n, text *const *busy,
			 int nbusy, text ***held_up)
{
	int			nheld_up = 0;

	Assert(rsn_id_is_sorted(busy, nbusy));
	*held_up = palloc(sizeof(text *) * Max(n, 1));
	for (int i = 0; i < n; i++)
	{
		if (rsn_id_is_among(busy, nbusy, awaiters[i].awaiter_id))
			(*held_up)[nheld_up++] = awaiters[i].awaited_id;
	}
	qsort(*held_up, nheld_up, sizeof(text *), rsn_id_compare_pointers);
	return nheld_up;
}

/*
 * Locks the tasks of those ids and all that await these, without waiting.  What is
 * awaited by a task that somebody else has locked is taken off the awaited ids of the
 * set; the busy tasks are returned in byte order.
 */
static int
try_lock_tasks(RsnTaskSet *set, text *const *own_ids, int nown, text ***busy)
{
	RsnAwaiterRow *awaiters = NULL;
	text	  **held_up;
	text	  **ids;
	int			nawaiters = 0;
	int			nheld_up;
	int			nbusy;
	int			nkept = 0;

	if (set->nawaited > 0)
		nawaiters = rsn_store_list_awaiters(set->awaited_ids, set->nawaited,
											&awaiters);
	ids = palloc_extended(sizeof(text *) * (nown + nawaiters + 1),
						  MCXT_ALLOC_HUGE);
	memcpy(ids, own_ids, sizeof(text *) * nown);
	for (int i = 0; i < nawaiters; i++)
		ids[nown + i] = awaiters[i].awaiter_id;
	set->n = rsn_store_try_lock_tasks(ids, nown + nawaiters, &set->rows, busy,
									  &nbusy);
	nheld_up = list_held_up(awaiters, nawaiters, *busy, nbusy, &held_up);
	for (int i = 0; i < set->nawaited; i++)
	{
		if (!rsn_id_is_among(held_up, nheld_up, set->awaited_ids[i]) &&
			!rsn_id_is_among(*busy, nbusy, set->awaited_ids[i]))
			set->awaited_ids[nkept++] = set->awaited_ids[i];
	}
	set->nawaited = nkept;
	return nbusy;
}

/*
 * Locks the tasks that the settlement of locked promises concerns, without waiting:
 * leaves out those promises that have a task which somebody else has locked, or are
 * awaited by one.  So a transaction that stays open keeps nothing waiting but
 * what has to do with its tasks.
 */
RsnTaskSet
rsn_engine_try_lock_all(RsnPromiseRow **rows, int *n)
{
	RsnTaskSet	set = {0};
	text	  **own_ids = palloc(sizeof(text *) * Max(*n, 1));
	text	  **wanted_ids = palloc(sizeof(text *) * Max(*n, 1));
	text	  **busy;
	int			nwanted = 0;
	int			nown = 0;
	int			nbusy;
	int			nkept = 0;

	set.awaited_ids = palloc(sizeof(text *) * Max(*n, 1));
	for (int i = 0; i < *n; i++)
	{
		if (rows[i]->core.is_targeted)
			own_ids[nown++] = rows[i]->id;
		if (rows[i]->core.is_external && rsn_store_may_be_awaited(rows[i]->id))
			wanted_ids[nwanted++] = rows[i]->id;
	}
	if (nown == 0 && nwanted == 0)
		return set;
	qsort(wanted_ids, nwanted, sizeof(text *), rsn_id_compare_pointers);
	memcpy(set.awaited_ids, wanted_ids, sizeof(text *) * nwanted);
	set.nawaited = nwanted;
	nbusy = try_lock_tasks(&set, own_ids, nown, &busy);
	for (int i = 0; i < *n; i++)
	{
		bool		is_held_up = rsn_id_is_among(wanted_ids, nwanted, rows[i]->id) &&
		!rsn_id_is_among(set.awaited_ids, set.nawaited, rows[i]->id);

		if (!is_held_up && !rsn_id_is_among(busy, nbusy, rows[i]->id))
			rows[nkept++] = rows[i];
	}
	Assert(rsn_engine_is_in_order(&set));
	*n = nkept;
	return set;
}
