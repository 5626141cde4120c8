/*-------------------------------------------------------------------------
 *
 * core/json.h
 *	  Whether a string is JSON that jsonb can hold.
 *
 *-------------------------------------------------------------------------
 */
#ifndef RSN_CORE_JSON_H
#define RSN_CORE_JSON_H

#include <stdbool.h>
#include <stddef.h>

/*
 * The deepest nesting.  What makes jsonb of JSON goes one level down its own
 * stack for each, and needs half of max_stack_depth, as it is by default, for as
 * many.
 */
#define RSN_JSON_DEPTH_MAX	2000

/* What jsonb made of it would take, in bytes. */
typedef struct RsnJsonShape
{
	int			depth;			/* 0: nothing is nested */
	size_t		text_len;		/* written as PostgreSQL does, in UTF-8 */
	size_t		jsonb_len;		/* at most, but for a few bytes */
} RsnJsonShape;

extern bool rsn_json_read(const char *utf8, size_t len, RsnJsonShape *shape);
extern size_t rsn_json_unescape(char *utf8, size_t len);

#endif							/* RSN_CORE_JSON_H */
