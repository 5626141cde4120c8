/*-------------------------------------------------------------------------
 *
 * rpc_promise.h
 *	  Answers that carry a promise.
 *
 *-------------------------------------------------------------------------
 */
#ifndef RSN_RPC_PROMISE_H
#define RSN_RPC_PROMISE_H

#include "rpc.h"

extern RsnAnswer rsn_answer_promise(const RsnPromiseRow *promise);
extern RsnAnswer rsn_answer_outcome(const RsnOutcome *outcome);

#endif							/* RSN_RPC_PROMISE_H */
