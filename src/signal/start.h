/*-------------------------------------------------------------------------
 *
 * signal/start.h
 *	  Having the worker of a database started.
 *
 *-------------------------------------------------------------------------
 */
#ifndef RSN_SIGNAL_START_H
#define RSN_SIGNAL_START_H

#include "postmaster/bgworker.h"
#include "signal/slot.h"

extern void rsn_launcher_register(void);
extern bool rsn_worker_start(Oid database_id, pid_t notify_pid,
							 BackgroundWorkerHandle **handle);
extern void rsn_worker_ensure(void);
extern void rsn_worker_request_start(RsnSlot *slot);
extern void rsn_worker_wake(RsnSlot *slot);

#endif							/* RSN_SIGNAL_START_H */
