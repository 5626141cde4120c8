/*-------------------------------------------------------------------------
 *
 * api/record_task.h
 *	  Rows of the result types of the functions on tasks.
 *
 *-------------------------------------------------------------------------
 */
#ifndef RSN_API_RECORD_TASK_H
#define RSN_API_RECORD_TASK_H

#include "fmgr.h"
#include "engine/engine.h"

extern Datum rsn_record_task(FunctionCallInfo fcinfo,
							 const RsnTaskOutcome *outcome);
extern Datum rsn_record_fence(FunctionCallInfo fcinfo, text *inner_id,
							  const RsnFenceOutcome *outcome);
extern void rsn_put_tasks(FunctionCallInfo fcinfo, const RsnTaskRow *rows,
						  int n, text *cursor);

#endif							/* RSN_API_RECORD_TASK_H */
