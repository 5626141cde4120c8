/*-------------------------------------------------------------------------
 *
 * store/internal.h
 *	  What the files of the store share.
 *
 * All of it is for a store that is open.  What a statement has returned is in SPI_tuptable
 * until the next one.
 *
 *-------------------------------------------------------------------------
 */
#ifndef RSN_STORE_INTERNAL_H
#define RSN_STORE_INTERNAL_H

#include "executor/spi.h"

#include "store/columns.h"
#include "store/enum.h"
#include "store/store.h"
#include "store/table.h"

#define RSN_STORE_MAX_ARGS 16

/* Of a row that a statement returns. */
#define RSN_STORE_MAX_COLUMNS 32

/*
 * A statement: it stands beside the function that runs it, and is prepared when that
 * runs it for the first time.
 */
typedef struct RsnStatement
{
	const char *name;			/* in errors */
	const char *sql;
	int			spi_result;		/* what SPI_execute_plan must return */
	int			cursor_options;
	int			nargs;
	Oid			argtypes[RSN_STORE_MAX_ARGS];
	bool		must_see_all;	/* at every isolation level, or 40001 */
	bool		by_bitmap;		/* its index has no order, as that of tags */
	bool		reads_only;		/* no write follows from it */
	SPIPlanPtr	plan;			/* kept by store/plan.c; NULL: none yet */
} RsnStatement;

typedef struct RsnArgs
{
	Datum		values[RSN_STORE_MAX_ARGS];
	char		nulls[RSN_STORE_MAX_ARGS];
	int			n;
} RsnArgs;

/* Promises that are stored in one state, and some of those that are pending. */
typedef struct RsnStatePart
{
	text	   *stored_state;	/* NULL: none but the pending ones */
	bool		has_internal;	/* of the pending ones */
	bool		has_external;
	int64		from_ms;		/* their deadlines */
	int64		until_ms;
} RsnStatePart;

extern void rsn_args_add(RsnArgs *args, Datum value);
extern void rsn_args_add_text(RsnArgs *args, text *value);
extern void rsn_args_add_varlena(RsnArgs *args, void *value);
extern void rsn_args_add_texts(RsnArgs *args, text *const *values, int n);
extern void rsn_args_add_due(RsnArgs *args, int64 now_ms, int limit,
							 text *const *set_aside, int nset_aside);
extern void rsn_args_add_tids(RsnArgs *args, Datum *tids, int n);

extern void rsn_store_planner_init(void);
extern const RsnStatement *rsn_store_planned_once(void);
extern void rsn_store_connect(void);
extern MemoryContext rsn_store_result_context(void);
extern void rsn_store_set_running(const RsnStatement *statement);
extern uint64 rsn_store_exec(RsnStatement *statement, const RsnArgs *args);
extern uint64 rsn_store_exec_text(const char *sql, int nargs, Oid *types,
								  Datum *values, const char *nulls);
extern void *rsn_store_copy_varlena(HeapTuple tuple, int column,
									MemoryContext context);
extern text *rsn_store_get_text(HeapTuple tuple, int column);
extern text **rsn_store_sort_ids(text *const *ids, int *n);
extern void *rsn_store_keep(Datum value, bool is_null);
extern struct varlena *rsn_store_as_stored(Datum value, bool is_null);
extern struct varlena *rsn_store_keep_stored(struct varlena *value);
extern int64 rsn_store_get_int64(HeapTuple tuple, int column, int64 if_null);
extern int32 rsn_store_get_int32(HeapTuple tuple, int column, int32 if_null);
extern void rsn_store_payload_from_values(const Datum *values,
										  const bool *nulls,
										  RsnPayload *payload);
extern void rsn_store_keep_payload(RsnPayload *payload);
extern void rsn_args_add_payload(RsnArgs *args, const RsnPayload *payload);
extern void rsn_args_add_kind(RsnArgs *args, RsnCallbackKind kind);
extern int	rsn_store_texts_from_result(uint64 n, text ***values);
extern void rsn_store_row_from_values(const Datum *values, const bool *nulls,
									  const ItemPointerData *tid,
									  RsnPromiseRow *row);
extern void rsn_store_row_from_tuple(HeapTuple tuple, int offset,
									 RsnPromiseRow *row);
extern RsnPromiseRow *rsn_store_rows_from_result(uint64 n);
extern void rsn_store_task_from_tuple(const RsnTuple *tuple, RsnTaskRow *row);
extern RsnTaskRow *rsn_store_tasks_from_result(uint64 n);
extern text *rsn_store_last_key(void);

/* store/search.c */
extern ArrayType *rsn_search_states(const bool *wants);
extern bool rsn_search_is_default_tags(Jsonb *tags);
extern void rsn_search_add_part(RsnArgs *args, const RsnStatePart *part);
extern bool rsn_search_is_few(const RsnStatePart *part, int few);

#endif							/* RSN_STORE_INTERNAL_H */
