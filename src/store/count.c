/*-------------------------------------------------------------------------
 *
 * store/count.c
 *	  How much there is, for those who operate it.
 *
 * These read all rows, so they are planned each time, for what there is.  They only read,
 * and lock nothing against anybody.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "store/internal.h"
#include "store/sql.h"

static RsnStatement count_states_stmt = {
	.name = "count_states",
	.sql = "SELECT p.state::pg_catalog.text, pg_catalog.count(*)"
	" FROM resonate.promises p GROUP BY p.state",
	.spi_result = SPI_OK_SELECT,
	.cursor_options = PLAN_EACH,
	.reads_only = true
};

static RsnStatement count_rest_stmt = {
	.name = "count_rest",
	.sql = "SELECT pg_catalog.count(*), pg_catalog.min(p.timeout_at),"
	" (SELECT pg_catalog.count(*) FROM resonate.callbacks),"
	" (SELECT pg_catalog.count(*) FROM resonate.messages),"
	" (SELECT pg_catalog.count(*) FROM resonate.schedules),"
	" (SELECT pg_catalog.count(*) FROM resonate.tasks t"
	" WHERE t.state" EQ TASK_STATE("pending") "),"
	" (SELECT pg_catalog.count(*) FROM resonate.tasks t"
	" WHERE t.state" EQ TASK_STATE("acquired") "),"
	" (SELECT pg_catalog.count(*) FROM resonate.tasks t"
	" WHERE t.state" EQ TASK_STATE("suspended") "),"
	" (SELECT pg_catalog.count(*) FROM resonate.tasks t"
	" WHERE t.state" EQ TASK_STATE("halted") ")"
	" FROM resonate.promises p"
	" WHERE p.state" EQ STATE("pending") " AND p.external"
	" AND p.timeout_at" LE "$1",
	.spi_result = SPI_OK_SELECT,
	.cursor_options = PLAN_EACH,
	ARGS(INT8OID),
	.reads_only = true
};

/* Counts rows by stored state, and what is due at now. */
void
rsn_store_count(int64 now_ms, RsnStateCounts *counts)
{
	RsnArgs		args = {0};
	uint64		n = rsn_store_exec(&count_states_stmt, NULL);

	Assert(n <= RSN_PROMISE_NSTATES);
	memset(counts, 0, sizeof(RsnStateCounts));
	for (uint64 i = 0; i < n; i++)
	{
		HeapTuple	tuple = SPI_tuptable->vals[i];
		RsnPromiseState state;

		if (rsn_promise_state_from_name(SPI_getvalue(tuple,
													 SPI_tuptable->tupdesc, 1),
										&state))
			counts->states[state] = rsn_store_get_int64(tuple, 2, 0);
	}

	rsn_args_add(&args, Int64GetDatum(now_ms));
	rsn_store_exec(&count_rest_stmt, &args);
	counts->due = rsn_store_get_int64(SPI_tuptable->vals[0], 1, 0);
	counts->oldest_due_ms = rsn_store_get_int64(SPI_tuptable->vals[0], 2, 0);
	counts->callbacks = rsn_store_get_int64(SPI_tuptable->vals[0], 3, 0);
	counts->messages = rsn_store_get_int64(SPI_tuptable->vals[0], 4, 0);
	counts->schedules = rsn_store_get_int64(SPI_tuptable->vals[0], 5, 0);
	for (int i = 0; i < RSN_TASK_FULFILLED; i++)
		counts->tasks[i] = rsn_store_get_int64(SPI_tuptable->vals[0], 6 + i, 0);
}

static RsnStatement count_queues_stmt = {
	.name = "count_queues",
	.sql = "SELECT q.address, pg_catalog.sum(q.tasks)::pg_catalog.int8,"
	" pg_catalog.sum(q.due)::pg_catalog.int8, pg_catalog.min(q.due_since),"
	" pg_catalog.sum(q.offered)::pg_catalog.int8,"
	" pg_catalog.sum(q.messages)::pg_catalog.int8,"
	" pg_catalog.min(q.messages_since)"
	" FROM (SELECT t.address, pg_catalog.count(*) AS tasks,"
	" pg_catalog.count(*) FILTER (WHERE t.clock_at" LE "$1) AS due,"
	" pg_catalog.min(t.clock_at) FILTER (WHERE t.clock_at" LE "$1)"
	" AS due_since, pg_catalog.count(*) FILTER (WHERE t.offers" GT "0)"
	" AS offered, 0::pg_catalog.int8 AS messages,"
	" NULL::pg_catalog.int8 AS messages_since FROM resonate.tasks t"
	" WHERE t.state" EQ TASK_STATE("pending") " AND " ALIVE_AT("$1")
	" GROUP BY t.address UNION ALL SELECT m.address, 0, 0, NULL, 0,"
	" pg_catalog.count(*), pg_catalog.min(m.created_at)"
	" FROM resonate.messages m GROUP BY m.address) AS q"
	" GROUP BY q.address ORDER BY LEAST(pg_catalog.min(q.due_since),"
	" pg_catalog.min(q.messages_since)), q.address LIMIT $2",
	.spi_result = SPI_OK_SELECT,
	.cursor_options = PLAN_EACH,
	ARGS(INT8OID, INT8OID),
	.reads_only = true
};

/* What waits at which addresses, at most so many, the longest waits first. */
int
rsn_store_count_queues(int64 now_ms, int limit, RsnQueueRow **rows)
{
	RsnArgs		args = {0};
	uint64		count;

	rsn_args_add(&args, Int64GetDatum(now_ms));
	rsn_args_add(&args, Int64GetDatum(limit));
	count = rsn_store_exec(&count_queues_stmt, &args);
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
