/*-------------------------------------------------------------------------
 *
 * store/queue.c
 *	  The statements that find and lock tasks to be handed out.
 *
 * Many look at the head of one queue at the same time.  What is due is read without
 * a lock, and the rows are locked one after the other where they are.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "common/pg_prng.h"
#include "miscadmin.h"

#include "server/clock.h"
#include "store/internal.h"

/* How many tasks ahead of the first a dequeue looks, to leave the way of others. */
#define SPREAD_MIN	16
#define SPREAD_MAX	256

/*
 * Locks at most limit of the candidates, beginning with one of them; answers how
 * many, and how many others have taken.
 */
static int
lock_candidates(const ItemPointerData *tids, int n, int first, int limit,
				RsnTaskRow *rows, int *ntaken)
{
	int			count = 0;

	for (int i = 0; i < n && count < limit; i++)
	{
		RsnTuple	tuple;

		if (rsn_table_try_lock(RSN_TABLE_TASKS, &tids[(first + i) % n],
							   &tuple))
			rsn_store_task_from_tuple(&tuple, &rows[count++]);
		else
			(*ntaken)++;
	}
	return count;
}

/* The places of the rows that the last statement has answered. */
static ItemPointerData *
tids_from_result(int n)
{
	ItemPointerData *tids = palloc(sizeof(ItemPointerData) * Max(n, 1));

	for (int i = 0; i < n; i++)
	{
		bool		is_null;

		tids[i] = *(ItemPointer) DatumGetPointer(SPI_getbinval(SPI_tuptable->vals[i],
															   SPI_tuptable->tupdesc,
															   1, &is_null));
	}
	return tids;
}

/* And since when they are due. */
static int64 *
clocks_from_result(int n)
{
	int64	   *clocks = palloc(sizeof(int64) * Max(n, 1));

	for (int i = 0; i < n; i++)
		clocks[i] = rsn_store_get_int64(SPI_tuptable->vals[i], 2, 0);
	return clocks;
}

/* The same of a statement that is run for it; returns how many. */
static int
list_tids(RsnQuery query, const RsnArgs *args, ItemPointerData **tids)
{
	int			n = (int) rsn_store_exec(query, args);

	*tids = tids_from_result(n);
	return n;
}

/* The rows of live pending tasks of an address that are due, the longest due first. */
static int
list_due_tasks(text *address, int64 now_ms, int limit, ItemPointerData **tids)
{
	RsnArgs		args = {0};

	rsn_args_add_text(&args, address);
	rsn_args_add(&args, Int64GetDatum(now_ms));
	rsn_args_add(&args, Int64GetDatum(limit));
	return list_tids(RSN_QUERY_DUE_TASKS, &args, tids);
}

/*
 * Locks live pending tasks of an address whose clock is due, the longest due
 * first; skips those that others have locked or taken.
 *
 * Who had to step over others last time begins at a random one among some more of
 * the first, if there are so many, and so leaves their way.  With SELECT ... SKIP LOCKED, 64 workers at
 * one queue lost a quarter of what 4 of them did: each of them found the same
 * tasks first, locked those that had been taken since its snapshot, and had the
 * executor check them again.
 */
int
rsn_store_lock_due_tasks(text *address, int64 now_ms, int limit,
						 RsnTaskRow *rows)
{
	static int	spread = 0;
	int			ahead = spread;
	int			count;
	int			n;
	int			ntaken;

	for (;;)
	{
		ItemPointerData *tids;
		int			first = 0;

		CHECK_FOR_INTERRUPTS();
		n = list_due_tasks(address, now_ms, limit + ahead, &tids);
		if (ahead > 0 && ahead == spread && n == limit + ahead)
			first = (int) (pg_prng_uint32(&pg_global_prng_state) %
						   (ahead + 1));
		ntaken = 0;
		count = lock_candidates(tids, n, first, limit, rows, &ntaken);
		if (count == limit || n < limit + ahead)
			break;

		/* What we have locked already, we lock again. */
		ahead = 4 * ahead + limit;
	}
	spread = ntaken > 0 ? Min(2 * spread + SPREAD_MIN, SPREAD_MAX) : spread / 2;
	return count;
}

/*
 * Locks at most limit tasks that others may have at an address, but none that was
 * given back by the process; skips those that others have locked.  Who is not known,
 * NULL, gets only what the others have left until an earlier instant.  Looks at a
 * bounded number: behind so many that this process has given back it finds what
 * others have when its clock is due, as everybody does.
 */
int
rsn_store_lock_tasks_for_others(text *address, text *pid, int64 left_ms,
								int64 now_ms, int limit, RsnTaskRow *rows)
{
	RsnArgs		args = {0};
	ItemPointerData *tids;
	int			n;
	int			ntaken = 0;

	rsn_args_add_text(&args, address);
	rsn_args_add(&args, Int64GetDatum(now_ms));
	rsn_args_add(&args, Int64GetDatum((int64) limit + SPREAD_MAX));
	rsn_args_add_text(&args, pid);
	rsn_args_add(&args, Int64GetDatum(left_ms));
	n = list_tids(RSN_QUERY_TASKS_FOR_OTHERS, &args, &tids);
	return lock_candidates(tids, n, 0, limit, rows, &ntaken);
}

/* Locks a task that is where it was seen; false when others work on it. */
bool
rsn_store_try_lock_task_at(const ItemPointerData *tid, RsnTaskRow *row)
{
	RsnTuple	tuple;

	if (!rsn_table_try_lock(RSN_TABLE_TASKS, tid, &tuple))
		return false;
	rsn_store_task_from_tuple(&tuple, row);
	return true;
}

/*
 * The same as above at a notify:// address; says since when the first is due that
 * others work on, if that is earlier.
 */
int
rsn_store_lock_due_notify_tasks(text *address, int64 now_ms, int limit,
								RsnTaskRow *rows, int64 *busy_ms)
{
	int			ahead = 0;
	int			nwanted;
	int			count;
	int			n;

	do
	{
		ItemPointerData *tids;
		int64	   *clocks;

		CHECK_FOR_INTERRUPTS();
		nwanted = limit + ahead;
		n = list_due_tasks(address, now_ms, nwanted, &tids);
		clocks = clocks_from_result(n);
		count = 0;
		for (int i = 0; i < n && count < limit; i++)
		{
			if (rsn_store_try_lock_task_at(&tids[i], &rows[count]))
				count++;
			else
				*busy_ms = Min(*busy_ms, clocks[i]);
		}
		ahead = 4 * ahead + limit;
	} while (count < limit && n >= nwanted);
	return count;
}

static int64
next_after(RsnQuery query, int64 after_ms)
{
	RsnArgs		args = {0};

	rsn_args_add(&args, Int64GetDatum(after_ms));
	if (rsn_store_exec(query, &args) == 0)
		return RSN_TIME_NEVER;
	return rsn_store_get_int64(SPI_tuptable->vals[0], 1, RSN_TIME_NEVER);
}

/* When the first task after an instant becomes due, or RSN_TIME_NEVER. */
int64
rsn_store_next_offer(int64 after_ms)
{
	return Min(next_after(RSN_QUERY_NEXT_OFFER, after_ms),
			   next_after(RSN_QUERY_NEXT_OTHERS, after_ms));
}

static int
waiting_from_result(RsnWaitingKind kind, uint64 count, bool has_tid,
					RsnWaiting **rows)
{
	*rows = rsn_store_alloc(Max(count, 1) * sizeof(RsnWaiting));
	for (uint64 i = 0; i < count; i++)
	{
		HeapTuple	tuple = SPI_tuptable->vals[i];
		RsnWaiting *row = &(*rows)[i];
		bool		is_null;

		row->kind = kind;
		row->address = rsn_store_get_text(tuple, 1);
		row->newest_ms = rsn_store_get_int64(tuple, 2, RSN_TIME_NEVER);
		if (has_tid)
			row->tid = *(ItemPointer) DatumGetPointer(SPI_getbinval(tuple,
																	SPI_tuptable->tupdesc,
																	3, &is_null));
	}
	return (int) count;
}

/* What waits at which addresses, at most so many, the longest waits first. */
int
rsn_store_count_queues(int64 now_ms, int limit, RsnQueueRow **rows)
{
	RsnArgs		args = {0};
	uint64		count;

	rsn_args_add(&args, Int64GetDatum(now_ms));
	rsn_args_add(&args, Int64GetDatum(limit));
	count = rsn_store_exec(RSN_QUERY_COUNT_QUEUES, &args);
	*rows = rsn_store_alloc(Max(count, 1) * sizeof(RsnQueueRow));
	for (uint64 i = 0; i < count; i++)
	{
		HeapTuple	tuple = SPI_tuptable->vals[i];
		RsnQueueRow *row = &(*rows)[i];

		row->address = rsn_store_get_text(tuple, 1);
		row->tasks = rsn_store_get_int64(tuple, 2, 0);
		row->tasks_due = rsn_store_get_int64(tuple, 3, 0);
		row->due_since_ms = rsn_store_get_int64(tuple, 4, -1);
		row->tasks_offered = rsn_store_get_int64(tuple, 5, 0);
		row->messages = rsn_store_get_int64(tuple, 6, 0);
		row->messages_since_ms = rsn_store_get_int64(tuple, 7, -1);
	}
	return (int) count;
}

/*
 * What has become due between two instants, the longest due first, at most limit of a
 * kind; messages that a listener has had once, or all others.
 */
int
rsn_store_waiting_since(RsnWaitingKind kind, bool is_delivered, int64 from_ms,
						int64 now_ms, int limit, RsnWaiting **rows)
{
	static const RsnQuery queries[] = {
		[RSN_WAITING_TASK] = RSN_QUERY_OFFERS_SINCE,
		[RSN_WAITING_OTHERS] = RSN_QUERY_OTHERS_SINCE,
		[RSN_WAITING_MESSAGE] = RSN_QUERY_MESSAGES_SINCE
	};
	RsnArgs		args = {0};

	rsn_args_add(&args, Int64GetDatum(from_ms));
	rsn_args_add(&args, Int64GetDatum(now_ms));
	rsn_args_add(&args, Int64GetDatum(limit));
	if (kind == RSN_WAITING_MESSAGE)
		rsn_args_add(&args, BoolGetDatum(is_delivered));
	return waiting_from_result(kind, rsn_store_exec(queries[kind], &args), true,
							   rows);
}

/*
 * The next addresses after one of them where something waits, at most limit, and
 * since when the newest has been due at now: RSN_TIME_NEVER if nothing is.
 */
int
rsn_store_waiting_addresses(RsnWaitingKind kind, text *after, int64 now_ms,
							int limit, RsnWaiting **rows)
{
	static const RsnQuery queries[] = {
		[RSN_WAITING_TASK] = RSN_QUERY_TASK_ADDRESSES,
		[RSN_WAITING_OTHERS] = RSN_QUERY_OTHERS_ADDRESSES,
		[RSN_WAITING_MESSAGE] = RSN_QUERY_MESSAGE_ADDRESSES
	};
	RsnArgs		args = {0};

	rsn_args_add(&args, Int64GetDatum(now_ms));
	rsn_args_add_text(&args, after);
	rsn_args_add(&args, Int64GetDatum(limit));
	return waiting_from_result(kind, rsn_store_exec(queries[kind], &args), false,
							   rows);
}
