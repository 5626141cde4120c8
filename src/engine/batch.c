/*-------------------------------------------------------------------------
 *
 * engine/batch.c
 *	  Lock, read, decide, write: operations on many promises.
 *
 * A batch locks and reads all its promises first, in byte order of their ids,
 * then decides item by item in the order given, on the records in memory, and
 * finally writes what has changed.  An id
 * that occurs twice therefore has the outcomes of two calls.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "miscadmin.h"

#include "engine/internal.h"
#include "server/clock.h"
#include "server/id.h"

/* One distinct id of a batch. */
typedef struct Entry
{
	text	   *id;
	int			first_item;		/* index of the first item with this id */
	RsnPromiseRow *row;			/* the record so far, or NULL */
	bool		is_created;		/* by this batch, and has no outcome yet */
	bool		is_settled;		/* by this batch */
} Entry;

typedef struct Batch
{
	int			nentries;
	Entry	   *entries;		/* in byte order of ids */
	Entry	  **by_item;		/* the entry of each item */
} Batch;

typedef struct ItemOfId
{
	text	   *id;
	int			item;
} ItemOfId;

static int
compare_item_ids(const void *a, const void *b)
{
	const ItemOfId *item_a = a;
	const ItemOfId *item_b = b;
	int			result = rsn_id_compare(item_a->id, item_b->id);

	return result != 0 ? result : item_a->item - item_b->item;
}

static int
compare_entry_to_id(const void *key, const void *entry)
{
	return rsn_id_compare((const text *) key, ((const Entry *) entry)->id);
}

/* The id of one of the requests of a batch. */
typedef text *(*IdOfItem) (const void *requests, int i);

static text *
id_of_create(const void *requests, int i)
{
	return ((const RsnCreateRequest *) requests)[i].id;
}

static text *
id_of_settle(const void *requests, int i)
{
	return ((const RsnSettleRequest *) requests)[i].id;
}

/* Finds the distinct ids of a batch. */
static Batch
make_batch(const void *requests, int n, IdOfItem id_of)
{
	ItemOfId   *items = palloc(sizeof(ItemOfId) * Max(n, 1));
	Batch		batch;

	for (int i = 0; i < n; i++)
	{
		items[i].id = id_of(requests, i);
		items[i].item = i;
	}
	qsort(items, n, sizeof(ItemOfId), compare_item_ids);
	batch.nentries = 0;
	batch.entries = palloc0(sizeof(Entry) * Max(n, 1));
	batch.by_item = palloc(sizeof(Entry *) * Max(n, 1));
	for (int i = 0; i < n; i++)
	{
		if (i == 0 || rsn_id_compare(items[i - 1].id, items[i].id) != 0)
		{
			batch.entries[batch.nentries].id = items[i].id;
			batch.entries[batch.nentries].first_item = items[i].item;
			batch.nentries++;
		}
		batch.by_item[items[i].item] = &batch.entries[batch.nentries - 1];
	}
	return batch;
}

static Entry *
find_entry(const Batch *batch, text *id)
{
	Entry	   *entry = bsearch(id, batch->entries, batch->nentries,
								sizeof(Entry), compare_entry_to_id);

	if (entry == NULL)
		elog(ERROR, "the store returned an id that was not asked for");
	return entry;
}

static void
fill_entries(const Batch *batch, RsnPromiseRow *rows, int n)
{
	for (int i = 0; i < n; i++)
		find_entry(batch, rows[i].id)->row = &rows[i];
}

static void
write_settled_entries(const Batch *batch, int64 now_ms)
{
	RsnPromiseRow **rows = palloc(sizeof(RsnPromiseRow *) *
								  Max(batch->nentries, 1));
	int			n = 0;

	for (int i = 0; i < batch->nentries; i++)
	{
		/* Written in the order of the locks. */
		Assert(i == 0 || rsn_id_compare(batch->entries[i - 1].id,
										batch->entries[i].id) < 0);
		if (batch->entries[i].is_settled)
			rows[n++] = batch->entries[i].row;
	}
	rsn_engine_write_settled(rows, n, NULL, now_ms);
}

/* The outcome of an item, and the change of its entry. */
static RsnOutcome
decide_item(Entry *entry, const RsnDecision *decision,
			const RsnSettleRequest *request)
{
	RsnOutcome	outcome = {0};

	/* All inserts come before the first decision. */
	Assert(decision->write != RSN_WRITE_INSERT);
	if (decision->write == RSN_WRITE_SETTLE)
	{
		/*
		 * What this batch has created is decided at its birth, so it is not
		 * due.
		 */
		Assert(!entry->is_created && !entry->is_settled);
		rsn_engine_change_row(entry->row, decision, request);
		entry->is_settled = true;
	}
	outcome.status = decision->status;
	outcome.id = entry->id;
	outcome.promise = entry->row;
	return outcome;
}

/*
 * How a promise is born.  One that is born at an instant in the past, as an
 * occurrence of a schedule is, can be past its own deadline by now.
 */
static RsnDecision
birth(const RsnCreateRequest *request, int64 now_ms)
{
	int64		as_of_ms = request->as_of_ms > 0 ? request->as_of_ms : now_ms;
	RsnDecision decision = rsn_promise_create(NULL, &request->rule, as_of_ms);

	decision.next = rsn_promise_observe(&decision.next, now_ms);
	return decision;
}

/* Inserts a promise for every entry that has none, by its first item. */
static void
insert_missing(const Batch *batch, const RsnCreateRequest *requests,
			   int64 now_ms)
{
	RsnPromiseRow *rows = rsn_store_alloc(sizeof(RsnPromiseRow) *
										  Max(batch->nentries, 1));

	for (int i = 0; i < batch->nentries; i++)
	{
		Entry	   *entry = &batch->entries[i];
		const RsnCreateRequest *request = &requests[entry->first_item];
		RsnDecision decision;

		if (entry->row != NULL)
			continue;
		decision = birth(request, now_ms);
		rows[i] = rsn_engine_new_row(request, &decision);
		if (!rsn_store_insert_promise(&rows[i]))
			continue;
		entry->row = &rows[i];
		entry->is_created = true;
		rsn_engine_note_write(entry->row);
		rsn_engine_offer_new(entry->row, request);
	}
}

/* The ids of entries whose promises this batch has not created. */
static int
list_existing(const Batch *batch, text **ids)
{
	int			n = 0;

	for (int i = 0; i < batch->nentries; i++)
	{
		if (!batch->entries[i].is_created)
			ids[n++] = batch->entries[i].id;
	}
	return n;
}

/*
 * Reads the promises that existed before, and returns the instant to decide at.
 * If one of them has lapsed by then all are locked, in byte order, since
 * lapsed ones will be settled, and others may lapse while we wait for a lock.
 */
static int64
read_existing(const Batch *batch)
{
	text	  **ids = palloc(sizeof(text *) * Max(batch->nentries, 1));
	RsnPromiseRow *rows = NULL;
	int64		now_ms;
	int			nids = list_existing(batch, ids);
	int			n = 0;
	bool		has_lapsed = false;

	if (nids > 0)
		n = rsn_store_read_promises(ids, nids, &rows);
	now_ms = rsn_clock_now();
	for (int i = 0; i < n; i++)
		has_lapsed |= rsn_promise_is_lapsed(&rows[i].core, now_ms);
	if (has_lapsed)
	{
		n = rsn_store_lock_promises(ids, nids, &rows);
		now_ms = rsn_clock_now();
	}
	Assert(n <= nids);
	fill_entries(batch, rows, n);
	return now_ms;
}

/* True when an entry has no promise: the transaction that had inserted it was rolled back. */
static bool
has_missing(const Batch *batch)
{
	for (int i = 0; i < batch->nentries; i++)
	{
		if (batch->entries[i].row == NULL)
			return true;
	}
	return false;
}

/* Forgets what was read, to read it again. */
static void
forget_existing(const Batch *batch)
{
	for (int i = 0; i < batch->nentries; i++)
	{
		if (!batch->entries[i].is_created)
			batch->entries[i].row = NULL;
	}
}

/* Creates promises as of now; one outcome for each request, in its order. */
RsnOutcome *
rsn_engine_create_many(const RsnCreateRequest *requests, int n, int64 now_ms)
{
	RsnOutcome *outcomes;
	Batch		batch;

	rsn_store_begin();
	outcomes = rsn_store_alloc(sizeof(RsnOutcome) * Max(n, 1));
	batch = make_batch(requests, n, id_of_create);
	for (;;)
	{
		insert_missing(&batch, requests, now_ms);
		now_ms = read_existing(&batch);
		if (!has_missing(&batch))
			break;
		CHECK_FOR_INTERRUPTS();
		forget_existing(&batch);
	}

	for (int i = 0; i < n; i++)
	{
		Entry	   *entry = batch.by_item[i];

		/*
		 * What this batch has made, nobody else has seen: all its items are
		 * decided at its birth, so that it cannot lapse while we wait.
		 */
		int64		at_ms = entry->is_created ? entry->row->core.created_at_ms
		: now_ms;
		RsnDecision decision = rsn_promise_create(&entry->row->core,
												  &requests[i].rule, at_ms);

		if (entry->is_created && i == entry->first_item)
		{
			decision.status = RSN_STATUS_CREATED;
			decision.write = RSN_WRITE_NONE;
		}
		outcomes[i] = decide_item(entry, &decision, NULL);
	}
	write_settled_entries(&batch, now_ms);
	rsn_store_end();
	return outcomes;
}

/*
 * Creates promises as of now, and leaves those that exist alone, whatever they
 * are: who settles none needs no lock on anything that exists, and waits for none.
 * The caller has looked that nobody else is about to create one.
 */
void
rsn_engine_create_missing(const RsnCreateRequest *requests, int n,
						  int64 now_ms)
{
	Batch		batch;

	rsn_store_begin();
	batch = make_batch(requests, n, id_of_create);
	insert_missing(&batch, requests, now_ms);
	rsn_store_end();
}

/* Settles promises; one outcome for each request, in its order. */
RsnOutcome *
rsn_engine_settle_many(const RsnSettleRequest *requests, int n)
{
	RsnOutcome *outcomes;
	text	  **ids = palloc(sizeof(text *) * Max(n, 1));
	RsnPromiseRow *rows;
	Batch		batch;
	int64		now_ms;
	int			nlocked;

	rsn_store_begin();
	outcomes = rsn_store_alloc(sizeof(RsnOutcome) * Max(n, 1));
	batch = make_batch(requests, n, id_of_settle);
	for (int i = 0; i < batch.nentries; i++)
		ids[i] = batch.entries[i].id;
	nlocked = rsn_store_lock_promises(ids, batch.nentries, &rows);
	fill_entries(&batch, rows, nlocked);

	now_ms = rsn_clock_now();
	for (int i = 0; i < n; i++)
	{
		Entry	   *entry = batch.by_item[i];
		RsnPromise *stored = entry->row == NULL ? NULL : &entry->row->core;
		RsnDecision decision = rsn_promise_settle(stored, &requests[i].rule,
												  now_ms);

		outcomes[i] = decide_item(entry, &decision, &requests[i]);
	}
	write_settled_entries(&batch, now_ms);
	rsn_store_end();
	return outcomes;
}
