/*-------------------------------------------------------------------------
 *
 * api/guard.c
 *	  Triggers on our tables, for those who write to them directly.
 *
 * What the extension writes itself it checks before it writes.  Everybody else,
 * a restore above all, meets the same rules here.  CHECK constraints would say
 * them as well, but PostgreSQL parses each of them anew for every statement,
 * which cost more than all the rest of an INSERT (docs/performance.md).
 *
 * They fire whatever session_replication_role says, so that nobody writes past them
 * without having disabled them.  What follows from the write of somebody else is
 * done in api/foreign.c.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/htup_details.h"
#include "utils/builtins.h"
#include "utils/datum.h"
#include "utils/rel.h"

#include "api/trigger_row.h"
#include "signal/wake.h"
#include "store/store.h"

PG_FUNCTION_INFO_V1(resonate_guard_promise);
PG_FUNCTION_INFO_V1(resonate_guard_task);
PG_FUNCTION_INFO_V1(resonate_note_write);

/* A write past the engine has the worker look at what it means. */
static void
note_foreign_write(void)
{
	if (!rsn_store_is_running())
		rsn_wake_note_foreign_rows();
}

/* The row as it will be. */
static HeapTuple
new_row(const TriggerData *trigger)
{
	return TRIGGER_FIRED_BY_UPDATE(trigger->tg_event) ? trigger->tg_newtuple
		: trigger->tg_trigtuple;
}

/* True when a column that must not be NULL is, which PostgreSQL will say. */
static bool
has_null(TupleDesc desc, const bool *nulls)
{
	for (int i = 0; i < desc->natts; i++)
	{
		if (nulls[i] && TupleDescAttr(desc, i)->attnotnull)
			return true;
	}
	return false;
}

typedef const char *(*RowCheck) (const Datum *values, const bool *nulls);

static void
check_new_row(const TriggerData *trigger, RowCheck check)
{
	TupleDesc	desc = RelationGetDescr(trigger->tg_relation);
	Datum	   *values = palloc(sizeof(Datum) * desc->natts);
	bool	   *nulls = palloc(sizeof(bool) * desc->natts);
	const char *violated;

	heap_deform_tuple(new_row(trigger), desc, values, nulls);
	if (has_null(desc, nulls))
		return;
	rsn_store_begin();
	violated = check(values, nulls);
	rsn_store_end();
	if (violated != NULL)
		ereport(ERROR,
				(errcode(ERRCODE_CHECK_VIOLATION),
				 errmsg("new row for relation \"%s\" violates invariant \"%s\"",
						RelationGetRelationName(trigger->tg_relation),
						violated),
				 errtableconstraint(trigger->tg_relation, violated)));
}

/* True when a column differs; how a value is compressed makes no difference. */
static bool
changes_column(const TriggerData *trigger, int i)
{
	TupleDesc	desc = RelationGetDescr(trigger->tg_relation);
	Form_pg_attribute attribute = TupleDescAttr(desc, i);
	bool		old_null;
	bool		new_null;
	Datum		old_value = heap_getattr(trigger->tg_trigtuple, i + 1, desc,
										 &old_null);
	Datum		new_value = heap_getattr(trigger->tg_newtuple, i + 1, desc,
										 &new_null);

	return old_null != new_null ||
		(!old_null && !datum_image_eq(old_value, new_value,
									  attribute->attbyval,
									  attribute->attlen));
}

typedef bool (*ColumnTest) (int column);

/* True when a column of ours differs that is written at birth and never again. */
static bool
changes_birth(const TriggerData *trigger, ColumnTest is_of_birth)
{
	TupleDesc	desc = RelationGetDescr(trigger->tg_relation);

	for (int i = 0; i < desc->natts; i++)
	{
		if (is_of_birth(i) && changes_column(trigger, i))
			return true;
	}
	return false;
}

/* True for the one update that there is: the settlement of a pending promise. */
static bool
is_settlement(const TriggerData *trigger)
{
	TupleDesc	desc = RelationGetDescr(trigger->tg_relation);

	return rsn_store_is_pending_tuple(trigger->tg_trigtuple, desc) &&
		!rsn_store_is_pending_tuple(trigger->tg_newtuple, desc) &&
		!changes_birth(trigger, rsn_store_is_promise_birth_column);
}

static void
refuse_update(const TriggerData *trigger)
{
	TupleDesc	desc = RelationGetDescr(trigger->tg_relation);
	HeapTuple	old = trigger->tg_trigtuple;

	ereport(ERROR,
			(errcode(ERRCODE_CHECK_VIOLATION),
			 errmsg("a promise is written at most twice: at its birth and at its settlement"),
			 errdetail("Promise \"%s\" is %s.",
					   text_to_cstring(rsn_store_promise_id(old, desc)),
					   rsn_store_is_pending_tuple(old, desc) ? "pending"
					   : "settled")));
}

/* Trigger: before each row of resonate.promises that is inserted or updated. */
Datum
resonate_guard_promise(PG_FUNCTION_ARGS)
{
	static const RsnGuardUse use = {
		"guard_promise", "promises", TRIGGER_EVENT_BEFORE,
		RSN_ON_INSERT | RSN_ON_UPDATE, "BEFORE INSERT OR UPDATE FOR EACH ROW"
	};
	TriggerData *trigger = rsn_guard_get_trigger(fcinfo, &use);

	rsn_store_check_columns(trigger->tg_relation);
	if (TRIGGER_FIRED_BY_UPDATE(trigger->tg_event) && !is_settlement(trigger))
		refuse_update(trigger);
	check_new_row(trigger, rsn_store_check_promise_values);
	if (TRIGGER_FIRED_BY_INSERT(trigger->tg_event))
		note_foreign_write();
	return PointerGetDatum(new_row(trigger));
}

/* Trigger: before each row of resonate.tasks that is inserted or updated. */
Datum
resonate_guard_task(PG_FUNCTION_ARGS)
{
	static const RsnGuardUse use = {
		"guard_task", "tasks", TRIGGER_EVENT_BEFORE,
		RSN_ON_INSERT | RSN_ON_UPDATE, "BEFORE INSERT OR UPDATE FOR EACH ROW"
	};
	TriggerData *trigger = rsn_guard_get_trigger(fcinfo, &use);

	rsn_store_check_columns(trigger->tg_relation);
	if (TRIGGER_FIRED_BY_UPDATE(trigger->tg_event) &&
		changes_birth(trigger, rsn_store_is_task_birth_column))
		ereport(ERROR,
				(errcode(ERRCODE_CHECK_VIOLATION),
				 errmsg("the id and the deadline of a task are those of its promise, and never change")));
	check_new_row(trigger, rsn_store_check_task_values);
	note_foreign_write();
	return PointerGetDatum(new_row(trigger));
}

/*
 * Trigger: our own writes note what they need by themselves, and this adds nothing to
 * what they noted; anybody else's become known to the worker.
 */
Datum
resonate_note_write(PG_FUNCTION_ARGS)
{
	static const RsnGuardUse use = {
		"note_write", NULL, TRIGGER_EVENT_BEFORE,
		RSN_ON_INSERT | RSN_ON_UPDATE, "BEFORE INSERT OR UPDATE FOR EACH STATEMENT"
	};

	(void) rsn_guard_get_trigger(fcinfo, &use);
	note_foreign_write();
	return PointerGetDatum(NULL);
}
