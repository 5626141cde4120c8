/*-------------------------------------------------------------------------
 *
 * api/schedule.c
 *	  SQL functions on schedules: decode, call the engine, encode.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "fmgr.h"
#include "funcapi.h"
#include "utils/builtins.h"
#include "utils/datum.h"

#include "api/args.h"
#include "api/record.h"
#include "server/clock.h"
#include "server/guc.h"
#include "store/payload.h"

/* What the promises are called unless the caller says otherwise. */
#define PROMISE_ID_DEFAULT "{{.id}}.{{.timestamp}}"

/* Columns of the result types, of which the first is the status or cursor. */
#define SCHEDULE_NCOLUMNS 17

PG_FUNCTION_INFO_V1(resonate_create_schedule);
PG_FUNCTION_INFO_V1(resonate_get_schedule);
PG_FUNCTION_INFO_V1(resonate_delete_schedule);
PG_FUNCTION_INFO_V1(resonate_search_schedules);

static void
set_schedule(Datum *values, bool *nulls, const RsnScheduleRow *row)
{
	rsn_set_varlena(values, nulls, 1, row->id);
	rsn_set_varlena(values, nulls, 2, row->cron);
	rsn_set_varlena(values, nulls, 3, row->time_zone);
	rsn_set_datum(values, nulls, 4,
				  CStringGetTextDatum(rsn_catch_up_name(row->catch_up)));
	rsn_set_varlena(values, nulls, 5, row->promise_id);
	rsn_set_interval(values, nulls, 6, row->promise_timeout_ms);
	rsn_set_payload(values, nulls, 7, &row->param);
	rsn_set_varlena(values, nulls, 10, rsn_stored_jsonb(row->promise_tags));
	rsn_set_time(values, nulls, 11, row->created_at_ms);
	rsn_set_time(values, nulls, 12, row->next_run_at_ms);
	if (row->last_run_at_ms >= 0)
		rsn_set_time(values, nulls, 13, row->last_run_at_ms);
	rsn_set_datum(values, nulls, 14, Int64GetDatum(row->fired));
	rsn_set_datum(values, nulls, 15, Int64GetDatum(row->missed));
	if (row->last_missed_at_ms >= 0)
		rsn_set_time(values, nulls, 16, row->last_missed_at_ms);
}

/* A resonate.schedule_result; the schedule is NULL where there is none. */
static Datum
record_schedule(FunctionCallInfo fcinfo, RsnStatus status, text *id,
				const RsnScheduleRow *row)
{
	Datum		values[SCHEDULE_NCOLUMNS];
	bool		nulls[SCHEDULE_NCOLUMNS];

	rsn_set_null(values, nulls, lengthof(values));
	rsn_set_datum(values, nulls, 0, Int32GetDatum(status));
	rsn_set_varlena(values, nulls, 1, id);
	if (row != NULL)
		set_schedule(values, nulls, row);
	return rsn_record_form(fcinfo, values, nulls);
}

static void
set_found(Datum *values, bool *nulls, int i, const void *arg)
{
	set_schedule(values, nulls, &((const RsnScheduleRow *) arg)[i]);
}

static text *
check_schedule_id(text *id)
{
	return rsn_check_id(id, RSN_SCHEDULE_ID_MAX, "id", 0);
}

/* The template of the ids of the promises. */
static text *
check_template(text *promise_id)
{
	if (promise_id == NULL)
		promise_id = cstring_to_text(PROMISE_ID_DEFAULT);
	return rsn_check_id(promise_id, RSN_PROMISE_ID_MAX, "promise_id", 0);
}

static RsnCatchUp
check_catch_up(text *catch_up)
{
	RsnCatchUp	result = RSN_CATCH_UP_ALL;

	if (catch_up != NULL &&
		!rsn_catch_up_from_name(text_to_cstring(catch_up), &result))
		rsn_invalid_value(catch_up, "catch_up", 0,
						  "It must be all, last or none.", NULL);
	return result;
}

static int64
check_timeout(const Interval *timeout, int64 now_ms)
{
	if (timeout == NULL)
		return rsn_guc_default_timeout_ms;
	return rsn_check_interval(timeout, now_ms, "timeout", 0, NULL);
}

/* The schedule that the arguments of create_schedule describe. */
static void
schedule_from_args(FunctionCallInfo fcinfo, RsnScheduleRow *row)
{
	int64		now_ms = rsn_clock_now();
	RsnFlaw		flaw;

	memset(row, 0, sizeof(RsnScheduleRow));
	row->id = check_schedule_id(RSN_ARG_TEXT(0));
	row->cron = RSN_ARG_TEXT(1);
	row->promise_id = check_template(RSN_ARG_TEXT(2));
	row->promise_timeout_ms = check_timeout(RSN_ARG_INTERVAL(3), now_ms);
	row->param = rsn_check_payload(RSN_ARG_JSONB(5), RSN_ARG_JSONB(4),
								   "param", 0);
	row->promise_tags = (struct varlena *)
		rsn_tags_with_default(rsn_check_strings(RSN_ARG_JSONB(6), "tags", 0));
	row->time_zone = RSN_ARG_TEXT(7);
	row->catch_up = check_catch_up(RSN_ARG_TEXT(8));
	rsn_check_not_null(row->cron == NULL, "cron", 0);
	if (!rsn_valid_schedule(row, now_ms, &flaw))
		rsn_raise_flaw(&flaw, flaw.part, 0);
}

static bool
is_same_value(const void *a, const void *b)
{
	if (a == NULL || b == NULL)
		return a == b;
	return datum_image_eq(PointerGetDatum(a), PointerGetDatum(b), false, -1);
}

/* True when both would fire the same promises at the same instants. */
static bool
is_same_definition(const RsnScheduleRow *a, const RsnScheduleRow *b)
{
	return is_same_value(a->cron, b->cron) &&
		is_same_value(a->time_zone, b->time_zone) &&
		is_same_value(a->promise_id, b->promise_id) &&
		a->promise_timeout_ms == b->promise_timeout_ms &&
		a->catch_up == b->catch_up &&
		rsn_payload_equals(&a->param, &b->param) &&
		compareJsonbContainers(&rsn_stored_jsonb(a->promise_tags)->root,
							   &rsn_stored_jsonb(b->promise_tags)->root) == 0;
}

/* resonate.create_schedule(id, cron, promise_id, timeout, param, headers, ...) */
Datum
resonate_create_schedule(PG_FUNCTION_ARGS)
{
	RsnScheduleRow wanted;
	RsnScheduleRow *stored;
	bool		is_created;
	RsnStatus	status = RSN_STATUS_CREATED;

	schedule_from_args(fcinfo, &wanted);
	stored = rsn_engine_create_schedule(&wanted, &is_created);
	if (!is_created)
		status = is_same_definition(stored, &wanted) ? RSN_STATUS_OK
			: RSN_STATUS_CONFLICT;
	return record_schedule(fcinfo, status, wanted.id, stored);
}

/* resonate.get_schedule(id) */
Datum
resonate_get_schedule(PG_FUNCTION_ARGS)
{
	text	   *id = check_schedule_id(RSN_ARG_TEXT(0));
	RsnScheduleRow *row = rsn_engine_get_schedule(id);

	return record_schedule(fcinfo,
						   row == NULL ? RSN_STATUS_NOT_FOUND : RSN_STATUS_OK,
						   id, row);
}

/* resonate.delete_schedule(id) */
Datum
resonate_delete_schedule(PG_FUNCTION_ARGS)
{
	text	   *id = check_schedule_id(RSN_ARG_TEXT(0));

	PG_RETURN_INT32(rsn_engine_delete_schedule(id) ? RSN_STATUS_OK
					: RSN_STATUS_NOT_FOUND);
}

/* resonate.search_schedules(tags, limit, cursor) */
Datum
resonate_search_schedules(PG_FUNCTION_ARGS)
{
	Jsonb	   *tags = rsn_check_strings(RSN_ARG_JSONB(0), "tags", 0);
	RsnPage		page = rsn_page_from_sql(fcinfo, 1);
	RsnScheduleRow *rows;

	InitMaterializedSRF(fcinfo, 0);
	rows = rsn_page_schedules(&page, tags);
	rsn_put_page(fcinfo, page.n, page.cursor, set_found, rows);
	return (Datum) 0;
}
