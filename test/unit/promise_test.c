/*-------------------------------------------------------------------------
 *
 * promise_test.c
 *	  Stand-alone test of core/promise.c: every rule, edge and invariant.
 *
 * Three sources of truth keep each other honest: the table of transitions in
 * a CSV file, tables of literals in this file, and properties that hold for
 * every record and every command.  Nothing here computes an expected status
 * the way core/promise.c does.
 *
 * Usage: promise_test [transitions.csv]
 *
 *-------------------------------------------------------------------------
 */
#include "core/promise.h"

#include <stdlib.h>
#include <string.h>

#include "tap.h"

#define LENGTH_OF(array) ((int) (sizeof(array) / sizeof((array)[0])))

/* Plausible times, in order; a stored record is settled early or in time. */
#define BIRTH 1000
#define EARLY 1500
#define DEADLINE 2000

/*
 * Keys.  They are not zero-terminated, equal ones are apart in memory, and
 * different ones differ in one way each: a byte, the case, the length, what
 * follows a zero byte.
 */
static const char bytes_a[] = {'k', 'e', 'y', '-', 'a'};
static const char bytes_a_again[] = {'k', 'e', 'y', '-', 'a'};
static const char bytes_b[] = {'k', 'e', 'y', '-', 'b'};
static const char bytes_upper[] = {'K', 'E', 'Y', '-', 'A'};
static const char bytes_x[] = {'k', '\0', 'x'};
static const char bytes_x_again[] = {'k', '\0', 'x'};
static const char bytes_y[] = {'k', '\0', 'y'};
static const char bytes_none[] = {'?'};
static const char bytes_none_again[] = {'!'};

#define KEY(bytes) {(bytes), sizeof(bytes)}
#define KEY_ABSENT {NULL, 0}
#define KEY_EMPTY {bytes_none, 0}
#define KEY_EMPTY_AGAIN {bytes_none_again, 0}

static const RsnKey key_absent = KEY_ABSENT;
static const RsnKey key_a = KEY(bytes_a);
static const RsnKey key_a_again = KEY(bytes_a_again);
static const RsnKey key_b = KEY(bytes_b);

typedef enum KeyRelation
{
	RELATION_NONE,
	RELATION_MATCH,
	RELATION_MISMATCH,
	RELATION_ANY
} KeyRelation;

typedef struct KeyPair
{
	KeyRelation relation;
	RsnKey		stored;
	RsnKey		given;
} KeyPair;

static const KeyPair key_pairs[] = {
	{RELATION_NONE, KEY_ABSENT, KEY_ABSENT},
	{RELATION_NONE, KEY_ABSENT, KEY(bytes_a)},
	{RELATION_NONE, KEY_ABSENT, KEY_EMPTY},
	{RELATION_NONE, KEY(bytes_a), KEY_ABSENT},
	{RELATION_NONE, KEY_EMPTY, KEY_ABSENT},
	{RELATION_MATCH, KEY(bytes_a), KEY(bytes_a)},
	{RELATION_MATCH, KEY(bytes_a), KEY(bytes_a_again)},
	{RELATION_MATCH, KEY(bytes_x), KEY(bytes_x_again)},
	{RELATION_MATCH, KEY_EMPTY, KEY_EMPTY_AGAIN},
	{RELATION_MISMATCH, KEY(bytes_a), KEY(bytes_b)},
	{RELATION_MISMATCH, KEY(bytes_a), KEY(bytes_upper)},
	{RELATION_MISMATCH, KEY(bytes_a), {bytes_a_again, 3}},
	{RELATION_MISMATCH, {bytes_a_again, 3}, KEY(bytes_a)},
	{RELATION_MISMATCH, KEY(bytes_x), KEY(bytes_y)},
	{RELATION_MISMATCH, KEY_EMPTY, KEY(bytes_a)},
	{RELATION_MISMATCH, KEY(bytes_a), KEY_EMPTY}
};

typedef enum Op
{
	OP_CREATE,
	OP_SETTLE,
	OP_REGISTER,
	OP_AWAIT,
	OP_EXPIRE
} Op;

#define NOPS 5

static const char *const op_names[NOPS] = {
	"create", "settle", "register", "await", "expire"
};

/* A command of any kind; only the part of its op counts. */
typedef struct Command
{
	Op			op;
	RsnCreate	create;
	RsnSettle	settle;
	bool		is_registered;
} Command;

static const RsnPromiseState targets[] = {
	RSN_PROMISE_RESOLVED, RSN_PROMISE_REJECTED, RSN_PROMISE_CANCELED
};

static const bool booleans[] = {false, true};

/* Returns the decision on a command of any kind. */
static RsnDecision
decide(const RsnPromise *stored, const Command *command, int64_t now_ms)
{
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
			break;
	}
	return rsn_promise_expire(stored, now_ms);
}

/* Returns a valid record of the state, settled early unless timed out. */
static RsnPromise
make_record(RsnPromiseState state, bool is_timer, bool is_external)
{
	RsnPromise	record = {0};

	record.state = state;
	record.is_timer = is_timer;
	record.is_external = is_external;
	record.created_at_ms = BIRTH;
	record.timeout_at_ms = DEADLINE;
	if (state == RSN_PROMISE_TIMEDOUT)
		record.settled_at_ms = DEADLINE;
	else if (state != RSN_PROMISE_PENDING)
		record.settled_at_ms = EARLY;
	return record;
}

/* Returns a timer that its deadline has resolved. */
static RsnPromise
make_fired_timer(void)
{
	RsnPromise	record = make_record(RSN_PROMISE_RESOLVED, true, true);

	record.settled_at_ms = DEADLINE;
	return record;
}

/* True when a record of the state may have a value and a completion key. */
static bool
may_have_value(RsnPromiseState state)
{
	return state == RSN_PROMISE_RESOLVED || state == RSN_PROMISE_REJECTED ||
		state == RSN_PROMISE_CANCELED;
}

/* True when both keys are absent, or both present with the same bytes. */
static bool
is_same_key(const RsnKey *a, const RsnKey *b)
{
	if (a->data == NULL || b->data == NULL)
		return a->data == NULL && b->data == NULL;
	return a->len == b->len && memcmp(a->data, b->data, a->len) == 0;
}

/* Returns the name of a field in which the records differ, or NULL. */
static const char *
find_difference(const RsnPromise *a, const RsnPromise *b)
{
	if (a->state != b->state)
		return "state";
	if (a->is_timer != b->is_timer)
		return "is_timer";
	if (a->is_external != b->is_external)
		return "is_external";
	if (a->has_value != b->has_value)
		return "has_value";
	if (a->created_at_ms != b->created_at_ms)
		return "created_at_ms";
	if (a->timeout_at_ms != b->timeout_at_ms)
		return "timeout_at_ms";
	if (a->settled_at_ms != b->settled_at_ms)
		return "settled_at_ms";
	if (!is_same_key(&a->key_for_create, &b->key_for_create))
		return "key_for_create";
	if (!is_same_key(&a->key_for_complete, &b->key_for_complete))
		return "key_for_complete";
	return NULL;
}

/* Explains a broken expectation by what was stored and when it was asked. */
static void
explain(const char *what, const RsnPromise *stored, int64_t now_ms)
{
	if (stored == NULL)
		tap_expect(false, "%s: now %lld, nothing stored", what,
				   (long long) now_ms);
	else
		tap_expect(false, "%s: now %lld, stored state %d, timer %d,"
				   " external %d, value %d, created %lld, timeout %lld,"
				   " settled %lld, keys of %d and %d bytes", what,
				   (long long) now_ms, (int) stored->state, stored->is_timer,
				   stored->is_external, stored->has_value,
				   (long long) stored->created_at_ms,
				   (long long) stored->timeout_at_ms,
				   (long long) stored->settled_at_ms,
				   stored->key_for_create.data == NULL
				   ? -1 : (int) stored->key_for_create.len,
				   stored->key_for_complete.data == NULL
				   ? -1 : (int) stored->key_for_complete.len);
}

/* Expects a condition, explained as by explain(). */
static void
expect(bool is_met, const char *what, const RsnPromise *stored,
	   int64_t now_ms)
{
	if (is_met)
		tap_expect(true, "%s", what);
	else
		explain(what, stored, now_ms);
}

/* Expects two records to be the same and the first to be valid. */
static void
expect_record(const RsnPromise *actual, const RsnPromise *expected,
			  const RsnPromise *stored, int64_t now_ms)
{
	const char *difference = find_difference(actual, expected);
	const char *violation = rsn_promise_check(actual);

	expect(difference == NULL, difference == NULL ? "same record" : difference,
		   stored, now_ms);
	expect(violation == NULL, violation == NULL ? "valid record" : violation,
		   stored, now_ms);
}

/* Expects all of a decision. */
static void
expect_decision(const RsnDecision *actual, const RsnDecision *expected,
				const RsnPromise *stored, int64_t now_ms)
{
	char		what[40];

	snprintf(what, sizeof(what), "status %d, expected %d",
			 (int) actual->status, (int) expected->status);
	expect(actual->status == expected->status, what, stored, now_ms);
	expect(actual->write == expected->write, "write", stored, now_ms);
	expect(actual->takes_value == expected->takes_value, "takes_value",
		   stored, now_ms);
	if (expected->status != RSN_STATUS_NOT_FOUND)
		expect_record(&actual->next, &expected->next, stored, now_ms);
}

/*
 * The table of transitions
 */

#define NROWS 132
#define NCOLUMNS 11

static const char csv_header[] =
"state,op,strict,key_relation,timeout_elapsed,timer_tag,next_state,code4,"
"code5,result,spec_rows";

typedef struct Row
{
	bool		is_stored;
	RsnPromiseState state;
	Op			op;
	RsnPromiseState target;		/* of settle */
	bool		is_strict;
	KeyRelation relation;
	bool		is_elapsed;
	bool		is_timer;
	RsnPromiseState next;
	int			status;
	bool		is_completed;	/* the command settles the promise */
	char		name[64];
} Row;

/* One of the many ways to play a row. */
typedef struct Variant
{
	const KeyPair *keys;
	bool		is_other_key_set;	/* the key that the op must not look at */
	bool		is_external;
	bool		has_stored_value;
	bool		has_given_value;
	int64_t		now_ms;
} Variant;

/* Returns the index of a word in a list, or -1. */
static int
find_word(const char *word, const char *const *words, int nwords)
{
	for (int i = 0; i < nwords; i++)
	{
		if (strcmp(word, words[i]) == 0)
			return i;
	}
	return -1;
}

/* Cuts a line at its commas; returns the number of columns. */
static int
split_line(char *line, char **columns)
{
	int			ncolumns = 0;

	line[strcspn(line, "\r\n")] = '\0';
	for (;;)
	{
		if (ncolumns < NCOLUMNS)
			columns[ncolumns] = line;
		ncolumns++;
		line = strchr(line, ',');
		if (line == NULL)
			return ncolumns;
		*line++ = '\0';
	}
}

/* Reads a row; false when a word in it is not known. */
static bool
parse_row(char *line, Row *row)
{
	static const char *const states[] = {
		"pending", "resolved", "rejected", "canceled", "timedout", "init"
	};
	static const char *const ops[] = {"create", "resolve", "reject", "cancel"};
	static const char *const relations[] = {
		"none", "match", "mismatch", "any"
	};
	static const char *const flags[] = {"F", "T"};
	char	   *columns[NCOLUMNS];
	int			words[7];

	if (split_line(line, columns) != NCOLUMNS)
		return false;
	words[0] = find_word(columns[0], states, LENGTH_OF(states));
	words[1] = find_word(columns[1], ops, LENGTH_OF(ops));
	words[2] = find_word(columns[2], flags, LENGTH_OF(flags));
	words[3] = find_word(columns[3], relations, LENGTH_OF(relations));
	words[4] = find_word(columns[4], flags, LENGTH_OF(flags));
	words[5] = find_word(columns[5], flags, LENGTH_OF(flags));
	words[6] = find_word(columns[6], states, LENGTH_OF(states));
	for (int i = 0; i < LENGTH_OF(words); i++)
	{
		if (words[i] < 0)
			return false;
	}

	row->is_stored = words[0] < RSN_PROMISE_NSTATES;
	row->state = (RsnPromiseState) words[0];
	row->op = words[1] == 0 ? OP_CREATE : OP_SETTLE;
	row->target = words[1] == 0 ? RSN_PROMISE_PENDING : targets[words[1] - 1];
	row->is_strict = words[2] == 1;
	row->relation = (KeyRelation) words[3];
	row->is_elapsed = words[4] == 1;
	row->is_timer = words[5] == 1;
	row->next = (RsnPromiseState) words[6];
	row->status = (int) strtol(columns[7], NULL, 10);
	row->is_completed = strcmp(columns[9], "completed") == 0;
	snprintf(row->name, sizeof(row->name), "%s %s %s %s %s %s -> %s %d",
			 columns[0], columns[1], columns[2], columns[3], columns[4],
			 columns[5], columns[6], row->status);
	return true;
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
 * Makes the numbered variant of a row; false when the row excludes it.  The
 * clock matters to nothing but a creation and a pending record.
 */
static bool
make_variant(const Row *row, int number, Variant *variant)
{
	static const int64_t nows[] = {
		BIRTH - 1, BIRTH, DEADLINE - 1, DEADLINE, DEADLINE + 1, INT64_MAX
	};
	bool		is_timed = row->is_stored ? row->state == RSN_PROMISE_PENDING
	: row->op == OP_CREATE;
	bool		may_have_keys = row->is_stored && may_have_value(row->state);

	variant->keys = &key_pairs[take_digit(&number, LENGTH_OF(key_pairs))];
	variant->now_ms = nows[take_digit(&number, LENGTH_OF(nows))];
	variant->is_other_key_set = take_digit(&number, 2) == 1;
	variant->is_external = take_digit(&number, 2) == 1;
	variant->has_stored_value = take_digit(&number, 2) == 1;
	variant->has_given_value = take_digit(&number, 2) == 1;

	if (row->relation != RELATION_ANY &&
		row->relation != variant->keys->relation)
		return false;
	if (row->op == OP_SETTLE && !may_have_keys &&
		variant->keys->stored.data != NULL)
		return false;
	if (row->op == OP_CREATE && !may_have_keys && variant->is_other_key_set)
		return false;
	if (variant->has_stored_value && !may_have_keys)
		return false;
	if (row->is_timer && !variant->is_external)
		return false;
	return !is_timed || row->is_elapsed == (variant->now_ms >= DEADLINE);
}

#define NVARIANTS (LENGTH_OF(key_pairs) * 6 * 2 * 2 * 2 * 2)

/* Returns the record that a variant of a row starts from. */
static RsnPromise
make_stored(const Row *row, const Variant *variant)
{
	RsnPromise	stored = make_record(row->state, row->is_timer,
									 variant->is_external);
	RsnKey		other = variant->is_other_key_set ? variant->keys->given
	: key_absent;

	stored.has_value = variant->has_stored_value;
	stored.key_for_create = row->op == OP_CREATE ? variant->keys->stored
		: other;
	stored.key_for_complete = row->op == OP_CREATE ? other
		: variant->keys->stored;
	return stored;
}

/* Returns the command of a variant of a row. */
static Command
make_command(const Row *row, const Variant *variant)
{
	Command		command = {0};

	command.op = row->op;
	command.create.is_strict = row->is_strict;
	command.create.is_timer = row->is_timer;
	command.create.is_external = variant->is_external;
	command.create.timeout_at_ms = DEADLINE;
	command.create.key = variant->keys->given;
	command.settle.target = row->target;
	command.settle.is_strict = row->is_strict;
	command.settle.has_value = variant->has_given_value;
	command.settle.key = variant->keys->given;
	return command;
}

/* Returns what a row says about a variant; stored is NULL for none. */
static RsnDecision
make_expected(const Row *row, const Variant *variant,
			  const RsnPromise *stored)
{
	RsnDecision expected = {0};
	RsnPromise *next = &expected.next;

	expected.status = (RsnStatus) row->status;
	if (stored != NULL)
		*next = *stored;
	else if (row->op == OP_CREATE)
	{
		expected.write = RSN_WRITE_INSERT;
		next->is_timer = row->is_timer;
		next->is_external = variant->is_external;
		next->created_at_ms = row->is_elapsed ? DEADLINE : variant->now_ms;
		next->timeout_at_ms = DEADLINE;
		next->settled_at_ms = row->is_elapsed ? DEADLINE : 0;
		next->key_for_create = variant->keys->given;
	}
	else
		return expected;

	next->state = row->next;
	if (stored != NULL && stored->state != row->next)
	{
		expected.write = RSN_WRITE_SETTLE;
		next->settled_at_ms = DEADLINE;
	}
	if (row->is_completed)
	{
		expected.takes_value = variant->has_given_value;
		next->has_value = variant->has_given_value;
		next->settled_at_ms = variant->now_ms < BIRTH ? BIRTH
			: variant->now_ms;
		next->key_for_complete = variant->keys->given;
	}
	return expected;
}

/* Tests every variant of a row. */
static void
test_row(const Row *row, int number)
{
	tap_begin();
	for (int i = 0; i < NVARIANTS; i++)
	{
		Variant		variant;
		RsnPromise	record;
		const RsnPromise *stored = NULL;
		Command		command;
		RsnDecision expected;
		RsnDecision actual;

		if (!make_variant(row, i, &variant))
			continue;
		if (row->is_stored)
		{
			record = make_stored(row, &variant);
			stored = &record;
			expect(rsn_promise_check(stored) == NULL, "stored is valid",
				   stored, variant.now_ms);
		}
		command = make_command(row, &variant);
		expected = make_expected(row, &variant, stored);
		actual = decide(stored, &command, variant.now_ms);
		expect_decision(&actual, &expected, stored, variant.now_ms);
	}
	tap_end("row %d: %s", number, row->name);
}

/* Tests that no two rows are about the same situation. */
static void
test_rows_distinct(const Row *rows, int nrows)
{
	tap_begin();
	for (int i = 0; i < nrows; i++)
	{
		size_t		len = strcspn(rows[i].name, ">");

		for (int j = i + 1; j < nrows; j++)
			tap_expect(strncmp(rows[i].name, rows[j].name, len) != 0,
					   "rows %d and %d: %s", i + 1, j + 1, rows[i].name);
	}
	tap_end("no two rows are about the same situation");
}

/* Replays the table of transitions. */
static void
test_transitions(const char *path)
{
	static Row	rows[NROWS];
	char		line[256];
	int			nrows = 0;
	FILE	   *file = fopen(path, "r");

	if (file == NULL)
	{
		printf("Bail out! could not open %s\n", path);
		exit(1);
	}

	tap_begin();
	tap_expect(fgets(line, sizeof(line), file) != NULL &&
			   strncmp(line, csv_header, strlen(csv_header)) == 0,
			   "unexpected header");
	while (fgets(line, sizeof(line), file) != NULL)
	{
		Row			row = {0};

		tap_expect(parse_row(line, &row), "unexpected row %d", nrows + 1);
		if (nrows < NROWS)
			rows[nrows] = row;
		nrows++;
	}
	fclose(file);
	tap_expect(nrows == NROWS, "%d rows", nrows);
	tap_end("the table has %d well-formed rows", NROWS);

	if (nrows > NROWS)
		nrows = NROWS;
	for (int i = 0; i < nrows; i++)
		test_row(&rows[i], i + 1);
	test_rows_distinct(rows, nrows);
}

/*
 * The deadline
 */

/* What an op is answered before its deadline, and at it or later. */
typedef struct Boundary
{
	Op			op;
	bool		is_timer;
	RsnStatus	ahead_status;
	RsnWrite	ahead_write;
	RsnPromiseState ahead_state;
	RsnStatus	past_status;
	RsnWrite	past_write;
	RsnPromiseState past_state;
} Boundary;

/* Create starts from nothing, the others from a pending external record. */
static const Boundary boundaries[] = {
	{OP_CREATE, false,
		RSN_STATUS_CREATED, RSN_WRITE_INSERT, RSN_PROMISE_PENDING,
	RSN_STATUS_CREATED, RSN_WRITE_INSERT, RSN_PROMISE_TIMEDOUT},
	{OP_CREATE, true,
		RSN_STATUS_CREATED, RSN_WRITE_INSERT, RSN_PROMISE_PENDING,
	RSN_STATUS_CREATED, RSN_WRITE_INSERT, RSN_PROMISE_RESOLVED},
	{OP_SETTLE, false,
		RSN_STATUS_CREATED, RSN_WRITE_SETTLE, RSN_PROMISE_CANCELED,
	RSN_STATUS_OK, RSN_WRITE_SETTLE, RSN_PROMISE_TIMEDOUT},
	{OP_SETTLE, true,
		RSN_STATUS_CREATED, RSN_WRITE_SETTLE, RSN_PROMISE_CANCELED,
	RSN_STATUS_ALREADY_RESOLVED, RSN_WRITE_SETTLE, RSN_PROMISE_RESOLVED},
	{OP_REGISTER, false,
		RSN_STATUS_CREATED, RSN_WRITE_NONE, RSN_PROMISE_PENDING,
	RSN_STATUS_OK, RSN_WRITE_SETTLE, RSN_PROMISE_TIMEDOUT},
	{OP_REGISTER, true,
		RSN_STATUS_CREATED, RSN_WRITE_NONE, RSN_PROMISE_PENDING,
	RSN_STATUS_OK, RSN_WRITE_SETTLE, RSN_PROMISE_RESOLVED},
	{OP_AWAIT, false,
		RSN_STATUS_WAIT_TIMEOUT, RSN_WRITE_NONE, RSN_PROMISE_PENDING,
	RSN_STATUS_OK, RSN_WRITE_NONE, RSN_PROMISE_TIMEDOUT},
	{OP_AWAIT, true,
		RSN_STATUS_WAIT_TIMEOUT, RSN_WRITE_NONE, RSN_PROMISE_PENDING,
	RSN_STATUS_OK, RSN_WRITE_NONE, RSN_PROMISE_RESOLVED},
	{OP_EXPIRE, false,
		RSN_STATUS_OK, RSN_WRITE_NONE, RSN_PROMISE_PENDING,
	RSN_STATUS_OK, RSN_WRITE_SETTLE, RSN_PROMISE_TIMEDOUT},
	{OP_EXPIRE, true,
		RSN_STATUS_OK, RSN_WRITE_NONE, RSN_PROMISE_PENDING,
	RSN_STATUS_OK, RSN_WRITE_SETTLE, RSN_PROMISE_RESOLVED}
};

/* Deadlines that leave room for one instant more. */
static const int64_t deadlines[] = {1, DEADLINE, INT64_MAX - 1};

/* Returns a pending external record that lapses at the deadline. */
static RsnPromise
make_pending(bool is_timer, int64_t deadline_ms)
{
	RsnPromise	record = make_record(RSN_PROMISE_PENDING, is_timer, true);

	record.created_at_ms = deadline_ms / 2;
	record.timeout_at_ms = deadline_ms;
	record.key_for_create = key_a;
	return record;
}

/* Expects the answer of a boundary at an instant near one deadline. */
static void
expect_boundary(const Boundary *boundary, int64_t deadline_ms, int64_t now_ms)
{
	bool		is_past = now_ms >= deadline_ms;
	RsnPromise	record = make_pending(boundary->is_timer, deadline_ms);
	const RsnPromise *stored = boundary->op == OP_CREATE ? NULL : &record;
	Command		command = {0};
	RsnDecision expected = {0};
	RsnDecision actual;

	command.op = boundary->op;
	command.create.is_timer = boundary->is_timer;
	command.create.is_external = true;
	command.create.timeout_at_ms = deadline_ms;
	command.create.key = key_a_again;
	command.settle.target = RSN_PROMISE_CANCELED;
	command.settle.has_value = true;
	command.settle.key = key_b;

	expected.status = is_past ? boundary->past_status
		: boundary->ahead_status;
	expected.write = is_past ? boundary->past_write : boundary->ahead_write;
	expected.next = record;
	expected.next.state = is_past ? boundary->past_state
		: boundary->ahead_state;
	expected.next.settled_at_ms = is_past ? deadline_ms : 0;
	if (boundary->op == OP_CREATE)
		expected.next.created_at_ms = is_past ? deadline_ms : now_ms;
	if (boundary->op == OP_SETTLE && !is_past)
	{
		expected.takes_value = true;
		expected.next.has_value = true;
		expected.next.settled_at_ms = now_ms < record.created_at_ms
			? record.created_at_ms : now_ms;
		expected.next.key_for_complete = key_b;
	}
	actual = decide(stored, &command, now_ms);
	expect_decision(&actual, &expected, stored, now_ms);
}

/* Tests every boundary just before, at and just after the deadline. */
static void
test_boundaries(void)
{
	for (int i = 0; i < LENGTH_OF(boundaries); i++)
	{
		for (int offset = -1; offset <= 1; offset++)
		{
			tap_begin();
			for (int j = 0; j < LENGTH_OF(deadlines); j++)
				expect_boundary(&boundaries[i], deadlines[j],
								deadlines[j] + offset);
			tap_end("%s of a %s at the deadline %+d",
					op_names[boundaries[i].op],
					boundaries[i].is_timer ? "timer" : "promise", offset);
		}
	}
}

/* Expects how a pending record is seen, and whether it counts as lapsed. */
static void
expect_observed(const RsnPromise *stored, int64_t now_ms, bool is_past)
{
	RsnPromise	observed = rsn_promise_observe(stored, now_ms);
	RsnPromise	expected = *stored;

	if (is_past)
	{
		expected.state = stored->is_timer ? RSN_PROMISE_RESOLVED
			: RSN_PROMISE_TIMEDOUT;
		expected.settled_at_ms = stored->timeout_at_ms;
	}
	expect(rsn_promise_is_lapsed(stored, now_ms) == is_past, "is_lapsed",
		   stored, now_ms);
	expect_record(&observed, &expected, stored, now_ms);
}

/* Tests rsn_promise_observe and rsn_promise_is_lapsed near the deadline. */
static void
test_observe(void)
{
	for (int offset = -1; offset <= 1; offset++)
	{
		tap_begin();
		for (int i = 0; i < LENGTH_OF(deadlines); i++)
		{
			RsnPromise	promise = make_pending(false, deadlines[i]);
			RsnPromise	timer = make_pending(true, deadlines[i]);
			int64_t		now_ms = deadlines[i] + offset;

			expect_observed(&promise, now_ms, offset >= 0);
			expect_observed(&timer, now_ms, offset >= 0);
		}
		tap_end("observe at the deadline %+d", offset);
	}

	tap_begin();
	for (int i = 1; i < RSN_PROMISE_NSTATES; i++)
	{
		RsnPromise	settled = make_record((RsnPromiseState) i, false, true);
		RsnPromise	fired = make_fired_timer();

		expect_observed(&settled, DEADLINE - 1, false);
		expect_observed(&settled, DEADLINE, false);
		expect_observed(&settled, INT64_MAX, false);
		expect_observed(&fired, INT64_MAX, false);
	}
	tap_end("observe of a settled promise");
}

/*
 * The ends of time
 */

/* Tests that nothing passes the deadline INT64_MAX before INT64_MAX. */
static void
test_never(void)
{
	static const int64_t nows[] = {0, 1, DEADLINE, INT64_MAX - 1};

	for (int i = 0; i < LENGTH_OF(boundaries); i++)
	{
		tap_begin();
		for (int j = 0; j < LENGTH_OF(nows); j++)
			expect_boundary(&boundaries[i], INT64_MAX, nows[j]);
		tap_end("%s of a %s without a deadline",
				op_names[boundaries[i].op],
				boundaries[i].is_timer ? "timer" : "promise");

		tap_begin();
		expect_boundary(&boundaries[i], INT64_MAX, INT64_MAX);
		tap_end("%s of a %s at the end of time",
				op_names[boundaries[i].op],
				boundaries[i].is_timer ? "timer" : "promise");
	}
}

/* Returns the record that a creation from nothing makes. */
static RsnPromise
create_at(int64_t timeout_at_ms, bool is_timer, int64_t now_ms)
{
	RsnCreate	command = {0};

	command.timeout_at_ms = timeout_at_ms;
	command.is_timer = is_timer;
	command.is_external = is_timer;
	return rsn_promise_create(NULL, &command, now_ms).next;
}

/* Tests that a deadline before or at the epoch is kept as it is. */
static void
test_epoch(void)
{
	static const int64_t timeouts[] = {INT64_MIN, -1, 0};
	RsnPromise	pending = create_at(1, false, 0);
	RsnSettle	command = {RSN_PROMISE_REJECTED, true, false, KEY_ABSENT};
	RsnDecision decision;

	tap_begin();
	for (int i = 0; i < LENGTH_OF(timeouts); i++)
	{
		for (int j = 0; j < LENGTH_OF(booleans); j++)
		{
			RsnPromise	born = create_at(timeouts[i], booleans[j], 0);
			RsnPromise	expected = {0};

			expected.state = booleans[j] ? RSN_PROMISE_RESOLVED
				: RSN_PROMISE_TIMEDOUT;
			expected.is_timer = booleans[j];
			expected.is_external = booleans[j];
			expected.created_at_ms = timeouts[i];
			expected.timeout_at_ms = timeouts[i];
			expected.settled_at_ms = timeouts[i];
			expect_record(&born, &expected, NULL, 0);
		}
	}
	tap_end("born settled at the epoch or before it");

	tap_begin();
	expect(pending.state == RSN_PROMISE_PENDING && pending.created_at_ms == 0,
		   "pending since the epoch", NULL, 0);
	decision = rsn_promise_settle(&pending, &command, 0);
	tap_expect(decision.status == RSN_STATUS_CREATED, "status");
	tap_expect(decision.next.state == RSN_PROMISE_REJECTED, "state");
	tap_expect(decision.next.settled_at_ms == 0, "settled_at");
	tap_expect(rsn_promise_check(&decision.next) == NULL, "valid");
	tap_end("created and settled at the epoch");
}

/* Tests that the clock stepping back settles no promise before its birth. */
static void
test_clock_stepped_back(void)
{
	static const int64_t nows[] = {INT64_MIN, 0, BIRTH - 1, BIRTH, BIRTH + 1};

	for (int i = 0; i < LENGTH_OF(targets); i++)
	{
		tap_begin();
		for (int j = 0; j < LENGTH_OF(nows); j++)
		{
			RsnSettle	command = {0};
			RsnPromise	stored = make_record(RSN_PROMISE_PENDING, false, false);
			RsnDecision expected = {0};
			RsnDecision actual;

			command.target = targets[i];
			expected.status = RSN_STATUS_CREATED;
			expected.write = RSN_WRITE_SETTLE;
			expected.next = stored;
			expected.next.state = targets[i];
			expected.next.settled_at_ms = nows[j] > BIRTH ? BIRTH + 1 : BIRTH;
			actual = rsn_promise_settle(&stored, &command, nows[j]);
			expect_decision(&actual, &expected, &stored, nows[j]);
		}
		tap_end("%s after the clock stepped back",
				rsn_promise_state_name(targets[i]));
	}
}

/* Tests rsn_deadline_after. */
static void
test_deadline_after(void)
{
	static const struct
	{
		int64_t		now_ms;
		int64_t		timeout_ms;
		int64_t		expected_ms;
	}			cases[] = {
		{0, 0, 0},
		{1000, 0, 1000},
		{1000, 60000, 61000},
		{0, INT64_MAX, INT64_MAX},
		{1, INT64_MAX - 2, INT64_MAX - 1},
		{1, INT64_MAX - 1, INT64_MAX},
		{1, INT64_MAX, INT64_MAX},
		{INT64_MAX - 1, 0, INT64_MAX - 1},
		{INT64_MAX - 1, 1, INT64_MAX},
		{INT64_MAX - 1, 2, INT64_MAX},
		{INT64_MAX, 0, INT64_MAX},
		{INT64_MAX, 1, INT64_MAX},
		{INT64_MAX, INT64_MAX, INT64_MAX},
		{-1, 0, -1},
		{-1, INT64_MAX, INT64_MAX - 1},
		{INT64_MIN, INT64_MAX, -1}
	};

	for (int i = 0; i < LENGTH_OF(cases); i++)
	{
		int64_t		actual_ms = rsn_deadline_after(cases[i].now_ms,
												   cases[i].timeout_ms);

		tap_begin();
		tap_expect(actual_ms == cases[i].expected_ms, "it is %lld",
				   (long long) actual_ms);
		tap_end("%lld after %lld is %lld", (long long) cases[i].timeout_ms,
				(long long) cases[i].now_ms,
				(long long) cases[i].expected_ms);
	}
}

/*
 * Register, await, expire
 */

/* How a stored record looks to an op that is not a command of a client. */
typedef struct Situation
{
	const char *name;
	bool		is_stored;
	RsnPromiseState state;
	bool		is_timer;
	bool		is_fired;		/* settled by its deadline */
	int64_t		now_ms;
	RsnWrite	write;			/* of everything but await */
	RsnPromiseState next;
	RsnStatus	register_new;	/* of an external promise */
	RsnStatus	register_known;
	RsnStatus	await;
} Situation;

static const Situation situations[] = {
	{"missing", false, RSN_PROMISE_PENDING, false, false, EARLY,
		RSN_WRITE_NONE, RSN_PROMISE_PENDING,
	RSN_STATUS_NOT_FOUND, RSN_STATUS_NOT_FOUND, RSN_STATUS_NOT_FOUND},
	{"pending", true, RSN_PROMISE_PENDING, false, false, EARLY,
		RSN_WRITE_NONE, RSN_PROMISE_PENDING,
	RSN_STATUS_CREATED, RSN_STATUS_OK, RSN_STATUS_WAIT_TIMEOUT},
	{"pending timer", true, RSN_PROMISE_PENDING, true, false, EARLY,
		RSN_WRITE_NONE, RSN_PROMISE_PENDING,
	RSN_STATUS_CREATED, RSN_STATUS_OK, RSN_STATUS_WAIT_TIMEOUT},
	{"lapsed", true, RSN_PROMISE_PENDING, false, false, DEADLINE,
		RSN_WRITE_SETTLE, RSN_PROMISE_TIMEDOUT,
	RSN_STATUS_OK, RSN_STATUS_OK, RSN_STATUS_OK},
	{"lapsed timer", true, RSN_PROMISE_PENDING, true, false, DEADLINE,
		RSN_WRITE_SETTLE, RSN_PROMISE_RESOLVED,
	RSN_STATUS_OK, RSN_STATUS_OK, RSN_STATUS_OK},
	{"resolved", true, RSN_PROMISE_RESOLVED, false, false, EARLY,
		RSN_WRITE_NONE, RSN_PROMISE_RESOLVED,
	RSN_STATUS_OK, RSN_STATUS_OK, RSN_STATUS_OK},
	{"resolved timer", true, RSN_PROMISE_RESOLVED, true, false, EARLY,
		RSN_WRITE_NONE, RSN_PROMISE_RESOLVED,
	RSN_STATUS_OK, RSN_STATUS_OK, RSN_STATUS_OK},
	{"fired timer", true, RSN_PROMISE_RESOLVED, true, true, DEADLINE,
		RSN_WRITE_NONE, RSN_PROMISE_RESOLVED,
	RSN_STATUS_OK, RSN_STATUS_OK, RSN_STATUS_OK},
	{"rejected", true, RSN_PROMISE_REJECTED, false, false, EARLY,
		RSN_WRITE_NONE, RSN_PROMISE_REJECTED,
	RSN_STATUS_OK, RSN_STATUS_OK, RSN_STATUS_OK},
	{"canceled", true, RSN_PROMISE_CANCELED, false, false, EARLY,
		RSN_WRITE_NONE, RSN_PROMISE_CANCELED,
	RSN_STATUS_OK, RSN_STATUS_OK, RSN_STATUS_OK},
	{"timed out", true, RSN_PROMISE_TIMEDOUT, false, true, DEADLINE,
		RSN_WRITE_NONE, RSN_PROMISE_TIMEDOUT,
	RSN_STATUS_OK, RSN_STATUS_OK, RSN_STATUS_OK},
	{"resolved, its deadline past", true, RSN_PROMISE_RESOLVED, false, false,
		DEADLINE + 1, RSN_WRITE_NONE, RSN_PROMISE_RESOLVED,
	RSN_STATUS_OK, RSN_STATUS_OK, RSN_STATUS_OK}
};

/* Tests what one op is answered in a situation. */
static void
test_situation(const Situation *situation, Op op, bool is_registered,
			   bool is_external, RsnStatus status)
{
	RsnPromise	record = make_record(situation->state, situation->is_timer,
									 is_external);
	const RsnPromise *stored = situation->is_stored ? &record : NULL;
	Command		command = {0};
	RsnDecision expected = {0};
	RsnDecision actual;

	record.key_for_create = key_a;
	record.settled_at_ms = situation->is_fired ? DEADLINE
		: record.settled_at_ms;
	record.has_value = may_have_value(situation->state) &&
		!situation->is_fired;
	if (record.has_value)
		record.key_for_complete = key_b;

	command.op = op;
	command.is_registered = is_registered;
	expected.status = status;
	expected.write = op == OP_AWAIT ? RSN_WRITE_NONE : situation->write;
	expected.next = record;
	expected.next.state = situation->next;
	if (situation->next != situation->state)
		expected.next.settled_at_ms = DEADLINE;

	tap_begin();
	expect(stored == NULL || rsn_promise_check(stored) == NULL,
		   "stored is valid", stored, situation->now_ms);
	actual = decide(stored, &command, situation->now_ms);
	expect_decision(&actual, &expected, stored, situation->now_ms);
	tap_end("%s%s, %s, %s: %d", op_names[op],
			op == OP_REGISTER && is_registered ? " again" : "",
			situation->name, is_external ? "external" : "internal",
			(int) status);
}

/* Tests register, await and expire in every situation. */
static void
test_situations(void)
{
	for (int i = 0; i < LENGTH_OF(situations); i++)
	{
		const Situation *situation = &situations[i];
		RsnStatus	refused = situation->is_stored ? RSN_STATUS_NOT_EXTERNAL
		: RSN_STATUS_NOT_FOUND;
		RsnStatus	expired = situation->is_stored ? RSN_STATUS_OK
		: RSN_STATUS_NOT_FOUND;

		test_situation(situation, OP_REGISTER, false, true,
					   situation->register_new);
		test_situation(situation, OP_REGISTER, true, true,
					   situation->register_known);
		test_situation(situation, OP_AWAIT, false, true, situation->await);
		test_situation(situation, OP_EXPIRE, false, true, expired);
		if (situation->is_timer)
			continue;
		test_situation(situation, OP_REGISTER, false, false, refused);
		test_situation(situation, OP_REGISTER, true, false, refused);
		test_situation(situation, OP_AWAIT, false, false, situation->await);
		test_situation(situation, OP_EXPIRE, false, false, expired);
	}
}

/*
 * Invariants
 */

/* One valid record of a kind, or one that violates an invariant. */
typedef struct CheckCase
{
	const char *violation;		/* NULL when valid */
	RsnPromiseState state;
	bool		is_timer;
	bool		is_external;
	bool		has_value;
	int64_t		created_at_ms;
	int64_t		settled_at_ms;
	RsnKey		key_for_complete;
} CheckCase;

/* The deadline of each is DEADLINE. */
static const CheckCase check_cases[] = {
	{NULL, RSN_PROMISE_PENDING, false, false, false, BIRTH, 0, KEY_ABSENT},
	{NULL, RSN_PROMISE_PENDING, false, true, false, BIRTH, 0, KEY_ABSENT},
	{NULL, RSN_PROMISE_PENDING, true, true, false, BIRTH, 0, KEY_ABSENT},
	{NULL, RSN_PROMISE_PENDING, false, false, false, DEADLINE - 1, 0,
	KEY_ABSENT},
	{NULL, RSN_PROMISE_RESOLVED, false, false, false, BIRTH, EARLY,
	KEY_ABSENT},
	{NULL, RSN_PROMISE_RESOLVED, false, true, true, BIRTH, EARLY,
	KEY(bytes_a)},
	{NULL, RSN_PROMISE_RESOLVED, true, true, true, BIRTH, EARLY,
	KEY(bytes_a)},
	{NULL, RSN_PROMISE_RESOLVED, true, true, false, BIRTH, DEADLINE,
	KEY_ABSENT},
	{NULL, RSN_PROMISE_RESOLVED, true, true, false, DEADLINE, DEADLINE,
	KEY_ABSENT},
	{NULL, RSN_PROMISE_RESOLVED, false, false, true, BIRTH, BIRTH,
	KEY_EMPTY},
	{NULL, RSN_PROMISE_RESOLVED, false, false, true, BIRTH, DEADLINE - 1,
	KEY_EMPTY},
	{NULL, RSN_PROMISE_REJECTED, false, false, true, BIRTH, EARLY,
	KEY(bytes_a)},
	{NULL, RSN_PROMISE_REJECTED, true, true, true, BIRTH, EARLY,
	KEY(bytes_a)},
	{NULL, RSN_PROMISE_CANCELED, false, true, true, BIRTH, EARLY,
	KEY(bytes_a)},
	{NULL, RSN_PROMISE_CANCELED, true, true, false, BIRTH, EARLY,
	KEY_ABSENT},
	{NULL, RSN_PROMISE_TIMEDOUT, false, false, false, BIRTH, DEADLINE,
	KEY_ABSENT},
	{NULL, RSN_PROMISE_TIMEDOUT, false, true, false, DEADLINE, DEADLINE,
	KEY_ABSENT},

	{"created_at_lte_timeout_at", RSN_PROMISE_PENDING,
	false, false, false, DEADLINE + 1, 0, KEY_ABSENT},
	{"created_at_lte_timeout_at", RSN_PROMISE_TIMEDOUT,
	false, false, false, DEADLINE + 1, DEADLINE + 1, KEY_ABSENT},
	{"timer_is_external", RSN_PROMISE_PENDING,
	true, false, false, BIRTH, 0, KEY_ABSENT},
	{"timer_is_external", RSN_PROMISE_RESOLVED,
	true, false, false, BIRTH, DEADLINE, KEY_ABSENT},
	{"pending_created_before_deadline", RSN_PROMISE_PENDING,
	false, false, false, DEADLINE, 0, KEY_ABSENT},
	{"settled_at_iff_not_pending", RSN_PROMISE_PENDING,
	false, false, false, BIRTH, EARLY, KEY_ABSENT},
	{"settled_at_iff_not_pending", RSN_PROMISE_PENDING,
	false, false, false, BIRTH, -1, KEY_ABSENT},
	{"pending_has_no_value", RSN_PROMISE_PENDING,
	false, false, true, BIRTH, 0, KEY_ABSENT},
	{"pending_has_no_key_for_complete", RSN_PROMISE_PENDING,
	false, false, false, BIRTH, 0, KEY(bytes_a)},
	{"pending_has_no_key_for_complete", RSN_PROMISE_PENDING,
	false, false, false, BIRTH, 0, KEY_EMPTY},
	{"settled_at_lte_timeout_at", RSN_PROMISE_RESOLVED,
	false, false, false, BIRTH, DEADLINE + 1, KEY_ABSENT},
	{"settled_at_lte_timeout_at", RSN_PROMISE_TIMEDOUT,
	false, false, false, BIRTH, DEADLINE + 1, KEY_ABSENT},
	{"settled_at_lte_timeout_at", RSN_PROMISE_RESOLVED,
	true, true, false, BIRTH, INT64_MAX, KEY_ABSENT},
	{"created_at_lte_settled_at", RSN_PROMISE_REJECTED,
	false, false, false, BIRTH, BIRTH - 1, KEY_ABSENT},
	{"created_at_lte_settled_at", RSN_PROMISE_CANCELED,
	false, false, false, BIRTH, 0, KEY_ABSENT},
	{"timedout_is_server_owned", RSN_PROMISE_TIMEDOUT,
	false, false, false, BIRTH, DEADLINE - 1, KEY_ABSENT},
	{"timedout_is_server_owned", RSN_PROMISE_TIMEDOUT,
	true, true, false, BIRTH, BIRTH, KEY_ABSENT},
	{"deadline_verdict_matches_timer_tag", RSN_PROMISE_RESOLVED,
	false, false, false, BIRTH, DEADLINE, KEY_ABSENT},
	{"deadline_verdict_matches_timer_tag", RSN_PROMISE_REJECTED,
	false, false, false, BIRTH, DEADLINE, KEY_ABSENT},
	{"deadline_verdict_matches_timer_tag", RSN_PROMISE_CANCELED,
	true, true, false, BIRTH, DEADLINE, KEY_ABSENT},
	{"deadline_verdict_matches_timer_tag", RSN_PROMISE_TIMEDOUT,
	true, true, false, BIRTH, DEADLINE, KEY_ABSENT},
	{"deadline_settlement_has_no_value", RSN_PROMISE_TIMEDOUT,
	false, false, true, BIRTH, DEADLINE, KEY_ABSENT},
	{"deadline_settlement_has_no_value", RSN_PROMISE_RESOLVED,
	true, true, true, BIRTH, DEADLINE, KEY_ABSENT},
	{"deadline_settlement_has_no_key_for_complete", RSN_PROMISE_TIMEDOUT,
	false, false, false, BIRTH, DEADLINE, KEY(bytes_a)},
	{"deadline_settlement_has_no_key_for_complete", RSN_PROMISE_RESOLVED,
	true, true, false, BIRTH, DEADLINE, KEY_EMPTY},
	{"state_is_known", (RsnPromiseState) RSN_PROMISE_NSTATES,
	false, false, false, BIRTH, DEADLINE, KEY_ABSENT}
};

/* Returns the record of a case. */
static RsnPromise
make_checked(const CheckCase *item)
{
	RsnPromise	record = {0};

	record.state = item->state;
	record.is_timer = item->is_timer;
	record.is_external = item->is_external;
	record.has_value = item->has_value;
	record.created_at_ms = item->created_at_ms;
	record.timeout_at_ms = DEADLINE;
	record.settled_at_ms = item->settled_at_ms;
	record.key_for_complete = item->key_for_complete;
	return record;
}

/* Tests that each case is reported by name; a key for creation is all one. */
static void
test_check(void)
{
	for (int i = 0; i < LENGTH_OF(check_cases); i++)
	{
		const CheckCase *item = &check_cases[i];
		RsnPromise	record = make_checked(item);

		tap_begin();
		for (int j = 0; j < LENGTH_OF(booleans); j++)
		{
			const char *violation;

			record.key_for_create = booleans[j] ? key_a : key_absent;
			violation = rsn_promise_check(&record);
			if (violation == NULL || item->violation == NULL)
				tap_expect(violation == item->violation, "found %s",
						   violation == NULL ? "nothing" : violation);
			else
				tap_expect(strcmp(violation, item->violation) == 0,
						   "found %s", violation);
		}
		tap_end("check, state %d: %s", (int) item->state,
				item->violation == NULL ? "valid" : item->violation);
	}
}

static void
expect_step(const RsnPromise *before, const RsnPromise *after,
			const char *expected)
{
	const char *actual = rsn_promise_check_step(before, after);

	tap_expect(actual == NULL ? expected == NULL
			   : expected != NULL && strcmp(actual, expected) == 0,
			   "expected %s, found %s", expected == NULL ? "nothing" : expected,
			   actual == NULL ? "nothing" : actual);
}

/* Tests that each step that must not be taken is reported by name. */
static void
test_check_step(void)
{
	RsnPromise	pending = {.timeout_at_ms = 1000};
	RsnPromise	settled = pending;
	RsnPromise	other;

	settled.state = RSN_PROMISE_RESOLVED;
	settled.settled_at_ms = 500;

	tap_begin();
	expect_step(&pending, &settled, NULL);
	expect_step(&settled, &settled, "settlement_is_final");
	expect_step(&settled, &pending, "settlement_is_final");
	expect_step(&pending, &pending, "step_settles");
	tap_end("check of a step: settles, and once");

	tap_begin();
	other = settled;
	other.created_at_ms = 1;
	expect_step(&pending, &other, "birth_is_final");
	other = settled;
	other.timeout_at_ms = 1001;
	expect_step(&pending, &other, "birth_is_final");
	other = settled;
	other.is_timer = true;
	expect_step(&pending, &other, "birth_is_final");
	other = settled;
	other.is_external = true;
	expect_step(&pending, &other, "birth_is_final");
	other = settled;
	other.is_targeted = true;
	expect_step(&pending, &other, "birth_is_final");
	tap_end("check of a step: leaves what was fixed at birth");
}

/* True when a record obeys the invariants at the top of core/promise.c. */
static bool
is_valid(const RsnPromise *record)
{
	bool		is_pending = record->state == RSN_PROMISE_PENDING;
	bool		is_explicit = record->has_value ||
	record->key_for_complete.data != NULL;
	RsnPromiseState verdict = record->is_timer ? RSN_PROMISE_RESOLVED
	: RSN_PROMISE_TIMEDOUT;

	if (record->created_at_ms > record->timeout_at_ms)
		return false;
	if (record->is_timer && !record->is_external)
		return false;
	if (is_pending)
		return record->created_at_ms != record->timeout_at_ms &&
			record->settled_at_ms == 0 && !is_explicit;
	if (record->settled_at_ms < record->created_at_ms ||
		record->settled_at_ms > record->timeout_at_ms)
		return false;
	if (record->settled_at_ms == record->timeout_at_ms)
		return record->state == verdict && !is_explicit;
	return record->state != RSN_PROMISE_TIMEDOUT;
}

/*
 * Names of states
 */

/* Tests that each state has its public name and is found by it. */
static void
test_state_names(void)
{
	static const char *const names[RSN_PROMISE_NSTATES] = {
		"pending", "resolved", "rejected", "rejected_canceled",
		"rejected_timedout"
	};
	static const char *const strangers[] = {
		"", "p", "Pending", "PENDING", "pending ", " pending", "init",
		"canceled", "timedout", "rejected_", "rejected_cancel",
		"rejected_timedout2", "0"
	};

	for (int i = 0; i < RSN_PROMISE_NSTATES; i++)
	{
		RsnPromiseState state = (RsnPromiseState) (RSN_PROMISE_NSTATES - 1 - i);

		tap_begin();
		tap_expect(strcmp(rsn_promise_state_name((RsnPromiseState) i),
						  names[i]) == 0, "name");
		tap_expect(rsn_promise_state_from_name(names[i], &state), "found");
		tap_expect((int) state == i, "found %d", (int) state);
		tap_end("state \"%s\"", names[i]);
	}
	for (int i = 0; i < LENGTH_OF(strangers); i++)
	{
		RsnPromiseState state = RSN_PROMISE_CANCELED;

		tap_begin();
		tap_expect(!rsn_promise_state_from_name(strangers[i], &state),
				   "found %d", (int) state);
		tap_expect(state == RSN_PROMISE_CANCELED, "state was set");
		tap_end("no state \"%s\"", strangers[i]);
	}
}

/*
 * Properties of every decision
 */

typedef struct Grid
{
	int64_t		deadline_ms;
	int64_t		times_ms[6];	/* of birth, settlement and now; zero is among
								 * them */
} Grid;

static const Grid grids[] = {
	{1, {INT64_MIN, -1, 0, 1, 2, INT64_MAX}},
	{DEADLINE, {0, BIRTH, DEADLINE - 1, DEADLINE, DEADLINE + 1, INT64_MAX}},
	{INT64_MAX, {0, BIRTH, DEADLINE, INT64_MAX - 2, INT64_MAX - 1, INT64_MAX}}
};

#define NTIMES LENGTH_OF(grids[0].times_ms)
#define NKEYS 3
#define NRECORDS (RSN_PROMISE_NSTATES * 2 * 2 * 2 * NTIMES * NTIMES * \
	NKEYS * NKEYS)
#define NCOMMANDS (2 * 2 * 2 * 3 * NKEYS)

/* Returns the stored key of a digit. */
static RsnKey
stored_key(int digit)
{
	return digit == 0 ? key_absent : digit == 1 ? key_a : key_b;
}

/* Returns the given key of a digit; equal ones are apart in memory. */
static RsnKey
given_key(int digit)
{
	return digit == 1 ? key_a_again : stored_key(digit);
}

/* Returns the numbered record of a grid, valid or not. */
static RsnPromise
make_grid_record(const Grid *grid, int number)
{
	RsnPromise	record = {0};

	record.state = (RsnPromiseState) take_digit(&number, RSN_PROMISE_NSTATES);
	record.is_timer = take_digit(&number, 2) == 1;
	record.is_external = take_digit(&number, 2) == 1;
	record.has_value = take_digit(&number, 2) == 1;
	record.created_at_ms = grid->times_ms[take_digit(&number, NTIMES)];
	record.timeout_at_ms = grid->deadline_ms;
	record.settled_at_ms = grid->times_ms[take_digit(&number, NTIMES)];
	record.key_for_create = stored_key(take_digit(&number, NKEYS));
	record.key_for_complete = stored_key(take_digit(&number, NKEYS));
	return record;
}

/* Makes the numbered command of an op; false when there is no such one. */
static bool
make_grid_command(const Grid *grid, Op op, int number, Command *command)
{
	bool		is_strict = take_digit(&number, 2) == 1;
	bool		is_timer = take_digit(&number, 2) == 1;
	bool		is_flagged = take_digit(&number, 2) == 1;
	int			choice = take_digit(&number, 3);
	int			key = take_digit(&number, NKEYS);

	memset(command, 0, sizeof(*command));
	command->op = op;
	command->create.is_strict = is_strict;
	command->create.is_timer = is_timer;
	command->create.is_external = is_flagged;
	command->create.timeout_at_ms = choice == 0 ? grid->deadline_ms
		: choice == 1 ? 0 : INT64_MAX;
	command->create.key = given_key(key);
	command->settle.target = targets[choice];
	command->settle.is_strict = is_strict;
	command->settle.has_value = is_flagged;
	command->settle.key = given_key(key);
	command->is_registered = is_flagged;

	switch (op)
	{
		case OP_CREATE:
			return is_flagged || !is_timer;
		case OP_SETTLE:
			return !is_timer;
		case OP_REGISTER:
			return !is_strict && !is_timer && choice == 0 && key == 0;
		case OP_AWAIT:
		case OP_EXPIRE:
			break;
	}
	return !is_strict && !is_timer && !is_flagged && choice == 0 && key == 0;
}

/* True when the op may be answered with the status. */
static bool
is_status_of(Op op, RsnStatus status)
{
	switch (status)
	{
		case RSN_STATUS_OK:
			return true;
		case RSN_STATUS_CREATED:
			return op == OP_CREATE || op == OP_SETTLE || op == OP_REGISTER;
		case RSN_STATUS_ALREADY_RESOLVED:
		case RSN_STATUS_ALREADY_REJECTED:
		case RSN_STATUS_ALREADY_CANCELED:
		case RSN_STATUS_ALREADY_TIMEDOUT:
			return op == OP_SETTLE;
		case RSN_STATUS_NOT_FOUND:
			return op != OP_CREATE;
		case RSN_STATUS_WAIT_TIMEOUT:
			return op == OP_AWAIT;
		case RSN_STATUS_ALREADY_EXISTS:
			return op == OP_CREATE;
		case RSN_STATUS_NOT_EXTERNAL:
			return op == OP_REGISTER;
		case RSN_STATUS_REDIRECT:
			break;
	}
	return false;
}

/* Expects what a decision may and may not do to a stored record. */
static void
expect_lawful(const RsnDecision *decision, Op op, const RsnPromise *stored,
			  int64_t now_ms)
{
	const RsnPromise *next = &decision->next;
	bool		is_same = find_difference(next, stored) == NULL;
	RsnPromise	fixed = *next;

	expect(stored->state == RSN_PROMISE_PENDING || is_same,
		   "a settled record never changes", stored, now_ms);
	expect(decision->write != RSN_WRITE_INSERT,
		   "nothing is inserted over a record", stored, now_ms);
	expect(op == OP_AWAIT ? decision->write == RSN_WRITE_NONE
		   : (decision->write == RSN_WRITE_NONE) == is_same,
		   "a write is asked for exactly when the record changes",
		   stored, now_ms);

	fixed.state = stored->state;
	fixed.has_value = stored->has_value;
	fixed.settled_at_ms = stored->settled_at_ms;
	fixed.key_for_complete = stored->key_for_complete;
	expect(find_difference(&fixed, stored) == NULL,
		   "what birth has fixed never changes", stored, now_ms);
	expect(decision->takes_value == (next->has_value && !stored->has_value),
		   "the value is taken exactly when it appears", stored, now_ms);
}

/* Expects the same answer if somebody had stored the deadline before. */
static void
expect_blind_to_storing(const RsnDecision *decision, const Command *command,
						const RsnPromise *stored, int64_t now_ms)
{
	RsnPromise	observed = rsn_promise_observe(stored, now_ms);
	RsnDecision other = decide(&observed, command, now_ms);

	expect(decision->status == other.status &&
		   decision->takes_value == other.takes_value &&
		   find_difference(&decision->next, &other.next) == NULL,
		   "storing the deadline changes no answer", stored, now_ms);
	expect_lawful(&other, command->op, &observed, now_ms);
}

/* Expects that the same command again finds its work done. */
static void
expect_repeatable(const RsnDecision *decision, const Command *command,
				  const RsnPromise *stored, int64_t now_ms)
{
	RsnDecision again = decide(&decision->next, command, now_ms);
	bool		is_done = decision->status == RSN_STATUS_CREATED;
	bool		is_settled = decision->next.state != RSN_PROMISE_PENDING;

	expect(again.write == RSN_WRITE_NONE &&
		   find_difference(&again.next, &decision->next) == NULL,
		   "a repeated command changes nothing", stored, now_ms);
	if (command->op == OP_SETTLE && is_done &&
		command->settle.key.data != NULL)
		expect(again.status == RSN_STATUS_OK,
			   "a repeated settlement deduplicates", stored, now_ms);
	else if (command->op == OP_CREATE && is_done &&
			 command->create.key.data != NULL)
		expect(again.status == (command->create.is_strict && is_settled
								? RSN_STATUS_ALREADY_EXISTS : RSN_STATUS_OK),
			   "a repeated creation deduplicates", stored, now_ms);
	else if (!is_done)
		expect(again.status == decision->status,
			   "a repeated command is answered the same", stored, now_ms);
}

/* Expects every property of the decision on one command. */
static void
expect_properties(const RsnPromise *stored, const Command *command,
				  int64_t now_ms)
{
	RsnDecision decision = decide(stored, command, now_ms);

	expect(is_status_of(command->op, decision.status),
		   "the status is one of the op", stored, now_ms);
	expect((decision.status == RSN_STATUS_NOT_FOUND) ==
		   (stored == NULL && command->op != OP_CREATE),
		   "not found exactly when there is nothing", stored, now_ms);
	if (decision.status == RSN_STATUS_NOT_FOUND)
	{
		expect(decision.write == RSN_WRITE_NONE && !decision.takes_value,
			   "nothing is written about nothing", stored, now_ms);
		return;
	}

	expect(rsn_promise_check(&decision.next) == NULL,
		   "the record after it is valid", stored, now_ms);
	if (decision.write == RSN_WRITE_SETTLE)
		expect(rsn_promise_check_step(stored, &decision.next) == NULL,
			   "the step to it is valid", stored, now_ms);
	expect(!rsn_promise_is_lapsed(&decision.next, now_ms),
		   "nothing lapsed is shown as pending", stored, now_ms);
	expect_repeatable(&decision, command, stored, now_ms);
	if (stored == NULL)
		expect(decision.status == RSN_STATUS_CREATED &&
			   decision.write == RSN_WRITE_INSERT && !decision.takes_value,
			   "nothing becomes a new record", stored, now_ms);
	else
	{
		expect_lawful(&decision, command->op, stored, now_ms);
		expect_blind_to_storing(&decision, command, stored, now_ms);
	}
}

/* Expects the properties of every command of an op on one record. */
static void
expect_properties_of_op(const Grid *grid, Op op, const RsnPromise *stored)
{
	for (int i = 0; i < NCOMMANDS; i++)
	{
		Command		command;

		if (!make_grid_command(grid, op, i, &command))
			continue;
		for (int j = 0; j < NTIMES; j++)
			expect_properties(stored, &command, grid->times_ms[j]);
	}
}

/* Tests rsn_promise_check and every op on every record of a grid. */
static void
test_grid(const Grid *grid)
{
	tap_begin();
	for (int i = 0; i < NRECORDS; i++)
	{
		RsnPromise	record = make_grid_record(grid, i);

		expect((rsn_promise_check(&record) == NULL) == is_valid(&record),
			   "check agrees with the invariants", &record, 0);
	}
	tap_end("check of every record, deadline %lld",
			(long long) grid->deadline_ms);

	for (int op = 0; op < NOPS; op++)
	{
		tap_begin();
		expect_properties_of_op(grid, (Op) op, NULL);
		for (int i = 0; i < NRECORDS; i++)
		{
			RsnPromise	record = make_grid_record(grid, i);

			if (is_valid(&record))
				expect_properties_of_op(grid, (Op) op, &record);
		}
		tap_end("properties of every %s, deadline %lld", op_names[op],
				(long long) grid->deadline_ms);
	}
}

/* Runs everything. */
int
main(int argc, char **argv)
{
	tap_start();
	test_transitions(argc > 1 ? argv[1] : "test/transitions.csv");
	test_boundaries();
	test_observe();
	test_never();
	test_epoch();
	test_clock_stepped_back();
	test_deadline_after();
	test_situations();
	test_check();
	test_check_step();
	test_state_names();
	for (int i = 0; i < LENGTH_OF(grids); i++)
		test_grid(&grids[i]);
	return tap_finish();
}
