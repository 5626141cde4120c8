/*-------------------------------------------------------------------------
 *
 * api/page.c
 *	  Pages of searches in order of ids, for both surfaces.
 *
 * A page ends at its limit, where it has as many bytes as it may have, or where the
 * engine has read enough.  One row more than the limit is asked for: if there is one,
 * there is another page.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "api/page.h"
#include "store/payload.h"

/* Promises in a wanted state that have the tags, NULL being any. */
RsnPromiseRow *
rsn_page_promises(RsnPage *page, const bool *wants, Jsonb *tags)
{
	RsnIdSearch search = {0};
	RsnPromiseRow *rows;
	int			nread;

	search.tags = tags;
	memcpy(search.wants, wants, sizeof(search.wants));
	search.after_id = page->after_id;
	search.limit = page->limit + 1;
	nread = rsn_engine_search_by_id(&search, &rows, &page->cursor);
	page->n = rsn_promises_that_fit(rows, Min(nread, page->limit));
	if (page->n < nread)
		page->cursor = rows[page->n - 1].id;
	return rows;
}

/* Tasks in a state, NULL being any.  A page without rows can have a cursor. */
RsnTaskRow *
rsn_page_tasks(RsnPage *page, const RsnTaskState *state)
{
	RsnTaskRow *rows;
	int			nread;

	nread = rsn_engine_search_tasks(state != NULL ? *state : RSN_TASK_PENDING,
									state == NULL, page->after_id,
									page->limit + 1, &rows, &page->cursor);
	page->n = Min(nread, page->limit);
	if (page->n < nread)
		page->cursor = rows[page->n - 1].id;
	return rows;
}

/* Schedules whose promises have the tags, NULL being any. */
RsnScheduleRow *
rsn_page_schedules(RsnPage *page, Jsonb *tags)
{
	RsnScheduleRow *rows;
	int			nread;

	nread = rsn_engine_search_schedules(tags, page->after_id, page->limit + 1,
										&rows);
	page->cursor = NULL;
	page->n = rsn_schedules_that_fit(rows, Min(nread, page->limit));
	if (page->n < nread)
		page->cursor = rows[page->n - 1].id;
	return rows;
}
