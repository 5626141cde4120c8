/*-------------------------------------------------------------------------
 *
 * store/tags.h
 *	  What the tags of a promise mean to the server.
 *
 * Tags are an object of strings, which is checked where a call brings them in.
 *
 *-------------------------------------------------------------------------
 */
#ifndef RSN_STORE_TAGS_H
#define RSN_STORE_TAGS_H

#include "utils/jsonb.h"

typedef struct RsnTraits
{
	bool		is_timer;
	bool		is_external;
	text	   *target;			/* NULL: has no task */
	int64		offer_at_ms;	/* its task is not offered before; zero: no
								 * delay */
} RsnTraits;

extern Jsonb *rsn_tags_with_default(Jsonb *tags);
extern bool rsn_tags_traits(Jsonb *tags, RsnTraits *traits,
							const char **reason);
extern text *rsn_tags_branch(Jsonb *tags);
extern text *rsn_tags_origin(Jsonb *tags, const text *id);

#endif							/* RSN_STORE_TAGS_H */
