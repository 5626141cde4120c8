-- Every error message, first as users see it and then by SQLSTATE; none of the
-- statements may write anything.
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

SELECT status FROM resonate.create_promise('p', '1 hour');
SELECT status FROM resonate.create_promise('settled', '1 hour');
SELECT status FROM resonate.resolve('settled', '1');
CREATE TEMP TABLE bad (n integer GENERATED ALWAYS AS IDENTITY, statement text);

-- Ids
INSERT INTO bad (statement) VALUES
	($$SELECT resonate.create_promise(NULL)$$),
	($$SELECT resonate.create_promise('')$$),
	($$SELECT resonate.create_promise(repeat('x', 1025))$$),
	($$SELECT resonate.create_promise(repeat('é', 513))$$),
	($$SELECT resonate.get_promise(NULL)$$),
	($$SELECT resonate.get_promise('')$$),
	($$SELECT resonate.get_promise(repeat('x', 1025))$$),
	($$SELECT resonate.resolve(NULL)$$),
	($$SELECT resonate.reject('')$$),
	($$SELECT resonate.cancel(repeat('x', 1025))$$),
	($$SELECT resonate.create_callback(NULL, 'c', 'poll://any@g')$$),
	($$SELECT resonate.create_callback('', 'c', 'poll://any@g')$$),
	($$SELECT resonate.create_callback(repeat('x', 1025), 'c', 'poll://any@g')$$),
	($$SELECT resonate.create_callback('p', NULL, 'poll://any@g')$$),
	($$SELECT resonate.create_callback('p', '', 'poll://any@g')$$),
	($$SELECT resonate.create_callback('p', repeat('c', 256), 'poll://any@g')$$),
	($$SELECT resonate.create_promise_and_callback(NULL, 'c', 'poll://any@g')$$),
	($$SELECT resonate.create_promise_and_callback('new', NULL, 'poll://any@g')$$),
	($$SELECT resonate.await_promise(NULL)$$),
	($$SELECT resonate.await_promise('')$$),
	($$CALL resonate.await_promise(NULL, '0', NULL, NULL, NULL)$$),
	($$CALL resonate.await_promise('', '0', NULL, NULL, NULL)$$),
	($$SELECT resonate.acknowledge(NULL, 'c')$$),
	($$SELECT resonate.acknowledge('p', NULL)$$),
	($$SELECT resonate.acknowledge('', 'c')$$),
	($$SELECT resonate.acknowledge('p', '')$$),
	($$SELECT resonate.acknowledge('p', repeat('c', 256))$$),
	($$SELECT resonate.search_promises(NULL)$$),
	($$SELECT resonate.search_promises('')$$),
	($$SELECT resonate.search_promises(repeat('x', 3074))$$);

-- Idempotency keys
INSERT INTO bad (statement) VALUES
	($$SELECT resonate.create_promise('new', idempotency_key => repeat('k', 1025))$$),
	($$SELECT resonate.resolve('p', idempotency_key => repeat('k', 1025))$$);

-- Deadlines
INSERT INTO bad (statement) VALUES
	($$SELECT resonate.create_promise('new', '-1 ms')$$),
	($$SELECT resonate.create_promise('new', '-1 microsecond')$$),
	($$SELECT resonate.create_promise('new', '-1 day')$$),
	($$SELECT resonate.create_promise('new', '1 day -25 hours')$$),
	($$SELECT resonate.create_promise('new', '1000000 years')$$),
	($$SELECT resonate.create_promise('new', '-1000000 years')$$),
	($$SELECT resonate.create_promise('new', '292500 years')$$),
	($$SELECT resonate.create_promise('new', '178000000 years')$$),
	($$SELECT resonate.create_promise('new', '2147483647 days')$$),
	($$SELECT resonate.create_promise('new', '1 s', timeout_at => '2100-01-01')$$),
	($$SELECT resonate.create_promise('new', '-1 s', timeout_at => 'infinity')$$),
	($$SELECT resonate.create_promise('new', timeout_at => '-infinity')$$),
	($$SELECT resonate.create_promise('new', timeout_at => '1969-12-31 23:59:59.999+00')$$),
	($$SELECT resonate.create_promise('new', timeout_at => '4000-01-01 00:00+00 BC')$$),
	($$SELECT resonate.await_promise('p', '-1 s')$$),
	($$SELECT resonate.await_promise('p', '1000000 years')$$),
	($$CALL resonate.await_promise('p', '-1 s', NULL, NULL, NULL)$$),
	($$SELECT resonate.receive('poll://any@g', visibility => '-1 s')$$),
	($$SELECT resonate.receive('poll://any@g', visibility => '1000000 years')$$);

-- Headers and tags
INSERT INTO bad (statement) VALUES
	($$SELECT resonate.create_promise('new', headers => '[]')$$),
	($$SELECT resonate.create_promise('new', headers => '"text"')$$),
	($$SELECT resonate.create_promise('new', headers => '1')$$),
	($$SELECT resonate.create_promise('new', headers => 'true')$$),
	($$SELECT resonate.create_promise('new', headers => 'null')$$),
	($$SELECT resonate.create_promise('new', headers => '{"a": 1}')$$),
	($$SELECT resonate.create_promise('new', headers => '{"a": "1", "b": null}')$$),
	($$SELECT resonate.create_promise('new', tags => '["a", "b"]')$$),
	($$SELECT resonate.create_promise('new', tags => '"text"')$$),
	($$SELECT resonate.create_promise('new', tags => '{"a": true}')$$),
	($$SELECT resonate.create_promise('new', tags => '{"a": {}}')$$),
	($$SELECT resonate.create_promise('new', tags => '{"a": ["b"]}')$$),
	($$SELECT resonate.create_promise('new', tags => '{"resonate:timer": true}')$$),
	($$SELECT resonate.create_promise('new', tags => '{"resonate:target": ""}')$$),
	($$SELECT resonate.create_promise('new', tags => '{"resonate:target": "x", "resonate:delay": "soon"}')$$),
	($$SELECT resonate.create_promise('new', '1 s', tags => '{"resonate:target": "x", "resonate:delay": "5000000000000"}')$$),
	($$SELECT resonate.resolve('p', headers => '[]')$$),
	($$SELECT resonate.reject('p', headers => '{"a": 1}')$$),
	($$SELECT resonate.cancel('p', headers => '{"a": []}')$$),
	($$SELECT resonate.search_promises(tags => '[]')$$),
	($$SELECT resonate.search_promises(tags => '{"a": 1}')$$);

-- Addresses
INSERT INTO bad (statement)
SELECT format('SELECT resonate.create_callback(%L, %L, %L)', 'p', 'c', address)
FROM (VALUES (1, ''), (2, 'nowhere'), (3, '1ftp://host'), (4, 'NOTIFY://channel'), (5, ' notify://channel'), (6, 'notify:channel'),
	  (7, 'notify://'), (8, 'notify://' || repeat('c', 64)), (9, 'poll://group'), (10, 'poll://'),
	  (11, 'poll://all@group'), (12, 'poll://any@'), (13, 'poll://any@/id'), (14, 'poll://any@group@x'),
	  (15, 'poll://any@group/'), (16, 'poll://uni@group'), (17, 'poll://uni@group/'), (18, 'http://'), (19, 'https://'),
	  (20, 'http:///path'), (21, 'http://:80'), (22, 'http://user@'), (23, 'https://?query')) AS v (n, address) ORDER BY n;
INSERT INTO bad (statement) VALUES
	($$SELECT resonate.create_callback('p', 'c', 'http://' || repeat('h', 1018))$$),
	($$SELECT resonate.create_callback('p', 'c', NULL)$$),
	($$SELECT resonate.create_callback('nobody', 'c', 'nowhere')$$),
	($$SELECT resonate.create_promise_and_callback('new', 'c', 'nowhere')$$),
	($$SELECT resonate.create_promise_and_callback('new', 'c', NULL)$$),
	($$SELECT resonate.receive(NULL)$$),
	($$SELECT resonate.receive('')$$),
	($$SELECT resonate.receive('nowhere')$$),
	($$SELECT resonate.receive('notify://channel')$$);

-- Limits, states, cursors, instants
INSERT INTO bad (statement) VALUES
	($$SELECT resonate.receive('poll://any@g', 0)$$),
	($$SELECT resonate.receive('poll://any@g', -1)$$),
	($$SELECT resonate.receive('poll://any@g', 1001)$$),
	($$SELECT resonate.search_promises("limit" => -1)$$),
	($$SELECT resonate.search_promises("limit" => 101)$$),
	($$SELECT resonate.search_promises(state => '')$$),
	($$SELECT resonate.search_promises(state => 'canceled')$$),
	($$SELECT resonate.search_promises(state => 'timedout')$$),
	($$SELECT resonate.search_promises(state => ' pending')$$),
	($$SELECT resonate.search_promises(cursor => '')$$),
	($$SELECT resonate.search_promises(cursor => 'abc')$$),
	($$SELECT resonate.search_promises(cursor => '!')$$),
	($$SELECT resonate.search_promises(cursor => repeat('A', 100))$$),
	($$SELECT resonate.prune(NULL)$$),
	($$SELECT resonate.prune('now', 0)$$),
	($$SELECT resonate.prune('now', 100001)$$),
	($$SELECT resonate.worker_step("limit" => 0)$$),
	($$SELECT resonate.worker_step("limit" => 100001)$$),
	($$SELECT resonate.worker_step('infinity')$$),
	($$SELECT resonate.worker_step('-infinity')$$),
	($$SELECT resonate.worker_step('1969-12-31 00:00+00')$$);

-- Batches: each has a good item first.
INSERT INTO bad (statement) VALUES
	($$SELECT resonate.create_promises(NULL)$$),
	($$SELECT resonate.create_promises('{}')$$),
	($$SELECT resonate.create_promises('{"id": "new"}')$$),
	($$SELECT resonate.create_promises('"new"')$$),
	($$SELECT resonate.create_promises('null')$$);
INSERT INTO bad (statement)
SELECT format('SELECT resonate.create_promises(%L)', '[{"id": "new"}, ' || item || ']')
FROM (VALUES (1, '"new"'), (2, '1'), (3, 'null'), (4, 'true'), (5, '[]'), (6, '{}'), (7, '{"id": null}'), (8, '{"id": ""}'),
	  (9, '{"id": 1}'), (11, '{"ID": "a"}'), (12, '{"id": "a", "value": 1}'),
	  (13, '{"id": "a", "timeout": true}'), (14, '{"id": "a", "timeout": -1}'), (15, '{"id": "a", "timeout": "-1 s"}'),
	  (16, '{"id": "a", "timeout": 1.5}'), (17, '{"id": "a", "timeout": 1e100}'), (18, '{"id": "a", "timeout": "soon"}'),
	  (19, '{"id": "a", "timeout": "1000000 years"}'), (20, '{"id": "a", "timeout": {}}'),
	  (21, '{"id": "a", "timeout": 1, "timeout_at": 1}'), (22, '{"id": "a", "timeout_at": false}'),
	  (23, '{"id": "a", "timeout_at": -1}'), (24, '{"id": "a", "timeout_at": 0.1}'), (25, '{"id": "a", "timeout_at": 1e19}'),
	  (26, '{"id": "a", "timeout_at": "some day"}'), (27, '{"id": "a", "timeout_at": "-infinity"}'),
	  (28, '{"id": "a", "headers": []}'), (29, '{"id": "a", "headers": {"a": 1}}'), (30, '{"id": "a", "headers": "text"}'),
	  (31, '{"id": "a", "tags": 1}'), (32, '{"id": "a", "tags": {"a": null}}'),
	  (33, '{"id": "a", "tags": {"resonate:target": ""}}'), (34, '{"id": "a", "idempotency_key": 1}'),
	  (36, '{"id": "a", "strict": "true"}'),
	  (37, '{"id": "a", "strict": 1}')) AS v (n, item) ORDER BY n;
INSERT INTO bad (statement) VALUES
	($$SELECT resonate.create_promises(jsonb_build_array(jsonb_build_object('id', repeat('x', 1025))))$$),
	($$SELECT resonate.create_promises(jsonb_build_array(jsonb_build_object('id', 'a', 'idempotency_key', repeat('k', 1025))))$$),
	($$SELECT resonate.settle_promises(NULL)$$),
	($$SELECT resonate.settle_promises('1')$$),
	($$SELECT resonate.settle_promises(jsonb_build_array(jsonb_build_object('state', 'resolved', 'id', repeat('x', 1025))))$$);
INSERT INTO bad (statement)
SELECT format('SELECT resonate.settle_promises(%L)', '[{"id": "p", "state": "resolved"}, ' || item || ']')
FROM (VALUES (1, '0'), (2, '{"state": "resolved"}'), (3, '{"id": "p"}'), (4, '{"id": "p", "state": null}'),
	  (5, '{"id": "", "state": "resolved"}'), (6, '{"id": [], "state": "resolved"}'), (7, '{"id": "p", "state": 1}'),
	  (8, '{"id": "p", "state": "pending"}'), (9, '{"id": "p", "state": "rejected_timedout"}'),
	  (10, '{"id": "p", "state": "canceled"}'), (11, '{"id": "p", "state": "RESOLVED"}'),
	  (12, '{"id": "p", "state": "resolved", "param": 1}'), (13, '{"id": "p", "state": "resolved", "headers": 1}'),
	  (14, '{"id": "p", "state": "resolved", "headers": {"a": {}}}'),
	  (15, '{"id": "p", "state": "resolved", "idempotency_key": true}'),
	  (16, '{"id": "p", "state": "resolved", "strict": "no"}')) AS v (n, item) ORDER BY n;

-- Too large
INSERT INTO bad (statement) VALUES
	($$SELECT resonate.create_promise('new', param => to_jsonb(repeat('x', 67108864)))$$),
	($$SELECT resonate.create_promise('new', headers => jsonb_build_object('h', repeat('x', 67108864)))$$),
	($$SELECT resonate.create_promise('new', tags => jsonb_build_object('t', repeat('x', 67108864)))$$),
	($$SELECT resonate.resolve('p', to_jsonb(repeat('x', 67108864)))$$),
	($$SELECT resonate.resolve('p', to_jsonb(repeat(U&'\0001', 12000000)))$$),
	($$SELECT resonate.resolve('p', headers => jsonb_build_object('h', repeat('x', 67108864)))$$);

-- The guard of the table, and the trigger functions themselves
INSERT INTO bad (statement) VALUES
	($$SELECT resonate.guard_promise()$$),
	($$SELECT resonate.guard_task()$$),
	($$SELECT resonate.note_write()$$),
	($$UPDATE resonate.promises SET value_data = '2' WHERE id = 'settled'$$),
	($$UPDATE resonate.promises SET timeout_at = timeout_at + 1 WHERE id = 'p'$$);

CREATE TEMP TABLE before AS TABLE resonate.promises;

SELECT statement FROM bad ORDER BY n \gexec

-- The same, by SQLSTATE.
\set VERBOSITY sqlstate
SELECT statement FROM bad ORDER BY n \gexec
\set VERBOSITY default

-- Nothing was written.
SELECT id, state FROM resonate.promises ORDER BY id;
SELECT count(*) FROM (TABLE resonate.promises EXCEPT TABLE before) AS changed;
SELECT count(*) FROM resonate.callbacks;
SELECT count(*) FROM resonate.messages;

-- A value that is quoted in a message is not cut in the middle of a character.
SELECT resonate.create_callback('p', 'c', repeat('é', 40));
SELECT resonate.create_callback('p', 'c', 'x' || repeat('é', 40));

DROP TABLE bad, before;
DELETE FROM resonate.promises;
