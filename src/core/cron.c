/*-------------------------------------------------------------------------
 *
 * core/cron.c
 *	  The text of a cron expression, and what it matches.
 *
 * This file owns the dialect, as core/cron.h states it.  It must not include a
 * PostgreSQL header, allocate, or look beyond the given length.
 *
 *-------------------------------------------------------------------------
 */
#include "core/cron.h"

#include <string.h>

/* A piece of the text that is still to be read. */
typedef struct Span
{
	const char *data;
	size_t		len;
} Span;

/* What a field may hold. */
typedef struct Field
{
	int			min;
	int			max;
	int			nnames;
	const char *const *names;	/* of min and the numbers that follow it */
	bool		is_day;			/* of the month or of the week */
	const char *reason;			/* why something is not a number of it */
} Field;

typedef enum FieldKind
{
	FIELD_SECOND,
	FIELD_MINUTE,
	FIELD_HOUR,
	FIELD_DAY,
	FIELD_MONTH,
	FIELD_WEEKDAY
} FieldKind;

#define NFIELDS 6

static const char *const month_names[12] = {
	"january", "february", "march", "april", "may", "june", "july",
	"august", "september", "october", "november", "december"
};

static const char *const weekday_names[7] = {
	"sunday", "monday", "tuesday", "wednesday", "thursday", "friday",
	"saturday"
};

static const Field fields[NFIELDS] = {
	{0, 59, 0, NULL, false, "A second is a number from 0 to 59."},
	{0, 59, 0, NULL, false, "A minute is a number from 0 to 59."},
	{0, 23, 0, NULL, false, "An hour is a number from 0 to 23."},
	{1, 31, 0, NULL, true, "A day of the month is a number from 1 to 31."},
	{1, 12, 12, month_names, false,
	"A month is a number from 1 to 12, or an English name."},
	{0, 7, 7, weekday_names, true,
	"A day of the week is a number from 0 to 7, or an English name."}
};

static const struct
{
	const char *name;
	const char *expression;
}			descriptors[] = {
	{"@yearly", "0 0 1 1 *"},
	{"@annually", "0 0 1 1 *"},
	{"@monthly", "0 0 1 * *"},
	{"@weekly", "0 0 * * 0"},
	{"@daily", "0 0 * * *"},
	{"@midnight", "0 0 * * *"},
	{"@hourly", "0 * * * *"}
};

#define NDESCRIPTORS (sizeof(descriptors) / sizeof(descriptors[0]))

/* The most days that a month can have; the first is of no month. */
const int	rsn_cron_days_in_month[13] = {
	0, 31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31
};

static bool
is_blank(char c)
{
	return c == ' ' || c == '\t';
}

static bool
is_digit(char c)
{
	return c >= '0' && c <= '9';
}

/* True when the span is the lower-case name, in any case of ASCII. */
static bool
equals_name(Span span, const char *name, size_t name_len)
{
	if (span.len != name_len)
		return false;
	for (size_t i = 0; i < name_len; i++)
	{
		char		c = span.data[i];

		if (c >= 'A' && c <= 'Z')
			c = (char) (c - 'A' + 'a');
		if (c != name[i])
			return false;
	}
	return true;
}

/* True when the span is exactly that byte. */
static bool
equals_byte(Span span, char byte)
{
	return span.len == 1 && span.data[0] == byte;
}

/*
 * Takes the piece before the first stop byte off the span, and the stop with
 * it; returns false, and takes all, when there is none.
 */
static bool
split_at(Span *span, char stop, Span *piece)
{
	const char *found = NULL;

	if (span->len > 0)
		found = memchr(span->data, stop, span->len);
	*piece = *span;
	if (found == NULL)
	{
		span->len = 0;
		return false;
	}
	piece->len = (size_t) (found - span->data);
	span->data += piece->len + 1;
	span->len -= piece->len + 1;
	return true;
}

/* Takes the next field off the span; false when only blanks are left. */
static bool
take_field(Span *span, Span *piece)
{
	while (span->len > 0 && is_blank(span->data[0]))
	{
		span->data++;
		span->len--;
	}
	piece->data = span->data;
	piece->len = 0;
	while (span->len > 0 && !is_blank(span->data[0]))
	{
		span->data++;
		span->len--;
		piece->len++;
	}
	return piece->len > 0;
}

/* Reads a decimal number from min to max; false when it is none. */
static bool
parse_number(Span span, int min, int max, int *number)
{
	int			value = 0;

	if (span.len == 0)
		return false;
	for (size_t i = 0; i < span.len; i++)
	{
		if (!is_digit(span.data[i]))
			return false;
		value = value * 10 + (span.data[i] - '0');
		if (value > max)
			return false;
	}
	*number = value;
	return value >= min;
}

/* Reads a number or a name of the field; false when it is neither. */
static bool
parse_value(Span span, const Field *field, int *value)
{
	for (int i = 0; i < field->nnames; i++)
	{
		const char *name = field->names[i];

		if (equals_name(span, name, 3) ||
			equals_name(span, name, strlen(name)))
		{
			*value = field->min + i;
			return true;
		}
	}
	return parse_number(span, field->min, field->max, value);
}

/* Reads a-b; returns the reason why it is none, or NULL. */
static const char *
parse_range(Span from, Span to, const Field *field, int *first, int *last)
{
	if (!parse_value(from, field, first) || !parse_value(to, field, last))
		return field->reason;

	/* The only name for 0 is that of Sunday, which can also end the week. */
	if (*last == 0 && *first > 0 && !is_digit(to.data[0]))
		*last = 7;
	if (*last < *first)
		return "A range does not end before it starts.";
	return NULL;
}

/* Adds an element of a list to the set; returns why it is none, or NULL. */
static const char *
parse_element(Span element, const Field *field, uint64_t *set)
{
	Span		base;
	Span		from;
	bool		has_step = split_at(&element, '/', &base);
	int			first = field->min;
	int			last = field->max;
	int			step = 1;

	if (equals_byte(base, '?') && !field->is_day)
		return "Only the two fields for days may be \"?\".";
	if (!equals_byte(base, '*') && !equals_byte(base, '?'))
	{
		if (split_at(&base, '-', &from))
		{
			const char *reason = parse_range(from, base, field, &first, &last);

			if (reason != NULL)
				return reason;
		}
		else if (!parse_value(from, field, &first))
			return field->reason;
		else if (!has_step)
			last = first;
	}
	if (has_step && !parse_number(element, 1, field->max, &step))
		return "A step is a number from 1 to the greatest of the field.";

	for (int i = first; i <= last; i += step)
		*set |= UINT64_C(1) << i;
	return NULL;
}

/* Makes the set of a field; returns why it is none, or NULL. */
static const char *
parse_field(Span span, const Field *field, uint64_t *set)
{
	bool		has_more;

	*set = 0;
	do
	{
		Span		element;
		const char *reason;

		has_more = split_at(&span, ',', &element);
		if (element.len == 0)
			return "A list has no empty element.";
		reason = parse_element(element, field, set);
		if (reason != NULL)
			return reason;
	} while (has_more);
	return NULL;
}

/* True when there is a day that the expression matches. */
static bool
is_possible(const RsnCron *cron)
{
	/* Every day of the week comes in every month. */
	if (!cron->is_any_weekday)
		return true;
	for (int month = 1; month <= 12; month++)
	{
		uint64_t	exists = (UINT64_C(2) << rsn_cron_days_in_month[month]) - 1;

		if ((cron->months >> month & 1) != 0 && (cron->days & exists) != 0)
			return true;
	}
	return false;
}

/* Reads fields; returns why they are no expression, or NULL. */
static const char *
parse_fields(Span span, RsnCron *cron)
{
	Span		pieces[NFIELDS];
	Span		piece;
	uint64_t	sets[NFIELDS] = {1};
	int			npieces = 0;
	int			skipped;

	for (; take_field(&span, &piece); npieces++)
	{
		if (npieces < NFIELDS)
			pieces[npieces] = piece;
	}
	skipped = NFIELDS - npieces;
	if (skipped != 0 && skipped != 1)
		return "A cron expression has five fields, or six that start with the seconds.";

	for (int i = skipped; i < NFIELDS; i++)
	{
		const char *reason = parse_field(pieces[i - skipped], &fields[i],
										 &sets[i]);

		if (reason != NULL)
			return reason;
	}

	piece = pieces[FIELD_DAY - skipped];
	cron->is_any_day = equals_byte(piece, '*') || equals_byte(piece, '?');
	piece = pieces[FIELD_WEEKDAY - skipped];
	cron->is_any_weekday = equals_byte(piece, '*') || equals_byte(piece, '?');

	cron->seconds = sets[FIELD_SECOND];
	cron->minutes = sets[FIELD_MINUTE];
	cron->hours = sets[FIELD_HOUR];
	cron->days = sets[FIELD_DAY];
	cron->months = sets[FIELD_MONTH];
	cron->weekdays = (sets[FIELD_WEEKDAY] | sets[FIELD_WEEKDAY] >> 7) & 0x7f;
	if (!is_possible(cron))
		return "No month of the expression has a day of it.";
	return NULL;
}

/* Reads an expression or a descriptor; returns why it is none, or NULL. */
static const char *
parse_text(Span span, RsnCron *cron)
{
	Span		rest = span;
	Span		name;

	if (span.len > RSN_CRON_LEN_MAX)
		return "A cron expression has at most 255 bytes.";
	if (!take_field(&rest, &name))
		return "A cron expression is not empty.";
	if (memchr(span.data, '\0', span.len) != NULL)
		return "A cron expression has no zero byte.";
	if (name.data[0] != '@')
		return parse_fields(span, cron);

	for (size_t i = 0; i < NDESCRIPTORS; i++)
	{
		Span		fields_span;

		if (!equals_name(name, descriptors[i].name,
						 strlen(descriptors[i].name)))
			continue;
		if (take_field(&rest, &name))
			return "Nothing follows a descriptor.";
		fields_span.data = descriptors[i].expression;
		fields_span.len = strlen(fields_span.data);
		return parse_fields(fields_span, cron);
	}
	return "The descriptors are @yearly, @annually, @monthly, @weekly, @daily, @midnight and @hourly.";
}

/*
 * Parses an expression; text may be NULL when len is zero.  If it is none, the
 * reason is a sentence for DETAIL and the result is left alone.
 */
bool
rsn_cron_parse(const char *text, size_t len, RsnCron *cron,
			   const char **reason)
{
	RsnCron		parsed = {0};
	Span		span;

	span.data = text;
	span.len = len;
	*reason = parse_text(span, &parsed);
	if (*reason != NULL)
		return false;
	*cron = parsed;
	return true;
}
