/*-------------------------------------------------------------------------
 *
 * protocol/queue.c
 *	  SQL functions that the SDKs call beside resonate_rpc.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "fmgr.h"
#include "funcapi.h"
#include "utils/builtins.h"

#include "api/args.h"
#include "api/record.h"
#include "engine/engine.h"
#include "core/address.h"
#include "protocol/encode.h"
#include "server/clock.h"
#include "worker/call.h"

#define DEQUEUE_LIMIT_DEFAULT	100
#define DEQUEUE_LIMIT_MAX		10000

PG_FUNCTION_INFO_V1(resonate_outbox_channel);
PG_FUNCTION_INFO_V1(resonate_process_timeouts);
PG_FUNCTION_INFO_V1(resonate_dequeue_execute);
PG_FUNCTION_INFO_V1(resonate_dequeue_unblock);

/*
 * An address as the protocol has it, which is any string: a target need not be
 * one that this extension could send to.
 */
static text *
check_queue(text *address)
{
	return rsn_check_id(address, RSN_ADDRESS_LEN_MAX, "address", 0);
}

static int
check_limit(FunctionCallInfo fcinfo, int arg)
{
	return rsn_check_limit(RSN_ARG_INT32(arg, DEQUEUE_LIMIT_DEFAULT),
						   DEQUEUE_LIMIT_MAX);
}

/* resonate.outbox_channel(address) */
Datum
resonate_outbox_channel(PG_FUNCTION_ARGS)
{
	text	   *address = check_queue(RSN_ARG_TEXT(0));

	PG_RETURN_TEXT_P(cstring_to_text(rsn_engine_channel(address)));
}

/* resonate.process_timeouts() */
Datum
resonate_process_timeouts(PG_FUNCTION_ARGS)
{
	PG_RETURN_INT32(rsn_call_process_timeouts(rsn_clock_now()));
}

static void
set_execute(Datum *values, bool *nulls, int i, const void *arg)
{
	const RsnTaskRow *row = &((const RsnTaskRow *) arg)[i];

	rsn_set_varlena(values, nulls, 0, row->id);
	rsn_set_datum(values, nulls, 1, Int32GetDatum(row->core.version));
}

/* resonate.dequeue_execute(address, limit) */
Datum
resonate_dequeue_execute(PG_FUNCTION_ARGS)
{
	text	   *address = check_queue(RSN_ARG_TEXT(0));
	int			limit = check_limit(fcinfo, 1);
	RsnTaskRow *rows;
	int			n;

	InitMaterializedSRF(fcinfo, 0);
	n = rsn_engine_dequeue_tasks(address, limit, rsn_clock_now(), &rows);
	rsn_put_rows(fcinfo, n, set_execute, rows);
	return (Datum) 0;
}

static void
set_unblock(Datum *values, bool *nulls, int i, const void *arg)
{
	const RsnMessageRow *row = &((const RsnMessageRow *) arg)[i];

	rsn_set_datum(values, nulls, 0,
				  JsonbPGetDatum(JsonbValueToJsonb(rsn_json_promise(&row->promise))));
}

/* resonate.dequeue_unblock(address, limit) */
Datum
resonate_dequeue_unblock(PG_FUNCTION_ARGS)
{
	text	   *address = check_queue(RSN_ARG_TEXT(0));
	int			limit = check_limit(fcinfo, 1);
	RsnMessageRow *rows;
	int			nshown = 0;
	int			n;

	InitMaterializedSRF(fcinfo, MAT_SRF_USE_EXPECTED_DESC);
	n = rsn_engine_dequeue_unblock(address, limit, rsn_clock_now(), &rows);
	for (int i = 0; i < n; i++)
	{
		if (rows[i].has_promise)
			rows[nshown++] = rows[i];
	}
	rsn_put_rows(fcinfo, nshown, set_unblock, rows);
	return (Datum) 0;
}
