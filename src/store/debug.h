/*-------------------------------------------------------------------------
 *
 * store/debug.h
 *	  All that is stored, for tests.
 *
 * For the debug.* requests of the wire protocol.
 *
 *-------------------------------------------------------------------------
 */
#ifndef RSN_STORE_DEBUG_H
#define RSN_STORE_DEBUG_H

#include "store/store.h"

typedef struct RsnDump
{
	RsnPromiseRow *promises;
	int			npromises;
	RsnTaskRow *tasks;			/* fulfilled ones included */
	int			ntasks;
	RsnMessageRow *messages;	/* of listeners */
	int			nmessages;
	Jsonb	   *rest;			/* members of the answer to debug.snap */
} RsnDump;

extern void rsn_store_debug_reset(void);
extern RsnDump rsn_store_debug_dump(void);

#endif							/* RSN_STORE_DEBUG_H */
