/*-------------------------------------------------------------------------
 *
 * store/statement.c
 *	  Writing one row with a statement, where others want the executor for it.
 *
 * So triggers of each kind, rules, and columns with a default or an expression work as
 * ever; see store/others.c for when.  But what the engine reports has to be what is
 * stored: a write that a trigger leaves out or changes is an error.  Columns that are
 * not ours are its own business.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "executor/executor.h"
#include "lib/stringinfo.h"
#include "utils/builtins.h"
#include "utils/datum.h"
#include "utils/rel.h"

#include "store/internal.h"
#include "store/table_open.h"

/* How often a row is inserted whose key somebody has, who has deleted it then. */
#define INSERT_ATTEMPTS_MAX 3

/* The place of the row, and each of its columns. */
#define MAX_ARGS (RSN_TABLE_MAX_COLUMNS + 1)

/* A statement in the making. */
typedef struct Statement
{
	RsnOpenTable *open;
	int			ncolumns;
	StringInfoData sql;
	Oid			types[MAX_ARGS];
	Datum		values[MAX_ARGS];
	char		nulls[MAX_ARGS + 1];
	int			nargs;
} Statement;

static const char *
column_name(const Statement *statement, int column)
{
	TupleDesc	desc = RelationGetDescr(statement->open->rel);

	return quote_identifier(NameStr(TupleDescAttr(desc, column)->attname));
}

static void
begin(Statement *statement, RsnTable table, const char *command)
{
	memset(statement, 0, sizeof(Statement));
	statement->open = rsn_table_open_with_key(table);
	statement->ncolumns = rsn_table_ncolumns(table);
	initStringInfo(&statement->sql);
	appendStringInfoString(&statement->sql, command);
	appendStringInfo(&statement->sql, " resonate.%s",
					 quote_identifier(RelationGetRelationName(statement->open->rel)));
}

/* Adds an argument and returns its number. */
static int
add_arg(Statement *statement, Oid type, Datum value, bool is_null)
{
	int			i = statement->nargs++;

	Assert(i < MAX_ARGS);
	statement->types[i] = type;
	statement->values[i] = value;
	statement->nulls[i] = is_null ? 'n' : ' ';
	return statement->nargs;
}

static int
add_column_arg(Statement *statement, const RsnNewTuple *tuple, int column)
{
	TupleDesc	desc = RelationGetDescr(statement->open->rel);

	return add_arg(statement, TupleDescAttr(desc, column)->atttypid,
				   tuple->values[column],
				   !tuple->is_set[column] || tuple->nulls[column]);
}

static void
add_place(Statement *statement, const ItemPointerData *tid)
{
	appendStringInfo(&statement->sql,
					 " WHERE ctid OPERATOR(pg_catalog.=) $%d",
					 add_arg(statement, TIDOID, PointerGetDatum(tid), false));
}

static void
add_returning(Statement *statement)
{
	appendStringInfoString(&statement->sql, " RETURNING ctid");
	for (int i = 0; i < statement->ncolumns; i++)
		appendStringInfo(&statement->sql, ", %s", column_name(statement, i));
}

/* Runs it; true when it has written the row. */
static bool
run(Statement *statement)
{
	return rsn_store_exec_text(statement->sql.data, statement->nargs,
							   statement->types, statement->values,
							   statement->nulls) == 1;
}

/* Frees what one row has taken, since there can be very many. */
static void
end(Statement *statement)
{
	SPI_freetuptable(SPI_tuptable);
	pfree(statement->sql.data);
}

/* Says that a write has come to nothing, for which only others can be the reason. */
void
rsn_store_refuse_left_out(const char *table)
{
	ereport(ERROR,
			(errcode(ERRCODE_TRIGGERED_DATA_CHANGE_VIOLATION),
			 errmsg("a trigger or rule on table \"%s.%s\" has left out a write of resonate",
					"resonate", table),
			 errhint("A trigger that wants to refuse the operation must raise an error.")));
}

static void
refuse_left_out(const Statement *statement)
{
	rsn_store_refuse_left_out(RelationGetRelationName(statement->open->rel));
}

/*
 * Makes sure that what is stored is the row: the columns that are set, and of the
 * others what was there before, or NULL.
 */
static void
check_stored(const Statement *statement, const RsnNewTuple *tuple,
			 const TupleTableSlot *old)
{
	TupleDesc	desc = RelationGetDescr(statement->open->rel);

	Assert(SPI_tuptable->tupdesc->natts == statement->ncolumns + 1);
	for (int i = 0; i < statement->ncolumns; i++)
	{
		Form_pg_attribute attribute = TupleDescAttr(desc, i);
		bool		is_set = tuple->is_set[i];
		bool		want_null = is_set ? tuple->nulls[i]
			: old == NULL || old->tts_isnull[i];
		Datum		want = is_set || old == NULL ? tuple->values[i]
			: old->tts_values[i];
		bool		is_null;
		Datum		stored = SPI_getbinval(SPI_tuptable->vals[0],
										   SPI_tuptable->tupdesc, i + 2,
										   &is_null);

		if (is_null != want_null ||
			(!is_null && !datum_image_eq(stored, want, attribute->attbyval,
										 attribute->attlen)))
			ereport(ERROR,
					(errcode(ERRCODE_TRIGGERED_DATA_CHANGE_VIOLATION),
					 errmsg("a trigger or rule on table \"%s.%s\" has changed what resonate writes",
							"resonate", RelationGetRelationName(statement->open->rel)),
					 errdetail("Column \"%s\" has another value.",
							   NameStr(attribute->attname))));
	}
}

/* The column, counted from zero, by whose index rows are found. */
static int
key_column(const Statement *statement)
{
	Assert(statement->open->key_index->rd_index->indisprimary);
	return statement->open->key_index->rd_index->indkey.values[0] - 1;
}

static void
build_insert(Statement *statement, const RsnNewTuple *tuple, bool may_exist)
{
	Assert(!may_exist ||
		   statement->open->key_index->rd_index->indnkeyatts == 1);
	for (int i = 0; i < statement->ncolumns; i++)
		appendStringInfo(&statement->sql, "%s%s", i == 0 ? " (" : ", ",
						 column_name(statement, i));
	for (int i = 0; i < statement->ncolumns; i++)
		appendStringInfo(&statement->sql, "%s$%d", i == 0 ? ") VALUES (" : ", ",
						 add_column_arg(statement, tuple, i));
	appendStringInfoChar(&statement->sql, ')');
	if (may_exist)
		appendStringInfo(&statement->sql, " ON CONFLICT (%s) DO NOTHING",
						 column_name(statement, key_column(statement)));
	add_returning(statement);
}

/* The same as rsn_table_insert; may_exist is for a key of one column. */
bool
rsn_statement_insert(RsnTable table, const RsnNewTuple *tuple, bool may_exist)
{
	Statement	statement;
	RsnTuple	existing;

	begin(&statement, table, "INSERT INTO");
	build_insert(&statement, tuple, may_exist);
	for (int i = 0; i < INSERT_ATTEMPTS_MAX; i++)
	{
		if (run(&statement))
		{
			check_stored(&statement, tuple, NULL);
			end(&statement);
			return true;
		}
		if (may_exist &&
			rsn_table_find(table,
						   DatumGetTextPP(tuple->values[key_column(&statement)]),
						   &existing))
			return false;
	}
	refuse_left_out(&statement);
	return false;
}

/* The same as rsn_table_update, for a row that is in the slot of what was found. */
void
rsn_statement_update(RsnTable table, ItemPointer tid, const RsnNewTuple *tuple)
{
	Statement	statement;
	const char *separator = " SET ";
	bool		is_null;

	begin(&statement, table, "UPDATE");
	Assert(!TTS_EMPTY(statement.open->found));
	for (int i = 0; i < statement.ncolumns; i++)
	{
		if (!tuple->is_set[i])
			continue;
		appendStringInfo(&statement.sql, "%s%s = $%d", separator,
						 column_name(&statement, i),
						 add_column_arg(&statement, tuple, i));
		separator = ", ";
	}
	add_place(&statement, tid);
	add_returning(&statement);
	if (!run(&statement))
		refuse_left_out(&statement);
	check_stored(&statement, tuple, statement.open->found);
	*tid = *(ItemPointer)
		DatumGetPointer(SPI_getbinval(SPI_tuptable->vals[0],
									  SPI_tuptable->tupdesc, 1, &is_null));
	end(&statement);
}

/* The same as rsn_table_delete. */
void
rsn_statement_delete(RsnTable table, const ItemPointerData *tid)
{
	Statement	statement;

	Assert(ItemPointerIsValid(tid));
	begin(&statement, table, "DELETE FROM");
	add_place(&statement, tid);
	add_returning(&statement);
	if (!run(&statement))
		refuse_left_out(&statement);
	end(&statement);
}
