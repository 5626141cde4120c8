-- Requests for tests: section 3.4 of the specification.
\ir rpc.psql


SELECT no_plan();

--
-- They are for tests only.
--

SELECT is(p_create(100, 'p', 1000, :'E'), '200 pending', 'a promise');
SET LOCAL resonate.debug = off;
SELECT is(ask(NULL, kind, data), '403', format('%s %s is forbidden', kind, data))
FROM unnest('{debug.start,debug.stop,debug.reset,debug.tick,debug.snap}'::text[]) AS kind,
	 unnest(ARRAY['{}', '{"time": 1000}', '{"time": "x"}']::jsonb[]) AS data;
SELECT is((SELECT string_agg(stored_promise(id), ', ') FROM resonate.promises), 'pending', 'and does nothing');
SELECT is(result_for('rpc_admin', $$SELECT resonate.resonate_rpc('{"kind": "debug.snap", "data": {},
			"head": {"corrId": "0", "version": "2026-04-01"}}') #>> '{head,status}'$$), '403', 'to an administrator, too');
SET LOCAL resonate.debug = on;
SELECT is(ask(100, 'debug.unknown', '{}'), '400', 'with resonate.debug, what there is not is malformed');

--
-- debug.start and debug.stop; whether the worker stops is tested elsewhere.
--

SELECT is(ask(100, 'debug.start', '{}'), '200 {}', 'debug.start');
SELECT is(ask(100, 'debug.start', '{}'), '200 {}', 'twice');
SELECT is(ask(100, 'debug.stop', '{}'), '200 {}', 'debug.stop');
SELECT is(ask(100, 'debug.stop', '{}'), '200 {}', 'twice');

--
-- debug.tick
--

SELECT is_refused(100, 'debug.tick', data, '400', 'malformed: ' || data::text)
FROM unnest(ARRAY['{}', '{"time": null}', '{"time": "1000"}', '{"time": 1.5}', '{"time": -1}', '{"time": []}']::jsonb[]) AS data;
SELECT is(ask(100, 'debug.tick', '{"time": 1000}', '{"resonate:debug_time": 999}'), '400',
		  'the time must be that of the request, if that has one');
SELECT is(stored_promise('p'), 'pending', 'nothing was done');
SELECT is(ask(100, 'debug.tick', '{"time": 999}', '{"resonate:debug_time": 999}'), '200 []', 'the same');
SELECT is(stored_promise('p'), 'pending', 'before the deadline nothing is done');
SELECT is(rpc(100, 'debug.tick', '{"time": 1000}') -> 'data', '[]', 'a tick has an empty array');
SELECT is(stored_promise('p'), 'rejected_timedout at 1000', 'at the deadline the promise is settled, whatever the clock says');

SELECT is(ask(100, 'debug.reset', '{}'), '200 {}', 'begin anew');
SELECT is(p_create(100, 'timer', 1000, :'TIMER'), '200 pending', 'a timer');
SELECT is(p_create(100, 'listened', 1500, :'E'), '200 pending', 'a promise');
SELECT is(p_listener(100, 'listened'), '200 pending', 'with a listener');
SELECT is(t_create(100, 'waits', 900000), '200 task acquired v1 by p for 60000, promise pending, preload []', 'a task');
SELECT is(t_suspend(100, 'waits', '{timer}'), '200 {}', 'that waits for the timer');
SELECT is(t_create(100, 'lease', 900000, ttl => 1900),
		  '200 task acquired v1 by p for 1900, promise pending, preload []', 'a lease until 2000');
SELECT is(t_create(100, 'dead lease', 2000, ttl => 1000),
		  '200 task acquired v1 by p for 1000, promise pending, preload []', 'one that ends before its promise');
SELECT is(s_create(0, 's', timeout_ms => 100000), '200 s next 60000', 'a schedule');
SELECT is(sweep(2000), '200 []', 'one tick');
SELECT is(stored_promise('timer') || ', ' || stored_promise('listened') || ', ' || stored_promise('dead lease'),
		  'resolved at 1000, rejected_timedout at 1500, rejected_timedout at 2000', 'settles all that is due');
SELECT is((SELECT string_agg(t_get(2000, id), ', ' ORDER BY id) FROM unnest('{waits, lease, "dead lease"}'::text[]) AS id),
		  '200 fulfilled v1, 200 pending v1, 200 pending v1 resumes 1', 'deadlines before leases');
SELECT is(rpc(2000, 'debug.snap', '{}') #> '{data,messages}',
		  jsonb_build_array(
			'{"address": "poll://any@g", "message": {"kind": "execute", "head": {}, "data": {"task": {"id": "lease", "version": 1}}}}'::jsonb,
			'{"address": "poll://any@g", "message": {"kind": "execute", "head": {}, "data": {"task": {"id": "waits", "version": 1}}}}'::jsonb,
			jsonb_build_object('address', 'poll://uni@g/p', 'message', jsonb_build_object('kind', 'unblock', 'head', '{}'::jsonb,
				'data', rpc(2000, 'promise.get', '{"id": "listened"}') -> 'data'))),
		  'and delivers nothing: all messages are there');
SELECT is(sweep(60000), '200 []', 'a later tick');
SELECT is(p_get(60000, 's.60000'), '200 pending', 'fires the schedule');
SELECT is(s_get(60000, 's'), '200 s last 60000 next 120000', 'once');
SELECT is(sweep(240000), '200 []', 'a tick settles, at once, what its schedules have created too late');
SELECT is(stored_promise('s.120000') || ', ' || stored_promise('s.180000'), 'rejected_timedout at 220000, pending', 'and no more');

--
-- debug.snap
--

SELECT is(ask(100, 'debug.reset', '{}'), '200 {}', 'begin anew');
SELECT is(rpc(100, 'debug.snap', '{}') -> 'data',
		  '{"promises": [], "promiseTimeouts": [], "callbacks": [], "listeners": [], "tasks": [], "taskTimeouts": [],
			"messages": []}', 'a snapshot of nothing');
SELECT is(p_create(100, id, 900000, tags), '200 pending', 'a promise: ' || id)
FROM (VALUES ('internal', '{}'::jsonb), ('external', :'E'), ('Timer', :'TIMER'), ('pending', :'T'),
	  ('delayed', '{"resonate:target": "poll://any@g", "resonate:delay": "5000"}')) AS v (id, tags);
SELECT is(t_create(100, id, 900000, ttl => 2000), '200 task acquired v1 by p for 2000, promise pending, preload []', id)
FROM unnest('{acquired, suspended, fulfilled}'::text[]) AS id;
SELECT is(p_listener(100, 'external', address), '200 pending', 'a listener at ' || address)
FROM unnest('{poll://uni@g/2, poll://uni@g/1}'::text[]) AS address;
SELECT is(p_listener(100, 'fulfilled'), '200 pending', 'a listener');
SELECT is(t_suspend(100, 'suspended', '{external, Timer}'), '200 {}', 'an awaiter of two');
SELECT is(p_callback(100, 'external', 'pending'), '200 pending', 'another one');
SELECT is(t_fulfill(200, 'fulfilled', data => 'v'), '200 resolved v at 200', 'one that is fulfilled');
SELECT is(rpc(200, 'debug.snap', '{}') -> 'data', jsonb_build_object(
	'promises', (SELECT jsonb_agg(rpc(200, 'promise.get', jsonb_build_object('id', id)) #> '{data,promise}' ORDER BY id COLLATE "C")
				 FROM unnest('{internal, external, Timer, pending, delayed, acquired, suspended, fulfilled}'::text[]) AS id),
	'promiseTimeouts', '[{"id": "Timer", "timeout": 900000}, {"id": "acquired", "timeout": 900000},
		{"id": "delayed", "timeout": 900000}, {"id": "external", "timeout": 900000}, {"id": "pending", "timeout": 900000},
		{"id": "suspended", "timeout": 900000}]'::jsonb,
	'callbacks', '[{"awaiter": "suspended", "awaited": "Timer"}, {"awaiter": "pending", "awaited": "external"},
		{"awaiter": "suspended", "awaited": "external"}]'::jsonb,
	'listeners', '[{"id": "external", "address": "poll://uni@g/1"}, {"id": "external", "address": "poll://uni@g/2"}]'::jsonb,
	'tasks', (SELECT jsonb_agg(rpc(200, 'task.get', jsonb_build_object('id', id)) #> '{data,task}' ORDER BY id COLLATE "C")
			  FROM unnest('{pending, delayed, acquired, suspended, fulfilled}'::text[]) AS id),
	'taskTimeouts', '[{"id": "acquired", "type": 1, "timeout": 2100}, {"id": "delayed", "type": 0, "timeout": 5000},
		{"id": "pending", "type": 0, "timeout": 100}]'::jsonb,
	'messages', jsonb_build_array(
		'{"address": "poll://any@g", "message": {"kind": "execute", "head": {}, "data": {"task": {"id": "pending", "version": 0}}}}'::jsonb,
		jsonb_build_object('address', 'poll://uni@g/p', 'message', jsonb_build_object('kind', 'unblock', 'head', '{}'::jsonb,
			'data', rpc(200, 'promise.get', '{"id": "fulfilled"}') -> 'data')))),
	'a snapshot of everything');
SELECT is(rpc(950000, 'debug.snap', '{}') #> '{data,promiseTimeouts,0}', '{"id": "Timer", "timeout": 900000}',
		  'a snapshot shows what is stored, and stores nothing');

--
-- debug.reset
--

SELECT is(s_create(950000, 's'), '200 s next 960000', 'a schedule');
SELECT is(ask(950000, 'debug.reset', '{}'), '200 {}', 'debug.reset');
SELECT is((SELECT count(*) FROM resonate.promises) + (SELECT count(*) FROM resonate.tasks) +
		  (SELECT count(*) FROM resonate.awaiters) + (SELECT count(*) FROM resonate.callbacks) +
		  (SELECT count(*) FROM resonate.messages) + (SELECT count(*) FROM resonate.schedules), 0::bigint,
		  'leaves nothing');
SELECT is(p_create(950000, 'pending', 990000, :'T'), '200 pending', 'ids are free again');

SELECT is_empty('SELECT * FROM resonate.check_invariants()', 'invariants hold');

SELECT finish();
ROLLBACK;
