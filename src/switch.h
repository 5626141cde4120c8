/*-------------------------------------------------------------------------
 *
 * switch.h
 *	  Whether the worker of a database may run: resonate.worker.
 *
 *-------------------------------------------------------------------------
 */
#ifndef RSN_SWITCH_H
#define RSN_SWITCH_H

extern bool rsn_switch_is_on(void);

#endif							/* RSN_SWITCH_H */
