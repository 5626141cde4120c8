/*-------------------------------------------------------------------------
 *
 * store/tags.c
 *	  What the tags of a promise mean to the server.
 *
 * Timers and targeted promises are external, and no promise is both a timer and targeted.
 * Tags never change, and so nor does what they mean.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "utils/builtins.h"
#include "utils/memutils.h"

#include "core/address.h"
#include "server/guc.h"
#include "server/json_write.h"
#include "store/tags.h"

#define TAG_BRANCH		"resonate:branch"
#define TAG_COMBINATOR	"resonate:combinator"
#define TAG_DELAY		"resonate:delay"
#define TAG_EXTERNAL	"resonate:external"
#define TAG_ORIGIN		"resonate:origin"
#define TAG_SCOPE		"resonate:scope"
#define TAG_TARGET		"resonate:target"
#define TAG_TIMER		"resonate:timer"

/* The tags, and the one that a typed create adds unless they speak of it. */
static Jsonb *
add_external(Jsonb *tags)
{
	RsnJson		json;

	rsn_json_begin_object(&json);
	if (tags != NULL)
		rsn_json_add_members(&json, tags);
	rsn_json_add_string(&json, TAG_EXTERNAL, "true");
	return JsonbValueToJsonb(rsn_json_end_object(&json));
}

static bool
find_tag(Jsonb *tags, const char *name, JsonbValue *value)
{
	return getKeyJsonValueFromContainer(&tags->root, name, strlen(name),
										value) != NULL;
}

static bool
tag_equals(Jsonb *tags, const char *name, const char *expected)
{
	JsonbValue	value;

	return find_tag(tags, name, &value) &&
		value.val.string.len == (int) strlen(expected) &&
		memcmp(value.val.string.val, expected, value.val.string.len) == 0;
}

/*
 * The tags of a promise that is created by a typed call: meant to be settled
 * from outside, unless the caller says otherwise.  NULL stands for none.
 */
Jsonb *
rsn_tags_with_default(Jsonb *tags)
{
	static Jsonb *default_tags = NULL;
	JsonbValue	value;

	if (tags != NULL && JB_ROOT_COUNT(tags) > 0)
		return find_tag(tags, TAG_EXTERNAL, &value) ? tags
			: add_external(tags);

	/* By far the most frequent case. */
	if (default_tags == NULL)
	{
		MemoryContext old = MemoryContextSwitchTo(TopMemoryContext);

		default_tags = add_external(NULL);
		MemoryContextSwitchTo(old);
	}
	return default_tags;
}

/* Reads a string of decimal digits that fits an int64. */
static bool
read_ms(const JsonbValue *value, int64 *result)
{
	const char *digits = value->val.string.val;
	int			len = value->val.string.len;

	*result = 0;
	for (int i = 0; i < len; i++)
	{
		int			digit = digits[i] - '0';

		if (digit < 0 || digit > 9 ||
			*result > (PG_INT64_MAX - digit) / 10)
			return false;
		*result = *result * 10 + digit;
	}
	return len > 0;
}

/* Reads the tags that only mean something to a task. */
static bool
read_target(Jsonb *tags, const JsonbValue *target, RsnTraits *traits,
			const char **reason)
{
	JsonbValue	delay;

	if (target->val.string.len == 0)
	{
		*reason = "The tag \"resonate:target\" must not be empty.";
		return false;
	}
	if (target->val.string.len > RSN_TARGET_LEN_MAX)
	{
		*reason = "The tag \"resonate:target\" has at most 1024 bytes.";
		return false;
	}
	if (find_tag(tags, TAG_DELAY, &delay) &&
		!read_ms(&delay, &traits->offer_at_ms))
	{
		*reason = "The tag \"resonate:delay\" must be a number of milliseconds since the Unix epoch.";
		return false;
	}
	traits->target = cstring_to_text_with_len(target->val.string.val,
											  target->val.string.len);
	return true;
}

/*
 * What kind of promise the tags make.  False when they make none, with a
 * sentence that says why.
 */
bool
rsn_tags_traits(Jsonb *tags, RsnTraits *traits, const char **reason)
{
	JsonbValue	combinator;
	JsonbValue	target;

	memset(traits, 0, sizeof(RsnTraits));
	if (find_tag(tags, TAG_COMBINATOR, &combinator))
	{
		/* It would never settle: nobody else is meant to do that. */
		*reason = "The tag \"resonate:combinator\" is reserved.";
		return false;
	}
	traits->is_timer = tag_equals(tags, TAG_TIMER, "true");
	if (find_tag(tags, TAG_TARGET, &target))
	{
		/* Newer SDKs give a target to what they only sleep on. */
		if (!traits->is_timer)
		{
			if (!read_target(tags, &target, traits, reason))
				return false;
		}
		else if (rsn_guc_profile == RSN_PROFILE_STRICT)
		{
			*reason = "The tags \"resonate:timer\" and \"resonate:target\" exclude each other.";
			return false;
		}
	}
	Assert(!traits->is_timer || traits->target == NULL);
	traits->is_external = traits->is_timer || traits->target != NULL ||
		tag_equals(tags, TAG_EXTERNAL, "true") ||
		tag_equals(tags, TAG_SCOPE, "global");
	return true;
}

/*
 * The call graph that a promise belongs to: what its tag says, else its id up
 * to the first colon.  The tags may be NULL.
 */
text *
rsn_tags_origin(Jsonb *tags, const text *id)
{
	const char *start = VARDATA_ANY(id);
	int			len = VARSIZE_ANY_EXHDR(id);
	const char *colon = memchr(start, ':', len);
	JsonbValue	origin;

	if (tags != NULL && find_tag(tags, TAG_ORIGIN, &origin))
		return cstring_to_text_with_len(origin.val.string.val,
										origin.val.string.len);
	return cstring_to_text_with_len(start, colon != NULL ? colon - start : len);
}

/* The branch that the tags name, or NULL. */
text *
rsn_tags_branch(Jsonb *tags)
{
	JsonbValue	branch;

	if (!find_tag(tags, TAG_BRANCH, &branch) || branch.type != jbvString)
		return NULL;
	return cstring_to_text_with_len(branch.val.string.val,
									branch.val.string.len);
}
