/*-------------------------------------------------------------------------
 *
 * worker/launcher.h
 *	  The launcher of workers, and what its files share.
 *
 *-------------------------------------------------------------------------
 */
#ifndef RSN_WORKER_LAUNCHER_H
#define RSN_WORKER_LAUNCHER_H

#include "utils/hsearch.h"

#include "signal/start.h"

/* After a worker failed: the delay doubles from one to the other. */
#define RSN_LAUNCHER_RETRY_MIN_MS	1000
#define RSN_LAUNCHER_RETRY_MAX_MS	60000

/* What the launcher knows of a database. */
typedef struct RsnDatabase
{
	Oid			id;				/* hash key */
	NameData	name;
	BackgroundWorkerHandle *handle; /* NULL: no worker */
	bool		is_absent;		/* no extension, as far as we know */
	bool		is_present;		/* it has been seen to have it */
	bool		is_resting;		/* its worker has made room for another one */
	bool		is_reported;	/* the log says that it is without a worker */
	uint64		seen_in;		/* the number of a scan of pg_database */
	int64		start_at_ms;	/* from when on it needs a worker */
	int64		started_at_ms;	/* when the worker was registered */
	int64		waits_since_ms; /* for a process; zero: it does not */
	int64		retry_ms;
} RsnDatabase;

extern PGDLLEXPORT void resonate_launcher_main(Datum main_arg);

extern void rsn_launcher_init_databases(void);
extern void rsn_launcher_each(HASH_SEQ_STATUS *status);
extern bool rsn_launcher_is_seen(const RsnDatabase *database);
extern bool rsn_launcher_scan(void);

#endif							/* RSN_WORKER_LAUNCHER_H */
