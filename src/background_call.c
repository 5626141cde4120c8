/*-------------------------------------------------------------------------
 *
 * background_call.c
 *	  Steps of background work that callers run in their own transactions.
 *
 * What cannot be dealt with is for the worker to find out and to set aside; it
 * must not keep a caller who only wants his own work from it.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "miscadmin.h"
#include "utils/memutils.h"

#include "background.h"
#include "clock.h"
#include "failure.h"

/* How long a step that failed for a caller is left to the worker. */
#define FAILED_STEP_WAIT_MS 60000

/* When a step that has failed may run again in this session. */
static int64 not_before_ms[RSN_NSTEPS];

/* What lies further ahead was noted by a clock that was set back since. */
static bool
has_to_wait(RsnStep step, int64 now_ms)
{
	return now_ms < not_before_ms[step] &&
		not_before_ms[step] - now_ms <= FAILED_STEP_WAIT_MS;
}

/* Of a step: all of it, or one row; and how many rows that took. */
typedef struct Part
{
	RsnStep		step;
	int64		now_ms;
	RsnProgress *progress;
	text	   *id;				/* NULL: all of it */
	int			ntaken;
} Part;

static void
run_part(void *arg)
{
	Part	   *part = arg;

	part->ntaken = part->id == NULL
		? rsn_background_step(part->step, part->now_ms, 0, part->progress)
		: rsn_background_step_one(part->step, part->now_ms, part->id);
}

/*
 * Runs a part of a step, and takes it back if it fails; then the error is returned,
 * else NULL.
 */
static ErrorData *
try_part(Part *part)
{
	RsnCounts	counts = rsn_background_counts();
	ErrorData  *error;

	error = rsn_attempt(run_part, part);
	if (error != NULL)
	{
		part->ntaken = 0;
		rsn_background_restore_counts(&counts);
	}
	return error;
}

/*
 * Leaves a step, one of whose rows is at fault, to the worker for a while.  Raises
 * the errors of the transaction, the session and the server again.
 */
static void
leave_to_worker(const Part *part, ErrorData *error)
{
	if (rsn_failure_of(error->sqlerrcode) != RSN_FAILURE_ROW)
		ReThrowError(error);
	not_before_ms[part->step] = rsn_deadline_after(part->now_ms,
												   FAILED_STEP_WAIT_MS);
	ereport(WARNING,
			(errcode(error->sqlerrcode),
			 errmsg("could not run step \"%s\": %s", rsn_step_name(part->step),
					error->message),
			 errdetail("It is left to the background worker for a minute.")));
}

/* Runs a step row by row, since somebody works on one of them. */
static int
try_rows(RsnStep step, int64 now_ms, RsnProgress *progress)
{
	Part		part = {.step = step,.now_ms = now_ms};
	text	  **ids;
	int64	   *due_ms;
	int			nids = rsn_background_list(step, now_ms, progress, &ids, &due_ms);
	int			ntaken = 0;

	for (int i = 0; i < nids && !has_to_wait(step, now_ms); i++)
	{
		ErrorData  *error;

		CHECK_FOR_INTERRUPTS();
		part.id = ids[i];
		error = try_part(&part);
		ntaken += part.ntaken;
		if (error != NULL && error->sqlerrcode != ERRCODE_LOCK_NOT_AVAILABLE)
			leave_to_worker(&part, error);
	}
	return ntaken;
}

/* Runs a step, without what somebody works on; returns how many rows it took. */
static int
try_step(RsnStep step, int64 now_ms)
{
	RsnProgress start = {0};
	Part		part = {.step = step,.now_ms = now_ms,.progress = &start};
	ErrorData  *error;

	if (has_to_wait(step, now_ms))
		return 0;
	error = try_part(&part);
	if (error == NULL)
		return part.ntaken;
	if (error->sqlerrcode == ERRCODE_LOCK_NOT_AVAILABLE)
		return try_rows(step, now_ms, &start);
	leave_to_worker(&part, error);
	return 0;
}

/*
 * What every caller may have done for himself: schedules, deadlines and leases,
 * one batch of each, in the order in which locks are taken.  Answers how many.
 */
int
rsn_background_process_timeouts(int64 now_ms)
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
rsn_background_tick(int64 now_ms)
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
		while (rsn_background_step(steps[i], now_ms, 0, &start) > 0)
		{
			MemoryContextReset(step_context);
			CHECK_FOR_INTERRUPTS();
		}
	}
	MemoryContextSwitchTo(caller_context);
	MemoryContextDelete(step_context);
}
