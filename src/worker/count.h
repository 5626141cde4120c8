/*-------------------------------------------------------------------------
 *
 * worker/count.h
 *	  What the transactions of steps count.
 *
 *-------------------------------------------------------------------------
 */
#ifndef RSN_WORKER_COUNT_H
#define RSN_WORKER_COUNT_H

#include "signal/slot.h"

/* What a transaction has counted, by RsnCounter. */
typedef struct RsnCounts
{
	uint64		n[RSN_NCOUNTERS];
} RsnCounts;

extern void rsn_count_init(void);
extern void rsn_count_add(RsnCounter counter, int n);
extern RsnCounts rsn_count_current(void);
extern void rsn_count_restore(const RsnCounts *counts);

#endif							/* RSN_WORKER_COUNT_H */
