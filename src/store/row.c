/*-------------------------------------------------------------------------
 *
 * store/row.c
 *	  Rows of resonate.promises, from columns to structs.
 *
 * Invariant: a row is checked before anything is decided by it.  Its texts are copies in
 * the result context; tags, param and value are as they are stored, and store/payload.c
 * looks into them.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/htup_details.h"
#include "utils/builtins.h"

#include "server/id.h"
#include "store/internal.h"

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

	Assert(*n >= 0);
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

/* Reads headers, data and text, without a copy of them. */
void
rsn_store_payload_from_values(const Datum *values, const bool *nulls,
							  RsnPayload *payload)
{
	payload->headers = rsn_store_as_stored(values[0], nulls[0]);
	payload->data = rsn_store_as_stored(values[1], nulls[1]);
	payload->text = rsn_store_as_stored(values[2], nulls[2]);
}

/* Copies them. */
void
rsn_store_keep_payload(RsnPayload *payload)
{
	payload->headers = rsn_store_keep_stored(payload->headers);
	payload->data = rsn_store_keep_stored(payload->data);
	payload->text = rsn_store_keep_stored(payload->text);
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
	Assert(!nulls[RSN_COL_ID]);
	row->tid = *tid;
	row->id = rsn_store_keep(values[RSN_COL_ID], nulls[RSN_COL_ID]);
	row->key_for_create = rsn_store_keep(values[RSN_COL_KEY_FOR_CREATE],
										 nulls[RSN_COL_KEY_FOR_CREATE]);
	row->key_for_complete = rsn_store_keep(values[RSN_COL_KEY_FOR_COMPLETE],
										   nulls[RSN_COL_KEY_FOR_COMPLETE]);
	row->tags = rsn_store_as_stored(values[RSN_COL_TAGS], nulls[RSN_COL_TAGS]);
	rsn_store_payload_from_values(values + RSN_COL_PARAM_HEADERS,
								  nulls + RSN_COL_PARAM_HEADERS, &row->param);
	rsn_store_payload_from_values(values + RSN_COL_VALUE_HEADERS,
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
	row->tags = rsn_store_keep_stored(row->tags);
	rsn_store_keep_payload(&row->param);
	rsn_store_keep_payload(&row->value);
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

	Assert(SPI_tuptable->tupdesc->natts == offset + RSN_COL_CTID + 1);
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
