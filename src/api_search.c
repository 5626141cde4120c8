/*-------------------------------------------------------------------------
 *
 * api_search.c
 *	  resonate.search_promises.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "fmgr.h"
#include "funcapi.h"
#include "utils/builtins.h"

#include "args.h"
#include "payload.h"
#include "record.h"
#include "search.h"

PG_FUNCTION_INFO_V1(resonate_search_promises);

/* A pattern cannot be longer than an id whose every byte is an asterisk apart. */
#define PATTERN_LEN_MAX (2 * RSN_PROMISE_ID_MAX + 1)

static RsnStateGroup
check_group(text *state)
{
	char	   *name;

	if (state == NULL)
		return RSN_GROUP_ALL;
	name = text_to_cstring(state);
	if (pg_strcasecmp(name, "pending") == 0)
		return RSN_GROUP_PENDING;
	if (pg_strcasecmp(name, "resolved") == 0)
		return RSN_GROUP_RESOLVED;
	if (pg_strcasecmp(name, "rejected") == 0)
		return RSN_GROUP_REJECTED;
	ereport(ERROR,
			(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
			 errmsg("invalid value for %s: \"%s\"", rsn_arg_where("state", 0),
					rsn_quote(name, strlen(name))),
			 errhint("Use pending, resolved or rejected; rejected includes canceled and timed out.")));
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
		rsn_cursor_decode(PG_GETARG_TEXT_PP(4), &request);
	else
	{
		request.pattern = rsn_check_id(RSN_ARG_TEXT(0), PATTERN_LEN_MAX,
									   "pattern", 0);
		request.group = check_group(RSN_ARG_TEXT(1));
		request.tags = rsn_check_strings(RSN_ARG_JSONB(2), "tags", 0);
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
