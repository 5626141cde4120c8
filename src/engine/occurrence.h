/*-------------------------------------------------------------------------
 *
 * engine/occurrence.h
 *	  What a schedule does at which instants.
 *
 *-------------------------------------------------------------------------
 */
#ifndef RSN_ENGINE_OCCURRENCE_H
#define RSN_ENGINE_OCCURRENCE_H

#include "engine/engine.h"
#include "core/cron_time.h"
#include "server/zone.h"

typedef struct RsnCronRule
{
	RsnCron		cron;
	RsnZone		zone;
	bool		is_utc;
} RsnCronRule;

extern bool rsn_schedule_parse_rule(const text *cron, const text *time_zone,
									RsnCronRule *rule, const char **reason);
extern bool rsn_schedule_start(RsnScheduleRow *schedule,
							   const RsnCronRule *rule);
extern bool rsn_schedule_follow_zone(RsnScheduleRow *schedule);
extern bool rsn_schedule_set_right(RsnScheduleRow *schedule, int64 now_ms);
extern int	rsn_schedule_advance(RsnScheduleRow *schedule, int64 now_ms,
								 int limit, int64 *occurrences);
extern bool rsn_schedule_names_instant(const RsnScheduleRow *schedule);
extern void rsn_schedule_note_missed(RsnScheduleRow *schedule, int64 at_ms,
									 int64 n);
extern int	rsn_schedule_id_len_max(const text *promise_id,
									const text *schedule_id);
extern void rsn_schedule_make_request(const RsnScheduleRow *schedule,
									  int64 at_ms, RsnCreateRequest *request);

#endif							/* RSN_ENGINE_OCCURRENCE_H */
