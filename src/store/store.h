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
#include "core/promise.h"
#include "core/task.h"
#include "storage/itemptr.h"
#include "utils/array.h"
#include "utils/jsonb.h"
#include "utils/relcache.h"

#define RSN_PROMISE_ID_MAX	1024	/* bytes, also a CHECK of the table */
#define RSN_CALLBACK_ID_MAX	255
#define RSN_SCHEDULE_ID_MAX	1024
#define RSN_PID_MAX			1024

/*
 * A param or value; at most one of data and text is there.  What is read is as it
 * is stored, and store/payload.c looks into it.
 */
typedef struct RsnPayload
{
	struct varlena *headers;	/* jsonb; NULL: none */
	bytea	   *data;			/* what base64 stood for; NULL: none */
	text	   *text;			/* a string that is not base64; NULL: none */
	Jsonb	   *json;			/* what data stands for; NULL: not known */
} RsnPayload;

typedef struct RsnPromiseRow
{
	RsnPromise	core;			/* its keys point into the two texts below */
	text	   *id;
	text	   *key_for_create; /* NULL: none */
	text	   *key_for_complete;
	struct varlena *tags;		/* jsonb as it is stored; NULL if not read */
	RsnPayload	param;
	RsnPayload	value;
	int32		task_version;	/* of a settled one that is targeted, else -1 */
	ItemPointerData tid;		/* of what was read; holds while it is locked */
} RsnPromiseRow;

typedef enum RsnCallbackKind
{
	RSN_CALLBACK_NAMED,			/* has an id of its own */
	RSN_CALLBACK_LISTENER		/* its id is its address */
} RsnCallbackKind;

typedef struct RsnCallbackRow
{
	RsnCallbackKind kind;
	text	   *promise_id;
	text	   *callback_id;
	text	   *address;
	int64		created_at_ms;
} RsnCallbackRow;

typedef struct RsnMessageRow
{
	RsnCallbackKind kind;
	text	   *promise_id;
	text	   *callback_id;
	text	   *address;
	int32		attempt;
	int64		due_at_ms;
	ItemPointerData tid;		/* of what was read; holds while it is locked */
	bool		has_promise;	/* false: the promise is gone */
	RsnPromiseRow promise;
} RsnMessageRow;

typedef struct RsnTaskRow
{
	RsnTask		core;
	text	   *id;
	text	   *address;
	text	   *pid;			/* NULL unless acquired */
	text	   *others_address; /* where others may have it; NULL: nowhere */
	ArrayType  *given_back_by;	/* by which processes, the last ones, since it
								 * got further; NULL: none */
	ItemPointerData tid;		/* of what was read; holds while it is locked */
} RsnTaskRow;

typedef enum RsnWaitingKind
{
	RSN_WAITING_TASK,			/* whose target it is */
	RSN_WAITING_OTHERS,			/* a task that others may have there as well */
	RSN_WAITING_MESSAGE
} RsnWaitingKind;

#define RSN_WAITING_NKINDS (RSN_WAITING_MESSAGE + 1)

/* An address that has something to dequeue. */
typedef struct RsnWaiting
{
	RsnWaitingKind kind;
	text	   *address;
	int64		newest_ms;		/* since when the last of it has been due */
	ItemPointerData tid;		/* of that, where it was looked for by time */
} RsnWaiting;

/* What waits at an address. */
typedef struct RsnQueueRow
{
	text	   *address;
	int64		tasks;			/* that are pending */
	int64		tasks_due;		/* to be offered */
	int64		due_since_ms;	/* the first of those; -1: none */
	int64		tasks_offered;	/* which nobody has taken */
	int64		messages;
	int64		messages_since_ms;	/* the oldest; -1: none */
} RsnQueueRow;

typedef enum RsnCatchUp
{
	RSN_CATCH_UP_ALL,
	RSN_CATCH_UP_LAST,
	RSN_CATCH_UP_NONE
} RsnCatchUp;

#define RSN_NCATCH_UPS (RSN_CATCH_UP_NONE + 1)

typedef struct RsnScheduleRow
{
	text	   *id;
	text	   *cron;
	text	   *time_zone;		/* NULL: UTC */
	text	   *promise_id;		/* template */
	struct varlena *promise_tags;	/* jsonb as it is stored, never NULL */
	RsnPayload	param;
	RsnCatchUp	catch_up;
	int64		promise_timeout_ms;
	int64		created_at_ms;
	int64		next_run_at_ms;
	int64		last_run_at_ms; /* -1: never */
	int64		next_civil_ms;	/* what a clock shows at the next run, or
								 * RSN_CIVIL_NONE */
	int64		fired;			/* occurrences so far */
	int64		missed;			/* that nobody could work on */
	int64		last_missed_at_ms;	/* -1: none */
} RsnScheduleRow;

/* Where there is no time zone, or it is not known. */
#define RSN_CIVIL_NONE PG_INT64_MIN

/* A schedule that is due, and since when. */
typedef struct RsnDueSchedule
{
	text	   *id;
	int64		next_run_at_ms;
} RsnDueSchedule;

typedef struct RsnSearch
{
	const char *like_pattern;	/* for LIKE, escaped */
	Jsonb	   *tags;			/* NULL: any */
	bool		wants[RSN_PROMISE_NSTATES]; /* states as seen at now_ms */
	int64		now_ms;
	bool		has_position;	/* continue after this one */
	int64		position_created_at_ms;
	text	   *position_id;
	int			limit;
} RsnSearch;

/* What has become of callbacks: messages of one kind, the other, or both. */
#define RSN_FIRED_NOTIFY	0x01	/* for the worker to deliver */
#define RSN_FIRED_OTHER		0x02	/* to be dequeued */

/* Is told the address of a message that has been written. */
typedef void (*RsnNoteAddress) (const text *address);

/* What becomes due. */
typedef enum RsnDueKind
{
	RSN_DUE_PROMISES,
	RSN_DUE_INTERNAL_PROMISES,	/* whose deadline is not armed */
	RSN_DUE_LEASES,
	RSN_DUE_SCHEDULES,
	RSN_DUE_OFFERS,				/* of tasks, to notify:// addresses */
	RSN_DUE_MESSAGES			/* to them, by promise */
} RsnDueKind;

/* A task that waits for a promise. */
typedef struct RsnAwaiterRow
{
	text	   *awaited_id;
	text	   *awaiter_id;
} RsnAwaiterRow;

/* Promises in order of their ids, as the wire protocol searches. */
typedef struct RsnIdSearch
{
	Jsonb	   *tags;			/* NULL: any */
	bool		wants[RSN_PROMISE_NSTATES];
	text	   *after_id;		/* never NULL; empty: from the beginning */
	int			limit;
} RsnIdSearch;

/* A place in history, in the order in which promises were created; zero is the start. */
typedef struct RsnPruneMark
{
	int64		created_at_ms;
	int			id_len;
	char		id[RSN_PROMISE_ID_MAX];
} RsnPruneMark;

/* The keys in a table after one of them and up to another. */
typedef struct RsnKeyRange
{
	text	   *after;
	text	   *last;
	bool		is_end;			/* which is longer than any, and after all */
} RsnKeyRange;

/* A key that outlives the store; zero is before all. */
typedef struct RsnKeyMark
{
	int			len;
	char		key[RSN_PROMISE_ID_MAX + 1];
} RsnKeyMark;

/* Who can still wait for a promise when it has settled. */
typedef enum RsnLeftKind
{
	RSN_LEFT_CALLBACKS,
	RSN_LEFT_AWAITERS
} RsnLeftKind;

#define RSN_NLEFT (RSN_LEFT_AWAITERS + 1)

/* One of them. */
typedef struct RsnLeftRow
{
	text	   *promise_id;
	bool		is_listener;
	text	   *id;				/* of the callback, or of the awaiting task */
	ItemPointerData tid;
	bool		is_settled;		/* what it waits for */
	text	   *address;		/* of a callback */
} RsnLeftRow;

/* Its place in their order, which outlives the store; zero is before all. */
typedef struct RsnLeftMark
{
	RsnKeyMark	promise;
	RsnKeyMark	id;
	bool		is_listener;
} RsnLeftMark;

typedef struct RsnStateCounts
{
	int64		states[RSN_PROMISE_NSTATES];
	int64		due;
	int64		oldest_due_ms;	/* meaningful when due > 0 */
	int64		callbacks;
	int64		messages;
	int64		tasks[RSN_TASK_NSTATES];
	int64		schedules;
} RsnStateCounts;

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
