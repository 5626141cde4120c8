/*-------------------------------------------------------------------------
 *
 * api/search.c
 *	  resonate.search_promises.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "fmgr.h"
#include "funcapi.h"
#include "utils/builtins.h"

#include "api/args.h"
#include "api/cursor.h"
#include "api/record.h"
#include "server/id.h"
#include "store/payload.h"

PG_FUNCTION_INFO_V1(resonate_search_promises);

static const char *const group_names[] = {
	[RSN_GROUP_PENDING] = "pending",
	[RSN_GROUP_RESOLVED] = "resolved",
	[RSN_GROUP_REJECTED] = "rejected",
	[RSN_GROUP_CANCELED] = "rejected_canceled",
	[RSN_GROUP_TIMEDOUT] = "rejected_timedout"
};

StaticAssertDecl(lengthof(group_names) == RSN_NGROUPS,
				 "every group has a name");

static RsnStateGroup
check_group(text *state)
{
	char	   *name;

	if (state == NULL)
		return RSN_GROUP_ALL;
	name = text_to_cstring(state);
	for (int i = RSN_GROUP_ALL + 1; i < RSN_NGROUPS; i++)
	{
		if (pg_strcasecmp(name, group_names[i]) == 0)
			return (RsnStateGroup) i;
	}
	rsn_invalid_value(state, "state", 0, NULL,
					  "Use pending, resolved, rejected, rejected_canceled or rejected_timedout; rejected includes the last two.");
}

/* The filters that the call has of its own. */
static void
filters_from_args(FunctionCallInfo fcinfo, RsnSearchRequest *request)
{
	request->pattern = rsn_check_id(RSN_ARG_TEXT(0), RSN_PATTERN_LEN_MAX,
									"pattern", 0);
	request->group = check_group(RSN_ARG_TEXT(1));
	request->tags = rsn_check_strings(RSN_ARG_JSONB(2), "tags", 0);
}

/* True when the tags that a call is for, if any, are those of a cursor. */
static bool
are_tags_of(Jsonb *call, Jsonb *cursor)
{
	if (call == NULL || JB_ROOT_COUNT(call) == 0)
		return true;
	return cursor != NULL &&
		compareJsonbContainers(&call->root, &cursor->root) == 0;
}

/*
 * The request of the cursor.  A filter that stands beside it, and is not what it is
 * where nothing is said, must be that of the cursor: a caller that passes on the
 * cursors of others must not be shown what its own filter leaves out.
 */
static void
continue_request(FunctionCallInfo fcinfo, RsnSearchRequest *request)
{
	RsnSearchRequest call = {0};

	rsn_cursor_decode(PG_GETARG_TEXT_PP(4), request);
	filters_from_args(fcinfo, &call);
	if ((!rsn_id_equals(call.pattern, cstring_to_text("*")) &&
		 !rsn_id_equals(call.pattern, request->pattern)) ||
		(call.group != RSN_GROUP_ALL && call.group != request->group) ||
		!are_tags_of(call.tags, request->tags))
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("%s is of another search", rsn_arg_where("cursor", 0)),
				 errdetail("It holds other filters than the call."),
				 errhint("Give the cursor alone, or with the filters of the page that it is from.")));
}

/* resonate.search_promises(pattern, state, tags, limit, cursor) */
Datum
resonate_search_promises(PG_FUNCTION_ARGS)
{
	RsnSearchRequest request = {0};
	RsnSearch	search;
	RsnPromiseRow *rows;
	text	   *cursor = NULL;
	int			nshown;
	int			n;

	if (!PG_ARGISNULL(4))
		continue_request(fcinfo, &request);
	else
	{
		filters_from_args(fcinfo, &request);
		request.limit = RSN_ARG_INT32(3, 0);
		if (request.limit == 0)
			request.limit = RSN_SEARCH_LIMIT_MAX;
		rsn_check_limit(request.limit, RSN_SEARCH_LIMIT_MAX);
	}

	InitMaterializedSRF(fcinfo, 0);
	rsn_search_prepare(&request, &search);
	n = rsn_engine_search(&search, &rows);
	nshown = rsn_promises_that_fit(rows, n);
	if (nshown < n || n == request.limit)
		cursor = rsn_cursor_encode(&request, &rows[nshown - 1]);
	rsn_put_found(fcinfo, rows, nshown, cursor);
	return (Datum) 0;
}
