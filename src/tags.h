/*-------------------------------------------------------------------------
 *
 * tags.h
 *	  What the tags of a promise mean to the server.
 *
 *-------------------------------------------------------------------------
 */
#ifndef RSN_TAGS_H
#define RSN_TAGS_H

#include "utils/jsonb.h"

typedef struct RsnTraits
{
	bool		is_timer;
	bool		is_external;
} RsnTraits;

extern Jsonb *rsn_tags_with_default(Jsonb *tags);
extern RsnTraits rsn_tags_traits(Jsonb *tags, int item);

#endif							/* RSN_TAGS_H */
