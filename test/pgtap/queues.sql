-- What operators see of tasks and of what waits: setbacks, offers, the next offer, the
-- end of a lease, and backlogs by address.
\ir helpers.psql

SELECT no_plan();

SELECT setting::bigint AS retry FROM pg_settings WHERE name = 'resonate.retry_timeout' \gset
CREATE FUNCTION make(id text, target text, timeout interval DEFAULT '1 d') RETURNS integer LANGUAGE sql AS
$$
	SELECT (resonate.create_promise(id, timeout, tags => jsonb_build_object('resonate:target', target))).status
$$;

-- What a task shows, by get_task and by search_tasks.
CREATE FUNCTION clocks(task text) RETURNS text LANGUAGE sql AS
$$
	SELECT concat_ws(' ', t.task_state, 'setbacks ' || t.setbacks, 'offers ' || t.offers,
					 'next offer ' || ms(t.next_offer_at), 'lease until ' || ms(t.lease_until))
	FROM resonate.get_task(task) AS t
$$;
CREATE FUNCTION found(task text) RETURNS text LANGUAGE sql AS
$$
	SELECT concat_ws(' ', t.state, 'setbacks ' || t.setbacks, 'offers ' || t.offers,
					 'next offer ' || ms(t.next_offer_at), 'lease until ' || ms(t.lease_until))
	FROM resonate.search_tasks() AS t WHERE t.id = task
$$;
CREATE FUNCTION shows(task text, clocks text, why text) RETURNS SETOF text LANGUAGE sql AS
$$
	SELECT is(clocks(task), clocks, why) UNION ALL
	SELECT is(found(task), clocks, why || ', in a search')
$$;

SELECT at(0);
SELECT is(make('a', 'poll://any@g'), 2010, 'a task');
SELECT shows('a', 'pending setbacks 0 offers 0 next offer 0', 'due at once');
SELECT is((SELECT address FROM resonate.search_tasks() WHERE id = 'a'), 'poll://any@g', 'its address');
SELECT is(count(*), 1::bigint, 'it is offered') FROM resonate.dequeue_execute('poll://any@g', 1);
SELECT shows('a', format('pending setbacks 0 offers 1 next offer %s', :retry), 'an offer that nobody has taken');
SELECT is((resonate.acquire_task('a', 0, 'me', '1 min')).lease_until, ts(60000), 'the lease ends after its ttl');
SELECT shows('a', 'acquired setbacks 0 lease until 60000', 'acquired');
SELECT at(1000);
SELECT is(resonate.heartbeat_tasks('me'), 1, 'a heartbeat');
SELECT shows('a', 'acquired setbacks 0 lease until 61000', 'longer');
SELECT is((resonate.release_task('a', 1)).setbacks, 1, 'given back');
SELECT shows('a', 'pending setbacks 1 offers 0 next offer 1000', 'offered at once');
SELECT is((resonate.acquire_task('a', 1, 'me', '1 min')).status, 2000, 'taken again');
SELECT is((resonate.release_task('a', 2)).setbacks, 2, 'and given back');
SELECT ok(next_offer_at BETWEEN ts(1000 + :retry * 8 / 10) AND ts(1000 + :retry), 'which is waited for')
FROM resonate.get_task('a');
SELECT is((resonate.halt_task('a')).status, 2000, 'halted');
SELECT is(clocks('a'), 'halted setbacks 2', 'nothing is going to happen');
SELECT is((resonate.resolve('a')).status, 2010, 'resolved');
SELECT shows('a', 'fulfilled setbacks 0', 'over');
SELECT is((SELECT address FROM resonate.search_tasks() WHERE id = 'a'), NULL, 'offered nowhere');
SELECT is((SELECT ROW(t.setbacks, t.offers, t.next_offer_at, t.lease_until)::text FROM resonate.get_task('none') AS t),
		  '(,,,)', 'no task');
SELECT is((resonate.create_promise('p')).status, 2010, 'a promise without one');
SELECT is((SELECT ROW(t.status, t.setbacks)::text FROM resonate.get_task('p') AS t), '(4040,)', 'no task either');
DELETE FROM resonate.promises;

--
-- Queues
--

CREATE FUNCTION queues(n integer DEFAULT NULL) RETURNS SETOF text LANGUAGE sql AS
$$
	SELECT concat_ws(' ', q.address, 'tasks ' || q.tasks_pending, 'due ' || q.tasks_due, 'for ' || q.oldest_due_age,
					 'offered ' || q.tasks_offered, 'messages ' || q.messages, 'for ' || q.oldest_message_age)
	FROM resonate.get_queues(n) AS q
$$;
SELECT is_empty('SELECT * FROM resonate.queues', 'nothing waits');

SELECT at(0);
SELECT is(make('slow/1', 'poll://any@slow'), 2010, 'a task');
SELECT at(1000);
SELECT is(make('slow/' || n, 'poll://any@slow'), 2010, 'a task') FROM generate_series(2, 5) AS n;
SELECT is((resonate.create_promise('later', '1 d', tags => jsonb_build_object('resonate:target', 'poll://any@slow',
		  'resonate:delay', '4000000100000'))).status, 2010, 'a task for later');
SELECT is(make('lapsing', 'poll://any@slow', '1 s'), 2010, 'a task whose promise times out');
SELECT is((resonate.acquire_task('slow/5', 0, 'me', '1 min')).status, 2000, 'one is acquired');
SELECT is(make('fast', 'poll://any@fast'), 2010, 'one elsewhere');
SELECT is(make('told', 'notify://chan'), 2010, 'one to a channel');
SELECT is(make('away', 'poll://any@away'), 2010, 'one for later only');
SELECT is((resonate.create_promise_and_callback('done', 'cb', 'poll://any@away')).status, 2010, 'a callback');
SELECT at(2000);
SELECT is(count(*), 1::bigint, 'that is offered') FROM resonate.dequeue_execute('poll://any@away', 1);
SELECT is((resonate.resolve('done')).status, 2010, 'its message');
SELECT at(4000);
SELECT results_eq('SELECT queues()', ARRAY[
	'poll://any@slow tasks 5 due 4 for 00:00:04 offered 0 messages 0',
	'notify://chan tasks 1 due 1 for 00:00:03 offered 0 messages 0',
	'poll://any@fast tasks 1 due 1 for 00:00:03 offered 0 messages 0',
	'poll://any@away tasks 1 due 0 offered 1 messages 1 for 00:00:02'], 'what waits longest comes first');
SELECT results_eq('SELECT queues(2)', ARRAY[
	'poll://any@slow tasks 5 due 4 for 00:00:04 offered 0 messages 0',
	'notify://chan tasks 1 due 1 for 00:00:03 offered 0 messages 0'], 'as many as are asked for');
SELECT is((SELECT count(*) FROM resonate.queues), 4::bigint, 'the view has them');
SELECT is(count(*), 1::bigint, 'the message is received') FROM resonate.receive('poll://any@away', 10);
SELECT ok(q.messages = 1 AND q.oldest_message_age = '2 s', 'and counts until it is acknowledged')
FROM resonate.queues AS q WHERE address = 'poll://any@away';
SELECT is(resonate.acknowledge('done', 'cb'), 2000, 'acknowledged');
SELECT is((SELECT messages FROM resonate.queues WHERE address = 'poll://any@away'), 0::bigint, 'gone');
SELECT throws_ok(format('SELECT resonate.get_queues(%s)', n), '22023', NULL, format('limit %s', n))
FROM unnest(ARRAY[0, -1, 100001]) AS n;

SELECT is_empty('SELECT * FROM resonate.check_invariants()', 'invariants hold');
SELECT finish();
ROLLBACK;
