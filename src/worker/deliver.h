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

/* What to deliver, and which addresses to tell that there is something to dequeue. */
typedef enum RsnDeliverScope
{
	RSN_DELIVER_NEWS,			/* all that is due; who has something new
								 * since it was told */
	RSN_DELIVER_RECENT,			/* and who has something from the last
								 * moments: more of the same instant can have
								 * been committed since */
	RSN_DELIVER_HANDED			/* only what was handed over: no rows are
								 * looked for */
} RsnDeliverScope;

extern void rsn_deliver_set_scope(RsnDeliverScope scope);
extern RsnDeliverScope rsn_deliver_take_scope(void);
extern RsnDelivered rsn_deliver_messages(int64 now_ms, int limit,
										 text *const *set_aside,
										 int nset_aside);
extern RsnDelivered rsn_deliver_messages_of(text *promise_id, int64 now_ms);

#endif							/* RSN_WORKER_DELIVER_H */
