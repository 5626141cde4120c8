/*-------------------------------------------------------------------------
 *
 * store/due.c
 *	  What is due, and when more will be.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "server/clock.h"
#include "store/internal.h"

/*
 * The ids of what has become due from an instant on, and is at now, and since when;
 * locks nothing.  An id can be there more than once.
 */
int
rsn_store_due_ids(RsnDueKind kind, int64 from_ms, int64 now_ms, int limit,
				  text *const *set_aside, int nset_aside, text ***ids,
				  int64 **due_ms)
{
	static const RsnQuery queries[] = {
		[RSN_DUE_PROMISES] = RSN_QUERY_DUE_IDS,
		[RSN_DUE_INTERNAL_PROMISES] = RSN_QUERY_DUE_IDS,
		[RSN_DUE_LEASES] = RSN_QUERY_DUE_LEASE_IDS,
		[RSN_DUE_SCHEDULES] = RSN_QUERY_DUE_SCHEDULE_IDS,
		[RSN_DUE_OFFERS] = RSN_QUERY_DUE_OFFER_IDS,
		[RSN_DUE_MESSAGES] = RSN_QUERY_DUE_MESSAGE_IDS
	};
	RsnArgs		args = {0};
	uint64		count;

	rsn_args_add(&args, Int64GetDatum(now_ms));
	rsn_args_add(&args, Int64GetDatum(limit));
	rsn_args_add_texts(&args, set_aside, nset_aside);
	rsn_args_add(&args, Int64GetDatum(from_ms));
	if (queries[kind] == RSN_QUERY_DUE_IDS)
		rsn_args_add(&args, BoolGetDatum(kind == RSN_DUE_PROMISES));
	count = rsn_store_exec(queries[kind], &args);
	*due_ms = rsn_store_alloc(Max(count, 1) * sizeof(int64));
	for (uint64 i = 0; i < count; i++)
		(*due_ms)[i] = rsn_store_get_int64(SPI_tuptable->vals[i], 2, 0);
	return rsn_store_texts_from_result(count, ids);
}

/*
 * When the first of what is not due before an instant will be, or RSN_TIME_NEVER;
 * without those set aside.
 */
int64
rsn_store_next_due(RsnDueKind kind, int64 from_ms, text *const *set_aside,
				   int nset_aside)
{
	static const RsnQuery queries[] = {
		[RSN_DUE_PROMISES] = RSN_QUERY_NEXT_DEADLINE,
		[RSN_DUE_LEASES] = RSN_QUERY_NEXT_LEASE,
		[RSN_DUE_SCHEDULES] = RSN_QUERY_NEXT_SCHEDULE,
		[RSN_DUE_MESSAGES] = RSN_QUERY_NEXT_NOTIFICATION
	};
	RsnArgs		args = {0};

	rsn_args_add_texts(&args, set_aside, nset_aside);
	rsn_args_add(&args, Int64GetDatum(from_ms));
	if (rsn_store_exec(queries[kind], &args) == 0)
		return RSN_TIME_NEVER;
	return rsn_store_get_int64(SPI_tuptable->vals[0], 1, RSN_TIME_NEVER);
}
