/*-------------------------------------------------------------------------
 *
 * signal/slot.c
 *	  Shared memory: who works for which database, and who waits for what.
 *
 * The struct is small enough for the slack of the main segment, so it is there
 * with or without shared_preload_libraries; the rings, which are not, need it.
 * Nothing here survives a restart, and nothing has to: all of it is a
 * hint about rows.
 *
 * States of a slot, and who takes it from one to the other:
 *
 *		FREE		database_id is invalid
 *		OWNED		it has a database, and no worker: proc_number is RSN_NO_PROC
 *		MANNED		it has a worker
 *
 *		FREE -> OWNED		rsn_slot_for, under the exclusive lock
 *		OWNED -> MANNED		rsn_place_take (worker/place.c), by compare and exchange, so
 *							that a database has one worker at most
 *		MANNED -> OWNED		detach (worker/place.c), when the process ends
 *		OWNED -> OWNED		rsn_slot_for, for another database, if no slot is FREE
 *
 * A slot that is MANNED is not given away.  But rsn_place_take does not hold the lock:
 * a worker that takes its place while its slot is given away is not noticed.
 *
 * A database has one slot at most.  What a process keeps of it is a pointer that it
 * compares each time with the database (my_slot).  waiters[i] is not zero only between
 * rsn_wake_watch and rsn_wake_unwatch of process i, which an error and the end of the
 * process call as well.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "mb/pg_wchar.h"
#include "miscadmin.h"
#include "storage/ipc.h"
#include "storage/latch.h"
#include "storage/proc.h"
#include "storage/shmem.h"

#include "server/clock.h"
#include "signal/slot.h"

/* What a worker can be handed between two of its turns: some 700 callbacks. */
#define RING_SIZE	(32 * 1024)

/*
 * So many databases at least can have a slot where a launcher shares the processes:
 * it goes by what is in the slots of those that have none.
 */
#define SHARING_SLOTS	64

static RsnShared *shared = NULL;
static RsnSlot *my_slot = NULL;
static bool is_preloaded = false;
static shmem_request_hook_type prev_shmem_request_hook = NULL;
static shmem_startup_hook_type prev_shmem_startup_hook = NULL;

/*
 * A database with a worker takes a process of max_worker_processes, so no more than
 * these can be in use.
 */
static int
count_slots(void)
{
	return Max(max_worker_processes, is_preloaded ? SHARING_SLOTS : 1);
}

static Size
shared_size(void)
{
	Size		size = MAXALIGN(sizeof(RsnShared));

	size = add_size(size, mul_size(count_slots(), sizeof(RsnSlot)));
	size = add_size(size, mul_size(MaxBackends, sizeof(pg_atomic_uint64)));
	if (is_preloaded)
		size = add_size(size, mul_size(count_slots(), RING_SIZE));
	return size;
}

/* True if the library is in shared_preload_libraries. */
bool
rsn_shared_is_preloaded(void)
{
	return is_preloaded;
}

static void
init_slot(RsnSlot *slot, Oid database_id)
{
	Assert(!OidIsValid(database_id) ||
		   LWLockHeldByMeInMode(&shared->lock, LW_EXCLUSIVE));
	slot->database_id = database_id;
	pg_atomic_init_u32(&slot->proc_number, RSN_NO_PROC);
	pg_atomic_init_u32(&slot->pid, 0);
	pg_atomic_init_u32(&slot->last_exit, RSN_EXIT_FAILED);
	pg_atomic_init_u32(&slot->is_wanted, 0);
	pg_atomic_init_u32(&slot->is_waiting, 0);
	pg_atomic_init_u32(&slot->is_resting, 0);
	pg_atomic_init_u32(&slot->failing_steps, 0);
	pg_atomic_init_u32(&slot->must_reconcile, RSN_RECONCILE_NO);
	pg_atomic_init_u32(&slot->must_deliver, 0);
	pg_atomic_init_u32(&slot->must_offer, 0);
	pg_atomic_init_u32(&slot->is_paused, 0);
	pg_atomic_init_u32(&slot->must_poll, 1);	/* some may be from before */
	pg_atomic_init_u32(&slot->must_expire, 0);
	pg_atomic_init_u32(&slot->may_be_left, 1);
	pg_atomic_init_u64(&slot->wake_at_ms, RSN_TIME_NEVER);
	pg_atomic_init_u64(&slot->told_ms, RSN_TIME_NEVER);
	pg_atomic_init_u64(&slot->started_at_ms, 0);
	pg_atomic_init_u64(&slot->active_at_ms, 0);
	pg_atomic_init_u64(&slot->requested_at_ms, 0);
	for (int i = 0; i < RSN_NCOUNTERS; i++)
		pg_atomic_init_u64(&slot->counters[i], 0);

	SpinLockAcquire(&slot->last_error.lock);
	slot->last_error.at_ms = 0;
	SpinLockRelease(&slot->last_error.lock);

	SpinLockAcquire(&slot->ring.lock);
	slot->ring.start = 0;
	slot->ring.used = 0;
	slot->ring.set_aside = 0;
	SpinLockRelease(&slot->ring.lock);
}

/* Gives each slot a ring of its own, behind everything else. */
static void
init_rings(RsnShared *new_shared)
{
	char	   *bytes = (char *) (new_shared->waiters + new_shared->nwaiters);

	Assert(new_shared->nslots == count_slots());
	for (int i = 0; i < new_shared->nslots; i++)
	{
		RsnRing    *ring = &new_shared->slots[i].ring;

		SpinLockInit(&new_shared->slots[i].last_error.lock);
		SpinLockInit(&ring->lock);
		ring->size = is_preloaded ? RING_SIZE : 0;
		ring->bytes = bytes + (Size) i * RING_SIZE;
	}
}

static void
init_shared(RsnShared *new_shared)
{
	new_shared->tranche_id = LWLockNewTrancheId();
	LWLockInitialize(&new_shared->lock, new_shared->tranche_id);
	new_shared->nslots = count_slots();
	new_shared->nwaiters = MaxBackends;
	new_shared->slots = (RsnSlot *)
		((char *) new_shared + MAXALIGN(sizeof(RsnShared)));
	new_shared->waiters = (pg_atomic_uint64 *)
		(new_shared->slots + new_shared->nslots);
	pg_atomic_init_u32(&new_shared->launcher_proc_number, RSN_NO_PROC);
	pg_atomic_init_u32(&new_shared->nwaiting, 0);
	pg_atomic_init_u32(&new_shared->waiting, 0);
	init_rings(new_shared);
	for (int i = 0; i < new_shared->nslots; i++)
		init_slot(&new_shared->slots[i], InvalidOid);
	for (int i = 0; i < new_shared->nwaiters; i++)
		pg_atomic_init_u64(&new_shared->waiters[i], 0);
}

static void
attach_shared(void)
{
	bool		found;
	RsnShared  *attached;

	LWLockAcquire(AddinShmemInitLock, LW_EXCLUSIVE);
	attached = ShmemInitStruct("resonate", shared_size(), &found);
	if (!found)
		init_shared(attached);
	LWLockRelease(AddinShmemInitLock);
	LWLockRegisterTranche(attached->tranche_id, "resonate");
	shared = attached;
}

static void
request_shared(void)
{
	Assert(is_preloaded);
	if (prev_shmem_request_hook)
		prev_shmem_request_hook();
	RequestAddinShmemSpace(shared_size());
}

static void
startup_shared(void)
{
	if (prev_shmem_startup_hook)
		prev_shmem_startup_hook();

	/* After a crash the old segment is gone; attach to the new one. */
	shared = NULL;
	my_slot = NULL;
	attach_shared();
}

/* Asks for the memory, where the library is preloaded. */
void
rsn_shared_init(void)
{
	if (!process_shared_preload_libraries_in_progress)
		return;
	is_preloaded = true;
	prev_shmem_request_hook = shmem_request_hook;
	shmem_request_hook = request_shared;
	prev_shmem_startup_hook = shmem_startup_hook;
	shmem_startup_hook = startup_shared;
}

/* The shared struct; attaches at first use. */
RsnShared *
rsn_shared(void)
{
	if (shared == NULL)
		attach_shared();
	return shared;
}

/*
 * The slot of a database, which this call makes if there is none.  A slot whose
 * worker is gone is taken over when all are in use; NULL when none is free.
 */
RsnSlot *
rsn_slot_for(Oid database_id)
{
	RsnShared  *all = rsn_shared();
	RsnSlot    *free_slot = NULL;
	RsnSlot    *slot = NULL;

	Assert(OidIsValid(database_id));
	if (my_slot != NULL && my_slot->database_id == database_id)
		return my_slot;

	LWLockAcquire(&all->lock, LW_EXCLUSIVE);
	for (int i = 0; i < all->nslots && slot == NULL; i++)
	{
		RsnSlot    *candidate = &all->slots[i];

		if (candidate->database_id == database_id)
			slot = candidate;
		else if (!OidIsValid(candidate->database_id) ||
				 (free_slot == NULL &&
				  pg_atomic_read_u32(&candidate->proc_number) == RSN_NO_PROC))
			free_slot = candidate;
	}
	if (slot == NULL && free_slot != NULL)
	{
		slot = free_slot;
		init_slot(slot, database_id);
	}
	LWLockRelease(&all->lock);

	if (database_id == MyDatabaseId)
		my_slot = slot;
	return slot;
}

/* The slot of a database, or NULL if it has none. */
RsnSlot *
rsn_slot_find(Oid database_id)
{
	RsnShared  *all = rsn_shared();
	RsnSlot    *slot = NULL;

	Assert(OidIsValid(database_id));
	LWLockAcquire(&all->lock, LW_SHARED);
	for (int i = 0; i < all->nslots && slot == NULL; i++)
	{
		if (all->slots[i].database_id == database_id)
			slot = &all->slots[i];
	}
	LWLockRelease(&all->lock);
	return slot;
}

/* Adds to a counter of this database's slot. */
void
rsn_slot_count(RsnCounter counter, uint64 n)
{
	RsnSlot    *slot = rsn_slot_for(MyDatabaseId);

	Assert((int) counter >= 0 && (int) counter < RSN_NCOUNTERS);
	if (slot != NULL)
		pg_atomic_fetch_add_u64(&slot->counters[counter], n);
}

/* Notes the last error of a worker; what is too long of its text is left out. */
void
rsn_slot_note_error(RsnSlot *slot, const char *activity,
					const ErrorData *error, int64 now_ms)
{
	RsnLastError *last = &slot->last_error;
	const char *message = error->message == NULL ? "" : error->message;
	int			len = pg_mbcliplen(message, (int) strlen(message),
								   RSN_ERROR_TEXT_MAX - 1);

	Assert(len < RSN_ERROR_TEXT_MAX);
	SpinLockAcquire(&last->lock);
	last->at_ms = now_ms;
	last->sqlstate = error->sqlerrcode;
	strlcpy(last->activity, activity, sizeof(last->activity));
	memcpy(last->text, message, len);
	last->text[len] = '\0';
	SpinLockRelease(&last->lock);
}

/* The last error of a worker; its instant is zero if there was none. */
RsnLastError
rsn_slot_last_error(RsnSlot *slot)
{
	RsnLastError result;

	SpinLockAcquire(&slot->last_error.lock);
	result = slot->last_error;
	SpinLockRelease(&slot->last_error.lock);
	return result;
}

/* Has every worker look at what this struct says. */
void
rsn_shared_wake_workers(void)
{
	RsnShared  *all = rsn_shared();

	for (int i = 0; i < all->nslots; i++)
		rsn_shared_wake_proc(pg_atomic_read_u32(&all->slots[i].proc_number));
}

/* Sets the latch of a process; one that is gone is not harmed by it. */
void
rsn_shared_wake_proc(uint32 proc_number)
{
	Assert(proc_number == RSN_NO_PROC ||
		   proc_number < ProcGlobal->allProcCount);
	if (proc_number != RSN_NO_PROC)
		SetLatch(&ProcGlobal->allProcs[proc_number].procLatch);
}
