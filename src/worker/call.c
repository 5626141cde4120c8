/*-------------------------------------------------------------------------
 *
 * worker/call.c
 *	  Steps of background work that callers run in their own transactions.
 *
 * What cannot be dealt with must not keep a caller from the rest.  A step that fails is
 * run row by row, and rows that fail by their own fault are left to the worker for a
 * while.  So is the step, when it fails by no row's fault, or there are too many.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/xact.h"
#include "miscadmin.h"
#include "utils/builtins.h"
#include "utils/memutils.h"

#include "server/clock.h"
#include "server/failure.h"
#include "worker/call.h"
#include "worker/count.h"
#include "worker/step.h"

/* How long what has failed for a caller is left to the worker. */
#define LEFT_MS 60000

/* When a step that has failed as a whole may run again in this session. */
static int64 not_before_ms[RSN_NSTEPS];

/* What has failed alone in this session, and until when it is left out. */
static RsnSetAside set_aside[RSN_NSTEPS];

/* What lies further ahead was noted by a clock that was set back since. */
static bool
has_to_wait(RsnStep step, int64 now_ms)
{
	return now_ms < not_before_ms[step] &&
		not_before_ms[step] - now_ms <= LEFT_MS;
}

/* Has those tried again whose time has come, or lies too far ahead. */
static void
release(RsnStep step, int64 now_ms)
{
	RsnSetAside *list = &set_aside[step];

	if (list->n > 0 && rsn_set_aside_next(list) - now_ms > LEFT_MS)
		(void) rsn_set_aside_release(list, RSN_TIME_NEVER);
	(void) rsn_set_aside_release(list, now_ms);
}

static void
run_part(void *arg)
{
	rsn_step_run_part(arg);
}

/*
 * Runs a part of a step, and takes it back if it fails; then the error is returned,
 * else NULL.
 */
static ErrorData *
try_part(RsnStepPart *part)
{
	RsnCounts	counts = rsn_count_current();
	ErrorData  *error;

	Assert(IsTransactionState());
	error = rsn_attempt(run_part, part);
	if (error != NULL)
	{
		part->ntaken = 0;
		rsn_count_restore(&counts);
	}
	return error;
}

/* Raises the errors of the transaction, the session and the server again. */
static void
check_error(ErrorData *error)
{
	if (rsn_failure_of(error->sqlerrcode) != RSN_FAILURE_ROW &&
		error->sqlerrcode != ERRCODE_LOCK_NOT_AVAILABLE)
		ReThrowError(error);
}

/* Leaves a step to the worker for a while. */
static void
leave_step(const RsnStepPart *part, const char *reason, int sqlstate)
{
	not_before_ms[part->step] = rsn_deadline_after(part->now_ms, LEFT_MS);
	ereport(WARNING,
			(errcode(sqlstate),
			 errmsg("could not run step \"%s\": %s", rsn_step_name(part->step),
					reason),
			 errdetail("It is left to the background worker for a minute.")));
}

/* Leaves a row to the worker for a while, or the step if there are too many. */
static void
leave_row(const RsnStepPart *part, const ErrorData *error)
{
	Assert(part->id != NULL);
	if (!rsn_set_aside_add(&set_aside[part->step], part->id,
						   rsn_deadline_after(part->now_ms, LEFT_MS)))
	{
		leave_step(part, error->message, error->sqlerrcode);
		return;
	}
	ereport(WARNING,
			(errcode(error->sqlerrcode),
			 errmsg("could not run step \"%s\" for \"%s\": %s",
					rsn_step_name(part->step), text_to_cstring(part->id),
					error->message),
			 errdetail("It is left to the background worker for a minute.")));
}

/* What a step would take, to try it row by row. */
typedef struct Listing
{
	const RsnStepPart *whole;
	RsnStepRows rows;
} Listing;

static void
list_rows(void *arg)
{
	Listing    *listing = arg;
	const RsnStepPart *whole = listing->whole;

	rsn_step_list(whole->step, whole->now_ms, whole->progress, &listing->rows);
}

/*
 * Runs a step row by row, since it has failed.  That some of its rows are locked is no
 * reason to leave it, nor that some have failed alone.
 */
static int
try_rows(const RsnStepPart *whole, const ErrorData *reason)
{
	RsnStepPart part = *whole;
	Listing		listing = {.whole = whole};
	int			ntaken = 0;
	int			nfailed = 0;

	Assert(whole->id == NULL);
	if (rsn_attempt(list_rows, &listing) != NULL)
		listing.rows.n = 0;
	for (int i = 0; i < listing.rows.n && !has_to_wait(part.step, part.now_ms); i++)
	{
		ErrorData  *error;

		CHECK_FOR_INTERRUPTS();
		part.id = listing.rows.ids[i];
		error = try_part(&part);
		ntaken += part.ntaken;
		if (error == NULL)
			continue;
		nfailed++;
		check_error(error);
		if (error->sqlerrcode != ERRCODE_LOCK_NOT_AVAILABLE)
			leave_row(&part, error);
	}
	if (nfailed == 0 && ntaken == 0 &&
		reason->sqlerrcode != ERRCODE_LOCK_NOT_AVAILABLE)
		leave_step(whole, reason->message, reason->sqlerrcode);
	return ntaken;
}

/* Runs a step, without what cannot be dealt with; returns how many rows it took. */
static int
try_step(RsnStep step, int64 now_ms)
{
	RsnProgress start = {0};
	RsnStepPart part = {.step = step,.now_ms = now_ms,.progress = &start};
	ErrorData  *error;

	if (has_to_wait(step, now_ms))
		return 0;
	release(step, now_ms);
	start.set_aside[step] = set_aside[step];
	error = try_part(&part);
	if (error == NULL)
		return part.ntaken;
	check_error(error);
	return try_rows(&part, error);
}

/*
 * What every caller may have done for himself: schedules, deadlines and leases,
 * one batch of each, in the order in which locks are taken.  Answers how many.
 */
int
rsn_call_process_timeouts(int64 now_ms)
{
	int			n = 0;

	n += try_step(RSN_STEP_SCHEDULE, now_ms);
	n += try_step(RSN_STEP_TIMEOUT, now_ms);
	n += try_step(RSN_STEP_LEASE, now_ms);
	return n;
}

/*
 * One sweep of everything that is due at an instant, in the order of the
 * protocol's debug.tick.
 */
void
rsn_call_tick(int64 now_ms)
{
	static const RsnStep steps[] = {
		RSN_STEP_TIMEOUT, RSN_STEP_LEASE, RSN_STEP_SCHEDULE
	};
	MemoryContext step_context = AllocSetContextCreate(CurrentMemoryContext,
													   "resonate tick",
													   ALLOCSET_DEFAULT_SIZES);
	MemoryContext caller_context = MemoryContextSwitchTo(step_context);
	RsnProgress start = {0};

	/* There may be any number of steps, all in one statement. */
	for (int i = 0; i < (int) lengthof(steps); i++)
	{
		while (rsn_step_run(steps[i], now_ms, 0, &start) > 0)
		{
			MemoryContextReset(step_context);
			CHECK_FOR_INTERRUPTS();
		}
	}
	MemoryContextSwitchTo(caller_context);
	MemoryContextDelete(step_context);
}
