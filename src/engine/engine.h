/*-------------------------------------------------------------------------
 *
 * engine/engine.h
 *	  Lock, read, decide, write: the operations of both public surfaces.
 *
 * Each function opens and closes the store itself and allocates its results
 * in the caller's memory context.
 *
 *-------------------------------------------------------------------------
 */
#ifndef RSN_ENGINE_ENGINE_H
#define RSN_ENGINE_ENGINE_H

#include "engine/request.h"

/* engine/create.c */
extern RsnOutcome rsn_engine_create(const RsnCreateRequest *request,
									int64 now_ms);
extern RsnOutcome rsn_engine_create_and_register(const RsnCreateRequest *request,
												 RsnCallbackRow *callback,
												 int64 now_ms);
extern RsnTaskOutcome rsn_engine_create_and_take(const RsnCreateRequest *request,
												 const RsnLease *lease,
												 bool has_keys, int64 now_ms);

/* engine/promise.c */
extern RsnOutcome rsn_engine_settle(const RsnSettleRequest *request);
extern text *rsn_engine_origin(text *id);
extern RsnOutcome rsn_engine_register(RsnCallbackRow *callback);
extern RsnOutcome rsn_engine_get(text *id);
extern RsnOutcome rsn_engine_await(text *id);
extern bool rsn_engine_is_held(text *id);

/* engine/batch.c */
extern RsnOutcome *rsn_engine_create_many(const RsnCreateRequest *requests,
										  int n, int64 now_ms);
extern void rsn_engine_create_missing(const RsnCreateRequest *requests, int n,
									  int64 now_ms);
extern RsnOutcome *rsn_engine_settle_many(const RsnSettleRequest *requests,
										  int n);

/* engine/search.c */
extern int	rsn_engine_search(RsnSearch *search, RsnPromiseRow **rows);
extern int	rsn_engine_search_by_id(RsnIdSearch *search, RsnPromiseRow **rows,
									text **next_id);

/* engine/sweep.c */
extern int	rsn_engine_expire_due(int64 from_ms, int64 now_ms, int limit,
								  text *const *set_aside, int nset_aside,
								  bool *has_more);
extern int	rsn_engine_expire_one(text *id, int64 now_ms);
extern int	rsn_engine_prune(int64 settled_by_ms, int64 lapsed_by_ms, int limit,
							 int nentries, text *const *set_aside,
							 int nset_aside, RsnPrunePosition *position);

/* engine/settle.c */
extern void rsn_engine_init(void);

/* engine/reconcile.c */
extern int	rsn_engine_reconcile(int64 now_ms, int limit,
								 text *const *set_aside, int nset_aside,
								 RsnReconcilePosition *position);
extern int	rsn_engine_reconcile_one(text *promise_id, int64 now_ms, int limit,
									 RsnReconcilePosition *position);
extern int	rsn_engine_list_left(const RsnReconcilePosition *position,
								 int limit, text *const *set_aside,
								 int nset_aside, text ***ids);

/* engine/foreign.c */
extern void rsn_engine_follow_settlement(text *id);
extern void rsn_engine_follow_deletion(text *id);
extern void rsn_engine_follow_truncation(void);
extern void rsn_engine_check_task_deleted(text *id);
extern void rsn_engine_check_tasks_truncated(void);
extern void rsn_engine_follow_awaiter(text *awaiter_id);
extern void rsn_engine_follow_awaiters_truncated(void);

/* engine/task.c */
extern RsnTaskOutcome rsn_engine_get_task(text *id);
extern RsnTaskOutcome rsn_engine_acquire(text *id, int32 version,
										 const RsnLease *lease);
extern RsnTaskOutcome rsn_engine_release(text *id, int32 version);
extern RsnTaskOutcome rsn_engine_suspend(text *id, int32 version,
										 text *const *awaited, int nawaited);
extern RsnTaskOutcome rsn_engine_fulfill(int32 version,
										 const RsnSettleRequest *request);
extern RsnTaskOutcome rsn_engine_halt(text *id);
extern RsnTaskOutcome rsn_engine_continue(text *id);
extern RsnOutcome rsn_engine_register_awaiter(text *awaited_id,
											  text *awaiter_id);
extern int	rsn_engine_search_tasks(RsnTaskState state, bool is_any_state,
									text *after_id, int limit,
									RsnTaskRow **rows, text **next_id);

/* engine/fence.c */
extern RsnFenceOutcome rsn_engine_fence(text *id, int32 version,
										const RsnFenceAction *action);

/* engine/lease.c */
extern int	rsn_engine_heartbeat(text *pid, const RsnTaskRef *refs, int n);
extern int	rsn_engine_heartbeat_all(text *pid);
extern int	rsn_engine_end_leases(int64 from_ms, int64 now_ms, int limit,
								  text *const *set_aside, int nset_aside);
extern int	rsn_engine_end_lease(text *id, int64 now_ms);
extern int	rsn_engine_dequeue_tasks(text *address, int limit, int64 now_ms,
									 RsnTaskRow **rows);
extern int	rsn_engine_dequeue_notify_tasks(text *address, int limit,
											int64 now_ms,
											text *const *set_aside,
											int nset_aside,
											RsnTaskRow **rows, int64 *busy_ms);
extern bool rsn_engine_dequeue_notify_task_at(const RsnWaiting *seen,
											  int64 now_ms,
											  text *const *set_aside,
											  int nset_aside, RsnTaskRow *row,
											  int64 *busy_ms);
extern int	rsn_engine_dequeue_notify_task(text *id, int64 now_ms,
										   RsnTaskRow **row);

/* engine/message.c */
extern char *rsn_engine_channel(const text *address);
extern int	rsn_engine_receive(text *address, int limit, int64 now_ms,
							   int64 visible_at_ms, RsnMessageRow **rows);
extern bool rsn_engine_acknowledge(RsnCallbackKind kind, text *promise_id,
								   text *callback_id);
extern int	rsn_engine_dequeue_unblock(text *address, int limit,
									   int64 now_ms, RsnMessageRow **rows);
extern int	rsn_engine_expire_messages(int64 now_ms, int limit);

/* engine/clock_ahead.c */
extern int	rsn_engine_set_clocks_right(int64 now_ms, int limit);

/* engine/schedule.c */
extern RsnScheduleRow *rsn_engine_create_schedule(RsnScheduleRow *row,
												  bool *is_created);
extern RsnScheduleRow *rsn_engine_get_schedule(text *id);
extern bool rsn_engine_delete_schedule(text *id);
extern int	rsn_engine_search_schedules(Jsonb *tags, text *after_id, int limit,
										RsnScheduleRow **rows);
extern RsnFired rsn_engine_fire_schedules(int64 now_ms, int limit, int limit_ms,
										  text *const *set_aside,
										  int nset_aside);
extern RsnFired rsn_engine_fire_one_schedule(text *id, int64 now_ms,
											 int limit);
extern int	rsn_engine_follow_zones(char *after_id, int limit);

#endif							/* RSN_ENGINE_ENGINE_H */
