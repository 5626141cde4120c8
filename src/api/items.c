/*-------------------------------------------------------------------------
 *
 * api/items.c
 *	  The items of a batch: a JSON array of objects, or one of them alone.
 *
 * The members of an item are the arguments of the function for one promise.  A
 * member that is null counts as absent; one that we do not know is an error,
 * because it is more likely misspelled than meant to be ignored.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "miscadmin.h"
#include "utils/builtins.h"
#include "utils/numeric.h"
#include "utils/timestamp.h"

#include "api/items.h"
#include "server/clock.h"

/* Takes one member; false when there is no member of that name. */
typedef bool (*MemberTaker) (void *args, const char *name, JsonbValue *value);

static void
wrong_type(const char *name, int item, const char *expected, JsonbValue *value)
{
	ereport(ERROR,
			(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
			 errmsg("%s must be %s", rsn_arg_where(name, item), expected),
			 errdetail("It is of type %s.", JsonbTypeName(value))));
}

static text *
take_text(const char *name, int item, JsonbValue *value)
{
	if (value->type != jbvString)
		wrong_type(name, item, "a string", value);
	return cstring_to_text_with_len(value->val.string.val,
									value->val.string.len);
}

static bool
take_bool(const char *name, int item, JsonbValue *value)
{
	if (value->type != jbvBool)
		wrong_type(name, item, "true or false", value);
	return value->val.boolean;
}

/* Milliseconds: a number without a fraction, in the range of bigint. */
static int64
take_ms(const char *name, int item, JsonbValue *value)
{
	Datum		number = NumericGetDatum(value->val.numeric);
	Datum		truncated = DirectFunctionCall2(numeric_trunc, number,
												Int32GetDatum(0));

	if (!DatumGetBool(DirectFunctionCall2(numeric_eq, number, truncated)))
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("%s must be a whole number of milliseconds: %s",
						rsn_arg_where(name, item),
						DatumGetCString(DirectFunctionCall1(numeric_out,
															number)))));
	return DatumGetInt64(DirectFunctionCall1(numeric_int8, number));
}

static char *
string_value(const JsonbValue *value)
{
	return pnstrdup(value->val.string.val, value->val.string.len);
}

static void
take_timeout(RsnCreateArgs *args, JsonbValue *value)
{
	int			item = args->common.item;

	if (value->type == jbvNumeric)
	{
		args->has_timeout_ms = true;
		args->timeout_ms = take_ms("timeout", item, value);
	}
	else if (value->type == jbvString)
		args->timeout = DatumGetIntervalP(DirectFunctionCall3(interval_in,
															  CStringGetDatum(string_value(value)),
															  ObjectIdGetDatum(InvalidOid),
															  Int32GetDatum(-1)));
	else
		wrong_type("timeout", item, "an interval or a number", value);
}

static void
take_timeout_at(RsnCreateArgs *args, JsonbValue *value)
{
	int			item = args->common.item;

	args->has_timeout_at = true;
	if (value->type == jbvNumeric)
		args->timeout_at_ms = take_ms("timeout_at", item, value);
	else if (value->type == jbvString)
		args->timeout_at_ms =
			rsn_ms_from_timestamptz(DatumGetTimestampTz(DirectFunctionCall3(timestamptz_in,
																			CStringGetDatum(string_value(value)),
																			ObjectIdGetDatum(InvalidOid),
																			Int32GetDatum(-1))));
	else
		wrong_type("timeout_at", item, "an instant or a number", value);
}

/* A member that both kinds of items have. */
static bool
take_common_member(RsnCommonArgs *args, const char *name, JsonbValue *value)
{
	if (strcmp(name, "id") == 0)
		args->id = take_text(name, args->item, value);
	else if (strcmp(name, "headers") == 0)
		args->headers = JsonbValueToJsonb(value);
	else if (strcmp(name, "idempotency_key") == 0)
		args->key = take_text(name, args->item, value);
	else if (strcmp(name, "strict") == 0)
		args->is_strict = take_bool(name, args->item, value);
	else
		return false;
	return true;
}

static bool
take_create_member(void *opaque, const char *name, JsonbValue *value)
{
	RsnCreateArgs *args = opaque;

	if (strcmp(name, "timeout") == 0)
		take_timeout(args, value);
	else if (strcmp(name, "timeout_at") == 0)
		take_timeout_at(args, value);
	else if (strcmp(name, "param") == 0)
		args->param = JsonbValueToJsonb(value);
	else if (strcmp(name, "tags") == 0)
		args->tags = JsonbValueToJsonb(value);
	else
		return take_common_member(&args->common, name, value);
	return true;
}

/* The state that a settlement wants. */
RsnPromiseState
rsn_check_target(const text *state, int item)
{
	RsnPromiseState target;

	if (!rsn_promise_state_from_name(text_to_cstring(state), &target) ||
		!rsn_valid_target(target))
		rsn_invalid_value(state, "state", item, NULL,
						  "Use resolved, rejected or rejected_canceled.");
	return target;
}

static bool
take_settle_member(void *opaque, const char *name, JsonbValue *value)
{
	RsnSettleArgs *args = opaque;
	int			item = args->common.item;

	if (strcmp(name, "state") == 0)
		args->target = rsn_check_target(take_text(name, item, value), item);
	else if (strcmp(name, "value") == 0)
		args->value = JsonbValueToJsonb(value);
	else
		return take_common_member(&args->common, name, value);
	return true;
}

/* Hands the members of one item to the taker. */
static void
take_members(JsonbContainer *object, int item, void *args, MemberTaker taker)
{
	JsonbIterator *it = JsonbIteratorInit(object);
	JsonbIteratorToken token;
	JsonbValue	value;
	char	   *name = NULL;

	while ((token = JsonbIteratorNext(&it, &value, true)) != WJB_DONE)
	{
		if (token == WJB_KEY)
			name = string_value(&value);
		if (token != WJB_VALUE || value.type == jbvNull)
			continue;
		if (!taker(args, name, &value))
			ereport(ERROR,
					(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
					 errmsg("unrecognized member \"%s\" of item %d",
							rsn_quote(name, strlen(name)), item)));
	}
}

static int
check_array(Jsonb *array, const char *name)
{
	rsn_check_not_null(array == NULL, name, 0);
	if (!JB_ROOT_IS_ARRAY(array) || JB_ROOT_IS_SCALAR(array))
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("%s must be a JSON array", rsn_arg_where(name, 0))));
	return JB_ROOT_COUNT(array);
}

/* The object that is the next element of the array; false at its end. */
static bool
next_item(JsonbIterator **it, int *item, JsonbContainer **object)
{
	JsonbValue	value;
	JsonbIteratorToken token;

	CHECK_FOR_INTERRUPTS();
	while ((token = JsonbIteratorNext(it, &value, true)) != WJB_DONE)
	{
		if (token != WJB_ELEM)
			continue;
		(*item)++;
		if (value.type != jbvBinary ||
			!JsonContainerIsObject(value.val.binary.data))
			ereport(ERROR,
					(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
					 errmsg("item %d must be a JSON object", *item),
					 errdetail("It is of type %s.", JsonbTypeName(&value))));
		*object = value.val.binary.data;
		return true;
	}
	return false;
}

static void
make_create_request(JsonbContainer *object, int item, int64 now_ms,
					RsnCreateRequest *request)
{
	RsnCreateArgs args = {0};

	args.common.item = item;
	take_members(object, item, &args, take_create_member);
	rsn_make_create_request(&args, now_ms, request);
}

static void
make_settle_request(JsonbContainer *object, int item,
					RsnSettleRequest *request)
{
	RsnSettleArgs args = {0};

	args.common.item = item;
	args.target = RSN_PROMISE_PENDING;
	take_members(object, item, &args, take_settle_member);
	rsn_check_not_null(args.target == RSN_PROMISE_PENDING, "state", item);
	rsn_make_settle_request(&args, request);
}

/* The requests of create_promises, all of them checked. */
RsnCreateRequest *
rsn_create_requests_from_json(Jsonb *array, int64 now_ms, int *n)
{
	RsnCreateRequest *requests;
	JsonbContainer *object;
	JsonbIterator *it;
	int			item = 0;

	*n = check_array(array, "promises");
	requests = palloc_extended(sizeof(RsnCreateRequest) * Max(*n, 1),
							   MCXT_ALLOC_HUGE);
	it = JsonbIteratorInit(&array->root);
	while (next_item(&it, &item, &object))
		make_create_request(object, item, now_ms, &requests[item - 1]);
	return requests;
}

/* The requests of settle_promises, all of them checked. */
RsnSettleRequest *
rsn_settle_requests_from_json(Jsonb *array, int *n)
{
	RsnSettleRequest *requests;
	JsonbContainer *object;
	JsonbIterator *it;
	int			item = 0;

	*n = check_array(array, "settlements");
	requests = palloc_extended(sizeof(RsnSettleRequest) * Max(*n, 1),
							   MCXT_ALLOC_HUGE);
	it = JsonbIteratorInit(&array->root);
	while (next_item(&it, &item, &object))
		make_settle_request(object, item, &requests[item - 1]);
	return requests;
}

/* An argument that is one item; messages call it item 1. */
static JsonbContainer *
check_object(Jsonb *object, const char *name)
{
	rsn_check_not_null(object == NULL, name, 0);
	if (!JB_ROOT_IS_OBJECT(object))
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("%s must be a JSON object", rsn_arg_where(name, 0))));
	return &object->root;
}

/* The request of one item of create_promises, checked. */
void
rsn_create_request_from_json(Jsonb *object, const char *name, int64 now_ms,
							 RsnCreateRequest *request)
{
	make_create_request(check_object(object, name), 1, now_ms, request);
}

/* The request of one item of settle_promises, checked. */
void
rsn_settle_request_from_json(Jsonb *object, const char *name,
							 RsnSettleRequest *request)
{
	make_settle_request(check_object(object, name), 1, request);
}
