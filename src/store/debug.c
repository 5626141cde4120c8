/*-------------------------------------------------------------------------
 *
 * store/debug.c
 *	  All that is stored, for tests.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "utils/builtins.h"

#include "store/debug.h"
#include "store/internal.h"

/* Deletes everything. */
void
rsn_store_debug_reset(void)
{
	rsn_store_begin();
	rsn_store_exec(RSN_QUERY_DEBUG_RESET, NULL);
	rsn_store_end();
}

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
	rsn_store_exec(RSN_QUERY_DEBUG_REST, NULL);
	dump.rest = (Jsonb *) rsn_store_copy_varlena(SPI_tuptable->vals[0], 1,
												 CurrentMemoryContext);
	rsn_store_end();
	return dump;
}
