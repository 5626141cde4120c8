/*-------------------------------------------------------------------------
 *
 * store/table.h
 *	  Rows by their key, without the executor; private to store/.
 *
 * Columns are counted from zero, in the order of store/columns.h.  All of it is for a store
 * that is open.
 *
 *-------------------------------------------------------------------------
 */
#ifndef RSN_STORE_TABLE_H
#define RSN_STORE_TABLE_H

#include "nodes/lockoptions.h"
#include "nodes/pg_list.h"
#include "storage/itemptr.h"

typedef enum RsnTable
{
	RSN_TABLE_PROMISES,
	RSN_TABLE_TASKS,
	RSN_TABLE_CALLBACKS,
	RSN_TABLE_MESSAGES,
	RSN_TABLE_AWAITERS
} RsnTable;

#define RSN_NTABLES (RSN_TABLE_AWAITERS + 1)

#define RSN_BRANCH_INDEX "promises_branch_idx"

/* How deep triggers of others may call us while they fire for our writes. */
#define RSN_STORE_DEPTH_MAX 16

/*
 * A stored row: its columns in the order of the table.  Valid until the next
 * look at that table.
 */
typedef struct RsnTuple
{
	const ItemPointerData *tid;
	const Datum *values;
	const bool *nulls;
} RsnTuple;

/* What has come of an attempt to lock a row. */
typedef enum RsnLock
{
	RSN_LOCK_TAKEN,
	RSN_LOCK_BUSY,				/* somebody else has it */
	RSN_LOCK_NO_ROW
} RsnLock;

/* Is shown one row after the other until it returns false. */
typedef bool (*RsnVisitTuple) (const RsnTuple *tuple, void *arg);

/* Of the widest of our tables. */
#define RSN_TABLE_MAX_COLUMNS 18

/* A row in the making: an insert leaves what is not set NULL, an update as it was. */
typedef struct RsnNewTuple
{
	Datum		values[RSN_TABLE_MAX_COLUMNS];
	bool		nulls[RSN_TABLE_MAX_COLUMNS];
	bool		is_set[RSN_TABLE_MAX_COLUMNS];
	const char *unindexed;		/* a partial index whose predicate is known
								 * not to hold; NULL: none */
} RsnNewTuple;

extern void rsn_tuple_set(RsnNewTuple *tuple, int column, Datum value,
						  bool is_null);
extern void rsn_tuple_set_varlena(RsnNewTuple *tuple, int column,
								  const void *value);

/* Find and lock: by the first column of the primary key. */
extern bool rsn_table_find(RsnTable table, text *key, RsnTuple *tuple);
extern bool rsn_table_lock(RsnTable table, text *key, LockTupleMode mode,
						   RsnTuple *tuple);
extern RsnLock rsn_table_lock_if_free(RsnTable table, text *key,
									  RsnTuple *tuple);
extern bool rsn_table_is_in_doubt(RsnTable table, text *key);
extern bool rsn_table_is_held(RsnTable table, text *key);
extern bool rsn_table_try_lock(RsnTable table, const ItemPointerData *tid,
							   RsnTuple *tuple);
extern bool rsn_table_may_have(RsnTable table, text *key);
extern bool rsn_table_visit(RsnTable table, text *key, RsnVisitTuple visit,
							void *arg);
extern int	rsn_table_pass(RsnTable table, text **key, int limit);
extern bool rsn_table_fetch(RsnTable table, const ItemPointerData *tid,
							RsnTuple *tuple);
extern bool rsn_table_insert(RsnTable table, const RsnNewTuple *tuple,
							 bool may_exist);
extern void rsn_table_update(RsnTable table, ItemPointer tid,
							 const RsnNewTuple *tuple);
extern bool rsn_table_try_update(RsnTable table, ItemPointer tid,
								 const RsnNewTuple *tuple);
extern void rsn_table_delete(RsnTable table, const ItemPointerData *tid);
extern bool rsn_table_try_delete(RsnTable table, const ItemPointerData *tid);
extern Oid	rsn_table_column_type(RsnTable table, int column);
extern void rsn_table_lock_relations(List *relation_ids);
extern void rsn_table_use(int depth);
extern void rsn_table_begin(void);
extern void rsn_table_end(void);

#endif							/* RSN_STORE_TABLE_H */
