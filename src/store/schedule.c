/*-------------------------------------------------------------------------
 *
 * store/schedule.c
 *	  The statements on schedules.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "utils/builtins.h"

#include "server/clock.h"
#include "store/internal.h"

/* The order of SCHEDULE_COLUMNS. */
enum
{
	SCHEDULE_CREATED_AT = 1, SCHEDULE_NEXT_RUN_AT, SCHEDULE_LAST_RUN_AT,
	SCHEDULE_PROMISE_TIMEOUT, SCHEDULE_FIRED, SCHEDULE_MISSED,
	SCHEDULE_LAST_MISSED_AT, SCHEDULE_NEXT_CIVIL, SCHEDULE_CATCH_UP,
	SCHEDULE_ID, SCHEDULE_CRON,
	SCHEDULE_TIME_ZONE, SCHEDULE_PROMISE_ID, SCHEDULE_PROMISE_TAGS,
	SCHEDULE_PARAM
};

static const char *const catch_up_names[] = {
	[RSN_CATCH_UP_ALL] = "all",
	[RSN_CATCH_UP_LAST] = "last",
	[RSN_CATCH_UP_NONE] = "none"
};

/* The label of resonate.catch_up. */
const char *
rsn_catch_up_name(RsnCatchUp catch_up)
{
	return catch_up_names[catch_up];
}

/* Looks a label up; false when there is none such. */
bool
rsn_catch_up_from_name(const char *name, RsnCatchUp *catch_up)
{
	for (int i = 0; i < (int) lengthof(catch_up_names); i++)
	{
		if (strcmp(name, catch_up_names[i]) == 0)
		{
			*catch_up = (RsnCatchUp) i;
			return true;
		}
	}
	return false;
}

static void
schedule_from_tuple(HeapTuple tuple, RsnScheduleRow *row)
{
	char	   *catch_up = SPI_getvalue(tuple, SPI_tuptable->tupdesc,
										SCHEDULE_CATCH_UP);

	row->id = rsn_store_get_text(tuple, SCHEDULE_ID);
	row->cron = rsn_store_get_text(tuple, SCHEDULE_CRON);
	row->time_zone = rsn_store_get_text(tuple, SCHEDULE_TIME_ZONE);
	row->promise_id = rsn_store_get_text(tuple, SCHEDULE_PROMISE_ID);
	row->promise_tags = rsn_store_get_stored(tuple, SCHEDULE_PROMISE_TAGS);
	rsn_store_get_payload(tuple, SCHEDULE_PARAM, &row->param);
	row->promise_timeout_ms = rsn_store_get_int64(tuple,
												  SCHEDULE_PROMISE_TIMEOUT, 0);
	row->created_at_ms = rsn_store_get_int64(tuple, SCHEDULE_CREATED_AT, 0);
	row->next_run_at_ms = rsn_store_get_int64(tuple, SCHEDULE_NEXT_RUN_AT, 0);
	row->last_run_at_ms = rsn_store_get_int64(tuple, SCHEDULE_LAST_RUN_AT, -1);
	row->next_civil_ms = rsn_store_get_int64(tuple, SCHEDULE_NEXT_CIVIL,
											 RSN_CIVIL_NONE);
	row->fired = rsn_store_get_int64(tuple, SCHEDULE_FIRED, 0);
	row->missed = rsn_store_get_int64(tuple, SCHEDULE_MISSED, 0);
	row->last_missed_at_ms = rsn_store_get_int64(tuple,
												 SCHEDULE_LAST_MISSED_AT, -1);
	if (catch_up == NULL || !rsn_catch_up_from_name(catch_up, &row->catch_up))
		ereport(ERROR,
				(errcode(ERRCODE_DATA_CORRUPTED),
				 errmsg("unrecognized catch_up of schedule \"%s\"",
						text_to_cstring(row->id))));
}

/* The schedules of the last statement, in its order; NULL for none. */
static RsnScheduleRow *
schedules_from_result(uint64 n)
{
	RsnScheduleRow *rows = NULL;

	if (n > 0)
		rows = rsn_store_alloc(n * sizeof(RsnScheduleRow));
	for (uint64 i = 0; i < n; i++)
		schedule_from_tuple(SPI_tuptable->vals[i], &rows[i]);
	return rows;
}

/* Adds a time, that value of it being the SQL NULL. */
static void
add_time(RsnArgs *args, int64 ms, int64 null_ms)
{
	rsn_args_add(args, Int64GetDatum(ms));
	if (ms == null_ms)
		args->nulls[args->n - 1] = 'n';
}

/* Inserts a new schedule; false when the id exists already. */
bool
rsn_store_insert_schedule(const RsnScheduleRow *row)
{
	RsnArgs		args = {0};

	rsn_args_add(&args, Int64GetDatum(row->created_at_ms));
	rsn_args_add(&args, Int64GetDatum(row->next_run_at_ms));
	add_time(&args, row->next_civil_ms, RSN_CIVIL_NONE);
	rsn_args_add(&args, Int64GetDatum(row->promise_timeout_ms));
	rsn_args_add(&args, CStringGetTextDatum(rsn_catch_up_name(row->catch_up)));
	rsn_args_add_text(&args, row->id);
	rsn_args_add_text(&args, row->cron);
	rsn_args_add_text(&args, row->time_zone);
	rsn_args_add_text(&args, row->promise_id);
	rsn_args_add_varlena(&args, row->promise_tags);
	rsn_args_add_payload(&args, &row->param);
	return rsn_store_exec(RSN_QUERY_INSERT_SCHEDULE, &args) == 1;
}

static RsnScheduleRow *
one_schedule(RsnQuery query, text *id)
{
	RsnArgs		args = {0};

	rsn_args_add_text(&args, id);
	return schedules_from_result(rsn_store_exec(query, &args));
}

/* The stored schedule, or NULL; locks nothing. */
RsnScheduleRow *
rsn_store_read_schedule(text *id)
{
	return one_schedule(RSN_QUERY_READ_SCHEDULE, id);
}

/* The same, locked; NULL also when somebody else has it locked. */
RsnScheduleRow *
rsn_store_lock_schedule(text *id)
{
	return one_schedule(RSN_QUERY_LOCK_SCHEDULE, id);
}

/* The due schedules of the last statement, in its order. */
static int
due_from_result(uint64 n, RsnDueSchedule **due)
{
	*due = rsn_store_alloc(sizeof(RsnDueSchedule) * Max(n, 1));
	for (uint64 i = 0; i < n; i++)
	{
		HeapTuple	tuple = SPI_tuptable->vals[i];

		(*due)[i].next_run_at_ms = rsn_store_get_int64(tuple, 1, 0);
		(*due)[i].id = rsn_store_get_text(tuple, 2);
	}
	return (int) n;
}

/* Locks those that have been due for longest and that nobody works on. */
int
rsn_store_lock_due_schedules(int64 now_ms, int limit, text *const *set_aside,
							 int nset_aside, RsnDueSchedule **due)
{
	RsnArgs		args = {0};

	rsn_args_add(&args, Int64GetDatum(now_ms));
	rsn_args_add(&args, Int64GetDatum(limit));
	rsn_args_add_texts(&args, set_aside, nset_aside);
	return due_from_result(rsn_store_exec(RSN_QUERY_LOCK_DUE_SCHEDULES, &args),
						   due);
}

/* Locks those after one in this order that have become due last. */
int
rsn_store_lock_newest_schedules(int64 now_ms, int limit,
								const RsnDueSchedule *after,
								text *const *set_aside, int nset_aside,
								RsnDueSchedule **due)
{
	RsnArgs		args = {0};

	rsn_args_add(&args, Int64GetDatum(now_ms));
	rsn_args_add(&args, Int64GetDatum(limit));
	rsn_args_add_texts(&args, set_aside, nset_aside);
	rsn_args_add(&args, Int64GetDatum(after->next_run_at_ms));
	rsn_args_add_text(&args, after->id);
	return due_from_result(rsn_store_exec(RSN_QUERY_LOCK_NEWEST_SCHEDULES,
										  &args), due);
}

/* Schedules in order of their ids, after one of them, without their params. */
int
rsn_store_list_schedules(text *after_id, int limit, RsnScheduleRow **rows)
{
	RsnArgs		args = {0};
	uint64		count;

	rsn_args_add_text(&args, after_id);
	rsn_args_add(&args, Int64GetDatum(limit));
	count = rsn_store_exec(RSN_QUERY_LIST_SCHEDULES, &args);
	*rows = schedules_from_result(count);
	return (int) count;
}

/*
 * Locks schedules that were created, have run or have missed a run after an instant
 * and never after until, without their params; skips what others have locked.
 */
int
rsn_store_lock_schedules_ahead(int64 now_ms, int64 until_ms, int limit,
							   RsnScheduleRow **rows)
{
	RsnArgs		args = {0};
	uint64		count;

	rsn_args_add(&args, Int64GetDatum(now_ms));
	rsn_args_add(&args, Int64GetDatum(until_ms));
	rsn_args_add(&args, Int64GetDatum(limit));
	count = rsn_store_exec(RSN_QUERY_LOCK_SCHEDULES_AHEAD, &args);
	*rows = schedules_from_result(count);
	return (int) count;
}

/* Stores what has become of a locked schedule. */
void
rsn_store_update_schedule(const RsnScheduleRow *row)
{
	RsnArgs		args = {0};

	rsn_args_add_text(&args, row->id);
	rsn_args_add(&args, Int64GetDatum(row->next_run_at_ms));
	add_time(&args, row->last_run_at_ms, -1);
	add_time(&args, row->next_civil_ms, RSN_CIVIL_NONE);
	rsn_args_add(&args, Int64GetDatum(row->fired));
	rsn_args_add(&args, Int64GetDatum(row->missed));
	add_time(&args, row->last_missed_at_ms, -1);
	rsn_args_add(&args, Int64GetDatum(row->created_at_ms));
	if (rsn_store_exec(RSN_QUERY_UPDATE_SCHEDULE, &args) != 1)
		rsn_store_refuse_left_out("schedules");
}

/* Deletes a schedule; false when there is none. */
bool
rsn_store_delete_schedule(text *id)
{
	RsnArgs		args = {0};

	rsn_args_add_text(&args, id);
	return rsn_store_exec(RSN_QUERY_DELETE_SCHEDULE, &args) > 0;
}

/* Schedules in order of their ids, after one of them; NULL tags: any. */
int
rsn_store_search_schedules(Jsonb *tags, text *after_id, int limit,
						   RsnScheduleRow **rows)
{
	RsnArgs		args = {0};
	uint64		count;

	rsn_args_add_varlena(&args, tags);
	rsn_args_add_text(&args, after_id);
	rsn_args_add(&args, Int64GetDatum(limit));
	count = rsn_store_exec(RSN_QUERY_SEARCH_SCHEDULES, &args);
	*rows = schedules_from_result(count);
	return (int) count;
}
