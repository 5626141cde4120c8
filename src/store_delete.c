/*-------------------------------------------------------------------------
 *
 * store_delete.c
 *	  Deleting history that others may not let go.
 *
 * Tables of others can refer to promises, and triggers of others can refuse to
 * have them deleted.  That concerns those promises alone: all others are deleted.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/xact.h"
#include "commands/trigger.h"
#include "nodes/parsenodes.h"
#include "utils/memutils.h"
#include "utils/resowner.h"

#include "failure.h"
#include "store_plan.h"

/*
 * How many promises are tried one by one that somebody has locked.  Each takes as
 * long as we wait for a lock, and a table that refers to promises can be locked as a
 * whole.
 */
#define LOCKED_MAX	10

/* With what is kept for them, which is locked. */
static void
delete_promises(text *const *ids, int n)
{
	RsnArgs		args = {0};

	rsn_args_add_texts(&args, ids, n);
	rsn_store_exec(RSN_QUERY_DELETE_PROMISES, &args);
	rsn_store_exec(RSN_QUERY_DELETE_HELD, &args);
}

/* Deletes all of these, or none; false for none, which may be for a lock. */
static bool
try_delete_promises(text *const *ids, int n, bool *is_locked)
{
	MemoryContext context = CurrentMemoryContext;
	ResourceOwner owner = CurrentResourceOwner;
	volatile bool is_done = false;
	volatile RsnFailure failure = RSN_FAILURE_ROW;

	BeginInternalSubTransaction(NULL);
	MemoryContextSwitchTo(context);
	PG_TRY();
	{
		delete_promises(ids, n);
		ReleaseCurrentSubTransaction();
		is_done = true;
	}
	PG_CATCH();
	{
		ErrorData  *error;

		MemoryContextSwitchTo(context);
		error = CopyErrorData();
		FlushErrorState();
		RollbackAndReleaseCurrentSubTransaction();
		rsn_store_note_failed();
		failure = rsn_failure_of(error->sqlerrcode);
		if (failure == RSN_FAILURE_PASSING)
			ReThrowError(error);
		FreeErrorData(error);
	}
	PG_END_TRY();
	MemoryContextSwitchTo(context);
	CurrentResourceOwner = owner;
	*is_locked = failure == RSN_FAILURE_LOCKED;
	return is_done;
}

/*
 * Deletes locked promises, but for those that others hold; returns how many.  Where
 * others have locked too much, the rest is left as it is.
 */
int
rsn_store_delete_promises(text *const *ids, int n)
{
	bool		is_locked;
	int			nlocked = 0;
	int			ndeleted = 0;

	if (n == 0)
		return 0;
	if (try_delete_promises(ids, n, &is_locked))
		return n;
	for (int i = 0; i < n && n > 1 && nlocked < LOCKED_MAX; i++)
	{
		if (try_delete_promises(&ids[i], 1, &is_locked))
			ndeleted++;
		nlocked += is_locked ? 1 : 0;
	}
	return ndeleted;
}

/*
 * Has constraints that are deferred checked at once in this transaction, so that who
 * is held by one is known before the end of all.
 */
void
rsn_store_check_at_once(void)
{
	AfterTriggerSetState(makeNode(ConstraintsSetStmt));
}
