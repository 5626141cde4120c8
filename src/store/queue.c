/*-------------------------------------------------------------------------
 *
 * store/queue.c
 *	  Tasks that are to be handed out, and where something waits for that.
 *
 * Many look at the head of one queue at the same time.  What is due is read without
 * a lock, and the rows are locked one after the other where they are, if they are still
 * what was read: nobody waits, and no task is handed out twice.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "common/pg_prng.h"
#include "miscadmin.h"

#include "server/clock.h"
#include "store/internal.h"
#include "store/sql.h"

/* How many tasks ahead of the first a dequeue looks, to leave the way of others. */
#define SPREAD_MIN	16
#define SPREAD_MAX	256

/*
 * Locks at most limit of the candidates, beginning with one of them; returns how
 * many, and how many others have taken.
 */
static int
lock_candidates(const ItemPointerData *tids, int n, int first, int limit,
				RsnTaskRow *rows, int *ntaken)
{
	int			count = 0;

	Assert(first >= 0 && (first < n || n == 0));
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

/* The places of the rows that the last statement has returned. */
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
list_tids(RsnStatement *statement, const RsnArgs *args, ItemPointerData **tids)
{
	int			n = (int) rsn_store_exec(statement, args);

	*tids = tids_from_result(n);
	return n;
}

static RsnStatement due_tasks_stmt = {
	.name = "due_tasks",
	.sql = "SELECT t.ctid, t.clock_at FROM resonate.tasks t"
	" WHERE t.state" EQ TASK_STATE("pending") " AND t.address" EQ "$1"
	" AND t.clock_at" LE "$2 AND " ALIVE_AT("$2")
	" ORDER BY t.clock_at LIMIT $3",
	.spi_result = SPI_OK_SELECT,
	.cursor_options = PLAN_ONCE,
	ARGS(TEXTOID, INT8OID, INT8OID)
};

/* The rows of live pending tasks of an address that are due, the longest due first. */
static int
list_due_tasks(text *address, int64 now_ms, int limit, ItemPointerData **tids)
{
	RsnArgs		args = {0};

	rsn_args_add_text(&args, address);
	rsn_args_add(&args, Int64GetDatum(now_ms));
	rsn_args_add(&args, Int64GetDatum(limit));
	return list_tids(&due_tasks_stmt, &args, tids);
}

/*
 * Locks live pending tasks of an address whose clock is due, the longest due
 * first; skips those that others have locked or taken.
 *
 * A process that had to step over others last time begins at a random one among some
 * more of the first, if there are so many, and so leaves their way.  With SELECT ...
 * SKIP LOCKED, 64 workers at one queue lost a quarter of what 4 of them did: each of
 * them found the same tasks first, locked those that had been taken since its snapshot,
 * and had the executor check them again.
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

	Assert(spread >= 0 && spread <= SPREAD_MAX && limit >= 0);
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
 * Among the $3 that wait longest, those that $4 has not given back; who
 * is not known may have given back any, unless others have not wanted it
 * since $5.
 */
static RsnStatement tasks_for_others_stmt = {
	.name = "tasks_for_others",
	.sql = "SELECT o.ctid FROM (SELECT t.ctid, t.given_back_by, t.others_at"
	" FROM resonate.tasks t"
	" WHERE t.others_address" EQ "$1 AND t.others_at" LE "$2"
	" AND " ALIVE_AT("$2")
	" ORDER BY t.others_at LIMIT $3) AS o"
	" WHERE o.given_back_by IS NULL OR $4" NE "ALL (o.given_back_by)"
	" OR ($4 IS NULL AND o.others_at" LE "$5)",
	.spi_result = SPI_OK_SELECT,
	.cursor_options = PLAN_ONCE,
	ARGS(TEXTOID, INT8OID, INT8OID, TEXTOID, INT8OID)
};

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
	n = list_tids(&tasks_for_others_stmt, &args, &tids);
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

	Assert(limit >= 0);
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
next_after(RsnStatement *statement, int64 after_ms)
{
	RsnArgs		args = {0};

	rsn_args_add(&args, Int64GetDatum(after_ms));
	if (rsn_store_exec(statement, &args) == 0)
		return RSN_TIME_NEVER;
	return rsn_store_get_int64(SPI_tuptable->vals[0], 1, RSN_TIME_NEVER);
}

/*
 * With those that will not be offered, because their promises end before:
 * to pass over any number of them would cost more than to find that none
 * is due.
 */
static RsnStatement next_offer_stmt = {
	.name = "next_offer",
	.sql = "SELECT t.clock_at FROM resonate.tasks t"
	" WHERE t.state" EQ TASK_STATE("pending") " AND t.clock_at" GT "$1"
	" ORDER BY t.clock_at LIMIT 1",
	.spi_result = SPI_OK_SELECT,
	.cursor_options = PLAN_ONCE,
	ARGS(INT8OID)
};

static RsnStatement next_others_stmt = {
	.name = "next_others",
	.sql = "SELECT t.others_at FROM resonate.tasks t"
	" WHERE t.others_at" GT "$1 ORDER BY t.others_at LIMIT 1",
	.spi_result = SPI_OK_SELECT,
	.cursor_options = PLAN_ONCE,
	ARGS(INT8OID)
};

/* When the first task after an instant becomes due, or RSN_TIME_NEVER. */
int64
rsn_store_next_offer(int64 after_ms)
{
	return Min(next_after(&next_offer_stmt, after_ms),
			   next_after(&next_others_stmt, after_ms));
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

/* What has become due from an instant on, by the clock, at all addresses. */
static RsnStatement offers_since_stmt = {
	.name = "offers_since",
	.sql = "SELECT t.address, t.clock_at, t.ctid FROM resonate.tasks t"
	" WHERE t.state" EQ TASK_STATE("pending") " AND t.clock_at" GE "$1"
	" AND t.clock_at" LE "$2 ORDER BY t.clock_at LIMIT $3",
	.spi_result = SPI_OK_SELECT,
	.cursor_options = PLAN_ONCE,
	ARGS(INT8OID, INT8OID, INT8OID)
};

static RsnStatement others_since_stmt = {
	.name = "others_since",
	.sql = "SELECT t.others_address, t.others_at, t.ctid FROM resonate.tasks t"
	" WHERE t.others_at" GE "$1 AND t.others_at" LE "$2"
	" ORDER BY t.others_at LIMIT $3",
	.spi_result = SPI_OK_SELECT,
	.cursor_options = PLAN_ONCE,
	ARGS(INT8OID, INT8OID, INT8OID)
};

static RsnStatement messages_since_stmt = {
	.name = "messages_since",
	.sql = "SELECT m.address, m.due_at, m.ctid FROM resonate.messages m"
	" WHERE m." NOT_NOTIFY("address") " AND " IS_DELIVERED EQ "$4"
	" AND m.due_at" GE "$1 AND m.due_at" LE "$2"
	" ORDER BY " IS_DELIVERED ", m.due_at LIMIT $3",
	.spi_result = SPI_OK_SELECT,
	.cursor_options = PLAN_ONCE,
	ARGS(INT8OID, INT8OID, INT8OID, BOOLOID)
};

/*
 * What has become due between two instants, the longest due first, at most limit of a
 * kind; messages that a listener has had once, or all others.
 */
int
rsn_store_waiting_since(RsnWaitingKind kind, bool is_delivered, int64 from_ms,
						int64 now_ms, int limit, RsnWaiting **rows)
{
	static RsnStatement *const statements[] = {
		[RSN_WAITING_TASK] = &offers_since_stmt,
		[RSN_WAITING_OTHERS] = &others_since_stmt,
		[RSN_WAITING_MESSAGE] = &messages_since_stmt
	};
	RsnArgs		args = {0};

	Assert(kind < RSN_WAITING_NKINDS && from_ms <= now_ms);
	rsn_args_add(&args, Int64GetDatum(from_ms));
	rsn_args_add(&args, Int64GetDatum(now_ms));
	rsn_args_add(&args, Int64GetDatum(limit));
	if (kind == RSN_WAITING_MESSAGE)
		rsn_args_add(&args, BoolGetDatum(is_delivered));
	return waiting_from_result(kind, rsn_store_exec(statements[kind], &args), true,
							   rows);
}

/*
 * The next $3 addresses after $2 at which rows wait, and since when the newest of them
 * that is due by $1 has been, NULL for none: two probes of their queue for each.
 */
#define NEXT_ADDRESSES(table, column, waits, clock, is_due) \
	"WITH RECURSIVE a AS ((SELECT t." column " AS address" \
	" FROM resonate." table " t WHERE " waits " AND t." column GT "$2" \
	" ORDER BY t." column " LIMIT 1)" \
	" UNION ALL SELECT (SELECT t." column " FROM resonate." table " t" \
	" WHERE " waits " AND t." column GT "a.address" \
	" ORDER BY t." column " LIMIT 1) FROM a WHERE a.address IS NOT NULL)" \
	" SELECT b.address, (SELECT t." clock " FROM resonate." table " t" \
	" WHERE " waits " AND t." column EQ "b.address AND t." clock LE "$1" \
	is_due " ORDER BY t." clock " DESC LIMIT 1)" \
	" FROM (SELECT a.address FROM a WHERE a.address IS NOT NULL LIMIT $3) AS b"

static RsnStatement task_addresses_stmt = {
	.name = "task_addresses",
	.sql = NEXT_ADDRESSES("tasks", "address", "t.state" EQ TASK_STATE("pending"),
						  "clock_at", " AND " ALIVE_AT("$1")),
	.spi_result = SPI_OK_SELECT,
	.cursor_options = PLAN_ONCE,
	ARGS(INT8OID, TEXTOID, INT8OID)
};

static RsnStatement others_addresses_stmt = {
	.name = "others_addresses",
	.sql = NEXT_ADDRESSES("tasks", "others_address", "t.others_at IS NOT NULL",
						  "others_at", " AND " ALIVE_AT("$1")),
	.spi_result = SPI_OK_SELECT,
	.cursor_options = PLAN_ONCE,
	ARGS(INT8OID, TEXTOID, INT8OID)
};

static RsnStatement message_addresses_stmt = {
	.name = "message_addresses",
	.sql = NEXT_ADDRESSES("messages", "address", "t." NOT_NOTIFY("address"),
						  "due_at", ""),
	.spi_result = SPI_OK_SELECT,
	.cursor_options = PLAN_ONCE,
	ARGS(INT8OID, TEXTOID, INT8OID)
};

/*
 * The next addresses after one of them where something waits, at most limit, and
 * since when the newest has been due at now: RSN_TIME_NEVER if nothing is.
 */
int
rsn_store_waiting_addresses(RsnWaitingKind kind, text *after, int64 now_ms,
							int limit, RsnWaiting **rows)
{
	static RsnStatement *const statements[] = {
		[RSN_WAITING_TASK] = &task_addresses_stmt,
		[RSN_WAITING_OTHERS] = &others_addresses_stmt,
		[RSN_WAITING_MESSAGE] = &message_addresses_stmt
	};
	RsnArgs		args = {0};

	Assert(kind < RSN_WAITING_NKINDS);
	rsn_args_add(&args, Int64GetDatum(now_ms));
	rsn_args_add_text(&args, after);
	rsn_args_add(&args, Int64GetDatum(limit));
	return waiting_from_result(kind, rsn_store_exec(statements[kind], &args), false,
							   rows);
}
