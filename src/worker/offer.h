/*-------------------------------------------------------------------------
 *
 * worker/offer.h
 *	  Who is told that there is something to dequeue, and when.
 *
 *-------------------------------------------------------------------------
 */
#ifndef RSN_WORKER_OFFER_H
#define RSN_WORKER_OFFER_H

#include "worker/deliver.h"

/*
 * Where to look for offers.  What becomes due by the clock is found in the order of
 * time; what commits have not said the address of, by a walk over all addresses.
 */
typedef struct RsnOfferPosition
{
	int64		from_ms;		/* by time, from here on */
	bool		must_walk;		/* from the start, after a walk under way */
	bool		is_walking;
	RsnKeyMark	walked_to[RSN_WAITING_NKINDS];	/* addresses */
	bool		is_at_end[RSN_WAITING_NKINDS];
	int64		walk_anew_at_ms;	/* whatever was told */
} RsnOfferPosition;

extern void rsn_offer_init(void);
extern RsnDelivered rsn_offer_tasks(int64 now_ms, int limit,
									text *const *set_aside, int nset_aside,
									RsnOfferPosition *position);
extern RsnDelivered rsn_offer_one(text *id, int64 now_ms);

#endif							/* RSN_WORKER_OFFER_H */
