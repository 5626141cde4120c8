/*-------------------------------------------------------------------------
 *
 * engine/search.c
 *	  Pages of promises, as they are now.
 *
 * What has lapsed on a page is settled first, and the page is read again.  Where some
 * are left out because they are in doubt (engine/doubt.c), the page is filled with
 * those behind them.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "miscadmin.h"

#include "engine/internal.h"
#include "server/clock.h"
#include "signal/wake.h"

/* Reads at most limit promises behind the position of a search. */
typedef int (*ReadPage) (void *search, int64 now_ms, int limit,
						 RsnPromiseRow **page);

/* Moves the position of a search behind a promise. */
typedef void (*PassRow) (void *search, const RsnPromiseRow *row);

/* Reads a page until nothing that is settled by that has lapsed on it. */
static int
read_settled(void *search, ReadPage read, int limit, RsnDoubt *doubt,
			 RsnPromiseRow **page, int64 *now_ms)
{
	int			n;

	do
	{
		CHECK_FOR_INTERRUPTS();
		*now_ms = rsn_clock_now();
		n = read(search, *now_ms, limit, page);
	} while (rsn_engine_can_write() &&
			 rsn_engine_expire_lapsed(*page, n, *now_ms, doubt));
	Assert(n <= limit);
	return n;
}

/* Reads pages until there are limit promises to show; returns how many there are. */
static int
fill_page(void *search, ReadPage read, PassRow pass, const bool *wants,
		  int limit, RsnPromiseRow **rows)
{
	RsnDoubt	doubt = {0};
	int			n = 0;
	bool		is_last;

	do
	{
		RsnPromiseRow *page;
		int64		now_ms;
		int			nread = read_settled(search, read, limit - n, &doubt, &page,
										 &now_ms);

		is_last = nread < limit - n;
		if (nread > 0)
			pass(search, &page[nread - 1]);
		nread = rsn_engine_show_page(page, nread, wants, now_ms);
		rsn_engine_add_page(rows, n, limit, page, nread);
		n += nread;
	} while (!is_last && n < limit);
	return n;
}

static int
read_newest(void *arg, int64 now_ms, int limit, RsnPromiseRow **page)
{
	RsnSearch  *search = arg;

	search->now_ms = now_ms;
	search->limit = limit;
	return rsn_store_search_promises(search, page);
}

static void
pass_newest(void *arg, const RsnPromiseRow *row)
{
	RsnSearch  *search = arg;

	search->has_position = true;
	search->position_created_at_ms = row->core.created_at_ms;
	search->position_id = row->id;
}

/*
 * Promises newest first.  If there are many that have lapsed and nobody has settled,
 * the worker is asked to, for the next page.
 */
int
rsn_engine_search(RsnSearch *search, RsnPromiseRow **rows)
{
	int			n;

	rsn_store_begin();
	n = fill_page(search, read_newest, pass_newest, search->wants,
				  search->limit, rows);
	if (rsn_store_passes_many_lapsed(search))
		rsn_wake_ask_to_expire();
	rsn_store_end();
	return n;
}

/* A search by id, and where the next page goes on, unless NULL. */
typedef struct IdSearch
{
	RsnIdSearch *search;
	text	  **next_id;
} IdSearch;

static int
read_by_id(void *arg, int64 now_ms, int limit, RsnPromiseRow **page)
{
	IdSearch   *by_id = arg;

	by_id->search->limit = limit;
	return rsn_store_search_promises_by_id(by_id->search, now_ms, page,
										   by_id->next_id);
}

static void
pass_id(void *arg, const RsnPromiseRow *row)
{
	((IdSearch *) arg)->search->after_id = row->id;
}

/*
 * Promises in order of their ids.  Unless NULL, next_id is where to go on after a page
 * that is not full.
 */
int
rsn_engine_search_by_id(RsnIdSearch *search, RsnPromiseRow **rows,
						text **next_id)
{
	IdSearch	by_id = {search, next_id};
	int			n;

	rsn_store_begin();
	n = fill_page(&by_id, read_by_id, pass_id, search->wants, search->limit,
				  rows);
	rsn_store_end();
	return n;
}
