/*-------------------------------------------------------------------------
 *
 * worker/notification.c
 *	  What a NOTIFY of the worker says.
 *
 * It is JSON in ASCII: the server converts a notification to the encoding of each
 * client that listens, and a character which that lacks ends the connection of
 * the client.  A channel may be outside of ASCII, but only whoever listens to it
 * is sent its name, and has sent that himself.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "server/json_write.h"
#include "store/payload.h"
#include "worker/notification.h"

/* NOTIFY refuses a payload of this many bytes (async.c). */
#define PAYLOAD_MAX 8000

/* Adds a value, as far as a client can read it and it may fit. */
static void
add_value(StringInfo buffer, const RsnPayload *value)
{
	if (value->data != NULL && rsn_stored_size(value->data) < PAYLOAD_MAX)
	{
		bytea	   *data = PG_DETOAST_DATUM_PACKED(PointerGetDatum(value->data));
		int			len = VARSIZE_ANY_EXHDR(data);

		if (rsn_data_is_typed(VARDATA_ANY(data), len))
			rsn_ascii_add_json(buffer, "value", VARDATA_ANY(data), len);
	}
	if (value->headers != NULL &&
		rsn_stored_size(value->headers) < PAYLOAD_MAX)
		rsn_ascii_add_jsonb(buffer, "value_headers",
							rsn_stored_jsonb(value->headers));
}

/*
 * What a listener gets: which promise, which callback, and how it ended.  The
 * limits on ids keep this below the limit of NOTIFY: a byte of theirs takes six at
 * most.  The record is NULL, or adds its value where that fits.  NULL for what is
 * too long all the same.
 */
char *
rsn_notification_unblock(const RsnMessageRow *message,
						 const RsnPromiseRow *record)
{
	StringInfoData buffer;
	RsnPromiseState state = record != NULL ? record->core.state
	: message->promise.core.state;

	initStringInfo(&buffer);
	rsn_ascii_begin_object(&buffer, NULL);
	rsn_ascii_add_string(&buffer, "kind", "unblock");
	rsn_ascii_add_text(&buffer, "callback", message->callback_id);
	rsn_ascii_begin_object(&buffer, "promise");
	rsn_ascii_add_text(&buffer, "id", message->promise_id);
	rsn_ascii_add_string(&buffer, "state", rsn_promise_state_name(state));
	if (record != NULL)
		add_value(&buffer, &record->value);
	rsn_ascii_end_object(&buffer);
	rsn_ascii_end_object(&buffer);
	if (buffer.len < PAYLOAD_MAX)
		return buffer.data;
	pfree(buffer.data);
	return record != NULL ? rsn_notification_unblock(message, NULL) : NULL;
}

/* What the target of a task gets; NULL when it is too long. */
char *
rsn_notification_execute(const RsnTaskRow *task)
{
	StringInfoData buffer;

	initStringInfo(&buffer);
	rsn_ascii_begin_object(&buffer, NULL);
	rsn_ascii_add_string(&buffer, "kind", "execute");
	rsn_ascii_begin_object(&buffer, "task");
	rsn_ascii_add_text(&buffer, "id", task->id);
	rsn_ascii_add_int(&buffer, "version", task->core.version);
	rsn_ascii_end_object(&buffer);
	rsn_ascii_end_object(&buffer);
	return buffer.len < PAYLOAD_MAX ? buffer.data : NULL;
}
