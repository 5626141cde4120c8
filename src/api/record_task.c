/*-------------------------------------------------------------------------
 *
 * api/record_task.c
 *	  Rows of the result types of the functions on tasks.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "funcapi.h"
#include "utils/builtins.h"

#include "api/record.h"
#include "api/record_task.h"

/* Columns of resonate.task_result before those of the promise. */
#define TASK_NCOLUMNS 6

/* Columns of resonate.task_result and resonate.task_search_result after those. */
#define CLOCK_NCOLUMNS 4

/* Columns of resonate.fence_result before those of the promise. */
#define FENCE_NCOLUMNS 2

/* Columns of resonate.task_search_result before setbacks. */
#define FOUND_NFIRST 9

/* The columns from state to ttl, which all result types have for a task. */
static void
set_task(Datum *values, bool *nulls, const RsnTask *task, text *pid)
{
	rsn_set_datum(values, nulls, 0,
				  CStringGetTextDatum(rsn_task_state_name(task->state)));
	rsn_set_datum(values, nulls, 1, Int32GetDatum(task->version));
	rsn_set_datum(values, nulls, 2, Int32GetDatum(task->resumes));
	if (task->state == RSN_TASK_ACQUIRED)
	{
		rsn_set_varlena(values, nulls, 3, pid);
		rsn_set_interval(values, nulls, 4, task->ttl_ms);
	}
}

/* The columns from setbacks to lease_until. */
static void
set_clocks(Datum *values, bool *nulls, const RsnTask *task)
{
	rsn_set_datum(values, nulls, 0, Int32GetDatum(task->setbacks));
	if (task->state == RSN_TASK_PENDING)
	{
		rsn_set_datum(values, nulls, 1, Int32GetDatum(task->offers));
		rsn_set_time(values, nulls, 2, task->clock_at_ms);
	}
	else if (task->state == RSN_TASK_ACQUIRED)
		rsn_set_time(values, nulls, 3, task->clock_at_ms);
}

/* A resonate.task_result. */
Datum
rsn_record_task(FunctionCallInfo fcinfo, const RsnTaskOutcome *outcome)
{
	Datum		values[TASK_NCOLUMNS + RSN_PROMISE_NCOLUMNS + CLOCK_NCOLUMNS];
	bool		nulls[lengthof(values)];
	int			nfirst = TASK_NCOLUMNS + RSN_PROMISE_NCOLUMNS;

	rsn_set_null(values, nulls, lengthof(values));
	rsn_set_datum(values, nulls, 0, Int32GetDatum(outcome->status));
	if (outcome->has_task)
	{
		set_task(values + 1, nulls + 1, &outcome->task, outcome->pid);
		set_clocks(values + nfirst, nulls + nfirst, &outcome->task);
	}
	rsn_set_varlena(values, nulls, TASK_NCOLUMNS, outcome->id);
	if (outcome->promise != NULL)
		rsn_set_promise(values + TASK_NCOLUMNS, nulls + TASK_NCOLUMNS,
						outcome->promise);
	return rsn_record_form(fcinfo, values, nulls);
}

/*
 * A resonate.fence_result.  Where the fence does not hold, what the engine may
 * have seen of the inner promise is no part of the answer.
 */
Datum
rsn_record_fence(FunctionCallInfo fcinfo, text *inner_id,
				 const RsnFenceOutcome *outcome)
{
	Datum		values[FENCE_NCOLUMNS + RSN_PROMISE_NCOLUMNS];
	bool		nulls[FENCE_NCOLUMNS + RSN_PROMISE_NCOLUMNS];
	const RsnOutcome *inner = &outcome->inner;

	rsn_set_null(values, nulls, lengthof(values));
	rsn_set_datum(values, nulls, 0, Int32GetDatum(outcome->status));
	rsn_set_varlena(values, nulls, FENCE_NCOLUMNS, inner_id);
	if (outcome->status == RSN_STATUS_OK)
	{
		rsn_set_datum(values, nulls, 1, Int32GetDatum(inner->status));
		if (inner->promise != NULL)
			rsn_set_promise(values + FENCE_NCOLUMNS, nulls + FENCE_NCOLUMNS,
							inner->promise);
	}
	return rsn_record_form(fcinfo, values, nulls);
}

static void
set_found(Datum *values, bool *nulls, int i, const void *arg)
{
	const RsnTaskRow *row = &((const RsnTaskRow *) arg)[i];

	rsn_set_varlena(values, nulls, 1, row->id);
	set_task(values + 2, nulls + 2, &row->core, row->pid);
	rsn_set_time(values, nulls, 7, row->core.timeout_at_ms);
	rsn_set_datum(values, nulls, 8, Int64GetDatum(row->core.timeout_at_ms));
	set_clocks(values + FOUND_NFIRST, nulls + FOUND_NFIRST, &row->core);
	if (row->core.state != RSN_TASK_FULFILLED)
		rsn_set_varlena(values, nulls, FOUND_NFIRST + CLOCK_NCOLUMNS,
						row->address);
}

/* A set of resonate.task_search_result; cursor, if any, goes into the last row. */
void
rsn_put_tasks(FunctionCallInfo fcinfo, const RsnTaskRow *rows, int n,
			  text *cursor)
{
	rsn_put_page(fcinfo, n, cursor, set_found, rows);
}
