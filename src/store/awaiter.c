/*-------------------------------------------------------------------------
 *
 * store/awaiter.c
 *	  The tasks that wait for a promise, until it settles.
 *
 * A row of resonate.awaiters is there from when a task suspends until the promise that it
 * awaits settles, or until its own promise goes.  It is added and taken with that promise
 * locked, so nothing else does either meanwhile; a restore is the exception, and what it
 * leaves is taken by store/left.c.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/htup_details.h"

#include "store/internal.h"
#include "store/sql.h"

/* The id of the task in a row of resonate.awaiters. */
text *
rsn_store_awaiter_id(HeapTuple tuple, TupleDesc desc)
{
	bool		is_null;

	return DatumGetTextPP(heap_getattr(tuple, RSN_AWAITER_COL_ID + 1, desc, &is_null));
}

/* False when no task awaits a locked promise; true when one may. */
bool
rsn_store_may_be_awaited(text *promise_id)
{
	return rsn_table_may_have(RSN_TABLE_AWAITERS, promise_id);
}

static RsnStatement insert_awaiter_stmt = {
	.name = "insert_awaiter",
	.sql = "INSERT INTO resonate.awaiters (awaited_id, awaiter_id)"
	" VALUES ($1, $2) ON CONFLICT (awaited_id, awaiter_id) DO NOTHING",
	.spi_result = SPI_OK_INSERT,
	.cursor_options = PLAN_ONCE,
	ARGS(TEXTOID, TEXTOID)
};

static RsnStatement find_awaiter_stmt = {
	.name = "find_awaiter",
	.sql = "SELECT FROM resonate.awaiters a WHERE a.awaited_id" EQ "$1"
	" AND a.awaiter_id" EQ "$2",
	.spi_result = SPI_OK_SELECT,
	.cursor_options = PLAN_ONCE,
	ARGS(TEXTOID, TEXTOID)
};

/* Records that a task awaits a locked promise; false when it was known. */
bool
rsn_store_insert_awaiter(text *awaited_id, text *awaiter_id)
{
	RsnArgs		args = {0};

	rsn_args_add_text(&args, awaited_id);
	rsn_args_add_text(&args, awaiter_id);
	if (rsn_store_exec(&insert_awaiter_stmt, &args) == 1)
		return true;
	if (rsn_store_exec(&find_awaiter_stmt, &args) != 1)
		rsn_store_refuse_left_out("awaiters");
	return false;
}

static RsnStatement awaiters_stmt = {
	.name = "awaiters",
	.sql = "SELECT a.awaited_id, a.awaiter_id FROM resonate.awaiters a"
	" WHERE a.awaited_id" EQ "ANY ($1)",
	.spi_result = SPI_OK_SELECT,
	.cursor_options = PLAN_ONCE,
	ARGS(TEXTARRAYOID),
	.must_see_all = true
};

/* Who awaits these promises. */
int
rsn_store_list_awaiters(text *const *awaited_ids, int n, RsnAwaiterRow **rows)
{
	RsnArgs		args = {0};
	uint64		count;

	rsn_args_add_texts(&args, awaited_ids, n);
	count = rsn_store_exec(&awaiters_stmt, &args);
	*rows = rsn_store_alloc(Max(count, 1) * sizeof(RsnAwaiterRow));
	for (uint64 i = 0; i < count; i++)
	{
		(*rows)[i].awaited_id = rsn_store_get_text(SPI_tuptable->vals[i], 1);
		(*rows)[i].awaiter_id = rsn_store_get_text(SPI_tuptable->vals[i], 2);
	}
	return (int) count;
}

static RsnStatement take_awaiters_stmt = {
	.name = "take_awaiters",
	.sql = "DELETE FROM resonate.awaiters a WHERE a.awaited_id" EQ "ANY ($1)"
	" AND a.awaiter_id" NE "ALL ($2)"
	" AND " IS_AWAITER_COMPLETE " RETURNING a.awaiter_id",
	.spi_result = SPI_OK_DELETE_RETURNING,
	.cursor_options = PLAN_ONCE,
	ARGS(TEXTARRAYOID, TEXTARRAYOID),
	.must_see_all = true
};

/*
 * Deletes the awaiters of locked promises but for those that are busy, and returns
 * them, with repetitions.
 */
int
rsn_store_take_awaiters(text *const *awaited_ids, int n, text *const *busy,
						int nbusy, text ***awaiter_ids)
{
	RsnArgs		args = {0};
	uint64		count;

	rsn_args_add_texts(&args, awaited_ids, n);
	rsn_args_add_texts(&args, busy, nbusy);
	count = rsn_store_exec(&take_awaiters_stmt, &args);
	return rsn_store_texts_from_result(count, awaiter_ids);
}
