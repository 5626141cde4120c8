/*-------------------------------------------------------------------------
 *
 * store.c
 *	  Kept plans, and rows to structs.
 *
 * Plans are prepared at first use and kept for the life of the backend; the
 * plan cache re-plans them when a table changes.
 *
 * Statements run read-write in the sense of SPI: each takes a new snapshot, so
 * that what a session reads after it has waited for a lock is the newest.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/htup_details.h"
#include "access/xact.h"
#include "catalog/pg_type.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/guc.h"
#include "utils/snapmgr.h"

#include "store_plan.h"

static SPIPlanPtr plans[RSN_NQUERIES];

/* False when the next execution may have to make the plan. */
static bool is_planned[RSN_NQUERIES];

/*
 * What holds while a plan that will be kept is made.  Each of our statements
 * has an index to go by.  A plan made while a table is nearly empty would do
 * without, and be kept while the table grows: a batch of n then costs n times
 * the size of the table.
 */
static const char *const disabled_while_planning[] = {
	"enable_seqscan", "enable_hashjoin", "enable_mergejoin",
	"enable_material", "jit"
};

/* Where results go: the caller's context at rsn_store_begin. */
static MemoryContext result_context = NULL;

/* True while one of our own statements runs. */
static bool is_running = false;

/* Opens the store; what is allocated later outlives rsn_store_end. */
void
rsn_store_begin(void)
{
	MemoryContext caller = CurrentMemoryContext;
	int			result = SPI_connect();

	if (result != SPI_OK_CONNECT)
		elog(ERROR, "SPI_connect failed: %s", SPI_result_code_string(result));
	result_context = caller;
}

/* Closes the store; the caller's context is current again. */
void
rsn_store_end(void)
{
	int			result = SPI_finish();

	if (result != SPI_OK_FINISH)
		elog(ERROR, "SPI_finish failed: %s", SPI_result_code_string(result));
}

/* True when an insert comes from one of our own statements. */
bool
rsn_store_is_running(void)
{
	return is_running;
}

/* Memory in the context of the caller of rsn_store_begin. */
void *
rsn_store_alloc(Size size)
{
	return MemoryContextAllocExtended(result_context, size,
									  MCXT_ALLOC_HUGE | MCXT_ALLOC_ZERO);
}

static SPIPlanPtr
get_plan(RsnQuery query)
{
	const RsnQueryDef *def = &rsn_queries[query];
	SPIPlanPtr	plan = plans[query];

	if (plan != NULL)
		return plan;

	plan = SPI_prepare_cursor(def->sql, def->nargs, (Oid *) def->argtypes,
							  def->cursor_options);
	if (plan == NULL)
		elog(ERROR, "could not prepare statement %d: %s", (int) query,
			 SPI_result_code_string(SPI_result));
	if (SPI_keepplan(plan) != 0)
		elog(ERROR, "could not keep the plan of statement %d", (int) query);
	plans[query] = plan;
	return plan;
}

/*
 * Runs a plan on the newest snapshot.  Under REPEATABLE READ the snapshot is
 * the transaction's own, which is good enough for a statement that meets the
 * same rows as those who conflict with it: PostgreSQL raises 40001.  One that
 * has to find all rows of a locked promise sees what others have inserted
 * meanwhile, and raises 40001 for it, as foreign keys do (ri_triggers.c).
 */
static int
execute_plan(SPIPlanPtr plan, const RsnArgs *args, bool must_see_all)
{
	if (!must_see_all || !IsolationUsesXactSnapshot())
		return SPI_execute_plan(plan, (Datum *) args->values, args->nulls,
								false, 0);

	CommandCounterIncrement();
	return SPI_execute_snapshot(plan, (Datum *) args->values, args->nulls,
								GetLatestSnapshot(), GetTransactionSnapshot(),
								false, true, 0);
}

static void
disable_while_planning(void)
{
	for (int i = 0; i < (int) lengthof(disabled_while_planning); i++)
		(void) set_config_option(disabled_while_planning[i], "off",
								 PGC_USERSET, PGC_S_SESSION, GUC_ACTION_SAVE,
								 true, 0, false);
}

/* Executes a plan, which is made now if it has to be. */
static int
plan_and_execute(RsnQuery query, const RsnArgs *args)
{
	const RsnQueryDef *def = &rsn_queries[query];
	SPIPlanPtr	plan = get_plan(query);
	int			nest_level;
	int			result;

	if (def->cursor_options != CURSOR_OPT_GENERIC_PLAN ||
		(is_planned[query] && SPI_plan_is_valid(plan)))
		return execute_plan(plan, args, def->must_see_all);

	nest_level = NewGUCNestLevel();
	disable_while_planning();
	result = execute_plan(plan, args, def->must_see_all);
	AtEOXact_GUC(true, nest_level);
	is_planned[query] = true;
	return result;
}

static int
run_query(RsnQuery query, const RsnArgs *args)
{
	volatile int result = 0;

	is_running = true;
	PG_TRY();
	{
		result = plan_and_execute(query, args);
	}
	PG_FINALLY();
	{
		is_running = false;
	}
	PG_END_TRY();
	return result;
}

/* Runs a statement and answers how many rows it processed. */
uint64
rsn_store_exec(RsnQuery query, const RsnArgs *args)
{
	static const RsnArgs none = {0};
	const RsnQueryDef *def = &rsn_queries[query];
	int			result;

	if (args == NULL)
		args = &none;
	if (args->n != def->nargs)
		elog(ERROR, "statement %d takes %d arguments, not %d", (int) query,
			 def->nargs, args->n);

	result = run_query(query, args);
	if (result != def->spi_result)
		elog(ERROR, "statement %d failed: %s", (int) query,
			 SPI_result_code_string(result));
	return SPI_processed;
}

/* Adds an argument that is not NULL. */
void
rsn_args_add(RsnArgs *args, Datum value)
{
	Assert(args->n < RSN_STORE_MAX_ARGS);
	args->values[args->n] = value;
	args->nulls[args->n] = ' ';
	args->n++;
}

/* Adds a pointer to a varlena, NULL being the SQL NULL. */
void
rsn_args_add_varlena(RsnArgs *args, void *value)
{
	Assert(args->n < RSN_STORE_MAX_ARGS);
	args->values[args->n] = PointerGetDatum(value);
	args->nulls[args->n] = value == NULL ? 'n' : ' ';
	args->n++;
}

/* Adds a text, NULL being the SQL NULL. */
void
rsn_args_add_text(RsnArgs *args, text *value)
{
	rsn_args_add_varlena(args, value);
}

/* Adds headers, data and text. */
void
rsn_args_add_payload(RsnArgs *args, const RsnPayload *payload)
{
	rsn_args_add_varlena(args, payload->headers);
	rsn_args_add_varlena(args, payload->data);
	rsn_args_add_varlena(args, payload->text);
}

/* Adds an array of texts, none of them NULL. */
void
rsn_args_add_texts(RsnArgs *args, text *const *values, int n)
{
	ArrayType  *array = construct_array((Datum *) values, n, TEXTOID, -1, false,
										TYPALIGN_INT);

	rsn_args_add(args, PointerGetDatum(array));
}

/* A column of the last result that is a varlena, detoasted, or NULL. */
void *
rsn_store_copy_varlena(HeapTuple tuple, int column, MemoryContext context)
{
	MemoryContext old;
	bool		is_null;
	void	   *copy;
	Datum		value = SPI_getbinval(tuple, SPI_tuptable->tupdesc, column,
									  &is_null);

	if (is_null)
		return NULL;
	old = MemoryContextSwitchTo(context);
	copy = PG_DETOAST_DATUM_COPY(value);
	MemoryContextSwitchTo(old);
	return copy;
}

static void *
get_varlena(HeapTuple tuple, int column)
{
	return rsn_store_copy_varlena(tuple, column, result_context);
}

/* A text column, in the result context, or NULL. */
text *
rsn_store_get_text(HeapTuple tuple, int column)
{
	return (text *) get_varlena(tuple, column);
}

/* A bigint column. */
int64
rsn_store_get_int64(HeapTuple tuple, int column, int64 if_null)
{
	bool		is_null;
	Datum		value = SPI_getbinval(tuple, SPI_tuptable->tupdesc, column,
									  &is_null);

	return is_null ? if_null : DatumGetInt64(value);
}

/* An integer column. */
int32
rsn_store_get_int32(HeapTuple tuple, int column, int32 if_null)
{
	bool		is_null;
	Datum		value = SPI_getbinval(tuple, SPI_tuptable->tupdesc, column,
									  &is_null);

	return is_null ? if_null : DatumGetInt32(value);
}

/* A jsonb column, in the result context, or NULL. */
Jsonb *
rsn_store_get_jsonb(HeapTuple tuple, int column)
{
	return (Jsonb *) get_varlena(tuple, column);
}

/* Three columns in a row: headers, data and text. */
void
rsn_store_get_payload(HeapTuple tuple, int column, RsnPayload *payload)
{
	payload->headers = get_varlena(tuple, column);
	payload->data = get_varlena(tuple, column + 1);
	payload->text = get_varlena(tuple, column + 2);
}

/* The texts in the first column of the last result, in the result context. */
int
rsn_store_texts_from_result(uint64 n, text ***values)
{
	*values = rsn_store_alloc(Max(n, 1) * sizeof(text *));
	for (uint64 i = 0; i < n; i++)
		(*values)[i] = rsn_store_get_text(SPI_tuptable->vals[i], 1);
	return (int) n;
}

static bool
get_bool(HeapTuple tuple, int column)
{
	bool		is_null;

	return DatumGetBool(SPI_getbinval(tuple, SPI_tuptable->tupdesc, column,
									  &is_null)) && !is_null;
}

static RsnPromiseState
get_state(HeapTuple tuple, int column)
{
	RsnPromiseState state;
	char	   *name = SPI_getvalue(tuple, SPI_tuptable->tupdesc, column);

	if (name == NULL || !rsn_promise_state_from_name(name, &state))
		ereport(ERROR,
				(errcode(ERRCODE_DATA_CORRUPTED),
				 errmsg("unrecognized promise state: \"%s\"",
						name == NULL ? "" : name)));
	return state;
}

/* The key that a text holds; NULL is none. */
RsnKey
rsn_key_from_text(const text *key)
{
	RsnKey		result = {NULL, 0};

	if (key != NULL)
	{
		result.data = VARDATA_ANY(key);
		result.len = VARSIZE_ANY_EXHDR(key);
	}
	return result;
}

/*
 * Reads a promise whose columns start after offset, and checks it: a stored
 * row that breaks an invariant must not be decided upon.
 */
void
rsn_store_row_from_tuple(HeapTuple tuple, int offset, RsnPromiseRow *row)
{
	RsnPromise *core = &row->core;
	const char *violated;

	row->id = rsn_store_get_text(tuple, offset + RSN_COL_ID);
	row->key_for_create = rsn_store_get_text(tuple,
											 offset + RSN_COL_KEY_FOR_CREATE);
	row->key_for_complete = rsn_store_get_text(tuple, offset +
											   RSN_COL_KEY_FOR_COMPLETE);
	row->tags = get_varlena(tuple, offset + RSN_COL_TAGS);
	rsn_store_get_payload(tuple, offset + RSN_COL_PARAM_HEADERS, &row->param);
	rsn_store_get_payload(tuple, offset + RSN_COL_VALUE_HEADERS, &row->value);
	row->task_version = rsn_store_get_int32(tuple,
											offset + RSN_COL_TASK_VERSION, -1);

	core->state = get_state(tuple, offset + RSN_COL_STATE);
	core->is_timer = get_bool(tuple, offset + RSN_COL_TIMER);
	core->is_external = get_bool(tuple, offset + RSN_COL_EXTERNAL);
	core->is_targeted = get_bool(tuple, offset + RSN_COL_TARGETED);
	core->has_value = get_bool(tuple, offset + RSN_COL_HAS_VALUE);
	core->created_at_ms = rsn_store_get_int64(tuple,
											  offset + RSN_COL_CREATED_AT, 0);
	core->timeout_at_ms = rsn_store_get_int64(tuple,
											  offset + RSN_COL_TIMEOUT_AT, 0);
	core->settled_at_ms = rsn_store_get_int64(tuple,
											  offset + RSN_COL_SETTLED_AT, 0);
	core->key_for_create = rsn_key_from_text(row->key_for_create);
	core->key_for_complete = rsn_key_from_text(row->key_for_complete);

	violated = rsn_promise_check(core);
	if ((core->state == RSN_PROMISE_PENDING) !=
		heap_attisnull(tuple, offset + RSN_COL_SETTLED_AT, NULL))
		violated = "settled_at_iff_not_pending";
	if ((row->task_version >= 0) !=
		(core->is_targeted && core->state != RSN_PROMISE_PENDING))
		violated = "task_version_iff_fulfilled";
	if (violated != NULL)
		ereport(ERROR,
				(errcode(ERRCODE_DATA_CORRUPTED),
				 errmsg("stored promise \"%s\" violates invariant \"%s\"",
						text_to_cstring(row->id), violated)));
}

/* The promises of the last statement, in its order; NULL for none. */
RsnPromiseRow *
rsn_store_rows_from_result(uint64 n)
{
	RsnPromiseRow *rows = NULL;

	if (n > 0)
		rows = rsn_store_alloc(n * sizeof(RsnPromiseRow));
	for (uint64 i = 0; i < n; i++)
		rsn_store_row_from_tuple(SPI_tuptable->vals[i], 0, &rows[i]);
	return rows;
}
