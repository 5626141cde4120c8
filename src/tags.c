/*-------------------------------------------------------------------------
 *
 * tags.c
 *	  What the tags of a promise mean to the server.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "utils/memutils.h"

#include "args.h"
#include "guc.h"
#include "tags.h"

#define TAG_EXTERNAL	"resonate:external"
#define TAG_SCOPE		"resonate:scope"
#define TAG_TARGET		"resonate:target"
#define TAG_TIMER		"resonate:timer"

static void
set_string(JsonbValue *value, const char *string)
{
	value->type = jbvString;
	value->val.string.val = (char *) string;
	value->val.string.len = strlen(string);
}

/* The tags, and the one that a typed create adds unless they speak of it. */
static Jsonb *
add_external(Jsonb *tags)
{
	JsonbParseState *state = NULL;
	JsonbIterator *it;
	JsonbIteratorToken token;
	JsonbValue	value;

	pushJsonbValue(&state, WJB_BEGIN_OBJECT, NULL);
	if (tags != NULL)
	{
		it = JsonbIteratorInit(&tags->root);
		while ((token = JsonbIteratorNext(&it, &value, true)) != WJB_DONE)
		{
			if (token == WJB_KEY || token == WJB_VALUE)
				pushJsonbValue(&state, token, &value);
		}
	}
	set_string(&value, TAG_EXTERNAL);
	pushJsonbValue(&state, WJB_KEY, &value);
	set_string(&value, "true");
	pushJsonbValue(&state, WJB_VALUE, &value);
	return JsonbValueToJsonb(pushJsonbValue(&state, WJB_END_OBJECT, NULL));
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

/* What kind of promise the tags make. */
RsnTraits
rsn_tags_traits(Jsonb *tags, int item)
{
	RsnTraits	traits;
	JsonbValue	value;

	if (find_tag(tags, TAG_TARGET, &value))
		ereport(ERROR,
				(errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
				 errmsg("%s must not contain \"%s\"",
						rsn_arg_where("tags", item), TAG_TARGET),
				 errdetail("This version has no tasks that could be sent to a target.")));

	traits.is_timer = tag_equals(tags, TAG_TIMER, "true");
	traits.is_external = traits.is_timer ||
		tag_equals(tags, TAG_EXTERNAL, "true") ||
		(rsn_guc_profile == RSN_PROFILE_SDK &&
		 tag_equals(tags, TAG_SCOPE, "global"));
	return traits;
}
