/*-------------------------------------------------------------------------
 *
 * server/zone.c
 *	  The server's time zones, for schedules.
 *
 * This file hands the server's time zone database to the evaluation of cron
 * expressions.  Nothing here depends on the session's time zone.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "pgtime.h"

#include "server/zone.h"

/* The offset of a pg_tz, as RsnZone wants it. */
static int32_t
offset_at(const void *arg, int64_t utc_s, int64_t *next_change_s)
{
	const pg_tz *tz = arg;
	pg_time_t	at = utc_s;
	pg_time_t	boundary;
	long int	offset;
	long int	other_offset;
	int			is_dst;
	int			found;

	*next_change_s = INT64_MAX;
	found = pg_next_dst_boundary(&at, &offset, &is_dst, &boundary,
								 &other_offset, &is_dst, tz);

	/* Cannot happen, says the server; then it is as good as UTC. */
	if (found < 0)
		return 0;

	/*
	 * At the very last change that the server has tabulated it finds no other
	 * one, even where the rules go on for ever; a second later it does.
	 */
	if (found == 0)
	{
		long int	same_offset;

		at++;
		found = pg_next_dst_boundary(&at, &same_offset, &is_dst, &boundary,
									 &other_offset, &is_dst, tz);
	}
	if (found > 0 && boundary > utc_s)
		*next_change_s = boundary;
	return (int32_t) offset;
}

/* True when the name has only what the names of the database have. */
static bool
is_plausible(const char *name)
{
	return name[0] != '\0' &&
		name[strspn(name, "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
					"abcdefghijklmnopqrstuvwxyz0123456789_+-/")] == '\0';
}

/*
 * True when the canonical name may be a POSIX specification such as EST5EDT.
 * Those always have a digit, and the server makes them upper case, while it
 * gives a name of the database back as it is written there.
 */
static bool
may_be_posix(const char *canonical)
{
	return strpbrk(canonical, "0123456789") != NULL &&
		strpbrk(canonical, "abcdefghijklmnopqrstuvwxyz") == NULL;
}

/*
 * Finds the time zone of a name in the server's database, one of those in
 * pg_timezone_names, in any case; false when there is none.
 *
 * Specifications in the style of POSIX are refused, although SET TimeZone
 * takes them: hardly anyone means what they mean.  The few names of the
 * database that look the same (EST5EDT, CST6CDT, MST7MDT, PST8PDT, GMT0,
 * GMT+0 and GMT-0) are refused with them, but Etc/GMT+5 is not.  So are
 * abbreviations, unless the database has a zone of that name, such as CET, and
 * zones with leap seconds, which the server itself does not support.
 *
 * The result is valid as long as the process lives.
 */
bool
rsn_zone_find(const char *name, RsnZone *zone)
{
	pg_tz	   *tz;

	if (name == NULL || !is_plausible(name))
		return false;
	tz = pg_tzset(name);
	if (tz == NULL || !pg_tz_acceptable(tz) ||
		may_be_posix(pg_get_timezone_name(tz)))
		return false;
	zone->offset_at = offset_at;
	zone->arg = tz;
	return true;
}
