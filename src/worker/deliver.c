/*-------------------------------------------------------------------------
 *
 * worker/deliver.c
 *	  Messages on their way: NOTIFY by the worker.
 *
 * A row of resonate.messages is the truth, and so is a callback of a settled
 * promise that was handed to the worker (signal/handoff.c); NOTIFY is how the worker tells
 * the sessions that listen.  The worker deletes the row and notifies in one transaction,
 * so each message is sent once, or again if that transaction fails.  No caller's
 * transaction ever notifies, because NOTIFY makes commits of the whole cluster
 * wait for each other.
 *
 * Offers of tasks are in worker/offer.c.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/xact.h"
#include "commands/async.h"
#include "utils/builtins.h"

#include "core/address.h"
#include "server/clock.h"
#include "server/guc.h"
#include "signal/wake.h"
#include "worker/deliver.h"
#include "worker/handed.h"
#include "worker/notification.h"

/* Sends one message; false when it never can be. */
static bool
notify(const RsnMessageRow *message)
{
	RsnAddress	address = rsn_address_parse(VARDATA_ANY(message->address),
											VARSIZE_ANY_EXHDR(message->address));
	RsnPromiseRow *record = NULL;
	char	   *payload;

	if (address.kind != RSN_ADDRESS_NOTIFY || !message->has_promise)
		return false;

	/*
	 * One at a time, because any number of messages can be about the same
	 * value.
	 */
	if (rsn_guc_notify_payload == RSN_NOTIFY_RECORD)
		record = rsn_store_read_promise(message->promise_id);
	payload = rsn_notification_unblock(message, record);
	rsn_store_free_promise(record);
	if (payload == NULL)
		return false;
	Async_Notify(pnstrdup(address.channel, address.channel_len), payload);
	pfree(payload);
	return true;
}

static void
report_undelivered(int level, const RsnMessageRow *row)
{
	ereport(level,
			(errcode(ERRCODE_DATA_CORRUPTED),
			 errmsg("could not deliver callback \"%s\" of promise \"%s\" to \"%s\"",
					text_to_cstring(row->callback_id),
					text_to_cstring(row->promise_id),
					text_to_cstring(row->address))));
}

/*
 * Notifies of locked messages that are due, and deletes them.  One that
 * cannot be sent is set aside, reported, and does not stop the others.
 */
static void
notify_of_messages(RsnMessageRow *rows, int n, int64 now_ms,
				   RsnDelivered *result)
{
	int64		retry_at_ms;

	for (int i = 0; i < n; i++)
	{
		Assert(rows[i].promise_id != NULL);
		if (notify(&rows[i]))
		{
			rsn_store_delete_message(&rows[i]);
			result->notified++;
			continue;
		}
		report_undelivered(WARNING, &rows[i]);
		retry_at_ms = rsn_deadline_after(now_ms, rsn_guc_retry_interval_ms);
		rsn_store_postpone_message(&rows[i], retry_at_ms, now_ms);
		rsn_wake_note_deadline(retry_at_ms);
		result->failed++;
	}
	result->processed += n;
}

static RsnDeliverScope next_scope = RSN_DELIVER_NEWS;

/* Sets what the next step delivers; the ones after it, all news. */
void
rsn_deliver_set_scope(RsnDeliverScope scope)
{
	Assert(!IsTransactionState());
	next_scope = scope;
}

/* That scope. */
RsnDeliverScope
rsn_deliver_take_scope(void)
{
	RsnDeliverScope scope = next_scope;

	next_scope = RSN_DELIVER_NEWS;
	return scope;
}

/*
 * Notifies of the callbacks that were handed over.  If this fails, nothing of it has
 * happened, and it is tried again, or they are found as rows.
 */
static void
notify_of_handed(RsnDelivered *result)
{
	RsnHandoffList list = *rsn_handed_take(RSN_HANDOFF_CALLBACK);
	RsnHandoff	handoff;
	RsnMessageRow row;
	int			position = 0;

	while (rsn_handoff_next(&list, &position, &handoff))
	{
		text	   *id = rsn_handoff_text(&handoff);

		result->processed++;
		if (!rsn_store_take_notification(&handoff.tid, id, &row))
			continue;

		/* It cannot be gone, because a promise that has callbacks is kept. */
		row.promise.core.state = handoff.state;
		row.has_promise = true;
		if (!notify(&row))
			report_undelivered(ERROR, &row);
		result->notified++;
	}
}

/* Notifies of all that was handed over, and of messages. */
RsnDelivered
rsn_deliver_messages(int64 now_ms, int limit, text *const *set_aside,
					 int nset_aside)
{
	RsnDeliverScope scope = rsn_deliver_take_scope();
	RsnDelivered result = {0};
	RsnMessageRow *rows;
	int			n;

	rsn_store_begin();
	notify_of_handed(&result);
	if (scope != RSN_DELIVER_HANDED)
	{
		n = rsn_store_lock_notifications(now_ms, limit, set_aside, nset_aside,
										 &rows);
		notify_of_messages(rows, n, now_ms, &result);
		result.has_more = n >= limit;
	}
	Assert(result.processed >= result.notified + result.failed);
	rsn_store_end();
	return result;
}

/* Notifies of the messages of one promise that are due. */
RsnDelivered
rsn_deliver_messages_of(text *promise_id, int64 now_ms)
{
	RsnDelivered result = {0};
	RsnMessageRow *rows;
	int			n;

	rsn_store_begin();
	n = rsn_store_lock_notifications_of(promise_id, now_ms,
										rsn_guc_delivery_batch_size, &rows);
	notify_of_messages(rows, n, now_ms, &result);
	rsn_store_end();
	return result;
}
