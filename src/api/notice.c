/*-------------------------------------------------------------------------
 *
 * api/notice.c
 *	  What a repeated call asked for and did not get.
 *
 * A call that creates or settles a promise again with the same idempotency key
 * returns the promise as it is, and success.  If it asked for something else than the
 * first one, that is mostly a mistake: a NOTICE says so.  It is not part of the result,
 * so it breaks no client that reads that, and it is not in the server log, which
 * retries would fill.  One statement raises one at most.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "lib/stringinfo.h"
#include "utils/memutils.h"

#include "api/args.h"
#include "api/notice.h"
#include "server/id.h"
#include "store/payload.h"

/* What can be another one than was asked for. */
#define OTHER_PARAM		0x01
#define OTHER_TAGS		0x02
#define OTHER_DEADLINE	0x04
#define OTHER_STATE		0x08
#define OTHER_VALUE		0x10

static const char *const names[] = {
	"param", "tags", "deadline", "state", "value"
};

/* How the promises of a statement differ from what it asked for. */
typedef struct Differences
{
	const char *is;				/* what promises are that were met */
	text	   *id;				/* of the first one that differs, or NULL */
	int			others;			/* its differences */
	int			nmore;			/* that differ, too */
	MemoryContext scratch;		/* for one comparison */
	MemoryContext caller;
} Differences;

/*
 * A deadline is the same if it is the same instant, or the same time after the
 * promise was created: a timeout means another instant in each call.
 */
static bool
is_same_deadline(const RsnPromise *stored, int64 timeout_at_ms, int64 now_ms)
{
	if (timeout_at_ms == stored->timeout_at_ms)
		return true;
	return stored->timeout_at_ms != PG_INT64_MAX &&
		timeout_at_ms != PG_INT64_MAX &&
		timeout_at_ms - now_ms ==
		stored->timeout_at_ms - stored->created_at_ms;
}

static bool
is_same_tags(Jsonb *wanted, struct varlena *stored)
{
	return (struct varlena *) wanted == stored ||
		compareJsonbContainers(&wanted->root,
							   &rsn_stored_jsonb(stored)->root) == 0;
}

/* What a create asked for that the promise is not. */
static int
compare_create(const RsnCreateRequest *request, const RsnOutcome *outcome,
			   int64 now_ms)
{
	const RsnPromiseRow *stored = outcome->promise;
	int			others = 0;

	if (outcome->status != RSN_STATUS_OK || stored == NULL)
		return 0;
	if (!rsn_payload_equals(&request->param, &stored->param))
		others |= OTHER_PARAM;
	if (!is_same_tags(request->tags, stored->tags))
		others |= OTHER_TAGS;
	if (!is_same_deadline(&stored->core, request->rule.timeout_at_ms, now_ms))
		others |= OTHER_DEADLINE;
	return others;
}

/*
 * The same for a settlement.  One that finds the deadline passed is told of that by
 * the state, whatever its value.
 */
static int
compare_settle(const RsnSettleRequest *request, const RsnOutcome *outcome)
{
	const RsnPromiseRow *stored = outcome->promise;
	int			others = 0;

	if (outcome->status != RSN_STATUS_OK || stored == NULL ||
		stored->key_for_complete == NULL)
		return 0;
	if (request->rule.target != stored->core.state)
		others |= OTHER_STATE;
	if (!rsn_payload_equals(&request->value, &stored->value))
		others |= OTHER_VALUE;
	return others;
}

static void
begin_comparing(Differences *found, const char *is)
{
	memset(found, 0, sizeof(Differences));
	found->is = is;
	found->scratch = AllocSetContextCreate(CurrentMemoryContext,
										   "resonate comparison",
										   ALLOCSET_START_SMALL_SIZES);
	found->caller = MemoryContextSwitchTo(found->scratch);
}

/* Notes what a comparison has found, and frees what it took. */
static void
note(Differences *found, text *id, int others)
{
	MemoryContextReset(found->scratch);
	if (others == 0)
		return;
	if (found->id != NULL)
	{
		found->nmore++;
		return;
	}
	found->id = id;
	found->others = others;
}

/* Ends the comparisons, and raises the notice if one of them has found anything. */
static void
raise_notice(const Differences *found)
{
	StringInfoData list;

	MemoryContextSwitchTo(found->caller);
	MemoryContextDelete(found->scratch);
	if (found->id == NULL)
		return;
	initStringInfo(&list);
	for (int i = 0; i < (int) lengthof(names); i++)
	{
		if (found->others & (1 << i))
			appendStringInfo(&list, "%s%s", list.len > 0 ? ", " : "",
							 names[i]);
	}
	ereport(NOTICE,
			(errcode(ERRCODE_DUPLICATE_OBJECT),
			 errmsg("promise \"%s\" %s with different %s",
					rsn_quote_text(found->id), found->is, list.data),
			 errdetail("It stays as it is; what this call asked for is not stored."),
			 found->nmore == 0 ? 0
			 : errhint("It is the first of %d in this statement.",
					   found->nmore + 1)));
}

/* After a create. */
void
rsn_notice_create(const RsnCreateRequest *request, const RsnOutcome *outcome,
				  int64 now_ms)
{
	if (outcome->status == RSN_STATUS_OK)
		rsn_notice_create_many(request, outcome, 1, now_ms);
}

/* After a settlement. */
void
rsn_notice_settle(const RsnSettleRequest *request, const RsnOutcome *outcome)
{
	if (outcome->status == RSN_STATUS_OK)
		rsn_notice_settle_many(request, outcome, 1);
}

/* After a batch of creates. */
void
rsn_notice_create_many(const RsnCreateRequest *requests,
					   const RsnOutcome *outcomes, int n, int64 now_ms)
{
	Differences found;

	begin_comparing(&found, "exists");
	for (int i = 0; i < n; i++)
		note(&found, requests[i].id,
			 compare_create(&requests[i], &outcomes[i], now_ms));
	raise_notice(&found);
}

/* After a batch of settlements. */
void
rsn_notice_settle_many(const RsnSettleRequest *requests,
					   const RsnOutcome *outcomes, int n)
{
	Differences found;

	begin_comparing(&found, "is settled");
	for (int i = 0; i < n; i++)
		note(&found, requests[i].id,
			 compare_settle(&requests[i], &outcomes[i]));
	raise_notice(&found);
}
