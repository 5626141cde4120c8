/*-------------------------------------------------------------------------
 *
 * api/foreign.c
 *	  Triggers on our tables that do what follows from the writes of others.
 *
 * What the engine writes has its consequences already.  So has what arrives by logical
 * replication: the publisher sends these as well, perhaps later in the same
 * transaction.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "replication/logicalworker.h"
#include "utils/rel.h"

#include "api/trigger_row.h"
#include "engine/engine.h"
#include "signal/wake.h"

PG_FUNCTION_INFO_V1(resonate_follow_promise);
PG_FUNCTION_INFO_V1(resonate_follow_task);
PG_FUNCTION_INFO_V1(resonate_follow_awaiter);

/* True when the write that has fired the trigger is to have consequences here. */
static bool
has_consequences(void)
{
	return !rsn_store_is_running() && !IsLogicalWorker();
}

/* The same, for a table that is going to be read as ours. */
static bool
must_follow(const TriggerData *trigger)
{
	if (!has_consequences())
		return false;
	rsn_store_check_columns(trigger->tg_relation);
	return true;
}

/* A row is settled or deleted. */
static void
follow_promise_row(const TriggerData *trigger)
{
	TupleDesc	desc = RelationGetDescr(trigger->tg_relation);
	text	   *id;

	rsn_store_check_columns(trigger->tg_relation);
	id = rsn_store_promise_id(trigger->tg_trigtuple, desc);
	rsn_wake_note_promise(VARDATA_ANY(id), VARSIZE_ANY_EXHDR(id));
	if (!has_consequences())
		return;
	if (TRIGGER_FIRED_BY_UPDATE(trigger->tg_event))
		rsn_engine_follow_settlement(id);
	else
		rsn_engine_follow_deletion(id);
}

/* Trigger: after a promise is settled or deleted, or all of them are. */
Datum
resonate_follow_promise(PG_FUNCTION_ARGS)
{
	static const RsnGuardUse use = {
		"follow_promise", "promises", TRIGGER_EVENT_AFTER,
		RSN_ON_UPDATE | RSN_ON_DELETE | RSN_ON_TRUNCATE,
		"AFTER UPDATE OR DELETE FOR EACH ROW, or AFTER TRUNCATE"
	};
	TriggerData *trigger = rsn_guard_get_trigger(fcinfo, &use);

	if (!TRIGGER_FIRED_BY_TRUNCATE(trigger->tg_event))
	{
		if (!rsn_store_is_running())
			follow_promise_row(trigger);
		return PointerGetDatum(NULL);
	}
	rsn_wake_note_all_promises();
	if (has_consequences())
		rsn_engine_follow_truncation();
	return PointerGetDatum(NULL);
}

/* Trigger: after a task is deleted, or all are. */
Datum
resonate_follow_task(PG_FUNCTION_ARGS)
{
	static const RsnGuardUse use = {
		"follow_task", "tasks", TRIGGER_EVENT_AFTER,
		RSN_ON_DELETE | RSN_ON_TRUNCATE,
		"AFTER DELETE FOR EACH ROW, or AFTER TRUNCATE"
	};
	TriggerData *trigger = rsn_guard_get_trigger(fcinfo, &use);
	TupleDesc	desc = RelationGetDescr(trigger->tg_relation);

	if (!must_follow(trigger))
		return PointerGetDatum(NULL);
	if (TRIGGER_FIRED_BY_TRUNCATE(trigger->tg_event))
		rsn_engine_check_tasks_truncated();
	else
		rsn_engine_check_task_deleted(rsn_store_task_id(trigger->tg_trigtuple,
														desc));
	return PointerGetDatum(NULL);
}

/* Trigger: after a row of resonate.awaiters is changed or deleted, or all are. */
Datum
resonate_follow_awaiter(PG_FUNCTION_ARGS)
{
	static const RsnGuardUse use = {
		"follow_awaiter", "awaiters", TRIGGER_EVENT_AFTER,
		RSN_ON_UPDATE | RSN_ON_DELETE | RSN_ON_TRUNCATE,
		"AFTER UPDATE OR DELETE FOR EACH ROW, or AFTER TRUNCATE"
	};
	TriggerData *trigger = rsn_guard_get_trigger(fcinfo, &use);
	TupleDesc	desc = RelationGetDescr(trigger->tg_relation);

	if (!must_follow(trigger))
		return PointerGetDatum(NULL);
	if (TRIGGER_FIRED_BY_TRUNCATE(trigger->tg_event))
		rsn_engine_follow_awaiters_truncated();
	else
		rsn_engine_follow_awaiter(rsn_store_awaiter_id(trigger->tg_trigtuple,
													   desc));
	return PointerGetDatum(NULL);
}
