/*-------------------------------------------------------------------------
 *
 * cron_test.c
 *	  Stand-alone test of core/cron.c and core/cron_time.c: the dialect, its limits, its
 *	  reasons, and the occurrences, in UTC and where clocks change.
 *
 * Tables of literals come first.  Then random expressions are compared with
 * definitions that are too slow to be wrong: they try every day, minute and
 * second, and know the members of each field from having made it up.  Only the
 * C library's calendar is used for that.
 *
 * Every text is parsed from a heap block of exactly its length, so that the
 * address sanitizer sees a read of one byte too many.
 *
 *-------------------------------------------------------------------------
 */
#include "core/cron_time.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "tap.h"

/* The length of a literal, zero bytes inside it included. */
#define TEXT(literal) (literal), sizeof(literal) - 1

#define LENGTH_OF(array) ((int) (sizeof(array) / sizeof((array)[0])))

#define MS 1000
#define DAY INT64_C(86400)

/* ---------------------------------------------------------------------
 * Time zones
 * ---------------------------------------------------------------------
 */

typedef struct Change
{
	const char *at;				/* in UTC */
	int			offset;			/* from then on, in seconds */
	int64_t		at_s;			/* the same as at, once it has been read */
} Change;

#define NCHANGES_MAX 10

typedef struct TestZone
{
	const char *name;
	int			first_offset;
	Change		changes[NCHANGES_MAX];
	int			nchanges;		/* once they have been counted */
} TestZone;

#define HM(hours, minutes) (((hours) * 60 + (minutes)) * 60)

static TestZone berlin = {
	"Europe/Berlin", HM(1, 0), {
		{"2025-03-30 01:00:00", HM(2, 0), 0},
		{"2025-10-26 01:00:00", HM(1, 0), 0},
		{"2026-03-29 01:00:00", HM(2, 0), 0},
		{"2026-10-25 01:00:00", HM(1, 0), 0},
		{"2027-03-28 01:00:00", HM(2, 0), 0},
		{"2027-10-31 01:00:00", HM(1, 0), 0}
	}, 0
};

static TestZone new_york = {
	"America/New_York", HM(-5, 0), {
		{"2026-03-08 07:00:00", HM(-4, 0), 0},
		{"2026-11-01 06:00:00", HM(-5, 0), 0}
	}, 0
};

static TestZone lord_howe = {
	"Australia/Lord_Howe", HM(11, 0), {
		{"2026-04-04 15:00:00", HM(10, 30), 0},
		{"2026-10-03 15:30:00", HM(11, 0), 0}
	}, 0
};

static TestZone kathmandu = {
	"Asia/Kathmandu", HM(5, 30), {
		{"1985-12-31 18:30:00", HM(5, 45), 0}
	}, 0
};

static TestZone apia = {
	"Pacific/Apia", HM(-11, 0), {
		{"2011-09-24 14:00:00", HM(-10, 0), 0},
		{"2011-12-30 10:00:00", HM(14, 0), 0},
		{"2012-03-31 14:00:00", HM(13, 0), 0}
	}, 0
};

static TestZone sao_paulo = {
	"America/Sao_Paulo", HM(-3, 0), {
		{"2018-11-04 03:00:00", HM(-2, 0), 0},
		{"2019-02-17 02:00:00", HM(-3, 0), 0}
	}, 0
};

/* Goes back a whole day, as Manila and Alaska once went the other way. */
static TestZone repeated_day = {
	"a repeated day", HM(12, 0), {
		{"2001-06-15 12:00:00", HM(-12, 0), 0}
	}, 0
};

/* Goes back as far as a zone can. */
static TestZone repeated_days = {
	"three repeated days", HM(36, 0), {
		{"2001-06-15 12:00:00", HM(-36, 0), 0}
	}, 0
};

/* Two steps back, a change that is none, and a jump into what was seen. */
static TestZone restless = {
	"a restless zone", HM(2, 0), {
		{"2001-06-15 01:00:00", HM(1, 0), 0},
		{"2001-06-15 01:30:00", HM(0, 30), 0},
		{"2001-06-15 01:45:00", HM(0, 30), 0},
		{"2001-06-15 02:00:00", HM(1, 15), 0},
		{"2001-06-16 00:00:00", HM(4, 0), 0},
		{"2001-06-16 00:10:00", HM(6, 0), 0},
		{"2001-06-16 05:00:00", HM(5, 59), 0}
	}, 0
};

static TestZone *const zones[] = {
	&berlin, &new_york, &lord_howe, &kathmandu, &apia, &sao_paulo,
	&repeated_day, &repeated_days, &restless
};

/* How often a zone was asked. */
static long noffsets;

/* Reads the digits at a place of a text. */
static int
read_digits(const char *text, int at, int ndigits)
{
	int			number = 0;

	for (int i = at; i < at + ndigits; i++)
		number = number * 10 + (text[i] - '0');
	return number;
}

/* The seconds of a time such as "2026-03-29 03:00:00" or "... +02:00". */
static int64_t
read_time(const char *text)
{
	static const int month_days[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30};
	int			year = read_digits(text, 0, 4);
	int			month = read_digits(text, 5, 2);
	int64_t		days = read_digits(text, 8, 2) - 1;
	int			offset = 0;

	for (int i = 1970; i < year; i++)
		days += i % 400 == 0 || (i % 4 == 0 && i % 100 != 0) ? 366 : 365;
	for (int i = year; i < 1970; i++)
		days -= i % 400 == 0 || (i % 4 == 0 && i % 100 != 0) ? 366 : 365;
	for (int i = 1; i < month; i++)
		days += month_days[i - 1];
	if (month > 2 && year % 4 == 0 && (year % 100 != 0 || year % 400 == 0))
		days++;

	if (strlen(text) > 19)
	{
		offset = HM(read_digits(text, 21, 2), read_digits(text, 24, 2));
		if (text[20] == '-')
			offset = -offset;
	}
	return days * DAY + HM(read_digits(text, 11, 2), read_digits(text, 14, 2)) +
		read_digits(text, 17, 2) - offset;
}

/* A time as text, for explanations. */
static const char *
write_time(int64_t ms)
{
	static char buffers[4][64];
	static int	nused;
	char	   *buffer = buffers[nused++ % 4];
	int64_t		rest = (ms % MS + MS) % MS;
	time_t		seconds = (time_t) ((ms - rest) / MS);
	struct tm  *tm = gmtime(&seconds);

	if (tm == NULL)
		snprintf(buffer, sizeof(buffers[0]), "%lld ms", (long long) ms);
	else
		snprintf(buffer, sizeof(buffers[0]),
				 "%04d-%02d-%02d %02d:%02d:%02d.%03d", tm->tm_year + 1900,
				 tm->tm_mon + 1, tm->tm_mday, tm->tm_hour, tm->tm_min,
				 tm->tm_sec, (int) rest);
	return buffer;
}

/* The offset of a test zone, as RsnZone wants it. */
static int32_t
offset_at(const void *arg, int64_t utc_s, int64_t *next_change_s)
{
	const TestZone *zone = arg;
	int			offset = zone->first_offset;

	noffsets++;
	*next_change_s = INT64_MAX;
	for (int i = 0; i < zone->nchanges; i++)
	{
		if (zone->changes[i].at_s > utc_s)
		{
			*next_change_s = zone->changes[i].at_s;
			break;
		}
		offset = zone->changes[i].offset;
	}
	return offset;
}

/* Reads the times of the zones. */
static void
prepare_zones(void)
{
	for (int i = 0; i < LENGTH_OF(zones); i++)
	{
		Change	   *change = zones[i]->changes;

		for (; change->at != NULL; change++)
			change->at_s = read_time(change->at);
		zones[i]->nchanges = (int) (change - zones[i]->changes);
	}
}

/* What core/cron_time.c takes a test zone as. */
static RsnZone
make_zone(const TestZone *zone)
{
	RsnZone		result;

	result.offset_at = offset_at;
	result.arg = zone;
	return result;
}

/* ---------------------------------------------------------------------
 * Expressions
 * ---------------------------------------------------------------------
 */

/* Parses a text from a block of its length. */
static bool
parse(const char *text, size_t len, RsnCron *cron, const char **reason)
{
	char	   *copy = tap_alloc(len);
	bool		is_valid;

	if (len > 0)
		memcpy(copy, text, len);
	is_valid = rsn_cron_parse(len > 0 ? copy : NULL, len, cron, reason);
	free(copy);
	return is_valid;
}

/* Parses what has to be valid. */
static RsnCron
parse_valid(const char *text)
{
	RsnCron		cron = {0};
	const char *reason = NULL;

	tap_expect(parse(text, strlen(text), &cron, &reason), "\"%s\": %s", text,
			   reason == NULL ? "no reason" : reason);
	return cron;
}

/* True when two expressions are the same but for how they were written. */
static bool
equals_cron(const RsnCron *a, const RsnCron *b)
{
	return a->seconds == b->seconds && a->minutes == b->minutes &&
		a->hours == b->hours && a->days == b->days &&
		a->months == b->months && a->weekdays == b->weekdays &&
		a->is_any_day == b->is_any_day &&
		a->is_any_weekday == b->is_any_weekday;
}

static const char *const same_cases[][2] = {
	/* Blanks, and the seconds. */
	{"  0\t 0   1 1\t\t*  ", "0 0 1 1 *"},
	{"\t0 0 1 1 *\t", "0 0 1 1 *"},
	{"0 5 4 3 2 1", "5 4 3 2 1"},
	{"00 005 04 03 02 01", "5 4 3 2 1"},
	/* Lists, ranges and steps. */
	{"1,2,3 * * * *", "1-3 * * * *"},
	{"3,1,2,2 * * * *", "1-3 * * * *"},
	{"1-3,7 * * * *", "1,2,3,7 * * * *"},
	{"7-7 * * * *", "7 * * * *"},
	{"*/20 * * * *", "0,20,40 * * * *"},
	{"*/59 * * * *", "0,59 * * * *"},
	{"*/1 * * * *", "0-59 * * * *"},
	{"*/1 * * * *", "* * * * *"},
	{"0 */1 * * *", "0 * * * *"},
	{"5/20 * * * *", "5,25,45 * * * *"},
	{"59/1 * * * *", "59 * * * *"},
	{"5-30/10 * * * *", "5,15,25 * * * *"},
	{"5-25/10 * * * *", "5,15,25 * * * *"},
	{"1-5/2,10/25,*/30 * * * *", "0,1,3,5,10,30,35 * * * *"},
	{"*,5 * * * *", "* * * * *"},
	{"*/7 */7 * * *", "0,7,14,21,28,35,42,49,56 0,7,14,21 * * *"},
	{"10/20 10/5 10/10 10/1 *", "10,30,50 10,15,20 10,20,30 10,11,12 *"},
	{"*/20 * * * * *", "0,20,40 * * * * *"},
	{"0 0 */10 */5 *", "0 0 1,11,21,31 1,6,11 *"},
	{"0 0 */31 */12 *", "0 0 1-1 1 *"},
	{"0 */23 * * *", "0 0,23 * * *"},
	/* The question mark. */
	{"0 0 ? * ?", "0 0 * * *"},
	{"0 0 ? * 1", "0 0 * * 1"},
	{"0 0 1 * ?", "0 0 1 * *"},
	{"0 0 ?/2 * ?/2", "0 0 */2 * */2"},
	/* Months. */
	{"0 0 1 jan,FEB,Mar,aPr *", "0 0 1 1,2,3,4 *"},
	{"0 0 1 may,jun,jul,aug *", "0 0 1 5,6,7,8 *"},
	{"0 0 1 sep,oct,nov,dec *", "0 0 1 9,10,11,12 *"},
	{"0 0 1 january,February,MARCH,april *", "0 0 1 1,2,3,4 *"},
	{"0 0 1 may,june,july,august *", "0 0 1 5,6,7,8 *"},
	{"0 0 1 september,october,november,december *", "0 0 1 9-12 *"},
	{"0 0 1 jan-mar,Oct-december *", "0 0 1 1-3,10-12 *"},
	{"0 0 1 Feb-11/3 *", "0 0 1 2,5,8,11 *"},
	{"0 0 1 oct/2 *", "0 0 1 10,12 *"},
	/* Days of the week. */
	{"0 0 * * sun,mon,tue,wed", "0 0 * * 0,1,2,3"},
	{"0 0 * * thu,fri,sat", "0 0 * * 4,5,6"},
	{"0 0 * * SUNDAY,Monday,tuesday,wednesday", "0 0 * * 0,1,2,3"},
	{"0 0 * * thursday,friday,saturday", "0 0 * * 4,5,6"},
	{"0 0 * * 7", "0 0 * * 0"},
	{"0 0 * * 7-7", "0 0 * * 0"},
	{"0 0 * * 5-7", "0 0 * * 0,5,6"},
	{"0 0 * * fri-sun", "0 0 * * 0,5,6"},
	{"0 0 * * Fri-Sunday", "0 0 * * 0,5,6"},
	{"0 0 * * 5-sun", "0 0 * * 0,5,6"},
	{"0 0 * * mon-sun", "0 0 * * 0-6"},
	{"0 0 * * 0-7", "0 0 * * 0-6"},
	{"0 0 * * 0-7", "0 0 * * */1"},
	{"0 0 * * sun-7", "0 0 * * 0-6"},
	{"0 0 * * sun-sat", "0 0 * * 0-6"},
	{"0 0 * * sun-tue", "0 0 * * 0,1,2"},
	{"0 0 * * sun-sun", "0 0 * * 0"},
	{"0 0 * * 0-sun", "0 0 * * 0"},
	{"0 0 * * 7-sun", "0 0 * * 0"},
	{"0 0 * * 0-0", "0 0 * * 0"},
	{"0 0 * * fri-sun/2", "0 0 * * 0,5"},
	{"0 0 * * 5-7/2", "0 0 * * 0,5"},
	{"0 0 * * */2", "0 0 * * 0,2,4,6"},
	{"0 0 * * */7", "0 0 * * 0"},
	{"0 0 * * 1/2", "0 0 * * 0,1,3,5"},
	{"0 0 * * mon/2", "0 0 * * 0,1,3,5"},
	{"0 0 * * sun/2", "0 0 * * 0,2,4,6"},
	{"0 0 * * 6/2", "0 0 * * 6"},
	{"0 0 * * mon-5", "0 0 * * 1-5"},
	/* Descriptors. */
	{"@yearly", "0 0 1 1 *"},
	{"@annually", "0 0 1 1 *"},
	{"@monthly", "0 0 1 * *"},
	{"@weekly", "0 0 * * 0"},
	{"@daily", "0 0 * * *"},
	{"@midnight", "0 0 * * *"},
	{"@hourly", "0 * * * *"},
	{" \t@HOURLY ", "0 * * * *"},
	{"@Daily\t", "0 0 * * *"}
};

/* What looks alike and must not be the same. */
static const char *const different_cases[][2] = {
	{"0 0 * * *", "0 0 */1 * *"},
	{"0 0 * * *", "0 0 1-31 * *"},
	{"0 0 * * *", "0 0 *,* * *"},
	{"0 0 * * *", "0 0 ?,1 * *"},
	{"0 0 * * *", "0 0 * * */1"},
	{"0 0 * * *", "0 0 * * 0-6"},
	{"0 0 * * *", "0 0 * * *,1"},
	{"0 0 * * *", "0 * * * *"},
	{"1 0 * * * *", "* * * * *"}
};

static void
test_sets(void)
{
	RsnCron		cron;

	tap_begin();
	for (int i = 0; i < LENGTH_OF(same_cases); i++)
	{
		RsnCron		a = parse_valid(same_cases[i][0]);
		RsnCron		b = parse_valid(same_cases[i][1]);

		tap_expect(equals_cron(&a, &b), "\"%s\" is not \"%s\"",
				   same_cases[i][0], same_cases[i][1]);
	}
	for (int i = 0; i < LENGTH_OF(different_cases); i++)
	{
		RsnCron		a = parse_valid(different_cases[i][0]);
		RsnCron		b = parse_valid(different_cases[i][1]);

		tap_expect(!equals_cron(&a, &b), "\"%s\" is \"%s\"",
				   different_cases[i][0], different_cases[i][1]);
	}
	tap_end("ways to write the same");

	tap_begin();
	cron = parse_valid("1 2 3 4 5 6");
	tap_expect(cron.seconds == 1 << 1 && cron.minutes == 1 << 2 &&
			   cron.hours == 1 << 3 && cron.days == 1 << 4 &&
			   cron.months == 1 << 5 && cron.weekdays == 1 << 6 &&
			   !cron.is_any_day && !cron.is_any_weekday, "six fields");
	cron = parse_valid("* * * * *");
	tap_expect(cron.seconds == 1 && cron.minutes == (UINT64_C(1) << 60) - 1 &&
			   cron.hours == 0xffffff && cron.days == 0xfffffffe &&
			   cron.months == 0x1ffe && cron.weekdays == 0x7f &&
			   cron.is_any_day && cron.is_any_weekday, "stars");
	tap_end("the members of the sets");
}

/* ---------------------------------------------------------------------
 * Refusals
 * ---------------------------------------------------------------------
 */

static const char empty[] = "A cron expression is not empty.";
static const char too_long[] = "A cron expression has at most 255 bytes.";
static const char zero_byte[] = "A cron expression has no zero byte.";
static const char bad_count[] =
"A cron expression has five fields, or six that start with the seconds.";
static const char bad_descriptor[] =
"The descriptors are @yearly, @annually, @monthly, @weekly, @daily, @midnight and @hourly.";
static const char after_descriptor[] = "Nothing follows a descriptor.";
static const char bad_second[] = "A second is a number from 0 to 59.";
static const char bad_minute[] = "A minute is a number from 0 to 59.";
static const char bad_hour[] = "An hour is a number from 0 to 23.";
static const char bad_day[] = "A day of the month is a number from 1 to 31.";
static const char bad_month[] =
"A month is a number from 1 to 12, or an English name.";
static const char bad_weekday[] =
"A day of the week is a number from 0 to 7, or an English name.";
static const char bad_question[] = "Only the two fields for days may be \"?\".";
static const char bad_range[] = "A range does not end before it starts.";
static const char bad_step[] =
"A step is a number from 1 to the greatest of the field.";
static const char bad_list[] = "A list has no empty element.";
static const char impossible[] = "No month of the expression has a day of it.";

static const char *const all_reasons[] = {
	empty, too_long, zero_byte, bad_count, bad_descriptor, after_descriptor,
	bad_second, bad_minute, bad_hour, bad_day, bad_month, bad_weekday,
	bad_question, bad_range, bad_step, bad_list, impossible
};

static bool is_reached[LENGTH_OF(all_reasons)];

typedef struct InvalidCase
{
	const char *text;
	size_t		len;
	const char *reason;
} InvalidCase;

static const InvalidCase invalid_cases[] = {
	{TEXT(""), empty},
	{TEXT(" "), empty},
	{TEXT(" \t \t"), empty},
	{TEXT("\0"), zero_byte},
	{TEXT("* * * * *\0"), zero_byte},
	{TEXT("* * *\0* * *"), zero_byte},
	{TEXT("@daily\0"), zero_byte},
	{TEXT("*"), bad_count},
	{TEXT("* * * *"), bad_count},
	{TEXT("* * * * * * *"), bad_count},
	{TEXT("0 0 0 1 1 * 2030"), bad_count},
	{TEXT("* * * * * * * * * * * * * * *"), bad_count},
	{TEXT("* * * *\n*"), bad_count},
	{TEXT("x"), bad_count},
	{TEXT("* * * * *\n"), bad_weekday},
	{TEXT("@"), bad_descriptor},
	{TEXT("@reboot"), bad_descriptor},
	{TEXT("@every 5m"), bad_descriptor},
	{TEXT("@secondly"), bad_descriptor},
	{TEXT("@dail"), bad_descriptor},
	{TEXT("@dailyy"), bad_descriptor},
	{TEXT("@ daily"), bad_descriptor},
	{TEXT("@daily @daily"), after_descriptor},
	{TEXT("@daily 0 0 1 1 *"), after_descriptor},
	{TEXT("daily"), bad_count},
	{TEXT("@daily * * * *"), after_descriptor},
	{TEXT("0 0 0 0 @daily"), bad_day},
	{TEXT("60 * * * * *"), bad_second},
	{TEXT("x * * * * *"), bad_second},
	{TEXT("99 * * * *"), bad_minute},
	{TEXT("60 * * * *"), bad_minute},
	{TEXT("-1 * * * *"), bad_minute},
	{TEXT("+1 * * * *"), bad_minute},
	{TEXT("1.5 * * * *"), bad_minute},
	{TEXT("0x1 * * * *"), bad_minute},
	{TEXT("4294967296 * * * *"), bad_minute},
	{TEXT("18446744073709551616 * * * *"), bad_minute},
	{TEXT("99999999999999999999999999999999999999 * * * *"), bad_minute},
	{TEXT("0 60 * * * *"), bad_minute},
	{TEXT("** * * * *"), bad_minute},
	{TEXT("*5 * * * *"), bad_minute},
	{TEXT("*-5 * * * *"), bad_minute},
	{TEXT("5-* * * * *"), bad_minute},
	{TEXT("5- * * * *"), bad_minute},
	{TEXT("-5 * * * *"), bad_minute},
	{TEXT("- * * * *"), bad_minute},
	{TEXT("1-2-3 * * * *"), bad_minute},
	{TEXT("1--3 * * * *"), bad_minute},
	{TEXT("5-60 * * * *"), bad_minute},
	{TEXT("60-70 * * * *"), bad_minute},
	{TEXT("60/5 * * * *"), bad_minute},
	{TEXT("/5 * * * *"), bad_minute},
	{TEXT("/ * * * *"), bad_minute},
	{TEXT("jan * * * *"), bad_minute},
	{TEXT("H * * * *"), bad_minute},
	{TEXT("5;6 * * * *"), bad_minute},
	{TEXT("\xc2\xa0 * * * *"), bad_minute},
	{TEXT("\xff * * * *"), bad_minute},
	{TEXT("* 24 * * *"), bad_hour},
	{TEXT("* 0-24 * * *"), bad_hour},
	{TEXT("* mon * * *"), bad_hour},
	{TEXT("* * 0 * *"), bad_day},
	{TEXT("* * 32 * *"), bad_day},
	{TEXT("* * 0-5 * *"), bad_day},
	{TEXT("* * L * *"), bad_day},
	{TEXT("* * 15W * *"), bad_day},
	{TEXT("* * ?? * *"), bad_day},
	{TEXT("* * ?-5 * *"), bad_day},
	{TEXT("* * * 0 *"), bad_month},
	{TEXT("* * * 13 *"), bad_month},
	{TEXT("* * * 0-5 *"), bad_month},
	{TEXT("* * * ja *"), bad_month},
	{TEXT("* * * janu *"), bad_month},
	{TEXT("* * * januaryy *"), bad_month},
	{TEXT("* * * sept *"), bad_month},
	{TEXT("* * * mon *"), bad_month},
	{TEXT("* * * jan- *"), bad_month},
	{TEXT("* * * janx *"), bad_month},
	{TEXT("* * * @an *"), bad_month},
	{TEXT("* * * * 8"), bad_weekday},
	{TEXT("* * * * 0-8"), bad_weekday},
	{TEXT("* * * * jan"), bad_weekday},
	{TEXT("* * * * su"), bad_weekday},
	{TEXT("* * * * tues"), bad_weekday},
	{TEXT("* * * * 5L"), bad_weekday},
	{TEXT("* * * * 5#2"), bad_weekday},
	{TEXT("? * * * * *"), bad_question},
	{TEXT("? * * * *"), bad_question},
	{TEXT("* ? * * *"), bad_question},
	{TEXT("* * * ? *"), bad_question},
	{TEXT("5,? * * * *"), bad_question},
	{TEXT("?/5 * * * *"), bad_question},
	{TEXT("5-4 * * * *"), bad_range},
	{TEXT("59-0/2 * * * *"), bad_range},
	{TEXT("* 22-2 * * *"), bad_range},
	{TEXT("* * * nov-feb *"), bad_range},
	{TEXT("* * * * sat-mon"), bad_range},
	{TEXT("* * * * 5-0"), bad_range},
	{TEXT("* * * * fri-0"), bad_range},
	{TEXT("* * * * 7-1"), bad_range},
	{TEXT("* * * * 7-0"), bad_range},
	{TEXT("*/0 * * * *"), bad_step},
	{TEXT("*/00 * * * *"), bad_step},
	{TEXT("1-5/0 * * * *"), bad_step},
	{TEXT("5/0 * * * *"), bad_step},
	{TEXT("*/ * * * *"), bad_step},
	{TEXT("5/ * * * *"), bad_step},
	{TEXT("*/x * * * *"), bad_step},
	{TEXT("*/-1 * * * *"), bad_step},
	{TEXT("*/* * * * *"), bad_step},
	{TEXT("*/5/5 * * * *"), bad_step},
	{TEXT("*//5 * * * *"), bad_step},
	{TEXT("*/5-10 * * * *"), bad_step},
	{TEXT("*/60 * * * *"), bad_step},
	{TEXT("* */24 * * *"), bad_step},
	{TEXT("* * */32 * *"), bad_step},
	{TEXT("* * * */13 *"), bad_step},
	{TEXT("* * * */feb *"), bad_step},
	{TEXT("* * * * */8"), bad_step},
	{TEXT("*/4294967297 * * * *"), bad_step},
	{TEXT("*/18446744073709551617 * * * *"), bad_step},
	{TEXT(", * * * *"), bad_list},
	{TEXT("1, * * * *"), bad_list},
	{TEXT(",1 * * * *"), bad_list},
	{TEXT("1,,2 * * * *"), bad_list},
	{TEXT("1, 2 * * *"), bad_list},
	{TEXT("*, * * * *"), bad_list},
	{TEXT("0 0 30 2 *"), impossible},
	{TEXT("0 0 31 2 *"), impossible},
	{TEXT("0 0 30,31 feb ?"), impossible},
	{TEXT("0 0 31 4 *"), impossible},
	{TEXT("0 0 31 6 *"), impossible},
	{TEXT("0 0 31 9 *"), impossible},
	{TEXT("0 0 31 11 *"), impossible},
	{TEXT("0 0 31 2,4,6,9,11 *"), impossible},
	{TEXT("0 0 0 31 2-2 ?"), impossible},
	{TEXT("0 0 30/1 2 *"), impossible}
};

static const char *const possible_cases[] = {
	"0 0 29 2 *",
	"0 0 29-31 2 *",
	"0 0 30 2,4 *",
	"0 0 31 1 *",
	"0 0 31 3 *",
	"0 0 31 5 *",
	"0 0 31 7 *",
	"0 0 31 8 *",
	"0 0 31 10 *",
	"0 0 31 12 *",
	"0 0 31 11,12 *",
	"0 0 30 4 *",
	"0 0 30 6 *",
	"0 0 30 9 *",
	"0 0 30 11 *",
	"0 0 31 2 1",
	"0 0 30 2 */1"
};

static void
expect_refusal(const char *text, size_t len, const char *reason)
{
	RsnCron		cron = {7, 7, 7, 7, 7, 7, true, false};
	RsnCron		before = cron;
	const char *given = NULL;

	tap_expect(!parse(text, len, &cron, &given) && given != NULL &&
			   strcmp(given, reason) == 0, "\"%s\": %s", text,
			   given == NULL ? "valid" : given);
	tap_expect(equals_cron(&cron, &before), "\"%s\" left a result", text);
	for (int i = 0; i < LENGTH_OF(all_reasons); i++)
	{
		if (given != NULL && strcmp(given, all_reasons[i]) == 0)
			is_reached[i] = true;
	}
}

static void
test_refusals(void)
{
	char		text[300];
	RsnCron		cron;
	const char *reason;

	tap_begin();
	for (int i = 0; i < LENGTH_OF(invalid_cases); i++)
		expect_refusal(invalid_cases[i].text, invalid_cases[i].len,
					   invalid_cases[i].reason);
	tap_end("what is no expression");

	tap_begin();
	for (int i = 0; i < LENGTH_OF(possible_cases); i++)
		parse_valid(possible_cases[i]);
	tap_end("days that exist");

	tap_begin();
	memset(text, ' ', sizeof(text));
	memcpy(text, "* * * * *", 9);
	tap_expect(parse(text, 255, &cron, &reason) && reason == NULL, "255 bytes");
	expect_refusal(text, 256, too_long);
	memset(text, '0', sizeof(text));
	memcpy(text + 246, "5 * * * *", 9);
	tap_expect(parse(text, 255, &cron, &reason) && cron.minutes == 1 << 5,
			   "many zeros");
	memset(text, ' ', sizeof(text));
	expect_refusal(text, 255, empty);
	expect_refusal(text, 256, too_long);
	tap_end("the greatest length");

	tap_begin();
	for (int i = 0; i < LENGTH_OF(all_reasons); i++)
		tap_expect(is_reached[i], "never given: %s", all_reasons[i]);
	tap_end("every reason is given");
}

/* Any prefix and any byte changed: nothing is read that is not there. */
static void
test_mutilation(void)
{
	static const char whole[] = "1-5/2,*/7 ?,jan-feb 1/3 jan-Dec/2 fri-Sun,7";
	static const char bytes[] = {
		'\0', ' ', '*', '?', '/', '-', ',', '0', '9', '@', 'x', '\xff'
	};
	size_t		len = strlen(whole);
	char		text[sizeof(whole)];
	RsnCron		cron;
	const char *reason;

	tap_begin();
	for (size_t i = 0; i <= len; i++)
	{
		tap_expect(parse(whole, i, &cron, &reason) == (reason == NULL),
				   "the first %d bytes", (int) i);
		for (int j = 0; i < len && j < LENGTH_OF(bytes); j++)
		{
			memcpy(text, whole, sizeof(whole));
			text[i] = bytes[j];
			tap_expect(parse(text, len, &cron, &reason) == (reason == NULL),
					   "byte %d of \"%s\"", (int) i, text);
		}
	}
	tap_end("mutilated expressions");
}

/* ---------------------------------------------------------------------
 * Occurrences, from tables
 * ---------------------------------------------------------------------
 */

/* An expression, a time, and the first occurrences after it. */
typedef struct NextCase
{
	const char *expression;
	const char *after;
	const char *expected[5];
} NextCase;

static const NextCase utc_cases[] = {
	/* Each field. */
	{"* * * * *", "2026-01-01 00:00:00",
	{"2026-01-01 00:01:00", "2026-01-01 00:02:00"}},
	{"* * * * *", "2026-12-31 23:59:59", {"2027-01-01 00:00:00"}},
	{"* * * * * *", "2026-12-31 23:59:58",
	{"2026-12-31 23:59:59", "2027-01-01 00:00:00"}},
	{"30 * * * * *", "2026-01-01 00:00:30",
	{"2026-01-01 00:01:30", "2026-01-01 00:02:30"}},
	{"15,45 30 12 * * *", "2026-01-01 12:30:15",
	{"2026-01-01 12:30:45", "2026-01-02 12:30:15"}},
	{"*/15 * * * *", "2026-01-01 10:07:12",
		{"2026-01-01 10:15:00", "2026-01-01 10:30:00", "2026-01-01 10:45:00",
	"2026-01-01 11:00:00"}},
	{"10 8-10 * * *", "2026-01-01 09:30:00",
	{"2026-01-01 10:10:00", "2026-01-02 08:10:00", "2026-01-02 09:10:00"}},
	{"10 8-10 * * *", "2026-01-01 09:09:00", {"2026-01-01 09:10:00"}},
	{"10 8-10 * * *", "2026-01-01 10:10:00", {"2026-01-02 08:10:00"}},
	{"10 8-10 * * *", "2026-01-01 08:10:00", {"2026-01-01 09:10:00"}},
	{"0 12 * * *", "2026-01-01 00:00:00", {"2026-01-01 12:00:00"}},
	{"0 12 * * *", "2026-01-01 12:00:00", {"2026-01-02 12:00:00"}},
	{"0 0 1 * *", "2026-01-31 12:00:00",
	{"2026-02-01 00:00:00", "2026-03-01 00:00:00"}},
	{"0 0 31 * *", "2026-01-31 00:00:00",
		{"2026-03-31 00:00:00", "2026-05-31 00:00:00", "2026-07-31 00:00:00",
	"2026-08-31 00:00:00"}},
	{"0 0 30 * *", "2026-01-30 00:00:00",
	{"2026-03-30 00:00:00", "2026-04-30 00:00:00"}},
	{"0 0 15 3,9 *", "2026-03-15 00:00:00",
	{"2026-09-15 00:00:00", "2027-03-15 00:00:00"}},
	{"0 0 * dec *", "2026-12-31 00:00:00", {"2027-12-01 00:00:00"}},
	{"0 0 * * 1", "2026-01-01 00:00:00",
	{"2026-01-05 00:00:00", "2026-01-12 00:00:00"}},
	{"0 0 * * 0", "2026-01-01 00:00:00", {"2026-01-04 00:00:00"}},
	{"0 0 * * 6", "2026-01-01 00:00:00", {"2026-01-03 00:00:00"}},
	{"0 0 * * 4", "1969-12-31 23:59:59", {"1970-01-01 00:00:00"}},
	{"0 0 * * 3", "1969-12-30 23:59:59", {"1969-12-31 00:00:00"}},
	{"0 0 * * 6", "1582-10-15 00:00:00", {"1582-10-16 00:00:00"}},
	{"0 9 * * fri-sun", "2026-01-01 09:00:00",
		{"2026-01-02 09:00:00", "2026-01-03 09:00:00", "2026-01-04 09:00:00",
	"2026-01-09 09:00:00"}},
	{"0 0 * feb mon", "2026-01-01 00:00:00",
		{"2026-02-02 00:00:00", "2026-02-09 00:00:00", "2026-02-16 00:00:00",
	"2026-02-23 00:00:00", "2027-02-01 00:00:00"}},
	/* Both day fields. */
	{"0 0 13 * 5", "2026-01-31 00:00:00",
		{"2026-02-06 00:00:00", "2026-02-13 00:00:00", "2026-02-20 00:00:00",
	"2026-02-27 00:00:00", "2026-03-06 00:00:00"}},
	{"0 0 10 * 5", "2026-02-01 00:00:00",
	{"2026-02-06 00:00:00", "2026-02-10 00:00:00", "2026-02-13 00:00:00"}},
	{"0 0 * * 5", "2026-02-01 00:00:00",
	{"2026-02-06 00:00:00", "2026-02-13 00:00:00"}},
	{"0 0 ? * 5", "2026-02-01 00:00:00",
	{"2026-02-06 00:00:00", "2026-02-13 00:00:00"}},
	{"0 0 10 * ?", "2026-02-01 00:00:00",
	{"2026-02-10 00:00:00", "2026-03-10 00:00:00"}},
	{"0 0 */10 * 5", "2026-02-01 00:00:00",
	{"2026-02-06 00:00:00", "2026-02-11 00:00:00", "2026-02-13 00:00:00"}},
	{"0 0 1-31 * 5", "2026-02-01 00:00:00",
	{"2026-02-02 00:00:00", "2026-02-03 00:00:00"}},
	{"0 0 */1 * 5", "2026-02-01 00:00:00",
	{"2026-02-02 00:00:00", "2026-02-03 00:00:00"}},
	{"0 0 10 * */1", "2026-02-01 00:00:00", {"2026-02-02 00:00:00"}},
	{"0 0 10 * 0-6", "2026-02-01 00:00:00", {"2026-02-02 00:00:00"}},
	{"0 0 30 2 1", "2026-02-01 00:00:00",
		{"2026-02-02 00:00:00", "2026-02-09 00:00:00", "2026-02-16 00:00:00",
	"2026-02-23 00:00:00", "2027-02-01 00:00:00"}},
	/* Descriptors. */
	{"@yearly", "2026-01-01 00:00:00", {"2027-01-01 00:00:00"}},
	{"@monthly", "2026-01-01 00:00:00", {"2026-02-01 00:00:00"}},
	{"@weekly", "2026-01-01 00:00:00", {"2026-01-04 00:00:00"}},
	{"@daily", "2026-01-01 00:00:00", {"2026-01-02 00:00:00"}},
	{"@hourly", "2026-01-01 00:00:00", {"2026-01-01 01:00:00"}},
	/* Leap years. */
	{"0 0 29 2 *", "2024-02-29 00:00:00", {"2028-02-29 00:00:00"}},
	{"0 0 29 2 *", "1999-01-01 00:00:00", {"2000-02-29 00:00:00"}},
	{"0 12 29 2 *", "2000-02-29 06:00:00",
	{"2000-02-29 12:00:00", "2004-02-29 12:00:00"}},
	{"0 0 29 2 *", "2096-02-29 00:00:00",
	{"2104-02-29 00:00:00", "2108-02-29 00:00:00"}},
	{"59 59 23 29 2 *", "2096-02-29 23:59:59", {"2104-02-29 23:59:59"}},
	{"0 0 29 2 *", "2096-03-01 00:00:00", {"2104-02-29 00:00:00"}},
	{"0 0 29 2 *", "1896-02-29 00:00:00", {"1904-02-29 00:00:00"}},
	{"0 0 28-31 2 *", "2100-02-27 00:00:00",
	{"2100-02-28 00:00:00", "2101-02-28 00:00:00"}},
	{"0 0 * * *", "2100-02-28 00:00:00", {"2100-03-01 00:00:00"}},
	{"0 0 * * *", "2000-02-28 00:00:00", {"2000-02-29 00:00:00"}},
	{"0 0 29,1 2,3 *", "2100-02-02 00:00:00",
	{"2100-03-01 00:00:00", "2100-03-29 00:00:00", "2101-02-01 00:00:00"}},
	{"0 0 29 2 1", "2096-02-29 00:00:00", {"2097-02-04 00:00:00"}}
};

static const NextCase berlin_cases[] = {
	/* Not there: at the end of the gap, once. */
	{"30 2 * * *", "2026-03-28 02:00:00 +01:00",
		{"2026-03-28 02:30:00 +01:00", "2026-03-29 03:00:00 +02:00",
	"2026-03-30 02:30:00 +02:00"}},
	{"0 2 * * *", "2026-03-28 02:00:00 +01:00",
	{"2026-03-29 03:00:00 +02:00", "2026-03-30 02:00:00 +02:00"}},
	{"*/15 2 * * *", "2026-03-28 02:45:00 +01:00",
	{"2026-03-29 03:00:00 +02:00", "2026-03-30 02:00:00 +02:00"}},
	{"59 59 2 * * *", "2026-03-29 01:00:00 +01:00",
	{"2026-03-29 03:00:00 +02:00"}},
	/* It fires at the end of the gap anyway. */
	{"0 2,3 * * *", "2026-03-29 01:00:00 +01:00",
	{"2026-03-29 03:00:00 +02:00", "2026-03-30 02:00:00 +02:00"}},
	{"*/30 1-3 * * *", "2026-03-29 01:00:00 +01:00",
		{"2026-03-29 01:30:00 +01:00", "2026-03-29 03:00:00 +02:00",
	"2026-03-29 03:30:00 +02:00", "2026-03-30 01:00:00 +02:00"}},
	/* The edges of the gap are outside. */
	{"59 1 * * *", "2026-03-29 01:00:00 +01:00",
	{"2026-03-29 01:59:00 +01:00", "2026-03-30 01:59:00 +02:00"}},
	{"0 3 * * *", "2026-03-29 01:00:00 +01:00",
	{"2026-03-29 03:00:00 +02:00", "2026-03-30 03:00:00 +02:00"}},
	{"1 3 * * *", "2026-03-29 01:00:00 +01:00",
	{"2026-03-29 03:01:00 +02:00"}},
	/* The gap counts for the day that has it only. */
	{"30 2 29 3 *", "2026-03-01 00:00:00 +01:00",
	{"2026-03-29 03:00:00 +02:00", "2027-03-29 02:30:00 +02:00"}},
	{"30 2 28 3 *", "2026-03-01 00:00:00 +01:00",
	{"2026-03-28 02:30:00 +01:00", "2027-03-28 03:00:00 +02:00"}},
	{"30 2 * * sun", "2026-03-28 00:00:00 +01:00",
	{"2026-03-29 03:00:00 +02:00", "2026-04-05 02:30:00 +02:00"}},
	{"30 2 * * sat", "2026-03-28 12:00:00 +01:00",
	{"2026-04-04 02:30:00 +02:00"}},
	/* From inside and from the edges. */
	{"30 2 * * *", "2026-03-29 01:59:59 +01:00",
	{"2026-03-29 03:00:00 +02:00"}},
	{"30 2 * * *", "2026-03-29 03:00:00 +02:00",
	{"2026-03-30 02:30:00 +02:00"}},
	/* By elapsed time nothing is missing. */
	{"30 * * * *", "2026-03-29 00:30:00 +01:00",
		{"2026-03-29 01:30:00 +01:00", "2026-03-29 03:30:00 +02:00",
	"2026-03-29 04:30:00 +02:00"}},
	{"0 */1 * * *", "2026-03-29 01:00:00 +01:00",
	{"2026-03-29 03:00:00 +02:00", "2026-03-29 04:00:00 +02:00"}},
	{"0 0-23 * * *", "2026-03-29 01:00:00 +01:00",
	{"2026-03-29 03:00:00 +02:00", "2026-03-29 04:00:00 +02:00"}},
	{"30 0-23 * * *", "2026-03-29 01:30:00 +01:00",
	{"2026-03-29 03:30:00 +02:00"}},
	{"*/20 * * * *", "2026-03-29 01:40:00 +01:00",
	{"2026-03-29 03:00:00 +02:00", "2026-03-29 03:20:00 +02:00"}},
	/* Every second hour, and all but one, are hours of the day. */
	{"0 */2 * * *", "2026-03-29 00:00:00 +01:00",
	{"2026-03-29 03:00:00 +02:00", "2026-03-29 04:00:00 +02:00"}},
	{"30 0-22 * * *", "2026-03-29 01:30:00 +01:00",
	{"2026-03-29 03:00:00 +02:00", "2026-03-29 03:30:00 +02:00"}},
	/* There twice: the first time only. */
	{"30 2 * * *", "2026-10-24 12:00:00 +02:00",
	{"2026-10-25 02:30:00 +02:00", "2026-10-26 02:30:00 +01:00"}},
	{"0 2 * * *", "2026-10-24 12:00:00 +02:00",
	{"2026-10-25 02:00:00 +02:00", "2026-10-26 02:00:00 +01:00"}},
	{"0 3 * * *", "2026-10-24 12:00:00 +02:00",
	{"2026-10-25 03:00:00 +01:00", "2026-10-26 03:00:00 +01:00"}},
	{"*/30 1-3 * * *", "2026-10-25 01:30:00 +02:00",
		{"2026-10-25 02:00:00 +02:00", "2026-10-25 02:30:00 +02:00",
	"2026-10-25 03:00:00 +01:00", "2026-10-25 03:30:00 +01:00"}},
	{"30 2 * * *", "2026-10-25 02:30:00 +02:00",
	{"2026-10-26 02:30:00 +01:00"}},
	{"30 2 * * *", "2026-10-25 02:00:00 +01:00",
	{"2026-10-26 02:30:00 +01:00"}},
	{"30 2 * * *", "2026-10-25 02:29:00 +01:00",
	{"2026-10-26 02:30:00 +01:00"}},
	{"30 0-22 * * *", "2026-10-25 01:30:00 +02:00",
	{"2026-10-25 02:30:00 +02:00", "2026-10-25 03:30:00 +01:00"}},
	/* By elapsed time both times. */
	{"30 * * * *", "2026-10-25 01:30:00 +02:00",
		{"2026-10-25 02:30:00 +02:00", "2026-10-25 02:30:00 +01:00",
	"2026-10-25 03:30:00 +01:00"}},
	{"0 */1 * * *", "2026-10-25 01:30:00 +02:00",
		{"2026-10-25 02:00:00 +02:00", "2026-10-25 02:00:00 +01:00",
	"2026-10-25 03:00:00 +01:00"}},
	{"@hourly", "2026-10-25 02:00:00 +02:00",
	{"2026-10-25 02:00:00 +01:00", "2026-10-25 03:00:00 +01:00"}},
	/* Over many changes. */
	{"0 12 1 7 *", "2025-01-01 00:00:00 +01:00",
		{"2025-07-01 12:00:00 +02:00", "2026-07-01 12:00:00 +02:00",
	"2027-07-01 12:00:00 +02:00", "2028-07-01 12:00:00 +01:00"}},
	{"0 12 29 2 *", "2025-01-01 00:00:00 +01:00",
	{"2028-02-29 12:00:00 +01:00"}},
	/* The days are those of the zone. */
	{"30 0 1 * *", "2026-06-30 12:00:00 +02:00",
	{"2026-07-01 00:30:00 +02:00"}},
	{"30 0 * * thu", "2026-06-30 12:00:00 +02:00",
	{"2026-07-02 00:30:00 +02:00"}}
};

static const NextCase new_york_cases[] = {
	{"0 12 * * *", "2026-01-01 00:00:00", {"2026-01-01 12:00:00 -05:00"}},
	{"30 2 * * *", "2026-03-07 12:00:00 -05:00",
	{"2026-03-08 03:00:00 -04:00", "2026-03-09 02:30:00 -04:00"}},
	{"30 1 * * *", "2026-10-31 12:00:00 -04:00",
	{"2026-11-01 01:30:00 -04:00", "2026-11-02 01:30:00 -05:00"}},
	{"0 * * * *", "2026-11-01 00:30:00 -04:00",
		{"2026-11-01 01:00:00 -04:00", "2026-11-01 01:00:00 -05:00",
	"2026-11-01 02:00:00 -05:00"}},
	{"0 20 31 12 *", "2026-06-01 00:00:00 -04:00",
	{"2026-12-31 20:00:00 -05:00", "2027-12-31 20:00:00 -05:00"}}
};

static const NextCase lord_howe_cases[] = {
	/* Back from 02:00 to 01:30. */
	{"45 1 * * *", "2026-04-04 12:00:00 +11:00",
	{"2026-04-05 01:45:00 +11:00", "2026-04-06 01:45:00 +10:30"}},
	{"*/15 * * * *", "2026-04-05 01:15:00 +11:00",
		{"2026-04-05 01:30:00 +11:00", "2026-04-05 01:45:00 +11:00",
			"2026-04-05 01:30:00 +10:30", "2026-04-05 01:45:00 +10:30",
	"2026-04-05 02:00:00 +10:30"}},
	{"0,30 1,2 * * *", "2026-04-05 01:00:00 +11:00",
	{"2026-04-05 01:30:00 +11:00", "2026-04-05 02:00:00 +10:30"}},
	/* On from 02:00 to 02:30. */
	{"15 2 * * *", "2026-10-03 12:00:00 +10:30",
	{"2026-10-04 02:30:00 +11:00", "2026-10-05 02:15:00 +11:00"}},
	{"15 * * * *", "2026-10-04 01:00:00 +10:30",
	{"2026-10-04 01:15:00 +10:30", "2026-10-04 03:15:00 +11:00"}},
	{"15,30,45 2 * * *", "2026-10-03 12:00:00 +10:30",
		{"2026-10-04 02:30:00 +11:00", "2026-10-04 02:45:00 +11:00",
	"2026-10-05 02:15:00 +11:00"}}
};

static const NextCase kathmandu_cases[] = {
	{"0 12 * * *", "2026-01-01 00:00:00", {"2026-01-01 12:00:00 +05:45"}},
	{"0 * * * *", "2026-01-01 00:00:00",
	{"2026-01-01 00:15:00", "2026-01-01 01:15:00"}},
	/* From midnight to 00:15. */
	{"@yearly", "1985-06-01 00:00:00",
	{"1986-01-01 00:15:00 +05:45", "1987-01-01 00:00:00 +05:45"}},
	{"@hourly", "1985-12-31 23:00:00 +05:30",
	{"1986-01-01 01:00:00 +05:45"}},
	{"10 0 * * *", "1985-12-31 12:00:00 +05:30",
	{"1986-01-01 00:15:00 +05:45", "1986-01-02 00:10:00 +05:45"}}
};

static const NextCase apia_cases[] = {
	/* There was no 2011-12-30, a Friday. */
	{"0 12 * * *", "2011-12-29 11:00:00 -10:00",
		{"2011-12-29 12:00:00 -10:00", "2011-12-31 00:00:00 +14:00",
	"2011-12-31 12:00:00 +14:00"}},
	{"0 0 * * *", "2011-12-29 11:00:00 -10:00",
	{"2011-12-31 00:00:00 +14:00", "2012-01-01 00:00:00 +14:00"}},
	{"0 9 * * fri", "2011-12-29 11:00:00 -10:00",
	{"2011-12-31 00:00:00 +14:00", "2012-01-06 09:00:00 +14:00"}},
	{"0 9 30 12 *", "2011-12-29 11:00:00 -10:00",
	{"2011-12-31 00:00:00 +14:00", "2012-12-30 09:00:00 +13:00"}},
	{"0 * 30 12 *", "2011-12-29 11:00:00 -10:00",
	{"2012-12-30 00:00:00 +13:00"}},
	{"0 * * * *", "2011-12-29 22:00:00 -10:00",
		{"2011-12-29 23:00:00 -10:00", "2011-12-31 00:00:00 +14:00",
	"2011-12-31 01:00:00 +14:00"}},
	{"30 3 * * *", "2012-03-31 12:00:00 +14:00",
	{"2012-04-01 03:30:00 +14:00", "2012-04-02 03:30:00 +13:00"}}
};

static const NextCase sao_paulo_cases[] = {
	/* From midnight to 01:00. */
	{"0 0 * * *", "2018-11-03 12:00:00 -03:00",
	{"2018-11-04 01:00:00 -02:00", "2018-11-05 00:00:00 -02:00"}},
	{"@weekly", "2018-11-03 12:00:00 -03:00",
	{"2018-11-04 01:00:00 -02:00", "2018-11-11 00:00:00 -02:00"}},
	{"59 23 * * *", "2018-11-03 12:00:00 -03:00",
	{"2018-11-03 23:59:00 -03:00", "2018-11-04 23:59:00 -02:00"}},
	/* From midnight back to 23:00 of the day before. */
	{"30 23 * * *", "2019-02-16 12:00:00 -02:00",
	{"2019-02-16 23:30:00 -02:00", "2019-02-17 23:30:00 -03:00"}},
	{"0 0 * * *", "2019-02-16 12:00:00 -02:00",
	{"2019-02-17 00:00:00 -03:00", "2019-02-18 00:00:00 -03:00"}},
	{"0 * 16 2 *", "2019-02-16 22:00:00 -02:00",
		{"2019-02-16 23:00:00 -02:00", "2019-02-16 23:00:00 -03:00",
	"2020-02-16 00:00:00 -03:00"}}
};

static const NextCase repeated_day_cases[] = {
	/* 2001-06-15 is there twice, and ends once. */
	{"0 12 * * *", "2001-06-14 12:00:00 +12:00",
	{"2001-06-15 12:00:00 +12:00", "2001-06-16 12:00:00 -12:00"}},
	{"0 0 * * *", "2001-06-15 00:00:00 +12:00",
	{"2001-06-16 00:00:00 -12:00", "2001-06-17 00:00:00 -12:00"}},
	{"0 0 * * *", "2001-06-15 23:00:00 -12:00",
	{"2001-06-16 00:00:00 -12:00"}},
	{"0 12 * * *", "2001-06-15 11:00:00 -12:00",
	{"2001-06-16 12:00:00 -12:00"}},
	{"0 22 * * *", "2001-06-15 21:00:00 -12:00",
	{"2001-06-16 22:00:00 -12:00"}}
};

static void
test_next_cases(const TestZone *test_zone, const NextCase *cases, int ncases)
{
	RsnZone		zone = {NULL, NULL};

	if (test_zone != NULL)
		zone = make_zone(test_zone);
	tap_begin();
	for (int i = 0; i < ncases; i++)
	{
		RsnCron		cron = parse_valid(cases[i].expression);
		int64_t		at = read_time(cases[i].after) * MS;

		for (int j = 0; j < 5 && cases[i].expected[j] != NULL; j++)
		{
			int64_t		expected = read_time(cases[i].expected[j]) * MS;
			int64_t		next = INT64_MIN;
			bool		is_found = rsn_cron_next(&cron,
												 test_zone == NULL ? NULL : &zone,
												 at, &next);

			tap_expect(is_found && next == expected,
					   "\"%s\" after %s UTC: expected %s UTC, got %s UTC",
					   cases[i].expression, write_time(at),
					   write_time(expected), write_time(next));
			at = expected;
		}
	}
	tap_end("next occurrences in %s",
			test_zone == NULL ? "UTC" : test_zone->name);
}

/* ---------------------------------------------------------------------
 * Limits
 * ---------------------------------------------------------------------
 */

typedef struct LimitCase
{
	const char *expression;
	int64_t		after_ms;
	bool		is_found;
	int64_t		next_ms;
} LimitCase;

/*
 * The last second with milliseconds is in the minute that starts 47 seconds
 * earlier, 07:12:55 on 292278994-08-17; the first is 16:47:05 on a May 16.
 */
#define LAST_SECOND (INT64_MAX / MS * MS)
#define FIRST_SECOND (INT64_MIN / MS * MS)

static const LimitCase limit_cases[] = {
	{"* * * * * *", -1, true, 0},
	{"* * * * * *", 0, true, 1000},
	{"* * * * * *", 1, true, 1000},
	{"* * * * * *", 999, true, 1000},
	{"* * * * * *", 1000, true, 2000},
	{"* * * * * *", -1000, true, 0},
	{"* * * * * *", -1001, true, -1000},
	{"* * * * * *", -1999, true, -1000},
	{"* * * * * *", -2000, true, -1000},
	{"* * * * *", -60001, true, -60000},
	{"* * * * *", -60000, true, 0},
	{"0 0 * * *", -1, true, 0},
	{"0 0 * * *", -86400000, true, 0},
	{"0 0 * * *", -86400001, true, -86400000},
	{"* * * * * *", LAST_SECOND - 1, true, LAST_SECOND},
	{"* * * * * *", LAST_SECOND - 1000, true, LAST_SECOND},
	{"* * * * * *", LAST_SECOND - 1001, true, LAST_SECOND - 1000},
	{"* * * * * *", LAST_SECOND, false, 0},
	{"* * * * * *", INT64_MAX, false, 0},
	{"* * * * *", LAST_SECOND - 56000, true, LAST_SECOND - 55000},
	{"* * * * *", LAST_SECOND - 55000, false, 0},
	{"12 7 * * *", LAST_SECOND - 56000, true, LAST_SECOND - 55000},
	{"13 7 * * *", LAST_SECOND - 56000, false, 0},
	{"12 7 17 8 *", LAST_SECOND - 56000, true, LAST_SECOND - 55000},
	{"12 7 17 8 *", LAST_SECOND - DAY * 300 * MS, true, LAST_SECOND - 55000},
	{"12 7 18 8 *", LAST_SECOND - 56000, false, 0},
	{"0 0 29 2 *", LAST_SECOND - 56000, false, 0},
	{"0 0 29 2 *", INT64_MAX, false, 0},
	{"* * * * * *", INT64_MIN, true, FIRST_SECOND},
	{"* * * * * *", FIRST_SECOND, true, FIRST_SECOND + 1000},
	{"* * * * *", INT64_MIN, true, FIRST_SECOND + 55000},
	{"5 47 16 16 5 *", INT64_MIN, true, FIRST_SECOND},
	{"48 16 16 5 *", INT64_MIN, true, FIRST_SECOND + 55000}
};

/* Offsets as far as they go, with changes at both ends of time. */
static int32_t
far_offset_at(const void *arg, int64_t utc_s, int64_t *next_change_s)
{
	int32_t		offset = *(const int32_t *) arg;

	*next_change_s = utc_s < 0 ? 0 : INT64_MAX;
	return utc_s < 0 ? -offset : offset;
}

static void
test_limits(void)
{
	static const int32_t offsets[] = {HM(36, 0), HM(-36, 0)};
	static const char *const expressions[] = {
		"* * * * * *", "0 0 * * *", "0 0 29 2 *", "30 2 * * *", "0 * * * *"
	};
	static const int64_t times_ms[] = {
		INT64_MIN, INT64_MIN + 1, FIRST_SECOND, -1, 0, LAST_SECOND - 1,
		LAST_SECOND, INT64_MAX - 1, INT64_MAX
	};
	RsnCron		never = {0};
	int64_t		next;

	tap_begin();
	for (int i = 0; i < LENGTH_OF(limit_cases); i++)
	{
		const LimitCase *test = &limit_cases[i];
		RsnCron		cron = parse_valid(test->expression);
		bool		is_found;

		next = 0;
		is_found = rsn_cron_next(&cron, NULL, test->after_ms, &next);
		tap_expect(is_found == test->is_found && next == test->next_ms,
				   "\"%s\" after %lld: %s, %lld", test->expression,
				   (long long) test->after_ms, is_found ? "found" : "none",
				   (long long) next);
	}
	tap_expect(!rsn_cron_next(&never, NULL, 0, &next), "no expression at all");
	tap_end("the limits of time in UTC");

	tap_begin();
	for (int i = 0; i < LENGTH_OF(offsets) * LENGTH_OF(expressions); i++)
	{
		RsnCron		cron = parse_valid(expressions[i / 2]);
		RsnZone		zone;

		zone.offset_at = far_offset_at;
		zone.arg = &offsets[i % 2];
		for (int j = 0; j < LENGTH_OF(times_ms); j++)
		{
			bool		is_found = rsn_cron_next(&cron, &zone, times_ms[j],
												 &next);

			tap_expect(!is_found || next > times_ms[j], "\"%s\" after %lld",
					   expressions[i / 2], (long long) times_ms[j]);
			tap_expect(is_found == (times_ms[j] <= 0 ||
									(i / 2 == 0 && times_ms[j] < LAST_SECOND)),
					   "\"%s\" after %lld is %s", expressions[i / 2],
					   (long long) times_ms[j], is_found ? "found" : "none");
		}
	}
	tap_end("the limits of time far from UTC");
}

/* ---------------------------------------------------------------------
 * Random expressions
 * ---------------------------------------------------------------------
 */

/* An expression that was made up, and what its fields hold. */
typedef struct Made
{
	char		text[256];
	bool		has[6][64];		/* seconds to days of the week, 0 to 7 */
	bool		is_any[6];
} Made;

static uint64_t random_state = UINT64_C(0x9e3779b97f4a7c15);

/* A random number from 0 to n - 1. */
static int
pick(int n)
{
	random_state ^= random_state << 13;
	random_state ^= random_state >> 7;
	random_state ^= random_state << 17;
	return (int) ((random_state >> 16) % (uint64_t) n);
}

/* Appends an element of a field to the text. */
static void
make_element(Made *made, int field, int min, int max)
{
	size_t		len = strlen(made->text);
	char	   *end = made->text + len;
	size_t		room = sizeof(made->text) - len;
	int			first = min + pick(max - min + 1);
	int			last = first + pick(max - first + 1);
	int			step = 1 + pick(pick(2) == 0 ? 3 : max);

	switch (pick(5))
	{
		case 0:
			snprintf(end, room, "*/%d", step);
			first = min;
			last = max;
			break;
		case 1:
			snprintf(end, room, "%d/%d", first, step);
			last = max;
			break;
		case 2:
			snprintf(end, room, "%d-%d/%d", first, last, step);
			break;
		case 3:
			snprintf(end, room, "%d-%d", first, last);
			step = 1;
			break;
		default:
			snprintf(end, room, "%d", first);
			last = first;
	}
	for (int i = first; i <= last; i += step)
		made->has[field][i] = true;
}

/* Appends a field, which is a star in so many percent of the cases. */
static void
make_field(Made *made, int field, int min, int max, int percent)
{
	int			nelements = pick(3) == 0 ? 1 + pick(3) : 1;

	if (made->text[0] != '\0')
		strcat(made->text, " ");
	if (pick(100) < percent)
	{
		made->is_any[field] = true;
		for (int i = min; i <= max; i++)
			made->has[field][i] = true;
		strcat(made->text, field == 3 || field == 5 ? &"?\0*"[pick(2) * 2] : "*");
		return;
	}
	for (int i = 0; i < nelements; i++)
	{
		if (i > 0)
			strcat(made->text, ",");
		make_element(made, field, min, max);
	}
}

/*
 * Makes an expression up; the day and month fields are stars in so many
 * percent of the cases.
 */
static void
make_expression(Made *made, bool has_seconds, int percent)
{
	memset(made, 0, sizeof(*made));
	if (has_seconds)
		make_field(made, 0, 0, 59, 20);
	else
		made->has[0][0] = true;
	make_field(made, 1, 0, 59, 20);
	make_field(made, 2, 0, 23, 30);
	make_field(made, 3, 1, 31, percent);
	make_field(made, 4, 1, 12, percent);
	make_field(made, 5, 0, 7, percent);
	made->has[5][0] = made->has[5][7] = made->has[5][0] || made->has[5][7];
}

/* Makes an expression of one minute of a year up, if there is one. */
static void
make_rare_expression(Made *made)
{
	int			minute = pick(60);
	int			hour = pick(24);
	int			day = 28 + pick(4);
	int			month = 1 + pick(pick(2) == 0 ? 2 : 12);

	memset(made, 0, sizeof(*made));
	snprintf(made->text, sizeof(made->text), "%d %d %d %d *", minute, hour,
			 day, month);
	made->has[0][0] = true;
	made->has[1][minute] = true;
	made->has[2][hour] = true;
	made->has[3][day] = true;
	made->has[4][month] = true;
	for (int i = 0; i <= 7; i++)
		made->has[5][i] = true;
	made->is_any[5] = true;
}

/* True when the expression has the day, which is counted from the epoch. */
static bool
made_has_day(const Made *made, int64_t day)
{
	time_t		seconds = (time_t) (day * DAY);
	const struct tm *tm = gmtime(&seconds);
	bool		has_day = made->has[3][tm->tm_mday];
	bool		has_weekday = made->has[5][tm->tm_wday];

	if (!made->has[4][tm->tm_mon + 1])
		return false;
	if (made->is_any[3])
		return has_weekday;
	if (made->is_any[5])
		return has_day;
	return has_day || has_weekday;
}

/* True when the expression has the civil time. */
static bool
made_has(const Made *made, int64_t civil_s)
{
	int64_t		second = (civil_s % DAY + DAY) % DAY;

	return made->has[0][second % 60] && made->has[1][second / 60 % 60] &&
		made->has[2][second / 3600] &&
		made_has_day(made, (civil_s - second) / DAY);
}

#define NOCCURRENCES_MAX 40
#define NDAYS_MAX (9 * 366)

/*
 * Expects the occurrences of one day that are after at; returns the last of
 * them, or at.  Counts them down.
 */
static int64_t
expect_day(const Made *made, const RsnCron *cron, int64_t day, int64_t at_s,
		   int *nleft)
{
	for (int i = 0; i < 24 * 60; i++)
	{
		if (!made->has[1][i % 60] || !made->has[2][i / 60])
			continue;
		for (int j = 0; j < 60 && *nleft > 0; j++)
		{
			int64_t		expected_s = day * DAY + i * 60 + j;
			int64_t		next;

			if (!made->has[0][j] || expected_s <= at_s)
				continue;
			tap_expect(rsn_cron_next(cron, NULL, at_s * MS, &next) &&
					   next == expected_s * MS,
					   "\"%s\" after %s: expected %s, got %s", made->text,
					   write_time(at_s * MS), write_time(expected_s * MS),
					   write_time(next));
			tap_expect(rsn_cron_next(cron, NULL, expected_s * MS - 1, &next) &&
					   next == expected_s * MS,
					   "\"%s\" just before %s", made->text,
					   write_time(expected_s * MS));
			at_s = expected_s;
			(*nleft)--;
		}
	}
	return at_s;
}

static void
test_random_in_utc(void)
{
	int			nimpossible = 0;

	tap_begin();
	for (int i = 0; i < 600; i++)
	{
		Made		made;
		RsnCron		cron;
		const char *reason;
		int			nleft = NOCCURRENCES_MAX;
		int64_t		day = pick(200 * 365) - 50 * 365;
		int64_t		at_s = day * DAY + pick((int) DAY);

		make_expression(&made, i % 3 == 0, i % 2 == 0 ? 60 : 10);
		if (i % 10 == 9)
			make_rare_expression(&made);
		if (!parse(made.text, strlen(made.text), &cron, &reason))
		{
			tap_expect(strcmp(reason, impossible) == 0, "\"%s\": %s",
					   made.text, reason);
			for (int j = 0; j < NDAYS_MAX; j++)
				tap_expect(!made_has_day(&made, day + j),
						   "\"%s\" is possible", made.text);
			nimpossible++;
			continue;
		}
		for (int j = 0; j < NDAYS_MAX && nleft > 0; j++)
		{
			if (made_has_day(&made, day + j))
				at_s = expect_day(&made, &cron, day + j, at_s, &nleft);
		}
		tap_expect(nleft < NOCCURRENCES_MAX, "\"%s\" never happens", made.text);
	}
	tap_expect(nimpossible > 0 && nimpossible < 100, "%d are impossible",
			   nimpossible);
	tap_end("random expressions in UTC");
}

/* The stretches of time at one offset, and how the rules see them. */
typedef struct Stretch
{
	int64_t		begin;
	int64_t		end;
	int			offset;
} Stretch;

#define NSTRETCHES_MAX (NCHANGES_MAX + 1)

static int
make_stretches(const TestZone *zone, Stretch *stretches)
{
	int			n = 0;

	stretches[0].begin = INT64_MIN / 2;
	stretches[0].offset = zone->first_offset;
	for (; n < zone->nchanges; n++)
	{
		stretches[n].end = zone->changes[n].at_s;
		stretches[n + 1].begin = stretches[n].end;
		stretches[n + 1].offset = zone->changes[n].offset;
	}
	stretches[n].end = INT64_MAX / 2;
	return n + 1;
}

/* When the clock shows a civil time first, or else when it has jumped it. */
static int64_t
first_showing(const Stretch *stretches, int nstretches, int64_t civil)
{
	/* What was jumped over is done; a later return to it does not count. */
	for (int i = 0; i < nstretches; i++)
	{
		int64_t		at = civil - stretches[i].offset;

		if (at < stretches[i].begin)
			return stretches[i].begin;
		if (at < stretches[i].end)
			return at;
	}
	abort();
}

#define WINDOW (3 * DAY)
#define STEP 60
#define NSLOTS ((int) (2 * WINDOW / STEP))

/* Marks the minutes around an instant at which the expression has to fire. */
static void
mark_occurrences(const Made *made, const TestZone *zone, int64_t around,
				 bool *is_due)
{
	Stretch		stretches[NSTRETCHES_MAX];
	int			nstretches = make_stretches(zone, stretches);
	int64_t		begin = around - WINDOW;
	bool		is_elapsed = true;

	memset(is_due, 0, sizeof(*is_due) * (size_t) NSLOTS);
	for (int i = 0; i < 24; i++)
		is_elapsed = is_elapsed && made->has[2][i];

	if (is_elapsed)
	{
		for (int i = 0; i < NSLOTS; i++)
		{
			int64_t		at = begin + i * STEP;
			int64_t		change;

			if (made_has(made, at + offset_at(zone, at, &change)))
				is_due[i] = true;
		}
		return;
	}
	for (int64_t civil = begin - 2 * DAY; civil < around + WINDOW + 2 * DAY;
		 civil += STEP)
	{
		int64_t		at;

		if (!made_has(made, civil))
			continue;
		at = first_showing(stretches, nstretches, civil);
		if (at >= begin && at < around + WINDOW)
			is_due[(at - begin) / STEP] = true;
	}
}

/* Expects exactly the marked occurrences around an instant. */
static void
expect_marked(const Made *made, const TestZone *test_zone, int64_t around)
{
	static bool is_due[(int) (2 * WINDOW / STEP)];
	RsnZone		zone = make_zone(test_zone);
	RsnCron		cron;
	const char *reason;
	int64_t		next = INT64_MIN;

	if (!parse(made->text, strlen(made->text), &cron, &reason))
		return;
	mark_occurrences(made, test_zone, around, is_due);
	for (int i = 0; i < NSLOTS; i++)
	{
		int64_t		at = (around - WINDOW + i * STEP) * MS;

		if (next < at && !rsn_cron_next(&cron, &zone, at - 1, &next))
			next = INT64_MAX;

		/* Most minutes are as dull as expected; to say so takes long. */
		if (next != at && !is_due[i])
		{
			int64_t		again = INT64_MAX;

			if (i % 50 == 0)
				tap_expect(rsn_cron_next(&cron, &zone, at, &again) &&
						   again == next, "\"%s\" from %s UTC in %s",
						   made->text, write_time(at), test_zone->name);
			continue;
		}
		tap_expect((next == at) == is_due[i], "\"%s\" is %s at %s UTC in %s",
				   made->text, is_due[i] ? "due" : "not due", write_time(at),
				   test_zone->name);
		if (is_due[i])
			tap_expect(rsn_cron_next(&cron, &zone, at - 1, &next) &&
					   next == at, "\"%s\" just before %s UTC in %s",
					   made->text, write_time(at), test_zone->name);
	}
}

static void
test_random_in_zone(const TestZone *zone)
{
	tap_begin();
	for (int i = 0; i < zone->nchanges; i++)
	{
		for (int j = 0; j < 40; j++)
		{
			Made		made;

			make_expression(&made, false, 75);
			expect_marked(&made, zone, zone->changes[i].at_s);
		}
	}
	tap_end("random expressions in %s", zone->name);
}

/* ---------------------------------------------------------------------
 * The last occurrence, and how many there are
 * ---------------------------------------------------------------------
 */

static void
expect_last(const RsnCron *cron, const RsnZone *zone, int64_t after_ms,
			int64_t until_ms, const char *what)
{
	int64_t		expected = after_ms;
	int64_t		next;
	int64_t		last = after_ms;
	int64_t		n = 0;
	bool		is_found;

	for (; rsn_cron_next(cron, zone, expected, &next) && next <= until_ms; n++)
		expected = next;
	tap_expect(rsn_cron_count(cron, zone, after_ms, until_ms) == n,
			   "\"%s\" from %s to %s: expected %lld, got %lld", what,
			   write_time(after_ms), write_time(until_ms), (long long) n,
			   (long long) rsn_cron_count(cron, zone, after_ms, until_ms));
	is_found = rsn_cron_last(cron, zone, after_ms, until_ms, &last);
	tap_expect(is_found == (expected > after_ms) && last == expected,
			   "\"%s\" from %s to %s: expected %s, got %s", what,
			   write_time(after_ms), write_time(until_ms),
			   write_time(expected), write_time(last));
}

static void
test_last(void)
{
	RsnCron		cron;
	int64_t		last;

	tap_begin();
	for (int i = 0; i < 400; i++)
	{
		const TestZone *test_zone = zones[i % LENGTH_OF(zones)];
		RsnZone		zone = make_zone(test_zone);
		Made		made;
		const char *reason;
		int64_t		after = test_zone->changes[0].at_s * MS;

		make_expression(&made, i % 5 == 0, 60);
		if (!parse(made.text, strlen(made.text), &cron, &reason))
			continue;
		after += (pick(2 * (int) DAY) - DAY) * MS + pick(3) - 1;
		for (int j = 0; j < 3; j++)
		{
			int64_t		until = after + (int64_t) pick(3600 << 2 * j) * MS + pick(3);

			expect_last(&cron, &zone, after, until, made.text);
			expect_last(&cron, NULL, after, until, made.text);
			if (rsn_cron_next(&cron, &zone, after, &until))
			{
				expect_last(&cron, &zone, after, until, made.text);
				expect_last(&cron, &zone, after, until - 1, made.text);
				expect_last(&cron, &zone, after, until + 1, made.text);
			}
		}
	}
	tap_end("the last and the number of random expressions");

	tap_begin();
	cron = parse_valid("0 0 * * *");
	last = 5;
	tap_expect(!rsn_cron_last(&cron, NULL, 0, DAY * MS - 1, &last) && last == 5,
			   "none in the open end");
	tap_expect(rsn_cron_last(&cron, NULL, 0, DAY * MS, &last) &&
			   last == DAY * MS, "one at the closed end");
	tap_expect(!rsn_cron_last(&cron, NULL, DAY * MS, DAY * MS, &last),
			   "none in nothing");
	tap_expect(!rsn_cron_last(&cron, NULL, DAY * MS * 9, DAY * MS, &last),
			   "none in less than nothing");
	tap_expect(!rsn_cron_last(&cron, NULL, INT64_MAX, INT64_MIN, &last),
			   "none in all time backwards");
	tap_expect(!rsn_cron_last(&cron, NULL, INT64_MAX, INT64_MAX, &last),
			   "none at the end of time");
	cron = parse_valid("* * * * * *");
	tap_expect(rsn_cron_last(&cron, NULL, INT64_MIN, INT64_MAX, &last) &&
			   last == LAST_SECOND, "all time");
	cron = parse_valid("0 0 29 2 *");
	tap_expect(rsn_cron_last(&cron, NULL, INT64_MIN, 0, &last) &&
			   last == read_time("1968-02-29 00:00:00") * MS,
			   "all time before the epoch");
	tap_end("the edges of the last");

	tap_begin();
	cron = parse_valid("0 0 * * *");
	tap_expect(rsn_cron_count(&cron, NULL, 0, DAY * MS - 1) == 0 &&
			   rsn_cron_count(&cron, NULL, 0, DAY * MS) == 1 &&
			   rsn_cron_count(&cron, NULL, -1, DAY * MS) == 2,
			   "open at one end, closed at the other");
	tap_expect(rsn_cron_count(&cron, NULL, DAY * MS, DAY * MS) == 0 &&
			   rsn_cron_count(&cron, NULL, DAY * MS * 9, DAY * MS) == 0 &&
			   rsn_cron_count(&cron, NULL, INT64_MAX, INT64_MIN) == 0,
			   "none in nothing and in less");
	cron = parse_valid("* * * * * *");
	tap_expect(rsn_cron_count(&cron, NULL, 999, 400 * INT64_C(365) * DAY * MS) ==
			   400 * INT64_C(365) * DAY, "every second of centuries");
	tap_expect(rsn_cron_count(&cron, NULL, LAST_SECOND - 1, INT64_MAX) == 1,
			   "the last second of all time");
	cron = parse_valid("0 0 29 2 *");
	tap_expect(rsn_cron_count(&cron, NULL, read_time("2000-01-01 00:00:00") * MS,
							  read_time("2400-01-01 00:00:00") * MS) == 97,
			   "the leap days of 400 years");
	tap_end("the edges of the number");
}

/* Nothing walks through occurrences, or through all changes of all time. */
static void
test_cost(void)
{
	RsnZone		zone = make_zone(&berlin);
	RsnCron		cron = parse_valid("* * * * * *");
	int64_t		after = read_time("2026-03-15 00:00:00") * MS;
	int64_t		until = after + 60 * DAY * MS;
	int64_t		found;

	tap_begin();
	noffsets = 0;
	tap_expect(rsn_cron_last(&cron, &zone, after, until, &found) &&
			   found == until, "the last second of two months");
	tap_expect(noffsets <= 34 * 2, "%ld offsets", noffsets);

	noffsets = 0;
	tap_expect(rsn_cron_count(&cron, &zone, after, until) == 60 * DAY,
			   "the number of seconds of two months");
	tap_expect(noffsets <= 4, "%ld offsets", noffsets);

	noffsets = 0;
	tap_expect(rsn_cron_last(&cron, &zone, INT64_MIN, INT64_MAX, &found) &&
			   found == LAST_SECOND, "the last second of all time");
	tap_expect(noffsets <= 66 * 2, "%ld offsets", noffsets);

	cron = parse_valid("0 0 29 2 *");
	noffsets = 0;
	tap_expect(rsn_cron_next(&cron, &zone, after, &found) &&
			   found == read_time("2028-02-28 23:00:00") * MS, "in years");
	tap_expect(noffsets <= 5, "%ld offsets", noffsets);
	tap_end("the cost");
}

#define TABLE(zone, cases) test_next_cases((zone), (cases), LENGTH_OF(cases))

/* Runs everything. */
int
main(void)
{
	tap_start();
	prepare_zones();
	test_sets();
	test_refusals();
	test_mutilation();
	TABLE(NULL, utc_cases);
	TABLE(&berlin, berlin_cases);
	TABLE(&new_york, new_york_cases);
	TABLE(&lord_howe, lord_howe_cases);
	TABLE(&kathmandu, kathmandu_cases);
	TABLE(&apia, apia_cases);
	TABLE(&sao_paulo, sao_paulo_cases);
	TABLE(&repeated_day, repeated_day_cases);
	test_limits();
	test_random_in_utc();
	for (int i = 0; i < LENGTH_OF(zones); i++)
		test_random_in_zone(zones[i]);
	test_last();
	test_cost();
	return tap_finish();
}
