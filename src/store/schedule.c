/*-------------------------------------------------------------------------
 *
 * store/schedule.c
 *	  Schedules: their rows, read, locked and written.
 *
 * A schedule is locked before it is updated, without a wait: one that is locked is being
 * worked on.  No run lies before its creation, and the next one always after the last.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/htup_details.h"
#include "utils/builtins.h"

#include "store/internal.h"
#include "store/sql.h"

static const char *const catch_up_names[] = {
	[RSN_CATCH_UP_ALL] = "all",
	[RSN_CATCH_UP_LAST] = "last",
	[RSN_CATCH_UP_NONE] = "none"
};

/* The label of resonate.catch_up. */
const char *
rsn_catch_up_name(RsnCatchUp catch_up)
{
	Assert(catch_up < RSN_NCATCH_UPS);
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

/* A number of a row, or what stands for NULL. */
static int64
get_int64(const Datum *values, const bool *nulls, RsnScheduleColumn column,
		  int64 if_null)
{
	return nulls[column] ? if_null : DatumGetInt64(values[column]);
}

/* A text of a row, or NULL. */
static text *
get_text(const Datum *values, const bool *nulls, RsnScheduleColumn column)
{
	return rsn_store_keep(values[column], nulls[column]);
}

/* Reads a schedule from its columns. */
static void
schedule_from_values(const Datum *values, const bool *nulls,
					 RsnScheduleRow *row)
{
	Assert(!nulls[RSN_SCHEDULE_COL_ID]);
	row->id = get_text(values, nulls, RSN_SCHEDULE_COL_ID);
	row->cron = get_text(values, nulls, RSN_SCHEDULE_COL_CRON);
	row->time_zone = get_text(values, nulls, RSN_SCHEDULE_COL_TIME_ZONE);
	row->promise_id = get_text(values, nulls, RSN_SCHEDULE_COL_PROMISE_ID);
	row->promise_tags =
		rsn_store_keep_stored(rsn_store_as_stored(values[RSN_SCHEDULE_COL_PROMISE_TAGS],
												  nulls[RSN_SCHEDULE_COL_PROMISE_TAGS]));
	rsn_store_payload_from_values(values + RSN_SCHEDULE_COL_PARAM_HEADERS,
								  nulls + RSN_SCHEDULE_COL_PARAM_HEADERS,
								  &row->param);
	rsn_store_keep_payload(&row->param);
	row->catch_up = (RsnCatchUp)
		rsn_enum_index(RSN_ENUM_CATCH_UP,
					   DatumGetObjectId(values[RSN_SCHEDULE_COL_CATCH_UP]));
	row->promise_timeout_ms =
		get_int64(values, nulls, RSN_SCHEDULE_COL_PROMISE_TIMEOUT, 0);
	row->created_at_ms =
		get_int64(values, nulls, RSN_SCHEDULE_COL_CREATED_AT, 0);
	row->next_run_at_ms =
		get_int64(values, nulls, RSN_SCHEDULE_COL_NEXT_RUN_AT, 0);
	row->last_run_at_ms =
		get_int64(values, nulls, RSN_SCHEDULE_COL_LAST_RUN_AT, -1);
	row->next_civil_ms =
		get_int64(values, nulls, RSN_SCHEDULE_COL_NEXT_CIVIL, RSN_CIVIL_NONE);
	row->fired = get_int64(values, nulls, RSN_SCHEDULE_COL_FIRED, 0);
	row->missed = get_int64(values, nulls, RSN_SCHEDULE_COL_MISSED, 0);
	row->last_missed_at_ms =
		get_int64(values, nulls, RSN_SCHEDULE_COL_LAST_MISSED_AT, -1);
}

/* The schedules of the last statement, in its order; NULL for none. */
static RsnScheduleRow *
schedules_from_result(uint64 n)
{
	RsnScheduleRow *rows = NULL;

	Assert(SPI_tuptable->tupdesc->natts == RSN_SCHEDULE_COL_PARAM_TEXT + 2);
	if (n > 0)
		rows = rsn_store_alloc(n * sizeof(RsnScheduleRow));
	for (uint64 i = 0; i < n; i++)
	{
		Datum		values[RSN_STORE_MAX_COLUMNS];
		bool		nulls[RSN_STORE_MAX_COLUMNS];

		heap_deform_tuple(SPI_tuptable->vals[i], SPI_tuptable->tupdesc, values,
						  nulls);
		schedule_from_values(values, nulls, &rows[i]);
	}
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

static RsnStatement insert_schedule_stmt = {
	.name = "insert_schedule",
	.sql = "INSERT INTO resonate.schedules (created_at, next_run_at, next_civil,"
	" promise_timeout, catch_up, id, cron, time_zone, promise_id,"
	" promise_tags, param_headers, param_data, param_text)"
	" VALUES ($1, $2, $3, $4, $5::resonate.catch_up, $6, $7, $8, $9, $10,"
	" $11, $12, $13) ON CONFLICT (id) DO NOTHING",
	.spi_result = SPI_OK_INSERT,
	.cursor_options = PLAN_ONCE,
	ARGS(INT8OID, INT8OID, INT8OID, INT8OID, TEXTOID, TEXTOID, TEXTOID,
		 TEXTOID, TEXTOID, JSONBOID, JSONBOID, BYTEAOID, TEXTOID)
};

/* Inserts a new schedule; false when the id exists already. */
bool
rsn_store_insert_schedule(const RsnScheduleRow *row)
{
	RsnArgs		args = {0};

	Assert(row->created_at_ms <= row->next_run_at_ms);
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
	return rsn_store_exec(&insert_schedule_stmt, &args) == 1;
}

static RsnScheduleRow *
one_schedule(RsnStatement *statement, text *id)
{
	RsnArgs		args = {0};

	rsn_args_add_text(&args, id);
	return schedules_from_result(rsn_store_exec(statement, &args));
}

static RsnStatement read_schedule_stmt = {
	.name = "read_schedule",
	.sql = "SELECT " SCHEDULE_COLUMNS " FROM resonate.schedules s"
	" WHERE s.id" EQ "$1",
	.spi_result = SPI_OK_SELECT,
	.cursor_options = PLAN_ONCE,
	ARGS(TEXTOID)
};

/* The stored schedule, or NULL; locks nothing. */
RsnScheduleRow *
rsn_store_read_schedule(text *id)
{
	return one_schedule(&read_schedule_stmt, id);
}

static RsnStatement lock_schedule_stmt = {
	.name = "lock_schedule",
	.sql = "SELECT " SCHEDULE_COLUMNS " FROM resonate.schedules s"
	" WHERE s.id" EQ "$1 FOR NO KEY UPDATE SKIP LOCKED",
	.spi_result = SPI_OK_SELECT,
	.cursor_options = PLAN_ONCE,
	ARGS(TEXTOID)
};

/* The same, locked; NULL also when somebody else has it locked. */
RsnScheduleRow *
rsn_store_lock_schedule(text *id)
{
	return one_schedule(&lock_schedule_stmt, id);
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

static RsnStatement lock_due_schedules_stmt = {
	.name = "lock_due_schedules",
	.sql = "SELECT s.next_run_at, s.id FROM resonate.schedules s"
	" WHERE s.next_run_at" LE "$1 AND s.id" NE "ALL ($3)"
	" ORDER BY s.next_run_at, s.id LIMIT $2"
	" FOR NO KEY UPDATE SKIP LOCKED",
	.spi_result = SPI_OK_SELECT,
	.cursor_options = PLAN_ONCE,
	ARGS(INT8OID, INT8OID, TEXTARRAYOID)
};

/* Locks those that have been due for longest and that nobody works on. */
int
rsn_store_lock_due_schedules(int64 now_ms, int limit, text *const *set_aside,
							 int nset_aside, RsnDueSchedule **due)
{
	RsnArgs		args = {0};

	rsn_args_add_due(&args, now_ms, limit, set_aside, nset_aside);
	return due_from_result(rsn_store_exec(&lock_due_schedules_stmt, &args),
						   due);
}

static RsnStatement lock_newest_schedules_stmt = {
	.name = "lock_newest_schedules",
	.sql = "SELECT s.next_run_at, s.id FROM resonate.schedules s"
	" WHERE s.next_run_at" LE "$1 AND s.id" NE "ALL ($3)"
	" AND ROW(s.next_run_at, s.id) OPERATOR(pg_catalog.>) ROW($4, $5)"
	" ORDER BY s.next_run_at DESC, s.id DESC LIMIT $2"
	" FOR NO KEY UPDATE SKIP LOCKED",
	.spi_result = SPI_OK_SELECT,
	.cursor_options = PLAN_ONCE,
	ARGS(INT8OID, INT8OID, TEXTARRAYOID, INT8OID, TEXTOID)
};

/* Locks those after one in this order that have become due last. */
int
rsn_store_lock_newest_schedules(int64 now_ms, int limit,
								const RsnDueSchedule *after,
								text *const *set_aside, int nset_aside,
								RsnDueSchedule **due)
{
	RsnArgs		args = {0};

	Assert(after->next_run_at_ms <= now_ms);
	rsn_args_add_due(&args, now_ms, limit, set_aside, nset_aside);
	rsn_args_add(&args, Int64GetDatum(after->next_run_at_ms));
	rsn_args_add_text(&args, after->id);
	return due_from_result(rsn_store_exec(&lock_newest_schedules_stmt,
										  &args), due);
}

static RsnStatement list_schedules_stmt = {
	.name = "list_schedules",
	.sql = "SELECT " SCHEDULE_WITHOUT_PARAM
	" FROM resonate.schedules s"
	" WHERE s.id OPERATOR(pg_catalog.>) $1 ORDER BY s.id LIMIT $2",
	.spi_result = SPI_OK_SELECT,
	.cursor_options = PLAN_ONCE,
	ARGS(TEXTOID, INT8OID)
};

/* Schedules in order of their ids, after one of them, without their params. */
int
rsn_store_list_schedules(text *after_id, int limit, RsnScheduleRow **rows)
{
	RsnArgs		args = {0};
	uint64		count;

	rsn_args_add_text(&args, after_id);
	rsn_args_add(&args, Int64GetDatum(limit));
	count = rsn_store_exec(&list_schedules_stmt, &args);
	*rows = schedules_from_result(count);
	return (int) count;
}

/* As schedules_clock_idx has it. */
#define SCHEDULE_CLOCK \
	"GREATEST(s.created_at, s.last_run_at, s.last_missed_at)"

static RsnStatement lock_schedules_ahead_stmt = {
	.name = "lock_schedules_ahead",
	.sql = "SELECT " SCHEDULE_WITHOUT_PARAM
	" FROM resonate.schedules s"
	" WHERE " SCHEDULE_CLOCK GT "$1 AND " SCHEDULE_CLOCK LE "$2"
	" ORDER BY " SCHEDULE_CLOCK " LIMIT $3 FOR NO KEY UPDATE SKIP LOCKED",
	.spi_result = SPI_OK_SELECT,
	.cursor_options = PLAN_ONCE,
	ARGS(INT8OID, INT8OID, INT8OID)
};

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
	count = rsn_store_exec(&lock_schedules_ahead_stmt, &args);
	*rows = schedules_from_result(count);
	return (int) count;
}

static RsnStatement update_schedule_stmt = {
	.name = "update_schedule",
	.sql = "UPDATE resonate.schedules SET next_run_at = $2, last_run_at = $3,"
	" next_civil = $4, fired = $5, missed = $6, last_missed_at = $7,"
	" created_at = $8 WHERE id" EQ "$1",
	.spi_result = SPI_OK_UPDATE,
	.cursor_options = PLAN_ONCE,
	ARGS(TEXTOID, INT8OID, INT8OID, INT8OID, INT8OID, INT8OID, INT8OID,
		 INT8OID)
};

/* Stores what has become of a locked schedule. */
void
rsn_store_update_schedule(const RsnScheduleRow *row)
{
	RsnArgs		args = {0};

	Assert(row->created_at_ms <= row->next_run_at_ms);
	Assert(row->last_run_at_ms < row->next_run_at_ms);
	Assert(row->fired >= 0 && row->missed >= 0);
	rsn_args_add_text(&args, row->id);
	rsn_args_add(&args, Int64GetDatum(row->next_run_at_ms));
	add_time(&args, row->last_run_at_ms, -1);
	add_time(&args, row->next_civil_ms, RSN_CIVIL_NONE);
	rsn_args_add(&args, Int64GetDatum(row->fired));
	rsn_args_add(&args, Int64GetDatum(row->missed));
	add_time(&args, row->last_missed_at_ms, -1);
	rsn_args_add(&args, Int64GetDatum(row->created_at_ms));
	if (rsn_store_exec(&update_schedule_stmt, &args) != 1)
		rsn_store_refuse_left_out("schedules");
}

static RsnStatement delete_schedule_stmt = {
	.name = "delete_schedule",
	.sql = "DELETE FROM resonate.schedules WHERE id" EQ "$1",
	.spi_result = SPI_OK_DELETE,
	.cursor_options = PLAN_ONCE,
	ARGS(TEXTOID)
};

/* Deletes a schedule; false when there is none. */
bool
rsn_store_delete_schedule(text *id)
{
	RsnArgs		args = {0};

	rsn_args_add_text(&args, id);
	return rsn_store_exec(&delete_schedule_stmt, &args) > 0;
}

static RsnStatement search_schedules_stmt = {
	.name = "search_schedules",
	.sql = "SELECT " SCHEDULE_COLUMNS " FROM resonate.schedules s"
	" WHERE s.id OPERATOR(pg_catalog.>) $2"
	" AND ($1 IS NULL OR s.promise_tags OPERATOR(pg_catalog.@>) $1)"
	" ORDER BY s.id LIMIT $3",
	.spi_result = SPI_OK_SELECT,
	.cursor_options = PLAN_EACH,
	ARGS(JSONBOID, TEXTOID, INT8OID)
};

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
	count = rsn_store_exec(&search_schedules_stmt, &args);
	*rows = schedules_from_result(count);
	return (int) count;
}
