/*-------------------------------------------------------------------------
 *
 * store/await.h
 *	  Reading a promise between transactions, for the awaiting procedure.
 *
 *-------------------------------------------------------------------------
 */
#ifndef RSN_STORE_AWAIT_H
#define RSN_STORE_AWAIT_H

#include "core/promise.h"
#include "utils/jsonb.h"

typedef struct RsnAwaitResult
{
	int			status;			/* of get_promise */
	bool		is_pending;
	int64		timeout_at_ms;
	text	   *state;			/* NULL: no such promise */
	Jsonb	   *value;
} RsnAwaitResult;

extern void rsn_store_await_begin(void);
extern void rsn_store_await_read(text *id, RsnAwaitResult *awaited);
extern void rsn_store_await_commit(void);
extern void rsn_store_await_end(void);

#endif							/* RSN_STORE_AWAIT_H */
