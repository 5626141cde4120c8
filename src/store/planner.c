/*-------------------------------------------------------------------------
 *
 * store/planner.c
 *	  Plans that do not depend on what is in the tables when they are made.
 *
 * A plan is kept for as long as a backend lives, and is made at first use, when
 * the tables may be empty, or full of anything else than later.  To know nothing
 * of what is in them is the only knowledge that does not become wrong: while one
 * of the statements that are planned once is planned, every table is huge, no
 * statistics exist, and the settings are those of below.  So its plan is always
 * the same one, which test/t/017_plans.pl looks at; docs/performance.md says why
 * each is right whatever there is.
 *
 * Through hooks, because a plan can be made anew in the middle of an execution,
 * as soon as somebody else's ANALYZE has made the old one invalid.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

/* It declares a function without its arguments before 16. */
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wstrict-prototypes"
#include "nodes/pathnodes.h"
#pragma GCC diagnostic pop

#include "optimizer/plancat.h"
#include "optimizer/planner.h"
#include "utils/guc.h"
#include "utils/selfuncs.h"

#include "store/internal.h"

/* Of each table, while a statement is planned; a tenth is in each partial index. */
#define ASSUMED_TUPLES		100000000.0
#define ASSUMED_PAGES		3000000
#define ASSUMED_INDEX_PAGES	500000
#define ASSUMED_TREE_HEIGHT	3
#define PARTIAL_INDEX		10

typedef struct Setting
{
	const char *name;
	const char *value;
} Setting;

/*
 * Each of the statements has an index to go by, in the order that it wants.  What
 * would read more than is asked for is off; all else is as in a new cluster.
 */
static const Setting settings[] = {
	{"enable_seqscan", "off"},
	{"enable_bitmapscan", "off"},
	{"enable_hashjoin", "off"},
	{"enable_mergejoin", "off"},
	{"enable_material", "off"},
	{"enable_memoize", "off"},
	{"jit", "off"},
	{"max_parallel_workers_per_gather", "0"},
	{"enable_indexscan", "on"},
	{"enable_indexonlyscan", "on"},
	{"enable_nestloop", "on"},
	{"enable_tidscan", "on"},
	{"enable_sort", "on"},
	{"seq_page_cost", "1"},
	{"random_page_cost", "4"},
	{"cpu_tuple_cost", "0.01"},
	{"cpu_index_tuple_cost", "0.005"},
	{"cpu_operator_cost", "0.0025"},
	{"effective_cache_size", "4GB"},
	{"from_collapse_limit", "8"},
	{"join_collapse_limit", "8"}
};

/* For those that go by an index on tags, where the others would not find it. */
static const Setting bitmap_settings[] = {
	{"enable_bitmapscan", "on"},
	{"enable_indexscan", "off"},
	{"enable_indexonlyscan", "off"}
};

static planner_hook_type next_planner = NULL;
static get_relation_info_hook_type next_relation_info = NULL;
static get_relation_stats_hook_type next_relation_stats = NULL;
static get_index_stats_hook_type next_index_stats = NULL;

/* True while one of our statements is planned that is planned once. */
static bool is_planning = false;

static PlannedStmt *
call_planner(Query *parse, const char *query_string, int cursor_options,
			 ParamListInfo params)
{
	if (next_planner != NULL)
		return next_planner(parse, query_string, cursor_options, params);
	return standard_planner(parse, query_string, cursor_options, params);
}

static void
apply(const Setting *list, int n)
{
	for (int i = 0; i < n; i++)
		(void) set_config_option(list[i].name, list[i].value, PGC_USERSET,
								 PGC_S_SESSION, GUC_ACTION_SAVE, true, 0,
								 false);
}

static PlannedStmt *
plan_ours(Query *parse, const char *query_string, int cursor_options,
		  ParamListInfo params, bool by_bitmap)
{
	int			nest_level = NewGUCNestLevel();
	PlannedStmt *result;

	Assert(!is_planning);
	apply(settings, lengthof(settings));
	if (by_bitmap)
		apply(bitmap_settings, lengthof(bitmap_settings));
	is_planning = true;
	PG_TRY();
	{
		result = call_planner(parse, query_string, cursor_options, params);
	}
	PG_FINALLY();
	{
		is_planning = false;
	}
	PG_END_TRY();
	AtEOXact_GUC(true, nest_level);
	return result;
}

/* Plans what triggers of others run while our statement does, as ever. */
static PlannedStmt *
plan(Query *parse, const char *query_string, int cursor_options,
	 ParamListInfo params)
{
	const RsnStatement *ours = rsn_store_planned_once();

	if (ours != NULL && query_string != NULL &&
		strcmp(query_string, ours->sql) == 0)
		return plan_ours(parse, query_string, cursor_options, params,
						 ours->by_bitmap);
	return call_planner(parse, query_string, cursor_options, params);
}

/* Has a table be huge. */
static void
assume_size(PlannerInfo *root, Oid relation_id, bool is_inheritance_parent,
			RelOptInfo *rel)
{
	ListCell   *cell;

	if (next_relation_info != NULL)
		next_relation_info(root, relation_id, is_inheritance_parent, rel);
	if (!is_planning)
		return;
	rel->tuples = ASSUMED_TUPLES;
	rel->pages = ASSUMED_PAGES;
	rel->allvisfrac = 0;
	rel->statlist = NIL;
	foreach(cell, rel->indexlist)
	{
		IndexOptInfo *index = lfirst(cell);
		int			divisor = index->indpred == NIL ? 1 : PARTIAL_INDEX;

		index->tuples = ASSUMED_TUPLES / divisor;
		index->pages = ASSUMED_INDEX_PAGES / divisor;
		index->tree_height = ASSUMED_TREE_HEIGHT;
	}
}

/* Has a column have no statistics. */
static bool
hide_statistics(PlannerInfo *root, RangeTblEntry *rte, AttrNumber attnum,
				VariableStatData *vardata)
{
	if (is_planning)
	{
		vardata->statsTuple = NULL;
		return true;
	}
	return next_relation_stats != NULL &&
		next_relation_stats(root, rte, attnum, vardata);
}

/* The same for an expression of an index. */
static bool
hide_index_statistics(PlannerInfo *root, Oid index_id, AttrNumber attnum,
					  VariableStatData *vardata)
{
	if (is_planning)
	{
		vardata->statsTuple = NULL;
		return true;
	}
	return next_index_stats != NULL &&
		next_index_stats(root, index_id, attnum, vardata);
}

/* Takes its place in the hooks, once for the life of the backend. */
void
rsn_store_planner_init(void)
{
	Assert(planner_hook != plan);
	next_planner = planner_hook;
	planner_hook = plan;
	next_relation_info = get_relation_info_hook;
	get_relation_info_hook = assume_size;
	next_relation_stats = get_relation_stats_hook;
	get_relation_stats_hook = hide_statistics;
	next_index_stats = get_index_stats_hook;
	get_index_stats_hook = hide_index_statistics;
}
