/*-------------------------------------------------------------------------
 *
 * store/message.c
 *	  Messages: what callbacks have become, to be received or sent.
 *
 * The worker sends a message to a notify:// address.  All others are dequeued at their
 * address, and hidden from then on until they are received again or acknowledged.  A
 * message outlives its promise: what is read of that can be missing.  What is received,
 * sent or expires is locked first, and what others have locked is passed over.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "store/internal.h"
#include "store/sql.h"

/* Columns before those of the promise in a row that describes a message. */
#define MESSAGE_NCOLUMNS 8

StaticAssertDecl(MESSAGE_NCOLUMNS + RSN_COL_CTID < RSN_STORE_MAX_COLUMNS,
				 "the widest row of a statement has room");

/* The messages of the last statement, in its order, with their promises. */
static RsnMessageRow *
messages_from_result(uint64 n)
{
	RsnMessageRow *rows = rsn_store_alloc(Max(n, 1) * sizeof(RsnMessageRow));

	Assert(SPI_tuptable->tupdesc->natts ==
		   MESSAGE_NCOLUMNS + RSN_COL_CTID + 1);
	for (uint64 i = 0; i < n; i++)
	{
		HeapTuple	tuple = SPI_tuptable->vals[i];
		TupleDesc	desc = SPI_tuptable->tupdesc;
		RsnMessageRow *row = &rows[i];
		bool		is_null;

		row->kind = DatumGetBool(SPI_getbinval(tuple, desc, 1, &is_null))
			? RSN_CALLBACK_LISTENER : RSN_CALLBACK_NAMED;
		row->promise_id = rsn_store_get_text(tuple, 2);
		row->callback_id = rsn_store_get_text(tuple, 3);
		row->address = rsn_store_get_text(tuple, 4);
		row->attempt = rsn_store_get_int32(tuple, 5, 0);
		row->due_at_ms = rsn_store_get_int64(tuple, 6, 0);
		row->tid = *(ItemPointer) DatumGetPointer(SPI_getbinval(tuple, desc, 7,
																&is_null));
		row->has_promise = DatumGetBool(SPI_getbinval(tuple, desc,
													  MESSAGE_NCOLUMNS,
													  &is_null));
		if (row->has_promise)
			rsn_store_row_from_tuple(tuple, MESSAGE_NCOLUMNS, &row->promise);
	}
	return rows;
}

static RsnStatement lock_notifications_stmt = {
	.name = "lock_notifications",
	.sql = "SELECT " MESSAGE_COLUMNS ", " PROMISE_WITHOUT_PAYLOAD
	" FROM resonate.messages m"
	PROMISE_OF_MESSAGE
	" WHERE m." IS_NOTIFY("address") " AND m.due_at" LE "$1"
	" AND m.promise_id" NE "ALL ($3)"
	" ORDER BY m.due_at LIMIT $2 FOR UPDATE OF m SKIP LOCKED",
	.spi_result = SPI_OK_SELECT,
	.cursor_options = PLAN_ONCE,
	ARGS(INT8OID, INT8OID, TEXTARRAYOID)
};

/*
 * Locks messages to notify:// addresses that are due, oldest first, but for those of
 * promises that are set aside; without the payload of their promises.
 */
int
rsn_store_lock_notifications(int64 now_ms, int limit, text *const *set_aside,
							 int nset_aside, RsnMessageRow **rows)
{
	RsnArgs		args = {0};
	uint64		count;

	rsn_args_add_due(&args, now_ms, limit, set_aside, nset_aside);
	count = rsn_store_exec(&lock_notifications_stmt, &args);
	*rows = messages_from_result(count);
	return (int) count;
}

static RsnStatement lock_notifications_of_stmt = {
	.name = "lock_notifications_of",
	.sql = "SELECT " MESSAGE_COLUMNS ", " PROMISE_WITHOUT_PAYLOAD
	" FROM resonate.messages m"
	PROMISE_OF_MESSAGE
	" WHERE m.promise_id" EQ "$3 AND m." IS_NOTIFY("address")
	" AND m.due_at" LE "$1 LIMIT $2 FOR UPDATE OF m SKIP LOCKED",
	.spi_result = SPI_OK_SELECT,
	.cursor_options = PLAN_ONCE,
	ARGS(INT8OID, INT8OID, TEXTOID)
};

/* The same for one promise, in no order. */
int
rsn_store_lock_notifications_of(text *promise_id, int64 now_ms, int limit,
								RsnMessageRow **rows)
{
	RsnArgs		args = {0};
	uint64		count;

	rsn_args_add(&args, Int64GetDatum(now_ms));
	rsn_args_add(&args, Int64GetDatum(limit));
	rsn_args_add_text(&args, promise_id);
	count = rsn_store_exec(&lock_notifications_of_stmt, &args);
	*rows = messages_from_result(count);
	return (int) count;
}

/* Deletes a locked message for good. */
void
rsn_store_delete_message(const RsnMessageRow *row)
{
	Assert(ItemPointerIsValid(&row->tid));
	rsn_table_delete(RSN_TABLE_MESSAGES, &row->tid);
}

static RsnStatement postpone_message_stmt = {
	.name = "postpone_message",
	.sql = "UPDATE resonate.messages"
	" SET due_at = $4, received_at = $5,"
	" attempt = attempt OPERATOR(pg_catalog.+) 1"
	" WHERE kind" EQ KIND("$1")
	" AND promise_id" EQ "$2 AND callback_id" EQ "$3",
	.spi_result = SPI_OK_UPDATE,
	.cursor_options = PLAN_ONCE,
	ARGS(BOOLOID, TEXTOID, TEXTOID, INT8OID, INT8OID)
};

/* Has a message tried again at due_at, and counts the attempt that was made now. */
void
rsn_store_postpone_message(const RsnMessageRow *row, int64 due_at_ms,
						   int64 now_ms)
{
	RsnArgs		args = {0};

	Assert(due_at_ms >= now_ms);
	rsn_args_add_kind(&args, row->kind);
	rsn_args_add_text(&args, row->promise_id);
	rsn_args_add_text(&args, row->callback_id);
	rsn_args_add(&args, Int64GetDatum(due_at_ms));
	rsn_args_add(&args, Int64GetDatum(now_ms));
	if (rsn_store_exec(&postpone_message_stmt, &args) != 1)
		rsn_store_refuse_left_out("messages");
}

static int
lock_at(RsnStatement *statement, text *address, int limit, int64 now_ms,
		RsnMessageRow **rows)
{
	RsnArgs		args = {0};
	uint64		count;

	rsn_args_add_text(&args, address);
	rsn_args_add(&args, Int64GetDatum(now_ms));
	rsn_args_add(&args, Int64GetDatum(limit));
	count = rsn_store_exec(statement, &args);
	*rows = messages_from_result(count);
	return (int) count;
}

static RsnStatement lock_messages_stmt = {
	.name = "lock_messages",
	.sql = "WITH m AS (SELECT t.*, t.ctid FROM resonate.messages t"
	" WHERE t.address" EQ "$1 AND t." NOT_NOTIFY("address")
	" AND t.due_at" LE "$2"
	" ORDER BY t.due_at LIMIT $3 FOR UPDATE SKIP LOCKED)"
	" SELECT " MESSAGE_COLUMNS ", " PROMISE_COLUMNS
	" FROM m" PROMISE_OF_MESSAGE
	" ORDER BY m.created_at, m.promise_id, m.callback_id",
	.spi_result = SPI_OK_SELECT,
	.cursor_options = PLAN_ONCE,
	ARGS(TEXTOID, INT8OID, INT8OID)
};

/* Locks messages of an address that are due longest; oldest first. */
int
rsn_store_lock_messages(text *address, int limit, int64 now_ms,
						RsnMessageRow **rows)
{
	return lock_at(&lock_messages_stmt, address, limit, now_ms, rows);
}

static RsnStatement hide_messages_stmt = {
	.name = "hide_messages",
	.sql = "UPDATE resonate.messages m"
	" SET due_at = $2, received_at = $3,"
	" attempt = m.attempt OPERATOR(pg_catalog.+) 1"
	" WHERE m.ctid" EQ "ANY ($1)",
	.spi_result = SPI_OK_UPDATE,
	.cursor_options = PLAN_ONCE,
	ARGS(TIDARRAYOID, INT8OID, INT8OID)
};

/* Hides locked messages until visible_at, and counts the attempt. */
void
rsn_store_hide_messages(RsnMessageRow *rows, int n, int64 now_ms,
						int64 visible_at_ms)
{
	RsnArgs		args = {0};
	Datum	   *tids = palloc(sizeof(Datum) * Max(n, 1));

	Assert(n >= 0 && visible_at_ms >= now_ms);
	for (int i = 0; i < n; i++)
	{
		rows[i].due_at_ms = visible_at_ms;
		rows[i].attempt++;
		tids[i] = PointerGetDatum(&rows[i].tid);
	}
	if (n == 0)
		return;
	rsn_args_add_tids(&args, tids, n);
	rsn_args_add(&args, Int64GetDatum(visible_at_ms));
	rsn_args_add(&args, Int64GetDatum(now_ms));
	if (rsn_store_exec(&hide_messages_stmt, &args) != (uint64) n)
		rsn_store_refuse_left_out("messages");
}

static RsnStatement lock_listener_messages_stmt = {
	.name = "lock_listener_messages",
	.sql = "SELECT " MESSAGE_COLUMNS ", " PROMISE_COLUMNS
	" FROM resonate.messages m"
	PROMISE_OF_MESSAGE
	" WHERE m.address" EQ "$1 AND m." NOT_NOTIFY("address")
	" AND m.kind" EQ KIND("true") " AND m.due_at" LE "$2"
	" ORDER BY m.due_at LIMIT $3 FOR UPDATE OF m SKIP LOCKED",
	.spi_result = SPI_OK_SELECT,
	.cursor_options = PLAN_ONCE,
	ARGS(TEXTOID, INT8OID, INT8OID)
};

/* Locks messages of an address that came from listeners, oldest first. */
int
rsn_store_lock_listener_messages(text *address, int limit, int64 now_ms,
								 RsnMessageRow **rows)
{
	return lock_at(&lock_listener_messages_stmt, address, limit, now_ms, rows);
}

static RsnStatement debug_messages_stmt = {
	.name = "debug_messages",
	.sql = "SELECT " MESSAGE_COLUMNS ", " PROMISE_COLUMNS
	" FROM resonate.messages m"
	PROMISE_OF_MESSAGE
	" WHERE m.kind" EQ KIND("true")
	" ORDER BY m.promise_id, m.callback_id",
	.spi_result = SPI_OK_SELECT,
	.cursor_options = PLAN_EACH,
	.reads_only = true
};

/* All messages that came from listeners, in order of promises; for tests. */
int
rsn_store_read_listener_messages(RsnMessageRow **rows)
{
	uint64		count = rsn_store_exec(&debug_messages_stmt, NULL);

	*rows = messages_from_result(count);
	return (int) count;
}

static RsnStatement acknowledge_stmt = {
	.name = "acknowledge",
	.sql = "DELETE FROM resonate.messages"
	" WHERE kind" EQ KIND("$1")
	" AND promise_id" EQ "$2 AND callback_id" EQ "$3"
	" AND " NOT_NOTIFY("address"),
	.spi_result = SPI_OK_DELETE,
	.cursor_options = PLAN_ONCE,
	ARGS(BOOLOID, TEXTOID, TEXTOID)
};

/* Deletes a message that was received; false when there is none. */
bool
rsn_store_acknowledge(RsnCallbackKind kind, text *promise_id,
					  text *callback_id)
{
	RsnArgs		args = {0};

	rsn_args_add_kind(&args, kind);
	rsn_args_add_text(&args, promise_id);
	rsn_args_add_text(&args, callback_id);
	return rsn_store_exec(&acknowledge_stmt, &args) > 0;
}

static RsnStatement expire_messages_stmt = {
	.name = "expire_messages",
	.sql = "DELETE FROM resonate.messages d"
	" WHERE d.ctid" EQ "ANY (ARRAY(SELECT m.ctid FROM resonate.messages m"
	" WHERE m." NOT_NOTIFY("address") " AND " IS_DELIVERED EQ "$1"
	" AND m.due_at" LE "$2"
	" ORDER BY " IS_DELIVERED ", m.due_at LIMIT $3 FOR UPDATE SKIP LOCKED))"
	" RETURNING d.kind" EQ LISTENER,
	.spi_result = SPI_OK_DELETE_RETURNING,
	.cursor_options = PLAN_ONCE,
	ARGS(BOOLOID, INT8OID, INT8OID)
};

/*
 * Deletes messages that have waited since an instant for who takes them, the longest
 * first: those that a listener has had once, or all others.  Returns how many, and
 * how many of them were of listeners.
 */
int
rsn_store_expire_messages(bool is_delivered, int64 due_by_ms, int limit,
						  int *nlisteners)
{
	RsnArgs		args = {0};
	uint64		count;

	Assert(limit >= 0);
	rsn_args_add(&args, BoolGetDatum(is_delivered));
	rsn_args_add(&args, Int64GetDatum(due_by_ms));
	rsn_args_add(&args, Int64GetDatum(limit));
	count = rsn_store_exec(&expire_messages_stmt, &args);
	*nlisteners = 0;
	for (uint64 i = 0; i < count; i++)
	{
		bool		is_null;

		if (DatumGetBool(SPI_getbinval(SPI_tuptable->vals[i],
									   SPI_tuptable->tupdesc, 1, &is_null)))
			(*nlisteners)++;
	}
	return (int) count;
}
