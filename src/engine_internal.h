/*-------------------------------------------------------------------------
 *
 * engine_internal.h
 *	  What engine.c and engine_batch.c share.
 *
 *-------------------------------------------------------------------------
 */
#ifndef RSN_ENGINE_INTERNAL_H
#define RSN_ENGINE_INTERNAL_H

#include "engine.h"

extern RsnPromiseRow rsn_engine_new_row(const RsnCreateRequest *request,
										const RsnDecision *decision);
extern void rsn_engine_change_row(RsnPromiseRow *row,
								  const RsnDecision *decision,
								  const RsnSettleRequest *request);
extern void rsn_engine_note_write(const RsnPromiseRow *row);
extern bool rsn_engine_can_write(void);

#endif							/* RSN_ENGINE_INTERNAL_H */
