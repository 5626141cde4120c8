/*-------------------------------------------------------------------------
 *
 * store/due.c
 *	  What is due, and when more will be.
 *
 * Nothing is locked here: a row that is due is looked at again under its lock.  All are
 * found by an index on their clocks, from an instant on, so that rows before it that are
 * dead and not vacuumed yet are not read again.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "server/clock.h"
#include "store/internal.h"
#include "store/sql.h"

/* The bounds are those of the prefix, in an order that the index has. */
#define IS_NOTIFY_TASK \
	"t.state" EQ TASK_STATE("pending") \
	" AND t.address OPERATOR(pg_catalog.>=) 'notify://'" \
	" AND t.address OPERATOR(pg_catalog.<) 'notify:/0'"

static RsnStatement due_ids_stmt = {
	.name = "due_ids",
	.sql = "SELECT p.id, p.timeout_at FROM resonate.promises p"
	" WHERE p.state" EQ STATE("pending") " AND p.external" EQ "$5"
	" AND p.timeout_at" GE "$4 AND p.timeout_at" LE "$1"
	" AND p.id" NE "ALL ($3)"
	" ORDER BY p.external, p.timeout_at LIMIT $2",
	.spi_result = SPI_OK_SELECT,
	.cursor_options = PLAN_ONCE,
	ARGS(INT8OID, INT8OID, TEXTARRAYOID, INT8OID, BOOLOID)
};

static RsnStatement due_lease_ids_stmt = {
	.name = "due_lease_ids",
	.sql = "SELECT t.id, t.clock_at FROM resonate.tasks t"
	" WHERE t.state" EQ TASK_STATE("acquired")
	" AND t.clock_at" GE "$4 AND t.clock_at" LE "$1"
	" AND " ALIVE_AT("$1") " AND t.id" NE "ALL ($3)"
	" ORDER BY t.clock_at LIMIT $2",
	.spi_result = SPI_OK_SELECT,
	.cursor_options = PLAN_ONCE,
	ARGS(INT8OID, INT8OID, TEXTARRAYOID, INT8OID)
};

static RsnStatement due_schedule_ids_stmt = {
	.name = "due_schedule_ids",
	.sql = "SELECT s.id, s.next_run_at FROM resonate.schedules s"
	" WHERE s.next_run_at" GE "$4 AND s.next_run_at" LE "$1"
	" AND s.id" NE "ALL ($3)"
	" ORDER BY s.next_run_at LIMIT $2",
	.spi_result = SPI_OK_SELECT,
	.cursor_options = PLAN_ONCE,
	ARGS(INT8OID, INT8OID, TEXTARRAYOID, INT8OID)
};

static RsnStatement due_offer_ids_stmt = {
	.name = "due_offer_ids",
	.sql = "SELECT t.id, t.clock_at FROM resonate.tasks t WHERE " IS_NOTIFY_TASK
	" AND t.clock_at" GE "$4 AND t.clock_at" LE "$1"
	" AND " ALIVE_AT("$1") " AND t.id" NE "ALL ($3) LIMIT $2",
	.spi_result = SPI_OK_SELECT,
	.cursor_options = PLAN_ONCE,
	ARGS(INT8OID, INT8OID, TEXTARRAYOID, INT8OID)
};

static RsnStatement due_message_ids_stmt = {
	.name = "due_message_ids",
	.sql = "SELECT m.promise_id, m.due_at FROM resonate.messages m"
	" WHERE m." IS_NOTIFY("address")
	" AND m.due_at" GE "$4 AND m.due_at" LE "$1"
	" AND m.promise_id" NE "ALL ($3) ORDER BY m.due_at LIMIT $2",
	.spi_result = SPI_OK_SELECT,
	.cursor_options = PLAN_ONCE,
	ARGS(INT8OID, INT8OID, TEXTARRAYOID, INT8OID)
};

/*
 * The ids of what has become due from an instant on, and is at now, and since when;
 * locks nothing.  An id can be there more than once.
 */
int
rsn_store_due_ids(RsnDueKind kind, int64 from_ms, int64 now_ms, int limit,
				  text *const *set_aside, int nset_aside, text ***ids,
				  int64 **due_ms)
{
	static RsnStatement *const statements[] = {
		[RSN_DUE_PROMISES] = &due_ids_stmt,
		[RSN_DUE_INTERNAL_PROMISES] = &due_ids_stmt,
		[RSN_DUE_LEASES] = &due_lease_ids_stmt,
		[RSN_DUE_SCHEDULES] = &due_schedule_ids_stmt,
		[RSN_DUE_OFFERS] = &due_offer_ids_stmt,
		[RSN_DUE_MESSAGES] = &due_message_ids_stmt
	};
	RsnArgs		args = {0};
	uint64		count;

	Assert(kind < lengthof(statements) && limit >= 0);
	rsn_args_add_due(&args, now_ms, limit, set_aside, nset_aside);
	rsn_args_add(&args, Int64GetDatum(from_ms));
	if (statements[kind] == &due_ids_stmt)
		rsn_args_add(&args, BoolGetDatum(kind == RSN_DUE_PROMISES));
	count = rsn_store_exec(statements[kind], &args);
	*due_ms = rsn_store_alloc(Max(count, 1) * sizeof(int64));
	for (uint64 i = 0; i < count; i++)
		(*due_ms)[i] = rsn_store_get_int64(SPI_tuptable->vals[i], 2, 0);
	return rsn_store_texts_from_result(count, ids);
}

static RsnStatement next_deadline_stmt = {
	.name = "next_deadline",
	.sql = "SELECT p.timeout_at FROM resonate.promises p"
	" WHERE p.state" EQ STATE("pending") " AND p.external"
	" AND p.timeout_at" GE "$2 AND p.id" NE "ALL ($1)"
	" ORDER BY p.external, p.timeout_at LIMIT 1",
	.spi_result = SPI_OK_SELECT,
	.cursor_options = PLAN_ONCE,
	ARGS(TEXTARRAYOID, INT8OID)
};

static RsnStatement next_lease_stmt = {
	.name = "next_lease",
	.sql = "SELECT t.clock_at FROM resonate.tasks t"
	" WHERE t.state" EQ TASK_STATE("acquired")
	" AND t.clock_at" GE "$2 AND t.id" NE "ALL ($1)"
	" ORDER BY t.clock_at LIMIT 1",
	.spi_result = SPI_OK_SELECT,
	.cursor_options = PLAN_ONCE,
	ARGS(TEXTARRAYOID, INT8OID)
};

static RsnStatement next_schedule_stmt = {
	.name = "next_schedule",
	.sql = "SELECT s.next_run_at FROM resonate.schedules s"
	" WHERE s.next_run_at" GE "$2 AND s.id" NE "ALL ($1)"
	" ORDER BY s.next_run_at LIMIT 1",
	.spi_result = SPI_OK_SELECT,
	.cursor_options = PLAN_ONCE,
	ARGS(TEXTARRAYOID, INT8OID)
};

static RsnStatement next_notification_stmt = {
	.name = "next_notification",
	.sql = "SELECT m.due_at FROM resonate.messages m"
	" WHERE m." IS_NOTIFY("address") " AND m.due_at" GE "$2"
	" AND m.promise_id" NE "ALL ($1) ORDER BY m.due_at LIMIT 1",
	.spi_result = SPI_OK_SELECT,
	.cursor_options = PLAN_ONCE,
	ARGS(TEXTARRAYOID, INT8OID)
};

/*
 * When the first of what is not due before an instant will be, or RSN_TIME_NEVER;
 * without those set aside.
 */
int64
rsn_store_next_due(RsnDueKind kind, int64 from_ms, text *const *set_aside,
				   int nset_aside)
{
	static RsnStatement *const statements[] = {
		[RSN_DUE_PROMISES] = &next_deadline_stmt,
		[RSN_DUE_LEASES] = &next_lease_stmt,
		[RSN_DUE_SCHEDULES] = &next_schedule_stmt,
		[RSN_DUE_MESSAGES] = &next_notification_stmt
	};
	RsnArgs		args = {0};

	Assert(kind < lengthof(statements) && statements[kind] != NULL);
	rsn_args_add_texts(&args, set_aside, nset_aside);
	rsn_args_add(&args, Int64GetDatum(from_ms));
	if (rsn_store_exec(statements[kind], &args) == 0)
		return RSN_TIME_NEVER;
	return rsn_store_get_int64(SPI_tuptable->vals[0], 1, RSN_TIME_NEVER);
}
