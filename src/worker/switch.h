/*-------------------------------------------------------------------------
 *
 * worker/switch.h
 *	  Whether the worker of a database may run: resonate.worker.
 *
 *-------------------------------------------------------------------------
 */
#ifndef RSN_WORKER_SWITCH_H
#define RSN_WORKER_SWITCH_H

extern bool rsn_switch_is_on(void);

#endif							/* RSN_WORKER_SWITCH_H */
