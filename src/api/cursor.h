/*-------------------------------------------------------------------------
 *
 * api/cursor.h
 *	  Patterns and cursors of searches.
 *
 *-------------------------------------------------------------------------
 */
#ifndef RSN_API_CURSOR_H
#define RSN_API_CURSOR_H

#include "store/store.h"

#define RSN_SEARCH_LIMIT_MAX	100

/* Which states a search is for: the groups of the specification, section 7. */
typedef enum RsnStateGroup
{
	RSN_GROUP_ALL,
	RSN_GROUP_PENDING,
	RSN_GROUP_RESOLVED,
	RSN_GROUP_REJECTED,			/* with canceled and timed out */
	RSN_GROUP_CANCELED,
	RSN_GROUP_TIMEDOUT
} RsnStateGroup;

#define RSN_NGROUPS (RSN_GROUP_TIMEDOUT + 1)

/* A pattern for the longest id: all of it escaped, an asterisk around each byte. */
#define RSN_PATTERN_LEN_MAX (3 * RSN_PROMISE_ID_MAX + 1)

typedef struct RsnSearchRequest
{
	text	   *pattern;
	RsnStateGroup group;
	Jsonb	   *tags;			/* NULL: any */
	int			limit;
	bool		has_position;	/* continue after this one */
	int64		position_created_at_ms;
	text	   *position_id;
} RsnSearchRequest;

extern void rsn_search_prepare(const RsnSearchRequest *request,
							   RsnSearch *search);
extern text *rsn_cursor_encode(const RsnSearchRequest *request,
							   const RsnPromiseRow *last);
extern void rsn_cursor_decode(const text *cursor, RsnSearchRequest *request);

#endif							/* RSN_API_CURSOR_H */
