/*-------------------------------------------------------------------------
 *
 * store/plan.c
 *	  Statements: prepared at first use, kept, and run.
 *
 * Plans are kept for the life of the backend; the plan cache re-plans them when a
 * table changes.
 *
 * Statements run read-write in the sense of SPI: each takes a new snapshot, so
 * that what a session reads after it has waited for a lock is the newest.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/xact.h"
#include "utils/guc.h"
#include "utils/plancache.h"
#include "utils/snapmgr.h"

#include "server/fault.h"
#include "store/internal.h"

static SPIPlanPtr
get_plan(RsnStatement *statement)
{
	SPIPlanPtr	plan = statement->plan;

	if (plan != NULL)
		return plan;

	Assert(statement->cursor_options == CURSOR_OPT_GENERIC_PLAN ||
		   statement->cursor_options == CURSOR_OPT_CUSTOM_PLAN);
	plan = SPI_prepare_cursor(statement->sql, statement->nargs,
							  statement->argtypes, statement->cursor_options);
	if (plan == NULL)
		elog(ERROR, "could not prepare statement \"%s\": %s", statement->name,
			 SPI_result_code_string(SPI_result));
	if (SPI_keepplan(plan) != 0)
		elog(ERROR, "could not keep the plan of statement \"%s\"",
			 statement->name);
	statement->plan = plan;
	return plan;
}

/*
 * Runs a plan on the newest snapshot.  Under REPEATABLE READ the snapshot is
 * the transaction's own, which is good enough for a statement that meets the
 * same rows as those who conflict with it: PostgreSQL raises 40001.  One that
 * has to find all rows of a locked promise sees what others have inserted
 * meanwhile, and raises 40001 for it, as foreign keys do (ri_triggers.c).
 */
static int
execute_plan(RsnStatement *statement, const RsnArgs *args)
{
	SPIPlanPtr	plan = get_plan(statement);

	if (!statement->must_see_all || !IsolationUsesXactSnapshot())
		return SPI_execute_plan(plan, (Datum *) args->values, args->nulls,
								false, 0);

	CommandCounterIncrement();
	return SPI_execute_snapshot(plan, (Datum *) args->values, args->nulls,
								GetLatestSnapshot(), GetTransactionSnapshot(),
								false, true, 0);
}

/*
 * Has no name resolved but to what PostgreSQL itself provides, until the caller
 * ends the nest level that is returned.  The functions run with the rights of
 * their owner.  A SET clause of the functions would do the same, for 5 % of all
 * that a create_promise costs, where nothing has a name that is looked up.
 */
static int
pin_search_path(void)
{
	int			nest_level = NewGUCNestLevel();

	(void) set_config_option("search_path", "pg_catalog, pg_temp",
							 PGC_USERSET, PGC_S_SESSION, GUC_ACTION_SAVE,
							 true, 0, false);
	return nest_level;
}

static bool
is_write(const RsnStatement *statement)
{
	return statement->spi_result != SPI_OK_SELECT;
}

/* Locks the tables of a statement that may be followed by writes to them. */
static void
lock_relations(SPIPlanPtr plan)
{
	ListCell   *cell;

	Assert(list_length(SPI_plan_get_plan_sources(plan)) == 1);
	foreach(cell, SPI_plan_get_plan_sources(plan))
	{
		const CachedPlanSource *source = lfirst(cell);

		rsn_table_lock_relations(source->relationOids);
	}
}

static int
run_statement(RsnStatement *statement, const RsnArgs *args)
{
	int			nest_level = pin_search_path();
	int			result;

	Assert(!statement->reads_only || !is_write(statement));
	Assert(!statement->by_bitmap ||
		   statement->cursor_options == CURSOR_OPT_GENERIC_PLAN);
	if (!statement->reads_only)
		lock_relations(get_plan(statement));
	if (is_write(statement))
		rsn_fault_before_write();
	rsn_store_set_running(statement);
	result = execute_plan(statement, args);
	rsn_store_set_running(NULL);
	AtEOXact_GUC(true, nest_level);
	if (is_write(statement))
		rsn_fault_after_write();
	return result;
}

/* Runs a statement and returns how many rows it processed. */
uint64
rsn_store_exec(RsnStatement *statement, const RsnArgs *args)
{
	static const RsnArgs none = {0};
	MemoryContext caller = CurrentMemoryContext;
	int			result;

	if (args == NULL)
		args = &none;
	if (args->n != statement->nargs)
		elog(ERROR, "statement \"%s\" takes %d arguments, not %d",
			 statement->name, statement->nargs, args->n);

	rsn_store_connect();
	result = run_statement(statement, args);

	/* SPI leaves its own context behind, which ends with rsn_store_end. */
	MemoryContextSwitchTo(caller);
	if (result != statement->spi_result)
		elog(ERROR, "statement \"%s\" failed: %s", statement->name,
			 SPI_result_code_string(result));
	return SPI_processed;
}

/* Runs a statement that writes one row and is no other's; returns how many it did. */
uint64
rsn_store_exec_text(const char *sql, int nargs, Oid *types, Datum *values,
					const char *nulls)
{
	static const RsnStatement one_row = {0};
	MemoryContext caller = CurrentMemoryContext;
	int			nest_level = pin_search_path();
	int			result;

	rsn_store_connect();
	rsn_fault_before_write();
	rsn_store_set_running(&one_row);
	result = SPI_execute_with_args(sql, nargs, types, values, nulls, false, 0);
	rsn_store_set_running(NULL);
	AtEOXact_GUC(true, nest_level);
	rsn_fault_after_write();
	MemoryContextSwitchTo(caller);
	if (result < 0)
		elog(ERROR, "statement \"%s\" failed: %s", sql,
			 SPI_result_code_string(result));
	return SPI_processed;
}
