/*-------------------------------------------------------------------------
 *
 * signal/wake.h
 *	  Waking the worker and the waiting sessions when a transaction commits.
 *
 *-------------------------------------------------------------------------
 */
#ifndef RSN_SIGNAL_WAKE_H
#define RSN_SIGNAL_WAKE_H

#include "signal/handoff.h"

extern void rsn_wake_init(void);

extern void rsn_wake_note_promise(const char *id, size_t id_len);
extern void rsn_wake_note_all_promises(void);
extern void rsn_wake_note_deadline(int64 deadline_ms);
extern void rsn_wake_note_message(void);
extern bool rsn_wake_can_hand_over(void);
extern bool rsn_wake_hand_over(const text *promise_id, RsnPromiseState state,
							   const ItemPointerData *tids, int n);
extern RsnHandoffList rsn_wake_take_back(void);
extern void rsn_wake_note_offer(const text *address);
extern void rsn_wake_note_unblock(const text *address);
extern bool rsn_wake_can_leave(void);
extern void rsn_wake_note_left(const text *promise_id);
extern void rsn_wake_note_foreign_rows(void);
extern void rsn_wake_note_start(void);
extern void rsn_wake_ask_to_expire(void);

extern void rsn_wake_watch(const char *id, size_t id_len);
extern bool rsn_wake_begin_look(void);
extern bool rsn_wake_is_told(void);
extern void rsn_wake_unwatch(void);

#endif							/* RSN_SIGNAL_WAKE_H */
