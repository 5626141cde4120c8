/*-------------------------------------------------------------------------
 *
 * signal/wake.c
 *	  Waking the worker and the waiting sessions when a transaction commits.
 *
 * While a transaction runs, the engine notes here what it has written.  The
 * commit callback runs after the commit is visible to others, and sets
 * latches: those of the sessions that wait for one of the promises, and the
 * worker's when it has something to do before it would wake by itself.  It
 * takes no lock, writes nothing and cannot fail.
 *
 * No wake-up is lost: a sleeper announces itself in shared memory first and
 * looks at the rows afterwards; we make the rows visible first and look for
 * sleepers afterwards.
 *
 * The notes do not follow subtransactions: one that is rolled back leaves a
 * spurious wake-up, which is harmless.  Nothing is decided by them: whether this
 * transaction has written a promise, await_promise asks the row.  The callback of COMMIT PREPARED runs
 * nowhere, so PREPARE makes the sleepers poll (must_poll) until the worker
 * finds that no prepared transaction is left.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/xact.h"
#include "access/xlog.h"
#include "common/hashfn.h"
#include "miscadmin.h"
#include "storage/ipc.h"
#include "storage/proc.h"
#include "utils/memutils.h"

#include "core/address.h"
#include "server/clock.h"
#include "server/compat.h"
#include "server/guc.h"
#include "signal/handoff.h"
#include "signal/slot.h"
#include "signal/start.h"
#include "signal/wake.h"

/* More promises than this in one transaction: every waiter looks for itself. */
#define MAX_KEYS_COMPARED 64

typedef struct XactNotes
{
	bool		has_message;	/* there is something to deliver */
	bool		has_offer;		/* there is something to dequeue, somewhere */
	bool		has_foreign_rows;	/* it must look for settled callbacks */
	bool		has_left;		/* the same, for its own transaction's */
	bool		wants_start;	/* CREATE EXTENSION: have it started */
	int64		first_deadline_ms;	/* earliest deadline armed; zero: now */
	RsnHandoffList handed;		/* to the worker, in TopTransactionContext */
	RsnSlot    *slot;			/* where that list is to go */
	bool		is_refused;		/* there was no room for more */
	int			last_offer;		/* position of the last address in it */
	int			last_offer_len; /* zero: none */
	uint64		keys[MAX_KEYS_COMPARED];	/* promises written */
	int			nkeys;			/* one more than fit: all there may be */
	RsnHandoffKind last_offer_kind;
} XactNotes;

static const XactNotes no_notes = {.first_deadline_ms = RSN_TIME_NEVER};

static XactNotes notes;
static bool is_noted = false;
static bool is_watching = false;

/* Identifies a promise of this database to waiters; never zero. */
static uint64
promise_key(const char *id, size_t id_len)
{
	uint64		key = hash_bytes_extended((const unsigned char *) id,
										  (int) id_len, MyDatabaseId);

	return key == 0 ? 1 : key;
}

/*
 * The notes of this transaction.  Attaches to shared memory here, where an
 * error can still abort the transaction, because the callback must not fail.
 */
static XactNotes *
my_notes(void)
{
	if (!is_noted)
	{
		notes = no_notes;
		is_noted = true;
		notes.slot = rsn_shared_slot(MyDatabaseId);
	}
	return &notes;
}

/* Notes that this transaction has written a promise. */
void
rsn_wake_note_promise(const char *id, size_t id_len)
{
	XactNotes  *mine = my_notes();

	if (mine->nkeys < MAX_KEYS_COMPARED)
		mine->keys[mine->nkeys] = promise_key(id, id_len);
	mine->nkeys = Min(mine->nkeys + 1, MAX_KEYS_COMPARED + 1);
}

/* Notes that it has removed all promises. */
void
rsn_wake_note_all_promises(void)
{
	my_notes()->nkeys = MAX_KEYS_COMPARED + 1;
}

/* Notes a deadline that the worker has to keep. */
void
rsn_wake_note_deadline(int64 deadline_ms)
{
	XactNotes  *mine = my_notes();

	mine->first_deadline_ms = Min(mine->first_deadline_ms, deadline_ms);
	rsn_worker_ensure();
}

/* Notes that there is a message for the worker to deliver. */
void
rsn_wake_note_message(void)
{
	my_notes()->has_message = true;
	rsn_worker_ensure();
}

/*
 * True when this transaction may hand over what it writes: that is certain as soon
 * as it commits, is seen by the worker then, and by the same clock; and there was
 * room so far.
 */
bool
rsn_wake_can_hand_over(void)
{
	XactNotes  *mine = my_notes();
	RsnSlot    *slot = mine->slot;

	return slot != NULL && slot == rsn_shared_slot(MyDatabaseId) &&
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
	rsn_worker_ensure();
	return true;
}

/*
 * Takes back what this transaction would hand over: nobody is told when a prepared
 * one commits.  Of offers the worker finds out by itself then.
 */
RsnHandoffList
rsn_wake_take_back(void)
{
	RsnHandoffList list = {0};
	RsnHandoff	handoff;
	int			position = 0;

	if (is_noted && notes.handed.len > 0)
	{
		list = notes.handed;
		rsn_handoff_abort(notes.slot, &list);
		while (rsn_handoff_next(&list, &position, &handoff))
			notes.has_left |= handoff.kind == RSN_HANDOFF_LEFT;
		notes.handed = no_notes.handed;
		notes.last_offer_len = 0;
	}
	return list;
}

static bool
is_same_offer(const XactNotes *mine, const RsnHandoff *handoff)
{
	return mine->last_offer_len == handoff->text_len &&
		mine->last_offer_kind == handoff->kind &&
		memcmp(mine->handed.bytes + mine->last_offer, handoff->text,
			   handoff->text_len) == 0;
}

/* Hands over an address that has something, unless it is that of the last one. */
static bool
hand_address_over(RsnHandoffKind kind, const text *address)
{
	XactNotes  *mine = my_notes();
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
	rsn_worker_ensure();
}

/* The same of a message that is not for the worker to deliver. */
void
rsn_wake_note_unblock(const text *address)
{
	if (address == NULL || !hand_address_over(RSN_HANDOFF_UNBLOCK, address))
		my_notes()->has_offer = true;
	rsn_worker_ensure();
}

/*
 * True when a settlement may leave those who wait for it to the worker: there is one,
 * and it goes by the same clock.  Unlike what is handed over, what is left is found
 * by the rows if need be, so it does not matter how the transaction ends.
 */
bool
rsn_wake_can_leave(void)
{
	XactNotes  *mine = my_notes();
	RsnSlot    *slot = mine->slot;

	return slot != NULL && slot == rsn_shared_slot(MyDatabaseId) &&
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
	rsn_worker_ensure();
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

/*
 * Asks the worker, now and whatever becomes of this transaction, to store the
 * deadlines of internal promises that have passed.
 */
void
rsn_wake_ask_to_expire(void)
{
	RsnSlot    *slot = rsn_shared_find_slot(MyDatabaseId);

	if (slot != NULL && pg_atomic_exchange_u32(&slot->must_expire, 1) == 0)
		rsn_shared_wake_proc(pg_atomic_read_u32(&slot->proc_number));
}

static bool
wakes_waiter(uint64 awaited)
{
	if (awaited == 0)
		return false;
	if (notes.nkeys > MAX_KEYS_COMPARED)
		return true;
	for (int i = 0; i < notes.nkeys; i++)
	{
		if (notes.keys[i] == awaited)
			return true;
	}
	return false;
}

static void
wake_waiters(RsnShared *all)
{
	if (notes.nkeys == 0 || pg_atomic_read_u32(&all->waiting) == 0)
		return;
	for (int i = 0; i < all->nwaiters; i++)
	{
		if (wakes_waiter(pg_atomic_read_u64(&all->waiters[i])))
			rsn_shared_wake_proc(i);
	}
}

static void
wake_everyone(RsnShared *all)
{
	for (int i = 0; i < all->nwaiters; i++)
	{
		if (pg_atomic_read_u64(&all->waiters[i]) != 0)
			rsn_shared_wake_proc(i);
	}
}

/*
 * Tells the worker of a deadline that is earlier than what it knows; true if it is.
 * It is not told to look, or commits would keep it looking whenever a look takes
 * longer than it takes until the next commit.
 */
static bool
tell_deadline(RsnSlot *slot, int64 deadline_ms)
{
	uint64		told = pg_atomic_read_u64(&slot->told_ms);

	if (deadline_ms >= (int64) pg_atomic_read_u64(&slot->wake_at_ms))
		return false;
	while (deadline_ms < (int64) told &&
		   !pg_atomic_compare_exchange_u64(&slot->told_ms, &told,
										   (uint64) deadline_ms))
		;
	return true;
}

static void
wake_worker(RsnSlot *slot)
{
	bool		is_told = tell_deadline(slot, notes.first_deadline_ms);
	uint32		no_rows = RSN_RECONCILE_NO;

	if (notes.has_foreign_rows)
		pg_atomic_write_u32(&slot->must_reconcile,
							RSN_RECONCILE_FOREIGN_ROWS);
	else if (notes.has_left)
		(void) pg_atomic_compare_exchange_u32(&slot->must_reconcile, &no_rows,
											  RSN_RECONCILE_MORE);
	if (notes.has_message)
		pg_atomic_write_u32(&slot->must_deliver, 1);
	if (notes.has_offer)
		pg_atomic_write_u32(&slot->must_offer, 1);
	if (notes.handed.len > 0)
		rsn_handoff_commit(slot, &notes.handed);
	if (notes.has_message || notes.has_offer || notes.has_left || is_told ||
		notes.handed.len > 0)
	{
		pg_memory_barrier();
		rsn_worker_wake(slot);
	}
}

static void
at_commit(void)
{
	RsnShared  *all = rsn_shared();
	RsnSlot    *slot = rsn_shared_slot(MyDatabaseId);

	/* Our rows are visible; order that before the look at the sleepers. */
	pg_memory_barrier();
	wake_waiters(all);
	if (slot == NULL)
		return;
	if (slot != notes.slot)
		notes.handed.len = 0;
	wake_worker(slot);
	if (notes.wants_start)
		rsn_worker_request_start(slot);
}

static void
at_prepare(void)
{
	RsnShared  *all = rsn_shared();
	RsnSlot    *slot = rsn_shared_slot(MyDatabaseId);

	if (slot == NULL)
		return;
	if (notes.has_left)
		pg_atomic_write_u32(&slot->prepared_left, RSN_PREPARED_SOME);
	pg_atomic_fetch_add_u32(&slot->must_poll, 1);
	if (notes.has_foreign_rows)
		pg_atomic_write_u32(&slot->must_reconcile,
							RSN_RECONCILE_FOREIGN_ROWS);
	pg_memory_barrier();
	rsn_worker_wake(slot);
	wake_everyone(all);
}

static void
xact_callback(XactEvent event, void *arg)
{
	if (is_noted)
	{
		switch (event)
		{
			case XACT_EVENT_COMMIT:
				at_commit();
				is_noted = false;
				break;
			case XACT_EVENT_PREPARE:
				at_prepare();
				is_noted = false;
				break;
			case XACT_EVENT_ABORT:
				if (notes.handed.len > 0)
					rsn_handoff_abort(notes.slot, &notes.handed);
				is_noted = false;
				break;
			default:
				break;
		}
	}
	if (event == XACT_EVENT_ABORT && is_watching)
		rsn_wake_unwatch();
}

/* An error ends the wait, also where a subtransaction catches it. */
static void
subxact_callback(SubXactEvent event, SubTransactionId my_id,
				 SubTransactionId parent_id, void *arg)
{
	if (event == SUBXACT_EVENT_ABORT_SUB && is_watching)
		rsn_wake_unwatch();
}

/* Registers the callbacks, once for the life of the backend. */
void
rsn_wake_init(void)
{
	RegisterXactCallback(xact_callback, NULL);
	RegisterSubXactCallback(subxact_callback, NULL);
}

static void
unwatch_at_exit(int code, Datum arg)
{
	if (is_watching)
		rsn_wake_unwatch();
}

/*
 * From now on this backend's latch is set when a transaction commits that has
 * written the promise.  Look at the promise after this call, not before.
 */
void
rsn_wake_watch(const char *id, size_t id_len)
{
	static bool is_exit_registered = false;
	RsnShared  *all = rsn_shared();

	Assert(!is_watching);
	if (!is_exit_registered)
	{
		before_shmem_exit(unwatch_at_exit, (Datum) 0);
		is_exit_registered = true;
	}
	is_watching = true;
	pg_atomic_write_u64(&all->waiters[rsn_my_proc_number()],
						promise_key(id, id_len));
	pg_atomic_fetch_add_u32(&all->waiting, 1);
}

/* Ends rsn_wake_watch. */
void
rsn_wake_unwatch(void)
{
	RsnShared  *all = rsn_shared();

	pg_atomic_fetch_sub_u32(&all->waiting, 1);
	pg_atomic_write_u64(&all->waiters[rsn_my_proc_number()], 0);
	is_watching = false;
}

/*
 * True while commits may happen that wake nobody.  Ask before looking at the
 * rows: what was prepared then and is committed now, shows in them.
 */
bool
rsn_wake_must_poll(void)
{
	RsnSlot    *slot = rsn_shared_slot(MyDatabaseId);

	return RecoveryInProgress() || slot == NULL ||
		pg_atomic_read_u32(&slot->must_poll) != 0;
}
