/*-------------------------------------------------------------------------
 *
 * engine/settle.c
 *	  What a settlement does beside the promise, and how tasks are written.
 *
 * There is one routine for every way in which promises settle: by a command,
 * by their deadline, under a fence or at the end of a task.  In the transaction
 * that settles it fulfils the promise's own task, resumes the tasks that await
 * it, and hands its callbacks to the worker or turns them into messages; what is
 * more than its share of those who wait, or locked by others, is left to the worker.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/xact.h"
#include "catalog/pg_type.h"
#include "utils/builtins.h"

#include "engine/internal.h"
#include "core/address.h"
#include "server/clock.h"
#include "server/id.h"
#include "signal/wake.h"

/* How many callbacks of a promise are handed to the worker one by one. */
#define HAND_OVER_MAX 4

/* The callbacks of so many promises are fired one promise after the other. */
#define FIRE_ALONE_MAX 16

/* How many processes that have given a task back are kept, and in how many bytes. */
#define GIVERS_MAX		16
#define GIVERS_SIZE_MAX	1200

static int
compare_task_to_id(const void *key, const void *row)
{
	return rsn_id_compare((const text *) key,
						  ((const RsnTaskRow *) row)->id);
}

/* True when the tasks are in the order in which they are locked and found. */
bool
rsn_engine_is_in_order(const RsnTaskSet *set)
{
	for (int i = 1; i < set->n; i++)
	{
		if (rsn_id_compare(set->rows[i - 1].id, set->rows[i].id) >= 0)
			return false;
	}
	return true;
}

/* The task of that id, or NULL when the set has none. */
RsnTaskRow *
rsn_engine_find_task(const RsnTaskSet *set, const text *id)
{
	if (set->n == 0)
		return NULL;
	return bsearch(id, set->rows, set->n, sizeof(RsnTaskRow),
				   compare_task_to_id);
}

static void
note_task(const RsnTaskRow *row, int64 now_ms)
{
	const RsnTask *task = &row->core;

	Assert((task->others_at_ms != 0) == (row->others_address != NULL));
	if (task->others_at_ms != 0 && task->others_at_ms <= now_ms)
		rsn_wake_note_offer(row->others_address);
	else if (task->others_at_ms != 0)
		rsn_wake_note_deadline(task->others_at_ms);

	if (task->state == RSN_TASK_PENDING && task->clock_at_ms <= now_ms)
		rsn_wake_note_offer(row->address);
	else if (task->state == RSN_TASK_PENDING ||
			 task->state == RSN_TASK_ACQUIRED)
		rsn_wake_note_deadline(task->clock_at_ms);
}

/* Adds a process to those that have given a task back; of too many, the last ones. */
static ArrayType *
add_giver(ArrayType *givers, text *pid)
{
	Datum	   *elements = NULL;
	ArrayBuildState *result;
	Size		size = VARSIZE_ANY(pid);
	int			n = 0;
	int			first;

	if (givers != NULL)
		deconstruct_array(givers, TEXTOID, -1, false, TYPALIGN_INT, &elements,
						  NULL, &n);
	for (first = n; first > Max(0, n + 1 - GIVERS_MAX); first--)
	{
		size += VARSIZE_ANY(DatumGetPointer(elements[first - 1]));
		if (size > GIVERS_SIZE_MAX)
			break;
	}

	result = initArrayResult(TEXTOID, CurrentMemoryContext, false);
	for (int i = first; i < n; i++)
	{
		if (!rsn_id_equals(DatumGetTextPP(elements[i]), pid))
			accumArrayResult(result, elements[i], false, TEXTOID,
							 CurrentMemoryContext);
	}
	accumArrayResult(result, PointerGetDatum(pid), false, TEXTOID,
					 CurrentMemoryContext);
	return DatumGetArrayTypeP(makeArrayResult(result, CurrentMemoryContext));
}

/* Sets where others may have a task, and who has given it back, before it changes. */
static void
set_others(RsnTaskRow *row, const RsnTask *next)
{
	if (next->others_at_ms == 0)
		row->others_address = NULL;
	else if (row->others_address == NULL)
		row->others_address = rsn_engine_others_address(row->address);
	if (next->setbacks == 0)
		row->given_back_by = NULL;
	else if (next->setbacks > row->core.setbacks)
	{
		/* Nobody but a holder can give a task back, or lose its lease. */
		Assert(row->core.state == RSN_TASK_ACQUIRED && row->pid != NULL);
		row->given_back_by = add_giver(row->given_back_by, row->pid);
	}
}

/* Inserts the task of a promise that was just inserted as pending. */
void
rsn_engine_insert_task(const RsnCreateRequest *request, const RsnTask *task,
					   text *pid)
{
	RsnTaskRow	row = {0};

	Assert(request->target != NULL);
	Assert(task->has_pid == (pid != NULL));
	row.core = *task;
	row.id = request->id;
	row.address = request->target;
	row.pid = pid;
	if (task->others_at_ms != 0)
		row.others_address = rsn_engine_others_address(row.address);
	rsn_store_insert_task(&row);
	note_task(&row, rsn_clock_now());
}

/* Inserts the task of a promise that was just inserted, if it is to have one. */
void
rsn_engine_offer_new(const RsnPromiseRow *row,
					 const RsnCreateRequest *request)
{
	RsnTaskRow	task = {0};
	RsnRetryPolicy policy;

	if (!row->core.is_targeted || row->core.state != RSN_PROMISE_PENDING)
		return;
	task.id = request->id;
	task.address = request->target;
	policy = rsn_engine_retry_policy(&task);
	task.core = rsn_task_new_pending(row->core.timeout_at_ms,
									 Max(row->core.created_at_ms,
										 request->offer_at_ms),
									 &policy);
	rsn_engine_insert_task(request, &task.core, NULL);
}

/* Performs the decision on a locked task; the caller that acquires it has set the pid. */
void
rsn_engine_write_task(RsnTaskRow *row, const RsnTaskDecision *decision,
					  int64 now_ms)
{
	if (decision->is_changed)
		rsn_engine_check_step(rsn_task_check_step(&row->core, &decision->next),
							  "task", row->id);
	set_others(row, &decision->next);
	row->core = decision->next;
	if (!decision->next.has_pid)
		row->pid = NULL;
	Assert(row->core.has_pid == (row->pid != NULL));
	if (!decision->is_changed)
		return;
	Assert(ItemPointerIsValid(&row->tid));
	rsn_store_update_task(row);
	note_task(row, now_ms);
}

/* Raises the error for a pending promise that has a target but no task. */
void
rsn_engine_task_missing(const RsnPromiseRow *promise)
{
	ereport(ERROR,
			(errcode(ERRCODE_DATA_CORRUPTED),
			 errmsg("promise \"%s\" has a target but no task",
					text_to_cstring(promise->id))));
}

/* Deletes the task of a promise that settles, and keeps its version there. */
static void
fulfill_task(RsnPromiseRow *promise, const RsnTaskSet *tasks)
{
	RsnTaskRow *task = rsn_engine_find_task(tasks, promise->id);

	/* A task ends with its promise, and not before. */
	Assert(promise->core.state != RSN_PROMISE_PENDING);
	if (task == NULL)
	{
		rsn_engine_task_missing(promise);
		return;
	}
	promise->task_version = task->core.version;
	rsn_store_delete_task(task);
	task->core = rsn_task_fulfilled(task->core.version,
									task->core.timeout_at_ms);
}

/*
 * Resumes tasks; an id that occurs twice has awaited two of the promises.  One
 * that is not in the set is fulfilled.
 */
void
rsn_engine_resume_tasks(text **ids, int n, const RsnTaskSet *tasks,
						int64 now_ms)
{
	int			next;

	Assert(rsn_engine_is_in_order(tasks));
	qsort(ids, n, sizeof(text *), rsn_id_compare_pointers);
	for (int i = 0; i < n; i = next)
	{
		RsnTaskRow *task = rsn_engine_find_task(tasks, ids[i]);
		RsnTaskDecision decision;
		RsnRetryPolicy policy;

		for (next = i + 1; next < n; next++)
		{
			if (rsn_id_compare(ids[i], ids[next]) != 0)
				break;
		}
		if (task == NULL)
			continue;
		policy = rsn_engine_retry_policy(task);
		decision = rsn_task_resume(&task->core, next - i, &policy, now_ms);
		if (decision.is_changed)
			rsn_engine_write_task(task, &decision, now_ms);
	}
}

/* Notes messages that callbacks have become, whose addresses are not known. */
static void
note_fired(int fired)
{
	if (fired & RSN_FIRED_NOTIFY)
		rsn_wake_note_message();
	if (fired & RSN_FIRED_OTHER)
		rsn_wake_note_unblock(NULL);
}

/* Notes that a callback to an address has become a message. */
void
rsn_engine_note_fired(const text *address)
{
	if (rsn_address_is_notify(VARDATA_ANY(address),
							  VARSIZE_ANY_EXHDR(address)))
		rsn_wake_note_message();
	else
		rsn_wake_note_unblock(address);
}

/* Turns the callbacks of a locked promise into messages. */
static void
fire_locked(text *promise_id, int64 now_ms)
{
	note_fired(rsn_store_fire_locked(promise_id, now_ms, rsn_engine_note_fired));
}

/*
 * Hands the callbacks of a settled promise to the worker where they are; false if it
 * cannot deliver them all.  To move a row to messages, only for the worker to delete
 * it a moment later, is a fifth of what a settlement costs.
 */
static bool
hand_over(const RsnPromiseRow *row)
{
	ItemPointerData tids[HAND_OVER_MAX];
	int			n;

	/* The worker tells them the state that is handed over. */
	Assert(row->core.state != RSN_PROMISE_PENDING);

	return rsn_store_list_notifications(row->id, HAND_OVER_MAX, tids, &n) &&
		(n == 0 || rsn_wake_hand_over(row->id, row->core.state, tids, n));
}

/*
 * True when the promise has callbacks that are to become messages now.  What can be
 * handed over is, on the way, and so is the promise if it has more than its share.
 */
static bool
needs_messages(const RsnPromiseRow *row, int share)
{
	if (!row->core.is_external)
		return false;
	if (rsn_wake_can_hand_over())
	{
		if (hand_over(row))
			return false;
	}
	else if (!rsn_store_may_have_callbacks(row->id))
		return false;
	if (share == 0 || rsn_store_has_few_callbacks(row->id, share))
		return true;
	rsn_wake_note_left(row->id);
	return false;
}

/*
 * Before a transaction is prepared: turns callbacks into messages after all, since
 * nobody can hand them over when it commits.
 */
static void
fire_before_prepare(XactEvent event, void *arg)
{
	RsnHandoffList list;
	RsnHandoff	handoff;
	int			position = 0;

	if (event != XACT_EVENT_PRE_PREPARE)
		return;
	list = rsn_wake_take_back();
	if (list.len == 0)
		return;
	rsn_store_begin();
	while (rsn_handoff_next(&list, &position, &handoff))
	{
		if (handoff.kind == RSN_HANDOFF_CALLBACK)
			fire_locked(rsn_handoff_text(&handoff), rsn_clock_now());
	}
	rsn_store_end();
}

/* Registers a callback, once for the life of the backend. */
void
rsn_engine_init(void)
{
	RegisterXactCallback(fire_before_prepare, NULL);
}

/*
 * Has the worker deliver callbacks of locked promises, or turns them into messages;
 * for each promise no more than its share.
 */
static void
fire_callbacks(RsnPromiseRow *const *rows, int n, int share, int64 now_ms)
{
	text	  **called = palloc(sizeof(text *) * Max(n, 1));
	int			ncalled = 0;

	for (int i = 0; i < n; i++)
	{
		if (needs_messages(rows[i], share))
			called[ncalled++] = rows[i]->id;
	}
	if (ncalled > FIRE_ALONE_MAX)
		note_fired(rsn_store_fire_callbacks(called, ncalled, now_ms));
	for (int i = 0; ncalled <= FIRE_ALONE_MAX && i < ncalled; i++)
		fire_locked(called[i], now_ms);
}

/* Takes those who await settled promises off the ledger; returns how many. */
static int
take_awaiters(const RsnTaskSet *tasks, text ***awaiters)
{
	for (int i = 0; i < tasks->nleft; i++)
		rsn_wake_note_left(tasks->left_ids[i]);
	if (tasks->nawaited == 0)
		return 0;
	return rsn_store_take_awaiters(tasks->awaited_ids, tasks->nawaited,
								   tasks->busy, tasks->nbusy, awaiters);
}

/* Resumes the tasks of the set that await settled promises. */
void
rsn_engine_resume_awaiters(const RsnTaskSet *tasks, int64 now_ms)
{
	text	  **awaiters;
	int			n = take_awaiters(tasks, &awaiters);

	if (n == 0)
		return;
	rsn_engine_resume_tasks(awaiters, n, tasks, now_ms);
}

/*
 * Stores the settlement of locked promises that are changed already, with all
 * that follows.  The tasks are those that it concerns, or NULL to lock them now.
 */
void
rsn_engine_write_settled(RsnPromiseRow *const *rows, int n,
						 const RsnTaskSet *tasks, int64 now_ms)
{
	RsnTaskSet	locked;
	text	  **awaiters;
	int			nawaiters;

	if (tasks == NULL)
	{
		locked = rsn_engine_lock_tasks(rows, n, NULL);
		tasks = &locked;
	}
	nawaiters = take_awaiters(tasks, &awaiters);
	for (int i = 0; i < n; i++)
	{
		Assert(ItemPointerIsValid(&rows[i]->tid));
		Assert(rows[i]->core.state != RSN_PROMISE_PENDING);
		if (rows[i]->core.is_targeted)
			fulfill_task(rows[i], tasks);
		rsn_store_settle_promise(rows[i]);
		rsn_engine_note_write(rows[i]);
	}
	if (nawaiters > 0)
		rsn_engine_resume_tasks(awaiters, nawaiters, tasks, now_ms);
	fire_callbacks(rows, n, tasks->share, now_ms);
}

/*
 * Stores the settlement of a promise that was read without a lock and is changed
 * already, with all that follows, if it has no task and nobody has locked or
 * changed it since.  Otherwise does nothing, and returns false.  What a plain
 * UPDATE does not pay for, a lock ahead of it, this does not either; it is decided
 * at the instant at which the row is written, since nothing waits in between.
 */
bool
rsn_engine_try_settle(RsnPromiseRow *row, int64 now_ms)
{
	RsnTaskSet	tasks;

	Assert(row->core.state != RSN_PROMISE_PENDING);
	if (row->core.is_targeted || !rsn_store_try_settle_promise(row))
		return false;
	rsn_engine_note_write(row);
	tasks = rsn_engine_lock_tasks(&row, 1, NULL);
	rsn_engine_resume_awaiters(&tasks, now_ms);
	fire_callbacks(&row, 1, tasks.share, now_ms);
	return true;
}

/* What follows from the settlement of a promise that is settled already. */
void
rsn_engine_catch_up(RsnPromiseRow *row, const RsnTaskSet *tasks, int64 now_ms)
{
	rsn_engine_resume_awaiters(tasks, now_ms);
	fire_callbacks(&row, 1, tasks->share, now_ms);
}
