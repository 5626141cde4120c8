/*-------------------------------------------------------------------------
 *
 * core/promise.c
 *	  The durable promise as a pure state machine.
 *
 * This file owns every rule about promises: which command has which status,
 * what the record is afterwards, and what must be written.  It must not
 * include a PostgreSQL header, so that the same source runs in the server and
 * in a stand-alone test under sanitizers.
 *
 *----------
 *				 create, deadline ahead
 *		(none) -------------------------> PENDING
 *		   |								 |
 *		   |		   +---------------------+--------------------+
 *		   |		   |		   |		 |					  |
 *		   |		resolve		reject	   cancel			  deadline
 *		   |		   |		   |		 |			 timer |	| no timer
 *		   |		   v		   v		 v				   |	|
 *		   |	   RESOLVED    REJECTED   CANCELED			   |	|
 *		   |		   ^									   |	v
 *		   |		   +---------------------------------------+ TIMEDOUT
 *		   |		   ^											^
 *		   +-----------+----------- create, deadline past ----------+
 *			  timer							  no timer
 *
 *		edge						function
 *		(none) -> PENDING			rsn_promise_create
 *		(none) -> RESOLVED			rsn_promise_create, timer, deadline past
 *		(none) -> TIMEDOUT			rsn_promise_create, deadline past
 *		PENDING -> RESOLVED			rsn_promise_settle, or the deadline of a
 *									timer (settle_at_deadline)
 *		PENDING -> REJECTED			rsn_promise_settle
 *		PENDING -> CANCELED			rsn_promise_settle
 *		PENDING -> TIMEDOUT			settle_at_deadline
 *
 *		The deadline comes first: every function looks at the record as
 *		rsn_promise_observe shows it at "now", whether or not anyone has
 *		stored that yet.  "Lapsed" is now >= timeout_at; the instant of the
 *		deadline is already too late.
 *
 *		Invariants, checked by rsn_promise_check after every load and before
 *		every store:
 *		 1. created_at <= timeout_at
 *		 2. PENDING: created_at < timeout_at
 *		 3. settled_at is set exactly when the state is not PENDING
 *		 4. settled: created_at <= settled_at <= timeout_at
 *		 5. PENDING: no value and no key for completion
 *		 6. TIMEDOUT: settled_at = timeout_at
 *		 7. settled_at = timeout_at: RESOLVED for a timer, else TIMEDOUT
 *		 8. settled_at = timeout_at: no value and no key for completion
 *		 9. a timer is external
 *		10. what is targeted is external, and no timer
 *----------
 *
 *-------------------------------------------------------------------------
 */
#include "core/promise.h"

#include <string.h>

static const char *const state_names[RSN_PROMISE_NSTATES] = {
	"pending",
	"resolved",
	"rejected",
	"rejected_canceled",
	"rejected_timedout"
};

/* True when both keys are present and byte-equal; an absent key never matches. */
static bool
keys_match(const RsnKey *stored, const RsnKey *given)
{
	return stored->data != NULL && given->data != NULL &&
		stored->len == given->len &&
		memcmp(stored->data, given->data, stored->len) == 0;
}

static int64_t
max_ms(int64_t a, int64_t b)
{
	return a > b ? a : b;
}

/* The terminal record that passing its deadline makes of a pending promise. */
static RsnPromise
settle_at_deadline(const RsnPromise *pending)
{
	RsnPromise	next = *pending;

	next.state = pending->is_timer ? RSN_PROMISE_RESOLVED
		: RSN_PROMISE_TIMEDOUT;
	next.settled_at_ms = pending->timeout_at_ms;
	return next;
}

/* The status that refuses a command on an already settled promise. */
static RsnStatus
already_settled_status(RsnPromiseState state)
{
	switch (state)
	{
		case RSN_PROMISE_RESOLVED:
			return RSN_STATUS_ALREADY_RESOLVED;
		case RSN_PROMISE_REJECTED:
			return RSN_STATUS_ALREADY_REJECTED;
		case RSN_PROMISE_CANCELED:
			return RSN_STATUS_ALREADY_CANCELED;
		case RSN_PROMISE_TIMEDOUT:
		case RSN_PROMISE_PENDING:
			break;
	}
	return RSN_STATUS_ALREADY_TIMEDOUT;
}

/*
 * A decision that returns the record as it is seen at now, and that
 * stores the passing of the deadline if nobody has stored it yet.
 */
static RsnDecision
decide_observed(const RsnPromise *stored, int64_t now_ms)
{
	RsnDecision decision = {0};

	decision.status = RSN_STATUS_OK;
	decision.next = rsn_promise_observe(stored, now_ms);
	decision.write = decision.next.state == stored->state ? RSN_WRITE_NONE
		: RSN_WRITE_SETTLE;
	return decision;
}

static RsnDecision
decide_not_found(void)
{
	RsnDecision decision = {0};

	decision.status = RSN_STATUS_NOT_FOUND;
	decision.write = RSN_WRITE_NONE;
	return decision;
}

/* True when the record is stored as pending although its deadline has passed. */
bool
rsn_promise_is_lapsed(const RsnPromise *stored, int64_t now_ms)
{
	return stored->state == RSN_PROMISE_PENDING &&
		now_ms >= stored->timeout_at_ms;
}

/* The record as every reader must see it at now. */
RsnPromise
rsn_promise_observe(const RsnPromise *stored, int64_t now_ms)
{
	if (rsn_promise_is_lapsed(stored, now_ms))
		return settle_at_deadline(stored);
	return *stored;
}

/*
 * Create, or deduplicate against the stored record.  A strict command
 * deduplicates only while the promise is still pending.
 */
RsnDecision
rsn_promise_create(const RsnPromise *stored, const RsnCreate *command,
				   int64_t now_ms)
{
	RsnDecision decision = {0};

	if (stored != NULL)
	{
		decision = decide_observed(stored, now_ms);
		if (!keys_match(&stored->key_for_create, &command->key) ||
			(command->is_strict &&
			 decision.next.state != RSN_PROMISE_PENDING))
			decision.status = RSN_STATUS_ALREADY_EXISTS;
		return decision;
	}

	decision.status = RSN_STATUS_CREATED;
	decision.write = RSN_WRITE_INSERT;
	decision.next.state = RSN_PROMISE_PENDING;
	decision.next.is_timer = command->is_timer;
	decision.next.is_external = command->is_external;
	decision.next.is_targeted = command->is_targeted;
	decision.next.timeout_at_ms = command->timeout_at_ms;
	decision.next.created_at_ms = now_ms;
	decision.next.key_for_create = command->key;

	/* Born settled: it cannot have been created after its own deadline. */
	if (rsn_promise_is_lapsed(&decision.next, now_ms))
	{
		decision.next = settle_at_deadline(&decision.next);
		decision.next.created_at_ms = decision.next.timeout_at_ms;
	}
	return decision;
}

/* The status of settling a promise that is settled already. */
static RsnStatus
resettle_status(const RsnPromise *settled, const RsnSettle *command)
{
	if (settled->state == RSN_PROMISE_TIMEDOUT && !command->is_strict)
		return RSN_STATUS_OK;
	if (keys_match(&settled->key_for_complete, &command->key) &&
		(!command->is_strict || settled->state == command->target))
		return RSN_STATUS_OK;
	return already_settled_status(settled->state);
}

/*
 * Resolve, reject or cancel.  On a settled promise a strict command
 * deduplicates only against the outcome it asked for.
 */
RsnDecision
rsn_promise_settle(const RsnPromise *stored, const RsnSettle *command,
				   int64_t now_ms)
{
	RsnDecision decision;

	if (stored == NULL)
		return decide_not_found();

	decision = decide_observed(stored, now_ms);
	if (decision.next.state != RSN_PROMISE_PENDING)
	{
		decision.status = resettle_status(&decision.next, command);
		return decision;
	}

	decision.status = RSN_STATUS_CREATED;
	decision.write = RSN_WRITE_SETTLE;
	decision.takes_value = command->has_value;
	decision.next.state = command->target;
	decision.next.has_value = command->has_value;
	decision.next.key_for_complete = command->key;

	/* A clock that stepped back must not settle a promise before its birth. */
	decision.next.settled_at_ms = max_ms(now_ms, stored->created_at_ms);
	return decision;
}

/*
 * Register a callback: CREATED means that it has to be recorded, OK that it is
 * known already or that the promise is settled and the caller has the answer.
 */
RsnDecision
rsn_promise_register(const RsnPromise *stored, bool is_registered,
					 int64_t now_ms)
{
	RsnDecision decision;

	if (stored == NULL)
		return decide_not_found();

	decision = decide_observed(stored, now_ms);
	if (!stored->is_external)
		decision.status = RSN_STATUS_NOT_EXTERNAL;
	else if (decision.next.state == RSN_PROMISE_PENDING && !is_registered)
		decision.status = RSN_STATUS_CREATED;
	return decision;
}

/* Await: OK with the settled record, or WAIT_TIMEOUT while it is pending. */
RsnDecision
rsn_promise_await(const RsnPromise *stored, int64_t now_ms)
{
	RsnDecision decision;

	if (stored == NULL)
		return decide_not_found();

	decision = decide_observed(stored, now_ms);
	decision.write = RSN_WRITE_NONE;
	if (decision.next.state == RSN_PROMISE_PENDING)
		decision.status = RSN_STATUS_WAIT_TIMEOUT;
	return decision;
}

/* Store the passing of the deadline, if it has passed. */
RsnDecision
rsn_promise_expire(const RsnPromise *stored, int64_t now_ms)
{
	if (stored == NULL)
		return decide_not_found();
	return decide_observed(stored, now_ms);
}

/* The violated invariant of a pending promise, or NULL. */
static const char *
check_pending(const RsnPromise *promise)
{
	if (promise->created_at_ms >= promise->timeout_at_ms)
		return "pending_created_before_deadline";
	if (promise->settled_at_ms != 0)
		return "settled_at_iff_not_pending";
	if (promise->has_value)
		return "pending_has_no_value";
	if (promise->key_for_complete.data != NULL)
		return "pending_has_no_key_for_complete";
	return NULL;
}

/* The violated invariant of a settled promise, or NULL. */
static const char *
check_settled(const RsnPromise *promise)
{
	RsnPromiseState verdict = promise->is_timer ? RSN_PROMISE_RESOLVED
	: RSN_PROMISE_TIMEDOUT;

	if (promise->settled_at_ms > promise->timeout_at_ms)
		return "settled_at_lte_timeout_at";
	if (promise->settled_at_ms < promise->created_at_ms)
		return "created_at_lte_settled_at";
	if (promise->settled_at_ms < promise->timeout_at_ms)
		return promise->state == RSN_PROMISE_TIMEDOUT
			? "timedout_is_server_owned" : NULL;
	if (promise->state != verdict)
		return "deadline_verdict_matches_timer_tag";
	if (promise->has_value)
		return "deadline_settlement_has_no_value";
	if (promise->key_for_complete.data != NULL)
		return "deadline_settlement_has_no_key_for_complete";
	return NULL;
}

/* The name of an invariant that the record violates, or NULL. */
const char *
rsn_promise_check(const RsnPromise *promise)
{
	if (promise->created_at_ms > promise->timeout_at_ms)
		return "created_at_lte_timeout_at";
	if (promise->is_timer && !promise->is_external)
		return "timer_is_external";
	if (promise->is_targeted && !promise->is_external)
		return "targeted_is_external";
	if (promise->is_timer && promise->is_targeted)
		return "timer_not_targeted";

	switch (promise->state)
	{
		case RSN_PROMISE_PENDING:
			return check_pending(promise);
		case RSN_PROMISE_RESOLVED:
		case RSN_PROMISE_REJECTED:
		case RSN_PROMISE_CANCELED:
		case RSN_PROMISE_TIMEDOUT:
			return check_settled(promise);
	}
	return "state_is_known";
}

/*
 * The name of an invariant that a step from one stored record to the next violates,
 * or NULL: the only step there is settles, and leaves what was fixed at birth.
 */
const char *
rsn_promise_check_step(const RsnPromise *before, const RsnPromise *after)
{
	if (before->state != RSN_PROMISE_PENDING)
		return "settlement_is_final";
	if (after->state == RSN_PROMISE_PENDING)
		return "step_settles";
	if (before->created_at_ms != after->created_at_ms ||
		before->timeout_at_ms != after->timeout_at_ms ||
		before->is_timer != after->is_timer ||
		before->is_external != after->is_external ||
		before->is_targeted != after->is_targeted)
		return "birth_is_final";
	return NULL;
}

/* The public name of a state; the labels of resonate.promise_state. */
const char *
rsn_promise_state_name(RsnPromiseState state)
{
	return state_names[state];
}

/* Looks a state up by its public name; false when there is none such. */
bool
rsn_promise_state_from_name(const char *name, RsnPromiseState *state)
{
	for (int i = 0; i < RSN_PROMISE_NSTATES; i++)
	{
		if (strcmp(name, state_names[i]) == 0)
		{
			*state = (RsnPromiseState) i;
			return true;
		}
	}
	return false;
}

/* now + timeout, saturating at the end of time; timeout must not be negative. */
int64_t
rsn_deadline_after(int64_t now_ms, int64_t timeout_ms)
{
	if (now_ms > 0 && timeout_ms > INT64_MAX - now_ms)
		return INT64_MAX;
	return now_ms + timeout_ms;
}
