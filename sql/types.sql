--
-- Result types
--

CREATE TYPE resonate.promise_result AS (
	status integer,
	id text,
	state text,
	value jsonb,
	value_headers jsonb,
	value_data text,
	param jsonb,
	param_headers jsonb,
	param_data text,
	tags jsonb,
	idempotency_key_for_create text,
	idempotency_key_for_complete text,
	timeout_at timestamptz,
	created_at timestamptz,
	settled_at timestamptz,
	timeout_at_ms bigint
);
COMMENT ON TYPE resonate.promise_result IS
'A four-digit status and the promise as it is after the operation; all but status (and id) are NULL when there is none. value_data and param_data are the raw data: base64 of the UTF-8 JSON, or any string that came through the wire protocol; value and param are NULL where that is no JSON or none that jsonb can hold. timeout_at is NULL for a deadline that client libraries cannot read: never (infinity), or after the year 9999; timeout_at_ms always has it, in milliseconds since the Unix epoch, 9223372036854775807 for never.';

CREATE TYPE resonate.callback_result AS (
	status integer,
	callback_id text,
	address text,
	callback_created_at timestamptz,
	id text,
	state text,
	value jsonb,
	value_headers jsonb,
	value_data text,
	param jsonb,
	param_headers jsonb,
	param_data text,
	tags jsonb,
	idempotency_key_for_create text,
	idempotency_key_for_complete text,
	timeout_at timestamptz,
	created_at timestamptz,
	settled_at timestamptz,
	timeout_at_ms bigint
);
COMMENT ON TYPE resonate.callback_result IS
'A four-digit status, the callback if this call recorded it, and the promise as it is after the operation.';

CREATE TYPE resonate.search_result AS (
	cursor text,
	id text,
	state text,
	value jsonb,
	value_headers jsonb,
	value_data text,
	param jsonb,
	param_headers jsonb,
	param_data text,
	tags jsonb,
	idempotency_key_for_create text,
	idempotency_key_for_complete text,
	timeout_at timestamptz,
	created_at timestamptz,
	settled_at timestamptz,
	timeout_at_ms bigint
);
COMMENT ON TYPE resonate.search_result IS
'A promise found by a search. cursor is set in the last row of a page that is full, in rows or in bytes (resonate.page_bytes).';

CREATE TYPE resonate.message AS (
	kind text,
	promise_id text,
	callback_id text,
	address text,
	attempt integer,
	visible_at timestamptz,
	state text,
	value jsonb,
	value_headers jsonb,
	value_data text,
	settled_at timestamptz
);
COMMENT ON TYPE resonate.message IS
'A completion on its way to an address. kind is callback, or listener for one that was asked for through the wire protocol and has its address for a callback_id. attempt counts deliveries from 1; unless acknowledged, the message comes back at visible_at, NULL for never.';

CREATE TYPE resonate.step_result AS (
	step text,
	processed integer,
	next_due_at timestamptz
);
COMMENT ON TYPE resonate.step_result IS
'What one background step did: clock, schedule, timeout, lease, dispatch, deliver, reconcile, expire, prune or idle; how many rows; and when the next one is due.';

CREATE TYPE resonate.queue_result AS (
	address text,
	tasks_pending bigint,
	tasks_due bigint,
	oldest_due_age interval,
	tasks_offered bigint,
	messages bigint,
	oldest_message_age interval
);
COMMENT ON TYPE resonate.queue_result IS
'What waits at an address: pending tasks; those of them that are due to be offered, and for how long the first of them; those that were offered and that nobody has taken; messages that were not acknowledged, or not sent yet, and the age of the oldest. The ages are NULL where there is none.';

CREATE TYPE resonate.stats_result AS (
	pending bigint,
	resolved bigint,
	rejected bigint,
	rejected_canceled bigint,
	rejected_timedout bigint,
	due bigint,
	oldest_due_age interval,
	callbacks bigint,
	undelivered_messages bigint,
	tasks_pending bigint,
	tasks_acquired bigint,
	tasks_suspended bigint,
	tasks_halted bigint,
	schedules bigint,
	worker_pid integer,
	worker_started_at timestamptz,
	worker_last_activity timestamptz,
	sweeps bigint,
	promises_timed_out bigint,
	deliveries bigint,
	notifications_sent bigint,
	delivery_failures bigint,
	promises_pruned bigint,
	rows_set_aside bigint,
	leases_ended bigint,
	occurrences_fired bigint,
	occurrences_missed bigint,
	messages_expired bigint,
	worker_failures bigint,
	worker_state text,
	failing_steps text[],
	last_error_at timestamptz,
	last_error_code text,
	last_error_step text
);
COMMENT ON TYPE resonate.stats_result IS
'The row of resonate.stats.';
