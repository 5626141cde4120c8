/*-------------------------------------------------------------------------
 *
 * server/failure.c
 *	  Trying what may fail, and what an error says about it.
 *
 * One classification for all who run background steps: the worker, who sets aside
 * what fails, and the callers of process_timeouts(), who leave it to the worker.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/xact.h"
#include "utils/resowner.h"

#include "server/failure.h"

static bool
is_locked(int sqlstate)
{
	return sqlstate == ERRCODE_LOCK_NOT_AVAILABLE ||
		sqlstate == ERRCODE_T_R_DEADLOCK_DETECTED ||
		sqlstate == ERRCODE_T_R_SERIALIZATION_FAILURE;
}

/* Classifies an error by its SQLSTATE. */
RsnFailure
rsn_failure_of(int sqlstate)
{
	if (is_locked(sqlstate))
		return RSN_FAILURE_LOCKED;
	switch (ERRCODE_TO_CATEGORY(sqlstate))
	{
		case ERRCODE_CONNECTION_EXCEPTION:
		case ERRCODE_INVALID_TRANSACTION_STATE:
		case ERRCODE_TRANSACTION_ROLLBACK:
		case ERRCODE_INSUFFICIENT_RESOURCES:
		case ERRCODE_OPERATOR_INTERVENTION:
		case ERRCODE_SYSTEM_ERROR:
			return RSN_FAILURE_PASSING;
		default:
			return RSN_FAILURE_ROW;
	}
}

/*
 * Tries something in a subtransaction; if it fails, takes it back and returns the
 * error, else NULL.
 */
ErrorData *
rsn_attempt(RsnAttempt attempt, void *arg)
{
	MemoryContext context = CurrentMemoryContext;
	ResourceOwner owner = CurrentResourceOwner;
	ErrorData  *volatile error = NULL;

	BeginInternalSubTransaction(NULL);
	MemoryContextSwitchTo(context);
	PG_TRY();
	{
		attempt(arg);
		ReleaseCurrentSubTransaction();
	}
	PG_CATCH();
	{
		MemoryContextSwitchTo(context);
		error = CopyErrorData();
		FlushErrorState();
		RollbackAndReleaseCurrentSubTransaction();
	}
	PG_END_TRY();
	MemoryContextSwitchTo(context);
	CurrentResourceOwner = owner;
	return error;
}
