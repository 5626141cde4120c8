/*-------------------------------------------------------------------------
 *
 * failure.h
 *	  What an error says about what was tried.
 *
 *-------------------------------------------------------------------------
 */
#ifndef RSN_FAILURE_H
#define RSN_FAILURE_H

typedef enum RsnFailure
{
	RSN_FAILURE_LOCKED,			/* somebody works on it: come back soon */
	RSN_FAILURE_PASSING,		/* of the transaction, the session or the
								 * server: come back later */
	RSN_FAILURE_ROW				/* of what was tried: it fails again */
} RsnFailure;

extern RsnFailure rsn_failure_of(int sqlstate);

#endif							/* RSN_FAILURE_H */
