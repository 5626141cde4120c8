/*-------------------------------------------------------------------------
 *
 * delivery.h
 *	  Messages on their way: NOTIFY, receive and acknowledge.
 *
 *-------------------------------------------------------------------------
 */
#ifndef RSN_DELIVERY_H
#define RSN_DELIVERY_H

#include "handoff.h"
#include "store.h"

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

extern void rsn_delivery_init(void);
extern void rsn_delivery_take(RsnSlot *slot);
extern bool rsn_delivery_drop(RsnHandoffKind kind, bool is_all);
extern bool rsn_delivery_has(RsnHandoffKind kind);
extern text *rsn_delivery_first(RsnHandoffKind kind);
extern void rsn_delivery_pass_first(RsnHandoffKind kind, bool must_keep);
extern bool rsn_delivery_has_put_by(void);
extern void rsn_delivery_take_put_by(void);
extern void rsn_delivery_set_scope(RsnDeliveryScope scope);
extern RsnDelivered rsn_delivery_notify(int64 now_ms, int limit,
										text *const *set_aside,
										int nset_aside);
extern RsnDelivered rsn_delivery_notify_one(text *promise_id, int64 now_ms);
extern int	rsn_delivery_receive(text *address, int limit, int64 now_ms,
								 int64 visible_at_ms, RsnMessageRow **rows);
extern bool rsn_delivery_acknowledge(RsnCallbackKind kind, text *promise_id,
									 text *callback_id);
extern int	rsn_delivery_dequeue_unblock(text *address, int limit,
										 int64 now_ms, RsnMessageRow **rows);
extern int	rsn_delivery_expire(int64 now_ms, int limit);
extern char *rsn_delivery_channel(const text *address);
extern RsnDelivered rsn_delivery_offer(int64 now_ms, int limit,
									   text *const *set_aside,
									   int nset_aside);
extern RsnDelivered rsn_delivery_offer_one(text *id, int64 now_ms);

#endif							/* RSN_DELIVERY_H */
