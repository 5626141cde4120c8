-- Tasks: every status of every function, and then every error message.
SET client_min_messages = warning;
CREATE EXTENSION IF NOT EXISTS resonate;
LOAD 'resonate';
DELETE FROM resonate.promises;
RESET client_min_messages;
SET TimeZone = 'UTC';
SET DateStyle = 'ISO, YMD';
SET IntervalStyle = 'postgres';
SET resonate.debug = on;
SET resonate.test_clock = '4000000000000';
\set target '{"resonate:target": "poll://any@g"}'

--
-- create_promise_and_task
--

-- The whole record of a promise whose creator holds its task.
\x on
SELECT * FROM resonate.create_promise_and_task(
	id => 'first',
	pid => 'me',
	ttl => '1 min',
	timeout => '1 hour',
	param => '{"f": 1}',
	headers => '{"h": "1"}',
	tags => :'target',
	idempotency_key => 'k',
	strict => true);
\x off
SELECT to_timestamp(clock_at / 1000) AS lease_ends_at, ttl, version, state, id, address, pid FROM resonate.tasks;

-- The same again: the task is held.
SELECT status, task_state, version, pid, state
FROM resonate.create_promise_and_task('first', 'you', '1 min', tags => :'target', idempotency_key => 'k');

-- With another key, and with none.
SELECT status, task_state, version, id, state
FROM resonate.create_promise_and_task('first', 'you', '1 min', tags => :'target', idempotency_key => 'other');
SELECT status, task_state, version, id, state
FROM resonate.create_promise_and_task('first', 'you', '1 min', tags => :'target');

-- A pending task is acquired.
SELECT status, task_state, version, resumes, pid, ttl FROM resonate.release_task('first', 1);
SELECT status, task_state, version, pid, ttl, state, param
FROM resonate.create_promise_and_task('first', 'you', '2 min', tags => :'target', idempotency_key => 'k');

-- One that is suspended or halted is not.
SELECT status FROM resonate.create_promise('awaited', '1 hour');
SELECT status, task_state, version, resumes, pid, ttl FROM resonate.suspend_task('first', 2, '{awaited}');
SELECT status, task_state, version FROM resonate.create_promise_and_task('first', 'me', '1 min', tags => :'target', idempotency_key => 'k');
SELECT status, task_state, version, resumes, pid, ttl FROM resonate.halt_task('first');
SELECT status, task_state, version FROM resonate.create_promise_and_task('first', 'me', '1 min', tags => :'target', idempotency_key => 'k');

-- One that is fulfilled is answered; a strict create refuses that.
SELECT status FROM resonate.resolve('first', '"by someone"');
SELECT status, task_state, version, pid, ttl, state, value
FROM resonate.create_promise_and_task('first', 'me', '1 min', tags => :'target', idempotency_key => 'k');
SELECT status, task_state, state, value
FROM resonate.create_promise_and_task('first', 'me', '1 min', tags => :'target', idempotency_key => 'k', strict => true);

-- The existing promise has no task.
SELECT status FROM resonate.create_promise('untargeted', '1 hour', idempotency_key => 'k');
SELECT status, task_state, version, id, state
FROM resonate.create_promise_and_task('untargeted', 'me', '1 min', tags => :'target', idempotency_key => 'k');

-- Born past its deadline, with a task that nobody has to run.
SELECT status, task_state, version, pid, state, settled_at
FROM resonate.create_promise_and_task('too late', 'me', '1 min', '0', tags => :'target');
SELECT count(*) FROM resonate.tasks WHERE id = 'too late';

-- A delay is only for who is offered the task, not for who creates it.
SELECT status, task_state, version
FROM resonate.create_promise_and_task('delayed', 'me', '1 min', '1 hour',
									  tags => '{"resonate:target": "poll://any@g", "resonate:delay": "4000000060000"}');

-- A lease is at least a millisecond, and may be very long.
SELECT status, ttl FROM resonate.create_promise_and_task('short', 'me', '1 microsecond', '1 hour', tags => :'target');
SELECT status, ttl FROM resonate.create_promise_and_task('long', 'me', '1000 years', '1 hour', tags => :'target');

-- Undone with its transaction.
BEGIN;
SELECT status FROM resonate.create_promise_and_task('undone', 'me', '1 min', tags => :'target');
ROLLBACK;
SELECT status FROM resonate.get_task('undone');

--
-- get_task, acquire_task and release_task
--

SELECT status FROM resonate.create_promise('t', '1 hour', '1', tags => :'target');

\x on
SELECT * FROM resonate.get_task('t');
SELECT * FROM resonate.get_task('nobody');
SELECT * FROM resonate.acquire_task('t', 0, 'me', '30 s');
\x off
SELECT status, id FROM resonate.get_task('untargeted');

-- Only one can, and only with the version that was offered.
SELECT status, task_state, version, pid, id, state FROM resonate.acquire_task('t', 0, 'you', '30 s');
SELECT status, task_state, version, pid FROM resonate.acquire_task('t', 1, 'you', '30 s');
SELECT status, task_state, id FROM resonate.acquire_task('nobody', 0, 'me', '30 s');
SELECT status, task_state, id FROM resonate.acquire_task('untargeted', 0, 'me', '30 s');

SELECT status, task_state, version FROM resonate.release_task('t', 0);
SELECT status, task_state, version FROM resonate.release_task('t', 2);
SELECT status, task_state, version, resumes, pid, ttl, id, state FROM resonate.release_task('t', 1);
SELECT status, task_state, version FROM resonate.release_task('t', 1);
SELECT status, id FROM resonate.release_task('nobody', 1);
SELECT status, id FROM resonate.release_task('untargeted', 1);
SELECT status, task_state, version FROM resonate.acquire_task('t', 2, 'me', '30 s');
SELECT status, task_state, version FROM resonate.acquire_task('t', 1, 'me', '30 s');

--
-- heartbeat_tasks
--

CREATE FUNCTION pg_temp.lease(text) RETURNS timestamptz LANGUAGE sql AS
	'SELECT to_timestamp(clock_at / 1000.0) FROM resonate.tasks WHERE id = $1 AND state = ''acquired''';
SELECT pg_temp.lease('t');
SET resonate.test_clock = '4000000010000';
SELECT resonate.heartbeat_tasks('me', '{t}', '{2}'), pg_temp.lease('t');
SELECT resonate.heartbeat_tasks('you', '{t}', '{2}');
SELECT resonate.heartbeat_tasks('me', '{t}', '{1}');
SELECT resonate.heartbeat_tasks('me', '{nobody,t,untargeted,first}', '{2,2,0,0}');
SELECT resonate.heartbeat_tasks('me', '{t,t}', '{2,2}');
SELECT resonate.heartbeat_tasks('me', '{}', '{}');

-- All leases of a process.
SELECT id, to_timestamp(clock_at / 1000) AS lease_ends_at FROM resonate.tasks WHERE pid = 'me' ORDER BY id;
SELECT resonate.heartbeat_tasks('me');
SELECT id, to_timestamp(clock_at / 1000) AS lease_ends_at FROM resonate.tasks WHERE pid = 'me' ORDER BY id;
SELECT resonate.heartbeat_tasks('nobody');

-- A lease that has ended can be extended until the task is given back.
SET resonate.test_clock = '4000000041000';
SELECT resonate.heartbeat_tasks('me', '{t}', '{2}'), pg_temp.lease('t');

--
-- suspend_task
--

SELECT status FROM resonate.create_promise('internal', '1 hour', tags => '{"resonate:external": "false"}');
SELECT status FROM resonate.create_promise('a', '1 hour');
SELECT status FROM resonate.create_promise('b', '1 hour');
SELECT status, task_state, version, pid, id, state FROM resonate.suspend_task('t', 1, '{a}');
SELECT status, task_state, version, pid, id, state FROM resonate.suspend_task('t', 2, '{a,internal}');
SELECT status, task_state FROM resonate.suspend_task('t', 2, '{a,nobody}');
SELECT status, id FROM resonate.suspend_task('nobody', 1, '{a}');
SELECT status, id FROM resonate.suspend_task('untargeted', 1, '{a}');
SELECT status, task_state, version, resumes, pid, ttl, id, state FROM resonate.suspend_task('t', 2, '{b,a}');
SELECT status, task_state FROM resonate.suspend_task('t', 2, '{a}');
SELECT * FROM resonate.awaiters WHERE awaiter_id = 't' ORDER BY awaited_id;

-- The first that settles wakes it; the second counts.
SELECT status FROM resonate.resolve('b', '1');
SELECT status, task_state, version, resumes, pid FROM resonate.get_task('t');
SELECT status FROM resonate.reject('a', '1');
SELECT status, task_state, version, resumes, pid FROM resonate.get_task('t');
SELECT status, task_state, version, resumes, pid FROM resonate.acquire_task('t', 2, 'me', '30 s');

-- What is settled already is not waited for.
SELECT status, task_state, version, pid, ttl, id, state FROM resonate.suspend_task('t', 3, '{awaited,a}');
SELECT count(*) FROM resonate.awaiters WHERE awaiter_id = 't';

--
-- fence_task
--

\x on
SELECT * FROM resonate.fence_task('t', 3, 'create', '{"id": "t.1", "timeout": "1 hour", "param": 1, "idempotency_key": "k"}');
SELECT * FROM resonate.fence_task('t', 2, 'create', '{"id": "t.2"}');
\x off
SELECT status FROM resonate.get_promise('t.2');

-- What the create or settlement answers is data under a fence that holds.
SELECT status, inner_status, id, state FROM resonate.fence_task('t', 3, 'create', '{"id": "t.1", "idempotency_key": "k"}');
SELECT status, inner_status, id, state FROM resonate.fence_task('t', 3, 'create', '{"id": "t.1"}');
SELECT status, inner_status, id, state FROM resonate.fence_task('t', 2, 'create', '{"id": "t.1"}');
SELECT status, inner_status, id, state FROM resonate.fence_task('nobody', 3, 'create', '{"id": "t.2"}');
SELECT status, inner_status, id, state FROM resonate.fence_task('untargeted', 3, 'create', '{"id": "t.2"}');
SELECT status, inner_status, id, state FROM resonate.fence_task('t', 2, 'settle', '{"id": "t.1", "state": "resolved"}');
SELECT status, inner_status, id, state FROM resonate.fence_task('nobody', 2, 'settle', '{"id": "t.1", "state": "resolved"}');
SELECT status, inner_status, id, state FROM resonate.fence_task('t', 3, 'settle', '{"id": "t.2", "state": "resolved"}');
SELECT status, inner_status, id, state, value, idempotency_key_for_complete
FROM resonate.fence_task('t', 3, 'settle', '{"id": "t.1", "state": "rejected", "value": "no", "idempotency_key": "u"}');
SELECT status, inner_status, id, state
FROM resonate.fence_task('t', 3, 'settle', '{"id": "t.1", "state": "resolved", "idempotency_key": "u"}');
SELECT status, inner_status, id, state
FROM resonate.fence_task('t', 3, 'settle', '{"id": "t.1", "state": "resolved", "idempotency_key": "u", "strict": true}');
SELECT status, inner_status, state FROM resonate.fence_task('t', 3, 'settle', '{"id": "t.1", "state": "resolved"}');
SELECT status, inner_status, state FROM resonate.fence_task('t', 3, 'settle', '{"id": "b", "state": "resolved"}');
SELECT status, inner_status, state FROM resonate.fence_task('t', 3, 'create', '{"id": "t.3"}');
SELECT status, inner_status, state FROM resonate.fence_task('t', 3, 'settle', '{"id": "t.3", "state": "rejected_canceled"}');
SELECT status, inner_status, state FROM resonate.fence_task('t', 3, 'settle', '{"id": "t.3", "state": "resolved"}');
SELECT status, inner_status, state, settled_at FROM resonate.fence_task('t', 3, 'create', '{"id": "t.4", "timeout": 0}');
SELECT status, inner_status, state
FROM resonate.fence_task('t', 3, 'settle', '{"id": "t.4", "state": "resolved", "strict": true}');

-- A targeted one has a task of its own.
SELECT status, inner_status, state
FROM resonate.fence_task('t', 3, 'create', '{"id": "t.5", "tags": {"resonate:target": "poll://any@h"}}');
SELECT status, task_state, version FROM resonate.get_task('t.5');

--
-- fulfill_task
--

SELECT status, task_state, id, state FROM resonate.fulfill_task('t', 2);
SELECT status, id FROM resonate.fulfill_task('nobody', 2);
SELECT status, id FROM resonate.fulfill_task('untargeted', 2);
SELECT status FROM resonate.create_callback('t', 'c', 'poll://any@h');
\x on
SELECT * FROM resonate.fulfill_task('t', 3, value => '{"done": true}', headers => '{"h": "2"}');
\x off
SELECT promise_id, callback_id FROM resonate.messages;
SELECT count(*) FROM resonate.tasks WHERE id = 't';

-- The other ends.
SELECT status, task_state, version, state, value FROM resonate.fulfill_task('delayed', 1, 'rejected', '"no"');
SELECT status, task_state, version, state, value FROM resonate.fulfill_task('short', 1, 'rejected_canceled');
SELECT status, task_state, version, state, value FROM resonate.fulfill_task('long', 1, NULL, NULL, NULL);

-- What is fulfilled is in no other state.
SELECT status, task_state, version, pid, state, value FROM resonate.get_task('t');
SELECT status, id FROM resonate.acquire_task('t', 3, 'me', '30 s');
SELECT status, id FROM resonate.release_task('t', 3);
SELECT status, id FROM resonate.suspend_task('t', 3, '{awaited}');
SELECT status, id FROM resonate.fulfill_task('t', 3);
SELECT status, inner_status, id FROM resonate.fence_task('t', 3, 'create', '{"id": "t.6"}');
SELECT status, id FROM resonate.halt_task('t');
SELECT status, id FROM resonate.continue_task('t');
SELECT resonate.heartbeat_tasks('me', '{t}', '{3}');
SELECT resonate.heartbeat_tasks('me');

--
-- halt_task and continue_task
--

SELECT status, id FROM resonate.halt_task('nobody');
SELECT status, id FROM resonate.halt_task('untargeted');
SELECT status, id FROM resonate.continue_task('nobody');
SELECT status, id FROM resonate.continue_task('untargeted');
SELECT status, task_state, version FROM resonate.create_promise_and_task('h', 'me', '1 min', '1 hour', tags => :'target');
SELECT status, task_state, version FROM resonate.continue_task('h');
SELECT status, task_state, version, resumes, pid, ttl, id, state FROM resonate.halt_task('h');
SELECT status, task_state, version FROM resonate.halt_task('h');
SELECT status, task_state FROM resonate.release_task('h', 1);
SELECT status, task_state FROM resonate.acquire_task('h', 1, 'me', '1 min');
SELECT resonate.heartbeat_tasks('me', '{h}', '{1}');
SELECT status, task_state, version, resumes, pid, ttl, id, state FROM resonate.continue_task('h');
SELECT status, task_state, version FROM resonate.continue_task('h');
SELECT status, task_state, version, resumes FROM resonate.acquire_task('h', 1, 'me', '1 min');

--
-- A deadline that has passed, whether or not anybody has stored that
--

SELECT status FROM resonate.create_promise_and_task('lapsed', 'me', '1 min', '1 s', tags => :'target');
SELECT status FROM resonate.halt_task('h');
SET resonate.test_clock = '4000000050000';
SELECT status, task_state, version FROM resonate.acquire_task('lapsed', 1, 'you', '30 s');
SELECT status, task_state FROM resonate.release_task('lapsed', 1);
SELECT status, task_state FROM resonate.suspend_task('lapsed', 1, '{awaited}');
SELECT status, inner_status FROM resonate.fence_task('lapsed', 1, 'create', '{"id": "t.6"}');
SELECT status, task_state FROM resonate.fulfill_task('lapsed', 1);
SELECT status, task_state FROM resonate.halt_task('lapsed');
SELECT status, task_state FROM resonate.continue_task('lapsed');
SELECT resonate.heartbeat_tasks('me', '{lapsed}', '{1}');
SELECT id, state, version, pid FROM resonate.search_tasks('fulfilled') WHERE id = 'lapsed';
SELECT count(*) FROM resonate.search_tasks('acquired') WHERE id = 'lapsed';

-- Read-only, it shows; else it is stored as well.
BEGIN READ ONLY;
SELECT status, task_state, version, pid, state, settled_at FROM resonate.get_task('lapsed');
SELECT id, state, version, pid FROM resonate.search_tasks('fulfilled') WHERE id = 'lapsed';
COMMIT;
SELECT count(*) FROM resonate.tasks WHERE id = 'lapsed';
SELECT status, task_state, version, pid, state, settled_at FROM resonate.get_task('lapsed');
SELECT count(*) FROM resonate.tasks WHERE id = 'lapsed';
SELECT status, task_state, version, state
FROM resonate.create_promise_and_task('lapsed', 'me', '1 min', tags => :'target', idempotency_key => NULL);

--
-- search_tasks
--

SELECT status FROM resonate.create_promise_and_task('s', 'me', '90 s', '1 hour', tags => :'target');
SELECT status FROM resonate.suspend_task('s', 1, '{awaited}');
SELECT status FROM resonate.create_promise_and_task('u', 'me', '90 s', '1 hour', tags => :'target');
SELECT * FROM resonate.search_tasks();
SELECT id FROM resonate.search_tasks('pending');
SELECT id, pid, ttl FROM resonate.search_tasks('acquired');
SELECT id FROM resonate.search_tasks(state => 'suspended');
SELECT id FROM resonate.search_tasks(state => 'halted');
SELECT id, version FROM resonate.search_tasks(state => 'fulfilled');

-- Pages.
SELECT id, cursor FROM resonate.search_tasks("limit" => 3);
SELECT id, cursor FROM resonate.search_tasks("limit" => 3, cursor => 'h');
SELECT id, cursor FROM resonate.search_tasks("limit" => 8);
SELECT id, cursor FROM resonate.search_tasks('fulfilled', 2, 'no such id');
SELECT id, cursor FROM resonate.search_tasks('fulfilled', 2, '');
SELECT id, cursor FROM resonate.search_tasks(NULL, NULL, 'u');
SELECT count(*) FROM resonate.create_promises((
	SELECT jsonb_agg(jsonb_build_object('id', format('many/%s', n), 'tags', :'target'::jsonb)) FROM generate_series(1, 101) AS n));
SELECT count(*), max(cursor) FROM resonate.search_tasks('pending', cursor => 'many');
SELECT count(*), max(cursor) FROM resonate.search_tasks('pending', 1000, 'many');

--
-- Errors
--

CREATE TEMP TABLE bad (n integer GENERATED ALWAYS AS IDENTITY, statement text);
INSERT INTO bad (statement) VALUES
	($$SELECT resonate.create_promise_and_task(NULL, 'me', '1 min', tags => '{"resonate:target": "g"}')$$),
	($$SELECT resonate.create_promise_and_task('', 'me', '1 min', tags => '{"resonate:target": "g"}')$$),
	($$SELECT resonate.create_promise_and_task('new', NULL, '1 min', tags => '{"resonate:target": "g"}')$$),
	($$SELECT resonate.create_promise_and_task('new', '', '1 min', tags => '{"resonate:target": "g"}')$$),
	($$SELECT resonate.create_promise_and_task('new', repeat('p', 1025), '1 min', tags => '{"resonate:target": "g"}')$$),
	($$SELECT resonate.create_promise_and_task('new', 'me', NULL, tags => '{"resonate:target": "g"}')$$),
	($$SELECT resonate.create_promise_and_task('new', 'me', '0', tags => '{"resonate:target": "g"}')$$),
	($$SELECT resonate.create_promise_and_task('new', 'me', '-1 ms', tags => '{"resonate:target": "g"}')$$),
	($$SELECT resonate.create_promise_and_task('new', 'me', '1000000 years', tags => '{"resonate:target": "g"}')$$),
	($$SELECT resonate.create_promise_and_task('new', 'me', '1 min')$$),
	($$SELECT resonate.create_promise_and_task('new', 'me', '1 min', tags => '{"a": "b"}')$$),
	($$SELECT resonate.create_promise_and_task('new', 'me', '1 min', tags => '{"resonate:target": ""}')$$),
	($$SELECT resonate.create_promise_and_task('new', 'me', '1 min', tags => '{"resonate:target": "g", "resonate:timer": "true"}')$$),
	($$SELECT resonate.create_promise_and_task('new', 'me', '1 min', tags => '{"resonate:target": "g", "resonate:delay": "soon"}')$$),
	($$SELECT resonate.create_promise_and_task('new', 'me', '1 min', '1 s', tags => '{"resonate:target": "g", "resonate:delay": "5000000000000"}')$$),
	($$SELECT resonate.create_promise_and_task('new', 'me', '1 min', '-1 s', tags => '{"resonate:target": "g"}')$$),
	($$SELECT resonate.create_promise_and_task('new', 'me', '1 min', headers => '[]', tags => '{"resonate:target": "g"}')$$),
	($$SELECT resonate.get_task(NULL)$$),
	($$SELECT resonate.get_task('')$$),
	($$SELECT resonate.get_task(repeat('x', 1025))$$),
	($$SELECT resonate.acquire_task(NULL, 0, 'me', '1 s')$$),
	($$SELECT resonate.acquire_task('u', NULL, 'me', '1 s')$$),
	($$SELECT resonate.acquire_task('u', -1, 'me', '1 s')$$),
	($$SELECT resonate.acquire_task('u', 0, NULL, '1 s')$$),
	($$SELECT resonate.acquire_task('u', 0, 'me', NULL)$$),
	($$SELECT resonate.acquire_task('u', 0, 'me', '0')$$),
	($$SELECT resonate.release_task('', 0)$$),
	($$SELECT resonate.release_task('u', NULL)$$),
	($$SELECT resonate.release_task('u', -2147483648)$$),
	($$SELECT resonate.suspend_task(NULL, 1, '{awaited}')$$),
	($$SELECT resonate.suspend_task('u', NULL, '{awaited}')$$),
	($$SELECT resonate.suspend_task('u', -1, '{awaited}')$$),
	($$SELECT resonate.suspend_task('u', 1, NULL)$$),
	($$SELECT resonate.suspend_task('u', 1, '{}')$$),
	($$SELECT resonate.suspend_task('u', 1, '{awaited,NULL}')$$),
	($$SELECT resonate.suspend_task('u', 1, '{{awaited},{a}}')$$),
	($$SELECT resonate.suspend_task('u', 1, '{awaited,""}')$$),
	($$SELECT resonate.suspend_task('u', 1, ARRAY['awaited', repeat('x', 1025)])$$),
	($$SELECT resonate.suspend_task('u', 1, '{awaited,a,awaited}')$$),
	($$SELECT resonate.suspend_task('u', 1, '{awaited,u}')$$),
	($$SELECT resonate.suspend_task('nobody', 1, '{nobody}')$$),
	($$SELECT resonate.fulfill_task(NULL, 1)$$),
	($$SELECT resonate.fulfill_task('u', NULL)$$),
	($$SELECT resonate.fulfill_task('u', -1)$$),
	($$SELECT resonate.fulfill_task('u', 1, 'pending')$$),
	($$SELECT resonate.fulfill_task('u', 1, 'rejected_timedout')$$),
	($$SELECT resonate.fulfill_task('u', 1, 'fulfilled')$$),
	($$SELECT resonate.fulfill_task('u', 1, headers => '{"a": 1}')$$),
	($$SELECT resonate.fulfill_task('nobody', 1, '')$$),
	($$SELECT resonate.fence_task(NULL, 1, 'create', '{"id": "new"}')$$),
	($$SELECT resonate.fence_task('u', NULL, 'create', '{"id": "new"}')$$),
	($$SELECT resonate.fence_task('u', -1, 'create', '{"id": "new"}')$$),
	($$SELECT resonate.fence_task('u', 1, NULL, '{"id": "new"}')$$),
	($$SELECT resonate.fence_task('u', 1, 'promise.create', '{"id": "new"}')$$),
	($$SELECT resonate.fence_task('u', 1, 'create', NULL)$$),
	($$SELECT resonate.fence_task('u', 1, 'create', '[{"id": "new"}]')$$),
	($$SELECT resonate.fence_task('u', 1, 'create', '"new"')$$),
	($$SELECT resonate.fence_task('u', 1, 'create', '{}')$$),
	($$SELECT resonate.fence_task('u', 1, 'create', '{"id": ""}')$$),
	($$SELECT resonate.fence_task('u', 1, 'create', '{"id": "new", "value": 1}')$$),
	($$SELECT resonate.fence_task('u', 1, 'create', '{"id": "new", "timeout": -1}')$$),
	($$SELECT resonate.fence_task('u', 1, 'create', '{"id": "new", "tags": {"resonate:target": ""}}')$$),
	($$SELECT resonate.fence_task('u', 1, 'create', '{"id": "u"}')$$),
	($$SELECT resonate.fence_task('u', 1, 'settle', NULL)$$),
	($$SELECT resonate.fence_task('u', 1, 'settle', 'null')$$),
	($$SELECT resonate.fence_task('u', 1, 'settle', '{"id": "awaited"}')$$),
	($$SELECT resonate.fence_task('u', 1, 'settle', '{"id": "awaited", "state": "pending"}')$$),
	($$SELECT resonate.fence_task('u', 1, 'settle', '{"state": "resolved"}')$$),
	($$SELECT resonate.fence_task('u', 1, 'settle', '{"id": "awaited", "state": "resolved", "param": 1}')$$),
	($$SELECT resonate.fence_task('u', 1, 'settle', '{"id": "u", "state": "resolved"}')$$),
	($$SELECT resonate.fence_task('nobody', 1, 'settle', '{"id": "nobody", "state": "resolved"}')$$),
	($$SELECT resonate.heartbeat_tasks(NULL)$$),
	($$SELECT resonate.heartbeat_tasks('')$$),
	($$SELECT resonate.heartbeat_tasks('me', '{u}')$$),
	($$SELECT resonate.heartbeat_tasks('me', NULL, '{1}')$$),
	($$SELECT resonate.heartbeat_tasks('me', '{u,s}', '{1}')$$),
	($$SELECT resonate.heartbeat_tasks('me', '{}', '{1}')$$),
	($$SELECT resonate.heartbeat_tasks('me', '{u,NULL}', '{1,1}')$$),
	($$SELECT resonate.heartbeat_tasks('me', '{u,s}', '{1,NULL}')$$),
	($$SELECT resonate.heartbeat_tasks('me', '{{u}}', '{1}')$$),
	($$SELECT resonate.heartbeat_tasks('me', '{u}', '{{1}}')$$),
	($$SELECT resonate.heartbeat_tasks('me', '{u,""}', '{1,1}')$$),
	($$SELECT resonate.heartbeat_tasks('me', '{u,s}', '{1,-1}')$$),
	($$SELECT resonate.halt_task(NULL)$$),
	($$SELECT resonate.halt_task('')$$),
	($$SELECT resonate.continue_task(NULL)$$),
	($$SELECT resonate.continue_task(repeat('x', 1025))$$),
	($$SELECT resonate.search_tasks('')$$),
	($$SELECT resonate.search_tasks('Pending')$$),
	($$SELECT resonate.search_tasks('resolved')$$),
	($$SELECT resonate.search_tasks("limit" => 0)$$),
	($$SELECT resonate.search_tasks("limit" => -1)$$),
	($$SELECT resonate.search_tasks("limit" => 1001)$$);
CREATE TEMP TABLE before AS SELECT p.*, t.state AS task_state, t.clock_at FROM resonate.promises AS p LEFT JOIN resonate.tasks AS t USING (id);
SELECT statement FROM bad ORDER BY n \gexec

-- The same, by SQLSTATE.
\set VERBOSITY sqlstate
SELECT statement FROM bad ORDER BY n \gexec
\set VERBOSITY default

-- Nothing was written.
SELECT count(*) FROM (
	SELECT p.*, t.state AS task_state, t.clock_at FROM resonate.promises AS p LEFT JOIN resonate.tasks AS t USING (id)
	EXCEPT TABLE before) AS changed;

-- A timer with a target has no task.  In the profile "strict" it is refused, at every door.
BEGIN;
SELECT status, state FROM resonate.create_promise('timer', '1 min', tags => '{"resonate:target": "g", "resonate:timer": "true"}');
SELECT status, state FROM resonate.create_promises('[{"id": "timer 1", "tags": {"resonate:target": "g", "resonate:timer": "true"}}]');
SELECT status, state FROM resonate.create_promise_and_callback('timer 2', 'c', 'poll://any@g',
	tags => '{"resonate:target": "g", "resonate:timer": "true"}');
SELECT status FROM resonate.create_schedule('timer', '@daily', tags => '{"resonate:target": "g", "resonate:timer": "true"}');
SELECT id, timer, external, targeted FROM resonate.promises WHERE id ^@ 'timer' ORDER BY id;
SELECT count(*) FROM resonate.tasks WHERE id ^@ 'timer';
ROLLBACK;
SET resonate.profile = strict;
SELECT resonate.create_promise('new', tags => '{"resonate:target": "g", "resonate:timer": "true"}');
SELECT resonate.create_promises('[{"id": "new", "tags": {"resonate:target": "g", "resonate:timer": "true"}}]');
SELECT resonate.create_promise_and_callback('new', 'c', 'poll://any@g', tags => '{"resonate:target": "g", "resonate:timer": "true"}');
SELECT resonate.create_promise_and_task('new', 'me', '1 min', tags => '{"resonate:target": "g", "resonate:timer": "true"}');
SELECT resonate.create_schedule('new', '@daily', tags => '{"resonate:target": "g", "resonate:timer": "true"}');
RESET resonate.profile;

-- Nobody but the roles that are meant to.
SET client_min_messages = error;
DROP ROLE IF EXISTS regress_resonate_task;
RESET client_min_messages;
CREATE ROLE regress_resonate_task;
SELECT r.role, p.proname AS function
FROM (VALUES ('public'), ('resonate_client'), ('resonate_worker'), ('resonate_reader'), ('resonate_admin')) AS r (role)
CROSS JOIN pg_proc AS p
WHERE p.pronamespace = 'resonate'::regnamespace AND p.proname ~ '_tasks?$' AND has_function_privilege(r.role, p.oid, 'EXECUTE')
ORDER BY r.role, p.proname;
SET ROLE regress_resonate_task;
SELECT resonate.get_task('t');
RESET ROLE;
DROP ROLE regress_resonate_task;

DROP TABLE bad, before;
DELETE FROM resonate.promises;
