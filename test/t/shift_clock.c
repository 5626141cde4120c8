/*-------------------------------------------------------------------------
 *
 * shift_clock.c
 *	  A time of day for tests that can be set: see 064_background.pl.
 *
 * To be loaded before the C library.  What gettimeofday returns is shifted by the
 * seconds that the file $RSN_CLOCK_SHIFT contains, which can change at any time.
 *
 *-------------------------------------------------------------------------
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/time.h>

static long
read_shift(void)
{
	const char *path = getenv("RSN_CLOCK_SHIFT");
	FILE	   *file = path == NULL ? NULL : fopen(path, "r");
	long		shift_s = 0;

	if (file != NULL)
	{
		if (fscanf(file, "%ld", &shift_s) != 1)
			shift_s = 0;
		fclose(file);
	}
	return shift_s;
}

int
gettimeofday(struct timeval *restrict now, void *restrict zone)
{
	static int	(*original) (struct timeval *, void *) = NULL;
	int			result;

	if (original == NULL)
		original = (int (*) (struct timeval *, void *)) dlsym(RTLD_NEXT, "gettimeofday");
	result = original(now, zone);
	now->tv_sec += read_shift();
	return result;
}
