/*-------------------------------------------------------------------------
 *
 * store/table_find.c
 *	  Finding rows by their key, and locking them.
 *
 * With the functions and the rules of the executor: see store/table_open.c.  Each table
 * has one slot for what was found last, so a row that was found holds until the next look
 * at its table.  A row that is locked is the newest version, and stays so.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/genam.h"
#include "access/htup_details.h"
#include "access/itup.h"
#include "access/multixact.h"
#include "access/tableam.h"
#include "access/xact.h"
#include "catalog/index.h"
#include "miscadmin.h"
#include "storage/bufmgr.h"
#include "storage/lmgr.h"
#include "utils/fmgroids.h"
#include "utils/rel.h"
#include "utils/snapmgr.h"

#include "server/compat.h"
#include "store/internal.h"
#include "store/table_open.h"

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
begin_scan(RsnOpenTable *open, text *key, Snapshot snapshot)
{
	IndexScanDesc scan;
	ScanKeyData scan_key;

	Assert(open->key_index != NULL && open->found != NULL);

	/*
	 * A scan that finds nothing leaves the slot with a tuple that it has
	 * passed.
	 */
	ExecClearTuple(open->found);
	init_scan_key(&scan_key, open->key_index, key);
	scan = rsn_index_beginscan(open->rel, open->key_index, snapshot, 1, 0);
	index_rescan(scan, &scan_key, 1, NULL, 0);
	return scan;
}

/* Looks for the first row that has the key. */
static bool
find_in(RsnOpenTable *open, text *key, Snapshot snapshot)
{
	IndexScanDesc scan = begin_scan(open, key, snapshot);
	bool		is_found;

	is_found = index_getnext_slot(scan, ForwardScanDirection, open->found);
	index_endscan(scan);
	return is_found;
}

static void
show_found(RsnOpenTable *open, RsnTuple *tuple)
{
	Assert(!TTS_EMPTY(open->found));
	slot_getallattrs(open->found);
	tuple->tid = &open->found->tts_tid;
	tuple->values = open->found->tts_values;
	tuple->nulls = open->found->tts_isnull;
}

/* The row that has the key; false when there is none. */
bool
rsn_table_find(RsnTable table, text *key, RsnTuple *tuple)
{
	RsnOpenTable *open = rsn_table_open_with_key(table);

	rsn_table_new_snapshot();
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
	RsnOpenTable *open = rsn_table_open_with_key(table);
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
	RsnOpenTable *open = rsn_table_open_with_key(table);
	ItemPointerData copy = *tid;

	Assert(ItemPointerIsValid(tid));
	ExecClearTuple(open->found);
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
	RsnOpenTable *open = rsn_table_open(table);
	Relation	index = index_open(rsn_table_ids(table)->key_index,
								   AccessShareLock);
	IndexScanDesc scan;
	ScanKeyData scan_key;
	bool		result;

	init_scan_key(&scan_key, index, key);
	scan = rsn_index_beginprobe(open->rel, index, GetActiveSnapshot(), 1);
	index_rescan(scan, &scan_key, 1, NULL, 0);
	result = index_getnext_tid(scan, ForwardScanDirection) != NULL;
	index_endscan(scan);
	index_close(index, NoLock);
	return result;
}

/*
 * Moves a key over at most limit entries of the primary key, whatever they point
 * to; returns how many.  Fewer than the limit are all there are.
 */
int
rsn_table_pass(RsnTable table, text **key, int limit)
{
	RsnOpenTable *open = rsn_table_open_with_key(table);
	IndexScanDesc scan;
	ScanKeyData scan_key;
	Datum		values[INDEX_MAX_KEYS];
	bool		nulls[INDEX_MAX_KEYS];
	int			n = 0;

	Assert(limit > 0);
	ScanKeyEntryInitialize(&scan_key, 0, 1, BTGreaterStrategyNumber, InvalidOid,
						   open->key_index->rd_indcollation[0], F_TEXT_GT,
						   PointerGetDatum(*key));
	rsn_table_new_snapshot();
	scan = rsn_index_beginscan(open->rel, open->key_index, GetActiveSnapshot(),
							   1, 0);
	scan->xs_want_itup = true;
	index_rescan(scan, &scan_key, 1, NULL, 0);
	while (n < limit &&
		   index_getnext_tid(scan, ForwardScanDirection) != NULL)
	{
		if (++n < limit)
			continue;
		index_deform_tuple(scan->xs_itup, scan->xs_itupdesc, values, nulls);
		*key = rsn_store_keep(values[0], false);
	}
	index_endscan(scan);
	return n;
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
 * its newest version, unless it was deleted meanwhile.  The key of a row never
 * changes, so there is nothing to check again.
 */
static RsnLock
lock_found(RsnOpenTable *open, LockTupleMode mode, LockWaitPolicy wait_policy)
{
	ItemPointerData tid = open->found->tts_tid;
	uint8		flags = TUPLE_LOCK_FLAG_LOCK_UPDATE_IN_PROGRESS;
	TM_FailureData failure;
	TM_Result	result;

	Assert(!TTS_EMPTY(open->found));
	if (!IsolationUsesXactSnapshot())
		flags |= TUPLE_LOCK_FLAG_FIND_LAST_VERSION;
	result = table_tuple_lock(open->rel, &tid, GetActiveSnapshot(),
							  open->found, GetCurrentCommandId(false), mode,
							  wait_policy, flags, &failure);
	if (result == TM_Ok)
		return RSN_LOCK_TAKEN;
	ExecClearTuple(open->found);
	if (result == TM_WouldBlock)
		return RSN_LOCK_BUSY;
	if (result == TM_Updated || result == TM_Deleted)
		check_not_serializable();
	if (result != TM_Deleted)
		elog(ERROR, "unexpected table_tuple_lock status: %d", (int) result);
	return RSN_LOCK_NO_ROW;
}

static RsnLock
find_and_lock(RsnTable table, text *key, LockTupleMode mode,
			  LockWaitPolicy wait_policy, RsnTuple *tuple)
{
	RsnOpenTable *open = rsn_table_open_with_key(table);
	RsnLock		result = RSN_LOCK_NO_ROW;

	PreventCommandIfReadOnly("SELECT FOR UPDATE");
	rsn_table_new_snapshot();
	if (find_in(open, key, GetActiveSnapshot()))
		result = lock_found(open, mode, wait_policy);
	if (result == RSN_LOCK_TAKEN)
		show_found(open, tuple);
	return result;
}

/* The same as rsn_table_find, locked and read after any wait for the lock. */
bool
rsn_table_lock(RsnTable table, text *key, LockTupleMode mode, RsnTuple *tuple)
{
	return find_and_lock(table, key, mode, LockWaitBlock,
						 tuple) == RSN_LOCK_TAKEN;
}

/* The same FOR NO KEY UPDATE, without waiting. */
RsnLock
rsn_table_lock_if_free(RsnTable table, text *key, RsnTuple *tuple)
{
	return find_and_lock(table, key, LockTupleNoKeyExclusive, LockWaitSkip,
						 tuple);
}

/*
 * True when a row that has the key is being inserted, changed or deleted by a
 * transaction that has not ended, for which an insert of that key would wait.
 */
bool
rsn_table_is_in_doubt(RsnTable table, text *key)
{
	RsnOpenTable *open = rsn_table_open_with_key(table);
	SnapshotData dirty;
	IndexScanDesc scan;
	bool		result = false;

	InitDirtySnapshot(dirty);
	scan = begin_scan(open, key, &dirty);
	while (!result &&
		   index_getnext_slot(scan, ForwardScanDirection, open->found))
		result = TransactionIdIsValid(dirty.xmin) ||
			TransactionIdIsValid(dirty.xmax);
	index_endscan(scan);
	return result;
}

/* True when one of several lockers of a row is this transaction. */
static bool
is_among_lockers(HeapTupleHeader header)
{
	MultiXactMember *members;
	int			n = GetMultiXactIdMembers(HeapTupleHeaderGetRawXmax(header),
										  &members, false,
										  HEAP_XMAX_IS_LOCKED_ONLY(header->t_infomask));

	for (int i = 0; i < n; i++)
	{
		if (members[i].status != MultiXactStatusForKeyShare &&
			TransactionIdIsCurrentTransactionId(members[i].xid))
			return true;
	}
	return false;
}

static bool
is_locked_by_us(HeapTupleHeader header)
{
	if (header->t_infomask & HEAP_XMAX_INVALID)
		return false;
	if (header->t_infomask & HEAP_XMAX_IS_MULTI)
		return is_among_lockers(header);
	return !HEAP_XMAX_IS_KEYSHR_LOCKED(header->t_infomask) &&
		TransactionIdIsCurrentTransactionId(HeapTupleHeaderGetRawXmax(header));
}

/*
 * True when this transaction has written the row that was found, or locked it against
 * changes; also of a table that is not a heap, whose rows do not say it.
 */
bool
rsn_table_is_slot_held(TupleTableSlot *slot)
{
	BufferHeapTupleTableSlot *found = (BufferHeapTupleTableSlot *) slot;
	HeapTupleHeader header;
	bool		result;

	if (!TTS_IS_BUFFERTUPLE(slot))
		return true;
	header = found->base.tuple->t_data;
	LockBuffer(found->buffer, BUFFER_LOCK_SHARE);
	result = TransactionIdIsCurrentTransactionId(HeapTupleHeaderGetXmin(header)) ||
		is_locked_by_us(header);
	LockBuffer(found->buffer, BUFFER_LOCK_UNLOCK);
	return result;
}

/*
 * True when nobody else can change the row that has the key until this transaction
 * ends: it has written the row, or locked it against changes.  What a subtransaction
 * did counts until that is rolled back, as for everybody who looks at the row.
 */
bool
rsn_table_is_held(RsnTable table, text *key)
{
	RsnTuple	tuple;
	TupleTableSlot *slot;

	if (!rsn_table_find(table, key, &tuple))
		return false;
	slot = rsn_table_open_with_key(table)->found;
	return TTS_IS_BUFFERTUPLE(slot) && rsn_table_is_slot_held(slot);
}

/*
 * Locks a row that the transaction has seen in a statement, if nobody has locked
 * it or changed it since.  Never waits.
 */
bool
rsn_table_try_lock(RsnTable table, const ItemPointerData *tid, RsnTuple *tuple)
{
	RsnOpenTable *open = rsn_table_open_with_key(table);
	ItemPointerData copy = *tid;
	TM_FailureData failure;
	TM_Result	result;

	Assert(ItemPointerIsValid(tid));
	PreventCommandIfReadOnly("SELECT FOR UPDATE");
	CommandCounterIncrement();
	result = table_tuple_lock(open->rel, &copy, GetActiveSnapshot(),
							  open->found, GetCurrentCommandId(false),
							  LockTupleNoKeyExclusive, LockWaitSkip, 0,
							  &failure);
	if (result != TM_Ok)
	{
		ExecClearTuple(open->found);
		if (result != TM_WouldBlock)
			check_not_serializable();
		return false;
	}
	show_found(open, tuple);
	return true;
}
