/*-------------------------------------------------------------------------
 *
 * launcher.c
 *	  Starting workers: at server start, on request, and again after a failure.
 *
 * Where the library is preloaded, one launcher for the cluster looks into
 * pg_database, starts a worker in each database, and starts it again when it
 * ends.  A worker that finds no extension leaves and is not started again until
 * CREATE EXTENSION asks for it.  The launcher starts when recovery is over, so
 * not on a standby until its promotion, and not during binary upgrade.
 *
 * Where it is not preloaded, the first call that leaves work behind starts the
 * worker of its own database, and nobody starts it again until the next call.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/genam.h"
#include "access/heapam.h"
#include "access/htup_details.h"
#include "access/table.h"
#include "access/tableam.h"
#include "access/xact.h"
#include "catalog/pg_database.h"
#include "miscadmin.h"
#include "pgstat.h"
#include "postmaster/interrupt.h"
#include "storage/ipc.h"
#include "storage/latch.h"
#include "tcop/tcopprot.h"
#include "utils/hsearch.h"
#include "utils/memutils.h"
#include "utils/snapmgr.h"

#include "clock.h"
#include "compat.h"
#include "shared.h"
#include "worker.h"
#include "worker_settings.h"

#define LAUNCHER_RESTART_S	1

/* A new database, made from a template, is found after this. */
#define RESCAN_MS			60000

/* After a worker failed: the delay doubles from one to the other. */
#define RETRY_MIN_MS		1000
#define RETRY_MAX_MS		60000

/* A worker that has lived this long was not broken from the start. */
#define HEALTHY_MS			10000

/*
 * Workers are started this far apart, unless the last one has left already:
 * most databases have no extension, and their workers need a slot for a moment
 * only.
 */
#define STAGGER_MS			200

/*
 * The connection limit of a database that an interrupted DROP DATABASE has left
 * behind, to which nobody can connect (DATCONNLIMIT_INVALID_DB, since 15.4).
 */
#define DROPPED_HALFWAY		(-2)

/* A worker that left the database to somebody else comes back after this. */
#define YIELD_MS			5000

/* Without a launcher, sessions try to start a worker this often at the most. */
#define REQUEST_INTERVAL_MS	1000

/* What the launcher knows of a database. */
typedef struct Database
{
	Oid			id;				/* hash key */
	BackgroundWorkerHandle *handle; /* NULL: no worker */
	bool		is_absent;		/* no extension, as far as we know */
	uint64		seen_in;		/* the number of a scan of pg_database */
	int64		start_at_ms;
	int64		started_at_ms;	/* when the worker was registered */
	int64		retry_ms;
} Database;

static HTAB *databases = NULL;

/* The number of the last scan that was not interrupted. */
static uint64 last_scan = 0;

/* Registers a worker for a database; false when there is no free slot. */
bool
rsn_worker_start(Oid database_id, pid_t notify_pid,
				 BackgroundWorkerHandle **handle)
{
	BackgroundWorker worker = {0};

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

/* Has the launcher start a worker, if there is a launcher. */
void
rsn_worker_request_start(RsnSlot *slot)
{
	pg_atomic_write_u32(&slot->is_wanted, 1);
	pg_memory_barrier();
	rsn_shared_wake_proc(pg_atomic_read_u32(&rsn_shared()->launcher_proc_number));
}

/*
 * Called while a transaction leaves work behind: makes sure that somebody will
 * do it.  A worker that starts before this transaction commits finds nothing
 * yet, and is woken by the commit like any other.
 */
void
rsn_worker_ensure(void)
{
	RsnSlot    *slot = rsn_shared_slot(MyDatabaseId);
	int64		now_ms;
	int64		requested_at_ms;

	if (slot == NULL || IsBinaryUpgrade ||
		pg_atomic_read_u32(&slot->proc_number) != RSN_NO_PROC)
		return;
	now_ms = rsn_clock_wall();
	requested_at_ms = (int64) pg_atomic_read_u64(&slot->requested_at_ms);

	/* A request that lies ahead was made by a clock that was set back since. */
	if (requested_at_ms <= now_ms &&
		now_ms - requested_at_ms < REQUEST_INTERVAL_MS)
		return;
	pg_atomic_write_u64(&slot->requested_at_ms, now_ms);

	if (pg_atomic_read_u32(&rsn_shared()->launcher_proc_number) != RSN_NO_PROC)
		rsn_worker_request_start(slot);
	else if (!rsn_worker_start(MyDatabaseId, 0, NULL))
		ereport(LOG,
				(errcode(ERRCODE_CONFIGURATION_LIMIT_EXCEEDED),
				 errmsg("could not start the resonate worker"),
				 errhint("Increase max_worker_processes.")));
}

/* Registers the launcher with the postmaster. */
void
rsn_launcher_register(void)
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

static void
detach(int code, Datum arg)
{
	pg_atomic_write_u32(&rsn_shared()->launcher_proc_number, RSN_NO_PROC);
}

static Database *
find_database(Oid database_id)
{
	bool		found;
	Database   *database = hash_search(databases, &database_id, HASH_ENTER,
									   &found);

	if (!found)
	{
		database->handle = NULL;
		database->seen_in = 0;
		database->is_absent = false;
		database->start_at_ms = 0;
		database->started_at_ms = 0;
		database->retry_ms = RETRY_MIN_MS;
	}
	return database;
}

static bool
is_seen(const Database *database)
{
	return database->seen_in >= last_scan;
}

/* Reads pg_database: those that can be connected to, templates excepted. */
static void
read_databases(void)
{
	Relation	relation;
	TableScanDesc scan;
	HeapTuple	tuple;

	SetCurrentStatementStartTimestamp();
	StartTransactionCommand();
	(void) GetTransactionSnapshot();
	relation = table_open(DatabaseRelationId, AccessShareLock);
	scan = table_beginscan_catalog(relation, 0, NULL);
	while ((tuple = heap_getnext(scan, ForwardScanDirection)) != NULL)
	{
		Form_pg_database form = (Form_pg_database) GETSTRUCT(tuple);

		if (form->datallowconn && !form->datistemplate &&
			form->datconnlimit != DROPPED_HALFWAY)
			find_database(form->oid)->seen_in = last_scan + 1;
	}
	table_endscan(scan);
	table_close(relation, AccessShareLock);
	CommitTransactionCommand();
}

/* The same; false when that has failed. */
static bool
try_read_databases(void)
{
	volatile bool is_done = false;

	PG_TRY();
	{
		rsn_settings_allow_cancel();
		read_databases();
		rsn_settings_ignore_cancel();
		is_done = true;
	}
	PG_CATCH();
	{
		rsn_settings_ignore_cancel();
		EmitErrorReport();
		FlushErrorState();
		AbortCurrentTransaction();
	}
	PG_END_TRY();
	return is_done;
}

/* Finds out which databases there are; false when that has failed: all stays. */
static bool
scan_databases(void)
{
	HASH_SEQ_STATUS status;
	Database   *database;

	if (!try_read_databases())
		return false;
	last_scan++;

	/* A database that is gone, or closed, is forgotten once its worker is. */
	hash_seq_init(&status, databases);
	while ((database = hash_seq_search(&status)) != NULL)
	{
		if (!is_seen(database) && database->handle == NULL)
			hash_search(databases, &database->id, HASH_REMOVE, NULL);
	}
	return true;
}

/* Plans what follows when a worker has ended. */
static void
note_exit(Database *database, int64 now_ms)
{
	RsnSlot    *slot = rsn_shared_find_slot(database->id);
	RsnWorkerExit reason = slot == NULL ? RSN_EXIT_FAILED
	: (RsnWorkerExit) pg_atomic_read_u32(&slot->last_exit);

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
		case RSN_EXIT_FAILED:
			if (now_ms - database->started_at_ms >= HEALTHY_MS)
				database->retry_ms = RETRY_MIN_MS;
			database->start_at_ms = now_ms + database->retry_ms;
			database->retry_ms = Min(database->retry_ms * 2, RETRY_MAX_MS);
			break;
	}
}

static void
look_at_worker(Database *database, int64 now_ms)
{
	RsnSlot    *slot = rsn_shared_find_slot(database->id);
	pid_t		pid;

	/* What lies further ahead was planned by a clock that was set back since. */
	database->started_at_ms = Min(database->started_at_ms, now_ms);
	database->start_at_ms = Min(database->start_at_ms,
								now_ms + RETRY_MAX_MS);

	if (database->handle != NULL &&
		GetBackgroundWorkerPid(database->handle, &pid) == BGWH_STOPPED)
		note_exit(database, now_ms);

	/*
	 * Not while there is a worker: it may just be leaving because it has
	 * found no extension, and be wanted for the one that has come since.
	 */
	if (database->handle == NULL && slot != NULL &&
		pg_atomic_exchange_u32(&slot->is_wanted, 0) != 0)
		database->is_absent = false;
}

/* Starts the worker of a database, if it is time to. */
static void
start_if_due(Database *database, int64 now_ms)
{
	RsnSlot    *slot = rsn_shared_find_slot(database->id);

	if (!is_seen(database) || database->is_absent ||
		database->handle != NULL || database->start_at_ms > now_ms)
		return;
	if (slot != NULL &&
		pg_atomic_read_u32(&slot->proc_number) != RSN_NO_PROC)
	{
		/* It is there already, started by our predecessor or by a session. */
		database->start_at_ms = now_ms + YIELD_MS;
		return;
	}
	if (slot != NULL)
		pg_atomic_write_u32(&slot->last_exit, RSN_EXIT_FAILED);
	database->started_at_ms = now_ms;
	if (rsn_worker_start(database->id, MyProcPid, &database->handle))
		return;

	ereport(LOG,
			(errcode(ERRCODE_CONFIGURATION_LIMIT_EXCEEDED),
			 errmsg("could not start the resonate worker for database %u",
					database->id),
			 errhint("Increase max_worker_processes.")));
	database->start_at_ms = now_ms + RETRY_MAX_MS;
}

/* Until when no other worker is to be started. */
static int64
stagger_time(void)
{
	HASH_SEQ_STATUS status;
	Database   *database;
	int64		result = 0;

	hash_seq_init(&status, databases);
	while ((database = hash_seq_search(&status)) != NULL)
	{
		if (database->handle != NULL)
			result = Max(result, database->started_at_ms + STAGGER_MS);
	}
	return result;
}

/* Looks at every database; answers when to look again. */
static int64
supervise(int64 now_ms)
{
	HASH_SEQ_STATUS status;
	Database   *database;
	int64		next_ms = RSN_TIME_NEVER;

	hash_seq_init(&status, databases);
	while ((database = hash_seq_search(&status)) != NULL)
		look_at_worker(database, now_ms);

	hash_seq_init(&status, databases);
	while ((database = hash_seq_search(&status)) != NULL)
	{
		if (database->start_at_ms <= now_ms)
			database->start_at_ms = Max(database->start_at_ms, stagger_time());
		start_if_due(database, now_ms);
		if (database->handle == NULL && !database->is_absent)
			next_ms = Min(next_ms, database->start_at_ms);
	}
	return next_ms;
}

static void
init_launcher(void)
{
	HASHCTL		control = {0};

	pqsignal(SIGHUP, SignalHandlerForConfigReload);
	pqsignal(SIGTERM, die);
	rsn_settings_init();
	BackgroundWorkerUnblockSignals();
	BackgroundWorkerInitializeConnection(NULL, NULL, 0);
	rsn_settings_pin();

	pg_atomic_write_u32(&rsn_shared()->launcher_proc_number,
						rsn_my_proc_number());
	before_shmem_exit(detach, (Datum) 0);
	control.keysize = sizeof(Oid);
	control.entrysize = sizeof(Database);
	databases = hash_create("resonate databases", 32, &control,
							HASH_ELEM | HASH_BLOBS);
}

/* Entry point of the launcher. */
void
resonate_launcher_main(Datum main_arg)
{
	int64		retry_ms = RETRY_MIN_MS;
	uint32		wait_event;

	init_launcher();
	wait_event = rsn_wait_event_new("ResonateLauncher");
	for (;;)
	{
		int64		now_ms;
		int64		next_ms;
		bool		is_scanned;

		MemoryContextSwitchTo(TopMemoryContext);
		is_scanned = scan_databases();
		MemoryContextSwitchTo(TopMemoryContext);
		now_ms = rsn_clock_wall();
		next_ms = supervise(now_ms);
		if (!is_scanned)
			next_ms = Min(next_ms, now_ms + retry_ms);
		retry_ms = is_scanned ? RETRY_MIN_MS : Min(retry_ms * 2, RETRY_MAX_MS);
		(void) WaitLatch(MyLatch,
						 WL_LATCH_SET | WL_TIMEOUT | WL_EXIT_ON_PM_DEATH,
						 rsn_clock_wait_ms(next_ms, RESCAN_MS), wait_event);
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
