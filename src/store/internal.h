/*-------------------------------------------------------------------------
 *
 * store/internal.h
 *	  What the files of the store share.
 *
 *-------------------------------------------------------------------------
 */
#ifndef RSN_STORE_INTERNAL_H
#define RSN_STORE_INTERNAL_H

#include "executor/spi.h"

#include "store/enum.h"
#include "store/store.h"
#include "store/table.h"

#define RSN_STORE_MAX_ARGS 16

/* Of a row that a statement answers. */
#define RSN_STORE_MAX_COLUMNS 32

typedef enum RsnQuery
{
	RSN_QUERY_LOCK_DUE,
	RSN_QUERY_DUE_IDS,
	RSN_QUERY_DUE_LEASE_IDS,
	RSN_QUERY_DUE_SCHEDULE_IDS,
	RSN_QUERY_DUE_OFFER_IDS,
	RSN_QUERY_DUE_MESSAGE_IDS,
	RSN_QUERY_SEARCH,
	RSN_QUERY_PASS_IDS,
	RSN_QUERY_PASS_TASK_IDS,
	RSN_QUERY_SEARCH_WALK,
	RSN_QUERY_COUNT_IN_STATE,
	RSN_QUERY_SEARCH_IN_STATE,
	RSN_QUERY_COUNT_TAGGED,
	RSN_QUERY_SEARCH_TAGGED,
	RSN_QUERY_NEXT_DEADLINE,
	RSN_QUERY_LOCK_PRUNABLE,
	RSN_QUERY_DELETE_PROMISES,
	RSN_QUERY_DELETE_HELD,
	RSN_QUERY_LONG_HELD,
	RSN_QUERY_TRIM_MESSAGES,
	RSN_QUERY_TRIM_AWAITERS,
	RSN_QUERY_COUNT_STATES,
	RSN_QUERY_COUNT_REST,
	RSN_QUERY_INSERT_CALLBACK,
	RSN_QUERY_FIND_CALLBACK,
	RSN_QUERY_FIRE,
	RSN_QUERY_LEFT_CALLBACKS,
	RSN_QUERY_LEFT_AWAITERS,
	RSN_QUERY_FIRE_LEFT,
	RSN_QUERY_TAKE_LEFT_AWAITERS,
	RSN_QUERY_LOCK_NOTIFICATIONS,
	RSN_QUERY_LOCK_NOTIFICATIONS_OF,
	RSN_QUERY_POSTPONE_MESSAGE,
	RSN_QUERY_NEXT_NOTIFICATION,
	RSN_QUERY_LOCK_MESSAGES,
	RSN_QUERY_HIDE_MESSAGES,
	RSN_QUERY_LOCK_LISTENER_MESSAGES,
	RSN_QUERY_ACKNOWLEDGE,
	RSN_QUERY_EXPIRE_MESSAGES,
	RSN_QUERY_PREPARED,
	RSN_QUERY_LOCK_TASKS_AND_AWAITERS,
	RSN_QUERY_LOCK_TASKS_OF_PID,
	RSN_QUERY_LOCK_ENDED_LEASES,
	RSN_QUERY_DUE_TASKS,
	RSN_QUERY_TASKS_FOR_OTHERS,
	RSN_QUERY_OFFERS_SINCE,
	RSN_QUERY_OTHERS_SINCE,
	RSN_QUERY_MESSAGES_SINCE,
	RSN_QUERY_DELETE_STALE_TASKS,
	RSN_QUERY_SEARCH_TASKS,
	RSN_QUERY_NEXT_LEASE,
	RSN_QUERY_NEXT_OFFER,
	RSN_QUERY_NEXT_OTHERS,
	RSN_QUERY_TASK_ADDRESSES,
	RSN_QUERY_OTHERS_ADDRESSES,
	RSN_QUERY_MESSAGE_ADDRESSES,
	RSN_QUERY_COUNT_QUEUES,
	RSN_QUERY_INSERT_AWAITER,
	RSN_QUERY_FIND_AWAITER,
	RSN_QUERY_AWAITERS,
	RSN_QUERY_TAKE_AWAITERS,
	RSN_QUERY_TRY_LOCK_PROMISES,
	RSN_QUERY_DELETE_ALL_OF,
	RSN_QUERY_DELETE_ALL_BUT_PROMISES,
	RSN_QUERY_WITHOUT_TASK,
	RSN_QUERY_IS_AWAITING,
	RSN_QUERY_LOCK_STRANDED_TASKS,
	RSN_QUERY_LOCK_TASKS_AHEAD,
	RSN_QUERY_SET_MESSAGES_RIGHT,
	RSN_QUERY_LOCK_SCHEDULES_AHEAD,
	RSN_QUERY_INSERT_SCHEDULE,
	RSN_QUERY_READ_SCHEDULE,
	RSN_QUERY_LOCK_SCHEDULE,
	RSN_QUERY_LOCK_DUE_SCHEDULES,
	RSN_QUERY_LOCK_NEWEST_SCHEDULES,
	RSN_QUERY_LIST_SCHEDULES,
	RSN_QUERY_UPDATE_SCHEDULE,
	RSN_QUERY_DELETE_SCHEDULE,
	RSN_QUERY_SEARCH_SCHEDULES,
	RSN_QUERY_NEXT_SCHEDULE,
	RSN_QUERY_DEBUG_RESET,
	RSN_QUERY_DEBUG_MESSAGES,
	RSN_QUERY_DEBUG_REST
} RsnQuery;

#define RSN_NQUERIES (RSN_QUERY_DEBUG_REST + 1)

typedef struct RsnQueryDef
{
	const char *sql;
	int			spi_result;		/* what SPI_execute_plan must answer */
	int			cursor_options;
	int			nargs;
	Oid			argtypes[RSN_STORE_MAX_ARGS];
	bool		must_see_all;	/* at every isolation level, or 40001 */
	bool		by_bitmap;		/* its index has no order, as that of tags */
	bool		reads_only;		/* no write follows from it */
} RsnQueryDef;

extern const RsnQueryDef rsn_queries[RSN_NQUERIES];

typedef struct RsnArgs
{
	Datum		values[RSN_STORE_MAX_ARGS];
	char		nulls[RSN_STORE_MAX_ARGS];
	int			n;
} RsnArgs;

/* Columns of resonate.promises, in its order, and what statements add to it. */
typedef enum RsnPromiseColumn
{
	RSN_COL_CREATED_AT,
	RSN_COL_TIMEOUT_AT,
	RSN_COL_SETTLED_AT,
	RSN_COL_STATE,
	RSN_COL_TIMER,
	RSN_COL_EXTERNAL,
	RSN_COL_TARGETED,
	RSN_COL_TASK_VERSION,
	RSN_COL_ID,
	RSN_COL_KEY_FOR_CREATE,
	RSN_COL_KEY_FOR_COMPLETE,
	RSN_COL_TAGS,
	RSN_COL_PARAM_HEADERS,
	RSN_COL_PARAM_DATA,
	RSN_COL_PARAM_TEXT,
	RSN_COL_VALUE_HEADERS,
	RSN_COL_VALUE_DATA,
	RSN_COL_VALUE_TEXT,
	RSN_COL_CTID
} RsnPromiseColumn;

#define RSN_PROMISE_NSTORED	RSN_COL_CTID

#define RSN_PROMISE_CORE_COLUMNS \
	"p.created_at, p.timeout_at, p.settled_at, p.state, p.timer, p.external, " \
	"p.targeted, p.task_version, p.id, p.idempotency_key_for_create, " \
	"p.idempotency_key_for_complete"

#define RSN_PROMISE_COLUMNS \
	RSN_PROMISE_CORE_COLUMNS ", p.tags, p.param_headers, p.param_data, " \
	"p.param_text, p.value_headers, p.value_data, p.value_text, p.ctid"

/*
 * The same columns for who only settles what is pending, and so has no value, at
 * its deadline.
 */
#define RSN_PROMISE_WITHOUT_PAYLOAD \
	RSN_PROMISE_CORE_COLUMNS ", NULL::pg_catalog.jsonb, " \
	"NULL::pg_catalog.jsonb, NULL::pg_catalog.bytea, NULL::pg_catalog.text, " \
	"NULL::pg_catalog.jsonb, NULL::pg_catalog.bytea, NULL::pg_catalog.text, " \
	"p.ctid"

extern void rsn_args_add(RsnArgs *args, Datum value);
extern void rsn_args_add_text(RsnArgs *args, text *value);
extern void rsn_args_add_varlena(RsnArgs *args, void *value);
extern void rsn_args_add_texts(RsnArgs *args, text *const *values, int n);
extern void rsn_args_add_tids(RsnArgs *args, Datum *tids, int n);

extern void rsn_store_planner_init(void);
extern const RsnQueryDef *rsn_store_planned_once(void);
extern int	rsn_store_pin_search_path(void);
extern void rsn_store_note_failed(void);
extern void rsn_store_connect(void);
extern MemoryContext rsn_store_result_context(void);
extern void rsn_store_set_running(const RsnQueryDef *def);
extern uint64 rsn_store_exec(RsnQuery query, const RsnArgs *args);
extern uint64 rsn_store_exec_text(const char *sql, int nargs, Oid *types,
								  Datum *values, const char *nulls);
extern void *rsn_store_copy_varlena(HeapTuple tuple, int column,
									MemoryContext context);
extern text *rsn_store_get_text(HeapTuple tuple, int column);
extern text **rsn_store_sort_ids(text *const *ids, int *n);
extern void *rsn_store_keep(Datum value, bool is_null);
extern struct varlena *rsn_store_as_stored(Datum value, bool is_null);
extern struct varlena *rsn_store_keep_stored(struct varlena *value);
extern struct varlena *rsn_store_get_stored(HeapTuple tuple, int column);
extern int64 rsn_store_get_int64(HeapTuple tuple, int column, int64 if_null);
extern int32 rsn_store_get_int32(HeapTuple tuple, int column, int32 if_null);
extern void rsn_store_get_payload(HeapTuple tuple, int column,
								  RsnPayload *payload);
extern void rsn_args_add_payload(RsnArgs *args, const RsnPayload *payload);
extern int	rsn_store_texts_from_result(uint64 n, text ***values);
extern void rsn_store_row_from_values(const Datum *values, const bool *nulls,
									  const ItemPointerData *tid,
									  RsnPromiseRow *row);
extern void rsn_store_row_from_tuple(HeapTuple tuple, int offset,
									 RsnPromiseRow *row);
extern RsnPromiseRow *rsn_store_rows_from_result(uint64 n);
extern void rsn_store_task_from_tuple(const RsnTuple *tuple, RsnTaskRow *row);
extern RsnTaskRow *rsn_store_tasks_from_result(uint64 n);

#endif							/* RSN_STORE_INTERNAL_H */
