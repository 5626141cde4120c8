/*-------------------------------------------------------------------------
 *
 * engine_schedule.c
 *	  Lock, read, decide, write: operations on schedules.
 *
 * Firing locks one schedule and takes a bounded batch of its occurrences.  The
 * promises and the new position of the schedule are stored by one transaction,
 * so nobody fires an occurrence twice and none is lost.  An occurrence is created as of
 * its own instant, so one that is past its own deadline by now is born settled.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "miscadmin.h"
#include "utils/builtins.h"

#include "clock.h"
#include "engine_internal.h"
#include "schedule.h"
#include "wake.h"

/* Stores a new schedule, or answers the one that has the id. */
RsnScheduleRow *
rsn_engine_create_schedule(RsnScheduleRow *row, bool *is_created)
{
	RsnScheduleRow *result = NULL;

	rsn_store_begin();
	while (result == NULL)
	{
		CHECK_FOR_INTERRUPTS();
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

/* Creates the promises of occurrences; ids that exist already are adopted. */
static void
create_occurrences(const RsnScheduleRow *schedule, const int64 *occurrences,
				   int n, int64 now_ms)
{
	RsnCreateRequest *requests = palloc0(sizeof(RsnCreateRequest) *
										 Max(n, 1));

	for (int i = 0; i < n; i++)
		rsn_schedule_make_request(schedule, occurrences[i], &requests[i]);
	if (n > 0)
		rsn_engine_create_missing(requests, n, now_ms);
}

/*
 * Locks a schedule that is due.  They take turns, in order of their ids, so that
 * one with many missed occurrences does not keep the others waiting.
 */
static RsnScheduleRow *
lock_next_schedule(int64 now_ms, text *const *set_aside, int nset_aside)
{
	static char previous[RSN_SCHEDULE_ID_MAX + 1];
	RsnScheduleRow *schedule;

	schedule = rsn_store_lock_due_schedule(now_ms, cstring_to_text(previous),
										   set_aside, nset_aside);
	if (schedule == NULL && previous[0] != '\0')
		schedule = rsn_store_lock_due_schedule(now_ms, cstring_to_text(""),
											   set_aside, nset_aside);
	if (schedule != NULL)
		text_to_cstring_buffer(schedule->id, previous, sizeof(previous));
	return schedule;
}

/*
 * Fires at most limit occurrences of a locked schedule, if it is due; answers
 * how many.
 */
static int
fire(RsnScheduleRow *schedule, int64 now_ms, int limit)
{
	int64	   *occurrences = palloc(sizeof(int64) * limit);
	int			n;

	if (schedule->next_run_at_ms > now_ms)
		return 0;
	n = rsn_schedule_advance(schedule, now_ms, limit, occurrences);
	rsn_store_begin();
	rsn_store_update_schedule(schedule);
	rsn_store_end();
	create_occurrences(schedule, occurrences, n, now_ms);
	return n;
}

/*
 * Fires one schedule that is due, at most limit of its occurrences.  Answers how
 * many, at least one if there was such a schedule.
 */
int
rsn_engine_fire_schedule(int64 now_ms, int limit, text *const *set_aside,
						 int nset_aside)
{
	RsnScheduleRow *schedule;
	int			n;

	rsn_store_begin();
	schedule = lock_next_schedule(now_ms, set_aside, nset_aside);
	rsn_store_end();
	if (schedule == NULL)
		return 0;
	n = fire(schedule, now_ms, limit);
	return Max(n, 1);
}

/* Fires this schedule, if it is due and nobody else works on it. */
void
rsn_engine_fire_one_schedule(text *id, int64 now_ms, int limit)
{
	RsnScheduleRow *schedule;

	rsn_store_begin();
	schedule = rsn_store_lock_schedule(id);
	rsn_store_end();
	if (schedule != NULL)
		(void) fire(schedule, now_ms, limit);
}
