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

extern void rsn_start_launcher(void);
extern bool rsn_start_worker(Oid database_id, pid_t notify_pid,
							 BackgroundWorkerHandle **handle);
extern void rsn_start_ensure(void);
extern void rsn_start_request(RsnSlot *slot);
extern void rsn_start_or_wake(RsnSlot *slot);

#endif							/* RSN_SIGNAL_START_H */
