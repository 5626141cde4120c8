/*-------------------------------------------------------------------------
 *
 * store/columns.h
 *	  The columns of our tables: one list each, in the order of the table.
 *
 * A list calls a macro with the constant, the name and the type of each column; a
 * type of our own is InvalidOid.  The constants, the columns that statements read
 * (store/sql.h) and those that a table must have (store/table_open.c) all come from
 * it.  So a row has the same order wherever it is from, and one function reads it,
 * which goes by the constants.
 *
 *-------------------------------------------------------------------------
 */
#ifndef RSN_STORE_COLUMNS_H
#define RSN_STORE_COLUMNS_H

#define RSN_PROMISE_CORE_COLUMNS(X) \
	X(RSN_COL_CREATED_AT, created_at, INT8OID) \
	X(RSN_COL_TIMEOUT_AT, timeout_at, INT8OID) \
	X(RSN_COL_SETTLED_AT, settled_at, INT8OID) \
	X(RSN_COL_STATE, state, InvalidOid) \
	X(RSN_COL_TIMER, timer, BOOLOID) \
	X(RSN_COL_EXTERNAL, external, BOOLOID) \
	X(RSN_COL_TARGETED, targeted, BOOLOID) \
	X(RSN_COL_TASK_VERSION, task_version, INT4OID) \
	X(RSN_COL_ID, id, TEXTOID) \
	X(RSN_COL_KEY_FOR_CREATE, idempotency_key_for_create, TEXTOID) \
	X(RSN_COL_KEY_FOR_COMPLETE, idempotency_key_for_complete, TEXTOID)

/* What can be large. */
#define RSN_PROMISE_PAYLOAD_COLUMNS(X) \
	X(RSN_COL_TAGS, tags, JSONBOID) \
	X(RSN_COL_PARAM_HEADERS, param_headers, JSONBOID) \
	X(RSN_COL_PARAM_DATA, param_data, BYTEAOID) \
	X(RSN_COL_PARAM_TEXT, param_text, TEXTOID) \
	X(RSN_COL_VALUE_HEADERS, value_headers, JSONBOID) \
	X(RSN_COL_VALUE_DATA, value_data, BYTEAOID) \
	X(RSN_COL_VALUE_TEXT, value_text, TEXTOID)

#define RSN_PROMISE_COLUMNS(X) \
	RSN_PROMISE_CORE_COLUMNS(X) \
	RSN_PROMISE_PAYLOAD_COLUMNS(X)

#define RSN_TASK_COLUMNS(X) \
	X(RSN_TASK_COL_CLOCK_AT, clock_at, INT8OID) \
	X(RSN_TASK_COL_TIMEOUT_AT, timeout_at, INT8OID) \
	X(RSN_TASK_COL_TTL, ttl, INT8OID) \
	X(RSN_TASK_COL_VERSION, version, INT4OID) \
	X(RSN_TASK_COL_RESUMES, resumes, INT4OID) \
	X(RSN_TASK_COL_SETBACKS, setbacks, INT4OID) \
	X(RSN_TASK_COL_STATE, state, InvalidOid) \
	X(RSN_TASK_COL_ID, id, TEXTOID) \
	X(RSN_TASK_COL_ADDRESS, address, TEXTOID) \
	X(RSN_TASK_COL_PID, pid, TEXTOID) \
	X(RSN_TASK_COL_OFFERS, offers, INT4OID) \
	X(RSN_TASK_COL_OTHERS_AT, others_at, INT8OID) \
	X(RSN_TASK_COL_OTHERS_ADDRESS, others_address, TEXTOID) \
	X(RSN_TASK_COL_GIVEN_BACK_BY, given_back_by, TEXTARRAYOID)

#define RSN_CALLBACK_COLUMNS(X) \
	X(RSN_CALLBACK_COL_CREATED_AT, created_at, INT8OID) \
	X(RSN_CALLBACK_COL_KIND, kind, InvalidOid) \
	X(RSN_CALLBACK_COL_PROMISE_ID, promise_id, TEXTOID) \
	X(RSN_CALLBACK_COL_ID, callback_id, TEXTOID) \
	X(RSN_CALLBACK_COL_ADDRESS, address, TEXTOID)

#define RSN_MESSAGE_COLUMNS(X) \
	X(RSN_MESSAGE_COL_CREATED_AT, created_at, INT8OID) \
	X(RSN_MESSAGE_COL_DUE_AT, due_at, INT8OID) \
	X(RSN_MESSAGE_COL_ATTEMPT, attempt, INT4OID) \
	X(RSN_MESSAGE_COL_KIND, kind, InvalidOid) \
	X(RSN_MESSAGE_COL_PROMISE_ID, promise_id, TEXTOID) \
	X(RSN_MESSAGE_COL_CALLBACK_ID, callback_id, TEXTOID) \
	X(RSN_MESSAGE_COL_ADDRESS, address, TEXTOID) \
	X(RSN_MESSAGE_COL_RECEIVED_AT, received_at, INT8OID)

#define RSN_AWAITER_COLUMNS(X) \
	X(RSN_AWAITER_COL_AWAITED_ID, awaited_id, TEXTOID) \
	X(RSN_AWAITER_COL_ID, awaiter_id, TEXTOID)

#define RSN_SCHEDULE_CORE_COLUMNS(X) \
	X(RSN_SCHEDULE_COL_CREATED_AT, created_at, INT8OID) \
	X(RSN_SCHEDULE_COL_NEXT_RUN_AT, next_run_at, INT8OID) \
	X(RSN_SCHEDULE_COL_LAST_RUN_AT, last_run_at, INT8OID) \
	X(RSN_SCHEDULE_COL_PROMISE_TIMEOUT, promise_timeout, INT8OID) \
	X(RSN_SCHEDULE_COL_FIRED, fired, INT8OID) \
	X(RSN_SCHEDULE_COL_MISSED, missed, INT8OID) \
	X(RSN_SCHEDULE_COL_LAST_MISSED_AT, last_missed_at, INT8OID) \
	X(RSN_SCHEDULE_COL_NEXT_CIVIL, next_civil, INT8OID) \
	X(RSN_SCHEDULE_COL_CATCH_UP, catch_up, InvalidOid) \
	X(RSN_SCHEDULE_COL_ID, id, TEXTOID) \
	X(RSN_SCHEDULE_COL_CRON, cron, TEXTOID) \
	X(RSN_SCHEDULE_COL_TIME_ZONE, time_zone, TEXTOID) \
	X(RSN_SCHEDULE_COL_PROMISE_ID, promise_id, TEXTOID) \
	X(RSN_SCHEDULE_COL_PROMISE_TAGS, promise_tags, JSONBOID)

/* What can be large. */
#define RSN_SCHEDULE_PARAM_COLUMNS(X) \
	X(RSN_SCHEDULE_COL_PARAM_HEADERS, param_headers, JSONBOID) \
	X(RSN_SCHEDULE_COL_PARAM_DATA, param_data, BYTEAOID) \
	X(RSN_SCHEDULE_COL_PARAM_TEXT, param_text, TEXTOID)

/* Statements add the place of the row to the columns of some tables. */

#define RSN_AS_CONSTANT(constant, name, type) constant,

typedef enum RsnPromiseColumn
{
	RSN_PROMISE_COLUMNS(RSN_AS_CONSTANT)
	RSN_COL_CTID
} RsnPromiseColumn;

typedef enum RsnTaskColumn
{
	RSN_TASK_COLUMNS(RSN_AS_CONSTANT)
	RSN_TASK_COL_CTID
} RsnTaskColumn;

typedef enum RsnCallbackColumn
{
	RSN_CALLBACK_COLUMNS(RSN_AS_CONSTANT)
} RsnCallbackColumn;

typedef enum RsnMessageColumn
{
	RSN_MESSAGE_COLUMNS(RSN_AS_CONSTANT)
} RsnMessageColumn;

typedef enum RsnAwaiterColumn
{
	RSN_AWAITER_COLUMNS(RSN_AS_CONSTANT)
} RsnAwaiterColumn;

typedef enum RsnScheduleColumn
{
	RSN_SCHEDULE_CORE_COLUMNS(RSN_AS_CONSTANT)
	RSN_SCHEDULE_PARAM_COLUMNS(RSN_AS_CONSTANT)
} RsnScheduleColumn;

#define RSN_PROMISE_NSTORED	RSN_COL_CTID

#endif							/* RSN_STORE_COLUMNS_H */
