/*-------------------------------------------------------------------------
 *
 * schedule.c
 *	  What a schedule does at which instants.
 *
 * cron.c knows which instants an expression names, this file which of them a
 * schedule fires and what promise each of them makes.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "lib/stringinfo.h"
#include "utils/builtins.h"

#include "args.h"
#include "clock.h"
#include "guc.h"
#include "payload.h"
#include "schedule.h"
#include "tags.h"

#define ID_MARK			"{{.id}}"
#define TIMESTAMP_MARK	"{{.timestamp}}"

/* The digits of the greatest timestamp. */
#define TIMESTAMP_LEN_MAX 19

/* Parses an expression and its time zone, NULL being UTC. */
bool
rsn_schedule_parse_rule(const text *cron, const text *time_zone,
						RsnCronRule *rule, const char **reason)
{
	if (!rsn_cron_parse(VARDATA_ANY(cron), VARSIZE_ANY_EXHDR(cron),
						&rule->cron, reason))
		return false;
	rule->is_utc = time_zone == NULL;
	if (!rule->is_utc &&
		!rsn_zone_find(text_to_cstring(time_zone), &rule->zone))
	{
		*reason = "There is no such time zone.";
		return false;
	}
	return true;
}

static const RsnZone *
zone_of(const RsnCronRule *rule)
{
	return rule->is_utc ? NULL : &rule->zone;
}

/* The first occurrence after an instant; false when there is none any more. */
bool
rsn_schedule_next(const RsnCronRule *rule, int64 after_ms, int64 *next_ms)
{
	return rsn_cron_next(&rule->cron, zone_of(rule), after_ms, next_ms);
}

/* The rule of a stored schedule, which was valid when it was stored. */
static void
load_rule(const RsnScheduleRow *schedule, RsnCronRule *rule)
{
	const char *reason;

	if (!rsn_schedule_parse_rule(schedule->cron, schedule->time_zone, rule,
								 &reason))
		ereport(ERROR,
				(errcode(ERRCODE_DATA_CORRUPTED),
				 errmsg("schedule \"%s\" cannot be evaluated",
						text_to_cstring(schedule->id)),
				 errdetail("%s", reason)));
}

/* Has the schedule run next at the first occurrence after an instant. */
static void
set_next(RsnScheduleRow *schedule, const RsnCronRule *rule, int64 after_ms)
{
	if (!rsn_schedule_next(rule, after_ms, &schedule->next_run_at_ms))
		schedule->next_run_at_ms = RSN_TIME_NEVER;
}

/* All occurrences that are due, at most limit of them now. */
static int
advance_all(RsnScheduleRow *schedule, const RsnCronRule *rule, int64 now_ms,
			int limit, int64 *occurrences)
{
	int			n = 0;

	while (n < limit && schedule->next_run_at_ms <= now_ms)
	{
		occurrences[n++] = schedule->next_run_at_ms;
		schedule->last_run_at_ms = schedule->next_run_at_ms;
		set_next(schedule, rule, schedule->last_run_at_ms);
	}
	return n;
}

/* The latest occurrence that is due, unless it is too late for that. */
static int
advance_last(RsnScheduleRow *schedule, const RsnCronRule *rule, int64 now_ms,
			 int64 *occurrences)
{
	int64		last_ms;
	int			n = 0;

	if (!rsn_cron_last(&rule->cron, zone_of(rule),
					   schedule->next_run_at_ms - 1, now_ms, &last_ms))
		last_ms = schedule->next_run_at_ms;
	if (schedule->catch_up == RSN_CATCH_UP_LAST ||
		now_ms - last_ms <= rsn_guc_schedule_grace_ms)
	{
		occurrences[n++] = last_ms;
		schedule->last_run_at_ms = last_ms;
	}
	set_next(schedule, rule, last_ms);
	return n;
}

/*
 * The occurrences of a schedule that is due which are to be fired now, at most
 * limit of them; sets when it has run last, and when it is due next.
 */
int
rsn_schedule_advance(RsnScheduleRow *schedule, int64 now_ms, int limit,
					 int64 *occurrences)
{
	RsnCronRule rule;

	load_rule(schedule, &rule);
	if (schedule->catch_up == RSN_CATCH_UP_ALL)
		return advance_all(schedule, &rule, now_ms, limit, occurrences);
	return advance_last(schedule, &rule, now_ms, occurrences);
}

static bool
starts_with(const char *data, int len, const char *mark)
{
	int			mark_len = strlen(mark);

	return len >= mark_len && memcmp(data, mark, mark_len) == 0;
}

/* Fills a template in, in one pass: what is filled in is not looked at again. */
static void
expand(StringInfo result, const text *template, const text *schedule_id,
	   const char *timestamp)
{
	const char *data = VARDATA_ANY(template);
	int			len = VARSIZE_ANY_EXHDR(template);

	for (int i = 0; i < len; i++)
	{
		if (starts_with(data + i, len - i, ID_MARK))
		{
			appendBinaryStringInfo(result, VARDATA_ANY(schedule_id),
								   VARSIZE_ANY_EXHDR(schedule_id));
			i += strlen(ID_MARK) - 1;
		}
		else if (starts_with(data + i, len - i, TIMESTAMP_MARK))
		{
			appendStringInfoString(result, timestamp);
			i += strlen(TIMESTAMP_MARK) - 1;
		}
		else
			appendStringInfoCharMacro(result, data[i]);
	}
}

/* How long the ids of its promises can become. */
int
rsn_schedule_id_len_max(const text *promise_id, const text *schedule_id)
{
	StringInfoData id;
	char		timestamp[TIMESTAMP_LEN_MAX + 1];

	memset(timestamp, '9', TIMESTAMP_LEN_MAX);
	timestamp[TIMESTAMP_LEN_MAX] = '\0';
	initStringInfo(&id);
	expand(&id, promise_id, schedule_id, timestamp);
	return id.len;
}

/* The promise of an occurrence. */
void
rsn_schedule_make_request(const RsnScheduleRow *schedule, int64 at_ms,
						  RsnCreateRequest *request)
{
	StringInfoData id;
	RsnTraits	traits;
	const char *reason;

	memset(request, 0, sizeof(RsnCreateRequest));
	initStringInfo(&id);
	expand(&id, schedule->promise_id, schedule->id,
		   psprintf(INT64_FORMAT, at_ms));
	request->id = cstring_to_text_with_len(id.data, id.len);
	request->tags = rsn_stored_jsonb(schedule->promise_tags);
	request->param = schedule->param;
	request->as_of_ms = at_ms;
	request->rule.timeout_at_ms = rsn_deadline_after(at_ms,
													 schedule->promise_timeout_ms);
	if (!rsn_tags_traits(request->tags, &traits, &reason))
		ereport(ERROR,
				(errcode(ERRCODE_DATA_CORRUPTED),
				 errmsg("schedule \"%s\" cannot create a promise",
						text_to_cstring(schedule->id)),
				 errdetail("%s", reason)));
	rsn_request_set_traits(request, &traits);
}
