/*-------------------------------------------------------------------------
 *
 * signal/start.c
 *	  Having the worker of a database started.
 *
 * Where the library is preloaded, the launcher does it: see worker/launcher.c.  Where it is
 * not, the first call that leaves work behind starts the worker of its own
 * database, and nobody starts it again until the next call.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/xact.h"
#include "miscadmin.h"

#include "server/clock.h"
#include "server/guc.h"
#include "signal/start.h"

#define LAUNCHER_RESTART_S	1

/* Without a launcher, sessions try to start a worker this often at the most. */
#define REQUEST_INTERVAL_MS	1000

/* Registers a worker for a database; false when there is no free slot. */
bool
rsn_start_worker(Oid database_id, pid_t notify_pid,
				 BackgroundWorkerHandle **handle)
{
	BackgroundWorker worker = {0};

	Assert(OidIsValid(database_id));
	worker.bgw_flags = BGWORKER_SHMEM_ACCESS |
		BGWORKER_BACKEND_DATABASE_CONNECTION;
	worker.bgw_start_time = BgWorkerStart_RecoveryFinished;
	worker.bgw_restart_time = BGW_NEVER_RESTART;
	strlcpy(worker.bgw_library_name, "resonate", sizeof(worker.bgw_library_name));
	strlcpy(worker.bgw_function_name, "resonate_worker_main", BGW_MAXLEN);
	strlcpy(worker.bgw_type, "resonate worker", BGW_MAXLEN);
	snprintf(worker.bgw_name, BGW_MAXLEN, "resonate worker for database %u",
			 database_id);
	worker.bgw_main_arg = ObjectIdGetDatum(database_id);
	worker.bgw_notify_pid = notify_pid;
	return RegisterDynamicBackgroundWorker(&worker, handle);
}

/*
 * Has the launcher start a worker, if there is a launcher.  It is told once: until it
 * has started one, more requests add nothing.
 */
void
rsn_start_request(RsnSlot *slot)
{
	if (pg_atomic_exchange_u32(&slot->is_wanted, 1) != 0)
		return;
	pg_memory_barrier();
	rsn_shared_wake_proc(pg_atomic_read_u32(&rsn_shared()->launcher_proc_number));
}

/*
 * Wakes the worker of a database, after what it is to see was written; or has it
 * started, if it has only made room for that of another database.
 */
void
rsn_start_or_wake(RsnSlot *slot)
{
	uint32		proc_number = pg_atomic_read_u32(&slot->proc_number);

	if (proc_number != RSN_NO_PROC)
		rsn_shared_wake_proc(proc_number);
	else if (pg_atomic_read_u32(&slot->last_exit) == RSN_EXIT_TURN)
		rsn_start_request(slot);
}

/*
 * Called while a transaction leaves work behind: makes sure that somebody will
 * do it.  A worker that starts before this transaction commits finds nothing
 * yet, and is woken by the commit like any other.
 */
void
rsn_start_ensure(void)
{
	RsnSlot    *slot = rsn_slot_for(MyDatabaseId);
	int64		now_ms;
	int64		requested_at_ms;

	Assert(IsTransactionState());
	if (slot == NULL || IsBinaryUpgrade || !rsn_guc_worker ||
		pg_atomic_read_u32(&slot->proc_number) != RSN_NO_PROC)
		return;
	now_ms = rsn_clock_monotonic();
	requested_at_ms = (int64) pg_atomic_read_u64(&slot->requested_at_ms);
	if (requested_at_ms != 0 && now_ms - requested_at_ms < REQUEST_INTERVAL_MS)
		return;
	pg_atomic_write_u64(&slot->requested_at_ms, now_ms);

	if (pg_atomic_read_u32(&rsn_shared()->launcher_proc_number) != RSN_NO_PROC)
		rsn_start_request(slot);
	else if (!rsn_start_worker(MyDatabaseId, 0, NULL))
		ereport(LOG,
				(errcode(ERRCODE_CONFIGURATION_LIMIT_EXCEEDED),
				 errmsg("could not start the resonate worker"),
				 errhint("Increase max_worker_processes.")));
}

/* Registers the launcher with the postmaster. */
void
rsn_start_launcher(void)
{
	BackgroundWorker launcher = {0};

	if (!process_shared_preload_libraries_in_progress || IsBinaryUpgrade)
		return;
	launcher.bgw_flags = BGWORKER_SHMEM_ACCESS |
		BGWORKER_BACKEND_DATABASE_CONNECTION;
	launcher.bgw_start_time = BgWorkerStart_RecoveryFinished;
	launcher.bgw_restart_time = LAUNCHER_RESTART_S;
	strlcpy(launcher.bgw_library_name, "resonate",
			sizeof(launcher.bgw_library_name));
	strlcpy(launcher.bgw_function_name, "resonate_launcher_main", BGW_MAXLEN);
	strlcpy(launcher.bgw_name, "resonate launcher", BGW_MAXLEN);
	strlcpy(launcher.bgw_type, "resonate launcher", BGW_MAXLEN);
	RegisterBackgroundWorker(&launcher);
}
