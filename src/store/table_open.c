/*-------------------------------------------------------------------------
 *
 * store/table_open.c
 *	  Rows by their key, without the executor.
 *
 * Nearly all that the engine does is to find one row by its key, to lock it and
 * to write it.  To start an executor for each of those steps costs several times
 * what the step itself does (docs/performance.md has the figures), so they are
 * made here with the functions that the executor and the apply worker of logical
 * replication use underneath, and with the same rules: a new snapshot for each
 * step under READ COMMITTED, SQLSTATE 40001 where that of the transaction is too
 * old.  Where others have put triggers, columns or the like on a table, it is
 * written with statements nevertheless: see store/others.c.
 *
 * Here the tables are opened; store/table_find.c finds rows and locks them,
 * store/table_write.c writes them.  Tables stay open between rsn_store_begin and
 * rsn_store_end.  What an error leaves behind is released with the transaction.
 *
 * Locks of tables.  Commands lock them as well, and wait for us while we may wait for
 * them.  So each table is locked at once in the mode of the strongest thing that may
 * follow, since REINDEX, which lets readers in and writers not, has a reader who
 * becomes a writer wait for itself.  And resonate.promises is locked before any
 * other, as DROP EXTENSION does.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/genam.h"
#include "access/table.h"
#include "access/tableam.h"
#include "access/xact.h"
#include "access/xlog.h"
#include "catalog/namespace.h"
#include "catalog/pg_type.h"
#include "executor/executor.h"
#include "storage/lmgr.h"
#include "utils/inval.h"
#include "utils/lsyscache.h"
#include "utils/rel.h"
#include "utils/snapmgr.h"

#include "server/compat.h"
#include "store/columns.h"
#include "store/store.h"
#include "store/table_open.h"

#define AS_COLUMN(constant, name, type) {#name, type},

static const RsnColumn promise_columns[] = {RSN_PROMISE_COLUMNS(AS_COLUMN)};
static const RsnColumn task_columns[] = {RSN_TASK_COLUMNS(AS_COLUMN)};
static const RsnColumn callback_columns[] = {RSN_CALLBACK_COLUMNS(AS_COLUMN)};
static const RsnColumn message_columns[] = {RSN_MESSAGE_COLUMNS(AS_COLUMN)};
static const RsnColumn awaiter_columns[] = {RSN_AWAITER_COLUMNS(AS_COLUMN)};

typedef struct TableDef
{
	const char *name;
	const RsnColumn *columns;
	int			ncolumns;
} TableDef;

static const TableDef table_defs[RSN_NTABLES] = {
	[RSN_TABLE_PROMISES] = {"promises", promise_columns,
	lengthof(promise_columns)},
	[RSN_TABLE_TASKS] = {"tasks", task_columns, lengthof(task_columns)},
	[RSN_TABLE_CALLBACKS] = {"callbacks", callback_columns,
	lengthof(callback_columns)},
	[RSN_TABLE_MESSAGES] = {"messages", message_columns,
	lengthof(message_columns)},
	[RSN_TABLE_AWAITERS] = {"awaiters", awaiter_columns,
	lengthof(awaiter_columns)}
};

StaticAssertDecl(lengthof(promise_columns) == RSN_TABLE_MAX_COLUMNS,
				 "the widest table has the columns that there is room for");

static RsnTableIds ids[RSN_NTABLES];

/* One for each rsn_store_begin without its rsn_store_end; the last counts. */
static RsnTableState states[RSN_STORE_DEPTH_MAX];
RsnTableState *rsn_table_state = NULL;

/* Has the tables of that many nested rsn_store_begin open; zero for none. */
void
rsn_table_use(int depth)
{
	Assert(depth >= 0 && depth <= RSN_STORE_DEPTH_MAX);
	rsn_table_state = depth > 0 ? &states[depth - 1] : NULL;
}

/* Begins with none open. */
void
rsn_table_begin(void)
{
	memset(rsn_table_state, 0, sizeof(RsnTableState));
}

/*
 * Begins a step: it sees what the steps before it have written, and under READ
 * COMMITTED what others have committed.
 */
void
rsn_table_new_snapshot(void)
{
	Assert(rsn_table_state->estate != NULL);
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

/* That of a writer, unless nothing can be written. */
static LOCKMODE
lock_mode(void)
{
	return XactReadOnly || RecoveryInProgress() ? AccessShareLock
		: RowExclusiveLock;
}

/* Locks the tables that a statement is going to use, resonate.promises first. */
void
rsn_table_lock_relations(List *relation_ids)
{
	ListCell   *cell;

	LockRelationOid(rsn_table_ids(RSN_TABLE_PROMISES)->table, lock_mode());
	foreach(cell, relation_ids)
		LockRelationOid(lfirst_oid(cell), lock_mode());
}

/* How many columns we know of. */
int
rsn_table_ncolumns(RsnTable table)
{
	return table_defs[table].ncolumns;
}

/*
 * Raises an error unless one of our tables has the columns that we know, at its
 * beginning; otherwise it would be read wrongly.
 */
void
rsn_store_check_columns(Relation rel)
{
	for (int i = 0; i < RSN_NTABLES; i++)
	{
		if (strcmp(RelationGetRelationName(rel), table_defs[i].name) == 0)
			rsn_others_check_columns(rel, table_defs[i].columns,
									 table_defs[i].ncolumns);
	}
}

static Oid
look_table_up(RsnTable table)
{
	Oid			relid = get_relname_relid(table_defs[table].name,
										  get_namespace_oid("resonate", false));

	if (!OidIsValid(relid))
		ereport(ERROR,
				(errcode(ERRCODE_UNDEFINED_TABLE),
				 errmsg("relation \"%s.%s\" does not exist", "resonate",
						table_defs[table].name)));
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
	rel = table_open(found.table, lock_mode());
	rsn_store_check_columns(rel);
	rsn_others_check_kind(rel);
	found.key_index = rsn_primary_key_index(rel);
	table_close(rel, NoLock);
	if (!OidIsValid(found.key_index))
		ereport(ERROR,
				(errcode(ERRCODE_UNDEFINED_OBJECT),
				 errmsg("relation \"%s.%s\" has no primary key", "resonate",
						table_defs[table].name)));
	ids[table] = found;
}

const RsnTableIds *
rsn_table_ids(RsnTable table)
{
	Assert(table < RSN_NTABLES);
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

/* Opens a table. */
RsnOpenTable *
rsn_table_open(RsnTable table)
{
	RsnOpenTable *open = &rsn_table_state->tables[table];
	MemoryContext old;

	if (open->rel != NULL)
		return open;
	rsn_table_open_estate();
	if (table != RSN_TABLE_PROMISES)
		LockRelationOid(rsn_table_ids(RSN_TABLE_PROMISES)->table, lock_mode());
	old = MemoryContextSwitchTo(rsn_table_state->estate->es_query_cxt);
	open->rel = table_open(rsn_table_ids(table)->table, lock_mode());
	MemoryContextSwitchTo(old);
	return open;
}

/* The same with what it takes to find a row. */
RsnOpenTable *
rsn_table_open_with_key(RsnTable table)
{
	RsnOpenTable *open = rsn_table_open(table);
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
	Assert(open->target != NULL || !open->has_indexes);
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
	FreeExecutorState(rsn_table_state->estate);
}
