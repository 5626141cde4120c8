/*-------------------------------------------------------------------------
 *
 * store_message.c
 *	  The statements on callbacks and messages.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "utils/builtins.h"

#include "clock.h"
#include "store_plan.h"

/* Columns before those of the promise in a row that describes a message. */
#define MESSAGE_NCOLUMNS 7

static void
add_kind(RsnArgs *args, RsnCallbackKind kind)
{
	rsn_args_add(args, BoolGetDatum(kind == RSN_CALLBACK_LISTENER));
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
	return rsn_store_exec(RSN_QUERY_INSERT_CALLBACK, &args) == 1;
}

/* Turns the callbacks of locked promises into messages; true if there were any. */
bool
rsn_store_fire_callbacks(text *const *promise_ids, int n, int64 now_ms)
{
	RsnArgs		args = {0};

	rsn_args_add_texts(&args, promise_ids, n);
	rsn_args_add(&args, Int64GetDatum(now_ms));
	return rsn_store_exec(RSN_QUERY_FIRE, &args) > 0;
}

/* Settled promises that still have somebody waiting, as a restore can leave them. */
int
rsn_store_unfired_promises(int limit, text *const *set_aside, int nset_aside,
						   text ***ids)
{
	RsnArgs		args = {0};
	uint64		count;

	rsn_args_add(&args, Int64GetDatum(limit));
	rsn_args_add_texts(&args, set_aside, nset_aside);
	count = rsn_store_exec(RSN_QUERY_UNFIRED, &args);
	return rsn_store_texts_from_result(count, ids);
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
		row->has_promise = DatumGetBool(SPI_getbinval(tuple, desc,
													  MESSAGE_NCOLUMNS,
													  &is_null));
		if (row->has_promise)
			rsn_store_row_from_tuple(tuple, MESSAGE_NCOLUMNS, &row->promise);
	}
	return rows;
}

/* Locks messages to notify:// addresses that are due, oldest first. */
int
rsn_store_lock_notifications(int64 now_ms, int limit, RsnMessageRow **rows)
{
	RsnArgs		args = {0};
	uint64		count;

	rsn_args_add(&args, Int64GetDatum(now_ms));
	rsn_args_add(&args, Int64GetDatum(limit));
	count = rsn_store_exec(RSN_QUERY_LOCK_NOTIFICATIONS, &args);
	*rows = messages_from_result(count);
	return (int) count;
}

/* Deletes a message for good. */
void
rsn_store_delete_message(const RsnMessageRow *row)
{
	RsnArgs		args = {0};

	add_kind(&args, row->kind);
	rsn_args_add_text(&args, row->promise_id);
	rsn_args_add_text(&args, row->callback_id);
	rsn_store_exec(RSN_QUERY_DELETE_MESSAGE, &args);
}

/* Has a message tried again at due_at, and counts the attempt. */
void
rsn_store_postpone_message(const RsnMessageRow *row, int64 due_at_ms)
{
	RsnArgs		args = {0};

	add_kind(&args, row->kind);
	rsn_args_add_text(&args, row->promise_id);
	rsn_args_add_text(&args, row->callback_id);
	rsn_args_add(&args, Int64GetDatum(due_at_ms));
	rsn_store_exec(RSN_QUERY_POSTPONE_MESSAGE, &args);
}

/* When the next message to a notify:// address is due, or RSN_TIME_NEVER. */
int64
rsn_store_next_notification(void)
{
	if (rsn_store_exec(RSN_QUERY_NEXT_NOTIFICATION, NULL) == 0)
		return RSN_TIME_NEVER;
	return rsn_store_get_int64(SPI_tuptable->vals[0], 1, RSN_TIME_NEVER);
}

/* Takes messages of an address until visible_at, oldest first. */
int
rsn_store_receive(text *address, int limit, int64 now_ms,
				  int64 visible_at_ms, RsnMessageRow **rows)
{
	RsnArgs		args = {0};
	uint64		count;

	rsn_args_add_text(&args, address);
	rsn_args_add(&args, Int64GetDatum(now_ms));
	rsn_args_add(&args, Int64GetDatum(limit));
	rsn_args_add(&args, Int64GetDatum(visible_at_ms));
	count = rsn_store_exec(RSN_QUERY_RECEIVE, &args);
	*rows = messages_from_result(count);
	return (int) count;
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

/* True when this database has prepared transactions. */
bool
rsn_store_has_prepared_transactions(void)
{
	return rsn_store_exec(RSN_QUERY_PREPARED, NULL) > 0;
}
