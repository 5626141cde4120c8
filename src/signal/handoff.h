/*-------------------------------------------------------------------------
 *
 * signal/handoff.h
 *	  What committed transactions hand to the worker through shared memory.
 *
 *-------------------------------------------------------------------------
 */
#ifndef RSN_SIGNAL_HANDOFF_H
#define RSN_SIGNAL_HANDOFF_H

#include "storage/itemptr.h"

#include "core/promise.h"
#include "signal/slot.h"

typedef enum RsnHandoffKind
{
	RSN_HANDOFF_CALLBACK,		/* a callback whose promise has settled */
	RSN_HANDOFF_OFFER,			/* an address that has a task to dequeue */
	RSN_HANDOFF_UNBLOCK,		/* one that has a message */
	RSN_HANDOFF_LEFT			/* a settled promise for which some still wait */
} RsnHandoffKind;

#define RSN_HANDOFF_NKINDS (RSN_HANDOFF_LEFT + 1)

typedef struct RsnHandoff
{
	RsnHandoffKind kind;
	RsnPromiseState state;		/* of the promise; callbacks only */
	ItemPointerData tid;		/* of the callback; callbacks only */
	const char *text;			/* the id of the promise, or the address */
	int			text_len;
} RsnHandoff;

/* Handoffs one after the other, in one process; all zeroes is none. */
typedef struct RsnHandoffList
{
	char	   *bytes;
	int			len;
	int			size;
} RsnHandoffList;

extern bool rsn_handoff_add(RsnSlot *slot, RsnHandoffList *list,
							MemoryContext context, const RsnHandoff *handoff);
extern void rsn_handoff_commit(RsnSlot *slot, const RsnHandoffList *list);
extern void rsn_handoff_abort(RsnSlot *slot, const RsnHandoffList *list);

extern void rsn_handoff_append(RsnHandoffList *list, MemoryContext context,
							   const void *bytes, int len);
extern void rsn_handoff_take(RsnSlot *slot, RsnHandoffList *lists);
extern void rsn_handoff_drop_all(RsnSlot *slot);
extern bool rsn_handoff_next(const RsnHandoffList *list, int *position,
							 RsnHandoff *handoff);
extern text *rsn_handoff_text(const RsnHandoff *handoff);

#endif							/* RSN_SIGNAL_HANDOFF_H */
