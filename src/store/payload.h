/*-------------------------------------------------------------------------
 *
 * store/payload.h
 *	  Params and values in the forms of the two public surfaces.
 *
 * What was read from a table is as it is stored, compressed or out of line, so
 * a function that looks into it asks here.  Then many rows take no more memory than
 * their ids, and one is taken out of the table when its turn comes.
 *
 *-------------------------------------------------------------------------
 */
#ifndef RSN_STORE_PAYLOAD_H
#define RSN_STORE_PAYLOAD_H

#include "lib/stringinfo.h"
#include "store/store.h"

extern Size rsn_stored_size(const struct varlena *stored);
extern Jsonb *rsn_stored_jsonb(struct varlena *stored);

extern Jsonb *rsn_payload_json(const RsnPayload *payload);
extern text *rsn_payload_string(const RsnPayload *payload);
extern void rsn_payload_set_string(RsnPayload *payload, const char *string,
								   int len);
extern bool rsn_payload_equals(const RsnPayload *a, const RsnPayload *b);
extern Size rsn_payload_size(const RsnPayload *payload);
extern Size rsn_promise_size(const RsnPromiseRow *row);
extern bool rsn_data_is_typed(const char *utf8, int len);

extern int	rsn_promises_that_fit(const RsnPromiseRow *rows, int n);
extern int	rsn_messages_that_fit(const RsnMessageRow *rows, int n);
extern int	rsn_schedules_that_fit(const RsnScheduleRow *rows, int n);

#endif							/* RSN_STORE_PAYLOAD_H */
