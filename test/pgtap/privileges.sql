-- Who may do what.  A function that is not in the table below fails the test.
\ir helpers.psql

SELECT no_plan();

CREATE TEMP TABLE functions (signature text, clients boolean, workers boolean, readers boolean,
							 admins boolean, monitors boolean) ON COMMIT DROP;
INSERT INTO functions VALUES
	('create_promise(text,interval,jsonb,jsonb,jsonb,text,boolean,timestamp with time zone)',
	 true, true, false, false, false),
	('create_promises(jsonb)', true, true, false, false, false),
	('get_promise(text)', true, true, true, true, false),
	('resolve(text,jsonb,jsonb,text,boolean)', true, true, false, false, false),
	('reject(text,jsonb,jsonb,text,boolean)', true, true, false, false, false),
	('cancel(text,jsonb,jsonb,text,boolean)', true, true, false, false, false),
	('settle_promises(jsonb)', true, true, false, false, false),
	('search_promises(text,text,jsonb,integer,text)', true, true, true, true, false),
	('create_callback(text,text,text)', true, true, false, false, false),
	('create_promise_and_callback(text,text,text,interval,jsonb,jsonb,jsonb,text,boolean,timestamp with time zone)',
	 true, true, false, false, false),
	('await_promise(text,interval)', true, true, true, false, false),
	('await_promise(text,interval,integer,text,jsonb)', true, true, true, false, false),
	('receive(text,integer,interval)', false, true, false, false, false),
	('acknowledge(text,text,text)', false, true, false, false, false),
	('create_promise_and_task(text,text,interval,interval,jsonb,jsonb,jsonb,text,boolean,timestamp with time zone)',
	 false, true, false, false, false),
	('acquire_task(text,integer,text,interval)', false, true, false, false, false),
	('heartbeat_tasks(text,text[],integer[])', false, true, false, false, false),
	('suspend_task(text,integer,text[])', false, true, false, false, false),
	('fulfill_task(text,integer,text,jsonb,jsonb)', false, true, false, false, false),
	('release_task(text,integer)', false, true, false, false, false),
	('fence_task(text,integer,text,jsonb)', false, true, false, false, false),
	('get_task(text)', true, true, true, true, false),
	('search_tasks(text,integer,text)', true, true, true, true, false),
	('halt_task(text)', false, false, false, true, false),
	('continue_task(text)', false, false, false, true, false),
	('create_schedule(text,text,text,interval,jsonb,jsonb,jsonb,text,text)', false, true, false, true, false),
	('delete_schedule(text)', false, true, false, true, false),
	('get_schedule(text)', false, true, true, true, false),
	('search_schedules(jsonb,integer,text)', false, true, true, true, false),
	('resonate_rpc(jsonb)', false, true, false, false, false),
	('outbox_channel(text)', false, true, false, false, false),
	('process_timeouts()', false, true, false, false, false),
	('dequeue_execute(text,integer)', false, true, false, false, false),
	('dequeue_unblock(text,integer)', false, true, false, false, false),
	('check_invariants()', false, false, false, false, false),
	('prune(timestamp with time zone,integer)', false, false, false, true, false),
	('get_stats()', false, false, true, true, true),
	('get_queues(integer)', false, false, true, true, true),
	('worker_error()', false, false, false, true, false),
	('worker_step(timestamp with time zone,integer)', false, false, false, false, false),
	('start_worker()', false, false, false, false, false),
	('guard_promise()', false, false, false, false, false),
	('guard_task()', false, false, false, false, false),
	('note_write()', false, false, false, false, false),
	('follow_promise()', false, false, false, false, false),
	('follow_task()', false, false, false, false, false),
	('follow_awaiter()', false, false, false, false, false);

-- Who owns the database, and who may create in it, is granted nothing by that.
CREATE ROLE resonate_test_dba;
CREATE ROLE resonate_test_creator;
SELECT lives_ok(format('ALTER DATABASE %I OWNER TO resonate_test_dba', current_database()), 'a database of somebody');
GRANT CREATE ON SCHEMA public TO resonate_test_creator;

-- "public" stands for everybody.
CREATE TEMP TABLE decisions ON COMMIT DROP AS
SELECT 'resonate.' || f.signature AS signature, r.role, r.allowed
FROM functions f CROSS JOIN LATERAL (VALUES ('resonate_client', f.clients), ('resonate_worker', f.workers),
	('resonate_reader', f.readers), ('resonate_admin', f.admins), ('pg_monitor', f.monitors),
	('public', false), ('resonate_test_dba', false), ('resonate_test_creator', false)) AS r (role, allowed);

SELECT set_eq($$SELECT p.oid::regprocedure::text FROM pg_proc p WHERE p.pronamespace = 'resonate'::regnamespace$$,
			  $$SELECT 'resonate.' || signature FROM functions$$,
			  'somebody has decided about every function');
SELECT is(has_function_privilege(d.role, d.signature, 'EXECUTE'), d.allowed,
		  format('%s %s %s', d.role, CASE WHEN d.allowed THEN 'may call' ELSE 'must not call' END, d.signature))
FROM decisions d;

--
-- Tables, the view and the schema
--

SELECT set_eq($$SELECT c.relname::text FROM pg_class c WHERE c.relnamespace = 'resonate'::regnamespace
				AND c.relkind NOT IN ('i', 'c')$$,
			  '{promises, tasks, awaiters, callbacks, messages, schedules, stats, queues}'::text[], 'somebody has decided about every relation');
SELECT is(has_table_privilege(role, c.oid, privilege),
		  c.relname IN ('stats', 'queues') AND privilege = 'SELECT' AND
		  role IN ('resonate_reader', 'resonate_admin', 'pg_monitor'),
		  format('%s: %s on %s', role, privilege, c.relname))
FROM pg_class c
CROSS JOIN unnest('{resonate_client, resonate_worker, resonate_reader, resonate_admin, pg_monitor, public,
	resonate_test_dba, resonate_test_creator}'::text[]) AS role
CROSS JOIN unnest('{SELECT, INSERT, UPDATE, DELETE, TRUNCATE, REFERENCES, TRIGGER}'::text[]) AS privilege
WHERE c.relnamespace = 'resonate'::regnamespace AND c.relkind NOT IN ('i', 'c');
SELECT is_empty($$SELECT attrelid, attname FROM pg_attribute a JOIN pg_class c ON c.oid = a.attrelid
				  WHERE c.relnamespace = 'resonate'::regnamespace AND a.attacl IS NOT NULL$$,
				'nothing is granted on a column');
SELECT is(has_schema_privilege(role, 'resonate', 'USAGE'), role ~ '^resonate_[acrw]|pg_monitor', role || ' uses the schema')
FROM unnest('{resonate_client, resonate_worker, resonate_reader, resonate_admin, pg_monitor, public}'::text[]) AS role;
SELECT ok(NOT has_schema_privilege(role, 'resonate', 'USAGE'), role || ' does not')
FROM unnest('{public, resonate_test_dba, resonate_test_creator}'::text[]) AS role;
SELECT ok(NOT has_schema_privilege(role, 'resonate', 'CREATE'), role || ' creates nothing in it')
FROM unnest('{resonate_client, resonate_worker, resonate_reader, resonate_admin, pg_monitor, public, resonate_test_dba,
	resonate_test_creator}'::text[]) AS role;

SELECT is(ROW(r.rolsuper, r.rolinherit, r.rolcreaterole, r.rolcreatedb, r.rolcanlogin, r.rolreplication,
			  r.rolbypassrls)::text,
		  ROW(false, true, false, false, false, false, false)::text, r.rolname || ' is a plain group')
FROM pg_roles r
WHERE r.rolname IN ('resonate_client', 'resonate_worker', 'resonate_reader', 'resonate_admin');

--
-- The calls themselves.  42501 is what who may not gets, and the procedure
-- cannot be called inside the block that this test is.
--

SELECT is((resonate.create_promise(id, '1 h')).status, 2010, 'a promise')
FROM unnest('{p, settled, lapsed}'::text[]) AS id;
SELECT is((resonate.resolve('settled')).status, 2010, 'a settled one');

CREATE TEMP TABLE calls (statement text, may text[]) ON COMMIT DROP;
INSERT INTO calls VALUES
	('SELECT resonate.create_promise(''new'')', '{client, worker}'),
	('SELECT resonate.create_promises(''[{"id": "new"}]'')', '{client, worker}'),
	('SELECT resonate.get_promise(''p'')', '{client, worker, reader, admin}'),
	('SELECT resonate.resolve(''p'', ''1'')', '{client, worker}'),
	('SELECT resonate.reject(''p'')', '{client, worker}'),
	('SELECT resonate.cancel(''p'')', '{client, worker}'),
	('SELECT resonate.settle_promises(''[{"id": "p", "state": "resolved"}]'')', '{client, worker}'),
	('SELECT resonate.search_promises()', '{client, worker, reader, admin}'),
	('SELECT resonate.create_callback(''p'', ''c'', ''poll://any@g'')', '{client, worker}'),
	('SELECT resonate.create_promise_and_callback(''new'', ''c'', ''poll://any@g'')', '{client, worker}'),
	('SELECT resonate.await_promise(''settled'')', '{client, worker, reader}'),
	('SELECT resonate.receive(''poll://any@g'')', '{worker}'),
	('SELECT resonate.acknowledge(''p'', ''c'')', '{worker}'),
	('SELECT resonate.prune(''now'')', '{admin}'),
	('SELECT resonate.get_stats()', '{reader, admin}'),
	('SELECT resonate.get_queues()', '{reader, admin}'),
	('SELECT resonate.worker_error()', '{admin}'),
	('SELECT * FROM resonate.stats', '{reader, admin}'),
	('SELECT resonate.worker_step()', '{}'),
	('SELECT resonate.start_worker()', '{}'),
	('SELECT FROM resonate.promises', '{}'),
	('SELECT id FROM resonate.promises', '{}'),
	('INSERT INTO resonate.promises SELECT * FROM resonate.promises', '{}'),
	('UPDATE resonate.promises SET state = ''resolved''', '{}'),
	('DELETE FROM resonate.promises', '{}'),
	('TRUNCATE resonate.promises', '{}'),
	('COPY resonate.promises TO STDOUT', '{}'),
	('SELECT FROM resonate.callbacks', '{}'),
	('DELETE FROM resonate.callbacks', '{}'),
	('SELECT FROM resonate.messages', '{}'),
	('DELETE FROM resonate.messages', '{}'),
	('CREATE TABLE resonate.mine ()', '{}'),
	('ALTER EXTENSION resonate UPDATE', '{}'),
	('DROP EXTENSION resonate', '{}'),
	('SET resonate.debug = on', '{}'),
	('SET resonate.test_clock = ''1''', '{}'),
	('SET resonate.profile = strict', '{}'),
	('SET resonate.retention = 0', '{}'),
	('SET resonate.notify_payload = record', '{}'),
	('SET resonate.default_timeout = 5', '{client, worker, reader, admin, public}'),
	('SET resonate.visibility_timeout = 5', '{client, worker, reader, admin, public}');

DO $$
BEGIN
	IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = 'resonate_test_nobody') THEN
		CREATE ROLE resonate_test_nobody;
	END IF;
END
$$;
-- SIGHUP parameters answer 55P02 to everybody.
SELECT ok(CASE WHEN r.role = ANY (c.may) THEN outcome = 'ok' ELSE outcome IN ('42501', '55P02') END,
		  format('%s: %s ends with %s', r.name, c.statement, outcome))
FROM calls c
CROSS JOIN (VALUES ('client', 'resonate_client'), ('worker', 'resonate_worker'), ('reader', 'resonate_reader'),
	('admin', 'resonate_admin'), ('public', 'resonate_test_nobody')) AS r (role, name)
CROSS JOIN LATERAL as_role(r.name::name, c.statement) AS outcome
WHERE c.statement NOT LIKE 'COPY%';
SELECT is(as_role('resonate_test_nobody', 'SELECT resonate.get_promise(''p'')'), '42501', 'nobody may nothing');

-- Every function, by every role, with nulls: 42501, or whatever else.  For those who
-- may not even use the schema it is the schema that refuses.
CREATE TEMP TABLE null_calls ON COMMIT DROP AS
SELECT p.oid, format('%s %s(%s)', CASE p.prokind WHEN 'p' THEN 'CALL' ELSE 'SELECT' END, p.oid::regproc::text,
					 (SELECT string_agg(format('NULL::%s', format_type(t.oid, NULL)), ', ' ORDER BY t.n)
					  FROM unnest(p.proargtypes) WITH ORDINALITY AS t (oid, n))) AS call
FROM pg_proc p WHERE p.pronamespace = 'resonate'::regnamespace;
SELECT is(as_role(CASE d.role WHEN 'public' THEN 'resonate_test_nobody' ELSE d.role END::name, c.call) <> '42501',
		  d.allowed, format('%s: %s', d.role, c.call))
FROM decisions d JOIN null_calls c ON c.oid = d.signature::regprocedure;
GRANT USAGE ON SCHEMA resonate TO resonate_test_nobody;
SELECT is(as_role('resonate_test_nobody', call), '42501', format('with USAGE alone: %s', call)) FROM null_calls;
REVOKE USAGE ON SCHEMA resonate FROM resonate_test_nobody;

SELECT is(as_role(role::name, 'CALL resonate.await_promise(''settled'', ''0'', NULL, NULL, NULL)'),
		  CASE WHEN role = 'resonate_admin' THEN '42501' ELSE '2D000' END, role || ' calls await_promise')
FROM unnest('{resonate_client, resonate_worker, resonate_reader, resonate_admin}'::text[]) AS role;

-- Superusers may set what others may not.
SELECT lives_ok('SET LOCAL resonate.profile = strict', 'a superuser sets the profile');
RESET resonate.profile;
SELECT throws_ok('SET resonate.retention = 0', '55P02', NULL, 'retention belongs into the configuration file');

-- Even with the right to set it, a clock without resonate.debug counts for nothing.
SET LOCAL resonate.debug = off;
SELECT ok((resonate.create_promise('real clock')).created_at BETWEEN now() - interval '1 day' AND
		  now() + interval '1 day', 'without resonate.debug the test clock is ignored');
SET LOCAL resonate.debug = on;

--
-- A client works with what is its own rights, in its own search_path: names
-- that hide ours change nothing.
--

CREATE SCHEMA attack;
GRANT ALL ON SCHEMA attack TO resonate_client;
CREATE FUNCTION attack.equal(text, text) RETURNS boolean LANGUAGE plpgsql AS
$$ BEGIN RAISE EXCEPTION 'hijacked as %', current_user; END $$;
CREATE OPERATOR attack.= (LEFTARG = text, RIGHTARG = text, FUNCTION = attack.equal);
CREATE FUNCTION attack.count(text) RETURNS bigint LANGUAGE plpgsql AS
$$ BEGIN RAISE EXCEPTION 'hijacked as %', current_user; END $$;
CREATE TABLE attack.promises (id text);
SELECT is(as_role('resonate_client', format('SET LOCAL search_path = attack, pg_temp, pg_catalog; %s', statement)),
		  'ok', 'with a hostile search_path: ' || statement)
FROM calls WHERE 'client' = ANY (may) AND statement LIKE 'SELECT%';

SELECT is_empty('SELECT * FROM resonate.check_invariants()', 'invariants hold');
SELECT finish();
ROLLBACK;
