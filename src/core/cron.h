/*-------------------------------------------------------------------------
 *
 * core/cron.h
 *	  The text of a cron expression, and what it matches.
 *
 * An expression has five fields, or six with the seconds in front; with five
 * it fires at second 0.  Blanks (spaces and tabs) separate the fields and may
 * surround them.
 *
 *		field			numbers		names
 *		second			0-59
 *		minute			0-59
 *		hour			0-23
 *		day of month	1-31
 *		month			1-12		January-December
 *		day of week		0-7			Sunday-Saturday; 0 and 7 are Sunday
 *
 * A field is a list of elements with commas between them:
 *
 *		*				every number
 *		a				that number
 *		a-b				from a to b, where b is not less than a
 *		a/n				every n-th number from a to the greatest
 *		a-b/n			every n-th number from a to b
 *
 * A star may be followed by a step, too, and means from the least number to
 * the greatest then.  A step is not 0 and not more than the greatest number of
 * the field.  Names stand for their number anywhere but in a step; they are
 * English, in full or the first three letters, in any case.  In the two day
 * fields a question mark is the same as a star.
 *
 * Days of the week run from 0 to 7 as far as ranges and steps go: 5-7 is
 * Friday to Sunday, and 1/2 is Monday, Wednesday, Friday and Sunday.  A range
 * of them that ends with the name of Sunday ends with 7: Fri-Sun is Friday to
 * Sunday.
 *
 * A day field is unrestricted when it is a single star or question mark and
 * nothing else; a star with a step or in a list restricts it, if only to all
 * days.  If both day fields are restricted, a day matches when either of them
 * does, otherwise when both do.
 *
 * @yearly, @annually, @monthly, @weekly, @daily, @midnight and @hourly, in
 * any case, stand for the usual expressions; a week starts on Sunday.
 *
 * What can never match, such as February 30, is not an expression.  All others
 * match some day within eight years of any other.  core/cron_time.h says at which
 * instants they fire.
 *
 *-------------------------------------------------------------------------
 */
#ifndef RSN_CORE_CRON_H
#define RSN_CORE_CRON_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define RSN_CRON_LEN_MAX 255

/* A parsed expression.  The sets are bit masks: bit n is the number n. */
typedef struct RsnCron
{
	uint64_t	seconds;
	uint64_t	minutes;
	uint64_t	hours;
	uint64_t	days;			/* bits 1 to 31 */
	uint64_t	months;			/* bits 1 to 12 */
	uint64_t	weekdays;		/* bits 0 to 6, from Sunday */
	bool		is_any_day;		/* the days of the month are unrestricted */
	bool		is_any_weekday; /* the days of the week are unrestricted */
} RsnCron;

/* The most days of each month, from 1. */
extern const int rsn_cron_days_in_month[13];

extern bool rsn_cron_parse(const char *text, size_t len, RsnCron *cron,
						   const char **reason);

#endif							/* RSN_CORE_CRON_H */
