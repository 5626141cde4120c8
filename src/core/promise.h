/*-------------------------------------------------------------------------
 *
 * core/promise.h
 *	  The durable promise as a pure state machine.
 *
 * Nothing here allocates, raises, reads a clock or touches a table: every
 * function maps (stored record, command, now) to a decision.  The state
 * diagram, the table of edges and the invariants are at the top of core/promise.c.
 * All times are milliseconds since the Unix epoch, UTC.
 *
 *-------------------------------------------------------------------------
 */
#ifndef RSN_CORE_PROMISE_H
#define RSN_CORE_PROMISE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef enum RsnPromiseState
{
	RSN_PROMISE_PENDING,
	RSN_PROMISE_RESOLVED,
	RSN_PROMISE_REJECTED,
	RSN_PROMISE_CANCELED,
	RSN_PROMISE_TIMEDOUT
} RsnPromiseState;

#define RSN_PROMISE_NSTATES 5

/* Four-digit status codes; the HTTP status is the code divided by ten. */
typedef enum RsnStatus
{
	RSN_STATUS_OK = 2000,
	RSN_STATUS_CREATED = 2010,
	RSN_STATUS_REDIRECT = 3000,
	RSN_STATUS_ALREADY_RESOLVED = 4030,
	RSN_STATUS_ALREADY_REJECTED = 4031,
	RSN_STATUS_ALREADY_CANCELED = 4032,
	RSN_STATUS_ALREADY_TIMEDOUT = 4033,
	RSN_STATUS_NOT_FOUND = 4040,
	RSN_STATUS_WAIT_TIMEOUT = 4080,
	RSN_STATUS_ALREADY_EXISTS = 4090,
	RSN_STATUS_CONFLICT = RSN_STATUS_ALREADY_EXISTS,
	RSN_STATUS_UNFIT = 4220,	/* the named object cannot play that role */
	RSN_STATUS_NOT_EXTERNAL = RSN_STATUS_UNFIT
} RsnStatus;

/* An idempotency key; data is NULL when there is none.  Not zero-terminated. */
typedef struct RsnKey
{
	const char *data;
	size_t		len;
} RsnKey;

typedef struct RsnPromise
{
	RsnPromiseState state;
	bool		is_timer;		/* resolves, instead of rejecting, at its
								 * deadline */
	bool		is_external;	/* may have callbacks; its deadline is armed */
	bool		is_targeted;	/* has a task */
	bool		has_value;		/* value data or headers are present */
	int64_t		created_at_ms;
	int64_t		timeout_at_ms;	/* INT64_MAX: never */
	int64_t		settled_at_ms;	/* zero while pending */
	RsnKey		key_for_create;
	RsnKey		key_for_complete;
} RsnPromise;

typedef struct RsnCreate
{
	bool		is_strict;
	bool		is_timer;		/* only together with is_external */
	bool		is_external;
	bool		is_targeted;	/* likewise, and never with is_timer */
	int64_t		timeout_at_ms;
	RsnKey		key;
} RsnCreate;

typedef struct RsnSettle
{
	RsnPromiseState target;		/* resolved, rejected or canceled */
	bool		is_strict;
	bool		has_value;
	RsnKey		key;
} RsnSettle;

/*
 * What the caller of a decision has to do to the stored record, whatever the
 * status: a command that is refused may still have found a deadline passed.
 */
typedef enum RsnWrite
{
	RSN_WRITE_NONE,
	RSN_WRITE_INSERT,			/* next is a new record */
	RSN_WRITE_SETTLE			/* next replaces the pending record; wake its
								 * awaiters */
} RsnWrite;

typedef struct RsnDecision
{
	RsnStatus	status;
	RsnWrite	write;
	bool		takes_value;	/* the write stores the command's value */
	RsnPromise	next;			/* the record after the operation; unset when
								 * status is RSN_STATUS_NOT_FOUND */
} RsnDecision;

extern bool rsn_promise_is_lapsed(const RsnPromise *stored, int64_t now_ms);
extern RsnPromise rsn_promise_observe(const RsnPromise *stored, int64_t now_ms);

/* In each, stored is NULL when there is no such promise. */
extern RsnDecision rsn_promise_create(const RsnPromise *stored,
									  const RsnCreate *command,
									  int64_t now_ms);
extern RsnDecision rsn_promise_settle(const RsnPromise *stored,
									  const RsnSettle *command,
									  int64_t now_ms);
extern RsnDecision rsn_promise_register(const RsnPromise *stored,
										bool is_registered, int64_t now_ms);
extern RsnDecision rsn_promise_await(const RsnPromise *stored, int64_t now_ms);
extern RsnDecision rsn_promise_expire(const RsnPromise *stored,
									  int64_t now_ms);

extern const char *rsn_promise_check(const RsnPromise *promise);
extern const char *rsn_promise_check_step(const RsnPromise *before,
										  const RsnPromise *after);

extern const char *rsn_promise_state_name(RsnPromiseState state);
extern bool rsn_promise_state_from_name(const char *name,
										RsnPromiseState *state);

extern int64_t rsn_deadline_after(int64_t now_ms, int64_t timeout_ms);

#endif							/* RSN_CORE_PROMISE_H */
