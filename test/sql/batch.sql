-- create_promises and settle_promises: what is answered.
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

-- The whole record; every member that an item can have.
\x on
SELECT * FROM resonate.create_promises('[
	{"id": "z", "timeout": "1 hour", "param": {"a": [1, null]}, "headers": {"h": "1"},
	 "tags": {"t": "1"}, "idempotency_key": "k", "strict": true},
	{"id": "a"}]');
\x off
SELECT id, status, timeout_at, timeout_at_ms FROM resonate.create_promises('[
	{"id": "milliseconds", "timeout": 1500},
	{"id": "instant", "timeout_at": "2100-01-01 00:00+00"},
	{"id": "instant in milliseconds", "timeout_at": 4102444800000},
	{"id": "never", "timeout_at": "infinity"},
	{"id": "nulls", "timeout": null, "timeout_at": null, "param": null, "headers": null, "tags": null,
	 "idempotency_key": null, "strict": null}]');

-- One row for each item, in the same order; the same id again is another call.
SELECT id, status, state, param FROM resonate.create_promises('[
	{"id": "b", "param": 1, "idempotency_key": "k"}, {"id": "a", "param": 2},
	{"id": "b", "param": 3, "idempotency_key": "k"}, {"id": "b", "param": 4},
	{"id": "late", "timeout": 0, "idempotency_key": "k"},
	{"id": "late", "idempotency_key": "k", "strict": true},
	{"id": "late", "idempotency_key": "k"}]');
SELECT id, status, state, value, value_headers, idempotency_key_for_complete FROM resonate.settle_promises('[
	{"id": "b", "state": "resolved", "value": {"x": 1}, "headers": {"h": "1"}, "idempotency_key": "u", "strict": true},
	{"id": "nobody", "state": "resolved"},
	{"id": "a", "state": "rejected", "value": "no"},
	{"id": "z", "state": "rejected_canceled"},
	{"id": "b", "state": "rejected", "value": 2, "idempotency_key": "u"},
	{"id": "b", "state": "rejected", "value": 2, "idempotency_key": "u", "strict": true},
	{"id": "b", "state": "resolved", "value": null, "headers": null, "idempotency_key": null, "strict": null},
	{"id": "late", "state": "resolved"},
	{"id": "late", "state": "resolved", "strict": true}]');

-- Nothing in, nothing out.
SELECT * FROM resonate.create_promises('[]');
SELECT * FROM resonate.settle_promises('[]');

-- Where a JSON null is wanted as a param or a value, make the call for one promise:
-- here a member that is null is a member that is not there.
SELECT id, param, param_data FROM resonate.create_promises('[{"id": "no param", "param": null}]');
SELECT id, param, param_data FROM resonate.create_promise('null param', param => 'null');

-- Callbacks are fired, and the batch is part of its transaction.
SELECT status FROM resonate.create_callback('milliseconds', 'c', 'poll://any@g');
SELECT status FROM resonate.create_callback('instant', 'c', 'poll://any@g');
BEGIN;
SELECT id, status FROM resonate.settle_promises('[{"id": "milliseconds", "state": "resolved"},
	{"id": "instant", "state": "resolved"}]');
SELECT promise_id FROM resonate.messages ORDER BY promise_id;
ROLLBACK;
SELECT promise_id FROM resonate.messages ORDER BY promise_id;
SELECT id, status FROM resonate.settle_promises('[{"id": "milliseconds", "state": "resolved"}]');
SELECT promise_id FROM resonate.messages ORDER BY promise_id;
SELECT promise_id FROM resonate.callbacks ORDER BY promise_id;

-- Made of a table, and joined with it.
CREATE TEMP TABLE files (name text, size integer);
INSERT INTO files VALUES ('a.txt', 10), ('b.txt', 20), ('c.txt', 30);
SELECT p.id, p.status, f.size
FROM resonate.create_promises((SELECT jsonb_agg(jsonb_build_object('id', 'file/' || name, 'param', size))
							   FROM files)) AS p
JOIN files f ON p.id = 'file/' || f.name ORDER BY f.name;
DROP TABLE files;

DELETE FROM resonate.messages;
DELETE FROM resonate.callbacks;
DELETE FROM resonate.promises;

-- The limit of prune holds whatever the planner believes of the table.
BEGIN;
SET LOCAL resonate.debug = on;
SET LOCAL resonate.test_clock = '4000000000000';
SELECT count(*) FROM resonate.create_promises(
	(SELECT jsonb_agg(jsonb_build_object('id', 'limited/' || n, 'timeout', 0)) FROM generate_series(1, 5) AS n));
UPDATE pg_class SET relpages = 1, reltuples = 1 WHERE oid = 'resonate.promises'::regclass;
SELECT resonate.prune('infinity', 1), resonate.prune('infinity', 2);
ROLLBACK;

-- An internal promise that nobody has looked at since its deadline passed does
-- not keep its call graph for ever.
BEGIN;
SET LOCAL resonate.debug = on;
SET LOCAL resonate.test_clock = '4000000000000';
SELECT status FROM resonate.create_promise('root', '1 s', tags => '{"resonate:external": "false"}');
SELECT status FROM resonate.create_promise('root.1', '1 s', tags => '{"resonate:origin": "root"}');
SELECT status FROM resonate.resolve('root.1');
SELECT step, processed FROM resonate.worker_step();
SET LOCAL resonate.test_clock = '4100000000000';
SELECT resonate.prune(to_timestamp(4100000000));
ROLLBACK;

-- But no deadline passes before its time, whatever is to be pruned.
BEGIN;
SET LOCAL resonate.debug = on;
SET LOCAL resonate.test_clock = '4000000000000';
SELECT status FROM resonate.create_promise('later', '1 s', tags => '{"resonate:external": "false"}');
SELECT resonate.prune('infinity');
SELECT status, state FROM resonate.get_promise('later');
ROLLBACK;
