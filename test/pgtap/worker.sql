-- The steps of the worker, run by hand: timeout, deliver, reconcile, prune (those
-- on tasks and schedules have tests of their own); and
-- what resonate.stats says of them.
\ir helpers.psql

SELECT no_plan();

CREATE FUNCTION step(count integer DEFAULT NULL) RETURNS text LANGUAGE sql AS
$$
	SELECT brief(r) FROM resonate.worker_step("limit" => count) AS r
$$;
CREATE FUNCTION retention_ms() RETURNS bigint LANGUAGE sql AS
$$
	SELECT setting::bigint * 1000 FROM pg_settings WHERE name = 'resonate.retention'
$$;
CREATE FUNCTION kept() RETURNS text LANGUAGE sql AS
$$
	SELECT coalesce(string_agg(id, ' ' ORDER BY id), 'none') FROM resonate.promises
$$;

SELECT is(step(), 'idle 0', 'there is nothing to do');

--
-- timeout
--

SELECT is((resonate.create_promise(id, due, tags => tags)).status, 2010, 'a promise')
FROM (VALUES ('a', interval '3 s', NULL::jsonb), ('b', '1 s', NULL), ('c', '2 s', NULL),
	  ('timer', '2500 ms', '{"resonate:timer": "true"}'),
	  ('internal', '500 ms', '{"resonate:external": "false"}'),
	  ('for ever', NULL, NULL)) AS v (id, due, tags) WHERE id <> 'for ever';
SELECT is((resonate.create_promise('for ever', timeout_at => 'infinity')).status, 2010, 'for ever');
SELECT is((resonate.create_callback('b', 'c', 'poll://any@g')).status, 2010, 'a callback');
SELECT is((resonate.create_callback('c', 'c', 'poll://any@g')).status, 2010, 'another');

SELECT is(step(), 'idle 0 next 1000', 'the next deadline is known; internal ones are not armed');
SELECT at(999);
SELECT is(step(), 'idle 0 next 1000', 'a millisecond too early');
SELECT at(1000);
SELECT is(step(), 'timeout 1 next 2000', 'in time');
SELECT is(stored('b'), 'rejected_timedout at 1000', 'the promise is settled');
SELECT is(step(), 'dispatch 1 next 2000', 'whoever can dequeue is told');
SELECT is(step(), 'idle 0 next 2000', 'once');
SELECT at(10000);
SELECT is(step(2), 'timeout 2 next 3000', 'late: the earliest first, as many as limit says');
SELECT is(stored('c') || ', ' || stored('timer') || ', ' || stored('a'),
		  'rejected_timedout at 2000, resolved at 2500, pending',
		  'they are settled at their deadlines, not now');
SELECT is((SELECT string_agg(format('%s due %s', promise_id, due_at - 4000000000000), ', '
							 ORDER BY promise_id) FROM resonate.messages),
		  'b due 1000, c due 10000', 'their messages are due now');
SELECT is(step(2), 'timeout 1', 'the rest');
SELECT is(step(2), 'dispatch 1', 'who can dequeue one more is told');
SELECT is(step(2), 'idle 0', 'and nothing is left that would come due');
SELECT is(stored('internal'), 'pending', 'an internal promise is left alone');
SELECT is(stored('for ever'), 'pending', 'and one without a deadline');

-- An instant given in the call counts, the clock of the session does not.
SELECT at(0);
SELECT is((resonate.create_promise('given', '1 min')).status, 2010, 'a promise');
SELECT is(brief(resonate.worker_step(ts(59999))), 'idle 0 next 60000', 'a step a moment before');
SELECT is(brief(resonate.worker_step(ts(60000))), 'timeout 1', 'a step at the deadline');

DELETE FROM resonate.messages;
DELETE FROM resonate.promises;

-- Many at one instant, in one transaction.
SELECT is(count(*), 20000::bigint, 'twenty thousand promises')
FROM resonate.create_promises((SELECT jsonb_agg(jsonb_build_object('id', 'many ' || n, 'timeout', 1000))
							   FROM generate_series(1, 20000) AS n));
SELECT at(1000);
SELECT is(step(), format('timeout %s next 1000', current_setting('resonate.sweep_batch_size')),
		  'a step without a limit takes a batch');
SELECT is(step(100000), format('timeout %s',
							   20000 - current_setting('resonate.sweep_batch_size')::integer),
		  'a step may take many');
SELECT is((SELECT count(*) FROM resonate.promises
		   WHERE state = 'rejected_timedout' AND settled_at = timeout_at), 20000::bigint,
		  'all are settled');
DELETE FROM resonate.promises;

--
-- deliver
--

SELECT at(0);
SELECT is((resonate.create_promise('d' || n, '1 min')).status, 2010, 'a promise')
FROM generate_series(1, 5) AS n;
SELECT is((resonate.create_callback('d' || n, 'c', CASE WHEN n < 5 THEN 'notify://chan'
									ELSE 'poll://any@g' END)).status, 2010, 'a callback')
FROM generate_series(1, 5) AS n;
SELECT at(10);
SELECT is((resonate.resolve('d' || n)).status, 2010, 'resolve') FROM generate_series(1, 5) AS n;
SELECT is(brief(resonate.worker_step(ts(9))), 'idle 0 next 10', 'no message is due before it is written');
SELECT is(step(3), 'dispatch 1 next 10', 'who can dequeue is told');
SELECT is(step(3), 'deliver 3 next 10', 'notifications are sent, as many as limit says');
SELECT is(step(3), 'deliver 1', 'the rest; other addresses keep nobody awake');
SELECT is(step(3), 'idle 0', 'once');
SELECT is((SELECT string_agg(promise_id, ' ') FROM resonate.messages), 'd5',
		  'a notification that was sent is gone, other messages stay');

-- A deadline comes before a message.
SELECT is((resonate.create_promise('both', '1 s')).status, 2010, 'a promise');
SELECT is((resonate.create_promise_and_callback('told', 'c', 'notify://chan', '1 min')).status,
		  2010, 'a listener');
SELECT is((resonate.resolve('told')).status, 2010, 'a message');
SELECT at(1010);
SELECT is(step(), 'timeout 1 next 10', 'deadlines first');
SELECT is(step(), 'deliver 1', 'then messages');

-- The largest message that there can be is sent.
SELECT is((resonate.create_promise_and_callback(repeat(U&'\0001', 1024), repeat(U&'\0001', 255),
			'notify://' || repeat('c', 63), '1 min')).status, 2010, 'ids that need escapes');
SELECT is((resonate.resolve(repeat(U&'\0001', 1024), to_jsonb(repeat('v', 10000)))).status, 2010,
		  'and a large value');
SELECT is(step(), 'deliver 1', 'fit into a notification');
SELECT is((SELECT string_agg(promise_id, ' ') FROM resonate.messages), 'd5', 'they are sent');

-- One that cannot be sent does not stop the others, and is tried again later.
SELECT at(2000);
SELECT is((resonate.create_promise_and_callback('bad' || n, 'c', 'notify://chan', '1 min')).status,
		  2010, 'a listener') FROM generate_series(1, 3) AS n;
SELECT is((resonate.resolve('bad' || n)).status, 2010, 'resolve') FROM generate_series(1, 3) AS n;
ALTER TABLE resonate.promises DISABLE TRIGGER resonate_guard_follow;
DELETE FROM resonate.promises WHERE id = 'bad2';
ALTER TABLE resonate.promises ENABLE ALWAYS TRIGGER resonate_guard_follow;
SET LOCAL client_min_messages = error;
SELECT is(step(), format('deliver 3 next %s', 2000 +
		  (SELECT setting::bigint FROM pg_settings WHERE name = 'resonate.retry_interval')),
		  'three are tried');
SELECT is((SELECT string_agg(format('%s #%s', promise_id, attempt), ' ') FROM resonate.messages
		   WHERE address = 'notify://chan'), 'bad2 #1', 'the one without a promise is set aside');
SELECT is(step(), format('idle 0 next %s', 2000 +
		  (SELECT setting::bigint FROM pg_settings WHERE name = 'resonate.retry_interval')),
		  'for a while');
SELECT at(2000 + (SELECT setting::bigint FROM pg_settings WHERE name = 'resonate.retry_interval'));
SELECT is((resonate.worker_step()).step, 'deliver', 'and tried again');
SELECT is((SELECT string_agg(format('%s #%s', promise_id, attempt), ' ') FROM resonate.messages
		   WHERE address = 'notify://chan'), 'bad2 #2', 'again and again');
SET LOCAL client_min_messages = warning;
DELETE FROM resonate.messages;
DELETE FROM resonate.promises;

--
-- reconcile: who settles a promise behind our back leaves its callbacks.
--

SELECT at(0);
SELECT is((resonate.create_promise_and_callback('r' || n, 'c', 'poll://any@g', '1 min')).status,
		  2010, 'a promise') FROM generate_series(1, 4) AS n;
ALTER TABLE resonate.promises DISABLE TRIGGER resonate_guard_follow;
UPDATE resonate.promises SET state = 'resolved', settled_at = created_at WHERE id <> 'r4';
ALTER TABLE resonate.promises ENABLE ALWAYS TRIGGER resonate_guard_follow;
SELECT at(10);
SELECT is(resonate.prune('infinity'), 0, 'nothing is pruned that has callbacks to fire');
SELECT is(step(2), 'reconcile 2 next 60000', 'callbacks of settled promises are fired');
SELECT is(step(2), 'dispatch 1 next 60000', 'whoever can dequeue is told');
SELECT is(step(2), 'reconcile 1 next 60000', 'all of them');
SELECT is(step(2), 'idle 0 next 60000', 'once');
SELECT is((SELECT string_agg(promise_id, ' ' ORDER BY promise_id) FROM resonate.messages),
		  'r1 r2 r3', 'their messages are there');
SELECT is((SELECT string_agg(promise_id, ' ') FROM resonate.callbacks), 'r4',
		  'the callback of a pending promise stays');
DELETE FROM resonate.messages;
DELETE FROM resonate.callbacks;
DELETE FROM resonate.promises;

--
-- prune, by the function
--

SELECT at(0);
SELECT is((resonate.create_promise(id, '1 min', tags => tags)).status, 2010, 'a promise')
FROM (VALUES ('pending', NULL::jsonb), ('resolved', NULL), ('rejected', NULL), ('canceled', NULL),
	  ('root', NULL), ('child', '{"resonate:origin": "root"}'::jsonb),
	  ('own root', '{"resonate:origin": "own root"}'),
	  ('orphan', '{"resonate:origin": "nobody"}'), ('undelivered', NULL), ('unheard', NULL))
AS v (id, tags);
SELECT is((resonate.create_callback('undelivered', 'c', 'poll://any@g')).status, 2010, 'a callback');
SELECT is((resonate.create_callback('unheard', 'c', 'notify://chan')).status, 2010, 'a callback');
SELECT at(100);
SELECT is((resonate.resolve(id)).status, 2010, 'resolve')
FROM unnest('{resolved, child, own root, orphan, undelivered, unheard}'::text[]) AS id;
SELECT is((resonate.reject('rejected')).status, 2010, 'reject');
SELECT is((resonate.cancel('canceled')).status, 2010, 'cancel');
SELECT is((resonate.create_promise('timed out', timeout_at => ts(100))).status, 2010,
		  'and one that is born settled');

SELECT is(resonate.prune(ts(99)), 0, 'nothing was settled before that');
SELECT is(resonate.prune('-infinity'), 0, 'nor before the beginning of time');
SELECT is(resonate.prune(ts(101), 2), 2, 'two are deleted if limit says so');
SELECT is(resonate.prune(ts(101)), 5, 'the rest');
SELECT is(kept(), 'child pending root unheard',
		  'pending ones stay, those of a pending root, and those with a notification to send');
SELECT is(resonate.prune(ts(101)), 0, 'however often');
SELECT is(resonate.acknowledge('undelivered', 'c'), 4040, 'another message has gone with its promise,');
SELECT is((resonate.worker_step()).step, 'deliver', 'that one is delivered,');
SELECT is((resonate.resolve('root')).status, 2010, 'the root settled:');
SELECT is(resonate.prune('infinity'), 3, 'all can go');
SELECT is(kept(), 'pending', 'but one that is pending');
SELECT is((resonate.create_promise('resolved')).status, 2010, 'a deleted id is free');
DELETE FROM resonate.promises;

-- It is the settlement that ages, not the birth.
SELECT at(0);
SELECT is((resonate.create_promise('old', '1 min')).status, 2010, 'created early');
SELECT at(50);
SELECT is((resonate.create_promise('young', '1 min')).status, 2010, 'created later');
SELECT at(60);
SELECT is((resonate.resolve('young')).status, 2010, 'settled early');
SELECT at(1000);
SELECT is((resonate.resolve('old')).status, 2010, 'settled later');
SELECT is(resonate.prune(ts(500)), 1, 'one was settled before that');
SELECT is(kept(), 'old', 'the other stays');
DELETE FROM resonate.promises;

--
-- prune, by the worker
--

SELECT at(0);
SELECT is((resonate.create_promise('k' || n, '1 min')).status, 2010, 'a promise')
FROM generate_series(1, 3) AS n;
SELECT at(100);
SELECT is((resonate.resolve('k' || n)).status, 2010, 'resolve') FROM generate_series(1, 3) AS n;
SELECT at(retention_ms() + 99);
SELECT is(step(), 'idle 0', 'history is kept for as long as resonate.retention says');
SELECT at(retention_ms() + 100);
SELECT is(step(2), 'prune 2', 'then deleted, as much as limit says');
SELECT is(step(2), 'prune 1', 'the rest');
SELECT is(step(2), 'idle 0', 'and nothing is left');
SELECT is(kept(), 'none', 'of it');

--
-- dispatch: who was told is not told again because of others.
--

DELETE FROM resonate.messages;
DELETE FROM resonate.callbacks;
DELETE FROM resonate.promises;
SELECT at(100000);
SELECT is((resonate.create_promise('told ' || n, '1 h',
								   tags => jsonb_build_object('resonate:target', 'poll://any@' || n))).status,
		  2010, 'a task') FROM generate_series(1, 3) AS n;
SELECT is(step(), 'dispatch 3 next 3700000', 'three targets are told');
SELECT is(step(), 'idle 0 next 3700000', 'once');
SELECT is((resonate.create_promise('told 4', '1 h', tags => '{"resonate:target": "poll://any@4"}')).status,
		  2010, 'another task');
SELECT is(step(), 'dispatch 1 next 3700000', 'for which only its target is told');
SELECT at(100001);
SELECT is((resonate.create_promise('told 5', '1 h', tags => '{"resonate:target": "poll://any@1"}')).status,
		  2010, 'another task for one of them');
SELECT is(step(), 'dispatch 1 next 3700000', 'is told to that one');
DELETE FROM resonate.promises;

--
-- resonate.stats
--

SELECT at(0);
SELECT is((SELECT ROW(pending, resolved, rejected, rejected_canceled, rejected_timedout, due,
					  oldest_due_age, callbacks, undelivered_messages)::text FROM resonate.stats),
		  ROW(0, 0, 0, 0, 0, 0, NULL::interval, 0, 0)::text, 'nothing is counted in an empty database');
SELECT is((resonate.create_promise(id, due, tags => tags)).status, 2010, 'a promise')
FROM (VALUES ('p1', interval '1 h', NULL::jsonb), ('p2', '1 h', NULL), ('due1', '1 s', NULL),
	  ('due2', '2 s', NULL), ('internal', '1 s', '{"resonate:external": "false"}'::jsonb),
	  ('r1', '1 h', NULL), ('r2', '1 h', NULL), ('r3', '1 h', NULL), ('j1', '1 h', NULL),
	  ('j2', '1 h', NULL), ('c', '1 h', NULL), ('t', '0', NULL)) AS v (id, due, tags);
SELECT is((resonate.create_callback(id, 'c', address)).status, 2010, 'a callback')
FROM (VALUES ('p1', 'poll://any@g'), ('p2', 'notify://c'), ('r1', 'poll://any@g'),
	  ('r2', 'notify://c')) AS v (id, address);
SELECT is((resonate.resolve('r' || n)).status, 2010, 'resolve') FROM generate_series(1, 3) AS n;
SELECT is((resonate.reject('j' || n)).status, 2010, 'reject') FROM generate_series(1, 2) AS n;
SELECT is((resonate.cancel('c')).status, 2010, 'cancel');
SELECT at(2500);
SELECT is((SELECT ROW(pending, resolved, rejected, rejected_canceled, rejected_timedout, due,
					  oldest_due_age, callbacks, undelivered_messages)::text FROM resonate.stats),
		  ROW(5, 3, 2, 1, 1, 2, interval '1.5 s', 2, 2)::text,
		  'promises are counted by stored state; due ones are the armed ones');

-- The counters belong to the worker of the database, if there is one by now.
SELECT sweeps, promises_timed_out, deliveries, notifications_sent, delivery_failures, promises_pruned,
	rows_set_aside FROM resonate.stats \gset was_
SELECT is(step(), 'timeout 2 next 0', 'a sweep');
SELECT is(step(), 'dispatch 1 next 0', 'one can dequeue');
SELECT is(step(), 'deliver 1 next 3600000', 'a delivery');
SELECT at(retention_ms());
SELECT is(brief(resonate.worker_step(ts(retention_ms()), 1)), 'timeout 1 next 3600000', 'a sweep');
SELECT is(brief(resonate.worker_step(ts(retention_ms()), 1)),
		  'timeout 1 next ' || retention_ms(), 'another, whose message is due at once');
SELECT is(brief(resonate.worker_step(ts(retention_ms()), 2)),
		  'dispatch 1 next ' || retention_ms(), 'one can dequeue more');
SELECT is(brief(resonate.worker_step(ts(retention_ms()), 2)), 'deliver 1', 'a delivery');
SELECT is(brief(resonate.worker_step(ts(retention_ms()), 3)), 'expire 1', 'a message that nobody took');
SELECT is(brief(resonate.worker_step(ts(retention_ms()), 3)), 'prune 3', 'pruning');
SELECT is((SELECT ROW(sweeps, promises_timed_out, deliveries, notifications_sent, delivery_failures,
					  promises_pruned, rows_set_aside)::text FROM resonate.stats),
		  ROW(:was_sweeps, :was_promises_timed_out, :was_deliveries,
			  :was_notifications_sent, :was_delivery_failures, :was_promises_pruned,
			  :was_rows_set_aside)::text,
		  'the counters count what is committed, which this is not');

SELECT finish();
ROLLBACK;
