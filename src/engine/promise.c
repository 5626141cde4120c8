/*-------------------------------------------------------------------------
 *
 * engine/promise.c
 *	  Lock, read, decide, write: operations on one promise.
 *
 * The engine is where the pure rules (core/promise.c) meet the rows (store*.c) and
 * the wake-ups (signal/wake.c).  It knows no JSON and no SQL function.
 *
 * Lock order, for everything in this extension, each in byte order of ids:
 *
 *		1. rows of schedules
 *		2. rows of promises, FOR NO KEY UPDATE
 *		3. rows of tasks
 *		4. rows of callbacks and awaiters
 *		5. rows of messages
 *
 * Row locks only, never a heavyweight lock for each promise.  A promise is
 * decided upon under its lock, by what is read after the lock was taken, and the
 * clock is read after that: a deadline that passed while we waited has
 * passed.  The same holds for tasks, whose rows are enough to prove a lease,
 * since nobody settles a promise without deleting the row of its task.
 * Background sweeps take promises and leases in another order, but never wait
 * for one (SKIP LOCKED), so they are in no cycle.  Callbacks and awaiters are
 * touched under the lock of the promise waited for, so nobody waits for them.
 *
 * A settlement that finds the promise free writes it without a lock of its own
 * before: the write is the lock, and comes to nothing if anybody was faster.
 *
 * For the same reason a reader that finds a promise pending past its deadline
 * does not just project: somebody may have settled it in time and not yet
 * committed.  It takes the lock and stores the timeout itself.  Only where it
 * cannot write (standby, read-only transaction) does it project.
 *
 * The level is READ COMMITTED.  Under REPEATABLE READ and SERIALIZABLE the
 * same statements raise 40001 where the snapshot is too old; never a wrong
 * answer.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/xact.h"
#include "access/xlog.h"
#include "miscadmin.h"
#include "utils/builtins.h"

#include "engine/internal.h"
#include "server/clock.h"
#include "signal/wake.h"
#include "store/payload.h"
#include "store/tags.h"

/* Raises the error for a step that must never be taken; nothing is written. */
void
rsn_engine_check_step(const char *violated, const char *what, const text *id)
{
	if (violated != NULL)
		ereport(ERROR,
				(errcode(ERRCODE_INTERNAL_ERROR),
				 errmsg("cannot change %s \"%s\": it would violate invariant \"%s\"",
						what, text_to_cstring(id), violated)));
}

/*
 * Changes the row to what the decision wants.  The request is the one that
 * was decided upon, or NULL where none can settle.
 */
void
rsn_engine_change_row(RsnPromiseRow *row, const RsnDecision *decision,
					  const RsnSettleRequest *request)
{
	if (decision->write != RSN_WRITE_SETTLE)
		return;
	rsn_engine_check_step(rsn_promise_check_step(&row->core, &decision->next),
						  "promise", row->id);
	row->core = decision->next;

	/* A deadline has neither a key nor a value. */
	Assert(request != NULL || !decision->takes_value);
	Assert(request != NULL || decision->next.key_for_complete.data == NULL);
	if (decision->next.key_for_complete.data != NULL)
		row->key_for_complete = request->key;
	if (decision->takes_value)
		row->value = request->value;
}

/* Notes for commit time that a promise was written. */
void
rsn_engine_note_write(const RsnPromiseRow *row)
{
	rsn_wake_note_promise(VARDATA_ANY(row->id), VARSIZE_ANY_EXHDR(row->id));
	if (row->core.state == RSN_PROMISE_PENDING && row->core.is_external)
		rsn_wake_note_deadline(row->core.timeout_at_ms);
}

bool
rsn_engine_can_write(void)
{
	return !RecoveryInProgress() && !XactReadOnly;
}

/*
 * Performs the decision on a locked row and makes the outcome of it.  The tasks
 * are those that a settlement concerns, or NULL to lock them now.
 */
RsnOutcome
rsn_engine_apply(RsnPromiseRow *row, const RsnDecision *decision,
				 const RsnSettleRequest *request, const RsnTaskSet *tasks,
				 int64 now_ms)
{
	RsnOutcome	outcome = {0};

	Assert(decision->write != RSN_WRITE_INSERT);
	rsn_engine_change_row(row, decision, request);
	if (decision->write == RSN_WRITE_SETTLE)
		rsn_engine_write_settled(&row, 1, tasks, now_ms);
	outcome.status = decision->status;
	outcome.id = row->id;
	outcome.promise = row;
	return outcome;
}

static RsnOutcome
outcome_not_found(text *id)
{
	RsnOutcome	outcome = {0};

	outcome.status = RSN_STATUS_NOT_FOUND;
	outcome.id = id;
	return outcome;
}

/* The outcome of a decision that writes nothing. */
RsnOutcome
rsn_engine_unwritten(RsnPromiseRow *row, const RsnDecision *decision)
{
	RsnOutcome	outcome = {0};

	/* There is no record then that could be shown. */
	Assert(decision->status != RSN_STATUS_NOT_FOUND);
	row->core = decision->next;
	outcome.status = decision->status;
	outcome.id = row->id;
	outcome.promise = row;
	return outcome;
}

static RsnOutcome
settle_locked(const RsnSettleRequest *request)
{
	RsnPromiseRow *row = rsn_store_lock_promise(request->id);
	RsnDecision decision;
	int64		now_ms;

	if (row == NULL)
		return outcome_not_found(request->id);
	now_ms = rsn_clock_now();
	decision = rsn_promise_settle(&row->core, &request->rule, now_ms);
	Assert(decision.next.state != RSN_PROMISE_PENDING);
	return rsn_engine_apply(row, &decision, request, NULL, now_ms);
}

/*
 * Settles a promise, or returns the outcome for one that is settled, without a lock.
 * False when somebody else is about to write to it.
 */
static bool
try_settle(const RsnSettleRequest *request, RsnOutcome *outcome)
{
	RsnPromiseRow *row = rsn_store_read_promise(request->id);
	RsnDecision decision;
	int64		now_ms;

	*outcome = outcome_not_found(request->id);
	if (row == NULL)
		return true;
	now_ms = rsn_clock_now();
	decision = rsn_promise_settle(&row->core, &request->rule, now_ms);
	rsn_engine_change_row(row, &decision, request);
	*outcome = rsn_engine_unwritten(row, &decision);
	return decision.write == RSN_WRITE_NONE ||
		rsn_engine_try_settle(row, now_ms);
}

/* Resolves, rejects or cancels a promise. */
RsnOutcome
rsn_engine_settle(const RsnSettleRequest *request)
{
	RsnOutcome	outcome;

	rsn_store_begin();
	if (!try_settle(request, &outcome))
		outcome = settle_locked(request);
	rsn_store_end();
	return outcome;
}

/* Registers a callback on a promise, if it is pending and external. */
RsnOutcome
rsn_engine_register(RsnCallbackRow *callback)
{
	RsnOutcome	outcome = outcome_not_found(callback->promise_id);
	RsnPromiseRow *row;

	rsn_store_begin();
	row = rsn_store_lock_promise(callback->promise_id);
	if (row != NULL)
	{
		int64		now_ms = rsn_clock_now();
		bool		is_registered = false;
		RsnDecision decision = rsn_promise_register(&row->core, false, now_ms);

		if (decision.status == RSN_STATUS_CREATED)
		{
			callback->created_at_ms = now_ms;
			is_registered = !rsn_store_insert_callback(callback);
			decision = rsn_promise_register(&row->core, is_registered, now_ms);
		}
		outcome = rsn_engine_apply(row, &decision, NULL, NULL, now_ms);
		if (decision.status == RSN_STATUS_CREATED)
			outcome.callback = callback;
	}
	rsn_store_end();
	return outcome;
}

/*
 * The call graph that a promise belongs to, which never changes; that of its id
 * if it does not exist.
 */
text *
rsn_engine_origin(text *id)
{
	RsnPromiseRow *row;
	text	   *origin;

	rsn_store_begin();
	row = rsn_store_read_promise(id);
	rsn_store_end();
	origin = rsn_tags_origin(row == NULL ? NULL
							 : rsn_stored_jsonb(row->tags), id);
	return origin;
}

typedef RsnDecision (*ReadRule) (const RsnPromise *stored, int64 now_ms);

/* Reads a promise; locks and writes only to store a deadline that has passed. */
static RsnOutcome
read_promise(text *id, ReadRule rule)
{
	RsnOutcome	outcome = outcome_not_found(id);
	RsnPromiseRow *row;
	int64		now_ms;
	bool		is_locked = false;

	rsn_store_begin();
	row = rsn_store_read_promise(id);
	now_ms = rsn_clock_now();
	if (row != NULL && rsn_promise_is_lapsed(&row->core, now_ms) &&
		rsn_engine_can_write())
	{
		row = rsn_store_lock_promise(id);
		now_ms = rsn_clock_now();
		is_locked = true;
	}
	if (row != NULL)
	{
		RsnDecision decision = rsn_promise_expire(&row->core, now_ms);
		RsnDecision answer = rule(&row->core, now_ms);

		Assert(is_locked || decision.write == RSN_WRITE_NONE ||
			   !rsn_engine_can_write());
		outcome = is_locked ? rsn_engine_apply(row, &decision, NULL, NULL, now_ms)
			: rsn_engine_unwritten(row, &decision);
		outcome.status = answer.status;
	}
	rsn_store_end();
	return outcome;
}

/* The promise as it is now. */
RsnOutcome
rsn_engine_get(text *id)
{
	return read_promise(id, rsn_promise_expire);
}

/* The promise as it is now; the status says whether a waiter must go on waiting. */
RsnOutcome
rsn_engine_await(text *id)
{
	return read_promise(id, rsn_promise_await);
}

/* True when nobody else can settle the promise before this transaction ends. */
bool
rsn_engine_is_held(text *id)
{
	bool		result;

	rsn_store_begin();
	result = rsn_store_is_held(id);
	rsn_store_end();
	return result;
}
