/*-------------------------------------------------------------------------
 *
 * engine/doubt.c
 *	  What a page shows of promises past their deadline that others work on.
 *
 * A page stores the timeouts of what has lapsed on it.  A promise that somebody
 * has locked may have been settled in time by a transaction that has not ended, so
 * it can be shown neither as settled nor as timed out: it is in doubt.  Such a
 * transaction mostly ends at once, and a page waits a moment for it.  But no page
 * waits for one that stays open, or a session that is idle in a transaction would
 * stop all searches.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "miscadmin.h"
#include "pgstat.h"
#include "storage/latch.h"
#include "utils/wait_event.h"

#include "engine/internal.h"
#include "server/clock.h"

/* How long one call waits at most, whatever is on its pages, and for a start. */
#define WAIT_MAX_MS	100
#define WAIT_MIN_MS	1

/* Lists the ids of those rows that have lapsed; returns how many. */
int
rsn_engine_list_lapsed(const RsnPromiseRow *rows, int n, int64 now_ms,
					   text **ids)
{
	int			nlapsed = 0;

	for (int i = 0; i < n; i++)
	{
		if (rsn_promise_is_lapsed(&rows[i].core, now_ms))
			ids[nlapsed++] = rows[i].id;
	}
	return nlapsed;
}

/* Waits a moment, longer than the last time; false when the call has waited enough. */
static bool
wait_a_moment(RsnDoubt *doubt)
{
	int			wait_ms = Max(WAIT_MIN_MS, doubt->waited_ms);

	if (doubt->waited_ms >= WAIT_MAX_MS)
		return false;
	wait_ms = Min(wait_ms, WAIT_MAX_MS - doubt->waited_ms);
	doubt->waited_ms += wait_ms;
	Assert(doubt->waited_ms <= WAIT_MAX_MS);
	(void) WaitLatch(MyLatch,
					 WL_LATCH_SET | WL_TIMEOUT | WL_EXIT_ON_PM_DEATH,
					 wait_ms, PG_WAIT_EXTENSION);
	ResetLatch(MyLatch);
	return true;
}

/*
 * Stores the timeouts of those rows that have lapsed, as far as nobody works on
 * them; true when the rows have to be read again.  When it is not, those that are
 * still lapsed are in doubt.
 */
bool
rsn_engine_expire_lapsed(const RsnPromiseRow *rows, int n, int64 now_ms,
						 RsnDoubt *doubt)
{
	text	  **ids = palloc(sizeof(text *) * Max(n, 1));
	RsnPromiseRow *locked;
	int			nlapsed = rsn_engine_list_lapsed(rows, n, now_ms, ids);
	int			nlocked;
	int			ndone;

	if (nlapsed == 0)
		return false;
	nlocked = rsn_store_try_lock_promises(ids, nlapsed, &locked);

	Assert(nlocked <= nlapsed);

	/* Others have settled some of them meanwhile. */
	ndone = nlocked - rsn_engine_list_lapsed(locked, nlocked, now_ms, ids);
	ndone += rsn_engine_expire_rows(locked, nlocked, false, now_ms);
	return ndone > 0 || wait_a_moment(doubt);
}

/*
 * Shows the rows of a page as they are at now, and returns how many it shows.
 * Those in doubt are pending among promises of every state, as their committed rows
 * say; a page of certain states leaves them out, for they may have any of these or
 * none.
 */
int
rsn_engine_show_page(RsnPromiseRow *rows, int n, const bool *wants,
					 int64 now_ms)
{
	bool		can_write = rsn_engine_can_write();
	int			nshown = 0;

	for (int i = 0; i < n; i++)
	{
		bool		is_in_doubt = can_write &&
		rsn_promise_is_lapsed(&rows[i].core, now_ms);

		if (is_in_doubt && !wants[RSN_PROMISE_PENDING])
			continue;
		rows[nshown] = rows[i];
		if (!is_in_doubt)
			rows[nshown].core = rsn_promise_observe(&rows[i].core, now_ms);
		nshown++;
	}
	return nshown;
}

/*
 * Puts the rows of a page behind those of the pages before, of which there are n; of
 * at most limit rows all in all.
 */
void
rsn_engine_add_page(RsnPromiseRow **rows, int n, int limit,
					RsnPromiseRow *page, int npage)
{
	Assert(n + npage <= limit);
	if (n == 0)
	{
		*rows = page;
		return;
	}
	*rows = repalloc(*rows, sizeof(RsnPromiseRow) * limit);
	memcpy(*rows + n, page, sizeof(RsnPromiseRow) * npage);
}
