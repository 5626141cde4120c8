/*-------------------------------------------------------------------------
 *
 * protocol/promise.c
 *	  Requests of the wire protocol on promises.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "utils/builtins.h"

#include "core/address.h"
#include "protocol/promise.h"
#include "protocol/rpc.h"
#include "server/clock.h"
#include "server/guc.h"
#include "server/id.h"

/* A success with the promise as the only member. */
RsnAnswer
rsn_answer_promise(const RsnPromiseRow *promise)
{
	RsnJson		json;

	rsn_json_begin_object(&json);
	rsn_json_add(&json, "promise", rsn_json_promise(promise));
	return rsn_answer_data(rsn_json_end_object(&json));
}

/*
 * The protocol has no strict mode and no keys: whatever the typed status says
 * about how the record came about, the record is the answer.
 */
RsnAnswer
rsn_answer_outcome(const RsnOutcome *outcome)
{
	if (outcome->promise == NULL)
		return rsn_answer(RSN_HTTP_NOT_FOUND, "promise not found");
	return rsn_answer_promise(outcome->promise);
}

static RsnAnswer
promise_get(const RsnRequest *request)
{
	RsnAnswer	malformed;
	text	   *id = rsn_request_id(request, RSN_PROMISE_ID_MAX, &malformed);
	RsnOutcome	outcome;

	if (id == NULL)
		return malformed;
	outcome = rsn_engine_get(id);
	return rsn_answer_outcome(&outcome);
}

static RsnAnswer
promise_create(const RsnRequest *request)
{
	RsnDecoder	decoder = {0};
	RsnCreateRequest command = rsn_decode_create(&decoder, request->data);
	RsnOutcome	outcome;

	if (rsn_is_malformed(&decoder))
		return rsn_answer_malformed(&decoder);
	outcome = rsn_engine_create(&command, rsn_clock_now());
	return rsn_answer_outcome(&outcome);
}

static RsnAnswer
promise_settle(const RsnRequest *request)
{
	RsnDecoder	decoder = {0};
	RsnSettleRequest command = rsn_decode_settle(&decoder, request->data);
	RsnOutcome	outcome;

	if (rsn_is_malformed(&decoder))
		return rsn_answer_malformed(&decoder);
	outcome = rsn_engine_settle(&command);
	return rsn_answer_outcome(&outcome);
}

static RsnAnswer
promise_register_callback(const RsnRequest *request)
{
	RsnDecoder	decoder = {0};
	text	   *awaited = rsn_decode_id(&decoder, request->data, "awaited");
	text	   *awaiter = rsn_decode_id(&decoder, request->data, "awaiter");
	RsnOutcome	outcome;

	if (!rsn_is_malformed(&decoder) && rsn_id_equals(awaited, awaiter))
		rsn_decode_fail(&decoder, "a promise cannot await itself");
	rsn_decode_same_origin(&decoder, rsn_decode_origin(&decoder, awaiter),
						   awaited, NULL);
	if (rsn_is_malformed(&decoder))
		return rsn_answer_malformed(&decoder);
	outcome = rsn_engine_register_awaiter(awaited, awaiter);
	if (outcome.status == RSN_STATUS_UNFIT)
		return rsn_answer(RSN_HTTP_UNFIT,
						  "awaiter must exist and have a target, and awaited must be external");
	return rsn_answer_outcome(&outcome);
}

static RsnAnswer
promise_register_listener(const RsnRequest *request)
{
	RsnDecoder	decoder = {0};
	RsnCallbackRow listener = {0};
	RsnOutcome	outcome;

	listener.kind = RSN_CALLBACK_LISTENER;
	listener.promise_id = rsn_decode_id(&decoder, request->data, "awaited");
	listener.address = rsn_decode_text(&decoder, request->data, "address",
									   RSN_ADDRESS_LEN_MAX);
	listener.callback_id = listener.address;
	if (!rsn_is_malformed(&decoder) &&
		!rsn_address_is_listener(VARDATA_ANY(listener.address),
								 VARSIZE_ANY_EXHDR(listener.address)))
		rsn_decode_fail(&decoder, "address must be poll://any@group, poll://any@group/id, poll://uni@group/id, or of another scheme but notify, as http(s)://host/path");
	if (rsn_is_malformed(&decoder))
		return rsn_answer_malformed(&decoder);
	outcome = rsn_engine_register(&listener);

	/* SDKs ask so for the result of anything: nobody has to be told of it. */
	if (outcome.status == RSN_STATUS_NOT_EXTERNAL &&
		rsn_guc_profile == RSN_PROFILE_SDK &&
		outcome.promise->core.state != RSN_PROMISE_PENDING)
		outcome.status = RSN_STATUS_OK;
	if (outcome.status == RSN_STATUS_NOT_EXTERNAL)
		return rsn_answer(RSN_HTTP_UNFIT, "awaited must be external");
	return rsn_answer_outcome(&outcome);
}

/* The state to search for; all when there is none. */
static void
decode_wanted_states(RsnDecoder *decoder, JsonbContainer *data, bool *wants)
{
	text	   *state = rsn_decode_optional_text(decoder, data, "state");
	RsnPromiseState wanted;

	for (int i = 0; i < RSN_PROMISE_NSTATES; i++)
		wants[i] = state == NULL;
	if (state == NULL)
		return;
	if (rsn_promise_state_from_name(text_to_cstring(state), &wanted))
		wants[wanted] = true;
	else
		rsn_decode_fail(decoder, "state is not one of a promise");
}

static RsnAnswer
promise_search(const RsnRequest *request)
{
	RsnDecoder	decoder = {0};
	bool		wants[RSN_PROMISE_NSTATES];
	RsnPage		page = rsn_decode_page(&decoder, request->data,
									   RSN_PAGE_LIMIT_DEFAULT);
	Jsonb	   *tags = rsn_decode_search_tags(&decoder, request->data);
	RsnPromiseRow *rows;

	decode_wanted_states(&decoder, request->data, wants);
	if (rsn_is_malformed(&decoder))
		return rsn_answer_malformed(&decoder);
	rows = rsn_page_promises(&page, wants, tags);
	return rsn_answer_page("promises", rsn_json_promises(rows, page.n), &page);
}

const RsnHandlerDef rsn_promise_handlers[] = {
	{"promise.get", "get_promise", promise_get},
	{"promise.create", "create_promise", promise_create},
	{"promise.settle", "settle_promises", promise_settle},
	{"promise.register_callback", "create_callback", promise_register_callback},
	{"promise.register_listener", "create_callback", promise_register_listener},
	{"promise.search", "search_promises", promise_search},
	{NULL, NULL, NULL}
};
