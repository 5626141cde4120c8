-- Durable messages: receive, visibility, acknowledge.
\ir helpers.psql

SELECT no_plan();

CREATE FUNCTION received(address text, count integer DEFAULT 100, visibility interval DEFAULT NULL)
RETURNS text LANGUAGE sql AS
$$
	SELECT coalesce(string_agg(format('%s/%s #%s until %s', m.promise_id, m.callback_id, m.attempt,
									  ms(m.visible_at)), ', ' ORDER BY n), 'none')
	FROM resonate.receive(address, count, visibility) WITH ORDINALITY AS
		m (kind, promise_id, callback_id, address, attempt, visible_at, state, value, value_headers,
		   value_data, settled_at, n)
$$;

-- Three completions for one group, in the order 2, 1, 3, and one for another.
SELECT is((resonate.create_promise('p' || n, '1 min')).status, 2010, 'a promise')
FROM generate_series(1, 4) AS n;
SELECT is((resonate.create_callback('p' || n, 'c' || n,
		  CASE WHEN n < 4 THEN 'poll://any@g' ELSE 'poll://any@g/1' END)).status, 2010, 'a callback')
FROM generate_series(1, 4) AS n;
SELECT is(received('poll://any@g'), 'none', 'nothing before a settlement');
SELECT at(10);
SELECT is((resonate.resolve('p2', '{"a": 1}', '{"h": "1"}')).status, 2010, 'resolve');
SELECT at(20);
SELECT is((resonate.reject('p1', 'null')).status, 2010, 'reject');
SELECT at(30);
SELECT is((resonate.cancel('p3')).status, 2010, 'cancel');
SELECT is((resonate.resolve('p4')).status, 2010, 'resolve another');

SELECT at(9);
SELECT is(received('poll://any@g'), 'none', 'a message is not visible before its instant');
SELECT at(100);
SELECT is(received('poll://any@g', 1), 'p2/c2 #1 until 30100',
		  'the oldest comes first; the default visibility is 30 s');
SELECT at(101);
SELECT is(received('poll://any@g', 1), 'p1/c1 #1 until 30101', 'the next receiver gets the next');
SELECT at(102);
SELECT is(received('poll://any@g', 1), 'p3/c3 #1 until 30102', 'and the next one');
SELECT is(received('poll://any@g', 1), 'none', 'until nothing is left');
SELECT at(30099);
SELECT is(received('poll://any@g'), 'none', 'a received message is hidden');
SELECT at(30100);
SELECT is(received('poll://any@g', visibility => '1 s'), 'p2/c2 #2 until 31100',
		  'until its instant; then it comes back, and the attempts are counted');
SELECT at(30200);
SELECT is(received('poll://any@g', 1, '1 s'), 'p1/c1 #2 until 31200', 'limit is kept');
SELECT is(received('poll://any@g', 1, '1 s'), 'p3/c3 #2 until 31200',
		  'two receivers share no message');

SELECT at(31200);
SELECT is(resonate.acknowledge('p1', 'c1'), 2000, 'acknowledge');
SELECT is(resonate.acknowledge('p1', 'c1'), 4040, 'once only');
SELECT is(resonate.acknowledge('p1', 'c2'), 4040, 'by the id of the promise and of the callback');
SELECT is(resonate.acknowledge('p', '1c1'), 4040, 'not by both joined');
SELECT is(resonate.acknowledge('none', 'c'), 4040, 'not without a promise');
SELECT is(received('poll://any@g'), 'p2/c2 #3 until 61200, p3/c3 #3 until 61200',
		  'an acknowledged message never comes back');
SELECT is(resonate.acknowledge('p2', 'c2'), 2000, 'acknowledge while it is hidden');
SELECT at(61200);
SELECT is(received('poll://any@g', 1000), 'p3/c3 #4 until 91200', 'works');

SET LOCAL resonate.visibility_timeout = '1min';
SELECT at(91200);
SELECT is(received('poll://any@g'), 'p3/c3 #5 until 151200', 'the default can be configured');
SET LOCAL resonate.visibility_timeout = 0;
SELECT at(151200);
SELECT is(received('poll://any@g'), 'p3/c3 #6 until 151200', 'zero does not hide at all');
SELECT is(received('poll://any@g', visibility => '1 microsecond'), 'p3/c3 #7 until 151201',
		  'a visibility is rounded up to a millisecond');
SELECT is(received('poll://any@g', visibility => '1 h'), 'none', 'and hides for that long');
RESET resonate.visibility_timeout;

-- Addresses are equal byte by byte, and nothing in them is a pattern.
SELECT is(received(address), 'none', address || ' is another address')
FROM (VALUES ('poll://any@G/1'), ('poll://any@g/1/'), ('poll://any@g/01'), ('poll://uni@g/1'),
	  ('poll://any@_/1'), ('poll://any@%'), ('poll://any@g/%'), ('poll://any@\g/1'),
	  ('poll://any@g '), ('http://any@g/1')) AS v (address);
SELECT is(received('poll://any@g/1'), 'p4/c4 #1 until 181200', 'the same address');

-- What a message says.
SELECT at(0);
SELECT is((resonate.create_promise('t', '1 min', tags => '{"resonate:timer": "true"}')).status,
		  2010, 'a timer');
SELECT is((resonate.create_promise('x', '1 min')).status, 2010, 'a promise that will time out');
SELECT is((resonate.create_promise(id, '1 min')).status, 2010, 'a promise')
FROM (VALUES ('v'), ('n'), ('e')) AS v (id);
SELECT is((resonate.create_callback(id, 'c', 'poll://uni@w/1')).status, 2010, 'a callback')
FROM (VALUES ('t'), ('x'), ('v'), ('n'), ('e')) AS v (id);
SELECT at(5);
SELECT is((resonate.resolve('v', '{"a": [1]}', '{"h": "1"}')).status, 2010, 'a value');
SELECT is((resonate.reject('n', 'null')).status, 2010, 'a JSON null');
SELECT is((resonate.cancel('e')).status, 2010, 'no value');
SELECT at(70000);
SELECT is((resonate.worker_step()).step, 'clock', 'what was received later has to be set right first');
SELECT is(brief(resonate.worker_step()), 'timeout 2', 'two deadlines');
SELECT results_eq(
	$$SELECT promise_id, callback_id, address, attempt, ms(visible_at), state, value,
		value_headers, value_data, ms(settled_at)
	  FROM resonate.receive('poll://uni@w/1') ORDER BY promise_id COLLATE "C"$$,
	$$VALUES
		('e', 'c', 'poll://uni@w/1', 1, '100000', 'rejected_canceled', NULL::jsonb, '{}'::jsonb, NULL, '5'),
		('n', 'c', 'poll://uni@w/1', 1, '100000', 'rejected', 'null', '{}', 'bnVsbA==', '5'),
		('t', 'c', 'poll://uni@w/1', 1, '100000', 'resolved', NULL, '{}', NULL, '60000'),
		('v', 'c', 'poll://uni@w/1', 1, '100000', 'resolved', '{"a": [1]}', '{"h": "1"}',
		 'eyJhIjogWzFdfQ==', '5'),
		('x', 'c', 'poll://uni@w/1', 1, '100000', 'rejected_timedout', NULL, '{}', NULL, '60000')$$,
	'a message has the state and the value of its promise');

-- Notifications are not received, nor acknowledged.
SELECT is((resonate.create_promise_and_callback('listened', 'c', 'notify://chan')).status, 2010,
		  'a listener');
SELECT is((resonate.resolve('listened')).status, 2010, 'that must be told');
SELECT throws_ok($$SELECT resonate.receive('notify://chan')$$, '22023', NULL,
				 'a notification cannot be received');
SELECT is(resonate.acknowledge('listened', 'c'), 4040, 'nor acknowledged');
SELECT is((SELECT count(*) FROM resonate.messages WHERE promise_id = 'listened'), 1::bigint,
		  'it waits for the worker');

-- http addresses are kept for somebody who posts.
SELECT is((resonate.create_promise_and_callback('posted', 'c', 'https://host/a?b=c#d')).status,
		  2010, 'a URL');
SELECT is((resonate.resolve('posted')).status, 2010, 'that must be posted to');
SELECT is(received('https://host/a?b=c#d'), 'posted/c #1 until 100000', 'is received');

-- The message survives a promise that is deleted without its triggers.
SELECT is((resonate.create_promise_and_callback('orphan', 'c', 'poll://any@o')).status, 2010,
		  'a promise');
SELECT is((resonate.resolve('orphan', '1')).status, 2010, 'settled');
ALTER TABLE resonate.promises DISABLE TRIGGER resonate_guard_follow;
DELETE FROM resonate.promises WHERE id = 'orphan';
ALTER TABLE resonate.promises ENABLE ALWAYS TRIGGER resonate_guard_follow;
SELECT is(ROW(m.promise_id, m.attempt, m.state, m.value, m.value_headers, m.settled_at)::text,
		  ROW('orphan', 1, NULL, NULL::jsonb, NULL::jsonb, NULL::timestamptz)::text,
		  'and deleted by hand: the message comes without it')
FROM resonate.receive('poll://any@o') AS m;
SELECT is(resonate.acknowledge('orphan', 'c'), 2000, 'and can be acknowledged');

-- A thousand at a time at the most.
SELECT is(count(*), 1500::bigint, 'many promises')
FROM resonate.create_promises((SELECT jsonb_agg(jsonb_build_object('id', 'many ' || n))
							   FROM generate_series(1, 1500) AS n));
SELECT is(count(*), 1500::bigint, 'many callbacks')
FROM generate_series(1, 1500) AS n
CROSS JOIN LATERAL resonate.create_callback('many ' || n, 'c', 'poll://any@many') AS r
WHERE r.status = 2010;
SELECT is(count(*), 1500::bigint, 'many settlements')
FROM resonate.settle_promises((SELECT jsonb_agg(jsonb_build_object('id', 'many ' || n, 'state', 'resolved'))
							   FROM generate_series(1, 1500) AS n)) AS r
WHERE r.status = 2010;
SELECT is((SELECT count(*) FROM resonate.receive('poll://any@many')), 100::bigint,
		  'the default limit is 100');
SELECT is((SELECT count(*) FROM resonate.receive('poll://any@many', NULL)), 100::bigint,
		  'also when it is null');
SELECT is((SELECT count(*) FROM resonate.receive('poll://any@many', 1000)), 1000::bigint,
		  'the largest is 1000');
SELECT is((SELECT count(DISTINCT m.promise_id) FROM resonate.receive('poll://any@many', 1000) AS m),
		  300::bigint, 'the rest');
SELECT is((SELECT count(*) FROM resonate.messages WHERE address = 'poll://any@many' AND attempt = 1),
		  1500::bigint, 'each was received once');

SELECT is_empty('SELECT * FROM resonate.check_invariants()', 'invariants hold');
SELECT finish();
ROLLBACK;
