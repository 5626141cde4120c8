/*-------------------------------------------------------------------------
 *
 * store/message.c
 *	  The statements on callbacks and messages.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/xact.h"
#include "utils/builtins.h"

#include "core/address.h"
#include "server/clock.h"
#include "server/id.h"
#include "store/internal.h"

/* Columns before those of the promise in a row that describes a message. */
#define MESSAGE_NCOLUMNS 8

/* How many callbacks of a promise are taken one by one. */
#define FIRE_FEW_MAX 4

static void
add_kind(RsnArgs *args, RsnCallbackKind kind)
{
	rsn_args_add(args, BoolGetDatum(kind == RSN_CALLBACK_LISTENER));
}

/* True when the promise has a callback of that id. */
static bool
has_callback(const RsnCallbackRow *row)
{
	RsnArgs		args = {0};

	add_kind(&args, row->kind);
	rsn_args_add_text(&args, row->promise_id);
	rsn_args_add_text(&args, row->callback_id);
	return rsn_store_exec(RSN_QUERY_FIND_CALLBACK, &args) == 1;
}

/* Records a callback; false when the promise has one of that id already. */
bool
rsn_store_insert_callback(const RsnCallbackRow *row)
{
	RsnArgs		args = {0};

	rsn_args_add(&args, Int64GetDatum(row->created_at_ms));
	add_kind(&args, row->kind);
	rsn_args_add_text(&args, row->promise_id);
	rsn_args_add_text(&args, row->callback_id);
	rsn_args_add_text(&args, row->address);
	if (rsn_store_exec(RSN_QUERY_INSERT_CALLBACK, &args) == 1)
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

/* Columns of resonate.callbacks, in its order. */
enum
{
	CALLBACK_CREATED_AT, CALLBACK_KIND, CALLBACK_PROMISE_ID, CALLBACK_ID,
	CALLBACK_ADDRESS
};

/* Columns of resonate.messages, in its order. */
enum
{
	MESSAGE_CREATED_AT, MESSAGE_DUE_AT, MESSAGE_ATTEMPT, MESSAGE_KIND,
	MESSAGE_PROMISE_ID, MESSAGE_CALLBACK_ID, MESSAGE_ADDRESS, MESSAGE_RECEIVED_AT
};

static bool
is_notify(Datum address)
{
	text	   *value = DatumGetTextPP(address);

	return rsn_address_is_notify(VARDATA_ANY(value), VARSIZE_ANY_EXHDR(value));
}

/* Inserts the message that a callback becomes. */
static void
insert_message(const RsnTuple *callback, int64 now_ms)
{
	RsnNewTuple message = {0};

	rsn_tuple_set(&message, MESSAGE_CREATED_AT, Int64GetDatum(now_ms), false);
	rsn_tuple_set(&message, MESSAGE_DUE_AT, Int64GetDatum(now_ms), false);
	rsn_tuple_set(&message, MESSAGE_RECEIVED_AT, (Datum) 0, true);
	rsn_tuple_set(&message, MESSAGE_ATTEMPT, Int32GetDatum(0), false);
	rsn_tuple_set(&message, MESSAGE_KIND, callback->values[CALLBACK_KIND],
				  false);
	rsn_tuple_set(&message, MESSAGE_PROMISE_ID,
				  callback->values[CALLBACK_PROMISE_ID], false);
	rsn_tuple_set(&message, MESSAGE_CALLBACK_ID, callback->values[CALLBACK_ID],
				  false);
	rsn_tuple_set(&message, MESSAGE_ADDRESS, callback->values[CALLBACK_ADDRESS],
				  false);
	(void) rsn_table_insert(RSN_TABLE_MESSAGES, &message, false);
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

	if (list->n == list->limit ||
		!is_notify(callback->values[CALLBACK_ADDRESS]))
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
					   DatumGetTextPP(callback->values[CALLBACK_PROMISE_ID])) == 0)
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

	memset(row, 0, sizeof(RsnMessageRow));
	if (!find_notification(tid, promise_id, &callback))
		return false;
	found = *callback.tid;
	row->kind = RSN_CALLBACK_NAMED;
	row->promise_id = promise_id;
	row->callback_id = rsn_store_keep(callback.values[CALLBACK_ID], false);
	row->address = rsn_store_keep(callback.values[CALLBACK_ADDRESS], false);
	return rsn_table_try_delete(RSN_TABLE_CALLBACKS, &found);
}

/*
 * The same as RSN_QUERY_FIRE for the first few callbacks of a promise, since most
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
		note(DatumGetTextPP(callback.values[CALLBACK_ADDRESS]));
		insert_message(&callback, now_ms);
		rsn_table_delete(RSN_TABLE_CALLBACKS, &tid);
	}
	return false;
}

/* Turns the callbacks of promises into messages; says which, zero for none. */
int
rsn_store_fire_callbacks(text *const *promise_ids, int n, int64 now_ms)
{
	RsnArgs		args = {0};

	rsn_args_add_texts(&args, promise_ids, n);
	rsn_args_add(&args, Int64GetDatum(now_ms));
	return rsn_store_exec(RSN_QUERY_FIRE, &args) > 0
		? RSN_FIRED_NOTIFY | RSN_FIRED_OTHER : 0;
}

/*
 * The same for a promise that is locked, so that nobody else takes its callbacks.
 * The addresses of the first few are told, and those of the others not.  With a snapshot of the transaction, only a statement that must see all rows
 * tells whether it does.
 */
int
rsn_store_fire_locked(text *promise_id, int64 now_ms, RsnNoteAddress note)
{
	if (!IsolationUsesXactSnapshot() && fire_few(promise_id, now_ms, note))
		return 0;
	return rsn_store_fire_callbacks(&promise_id, 1, now_ms);
}

static RsnMessageRow *
messages_from_result(uint64 n)
{
	RsnMessageRow *rows = rsn_store_alloc(Max(n, 1) * sizeof(RsnMessageRow));

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

	rsn_args_add(&args, Int64GetDatum(now_ms));
	rsn_args_add(&args, Int64GetDatum(limit));
	rsn_args_add_texts(&args, set_aside, nset_aside);
	count = rsn_store_exec(RSN_QUERY_LOCK_NOTIFICATIONS, &args);
	*rows = messages_from_result(count);
	return (int) count;
}

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
	count = rsn_store_exec(RSN_QUERY_LOCK_NOTIFICATIONS_OF, &args);
	*rows = messages_from_result(count);
	return (int) count;
}

/* Deletes a locked message for good. */
void
rsn_store_delete_message(const RsnMessageRow *row)
{
	rsn_table_delete(RSN_TABLE_MESSAGES, &row->tid);
}

/* Has a message tried again at due_at, and counts the attempt that was made now. */
void
rsn_store_postpone_message(const RsnMessageRow *row, int64 due_at_ms,
						   int64 now_ms)
{
	RsnArgs		args = {0};

	add_kind(&args, row->kind);
	rsn_args_add_text(&args, row->promise_id);
	rsn_args_add_text(&args, row->callback_id);
	rsn_args_add(&args, Int64GetDatum(due_at_ms));
	rsn_args_add(&args, Int64GetDatum(now_ms));
	if (rsn_store_exec(RSN_QUERY_POSTPONE_MESSAGE, &args) != 1)
		rsn_store_refuse_left_out("messages");
}

/* Locks messages of an address that are due longest; oldest first. */
int
rsn_store_lock_messages(text *address, int limit, int64 now_ms,
						RsnMessageRow **rows)
{
	RsnArgs		args = {0};
	uint64		count;

	rsn_args_add_text(&args, address);
	rsn_args_add(&args, Int64GetDatum(now_ms));
	rsn_args_add(&args, Int64GetDatum(limit));
	count = rsn_store_exec(RSN_QUERY_LOCK_MESSAGES, &args);
	*rows = messages_from_result(count);
	return (int) count;
}

/* Hides locked messages until visible_at, and counts the attempt. */
void
rsn_store_hide_messages(RsnMessageRow *rows, int n, int64 now_ms,
						int64 visible_at_ms)
{
	RsnArgs		args = {0};
	Datum	   *tids = palloc(sizeof(Datum) * Max(n, 1));

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
	if (rsn_store_exec(RSN_QUERY_HIDE_MESSAGES, &args) != (uint64) n)
		rsn_store_refuse_left_out("messages");
}

/* Locks messages of an address that came from listeners, oldest first. */
int
rsn_store_lock_listener_messages(text *address, int limit, int64 now_ms,
								 RsnMessageRow **rows)
{
	RsnArgs		args = {0};
	uint64		count;

	rsn_args_add_text(&args, address);
	rsn_args_add(&args, Int64GetDatum(now_ms));
	rsn_args_add(&args, Int64GetDatum(limit));
	count = rsn_store_exec(RSN_QUERY_LOCK_LISTENER_MESSAGES, &args);
	*rows = messages_from_result(count);
	return (int) count;
}

/* All messages that came from listeners, in order of promises; for tests. */
int
rsn_store_read_listener_messages(RsnMessageRow **rows)
{
	uint64		count = rsn_store_exec(RSN_QUERY_DEBUG_MESSAGES, NULL);

	*rows = messages_from_result(count);
	return (int) count;
}

/* Deletes a message that was received; false when there is none. */
bool
rsn_store_acknowledge(RsnCallbackKind kind, text *promise_id,
					  text *callback_id)
{
	RsnArgs		args = {0};

	add_kind(&args, kind);
	rsn_args_add_text(&args, promise_id);
	rsn_args_add_text(&args, callback_id);
	return rsn_store_exec(RSN_QUERY_ACKNOWLEDGE, &args) > 0;
}

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

	rsn_args_add(&args, BoolGetDatum(is_delivered));
	rsn_args_add(&args, Int64GetDatum(due_by_ms));
	rsn_args_add(&args, Int64GetDatum(limit));
	count = rsn_store_exec(RSN_QUERY_EXPIRE_MESSAGES, &args);
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

/* True when this database has prepared transactions. */
bool
rsn_store_has_prepared_transactions(void)
{
	return rsn_store_exec(RSN_QUERY_PREPARED, NULL) > 0;
}
