/*-------------------------------------------------------------------------
 *
 * task_test.c
 *	  Stand-alone test of core/task.c: every command, edge and invariant.
 *
 * Two sources of truth keep each other honest: tables of literals, and the
 * properties of the protocol that concern one task, checked over every step
 * from a grid of records and over a long walk.  Nothing here computes an
 * expected record the way core/task.c does.
 *
 *-------------------------------------------------------------------------
 */
#include "core/task.h"

#include <string.h>

#include "tap.h"

/* What a literal does not name is zero. */
#pragma GCC diagnostic ignored "-Wmissing-field-initializers"

#define LENGTH_OF(array) ((int) (sizeof(array) / sizeof((array)[0])))

/* The tables leave out what is zero at the end of a record. */
#pragma GCC diagnostic ignored "-Wmissing-field-initializers"

/* Plausible times, in order, and leases. */
#define CLOCK 10000
#define DEADLINE 90000
#define TTL 4000
#define NEW_TTL 7000

#define RETRY 1000

static const RsnRetryPolicy plain_policy = {RETRY, 8000, 2.0, 0.25};

typedef enum Op
{
	OP_GUARD,
	OP_ACQUIRE,
	OP_TAKE,
	OP_RELEASE,
	OP_SUSPEND,
	OP_HEARTBEAT,
	OP_HALT,
	OP_CONTINUE,
	OP_RESUME,
	OP_END_LEASE,
	OP_OFFER,
	OP_SETTLE,					/* its promise settles */
	OP_EXPIRE					/* its promise expires, if it is time */
} Op;

#define NOPS 13

static const char *const op_names[NOPS] = {
	"guard", "acquire", "take", "release", "suspend", "heartbeat", "halt",
	"continue", "resume", "end of lease", "offer", "settle", "expire"
};

/* A command of any kind; only the part of its op counts. */
typedef struct Command
{
	Op			op;
	int32_t		version;
	int64_t		ttl_ms;
	bool		is_holder;
	RsnAwaited	awaited;
	int32_t		resumes;
	RsnRetryPolicy policy;
} Command;

/* What a step has found, decided and left. */
typedef struct Step
{
	RsnTask		before;
	Command		command;
	int64_t		now_ms;
	RsnTaskDecision decision;
	RsnTask		after;
} Step;

/* Returns the decision on a command of any kind. */
static RsnTaskDecision
decide(const RsnTask *stored, const Command *command, int64_t now_ms)
{
	RsnTaskDecision decision = {0};

	switch (command->op)
	{
		case OP_GUARD:
			return rsn_task_guard(stored, command->version, now_ms);
		case OP_ACQUIRE:
			return rsn_task_acquire(stored, command->version, command->ttl_ms,
									now_ms);
		case OP_TAKE:
			return rsn_task_take(stored, command->ttl_ms, now_ms);
		case OP_RELEASE:
			return rsn_task_release(stored, command->version,
									&command->policy, now_ms);
		case OP_SUSPEND:
			return rsn_task_suspend(stored, command->version,
									&command->awaited, now_ms);
		case OP_HEARTBEAT:
			return rsn_task_heartbeat(stored, command->version,
									  command->is_holder, now_ms);
		case OP_HALT:
			return rsn_task_halt(stored, now_ms);
		case OP_CONTINUE:
			return rsn_task_continue(stored, &command->policy, now_ms);
		case OP_RESUME:
			return rsn_task_resume(stored, command->resumes, &command->policy,
								   now_ms);
		case OP_END_LEASE:
			return rsn_task_end_lease(stored, &command->policy, now_ms);
		case OP_OFFER:
			return rsn_task_offer(stored, &command->policy, now_ms);
		case OP_SETTLE:
		case OP_EXPIRE:
			break;
	}

	/* Not decided by the task, but by its promise. */
	decision.status = RSN_STATUS_OK;
	decision.next = command->op == OP_EXPIRE
		? rsn_task_observe(stored, now_ms)
		: rsn_task_fulfilled(stored->version, stored->timeout_at_ms);
	decision.is_changed = stored->state != RSN_TASK_FULFILLED &&
		decision.next.state == RSN_TASK_FULFILLED;
	return decision;
}

/* Returns the name of a field in which the records differ, or NULL. */
static const char *
find_difference(const RsnTask *a, const RsnTask *b)
{
	if (a->state != b->state)
		return "state";
	if (a->has_pid != b->has_pid)
		return "has_pid";
	if (a->version != b->version)
		return "version";
	if (a->resumes != b->resumes)
		return "resumes";
	if (a->setbacks != b->setbacks)
		return "setbacks";
	if (a->ttl_ms != b->ttl_ms)
		return "ttl_ms";
	if (a->clock_at_ms != b->clock_at_ms)
		return "clock_at_ms";
	if (a->others_at_ms != b->others_at_ms)
		return "others_at_ms";
	if (a->timeout_at_ms != b->timeout_at_ms)
		return "timeout_at_ms";
	if (a->offers != b->offers)
		return "offers";
	return NULL;
}

static bool
is_same(const RsnTask *a, const RsnTask *b)
{
	return find_difference(a, b) == NULL;
}

/* Prints a record as the explanation of what is broken. */
static void
explain(const char *what, const RsnTask *task, int64_t now_ms)
{
	tap_expect(false, "%s: now %lld, state %d, pid %d, version %d,"
			   " resumes %d, setbacks %d, ttl %lld, clock %lld,"
			   " deadline %lld", what, (long long) now_ms,
			   (int) task->state, task->has_pid, (int) task->version,
			   (int) task->resumes, (int) task->setbacks,
			   (long long) task->ttl_ms, (long long) task->clock_at_ms,
			   (long long) task->timeout_at_ms);
}

/* Expects a condition, explained as by explain(). */
static void
expect(bool is_met, const char *what, const RsnTask *task, int64_t now_ms)
{
	if (is_met)
		tap_expect(true, "%s", what);
	else
		explain(what, task, now_ms);
}

/* Expects two records to be the same and the first to be valid. */
static void
expect_record(const RsnTask *actual, const RsnTask *expected, int64_t now_ms)
{
	const char *difference = find_difference(actual, expected);
	const char *violation = rsn_task_check(actual);

	expect(difference == NULL, difference == NULL ? "same record" : difference,
		   actual, now_ms);
	expect(violation == NULL, violation == NULL ? "valid record" : violation,
		   actual, now_ms);
}

/* Expects all of a decision. */
static void
expect_decision(const RsnTaskDecision *actual, RsnStatus status,
				bool is_changed, const RsnTask *next, int64_t now_ms)
{
	tap_expect(actual->status == status, "now %lld: status %d, expected %d",
			   (long long) now_ms, (int) actual->status, (int) status);
	expect(actual->is_changed == is_changed, "is_changed", &actual->next,
		   now_ms);
	expect_record(&actual->next, next, now_ms);
}

/* Takes the lowest digit off a number of mixed radix. */
static int
take_digit(int *number, int radix)
{
	int			digit = *number % radix;

	*number /= radix;
	return digit;
}

/*
 * Every command in every state
 */

/* One record of each state. */
static const RsnTask stored_tasks[RSN_TASK_NSTATES] = {
	{RSN_TASK_PENDING, false, 3, 2, 1, 0, CLOCK, DEADLINE},
	{RSN_TASK_ACQUIRED, true, 3, 2, 1, TTL, CLOCK, DEADLINE},
	{RSN_TASK_SUSPENDED, false, 3, 0, 0, 0, 0, DEADLINE},
	{RSN_TASK_HALTED, false, 3, 2, 1, 0, 0, DEADLINE},
	{RSN_TASK_FULFILLED, false, 3, 0, 0, 0, 0, DEADLINE}
};

/* What each of them is past its deadline. */
static const RsnTask lapsed_task = {
	RSN_TASK_FULFILLED, false, 3, 0, 0, 0, 0, DEADLINE
};

typedef enum Effect
{
	EFFECT_NONE,				/* the record stays as it is */
	EFFECT_AS_WRITTEN,			/* it becomes next */
	EFFECT_FROM_NOW				/* likewise, with a clock counted from now */
} Effect;

/* What a command does to a task that is alive. */
typedef struct Outcome
{
	RsnStatus	status;
	Effect		effect;
	RsnTask		next;
} Outcome;

#define KEPT(status) {(status), EFFECT_NONE, {0}}

typedef struct Situation
{
	const char *name;
	Op			op;
	bool		has_version;
	bool		is_clocked;		/* nothing happens before the clock */
	bool		is_holder;
	RsnAwaited	awaited;
	int32_t		resumes;
	RsnStatus	wrong_status;	/* when the version is another */
	RsnStatus	past_status;	/* past the deadline */
	Outcome		outcomes[RSN_TASK_NSTATES];
} Situation;

static const Situation situations[] = {
	{"guard", OP_GUARD, true, false, false, {false, false}, 0,
	RSN_STATUS_CONFLICT, RSN_STATUS_CONFLICT,
	{
		KEPT(RSN_STATUS_CONFLICT),
		KEPT(RSN_STATUS_OK),
		KEPT(RSN_STATUS_CONFLICT),
		KEPT(RSN_STATUS_CONFLICT),
		KEPT(RSN_STATUS_CONFLICT)
	}
	},
	{"acquire", OP_ACQUIRE, true, false, false, {false, false}, 0,
	RSN_STATUS_CONFLICT, RSN_STATUS_CONFLICT,
	{
		{RSN_STATUS_OK, EFFECT_FROM_NOW,
		{RSN_TASK_ACQUIRED, true, 4, 0, 1, NEW_TTL, NEW_TTL, DEADLINE}},
		KEPT(RSN_STATUS_CONFLICT),
		KEPT(RSN_STATUS_CONFLICT),
		KEPT(RSN_STATUS_CONFLICT),
		KEPT(RSN_STATUS_CONFLICT)
	}
	},
	{"take", OP_TAKE, false, false, false, {false, false}, 0,
	RSN_STATUS_CONFLICT, RSN_STATUS_CONFLICT,
	{
		{RSN_STATUS_OK, EFFECT_FROM_NOW,
		{RSN_TASK_ACQUIRED, true, 4, 0, 1, NEW_TTL, NEW_TTL, DEADLINE}},
		KEPT(RSN_STATUS_CONFLICT),
		KEPT(RSN_STATUS_CONFLICT),
		KEPT(RSN_STATUS_CONFLICT),
		KEPT(RSN_STATUS_CONFLICT)
	}
	},
	{"release", OP_RELEASE, true, false, false, {false, false}, 0,
	RSN_STATUS_CONFLICT, RSN_STATUS_CONFLICT,
	{
		KEPT(RSN_STATUS_CONFLICT),
		{RSN_STATUS_OK, EFFECT_FROM_NOW,
		{RSN_TASK_PENDING, false, 3, 2, 2, 0, RETRY, DEADLINE}},
		KEPT(RSN_STATUS_CONFLICT),
		KEPT(RSN_STATUS_CONFLICT),
		KEPT(RSN_STATUS_CONFLICT)
	}
	},
	{"suspend", OP_SUSPEND, true, false, false, {false, false}, 0,
	RSN_STATUS_CONFLICT, RSN_STATUS_CONFLICT,
	{
		KEPT(RSN_STATUS_CONFLICT),
		{RSN_STATUS_OK, EFFECT_AS_WRITTEN,
		{RSN_TASK_SUSPENDED, false, 3, 0, 0, 0, 0, DEADLINE}},
		KEPT(RSN_STATUS_CONFLICT),
		KEPT(RSN_STATUS_CONFLICT),
		KEPT(RSN_STATUS_CONFLICT)
	}
	},
	{"suspend, settled", OP_SUSPEND, true, false, false, {false, true}, 0,
	RSN_STATUS_CONFLICT, RSN_STATUS_CONFLICT,
	{
		KEPT(RSN_STATUS_CONFLICT),
		{RSN_STATUS_REDIRECT, EFFECT_AS_WRITTEN,
		{RSN_TASK_ACQUIRED, true, 3, 0, 1, TTL, CLOCK, DEADLINE}},
		KEPT(RSN_STATUS_CONFLICT),
		KEPT(RSN_STATUS_CONFLICT),
		KEPT(RSN_STATUS_CONFLICT)
	}
	},
	{"suspend, unfit", OP_SUSPEND, true, false, false, {true, false}, 0,
	RSN_STATUS_CONFLICT, RSN_STATUS_CONFLICT,
	{
		KEPT(RSN_STATUS_CONFLICT),
		KEPT(RSN_STATUS_UNFIT),
		KEPT(RSN_STATUS_CONFLICT),
		KEPT(RSN_STATUS_CONFLICT),
		KEPT(RSN_STATUS_CONFLICT)
	}
	},
	{"suspend, unfit, settled", OP_SUSPEND, true, false, false, {true, true}, 0,
	RSN_STATUS_CONFLICT, RSN_STATUS_CONFLICT,
	{
		KEPT(RSN_STATUS_CONFLICT),
		KEPT(RSN_STATUS_UNFIT),
		KEPT(RSN_STATUS_CONFLICT),
		KEPT(RSN_STATUS_CONFLICT),
		KEPT(RSN_STATUS_CONFLICT)
	}
	},
	{"heartbeat", OP_HEARTBEAT, true, false, true, {false, false}, 0,
	RSN_STATUS_OK, RSN_STATUS_OK,
	{
		KEPT(RSN_STATUS_OK),
		{RSN_STATUS_OK, EFFECT_FROM_NOW,
		{RSN_TASK_ACQUIRED, true, 3, 2, 1, TTL, TTL, DEADLINE}},
		KEPT(RSN_STATUS_OK),
		KEPT(RSN_STATUS_OK),
		KEPT(RSN_STATUS_OK)
	}
	},
	{"foreign heartbeat", OP_HEARTBEAT, true, false, false, {false, false}, 0,
	RSN_STATUS_OK, RSN_STATUS_OK,
	{
		KEPT(RSN_STATUS_OK),
		KEPT(RSN_STATUS_OK),
		KEPT(RSN_STATUS_OK),
		KEPT(RSN_STATUS_OK),
		KEPT(RSN_STATUS_OK)
	}
	},
	{"halt", OP_HALT, false, false, false, {false, false}, 0,
	RSN_STATUS_CONFLICT, RSN_STATUS_CONFLICT,
	{
		{RSN_STATUS_OK, EFFECT_AS_WRITTEN,
		{RSN_TASK_HALTED, false, 3, 2, 1, 0, 0, DEADLINE}},
		{RSN_STATUS_OK, EFFECT_AS_WRITTEN,
		{RSN_TASK_HALTED, false, 3, 2, 1, 0, 0, DEADLINE}},
		{RSN_STATUS_OK, EFFECT_AS_WRITTEN,
		{RSN_TASK_HALTED, false, 3, 0, 0, 0, 0, DEADLINE}},
		KEPT(RSN_STATUS_OK),
		KEPT(RSN_STATUS_CONFLICT)
	}
	},
	{"continue", OP_CONTINUE, false, false, false, {false, false}, 0,
	RSN_STATUS_CONFLICT, RSN_STATUS_CONFLICT,
	{
		KEPT(RSN_STATUS_CONFLICT),
		KEPT(RSN_STATUS_CONFLICT),
		KEPT(RSN_STATUS_CONFLICT),
		{RSN_STATUS_OK, EFFECT_FROM_NOW,
		{RSN_TASK_PENDING, false, 3, 2, 0, 0, 0, DEADLINE}},
		KEPT(RSN_STATUS_CONFLICT)
	}
	},
	{"resume by one", OP_RESUME, false, false, false, {false, false}, 1,
	RSN_STATUS_OK, RSN_STATUS_OK,
	{
		{RSN_STATUS_OK, EFFECT_AS_WRITTEN,
		{RSN_TASK_PENDING, false, 3, 3, 1, 0, CLOCK, DEADLINE}},
		{RSN_STATUS_OK, EFFECT_AS_WRITTEN,
		{RSN_TASK_ACQUIRED, true, 3, 3, 1, TTL, CLOCK, DEADLINE}},
		{RSN_STATUS_OK, EFFECT_FROM_NOW,
		{RSN_TASK_PENDING, false, 3, 1, 0, 0, 0, DEADLINE}},
		{RSN_STATUS_OK, EFFECT_AS_WRITTEN,
		{RSN_TASK_HALTED, false, 3, 3, 1, 0, 0, DEADLINE}},
		KEPT(RSN_STATUS_OK)
	}
	},
	{"resume by five", OP_RESUME, false, false, false, {false, false}, 5,
	RSN_STATUS_OK, RSN_STATUS_OK,
	{
		{RSN_STATUS_OK, EFFECT_AS_WRITTEN,
		{RSN_TASK_PENDING, false, 3, 7, 1, 0, CLOCK, DEADLINE}},
		{RSN_STATUS_OK, EFFECT_AS_WRITTEN,
		{RSN_TASK_ACQUIRED, true, 3, 7, 1, TTL, CLOCK, DEADLINE}},
		{RSN_STATUS_OK, EFFECT_FROM_NOW,
		{RSN_TASK_PENDING, false, 3, 5, 0, 0, 0, DEADLINE}},
		{RSN_STATUS_OK, EFFECT_AS_WRITTEN,
		{RSN_TASK_HALTED, false, 3, 7, 1, 0, 0, DEADLINE}},
		KEPT(RSN_STATUS_OK)
	}
	},
	{"end of lease", OP_END_LEASE, false, true, false, {false, false}, 0,
	RSN_STATUS_OK, RSN_STATUS_OK,
	{
		KEPT(RSN_STATUS_OK),
		{RSN_STATUS_OK, EFFECT_FROM_NOW,
		{RSN_TASK_PENDING, false, 3, 2, 2, 0, RETRY, DEADLINE}},
		KEPT(RSN_STATUS_OK),
		KEPT(RSN_STATUS_OK),
		KEPT(RSN_STATUS_OK)
	}
	},
	{"offer", OP_OFFER, false, true, false, {false, false}, 0,
	RSN_STATUS_OK, RSN_STATUS_OK,
	{
		{RSN_STATUS_OK, EFFECT_FROM_NOW,
		{RSN_TASK_PENDING, false, 3, 2, 1, 0, RETRY, DEADLINE,.offers = 1}},
		KEPT(RSN_STATUS_OK),
		KEPT(RSN_STATUS_OK),
		KEPT(RSN_STATUS_OK),
		KEPT(RSN_STATUS_OK)
	}
	}
};

/* The first is that of the stored tasks. */
static const int32_t presented_versions[] = {
	3, 2, 4, 0, -1, -3, INT32_MAX, INT32_MIN
};

/* Returns the command of a situation. */
static Command
make_command(const Situation *situation, int32_t version)
{
	Command		command = {0};

	command.op = situation->op;
	command.version = version;
	command.ttl_ms = NEW_TTL;
	command.is_holder = situation->is_holder;
	command.awaited = situation->awaited;
	command.resumes = situation->resumes;
	command.policy = plain_policy;
	return command;
}

/* Expects what a situation says about a state, at an instant. */
static void
expect_outcome(const Situation *situation, RsnTaskState state,
			   int32_t version, int64_t now_ms)
{
	static const Outcome too_early = KEPT(RSN_STATUS_OK);
	const RsnTask *stored = &stored_tasks[state];
	const Outcome *outcome = &situation->outcomes[state];
	Command		command = make_command(situation, version);
	RsnTaskDecision actual = decide(stored, &command, now_ms);
	RsnTask		next;

	if (now_ms >= DEADLINE)
	{
		expect_decision(&actual, situation->past_status, false, &lapsed_task,
						now_ms);
		return;
	}
	if (situation->has_version && version != presented_versions[0])
	{
		expect_decision(&actual, situation->wrong_status, false, stored,
						now_ms);
		return;
	}
	if (situation->is_clocked && now_ms < CLOCK)
		outcome = &too_early;
	next = outcome->effect == EFFECT_NONE ? *stored : outcome->next;
	if (outcome->effect == EFFECT_FROM_NOW)
		next.clock_at_ms += now_ms;
	expect_decision(&actual, outcome->status, outcome->effect != EFFECT_NONE,
					&next, now_ms);
}

/* Tests every command in every state, before and past the deadline. */
static void
test_situations(void)
{
	static const struct
	{
		const char *name;
		int64_t		times_ms[4];
	}			ages[] = {
		{"alive", {CLOCK - 1, CLOCK, CLOCK + 1, DEADLINE - 1}},
		{"at the deadline", {DEADLINE, DEADLINE, DEADLINE, DEADLINE}},
		{"past the deadline",
		{DEADLINE + 1, DEADLINE + TTL, DEADLINE * 1000L, INT64_MAX}}
	};

	for (int i = 0; i < LENGTH_OF(situations) * RSN_TASK_NSTATES; i++)
	{
		const Situation *situation = &situations[i / RSN_TASK_NSTATES];
		RsnTaskState state = (RsnTaskState) (i % RSN_TASK_NSTATES);

		for (int age = 0; age < LENGTH_OF(ages); age++)
		{
			tap_begin();
			for (int j = 0; j < 4 * LENGTH_OF(presented_versions); j++)
				expect_outcome(situation, state, presented_versions[j / 4],
							   ages[age].times_ms[j % 4]);
			tap_end("%s, %s, %s", situation->name, rsn_task_state_name(state),
					ages[age].name);
		}
	}
}

/*
 * Births, and the deadline
 */

/* Tests the records that a task starts with. */
static void
test_births(void)
{
	static const RsnTask pending = {
		RSN_TASK_PENDING, false, 0, 0, 0, 0, CLOCK, DEADLINE
	};
	static const RsnTask acquired = {
		RSN_TASK_ACQUIRED, true, 1, 0, 0, TTL, CLOCK + TTL, DEADLINE
	};
	static const RsnTask fulfilled = {
		RSN_TASK_FULFILLED, false, 7, 0, 0, 0, 0, DEADLINE
	};
	RsnTask		task;

	tap_begin();
	task = rsn_task_new_pending(DEADLINE, CLOCK, &plain_policy);
	expect_record(&task, &pending, CLOCK);
	tap_end("a new task that waits for a worker");

	tap_begin();
	task = rsn_task_new_acquired(DEADLINE, TTL, CLOCK);
	expect_record(&task, &acquired, CLOCK);
	tap_end("a new task that its creator holds");

	tap_begin();
	task = rsn_task_fulfilled(7, DEADLINE);
	expect_record(&task, &fulfilled, CLOCK);
	tap_end("a fulfilled task");
}

/* Tests rsn_task_is_alive and rsn_task_observe near the deadline. */
static void
test_observe(void)
{
	static const int64_t deadlines[] = {-5, 0, 1, DEADLINE, INT64_MAX - 1};

	for (int i = 0; i < RSN_TASK_NSTATES * 3; i++)
	{
		RsnTask		stored = stored_tasks[i % RSN_TASK_NSTATES];
		int			offset = i / RSN_TASK_NSTATES - 1;
		bool		is_alive = offset < 0 && stored.state != RSN_TASK_FULFILLED;

		tap_begin();
		for (int j = 0; j < LENGTH_OF(deadlines); j++)
		{
			int64_t		now_ms = deadlines[j] + offset;
			RsnTask		expected = lapsed_task;
			RsnTask		observed;

			stored.timeout_at_ms = deadlines[j];
			expected.timeout_at_ms = deadlines[j];
			if (is_alive)
				expected = stored;
			observed = rsn_task_observe(&stored, now_ms);
			expect(rsn_task_is_alive(&stored, now_ms) == is_alive, "alive",
				   &stored, now_ms);
			expect_record(&observed, &expected, now_ms);
		}
		tap_end("a task that is %s, at the deadline %+d",
				rsn_task_state_name(stored.state), offset);
	}
}

/* Tests that nothing passes the deadline INT64_MAX before INT64_MAX. */
static void
test_never(void)
{
	tap_begin();
	for (int i = 0; i < RSN_TASK_FULFILLED; i++)
	{
		RsnTask		stored = stored_tasks[i];

		stored.timeout_at_ms = INT64_MAX;
		expect(rsn_task_is_alive(&stored, INT64_MIN), "alive", &stored,
			   INT64_MIN);
		expect(rsn_task_is_alive(&stored, INT64_MAX - 1), "alive", &stored,
			   INT64_MAX - 1);
		expect(!rsn_task_is_alive(&stored, INT64_MAX), "not alive", &stored,
			   INT64_MAX);
	}
	tap_end("a task without a deadline");
}

/*
 * Setbacks
 */

typedef struct Wait
{
	RsnRetryPolicy policy;
	int32_t		setbacks;		/* before this one */
	int64_t		wait_ms;
} Wait;

static const Wait waits[] = {
	/* At once, exactly the timeout, then growing up to the limit. */
	{{5000, 300000, 2.0, 0.0}, 0, 0},
	{{5000, 300000, 2.0, 0.0}, 1, 5000},
	{{5000, 300000, 2.0, 0.0}, 2, 10000},
	{{5000, 300000, 2.0, 0.0}, 3, 20000},
	{{5000, 300000, 2.0, 0.0}, 4, 40000},
	{{5000, 300000, 2.0, 0.0}, 5, 80000},
	{{5000, 300000, 2.0, 0.0}, 6, 160000},
	{{5000, 300000, 2.0, 0.0}, 7, 300000},
	{{5000, 300000, 2.0, 0.0}, 8, 300000},
	{{5000, 300000, 2.0, 0.0}, 1000000, 300000},
	{{5000, 300000, 2.0, 0.0}, INT32_MAX - 1, 300000},
	{{5000, 300000, 2.0, 0.0}, INT32_MAX, 300000},

	/* Jitter shortens all but the first two. */
	{{5000, 300000, 2.0, 0.25}, 0, 0},
	{{5000, 300000, 2.0, 0.25}, 1, 5000},
	{{5000, 300000, 2.0, 0.25}, 2, 7500},
	{{5000, 300000, 2.0, 0.25}, 3, 15000},
	{{5000, 300000, 2.0, 0.25}, 6, 120000},
	{{5000, 300000, 2.0, 0.25}, 7, 225000},
	{{5000, 300000, 2.0, 0.25}, INT32_MAX, 225000},
	{{5000, 300000, 2.0, 1.0}, 0, 0},
	{{5000, 300000, 2.0, 1.0}, 1, 5000},
	{{5000, 300000, 2.0, 1.0}, 2, 0},
	{{5000, 300000, 2.0, 1.0}, 9, 0},

	/* A factor that is no integer; part of a millisecond is dropped. */
	{{1000, 10000, 1.5, 0.0}, 2, 1500},
	{{1000, 10000, 1.5, 0.0}, 3, 2250},
	{{1000, 10000, 1.5, 0.0}, 4, 3375},
	{{1000, 10000, 1.5, 0.0}, 5, 5062},
	{{1000, 10000, 1.5, 0.0}, 6, 7593},
	{{1000, 10000, 1.5, 0.0}, 7, 10000},

	/* A factor that does not grow. */
	{{1000, 10000, 1.0, 0.0}, 0, 0},
	{{1000, 10000, 1.0, 0.0}, 1, 1000},
	{{1000, 10000, 1.0, 0.0}, 2, 1000},
	{{1000, 10000, 1.0, 0.0}, 100, 1000},
	{{1000, 10000, 1.0, 0.25}, 100, 750},

	/* The limit, reached exactly, at once, or less than the timeout. */
	{{1000, 4000, 2.0, 0.0}, 3, 4000},
	{{1000, 4000, 2.0, 0.0}, 4, 4000},
	{{4000, 4000, 2.0, 0.0}, 0, 0},
	{{4000, 4000, 2.0, 0.0}, 1, 4000},
	{{4000, 4000, 2.0, 0.0}, 2, 4000},
	{{9000, 4000, 2.0, 0.0}, 0, 0},
	{{9000, 4000, 2.0, 0.0}, 1, 4000},
	{{9000, 4000, 2.0, 0.25}, 2, 3000},

	/* The smallest and the largest. */
	{{1, 1, 2.0, 0.0}, 1, 1},
	{{1, INT64_C(1) << 62, 1e300, 0.0}, 1, 1},
	{{1, INT64_C(1) << 62, 1e300, 0.0}, 2, INT64_C(1) << 62},
	{{1, INT64_C(1) << 62, 1e300, 0.0}, INT32_MAX, INT64_C(1) << 62},
	{{1, INT64_C(1) << 62, 2.0, 0.0}, 62, INT64_C(1) << 61},
	{{INT64_C(1) << 62, INT64_C(1) << 62, 2.0, 0.5}, 1, INT64_C(1) << 62},
	{{INT64_C(1) << 62, INT64_C(1) << 62, 2.0, 0.5}, 2, INT64_C(1) << 61}
};

/* Returns what an op that sets back makes of a task acquired at version 1. */
static RsnTaskDecision
set_back(Op op, const RsnRetryPolicy *policy, int32_t setbacks,
		 int64_t now_ms)
{
	RsnTask		stored = {0};
	Command		command = {0};

	stored.state = RSN_TASK_ACQUIRED;
	stored.has_pid = true;
	stored.version = 1;
	stored.resumes = 2;
	stored.setbacks = setbacks;
	stored.ttl_ms = TTL;
	stored.clock_at_ms = now_ms;
	stored.timeout_at_ms = INT64_MAX;
	command.op = op;
	command.version = 1;
	command.policy = *policy;
	return decide(&stored, &command, now_ms);
}

/* Tests how long a task that was set back has to wait. */
static void
test_waits(void)
{
	static const Op ops[] = {OP_RELEASE, OP_END_LEASE};

	for (int i = 0; i < LENGTH_OF(waits); i++)
	{
		const Wait *wait = &waits[i];
		RsnTask		next = {0};

		next.state = RSN_TASK_PENDING;
		next.version = 1;
		next.resumes = 2;
		next.setbacks = wait->setbacks == INT32_MAX ? INT32_MAX
			: wait->setbacks + 1;
		next.clock_at_ms = CLOCK + wait->wait_ms;
		next.timeout_at_ms = INT64_MAX;

		tap_begin();
		for (int j = 0; j < LENGTH_OF(ops); j++)
		{
			RsnTaskDecision actual = set_back(ops[j], &wait->policy,
											  wait->setbacks, CLOCK);

			expect_decision(&actual, RSN_STATUS_OK, true, &next, CLOCK);
		}
		tap_end("after %d setbacks, %lld times %g up to %lld less %g: %lld",
				(int) wait->setbacks, (long long) wait->policy.timeout_ms,
				wait->policy.backoff,
				(long long) wait->policy.timeout_max_ms,
				wait->policy.jitter, (long long) wait->wait_ms);
	}
}

/* Returns how long a task waits after one more setback. */
static int64_t
wait_after(const RsnRetryPolicy *policy, int32_t setbacks)
{
	return set_back(OP_RELEASE, policy, setbacks, 0).next.clock_at_ms;
}

/* Tests that waits grow, and that jitter takes no more than its part. */
static void
test_jitter(void)
{
	static const double backoffs[] = {1.0, 1.1, 1.5, 2.0, 3.0, 10.0};

	for (int i = 0; i < LENGTH_OF(backoffs); i++)
	{
		tap_begin();
		for (int j = 0; j <= 64; j++)
		{
			RsnRetryPolicy plain = {5000, 300000, backoffs[i], 0.0};
			RsnRetryPolicy jittered = {5000, 300000, backoffs[i], j / 64.0};
			int64_t		last_ms = 0;

			for (int32_t setbacks = 2; setbacks < 60; setbacks++)
			{
				int64_t		full_ms = wait_after(&plain, setbacks);
				int64_t		wait_ms = wait_after(&jittered, setbacks);
				double		least = (double) full_ms * (1.0 - j / 64.0);

				tap_expect(full_ms >= 5000 && full_ms <= 300000 &&
						   wait_ms <= full_ms && wait_ms >= last_ms &&
						   (double) wait_ms >= least - 1.0 &&
						   (double) wait_ms <= least + 1.0,
						   "setback %d, jitter %g: %lld of %lld after %lld",
						   (int) setbacks, j / 64.0, (long long) wait_ms,
						   (long long) full_ms, (long long) last_ms);
				last_ms = wait_ms;
			}
		}
		tap_end("waits that grow by %g", backoffs[i]);
	}
}

/* Tests what counts as progress, from setback to setback. */
static void
test_progress(void)
{
	static const RsnAwaited pending = {false, false};
	static const RsnAwaited settled = {false, true};
	RsnTask		task = rsn_task_new_pending(INT64_MAX, 0, &plain_policy);

	tap_begin();
	for (int32_t i = 1; i <= 4; i++)
	{
		task = rsn_task_acquire(&task, i - 1, TTL, CLOCK).next;
		expect(task.setbacks == i - 1, "acquiring is no progress", &task,
			   CLOCK);
		task = rsn_task_heartbeat(&task, i, true, CLOCK).next;
		expect(task.setbacks == i - 1, "a heartbeat is no progress", &task,
			   CLOCK);
		task = rsn_task_release(&task, i, &plain_policy, CLOCK).next;
		expect(task.setbacks == i, "a release is a setback", &task, CLOCK);
		task = rsn_task_resume(&task, 1, &plain_policy, CLOCK).next;
		expect(task.setbacks == i, "another promise is no progress", &task,
			   CLOCK);
	}
	expect(task.clock_at_ms == CLOCK + 3000, "the fourth wait", &task, CLOCK);

	task = rsn_task_offer(&task, &plain_policy, CLOCK + 3000).next;
	expect(task.setbacks == 4, "an offer is no progress", &task, CLOCK);
	task = rsn_task_take(&task, TTL, CLOCK).next;
	task = rsn_task_suspend(&task, 5, &settled, CLOCK).next;
	expect(task.setbacks == 4, "going on is no progress", &task, CLOCK);
	task = rsn_task_release(&task, 5, &plain_policy, CLOCK).next;
	expect(task.clock_at_ms > CLOCK, "not at once again", &task, CLOCK);

	task = rsn_task_take(&task, TTL, CLOCK).next;
	task = rsn_task_suspend(&task, 6, &pending, CLOCK).next;
	expect(task.setbacks == 0, "waiting is progress", &task, CLOCK);
	task = rsn_task_resume(&task, 1, &plain_policy, CLOCK).next;
	task = rsn_task_take(&task, TTL, CLOCK).next;
	task = rsn_task_release(&task, 7, &plain_policy, CLOCK).next;
	expect(task.setbacks == 1, "the first since", &task, CLOCK);

	task = rsn_task_halt(&task, CLOCK).next;
	expect(task.setbacks == 1, "halting is no progress", &task, CLOCK);
	task = rsn_task_continue(&task, &plain_policy, CLOCK).next;
	expect(task.setbacks == 0, "to continue is a new start", &task, CLOCK);
	tap_end("what counts as progress");
}

/*
 * Who else is offered a task
 */

static const RsnRetryPolicy withholding = {
	RETRY, 64000, 2.0, 0.25, false, false, true
};
static const RsnRetryPolicy preferring = {
	RETRY, 64000, 2.0, 0.25, false, true, true
};
static const RsnRetryPolicy immediate = {
	RETRY, 64000, 2.0, 0.25, true, false, true
};

/* Acquires and releases a task so often; the last time at CLOCK. */
static RsnTask
give_back(int n, const RsnRetryPolicy *policy)
{
	RsnTask		task = rsn_task_new_pending(INT64_MAX, CLOCK, policy);

	for (int32_t i = 1; i <= n; i++)
	{
		task = rsn_task_take(&task, TTL, CLOCK).next;
		expect(task.others_at_ms == 0, "nobody else has what is acquired",
			   &task, CLOCK);
		task = rsn_task_release(&task, i, policy, CLOCK).next;
	}
	return task;
}

/* The others wait less than those who gave it back, and longer each time. */
static void
test_withholding(void)
{
	static const int64_t others_waits[] = {
		0, 20, 40, 60, 80, 100, 120, 140, 160, 180, 360, 720, 1440
	};
	RsnTask		task;

	tap_begin();
	task = give_back(1, &withholding);
	expect(task.clock_at_ms == CLOCK && task.others_at_ms == 0,
		   "all get it at once the first time", &task, CLOCK);
	for (int i = 0; i < (int) LENGTH_OF(others_waits); i++)
	{
		task = give_back(i + 2, &withholding);
		expect(task.others_at_ms == CLOCK + others_waits[i], "others", &task, CLOCK);
		expect(task.clock_at_ms > task.others_at_ms, "who gave it back",
			   &task, CLOCK);
	}
	task = give_back(30, &withholding);
	expect(task.others_at_ms == task.clock_at_ms &&
		   task.clock_at_ms >= CLOCK + 48000, "in the end all wait", &task,
		   CLOCK);
	task = give_back(30, &immediate);
	expect(task.others_at_ms == 0 && task.clock_at_ms == CLOCK,
		   "or nobody", &task, CLOCK);
	task = give_back(30, &plain_policy);
	expect(task.others_at_ms == 0 && task.clock_at_ms >= CLOCK + 6000,
		   "or all", &task, CLOCK);
	tap_end("a task is withheld from those who have given it back");
}

static void
test_offer_to_others(void)
{
	RsnTask		given;
	RsnTask		task;
	RsnTaskDecision decision;

	tap_begin();
	given = give_back(3, &withholding);
	decision = rsn_task_offer_to_others(&given, &withholding, CLOCK + 19);
	expect(!decision.is_changed, "not before", &decision.next, CLOCK + 19);
	decision = rsn_task_offer_to_others(&given, &withholding, CLOCK + 20);
	expect(decision.is_changed &&
		   decision.next.others_at_ms == CLOCK + 20 + RETRY &&
		   decision.next.clock_at_ms == given.clock_at_ms,
		   "the clock of who gave it back stays", &decision.next, CLOCK + 20);
	expect(!rsn_task_offer_to_others(&decision.next, &withholding,
									 CLOCK + 20).is_changed,
		   "once", &decision.next, CLOCK + 20);
	task = rsn_task_offer_to_others(&given, &withholding,
									given.clock_at_ms - 1).next;
	expect(task.clock_at_ms == given.clock_at_ms,
		   "however near it is", &task, CLOCK);
	task = rsn_task_offer(&given, &withholding, given.clock_at_ms).next;
	expect(task.others_at_ms == task.clock_at_ms,
		   "an offer at its clock is one to all", &task, CLOCK);

	task = rsn_task_new_pending(DEADLINE, CLOCK, &preferring);
	expect(task.clock_at_ms == CLOCK && task.others_at_ms == CLOCK + RETRY,
		   "at first it is for one", &task, CLOCK);
	task = rsn_task_offer(&task, &preferring, CLOCK + RETRY - 1).next;
	expect(task.others_at_ms == CLOCK + RETRY,
		   "which does not keep it to itself", &task, CLOCK);
	task = rsn_task_offer_to_others(&task, &preferring, CLOCK + RETRY).next;
	expect(task.others_at_ms == CLOCK + 2 * RETRY &&
		   task.clock_at_ms == CLOCK + 2 * RETRY - 1,
		   "then it is offered to the group", &task, CLOCK);
	expect(!rsn_task_offer_to_others(&task, &preferring, DEADLINE).is_changed,
		   "but not when it is too late", &task, DEADLINE);
	task = rsn_task_halt(&task, CLOCK).next;
	expect(task.others_at_ms == 0, "nor when it is halted", &task, CLOCK);
	task = rsn_task_continue(&task, &preferring, CLOCK + 5).next;
	expect(task.others_at_ms == CLOCK + 5 + RETRY, "it begins anew", &task,
		   CLOCK);
	task.state = RSN_TASK_HALTED;
	task.clock_at_ms = 0;
	tap_expect(strcmp(rsn_task_check(&task), "others_only_while_pending") == 0,
			   "only what is pending is offered");
	tap_end("offers to others");
}

/*
 * The ends of numbers
 */

typedef struct Extreme
{
	const char *name;
	Op			op;
	RsnTask		stored;
	int64_t		now_ms;
	int64_t		amount;			/* ttl, timeout or resumes */
	RsnStatus	status;
	bool		is_changed;
	RsnTask		next;
} Extreme;

#define NEVER INT64_MAX

static const Extreme extremes[] = {
	{"take for ever", OP_TAKE,
		{RSN_TASK_PENDING, false, 0, 0, 0, 0, 0, NEVER},
		1, INT64_MAX, RSN_STATUS_OK, true,
	{RSN_TASK_ACQUIRED, true, 1, 0, 0, INT64_MAX, INT64_MAX, NEVER}},
	{"take for ever at the epoch", OP_TAKE,
		{RSN_TASK_PENDING, false, 0, 0, 0, 0, 0, NEVER},
		0, INT64_MAX, RSN_STATUS_OK, true,
	{RSN_TASK_ACQUIRED, true, 1, 0, 0, INT64_MAX, INT64_MAX, NEVER}},
	{"take before the epoch", OP_TAKE,
		{RSN_TASK_PENDING, false, 0, 0, 0, 0, -9, NEVER},
		-5, 7, RSN_STATUS_OK, true,
	{RSN_TASK_ACQUIRED, true, 1, 0, 0, 7, 2, NEVER}},
	{"take at the last instant", OP_TAKE,
		{RSN_TASK_PENDING, false, 0, 0, 0, 0, 0, NEVER},
		NEVER - 1, 1, RSN_STATUS_OK, true,
	{RSN_TASK_ACQUIRED, true, 1, 0, 0, 1, NEVER, NEVER}},
	{"take beyond the end", OP_TAKE,
		{RSN_TASK_PENDING, false, 0, 0, 0, 0, 0, NEVER},
		NEVER - 1, 2, RSN_STATUS_OK, true,
	{RSN_TASK_ACQUIRED, true, 1, 0, 0, 2, NEVER, NEVER}},
	{"heartbeat beyond the end", OP_HEARTBEAT,
		{RSN_TASK_ACQUIRED, true, 1, 0, 0, TTL, 5, NEVER},
		NEVER - 1, 0, RSN_STATUS_OK, true,
	{RSN_TASK_ACQUIRED, true, 1, 0, 0, TTL, NEVER, NEVER}},
	{"release beyond the end", OP_RELEASE,
		{RSN_TASK_ACQUIRED, true, 1, 0, 1, TTL, NEVER, NEVER},
		NEVER - 1, 1000, RSN_STATUS_OK, true,
	{RSN_TASK_PENDING, false, 1, 0, 2, 0, NEVER, NEVER}},
	{"end of lease beyond the end", OP_END_LEASE,
		{RSN_TASK_ACQUIRED, true, 1, 0, 1, TTL, NEVER - 1, NEVER},
		NEVER - 1, 1000, RSN_STATUS_OK, true,
	{RSN_TASK_PENDING, false, 1, 0, 2, 0, NEVER, NEVER}},
	{"no end of a lease for ever", OP_END_LEASE,
		{RSN_TASK_ACQUIRED, true, 1, 0, 1, TTL, NEVER, NEVER},
		NEVER - 1, 1000, RSN_STATUS_OK, false,
	{RSN_TASK_ACQUIRED, true, 1, 0, 1, TTL, NEVER, NEVER}},
	{"offer beyond the end", OP_OFFER,
		{RSN_TASK_PENDING, false, 1, 0, 0, 0, NEVER - 1, NEVER},
		NEVER - 1, 1000, RSN_STATUS_OK, true,
	{RSN_TASK_PENDING, false, 1, 0, 0, 0, NEVER, NEVER,.offers = 1}},

	{"the last version but one, taken", OP_TAKE,
		{RSN_TASK_PENDING, false, INT32_MAX - 1, 0, 0, 0, 0, NEVER},
		0, 1, RSN_STATUS_OK, true,
	{RSN_TASK_ACQUIRED, true, INT32_MAX, 0, 0, 1, 1, NEVER}},
	{"the last version but one, acquired", OP_ACQUIRE,
		{RSN_TASK_PENDING, false, INT32_MAX - 1, 0, 0, 0, 0, NEVER},
		0, 1, RSN_STATUS_OK, true,
	{RSN_TASK_ACQUIRED, true, INT32_MAX, 0, 0, 1, 1, NEVER}},
	{"the last version, taken", OP_TAKE,
		{RSN_TASK_PENDING, false, INT32_MAX, 0, 0, 0, 0, NEVER},
		0, 1, RSN_STATUS_CONFLICT, false,
	{RSN_TASK_PENDING, false, INT32_MAX, 0, 0, 0, 0, NEVER}},
	{"the last version, acquired", OP_ACQUIRE,
		{RSN_TASK_PENDING, false, INT32_MAX, 0, 0, 0, 0, NEVER},
		0, 1, RSN_STATUS_CONFLICT, false,
	{RSN_TASK_PENDING, false, INT32_MAX, 0, 0, 0, 0, NEVER}},
	{"the last version, guarded", OP_GUARD,
		{RSN_TASK_ACQUIRED, true, INT32_MAX, 0, 0, 1, 1, NEVER},
		0, 0, RSN_STATUS_OK, false,
	{RSN_TASK_ACQUIRED, true, INT32_MAX, 0, 0, 1, 1, NEVER}},
	{"the last version, released", OP_RELEASE,
		{RSN_TASK_ACQUIRED, true, INT32_MAX, 0, 0, 1, 1, NEVER},
		0, 1000, RSN_STATUS_OK, true,
	{RSN_TASK_PENDING, false, INT32_MAX, 0, 1, 0, 0, NEVER}},

	{"resumes up to the last", OP_RESUME,
		{RSN_TASK_HALTED, false, 1, INT32_MAX - 1, 0, 0, 0, NEVER},
		0, 1, RSN_STATUS_OK, true,
	{RSN_TASK_HALTED, false, 1, INT32_MAX, 0, 0, 0, NEVER}},
	{"resumes beyond the last", OP_RESUME,
		{RSN_TASK_HALTED, false, 1, INT32_MAX - 1, 0, 0, 0, NEVER},
		0, 2, RSN_STATUS_OK, true,
	{RSN_TASK_HALTED, false, 1, INT32_MAX, 0, 0, 0, NEVER}},
	{"resumes after the last", OP_RESUME,
		{RSN_TASK_HALTED, false, 1, INT32_MAX, 0, 0, 0, NEVER},
		0, INT32_MAX, RSN_STATUS_OK, true,
	{RSN_TASK_HALTED, false, 1, INT32_MAX, 0, 0, 0, NEVER}},
	{"all resumes at once", OP_RESUME,
		{RSN_TASK_SUSPENDED, false, 1, 0, 0, 0, 0, NEVER},
		3, INT32_MAX, RSN_STATUS_OK, true,
	{RSN_TASK_PENDING, false, 1, INT32_MAX, 0, 0, 3, NEVER}},
	{"all resumes after one", OP_RESUME,
		{RSN_TASK_ACQUIRED, true, 1, 1, 0, 1, 9, NEVER},
		3, INT32_MAX, RSN_STATUS_OK, true,
	{RSN_TASK_ACQUIRED, true, 1, INT32_MAX, 0, 1, 9, NEVER}},

	{"the last setback but one", OP_RELEASE,
		{RSN_TASK_ACQUIRED, true, 1, 0, INT32_MAX - 1, 1, 1, NEVER},
		0, 1000, RSN_STATUS_OK, true,
	{RSN_TASK_PENDING, false, 1, 0, INT32_MAX, 0, 6000, NEVER}},
	{"the last setback", OP_RELEASE,
		{RSN_TASK_ACQUIRED, true, 1, 0, INT32_MAX, 1, 1, NEVER},
		0, 1000, RSN_STATUS_OK, true,
	{RSN_TASK_PENDING, false, 1, 0, INT32_MAX, 0, 6000, NEVER}},
	{"the last setback, acquired again", OP_TAKE,
		{RSN_TASK_PENDING, false, 1, 0, INT32_MAX, 0, 6000, NEVER},
		0, 5, RSN_STATUS_OK, true,
	{RSN_TASK_ACQUIRED, true, 2, 0, INT32_MAX, 5, 5, NEVER}}
};

/* Tests numbers that cannot grow further. */
static void
test_extremes(void)
{
	for (int i = 0; i < LENGTH_OF(extremes); i++)
	{
		const Extreme *item = &extremes[i];
		Command		command = {0};
		RsnTaskDecision actual;

		command.op = item->op;
		command.version = item->stored.version;
		command.ttl_ms = item->amount;
		command.is_holder = true;
		command.resumes = (int32_t) (item->op == OP_RESUME ? item->amount : 0);
		command.policy = plain_policy;
		actual = decide(&item->stored, &command, item->now_ms);

		tap_begin();
		expect(rsn_task_check(&item->stored) == NULL, "stored is valid",
			   &item->stored, item->now_ms);
		expect_decision(&actual, item->status, item->is_changed, &item->next,
						item->now_ms);
		tap_end("%s", item->name);
	}

	tap_begin();
	expect(rsn_task_new_acquired(NEVER, INT64_MAX, 1).clock_at_ms == NEVER,
		   "a lease for ever", &extremes[0].next, 1);
	expect(rsn_task_new_acquired(NEVER, 2, NEVER - 1).clock_at_ms == NEVER,
		   "a lease beyond the end", &extremes[0].next, NEVER - 1);
	expect(rsn_task_new_pending(NEVER, NEVER - 1,
								&plain_policy).clock_at_ms == NEVER - 1,
		   "an offer at the end", &extremes[0].next, 1);
	tap_end("births at the end of time");
}

/*
 * Offers
 */

/* Expects a row of offers to wait for these times; returns what is left. */
static RsnTask
expect_offers(RsnTask task, const RsnRetryPolicy *policy,
			  const int64_t *waits_ms, int n)
{
	for (int i = 0; i < n; i++)
	{
		int64_t		now_ms = task.clock_at_ms;

		task = rsn_task_offer(&task, policy, now_ms).next;
		expect(task.clock_at_ms == now_ms + waits_ms[i], "the wait", &task,
			   now_ms);
		expect(task.offers == i + 1, "offers are counted", &task, now_ms);
	}
	return task;
}

static void
test_offers(void)
{
	static const RsnRetryPolicy told = {RETRY, 8000, 2.0, 0.25,.offer_backoff = 2.0};
	static const RsnRetryPolicy slow = {RETRY, 8000, 2.0, 0.0,.offer_backoff = 1.5};
	static const int64_t growing_ms[] = {1000, 1500, 3000, 6000, 6000, 6000};
	static const int64_t slow_ms[] = {1000, 1500, 2250, 3375, 5062, 7593, 8000};
	static const int64_t same_ms[] = {1000, 1000, 1000, 1000};
	RsnTask		task = rsn_task_new_pending(INT64_MAX, CLOCK, &told);

	tap_begin();
	expect_offers(task, &plain_policy, same_ms, LENGTH_OF(same_ms));
	expect_offers(task, &slow, slow_ms, LENGTH_OF(slow_ms));
	task = expect_offers(task, &told, growing_ms, LENGTH_OF(growing_ms));

	task = rsn_task_take(&task, TTL, CLOCK).next;
	expect(task.offers == 0, "who takes it ends the row", &task, CLOCK);
	task = rsn_task_release(&task, 1, &told, CLOCK).next;
	task = expect_offers(task, &told, growing_ms, 2);
	task = rsn_task_halt(&task, CLOCK).next;
	expect(task.offers == 0, "and so does who halts it", &task, CLOCK);
	task = rsn_task_continue(&task, &told, CLOCK).next;
	expect_offers(task, &told, growing_ms, 3);

	task.offers = INT32_MAX;
	task = rsn_task_offer(&task, &told, task.clock_at_ms).next;
	expect(task.offers == INT32_MAX && rsn_task_check(&task) == NULL,
		   "they are counted as far as they can be", &task, CLOCK);
	tap_end("offers that nobody takes");
}

/*
 * Clocks that were set by a clock that was ahead
 */

typedef struct AheadCase
{
	const char *name;
	RsnTask		stored;
	int64_t		delay_until_ms;
	int64_t		right_ms;		/* the clock afterwards */
} AheadCase;

/* How far the clock was ahead, and what is tolerated of the longest wait, 8000. */
#define JUMP 28800000
#define FAR (JUMP + DEADLINE)
#define LONGEST (CLOCK + 8000 + RSN_TASK_CLOCK_TOLERANCE_MS)

static const AheadCase ahead_cases[] = {
	{"an offer", {RSN_TASK_PENDING, false, 0, 0, 0, 0, JUMP, FAR,.offers = 1}, 0,
	CLOCK},
	{"an offer after the longest wait",
	{RSN_TASK_PENDING, false, 1, 0, 9, 0, LONGEST, FAR}, 0, LONGEST},
	{"one a moment later",
	{RSN_TASK_PENDING, false, 1, 0, 9, 0, LONGEST + 1, FAR}, 0, CLOCK},
	{"an offer put off for so long",
	{RSN_TASK_PENDING, false, 0, 0, 0, 0, JUMP, FAR}, JUMP, JUMP},
	{"an offer put off for less",
	{RSN_TASK_PENDING, false, 0, 0, 0, 0, JUMP, FAR,.offers = 1}, JUMP / 2, JUMP / 2},
	{"an offer put off for less than that takes",
	{RSN_TASK_PENDING, false, 0, 0, 0, 0, JUMP, FAR}, CLOCK - 1, CLOCK},
	{"a lease", {RSN_TASK_ACQUIRED, true, 1, 0, 0, TTL, JUMP + TTL, FAR}, 0,
	CLOCK + TTL},
	{"a lease that is put off",
	{RSN_TASK_ACQUIRED, true, 1, 0, 0, TTL, JUMP + TTL, FAR}, JUMP, CLOCK + TTL},
	{"a long lease", {RSN_TASK_ACQUIRED, true, 1, 0, 0, JUMP, CLOCK + JUMP, FAR}, 0,
	CLOCK + JUMP},
	{"a lease for ever",
	{RSN_TASK_ACQUIRED, true, 1, 0, 0, INT64_MAX, INT64_MAX, FAR}, 0, INT64_MAX},
	{"a suspended task", {RSN_TASK_SUSPENDED, false, 1, 0, 0, 0, 0, FAR}, 0, 0},
	{"a halted task", {RSN_TASK_HALTED, false, 1, 0, 0, 0, 0, FAR}, 0, 0}
};

static void
test_clocks_ahead(void)
{
	for (int i = 0; i < LENGTH_OF(ahead_cases); i++)
	{
		const AheadCase *item = &ahead_cases[i];
		bool		is_wrong = item->stored.clock_at_ms != item->right_ms;
		RsnTask		right = item->stored;
		RsnTask		lapsed = item->stored;
		RsnTaskDecision actual;

		tap_begin();
		right.clock_at_ms = item->right_ms;
		actual = rsn_task_set_right(&item->stored, &plain_policy,
									item->delay_until_ms, CLOCK);
		expect_decision(&actual, RSN_STATUS_OK, is_wrong, &right, CLOCK);
		actual = rsn_task_set_right(&right, &plain_policy,
									item->delay_until_ms, CLOCK);
		expect_decision(&actual, RSN_STATUS_OK, false, &right, CLOCK);
		lapsed.timeout_at_ms = CLOCK;
		actual = rsn_task_set_right(&lapsed, &plain_policy,
									item->delay_until_ms, CLOCK);
		expect(!actual.is_changed, "past the deadline", &actual.next, CLOCK);
		tap_end("%s, set by a clock that was ahead", item->name);
	}
}

/*
 * Invariants
 */

typedef struct CheckCase
{
	const char *violation;		/* NULL when valid */
	RsnTask		task;
} CheckCase;

static const CheckCase check_cases[] = {
	{NULL, {RSN_TASK_PENDING, false, 0, 0, 0, 0, CLOCK, DEADLINE}},
	{NULL, {RSN_TASK_PENDING, false, 0, 0, 0, 0, 0, DEADLINE}},
	{NULL, {RSN_TASK_PENDING, false, 9, 8, 7, 0, -1, DEADLINE}},
	{NULL, {RSN_TASK_ACQUIRED, true, 1, 0, 0, 1, CLOCK, DEADLINE}},
	{NULL, {RSN_TASK_ACQUIRED, true, 9, 8, 7, TTL, 0, DEADLINE}},
	{NULL, {RSN_TASK_ACQUIRED, true, INT32_MAX, INT32_MAX, INT32_MAX,
	INT64_MAX, INT64_MAX, INT64_MAX}},
	{NULL, {RSN_TASK_SUSPENDED, false, 1, 0, 0, 0, 0, DEADLINE}},
	{NULL, {RSN_TASK_HALTED, false, 0, 0, 0, 0, 0, DEADLINE}},
	{NULL, {RSN_TASK_HALTED, false, 9, 8, 7, 0, 0, DEADLINE}},
	{NULL, {RSN_TASK_FULFILLED, false, 0, 0, 0, 0, 0, DEADLINE}},
	{NULL, {RSN_TASK_FULFILLED, false, 9, 0, 0, 0, 0, DEADLINE}},

	{"acquired_iff_has_pid",
	{RSN_TASK_PENDING, true, 1, 0, 0, 0, CLOCK, DEADLINE}},
	{"acquired_iff_has_pid",
	{RSN_TASK_ACQUIRED, false, 1, 0, 0, TTL, CLOCK, DEADLINE}},
	{"acquired_iff_has_pid",
	{RSN_TASK_SUSPENDED, true, 1, 0, 0, 0, 0, DEADLINE}},
	{"acquired_iff_has_pid",
	{RSN_TASK_HALTED, true, 1, 0, 0, 0, 0, DEADLINE}},
	{"acquired_iff_has_pid",
	{RSN_TASK_FULFILLED, true, 1, 0, 0, 0, 0, DEADLINE}},
	{"acquired_iff_has_ttl",
	{RSN_TASK_PENDING, false, 1, 0, 0, 1, CLOCK, DEADLINE}},
	{"acquired_iff_has_ttl",
	{RSN_TASK_PENDING, false, 1, 0, 0, -1, CLOCK, DEADLINE}},
	{"acquired_iff_has_ttl",
	{RSN_TASK_ACQUIRED, true, 1, 0, 0, 0, CLOCK, DEADLINE}},
	{"acquired_iff_has_ttl",
	{RSN_TASK_ACQUIRED, true, 1, 0, 0, -1, CLOCK, DEADLINE}},
	{"acquired_iff_has_ttl",
	{RSN_TASK_SUSPENDED, false, 1, 0, 0, TTL, 0, DEADLINE}},
	{"acquired_iff_has_ttl",
	{RSN_TASK_HALTED, false, 1, 0, 0, TTL, 0, DEADLINE}},
	{"acquired_iff_has_ttl",
	{RSN_TASK_HALTED, false, 1, 0, 0, INT64_MIN, 0, DEADLINE}},
	{"acquired_iff_has_ttl",
	{RSN_TASK_FULFILLED, false, 1, 0, 0, TTL, 0, DEADLINE}},
	{"acquired_version_positive",
	{RSN_TASK_ACQUIRED, true, 0, 0, 0, TTL, CLOCK, DEADLINE}},
	{"acquired_version_positive",
	{RSN_TASK_ACQUIRED, true, -1, 0, 0, TTL, CLOCK, DEADLINE}},
	{"clock_only_while_pending_or_acquired",
	{RSN_TASK_SUSPENDED, false, 1, 0, 0, 0, CLOCK, DEADLINE}},
	{"clock_only_while_pending_or_acquired",
	{RSN_TASK_SUSPENDED, false, 1, 0, 0, 0, -1, DEADLINE}},
	{"clock_only_while_pending_or_acquired",
	{RSN_TASK_HALTED, false, 1, 0, 0, 0, 1, DEADLINE}},
	{"clock_only_while_pending_or_acquired",
	{RSN_TASK_FULFILLED, false, 1, 0, 0, 0, INT64_MAX, DEADLINE}},
	{"suspended_or_fulfilled_has_no_resumes",
	{RSN_TASK_SUSPENDED, false, 1, 1, 0, 0, 0, DEADLINE}},
	{"suspended_or_fulfilled_has_no_resumes",
	{RSN_TASK_SUSPENDED, false, 1, -1, 0, 0, 0, DEADLINE}},
	{"suspended_or_fulfilled_has_no_resumes",
	{RSN_TASK_FULFILLED, false, 1, 1, 0, 0, 0, DEADLINE}},
	{"suspended_or_fulfilled_has_no_resumes",
	{RSN_TASK_FULFILLED, false, 1, INT32_MAX, 0, 0, 0, DEADLINE}},
	{"counters_not_negative",
	{RSN_TASK_PENDING, false, -1, 0, 0, 0, CLOCK, DEADLINE}},
	{"counters_not_negative",
	{RSN_TASK_PENDING, false, 0, -1, 0, 0, CLOCK, DEADLINE}},
	{"counters_not_negative",
	{RSN_TASK_PENDING, false, 0, 0, -1, 0, CLOCK, DEADLINE}},
	{"counters_not_negative",
	{RSN_TASK_ACQUIRED, true, 1, INT32_MIN, 0, TTL, CLOCK, DEADLINE}},
	{"counters_not_negative",
	{RSN_TASK_ACQUIRED, true, 1, 0, INT32_MIN, TTL, CLOCK, DEADLINE}},
	{"counters_not_negative",
	{RSN_TASK_SUSPENDED, false, INT32_MIN, 0, 0, 0, 0, DEADLINE}},
	{"counters_not_negative",
	{RSN_TASK_SUSPENDED, false, 1, 0, -1, 0, 0, DEADLINE}},
	{"counters_not_negative",
	{RSN_TASK_HALTED, false, 1, -1, 0, 0, 0, DEADLINE}},
	{"counters_not_negative",
	{RSN_TASK_FULFILLED, false, -1, 0, 0, 0, 0, DEADLINE}}
};

/* Tests that each case is reported by name. */
static void
test_check(void)
{
	for (int i = 0; i < LENGTH_OF(check_cases); i++)
	{
		const CheckCase *item = &check_cases[i];
		const char *actual = rsn_task_check(&item->task);
		const char *expected = item->violation;

		tap_begin();
		tap_expect(actual == NULL ? expected == NULL
				   : expected != NULL && strcmp(actual, expected) == 0,
				   "it is %s", actual == NULL ? "valid" : actual);
		tap_end("check of %s, case %d: %s",
				rsn_task_state_name(item->task.state), i,
				expected == NULL ? "valid" : expected);
	}
}

static RsnTask
make_in_state(RsnTaskState state, int32_t version)
{
	RsnTask		task = {0};

	task.state = state;
	task.version = version;
	task.timeout_at_ms = DEADLINE;
	return task;
}

static void
expect_step(const RsnTask *before, const RsnTask *after, const char *expected)
{
	const char *actual = rsn_task_check_step(before, after);

	tap_expect(actual == NULL ? expected == NULL
			   : expected != NULL && strcmp(actual, expected) == 0,
			   "%s %d to %s %d: expected %s, found %s",
			   rsn_task_state_name(before->state), before->version,
			   rsn_task_state_name(after->state), after->version,
			   expected == NULL ? "nothing" : expected,
			   actual == NULL ? "nothing" : actual);
}

/* What a step from one state to another, that keeps the version, violates. */
static const char *
expected_violation(RsnTaskState from, RsnTaskState to)
{
	if (from == RSN_TASK_FULFILLED)
		return "fulfilment_is_final";
	if (to == RSN_TASK_ACQUIRED && from == RSN_TASK_PENDING)
		return "version_counts_acquisitions";
	if (to == RSN_TASK_ACQUIRED && from != RSN_TASK_ACQUIRED)
		return "only_pending_is_acquired";
	if (to == RSN_TASK_SUSPENDED && from != RSN_TASK_ACQUIRED)
		return "only_acquired_is_suspended";
	return NULL;
}

/* Tests that each step that must not be taken is reported by name. */
static void
test_check_step(void)
{
	RsnTask		pending = make_in_state(RSN_TASK_PENDING, 1);
	RsnTask		acquired = make_in_state(RSN_TASK_ACQUIRED, 2);
	RsnTask		other = pending;

	tap_begin();
	for (int from = 0; from < RSN_TASK_NSTATES; from++)
	{
		for (int to = 0; to < RSN_TASK_NSTATES; to++)
		{
			RsnTask		before = make_in_state((RsnTaskState) from, 1);
			RsnTask		after = make_in_state((RsnTaskState) to, 1);

			expect_step(&before, &after,
						expected_violation((RsnTaskState) from,
										   (RsnTaskState) to));
		}
	}
	tap_end("check of a step: from each state to each");

	tap_begin();
	expect_step(&pending, &acquired, NULL);
	acquired.version = 3;
	expect_step(&pending, &acquired, "version_counts_acquisitions");
	other.version = 0;
	expect_step(&pending, &other, "version_counts_acquisitions");
	other = pending;
	other.timeout_at_ms++;
	expect_step(&pending, &other, "deadline_is_final");
	tap_end("check of a step: the version and the deadline");
}

/*
 * Names
 */

/* Tests that names are what the protocol says, both ways. */
static void
test_state_names(void)
{
	static const char *const names[RSN_TASK_NSTATES] = {
		"pending", "acquired", "suspended", "halted", "fulfilled"
	};
	static const char *const unknown[] = {
		"", "p", "pendin", "pending ", " pending", "Pending", "PENDING",
		"resolved", "acquired,suspended", "fulfilledx", "0"
	};

	for (int i = 0; i < RSN_TASK_NSTATES; i++)
	{
		RsnTaskState state = (RsnTaskState) ((i + 1) % RSN_TASK_NSTATES);

		tap_begin();
		tap_expect(strcmp(rsn_task_state_name((RsnTaskState) i),
						  names[i]) == 0, "another name");
		tap_expect(rsn_task_state_from_name(names[i], &state), "not found");
		tap_expect(state == (RsnTaskState) i, "another state");
		tap_end("%s is state %d", names[i], i);
	}

	tap_begin();
	for (int i = 0; i < LENGTH_OF(unknown); i++)
	{
		RsnTaskState state = RSN_TASK_HALTED;

		tap_expect(!rsn_task_state_from_name(unknown[i], &state),
				   "\"%s\" is found", unknown[i]);
		tap_expect(state == RSN_TASK_HALTED, "\"%s\" gives a state",
				   unknown[i]);
	}
	tap_end("other words are no states");
}

/*
 * Properties of a step.  Where a property is in the protocol's catalogue, it
 * has its name there.
 */

typedef struct Property
{
	const char *name;
	bool		(*holds) (const Step *step);
} Property;

/* True when the record is one that may be stored, in the protocol's words. */
static bool
is_valid(const RsnTask *task)
{
	bool		has_lease = task->has_pid && task->ttl_ms > 0;
	bool		is_bare = !task->has_pid && task->ttl_ms == 0;
	bool		is_counted = task->version >= 0 && task->resumes >= 0 &&
	task->setbacks >= 0;

	switch (task->state)
	{
		case RSN_TASK_PENDING:
			return is_counted && is_bare;
		case RSN_TASK_ACQUIRED:
			return is_counted && has_lease && task->version > 0;
		case RSN_TASK_HALTED:
			return is_counted && is_bare && task->clock_at_ms == 0;
		case RSN_TASK_SUSPENDED:
		case RSN_TASK_FULFILLED:
			break;
	}
	return is_counted && is_bare && task->clock_at_ms == 0 &&
		task->resumes == 0;
}

/* True when the step goes from one state to another. */
static bool
goes(const Step *step, RsnTaskState from, RsnTaskState to)
{
	return step->before.state == from && step->after.state == to;
}

/* True when the step leaves the state alone, and it is this one. */
static bool
stays(const Step *step, RsnTaskState state)
{
	return goes(step, state, state);
}

static bool
enters(const Step *step, RsnTaskState state)
{
	return step->before.state != state && step->after.state == state;
}

static bool
leaves(const Step *step, RsnTaskState state)
{
	return step->before.state == state && step->after.state != state;
}

static bool
is_past_deadline(const Step *step)
{
	return step->now_ms >= step->before.timeout_at_ms;
}

/* Rows: from; columns: to. */
static const bool admissible[RSN_TASK_NSTATES][RSN_TASK_NSTATES] = {
	{true, true, false, true, true},
	{true, true, true, true, true},
	{true, false, true, true, true},
	{true, false, false, true, true},
	{false, false, false, false, true}
};

/* Of steps that no client has asked for. */
static const bool internal_admissible[RSN_TASK_NSTATES][RSN_TASK_NSTATES] = {
	{true, false, false, false, true},
	{true, true, false, false, true},
	{true, false, true, false, true},
	{false, false, false, true, true},
	{false, false, false, false, true}
};

static bool
has_admissible_edge(const Step *step)
{
	return admissible[step->before.state][step->after.state];
}

static bool
is_internal(const Step *step)
{
	Op			op = step->command.op;

	return op == OP_RESUME || op == OP_END_LEASE || op == OP_OFFER ||
		op == OP_EXPIRE;
}

static bool
has_internal_edge(const Step *step)
{
	return !is_internal(step) ||
		(internal_admissible[step->before.state][step->after.state] &&
		 step->decision.status == RSN_STATUS_OK);
}

static bool
acquires_from_pending(const Step *step)
{
	return step->after.state != RSN_TASK_ACQUIRED ||
		step->before.state == RSN_TASK_PENDING ||
		step->before.state == RSN_TASK_ACQUIRED;
}

static bool
suspends_from_acquired(const Step *step)
{
	return step->after.state != RSN_TASK_SUSPENDED ||
		step->before.state == RSN_TASK_ACQUIRED ||
		step->before.state == RSN_TASK_SUSPENDED;
}

static bool
leaves_halt_via_pending(const Step *step)
{
	return step->before.state != RSN_TASK_HALTED ||
		step->after.state == RSN_TASK_HALTED ||
		step->after.state == RSN_TASK_PENDING ||
		step->after.state == RSN_TASK_FULFILLED;
}

static bool
counts_acquisitions(const Step *step)
{
	int64_t		grown = (int64_t) step->after.version - step->before.version;

	return grown == (goes(step, RSN_TASK_PENDING, RSN_TASK_ACQUIRED) ? 1 : 0);
}

static bool
keeps_fulfilled(const Step *step)
{
	return step->before.state != RSN_TASK_FULFILLED ||
		is_same(&step->before, &step->after);
}

static bool
fulfils_with_promise_only(const Step *step)
{
	return !enters(step, RSN_TASK_FULFILLED) ||
		step->command.op == OP_SETTLE ||
		(step->command.op == OP_EXPIRE && is_past_deadline(step));
}

static bool
releases_lease_atomically(const Step *step)
{
	return !leaves(step, RSN_TASK_ACQUIRED) ||
		(!step->after.has_pid && step->after.ttl_ms == 0 &&
		 step->after.version == step->before.version);
}

static bool
keeps_holder(const Step *step)
{
	return !stays(step, RSN_TASK_ACQUIRED) ||
		step->after.version != step->before.version ||
		(step->after.has_pid == step->before.has_pid &&
		 step->after.ttl_ms == step->before.ttl_ms);
}

static bool
moves_lease_together(const Step *step)
{
	bool		had_lease = step->before.has_pid && step->before.ttl_ms > 0;
	bool		has_lease = step->after.has_pid && step->after.ttl_ms > 0;
	bool		is_half = step->after.has_pid != (step->after.ttl_ms != 0);

	return !is_half && (!had_lease || !has_lease || keeps_holder(step));
}

static bool
grows_or_clears_resumes(const Step *step)
{
	return step->after.resumes == 0 ||
		step->after.resumes >= step->before.resumes;
}

static bool
clears_resumes_on_dispatch_or_park(const Step *step)
{
	return step->before.resumes == 0 || step->after.resumes != 0 ||
		step->after.state == RSN_TASK_ACQUIRED ||
		step->after.state == RSN_TASK_SUSPENDED ||
		step->after.state == RSN_TASK_FULFILLED;
}

static bool
grows_resumes_by_resume(const Step *step)
{
	return step->after.resumes <= step->before.resumes ||
		(step->command.op == OP_RESUME &&
		 step->after.resumes - step->before.resumes
		 <= step->command.resumes);
}

static bool
dispatches_no_dead(const Step *step)
{
	return !enters(step, RSN_TASK_PENDING) || !is_past_deadline(step);
}

/* The sum, as far as it can be stored. */
static int64_t
later(int64_t now_ms, int64_t by_ms)
{
	return now_ms < 0 || by_ms <= INT64_MAX - now_ms ? now_ms + by_ms
		: INT64_MAX;
}

static bool
acquires_atomically(const Step *step)
{
	return !enters(step, RSN_TASK_ACQUIRED) ||
		(step->after.has_pid && step->after.resumes == 0 &&
		 step->after.ttl_ms == step->command.ttl_ms &&
		 step->after.clock_at_ms == later(step->now_ms,
										  step->command.ttl_ms));
}

static bool
sets_lease_to_now_plus_ttl(const Step *step)
{
	return step->after.state != RSN_TASK_ACQUIRED ||
		(step->before.state == RSN_TASK_ACQUIRED &&
		 step->after.clock_at_ms == step->before.clock_at_ms) ||
		step->after.clock_at_ms == later(step->now_ms, step->after.ttl_ms);
}

/* Now, but for setbacks after the first, which are this server's addition. */
static bool
arms_retry_on_entry(const Step *step)
{
	int64_t		wait_ms = step->after.clock_at_ms - step->now_ms;

	if (!enters(step, RSN_TASK_PENDING))
		return true;
	if (step->before.state == RSN_TASK_ACQUIRED && step->after.setbacks > 1)
		return wait_ms >= 0 &&
			wait_ms <= step->command.policy.timeout_max_ms;
	return wait_ms == 0;
}

static bool
rearms_only_when_due(const Step *step)
{
	return !stays(step, RSN_TASK_PENDING) ||
		step->after.clock_at_ms == step->before.clock_at_ms ||
		(step->command.op == OP_OFFER &&
		 step->before.clock_at_ms <= step->now_ms);
}

static bool
rearms_into_future(const Step *step)
{
	return !stays(step, RSN_TASK_PENDING) ||
		step->after.clock_at_ms == step->before.clock_at_ms ||
		step->after.clock_at_ms > step->now_ms;
}

/* What is due is never left due, or it would be offered without end. */
static bool
serves_what_is_due(const Step *step)
{
	if (step->decision.next.state == RSN_TASK_FULFILLED)
		return true;
	if (step->command.op == OP_OFFER &&
		step->before.state == RSN_TASK_PENDING)
		return step->after.clock_at_ms > step->now_ms;
	if (step->command.op == OP_END_LEASE)
		return step->after.state != RSN_TASK_ACQUIRED ||
			step->after.clock_at_ms > step->now_ms;
	return true;
}

static bool
wakes_with_resume(const Step *step)
{
	return !goes(step, RSN_TASK_SUSPENDED, RSN_TASK_PENDING) ||
		(step->command.op == OP_RESUME &&
		 step->after.resumes > 0 && step->after.clock_at_ms == step->now_ms &&
		 step->after.version == step->before.version);
}

static bool
counts_setbacks(const Step *step)
{
	Op			op = step->command.op;
	int64_t		grown = (int64_t) step->after.setbacks
	- step->before.setbacks;

	if (goes(step, RSN_TASK_ACQUIRED, RSN_TASK_PENDING))
		return (op == OP_RELEASE || op == OP_END_LEASE) &&
			grown == (step->before.setbacks == INT32_MAX ? 0 : 1);
	return grown == 0 ||
		(step->after.setbacks == 0 && step->decision.is_changed &&
		 (op == OP_SUSPEND || op == OP_CONTINUE ||
		  step->after.state == RSN_TASK_FULFILLED));
}

static bool
leaves_valid_record(const Step *step)
{
	return is_valid(&step->after) && is_valid(&step->decision.next) &&
		rsn_task_check(&step->after) == NULL &&
		(!step->decision.is_changed ||
		 rsn_task_check_step(&step->before, &step->decision.next) == NULL) &&
		rsn_task_check(&step->decision.next) == NULL;
}

static bool
keeps_deadline(const Step *step)
{
	return step->after.timeout_at_ms == step->before.timeout_at_ms &&
		step->decision.next.timeout_at_ms == step->before.timeout_at_ms;
}

static bool
changes_only_with_success(const Step *step)
{
	return !step->decision.is_changed ||
		step->decision.status == RSN_STATUS_OK ||
		(step->decision.status == RSN_STATUS_REDIRECT &&
		 stays(step, RSN_TASK_ACQUIRED));
}

/* What is not stored is shown as it is, or fulfilled and bare. */
static bool
shows_projection(const Step *step)
{
	RsnTask		expected = step->before;

	if (step->decision.is_changed)
		return true;
	if (is_past_deadline(step) || expected.state == RSN_TASK_FULFILLED)
	{
		memset(&expected, 0, sizeof(expected));
		expected.state = RSN_TASK_FULFILLED;
		expected.version = step->before.version;
		expected.timeout_at_ms = step->before.timeout_at_ms;
	}
	return is_same(&step->decision.next, &expected);
}

static bool
is_inert_past_deadline(const Step *step)
{
	if (!is_past_deadline(step) || step->command.op == OP_SETTLE)
		return true;
	return step->decision.next.state == RSN_TASK_FULFILLED &&
		step->decision.is_changed == (step->command.op == OP_EXPIRE &&
									  enters(step, RSN_TASK_FULFILLED));
}

static bool
is_blind_to_storing(const Step *step)
{
	RsnTask		observed = rsn_task_observe(&step->before, step->now_ms);
	RsnTaskDecision other = decide(&observed, &step->command, step->now_ms);

	return other.status == step->decision.status &&
		is_same(&other.next, &step->decision.next);
}

/* Of all versions only that of the lease is let through, and only then. */
static bool
admits_holder_only(const Step *step)
{
	Op			op = step->command.op;
	bool		is_held = step->before.state == RSN_TASK_ACQUIRED &&
	!is_past_deadline(step) &&
	step->command.version == step->before.version;

	if (op == OP_GUARD || op == OP_RELEASE || op == OP_SUSPEND)
		return (step->decision.status == RSN_STATUS_CONFLICT) == !is_held;
	return op != OP_HEARTBEAT ||
		step->decision.is_changed == (is_held && step->command.is_holder);
}

/* The same claim is never granted twice. */
static bool
grants_once(const Step *step)
{
	RsnTaskDecision again;

	if (!enters(step, RSN_TASK_ACQUIRED))
		return true;
	again = decide(&step->after, &step->command, step->now_ms);
	return again.status == RSN_STATUS_CONFLICT && !again.is_changed;
}

static const Property properties[] = {
	{"consistent_task_state_edge_admissible", has_admissible_edge},
	{"consistent_task_state_edge_internal_admissible", has_internal_edge},
	{"preserved_task_acquisition_only_from_pending", acquires_from_pending},
	{"preserved_task_suspension_only_from_acquired", suspends_from_acquired},
	{"preserved_task_halted_only_reenters_via_pending",
	leaves_halt_via_pending},
	{"monotone_task_version_increases_only_on_acquisition",
	counts_acquisitions},
	{"preserved_fulfilled_task", keeps_fulfilled},
	{"consistent_task_fulfilment_needs_settlement",
	fulfils_with_promise_only},
	{"consistent_task_lease_released_atomically", releases_lease_atomically},
	{"preserved_task_lease_holder_stable", keeps_holder},
	{"consistent_task_lease_fields_move_together", moves_lease_together},
	{"monotone_task_resumes_grow_or_clear", grows_or_clears_resumes},
	{"consistent_task_resumes_cleared_only_on_dispatch_or_park",
	clears_resumes_on_dispatch_or_park},
	{"preserved_no_dead_dispatch", dispatches_no_dead},
	{"consistent_task_acquisition_is_atomic", acquires_atomically},
	{"consistent_task_lease_deadline_is_now_plus_ttl",
	sets_lease_to_now_plus_ttl},
	{"consistent_task_pending_entry_arms_retry", arms_retry_on_entry},
	{"consistent_task_retry_rearm_only_when_due", rearms_only_when_due},
	{"monotone_task_retry_rearm_advances", rearms_into_future},
	{"consistent_task_wake_records_resume", wakes_with_resume},
	{"resumes grow by a resume only", grows_resumes_by_resume},
	{"what is due does not stay due", serves_what_is_due},
	{"setbacks count releases and ended leases", counts_setbacks},
	{"the record after it is valid", leaves_valid_record},
	{"the deadline never changes", keeps_deadline},
	{"nothing is stored without success", changes_only_with_success},
	{"what is shown is the projection", shows_projection},
	{"nothing happens past the deadline", is_inert_past_deadline},
	{"storing the fulfilment changes no answer", is_blind_to_storing},
	{"who does not hold the lease is refused", admits_holder_only},
	{"no claim is granted twice", grants_once}
};

/* Makes a step from a record. */
static Step
make_step(const RsnTask *before, const Command *command, int64_t now_ms)
{
	Step		step;

	step.before = *before;
	step.command = *command;
	step.now_ms = now_ms;
	step.decision = decide(before, command, now_ms);
	step.after = step.decision.is_changed ? step.decision.next : *before;
	return step;
}

/* Expects a property of a step. */
static void
expect_property(const Property *property, const Step *step)
{
	if (property->holds(step))
		tap_expect(true, "%s", property->name);
	else
		explain(op_names[step->command.op], &step->before, step->now_ms);
}

/*
 * Every step from a grid of records
 */

static const int32_t grid_versions[] = {0, 1, INT32_MAX};
static const int32_t grid_resumes[] = {0, 1, INT32_MAX};
static const int32_t grid_setbacks[] = {0, 1, 2, INT32_MAX};
static const int64_t grid_ttls[] = {0, 1, TTL};
static const int64_t grid_clocks[] = {0, CLOCK, NEVER};
static const int64_t grid_deadlines[] = {CLOCK + 2, NEVER};
static const int64_t grid_times[] = {
	CLOCK - 1, CLOCK, CLOCK + 1, CLOCK + 2, CLOCK + 3, NEVER - 1
};

#define NRECORDS (RSN_TASK_NSTATES * 2 * LENGTH_OF(grid_versions) * \
	LENGTH_OF(grid_resumes) * LENGTH_OF(grid_setbacks) * \
	LENGTH_OF(grid_ttls) * LENGTH_OF(grid_clocks) * \
	LENGTH_OF(grid_deadlines))
#define NCOMMANDS (NOPS * LENGTH_OF(grid_versions) * 4)

/* Returns the numbered record of the grid. */
static RsnTask
make_grid_record(int number)
{
	RsnTask		task = {0};

	task.state = (RsnTaskState) take_digit(&number, RSN_TASK_NSTATES);
	task.has_pid = take_digit(&number, 2) == 1;
	task.version = grid_versions[take_digit(&number,
											LENGTH_OF(grid_versions))];
	task.resumes = grid_resumes[take_digit(&number, LENGTH_OF(grid_resumes))];
	task.setbacks = grid_setbacks[take_digit(&number,
											 LENGTH_OF(grid_setbacks))];
	task.ttl_ms = grid_ttls[take_digit(&number, LENGTH_OF(grid_ttls))];
	task.clock_at_ms = grid_clocks[take_digit(&number,
											  LENGTH_OF(grid_clocks))];
	task.timeout_at_ms = grid_deadlines[take_digit(&number,
												   LENGTH_OF(grid_deadlines))];
	return task;
}

/* True when a grid record can be stored: a fulfilled one is bare. */
static bool
is_storable(const RsnTask *task)
{
	return is_valid(task) &&
		(task->state != RSN_TASK_FULFILLED || task->setbacks == 0);
}

/* Makes the numbered command; false when it is one of those before. */
static bool
make_grid_command(int number, Command *command)
{
	int			version;
	int			variant;

	memset(command, 0, sizeof(*command));
	command->op = (Op) take_digit(&number, NOPS);
	version = take_digit(&number, LENGTH_OF(grid_versions));
	variant = take_digit(&number, 4);
	command->version = grid_versions[version];
	command->ttl_ms = variant == 0 ? 1 : variant == 1 ? NEW_TTL : INT64_MAX;
	command->is_holder = variant == 1;
	command->awaited.is_unfit = variant >= 2;
	command->awaited.is_settled = variant % 2 == 1;
	command->resumes = variant == 2 ? INT32_MAX : variant + 1;
	command->policy = plain_policy;
	if (variant == 1)
		command->policy.jitter = 0;

	switch (command->op)
	{
		case OP_SUSPEND:
			return true;
		case OP_ACQUIRE:
			return variant < 3;
		case OP_RELEASE:
		case OP_HEARTBEAT:
			return variant < 2;
		case OP_GUARD:
			return variant == 0;
		case OP_TAKE:
		case OP_RESUME:
			return version == 0 && variant < 3;
		case OP_END_LEASE:
		case OP_OFFER:
			return version == 0 && variant < 2;
		case OP_HALT:
		case OP_CONTINUE:
		case OP_SETTLE:
		case OP_EXPIRE:
			break;
	}
	return version == 0 && variant == 0;
}

/* Expects a property of every step from a record. */
static void
expect_property_from(const Property *property, const RsnTask *before)
{
	for (int i = 0; i < NCOMMANDS; i++)
	{
		Command		command;

		if (!make_grid_command(i, &command))
			continue;
		for (int j = 0; j < LENGTH_OF(grid_times); j++)
		{
			Step		step = make_step(before, &command, grid_times[j]);

			expect_property(property, &step);
		}
	}
}

/* Tests rsn_task_check and every property on every record of the grid. */
static void
test_grid(void)
{
	tap_begin();
	for (int i = 0; i < NRECORDS; i++)
	{
		RsnTask		task = make_grid_record(i);

		expect((rsn_task_check(&task) == NULL) == is_valid(&task),
			   "check agrees with the invariants", &task, 0);
	}
	tap_end("check of every record");

	for (int i = 0; i < LENGTH_OF(properties); i++)
	{
		tap_begin();
		for (int j = 0; j < NRECORDS; j++)
		{
			RsnTask		before = make_grid_record(j);

			if (is_storable(&before))
				expect_property_from(&properties[i], &before);
		}
		tap_end("every step: %s", properties[i].name);
	}
}

/*
 * A long walk
 */

#define WALK_LENGTH 200000
#define WALK_SEED UINT64_C(0x9e3779b97f4a7c15)

typedef struct Walk
{
	uint64_t	random;
	int64_t		now_ms;
	RsnTask		task;
	int32_t		granted;		/* the version of the last lease */
	long		nbirths;
	long		edges[RSN_TASK_NSTATES][RSN_TASK_NSTATES];
} Walk;

/* Returns a number from 0 to limit - 1; the same in every run. */
static int
draw(Walk *walk, int limit)
{
	walk->random ^= walk->random << 13;
	walk->random ^= walk->random >> 7;
	walk->random ^= walk->random << 17;
	return (int) ((walk->random >> 33) % (uint64_t) limit);
}

/* Lets the walk go on with a new task. */
static void
give_birth(Walk *walk)
{
	int64_t		deadline_ms = walk->now_ms + 1 + draw(walk, 1000000);

	walk->nbirths++;
	if (draw(walk, 2) == 0)
		walk->task = rsn_task_new_pending(deadline_ms,
										  walk->now_ms + draw(walk, 3000),
										  &plain_policy);
	else
		walk->task = rsn_task_new_acquired(deadline_ms, 1 + draw(walk, 9000),
										   walk->now_ms);
	walk->granted = walk->task.version;
}

/* Lets some time pass: none, little, or enough for what is due. */
static void
let_time_pass(Walk *walk)
{
	static const int limits[] = {1, 10, 1000, 20000};

	walk->now_ms += draw(walk, limits[draw(walk, LENGTH_OF(limits))]);
	if (draw(walk, 3) == 0 && walk->task.clock_at_ms > walk->now_ms &&
		walk->task.clock_at_ms < walk->task.timeout_at_ms)
		walk->now_ms = walk->task.clock_at_ms - draw(walk, 2);
}

/* Returns any command; mostly with the right version. */
static Command
draw_command(Walk *walk)
{
	Command		command = {0};

	command.op = (Op) draw(walk, NOPS);
	if (command.op == OP_SETTLE && draw(walk, 8) != 0)
		command.op = OP_ACQUIRE;
	command.version = walk->task.version;
	if (draw(walk, 4) == 0)
		command.version += draw(walk, 7) - 3;
	command.ttl_ms = 1 + draw(walk, 9000);
	command.is_holder = draw(walk, 4) != 0;
	command.awaited.is_unfit = draw(walk, 4) == 0;
	command.awaited.is_settled = draw(walk, 2) == 0;
	command.resumes = 1 + draw(walk, 3);
	command.policy.timeout_ms = 1 + draw(walk, 5000);
	command.policy.timeout_max_ms = command.policy.timeout_ms +
		draw(walk, 60000);
	command.policy.backoff = 1.0 + draw(walk, 300) / 100.0;
	command.policy.jitter = draw(walk, 101) / 100.0;
	return command;
}

/* Takes one step. */
static Step
take_step(Walk *walk)
{
	Command		command;
	Step		step;

	if (walk->task.state == RSN_TASK_FULFILLED && draw(walk, 3) == 0)
		give_birth(walk);
	let_time_pass(walk);
	command = draw_command(walk);
	step = make_step(&walk->task, &command, walk->now_ms);
	walk->edges[step.before.state][step.after.state]++;
	walk->task = step.after;
	return step;
}

/* Returns a walk that has not begun. */
static Walk
start_walk(void)
{
	Walk		walk = {0};

	walk.random = WALK_SEED;
	walk.now_ms = CLOCK;
	give_birth(&walk);
	return walk;
}

/* Tests that the walk goes everywhere, and that no lease has two holders. */
static void
test_walk_itself(void)
{
	Walk		walk = start_walk();

	tap_begin();
	for (int i = 0; i < WALK_LENGTH; i++)
	{
		int64_t		ahead_ms = walk.now_ms;
		long		nbirths = walk.nbirths;
		int32_t		granted = walk.granted;
		Step		step = take_step(&walk);

		expect(step.now_ms >= ahead_ms, "time goes on", &step.before,
			   ahead_ms);
		if (enters(&step, RSN_TASK_ACQUIRED))
		{
			if (walk.nbirths == nbirths)
				expect(step.after.version == granted + 1,
					   "leases are numbered", &step.before, step.now_ms);
			walk.granted = step.after.version;
		}
		if (step.command.op == OP_GUARD &&
			step.decision.status == RSN_STATUS_OK)
			expect(step.command.version == walk.granted,
				   "the last lease counts", &step.before, step.now_ms);
	}
	tap_end("no lease has two holders");

	tap_begin();
	for (int i = 0; i < RSN_TASK_NSTATES * RSN_TASK_NSTATES; i++)
	{
		int			from = i / RSN_TASK_NSTATES;
		int			to = i % RSN_TASK_NSTATES;
		long		ntimes = walk.edges[from][to];

		tap_expect(admissible[from][to] ? ntimes >= 50 : ntimes == 0,
				   "%s to %s: %ld times",
				   rsn_task_state_name((RsnTaskState) from),
				   rsn_task_state_name((RsnTaskState) to), ntimes);
	}
	tap_end("the walk takes every edge that there is");
}

/* Tests every property on the same long walk. */
static void
test_walk(void)
{
	for (int i = 0; i < LENGTH_OF(properties); i++)
	{
		Walk		walk = start_walk();

		tap_begin();
		for (int j = 0; j < WALK_LENGTH; j++)
		{
			Step		step = take_step(&walk);

			expect_property(&properties[i], &step);
		}
		tap_end("a long walk: %s", properties[i].name);
	}
}

/* Runs everything. */
int
main(void)
{
	tap_start();
	test_situations();
	test_births();
	test_observe();
	test_never();
	test_waits();
	test_jitter();
	test_progress();
	test_withholding();
	test_offer_to_others();
	test_extremes();
	test_offers();
	test_clocks_ahead();
	test_check();
	test_check_step();
	test_state_names();
	test_grid();
	test_walk_itself();
	test_walk();
	return tap_finish();
}
