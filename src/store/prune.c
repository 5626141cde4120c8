/*-------------------------------------------------------------------------
 *
 * store/prune.c
 *	  Which promises of history go, a bounded part of it at a time.
 *
 * The statement that locks them is given a range of the index of history to look at.
 * Its end is found here, by the entries themselves: they are counted whatever
 * they point to, rows that are kept, rows that are dead and not vacuumed yet, and
 * so one part never reads more than it is meant to.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/genam.h"
#include "access/itup.h"
#include "utils/builtins.h"
#include "utils/fmgroids.h"
#include "utils/rel.h"
#include "utils/snapmgr.h"

#include "server/compat.h"
#include "server/id.h"
#include "store/internal.h"
#include "store/sql.h"
#include "store/table_open.h"

#define HISTORY_INDEX "promises_state_idx"

/* Its columns. */
enum
{
	HISTORY_STATE, HISTORY_CREATED_AT, HISTORY_ID, HISTORY_NCOLUMNS
};

/* A place in the index, by its state, after a mark and not after an instant. */
typedef struct RangeKeys
{
	ScanKeyData keys[3];
	ScanKeyData after[2];		/* what the second one compares */
} RangeKeys;

static text *
mark_id(const RsnPruneMark *mark)
{
	Assert(mark->id_len >= 0 && mark->id_len <= RSN_PROMISE_ID_MAX);
	return cstring_to_text_with_len(mark->id, mark->id_len);
}

/* The condition ROW(created_at, id) > ROW(mark), as nodeIndexscan.c makes it. */
static void
init_after(RangeKeys *range, Relation index, const RsnPruneMark *mark)
{
	ScanKey		header = &range->keys[1];

	ScanKeyEntryInitialize(&range->after[0], SK_ROW_MEMBER,
						   HISTORY_CREATED_AT + 1, BTGreaterStrategyNumber,
						   INT8OID, InvalidOid, F_BTINT8CMP,
						   Int64GetDatum(mark->created_at_ms));
	ScanKeyEntryInitialize(&range->after[1], SK_ROW_MEMBER | SK_ROW_END,
						   HISTORY_ID + 1, BTGreaterStrategyNumber, TEXTOID,
						   index->rd_indcollation[HISTORY_ID], F_BTTEXTCMP,
						   PointerGetDatum(mark_id(mark)));
	memset(header, 0, sizeof(ScanKeyData));
	header->sk_flags = SK_ROW_HEADER;
	header->sk_attno = HISTORY_CREATED_AT + 1;
	header->sk_strategy = BTGreaterStrategyNumber;
	header->sk_argument = PointerGetDatum(range->after);
}

static void
init_range(RangeKeys *range, Relation index, RsnPromiseState state,
		   const RsnPruneMark *mark, int64 created_by_ms)
{
	Oid			type = rsn_table_column_type(RSN_TABLE_PROMISES,
											 RSN_COL_STATE);
	Oid			value = rsn_enum_value(RSN_ENUM_PROMISE_STATE, type, state);

	ScanKeyEntryInitialize(&range->keys[0], 0, HISTORY_STATE + 1,
						   BTEqualStrategyNumber, InvalidOid, InvalidOid,
						   F_ENUM_EQ, ObjectIdGetDatum(value));
	init_after(range, index, mark);
	ScanKeyEntryInitialize(&range->keys[2], 0, HISTORY_CREATED_AT + 1,
						   BTLessEqualStrategyNumber, InvalidOid, InvalidOid,
						   F_INT8LE, Int64GetDatum(created_by_ms));
}

static void
set_mark(RsnPruneMark *mark, int64 created_at_ms, const text *id)
{
	mark->created_at_ms = created_at_ms;
	mark->id_len = Min(VARSIZE_ANY_EXHDR(id), RSN_PROMISE_ID_MAX);
	memcpy(mark->id, VARDATA_ANY(id), mark->id_len);
}

/* Moves the mark to the entry at which the scan is. */
static void
move_to_entry(RsnPruneMark *mark, IndexScanDesc scan)
{
	Datum		values[INDEX_MAX_KEYS];
	bool		nulls[INDEX_MAX_KEYS];

	index_deform_tuple(scan->xs_itup, scan->xs_itupdesc, values, nulls);
	Assert(!nulls[HISTORY_CREATED_AT] && !nulls[HISTORY_ID]);
	set_mark(mark, DatumGetInt64(values[HISTORY_CREATED_AT]),
			 DatumGetTextPP(values[HISTORY_ID]));
}

/*
 * Moves a mark over at most limit entries of settled promises, in the order in
 * which these were created, as long as that was by an instant.  Returns how many
 * entries; fewer than the limit are all.
 */
int
rsn_store_pass_history(RsnPromiseState state, int64 created_by_ms, int limit,
					   RsnPruneMark *mark)
{
	RsnOpenTable *open = rsn_table_open(RSN_TABLE_PROMISES);
	Relation	index = rsn_table_open_index(HISTORY_INDEX);
	IndexScanDesc scan;
	RangeKeys	range;
	int			n = 0;

	Assert(state != RSN_PROMISE_PENDING);
	rsn_table_new_snapshot();
	init_range(&range, index, state, mark, created_by_ms);
	scan = rsn_index_beginscan(open->rel, index, GetActiveSnapshot(),
							   lengthof(range.keys), 0);
	scan->xs_want_itup = true;
	index_rescan(scan, range.keys, lengthof(range.keys), NULL, 0);
	while (n < limit &&
		   index_getnext_tid(scan, ForwardScanDirection) != NULL)
	{
		move_to_entry(mark, scan);
		n++;
	}
	index_endscan(scan);
	index_close(index, NoLock);
	return n;
}

static void
add_mark(RsnArgs *args, const RsnPruneMark *mark)
{
	rsn_args_add(args, Int64GetDatum(mark->created_at_ms));
	rsn_args_add_text(args, mark_id(mark));
}

/* Moves the mark to the last of the promises that a statement has locked. */
static void
move_to_last(RsnPruneMark *mark, int n)
{
	for (int i = 0; i < n; i++)
	{
		HeapTuple	tuple = SPI_tuptable->vals[i];
		text	   *id = rsn_store_get_text(tuple, 1);
		int64		created_at_ms = rsn_store_get_int64(tuple, 2, 0);

		if (created_at_ms > mark->created_at_ms ||
			(created_at_ms == mark->created_at_ms &&
			 rsn_id_compare(id, mark_id(mark)) > 0))
			set_mark(mark, created_at_ms, id);
	}
}

static int
trim(RsnStatement *statement, text *id, int limit)
{
	RsnArgs		args = {0};

	rsn_args_add_text(&args, id);
	rsn_args_add(&args, Int64GetDatum(limit));
	return (int) rsn_store_exec(statement, &args);
}

/* True where so many rows have that promise that they do not go with it at once. */
#define IS_CROWDED(table, column) \
	"((SELECT pg_catalog.count(*) FROM (SELECT FROM resonate." table " l" \
	" WHERE l." column EQ "p.id LIMIT 101) AS k) OPERATOR(pg_catalog.>) 100)"

/* Of the same range, a promise that goes bit by bit. */
static RsnStatement long_held_stmt = {
	.name = "long_held",
	.sql = "SELECT p.id FROM resonate.promises p"
	" WHERE p.state" EQ "$1::resonate.promise_state"
	" AND ROW(p.created_at, " HIDDEN_ID ") OPERATOR(pg_catalog.>) ROW($3, $4)"
	" AND ROW(p.created_at, " HIDDEN_ID ")" LE "ROW($5, $6)"
	" AND p.settled_at" LE "$2"
	" AND NOT EXISTS (SELECT FROM resonate.callbacks c"
	" WHERE c.promise_id" EQ "p.id)"
	" AND NOT EXISTS (SELECT FROM resonate.awaiters a"
	" WHERE a.awaited_id" EQ "p.id)"
	" AND (" IS_CROWDED("messages", "promise_id")
	" OR " IS_CROWDED("awaiters", "awaiter_id") ")"
	" ORDER BY p.created_at, " HIDDEN_ID " LIMIT 1",
	.spi_result = SPI_OK_SELECT,
	.cursor_options = PLAN_ONCE,
	ARGS(TEXTOID, INT8OID, INT8OID, TEXTOID, INT8OID, TEXTOID)
};

static RsnStatement trim_messages_stmt = {
	.name = "trim_messages",
	.sql = "DELETE FROM resonate.messages d"
	" WHERE d.ctid" EQ "ANY (ARRAY(SELECT m.ctid FROM resonate.messages m"
	" WHERE m.promise_id" EQ "$1 AND m." NOT_NOTIFY("address")
	" LIMIT $2 FOR UPDATE SKIP LOCKED))",
	.spi_result = SPI_OK_DELETE,
	.cursor_options = PLAN_ONCE,
	ARGS(TEXTOID, INT8OID)
};

static RsnStatement trim_awaiters_stmt = {
	.name = "trim_awaiters",
	.sql = "DELETE FROM resonate.awaiters d"
	" WHERE d.ctid" EQ "ANY (ARRAY(SELECT a.ctid FROM resonate.awaiters a"
	" WHERE a.awaiter_id" EQ "$1 LIMIT $2 FOR UPDATE SKIP LOCKED))",
	.spi_result = SPI_OK_DELETE,
	.cursor_options = PLAN_ONCE,
	ARGS(TEXTOID, INT8OID)
};

/*
 * Anybody can have a promise with any number of messages, or a task that has awaited
 * any number of promises.  They do not go with it in one step, but at most limit at a
 * time before.  Of the first such promise in a range; returns how many.
 */
static int
trim_first(RsnPromiseState state, int64 settled_by_ms, int limit,
		   const RsnPruneMark *from, const RsnPruneMark *to)
{
	RsnArgs		args = {0};
	text	   *id;
	int			n;

	rsn_args_add_text(&args, cstring_to_text(rsn_promise_state_name(state)));
	rsn_args_add(&args, Int64GetDatum(settled_by_ms));
	add_mark(&args, from);
	add_mark(&args, to);
	if (rsn_store_exec(&long_held_stmt, &args) == 0)
		return 0;
	id = rsn_store_get_text(SPI_tuptable->vals[0], 1);
	n = trim(&trim_messages_stmt, id, limit);
	return n + trim(&trim_awaiters_stmt, id, limit);
}

/*
 * True for a row that somebody else has locked; if not, it is locked now, so that it
 * can be deleted later on without a wait.
 */
#define IS_TAKEN(table, alias) \
	"NOT EXISTS (SELECT FROM (SELECT FROM resonate." table " l" \
	" WHERE l.ctid" EQ alias ".ctid FOR UPDATE SKIP LOCKED) AS k)"

/*
 * Of the range of history after ($4, $5) and up to ($6, $7).  A settled
 * promise can have callbacks left by a restore.  They turn into messages
 * without changing the promise, and every snapshot sees the one or the
 * other.  Messages do not hold a promise, nor does what its task has
 * awaited: they go with it, unless somebody has locked them.
 */
static RsnStatement lock_prunable_stmt = {
	.name = "lock_prunable",
	.sql = "SELECT p.id, p.created_at FROM resonate.promises p"
	" WHERE p.state" EQ "$1::resonate.promise_state"
	" AND ROW(p.created_at, " HIDDEN_ID ") OPERATOR(pg_catalog.>) ROW($4, $5)"
	" AND ROW(p.created_at, " HIDDEN_ID ")" LE "ROW($6, $7)"
	" AND p.settled_at" LE "$2"
	" AND NOT " IS_CROWDED("messages", "promise_id")
	" AND NOT " IS_CROWDED("awaiters", "awaiter_id")
	" AND NOT EXISTS (SELECT FROM resonate.messages m"
	" WHERE m.promise_id" EQ "p.id"
	" AND (m." IS_NOTIFY("address") " OR " IS_TAKEN("messages", "m") "))"
	" AND NOT EXISTS (SELECT FROM resonate.callbacks c"
	" WHERE c.promise_id" EQ "p.id)"
	" AND NOT EXISTS (SELECT FROM resonate.awaiters a"
	" WHERE a.awaited_id" EQ "p.id)"
	" AND NOT EXISTS (SELECT FROM resonate.awaiters a"
	" WHERE a.awaiter_id" EQ "p.id AND " IS_TAKEN("awaiters", "a") ")"
	" AND NOT EXISTS (SELECT FROM resonate.promises r"
	" WHERE r.id" EQ "(p.tags OPERATOR(pg_catalog.->>) 'resonate:origin')"
	" AND r.settled_at IS NULL"
	" AND (r.external OR r.timeout_at OPERATOR(pg_catalog.>) $2))"
	" ORDER BY p.created_at, " HIDDEN_ID
	" LIMIT $3 FOR UPDATE SKIP LOCKED",
	.spi_result = SPI_OK_SELECT,
	.cursor_options = PLAN_ONCE,
	ARGS(TEXTOID, INT8OID, INT8OID, INT8OID, TEXTOID, INT8OID, TEXTOID)
};

/*
 * Deletes promises of one settled state that were settled by an instant, of those
 * after one mark and not after another, which is so many entries, and returns how
 * many.  Finds at most limit, and then there may be more.  The first mark moves to
 * where the next call goes on.
 */
int
rsn_store_prune_promises(RsnPromiseState state, int64 settled_by_ms, int limit,
						 RsnPruneMark *from, const RsnPruneMark *to,
						 int nentries, bool *has_more)
{
	RsnArgs		args = {0};
	RsnPruneMark begin = *from;
	text	  **ids;
	int			n;

	Assert(state != RSN_PROMISE_PENDING);
	Assert(limit >= 0 && nentries > 0);
	rsn_args_add_text(&args,
					  cstring_to_text(rsn_promise_state_name(state)));
	rsn_args_add(&args, Int64GetDatum(settled_by_ms));
	rsn_args_add(&args, Int64GetDatum(limit));
	add_mark(&args, from);
	add_mark(&args, to);
	n = (int) rsn_store_exec(&lock_prunable_stmt, &args);
	*has_more = n >= limit;
	if (*has_more)
		move_to_last(from, n);
	else
		*from = *to;
	rsn_store_texts_from_result(n, &ids);
	if (n < nentries &&
		trim_first(state, settled_by_ms, limit, &begin, to) > 0)
	{
		/* The next part looks here again. */
		*has_more = true;
		*from = begin;
	}
	return rsn_store_delete_promises(ids, n);
}
