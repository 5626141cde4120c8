/*-------------------------------------------------------------------------
 *
 * protocol/encode.h
 *	  Records of the wire protocol.
 *
 *-------------------------------------------------------------------------
 */
#ifndef RSN_PROTOCOL_ENCODE_H
#define RSN_PROTOCOL_ENCODE_H

#include "engine/engine.h"
#include "server/json_write.h"

extern JsonbValue *rsn_json_promise(const RsnPromiseRow *row);
extern JsonbValue *rsn_json_promises(const RsnPromiseRow *rows, int n);
extern JsonbValue *rsn_json_task(const text *id, const RsnTask *task,
								 const text *pid);
extern JsonbValue *rsn_json_execute(const text *id, int32 version);
extern JsonbValue *rsn_json_unblock(const RsnPromiseRow *row);
extern JsonbValue *rsn_json_schedule(const RsnScheduleRow *row);

#endif							/* RSN_PROTOCOL_ENCODE_H */
