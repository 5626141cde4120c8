/*-------------------------------------------------------------------------
 *
 * preload.h
 *	  What is sent along with a task to save its holder round trips.
 *
 *-------------------------------------------------------------------------
 */
#ifndef RSN_PRELOAD_H
#define RSN_PRELOAD_H

#include "store.h"

extern int	rsn_preload(const RsnPromiseRow *promise, int64 now_ms,
						RsnPromiseRow **rows);

#endif							/* RSN_PRELOAD_H */
