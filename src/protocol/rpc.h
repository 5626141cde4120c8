/*-------------------------------------------------------------------------
 *
 * protocol/rpc.h
 *	  The wire protocol: private to rpc*.c.
 *
 *-------------------------------------------------------------------------
 */
#ifndef RSN_PROTOCOL_RPC_H
#define RSN_PROTOCOL_RPC_H

#include "protocol/decode.h"
#include "protocol/encode.h"

/* The statuses that are not those of the engine divided by ten. */
#define RSN_HTTP_OK			200
#define RSN_HTTP_REDIRECT	300
#define RSN_HTTP_MALFORMED	400
#define RSN_HTTP_FORBIDDEN	403
#define RSN_HTTP_NOT_FOUND	404
#define RSN_HTTP_CONFLICT	409
#define RSN_HTTP_UNFIT		422

#define RSN_RPC_VERSION		"2026-04-01"

/* What a handler has been asked. */
typedef struct RsnRequest
{
	const char *kind;
	const char *corr_id;
	bool		has_time;		/* the request names an instant */
	int64		time_ms;
	JsonbContainer *data;
} RsnRequest;

/* What it returns: data, or a message for a status that is no success. */
typedef struct RsnAnswer
{
	int			status;
	JsonbValue *data;
	const char *message;
} RsnAnswer;

typedef RsnAnswer (*RsnHandler) (const RsnRequest *request);

typedef struct RsnHandlerDef
{
	const char *kind;
	const char *function;		/* the one that does the same, or NULL */
	RsnHandler	handler;
} RsnHandlerDef;

extern const RsnHandlerDef rsn_promise_handlers[];
extern const RsnHandlerDef rsn_task_handlers[];
extern const RsnHandlerDef rsn_schedule_handlers[];
extern const RsnHandlerDef rsn_debug_handlers[];

extern RsnAnswer rsn_answer(int status, const char *message);
extern RsnAnswer rsn_answer_data(JsonbValue *data);
extern RsnAnswer rsn_answer_page(const char *name, JsonbValue *rows,
								 const RsnPage *page);
extern RsnAnswer rsn_answer_empty(void);
extern RsnAnswer rsn_answer_malformed(const RsnDecoder *decoder);
extern text *rsn_request_id(const RsnRequest *request, int len_max,
							RsnAnswer *malformed);
extern bool rsn_is_malformed(const RsnDecoder *decoder);
extern JsonbValue *rsn_rpc_envelope(const char *kind, const char *corr_id,
									const RsnAnswer *answer);

#endif							/* RSN_PROTOCOL_RPC_H */
