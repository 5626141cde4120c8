/*-------------------------------------------------------------------------
 *
 * delivery.c
 *	  Messages on their way: NOTIFY, receive and acknowledge.
 *
 * A row of resonate.messages is the truth, and so is a callback of a settled
 * promise that was handed to the worker (handoff.c); NOTIFY is how the worker tells
 * whoever listens.  The worker deletes the row and notifies in one transaction,
 * so each message is sent once, or again if that transaction fails.  No caller's
 * transaction ever notifies, because NOTIFY makes commits of the whole cluster
 * wait for each other.
 *
 * Messages to other addresses stay until they are acknowledged; receiving only
 * hides one for a while.  Offers of tasks are in delivery_offer.c.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/xact.h"
#include "commands/async.h"
#include "utils/builtins.h"
#include "utils/fmgrprotos.h"
#include "utils/memutils.h"

#include "address.h"
#include "delivery.h"
#include "engine.h"
#include "guc.h"
#include "handoff.h"
#include "notification.h"
#include "payload.h"
#include "wake.h"

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

/* What this process, being the worker, was handed and has not dealt with. */
static RsnHandoffList handed[RSN_HANDOFF_NKINDS];

/* Promises for which some wait whom others work on. */
static RsnHandoffList put_by;

/* How much of it this transaction has dealt with, which holds if it commits. */
static int	ndealt[RSN_HANDOFF_NKINDS];

/* More than this is not kept for a step that fails. */
#define HANDED_MAX (256 * 1024)

/* What was handed over of a kind, all of which this transaction deals with. */
const RsnHandoffList *
rsn_delivery_take_handed(RsnHandoffKind kind)
{
	ndealt[kind] = handed[kind].len;
	return &handed[kind];
}

/* Forgets what the transaction has dealt with, which counts when it commits. */
static void
xact_callback(XactEvent event, void *arg)
{
	if (event == XACT_EVENT_COMMIT)
	{
		for (int i = 0; i < RSN_HANDOFF_NKINDS; i++)
		{
			if (ndealt[i] > 0)
				handed[i].len = 0;
		}
	}
	if (event == XACT_EVENT_COMMIT || event == XACT_EVENT_ABORT ||
		event == XACT_EVENT_PREPARE)
		memset(ndealt, 0, sizeof(ndealt));
}

/* Registers the callbacks, once for the life of the backend. */
void
rsn_delivery_init(void)
{
	RegisterXactCallback(xact_callback, NULL);
	rsn_delivery_init_offers();
}

/* Takes over what transactions have handed to the worker of this database. */
void
rsn_delivery_take(RsnSlot *slot)
{
	rsn_handoff_take(slot, handed);
}

/* True when something of a kind was handed over that waits for its step. */
bool
rsn_delivery_has(RsnHandoffKind kind)
{
	return handed[kind].len > 0;
}

/*
 * Forgets what was handed over and not dealt with, if there is too much of it, or in
 * any case; rows say the same.  True if there was anything to forget.
 */
bool
rsn_delivery_drop(RsnHandoffKind kind, bool is_all)
{
	int			len = handed[kind].len;

	if (kind == RSN_HANDOFF_LEFT)
		len += put_by.len;
	if (len == 0 || (!is_all && len <= HANDED_MAX))
		return false;
	handed[kind].len = 0;
	if (kind == RSN_HANDOFF_LEFT)
		put_by.len = 0;
	return true;
}

/* What the first of a kind is about, or NULL when there is none. */
text *
rsn_delivery_first(RsnHandoffKind kind)
{
	RsnHandoff	handoff;
	int			position = 0;

	if (!rsn_handoff_next(&handed[kind], &position, &handoff))
		return NULL;
	return rsn_handoff_text(&handoff);
}

/* Takes the first of a kind off; puts it by to come back to it, if it must be kept. */
void
rsn_delivery_pass_first(RsnHandoffKind kind, bool must_keep)
{
	RsnHandoffList *list = &handed[kind];
	RsnHandoff	handoff;
	int			len = 0;

	if (!rsn_handoff_next(list, &len, &handoff))
		return;
	if (must_keep)
		rsn_handoff_append(&put_by, TopMemoryContext, list->bytes, len);
	list->len -= len;
	memmove(list->bytes, list->bytes + len, list->len);
}

bool
rsn_delivery_has_put_by(void)
{
	return put_by.len > 0;
}

/* Puts what was put by behind what has been handed over since. */
void
rsn_delivery_take_put_by(void)
{
	if (put_by.len > 0)
		rsn_handoff_append(&handed[RSN_HANDOFF_LEFT], TopMemoryContext,
						   put_by.bytes, put_by.len);
	put_by.len = 0;
}

static RsnDeliveryScope next_scope = RSN_DELIVER_NEWS;

/* Sets what the next step delivers; the ones after it, all news. */
void
rsn_delivery_set_scope(RsnDeliveryScope scope)
{
	next_scope = scope;
}

/* That scope. */
RsnDeliveryScope
rsn_delivery_take_scope(void)
{
	RsnDeliveryScope scope = next_scope;

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
	RsnHandoffList list = *rsn_delivery_take_handed(RSN_HANDOFF_CALLBACK);
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
rsn_delivery_notify(int64 now_ms, int limit, text *const *set_aside,
					int nset_aside)
{
	RsnDeliveryScope scope = rsn_delivery_take_scope();
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
	rsn_store_end();
	return result;
}

/* Notifies of the messages of one promise that are due. */
RsnDelivered
rsn_delivery_notify_one(text *promise_id, int64 now_ms)
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

/*
 * Takes messages of an address until visible_at; answers how many.  What is too
 * much for one call is left as it is.
 */
int
rsn_delivery_receive(text *address, int limit, int64 now_ms,
					 int64 visible_at_ms, RsnMessageRow **rows)
{
	int			n;

	rsn_store_begin();
	n = rsn_store_lock_messages(address, limit, now_ms, rows);
	n = rsn_messages_that_fit(*rows, n);
	rsn_store_hide_messages(*rows, n, now_ms, visible_at_ms);
	rsn_store_end();
	return n;
}

/* Removes a message for good; false when there is none. */
bool
rsn_delivery_acknowledge(RsnCallbackKind kind, text *promise_id,
						 text *callback_id)
{
	bool		result;

	rsn_store_begin();
	result = rsn_store_acknowledge(kind, promise_id, callback_id);
	rsn_store_end();
	return result;
}

/*
 * Takes the messages of listeners at an address.  Its client cannot acknowledge,
 * so a message is hidden for a while, sent again if the client asks again after
 * that, and removed then: who dies with the first copy in his hands, and comes
 * back under his address, has the second.
 */
int
rsn_delivery_dequeue_unblock(text *address, int limit, int64 now_ms,
							 RsnMessageRow **rows)
{
	int			n;

	rsn_store_begin();
	n = rsn_store_lock_listener_messages(address, limit, now_ms, rows);
	n = rsn_messages_that_fit(*rows, n);
	for (int i = 0; i < n; i++)
	{
		RsnMessageRow *row = &(*rows)[i];

		if (row->attempt > 0 || !row->has_promise)
			rsn_store_delete_message(row);
		else
			rsn_store_postpone_message(row,
									   rsn_deadline_after(now_ms,
														  rsn_guc_visibility_timeout_ms),
									   now_ms);
	}
	rsn_store_end();
	return n;
}

/* How many of these messages expire that have waited for as long as retention says. */
static int
expire(bool is_delivered, int retention_s, int64 now_ms, int limit,
	   int *nlisteners)
{
	*nlisteners = 0;
	if (retention_s < 0 || limit == 0)
		return 0;
	return rsn_store_expire_messages(is_delivered,
									 now_ms - (int64) retention_s * 1000,
									 limit, nlisteners);
}

/*
 * Deletes at most limit messages that nobody takes; returns how many.  A client that
 * has waited for a workflow and exits leaves its listener's message for ever
 * otherwise.  Callbacks were asked for by name, so they do not go unsaid.
 */
int
rsn_delivery_expire(int64 now_ms, int limit)
{
	int			nlisteners;
	int			nforgotten;
	int			n;

	rsn_store_begin();
	n = expire(true, rsn_guc_delivered_retention_s, now_ms, limit, &nlisteners);
	nforgotten = expire(false, rsn_guc_undelivered_retention_s, now_ms,
						limit - n, &nlisteners);
	rsn_store_end();
	if (nforgotten > nlisteners)
		ereport(LOG,
				(errmsg("%d messages of callbacks have expired that nobody has acknowledged",
						nforgotten - nlisteners),
				 errhint("See resonate.undelivered_retention.")));
	return n + nforgotten;
}
