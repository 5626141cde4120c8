/*-------------------------------------------------------------------------
 *
 * store_table_write.c
 *	  Writing rows that were found by their key, and new ones.
 *
 * With the functions and the rules of the executor: see store_table.c.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/tableam.h"
#include "access/xact.h"
#include "catalog/index.h"
#include "commands/trigger.h"
#include "executor/executor.h"
#include "miscadmin.h"
#include "storage/lmgr.h"
#include "utils/guc.h"
#include "utils/rel.h"
#include "utils/snapmgr.h"

#include "compat.h"
#include "fault.h"
#include "store_plan.h"
#include "store_table_open.h"

/* How our own triggers begin, which guard the tables against others; see schema.sql. */
#define GUARD_TRIGGER "resonate_guard"

/* True when others have put triggers on the table, or refer to it. */
static bool
has_triggers_of_others(Relation rel)
{
	for (int i = 0; rel->trigdesc != NULL && i < rel->trigdesc->numtriggers; i++)
	{
		if (strncmp(rel->trigdesc->triggers[i].tgname, GUARD_TRIGGER,
					strlen(GUARD_TRIGGER)) != 0)
			return true;
	}
	return false;
}

/*
 * Opens a table for writing.  Our own guard does not fire for our own writes,
 * which were checked before they came here, unless others have to fire as well.
 */
static RsnOpenTable *
open_target(RsnTable table)
{
	RsnOpenTable *open = rsn_table_open(table, RowExclusiveLock);
	MemoryContext old;

	if (open->target != NULL)
		return open;
	old = MemoryContextSwitchTo(rsn_table_state->estate->es_query_cxt);
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
	RsnOpenTable *open = rsn_table_open(table, RowExclusiveLock);

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

/* Begins a write; triggers that fire see a query of their own. */
static void
begin_write(RsnOpenTable *open)
{
	rsn_fault_before_write();
	rsn_table_state->estate->es_output_cid = GetCurrentCommandId(true);
	rsn_table_state->estate->es_snapshot = GetActiveSnapshot();
	rsn_table_state->is_writing = true;
	if (open->has_triggers)
	{
		rsn_table_state->nest_level = rsn_store_pin_search_path();
		AfterTriggerBeginQuery();
	}
}

static void
end_write(RsnOpenTable *open)
{
	if (open->has_triggers)
	{
		AfterTriggerEndQuery(rsn_table_state->estate);
		AtEOXact_GUC(true, rsn_table_state->nest_level);
	}
	ResetPerTupleExprContext(rsn_table_state->estate);
	rsn_table_state->is_writing = false;
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
	open = rsn_table_open_with_key(table, RowExclusiveLock);
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
 * CONFLICT DO NOTHING (ExecInsert in nodeModifyTable.c).
 */
static bool
insert_speculatively(RsnTable table)
{
	RsnOpenTable *open = &rsn_table_state->tables[table];
	EState	   *estate = rsn_table_state->estate;
	ItemPointerData conflict;
	bool		is_conflict;
	uint32		token;

	prepare_speculation(open);
	do
	{
		CHECK_FOR_INTERRUPTS();
		if (!rsn_check_index_constraints(open->target, open->written, estate,
										 &conflict))
		{
			check_existing_is_visible(table, &conflict);
			return false;
		}
		is_conflict = false;
		token = SpeculativeInsertionLockAcquire(GetCurrentTransactionId());
		table_tuple_insert_speculative(open->rel, open->written,
									   estate->es_output_cid, 0, NULL, token);
		list_free(rsn_insert_index_tuples(open->target, open->written, estate,
										  true, &is_conflict));
		table_tuple_complete_speculative(open->rel, open->written, token,
										 !is_conflict);
		SpeculativeInsertionLockRelease(GetCurrentTransactionId());
	} while (is_conflict);
	return true;
}

/* Inserts the row that was filled in; its key must be new. */
static void
insert_plainly(RsnOpenTable *open)
{
	EState	   *estate = rsn_table_state->estate;

	table_tuple_insert(open->rel, open->written, estate->es_output_cid, 0,
					   NULL);
	list_free(rsn_insert_index_tuples(open->target, open->written, estate,
									  false, NULL));
}

static bool
insert_written(RsnTable table, bool may_exist)
{
	RsnOpenTable *open = &rsn_table_state->tables[table];
	EState	   *estate = rsn_table_state->estate;

	if (open->has_triggers &&
		!ExecBRInsertTriggers(estate, open->target, open->written))
		return false;
	ExecConstraints(open->target, open->written, estate);
	if (!may_exist)
		insert_plainly(open);
	else if (!insert_speculatively(table))
		return false;
	if (open->has_triggers)
		ExecARInsertTriggers(estate, open->target, open->written, NIL, NULL);
	return true;
}

/*
 * Inserts a row.  If another one has the key, the answer is false where that may
 * be so, or else an error.
 */
bool
rsn_table_insert(RsnTable table, const RsnNewTuple *tuple, bool may_exist)
{
	RsnOpenTable *open;
	bool		is_inserted;

	PreventCommandIfReadOnly("INSERT");
	open = open_target_with_indexes(table);
	fill_written(open, tuple, NULL);
	leave_out_unindexed(open->target, tuple->unindexed);
	begin_write(open);
	is_inserted = insert_written(table, may_exist);
	end_write(open);
	return is_inserted;
}

/* Has the row that is to be written in the slot of what was found. */
static void
fetch_again(RsnTable table, const ItemPointerData *tid)
{
	RsnOpenTable *open = rsn_table_open_with_key(table, RowExclusiveLock);
	ItemPointerData copy = *tid;

	if (open->has_triggers)
		rsn_table_new_snapshot();
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

/* Begins to change the columns of a row that are set. */
static void
begin_update(RsnTable table, const ItemPointerData *tid,
			 const RsnNewTuple *tuple)
{
	RsnOpenTable *open = &rsn_table_state->tables[table];

	fetch_again(table, tid);
	fill_written(open, tuple, open->found);
	note_changed_keys(open->target, tuple->is_set);
	leave_out_unindexed(open->target, tuple->unindexed);
	begin_write(open);
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
	RsnOpenTable *open;
	EState	   *estate;
	TM_FailureData failure;
	LockTupleMode lock_mode;
	RsnUpdateIndexes update_indexes;
	TM_Result	result;

	PreventCommandIfReadOnly("UPDATE");
	open = open_target_with_indexes(table);
	if (open->has_triggers || IsolationUsesXactSnapshot())
		return false;
	CheckCmdReplicaIdentity(open->rel, CMD_UPDATE);
	begin_update(table, tid, tuple);
	estate = rsn_table_state->estate;
	ExecConstraints(open->target, open->written, estate);
	result = table_tuple_update(open->rel, tid, open->written,
								estate->es_output_cid, estate->es_snapshot,
								InvalidSnapshot, false, &failure, &lock_mode,
								&update_indexes);
	if (result == TM_Ok && update_indexes)
		list_free(rsn_update_index_tuples(open->target, open->written, estate,
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
	RsnOpenTable *open;

	PreventCommandIfReadOnly("UPDATE");
	open = open_target_with_indexes(table);
	begin_update(table, tid, tuple);
	ExecSimpleRelationUpdate(open->target, rsn_table_state->estate,
							 &rsn_table_state->epq, open->found, open->written);
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
	RsnOpenTable *open;
	EState	   *estate;
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
	estate = rsn_table_state->estate;
	result = table_tuple_delete(open->rel, &copy, estate->es_output_cid,
								estate->es_snapshot, InvalidSnapshot,
								true, &failure, false);
	end_write(open);
	return result == TM_Ok;
}

/* Deletes a locked row. */
void
rsn_table_delete(RsnTable table, const ItemPointerData *tid)
{
	RsnOpenTable *open;

	PreventCommandIfReadOnly("DELETE");
	open = open_target(table);
	fetch_again(table, tid);
	begin_write(open);
	ExecSimpleRelationDelete(open->target, rsn_table_state->estate,
							 &rsn_table_state->epq, open->found);
	end_write(open);
	ExecClearTuple(open->found);
}
