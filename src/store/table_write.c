/*-------------------------------------------------------------------------
 *
 * store/table_write.c
 *	  Writing rows that were found by their key, and new ones.
 *
 * With the functions and the rules of the executor: see store/table_open.c.  A row is
 * locked by this transaction before it is changed or deleted, but for the functions that
 * try to: these do nothing where somebody else has been faster.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/tableam.h"
#include "access/xact.h"
#include "catalog/index.h"
#include "executor/executor.h"
#include "miscadmin.h"
#include "storage/bufmgr.h"
#include "storage/lmgr.h"
#include "storage/procarray.h"
#include "utils/rel.h"
#include "utils/snapmgr.h"

#include "server/compat.h"
#include "server/fault.h"
#include "store/internal.h"
#include "store/table_open.h"

/*
 * Opens a table for writing.  No trigger fires for what is written here: our own guard
 * is for others, and those of others have a statement write the row.
 */
static RsnOpenTable *
open_target(RsnTable table)
{
	RsnOpenTable *open = rsn_table_open(table);
	MemoryContext old;

	if (open->target != NULL)
		return open;
	Assert(CheckRelationLockedByMe(open->rel, RowExclusiveLock, true));
	old = MemoryContextSwitchTo(rsn_table_state->estate->es_query_cxt);
	open->written = table_slot_create(open->rel, NULL);
	open->by_statement = rsn_others_commands(open->rel,
											 rsn_table_ncolumns(table),
											 rsn_table_ids(table)->key_index);
	open->target = makeNode(ResultRelInfo);
	InitResultRelInfo(open->target, open->rel, 0, NULL, 0);
	open->target->ri_TrigDesc = NULL;
	MemoryContextSwitchTo(old);
	return open;
}

static bool
is_by_statement(const RsnOpenTable *open, CmdType command)
{
	return (open->by_statement & RSN_COMMAND_BIT(command)) != 0;
}

/* The same with its indexes, which a deletion leaves alone. */
static RsnOpenTable *
open_target_with_indexes(RsnTable table)
{
	RsnOpenTable *open = open_target(table);
	MemoryContext old;

	if (open->has_indexes)
		return open;
	old = MemoryContextSwitchTo(rsn_table_state->estate->es_query_cxt);
	ExecOpenIndices(open->target, false);
	open->has_indexes = true;
	MemoryContextSwitchTo(old);
	return open;
}

/* The type of a column, counted from zero, of a table that is to be written. */
Oid
rsn_table_column_type(RsnTable table, int column)
{
	RsnOpenTable *open = rsn_table_open(table);

	Assert(column >= 0 && column < rsn_table_ncolumns(table));
	return TupleDescAttr(RelationGetDescr(open->rel), column)->atttypid;
}

/* Sets a column, counted from zero. */
void
rsn_tuple_set(RsnNewTuple *tuple, int column, Datum value, bool is_null)
{
	Assert(column >= 0 && column < RSN_TABLE_MAX_COLUMNS);
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
fill_written(RsnOpenTable *open, const RsnNewTuple *tuple,
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

/*
 * Leaves an index out whose predicate the row is known not to meet.  To evaluate it
 * would take its preparation for each statement, which costs more.
 */
static void
leave_out_unindexed(ResultRelInfo *target, const char *name)
{
	for (int i = 0; i < target->ri_NumIndices; i++)
	{
		Relation	index = target->ri_IndexRelationDescs[i];

		if (index->rd_index->indisready)
			target->ri_IndexRelationInfo[i]->ii_ReadyForInserts =
				name == NULL ||
				strcmp(RelationGetRelationName(index), name) != 0;
	}
}

static void
begin_write(void)
{
	rsn_fault_before_write();
	rsn_table_state->estate->es_output_cid = GetCurrentCommandId(true);
	rsn_table_state->estate->es_snapshot = GetActiveSnapshot();
}

static void
end_write(void)
{
	ResetPerTupleExprContext(rsn_table_state->estate);
	rsn_fault_after_write();
}

/*
 * Under REPEATABLE READ, a row that exists and that our snapshot does not see
 * is an error, as it is for INSERT ... ON CONFLICT DO NOTHING.
 */
static void
check_existing_is_visible(RsnTable table, ItemPointer tid)
{
	RsnOpenTable *open;
	TransactionId xmin;
	bool		is_null;

	if (!IsolationUsesXactSnapshot())
		return;
	open = rsn_table_open_with_key(table);
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
prepare_speculation(RsnOpenTable *open)
{
	ResultRelInfo *target = open->target;
	MemoryContext old = MemoryContextSwitchTo(rsn_table_state->estate->es_query_cxt);

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
 * CONFLICT (key) DO NOTHING (ExecInsert in nodeModifyTable.c): other unique indexes,
 * which are not ours, raise an error.
 */
static bool
insert_speculatively(RsnTable table)
{
	RsnOpenTable *open = &rsn_table_state->tables[table];
	EState	   *estate = rsn_table_state->estate;
	List	   *arbiters = list_make1_oid(rsn_table_ids(table)->key_index);
	ItemPointerData conflict;
	bool		is_conflict;
	uint32		token;

	Assert(open->has_indexes);
	prepare_speculation(open);
	do
	{
		CHECK_FOR_INTERRUPTS();
		if (!rsn_check_index_constraints(open->target, open->written, estate,
										 &conflict, arbiters))
		{
			check_existing_is_visible(table, &conflict);
			return false;
		}
		is_conflict = false;
		token = SpeculativeInsertionLockAcquire(GetCurrentTransactionId());
		table_tuple_insert_speculative(open->rel, open->written,
									   estate->es_output_cid, 0, NULL, token);
		list_free(rsn_insert_index_tuples(open->target, open->written, estate,
										  true, &is_conflict, arbiters));
		table_tuple_complete_speculative(open->rel, open->written, token,
										 !is_conflict);
		SpeculativeInsertionLockRelease(GetCurrentTransactionId());
	} while (is_conflict);
	list_free(arbiters);
	return true;
}

/* Inserts the row that was filled in; its key must be new. */
static void
insert_plainly(RsnOpenTable *open)
{
	EState	   *estate = rsn_table_state->estate;

	Assert(open->has_indexes);
	table_tuple_insert(open->rel, open->written, estate->es_output_cid, 0,
					   NULL);
	list_free(rsn_insert_index_tuples(open->target, open->written, estate,
									  false, NULL, NIL));
}

/*
 * Inserts a row.  If another one has the key, the result is false where that may
 * be so, or else an error.
 */
bool
rsn_table_insert(RsnTable table, const RsnNewTuple *tuple, bool may_exist)
{
	RsnOpenTable *open;
	bool		is_inserted = true;

	PreventCommandIfReadOnly("INSERT");
	open = open_target_with_indexes(table);
	if (is_by_statement(open, CMD_INSERT))
		return rsn_statement_insert(table, tuple, may_exist);
	fill_written(open, tuple, NULL);
	leave_out_unindexed(open->target, tuple->unindexed);
	begin_write();
	ExecConstraints(open->target, open->written, rsn_table_state->estate);
	if (may_exist)
		is_inserted = insert_speculatively(table);
	else
		insert_plainly(open);
	end_write();
	return is_inserted;
}

/* Has the row that is to be written in the slot of what was found. */
static void
fetch_again(RsnTable table, const ItemPointerData *tid)
{
	RsnOpenTable *open = rsn_table_open_with_key(table);
	ItemPointerData copy = *tid;

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
 * True when nobody else has locked the row that was found, or changes it, as far as can
 * be seen at a glance.
 */
static bool
is_free(TupleTableSlot *slot)
{
	BufferHeapTupleTableSlot *found = (BufferHeapTupleTableSlot *) slot;
	HeapTupleHeader header;
	uint16		infomask;
	TransactionId xmax;

	if (!TTS_IS_BUFFERTUPLE(slot) || !BufferIsValid(found->buffer))
		return false;
	header = found->base.tuple->t_data;
	LockBuffer(found->buffer, BUFFER_LOCK_SHARE);
	infomask = header->t_infomask;
	xmax = HeapTupleHeaderGetRawXmax(header);
	LockBuffer(found->buffer, BUFFER_LOCK_UNLOCK);

	if ((infomask & HEAP_XMAX_INVALID) != 0)
		return true;
	return (infomask & HEAP_XMAX_IS_MULTI) == 0 &&
		(TransactionIdIsCurrentTransactionId(xmax) ||
		 !TransactionIdIsInProgress(xmax));
}

/* Changes the columns of the row that was found that are set. */
static TM_Result
update_found(RsnOpenTable *open, ItemPointer tid, const RsnNewTuple *tuple)
{
	EState	   *estate = rsn_table_state->estate;
	TM_FailureData failure;
	LockTupleMode lock_mode;
	RsnUpdateIndexes update_indexes;
	TM_Result	result;

	Assert(open->has_indexes && !TTS_EMPTY(open->found));
	CheckCmdReplicaIdentity(open->rel, CMD_UPDATE);
	fill_written(open, tuple, open->found);
	note_changed_keys(open->target, tuple->is_set);
	leave_out_unindexed(open->target, tuple->unindexed);
	begin_write();
	ExecConstraints(open->target, open->written, estate);
	result = table_tuple_update(open->rel, tid, open->written,
								estate->es_output_cid, estate->es_snapshot,
								InvalidSnapshot, true, &failure, &lock_mode,
								&update_indexes);
	if (result == TM_Ok && update_indexes)
		list_free(rsn_update_index_tuples(open->target, open->written, estate,
										  update_indexes));
	end_write();
	if (result == TM_Ok)
		*tid = open->written->tts_tid;
	return result;
}

/*
 * Changes a row that was found and not locked, if nobody has locked or changed it
 * since; otherwise does nothing, and returns false.  Also false where a statement has
 * to do it, and where the snapshot is that of the transaction, so that who locks the
 * row can tell why it is too old.
 *
 * Waits for nobody, except a transaction that locks the row in the instant after we have looked.
 * If that one only locks it, the row is still what was decided upon, and the decision
 * counts as of when it was made, as one that is not committed for a while does.
 */
bool
rsn_table_try_update(RsnTable table, ItemPointer tid, const RsnNewTuple *tuple)
{
	RsnOpenTable *open;
	bool		is_done;

	PreventCommandIfReadOnly("UPDATE");
	open = open_target_with_indexes(table);
	if (is_by_statement(open, CMD_UPDATE) || IsolationUsesXactSnapshot())
		return false;
	fetch_again(table, tid);
	is_done = is_free(open->found) && update_found(open, tid, tuple) == TM_Ok;
	ExecClearTuple(open->found);
	return is_done;
}

static void
check_written(const RsnOpenTable *open, TM_Result result)
{
	if (result != TM_Ok)
		elog(ERROR, "could not write a locked row of \"%s\": status %d",
			 RelationGetRelationName(open->rel), (int) result);
}

/* Changes the columns of a locked row that are set; tid becomes that of the new one. */
void
rsn_table_update(RsnTable table, ItemPointer tid, const RsnNewTuple *tuple)
{
	RsnOpenTable *open;

	PreventCommandIfReadOnly("UPDATE");
	open = open_target_with_indexes(table);
	fetch_again(table, tid);
	Assert(rsn_table_is_slot_held(open->found));
	if (is_by_statement(open, CMD_UPDATE))
		rsn_statement_update(table, tid, tuple);
	else
		check_written(open, update_found(open, tid, tuple));
	ExecClearTuple(open->found);
}

static TM_Result
delete_at(RsnOpenTable *open, const ItemPointerData *tid)
{
	EState	   *estate = rsn_table_state->estate;
	ItemPointerData copy = *tid;
	TM_FailureData failure;
	TM_Result	result;

	CheckCmdReplicaIdentity(open->rel, CMD_DELETE);
	begin_write();
	result = table_tuple_delete(open->rel, &copy, estate->es_output_cid,
								estate->es_snapshot, InvalidSnapshot,
								true, &failure, false);
	end_write();
	return result;
}

/*
 * Deletes a row that was found and not locked, after waiting for the transaction that has it
 * locked; false when it has been changed or deleted by then.
 */
bool
rsn_table_try_delete(RsnTable table, const ItemPointerData *tid)
{
	RsnOpenTable *open;
	ItemPointerData copy = *tid;
	RsnTuple	tuple;

	PreventCommandIfReadOnly("DELETE");
	open = open_target(table);
	if (!is_by_statement(open, CMD_DELETE) && !IsolationUsesXactSnapshot())
		return delete_at(open, &copy) == TM_Ok;
	if (!rsn_table_try_lock(table, &copy, &tuple))
		return false;
	rsn_table_delete(table, &copy);
	return true;
}

/* Deletes a locked row. */
void
rsn_table_delete(RsnTable table, const ItemPointerData *tid)
{
	RsnOpenTable *open;

	PreventCommandIfReadOnly("DELETE");
	open = open_target(table);
	CommandCounterIncrement();
	if (is_by_statement(open, CMD_DELETE))
		rsn_statement_delete(table, tid);
	else
		check_written(open, delete_at(open, tid));
}
