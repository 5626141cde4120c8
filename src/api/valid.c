/*-------------------------------------------------------------------------
 *
 * api/valid.c
 *	  What a request has to be, whichever way it comes in.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "mb/pg_wchar.h"

#include "api/valid.h"
#include "engine/occurrence.h"
#include "server/id.h"
#include "store/payload.h"

/* A value is quoted in a message up to this many bytes. */
#define QUOTED_MAX 64

/*
 * A value as it is quoted in a message.  Where the database has no encoding it is cut
 * as UTF-8, because messages of the wire protocol are JSON.
 */
char *
rsn_quote(const char *data, int len)
{
	int			encoding = GetDatabaseEncoding() == PG_SQL_ASCII ? PG_UTF8
	: GetDatabaseEncoding();
	int			clipped = Min(pg_encoding_mbcliplen(encoding, data, len,
													QUOTED_MAX), len);

	return psprintf("%.*s%s", clipped, data, clipped < len ? "..." : "");
}

/* The same of a text. */
char *
rsn_quote_text(const text *value)
{
	return rsn_quote(VARDATA_ANY(value), VARSIZE_ANY_EXHDR(value));
}

/* Says that an argument has a problem; false, for the check to return. */
static bool
refuse(RsnFlaw *flaw, int sqlstate, const char *problem, const char *detail)
{
	memset(flaw, 0, sizeof(RsnFlaw));
	flaw->sqlstate = sqlstate;
	flaw->problem = problem;
	flaw->detail = detail;
	return false;
}

/* The same of a value that stands for nothing, of an argument that is named. */
static bool
refuse_value(RsnFlaw *flaw, const char *part, const text *value,
			 const char *detail)
{
	(void) refuse(flaw, ERRCODE_INVALID_PARAMETER_VALUE, NULL, detail);
	flaw->part = part;
	flaw->value = value;
	return false;
}

/* A string of at most so many bytes. */
bool
rsn_valid_length(const char *data, int len, int len_max, RsnFlaw *flaw)
{
	if (len <= len_max)
		return true;
	return refuse(flaw, ERRCODE_INVALID_PARAMETER_VALUE,
				  psprintf("is too long: \"%s\"", rsn_quote(data, len)),
				  psprintf("It has %d bytes; the limit is %d.", len, len_max));
}

/* The same, and not empty. */
bool
rsn_valid_id(const char *data, int len, int len_max, RsnFlaw *flaw)
{
	if (len == 0)
		return refuse(flaw, ERRCODE_INVALID_PARAMETER_VALUE,
					  "must not be empty", NULL);
	return rsn_valid_length(data, len, len_max, flaw);
}

/* A param, value, headers or tags that is not larger than one can be. */
bool
rsn_valid_size(Size size, RsnFlaw *flaw)
{
	if (size <= RSN_DATA_MAX)
		return true;
	return refuse(flaw, ERRCODE_PROGRAM_LIMIT_EXCEEDED, "is too large",
				  psprintf("It has %zu bytes; the limit is %d.", size,
						   RSN_DATA_MAX));
}

/* A JSON object whose members are strings, and which is not too large. */
bool
rsn_valid_strings(const JsonbValue *object, RsnFlaw *flaw)
{
	JsonbIterator *it;
	JsonbIteratorToken token;
	JsonbValue	value;
	char	   *key = NULL;

	if (object->type != jbvBinary ||
		!JsonContainerIsObject(object->val.binary.data))
		return refuse(flaw, ERRCODE_INVALID_PARAMETER_VALUE,
					  "must be a JSON object",
					  psprintf("It is of type %s.",
							   JsonbTypeName(unconstify(JsonbValue *, object))));
	if (!rsn_valid_size(VARHDRSZ + object->val.binary.len, flaw))
		return false;

	it = JsonbIteratorInit(object->val.binary.data);
	while ((token = JsonbIteratorNext(&it, &value, true)) != WJB_DONE)
	{
		if (token == WJB_KEY)
			key = pnstrdup(value.val.string.val, value.val.string.len);
		else if (token == WJB_VALUE && value.type != jbvString)
			return refuse(flaw, ERRCODE_INVALID_PARAMETER_VALUE,
						  "must have strings only",
						  psprintf("The value of \"%s\" is of type %s.", key,
								   JsonbTypeName(&value)));
	}
	return true;
}

/*
 * What is written together, the tags being NULL for a settlement.  Refuses what
 * could be stored but never be read as one record.
 */
bool
rsn_valid_written_size(Jsonb *tags, const RsnPayload *payload, RsnFlaw *flaw)
{
	Size		size = rsn_written_size(tags, payload);

	if (size <= RSN_RECORD_MAX)
		return true;
	(void) refuse(flaw, ERRCODE_PROGRAM_LIMIT_EXCEEDED, "is too large",
				  psprintf("As JSON of the wire protocol it has %zu bytes; the limit is %d.",
						   size, RSN_RECORD_MAX));
	flaw->part = tags != NULL ? "tags, headers and param together"
		: "headers and value together";
	return false;
}

/*
 * Tags that make a promise, of a create whose deadline is known.  Fills in what the
 * tags say, also where they are refused.
 */
bool
rsn_valid_traits(RsnCreateRequest *request, RsnFlaw *flaw)
{
	RsnTraits	traits;
	const char *reason = NULL;

	if (rsn_tags_traits(request->tags, &traits, &reason) &&
		traits.offer_at_ms > 0 &&
		traits.offer_at_ms >= request->rule.timeout_at_ms)
		reason = "The tag \"resonate:delay\" must be before the deadline of the promise.";
	rsn_request_set_traits(request, &traits);
	return reason == NULL || refuse_value(flaw, "tags", NULL, reason);
}

/* A create whose task the caller is to hold. */
bool
rsn_valid_to_take(const RsnCreateRequest *request, RsnFlaw *flaw)
{
	return request->rule.is_targeted ||
		refuse_value(flaw, "tags", NULL,
					 "A promise has a task when it has the tag \"resonate:target\" and is no timer.");
}

/* A state that a settlement can ask for. */
bool
rsn_valid_target(RsnPromiseState state)
{
	return state == RSN_PROMISE_RESOLVED || state == RSN_PROMISE_REJECTED ||
		state == RSN_PROMISE_CANCELED;
}

/* A settlement, of which it fills in what its value means to the rules. */
bool
rsn_valid_settlement(RsnSettleRequest *request, RsnFlaw *flaw)
{
	request->rule.has_value = request->value.headers != NULL ||
		request->value.data != NULL || request->value.text !=NULL;
	return rsn_valid_written_size(NULL, &request->value, flaw);
}

/* The promises that a task is to wait for: others, at least one, each once. */
bool
rsn_valid_awaited(text *const *awaited, int n, text *task_id, RsnFlaw *flaw)
{
	text	  **sorted;

	if (n == 0)
		return refuse(flaw, ERRCODE_INVALID_PARAMETER_VALUE,
					  "must not be empty", NULL);
	sorted = palloc(sizeof(text *) * n);
	memcpy(sorted, awaited, sizeof(text *) * n);
	qsort(sorted, n, sizeof(text *), rsn_id_compare_pointers);
	for (int i = 0; i < n; i++)
	{
		if (rsn_id_equals(sorted[i], task_id))
			return refuse(flaw, ERRCODE_INVALID_PARAMETER_VALUE,
						  "must not contain the task itself", NULL);
		if (i > 0 && rsn_id_equals(sorted[i - 1], sorted[i]))
			return refuse(flaw, ERRCODE_INVALID_PARAMETER_VALUE,
						  "must not contain duplicates",
						  psprintf("It contains \"%s\" more than once.",
								   rsn_quote_text(sorted[i])));
	}
	pfree(sorted);
	return true;
}

/* The promise that is created or settled by the holder of a task. */
bool
rsn_valid_in_fence(text *id, text *task_id, RsnFlaw *flaw)
{
	if (!rsn_id_equals(id, task_id))
		return true;
	(void) refuse(flaw, ERRCODE_INVALID_PARAMETER_VALUE,
				  "must not be the promise of the task itself", NULL);
	flaw->hint = "The holder of a task settles its promise with fulfill_task.";
	return false;
}

/* What the promises of a schedule will be like, which must be well-formed now. */
static bool
is_valid_template(const RsnScheduleRow *row, RsnFlaw *flaw)
{
	Jsonb	   *tags = rsn_stored_jsonb(row->promise_tags);
	RsnTraits	traits;
	const char *reason;
	int			len = rsn_schedule_id_len_max(row->promise_id, row->id);

	if (len > RSN_PROMISE_ID_MAX)
		return refuse_value(flaw, "promise_id", row->promise_id,
							psprintf("The ids of the promises could have %d bytes; the limit is %d.",
									 len, RSN_PROMISE_ID_MAX));
	if (!rsn_tags_traits(tags, &traits, &reason))
		return refuse_value(flaw, "tags", NULL, reason);
	return rsn_valid_written_size(tags, &row->param, flaw);
}

/*
 * A schedule whose definition is filled in.  Fills in the rest: it begins now, and
 * runs first after now.
 */
bool
rsn_valid_schedule(RsnScheduleRow *row, int64 now_ms, RsnFlaw *flaw)
{
	RsnCronRule rule;
	const char *reason;

	row->created_at_ms = now_ms;
	row->last_run_at_ms = -1;
	row->last_missed_at_ms = -1;
	if (!is_valid_template(row, flaw))
		return false;
	if (!rsn_schedule_parse_rule(row->cron, NULL, &rule, &reason))
		return refuse_value(flaw, "cron", row->cron, reason);
	if (row->time_zone != NULL &&
		!rsn_schedule_parse_rule(row->cron, row->time_zone, &rule, &reason))
		return refuse_value(flaw, "time_zone", row->time_zone, reason);
	return rsn_schedule_start(row, &rule) ||
		refuse_value(flaw, "cron", row->cron,
					 "It has no occurrence any more.");
}
