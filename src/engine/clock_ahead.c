/*-------------------------------------------------------------------------
 *
 * engine/clock_ahead.c
 *	  Lock, read, decide, write: what a clock that was ahead has left.
 *
 * The clock of a server can jump ahead and come back.  Deadlines that it has passed
 * are stored, and final.  But leases, offers and messages are hidden until an instant
 * that was computed from it, which may be hours away; those are told by lying further
 * ahead than anything can that was set by the present clock.  Schedules have run, and
 * would not again until the clock gets there: they have a last run that is to come.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "engine/internal.h"
#include "engine/occurrence.h"
#include "server/clock.h"
#include "server/guc.h"
#include "signal/wake.h"
#include "store/payload.h"
#include "store/tags.h"

/*
 * What lies further ahead was set by a clock that is of no use, or by a session with a
 * test clock, which often shows a year in which no worker finds anything due.
 */
#define AHEAD_MAX_MS	(INT64CONST(10) * 365 * 24 * 60 * 60 * 1000)

/* Until when the tags of its promise keep a task from being offered; zero: not. */
static int64
delay_of(const RsnTaskRow *row)
{
	RsnPromiseRow *promise = rsn_store_read_promise(row->id);
	RsnTraits	traits;
	const char *reason;

	if (promise == NULL || !rsn_tags_traits(rsn_stored_jsonb(promise->tags),
											&traits, &reason))
		return 0;
	return traits.offer_at_ms;
}

/* Sets at most limit tasks right; returns how many. */
static int
set_tasks_right(int64 now_ms, int64 from_ms, int64 until_ms, int limit)
{
	int64		latest_ms = rsn_deadline_after(from_ms,
											   Max(rsn_guc_retry_timeout_max_ms,
												   rsn_guc_retry_timeout_ms));
	RsnTaskRow *rows;
	int			n = rsn_store_lock_tasks_ahead(from_ms, latest_ms, until_ms,
											   limit, &rows);
	int			nchanged = 0;

	for (int i = 0; i < n; i++)
	{
		RsnRetryPolicy policy = rsn_engine_retry_policy(&rows[i]);
		RsnTaskDecision decision;

		/* No other task has a clock that can be ahead. */
		Assert(rows[i].core.state == RSN_TASK_PENDING ||
			   rows[i].core.state == RSN_TASK_ACQUIRED);
		decision = rsn_task_set_right(&rows[i].core, &policy,
									  delay_of(&rows[i]),
									  now_ms);

		rsn_engine_write_task(&rows[i], &decision, now_ms);
		nchanged += decision.is_changed ? 1 : 0;
	}
	return nchanged;
}

/* The same for messages, as many of each kind. */
static int
set_messages_right(int64 now_ms, int64 from_ms, int64 until_ms, int limit)
{
	int			n = rsn_store_set_messages_right(true, from_ms, until_ms,
												 now_ms, limit);

	n += rsn_store_set_messages_right(false, from_ms, until_ms, now_ms, limit);
	if (n > 0)
	{
		rsn_wake_note_message();
		rsn_wake_note_offer(NULL);
	}
	return n;
}

/* The same for schedules, which fire nothing for it. */
static int
set_schedules_right(int64 now_ms, int64 from_ms, int64 until_ms, int limit)
{
	RsnScheduleRow *rows;
	int			n = rsn_store_lock_schedules_ahead(from_ms, until_ms, limit,
												   &rows);
	int			nchanged = 0;

	for (int i = 0; i < n; i++)
	{
		if (!rsn_schedule_set_right(&rows[i], now_ms))
			continue;
		Assert(rows[i].next_run_at_ms > now_ms);
		rsn_store_update_schedule(&rows[i]);
		rsn_wake_note_deadline(rows[i].next_run_at_ms);
		nchanged++;
	}
	return nchanged;
}

/*
 * Sets at most limit tasks, messages of a kind, and schedules right; returns how many.
 * Reads all leases and the tasks that wait to be offered, so it is for when there is a
 * reason.
 */
int
rsn_engine_set_clocks_right(int64 now_ms, int limit)
{
	int64		from_ms = rsn_deadline_after(now_ms, RSN_TASK_CLOCK_TOLERANCE_MS);
	int64		until_ms = rsn_deadline_after(now_ms, AHEAD_MAX_MS);
	int			ntasks;
	int			nmessages;
	int			nschedules;

	rsn_store_begin();
	ntasks = set_tasks_right(now_ms, from_ms, until_ms, limit);
	nmessages = set_messages_right(now_ms, from_ms, until_ms, limit);
	nschedules = set_schedules_right(now_ms, from_ms, until_ms, limit);
	rsn_store_end();
	if (ntasks + nmessages + nschedules > 0)
		ereport(LOG,
				(errmsg("%d tasks, %d messages and %d schedules were set to a time that the clock of the server has not reached",
						ntasks, nmessages, nschedules),
				 errdetail("The clock must have been ahead.  They are set right.")));
	return ntasks + nmessages + nschedules;
}
