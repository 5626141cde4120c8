/*-------------------------------------------------------------------------
 *
 * worker_start.h
 *	  Having the worker of a database started.
 *
 *-------------------------------------------------------------------------
 */
#ifndef RSN_WORKER_START_H
#define RSN_WORKER_START_H

#include "postmaster/bgworker.h"
#include "shared.h"

extern void rsn_launcher_register(void);
extern bool rsn_worker_start(Oid database_id, pid_t notify_pid,
							 BackgroundWorkerHandle **handle);
extern void rsn_worker_ensure(void);
extern void rsn_worker_request_start(RsnSlot *slot);
extern void rsn_worker_wake(RsnSlot *slot);

#endif							/* RSN_WORKER_START_H */
