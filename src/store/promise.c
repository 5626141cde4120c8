/*-------------------------------------------------------------------------
 *
 * store/promise.c
 *	  Promises: their rows, read, locked and written.
 *
 * A promise is written at its birth and at its settlement, and never in between or after.
 * It is checked before it is stored, and after it was read (store/row.c): no row that
 * breaks an invariant is decided upon.  Several are locked in byte order of their ids.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/htup_details.h"
#include "utils/builtins.h"

#include "server/id.h"
#include "store/internal.h"
#include "store/payload.h"
#include "store/sql.h"
#include "store/tags.h"

/*
 * The name of an invariant that a row violates, or NULL: those of the pure rules
 * and those of the columns that these do not know.
 */
const char *
rsn_store_check_promise(const RsnPromiseRow *row)
{
	if (VARSIZE_ANY_EXHDR(row->id) < 1 ||
		VARSIZE_ANY_EXHDR(row->id) > RSN_PROMISE_ID_MAX)
		return "id_length";
	if ((row->task_version >= 0) !=
		(row->core.is_targeted && row->core.state != RSN_PROMISE_PENDING))
		return "task_version_iff_fulfilled";
	if ((row->param.data != NULL && row->param.text !=NULL) ||
		(row->value.data != NULL && row->value.text !=NULL))
		return "data_or_text";
	return rsn_promise_check(&row->core);
}

/*
 * True for a column of ours, counted from zero, that is written at birth and never
 * again.
 */
bool
rsn_store_is_promise_birth_column(int column)
{
	Assert(column >= 0);
	switch (column)
	{
		case RSN_COL_STATE:
		case RSN_COL_SETTLED_AT:
		case RSN_COL_TASK_VERSION:
		case RSN_COL_KEY_FOR_COMPLETE:
		case RSN_COL_VALUE_HEADERS:
		case RSN_COL_VALUE_DATA:
		case RSN_COL_VALUE_TEXT:
			return false;
		default:
			return column < RSN_PROMISE_NSTORED;
	}
}

/* True for a row of resonate.promises that is pending. */
bool
rsn_store_is_pending_tuple(HeapTuple tuple, TupleDesc desc)
{
	bool		is_null;
	Datum		state = heap_getattr(tuple, RSN_COL_STATE + 1, desc, &is_null);

	return !is_null && rsn_enum_index(RSN_ENUM_PROMISE_STATE,
									  DatumGetObjectId(state)) ==
		RSN_PROMISE_PENDING;
}

/* The id in a row of resonate.promises. */
text *
rsn_store_promise_id(HeapTuple tuple, TupleDesc desc)
{
	bool		is_null;

	return DatumGetTextPP(heap_getattr(tuple, RSN_COL_ID + 1, desc, &is_null));
}

/* Promises are checked before every store as well as after every load. */
static void
check_row(const RsnPromiseRow *row)
{
	const char *violated = rsn_store_check_promise(row);

	if (violated != NULL)
		ereport(ERROR,
				(errcode(ERRCODE_INTERNAL_ERROR),
				 errmsg("cannot store promise \"%s\": it would violate invariant \"%s\"",
						text_to_cstring(row->id), violated)));
}

StaticAssertDecl(RSN_PROMISE_NSTORED <= RSN_TABLE_MAX_COLUMNS,
				 "all columns of a promise have room");

static void
set_payload(RsnNewTuple *new, int column, const RsnPayload *payload)
{
	rsn_tuple_set_varlena(new, column, payload->headers);
	rsn_tuple_set_varlena(new, column + 1, payload->data);
	rsn_tuple_set_varlena(new, column + 2, payload->text);
}

/* What is written at birth and never again. */
static void
set_birth(RsnNewTuple *new, const RsnPromiseRow *row)
{
	const RsnPromise *core = &row->core;

	rsn_tuple_set(new, RSN_COL_CREATED_AT, Int64GetDatum(core->created_at_ms),
				  false);
	rsn_tuple_set(new, RSN_COL_TIMEOUT_AT, Int64GetDatum(core->timeout_at_ms),
				  false);
	rsn_tuple_set(new, RSN_COL_TIMER, BoolGetDatum(core->is_timer), false);
	rsn_tuple_set(new, RSN_COL_EXTERNAL, BoolGetDatum(core->is_external), false);
	rsn_tuple_set(new, RSN_COL_TARGETED, BoolGetDatum(core->is_targeted), false);
	rsn_tuple_set_varlena(new, RSN_COL_ID, row->id);
	rsn_tuple_set_varlena(new, RSN_COL_KEY_FOR_CREATE, row->key_for_create);
	rsn_tuple_set_varlena(new, RSN_COL_TAGS, row->tags);
	set_payload(new, RSN_COL_PARAM_HEADERS, &row->param);
}

/* What is written at birth and again when it settles. */
static void
set_progress(RsnNewTuple *new, const RsnPromiseRow *row)
{
	const RsnPromise *core = &row->core;
	Oid			type = rsn_table_column_type(RSN_TABLE_PROMISES,
											 RSN_COL_STATE);

	rsn_tuple_set(new, RSN_COL_STATE,
				  ObjectIdGetDatum(rsn_enum_value(RSN_ENUM_PROMISE_STATE, type,
												  core->state)),
				  false);
	rsn_tuple_set(new, RSN_COL_SETTLED_AT, Int64GetDatum(core->settled_at_ms),
				  core->state == RSN_PROMISE_PENDING);
	rsn_tuple_set(new, RSN_COL_TASK_VERSION, Int32GetDatum(row->task_version),
				  row->task_version < 0);
	rsn_tuple_set_varlena(new, RSN_COL_KEY_FOR_COMPLETE, row->key_for_complete);
	set_payload(new, RSN_COL_VALUE_HEADERS, &row->value);
}

/* The index of branches has no entry of those that are in none but their own. */
static const char *
index_left_out(const RsnPromiseRow *row)
{
	text	   *branch;

	if (row->tags == NULL)
		return NULL;
	branch = rsn_tags_branch(rsn_stored_jsonb(row->tags));
	return branch == NULL || rsn_id_equals(branch, row->id)
		? RSN_BRANCH_INDEX : NULL;
}

/* Inserts a new promise; false when the id exists already. */
bool
rsn_store_insert_promise(const RsnPromiseRow *row)
{
	RsnNewTuple new = {0};

	check_row(row);
	set_birth(&new, row);
	set_progress(&new, row);
	new.unindexed = index_left_out(row);
	return rsn_table_insert(RSN_TABLE_PROMISES, &new, true);
}

/* The columns that a settlement changes. */
static RsnNewTuple
settlement(const RsnPromiseRow *row)
{
	RsnNewTuple new = {0};

	Assert(row->core.state != RSN_PROMISE_PENDING);
	Assert(ItemPointerIsValid(&row->tid));
	check_row(row);
	set_progress(&new, row);
	new.unindexed = index_left_out(row);
	return new;
}

/* Stores the settlement of a promise that is locked and stored as pending. */
void
rsn_store_settle_promise(RsnPromiseRow *row)
{
	RsnNewTuple new = settlement(row);

	rsn_table_update(RSN_TABLE_PROMISES, &row->tid, &new);
}

/*
 * Stores the settlement of a promise that was only read, if nobody has locked it or
 * changed it since; otherwise does nothing, and returns false.
 */
bool
rsn_store_try_settle_promise(RsnPromiseRow *row)
{
	RsnNewTuple new = settlement(row);

	return rsn_table_try_update(RSN_TABLE_PROMISES, &row->tid, &new);
}

static RsnPromiseRow *
row_from_found(const RsnTuple *tuple)
{
	RsnPromiseRow *row = rsn_store_alloc(sizeof(RsnPromiseRow));

	rsn_store_row_from_values(tuple->values, tuple->nulls, tuple->tid, row);
	return row;
}

/* The stored promise, or NULL; locks nothing. */
RsnPromiseRow *
rsn_store_read_promise(text *id)
{
	RsnTuple	tuple;

	if (!rsn_table_find(RSN_TABLE_PROMISES, id, &tuple))
		return NULL;
	return row_from_found(&tuple);
}

/*
 * The stored promise, locked FOR NO KEY UPDATE, or NULL.  It is read after any
 * wait for the lock.
 */
RsnPromiseRow *
rsn_store_lock_promise(text *id)
{
	RsnTuple	tuple;

	if (!rsn_table_lock(RSN_TABLE_PROMISES, id, LockTupleNoKeyExclusive,
						&tuple))
		return NULL;
	return row_from_found(&tuple);
}

static void
free_stored(void *value)
{
	if (value != NULL)
		pfree(value);
}

static void
free_payload(RsnPayload *payload)
{
	free_stored(payload->headers);
	free_stored(payload->data);
	free_stored(payload->text);
}

/* Frees one that was read alone; does nothing for NULL. */
void
rsn_store_free_promise(RsnPromiseRow *row)
{
	if (row == NULL)
		return;
	free_stored(row->id);
	free_stored(row->key_for_create);
	free_stored(row->key_for_complete);
	free_stored(row->tags);
	free_payload(&row->param);
	free_payload(&row->value);
	pfree(row);
}

/* True when somebody is about to insert, settle or delete a promise of that id. */
bool
rsn_store_is_in_doubt(text *id)
{
	return rsn_table_is_in_doubt(RSN_TABLE_PROMISES, id);
}

/*
 * True when nobody else can settle a promise until this transaction ends, which has
 * written or locked it or its task.
 */
bool
rsn_store_is_held(text *id)
{
	return rsn_table_is_held(RSN_TABLE_PROMISES, id) ||
		rsn_table_is_held(RSN_TABLE_TASKS, id);
}

/* False when there is no promise of that id; true when there may be one. */
bool
rsn_store_may_exist(text *id)
{
	return rsn_table_may_have(RSN_TABLE_PROMISES, id);
}

static RsnPromiseRow *
alloc_rows(int n)
{
	Assert(n >= 0);
	return rsn_store_alloc(sizeof(RsnPromiseRow) * Max(n, 1));
}

/* The stored promises of these ids, in their order; locks nothing. */
int
rsn_store_read_promises(text *const *ids, int n, RsnPromiseRow **rows)
{
	RsnTuple	tuple;
	int			count = 0;

	*rows = alloc_rows(n);
	for (int i = 0; i < n; i++)
	{
		if (rsn_table_find(RSN_TABLE_PROMISES, ids[i], &tuple))
			rsn_store_row_from_values(tuple.values, tuple.nulls, tuple.tid,
									  &(*rows)[count++]);
	}
	return count;
}

/* The same, locked FOR NO KEY UPDATE and returned in byte order. */
int
rsn_store_lock_promises(text *const *ids, int n, RsnPromiseRow **rows)
{
	RsnTuple	tuple;
	text	  **sorted = rsn_store_sort_ids(ids, &n);
	int			count = 0;

	*rows = alloc_rows(n);
	for (int i = 0; i < n; i++)
	{
		Assert(i == 0 || rsn_id_compare(sorted[i - 1], sorted[i]) < 0);
		if (rsn_table_lock(RSN_TABLE_PROMISES, sorted[i],
						   LockTupleNoKeyExclusive, &tuple))
			rsn_store_row_from_values(tuple.values, tuple.nulls, tuple.tid,
									  &(*rows)[count++]);
	}
	return count;
}

static RsnStatement lock_due_stmt = {
	.name = "lock_due",
	.sql = "SELECT " PROMISE_WITHOUT_PAYLOAD
	" FROM resonate.promises p"
	" WHERE p.state" EQ STATE("pending") " AND p.external" EQ "$4"
	" AND p.timeout_at" GE "$5 AND p.timeout_at" LE "$1"
	" AND p.id" NE "ALL ($3)"
	" ORDER BY p.external, p.timeout_at LIMIT $2"
	" FOR NO KEY UPDATE SKIP LOCKED",
	.spi_result = SPI_OK_SELECT,
	.cursor_options = PLAN_ONCE,
	ARGS(INT8OID, INT8OID, TEXTARRAYOID, BOOLOID, INT8OID)
};

/*
 * Locks external or internal promises whose deadline is not before from and not
 * after now, earliest first; skips those that others have locked, and those set
 * aside.  Without payload.
 */
int
rsn_store_lock_due_promises(int64 from_ms, int64 now_ms, int limit,
							bool is_external, text *const *set_aside,
							int nset_aside, RsnPromiseRow **rows)
{
	RsnArgs		args = {0};
	uint64		count;

	rsn_args_add_due(&args, now_ms, limit, set_aside, nset_aside);
	rsn_args_add(&args, BoolGetDatum(is_external));
	rsn_args_add(&args, Int64GetDatum(from_ms));
	count = rsn_store_exec(&lock_due_stmt, &args);
	*rows = rsn_store_rows_from_result(count);
	return (int) count;
}

/* Deletes a promise that this very transaction has inserted. */
void
rsn_store_delete_promise(text *id)
{
	RsnTuple	tuple;

	if (!rsn_table_find(RSN_TABLE_PROMISES, id, &tuple))
		elog(ERROR, "promise \"%s\" is gone although it was just inserted",
			 text_to_cstring(id));
	rsn_table_delete(RSN_TABLE_PROMISES, tuple.tid);
}

static RsnStatement try_lock_promises_stmt = {
	.name = "try_lock_promises",
	.sql = "SELECT " PROMISE_COLUMNS " FROM resonate.promises p"
	" WHERE p.id" EQ "ANY ($1) FOR NO KEY UPDATE SKIP LOCKED",
	.spi_result = SPI_OK_SELECT,
	.cursor_options = PLAN_ONCE,
	ARGS(TEXTARRAYOID)
};

/* Like rsn_store_lock_promises, but never waits: leaves out what is locked. */
int
rsn_store_try_lock_promises(text *const *ids, int n, RsnPromiseRow **rows)
{
	RsnArgs		args = {0};
	uint64		count;

	rsn_args_add_texts(&args, ids, n);
	count = rsn_store_exec(&try_lock_promises_stmt, &args);
	*rows = rsn_store_rows_from_result(count);
	return (int) count;
}
