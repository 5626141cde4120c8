/*-------------------------------------------------------------------------
 *
 * worker/databases.c
 *	  The databases that the launcher knows.
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
#include "utils/snapmgr.h"

#include "worker/launcher.h"
#include "worker/settings.h"

/*
 * The connection limit of a database that an interrupted DROP DATABASE has left
 * behind, to which nobody can connect (DATCONNLIMIT_INVALID_DB, since 15.4).
 */
#define DROPPED_HALFWAY		(-2)

static HTAB *databases = NULL;

/* The number of the last scan that was not interrupted. */
static uint64 last_scan = 0;

/* Makes the table of databases, which is empty. */
void
rsn_launcher_init_databases(void)
{
	HASHCTL		control = {0};

	control.keysize = sizeof(Oid);
	control.entrysize = sizeof(RsnDatabase);
	databases = hash_create("resonate databases", 32, &control,
							HASH_ELEM | HASH_BLOBS);
}

/* Begins to go through all of them. */
void
rsn_launcher_each(HASH_SEQ_STATUS *status)
{
	hash_seq_init(status, databases);
}

static RsnDatabase *
find_database(Oid database_id)
{
	bool		found;
	RsnDatabase *database = hash_search(databases, &database_id, HASH_ENTER,
										&found);

	Assert(OidIsValid(database_id));
	if (!found)
	{
		database->handle = NULL;
		database->seen_in = 0;
		database->is_absent = false;
		database->is_present = false;
		database->is_resting = false;
		database->is_reported = false;
		database->waits_since_ms = 0;
		database->start_at_ms = 0;
		database->started_at_ms = 0;
		database->retry_ms = RSN_LAUNCHER_RETRY_MIN_MS;
	}
	return database;
}

/* True for a database that the last scan has found. */
bool
rsn_launcher_is_seen(const RsnDatabase *database)
{
	Assert(database->seen_in <= last_scan + 1);
	return database->seen_in >= last_scan;
}

static void
note_database(Form_pg_database form)
{
	RsnDatabase *database = find_database(form->oid);

	database->seen_in = last_scan + 1;
	database->name = form->datname;
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
			note_database(form);
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
bool
rsn_launcher_scan(void)
{
	HASH_SEQ_STATUS status;
	RsnDatabase *database;

	Assert(!IsTransactionState());
	if (!try_read_databases())
		return false;
	last_scan++;

	/* A database that is gone, or closed, is forgotten once its worker is. */
	hash_seq_init(&status, databases);
	while ((database = hash_seq_search(&status)) != NULL)
	{
		if (!rsn_launcher_is_seen(database) && database->handle == NULL)
			hash_search(databases, &database->id, HASH_REMOVE, NULL);
	}
	return true;
}
