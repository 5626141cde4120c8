/*-------------------------------------------------------------------------
 *
 * worker/handed.c
 *	  What committed transactions have handed to this process, being the worker.
 *
 * It is on its way from the ring to the steps that deal with it; signal/handoff.c has
 * the states of a handoff.  What is in these lists:
 *
 *		handed[kind]	HANDED; of these, ndealt[kind] bytes are DEALT WITH
 *		put_by			PUT BY
 *
 * Nothing is added to handed[kind] while a transaction is open, but what was put by.  So
 * a step that takes a kind takes all of it: ndealt[kind] is zero or the whole length.
 * Rows of the tables say the same, so all of it may be forgotten when they are read
 * instead.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/xact.h"
#include "utils/memutils.h"

#include "worker/handed.h"

/* What this process, being the worker, was handed and has not dealt with. */
static RsnHandoffList handed[RSN_HANDOFF_NKINDS];

/* Promises with waiting tasks or callbacks that others work on. */
static RsnHandoffList put_by;

/* How much of it this transaction has dealt with, which holds if it commits. */
static int	ndealt[RSN_HANDOFF_NKINDS];

/* More than this is not kept for a step that fails. */
#define HANDED_MAX (256 * 1024)

/* What was handed over of a kind, all of which this transaction deals with. */
const RsnHandoffList *
rsn_handed_take(RsnHandoffKind kind)
{
	Assert(IsTransactionState());
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
			Assert(ndealt[i] == 0 || ndealt[i] == handed[i].len);
			if (ndealt[i] > 0)
				handed[i].len = 0;
		}
	}
	if (event == XACT_EVENT_COMMIT || event == XACT_EVENT_ABORT ||
		event == XACT_EVENT_PREPARE)
		memset(ndealt, 0, sizeof(ndealt));
}

/* Registers the callback, once for the life of the backend. */
void
rsn_handed_init(void)
{
	RegisterXactCallback(xact_callback, NULL);
}

/* Takes over what transactions have handed to the worker of this database. */
void
rsn_handed_fetch(RsnSlot *slot)
{
	Assert(!IsTransactionState());
	rsn_handoff_take(slot, handed);
}

/* True when something of a kind was handed over that waits for its step. */
bool
rsn_handed_has(RsnHandoffKind kind)
{
	return handed[kind].len > 0;
}

/*
 * Forgets what was handed over and not dealt with, if there is too much of it, or in
 * any case; rows say the same.  True if there was anything to forget.
 */
bool
rsn_handed_drop(RsnHandoffKind kind, bool is_all)
{
	int			len = handed[kind].len;

	Assert(!IsTransactionState());
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
rsn_handed_first(RsnHandoffKind kind)
{
	RsnHandoff	handoff;
	int			position = 0;

	Assert(kind == RSN_HANDOFF_LEFT);
	if (!rsn_handoff_next(&handed[kind], &position, &handoff))
		return NULL;
	return rsn_handoff_text(&handoff);
}

/* Takes the first of a kind off; puts it by to come back to it, if it must be kept. */
void
rsn_handed_pass_first(RsnHandoffKind kind, bool must_keep)
{
	RsnHandoffList *list = &handed[kind];
	RsnHandoff	handoff;
	int			len = 0;

	Assert(kind == RSN_HANDOFF_LEFT && IsTransactionState());
	if (!rsn_handoff_next(list, &len, &handoff))
		return;
	Assert(len <= list->len);
	if (must_keep)
		rsn_handoff_append(&put_by, TopMemoryContext, list->bytes, len);
	list->len -= len;
	memmove(list->bytes, list->bytes + len, list->len);
}

bool
rsn_handed_has_put_by(void)
{
	return put_by.len > 0;
}

/* Puts what was put by behind what has been handed over since. */
void
rsn_handed_take_put_by(void)
{
	if (put_by.len > 0)
		rsn_handoff_append(&handed[RSN_HANDOFF_LEFT], TopMemoryContext,
						   put_by.bytes, put_by.len);
	put_by.len = 0;
}
