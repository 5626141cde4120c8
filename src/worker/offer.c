/*-------------------------------------------------------------------------
 *
 * worker/offer.c
 *	  Who is told that there is something to dequeue, and when.
 *
 * A pending task that is due is its own message: there is no row, and offering it
 * moves its clock.  The worker offers tasks to notify:// addresses itself, and tells
 * all others that they have something to dequeue.  It learns what is due in three ways:
 *
 *		from commits, which hand it the address;
 *		by the clock, in the order of time, from where the last look has ended;
 *		by a walk over all addresses, in parts, for what no commit could tell of.
 *
 * None of them depends on how many addresses there are: anybody can have any number,
 * each with a task that nobody takes.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/xact.h"
#include "commands/async.h"
#include "common/hashfn.h"
#include "miscadmin.h"
#include "utils/builtins.h"
#include "utils/fmgrprotos.h"
#include "utils/hsearch.h"
#include "utils/memutils.h"

#include "engine/engine.h"
#include "core/address.h"
#include "server/clock.h"
#include "worker/handed.h"
#include "worker/notification.h"
#include "worker/offer.h"

/* For how long there can be more of the same instant: see is_news. */
#define RECENT_MS 1000

/* How many addresses of each kind a part of a walk visits. */
#define WALK_ADDRESSES	300

/* How often to walk, whatever was told. */
#define WALK_INTERVAL_MS	60000

/* So many addresses are remembered; all others are told in each walk. */
#define TOLD_MAX	(256 * 1024)

/* What a step does. */
typedef struct Offering
{
	int64		now_ms;
	int			limit;			/* of tasks offered to notify:// addresses */
	text	   *const *set_aside;
	int			nset_aside;
	bool		retell_recent;
	int64		busy_ms;		/* since when the first is due that others
								 * work on */
	int			noffered;
	RsnDelivered result;
} Offering;

static bool
is_notify(const text *address)
{
	return rsn_address_is_notify(VARDATA_ANY(address),
								 VARSIZE_ANY_EXHDR(address));
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

/* What an address was told, in this process. */
typedef struct Told
{
	uint64		key;			/* hash of the address and of what waits there */
	int64		newest_ms;		/* since when the last of it had been due */
	uint32		walk;			/* the last one that has found it */
} Told;

static HTAB *told = NULL;
static uint32 walk_number = 0;

/* This transaction has told some, which does not hold if it fails. */
static bool is_telling = false;

static void
forget_told(void)
{
	if (told != NULL)
		hash_destroy(told);
	told = NULL;
	is_telling = false;
}

/* What a transaction has told counts when it commits: no NOTIFY is sent before. */
static void
xact_callback(XactEvent event, void *arg)
{
	if (event == XACT_EVENT_COMMIT)
		is_telling = false;
	else if ((event == XACT_EVENT_ABORT || event == XACT_EVENT_PREPARE) &&
			 is_telling)
		forget_told();
}

static void
subxact_callback(SubXactEvent event, SubTransactionId my_id,
				 SubTransactionId parent_id, void *arg)
{
	if (event == SUBXACT_EVENT_ABORT_SUB && is_telling)
		forget_told();
}

/* Registers the callbacks, once for the life of the backend. */
void
rsn_offer_init(void)
{
	RegisterXactCallback(xact_callback, NULL);
	RegisterSubXactCallback(subxact_callback, NULL);
}

static Told *
find_told(const RsnWaiting *row, bool *is_found)
{
	uint64		key = hash_bytes_extended((unsigned char *) VARDATA_ANY(row->address),
										  VARSIZE_ANY_EXHDR(row->address),
										  row->kind);

	if (told == NULL)
	{
		HASHCTL		control = {0};

		control.keysize = sizeof(uint64);
		control.entrysize = sizeof(Told);
		control.hcxt = TopMemoryContext;
		told = hash_create("resonate addresses told", 64, &control,
						   HASH_ELEM | HASH_BLOBS | HASH_CONTEXT);
	}
	return hash_search(told, &key,
					   hash_get_num_entries(told) < TOLD_MAX ? HASH_ENTER
					   : HASH_FIND, is_found);
}

/* True when the address has something new since it was told, and notes that. */
static bool
is_news(const RsnWaiting *row, bool retell_recent, int64 now_ms)
{
	bool		is_found;
	bool		result;
	Told	   *before = find_told(row, &is_found);

	Assert(before == NULL || told != NULL);
	is_telling = true;
	if (before == NULL)
		return true;
	result = !is_found || before->newest_ms < row->newest_ms ||
		before->newest_ms > now_ms ||
		(retell_recent && row->newest_ms > now_ms - RECENT_MS);
	before->newest_ms = row->newest_ms;
	before->walk = walk_number;
	return result;
}

/* After a walk: forgets the addresses that it has not found. */
static void
forget_others(void)
{
	HASH_SEQ_STATUS status;
	Told	   *entry;

	if (told == NULL)
		return;
	hash_seq_init(&status, told);
	while ((entry = hash_seq_search(&status)) != NULL)
	{
		if (entry->walk != walk_number)
			(void) hash_search(told, &entry->key, HASH_REMOVE, NULL);
	}
}

/*
 * Tells who can dequeue something new.  An address that nobody listens to is so not
 * told again with every change elsewhere.
 */
static void
tell(Offering *offering, const RsnWaiting *row)
{
	if (!is_news(row, offering->retell_recent, offering->now_ms))
		return;
	Async_Notify(rsn_engine_channel(row->address),
				 row->kind == RSN_WAITING_MESSAGE ? "unblock" : "execute");
	offering->result.notified++;
	offering->result.processed++;
}

/*
 * Offers what is due at a notify:// address; false when there may be more than can be
 * offered now.
 */
static bool
offer_at(Offering *offering, text *address)
{
	int			room = offering->limit - offering->noffered;
	RsnTaskRow *tasks;
	int			n;

	if (room <= 0)
		return false;
	n = rsn_engine_dequeue_notify_tasks(address, room, offering->now_ms,
										offering->set_aside,
										offering->nset_aside, &tasks,
										&offering->busy_ms);
	Assert(n <= room);
	notify_of_tasks(tasks, n, &offering->result);
	offering->noffered += n;
	return n < room;
}

/*
 * Tells those whose addresses were handed over, and offers what waits at those that
 * are notify://.  Whether somebody else was faster and there is nothing left is not
 * looked for elsewhere: that would cost more than a needless NOTIFY, of which one for
 * an address is sent in any case.
 */
static void
tell_handed(Offering *offering, RsnHandoffKind kind, RsnOfferPosition *position)
{
	RsnHandoffList list = *rsn_handed_take(kind);
	RsnHandoff	handoff;
	int			at = 0;

	Assert(kind == RSN_HANDOFF_OFFER || kind == RSN_HANDOFF_UNBLOCK);
	while (rsn_handoff_next(&list, &at, &handoff))
	{
		text	   *address = rsn_handoff_text(&handoff);

		if (is_notify(address))
		{
			position->must_walk |= !offer_at(offering, address);
			continue;
		}
		Async_Notify(rsn_engine_channel(address),
					 kind == RSN_HANDOFF_UNBLOCK ? "unblock" : "execute");
		offering->result.notified++;
		offering->result.processed++;
	}
}

/*
 * What is due by the clock: a task to be offered, or an address to be told.  False when
 * no more can be offered now.
 */
static bool
offer_or_tell(Offering *offering, RsnWaiting *row)
{
	RsnTaskRow	task;

	if (row->kind != RSN_WAITING_TASK || !is_notify(row->address))
	{
		tell(offering, row);
		return true;
	}
	if (offering->noffered >= offering->limit)
		return false;
	if (rsn_engine_dequeue_notify_task_at(row, offering->now_ms,
										  offering->set_aside,
										  offering->nset_aside, &task,
										  &offering->busy_ms))
	{
		notify_of_tasks(&task, 1, &offering->result);
		offering->noffered++;
	}
	return true;
}

/* One kind of it; returns before when all there is was found. */
static int64
offer_kind_since(Offering *offering, RsnWaitingKind kind, bool is_delivered,
				 int64 from_ms)
{
	RsnWaiting *rows;
	int			n;

	rsn_store_begin();
	n = rsn_store_waiting_since(kind, is_delivered, from_ms, offering->now_ms,
								offering->limit, &rows);
	rsn_store_end();
	Assert(offering->limit > 0 && n <= offering->limit);
	for (int i = 0; i < n; i++)
	{
		if (!offer_or_tell(offering, &rows[i]))
			return rows[i].newest_ms;
	}
	return n < offering->limit ? offering->now_ms + 1 : rows[n - 1].newest_ms;
}

/*
 * Deals with what has become due by the clock since the last time, or a part of it.
 * More of one instant than can be taken is found by a walk.
 */
static void
offer_since(Offering *offering, RsnOfferPosition *position)
{
	int64		from_ms = position->from_ms;
	int64		end_ms = offering->now_ms + 1;

	if (from_ms > offering->now_ms)
		return;
	end_ms = Min(end_ms, offer_kind_since(offering, RSN_WAITING_TASK, false,
										  from_ms));
	end_ms = Min(end_ms, offer_kind_since(offering, RSN_WAITING_OTHERS, false,
										  from_ms));
	end_ms = Min(end_ms, offer_kind_since(offering, RSN_WAITING_MESSAGE, false,
										  from_ms));
	end_ms = Min(end_ms, offer_kind_since(offering, RSN_WAITING_MESSAGE, true,
										  from_ms));
	if (end_ms <= from_ms)
	{
		end_ms = from_ms + 1;
		position->must_walk = true;
	}
	Assert(end_ms > from_ms);
	position->from_ms = end_ms;
}

/* Visits the next addresses of a kind; false when one of them has to be visited again. */
static bool
walk_on(Offering *offering, RsnWaitingKind kind, RsnOfferPosition *position)
{
	RsnKeyMark *walked_to = &position->walked_to[kind];
	RsnWaiting *rows;
	int			n;

	Assert(position->is_walking && !position->is_at_end[kind]);
	rsn_store_begin();
	n = rsn_store_waiting_addresses(kind,
									cstring_to_text_with_len(walked_to->key,
															 walked_to->len),
									offering->now_ms, WALK_ADDRESSES, &rows);
	rsn_store_end();
	for (int i = 0; i < n; i++)
	{
		if (rows[i].newest_ms < RSN_TIME_NEVER)
		{
			if (kind != RSN_WAITING_TASK || !is_notify(rows[i].address))
				tell(offering, &rows[i]);
			else if (!offer_at(offering, rows[i].address))
				return false;
		}
		rsn_key_mark_set(walked_to, rows[i].address);
	}
	position->is_at_end[kind] = n < WALK_ADDRESSES;
	return true;
}

/* A part of a walk over all addresses; false when it cannot go on in this step. */
static bool
walk(Offering *offering, RsnOfferPosition *position)
{
	bool		is_at_end = true;

	if (!position->is_walking)
	{
		position->is_walking = true;
		position->must_walk = false;
		memset(position->walked_to, 0, sizeof(position->walked_to));
		memset(position->is_at_end, 0, sizeof(position->is_at_end));
		walk_number++;
	}
	for (int i = 0; i < RSN_WAITING_NKINDS; i++)
	{
		if (!position->is_at_end[i] &&
			!walk_on(offering, (RsnWaitingKind) i, position))
			return false;
		is_at_end &= position->is_at_end[i];
	}
	if (is_at_end)
	{
		position->is_walking = false;
		position->walk_anew_at_ms = offering->now_ms + WALK_INTERVAL_MS;
		forget_others();
	}
	return true;
}

/*
 * Goes on by the clock and, if there is reason to, by the addresses.  Nobody waits for
 * the worker to come to an end, so it does a part.
 */
static void
look_for_offers(Offering *offering, bool is_whole, RsnOfferPosition *position)
{
	bool		may_go_on = true;

	/* A walk finds all that is due when it begins. */
	if (position->from_ms == 0)
	{
		position->must_walk = true;
		position->from_ms = offering->now_ms + 1;
	}
	position->must_walk |= !position->is_walking &&
		offering->now_ms >= position->walk_anew_at_ms;
	offer_since(offering, position);
	while (may_go_on && (position->is_walking || position->must_walk))
	{
		CHECK_FOR_INTERRUPTS();
		may_go_on = walk(offering, position) && is_whole;
	}
}

/*
 * Offers at most limit tasks to notify:// addresses, and tells all others that they
 * have something to dequeue; or only those who were handed over.
 */
RsnDelivered
rsn_offer_tasks(int64 now_ms, int limit, text *const *set_aside,
				int nset_aside, RsnOfferPosition *position)
{
	RsnDeliverScope scope = rsn_deliver_take_scope();
	RsnOfferPosition next = *position;
	Offering	offering = {.now_ms = now_ms,.limit = limit};

	offering.set_aside = set_aside;
	offering.nset_aside = nset_aside;
	offering.retell_recent = scope == RSN_DELIVER_RECENT;
	offering.busy_ms = RSN_TIME_NEVER;
	tell_handed(&offering, RSN_HANDOFF_OFFER, &next);
	tell_handed(&offering, RSN_HANDOFF_UNBLOCK, &next);
	if (scope != RSN_DELIVER_HANDED)
		look_for_offers(&offering, scope == RSN_DELIVER_NEWS, &next);
	offering.result.has_more = next.is_walking || next.must_walk ||
		(scope != RSN_DELIVER_HANDED && next.from_ms <= now_ms);

	/* What others work on is found again by its clock. */
	offering.result.has_busy = offering.busy_ms < RSN_TIME_NEVER;
	if (next.from_ms > 0)
		next.from_ms = Min(next.from_ms, offering.busy_ms);
	Assert(offering.result.processed ==
		   offering.result.notified + offering.result.failed);
	Assert(offering.noffered <= limit);
	*position = next;
	return offering.result;
}

/* Offers one task to a notify:// address, if it is due. */
RsnDelivered
rsn_offer_one(text *id, int64 now_ms)
{
	RsnDelivered result = {0};
	RsnTaskRow *task;
	int			n = rsn_engine_dequeue_notify_task(id, now_ms, &task);

	notify_of_tasks(task, n, &result);
	return result;
}
