/*-------------------------------------------------------------------------
 *
 * api/promise.c
 *	  SQL functions on promises: decode, call the engine, encode.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "fmgr.h"
#include "funcapi.h"

#include "api/args.h"
#include "api/items.h"
#include "api/notice.h"
#include "api/record.h"
#include "server/clock.h"

PG_FUNCTION_INFO_V1(resonate_create_promise);
PG_FUNCTION_INFO_V1(resonate_create_promises);
PG_FUNCTION_INFO_V1(resonate_get_promise);
PG_FUNCTION_INFO_V1(resonate_resolve);
PG_FUNCTION_INFO_V1(resonate_reject);
PG_FUNCTION_INFO_V1(resonate_cancel);
PG_FUNCTION_INFO_V1(resonate_settle_promises);

/* resonate.create_promise(id, timeout, param, headers, tags, ...) */
Datum
resonate_create_promise(PG_FUNCTION_ARGS)
{
	int64		now_ms = rsn_clock_now();
	RsnCreateArgs args;
	RsnCreateRequest request;
	RsnOutcome	outcome;

	rsn_create_args_from_sql(&args, fcinfo, 0, 1);
	rsn_make_create_request(&args, now_ms, &request);
	outcome = rsn_engine_create(&request, now_ms);
	rsn_notice_create(&request, &outcome, now_ms);
	return rsn_record_promise(fcinfo, &outcome);
}

/* resonate.create_promises(promises jsonb) */
Datum
resonate_create_promises(PG_FUNCTION_ARGS)
{
	int64		now_ms = rsn_clock_now();
	int			n;
	RsnCreateRequest *requests = rsn_create_requests_from_json(RSN_ARG_JSONB(0),
															   now_ms, &n);
	RsnOutcome *outcomes;

	InitMaterializedSRF(fcinfo, 0);
	outcomes = rsn_engine_create_many(requests, n, now_ms);
	rsn_notice_create_many(requests, outcomes, n, now_ms);
	rsn_put_outcomes(fcinfo, outcomes, n);
	return (Datum) 0;
}

/* resonate.get_promise(id) */
Datum
resonate_get_promise(PG_FUNCTION_ARGS)
{
	text	   *id = rsn_check_id(RSN_ARG_TEXT(0), RSN_PROMISE_ID_MAX, "id", 0);
	RsnOutcome	outcome = rsn_engine_get(id);

	return rsn_record_promise(fcinfo, &outcome);
}

static Datum
settle(FunctionCallInfo fcinfo, RsnPromiseState target)
{
	RsnSettleArgs args = {0};
	RsnSettleRequest request;
	RsnOutcome	outcome;

	args.common.id = RSN_ARG_TEXT(0);
	args.target = target;
	args.value = RSN_ARG_JSONB(1);
	args.common.headers = RSN_ARG_JSONB(2);
	args.common.key = RSN_ARG_TEXT(3);
	args.common.is_strict = RSN_ARG_BOOL(4);
	rsn_make_settle_request(&args, &request);
	outcome = rsn_engine_settle(&request);
	rsn_notice_settle(&request, &outcome);
	return rsn_record_promise(fcinfo, &outcome);
}

/* resonate.resolve(id, value, headers, idempotency_key, strict) */
Datum
resonate_resolve(PG_FUNCTION_ARGS)
{
	return settle(fcinfo, RSN_PROMISE_RESOLVED);
}

/* resonate.reject(id, value, headers, idempotency_key, strict) */
Datum
resonate_reject(PG_FUNCTION_ARGS)
{
	return settle(fcinfo, RSN_PROMISE_REJECTED);
}

/* resonate.cancel(id, value, headers, idempotency_key, strict) */
Datum
resonate_cancel(PG_FUNCTION_ARGS)
{
	return settle(fcinfo, RSN_PROMISE_CANCELED);
}

/* resonate.settle_promises(settlements jsonb) */
Datum
resonate_settle_promises(PG_FUNCTION_ARGS)
{
	int			n;
	RsnSettleRequest *requests = rsn_settle_requests_from_json(RSN_ARG_JSONB(0),
															   &n);
	RsnOutcome *outcomes;

	InitMaterializedSRF(fcinfo, 0);
	outcomes = rsn_engine_settle_many(requests, n);
	rsn_notice_settle_many(requests, outcomes, n);
	rsn_put_outcomes(fcinfo, outcomes, n);
	return (Datum) 0;
}
