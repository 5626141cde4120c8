-- resolve, reject and cancel: what is answered.
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

SELECT status FROM resonate.create_promise('order/42', '1 hour', '{"amount": 12}', idempotency_key => 'c');

-- The whole record, before and after.
\x on
SELECT * FROM resonate.get_promise('order/42');
SET resonate.test_clock = '4000000001500';
SELECT * FROM resonate.resolve(
	id => 'order/42',
	value => '{"tracking": "1Z999"}',
	headers => '{"content-type": "application/json"}',
	idempotency_key => 'u',
	strict => true);
SELECT * FROM resonate.get_promise('order/42');

-- No promise of that name.
SELECT * FROM resonate.resolve('nobody', '1');
\x off

-- Again: with the same key it is the same request, whatever it asks for.
SET resonate.test_clock = '4000000002000';
SELECT status, state, value FROM resonate.resolve('order/42', '"other"', idempotency_key => 'u');
SELECT status, state, value FROM resonate.reject('order/42', '"other"', idempotency_key => 'u');
SELECT status, state, value FROM resonate.cancel('order/42', '"other"', idempotency_key => 'u');

-- Strictly, only if it asks for what has happened.
SELECT status, state, value FROM resonate.resolve('order/42', '"other"', idempotency_key => 'u', strict => true);
SELECT status, state, value FROM resonate.reject('order/42', '"other"', idempotency_key => 'u', strict => true);

-- With another key, or none, the promise is settled already; how, says the status.
SELECT status, state, value FROM resonate.resolve('order/42', '"other"', idempotency_key => 'v');
SELECT status, state, value FROM resonate.resolve('order/42', '"other"');
SELECT r.id, s.status AS settled, s.state, s.value, again.status AS again
FROM (VALUES ('a'), ('b'), ('c'), ('d')) AS v (id)
CROSS JOIN LATERAL resonate.create_promise(v.id, CASE v.id WHEN 'd' THEN interval '0' END) AS r
CROSS JOIN LATERAL (
	SELECT * FROM resonate.resolve(r.id, '1') WHERE r.id = 'a'
	UNION ALL
	SELECT * FROM resonate.reject(r.id, '2') WHERE r.id = 'b'
	UNION ALL
	SELECT * FROM resonate.cancel(r.id, '3') WHERE r.id = 'c'
	UNION ALL
	SELECT * FROM resonate.get_promise(r.id) WHERE r.id = 'd') AS s
CROSS JOIN LATERAL resonate.resolve(s.id, '4', strict => true) AS again
ORDER BY r.id;

-- Too late is 2000 unless strict: nobody will ever settle it otherwise.
SELECT status, state, value FROM resonate.resolve('d', '4');
SELECT status, state, value FROM resonate.reject('d', '4', idempotency_key => 'k');

-- A value is JSON, or nothing at all; headers without a value are fine.
SELECT r.status FROM (VALUES ('null'), ('nothing'), ('headers')) AS v (id), resonate.create_promise(v.id) AS r;
SELECT status, state, value, value IS NULL AS is_null, value_data, value_headers FROM resonate.resolve('null', 'null');
SELECT status, state, value, value IS NULL AS is_null, value_data, value_headers FROM resonate.resolve('nothing');
SELECT status, state, value, value IS NULL AS is_null, value_data, value_headers
FROM resonate.resolve('headers', headers => '{"h": "1"}');

-- The settlement is part of the transaction that makes it.
SELECT status FROM resonate.create_promise('undone', '1 hour');
BEGIN;
SELECT status, state FROM resonate.resolve('undone', '1');
SELECT status, state FROM resonate.reject('undone', '2');
ROLLBACK;
SELECT status, state FROM resonate.get_promise('undone');
BEGIN;
SAVEPOINT s;
SELECT status, state FROM resonate.resolve('undone', '1');
ROLLBACK TO s;
SELECT status, state, value FROM resonate.reject('undone', '2');
COMMIT;
SELECT status, state, value FROM resonate.get_promise('undone');

-- The deadline comes first, to the millisecond.
SELECT status FROM resonate.create_promise('deadline', timeout_at => '2096-10-02 07:07:00+00');
SET resonate.test_clock = '4000000019999';
SELECT status, state FROM resonate.get_promise('deadline');
SET resonate.test_clock = '4000000020000';
SELECT status, state, settled_at FROM resonate.get_promise('deadline');
SELECT status, state, settled_at FROM resonate.resolve('deadline', '1', strict => true);

DELETE FROM resonate.promises;
