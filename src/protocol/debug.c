/*-------------------------------------------------------------------------
 *
 * protocol/debug.c
 *	  Requests of the wire protocol for tests.
 *
 * A request that gets here has passed the check that resonate.debug is on.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "miscadmin.h"

#include "protocol/rpc.h"
#include "server/clock.h"
#include "signal/slot.h"
#include "store/debug.h"
#include "worker/call.h"

static RsnAnswer
pause_worker(bool is_paused)
{
	RsnSlot    *slot = rsn_slot_for(MyDatabaseId);

	if (slot != NULL)
	{
		pg_atomic_write_u32(&slot->is_paused, is_paused ? 1 : 0);
		pg_memory_barrier();
		rsn_shared_wake_proc(pg_atomic_read_u32(&slot->proc_number));
	}
	return rsn_answer_empty();
}

static RsnAnswer
debug_start(const RsnRequest *request)
{
	return pause_worker(true);
}

static RsnAnswer
debug_stop(const RsnRequest *request)
{
	return pause_worker(false);
}

static RsnAnswer
debug_reset(const RsnRequest *request)
{
	rsn_store_debug_reset();
	return rsn_answer_empty();
}

static RsnAnswer
debug_tick(const RsnRequest *request)
{
	RsnDecoder	decoder = {0};
	int64		time_ms = rsn_decode_int(&decoder, request->data, "time", 0,
										 PG_INT64_MAX);
	RsnJson		json;

	if (decoder.error == NULL && request->has_time &&
		request->time_ms != time_ms)
		rsn_decode_fail(&decoder,
						"time must be that of head.resonate:debug_time");
	if (rsn_is_malformed(&decoder))
		return rsn_answer_malformed(&decoder);
	rsn_call_tick(time_ms);
	rsn_json_begin_array(&json);
	return rsn_answer_data(rsn_json_end_array(&json));
}

/* An address and what waits for it. */
static JsonbValue *
json_message(const text *address, JsonbValue *message)
{
	RsnJson		json;

	rsn_json_begin_object(&json);
	rsn_json_add_text(&json, "address", address);
	rsn_json_add(&json, "message", message);
	return rsn_json_end_object(&json);
}

/* The messages of the dump: due tasks are their own execute messages. */
static JsonbValue *
json_messages(const RsnDump *dump, int64 now_ms)
{
	RsnJson		json;

	rsn_json_begin_array(&json);
	for (int i = 0; i < dump->ntasks; i++)
	{
		const RsnTaskRow *task = &dump->tasks[i];

		if (task->core.state == RSN_TASK_PENDING &&
			task->core.clock_at_ms <= now_ms &&
			rsn_task_is_alive(&task->core, now_ms))
			rsn_json_append(&json,
							json_message(task->address,
										 rsn_json_execute(task->id,
														  task->core.version)));
	}
	for (int i = 0; i < dump->nmessages; i++)
	{
		const RsnMessageRow *message = &dump->messages[i];

		if (message->has_promise)
			rsn_json_append(&json,
							json_message(message->address,
										 rsn_json_unblock(&message->promise)));
	}
	return rsn_json_end_array(&json);
}

static RsnAnswer
debug_snap(const RsnRequest *request)
{
	RsnDump		dump = rsn_store_debug_dump();
	RsnJson		json;
	RsnJson		tasks;

	rsn_json_begin_array(&tasks);
	for (int i = 0; i < dump.ntasks; i++)
		rsn_json_append(&tasks, rsn_json_task(dump.tasks[i].id,
											  &dump.tasks[i].core,
											  dump.tasks[i].pid));
	rsn_json_begin_object(&json);
	rsn_json_add(&json, "promises", rsn_json_promises(dump.promises,
													  dump.npromises));
	rsn_json_add(&json, "tasks", rsn_json_end_array(&tasks));
	rsn_json_add(&json, "messages", json_messages(&dump, rsn_clock_now()));
	rsn_json_add_members(&json, dump.rest);
	return rsn_answer_data(rsn_json_end_object(&json));
}

const RsnHandlerDef rsn_debug_handlers[] = {
	{"debug.start", NULL, debug_start},
	{"debug.stop", NULL, debug_stop},
	{"debug.reset", NULL, debug_reset},
	{"debug.tick", NULL, debug_tick},
	{"debug.snap", NULL, debug_snap},
	{NULL, NULL, NULL}
};
