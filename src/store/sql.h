/*-------------------------------------------------------------------------
 *
 * store/sql.h
 *	  What the statements of the store are made of.
 *
 * A statement stands beside the function that runs it.  All are literals and fully
 * qualified, operators too, so neither the caller's search_path nor any argument can
 * change what they mean.  The names are short, so this is included after all that is
 * not ours.
 *
 *-------------------------------------------------------------------------
 */
#ifndef RSN_STORE_SQL_H
#define RSN_STORE_SQL_H

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

/* Of what types the arguments are that a statement takes. */
#define ARGS(...) \
	.nargs = lengthof(((Oid[]) {__VA_ARGS__})), .argtypes = {__VA_ARGS__}

#define EQ		" OPERATOR(pg_catalog.=) "
#define NE		" OPERATOR(pg_catalog.<>) "
#define LE		" OPERATOR(pg_catalog.<=) "
#define GE		" OPERATOR(pg_catalog.>=) "
#define GT		" OPERATOR(pg_catalog.>) "
#define LIKE	" OPERATOR(pg_catalog.~~) "
#define NLIKE	" OPERATOR(pg_catalog.!~~) "

#define IN_RANGE(column, after, last) \
	column " OPERATOR(pg_catalog.>) " after " AND " column LE last

/* The columns of store/columns.h, each with a comma after it. */
#define OF_P(constant, name, type) "p." #name ", "
#define OF_T(constant, name, type) "t." #name ", "
#define OF_S(constant, name, type) "s." #name ", "
#define AS_NULL(constant, name, type) "NULL::" SQL_##type ", "
#define SQL_BYTEAOID	"pg_catalog.bytea"
#define SQL_JSONBOID	"pg_catalog.jsonb"
#define SQL_TEXTOID		"pg_catalog.text"

/* Promises, as p. */

/* What rsn_store_row_from_tuple reads. */
#define PROMISE_COLUMNS	RSN_PROMISE_COLUMNS(OF_P) "p.ctid"

/*
 * The same for who only settles what is pending, and so has no value, at its
 * deadline.
 */
#define PROMISE_WITHOUT_PAYLOAD \
	RSN_PROMISE_CORE_COLUMNS(OF_P) RSN_PROMISE_PAYLOAD_COLUMNS(AS_NULL) "p.ctid"

#define STATE(x) "'" x "'::resonate.promise_state"

/* The id as promises_state_idx has it. */
#define HIDDEN_ID "(p.id OPERATOR(pg_catalog.||) '')"

/* External or internal ones, and a range of deadlines, as promises_due_idx has them. */
#define PENDING_PART(external, from, until) \
	"p.state" EQ STATE("pending") " AND p.external" EQ "ANY (" external ")" \
	" AND p.timeout_at" GE from " AND p.timeout_at" LE until

/* Callbacks and messages, as c and m. */

#define IS_NOTIFY(column)	column LIKE "'notify://%'"
#define NOT_NOTIFY(column)	column NLIKE "'notify://%'"

/* The kind of a callback or message; the argument says if it is a listener. */
#define KIND(is_listener) \
	"(CASE WHEN " is_listener " THEN 'listener' ELSE 'callback' END)" \
	"::resonate.callback_kind"

#define LISTENER "'listener'::resonate.callback_kind"

/*
 * Has the callbacks c for which the condition holds become messages that are due at $2.
 * One statement, so that a callback is deleted exactly if its message is written.
 */
#define FIRE_CALLBACKS(condition) \
	"WITH fired AS (DELETE FROM resonate.callbacks c WHERE " condition \
	" RETURNING c.kind, c.promise_id, c.callback_id, c.address)" \
	" INSERT INTO resonate.messages" \
	" (created_at, due_at, attempt, kind, promise_id, callback_id, address)" \
	" SELECT $2, $2, 0, f.kind, f.promise_id, f.callback_id, f.address" \
	" FROM fired f"

/* As messages_expiry_idx has it. */
#define IS_DELIVERED \
	"(m.kind" EQ LISTENER " AND m.attempt OPERATOR(pg_catalog.>) 0)"

/*
 * What messages_from_result of message.c reads, before the columns of the promise; the
 * last one is not NULL where there is a promise.
 */
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

/* Tasks, as t. */

#define TASK_STATE(x) "'" x "'::resonate.task_state"

/* What rsn_store_tasks_from_result reads. */
#define TASK_COLUMNS	RSN_TASK_COLUMNS(OF_T) "t.ctid"

/* The same of a task that is fulfilled, which has no state then. */
#define FULFILLED_TASK(timeout_at, version, id, address, ctid) \
	"NULL::pg_catalog.int8, " timeout_at ", NULL::pg_catalog.int8, " version \
	", 0, 0, NULL::resonate.task_state, " id ", " address \
	", NULL::pg_catalog.text, NULL::pg_catalog.int4, NULL::pg_catalog.int8," \
	" NULL::pg_catalog.text, NULL::pg_catalog.text[], " ctid

#define ALIVE_AT(now)	"t.timeout_at OPERATOR(pg_catalog.>) " now

/* Awaiters, as a. */

/*
 * False for an awaiter whose task is not there although its promise is pending:
 * somebody is restoring a dump.  Scalar sub-selects, because those are never
 * hashed.
 */
#define IS_AWAITER_COMPLETE \
	"((SELECT true FROM resonate.tasks t WHERE t.id" EQ "a.awaiter_id)" \
	" IS NOT NULL OR (SELECT p.settled_at IS NULL FROM resonate.promises p" \
	" WHERE p.id" EQ "a.awaiter_id) IS NOT TRUE)"

/* Schedules, as s. */

/* What schedule.c reads, and the place of the row, as of the others. */
#define SCHEDULE_COLUMNS \
	RSN_SCHEDULE_CORE_COLUMNS(OF_S) RSN_SCHEDULE_PARAM_COLUMNS(OF_S) "s.ctid"
#define SCHEDULE_WITHOUT_PARAM \
	RSN_SCHEDULE_CORE_COLUMNS(OF_S) RSN_SCHEDULE_PARAM_COLUMNS(AS_NULL) "s.ctid"

#endif							/* RSN_STORE_SQL_H */
