/*-------------------------------------------------------------------------
 *
 * engine/schedule.c
 *	  Lock, read, decide, write: operations on schedules.
 *
 * Firing goes in rounds.  Each locks a bounded number of schedules that are due,
 * skipping those that others have locked, so it waits for no schedule whatever
 * the order, and then takes a bounded number of their occurrences.  The promises
 * and the new positions of the schedules are stored by one transaction, so nobody
 * fires an occurrence twice and none is lost.  An occurrence is created as of its
 * own instant, so one that is past its own deadline by now is born settled.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "miscadmin.h"
#include "utils/builtins.h"

#include "engine/internal.h"
#include "engine/occurrence.h"
#include "server/clock.h"
#include "server/guc.h"
#include "signal/wake.h"
#include "store/payload.h"

/* How often to try to create one that is there, and is gone when looked for. */
#define INSERT_ATTEMPTS_MAX 10

/* Stores a new schedule, or returns the one that has the id. */
RsnScheduleRow *
rsn_engine_create_schedule(RsnScheduleRow *row, bool *is_created)
{
	RsnScheduleRow *result = NULL;

	rsn_store_begin();
	for (int i = 0; result == NULL; i++)
	{
		CHECK_FOR_INTERRUPTS();
		if (i == INSERT_ATTEMPTS_MAX)
			rsn_store_refuse_left_out("schedules");
		*is_created = rsn_store_insert_schedule(row);
		result = *is_created ? row : rsn_store_read_schedule(row->id);
	}
	if (*is_created)
		rsn_wake_note_deadline(row->next_run_at_ms);
	rsn_store_end();
	return result;
}

/* The schedule, or NULL. */
RsnScheduleRow *
rsn_engine_get_schedule(text *id)
{
	RsnScheduleRow *row;

	rsn_store_begin();
	row = rsn_store_read_schedule(id);
	rsn_store_end();
	return row;
}

/* Deletes a schedule, not what it has created; false when there is none. */
bool
rsn_engine_delete_schedule(text *id)
{
	bool		result;

	rsn_store_begin();
	result = rsn_store_delete_schedule(id);
	rsn_store_end();
	return result;
}

/* Schedules in order of their ids, after one of them. */
int
rsn_engine_search_schedules(Jsonb *tags, text *after_id, int limit,
							RsnScheduleRow **rows)
{
	int			n;

	rsn_store_begin();
	n = rsn_store_search_schedules(tags, after_id, limit, rows);
	rsn_store_end();
	return n;
}

/*
 * A round takes at most so many schedules and occurrences: with more, there would
 * be no end to a round where each insert is slow.
 */
#define ROUND_MAX		100

/* How often to report an occurrence that somebody else has created. */
#define REPORT_INTERVAL_MS	60000

/* No round begins after so many bytes of promises. */
#define STEP_BYTES_MAX	(8 * 1024 * 1024)

/* What the rounds of a step have done. */
typedef struct Firing
{
	int64		now_ms;
	int64		bytes;			/* of the promises */
	RsnCreateRequest requests[ROUND_MAX];	/* of this round */
	int			nrequests;
	text	  **left_out;		/* schedules, by id */
	int			nleft_out;
	RsnFired	fired;
} Firing;

/* How much is stored for each occurrence. */
static int64
size_of_promise(const RsnScheduleRow *schedule)
{
	return RSN_PROMISE_ID_MAX + rsn_stored_size(schedule->promise_tags) +
		rsn_stored_size(schedule->param.headers) +
		rsn_stored_size(schedule->param.data) +
		rsn_stored_size(schedule->param.text);
}

/*
 * Reports an occurrence that somebody else has created, since its id can be foreseen:
 * it stays what it is, as any promise that is created again.  One in a while, since
 * there can be any number of them.
 */
static void
report_foreign(const RsnScheduleRow *schedule, text *id, int64 occurrence_ms)
{
	static int64 not_before_ms = 0;
	int64		now_ms = rsn_clock_wall();
	RsnPromiseRow *row;

	if (!rsn_schedule_names_instant(schedule) || now_ms < not_before_ms)
		return;
	row = rsn_store_read_promise(id);
	if (row == NULL || row->core.created_at_ms == occurrence_ms)
		return;
	not_before_ms = now_ms + REPORT_INTERVAL_MS;
	ereport(LOG,
			(errmsg("promise \"%s\" is an occurrence of schedule \"%s\", but was not created by it",
					text_to_cstring(id), text_to_cstring(schedule->id)),
			 errdetail("It counts as the occurrence, and stays what it is.")));
}

/*
 * Makes the promises of occurrences, and returns how many; -1 when an open
 * transaction has one of them, for which an insert would wait.  A transaction that has
 * had it for long keeps that one from being created, and no other: it is missed.
 */
static int
make_requests(RsnScheduleRow *schedule, const int64 *occurrences, int n,
			  int64 now_ms, RsnCreateRequest *requests)
{
	int			nmade = 0;

	for (int i = 0; i < n; i++)
	{
		RsnCreateRequest *request = &requests[nmade];

		rsn_schedule_make_request(schedule, occurrences[i], request);
		if (rsn_store_is_in_doubt(request->id))
		{
			if (now_ms - occurrences[i] <= rsn_guc_schedule_grace_ms)
				return -1;
			schedule->fired--;
			rsn_schedule_note_missed(schedule, occurrences[i], 1);
			continue;
		}
		if (rsn_store_may_exist(request->id))
			report_foreign(schedule, request->id, occurrences[i]);

		/* What a timer does at its deadline is not missed. */
		if (request->rule.timeout_at_ms <= now_ms && !request->rule.is_timer)
			rsn_schedule_note_missed(schedule, occurrences[i], 1);
		nmade++;
	}
	return nmade;
}

/* Leaves a schedule out of the rest of the step. */
static void
leave_out(Firing *firing, text *id)
{
	Size		size = sizeof(text *) * (firing->nleft_out + 1);

	firing->left_out = firing->left_out == NULL ? palloc(size)
		: repalloc(firing->left_out, size);
	firing->left_out[firing->nleft_out++] = id;
}

/*
 * Takes at most limit occurrences of a locked schedule that is due, fewer where
 * they are large, and stores its new position.  True when more of them are due.
 * The schedule is left out while others work on a promise that it is to create.
 */
static bool
take_occurrences(Firing *firing, RsnScheduleRow *schedule, int limit)
{
	int64		size = size_of_promise(schedule);
	int64		room = Max((STEP_BYTES_MAX - firing->bytes) / size, 1);
	int64		missed = schedule->missed;
	int64	   *occurrences;
	int			nmade;
	int			n;

	/* The requests of a round have their places in an array. */
	Assert(firing->nrequests + limit <= ROUND_MAX);
	/* Once for all occurrences, because tags can be large. */
	schedule->promise_tags = (struct varlena *)
		rsn_stored_jsonb(schedule->promise_tags);
	limit = (int) Min(limit, room);
	occurrences = palloc(sizeof(int64) * limit);
	n = rsn_schedule_advance(schedule, firing->now_ms, limit, occurrences);
	nmade = make_requests(schedule, occurrences, n, firing->now_ms,
						  firing->requests + firing->nrequests);
	if (nmade < 0)
	{
		leave_out(firing, schedule->id);
		return false;
	}
	firing->nrequests += nmade;
	firing->fired.occurrences += nmade;
	firing->fired.missed += schedule->missed - missed;
	firing->fired.processed += Max(n, 1);
	firing->bytes += n * size;
	rsn_store_update_schedule(schedule);

	/* The rules of its time zone may have moved it to before the next look. */
	if (n == 0)
		rsn_wake_note_deadline(schedule->next_run_at_ms);
	return schedule->next_run_at_ms <= firing->now_ms;
}

/* The same for a schedule that was locked by its id. */
static bool
take_by_id(Firing *firing, text *id, int limit)
{
	RsnScheduleRow *schedule = rsn_store_read_schedule(id);

	if (schedule != NULL)
		return take_occurrences(firing, schedule, limit);
	elog(ERROR, "schedule \"%s\" is gone although it was locked",
		 text_to_cstring(id));
	return false;
}

/*
 * Locks at most limit schedules that are due: those that have been for longest,
 * and, where there are more, half as many that have become so last.  So those
 * that are far behind keep the others neither from being fired nor from being
 * fired in time.
 */
static int
lock_due(int64 now_ms, int limit, text *const *set_aside, int nset_aside,
		 RsnDueSchedule *due)
{
	RsnDueSchedule *found;
	int			wanted = limit < ROUND_MAX ? limit : limit - limit / 2;
	int			n = rsn_store_lock_due_schedules(now_ms, wanted, set_aside,
												 nset_aside, &found);

	memcpy(due, found, sizeof(RsnDueSchedule) * n);
	if (n < wanted || n == limit)
		return n;
	wanted = rsn_store_lock_newest_schedules(now_ms, limit - n, &due[n - 1],
											 set_aside, nset_aside, &found);
	Assert(n + wanted <= limit);
	memcpy(due + n, found, sizeof(RsnDueSchedule) * wanted);
	return n + wanted;
}

/*
 * Locks schedules that are due and takes occurrences of each, so that all of
 * them have the same share.  True when more is due.
 */
static bool
fire_round(Firing *firing, int limit)
{
	RsnDueSchedule due[ROUND_MAX];
	int			n;
	int			left = limit;
	bool		has_more;

	Assert(limit > 0 && limit <= ROUND_MAX);
	firing->nrequests = 0;
	rsn_store_begin();
	n = lock_due(firing->now_ms, limit, firing->left_out, firing->nleft_out,
				 due);
	has_more = n == limit;
	for (int i = 0; i < n; i++)
	{
		int			before = firing->fired.processed;

		if (firing->bytes >= STEP_BYTES_MAX)
		{
			has_more = true;
			break;
		}
		has_more |= take_by_id(firing, due[i].id, left / (n - i));
		left -= firing->fired.processed - before;
	}
	rsn_store_end();
	rsn_engine_create_missing(firing->requests, firing->nrequests,
							  firing->now_ms);
	return has_more;
}

/*
 * Fires schedules that are due, at most limit occurrences of them; one that
 * fires nothing counts for one.  Begins nothing after limit_ms.
 */
RsnFired
rsn_engine_fire_schedules(int64 now_ms, int limit, int limit_ms,
						  text *const *set_aside, int nset_aside)
{
	Firing		firing = {.now_ms = now_ms};
	int64		began_ms = rsn_clock_wall();
	bool		is_over = false;

	for (int i = 0; i < nset_aside; i++)
		leave_out(&firing, set_aside[i]);
	firing.fired.has_more = true;
	while (firing.fired.has_more && !is_over)
	{
		CHECK_FOR_INTERRUPTS();
		firing.fired.has_more =
			fire_round(&firing,
					   Min(limit - firing.fired.processed, ROUND_MAX));
		is_over = firing.fired.processed >= limit ||
			firing.bytes >= STEP_BYTES_MAX ||
			rsn_clock_wall() - began_ms >= limit_ms;
	}
	return firing.fired;
}

/* Fires this schedule, if it is due and nobody else works on it. */
RsnFired
rsn_engine_fire_one_schedule(text *id, int64 now_ms, int limit)
{
	Firing		firing = {.now_ms = now_ms};
	RsnScheduleRow *schedule;

	rsn_store_begin();
	schedule = rsn_store_lock_schedule(id);
	if (schedule != NULL && schedule->next_run_at_ms <= now_ms)
		firing.fired.has_more = take_occurrences(&firing, schedule,
												 Min(limit, ROUND_MAX));
	rsn_store_end();
	rsn_engine_create_missing(firing.requests, firing.nrequests, now_ms);
	return firing.fired;
}

/* Has a schedule follow the rules of its time zone, unless somebody works on it. */
static void
follow_zone(text *id)
{
	RsnScheduleRow *schedule = rsn_store_lock_schedule(id);

	if (schedule == NULL || !rsn_schedule_follow_zone(schedule))
		return;
	rsn_store_update_schedule(schedule);
	rsn_wake_note_deadline(schedule->next_run_at_ms);
}

/*
 * Has at most limit schedules follow the rules of their time zones, which may
 * have changed since their next runs were computed.  Goes on after an id, and
 * sets it to the last one; returns how many it has looked at.
 */
int
rsn_engine_follow_zones(char *after_id, int limit)
{
	RsnScheduleRow *rows;
	int			n;

	rsn_store_begin();
	n = rsn_store_list_schedules(cstring_to_text(after_id), limit, &rows);
	for (int i = 0; i < n; i++)
	{
		if (rsn_schedule_follow_zone(&rows[i]))
			follow_zone(rows[i].id);
	}
	rsn_store_end();
	if (n > 0)
		text_to_cstring_buffer(rows[n - 1].id, after_id,
							   RSN_SCHEDULE_ID_MAX + 1);
	return n;
}
