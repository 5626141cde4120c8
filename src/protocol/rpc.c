/*-------------------------------------------------------------------------
 *
 * protocol/rpc.c
 *	  The wire protocol: the envelope, and who handles what.
 *
 * A request is decoded completely before the engine is called, so one that is
 * malformed has done nothing.  Errors are for what is not the client's fault.
 *
 * The function does not have SECURITY DEFINER, so that the current user is who has
 * called it, and is asked for the privileges of the typed functions.  It needs none
 * itself: the store acts as the owner of the tables.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "fmgr.h"
#include "utils/builtins.h"

#include "protocol/privilege.h"
#include "protocol/rpc.h"
#include "server/clock.h"
#include "server/guc.h"
#include "store/sizes.h"

PG_FUNCTION_INFO_V1(resonate_resonate_rpc);

/* What an answer shows for a kind or correlation id that cannot be read. */
#define UNKNOWN_KIND	"unknown"
#define UNKNOWN_CORR_ID "0"

static const RsnHandlerDef *const handler_tables[] = {
	rsn_promise_handlers,
	rsn_task_handlers,
	rsn_schedule_handlers,
	rsn_debug_handlers
};

/* An answer that is no success. */
RsnAnswer
rsn_answer(int status, const char *message)
{
	RsnAnswer	answer = {0};

	answer.status = status;
	answer.message = message;
	return answer;
}

RsnAnswer
rsn_answer_data(JsonbValue *data)
{
	RsnAnswer	answer = {0};

	answer.status = RSN_HTTP_OK;
	answer.data = data;
	return answer;
}

/* A success with rows, and the cursor of the next ones if there are any. */
RsnAnswer
rsn_answer_page(const char *name, JsonbValue *rows, const RsnPage *page)
{
	RsnJson		json;

	rsn_json_begin_object(&json);
	rsn_json_add(&json, name, rows);
	rsn_json_add_text(&json, "cursor", page->cursor);
	return rsn_answer_data(rsn_json_end_object(&json));
}

RsnAnswer
rsn_answer_empty(void)
{
	RsnJson		json;

	rsn_json_begin_object(&json);
	return rsn_answer_data(rsn_json_end_object(&json));
}

bool
rsn_is_malformed(const RsnDecoder *decoder)
{
	return decoder->error != NULL || decoder->unfit != NULL;
}

RsnAnswer
rsn_answer_malformed(const RsnDecoder *decoder)
{
	return rsn_answer(RSN_HTTP_MALFORMED, decoder->error != NULL
					  ? decoder->error : decoder->unfit);
}

/* The id, where a request is of nothing else; NULL, and the answer, if malformed. */
text *
rsn_request_id(const RsnRequest *request, int len_max, RsnAnswer *malformed)
{
	RsnDecoder	decoder = {0};
	text	   *id = rsn_decode_text(&decoder, request->data, "id", len_max);

	if (id == NULL)
		*malformed = rsn_answer_malformed(&decoder);
	return id;
}

/* A response, or the response in a response. */
JsonbValue *
rsn_rpc_envelope(const char *kind, const char *corr_id,
				 const RsnAnswer *answer)
{
	RsnJson		head;
	RsnJson		envelope;

	rsn_json_begin_object(&head);
	rsn_json_add_string(&head, "corrId", corr_id);
	rsn_json_add_int(&head, "status", answer->status);
	rsn_json_add_string(&head, "version", RSN_RPC_VERSION);

	rsn_json_begin_object(&envelope);
	rsn_json_add_string(&envelope, "kind", kind);
	rsn_json_add(&envelope, "head", rsn_json_end_object(&head));
	rsn_json_add(&envelope, "data", answer->data != NULL ? answer->data
				 : rsn_json_string(answer->message));
	return rsn_json_end_object(&envelope);
}

static const RsnHandlerDef *
find_handler(const char *kind)
{
	for (int i = 0; i < (int) lengthof(handler_tables); i++)
	{
		for (const RsnHandlerDef *def = handler_tables[i]; def->kind; def++)
		{
			if (strcmp(def->kind, kind) == 0)
				return def;
		}
	}
	return NULL;
}

/*
 * Reads the envelope.  Kind and correlation id are filled in as far as they can
 * be read, for the answer, whatever else is wrong.
 */
static void
read_envelope(RsnDecoder *decoder, Jsonb *message, RsnRequest *request)
{
	JsonbContainer *root = NULL;
	JsonbContainer *head;
	char	   *version;

	request->kind = UNKNOWN_KIND;
	request->corr_id = UNKNOWN_CORR_ID;
	if (message == NULL || !JB_ROOT_IS_OBJECT(message) ||
		!rsn_jsonb_is_utf8(message))
	{
		rsn_decode_fail(decoder, "a request must be an object");
		return;
	}

	root = &message->root;
	if (rsn_decode_peek_string(root, "kind") != NULL)
		request->kind = rsn_decode_peek_string(root, "kind");
	head = rsn_decode_object(decoder, root, "head");
	if (rsn_decode_peek_string(head, "corrId") != NULL)
		request->corr_id = rsn_decode_peek_string(head, "corrId");
	else
		rsn_decode_fail(decoder, "head.corrId must be a string");
	(void) rsn_decode_text(decoder, root, "kind", PG_INT32_MAX);
	version = rsn_decode_peek_string(head, "version");
	if (version == NULL)
		rsn_decode_fail(decoder, "head.version must be a string");
	request->data = rsn_decode_object(decoder, root, "data");
	if (version != NULL && strcmp(version, RSN_RPC_VERSION) != 0)
		rsn_decode_fail(decoder, "head.version is not supported; it must be %s",
						RSN_RPC_VERSION);

	/* Only tests may say what time it is; from others it is ignored. */
	request->has_time = rsn_guc_debug &&
		rsn_decode_has(head, "resonate:debug_time");
	if (request->has_time)
		request->time_ms = rsn_decode_int(decoder, head, "resonate:debug_time",
										  0, PG_INT64_MAX);
}

static RsnAnswer
answer(const RsnRequest *request)
{
	const RsnHandlerDef *def;

	if (strncmp(request->kind, "debug.", strlen("debug.")) == 0 &&
		!rsn_guc_debug)
		return rsn_answer(RSN_HTTP_FORBIDDEN, "debug requests are not allowed");
	def = find_handler(request->kind);
	if (def == NULL)
		return rsn_answer(RSN_HTTP_MALFORMED, "unknown kind");
	if (def->function != NULL && !rsn_privilege_may_call(def->function))
		return rsn_answer(RSN_HTTP_FORBIDDEN,
						  psprintf("permission denied for function %s",
								   def->function));
	return def->handler(request);
}

/* Answers as of the instant that the request names, if it may. */
static RsnAnswer
answer_in_time(const RsnRequest *request)
{
	RsnAnswer	result;

	if (!request->has_time)
		return answer(request);
	rsn_clock_set_request_time(request->time_ms);
	PG_TRY();
	{
		result = answer(request);
	}
	PG_FINALLY();
	{
		rsn_clock_set_request_time(-1);
	}
	PG_END_TRY();
	return result;
}

/* resonate.resonate_rpc(request jsonb) */
Datum
resonate_resonate_rpc(PG_FUNCTION_ARGS)
{
	Jsonb	   *message = PG_ARGISNULL(0) ? NULL : PG_GETARG_JSONB_P(0);
	RsnDecoder	decoder = {0};
	RsnRequest	request = {0};
	RsnAnswer	result;

	read_envelope(&decoder, message, &request);
	if (rsn_is_malformed(&decoder))
		result = rsn_answer_malformed(&decoder);
	else
		result = answer_in_time(&request);
	PG_RETURN_JSONB_P(JsonbValueToJsonb(rsn_rpc_envelope(request.kind,
														 request.corr_id,
														 &result)));
}
