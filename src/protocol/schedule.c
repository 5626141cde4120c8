/*-------------------------------------------------------------------------
 *
 * protocol/schedule.c
 *	  Requests of the wire protocol on schedules.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "utils/builtins.h"

#include "core/cron.h"
#include "protocol/rpc.h"
#include "server/clock.h"
#include "store/payload.h"

/* The specification wants fewer schedules than promises or tasks. */
#define SEARCH_LIMIT_DEFAULT	10

static RsnAnswer
answer_schedule(const RsnScheduleRow *schedule)
{
	RsnJson		json;

	if (schedule == NULL)
		return rsn_answer(RSN_HTTP_NOT_FOUND, "schedule not found");
	rsn_json_begin_object(&json);
	rsn_json_add(&json, "schedule", rsn_json_schedule(schedule));
	return rsn_answer_data(rsn_json_end_object(&json));
}

static RsnAnswer
schedule_get(const RsnRequest *request)
{
	RsnAnswer	malformed;
	text	   *id = rsn_request_id(request, RSN_SCHEDULE_ID_MAX, &malformed);

	if (id == NULL)
		return malformed;
	return answer_schedule(rsn_engine_get_schedule(id));
}

/* How the protocol calls what a check of a schedule found. */
static const char *
member_name(const char *part)
{
	if (strcmp(part, "tags") == 0)
		return "promiseTags";
	if (strcmp(part, "promise_id") == 0)
		return "promiseId";
	return part;
}

/* The schedule that is asked for; it runs first after now. */
static void
decode_schedule(RsnDecoder *decoder, JsonbContainer *data,
				RsnScheduleRow *row)
{
	RsnFlaw		flaw;

	row->id = rsn_decode_text(decoder, data, "id", RSN_SCHEDULE_ID_MAX);
	row->cron = rsn_decode_text(decoder, data, "cron", RSN_CRON_LEN_MAX);
	row->promise_id = rsn_decode_id(decoder, data, "promiseId");
	row->promise_timeout_ms = rsn_decode_int(decoder, data, "promiseTimeout",
											 0, PG_INT64_MAX);
	row->param = rsn_decode_payload(decoder, data, "promiseParam");
	row->promise_tags = (struct varlena *)
		rsn_decode_tags(decoder, data, "promiseTags");
	row->catch_up = RSN_CATCH_UP_ALL;
	if (decoder->error == NULL &&
		!rsn_valid_schedule(row, rsn_clock_now(), &flaw))
		rsn_decode_refuse(decoder, member_name(flaw.part), &flaw);
}

static RsnAnswer
schedule_create(const RsnRequest *request)
{
	RsnDecoder	decoder = {0};
	RsnScheduleRow row = {0};
	bool		is_created;

	decode_schedule(&decoder, request->data, &row);
	if (rsn_is_malformed(&decoder))
		return rsn_answer_malformed(&decoder);
	return answer_schedule(rsn_engine_create_schedule(&row, &is_created));
}

static RsnAnswer
schedule_delete(const RsnRequest *request)
{
	RsnAnswer	malformed;
	text	   *id = rsn_request_id(request, RSN_SCHEDULE_ID_MAX, &malformed);

	if (id == NULL)
		return malformed;
	if (!rsn_engine_delete_schedule(id))
		return answer_schedule(NULL);
	return rsn_answer_empty();
}

static RsnAnswer
schedule_search(const RsnRequest *request)
{
	RsnDecoder	decoder = {0};
	Jsonb	   *tags = rsn_decode_search_tags(&decoder, request->data);
	RsnPage		page = rsn_decode_page(&decoder, request->data,
									   SEARCH_LIMIT_DEFAULT);
	RsnScheduleRow *rows;
	RsnJson		schedules;

	if (rsn_is_malformed(&decoder))
		return rsn_answer_malformed(&decoder);
	rows = rsn_page_schedules(&page, tags);
	rsn_json_begin_array(&schedules);
	for (int i = 0; i < page.n; i++)
		rsn_json_append(&schedules, rsn_json_schedule(&rows[i]));
	return rsn_answer_page("schedules", rsn_json_end_array(&schedules), &page);
}

const RsnHandlerDef rsn_schedule_handlers[] = {
	{"schedule.get", "get_schedule", schedule_get},
	{"schedule.create", "create_schedule", schedule_create},
	{"schedule.delete", "delete_schedule", schedule_delete},
	{"schedule.search", "search_schedules", schedule_search},
	{NULL, NULL, NULL}
};
