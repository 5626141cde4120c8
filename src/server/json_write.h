/*-------------------------------------------------------------------------
 *
 * server/json_write.h
 *	  Writing JSON: as jsonb, and as text in ASCII.
 *
 *-------------------------------------------------------------------------
 */
#ifndef RSN_SERVER_JSON_WRITE_H
#define RSN_SERVER_JSON_WRITE_H

#include "lib/stringinfo.h"
#include "utils/jsonb.h"

/* An object or array that is being built as jsonb. */
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
extern JsonbValue rsn_json_value(Jsonb *json);
extern void rsn_json_add_jsonb(RsnJson *json, const char *name, Jsonb *value);
extern void rsn_json_add_members(RsnJson *json, Jsonb *object);
extern void rsn_json_append(RsnJson *json, JsonbValue *value);

extern JsonbValue *rsn_json_string(const char *value);
extern Jsonb *rsn_json_empty_object(void);

/* Text in ASCII; the name of the outermost object is NULL. */
extern void rsn_ascii_begin_object(StringInfo buffer, const char *name);
extern void rsn_ascii_end_object(StringInfo buffer);
extern void rsn_ascii_add_string(StringInfo buffer, const char *name,
								 const char *value);
extern void rsn_ascii_add_text(StringInfo buffer, const char *name,
							   const text *value);
extern void rsn_ascii_add_int(StringInfo buffer, const char *name,
							  int64 value);
extern void rsn_ascii_add_jsonb(StringInfo buffer, const char *name,
								Jsonb *value);
extern void rsn_ascii_add_json(StringInfo buffer, const char *name,
							   const char *utf8, int len);

extern Size rsn_json_written_len(const char *data, int len);

#endif							/* RSN_SERVER_JSON_WRITE_H */
