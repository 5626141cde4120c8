/*-------------------------------------------------------------------------
 *
 * signal/wake.c
 *	  Waking the worker and the waiting sessions when a transaction commits.
 *
 * While a transaction runs, the engine notes what it has written (signal/wake_note.c).
 * The commit callback runs after the commit is visible to others, and sets latches: those
 * of the sessions that wait for one of the promises, and the worker's when it has
 * something to do before it would wake by itself.  It allocates nothing and raises no
 * error.  It takes no lock but spinlocks, each to copy some bytes; and the one over the
 * slots, if another database has taken ours meanwhile (signal/slot.c).
 *
 * States of a transaction:
 *
 *		BLANK		has written nothing that anybody has to know
 *		NOTED		has; what it would hand over has room on the ring
 *		TAKEN BACK	is about to be prepared: hands nothing over, now or later
 *
 *		BLANK -> NOTED			my_notes, by each rsn_wake_note_... and _hand_over
 *		NOTED -> TAKEN BACK		rsn_wake_take_back, before PREPARE
 *		NOTED -> BLANK			at_commit, or rsn_handoff_abort
 *		NOTED, TAKEN BACK -> BLANK	at_prepare, or an abort
 *
 * Invariants.  The order of memory is what they rest on, so each names the barriers.
 *
 *	W1	Before a transaction ends, others see nothing of its notes but room that is set
 *		aside.  An abort gives that back, and tells nobody.  What does not wait for the
 *		end is asked for without notes: a worker (rsn_start_ensure), and that deadlines
 *		be stored (rsn_wake_ask_to_expire).
 *
 *	W2	A session that waits misses no commit:
 *
 *			session (rsn_wake_begin_look)	commit (at_commit)
 *			1 waiters[me] = key				a rows become visible
 *			2 full barrier					b full barrier
 *			3 reads must_poll, then rows	c reads waiting, and waiters[i]
 *			4 sleeps, unless waiters[me]	d if one of the keys is ours: waiters[i] =
 *			  says that it was told			  told, full barrier, SetLatch
 *
 *		It does so before each look.  If c does not see 1, it
 *		came before that, and then 3 sees a, because b is between a and c, and 2 between 1
 *		and 3.  Else d follows, and the session finds that at 4, or is woken by the latch.
 *		The latch alone would not do: whatever the reading waits for, such as a page that
 *		another process reads from disk, it waits for on the same latch, and resets it.
 *
 *	W3	The worker misses no deadline:
 *
 *			worker (rsn_look_begin, run_turn)	commit (tell_deadline)
 *			1 wake_at_ms = RSN_TIME_NEVER		a rows become visible
 *			2 full barrier						b full barrier
 *			3 takes told_ms: a full barrier		c reads wake_at_ms
 *			4 reads the rows					d if the deadline is earlier: lowers
 *			5 reads told_ms: due_ms				  told_ms, full barrier, SetLatch
 *			6 wake_at_ms = due_ms
 *			7 reads told_ms again, and sleeps until due_ms
 *
 *		If c reads what was there before 1, 4 sees a.  If it reads what 1 has written, d
 *		follows, and the worker reads told_ms at 5, at 7 or in the turn after the latch.
 *		If it reads what 6 has written, either d follows or the worker comes in time by
 *		itself.  told_ms only becomes lower, but for 3, after which all rows are read that
 *		it was about: d comes after a, so 4 sees them.
 *
 *	W4	The worker misses nothing else that it is to do.  It takes must_deliver,
 *		must_offer and must_reconcile by an exchange, a full barrier, and the ring under
 *		its lock, before it reads the rows.  A commit sets them after its rows are visible,
 *		then there is a full barrier, and then SetLatch.  Before it sleeps, the worker
 *		looks at them again (has_news in worker/loop.c), since its latch may have been
 *		reset for something else.
 *
 *	W5	Where there is no worker, what was set stays in the slot.  A commit that reads no
 *		proc_number has its rows visible before rsn_place_take, a full barrier, writes it,
 *		and so for the look with which every worker begins.  One that reads the number of a
 *		worker that is about to leave has set its flags before it did so: the launcher
 *		reads them after the end of a worker that has made room (rest_until in
 *		worker/launcher.c).  If they are set after that, the commit finds proc_number gone
 *		and last_exit at RSN_EXIT_TURN, and asks the launcher (rsn_start_or_wake).
 *
 *	W6	Nobody is told when a prepared transaction commits.  So must_poll is not zero as
 *		long as there may be one: it is one in a new slot, PREPARE adds one before anybody
 *		can commit it, and only the worker makes it zero, by a compare and exchange from
 *		what it has read before it found none.  While it is not zero the worker looks, and
 *		sessions read their row, once a second.  A session reads it before the row, so
 *		what was prepared then and is committed now shows in the row.  at_prepare adds one,
 *		a full barrier, and wakes all who wait, so that they begin: a session that it does
 *		not see among the waiters reads must_poll after that.
 *
 *	W7	Of what a prepared transaction has left the worker finds messages, deadlines,
 *		leases, schedules and addresses by looking.  For those who were left, and for rows
 *		that were written past the engine, which only reconciling finds, PREPARE notes
 *		may_be_left, which is taken back when none is prepared any more.
 *
 * What breaks them: a slot that another database takes over, which can only be that of a
 * database without worker.  What a transaction that began before would hand over is lost
 * then, and W4 does not hold for it, if it commits after the next worker of its database
 * has begun.  Rows say the same, and the worker after that one finds them.
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

static uint64 watched_key = 0;	/* zero: this backend is none of the waiters */

static bool
wakes_waiter(const RsnXactNotes *notes, uint64 awaited)
{
	Assert(notes->nkeys > 0);
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

/* Tells a session that waits for a key, unless it waits for another one meanwhile. */
static void
tell_waiter(RsnShared *all, int i, uint64 awaited)
{
	(void) pg_atomic_compare_exchange_u64(&all->waiters[i], &awaited,
										  RSN_AWAITED_TOLD);
	rsn_shared_wake_proc(i);
}

static void
wake_waiters(RsnShared *all, const RsnXactNotes *notes)
{
	if (notes->nkeys == 0 || pg_atomic_read_u32(&all->waiting) == 0)
		return;
	for (int i = 0; i < all->nwaiters; i++)
	{
		uint64		awaited = pg_atomic_read_u64(&all->waiters[i]);

		if (wakes_waiter(notes, awaited))
			tell_waiter(all, i, awaited);
	}
}

static void
wake_everyone(RsnShared *all)
{
	for (int i = 0; i < all->nwaiters; i++)
	{
		uint64		awaited = pg_atomic_read_u64(&all->waiters[i]);

		if (awaited != 0)
			tell_waiter(all, i, awaited);
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

	Assert(notes->handed.len == 0 || notes->slot != NULL);
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

	Assert(notes->handed.len == 0);
	Assert(watched_key == 0);
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
			if (watched_key != 0)
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
	if (event == SUBXACT_EVENT_ABORT_SUB && watched_key != 0)
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
	if (watched_key != 0)
		rsn_wake_unwatch();
}

/*
 * From the first rsn_wake_begin_look on, this backend is told when a transaction commits
 * that has written the promise: its latch is set, and rsn_wake_is_told is true.
 */
void
rsn_wake_watch(const char *id, size_t id_len)
{
	static bool is_exit_registered = false;
	RsnShared  *all = rsn_shared();

	Assert(watched_key == 0);
	Assert(pg_atomic_read_u64(&all->waiters[rsn_my_proc_number()]) == 0);
	if (!is_exit_registered)
	{
		before_shmem_exit(unwatch_at_exit, (Datum) 0);
		is_exit_registered = true;
	}
	watched_key = rsn_wake_promise_key(id, id_len);
	pg_atomic_fetch_add_u32(&all->waiting, 1);
}

/*
 * To be called before each look at the promise: what was told until now shows in it.
 * True while commits may happen that wake nobody; what is prepared now and is committed
 * before the look shows in it, too.
 */
bool
rsn_wake_begin_look(void)
{
	RsnSlot    *slot = rsn_slot_for(MyDatabaseId);

	Assert(watched_key != 0);
	pg_atomic_write_u64(&rsn_shared()->waiters[rsn_my_proc_number()], watched_key);
	pg_memory_barrier();
	return RecoveryInProgress() || slot == NULL ||
		pg_atomic_read_u32(&slot->must_poll) != 0;
}

/* True when a commit has told this session since rsn_wake_begin_look: do not sleep. */
bool
rsn_wake_is_told(void)
{
	return pg_atomic_read_u64(&rsn_shared()->waiters[rsn_my_proc_number()]) ==
		RSN_AWAITED_TOLD;
}

/* Ends rsn_wake_watch. */
void
rsn_wake_unwatch(void)
{
	RsnShared  *all = rsn_shared();

	Assert(watched_key != 0);
	Assert(pg_atomic_read_u32(&all->waiting) > 0);
	pg_atomic_fetch_sub_u32(&all->waiting, 1);
	pg_atomic_write_u64(&all->waiters[rsn_my_proc_number()], 0);
	watched_key = 0;
}
