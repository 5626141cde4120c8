/*
 * lease.pml
 *	  The lease protocol: one task, its workers, the server and the network.
 *
 * The promise W is targeted, so it has the task.  Its workflow may wait for the
 * external promise A, which a client settles.  What runs in one atomic step
 * here is what the engine does after the last row lock it has to wait for: from
 * there to the commit nothing else can come between.  Everything before that
 * lock is a step of its own.  README.md maps each action to the C function whose
 * name it has; rsn_promise_* and rsn_task_* are the decisions, rsn_engine_* the
 * transactions.
 *
 * Time is kept as what is left of each clock, so that it needs no bound: a tick
 * takes one from all that run.  While faults last, a tick may come at any time,
 * which is how a worker or the server is slow; once they have stopped, time
 * passes only when nothing else can happen.
 *
 * Parameters, all given by run.sh:
 *	FAULTS		how many faults of any kind there may be
 *	SLOW		how many ticks may come while something else could happen
 *	BEATS		how many heartbeats are sent
 *	LEFT_W		ticks to the deadline of W, or NEVER
 *	LEFT_A		ticks to the deadline of A, or NEVER
 *	MORTAL		crashed workers may stay away for good
 *	CHECK_x		check this property; ALL checks each that is an assertion
 *	BREAK_x		the protocol without what keeps that property
 *	REACH_x		fail where something of interest happens, to see that it does
 */

#define NEVER	15
#ifndef TTL
#define TTL		1
#endif
#define RETRY	1

#define W		0
#define A		1

#if defined(ALL) || defined(CHECK_COMPLETION)
#define ASSERT_COMPLETION(e)	assert(e)
#else
#define ASSERT_COMPLETION(e)	skip
#endif
#if defined(ALL) || defined(CHECK_HOLDER)
#define ASSERT_HOLDER(e)		assert(e)
#else
#define ASSERT_HOLDER(e)		skip
#endif
#if defined(ALL) || defined(CHECK_DISPATCH)
#define ASSERT_DISPATCH(e)		assert(e)
#else
#define ASSERT_DISPATCH(e)		skip
#endif
#if defined(ALL) || defined(CHECK_VERSION)
#define ASSERT_VERSION(e)		assert(e)
#else
#define ASSERT_VERSION(e)		skip
#endif
#if defined(ALL) || defined(CHECK_RESUME)
#define ASSERT_RESUME(e)		assert(e)
#else
#define ASSERT_RESUME(e)		skip
#endif
#if defined(ALL) || defined(CHECK_EXCLUSIVE)
#define ASSERT_EXCLUSIVE(e)		assert(e)
#else
#define ASSERT_EXCLUSIVE(e)		skip
#endif
#if defined(ALL) || defined(CHECK_LEASE)
#define ASSERT_LEASE(e)			assert(e)
#else
#define ASSERT_LEASE(e)			skip
#endif
#if defined(ALL) || defined(CHECK_RECORD)
#define ASSERT_RECORD(e)		assert(e)
#else
#define ASSERT_RECORD(e)		skip
#endif

/* States of a promise. */
#define P_PENDING	0
#define P_RESOLVED	1
#define P_TIMEDOUT	2

/* States of a task. */
#define T_PENDING	0
#define T_ACQUIRED	1
#define T_SUSPENDED	2
#define T_HALTED	3
#define T_FULFILLED	4

/* What a worker asks for. */
#define K_NONE		0
#define K_ACQUIRE	1
#define K_HEARTBEAT	2
#define K_RELEASE	3	/* up to here only the task is locked */
#define K_SUSPEND	4
#define K_FENCE		5
#define K_FULFILL	6

/* Where a request is. */
#define S_IDLE		0	/* there is none */
#define S_SENT		1	/* on its way to the server */
#define S_LOCKED	2	/* in a transaction that has locked its promise */

/* Answers. */
#define OK			0
#define REDIRECT	1
#define CONFLICT	2

/*
 * Sessions 0 and 1 are those of the workers.  Session 2 takes a request over
 * that its worker no longer waits for, or that the network has doubled.
 *
 * A worker has no steps of its own but to take a message: whatever it asks for
 * next is on its way with the answer to what it asked before.  That it thinks
 * for a while and that its request takes a while look the same to the server.
 */
#define NSESSIONS	3
#define ABANDONED	2

typedef Session
{
	unsigned phase : 2;
	unsigned kind : 3;
	unsigned status : 2;	/* of the answer */
	unsigned version : 4;
	unsigned grant : 4;		/* which acquisition, independent of versions */
	bit who;
	bit is_settled;			/* A is, as far as the worker knows */
}

/* Durable: the rows. */
byte p_state[2];
byte p_left[2];
bit has_awaiter;			/* the task waits for A */
unsigned t_state : 3;
unsigned t_version : 4;
unsigned t_left : 2;
unsigned t_resumes : 1;
unsigned t_setbacks : 2;
bit t_who;

/* Lost when the server crashes: locks and transactions. */
byte lock_of[2];	/* 0: free */
#define LOCK_SESSION(s)	(s + 1)
#define LOCK_CLIENT		4
Session session[NSESSIONS];
unsigned c_phase : 2;		/* of the client's transaction on A */
bit c_saw_pending;
bit c_is_alive;				/* was W, at the instant of the decision */
bit sweep_found;			/* a lease that had ended */

/* The network, the workers and the client. */
unsigned execute : 8;		/* messages on their way: a bit for each version */
bit is_dead[2];				/* crashed for good */
bit c_tries;

/* What is still to go wrong. */
unsigned faults : 3;
unsigned slow : 4;
unsigned beats : 2;

/* Ghosts: no action depends on them. */
unsigned grants : 4;		/* acquisitions so far */
unsigned holder : 4;		/* the grant that is valid, or 0 */
byte completions[2];
unsigned seen_version : 4;

/*
 * Decisions: src/core/promise.c and src/core/task.c.
 */

/* The deadline comes first, whether or not anyone has stored that. */
#define rsn_promise_is_lapsed(p)	(p_state[p] == P_PENDING && p_left[p] == 0)
#define rsn_promise_observe(p) \
	(p_state[p] == P_PENDING && p_left[p] > 0 -> P_PENDING : P_RESOLVED)

#define rsn_task_is_alive	(t_state != T_FULFILLED && p_left[W] > 0)

#ifdef BREAK_HOLDER
#define rsn_task_guard(v)	(rsn_task_is_alive && t_state == T_ACQUIRED)
#else
#define rsn_task_guard(v) \
	(rsn_task_is_alive && t_state == T_ACQUIRED && t_version == v)
#endif

#ifdef BREAK_EXCLUSIVE
#define rsn_task_acquire(v) \
	(rsn_task_is_alive && t_state <= T_ACQUIRED && t_version <= v + 1)
#else
#define rsn_task_acquire(v) \
	(rsn_task_is_alive && t_state == T_PENDING && t_version == v)
#endif

#ifdef BREAK_LEASE
#define rsn_task_end_lease	(rsn_task_is_alive && t_state == T_ACQUIRED)
#else
#define rsn_task_end_lease \
	(rsn_task_is_alive && t_state == T_ACQUIRED && t_left == 0)
#endif

#ifdef BREAK_DISPATCH
#define rsn_task_offer	(t_state == T_PENDING && t_left == 0)
#else
#define rsn_task_offer \
	(rsn_task_is_alive && t_state == T_PENDING && t_left == 0)
#endif

/* What must hold after every commit. */
inline check_invariants()
{
	ASSERT_VERSION(t_version >= seen_version);
	seen_version = t_version;
	ASSERT_RESUME(t_state != T_SUSPENDED || !rsn_task_is_alive ||
				  (p_state[A] == P_PENDING && has_awaiter));
	ASSERT_RECORD((t_state == T_FULFILLED) == (p_state[W] != P_PENDING));
	ASSERT_RECORD((t_state == T_ACQUIRED) == (holder != 0));
	ASSERT_RECORD(t_resumes == 0 ||
				  (t_state != T_SUSPENDED && t_state != T_FULFILLED));
}

inline clear_lease()
{
	t_who = 0;
	t_left = 0;
	holder = 0
}

inline make_pending(wait)
{
	clear_lease();
	t_state = T_PENDING;
	t_left = wait
}

/* Back into the queue without having got further. */
inline set_back()
{
#ifdef BREAK_VERSION
	t_version = t_version - 1;
#endif
	if
	:: t_setbacks == 0 ->
		t_setbacks = 1;
		make_pending(0)
	:: else ->
		t_setbacks = 2;
		make_pending(RETRY)
	fi
}

inline make_acquired(worker_id)
{
	ASSERT_EXCLUSIVE(holder == 0);
	ASSERT_DISPATCH(p_state[W] == P_PENDING && p_left[W] > 0);
	ASSERT_VERSION(t_version == grants);
	t_state = T_ACQUIRED;
	t_version = t_version + 1;
	t_resumes = 0;
	t_who = worker_id;
	t_left = TTL;
	grants = grants + 1;
	holder = grants
}

/* The deadline of its own promise wins: a task past it is not woken. */
inline rsn_task_resume(is_alive)
{
	if
#ifdef BREAK_RECORD
	:: true ->
#else
	:: is_alive && t_state != T_FULFILLED ->
#endif
		t_resumes = 1;
		if
		:: t_state == T_SUSPENDED ->
#ifdef REACH_RESUME
			assert(false);
#endif
			make_pending(0)
		:: else
		fi
	:: else
	fi
}

inline rsn_engine_write_settled(p, state, is_alive)
{
	ASSERT_COMPLETION(completions[p] == 0);
	completions[p] = 1;
	p_state[p] = state;
	if
	:: p == W ->
#ifdef REACH_TIMEOUT
		assert(!(state == P_TIMEDOUT && t_state == T_ACQUIRED));
#endif
		clear_lease();
		t_state = T_FULFILLED;
		t_resumes = 0;
		t_setbacks = 0
	:: p == A && has_awaiter ->
		has_awaiter = 0;
		rsn_task_resume(is_alive)
	:: else
	fi;
	/* What is over needs no clock. */
	p_left[p] = 0
}

/*
 * Transactions of the workers: src/engine/task.c, engine/lease.c, engine/fence.c.
 */

inline answer(s, what)
{
	session[s].status = what;
	check_invariants()
}

inline unlock(s)
{
	if
	:: lock_of[W] == LOCK_SESSION(s) -> lock_of[W] = 0
	:: lock_of[A] == LOCK_SESSION(s) -> lock_of[A] = 0
	:: else
	fi
}

inline rsn_engine_acquire(s)
{
	if
	:: rsn_task_acquire(session[s].version) ->
		make_acquired(session[s].who);
		session[s].version = t_version;
		session[s].grant = grants;
		answer(s, OK)
	:: else ->
		answer(s, CONFLICT)
	fi
}

/* An expired lease may be extended until somebody has ended it. */
inline rsn_engine_heartbeat(s)
{
	if
	:: rsn_task_guard(session[s].version) && t_who == session[s].who ->
		ASSERT_HOLDER(session[s].grant == holder);
#ifdef REACH_HEARTBEAT
		assert(t_left > 0);
#endif
		t_left = TTL
	:: else
	fi;
	answer(s, OK)
}

inline rsn_engine_release(s)
{
	if
	:: rsn_task_guard(session[s].version) ->
		ASSERT_HOLDER(session[s].grant == holder);
		set_back();
		answer(s, OK)
	:: else ->
		answer(s, CONFLICT)
	fi
}

/* A is locked, so nobody settles it before the awaiter is registered. */
inline rsn_engine_suspend(s)
{
	if
	:: !rsn_task_guard(session[s].version) ->
		answer(s, CONFLICT)
	:: else ->
		ASSERT_HOLDER(session[s].grant == holder);
		t_resumes = 0;
		if
#ifdef BREAK_RESUME
		:: session[s].is_settled ->
#else
		:: rsn_promise_observe(A) != P_PENDING ->
#endif
			answer(s, REDIRECT)
		:: else ->
			clear_lease();
			t_state = T_SUSPENDED;
			t_setbacks = 0;
			has_awaiter = 1;
			answer(s, OK)
		fi
	fi;
	unlock(s)
}

/* Settles A with proof of the lease. */
inline rsn_engine_fence(s)
{
	if
	:: !rsn_task_guard(session[s].version) ->
		answer(s, CONFLICT)
	:: else ->
		ASSERT_HOLDER(session[s].grant == holder);
		if
		:: rsn_promise_is_lapsed(A) ->
			rsn_engine_write_settled(A, P_TIMEDOUT, rsn_task_is_alive)
		:: p_state[A] == P_PENDING && p_left[A] > 0 ->
#ifdef REACH_FENCE
			assert(false);
#endif
			rsn_engine_write_settled(A, P_RESOLVED, rsn_task_is_alive)
		:: else
		fi;
		answer(s, OK)
	fi;
	unlock(s)
}

inline rsn_engine_fulfill(s)
{
	if
	:: rsn_task_guard(session[s].version) ->
		ASSERT_HOLDER(session[s].grant == holder);
#ifdef REACH_SECOND
		assert(t_version == 1);
#endif
		rsn_engine_write_settled(W, P_RESOLVED, false);
		answer(s, OK)
	:: else ->
#ifdef REACH_STALE
		assert(!(t_state == T_ACQUIRED && session[s].version < t_version));
#endif
		answer(s, CONFLICT)
	fi;
	unlock(s)
}

#define has_request(s, k) \
	(session[s].phase == S_SENT && session[s].kind == k)

inline rsn_store_lock_promise(s, p)
{
	lock_of[p] = LOCK_SESSION(s);
	session[s].phase = S_LOCKED
}

inline forget(s)
{
	session[s].phase = S_IDLE;
	session[s].kind = K_NONE;
	session[s].status = OK;
	session[s].version = 0;
	session[s].grant = 0;
	session[s].who = 0;
	session[s].is_settled = 0
}

inline send(s, what)
{
	session[s].kind = what;
	session[s].status = OK;
	session[s].phase = S_SENT
}

/* The workflow: it may wait for A before it ends, or settle A itself. */
inline go_on(s)
{
	if
	:: send(s, K_FULFILL)
	:: !session[s].is_settled -> send(s, K_SUSPEND)
	:: !session[s].is_settled -> send(s, K_FENCE)
	:: beats > 0 -> beats--; send(s, K_HEARTBEAT)
	:: faults > 0 -> faults--; send(s, K_RELEASE)
	fi
}

/* Holds the lease, or believes to. */
#define goes_on(s) \
	(session[s].kind == K_HEARTBEAT || \
	 (session[s].kind == K_ACQUIRE && session[s].status == OK) || \
	 (session[s].kind == K_FENCE && session[s].status == OK) || \
	 (session[s].kind == K_SUSPEND && session[s].status == REDIRECT))

inline take_answer(s)
{
	if
	:: goes_on(s) ->
#ifdef REACH_REDIRECT
		assert(session[s].kind != K_SUSPEND);
#endif
		session[s].is_settled = session[s].is_settled ||
			session[s].kind == K_FENCE || session[s].kind == K_SUSPEND;
		go_on(s)
	:: else ->
		forget(s)
	fi
}

/* Without an answer a worker asks again or gives up. */
inline miss_answer(s)
{
	if
	:: session[s].kind != K_ACQUIRE ->
		session[s].status = OK;
		session[s].phase = S_SENT
	:: forget(s)
	fi
}

inline deliver_answer(s)
{
	if
	:: s == ABANDONED -> forget(s)
	:: s != ABANDONED -> take_answer(s)
	:: s != ABANDONED && faults > 0 -> faults--; miss_answer(s)
	fi
}

#define has_all_locks(s) \
	(session[s].phase == S_LOCKED || \
	 (session[s].phase == S_SENT && session[s].kind <= K_RELEASE))

/* From the lock of the task to the commit. */
inline execute_request(s)
{
	if
	:: session[s].kind == K_ACQUIRE -> rsn_engine_acquire(s)
	:: session[s].kind == K_HEARTBEAT -> rsn_engine_heartbeat(s)
	:: session[s].kind == K_RELEASE -> rsn_engine_release(s)
	:: session[s].kind == K_SUSPEND -> rsn_engine_suspend(s)
	:: session[s].kind == K_FENCE -> rsn_engine_fence(s)
	:: session[s].kind == K_FULFILL -> rsn_engine_fulfill(s)
	fi
}

proctype backend(byte s)
{
end:
	do
#ifdef BREAK_RESUME
	/* Looks at A, and does not keep others from settling it. */
	:: d_step { has_request(s, K_SUSPEND) ->
			session[s].is_settled = (rsn_promise_observe(A) != P_PENDING);
			session[s].phase = S_LOCKED
		}
#else
	:: d_step { has_request(s, K_SUSPEND) && lock_of[A] == 0 ->
			rsn_store_lock_promise(s, A)
		}
#endif
	:: d_step { has_request(s, K_FENCE) && lock_of[A] == 0 ->
			rsn_store_lock_promise(s, A)
		}
	:: d_step { has_request(s, K_FULFILL) && lock_of[W] == 0 ->
			rsn_store_lock_promise(s, W)
		}
	:: atomic { has_all_locks(s) ->
			d_step { execute_request(s) };
			deliver_answer(s)
		}
	od
}

/*
 * The worker of the database: src/worker/work.c.  It skips what is locked.
 */

inline rsn_engine_expire_due(p)
{
	rsn_engine_write_settled(p, P_TIMEDOUT, rsn_task_is_alive);
	check_invariants()
}

/* What was found before it was locked may have changed since. */
inline rsn_engine_end_leases()
{
	sweep_found = 0;
	if
	:: rsn_task_end_lease ->
		ASSERT_LEASE(t_left == 0);
#ifdef REACH_EXPIRY
		assert(false);
#endif
		set_back();
		check_invariants()
	:: else
	fi
}

inline rsn_engine_dequeue_tasks()
{
	ASSERT_DISPATCH(p_state[W] == P_PENDING && p_left[W] > 0);
	execute = execute | (1 << t_version);
#ifdef BREAK_LIVENESS
	t_left = 3;		/* no clock runs: it is offered once */
#else
	t_left = RETRY;
#endif
	check_invariants()
}

proctype rsn_worker()
{
end:
	do
	:: d_step { !sweep_found && t_state == T_ACQUIRED && t_left == 0 &&
			p_left[W] > 0 -> sweep_found = 1
		}
	:: d_step { sweep_found -> rsn_engine_end_leases() }
	:: d_step { rsn_task_offer -> rsn_engine_dequeue_tasks() }
	:: d_step { rsn_promise_is_lapsed(A) && lock_of[A] == 0 ->
			rsn_engine_expire_due(A)
		}
#ifndef BREAK_DEADLINE
	:: d_step { rsn_promise_is_lapsed(W) && lock_of[W] == 0 ->
			rsn_engine_expire_due(W)
		}
#endif
	od
}

/*
 * A client that settles A: try_settle and settle_locked in src/engine/promise.c.
 */

inline rsn_engine_settle()
{
	c_phase = 0;
	if
	:: c_saw_pending ->
		rsn_engine_write_settled(A, P_RESOLVED, c_is_alive)
	:: !c_saw_pending && p_state[A] == P_PENDING ->
		rsn_engine_write_settled(A, P_TIMEDOUT, c_is_alive)
	:: else
	fi;
	c_saw_pending = 0;
	c_is_alive = 0;
	lock_of[A] = 0;
	check_invariants()
}

#define C_READ		1	/* has read A without a lock */
#define C_LOCKED	2	/* has locked it, and decided */

inline decide_settle()
{
	c_saw_pending = (rsn_promise_observe(A) == P_PENDING);
	c_is_alive = rsn_task_is_alive
}

proctype client()
{
end:
	do
	/* The reply may have been lost: it asks twice. */
	:: d_step { c_phase == 0 && c_tries == 0 ->
			c_tries++;
			decide_settle();
			c_phase = C_READ
		}
	/* Nobody has locked or changed it since: the write is the lock. */
	:: d_step { c_phase == C_READ && lock_of[A] == 0 &&
			p_state[A] == P_PENDING ->
			lock_of[A] = LOCK_CLIENT;
			c_phase = C_LOCKED
		}
	/* Somebody has; it is locked, and decided upon again. */
	:: d_step { c_phase == C_READ && lock_of[A] == 0 &&
			p_state[A] != P_PENDING ->
			lock_of[A] = LOCK_CLIENT;
#ifndef BREAK_COMPLETION
			decide_settle();
#endif
			c_phase = C_LOCKED
		}
	:: d_step { c_phase == C_LOCKED -> rsn_engine_settle() }
	od
}

/*
 * Workers: see go_on for what they ask for, once they have the task.
 */

#define has_execute(v)	(execute & (1 << (v)))

/* Of two workers that do nothing, it does not matter which takes a message. */
#define is_idle(i)	(session[i].phase == S_IDLE && !is_dead[i])
#define is_next(i)	(is_idle(i) && (i == 0 || !is_idle(0)))

inline take_execute(i, v)
{
	execute = execute & ~(1 << v);
	session[i].who = i;
	session[i].version = v;
	send(i, K_ACQUIRE)
}

proctype worker(byte i)
{
end:
	do
	:: d_step { is_next(i) && has_execute(0) -> take_execute(i, 0) }
	:: d_step { is_next(i) && has_execute(1) -> take_execute(i, 1) }
	:: d_step { is_next(i) && has_execute(2) -> take_execute(i, 2) }
	:: d_step { is_next(i) && has_execute(3) -> take_execute(i, 3) }
	:: d_step { is_next(i) && has_execute(4) -> take_execute(i, 4) }
	:: d_step { is_next(i) && has_execute(5) -> take_execute(i, 5) }
	od
}

/* Lets a halted task run again. */
inline rsn_engine_continue()
{
	t_setbacks = 0;
	make_pending(0);
	check_invariants()
}

inline rsn_engine_halt()
{
	clear_lease();
	t_state = T_HALTED;
	check_invariants()
}

proctype operator()
{
end:
	do
	:: d_step { t_state == T_HALTED && rsn_task_is_alive ->
			rsn_engine_continue()
		}
	:: d_step { faults > 0 && rsn_task_is_alive && t_state != T_HALTED ->
			faults--;
			rsn_engine_halt()
		}
	od
}

/*
 * What goes wrong.
 */

inline copy_session(i)
{
	session[ABANDONED].phase = session[i].phase;
	session[ABANDONED].kind = session[i].kind;
	session[ABANDONED].version = session[i].version;
	session[ABANDONED].grant = session[i].grant;
	session[ABANDONED].who = session[i].who;
	session[ABANDONED].is_settled = session[i].is_settled;
	if
	:: lock_of[W] == LOCK_SESSION(i) -> lock_of[W] = LOCK_SESSION(ABANDONED)
	:: lock_of[A] == LOCK_SESSION(i) -> lock_of[A] = LOCK_SESSION(ABANDONED)
	:: else
	fi
}

#define is_busy(i)			(session[i].phase != S_IDLE)
#define can_abandon(i)		(is_busy(i) && session[ABANDONED].phase == S_IDLE)

/*
 * A worker crashes and starts again.  Its request is lost, or goes on alone.
 * How long the worker is away does not matter, since nobody waits for it.
 */
inline crash_worker(i)
{
	faults--;
	if
	:: can_abandon(i) -> copy_session(i)
	:: unlock(i)
	fi;
	forget(i);
#ifdef MORTAL
	if
	:: is_dead[i] = 1
	:: skip
	fi
#endif
}

/* The network doubles a request, or its worker asks again too early. */
inline double_request(i)
{
	faults--;
	copy_session(i);
	session[i].phase = S_SENT
}

inline lose_session(i)
{
	if
	:: is_busy(i) -> miss_answer(i)
	:: else
	fi
}

/* All that was not committed is gone; the rows are still there. */
inline crash_server()
{
	faults--;
	lose_session(0);
	lose_session(1);
	forget(ABANDONED);
	lock_of[W] = 0;
	lock_of[A] = 0;
	sweep_found = 0;
	if
	:: c_phase != 0 -> c_tries = 0
	:: else
	fi;
	c_phase = 0;
	c_saw_pending = 0;
	c_is_alive = 0
}

proctype chaos()
{
end:
	do
	:: d_step { faults > 0 && slow != NEVER -> faults = 0; slow = 0 }
	:: atomic { faults > 0 -> crash_server() }
	:: atomic { faults > 0 && is_busy(0) -> crash_worker(0) }
	:: atomic { faults > 0 && is_busy(1) -> crash_worker(1) }
	:: d_step { faults > 0 && can_abandon(0) -> double_request(0) }
	:: d_step { faults > 0 && can_abandon(1) -> double_request(1) }
	/* Messages are lost, doubled and late. */
	:: d_step { faults > 0 && has_execute(t_version) ->
			faults--; execute = execute & ~(1 << t_version)
		}
	:: d_step { faults > 0 && !has_execute(t_version) ->
			faults--; execute = execute | (1 << t_version)
		}
	:: d_step { faults > 0 && t_version > 0 && !has_execute(t_version - 1) ->
			faults--; execute = execute | (1 << (t_version - 1))
		}
	od
}

#define runs(clock)	(clock > 0 && clock < NEVER)
#define task_clock_runs \
	((t_state == T_PENDING || t_state == T_ACQUIRED) && t_left > 0 && t_left < 3)

inline tick()
{
	if
	:: runs(p_left[W]) -> p_left[W]--
	:: else
	fi;
	if
	:: runs(p_left[A]) -> p_left[A]--
	:: else
	fi;
	if
	:: task_clock_runs -> t_left--
	:: else
	fi
}

#define a_clock_runs (p_state[W] == P_PENDING && \
	(runs(p_left[W]) || runs(p_left[A]) || task_clock_runs))

proctype clock()
{
end:
	do
	:: d_step { slow > 0 && a_clock_runs ->
			if
			:: slow != NEVER -> slow--
			:: else
			fi;
			tick()
		}
	:: atomic { timeout && a_clock_runs -> tick() }
	od
}

init
{
	atomic {
		p_left[W] = LEFT_W;
		p_left[A] = LEFT_A;
		faults = FAULTS;
		slow = SLOW;
		beats = BEATS;
		run backend(0);
		run backend(1);
		run backend(ABANDONED);
		run rsn_worker();
		run client();
		run worker(0);
		run worker(1);
		run operator();
		run chaos();
		run clock()
	}
}

#ifdef CHECK_LIVENESS
ltl liveness { <> (p_state[W] == P_RESOLVED) }
#endif
#ifdef CHECK_DEADLINE
ltl deadline { <> (p_state[W] != P_PENDING) }
#endif
