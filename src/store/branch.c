/*-------------------------------------------------------------------------
 *
 * store/branch.c
 *	  The promises of a branch.
 *
 * Found through their index directly, without a plan: what a planner takes a
 * condition on tags for depends on the statistics of the moment, and a plan that
 * is kept outlives them.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/genam.h"
#include "catalog/pg_collation.h"
#include "utils/builtins.h"
#include "utils/fmgroids.h"
#include "utils/rel.h"
#include "utils/snapmgr.h"

#include "server/compat.h"
#include "server/id.h"
#include "store/internal.h"
#include "store/table_open.h"
#include "store/tags.h"

/*
 * How many entries to look at for each row that is wanted: that of its birth, that
 * of its settlement, and as many of rows that are dead and not vacuumed yet.
 */
#define ENTRIES_PER_ROW 4

/* What is looked for, and what has been found. */
typedef struct Branch
{
	text	   *name;
	text	   *except_id;
	RsnPromiseRow *rows;
	int			n;
	int			limit;
} Branch;

/* Adds the row, if it is of the branch: others can have the same hash. */
static void
add_row(Branch *branch, const Datum *values, const bool *nulls,
		const ItemPointerData *tid)
{
	text	   *name = rsn_tags_branch(DatumGetJsonbP(values[RSN_COL_TAGS]));

	Assert(branch->n < branch->limit);
	if (name == NULL || !rsn_id_equals(name, branch->name) ||
		rsn_id_equals(DatumGetTextPP(values[RSN_COL_ID]), branch->except_id))
		return;
	rsn_store_row_from_values(values, nulls, tid, &branch->rows[branch->n++]);
}

/* Adds the rows whose branch is not their own id. */
static void
add_from_index(Branch *branch)
{
	RsnOpenTable *open = rsn_table_open_with_key(RSN_TABLE_PROMISES);
	Relation	index = rsn_table_open_index(RSN_BRANCH_INDEX);
	IndexScanDesc scan;
	ScanKeyData scan_key;
	int			nentries = branch->limit * ENTRIES_PER_ROW;

	rsn_table_new_snapshot();
	ScanKeyEntryInitialize(&scan_key, 0, 1, BTEqualStrategyNumber, InvalidOid,
						   InvalidOid, F_INT8EQ,
						   DirectFunctionCall2Coll(hashtextextended,
												   C_COLLATION_OID,
												   PointerGetDatum(branch->name),
												   Int64GetDatum(0)));
	scan = rsn_index_beginscan(open->rel, index, GetActiveSnapshot(), 1, 0);
	index_rescan(scan, &scan_key, 1, NULL, 0);
	while (branch->n < branch->limit && nentries-- > 0 &&
		   index_getnext_tid(scan, ForwardScanDirection) != NULL)
	{
		if (!index_fetch_heap(scan, open->found))
			continue;
		slot_getallattrs(open->found);
		add_row(branch, open->found->tts_values, open->found->tts_isnull,
				&open->found->tts_tid);
	}
	index_endscan(scan);
	index_close(index, NoLock);
}

/* Adds the row whose id the branch is. */
static void
add_head(Branch *branch)
{
	RsnTuple	tuple;

	if (branch->n < branch->limit &&
		!rsn_id_equals(branch->name, branch->except_id) &&
		rsn_table_find(RSN_TABLE_PROMISES, branch->name, &tuple))
		add_row(branch, tuple.values, tuple.nulls, tuple.tid);
}

static int
compare_rows(const void *a, const void *b)
{
	return rsn_id_compare(((const RsnPromiseRow *) a)->id,
						  ((const RsnPromiseRow *) b)->id);
}

/*
 * Promises of a branch, but for one of them, in order of their ids; as stored.  Of
 * more than the limit it is not said which: a bounded number of rows is looked at,
 * however many the branch has.
 */
int
rsn_store_branch(text *name, text *except_id, int limit, RsnPromiseRow **rows)
{
	Branch		branch = {0};

	Assert(limit > 0);
	branch.name = name;
	branch.except_id = except_id;
	branch.limit = limit;
	branch.rows = rsn_store_alloc(sizeof(RsnPromiseRow) * limit);
	add_from_index(&branch);
	add_head(&branch);
	qsort(branch.rows, branch.n, sizeof(RsnPromiseRow), compare_rows);
	*rows = branch.rows;
	return branch.n;
}
