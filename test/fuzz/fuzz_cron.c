/*-------------------------------------------------------------------------
 *
 * fuzz_cron.c
 *	  Fuzz target for core/cron.c and core/cron_time.c: the input is an instant, a zone with at most one
 *	  change of its offset, and the text of an expression.
 *
 * The dialect at the top of core/cron.h is read here a second time, by asking of
 * each number whether a field has it, and the occurrences are found again by
 * looking at every day with the calendar of the C library.
 *
 *-------------------------------------------------------------------------
 */
#include "core/cron_time.h"

#include <strings.h>
#include <time.h>

#include "input.h"

#define MS 1000
#define DAY INT64_C(86400)
#define NFIELDS 6
#define NUMBERS_MAX 64
#define WORD_MAX RSN_CRON_LEN_MAX

/* Days that are looked at before it is said that there is none. */
#define NDAYS_MAX (9 * 366)

/* What the calendar of the C library is good for. */
#define CALENDAR_MAX_S (INT64_C(1) << 50)

typedef enum FieldKind
{
	SECOND,
	MINUTE,
	HOUR,
	MDAY,
	MONTH,
	WDAY
} FieldKind;

static const int least[NFIELDS] = {0, 0, 0, 1, 1, 0};
static const int greatest[NFIELDS] = {59, 59, 23, 31, 12, 7};

static const char *const months[] = {
	"January", "February", "March", "April", "May", "June", "July", "August",
	"September", "October", "November", "December", NULL
};

static const char *const weekdays[] = {
	"Sunday", "Monday", "Tuesday", "Wednesday", "Thursday", "Friday",
	"Saturday", NULL
};

/* An expression as it is read here: the numbers that each field has. */
typedef struct Naive
{
	bool		has[NFIELDS][NUMBERS_MAX];
	bool		is_free[NFIELDS];	/* a single star or question mark */
} Naive;

/* ---------------------------------------------------------------------
 * Reading an expression
 * ---------------------------------------------------------------------
 */

/* Reads digits only; -1 when there is anything else or too much. */
static int
read_number(const char *word)
{
	int			number = 0;

	if (word[0] == '\0' || strspn(word, "0123456789") != strlen(word))
		return -1;
	for (; *word != '\0'; word++)
	{
		if (number < 10000)
			number = number * 10 + (*word - '0');
	}
	return number;
}

/* A number or name of the field, or -1. */
static int
read_value(FieldKind kind, const char *word)
{
	const char *const *names = kind == MONTH ? months
	: kind == WDAY ? weekdays : NULL;
	int			number = read_number(word);

	for (int i = 0; names != NULL && names[i] != NULL; i++)
	{
		if (strcasecmp(word, names[i]) == 0 ||
			(strlen(word) == 3 && strncasecmp(word, names[i], 3) == 0))
			return least[kind] + i;
	}
	return number >= least[kind] && number <= greatest[kind] ? number : -1;
}

/* Reads "a", "a-b" or a star, with the end that a step gives to a number. */
static bool
read_span(FieldKind kind, char *word, bool has_step, int *from, int *to)
{
	char	   *dash = strchr(word, '-');

	*from = least[kind];
	*to = greatest[kind];
	if (strcmp(word, "*") == 0)
		return true;
	if (strcmp(word, "?") == 0)
		return kind == MDAY || kind == WDAY;
	if (dash != NULL)
	{
		*dash = '\0';
		*to = read_value(kind, dash + 1);
		if (kind == WDAY && *to == 0 && strncasecmp(dash + 1, "sun", 3) == 0 &&
			read_value(kind, word) > 0)
			*to = 7;
	}
	*from = read_value(kind, word);
	if (dash == NULL && !has_step)
		*to = *from;
	return *from >= 0 && *to >= *from;
}

/* Reads an element of a list. */
static bool
read_element(FieldKind kind, char *word, bool *has)
{
	char	   *slash = strchr(word, '/');
	int			step = 1;
	int			from;
	int			to;

	if (slash != NULL)
	{
		*slash = '\0';
		step = read_number(slash + 1);
	}
	if (step < 1 || step > greatest[kind] ||
		!read_span(kind, word, slash != NULL, &from, &to))
		return false;
	for (int i = from; i <= to; i++)
	{
		if ((i - from) % step == 0)
			has[kind == WDAY ? i % 7 : i] = true;
	}
	return true;
}

static bool
read_field(FieldKind kind, char *word, Naive *naive)
{
	naive->is_free[kind] = strcmp(word, "*") == 0 || strcmp(word, "?") == 0;
	for (;;)
	{
		char	   *comma = strchr(word, ',');

		if (comma != NULL)
			*comma = '\0';
		if (!read_element(kind, word, naive->has[kind]))
			return false;
		if (comma == NULL)
			return true;
		word = comma + 1;
	}
}

/* The expression that a descriptor stands for, or NULL. */
static const char *
read_descriptor(const char *word)
{
	static const char *const pairs[][2] = {
		{"@yearly", "0 0 0 1 1 *"}, {"@annually", "0 0 0 1 1 *"},
		{"@monthly", "0 0 0 1 * *"}, {"@weekly", "0 0 0 * * 0"},
		{"@daily", "0 0 0 * * *"}, {"@midnight", "0 0 0 * * *"},
		{"@hourly", "0 0 * * * *"}
	};

	for (size_t i = 0; i < sizeof(pairs) / sizeof(pairs[0]); i++)
	{
		if (strcasecmp(word, pairs[i][0]) == 0)
			return pairs[i][1];
	}
	return NULL;
}

/* Splits at blanks; answers how many words there are, of which 7 are kept. */
static int
split_words(char *text, char **words)
{
	int			nwords = 0;
	char	   *rest = NULL;

	for (char *word = strtok_r(text, " \t", &rest); word != NULL;
		 word = strtok_r(NULL, " \t", &rest))
	{
		if (nwords < NFIELDS)
			words[nwords] = word;
		nwords++;
	}
	return nwords;
}

/* True when some month of the expression has a day of it. */
static bool
is_possible(const Naive *naive)
{
	static const int ndays[] = {0, 31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30,
	31};

	if (!naive->is_free[WDAY])
		return true;
	for (int month = 1; month <= 12; month++)
	{
		for (int day = 1; day <= ndays[month]; day++)
		{
			if (naive->has[MONTH][month] && naive->has[MDAY][day])
				return true;
		}
	}
	return false;
}

/* Reads an expression; false when it is none. */
static bool
read_expression(const char *text, size_t len, Naive *naive)
{
	char		buffer[WORD_MAX + 1] = {0};
	char	   *words[NFIELDS];
	int			nwords;
	int			skipped;

	memset(naive, 0, sizeof(*naive));
	if (len > WORD_MAX || memchr(text, '\0', len) != NULL)
		return false;
	memcpy(buffer, text, len);
	nwords = split_words(buffer, words);
	if (nwords == 1 && read_descriptor(words[0]) != NULL)
	{
		strcpy(buffer, read_descriptor(words[0]));
		nwords = split_words(buffer, words);
	}
	skipped = NFIELDS - nwords;
	if (skipped != 0 && skipped != 1)
		return false;
	if (skipped == 1)
		naive->has[SECOND][0] = true;
	for (int i = skipped; i < NFIELDS; i++)
	{
		if (!read_field((FieldKind) i, words[i - skipped], naive))
			return false;
	}
	return is_possible(naive);
}

/* ---------------------------------------------------------------------
 * Occurrences
 * ---------------------------------------------------------------------
 */

static int64_t
floor_div(int64_t a, int64_t b)
{
	return a >= 0 ? a / b : -1 - (-1 - a) / b;
}

static bool
matches_day(const Naive *naive, int64_t day)
{
	time_t		seconds = (time_t) (day * DAY);
	struct tm	tm;
	bool		is_mday;
	bool		is_wday;

	REQUIRE(gmtime_r(&seconds, &tm) != NULL);
	is_mday = naive->has[MDAY][tm.tm_mday];
	is_wday = naive->has[WDAY][tm.tm_wday];
	if (!naive->has[MONTH][tm.tm_mon + 1])
		return false;
	return naive->is_free[MDAY] || naive->is_free[WDAY]
		? is_mday && is_wday : is_mday || is_wday;
}

static bool
matches_second(const Naive *naive, int second)
{
	return naive->has[HOUR][second / 3600] &&
		naive->has[MINUTE][second / 60 % 60] &&
		naive->has[SECOND][second % 60];
}

static bool
matches(const Naive *naive, int64_t civil_s)
{
	int64_t		day = floor_div(civil_s, DAY);

	return matches_day(naive, day) &&
		matches_second(naive, (int) (civil_s - day * DAY));
}

/* The first civil time that matches and is not before from, or -1. */
static int64_t
find_slowly(const Naive *naive, int64_t from_s)
{
	int64_t		day = floor_div(from_s, DAY);
	int			second = (int) (from_s - day * DAY);

	for (int i = 0; i < NDAYS_MAX; i++, day++, second = 0)
	{
		if (!matches_day(naive, day))
			continue;
		for (; second < DAY; second++)
		{
			if (matches_second(naive, second))
				return day * DAY + second;
		}
	}
	return -1;
}

/* A zone whose offset changes once, or never. */
typedef struct Zone
{
	int32_t		before_s;
	int32_t		after_s;
	int64_t		change_s;
} Zone;

static int32_t
zone_offset_at(const void *arg, int64_t utc_s, int64_t *next_change_s)
{
	const Zone *zone = arg;

	*next_change_s = utc_s < zone->change_s ? zone->change_s : INT64_MAX;
	return utc_s < zone->change_s ? zone->before_s : zone->after_s;
}

/* Without a zone: the same as looking at every day. */
static void
check_utc(const RsnCron *cron, const Naive *naive, int64_t after_ms)
{
	int64_t		next_ms;
	int64_t		from_s = floor_div(after_ms, MS) + 1;

	if (!rsn_cron_next(cron, NULL, after_ms, &next_ms))
	{
		REQUIRE(after_ms > INT64_MAX - NDAYS_MAX * DAY * MS);
		return;
	}
	REQUIRE(next_ms > after_ms && next_ms % MS == 0);
	if (from_s < -CALENDAR_MAX_S || from_s > CALENDAR_MAX_S)
		return;
	REQUIRE(next_ms / MS == find_slowly(naive, from_s));
}

/* The most occurrences that are counted one by one. */
#define COUNTED_MAX 200

/* The number of occurrences is how often there is a next one. */
static void
check_count(const RsnCron *cron, const RsnZone *zone, int64_t after_ms,
			int64_t until_ms)
{
	int64_t		at_ms = after_ms;
	int64_t		next_ms;
	int64_t		n = 0;

	while (n < COUNTED_MAX && rsn_cron_next(cron, zone, at_ms, &next_ms) &&
		   next_ms <= until_ms)
	{
		at_ms = next_ms;
		n++;
	}

	if (n > 0)
		REQUIRE(rsn_cron_count(cron, zone, after_ms, at_ms) == n);
	if (n < COUNTED_MAX && until_ms > after_ms &&
		(uint64_t) until_ms - (uint64_t) after_ms < NDAYS_MAX * DAY * MS)
		REQUIRE(rsn_cron_count(cron, zone, after_ms, until_ms) == n);
}

/* The last occurrence of a time is the one that is followed by none in it. */
static void
check_last(const RsnCron *cron, const RsnZone *zone, int64_t after_ms,
		   int64_t until_ms)
{
	int64_t		first_ms;
	int64_t		last_ms;
	int64_t		next_ms;

	if (!rsn_cron_next(cron, zone, after_ms, &first_ms) ||
		first_ms > until_ms)
	{
		REQUIRE(!rsn_cron_last(cron, zone, after_ms, until_ms, &last_ms));
		return;
	}
	check_count(cron, zone, after_ms, until_ms);
	REQUIRE(rsn_cron_last(cron, zone, after_ms, until_ms, &last_ms));
	REQUIRE(last_ms >= first_ms && last_ms <= until_ms);
	REQUIRE(!rsn_cron_next(cron, zone, last_ms, &next_ms) ||
			next_ms > until_ms);
}

/*
 * With a zone: what fires matches the clock that is shown, or the clock has
 * just jumped; and what comes next does not depend on where one starts.
 */
static void
check_zone(const RsnCron *cron, const Naive *naive, const Zone *rule,
		   int64_t after_ms)
{
	RsnZone		zone;
	int64_t		next_ms;
	int64_t		again_ms;
	int64_t		unused;
	int64_t		next_s;
	int64_t		offset_s;

	zone.offset_at = zone_offset_at;
	zone.arg = rule;
	if (!rsn_cron_next(cron, &zone, after_ms, &next_ms))
	{
		REQUIRE(after_ms > INT64_MAX - NDAYS_MAX * DAY * MS);
		return;
	}
	REQUIRE(next_ms > after_ms && next_ms % MS == 0);
	REQUIRE(rsn_cron_next(cron, &zone, next_ms - 1, &again_ms));
	REQUIRE(again_ms == next_ms);
	next_s = next_ms / MS;
	if (next_s < -CALENDAR_MAX_S || next_s > CALENDAR_MAX_S)
		return;
	offset_s = zone_offset_at(rule, next_s, &unused);
	if (!matches(naive, next_s + offset_s))
		REQUIRE(next_s == rule->change_s && rule->after_s > rule->before_s);

	/* Away from the change nothing is peculiar about a zone. */
	if (after_ms / MS > rule->change_s + 3 * DAY || next_s < rule->change_s)
		REQUIRE(next_s + offset_s ==
				find_slowly(naive, floor_div(after_ms, MS) + 1 + offset_s));
}

/* A time: around now, or at an edge, or any. */
static int64_t
take_time(Input *input)
{
	switch (take_choice(input, 4))
	{
		case 0:
			return (int64_t) take_bytes(input, 5) * 4;
		case 1:
			return take_size(input);
		case 2:
			return -take_size(input) - 1;
		default:
			return (int64_t) take_bytes(input, 8);
	}
}

/* A zone whose change is near an instant; no offset is beyond 36 hours. */
static Zone
take_zone(Input *input, int64_t near_ms)
{
	Zone		zone;

	zone.before_s = (int32_t) ((int) take_bytes(input, 2) - 32768) * 3;
	zone.after_s = zone.before_s;
	zone.change_s = floor_div(near_ms, MS);
	if (take_bool(input))
		zone.after_s = (int32_t) ((int) take_bytes(input, 2) - 32768) * 3;
	zone.change_s += (int64_t) take_bytes(input, 3) - (1 << 23);
	return zone;
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	Input		input = {data, size};
	int64_t		after_ms = take_time(&input);
	bool		has_zone = take_bool(&input);
	Zone		zone = {0};
	RsnCron		cron;
	RsnCron		untouched;
	const char *reason;
	Naive		naive;
	char	   *text;
	bool		is_valid;

	if (has_zone)
		zone = take_zone(&input, after_ms);
	memset(&cron, 0x5a, sizeof(cron));
	untouched = cron;
	text = copy_text(&input);
	is_valid = rsn_cron_parse(text, input.len, &cron, &reason);
	REQUIRE(is_valid == read_expression(text, input.len, &naive));
	REQUIRE(is_valid == (reason == NULL));
	free(text);
	if (!is_valid)
	{
		REQUIRE(reason[strlen(reason) - 1] == '.');
		REQUIRE(memcmp(&cron, &untouched, sizeof(cron)) == 0);
		return 0;
	}
	if (has_zone)
		check_zone(&cron, &naive, &zone, after_ms);
	else
		check_utc(&cron, &naive, after_ms);
	check_last(&cron, NULL, after_ms, after_ms / 2);
	if (after_ms < INT64_MAX - DAY * MS)
		check_last(&cron, NULL, after_ms, after_ms + DAY * MS);
	return 0;
}
