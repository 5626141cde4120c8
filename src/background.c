/*-------------------------------------------------------------------------
 *
 * background.c
 *	  The steps of background work, each of them bounded.
 *
 * A step runs inside the transaction of its caller, which is the worker or, in
 * tests, resonate.worker_step().  Several backends may run steps at once: what
 * another one has locked is skipped.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "background.h"
#include "clock.h"
#include "delivery.h"
#include "engine.h"
#include "guc.h"
#include "shared.h"

static const char *const step_names[] = {
	[RSN_STEP_TIMEOUT] = "timeout",
	[RSN_STEP_DELIVER] = "deliver",
	[RSN_STEP_RECONCILE] = "reconcile",
	[RSN_STEP_PRUNE] = "prune"
};

StaticAssertDecl(lengthof(step_names) == RSN_NSTEPS, "every step has a name");

const char *
rsn_step_name(RsnStep step)
{
	return step_names[step];
}

static int
step_timeout(int64 now_ms, int limit, const RsnSetAside *set_aside)
{
	int			n = rsn_engine_expire_due(now_ms, limit, set_aside->ids,
										  set_aside->n);

	if (n > 0)
		rsn_shared_count(RSN_COUNT_SWEEPS, 1);
	rsn_shared_count(RSN_COUNT_TIMED_OUT, n);
	return n;
}

static int
step_deliver(int64 now_ms, int limit)
{
	RsnDelivered delivered = rsn_delivery_notify(now_ms, limit);

	if (delivered.processed > 0)
		rsn_shared_count(RSN_COUNT_DELIVERIES, 1);
	rsn_shared_count(RSN_COUNT_NOTIFICATIONS, delivered.notified);
	rsn_shared_count(RSN_COUNT_DELIVERY_FAILURES, delivered.failed);
	return delivered.processed;
}

static int
step_prune(int64 now_ms, int limit)
{
	int			n;

	if (rsn_guc_retention_s < 0)
		return 0;
	n = rsn_engine_prune(now_ms - (int64) rsn_guc_retention_s * 1000, limit);
	rsn_shared_count(RSN_COUNT_PRUNED, n);
	return n;
}

/*
 * Runs one step of at most limit rows (zero: as configured) as of now, and
 * answers how many rows it took.  The counters count what a step has tried,
 * even if its transaction is rolled back.
 */
int
rsn_background_step(RsnStep step, int64 now_ms, int limit,
					const RsnSetAside *set_aside)
{
	switch (step)
	{
		case RSN_STEP_TIMEOUT:
			return step_timeout(now_ms,
								limit > 0 ? limit : rsn_guc_sweep_batch_size,
								set_aside);
		case RSN_STEP_DELIVER:
			return step_deliver(now_ms, limit > 0 ? limit
								: rsn_guc_delivery_batch_size);
		case RSN_STEP_RECONCILE:
			return rsn_engine_reconcile(now_ms, limit > 0 ? limit
										: rsn_guc_sweep_batch_size,
										set_aside->ids, set_aside->n);
		case RSN_STEP_PRUNE:
			return step_prune(now_ms,
							  limit > 0 ? limit : rsn_guc_prune_batch_size);
	}
	return 0;
}

/* When the next deadline or message is due, or RSN_TIME_NEVER. */
int64
rsn_background_next_due(const RsnSetAside *set_aside)
{
	int64		deadline_ms;
	int64		notification_ms;

	rsn_store_begin();
	deadline_ms = rsn_store_next_deadline(set_aside->ids, set_aside->n);
	notification_ms = rsn_store_next_notification();
	rsn_store_end();
	return Min(deadline_ms, notification_ms);
}

/* The promises that a step would take, to try them one by one. */
int
rsn_background_list(RsnStep step, int64 now_ms, const RsnSetAside *set_aside,
					text ***ids)
{
	int			n;

	rsn_store_begin();
	if (step == RSN_STEP_TIMEOUT)
		n = rsn_store_due_ids(now_ms, rsn_guc_sweep_batch_size,
							  set_aside->ids, set_aside->n, ids);
	else
		n = rsn_store_unfired_promises(rsn_guc_sweep_batch_size,
									   set_aside->ids, set_aside->n, ids);
	rsn_store_end();
	return n;
}

/* Runs a step for one of these promises. */
void
rsn_background_step_one(RsnStep step, int64 now_ms, text *id)
{
	if (step == RSN_STEP_TIMEOUT)
		(void) rsn_engine_get(id);
	else
		rsn_engine_fire(id, now_ms);
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
