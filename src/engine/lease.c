/*-------------------------------------------------------------------------
 *
 * engine/lease.c
 *	  Lock, read, decide, write: leases kept and ended, tasks offered.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "common/hashfn.h"
#include "utils/builtins.h"

#include "engine/caller.h"
#include "engine/internal.h"
#include "core/address.h"
#include "server/clock.h"
#include "server/guc.h"
#include "server/id.h"

/* True for an address that the worker itself notifies of each offer. */
static bool
is_told_unasked(const text *address)
{
	return rsn_address_is_notify(VARDATA_ANY(address),
								 VARSIZE_ANY_EXHDR(address));
}

/*
 * What part of the retry timeout a session waits for a task that was given back, in
 * case it speaks for the process that did.
 */
#define UNKNOWN_WAIT_PART	5

/*
 * How long a task waits after setbacks.  The jitter comes from what the task is,
 * so that tasks which failed together do not come back together, and a test
 * that runs twice sees the same.
 */
RsnRetryPolicy
rsn_engine_retry_policy(const RsnTaskRow *row)
{
	RsnRetryPolicy policy;
	uint32		hash = hash_bytes((unsigned char *) VARDATA_ANY(row->id),
								  VARSIZE_ANY_EXHDR(row->id));

	hash = murmurhash32(hash ^ (uint32) row->core.version);
	policy.timeout_ms = rsn_guc_retry_timeout_ms;
	policy.timeout_max_ms = Max(rsn_guc_retry_timeout_max_ms,
								rsn_guc_retry_timeout_ms);
	policy.backoff = rsn_guc_retry_backoff;
	policy.jitter = 0.2 * ((double) hash / (double) PG_UINT32_MAX);
	policy.offer_backoff = is_told_unasked(row->address) ? policy.backoff : 1;
	policy.is_immediate = rsn_guc_profile == RSN_PROFILE_STRICT;
	policy.is_preferring =
		rsn_address_group_len(VARDATA_ANY(row->address),
							  VARSIZE_ANY_EXHDR(row->address)) > 0;

	/* Who listens on a channel hears of every offer. */
	policy.is_withholding = !is_told_unasked(row->address);
	return policy;
}

/* Where others than the process that a task is for are offered it. */
text *
rsn_engine_others_address(text *address)
{
	size_t		len = rsn_address_group_len(VARDATA_ANY(address),
											VARSIZE_ANY_EXHDR(address));

	return len == 0 ? address
		: cstring_to_text_with_len(VARDATA_ANY(address), (int) len);
}

/* Extends the lease of a locked task, if it is held by the process; true if so. */
static bool
extend_lease(RsnTaskRow *row, int32 version, const text *pid, int64 now_ms)
{
	bool		is_holder = row->pid != NULL && rsn_id_equals(row->pid, pid);
	RsnTaskDecision decision = rsn_task_heartbeat(&row->core, version,
												  is_holder, now_ms);

	Assert(is_holder || !decision.is_changed);
	if (decision.is_changed)
		rsn_engine_write_task(row, &decision, now_ms);
	return decision.is_changed;
}

/*
 * The ids of those tasks that a process holds, as far as can be told without a lock:
 * nobody locks a task of somebody else to find that out.
 */
static int
list_held(text *pid, const RsnTaskRef *refs, int n, text **ids)
{
	int64		now_ms = rsn_clock_now();
	int			nheld = 0;

	for (int i = 0; i < n; i++)
	{
		RsnTaskRow *row = rsn_store_read_task(refs[i].id);

		if (row != NULL && row->pid != NULL &&
			rsn_id_equals(row->pid, pid) &&
			rsn_task_heartbeat(&row->core, refs[i].version, true,
							   now_ms).is_changed)
			ids[nheld++] = refs[i].id;
	}
	return nheld;
}

/*
 * Extends leases of a process; returns how many, each once.  What it does not hold is
 * left alone.
 */
int
rsn_engine_heartbeat(text *pid, const RsnTaskRef *refs, int n)
{
	text	  **ids = palloc(sizeof(text *) * Max(n, 1));
	RsnTaskSet	tasks;
	bool	   *is_extended;
	int64		now_ms;
	int			nextended = 0;

	rsn_caller_note(pid);
	rsn_store_begin();
	tasks.n = rsn_store_lock_tasks(ids, list_held(pid, refs, n, ids),
								   &tasks.rows);
	Assert(rsn_engine_is_in_order(&tasks));
	is_extended = palloc0(sizeof(bool) * Max(tasks.n, 1));
	now_ms = rsn_clock_now();
	for (int i = 0; i < n; i++)
	{
		RsnTaskRow *row = rsn_engine_find_task(&tasks, refs[i].id);

		if (row == NULL || is_extended[row - tasks.rows] ||
			!extend_lease(row, refs[i].version, pid, now_ms))
			continue;
		is_extended[row - tasks.rows] = true;
		nextended++;
	}
	rsn_store_end();
	return nextended;
}

/* Extends all leases of a process; returns how many. */
int
rsn_engine_heartbeat_all(text *pid)
{
	RsnTaskRow *rows;
	int64		now_ms;
	int			nextended = 0;
	int			n;

	rsn_caller_note(pid);
	rsn_store_begin();
	n = rsn_store_lock_tasks_of_pid(pid, &rows);
	now_ms = rsn_clock_now();
	for (int i = 0; i < n; i++)
	{
		if (extend_lease(&rows[i], rows[i].core.version, pid, now_ms))
			nextended++;
	}
	rsn_store_end();
	return nextended;
}

static void
end_lease(RsnTaskRow *row, int64 now_ms)
{
	RsnRetryPolicy policy = rsn_engine_retry_policy(row);
	RsnTaskDecision decision = rsn_task_end_lease(&row->core, &policy, now_ms);

	rsn_engine_write_task(row, &decision, now_ms);
}

/* Puts one task back, if its lease has ended and nobody works on it; returns how many. */
int
rsn_engine_end_lease(text *id, int64 now_ms)
{
	RsnTaskRow *row;
	text	  **busy;
	int			nbusy;
	int			n;

	rsn_store_begin();
	n = rsn_store_try_lock_tasks(&id, 1, &row, &busy, &nbusy);
	if (n > 0)
		end_lease(row, now_ms);
	rsn_store_end();
	return n;
}

/* Puts at most limit tasks back whose lease has ended, not before from. */
int
rsn_engine_end_leases(int64 from_ms, int64 now_ms, int limit,
					  text *const *set_aside, int nset_aside)
{
	RsnTaskRow *rows;
	int			n;

	rsn_store_begin();
	n = rsn_store_lock_ended_leases(from_ms, now_ms, limit, set_aside, nset_aside,
									&rows);
	for (int i = 0; i < n; i++)
		end_lease(&rows[i], now_ms);
	rsn_store_end();
	return n;
}

typedef RsnTaskDecision (*OfferRule) (const RsnTask *stored,
									  const RsnRetryPolicy *policy,
									  int64 now_ms);

static void
offer_tasks(RsnTaskRow *rows, int n, OfferRule rule, int64 now_ms)
{
	for (int i = 0; i < n; i++)
	{
		RsnRetryPolicy policy = rsn_engine_retry_policy(&rows[i]);
		RsnTaskDecision decision = rule(&rows[i].core, &policy, now_ms);

		rsn_engine_write_task(&rows[i], &decision, now_ms);
	}
}

static bool
is_one_of(text *const *ids, int n, const text *id)
{
	for (int i = 0; i < n; i++)
	{
		if (rsn_id_equals(ids[i], id))
			return true;
	}
	return false;
}

/* What part of the tasks that are asked for is left to those that others may have. */
#define OTHERS_PART	8

/* Offers at most limit tasks of an address that are due, the longest due first. */
static int
dequeue_own(text *address, int limit, int64 now_ms, RsnTaskRow *rows)
{
	int			n = rsn_store_lock_due_tasks(address, now_ms, limit, rows);

	offer_tasks(rows, n, rsn_task_offer, now_ms);
	return n;
}

/* Offers at most limit of those that others than who gave them back may have there. */
static int
dequeue_others(text *address, int limit, int64 now_ms, RsnTaskRow *rows)
{
	int64		left_ms = now_ms - rsn_guc_retry_timeout_ms / UNKNOWN_WAIT_PART;
	int			n = rsn_store_lock_tasks_for_others(address,
													rsn_caller_at(address),
													left_ms, now_ms, limit,
													rows);

	offer_tasks(rows, n, rsn_task_offer_to_others, now_ms);
	return n;
}

/*
 * Offers tasks of an address that are due, the longest due first, and then those that
 * others may have there, for which some room is left however many are due.
 */
int
rsn_engine_dequeue_tasks(text *address, int limit, int64 now_ms,
						 RsnTaskRow **rows)
{
	RsnTaskRow *others;
	int			room = limit / OTHERS_PART;
	int			nothers;
	int			n;

	rsn_store_begin();
	*rows = rsn_store_alloc(sizeof(RsnTaskRow) * limit);
	others = rsn_store_alloc(sizeof(RsnTaskRow) * limit);
	n = dequeue_own(address, limit - room, now_ms, *rows);
	nothers = dequeue_others(address, limit - n, now_ms, others);
	if (n == limit - room && nothers < room)
		n += dequeue_own(address, room - nothers, now_ms, *rows + n);
	Assert(n + nothers <= limit);
	memcpy(*rows + n, others, sizeof(RsnTaskRow) * nothers);
	rsn_store_end();
	return n + nothers;
}

/*
 * Offers at most limit tasks of a notify:// address, but for those set aside; says
 * since when the first is due that others work on, if that is earlier.
 */
int
rsn_engine_dequeue_notify_tasks(text *address, int limit, int64 now_ms,
								text *const *set_aside, int nset_aside,
								RsnTaskRow **rows, int64 *busy_ms)
{
	int			n;
	int			nkept = 0;

	rsn_store_begin();
	*rows = rsn_store_alloc(sizeof(RsnTaskRow) * (limit + nset_aside));
	n = rsn_store_lock_due_notify_tasks(address, now_ms, limit + nset_aside,
										*rows, busy_ms);
	Assert(n <= limit + nset_aside);
	for (int i = 0; i < n && nkept < limit; i++)
	{
		if (!is_one_of(set_aside, nset_aside, (*rows)[i].id))
			(*rows)[nkept++] = (*rows)[i];
	}
	offer_tasks(*rows, nkept, rsn_task_offer, now_ms);
	rsn_store_end();
	return nkept;
}

/*
 * Offers a task that was seen to be due, where it is; false when others work on it,
 * which is told likewise, or it is set aside.
 */
bool
rsn_engine_dequeue_notify_task_at(const RsnWaiting *seen, int64 now_ms,
								  text *const *set_aside, int nset_aside,
								  RsnTaskRow *row, int64 *busy_ms)
{
	bool		is_locked;
	bool		is_due;

	rsn_store_begin();
	is_locked = rsn_store_try_lock_task_at(&seen->tid, row);
	is_due = is_locked && row->core.state == RSN_TASK_PENDING &&
		row->core.clock_at_ms <= now_ms &&
		rsn_task_is_alive(&row->core, now_ms) &&
		!is_one_of(set_aside, nset_aside, row->id);
	if (!is_locked)
		*busy_ms = Min(*busy_ms, seen->newest_ms);
	if (is_due)
		offer_tasks(row, 1, rsn_task_offer, now_ms);
	rsn_store_end();
	return is_due;
}

/* Offers one of these, if it is due and nobody works on it; returns how many. */
int
rsn_engine_dequeue_notify_task(text *id, int64 now_ms, RsnTaskRow **row)
{
	text	  **busy;
	int			nbusy;
	int			n;

	rsn_store_begin();
	n = rsn_store_try_lock_tasks(&id, 1, row, &busy, &nbusy);
	if (n > 0 && ((*row)->core.state != RSN_TASK_PENDING ||
				  (*row)->core.clock_at_ms > now_ms ||
				  !rsn_task_is_alive(&(*row)->core, now_ms)))
		n = 0;
	offer_tasks(*row, n, rsn_task_offer, now_ms);
	rsn_store_end();
	return n;
}
