/*-------------------------------------------------------------------------
 *
 * store/debug.c
 *	  All that is stored, for tests.
 *
 * Each function opens and closes the store by itself.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "utils/builtins.h"

#include "store/debug.h"
#include "store/internal.h"
#include "store/sql.h"

static RsnStatement debug_reset_stmt = {
	.name = "debug_reset",
	.sql = "WITH p AS (DELETE FROM resonate.promises),"
	" c AS (DELETE FROM resonate.callbacks),"
	" m AS (DELETE FROM resonate.messages),"
	" t AS (DELETE FROM resonate.tasks),"
	" a AS (DELETE FROM resonate.awaiters)"
	" DELETE FROM resonate.schedules",
	.spi_result = SPI_OK_DELETE,
	.cursor_options = PLAN_EACH
};

/* Deletes everything. */
void
rsn_store_debug_reset(void)
{
	rsn_store_begin();
	rsn_store_exec(&debug_reset_stmt, NULL);
	rsn_store_end();
}

static RsnStatement debug_rest_stmt = {
	.name = "debug_rest",
	.sql = "SELECT pg_catalog.jsonb_build_object("
	"'promiseTimeouts', (SELECT COALESCE(pg_catalog.jsonb_agg("
	"pg_catalog.jsonb_build_object('id', p.id, 'timeout', p.timeout_at)"
	" ORDER BY p.id), '[]') FROM resonate.promises p"
	" WHERE p.external AND p.state" EQ STATE("pending") "),"
	" 'callbacks', (SELECT COALESCE(pg_catalog.jsonb_agg("
	"pg_catalog.jsonb_build_object('awaiter', a.awaiter_id,"
	" 'awaited', a.awaited_id) ORDER BY a.awaited_id, a.awaiter_id), '[]')"
	" FROM resonate.awaiters a),"
	" 'listeners', (SELECT COALESCE(pg_catalog.jsonb_agg("
	"pg_catalog.jsonb_build_object('id', c.promise_id,"
	" 'address', c.address) ORDER BY c.promise_id, c.callback_id), '[]')"
	" FROM resonate.callbacks c WHERE c.kind" EQ KIND("true") "),"
	" 'taskTimeouts', (SELECT COALESCE(pg_catalog.jsonb_agg("
	"pg_catalog.jsonb_build_object('id', t.id, 'type',"
	" CASE WHEN t.state" EQ TASK_STATE("acquired") " THEN 1 ELSE 0 END,"
	" 'timeout', t.clock_at) ORDER BY t.id), '[]')"
	" FROM resonate.tasks t WHERE t.clock_at IS NOT NULL))",
	.spi_result = SPI_OK_SELECT,
	.cursor_options = PLAN_EACH,
	.reads_only = true
};

/* Everything as it is stored, in order of ids. */
RsnDump
rsn_store_debug_dump(void)
{
	RsnDump		dump;
	RsnIdSearch all = {0};
	text	   *next_id;

	memset(all.wants, true, sizeof(all.wants));
	all.after_id = cstring_to_text("");
	all.limit = PG_INT32_MAX;

	rsn_store_begin();
	dump.npromises = rsn_store_search_promises_by_id(&all, 0, &dump.promises,
													 &next_id);

	/* At the beginning of time every task that has a row is alive. */
	dump.ntasks = rsn_store_search_tasks(RSN_TASK_PENDING, true, all.after_id,
										 0, PG_INT32_MAX, &dump.tasks,
										 &next_id);
	dump.nmessages = rsn_store_read_listener_messages(&dump.messages);
	rsn_store_exec(&debug_rest_stmt, NULL);
	dump.rest = (Jsonb *) rsn_store_copy_varlena(SPI_tuptable->vals[0], 1,
												 CurrentMemoryContext);
	rsn_store_end();
	return dump;
}
