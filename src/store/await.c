/*-------------------------------------------------------------------------
 *
 * store/await.c
 *	  Reading a promise between transactions, for the awaiting procedure.
 *
 * The one place that controls transactions.  It runs with the rights of the
 * caller, so it has no access to the tables and asks resonate.get_promise().
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "utils/builtins.h"
#include "utils/timestamp.h"

#include "server/clock.h"
#include "store/await.h"
#include "store/internal.h"

static const char *const read_sql =
"SELECT p.status, p.state, p.value, p.timeout_at"
" FROM resonate.get_promise($1) AS p";

static SPIPlanPtr read_plan = NULL;

/* Where results go; it outlives the transactions in between. */
static MemoryContext result_context = NULL;

/* Connects in a way that allows commits. */
void
rsn_store_await_begin(void)
{
	result_context = CurrentMemoryContext;
	if (SPI_connect_ext(SPI_OPT_NONATOMIC) != SPI_OK_CONNECT)
		elog(ERROR, "SPI_connect_ext failed");
}

static SPIPlanPtr
get_read_plan(void)
{
	Oid			argtypes[1] = {TEXTOID};

	if (read_plan == NULL)
	{
		SPIPlanPtr	plan = SPI_prepare(read_sql, 1, argtypes);

		if (plan == NULL || SPI_keepplan(plan) != 0)
			elog(ERROR, "could not prepare the statement of await_promise");
		read_plan = plan;
	}
	return read_plan;
}

/* Reads the promise as it is now. */
void
rsn_store_await_read(text *id, RsnAwaitResult *awaited)
{
	Datum		values[1] = {PointerGetDatum(id)};
	HeapTuple	tuple;
	bool		is_null;
	Datum		timeout_at;

	if (SPI_execute_plan(get_read_plan(), values, NULL, false, 0) !=
		SPI_OK_SELECT || SPI_processed != 1)
		elog(ERROR, "could not read the promise");
	tuple = SPI_tuptable->vals[0];
	awaited->status = DatumGetInt32(SPI_getbinval(tuple, SPI_tuptable->tupdesc,
												  1, &is_null));
	awaited->state = rsn_store_copy_varlena(tuple, 2, result_context);
	awaited->value = rsn_store_copy_varlena(tuple, 3, result_context);
	timeout_at = SPI_getbinval(tuple, SPI_tuptable->tupdesc, 4, &is_null);
	awaited->timeout_at_ms = is_null ? RSN_TIME_NEVER
		: rsn_ms_from_timestamptz(DatumGetTimestampTz(timeout_at));
	awaited->is_pending = awaited->state != NULL &&
		strcmp(text_to_cstring(awaited->state),
			   rsn_promise_state_name(RSN_PROMISE_PENDING)) == 0;
	SPI_freetuptable(SPI_tuptable);
}

/* Ends the transaction, so that nothing is held while the caller sleeps. */
void
rsn_store_await_commit(void)
{
	SPI_commit();
}

void
rsn_store_await_end(void)
{
	if (SPI_finish() != SPI_OK_FINISH)
		elog(ERROR, "SPI_finish failed");
}
