-- Batches: order, duplicates, and equality with the same calls one by one.
\ir helpers.psql

SELECT no_plan();

CREATE FUNCTION created(items jsonb) RETURNS text LANGUAGE sql AS
$$
	SELECT coalesce(string_agg(format('%s %s %s', id, status, state), ', ' ORDER BY n), 'none')
	FROM (SELECT row_number() OVER () AS n, * FROM resonate.create_promises(items)) AS r
$$;
CREATE FUNCTION settled(items jsonb) RETURNS text LANGUAGE sql AS
$$
	SELECT coalesce(string_agg(concat_ws(' ', id, status, state, value), ', ' ORDER BY n), 'none')
	FROM (SELECT row_number() OVER () AS n, * FROM resonate.settle_promises(items)) AS r
$$;

--
-- Order and duplicates
--

SELECT is(created('[]'), 'none', 'nothing to create');
SELECT is(settled('[]'), 'none', 'nothing to settle');
SELECT is(created('[{"id": "c"}, {"id": "a"}, {"id": "b"}]'),
		  'c 2010 pending, a 2010 pending, b 2010 pending', 'the order is that of the items');
SELECT is(created('[{"id": "x"}, {"id": "a"}, {"id": "x"}, {"id": "w"}, {"id": "c"}]'),
		  'x 2010 pending, a 4090 pending, x 4090 pending, w 2010 pending, c 4090 pending',
		  'with each its own status');
SELECT is(created('[{"id": "k", "idempotency_key": "1"}, {"id": "k", "idempotency_key": "1"},
					{"id": "k", "idempotency_key": "1", "strict": true},
					{"id": "k", "idempotency_key": "2"}, {"id": "k"}]'),
		  'k 2010 pending, k 2000 pending, k 2000 pending, k 4090 pending, k 4090 pending',
		  'the same id again is answered as in another call');
SELECT is(created('[{"id": "born", "timeout": 0, "idempotency_key": "1"},
					{"id": "born", "idempotency_key": "1"},
					{"id": "born", "idempotency_key": "1", "strict": true}, {"id": "born"}]'),
		  'born 2010 rejected_timedout, born 2000 rejected_timedout, ' ||
		  'born 4090 rejected_timedout, born 4090 rejected_timedout',
		  'also when it is born settled');
SELECT is(string_agg(format('%s %s %s', status, param, param_headers), ', ' ORDER BY n),
		  '2010 1 {"h": "1"}, 2000 1 {"h": "1"}', 'the first one counts')
FROM (SELECT row_number() OVER () AS n, * FROM resonate.create_promises(
		'[{"id": "first", "idempotency_key": "k", "param": 1, "headers": {"h": "1"}},
		  {"id": "first", "idempotency_key": "k", "param": 2, "headers": {"h": "2"}}]')) AS r;

SELECT is(settled('[{"id": "c", "state": "rejected"}, {"id": "none", "state": "resolved"},
					{"id": "a", "state": "resolved", "value": 1},
					{"id": "b", "state": "rejected_canceled"}]'),
		  'c 2010 rejected, none 4040, a 2010 resolved 1, b 2010 rejected_canceled',
		  'settlements keep their order too');
SELECT is(settled('[{"id": "x", "state": "resolved", "value": 1, "idempotency_key": "k"},
					{"id": "x", "state": "rejected", "value": 2, "idempotency_key": "k"},
					{"id": "x", "state": "rejected", "value": 3, "idempotency_key": "k", "strict": true},
					{"id": "x", "state": "resolved", "value": 4, "idempotency_key": "k", "strict": true},
					{"id": "x", "state": "resolved", "value": 5}, {"id": "none", "state": "resolved"},
					{"id": "none", "state": "resolved"}]'),
		  'x 2010 resolved 1, x 2000 resolved 1, x 4030 resolved 1, x 2000 resolved 1, ' ||
		  'x 4030 resolved 1, none 4040, none 4040',
		  'and the same id again is answered as in another call');

-- Ids are compared as bytes, whatever the collation of the session: all of
-- these are different, and both spellings of the accent stay as they are.
SELECT is(string_agg(DISTINCT r.status::text, ' ') || ' ' || count(DISTINCT r.id), '2010 7',
		  'all ids are different')
FROM resonate.create_promises('[{"id": "\u00e9"}, {"id": "Z!"}, {"id": "e"}, {"id": "E"},
								{"id": "z"}, {"id": "e "}, {"id": "e\u0301"}]') AS r;

-- Callbacks of a batch
SELECT is((resonate.create_promise_and_callback('cb' || n, 'c', 'poll://any@g')).status, 2010,
		  'a callback') FROM generate_series(1, 3) AS n;
SELECT is(settled('[{"id": "cb2", "state": "resolved"}, {"id": "cb1", "state": "resolved"}]'),
		  'cb2 2010 resolved, cb1 2010 resolved', 'two are settled');
SELECT is((SELECT string_agg(promise_id, ' ' ORDER BY promise_id) FROM resonate.messages), 'cb1 cb2',
		  'and told so');
SELECT is((SELECT string_agg(promise_id, ' ') FROM resonate.callbacks), 'cb3', 'and no other');

-- A malformed item, wherever it stands, and nothing is written.
CREATE FUNCTION is_refused(call text) RETURNS SETOF text LANGUAGE plpgsql AS
$$
DECLARE
	before text := everything();
BEGIN
	RETURN NEXT throws_ok('SELECT ' || call, '22023', NULL,
						  regexp_replace(call, '\s+', ' ', 'g'));
	RETURN NEXT is(everything(), before, 'nothing is written');
END
$$;
SELECT is_refused($$resonate.create_promises('[{"id": "ok"}, {"id": "ok2", "timeout": -1}]')$$);
SELECT is_refused($$resonate.create_promises('[{"id": "ok"}, 1]')$$);
SELECT is_refused($$resonate.settle_promises('[{"id": "cb3", "state": "resolved"},
				  {"id": "w", "state": "pending"}]')$$);
SELECT is_refused($$resonate.settle_promises('[{"id": "cb3", "state": "resolved"},
				  {"id": "w", "state": "resolved", "values": 1}]')$$);

DELETE FROM resonate.messages;
DELETE FROM resonate.callbacks;
DELETE FROM resonate.promises;

--
-- Random batches, and the same items in calls one by one: the answers and the
-- tables must be equal.  Ids come from a small pool, so that most collide.
--

CREATE FUNCTION pick(choices text[]) RETURNS text LANGUAGE sql VOLATILE AS
$$
	SELECT choices[1 + floor(random() * cardinality(choices))::integer]
$$;

-- Members that are null are as good as absent.
CREATE FUNCTION random_create() RETURNS jsonb LANGUAGE sql VOLATILE AS
$$
	SELECT jsonb_build_object('id', 'id' || floor(random() * 30),
		'timeout', floor(random() * 4) * 500,
		'param', pick('{NULL, 1, "{\"a\": 2}"}')::jsonb,
		'headers', pick('{NULL, "{\"a\": \"2\"}"}')::jsonb,
		'tags', pick('{NULL, NULL, "{}", "{\"resonate:timer\": \"true\"}",
					   "{\"resonate:external\": \"false\"}", "{\"t\": \"1\"}"}')::jsonb,
		'idempotency_key', pick('{NULL, k, l}'), 'strict', random() < 0.5)
$$;
CREATE FUNCTION random_settle() RETURNS jsonb LANGUAGE sql VOLATILE AS
$$
	SELECT jsonb_build_object('id', 'id' || floor(random() * 33),
		'state', pick('{resolved, rejected, rejected_canceled}'),
		'value', pick('{NULL, 1, "{\"a\": 2}"}')::jsonb,
		'headers', pick('{NULL, "{\"a\": \"2\"}"}')::jsonb,
		'idempotency_key', pick('{NULL, k, l}'), 'strict', random() < 0.5)
$$;

-- The items with their ids in one of the two worlds.
CREATE FUNCTION in_world(items jsonb, world text) RETURNS jsonb LANGUAGE sql AS
$$
	SELECT jsonb_agg(item || jsonb_build_object('id', world || (item->>'id')) ORDER BY n)
	FROM jsonb_array_elements(items) WITH ORDINALITY AS i (item, n)
$$;

CREATE FUNCTION create_one(item jsonb) RETURNS resonate.promise_result LANGUAGE sql AS
$$
	SELECT resonate.create_promise(item->>'id',
		make_interval(secs => (item->>'timeout')::float8 / 1000), nullif(item->'param', 'null'),
		nullif(item->'headers', 'null'), nullif(item->'tags', 'null'), item->>'idempotency_key',
		(item->>'strict')::boolean)
$$;
CREATE FUNCTION settle_one(item jsonb) RETURNS resonate.promise_result LANGUAGE plpgsql AS
$$
DECLARE
	value jsonb := nullif(item->'value', 'null');
	headers jsonb := nullif(item->'headers', 'null');
	key text := item->>'idempotency_key';
	is_strict boolean := item->>'strict';
BEGIN
	CASE item->>'state'
		WHEN 'resolved' THEN
			RETURN resonate.resolve(item->>'id', value, headers, key, is_strict);
		WHEN 'rejected' THEN
			RETURN resonate.reject(item->>'id', value, headers, key, is_strict);
		WHEN 'rejected_canceled' THEN
			RETURN resonate.cancel(item->>'id', value, headers, key, is_strict);
	END CASE;
END
$$;

-- Answers, or the tables, without the name of the world.
CREATE FUNCTION plain(r resonate.promise_result) RETURNS text LANGUAGE plpgsql AS
$$
BEGIN
	r.id := substr(r.id, 3);
	RETURN r::text;
END
$$;
CREATE FUNCTION tables_of(world text) RETURNS text LANGUAGE sql AS
$$
	SELECT string_agg(line, E'\n' ORDER BY line COLLATE "C")
	FROM (SELECT jsonb_set(to_jsonb(p), '{id}', to_jsonb(substr(p.id, 3)))::text
		  FROM resonate.promises p WHERE p.id LIKE world || '%'
		  UNION ALL
		  SELECT jsonb_set(to_jsonb(c), '{promise_id}', to_jsonb(substr(c.promise_id, 3)))::text
		  FROM resonate.callbacks c WHERE c.promise_id LIKE world || '%'
		  UNION ALL
		  SELECT jsonb_set(to_jsonb(m), '{promise_id}', to_jsonb(substr(m.promise_id, 3)))::text
		  FROM resonate.messages m WHERE m.promise_id LIKE world || '%') AS rows (line)
$$;

-- One round: a batch of creates, callbacks, a batch of settlements.
CREATE FUNCTION check_round(round integer) RETURNS SETOF text LANGUAGE plpgsql AS
$$
DECLARE
	creates jsonb;
	settles jsonb;
	in_batch text;
	one_by_one text;
	last_id text;
BEGIN
	PERFORM at(round * 250);
	creates := (SELECT jsonb_agg(random_create()) FROM generate_series(1, 1 + round % 40));
	settles := (SELECT jsonb_agg(random_settle()) FROM generate_series(1, 1 + round % 25));

	in_batch := (SELECT string_agg(plain(r), E'\n' ORDER BY n)
				 FROM (SELECT row_number() OVER () AS n, b::resonate.promise_result AS r
					   FROM resonate.create_promises(in_world(creates, 'b/')) AS b) AS b);
	one_by_one := (SELECT string_agg(plain(create_one(item)), E'\n' ORDER BY n)
				   FROM jsonb_array_elements(in_world(creates, 'o/')) WITH ORDINALITY AS i (item, n));
	RETURN NEXT is(in_batch, one_by_one, format('round %s: creates', round));

	PERFORM resonate.create_callback(world || 'id' || n, 'c' || round, 'poll://any@g')
	FROM generate_series(0, 29) AS n CROSS JOIN (VALUES ('b/'), ('o/')) AS w (world)
	WHERE (n + round) % 7 = 0;

	PERFORM at(round * 250 + 100);
	in_batch := (SELECT string_agg(plain(r), E'\n' ORDER BY n)
				 FROM (SELECT row_number() OVER () AS n, b::resonate.promise_result AS r
					   FROM resonate.settle_promises(in_world(settles, 'b/')) AS b) AS b);
	one_by_one := (SELECT string_agg(plain(settle_one(item)), E'\n' ORDER BY n)
				   FROM jsonb_array_elements(in_world(settles, 'o/')) WITH ORDINALITY AS i (item, n));
	RETURN NEXT is(in_batch, one_by_one, format('round %s: settlements', round));
	RETURN NEXT is(tables_of('b/'), tables_of('o/'), format('round %s: tables', round));

	-- Make room for new lives now and then.
	IF round % 5 = 0 THEN
		last_id := pick('{id1, id2, id9}');
		DELETE FROM resonate.messages m WHERE substr(m.promise_id, 3) <= last_id;
		DELETE FROM resonate.callbacks c WHERE substr(c.promise_id, 3) <= last_id;
		DELETE FROM resonate.promises p WHERE substr(p.id, 3) <= last_id;
	END IF;
END
$$;

SELECT setseed(0.42) AS ignored \gset
SELECT check_round(round) FROM generate_series(1, 60) AS round;

DELETE FROM resonate.messages;
DELETE FROM resonate.callbacks;
DELETE FROM resonate.promises;

SELECT is_empty('SELECT * FROM resonate.check_invariants()', 'invariants hold');
SELECT finish();
ROLLBACK;
