/*-------------------------------------------------------------------------
 *
 * store.c
 *	  The statements, their kept plans, and rows to structs.
 *
 * Every statement of the extension is a literal in the table below, fully
 * qualified, so neither the caller's search_path nor any argument can change
 * what it means.  Plans are prepared at first use and kept for the life of the
 * backend; the plan cache re-plans them when a table changes.
 *
 * Statements run read-write in the sense of SPI: each takes a new snapshot, so
 * that what a session reads after it has waited for a lock is the newest.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/htup_details.h"
#include "catalog/pg_type.h"
#include "utils/array.h"
#include "utils/builtins.h"

#include "store_plan.h"

typedef struct QueryDef
{
	const char *sql;
	int			spi_result;		/* what SPI_execute_plan must answer */
	int			cursor_options;
	int			nargs;
	Oid			argtypes[RSN_STORE_MAX_ARGS];
} QueryDef;

/*
 * LIKE of a search depends on the pattern, so that statement is planned each
 * time; all others are planned once.
 */
#define PLAN_ONCE	CURSOR_OPT_GENERIC_PLAN
#define PLAN_EACH	CURSOR_OPT_CUSTOM_PLAN

#define EQ		" OPERATOR(pg_catalog.=) "
#define NE		" OPERATOR(pg_catalog.<>) "
#define LE		" OPERATOR(pg_catalog.<=) "
#define LIKE	" OPERATOR(pg_catalog.~~) "
#define NLIKE	" OPERATOR(pg_catalog.!~~) "
#define STATE(x) "'" x "'::resonate.promise_state"

#define IS_NOTIFY(column)	column LIKE "'notify://%'"
#define NOT_NOTIFY(column)	column NLIKE "'notify://%'"

static const QueryDef queries[] = {
	[RSN_QUERY_INSERT_PROMISE] = {
		"INSERT INTO resonate.promises (created_at, timeout_at, settled_at,"
		" state, timer, external, id, idempotency_key_for_create, tags,"
		" param_headers, param_data)"
		" VALUES ($1, $2, $3, $4::resonate.promise_state, $5, $6, $7, $8, $9,"
		" $10, $11)"
		" ON CONFLICT DO NOTHING",
		SPI_OK_INSERT, PLAN_ONCE, 11,
		{INT8OID, INT8OID, INT8OID, TEXTOID, BOOLOID, BOOLOID, TEXTOID, TEXTOID,
		JSONBOID, JSONBOID, BYTEAOID}
	},
	[RSN_QUERY_INSERT_PROMISES] = {
		"INSERT INTO resonate.promises (created_at, timeout_at, settled_at,"
		" state, timer, external, id, idempotency_key_for_create, tags,"
		" param_headers, param_data)"
		" SELECT u.created_at, u.timeout_at, u.settled_at,"
		" u.state::resonate.promise_state, u.timer, u.external, u.id, u.key,"
		" u.tags, u.param_headers, u.param_data"
		" FROM ROWS FROM (pg_catalog.unnest($1), pg_catalog.unnest($2),"
		" pg_catalog.unnest($3), pg_catalog.unnest($4), pg_catalog.unnest($5),"
		" pg_catalog.unnest($6), pg_catalog.unnest($7), pg_catalog.unnest($8),"
		" pg_catalog.unnest($9), pg_catalog.unnest($10),"
		" pg_catalog.unnest($11)) AS u (created_at, timeout_at, settled_at,"
		" state, timer, external, id, key, tags, param_headers, param_data)"
		" ON CONFLICT DO NOTHING RETURNING id",
		SPI_OK_INSERT_RETURNING, PLAN_ONCE, 11,
		{INT8ARRAYOID, INT8ARRAYOID, INT8ARRAYOID, TEXTARRAYOID, BOOLARRAYOID,
			BOOLARRAYOID, TEXTARRAYOID, TEXTARRAYOID, JSONBARRAYOID,
		JSONBARRAYOID, BYTEAARRAYOID}
	},
	[RSN_QUERY_READ_PROMISE] = {
		"SELECT " RSN_PROMISE_COLUMNS
		" FROM resonate.promises p WHERE p.id" EQ "$1",
		SPI_OK_SELECT, PLAN_ONCE, 1, {TEXTOID}
	},
	[RSN_QUERY_READ_PROMISES] = {
		"SELECT " RSN_PROMISE_COLUMNS
		" FROM resonate.promises p WHERE p.id" EQ "ANY ($1)",
		SPI_OK_SELECT, PLAN_ONCE, 1, {TEXTARRAYOID}
	},
	[RSN_QUERY_LOCK_PROMISE] = {
		"SELECT " RSN_PROMISE_COLUMNS
		" FROM resonate.promises p WHERE p.id" EQ "$1 FOR NO KEY UPDATE",
		SPI_OK_SELECT, PLAN_ONCE, 1, {TEXTOID}
	},
	[RSN_QUERY_LOCK_PROMISES] = {
		"SELECT " RSN_PROMISE_COLUMNS
		" FROM resonate.promises p"
		" WHERE p.id" EQ "ANY ($1)"
		" ORDER BY p.id FOR NO KEY UPDATE",
		SPI_OK_SELECT, PLAN_ONCE, 1, {TEXTARRAYOID}
	},
	[RSN_QUERY_LOCK_DUE] = {
		"SELECT " RSN_PROMISE_CORE_COLUMNS ", NULL::pg_catalog.jsonb,"
		" NULL::pg_catalog.jsonb, NULL::pg_catalog.bytea,"
		" NULL::pg_catalog.jsonb, NULL::pg_catalog.bytea"
		" FROM resonate.promises p"
		" WHERE p.state" EQ STATE("pending") " AND p.external"
		" AND p.timeout_at" LE "$1 AND p.id" NE "ALL ($3)"
		" ORDER BY p.external, p.timeout_at LIMIT $2"
		" FOR NO KEY UPDATE SKIP LOCKED",
		SPI_OK_SELECT, PLAN_ONCE, 3, {INT8OID, INT8OID, TEXTARRAYOID}
	},
	[RSN_QUERY_DUE_IDS] = {
		"SELECT p.id FROM resonate.promises p"
		" WHERE p.state" EQ STATE("pending") " AND p.external"
		" AND p.timeout_at" LE "$1 AND p.id" NE "ALL ($3)"
		" ORDER BY p.external, p.timeout_at LIMIT $2",
		SPI_OK_SELECT, PLAN_ONCE, 3, {INT8OID, INT8OID, TEXTARRAYOID}
	},
	[RSN_QUERY_SETTLE_PROMISE] = {
		"UPDATE resonate.promises SET state = $2::resonate.promise_state,"
		" settled_at = $3, idempotency_key_for_complete = $4,"
		" value_headers = $5, value_data = $6"
		" WHERE id" EQ "$1 AND state" EQ STATE("pending"),
		SPI_OK_UPDATE, PLAN_ONCE, 6,
		{TEXTOID, TEXTOID, INT8OID, TEXTOID, JSONBOID, BYTEAOID}
	},
	[RSN_QUERY_SETTLE_PROMISES] = {
		"UPDATE resonate.promises p SET state = u.state::resonate.promise_state,"
		" settled_at = u.settled_at, idempotency_key_for_complete = u.key,"
		" value_headers = u.value_headers, value_data = u.value_data"
		" FROM ROWS FROM (pg_catalog.unnest($1), pg_catalog.unnest($2),"
		" pg_catalog.unnest($3), pg_catalog.unnest($4), pg_catalog.unnest($5),"
		" pg_catalog.unnest($6)) AS u (id, state, settled_at, key,"
		" value_headers, value_data)"
		" WHERE p.id" EQ "u.id AND p.state" EQ STATE("pending"),
		SPI_OK_UPDATE, PLAN_ONCE, 6,
		{TEXTARRAYOID, TEXTARRAYOID, INT8ARRAYOID, TEXTARRAYOID, JSONBARRAYOID,
		BYTEAARRAYOID}
	},

	/*
	 * One ordered walk for each stored state, cut at the limit.  A pending
	 * row counts by what it is at now: $1 pending, $2 resolved (a timer), $3
	 * timed out.  Stored settled states are in $4.
	 */
	[RSN_QUERY_SEARCH] = {
		"SELECT f.* FROM pg_catalog.unnest($4::resonate.promise_state[]) AS s (state)"
		" CROSS JOIN LATERAL (SELECT " RSN_PROMISE_COLUMNS
		" FROM resonate.promises p"
		" WHERE p.state" EQ "s.state"
		" AND (p.state" NE STATE("pending")
		" OR CASE WHEN p.timeout_at OPERATOR(pg_catalog.>) $5 THEN $1"
		" WHEN p.timer THEN $2 ELSE $3 END)"
		" AND p.id" LIKE "$6"
		" AND ($7 IS NULL OR (p.tags OPERATOR(pg_catalog.@>) $7 AND p.tags" NE
		"'{\"resonate:external\": \"true\"}'::pg_catalog.jsonb))"
		" AND ($8 IS NULL OR (p.tags OPERATOR(pg_catalog.@>) $8))"
		" AND ROW(p.created_at, p.id) OPERATOR(pg_catalog.<) ROW($9, $10)"
		" ORDER BY p.created_at DESC, p.id DESC LIMIT $11) AS f"
		" ORDER BY f.created_at DESC, f.id DESC LIMIT $11",
		SPI_OK_SELECT, PLAN_EACH, 11,
		{BOOLOID, BOOLOID, BOOLOID, TEXTARRAYOID, INT8OID, TEXTOID, JSONBOID,
		JSONBOID, INT8OID, TEXTOID, INT8OID}
	},
	[RSN_QUERY_NEXT_DEADLINE] = {
		"SELECT p.timeout_at FROM resonate.promises p"
		" WHERE p.state" EQ STATE("pending") " AND p.external"
		" AND p.id" NE "ALL ($1)"
		" ORDER BY p.external, p.timeout_at LIMIT 1",
		SPI_OK_SELECT, PLAN_ONCE, 1, {TEXTARRAYOID}
	},
	[RSN_QUERY_PRUNE] = {
		"DELETE FROM resonate.promises d USING"
		" (SELECT p.id FROM resonate.promises p"
		" WHERE p.state" EQ "$1::resonate.promise_state"
		" AND p.created_at" LE "$2 AND p.settled_at" LE "$2"
		" AND NOT EXISTS (SELECT FROM resonate.messages m"
		" WHERE m.promise_id" EQ "p.id)"
		" AND NOT EXISTS (SELECT FROM resonate.promises r"
		" WHERE r.id" EQ "(p.tags OPERATOR(pg_catalog.->>) 'resonate:origin')"
		" AND r.state" EQ STATE("pending") ")"
		" ORDER BY p.created_at, p.id LIMIT $3"
		" FOR UPDATE SKIP LOCKED) AS old"
		" WHERE d.id" EQ "old.id",
		SPI_OK_DELETE, PLAN_ONCE, 3, {TEXTOID, INT8OID, INT8OID}
	},
	[RSN_QUERY_COUNT_STATES] = {
		"SELECT p.state::pg_catalog.text, pg_catalog.count(*)"
		" FROM resonate.promises p GROUP BY p.state",
		SPI_OK_SELECT, PLAN_ONCE, 0, {0}
	},
	[RSN_QUERY_COUNT_REST] = {
		"SELECT pg_catalog.count(*), pg_catalog.min(p.timeout_at),"
		" (SELECT pg_catalog.count(*) FROM resonate.callbacks),"
		" (SELECT pg_catalog.count(*) FROM resonate.messages)"
		" FROM resonate.promises p"
		" WHERE p.state" EQ STATE("pending") " AND p.external"
		" AND p.timeout_at" LE "$1",
		SPI_OK_SELECT, PLAN_ONCE, 1, {INT8OID}
	},
	[RSN_QUERY_INSERT_CALLBACK] = {
		"INSERT INTO resonate.callbacks"
		" (created_at, promise_id, callback_id, address)"
		" VALUES ($1, $2, $3, $4) ON CONFLICT DO NOTHING",
		SPI_OK_INSERT, PLAN_ONCE, 4, {INT8OID, TEXTOID, TEXTOID, TEXTOID}
	},

	/*
	 * One statement, so that a callback is deleted exactly if its message is
	 * written.
	 */
	[RSN_QUERY_FIRE] = {
		"WITH fired AS (DELETE FROM resonate.callbacks c"
		" WHERE c.promise_id" EQ "$1"
		" RETURNING c.promise_id, c.callback_id, c.address)"
		" INSERT INTO resonate.messages"
		" (created_at, due_at, attempt, promise_id, callback_id, address)"
		" SELECT $2, $2, 0, f.promise_id, f.callback_id, f.address"
		" FROM fired f",
		SPI_OK_INSERT, PLAN_ONCE, 2, {TEXTOID, INT8OID}
	},
	[RSN_QUERY_FIRE_MANY] = {
		"WITH fired AS (DELETE FROM resonate.callbacks c"
		" WHERE c.promise_id" EQ "ANY ($1)"
		" RETURNING c.promise_id, c.callback_id, c.address)"
		" INSERT INTO resonate.messages"
		" (created_at, due_at, attempt, promise_id, callback_id, address)"
		" SELECT $2, $2, 0, f.promise_id, f.callback_id, f.address"
		" FROM fired f",
		SPI_OK_INSERT, PLAN_ONCE, 2, {TEXTARRAYOID, INT8OID}
	},
	[RSN_QUERY_UNFIRED] = {
		"SELECT c.promise_id FROM resonate.callbacks c"
		" JOIN resonate.promises p ON p.id" EQ "c.promise_id"
		" WHERE p.state" NE STATE("pending")
		" GROUP BY c.promise_id LIMIT $1",
		SPI_OK_SELECT, PLAN_ONCE, 1, {INT8OID}
	},
	[RSN_QUERY_LOCK_NOTIFICATIONS] = {
		"SELECT m.promise_id, m.callback_id, m.address, m.attempt, m.due_at,"
		" p.id IS NOT NULL, " RSN_PROMISE_CORE_COLUMNS
		", NULL::pg_catalog.jsonb, NULL::pg_catalog.jsonb,"
		" NULL::pg_catalog.bytea, p.value_headers, p.value_data"
		" FROM resonate.messages m"
		" LEFT JOIN resonate.promises p ON p.id" EQ "m.promise_id"
		" WHERE m." IS_NOTIFY("address") " AND m.due_at" LE "$1"
		" ORDER BY m.due_at LIMIT $2 FOR UPDATE OF m SKIP LOCKED",
		SPI_OK_SELECT, PLAN_ONCE, 2, {INT8OID, INT8OID}
	},
	[RSN_QUERY_DELETE_MESSAGES] = {
		"DELETE FROM resonate.messages m"
		" USING ROWS FROM (pg_catalog.unnest($1), pg_catalog.unnest($2))"
		" AS u (promise_id, callback_id)"
		" WHERE m.promise_id" EQ "u.promise_id"
		" AND m.callback_id" EQ "u.callback_id",
		SPI_OK_DELETE, PLAN_ONCE, 2, {TEXTARRAYOID, TEXTARRAYOID}
	},
	[RSN_QUERY_POSTPONE_MESSAGE] = {
		"UPDATE resonate.messages"
		" SET due_at = $3, attempt = attempt OPERATOR(pg_catalog.+) 1"
		" WHERE promise_id" EQ "$1 AND callback_id" EQ "$2",
		SPI_OK_UPDATE, PLAN_ONCE, 3, {TEXTOID, TEXTOID, INT8OID}
	},
	[RSN_QUERY_NEXT_NOTIFICATION] = {
		"SELECT m.due_at FROM resonate.messages m"
		" WHERE m." IS_NOTIFY("address") " ORDER BY m.due_at LIMIT 1",
		SPI_OK_SELECT, PLAN_ONCE, 0, {0}
	},
	[RSN_QUERY_RECEIVE] = {
		"WITH taken AS (SELECT m.promise_id, m.callback_id, m.due_at"
		" FROM resonate.messages m"
		" WHERE m.address" EQ "$1 AND m." NOT_NOTIFY("address")
		" AND m.due_at" LE "$2"
		" ORDER BY m.due_at LIMIT $3 FOR UPDATE SKIP LOCKED),"
		" sent AS (UPDATE resonate.messages m"
		" SET due_at = $4, attempt = m.attempt OPERATOR(pg_catalog.+) 1"
		" FROM taken t WHERE m.promise_id" EQ "t.promise_id"
		" AND m.callback_id" EQ "t.callback_id"
		" RETURNING m.promise_id, m.callback_id, m.address, m.attempt,"
		" m.due_at, t.due_at AS was_due_at)"
		" SELECT s.promise_id, s.callback_id, s.address, s.attempt, s.due_at,"
		" p.id IS NOT NULL, " RSN_PROMISE_CORE_COLUMNS
		", NULL::pg_catalog.jsonb, NULL::pg_catalog.jsonb,"
		" NULL::pg_catalog.bytea, p.value_headers, p.value_data"
		" FROM sent s LEFT JOIN resonate.promises p ON p.id" EQ "s.promise_id"
		" ORDER BY s.was_due_at, s.promise_id, s.callback_id",
		SPI_OK_SELECT, PLAN_ONCE, 4, {TEXTOID, INT8OID, INT8OID, INT8OID}
	},
	[RSN_QUERY_ACKNOWLEDGE] = {
		"DELETE FROM resonate.messages"
		" WHERE promise_id" EQ "$1 AND callback_id" EQ "$2"
		" AND " NOT_NOTIFY("address"),
		SPI_OK_DELETE, PLAN_ONCE, 2, {TEXTOID, TEXTOID}
	},
	[RSN_QUERY_PREPARED] = {
		"SELECT FROM pg_catalog.pg_prepared_xacts x"
		" WHERE x.database" EQ "pg_catalog.current_database()",
		SPI_OK_SELECT, PLAN_ONCE, 0, {0}
	},
};

StaticAssertDecl(lengthof(queries) == RSN_NQUERIES,
				 "every query has its statement");

static SPIPlanPtr plans[RSN_NQUERIES];

/* Where results go: the caller's context at rsn_store_begin. */
static MemoryContext result_context = NULL;

/* True while one of our own statements runs. */
static bool is_running = false;

/* Opens the store; what is allocated later outlives rsn_store_end. */
void
rsn_store_begin(void)
{
	MemoryContext caller = CurrentMemoryContext;
	int			result = SPI_connect();

	if (result != SPI_OK_CONNECT)
		elog(ERROR, "SPI_connect failed: %s", SPI_result_code_string(result));
	result_context = caller;
}

/* Closes the store; the caller's context is current again. */
void
rsn_store_end(void)
{
	int			result = SPI_finish();

	if (result != SPI_OK_FINISH)
		elog(ERROR, "SPI_finish failed: %s", SPI_result_code_string(result));
}

/* True when an insert comes from one of our own statements. */
bool
rsn_store_is_running(void)
{
	return is_running;
}

/* Memory in the context of the caller of rsn_store_begin. */
void *
rsn_store_alloc(Size size)
{
	return MemoryContextAllocExtended(result_context, size,
									  MCXT_ALLOC_HUGE | MCXT_ALLOC_ZERO);
}

static SPIPlanPtr
get_plan(RsnQuery query)
{
	const QueryDef *def = &queries[query];
	SPIPlanPtr	plan = plans[query];

	if (plan != NULL)
		return plan;

	plan = SPI_prepare_cursor(def->sql, def->nargs, (Oid *) def->argtypes,
							  def->cursor_options);
	if (plan == NULL)
		elog(ERROR, "could not prepare statement %d: %s", (int) query,
			 SPI_result_code_string(SPI_result));
	if (SPI_keepplan(plan) != 0)
		elog(ERROR, "could not keep the plan of statement %d", (int) query);
	plans[query] = plan;
	return plan;
}

static int
run_plan(SPIPlanPtr plan, const RsnArgs *args)
{
	volatile int result = 0;

	is_running = true;
	PG_TRY();
	{
		result = SPI_execute_plan(plan, (Datum *) args->values, args->nulls,
								  false, 0);
	}
	PG_FINALLY();
	{
		is_running = false;
	}
	PG_END_TRY();
	return result;
}

/* Runs a statement and answers how many rows it processed. */
uint64
rsn_store_exec(RsnQuery query, const RsnArgs *args)
{
	static const RsnArgs none = {0};
	const QueryDef *def = &queries[query];
	int			result;

	if (args == NULL)
		args = &none;
	if (args->n != def->nargs)
		elog(ERROR, "statement %d takes %d arguments, not %d", (int) query,
			 def->nargs, args->n);

	result = run_plan(get_plan(query), args);
	if (result != def->spi_result)
		elog(ERROR, "statement %d failed: %s", (int) query,
			 SPI_result_code_string(result));
	return SPI_processed;
}

/* Adds an argument that is not NULL. */
void
rsn_args_add(RsnArgs *args, Datum value)
{
	Assert(args->n < RSN_STORE_MAX_ARGS);
	args->values[args->n] = value;
	args->nulls[args->n] = ' ';
	args->n++;
}

/* Adds a pointer to a varlena, NULL being the SQL NULL. */
void
rsn_args_add_varlena(RsnArgs *args, void *value)
{
	Assert(args->n < RSN_STORE_MAX_ARGS);
	args->values[args->n] = PointerGetDatum(value);
	args->nulls[args->n] = value == NULL ? 'n' : ' ';
	args->n++;
}

/* Adds a text, NULL being the SQL NULL. */
void
rsn_args_add_text(RsnArgs *args, text *value)
{
	rsn_args_add_varlena(args, value);
}

/* Adds an array of texts, none of them NULL. */
void
rsn_args_add_texts(RsnArgs *args, text *const *values, int n)
{
	ArrayType  *array = construct_array((Datum *) values, n, TEXTOID, -1, false,
										TYPALIGN_INT);

	rsn_args_add(args, PointerGetDatum(array));
}

/* A column that is a varlena, detoasted in the result context, or NULL. */
static void *
get_varlena(HeapTuple tuple, int column)
{
	MemoryContext old;
	bool		is_null;
	void	   *copy;
	Datum		value = SPI_getbinval(tuple, SPI_tuptable->tupdesc, column,
									  &is_null);

	if (is_null)
		return NULL;
	old = MemoryContextSwitchTo(result_context);
	copy = PG_DETOAST_DATUM_COPY(value);
	MemoryContextSwitchTo(old);
	return copy;
}

/* A text column, in the result context, or NULL. */
text *
rsn_store_get_text(HeapTuple tuple, int column)
{
	return (text *) get_varlena(tuple, column);
}

/* A bigint column. */
int64
rsn_store_get_int64(HeapTuple tuple, int column, int64 if_null)
{
	bool		is_null;
	Datum		value = SPI_getbinval(tuple, SPI_tuptable->tupdesc, column,
									  &is_null);

	return is_null ? if_null : DatumGetInt64(value);
}

static bool
get_bool(HeapTuple tuple, int column)
{
	bool		is_null;

	return DatumGetBool(SPI_getbinval(tuple, SPI_tuptable->tupdesc, column,
									  &is_null)) && !is_null;
}

static RsnPromiseState
get_state(HeapTuple tuple, int column)
{
	RsnPromiseState state;
	char	   *name = SPI_getvalue(tuple, SPI_tuptable->tupdesc, column);

	if (name == NULL || !rsn_promise_state_from_name(name, &state))
		ereport(ERROR,
				(errcode(ERRCODE_DATA_CORRUPTED),
				 errmsg("unrecognized promise state: \"%s\"",
						name == NULL ? "" : name)));
	return state;
}

/* The key that a text holds. */
static RsnKey
key_of(const text *key)
{
	RsnKey		result = {NULL, 0};

	if (key != NULL)
	{
		result.data = VARDATA_ANY(key);
		result.len = VARSIZE_ANY_EXHDR(key);
	}
	return result;
}

/*
 * Reads a promise whose columns start after offset, and checks it: a stored
 * row that breaks an invariant must not be decided upon.
 */
void
rsn_store_row_from_tuple(HeapTuple tuple, int offset, RsnPromiseRow *row)
{
	RsnPromise *core = &row->core;
	const char *violated;

	row->id = rsn_store_get_text(tuple, offset + RSN_COL_ID);
	row->key_for_create = rsn_store_get_text(tuple,
											 offset + RSN_COL_KEY_FOR_CREATE);
	row->key_for_complete = rsn_store_get_text(tuple, offset +
											   RSN_COL_KEY_FOR_COMPLETE);
	row->tags = get_varlena(tuple, offset + RSN_COL_TAGS);
	row->param_headers = get_varlena(tuple, offset + RSN_COL_PARAM_HEADERS);
	row->param_data = get_varlena(tuple, offset + RSN_COL_PARAM_DATA);
	row->value_headers = get_varlena(tuple, offset + RSN_COL_VALUE_HEADERS);
	row->value_data = get_varlena(tuple, offset + RSN_COL_VALUE_DATA);

	core->state = get_state(tuple, offset + RSN_COL_STATE);
	core->is_timer = get_bool(tuple, offset + RSN_COL_TIMER);
	core->is_external = get_bool(tuple, offset + RSN_COL_EXTERNAL);
	core->has_value = get_bool(tuple, offset + RSN_COL_HAS_VALUE);
	core->created_at_ms = rsn_store_get_int64(tuple,
											  offset + RSN_COL_CREATED_AT, 0);
	core->timeout_at_ms = rsn_store_get_int64(tuple,
											  offset + RSN_COL_TIMEOUT_AT, 0);
	core->settled_at_ms = rsn_store_get_int64(tuple,
											  offset + RSN_COL_SETTLED_AT, 0);
	core->key_for_create = key_of(row->key_for_create);
	core->key_for_complete = key_of(row->key_for_complete);

	violated = rsn_promise_check(core);
	if ((core->state == RSN_PROMISE_PENDING) !=
		heap_attisnull(tuple, offset + RSN_COL_SETTLED_AT, NULL))
		violated = "settled_at_iff_not_pending";
	if (violated != NULL)
		ereport(ERROR,
				(errcode(ERRCODE_DATA_CORRUPTED),
				 errmsg("stored promise \"%s\" violates invariant \"%s\"",
						text_to_cstring(row->id), violated)));
}

/* The promises of the last statement, in its order; NULL for none. */
RsnPromiseRow *
rsn_store_rows_from_result(uint64 n)
{
	RsnPromiseRow *rows = NULL;

	if (n > 0)
		rows = rsn_store_alloc(n * sizeof(RsnPromiseRow));
	for (uint64 i = 0; i < n; i++)
		rsn_store_row_from_tuple(SPI_tuptable->vals[i], 0, &rows[i]);
	return rows;
}
