/*-------------------------------------------------------------------------
 *
 * store/left.c
 *	  Those who still wait for a promise that has settled.
 *
 * A settlement leaves them to the worker where they are many, and a restore can.
 * They are read in the order of their keys, a bounded number at a time, so one
 * promise with very many is no different from many with one each.  A mark is a place in
 * that order.  What is taken is locked without a wait: others may work on the same.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "utils/builtins.h"

#include "server/id.h"
#include "store/internal.h"
#include "store/sql.h"

/* Keeps a key for longer than the store is open. */
void
rsn_key_mark_set(RsnKeyMark *mark, const text *key)
{
	Assert(VARSIZE_ANY_EXHDR(key) <= sizeof(mark->key));
	mark->len = Min(VARSIZE_ANY_EXHDR(key), sizeof(mark->key));
	memcpy(mark->key, VARDATA_ANY(key), mark->len);
}

static text *
text_of_mark(const RsnKeyMark *mark)
{
	Assert(mark->len >= 0 && mark->len <= (int) sizeof(mark->key));
	return cstring_to_text_with_len(mark->key, mark->len);
}

static bool
count_down(const RsnTuple *callback, void *arg)
{
	int		   *room = arg;

	return (*room)-- > 0;
}

/* False when a promise that nobody else can settle has more callbacks than that. */
bool
rsn_store_has_few_callbacks(text *promise_id, int limit)
{
	return rsn_table_visit(RSN_TABLE_CALLBACKS, promise_id, count_down, &limit);
}

typedef struct AwaiterList
{
	text	  **ids;
	int			n;
	int			limit;
} AwaiterList;

static bool
add_awaiter(const RsnTuple *awaiter, void *arg)
{
	AwaiterList *list = arg;

	Assert(list->n <= list->limit);
	if (list->n == list->limit)
		return false;
	list->ids[list->n++] = rsn_store_keep(awaiter->values[RSN_AWAITER_COL_ID], false);
	return true;
}

/*
 * The tasks that await a promise which nobody else can settle, and how many; false
 * when these are more than the limit.
 */
bool
rsn_store_list_few_awaiters(text *promise_id, int limit, text **ids, int *n)
{
	AwaiterList list = {.ids = ids,.limit = limit};

	if (!rsn_table_visit(RSN_TABLE_AWAITERS, promise_id, add_awaiter, &list))
		return false;
	*n = list.n;
	return true;
}

#define IS_SETTLED(id) \
	"((SELECT p.settled_at FROM resonate.promises p WHERE p.id" EQ id ")" \
	" IS NOT NULL)"

/*
 * Those who wait, for whatever, after a place and up to a last promise;
 * and whether they wait for what is settled, but for what is set aside.
 */
static RsnStatement left_callbacks_stmt = {
	.name = "left_callbacks",
	.sql = "SELECT c.promise_id, c.kind" EQ LISTENER ", c.callback_id, c.ctid,"
	" " IS_SETTLED("c.promise_id") " AND c.promise_id" NE "ALL ($6),"
	" c.address"
	" FROM resonate.callbacks c"
	" WHERE ROW(c.promise_id, c.kind, c.callback_id)" GT
	"ROW($1, " KIND("$2") ", $3) AND c.promise_id" LE "$4"
	" ORDER BY c.promise_id, c.kind, c.callback_id LIMIT $5",
	.spi_result = SPI_OK_SELECT,
	.cursor_options = PLAN_ONCE,
	ARGS(TEXTOID, BOOLOID, TEXTOID, TEXTOID, INT8OID, TEXTARRAYOID)
};

static RsnStatement left_awaiters_stmt = {
	.name = "left_awaiters",
	.sql = "SELECT a.awaited_id, $2, a.awaiter_id, a.ctid,"
	" " IS_SETTLED("a.awaited_id") " AND a.awaited_id" NE "ALL ($6)"
	" AND " IS_AWAITER_COMPLETE ", NULL::pg_catalog.text"
	" FROM resonate.awaiters a"
	" WHERE ROW(a.awaited_id, a.awaiter_id)" GT "ROW($1, $3)"
	" AND a.awaited_id" LE "$4"
	" ORDER BY a.awaited_id, a.awaiter_id LIMIT $5",
	.spi_result = SPI_OK_SELECT,
	.cursor_options = PLAN_ONCE,
	ARGS(TEXTOID, BOOLOID, TEXTOID, TEXTOID, INT8OID, TEXTARRAYOID)
};

/*
 * At most limit of those who wait, after a mark and for no promise after the last one,
 * NULL for any.  Fewer are all there are.
 */
int
rsn_store_read_left(RsnLeftKind kind, const RsnLeftMark *mark, text *last_id,
					int limit, text *const *set_aside, int nset_aside,
					RsnLeftRow **rows)
{
	RsnArgs		args = {0};
	uint64		count;

	Assert(kind < RSN_NLEFT && limit >= 0);
	rsn_args_add_text(&args, text_of_mark(&mark->promise));
	rsn_args_add(&args, BoolGetDatum(mark->is_listener));
	rsn_args_add_text(&args, text_of_mark(&mark->id));
	rsn_args_add_text(&args, last_id != NULL ? last_id : rsn_store_last_key());
	rsn_args_add(&args, Int64GetDatum(limit));
	rsn_args_add_texts(&args, set_aside, nset_aside);
	count = rsn_store_exec(kind == RSN_LEFT_CALLBACKS ? &left_callbacks_stmt
						   : &left_awaiters_stmt, &args);
	*rows = rsn_store_alloc(sizeof(RsnLeftRow) * Max(count, 1));
	for (uint64 i = 0; i < count; i++)
	{
		HeapTuple	tuple = SPI_tuptable->vals[i];
		TupleDesc	desc = SPI_tuptable->tupdesc;
		RsnLeftRow *row = &(*rows)[i];
		bool		is_null;

		row->promise_id = rsn_store_get_text(tuple, 1);
		row->is_listener = DatumGetBool(SPI_getbinval(tuple, desc, 2, &is_null));
		row->id = rsn_store_get_text(tuple, 3);
		row->tid = *(ItemPointer) DatumGetPointer(SPI_getbinval(tuple, desc, 4,
																&is_null));
		row->is_settled = DatumGetBool(SPI_getbinval(tuple, desc, 5, &is_null));
		row->address = rsn_store_get_text(tuple, 6);
	}
	return (int) count;
}

static void
add_tids(RsnArgs *args, RsnLeftRow *rows, int n)
{
	Datum	   *tids = palloc(sizeof(Datum) * Max(n, 1));

	for (int i = 0; i < n; i++)
		tids[i] = PointerGetDatum(&rows[i].tid);
	rsn_args_add_tids(args, tids, n);
}

static RsnStatement fire_left_stmt = {
	.name = "fire_left",
	.sql = FIRE_CALLBACKS("c.ctid" EQ
						  "ANY (ARRAY(SELECT l.ctid FROM resonate.callbacks l"
						  " WHERE l.ctid" EQ "ANY ($1) FOR UPDATE SKIP LOCKED))"),
	.spi_result = SPI_OK_INSERT,
	.cursor_options = PLAN_ONCE,
	ARGS(TIDARRAYOID, INT8OID)
};

/*
 * Turns these callbacks into messages, but for those that somebody has locked;
 * returns how many.
 */
int
rsn_store_fire_left(RsnLeftRow *rows, int n, int64 now_ms)
{
	RsnArgs		args = {0};

	add_tids(&args, rows, n);
	rsn_args_add(&args, Int64GetDatum(now_ms));
	return (int) rsn_store_exec(&fire_left_stmt, &args);
}

static RsnStatement take_left_awaiters_stmt = {
	.name = "take_left_awaiters",
	.sql = "DELETE FROM resonate.awaiters a"
	" WHERE a.ctid" EQ "ANY (ARRAY(SELECT l.ctid FROM resonate.awaiters l"
	" WHERE l.ctid" EQ "ANY ($1) FOR UPDATE SKIP LOCKED))"
	" RETURNING a.awaiter_id",
	.spi_result = SPI_OK_DELETE_RETURNING,
	.cursor_options = PLAN_ONCE,
	ARGS(TIDARRAYOID)
};

/*
 * Deletes these awaiters, but for those that somebody has locked, and returns them,
 * with repetitions.
 */
int
rsn_store_take_left_awaiters(RsnLeftRow *rows, int n, text ***awaiter_ids)
{
	RsnArgs		args = {0};
	uint64		count;

	add_tids(&args, rows, n);
	count = rsn_store_exec(&take_left_awaiters_stmt, &args);
	return rsn_store_texts_from_result(count, awaiter_ids);
}

/* The next tasks: at most so many entries of their key after a mark. */
RsnKeyRange
rsn_store_next_tasks(const RsnKeyMark *mark, int limit)
{
	RsnKeyRange range;

	range.after = text_of_mark(mark);
	range.last = range.after;
	range.is_end = rsn_table_pass(RSN_TABLE_TASKS, &range.last, limit) < limit;
	if (range.is_end)
		range.last = rsn_store_last_key();
	Assert(rsn_id_compare(range.after, range.last) <= 0);
	return range;
}
