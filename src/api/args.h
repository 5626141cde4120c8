/*-------------------------------------------------------------------------
 *
 * api/args.h
 *	  From what a caller wrote to what the engine takes.
 *
 * Every function raises 22023, or a more exact SQLSTATE, for a malformed
 * argument and names it.  The same checks serve the arguments of a SQL function
 * (item is zero) and the members of an item of a batch (item counts from one).
 *
 *-------------------------------------------------------------------------
 */
#ifndef RSN_API_ARGS_H
#define RSN_API_ARGS_H

#include "fmgr.h"
#include "api/page.h"
#include "api/valid.h"
#include "engine/engine.h"
#include "server/compat.h"
#include "utils/timestamp.h"

#define RSN_KEY_MAX		1024

/* What a create and a settlement both have. */
typedef struct RsnCommonArgs
{
	int			item;
	text	   *id;
	Jsonb	   *headers;
	text	   *key;
	bool		is_strict;
} RsnCommonArgs;

typedef struct RsnCreateArgs
{
	RsnCommonArgs common;
	Interval   *timeout;
	bool		has_timeout_ms;
	int64		timeout_ms;		/* instead of timeout */
	bool		has_timeout_at;
	int64		timeout_at_ms;
	Jsonb	   *param;
	Jsonb	   *tags;
} RsnCreateArgs;

typedef struct RsnSettleArgs
{
	RsnCommonArgs common;
	RsnPromiseState target;
	Jsonb	   *value;
} RsnSettleArgs;

/* An argument of the SQL function, or NULL. */
#define RSN_ARG_TEXT(n) (PG_ARGISNULL(n) ? NULL : PG_GETARG_TEXT_PP(n))
#define RSN_ARG_JSONB(n) (PG_ARGISNULL(n) ? NULL : PG_GETARG_JSONB_P(n))
#define RSN_ARG_INTERVAL(n) (PG_ARGISNULL(n) ? NULL : PG_GETARG_INTERVAL_P(n))
#define RSN_ARG_INT32(n, if_null) (PG_ARGISNULL(n) ? (if_null) : PG_GETARG_INT32(n))
#define RSN_ARG_BOOL(n) (!PG_ARGISNULL(n) && PG_GETARG_BOOL(n))

extern char *rsn_arg_where(const char *name, int item);
rsn_noreturn extern void rsn_raise_flaw(const RsnFlaw *flaw, const char *name,
										int item);
rsn_noreturn extern void rsn_invalid_value(const text *value, const char *name,
										   int item, const char *detail,
										   const char *hint);
extern void rsn_check_not_null(bool is_null, const char *name, int item);
extern text *rsn_check_id(text *id, int len_max, const char *name, int item);
extern text *rsn_check_address(text *address, bool for_receive);
extern int64 rsn_check_interval(const Interval *interval, int64 now_ms,
								const char *name, int item,
								const char *hint);
extern int	rsn_check_limit(int limit, int limit_max);
extern RsnPage rsn_page_from_sql(FunctionCallInfo fcinfo, int limit_arg);
extern Jsonb *rsn_check_strings(Jsonb *object, const char *name, int item);

extern RsnPayload rsn_check_payload(Jsonb *headers, Jsonb *data,
									const char *name, int item);

extern void rsn_create_args_from_sql(RsnCreateArgs *args,
									 FunctionCallInfo fcinfo, int id_arg,
									 int rest_arg);
extern void rsn_make_create_request(const RsnCreateArgs *args, int64 now_ms,
									RsnCreateRequest *request);
extern void rsn_make_settle_request(const RsnSettleArgs *args,
									RsnSettleRequest *request);

#endif							/* RSN_API_ARGS_H */
