/*-------------------------------------------------------------------------
 *
 * server/failure.h
 *	  Trying what may fail, and what an error says about it.
 *
 *-------------------------------------------------------------------------
 */
#ifndef RSN_SERVER_FAILURE_H
#define RSN_SERVER_FAILURE_H

typedef enum RsnFailure
{
	RSN_FAILURE_LOCKED,			/* somebody works on it: come back soon */
	RSN_FAILURE_PASSING,		/* of the transaction, the session or the
								 * server: come back later */
	RSN_FAILURE_ROW				/* of what was tried: it fails again */
} RsnFailure;

/* What is tried; the argument is its own. */
typedef void (*RsnAttempt) (void *arg);

extern RsnFailure rsn_failure_of(int sqlstate);
extern ErrorData *rsn_attempt(RsnAttempt attempt, void *arg);

#endif							/* RSN_SERVER_FAILURE_H */
