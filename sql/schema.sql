\echo Use "CREATE EXTENSION resonate" to load this file. \quit

--
-- Names.  The control file puts the extension into pg_catalog, so that is the
-- search_path of this script: nothing here means anything of the user's.
--

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
		IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = role) THEN
			EXECUTE format('CREATE ROLE %I NOLOGIN', role);
		END IF;
	END LOOP;
END
$$;

-- The role that the functions and the worker act as.  A role of this name that may do more
-- than own the tables is not what it is for; one that others can become gives them
-- the tables of every database.
DO $$
DECLARE
	existing record;
	others text;
BEGIN
	SELECT oid, rolsuper OR rolcreaterole OR rolcreatedb OR rolreplication OR
		rolbypassrls AS is_powerful, rolcanlogin
	INTO existing FROM pg_roles WHERE rolname = 'resonate_owner';
	IF NOT FOUND THEN
		CREATE ROLE resonate_owner NOLOGIN NOSUPERUSER NOCREATEROLE NOCREATEDB
			NOREPLICATION NOBYPASSRLS NOINHERIT;
		RETURN;
	END IF;

	SELECT string_agg(quote_ident(r.rolname), ', ' ORDER BY r.rolname) INTO others
	FROM pg_auth_members m JOIN pg_roles r ON r.oid = m.roleid
	WHERE m.member = existing.oid;
	IF existing.is_powerful OR others IS NOT NULL THEN
		RAISE EXCEPTION 'role "resonate_owner" exists and may do more than own the tables of resonate'
			USING ERRCODE = 'invalid_role_specification',
				DETAIL = coalesce('It is a member of ' || others || '.',
					'It has one of the attributes SUPERUSER, CREATEROLE, CREATEDB, REPLICATION and BYPASSRLS.'),
				HINT = 'The functions and the worker of resonate act as this role. Take that from it, or drop it, and try again.';
	END IF;

	SELECT string_agg(quote_ident(r.rolname), ', ' ORDER BY r.rolname) INTO others
	FROM pg_auth_members m JOIN pg_roles r ON r.oid = m.member
	WHERE m.roleid = existing.oid;
	IF existing.rolcanlogin OR others IS NOT NULL THEN
		RAISE WARNING 'others can act as role "resonate_owner"'
			USING DETAIL = coalesce('Its members are ' || others || '.',
					'It has the attribute LOGIN.'),
				HINT = 'A role that can act as resonate_owner can read and change all promises.';
	END IF;
END
$$;

-- Fails if another role owns a schema of this name, which could otherwise put
-- functions of its own beside ours.
CREATE SCHEMA resonate;
COMMENT ON SCHEMA resonate IS
'Durable promises: created once, settled exactly once, awaited by anyone. GRANT resonate_client TO the roles that are to call the functions.';

--
-- Tables.  Times are milliseconds since the Unix epoch, UTC.
--
-- Vacuum leaves empty pages at their ends, which are soon filled again.  To cut them
-- off it locks everybody out, for 50 ms as measured, on standbys too.
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
	targeted boolean NOT NULL,
	task_version integer,
	id text COLLATE "C" NOT NULL,
	idempotency_key_for_create text COLLATE "C",
	idempotency_key_for_complete text COLLATE "C",
	tags jsonb NOT NULL,
	param_headers jsonb,
	param_data bytea,
	param_text text COLLATE "C",
	value_headers jsonb,
	value_data bytea,
	value_text text COLLATE "C",
	CONSTRAINT promises_pkey PRIMARY KEY (id)
) WITH (vacuum_truncate = false, toast.vacuum_truncate = false);

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

-- The branches, for who takes a task: read directly by store/branch.c, never by a
-- plan.  A hash, because a branch can be too long for an entry, and because equal
-- ones share theirs.  A promise that is a branch of its own, as all that has a target, has
-- its id for a key already.
CREATE INDEX promises_branch_idx
	ON resonate.promises
	(hashtextextended((tags ->> 'resonate:branch') COLLATE "C", 0))
	WHERE (tags ->> 'resonate:branch') COLLATE "C" <> id;

-- A callback is named by its creator; a listener is named by its address, so
-- that an address is told once.  The kind keeps the two namespaces apart.
CREATE TYPE resonate.callback_kind AS ENUM ('callback', 'listener');

CREATE TABLE resonate.callbacks (
	created_at bigint NOT NULL,
	kind resonate.callback_kind NOT NULL,
	promise_id text COLLATE "C" NOT NULL,
	callback_id text COLLATE "C" NOT NULL,
	address text COLLATE "C" NOT NULL,
	CONSTRAINT callbacks_pkey PRIMARY KEY (promise_id, kind, callback_id),
	CONSTRAINT callbacks_id_length
		CHECK (octet_length(callback_id) BETWEEN 1 AND 1024 AND
			   (kind = 'listener' OR octet_length(callback_id) <= 255)),
	CONSTRAINT callbacks_listener
		CHECK (kind <> 'listener' OR callback_id = address)
) WITH (vacuum_truncate = false, toast.vacuum_truncate = false);

CREATE TABLE resonate.messages (
	created_at bigint NOT NULL,
	due_at bigint NOT NULL,
	attempt integer NOT NULL,
	kind resonate.callback_kind NOT NULL,
	promise_id text COLLATE "C" NOT NULL,
	callback_id text COLLATE "C" NOT NULL,
	address text COLLATE "C" NOT NULL,
	received_at bigint,
	CONSTRAINT messages_pkey PRIMARY KEY (promise_id, kind, callback_id)
) WITH (vacuum_truncate = false, toast.vacuum_truncate = false);

CREATE TYPE resonate.task_state AS ENUM
	('pending', 'acquired', 'suspended', 'halted');

-- Live tasks only: a fulfilled one has no row, see promises.task_version.  The
-- deadline and the target are those of the promise, repeated so that a task is
-- dispatched and its lease ended without a look at the promise.
CREATE TABLE resonate.tasks (
	clock_at bigint,
	timeout_at bigint NOT NULL,
	ttl bigint,
	version integer NOT NULL,
	resumes integer NOT NULL,
	setbacks integer NOT NULL,
	state resonate.task_state NOT NULL,
	id text COLLATE "C" NOT NULL,
	address text COLLATE "C" NOT NULL,
	pid text COLLATE "C",
	offers integer,
	others_at bigint,
	others_address text COLLATE "C",
	given_back_by text[] COLLATE "C",
	CONSTRAINT tasks_pkey PRIMARY KEY (id)
) WITH (vacuum_truncate = false, toast.vacuum_truncate = false);

-- The queue of each target.
CREATE INDEX tasks_queue_idx
	ON resonate.tasks (address, clock_at) WHERE state = 'pending';

-- What is due next, offers and leases, whosever it is.
CREATE INDEX tasks_clock_idx
	ON resonate.tasks (state, clock_at) WHERE clock_at IS NOT NULL;

-- What others may have than the process it is for, and than those who gave it back.
CREATE INDEX tasks_others_idx
	ON resonate.tasks (others_address, others_at) WHERE others_at IS NOT NULL;

CREATE INDEX tasks_others_clock_idx
	ON resonate.tasks (others_at) WHERE others_at IS NOT NULL;

CREATE TABLE resonate.awaiters (
	awaited_id text COLLATE "C" NOT NULL,
	awaiter_id text COLLATE "C" NOT NULL,
	CONSTRAINT awaiters_pkey PRIMARY KEY (awaited_id, awaiter_id),
	CONSTRAINT awaiters_not_self CHECK (awaited_id <> awaiter_id)
) WITH (vacuum_truncate = false, toast.vacuum_truncate = false);

-- For pruning: a promise is kept while it is somebody's awaiter.
CREATE INDEX awaiters_awaiter_idx ON resonate.awaiters (awaiter_id);

CREATE TYPE resonate.catch_up AS ENUM ('all', 'last', 'none');

CREATE TABLE resonate.schedules (
	created_at bigint NOT NULL,
	next_run_at bigint NOT NULL,
	last_run_at bigint,
	promise_timeout bigint NOT NULL,
	fired bigint NOT NULL DEFAULT 0,
	missed bigint NOT NULL DEFAULT 0,
	last_missed_at bigint,
	next_civil bigint,
	catch_up resonate.catch_up NOT NULL,
	id text COLLATE "C" NOT NULL,
	cron text COLLATE "C" NOT NULL,
	time_zone text COLLATE "C",
	promise_id text COLLATE "C" NOT NULL,
	promise_tags jsonb NOT NULL,
	param_headers jsonb,
	param_data bytea,
	param_text text COLLATE "C",
	CONSTRAINT schedules_pkey PRIMARY KEY (id),
	CONSTRAINT schedules_id_length
		CHECK (octet_length(id) BETWEEN 1 AND 1024),
	CONSTRAINT schedules_runs
		CHECK (created_at <= next_run_at AND
			   (last_run_at IS NULL OR
				(last_run_at >= created_at AND last_run_at < next_run_at))),
	CONSTRAINT schedules_promise_timeout CHECK (promise_timeout >= 0),
	CONSTRAINT schedules_counts CHECK (fired >= 0 AND missed >= 0),
	CONSTRAINT schedules_data CHECK (param_data IS NULL OR param_text IS NULL)
) WITH (vacuum_truncate = false, toast.vacuum_truncate = false);

-- In the order in which they are fired.
CREATE INDEX schedules_due_idx ON resonate.schedules (next_run_at, id);

-- The furthest that the clock has shown to it: finds those that it was ahead for.
CREATE INDEX schedules_clock_idx
	ON resonate.schedules (greatest(created_at, last_run_at, last_missed_at));

CREATE INDEX messages_notify_idx
	ON resonate.messages (due_at) WHERE address LIKE 'notify://%';

CREATE INDEX messages_queue_idx
	ON resonate.messages (address, due_at) WHERE address NOT LIKE 'notify://%';

-- What nobody takes expires, sooner if its listener has had it once.
CREATE INDEX messages_expiry_idx
	ON resonate.messages ((kind = 'listener' AND attempt > 0), due_at)
	WHERE address NOT LIKE 'notify://%';

COMMENT ON TYPE resonate.promise_state IS
'States of a promise. Only pending is not terminal; rejected_timedout belongs to the server.';
COMMENT ON TABLE resonate.promises IS
'One row a promise, written at most twice: birth and settlement. Times are milliseconds since the Unix epoch. param_data and value_data hold the bytes of UTF-8 JSON; a string from the wire protocol that is not base64 is in param_text or value_text instead. task_version is what a fulfilled task leaves. An UPDATE may settle a promise, and DELETE and TRUNCATE may remove it: what follows from that happens in the same transaction.';
COMMENT ON TYPE resonate.callback_kind IS
'A callback has an id of its own; a listener has its address for an id.';
COMMENT ON TABLE resonate.callbacks IS
'Which addresses wait for a pending promise. A row becomes a row of messages in the transaction that settles the promise, or soon after, where there are many. One that is deleted is not told, and nothing else depends on it.';
COMMENT ON TABLE resonate.messages IS
'Completions that have not been delivered (notify addresses) or acknowledged (all others). due_at is when the next receiver may have it, and begins the time after which it expires; received_at is when the last one got it. One that is deleted is not delivered, and nothing else depends on it.';
COMMENT ON TYPE resonate.task_state IS
'States of a task that is not fulfilled.';
COMMENT ON TABLE resonate.tasks IS
'The obligations to execute the pending promises that have the tag resonate:target. clock_at is the next offer of a pending task, and the end of the lease of an acquired one; offers counts those that nobody has taken, NULL for none. The row is deleted when the promise settles, and cannot be deleted alone before.';
COMMENT ON TABLE resonate.awaiters IS
'Which tasks wait for a pending promise. The settlement of the promise deletes the row and resumes the task, or the worker does soon after, where there are many or the task is locked; deleting the last row of a suspended task resumes it, too.';
COMMENT ON TYPE resonate.catch_up IS
'Which of the occurrences that a schedule has missed are fired.';
COMMENT ON TABLE resonate.schedules IS
'Cron rules, each of which creates a promise at every occurrence. time_zone NULL is UTC. next_civil is what a clock in the time zone was to show at next_run_at by the rules that it was computed with, as if it were UTC; NULL where there is no time zone.';

SELECT pg_catalog.pg_extension_config_dump('resonate.promises', '');
SELECT pg_catalog.pg_extension_config_dump('resonate.callbacks', '');
SELECT pg_catalog.pg_extension_config_dump('resonate.messages', '');
SELECT pg_catalog.pg_extension_config_dump('resonate.tasks', '');
SELECT pg_catalog.pg_extension_config_dump('resonate.awaiters', '');
SELECT pg_catalog.pg_extension_config_dump('resonate.schedules', '');

--
-- Guards, for who writes to the tables directly.  They say what CHECK constraints
-- would say, and that a settled promise is final; and they do what follows from such
-- a write.  The extension, which knows them by how their names begin, checks what it
-- writes by itself.  All of them fire whatever session_replication_role is.
--

CREATE FUNCTION resonate.guard_promise() RETURNS trigger
	LANGUAGE c AS 'MODULE_PATHNAME', 'resonate_guard_promise';
COMMENT ON FUNCTION resonate.guard_promise() IS
'Private. Trigger that refuses any write to a promise but its birth and its one settlement, and any row that is not a promise. SQLSTATE 23514.';

CREATE TRIGGER resonate_guard
	BEFORE INSERT OR UPDATE ON resonate.promises FOR EACH ROW
	EXECUTE FUNCTION resonate.guard_promise();
ALTER TABLE resonate.promises ENABLE ALWAYS TRIGGER resonate_guard;

CREATE FUNCTION resonate.follow_promise() RETURNS trigger
	LANGUAGE c SECURITY DEFINER AS 'MODULE_PATHNAME', 'resonate_follow_promise';
COMMENT ON FUNCTION resonate.follow_promise() IS
'Private. Trigger that does what follows when a promise is settled by an UPDATE, or removed by DELETE or TRUNCATE. Settled: its callbacks fire, the tasks that await it are resumed, and its own task ends. Removed: its task, callbacks and messages are deleted, and the tasks that await it are resumed, to find that it does not exist. Who waits in await_promise is woken. Does nothing for rows of logical replication, whose publisher sends all of that.';

CREATE TRIGGER resonate_guard_follow
	AFTER UPDATE OR DELETE ON resonate.promises FOR EACH ROW
	EXECUTE FUNCTION resonate.follow_promise();
ALTER TABLE resonate.promises ENABLE ALWAYS TRIGGER resonate_guard_follow;

CREATE TRIGGER resonate_guard_truncate
	AFTER TRUNCATE ON resonate.promises FOR EACH STATEMENT
	EXECUTE FUNCTION resonate.follow_promise();
ALTER TABLE resonate.promises ENABLE ALWAYS TRIGGER resonate_guard_truncate;

CREATE FUNCTION resonate.guard_task() RETURNS trigger
	LANGUAGE c AS 'MODULE_PATHNAME', 'resonate_guard_task';
COMMENT ON FUNCTION resonate.guard_task() IS
'Private. Trigger that refuses any row that is not a task, and a change of the id or the deadline of a task. SQLSTATE 23514.';

CREATE TRIGGER resonate_guard
	BEFORE INSERT OR UPDATE ON resonate.tasks FOR EACH ROW
	EXECUTE FUNCTION resonate.guard_task();
ALTER TABLE resonate.tasks ENABLE ALWAYS TRIGGER resonate_guard;

CREATE FUNCTION resonate.follow_task() RETURNS trigger
	LANGUAGE c SECURITY DEFINER AS 'MODULE_PATHNAME', 'resonate_follow_task';
COMMENT ON FUNCTION resonate.follow_task() IS
'Private. Trigger that refuses to leave a pending promise without its task, after DELETE and TRUNCATE. SQLSTATE 23514. Delete or truncate the promises instead.';

CREATE TRIGGER resonate_guard_follow
	AFTER DELETE ON resonate.tasks FOR EACH ROW
	EXECUTE FUNCTION resonate.follow_task();
ALTER TABLE resonate.tasks ENABLE ALWAYS TRIGGER resonate_guard_follow;

CREATE TRIGGER resonate_guard_truncate
	AFTER TRUNCATE ON resonate.tasks FOR EACH STATEMENT
	EXECUTE FUNCTION resonate.follow_task();
ALTER TABLE resonate.tasks ENABLE ALWAYS TRIGGER resonate_guard_truncate;

CREATE FUNCTION resonate.follow_awaiter() RETURNS trigger
	LANGUAGE c SECURITY DEFINER AS 'MODULE_PATHNAME', 'resonate_follow_awaiter';
COMMENT ON FUNCTION resonate.follow_awaiter() IS
'Private. Trigger that resumes a suspended task when UPDATE, DELETE or TRUNCATE leaves it nothing to await.';

CREATE TRIGGER resonate_guard_follow
	AFTER UPDATE OR DELETE ON resonate.awaiters FOR EACH ROW
	EXECUTE FUNCTION resonate.follow_awaiter();
ALTER TABLE resonate.awaiters ENABLE ALWAYS TRIGGER resonate_guard_follow;

CREATE TRIGGER resonate_guard_truncate
	AFTER TRUNCATE ON resonate.awaiters FOR EACH STATEMENT
	EXECUTE FUNCTION resonate.follow_awaiter();
ALTER TABLE resonate.awaiters ENABLE ALWAYS TRIGGER resonate_guard_truncate;

CREATE FUNCTION resonate.note_write() RETURNS trigger
	LANGUAGE c AS 'MODULE_PATHNAME', 'resonate_note_write';
COMMENT ON FUNCTION resonate.note_write() IS
'Private. Trigger that tells the worker about rows that did not come through the functions of the extension, such as those of a restore.';

CREATE TRIGGER resonate_guard
	BEFORE INSERT OR UPDATE ON resonate.callbacks FOR EACH STATEMENT
	EXECUTE FUNCTION resonate.note_write();
ALTER TABLE resonate.callbacks ENABLE ALWAYS TRIGGER resonate_guard;

CREATE TRIGGER resonate_guard
	BEFORE INSERT OR UPDATE ON resonate.messages FOR EACH STATEMENT
	EXECUTE FUNCTION resonate.note_write();
ALTER TABLE resonate.messages ENABLE ALWAYS TRIGGER resonate_guard;

CREATE TRIGGER resonate_guard
	BEFORE INSERT OR UPDATE ON resonate.awaiters FOR EACH STATEMENT
	EXECUTE FUNCTION resonate.note_write();
ALTER TABLE resonate.awaiters ENABLE ALWAYS TRIGGER resonate_guard;

CREATE TRIGGER resonate_guard
	BEFORE INSERT OR UPDATE ON resonate.schedules FOR EACH STATEMENT
	EXECUTE FUNCTION resonate.note_write();
ALTER TABLE resonate.schedules ENABLE ALWAYS TRIGGER resonate_guard;
