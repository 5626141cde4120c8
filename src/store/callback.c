/*-------------------------------------------------------------------------
 *
 * store/callback.c
 *	  Those who wait for a promise at an address, until it settles.
 *
 * A callback is there while its promise is pending.  It is added and taken with the promise
 * locked, and deleted in the statement or the transaction that makes it a message or sends
 * it.  So it is either there, or a message, or sent.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/xact.h"

#include "core/address.h"
#include "server/id.h"
#include "store/internal.h"
#include "store/sql.h"

/* How many callbacks of a promise are taken one by one. */
#define FIRE_FEW_MAX 4

static RsnStatement find_callback_stmt = {
	.name = "find_callback",
	.sql = "SELECT FROM resonate.callbacks c WHERE c.promise_id" EQ "$2"
	" AND c.kind" EQ KIND("$1") " AND c.callback_id" EQ "$3",
	.spi_result = SPI_OK_SELECT,
	.cursor_options = PLAN_ONCE,
	ARGS(BOOLOID, TEXTOID, TEXTOID)
};

/* True when the promise has a callback of that id. */
static bool
has_callback(const RsnCallbackRow *row)
{
	RsnArgs		args = {0};

	rsn_args_add_kind(&args, row->kind);
	rsn_args_add_text(&args, row->promise_id);
	rsn_args_add_text(&args, row->callback_id);
	return rsn_store_exec(&find_callback_stmt, &args) == 1;
}

static RsnStatement insert_callback_stmt = {
	.name = "insert_callback",
	.sql = "INSERT INTO resonate.callbacks"
	" (created_at, kind, promise_id, callback_id, address)"
	" VALUES ($1, " KIND("$2") ", $3, $4, $5)"
	" ON CONFLICT (promise_id, kind, callback_id) DO NOTHING",
	.spi_result = SPI_OK_INSERT,
	.cursor_options = PLAN_ONCE,
	ARGS(INT8OID, BOOLOID, TEXTOID, TEXTOID, TEXTOID)
};

/* Records a callback; false when the promise has one of that id already. */
bool
rsn_store_insert_callback(const RsnCallbackRow *row)
{
	RsnArgs		args = {0};

	Assert(row->kind != RSN_CALLBACK_LISTENER ||
		   rsn_id_equals(row->callback_id, row->address));
	rsn_args_add(&args, Int64GetDatum(row->created_at_ms));
	rsn_args_add_kind(&args, row->kind);
	rsn_args_add_text(&args, row->promise_id);
	rsn_args_add_text(&args, row->callback_id);
	rsn_args_add_text(&args, row->address);
	if (rsn_store_exec(&insert_callback_stmt, &args) == 1)
		return true;

	/* The promise is locked, so nobody else can have taken it away. */
	if (!has_callback(row))
		rsn_store_refuse_left_out("callbacks");
	return false;
}

/* False when a locked promise has no callback; true when it may have one. */
bool
rsn_store_may_have_callbacks(text *promise_id)
{
	return rsn_table_may_have(RSN_TABLE_CALLBACKS, promise_id);
}

static bool
is_notify(Datum address)
{
	text	   *value = DatumGetTextPP(address);

	return rsn_address_is_notify(VARDATA_ANY(value), VARSIZE_ANY_EXHDR(value));
}

typedef struct NotificationList
{
	ItemPointerData *tids;
	int			n;
	int			limit;
} NotificationList;

static bool
add_notification(const RsnTuple *callback, void *arg)
{
	NotificationList *list = arg;

	Assert(list->n <= list->limit);
	if (list->n == list->limit ||
		!is_notify(callback->values[RSN_CALLBACK_COL_ADDRESS]))
		return false;
	list->tids[list->n++] = *callback->tid;
	return true;
}

/*
 * Where the callbacks of a promise are that nobody else can settle, and how many.
 * False when there are more than the limit, or some that are not to a notify://
 * address.
 */
bool
rsn_store_list_notifications(text *promise_id, int limit,
							 ItemPointerData *tids, int *n)
{
	NotificationList list = {.tids = tids,.limit = limit};

	if (!rsn_table_visit(RSN_TABLE_CALLBACKS, promise_id, add_notification,
						 &list))
		return false;
	*n = list.n;
	return true;
}

/*
 * The callback of a promise that is at that place or, if a command has rewritten
 * the table, some callback of it; false when it has none any more.
 */
static bool
find_notification(const ItemPointerData *tid, text *promise_id,
				  RsnTuple *callback)
{
	if (rsn_table_fetch(RSN_TABLE_CALLBACKS, tid, callback) &&
		rsn_id_compare(promise_id,
					   DatumGetTextPP(callback->values[RSN_CALLBACK_COL_PROMISE_ID])) == 0)
		return true;
	return rsn_table_find(RSN_TABLE_CALLBACKS, promise_id, callback);
}

/*
 * Deletes a callback of a settled promise, for who sends it, and describes the
 * message that it is, without the promise.  False when somebody else has done so.
 */
bool
rsn_store_take_notification(const ItemPointerData *tid, text *promise_id,
							RsnMessageRow *row)
{
	RsnTuple	callback;
	ItemPointerData found;

	Assert(ItemPointerIsValid(tid));
	memset(row, 0, sizeof(RsnMessageRow));
	if (!find_notification(tid, promise_id, &callback))
		return false;
	found = *callback.tid;
	row->kind = RSN_CALLBACK_NAMED;
	row->promise_id = promise_id;
	row->callback_id = rsn_store_keep(callback.values[RSN_CALLBACK_COL_ID], false);
	row->address = rsn_store_keep(callback.values[RSN_CALLBACK_COL_ADDRESS], false);
	return rsn_table_try_delete(RSN_TABLE_CALLBACKS, &found);
}

/* Inserts the message that a callback becomes. */
static void
insert_message(const RsnTuple *callback, int64 now_ms)
{
	RsnNewTuple message = {0};

	rsn_tuple_set(&message, RSN_MESSAGE_COL_CREATED_AT, Int64GetDatum(now_ms), false);
	rsn_tuple_set(&message, RSN_MESSAGE_COL_DUE_AT, Int64GetDatum(now_ms), false);
	rsn_tuple_set(&message, RSN_MESSAGE_COL_RECEIVED_AT, (Datum) 0, true);
	rsn_tuple_set(&message, RSN_MESSAGE_COL_ATTEMPT, Int32GetDatum(0), false);
	rsn_tuple_set(&message, RSN_MESSAGE_COL_KIND, callback->values[RSN_CALLBACK_COL_KIND],
				  false);
	rsn_tuple_set(&message, RSN_MESSAGE_COL_PROMISE_ID,
				  callback->values[RSN_CALLBACK_COL_PROMISE_ID], false);
	rsn_tuple_set(&message, RSN_MESSAGE_COL_CALLBACK_ID, callback->values[RSN_CALLBACK_COL_ID],
				  false);
	rsn_tuple_set(&message, RSN_MESSAGE_COL_ADDRESS, callback->values[RSN_CALLBACK_COL_ADDRESS],
				  false);
	(void) rsn_table_insert(RSN_TABLE_MESSAGES, &message, false);
}

/*
 * The same as fire_stmt for the first few callbacks of a promise, since most
 * have one; true when there are none left.  Each look has to step over those that
 * were taken, so it is not for many.
 */
static bool
fire_few(text *promise_id, int64 now_ms, RsnNoteAddress note)
{
	RsnTuple	callback;

	for (int i = 0; i < FIRE_FEW_MAX; i++)
	{
		ItemPointerData tid;

		if (!rsn_table_find(RSN_TABLE_CALLBACKS, promise_id, &callback))
			return true;
		tid = *callback.tid;
		note(DatumGetTextPP(callback.values[RSN_CALLBACK_COL_ADDRESS]));
		insert_message(&callback, now_ms);
		rsn_table_delete(RSN_TABLE_CALLBACKS, &tid);
	}
	return false;
}

static RsnStatement fire_stmt = {
	.name = "fire",
	.sql = FIRE_CALLBACKS("c.promise_id" EQ "ANY ($1)"),
	.spi_result = SPI_OK_INSERT,
	.cursor_options = PLAN_ONCE,
	ARGS(TEXTARRAYOID, INT8OID),
	.must_see_all = true
};

/* Turns the callbacks of promises into messages; says which, zero for none. */
int
rsn_store_fire_callbacks(text *const *promise_ids, int n, int64 now_ms)
{
	RsnArgs		args = {0};

	Assert(n > 0);
	rsn_args_add_texts(&args, promise_ids, n);
	rsn_args_add(&args, Int64GetDatum(now_ms));
	return rsn_store_exec(&fire_stmt, &args) > 0
		? RSN_FIRED_NOTIFY | RSN_FIRED_OTHER : 0;
}

/*
 * The same for a promise that is locked, so that nobody else takes its callbacks.
 * The addresses of the first few are told, and those of the others not.  With a
 * snapshot of the transaction, only a statement that must see all rows tells whether
 * it does.
 */
int
rsn_store_fire_locked(text *promise_id, int64 now_ms, RsnNoteAddress note)
{
	if (!IsolationUsesXactSnapshot() && fire_few(promise_id, now_ms, note))
		return 0;
	return rsn_store_fire_callbacks(&promise_id, 1, now_ms);
}
