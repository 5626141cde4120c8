/*-------------------------------------------------------------------------
 *
 * fuzz_task.c
 *	  Fuzz target for core/task.c: the input is the birth of a task, a retry policy,
 *	  and a sequence of commands at instants that need not be in order.
 *
 * After each command the record is held to what no command may break.  Counters
 * can be put next to their limits in the middle, where no sequence of a
 * reasonable length would get them.
 *
 *-------------------------------------------------------------------------
 */
#include "core/task.h"

#include "input.h"

#define NSTEPS_MAX 64

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
	OP_SET_RIGHT,
	OP_OFFER_TO_OTHERS,
	NOPS
} Op;

typedef struct Command
{
	Op			op;
	int32_t		version;
	int32_t		resumes;
	int64_t		ttl_ms;
	int64_t		now_ms;
	int64_t		delay_until_ms;
	bool		is_holder;
	RsnAwaited	awaited;
} Command;

/* The settings are 32 bits wide, see server/guc.c; what waits are made of is, too. */
static RsnRetryPolicy
take_policy(Input *input)
{
	RsnRetryPolicy policy;

	policy.timeout_ms = 1 + take_size32(input) % INT32_MAX;
	policy.timeout_max_ms = take_size32(input);
	if (policy.timeout_max_ms < policy.timeout_ms)
		policy.timeout_max_ms = policy.timeout_ms;
	policy.backoff = 1.0 + take_byte(input) / 255.0 * 99.0;
	policy.jitter = take_byte(input) / 255.0;
	policy.offer_backoff = take_bool(input) ? policy.backoff : 1;
	policy.is_immediate = take_choice(input, 4) == 1;
	policy.is_preferring = take_choice(input, 4) == 1;
	policy.is_withholding = take_choice(input, 4) != 1;
	return policy;
}

/* A command, with the version of the record more often than not. */
static Command
take_command(Input *input, const RsnTask *task)
{
	Command		command = {0};

	command.op = (Op) take_choice(input, NOPS);
	command.now_ms = take_size(input);
	command.version = task->version;
	if (take_choice(input, 4) == 0)
		command.version = take_size32(input);
	if (command.op == OP_ACQUIRE || command.op == OP_TAKE)
		command.ttl_ms = take_size(input);
	if (command.ttl_ms == 0)
		command.ttl_ms = 1;
	command.resumes = command.op == OP_RESUME ? take_size32(input) : 1;
	if (command.resumes == 0)
		command.resumes = 1;
	if (command.op == OP_SET_RIGHT)
		command.delay_until_ms = take_size(input);
	command.is_holder = take_bool(input);
	command.awaited.is_unfit = take_choice(input, 4) == 1;
	command.awaited.is_settled = take_choice(input, 4) == 1;
	return command;
}

static RsnTaskDecision
decide(const RsnTask *task, const Command *command,
	   const RsnRetryPolicy *policy)
{
	int64_t		now_ms = command->now_ms;

	switch (command->op)
	{
		case OP_GUARD:
			return rsn_task_guard(task, command->version, now_ms);
		case OP_ACQUIRE:
			return rsn_task_acquire(task, command->version, command->ttl_ms,
									now_ms);
		case OP_TAKE:
			return rsn_task_take(task, command->ttl_ms, now_ms);
		case OP_RELEASE:
			return rsn_task_release(task, command->version, policy, now_ms);
		case OP_SUSPEND:
			return rsn_task_suspend(task, command->version, &command->awaited,
									now_ms);
		case OP_HEARTBEAT:
			return rsn_task_heartbeat(task, command->version,
									  command->is_holder, now_ms);
		case OP_HALT:
			return rsn_task_halt(task, now_ms);
		case OP_CONTINUE:
			return rsn_task_continue(task, policy, now_ms);
		case OP_RESUME:
			return rsn_task_resume(task, command->resumes, policy, now_ms);
		case OP_END_LEASE:
			return rsn_task_end_lease(task, policy, now_ms);
		case OP_SET_RIGHT:
			return rsn_task_set_right(task, policy, command->delay_until_ms,
									  now_ms);
		case OP_OFFER:
			return rsn_task_offer(task, policy, now_ms);
		case OP_OFFER_TO_OTHERS:
		case NOPS:
			break;
	}
	return rsn_task_offer_to_others(task, policy, now_ms);
}

static bool
is_same(const RsnTask *a, const RsnTask *b)
{
	return a->state == b->state && a->has_pid == b->has_pid &&
		a->version == b->version && a->resumes == b->resumes &&
		a->setbacks == b->setbacks && a->ttl_ms == b->ttl_ms &&
		a->clock_at_ms == b->clock_at_ms &&
		a->others_at_ms == b->others_at_ms &&
		a->timeout_at_ms == b->timeout_at_ms && a->offers == b->offers;
}

static bool
is_in_range(const RsnTaskDecision *decision, const Command *command)
{
	switch (decision->status)
	{
		case RSN_STATUS_OK:
			return true;
		case RSN_STATUS_CONFLICT:
			return command->op != OP_HEARTBEAT && command->op < OP_RESUME;
		case RSN_STATUS_UNFIT:
		case RSN_STATUS_REDIRECT:
			return command->op == OP_SUSPEND;
		default:
			return false;
	}
}

/* Who may change the state from which to which. */
static bool
is_edge(Op op, RsnTaskState from, RsnTaskState to)
{
	switch (op)
	{
		case OP_ACQUIRE:
		case OP_TAKE:
			return from == RSN_TASK_PENDING && to == RSN_TASK_ACQUIRED;
		case OP_RELEASE:
		case OP_END_LEASE:
			return from == RSN_TASK_ACQUIRED && to == RSN_TASK_PENDING;
		case OP_SUSPEND:
			return from == RSN_TASK_ACQUIRED && to == RSN_TASK_SUSPENDED;
		case OP_HALT:
			return from != RSN_TASK_FULFILLED && to == RSN_TASK_HALTED;
		case OP_CONTINUE:
			return from == RSN_TASK_HALTED && to == RSN_TASK_PENDING;
		case OP_RESUME:
			return from == RSN_TASK_SUSPENDED && to == RSN_TASK_PENDING;
		default:
			return false;
	}
}

/* What is not stored is shown as it is, or as fulfilled. */
static void
check_unchanged(const RsnTask *before, const Command *command,
				const RsnTask *next)
{
	RsnTask		seen = rsn_task_observe(before, command->now_ms);
	RsnTask		again = rsn_task_observe(&seen, command->now_ms);

	REQUIRE(is_same(next, &seen));
	REQUIRE(is_same(&again, &seen));
	REQUIRE((seen.state == RSN_TASK_FULFILLED) ==
			!rsn_task_is_alive(before, command->now_ms));
}

/* A clock is set to an instant that is not past, however far it is. */
static void
check_clock(const RsnTask *before, const Command *command,
			const RsnTask *next)
{
	bool		is_leased = next->state == RSN_TASK_ACQUIRED;

	if (next->clock_at_ms == before->clock_at_ms || next->clock_at_ms == 0)
		return;
	REQUIRE(next->clock_at_ms >= command->now_ms);
	if (command->op == OP_SET_RIGHT)
		REQUIRE(next->clock_at_ms < before->clock_at_ms);
	if (next->clock_at_ms == command->delay_until_ms)
		return;
	if (is_leased)
		REQUIRE(next->clock_at_ms == INT64_MAX ||
				next->clock_at_ms - next->ttl_ms == command->now_ms);
	else
		REQUIRE(next->clock_at_ms == INT64_MAX ||
				next->clock_at_ms - command->now_ms <= INT32_MAX);
}

static void
check_changed(const RsnTask *before, const Command *command,
			  const RsnTaskDecision *decision)
{
	const RsnTask *next = &decision->next;
	bool		is_claim = command->op == OP_ACQUIRE || command->op == OP_TAKE;

	REQUIRE(rsn_task_is_alive(before, command->now_ms));
	REQUIRE(decision->status == RSN_STATUS_OK ||
			decision->status == RSN_STATUS_REDIRECT);
	REQUIRE(next->state == before->state ||
			is_edge(command->op, before->state, next->state));
	REQUIRE(next->version - before->version == (is_claim ? 1 : 0));
	REQUIRE(next->timeout_at_ms == before->timeout_at_ms);
	REQUIRE(next->resumes >= before->resumes || next->resumes == 0);
	REQUIRE(next->resumes <= before->resumes || command->op == OP_RESUME);
	REQUIRE(next->ttl_ms == before->ttl_ms || next->ttl_ms == 0 || is_claim);
	if (command->op == OP_RELEASE || command->op == OP_END_LEASE)
		REQUIRE(next->setbacks > before->setbacks ||
				next->setbacks == INT32_MAX);
	else
		REQUIRE(next->setbacks == before->setbacks || next->setbacks == 0);
	REQUIRE(next->offers == 0 || next->offers == before->offers ||
			command->op == OP_OFFER);
	check_clock(before, command, next);
}

/* Who does not hold the lease gets nothing that is the holder's. */
static void
check_fence(const RsnTask *before, const Command *command,
			const RsnTaskDecision *decision)
{
	bool		is_held = before->state == RSN_TASK_ACQUIRED &&
	before->version == command->version &&
	command->now_ms < before->timeout_at_ms;

	switch (command->op)
	{
		case OP_GUARD:
		case OP_RELEASE:
		case OP_SUSPEND:
			REQUIRE((decision->status != RSN_STATUS_CONFLICT) == is_held);
			break;
		case OP_HEARTBEAT:
			REQUIRE(decision->is_changed == (is_held && command->is_holder));
			break;
		default:
			break;
	}
}

/* What is done by the clock is done when it is due, and not before. */
static void
check_due(const RsnTask *before, const Command *command,
		  const RsnTaskDecision *decision)
{
	RsnTaskState state = command->op == OP_OFFER ? RSN_TASK_PENDING
	: RSN_TASK_ACQUIRED;
	bool		is_due = before->state == state &&
	before->clock_at_ms <= command->now_ms &&
	command->now_ms < before->timeout_at_ms;

	if (command->op == OP_OFFER || command->op == OP_END_LEASE)
		REQUIRE(decision->is_changed == is_due);
	if (command->op == OP_OFFER_TO_OTHERS)
		REQUIRE(decision->is_changed ==
				(before->state == RSN_TASK_PENDING &&
				 before->others_at_ms != 0 &&
				 before->others_at_ms <= command->now_ms &&
				 command->now_ms < before->timeout_at_ms));
}

/* The same command again at the same instant. */
static void
check_repetition(const RsnTask *after, const Command *command,
				 const RsnTaskDecision *first, const RsnRetryPolicy *policy)
{
	RsnTaskDecision again = decide(after, command, policy);

	switch (command->op)
	{
		case OP_ACQUIRE:
		case OP_TAKE:
		case OP_CONTINUE:
		case OP_RELEASE:
			REQUIRE(again.status == RSN_STATUS_CONFLICT && !again.is_changed);
			break;
		case OP_SUSPEND:
			REQUIRE(first->status != RSN_STATUS_OK ||
					again.status == RSN_STATUS_CONFLICT);
			break;
		case OP_HALT:
		case OP_END_LEASE:
		case OP_SET_RIGHT:
			REQUIRE(!again.is_changed && again.status == first->status);
			break;
		case OP_OFFER:
		case OP_OFFER_TO_OTHERS:
			REQUIRE(!again.is_changed || command->now_ms == INT64_MAX);
			break;
		case OP_GUARD:
		case OP_HEARTBEAT:
			REQUIRE(is_same(&again.next, &first->next));
			REQUIRE(again.status == first->status);
			break;
		case OP_RESUME:
		case NOPS:
			break;
	}
}

static void
check_step(const RsnTask *before, const Command *command,
		   const RsnRetryPolicy *policy, const RsnTaskDecision *decision)
{
	RsnTask		seen = rsn_task_observe(before, command->now_ms);
	RsnTaskDecision other = decide(&seen, command, policy);
	const RsnTask *after = decision->is_changed ? &decision->next : before;

	REQUIRE(is_in_range(decision, command));
	REQUIRE(rsn_task_check(&decision->next) == NULL);
	if (decision->is_changed)
		check_changed(before, command, decision);
	else
		check_unchanged(before, command, &decision->next);
	check_fence(before, command, decision);
	check_due(before, command, decision);
	REQUIRE(before->state != RSN_TASK_FULFILLED || !decision->is_changed);
	REQUIRE(other.status == decision->status);
	REQUIRE(is_same(&other.next, &decision->next));
	check_repetition(after, command, decision, policy);
}

/* Puts counters where only a very long life would. */
static void
age(Input *input, RsnTask *task)
{
	if (task->state == RSN_TASK_FULFILLED)
		return;
	task->setbacks = take_size32(input);
	if (task->version > 0)
		task->version = 1 + take_size32(input) % INT32_MAX;
	if (task->state != RSN_TASK_SUSPENDED)
		task->resumes = take_size32(input);
	if (task->state == RSN_TASK_PENDING)
		task->offers = take_size32(input);
	REQUIRE(rsn_task_check(task) == NULL);
}

/* A record of any bytes: the check does not crash, and reads every state. */
static void
check_any_record(Input *input)
{
	RsnTask		task = {0};
	RsnTaskState state;
	const char *violated;

	task.state = (RsnTaskState) take_choice(input, RSN_TASK_NSTATES);
	task.has_pid = take_bool(input);
	task.version = (int32_t) take_bytes(input, 4);
	task.resumes = (int32_t) take_bytes(input, 4);
	task.setbacks = (int32_t) take_bytes(input, 4);
	task.ttl_ms = (int64_t) take_bytes(input, 8);
	task.clock_at_ms = take_size(input);
	violated = rsn_task_check(&task);
	REQUIRE(violated == NULL || violated[0] != '\0');
	if (violated == NULL)
		REQUIRE(task.version >= 0 && task.ttl_ms >= 0 && task.resumes >= 0);
	REQUIRE(rsn_task_state_from_name(rsn_task_state_name(task.state),
									 &state) && state == task.state);
}

static RsnTask
take_birth(Input *input, const RsnRetryPolicy *policy)
{
	int64_t		deadline_ms = take_size(input);
	int64_t		at_ms = take_size(input);

	if (take_bool(input))
		return rsn_task_new_pending(deadline_ms, at_ms, policy);
	return rsn_task_new_acquired(deadline_ms, 1 + take_size(input) % INT64_MAX,
								 at_ms);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	Input		input = {data, size};
	RsnRetryPolicy policy;
	RsnTask		task;

	if (take_choice(&input, 8) == 7)
	{
		check_any_record(&input);
		return 0;
	}
	policy = take_policy(&input);
	task = take_birth(&input, &policy);
	REQUIRE(rsn_task_check(&task) == NULL);
	for (int i = 0; i < NSTEPS_MAX && input.len > 0; i++)
	{
		Command		command;
		RsnTaskDecision decision;

		if (take_choice(&input, 16) == 15)
			age(&input, &task);
		command = take_command(&input, &task);
		decision = decide(&task, &command, &policy);
		check_step(&task, &command, &policy, &decision);
		if (decision.is_changed)
			task = decision.next;
	}
	return 0;
}
