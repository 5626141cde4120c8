/*-------------------------------------------------------------------------
 *
 * store/store.h
 *	  Rows to structs and back: the only user of SPI.
 *
 * Every function here must be called between rsn_store_begin and
 * rsn_store_end.  Results are allocated in the memory context that was current
 * at rsn_store_begin, so they outlive rsn_store_end.
 *
 *-------------------------------------------------------------------------
 */
#ifndef RSN_STORE_STORE_H
#define RSN_STORE_STORE_H

#include "access/htup.h"
#include "access/tupdesc.h"
#include "utils/relcache.h"

#include "store/rows.h"

extern RsnKey rsn_key_from_text(const text *key);

extern void rsn_store_init(void);
extern void rsn_store_begin(void);
extern void rsn_store_end(void);
extern bool rsn_store_is_running(void);
extern void *rsn_store_alloc(Size size);
extern void rsn_store_free_promise(RsnPromiseRow *row);

/* store/promise.c */
extern bool rsn_store_insert_promise(const RsnPromiseRow *row);
extern const char *rsn_store_check_promise(const RsnPromiseRow *row);
extern const char *rsn_store_check_promise_values(const Datum *values,
												  const bool *nulls);
extern bool rsn_store_is_promise_birth_column(int column);
extern text *rsn_store_promise_id(HeapTuple tuple, TupleDesc desc);
extern bool rsn_store_is_pending_tuple(HeapTuple tuple, TupleDesc desc);
extern RsnPromiseRow *rsn_store_read_promise(text *id);
extern RsnPromiseRow *rsn_store_lock_promise(text *id);
extern bool rsn_store_is_in_doubt(text *id);
extern bool rsn_store_is_held(text *id);
extern bool rsn_store_may_exist(text *id);
extern int	rsn_store_read_promises(text *const *ids, int n,
									RsnPromiseRow **rows);
extern int	rsn_store_lock_promises(text *const *ids, int n,
									RsnPromiseRow **rows);
extern int	rsn_store_try_lock_promises(text *const *ids, int n,
										RsnPromiseRow **rows);
extern int	rsn_store_lock_due_promises(int64 from_ms, int64 now_ms,
										int limit, bool is_external,
										text *const *set_aside, int nset_aside,
										RsnPromiseRow **rows);
extern void rsn_store_settle_promise(RsnPromiseRow *row);
extern bool rsn_store_try_settle_promise(RsnPromiseRow *row);
extern void rsn_store_delete_promise(text *id);

/* store/count.c */
extern void rsn_store_count(int64 now_ms, RsnStateCounts *counts);
extern int	rsn_store_count_queues(int64 now_ms, int limit,
								   RsnQueueRow **rows);

/* store/search.c */
extern int	rsn_store_search_promises(const RsnSearch *search,
									  RsnPromiseRow **rows);
extern bool rsn_store_passes_many_lapsed(const RsnSearch *search);

/* store/search_id.c */
extern int	rsn_store_search_promises_by_id(const RsnIdSearch *search,
											int64 now_ms,
											RsnPromiseRow **rows,
											text **next_id);
extern int	rsn_store_search_tasks(RsnTaskState state, bool is_any_state,
								   text *after_id, int64 now_ms, int limit,
								   RsnTaskRow **rows, text **next_id);

/* store/branch.c */
extern int	rsn_store_branch(text *name, text *except_id, int limit,
							 RsnPromiseRow **rows);

/* store/prune.c */
extern int	rsn_store_pass_history(RsnPromiseState state,
								   int64 created_by_ms, int limit,
								   RsnPruneMark *mark);
extern int	rsn_store_prune_promises(RsnPromiseState state,
									 int64 settled_by_ms, int limit,
									 RsnPruneMark *from,
									 const RsnPruneMark *to, int nentries,
									 bool *has_more);

/* store/due.c */
extern int	rsn_store_due_ids(RsnDueKind kind, int64 from_ms, int64 now_ms,
							  int limit, text *const *set_aside,
							  int nset_aside, text ***ids, int64 **due_ms);
extern int64 rsn_store_next_due(RsnDueKind kind, int64 from_ms,
								text *const *set_aside, int nset_aside);

/* store/delete.c */
extern int	rsn_store_delete_promises(text *const *ids, int n);
extern void rsn_store_check_at_once(void);

/* store/callback.c */
extern bool rsn_store_may_have_callbacks(text *promise_id);
extern bool rsn_store_list_notifications(text *promise_id, int limit,
										 ItemPointerData *tids, int *n);
extern bool rsn_store_take_notification(const ItemPointerData *tid,
										text *promise_id, RsnMessageRow *row);
extern bool rsn_store_insert_callback(const RsnCallbackRow *row);
extern int	rsn_store_fire_callbacks(text *const *promise_ids, int n,
									 int64 now_ms);
extern int	rsn_store_fire_locked(text *promise_id, int64 now_ms,
								  RsnNoteAddress note);

/* store/message.c */
extern int	rsn_store_lock_notifications(int64 now_ms, int limit,
										 text *const *set_aside,
										 int nset_aside, RsnMessageRow **rows);
extern int	rsn_store_lock_notifications_of(text *promise_id, int64 now_ms,
											int limit, RsnMessageRow **rows);
extern void rsn_store_delete_message(const RsnMessageRow *row);
extern void rsn_store_postpone_message(const RsnMessageRow *row,
									   int64 due_at_ms, int64 now_ms);
extern int	rsn_store_lock_messages(text *address, int limit, int64 now_ms,
									RsnMessageRow **rows);
extern void rsn_store_hide_messages(RsnMessageRow *rows, int n,
									int64 now_ms, int64 visible_at_ms);
extern int	rsn_store_lock_listener_messages(text *address, int limit,
											 int64 now_ms,
											 RsnMessageRow **rows);
extern int	rsn_store_read_listener_messages(RsnMessageRow **rows);
extern bool rsn_store_acknowledge(RsnCallbackKind kind, text *promise_id,
								  text *callback_id);
extern int	rsn_store_expire_messages(bool is_delivered, int64 due_by_ms,
									  int limit, int *nlisteners);

/* store/prepared.c */
extern bool rsn_store_has_prepared_transactions(void);

/* store/left.c */
extern void rsn_key_mark_set(RsnKeyMark *mark, const text *key);
extern bool rsn_store_has_few_callbacks(text *promise_id, int limit);
extern bool rsn_store_list_few_awaiters(text *promise_id, int limit, text **ids,
										int *n);
extern int	rsn_store_read_left(RsnLeftKind kind, const RsnLeftMark *mark,
								text *last_id, int limit,
								text *const *set_aside, int nset_aside,
								RsnLeftRow **rows);
extern int	rsn_store_fire_left(RsnLeftRow *rows, int n, int64 now_ms);
extern int	rsn_store_take_left_awaiters(RsnLeftRow *rows, int n,
										 text ***awaiter_ids);
extern RsnKeyRange rsn_store_next_tasks(const RsnKeyMark *mark, int limit);

/* store/task.c */
extern bool rsn_store_is_task_birth_column(int column);
extern text *rsn_store_task_id(HeapTuple tuple, TupleDesc desc);
extern const char *rsn_store_check_task_values(const Datum *values,
											   const bool *nulls);
extern void rsn_store_insert_task(const RsnTaskRow *row);
extern RsnTaskRow *rsn_store_read_task(text *id);
extern RsnTaskRow *rsn_store_lock_task(text *id);
extern RsnTaskRow *rsn_store_share_task(text *id);
extern int	rsn_store_lock_tasks(text *const *ids, int n, RsnTaskRow **rows);
extern int	rsn_store_lock_tasks_and_awaiters(text *const *ids, int n,
											  text *const *awaited_ids,
											  int nawaited,
											  RsnTaskRow **rows);
extern int	rsn_store_lock_tasks_of_pid(text *pid, RsnTaskRow **rows);
extern int	rsn_store_try_lock_tasks(text *const *ids, int n, RsnTaskRow **rows,
									 text ***busy, int *nbusy);
extern int	rsn_store_lock_ended_leases(int64 from_ms, int64 now_ms, int limit,
										text *const *set_aside, int nset_aside,
										RsnTaskRow **rows);
extern void rsn_store_update_task(RsnTaskRow *row);
extern void rsn_store_delete_task(const RsnTaskRow *row);
extern int	rsn_store_delete_stale_tasks(const RsnKeyRange *range, int limit);

/* store/awaiter.c */
extern text *rsn_store_awaiter_id(HeapTuple tuple, TupleDesc desc);
extern bool rsn_store_may_be_awaited(text *promise_id);
extern bool rsn_store_insert_awaiter(text *awaited_id, text *awaiter_id);
extern int	rsn_store_list_awaiters(text *const *awaited_ids, int n,
									RsnAwaiterRow **rows);
extern int	rsn_store_take_awaiters(text *const *awaited_ids, int n,
									text *const *busy, int nbusy,
									text ***awaiter_ids);

/* store/foreign.c */
extern void rsn_store_delete_all_of(text *promise_id);
extern void rsn_store_delete_all_but_promises(void);
extern text *rsn_store_find_without_task(void);
extern bool rsn_store_is_awaiting(text *awaiter_id);
extern int	rsn_store_lock_stranded_tasks(RsnTaskRow **rows);

/* store/queue.c */
extern int	rsn_store_lock_due_tasks(text *address, int64 now_ms, int limit,
									 RsnTaskRow *rows);
extern int	rsn_store_lock_tasks_for_others(text *address, text *pid,
											int64 left_ms, int64 now_ms,
											int limit, RsnTaskRow *rows);
extern int	rsn_store_lock_due_notify_tasks(text *address, int64 now_ms,
											int limit, RsnTaskRow *rows,
											int64 *busy_ms);
extern bool rsn_store_try_lock_task_at(const ItemPointerData *tid,
									   RsnTaskRow *row);
extern int64 rsn_store_next_offer(int64 after_ms);
extern int	rsn_store_waiting_since(RsnWaitingKind kind, bool is_delivered,
									int64 from_ms, int64 now_ms, int limit,
									RsnWaiting **rows);
extern int	rsn_store_waiting_addresses(RsnWaitingKind kind, text *after,
										int64 now_ms, int limit,
										RsnWaiting **rows);

/* store/clock_ahead.c */
extern int	rsn_store_lock_tasks_ahead(int64 now_ms, int64 latest_ms,
									   int64 until_ms, int limit,
									   RsnTaskRow **rows);
extern int	rsn_store_set_messages_right(bool is_delivered, int64 now_ms,
										 int64 until_ms, int64 due_at_ms,
										 int limit);

/* store/schedule.c */
extern const char *rsn_catch_up_name(RsnCatchUp catch_up);
extern bool rsn_catch_up_from_name(const char *name, RsnCatchUp *catch_up);
extern bool rsn_store_insert_schedule(const RsnScheduleRow *row);
extern RsnScheduleRow *rsn_store_read_schedule(text *id);
extern int	rsn_store_lock_due_schedules(int64 now_ms, int limit,
										 text *const *set_aside,
										 int nset_aside, RsnDueSchedule **due);
extern int	rsn_store_lock_newest_schedules(int64 now_ms, int limit,
											const RsnDueSchedule *after,
											text *const *set_aside,
											int nset_aside,
											RsnDueSchedule **due);
extern int	rsn_store_list_schedules(text *after_id, int limit,
									 RsnScheduleRow **rows);
extern RsnScheduleRow *rsn_store_lock_schedule(text *id);
extern int	rsn_store_lock_schedules_ahead(int64 now_ms, int64 until_ms,
										   int limit, RsnScheduleRow **rows);
extern void rsn_store_update_schedule(const RsnScheduleRow *row);
extern bool rsn_store_delete_schedule(text *id);
extern int	rsn_store_search_schedules(Jsonb *tags, text *after_id, int limit,
									   RsnScheduleRow **rows);

/* store/table_open.c */
extern void rsn_store_check_columns(Relation rel);

/* store/statement.c */
extern void rsn_store_refuse_left_out(const char *table);

/* store/trigger.c */
extern bool rsn_store_are_triggers_changed(void);

#endif							/* RSN_STORE_STORE_H */
