/*-------------------------------------------------------------------------
 *
 * batch_args.h
 *	  The items of a batch: a JSON array of objects.
 *
 *-------------------------------------------------------------------------
 */
#ifndef RSN_BATCH_ARGS_H
#define RSN_BATCH_ARGS_H

#include "args.h"

extern RsnCreateRequest *rsn_create_requests_from_json(Jsonb *array,
													   int64 now_ms, int *n);
extern RsnSettleRequest *rsn_settle_requests_from_json(Jsonb *array, int *n);

#endif							/* RSN_BATCH_ARGS_H */
