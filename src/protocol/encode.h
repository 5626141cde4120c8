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

/* An object or array that is being built. */
typedef struct RsnJson
{
	JsonbParseState *state;
} RsnJson;

extern void rsn_json_begin_object(RsnJson *json);
extern JsonbValue *rsn_json_end_object(RsnJson *json);
extern void rsn_json_begin_array(RsnJson *json);
extern JsonbValue *rsn_json_end_array(RsnJson *json);
extern void rsn_json_add(RsnJson *json, const char *name, JsonbValue *value);
extern void rsn_json_add_string(RsnJson *json, const char *name,
								const char *value);
extern void rsn_json_add_text(RsnJson *json, const char *name,
							  const text *value);
extern void rsn_json_add_int(RsnJson *json, const char *name, int64 value);
extern void rsn_json_add_jsonb(RsnJson *json, const char *name, Jsonb *value);
extern void rsn_json_add_members(RsnJson *json, Jsonb *object);
extern void rsn_json_append(RsnJson *json, JsonbValue *value);

extern JsonbValue *rsn_json_string(const char *value);
extern JsonbValue *rsn_json_promise(const RsnPromiseRow *row);
extern JsonbValue *rsn_json_promises(const RsnPromiseRow *rows, int n);
extern JsonbValue *rsn_json_task(const text *id, const RsnTask *task,
								 const text *pid);
extern JsonbValue *rsn_json_execute(const text *id, int32 version);
extern JsonbValue *rsn_json_unblock(const RsnPromiseRow *row);
extern JsonbValue *rsn_json_schedule(const RsnScheduleRow *row);

#endif							/* RSN_PROTOCOL_ENCODE_H */
