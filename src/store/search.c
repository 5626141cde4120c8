/*-------------------------------------------------------------------------
 *
 * store/search.c
 *	  Promises and tasks by what they are: newest first, or in order of their ids.
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

#include "catalog/pg_type.h"
#include "utils/builtins.h"

#include "server/clock.h"
#include "server/id.h"
#include "store/internal.h"

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

/* From how many on searches suffer from promises whose deadline nobody has stored. */
#define LAPSED_MANY	1000

/*
 * True when the tags alone say what the partial index on tags leaves out, so
 * that it cannot serve the search.
 */
static bool
is_default_tags(Jsonb *tags)
{
	Datum		default_tags;

	if (JB_ROOT_COUNT(tags) == 0)
		return true;
	default_tags = DirectFunctionCall1(jsonb_in,
									   CStringGetDatum("{\"resonate:external\": \"true\"}"));
	return compareJsonbContainers(&tags->root,
								  &DatumGetJsonbP(default_tags)->root) == 0;
}

static ArrayType *
wanted_states(const bool *wants)
{
	Datum		names[RSN_PROMISE_NSTATES];
	int			n = 0;

	for (int i = 0; i < RSN_PROMISE_NSTATES; i++)
	{
		if (wants[i])
			names[n++] = CStringGetTextDatum(rsn_promise_state_name(i));
	}
	return construct_array(names, n, TEXTOID, -1, false, TYPALIGN_INT);
}

static ArrayType *
bool_array(bool has_false, bool has_true)
{
	Datum		values[2];
	int			n = 0;

	if (has_false)
		values[n++] = BoolGetDatum(false);
	if (has_true)
		values[n++] = BoolGetDatum(true);
	return construct_array(values, n, BOOLOID, 1, true, TYPALIGN_CHAR);
}

/*
 * Promises newest first, as stored: one that has lapsed is found by what it is
 * at now and still reads as pending.  Where that makes a difference, all that have
 * lapsed are read, of the internal ones only if they can be meant: timers are
 * external.  See rsn_store_passes_many_lapsed.
 */
int
rsn_store_search_promises(const RsnSearch *search, RsnPromiseRow **rows)
{
	RsnArgs		args = {0};
	uint64		count;
	bool		is_indexed = search->tags != NULL &&
	!is_default_tags(search->tags);
	bool		wants_timers = search->wants[RSN_PROMISE_RESOLVED];
	bool		wants_others = search->wants[RSN_PROMISE_TIMEDOUT];
	bool		wants_all = wants_timers && wants_others &&
	search->wants[RSN_PROMISE_PENDING];

	rsn_args_add(&args, BoolGetDatum(wants_timers && !wants_all));
	rsn_args_add(&args, BoolGetDatum(wants_others && !wants_all));
	rsn_args_add(&args, PointerGetDatum(wanted_states(search->wants)));
	rsn_args_add(&args, Int64GetDatum(search->now_ms));
	rsn_args_add(&args, CStringGetTextDatum(search->like_pattern));
	rsn_args_add_varlena(&args, is_indexed ? search->tags : NULL);
	rsn_args_add_varlena(&args, is_indexed ? NULL : search->tags);
	rsn_args_add(&args, Int64GetDatum(search->has_position
									  ? search->position_created_at_ms
									  : RSN_TIME_NEVER));
	rsn_args_add_text(&args, search->has_position ? search->position_id
					  : cstring_to_text(""));
	rsn_args_add(&args, Int64GetDatum(search->limit));
	rsn_args_add(&args, BoolGetDatum(wants_all));
	rsn_args_add(&args, PointerGetDatum(bool_array(wants_others, true)));

	count = rsn_store_exec(RSN_QUERY_SEARCH, &args);
	*rows = rsn_store_rows_from_result(count);
	return (int) count;
}

/* Which of the pending ones a search by state wants, as promises_due_idx has them. */
typedef struct PendingPart
{
	bool		has_internal;
	bool		has_external;
	int64		from_ms;		/* the deadlines */
	int64		until_ms;
} PendingPart;

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
 * Those that are in a state as seen at now, though they are stored as pending.
 * Timers are external, so no internal promise resolves by its deadline.
 */
static PendingPart
pending_part(RsnPromiseState state, int64 now_ms)
{
	PendingPart part = {0};

	part.has_external = state == RSN_PROMISE_PENDING ||
		state == RSN_PROMISE_RESOLVED || state == RSN_PROMISE_TIMEDOUT;
	part.has_internal = part.has_external && state != RSN_PROMISE_RESOLVED;
	part.from_ms = state == RSN_PROMISE_PENDING ? now_ms + 1 : PG_INT64_MIN;
	part.until_ms = state == RSN_PROMISE_PENDING ? PG_INT64_MAX : now_ms;
	return part;
}

/* The arguments that say where what is in a state, as seen at now, is stored. */
static void
add_state(RsnArgs *args, RsnPromiseState state, int64 now_ms)
{
	PendingPart part = pending_part(state, now_ms);

	if (state == RSN_PROMISE_PENDING)
		rsn_args_add_text(args, NULL);
	else
		rsn_args_add_text(args, cstring_to_text(rsn_promise_state_name(state)));
	rsn_args_add(args, PointerGetDatum(bool_array(part.has_internal,
												  part.has_external)));
	rsn_args_add(args, Int64GetDatum(part.from_ms));
	rsn_args_add(args, Int64GetDatum(part.until_ms));
}

/* The arguments that all searches by id begin with. */
static void
add_id_search(RsnArgs *args, const RsnIdSearch *search, int64 now_ms)
{
	rsn_args_add_text(args, search->after_id);
	rsn_args_add(args, Int64GetDatum(now_ms));
	rsn_args_add(args, PointerGetDatum(wanted_states(search->wants)));
	rsn_args_add_varlena(args, search->tags);
	rsn_args_add(args, Int64GetDatum(search->limit));
}

static int
run_search(RsnQuery query, const RsnArgs *args, RsnPromiseRow **rows)
{
	uint64		count = rsn_store_exec(query, args);

	*rows = rsn_store_rows_from_result(count);
	return (int) count;
}

/* The last of so many ids after one of them, or NULL where there are fewer. */
static text *
end_of_part(RsnQuery pass, text *after_id, int nrows)
{
	RsnArgs		args = {0};

	rsn_args_add_text(&args, after_id);
	rsn_args_add(&args, Int64GetDatum(nrows - 1));
	if (rsn_store_exec(pass, &args) == 0)
		return NULL;
	return rsn_store_get_text(SPI_tuptable->vals[0], 1);
}

/* A text that comes after every id. */
static text *
after_all_ids(void)
{
	char		end[RSN_PROMISE_ID_MAX + 1];

	memset(end, 0xff, sizeof(end));
	return cstring_to_text_with_len(end, sizeof(end));
}

/*
 * Searches a part of the key, of so many rows after the page before, and says
 * where it ends: NULL for at the end.
 */
static int
search_walk(const RsnIdSearch *search, int64 now_ms, int nrows, text **last_id,
			RsnPromiseRow **rows)
{
	RsnArgs		args = {0};

	*last_id = end_of_part(RSN_QUERY_PASS_IDS, search->after_id, nrows);
	add_id_search(&args, search, now_ms);
	rsn_args_add_text(&args, *last_id != NULL ? *last_id : after_all_ids());
	return run_search(RSN_QUERY_SEARCH_WALK, &args, rows);
}

/* True when at most so many are in the state as seen at now, wherever their ids are. */
static bool
are_few_in_state(RsnPromiseState state, int64 now_ms, int few)
{
	RsnArgs		args = {0};

	add_state(&args, state, now_ms);
	rsn_args_add(&args, Int64GetDatum(few + 1));
	rsn_store_exec(RSN_QUERY_COUNT_IN_STATE, &args);
	return rsn_store_get_int64(SPI_tuptable->vals[0], 1, 0) <= few;
}

/*
 * True when such a search has to pass over many internal promises whose deadline has
 * passed, which nobody has stored.
 */
bool
rsn_store_passes_many_lapsed(const RsnSearch *search)
{
	RsnArgs		args = {0};
	bool		wants_pending = search->wants[RSN_PROMISE_PENDING];
	bool		wants_timedout = search->wants[RSN_PROMISE_TIMEDOUT];

	if (wants_pending == wants_timedout)
		return false;

	rsn_args_add_text(&args, NULL);
	rsn_args_add(&args, PointerGetDatum(bool_array(true, false)));
	rsn_args_add(&args, Int64GetDatum(PG_INT64_MIN));
	rsn_args_add(&args, Int64GetDatum(search->now_ms));
	rsn_args_add(&args, Int64GetDatum(LAPSED_MANY));
	rsn_store_exec(RSN_QUERY_COUNT_IN_STATE, &args);
	return rsn_store_get_int64(SPI_tuptable->vals[0], 1, 0) >= LAPSED_MANY;
}

static int
search_state(const RsnIdSearch *search, RsnPromiseState state, int64 now_ms,
			 RsnPromiseRow **rows)
{
	RsnArgs		args = {0};

	add_id_search(&args, search, now_ms);
	add_state(&args, state, now_ms);
	return run_search(RSN_QUERY_SEARCH_IN_STATE, &args, rows);
}

/* The same for tags. */
static bool
are_few_tagged(Jsonb *tags, int few)
{
	RsnArgs		args = {0};

	rsn_args_add_varlena(&args, tags);
	rsn_args_add(&args, Int64GetDatum(few + 1));
	rsn_store_exec(RSN_QUERY_COUNT_TAGGED, &args);
	return rsn_store_get_int64(SPI_tuptable->vals[0], 1, 0) <= few;
}

static int
search_tagged(const RsnIdSearch *search, int64 now_ms, RsnPromiseRow **rows)
{
	RsnArgs		args = {0};

	add_id_search(&args, search, now_ms);
	return run_search(RSN_QUERY_SEARCH_TAGGED, &args, rows);
}

/* Searches where the state leads, if that is to at most so many promises. */
static bool
try_state(const RsnIdSearch *search, int64 now_ms, int few,
		  RsnPromiseRow **rows, int *n)
{
	RsnPromiseState state;

	if (!is_single_state(search->wants, &state) ||
		!are_few_in_state(state, now_ms, few))
		return false;
	*n = search_state(search, state, now_ms, rows);
	return true;
}

/* The same for the tags. */
static bool
try_tags(const RsnIdSearch *search, int64 now_ms, int few,
		 RsnPromiseRow **rows, int *n)
{
	if (search->tags == NULL || is_default_tags(search->tags) ||
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

/* Where a part of the keys that tasks are read from ends: NULL for at the end. */
static text *
end_of_task_part(text *after_id, int nrows, bool wants_fulfilled)
{
	text	   *task_id = end_of_part(RSN_QUERY_PASS_TASK_IDS, after_id, nrows);
	text	   *promise_id = NULL;

	if (wants_fulfilled)
		promise_id = end_of_part(RSN_QUERY_PASS_IDS, after_id, nrows);
	if (task_id == NULL || promise_id == NULL)
		return task_id != NULL ? task_id : promise_id;
	return rsn_id_compare(task_id, promise_id) < 0 ? task_id : promise_id;
}

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
						  : after_all_ids());
		n = (int) rsn_store_exec(RSN_QUERY_SEARCH_TASKS, &args);
		*rows = rsn_store_tasks_from_result(n);
		if (n == limit)
			*next_id = NULL;
		if (*next_id == NULL)
			break;
	}
	return n;
}
