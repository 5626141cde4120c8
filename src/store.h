/*-------------------------------------------------------------------------
 *
 * store.h
 *	  Rows to structs and back: the only user of SPI.
 *
 * Every function here must be called between rsn_store_begin and
 * rsn_store_end.  Results are allocated in the memory context that was current
 * at rsn_store_begin, so they outlive rsn_store_end.
 *
 *-------------------------------------------------------------------------
 */
#ifndef RSN_STORE_H
#define RSN_STORE_H

#include "promise.h"
#include "utils/jsonb.h"

#define RSN_PROMISE_ID_MAX	1024	/* bytes, also a CHECK of the table */
#define RSN_CALLBACK_ID_MAX	255

typedef struct RsnPromiseRow
{
	RsnPromise	core;			/* its keys point into the two texts below */
	text	   *id;
	text	   *key_for_create; /* NULL: none */
	text	   *key_for_complete;
	Jsonb	   *tags;			/* never NULL */
	Jsonb	   *param_headers;	/* NULL: none; likewise the next three */
	bytea	   *param_data;
	Jsonb	   *value_headers;
	bytea	   *value_data;
} RsnPromiseRow;

typedef struct RsnCallbackRow
{
	text	   *promise_id;
	text	   *callback_id;
	text	   *address;
	int64		created_at_ms;
} RsnCallbackRow;

typedef struct RsnMessageRow
{
	text	   *promise_id;
	text	   *callback_id;
	text	   *address;
	int32		attempt;
	int64		due_at_ms;
	bool		has_promise;	/* false: the promise is gone */
	RsnPromiseRow promise;		/* core, id and value only */
} RsnMessageRow;

typedef struct RsnSearch
{
	const char *like_pattern;	/* for LIKE, escaped */
	Jsonb	   *tags;			/* NULL: any */
	bool		wants[RSN_PROMISE_NSTATES]; /* states as seen at now_ms */
	int64		now_ms;
	bool		has_position;	/* continue after this one */
	int64		position_created_at_ms;
	text	   *position_id;
	int			limit;
} RsnSearch;

typedef struct RsnStateCounts
{
	int64		states[RSN_PROMISE_NSTATES];
	int64		due;
	int64		oldest_due_ms;	/* meaningful when due > 0 */
	int64		callbacks;
	int64		messages;
} RsnStateCounts;

extern RsnKey rsn_key_from_text(const text *key);

extern void rsn_store_begin(void);
extern void rsn_store_end(void);
extern bool rsn_store_is_running(void);
extern void *rsn_store_alloc(Size size);

/* store_promise.c */
extern bool rsn_store_insert_promise(const RsnPromiseRow *row);
extern int	rsn_store_insert_promises(const RsnPromiseRow *const *rows, int n,
									  text ***inserted);
extern RsnPromiseRow *rsn_store_read_promise(text *id);
extern RsnPromiseRow *rsn_store_lock_promise(text *id);
extern int	rsn_store_read_promises(text *const *ids, int n,
									RsnPromiseRow **rows);
extern int	rsn_store_lock_promises(text *const *ids, int n,
									RsnPromiseRow **rows);
extern int	rsn_store_lock_due_promises(int64 now_ms, int limit,
										bool is_external,
										text *const *set_aside, int nset_aside,
										RsnPromiseRow **rows);
extern int	rsn_store_due_ids(int64 now_ms, int limit, text *const *set_aside,
							  int nset_aside, text ***ids);
extern void rsn_store_settle_promise(const RsnPromiseRow *row);
extern int	rsn_store_search_promises(const RsnSearch *search,
									  RsnPromiseRow **rows);
extern int64 rsn_store_next_deadline(text *const *set_aside, int nset_aside);
extern int	rsn_store_prune_promises(RsnPromiseState state,
									 int64 settled_before_ms, int limit);
extern void rsn_store_count(int64 now_ms, RsnStateCounts *counts);

/* store_message.c */
extern bool rsn_store_insert_callback(const RsnCallbackRow *row);
extern bool rsn_store_fire_callbacks(text *promise_id, int64 now_ms);
extern bool rsn_store_fire_many_callbacks(text *const *promise_ids, int n,
										  int64 now_ms);
extern int	rsn_store_unfired_promises(int limit, text *const *set_aside,
									   int nset_aside, text ***ids);
extern int	rsn_store_lock_notifications(int64 now_ms, int limit,
										 RsnMessageRow **rows);
extern void rsn_store_delete_message(const RsnMessageRow *row);
extern void rsn_store_postpone_message(const RsnMessageRow *row,
									   int64 due_at_ms);
extern int64 rsn_store_next_notification(void);
extern int	rsn_store_receive(text *address, int limit, int64 now_ms,
							  int64 visible_at_ms, RsnMessageRow **rows);
extern bool rsn_store_acknowledge(text *promise_id, text *callback_id);
extern bool rsn_store_has_prepared_transactions(void);

#endif							/* RSN_STORE_H */
