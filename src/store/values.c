/*-------------------------------------------------------------------------
 *
 * store/values.c
 *	  Values on their way to statements, and back from their results.
 *
 * What is read and is no number is copied to the result context, so that it outlives the
 * next statement.  Columns of results are counted from one, as SPI does.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/datum.h"

#include "store/internal.h"

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

/* Adds the kind of a callback or message. */
void
rsn_args_add_kind(RsnArgs *args, RsnCallbackKind kind)
{
	rsn_args_add(args, BoolGetDatum(kind == RSN_CALLBACK_LISTENER));
}

/* Adds an array of texts, none of them NULL. */
void
rsn_args_add_texts(RsnArgs *args, text *const *values, int n)
{
	ArrayType  *array = construct_array((Datum *) values, n, TEXTOID, -1, false,
										TYPALIGN_INT);

	Assert(n >= 0);
	rsn_args_add(args, PointerGetDatum(array));
}

/* Adds what most statements on what is due begin with: when, how much, and what not. */
void
rsn_args_add_due(RsnArgs *args, int64 now_ms, int limit, text *const *set_aside,
				 int nset_aside)
{
	Assert(limit >= 0 && nset_aside >= 0);
	rsn_args_add(args, Int64GetDatum(now_ms));
	rsn_args_add(args, Int64GetDatum(limit));
	rsn_args_add_texts(args, set_aside, nset_aside);
}

/* Adds an array of places. */
void
rsn_args_add_tids(RsnArgs *args, Datum *tids, int n)
{
	ArrayType  *array = construct_array(tids, n, TIDOID,
										sizeof(ItemPointerData), false,
										TYPALIGN_SHORT);

	Assert(n >= 0);
	rsn_args_add(args, PointerGetDatum(array));
}

#ifdef USE_ASSERT_CHECKING
/* True when a column of the last result, counted from one, has that type. */
static bool
has_type(int column, Oid type)
{
	TupleDesc	desc = SPI_tuptable->tupdesc;

	return column >= 1 && column <= desc->natts &&
		TupleDescAttr(desc, column - 1)->atttypid == type;
}
#endif

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
	return copy_varlena(value, is_null, rsn_store_result_context());
}

/* A varlena as it is stored, or NULL. */
struct varlena *
rsn_store_as_stored(Datum value, bool is_null)
{
	return is_null ? NULL : (struct varlena *) DatumGetPointer(value);
}

/*
 * A copy of it, in the result context, which takes little memory where it is large.  It can
 * be looked into as long as the statement of the caller runs, whose snapshot keeps
 * it in the table.
 */
struct varlena *
rsn_store_keep_stored(struct varlena *value)
{
	MemoryContext old;
	Datum		copy;

	if (value == NULL)
		return NULL;
	old = MemoryContextSwitchTo(rsn_store_result_context());
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
	return rsn_store_copy_varlena(tuple, column, rsn_store_result_context());
}

/* A text column, in the result context, or NULL. */
text *
rsn_store_get_text(HeapTuple tuple, int column)
{
	Assert(has_type(column, TEXTOID));
	return (text *) get_varlena(tuple, column);
}

/* A bigint column. */
int64
rsn_store_get_int64(HeapTuple tuple, int column, int64 if_null)
{
	bool		is_null;
	Datum		value = SPI_getbinval(tuple, SPI_tuptable->tupdesc, column,
									  &is_null);

	Assert(has_type(column, INT8OID));
	return is_null ? if_null : DatumGetInt64(value);
}

/* An integer column. */
int32
rsn_store_get_int32(HeapTuple tuple, int column, int32 if_null)
{
	bool		is_null;
	Datum		value = SPI_getbinval(tuple, SPI_tuptable->tupdesc, column,
									  &is_null);

	Assert(has_type(column, INT4OID));
	return is_null ? if_null : DatumGetInt32(value);
}

/* The texts in the first column of the last result, in the result context. */
int
rsn_store_texts_from_result(uint64 n, text ***values)
{
	Assert(n <= PG_INT32_MAX);
	*values = rsn_store_alloc(Max(n, 1) * sizeof(text *));
	for (uint64 i = 0; i < n; i++)
		(*values)[i] = rsn_store_get_text(SPI_tuptable->vals[i], 1);
	return (int) n;
}

/* A key that is longer than any id, and comes after all. */
text *
rsn_store_last_key(void)
{
	char		end[RSN_PROMISE_ID_MAX + 1];

	memset(end, 0xff, sizeof(end));
	return cstring_to_text_with_len(end, sizeof(end));
}
