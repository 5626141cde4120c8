/*-------------------------------------------------------------------------
 *
 * store/table_open.h
 *	  Our tables while they are open; private to store/.
 *
 * A table is open with as much as its use has needed so far, and never closed before the
 * store is.
 *
 *-------------------------------------------------------------------------
 */
#ifndef RSN_STORE_TABLE_OPEN_H
#define RSN_STORE_TABLE_OPEN_H

#include "nodes/execnodes.h"
#include "storage/block.h"
#include "storage/lockdefs.h"

#include "store/table.h"

/* A command in a set of them. */
#define RSN_COMMAND_BIT(command) (1 << (command))

typedef struct RsnOpenTable
{
	Relation	rel;			/* NULL: not open */
	Relation	key_index;		/* NULL: not looked at */
	TupleTableSlot *found;		/* the row that was looked at last */
	TupleTableSlot *written;
	ResultRelInfo *target;		/* NULL: not open for writing */
	bool		has_indexes;	/* the target has them open as well */
	int			by_statement;	/* the commands that others want the executor
								 * for, as bits */
	BlockNumber nblocks;		/* the table had so many when last asked */
} RsnOpenTable;

/* Of a table and of its primary key; InvalidOid until looked up. */
typedef struct RsnTableIds
{
	Oid			table;
	Oid			key_index;
} RsnTableIds;

/* A column of one of our tables, as the install script makes it. */
typedef struct RsnColumn
{
	const char *name;
	Oid			type;			/* InvalidOid: one of our own */
} RsnColumn;

typedef struct RsnTableState
{
	RsnOpenTable tables[RSN_NTABLES];
	EState	   *estate;			/* owns what belongs to them; NULL: none is
								 * open */
} RsnTableState;

/* Of the innermost rsn_store_begin. */
extern RsnTableState *rsn_table_state;

extern void rsn_table_open_estate(void);
extern void rsn_table_new_snapshot(void);
extern const RsnTableIds *rsn_table_ids(RsnTable table);
extern int	rsn_table_ncolumns(RsnTable table);
extern RsnOpenTable *rsn_table_open(RsnTable table);
extern Relation rsn_table_open_index(const char *name);
extern RsnOpenTable *rsn_table_open_with_key(RsnTable table);
extern bool rsn_table_is_slot_held(TupleTableSlot *slot);

/* What others have put on them: store/others.c. */
extern int	rsn_others_commands(Relation rel, int ncolumns, Oid key_index);
extern void rsn_others_check_kind(Relation rel);
extern void rsn_others_check_columns(Relation rel, const RsnColumn *columns,
									 int ncolumns);

/* The same writes with the executor: store/statement.c. */
extern bool rsn_statement_insert(RsnTable table, const RsnNewTuple *tuple,
								 bool may_exist);
extern void rsn_statement_update(RsnTable table, ItemPointer tid,
								 const RsnNewTuple *tuple);
extern void rsn_statement_delete(RsnTable table, const ItemPointerData *tid);

#endif							/* RSN_STORE_TABLE_OPEN_H */
