/*-------------------------------------------------------------------------
 *
 * payload.h
 *	  Params and values in the forms of the two public surfaces.
 *
 *-------------------------------------------------------------------------
 */
#ifndef RSN_PAYLOAD_H
#define RSN_PAYLOAD_H

#include "store.h"

extern bool rsn_payload_is_json(const bytea *data);
extern bool rsn_payload_is_server_json(const bytea *data);
extern text *rsn_payload_string(const RsnPayload *payload);
extern void rsn_payload_set_string(RsnPayload *payload, const char *string,
								   int len);

#endif							/* RSN_PAYLOAD_H */
