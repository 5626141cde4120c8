/*-------------------------------------------------------------------------
 *
 * store/delete.c
 *	  Deleting history that others may not let go.
 *
 * Tables of others can refer to promises, and triggers of others can refuse to
 * have them deleted.  That concerns those promises alone: all others are deleted.
 * What is deleted was locked by store/prune.c, and is gone with its messages and awaiters
 * or not at all.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "commands/trigger.h"
#include "nodes/parsenodes.h"

#include "server/failure.h"
#include "store/internal.h"
#include "store/sql.h"

/*
 * How many promises are tried one by one that somebody has locked.  Each takes as
 * long as we wait for a lock, and a table that refers to promises can be locked as a
 * whole.
 */
#define LOCKED_MAX	10

/* Some promises that are to be deleted together. */
typedef struct Deletion
{
	text	  **ids;
	int			n;
} Deletion;

static RsnStatement delete_promises_stmt = {
	.name = "delete_promises",
	.sql = "DELETE FROM resonate.promises WHERE id" EQ "ANY ($1)",
	.spi_result = SPI_OK_DELETE,
	.cursor_options = PLAN_ONCE,
	ARGS(TEXTARRAYOID)
};

static RsnStatement delete_held_stmt = {
	.name = "delete_held",
	.sql = "WITH a AS (DELETE FROM resonate.awaiters w"
	" WHERE w.awaiter_id" EQ "ANY ($1))"
	" DELETE FROM resonate.messages m WHERE m.promise_id" EQ "ANY ($1)",
	.spi_result = SPI_OK_DELETE,
	.cursor_options = PLAN_ONCE,
	ARGS(TEXTARRAYOID)
};

/* With what is kept for them, which is locked. */
static void
delete_promises(void *arg)
{
	const Deletion *deletion = arg;
	RsnArgs		args = {0};

	Assert(deletion->n > 0);
	rsn_args_add_texts(&args, deletion->ids, deletion->n);
	if (rsn_store_exec(&delete_promises_stmt, &args) !=
		(uint64) deletion->n)
		rsn_store_refuse_left_out("promises");
	rsn_store_exec(&delete_held_stmt, &args);
}

/* Deletes all of these, or none; false for none, which may be for a lock. */
static bool
try_delete_promises(text *const *ids, int n, bool *is_locked)
{
	Deletion	deletion = {(text **) ids, n};
	ErrorData  *error = rsn_attempt(delete_promises, &deletion);
	RsnFailure	failure;

	*is_locked = false;
	if (error == NULL)
		return true;
	rsn_store_set_running(NULL);
	failure = rsn_failure_of(error->sqlerrcode);
	if (failure == RSN_FAILURE_PASSING)
		ReThrowError(error);
	FreeErrorData(error);
	*is_locked = failure == RSN_FAILURE_LOCKED;
	return false;
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
