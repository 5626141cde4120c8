/*-------------------------------------------------------------------------
 *
 * store/prepared.c
 *	  Transactions that are prepared, and may hold what others wait for.
 *
 * Such a transaction commits when its session has long ended, so nothing in memory tells
 * what it has written.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "store/internal.h"
#include "store/sql.h"

static RsnStatement prepared_stmt = {
	.name = "prepared",
	.sql = "SELECT FROM pg_catalog.pg_prepared_xacts x"
	" WHERE x.database" EQ "pg_catalog.current_database()",
	.spi_result = SPI_OK_SELECT,
	.cursor_options = PLAN_ONCE,
	.reads_only = true
};

/* True when this database has prepared transactions. */
bool
rsn_store_has_prepared_transactions(void)
{
	return rsn_store_exec(&prepared_stmt, NULL) > 0;
}
