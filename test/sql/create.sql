-- create_promise and get_promise: what is answered.
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

-- The whole record, with nothing but an id: the deadline is ten seconds away.
\x on
SELECT * FROM resonate.create_promise('first');
SELECT * FROM resonate.get_promise('first');

-- And with everything.
SELECT * FROM resonate.create_promise(
	id => 'order/42',
	timeout => '1 day',
	param => '{"amount": 12.50, "items": ["a", "b"]}',
	headers => '{"content-type": "application/json"}',
	tags => '{"customer": "7"}',
	idempotency_key => 'request-1',
	strict => true);

-- No promise of that name.
SELECT * FROM resonate.get_promise('nobody');
\x off

-- The same id again is a question about the promise that there is.
SELECT status, state, param, tags, timeout_at
FROM resonate.create_promise('order/42', '1 hour', '{"amount": 99}', tags => '{"customer": "8"}',
							 idempotency_key => 'request-1');
SELECT status, state FROM resonate.create_promise('order/42', idempotency_key => 'request-1', strict => true);
SELECT status, state, param FROM resonate.create_promise('order/42', idempotency_key => 'request-2');
SELECT status, state, param FROM resonate.create_promise('order/42');

-- Without a key, nothing is deduplicated; an empty key is a key.
SELECT status FROM resonate.create_promise('first');
SELECT status FROM resonate.create_promise('empty key', idempotency_key => '');
SELECT status FROM resonate.create_promise('empty key', idempotency_key => '');

-- A strict create deduplicates only while the promise is pending.
SELECT status, state FROM resonate.resolve('order/42', '"shipped"');
SELECT status, state, value FROM resonate.create_promise('order/42', idempotency_key => 'request-1');
SELECT status, state, value FROM resonate.create_promise('order/42', idempotency_key => 'request-1', strict => true);

-- Deadlines.
SELECT status, timeout_at FROM resonate.create_promise('in an hour', '1 hour');
SELECT status, timeout_at FROM resonate.create_promise('in a month', '1 month');
SELECT status, timeout_at FROM resonate.create_promise('then', timeout_at => '2100-01-01 12:00+00');
SELECT status, timeout_at, timeout_at_ms FROM resonate.create_promise('for ever', timeout_at => 'infinity');
SELECT status, state, created_at, timeout_at, settled_at
FROM resonate.create_promise('too late', timeout_at => '2026-01-01 00:00+00');
SELECT status, state, settled_at FROM resonate.create_promise('at once', '0');
SELECT status, state, settled_at
FROM resonate.create_promise('timer at once', '0', tags => '{"resonate:timer": "true"}');

-- Arguments by position, as ($1, $2) of a driver would send them.
SELECT status, param, param_headers, tags, idempotency_key_for_create, timeout_at
FROM resonate.create_promise('by position', '1 s', '1', '{"h": "1"}', '{"t": "1"}', 'k', false, NULL);

-- NULL is the same as leaving an argument out.
SELECT status, param, param_headers, tags, idempotency_key_for_create, timeout_at
FROM resonate.create_promise('nulls', NULL, NULL, NULL, NULL, NULL, NULL, NULL);

-- The promise is part of the transaction that makes it.
BEGIN;
SELECT status FROM resonate.create_promise('undone');
SELECT status FROM resonate.get_promise('undone');
SAVEPOINT s;
SELECT status FROM resonate.create_promise('undone in part');
ROLLBACK TO s;
SELECT status FROM resonate.get_promise('undone in part');
ROLLBACK;
SELECT status FROM resonate.get_promise('undone');
SELECT status FROM resonate.create_promise('undone');

-- A refusal does not end the transaction.
BEGIN;
SELECT status FROM resonate.create_promise('first');
SELECT status FROM resonate.create_promise('second');
COMMIT;
SELECT status FROM resonate.get_promise('second');

-- One call for each row of a query.
SELECT r.status, r.id FROM generate_series(1, 3) AS n, resonate.create_promise('row ' || n) AS r ORDER BY n;

-- In a read-only transaction nothing can be created, but all can be read, and a
-- deadline that has passed shows.
BEGIN READ ONLY;
SELECT status FROM resonate.get_promise('first');
SET LOCAL resonate.test_clock = '4000086400000';
SELECT status, state, settled_at FROM resonate.get_promise('first');
SELECT state FROM resonate.search_promises('first');
SELECT resonate.create_promise('read-only');
\set SHOW_CONTEXT errors
ROLLBACK;
SELECT status, state FROM resonate.get_promise('first');

-- A repeated create that asks for the same is silent, whenever it comes and however it
-- is written; one that asks for something else is told so.
SELECT set_config('resonate.test_clock', '4000000000000', false);
CREATE FUNCTION pg_temp.again(timeout interval DEFAULT '1 h', param jsonb DEFAULT '{"b": [1, 2]}', headers jsonb DEFAULT NULL,
							  tags jsonb DEFAULT '{"t": "1"}', timeout_at timestamptz DEFAULT NULL)
RETURNS integer LANGUAGE sql AS
$$
	SELECT status FROM resonate.create_promise('again', timeout, param, headers, tags, 'key', timeout_at => timeout_at)
$$;
SELECT pg_temp.again();
SELECT set_config('resonate.test_clock', '4000000001000', false);
SELECT pg_temp.again();
SELECT pg_temp.again(param => '{"b":[1,2]}', headers => '{}', tags => '{"resonate:external": "true", "t": "1"}');
SELECT pg_temp.again(timeout => NULL, timeout_at => '2096-10-02 08:06:40+00');
\set VERBOSITY terse
SELECT pg_temp.again(timeout => '2 h');
SELECT pg_temp.again(timeout => NULL, timeout_at => 'infinity');
SELECT pg_temp.again(param => NULL);
SELECT pg_temp.again(headers => '{"h": "1"}');
SELECT pg_temp.again(tags => '{"t": "2"}');
SELECT pg_temp.again(tags => NULL);
SELECT pg_temp.again('2 h', '3', NULL, '{}');
SELECT status, version FROM resonate.create_promise_and_task('fence', 'me', '1 min', tags => '{"resonate:target": "poll://any@g"}');
SELECT status, inner_status FROM resonate.fence_task('fence', 1, 'create',
	'{"id": "again", "idempotency_key": "key", "param": 5, "timeout": "1 h", "tags": {"t": "1"}}');
SELECT status, callback_id FROM resonate.create_promise_and_callback('again', 'cb', 'notify://c', '1 h', '5', idempotency_key => 'key');
\set VERBOSITY default

DELETE FROM resonate.promises;
