/*-------------------------------------------------------------------------
 *
 * api/callback.c
 *	  SQL functions on callbacks and messages: decode, engine, encode.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "fmgr.h"
#include "funcapi.h"
#include "utils/builtins.h"

#include "api/args.h"
#include "api/notice.h"
#include "api/record.h"
#include "engine/engine.h"
#include "core/address.h"
#include "server/clock.h"
#include "server/guc.h"

#define RECEIVE_LIMIT_DEFAULT	100
#define RECEIVE_LIMIT_MAX		1000

PG_FUNCTION_INFO_V1(resonate_create_callback);
PG_FUNCTION_INFO_V1(resonate_create_promise_and_callback);
PG_FUNCTION_INFO_V1(resonate_receive);
PG_FUNCTION_INFO_V1(resonate_acknowledge);

static RsnCallbackRow
callback_from_args(text *promise_id, const char *promise_id_name,
				   text *callback_id, text *address)
{
	RsnCallbackRow callback = {0};

	callback.promise_id = rsn_check_id(promise_id, RSN_PROMISE_ID_MAX,
									   promise_id_name, 0);
	callback.callback_id = rsn_check_id(callback_id, RSN_CALLBACK_ID_MAX,
										"callback_id", 0);
	callback.address = rsn_check_address(address, false);
	return callback;
}

/* resonate.create_callback(promise_id, callback_id, address) */
Datum
resonate_create_callback(PG_FUNCTION_ARGS)
{
	RsnCallbackRow callback = callback_from_args(RSN_ARG_TEXT(0), "promise_id",
												 RSN_ARG_TEXT(1),
												 RSN_ARG_TEXT(2));
	RsnOutcome	outcome = rsn_engine_register(&callback);

	return rsn_record_callback(fcinfo, &outcome);
}

/* resonate.create_promise_and_callback(id, callback_id, address, timeout, ...) */
Datum
resonate_create_promise_and_callback(PG_FUNCTION_ARGS)
{
	int64		now_ms = rsn_clock_now();
	RsnCallbackRow callback = callback_from_args(RSN_ARG_TEXT(0), "id",
												 RSN_ARG_TEXT(1),
												 RSN_ARG_TEXT(2));
	RsnCreateArgs args;
	RsnCreateRequest request;
	RsnOutcome	outcome;

	rsn_create_args_from_sql(&args, fcinfo, 0, 3);
	rsn_make_create_request(&args, now_ms, &request);
	outcome = rsn_engine_create_and_register(&request, &callback, now_ms);
	rsn_notice_create(&request, &outcome, now_ms);
	return rsn_record_callback(fcinfo, &outcome);
}

/* resonate.receive(address, limit, visibility) */
Datum
resonate_receive(PG_FUNCTION_ARGS)
{
	int64		now_ms = rsn_clock_now();
	text	   *address = rsn_check_address(RSN_ARG_TEXT(0), true);
	int			limit = rsn_check_limit(RSN_ARG_INT32(1, RECEIVE_LIMIT_DEFAULT),
										RECEIVE_LIMIT_MAX);
	Interval   *visibility = RSN_ARG_INTERVAL(2);
	int64		visibility_ms = rsn_guc_visibility_timeout_ms;
	RsnMessageRow *rows;
	int			n;

	if (visibility != NULL)
		visibility_ms = rsn_check_interval(visibility, now_ms, "visibility", 0,
										   NULL);
	InitMaterializedSRF(fcinfo, 0);
	n = rsn_engine_receive(address, limit, now_ms,
						   rsn_deadline_after(now_ms, visibility_ms), &rows);
	rsn_put_messages(fcinfo, rows, n);
	return (Datum) 0;
}

static RsnCallbackKind
check_kind(text *kind)
{
	char	   *name = kind == NULL ? "callback" : text_to_cstring(kind);

	if (strcmp(name, "callback") == 0)
		return RSN_CALLBACK_NAMED;
	if (strcmp(name, "listener") == 0)
		return RSN_CALLBACK_LISTENER;
	rsn_invalid_value(kind, "kind", 0, NULL, "Use callback or listener.");
}

/* resonate.acknowledge(promise_id, callback_id, kind) */
Datum
resonate_acknowledge(PG_FUNCTION_ARGS)
{
	text	   *promise_id = rsn_check_id(RSN_ARG_TEXT(0), RSN_PROMISE_ID_MAX,
										  "promise_id", 0);
	RsnCallbackKind kind = check_kind(RSN_ARG_TEXT(2));
	text	   *callback_id = rsn_check_id(RSN_ARG_TEXT(1),
										   kind == RSN_CALLBACK_LISTENER
										   ? RSN_ADDRESS_LEN_MAX
										   : RSN_CALLBACK_ID_MAX,
										   "callback_id", 0);

	PG_RETURN_INT32(rsn_engine_acknowledge(kind, promise_id,
										   callback_id)
					? RSN_STATUS_OK : RSN_STATUS_NOT_FOUND);
}
