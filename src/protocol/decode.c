/*-------------------------------------------------------------------------
 *
 * protocol/decode.c
 *	  From the JSON of the wire protocol to what the engine takes.
 *
 * The rules are those of section 2.4 of the specification: what is missing,
 * null, of another type or out of range is malformed; a member that is not known
 * is ignored.  What the members say is checked in api/valid.c.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "utils/builtins.h"
#include "utils/fmgrprotos.h"
#include "utils/numeric.h"

#include "protocol/decode.h"
#include "server/guc.h"
#include "server/id.h"
#include "server/json_write.h"
#include "store/payload.h"

/* Why a state is none that a settlement can ask for. */
#define TARGETS_ONLY "state must be resolved, rejected or rejected_canceled"

/* Keeps a fault, unless there is one already. */
void
rsn_decode_fail(RsnDecoder *decoder, const char *format,...)
{
	StringInfoData message;

	if (decoder->error != NULL)
		return;
	initStringInfo(&message);
	for (;;)
	{
		va_list		args;
		int			needed;

		va_start(args, format);
		needed = appendStringInfoVA(&message, format, args);
		va_end(args);
		if (needed == 0)
			break;
		enlargeStringInfo(&message, needed);
	}
	decoder->error = message.data;
}

/* What a flaw of a member, or of several together, is called. */
static char *
describe(const char *name, const RsnFlaw *flaw)
{
	if (flaw->problem == NULL)
		return psprintf("%s: %s", name, flaw->detail);
	return psprintf("%s %s%s%s", name, flaw->problem,
					flaw->detail != NULL ? ": " : "",
					flaw->detail != NULL ? flaw->detail : "");
}

/* Keeps what a check has found. */
void
rsn_decode_refuse(RsnDecoder *decoder, const char *name, const RsnFlaw *flaw)
{
	rsn_decode_fail(decoder, "%s", describe(name, flaw));
}

static void
fail_unfit(RsnDecoder *decoder, const char *reason)
{
	if (decoder->unfit == NULL)
		decoder->unfit = reason;
}

static bool
find(JsonbContainer *object, const char *name, JsonbValue *value)
{
	return object != NULL &&
		getKeyJsonValueFromContainer(object, name, strlen(name),
									 value) != NULL;
}

/* True when the object has the member, whatever it is. */
bool
rsn_decode_has(JsonbContainer *object, const char *name)
{
	JsonbValue	value;

	return find(object, name, &value);
}

/* A member if it is a string, else NULL; no fault either way. */
char *
rsn_decode_peek_string(JsonbContainer *object, const char *name)
{
	JsonbValue	value;

	if (!find(object, name, &value) || value.type != jbvString)
		return NULL;
	return pnstrdup(value.val.string.val, value.val.string.len);
}

static JsonbContainer *
container_of(const JsonbValue *value)
{
	return value->type == jbvBinary ? value->val.binary.data : NULL;
}

/* A member that has to be an object. */
JsonbContainer *
rsn_decode_object(RsnDecoder *decoder, JsonbContainer *object,
				  const char *name)
{
	JsonbValue	value;
	JsonbContainer *result = NULL;

	if (find(object, name, &value))
		result = container_of(&value);
	if (result == NULL || !JsonContainerIsObject(result))
	{
		rsn_decode_fail(decoder, "%s must be an object", name);
		return NULL;
	}
	return result;
}

/* A member that has to be a string which is not empty. */
text *
rsn_decode_text(RsnDecoder *decoder, JsonbContainer *object, const char *name,
				int len_max)
{
	JsonbValue	value;
	RsnFlaw		flaw;

	if (!find(object, name, &value) || value.type != jbvString)
	{
		rsn_decode_fail(decoder, "%s must be a string", name);
		return NULL;
	}
	if (!rsn_valid_id(value.val.string.val, value.val.string.len, len_max,
					  &flaw))
	{
		rsn_decode_refuse(decoder, name, &flaw);
		return NULL;
	}
	return cstring_to_text_with_len(value.val.string.val,
									value.val.string.len);
}

/* A member that has to be the id of a promise, or of its task. */
text *
rsn_decode_id(RsnDecoder *decoder, JsonbContainer *object, const char *name)
{
	return rsn_decode_text(decoder, object, name, RSN_PROMISE_ID_MAX);
}

/* A member that is a string, null or absent; the latter two are NULL. */
text *
rsn_decode_optional_text(RsnDecoder *decoder, JsonbContainer *object,
						 const char *name)
{
	JsonbValue	value;

	if (!find(object, name, &value) || value.type == jbvNull)
		return NULL;
	if (value.type != jbvString)
	{
		rsn_decode_fail(decoder, "%s must be a string", name);
		return NULL;
	}
	return cstring_to_text_with_len(value.val.string.val,
									value.val.string.len);
}

/*
 * True for a number that is written without a fraction and fits an int64.  Its
 * text is looked at, because 1.0 is a number of another type.
 */
static bool
read_int(const JsonbValue *value, int64 *result)
{
	char	   *digits;
	char	   *end;

	if (value->type != jbvNumeric)
		return false;
	digits = DatumGetCString(DirectFunctionCall1(numeric_out,
												 NumericGetDatum(value->val.numeric)));
	errno = 0;
	*result = strtoi64(digits, &end, 10);
	return errno == 0 && *end == '\0' && end != digits;
}

static int64
check_int(RsnDecoder *decoder, const JsonbValue *value, const char *name,
		  int64 min, int64 max)
{
	int64		result;

	if (read_int(value, &result) && result >= min && result <= max)
		return result;
	rsn_decode_fail(decoder, "%s must be an integer from " INT64_FORMAT
					" to " INT64_FORMAT, name, min, max);
	return min;
}

/* A member that has to be an integer of that range. */
int64
rsn_decode_int(RsnDecoder *decoder, JsonbContainer *object, const char *name,
			   int64 min, int64 max)
{
	JsonbValue	value;

	if (!find(object, name, &value))
		value.type = jbvNull;
	return check_int(decoder, &value, name, min, max);
}

/* The same, or null or absent. */
static int64
decode_optional_int(RsnDecoder *decoder, JsonbContainer *object,
						const char *name, int64 min, int64 max,
						int64 if_absent)
{
	JsonbValue	value;

	if (!find(object, name, &value) || value.type == jbvNull)
		return if_absent;
	return check_int(decoder, &value, name, min, max);
}

/* A member that has to be an object of strings; NULL when it is absent. */
static Jsonb *
decode_strings(RsnDecoder *decoder, JsonbContainer *object,
				   const char *name)
{
	JsonbValue	value;
	RsnFlaw		flaw;

	if (!find(object, name, &value))
		return NULL;
	if (!rsn_valid_strings(&value, &flaw))
	{
		rsn_decode_refuse(decoder, name, &flaw);
		return NULL;
	}
	return JsonbValueToJsonb(&value);
}

/* Tags to create with: an object of strings, or absent, which is none. */
Jsonb *
rsn_decode_tags(RsnDecoder *decoder, JsonbContainer *object, const char *name)
{
	Jsonb	   *tags = decode_strings(decoder, object, name);

	return tags != NULL ? tags : rsn_json_empty_object();
}

/* Tags to search for: the same, but null is allowed, and none is NULL. */
Jsonb *
rsn_decode_search_tags(RsnDecoder *decoder, JsonbContainer *object)
{
	JsonbValue	value;

	if (find(object, "tags", &value) && value.type == jbvNull)
		return NULL;
	return decode_strings(decoder, object, "tags");
}

/* How much of a search is asked for, and where it continues. */
RsnPage
rsn_decode_page(RsnDecoder *decoder, JsonbContainer *object,
				int limit_default)
{
	RsnPage		page = {0};

	page.limit = (int) decode_optional_int(decoder, object, "limit", 1,
											   RSN_PAGE_LIMIT_MAX,
											   limit_default);
	page.after_id = rsn_decode_optional_text(decoder, object, "cursor");
	if (page.after_id == NULL)
		page.after_id = cstring_to_text("");
	return page;
}

/* A param or value: an object, or absent; in it data may be null. */
RsnPayload
rsn_decode_payload(RsnDecoder *decoder, JsonbContainer *object,
				   const char *name)
{
	RsnPayload	payload = {0};
	JsonbContainer *container;
	JsonbValue	data;
	RsnFlaw		flaw;

	if (!rsn_decode_has(object, name))
		return payload;
	container = rsn_decode_object(decoder, object, name);
	if (container == NULL)
		return payload;
	payload.headers = (struct varlena *)
		decode_strings(decoder, container, "headers");
	if (!find(container, "data", &data) || data.type == jbvNull)
		return payload;
	if (data.type != jbvString)
		rsn_decode_fail(decoder, "%s.data must be a string", name);
	else if (!rsn_valid_size(data.val.string.len, &flaw))
		rsn_decode_refuse(decoder, psprintf("%s.data", name), &flaw);
	else
		rsn_payload_set_string(&payload, data.val.string.val,
							   data.val.string.len);
	return payload;
}

/* The data of a request in a request, whose kind is implied by the outer one. */
JsonbContainer *
rsn_decode_action_data(RsnDecoder *decoder, JsonbContainer *action)
{
	if (rsn_decode_peek_string(action, "kind") == NULL)
		rsn_decode_fail(decoder, "the kind of an action must be a string");
	if (!rsn_decode_has(action, "head"))
		rsn_decode_fail(decoder, "the head of an action is missing");
	return rsn_decode_object(decoder, action, "data");
}

/* The same, where it is a member. */
JsonbContainer *
rsn_decode_action(RsnDecoder *decoder, JsonbContainer *object,
				  const char *name)
{
	JsonbContainer *action = rsn_decode_object(decoder, object, name);

	return action == NULL ? NULL : rsn_decode_action_data(decoder, action);
}

/* A member that has to be an array of objects; returns how many. */
int
rsn_decode_objects(RsnDecoder *decoder, JsonbContainer *object,
				   const char *name, JsonbContainer ***elements)
{
	JsonbValue	value;
	JsonbContainer *array = NULL;
	int			n;

	if (find(object, name, &value))
		array = container_of(&value);
	if (array == NULL || !JsonContainerIsArray(array) ||
		JsonContainerIsScalar(array))
	{
		rsn_decode_fail(decoder, "%s must be an array", name);
		return 0;
	}
	n = JsonContainerSize(array);
	*elements = palloc(sizeof(JsonbContainer *) * Max(n, 1));
	for (int i = 0; i < n; i++)
	{
		JsonbValue *element = getIthJsonbValueFromContainer(array, i);

		(*elements)[i] = container_of(element);
		if ((*elements)[i] == NULL || !JsonContainerIsObject((*elements)[i]))
		{
			rsn_decode_fail(decoder, "%s must be an array of objects", name);
			return 0;
		}
	}
	return n;
}

/* The data of promise.create. */
RsnCreateRequest
rsn_decode_create(RsnDecoder *decoder, JsonbContainer *data)
{
	RsnCreateRequest request = {0};
	RsnFlaw		flaw;

	request.id = rsn_decode_id(decoder, data, "id");
	request.rule.timeout_at_ms = rsn_decode_int(decoder, data, "timeoutAt", 0,
												PG_INT64_MAX);
	request.param = rsn_decode_payload(decoder, data, "param");
	request.tags = rsn_decode_tags(decoder, data, "tags");
	if (!rsn_valid_written_size(request.tags, &request.param, &flaw))
		rsn_decode_refuse(decoder, flaw.part, &flaw);
	if (!rsn_valid_traits(&request, &flaw))
		fail_unfit(decoder, describe(flaw.part, &flaw));
	return request;
}

/* The origin to compare with; NULL if the profile compares none. */
text *
rsn_decode_origin(const RsnDecoder *decoder, text *task_id)
{
	if (decoder->error != NULL || rsn_guc_profile != RSN_PROFILE_STRICT)
		return NULL;
	return rsn_engine_origin(task_id);
}

/*
 * Refuses, to the letter of the specification, what would tie a promise to the
 * task of another call graph.  The tags are those of a promise that is to be
 * created, else NULL.
 */
void
rsn_decode_same_origin(RsnDecoder *decoder, text *task_origin, text *id,
					   Jsonb *tags)
{
	text	   *origin;

	if (decoder->error != NULL || task_origin == NULL)
		return;
	origin = tags != NULL ? rsn_tags_origin(tags, id) : rsn_engine_origin(id);
	if (!rsn_id_equals(origin, task_origin))
		rsn_decode_fail(decoder, "a task and what it awaits or fences must be of one origin");
}

/* The data of promise.settle. */
RsnSettleRequest
rsn_decode_settle(RsnDecoder *decoder, JsonbContainer *data)
{
	RsnSettleRequest request = {0};
	char	   *state = rsn_decode_peek_string(data, "state");
	RsnFlaw		flaw;

	request.id = rsn_decode_id(decoder, data, "id");
	request.value = rsn_decode_payload(decoder, data, "value");
	if (!rsn_valid_settlement(&request, &flaw))
		rsn_decode_refuse(decoder, flaw.part, &flaw);
	if (state == NULL ||
		!rsn_promise_state_from_name(state, &request.rule.target))
		rsn_decode_fail(decoder, TARGETS_ONLY);
	else if (!rsn_valid_target(request.rule.target))
		fail_unfit(decoder, TARGETS_ONLY);
	return request;
}
