/*-------------------------------------------------------------------------
 *
 * worker/deliver.h
 *	  Messages on their way: NOTIFY by the worker.
 *
 *-------------------------------------------------------------------------
 */
#ifndef RSN_WORKER_DELIVER_H
#define RSN_WORKER_DELIVER_H

#include "store/store.h"

typedef struct RsnDelivered
{
	int			processed;		/* messages that are no longer due */
	int			notified;
	int			failed;			/* set aside until the retry interval is over */
	bool		has_more;		/* messages or tasks that are due */
	bool		has_busy;		/* tasks that are due and others work on */
} RsnDelivered;

/* What to deliver, and whom to tell that there is something to dequeue. */
typedef enum RsnDeliveryScope
{
	RSN_DELIVER_NEWS,			/* all that is due; who has something new
								 * since he was told */
	RSN_DELIVER_RECENT,			/* and who has something from the last
								 * moments: more of the same instant can have
								 * been committed since */
	RSN_DELIVER_HANDED			/* only what was handed over: no rows are
								 * looked for */
} RsnDeliveryScope;

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

extern void rsn_delivery_set_scope(RsnDeliveryScope scope);
extern RsnDeliveryScope rsn_delivery_take_scope(void);
extern RsnDelivered rsn_delivery_notify(int64 now_ms, int limit,
										text *const *set_aside,
										int nset_aside);
extern RsnDelivered rsn_delivery_notify_one(text *promise_id, int64 now_ms);

/* worker/offer.c */
extern void rsn_delivery_init(void);
extern RsnDelivered rsn_delivery_offer(int64 now_ms, int limit,
									   text *const *set_aside, int nset_aside,
									   RsnOfferPosition *position);
extern RsnDelivered rsn_delivery_offer_one(text *id, int64 now_ms);

#endif							/* RSN_WORKER_DELIVER_H */
