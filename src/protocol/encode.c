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

#include "utils/builtins.h"
#include "utils/fmgrprotos.h"
#include "utils/numeric.h"

#include "protocol/encode.h"
#include "store/payload.h"

static JsonbValue
string_value(const char *data, int len)
{
	JsonbValue	value;

	value.type = jbvString;
	value.val.string.val = (char *) data;
	value.val.string.len = len;
	return value;
}

static void
push_key(RsnJson *json, const char *name)
{
	JsonbValue	key = string_value(name, strlen(name));

	pushJsonbValue(&json->state, WJB_KEY, &key);
}

void
rsn_json_begin_object(RsnJson *json)
{
	json->state = NULL;
	pushJsonbValue(&json->state, WJB_BEGIN_OBJECT, NULL);
}

JsonbValue *
rsn_json_end_object(RsnJson *json)
{
	return pushJsonbValue(&json->state, WJB_END_OBJECT, NULL);
}

void
rsn_json_begin_array(RsnJson *json)
{
	json->state = NULL;
	pushJsonbValue(&json->state, WJB_BEGIN_ARRAY, NULL);
}

JsonbValue *
rsn_json_end_array(RsnJson *json)
{
	return pushJsonbValue(&json->state, WJB_END_ARRAY, NULL);
}

/* Adds a member to an object. */
void
rsn_json_add(RsnJson *json, const char *name, JsonbValue *value)
{
	push_key(json, name);
	pushJsonbValue(&json->state, WJB_VALUE, value);
}

void
rsn_json_add_string(RsnJson *json, const char *name, const char *value)
{
	JsonbValue	string = string_value(value, strlen(value));

	rsn_json_add(json, name, &string);
}

/* Adds a text, unless it is NULL. */
void
rsn_json_add_text(RsnJson *json, const char *name, const text *value)
{
	JsonbValue	string;

	if (value == NULL)
		return;
	string = string_value(VARDATA_ANY(value), VARSIZE_ANY_EXHDR(value));
	rsn_json_add(json, name, &string);
}

void
rsn_json_add_int(RsnJson *json, const char *name, int64 value)
{
	JsonbValue	number;

	number.type = jbvNumeric;
	number.val.numeric = int64_to_numeric(value);
	rsn_json_add(json, name, &number);
}

/* Adds an object or array, unless it is NULL. */
void
rsn_json_add_jsonb(RsnJson *json, const char *name, Jsonb *value)
{
	JsonbValue	binary;

	if (value == NULL)
		return;
	binary.type = jbvBinary;
	binary.val.binary.data = &value->root;
	binary.val.binary.len = VARSIZE(value) - VARHDRSZ;
	rsn_json_add(json, name, &binary);
}

/* Adds all members of an object. */
void
rsn_json_add_members(RsnJson *json, Jsonb *object)
{
	JsonbIterator *it = JsonbIteratorInit(&object->root);
	JsonbIteratorToken token;
	JsonbValue	value;

	while ((token = JsonbIteratorNext(&it, &value, true)) != WJB_DONE)
	{
		if (token == WJB_KEY || token == WJB_VALUE)
			pushJsonbValue(&json->state, token, &value);
	}
}

/* Adds an element to an array. */
void
rsn_json_append(RsnJson *json, JsonbValue *value)
{
	pushJsonbValue(&json->state, WJB_ELEM, value);
}

JsonbValue *
rsn_json_string(const char *value)
{
	JsonbValue *result = palloc(sizeof(JsonbValue));

	*result = string_value(value, strlen(value));
	return result;
}

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
