/*-------------------------------------------------------------------------
 *
 * api/trigger_row.c
 *	  What the triggers on our tables share.
 *
 * Their functions read rows as the columns of our tables, and so must not be the
 * triggers of any other table: a superuser can make them that.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "catalog/namespace.h"
#include "utils/rel.h"

#include "api/trigger_row.h"

static bool
is_ours(Relation rel, const char *table)
{
	return rel->rd_rel->relkind == RELKIND_RELATION &&
		RelationGetNamespace(rel) == get_namespace_oid("resonate", true) &&
		(table == NULL || strcmp(RelationGetRelationName(rel), table) == 0);
}

/* True when a trigger of that kind was meant; TRUNCATE fires for statements only. */
static bool
is_fired_as_meant(const TriggerData *trigger, const RsnGuardUse *use)
{
	TriggerEvent event = trigger->tg_event;
	bool		is_for_row = use->table != NULL &&
		!TRIGGER_FIRED_BY_TRUNCATE(event);

	return (event & TRIGGER_EVENT_TIMINGMASK) == use->timing &&
		(use->operations & (1 << (event & TRIGGER_EVENT_OPMASK))) != 0 &&
		(TRIGGER_FIRED_FOR_ROW(event) != 0) == is_for_row;
}

/* What the function was called with; an error unless it is called as it is meant to be. */
TriggerData *
rsn_guard_get_trigger(FunctionCallInfo fcinfo, const RsnGuardUse *use)
{
	TriggerData *trigger;

	if (!CALLED_AS_TRIGGER(fcinfo))
		ereport(ERROR,
				(errcode(ERRCODE_E_R_I_E_TRIGGER_PROTOCOL_VIOLATED),
				 errmsg("function \"%s\" was not called by trigger manager",
						use->function)));
	trigger = (TriggerData *) fcinfo->context;
	if (!is_ours(trigger->tg_relation, use->table))
		ereport(ERROR,
				(errcode(ERRCODE_E_R_I_E_TRIGGER_PROTOCOL_VIOLATED),
				 errmsg("function \"%s\" cannot be the trigger of relation \"%s\"",
						use->function,
						RelationGetRelationName(trigger->tg_relation)),
				 use->table == NULL ?
				 errdetail("It is for tables of the extension \"resonate\".") :
				 errdetail("It is for the table \"resonate.%s\".", use->table)));
	if (!is_fired_as_meant(trigger, use))
		ereport(ERROR,
				(errcode(ERRCODE_E_R_I_E_TRIGGER_PROTOCOL_VIOLATED),
				 errmsg("function \"%s\" must be fired %s", use->function,
						use->events)));
	return trigger;
}
