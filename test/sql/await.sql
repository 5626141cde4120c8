-- await_promise, where it does not have to wait.
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
-- A wait that should not be fails, and does not hang.
SET statement_timeout = '60s';

SELECT status FROM resonate.create_promise('settled', '1 hour');
SELECT status FROM resonate.resolve('settled', '{"a": 1}', '{"h": "1"}');
SELECT status FROM resonate.create_promise('pending', '1 hour');
SELECT status FROM resonate.create_promise('no value', '0');

-- The function.
\x on
SELECT * FROM resonate.await_promise('settled');
SELECT * FROM resonate.await_promise(id => 'pending', timeout => '0');
SELECT * FROM resonate.await_promise('nobody');
\x off
SELECT status, state, value FROM resonate.await_promise('settled', '0');
SELECT status, state, value FROM resonate.await_promise('settled', '1 day');
SELECT status, state, value FROM resonate.await_promise('no value');
SELECT status, state, value FROM resonate.await_promise('nobody', '1 day');
SELECT status, state, value FROM resonate.await_promise('pending', '1 millisecond');

-- The procedure.
CALL resonate.await_promise('settled', '1 day', NULL, NULL, NULL);
CALL resonate.await_promise('settled', NULL, NULL, NULL, NULL);
CALL resonate.await_promise(id => 'no value', timeout => '0', status => 1, state => 'x', value => '1');
CALL resonate.await_promise('pending', '0', NULL, NULL, NULL);
CALL resonate.await_promise('pending', '1 millisecond', NULL, NULL, NULL);
CALL resonate.await_promise('nobody', '1 day', NULL, NULL, NULL);
DO $$
DECLARE
	status integer;
	state text;
	value jsonb;
BEGIN
	CALL resonate.await_promise('settled', '1 day', status, state, value);
	RAISE NOTICE 'status %, state %, value %', status, state, value;
END
$$;

-- Who waits at the deadline stores that it has passed.
SELECT status FROM resonate.create_promise('lapsed', '1 s');
SELECT status FROM resonate.create_promise('lapsed too', '1 s', tags => '{"resonate:timer": "true"}');
SET resonate.test_clock = '4000000001000';
SELECT status, state, settled_at FROM resonate.await_promise('lapsed', '0');
CALL resonate.await_promise('lapsed too', '1 day', NULL, NULL, NULL);
SELECT id, state FROM resonate.promises WHERE id LIKE 'lapsed%' ORDER BY id;

-- Internal promises can be awaited here: a session that waits needs no message.
SELECT status FROM resonate.create_promise('internal', tags => '{"resonate:external": "false"}');
SELECT status, state FROM resonate.await_promise('internal', '0');
SELECT status FROM resonate.resolve('internal', '1');
SELECT status, state, value FROM resonate.await_promise('internal');

-- In a transaction that has itself written the promise nobody else can settle it.
BEGIN;
SELECT status FROM resonate.create_promise('mine');
SELECT status, state FROM resonate.await_promise('mine', '0');
SELECT status, state FROM resonate.await_promise('mine', '1 day');
ROLLBACK;
BEGIN;
SELECT status FROM resonate.create_callback('pending', 'c', 'poll://any@g');
SELECT status, state FROM resonate.await_promise('pending', '1 day');
ROLLBACK;
BEGIN;
SELECT status FROM resonate.create_promise('mine');
SELECT status FROM resonate.resolve('mine', '1');
SELECT status, state FROM resonate.await_promise('mine', '1 day');
ROLLBACK;

-- Where later commits are not seen there is no use in waiting.
BEGIN ISOLATION LEVEL REPEATABLE READ;
SELECT status, state FROM resonate.await_promise('settled', '1 day');
SELECT status, state FROM resonate.await_promise('nobody', '1 day');
SELECT status, state FROM resonate.await_promise('pending', '0');
SELECT status, state FROM resonate.await_promise('pending', '1 day');
ROLLBACK;
BEGIN ISOLATION LEVEL SERIALIZABLE;
SELECT status, state FROM resonate.await_promise('pending', '1 day');
ROLLBACK;

-- The procedure ends transactions, so there must not be one around it.
BEGIN;
CALL resonate.await_promise('settled', '0', NULL, NULL, NULL);
ROLLBACK;
CREATE FUNCTION call_await() RETURNS void LANGUAGE plpgsql AS
$$
DECLARE
	status integer;
	state text;
	value jsonb;
BEGIN
	CALL resonate.await_promise('settled', '0', status, state, value);
END
$$;
\set SHOW_CONTEXT never
SELECT call_await();
\set SHOW_CONTEXT errors
DROP FUNCTION call_await();

-- The same, by SQLSTATE.
\set VERBOSITY sqlstate
BEGIN;
SELECT status FROM resonate.create_promise('mine');
SELECT status, state FROM resonate.await_promise('mine', '1 day');
ROLLBACK;
BEGIN ISOLATION LEVEL REPEATABLE READ;
SELECT status, state FROM resonate.await_promise('pending', '1 day');
ROLLBACK;
BEGIN;
CALL resonate.await_promise('settled', '0', NULL, NULL, NULL);
ROLLBACK;
\set VERBOSITY default

-- A wait ends when it is cancelled, or when its time is over.
SET statement_timeout = '100ms';
SELECT status FROM resonate.await_promise('pending');
CALL resonate.await_promise('pending', NULL, NULL, NULL, NULL);
SET statement_timeout = '60s';
SELECT status, state FROM resonate.await_promise('pending', '10 milliseconds');
CALL resonate.await_promise('pending', '10 milliseconds', NULL, NULL, NULL);

-- And the session is none the worse for it.
SELECT status, state FROM resonate.resolve('pending', '1');
SELECT status, state FROM resonate.await_promise('pending');

DELETE FROM resonate.promises;
