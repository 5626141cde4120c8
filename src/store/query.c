/*-------------------------------------------------------------------------
 *
 * store/query.c
 *	  Every SQL statement of the extension.
 *
 * All are literals and fully qualified, so neither the caller's search_path nor
 * any argument can change what they mean.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "catalog/pg_type.h"

#include "store/internal.h"

/*
 * What a search reads depends on what it asks for, and what counts everything or
 * empties it on how much there is, so these are planned each time.  All others
 * are planned once, see store/planner.c: each finds by an index, in the order of
 * that index, what it takes.
 */
#define PLAN_ONCE	CURSOR_OPT_GENERIC_PLAN
#define PLAN_EACH	CURSOR_OPT_CUSTOM_PLAN

#define EQ		" OPERATOR(pg_catalog.=) "
#define NE		" OPERATOR(pg_catalog.<>) "
#define LE		" OPERATOR(pg_catalog.<=) "
#define GE		" OPERATOR(pg_catalog.>=) "
#define GT		" OPERATOR(pg_catalog.>) "
#define LIKE	" OPERATOR(pg_catalog.~~) "
#define NLIKE	" OPERATOR(pg_catalog.!~~) "
#define STATE(x) "'" x "'::resonate.promise_state"

#define IS_NOTIFY(column)	column LIKE "'notify://%'"
#define NOT_NOTIFY(column)	column NLIKE "'notify://%'"

/* The kind of a callback or message; the argument says if it is a listener. */
#define KIND(is_listener) \
	"(CASE WHEN " is_listener " THEN 'listener' ELSE 'callback' END)" \
	"::resonate.callback_kind"

#define LISTENER "'listener'::resonate.callback_kind"

/*
 * True for a row that somebody else has locked; if not, it is locked now, so that it
 * can be deleted later on without a wait.
 */
#define IS_TAKEN(table, alias) \
	"NOT EXISTS (SELECT FROM (SELECT FROM resonate." table " l" \
	" WHERE l.ctid" EQ alias ".ctid FOR UPDATE SKIP LOCKED) AS k)"

/* As messages_expiry_idx has it. */
#define IS_DELIVERED \
	"(m.kind" EQ LISTENER " AND m.attempt OPERATOR(pg_catalog.>) 0)"

#define IS_MESSAGE_AHEAD \
	"m.due_at" GT "$1 AND COALESCE(m.received_at, m.created_at)" GT "$1" \
	" AND COALESCE(m.received_at, m.created_at)" LE "$4"

#define MESSAGE_COLUMNS \
	"m.kind" EQ KIND("true") ", m.promise_id, m.callback_id, m.address, " \
	"m.attempt, m.due_at, m.ctid, p.id IS NOT NULL"

/*
 * One lookup by the key for each message, whatever the planner thinks of the size
 * of the tables: a sub-select with an OFFSET is not made a join.
 */
#define PROMISE_OF_MESSAGE \
	" LEFT JOIN LATERAL (SELECT q.*, q.ctid FROM resonate.promises q" \
	" WHERE q.id" EQ "m.promise_id OFFSET 0) AS p ON true"

#define TASK_STATE(x) "'" x "'::resonate.task_state"

#define IN_RANGE(column, after, last) \
	column " OPERATOR(pg_catalog.>) " after " AND " column LE last

/* In the order that task_from_tuple reads. */
#define TASK_COLUMNS \
	"t.clock_at, t.timeout_at, t.ttl, t.version, t.resumes, t.setbacks, " \
	"t.state, t.id, t.address, t.pid, t.offers, t.others_at, " \
	"t.others_address, t.given_back_by, t.ctid"

/* The last of these but one, where there is no task that is pending. */
#define NO_OFFERS \
	"NULL::pg_catalog.int4, NULL::pg_catalog.int8, NULL::pg_catalog.text, " \
	"NULL::pg_catalog.text[]"

/* The bounds are those of the prefix, in an order that the index has. */
#define IS_NOTIFY_TASK \
	"t.state" EQ TASK_STATE("pending") \
	" AND t.address OPERATOR(pg_catalog.>=) 'notify://'" \
	" AND t.address OPERATOR(pg_catalog.<) 'notify:/0'"

#define ALIVE_AT(now)	"t.timeout_at OPERATOR(pg_catalog.>) " now

/* True where so many rows have that promise that they do not go with it at once. */
#define IS_CROWDED(table, column) \
	"((SELECT pg_catalog.count(*) FROM (SELECT FROM resonate." table " l" \
	" WHERE l." column EQ "p.id LIMIT 101) AS k) OPERATOR(pg_catalog.>) 100)"

#define IS_SETTLED(id) \
	"((SELECT p.settled_at FROM resonate.promises p WHERE p.id" EQ id ")" \
	" IS NOT NULL)"

/*
 * False for an awaiter whose task is not there although its promise is pending:
 * somebody is restoring a dump.  Scalar sub-selects, because those are never
 * hashed.
 */
#define IS_AWAITER_COMPLETE \
	"((SELECT true FROM resonate.tasks t WHERE t.id" EQ "a.awaiter_id)" \
	" IS NOT NULL OR (SELECT p.settled_at IS NULL FROM resonate.promises p" \
	" WHERE p.id" EQ "a.awaiter_id) IS NOT TRUE)"

/*
 * The next $3 addresses after $2 at which rows wait, and since when the newest of them
 * that is due by $1 has been, NULL for none: two probes of their queue for each.
 */
#define NEXT_ADDRESSES(table, column, waits, clock, is_due) \
	"WITH RECURSIVE a AS ((SELECT t." column " AS address" \
	" FROM resonate." table " t WHERE " waits " AND t." column GT "$2" \
	" ORDER BY t." column " LIMIT 1)" \
	" UNION ALL SELECT (SELECT t." column " FROM resonate." table " t" \
	" WHERE " waits " AND t." column GT "a.address" \
	" ORDER BY t." column " LIMIT 1) FROM a WHERE a.address IS NOT NULL)" \
	" SELECT b.address, (SELECT t." clock " FROM resonate." table " t" \
	" WHERE " waits " AND t." column EQ "b.address AND t." clock LE "$1" \
	is_due " ORDER BY t." clock " DESC LIMIT 1)" \
	" FROM (SELECT a.address FROM a WHERE a.address IS NOT NULL LIMIT $3) AS b"

/* In the order that schedule_from_tuple reads. */
#define SCHEDULE_WITHOUT_PAYLOAD \
	"s.created_at, s.next_run_at, s.last_run_at, s.promise_timeout, " \
	"s.fired, s.missed, s.last_missed_at, s.next_civil, " \
	"s.catch_up::pg_catalog.text, s.id, s.cron, s.time_zone, s.promise_id, " \
	"s.promise_tags"
#define SCHEDULE_COLUMNS \
	SCHEDULE_WITHOUT_PAYLOAD ", s.param_headers, s.param_data, s.param_text"

/* As schedules_clock_idx has it. */
#define SCHEDULE_CLOCK \
	"GREATEST(s.created_at, s.last_run_at, s.last_missed_at)"

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

/* After an id $1: the states $3 as seen at $2, and the tags $4. */
#define ID_SEARCH_FILTER \
	"p.id" GT "$1" \
	" AND (CASE WHEN p.state" NE STATE("pending") \
	" OR p.timeout_at" GT "$2 THEN p.state" \
	" WHEN p.timer THEN " STATE("resolved") \
	" ELSE " STATE("rejected_timedout") " END)" \
	EQ "ANY ($3::resonate.promise_state[])" \
	" AND ($4 IS NULL OR p.tags OPERATOR(pg_catalog.@>) $4)"

/* External or internal ones, and a range of deadlines, as promises_due_idx has them. */
#define PENDING_PART(external, from, until) \
	"p.state" EQ STATE("pending") " AND p.external" EQ "ANY (" external ")" \
	" AND p.timeout_at" GE from " AND p.timeout_at" LE until

/* By the index on tags, which does not have those that find nothing. */
#define IS_TAGGED(tags) \
	"p.tags OPERATOR(pg_catalog.@>) " tags " AND p.tags" NE \
	"'{\"resonate:external\": \"true\"}'::pg_catalog.jsonb"

const RsnQueryDef rsn_queries[] = {
	[RSN_QUERY_LOCK_DUE] = {
		"SELECT " RSN_PROMISE_WITHOUT_PAYLOAD
		" FROM resonate.promises p"
		" WHERE p.state" EQ STATE("pending") " AND p.external" EQ "$4"
		" AND p.timeout_at" GE "$5 AND p.timeout_at" LE "$1"
		" AND p.id" NE "ALL ($3)"
		" ORDER BY p.external, p.timeout_at LIMIT $2"
		" FOR NO KEY UPDATE SKIP LOCKED",
		SPI_OK_SELECT, PLAN_ONCE, 5,
		{INT8OID, INT8OID, TEXTARRAYOID, BOOLOID, INT8OID}
	},
	[RSN_QUERY_DUE_IDS] = {
		"SELECT p.id, p.timeout_at FROM resonate.promises p"
		" WHERE p.state" EQ STATE("pending") " AND p.external" EQ "$5"
		" AND p.timeout_at" GE "$4 AND p.timeout_at" LE "$1"
		" AND p.id" NE "ALL ($3)"
		" ORDER BY p.external, p.timeout_at LIMIT $2",
		SPI_OK_SELECT, PLAN_ONCE, 5,
		{INT8OID, INT8OID, TEXTARRAYOID, INT8OID, BOOLOID}
	},

	[RSN_QUERY_DUE_LEASE_IDS] = {
		"SELECT t.id, t.clock_at FROM resonate.tasks t"
		" WHERE t.state" EQ TASK_STATE("acquired")
		" AND t.clock_at" GE "$4 AND t.clock_at" LE "$1"
		" AND " ALIVE_AT("$1") " AND t.id" NE "ALL ($3)"
		" ORDER BY t.clock_at LIMIT $2",
		SPI_OK_SELECT, PLAN_ONCE, 4, {INT8OID, INT8OID, TEXTARRAYOID, INT8OID}
	},
	[RSN_QUERY_DUE_SCHEDULE_IDS] = {
		"SELECT s.id, s.next_run_at FROM resonate.schedules s"
		" WHERE s.next_run_at" GE "$4 AND s.next_run_at" LE "$1"
		" AND s.id" NE "ALL ($3)"
		" ORDER BY s.next_run_at LIMIT $2",
		SPI_OK_SELECT, PLAN_ONCE, 4, {INT8OID, INT8OID, TEXTARRAYOID, INT8OID}
	},
	[RSN_QUERY_DUE_OFFER_IDS] = {
		"SELECT t.id, t.clock_at FROM resonate.tasks t WHERE " IS_NOTIFY_TASK
		" AND t.clock_at" GE "$4 AND t.clock_at" LE "$1"
		" AND " ALIVE_AT("$1") " AND t.id" NE "ALL ($3) LIMIT $2",
		SPI_OK_SELECT, PLAN_ONCE, 4, {INT8OID, INT8OID, TEXTARRAYOID, INT8OID}
	},
	[RSN_QUERY_DUE_MESSAGE_IDS] = {
		"SELECT m.promise_id, m.due_at FROM resonate.messages m"
		" WHERE m." IS_NOTIFY("address")
		" AND m.due_at" GE "$4 AND m.due_at" LE "$1"
		" AND m.promise_id" NE "ALL ($3) ORDER BY m.due_at LIMIT $2",
		SPI_OK_SELECT, PLAN_ONCE, 4, {INT8OID, INT8OID, TEXTARRAYOID, INT8OID}
	},

	/*
	 * One ordered walk for each stored state that is wanted, cut at the
	 * limit, and the rows that have lapsed, which the index on deadlines
	 * finds: timers if $1, the others if $2.  The walk has those too if $11,
	 * where it makes no difference what they are.
	 */
	[RSN_QUERY_SEARCH] = {
		"SELECT f.* FROM (SELECT w.*"
		" FROM pg_catalog.unnest($3::resonate.promise_state[]) AS s (state)"
		" CROSS JOIN LATERAL (SELECT " RSN_PROMISE_COLUMNS
		" FROM resonate.promises p"
		" WHERE p.state" EQ "s.state"
		" AND ($11 OR p.state" NE STATE("pending")
		" OR p.timeout_at OPERATOR(pg_catalog.>) $4)"
		SEARCH_FILTER ") AS w"
		" UNION ALL (SELECT " RSN_PROMISE_COLUMNS
		" FROM (SELECT p.*, p.ctid FROM resonate.promises p"
		" WHERE ($1 OR $2) AND p.state" EQ STATE("pending")
		" AND p.external" EQ "ANY ($12)"
		" AND p.timeout_at" LE "$4 OFFSET 0) AS p"
		" WHERE CASE WHEN p.timer THEN $1 ELSE $2 END"
		SEARCH_FILTER ")) AS f"
		" ORDER BY f.created_at DESC, f.id DESC LIMIT $10",
		SPI_OK_SELECT, PLAN_EACH, 12,
		{BOOLOID, BOOLOID, TEXTARRAYOID, INT8OID, TEXTOID, JSONBOID,
		JSONBOID, INT8OID, TEXTOID, INT8OID, BOOLOID, BOOLARRAYOID}
	},

	/* In order of ids: see store/search.c. */
	[RSN_QUERY_PASS_IDS] = {
		"SELECT p.id FROM resonate.promises p WHERE p.id" GT "$1"
		" ORDER BY p.id OFFSET $2 LIMIT 1",
		SPI_OK_SELECT, PLAN_ONCE, 2, {TEXTOID, INT8OID}
	},
	[RSN_QUERY_PASS_TASK_IDS] = {
		"SELECT t.id FROM resonate.tasks t WHERE t.id" GT "$1"
		" ORDER BY t.id OFFSET $2 LIMIT 1",
		SPI_OK_SELECT, PLAN_ONCE, 2, {TEXTOID, INT8OID}
	},
	[RSN_QUERY_SEARCH_WALK] = {
		"SELECT " RSN_PROMISE_COLUMNS " FROM resonate.promises p"
		" WHERE " ID_SEARCH_FILTER " AND p.id" LE "$6"
		" ORDER BY p.id LIMIT $5",
		SPI_OK_SELECT, PLAN_ONCE, 6,
		{TEXTOID, INT8OID, TEXTARRAYOID, JSONBOID, INT8OID, TEXTOID}
	},
	[RSN_QUERY_COUNT_IN_STATE] = {
		"SELECT (SELECT pg_catalog.count(*) FROM (SELECT FROM resonate.promises p"
		" WHERE p.state" EQ "$1::resonate.promise_state LIMIT $5) AS s)"
		" OPERATOR(pg_catalog.+)"
		" (SELECT pg_catalog.count(*) FROM (SELECT FROM resonate.promises p"
		" WHERE " PENDING_PART("$2", "$3", "$4") " LIMIT $5) AS s)",
		SPI_OK_SELECT, PLAN_ONCE, 5,
		{TEXTOID, BOOLARRAYOID, INT8OID, INT8OID, INT8OID}
	},
	[RSN_QUERY_SEARCH_IN_STATE] = {
		"SELECT " RSN_PROMISE_COLUMNS " FROM ((SELECT p.*, p.ctid"
		" FROM resonate.promises p"
		" WHERE p.state" EQ "$6::resonate.promise_state OFFSET 0)"
		" UNION ALL (SELECT p.*, p.ctid FROM resonate.promises p"
		" WHERE " PENDING_PART("$7", "$8", "$9") " OFFSET 0)) AS p"
		" WHERE " ID_SEARCH_FILTER " ORDER BY p.id LIMIT $5",
		SPI_OK_SELECT, PLAN_ONCE, 9,
		{TEXTOID, INT8OID, TEXTARRAYOID, JSONBOID, INT8OID, TEXTOID,
		BOOLARRAYOID, INT8OID, INT8OID}
	},
	[RSN_QUERY_COUNT_TAGGED] = {
		"SELECT pg_catalog.count(*) FROM (SELECT FROM resonate.promises p"
		" WHERE " IS_TAGGED("$1") " LIMIT $2) AS s",
		SPI_OK_SELECT, PLAN_ONCE, 2, {JSONBOID, INT8OID}, false, true
	},
	[RSN_QUERY_SEARCH_TAGGED] = {
		"SELECT " RSN_PROMISE_COLUMNS " FROM (SELECT p.*, p.ctid"
		" FROM resonate.promises p WHERE " IS_TAGGED("$4") " OFFSET 0) AS p"
		" WHERE " ID_SEARCH_FILTER " ORDER BY p.id LIMIT $5",
		SPI_OK_SELECT, PLAN_ONCE, 5,
		{TEXTOID, INT8OID, TEXTARRAYOID, JSONBOID, INT8OID}, false, true
	},
	[RSN_QUERY_NEXT_DEADLINE] = {
		"SELECT p.timeout_at FROM resonate.promises p"
		" WHERE p.state" EQ STATE("pending") " AND p.external"
		" AND p.timeout_at" GE "$2 AND p.id" NE "ALL ($1)"
		" ORDER BY p.external, p.timeout_at LIMIT 1",
		SPI_OK_SELECT, PLAN_ONCE, 2, {TEXTARRAYOID, INT8OID}
	},

	/*
	 * Of the range of history after ($4, $5) and up to ($6, $7).  A settled
	 * promise can have callbacks left by a restore.  They turn into messages
	 * without changing the promise, and every snapshot sees the one or the
	 * other.  Messages do not hold a promise, nor does what its task has
	 * awaited: they go with it, unless somebody has locked them.
	 */
	[RSN_QUERY_LOCK_PRUNABLE] = {
		"SELECT p.id, p.created_at FROM resonate.promises p"
		" WHERE p.state" EQ "$1::resonate.promise_state"
		" AND ROW(p.created_at, " HIDDEN_ID ") OPERATOR(pg_catalog.>) ROW($4, $5)"
		" AND ROW(p.created_at, " HIDDEN_ID ")" LE "ROW($6, $7)"
		" AND p.settled_at" LE "$2"
		" AND NOT " IS_CROWDED("messages", "promise_id")
		" AND NOT " IS_CROWDED("awaiters", "awaiter_id")
		" AND NOT EXISTS (SELECT FROM resonate.messages m"
		" WHERE m.promise_id" EQ "p.id"
		" AND (m." IS_NOTIFY("address") " OR " IS_TAKEN("messages", "m") "))"
		" AND NOT EXISTS (SELECT FROM resonate.callbacks c"
		" WHERE c.promise_id" EQ "p.id)"
		" AND NOT EXISTS (SELECT FROM resonate.awaiters a"
		" WHERE a.awaited_id" EQ "p.id)"
		" AND NOT EXISTS (SELECT FROM resonate.awaiters a"
		" WHERE a.awaiter_id" EQ "p.id AND " IS_TAKEN("awaiters", "a") ")"
		" AND NOT EXISTS (SELECT FROM resonate.promises r"
		" WHERE r.id" EQ "(p.tags OPERATOR(pg_catalog.->>) 'resonate:origin')"
		" AND r.settled_at IS NULL"
		" AND (r.external OR r.timeout_at OPERATOR(pg_catalog.>) $2))"
		" ORDER BY p.created_at, " HIDDEN_ID
		" LIMIT $3 FOR UPDATE SKIP LOCKED",
		SPI_OK_SELECT, PLAN_ONCE, 7,
		{TEXTOID, INT8OID, INT8OID, INT8OID, TEXTOID, INT8OID, TEXTOID}
	},
	[RSN_QUERY_DELETE_HELD] = {
		"WITH a AS (DELETE FROM resonate.awaiters w"
		" WHERE w.awaiter_id" EQ "ANY ($1))"
		" DELETE FROM resonate.messages m WHERE m.promise_id" EQ "ANY ($1)",
		SPI_OK_DELETE, PLAN_ONCE, 1, {TEXTARRAYOID}
	},

	/* Of the same range, a promise that goes bit by bit. */
	[RSN_QUERY_LONG_HELD] = {
		"SELECT p.id FROM resonate.promises p"
		" WHERE p.state" EQ "$1::resonate.promise_state"
		" AND ROW(p.created_at, " HIDDEN_ID ") OPERATOR(pg_catalog.>) ROW($3, $4)"
		" AND ROW(p.created_at, " HIDDEN_ID ")" LE "ROW($5, $6)"
		" AND p.settled_at" LE "$2"
		" AND NOT EXISTS (SELECT FROM resonate.callbacks c"
		" WHERE c.promise_id" EQ "p.id)"
		" AND NOT EXISTS (SELECT FROM resonate.awaiters a"
		" WHERE a.awaited_id" EQ "p.id)"
		" AND (" IS_CROWDED("messages", "promise_id")
		" OR " IS_CROWDED("awaiters", "awaiter_id") ")"
		" ORDER BY p.created_at, " HIDDEN_ID " LIMIT 1",
		SPI_OK_SELECT, PLAN_ONCE, 6,
		{TEXTOID, INT8OID, INT8OID, TEXTOID, INT8OID, TEXTOID}
	},
	[RSN_QUERY_TRIM_MESSAGES] = {
		"DELETE FROM resonate.messages d"
		" WHERE d.ctid" EQ "ANY (ARRAY(SELECT m.ctid FROM resonate.messages m"
		" WHERE m.promise_id" EQ "$1 AND m." NOT_NOTIFY("address")
		" LIMIT $2 FOR UPDATE SKIP LOCKED))",
		SPI_OK_DELETE, PLAN_ONCE, 2, {TEXTOID, INT8OID}
	},
	[RSN_QUERY_TRIM_AWAITERS] = {
		"DELETE FROM resonate.awaiters d"
		" WHERE d.ctid" EQ "ANY (ARRAY(SELECT a.ctid FROM resonate.awaiters a"
		" WHERE a.awaiter_id" EQ "$1 LIMIT $2 FOR UPDATE SKIP LOCKED))",
		SPI_OK_DELETE, PLAN_ONCE, 2, {TEXTOID, INT8OID}
	},
	[RSN_QUERY_DELETE_PROMISES] = {
		"DELETE FROM resonate.promises WHERE id" EQ "ANY ($1)",
		SPI_OK_DELETE, PLAN_ONCE, 1, {TEXTARRAYOID}
	},
	[RSN_QUERY_COUNT_STATES] = {
		"SELECT p.state::pg_catalog.text, pg_catalog.count(*)"
		" FROM resonate.promises p GROUP BY p.state",
		SPI_OK_SELECT, PLAN_EACH, 0, {0},
		.reads_only = true
	},
	[RSN_QUERY_COUNT_REST] = {
		"SELECT pg_catalog.count(*), pg_catalog.min(p.timeout_at),"
		" (SELECT pg_catalog.count(*) FROM resonate.callbacks),"
		" (SELECT pg_catalog.count(*) FROM resonate.messages),"
		" (SELECT pg_catalog.count(*) FROM resonate.schedules),"
		" (SELECT pg_catalog.count(*) FROM resonate.tasks t"
		" WHERE t.state" EQ TASK_STATE("pending") "),"
		" (SELECT pg_catalog.count(*) FROM resonate.tasks t"
		" WHERE t.state" EQ TASK_STATE("acquired") "),"
		" (SELECT pg_catalog.count(*) FROM resonate.tasks t"
		" WHERE t.state" EQ TASK_STATE("suspended") "),"
		" (SELECT pg_catalog.count(*) FROM resonate.tasks t"
		" WHERE t.state" EQ TASK_STATE("halted") ")"
		" FROM resonate.promises p"
		" WHERE p.state" EQ STATE("pending") " AND p.external"
		" AND p.timeout_at" LE "$1",
		SPI_OK_SELECT, PLAN_EACH, 1, {INT8OID},
		.reads_only = true
	},
	[RSN_QUERY_INSERT_CALLBACK] = {
		"INSERT INTO resonate.callbacks"
		" (created_at, kind, promise_id, callback_id, address)"
		" VALUES ($1, " KIND("$2") ", $3, $4, $5)"
		" ON CONFLICT (promise_id, kind, callback_id) DO NOTHING",
		SPI_OK_INSERT, PLAN_ONCE, 5,
		{INT8OID, BOOLOID, TEXTOID, TEXTOID, TEXTOID}
	},
	[RSN_QUERY_FIND_CALLBACK] = {
		"SELECT FROM resonate.callbacks c WHERE c.promise_id" EQ "$2"
		" AND c.kind" EQ KIND("$1") " AND c.callback_id" EQ "$3",
		SPI_OK_SELECT, PLAN_ONCE, 3, {BOOLOID, TEXTOID, TEXTOID}
	},

	/*
	 * One statement, so that a callback is deleted exactly if its message is
	 * written.
	 */
	[RSN_QUERY_FIRE] = {
		"WITH fired AS (DELETE FROM resonate.callbacks c"
		" WHERE c.promise_id" EQ "ANY ($1)"
		" RETURNING c.kind, c.promise_id, c.callback_id, c.address)"
		" INSERT INTO resonate.messages"
		" (created_at, due_at, attempt, kind, promise_id, callback_id, address)"
		" SELECT $2, $2, 0, f.kind, f.promise_id, f.callback_id, f.address"
		" FROM fired f",
		SPI_OK_INSERT, PLAN_ONCE, 2, {TEXTARRAYOID, INT8OID}, true
	},

	/*
	 * Those who wait, for whatever, after a place and up to a last promise;
	 * and whether they wait for what is settled, but for what is set aside.
	 */
	[RSN_QUERY_LEFT_CALLBACKS] = {
		"SELECT c.promise_id, c.kind" EQ LISTENER ", c.callback_id, c.ctid,"
		" " IS_SETTLED("c.promise_id") " AND c.promise_id" NE "ALL ($6),"
		" c.address"
		" FROM resonate.callbacks c"
		" WHERE ROW(c.promise_id, c.kind, c.callback_id)" GT
		"ROW($1, " KIND("$2") ", $3) AND c.promise_id" LE "$4"
		" ORDER BY c.promise_id, c.kind, c.callback_id LIMIT $5",
		SPI_OK_SELECT, PLAN_ONCE, 6,
		{TEXTOID, BOOLOID, TEXTOID, TEXTOID, INT8OID, TEXTARRAYOID}
	},
	[RSN_QUERY_LEFT_AWAITERS] = {
		"SELECT a.awaited_id, $2, a.awaiter_id, a.ctid,"
		" " IS_SETTLED("a.awaited_id") " AND a.awaited_id" NE "ALL ($6)"
		" AND " IS_AWAITER_COMPLETE ", NULL::pg_catalog.text"
		" FROM resonate.awaiters a"
		" WHERE ROW(a.awaited_id, a.awaiter_id)" GT "ROW($1, $3)"
		" AND a.awaited_id" LE "$4"
		" ORDER BY a.awaited_id, a.awaiter_id LIMIT $5",
		SPI_OK_SELECT, PLAN_ONCE, 6,
		{TEXTOID, BOOLOID, TEXTOID, TEXTOID, INT8OID, TEXTARRAYOID}
	},
	[RSN_QUERY_FIRE_LEFT] = {
		"WITH fired AS (DELETE FROM resonate.callbacks c"
		" WHERE c.ctid" EQ "ANY (ARRAY(SELECT l.ctid FROM resonate.callbacks l"
		" WHERE l.ctid" EQ "ANY ($1) FOR UPDATE SKIP LOCKED))"
		" RETURNING c.kind, c.promise_id, c.callback_id, c.address)"
		" INSERT INTO resonate.messages"
		" (created_at, due_at, attempt, kind, promise_id, callback_id, address)"
		" SELECT $2, $2, 0, f.kind, f.promise_id, f.callback_id, f.address"
		" FROM fired f",
		SPI_OK_INSERT, PLAN_ONCE, 2, {TIDARRAYOID, INT8OID}
	},
	[RSN_QUERY_TAKE_LEFT_AWAITERS] = {
		"DELETE FROM resonate.awaiters a"
		" WHERE a.ctid" EQ "ANY (ARRAY(SELECT l.ctid FROM resonate.awaiters l"
		" WHERE l.ctid" EQ "ANY ($1) FOR UPDATE SKIP LOCKED))"
		" RETURNING a.awaiter_id",
		SPI_OK_DELETE_RETURNING, PLAN_ONCE, 1, {TIDARRAYOID}
	},
	[RSN_QUERY_LOCK_NOTIFICATIONS] = {
		"SELECT " MESSAGE_COLUMNS ", " RSN_PROMISE_WITHOUT_PAYLOAD
		" FROM resonate.messages m"
		PROMISE_OF_MESSAGE
		" WHERE m." IS_NOTIFY("address") " AND m.due_at" LE "$1"
		" AND m.promise_id" NE "ALL ($3)"
		" ORDER BY m.due_at LIMIT $2 FOR UPDATE OF m SKIP LOCKED",
		SPI_OK_SELECT, PLAN_ONCE, 3, {INT8OID, INT8OID, TEXTARRAYOID}
	},
	[RSN_QUERY_LOCK_NOTIFICATIONS_OF] = {
		"SELECT " MESSAGE_COLUMNS ", " RSN_PROMISE_WITHOUT_PAYLOAD
		" FROM resonate.messages m"
		PROMISE_OF_MESSAGE
		" WHERE m.promise_id" EQ "$3 AND m." IS_NOTIFY("address")
		" AND m.due_at" LE "$1 LIMIT $2 FOR UPDATE OF m SKIP LOCKED",
		SPI_OK_SELECT, PLAN_ONCE, 3, {INT8OID, INT8OID, TEXTOID}
	},
	[RSN_QUERY_POSTPONE_MESSAGE] = {
		"UPDATE resonate.messages"
		" SET due_at = $4, received_at = $5,"
		" attempt = attempt OPERATOR(pg_catalog.+) 1"
		" WHERE kind" EQ KIND("$1")
		" AND promise_id" EQ "$2 AND callback_id" EQ "$3",
		SPI_OK_UPDATE, PLAN_ONCE, 5,
		{BOOLOID, TEXTOID, TEXTOID, INT8OID, INT8OID}
	},
	[RSN_QUERY_NEXT_NOTIFICATION] = {
		"SELECT m.due_at FROM resonate.messages m"
		" WHERE m." IS_NOTIFY("address") " AND m.due_at" GE "$2"
		" AND m.promise_id" NE "ALL ($1) ORDER BY m.due_at LIMIT 1",
		SPI_OK_SELECT, PLAN_ONCE, 2, {TEXTARRAYOID, INT8OID}
	},
	[RSN_QUERY_LOCK_MESSAGES] = {
		"WITH m AS (SELECT t.*, t.ctid FROM resonate.messages t"
		" WHERE t.address" EQ "$1 AND t." NOT_NOTIFY("address")
		" AND t.due_at" LE "$2"
		" ORDER BY t.due_at LIMIT $3 FOR UPDATE SKIP LOCKED)"
		" SELECT " MESSAGE_COLUMNS ", " RSN_PROMISE_COLUMNS
		" FROM m" PROMISE_OF_MESSAGE
		" ORDER BY m.created_at, m.promise_id, m.callback_id",
		SPI_OK_SELECT, PLAN_ONCE, 3, {TEXTOID, INT8OID, INT8OID}
	},
	[RSN_QUERY_HIDE_MESSAGES] = {
		"UPDATE resonate.messages m"
		" SET due_at = $2, received_at = $3,"
		" attempt = m.attempt OPERATOR(pg_catalog.+) 1"
		" WHERE m.ctid" EQ "ANY ($1)",
		SPI_OK_UPDATE, PLAN_ONCE, 3, {TIDARRAYOID, INT8OID, INT8OID}
	},
	[RSN_QUERY_LOCK_LISTENER_MESSAGES] = {
		"SELECT " MESSAGE_COLUMNS ", " RSN_PROMISE_COLUMNS
		" FROM resonate.messages m"
		PROMISE_OF_MESSAGE
		" WHERE m.address" EQ "$1 AND m." NOT_NOTIFY("address")
		" AND m.kind" EQ KIND("true") " AND m.due_at" LE "$2"
		" ORDER BY m.due_at LIMIT $3 FOR UPDATE OF m SKIP LOCKED",
		SPI_OK_SELECT, PLAN_ONCE, 3, {TEXTOID, INT8OID, INT8OID}
	},
	[RSN_QUERY_ACKNOWLEDGE] = {
		"DELETE FROM resonate.messages"
		" WHERE kind" EQ KIND("$1")
		" AND promise_id" EQ "$2 AND callback_id" EQ "$3"
		" AND " NOT_NOTIFY("address"),
		SPI_OK_DELETE, PLAN_ONCE, 3, {BOOLOID, TEXTOID, TEXTOID}
	},
	[RSN_QUERY_EXPIRE_MESSAGES] = {
		"DELETE FROM resonate.messages d"
		" WHERE d.ctid" EQ "ANY (ARRAY(SELECT m.ctid FROM resonate.messages m"
		" WHERE m." NOT_NOTIFY("address") " AND " IS_DELIVERED EQ "$1"
		" AND m.due_at" LE "$2"
		" ORDER BY " IS_DELIVERED ", m.due_at LIMIT $3 FOR UPDATE SKIP LOCKED))"
		" RETURNING d.kind" EQ LISTENER,
		SPI_OK_DELETE_RETURNING, PLAN_ONCE, 3, {BOOLOID, INT8OID, INT8OID}
	},
	[RSN_QUERY_PREPARED] = {
		"SELECT FROM pg_catalog.pg_prepared_xacts x"
		" WHERE x.database" EQ "pg_catalog.current_database()",
		SPI_OK_SELECT, PLAN_ONCE, 0, {0},
		.reads_only = true
	},

	/* Tasks. */


	/*
	 * All that a settlement of promises touches, and perhaps one more, in one
	 * go and in byte order.
	 */
	[RSN_QUERY_LOCK_TASKS_AND_AWAITERS] = {
		"SELECT " TASK_COLUMNS " FROM resonate.tasks t"
		" WHERE t.id" EQ "ANY (ARRAY(SELECT a.awaiter_id"
		" FROM resonate.awaiters a WHERE a.awaited_id" EQ "ANY ($1))"
		" OPERATOR(pg_catalog.||) $2)"
		" ORDER BY t.id FOR NO KEY UPDATE",
		SPI_OK_SELECT, PLAN_ONCE, 2, {TEXTARRAYOID, TEXTARRAYOID}
	},
	[RSN_QUERY_LOCK_TASKS_OF_PID] = {
		"SELECT " TASK_COLUMNS " FROM resonate.tasks t"
		" WHERE t.id" EQ "ANY (ARRAY(SELECT h.id FROM resonate.tasks h"
		" WHERE h.state" EQ TASK_STATE("acquired")
		" AND h.clock_at IS NOT NULL AND h.pid" EQ "$1))"
		" AND t.pid" EQ "$1"
		" ORDER BY t.id FOR NO KEY UPDATE",
		SPI_OK_SELECT, PLAN_ONCE, 1, {TEXTOID}
	},
	[RSN_QUERY_LOCK_ENDED_LEASES] = {
		"SELECT " TASK_COLUMNS " FROM resonate.tasks t"
		" WHERE t.state" EQ TASK_STATE("acquired")
		" AND t.clock_at" GE "$4 AND t.clock_at" LE "$1"
		" AND " ALIVE_AT("$1") " AND t.id" NE "ALL ($3)"
		" ORDER BY t.clock_at LIMIT $2 FOR NO KEY UPDATE SKIP LOCKED",
		SPI_OK_SELECT, PLAN_ONCE, 4, {INT8OID, INT8OID, TEXTARRAYOID, INT8OID}
	},
	[RSN_QUERY_DUE_TASKS] = {
		"SELECT t.ctid, t.clock_at FROM resonate.tasks t"
		" WHERE t.state" EQ TASK_STATE("pending") " AND t.address" EQ "$1"
		" AND t.clock_at" LE "$2 AND " ALIVE_AT("$2")
		" ORDER BY t.clock_at LIMIT $3",
		SPI_OK_SELECT, PLAN_ONCE, 3, {TEXTOID, INT8OID, INT8OID}
	},

	/*
	 * Among the $3 that wait longest, those that $4 has not given back; who
	 * is not known may have given back any, unless others have not wanted it
	 * since $5.
	 */
	[RSN_QUERY_TASKS_FOR_OTHERS] = {
		"SELECT o.ctid FROM (SELECT t.ctid, t.given_back_by, t.others_at"
		" FROM resonate.tasks t"
		" WHERE t.others_address" EQ "$1 AND t.others_at" LE "$2"
		" AND " ALIVE_AT("$2")
		" ORDER BY t.others_at LIMIT $3) AS o"
		" WHERE o.given_back_by IS NULL OR $4" NE "ALL (o.given_back_by)"
		" OR ($4 IS NULL AND o.others_at" LE "$5)",
		SPI_OK_SELECT, PLAN_ONCE, 5,
		{TEXTOID, INT8OID, INT8OID, TEXTOID, INT8OID}
	},

	/*
	 * What has become due from an instant on, by the clock, for whoever it
	 * is.
	 */
	[RSN_QUERY_OFFERS_SINCE] = {
		"SELECT t.address, t.clock_at, t.ctid FROM resonate.tasks t"
		" WHERE t.state" EQ TASK_STATE("pending") " AND t.clock_at" GE "$1"
		" AND t.clock_at" LE "$2 ORDER BY t.clock_at LIMIT $3",
		SPI_OK_SELECT, PLAN_ONCE, 3, {INT8OID, INT8OID, INT8OID}
	},
	[RSN_QUERY_OTHERS_SINCE] = {
		"SELECT t.others_address, t.others_at, t.ctid FROM resonate.tasks t"
		" WHERE t.others_at" GE "$1 AND t.others_at" LE "$2"
		" ORDER BY t.others_at LIMIT $3",
		SPI_OK_SELECT, PLAN_ONCE, 3, {INT8OID, INT8OID, INT8OID}
	},
	[RSN_QUERY_MESSAGES_SINCE] = {
		"SELECT m.address, m.due_at, m.ctid FROM resonate.messages m"
		" WHERE m." NOT_NOTIFY("address") " AND " IS_DELIVERED EQ "$4"
		" AND m.due_at" GE "$1 AND m.due_at" LE "$2"
		" ORDER BY " IS_DELIVERED ", m.due_at LIMIT $3",
		SPI_OK_SELECT, PLAN_ONCE, 4, {INT8OID, INT8OID, INT8OID, BOOLOID}
	},
	[RSN_QUERY_DELETE_STALE_TASKS] = {
		"DELETE FROM resonate.tasks d"
		" WHERE d.ctid" EQ "ANY (ARRAY(SELECT t.ctid FROM resonate.tasks t"
		" CROSS JOIN LATERAL (SELECT p.state FROM resonate.promises p"
		" WHERE p.id" EQ "t.id OFFSET 0) AS p"
		" WHERE " IN_RANGE("t.id", "$2", "$3")
		" AND p.state" NE STATE("pending")
		" LIMIT $1 FOR UPDATE OF t SKIP LOCKED))",
		SPI_OK_DELETE, PLAN_ONCE, 3, {INT8OID, TEXTOID, TEXTOID}
	},

	/*
	 * In order of ids, after $4 and up to $7: if $3 live tasks in state $1
	 * (NULL: any), and if $2 fulfilled ones, which are read off their
	 * promises.
	 */
	[RSN_QUERY_SEARCH_TASKS] = {
		"SELECT * FROM ((SELECT " TASK_COLUMNS " FROM resonate.tasks t"
		" WHERE $3 AND " IN_RANGE("t.id", "$4", "$7") " AND " ALIVE_AT("$5")
		" AND ($1 IS NULL OR t.state" EQ "$1::resonate.task_state)"
		" ORDER BY t.id LIMIT $6)"
		" UNION ALL (SELECT NULL::pg_catalog.int8, t.timeout_at,"
		" NULL::pg_catalog.int8, t.version, 0, 0, NULL::resonate.task_state,"
		" t.id, t.address, NULL::pg_catalog.text, " NO_OFFERS ", t.ctid"
		" FROM resonate.tasks t"
		" WHERE $2 AND " IN_RANGE("t.id", "$4", "$7")
		" AND t.timeout_at" LE "$5 ORDER BY t.id LIMIT $6)"
		" UNION ALL (SELECT NULL::pg_catalog.int8, p.timeout_at,"
		" NULL::pg_catalog.int8, p.task_version, 0, 0,"
		" NULL::resonate.task_state, p.id, '', NULL::pg_catalog.text,"
		" " NO_OFFERS ", p.ctid FROM resonate.promises p"
		" WHERE $2 AND " IN_RANGE("p.id", "$4", "$7")
		" AND p.task_version IS NOT NULL ORDER BY p.id LIMIT $6)) AS f"
		" ORDER BY f.id LIMIT $6",
		SPI_OK_SELECT, PLAN_ONCE, 7,
		{TEXTOID, BOOLOID, BOOLOID, TEXTOID, INT8OID, INT8OID, TEXTOID}
	},
	[RSN_QUERY_NEXT_LEASE] = {
		"SELECT t.clock_at FROM resonate.tasks t"
		" WHERE t.state" EQ TASK_STATE("acquired")
		" AND t.clock_at" GE "$2 AND t.id" NE "ALL ($1)"
		" ORDER BY t.clock_at LIMIT 1",
		SPI_OK_SELECT, PLAN_ONCE, 2, {TEXTARRAYOID, INT8OID}
	},

	/*
	 * With those that will not be offered, because their promises end before:
	 * to pass over any number of them would cost more than to find that none
	 * is due.
	 */
	[RSN_QUERY_NEXT_OFFER] = {
		"SELECT t.clock_at FROM resonate.tasks t"
		" WHERE t.state" EQ TASK_STATE("pending") " AND t.clock_at" GT "$1"
		" ORDER BY t.clock_at LIMIT 1",
		SPI_OK_SELECT, PLAN_ONCE, 1, {INT8OID}
	},
	[RSN_QUERY_NEXT_OTHERS] = {
		"SELECT t.others_at FROM resonate.tasks t"
		" WHERE t.others_at" GT "$1 ORDER BY t.others_at LIMIT 1",
		SPI_OK_SELECT, PLAN_ONCE, 1, {INT8OID}
	},
	[RSN_QUERY_COUNT_QUEUES] = {
		"SELECT q.address, pg_catalog.sum(q.tasks)::pg_catalog.int8,"
		" pg_catalog.sum(q.due)::pg_catalog.int8, pg_catalog.min(q.due_since),"
		" pg_catalog.sum(q.offered)::pg_catalog.int8,"
		" pg_catalog.sum(q.messages)::pg_catalog.int8,"
		" pg_catalog.min(q.messages_since)"
		" FROM (SELECT t.address, pg_catalog.count(*) AS tasks,"
		" pg_catalog.count(*) FILTER (WHERE t.clock_at" LE "$1) AS due,"
		" pg_catalog.min(t.clock_at) FILTER (WHERE t.clock_at" LE "$1)"
		" AS due_since, pg_catalog.count(*) FILTER (WHERE t.offers" GT "0)"
		" AS offered, 0::pg_catalog.int8 AS messages,"
		" NULL::pg_catalog.int8 AS messages_since FROM resonate.tasks t"
		" WHERE t.state" EQ TASK_STATE("pending") " AND " ALIVE_AT("$1")
		" GROUP BY t.address UNION ALL SELECT m.address, 0, 0, NULL, 0,"
		" pg_catalog.count(*), pg_catalog.min(m.created_at)"
		" FROM resonate.messages m GROUP BY m.address) AS q"
		" GROUP BY q.address ORDER BY LEAST(pg_catalog.min(q.due_since),"
		" pg_catalog.min(q.messages_since)), q.address LIMIT $2",
		SPI_OK_SELECT, PLAN_EACH, 2, {INT8OID, INT8OID},
		.reads_only = true
	},
	[RSN_QUERY_TASK_ADDRESSES] = {
		NEXT_ADDRESSES("tasks", "address", "t.state" EQ TASK_STATE("pending"),
					   "clock_at", " AND " ALIVE_AT("$1")),
		SPI_OK_SELECT, PLAN_ONCE, 3, {INT8OID, TEXTOID, INT8OID}
	},
	[RSN_QUERY_OTHERS_ADDRESSES] = {
		NEXT_ADDRESSES("tasks", "others_address", "t.others_at IS NOT NULL",
					   "others_at", " AND " ALIVE_AT("$1")),
		SPI_OK_SELECT, PLAN_ONCE, 3, {INT8OID, TEXTOID, INT8OID}
	},
	[RSN_QUERY_MESSAGE_ADDRESSES] = {
		NEXT_ADDRESSES("messages", "address", "t." NOT_NOTIFY("address"),
					   "due_at", ""),
		SPI_OK_SELECT, PLAN_ONCE, 3, {INT8OID, TEXTOID, INT8OID}
	},
	[RSN_QUERY_INSERT_AWAITER] = {
		"INSERT INTO resonate.awaiters (awaited_id, awaiter_id)"
		" VALUES ($1, $2) ON CONFLICT (awaited_id, awaiter_id) DO NOTHING",
		SPI_OK_INSERT, PLAN_ONCE, 2, {TEXTOID, TEXTOID}
	},
	[RSN_QUERY_FIND_AWAITER] = {
		"SELECT FROM resonate.awaiters a WHERE a.awaited_id" EQ "$1"
		" AND a.awaiter_id" EQ "$2",
		SPI_OK_SELECT, PLAN_ONCE, 2, {TEXTOID, TEXTOID}
	},
	[RSN_QUERY_AWAITERS] = {
		"SELECT a.awaited_id, a.awaiter_id FROM resonate.awaiters a"
		" WHERE a.awaited_id" EQ "ANY ($1)",
		SPI_OK_SELECT, PLAN_ONCE, 1, {TEXTARRAYOID}, true
	},
	[RSN_QUERY_TAKE_AWAITERS] = {
		"DELETE FROM resonate.awaiters a WHERE a.awaited_id" EQ "ANY ($1)"
		" AND a.awaiter_id" NE "ALL ($2)"
		" AND " IS_AWAITER_COMPLETE " RETURNING a.awaiter_id",
		SPI_OK_DELETE_RETURNING, PLAN_ONCE, 2, {TEXTARRAYOID, TEXTARRAYOID}, true
	},
	[RSN_QUERY_TRY_LOCK_PROMISES] = {
		"SELECT " RSN_PROMISE_COLUMNS " FROM resonate.promises p"
		" WHERE p.id" EQ "ANY ($1) FOR NO KEY UPDATE SKIP LOCKED",
		SPI_OK_SELECT, PLAN_ONCE, 1, {TEXTARRAYOID}
	},

	/* What follows from the writes of others; see store/foreign.c. */

	[RSN_QUERY_DELETE_ALL_OF] = {
		"WITH t AS (DELETE FROM resonate.tasks d WHERE d.id" EQ "$1),"
		" c AS (DELETE FROM resonate.callbacks d WHERE d.promise_id" EQ "$1),"
		" a AS (DELETE FROM resonate.awaiters d WHERE d.awaited_id" EQ "$1),"
		" w AS (DELETE FROM resonate.awaiters d WHERE d.awaiter_id" EQ "$1)"
		" DELETE FROM resonate.messages d WHERE d.promise_id" EQ "$1",
		SPI_OK_DELETE, PLAN_ONCE, 1, {TEXTOID}, true
	},
	[RSN_QUERY_DELETE_ALL_BUT_PROMISES] = {
		"WITH t AS (DELETE FROM resonate.tasks),"
		" c AS (DELETE FROM resonate.callbacks),"
		" a AS (DELETE FROM resonate.awaiters)"
		" DELETE FROM resonate.messages",
		SPI_OK_DELETE, PLAN_EACH, 0, {0}, true
	},
	[RSN_QUERY_WITHOUT_TASK] = {
		"SELECT p.id FROM resonate.promises p"
		" WHERE p.state" EQ STATE("pending") " AND p.external AND p.targeted"
		" AND NOT EXISTS (SELECT FROM resonate.tasks t WHERE t.id" EQ "p.id)"
		" LIMIT 1",
		SPI_OK_SELECT, PLAN_EACH, 0, {0}, true
	},
	[RSN_QUERY_IS_AWAITING] = {
		"SELECT FROM resonate.awaiters a WHERE a.awaiter_id" EQ "$1 LIMIT 1",
		SPI_OK_SELECT, PLAN_ONCE, 1, {TEXTOID}
	},
	[RSN_QUERY_LOCK_STRANDED_TASKS] = {
		"SELECT " TASK_COLUMNS " FROM resonate.tasks t"
		" WHERE t.state" EQ TASK_STATE("suspended")
		" AND NOT EXISTS (SELECT FROM resonate.awaiters a"
		" WHERE a.awaiter_id" EQ "t.id)"
		" ORDER BY t.id FOR NO KEY UPDATE",
		SPI_OK_SELECT, PLAN_EACH, 0, {0}
	},

	/* What was set by a clock that was ahead; see store/clock_ahead.c. */

	[RSN_QUERY_LOCK_TASKS_AHEAD] = {
		"SELECT " TASK_COLUMNS " FROM resonate.tasks t"
		" WHERE t.ctid" EQ "ANY (ARRAY(SELECT l.ctid FROM resonate.tasks l"
		" WHERE l.state" EQ TASK_STATE("acquired") " AND l.clock_at" GT "$1"
		" AND l.clock_at OPERATOR(pg_catalog.-) $1" GT "l.ttl"
		" AND l.clock_at" LE "$4"
		" ORDER BY l.clock_at DESC LIMIT $3)"
		" OPERATOR(pg_catalog.||) ARRAY(SELECT o.ctid FROM resonate.tasks o"
		" WHERE o.state" EQ TASK_STATE("pending")
		" AND o.clock_at" GT "$2 AND o.clock_at" LE "$4"
		" AND (o.version" GT "0 OR o.offers" GT "0)"
		" ORDER BY o.clock_at DESC LIMIT $3)"
		" OPERATOR(pg_catalog.||) ARRAY(SELECT b.ctid"
		" FROM resonate.promises p CROSS JOIN LATERAL (SELECT t.*, t.ctid"
		" FROM resonate.tasks t WHERE t.id" EQ "p.id OFFSET 0) AS b"
		" WHERE p.state" EQ STATE("pending") " AND p.created_at" GT "$2"
		" AND p.created_at" LE "$4 AND b.state" EQ TASK_STATE("pending")
		" AND b.clock_at" EQ "p.created_at"
		" ORDER BY p.created_at DESC LIMIT $3)) FOR NO KEY UPDATE SKIP LOCKED",
		SPI_OK_SELECT, PLAN_ONCE, 4, {INT8OID, INT8OID, INT8OID, INT8OID}
	},
	[RSN_QUERY_SET_MESSAGES_RIGHT] = {
		"UPDATE resonate.messages u SET due_at = $2"
		" WHERE u.ctid" EQ "ANY (ARRAY(SELECT m.ctid FROM resonate.messages m"
		" WHERE m." NOT_NOTIFY("address") " AND " IS_DELIVERED EQ "$5"
		" AND " IS_MESSAGE_AHEAD
		" ORDER BY " IS_DELIVERED ", m.due_at LIMIT $3 FOR UPDATE SKIP LOCKED)"
		" OPERATOR(pg_catalog.||) ARRAY(SELECT m.ctid FROM resonate.messages m"
		" WHERE m." IS_NOTIFY("address") " AND " IS_MESSAGE_AHEAD
		" ORDER BY m.due_at LIMIT $3 FOR UPDATE SKIP LOCKED))",
		SPI_OK_UPDATE, PLAN_ONCE, 5,
		{INT8OID, INT8OID, INT8OID, INT8OID, BOOLOID}
	},

	[RSN_QUERY_LOCK_SCHEDULES_AHEAD] = {
		"SELECT " SCHEDULE_WITHOUT_PAYLOAD ", NULL::pg_catalog.jsonb,"
		" NULL::pg_catalog.bytea, NULL::pg_catalog.text"
		" FROM resonate.schedules s"
		" WHERE " SCHEDULE_CLOCK GT "$1 AND " SCHEDULE_CLOCK LE "$2"
		" ORDER BY " SCHEDULE_CLOCK " LIMIT $3 FOR NO KEY UPDATE SKIP LOCKED",
		SPI_OK_SELECT, PLAN_ONCE, 3, {INT8OID, INT8OID, INT8OID}
	},

	/* Schedules. */

	[RSN_QUERY_INSERT_SCHEDULE] = {
		"INSERT INTO resonate.schedules (created_at, next_run_at, next_civil,"
		" promise_timeout, catch_up, id, cron, time_zone, promise_id,"
		" promise_tags, param_headers, param_data, param_text)"
		" VALUES ($1, $2, $3, $4, $5::resonate.catch_up, $6, $7, $8, $9, $10,"
		" $11, $12, $13) ON CONFLICT (id) DO NOTHING",
		SPI_OK_INSERT, PLAN_ONCE, 13,
		{INT8OID, INT8OID, INT8OID, INT8OID, TEXTOID, TEXTOID, TEXTOID, TEXTOID,
		TEXTOID, JSONBOID, JSONBOID, BYTEAOID, TEXTOID}
	},
	[RSN_QUERY_READ_SCHEDULE] = {
		"SELECT " SCHEDULE_COLUMNS " FROM resonate.schedules s"
		" WHERE s.id" EQ "$1",
		SPI_OK_SELECT, PLAN_ONCE, 1, {TEXTOID}
	},
	[RSN_QUERY_LOCK_SCHEDULE] = {
		"SELECT " SCHEDULE_COLUMNS " FROM resonate.schedules s"
		" WHERE s.id" EQ "$1 FOR NO KEY UPDATE SKIP LOCKED",
		SPI_OK_SELECT, PLAN_ONCE, 1, {TEXTOID}
	},
	[RSN_QUERY_LOCK_DUE_SCHEDULES] = {
		"SELECT s.next_run_at, s.id FROM resonate.schedules s"
		" WHERE s.next_run_at" LE "$1 AND s.id" NE "ALL ($3)"
		" ORDER BY s.next_run_at, s.id LIMIT $2"
		" FOR NO KEY UPDATE SKIP LOCKED",
		SPI_OK_SELECT, PLAN_ONCE, 3, {INT8OID, INT8OID, TEXTARRAYOID}
	},
	[RSN_QUERY_LOCK_NEWEST_SCHEDULES] = {
		"SELECT s.next_run_at, s.id FROM resonate.schedules s"
		" WHERE s.next_run_at" LE "$1 AND s.id" NE "ALL ($3)"
		" AND ROW(s.next_run_at, s.id) OPERATOR(pg_catalog.>) ROW($4, $5)"
		" ORDER BY s.next_run_at DESC, s.id DESC LIMIT $2"
		" FOR NO KEY UPDATE SKIP LOCKED",
		SPI_OK_SELECT, PLAN_ONCE, 5,
		{INT8OID, INT8OID, TEXTARRAYOID, INT8OID, TEXTOID}
	},
	[RSN_QUERY_LIST_SCHEDULES] = {
		"SELECT " SCHEDULE_WITHOUT_PAYLOAD ", NULL::pg_catalog.jsonb,"
		" NULL::pg_catalog.bytea, NULL::pg_catalog.text"
		" FROM resonate.schedules s"
		" WHERE s.id OPERATOR(pg_catalog.>) $1 ORDER BY s.id LIMIT $2",
		SPI_OK_SELECT, PLAN_ONCE, 2, {TEXTOID, INT8OID}
	},
	[RSN_QUERY_UPDATE_SCHEDULE] = {
		"UPDATE resonate.schedules SET next_run_at = $2, last_run_at = $3,"
		" next_civil = $4, fired = $5, missed = $6, last_missed_at = $7,"
		" created_at = $8 WHERE id" EQ "$1",
		SPI_OK_UPDATE, PLAN_ONCE, 8,
		{TEXTOID, INT8OID, INT8OID, INT8OID, INT8OID, INT8OID, INT8OID, INT8OID}
	},
	[RSN_QUERY_DELETE_SCHEDULE] = {
		"DELETE FROM resonate.schedules WHERE id" EQ "$1",
		SPI_OK_DELETE, PLAN_ONCE, 1, {TEXTOID}
	},
	[RSN_QUERY_SEARCH_SCHEDULES] = {
		"SELECT " SCHEDULE_COLUMNS " FROM resonate.schedules s"
		" WHERE s.id OPERATOR(pg_catalog.>) $2"
		" AND ($1 IS NULL OR s.promise_tags OPERATOR(pg_catalog.@>) $1)"
		" ORDER BY s.id LIMIT $3",
		SPI_OK_SELECT, PLAN_EACH, 3, {JSONBOID, TEXTOID, INT8OID}
	},
	[RSN_QUERY_NEXT_SCHEDULE] = {
		"SELECT s.next_run_at FROM resonate.schedules s"
		" WHERE s.next_run_at" GE "$2 AND s.id" NE "ALL ($1)"
		" ORDER BY s.next_run_at LIMIT 1",
		SPI_OK_SELECT, PLAN_ONCE, 2, {TEXTARRAYOID, INT8OID}
	},

	/* Tests. */

	[RSN_QUERY_DEBUG_RESET] = {
		"WITH p AS (DELETE FROM resonate.promises),"
		" c AS (DELETE FROM resonate.callbacks),"
		" m AS (DELETE FROM resonate.messages),"
		" t AS (DELETE FROM resonate.tasks),"
		" a AS (DELETE FROM resonate.awaiters)"
		" DELETE FROM resonate.schedules",
		SPI_OK_DELETE, PLAN_EACH, 0, {0}
	},
	[RSN_QUERY_DEBUG_MESSAGES] = {
		"SELECT " MESSAGE_COLUMNS ", " RSN_PROMISE_COLUMNS
		" FROM resonate.messages m"
		PROMISE_OF_MESSAGE
		" WHERE m.kind" EQ KIND("true")
		" ORDER BY m.promise_id, m.callback_id",
		SPI_OK_SELECT, PLAN_EACH, 0, {0},
		.reads_only = true
	},
	[RSN_QUERY_DEBUG_REST] = {
		"SELECT pg_catalog.jsonb_build_object("
		"'promiseTimeouts', (SELECT COALESCE(pg_catalog.jsonb_agg("
		"pg_catalog.jsonb_build_object('id', p.id, 'timeout', p.timeout_at)"
		" ORDER BY p.id), '[]') FROM resonate.promises p"
		" WHERE p.external AND p.state" EQ STATE("pending") "),"
		" 'callbacks', (SELECT COALESCE(pg_catalog.jsonb_agg("
		"pg_catalog.jsonb_build_object('awaiter', a.awaiter_id,"
		" 'awaited', a.awaited_id) ORDER BY a.awaited_id, a.awaiter_id), '[]')"
		" FROM resonate.awaiters a),"
		" 'listeners', (SELECT COALESCE(pg_catalog.jsonb_agg("
		"pg_catalog.jsonb_build_object('id', c.promise_id,"
		" 'address', c.address) ORDER BY c.promise_id, c.callback_id), '[]')"
		" FROM resonate.callbacks c WHERE c.kind" EQ KIND("true") "),"
		" 'taskTimeouts', (SELECT COALESCE(pg_catalog.jsonb_agg("
		"pg_catalog.jsonb_build_object('id', t.id, 'type',"
		" CASE WHEN t.state" EQ TASK_STATE("acquired") " THEN 1 ELSE 0 END,"
		" 'timeout', t.clock_at) ORDER BY t.id), '[]')"
		" FROM resonate.tasks t WHERE t.clock_at IS NOT NULL))",
		SPI_OK_SELECT, PLAN_EACH, 0, {0},
		.reads_only = true
	},
};

StaticAssertDecl(lengthof(rsn_queries) == RSN_NQUERIES,
				 "every query has its statement");
