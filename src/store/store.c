/*-------------------------------------------------------------------------
 *
 * store/store.c
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
#include "utils/datum.h"
#include "utils/fmgrprotos.h"
#include "utils/guc.h"
#include "utils/plancache.h"
#include "utils/snapmgr.h"

#include "server/fault.h"
#include "server/id.h"
#include "server/identity.h"
#include "store/plan.h"

static SPIPlanPtr plans[RSN_NQUERIES];

/*
 * From rsn_store_begin to rsn_store_end.  They nest where triggers of others, which
 * fire for our writes, call our functions.
 */
typedef struct Session
{
	SubTransactionId subid;		/* in which it began, and with which it ends */
	MemoryContext result_context;	/* the caller's */
	RsnIdentity caller;
	bool		is_connected;	/* to SPI, since the first statement */
	const RsnQueryDef *running; /* a statement of ours, or NULL */
	int			trigger_depth;	/* of the caller */
} Session;

static Session sessions[RSN_STORE_DEPTH_MAX];
static int	depth = 0;
static Session *session = NULL;

static void
use_session(int new_depth)
{
	depth = new_depth;
	session = depth > 0 ? &sessions[depth - 1] : NULL;
	rsn_table_use(depth);
}

/* How many triggers are being executed, one within the other. */
static int
trigger_depth(void)
{
	return DatumGetInt32(DirectFunctionCall1(pg_trigger_depth, (Datum) 0));
}

/*
 * Opens the store and acts as the owner of its tables; what it returns is allocated
 * in the current context.
 */
void
rsn_store_begin(void)
{
	if (depth == RSN_STORE_DEPTH_MAX)
		ereport(ERROR,
				(errcode(ERRCODE_STATEMENT_TOO_COMPLEX),
				 errmsg("triggers on the tables of resonate call its functions too deeply"),
				 errdetail("The limit is %d.", RSN_STORE_DEPTH_MAX)));
	memset(&sessions[depth], 0, sizeof(Session));
	sessions[depth].subid = GetCurrentSubTransactionId();
	sessions[depth].result_context = CurrentMemoryContext;
	sessions[depth].caller = rsn_identity_assume();
	sessions[depth].trigger_depth = trigger_depth();
	use_session(depth + 1);
	rsn_table_begin();
}

/* Connects to SPI for the first statement, since most operations need none. */
static void
connect_to_spi(void)
{
	int			result = SPI_connect();

	if (result != SPI_OK_CONNECT)
		elog(ERROR, "SPI_connect failed: %s", SPI_result_code_string(result));
	session->is_connected = true;
}

/* Closes the store. */
void
rsn_store_end(void)
{
	MemoryContext caller = CurrentMemoryContext;

	rsn_table_end();
	if (session->is_connected && SPI_finish() != SPI_OK_FINISH)
		elog(ERROR, "SPI_finish failed");
	MemoryContextSwitchTo(caller);
	rsn_identity_restore(&session->caller);
	use_session(depth - 1);
}

/* An error has ended what was open. */
static void
xact_callback(XactEvent event, void *arg)
{
	if (event == XACT_EVENT_ABORT || event == XACT_EVENT_COMMIT)
		use_session(0);
}

/* The same where somebody catches it: all that began in there has ended. */
static void
subxact_callback(SubXactEvent event, SubTransactionId my_id,
				 SubTransactionId parent_id, void *arg)
{
	int			remaining = depth;

	if (event != SUBXACT_EVENT_ABORT_SUB)
		return;
	while (remaining > 0 && sessions[remaining - 1].subid >= my_id)
		remaining--;
	use_session(remaining);
}

/* Registers the callbacks, once for the life of the backend. */
void
rsn_store_init(void)
{
	RegisterXactCallback(xact_callback, NULL);
	RegisterSubXactCallback(subxact_callback, NULL);
	rsn_store_planner_init();
}

/*
 * True when the trigger that runs was fired by a write of the store itself, and not
 * by that of a trigger of others in between.
 */
bool
rsn_store_is_running(void)
{
	return session != NULL && session->running != NULL &&
		trigger_depth() == session->trigger_depth + 1;
}

/* The statement that runs, if it is one to be planned once; else NULL. */
const RsnQueryDef *
rsn_store_planned_once(void)
{
	if (session == NULL || session->running == NULL ||
		session->running->cursor_options != CURSOR_OPT_GENERIC_PLAN)
		return NULL;
	return session->running;
}

/* Memory in the context of the caller of rsn_store_begin. */
void *
rsn_store_alloc(Size size)
{
	return MemoryContextAllocExtended(session->result_context, size,
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
execute_plan(RsnQuery query, const RsnArgs *args)
{
	SPIPlanPtr	plan = get_plan(query);

	if (!rsn_queries[query].must_see_all || !IsolationUsesXactSnapshot())
		return SPI_execute_plan(plan, (Datum *) args->values, args->nulls,
								false, 0);

	CommandCounterIncrement();
	return SPI_execute_snapshot(plan, (Datum *) args->values, args->nulls,
								GetLatestSnapshot(), GetTransactionSnapshot(),
								false, true, 0);
}

/*
 * Has no name resolved but to what PostgreSQL itself provides, until the caller
 * ends the nest level that is answered.  The functions run with the rights of
 * their owner.  A SET clause of the functions would do the same, for 5 % of all
 * that a create_promise costs, where nothing has a name that is looked up.
 */
int
rsn_store_pin_search_path(void)
{
	int			nest_level = NewGUCNestLevel();

	(void) set_config_option("search_path", "pg_catalog, pg_temp",
							 PGC_USERSET, PGC_S_SESSION, GUC_ACTION_SAVE,
							 true, 0, false);
	return nest_level;
}

/* To be called when a statement has failed, and the transaction goes on. */
void
rsn_store_note_failed(void)
{
	session->running = NULL;
}

static bool
is_write(RsnQuery query)
{
	return rsn_queries[query].spi_result != SPI_OK_SELECT;
}

/* Locks the tables of a statement that may be followed by writes to them. */
static void
lock_relations(SPIPlanPtr plan)
{
	ListCell   *cell;

	foreach(cell, SPI_plan_get_plan_sources(plan))
	{
		const CachedPlanSource *source = lfirst(cell);

		rsn_table_lock_relations(source->relationOids);
	}
}

static int
run_query(RsnQuery query, const RsnArgs *args)
{
	int			nest_level = rsn_store_pin_search_path();
	int			result;

	if (!rsn_queries[query].reads_only)
		lock_relations(get_plan(query));
	if (is_write(query))
		rsn_fault_before_write();
	session->running = &rsn_queries[query];
	result = execute_plan(query, args);
	session->running = NULL;
	AtEOXact_GUC(true, nest_level);
	if (is_write(query))
		rsn_fault_after_write();
	return result;
}

/* Runs a statement and answers how many rows it processed. */
uint64
rsn_store_exec(RsnQuery query, const RsnArgs *args)
{
	static const RsnArgs none = {0};
	const RsnQueryDef *def = &rsn_queries[query];
	MemoryContext caller = CurrentMemoryContext;
	int			result;

	if (args == NULL)
		args = &none;
	if (args->n != def->nargs)
		elog(ERROR, "statement %d takes %d arguments, not %d", (int) query,
			 def->nargs, args->n);

	if (!session->is_connected)
		connect_to_spi();
	result = run_query(query, args);

	/* SPI leaves its own context behind, which ends with rsn_store_end. */
	MemoryContextSwitchTo(caller);
	if (result != def->spi_result)
		elog(ERROR, "statement %d failed: %s", (int) query,
			 SPI_result_code_string(result));
	return SPI_processed;
}

/* Runs a statement that writes one row and is no other's; returns how many it did. */
uint64
rsn_store_exec_text(const char *sql, int nargs, Oid *types, Datum *values,
					const char *nulls)
{
	static const RsnQueryDef one_row = {0};
	MemoryContext caller = CurrentMemoryContext;
	int			nest_level = rsn_store_pin_search_path();
	int			result;

	if (!session->is_connected)
		connect_to_spi();
	rsn_fault_before_write();
	session->running = &one_row;
	result = SPI_execute_with_args(sql, nargs, types, values, nulls, false, 0);
	session->running = NULL;
	AtEOXact_GUC(true, nest_level);
	rsn_fault_after_write();
	MemoryContextSwitchTo(caller);
	if (result < 0)
		elog(ERROR, "statement \"%s\" failed: %s", sql,
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

/* Adds an array of places. */
void
rsn_args_add_tids(RsnArgs *args, Datum *tids, int n)
{
	ArrayType  *array = construct_array(tids, n, TIDOID,
										sizeof(ItemPointerData), false,
										TYPALIGN_SHORT);

	rsn_args_add(args, PointerGetDatum(array));
}

static void *
copy_varlena(Datum value, bool is_null, MemoryContext context)
{
	MemoryContext old;
	void	   *copy;

	if (is_null)
		return NULL;
	old = MemoryContextSwitchTo(context);
	copy = PG_DETOAST_DATUM_COPY(value);
	MemoryContextSwitchTo(old);
	return copy;
}

/* What a varlena holds, in the result context; NULL for the SQL NULL. */
void *
rsn_store_keep(Datum value, bool is_null)
{
	return copy_varlena(value, is_null, session->result_context);
}

static struct varlena *
as_stored(Datum value, bool is_null)
{
	return is_null ? NULL : (struct varlena *) DatumGetPointer(value);
}

/*
 * The same as it is stored, which takes little memory where it is large.  It can
 * be looked into as long as the statement of the caller runs, whose snapshot keeps
 * it in the table.
 */
static struct varlena *
keep_stored(struct varlena *value)
{
	MemoryContext old;
	Datum		copy;

	if (value == NULL)
		return NULL;
	old = MemoryContextSwitchTo(session->result_context);
	copy = datumCopy(PointerGetDatum(value), false, -1);
	MemoryContextSwitchTo(old);
	return (struct varlena *) DatumGetPointer(copy);
}

/* A column of the last result that is a varlena, detoasted, or NULL. */
void *
rsn_store_copy_varlena(HeapTuple tuple, int column, MemoryContext context)
{
	bool		is_null;
	Datum		value = SPI_getbinval(tuple, SPI_tuptable->tupdesc, column,
									  &is_null);

	return copy_varlena(value, is_null, context);
}

static void *
get_varlena(HeapTuple tuple, int column)
{
	return rsn_store_copy_varlena(tuple, column, session->result_context);
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

/* A column that is a varlena as it is stored, in the result context, or NULL. */
struct varlena *
rsn_store_get_stored(HeapTuple tuple, int column)
{
	bool		is_null;
	Datum		value = SPI_getbinval(tuple, SPI_tuptable->tupdesc, column,
									  &is_null);

	return keep_stored(as_stored(value, is_null));
}

/* Three columns in a row: headers, data and text. */
void
rsn_store_get_payload(HeapTuple tuple, int column, RsnPayload *payload)
{
	payload->headers = rsn_store_get_stored(tuple, column);
	payload->data = rsn_store_get_stored(tuple, column + 1);
	payload->text = rsn_store_get_stored(tuple, column + 2);
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
 * The different ones of some ids in byte order, which is the order of locks; n
 * becomes how many these are.
 */
text	  **
rsn_store_sort_ids(text *const *ids, int *n)
{
	text	  **sorted = palloc_extended(sizeof(text *) * Max(*n, 1),
										 MCXT_ALLOC_HUGE);
	int			ndifferent = 0;

	memcpy(sorted, ids, sizeof(text *) * *n);
	qsort(sorted, *n, sizeof(text *), rsn_id_compare_pointers);
	for (int i = 0; i < *n; i++)
	{
		if (i == 0 || rsn_id_compare(sorted[i - 1], sorted[i]) != 0)
			sorted[ndifferent++] = sorted[i];
	}
	*n = ndifferent;
	return sorted;
}

static void
payload_from_values(const Datum *values, const bool *nulls,
					RsnPayload *payload)
{
	payload->headers = as_stored(values[0], nulls[0]);
	payload->data = as_stored(values[1], nulls[1]);
	payload->text = as_stored(values[2], nulls[2]);
}

static void
keep_payload(RsnPayload *payload)
{
	payload->headers = keep_stored(payload->headers);
	payload->data = keep_stored(payload->data);
	payload->text = keep_stored(payload->text);
}

/* What the pure rules look at; the texts are in the row already. */
static void
core_from_values(const Datum *values, const bool *nulls, RsnPromiseRow *row)
{
	RsnPromise *core = &row->core;

	core->state = (RsnPromiseState)
		rsn_enum_index(RSN_ENUM_PROMISE_STATE,
					   DatumGetObjectId(values[RSN_COL_STATE]));
	core->is_timer = DatumGetBool(values[RSN_COL_TIMER]);
	core->is_external = DatumGetBool(values[RSN_COL_EXTERNAL]);
	core->is_targeted = DatumGetBool(values[RSN_COL_TARGETED]);
	core->has_value = row->value.headers != NULL || row->value.data != NULL ||
		row->value.text !=NULL;
	core->created_at_ms = DatumGetInt64(values[RSN_COL_CREATED_AT]);
	core->timeout_at_ms = DatumGetInt64(values[RSN_COL_TIMEOUT_AT]);
	core->settled_at_ms = nulls[RSN_COL_SETTLED_AT] ? 0
		: DatumGetInt64(values[RSN_COL_SETTLED_AT]);
	core->key_for_create = rsn_key_from_text(row->key_for_create);
	core->key_for_complete = rsn_key_from_text(row->key_for_complete);
}

/* The name of an invariant that the stored row violates, or NULL. */
static const char *
check_values(const bool *nulls, const RsnPromiseRow *row)
{
	if ((row->core.state == RSN_PROMISE_PENDING) != nulls[RSN_COL_SETTLED_AT])
		return "settled_at_iff_not_pending";
	return rsn_store_check_promise(row);
}

/*
 * Reads a promise from the columns of its table, without checking it, and without
 * a copy of what can be large.
 */
static void
row_from_values(const Datum *values, const bool *nulls,
				const ItemPointerData *tid, RsnPromiseRow *row)
{
	row->tid = *tid;
	row->id = rsn_store_keep(values[RSN_COL_ID], nulls[RSN_COL_ID]);
	row->key_for_create = rsn_store_keep(values[RSN_COL_KEY_FOR_CREATE],
										 nulls[RSN_COL_KEY_FOR_CREATE]);
	row->key_for_complete = rsn_store_keep(values[RSN_COL_KEY_FOR_COMPLETE],
										   nulls[RSN_COL_KEY_FOR_COMPLETE]);
	row->tags = as_stored(values[RSN_COL_TAGS], nulls[RSN_COL_TAGS]);
	payload_from_values(values + RSN_COL_PARAM_HEADERS,
						nulls + RSN_COL_PARAM_HEADERS, &row->param);
	payload_from_values(values + RSN_COL_VALUE_HEADERS,
						nulls + RSN_COL_VALUE_HEADERS, &row->value);
	row->task_version = nulls[RSN_COL_TASK_VERSION] ? -1
		: DatumGetInt32(values[RSN_COL_TASK_VERSION]);
	core_from_values(values, nulls, row);
}

/*
 * Reads a promise from the columns of its table, and checks it: a stored row
 * that breaks an invariant must not be decided upon.
 */
void
rsn_store_row_from_values(const Datum *values, const bool *nulls,
						  const ItemPointerData *tid, RsnPromiseRow *row)
{
	const char *violated;

	row_from_values(values, nulls, tid, row);
	violated = check_values(nulls, row);
	if (violated != NULL)
		ereport(ERROR,
				(errcode(ERRCODE_DATA_CORRUPTED),
				 errmsg("stored promise \"%s\" violates invariant \"%s\"",
						text_to_cstring(row->id), violated)));
	row->tags = keep_stored(row->tags);
	keep_payload(&row->param);
	keep_payload(&row->value);
}

/*
 * The name of an invariant that a row of resonate.promises violates, or NULL.
 */
const char *
rsn_store_check_promise_values(const Datum *values, const bool *nulls)
{
	static const ItemPointerData nowhere;
	RsnPromiseRow row;

	row_from_values(values, nulls, &nowhere, &row);
	return check_values(nulls, &row);
}

/* The same from a row of a statement, whose columns start after offset. */
void
rsn_store_row_from_tuple(HeapTuple tuple, int offset, RsnPromiseRow *row)
{
	Datum		values[RSN_STORE_MAX_COLUMNS];
	bool		nulls[RSN_STORE_MAX_COLUMNS];

	heap_deform_tuple(tuple, SPI_tuptable->tupdesc, values, nulls);
	rsn_store_row_from_values(values + offset, nulls + offset,
							  (ItemPointer) DatumGetPointer(values[offset +
																   RSN_COL_CTID]),
							  row);
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
