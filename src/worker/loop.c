/*-------------------------------------------------------------------------
 *
 * worker/loop.c
 *	  The background worker of a database.
 *
 * The loop: run steps until none has work, ask the tables when the next one is
 * due, sleep until then or until a commit sets the latch.  Each step is one
 * transaction.  A step that finds nothing assigns no transaction id and writes no WAL.
 *
 * States, and what the worker tells commits by slot->wake_at_ms in each:
 *
 *		STARTING	has its place, and does not know yet whether it may run
 *		LOOK		a turn that looks at all that can be due.  wake_at_ms is
 *					RSN_TIME_NEVER: commits tell of every deadline.
 *		TURN		a turn that runs what is wanted: what commits have asked for, and
 *					what a step has left.  wake_at_ms is as of the last sleep.
 *		ASLEEP		wake_at_ms is due_ms: commits tell of what is due earlier.
 *		PAUSED		no step runs, as debug.start of the wire protocol wants it.
 *					wake_at_ms is as it was.
 *		LEFT		the process ends; slot->last_exit says why.
 *
 * Invariants:
 *
 *	L1	No transaction is open but within rsn_run_try; so none while it sleeps.
 *	L2	Only the worker writes wake_at_ms while it has its place, and only the worker
 *		takes back what commits set: must_deliver, must_offer, must_reconcile,
 *		must_expire, told_ms, the ring; must_poll, when nothing prepared is left.
 *	L3	It takes such a thing back before it reads the rows that this is about.  What is
 *		set afterwards is there when it would fall asleep (has_news).
 *	L4	Between has_news and the sleep nothing waits on the latch.  Anything else may
 *		reset it: what a transaction waits for, be it a lock or a trigger of others that
 *		sleeps, it waits for on the same latch.
 *	L5	When it falls asleep, each armed deadline, lease, schedule and message to be sent
 *		that is committed is in one of these cases:
 *		a. it is not due before Min(due_ms, told_ms);
 *		b. its step is wanted, because it has failed or has not come to an end;
 *		c. it was due and somebody works on it: then due_ms is no later than
 *		   full_look_at_ms, which is soon;
 *		d. it is set aside, and due_ms is no later than its release;
 *		e. its table could not be asked, and due_ms is no later than the next attempt.
 *	L6	A step that is wanted has its own instant, not_before_ms, and the sleep ends at the
 *		first of these (rsn_plan_next) or at due_ms.
 *	L7	Addresses with something to dequeue are told of on the word of commits, by the
 *		clock, and by a walk where neither can tell: see worker/offer.c.  must_walk holds
 *		when must_offer was set, when the worker starts, after a failure, after a pause,
 *		and in each look while something is prepared.
 *	L8	While must_poll is not zero each turn is a LOOK, and no sleep is longer than
 *		YIELD_CHECK_MS.  When it becomes zero, tasks and messages are looked for once
 *		more, and so are those who were left, if there may be any: what committed after
 *		the steps of that look, and before the question.
 *	L9	A LOOK begins no round of steps after LOOK_MAX_MS, and a TURN none when it is
 *		time to look.  So neither of them is starved by the other.
 *
 * Edges, and who takes them:
 *
 *		-> STARTING			rsn_place_take
 *		STARTING -> LOOK	rsn_place_wait_for_switch, begin_work; must_look is set
 *		STARTING -> LEFT	rsn_place_wait_for_switch: it is switched off
 *		ASLEEP -> LOOK		sleep_until, then rsn_look_is_wanted, rsn_look_begin
 *		ASLEEP -> TURN		sleep_until, and no look is wanted
 *		LOOK -> LOOK		may_go_on: another round of steps; or the next turn
 *		TURN -> TURN		may_go_on, the same
 *		LOOK -> ASLEEP		rsn_look_ahead, then run_turn sets due_ms and wake_at_ms
 *		TURN -> ASLEEP		rsn_look_soon where somebody works on something, run_turn
 *		LOOK, TURN -> PAUSED	run_turn, is_paused
 *		PAUSED -> LOOK		run_turn: must_look is set
 *		any -> LEFT			rsn_place_yield, rsn_place_pass_turn between transactions;
 *							check_extension at the start of one (worker/run.c); an
 *							error outside of them, a signal
 *
 * A worker that ends, for whatever reason, leaves nothing that has to be finished: its
 * successor begins with a LOOK that takes nothing for granted.  Only one that makes room
 * (RSN_EXIT_TURN) leaves word when it is needed again: see worker/place.c.
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
#include "signal/slot.h"
#include "worker/deliver.h"
#include "worker/internal.h"
#include "worker/loop.h"
#include "worker/settings.h"

/* How often to look whether the worker is to leave. */
#define YIELD_CHECK_MS		1000

/*
 * While commits come one after the other, they are dealt with together this often.
 * A single one is dealt with at once.
 */
#define TURN_INTERVAL_MS	10

/*
 * How long a look may go on.  Where there is always more that is due, no look would
 * end: what was locked or set aside would not be tried again, nor would a deadline be
 * kept that is committed late.
 */
#define LOOK_MAX_MS			100

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
		rsn_deliver_set_scope(is_reading ? RSN_DELIVER_RECENT
							  : RSN_DELIVER_HANDED);
	end = rsn_run_step(&worker->run, step, &n);
	if (end != RSN_STEP_DONE)
		rsn_plan_after_failure(worker, step, end);
	else
		rsn_plan_after_run(worker, step, n, is_reading, began_ms);
	return n;
}

/* Runs each wanted step once; true when one of them may have more to do. */
static bool
run_steps(RsnWorker *worker)
{
	bool		has_more = false;
	bool		is_active = false;

	rsn_plan_note_wanted(worker);
	for (int i = 0; i < RSN_NSTEPS; i++)
	{
		RsnStep		step = (RsnStep) i;
		int			n;

		if (!rsn_plan_is_ready(worker, step))
			continue;
		n = run_step(worker, step);
		is_active |= n > 0;
		has_more |= n > 0 && rsn_plan_is_ready(worker, step);
	}
	if (is_active)
		pg_atomic_write_u64(&worker->run.slot->active_at_ms, rsn_clock_wall());
	return has_more;
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

/* True while debug.start of the wire protocol keeps the worker still. */
static bool
is_paused(const RsnWorker *worker)
{
	return pg_atomic_read_u32(&worker->run.slot->is_paused) != 0;
}

/*
 * True when commits have told of something that no turn has taken note of.  The latch
 * alone does not say so: whatever a transaction of ours has waited for on the same latch,
 * a lock of others or a trigger of theirs that sleeps, has reset it.
 */
static bool
has_news(const RsnWorker *worker)
{
	RsnSlot    *slot = worker->run.slot;

	return !is_paused(worker) &&
		(pg_atomic_read_u32(&slot->must_deliver) != 0 ||
		 pg_atomic_read_u32(&slot->must_offer) != 0 ||
		 pg_atomic_read_u32(&slot->must_expire) != 0 ||
		 pg_atomic_read_u32(&slot->must_reconcile) != RSN_RECONCILE_NO ||
		 slot->ring.used > 0 || rsn_look_next(worker) < worker->due_ms);
}

/*
 * Sleeps until it is time or there is news; true for news.  Between the last look at what
 * commits have told and the sleep nothing may wait on the latch.
 */
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

		rsn_place_pass_turn(&worker->run, wake_at_ms);
		if (has_news(worker))
		{
			is_told = true;
			break;
		}
		events = WaitLatch(MyLatch,
						   WL_LATCH_SET | WL_TIMEOUT | WL_EXIT_ON_PM_DEATH,
						   wait_ms, wait_event);
		rsn_place_yield(&worker->run);
		is_told = (events & WL_LATCH_SET) != 0;
		is_woken = is_told || rsn_look_note_clock(worker) ||
			rsn_clock_wait_ms(wake_at_ms, 1) == 0 ||
			pg_atomic_read_u32(&worker->run.slot->must_poll) != 0;
	}
	ResetLatch(MyLatch);
	CHECK_FOR_INTERRUPTS();
	reload_config(worker);
	return is_told;
}

/*
 * Lets more commits come before they are dealt with, unless the last turn is a
 * while ago.  What they want is noted in flags, so no latch is needed here.
 */
static void
gather(const RsnWorker *worker)
{
	int64		rest_ms = worker->turn_began_ms + TURN_INTERVAL_MS -
	rsn_clock_wall();

	rest_ms = Min(rest_ms, rsn_clock_wait_ms(rsn_look_next(worker),
											 TURN_INTERVAL_MS));
	if (rest_ms > 0)
		(void) WaitLatch(NULL, WL_TIMEOUT | WL_EXIT_ON_PM_DEATH, rest_ms,
						 PG_WAIT_EXTENSION);
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
	rsn_place_yield(&worker->run);
	rsn_place_pass_turn(&worker->run, 0);
	if (!is_looking)
		return !rsn_look_is_wanted(worker);

	/* It is less than nothing when the clock was set back meanwhile. */
	if (elapsed_ms < 0 || elapsed_ms >= LOOK_MAX_MS)
		return false;
	rsn_plan_want_all(worker);
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

	(void) rsn_look_note_clock(worker);
	worker->turn_began_ms = rsn_clock_wall();
	is_looking = rsn_look_is_wanted(worker);
	if (is_looking)
		rsn_look_begin(worker);
	while (!is_paused(worker) && run_steps(worker) &&
		   may_go_on(worker, is_looking))
		;
	if (is_looking)
		rsn_look_ahead(worker);
	else if (worker->has_busy)
		rsn_look_soon(worker);
	if (is_paused(worker))
	{
		worker->must_look = true;
		(void) sleep_until(worker, rsn_clock_now() + YIELD_CHECK_MS);
		return;
	}
	if (is_looking)
		worker->due_ms = Max(rsn_look_due_time(worker), worker->looked_at_ms + 1);
	worker->due_ms = Min(rsn_look_next(worker),
						 rsn_run_next_release(&worker->run));
	pg_atomic_write_u64(&worker->run.slot->wake_at_ms, worker->due_ms);
	if (sleep_until(worker, Min(worker->due_ms, rsn_plan_next(worker))))
		gather(worker);
}

static void
name_database(void *arg)
{
	errcontext("resonate worker for database \"%s\"", (const char *) arg);
}

/* What is prepared now and commits later is not in what the first turn finds. */
static void
begin_work(RsnRun *run, void *arg)
{
	char	  **kept = arg;
	const char *name = get_database_name(MyDatabaseId);

	rsn_look_for_prepared(run->slot);

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

	rsn_run_init(&worker.run, rsn_place_take());
	rsn_place_wait_for_switch(&worker.run);
	worker.must_look = true;
	rsn_plan_want(&worker, RSN_STEP_CLOCK);
	(void) rsn_run_try(&worker.run, "start", begin_work, &database_name);
	context.callback = name_database;
	context.arg = database_name;
	context.previous = NULL;
	error_context_stack = &context;

	for (;;)
		run_turn(&worker);
}
