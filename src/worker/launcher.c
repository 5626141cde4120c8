/*-------------------------------------------------------------------------
 *
 * worker/launcher.c
 *	  Starting workers: at server start, on request, and again after a failure.
 *
 * Where the library is preloaded, one launcher for the cluster looks into
 * pg_database, starts a worker in each database, and starts it again when it
 * ends.  A worker that finds no extension leaves and is not started again until
 * CREATE EXTENSION asks for it.  One that finds itself switched off leaves, and now
 * and then another one looks whether that is still so: what is set for a database
 * can only be read from within one.  The launcher starts when recovery is over, so
 * not on a standby until its promotion, and not during binary upgrade.
 *
 * Where there are more databases than processes, they share these in turns.  The
 * launcher says how many databases wait, and as many workers make room, be it that
 * they have nothing to do, or have been there for a turn (worker/place.c).  The
 * process goes to the database that has needed one for the longest time.  What a
 * worker has left in its slot, and what commits have added since, says when its
 * database needs one again; if the slot is lost to another database, that is at once.
 *
 * All its plans are made by a clock that nobody sets.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "lib/stringinfo.h"
#include "miscadmin.h"
#include "pgstat.h"
#include "postmaster/interrupt.h"
#include "storage/ipc.h"
#include "storage/latch.h"
#include "tcop/tcopprot.h"
#include "utils/memutils.h"

#include "server/clock.h"
#include "server/compat.h"
#include "signal/slot.h"
#include "worker/launcher.h"
#include "worker/settings.h"

/* A new database, made from a template, is found after this. */
#define RESCAN_MS			60000

/* A worker that has lived this long was not broken from the start. */
#define HEALTHY_MS			10000

/*
 * Workers are started this far apart, unless the last one has left already:
 * most databases have no extension, and their workers need a slot for a moment
 * only.
 */
#define STAGGER_MS			200

/* A worker that left the database to somebody else comes back after this. */
#define YIELD_MS			5000

/* How often to look whether a worker that was switched off still is. */
#define OFF_MS				60000

/* A database whose worker has made room has another turn after this at the latest. */
#define REST_MAX_MS			60000

/* While a prepared transaction is left, which can commit unseen. */
#define REST_PREPARED_MS	1000

/* How often to look whether there is a process, when there was none. */
#define NO_PROCESS_MS		1000

/*
 * A database that waits for longer is reported even if it is not known whether it
 * has the extension.
 */
#define PATIENCE_MS			10000

/* So many databases are named in a report. */
#define NAMES_MAX			20

static void
detach(int code, Datum arg)
{
	Assert(pg_atomic_read_u32(&rsn_shared()->launcher_proc_number) ==
		   rsn_my_proc_number());
	pg_atomic_write_u32(&rsn_shared()->nwaiting, 0);
	pg_atomic_write_u32(&rsn_shared()->launcher_proc_number, RSN_NO_PROC);
}

/* When a database whose worker has made room needs one again. */
static int64
rest_until(RsnSlot *slot, int64 now_ms)
{
	int64		due_ms;

	if (slot == NULL || pg_atomic_read_u32(&slot->is_resting) == 0 ||
		pg_atomic_read_u32(&slot->must_deliver) != 0 ||
		pg_atomic_read_u32(&slot->must_offer) != 0 ||
		pg_atomic_read_u32(&slot->must_reconcile) != RSN_RECONCILE_NO ||
		slot->ring.used > 0)
		return now_ms;
	due_ms = Min((int64) pg_atomic_read_u64(&slot->wake_at_ms),
				 (int64) pg_atomic_read_u64(&slot->told_ms));
	return now_ms + rsn_clock_wait_ms(due_ms,
									  pg_atomic_read_u32(&slot->must_poll) != 0
									  ? REST_PREPARED_MS : REST_MAX_MS);
}

/* True for a database that needs a worker, now or later, and has none. */
static bool
is_without(const RsnDatabase *database)
{
	return rsn_launcher_is_seen(database) && !database->is_absent &&
		database->handle == NULL;
}

/* Says once that a database is without a worker, and which others are. */
static void
report_waiting(RsnDatabase *waiting)
{
	HASH_SEQ_STATUS status;
	RsnDatabase *database;
	StringInfoData names;
	int			n = 0;

	if (waiting->is_reported)
		return;
	waiting->is_reported = true;
	initStringInfo(&names);
	rsn_launcher_each(&status);
	while ((database = hash_seq_search(&status)) != NULL)
	{
		if (is_without(database) &&
			(database->is_present || database == waiting) && n++ < NAMES_MAX)
			appendStringInfo(&names, "%s\"%s\"", n > 1 ? ", " : "",
							 NameStr(database->name));
	}
	if (n > NAMES_MAX)
		appendStringInfo(&names, " and %d more", n - NAMES_MAX);
	ereport(LOG,
			(errcode(ERRCODE_CONFIGURATION_LIMIT_EXCEEDED),
			 errmsg("there is no process for the resonate worker of database \"%s\"",
					NameStr(waiting->name)),
			 errdetail("Databases take turns.  Without a worker at this moment: %s.",
					   names.data),
			 errhint("Increase max_worker_processes.")));
	pfree(names.data);
}

/* Plans what follows when a worker has ended. */
static void
note_exit(RsnDatabase *database, RsnSlot *slot, int64 now_ms)
{
	RsnWorkerExit reason = slot == NULL ? RSN_EXIT_FAILED
	: (RsnWorkerExit) pg_atomic_read_u32(&slot->last_exit);

	Assert(database->handle != NULL);
	pfree(database->handle);
	database->handle = NULL;
	switch (reason)
	{
		case RSN_EXIT_ABSENT:
			database->is_absent = true;
			break;
		case RSN_EXIT_YIELDED:
			database->start_at_ms = now_ms + YIELD_MS;
			break;
		case RSN_EXIT_OFF:
			database->start_at_ms = now_ms + OFF_MS;
			break;
		case RSN_EXIT_TURN:
			database->is_present = true;
			database->is_resting = true;
			database->start_at_ms = now_ms + REST_MAX_MS;
			report_waiting(database);
			break;
		case RSN_EXIT_FAILED:
			if (now_ms - database->started_at_ms >= HEALTHY_MS)
				database->retry_ms = RSN_LAUNCHER_RETRY_MIN_MS;
			database->start_at_ms = now_ms + database->retry_ms;
			database->retry_ms = Min(database->retry_ms * 2,
									 RSN_LAUNCHER_RETRY_MAX_MS);
			break;
	}
}

/*
 * Takes note of a worker that has ended, and of a request for one.  Of a request not
 * while there is a worker: it may just be leaving because it has found no extension,
 * and be wanted for the one that has come since.
 */
static void
look_at_worker(RsnDatabase *database, int64 now_ms)
{
	RsnSlot    *slot = rsn_slot_find(database->id);
	pid_t		pid;

	if (database->handle != NULL &&
		GetBackgroundWorkerPid(database->handle, &pid) == BGWH_STOPPED)
		note_exit(database, slot, now_ms);
	if (database->handle != NULL)
		return;
	if (database->is_resting)
		database->start_at_ms = Min(database->start_at_ms,
									rest_until(slot, now_ms));
	if (slot == NULL || pg_atomic_read_u32(&slot->is_wanted) == 0)
		return;
	if (database->is_absent)
	{
		database->is_absent = false;
		database->start_at_ms = now_ms;
	}

	/*
	 * A session that asks has been told that it is on, or has not heard that
	 * it is off.
	 */
	if (pg_atomic_read_u32(&slot->last_exit) == RSN_EXIT_OFF)
		database->start_at_ms = Min(database->start_at_ms,
									database->started_at_ms + YIELD_MS);
	if (database->is_resting)
		database->start_at_ms = Min(database->start_at_ms, now_ms);
	database->is_present = true;
}

/*
 * Registers the worker of a database, unless it is there already, started by our
 * predecessor or by a session.  False when there is no process for it.
 */
static bool
try_start(RsnDatabase *database, int64 now_ms)
{
	RsnSlot    *slot = rsn_slot_find(database->id);
	uint32		last_exit = RSN_EXIT_FAILED;
	uint32		is_wanted = 0;

	Assert(database->handle == NULL && !database->is_absent);
	if (slot != NULL &&
		pg_atomic_read_u32(&slot->proc_number) != RSN_NO_PROC)
	{
		database->start_at_ms = now_ms + YIELD_MS;
		return true;
	}
	if (slot != NULL)
	{
		last_exit = pg_atomic_exchange_u32(&slot->last_exit, RSN_EXIT_FAILED);
		is_wanted = pg_atomic_exchange_u32(&slot->is_wanted, 0);
	}
	if (!rsn_start_worker(database->id, MyProcPid, &database->handle))
	{
		if (slot != NULL)
		{
			pg_atomic_write_u32(&slot->last_exit, last_exit);
			pg_atomic_fetch_or_u32(&slot->is_wanted, is_wanted);
		}
		return false;
	}
	if (slot != NULL)
		pg_atomic_write_u32(&slot->is_waiting, 0);
	database->started_at_ms = now_ms;
	database->is_resting = false;
	database->waits_since_ms = 0;
	return true;
}

/* Until when no other worker is to be started. */
static int64
stagger_time(void)
{
	HASH_SEQ_STATUS status;
	RsnDatabase *database;
	int64		result = 0;

	rsn_launcher_each(&status);
	while ((database = hash_seq_search(&status)) != NULL)
	{
		if (database->handle != NULL)
			result = Max(result, database->started_at_ms + STAGGER_MS);
	}
	return result;
}

/* The database that has needed a worker for the longest time, or will be the first. */
static RsnDatabase *
first_without(void)
{
	HASH_SEQ_STATUS status;
	RsnDatabase *database;
	RsnDatabase *first = NULL;

	rsn_launcher_each(&status);
	while ((database = hash_seq_search(&status)) != NULL)
	{
		if (is_without(database) &&
			(first == NULL || database->start_at_ms < first->start_at_ms))
			first = database;
	}
	return first;
}

/*
 * Has those wait that need a worker now, since there is no process: workers that can
 * make room are told how many these are.
 */
static void
wait_for_process(int64 now_ms)
{
	pg_atomic_uint32 *nwaiting = &rsn_shared()->nwaiting;
	HASH_SEQ_STATUS status;
	RsnDatabase *database;
	uint32		n = 0;

	rsn_launcher_each(&status);
	while ((database = hash_seq_search(&status)) != NULL)
	{
		RsnSlot    *slot = rsn_slot_find(database->id);

		if (!is_without(database) || database->start_at_ms > now_ms)
			continue;
		n++;
		if (slot != NULL)
			pg_atomic_write_u32(&slot->is_waiting, 1);
		if (database->waits_since_ms == 0)
			database->waits_since_ms = now_ms;
		if (database->is_present ||
			now_ms - database->waits_since_ms >= PATIENCE_MS)
			report_waiting(database);
	}
	if (pg_atomic_exchange_u32(nwaiting, n) < n)
		rsn_shared_wake_workers();
}

/* Once each database has a worker, who is without one again is reported again. */
static void
forget_reports(void)
{
	HASH_SEQ_STATUS status;
	RsnDatabase *database;

	pg_atomic_write_u32(&rsn_shared()->nwaiting, 0);
	if (first_without() != NULL)
		return;
	rsn_launcher_each(&status);
	while ((database = hash_seq_search(&status)) != NULL)
		database->is_reported = false;
}

/* Looks at every database; returns when to look again. */
static int64
supervise(int64 now_ms)
{
	HASH_SEQ_STATUS status;
	RsnDatabase *database;

	rsn_launcher_each(&status);
	while ((database = hash_seq_search(&status)) != NULL)
		look_at_worker(database, now_ms);

	while ((database = first_without()) != NULL &&
		   database->start_at_ms <= now_ms)
	{
		int64		stagger_ms = stagger_time();

		if (stagger_ms > now_ms)
			return stagger_ms;
		if (!try_start(database, now_ms))
		{
			wait_for_process(now_ms);
			return now_ms + NO_PROCESS_MS;
		}
	}
	forget_reports();
	return database == NULL ? RSN_TIME_NEVER : database->start_at_ms;
}

static void
init_launcher(void)
{
	pqsignal(SIGHUP, SignalHandlerForConfigReload);
	pqsignal(SIGTERM, die);
	rsn_settings_init();
	BackgroundWorkerUnblockSignals();
	BackgroundWorkerInitializeConnection(NULL, NULL, 0);
	rsn_settings_pin();

	pg_atomic_write_u32(&rsn_shared()->launcher_proc_number,
						rsn_my_proc_number());
	before_shmem_exit(detach, (Datum) 0);
	rsn_launcher_init_databases();
}

/* Entry point of the launcher. */
void
resonate_launcher_main(Datum main_arg)
{
	int64		retry_ms = RSN_LAUNCHER_RETRY_MIN_MS;
	uint32		wait_event;

	init_launcher();
	wait_event = rsn_wait_event_new("ResonateLauncher");
	for (;;)
	{
		int64		now_ms;
		int64		next_ms;
		bool		is_scanned;

		MemoryContextSwitchTo(TopMemoryContext);
		is_scanned = rsn_launcher_scan();
		MemoryContextSwitchTo(TopMemoryContext);
		now_ms = rsn_clock_monotonic();
		next_ms = supervise(now_ms);
		if (!is_scanned)
			next_ms = Min(next_ms, now_ms + retry_ms);
		retry_ms = is_scanned ? RSN_LAUNCHER_RETRY_MIN_MS : Min(retry_ms * 2, RSN_LAUNCHER_RETRY_MAX_MS);
		(void) WaitLatch(MyLatch,
						 WL_LATCH_SET | WL_TIMEOUT | WL_EXIT_ON_PM_DEATH,
						 Max(Min(next_ms - rsn_clock_monotonic(), RESCAN_MS), 0),
						 wait_event);
		ResetLatch(MyLatch);
		CHECK_FOR_INTERRUPTS();
		if (ConfigReloadPending)
		{
			ConfigReloadPending = false;
			ProcessConfigFile(PGC_SIGHUP);
			rsn_settings_pin();
		}
	}
}
