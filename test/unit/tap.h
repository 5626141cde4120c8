/*-------------------------------------------------------------------------
 *
 * tap.h
 *	  The little of the Test Anything Protocol that the unit tests need.
 *
 * A test is opened, holds any number of expectations, and is closed.  It
 * fails when one of them does; the first few are explained.
 *
 *-------------------------------------------------------------------------
 */
#ifndef RSN_TAP_H
#define RSN_TAP_H

#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>

#define TAP_EXPLAINED_MAX 5

typedef struct Tap
{
	int			ntests;
	int			nfailed;
	long		nexpectations;	/* of the open test */
	long		nbroken;		/* of the open test */
} Tap;

static Tap	tap;

/* Makes every line leave at once, so that an abort shows where it was. */
static void
tap_start(void)
{
	setvbuf(stdout, NULL, _IOLBF, 0);
}

/* Memory for exactly so many bytes, so that a sanitizer sees who reads beyond. */
static inline void *
tap_alloc(size_t size)
{
	void	   *result = malloc(size > 0 ? size : 1);

	if (result == NULL)
	{
		printf("Bail out! out of memory\n");
		exit(1);
	}
	return result;
}

/* Opens a test. */
static void
tap_begin(void)
{
	tap.nexpectations = 0;
	tap.nbroken = 0;
}

/* Holds the open test to a condition, explained by the rest when broken. */
__attribute__((format(printf, 2, 3)))
static void
tap_expect(bool is_met, const char *format,...)
{
	va_list		args;

	tap.nexpectations++;
	if (is_met || ++tap.nbroken > TAP_EXPLAINED_MAX)
		return;
	printf("# ");
	va_start(args, format);
	vprintf(format, args);
	va_end(args);
	printf("\n");
}

/* Closes the open test under a name; one that expected nothing has failed. */
__attribute__((format(printf, 1, 2)))
static void
tap_end(const char *format,...)
{
	bool		is_met = tap.nbroken == 0 && tap.nexpectations > 0;
	va_list		args;

	tap.ntests++;
	if (!is_met)
	{
		tap.nfailed++;
		printf("# %ld of %ld expectations broken\n", tap.nbroken,
			   tap.nexpectations);
	}
	printf("%s %d - ", is_met ? "ok" : "not ok", tap.ntests);
	va_start(args, format);
	vprintf(format, args);
	va_end(args);
	printf("\n");
}

/* Prints the plan and returns the exit status of the program. */
static int
tap_finish(void)
{
	printf("1..%d\n", tap.ntests);
	return tap.nfailed == 0 ? 0 : 1;
}

#endif							/* RSN_TAP_H */
