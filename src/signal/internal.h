/*-------------------------------------------------------------------------
 *
 * signal/internal.h
 *	  What a transaction notes until it commits: signal/wake_note.c writes it,
 *	  signal/wake.c tells of it.
 *
 *-------------------------------------------------------------------------
 */
#ifndef RSN_SIGNAL_INTERNAL_H
#define RSN_SIGNAL_INTERNAL_H

#include "signal/handoff.h"

/* More promises than this in one transaction: every waiter looks for itself. */
#define RSN_KEYS_COMPARED 64

typedef struct RsnXactNotes
{
	bool		has_message;	/* there is something to deliver */
	bool		has_offer;		/* there is something to dequeue, somewhere */
	bool		has_foreign_rows;	/* it must look for settled callbacks */
	bool		has_left;		/* the same, for its own transaction's */
	bool		wants_start;	/* CREATE EXTENSION: have it started */
	int64		first_deadline_ms;	/* earliest deadline armed; zero: now */
	RsnHandoffList handed;		/* to the worker, in TopTransactionContext */
	RsnSlot    *slot;			/* where that list is to go */
	bool		is_refused;		/* nothing more is handed over */
	int			last_offer;		/* position of the last address in it */
	int			last_offer_len; /* zero: none */
	uint64		keys[RSN_KEYS_COMPARED];	/* promises written */
	int			nkeys;			/* one more than fit: all there may be */
	RsnHandoffKind last_offer_kind;
} RsnXactNotes;

extern uint64 rsn_wake_promise_key(const char *id, size_t id_len);
extern RsnXactNotes *rsn_wake_notes(void);
extern void rsn_wake_forget_notes(void);

#endif							/* RSN_SIGNAL_INTERNAL_H */
