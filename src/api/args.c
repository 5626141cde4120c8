/*-------------------------------------------------------------------------
 *
 * api/args.c
 *	  From what a caller wrote to what the engine takes.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "fmgr.h"
#include "mb/pg_wchar.h"
#include "utils/builtins.h"
#include "utils/timestamp.h"

#include "api/args.h"
#include "core/address.h"
#include "core/json.h"
#include "server/clock.h"
#include "server/guc.h"
#include "server/json_write.h"
#include "store/payload.h"
#include "store/sizes.h"
#include "store/tags.h"

/* How messages name an argument, or a member of an item of a batch. */
char *
rsn_arg_where(const char *name, int item)
{
	if (item > 0)
		return psprintf("member \"%s\" of item %d", name, item);
	return psprintf("argument \"%s\"", name);
}

/* Raises the error for an argument, or a member of an item, that is not valid. */
void
rsn_raise_flaw(const RsnFlaw *flaw, const char *name, int item)
{
	const char *where = rsn_arg_where(name, item);

	ereport(ERROR,
			(errcode(flaw->sqlstate),
			 flaw->problem != NULL ? errmsg("%s %s", where, flaw->problem)
			 : flaw->value != NULL
			 ? errmsg("invalid value for %s: \"%s\"", where,
					  rsn_quote_text(flaw->value))
			 : errmsg("invalid value for %s", where),
			 flaw->detail == NULL ? 0 : errdetail("%s", flaw->detail),
			 flaw->hint == NULL ? 0 : errhint("%s", flaw->hint)));
}

/* The same for a value that stands for nothing. */
void
rsn_invalid_value(const text *value, const char *name, int item,
				  const char *detail, const char *hint)
{
	RsnFlaw		flaw = {0};

	flaw.sqlstate = ERRCODE_INVALID_PARAMETER_VALUE;
	flaw.value = value;
	flaw.detail = detail;
	flaw.hint = hint;
	rsn_raise_flaw(&flaw, name, item);
}

/* Refuses an argument, or a member of an item, that is NULL. */
void
rsn_check_not_null(bool is_null, const char *name, int item)
{
	if (is_null)
		ereport(ERROR,
				(errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED),
				 errmsg("%s must not be null", rsn_arg_where(name, item))));
}

static void
not_utf8(const char *name, int item)
{
	ereport(ERROR,
			(errcode(ERRCODE_CHARACTER_NOT_IN_REPERTOIRE),
			 errmsg("%s is not valid UTF-8", rsn_arg_where(name, item))));
}

/*
 * The bytes of UTF-8 that a text in the server encoding stands for.  Only
 * SQL_ASCII can hold anything else, which is refused.
 */
static char *
to_utf8(char *data, int len, const char *name, int item)
{
	if (GetDatabaseEncoding() == PG_SQL_ASCII &&
		!pg_verify_mbstr(PG_UTF8, data, len, true))
		not_utf8(name, item);
	return pg_server_to_any(data, len, PG_UTF8);
}

static void
check_text_utf8(text *value, const char *name, int item)
{
	if (GetDatabaseEncoding() == PG_SQL_ASCII)
		(void) to_utf8(VARDATA_ANY(value), VARSIZE_ANY_EXHDR(value), name,
					   item);
}

/* An id that is neither NULL nor empty nor over its limit. */
text *
rsn_check_id(text *id, int len_max, const char *name, int item)
{
	RsnFlaw		flaw;

	rsn_check_not_null(id == NULL, name, item);
	if (!rsn_valid_id(VARDATA_ANY(id), VARSIZE_ANY_EXHDR(id), len_max, &flaw))
		rsn_raise_flaw(&flaw, name, item);
	check_text_utf8(id, name, item);
	return id;
}

static text *
check_key(text *key, int item)
{
	RsnFlaw		flaw;

	if (key == NULL)
		return NULL;
	if (!rsn_valid_length(VARDATA_ANY(key), VARSIZE_ANY_EXHDR(key),
						  RSN_KEY_MAX, &flaw))
		rsn_raise_flaw(&flaw, "idempotency_key", item);
	check_text_utf8(key, "idempotency_key", item);
	return key;
}

/* An address that messages can go to, or can be received from. */
text *
rsn_check_address(text *address, bool for_receive)
{
	RsnAddress	parsed;

	rsn_check_not_null(address == NULL, "address", 0);
	parsed = rsn_address_parse(VARDATA_ANY(address),
							   VARSIZE_ANY_EXHDR(address));
	if (parsed.kind == RSN_ADDRESS_INVALID)
		rsn_invalid_value(address, "address", 0, parsed.reason,
						  "Use notify://channel, poll://any@group, poll://any@group/id, poll://uni@group/id, http(s)://host/path, or another scheme.");
	if (for_receive && parsed.kind == RSN_ADDRESS_NOTIFY)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("cannot receive from address \"%s\"",
						rsn_quote_text(address)),
				 errhint("LISTEN to the channel instead.")));
	check_text_utf8(address, "address", 0);
	return address;
}

static char *
interval_text(const Interval *interval)
{
	return DatumGetCString(DirectFunctionCall1(interval_out,
											   PointerGetDatum(interval)));
}

/*
 * An interval from now on that is not negative, in milliseconds.  The hint, if
 * any, is for one that is too long.
 */
int64
rsn_check_interval(const Interval *interval, int64 now_ms, const char *name,
				   int item, const char *hint)
{
	int64		result;

	if (!rsn_ms_from_interval(interval, now_ms, &result))
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("%s is too long: \"%s\"", rsn_arg_where(name, item),
						interval_text(interval)),
				 hint == NULL ? 0 : errhint("%s", hint)));
	if (result < 0)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("%s must not be negative: \"%s\"",
						rsn_arg_where(name, item), interval_text(interval))));
	return result;
}

/* A limit on rows, which is 1 to limit_max. */
int
rsn_check_limit(int limit, int limit_max)
{
	if (limit < 1 || limit > limit_max)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("invalid value for %s: %d", rsn_arg_where("limit", 0),
						limit),
				 errdetail("It must be between 1 and %d.", limit_max)));
	return limit;
}

/* The limit and the cursor of a search in order of ids, which follow each other. */
RsnPage
rsn_page_from_sql(FunctionCallInfo fcinfo, int limit_arg)
{
	RsnPage		page = {0};

	page.limit = rsn_check_limit(RSN_ARG_INT32(limit_arg,
											   RSN_PAGE_LIMIT_DEFAULT),
								 RSN_PAGE_LIMIT_MAX);
	page.after_id = RSN_ARG_TEXT(limit_arg + 1);
	if (page.after_id == NULL)
		page.after_id = cstring_to_text("");
	return page;
}

/* A JSON object whose members are strings, or NULL. */
Jsonb *
rsn_check_strings(Jsonb *object, const char *name, int item)
{
	JsonbValue	root;
	RsnFlaw		flaw;

	if (object == NULL)
		return NULL;
	root = rsn_json_value(object);
	if (!rsn_valid_strings(&root, &flaw))
		rsn_raise_flaw(&flaw, name, item);
	if (!rsn_jsonb_is_utf8(object))
		not_utf8(name, item);
	return object;
}

/* The bytes of UTF-8 JSON that a param or value is stored as, or NULL. */
static bytea *
check_data(Jsonb *value, const char *name, int item)
{
	char	   *json;
	char	   *utf8;
	size_t		len;
	bytea	   *result;
	RsnFlaw		flaw;

	if (value == NULL)
		return NULL;
	if (!rsn_valid_size(VARSIZE(value), &flaw))
		rsn_raise_flaw(&flaw, name, item);
	json = JsonbToCString(NULL, &value->root, VARSIZE(value));
	utf8 = to_utf8(json, strlen(json), name, item);
	len = strlen(utf8);
	if (len > RSN_DATA_MAX)
		ereport(ERROR,
				(errcode(ERRCODE_PROGRAM_LIMIT_EXCEEDED),
				 errmsg("%s is too large", rsn_arg_where(name, item)),
				 errdetail("As text it has %zu bytes; the limit is %d.",
						   len, RSN_DATA_MAX)));
	if (len > 2 * RSN_JSON_DEPTH_MAX && !rsn_data_is_typed(utf8, len))
		ereport(ERROR,
				(errcode(ERRCODE_STATEMENT_TOO_COMPLEX),
				 errmsg("%s is too complex", rsn_arg_where(name, item)),
				 errdetail("It can have at most %d levels of nesting.",
						   RSN_JSON_DEPTH_MAX)));
	result = palloc(VARHDRSZ + len);
	SET_VARSIZE(result, VARHDRSZ + len);
	memcpy(VARDATA(result), utf8, len);
	if (utf8 != json)
		pfree(utf8);
	pfree(json);
	return result;
}

static int64
check_deadline(const RsnCreateArgs *args, int64 now_ms)
{
	int			item = args->common.item;
	bool		has_timeout = args->timeout != NULL || args->has_timeout_ms;

	if (args->has_timeout_at)
	{
		if (has_timeout)
			ereport(ERROR,
					(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
					 errmsg("%s and %s exclude each other",
							rsn_arg_where("timeout", item),
							rsn_arg_where("timeout_at", item))));
		if (args->timeout_at_ms < 0)
			ereport(ERROR,
					(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
					 errmsg("%s must not be before 1970",
							rsn_arg_where("timeout_at", item))));
		return args->timeout_at_ms;
	}
	if (args->timeout != NULL)
		return rsn_deadline_after(now_ms,
								  rsn_check_interval(args->timeout, now_ms,
													 "timeout", item,
													 "A promise without a deadline has timeout_at => 'infinity'."));
	if (args->has_timeout_ms)
	{
		if (args->timeout_ms < 0)
			ereport(ERROR,
					(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
					 errmsg("%s must not be negative: " INT64_FORMAT,
							rsn_arg_where("timeout", item),
							args->timeout_ms)));
		return rsn_deadline_after(now_ms, args->timeout_ms);
	}
	return rsn_deadline_after(now_ms, rsn_guc_default_timeout_ms);
}

/*
 * Reads the arguments of create_promise, which create_promise_and_callback
 * has too, further behind.
 */
void
rsn_create_args_from_sql(RsnCreateArgs *args, FunctionCallInfo fcinfo,
						 int id_arg, int rest_arg)
{
	memset(args, 0, sizeof(RsnCreateArgs));
	args->common.id = RSN_ARG_TEXT(id_arg);
	args->timeout = RSN_ARG_INTERVAL(rest_arg);
	args->param = RSN_ARG_JSONB(rest_arg + 1);
	args->common.headers = RSN_ARG_JSONB(rest_arg + 2);
	args->tags = RSN_ARG_JSONB(rest_arg + 3);
	args->common.key = RSN_ARG_TEXT(rest_arg + 4);
	args->common.is_strict = RSN_ARG_BOOL(rest_arg + 5);
	args->has_timeout_at = !PG_ARGISNULL(rest_arg + 6);
	if (args->has_timeout_at)
		args->timeout_at_ms = rsn_ms_from_timestamptz(
													  PG_GETARG_TIMESTAMPTZ(rest_arg + 6));
}

/* The headers and data of a param or value. */
RsnPayload
rsn_check_payload(Jsonb *headers, Jsonb *data, const char *name, int item)
{
	RsnPayload	payload = {0};

	payload.headers = (struct varlena *)
		rsn_check_strings(headers, "headers", item);
	payload.data = check_data(data, name, item);
	payload.json = data;
	return payload;
}

/* Checks the arguments of a create and makes the request of them. */
void
rsn_make_create_request(const RsnCreateArgs *args, int64 now_ms,
						RsnCreateRequest *request)
{
	const RsnCommonArgs *common = &args->common;
	int			item = common->item;
	RsnFlaw		flaw;

	memset(request, 0, sizeof(RsnCreateRequest));
	request->id = rsn_check_id(common->id, RSN_PROMISE_ID_MAX, "id", item);
	request->key = check_key(common->key, item);
	request->tags = rsn_tags_with_default(rsn_check_strings(args->tags, "tags",
															item));
	request->param = rsn_check_payload(common->headers, args->param, "param",
									   item);
	if (!rsn_valid_written_size(request->tags, &request->param, &flaw))
		rsn_raise_flaw(&flaw, flaw.part, item);
	request->rule.is_strict = common->is_strict;
	request->rule.timeout_at_ms = check_deadline(args, now_ms);
	request->rule.key = rsn_key_from_text(request->key);
	if (!rsn_valid_traits(request, &flaw))
		rsn_raise_flaw(&flaw, flaw.part, item);
}

/* Checks the arguments of a settlement and makes the request of them. */
void
rsn_make_settle_request(const RsnSettleArgs *args, RsnSettleRequest *request)
{
	const RsnCommonArgs *common = &args->common;
	int			item = common->item;
	RsnFlaw		flaw;

	memset(request, 0, sizeof(RsnSettleRequest));
	request->id = rsn_check_id(common->id, RSN_PROMISE_ID_MAX, "id", item);
	request->key = check_key(common->key, item);
	request->value = rsn_check_payload(common->headers, args->value, "value",
									   item);
	if (!rsn_valid_settlement(request, &flaw))
		rsn_raise_flaw(&flaw, flaw.part, item);
	request->rule.target = args->target;
	request->rule.is_strict = common->is_strict;
	request->rule.key = rsn_key_from_text(request->key);
}
