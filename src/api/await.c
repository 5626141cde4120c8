/*-------------------------------------------------------------------------
 *
 * api/await.c
 *	  resonate.await_promise, the function and the procedure.
 *
 * A waiter announces what it waits for, then looks, then sleeps on its latch;
 * a transaction that settles the promise sets the latch after its commit.  See
 * signal/wake.c for why no wake-up is lost.  The deadline of the promise wakes the
 * waiter as well, which then stores the timeout itself.
 *
 * The function waits inside its statement, so the snapshot of the statement
 * stays.  The procedure ends its transaction before it sleeps.  PostgreSQL does
 * not let a procedure do that which has SECURITY DEFINER or a SET clause, so
 * this one has neither and reads through resonate.get_promise(), for which its
 * caller needs the privilege.
 *
 * A waiter sees at once when its client is gone, which PostgreSQL does by default
 * only when it has something to send: clients that have given up would fill the
 * server with sessions that nobody waits for.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/xact.h"
#include "fmgr.h"
#include "miscadmin.h"
#include "nodes/parsenodes.h"
#include "storage/ipc.h"
#include "storage/latch.h"
#include "utils/builtins.h"

#include "api/args.h"
#include "api/record.h"
#include "server/clock.h"
#include "server/compat.h"
#include "signal/wake.h"
#include "store/await.h"

/* While commits may happen that set no latch: on a standby, or prepared. */
#define POLL_MS		1000

/* A latch cannot sleep longer than an int of milliseconds. */
#define SLEEP_MAX_MS (60 * 60 * 1000)

PG_FUNCTION_INFO_V1(resonate_await_promise);
PG_FUNCTION_INFO_V1(resonate_await_promise_procedure);

/* The instant on the wall clock at which the caller wants to stop waiting. */
static int64
wait_limit(const Interval *timeout)
{
	int64		now_ms = rsn_clock_wall();

	if (timeout == NULL)
		return RSN_TIME_NEVER;
	return rsn_deadline_after(now_ms, rsn_check_interval(timeout, now_ms,
														 "timeout", 0, NULL));
}

/* Ends the session, as PostgreSQL does when it finds that its client is gone. */
static void
end_lost_session(void)
{
	ClientConnectionLost = true;
	InterruptPending = true;
	CHECK_FOR_INTERRUPTS();
}

/*
 * Sleeps like WaitLatch; false when the client is gone, where the platform can tell.
 * The events are those that PostgreSQL waits for when it reads from the client, and
 * sets anew for itself each time.
 */
static bool
sleep_with_client(long wait_ms, uint32 wait_event)
{
	WaitEvent	events[RSN_CLIENT_NEVENTS];
	bool		is_there = true;
	int			n;

	ModifyWaitEvent(FeBeWaitSet, RSN_CLIENT_SOCKET_POS, WL_SOCKET_CLOSED, NULL);
	ModifyWaitEvent(FeBeWaitSet, RSN_CLIENT_LATCH_POS, WL_LATCH_SET, MyLatch);
	n = WaitEventSetWait(FeBeWaitSet, wait_ms, events, lengthof(events),
						 wait_event);
	for (int i = 0; i < n; i++)
	{
		if (events[i].events & WL_POSTMASTER_DEATH)
			proc_exit(1);
		is_there &= (events[i].events & WL_SOCKET_CLOSED) == 0;
	}
	return is_there;
}

/*
 * Sleeps until a commit tells of the promise, the deadline, the limit, or the end of the
 * client.
 */
static void
sleep_once(int64 deadline_ms, int64 until_ms, bool must_poll)
{
	static uint32 wait_event = 0;
	int64		limit_ms = must_poll ? POLL_MS : SLEEP_MAX_MS;
	int64		wait_ms;
	bool		is_there = true;

	if (wait_event == 0)
		wait_event = rsn_wait_event_new("ResonateAwait");
	if (rsn_wake_is_told())
	{
		CHECK_FOR_INTERRUPTS();
		return;
	}
	wait_ms = Min(Max(until_ms - rsn_clock_wall(), 0), limit_ms);
	wait_ms = rsn_clock_wait_ms(deadline_ms, wait_ms);
	if (MyProcPort != NULL && WaitEventSetCanReportClosed())
		is_there = sleep_with_client(wait_ms, wait_event);
	else
		(void) WaitLatch(MyLatch,
						 WL_LATCH_SET | WL_TIMEOUT | WL_EXIT_ON_PM_DEATH,
						 wait_ms, wait_event);
	ResetLatch(MyLatch);
	if (!is_there)
		end_lost_session();
	CHECK_FOR_INTERRUPTS();
}

/*
 * Refuses to wait for what cannot happen: nobody else can see, or settle, a
 * promise that this transaction has written or locked, until it ends.
 */
static void
check_can_wait(text *id)
{
	if (rsn_engine_is_held(id))
		ereport(ERROR,
				(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
				 errmsg("cannot await promise \"%s\" in the transaction that has written it",
						text_to_cstring(id)),
				 errdetail("Nobody else can settle it before this transaction ends."),
				 errhint("Commit first.")));
	if (IsolationUsesXactSnapshot())
		ereport(ERROR,
				(errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
				 errmsg("cannot await a pending promise in a transaction that does not see later commits"),
				 errhint("Use READ COMMITTED.")));
}

/* resonate.await_promise(id, timeout), the function */
Datum
resonate_await_promise(PG_FUNCTION_ARGS)
{
	text	   *id = rsn_check_id(RSN_ARG_TEXT(0), RSN_PROMISE_ID_MAX, "id", 0);
	int64		until_ms = wait_limit(RSN_ARG_INTERVAL(1));
	RsnOutcome	outcome = rsn_engine_await(id);

	if (outcome.status == RSN_STATUS_WAIT_TIMEOUT &&
		rsn_clock_wall() < until_ms)
	{
		check_can_wait(id);
		rsn_wake_watch(VARDATA_ANY(id), VARSIZE_ANY_EXHDR(id));
		for (;;)
		{
			bool		must_poll = rsn_wake_begin_look();

			outcome = rsn_engine_await(id);
			if (outcome.status != RSN_STATUS_WAIT_TIMEOUT ||
				rsn_clock_wall() >= until_ms)
				break;
			sleep_once(outcome.promise->core.timeout_at_ms, until_ms,
					   must_poll);
		}
		rsn_wake_unwatch();
	}
	return rsn_record_promise(fcinfo, &outcome);
}

/* The procedure must be able to end its transaction. */
static void
check_not_atomic(FunctionCallInfo fcinfo)
{
	if (fcinfo->context == NULL || !IsA(fcinfo->context, CallContext) ||
		castNode(CallContext, fcinfo->context)->atomic)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_TRANSACTION_TERMINATION),
				 errmsg("CALL resonate.await_promise cannot be used in a transaction block or a function"),
				 errhint("Use SELECT * FROM resonate.await_promise(...) there.")));
}

/* CALL resonate.await_promise(id, timeout, status, state, value) */
Datum
resonate_await_promise_procedure(PG_FUNCTION_ARGS)
{
	text	   *id = rsn_check_id(RSN_ARG_TEXT(0), RSN_PROMISE_ID_MAX, "id", 0);
	int64		until_ms = wait_limit(RSN_ARG_INTERVAL(1));
	RsnAwaitResult awaited;
	Datum		values[3];
	bool		nulls[3];

	check_not_atomic(fcinfo);
	rsn_store_await_begin();
	rsn_wake_watch(VARDATA_ANY(id), VARSIZE_ANY_EXHDR(id));
	for (;;)
	{
		bool		must_poll = rsn_wake_begin_look();

		rsn_store_await_read(id, &awaited);
		if (awaited.status != RSN_STATUS_OK || !awaited.is_pending ||
			rsn_clock_wall() >= until_ms)
			break;
		rsn_store_await_commit();
		rsn_pause_transaction_timeout();
		sleep_once(awaited.timeout_at_ms, until_ms, must_poll);
		rsn_resume_transaction_timeout();
	}
	rsn_wake_unwatch();
	rsn_store_await_end();

	if (awaited.is_pending)
		awaited.status = RSN_STATUS_WAIT_TIMEOUT;
	values[0] = Int32GetDatum(awaited.status);
	nulls[0] = false;
	values[1] = PointerGetDatum(awaited.state);
	nulls[1] = awaited.state == NULL;
	values[2] = PointerGetDatum(awaited.value);
	nulls[2] = awaited.value == NULL;
	return rsn_record_form(fcinfo, values, nulls);
}
