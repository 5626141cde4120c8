/*-------------------------------------------------------------------------
 *
 * worker/run.c
 *	  One step of the worker: its transaction, and what becomes of a failure.
 *
 * A step that fails is tried again row by row, and rows that fail alone are set
 * aside, so that one that cannot be dealt with keeps nobody else waiting.  What
 * is no fault of a row is tried again soon: see server/failure.h.  When several rows fail
 * one after the other for such a reason, it is not they, and the step waits.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/xact.h"
#include "commands/extension.h"
#include "miscadmin.h"
#include "pgstat.h"
#include "utils/builtins.h"
#include "utils/memutils.h"
#include "utils/snapmgr.h"

#include "server/clock.h"
#include "server/guc.h"
#include "server/identity.h"
#include "worker/run.h"
#include "worker/settings.h"
#include "worker/step.h"

/* For how long at least a row is set aside that fails by its own fault. */
#define SET_ASIDE_MS		60000

/* For how long one is that somebody works on. */
#define LOCKED_ASIDE_MS		1000

/* So many failures in a row, none by fault of a row, are those of the step. */
#define STREAK_MAX			3

/* How long a step may go on row by row, as long as rows fail. */
#define ONE_BY_ONE_MS		500

/* How many errors a step reports at most; the log says that there were more. */
#define REPORTS_MAX			10

void
rsn_run_init(RsnRun *run, RsnSlot *slot)
{
	memset(run, 0, sizeof(RsnRun));
	run->slot = slot;
	run->attached_ms = rsn_clock_monotonic();
	run->progress.is_worker = true;
	run->scratch = AllocSetContextCreate(TopMemoryContext,
										 "resonate worker step",
										 ALLOCSET_DEFAULT_SIZES);
	run->error_context = AllocSetContextCreate(TopMemoryContext,
											   "resonate worker error",
											   ALLOCSET_SMALL_SIZES);
}

/*
 * Begins a transaction as the owner of the tables, until it has committed: deferred
 * triggers of others run then.
 */
static void
begin(RsnRun *run, const char *activity)
{
	Assert(!IsTransactionState());
	rsn_identity_reset();
	rsn_settings_allow_cancel();
	SetCurrentStatementStartTimestamp();
	StartTransactionCommand();
	rsn_identity_assume_transaction();
	PushActiveSnapshot(GetTransactionSnapshot());
	pgstat_report_activity(STATE_RUNNING, activity);
	MemoryContextSwitchTo(run->scratch);
}

static void
end(RsnRun *run)
{
	Assert(IsTransactionState() && GetCurrentTransactionNestLevel() == 1);
	PopActiveSnapshot();
	CommitTransactionCommand();
	rsn_identity_reset();
	rsn_settings_ignore_cancel();
	pgstat_report_stat(true);
	pgstat_report_activity(STATE_IDLE, NULL);
	MemoryContextReset(run->scratch);
	MemoryContextSwitchTo(run->scratch);
}

/* Leaves when the extension is not, or no longer, in this database. */
static void
check_extension(RsnRun *run)
{
	if (OidIsValid(get_extension_oid("resonate", true)))
		return;
	PopActiveSnapshot();
	CommitTransactionCommand();
	rsn_place_leave(run, RSN_EXIT_ABSENT);
}

/* Ends a transaction that has failed; returns its error, in the error context. */
static ErrorData *
abandon(RsnRun *run)
{
	ErrorData  *error;

	rsn_settings_ignore_cancel();
	MemoryContextSwitchTo(run->error_context);
	HOLD_INTERRUPTS();
	error = CopyErrorData();
	FlushErrorState();
	AbortCurrentTransaction();
	Assert(!IsTransactionState());
	RESUME_INTERRUPTS();
	pgstat_report_activity(STATE_IDLE, NULL);
	MemoryContextReset(run->scratch);
	MemoryContextSwitchTo(run->scratch);
	return error;
}

/* Logs an error that is over as it was raised. */
static void
log_error(ErrorData *error)
{
	MemoryContext context = CurrentMemoryContext;

	PG_TRY();
	{
		ReThrowError(error);
	}
	PG_CATCH();
	{
		MemoryContextSwitchTo(context);
		EmitErrorReport();
		FlushErrorState();
	}
	PG_END_TRY();
}

/*
 * If the extension was dropped in the middle of a transaction, its error is none
 * but a reason to leave.  A worker that cannot even look stays.
 */
static void
leave_if_dropped(RsnRun *run)
{
	PG_TRY();
	{
		begin(run, "look for the extension");
		check_extension(run);
		end(run);
	}
	PG_CATCH();
	{
		(void) abandon(run);
	}
	PG_END_TRY();
}

/*
 * Notes why a transaction has failed, and reports it, unless somebody merely works
 * on what it wanted.
 */
static void
note_failure(RsnRun *run, const char *activity, ErrorData *error)
{
	Assert(error->elevel == ERROR);
	run->failure = rsn_failure_of(error->sqlerrcode);
	run->is_canceled = error->sqlerrcode == ERRCODE_QUERY_CANCELED;
	if (run->failure != RSN_FAILURE_LOCKED)
	{
		leave_if_dropped(run);
		rsn_slot_count(RSN_COUNT_FAILURES, 1);
		rsn_slot_note_error(run->slot, activity, error, rsn_clock_wall());
		if (run->nreported++ < REPORTS_MAX)
			log_error(error);
	}
	MemoryContextReset(run->error_context);
}

/* Does something in a transaction of its own; false when that failed. */
bool
rsn_run_try(RsnRun *run, const char *activity, RsnAction action,
			void *arg)
{
	ErrorData  *volatile error = NULL;

	PG_TRY();
	{
		begin(run, activity);
		check_extension(run);
		action(run, arg);
		end(run);
	}
	PG_CATCH();
	{
		error = abandon(run);
	}
	PG_END_TRY();
	if (error != NULL)
		note_failure(run, activity, error);
	return error == NULL;
}

static void
run_part(RsnRun *run, void *arg)
{
	RsnStepPart *part = arg;

	part->now_ms = rsn_clock_now();
	rsn_step_run_part(part);
}

/* Of a step that is to be taken row by row. */
typedef struct Listing
{
	RsnStep		step;
	MemoryContext context;		/* of the rows */
	RsnStepRows rows;
} Listing;

static void
list_rows(RsnRun *run, void *arg)
{
	Listing    *listing = arg;

	MemoryContextSwitchTo(listing->context);
	rsn_step_list(listing->step, rsn_clock_now(), &run->progress,
				  &listing->rows);
}

/* Until when a row is set aside that has just failed alone. */
static int64
aside_until(const RsnRun *run)
{
	int64		now_ms = rsn_clock_now();

	switch (run->failure)
	{
		case RSN_FAILURE_LOCKED:
			return now_ms + LOCKED_ASIDE_MS;
		case RSN_FAILURE_PASSING:
			return now_ms + rsn_guc_retry_interval_ms;
		case RSN_FAILURE_ROW:
			break;
	}
	return now_ms + Max(SET_ASIDE_MS, rsn_guc_retry_interval_ms);
}

/* Sets a row aside that has failed alone, unless there are too many. */
static void
set_aside(RsnRun *run, RsnStep step, text *id)
{
	if (!rsn_set_aside_add(&run->progress.set_aside[step], id,
						   aside_until(run)))
	{
		run->is_aside_full = true;
		return;
	}
	if (run->failure != RSN_FAILURE_ROW)
		return;
	rsn_slot_count(RSN_COUNT_SET_ASIDE, 1);
	if (run->nreported <= REPORTS_MAX)
		ereport(WARNING,
				(errcode(ERRCODE_DATA_CORRUPTED),
				 errmsg("could not run step \"%s\" for \"%s\"",
						rsn_step_name(step), text_to_cstring(id)),
				 errdetail("It is set aside; others are not affected.")));
}

/* When the first of those set aside is to be tried again, or RSN_TIME_NEVER. */
int64
rsn_run_next_release(const RsnRun *run)
{
	int64		next_ms = RSN_TIME_NEVER;

	for (int i = 0; i < RSN_NSTEPS; i++)
		next_ms = Min(next_ms,
					  rsn_set_aside_next(&run->progress.set_aside[i]));
	return next_ms;
}

/*
 * Has those set aside tried again whose time has come, or all when rows have come
 * that they may have missed.  What reconciles is only run when it is asked for.
 */
void
rsn_run_release(RsnRun *run)
{
	bool		has_foreign_rows =
	pg_atomic_read_u32(&run->slot->must_reconcile) ==
	RSN_RECONCILE_FOREIGN_ROWS;
	int64		until_ms = has_foreign_rows ? RSN_TIME_NEVER : rsn_clock_now();
	bool		must_reconcile = false;

	for (int i = 0; i < RSN_NSTEPS; i++)
	{
		if (rsn_set_aside_release(&run->progress.set_aside[i],
								  until_ms) == 0)
			continue;
		must_reconcile |= i == RSN_STEP_RECONCILE;
		run->progress.offered.must_walk |= i == RSN_STEP_DISPATCH;
		run->progress.from_ms[i] = PG_INT64_MIN;
	}
	if (must_reconcile && !has_foreign_rows)
		pg_atomic_write_u32(&run->slot->must_reconcile,
							RSN_RECONCILE_MORE);
}

/* How a step goes that is run row by row. */
typedef struct OneByOne
{
	int			ndone;
	int			nfailed;
	int			streak;			/* of failures that are no fault of a row */
	int64		until_ms;		/* when it has to end, if rows fail */
} OneByOne;

/* Takes one row; false when the others have to wait. */
static bool
take_one(RsnRun *run, RsnStepPart *part, OneByOne *state)
{
	Assert(part->id != NULL);
	CHECK_FOR_INTERRUPTS();
	rsn_place_yield(run);
	if (rsn_run_try(run, rsn_step_name(part->step), run_part, part))
	{
		state->ndone++;
		state->streak = 0;
		return true;
	}
	if (run->is_canceled)
		return false;
	set_aside(run, part->step, part->id);
	state->nfailed++;
	state->streak = run->failure == RSN_FAILURE_ROW ? 0
		: state->streak + 1;
	return state->streak < STREAK_MAX && rsn_clock_wall() < state->until_ms;
}

/*
 * Goes on behind the rows that were tried, which cannot all be set aside; at least by
 * a millisecond.  Nobody is to be kept waiting by any number of them.
 */
static void
pass_over(RsnRun *run, const Listing *listing, int ntried)
{
	int64	   *from_ms = &run->progress.from_ms[listing->step];

	Assert(ntried <= listing->rows.n);
	if (run->is_aside_full && listing->rows.due_ms != NULL && ntried > 0)
		*from_ms = Max(*from_ms + 1, listing->rows.due_ms[ntried - 1]);
}

/*
 * After a failed step: takes its rows one by one, and sets aside those that fail
 * alone.  It has failed if it cannot be told which these are.
 */
static RsnStepEnd
step_one_by_one(RsnRun *run, RsnStep step, int *n)
{
	RsnStepPart part = {.step = step,.progress = &run->progress};
	Listing		listing = {.step = step};
	OneByOne	state = {0};

	listing.context = AllocSetContextCreate(TopMemoryContext,
											"resonate due rows",
											ALLOCSET_DEFAULT_SIZES);
	state.until_ms = rsn_clock_wall() + ONE_BY_ONE_MS;
	if (rsn_run_try(run, rsn_step_name(step), list_rows, &listing))
	{
		bool		may_go_on = true;
		int			i;

		for (i = 0; i < listing.rows.n && may_go_on; i++)
		{
			part.id = listing.rows.ids[i];
			may_go_on = take_one(run, &part, &state);
		}
		pass_over(run, &listing, i);
	}
	MemoryContextDelete(listing.context);
	if (run->nreported > REPORTS_MAX)
		ereport(WARNING,
				(errmsg("step \"%s\" has failed %d times more",
						rsn_step_name(step), run->nreported - REPORTS_MAX)));
	*n = state.ndone + state.nfailed;
	return state.ndone + state.nfailed > 0 && state.streak < STREAK_MAX &&
		!run->is_canceled ? RSN_STEP_PARTLY : RSN_STEP_FAILED;
}

StaticAssertDecl(RSN_NSTEPS <= 32, "failing_steps has a bit for each step");

/*
 * Notes whether a step works, for who asks.  What somebody works on is no failure,
 * and what nobody hears of is a failure of delivery whatever the reason.
 */
static void
note_end(RsnRun *run, RsnStep step, bool has_failed)
{
	if (!has_failed)
	{
		pg_atomic_fetch_and_u32(&run->slot->failing_steps, ~(1U << step));
		return;
	}
	pg_atomic_fetch_or_u32(&run->slot->failing_steps, 1U << step);
	if (step == RSN_STEP_DELIVER || step == RSN_STEP_DISPATCH)
		rsn_slot_count(RSN_COUNT_DELIVERY_FAILURES, 1);
}

/*
 * Runs a step, and says how many rows it took.  If it has to go row by row, the
 * failure is that of the step as a whole.
 */
RsnStepEnd
rsn_run_step(RsnRun *run, RsnStep step, int *n)
{
	RsnStepPart part = {.step = step,.progress = &run->progress};
	RsnFailure	failure;
	RsnStepEnd	end;

	Assert(!IsTransactionState());
	run->nreported = 0;
	run->is_aside_full = false;
	*n = 0;
	if (rsn_run_try(run, rsn_step_name(step), run_part, &part))
	{
		note_end(run, step, false);
		*n = part.ntaken;
		return RSN_STEP_DONE;
	}
	if (run->failure != RSN_FAILURE_LOCKED)
		note_end(run, step, true);
	if (run->is_canceled)
		return RSN_STEP_FAILED;
	failure = run->failure;
	end = step_one_by_one(run, step, n);
	run->failure = end == RSN_STEP_PARTLY ? failure
		: Max(failure, run->failure);
	return end;
}
