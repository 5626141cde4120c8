-- create_callback, create_promise_and_callback, and what comes of them.
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

SELECT status FROM resonate.create_promise('p', '1 hour', '1');

-- The whole record of a new callback, and of one that is known.
\x on
SELECT * FROM resonate.create_callback('p', 'me', 'notify://done');
SELECT * FROM resonate.create_callback(promise_id => 'p', callback_id => 'me', address => 'poll://any@other');
SELECT * FROM resonate.create_callback('nobody', 'me', 'notify://done');
\x off
SELECT * FROM resonate.callbacks;

-- Each kind of address.
SELECT c.status, c.state, c.callback_id, c.address
FROM (VALUES (1, 'notify://a channel with "quotes"'), (2, 'poll://any@group'), (3, 'poll://any@group/id'),
	  (4, 'poll://uni@group/id/with/slashes'), (5, 'http://host'), (6, 'https://user@host:8080/path?query#part'))
	 AS v (n, address)
CROSS JOIN LATERAL resonate.create_callback('p', 'c' || n, v.address) AS c ORDER BY n;

-- A settled promise is the answer: no callback is recorded, no message will come.
SET resonate.test_clock = '4000000001000';
SELECT status, state, value FROM resonate.resolve('p', '"done"');
SELECT status, callback_id, state, value FROM resonate.create_callback('p', 'late', 'notify://done');
SELECT count(*) FROM resonate.callbacks;
SELECT promise_id, callback_id, address, attempt, to_timestamp(due_at / 1000) AS due_at
FROM resonate.messages ORDER BY callback_id;

-- The worker sends the notifications; the others wait for who asks for them.
SELECT * FROM resonate.worker_step();
SELECT * FROM resonate.worker_step();
SELECT * FROM resonate.worker_step();
SELECT callback_id, address FROM resonate.messages ORDER BY callback_id;

-- A promise past its deadline is settled first.
SELECT status FROM resonate.create_promise('lapsed', '1 s');
SET resonate.test_clock = '4000000005000';
SELECT status, callback_id, state, settled_at FROM resonate.create_callback('lapsed', 'late', 'notify://done');

-- Internal promises cannot be awaited.
SELECT status FROM resonate.create_promise('internal', tags => '{"resonate:external": "false"}');
SELECT status, callback_id, state FROM resonate.create_callback('internal', 'me', 'notify://done');

-- Two ids, not one that is joined of them.
SELECT r.status FROM (VALUES ('a'), ('a.b')) AS v (id), resonate.create_promise(v.id) AS r;
SELECT status, id, callback_id FROM resonate.create_callback('a.b', 'c', 'poll://any@g');
SELECT status, id, callback_id FROM resonate.create_callback('a', 'b.c', 'poll://any@g');

-- Both or neither.
\x on
SELECT * FROM resonate.create_promise_and_callback(
	id => 'both',
	callback_id => 'me',
	address => 'poll://any@g',
	timeout => '1 hour',
	param => '1',
	headers => '{"h": "1"}',
	tags => '{"t": "1"}',
	idempotency_key => 'k',
	strict => true);
\x off
SELECT status, callback_id, state FROM resonate.create_promise_and_callback('both', 'other', 'poll://any@g',
																			idempotency_key => 'k');
SELECT status, callback_id, state FROM resonate.create_promise_and_callback('both', 'other', 'poll://any@g');
SELECT status, callback_id, state FROM resonate.create_promise_and_callback('internal 2', 'me', 'poll://any@g',
																			tags => '{"resonate:external": "no"}');
SELECT status FROM resonate.get_promise('internal 2');
SELECT status, callback_id, state FROM resonate.create_promise_and_callback('born settled', 'me', 'poll://any@g', '0');
SELECT promise_id, callback_id FROM resonate.callbacks ORDER BY promise_id COLLATE "C", callback_id;

-- Undone with its transaction.
BEGIN;
SELECT status FROM resonate.create_promise_and_callback('undone', 'me', 'poll://any@g');
ROLLBACK;
SELECT status FROM resonate.create_callback('undone', 'me', 'poll://any@g');

-- Three requests of which the last was once answered as if it were known.
SELECT status, callback_id FROM resonate.create_promise_and_callback('p4', 'cb12', 'poll://any@g');
SELECT status FROM resonate.create_promise('p5');
SELECT status, callback_id FROM resonate.create_promise_and_callback('p5', 'cb13', 'poll://any@g');
SELECT status, callback_id FROM resonate.create_callback('p5', 'cb13', 'poll://any@g');

DELETE FROM resonate.messages;
DELETE FROM resonate.callbacks;
DELETE FROM resonate.promises;
