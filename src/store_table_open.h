/*-------------------------------------------------------------------------
 *
 * store_table_open.h
 *	  Our tables while they are open; private to store_table*.c.
 *
 *-------------------------------------------------------------------------
 */
#ifndef RSN_STORE_TABLE_OPEN_H
#define RSN_STORE_TABLE_OPEN_H

#include "nodes/execnodes.h"
#include "storage/block.h"
#include "storage/lockdefs.h"

#include "store_table.h"

typedef struct RsnOpenTable
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
} RsnOpenTable;

/* Of a table and of its primary key; InvalidOid until looked up. */
typedef struct RsnTableIds
{
	Oid			table;
	Oid			key_index;
} RsnTableIds;

typedef struct RsnTableState
{
	RsnOpenTable tables[RSN_NTABLES];
	EState	   *estate;			/* owns what belongs to them; NULL: none is
								 * open */
	EPQState	epq;			/* only triggers of others could have a row
								 * checked again, which we hold locked */
	bool		is_writing;		/* and triggers of others may fire */
	int			nest_level;		/* of the parameters that hold for them */
} RsnTableState;

/* Of the innermost rsn_store_begin. */
extern RsnTableState *rsn_table_state;

extern void rsn_table_open_estate(void);
extern void rsn_table_new_snapshot(void);
extern const RsnTableIds *rsn_table_ids(RsnTable table);
extern RsnOpenTable *rsn_table_open(RsnTable table, LOCKMODE lock_mode);
extern Relation rsn_table_open_index(const char *name);
extern RsnOpenTable *rsn_table_open_with_key(RsnTable table,
											 LOCKMODE lock_mode);

#endif							/* RSN_STORE_TABLE_OPEN_H */
