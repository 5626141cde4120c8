/*-------------------------------------------------------------------------
 *
 * worker/step.c
 *	  The steps of background work, each of them bounded.
 *
 * A step runs inside the transaction of its caller, which is the worker or, in
 * tests, resonate.worker_step().  Several backends may run steps at once: what
 * another one has locked is skipped.  No step waits for a lock: where it does not
 * look first whether it is free, because that cannot be known or hardly ever
 * matters, lock_timeout ends the wait soon.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/xact.h"
#include "miscadmin.h"
#include "utils/guc.h"

#include "engine/engine.h"
#include "server/clock.h"
#include "server/guc.h"
#include "server/id.h"
#include "signal/slot.h"
#include "worker/deliver.h"
#include "worker/handed.h"
#include "worker/settings.h"
#include "worker/step.h"

/*
 * How often to begin pruning at the start: after that, or, where there is much that
 * cannot go yet, after so many times what it has taken to look at it all.
 */
#define PRUNE_ANEW_MS	60000
#define PRUNE_ANEW_FACTOR	10

/* A part of pruning looks at as many entries of history as its limit, or at these. */
#define PRUNE_ENTRIES_MIN	100

/*
 * For how long to fire schedules at once: a caller has asked for it, while the
 * worker has deadlines to keep.
 */
#define FIRE_MS_WORKER	50
#define FIRE_MS_CALLER	1000

/* What a promise costs for which nobody waits, in rows of those who do. */
#define LEFT_PROMISE_COST	4

/* How many schedules to check at once against the rules of their time zones. */
#define FOLLOW_ZONES_MAX 1000

static const char *const step_names[] = {
	[RSN_STEP_CLOCK] = "clock",
	[RSN_STEP_SCHEDULE] = "schedule",
	[RSN_STEP_TIMEOUT] = "timeout",
	[RSN_STEP_LEASE] = "lease",
	[RSN_STEP_DISPATCH] = "dispatch",
	[RSN_STEP_DELIVER] = "deliver",
	[RSN_STEP_RECONCILE] = "reconcile",
	[RSN_STEP_EXPIRE] = "expire",
	[RSN_STEP_PRUNE] = "prune"
};

StaticAssertDecl(lengthof(step_names) == RSN_NSTEPS, "every step has a name");

const char *
rsn_step_name(RsnStep step)
{
	return step_names[step];
}

/* What this transaction has counted, which counts if it commits. */
static RsnCounts uncounted;

/* The same, for who takes back a part of the transaction. */
RsnCounts
rsn_background_counts(void)
{
	return uncounted;
}

/* Forgets what was counted since. */
void
rsn_background_restore_counts(const RsnCounts *counts)
{
	uncounted = *counts;
}

static void
count(RsnCounter counter, int n)
{
	/* So that at the end of the transaction there is no more to look up. */
	(void) rsn_shared_slot(MyDatabaseId);
	uncounted.n[counter] += n;
}

static void
xact_callback(XactEvent event, void *arg)
{
	if (event == XACT_EVENT_COMMIT)
	{
		for (int i = 0; i < RSN_NCOUNTERS; i++)
		{
			if (uncounted.n[i] > 0)
				rsn_shared_count((RsnCounter) i, uncounted.n[i]);
		}
	}
	if (event == XACT_EVENT_COMMIT || event == XACT_EVENT_ABORT ||
		event == XACT_EVENT_PREPARE)
		memset(&uncounted, 0, sizeof(uncounted));
}

/* Registers the callback, once for the life of the backend. */
void
rsn_background_init(void)
{
	RegisterXactCallback(xact_callback, NULL);
}

/* Where a step begins to look for what is due. */
static int64
look_from(const RsnProgress *progress, RsnStep step)
{
	return progress->from_ms[step] > 0 ? progress->from_ms[step]
		: PG_INT64_MIN;
}

static void
count_fired(const RsnFired *fired)
{
	count(RSN_COUNT_OCCURRENCES, fired->occurrences);
	count(RSN_COUNT_MISSED, fired->missed);
}

/*
 * The rules of time zones that a process knows stay the same as long as it
 * lives, so a worker checks at its start whether they are what schedules were
 * computed with.  Whoever fires one checks it anyway; what is to run earlier than
 * was thought has to be found before.
 */
static int
step_schedule(int64 now_ms, int limit, RsnProgress *progress)
{
	const RsnSetAside *set_aside = &progress->set_aside[RSN_STEP_SCHEDULE];
	RsnFired	fired;

	if (progress->is_worker && !progress->are_zones_followed)
	{
		int			n = rsn_engine_follow_zones(progress->zones_followed_to,
												FOLLOW_ZONES_MAX);

		progress->are_zones_followed = n < FOLLOW_ZONES_MAX;
		progress->has_more = n > 0;
		if (n > 0)
			return n;
	}
	fired = rsn_engine_fire_schedules(now_ms, limit,
									  progress->is_worker ? FIRE_MS_WORKER
									  : FIRE_MS_CALLER,
									  set_aside->ids, set_aside->n);
	count_fired(&fired);
	progress->has_more = fired.has_more;
	return fired.processed;
}

static int
step_lease(int64 now_ms, int limit, RsnProgress *progress)
{
	const RsnSetAside *set_aside = &progress->set_aside[RSN_STEP_LEASE];
	int			n = rsn_engine_end_leases(look_from(progress,
													RSN_STEP_LEASE),
										  now_ms, limit, set_aside->ids,
										  set_aside->n);

	count(RSN_COUNT_LEASES_ENDED, n);
	return n;
}

static void
count_delivered(const RsnDelivered *delivered)
{
	count(RSN_COUNT_NOTIFICATIONS, delivered->notified);
	count(RSN_COUNT_DELIVERY_FAILURES, delivered->failed);
}

static int
step_dispatch(int64 now_ms, int limit, RsnProgress *progress)
{
	const RsnSetAside *set_aside = &progress->set_aside[RSN_STEP_DISPATCH];
	RsnDelivered offered = rsn_delivery_offer(now_ms, limit, set_aside->ids,
											  set_aside->n, &progress->offered);

	progress->has_more = offered.has_more;
	progress->has_busy = offered.has_busy;

	count_delivered(&offered);
	return offered.processed;
}

static int
step_timeout(int64 now_ms, int limit, RsnProgress *progress)
{
	const RsnSetAside *set_aside = &progress->set_aside[RSN_STEP_TIMEOUT];
	int			n = rsn_engine_expire_due(look_from(progress,
													RSN_STEP_TIMEOUT),
										  now_ms, limit, set_aside->ids,
										  set_aside->n, &progress->has_more);

	if (n > 0)
		count(RSN_COUNT_SWEEPS, 1);
	count(RSN_COUNT_TIMED_OUT, n);
	return n;
}

static int
step_deliver(int64 now_ms, int limit, RsnProgress *progress)
{
	const RsnSetAside *set_aside = &progress->set_aside[RSN_STEP_DELIVER];
	RsnDelivered delivered = rsn_delivery_notify(now_ms, limit,
												 set_aside->ids,
												 set_aside->n);

	progress->has_more = delivered.has_more;
	if (delivered.processed > 0)
		count(RSN_COUNT_DELIVERIES, 1);
	count_delivered(&delivered);
	return delivered.processed;
}

/*
 * Has all that others may have left looked for: from the start, but not before a look
 * that is under way has come to its end, or those who leave more would keep it at the
 * start.
 */
void
rsn_background_want_reconciling(RsnProgress *progress)
{
	if (progress->is_reconciled || progress->reconciled.marks[0].promise.len +
		progress->reconciled.marks[1].promise.len +
		progress->reconciled.task.len == 0)
	{
		progress->is_reconciled = false;
		progress->has_passed_busy = false;
	}
	else
		progress->must_reconcile_again = true;
}

/* True for a promise whose callbacks or awaiters have failed. */
static bool
is_set_aside(const RsnSetAside *set_aside, const text *id)
{
	for (int i = 0; i < set_aside->n; i++)
	{
		if (rsn_id_equals(set_aside->ids[i], id))
			return true;
	}
	return false;
}

/*
 * Tells at most limit of those who wait for promises that were handed over.  Promises
 * with some that others work on are put by, so that they do not stand in the way, until
 * it is time to come back for them.  One that is set aside is found again with all
 * others.
 */
static int
reconcile_left(int64 now_ms, int limit, RsnProgress *progress)
{
	const RsnSetAside *set_aside = &progress->set_aside[RSN_STEP_RECONCILE];
	text	   *id;
	int			room = limit;
	int			n = 0;

	if (now_ms >= progress->retry_left_ms)
		rsn_handed_take_put_by();
	while (room > 0 && (id = rsn_handed_first(RSN_HANDOFF_LEFT)) != NULL)
	{
		RsnReconcilePosition next = progress->left;
		int			ndone = 0;

		CHECK_FOR_INTERRUPTS();
		if (!is_set_aside(set_aside, id))
			ndone = rsn_engine_reconcile_one(id, now_ms, room, &next);
		n += ndone;
		room -= ndone + LEFT_PROMISE_COST;
		progress->left = next;
		if (next.has_more)
			continue;
		rsn_handed_pass_first(RSN_HANDOFF_LEFT, next.has_busy);
		memset(&progress->left, 0, sizeof(progress->left));
	}
	progress->has_more |= rsn_handed_has(RSN_HANDOFF_LEFT);
	progress->has_busy |= rsn_handed_has_put_by();
	return n;
}

/* The same for all that there is, a part of it. */
static int
reconcile_all(int64 now_ms, int limit, RsnProgress *progress)
{
	const RsnSetAside *set_aside = &progress->set_aside[RSN_STEP_RECONCILE];
	RsnReconcilePosition next = progress->reconciled;
	int			n;

	if (progress->has_passed_busy && now_ms < progress->retry_left_ms)
	{
		progress->has_busy = true;
		return 0;
	}
	n = rsn_engine_reconcile(now_ms, limit, set_aside->ids, set_aside->n,
							 &next);
	progress->has_passed_busy = false;
	if (next.has_more)
		progress->has_more = true;
	else
	{
		progress->has_busy |= next.has_busy;
		progress->has_passed_busy = next.has_busy;
		progress->is_reconciled = !next.has_busy &&
			!progress->must_reconcile_again;
		progress->has_more |= progress->must_reconcile_again;
		progress->must_reconcile_again = false;
		next.has_busy = false;
	}
	progress->reconciled = next;
	return n;
}

static int
step_reconcile(int64 now_ms, int limit, RsnProgress *progress)
{
	int			n = 0;

	if (progress->is_worker)
		n = reconcile_left(now_ms, limit, progress);
	if (!progress->is_reconciled)
		n += reconcile_all(now_ms, limit, progress);
	return n;
}

static int
step_expire(int64 now_ms, int limit)
{
	int			n = rsn_engine_expire_messages(now_ms, limit);

	count(RSN_COUNT_EXPIRED, n);
	return n;
}

/* What was settled by then is old enough to be pruned, as of now. */
static int64
old_enough(int64 now_ms)
{
	return rsn_guc_retention_s < 0 ? PG_INT64_MIN
		: now_ms - (int64) rsn_guc_retention_s * 1000;
}

/*
 * Goes on where the last run ended, and now and then begins anew for what could
 * not be pruned when it was passed.  Settles internal promises, too.
 */
static int
step_prune(int64 now_ms, int limit, RsnProgress *progress)
{
	const RsnSetAside *set_aside = &progress->set_aside[RSN_STEP_PRUNE];
	int64		settled_by_ms = old_enough(now_ms);
	int			n;

	if (rsn_guc_retention_s < 0 && !progress->must_expire)
		return 0;
	rsn_store_check_at_once();
	if (now_ms >= progress->prune_anew_at_ms && !progress->pruned.has_more)
	{
		memset(&progress->pruned, 0, sizeof(progress->pruned));
		progress->pruning_since_ms = now_ms;
		progress->prune_anew_at_ms = now_ms + PRUNE_ANEW_MS;
	}
	n = rsn_engine_prune(settled_by_ms,
						 progress->must_expire ? now_ms : settled_by_ms,
						 limit, Max(limit, PRUNE_ENTRIES_MIN), set_aside->ids,
						 set_aside->n, &progress->pruned);
	progress->must_expire &= progress->pruned.has_lapsed;
	progress->has_more = progress->pruned.has_more;
	if (progress->pruned.has_more)
		progress->prune_anew_at_ms =
			Max(progress->prune_anew_at_ms,
				now_ms + PRUNE_ANEW_FACTOR * (now_ms -
											  progress->pruning_since_ms));
	count(RSN_COUNT_PRUNED, n);
	return n;
}

/* How many rows a step takes at most, as configured. */
int
rsn_background_limit(RsnStep step)
{
	switch (step)
	{
		case RSN_STEP_SCHEDULE:
			return rsn_guc_schedule_batch_size;
		case RSN_STEP_CLOCK:
		case RSN_STEP_TIMEOUT:
		case RSN_STEP_LEASE:
		case RSN_STEP_RECONCILE:
			return rsn_guc_sweep_batch_size;
		case RSN_STEP_DISPATCH:
		case RSN_STEP_DELIVER:
			return rsn_guc_delivery_batch_size;
		case RSN_STEP_EXPIRE:
		case RSN_STEP_PRUNE:
			return rsn_guc_prune_batch_size;
	}
	return 0;
}

static int
run_step(RsnStep step, int64 now_ms, int limit, RsnProgress *progress)
{
	switch (step)
	{
		case RSN_STEP_CLOCK:
			return rsn_engine_set_clocks_right(now_ms, limit);
		case RSN_STEP_SCHEDULE:
			return step_schedule(now_ms, limit, progress);
		case RSN_STEP_TIMEOUT:
			return step_timeout(now_ms, limit, progress);
		case RSN_STEP_LEASE:
			return step_lease(now_ms, limit, progress);
		case RSN_STEP_DISPATCH:
			return step_dispatch(now_ms, limit, progress);
		case RSN_STEP_DELIVER:
			return step_deliver(now_ms, limit, progress);
		case RSN_STEP_RECONCILE:
			return step_reconcile(now_ms, limit, progress);
		case RSN_STEP_EXPIRE:
			return step_expire(now_ms, limit);
		case RSN_STEP_PRUNE:
			return step_prune(now_ms, limit, progress);
	}
	return 0;
}

/* Has nobody wait long for a lock until the nest level that is returned ends. */
static int
limit_waits(void)
{
	int			nest_level = NewGUCNestLevel();

	(void) set_config_option("lock_timeout", RSN_LOCK_TIMEOUT, PGC_USERSET,
							 PGC_S_SESSION, GUC_ACTION_SAVE, true, 0, false);
	return nest_level;
}

/*
 * Runs a step of at most limit rows (zero: as configured) as of now, and
 * returns how many rows it took.  Unless the step knows better, there are more if
 * it took all that it may.  Nobody waits long for a lock in it, whatever the
 * session has set.
 */
int
rsn_background_step(RsnStep step, int64 now_ms, int limit,
					RsnProgress *progress)
{
	int			nest_level = limit_waits();
	int			n;

	if (limit == 0)
		limit = rsn_background_limit(step);
	progress->has_more = false;
	progress->has_busy = false;
	n = run_step(step, now_ms, limit, progress);
	progress->has_more |= n >= limit;
	AtEOXact_GUC(true, nest_level);
	return n;
}

static int64
next_due(RsnAsk ask, const RsnProgress *progress, int64 from_ms,
		 int64 looked_at_ms)
{
	static const struct
	{
		RsnStep		step;
		RsnDueKind	kind;
	}			waits[] = {
		[RSN_ASK_DEADLINE] = {RSN_STEP_TIMEOUT, RSN_DUE_PROMISES},
		[RSN_ASK_LEASE] = {RSN_STEP_LEASE, RSN_DUE_LEASES},
		[RSN_ASK_SCHEDULE] = {RSN_STEP_SCHEDULE, RSN_DUE_SCHEDULES},
		[RSN_ASK_MESSAGE] = {RSN_STEP_DELIVER, RSN_DUE_MESSAGES}
	};
	const RsnSetAside *set_aside;

	/* What can be dequeued stays due, and was told of. */
	if (ask == RSN_ASK_OFFER)
		return rsn_store_next_offer(Max(from_ms, looked_at_ms));
	set_aside = &progress->set_aside[waits[ask].step];
	return rsn_store_next_due(waits[ask].kind, from_ms, set_aside->ids,
							  set_aside->n);
}

/*
 * When the next of a kind from an instant on is due, or RSN_TIME_NEVER; without what
 * is set aside.
 */
int64
rsn_background_next_due(RsnAsk ask, const RsnProgress *progress,
						int64 from_ms, int64 looked_at_ms)
{
	int64		next_ms;

	rsn_store_begin();
	next_ms = next_due(ask, progress, from_ms, looked_at_ms);
	rsn_store_end();
	return next_ms;
}

/*
 * The ids of what a step would take, to try them one by one, and since when each is
 * due, where the step goes by that, or NULL.  None for a step that can only be
 * taken as a whole, and waits after a failure.
 */
int
rsn_background_list(RsnStep step, int64 now_ms, RsnProgress *progress,
					text ***ids, int64 **due_ms)
{
	static const RsnDueKind kinds[] = {
		[RSN_STEP_SCHEDULE] = RSN_DUE_SCHEDULES,
		[RSN_STEP_TIMEOUT] = RSN_DUE_PROMISES,
		[RSN_STEP_LEASE] = RSN_DUE_LEASES,
		[RSN_STEP_DISPATCH] = RSN_DUE_OFFERS,
		[RSN_STEP_DELIVER] = RSN_DUE_MESSAGES,
		[RSN_STEP_PRUNE] = RSN_DUE_INTERNAL_PROMISES
	};
	const RsnSetAside *set_aside = &progress->set_aside[step];
	int			limit = rsn_background_limit(step);
	int			n;

	*due_ms = NULL;
	if (step == RSN_STEP_EXPIRE || step == RSN_STEP_CLOCK)
		return 0;
	if (step == RSN_STEP_RECONCILE)
		return rsn_engine_list_left(&progress->reconciled, limit,
									set_aside->ids, set_aside->n, ids);
	rsn_store_begin();
	n = rsn_store_due_ids(kinds[step], look_from(progress, step), now_ms,
						  limit, set_aside->ids, set_aside->n, ids, due_ms);
	rsn_store_end();
	return n;
}

static int
run_one(RsnStep step, int64 now_ms, text *id)
{
	RsnReconcilePosition position = {0};
	RsnDelivered delivered;
	RsnFired	fired;
	int			n;

	switch (step)
	{
		case RSN_STEP_SCHEDULE:
			fired = rsn_engine_fire_one_schedule(id, now_ms,
												 rsn_guc_schedule_batch_size);
			count_fired(&fired);
			return fired.processed;
		case RSN_STEP_TIMEOUT:
			n = rsn_engine_expire_one(id, now_ms);
			count(RSN_COUNT_TIMED_OUT, n);
			return n;
		case RSN_STEP_LEASE:
			n = rsn_engine_end_lease(id, now_ms);
			count(RSN_COUNT_LEASES_ENDED, n);
			return n;
		case RSN_STEP_DISPATCH:
			delivered = rsn_delivery_offer_one(id, now_ms);
			count_delivered(&delivered);
			return delivered.processed;
		case RSN_STEP_DELIVER:
			delivered = rsn_delivery_notify_one(id, now_ms);
			count_delivered(&delivered);
			return delivered.processed;
		case RSN_STEP_RECONCILE:
			(void) rsn_engine_reconcile_one(id, now_ms,
											rsn_background_limit(step),
											&position);
			return 1;
		case RSN_STEP_PRUNE:

			/*
			 * What is settled and cannot be deleted stops nobody: see the
			 * store.
			 */
			return rsn_engine_expire_one(id, now_ms);
		case RSN_STEP_CLOCK:
		case RSN_STEP_EXPIRE:
			break;
	}
	return 0;
}

/* Runs a step for one of these; returns how many rows it took. */
int
rsn_background_step_one(RsnStep step, int64 now_ms, text *id)
{
	int			nest_level = limit_waits();
	int			n = run_one(step, now_ms, id);

	AtEOXact_GUC(true, nest_level);
	return n;
}

/* True while a prepared transaction may still commit in this database. */
bool
rsn_background_has_prepared(void)
{
	bool		result;

	rsn_store_begin();
	result = rsn_store_has_prepared_transactions();
	rsn_store_end();
	return result;
}
