/*-------------------------------------------------------------------------
 *
 * engine/branch.c
 *	  What is sent along with a task to save its holder round trips.
 *
 * The promises that have the same tag resonate:branch as the promise of the
 * task.  Leaving one out is always safe, so there are limits in rows and in bytes,
 * and one whose state is in doubt is left out: it has lapsed, but somebody may just
 * be committing a settlement that was made in time.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "engine/branch.h"
#include "engine/internal.h"
#include "server/clock.h"
#include "server/guc.h"
#include "server/id.h"
#include "store/payload.h"
#include "store/tags.h"

/* The row of that id, or NULL. */
static const RsnPromiseRow *
find_row(const RsnPromiseRow *rows, int n, const text *id)
{
	for (int i = 0; i < n; i++)
	{
		if (rsn_id_equals(rows[i].id, id))
			return &rows[i];
	}
	return NULL;
}

/*
 * Shows the rows as they are at now, without those in doubt.  A lapsed one is
 * certain once we have its lock, which keeps until the end of the transaction
 * anybody from settling it, and afterwards it is too late for that.  We do not
 * wait for the lock, because our task is locked already.
 */
static int
observe_certain(RsnPromiseRow *rows, int n, int64 now_ms)
{
	text	  **ids = palloc(sizeof(text *) * Max(n, 1));
	RsnPromiseRow *locked = NULL;
	int			nlocked = 0;
	int			nlapsed = rsn_engine_list_lapsed(rows, n, now_ms, ids);
	int			ncertain = 0;

	if (nlapsed > 0)
		nlocked = rsn_store_try_lock_promises(ids, nlapsed, &locked);
	Assert(nlocked <= nlapsed);

	for (int i = 0; i < n; i++)
	{
		const RsnPromiseRow *row = &rows[i];

		if (rsn_promise_is_lapsed(&rows[i].core, now_ms))
			row = find_row(locked, nlocked, rows[i].id);
		if (row == NULL)
			continue;
		rows[ncertain] = *row;
		rows[ncertain].core = rsn_promise_observe(&row->core, now_ms);
		ncertain++;
	}
	return ncertain;
}

/* Leaves out those that would be too much to send; they keep their order. */
static int
keep_small(RsnPromiseRow *rows, int n)
{
	Size		nbytes = 0;
	int			nkept = 0;

	for (int i = 0; i < n; i++)
	{
		Size		size = rsn_promise_size(&rows[i]);

		if (nbytes + size > (Size) rsn_guc_branch_bytes)
			continue;
		nbytes += size;
		rows[nkept++] = rows[i];
	}
	return nkept;
}

/* The siblings of the promise of a task, in order of their ids. */
static int
find_siblings(const RsnPromiseRow *promise, RsnPromiseRow **rows)
{
	text	   *branch = NULL;
	int			n;

	if (promise != NULL && rsn_guc_branch_limit > 0)
		branch = rsn_tags_branch(rsn_stored_jsonb(promise->tags));
	if (branch == NULL)
		return 0;
	n = rsn_store_branch(branch, promise->id, rsn_guc_branch_limit, rows);
	Assert(find_row(*rows, n, promise->id) == NULL);
	n = observe_certain(*rows, n, rsn_clock_now());
	return keep_small(*rows, n);
}

/*
 * What is sent to a process that has just taken the task of a promise, as it is
 * now.  The holder runs from the beginning and has nothing in hand yet.  Later,
 * under a fence, the holder itself has made all that is in the branch.
 */
int
rsn_branch_siblings(const RsnPromiseRow *promise, RsnPromiseRow **rows)
{
	int			n;

	*rows = NULL;
	rsn_store_begin();
	n = find_siblings(promise, rows);
	rsn_store_end();
	return n;
}

/* The same for a process that holds a task, and is to run it again. */
int
rsn_branch_siblings_of(text *id, RsnPromiseRow **rows)
{
	RsnPromiseRow *promise;

	rsn_store_begin();
	promise = rsn_store_read_promise(id);
	rsn_store_end();
	return rsn_branch_siblings(promise, rows);
}
