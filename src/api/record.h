/*-------------------------------------------------------------------------
 *
 * api/record.h
 *	  Rows of the result types of the typed functions.
 *
 *-------------------------------------------------------------------------
 */
#ifndef RSN_API_RECORD_H
#define RSN_API_RECORD_H

#include "fmgr.h"
#include "engine/engine.h"

/* Columns of a promise in each of the result types. */
#define RSN_PROMISE_NCOLUMNS 15

/* Sets the columns of a row, which are NULL until then. */
typedef void (*RsnSetRow) (Datum *values, bool *nulls, int i,
						   const void *arg);

extern void rsn_set_null(Datum *values, bool *nulls, int n);
extern void rsn_set_datum(Datum *values, bool *nulls, int i, Datum value);
extern void rsn_set_varlena(Datum *values, bool *nulls, int i,
							const void *value);
extern void rsn_set_time(Datum *values, bool *nulls, int i, int64 ms);
extern void rsn_set_interval(Datum *values, bool *nulls, int i, int64 ms);
extern void rsn_set_payload(Datum *values, bool *nulls, int i,
							const RsnPayload *payload);
extern void rsn_set_promise(Datum *values, bool *nulls,
							const RsnPromiseRow *row);

extern void rsn_put_page(FunctionCallInfo fcinfo, int n, text *cursor,
						 RsnSetRow set_row, const void *arg);
extern void rsn_put_rows(FunctionCallInfo fcinfo, int n, RsnSetRow set_row,
						 const void *arg);
extern Datum rsn_record_promise(FunctionCallInfo fcinfo,
								const RsnOutcome *outcome);
extern Datum rsn_record_callback(FunctionCallInfo fcinfo,
								 const RsnOutcome *outcome);
extern void rsn_put_outcomes(FunctionCallInfo fcinfo,
							 const RsnOutcome *outcomes, int n);
extern void rsn_put_found(FunctionCallInfo fcinfo, const RsnPromiseRow *rows,
						  int n, text *cursor);
extern void rsn_put_messages(FunctionCallInfo fcinfo,
							 const RsnMessageRow *rows, int n);
extern Datum rsn_record_form(FunctionCallInfo fcinfo, Datum *values,
							 bool *nulls);

#endif							/* RSN_API_RECORD_H */
