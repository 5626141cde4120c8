/*-------------------------------------------------------------------------
 *
 * worker.h
 *	  The background worker of a database, and how it is started.
 *
 *-------------------------------------------------------------------------
 */
#ifndef RSN_WORKER_H
#define RSN_WORKER_H

#include "postmaster/bgworker.h"
#include "shared.h"

extern PGDLLEXPORT void resonate_worker_main(Datum main_arg);
extern PGDLLEXPORT void resonate_launcher_main(Datum main_arg);

extern void rsn_launcher_register(void);
extern bool rsn_worker_start(Oid database_id, pid_t notify_pid,
							 BackgroundWorkerHandle **handle);
extern void rsn_worker_ensure(void);
extern void rsn_worker_request_start(RsnSlot *slot);
extern void rsn_worker_wake(RsnSlot *slot);

#endif							/* RSN_WORKER_H */
