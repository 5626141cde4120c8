/*-------------------------------------------------------------------------
 *
 * delivery.c
 *	  Messages on their way: NOTIFY, receive and acknowledge.
 *
 * A row of resonate.messages is the truth; NOTIFY is how the worker tells
 * whoever listens.  The worker deletes the row and notifies in one transaction,
 * so each message is sent once, or again if that transaction fails.  No caller's
 * transaction ever notifies, because NOTIFY makes commits of the whole cluster
 * wait for each other.
 *
 * Messages to other addresses stay until they are acknowledged; receiving only
 * hides one for a while.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "commands/async.h"
#include "lib/stringinfo.h"
#include "utils/builtins.h"
#include "utils/json.h"

#include "address.h"
#include "delivery.h"
#include "guc.h"
#include "record.h"

/* NOTIFY refuses a payload of this many bytes (async.c). */
#define NOTIFY_PAYLOAD_MAX 8000

static void
append_text(StringInfo buffer, const char *name, const text *value)
{
	appendStringInfo(buffer, "\"%s\":", name);
	escape_json(buffer, text_to_cstring(value));
}

static void
append_value(StringInfo buffer, const RsnPromiseRow *promise)
{
	if (promise->value_data != NULL && rsn_data_is_json(promise->value_data))
		appendStringInfo(buffer, ",\"value\":%.*s",
						 (int) VARSIZE_ANY_EXHDR(promise->value_data),
						 VARDATA_ANY(promise->value_data));
	if (promise->value_headers != NULL)
		appendStringInfo(buffer, ",\"value_headers\":%s",
						 JsonbToCString(NULL, &promise->value_headers->root,
										VARSIZE(promise->value_headers)));
}

/*
 * What a listener gets: which promise, which callback, and how it ended.  The
 * limits on ids keep this below the limit of NOTIFY however they are escaped;
 * a value is added only where it fits.
 */
static char *
make_payload(const RsnMessageRow *message, bool with_value)
{
	StringInfoData buffer;
	const RsnPromiseRow *promise = &message->promise;

	initStringInfo(&buffer);
	appendStringInfoString(&buffer, "{\"kind\":\"unblock\",");
	append_text(&buffer, "callback", message->callback_id);
	appendStringInfoString(&buffer, ",\"promise\":{");
	append_text(&buffer, "id", message->promise_id);
	appendStringInfo(&buffer, ",\"state\":\"%s\"",
					 rsn_promise_state_name(promise->core.state));
	if (with_value)
		append_value(&buffer, promise);
	appendStringInfoString(&buffer, "}}");
	if (buffer.len >= NOTIFY_PAYLOAD_MAX && with_value)
		return make_payload(message, false);
	return buffer.data;
}

/* Sends one message; false when it never can be. */
static bool
notify(const RsnMessageRow *message)
{
	RsnAddress	address = rsn_address_parse(VARDATA_ANY(message->address),
											VARSIZE_ANY_EXHDR(message->address));
	char	   *channel;
	char	   *payload;

	if (address.kind != RSN_ADDRESS_NOTIFY || !message->has_promise)
		return false;
	channel = pnstrdup(address.channel, address.channel_len);
	payload = make_payload(message,
						   rsn_guc_notify_payload == RSN_NOTIFY_RECORD);
	if (strlen(payload) >= NOTIFY_PAYLOAD_MAX)
		return false;
	Async_Notify(channel, payload);
	return true;
}

/*
 * Notifies of at most limit messages that are due, and deletes them.  One that
 * cannot be sent is set aside, reported, and does not stop the others.
 */
RsnDelivered
rsn_delivery_notify(int64 now_ms, int limit)
{
	RsnDelivered result = {0};
	RsnMessageRow *rows;
	int			n;

	rsn_store_begin();
	n = rsn_store_lock_notifications(now_ms, limit, &rows);
	for (int i = 0; i < n; i++)
	{
		if (notify(&rows[i]))
		{
			rsn_store_delete_message(&rows[i]);
			result.notified++;
			continue;
		}
		ereport(WARNING,
				(errcode(ERRCODE_DATA_CORRUPTED),
				 errmsg("could not deliver callback \"%s\" of promise \"%s\" to \"%s\"",
						text_to_cstring(rows[i].callback_id),
						text_to_cstring(rows[i].promise_id),
						text_to_cstring(rows[i].address))));
		rsn_store_postpone_message(&rows[i],
								   rsn_deadline_after(now_ms,
													  rsn_guc_retry_interval_ms));
		result.failed++;
	}
	rsn_store_end();
	result.processed = n;
	return result;
}

/* Takes messages of an address until visible_at; answers how many. */
int
rsn_delivery_receive(text *address, int limit, int64 now_ms,
					 int64 visible_at_ms, RsnMessageRow **rows)
{
	int			n;

	rsn_store_begin();
	n = rsn_store_receive(address, limit, now_ms, visible_at_ms, rows);
	rsn_store_end();
	return n;
}

/* Removes a message for good; false when there is none. */
bool
rsn_delivery_acknowledge(text *promise_id, text *callback_id)
{
	bool		result;

	rsn_store_begin();
	result = rsn_store_acknowledge(promise_id, callback_id);
	rsn_store_end();
	return result;
}
