/*-------------------------------------------------------------------------
 *
 * engine/occurrence.c
 *	  What a schedule does at which instants.
 *
 * core/cron_time.c knows which instants an expression names, this file which of them a
 * schedule fires and what promise each of them makes.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "lib/stringinfo.h"
#include "utils/builtins.h"

#include "engine/occurrence.h"
#include "server/clock.h"
#include "server/guc.h"
#include "store/payload.h"
#include "store/tags.h"

#define ID_MARK			"{{.id}}"
#define TIMESTAMP_MARK	"{{.timestamp}}"

/*
 * A change of the rules of a time zone does not move an occurrence by more; what
 * is further away was not computed but written by somebody.
 */
#define ZONE_CHANGE_MAX_MS	(3 * INT64CONST(3600000))

/* No clock is further from UTC. */
#define ZONE_OFFSET_MAX_MS	(36 * INT64CONST(3600000))

/* Missed occurrences are counted for the last 400 years. */
#define COUNT_MAX_MS	(146097 * INT64CONST(86400000))

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
static bool
find_next(const RsnCronRule *rule, int64 after_ms, int64 *next_ms)
{
	return rsn_cron_next(&rule->cron, zone_of(rule), after_ms, next_ms);
}

/* What a clock in the time zone shows at an instant, as if it were UTC. */
static int64
civil_at(const RsnCronRule *rule, int64 at_ms)
{
	int64		until_s;

	if (rule->is_utc || at_ms > PG_INT64_MAX - ZONE_OFFSET_MAX_MS)
		return RSN_CIVIL_NONE;
	return at_ms + INT64CONST(1000) *
		rule->zone.offset_at(rule->zone.arg, at_ms / 1000, &until_s);
}

/* Has a schedule run next at an instant. */
static void
set_next_at(RsnScheduleRow *schedule, const RsnCronRule *rule, int64 at_ms)
{
	schedule->next_run_at_ms = at_ms;
	schedule->next_civil_ms = civil_at(rule, at_ms);
}

/*
 * Has a new schedule run first after its birth; false when its rule has no
 * occurrence any more.
 */
bool
rsn_schedule_start(RsnScheduleRow *schedule, const RsnCronRule *rule)
{
	int64		next_ms;

	if (!find_next(rule, schedule->created_at_ms, &next_ms))
		return false;
	set_next_at(schedule, rule, next_ms);
	return true;
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
	int64		next_ms;

	if (!find_next(rule, after_ms, &next_ms))
		next_ms = RSN_TIME_NEVER;
	set_next_at(schedule, rule, next_ms);
}

/*
 * The first occurrence that has not run at which the clock shows a civil time or
 * a later one.
 */
static int64
find_civil(const RsnScheduleRow *schedule, const RsnCronRule *rule,
		   int64 civil_ms)
{
	int64		at_ms = schedule->next_run_at_ms - ZONE_CHANGE_MAX_MS;

	at_ms = Max(at_ms, schedule->created_at_ms);
	at_ms = Max(at_ms, schedule->last_run_at_ms);
	do
	{
		if (!find_next(rule, at_ms, &at_ms))
			return RSN_TIME_NEVER;
	} while (civil_at(rule, at_ms) < civil_ms &&
			 civil_at(rule, at_ms) != RSN_CIVIL_NONE);
	return at_ms;
}

/* The occurrence that is nearest to when the schedule was to run. */
static int64
find_nearest(const RsnScheduleRow *schedule, const RsnCronRule *rule)
{
	int64		at_ms = schedule->next_run_at_ms;
	int64		after_ms;
	int64		before_ms;

	if (!find_next(rule, at_ms, &after_ms))
		after_ms = RSN_TIME_NEVER;
	if (rsn_cron_last(&rule->cron, zone_of(rule),
					  Max(schedule->created_at_ms, schedule->last_run_at_ms),
					  at_ms, &before_ms) &&
		at_ms - before_ms < after_ms - at_ms)
		return before_ms;
	return after_ms;
}

/*
 * When a schedule is to run by the rules that its time zone has now: they may
 * have changed since next_run_at was computed.  What had come by the clock of
 * then has run, so the next is at the same time of the clock, or the first after
 * it.  A rule for every hour goes by elapsed time and not by the clock.
 */
static int64
find_moved(const RsnScheduleRow *schedule, const RsnCronRule *rule)
{
	int64		at_ms = schedule->next_run_at_ms;
	int64		shown_ms = civil_at(rule, at_ms);
	int64		wanted_ms = schedule->next_civil_ms;
	int64		next_ms;
	bool		is_elapsed = rsn_cron_is_elapsed(&rule->cron);

	if (shown_ms == RSN_CIVIL_NONE)
		return at_ms;
	if (!is_elapsed && wanted_ms != RSN_CIVIL_NONE && wanted_ms != shown_ms &&
		shown_ms >= wanted_ms - ZONE_CHANGE_MAX_MS &&
		shown_ms <= wanted_ms + ZONE_CHANGE_MAX_MS)
		return find_civil(schedule, rule, wanted_ms);
	if (!find_next(rule, at_ms - 1, &next_ms))
		next_ms = RSN_TIME_NEVER;
	if (is_elapsed || next_ms == at_ms)
		return next_ms;
	return find_nearest(schedule, rule);
}

/* Follows the rules of the time zone; true when that changes the next run. */
static bool
follow_zone(RsnScheduleRow *schedule, const RsnCronRule *rule)
{
	int64		at_ms = find_moved(schedule, rule);

	if (at_ms == schedule->next_run_at_ms)
		return false;
	set_next_at(schedule, rule, at_ms);
	return true;
}

/* The same for a stored schedule; false also when it cannot be evaluated. */
bool
rsn_schedule_follow_zone(RsnScheduleRow *schedule)
{
	RsnCronRule rule;
	const char *reason;

	return schedule->time_zone != NULL &&
		rsn_schedule_parse_rule(schedule->cron, schedule->time_zone, &rule,
								&reason) &&
		follow_zone(schedule, &rule);
}

/*
 * Has a schedule that a clock which was ahead has fired, passed over or created go
 * on from now, as one that has kept up with the present clock; false when it cannot
 * be evaluated.  What it has counted stays, since that has happened.
 */
bool
rsn_schedule_set_right(RsnScheduleRow *schedule, int64 now_ms)
{
	RsnCronRule rule;
	const char *reason;
	int64		last_ms;

	if (!rsn_schedule_parse_rule(schedule->cron, schedule->time_zone, &rule,
								 &reason))
		return false;
	schedule->created_at_ms = Min(schedule->created_at_ms, now_ms);
	if (!rsn_cron_last(&rule.cron, zone_of(&rule), schedule->created_at_ms,
					   now_ms, &last_ms))
		last_ms = -1;
	if (schedule->last_run_at_ms > now_ms)
		schedule->last_run_at_ms = last_ms;
	if (schedule->last_missed_at_ms > now_ms)
		schedule->last_missed_at_ms = last_ms;
	set_next(schedule, &rule, now_ms);
	return true;
}

/* Counts occurrences that nobody can work on, the last of them at an instant. */
void
rsn_schedule_note_missed(RsnScheduleRow *schedule, int64 at_ms, int64 n)
{
	if (n <= 0)
		return;
	schedule->missed += n;
	schedule->last_missed_at_ms = at_ms;
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
		schedule->fired++;
		schedule->last_run_at_ms = schedule->next_run_at_ms;
		set_next(schedule, rule, schedule->last_run_at_ms);
		Assert(schedule->next_run_at_ms > schedule->last_run_at_ms);
	}
	return n;
}

/* Counts the occurrences that are due before the last one, which are left out. */
static void
skip_until(RsnScheduleRow *schedule, const RsnCronRule *rule, int64 last_ms)
{
	int64		after_ms = Max(schedule->next_run_at_ms - 1,
							   last_ms - COUNT_MAX_MS);
	int64		n = rsn_cron_count(&rule->cron, zone_of(rule), after_ms,
								   last_ms - 1);
	int64		skipped_ms;

	Assert(after_ms < last_ms);
	if (n > 0 && rsn_cron_last(&rule->cron, zone_of(rule), after_ms,
							   last_ms - 1, &skipped_ms))
		rsn_schedule_note_missed(schedule, skipped_ms, n);
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
	Assert(last_ms >= schedule->next_run_at_ms && last_ms <= now_ms);
	skip_until(schedule, rule, last_ms);
	if (schedule->catch_up == RSN_CATCH_UP_LAST ||
		now_ms - last_ms <= rsn_guc_schedule_grace_ms)
	{
		occurrences[n++] = last_ms;
		schedule->fired++;
		schedule->last_run_at_ms = last_ms;
	}
	else
		rsn_schedule_note_missed(schedule, last_ms, 1);
	set_next(schedule, rule, last_ms);
	return n;
}

/*
 * The occurrences of a schedule that is due which are to be fired now, at most
 * limit of them; sets when it has run last, and when it is due next.  There is
 * none if it is due by rules of its time zone that have changed.
 */
int
rsn_schedule_advance(RsnScheduleRow *schedule, int64 now_ms, int limit,
					 int64 *occurrences)
{
	RsnCronRule rule;

	Assert(schedule->next_run_at_ms <= now_ms);
	load_rule(schedule, &rule);
	if (follow_zone(schedule, &rule) && schedule->next_run_at_ms > now_ms)
		return 0;
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

/* True when the ids of its occurrences name their instants, so that each has its own. */
bool
rsn_schedule_names_instant(const RsnScheduleRow *schedule)
{
	const char *data = VARDATA_ANY(schedule->promise_id);
	int			len = VARSIZE_ANY_EXHDR(schedule->promise_id);

	for (int i = 0; i < len; i++)
	{
		if (starts_with(data + i, len - i, TIMESTAMP_MARK))
			return true;
	}
	return false;
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
