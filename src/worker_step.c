/*-------------------------------------------------------------------------
 *
 * worker_step.c
 *	  One step of the worker: its transaction, and what becomes of a failure.
 *
 * A step that fails is tried again promise by promise, and those that fail alone
 * are set aside, so that one that cannot be dealt with keeps nobody else waiting.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/xact.h"
#include "commands/extension.h"
#include "miscadmin.h"
#include "pgstat.h"
#include "storage/ipc.h"
#include "utils/builtins.h"
#include "utils/memutils.h"
#include "utils/snapmgr.h"

#include "clock.h"
#include "guc.h"
#include "worker_step.h"

/* For how long at least a promise that fails is set aside. */
#define SET_ASIDE_MS		60000

void
rsn_runner_init(RsnRunner *runner, RsnSlot *slot)
{
	memset(runner, 0, sizeof(RsnRunner));
	runner->slot = slot;
	runner->scratch = AllocSetContextCreate(TopMemoryContext,
											"resonate worker step",
											ALLOCSET_DEFAULT_SIZES);
	runner->set_aside_context = AllocSetContextCreate(TopMemoryContext,
													  "resonate set aside",
													  ALLOCSET_SMALL_SIZES);
}

/* Ends this process for good; the launcher reads why. */
void
rsn_runner_leave(RsnRunner *runner, RsnWorkerExit reason)
{
	pg_atomic_write_u32(&runner->slot->last_exit, reason);
	proc_exit(0);
}

static void
begin(RsnRunner *runner, const char *activity)
{
	SetCurrentStatementStartTimestamp();
	StartTransactionCommand();
	PushActiveSnapshot(GetTransactionSnapshot());
	pgstat_report_activity(STATE_RUNNING, activity);
	MemoryContextSwitchTo(runner->scratch);
}

static void
end(RsnRunner *runner)
{
	PopActiveSnapshot();
	CommitTransactionCommand();
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
 * Ends a transaction that has failed, and reports its error; the worker goes on.
 * If the extension was dropped in the middle of it, that is no error but a reason
 * to leave.
 */
static void
abandon(RsnRunner *runner)
{
	ErrorData  *error;

	MemoryContextSwitchTo(runner->scratch);
	HOLD_INTERRUPTS();
	error = CopyErrorData();
	FlushErrorState();
	AbortCurrentTransaction();
	RESUME_INTERRUPTS();

	begin(runner, "look for the extension");
	check_extension(runner);
	log_error(error);
	end(runner);
}

/* Does something in a transaction of its own; false when that failed. */
bool
rsn_runner_try(RsnRunner *runner, const char *activity, RsnAction action,
			   void *arg)
{
	volatile bool is_done = false;

	PG_TRY();
	{
		begin(runner, activity);
		check_extension(runner);
		action(runner, arg);
		end(runner);
		is_done = true;
	}
	PG_CATCH();
	{
		abandon(runner);
	}
	PG_END_TRY();
	return is_done;
}

/* A step, and what it is to do or has done. */
typedef struct StepRun
{
	RsnStep		step;
	text	   *id;				/* of the only promise it is for */
	MemoryContext context;		/* to list ids in */
	text	  **ids;
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
								 &runner->progress.set_aside, &run->ids);
}

static void
set_aside(RsnRunner *runner, RsnStep step, text *id)
{
	MemoryContext old = MemoryContextSwitchTo(runner->set_aside_context);
	RsnSetAside *aside = &runner->progress.set_aside;

	if (aside->n == 0)
		aside->ids = palloc(sizeof(text *));
	else
		aside->ids = repalloc(aside->ids, sizeof(text *) * (aside->n + 1));
	aside->ids[aside->n++] = (text *) PG_DETOAST_DATUM_COPY(PointerGetDatum(id));
	MemoryContextSwitchTo(old);

	runner->forget_at_ms = rsn_clock_now() +
		Max(SET_ASIDE_MS, rsn_guc_retry_interval_ms);
	rsn_shared_count(RSN_COUNT_SET_ASIDE, 1);
	ereport(WARNING,
			(errcode(ERRCODE_DATA_CORRUPTED),
			 errmsg("could not run step \"%s\" for \"%s\"",
					rsn_step_name(step), text_to_cstring(id)),
			 errdetail("It is set aside; others are not affected.")));
}

bool
rsn_runner_has_set_aside(const RsnRunner *runner)
{
	return runner->progress.set_aside.n > 0;
}

/*
 * Forgets who was set aside when it is time to try them again, or when rows have
 * come that they may have missed.
 */
void
rsn_runner_forget(RsnRunner *runner)
{
	bool		has_foreign_rows =
	pg_atomic_read_u32(&runner->slot->must_reconcile) ==
	RSN_RECONCILE_FOREIGN_ROWS;

	if (!rsn_runner_has_set_aside(runner) ||
		(rsn_clock_now() < runner->forget_at_ms && !has_foreign_rows))
		return;
	MemoryContextReset(runner->set_aside_context);
	runner->progress.set_aside.ids = NULL;
	runner->progress.set_aside.n = 0;
	pg_atomic_write_u32(&runner->slot->must_reconcile,
						RSN_RECONCILE_MORE);
}

/*
 * After a failed step: takes its promises one by one, and sets aside those that
 * fail alone.  Answers how many promises it has dealt with.
 */
static int
step_one_by_one(RsnRunner *runner, RsnStep step)
{
	StepRun		run = {.step = step};

	run.context = AllocSetContextCreate(TopMemoryContext,
										"resonate due promises",
										ALLOCSET_DEFAULT_SIZES);
	if (!rsn_runner_try(runner, rsn_step_name(step), list_ids, &run))
		run.n = 0;
	for (int i = 0; i < run.n; i++)
	{
		CHECK_FOR_INTERRUPTS();
		run.id = run.ids[i];
		if (!rsn_runner_try(runner, rsn_step_name(step), run_for_one, &run))
			set_aside(runner, step, run.id);
	}
	MemoryContextDelete(run.context);
	return run.n;
}

/* Runs a step; answers how many rows it took, or -1 when it failed. */
int
rsn_runner_step(RsnRunner *runner, RsnStep step)
{
	StepRun		run = {.step = step};

	if (rsn_runner_try(runner, rsn_step_name(step), run_whole, &run))
		return run.n;
	return rsn_background_has_ids(step) ? step_one_by_one(runner, step) : -1;
}
