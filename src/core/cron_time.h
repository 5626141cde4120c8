/*-------------------------------------------------------------------------
 *
 * core/cron_time.h
 *	  At which instants a cron expression fires.
 *
 * In a time zone whose clocks change:
 *
 *	- An expression for some hours of the day fires when the clock reaches a
 *	  matching time, or jumps over it, for the first time.  Times that are
 *	  skipped fire together, once, at the first instant after the gap, also
 *	  if that matches itself; times that are repeated fire the first time.
 *	- An expression for every hour of the day goes by elapsed time: it fires
 *	  whenever the clock shows a matching time, so again when that is
 *	  repeated, and never for a time that is not shown.
 *
 * The occurrences are fixed by the expression and the zone, whatever has been
 * asked before.
 *
 *-------------------------------------------------------------------------
 */
#ifndef RSN_CORE_CRON_TIME_H
#define RSN_CORE_CRON_TIME_H

#include "core/cron.h"

/*
 * What a civil clock is ahead of UTC.  Where a pointer to a zone is expected,
 * NULL is UTC itself.
 */
typedef struct RsnZone
{
	/*
	 * Returns the offset in seconds east of UTC that is valid at utc_s, which
	 * is never more than 36 hours either way, and sets the first instant
	 * after utc_s at which the offset may be another, or INT64_MAX.
	 */
	int32_t		(*offset_at) (const void *arg, int64_t utc_s,
							  int64_t *next_change_s);
	const void *arg;
} RsnZone;

extern bool rsn_cron_is_elapsed(const RsnCron *cron);
extern bool rsn_cron_next(const RsnCron *cron, const RsnZone *zone,
						  int64_t after_ms, int64_t *next_ms);
extern bool rsn_cron_last(const RsnCron *cron, const RsnZone *zone,
						  int64_t after_ms, int64_t until_ms,
						  int64_t *last_ms);
extern int64_t rsn_cron_count(const RsnCron *cron, const RsnZone *zone,
							  int64_t after_ms, int64_t until_ms);

#endif							/* RSN_CORE_CRON_TIME_H */
