/*-------------------------------------------------------------------------
 *
 * store/foreign.c
 *	  What hangs on promises, for those who write past the engine.
 *
 * What they write is noticed by triggers (api/foreign.c), and here is what follows from it.
 * What is deleted, or looked for because it is missing, is so at every isolation level, or
 * else 40001 is raised.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "store/internal.h"
#include "store/sql.h"

static RsnStatement delete_all_of_stmt = {
	.name = "delete_all_of",
	.sql = "WITH t AS (DELETE FROM resonate.tasks d WHERE d.id" EQ "$1),"
	" c AS (DELETE FROM resonate.callbacks d WHERE d.promise_id" EQ "$1),"
	" a AS (DELETE FROM resonate.awaiters d WHERE d.awaited_id" EQ "$1),"
	" w AS (DELETE FROM resonate.awaiters d WHERE d.awaiter_id" EQ "$1)"
	" DELETE FROM resonate.messages d WHERE d.promise_id" EQ "$1",
	.spi_result = SPI_OK_DELETE,
	.cursor_options = PLAN_ONCE,
	ARGS(TEXTOID),
	.must_see_all = true
};

/* Deletes all that hangs on a promise that is gone. */
void
rsn_store_delete_all_of(text *promise_id)
{
	RsnArgs		args = {0};

	rsn_args_add_text(&args, promise_id);
	rsn_store_exec(&delete_all_of_stmt, &args);
}

static RsnStatement delete_all_but_promises_stmt = {
	.name = "delete_all_but_promises",
	.sql = "WITH t AS (DELETE FROM resonate.tasks),"
	" c AS (DELETE FROM resonate.callbacks),"
	" a AS (DELETE FROM resonate.awaiters)"
	" DELETE FROM resonate.messages",
	.spi_result = SPI_OK_DELETE,
	.cursor_options = PLAN_EACH,
	.must_see_all = true
};

/* Deletes all that hangs on promises; there is none any more. */
void
rsn_store_delete_all_but_promises(void)
{
	rsn_store_exec(&delete_all_but_promises_stmt, NULL);
}

static RsnStatement without_task_stmt = {
	.name = "without_task",
	.sql = "SELECT p.id FROM resonate.promises p"
	" WHERE p.state" EQ STATE("pending") " AND p.external AND p.targeted"
	" AND NOT EXISTS (SELECT FROM resonate.tasks t WHERE t.id" EQ "p.id)"
	" LIMIT 1",
	.spi_result = SPI_OK_SELECT,
	.cursor_options = PLAN_EACH,
	.must_see_all = true
};

/* A pending promise that has a target but no task, or NULL. */
text *
rsn_store_find_without_task(void)
{
	text	  **ids;
	uint64		n = rsn_store_exec(&without_task_stmt, NULL);

	return rsn_store_texts_from_result(n, &ids) > 0 ? ids[0] : NULL;
}

static RsnStatement is_awaiting_stmt = {
	.name = "is_awaiting",
	.sql = "SELECT FROM resonate.awaiters a WHERE a.awaiter_id" EQ "$1 LIMIT 1",
	.spi_result = SPI_OK_SELECT,
	.cursor_options = PLAN_ONCE,
	ARGS(TEXTOID)
};

/* True when a task awaits any promise. */
bool
rsn_store_is_awaiting(text *awaiter_id)
{
	RsnArgs		args = {0};

	rsn_args_add_text(&args, awaiter_id);
	return rsn_store_exec(&is_awaiting_stmt, &args) > 0;
}

static RsnStatement lock_stranded_tasks_stmt = {
	.name = "lock_stranded_tasks",
	.sql = "SELECT " TASK_COLUMNS " FROM resonate.tasks t"
	" WHERE t.state" EQ TASK_STATE("suspended")
	" AND NOT EXISTS (SELECT FROM resonate.awaiters a"
	" WHERE a.awaiter_id" EQ "t.id)"
	" ORDER BY t.id FOR NO KEY UPDATE",
	.spi_result = SPI_OK_SELECT,
	.cursor_options = PLAN_EACH
};

/* Locks the suspended tasks that await nothing. */
int
rsn_store_lock_stranded_tasks(RsnTaskRow **rows)
{
	uint64		n = rsn_store_exec(&lock_stranded_tasks_stmt, NULL);

	*rows = rsn_store_tasks_from_result(n);
	return (int) n;
}
