-- Requests on promises: section 3.1 of the specification, its records, and search.
\ir rpc.psql


SELECT no_plan();

--
-- promise.create
--

SELECT is(rpc(100, 'promise.create',
			  '{"id": "full", "timeoutAt": 1000, "param": {"headers": {"a": "1", "b": ""}, "data": "eyJmdW5jIjoiZiJ9"},
				"tags": {"resonate:target": "poll://any@g", "team": "blå", "": "empty key"}}') -> 'data',
		  '{"promise": {"id": "full", "state": "pending", "param": {"headers": {"a": "1", "b": ""}, "data": "eyJmdW5jIjoiZiJ9"},
						"value": {}, "tags": {"resonate:target": "poll://any@g", "team": "blå", "": "empty key"},
						"timeoutAt": 1000, "createdAt": 100}}', 'create answers the record');
SELECT is(rpc(150, 'promise.get', '{"id": "full"}') -> 'data', rpc(150, 'promise.create', creation('full', 1, '{}')) -> 'data',
		  'get answers the same');
SELECT is(t_get(100, 'full'), '200 pending v0', 'one that has a target has a task');
SELECT is(executes(100), 'full v0', 'that is dispatched');
SELECT is(rpc(100, 'promise.create', '{"id": "bare", "timeoutAt": 1000}') -> 'data',
		  '{"promise": {"id": "bare", "state": "pending", "param": {}, "value": {}, "tags": {}, "timeoutAt": 1000,
						"createdAt": 100}}', 'param and tags may be missing');
SELECT is(t_get(100, 'bare'), '404', 'one that has no target has no task');
SELECT is(rpc(100, 'promise.create', '{"id": "empty", "timeoutAt": 1000, "param": {"headers": {}, "data": ""}}')
		  #> '{data,promise,param}', '{"headers": {}, "data": ""}', 'what is empty is not absent');
SELECT is(rpc(100, 'promise.create', '{"id": "headers", "timeoutAt": 1000, "param": {"headers": {"x": "y"}}}')
		  #> '{data,promise,param}', '{"headers": {"x": "y"}}', 'headers without data');

-- Only resonate:timer and resonate:external are compared with "true", resonate:scope with "global".
SELECT is(p_create(100, 'kind ' || n, 1000, tags), '200 pending', 'a promise with the tags ' || tags::text)
FROM (VALUES (1, '{"resonate:timer": "yes"}'::jsonb), (2, '{"resonate:external": "TRUE"}'),
	  (3, '{"resonate:target": "w1"}'), (4, '{"resonate:external": "true", "resonate:target": "w1"}'),
	  (5, '{"resonate:timer": "true", "resonate:external": "false"}'),
	  (6, '{"resonate:timer": "false", "resonate:target": "w1"}'), (7, '{"resonate:scope": "global"}'))
AS v (n, tags);
SELECT is((SELECT string_agg(n || ' ' || p_listener(100, 'kind ' || n), ', ' ORDER BY n) FROM generate_series(1, 7) AS n),
		  '1 422, 2 422, 3 200 pending, 4 200 pending, 5 200 pending, 6 200 pending, 7 200 pending',
		  'who is external follows from target, timer = "true", external = "true" and scope = "global"');
SELECT is((SELECT string_agg(p_get(1000, 'kind ' || n), ', ' ORDER BY n) FROM generate_series(1, 7) AS n),
		  '200 rejected_timedout at 1000, 200 rejected_timedout at 1000, 200 rejected_timedout at 1000, '
		  '200 rejected_timedout at 1000, 200 resolved at 1000, 200 rejected_timedout at 1000, 200 rejected_timedout at 1000',
		  'who is a timer follows from timer = "true"');
SELECT is(t_get(1000, 'kind ' || n), CASE WHEN n IN (3, 4, 6) THEN '200 fulfilled v0' ELSE '404' END,
		  'who has a task follows from target alone: ' || n) FROM generate_series(1, 7) AS n;

-- An id that exists: its record, whatever is asked for.
SELECT is(p_create(200, 'bare', 5000, :'T'), '200 pending', 'a second create');
SELECT is(rpc(NULL, 'promise.get', '{"id": "bare"}') #> '{data,promise}',
		  '{"id": "bare", "state": "pending", "param": {}, "value": {}, "tags": {}, "timeoutAt": 1000, "createdAt": 100}',
		  'changes nothing');
SELECT is(t_get(200, 'bare'), '404', 'and makes no task');
SELECT is(p_create(1000, 'bare', 5000), '200 rejected_timedout at 1000', 'after the deadline it shows that');
SELECT is(p_create(1000, 'bare', 500), '200 rejected_timedout at 1000', 'also if it would be born settled itself');

-- Born at or after its deadline.
SELECT is((rpc(2000, 'promise.create', creation('born ' || n, timeout_at, tags)) #> '{data,promise}') - 'tags' - 'id',
		  jsonb_build_object('state', state, 'param', '{}'::jsonb, 'value', '{}'::jsonb, 'timeoutAt', timeout_at,
							 'createdAt', timeout_at, 'settledAt', timeout_at),
		  format('born with timeoutAt %s at 2000: %s', timeout_at, tags))
FROM (VALUES (1, 2000, '{}'::jsonb, 'rejected_timedout'), (2, 1999, '{}', 'rejected_timedout'),
	  (3, 0, '{}', 'rejected_timedout'), (4, 2000, :'TIMER', 'resolved'), (5, 1, :'TIMER', 'resolved'),
	  (6, 2000, :'E', 'rejected_timedout'), (7, 2000, :'T', 'rejected_timedout'), (8, 1, :'T', 'rejected_timedout'))
AS v (n, timeout_at, tags, state);
SELECT is(p_create(2000, 'alive', 2001), '200 pending', 'a millisecond before the deadline it is pending');
SELECT is(t_get(2000, 'born 7') || ', ' || t_get(2000, 'born 8'), '200 fulfilled v0, 200 fulfilled v0',
		  'with a target it has a fulfilled task');
SELECT is(executes(2000), 'none', 'that is not dispatched');

-- The largest deadline.
SELECT is(p_create(2000, 'for ever', 9223372036854775807, :'E'), '200 pending', 'the largest deadline');
SELECT is(rpc(2000, 'promise.get', '{"id": "for ever"}') #>> '{data,promise,timeoutAt}', '9223372036854775807',
		  'comes back as it is');
SELECT is(p_get(4000000000000000, 'for ever'), '200 pending', 'and does not come');

-- Malformed.
SELECT is_refused(100, 'promise.create', '{"id": "m", "timeoutAt": 1000}'::jsonb || data, '400', 'malformed: ' || data::text)
FROM unnest(ARRAY['{"id": null}', '{"id": ""}', '{"id": 1}', '{"id": ["m"]}',
	'{"timeoutAt": null}', '{"timeoutAt": -1}', '{"timeoutAt": 1000.5}', '{"timeoutAt": 1.0}', '{"timeoutAt": "1000"}',
	'{"timeoutAt": 9223372036854775808}', '{"timeoutAt": true}', '{"timeoutAt": {}}',
	'{"param": null}', '{"param": "x"}', '{"param": []}', '{"param": {"data": 1}}', '{"param": {"data": {}}}',
	'{"param": {"headers": {"a": 1}}}', '{"param": {"headers": {"a": null}}}', '{"param": {"headers": []}}',
	'{"param": {"headers": "x"}}',
	'{"tags": null}', '{"tags": []}', '{"tags": "x"}', '{"tags": {"a": 1}}', '{"tags": {"a": null}}',
	'{"tags": {"a": {"b": "c"}}}', '{"tags": {"a": true}}',
	'{"tags": {"resonate:target": ""}}', '{"tags": {"resonate:combinator": "race"}}', '{"tags": {"resonate:combinator": ""}}',
	'{"tags": {"resonate:target": "w", "resonate:delay": "1000"}}',
	'{"tags": {"resonate:target": "w", "resonate:delay": "1001"}}',
	'{"tags": {"resonate:target": "w", "resonate:delay": "soon"}}',
	'{"tags": {"resonate:target": "w", "resonate:delay": ""}}']::jsonb[]) AS data;
SELECT is_refused(100, 'promise.create', '{"timeoutAt": 1000}', '400', 'malformed: no id');
SELECT is_refused(100, 'promise.create', '{"id": "m"}', '400', 'malformed: no timeoutAt');
SELECT is_refused(100, 'promise.create', creation('full', 1000, '{"resonate:target": ""}'), '400',
				  'what is malformed is so although the promise exists');
SELECT is(p_get(100, 'm'), '404', 'none of them was created');

-- Delay.
SELECT is(p_create(100, 'delay ' || delay, 1000, jsonb_build_object('resonate:target', 'poll://any@delayed',
																	'resonate:delay', delay)), '200 pending',
		  'a delay until ' || delay) FROM unnest('{0, 50, 100, 101, 999}'::text[]) AS delay;
SELECT is((SELECT string_agg(e.task_id, ', ' ORDER BY e.task_id)
		   FROM resonate.dequeue_execute('poll://any@delayed', 100) AS e), 'delay 0, delay 100, delay 50',
		  'one that is over by now delays nothing');
SELECT is(executes(101, 'poll://any@delayed'), 'delay 101 v0', 'one that is not delays until then');
SELECT is(executes(998, 'poll://any@delayed'), 'none', 'and not longer');
SELECT is(executes(999, 'poll://any@delayed'), 'delay 999 v0', 'the deadline is later');

-- Ids are compared bytewise and may be any text.
SELECT is(p_create(100, id, 1000, jsonb_build_object('n', n::text)), '200 pending', 'an id: ' || left(to_json(id)::text, 20))
FROM (VALUES (1, 'ab'), (2, 'AB'), (3, 'ab '), (4, ' ab'), (5, U&'\00E4b'), (6, U&'a\0308b'), (7, '日本'), (8, '%'), (9, 'a_'),
	  (10, '{"json": 1}'), (11, E'line\nbreak'), (12, ''''), (13, '/.:_-'), (14, repeat('x', 1024)))
AS v (n, id);
SELECT is((SELECT count(*) FROM resonate.promises WHERE tags ? 'n'), 14::bigint, 'they are all different');
SELECT is(ask(100, 'promise.create', creation(repeat('x', 1025), 1000, '{}')), '400', 'there is a limit');

--
-- Data are strings that nobody looks into.
--

CREATE TEMP TABLE strings (n serial, data text) ON COMMIT DROP;
INSERT INTO strings (data) VALUES
	(''), ('e30='), ('e30'), ('eyJmdW5jIjoiZiJ9'), ('bnVsbA=='), ('MQ=='), ('IiI='), ('MQ=='), ('MQ'), ('MR=='),
	('M==='), ('===='), ('MQ==' || E'\n'), (' MQ=='), ('AAAA'), ('AA=='), ('gA=='), ('//8='), ('_-8='), ('{}'),
	('{"a": 1}'), ('null'), ('not base64'), ('notbase64'), ('abcd'), ('日本'), (E'\t'), (E'\\'), ('"'),
	('IlxcdTAwMDAi'), ('eyAiYSIgOiAxIH0='), ('MS4w'), ('WzEsIDJd'), ('77u/MQ=='), (repeat('QUJD', 10000)), (repeat('z', 9999));
SELECT is((SELECT string_agg(n::text, ' ') FROM strings
		   WHERE rpc(100, 'promise.create', jsonb_build_object('id', 'data ' || n, 'timeoutAt', 1000, 'param',
					 jsonb_build_object('data', data))) #>> '{data,promise,param,data}' IS DISTINCT FROM data), NULL,
		  'create answers the data of param as they were sent');
SELECT is((SELECT string_agg(n::text, ' ') FROM strings
		   WHERE rpc(100, 'promise.settle', settlement('data ' || n, 'resolved', data))
				 #>> '{data,promise,value,data}' IS DISTINCT FROM data), NULL,
		  'settle those of value');
SELECT is((SELECT string_agg(n::text, ' ') FROM strings
		   WHERE (SELECT ROW(r #>> '{data,promise,param,data}', r #>> '{data,promise,value,data}')
				  FROM rpc(100, 'promise.get', jsonb_build_object('id', 'data ' || n)) AS r)
				 IS DISTINCT FROM ROW(data, data)), NULL, 'and get both');
-- One that is base64 of JSON is the value of the typed functions; others are none.
SELECT is((SELECT string_agg(coalesce(r.value::text, 'NULL'), ', ' ORDER BY n)
		   FROM strings CROSS JOIN LATERAL resonate.get_promise('data ' || n) AS r
		   WHERE data IN ('e30=', 'bnVsbA==', 'MQ==', 'not base64', 'abcd') AND n <> 8),
		  '{}, null, 1, NULL, NULL', 'the typed functions read them');
SELECT is((resonate.create_promise('typed', timeout_at => to_timestamp(1), param => '{"a": [1, "ä"]}')).status, 2010,
		  'and write them,');
SELECT is(rpc(100, 'promise.get', '{"id": "typed"}') #> '{data,promise,param}',
		  jsonb_build_object('data', replace(encode(convert_to('{"a": [1, "ä"]}', 'UTF8'), 'base64'), E'\n', '')),
		  'as base64 of the JSON');

--
-- promise.get
--

SELECT is(ask(100, 'promise.get', data), '400', 'get is malformed: ' || data::text)
FROM unnest(ARRAY['{}', '{"id": null}', '{"id": ""}', '{"id": 1}', '{"id": {}}']::jsonb[]) AS data;
SELECT is(p_get(100, 'none'), '404', 'get finds nothing');
SELECT is(p_create(100, 'timer', 1000, :'TIMER'), '200 pending', 'a timer');
SELECT is(p_create(100, 'promise', 1000), '200 pending', 'and a promise');
SELECT is(p_get(now_ms, 'timer') || ', ' || p_get(now_ms, 'promise'), wanted, 'at ' || now_ms)
FROM (VALUES (999, '200 pending, 200 pending'),
	  (1000, '200 resolved at 1000, 200 rejected_timedout at 1000'),
	  (1001, '200 resolved at 1000, 200 rejected_timedout at 1000'),
	  (99999999, '200 resolved at 1000, 200 rejected_timedout at 1000')) AS v (now_ms, wanted) ORDER BY now_ms;
SELECT is(rpc(2000, 'promise.get', '{"id": "timer"}') #> '{data,promise,value}', '{}', 'a timer has no value');

--
-- promise.settle
--

SELECT is(p_create(100, 'settle ' || state, 1000), '200 pending', 'a promise')
FROM unnest('{resolved, rejected, rejected_canceled}'::text[]) AS state;
SELECT is(rpc(200, 'promise.settle', jsonb_build_object('id', 'settle ' || state, 'state', state, 'value',
			  '{"headers": {"h": "1"}, "data": "dg=="}'::jsonb)) -> 'data',
		  jsonb_build_object('promise', '{"param": {}, "value": {"headers": {"h": "1"}, "data": "dg=="}, "tags": {},
										  "timeoutAt": 1000, "createdAt": 100, "settledAt": 200}'::jsonb ||
							 jsonb_build_object('id', 'settle ' || state, 'state', state)), 'settle as ' || state)
FROM unnest('{resolved, rejected, rejected_canceled}'::text[]) AS state;
SELECT is(p_settle(300, 'settle ' || first, second, 'other'), format('200 %s dg== at 200', first),
		  format('%s after %s: the first one stands', second, first))
FROM unnest('{resolved, rejected, rejected_canceled}'::text[]) AS first,
	 unnest('{resolved, rejected, rejected_canceled}'::text[]) AS second;
SELECT is(p_settle(2000, 'settle resolved'), '200 resolved dg== at 200', 'also after the deadline');
SELECT is_refused(300, 'promise.settle', settlement('settle resolved', state, NULL), '400',
				  'one that is settled cannot be settled as ' || state)
FROM unnest('{pending,rejected_timedout,canceled,RESOLVED,""}'::text[]) AS state;
SELECT is(p_create(100, 'm', 1000), '200 pending', 'a promise');
SELECT is_refused(300, 'promise.settle', '{"id": "m", "state": "resolved"}'::jsonb || data, '400', 'malformed: ' || data::text)
FROM unnest(ARRAY['{"id": null}', '{"id": ""}', '{"id": 1}', '{"state": null}', '{"state": 1}', '{"state": "pending"}',
	'{"state": "rejected_timedout"}', '{"state": "timedout"}', '{"value": null}', '{"value": "x"}', '{"value": []}',
	'{"value": {"data": 1}}', '{"value": {"headers": {"a": 1}}}', '{"value": {"headers": []}}']::jsonb[]) AS data;
SELECT is_refused(300, 'promise.settle', '{"id": "m"}', '400', 'malformed: no state');
SELECT is_refused(300, 'promise.settle', '{"state": "resolved"}', '400', 'malformed: no id');
SELECT is_refused(300, 'promise.settle', '{"id": "none", "state": "resolved"}', '404', 'settle finds nothing');
SELECT is(ask(999, 'promise.settle', '{"id": "m", "state": "rejected"}'), '200 rejected at 999',
		  'a value may be missing; the last moment is before the deadline');
SELECT is(p_create(100, 'late', 1000), '200 pending', 'a promise');
SELECT is(p_settle(1000, 'late', data => 'v'), '200 rejected_timedout at 1000', 'at the deadline it is too late');
SELECT is(p_create(100, 'late timer', 1000, :'TIMER'), '200 pending', 'a timer');
SELECT is(p_settle(1001, 'late timer', 'rejected', 'v'), '200 resolved at 1000', 'so it is for a timer');
SELECT is(p_create(100, 'early timer', 1000, :'TIMER'), '200 pending', 'a timer');
SELECT is(p_settle(500, 'early timer', 'rejected', 'v'), '200 rejected v at 500', 'which can be settled before');

-- It fulfils the task, in whatever state that is, and clears it.
SELECT is(ask(100, 'debug.reset', '{}'), '200 {}', 'begin anew');
SELECT is(p_create(100, 'x', 900000, :'E'), '200 pending', 'a promise to wait for');
SELECT is(p_create(100, id, 900000, :'T'), '200 pending', 'a task')
FROM unnest('{pending, acquired, suspended, halted}'::text[]) AS id;
SELECT is(t_acquire(100, id), '200 task acquired v1 by p for 60000, promise pending, preload []', 'acquired')
FROM unnest('{acquired, suspended, halted}'::text[]) AS id;
SELECT is(p_callback(100, 'x', id), '200 pending', 'that is an awaiter')
FROM unnest('{pending, acquired, halted}'::text[]) AS id;
SELECT is(t_halt(100, 'halted'), '200 {}', 'halted');
SELECT is(t_suspend(100, 'suspended', '{x}'), '200 {}', 'suspended');
SELECT is((SELECT string_agg(t_get(100, id), ', ' ORDER BY id)
		   FROM unnest('{pending, acquired, suspended, halted}'::text[]) AS id),
		  '200 acquired v1 by p for 60000, 200 halted v1, 200 pending v0, 200 suspended v1', 'tasks in all states');
SELECT is(p_settle(200, id), '200 resolved at 200', 'settle the promise of a task that is ' || id)
FROM unnest('{pending, acquired, suspended, halted}'::text[]) AS id;
SELECT is((SELECT string_agg(t_get(200, id), ', ' ORDER BY id)
		   FROM unnest('{pending, acquired, suspended, halted}'::text[]) AS id),
		  '200 fulfilled v1, 200 fulfilled v1, 200 fulfilled v0, 200 fulfilled v1',
		  'each is fulfilled and keeps its version');
SELECT is(p_settle(300, 'x'), '200 resolved at 300', 'what they waited for settles');
SELECT is((SELECT string_agg(t_get(300, id), ', ' ORDER BY id)
		   FROM unnest('{pending, acquired, suspended, halted}'::text[]) AS id),
		  '200 fulfilled v1, 200 fulfilled v1, 200 fulfilled v0, 200 fulfilled v1', 'none of them is woken');
SELECT is(executes(999), 'none', 'nor dispatched');
SELECT is(stored_awaiters(), 'none', 'and nobody waits any more');

--
-- promise.register_callback
--

SELECT is(ask(100, 'debug.reset', '{}'), '200 {}', 'begin anew');
SELECT is(p_create(100, id, 900000, tags), '200 pending', 'a promise: ' || id)
FROM (VALUES ('i', '{}'::jsonb), ('e', :'E'), ('timer', :'TIMER'), ('t', :'T'), ('w', :'T'), ('settled', :'E'),
	  ('settled i', '{}'), ('dead', :'T')) AS v (id, tags);
SELECT is(p_create(100, 'lapsed', 500, :'E'), '200 pending', 'one that will lapse');
SELECT is(p_create(100, 'dying', 500, :'T'), '200 pending', 'and one with a target');
SELECT is(p_settle(200, id), '200 resolved at 200', id) FROM unnest('{settled, settled i, dead}'::text[]) AS id;
SELECT is_refused(500, 'promise.register_callback', jsonb_build_object('awaited', awaited, 'awaiter', awaiter),
				  wanted, format('%s awaits %s: %s', awaiter, awaited, why))
FROM (VALUES
	('none', 'none', '400', 'oneself, before not found'), ('e', 'e', '400', 'oneself'),
	('w', 'w', '400', 'oneself'), ('i', 'i', '400', 'oneself, before unfit'),
	('none', 'w', '404', 'awaited is missing'), ('none', 'other', '404', 'both are missing'),
	('none', 'e', '404', 'awaited is missing, awaiter unfit'),
	('e', 'none', '422', 'awaiter is missing'), ('e', 'i', '422', 'awaiter is not targeted'),
	('e', 'settled', '422', 'awaiter is not targeted'), ('e', 'timer', '422', 'a timer is not targeted'),
	('i', 'w', '422', 'awaited is internal'), ('settled i', 'w', '422', 'awaited is internal, though settled'),
	('settled', 'none', '422', 'awaiter is missing, though awaited is settled'),
	('settled', 'i', '422', 'awaiter is not targeted, though awaited is settled'),
	('settled', 'w', '200 resolved at 200', 'awaited is settled'),
	('settled', 'dead', '200 resolved at 200', 'awaited is settled, awaiter dead'),
	('e', 'dead', '200 pending', 'awaiter is dead')) AS v (awaited, awaiter, wanted, why);
SELECT is(p_callback(500, 'lapsed', 'w'), '200 rejected_timedout at 500', 'awaited has lapsed');
SELECT is(p_callback(500, 'e', 'dying'), '200 pending', 'awaiter has lapsed');
SELECT is(stored_awaiters(), 'none', 'none of all these is recorded');
SELECT is(executes(500, 'poll://any@none'), 'none', 'nobody is woken');
SELECT is(t_get(500, 'w'), '200 pending v0', 'nobody has a resume');

SELECT is(p_callback(600, id, 'w'), '200 pending', 'w awaits ' || id) FROM unnest('{e, timer, t}'::text[]) AS id;
SELECT is(p_callback(600, 'e', 't'), '200 pending', 't awaits e, too');
SELECT is(stored_awaiters(), 'e<-t, e<-w, t<-w, timer<-w', 'they are recorded');
SELECT is_refused(600, 'promise.register_callback', '{"awaited": "e", "awaiter": "w"}', '200 pending',
				  'once is enough');
SELECT is(rpc(600, 'promise.register_callback', '{"awaited": "e", "awaiter": "w"}') #> '{data,promise}',
		  '{"id": "e", "state": "pending", "param": {}, "value": {}, "tags": {"resonate:external": "true"},
			"timeoutAt": 900000, "createdAt": 100}', 'the answer has the record of awaited');
SELECT is(p_settle(700, 'e'), '200 resolved at 700', 'e settles');
SELECT is(t_get(700, 'w') || ', ' || t_get(700, 't'), '200 pending v0 resumes 1, 200 pending v0 resumes 1',
		  'each of its awaiters has one resume');
SELECT is(stored_awaiters(), 't<-w, timer<-w', 'and is forgotten');
SELECT is_refused(600, 'promise.register_callback', data, '400', 'malformed: ' || data::text)
FROM unnest(ARRAY['{}', '{"awaited": "e"}', '{"awaiter": "w"}', '{"awaited": "", "awaiter": "w"}',
	'{"awaited": "e", "awaiter": ""}', '{"awaited": 1, "awaiter": "w"}', '{"awaited": "e", "awaiter": null}']::jsonb[]) AS data;

--
-- promise.register_listener
--

SELECT is(ask(100, 'debug.reset', '{}'), '200 {}', 'begin anew');
SELECT is(p_create(100, id, 900000, tags), '200 pending', 'a promise: ' || id)
FROM (VALUES ('i', '{}'::jsonb), ('e', :'E'), ('t', :'T'), ('settled', :'E'), ('settled i', '{}')) AS v (id, tags);
SELECT is(p_create(100, 'timer', 800, :'TIMER'), '200 pending', 'a timer');
SELECT is(p_create(100, 'lapsed', 500, :'E'), '200 pending', 'one that will lapse');
SELECT is(p_settle(200, id), '200 resolved at 200', id) FROM unnest('{settled, settled i}'::text[]) AS id;
SELECT is_refused(500, 'promise.register_listener', jsonb_build_object('awaited', awaited, 'address', address),
				  wanted, format('%s tells %s', awaited, address))
FROM (VALUES
	('none', 'poll://default', '400'), ('e', 'poll://default', '400'), ('i', 'poll://default', '400'),
	('settled', 'poll://default', '400'), ('none', 'poll://any@g', '404'), ('i', 'poll://any@g', '422'),
	('settled i', 'poll://any@g', '200 resolved at 200'), ('settled', 'poll://any@g', '200 resolved at 200'))
AS v (awaited, address, wanted);
SELECT is(p_listener(500, 'lapsed'), '200 rejected_timedout at 500', 'one that has lapsed takes none');
SELECT is(stored_listeners(), 'none', 'none of all these is recorded');
SELECT is(unblocks(500), 'none', 'and nobody is told');

SELECT is_refused(500, 'promise.register_listener', jsonb_build_object('awaited', 'e', 'address', address), '400',
				  'cannot tell ' || address::text)
FROM unnest(ARRAY['null', '""', '1', '"g"', '"any@g"', '"poll://"', '"poll://g"', '"poll:any@g"', '"http:/x"', '"http"',
	'"https:x"', '"ftp:user@host"', '"ftp://"', '"1x://y"', '"x_y://z"', '"notify://channel"', '" poll://any@g"', '" http://x"']::jsonb[]) AS address;
SELECT is(p_listener(500, 'e', address), '200 pending', 'can tell ' || address)
FROM unnest('{poll://any@g,poll://any@g/1,poll://uni@g/1,poll://uni@group.with.dots/and/slashes,http://h/p,https://h,
			 http://localhost:8001/hook?a=b,ftp://user@host,nats://a@b,gcps://project/topic,x+1-a.b://c}'::text[]) AS address;
SELECT is(ask(500, 'debug.snap', '{}') LIKE '%"address": "poll://uni@g/1"%', true, 'they are recorded');
SELECT is((SELECT count(*) FROM resonate.callbacks), 11::bigint, 'all of them');
SELECT is_refused(500, 'promise.register_listener', '{"awaited": "e", "address": "poll://uni@g/1"}', '200 pending',
				  'once is enough');
SELECT is(rpc(500, 'promise.register_listener', '{"awaited": "e", "address": "poll://uni@g/1"}') #> '{data,promise}',
		  '{"id": "e", "state": "pending", "param": {}, "value": {}, "tags": {"resonate:external": "true"},
			"timeoutAt": 900000, "createdAt": 100}', 'the answer has the record');
SELECT is(p_listener(500, id, 'poll://uni@g/1'), '200 pending', 'a target and a timer are external: ' || id)
FROM unnest('{t, timer}'::text[]) AS id;
SELECT is(p_settle(700, 'e', data => 'v'), '200 resolved v at 700', 'the promise settles');
SELECT is(unblocks(700, 'poll://uni@g/1') || '; ' || unblocks(700, 'http://h/p') || '; ' || unblocks(700, 'poll://any@g'),
		  'e resolved v at 700; e resolved v at 700; e resolved v at 700', 'each address is told once');
SELECT is(unblocks(700, 'nats://a@b') || '; ' || unblocks(700, 'gcps://project/topic'),
		  'e resolved v at 700; e resolved v at 700', 'also one of another scheme, which is a queue');
SELECT is(p_settle(700, 'e'), '200 resolved v at 700', 'the promise settles again');
SELECT is(unblocks(700, 'poll://uni@g/1'), 'none', 'nobody is told');
SELECT is(sweep(800), '200 []', 'a deadline');
SELECT is(unblocks(800, 'poll://uni@g/1'), 'timer resolved at 800', 'is told as well');
SELECT is(stored_listeners(), 't<-poll://uni@g/1', 'who was told is forgotten');
SELECT is_refused(500, 'promise.register_listener', data, '400', 'malformed: ' || data::text)
FROM unnest(ARRAY['{}', '{"awaited": "e"}', '{"address": "poll://any@g"}', '{"awaited": "", "address": "poll://any@g"}',
	'{"awaited": 1, "address": "poll://any@g"}', '{"awaited": "e", "address": ["poll://any@g"]}']::jsonb[]) AS data;

--
-- promise.search
--

CREATE FUNCTION found(now_ms bigint, data jsonb) RETURNS text LANGUAGE plpgsql AS
$$
DECLARE
	response jsonb := rpc(now_ms, 'promise.search', data);
BEGIN
	RETURN coalesce(fault('promise.search', response), concat_ws(' ', response #>> '{head,status}',
		(SELECT coalesce(string_agg(p ->> 'id', ' ' ORDER BY n), 'none')
		 FROM jsonb_array_elements(response #> '{data,promises}') WITH ORDINALITY AS e (p, n)
		 WHERE response #>> '{head,status}' = '200'),
		'more after ' || (response #>> '{data,cursor}'),
		'with ' || nullif(members((response -> 'data') - 'promises' - 'cursor'), '')));
END
$$;

SELECT is(ask(100, 'debug.reset', '{}'), '200 {}', 'begin anew');
SELECT is(found(100, '{}'), '200 none', 'nothing is found');
SELECT is(rpc(100, 'promise.search', '{}') -> 'data', '{"promises": []}', 'without a cursor');
SELECT is(p_create(100, id, timeout_at, tags), '200 pending', 'a promise: ' || id)
FROM (VALUES ('a', 9000, '{"x": "1"}'::jsonb), ('B', 9000, '{"x": "1", "y": "2"}'), ('ä', 9000, '{}'),
	  ('a.b', 9000, '{"y": "2"}'), ('a_b', 9000, '{}'), ('due', 1000, '{"x": "1"}'),
	  ('due timer', 1000, '{"resonate:timer": "true", "x": "1"}'),
	  ('due task', 1000, '{"resonate:target": "w"}'), ('res', 9000, '{}'), ('rej', 9000, '{}'), ('can', 9000, '{}'))
AS v (id, timeout_at, tags);
SELECT is(p_settle(200, id, state), format('200 %s at 200', state), 'settled')
FROM (VALUES ('res', 'resolved'), ('rej', 'rejected'), ('can', 'rejected_canceled')) AS v (id, state);
SELECT is(found(200, '{}'), '200 B a a.b a_b can due due task due timer rej res ä', 'bytewise by id, all of them');
SELECT is(found(200, '{"state": null, "tags": null, "limit": null, "cursor": null}'),
		  '200 B a a.b a_b can due due task due timer rej res ä', 'null is the same as nothing');
SELECT is(found(now_ms, jsonb_build_object('state', state)), wanted, format('%s at %s', state, now_ms))
FROM (VALUES
	('pending', 999, '200 B a a.b a_b due due task due timer ä'), ('resolved', 999, '200 res'),
	('rejected', 999, '200 rej'), ('rejected_canceled', 999, '200 can'), ('rejected_timedout', 999, '200 none'),
	('pending', 1000, '200 B a a.b a_b ä'), ('resolved', 1000, '200 due timer res'),
	('rejected', 1000, '200 rej'), ('rejected_canceled', 1000, '200 can'),
	('rejected_timedout', 1000, '200 due due task')) AS v (state, now_ms, wanted);
SELECT is(sweep(1000), '200 []', 'a sweep');
SELECT is(found(1000, '{"state": "resolved"}') || '; ' || found(1000, '{"state": "rejected_timedout"}'),
		  '200 due timer res; 200 due due task', 'makes no difference');
SELECT is(found(200, jsonb_build_object('tags', tags)), wanted, 'with the tags ' || tags::text)
FROM (VALUES ('{}'::jsonb, '200 B a a.b a_b can due due task due timer rej res ä'), ('{"x": "1"}', '200 B a due due timer'),
	  ('{"x": "1", "y": "2"}', '200 B'), ('{"x": "2"}', '200 none'), ('{"z": "1"}', '200 none'),
	  ('{"resonate:target": "w"}', '200 due task')) AS v (tags, wanted);
SELECT is(found(1000, '{"tags": {"x": "1"}, "state": "rejected_timedout"}'), '200 due', 'state and tags');
SELECT is(p_create(1000, 'ext', 9000, :'E') || ' ' || p_create(1000, 'ext 2', 9000, :'E'::jsonb || '{"x": "3"}'),
		  '200 pending 200 pending', 'two that are external');
SELECT is(found(1000, '{"tags": {"resonate:external": "true"}}'), '200 ext ext 2', 'are found by that tag');
SELECT is(found(1000, '{"tags": {"resonate:external": "true", "x": "3"}}'), '200 ext 2', 'and by others');
DELETE FROM resonate.promises WHERE id LIKE 'ext%';
SELECT is(brief_promises(rpc(1000, 'promise.search', '{"limit": 1, "cursor": "can"}') #> '{data,promises}'),
		  '[due rejected_timedout at 1000]', 'what is found is shown as it is');

-- Pages.
SELECT is(found(200, data), wanted, 'a page: ' || data::text)
FROM (VALUES ('{"limit": 1}'::jsonb, '200 B more after B'), ('{"limit": 4, "cursor": "B"}', '200 a a.b a_b can more after can'),
	  ('{"limit": 10}', '200 B a a.b a_b can due due task due timer rej res more after res'),
	  ('{"limit": 11}', '200 B a a.b a_b can due due task due timer rej res ä'),
	  ('{"limit": 12}', '200 B a a.b a_b can due due task due timer rej res ä'),
	  ('{"limit": 1, "cursor": "res"}', '200 ä'), ('{"cursor": "ä"}', '200 none'),
	  ('{"cursor": ""}', '200 B a a.b a_b can due due task due timer rej res ä'),
	  ('{"cursor": "A"}', '200 B a a.b a_b can due due task due timer rej res ä'),
	  ('{"cursor": "due t"}', '200 due task due timer rej res ä'), ('{"cursor": "zzz"}', '200 ä'),
	  ('{"limit": 2, "tags": {"x": "1"}}', '200 B a more after a'),
	  ('{"limit": 2, "tags": {"x": "1"}, "cursor": "a"}', '200 due due timer'),
	  ('{"limit": 1, "state": "rejected"}', '200 rej')) AS v (data, wanted);
SELECT is(ask(200, 'promise.search', data), '400', 'malformed: ' || data::text)
FROM unnest(ARRAY['{"limit": 0}', '{"limit": 1001}', '{"limit": -1}', '{"limit": "1"}', '{"limit": 1.5}',
	'{"limit": 9223372036854775807}', '{"state": "unknown"}', '{"state": ""}', '{"state": 1}', '{"state": ["pending"]}',
	'{"cursor": 1}', '{"cursor": {}}', '{"tags": []}', '{"tags": "x"}', '{"tags": {"x": 1}}']::jsonb[]) AS data;
SELECT is(p_create(200, format('many %s', to_char(n, 'FM0000')), 9000), '200 pending', 'one of many')
FROM generate_series(1, 110) AS n;
SELECT is((SELECT count(*) FROM jsonb_array_elements(rpc(200, 'promise.search', '{"cursor": "many"}') #> '{data,promises}')),
		  100::bigint, 'a page has 100 unless asked for another number');
SELECT is(rpc(200, 'promise.search', '{"cursor": "many"}') #>> '{data,cursor}', 'many 0100', 'and says where it ends');
SELECT is((SELECT count(*) FROM jsonb_array_elements(rpc(200, 'promise.search', '{"limit": 1000}') #> '{data,promises}')),
		  121::bigint, 'up to 1000');

SELECT is(found(9000, '{"state": "pending"}') || '; ' || found(9000, '{"state": "resolved"}'),
		  '200 none; 200 due timer res', 'when all have lapsed none is pending');
SELECT is(found(9000, '{"state": "rejected_timedout", "limit": 8}'),
		  '200 B a a.b a_b due due task many 0001 many 0002 more after many 0002', 'and all else timed out');

SELECT is_empty('SELECT * FROM resonate.check_invariants()', 'invariants hold');

SELECT finish();
ROLLBACK;
