/*-------------------------------------------------------------------------
 *
 * store/others.c
 *	  What others have put on our tables.
 *
 * The owner of a table, and those who are granted TRIGGER on it, can put triggers,
 * rules, columns, constraints and policies there.  Each of them works as it does
 * for a plain statement, because where there are any, the row is written by one
 * (store/statement.c), or is refused here.  Without them, which is the usual case,
 * store/table_write.c needs no executor.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/tableam.h"
#include "catalog/pg_inherits.h"
#include "catalog/pg_trigger.h"
#include "commands/trigger.h"
#include "executor/executor.h"
#include "utils/rel.h"

#include "store/table_open.h"

/* Our own triggers, which guard the tables against others; see schema.sql. */
#define GUARD_TRIGGER "resonate_guard"

static bool
is_guard(const Trigger *trigger)
{
	return strncmp(trigger->tgname, GUARD_TRIGGER,
				   strlen(GUARD_TRIGGER)) == 0;
}

/* True for a check that no key of a row has changed, which none of ours ever does. */
static bool
checks_key_only(const Trigger *trigger, Oid key_index)
{
	return RI_FKey_trigger_type(trigger->tgfoid) == RI_TRIGGER_PK &&
		trigger->tgconstrindid == key_index;
}

/* The commands, as bits, that triggers of others fire for. */
static int
commands_with_triggers(Relation rel, Oid key_index)
{
	int			commands = 0;

	for (int i = 0; rel->trigdesc != NULL && i < rel->trigdesc->numtriggers; i++)
	{
		const Trigger *trigger = &rel->trigdesc->triggers[i];

		if (is_guard(trigger))
			continue;
		if (TRIGGER_FOR_INSERT(trigger->tgtype))
			commands |= RSN_COMMAND_BIT(CMD_INSERT);
		if (TRIGGER_FOR_UPDATE(trigger->tgtype) &&
			!checks_key_only(trigger, key_index))
			commands |= RSN_COMMAND_BIT(CMD_UPDATE);
		if (TRIGGER_FOR_DELETE(trigger->tgtype))
			commands |= RSN_COMMAND_BIT(CMD_DELETE);
	}
	return commands;
}

static bool
has_columns_of_others(TupleDesc desc, int ncolumns)
{
	for (int i = ncolumns; i < desc->natts; i++)
	{
		if (!TupleDescAttr(desc, i)->attisdropped)
			return true;
	}
	return false;
}

/*
 * True when the executor has to make every write: others have columns or rules, the
 * table is not a heap or is a partition, or somebody audits what is written.
 */
static bool
needs_executor(Relation rel, int ncolumns)
{
	return has_columns_of_others(RelationGetDescr(rel), ncolumns) ||
		rel->rd_rel->relhasrules || rel->rd_rel->relispartition ||
		rel->rd_tableam != GetHeapamTableAmRoutine() ||
		ExecutorCheckPerms_hook != NULL;
}

/* The commands, as bits, that have to write to the table by statements. */
int
rsn_others_commands(Relation rel, int ncolumns, Oid key_index)
{
	int			commands = commands_with_triggers(rel, key_index);

	if (needs_executor(rel, ncolumns))
		commands = RSN_COMMAND_BIT(CMD_INSERT) | RSN_COMMAND_BIT(CMD_UPDATE) |
			RSN_COMMAND_BIT(CMD_DELETE);
	return commands;
}

static void
refuse(Relation rel, int sqlstate, const char *detail)
{
	ereport(ERROR,
			(errcode(sqlstate),
			 errmsg("table \"%s.%s\" is not as resonate needs it", "resonate",
					RelationGetRelationName(rel)),
			 errdetail("%s", detail)));
}

/* Refuses what would have a part of the rows overlooked. */
void
rsn_others_check_kind(Relation rel)
{
	Oid			relid = RelationGetRelid(rel);

	if (rel->rd_rel->relforcerowsecurity)
		refuse(rel, ERRCODE_FEATURE_NOT_SUPPORTED,
			   "Row-level security is forced on its owner.");
	if (rel->rd_rel->relhassubclass && has_subclass(relid) &&
		find_inheritance_children(relid, NoLock) != NIL)
		refuse(rel, ERRCODE_FEATURE_NOT_SUPPORTED,
			   "Other tables inherit from it.");
}

static bool
is_as_expected(Form_pg_attribute attribute, const RsnColumn *column)
{
	if (attribute->attisdropped ||
		strcmp(NameStr(attribute->attname), column->name) != 0)
		return false;
	if (OidIsValid(column->type))
		return attribute->atttypid == column->type;
	return attribute->attbyval && attribute->attlen == sizeof(Oid);
}

/* Refuses a table that does not begin with these columns. */
void
rsn_others_check_columns(Relation rel, const RsnColumn *columns, int ncolumns)
{
	TupleDesc	desc = RelationGetDescr(rel);

	for (int i = 0; i < ncolumns; i++)
	{
		if (i >= desc->natts ||
			!is_as_expected(TupleDescAttr(desc, i), &columns[i]))
			refuse(rel, ERRCODE_INVALID_TABLE_DEFINITION,
				   psprintf("Column %d is not \"%s\" of the type that it was made with.",
							i + 1, columns[i].name));
	}
}
