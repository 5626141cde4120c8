-- receive and acknowledge, worker_step, prune and stats: what is answered.
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

SELECT r.status FROM generate_series(1, 3) AS n,
	resonate.create_promise_and_callback('p' || n, 'c', 'poll://any@workers', '1 hour') AS r;
SELECT status FROM resonate.create_promise_and_callback('listened', 'c', 'notify://chan', '1 hour');
SELECT status FROM resonate.create_promise('deadline', '5 s');

-- Nothing is due, and then a deadline.
SELECT * FROM resonate.worker_step();
SELECT * FROM resonate.worker_step(now => '2096-10-02 07:06:45+00', "limit" => 10);
SELECT * FROM resonate.worker_step();

-- Messages are received until they are acknowledged.
SELECT status FROM resonate.resolve('p1', '{"a": 1}', '{"h": "1"}');
SET resonate.test_clock = '4000000001000';
SELECT status FROM resonate.reject('p2');
SET resonate.test_clock = '4000000002000';
SELECT status FROM resonate.cancel('p3');
\x on
SELECT * FROM resonate.receive('poll://any@workers', "limit" => 1);
\x off
SELECT promise_id, attempt, visible_at FROM resonate.receive('poll://any@workers', visibility => '1 min');
SELECT promise_id FROM resonate.receive('poll://any@workers');
SELECT resonate.acknowledge(promise_id => 'p2', callback_id => 'c');
SELECT resonate.acknowledge('p2', 'c');
SET resonate.test_clock = '4000000032000';
SELECT promise_id, attempt, visible_at FROM resonate.receive('poll://any@workers');
SET resonate.test_clock = '4000000062000';
SELECT promise_id, attempt, visible_at FROM resonate.receive('poll://any@workers') ORDER BY promise_id;

-- A received message is hidden, and an acknowledged one gone, when the
-- transaction commits.
SET resonate.test_clock = '4000000092000';
BEGIN;
SELECT promise_id, attempt FROM resonate.receive('poll://any@workers') ORDER BY promise_id;
SELECT resonate.acknowledge('p1', 'c');
ROLLBACK;
SELECT promise_id, attempt FROM resonate.receive('poll://any@workers') ORDER BY promise_id;

-- Another address, even if it looks alike.
SELECT count(*) FROM resonate.receive('poll://any@workers/1');
SELECT count(*) FROM resonate.receive('poll://any@worker_');
SELECT count(*) FROM resonate.receive('poll://any@Workers');

-- Notifications go out by themselves.
SELECT status FROM resonate.resolve('listened', '1');
SELECT resonate.acknowledge('listened', 'c');
SELECT * FROM resonate.worker_step();
SELECT * FROM resonate.worker_step();
SELECT promise_id, address FROM resonate.messages ORDER BY promise_id;

-- A message whose promise is gone is reported and put off.
SELECT status FROM resonate.create_promise_and_callback('gone', 'c', 'notify://chan');
SELECT status FROM resonate.resolve('gone');
ALTER TABLE resonate.promises DISABLE TRIGGER resonate_guard_follow;
DELETE FROM resonate.promises WHERE id = 'gone';
ALTER TABLE resonate.promises ENABLE ALWAYS TRIGGER resonate_guard_follow;
SELECT step, processed FROM resonate.worker_step();
SELECT promise_id, attempt FROM resonate.messages WHERE address = 'notify://chan';
DELETE FROM resonate.messages WHERE promise_id = 'gone';

-- stats
SELECT pending, resolved, rejected, rejected_canceled, rejected_timedout, due, oldest_due_age, callbacks,
	undelivered_messages FROM resonate.stats;
SELECT status FROM resonate.create_promise_and_callback('due', 'c', 'poll://any@workers', '1 s');
SET resonate.test_clock = '4000000095500';
SELECT pending, due, oldest_due_age, callbacks, undelivered_messages FROM resonate.get_stats();

-- prune: not what is pending, has a message, or belongs to a root that is pending.
SELECT step, processed FROM resonate.worker_step();
SELECT status FROM resonate.create_promise('root', '1 hour');
SELECT status FROM resonate.create_promise('child', tags => '{"resonate:origin": "root"}');
SELECT status FROM resonate.resolve('child');
SELECT id, state FROM resonate.promises ORDER BY id;
SELECT resonate.prune(settled_before => '2096-01-01 00:00+00');
SELECT resonate.prune('infinity', "limit" => 1);
SELECT resonate.prune('infinity');
SELECT id, state FROM resonate.promises ORDER BY id;
SELECT resonate.acknowledge('p1', 'c'), resonate.acknowledge('p3', 'c'), resonate.acknowledge('due', 'c');
SELECT status FROM resonate.resolve('root');
SELECT resonate.prune('infinity');
SELECT count(*) FROM resonate.promises;
SELECT * FROM resonate.worker_step();

-- Nobody takes a message: it expires, and is counted.
SELECT messages_expired AS was_expired FROM resonate.stats \gset
SELECT status FROM resonate.create_promise_and_callback('left', 'c', 'poll://any@nobody');
SELECT status FROM resonate.resolve('left');
SET resonate.test_clock = '4000300000000';
SELECT step, processed FROM resonate.worker_step();
SELECT step, processed FROM resonate.worker_step();
SELECT messages_expired - :was_expired AS expired FROM resonate.stats;
SELECT resonate.prune('infinity');
