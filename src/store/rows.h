/*-------------------------------------------------------------------------
 *
 * store/rows.h
 *	  Rows of the tables, and what is asked of them, as structs.
 *
 *-------------------------------------------------------------------------
 */
#ifndef RSN_STORE_ROWS_H
#define RSN_STORE_ROWS_H

#include "storage/itemptr.h"
#include "utils/array.h"
#include "utils/jsonb.h"

#include "core/promise.h"
#include "core/task.h"

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

#endif							/* RSN_STORE_ROWS_H */
