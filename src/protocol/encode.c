/*-------------------------------------------------------------------------
 *
 * protocol/encode.c
 *	  Records of the wire protocol.
 *
 * A member that has nothing to say is left out; none is ever null, which the
 * clients refuse (section 2.3 of the specification).
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "protocol/encode.h"
#include "store/payload.h"

static JsonbValue *
json_payload(const RsnPayload *payload)
{
	RsnJson		json;

	rsn_json_begin_object(&json);
	rsn_json_add_jsonb(&json, "headers", rsn_stored_jsonb(payload->headers));
	rsn_json_add_text(&json, "data", rsn_payload_string(payload));
	return rsn_json_end_object(&json);
}

JsonbValue *
rsn_json_promise(const RsnPromiseRow *row)
{
	RsnJson		json;
	const RsnPromise *core = &row->core;

	rsn_json_begin_object(&json);
	rsn_json_add_text(&json, "id", row->id);
	rsn_json_add_string(&json, "state", rsn_promise_state_name(core->state));
	rsn_json_add(&json, "param", json_payload(&row->param));
	rsn_json_add(&json, "value", json_payload(&row->value));
	rsn_json_add_jsonb(&json, "tags", rsn_stored_jsonb(row->tags));
	rsn_json_add_int(&json, "timeoutAt", core->timeout_at_ms);
	rsn_json_add_int(&json, "createdAt", core->created_at_ms);
	if (core->state != RSN_PROMISE_PENDING)
		rsn_json_add_int(&json, "settledAt", core->settled_at_ms);
	return rsn_json_end_object(&json);
}

JsonbValue *
rsn_json_promises(const RsnPromiseRow *rows, int n)
{
	RsnJson		json;

	rsn_json_begin_array(&json);
	for (int i = 0; i < n; i++)
		rsn_json_append(&json, rsn_json_promise(&rows[i]));
	return rsn_json_end_array(&json);
}

JsonbValue *
rsn_json_task(const text *id, const RsnTask *task, const text *pid)
{
	RsnJson		json;

	rsn_json_begin_object(&json);
	rsn_json_add_text(&json, "id", id);
	rsn_json_add_string(&json, "state", rsn_task_state_name(task->state));
	rsn_json_add_int(&json, "version", task->version);
	rsn_json_add_int(&json, "resumes", task->resumes);
	if (task->state == RSN_TASK_ACQUIRED)
	{
		rsn_json_add_int(&json, "ttl", task->ttl_ms);
		rsn_json_add_text(&json, "pid", pid);
	}
	return rsn_json_end_object(&json);
}

static JsonbValue *
json_message(const char *kind, const char *name, JsonbValue *value)
{
	RsnJson		data;
	RsnJson		head;
	RsnJson		json;

	rsn_json_begin_object(&data);
	rsn_json_add(&data, name, value);
	rsn_json_begin_object(&head);
	rsn_json_begin_object(&json);
	rsn_json_add_string(&json, "kind", kind);
	rsn_json_add(&json, "head", rsn_json_end_object(&head));
	rsn_json_add(&json, "data", rsn_json_end_object(&data));
	return rsn_json_end_object(&json);
}

/* The message that offers a task. */
JsonbValue *
rsn_json_execute(const text *id, int32 version)
{
	RsnJson		json;

	rsn_json_begin_object(&json);
	rsn_json_add_text(&json, "id", id);
	rsn_json_add_int(&json, "version", version);
	return json_message("execute", "task", rsn_json_end_object(&json));
}

/* The message that tells of a settlement. */
JsonbValue *
rsn_json_unblock(const RsnPromiseRow *row)
{
	return json_message("unblock", "promise", rsn_json_promise(row));
}

JsonbValue *
rsn_json_schedule(const RsnScheduleRow *row)
{
	RsnJson		json;

	rsn_json_begin_object(&json);
	rsn_json_add_text(&json, "id", row->id);
	rsn_json_add_text(&json, "cron", row->cron);
	rsn_json_add_text(&json, "promiseId", row->promise_id);
	rsn_json_add_int(&json, "promiseTimeout", row->promise_timeout_ms);
	rsn_json_add(&json, "promiseParam", json_payload(&row->param));
	rsn_json_add_jsonb(&json, "promiseTags",
					   rsn_stored_jsonb(row->promise_tags));
	rsn_json_add_int(&json, "createdAt", row->created_at_ms);
	rsn_json_add_int(&json, "nextRunAt", row->next_run_at_ms);
	if (row->last_run_at_ms >= 0)
		rsn_json_add_int(&json, "lastRunAt", row->last_run_at_ms);
	return rsn_json_end_object(&json);
}
