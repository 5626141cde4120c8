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
rsn_runner_init(RsnRunner *runner, RsnSlot *slot)
{
	memset(runner, 0, sizeof(RsnRunner));
	runner->slot = slot;
	runner->attached_ms = rsn_clock_monotonic();
	runner->progress.is_worker = true;
	runner->scratch = AllocSetContextCreate(TopMemoryContext,
											"resonate worker step",
											ALLOCSET_DEFAULT_SIZES);
	runner->error_context = AllocSetContextCreate(TopMemoryContext,
												  "resonate worker error",
												  ALLOCSET_SMALL_SIZES);
}

/*
 * Begins a transaction as the owner of the tables, until it has committed: deferred
 * triggers of others run then.
 */
static void
begin(RsnRunner *runner, const char *activity)
{
	rsn_identity_reset();
	rsn_settings_allow_cancel();
	SetCurrentStatementStartTimestamp();
	StartTransactionCommand();
	rsn_identity_assume_transaction();
	PushActiveSnapshot(GetTransactionSnapshot());
	pgstat_report_activity(STATE_RUNNING, activity);
	MemoryContextSwitchTo(runner->scratch);
}

static void
end(RsnRunner *runner)
{
	PopActiveSnapshot();
	CommitTransactionCommand();
	rsn_identity_reset();
	rsn_settings_ignore_cancel();
	pgstat_report_stat(true);
	pgstat_report_activity(STATE_IDLE, NULL);
	MemoryContextReset(runner->scratch);
	MemoryContextSwitchTo(runner->scratch);
}

/* Leaves when the extension is not, or no longer, in this database. */
static void
check_extension(RsnRunner *runner)
{
	if (OidIsValid(get_extension_oid("resonate", true)))
		return;
	PopActiveSnapshot();
	CommitTransactionCommand();
	rsn_runner_leave(runner, RSN_EXIT_ABSENT);
}

/* Ends a transaction that has failed; returns its error, in the error context. */
static ErrorData *
abandon(RsnRunner *runner)
{
	ErrorData  *error;

	rsn_settings_ignore_cancel();
	MemoryContextSwitchTo(runner->error_context);
	HOLD_INTERRUPTS();
	error = CopyErrorData();
	FlushErrorState();
	AbortCurrentTransaction();
	RESUME_INTERRUPTS();
	pgstat_report_activity(STATE_IDLE, NULL);
	MemoryContextReset(runner->scratch);
	MemoryContextSwitchTo(runner->scratch);
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
 * but a reason to leave.  Whoever cannot even look stays.
 */
static void
leave_if_dropped(RsnRunner *runner)
{
	PG_TRY();
	{
		begin(runner, "look for the extension");
		check_extension(runner);
		end(runner);
	}
	PG_CATCH();
	{
		(void) abandon(runner);
	}
	PG_END_TRY();
}

/*
 * Notes why a transaction has failed, and reports it, unless somebody merely works
 * on what it wanted.
 */
static void
note_failure(RsnRunner *runner, const char *activity, ErrorData *error)
{
	runner->failure = rsn_failure_of(error->sqlerrcode);
	runner->is_canceled = error->sqlerrcode == ERRCODE_QUERY_CANCELED;
	if (runner->failure != RSN_FAILURE_LOCKED)
	{
		leave_if_dropped(runner);
		rsn_shared_count(RSN_COUNT_FAILURES, 1);
		rsn_shared_note_error(runner->slot, activity, error, rsn_clock_wall());
		if (runner->nreported++ < REPORTS_MAX)
			log_error(error);
	}
	MemoryContextReset(runner->error_context);
}

/* Does something in a transaction of its own; false when that failed. */
bool
rsn_runner_try(RsnRunner *runner, const char *activity, RsnAction action,
			   void *arg)
{
	ErrorData  *volatile error = NULL;

	PG_TRY();
	{
		begin(runner, activity);
		check_extension(runner);
		action(runner, arg);
		end(runner);
	}
	PG_CATCH();
	{
		error = abandon(runner);
	}
	PG_END_TRY();
	if (error != NULL)
		note_failure(runner, activity, error);
	return error == NULL;
}

/* A step, and what it is to do or has done. */
typedef struct StepRun
{
	RsnStep		step;
	text	   *id;				/* of the only row it is for */
	MemoryContext context;		/* to list ids in */
	text	  **ids;
	int64	   *due_ms;			/* NULL: unknown */
	int			n;
} StepRun;

static void
run_whole(RsnRunner *runner, void *arg)
{
	StepRun    *run = arg;

	run->n = rsn_background_step(run->step, rsn_clock_now(), 0,
								 &runner->progress);
}

static void
run_for_one(RsnRunner *runner, void *arg)
{
	StepRun    *run = arg;

	rsn_background_step_one(run->step, rsn_clock_now(), run->id);
}

static void
list_ids(RsnRunner *runner, void *arg)
{
	StepRun    *run = arg;

	MemoryContextSwitchTo(run->context);
	run->n = rsn_background_list(run->step, rsn_clock_now(),
								 &runner->progress, &run->ids, &run->due_ms);
}

/* Until when a row is set aside that has just failed alone. */
static int64
aside_until(const RsnRunner *runner)
{
	int64		now_ms = rsn_clock_now();

	switch (runner->failure)
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
set_aside(RsnRunner *runner, RsnStep step, text *id)
{
	if (!rsn_set_aside_add(&runner->progress.set_aside[step], id,
						   aside_until(runner)))
	{
		runner->is_aside_full = true;
		return;
	}
	if (runner->failure != RSN_FAILURE_ROW)
		return;
	rsn_shared_count(RSN_COUNT_SET_ASIDE, 1);
	if (runner->nreported <= REPORTS_MAX)
		ereport(WARNING,
				(errcode(ERRCODE_DATA_CORRUPTED),
				 errmsg("could not run step \"%s\" for \"%s\"",
						rsn_step_name(step), text_to_cstring(id)),
				 errdetail("It is set aside; others are not affected.")));
}

/* When the first of those set aside is to be tried again, or RSN_TIME_NEVER. */
int64
rsn_runner_next_release(const RsnRunner *runner)
{
	int64		next_ms = RSN_TIME_NEVER;

	for (int i = 0; i < RSN_NSTEPS; i++)
		next_ms = Min(next_ms,
					  rsn_set_aside_next(&runner->progress.set_aside[i]));
	return next_ms;
}

/*
 * Has those set aside tried again whose time has come, or all when rows have come
 * that they may have missed.  What reconciles is only run when it is asked for.
 */
void
rsn_runner_release(RsnRunner *runner)
{
	bool		has_foreign_rows =
	pg_atomic_read_u32(&runner->slot->must_reconcile) ==
	RSN_RECONCILE_FOREIGN_ROWS;
	int64		until_ms = has_foreign_rows ? RSN_TIME_NEVER : rsn_clock_now();
	bool		must_reconcile = false;

	for (int i = 0; i < RSN_NSTEPS; i++)
	{
		if (rsn_set_aside_release(&runner->progress.set_aside[i],
								  until_ms) == 0)
			continue;
		must_reconcile |= i == RSN_STEP_RECONCILE;
		runner->progress.offered.must_walk |= i == RSN_STEP_DISPATCH;
		runner->progress.from_ms[i] = PG_INT64_MIN;
	}
	if (must_reconcile && !has_foreign_rows)
		pg_atomic_write_u32(&runner->slot->must_reconcile,
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
take_one(RsnRunner *runner, StepRun *run, OneByOne *state)
{
	CHECK_FOR_INTERRUPTS();
	rsn_runner_yield(runner);
	if (rsn_runner_try(runner, rsn_step_name(run->step), run_for_one, run))
	{
		state->ndone++;
		state->streak = 0;
		return true;
	}
	if (runner->is_canceled)
		return false;
	set_aside(runner, run->step, run->id);
	state->nfailed++;
	state->streak = runner->failure == RSN_FAILURE_ROW ? 0
		: state->streak + 1;
	return state->streak < STREAK_MAX && rsn_clock_wall() < state->until_ms;
}

/*
 * Goes on behind the rows that were tried, which cannot all be set aside; at least by
 * a millisecond.  Nobody is to be kept waiting by any number of them.
 */
static void
pass_over(RsnRunner *runner, const StepRun *run, int ntried)
{
	int64	   *from_ms = &runner->progress.from_ms[run->step];

	if (runner->is_aside_full && run->due_ms != NULL && ntried > 0)
		*from_ms = Max(*from_ms + 1, run->due_ms[ntried - 1]);
}

/*
 * After a failed step: takes its rows one by one, and sets aside those that fail
 * alone.  It has failed if it cannot be told which these are.
 */
static RsnStepEnd
step_one_by_one(RsnRunner *runner, RsnStep step, int *n)
{
	StepRun		run = {.step = step};
	OneByOne	state = {0};

	run.context = AllocSetContextCreate(TopMemoryContext,
										"resonate due rows",
										ALLOCSET_DEFAULT_SIZES);
	state.until_ms = rsn_clock_wall() + ONE_BY_ONE_MS;
	if (rsn_runner_try(runner, rsn_step_name(step), list_ids, &run))
	{
		bool		may_go_on = true;
		int			i;

		for (i = 0; i < run.n && may_go_on; i++)
		{
			run.id = run.ids[i];
			may_go_on = take_one(runner, &run, &state);
		}
		pass_over(runner, &run, i);
	}
	MemoryContextDelete(run.context);
	if (runner->nreported > REPORTS_MAX)
		ereport(WARNING,
				(errmsg("step \"%s\" has failed %d times more",
						rsn_step_name(step), runner->nreported - REPORTS_MAX)));
	*n = state.ndone + state.nfailed;
	return state.ndone + state.nfailed > 0 && state.streak < STREAK_MAX &&
		!runner->is_canceled ? RSN_STEP_PARTLY : RSN_STEP_FAILED;
}

/*
 * Notes whether a step works, for who asks.  What somebody works on is no failure,
 * and what nobody hears of is a failure of delivery whatever the reason.
 */
static void
note_end(RsnRunner *runner, RsnStep step, bool has_failed)
{
	if (!has_failed)
	{
		pg_atomic_fetch_and_u32(&runner->slot->failing_steps, ~(1U << step));
		return;
	}
	pg_atomic_fetch_or_u32(&runner->slot->failing_steps, 1U << step);
	if (step == RSN_STEP_DELIVER || step == RSN_STEP_DISPATCH)
		rsn_shared_count(RSN_COUNT_DELIVERY_FAILURES, 1);
}

/*
 * Runs a step, and says how many rows it took.  If it has to go row by row, the
 * failure is that of the step as a whole.
 */
RsnStepEnd
rsn_runner_step(RsnRunner *runner, RsnStep step, int *n)
{
	StepRun		run = {.step = step};
	RsnFailure	failure;
	RsnStepEnd	end;

	runner->nreported = 0;
	runner->is_aside_full = false;
	*n = 0;
	if (rsn_runner_try(runner, rsn_step_name(step), run_whole, &run))
	{
		note_end(runner, step, false);
		*n = run.n;
		return RSN_STEP_DONE;
	}
	if (runner->failure != RSN_FAILURE_LOCKED)
		note_end(runner, step, true);
	if (runner->is_canceled)
		return RSN_STEP_FAILED;
	failure = runner->failure;
	end = step_one_by_one(runner, step, n);
	runner->failure = end == RSN_STEP_PARTLY ? failure
		: Max(failure, runner->failure);
	return end;
}
