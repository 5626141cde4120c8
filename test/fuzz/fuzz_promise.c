/*-------------------------------------------------------------------------
 *
 * fuzz_promise.c
 *	  Fuzz target for core/promise.c: the input is the birth of a promise and a
 *	  sequence of commands at instants that need not be in order.
 *
 * After each command the record is held to what no command may break; a clock
 * that steps back is a part of that, because clocks do.
 *
 *-------------------------------------------------------------------------
 */
#include "core/promise.h"

#include "input.h"

#define NSTEPS_MAX 64

typedef enum Op
{
	OP_CREATE,
	OP_SETTLE,
	OP_REGISTER,
	OP_AWAIT,
	OP_EXPIRE,
	NOPS
} Op;

typedef struct Command
{
	Op			op;
	RsnCreate	create;
	RsnSettle	settle;
	bool		is_registered;
	int64_t		now_ms;
} Command;

/* The statuses that a command may be answered with. */
static const RsnStatus statuses[NOPS][8] = {
	{RSN_STATUS_OK, RSN_STATUS_CREATED, RSN_STATUS_ALREADY_EXISTS},
	{RSN_STATUS_OK, RSN_STATUS_CREATED, RSN_STATUS_ALREADY_RESOLVED,
		RSN_STATUS_ALREADY_REJECTED, RSN_STATUS_ALREADY_CANCELED,
	RSN_STATUS_ALREADY_TIMEDOUT, RSN_STATUS_NOT_FOUND},
	{RSN_STATUS_OK, RSN_STATUS_CREATED, RSN_STATUS_NOT_EXTERNAL,
	RSN_STATUS_NOT_FOUND},
	{RSN_STATUS_OK, RSN_STATUS_WAIT_TIMEOUT, RSN_STATUS_NOT_FOUND},
	{RSN_STATUS_OK, RSN_STATUS_NOT_FOUND}
};

static RsnKey
take_key(Input *input)
{
	static const char bytes[] = "abcabd";
	static const RsnKey keys[] = {
		{NULL, 0}, {bytes, 0}, {bytes, 3}, {bytes + 3, 3}, {bytes, 2}
	};

	return keys[take_choice(input, (int) (sizeof(keys) / sizeof(keys[0])))];
}

/* What may be asked for: a timer is external, so is what has a target. */
static RsnCreate
take_create(Input *input)
{
	RsnCreate	create = {0};
	int			kind = take_choice(input, 4);

	create.is_strict = take_bool(input);
	create.is_external = kind > 0;
	create.is_timer = kind == 2;
	create.is_targeted = kind == 3;
	create.timeout_at_ms = take_size(input);
	create.key = take_key(input);
	return create;
}

static RsnSettle
take_settle(Input *input)
{
	RsnSettle	settle = {0};

	settle.target = (RsnPromiseState) (RSN_PROMISE_RESOLVED +
									   take_choice(input, 3));
	settle.is_strict = take_bool(input);
	settle.has_value = take_bool(input);
	settle.key = take_key(input);
	return settle;
}

static Command
take_command(Input *input)
{
	Command		command = {0};

	command.op = (Op) take_choice(input, NOPS);
	command.now_ms = take_size(input);
	if (command.op == OP_CREATE)
		command.create = take_create(input);
	else if (command.op == OP_SETTLE)
		command.settle = take_settle(input);
	else if (command.op == OP_REGISTER)
		command.is_registered = take_bool(input);
	return command;
}

static RsnDecision
decide(const RsnPromise *stored, const Command *command)
{
	int64_t		now_ms = command->now_ms;

	switch (command->op)
	{
		case OP_CREATE:
			return rsn_promise_create(stored, &command->create, now_ms);
		case OP_SETTLE:
			return rsn_promise_settle(stored, &command->settle, now_ms);
		case OP_REGISTER:
			return rsn_promise_register(stored, command->is_registered,
										now_ms);
		case OP_AWAIT:
			return rsn_promise_await(stored, now_ms);
		case OP_EXPIRE:
		case NOPS:
			break;
	}
	return rsn_promise_expire(stored, now_ms);
}

static bool
is_same_key(const RsnKey *a, const RsnKey *b)
{
	return a->data == b->data && a->len == b->len;
}

static bool
is_same(const RsnPromise *a, const RsnPromise *b)
{
	return a->state == b->state && a->is_timer == b->is_timer &&
		a->is_external == b->is_external &&
		a->is_targeted == b->is_targeted && a->has_value == b->has_value &&
		a->created_at_ms == b->created_at_ms &&
		a->timeout_at_ms == b->timeout_at_ms &&
		a->settled_at_ms == b->settled_at_ms &&
		is_same_key(&a->key_for_create, &b->key_for_create) &&
		is_same_key(&a->key_for_complete, &b->key_for_complete);
}

static void
check_status(const Command *command, RsnStatus status)
{
	bool		is_known = false;

	for (int i = 0; statuses[command->op][i] != 0; i++)
		is_known = is_known || statuses[command->op][i] == status;
	REQUIRE(is_known);
}

/* What holds for a promise that there was before. */
static void
check_step(const RsnPromise *before, const Command *command,
		   const RsnDecision *decision)
{
	const RsnPromise *next = &decision->next;
	RsnPromise	seen = rsn_promise_observe(before, command->now_ms);
	bool		is_lapsed = rsn_promise_is_lapsed(before, command->now_ms);

	REQUIRE(decision->status != RSN_STATUS_NOT_FOUND);
	REQUIRE(decision->write != RSN_WRITE_INSERT);
	REQUIRE(is_lapsed == (before->state == RSN_PROMISE_PENDING &&
						  command->now_ms >= before->timeout_at_ms));
	REQUIRE(rsn_promise_check(next) == NULL);

	/* What it was born with stays, and what is settled altogether. */
	REQUIRE(next->created_at_ms == before->created_at_ms);
	REQUIRE(next->timeout_at_ms == before->timeout_at_ms);
	REQUIRE(next->is_timer == before->is_timer);
	REQUIRE(next->is_external == before->is_external);
	REQUIRE(next->is_targeted == before->is_targeted);
	REQUIRE(is_same_key(&next->key_for_create, &before->key_for_create));
	if (seen.state != RSN_PROMISE_PENDING)
		REQUIRE(is_same(next, &seen) && !decision->takes_value);

	/* Only a pending promise is written; a wait writes nothing. */
	REQUIRE((decision->write == RSN_WRITE_SETTLE) ==
			(command->op != OP_AWAIT && next->state != before->state));
	REQUIRE(!decision->takes_value || command->settle.has_value);
	REQUIRE((next->state == RSN_PROMISE_TIMEDOUT) ==
			(seen.state == RSN_PROMISE_TIMEDOUT));
	REQUIRE(command->op == OP_SETTLE || is_same(next, &seen));
}

/* Whether anybody has stored the deadline makes no difference to the answer. */
static void
check_blind_to_storing(const RsnPromise *before, const Command *command,
					   const RsnDecision *decision)
{
	RsnPromise	seen = rsn_promise_observe(before, command->now_ms);
	RsnPromise	again = rsn_promise_observe(&seen, command->now_ms);
	RsnDecision other = decide(&seen, command);

	REQUIRE(is_same(&again, &seen));
	REQUIRE(other.status == decision->status);
	REQUIRE(is_same(&other.next, &decision->next));
	REQUIRE(other.takes_value == decision->takes_value);
}

/* The same command again changes nothing, and succeeds if it has the key. */
static void
check_repetition(const RsnPromise *after, const Command *command,
				 const RsnDecision *first)
{
	RsnDecision again = decide(after, command);
	RsnKey		key = command->op == OP_CREATE ? command->create.key
	: command->settle.key;
	bool		is_done = first->status == RSN_STATUS_CREATED;

	REQUIRE(again.write == RSN_WRITE_NONE || command->op == OP_SETTLE ||
			command->op == OP_AWAIT);
	REQUIRE(is_same(&again.next, &first->next));
	REQUIRE(again.write != RSN_WRITE_SETTLE);
	if (command->op == OP_SETTLE && is_done)
		REQUIRE((again.status == RSN_STATUS_OK) == (key.data != NULL));
	if (command->op == OP_CREATE && is_done && !command->create.is_strict)
		REQUIRE((again.status == RSN_STATUS_OK) == (key.data != NULL));
}

/* The first command that finds nothing; true if there is a promise then. */
static bool
begin(const Command *command, RsnPromise *promise)
{
	RsnDecision decision = decide(NULL, command);

	check_status(command, decision.status);
	if (command->op != OP_CREATE)
	{
		REQUIRE(decision.status == RSN_STATUS_NOT_FOUND);
		REQUIRE(decision.write == RSN_WRITE_NONE);
		return false;
	}
	REQUIRE(decision.status == RSN_STATUS_CREATED);
	REQUIRE(decision.write == RSN_WRITE_INSERT && !decision.takes_value);
	REQUIRE(rsn_promise_check(&decision.next) == NULL);
	REQUIRE(decision.next.timeout_at_ms == command->create.timeout_at_ms);
	REQUIRE(decision.next.created_at_ms <= command->now_ms);
	REQUIRE((decision.next.state == RSN_PROMISE_PENDING) ==
			(command->now_ms < command->create.timeout_at_ms));
	check_repetition(&decision.next, command, &decision);
	*promise = decision.next;
	return true;
}

/* A record of any bytes: the check does not crash, and reads every state. */
static void
check_any_record(Input *input)
{
	RsnPromise	promise = {0};
	RsnPromiseState state;
	const char *violated;

	promise.state = (RsnPromiseState) take_choice(input, RSN_PROMISE_NSTATES);
	promise.is_timer = take_bool(input);
	promise.is_external = take_bool(input);
	promise.is_targeted = take_bool(input);
	promise.has_value = take_bool(input);
	promise.created_at_ms = take_size(input);
	promise.timeout_at_ms = take_size(input);
	promise.settled_at_ms = take_size(input);
	promise.key_for_complete = take_key(input);
	violated = rsn_promise_check(&promise);
	REQUIRE(violated == NULL || violated[0] != '\0');
	if (violated == NULL && promise.state != RSN_PROMISE_PENDING)
		REQUIRE(promise.settled_at_ms >= promise.created_at_ms &&
				promise.settled_at_ms <= promise.timeout_at_ms);
	REQUIRE(rsn_promise_state_from_name(rsn_promise_state_name(promise.state),
										&state) && state == promise.state);
}

/* A sum of times does not overflow, and saturates only at the end of time. */
static void
check_deadline(Input *input)
{
	int64_t		now_ms = (int64_t) take_bytes(input, 8);
	int64_t		timeout_ms = take_size(input);
	int64_t		deadline_ms = rsn_deadline_after(now_ms, timeout_ms);

	REQUIRE(deadline_ms >= now_ms);
	REQUIRE(deadline_ms == INT64_MAX || deadline_ms - timeout_ms == now_ms);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	Input		input = {data, size};
	RsnPromise	promise;
	bool		exists = false;
	int			mode = take_choice(&input, 4);

	if (mode == 0)
		check_any_record(&input);
	if (mode == 1)
		check_deadline(&input);
	for (int i = 0; i < NSTEPS_MAX && input.len > 0; i++)
	{
		Command		command = take_command(&input);
		RsnDecision decision;

		if (!exists)
		{
			exists = begin(&command, &promise);
			continue;
		}
		decision = decide(&promise, &command);
		check_status(&command, decision.status);
		check_step(&promise, &command, &decision);
		check_blind_to_storing(&promise, &command, &decision);
		if (decision.write == RSN_WRITE_SETTLE)
			promise = decision.next;
		check_repetition(&promise, &command, &decision);
	}
	return 0;
}
