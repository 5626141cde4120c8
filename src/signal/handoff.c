/*-------------------------------------------------------------------------
 *
 * signal/handoff.c
 *	  What committed transactions hand to the worker through shared memory.
 *
 * A ring of bytes for each database.  A transaction sets room aside while it can
 * still do without, puts its handoffs there when it has committed, and gives the
 * room back if it aborts; the worker takes all there is.  So a commit never finds
 * the ring full, and a transaction that finds no room writes rows instead.
 *
 * A handoff is a shortcut to rows that say the same.  One that is lost, because
 * the server or the worker ended before it was dealt with, is made up for by the
 * look at all rows with which a worker begins.
 *
 * States of a handoff:
 *
 *		LISTED		in the list of a transaction that has not ended; as many bytes of the
 *					ring are set aside
 *		IN THE RING	its transaction has committed
 *		HANDED		in the memory of the worker (worker/handed.c), for its step
 *		DEALT WITH	the transaction of the step has dealt with it, and has not ended
 *		PUT BY		of those who were left: somebody works on one of these
 *		GONE		done, or left to the rows
 *
 * Invariants:
 *
 *	H1	0 <= used, 0 <= set_aside, and used + set_aside <= size, under the lock.  So each
 *		commit finds the room that its transaction has set aside.
 *	H2	The used bytes are whole handoffs, one after the other, from start on.
 *	H3	What is in the ring was committed, and can be seen by every snapshot that is taken
 *		after it was taken out.
 *	H4	A handoff is LISTED only at nest level 1, so no subtransaction takes it back alone,
 *		and never in a transaction that is about to be prepared.
 *	H5	What is LISTED, IN THE RING, HANDED or PUT BY has its rows, and reconciling or a
 *		walk over the addresses finds them.  An edge to GONE that is not the commit of a
 *		step has the worker look for these, now or as it begins; or there are no such rows,
 *		because they are undone, or have become messages.
 *	H6	The ring is emptied by the worker of its database only, between two transactions.
 *
 * Edges:
 *
 *		-> LISTED					rsn_handoff_add
 *		LISTED -> IN THE RING		rsn_handoff_commit
 *		LISTED -> GONE				rsn_handoff_abort; before PREPARE rsn_wake_take_back
 *		IN THE RING -> HANDED		rsn_handed_fetch, rsn_handoff_take
 *		IN THE RING -> GONE			rsn_handoff_drop_all, by a worker that begins
 *		HANDED -> DEALT WITH		rsn_handed_take: callbacks and addresses
 *		DEALT WITH -> GONE			the step commits
 *		DEALT WITH -> HANDED		the step fails
 *		HANDED -> GONE				rsn_handed_pass_first: those who were left.  The step
 *									may fail yet: then look_at_all_left (worker/plan.c)
 *									forgets all of these, and looks at all rows
 *		HANDED -> PUT BY			rsn_handed_pass_first
 *		PUT BY -> HANDED			rsn_handed_take_put_by, when it is time
 *		HANDED, PUT BY -> GONE		rsn_handed_drop: too much, or a failure; then rows are
 *									read instead (rsn_plan_after_failure)
 *
 * A slot that another database takes over forgets what was set aside in it (init_slot).
 * H1 still holds: a commit or an abort finds less set aside than it has asked for.  It
 * may then take the room of another transaction, whose handoffs are lost in its turn; of
 * those H5 is only true once a worker begins.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "utils/builtins.h"
#include "utils/memutils.h"

#include "signal/handoff.h"

/* What one transaction may hand over; more is cheaper to write in one statement. */
#define LIST_MAX 4096

/* The same of promises for which some still wait, which are found again by all rows. */
#define LEFT_LIST_MAX 16384

typedef struct Header
{
	uint8		kind;
	uint8		state;
	uint16		text_len;
	ItemPointerData tid;
} Header;

/* What is always true of a ring, for assertions; to be called under its lock. */
static inline bool
is_sound(const RsnRing *ring)
{
	return ring->start >= 0 && ring->start <= ring->size && ring->used >= 0 &&
		ring->set_aside >= 0 && ring->used + ring->set_aside <= ring->size;
}

static bool
set_room_aside(RsnRing *ring, int len)
{
	bool		has_room;

	SpinLockAcquire(&ring->lock);
	has_room = ring->size - ring->used - ring->set_aside >= len;
	if (has_room)
		ring->set_aside += len;
	Assert(is_sound(ring));
	SpinLockRelease(&ring->lock);
	return has_room;
}

/* Adds handoffs to a list that lives in that context. */
void
rsn_handoff_append(RsnHandoffList *list, MemoryContext context,
				   const void *bytes, int len)
{
	Assert(len > 0 && list->len <= list->size);
	if (list->bytes == NULL)
	{
		list->size = 256;
		list->bytes = MemoryContextAlloc(context, list->size);
	}
	while (list->len + len > list->size)
	{
		list->size *= 2;
		list->bytes = repalloc(list->bytes, list->size);
	}
	memcpy(list->bytes + list->len, bytes, len);
	list->len += len;
}

/*
 * Adds a handoff to the list of this transaction, which lives in that context.
 * False when there is no room for it, or nobody to take it.
 */
bool
rsn_handoff_add(RsnSlot *slot, RsnHandoffList *list, MemoryContext context,
				const RsnHandoff *handoff)
{
	Header		header = {0};
	int			len = (int) sizeof(Header) + handoff->text_len;
	int			len_max = handoff->kind == RSN_HANDOFF_LEFT ? LEFT_LIST_MAX
		: LIST_MAX;

	Assert(handoff->text_len >= 0 && handoff->text_len <= PG_UINT16_MAX);
	Assert(handoff->kind < RSN_HANDOFF_NKINDS);
	if (pg_atomic_read_u32(&slot->proc_number) == RSN_NO_PROC ||
		list->len + len > len_max || !set_room_aside(&slot->ring, len))
		return false;
	header.kind = handoff->kind;
	header.state = handoff->state;
	header.text_len = handoff->text_len;
	header.tid = handoff->tid;
	rsn_handoff_append(list, context, &header, sizeof(Header));
	rsn_handoff_append(list, context, handoff->text, handoff->text_len);
	return true;
}

/* Copies bytes to the end of a ring that has room for them. */
static void
put(RsnRing *ring, const char *bytes, int len)
{
	int			end = (ring->start + ring->used) % ring->size;
	int			first = Min(len, ring->size - end);

	Assert(len <= ring->size - ring->used);
	memcpy(ring->bytes + end, bytes, first);
	memcpy(ring->bytes, bytes + first, len - first);
	ring->used += len;
}

/*
 * Hands over the list of a transaction that has committed.  Neither this nor
 * rsn_handoff_abort can fail.  Room that is not set aside any more was lost with
 * a slot that another database has taken; that one's worker has nothing to do
 * with the list, and ours looks at all rows when it comes back.
 */
void
rsn_handoff_commit(RsnSlot *slot, const RsnHandoffList *list)
{
	RsnRing    *ring = &slot->ring;

	Assert(list->len > 0);
	SpinLockAcquire(&ring->lock);
	if (ring->set_aside >= list->len)
	{
		ring->set_aside -= list->len;
		put(ring, list->bytes, list->len);
	}
	Assert(is_sound(ring));
	SpinLockRelease(&ring->lock);
}

/* Gives the room for a list back. */
void
rsn_handoff_abort(RsnSlot *slot, const RsnHandoffList *list)
{
	RsnRing    *ring = &slot->ring;

	SpinLockAcquire(&ring->lock);
	ring->set_aside = Max(ring->set_aside - list->len, 0);
	Assert(is_sound(ring));
	SpinLockRelease(&ring->lock);
}

/* Copies what is in the ring, and empties it; returns how much it was. */
static int
take_bytes(RsnRing *ring, char *bytes)
{
	int			first;
	int			len;

	SpinLockAcquire(&ring->lock);
	Assert(is_sound(ring));
	len = ring->used;
	first = Min(len, ring->size - ring->start);
	memcpy(bytes, ring->bytes + ring->start, first);
	memcpy(bytes + first, ring->bytes, len - first);
	ring->start = 0;
	ring->used = 0;
	SpinLockRelease(&ring->lock);
	return len;
}

/*
 * Adds all that was handed over to the worker's lists, one for each kind.  What it
 * takes was committed before; a snapshot that is to see it must be taken later.
 */
void
rsn_handoff_take(RsnSlot *slot, RsnHandoffList *lists)
{
	static RsnHandoffList taken = {0};
	RsnHandoff	handoff;
	int			position = 0;

	if (slot->ring.used == 0)
		return;
	if (taken.bytes == NULL)
		taken.bytes = MemoryContextAlloc(TopMemoryContext, slot->ring.size);
	taken.len = take_bytes(&slot->ring, taken.bytes);
	for (int start = 0; rsn_handoff_next(&taken, &position, &handoff);
		 start = position)
		rsn_handoff_append(&lists[handoff.kind], TopMemoryContext,
						   taken.bytes + start, position - start);
	Assert(position == taken.len);
}

/* Empties the ring of a database whose worker is about to look at all rows. */
void
rsn_handoff_drop_all(RsnSlot *slot)
{
	SpinLockAcquire(&slot->ring.lock);
	Assert(slot->ring.set_aside <= slot->ring.size);
	slot->ring.start = 0;
	slot->ring.used = 0;
	SpinLockRelease(&slot->ring.lock);
}

/* The handoff at a position, which moves on; false at the end of the list. */
bool
rsn_handoff_next(const RsnHandoffList *list, int *position,
				 RsnHandoff *handoff)
{
	Header		header;

	if (*position >= list->len)
		return false;
	memcpy(&header, list->bytes + *position, sizeof(Header));
	Assert(header.kind < RSN_HANDOFF_NKINDS);
	Assert(*position + (int) sizeof(Header) + header.text_len <= list->len);
	handoff->kind = header.kind;
	handoff->state = header.state;
	handoff->tid = header.tid;
	handoff->text = list->bytes + *position + sizeof(Header);
	handoff->text_len = header.text_len;
	*position += (int) sizeof(Header) + header.text_len;
	return true;
}

/* The id of the promise, or the address, as a value of its own. */
text *
rsn_handoff_text(const RsnHandoff *handoff)
{
	return cstring_to_text_with_len(handoff->text, handoff->text_len);
}
