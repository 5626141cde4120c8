/*-------------------------------------------------------------------------
 *
 * engine/request.h
 *	  What the engine is asked for, and what it returns.
 *
 *-------------------------------------------------------------------------
 */
#ifndef RSN_ENGINE_REQUEST_H
#define RSN_ENGINE_REQUEST_H

#include "core/promise.h"
#include "store/store.h"
#include "store/tags.h"

typedef struct RsnCreateRequest
{
	RsnCreate	rule;			/* its key points into key */
	text	   *id;
	text	   *key;			/* NULL: none */
	Jsonb	   *tags;			/* never NULL */
	RsnPayload	param;
	text	   *target;			/* NULL unless rule.is_targeted */
	int64		offer_at_ms;	/* not to be offered before; zero: at once */
	int64		as_of_ms;		/* its birth; zero: now */
} RsnCreateRequest;

/* What firing schedules has done. */
typedef struct RsnFired
{
	int			processed;		/* occurrences, or schedules without any */
	int64		occurrences;	/* whose promises were created */
	int64		missed;			/* occurrences that nobody can work on */
	bool		has_more;		/* that is due */
} RsnFired;

typedef struct RsnSettleRequest
{
	RsnSettle	rule;			/* its key points into key */
	text	   *id;
	text	   *key;
	RsnPayload	value;
} RsnSettleRequest;

typedef struct RsnOutcome
{
	RsnStatus	status;
	text	   *id;				/* as asked for */
	RsnPromiseRow *promise;		/* NULL: there is none */
	RsnCallbackRow *callback;	/* recorded by this call, or NULL */
} RsnOutcome;

/* What an operation on a task returns. */
typedef struct RsnTaskOutcome
{
	RsnStatus	status;
	text	   *id;				/* as asked for */
	bool		has_task;
	RsnTask		task;			/* as seen at the instant of the decision */
	text	   *pid;			/* of an acquired task */
	RsnPromiseRow *promise;		/* NULL: not shown */
} RsnTaskOutcome;

/*
 * How far pruning has come, so that it need not begin again at what is gone but
 * cannot be vacuumed yet.  Zero is the start.
 */
typedef struct RsnPrunePosition
{
	int64		lapsed_from_ms; /* deadline of internal promises */
	RsnPruneMark marks[RSN_PROMISE_NSTATES];	/* what has been looked at */
	bool		has_lapsed;		/* more internal ones may have to be settled */
	bool		has_more;		/* that may be old enough */
} RsnPrunePosition;

/* How far reconciling has come; zero is the start. */
typedef struct RsnReconcilePosition
{
	RsnLeftMark marks[RSN_NLEFT];
	RsnKeyMark	task;
	bool		has_more;
	bool		has_busy;		/* it has passed what others work on */
} RsnReconcilePosition;

/* Who takes a task, and for how long. */
typedef struct RsnLease
{
	text	   *pid;
	int64		ttl_ms;
} RsnLease;

typedef struct RsnTaskRef
{
	text	   *id;
	int32		version;
} RsnTaskRef;

/* What is done under a fence: one of the two, or nothing. */
typedef struct RsnFenceAction
{
	const RsnCreateRequest *create;
	const RsnSettleRequest *settle;
} RsnFenceAction;

typedef struct RsnFenceOutcome
{
	RsnStatus	status;			/* of the fence; unless OK nothing was done */
	RsnOutcome	inner;
} RsnFenceOutcome;

extern void rsn_request_set_traits(RsnCreateRequest *request,
								   const RsnTraits *traits);

#endif							/* RSN_ENGINE_REQUEST_H */
