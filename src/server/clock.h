/*-------------------------------------------------------------------------
 *
 * server/clock.h
 *	  The one source of time, and its conversions.
 *
 * Inside, time is milliseconds since the Unix epoch, UTC.  INT64_MAX stands
 * for never.
 *
 *-------------------------------------------------------------------------
 */
#ifndef RSN_SERVER_CLOCK_H
#define RSN_SERVER_CLOCK_H

#include "datatype/timestamp.h"

#define RSN_TIME_NEVER	PG_INT64_MAX

extern int64 rsn_clock_now(void);
extern int64 rsn_clock_wall(void);
extern int64 rsn_clock_monotonic(void);
extern void rsn_clock_set_request_time(int64 now_ms);
extern int64 rsn_clock_wait_ms(int64 until_ms, int64 limit_ms);

extern int64 rsn_ms_from_timestamptz(TimestampTz timestamp);
extern TimestampTz rsn_timestamptz_from_ms(int64 ms);
extern bool rsn_ms_from_interval(const Interval *interval, int64 now_ms,
								 int64 *result);

#endif							/* RSN_SERVER_CLOCK_H */
