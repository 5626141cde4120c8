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
#include "miscadmin.h"
#include "storage/ipc.h"

#include "server/clock.h"
#include "server/compat.h"
#include "signal/handoff.h"
#include "signal/internal.h"
#include "signal/slot.h"
#include "signal/start.h"
#include "signal/wake.h"

static bool is_watching = false;	/* this backend is one of the waiters */

static bool
wakes_waiter(const RsnXactNotes *notes, uint64 awaited)
{
	if (awaited == 0)
		return false;
	if (notes->nkeys > RSN_KEYS_COMPARED)
		return true;
	for (int i = 0; i < notes->nkeys; i++)
	{
		if (notes->keys[i] == awaited)
			return true;
	}
	return false;
}

static void
wake_waiters(RsnShared *all, const RsnXactNotes *notes)
{
	if (notes->nkeys == 0 || pg_atomic_read_u32(&all->waiting) == 0)
		return;
	for (int i = 0; i < all->nwaiters; i++)
	{
		if (wakes_waiter(notes, pg_atomic_read_u64(&all->waiters[i])))
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
wake_worker(RsnSlot *slot, RsnXactNotes *notes)
{
	bool		is_told = tell_deadline(slot, notes->first_deadline_ms);
	uint32		no_rows = RSN_RECONCILE_NO;

	if (notes->has_foreign_rows)
		pg_atomic_write_u32(&slot->must_reconcile,
							RSN_RECONCILE_FOREIGN_ROWS);
	else if (notes->has_left)
		(void) pg_atomic_compare_exchange_u32(&slot->must_reconcile, &no_rows,
											  RSN_RECONCILE_MORE);
	if (notes->has_message)
		pg_atomic_write_u32(&slot->must_deliver, 1);
	if (notes->has_offer)
		pg_atomic_write_u32(&slot->must_offer, 1);
	if (notes->handed.len > 0)
		rsn_handoff_commit(slot, &notes->handed);
	if (notes->has_message || notes->has_offer || notes->has_left || is_told ||
		notes->handed.len > 0)
	{
		pg_memory_barrier();
		rsn_start_or_wake(slot);
	}
}

static void
at_commit(RsnXactNotes *notes)
{
	RsnShared  *all = rsn_shared();
	RsnSlot    *slot = rsn_slot_for(MyDatabaseId);

	/* Our rows are visible; order that before the look at the sleepers. */
	pg_memory_barrier();
	wake_waiters(all, notes);
	if (slot == NULL)
		return;
	if (slot != notes->slot)
		notes->handed.len = 0;
	wake_worker(slot, notes);
	if (notes->wants_start)
		rsn_start_request(slot);
}

static void
at_prepare(RsnXactNotes *notes)
{
	RsnShared  *all = rsn_shared();
	RsnSlot    *slot = rsn_slot_for(MyDatabaseId);

	if (slot == NULL)
		return;
	if (notes->has_left || notes->has_foreign_rows)
		pg_atomic_write_u32(&slot->may_be_left, 1);
	pg_atomic_fetch_add_u32(&slot->must_poll, 1);
	if (notes->has_foreign_rows)
		pg_atomic_write_u32(&slot->must_reconcile,
							RSN_RECONCILE_FOREIGN_ROWS);
	pg_memory_barrier();
	rsn_start_or_wake(slot);
	wake_everyone(all);
}

static void
xact_callback(XactEvent event, void *arg)
{
	RsnXactNotes *notes = rsn_wake_notes();

	switch (event)
	{
		case XACT_EVENT_COMMIT:
			if (notes != NULL)
				at_commit(notes);
			rsn_wake_forget_notes();
			break;
		case XACT_EVENT_PREPARE:
			if (notes != NULL)
				at_prepare(notes);
			rsn_wake_forget_notes();
			break;
		case XACT_EVENT_ABORT:
			if (notes != NULL && notes->handed.len > 0)
				rsn_handoff_abort(notes->slot, &notes->handed);
			rsn_wake_forget_notes();
			if (is_watching)
				rsn_wake_unwatch();
			break;
		default:
			break;
	}
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

/*
 * Asks the worker, now and whatever becomes of this transaction, to store the
 * deadlines of internal promises that have passed.
 */
void
rsn_wake_ask_to_expire(void)
{
	RsnSlot    *slot = rsn_slot_find(MyDatabaseId);

	if (slot != NULL && pg_atomic_exchange_u32(&slot->must_expire, 1) == 0)
		rsn_shared_wake_proc(pg_atomic_read_u32(&slot->proc_number));
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
						rsn_wake_promise_key(id, id_len));
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
	RsnSlot    *slot = rsn_slot_for(MyDatabaseId);

	return RecoveryInProgress() || slot == NULL ||
		pg_atomic_read_u32(&slot->must_poll) != 0;
}
