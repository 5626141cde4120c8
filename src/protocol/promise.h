/*-------------------------------------------------------------------------
 *
 * protocol/promise.h
 *	  Answers that carry a promise.
 *
 *-------------------------------------------------------------------------
 */
#ifndef RSN_PROTOCOL_PROMISE_H
#define RSN_PROTOCOL_PROMISE_H

#include "protocol/rpc.h"

extern RsnAnswer rsn_answer_promise(const RsnPromiseRow *promise);
extern RsnAnswer rsn_answer_outcome(const RsnOutcome *outcome);

#endif							/* RSN_PROTOCOL_PROMISE_H */
