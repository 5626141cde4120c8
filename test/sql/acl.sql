-- What the roles may do, and what they are told when they may not.
SET client_min_messages = warning;
CREATE EXTENSION IF NOT EXISTS resonate;
LOAD 'resonate';
DELETE FROM resonate.messages;
DELETE FROM resonate.callbacks;
DELETE FROM resonate.promises;
RESET client_min_messages;
SET TimeZone = 'UTC';
SET DateStyle = 'ISO, YMD';
SET IntervalStyle = 'postgres';
SET resonate.debug = on;
SET resonate.test_clock = '4000000000000';

SET client_min_messages = error;
DROP ROLE IF EXISTS regress_resonate_app, regress_resonate_worker, regress_resonate_reader,
	regress_resonate_admin, regress_resonate_nobody;
RESET client_min_messages;
CREATE ROLE regress_resonate_app IN ROLE resonate_client;
CREATE ROLE regress_resonate_worker IN ROLE resonate_worker;
CREATE ROLE regress_resonate_reader IN ROLE resonate_reader;
CREATE ROLE regress_resonate_admin IN ROLE resonate_admin;
CREATE ROLE regress_resonate_nobody;

-- The whole table: who may call what.
SELECT regexp_replace(p.oid::regprocedure::text, '^resonate\.|\(.*', '', 'g') AS function, p.prokind AS kind,
	bool_or(r.role = 'public' AND a.may) AS public,
	bool_or(r.role = 'resonate_client' AND a.may) AS client,
	bool_or(r.role = 'resonate_worker' AND a.may) AS worker,
	bool_or(r.role = 'resonate_reader' AND a.may) AS reader,
	bool_or(r.role = 'resonate_admin' AND a.may) AS admin,
	bool_or(r.role = 'pg_monitor' AND a.may) AS monitor
FROM pg_proc AS p
CROSS JOIN (VALUES ('public'), ('resonate_client'), ('resonate_worker'), ('resonate_reader'), ('resonate_admin'),
	('pg_monitor')) AS r (role)
CROSS JOIN LATERAL has_function_privilege(r.role, p.oid, 'EXECUTE') AS a (may)
WHERE p.pronamespace = 'resonate'::regnamespace
GROUP BY p.oid, p.proname, p.prokind ORDER BY p.proname, p.prokind;

-- An application creates, settles, reads and awaits.
SET SESSION AUTHORIZATION regress_resonate_app;
SELECT status FROM resonate.create_promise('p', '1 hour');
SELECT status FROM resonate.create_promise_and_callback('q', 'c', 'poll://any@g', '1 hour');
SELECT status FROM resonate.create_callback('p', 'c', 'poll://any@g');
SELECT status FROM resonate.resolve('p', '1');
SELECT status, state FROM resonate.get_promise('p');
SELECT id, state FROM resonate.search_promises();
SELECT status, value FROM resonate.await_promise('p');
CALL resonate.await_promise('p', '0', NULL, NULL, NULL);
SELECT resonate.receive('poll://any@g');
SELECT resonate.acknowledge('p', 'c');
SELECT resonate.prune('now');
SELECT resonate.get_stats();
SELECT * FROM resonate.stats;
SELECT resonate.worker_step();
SELECT resonate.start_worker();
SELECT * FROM resonate.promises;
INSERT INTO resonate.promises DEFAULT VALUES;
UPDATE resonate.promises SET state = 'pending';
DELETE FROM resonate.messages;
TRUNCATE resonate.callbacks;
CREATE FUNCTION resonate.mine() RETURNS integer LANGUAGE sql AS 'SELECT 1';
SET resonate.debug = on;
SET resonate.test_clock = '1';
SET resonate.profile = 'strict';
SET resonate.default_timeout = '1 min';
DROP EXTENSION resonate;

-- A worker also receives.
SET SESSION AUTHORIZATION regress_resonate_worker;
SELECT promise_id, callback_id FROM resonate.receive('poll://any@g');
SELECT resonate.acknowledge('p', 'c');
SELECT status FROM resonate.resolve('q', '1');
SELECT resonate.prune('now');
SELECT resonate.worker_step();

-- A reader reads.
SET SESSION AUTHORIZATION regress_resonate_reader;
SELECT status, state FROM resonate.get_promise('p');
SELECT id, state FROM resonate.search_promises();
CALL resonate.await_promise('p', '0', NULL, NULL, NULL);
SELECT resolved, undelivered_messages FROM resonate.stats;
SELECT resonate.create_promise('r');
SELECT resonate.resolve('q');
SELECT resonate.create_callback('q', 'd', 'poll://any@g');
SELECT * FROM resonate.promises;

-- An administrator looks and cleans up.
SET SESSION AUTHORIZATION regress_resonate_admin;
SELECT status, state FROM resonate.get_promise('p');
SELECT resolved, undelivered_messages FROM resonate.get_stats();
SELECT resonate.prune('infinity');
SELECT resonate.create_promise('r');
SELECT resonate.resolve('q');
CALL resonate.await_promise('q', '0', NULL, NULL, NULL);
SELECT resonate.worker_step();

-- Everybody else does not even see the schema.
SET SESSION AUTHORIZATION regress_resonate_nobody;
SELECT resonate.get_promise('p');
SELECT * FROM resonate.stats;
SELECT * FROM resonate.promises;
RESET SESSION AUTHORIZATION;
GRANT USAGE ON SCHEMA resonate TO regress_resonate_nobody;
SET SESSION AUTHORIZATION regress_resonate_nobody;
SELECT resonate.get_promise('p');
SELECT * FROM resonate.stats;
CALL resonate.await_promise('q', '0', NULL, NULL, NULL);
RESET SESSION AUTHORIZATION;
REVOKE USAGE ON SCHEMA resonate FROM regress_resonate_nobody;

-- The procedure runs with the rights of its caller and reads through
-- get_promise; with the one but not the other it can do nothing.
GRANT USAGE ON SCHEMA resonate TO regress_resonate_nobody;
GRANT EXECUTE ON PROCEDURE resonate.await_promise(text, interval, integer, text, jsonb) TO regress_resonate_nobody;
SET SESSION AUTHORIZATION regress_resonate_nobody;
\set SHOW_CONTEXT never
CALL resonate.await_promise('q', '0', NULL, NULL, NULL);
\set SHOW_CONTEXT errors
RESET SESSION AUTHORIZATION;
REVOKE EXECUTE ON PROCEDURE resonate.await_promise(text, interval, integer, text, jsonb) FROM regress_resonate_nobody;
REVOKE USAGE ON SCHEMA resonate FROM regress_resonate_nobody;

DROP ROLE regress_resonate_app, regress_resonate_worker, regress_resonate_reader, regress_resonate_admin,
	regress_resonate_nobody;
DELETE FROM resonate.messages;
DELETE FROM resonate.callbacks;
DELETE FROM resonate.promises;
