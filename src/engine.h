/*-------------------------------------------------------------------------
 *
 * engine.h
 *	  Lock, read, decide, write: the operations of both public surfaces.
 *
 * Each function opens and closes the store itself and allocates its results
 * in the caller's memory context.
 *
 *-------------------------------------------------------------------------
 */
#ifndef RSN_ENGINE_H
#define RSN_ENGINE_H

#include "promise.h"
#include "store.h"

typedef struct RsnCreateRequest
{
	RsnCreate	rule;			/* its key points into key */
	text	   *id;
	text	   *key;			/* NULL: none */
	Jsonb	   *tags;			/* never NULL */
	Jsonb	   *param_headers;
	bytea	   *param_data;
} RsnCreateRequest;

typedef struct RsnSettleRequest
{
	RsnSettle	rule;			/* its key points into key */
	text	   *id;
	text	   *key;
	Jsonb	   *value_headers;
	bytea	   *value_data;
} RsnSettleRequest;

typedef struct RsnOutcome
{
	RsnStatus	status;
	text	   *id;				/* as asked for */
	RsnPromiseRow *promise;		/* NULL: there is none */
	RsnCallbackRow *callback;	/* recorded by this call, or NULL */
} RsnOutcome;

extern RsnOutcome rsn_engine_create(const RsnCreateRequest *request,
									int64 now_ms);
extern RsnOutcome rsn_engine_create_and_register(const RsnCreateRequest *request,
												 RsnCallbackRow *callback,
												 int64 now_ms);
extern RsnOutcome rsn_engine_settle(const RsnSettleRequest *request);
extern RsnOutcome rsn_engine_register(RsnCallbackRow *callback);
extern RsnOutcome rsn_engine_get(text *id);
extern RsnOutcome rsn_engine_await(text *id);

extern RsnOutcome *rsn_engine_create_many(const RsnCreateRequest *requests,
										  int n, int64 now_ms);
extern RsnOutcome *rsn_engine_settle_many(const RsnSettleRequest *requests,
										  int n);
extern int	rsn_engine_search(RsnSearch *search, RsnPromiseRow **rows);

extern int	rsn_engine_expire_due(int64 now_ms, int limit,
								  text *const *set_aside, int nset_aside);
extern int	rsn_engine_reconcile(int64 now_ms, int limit,
								 text *const *set_aside, int nset_aside);
extern void rsn_engine_fire(text *promise_id, int64 now_ms);
extern int	rsn_engine_prune(int64 settled_before_ms, int limit);

#endif							/* RSN_ENGINE_H */
