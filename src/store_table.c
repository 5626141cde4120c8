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
 * Tables stay open between rsn_store_begin and rsn_store_end.  What an error
 * leaves behind is released with the transaction.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/genam.h"
#include "access/table.h"
#include "access/tableam.h"
#include "access/xact.h"
#include "catalog/index.h"
#include "catalog/namespace.h"
#include "commands/trigger.h"
#include "executor/executor.h"
#include "miscadmin.h"
#include "storage/bufmgr.h"
#include "storage/lmgr.h"
#include "utils/fmgroids.h"
#include "utils/guc.h"
#include "utils/inval.h"
#include "utils/lsyscache.h"
#include "utils/rel.h"
#include "utils/snapmgr.h"

#include "compat.h"
#include "fault.h"
#include "store_plan.h"

/* Our own triggers, which guard the tables against others; see schema.sql. */
#define GUARD_TRIGGER "resonate_guard"

static const char *const table_names[RSN_NTABLES] = {
	[RSN_TABLE_PROMISES] = "promises",
	[RSN_TABLE_TASKS] = "tasks",
	[RSN_TABLE_CALLBACKS] = "callbacks",
	[RSN_TABLE_MESSAGES] = "messages",
	[RSN_TABLE_AWAITERS] = "awaiters"
};

typedef struct OpenTable
{
	Relation	rel;			/* NULL: not open */
	LOCKMODE	lock_mode;		/* as strong as has been asked for */
	Relation	key_index;		/* NULL: not looked at */
	TupleTableSlot *found;		/* the row that was looked at last */
	TupleTableSlot *written;
	ResultRelInfo *target;		/* NULL: not open for writing */
	bool		has_indexes;	/* the target has them open as well */
	bool		has_triggers;	/* of others, which have to fire */
	BlockNumber nblocks;		/* the table had so many when last asked */
} OpenTable;

/* Of a table and of its primary key; InvalidOid until looked up. */
typedef struct TableIds
{
	Oid			table;
	Oid			key_index;
} TableIds;

static TableIds ids[RSN_NTABLES];

typedef struct TableState
{
	OpenTable	tables[RSN_NTABLES];
	EState	   *estate;			/* owns what belongs to them; NULL: none is
								 * open */
	EPQState	epq;			/* only triggers of others could have a row
								 * checked again, which we hold locked */
	bool		is_writing;		/* and triggers of others may fire */
	int			nest_level;		/* of the parameters that hold for them */
} TableState;

/* One for each rsn_store_begin without its rsn_store_end; the last counts. */
static TableState states[RSN_STORE_DEPTH_MAX];
static TableState *state = NULL;

/* Has the tables of that many nested rsn_store_begin open; zero for none. */
void
rsn_table_use(int depth)
{
	state = depth > 0 ? &states[depth - 1] : NULL;
}

/* Begins with none open. */
void
rsn_table_begin(void)
{
	memset(state, 0, sizeof(TableState));
}

/* True while a row is written, and triggers of others fire for it. */
bool
rsn_table_is_writing(void)
{
	return state != NULL && state->is_writing;
}

/*
 * Begins a step: it sees what the steps before it have written, and under READ
 * COMMITTED what others have committed.
 */
static void
new_snapshot(void)
{
	CommandCounterIncrement();
	PopActiveSnapshot();
	PushActiveSnapshot(GetTransactionSnapshot());
}

static void
open_estate(void)
{
	if (state->estate != NULL)
		return;
	state->estate = CreateExecutorState();
	rsn_eval_plan_qual_init(&state->epq, state->estate);
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
	TableIds	found;
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

static const TableIds *
table_ids(RsnTable table)
{
	if (!OidIsValid(ids[table].table))
		look_ids_up(table);
	return &ids[table];
}

/* Opens a table with the lock that a statement would take, or a stronger one. */
static OpenTable *
open_table(RsnTable table, LOCKMODE lock_mode)
{
	OpenTable  *open = &state->tables[table];
	MemoryContext old;

	if (open->rel == NULL)
	{
		open_estate();
		old = MemoryContextSwitchTo(state->estate->es_query_cxt);
		open->rel = table_open(table_ids(table)->table, lock_mode);
		MemoryContextSwitchTo(old);
	}
	else if (lock_mode > open->lock_mode)
		LockRelationOid(RelationGetRelid(open->rel), lock_mode);
	open->lock_mode = Max(open->lock_mode, lock_mode);
	return open;
}

/* The same with what it takes to find a row. */
static OpenTable *
open_with_key(RsnTable table, LOCKMODE lock_mode)
{
	OpenTable  *open = open_table(table, lock_mode);
	MemoryContext old;

	if (open->key_index != NULL)
		return open;
	old = MemoryContextSwitchTo(state->estate->es_query_cxt);
	open->key_index = index_open(table_ids(table)->key_index,
								 AccessShareLock);
	open->found = table_slot_create(open->rel, NULL);
	MemoryContextSwitchTo(old);
	return open;
}

static void
close_table(OpenTable *open)
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
	if (state->estate == NULL)
		return;
	for (int i = 0; i < RSN_NTABLES; i++)
	{
		if (state->tables[i].rel != NULL)
			close_table(&state->tables[i]);
	}
	PopActiveSnapshot();

	/* What the triggers of others have used. */
	ExecCloseResultRelations(state->estate);
	ExecResetTupleTable(state->estate->es_tupleTable, false);
	FreeExecutorState(state->estate);
}

/* The condition that the first column of an index is that text. */
static void
init_scan_key(ScanKey scan_key, Relation index, text *key)
{
	ScanKeyEntryInitialize(scan_key, 0, 1, BTEqualStrategyNumber, InvalidOid,
						   index->rd_indcollation[0], F_TEXTEQ,
						   PointerGetDatum(key));
}

/* Begins to look for the rows that have the key. */
static IndexScanDesc
begin_scan(OpenTable *open, text *key, Snapshot snapshot)
{
	IndexScanDesc scan;
	ScanKeyData scan_key;

	init_scan_key(&scan_key, open->key_index, key);
	scan = rsn_index_beginscan(open->rel, open->key_index, snapshot, 1, 0);
	index_rescan(scan, &scan_key, 1, NULL, 0);
	return scan;
}

/* Looks for the first row that has the key. */
static bool
find_in(OpenTable *open, text *key, Snapshot snapshot)
{
	IndexScanDesc scan = begin_scan(open, key, snapshot);
	bool		is_found;

	is_found = index_getnext_slot(scan, ForwardScanDirection, open->found);
	index_endscan(scan);
	return is_found;
}

static void
show_found(OpenTable *open, RsnTuple *tuple)
{
	slot_getallattrs(open->found);
	tuple->tid = &open->found->tts_tid;
	tuple->values = open->found->tts_values;
	tuple->nulls = open->found->tts_isnull;
}

/* The row that has the key; false when there is none. */
bool
rsn_table_find(RsnTable table, text *key, RsnTuple *tuple)
{
	OpenTable  *open = open_with_key(table, AccessShareLock);

	new_snapshot();
	if (!find_in(open, key, GetActiveSnapshot()))
		return false;
	show_found(open, tuple);
	return true;
}

/*
 * Shows each row that has the key; false when the visitor wants no more of them.
 * It sees what is committed, and what this transaction has written, as of now, so it
 * is for rows that nobody else can add or delete meanwhile.
 */
bool
rsn_table_visit(RsnTable table, text *key, RsnVisitTuple visit, void *arg)
{
	OpenTable  *open = open_with_key(table, AccessShareLock);
	IndexScanDesc scan = begin_scan(open, key, SnapshotSelf);
	RsnTuple	tuple;
	bool		wants_more = true;

	while (wants_more &&
		   index_getnext_slot(scan, ForwardScanDirection, open->found))
	{
		show_found(open, &tuple);
		wants_more = visit(&tuple, arg);
	}
	index_endscan(scan);
	return wants_more;
}

/*
 * The row at a place where there was one before this session with the store began;
 * false when there is none now.  Needs no newer snapshot, then.
 */
bool
rsn_table_fetch(RsnTable table, const ItemPointerData *tid, RsnTuple *tuple)
{
	OpenTable  *open = open_with_key(table, AccessShareLock);
	ItemPointerData copy = *tid;

	/* It cannot shrink while it is open, and to ask is a system call. */
	if (ItemPointerGetBlockNumber(tid) >= open->nblocks)
		open->nblocks = RelationGetNumberOfBlocks(open->rel);
	if (ItemPointerGetBlockNumber(tid) >= open->nblocks ||
		!table_tuple_fetch_row_version(open->rel, &copy, GetActiveSnapshot(),
									   open->found))
		return false;
	show_found(open, tuple);
	return true;
}

/*
 * False when no row has the first column of the primary key, at any isolation
 * level; true when there may be one.  Looks at the index alone, which costs half
 * as much and knows of dead rows too.
 */
bool
rsn_table_may_have(RsnTable table, text *key)
{
	Relation	index;
	IndexScanDesc scan;
	ScanKeyData scan_key;
	bool		result;

	open_estate();
	LockRelationOid(table_ids(table)->table, AccessShareLock);
	index = index_open(table_ids(table)->key_index, AccessShareLock);
	init_scan_key(&scan_key, index, key);
	scan = rsn_index_beginscan_bitmap(index, GetActiveSnapshot(), 1);
	index_rescan(scan, &scan_key, 1, NULL, 0);
	result = index_getnext_tid(scan, ForwardScanDirection) != NULL;
	index_endscan(scan);
	index_close(index, NoLock);
	return result;
}

/* Somebody has changed a row: an error where our snapshot is older than that. */
static void
check_not_serializable(void)
{
	if (IsolationUsesXactSnapshot())
		ereport(ERROR,
				(errcode(ERRCODE_T_R_SERIALIZATION_FAILURE),
				 errmsg("could not serialize access due to concurrent update")));
}

/*
 * Locks the row that was found, as SELECT FOR ... does (nodeLockRows.c), and has
 * its newest version; false when it was deleted meanwhile.  The key of a row
 * never changes, so there is nothing to check again.
 */
static bool
lock_found(OpenTable *open, LockTupleMode mode)
{
	ItemPointerData tid = open->found->tts_tid;
	uint8		flags = TUPLE_LOCK_FLAG_LOCK_UPDATE_IN_PROGRESS;
	TM_FailureData failure;
	TM_Result	result;

	if (!IsolationUsesXactSnapshot())
		flags |= TUPLE_LOCK_FLAG_FIND_LAST_VERSION;
	result = table_tuple_lock(open->rel, &tid, GetActiveSnapshot(),
							  open->found, GetCurrentCommandId(false), mode,
							  LockWaitBlock, flags, &failure);
	if (result == TM_Ok)
		return true;
	if (result == TM_Updated || result == TM_Deleted)
		check_not_serializable();
	if (result != TM_Deleted)
		elog(ERROR, "unexpected table_tuple_lock status: %d", (int) result);
	return false;
}

/* The same as rsn_table_find, locked and read after any wait for the lock. */
bool
rsn_table_lock(RsnTable table, text *key, LockTupleMode mode, RsnTuple *tuple)
{
	OpenTable  *open = open_with_key(table, RowShareLock);

	PreventCommandIfReadOnly("SELECT FOR UPDATE");
	new_snapshot();
	if (!find_in(open, key, GetActiveSnapshot()) || !lock_found(open, mode))
		return false;
	show_found(open, tuple);
	return true;
}

/*
 * Locks a row that the transaction has seen in a statement, if nobody has locked
 * it or changed it since.  Never waits.
 */
bool
rsn_table_try_lock(RsnTable table, const ItemPointerData *tid, RsnTuple *tuple)
{
	OpenTable  *open = open_with_key(table, RowShareLock);
	ItemPointerData copy = *tid;
	TM_FailureData failure;
	TM_Result	result;

	PreventCommandIfReadOnly("SELECT FOR UPDATE");
	CommandCounterIncrement();
	result = table_tuple_lock(open->rel, &copy, GetActiveSnapshot(),
							  open->found, GetCurrentCommandId(false),
							  LockTupleNoKeyExclusive, LockWaitSkip, 0,
							  &failure);
	if (result != TM_Ok)
	{
		if (result != TM_WouldBlock)
			check_not_serializable();
		return false;
	}
	show_found(open, tuple);
	return true;
}

/* True when others have put triggers on the table, or refer to it. */
static bool
has_triggers_of_others(Relation rel)
{
	for (int i = 0; rel->trigdesc != NULL && i < rel->trigdesc->numtriggers; i++)
	{
		if (strcmp(rel->trigdesc->triggers[i].tgname, GUARD_TRIGGER) != 0)
			return true;
	}
	return false;
}

/*
 * Opens a table for writing.  Our own guard does not fire for our own writes,
 * which were checked before they came here, unless others have to fire as well.
 */
static OpenTable *
open_target(RsnTable table)
{
	OpenTable  *open = open_table(table, RowExclusiveLock);
	MemoryContext old;

	if (open->target != NULL)
		return open;
	old = MemoryContextSwitchTo(state->estate->es_query_cxt);
	open->written = table_slot_create(open->rel, NULL);
	open->has_triggers = has_triggers_of_others(open->rel);
	open->target = makeNode(ResultRelInfo);
	InitResultRelInfo(open->target, open->rel, 0, NULL, 0);
	if (!open->has_triggers)
		open->target->ri_TrigDesc = NULL;
	MemoryContextSwitchTo(old);
	return open;
}

/* The same with its indexes, which a deletion leaves alone. */
static OpenTable *
open_target_with_indexes(RsnTable table)
{
	OpenTable  *open = open_target(table);
	MemoryContext old;

	if (open->has_indexes)
		return open;
	old = MemoryContextSwitchTo(state->estate->es_query_cxt);
	ExecOpenIndices(open->target, false);
	open->has_indexes = true;
	MemoryContextSwitchTo(old);
	return open;
}

/* The type of a column, counted from zero, of a table that is to be written. */
Oid
rsn_table_column_type(RsnTable table, int column)
{
	OpenTable  *open = open_table(table, RowExclusiveLock);

	return TupleDescAttr(RelationGetDescr(open->rel), column)->atttypid;
}

/* Sets a column, counted from zero. */
void
rsn_tuple_set(RsnNewTuple *tuple, int column, Datum value, bool is_null)
{
	tuple->values[column] = value;
	tuple->nulls[column] = is_null;
	tuple->is_set[column] = true;
}

/* The same for a pointer to a varlena, NULL being the SQL NULL. */
void
rsn_tuple_set_varlena(RsnNewTuple *tuple, int column, const void *value)
{
	rsn_tuple_set(tuple, column, PointerGetDatum(value), value == NULL);
}

/* Puts the row into the slot to write; old has what is not set, NULL for nothing. */
static void
fill_written(OpenTable *open, const RsnNewTuple *tuple,
			 const TupleTableSlot *old)
{
	TupleTableSlot *slot = open->written;

	ExecClearTuple(slot);
	for (int i = 0; i < slot->tts_tupleDescriptor->natts; i++)
	{
		if (i < RSN_TABLE_MAX_COLUMNS && tuple->is_set[i])
		{
			slot->tts_values[i] = tuple->values[i];
			slot->tts_isnull[i] = tuple->nulls[i];
		}
		else
		{
			slot->tts_values[i] = old == NULL ? (Datum) 0 : old->tts_values[i];
			slot->tts_isnull[i] = old == NULL || old->tts_isnull[i];
		}
	}
	ExecStoreVirtualTuple(slot);
}

/* Begins a write; triggers that fire see a query of their own. */
static void
begin_write(OpenTable *open)
{
	rsn_fault_before_write();
	state->estate->es_output_cid = GetCurrentCommandId(true);
	state->estate->es_snapshot = GetActiveSnapshot();
	state->is_writing = true;
	if (open->has_triggers)
	{
		state->nest_level = rsn_store_pin_search_path();
		AfterTriggerBeginQuery();
	}
}

static void
end_write(OpenTable *open)
{
	if (open->has_triggers)
	{
		AfterTriggerEndQuery(state->estate);
		AtEOXact_GUC(true, state->nest_level);
	}
	ResetPerTupleExprContext(state->estate);
	state->is_writing = false;
	rsn_fault_after_write();
}

/*
 * Under REPEATABLE READ, a row that exists and that our snapshot does not see
 * is an error, as it is for INSERT ... ON CONFLICT DO NOTHING.
 */
static void
check_existing_is_visible(RsnTable table, ItemPointer tid)
{
	OpenTable  *open;
	TransactionId xmin;
	bool		is_null;

	if (!IsolationUsesXactSnapshot())
		return;
	open = open_with_key(table, RowExclusiveLock);
	if (!table_tuple_fetch_row_version(open->rel, tid, SnapshotAny, open->found))
		elog(ERROR, "could not fetch the row that has the key already");
	if (table_tuple_satisfies_snapshot(open->rel, open->found,
									   GetActiveSnapshot()))
		return;
	xmin = DatumGetTransactionId(slot_getsysattr(open->found,
												 MinTransactionIdAttributeNumber,
												 &is_null));
	if (!TransactionIdIsCurrentTransactionId(xmin))
		ereport(ERROR,
				(errcode(ERRCODE_T_R_SERIALIZATION_FAILURE),
				 errmsg("could not serialize access due to concurrent update")));
}

/* Adds what the indexes need to find a conflict. */
static void
prepare_speculation(OpenTable *open)
{
	ResultRelInfo *target = open->target;
	MemoryContext old = MemoryContextSwitchTo(state->estate->es_query_cxt);

	for (int i = 0; i < target->ri_NumIndices; i++)
	{
		IndexInfo  *info = target->ri_IndexRelationInfo[i];

		if (info->ii_Unique && info->ii_UniqueOps == NULL)
			BuildSpeculativeIndexInfo(target->ri_IndexRelationDescs[i], info);
	}
	MemoryContextSwitchTo(old);
}

/*
 * Inserts the row that was filled in, unless another one has its key, which is
 * waited for if it is not committed yet.  The protocol is that of INSERT ... ON
 * CONFLICT DO NOTHING (ExecInsert in nodeModifyTable.c).
 */
static bool
insert_speculatively(RsnTable table)
{
	OpenTable  *open = &state->tables[table];
	ItemPointerData conflict;
	bool		is_conflict;
	uint32		token;

	prepare_speculation(open);
	do
	{
		CHECK_FOR_INTERRUPTS();
		if (!rsn_check_index_constraints(open->target, open->written, state->estate,
										 &conflict))
		{
			check_existing_is_visible(table, &conflict);
			return false;
		}
		is_conflict = false;
		token = SpeculativeInsertionLockAcquire(GetCurrentTransactionId());
		table_tuple_insert_speculative(open->rel, open->written,
									   state->estate->es_output_cid, 0, NULL, token);
		list_free(rsn_insert_index_tuples(open->target, open->written, state->estate,
										  true, &is_conflict));
		table_tuple_complete_speculative(open->rel, open->written, token,
										 !is_conflict);
		SpeculativeInsertionLockRelease(GetCurrentTransactionId());
	} while (is_conflict);
	return true;
}

/* Inserts the row that was filled in; its key must be new. */
static void
insert_plainly(OpenTable *open)
{
	table_tuple_insert(open->rel, open->written, state->estate->es_output_cid, 0,
					   NULL);
	list_free(rsn_insert_index_tuples(open->target, open->written, state->estate,
									  false, NULL));
}

static bool
insert_written(RsnTable table, bool may_exist)
{
	OpenTable  *open = &state->tables[table];

	if (open->has_triggers &&
		!ExecBRInsertTriggers(state->estate, open->target, open->written))
		return false;
	ExecConstraints(open->target, open->written, state->estate);
	if (!may_exist)
		insert_plainly(open);
	else if (!insert_speculatively(table))
		return false;
	if (open->has_triggers)
		ExecARInsertTriggers(state->estate, open->target, open->written, NIL, NULL);
	return true;
}

/*
 * Inserts a row.  If another one has the key, the answer is false where that may
 * be so, or else an error.
 */
bool
rsn_table_insert(RsnTable table, const RsnNewTuple *tuple, bool may_exist)
{
	OpenTable  *open;
	bool		is_inserted;

	PreventCommandIfReadOnly("INSERT");
	open = open_target_with_indexes(table);
	fill_written(open, tuple, NULL);
	begin_write(open);
	is_inserted = insert_written(table, may_exist);
	end_write(open);
	return is_inserted;
}

/* Has the row that is to be written in the slot of what was found. */
static void
fetch_again(RsnTable table, const ItemPointerData *tid)
{
	OpenTable  *open = open_with_key(table, RowExclusiveLock);
	ItemPointerData copy = *tid;

	if (open->has_triggers)
		new_snapshot();
	else
		CommandCounterIncrement();
	if (TTS_EMPTY(open->found) ||
		!ItemPointerEquals(&open->found->tts_tid, &copy))
	{
		if (!table_tuple_fetch_row_version(open->rel, &copy, SnapshotAny,
										   open->found))
			elog(ERROR, "row of \"%s\" is gone although it was locked",
				 RelationGetRelationName(open->rel));
	}
	slot_getallattrs(open->found);
}

/* Tells each index whether its key changes, which ours say by columns alone. */
static void
note_changed_keys(ResultRelInfo *target, const bool *is_set)
{
	for (int i = 0; i < target->ri_NumIndices; i++)
	{
		IndexInfo  *info = target->ri_IndexRelationInfo[i];

		info->ii_CheckedUnchanged = true;
		info->ii_IndexUnchanged = true;
		for (int key = 0; key < info->ii_NumIndexKeyAttrs; key++)
		{
			int			attno = info->ii_IndexAttrNumbers[key];

			if (attno > 0 && attno <= RSN_TABLE_MAX_COLUMNS &&
				is_set[attno - 1])
				info->ii_IndexUnchanged = false;
		}
	}
}

/*
 * Changes a row that was found and not locked, if nobody has locked or changed it
 * since, and without ever waiting; otherwise does nothing, and answers false.
 * Also false where triggers of others want a lock, and where the snapshot is that
 * of the transaction, so that who locks the row can tell why it is too old.
 */
bool
rsn_table_try_update(RsnTable table, ItemPointer tid, const RsnNewTuple *tuple)
{
	OpenTable  *open;
	TM_FailureData failure;
	LockTupleMode lock_mode;
	RsnUpdateIndexes update_indexes;
	TM_Result	result;

	PreventCommandIfReadOnly("UPDATE");
	open = open_target_with_indexes(table);
	if (open->has_triggers || IsolationUsesXactSnapshot())
		return false;
	CheckCmdReplicaIdentity(open->rel, CMD_UPDATE);
	fetch_again(table, tid);
	fill_written(open, tuple, open->found);
	note_changed_keys(open->target, tuple->is_set);
	begin_write(open);
	ExecConstraints(open->target, open->written, state->estate);
	result = table_tuple_update(open->rel, tid, open->written,
								state->estate->es_output_cid, state->estate->es_snapshot,
								InvalidSnapshot, false, &failure, &lock_mode,
								&update_indexes);
	if (result == TM_Ok && update_indexes)
		list_free(rsn_update_index_tuples(open->target, open->written, state->estate,
										  update_indexes));
	end_write(open);
	if (result == TM_Ok)
		*tid = open->written->tts_tid;
	ExecClearTuple(open->found);
	return result == TM_Ok;
}

/* Changes the columns of a locked row that are set; tid becomes that of the new one. */
void
rsn_table_update(RsnTable table, ItemPointer tid, const RsnNewTuple *tuple)
{
	OpenTable  *open;

	PreventCommandIfReadOnly("UPDATE");
	open = open_target_with_indexes(table);
	fetch_again(table, tid);
	fill_written(open, tuple, open->found);
	note_changed_keys(open->target, tuple->is_set);
	begin_write(open);
	ExecSimpleRelationUpdate(open->target, state->estate, &state->epq, open->found,
							 open->written);
	end_write(open);
	ExecClearTuple(open->found);
	*tid = open->written->tts_tid;
}

/*
 * Deletes a row that was found and not locked, after waiting for whoever has it
 * locked; false when it has been changed or deleted by then.
 */
bool
rsn_table_try_delete(RsnTable table, const ItemPointerData *tid)
{
	OpenTable  *open;
	ItemPointerData copy = *tid;
	RsnTuple	tuple;
	TM_FailureData failure;
	TM_Result	result;

	PreventCommandIfReadOnly("DELETE");
	open = open_target(table);
	if (open->has_triggers || IsolationUsesXactSnapshot())
	{
		if (!rsn_table_try_lock(table, &copy, &tuple))
			return false;
		rsn_table_delete(table, &copy);
		return true;
	}
	CheckCmdReplicaIdentity(open->rel, CMD_DELETE);
	begin_write(open);
	result = table_tuple_delete(open->rel, &copy, state->estate->es_output_cid,
								state->estate->es_snapshot, InvalidSnapshot,
								true, &failure, false);
	end_write(open);
	return result == TM_Ok;
}

/* Deletes a locked row. */
void
rsn_table_delete(RsnTable table, const ItemPointerData *tid)
{
	OpenTable  *open;

	PreventCommandIfReadOnly("DELETE");
	open = open_target(table);
	fetch_again(table, tid);
	begin_write(open);
	ExecSimpleRelationDelete(open->target, state->estate, &state->epq, open->found);
	end_write(open);
	ExecClearTuple(open->found);
}
