/*-------------------------------------------------------------------------
 *
 * store/clock_ahead.c
 *	  What was set by a clock that was ahead.
 *
 * An instant that lies after now was written by such a clock, and would keep a task, a
 * message or a schedule waiting until then.  What is found is bounded by a limit, and what
 * others have locked is left to a later call.  The schedules are in store/schedule.c.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "store/internal.h"
#include "store/sql.h"

static RsnStatement lock_tasks_ahead_stmt = {
	.name = "lock_tasks_ahead",
	.sql = "SELECT " TASK_COLUMNS " FROM resonate.tasks t"
	" WHERE t.ctid" EQ "ANY (ARRAY(SELECT l.ctid FROM resonate.tasks l"
	" WHERE l.state" EQ TASK_STATE("acquired") " AND l.clock_at" GT "$1"
	" AND l.clock_at OPERATOR(pg_catalog.-) $1" GT "l.ttl"
	" AND l.clock_at" LE "$4"
	" ORDER BY l.clock_at DESC LIMIT $3)"
	" OPERATOR(pg_catalog.||) ARRAY(SELECT o.ctid FROM resonate.tasks o"
	" WHERE o.state" EQ TASK_STATE("pending")
	" AND o.clock_at" GT "$2 AND o.clock_at" LE "$4"
	" AND (o.version" GT "0 OR o.offers" GT "0)"
	" ORDER BY o.clock_at DESC LIMIT $3)"
	" OPERATOR(pg_catalog.||) ARRAY(SELECT b.ctid"
	" FROM resonate.promises p CROSS JOIN LATERAL (SELECT t.*, t.ctid"
	" FROM resonate.tasks t WHERE t.id" EQ "p.id OFFSET 0) AS b"
	" WHERE p.state" EQ STATE("pending") " AND p.created_at" GT "$2"
	" AND p.created_at" LE "$4 AND b.state" EQ TASK_STATE("pending")
	" AND b.clock_at" EQ "p.created_at"
	" ORDER BY p.created_at DESC LIMIT $3)) FOR NO KEY UPDATE SKIP LOCKED",
	.spi_result = SPI_OK_SELECT,
	.cursor_options = PLAN_ONCE,
	ARGS(INT8OID, INT8OID, INT8OID, INT8OID)
};

/*
 * Locks tasks of which one of these holds, and nothing lies after until; skips what
 * others have locked: the lease ends later than one that begins at now; it was offered
 * or held before and is offered again after latest; it was born after now and is to
 * be offered then.
 */
int
rsn_store_lock_tasks_ahead(int64 now_ms, int64 latest_ms, int64 until_ms,
						   int limit, RsnTaskRow **rows)
{
	RsnArgs		args = {0};
	uint64		count;

	rsn_args_add(&args, Int64GetDatum(now_ms));
	rsn_args_add(&args, Int64GetDatum(latest_ms));
	rsn_args_add(&args, Int64GetDatum(limit));
	rsn_args_add(&args, Int64GetDatum(until_ms));
	count = rsn_store_exec(&lock_tasks_ahead_stmt, &args);
	*rows = rsn_store_tasks_from_result(count);
	return (int) count;
}

#define IS_MESSAGE_AHEAD \
	"m.due_at" GT "$1 AND COALESCE(m.received_at, m.created_at)" GT "$1" \
	" AND COALESCE(m.received_at, m.created_at)" LE "$4"

static RsnStatement set_messages_right_stmt = {
	.name = "set_messages_right",
	.sql = "UPDATE resonate.messages u SET due_at = $2"
	" WHERE u.ctid" EQ "ANY (ARRAY(SELECT m.ctid FROM resonate.messages m"
	" WHERE m." NOT_NOTIFY("address") " AND " IS_DELIVERED EQ "$5"
	" AND " IS_MESSAGE_AHEAD
	" ORDER BY " IS_DELIVERED ", m.due_at LIMIT $3 FOR UPDATE SKIP LOCKED)"
	" OPERATOR(pg_catalog.||) ARRAY(SELECT m.ctid FROM resonate.messages m"
	" WHERE m." IS_NOTIFY("address") " AND " IS_MESSAGE_AHEAD
	" ORDER BY m.due_at LIMIT $3 FOR UPDATE SKIP LOCKED))",
	.spi_result = SPI_OK_UPDATE,
	.cursor_options = PLAN_ONCE,
	ARGS(INT8OID, INT8OID, INT8OID, INT8OID, BOOLOID)
};

/*
 * Has messages due at an instant that were written or received after now, but not after
 * until, and are due after now: those that a listener has had once, or all others, at
 * most limit for which we notify and as many that are dequeued.  Returns how many.
 */
int
rsn_store_set_messages_right(bool is_delivered, int64 now_ms, int64 until_ms,
							 int64 due_at_ms, int limit)
{
	RsnArgs		args = {0};

	rsn_args_add(&args, Int64GetDatum(now_ms));
	rsn_args_add(&args, Int64GetDatum(due_at_ms));
	rsn_args_add(&args, Int64GetDatum(limit));
	rsn_args_add(&args, Int64GetDatum(until_ms));
	rsn_args_add(&args, BoolGetDatum(is_delivered));
	return (int) rsn_store_exec(&set_messages_right_stmt, &args);
}
