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
 * hides one for a while.  A pending task that is due is its own message: there
 * is no row, and offering it moves its clock.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/xact.h"
#include "commands/async.h"
#include "common/hashfn.h"
#include "utils/builtins.h"
#include "utils/fmgrprotos.h"
#include "utils/hsearch.h"
#include "utils/memutils.h"

#include "address.h"
#include "delivery.h"
#include "engine.h"
#include "guc.h"
#include "handoff.h"
#include "notification.h"
#include "payload.h"
#include "wake.h"

/* For how long there can be more of the same instant: see is_news. */
#define RECENT_MS 1000

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

static RsnDeliveryScope
take_scope(void)
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
	RsnHandoffList list = handed[RSN_HANDOFF_CALLBACK];
	RsnHandoff	handoff;
	RsnMessageRow row;
	int			position = 0;

	ndealt[RSN_HANDOFF_CALLBACK] = list.len;
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
	RsnDeliveryScope scope = take_scope();
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

/* The channel on which an address is told that it has something to dequeue. */
char *
rsn_delivery_channel(const text *address)
{
	Datum		digest = DirectFunctionCall1(md5_text,
											 PointerGetDatum(address));

	return psprintf("resonate_q_%s", TextDatumGetCString(digest));
}

/* Sends a task to the notify:// address that is its target; false if it is none. */
static bool
notify_task(const RsnTaskRow *task)
{
	RsnAddress	address = rsn_address_parse(VARDATA_ANY(task->address),
											VARSIZE_ANY_EXHDR(task->address));
	char	   *payload;

	if (address.kind != RSN_ADDRESS_NOTIFY)
		return false;
	payload = rsn_notification_execute(task);
	if (payload == NULL)
		return false;
	Async_Notify(pnstrdup(address.channel, address.channel_len), payload);
	return true;
}

/* What an address was told, in this process. */
typedef struct Told
{
	uint64		key;			/* hash of the address and of what waits there */
	int64		newest_ms;		/* since when the last of it had been due */
} Told;

static HTAB *told = NULL;

/* The same with what this transaction has told, which holds if it commits. */
static HTAB *told_next = NULL;

static HTAB *
make_told(int n)
{
	HASHCTL		control = {0};

	control.keysize = sizeof(uint64);
	control.entrysize = sizeof(Told);
	control.hcxt = TopMemoryContext;
	return hash_create("resonate addresses told", Max(n, 16), &control,
					   HASH_ELEM | HASH_BLOBS | HASH_CONTEXT);
}

static uint64
waiting_key(const RsnWaiting *row)
{
	return hash_bytes_extended((unsigned char *) VARDATA_ANY(row->address),
							   VARSIZE_ANY_EXHDR(row->address),
							   row->kind);
}

/* True when the address has something new since it was told, and notes that. */
static bool
is_news(const RsnWaiting *row, HTAB *told_before, HTAB *told_now,
		bool retell_recent, int64 now_ms)
{
	uint64		key = waiting_key(row);
	Told	   *before = told_before == NULL ? NULL
	: hash_search(told_before, &key, HASH_FIND, NULL);
	Told	   *after = hash_search(told_now, &key, HASH_ENTER, NULL);

	after->newest_ms = row->newest_ms;
	return before == NULL || before->newest_ms != row->newest_ms ||
		(retell_recent && row->newest_ms > now_ms - RECENT_MS);
}

static void
forget_told_next(void)
{
	if (told_next != NULL)
		hash_destroy(told_next);
	told_next = NULL;
}

/* What a transaction has told counts when it commits: no NOTIFY is sent before. */
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
		if (told_next != NULL)
		{
			if (told != NULL)
				hash_destroy(told);
			told = told_next;
			told_next = NULL;
		}
	}
	if (event == XACT_EVENT_COMMIT || event == XACT_EVENT_ABORT ||
		event == XACT_EVENT_PREPARE)
	{
		memset(ndealt, 0, sizeof(ndealt));
		forget_told_next();
	}
}

static void
subxact_callback(SubXactEvent event, SubTransactionId my_id,
				 SubTransactionId parent_id, void *arg)
{
	if (event == SUBXACT_EVENT_ABORT_SUB)
		forget_told_next();
}

/* Registers the callbacks, once for the life of the backend. */
void
rsn_delivery_init(void)
{
	RegisterXactCallback(xact_callback, NULL);
	RegisterSubXactCallback(subxact_callback, NULL);
}

/*
 * Tells those who can dequeue something new.  Answers how many.  An address that
 * nobody listens to is so not told again with every change elsewhere.
 */
static int
tell_waiting(int64 now_ms, bool retell_recent)
{
	HTAB	   *told_now;
	RsnWaiting *rows;
	int			ntold = 0;
	int			n;

	rsn_store_begin();
	n = rsn_store_waiting_addresses(now_ms, &rows);
	rsn_store_end();
	told_now = make_told(n);
	for (int i = 0; i < n; i++)
	{
		if (!is_news(&rows[i], told_next != NULL ? told_next : told, told_now,
					 retell_recent, now_ms))
			continue;
		Async_Notify(rsn_delivery_channel(rows[i].address),
					 rows[i].kind == RSN_WAITING_MESSAGE
					 ? "unblock" : "execute");
		ntold++;
	}
	forget_told_next();
	told_next = told_now;
	return ntold;
}

/*
 * Tells those whose addresses were handed over.  Whether somebody else was faster
 * and there is nothing left is not looked for: that would cost more than a
 * needless NOTIFY, of which one for an address is sent in any case.
 */
static int
tell_handed(void)
{
	RsnHandoffList list = handed[RSN_HANDOFF_OFFER];
	RsnHandoff	handoff;
	int			position = 0;
	int			ntold = 0;

	ndealt[RSN_HANDOFF_OFFER] = list.len;
	while (rsn_handoff_next(&list, &position, &handoff))
	{
		Async_Notify(rsn_delivery_channel(rsn_handoff_text(&handoff)),
					 "execute");
		ntold++;
	}
	return ntold;
}

/* Notifies of tasks that were offered. */
static void
notify_of_tasks(const RsnTaskRow *tasks, int n, RsnDelivered *result)
{
	for (int i = 0; i < n; i++)
	{
		if (notify_task(&tasks[i]))
			result->notified++;
		else
			result->failed++;
	}
	result->processed += n;
}

/*
 * Offers at most limit tasks to notify:// addresses, and tells all others that
 * they have something to dequeue; or only those who were handed over.
 */
RsnDelivered
rsn_delivery_offer(int64 now_ms, int limit, text *const *set_aside,
				   int nset_aside)
{
	RsnDeliveryScope scope = take_scope();
	RsnDelivered result = {0};
	RsnTaskRow *tasks;
	int			n;

	result.notified = tell_handed();
	result.processed = result.notified;
	if (scope == RSN_DELIVER_HANDED)
		return result;
	n = rsn_engine_dequeue_notify_tasks(limit, now_ms, set_aside, nset_aside,
										&tasks, &result.has_busy);
	notify_of_tasks(tasks, n, &result);
	result.has_more = n >= limit;
	n = tell_waiting(now_ms, scope == RSN_DELIVER_RECENT);
	result.processed += n;
	result.notified += n;
	return result;
}

/* Offers one task to a notify:// address, if it is due. */
RsnDelivered
rsn_delivery_offer_one(text *id, int64 now_ms)
{
	RsnDelivered result = {0};
	RsnTaskRow *task;
	int			n = rsn_engine_dequeue_notify_task(id, now_ms, &task);

	notify_of_tasks(task, n, &result);
	return result;
}
