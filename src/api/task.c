/*-------------------------------------------------------------------------
 *
 * api/task.c
 *	  SQL functions on tasks: decode, call the engine, encode.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "fmgr.h"
#include "funcapi.h"
#include "miscadmin.h"
#include "utils/array.h"
#include "utils/builtins.h"

#include "api/args.h"
#include "api/items.h"
#include "api/notice.h"
#include "api/record_task.h"
#include "server/clock.h"

PG_FUNCTION_INFO_V1(resonate_create_promise_and_task);
PG_FUNCTION_INFO_V1(resonate_get_task);
PG_FUNCTION_INFO_V1(resonate_acquire_task);
PG_FUNCTION_INFO_V1(resonate_release_task);
PG_FUNCTION_INFO_V1(resonate_suspend_task);
PG_FUNCTION_INFO_V1(resonate_fulfill_task);
PG_FUNCTION_INFO_V1(resonate_fence_task);
PG_FUNCTION_INFO_V1(resonate_heartbeat_tasks);
PG_FUNCTION_INFO_V1(resonate_halt_task);
PG_FUNCTION_INFO_V1(resonate_continue_task);
PG_FUNCTION_INFO_V1(resonate_search_tasks);

static text *
check_task_id(text *id)
{
	return rsn_check_id(id, RSN_PROMISE_ID_MAX, "id", 0);
}

static text *
check_pid(text *pid)
{
	return rsn_check_id(pid, RSN_PID_MAX, "pid", 0);
}

static int32
check_version(int32 version, const char *name)
{
	if (version < 0)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("%s must not be negative: %d", rsn_arg_where(name, 0),
						version)));
	return version;
}

/* The argument that is the version of a task. */
static int32
version_arg(FunctionCallInfo fcinfo, int n)
{
	rsn_check_not_null(PG_ARGISNULL(n), "version", 0);
	return check_version(PG_GETARG_INT32(n), "version");
}

/* The two arguments that say who takes a task, and for how long. */
static RsnLease
lease_args(FunctionCallInfo fcinfo, int n)
{
	RsnLease	lease;

	lease.pid = check_pid(RSN_ARG_TEXT(n));
	rsn_check_not_null(PG_ARGISNULL(n + 1), "ttl", 0);
	lease.ttl_ms = rsn_check_interval(PG_GETARG_INTERVAL_P(n + 1),
									  rsn_clock_now(), "ttl", 0, NULL);
	if (lease.ttl_ms == 0)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("%s must not be zero", rsn_arg_where("ttl", 0))));
	return lease;
}

/* Refuses an array that has null elements, or that is a table. */
static void
check_array(ArrayType *array, const char *name)
{
	if (ARR_NDIM(array) > 1)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("%s must be a one-dimensional array",
						rsn_arg_where(name, 0))));
	if (array_contains_nulls(array))
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("%s must not contain nulls", rsn_arg_where(name, 0))));
}

/* The ids in an array, all of them checked. */
static text **
ids_from_array(ArrayType *array, const char *name, int *n)
{
	Datum	   *elements;
	text	  **ids;

	check_array(array, name);
	deconstruct_array(array, TEXTOID, -1, false, TYPALIGN_INT, &elements, NULL,
					  n);
	ids = palloc(sizeof(text *) * Max(*n, 1));
	for (int i = 0; i < *n; i++)
		ids[i] = rsn_check_id(DatumGetTextPP(elements[i]), RSN_PROMISE_ID_MAX,
							  psprintf("%s[%d]", name, i + 1), 0);
	return ids;
}

/* resonate.create_promise_and_task(id, pid, ttl, timeout, param, headers, ...) */
Datum
resonate_create_promise_and_task(PG_FUNCTION_ARGS)
{
	int64		now_ms = rsn_clock_now();
	RsnCreateArgs args;
	RsnCreateRequest request;
	RsnLease	lease;
	RsnTaskOutcome outcome;
	RsnOutcome	created = {0};
	RsnFlaw		flaw;

	rsn_create_args_from_sql(&args, fcinfo, 0, 3);
	rsn_make_create_request(&args, now_ms, &request);
	lease = lease_args(fcinfo, 1);
	if (!rsn_valid_to_take(&request, &flaw))
		rsn_raise_flaw(&flaw, flaw.part, 0);
	outcome = rsn_engine_create_and_take(&request, &lease, true, now_ms);
	created.status = outcome.status;
	created.promise = outcome.promise;
	rsn_notice_create(&request, &created, now_ms);
	return rsn_record_task(fcinfo, &outcome);
}

/* resonate.get_task(id) */
Datum
resonate_get_task(PG_FUNCTION_ARGS)
{
	text	   *id = check_task_id(RSN_ARG_TEXT(0));
	RsnTaskOutcome outcome = rsn_engine_get_task(id);

	return rsn_record_task(fcinfo, &outcome);
}

/* resonate.acquire_task(id, version, pid, ttl) */
Datum
resonate_acquire_task(PG_FUNCTION_ARGS)
{
	text	   *id = check_task_id(RSN_ARG_TEXT(0));
	int32		version = version_arg(fcinfo, 1);
	RsnLease	lease = lease_args(fcinfo, 2);
	RsnTaskOutcome outcome = rsn_engine_acquire(id, version, &lease);

	return rsn_record_task(fcinfo, &outcome);
}

/* resonate.release_task(id, version) */
Datum
resonate_release_task(PG_FUNCTION_ARGS)
{
	text	   *id = check_task_id(RSN_ARG_TEXT(0));
	int32		version = version_arg(fcinfo, 1);
	RsnTaskOutcome outcome = rsn_engine_release(id, version);

	return rsn_record_task(fcinfo, &outcome);
}

/* The promises that a task wants to wait for. */
static text **
check_awaited(ArrayType *array, text *id, int *n)
{
	text	  **awaited = ids_from_array(array, "awaited", n);
	RsnFlaw		flaw;

	if (!rsn_valid_awaited(awaited, *n, id, &flaw))
		rsn_raise_flaw(&flaw, "awaited", 0);
	return awaited;
}

/* resonate.suspend_task(id, version, awaited) */
Datum
resonate_suspend_task(PG_FUNCTION_ARGS)
{
	text	   *id = check_task_id(RSN_ARG_TEXT(0));
	int32		version = version_arg(fcinfo, 1);
	text	  **awaited;
	int			n;
	RsnTaskOutcome outcome;

	rsn_check_not_null(PG_ARGISNULL(2), "awaited", 0);
	awaited = check_awaited(PG_GETARG_ARRAYTYPE_P(2), id, &n);
	outcome = rsn_engine_suspend(id, version, awaited, n);
	return rsn_record_task(fcinfo, &outcome);
}

/* resonate.fulfill_task(id, version, state, value, headers) */
Datum
resonate_fulfill_task(PG_FUNCTION_ARGS)
{
	RsnSettleArgs args = {0};
	RsnSettleRequest request;
	int32		version;
	RsnTaskOutcome outcome;

	args.common.id = RSN_ARG_TEXT(0);
	args.target = RSN_PROMISE_RESOLVED;
	if (!PG_ARGISNULL(2))
		args.target = rsn_check_target(PG_GETARG_TEXT_PP(2), 0);
	args.value = RSN_ARG_JSONB(3);
	args.common.headers = RSN_ARG_JSONB(4);
	rsn_make_settle_request(&args, &request);
	version = version_arg(fcinfo, 1);
	outcome = rsn_engine_fulfill(version, &request);
	return rsn_record_task(fcinfo, &outcome);
}

/* True for a create, false for a settlement. */
static bool
is_create_action(text *action)
{
	char	   *name;

	rsn_check_not_null(action == NULL, "action", 0);
	name = text_to_cstring(action);
	if (strcmp(name, "create") == 0)
		return true;
	if (strcmp(name, "settle") == 0)
		return false;
	rsn_invalid_value(action, "action", 0, NULL, "Use create or settle.");
}

/* resonate.fence_task(id, version, action, promise) */
Datum
resonate_fence_task(PG_FUNCTION_ARGS)
{
	text	   *id = check_task_id(RSN_ARG_TEXT(0));
	int32		version = version_arg(fcinfo, 1);
	RsnCreateRequest create;
	RsnSettleRequest settle;
	RsnFenceAction action = {0};
	RsnFenceOutcome outcome;
	text	   *inner_id;
	RsnFlaw		flaw;

	if (is_create_action(RSN_ARG_TEXT(2)))
	{
		rsn_create_request_from_json(RSN_ARG_JSONB(3), "promise",
									 rsn_clock_now(), &create);
		action.create = &create;
		inner_id = create.id;
	}
	else
	{
		rsn_settle_request_from_json(RSN_ARG_JSONB(3), "promise", &settle);
		action.settle = &settle;
		inner_id = settle.id;
	}
	if (!rsn_valid_in_fence(inner_id, id, &flaw))
		rsn_raise_flaw(&flaw, "promise", 0);
	outcome = rsn_engine_fence(id, version, &action);
	if (outcome.status == RSN_STATUS_OK && action.create != NULL)
		rsn_notice_create(&create, &outcome.inner, rsn_clock_now());
	else if (outcome.status == RSN_STATUS_OK)
		rsn_notice_settle(&settle, &outcome.inner);
	return rsn_record_fence(fcinfo, inner_id, &outcome);
}

/* The tasks that a heartbeat names. */
static RsnTaskRef *
refs_from_arrays(ArrayType *ids, ArrayType *versions, int *n)
{
	text	  **id_list = ids_from_array(ids, "ids", n);
	Datum	   *version_list;
	int			nversions;
	RsnTaskRef *refs;

	check_array(versions, "versions");
	deconstruct_array(versions, INT4OID, sizeof(int32), true, TYPALIGN_INT,
					  &version_list, NULL, &nversions);
	if (*n != nversions)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("%s and %s must have the same length",
						rsn_arg_where("ids", 0), rsn_arg_where("versions", 0)),
				 errdetail("They have %d and %d elements.", *n, nversions)));
	refs = palloc(sizeof(RsnTaskRef) * Max(*n, 1));
	for (int i = 0; i < *n; i++)
	{
		refs[i].id = id_list[i];
		refs[i].version = check_version(DatumGetInt32(version_list[i]),
										psprintf("versions[%d]", i + 1));
	}
	return refs;
}

/* resonate.heartbeat_tasks(pid, ids, versions) */
Datum
resonate_heartbeat_tasks(PG_FUNCTION_ARGS)
{
	text	   *pid = check_pid(RSN_ARG_TEXT(0));
	RsnTaskRef *refs;
	int			n;

	if (PG_ARGISNULL(1) && PG_ARGISNULL(2))
		PG_RETURN_INT32(rsn_engine_heartbeat_all(pid));
	if (PG_ARGISNULL(1) || PG_ARGISNULL(2))
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("%s and %s go together", rsn_arg_where("ids", 0),
						rsn_arg_where("versions", 0))));
	refs = refs_from_arrays(PG_GETARG_ARRAYTYPE_P(1), PG_GETARG_ARRAYTYPE_P(2),
							&n);
	PG_RETURN_INT32(rsn_engine_heartbeat(pid, refs, n));
}

/* resonate.halt_task(id) */
Datum
resonate_halt_task(PG_FUNCTION_ARGS)
{
	text	   *id = check_task_id(RSN_ARG_TEXT(0));
	RsnTaskOutcome outcome = rsn_engine_halt(id);

	return rsn_record_task(fcinfo, &outcome);
}

/* resonate.continue_task(id) */
Datum
resonate_continue_task(PG_FUNCTION_ARGS)
{
	text	   *id = check_task_id(RSN_ARG_TEXT(0));
	RsnTaskOutcome outcome = rsn_engine_continue(id);

	return rsn_record_task(fcinfo, &outcome);
}

static RsnTaskState
check_state(text *state)
{
	RsnTaskState result;

	if (!rsn_task_state_from_name(text_to_cstring(state), &result))
		rsn_invalid_value(state, "state", 0, NULL,
						  "Use pending, acquired, suspended, halted or fulfilled.");
	return result;
}

/* resonate.search_tasks(state, limit, cursor) */
Datum
resonate_search_tasks(PG_FUNCTION_ARGS)
{
	RsnPage		page = rsn_page_from_sql(fcinfo, 1);
	RsnTaskState wanted;
	RsnTaskState *state = NULL;
	RsnTaskRow *rows;

	if (!PG_ARGISNULL(0))
	{
		wanted = check_state(PG_GETARG_TEXT_PP(0));
		state = &wanted;
	}
	InitMaterializedSRF(fcinfo, 0);
	rows = rsn_page_tasks(&page, state);

	/* The cursor is in a row, so without one this is not a page. */
	while (page.n == 0 && page.cursor != NULL)
	{
		CHECK_FOR_INTERRUPTS();
		page.after_id = page.cursor;
		rows = rsn_page_tasks(&page, state);
	}
	rsn_put_tasks(fcinfo, rows, page.n, page.cursor);
	return (Datum) 0;
}
