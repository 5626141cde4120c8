-- Delivery: the functions that the SDKs call beside resonate_rpc (section 5.3 of
-- the specification), and when a task or message is offered again.
\ir rpc.psql


SELECT no_plan();

-- As executes(), in the order in which they come.
CREATE FUNCTION executes_in_order(now_ms bigint, address text DEFAULT 'poll://any@g', count integer DEFAULT 100)
RETURNS text LANGUAGE plpgsql AS
$$
BEGIN
	PERFORM clock(now_ms);
	RETURN (SELECT coalesce(string_agg(format('%s v%s', task_id, version), ', ' ORDER BY n), 'none')
			FROM resonate.dequeue_execute(address, count) WITH ORDINALITY AS e (task_id, version, n));
END
$$;
CREATE FUNCTION begin_anew() RETURNS text LANGUAGE sql AS
$$
	SELECT is(ask(100, 'debug.reset', '{}'), '200 {}', 'begin anew')
$$;

--
-- The functions as the SDK calls them.
--

SELECT is((SELECT string_agg(format('%s %s', p.oid::regprocedure, pg_get_function_result(p.oid)), '; ' ORDER BY proname)
		   FROM pg_proc p WHERE p.pronamespace = 'resonate'::regnamespace AND proname IN
		   ('resonate_rpc', 'outbox_channel', 'process_timeouts', 'dequeue_execute', 'dequeue_unblock')),
		  'resonate.dequeue_execute(text,integer) TABLE(task_id text, version integer); '
		  'resonate.dequeue_unblock(text,integer) TABLE(promise jsonb); resonate.outbox_channel(text) text; '
		  'resonate.process_timeouts() integer; resonate.resonate_rpc(jsonb) jsonb',
		  'names and types are those that the SDK expects, versions int4');
PREPARE rpc_sdk AS SELECT resonate.resonate_rpc($1::jsonb) AS res;
PREPARE channel_sdk AS SELECT resonate.outbox_channel($1) AS channel;
PREPARE execute_sdk AS SELECT task_id, version FROM resonate.dequeue_execute($1, $2);
PREPARE unblock_sdk AS SELECT promise FROM resonate.dequeue_unblock($1, $2);
SELECT is((SELECT string_agg(name || ' ' || parameter_types::text, ', ' ORDER BY name) FROM pg_prepared_statements
		   WHERE name LIKE '%_sdk'),
		  'channel_sdk {text}, execute_sdk {text,integer}, rpc_sdk {jsonb}, unblock_sdk {text,integer}',
		  'and so are those of the parameters');

--
-- outbox_channel
--

SELECT is(resonate.outbox_channel('poll://any@g'), 'resonate_q_' || md5('poll://any@g'), 'a channel for an address');
SELECT is((SELECT count(DISTINCT resonate.outbox_channel(a)) FROM unnest('{poll://any@g,poll://any@g/1,poll://uni@g/1,
			poll://any@G,g,http://h}'::text[]) AS a), 6::bigint, 'each address has its own');
SELECT cmp_ok(length(resonate.outbox_channel(repeat('x', 1024))), '<', 64, 'that fits a name, whatever the address');
SELECT throws_ok('SELECT resonate.outbox_channel(NULL)', '22004', NULL, 'no address has none');
SELECT throws_ok($$SELECT resonate.outbox_channel('')$$, '22023', NULL, 'nor has an empty one');

--
-- dequeue_execute
--

SELECT throws_ok('SELECT * FROM resonate.dequeue_execute(NULL, 1)', '22004', NULL, 'dequeue_execute needs an address');
SELECT throws_ok(format('SELECT * FROM resonate.dequeue_execute(%L, %s)', 'poll://any@g', n), '22023', NULL,
				 'a limit of ' || n) FROM unnest('{0, -1, 10001}'::integer[]) AS n;

SELECT is(p_create(300, 'c', 900000, :'T'), '200 pending', 'a task');
SELECT is(p_create(200, 'a', 900000, :'T'), '200 pending', 'an earlier one');
SELECT is(p_create(400, 'b', 900000, :'T'), '200 pending', 'a later one');
SELECT is(executes(299), 'a v0', 'a task is offered from the instant of its birth');
SELECT is(executes_in_order(400), 'c v0, b v0', 'the longest waiting comes first');
SELECT is(executes(400), 'none', 'what was offered is not offered at once');
SELECT is(executes(5298), 'none', 'nor before the retry timeout');
SELECT is(executes(5299), 'a v0', 'but after it, again');
SELECT is(executes(5400), 'b v0, c v0', 'each after its own');
SELECT is(executes(10298) || ', ' || executes(10299), 'none, a v0', 'and again and again');
SELECT is((SELECT count(*) FROM resonate.tasks), 3::bigint, 'there is one row for each');
SET LOCAL resonate.retry_timeout = '1 s';
SELECT is(executes(10400), 'b v0, c v0', 'an offer');
SELECT is(executes(11399) || '; ' || executes(11400), 'none; b v0, c v0', 'resonate.retry_timeout says when the next one is');
RESET resonate.retry_timeout;

SELECT begin_anew();
SELECT is(p_create(100, id, 900000, jsonb_build_object('resonate:target', target)), '200 pending', 'a task for ' || target)
FROM (VALUES ('1', 'poll://any@g'), ('2', 'poll://any@g/p'), ('3', 'poll://any@G'), ('4', 'poll://uni@g/p'), ('5', 'w1'),
	  ('6', 'poll://any@'), ('7', 'http://h/p'), ('8', 'poll://any@g/')) AS v (id, target);
SELECT is(executes(100, address), wanted, 'asked for ' || address)
FROM (VALUES ('poll://any@', '6 v0'), ('poll://any@g', '1 v0'), ('poll://any@G', '3 v0'), ('poll://any@g/p', '2 v0'),
	  ('poll://uni@g', 'none'), ('poll://%', 'none'), ('w1', '5 v0'), ('W1', 'none'), ('http://h/p', '7 v0')) AS v (address, wanted);

SELECT begin_anew();
SELECT is(p_create(100 + n, 'n' || to_char(n, 'FM000'), 900000, :'T'), '200 pending', 'a task') FROM generate_series(1, 103) AS n;
SELECT is(executes_in_order(300, count => 2), 'n001 v0, n002 v0', 'a limit of two');
SELECT is((SELECT count(*) FROM resonate.dequeue_execute('poll://any@g')), 100::bigint, 'the limit is 100 unless given');
SELECT is(executes_in_order(300, count => 100), 'n103 v0', 'the rest');

-- What it carries is always the version to acquire; what is over is not offered.
SELECT begin_anew();
SELECT is(p_create(100, 't', 9000, :'T'), '200 pending', 'a task');
SELECT is(executes(100), 't v0', 'is offered');
SELECT is(t_acquire(150, 't', ttl => 1000), '200 task acquired v1 by p for 1000, promise pending, preload []', 'is acquired');
SELECT is(executes(5150), 'none', 'is not offered');
SELECT is(t_release(5200, 't'), '200 {}', 'is released');
SELECT is(executes(5200), 't v1', 'is offered in its new version');
SELECT is(t_acquire(5200, 't', 0), '409', 'which is not the one before');
SELECT is(t_acquire(5300, 't', 1, ttl => 1000), '200 task acquired v2 by p for 1000, promise pending, preload []', 'but that one');
SELECT is(sweep(6300) || ' ' || t_get(6300, 't'), '200 [] 200 pending v2', 'its lease ends');
SELECT is(t_acquire(6300, 't', 2), '200 task acquired v3 by p for 60000, promise pending, preload []',
		  'it can be acquired before it is offered');
SELECT is(t_halt(6400, 't') || ' ' || executes(6400), '200 {} none', 'what is halted is not offered');
SELECT is(t_continue(6500, 't') || ' ' || executes(6500), '200 {} t v3', 'what is continued is, at once');
SELECT is(executes(8999) || ' ' || executes(9000) || ' ' || executes(99999), 'none none none', 'what is past its deadline is not');
SELECT is(p_create(100, 'u', 900000, :'T'), '200 pending', 'a task');
SELECT is(p_settle(200, 'u') || ' ' || executes(200), '200 resolved at 200 none', 'what is settled is not offered');

--
-- Setbacks: a task that comes back again and again without progress waits longer
-- each time.
--

CREATE FUNCTION set_back(now_ms bigint, id text, version integer) RETURNS bigint LANGUAGE plpgsql AS
$$
BEGIN
	PERFORM t_acquire(now_ms, id, version);
	PERFORM t_release(now_ms, id, version + 1);
	RETURN stored_clock(id) - now_ms;
END
$$;
SELECT begin_anew();
SELECT is(p_create(100, 't', 90000000, :'T'), '200 pending', 'a task');
SELECT is(set_back(1000, 't', 0), 0::bigint, 'released once it is offered at once');
SELECT is(executes(1000), 't v1', 'as the protocol has it');
SELECT is(set_back(2000, 't', 1), 5000::bigint, 'released twice it waits for the retry timeout');
SELECT is(executes(6999) || ' ' || executes(7000), 'none t v2', 'and no longer');
SELECT is(set_back(10000, 't', 2) BETWEEN 8000 AND 10000, true, 'then for twice that, less a fifth');
SELECT is(set_back(20000, 't', 3) BETWEEN 16000 AND 20000, true, 'then for twice that');
SELECT is(set_back(30000, 't', 4) BETWEEN 32000 AND 40000, true, 'and so on');
SELECT is(t_acquire(30001, 't', 5, ttl => 1000), '200 task acquired v6 by p for 1000, promise pending, preload []',
		  'who knows its version need not wait');
SELECT is(sweep(31001) || ' ' || (stored_clock('t') - 31001 BETWEEN 64000 AND 80000), '200 [] true',
		  'the end of a lease is a setback, too');
SELECT is(set_back(100000 + n, 't', 5 + n) BETWEEN 128000 AND 300000, true, 'there is a limit') FROM generate_series(1, 5) AS n;
SELECT is(stored_clock('t') - 100005 BETWEEN 240000 AND 300000, true, 'which is resonate.retry_timeout_max, less a fifth');
SELECT is(p_create(100005, 'x', 90000000, :'E'), '200 pending', 'a promise');
SELECT is(t_acquire(200000, 't', 11) || ' ' || t_suspend(200000, 't', '{x}', 12) || ' ' || p_settle(200000, 'x'),
		  '200 task acquired v12 by p for 60000, promise pending, preload [] 200 {} 200 resolved at 200000', 'a task that waits');
SELECT is(executes(200000), 't v12', 'is offered at once when it is woken');
SELECT is(set_back(300000, 't', 12), 0::bigint, 'and begins anew');
SELECT is(set_back(300000, 't', 13), 5000::bigint, 'to count');
SELECT is(t_halt(300000, 't') || ' ' || t_continue(300000, 't') || ' ' || executes(300000), '200 {} 200 {} t v14',
		  'so it is with one that is continued');
SELECT is(set_back(400000, 't', 14), 0::bigint, 'it begins anew, too');
SET LOCAL resonate.retry_backoff = 1;
SELECT is(set_back(500000, 't', 15), 5000::bigint, 'with a resonate.retry_backoff of 1');
SELECT is(set_back(500000, 't', 16) BETWEEN 4000 AND 5000, true, 'the wait does not grow');
RESET resonate.retry_backoff;

--
-- dequeue_unblock
--

SELECT throws_ok('SELECT * FROM resonate.dequeue_unblock(NULL, 1)', '22004', NULL, 'dequeue_unblock needs an address');
SELECT throws_ok(format('SELECT * FROM resonate.dequeue_unblock(%L, %s)', 'poll://any@g', n), '22023', NULL,
				 'a limit of ' || n) FROM unnest('{0, -1, 10001}'::integer[]) AS n;

SELECT begin_anew();
SELECT is(p_create(100, id, 900000, :'E'), '200 pending', 'a promise') FROM unnest('{a, b, c}'::text[]) AS id;
SELECT is(p_listener(100, id), '200 pending', 'with a listener') FROM unnest('{a, b, c}'::text[]) AS id;
SELECT is(p_listener(100, 'a', 'poll://uni@g/q'), '200 pending', 'and another one');
SELECT is(unblocks(150), 'none', 'before a settlement there is nothing');
SELECT is(p_settle(200, 'a', 'rejected', 'v'), '200 rejected v at 200', 'a settles');
SELECT is((SELECT promise FROM resonate.dequeue_unblock('poll://uni@g/p', 100)),
		  '{"id": "a", "state": "rejected", "param": {}, "value": {"data": "v"}, "tags": {"resonate:external": "true"},
			"timeoutAt": 900000, "createdAt": 100, "settledAt": 200}', 'the listener gets the record');
SELECT is(unblocks(200, 'poll://uni@g/q'), 'a rejected v at 200', 'and so does the other one');
SELECT is(unblocks(200) || ', ' || unblocks(30199), 'none, none', 'it is hidden then');
SELECT is(unblocks(30200), 'a rejected v at 200', 'for resonate.visibility_timeout, and delivered a second time');
SELECT is(unblocks(30200) || ', ' || unblocks(60200) || ', ' || unblocks(9999999), 'none, none, none', 'and never again');
SELECT is((SELECT string_agg(address, ' ') FROM resonate.messages), 'poll://uni@g/q', 'it is gone; that of the other is not');
SELECT is(unblocks(40000, 'poll://uni@g/q') || ', ' || unblocks(80000, 'poll://uni@g/q'), 'a rejected v at 200, none',
		  'which has its own turn');

SELECT is(p_settle(50000, 'b'), '200 resolved at 50000', 'b settles');
SELECT is(unblocks(50000), 'b resolved at 50000', 'the listener gets it');
SELECT is(resonate.acknowledge('b', 'poll://uni@g/p'), 4040, 'a message to a listener is not one to a callback');
SELECT is(resonate.acknowledge('b', 'poll://uni@g/q', 'listener'), 4040, 'nor one to another listener');
SELECT is(result_for('rpc_worker', $$SELECT resonate.acknowledge('b', 'poll://uni@g/p', 'listener')$$), '2000',
		  'but can be acknowledged by a worker');
SELECT is(unblocks(90000), 'none', 'and is gone at once');
SELECT is(resonate.acknowledge('b', 'poll://uni@g/p', 'listener'), 4040, 'once');

SET LOCAL resonate.visibility_timeout = '1 s';
SELECT is(p_settle(60000, 'c'), '200 resolved at 60000', 'c settles');
SELECT is(unblocks(60000) || ', ' || unblocks(60999) || ', ' || unblocks(61000),
		  'c resolved at 60000, none, c resolved at 60000', 'with another resonate.visibility_timeout');
RESET resonate.visibility_timeout;
SELECT is(p_listener(62000, 'c'), '200 resolved at 60000', 'who registers afterwards has the answer');
SELECT is(unblocks(99999), 'none', 'and gets no message');
SELECT is((SELECT count(*) FROM resonate.messages), 0::bigint, 'nothing is left');

-- Order, limit, addresses, and what is not for listeners.
SELECT begin_anew();
SELECT is(p_create(100, 'n' || to_char(n, 'FM000'), 900000, :'E'), '200 pending', 'a promise') FROM generate_series(1, 103) AS n;
SELECT is(p_listener(100, 'n' || to_char(n, 'FM000')), '200 pending', 'with a listener') FROM generate_series(1, 103) AS n;
SELECT is(p_settle(304 - n, 'n' || to_char(n, 'FM000')), '200 resolved at ' || 304 - n, 'settled') FROM generate_series(1, 103) AS n;
SELECT is(unblocks(1000, count => 2), 'n102 resolved at 202, n103 resolved at 201', 'the oldest two come first');
SELECT is((SELECT count(*) FROM resonate.dequeue_unblock('poll://uni@g/p')), 100::bigint, 'the limit is 100 unless given');
SELECT is(unblocks(1000), 'n001 resolved at 303', 'the rest');
SELECT is(unblocks(1000, address), 'none', 'nothing is for ' || address)
FROM unnest('{poll://uni@g,poll://any@g/p,poll://uni@g/P,poll://uni@g/p/}'::text[]) AS address;
SELECT is((resonate.create_promise('typed', timeout_at => to_timestamp(900))).status, 2010, 'a promise');
SELECT is((resonate.create_callback('typed', 'cb', 'poll://uni@g/typed')).status, 2010, 'with a callback of the typed functions');
SELECT is((resonate.resolve('typed')).status, 2010, 'settled');
SELECT is(unblocks(2000, 'poll://uni@g/typed'), 'none', 'its message is not one to a listener');
SELECT is((SELECT count(*) FROM resonate.receive('poll://uni@g/typed')), 1::bigint, 'receive() has it');

-- Whoever settles the promise, the listener is told, once.
SELECT begin_anew();
SELECT is(p_create(100, id, timeout_at, :'E'), '200 pending', 'a promise')
FROM (VALUES ('by settle', 900000), ('by fence', 900000), ('by sweep', 1000), ('by get', 1000), ('by create', 1000),
	  ('by late settle', 1000)) AS v (id, timeout_at);
SELECT is(t_create(100, id, 900000, ttl => 800000), '200 task acquired v1 by p for 800000, promise pending, preload []', 'a task')
FROM unnest('{by fulfill, fence}'::text[]) AS id;
SELECT is(p_listener(100, id), '200 pending', 'with a listener: ' || id)
FROM unnest('{by settle,by fence,by sweep,by get,by create,by late settle,by fulfill}'::text[]) AS id;
SELECT is(p_settle(200, 'by settle') || ', ' || t_fulfill(200, 'by fulfill') || ', ' ||
		  t_fence(200, 'fence', 'promise.settle', settlement('by fence', 'resolved', NULL)),
		  '200 resolved at 200, 200 resolved at 200, 200 {200 resolved at 200} preload []', 'three are settled');
SELECT is(p_get(1000, 'by get') || ', ' || p_create(1000, 'by create', 2000) || ', ' || p_settle(1000, 'by late settle'),
		  '200 rejected_timedout at 1000, 200 rejected_timedout at 1000, 200 rejected_timedout at 1000', 'three are looked at');
SELECT is(sweep(1000), '200 []', 'and one is swept');
SELECT is(unblocks(1000), 'by create rejected_timedout at 1000, by fence resolved at 200, by fulfill resolved at 200, '
		  'by get rejected_timedout at 1000, by late settle rejected_timedout at 1000, by settle resolved at 200, '
		  'by sweep rejected_timedout at 1000', 'their listener is told of all');
SELECT is(p_settle(1001, 'by get') || ', ' || sweep(1001) || ', ' || unblocks(1001), '200 rejected_timedout at 1000, 200 [], none',
		  'once');

-- A message goes with its promise, delivered or not.
SELECT begin_anew();
SELECT is(p_create(100, id, 900000, :'E') || ' ' || p_listener(100, id) || ' ' || p_settle(at, id),
		  '200 pending 200 pending 200 resolved at ' || at, 'a promise with a message')
FROM (VALUES ('old', 200), ('young', 300)) AS v (id, at);
SELECT is(resonate.prune(to_timestamp(0.250)), 1, 'is pruned when it is old enough');
SELECT is(unblocks(300), 'young resolved at 300', 'without leaving a message');
SELECT is(resonate.prune('infinity'), 1, 'as when it was delivered once');
SELECT is(unblocks(40000), 'none', 'which does not come again then');

--
-- process_timeouts
--

SELECT begin_anew();
SELECT clock(100);
SELECT is(resonate.process_timeouts(), 0, 'nothing is due');
SELECT is(p_create(100, 'e' || n, 1000, :'E'), '200 pending', 'a promise') FROM generate_series(1, 3) AS n;
SELECT is(p_create(100, 'i', 1000), '200 pending', 'an internal one');
SELECT is(t_create(100, 'l', 900000, ttl => 900), '200 task acquired v1 by p for 900, promise pending, preload []', 'a lease');
SELECT is(s_create(0, 's', timeout_ms => 100000), '200 s next 60000', 'a schedule');
SELECT clock(999);
SELECT is(resonate.process_timeouts(), 0, 'a millisecond too early nothing is done');
SELECT clock(1000);
SELECT is(resonate.process_timeouts(), 4, 'three promises and a lease');
SELECT is((SELECT string_agg(stored_promise(id), ', ' ORDER BY id) FROM unnest('{e1, e2, e3, i}'::text[]) AS id),
		  'rejected_timedout at 1000, rejected_timedout at 1000, rejected_timedout at 1000, pending', 'are done');
SELECT is(executes(1000), 'l v1', 'who lost the lease is offered');
SELECT is(resonate.process_timeouts(), 0, 'once');
SELECT clock(120000);
SELECT is(resonate.process_timeouts(), 2, 'two occurrences of a schedule');
SELECT is(executes(120000, 'poll://any@g'), 'l v1, s.120000 v0, s.60000 v0', 'are offered');
SELECT clock(160000);
SELECT is(resonate.process_timeouts(), 1, 'one of them times out');
SELECT is(p_get(160000, 's.60000'), '200 rejected_timedout at 160000', 'at its deadline');

--
-- Only who gives a task back waits for it; a session speaks for the process that it has
-- named last.
--

SELECT begin_anew();
SELECT is(p_create(100, 't', 90000000, :'T'), '200 pending', 'a task');
SELECT is(set_back(1000, 't', 0) || ' ' || set_back(1000, 't', 1), '0 5000', 'is given back twice');
SELECT is(executes(1000), 'none', 'it is not offered to who gave it back');
SELECT is(executes(1000, 'poll://uni@g/q') || ', ' || executes(1000), 'none, t v2', 'but to another at once');
SELECT is(executes(1000) || ', ' || executes(5999), 'none, none', 'once');
SELECT is(executes(6000), 't v2', 'and after the retry timeout, as all offers are');
SELECT is(t_acquire(6000, 't', 2, 'q') || ' ' || t_release(6000, 't', 3),
		  '200 task acquired v3 by q for 60000, promise pending, preload [] 200 {}', 'that gives it back, too');
SELECT is((SELECT given_back_by::text FROM resonate.tasks), '{p,q}', 'both are known');
SELECT is(t_heartbeat(6000, '[]', 'p') || ' ' || executes(6200), '200 {} none', 'the first one is not offered it again');
SELECT is(t_heartbeat(6000, '[]', 'r') || ' ' || executes(6099) || ' ' || executes(6100), '200 {} none t v3',
		  'a third one is, not quite at once');
SELECT is(t_acquire(6100, 't', 3, 'r', 1000) || ' ' || sweep(7100),
		  '200 task acquired v4 by r for 1000, promise pending, preload [] 200 []', 'and loses its lease');
SELECT is(executes(7400) || ', ' || executes(7400, 'poll://any@g/s') || ', ' || executes(7400), 'none, none, t v4',
		  'which is the same');
SELECT is(p_create(7400, 'x', 90000000, :'E'), '200 pending', 'a promise');
SELECT is(t_acquire(7400, 't', 4, 's') || ' ' || t_suspend(7400, 't', '{x}', 5),
		  '200 task acquired v5 by s for 60000, promise pending, preload [] 200 {}', 'who gets further');
SELECT is((SELECT ROW(setbacks, given_back_by, others_at)::text FROM resonate.tasks), '(0,,)', 'has all forgotten');
SELECT is(p_create(8000, 'many', 90000000, :'T'), '200 pending', 'a task that nobody can run');
DO $$ BEGIN
	FOR n IN 0 .. 39 LOOP
		PERFORM t_acquire(8000, 'many', n, 'pid ' || n);
		PERFORM t_release(8000, 'many', n + 1);
	END LOOP;
END $$;
SELECT is((SELECT ROW(setbacks, cardinality(given_back_by), given_back_by[16], others_at = clock_at)::text
		   FROM resonate.tasks WHERE id = 'many'), '(40,16,"pid 39",t)',
		  'a task that forty processes give back is withheld from the last of them, and waits for all');
SET LOCAL resonate.profile = strict;
SELECT is(set_back(9000, 'many', 40), 0::bigint, 'to the letter nobody waits');
RESET resonate.profile;
SET LOCAL resonate.profile = sdk;

--
-- A task that is for one process of a group is offered to the group as well if that
-- process has not taken it.
--

SELECT begin_anew();
SELECT is(p_create(100, 'x', 900000, '{"resonate:target": "poll://any@g/w"}'), '200 pending', 'a task for one of a group');
SELECT is(p_create(100, 'u', 900000, '{"resonate:target": "poll://uni@g/w"}'), '200 pending', 'and one for only it');
SELECT is((SELECT ROW(step, processed)::text FROM resonate.worker_step(to_timestamp(0.1))), '(dispatch,2)', 'both are told');
SELECT is((resonate.worker_step(to_timestamp(5))).step, 'idle', 'and nobody else');
SELECT is(executes(5099), 'none', 'at first the group gets nothing');
SELECT is((SELECT ROW(step, processed)::text FROM resonate.worker_step(to_timestamp(5.1))), '(dispatch,1)',
		  'after the retry timeout it is told');
SELECT is(executes(5100), 'x v0', 'and gets the task');
SELECT is(executes(5100) || ', ' || executes(10099) || ', ' || executes(10099, 'poll://any@g/w'), 'none, none, none', 'once');
SELECT is(executes(10100, 'poll://any@g/w'), 'x v0', 'the process that it is for still may');
SELECT is(executes(10100), 'x v0', 'and so may the group, at its own time');
SELECT is(p_create(20000, 'y', 900000, '{"resonate:target": "poll://any@g/w"}'), '200 pending', 'another task');
SELECT is(executes(20000, 'poll://any@g/w') LIKE '%y v0', true, 'is offered to the process');
SELECT is(executes(24999) LIKE '%y%' OR executes(24999, 'poll://any@h') <> 'none', false, 'and to nobody else');
SELECT is(executes(25000), 'y v0', 'until it has had the time to take it');
SELECT is(t_acquire(25000, 'y', 0, 'v') || ' ' || t_fulfill(25000, 'y'),
		  '200 task acquired v1 by v for 60000, promise pending, preload [] 200 resolved at 25000', 'it runs anywhere');
SELECT is(executes(60000, 'poll://uni@g/w'), 'u v0', 'who alone can have a task keeps it');

-- Nor does it wait until the group has nothing else to do.
SELECT begin_anew();
SELECT is(p_create(100, 'x', 900000, '{"resonate:target": "poll://any@g/w"}'), '200 pending', 'a task for one of a group');
SELECT is(p_create(100 + n, 'n' || n, 900000, '{"resonate:target": "poll://any@g"}'), '200 pending', 'and one for all of it')
FROM generate_series(1, 9) AS n;
SELECT is(executes_in_order(6000, count => 8), 'n1 v0, n2 v0, n3 v0, n4 v0, n5 v0, n6 v0, n7 v0, x v0',
		  'an eighth of what is asked for is left to such');
SELECT is(executes_in_order(6000, count => 8), 'n8 v0, n9 v0', 'and taken by the others where there are none');

--
-- The worker tells each address that there is something to dequeue, once; it offers
-- tasks to notify:// targets itself.
--

SELECT begin_anew();
SELECT is((resonate.worker_step(to_timestamp(0.1))).step, 'idle', 'nobody is told of nothing');
SELECT is(p_create(100, 'a', 900000, :'T'), '200 pending', 'a task');
SELECT is(p_create(100, 'later', 900000, '{"resonate:target": "poll://any@g", "resonate:delay": "5000"}'), '200 pending',
		  'and a delayed one');
SELECT is((SELECT ROW(step, processed)::text FROM resonate.worker_step(to_timestamp(0.1))), '(dispatch,1)',
		  'their target is told');
SELECT is((resonate.worker_step(to_timestamp(0.1))).step, 'idle', 'once');
SELECT is(executes(100), 'a v0', 'the task is there all the same');
SELECT is((SELECT ROW(step, processed)::text FROM resonate.worker_step(to_timestamp(5))), '(dispatch,1)',
		  'when the delay is over, it is told again');
SELECT is(p_create(5000, 'n', 900000, '{"resonate:target": "notify://channel"}'), '200 pending', 'a task with a channel');
SELECT is((SELECT ROW(step, processed)::text FROM resonate.worker_step(to_timestamp(5))), '(dispatch,1)',
		  'is offered by the worker');
SELECT is(stored_clock('n'), 10000::bigint, 'and will be again');
SELECT is(executes(5000, 'notify://channel'), 'none', 'so nobody else can dequeue it now');

SELECT clock(99999999);
SELECT is_empty('SELECT * FROM resonate.check_invariants()', 'invariants hold');

SELECT finish();
ROLLBACK;
