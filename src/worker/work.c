/*-------------------------------------------------------------------------
 *
 * worker/work.c
 *	  What each step does.
 *
 * A step does a part of the work of its kind, in the transaction of its caller.  What
 * it has seen, and where the next one of its kind goes on, is in RsnProgress.  Several
 * processes may do the same at once: what another one has locked is skipped.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "miscadmin.h"

#include "engine/engine.h"
#include "server/clock.h"
#include "server/guc.h"
#include "worker/count.h"
#include "worker/deliver.h"
#include "worker/handed.h"
#include "worker/offer.h"
#include "worker/work.h"

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

/* Where a step begins to look for what is due. */
int64
rsn_work_from(const RsnProgress *progress, RsnStep step)
{
	Assert(!progress->is_worker || progress->from_ms[step] < RSN_TIME_NEVER);
	return progress->from_ms[step] > 0 ? progress->from_ms[step]
		: PG_INT64_MIN;
}

/* Sets right what a clock that was ahead has left. */
int
rsn_work_clock(int64 now_ms, int limit, RsnProgress *progress)
{
	return rsn_engine_set_clocks_right(now_ms, limit);
}

static void
count_fired(const RsnFired *fired)
{
	rsn_count_add(RSN_COUNT_OCCURRENCES, fired->occurrences);
	rsn_count_add(RSN_COUNT_MISSED, fired->missed);
}

/*
 * The rules of time zones that a process knows stay the same as long as it
 * lives, so a worker checks at its start whether they are what schedules were
 * computed with.  The firing checks it anyway; what is to run earlier than
 * was thought has to be found before.
 */
int
rsn_work_schedule(int64 now_ms, int limit, RsnProgress *progress)
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

/* Puts tasks back whose lease has ended. */
int
rsn_work_lease(int64 now_ms, int limit, RsnProgress *progress)
{
	const RsnSetAside *set_aside = &progress->set_aside[RSN_STEP_LEASE];
	int			n = rsn_engine_end_leases(rsn_work_from(progress,
													RSN_STEP_LEASE),
										  now_ms, limit, set_aside->ids,
										  set_aside->n);

	rsn_count_add(RSN_COUNT_LEASES_ENDED, n);
	return n;
}

static void
count_delivered(const RsnDelivered *delivered)
{
	rsn_count_add(RSN_COUNT_NOTIFICATIONS, delivered->notified);
	rsn_count_add(RSN_COUNT_DELIVERY_FAILURES, delivered->failed);
}

/* Offers tasks, and tells who can dequeue something. */
int
rsn_work_dispatch(int64 now_ms, int limit, RsnProgress *progress)
{
	const RsnSetAside *set_aside = &progress->set_aside[RSN_STEP_DISPATCH];
	RsnDelivered offered = rsn_offer_tasks(now_ms, limit, set_aside->ids,
										   set_aside->n, &progress->offered);

	progress->has_more = offered.has_more;
	progress->has_busy = offered.has_busy;

	count_delivered(&offered);
	return offered.processed;
}

/* Settles promises past their deadline. */
int
rsn_work_timeout(int64 now_ms, int limit, RsnProgress *progress)
{
	const RsnSetAside *set_aside = &progress->set_aside[RSN_STEP_TIMEOUT];
	int			n = rsn_engine_expire_due(rsn_work_from(progress,
													RSN_STEP_TIMEOUT),
										  now_ms, limit, set_aside->ids,
										  set_aside->n, &progress->has_more);

	if (n > 0)
		rsn_count_add(RSN_COUNT_SWEEPS, 1);
	rsn_count_add(RSN_COUNT_TIMED_OUT, n);
	return n;
}

/* Notifies of what was handed over, and of messages that are due. */
int
rsn_work_deliver(int64 now_ms, int limit, RsnProgress *progress)
{
	const RsnSetAside *set_aside = &progress->set_aside[RSN_STEP_DELIVER];
	RsnDelivered delivered = rsn_deliver_messages(now_ms, limit,
												  set_aside->ids,
												  set_aside->n);

	progress->has_more = delivered.has_more;
	if (delivered.processed > 0)
		rsn_count_add(RSN_COUNT_DELIVERIES, 1);
	count_delivered(&delivered);
	return delivered.processed;
}

/*
 * Has all that others may have left looked for: from the start, but not before a look
 * that is under way has come to its end, or those who leave more would keep it at the
 * start.
 */
void
rsn_work_want_reconciling(RsnProgress *progress)
{
	Assert(progress->is_worker);
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

	Assert(progress->is_worker);
	if (now_ms >= progress->retry_left_ms)
		rsn_handed_take_put_by();
	while (room > 0 && (id = rsn_handed_first(RSN_HANDOFF_LEFT)) != NULL)
	{
		RsnReconcilePosition next = progress->left;
		int			ndone = 0;

		CHECK_FOR_INTERRUPTS();
		if (!rsn_set_aside_has(set_aside, id))
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

	Assert(!progress->is_reconciled);
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

/* Tells those who were left: what was handed over, and a part of all there is. */
int
rsn_work_reconcile(int64 now_ms, int limit, RsnProgress *progress)
{
	int			n = 0;

	if (progress->is_worker)
		n = reconcile_left(now_ms, limit, progress);
	if (!progress->is_reconciled)
		n += reconcile_all(now_ms, limit, progress);
	return n;
}

/* Deletes messages that nobody has taken. */
int
rsn_work_expire(int64 now_ms, int limit, RsnProgress *progress)
{
	int			n = rsn_engine_expire_messages(now_ms, limit);

	rsn_count_add(RSN_COUNT_EXPIRED, n);
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
int
rsn_work_prune(int64 now_ms, int limit, RsnProgress *progress)
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
	rsn_count_add(RSN_COUNT_PRUNED, n);
	return n;
}

/* The same of one schedule; all of these return how many rows it took. */
int
rsn_work_schedule_one(int64 now_ms, text *id)
{
	RsnFired	fired = rsn_engine_fire_one_schedule(id, now_ms,
													 rsn_guc_schedule_batch_size);

	count_fired(&fired);
	return fired.processed;
}

/* Of one promise past its deadline. */
int
rsn_work_timeout_one(int64 now_ms, text *id)
{
	int			n = rsn_engine_expire_one(id, now_ms);

	rsn_count_add(RSN_COUNT_TIMED_OUT, n);
	return n;
}

/* Of one task whose lease has ended. */
int
rsn_work_lease_one(int64 now_ms, text *id)
{
	int			n = rsn_engine_end_lease(id, now_ms);

	rsn_count_add(RSN_COUNT_LEASES_ENDED, n);
	return n;
}

/* Of one task to be offered. */
int
rsn_work_dispatch_one(int64 now_ms, text *id)
{
	RsnDelivered offered = rsn_offer_one(id, now_ms);

	count_delivered(&offered);
	return offered.processed;
}

/* Of the messages of one promise. */
int
rsn_work_deliver_one(int64 now_ms, text *id)
{
	RsnDelivered delivered = rsn_deliver_messages_of(id, now_ms);

	count_delivered(&delivered);
	return delivered.processed;
}

/* Of those who wait for one promise. */
int
rsn_work_reconcile_one(int64 now_ms, text *id)
{
	RsnReconcilePosition position = {0};

	(void) rsn_engine_reconcile_one(id, now_ms, rsn_guc_sweep_batch_size,
									&position);
	return 1;
}

/*
 * Of one internal promise.  What is settled and cannot be deleted stops nobody: see the
 * store.
 */
int
rsn_work_prune_one(int64 now_ms, text *id)
{
	return rsn_engine_expire_one(id, now_ms);
}
