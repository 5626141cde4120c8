/*-------------------------------------------------------------------------
 *
 * protocol/task.c
 *	  Requests of the wire protocol on tasks.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "utils/builtins.h"

#include "engine/branch.h"
#include "protocol/promise.h"
#include "protocol/rpc.h"
#include "server/clock.h"
#include "server/guc.h"
#include "server/id.h"

/* The answer to what went wrong with a task. */
static RsnAnswer
answer_refused(RsnStatus status)
{
	switch (status)
	{
		case RSN_STATUS_NOT_FOUND:
			return rsn_answer(RSN_HTTP_NOT_FOUND, "task not found");
		case RSN_STATUS_UNFIT:
			return rsn_answer(RSN_HTTP_UNFIT,
							  "the promise cannot play that role");
		default:
			return rsn_answer(RSN_HTTP_CONFLICT,
							  "the task is not in that state, or of another version");
	}
}

/* The answer to who holds a task now, or sees that it is fulfilled. */
static RsnAnswer
answer_holder(const RsnTaskOutcome *outcome)
{
	RsnPromiseRow *preload = NULL;
	int			npreload = 0;
	RsnJson		json;

	if (outcome->task.state == RSN_TASK_ACQUIRED)
		npreload = rsn_branch_siblings(outcome->promise, &preload);

	rsn_json_begin_object(&json);
	rsn_json_add(&json, "task", rsn_json_task(outcome->id, &outcome->task,
											  outcome->pid));
	rsn_json_add(&json, "promise", rsn_json_promise(outcome->promise));
	rsn_json_add(&json, "preload", rsn_json_promises(preload, npreload));
	return rsn_answer_data(rsn_json_end_object(&json));
}

static RsnAnswer
answer_done(const RsnTaskOutcome *outcome)
{
	return outcome->status == RSN_STATUS_OK ? rsn_answer_empty()
		: answer_refused(outcome->status);
}

static RsnAnswer
task_get(const RsnRequest *request)
{
	RsnAnswer	malformed;
	text	   *id = rsn_request_id(request, RSN_PROMISE_ID_MAX, &malformed);
	RsnTaskOutcome outcome;
	RsnJson		json;

	if (id == NULL)
		return malformed;
	outcome = rsn_engine_get_task(id);
	if (outcome.status != RSN_STATUS_OK)
		return answer_refused(outcome.status);
	rsn_json_begin_object(&json);
	rsn_json_add(&json, "task", rsn_json_task(id, &outcome.task,
											  outcome.pid));
	return rsn_answer_data(rsn_json_end_object(&json));
}

static RsnLease
decode_lease(RsnDecoder *decoder, JsonbContainer *data)
{
	RsnLease	lease;

	lease.pid = rsn_decode_text(decoder, data, "pid", RSN_PID_MAX);
	lease.ttl_ms = rsn_decode_int(decoder, data, "ttl", 1, PG_INT64_MAX);
	return lease;
}

/* The task and the version that the client believes to be current. */
static RsnTaskRef
decode_ref(RsnDecoder *decoder, JsonbContainer *data)
{
	RsnTaskRef	ref;

	ref.id = rsn_decode_id(decoder, data, "id");
	ref.version = (int32) rsn_decode_int(decoder, data, "version", 0,
										 PG_INT32_MAX);
	return ref;
}

static RsnAnswer
task_create(const RsnRequest *request)
{
	RsnDecoder	decoder = {0};
	RsnLease	lease = decode_lease(&decoder, request->data);
	JsonbContainer *action = rsn_decode_action(&decoder, request->data,
											   "action");
	RsnCreateRequest command = rsn_decode_create(&decoder, action);
	RsnTaskOutcome outcome;
	RsnFlaw		flaw;

	if (!rsn_is_malformed(&decoder) && !rsn_valid_to_take(&command, &flaw))
		rsn_decode_refuse(&decoder, "action.data.tags", &flaw);
	if (rsn_is_malformed(&decoder))
		return rsn_answer_malformed(&decoder);
	outcome = rsn_engine_create_and_take(&command, &lease, false,
										 rsn_clock_now());
	if (outcome.status != RSN_STATUS_OK &&
		outcome.status != RSN_STATUS_CREATED)
		return answer_refused(outcome.status);
	return answer_holder(&outcome);
}

static RsnAnswer
task_acquire(const RsnRequest *request)
{
	RsnDecoder	decoder = {0};
	RsnTaskRef	ref = decode_ref(&decoder, request->data);
	RsnLease	lease = decode_lease(&decoder, request->data);
	RsnTaskOutcome outcome;

	if (rsn_is_malformed(&decoder))
		return rsn_answer_malformed(&decoder);
	outcome = rsn_engine_acquire(ref.id, ref.version, &lease);
	if (outcome.status != RSN_STATUS_OK)
		return answer_refused(outcome.status);
	return answer_holder(&outcome);
}

static RsnAnswer
task_release(const RsnRequest *request)
{
	RsnDecoder	decoder = {0};
	RsnTaskRef	ref = decode_ref(&decoder, request->data);
	RsnTaskOutcome outcome;

	if (rsn_is_malformed(&decoder))
		return rsn_answer_malformed(&decoder);
	outcome = rsn_engine_release(ref.id, ref.version);
	return answer_done(&outcome);
}

/* The promises that a task wants to wait for. */
static int
decode_awaited(RsnDecoder *decoder, JsonbContainer *data, text *id,
			   text ***awaited)
{
	JsonbContainer **actions;
	int			n = rsn_decode_objects(decoder, data, "actions", &actions);
	text	   *origin = rsn_decode_origin(decoder, id);
	RsnFlaw		flaw;

	*awaited = palloc(sizeof(text *) * Max(n, 1));
	for (int i = 0; i < n; i++)
	{
		JsonbContainer *action = rsn_decode_action_data(decoder, actions[i]);
		text	   *awaiter = rsn_decode_id(decoder, action, "awaiter");

		(*awaited)[i] = rsn_decode_id(decoder, action, "awaited");
		if (decoder->error != NULL)
			return 0;
		if (!rsn_id_equals(awaiter, id))
			rsn_decode_fail(decoder, "awaiter must be the task");
		rsn_decode_same_origin(decoder, origin, (*awaited)[i], NULL);
	}
	if (decoder->error == NULL && !rsn_valid_awaited(*awaited, n, id, &flaw))
		rsn_decode_refuse(decoder, "actions", &flaw);
	return n;
}

static RsnAnswer
task_suspend(const RsnRequest *request)
{
	RsnDecoder	decoder = {0};
	RsnTaskRef	ref = decode_ref(&decoder, request->data);
	text	  **awaited = NULL;
	int			nawaited = 0;
	RsnTaskOutcome outcome;
	RsnPromiseRow *preload;
	int			npreload;
	RsnAnswer	redirect;
	RsnJson		json;

	if (decoder.error == NULL)
		nawaited = decode_awaited(&decoder, request->data, ref.id, &awaited);
	if (rsn_is_malformed(&decoder))
		return rsn_answer_malformed(&decoder);
	outcome = rsn_engine_suspend(ref.id, ref.version, awaited, nawaited);
	if (outcome.status != RSN_STATUS_REDIRECT)
		return answer_done(&outcome);

	npreload = rsn_branch_siblings_of(ref.id, &preload);
	rsn_json_begin_object(&json);
	rsn_json_add(&json, "preload", rsn_json_promises(preload, npreload));
	redirect = rsn_answer_data(rsn_json_end_object(&json));
	redirect.status = RSN_HTTP_REDIRECT;
	return redirect;
}

static RsnAnswer
task_fulfill(const RsnRequest *request)
{
	RsnDecoder	decoder = {0};
	RsnTaskRef	ref = decode_ref(&decoder, request->data);
	JsonbContainer *action = rsn_decode_action(&decoder, request->data,
											   "action");
	RsnSettleRequest command = rsn_decode_settle(&decoder, action);
	RsnTaskOutcome outcome;

	if (!rsn_is_malformed(&decoder) &&
		!rsn_id_equals(command.id, ref.id))
		rsn_decode_fail(&decoder, "action.data.id must be the task");
	if (rsn_is_malformed(&decoder))
		return rsn_answer_malformed(&decoder);
	outcome = rsn_engine_fulfill(ref.version, &command);
	if (outcome.status != RSN_STATUS_OK)
		return answer_refused(outcome.status);
	return rsn_answer_promise(outcome.promise);
}

/* What a fence is to do.  It can be malformed and yet have to wait for the fence. */
typedef struct FenceRequest
{
	const char *kind;
	RsnCreateRequest create;
	RsnSettleRequest settle;
	RsnFenceAction action;
} FenceRequest;

static void
decode_fence(RsnDecoder *decoder, JsonbContainer *data, text *id,
			 FenceRequest *fence)
{
	JsonbContainer *action = rsn_decode_object(decoder, data, "action");
	JsonbContainer *inner = rsn_decode_object(decoder, action, "data");
	text	   *inner_id = NULL;
	RsnFlaw		flaw;

	memset(fence, 0, sizeof(FenceRequest));
	fence->kind = rsn_decode_peek_string(action, "kind");
	if (fence->kind != NULL && strcmp(fence->kind, "promise.create") == 0)
	{
		fence->create = rsn_decode_create(decoder, inner);
		fence->action.create = &fence->create;
		inner_id = fence->create.id;
	}
	else if (fence->kind != NULL &&
			 strcmp(fence->kind, "promise.settle") == 0)
	{
		fence->settle = rsn_decode_settle(decoder, inner);
		fence->action.settle = &fence->settle;
		inner_id = fence->settle.id;
	}
	else
		rsn_decode_fail(decoder,
						"action.kind must be promise.create or promise.settle");
	if (decoder->error == NULL && !rsn_valid_in_fence(inner_id, id, &flaw))
		rsn_decode_refuse(decoder, "action.data.id", &flaw);
	rsn_decode_same_origin(decoder, rsn_decode_origin(decoder, id), inner_id,
						   fence->create.tags);
}

static RsnAnswer
task_fence(const RsnRequest *request)
{
	RsnDecoder	decoder = {0};
	RsnTaskRef	ref = decode_ref(&decoder, request->data);
	FenceRequest fence;
	RsnFenceAction nothing = {NULL, NULL};
	RsnFenceOutcome outcome;
	RsnAnswer	inner;
	RsnJson		json;

	decode_fence(&decoder, request->data, ref.id, &fence);
	if (decoder.error != NULL)
		return rsn_answer_malformed(&decoder);
	outcome = rsn_engine_fence(ref.id, ref.version, decoder.unfit != NULL
							   ? &nothing : &fence.action);
	if (outcome.status != RSN_STATUS_OK)
		return answer_refused(outcome.status);

	inner = decoder.unfit != NULL ? rsn_answer_malformed(&decoder)
		: rsn_answer_outcome(&outcome.inner);
	rsn_json_begin_object(&json);
	rsn_json_add(&json, "action", rsn_rpc_envelope(fence.kind,
												   request->corr_id, &inner));

	/* The holder has made what is in its branch, and need not be told of it. */
	rsn_json_add(&json, "preload", rsn_json_promises(NULL, 0));
	return rsn_answer_data(rsn_json_end_object(&json));
}

/*
 * The leases to extend; a version that no task can have is left out, so there
 * can be fewer than are listed.
 */
static int
decode_refs(RsnDecoder *decoder, JsonbContainer *data, RsnTaskRef **refs,
			int *nlisted)
{
	JsonbContainer **elements;
	int			n = rsn_decode_objects(decoder, data, "tasks", &elements);
	int			nrefs = 0;

	*refs = palloc(sizeof(RsnTaskRef) * Max(n, 1));
	for (int i = 0; i < n; i++)
	{
		text	   *id = rsn_decode_id(decoder, elements[i], "id");
		int64		version = rsn_decode_int(decoder, elements[i], "version",
											 PG_INT64_MIN, PG_INT64_MAX);

		if (version < 0 || version > PG_INT32_MAX)
			continue;
		(*refs)[nrefs].id = id;
		(*refs)[nrefs].version = (int32) version;
		nrefs++;
	}
	*nlisted = n;
	return nrefs;
}

static RsnAnswer
task_heartbeat(const RsnRequest *request)
{
	RsnDecoder	decoder = {0};
	text	   *pid = rsn_decode_text(&decoder, request->data, "pid",
									  RSN_PID_MAX);
	RsnTaskRef *refs;
	int			nlisted;
	int			nrefs = decode_refs(&decoder, request->data, &refs, &nlisted);

	if (rsn_is_malformed(&decoder))
		return rsn_answer_malformed(&decoder);
	if (nlisted == 0 && rsn_guc_profile == RSN_PROFILE_SDK)
		(void) rsn_engine_heartbeat_all(pid);
	else if (nrefs > 0)
		(void) rsn_engine_heartbeat(pid, refs, nrefs);
	return rsn_answer_empty();
}

static RsnAnswer
change_task(const RsnRequest *request, RsnTaskOutcome (*operation) (text *id))
{
	RsnAnswer	malformed;
	text	   *id = rsn_request_id(request, RSN_PROMISE_ID_MAX, &malformed);
	RsnTaskOutcome outcome;

	if (id == NULL)
		return malformed;
	outcome = operation(id);
	return answer_done(&outcome);
}

static RsnAnswer
task_halt(const RsnRequest *request)
{
	return change_task(request, rsn_engine_halt);
}

static RsnAnswer
task_continue(const RsnRequest *request)
{
	return change_task(request, rsn_engine_continue);
}

/* The state to search for; NULL, which is any, when there is none. */
static RsnTaskState *
decode_state(RsnDecoder *decoder, JsonbContainer *data)
{
	text	   *name = rsn_decode_optional_text(decoder, data, "state");
	RsnTaskState *state;

	if (name == NULL)
		return NULL;
	state = palloc(sizeof(RsnTaskState));
	if (!rsn_task_state_from_name(text_to_cstring(name), state))
		rsn_decode_fail(decoder, "state is not one of a task");
	return state;
}

static RsnAnswer
task_search(const RsnRequest *request)
{
	RsnDecoder	decoder = {0};
	RsnTaskState *state = decode_state(&decoder, request->data);
	RsnPage		page = rsn_decode_page(&decoder, request->data,
									   RSN_PAGE_LIMIT_DEFAULT);
	RsnTaskRow *rows;
	RsnJson		tasks;

	if (rsn_is_malformed(&decoder))
		return rsn_answer_malformed(&decoder);
	rows = rsn_page_tasks(&page, state);
	rsn_json_begin_array(&tasks);
	for (int i = 0; i < page.n; i++)
		rsn_json_append(&tasks, rsn_json_task(rows[i].id, &rows[i].core,
											  rows[i].pid));
	return rsn_answer_page("tasks", rsn_json_end_array(&tasks), &page);
}

const RsnHandlerDef rsn_task_handlers[] = {
	{"task.get", "get_task", task_get},
	{"task.create", "create_promise_and_task", task_create},
	{"task.acquire", "acquire_task", task_acquire},
	{"task.release", "release_task", task_release},
	{"task.suspend", "suspend_task", task_suspend},
	{"task.fulfill", "fulfill_task", task_fulfill},
	{"task.fence", "fence_task", task_fence},
	{"task.heartbeat", "heartbeat_tasks", task_heartbeat},
	{"task.halt", "halt_task", task_halt},
	{"task.continue", "continue_task", task_continue},
	{"task.search", "search_tasks", task_search},
	{NULL, NULL, NULL}
};
