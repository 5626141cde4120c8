/*-------------------------------------------------------------------------
 *
 * store_query.c
 *	  Every SQL statement of the extension.
 *
 * All are literals and fully qualified, so neither the caller's search_path nor
 * any argument can change what they mean.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "catalog/pg_type.h"

#include "store_plan.h"

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

/* The id as promises_state_idx has it. */
#define HIDDEN_ID "(p.id OPERATOR(pg_catalog.||) '')"

/* $6 are tags that the index on tags can find, $7 tags that it cannot. */
#define SEARCH_FILTER \
	" AND p.id" LIKE "$5" \
	" AND ($6 IS NULL OR (p.tags OPERATOR(pg_catalog.@>) $6 AND p.tags" NE \
	"'{\"resonate:external\": \"true\"}'::pg_catalog.jsonb))" \
	" AND ($7 IS NULL OR p.tags OPERATOR(pg_catalog.@>) $7)" \
	" AND ROW(p.created_at, " HIDDEN_ID ") OPERATOR(pg_catalog.<) ROW($8, $9)" \
	" ORDER BY p.created_at DESC, " HIDDEN_ID " DESC LIMIT $10"

const RsnQueryDef rsn_queries[] = {
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
		" WHERE p.state" EQ STATE("pending") " AND p.external" EQ "$4"
		" AND p.timeout_at" LE "$1 AND p.id" NE "ALL ($3)"
		" ORDER BY p.external, p.timeout_at LIMIT $2"
		" FOR NO KEY UPDATE SKIP LOCKED",
		SPI_OK_SELECT, PLAN_ONCE, 4,
		{INT8OID, INT8OID, TEXTARRAYOID, BOOLOID}
	},
	[RSN_QUERY_DUE_IDS] = {
		"SELECT p.id FROM resonate.promises p"
		" WHERE p.state" EQ STATE("pending") " AND p.external"
		" AND p.timeout_at" LE "$1 AND p.id" NE "ALL ($3)"
		" ORDER BY p.external, p.timeout_at LIMIT $2",
		SPI_OK_SELECT, PLAN_ONCE, 3, {INT8OID, INT8OID, TEXTARRAYOID}
	},

	/*
	 * The rows are locked and known to be pending, and a trigger refuses any
	 * other.  A condition on the state would only offer the planner an index
	 * that looks as good as the key while hardly anything is pending.
	 */
	[RSN_QUERY_SETTLE_PROMISE] = {
		"UPDATE resonate.promises SET state = $2::resonate.promise_state,"
		" settled_at = $3, idempotency_key_for_complete = $4,"
		" value_headers = $5, value_data = $6"
		" WHERE id" EQ "$1",
		SPI_OK_UPDATE, PLAN_ONCE, 6,
		{TEXTOID, TEXTOID, INT8OID, TEXTOID, JSONBOID, BYTEAOID}
	},

	/*
	 * One ordered walk for each stored state that is wanted, cut at the
	 * limit, and the rows that have lapsed, which the index on deadlines
	 * finds: timers if $1, the others if $2.
	 */
	[RSN_QUERY_SEARCH] = {
		"WITH lapsed AS MATERIALIZED (SELECT p.* FROM resonate.promises p"
		" WHERE ($1 OR $2) AND p.state" EQ STATE("pending")
		" AND p.external" EQ "ANY ('{t,f}'::pg_catalog.bool[])"
		" AND p.timeout_at" LE "$4)"
		" SELECT f.* FROM (SELECT w.*"
		" FROM pg_catalog.unnest($3::resonate.promise_state[]) AS s (state)"
		" CROSS JOIN LATERAL (SELECT " RSN_PROMISE_COLUMNS
		" FROM resonate.promises p"
		" WHERE p.state" EQ "s.state"
		" AND (p.state" NE STATE("pending")
		" OR p.timeout_at OPERATOR(pg_catalog.>) $4)"
		SEARCH_FILTER ") AS w"
		" UNION ALL (SELECT " RSN_PROMISE_COLUMNS
		" FROM lapsed p WHERE CASE WHEN p.timer THEN $1 ELSE $2 END"
		SEARCH_FILTER ")) AS f"
		" ORDER BY f.created_at DESC, f.id DESC LIMIT $10",
		SPI_OK_SELECT, PLAN_EACH, 10,
		{BOOLOID, BOOLOID, TEXTARRAYOID, INT8OID, TEXTOID, JSONBOID,
		JSONBOID, INT8OID, TEXTOID, INT8OID}
	},
	[RSN_QUERY_NEXT_DEADLINE] = {
		"SELECT p.timeout_at FROM resonate.promises p"
		" WHERE p.state" EQ STATE("pending") " AND p.external"
		" AND p.id" NE "ALL ($1)"
		" ORDER BY p.external, p.timeout_at LIMIT 1",
		SPI_OK_SELECT, PLAN_ONCE, 1, {TEXTARRAYOID}
	},

	/*
	 * A settled promise can have callbacks left by a restore.  They turn into
	 * messages without changing the promise, and every snapshot sees the one
	 * or the other.
	 */
	[RSN_QUERY_PRUNE] = {
		"DELETE FROM resonate.promises d"
		" WHERE d.ctid" EQ "ANY (ARRAY(SELECT p.ctid FROM resonate.promises p"
		" WHERE p.state" EQ "$1::resonate.promise_state"
		" AND p.created_at" LE "$2 AND p.settled_at" LE "$2"
		" AND NOT EXISTS (SELECT FROM resonate.messages m"
		" WHERE m.promise_id" EQ "p.id)"
		" AND NOT EXISTS (SELECT FROM resonate.callbacks c"
		" WHERE c.promise_id" EQ "p.id)"
		" AND NOT EXISTS (SELECT FROM resonate.promises r"
		" WHERE r.id" EQ "(p.tags OPERATOR(pg_catalog.->>) 'resonate:origin')"
		" AND r.settled_at IS NULL"
		" AND (r.external OR r.timeout_at OPERATOR(pg_catalog.>) $2))"
		" ORDER BY p.created_at LIMIT $3 FOR UPDATE SKIP LOCKED))",
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
		SPI_OK_INSERT, PLAN_ONCE, 2, {TEXTOID, INT8OID}, true
	},
	[RSN_QUERY_FIRE_MANY] = {
		"WITH fired AS (DELETE FROM resonate.callbacks c"
		" WHERE c.promise_id" EQ "ANY ($1)"
		" RETURNING c.promise_id, c.callback_id, c.address)"
		" INSERT INTO resonate.messages"
		" (created_at, due_at, attempt, promise_id, callback_id, address)"
		" SELECT $2, $2, 0, f.promise_id, f.callback_id, f.address"
		" FROM fired f",
		SPI_OK_INSERT, PLAN_ONCE, 2, {TEXTARRAYOID, INT8OID}, true
	},
	[RSN_QUERY_UNFIRED] = {
		"SELECT c.promise_id FROM resonate.callbacks c"
		" CROSS JOIN LATERAL (SELECT p.state FROM resonate.promises p"
		" WHERE p.id" EQ "c.promise_id OFFSET 0) AS p"
		" WHERE p.state" NE STATE("pending")
		" AND c.promise_id" NE "ALL ($2)"
		" GROUP BY c.promise_id LIMIT $1",
		SPI_OK_SELECT, PLAN_ONCE, 2, {INT8OID, TEXTARRAYOID}
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
	[RSN_QUERY_DELETE_MESSAGE] = {
		"DELETE FROM resonate.messages"
		" WHERE promise_id" EQ "$1 AND callback_id" EQ "$2",
		SPI_OK_DELETE, PLAN_ONCE, 2, {TEXTOID, TEXTOID}
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
		"WITH sent AS (UPDATE resonate.messages m"
		" SET due_at = $4, attempt = m.attempt OPERATOR(pg_catalog.+) 1"
		" WHERE m.ctid" EQ "ANY (ARRAY(SELECT t.ctid"
		" FROM resonate.messages t"
		" WHERE t.address" EQ "$1 AND t." NOT_NOTIFY("address")
		" AND t.due_at" LE "$2"
		" ORDER BY t.due_at LIMIT $3 FOR UPDATE SKIP LOCKED))"
		" RETURNING m.*)"
		" SELECT s.promise_id, s.callback_id, s.address, s.attempt, s.due_at,"
		" p.id IS NOT NULL, " RSN_PROMISE_CORE_COLUMNS
		", NULL::pg_catalog.jsonb, NULL::pg_catalog.jsonb,"
		" NULL::pg_catalog.bytea, p.value_headers, p.value_data"
		" FROM sent s LEFT JOIN resonate.promises p ON p.id" EQ "s.promise_id"
		" ORDER BY s.created_at, s.promise_id, s.callback_id",
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

StaticAssertDecl(lengthof(rsn_queries) == RSN_NQUERIES,
				 "every query has its statement");
