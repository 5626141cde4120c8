/*-------------------------------------------------------------------------
 *
 * core/task.h
 *	  The task of a targeted promise as a pure state machine.
 *
 * As in core/promise.h: (stored record, command, now) to a decision, nothing else.
 * The state diagram and the invariants are at the top of core/task.c.  All times are
 * milliseconds since the Unix epoch, UTC.
 *
 *-------------------------------------------------------------------------
 */
#ifndef RSN_CORE_TASK_H
#define RSN_CORE_TASK_H

#include "core/promise.h"
#include "core/task_wait.h"

typedef enum RsnTaskState
{
	RSN_TASK_PENDING,
	RSN_TASK_ACQUIRED,
	RSN_TASK_SUSPENDED,
	RSN_TASK_HALTED,
	RSN_TASK_FULFILLED
} RsnTaskState;

#define RSN_TASK_NSTATES 5

/* By what the clocks of sessions that write at the same time may differ. */
#define RSN_TASK_CLOCK_TOLERANCE_MS 10000

typedef struct RsnTask
{
	RsnTaskState state;
	bool		has_pid;
	int32_t		version;		/* the fence: acquisitions so far */
	int32_t		resumes;		/* promises that have woken it since then */
	int32_t		setbacks;		/* releases and ended leases without progress */
	int64_t		ttl_ms;			/* while acquired, else zero */
	int64_t		clock_at_ms;	/* pending: next offer; acquired: end of the
								 * lease; else zero */
	int64_t		timeout_at_ms;	/* the deadline of its promise */
	int32_t		offers;			/* while pending: those that nobody has taken */

	/*
	 * While pending: from when it is also offered to those who have not given
	 * it back, before its clock or at another address; zero: never.
	 */
	int64_t		others_at_ms;
} RsnTask;

/* What the promises that a task wants to wait for are like. */
typedef struct RsnAwaited
{
	bool		is_unfit;		/* one is missing or internal */
	bool		is_settled;		/* one is settled, as seen at now */
} RsnAwaited;

typedef struct RsnTaskDecision
{
	RsnStatus	status;
	bool		is_changed;		/* next is to be stored */
	RsnTask		next;			/* the record afterwards */
} RsnTaskDecision;

extern bool rsn_task_is_alive(const RsnTask *stored, int64_t now_ms);
extern RsnTask rsn_task_observe(const RsnTask *stored, int64_t now_ms);
extern RsnTask rsn_task_fulfilled(int32_t version, int64_t timeout_at_ms);

/* A new task: waiting for a worker, or held by its creator. */
extern RsnTask rsn_task_new_pending(int64_t timeout_at_ms, int64_t offer_at_ms,
									const RsnRetryPolicy *policy);
extern RsnTask rsn_task_new_acquired(int64_t timeout_at_ms, int64_t ttl_ms,
									 int64_t now_ms);

/*
 * Commands.  In each, stored is the row of the task; whether there is no task at
 * all (4040) or only no row because it is fulfilled (4090) the caller knows.
 */
extern RsnTaskDecision rsn_task_guard(const RsnTask *stored, int32_t version,
									  int64_t now_ms);
extern RsnTaskDecision rsn_task_acquire(const RsnTask *stored, int32_t version,
										int64_t ttl_ms, int64_t now_ms);
extern RsnTaskDecision rsn_task_take(const RsnTask *stored, int64_t ttl_ms,
									 int64_t now_ms);
extern RsnTaskDecision rsn_task_release(const RsnTask *stored, int32_t version,
										const RsnRetryPolicy *policy,
										int64_t now_ms);
extern RsnTaskDecision rsn_task_suspend(const RsnTask *stored, int32_t version,
										const RsnAwaited *awaited,
										int64_t now_ms);
extern RsnTaskDecision rsn_task_heartbeat(const RsnTask *stored,
										  int32_t version, bool is_holder,
										  int64_t now_ms);
extern RsnTaskDecision rsn_task_halt(const RsnTask *stored, int64_t now_ms);
extern RsnTaskDecision rsn_task_continue(const RsnTask *stored,
										 const RsnRetryPolicy *policy,
										 int64_t now_ms);

/* Internal steps; resumes is at least 1.  Status is OK whether or not there was anything to do. */
extern RsnTaskDecision rsn_task_resume(const RsnTask *stored, int32_t resumes,
									   const RsnRetryPolicy *policy,
									   int64_t now_ms);
extern RsnTaskDecision rsn_task_end_lease(const RsnTask *stored,
										  const RsnRetryPolicy *policy,
										  int64_t now_ms);
extern RsnTaskDecision rsn_task_offer(const RsnTask *stored,
									  const RsnRetryPolicy *policy,
									  int64_t now_ms);
extern RsnTaskDecision rsn_task_offer_to_others(const RsnTask *stored,
												const RsnRetryPolicy *policy,
												int64_t now_ms);

extern RsnTaskDecision rsn_task_set_right(const RsnTask *stored,
										  const RsnRetryPolicy *policy,
										  int64_t delay_until_ms,
										  int64_t now_ms);

extern const char *rsn_task_check(const RsnTask *task);
extern const char *rsn_task_check_step(const RsnTask *before,
									   const RsnTask *after);

extern const char *rsn_task_state_name(RsnTaskState state);
extern bool rsn_task_state_from_name(const char *name, RsnTaskState *state);

#endif							/* RSN_CORE_TASK_H */
