-- What one call returns is bounded in bytes: the rest is for the next page or
-- call, and nothing is lost or repeated.
\ir rpc.psql

SELECT no_plan();
SELECT at(0);

-- Text that does not compress, of about so many bytes.
CREATE FUNCTION noise(id text, nbytes integer) RETURNS text LANGUAGE sql IMMUTABLE AS
$$
	SELECT string_agg(md5(id || i), '') FROM generate_series(1, nbytes / 32) AS i
$$;

-- Twenty promises of 30 kB in three of their parts.
SELECT is(count(*), 20::bigint, 'promises of many bytes')
FROM generate_series(1, 20) AS i
CROSS JOIN LATERAL (SELECT 'p' || to_char(i, 'FM00') AS id) AS n
CROSS JOIN LATERAL resonate.create_promise(n.id, '1 h', to_jsonb(noise(n.id, 10000)),
	tags => jsonb_build_object('note', noise(n.id, 10000))) AS r
CROSS JOIN LATERAL resonate.resolve(n.id, to_jsonb(noise(n.id, 7500))) AS v
WHERE v.status = 2010;

-- All pages of a search: how many rows each has.
CREATE FUNCTION walk(OUT sizes int[], OUT ids text[]) LANGUAGE plpgsql AS
$$
DECLARE
	next_cursor text;
	page resonate.search_result[];
BEGIN
	LOOP
		SELECT array_agg(r) INTO page FROM resonate.search_promises('p*', cursor => next_cursor) AS r;
		EXIT WHEN page IS NULL;
		sizes := sizes || cardinality(page);
		ids := ids || ARRAY(SELECT id FROM unnest(page));
		next_cursor := page[cardinality(page)].cursor;
		EXIT WHEN next_cursor IS NULL;
	END LOOP;
END
$$;
CREATE FUNCTION walk_rpc(OUT sizes int[], OUT ids text[]) LANGUAGE plpgsql AS
$$
DECLARE
	next_cursor text;
	page jsonb;
BEGIN
	LOOP
		page := rpc(NULL, 'promise.search', jsonb_build_object('cursor', next_cursor)) -> 'data';
		sizes := sizes || jsonb_array_length(page -> 'promises');
		ids := ids || ARRAY(SELECT p ->> 'id' FROM jsonb_array_elements(page -> 'promises') AS p);
		next_cursor := page ->> 'cursor';
		EXIT WHEN next_cursor IS NULL;
	END LOOP;
END
$$;
CREATE FUNCTION names(n integer) RETURNS text[] LANGUAGE sql AS
$$
	SELECT array_agg('p' || to_char(i, 'FM00') ORDER BY i) FROM generate_series(1, n) AS i
$$;

SELECT is(sizes, '{20}', 'one page as a rule') FROM walk();
SELECT is(sizes, '{20}', 'with the protocol, too') FROM walk_rpc();
SET LOCAL resonate.page_bytes = '120kB';
SELECT is(sizes, '{3,3,3,3,3,3,2}', 'pages are cut by their bytes') FROM walk();
SELECT is(sizes, '{3,3,3,3,3,3,2}', 'with the protocol, too') FROM walk_rpc();
SELECT is(ARRAY(SELECT unnest(ids) ORDER BY 1), names(20), 'and have everything once') FROM walk();
SELECT is(ids, names(20), 'with the protocol, too') FROM walk_rpc();
SET LOCAL resonate.page_bytes = '1B';
SELECT is(sizes, array_fill(1, ARRAY[20]), 'one row there always is') FROM walk();
SELECT is(sizes, array_fill(1, ARRAY[20]), 'with the protocol, too') FROM walk_rpc();
SELECT is(ids, names(20), 'each of them once') FROM walk_rpc();
RESET resonate.page_bytes;
-- A bound on rows still counts.
SELECT is(count(*), 5::bigint, 'five rows') FROM resonate.search_promises('p*', "limit" => 5);
DELETE FROM resonate.promises;

--
-- Queues.
--

SELECT is(count(*), 20::bigint, 'promises that many wait for')
FROM generate_series(1, 20) AS i
CROSS JOIN LATERAL (SELECT 'p' || to_char(i, 'FM00') AS id) AS n
CROSS JOIN LATERAL resonate.create_promise_and_callback(n.id, 'c', 'poll://any@q', '1 h') AS r
CROSS JOIN LATERAL rpc(NULL, 'promise.register_listener', jsonb_build_object('awaited', n.id,
	'address', 'poll://any@l')) AS l
CROSS JOIN LATERAL resonate.resolve(n.id, to_jsonb(noise(n.id, 35000))) AS v
WHERE v.status = 2010;

SET LOCAL resonate.page_bytes = '120kB';
CREATE TABLE received (call integer, promise_id text, attempt integer, visible_at timestamptz);
INSERT INTO received SELECT 1, promise_id, attempt, visible_at FROM resonate.receive('poll://any@q');
SELECT is(array_agg(promise_id), names(2), 'receive ends before the bound') FROM received;
CREATE FUNCTION hidden(wanted resonate.callback_kind) RETURNS text LANGUAGE sql AS
$$
	SELECT string_agg(concat_ws(' ', n, 'due', due_at - 4000000000000, 'attempt', attempt), ', '
					  ORDER BY due_at DESC)
	FROM (SELECT due_at, attempt, count(*) AS n FROM resonate.messages
		  WHERE kind = wanted GROUP BY due_at, attempt) AS m
$$;
SELECT is(hidden('callback'), '2 due 30000 attempt 1, 18 due 0 attempt 0', 'and leaves the rest as it was');
DO $$
BEGIN
	FOR i IN 2..10 LOOP
		INSERT INTO received SELECT i, promise_id, attempt, visible_at
		FROM resonate.receive('poll://any@q');
	END LOOP;
END
$$;
SELECT is(array_agg(promise_id ORDER BY promise_id), names(20), 'the next calls have the others')
FROM received;
SELECT is(array_agg(DISTINCT attempt), '{1}', 'for the first time') FROM received;
SELECT is(array_agg(DISTINCT ms(visible_at)), '{30000}', 'until they come back') FROM received;
SELECT is_empty($$SELECT * FROM resonate.receive('poll://any@q')$$, 'there are no more');
SELECT at(30000);
SELECT results_eq($$SELECT promise_id, attempt FROM resonate.receive('poll://any@q')$$,
				  $$VALUES ('p01', 2), ('p02', 2)$$, 'until they have come back');

SELECT results_eq($$SELECT promise ->> 'id' FROM resonate.dequeue_unblock('poll://any@l')$$,
				  $$VALUES ('p01'), ('p02')$$, 'dequeue_unblock ends before the bound');
SELECT is(hidden('listener'), '2 due 60000 attempt 1, 18 due 0 attempt 0', 'and leaves the rest as it was');
SET LOCAL resonate.page_bytes = '1B';
SELECT is(count(*), 1::bigint, 'one there always is') FROM resonate.dequeue_unblock('poll://any@l');
SELECT is(count(*), 1::bigint, 'of the others, too') FROM resonate.receive('poll://any@q');
RESET resonate.page_bytes;
SELECT is(count(*), 17::bigint, 'the rest in one go') FROM resonate.dequeue_unblock('poll://any@l');
SELECT is(count(*), 17::bigint, 'of the others, too') FROM resonate.receive('poll://any@q');
DELETE FROM resonate.messages;
DELETE FROM resonate.promises;

--
-- Schedules.
--

SELECT is(count(*), 6::bigint, 'schedules of many bytes')
FROM generate_series(1, 6) AS i
CROSS JOIN LATERAL resonate.create_schedule('s' || i, '@yearly',
	param => to_jsonb(noise('s' || i, 15000)), tags => jsonb_build_object('note', noise('s' || i, 10000))) AS r
WHERE r.status = 2010;
SET LOCAL resonate.page_bytes = '70kB';
SELECT results_eq($$SELECT id, cursor FROM resonate.search_schedules()$$,
				  $$VALUES ('s1', NULL), ('s2', 's2')$$, 'a page of schedules');
SELECT results_eq($$SELECT id, cursor FROM resonate.search_schedules(cursor => 's2')$$,
				  $$VALUES ('s3', NULL), ('s4', 's4')$$, 'the next one');
SELECT results_eq($$SELECT id, cursor FROM resonate.search_schedules(cursor => 's4')$$,
				  $$VALUES ('s5', NULL), ('s6', NULL)$$, 'the last one');
SELECT is(jsonb_array_length(r #> '{data,schedules}') || ' ' || (r #>> '{data,cursor}'), '2 s4',
		  'with the protocol, too')
FROM rpc(NULL, 'schedule.search', '{"cursor": "s2"}') AS r;
SET LOCAL resonate.page_bytes = '1B';
SELECT results_eq($$SELECT id, cursor FROM resonate.search_schedules()$$,
				  $$VALUES ('s1', 's1')$$, 'one there always is');
RESET resonate.page_bytes;

--
-- What is sent along with a task.
--

CREATE FUNCTION create_branch(id text, nbytes integer, more jsonb DEFAULT '{}') RETURNS text LANGUAGE sql AS
$$
	SELECT rpc(NULL, 'promise.create', jsonb_build_object('id', id, 'timeoutAt', 5000000000000,
		'param', jsonb_build_object('data', noise(id, nbytes)),
		'tags', more || '{"resonate:branch": "b"}')) #>> '{head,status}'
$$;
SELECT is(create_branch('b', 32, :'T'), '200', 'a task');
SELECT is(create_branch('b.' || i, CASE WHEN i % 2 = 0 THEN 100000 ELSE 1000 END), '200', 'a sibling')
FROM generate_series(1, 8) AS i;
CREATE FUNCTION preloaded(version integer) RETURNS text LANGUAGE sql AS
$$
	SELECT string_agg(p ->> 'id', ' ' ORDER BY n)
	FROM jsonb_array_elements(rpc(NULL, 'task.acquire', jsonb_build_object('id', 'b', 'version', version,
		'pid', 'me', 'ttl', 1000)) #> '{data,preload}') WITH ORDINALITY AS a (p, n)
$$;
SELECT is(preloaded(0), 'b.1 b.2 b.3 b.4 b.5 b.6 b.7 b.8', 'all siblings as a rule');
SELECT is((resonate.release_task('b', 1)).status, 2000, 'again');
SET LOCAL resonate.branch_bytes = '50kB';
SELECT is(preloaded(1), 'b.1 b.3 b.5 b.7', 'those that are too large are left out');
SELECT is((resonate.release_task('b', 2)).status, 2000, 'again');
SET LOCAL resonate.branch_bytes = '250kB';
SELECT is(preloaded(2), 'b.1 b.2 b.3 b.4 b.5 b.7', 'those that are too many as well');
SELECT is((resonate.release_task('b', 3)).status, 2000, 'again');
SET LOCAL resonate.branch_bytes = 0;
SELECT is(preloaded(3), NULL, 'or all');

SELECT is_empty('SELECT * FROM resonate.check_invariants()', 'invariants hold');
SELECT finish();
ROLLBACK;
