/*-------------------------------------------------------------------------
 *
 * signal/wake_note.c
 *	  What a transaction notes, for its commit to tell.
 *
 * The engine notes here what it has written.  All that can fail happens here, where an
 * error can still abort the transaction: attaching to shared memory, allocating, setting
 * room aside on the ring.  signal/wake.c does the rest.
 *
 * The notes do not follow subtransactions: one that is rolled back leaves a spurious
 * wake-up, which is harmless.  What is handed over is only handed over outside of them.
 * Nothing is decided by the notes: whether this transaction has written a promise,
 * await_promise asks the row.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/xact.h"
#include "common/hashfn.h"
#include "miscadmin.h"
#include "utils/memutils.h"

#include "server/clock.h"
#include "server/compat.h"
#include "server/guc.h"
#include "signal/internal.h"
#include "signal/start.h"
#include "signal/wake.h"

static const RsnXactNotes no_notes = {.first_deadline_ms = RSN_TIME_NEVER};

static RsnXactNotes notes;
static bool is_noted = false;

/* Identifies a promise of this database to waiters; neither zero nor RSN_AWAITED_TOLD. */
uint64
rsn_wake_promise_key(const char *id, size_t id_len)
{
	uint64		key = hash_bytes_extended((const unsigned char *) id,
										  (int) id_len, MyDatabaseId);

	Assert(OidIsValid(MyDatabaseId));
	return key == 0 || key == RSN_AWAITED_TOLD ? 1 : key;
}

/* What this transaction has noted, or NULL: nothing. */
RsnXactNotes *
rsn_wake_notes(void)
{
	return is_noted ? &notes : NULL;
}

/* The transaction has ended. */
void
rsn_wake_forget_notes(void)
{
	is_noted = false;
}

/*
 * The notes of this transaction.  Attaches to shared memory here, where an
 * error can still abort the transaction, because the callback must not fail.
 */
static RsnXactNotes *
my_notes(void)
{
	Assert(IsTransactionState());
	if (!is_noted)
	{
		notes = no_notes;
		is_noted = true;
		notes.slot = rsn_slot_for(MyDatabaseId);
	}
	return &notes;
}

/* Notes that this transaction has written a promise. */
void
rsn_wake_note_promise(const char *id, size_t id_len)
{
	RsnXactNotes *mine = my_notes();

	Assert(mine->nkeys >= 0 && mine->nkeys <= RSN_KEYS_COMPARED + 1);
	if (mine->nkeys < RSN_KEYS_COMPARED)
		mine->keys[mine->nkeys] = rsn_wake_promise_key(id, id_len);
	mine->nkeys = Min(mine->nkeys + 1, RSN_KEYS_COMPARED + 1);
}

/* Notes that it has removed all promises. */
void
rsn_wake_note_all_promises(void)
{
	my_notes()->nkeys = RSN_KEYS_COMPARED + 1;
}

/* Notes a deadline that the worker has to keep. */
void
rsn_wake_note_deadline(int64 deadline_ms)
{
	RsnXactNotes *mine = my_notes();

	mine->first_deadline_ms = Min(mine->first_deadline_ms, deadline_ms);
	rsn_start_ensure();
}

/* Notes that there is a message for the worker to deliver. */
void
rsn_wake_note_message(void)
{
	my_notes()->has_message = true;
	rsn_start_ensure();
}

/*
 * True when this transaction may hand over what it writes: that is certain as soon
 * as it commits, is seen by the worker then, and by the same clock; and there was
 * room so far.
 */
bool
rsn_wake_can_hand_over(void)
{
	RsnXactNotes *mine = my_notes();
	RsnSlot    *slot = mine->slot;

	return slot != NULL && slot == rsn_slot_for(MyDatabaseId) &&
		!mine->is_refused &&
		!rsn_guc_debug && !IsolationUsesXactSnapshot() &&
		GetCurrentTransactionNestLevel() == 1 &&
		pg_atomic_read_u32(&slot->is_paused) == 0;
}

static bool
hand_over(const RsnHandoff *handoff)
{
	if (!rsn_wake_can_hand_over())
		return false;
	notes.is_refused = !rsn_handoff_add(notes.slot, &notes.handed,
										TopTransactionContext, handoff);
	Assert(notes.is_refused || notes.handed.len > 0);
	return !notes.is_refused;
}

/*
 * Has the worker deliver callbacks of a promise that this transaction has settled,
 * which stay where they are until then.  False when they have to become messages
 * instead; that some of them are handed over already does no harm.
 */
bool
rsn_wake_hand_over(const text *promise_id, RsnPromiseState state,
				   const ItemPointerData *tids, int n)
{
	RsnHandoff	handoff = {.kind = RSN_HANDOFF_CALLBACK,.state = state};

	handoff.text = VARDATA_ANY(promise_id);
	handoff.text_len = VARSIZE_ANY_EXHDR(promise_id);
	for (int i = 0; i < n; i++)
	{
		handoff.tid = tids[i];
		if (!hand_over(&handoff))
			return false;
	}
	rsn_start_ensure();
	return true;
}

/*
 * Takes back what this transaction would hand over, and has it hand over nothing more:
 * nobody is told when a prepared one commits.  Of offers the worker finds out by itself
 * then.
 */
RsnHandoffList
rsn_wake_take_back(void)
{
	RsnHandoffList list = {0};
	RsnHandoff	handoff;
	int			position = 0;

	if (!is_noted)
		return list;
	notes.is_refused = true;
	if (notes.handed.len > 0)
	{
		list = notes.handed;
		Assert(notes.slot != NULL);
		rsn_handoff_abort(notes.slot, &list);
		while (rsn_handoff_next(&list, &position, &handoff))
			notes.has_left |= handoff.kind == RSN_HANDOFF_LEFT;
		notes.handed = no_notes.handed;
		notes.last_offer_len = 0;
	}
	return list;
}

static bool
is_same_offer(const RsnXactNotes *mine, const RsnHandoff *handoff)
{
	Assert(mine->last_offer + mine->last_offer_len <= mine->handed.len);
	return mine->last_offer_len == handoff->text_len &&
		mine->last_offer_kind == handoff->kind &&
		memcmp(mine->handed.bytes + mine->last_offer, handoff->text,
			   handoff->text_len) == 0;
}

/* Hands over an address that has something, unless it is that of the last one. */
static bool
hand_address_over(RsnHandoffKind kind, const text *address)
{
	RsnXactNotes *mine = my_notes();
	RsnHandoff	handoff = {.kind = kind};

	handoff.text = VARDATA_ANY(address);
	handoff.text_len = VARSIZE_ANY_EXHDR(address);
	if (is_same_offer(mine, &handoff))
		return true;
	if (!hand_over(&handoff))
		return false;
	mine->last_offer = mine->handed.len - handoff.text_len;
	mine->last_offer_len = handoff.text_len;
	mine->last_offer_kind = kind;
	return true;
}

/*
 * Notes that there is a task to dequeue, of which the worker has to tell: at that
 * address, or NULL for anywhere.
 */
void
rsn_wake_note_offer(const text *address)
{
	if (address == NULL || !hand_address_over(RSN_HANDOFF_OFFER, address))
		my_notes()->has_offer = true;
	rsn_start_ensure();
}

/* The same of a message that is not for the worker to deliver. */
void
rsn_wake_note_unblock(const text *address)
{
	if (address == NULL || !hand_address_over(RSN_HANDOFF_UNBLOCK, address))
		my_notes()->has_offer = true;
	rsn_start_ensure();
}

/*
 * True when a settlement may leave those who wait for it to the worker: there is one,
 * and it goes by the same clock.  Unlike what is handed over, what is left is found
 * by the rows if need be, so it does not matter how the transaction ends.
 */
bool
rsn_wake_can_leave(void)
{
	RsnXactNotes *mine = my_notes();
	RsnSlot    *slot = mine->slot;

	return slot != NULL && slot == rsn_slot_for(MyDatabaseId) &&
		!rsn_guc_debug &&
		pg_atomic_read_u32(&slot->proc_number) != RSN_NO_PROC &&
		pg_atomic_read_u32(&slot->is_paused) == 0;
}

/*
 * Has the worker tell those who wait for a promise that this transaction has settled
 * and left with them; where it cannot be told which one, it looks at all.
 */
void
rsn_wake_note_left(const text *promise_id)
{
	RsnHandoff	handoff = {.kind = RSN_HANDOFF_LEFT};

	handoff.text = VARDATA_ANY(promise_id);
	handoff.text_len = VARSIZE_ANY_EXHDR(promise_id);
	if (!hand_over(&handoff))
		my_notes()->has_left = true;
	rsn_start_ensure();
}

/* Notes rows that were written past the engine, as by a restore. */
void
rsn_wake_note_foreign_rows(void)
{
	my_notes()->has_foreign_rows = true;
	rsn_wake_note_deadline(0);
	rsn_wake_note_message();
	rsn_wake_note_offer(NULL);
}

/* Notes that the launcher has to start a worker here (CREATE EXTENSION). */
void
rsn_wake_note_start(void)
{
	my_notes()->wants_start = true;
}
