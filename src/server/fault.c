/*-------------------------------------------------------------------------
 *
 * server/fault.c
 *	  Faults on demand, for tests.
 *
 * Whatever happens to a call between two of its writes, either all of them must
 * come to pass or none.  A test sets resonate.fault_point to
 *
 *		{error | exit | panic} {before | after | commit} N
 *
 * and the session then has that fault, once: an error, its own end, or the end of
 * the whole server, before or after the N-th write that the store does from then
 * on, or in the commit of a transaction that ends with N writes or more.  A write
 * is a row, or a statement, whether it finds anything to change or not.
 *
 * There is none of this, the parameter included, unless assertions are on.  The
 * parameter is in no list of parameters, which are the same in every build.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/xact.h"
#include "utils/guc.h"

#include "server/compat.h"
#include "server/fault.h"

#ifdef USE_ASSERT_CHECKING

typedef enum FaultPlace
{
	FAULT_BEFORE,
	FAULT_AFTER,
	FAULT_COMMIT
} FaultPlace;

typedef struct Fault
{
	int			elevel;
	FaultPlace	place;
	int			nth;			/* zero: there will be none */
} Fault;

static const char *const place_names[] = {
	[FAULT_BEFORE] = "before",
	[FAULT_AFTER] = "after",
	[FAULT_COMMIT] = "commit"
};

static char *fault_point_text = NULL;
static Fault next_fault = {0};
static int	nwrites = 0;		/* since it was set */

static bool
parse_action(const char *name, int *elevel)
{
	if (strcmp(name, "error") == 0)
		*elevel = ERROR;
	else if (strcmp(name, "exit") == 0)
		*elevel = FATAL;
	else if (strcmp(name, "panic") == 0)
		*elevel = PANIC;
	else
		return false;
	return true;
}

static bool
parse_place(const char *name, FaultPlace *place)
{
	for (int i = 0; i < (int) lengthof(place_names); i++)
	{
		if (strcmp(name, place_names[i]) == 0)
		{
			*place = (FaultPlace) i;
			return true;
		}
	}
	return false;
}

static bool
parse_fault(const char *source, Fault *fault)
{
	char		action[8];
	char		place[8];
	char		rest;

	return sscanf(source, "%7s %7s %d%c", action, place, &fault->nth, &rest) == 3 &&
		fault->nth > 0 && parse_action(action, &fault->elevel) &&
		parse_place(place, &fault->place);
}

static bool
check_fault_point(char **newval, void **extra, GucSource source)
{
	Fault		fault = {0};

	if (*newval != NULL && **newval != '\0' && !parse_fault(*newval, &fault))
	{
		GUC_check_errdetail("A fault point is error, exit or panic; before, after or commit; and a number.");
		return false;
	}
	*extra = rsn_guc_malloc(sizeof(Fault));
	if (*extra == NULL)
		return false;
	memcpy(*extra, &fault, sizeof(Fault));
	return true;
}

/* Also when the transaction is rolled back that has set it. */
static void
assign_fault_point(const char *newval, void *extra)
{
	memcpy(&next_fault, extra, sizeof(Fault));
	nwrites = 0;
}

/*
 * Fails if the fault is here.  The error is one that no caller may take for the
 * fault of the row, as it would come from the write itself.
 */
static void
fail_at(FaultPlace place)
{
	int			elevel = next_fault.elevel;

	if (next_fault.nth == 0 || next_fault.place != place)
		return;
	if (place == FAULT_COMMIT ? nwrites < next_fault.nth
		: nwrites != next_fault.nth)
		return;
	next_fault.nth = 0;
	ereport(elevel,
			(errcode(ERRCODE_DISK_FULL),
			 errmsg("fault point: %s write %d", place_names[place], nwrites)));
}

/* To be called before each write. */
void
rsn_fault_before_write(void)
{
	nwrites++;
	fail_at(FAULT_BEFORE);
}

/* To be called after each write. */
void
rsn_fault_after_write(void)
{
	fail_at(FAULT_AFTER);
}

static void
xact_callback(XactEvent event, void *arg)
{
	if (event == XACT_EVENT_PRE_COMMIT)
		fail_at(FAULT_COMMIT);
}

/* Registers the parameter and the callback. */
void
rsn_fault_init(void)
{
	DefineCustomStringVariable("resonate.fault_point",
							   "Sets where the session fails, once.",
							   "Only in builds with assertions.",
							   &fault_point_text, "",
							   PGC_SUSET, GUC_NOT_IN_SAMPLE | GUC_NO_SHOW_ALL,
							   check_fault_point, assign_fault_point, NULL);
	RegisterXactCallback(xact_callback, NULL);
}

#endif							/* USE_ASSERT_CHECKING */
