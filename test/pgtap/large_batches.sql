-- A hundred thousand items in one call, with the settings that a session has by
-- default.
\ir helpers.psql

SELECT no_plan();

-- Small batches come first: plans that were made for them, when the tables were
-- as good as empty, must not be the end of large ones.
SELECT is(count(*), 2::bigint, 'a small batch of creates')
FROM resonate.create_promises('[{"id": "a"}, {"id": "b"}]');
SELECT is(count(*), 2::bigint, 'the same again')
FROM resonate.create_promises('[{"id": "a"}, {"id": "b"}]');
SELECT is(count(*), 2::bigint, 'a small batch of settlements')
FROM resonate.settle_promises('[{"id": "a", "state": "resolved"}, {"id": "b", "state": "resolved"}]');
SELECT is(brief(resonate.worker_step()), 'idle 0', 'a small step');
DELETE FROM resonate.promises;

SET LOCAL statement_timeout = '60s';

SELECT is(ROW(count(*), min(status), max(status), count(DISTINCT id),
			  bool_and(id = 'large/' || n AND param = to_jsonb(n)))::text,
		  ROW(100000, 2010, 2010, 100000, true)::text, 'a hundred thousand creates')
FROM (SELECT row_number() OVER () AS n, * FROM resonate.create_promises((
		SELECT jsonb_agg(jsonb_build_object('id', 'large/' || n, 'param', n, 'timeout', 60000) ORDER BY n)
		FROM generate_series(1, 100000) AS n))) AS r;
SELECT is(ROW(count(*), count(*) FILTER (WHERE status = 2000))::text, ROW(100000, 0)::text,
		  'the same again')
FROM resonate.create_promises((SELECT jsonb_agg(jsonb_build_object('id', 'large/' || n))
							   FROM generate_series(1, 100000) AS n)) AS r
WHERE status = 4090;
SELECT is(ROW(count(*), min(status), max(status),
			  bool_and(id = 'large/' || n AND value = to_jsonb(n)))::text,
		  ROW(100000, 2010, 2010, true)::text, 'a hundred thousand settlements')
FROM (SELECT row_number() OVER () AS n, * FROM resonate.settle_promises((
		SELECT jsonb_agg(jsonb_build_object('id', 'large/' || n, 'state', 'resolved', 'value', n) ORDER BY n)
		FROM generate_series(1, 100000) AS n))) AS r;
SELECT is((SELECT count(*) FROM resonate.promises WHERE state = 'resolved' AND settled_at = created_at),
		  100000::bigint, 'are stored');
SELECT is(count(*), 100000::bigint, 'and answered again')
FROM resonate.settle_promises((SELECT jsonb_agg(jsonb_build_object('id', 'large/' || n, 'state', 'rejected'))
							   FROM generate_series(1, 100000) AS n)) AS r
WHERE status = 4030;
SELECT is(ROW(min(status), max(status), count(*))::text, ROW(2010, 4090, 100000)::text,
		  'a hundred thousand times the same id')
FROM resonate.create_promises((SELECT jsonb_agg('{"id": "same"}'::jsonb)
							   FROM generate_series(1, 100000) AS n)) AS r;

DELETE FROM resonate.promises;

-- All of them with somebody who waits.
SELECT is(count(*), 100000::bigint, 'a hundred thousand callbacks')
FROM resonate.create_promises((SELECT jsonb_agg(jsonb_build_object('id', 'awaited/' || n, 'timeout', 60000))
							   FROM generate_series(1, 100000) AS n)) AS p
CROSS JOIN LATERAL resonate.create_callback(p.id, 'c', 'notify://channel') AS c
WHERE c.status = 2010;
SELECT is(count(*), 50000::bigint, 'fifty thousand settlements')
FROM resonate.settle_promises((SELECT jsonb_agg(jsonb_build_object('id', 'awaited/' || n, 'state', 'resolved'))
							   FROM generate_series(1, 50000) AS n)) AS r
WHERE status = 2010;
SELECT at(60000);
SELECT is(brief(resonate.worker_step("limit" => 100000)), 'timeout 50000 next 0',
		  'fifty thousand deadlines');
SELECT is((SELECT count(*) FROM resonate.messages), 100000::bigint, 'a hundred thousand messages');
SELECT is((SELECT count(*) FROM resonate.callbacks), 0::bigint, 'and no callback left');
SELECT is(brief(resonate.worker_step("limit" => 100000)), 'deliver 100000', 'all are delivered');
SELECT is((SELECT count(*) FROM resonate.messages), 0::bigint, 'and gone');

SELECT is_empty('SELECT * FROM resonate.check_invariants()', 'invariants hold');
SELECT finish();
ROLLBACK;
