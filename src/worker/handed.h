/*-------------------------------------------------------------------------
 *
 * worker/handed.h
 *	  What committed transactions have handed to this process, being the worker.
 *
 *-------------------------------------------------------------------------
 */
#ifndef RSN_WORKER_HANDED_H
#define RSN_WORKER_HANDED_H

#include "signal/handoff.h"

extern void rsn_handed_init(void);
extern void rsn_handed_fetch(RsnSlot *slot);
extern const RsnHandoffList *rsn_handed_take(RsnHandoffKind kind);
extern bool rsn_handed_has(RsnHandoffKind kind);
extern bool rsn_handed_drop(RsnHandoffKind kind, bool is_all);
extern text *rsn_handed_first(RsnHandoffKind kind);
extern void rsn_handed_pass_first(RsnHandoffKind kind, bool must_keep);
extern bool rsn_handed_has_put_by(void);
extern void rsn_handed_take_put_by(void);

#endif							/* RSN_WORKER_HANDED_H */
