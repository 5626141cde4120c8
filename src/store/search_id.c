/*-------------------------------------------------------------------------
 *
 * store/search_id.c
 *	  Promises and tasks by what they are, in order of their ids.
 *
 * No index has the order of the ids within a state or within tags, so a page in
 * that order is found in one of two ways.  A part of the key is read in its order,
 * which is right for what many promises are.  Or all that are in the state, or have
 * the tags, are read and sorted: that is right for what few are, and done only where
 * they are known to be few.  Tags are mostly those of a call graph, so they are asked
 * first.  If all that is not enough, a larger part of the key is read, and the page
 * may end before it is full.  So a page reads a bounded number of rows, whatever is in
 * the table.  Tasks are only found in the first way.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "utils/builtins.h"

#include "server/id.h"
#include "store/internal.h"
#include "store/sql.h"

/*
 * How much of the key is read at first, beside the page, and how much if that has
 * not been enough.
 */
#define WALK_FIRST	1000
#define WALK_MAX	10000

/* The largest limit that leaves room for that. */
#define WALK_LIMIT_MAX	(PG_INT32_MAX - WALK_MAX)

/* How many promises are few; fewer are looked for first. */
#define FEW_FIRST	1000
#define FEW_MAX		10000

/* The only state that is wanted; false when there are several. */
static bool
is_single_state(const bool *wants, RsnPromiseState *state)
{
	int			n = 0;

	for (int i = 0; i < RSN_PROMISE_NSTATES; i++)
	{
		if (!wants[i])
			continue;
		*state = (RsnPromiseState) i;
		n++;
	}
	return n == 1;
}

/*
 * The promises that are in a state as seen at now.  Timers are external, so no
 * internal promise resolves by its deadline.
 */
static RsnStatePart
state_part(RsnPromiseState state, int64 now_ms)
{
	RsnStatePart part = {0};

	if (state != RSN_PROMISE_PENDING)
		part.stored_state = cstring_to_text(rsn_promise_state_name(state));
	part.has_external = state == RSN_PROMISE_PENDING ||
		state == RSN_PROMISE_RESOLVED || state == RSN_PROMISE_TIMEDOUT;
	part.has_internal = part.has_external && state != RSN_PROMISE_RESOLVED;
	part.from_ms = state == RSN_PROMISE_PENDING ? now_ms + 1 : PG_INT64_MIN;
	part.until_ms = state == RSN_PROMISE_PENDING ? PG_INT64_MAX : now_ms;
	return part;
}

/* The arguments that all searches by id begin with. */
static void
add_id_search(RsnArgs *args, const RsnIdSearch *search, int64 now_ms)
{
	Assert(search->after_id != NULL && search->limit >= 0);
	rsn_args_add_text(args, search->after_id);
	rsn_args_add(args, Int64GetDatum(now_ms));
	rsn_args_add(args, PointerGetDatum(rsn_search_states(search->wants)));
	rsn_args_add_varlena(args, search->tags);
	rsn_args_add(args, Int64GetDatum(search->limit));
}

static int
run_search(RsnStatement *statement, const RsnArgs *args, RsnPromiseRow **rows)
{
	uint64		count = rsn_store_exec(statement, args);

	*rows = rsn_store_rows_from_result(count);
	return (int) count;
}

/* The last of so many ids after one of them, or NULL where there are fewer. */
static text *
end_of_part(RsnStatement *pass, text *after_id, int nrows)
{
	RsnArgs		args = {0};

	Assert(nrows > 0);
	rsn_args_add_text(&args, after_id);
	rsn_args_add(&args, Int64GetDatum(nrows - 1));
	if (rsn_store_exec(pass, &args) == 0)
		return NULL;
	return rsn_store_get_text(SPI_tuptable->vals[0], 1);
}

/* After an id $1: the states $3 as seen at $2, and the tags $4. */
#define ID_SEARCH_FILTER \
	"p.id" GT "$1" \
	" AND (CASE WHEN p.state" NE STATE("pending") \
	" OR p.timeout_at" GT "$2 THEN p.state" \
	" WHEN p.timer THEN " STATE("resolved") \
	" ELSE " STATE("rejected_timedout") " END)" \
	EQ "ANY ($3::resonate.promise_state[])" \
	" AND ($4 IS NULL OR p.tags OPERATOR(pg_catalog.@>) $4)"

static RsnStatement pass_ids_stmt = {
	.name = "pass_ids",
	.sql = "SELECT p.id FROM resonate.promises p WHERE p.id" GT "$1"
	" ORDER BY p.id OFFSET $2 LIMIT 1",
	.spi_result = SPI_OK_SELECT,
	.cursor_options = PLAN_ONCE,
	ARGS(TEXTOID, INT8OID)
};

static RsnStatement search_walk_stmt = {
	.name = "search_walk",
	.sql = "SELECT " PROMISE_COLUMNS " FROM resonate.promises p"
	" WHERE " ID_SEARCH_FILTER " AND p.id" LE "$6"
	" ORDER BY p.id LIMIT $5",
	.spi_result = SPI_OK_SELECT,
	.cursor_options = PLAN_ONCE,
	ARGS(TEXTOID, INT8OID, TEXTARRAYOID, JSONBOID, INT8OID, TEXTOID)
};

/*
 * Searches a part of the key, of so many rows after the page before, and says
 * where it ends: NULL for at the end.
 */
static int
search_walk(const RsnIdSearch *search, int64 now_ms, int nrows, text **last_id,
			RsnPromiseRow **rows)
{
	RsnArgs		args = {0};

	*last_id = end_of_part(&pass_ids_stmt, search->after_id, nrows);
	add_id_search(&args, search, now_ms);
	rsn_args_add_text(&args, *last_id != NULL ? *last_id : rsn_store_last_key());
	return run_search(&search_walk_stmt, &args, rows);
}

static RsnStatement search_in_state_stmt = {
	.name = "search_in_state",
	.sql = "SELECT " PROMISE_COLUMNS " FROM ((SELECT p.*, p.ctid"
	" FROM resonate.promises p"
	" WHERE p.state" EQ "$6::resonate.promise_state OFFSET 0)"
	" UNION ALL (SELECT p.*, p.ctid FROM resonate.promises p"
	" WHERE " PENDING_PART("$7", "$8", "$9") " OFFSET 0)) AS p"
	" WHERE " ID_SEARCH_FILTER " ORDER BY p.id LIMIT $5",
	.spi_result = SPI_OK_SELECT,
	.cursor_options = PLAN_ONCE,
	ARGS(TEXTOID, INT8OID, TEXTARRAYOID, JSONBOID, INT8OID, TEXTOID,
		 BOOLARRAYOID, INT8OID, INT8OID)
};

static int
search_part(const RsnIdSearch *search, const RsnStatePart *part, int64 now_ms,
			RsnPromiseRow **rows)
{
	RsnArgs		args = {0};

	add_id_search(&args, search, now_ms);
	rsn_search_add_part(&args, part);
	return run_search(&search_in_state_stmt, &args, rows);
}

/* By the index on tags, which does not have those that find nothing. */
#define IS_TAGGED(tags) \
	"p.tags OPERATOR(pg_catalog.@>) " tags " AND p.tags" NE \
	"'{\"resonate:external\": \"true\"}'::pg_catalog.jsonb"

static RsnStatement count_tagged_stmt = {
	.name = "count_tagged",
	.sql = "SELECT pg_catalog.count(*) FROM (SELECT FROM resonate.promises p"
	" WHERE " IS_TAGGED("$1") " LIMIT $2) AS s",
	.spi_result = SPI_OK_SELECT,
	.cursor_options = PLAN_ONCE,
	ARGS(JSONBOID, INT8OID),
	.by_bitmap = true
};

/* True when at most so many promises have the tags. */
static bool
are_few_tagged(Jsonb *tags, int few)
{
	RsnArgs		args = {0};

	rsn_args_add_varlena(&args, tags);
	rsn_args_add(&args, Int64GetDatum(few + 1));
	rsn_store_exec(&count_tagged_stmt, &args);
	return rsn_store_get_int64(SPI_tuptable->vals[0], 1, 0) <= few;
}

static RsnStatement search_tagged_stmt = {
	.name = "search_tagged",
	.sql = "SELECT " PROMISE_COLUMNS " FROM (SELECT p.*, p.ctid"
	" FROM resonate.promises p WHERE " IS_TAGGED("$4") " OFFSET 0) AS p"
	" WHERE " ID_SEARCH_FILTER " ORDER BY p.id LIMIT $5",
	.spi_result = SPI_OK_SELECT,
	.cursor_options = PLAN_ONCE,
	ARGS(TEXTOID, INT8OID, TEXTARRAYOID, JSONBOID, INT8OID),
	.by_bitmap = true
};

static int
search_tagged(const RsnIdSearch *search, int64 now_ms, RsnPromiseRow **rows)
{
	RsnArgs		args = {0};

	add_id_search(&args, search, now_ms);
	return run_search(&search_tagged_stmt, &args, rows);
}

/* Searches where the state leads, if that is to at most so many promises. */
static bool
try_state(const RsnIdSearch *search, int64 now_ms, int few,
		  RsnPromiseRow **rows, int *n)
{
	RsnPromiseState state;
	RsnStatePart part;

	if (!is_single_state(search->wants, &state))
		return false;
	part = state_part(state, now_ms);
	if (!rsn_search_is_few(&part, few))
		return false;
	*n = search_part(search, &part, now_ms, rows);
	return true;
}

/* The same for the tags. */
static bool
try_tags(const RsnIdSearch *search, int64 now_ms, int few,
		 RsnPromiseRow **rows, int *n)
{
	if (search->tags == NULL || rsn_search_is_default_tags(search->tags) ||
		!are_few_tagged(search->tags, few))
		return false;
	*n = search_tagged(search, now_ms, rows);
	return true;
}

/*
 * Promises in order of their ids, as stored; their states are as of now.  Where
 * there can be more although the page is not full, next_id becomes the id after
 * which to go on, else NULL.
 */
int
rsn_store_search_promises_by_id(const RsnIdSearch *search, int64 now_ms,
								RsnPromiseRow **rows, text **next_id)
{
	int			limit = Min(search->limit, WALK_LIMIT_MAX);
	text	   *last_id;
	int			n;

	*next_id = NULL;
	if (try_tags(search, now_ms, FEW_FIRST, rows, &n))
		return n;
	n = search_walk(search, now_ms, limit + WALK_FIRST, &last_id, rows);
	if (n == search->limit || last_id == NULL)
		return n;
	if (try_state(search, now_ms, FEW_FIRST, rows, &n) ||
		try_state(search, now_ms, FEW_MAX, rows, &n) ||
		try_tags(search, now_ms, FEW_MAX, rows, &n))
		return n;
	n = search_walk(search, now_ms, limit + WALK_MAX, &last_id, rows);
	if (n < search->limit)
		*next_id = last_id;
	return n;
}

static RsnStatement pass_task_ids_stmt = {
	.name = "pass_task_ids",
	.sql = "SELECT t.id FROM resonate.tasks t WHERE t.id" GT "$1"
	" ORDER BY t.id OFFSET $2 LIMIT 1",
	.spi_result = SPI_OK_SELECT,
	.cursor_options = PLAN_ONCE,
	ARGS(TEXTOID, INT8OID)
};

/* Where a part of the keys that tasks are read from ends: NULL for at the end. */
static text *
end_of_task_part(text *after_id, int nrows, bool wants_fulfilled)
{
	text	   *task_id = end_of_part(&pass_task_ids_stmt, after_id, nrows);
	text	   *promise_id = NULL;

	if (wants_fulfilled)
		promise_id = end_of_part(&pass_ids_stmt, after_id, nrows);
	if (task_id == NULL || promise_id == NULL)
		return task_id != NULL ? task_id : promise_id;
	return rsn_id_compare(task_id, promise_id) < 0 ? task_id : promise_id;
}

/*
 * In order of ids, after $4 and up to $7: if $3 live tasks in state $1
 * (NULL: any), and if $2 fulfilled ones, which are read off their
 * promises.
 */
static RsnStatement search_tasks_stmt = {
	.name = "search_tasks",
	.sql = "SELECT * FROM ((SELECT " TASK_COLUMNS " FROM resonate.tasks t"
	" WHERE $3 AND " IN_RANGE("t.id", "$4", "$7") " AND " ALIVE_AT("$5")
	" AND ($1 IS NULL OR t.state" EQ "$1::resonate.task_state)"
	" ORDER BY t.id LIMIT $6)"
	" UNION ALL (SELECT "
	FULFILLED_TASK("t.timeout_at", "t.version", "t.id", "t.address", "t.ctid")
	" FROM resonate.tasks t"
	" WHERE $2 AND " IN_RANGE("t.id", "$4", "$7")
	" AND t.timeout_at" LE "$5 ORDER BY t.id LIMIT $6)"
	" UNION ALL (SELECT "
	FULFILLED_TASK("p.timeout_at", "p.task_version", "p.id", "''", "p.ctid")
	" FROM resonate.promises p"
	" WHERE $2 AND " IN_RANGE("p.id", "$4", "$7")
	" AND p.task_version IS NOT NULL ORDER BY p.id LIMIT $6)) AS f"
	" ORDER BY f.id LIMIT $6",
	.spi_result = SPI_OK_SELECT,
	.cursor_options = PLAN_ONCE,
	ARGS(TEXTOID, BOOLOID, BOOLOID, TEXTOID, INT8OID, INT8OID, TEXTOID)
};

/*
 * Tasks as they are at now, in order of their ids, after one of them.  Where there
 * can be more although the page is not full, next_id becomes the id after which to
 * go on, else NULL.
 */
int
rsn_store_search_tasks(RsnTaskState state, bool is_any_state, text *after_id,
					   int64 now_ms, int limit, RsnTaskRow **rows,
					   text **next_id)
{
	static const int walks[] = {WALK_FIRST, WALK_MAX};
	bool		is_live = !is_any_state && state != RSN_TASK_FULFILLED;
	bool		wants_fulfilled = is_any_state || state == RSN_TASK_FULFILLED;
	int			n = 0;

	Assert(is_any_state || state < RSN_TASK_NSTATES);
	*next_id = NULL;
	for (int i = 0; i < (int) lengthof(walks); i++)
	{
		RsnArgs		args = {0};

		*next_id = end_of_task_part(after_id,
									Min(limit, WALK_LIMIT_MAX) + walks[i],
									wants_fulfilled);

		/* No live task is in a state that none is stored in. */
		rsn_args_add_text(&args, !is_live ? NULL
						  : cstring_to_text(rsn_task_state_name(state)));
		rsn_args_add(&args, BoolGetDatum(wants_fulfilled));
		rsn_args_add(&args, BoolGetDatum(is_any_state || is_live));
		rsn_args_add_text(&args, after_id);
		rsn_args_add(&args, Int64GetDatum(now_ms));
		rsn_args_add(&args, Int64GetDatum(limit));
		rsn_args_add_text(&args, *next_id != NULL ? *next_id
						  : rsn_store_last_key());
		n = (int) rsn_store_exec(&search_tasks_stmt, &args);
		*rows = rsn_store_tasks_from_result(n);
		if (n == limit)
			*next_id = NULL;
		if (*next_id == NULL)
			break;
	}
	return n;
}
