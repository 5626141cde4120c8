/*-------------------------------------------------------------------------
 *
 * store/search.c
 *	  Promises by what they are, newest first.
 *
 * A page goes on after the instant and the id of the last promise of the page before.
 * Beside that, what both kinds of searches need: the states that are wanted, and how many
 * promises are in one (store/search_id.c has the other kind).
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "utils/builtins.h"

#include "server/clock.h"
#include "store/internal.h"
#include "store/sql.h"

/* From how many on searches suffer from promises whose deadline nobody has stored. */
#define LAPSED_MANY	1000

/*
 * True when the tags alone say what the partial index on tags leaves out, so
 * that it cannot serve the search.
 */
bool
rsn_search_is_default_tags(Jsonb *tags)
{
	Datum		default_tags;

	if (JB_ROOT_COUNT(tags) == 0)
		return true;
	default_tags = DirectFunctionCall1(jsonb_in,
									   CStringGetDatum("{\"resonate:external\": \"true\"}"));
	return compareJsonbContainers(&tags->root,
								  &DatumGetJsonbP(default_tags)->root) == 0;
}

/* The names of the states that are wanted. */
ArrayType *
rsn_search_states(const bool *wants)
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

/* $6 are tags that the index on tags can find, $7 tags that it cannot. */
#define SEARCH_FILTER \
	" AND p.id" LIKE "$5" \
	" AND ($6 IS NULL OR (p.tags OPERATOR(pg_catalog.@>) $6 AND p.tags" NE \
	"'{\"resonate:external\": \"true\"}'::pg_catalog.jsonb))" \
	" AND ($7 IS NULL OR p.tags OPERATOR(pg_catalog.@>) $7)" \
	" AND ROW(p.created_at, " HIDDEN_ID ") OPERATOR(pg_catalog.<) ROW($8, $9)" \
	" ORDER BY p.created_at DESC, " HIDDEN_ID " DESC LIMIT $10"

/*
 * One ordered walk for each stored state that is wanted, cut at the
 * limit, and the rows that have lapsed, which the index on deadlines
 * finds: timers if $1, the others if $2.  The walk has those too if $11,
 * where it makes no difference what they are.
 */
static RsnStatement search_stmt = {
	.name = "search",
	.sql = "SELECT f.* FROM (SELECT w.*"
	" FROM pg_catalog.unnest($3::resonate.promise_state[]) AS s (state)"
	" CROSS JOIN LATERAL (SELECT " PROMISE_COLUMNS
	" FROM resonate.promises p"
	" WHERE p.state" EQ "s.state"
	" AND ($11 OR p.state" NE STATE("pending")
	" OR p.timeout_at OPERATOR(pg_catalog.>) $4)"
	SEARCH_FILTER ") AS w"
	" UNION ALL (SELECT " PROMISE_COLUMNS
	" FROM (SELECT p.*, p.ctid FROM resonate.promises p"
	" WHERE ($1 OR $2) AND p.state" EQ STATE("pending")
	" AND p.external" EQ "ANY ($12)"
	" AND p.timeout_at" LE "$4 OFFSET 0) AS p"
	" WHERE CASE WHEN p.timer THEN $1 ELSE $2 END"
	SEARCH_FILTER ")) AS f"
	" ORDER BY f.created_at DESC, f.id DESC LIMIT $10",
	.spi_result = SPI_OK_SELECT,
	.cursor_options = PLAN_EACH,
	ARGS(BOOLOID, BOOLOID, TEXTARRAYOID, INT8OID, TEXTOID, JSONBOID,
		 JSONBOID, INT8OID, TEXTOID, INT8OID, BOOLOID, BOOLARRAYOID)
};

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
	!rsn_search_is_default_tags(search->tags);
	bool		wants_timers = search->wants[RSN_PROMISE_RESOLVED];
	bool		wants_others = search->wants[RSN_PROMISE_TIMEDOUT];
	bool		wants_all = wants_timers && wants_others &&
	search->wants[RSN_PROMISE_PENDING];

	Assert(search->limit >= 0);
	rsn_args_add(&args, BoolGetDatum(wants_timers && !wants_all));
	rsn_args_add(&args, BoolGetDatum(wants_others && !wants_all));
	rsn_args_add(&args, PointerGetDatum(rsn_search_states(search->wants)));
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

	count = rsn_store_exec(&search_stmt, &args);
	*rows = rsn_store_rows_from_result(count);
	return (int) count;
}

/* Adds the arguments that say which part it is. */
void
rsn_search_add_part(RsnArgs *args, const RsnStatePart *part)
{
	Assert(part->from_ms <= part->until_ms);
	rsn_args_add_text(args, part->stored_state);
	rsn_args_add(args, PointerGetDatum(bool_array(part->has_internal,
												  part->has_external)));
	rsn_args_add(args, Int64GetDatum(part->from_ms));
	rsn_args_add(args, Int64GetDatum(part->until_ms));
}

static RsnStatement count_in_state_stmt = {
	.name = "count_in_state",
	.sql = "SELECT (SELECT pg_catalog.count(*) FROM (SELECT FROM resonate.promises p"
	" WHERE p.state" EQ "$1::resonate.promise_state LIMIT $5) AS s)"
	" OPERATOR(pg_catalog.+)"
	" (SELECT pg_catalog.count(*) FROM (SELECT FROM resonate.promises p"
	" WHERE " PENDING_PART("$2", "$3", "$4") " LIMIT $5) AS s)",
	.spi_result = SPI_OK_SELECT,
	.cursor_options = PLAN_ONCE,
	ARGS(TEXTOID, BOOLARRAYOID, INT8OID, INT8OID, INT8OID)
};

/* True when at most so many promises are in the part. */
bool
rsn_search_is_few(const RsnStatePart *part, int few)
{
	RsnArgs		args = {0};

	Assert(few >= 0 && few < PG_INT32_MAX);
	rsn_search_add_part(&args, part);
	rsn_args_add(&args, Int64GetDatum(few + 1));
	rsn_store_exec(&count_in_state_stmt, &args);
	return rsn_store_get_int64(SPI_tuptable->vals[0], 1, 0) <= few;
}

/*
 * True when such a search has to pass over many internal promises whose deadline has
 * passed, which nobody has stored.
 */
bool
rsn_store_passes_many_lapsed(const RsnSearch *search)
{
	RsnStatePart lapsed = {0};

	if (search->wants[RSN_PROMISE_PENDING] ==
		search->wants[RSN_PROMISE_TIMEDOUT])
		return false;

	lapsed.has_internal = true;
	lapsed.from_ms = PG_INT64_MIN;
	lapsed.until_ms = search->now_ms;
	return !rsn_search_is_few(&lapsed, LAPSED_MANY - 1);
}
