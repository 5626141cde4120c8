/*-------------------------------------------------------------------------
 *
 * delivery.h
 *	  Messages on their way: NOTIFY, receive and acknowledge.
 *
 *-------------------------------------------------------------------------
 */
#ifndef RSN_DELIVERY_H
#define RSN_DELIVERY_H

#include "store.h"

typedef struct RsnDelivered
{
	int			processed;		/* messages that are no longer due */
	int			notified;
	int			failed;			/* set aside until the retry interval is over */
} RsnDelivered;

extern RsnDelivered rsn_delivery_notify(int64 now_ms, int limit);
extern int	rsn_delivery_receive(text *address, int limit, int64 now_ms,
								 int64 visible_at_ms, RsnMessageRow **rows);
extern bool rsn_delivery_acknowledge(RsnCallbackKind kind, text *promise_id,
									 text *callback_id);
extern int	rsn_delivery_dequeue_unblock(text *address, int limit,
										 int64 now_ms, RsnMessageRow **rows);
extern char *rsn_delivery_channel(const text *address);
extern RsnDelivered rsn_delivery_offer(int64 now_ms, int limit);
extern void rsn_delivery_retell_recent(void);

#endif							/* RSN_DELIVERY_H */
