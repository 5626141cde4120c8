/*-------------------------------------------------------------------------
 *
 * server/clock.c
 *	  The one source of time, and its conversions.
 *
 * No other file reads a clock.  The test clock counts only while
 * resonate.debug is on; both parameters can be set by superusers only.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "datatype/timestamp.h"
#include "fmgr.h"
#include "portability/instr_time.h"
#include "utils/builtins.h"
#include "utils/timestamp.h"

#include "server/clock.h"
#include "server/compat.h"
#include "server/guc.h"

#define USECS_PER_MS	INT64CONST(1000)
#define EPOCH_SHIFT_MS \
	((int64) (POSTGRES_EPOCH_JDATE - UNIX_EPOCH_JDATE) * SECS_PER_DAY * 1000)

/* To tell what is far out of range from what has to be computed. */
#define DAYS_PER_MONTH_AVERAGE 30.436875
#define MARGIN_USECS (400 * USECS_PER_DAY)

/* The largest instant that a timestamptz can hold, in our unit. */
#define TIMESTAMP_MAX_MS \
	((END_TIMESTAMP - 1) / USECS_PER_MS + EPOCH_SHIFT_MS)

/* The time of day, whatever the test clock says. */
int64
rsn_clock_wall(void)
{
	return rsn_ms_from_timestamptz(GetCurrentTimestamp());
}

/* The milliseconds since some instant, which no change of the time of day changes. */
int64
rsn_clock_monotonic(void)
{
	instr_time	now;

	INSTR_TIME_SET_CURRENT(now);
	return (int64) INSTR_TIME_GET_MILLISEC(now);
}

/* The instant that the request at hand has named, or negative. */
static int64 request_time_ms = -1;

/*
 * Has a request take an instant for now; negative ends that.  Counts only while
 * resonate.debug is on.
 */
void
rsn_clock_set_request_time(int64 now_ms)
{
	request_time_ms = now_ms;
}

/* The present instant of this session. */
int64
rsn_clock_now(void)
{
	if (rsn_guc_debug && request_time_ms >= 0)
		return request_time_ms;
	if (rsn_guc_debug && rsn_guc_test_clock_ms >= 0)
		return rsn_guc_test_clock_ms;
	return rsn_clock_wall();
}

/* The time to sleep so as to wake at until_ms, at most limit_ms. */
int64
rsn_clock_wait_ms(int64 until_ms, int64 limit_ms)
{
	int64		now_ms = rsn_clock_now();

	if (until_ms <= now_ms)
		return 0;
	if (until_ms - now_ms >= limit_ms)
		return limit_ms;
	return until_ms - now_ms;
}

/* Milliseconds of a timestamptz, rounded down; infinity is RSN_TIME_NEVER. */
int64
rsn_ms_from_timestamptz(TimestampTz timestamp)
{
	int64		ms;

	if (TIMESTAMP_IS_NOEND(timestamp))
		return RSN_TIME_NEVER;
	if (TIMESTAMP_IS_NOBEGIN(timestamp))
		return PG_INT64_MIN;
	ms = timestamp / USECS_PER_MS;
	if (timestamp % USECS_PER_MS < 0)
		ms--;
	return ms + EPOCH_SHIFT_MS;
}

/* The reverse; what a timestamptz cannot hold is infinity. */
TimestampTz
rsn_timestamptz_from_ms(int64 ms)
{
	TimestampTz result;

	if (ms > TIMESTAMP_MAX_MS)
	{
		TIMESTAMP_NOEND(result);
		return result;
	}
	return (ms - EPOCH_SHIFT_MS) * USECS_PER_MS;
}

/*
 * The length of an interval that begins at now, rounded away from zero to a
 * millisecond, so that nothing ends before it was meant to.  Days and months
 * are those of UTC.  False when the end would lie beyond all timestamps.
 */
bool
rsn_ms_from_interval(const Interval *interval, int64 now_ms, int64 *result)
{
	Timestamp	start = rsn_timestamptz_from_ms(now_ms);
	Timestamp	end;
	double		estimate;
	int64		usecs;

	if (rsn_interval_is_noend(interval))
	{
		*result = RSN_TIME_NEVER;
		return true;
	}
	if (rsn_interval_is_nobegin(interval))
	{
		*result = PG_INT64_MIN;
		return true;
	}
	if (TIMESTAMP_NOT_FINITE(start))
		return false;
	estimate = ((double) interval->month * DAYS_PER_MONTH_AVERAGE +
				interval->day) * USECS_PER_DAY + interval->time;
	if (start + estimate > END_TIMESTAMP - MARGIN_USECS)
		return false;
	if (estimate < -MARGIN_USECS)
	{
		*result = PG_INT64_MIN;
		return true;
	}

	end = DatumGetTimestamp(DirectFunctionCall2(timestamp_pl_interval,
												TimestampGetDatum(start),
												PointerGetDatum(interval)));
	usecs = end - start;
	*result = usecs / USECS_PER_MS;
	if (usecs % USECS_PER_MS != 0)
		*result += usecs > 0 ? 1 : -1;
	return true;
}
