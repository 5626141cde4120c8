/*-------------------------------------------------------------------------
 *
 * worker/work.h
 *	  What each step does.
 *
 *-------------------------------------------------------------------------
 */
#ifndef RSN_WORKER_WORK_H
#define RSN_WORKER_WORK_H

#include "worker/progress.h"

extern int64 rsn_work_from(const RsnProgress *progress, RsnStep step);
extern void rsn_work_want_reconciling(RsnProgress *progress);

/* A part of a step: at most limit rows; they return how many it was. */
extern int	rsn_work_clock(int64 now_ms, int limit, RsnProgress *progress);
extern int	rsn_work_schedule(int64 now_ms, int limit, RsnProgress *progress);
extern int	rsn_work_timeout(int64 now_ms, int limit, RsnProgress *progress);
extern int	rsn_work_lease(int64 now_ms, int limit, RsnProgress *progress);
extern int	rsn_work_dispatch(int64 now_ms, int limit, RsnProgress *progress);
extern int	rsn_work_deliver(int64 now_ms, int limit, RsnProgress *progress);
extern int	rsn_work_reconcile(int64 now_ms, int limit, RsnProgress *progress);
extern int	rsn_work_expire(int64 now_ms, int limit, RsnProgress *progress);
extern int	rsn_work_prune(int64 now_ms, int limit, RsnProgress *progress);

/* The same of one row. */
extern int	rsn_work_schedule_one(int64 now_ms, text *id);
extern int	rsn_work_timeout_one(int64 now_ms, text *id);
extern int	rsn_work_lease_one(int64 now_ms, text *id);
extern int	rsn_work_dispatch_one(int64 now_ms, text *id);
extern int	rsn_work_deliver_one(int64 now_ms, text *id);
extern int	rsn_work_reconcile_one(int64 now_ms, text *id);
extern int	rsn_work_prune_one(int64 now_ms, text *id);

#endif							/* RSN_WORKER_WORK_H */
