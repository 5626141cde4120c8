/*-------------------------------------------------------------------------
 *
 * engine/sweep.c
 *	  Lock, read, decide, write: deadlines that have passed, and old history.
 *
 * A sweep finds its promises itself.  It takes a bounded number in a transaction,
 * skips those that others have locked, and leaves those alone that the caller has
 * set aside.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "miscadmin.h"

#include "engine/internal.h"

/*
 * Stores that the deadlines of these locked rows have passed; returns of how many.
 * The background leaves out those of which somebody works on a task.
 */
int
rsn_engine_expire_rows(RsnPromiseRow *rows, int n, bool may_wait, int64 now_ms)
{
	RsnTaskSet	tasks;
	RsnPromiseRow **changed = palloc(sizeof(RsnPromiseRow *) * Max(n, 1));
	int			nchanged = 0;

	for (int i = 0; i < n; i++)
	{
		RsnDecision decision = rsn_promise_expire(&rows[i].core, now_ms);

		if (decision.write == RSN_WRITE_NONE)
			continue;
		Assert(rows[i].core.state == RSN_PROMISE_PENDING &&
			   rows[i].core.timeout_at_ms <= now_ms);
		rsn_engine_change_row(&rows[i], &decision, NULL);
		changed[nchanged++] = &rows[i];
	}
	if (!may_wait)
		tasks = rsn_engine_try_lock_tasks(changed, &nchanged);
	rsn_engine_write_settled(changed, nchanged, may_wait ? NULL : &tasks,
							 now_ms);
	return nchanged;
}

/*
 * Times out at most limit promises whose armed deadline, not before from, has
 * passed; says if there may be more of them.  As long as there are any that nobody
 * works on, it finds some.
 */
int
rsn_engine_expire_due(int64 from_ms, int64 now_ms, int limit,
					  text *const *set_aside, int nset_aside, bool *has_more)
{
	RsnPromiseRow *rows;
	int64		nwanted = limit;
	int			ndone;
	int			n;

	do
	{
		CHECK_FOR_INTERRUPTS();
		rsn_store_begin();
		n = rsn_store_lock_due_promises(from_ms, now_ms, (int) nwanted, true,
										set_aside, nset_aside, &rows);
		*has_more = n >= nwanted;
		ndone = rsn_engine_expire_rows(rows, n, false, now_ms);
		rsn_store_end();

		/* Those of which somebody works on a task are found again. */
		nwanted = Min(nwanted * 4, PG_INT32_MAX);
	} while (ndone == 0 && *has_more);
	return ndone;
}

/* Times out one promise, if its deadline has passed and nobody works on it. */
int
rsn_engine_expire_one(text *id, int64 now_ms)
{
	RsnPromiseRow *rows;
	int			n;

	rsn_store_begin();
	n = rsn_store_try_lock_promises(&id, 1, &rows);
	n = rsn_engine_expire_rows(rows, n, false, now_ms);
	rsn_store_end();
	return n;
}

/*
 * Internal promises have no armed deadline, and nobody waits for it.  Those that
 * nobody has looked at since theirs has passed are settled here: before they can be
 * pruned, or when searches, which have to look at what has lapsed, meet many.
 */
static void
expire_unseen(int64 due_ms, int limit, text *const *set_aside, int nset_aside,
			  RsnPrunePosition *position)
{
	RsnPromiseRow *rows;
	int			n = rsn_store_lock_due_promises(position->lapsed_from_ms, due_ms,
												limit, false, set_aside, nset_aside,
												&rows);

	if (n > 0)
		position->lapsed_from_ms = rows[n - 1].core.timeout_at_ms;
	position->has_lapsed = n >= limit;
	position->has_more |= position->has_lapsed;
	rsn_engine_expire_rows(rows, n, false, due_ms);
}

/*
 * Prunes what it finds in at most nentries entries of one state, and takes those
 * off.  Returns how many rows.
 */
static int
prune_state(RsnPromiseState state, int64 settled_by_ms, int limit,
			int *nentries, RsnPrunePosition *position)
{
	RsnPruneMark *mark = &position->marks[state];
	RsnPruneMark end = *mark;
	int			nseen = rsn_store_pass_history(state, settled_by_ms, *nentries,
											   &end);
	bool		has_more;
	int			n;

	Assert(nseen <= *nentries);
	if (nseen == 0)
		return 0;
	position->has_more |= nseen >= *nentries;
	*nentries -= nseen;
	n = rsn_store_prune_promises(state, settled_by_ms, limit, mark, &end, nseen,
								 &has_more);
	position->has_more |= has_more;
	return n;
}

/*
 * Deletes at most limit promises that were settled by an instant, and looks at
 * no more than nentries of history, whatever becomes of these.  Settles as many
 * internal ones, before, whose deadline was at another instant or earlier.  Begins
 * at a position and moves it to where the next call may go on.
 */
int
rsn_engine_prune(int64 settled_by_ms, int64 lapsed_by_ms, int limit, int nentries,
				 text *const *set_aside, int nset_aside,
				 RsnPrunePosition *position)
{
	int			n = 0;

	position->has_more = false;
	rsn_store_begin();
	expire_unseen(lapsed_by_ms, limit, set_aside, nset_aside, position);
	for (int i = 0; i < RSN_PROMISE_NSTATES; i++)
	{
		if (i == RSN_PROMISE_PENDING)
			continue;
		if (n < limit && nentries > 0)
			n += prune_state((RsnPromiseState) i, settled_by_ms, limit - n,
							 &nentries, position);
	}
	rsn_store_end();
	return n;
}
