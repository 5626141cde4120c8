/*-------------------------------------------------------------------------
 *
 * protocol/decode.h
 *	  From the JSON of the wire protocol to what the engine takes.
 *
 * Nothing here raises for what a client has sent.  The first fault is kept, and
 * the handler looks for it once, at the end: until then the results may be
 * NULL or zero.
 *
 *-------------------------------------------------------------------------
 */
#ifndef RSN_PROTOCOL_DECODE_H
#define RSN_PROTOCOL_DECODE_H

#include "api/page.h"
#include "api/valid.h"
#include "engine/engine.h"

typedef struct RsnDecoder
{
	const char *error;			/* why it is malformed, or NULL */

	/*
	 * Why it is malformed although its shape is right.  The same, but for
	 * what is inside a fence: there the fence is looked at in between.
	 */
	const char *unfit;
} RsnDecoder;

extern void rsn_decode_fail(RsnDecoder *decoder, const char *format,...)
			pg_attribute_printf(2, 3);
extern void rsn_decode_refuse(RsnDecoder *decoder, const char *name,
							  const RsnFlaw *flaw);
extern bool rsn_decode_has(JsonbContainer *object, const char *name);
extern char *rsn_decode_peek_string(JsonbContainer *object, const char *name);

extern JsonbContainer *rsn_decode_object(RsnDecoder *decoder,
										 JsonbContainer *object,
										 const char *name);
extern text *rsn_decode_text(RsnDecoder *decoder, JsonbContainer *object,
							 const char *name, int len_max);
extern text *rsn_decode_id(RsnDecoder *decoder, JsonbContainer *object,
						   const char *name);
extern text *rsn_decode_optional_text(RsnDecoder *decoder,
									  JsonbContainer *object,
									  const char *name);
extern int64 rsn_decode_int(RsnDecoder *decoder, JsonbContainer *object,
							const char *name, int64 min, int64 max);
extern Jsonb *rsn_decode_tags(RsnDecoder *decoder, JsonbContainer *object,
							  const char *name);
extern Jsonb *rsn_decode_search_tags(RsnDecoder *decoder,
									 JsonbContainer *object);
extern RsnPage rsn_decode_page(RsnDecoder *decoder, JsonbContainer *object,
							   int limit_default);
extern RsnPayload rsn_decode_payload(RsnDecoder *decoder,
									 JsonbContainer *object,
									 const char *name);
extern JsonbContainer *rsn_decode_action(RsnDecoder *decoder,
										 JsonbContainer *object,
										 const char *name);
extern JsonbContainer *rsn_decode_action_data(RsnDecoder *decoder,
											  JsonbContainer *action);
extern int	rsn_decode_objects(RsnDecoder *decoder, JsonbContainer *object,
							   const char *name, JsonbContainer ***elements);

extern text *rsn_decode_origin(const RsnDecoder *decoder, text *task_id);
extern void rsn_decode_same_origin(RsnDecoder *decoder, text *task_origin,
								   text *id, Jsonb *tags);
extern RsnCreateRequest rsn_decode_create(RsnDecoder *decoder,
										  JsonbContainer *data);
extern RsnSettleRequest rsn_decode_settle(RsnDecoder *decoder,
										  JsonbContainer *data);

#endif							/* RSN_PROTOCOL_DECODE_H */
