/*-------------------------------------------------------------------------
 *
 * search.h
 *	  Patterns and cursors of searches.
 *
 *-------------------------------------------------------------------------
 */
#ifndef RSN_SEARCH_H
#define RSN_SEARCH_H

#include "store.h"

#define RSN_SEARCH_LIMIT_MAX	100

/* Which states a search is for: the groups of the specification, section 7. */
typedef enum RsnStateGroup
{
	RSN_GROUP_ALL,
	RSN_GROUP_PENDING,
	RSN_GROUP_RESOLVED,
	RSN_GROUP_REJECTED
} RsnStateGroup;

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
extern void rsn_cursor_decode(text *cursor, RsnSearchRequest *request);

#endif							/* RSN_SEARCH_H */
