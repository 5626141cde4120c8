/*-------------------------------------------------------------------------
 *
 * worker/call.h
 *	  Steps that callers run in their own transactions.
 *
 *-------------------------------------------------------------------------
 */
#ifndef RSN_WORKER_CALL_H
#define RSN_WORKER_CALL_H

extern int	rsn_call_process_timeouts(int64 now_ms);
extern void rsn_call_tick(int64 now_ms);

#endif							/* RSN_WORKER_CALL_H */
