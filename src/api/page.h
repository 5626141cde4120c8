/*-------------------------------------------------------------------------
 *
 * api/page.h
 *	  Pages of searches in order of ids, for both surfaces.
 *
 * The cursor of such a page is the id after which the next one begins.  It is any
 * text, because no row of that id need exist any more.  search_promises has another
 * order, and a cursor that says more (api/cursor.c).
 *
 *-------------------------------------------------------------------------
 */
#ifndef RSN_API_PAGE_H
#define RSN_API_PAGE_H

#include "engine/engine.h"

#define RSN_PAGE_LIMIT_DEFAULT	100
#define RSN_PAGE_LIMIT_MAX		1000

typedef struct RsnPage
{
	text	   *after_id;		/* where it begins; empty: at the start */
	int			limit;
	int			n;				/* the rows that it has */
	text	   *cursor;			/* where the next begins; NULL: it is the last */
} RsnPage;

extern RsnPromiseRow *rsn_page_promises(RsnPage *page, const bool *wants,
										Jsonb *tags);
extern RsnTaskRow *rsn_page_tasks(RsnPage *page, const RsnTaskState *state);
extern RsnScheduleRow *rsn_page_schedules(RsnPage *page, Jsonb *tags);

#endif							/* RSN_API_PAGE_H */
