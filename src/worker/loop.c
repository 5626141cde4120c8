/*-------------------------------------------------------------------------
 *
 * worker/loop.c
 *	  The background worker of a database.
 *
 * The loop: run steps until none has work, ask the tables when the next one is
 * due, sleep until then or until a commit sets the latch.  Each step is one
 * transaction, and none is open while the worker sleeps.  A step that finds
 * nothing assigns no transaction id and writes no WAL.
 *
 * What is due and was not taken is locked by somebody, or has failed.  The worker
 * comes back for that after a while that grows, beginning at the start, and does
 * not let it stand in the way: all other looks begin where the last one has been,
 * or at the earliest deadline that commits have told of since.  Whatever fails,
 * a step or a look, waits before it is tried again, the longer the more often.
 *
 * Once a second at least it looks whether it is to leave: see worker/place.c.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "commands/dbcommands.h"
#include "miscadmin.h"
#include "pgstat.h"
#include "postmaster/bgworker.h"
#include "postmaster/interrupt.h"
#include "storage/ipc.h"
#include "storage/latch.h"
#include "storage/proc.h"
#include "tcop/tcopprot.h"
#include "utils/memutils.h"

#include "server/clock.h"
#include "server/compat.h"
#include "server/guc.h"
#include "signal/slot.h"
#include "worker/deliver.h"
#include "worker/handed.h"
#include "worker/internal.h"
#include "worker/loop.h"
#include "worker/run.h"
#include "worker/settings.h"
#include "worker/step.h"

/* How often to look whether the worker is to leave. */
#define YIELD_CHECK_MS		1000

/*
 * How often to look for messages and history that have become too old: while there
 * are some, so that they go in small parts, and while there are none.
 */
#define CLEAR_BUSY_INTERVAL_MS	1000
#define CLEAR_IDLE_INTERVAL_MS	60000

/* From this wait on, whoever has locked something is not about to end. */
#define LOCKED_LONG_MS		40

/*
 * While commits come one after the other, they are answered together this often.
 * A single one is answered at once.
 */
#define TURN_INTERVAL_MS	10

/*
 * How long a look may go on.  Where there is always more that is due, no look would
 * end: what was locked or set aside would not be tried again, nor would a deadline be
 * kept that is committed late.
 */
#define LOOK_MAX_MS			100

/* Has all that others may have left looked for. */
static void
want_reconciling(RsnWorker *worker)
{
	rsn_background_want_reconciling(&worker->runner.progress);
	rsn_worker_want(worker, RSN_STEP_RECONCILE);
}

/* Has the deadlines of internal promises stored, from the start. */
static void
want_expiring(RsnWorker *worker)
{
	worker->runner.progress.must_expire = true;
	worker->runner.progress.pruned.lapsed_from_ms = 0;
	worker->not_before_ms[RSN_STEP_PRUNE] = 0;
	rsn_worker_want(worker, RSN_STEP_PRUNE);
}

/* The same instead of what was handed over, after a failure; rows say the same. */
static void
look_at_all_left(RsnWorker *worker)
{
	RsnProgress *progress = &worker->runner.progress;

	(void) rsn_handed_drop(RSN_HANDOFF_LEFT, true);
	memset(&progress->left, 0, sizeof(progress->left));
	memset(&progress->reconciled, 0, sizeof(progress->reconciled));
	want_reconciling(worker);
}

/* What has been asked for since the last look at the flags. */
static void
note_wanted(RsnWorker *worker)
{
	if (pg_atomic_exchange_u32(&worker->runner.slot->must_deliver, 0) != 0)
		rsn_worker_want(worker, RSN_STEP_DELIVER);
	if (pg_atomic_exchange_u32(&worker->runner.slot->must_offer, 0) != 0)
	{
		worker->runner.progress.offered.must_walk = true;
		rsn_worker_want(worker, RSN_STEP_DISPATCH);
	}
	if (pg_atomic_exchange_u32(&worker->runner.slot->must_reconcile,
							   RSN_RECONCILE_NO) != RSN_RECONCILE_NO)
		want_reconciling(worker);

	if (pg_atomic_exchange_u32(&worker->runner.slot->must_expire, 0) != 0)
		want_expiring(worker);

	rsn_handed_fetch(worker->runner.slot);
	if (rsn_handed_has(RSN_HANDOFF_CALLBACK))
		worker->is_wanted[RSN_STEP_DELIVER] = true;
	if (rsn_handed_has(RSN_HANDOFF_OFFER) ||
		rsn_handed_has(RSN_HANDOFF_UNBLOCK))
		worker->is_wanted[RSN_STEP_DISPATCH] = true;

	/* Of very many promises rows say the same. */
	if (rsn_handed_drop(RSN_HANDOFF_LEFT, false))
		want_reconciling(worker);
	if (rsn_handed_has(RSN_HANDOFF_LEFT))
	{
		int64	   *not_before_ms = &worker->not_before_ms[RSN_STEP_RECONCILE];

		/* They need not wait for what others work on. */
		if (*not_before_ms == worker->runner.progress.retry_left_ms)
			*not_before_ms = 0;
		worker->is_wanted[RSN_STEP_RECONCILE] = true;
	}
}

/* True for a step that deletes what nobody needs any more. */
static bool
is_clearing(RsnStep step)
{
	return step == RSN_STEP_EXPIRE || step == RSN_STEP_PRUNE;
}

/*
 * Plans the next part of clearing, after one that has found n rows.  Nobody waits
 * for it, so where there is much it rests for as long as it has worked.
 */
static void
plan_clearing(RsnWorker *worker, RsnStep step, int n, int64 began_ms)
{
	int64		now_ms = rsn_clock_now();
	int64		rest_ms = CLEAR_BUSY_INTERVAL_MS;

	if (worker->runner.progress.has_more)
		rest_ms = Min(now_ms - began_ms, CLEAR_BUSY_INTERVAL_MS);
	else if (n == 0)
		rest_ms = CLEAR_IDLE_INTERVAL_MS;
	rsn_worker_want(worker, step);
	worker->not_before_ms[step] = now_ms + rest_ms;
}

/*
 * Plans the next run of a step that has failed, as a whole or for some of its rows;
 * later, if at its start there are more of these than can be set aside.
 * What it was handed stays with it, unless that may be its fault, since one of it has
 * been locked for a while, say, or has become too much; then it is found as rows
 * again, one by one.
 */
static void
plan_after_failure(RsnWorker *worker, RsnStep step, RsnStepEnd end)
{
	worker->wait_ms[step] = rsn_worker_wait_after_failure(worker, worker->wait_ms[step],
														  end == RSN_STEP_PARTLY);
	worker->not_before_ms[step] = rsn_clock_now() + worker->wait_ms[step];
	rsn_worker_want(worker, step);
	if (worker->runner.is_aside_full)
	{
		int64	   *from_ms = &worker->runner.progress.from_ms[step];

		/* Of what has become due since the last look, commits need not tell. */
		*from_ms = Min(*from_ms, worker->looked_at_ms + 1);
		worker->start_wait_ms[step] =
			rsn_worker_wait_after_failure(worker, worker->start_wait_ms[step],
										  false);
		worker->start_not_before_ms[step] = rsn_clock_now() +
			worker->start_wait_ms[step];
	}
	if (step == RSN_STEP_DELIVER &&
		rsn_handed_drop(RSN_HANDOFF_CALLBACK,
						worker->runner.failure == RSN_FAILURE_ROW ||
						(worker->runner.failure == RSN_FAILURE_LOCKED &&
						 worker->wait_ms[step] >= LOCKED_LONG_MS)))
		want_reconciling(worker);
	else if (step == RSN_STEP_DISPATCH)
	{
		(void) rsn_handed_drop(RSN_HANDOFF_OFFER, false);
		(void) rsn_handed_drop(RSN_HANDOFF_UNBLOCK, false);

		/* Whatever has not been told since, the addresses show. */
		worker->runner.progress.offered.is_walking = false;
		worker->runner.progress.offered.must_walk = true;
	}
	else if (step == RSN_STEP_RECONCILE)
		look_at_all_left(worker);
}

/* True for a step of whose work commits tell by the instant at which it is due. */
static bool
is_told_of(RsnStep step)
{
	return step == RSN_STEP_TIMEOUT || step == RSN_STEP_LEASE;
}

/*
 * Plans the next run of reconciling, which has done n rows: at once if there are
 * more, and again from the start, after a while that grows, for what it has passed
 * because somebody works on it.
 */
static void
plan_reconciling(RsnWorker *worker, int n)
{
	RsnProgress *progress = &worker->runner.progress;
	int64	   *wait_ms = &worker->wait_ms[RSN_STEP_RECONCILE];

	if (n > 0 || progress->has_more)
		rsn_worker_want(worker, RSN_STEP_RECONCILE);
	else if (progress->has_busy)
	{
		int64		now_ms = rsn_clock_now();

		if (now_ms >= progress->retry_left_ms)
		{
			*wait_ms = rsn_worker_wait_for_busy(*wait_ms);
			progress->retry_left_ms = now_ms + *wait_ms;
		}
		worker->not_before_ms[RSN_STEP_RECONCILE] = progress->retry_left_ms;
		rsn_worker_want(worker, RSN_STEP_RECONCILE);
	}
	else
		*wait_ms = 0;
}

/* Plans the next run of a step that has found n rows: at once if there are more. */
static void
plan_after_run(RsnWorker *worker, RsnStep step, int n, bool was_reading)
{
	if (worker->runner.progress.from_ms[step] <= 0)
		worker->start_wait_ms[step] = 0;
	if (step == RSN_STEP_RECONCILE)
	{
		plan_reconciling(worker, n);
		return;
	}
	worker->wait_ms[step] = 0;
	if (was_reading && !worker->runner.progress.has_more &&
		is_told_of(step))
		worker->runner.progress.from_ms[step] = worker->looked_at_ms + 1;
	worker->has_busy |= step == RSN_STEP_DISPATCH &&
		worker->runner.progress.has_busy;
	if (worker->runner.progress.has_more &&
		(step == RSN_STEP_DISPATCH || (n > 0 && was_reading)))
		rsn_worker_want(worker, step);
}

/* Runs a step and plans its next run; returns how many rows it took. */
static int
run_step(RsnWorker *worker, RsnStep step)
{
	bool		is_reading = worker->must_read[step];
	int64		began_ms = rsn_clock_now();
	RsnStepEnd	end;
	int			n;

	worker->is_wanted[step] = false;
	worker->must_read[step] = false;
	if (step == RSN_STEP_DELIVER || step == RSN_STEP_DISPATCH)
		rsn_delivery_set_scope(is_reading ? RSN_DELIVER_RECENT
							   : RSN_DELIVER_HANDED);
	end = rsn_runner_step(&worker->runner, step, &n);
	if (end != RSN_STEP_DONE)
		plan_after_failure(worker, step, end);
	else
	{
		plan_after_run(worker, step, n, is_reading);
		if (is_clearing(step))
			plan_clearing(worker, step, n, began_ms);
	}
	return n;
}

/* True for a step that is wanted and does not have to wait. */
static bool
is_ready(const RsnWorker *worker, RsnStep step)
{
	return worker->is_wanted[step] &&
		rsn_clock_now() >= worker->not_before_ms[step];
}

/* Runs each wanted step once; true when one of them may have more to do. */
static bool
run_steps(RsnWorker *worker)
{
	bool		has_more = false;
	bool		is_active = false;

	note_wanted(worker);
	for (int i = 0; i < RSN_NSTEPS; i++)
	{
		RsnStep		step = (RsnStep) i;
		int			n;

		if (!is_ready(worker, step))
			continue;
		n = run_step(worker, step);
		is_active |= n > 0;
		has_more |= n > 0 && is_ready(worker, step);
	}
	if (is_active)
		pg_atomic_write_u64(&worker->runner.slot->active_at_ms, rsn_clock_wall());
	return has_more;
}

/* When a step that has to wait may run. */
static int64
next_planned(const RsnWorker *worker)
{
	int64		next_ms = RSN_TIME_NEVER;

	for (int i = 0; i < RSN_NSTEPS; i++)
	{
		if (worker->is_wanted[i])
			next_ms = Min(next_ms, worker->not_before_ms[i]);
	}
	return next_ms;
}

static void
reload_config(RsnWorker *worker)
{
	if (ConfigReloadPending)
	{
		ConfigReloadPending = false;
		ProcessConfigFile(PGC_SIGHUP);
		rsn_settings_pin();

		/* Who shortens the retention waits for the effect. */
		worker->not_before_ms[RSN_STEP_EXPIRE] = 0;
		worker->not_before_ms[RSN_STEP_PRUNE] = 0;
	}
}

/* Sleeps until it is time or the latch is set; true for the latch. */
static bool
sleep_until(RsnWorker *worker, int64 wake_at_ms)
{
	static uint32 wait_event = 0;
	bool		is_woken = false;
	bool		is_told = false;

	if (wait_event == 0)
		wait_event = rsn_wait_event_new("ResonateWorker");

	while (!is_woken)
	{
		int64		wait_ms = rsn_clock_wait_ms(wake_at_ms, YIELD_CHECK_MS);
		int			events;

		rsn_runner_pass_turn(&worker->runner, wake_at_ms);
		events = WaitLatch(MyLatch,
						   WL_LATCH_SET | WL_TIMEOUT | WL_EXIT_ON_PM_DEATH,
						   wait_ms, wait_event);
		rsn_runner_yield(&worker->runner);
		is_told = (events & WL_LATCH_SET) != 0;
		is_woken = is_told || rsn_worker_note_clock(worker) ||
			rsn_clock_wait_ms(wake_at_ms, 1) == 0 ||
			pg_atomic_read_u32(&worker->runner.slot->must_poll) != 0;
	}
	ResetLatch(MyLatch);
	CHECK_FOR_INTERRUPTS();
	reload_config(worker);
	return is_told;
}

/*
 * Lets more commits come before they are answered, unless the last turn is a
 * while ago.  What they want is noted in flags, so no latch is needed here.
 */
static void
gather(const RsnWorker *worker)
{
	int64		rest_ms = worker->turn_began_ms + TURN_INTERVAL_MS -
	rsn_clock_wall();

	rest_ms = Min(rest_ms, rsn_clock_wait_ms(rsn_worker_next_look(worker),
											 TURN_INTERVAL_MS));
	if (rest_ms > 0)
		(void) WaitLatch(NULL, WL_TIMEOUT | WL_EXIT_ON_PM_DEATH, rest_ms,
						 PG_WAIT_EXTENSION);
}

/* True while debug.start of the wire protocol keeps the background still. */
static bool
is_paused(const RsnWorker *worker)
{
	return pg_atomic_read_u32(&worker->runner.slot->is_paused) != 0;
}

/*
 * Before a turn goes on with what it has not finished: true when it may.  Nobody
 * waits until a long one, such as a schedule's with all its missed occurrences, is
 * through: a turn that looks does so again for a while, and any other ends when it
 * is time to.
 */
static bool
may_go_on(RsnWorker *worker, bool is_looking)
{
	int64		elapsed_ms = rsn_clock_wall() - worker->turn_began_ms;

	CHECK_FOR_INTERRUPTS();
	reload_config(worker);
	rsn_runner_yield(&worker->runner);
	rsn_runner_pass_turn(&worker->runner, 0);
	if (!is_looking)
		return !rsn_worker_is_look_wanted(worker);

	/* It is less than nothing when the clock was set back meanwhile. */
	if (elapsed_ms < 0 || elapsed_ms >= LOOK_MAX_MS)
		return false;
	rsn_worker_want_all(worker);
	return true;
}

/*
 * One turn of the loop.  The order makes sure that no wake-up is lost: first we
 * say that we look, then we look at the rows, then we say until when nothing is
 * due, except what we were told meanwhile.  Offers and messages have a flag that
 * is cleared before they are looked for.  See signal/wake.c for the other side.
 */
static void
run_turn(RsnWorker *worker)
{
	bool		is_looking;

	(void) rsn_worker_note_clock(worker);
	worker->turn_began_ms = rsn_clock_wall();
	is_looking = rsn_worker_is_look_wanted(worker);
	if (is_looking)
		rsn_worker_begin_look(worker);
	while (!is_paused(worker) && run_steps(worker) &&
		   may_go_on(worker, is_looking))
		;
	if (is_looking)
		rsn_worker_look_ahead(worker);
	else if (worker->has_busy)
		rsn_worker_look_soon(worker);
	if (is_paused(worker))
	{
		worker->must_look = true;
		(void) sleep_until(worker, rsn_clock_now() + YIELD_CHECK_MS);
		return;
	}
	if (is_looking)
		worker->due_ms = Max(rsn_worker_due_time(worker), worker->looked_at_ms + 1);
	worker->due_ms = rsn_worker_next_look(worker);
	pg_atomic_write_u64(&worker->runner.slot->wake_at_ms, worker->due_ms);
	if (sleep_until(worker, Min(worker->due_ms, next_planned(worker))))
		gather(worker);
}

static void
name_database(void *arg)
{
	errcontext("resonate worker for database \"%s\"", (const char *) arg);
}

static void
keep_database_name(RsnRunner *runner, void *arg)
{
	char	  **kept = arg;
	const char *name = get_database_name(MyDatabaseId);

	if (name != NULL)
		*kept = MemoryContextStrdup(TopMemoryContext, name);
}

/* Entry point of the worker; the argument is the OID of the database. */
void
resonate_worker_main(Datum main_arg)
{
	RsnWorker	worker = {0};
	ErrorContextCallback context;
	char	   *database_name = "";

	pqsignal(SIGHUP, SignalHandlerForConfigReload);
	pqsignal(SIGTERM, die);
	rsn_settings_init();
	BackgroundWorkerUnblockSignals();
	BackgroundWorkerInitializeConnectionByOid(DatumGetObjectId(main_arg),
											  InvalidOid, 0);
	rsn_settings_pin();

	rsn_runner_init(&worker.runner, rsn_worker_attach());
	rsn_runner_wait_for_switch(&worker.runner);
	worker.must_look = true;
	rsn_worker_want(&worker, RSN_STEP_CLOCK);
	(void) rsn_runner_try(&worker.runner, "start", keep_database_name,
						  &database_name);
	context.callback = name_database;
	context.arg = database_name;
	context.previous = NULL;
	error_context_stack = &context;

	for (;;)
		run_turn(&worker);
}
