/*-------------------------------------------------------------------------
 *
 * api/notice.h
 *	  What a repeated call asked for and did not get.
 *
 *-------------------------------------------------------------------------
 */
#ifndef RSN_API_NOTICE_H
#define RSN_API_NOTICE_H

#include "engine/engine.h"

extern void rsn_notice_create(const RsnCreateRequest *request,
							  const RsnOutcome *outcome, int64 now_ms);
extern void rsn_notice_create_many(const RsnCreateRequest *requests,
								   const RsnOutcome *outcomes, int n,
								   int64 now_ms);
extern void rsn_notice_settle(const RsnSettleRequest *request,
							  const RsnOutcome *outcome);
extern void rsn_notice_settle_many(const RsnSettleRequest *requests,
								   const RsnOutcome *outcomes, int n);

#endif							/* RSN_API_NOTICE_H */
