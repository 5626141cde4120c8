/*-------------------------------------------------------------------------
 *
 * worker/notification.h
 *	  What a NOTIFY of the worker says.
 *
 *-------------------------------------------------------------------------
 */
#ifndef RSN_WORKER_NOTIFICATION_H
#define RSN_WORKER_NOTIFICATION_H

#include "store/store.h"

extern char *rsn_notification_unblock(const RsnMessageRow *message,
									  const RsnPromiseRow *record);
extern char *rsn_notification_execute(const RsnTaskRow *task);

#endif							/* RSN_WORKER_NOTIFICATION_H */
