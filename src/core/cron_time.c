/*-------------------------------------------------------------------------
 *
 * core/cron_time.c
 *	  At which instants a cron expression fires.
 *
 * This file owns every rule about occurrences, as core/cron_time.h states them.  It
 * must not include a PostgreSQL header, allocate, or know a time zone.
 *
 * Instants are seconds since the epoch.  A civil time is what a clock in the
 * zone shows, as the instant at which a clock in UTC shows the same.  Days are
 * counted from the epoch, too, in the Gregorian calendar of all times.
 *
 *-------------------------------------------------------------------------
 */
#include "core/cron_time.h"

#define MS_PER_S 1000
#define S_PER_DAY 86400

/* The last instant that still has milliseconds. */
#define LAST_S (INT64_MAX / MS_PER_S)

/* No two offsets of a zone are further apart. */
#define OFFSET_SPREAD_S (3 * S_PER_DAY)

/* From the end of one February 29 to the next, when a century is between. */
#define MONTHS_BETWEEN_MATCHES_MAX (8 * 12)

#define ALL_HOURS ((UINT64_C(1) << 24) - 1)

static int64_t
max_s(int64_t a, int64_t b)
{
	return a > b ? a : b;
}

/* The quotient towards the past; divisor must be positive. */
static int64_t
floor_div(int64_t dividend, int64_t divisor)
{
	return dividend / divisor - (dividend % divisor < 0 ? 1 : 0);
}

/* The least member of the set that is not less than from, or -1. */
static int
find_member(uint64_t set, int from)
{
	for (int i = from; i < 64; i++)
	{
		if ((set >> i & 1) != 0)
			return i;
	}
	return -1;
}

/* A month and where it lies. */
typedef struct Month
{
	int64_t		year;
	int			month;			/* from 1 */
	int			ndays;
	int64_t		first_day;		/* since the epoch */
} Month;

/* The number of days of a month. */
static int
count_days(int64_t year, int month)
{
	if (month != 2)
		return rsn_cron_days_in_month[month];
	if (year % 4 != 0 || (year % 100 == 0 && year % 400 != 0))
		return 28;
	return 29;
}

/*
 * The month that has the day, which is counted from the epoch.  Years are made
 * to start in March here: what is irregular is then at their end, and months
 * are 153 days in five from the first.
 */
static Month
month_of_day(int64_t day)
{
	int64_t		day_of_cycles = day + 719468;	/* since 0000-03-01 */
	int64_t		cycle = floor_div(day_of_cycles, 146097);	/* 400 years */
	int			rest = (int) (day_of_cycles - cycle * 146097);
	int			year = (rest - rest / 1460 + rest / 36524 - rest / 146096) / 365;
	int			day_of_year = rest - (365 * year + year / 4 - year / 100);
	int			month = (5 * day_of_year + 2) / 153;	/* from March */
	Month		result;

	result.month = month < 10 ? month + 3 : month - 9;
	result.year = cycle * 400 + year + (result.month <= 2 ? 1 : 0);
	result.first_day = day - (day_of_year - (153 * month + 2) / 5);
	result.ndays = count_days(result.year, result.month);
	return result;
}

/* Goes on to the next month. */
static void
advance_month(Month *month)
{
	month->first_day += month->ndays;
	month->month++;
	if (month->month > 12)
	{
		month->month = 1;
		month->year++;
	}
	month->ndays = count_days(month->year, month->month);
}

/* The days of the month that match, as bits 1 to 31. */
static uint64_t
matching_days(const RsnCron *cron, const Month *month)
{
	/* The epoch was a Thursday. */
	int64_t		since_sunday = month->first_day + 4;
	int			weekday = (int) (since_sunday - 7 * floor_div(since_sunday, 7));
	uint64_t	days = 0;

	if ((cron->months >> month->month & 1) == 0)
		return 0;
	for (int i = 1; i <= month->ndays; i++)
	{
		bool		is_day = (cron->days >> i & 1) != 0;
		bool		is_weekday = (cron->weekdays >> weekday & 1) != 0;

		if (cron->is_any_day || cron->is_any_weekday
			? is_day && is_weekday : is_day || is_weekday)
			days |= UINT64_C(1) << i;
		weekday = (weekday + 1) % 7;
	}
	return days;
}

/* Finds the first matching day that is not before from. */
static bool
find_day(const RsnCron *cron, int64_t from, int64_t *found)
{
	Month		month = month_of_day(from);
	int			day = (int) (from - month.first_day) + 1;

	for (int i = 0; i < MONTHS_BETWEEN_MATCHES_MAX; i++)
	{
		day = find_member(matching_days(cron, &month), day);
		if (day > 0)
		{
			*found = month.first_day + day - 1;
			return true;
		}
		advance_month(&month);
		day = 1;
	}
	return false;
}

/* The first matching second of a day that is not before from, or -1. */
static int
find_second_of_day(const RsnCron *cron, int from)
{
	int			from_hour = from / 3600;
	int			from_minute = from / 60 % 60;

	for (int hour = find_member(cron->hours, from_hour); hour >= 0;
		 hour = find_member(cron->hours, hour + 1))
	{
		int			minute = hour > from_hour ? 0 : from_minute;

		for (minute = find_member(cron->minutes, minute); minute >= 0;
			 minute = find_member(cron->minutes, minute + 1))
		{
			bool		is_later = hour > from_hour || minute > from_minute;
			int			second = find_member(cron->seconds,
											 is_later ? 0 : from % 60);

			if (second >= 0)
				return (hour * 60 + minute) * 60 + second;
		}
	}
	return -1;
}

/* Finds the first matching civil time that is not before from. */
static bool
find_civil(const RsnCron *cron, int64_t from_s, int64_t *found_s)
{
	int64_t		from_day = floor_div(from_s, S_PER_DAY);
	int64_t		day;
	int			second = -1;

	if (!find_day(cron, from_day, &day))
		return false;
	if (day == from_day)
	{
		second = find_second_of_day(cron, (int) (from_s - day * S_PER_DAY));
		if (second < 0 && !find_day(cron, from_day + 1, &day))
			return false;
	}
	if (second < 0)
		second = find_second_of_day(cron, 0);
	*found_s = day * S_PER_DAY + second;
	return second >= 0;
}

/* The offset at an instant and how long it lasts, up to the end of time. */
static int32_t
offset_at(const RsnZone *zone, int64_t utc_s, int64_t *end_s)
{
	int32_t		offset_s = 0;

	*end_s = INT64_MAX;
	if (zone != NULL)
		offset_s = zone->offset_at(zone->arg, utc_s, end_s);
	if (*end_s > LAST_S)
		*end_s = LAST_S + 1;
	return offset_s;
}

/* True for an expression for every hour, which goes by elapsed time. */
bool
rsn_cron_is_elapsed(const RsnCron *cron)
{
	return cron->hours == ALL_HOURS;
}

/* A time during which the offset is the same. */
typedef struct Stretch
{
	int64_t		begin_s;
	int64_t		end_s;			/* the next one begins */
	int64_t		offset_s;
	int64_t		from_s;			/* the first civil time that is not done */
} Stretch;

/*
 * The stretch that begins at an instant, for occurrences at first_s and later.
 * What the clock had shown or jumped over before it was set back is done, unless
 * the expression goes by elapsed time; done_s keeps it from one stretch to the
 * next.
 */
static Stretch
enter_stretch(const RsnCron *cron, const RsnZone *zone, int64_t begin_s,
			  int64_t first_s, int64_t *done_s)
{
	Stretch		result;

	result.begin_s = begin_s;
	result.offset_s = offset_at(zone, begin_s, &result.end_s);
	result.from_s = max_s(begin_s, first_s) + result.offset_s;

	/* After first_s, what was jumped over is yet to fire. */
	if (!rsn_cron_is_elapsed(cron))
		result.from_s = begin_s < first_s ? max_s(*done_s, result.from_s)
			: *done_s;
	*done_s = max_s(*done_s, result.end_s + result.offset_s);
	return result;
}

/*
 * The first occurrence after the given time, in milliseconds since the epoch;
 * false when it would not be representable.
 *
 * Walks from one change of the offset to the next, starting early enough to
 * know how far the clock had got before it was set back.
 */
bool
rsn_cron_next(const RsnCron *cron, const RsnZone *zone, int64_t after_ms,
			  int64_t *next_ms)
{
	int64_t		first_s = floor_div(after_ms, MS_PER_S) + 1;
	int64_t		done_s = INT64_MIN; /* civil times before this one are done */
	Stretch		stretch;

	for (int64_t begin_s = first_s - OFFSET_SPREAD_S; begin_s <= LAST_S;
		 begin_s = stretch.end_s)
	{
		int64_t		found_s;

		stretch = enter_stretch(cron, zone, begin_s, first_s, &done_s);
		if (!find_civil(cron, stretch.from_s, &found_s))
			return false;
		found_s = max_s(found_s - stretch.offset_s, begin_s);
		if (found_s < stretch.end_s)
		{
			*next_ms = found_s * MS_PER_S;
			return true;
		}
	}
	return false;
}

/*
 * The last occurrence after after_ms and not after until_ms; false when there
 * is none.  Halves the time in which it can be, so that the number of
 * occurrences does not matter.
 */
bool
rsn_cron_last(const RsnCron *cron, const RsnZone *zone, int64_t after_ms,
			  int64_t until_ms, int64_t *last_ms)
{
	int64_t		found_ms;
	int64_t		bound_ms = until_ms;	/* none is after it */

	if (!rsn_cron_next(cron, zone, after_ms, &found_ms) ||
		found_ms > until_ms)
		return false;
	while (found_ms < bound_ms)
	{
		/* The distance may be too much for a signed number. */
		uint64_t	distance = (uint64_t) bound_ms - (uint64_t) found_ms;
		int64_t		middle_ms = found_ms + (int64_t) (distance / 2);
		int64_t		next_ms;

		if (rsn_cron_next(cron, zone, middle_ms, &next_ms) &&
			next_ms <= until_ms)
			found_ms = next_ms;
		else
			bound_ms = middle_ms;
	}
	*last_ms = found_ms;
	return true;
}

static int64_t
min_s(int64_t a, int64_t b)
{
	return a < b ? a : b;
}

static int
count_members(uint64_t set)
{
	int			n = 0;

	for (; set != 0; set &= set - 1)
		n++;
	return n;
}

/* The members of a set that are less than a number of at most 63. */
static int
count_members_before(uint64_t set, int end)
{
	return count_members(set & ((UINT64_C(1) << end) - 1));
}

/* How many matching days there are from one to before another. */
static int64_t
count_matching_days(const RsnCron *cron, int64_t from, int64_t to)
{
	int64_t		n = 0;

	for (Month month = month_of_day(from); month.first_day < to;
		 advance_month(&month))
	{
		uint64_t	days = matching_days(cron, &month);

		if (month.first_day < from)
			days &= ~((UINT64_C(2) << (from - month.first_day)) - 1);
		if (to - month.first_day < month.ndays)
			days &= (UINT64_C(2) << (to - month.first_day)) - 1;
		n += count_members(days);
	}
	return n;
}

/* How many matching times a matching day has before a second of it. */
static int64_t
count_before_second(const RsnCron *cron, int second)
{
	int			hour = second / 3600;
	int			minute = second / 60 % 60;
	int64_t		per_minute = count_members(cron->seconds);
	int64_t		per_hour = count_members(cron->minutes) * per_minute;
	int64_t		n = count_members_before(cron->hours, hour) * per_hour;

	if ((cron->hours >> hour & 1) == 0)
		return n;
	n += count_members_before(cron->minutes, minute) * per_minute;
	if ((cron->minutes >> minute & 1) == 0)
		return n;
	return n + count_members_before(cron->seconds, second % 60);
}

/* How many matching times there are from day 0 of a span to a civil time. */
static int64_t
count_civil_from_day(const RsnCron *cron, int64_t first_day, int64_t to_s)
{
	int64_t		day = floor_div(to_s, S_PER_DAY);
	int64_t		per_day = (int64_t) count_members(cron->hours) *
	count_members(cron->minutes) * count_members(cron->seconds);
	int64_t		n = count_matching_days(cron, first_day, day) * per_day;

	if (count_matching_days(cron, day, day + 1) > 0)
		n += count_before_second(cron, (int) (to_s - day * S_PER_DAY));
	return n;
}

/* How many matching civil times there are from one to before another. */
static int64_t
count_civil(const RsnCron *cron, int64_t from_s, int64_t to_s)
{
	int64_t		first_day = floor_div(from_s, S_PER_DAY);

	if (to_s <= from_s)
		return 0;
	return count_civil_from_day(cron, first_day, to_s) -
		count_civil_from_day(cron, first_day, from_s);
}

/*
 * How many occurrences there are after after_ms and not after until_ms.  Takes
 * time for each month and each change of the offset between them, not for each
 * occurrence.
 */
int64_t
rsn_cron_count(const RsnCron *cron, const RsnZone *zone, int64_t after_ms,
			   int64_t until_ms)
{
	int64_t		first_s = floor_div(after_ms, MS_PER_S) + 1;
	int64_t		last_s = min_s(floor_div(until_ms, MS_PER_S), LAST_S);
	int64_t		done_s = INT64_MIN;
	int64_t		n = 0;
	Stretch		stretch;

	for (int64_t begin_s = first_s - OFFSET_SPREAD_S; begin_s <= last_s;
		 begin_s = stretch.end_s)
	{
		int64_t		from_s;
		int64_t		end_s;

		stretch = enter_stretch(cron, zone, begin_s, first_s, &done_s);
		from_s = stretch.from_s;
		end_s = min_s(stretch.end_s, last_s + 1) + stretch.offset_s;

		/* All that the clock has jumped over is one occurrence. */
		if (begin_s >= first_s && from_s < begin_s + stretch.offset_s)
		{
			n += count_civil(cron, from_s, begin_s + stretch.offset_s + 1) > 0;
			from_s = begin_s + stretch.offset_s + 1;
		}
		n += count_civil(cron, from_s, end_s);
	}
	return n;
}
