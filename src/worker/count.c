/*-------------------------------------------------------------------------
 *
 * worker/count.c
 *	  What the transactions of steps count.
 *
 * It reaches the counters of the slot when the transaction commits, and not before.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/xact.h"
#include "miscadmin.h"

#include "worker/count.h"

/* What this transaction has counted, which counts if it commits. */
static RsnCounts uncounted;

/* Adds to what this transaction has counted. */
void
rsn_count_add(RsnCounter counter, int n)
{
	Assert(n >= 0);
	Assert(IsTransactionState());

	/* So that at the end of the transaction there is no more to look up. */
	(void) rsn_slot_for(MyDatabaseId);
	uncounted.n[counter] += n;
}

/* What it has counted, for who takes back a part of the transaction. */
RsnCounts
rsn_count_current(void)
{
	return uncounted;
}

/* Forgets what was counted since. */
void
rsn_count_restore(const RsnCounts *counts)
{
	uncounted = *counts;
}

static void
xact_callback(XactEvent event, void *arg)
{
	if (event == XACT_EVENT_COMMIT)
	{
		for (int i = 0; i < RSN_NCOUNTERS; i++)
		{
			if (uncounted.n[i] > 0)
				rsn_slot_count((RsnCounter) i, uncounted.n[i]);
		}
	}
	if (event == XACT_EVENT_COMMIT || event == XACT_EVENT_ABORT ||
		event == XACT_EVENT_PREPARE)
		memset(&uncounted, 0, sizeof(uncounted));
}

/* Registers the callback, once for the life of the backend. */
void
rsn_count_init(void)
{
	RegisterXactCallback(xact_callback, NULL);
}
