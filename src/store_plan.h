/*-------------------------------------------------------------------------
 *
 * store_plan.h
 *	  The statements of the store; private to store*.c.
 *
 *-------------------------------------------------------------------------
 */
#ifndef RSN_STORE_PLAN_H
#define RSN_STORE_PLAN_H

#include "executor/spi.h"

#include "store.h"

#define RSN_STORE_MAX_ARGS 12

typedef enum RsnQuery
{
	RSN_QUERY_INSERT_PROMISE,
	RSN_QUERY_INSERT_PROMISES,
	RSN_QUERY_READ_PROMISE,
	RSN_QUERY_READ_PROMISES,
	RSN_QUERY_LOCK_PROMISE,
	RSN_QUERY_LOCK_PROMISES,
	RSN_QUERY_LOCK_DUE,
	RSN_QUERY_DUE_IDS,
	RSN_QUERY_SETTLE_PROMISE,
	RSN_QUERY_SEARCH,
	RSN_QUERY_NEXT_DEADLINE,
	RSN_QUERY_PRUNE,
	RSN_QUERY_COUNT_STATES,
	RSN_QUERY_COUNT_REST,
	RSN_QUERY_INSERT_CALLBACK,
	RSN_QUERY_FIRE,
	RSN_QUERY_FIRE_MANY,
	RSN_QUERY_UNFIRED,
	RSN_QUERY_LOCK_NOTIFICATIONS,
	RSN_QUERY_DELETE_MESSAGE,
	RSN_QUERY_POSTPONE_MESSAGE,
	RSN_QUERY_NEXT_NOTIFICATION,
	RSN_QUERY_RECEIVE,
	RSN_QUERY_ACKNOWLEDGE,
	RSN_QUERY_PREPARED
} RsnQuery;

#define RSN_NQUERIES (RSN_QUERY_PREPARED + 1)

typedef struct RsnQueryDef
{
	const char *sql;
	int			spi_result;		/* what SPI_execute_plan must answer */
	int			cursor_options;
	int			nargs;
	Oid			argtypes[RSN_STORE_MAX_ARGS];
	bool		must_see_all;	/* at every isolation level, or 40001 */
} RsnQueryDef;

extern const RsnQueryDef rsn_queries[RSN_NQUERIES];

typedef struct RsnArgs
{
	Datum		values[RSN_STORE_MAX_ARGS];
	char		nulls[RSN_STORE_MAX_ARGS];
	int			n;
} RsnArgs;

/* Columns of a promise in the order that rsn_store_row_from_tuple reads. */
typedef enum RsnPromiseColumn
{
	RSN_COL_CREATED_AT = 1,
	RSN_COL_TIMEOUT_AT,
	RSN_COL_SETTLED_AT,
	RSN_COL_STATE,
	RSN_COL_TIMER,
	RSN_COL_EXTERNAL,
	RSN_COL_ID,
	RSN_COL_KEY_FOR_CREATE,
	RSN_COL_KEY_FOR_COMPLETE,
	RSN_COL_HAS_VALUE,
	RSN_COL_TAGS,
	RSN_COL_PARAM_HEADERS,
	RSN_COL_PARAM_DATA,
	RSN_COL_VALUE_HEADERS,
	RSN_COL_VALUE_DATA
} RsnPromiseColumn;

#define RSN_PROMISE_CORE_COLUMNS \
	"p.created_at, p.timeout_at, p.settled_at, p.state::pg_catalog.text, " \
	"p.timer, p.external, p.id, p.idempotency_key_for_create, " \
	"p.idempotency_key_for_complete, " \
	"p.value_headers IS NOT NULL OR p.value_data IS NOT NULL"

#define RSN_PROMISE_COLUMNS \
	RSN_PROMISE_CORE_COLUMNS ", p.tags, p.param_headers, p.param_data, " \
	"p.value_headers, p.value_data"

extern void rsn_args_add(RsnArgs *args, Datum value);
extern void rsn_args_add_text(RsnArgs *args, text *value);
extern void rsn_args_add_varlena(RsnArgs *args, void *value);
extern void rsn_args_add_texts(RsnArgs *args, text *const *values, int n);

extern uint64 rsn_store_exec(RsnQuery query, const RsnArgs *args);
extern void *rsn_store_copy_varlena(HeapTuple tuple, int column,
									MemoryContext context);
extern text *rsn_store_get_text(HeapTuple tuple, int column);
extern int64 rsn_store_get_int64(HeapTuple tuple, int column, int64 if_null);
extern void rsn_store_row_from_tuple(HeapTuple tuple, int offset,
									 RsnPromiseRow *row);
extern RsnPromiseRow *rsn_store_rows_from_result(uint64 n);

#endif							/* RSN_STORE_PLAN_H */
