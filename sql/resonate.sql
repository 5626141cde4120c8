\echo Use "CREATE EXTENSION resonate" to load this file. \quit

--
-- Roles.  They belong to the cluster, so another database may have made them
-- already, and DROP EXTENSION leaves them in place.
--

DO $$
DECLARE
	role name;
BEGIN
	FOREACH role IN ARRAY ARRAY['resonate_client', 'resonate_worker',
								'resonate_reader', 'resonate_admin']
	LOOP
		IF NOT EXISTS (SELECT FROM pg_catalog.pg_roles
					   WHERE rolname OPERATOR(pg_catalog.=) role)
		THEN
			EXECUTE pg_catalog.format('CREATE ROLE %I NOLOGIN', role);
		END IF;
	END LOOP;
END
$$;

-- Fails if somebody else owns a schema of this name, who could otherwise put
-- functions of his own beside ours.
CREATE SCHEMA resonate;
COMMENT ON SCHEMA resonate IS
'Durable promises: created once, settled exactly once, awaited by anyone.';

GRANT USAGE ON SCHEMA resonate
	TO resonate_client, resonate_worker, resonate_reader, resonate_admin;

--
-- Tables.  Times are milliseconds since the Unix epoch, UTC.
--

CREATE TYPE resonate.promise_state AS ENUM
	('pending', 'resolved', 'rejected', 'rejected_canceled', 'rejected_timedout');

CREATE TABLE resonate.promises (
	created_at bigint NOT NULL,
	timeout_at bigint NOT NULL,
	settled_at bigint,
	state resonate.promise_state NOT NULL,
	timer boolean NOT NULL,
	external boolean NOT NULL,
	id text COLLATE "C" NOT NULL,
	idempotency_key_for_create text COLLATE "C",
	idempotency_key_for_complete text COLLATE "C",
	tags jsonb NOT NULL,
	param_headers jsonb,
	param_data bytea,
	value_headers jsonb,
	value_data bytea,
	CONSTRAINT promises_pkey PRIMARY KEY (id),
	CONSTRAINT promises_id_length
		CHECK (octet_length(id) BETWEEN 1 AND 1024),
	CONSTRAINT promises_birth
		CHECK (created_at <= timeout_at AND (external OR NOT timer)),
	CONSTRAINT promises_pending
		CHECK (state <> 'pending' OR
			   (created_at < timeout_at AND settled_at IS NULL AND
				idempotency_key_for_complete IS NULL AND
				value_headers IS NULL AND value_data IS NULL)),
	CONSTRAINT promises_settled
		CHECK (state = 'pending' OR
			   (settled_at IS NOT NULL AND
				settled_at BETWEEN created_at AND timeout_at)),
	CONSTRAINT promises_deadline
		CHECK ((state <> 'rejected_timedout' OR settled_at = timeout_at) AND
			   (settled_at IS DISTINCT FROM timeout_at OR
				(state = CASE WHEN timer
						 THEN 'resolved'::resonate.promise_state
						 ELSE 'rejected_timedout'::resonate.promise_state END AND
				 idempotency_key_for_complete IS NULL AND
				 value_headers IS NULL AND value_data IS NULL)))
);

-- Newest first within a state; also the order in which history is pruned.  The
-- id is hidden in an expression, because while the table is tiny this index
-- would look as good as the key for finding a promise by its id, and a plan
-- made then is kept.
CREATE INDEX promises_state_idx
	ON resonate.promises (state, created_at, (id || ''));

-- Armed deadlines are the external ones; the others serve projected searches.
CREATE INDEX promises_due_idx
	ON resonate.promises (external, timeout_at) WHERE state = 'pending';

-- The tag that every typed create adds finds nothing, so it alone costs nothing.
CREATE INDEX promises_tags_idx
	ON resonate.promises USING gin (tags jsonb_path_ops)
	WHERE tags <> '{"resonate:external": "true"}'::jsonb;

CREATE TABLE resonate.callbacks (
	created_at bigint NOT NULL,
	promise_id text COLLATE "C" NOT NULL,
	callback_id text COLLATE "C" NOT NULL,
	address text COLLATE "C" NOT NULL,
	CONSTRAINT callbacks_pkey PRIMARY KEY (promise_id, callback_id),
	CONSTRAINT callbacks_id_length
		CHECK (octet_length(callback_id) BETWEEN 1 AND 255)
);

CREATE TABLE resonate.messages (
	created_at bigint NOT NULL,
	due_at bigint NOT NULL,
	attempt integer NOT NULL,
	promise_id text COLLATE "C" NOT NULL,
	callback_id text COLLATE "C" NOT NULL,
	address text COLLATE "C" NOT NULL,
	CONSTRAINT messages_pkey PRIMARY KEY (promise_id, callback_id)
);

CREATE INDEX messages_notify_idx
	ON resonate.messages (due_at) WHERE address LIKE 'notify://%';

CREATE INDEX messages_queue_idx
	ON resonate.messages (address, due_at) WHERE address NOT LIKE 'notify://%';

COMMENT ON TYPE resonate.promise_state IS
'States of a promise. Only pending is not terminal; rejected_timedout belongs to the server.';
COMMENT ON TABLE resonate.promises IS
'One row a promise, written at most twice: birth and settlement. Times are milliseconds since the Unix epoch. param_data and value_data hold the bytes of UTF-8 JSON.';
COMMENT ON TABLE resonate.callbacks IS
'Who waits for a pending promise. A row becomes a row of messages in the transaction that settles the promise.';
COMMENT ON TABLE resonate.messages IS
'Completions that have not been delivered (notify addresses) or acknowledged (all others).';

SELECT pg_catalog.pg_extension_config_dump('resonate.promises', '');
SELECT pg_catalog.pg_extension_config_dump('resonate.callbacks', '');
SELECT pg_catalog.pg_extension_config_dump('resonate.messages', '');

--
-- Guards.  A settled promise is final, whoever writes to the table.
--

CREATE FUNCTION resonate.guard_promise() RETURNS trigger
	LANGUAGE c AS 'MODULE_PATHNAME', 'resonate_guard_promise';
COMMENT ON FUNCTION resonate.guard_promise() IS
'Private. Trigger that refuses any write to a promise but its birth and its one settlement. SQLSTATE 23514.';

CREATE TRIGGER promises_settled_is_final
	BEFORE UPDATE ON resonate.promises FOR EACH ROW
	WHEN (OLD.state <> 'pending' OR NEW.state = 'pending')
	EXECUTE FUNCTION resonate.guard_promise();

CREATE TRIGGER promises_birth_is_final
	BEFORE UPDATE OF created_at, timeout_at, timer, external, id,
		idempotency_key_for_create, tags, param_headers, param_data
	ON resonate.promises FOR EACH ROW
	EXECUTE FUNCTION resonate.guard_promise();

CREATE FUNCTION resonate.note_insert() RETURNS trigger
	LANGUAGE c AS 'MODULE_PATHNAME', 'resonate_note_insert';
COMMENT ON FUNCTION resonate.note_insert() IS
'Private. Trigger that tells the worker about rows that did not come through the functions of the extension, such as those of a restore.';

CREATE TRIGGER promises_note_insert
	BEFORE INSERT ON resonate.promises FOR EACH STATEMENT
	EXECUTE FUNCTION resonate.note_insert();

CREATE TRIGGER callbacks_note_insert
	BEFORE INSERT ON resonate.callbacks FOR EACH STATEMENT
	EXECUTE FUNCTION resonate.note_insert();

CREATE TRIGGER messages_note_insert
	BEFORE INSERT ON resonate.messages FOR EACH STATEMENT
	EXECUTE FUNCTION resonate.note_insert();

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
	settled_at timestamptz
);
COMMENT ON TYPE resonate.promise_result IS
'A four-digit status and the promise as it is after the operation; all but status (and id) are NULL when there is none. value_data and param_data are the raw data: base64 of the UTF-8 JSON.';

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
	settled_at timestamptz
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
	settled_at timestamptz
);
COMMENT ON TYPE resonate.search_result IS
'A promise found by a search. cursor is set in the last row of a full page only.';

CREATE TYPE resonate.message AS (
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
'A completion on its way to an address. attempt counts deliveries from 1; unless acknowledged, the message comes back at visible_at.';

CREATE TYPE resonate.step_result AS (
	step text,
	processed integer,
	next_due_at timestamptz
);
COMMENT ON TYPE resonate.step_result IS
'What one background step did: timeout, deliver, reconcile, prune or idle; how many rows; and when the next one is due.';

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
	worker_pid integer,
	worker_started_at timestamptz,
	worker_last_activity timestamptz,
	sweeps bigint,
	promises_timed_out bigint,
	deliveries bigint,
	notifications_sent bigint,
	delivery_failures bigint,
	promises_pruned bigint,
	rows_set_aside bigint
);
COMMENT ON TYPE resonate.stats_result IS
'The row of resonate.stats.';

--
-- API: public.  Promises
--

CREATE FUNCTION resonate.create_promise(
	id text,
	timeout interval DEFAULT NULL,
	param jsonb DEFAULT NULL,
	headers jsonb DEFAULT NULL,
	tags jsonb DEFAULT NULL,
	idempotency_key text DEFAULT NULL,
	strict boolean DEFAULT false,
	timeout_at timestamptz DEFAULT NULL)
RETURNS resonate.promise_result
	LANGUAGE c VOLATILE PARALLEL UNSAFE SECURITY DEFINER
	SET search_path = pg_catalog, pg_temp
	AS 'MODULE_PATHNAME', 'resonate_create_promise';
COMMENT ON FUNCTION resonate.create_promise(text, interval, jsonb, jsonb, jsonb, text, boolean, timestamptz) IS
'Public. Creates a promise, or answers with the one that has this id. Status 2010 created, 2000 same idempotency key (strict: and still pending), 4090 exists. The deadline is timeout after now, rounded up to a millisecond (NULL: resonate.default_timeout), or timeout_at (infinity: never), not both; one that has passed makes a promise that is born settled. param is the argument (NULL: none), headers and tags are objects of strings. Errors: 22023 or 22004 for malformed arguments, 54000 over a limit. Waits for a transaction that is creating or settling the promise; locks the row only when it settles a lapsed one. Spec: durable-promise 2.2.';

CREATE FUNCTION resonate.get_promise(id text)
RETURNS resonate.promise_result
	LANGUAGE c VOLATILE PARALLEL UNSAFE SECURITY DEFINER
	SET search_path = pg_catalog, pg_temp
	AS 'MODULE_PATHNAME', 'resonate_get_promise';
COMMENT ON FUNCTION resonate.get_promise(text) IS
'Public. The promise as it is now: one whose deadline has passed shows as settled even if nobody has stored that yet. Status 2000, or 4040 when there is none. Locks and writes nothing but a deadline that has passed, for which it waits if somebody is settling the promise; on a standby or in a read-only transaction not even that. Spec: durable-promise 1.';

CREATE FUNCTION resonate.resolve(
	id text,
	value jsonb DEFAULT NULL,
	headers jsonb DEFAULT NULL,
	idempotency_key text DEFAULT NULL,
	strict boolean DEFAULT false)
RETURNS resonate.promise_result
	LANGUAGE c VOLATILE PARALLEL UNSAFE SECURITY DEFINER
	SET search_path = pg_catalog, pg_temp
	AS 'MODULE_PATHNAME', 'resonate_resolve';
COMMENT ON FUNCTION resonate.resolve(text, jsonb, jsonb, text, boolean) IS
'Public. Resolves a pending promise with a value. Status 2010 resolved by this call; 2000 settled before with the same idempotency key (strict: and resolved), or timed out and not strict; 4030 to 4033 already resolved, rejected, canceled or timed out; 4040 no such promise. Look at state, not only at status. Locks the row FOR NO KEY UPDATE until the transaction ends. Spec: durable-promise 2.2.';

CREATE FUNCTION resonate.reject(
	id text,
	value jsonb DEFAULT NULL,
	headers jsonb DEFAULT NULL,
	idempotency_key text DEFAULT NULL,
	strict boolean DEFAULT false)
RETURNS resonate.promise_result
	LANGUAGE c VOLATILE PARALLEL UNSAFE SECURITY DEFINER
	SET search_path = pg_catalog, pg_temp
	AS 'MODULE_PATHNAME', 'resonate_reject';
COMMENT ON FUNCTION resonate.reject(text, jsonb, jsonb, text, boolean) IS
'Public. Rejects a pending promise with an error value. Statuses and locks as for resolve. Spec: durable-promise 2.2.';

CREATE FUNCTION resonate.cancel(
	id text,
	value jsonb DEFAULT NULL,
	headers jsonb DEFAULT NULL,
	idempotency_key text DEFAULT NULL,
	strict boolean DEFAULT false)
RETURNS resonate.promise_result
	LANGUAGE c VOLATILE PARALLEL UNSAFE SECURITY DEFINER
	SET search_path = pg_catalog, pg_temp
	AS 'MODULE_PATHNAME', 'resonate_cancel';
COMMENT ON FUNCTION resonate.cancel(text, jsonb, jsonb, text, boolean) IS
'Public. Cancels a pending promise, which ends as rejected_canceled. Statuses and locks as for resolve. Spec: durable-promise 2.2.';

CREATE FUNCTION resonate.create_promises(promises jsonb)
RETURNS SETOF resonate.promise_result
	LANGUAGE c VOLATILE PARALLEL UNSAFE ROWS 1000 SECURITY DEFINER
	SET search_path = pg_catalog, pg_temp
	AS 'MODULE_PATHNAME', 'resonate_create_promises';
COMMENT ON FUNCTION resonate.create_promises(jsonb) IS
'Public. Creates many promises in one statement. promises is an array of objects with the arguments of create_promise as members: id, timeout (an interval as text, or milliseconds), param, headers, tags, idempotency_key, strict, timeout_at (a timestamptz as text, or milliseconds since the epoch). One row per item, in the same order; the same id twice is answered as two calls one after the other. A malformed item is an error and nothing is written. A member that is null counts as absent. Locks ids in byte order. Spec: durable-promise 2.2.';

CREATE FUNCTION resonate.settle_promises(settlements jsonb)
RETURNS SETOF resonate.promise_result
	LANGUAGE c VOLATILE PARALLEL UNSAFE ROWS 1000 SECURITY DEFINER
	SET search_path = pg_catalog, pg_temp
	AS 'MODULE_PATHNAME', 'resonate_settle_promises';
COMMENT ON FUNCTION resonate.settle_promises(jsonb) IS
'Public. Settles many promises in one statement. settlements is an array of objects: id, state (resolved, rejected or rejected_canceled), value, headers, idempotency_key, strict. One row per item, in the same order; the same id twice is answered as two calls one after the other. A malformed item is an error and nothing is written. Locks ids in byte order. Spec: durable-promise 2.2.';

CREATE FUNCTION resonate.search_promises(
	pattern text DEFAULT '*',
	state text DEFAULT NULL,
	tags jsonb DEFAULT NULL,
	"limit" integer DEFAULT 100,
	cursor text DEFAULT NULL)
RETURNS SETOF resonate.search_result
	LANGUAGE c VOLATILE PARALLEL UNSAFE ROWS 100 SECURITY DEFINER
	SET search_path = pg_catalog, pg_temp
	SET jit = off	-- the cost of lapsed rows is overestimated
	AS 'MODULE_PATHNAME', 'resonate_search_promises';
COMMENT ON FUNCTION resonate.search_promises(text, text, jsonb, integer, text) IS
'Public. Promises newest first. In pattern every * stands for any characters and nothing else is special. state is pending, resolved or rejected (which includes canceled and timed out), or NULL for all; it is compared with the state as it is now. tags must all be present with equal values. limit is 1 to 100 (0 or NULL: 100). The last row of a full page has a cursor that holds the whole request: search_promises(cursor => ...) is the next page. Not a snapshot across pages. Errors: 22023. Stores the timeouts of promises on the page whose deadline has passed, as get_promise does. Spec: durable-promise 7.';

--
-- API: public.  Callbacks, waiting and messages
--

CREATE FUNCTION resonate.create_callback(
	promise_id text,
	callback_id text,
	address text)
RETURNS resonate.callback_result
	LANGUAGE c VOLATILE PARALLEL UNSAFE SECURITY DEFINER
	SET search_path = pg_catalog, pg_temp
	AS 'MODULE_PATHNAME', 'resonate_create_callback';
COMMENT ON FUNCTION resonate.create_callback(text, text, text) IS
'Public. Asks for a message to address when the promise settles. Status 2010 recorded; 2000 known already (the first address stays) or the promise is settled and the answer is in this row, so no message will come: tell them apart by state; 4040 no such promise; 4220 the promise is internal. Addresses: notify://channel, poll://any@group[/id], poll://uni@group/id, http(s)://... Settles a promise whose deadline has passed. Errors: 22023 malformed address. Locks the promise row FOR NO KEY UPDATE. Spec: durable-promise 3.2.';

CREATE FUNCTION resonate.create_promise_and_callback(
	id text,
	callback_id text,
	address text,
	timeout interval DEFAULT NULL,
	param jsonb DEFAULT NULL,
	headers jsonb DEFAULT NULL,
	tags jsonb DEFAULT NULL,
	idempotency_key text DEFAULT NULL,
	strict boolean DEFAULT false,
	timeout_at timestamptz DEFAULT NULL)
RETURNS resonate.callback_result
	LANGUAGE c VOLATILE PARALLEL UNSAFE SECURITY DEFINER
	SET search_path = pg_catalog, pg_temp
	AS 'MODULE_PATHNAME', 'resonate_create_promise_and_callback';
COMMENT ON FUNCTION resonate.create_promise_and_callback(text, text, text, interval, jsonb, jsonb, jsonb, text, boolean, timestamptz) IS
'Public. Both or neither: the callback is recorded only if this very call created the promise, pending. Statuses as for create_promise; the callback columns are NULL when none was recorded. 4220, and nothing written, when the tags make the promise internal. Spec: durable-promise 3.5.';

CREATE FUNCTION resonate.await_promise(
	id text,
	timeout interval DEFAULT NULL)
RETURNS resonate.promise_result
	LANGUAGE c VOLATILE PARALLEL UNSAFE SECURITY DEFINER
	SET search_path = pg_catalog, pg_temp
	AS 'MODULE_PATHNAME', 'resonate_await_promise';
COMMENT ON FUNCTION resonate.await_promise(text, interval) IS
'Public. Waits until the promise is settled or timeout has passed (NULL: no limit but the deadline of the promise). Status 2000 settled, 4080 still pending after timeout, 4040 no such promise. Sees commits made while it waits, but the statement holds its snapshot: for long waits use the procedure. Errors: 55000 when this transaction itself has written the promise and it is pending, 0A000 when it would have to wait at REPEATABLE READ or SERIALIZABLE. Cancellable. At the deadline it does what get_promise does, and so may wait longer than timeout for a transaction that is settling the promise.';

CREATE PROCEDURE resonate.await_promise(
	id text,
	timeout interval,
	INOUT status integer,
	INOUT state text,
	INOUT value jsonb)
	LANGUAGE c
	AS 'MODULE_PATHNAME', 'resonate_await_promise_procedure';
COMMENT ON PROCEDURE resonate.await_promise(text, interval, integer, text, jsonb) IS
'Public. Like the function, but holds neither snapshot nor locks while it waits, so it is safe for minutes and behind a transaction pooler: CALL resonate.await_promise(''id'', ''10 min'', NULL, NULL, NULL). Commits before it waits; SQLSTATE 2D000 inside a transaction block or a function. The caller needs EXECUTE on get_promise.';

CREATE FUNCTION resonate.receive(
	address text,
	"limit" integer DEFAULT 100,
	visibility interval DEFAULT NULL)
RETURNS SETOF resonate.message
	LANGUAGE c VOLATILE PARALLEL UNSAFE ROWS 100 SECURITY DEFINER
	SET search_path = pg_catalog, pg_temp
	AS 'MODULE_PATHNAME', 'resonate_receive';
COMMENT ON FUNCTION resonate.receive(text, integer, interval) IS
'Public. Takes up to limit (1 to 1000) messages that wait for exactly this address, oldest first. A message that is not acknowledged comes back after visibility (NULL: resonate.visibility_timeout). Concurrent receivers get different messages. notify:// addresses cannot be received (22023). Locks the messages it returns, skipping those locked by others.';

CREATE FUNCTION resonate.acknowledge(
	promise_id text,
	callback_id text)
RETURNS integer
	LANGUAGE c VOLATILE PARALLEL UNSAFE SECURITY DEFINER
	SET search_path = pg_catalog, pg_temp
	AS 'MODULE_PATHNAME', 'resonate_acknowledge';
COMMENT ON FUNCTION resonate.acknowledge(text, text) IS
'Public. Removes a message for good. Status 2000, or 4040 when there is none (any more). Takes effect when the transaction commits.';

--
-- API: public.  Operation
--

CREATE FUNCTION resonate.prune(
	settled_before timestamptz,
	"limit" integer DEFAULT 1000)
RETURNS integer
	LANGUAGE c VOLATILE PARALLEL UNSAFE SECURITY DEFINER
	SET search_path = pg_catalog, pg_temp
	AS 'MODULE_PATHNAME', 'resonate_prune';
COMMENT ON FUNCTION resonate.prune(timestamptz, integer) IS
'Public. Deletes up to limit promises settled before or at an instant and answers how many. Keeps those with undelivered messages and those whose tag resonate:origin names a promise that is still pending. The worker does the same for resonate.retention.';

CREATE FUNCTION resonate.get_stats()
RETURNS resonate.stats_result
	LANGUAGE c VOLATILE PARALLEL UNSAFE SECURITY DEFINER
	SET search_path = pg_catalog, pg_temp
	AS 'MODULE_PATHNAME', 'resonate_get_stats';
COMMENT ON FUNCTION resonate.get_stats() IS
'Public. The row of the view resonate.stats.';

CREATE VIEW resonate.stats AS SELECT * FROM resonate.get_stats();
COMMENT ON VIEW resonate.stats IS
'Promises by stored state, armed promises past their deadline and the age of the oldest, callbacks, undelivered messages, the worker of this database, and its counters since it started. Counts every promise: about a second for ten million.';

CREATE FUNCTION resonate.worker_step(
	now timestamptz DEFAULT NULL,
	"limit" integer DEFAULT NULL)
RETURNS resonate.step_result
	LANGUAGE c VOLATILE PARALLEL UNSAFE SECURITY DEFINER
	SET search_path = pg_catalog, pg_temp
	AS 'MODULE_PATHNAME', 'resonate_worker_step';
COMMENT ON FUNCTION resonate.worker_step(timestamptz, integer) IS
'Private, superuser only. Runs exactly one background step as of now (NULL: the clock of the session), of at most limit rows, and says what it did: the first of timeout, deliver, reconcile and prune that has work, else idle.';

CREATE FUNCTION resonate.start_worker()
RETURNS void
	LANGUAGE c VOLATILE PARALLEL UNSAFE
	SET search_path = pg_catalog, pg_temp
	AS 'MODULE_PATHNAME', 'resonate_start_worker';
COMMENT ON FUNCTION resonate.start_worker() IS
'Private, superuser only. Has the worker of this database started when the transaction commits, if it does not run.';

--
-- Privileges
--

REVOKE ALL ON ALL FUNCTIONS IN SCHEMA resonate FROM PUBLIC;
REVOKE ALL ON ALL PROCEDURES IN SCHEMA resonate FROM PUBLIC;

GRANT EXECUTE ON FUNCTION
	resonate.get_promise(text),
	resonate.search_promises(text, text, jsonb, integer, text)
	TO resonate_client, resonate_worker, resonate_reader, resonate_admin;

GRANT EXECUTE ON FUNCTION
	resonate.await_promise(text, interval)
	TO resonate_client, resonate_worker, resonate_reader;

GRANT EXECUTE ON PROCEDURE
	resonate.await_promise(text, interval, integer, text, jsonb)
	TO resonate_client, resonate_worker, resonate_reader;

GRANT EXECUTE ON FUNCTION
	resonate.create_promise(text, interval, jsonb, jsonb, jsonb, text, boolean, timestamptz),
	resonate.resolve(text, jsonb, jsonb, text, boolean),
	resonate.reject(text, jsonb, jsonb, text, boolean),
	resonate.cancel(text, jsonb, jsonb, text, boolean),
	resonate.create_promises(jsonb),
	resonate.settle_promises(jsonb),
	resonate.create_callback(text, text, text),
	resonate.create_promise_and_callback(text, text, text, interval, jsonb, jsonb, jsonb, text, boolean, timestamptz)
	TO resonate_client, resonate_worker;

GRANT EXECUTE ON FUNCTION
	resonate.receive(text, integer, interval),
	resonate.acknowledge(text, text)
	TO resonate_worker;

GRANT EXECUTE ON FUNCTION
	resonate.prune(timestamptz, integer)
	TO resonate_admin;

GRANT EXECUTE ON FUNCTION resonate.get_stats()
	TO resonate_admin, resonate_reader, pg_monitor;
GRANT SELECT ON resonate.stats
	TO resonate_admin, resonate_reader, pg_monitor;

SELECT resonate.start_worker();
