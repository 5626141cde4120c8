/*-------------------------------------------------------------------------
 *
 * signal/slot.h
 *	  Shared memory: who works for which database, and who waits for what.
 *
 * All fields but those marked "lock" are atomics, read and written without
 * one, so that a commit callback can use them.  It can use a ring as well, whose
 * spinlock is held for as long as it takes to copy a few kilobytes.
 *
 *-------------------------------------------------------------------------
 */
#ifndef RSN_SIGNAL_SLOT_H
#define RSN_SIGNAL_SLOT_H

#include "port/atomics.h"
#include "storage/lwlock.h"
#include "storage/spin.h"

#define RSN_NO_PROC		PG_UINT32_MAX

/* How the last worker of a database ended; tells the launcher what to do. */
typedef enum RsnWorkerExit
{
	RSN_EXIT_FAILED,			/* start another one, after a delay */
	RSN_EXIT_ABSENT,			/* no extension in this database */
	RSN_EXIT_YIELDED,			/* somebody needs the database for himself */
	RSN_EXIT_OFF,				/* resonate.worker is off there */
	RSN_EXIT_TURN				/* another database has waited for its turn */
} RsnWorkerExit;

/* Why there may be rows that do not go together. */
typedef enum RsnReconcile
{
	RSN_RECONCILE_NO,
	RSN_RECONCILE_MORE,			/* there was more than one step can do */
	RSN_RECONCILE_FOREIGN_ROWS	/* rows came past our functions */
} RsnReconcile;

/* What the worker of a database has done since it started. */
typedef enum RsnCounter
{
	RSN_COUNT_SWEEPS,
	RSN_COUNT_TIMED_OUT,
	RSN_COUNT_DELIVERIES,
	RSN_COUNT_NOTIFICATIONS,
	RSN_COUNT_DELIVERY_FAILURES,
	RSN_COUNT_PRUNED,
	RSN_COUNT_SET_ASIDE,
	RSN_COUNT_LEASES_ENDED,
	RSN_COUNT_OCCURRENCES,
	RSN_COUNT_MISSED,
	RSN_COUNT_EXPIRED,
	RSN_COUNT_FAILURES
} RsnCounter;

#define RSN_NCOUNTERS (RSN_COUNT_FAILURES + 1)

/* What is kept of the message of an error, in bytes. */
#define RSN_ERROR_TEXT_MAX 256

/* The last error of a worker that was no fault of a lock. */
typedef struct RsnLastError
{
	slock_t		lock;			/* over all */
	int64		at_ms;			/* zero: there was none */
	int			sqlstate;
	char		activity[16];	/* the step, say */
	char text[	RSN_ERROR_TEXT_MAX];
} RsnLastError;

/* Bytes on their way from transactions to the worker; see signal/handoff.c. */
typedef struct RsnRing
{
	slock_t		lock;			/* over all but bytes and size */
	char	   *bytes;
	int			size;			/* zero: there is none */
	int			start;			/* of what is used */
	int			used;
	int			set_aside;		/* for transactions that are not committed */
} RsnRing;

typedef struct RsnSlot
{
	Oid			database_id;	/* lock; InvalidOid: free */
	pg_atomic_uint32 proc_number;	/* of the worker, or RSN_NO_PROC */
	pg_atomic_uint32 pid;		/* of the worker, or 0 */
	pg_atomic_uint32 last_exit; /* RsnWorkerExit */
	pg_atomic_uint32 is_wanted; /* launcher: start a worker */
	pg_atomic_uint32 is_waiting;	/* there is no process for it */
	pg_atomic_uint32 is_resting;	/* its worker has made room for another */
	pg_atomic_uint32 failing_steps; /* a bit for each whose last run failed */
	pg_atomic_uint32 must_reconcile;	/* RsnReconcile */
	pg_atomic_uint32 must_deliver;	/* something is to be delivered */
	pg_atomic_uint32 must_offer;	/* something can be dequeued; tell of it */
	pg_atomic_uint32 must_poll; /* counts PREPAREs; zero: nothing prepared is
								 * left */
	pg_atomic_uint32 must_expire;	/* searches meet what has lapsed */
	pg_atomic_uint32 may_be_left;	/* reconcile when none is left */
	pg_atomic_uint32 is_paused; /* by debug.start of the wire protocol */

	/*
	 * Nothing was due before this instant when the worker looked last, so it
	 * need not be told of a later deadline.  RSN_TIME_NEVER while it looks:
	 * then it must be told of everything.
	 */
	pg_atomic_uint64 wake_at_ms;
	pg_atomic_uint64 told_ms;	/* the earliest it was told of since */
	pg_atomic_uint64 started_at_ms;
	pg_atomic_uint64 active_at_ms;
	pg_atomic_uint64 requested_at_ms;	/* last attempt to have it started */
	pg_atomic_uint64 counters[RSN_NCOUNTERS];
	RsnLastError last_error;
	RsnRing		ring;
} RsnSlot;

/* In place of the key of what a session awaits: a commit has told it. */
#define RSN_AWAITED_TOLD PG_UINT64_MAX

typedef struct RsnShared
{
	LWLock		lock;			/* over the database_id of slots */
	int			tranche_id;
	int			nslots;
	int			nwaiters;
	pg_atomic_uint32 launcher_proc_number;	/* or RSN_NO_PROC */
	pg_atomic_uint32 nwaiting;	/* databases that have work and no process */
	pg_atomic_uint32 waiting;	/* how many sessions wait for a promise */
	RsnSlot    *slots;
	pg_atomic_uint64 *waiters;	/* by proc number: awaited key, 0, or
								 * RSN_AWAITED_TOLD */
} RsnShared;

extern void rsn_shared_init(void);
extern bool rsn_shared_is_preloaded(void);
extern RsnShared *rsn_shared(void);
extern RsnSlot *rsn_slot_for(Oid database_id);
extern RsnSlot *rsn_slot_find(Oid database_id);
extern void rsn_slot_count(RsnCounter counter, uint64 n);
extern void rsn_slot_note_error(RsnSlot *slot, const char *activity,
								const ErrorData *error, int64 now_ms);
extern RsnLastError rsn_slot_last_error(RsnSlot *slot);
extern void rsn_shared_wake_proc(uint32 proc_number);
extern void rsn_shared_wake_workers(void);

#endif							/* RSN_SIGNAL_SLOT_H */
