/*-------------------------------------------------------------------------
 *
 * api/trigger_row.h
 *	  What the triggers on our tables share.
 *
 *-------------------------------------------------------------------------
 */
#ifndef RSN_API_TRIGGER_ROW_H
#define RSN_API_TRIGGER_ROW_H

#include "commands/trigger.h"
#include "fmgr.h"

/* Operations, for a set of them. */
#define RSN_ON_INSERT	(1 << TRIGGER_EVENT_INSERT)
#define RSN_ON_UPDATE	(1 << TRIGGER_EVENT_UPDATE)
#define RSN_ON_DELETE	(1 << TRIGGER_EVENT_DELETE)
#define RSN_ON_TRUNCATE	(1 << TRIGGER_EVENT_TRUNCATE)

/* What a trigger function of ours is made for. */
typedef struct RsnGuardUse
{
	const char *function;
	const char *table;			/* NULL: any of ours, once a statement */
	TriggerEvent timing;		/* TRIGGER_EVENT_BEFORE or _AFTER */
	int			operations;
	const char *events;			/* the same in words */
} RsnGuardUse;

extern TriggerData *rsn_guard_get_trigger(FunctionCallInfo fcinfo,
										  const RsnGuardUse *use);

#endif							/* RSN_API_TRIGGER_ROW_H */
