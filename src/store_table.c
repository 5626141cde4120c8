/*-------------------------------------------------------------------------
 *
 * store_table.c
 *	  Rows by their key, without the executor.
 *
 * Nearly all that the engine does is to find one row by its key, to lock it and
 * to write it.  To start an executor for each of those steps costs several times
 * what the step itself does (docs/performance.md has the figures), so they are
 * made here with the functions that the executor and the apply worker of logical
 * replication use underneath, and with the same rules: a new snapshot for each
 * step under READ COMMITTED, SQLSTATE 40001 where that of the transaction is too
 * old.  Constraints, and triggers for each row, that somebody adds are obeyed;
 * triggers for each statement and rules are not.
 *
 * Here the tables are opened; store_table_find.c finds rows and locks them,
 * store_table_write.c writes them.  Tables stay open between rsn_store_begin and
 * rsn_store_end.  What an error leaves behind is released with the transaction.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/genam.h"
#include "access/table.h"
#include "access/tableam.h"
#include "access/xact.h"
#include "catalog/namespace.h"
#include "executor/executor.h"
#include "storage/lmgr.h"
#include "utils/inval.h"
#include "utils/lsyscache.h"
#include "utils/rel.h"
#include "utils/snapmgr.h"

#include "compat.h"
#include "store_table_open.h"

static const char *const table_names[RSN_NTABLES] = {
	[RSN_TABLE_PROMISES] = "promises",
	[RSN_TABLE_TASKS] = "tasks",
	[RSN_TABLE_CALLBACKS] = "callbacks",
	[RSN_TABLE_MESSAGES] = "messages",
	[RSN_TABLE_AWAITERS] = "awaiters"
};

static RsnTableIds ids[RSN_NTABLES];

/* One for each rsn_store_begin without its rsn_store_end; the last counts. */
static RsnTableState states[RSN_STORE_DEPTH_MAX];
RsnTableState *rsn_table_state = NULL;

/* Has the tables of that many nested rsn_store_begin open; zero for none. */
void
rsn_table_use(int depth)
{
	rsn_table_state = depth > 0 ? &states[depth - 1] : NULL;
}

/* Begins with none open. */
void
rsn_table_begin(void)
{
	memset(rsn_table_state, 0, sizeof(RsnTableState));
}

/* True while a row is written, and triggers of others fire for it. */
bool
rsn_table_is_writing(void)
{
	return rsn_table_state != NULL && rsn_table_state->is_writing;
}

/*
 * Begins a step: it sees what the steps before it have written, and under READ
 * COMMITTED what others have committed.
 */
void
rsn_table_new_snapshot(void)
{
	CommandCounterIncrement();
	PopActiveSnapshot();
	PushActiveSnapshot(GetTransactionSnapshot());
}

void
rsn_table_open_estate(void)
{
	if (rsn_table_state->estate != NULL)
		return;
	rsn_table_state->estate = CreateExecutorState();
	rsn_eval_plan_qual_init(&rsn_table_state->epq, rsn_table_state->estate);
	PushActiveSnapshot(GetTransactionSnapshot());
}

/* A table was changed, perhaps one of ours: it may have been dropped and made anew. */
static void
forget_ids(Datum arg, Oid relid)
{
	for (int i = 0; i < RSN_NTABLES; i++)
	{
		if (!OidIsValid(relid) || relid == ids[i].table)
			ids[i].table = InvalidOid;
	}
}

static Oid
look_table_up(RsnTable table)
{
	Oid			relid = get_relname_relid(table_names[table],
										  get_namespace_oid("resonate", false));

	if (!OidIsValid(relid))
		ereport(ERROR,
				(errcode(ERRCODE_UNDEFINED_TABLE),
				 errmsg("relation \"%s.%s\" does not exist", "resonate",
						table_names[table])));
	return relid;
}

static void
look_ids_up(RsnTable table)
{
	static bool is_registered = false;
	RsnTableIds found;
	Relation	rel;

	if (!is_registered)
		CacheRegisterRelcacheCallback(forget_ids, (Datum) 0);
	is_registered = true;

	found.table = look_table_up(table);
	rel = table_open(found.table, AccessShareLock);
	found.key_index = rsn_primary_key_index(rel);
	table_close(rel, NoLock);
	if (!OidIsValid(found.key_index))
		ereport(ERROR,
				(errcode(ERRCODE_UNDEFINED_OBJECT),
				 errmsg("relation \"%s.%s\" has no primary key", "resonate",
						table_names[table])));
	ids[table] = found;
}

const RsnTableIds *
rsn_table_ids(RsnTable table)
{
	if (!OidIsValid(ids[table].table))
		look_ids_up(table);
	return &ids[table];
}

/* Opens one of our indexes that is no primary key. */
Relation
rsn_table_open_index(const char *name)
{
	Oid			index_id = get_relname_relid(name,
											 get_namespace_oid("resonate", false));

	if (!OidIsValid(index_id))
		ereport(ERROR,
				(errcode(ERRCODE_UNDEFINED_OBJECT),
				 errmsg("index \"%s.%s\" does not exist", "resonate", name)));
	return index_open(index_id, AccessShareLock);
}

/* Opens a table with the lock that a statement would take, or a stronger one. */
RsnOpenTable *
rsn_table_open(RsnTable table, LOCKMODE lock_mode)
{
	RsnOpenTable *open = &rsn_table_state->tables[table];
	MemoryContext old;

	if (open->rel == NULL)
	{
		rsn_table_open_estate();
		old = MemoryContextSwitchTo(rsn_table_state->estate->es_query_cxt);
		open->rel = table_open(rsn_table_ids(table)->table, lock_mode);
		MemoryContextSwitchTo(old);
	}
	else if (lock_mode > open->lock_mode)
		LockRelationOid(RelationGetRelid(open->rel), lock_mode);
	open->lock_mode = Max(open->lock_mode, lock_mode);
	return open;
}

/* The same with what it takes to find a row. */
RsnOpenTable *
rsn_table_open_with_key(RsnTable table, LOCKMODE lock_mode)
{
	RsnOpenTable *open = rsn_table_open(table, lock_mode);
	MemoryContext old;

	if (open->key_index != NULL)
		return open;
	old = MemoryContextSwitchTo(rsn_table_state->estate->es_query_cxt);
	open->key_index = index_open(rsn_table_ids(table)->key_index,
								 AccessShareLock);
	open->found = table_slot_create(open->rel, NULL);
	MemoryContextSwitchTo(old);
	return open;
}

static void
close_table(RsnOpenTable *open)
{
	if (open->target != NULL)
	{
		ExecDropSingleTupleTableSlot(open->written);
		ExecCloseIndices(open->target);
	}
	if (open->key_index != NULL)
	{
		ExecDropSingleTupleTableSlot(open->found);
		index_close(open->key_index, NoLock);
	}
	table_close(open->rel, NoLock);
}

/* Closes the tables; their locks stay until the transaction ends. */
void
rsn_table_end(void)
{
	if (rsn_table_state->estate == NULL)
		return;
	for (int i = 0; i < RSN_NTABLES; i++)
	{
		if (rsn_table_state->tables[i].rel != NULL)
			close_table(&rsn_table_state->tables[i]);
	}
	PopActiveSnapshot();

	/* What the triggers of others have used. */
	ExecCloseResultRelations(rsn_table_state->estate);
	ExecResetTupleTable(rsn_table_state->estate->es_tupleTable, false);
	FreeExecutorState(rsn_table_state->estate);
}
