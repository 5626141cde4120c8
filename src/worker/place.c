/*-------------------------------------------------------------------------
 *
 * worker/place.c
 *	  How the worker takes its place in a database, and when it leaves.
 *
 * DROP DATABASE, CREATE DATABASE ... TEMPLATE and ALTER DATABASE ... RENAME wait
 * five seconds for other sessions to leave, and have no way to ask us to.  Nor has
 * ALTER DATABASE ... SET resonate.worker = off.  So the worker looks: at the lock on
 * the database that the former take whenever it has slept or done a step, and once a
 * second at what the latter stores.  At the same time it looks whether triggers were
 * switched off and on again, of which nobody tells it either.
 *
 * Where there are more databases than processes, the launcher says how many of them
 * wait.  A worker that has been there for a turn, or has nothing to do for as long as
 * one, makes room for one of these.  What it leaves in its slot tells the launcher
 * when the database needs a worker again; see worker/launcher.c.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/xact.h"
#include "catalog/pg_database.h"
#include "miscadmin.h"
#include "storage/ipc.h"
#include "storage/latch.h"
#include "storage/lmgr.h"
#include "utils/wait_event.h"

#include "server/clock.h"
#include "server/compat.h"
#include "signal/handoff.h"
#include "worker/run.h"
#include "worker/switch.h"

/* How often to look whether resonate.worker is still on. */
#define SWITCH_CHECK_MS		1000

/* How long a worker stays, while another database waits. */
#define TURN_MS				1000

static void
detach(int code, Datum arg)
{
	RsnSlot    *slot = (RsnSlot *) DatumGetPointer(arg);

	Assert(pg_atomic_read_u32(&slot->proc_number) == rsn_my_proc_number());
	pg_atomic_write_u32(&slot->pid, 0);
	pg_atomic_write_u32(&slot->proc_number, RSN_NO_PROC);
}

/* Begins to count; what one has counted that has only made room stays. */
static void
forget_predecessor(RsnSlot *slot)
{
	pg_atomic_write_u64(&slot->started_at_ms, rsn_clock_wall());
	pg_atomic_write_u32(&slot->failing_steps, 0);
	for (int i = 0; i < RSN_NCOUNTERS; i++)
		pg_atomic_write_u64(&slot->counters[i], 0);
}

/* Makes this process the worker of its database; there is at most one. */
RsnSlot *
rsn_place_take(void)
{
	RsnSlot    *slot = rsn_slot_for(MyDatabaseId);
	uint32		nobody = RSN_NO_PROC;

	if (slot == NULL)
	{
		ereport(LOG,
				(errcode(ERRCODE_CONFIGURATION_LIMIT_EXCEEDED),
				 errmsg("no slot is free for another resonate worker"),
				 errhint("Increase max_worker_processes.")));
		proc_exit(0);
	}
	if (!pg_atomic_compare_exchange_u32(&slot->proc_number, &nobody,
										rsn_my_proc_number()))
		proc_exit(0);
	pg_atomic_write_u32(&slot->last_exit, RSN_EXIT_FAILED);
	before_shmem_exit(detach, PointerGetDatum(slot));

	pg_atomic_write_u32(&slot->pid, MyProcPid);
	pg_atomic_write_u64(&slot->active_at_ms, rsn_clock_wall());
	if (pg_atomic_exchange_u32(&slot->is_resting, 0) == 0)
		forget_predecessor(slot);

	/* What happened before we came is not known, or is in rows. */
	rsn_handoff_drop_all(slot);
	pg_atomic_write_u32(&slot->must_reconcile, RSN_RECONCILE_MORE);
	pg_atomic_write_u32(&slot->must_deliver, 1);
	pg_atomic_write_u32(&slot->must_offer, 1);
	pg_atomic_write_u32(&slot->may_be_left, 1);
	pg_atomic_write_u32(&slot->must_poll, 1);
	return slot;
}

/* Ends this process for good; the launcher reads why. */
void
rsn_place_leave(RsnRun *run, RsnWorkerExit reason)
{
	Assert(!IsTransactionState());
	pg_atomic_write_u32(&run->slot->last_exit, reason);
	proc_exit(0);
}

/* What nobody tells the worker. */
typedef struct Unheard
{
	bool		is_on;			/* resonate.worker */
	bool		has_foreign_rows;	/* perhaps: see store/trigger.c */
} Unheard;

static void
look_for_unheard(RsnRun *run, void *arg)
{
	Unheard    *unheard = arg;

	unheard->is_on = rsn_switch_is_on();
	if (unheard->is_on)
		unheard->has_foreign_rows = rsn_store_are_triggers_changed();
}

/* Has everything looked for, from the start. */
static void
want_everything(RsnSlot *slot)
{
	pg_atomic_write_u32(&slot->must_reconcile, RSN_RECONCILE_FOREIGN_ROWS);
	pg_atomic_write_u32(&slot->must_deliver, 1);
	pg_atomic_write_u32(&slot->must_offer, 1);
	SetLatch(MyLatch);
}

/*
 * Leaves when the worker of this database is switched off.  False when that cannot be
 * found out, which is no reason to stop what was begun, but one not to begin.
 */
static bool
look_at_switch(RsnRun *run)
{
	Unheard		unheard = {.is_on = true};
	bool		is_known;

	run->switch_seen_ms = rsn_clock_monotonic();
	is_known = rsn_run_try(run, "look at resonate.worker",
						   look_for_unheard, &unheard);
	if (!unheard.is_on)
		rsn_place_leave(run, RSN_EXIT_OFF);
	if (unheard.has_foreign_rows)
		want_everything(run->slot);
	return is_known;
}

/* Takes nothing on before it is known that the worker of this database may run. */
void
rsn_place_wait_for_switch(RsnRun *run)
{
	while (!look_at_switch(run))
	{
		(void) WaitLatch(MyLatch, WL_LATCH_SET | WL_TIMEOUT | WL_EXIT_ON_PM_DEATH,
						 SWITCH_CHECK_MS, PG_WAIT_EXTENSION);
		ResetLatch(MyLatch);
		CHECK_FOR_INTERRUPTS();
	}
}

/*
 * Leaves when somebody holds the lock that keeps others out of the database, as
 * DROP DATABASE does, or when the worker is switched off.
 */
void
rsn_place_yield(RsnRun *run)
{
	LOCKTAG		tag;

	Assert(!IsTransactionState());
	SET_LOCKTAG_OBJECT(tag, InvalidOid, DatabaseRelationId, MyDatabaseId, 0);
	if (LockAcquire(&tag, RowExclusiveLock, true, true) ==
		LOCKACQUIRE_NOT_AVAIL)
		rsn_place_leave(run, RSN_EXIT_YIELDED);
	LockRelease(&tag, RowExclusiveLock, true);
	if (rsn_clock_monotonic() - run->switch_seen_ms >= SWITCH_CHECK_MS)
		(void) look_at_switch(run);
}

/* Takes it on to make room for one of the databases that wait; false if none does. */
static bool
take_on_leaving(void)
{
	pg_atomic_uint32 *nwaiting = &rsn_shared()->nwaiting;
	uint32		n = pg_atomic_read_u32(nwaiting);

	while (n > 0)
	{
		if (pg_atomic_compare_exchange_u32(nwaiting, &n, n - 1))
			return true;
	}
	return false;
}

/*
 * Leaves when another database waits for the process, if this one has had its turn,
 * or has nothing to do before an instant that is far enough.  Zero: it has.
 */
void
rsn_place_pass_turn(RsnRun *run, int64 wake_at_ms)
{
	Assert(!IsTransactionState());
	if (pg_atomic_read_u32(&rsn_shared()->nwaiting) == 0 ||
		(rsn_clock_monotonic() - run->attached_ms < TURN_MS &&
		 rsn_clock_wait_ms(wake_at_ms, TURN_MS) < TURN_MS) ||
		!take_on_leaving())
		return;
	pg_atomic_write_u64(&run->slot->wake_at_ms, wake_at_ms);
	pg_atomic_write_u32(&run->slot->is_resting, 1);
	rsn_place_leave(run, RSN_EXIT_TURN);
}
