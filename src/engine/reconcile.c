/*-------------------------------------------------------------------------
 *
 * engine/reconcile.c
 *	  Lock, read, decide, write: those who still wait for what is settled.
 *
 * A settlement tells those who wait in its own transaction, unless they are too many
 * or somebody works on them: then it leaves them where they are, and tells the worker
 * which promise it is.  Rows that are loaded by others can be left, too, and so is
 * what the worker was told when it ends; for these everything is looked at.
 *
 * Either goes through callbacks and awaiters in the order of their keys, and takes a
 * bounded number of them in a transaction, however many wait for one promise.  What is
 * settled stays so, and nobody can be added who waits for it; so the promise need not
 * be locked.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "miscadmin.h"

#include "engine/internal.h"
#include "server/id.h"

/* A part of reconciling looks at as many entries as its limit, or at these. */
#define RECONCILE_ENTRIES_MIN 1000

/* What a part is about, and what has become of it. */
typedef struct Part
{
	text	   *last_id;		/* the last promise; NULL: no end */
	int64		now_ms;
	int			limit;			/* of what it does */
	text	   *const *set_aside;
	int			nset_aside;
	int			ndone;
	bool		is_end;
	bool		has_busy;		/* others work on some of it */
} Part;

/* Turns callbacks of settled promises into messages. */
static void
fire(Part *part, RsnLeftRow *rows, int n)
{
	int			nfired = rsn_store_fire_left(rows, n, part->now_ms);

	for (int i = 0; i < n; i++)
		rsn_engine_note_fired(rows[i].address);
	Assert(nfired <= n);
	part->has_busy |= nfired < n;
	part->ndone += nfired;
}

/* Resumes tasks that await settled promises. */
static void
resume(Part *part, RsnLeftRow *rows, int n)
{
	RsnTaskSet	tasks = {0};
	text	  **ids = palloc(sizeof(text *) * n);
	text	  **busy;
	int			nbusy;
	int			nfree = 0;

	for (int i = 0; i < n; i++)
		ids[i] = rows[i].id;
	tasks.n = rsn_store_try_lock_tasks(ids, n, &tasks.rows, &busy, &nbusy);
	Assert(rsn_id_is_sorted(busy, nbusy));
	for (int i = 0; i < n; i++)
	{
		if (!rsn_id_is_among(busy, nbusy, rows[i].id))
			rows[nfree++] = rows[i];
	}
	part->has_busy |= nfree < n;
	if (nfree == 0)
		return;
	n = rsn_store_take_left_awaiters(rows, nfree, &ids);
	Assert(n <= nfree);
	rsn_engine_resume_tasks(ids, n, &tasks, part->now_ms);
	part->has_busy |= n < nfree;
	part->ndone += n;
}

/*
 * Does what is left among the next of one kind, at most so much as the part may, and
 * moves the mark to where the next part goes on.
 */
static void
take_part(Part *part, RsnLeftKind kind, RsnLeftMark *mark)
{
	int			room = part->limit - part->ndone;
	int			nwanted = Max(part->limit, RECONCILE_ENTRIES_MIN);
	RsnLeftRow *rows;
	int			nread;
	int			nleft = 0;
	int			i;

	if (room <= 0)
	{
		part->is_end = false;
		return;
	}
	nread = rsn_store_read_left(kind, mark, part->last_id, nwanted,
								part->set_aside, part->nset_aside, &rows);
	for (i = 0; i < nread && nleft < room; i++)
	{
		if (i == nread - 1 || nleft == room - 1)
		{
			rsn_key_mark_set(&mark->promise, rows[i].promise_id);
			rsn_key_mark_set(&mark->id, rows[i].id);
			mark->is_listener = rows[i].is_listener;
		}
		if (rows[i].is_settled)
			rows[nleft++] = rows[i];
	}
	part->is_end &= i == nread && nread < nwanted;
	if (nleft == 0)
		return;
	if (kind == RSN_LEFT_CALLBACKS)
		fire(part, rows, nleft);
	else
		resume(part, rows, nleft);
}

static void
take_parts(Part *part, RsnLeftMark *marks)
{
	part->is_end = true;
	for (int i = 0; i < RSN_NLEFT; i++)
		take_part(part, (RsnLeftKind) i, &marks[i]);
}

/*
 * Tells at most limit of those who still wait for what is settled, and deletes the
 * tasks of settled promises.  Looks at a part of what there is, and moves the
 * position behind it, to the start again after the end.  The position keeps in mind
 * that it has passed what somebody works on.
 */
int
rsn_engine_reconcile(int64 now_ms, int limit, text *const *set_aside,
					 int nset_aside, RsnReconcilePosition *position)
{
	Part		part = {.now_ms = now_ms,.limit = limit};
	RsnKeyRange tasks;
	int			nstale;

	part.set_aside = set_aside;
	part.nset_aside = nset_aside;
	rsn_store_begin();
	take_parts(&part, position->marks);
	tasks = rsn_store_next_tasks(&position->task,
								 Max(limit, RECONCILE_ENTRIES_MIN));
	nstale = rsn_store_delete_stale_tasks(&tasks, limit);
	if (nstale < limit)
		rsn_key_mark_set(&position->task, tasks.last);
	position->has_busy |= part.has_busy;
	position->has_more = !part.is_end || !tasks.is_end || nstale == limit;
	if (!position->has_more)
	{
		memset(position->marks, 0, sizeof(position->marks));
		memset(&position->task, 0, sizeof(position->task));
	}
	rsn_store_end();
	return part.ndone + nstale;
}

/*
 * Tells at most limit of those who still wait for one promise, from a position on,
 * and moves that; returns how many.
 */
int
rsn_engine_reconcile_one(text *promise_id, int64 now_ms, int limit,
						 RsnReconcilePosition *position)
{
	Part		part = {.last_id = promise_id,.now_ms = now_ms,.limit = limit};

	rsn_store_begin();
	for (int i = 0; i < RSN_NLEFT; i++)
	{
		if (position->marks[i].promise.len == 0)
			rsn_key_mark_set(&position->marks[i].promise, promise_id);
	}
	take_parts(&part, position->marks);
	position->has_more = !part.is_end;
	position->has_busy |= part.has_busy;
	rsn_store_end();
	return part.ndone;
}

/* The settled promises for which some wait in the next part, at most so many. */
int
rsn_engine_list_left(const RsnReconcilePosition *position, int limit,
					 text *const *set_aside, int nset_aside, text ***ids)
{
	int			nids = 0;

	rsn_store_begin();
	*ids = rsn_store_alloc(sizeof(text *) * Max(limit, 1));
	for (int kind = 0; kind < RSN_NLEFT; kind++)
	{
		RsnLeftRow *rows;
		int			n = rsn_store_read_left((RsnLeftKind) kind,
											&position->marks[kind], NULL,
											Max(limit, RECONCILE_ENTRIES_MIN),
											set_aside, nset_aside, &rows);

		for (int i = 0; i < n && nids < limit; i++)
		{
			if (rows[i].is_settled &&
				(nids == 0 ||
				 !rsn_id_equals((*ids)[nids - 1], rows[i].promise_id)))
				(*ids)[nids++] = rows[i].promise_id;
		}
	}
	rsn_store_end();
	return nids;
}
