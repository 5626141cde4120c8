/*-------------------------------------------------------------------------
 *
 * api/items.h
 *	  The items of a batch: a JSON array of objects, or one of them alone.
 *
 *-------------------------------------------------------------------------
 */
#ifndef RSN_API_ITEMS_H
#define RSN_API_ITEMS_H

#include "api/args.h"

extern RsnCreateRequest *rsn_create_requests_from_json(Jsonb *array,
													   int64 now_ms, int *n);
extern RsnSettleRequest *rsn_settle_requests_from_json(Jsonb *array, int *n);
extern void rsn_create_request_from_json(Jsonb *object, const char *name,
										 int64 now_ms,
										 RsnCreateRequest *request);
extern void rsn_settle_request_from_json(Jsonb *object, const char *name,
										 RsnSettleRequest *request);
extern RsnPromiseState rsn_check_target(const text *state, int item);

#endif							/* RSN_API_ITEMS_H */
