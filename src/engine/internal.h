/*-------------------------------------------------------------------------
 *
 * engine/internal.h
 *	  What the files of the engine share.
 *
 *-------------------------------------------------------------------------
 */
#ifndef RSN_ENGINE_INTERNAL_H
#define RSN_ENGINE_INTERNAL_H

#include "engine/engine.h"

/* The tasks that a settlement concerns, locked, in byte order of their ids. */
typedef struct RsnTaskSet
{
	RsnTaskRow *rows;
	int			n;
	text	  **awaited_ids;	/* those of the promises that tasks await */
	int			nawaited;
	text	  **busy;			/* awaiting tasks that others have locked */
	int			nbusy;
	text	  **left_ids;		/* promises whose awaiters are left, or some */
	int			nleft;
	int			share;			/* of each promise in what is done at once;
								 * zero: all */
} RsnTaskSet;

/* What a create has found at its id. */
typedef enum RsnFound
{
	RSN_FOUND_NONE,				/* it has inserted its own */
	RSN_FOUND_READ,				/* a promise, as it was read */
	RSN_FOUND_LOCKED			/* a promise, which is locked */
} RsnFound;

/* How long a search has waited for what is in doubt. */
typedef struct RsnDoubt
{
	int			waited_ms;
} RsnDoubt;

/* Reads the stored task, or NULL, and may lock it. */
typedef RsnTaskRow *(*RsnTaskLook) (text *id);

/* engine/promise.c */
extern void rsn_engine_check_step(const char *violated, const char *what,
								  const text *id);
extern void rsn_engine_change_row(RsnPromiseRow *row,
								  const RsnDecision *decision,
								  const RsnSettleRequest *request);
extern void rsn_engine_note_write(const RsnPromiseRow *row);
extern bool rsn_engine_can_write(void);
extern RsnOutcome rsn_engine_unwritten(RsnPromiseRow *row,
									   const RsnDecision *decision);
extern RsnOutcome rsn_engine_apply(RsnPromiseRow *row,
								   const RsnDecision *decision,
								   const RsnSettleRequest *request,
								   const RsnTaskSet *tasks, int64 now_ms);

/* engine/busy.c */
extern RsnTaskSet rsn_engine_try_lock_all(RsnPromiseRow **rows, int *n);

/* engine/create.c */
extern RsnPromiseRow rsn_engine_new_row(const RsnCreateRequest *request,
										const RsnDecision *decision);
extern RsnFound rsn_engine_insert_or_find(const RsnCreateRequest *request,
										  int64 now_ms, bool wants_lock,
										  RsnOutcome *outcome);

/* engine/doubt.c */
extern int	rsn_engine_list_lapsed(const RsnPromiseRow *rows, int n,
								   int64 now_ms, text **ids);
extern bool rsn_engine_expire_lapsed(const RsnPromiseRow *rows, int n,
									 int64 now_ms, RsnDoubt *doubt);
extern int	rsn_engine_show_page(RsnPromiseRow *rows, int n,
								 const bool *wants, int64 now_ms);
extern void rsn_engine_add_page(RsnPromiseRow **rows, int n, int limit,
								RsnPromiseRow *page, int npage);

/* engine/follow.c */
extern RsnTaskSet rsn_engine_lock_tasks(RsnPromiseRow *const *rows, int n,
										text *extra_id);
extern RsnTaskSet rsn_engine_lock_tasks_for(RsnPromiseRow *row,
											text *extra_id);
extern RsnTaskSet rsn_engine_try_lock_tasks(RsnPromiseRow **rows, int *n);

/* engine/settle.c */
extern bool rsn_engine_is_in_order(const RsnTaskSet *set);
extern RsnTaskRow *rsn_engine_find_task(const RsnTaskSet *set,
										const text *id);
extern void rsn_engine_task_missing(const RsnPromiseRow *promise);
extern void rsn_engine_write_settled(RsnPromiseRow *const *rows, int n,
									 const RsnTaskSet *tasks, int64 now_ms);
extern bool rsn_engine_try_settle(RsnPromiseRow *row, int64 now_ms);
extern void rsn_engine_resume_awaiters(const RsnTaskSet *tasks, int64 now_ms);
extern void rsn_engine_catch_up(RsnPromiseRow *row, const RsnTaskSet *tasks,
								int64 now_ms);
extern void rsn_engine_resume_tasks(text **ids, int n, const RsnTaskSet *tasks,
									int64 now_ms);
extern void rsn_engine_note_fired(const text *address);
extern void rsn_engine_insert_task(const RsnCreateRequest *request,
								   const RsnTask *task, text *pid);
extern void rsn_engine_offer_new(const RsnPromiseRow *row,
								 const RsnCreateRequest *request);
extern void rsn_engine_write_task(RsnTaskRow *row,
								  const RsnTaskDecision *decision,
								  int64 now_ms);

/* engine/sweep.c */
extern int	rsn_engine_expire_rows(RsnPromiseRow *rows, int n, bool may_wait,
								   int64 now_ms);

/* engine/task.c */
extern RsnTaskOutcome rsn_engine_task_outcome(text *id, RsnStatus status);
extern void rsn_engine_show_task(RsnTaskOutcome *outcome, const RsnTask *task,
								 text *pid);
extern void rsn_engine_show_fulfilled(RsnTaskOutcome *outcome,
									  const RsnPromiseRow *promise);
extern RsnTaskOutcome rsn_engine_apply_task(RsnTaskRow *row,
											const RsnTaskDecision *decision,
											int64 now_ms);
extern RsnTaskOutcome rsn_engine_without_row(text *id);
extern RsnTaskRow *rsn_engine_look_for_task(text *id, RsnTaskLook look,
											RsnTaskOutcome *without_row);

/* engine/lease.c */
extern RsnRetryPolicy rsn_engine_retry_policy(const RsnTaskRow *row);
extern text *rsn_engine_others_address(text *address);

#endif							/* RSN_ENGINE_INTERNAL_H */
