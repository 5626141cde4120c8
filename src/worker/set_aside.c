/*-------------------------------------------------------------------------
 *
 * worker/set_aside.c
 *	  What a step leaves out for a while, because it has failed.
 *
 * Each step has a list of its own, of ids, and each entry its own time: an id that
 * fails for a passing reason comes back soon.  The list lives as long as the
 * process, and is bounded, since every statement of the step compares ids with it.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "utils/builtins.h"
#include "utils/memutils.h"

#include "server/clock.h"
#include "server/compat.h"
#include "server/id.h"
#include "worker/set_aside.h"

/* Has an id left out until an instant; false when the list is full. */
bool
rsn_set_aside_add(RsnSetAside *list, const text *id, int64 until_ms)
{
	Assert(list->n >= 0 && list->n <= RSN_SET_ASIDE_MAX);
	if (list->n == RSN_SET_ASIDE_MAX)
		return false;
	if (list->ids == NULL)
		list->ids = MemoryContextAlloc(TopMemoryContext,
									   sizeof(text *) * RSN_SET_ASIDE_MAX);
	if (list->until_ms == NULL)
		list->until_ms = MemoryContextAlloc(TopMemoryContext,
											sizeof(int64) * RSN_SET_ASIDE_MAX);
	list->ids[list->n] = MemoryContextAlloc(TopMemoryContext, VARSIZE_ANY(id));
	memcpy(list->ids[list->n], id, VARSIZE_ANY(id));
	list->until_ms[list->n] = until_ms;
	list->n++;
	return true;
}

/* Has those tried again whose time has come; returns how many. */
int
rsn_set_aside_release(RsnSetAside *list, int64 now_ms)
{
	int			nkept = 0;
	int			nreleased;

	Assert(list->n == 0 || (list->ids != NULL && list->until_ms != NULL));
	for (int i = 0; i < list->n; i++)
	{
		if (list->until_ms[i] <= now_ms)
		{
			pfree(list->ids[i]);
			continue;
		}
		list->ids[nkept] = list->ids[i];
		list->until_ms[nkept] = list->until_ms[i];
		nkept++;
	}
	nreleased = list->n - nkept;
	list->n = nkept;
	return nreleased;
}

/* When the time of the next one comes, or RSN_TIME_NEVER. */
int64
rsn_set_aside_next(const RsnSetAside *list)
{
	int64		next_ms = RSN_TIME_NEVER;

	for (int i = 0; i < list->n; i++)
		next_ms = Min(next_ms, list->until_ms[i]);
	return next_ms;
}

/* True for an id that is left out. */
bool
rsn_set_aside_has(const RsnSetAside *list, const text *id)
{
	for (int i = 0; i < list->n; i++)
	{
		if (rsn_id_equals(list->ids[i], id))
			return true;
	}
	return false;
}
