/*-------------------------------------------------------------------------
 *
 * engine/message.c
 *	  Lock, read, write: messages that somebody receives or dequeues.
 *
 * A message stays until it is acknowledged, or nobody has taken it for as long as
 * retention says; receiving only hides it for a while.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "utils/builtins.h"
#include "utils/fmgrprotos.h"

#include "engine/internal.h"
#include "server/clock.h"
#include "server/guc.h"
#include "store/payload.h"

/* The channel on which an address is told that it has something to dequeue. */
char *
rsn_engine_channel(const text *address)
{
	Datum		digest = DirectFunctionCall1(md5_text,
											 PointerGetDatum(address));

	return psprintf("resonate_q_%s", TextDatumGetCString(digest));
}

/*
 * Takes messages of an address until visible_at; returns how many.  What is too
 * much for one call is left as it is.
 */
int
rsn_engine_receive(text *address, int limit, int64 now_ms,
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
rsn_engine_acknowledge(RsnCallbackKind kind, text *promise_id,
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
 * that, and removed then: a client that dies with the first copy, and comes back
 * under its address, has the second.
 */
int
rsn_engine_dequeue_unblock(text *address, int limit, int64 now_ms,
						   RsnMessageRow **rows)
{
	int			n;

	rsn_store_begin();
	n = rsn_store_lock_listener_messages(address, limit, now_ms, rows);
	n = rsn_messages_that_fit(*rows, n);
	for (int i = 0; i < n; i++)
	{
		RsnMessageRow *row = &(*rows)[i];

		Assert(row->kind == RSN_CALLBACK_LISTENER);
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
rsn_engine_expire_messages(int64 now_ms, int limit)
{
	int			nlisteners;
	int			nforgotten;
	int			n;

	rsn_store_begin();
	n = expire(true, rsn_guc_delivered_retention_s, now_ms, limit, &nlisteners);
	nforgotten = expire(false, rsn_guc_undelivered_retention_s, now_ms,
						limit - n, &nlisteners);
	rsn_store_end();
	Assert(nlisteners <= nforgotten);
	if (nforgotten > nlisteners)
		ereport(LOG,
				(errmsg("%d messages of callbacks have expired that nobody has acknowledged",
						nforgotten - nlisteners),
				 errhint("See resonate.undelivered_retention.")));
	return n + nforgotten;
}
