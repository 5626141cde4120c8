-- Requests on schedules: section 3.3 of the specification, and firing (R7).
\ir rpc.psql


SELECT no_plan();

--
-- schedule.create and schedule.get
--

SELECT is(rpc(1000, 'schedule.create',
			  '{"id": "s", "cron": "*/5 * * * *", "promiseId": "{{.id}}/{{.timestamp}}", "promiseTimeout": 5000,
				"promiseParam": {"headers": {"h": "1"}, "data": "eyJmdW5jIjoiZiJ9"},
				"promiseTags": {"resonate:target": "poll://any@g", "x": "y"}}') -> 'data',
		  '{"schedule": {"id": "s", "cron": "*/5 * * * *", "promiseId": "{{.id}}/{{.timestamp}}", "promiseTimeout": 5000,
						 "promiseParam": {"headers": {"h": "1"}, "data": "eyJmdW5jIjoiZiJ9"},
						 "promiseTags": {"resonate:target": "poll://any@g", "x": "y"},
						 "createdAt": 1000, "nextRunAt": 300000}}', 'create answers the record');
SELECT is(rpc(1000, 'schedule.get', '{"id": "s"}') -> 'data', rpc(1000, 'schedule.create',
			  '{"id": "s", "cron": "* * * * *", "promiseId": "other", "promiseTimeout": 1}') -> 'data',
		  'a second create changes nothing');
SELECT is(rpc(1000, 'schedule.get', '{"id": "s"}') #> '{data,schedule,cron}', '"*/5 * * * *"', 'whatever it asks for');
SELECT is(rpc(1000, 'schedule.create', '{"id": "bare", "cron": "@daily", "promiseId": "p", "promiseTimeout": 0}') -> 'data',
		  '{"schedule": {"id": "bare", "cron": "@daily", "promiseId": "p", "promiseTimeout": 0, "promiseParam": {},
						 "promiseTags": {}, "createdAt": 1000, "nextRunAt": 86400000}}',
		  'param and tags may be missing, and the timeout be zero');
SELECT is(s_create(now_ms, 'next after ' || now_ms), format('200 next after %s next %s', now_ms, next_ms),
		  'the next run is strictly after ' || now_ms)
FROM (VALUES (0::bigint, 60000::bigint), (59999, 60000), (60000, 120000), (60001, 120000)) AS v (now_ms, next_ms);
SELECT is(s_get(1000, 'none'), '404', 'get finds nothing');

CREATE FUNCTION schedule_data(change jsonb) RETURNS jsonb LANGUAGE sql AS
$$
	SELECT '{"id": "m", "cron": "* * * * *", "promiseId": "p", "promiseTimeout": 1, "promiseParam": {}, "promiseTags": {}}' ||
		   change
$$;
SELECT is_refused(1000, 'schedule.create', schedule_data('{}') - field, '400', 'malformed without ' || field)
FROM unnest('{id, cron, promiseId, promiseTimeout}'::text[]) AS field;
SELECT is_refused(1000, 'schedule.create', schedule_data(data), '400', 'malformed: ' || data::text)
FROM unnest(ARRAY['{"id": ""}', '{"id": 1}', '{"id": null}', '{"cron": ""}', '{"cron": 1}', '{"cron": null}',
	'{"promiseId": ""}', '{"promiseId": 1}', '{"promiseTimeout": -1}', '{"promiseTimeout": "1"}', '{"promiseTimeout": 1.5}',
	'{"promiseTimeout": null}', '{"promiseParam": null}', '{"promiseParam": "x"}', '{"promiseParam": {"data": 1}}',
	'{"promiseParam": {"headers": {"a": 1}}}', '{"promiseTags": null}', '{"promiseTags": []}', '{"promiseTags": {"a": 1}}',
	'{"promiseTags": {"resonate:target": ""}}', '{"promiseTags": {"resonate:combinator": "race"}}',
	'{"cron": "nonsense"}', '{"cron": "* * * *"}', '{"cron": "60 * * * *"}', '{"cron": "0 0 30 2 *"}',
	'{"cron": "* * * * * * *"}', '{"cron": "@never"}']::jsonb[]) AS data;
SELECT is(s_get(1000, 'm'), '404', 'none of them was created');
SELECT is_refused(1000, 'schedule.create', schedule_data('{"id": "s"}') || data, '400',
				  'malformed though the schedule exists: ' || data::text)
FROM unnest(ARRAY['{"cron": "nonsense"}', '{"cron": "0 0 31 4 *"}', '{"promiseTags": {"resonate:target": ""}}',
	'{"promiseTags": {"resonate:combinator": "race"}}']::jsonb[]) AS data;
SELECT is(s_create(1000, 'tags ' || tags::text, tags => tags), format('200 tags %s next 60000', tags), 'accepted: ' || tags::text)
FROM unnest(ARRAY['{}', '{"resonate:timer": "true"}', '{"resonate:external": "true"}', '{"resonate:target": "any name"}']::jsonb[])
AS tags;
SELECT is(ask(1000, kind, data), '400', format('%s is malformed: %s', kind, data))
FROM unnest('{schedule.get, schedule.delete}'::text[]) AS kind,
	 unnest(ARRAY['{}', '{"id": ""}', '{"id": 1}', '{"id": null}']::jsonb[]) AS data;

--
-- schedule.delete
--

SELECT is(ask(1000, 'schedule.delete', '{"id": "none"}'), '404', 'delete finds nothing');
SELECT is(ask(1000, 'schedule.delete', '{"id": "bare"}'), '200 {}', 'delete');
SELECT is(s_get(1000, 'bare'), '404', 'and it is gone');
SELECT is(ask(1000, 'schedule.delete', '{"id": "bare"}'), '404', 'once');

--
-- Firing.
--

SELECT is(ask(1000, 'debug.reset', '{}'), '200 {}', 'begin anew');
SELECT is(rpc(1000, 'schedule.create',
			  '{"id": "s", "cron": "* * * * *", "promiseId": "{{.id}}/{{.timestamp}}", "promiseTimeout": 200000,
				"promiseParam": {"headers": {"h": "1"}, "data": "eyJmdW5jIjoiZiJ9"},
				"promiseTags": {"resonate:target": "poll://any@g", "x": "y"}}') #> '{data,schedule,nextRunAt}', '60000', 'a schedule');
SELECT is(sweep(59999), '200 []', 'a sweep a millisecond too early');
SELECT is(p_get(59999, 's/60000'), '404', 'fires nothing');
SELECT is(s_get(59999, 's'), '200 s next 60000', 'and the schedule has not run');
SELECT is(sweep(60000), '200 []', 'a sweep in time');
SELECT is(rpc(60000, 'promise.get', '{"id": "s/60000"}') -> 'data',
		  '{"promise": {"id": "s/60000", "state": "pending", "param": {"headers": {"h": "1"}, "data": "eyJmdW5jIjoiZiJ9"},
						"value": {}, "tags": {"resonate:target": "poll://any@g", "x": "y"}, "timeoutAt": 260000, "createdAt": 60000}}',
		  'creates a promise with the param and tags of the schedule');
SELECT is(rpc(60000, 'schedule.get', '{"id": "s"}') #> '{data,schedule}',
		  '{"id": "s", "cron": "* * * * *", "promiseId": "{{.id}}/{{.timestamp}}", "promiseTimeout": 200000,
			"promiseParam": {"headers": {"h": "1"}, "data": "eyJmdW5jIjoiZiJ9"},
			"promiseTags": {"resonate:target": "poll://any@g", "x": "y"},
			"createdAt": 1000, "nextRunAt": 120000, "lastRunAt": 60000}', 'and moves the schedule on');
SELECT is(executes(60000), 's/60000 v0', 'its task is dispatched');
SELECT is(sweep(60000), '200 []', 'a second sweep');
SELECT is((SELECT count(*) FROM resonate.promises), 1::bigint, 'fires it no second time');
SELECT is(sweep(305000), '200 []', 'a sweep that is late');
SELECT is((SELECT string_agg(p_get(305000, 's/' || at) || ' created ' ||
				(rpc(NULL, 'promise.get', jsonb_build_object('id', 's/' || at)) #>> '{data,promise,createdAt}'), ', ' ORDER BY at)
		   FROM unnest('{60000, 120000, 180000, 240000, 300000}'::bigint[]) AS at),
		  '200 rejected_timedout at 260000 created 60000, 200 pending created 120000, 200 pending created 180000, '
		  '200 pending created 240000, 200 pending created 300000', 'fires every occurrence as of its own instant');
SELECT is(s_get(305000, 's'), '200 s last 300000 next 360000', 'and is up to date');
SELECT is(executes(305000), 's/120000 v0, s/180000 v0, s/240000 v0, s/300000 v0', 'those that are alive are dispatched');
SELECT is(ask(305000, 'schedule.delete', '{"id": "s"}'), '200 {}', 'when the schedule is deleted');
SELECT is(p_get(305000, 's/300000'), '200 pending', 'its promises stay');
SELECT is(sweep(900000), '200 []', 'and a sweep');
SELECT is(p_get(900000, 's/360000'), '404', 'creates no more');

-- Occurrences that are past their own deadline are settled, as of their deadline.
SELECT is(ask(900000, 'debug.reset', '{}'), '200 {}', 'begin anew');
SELECT is(s_create(0, 'dead', timeout_ms => 1000, tags => tags, promise_id => format('{{.timestamp}} %s', n)),
		  '200 dead next 60000', 'a schedule with the tags ' || tags::text) FROM (VALUES (1, :'T'::jsonb)) AS v (n, tags);
SELECT is(s_create(0, 'timer', timeout_ms => 1000, tags => :'TIMER', promise_id => 'timer {{.timestamp}}'),
		  '200 timer next 60000', 'one of timers');
SELECT is(s_create(0, 'zero', timeout_ms => 0, tags => :'T', promise_id => 'zero {{.timestamp}}'),
		  '200 zero next 60000', 'one that times out at once');
SELECT is(sweep(60999), '200 []', 'a sweep before the deadline of the first');
SELECT is(p_get(60999, '60000 1') || ', ' || p_get(60999, 'timer 60000') || ', ' || p_get(60999, 'zero 60000'),
		  '200 pending, 200 pending, 200 rejected_timedout at 60000', 'leaves it alive');
SELECT is(executes(60999), '60000 1 v0', 'and dispatched');
SELECT is(sweep(181000), '200 []', 'a sweep after two more have died');
SELECT is((SELECT string_agg(p_get(181000, at || ' 1') || ' ' || t_get(NULL, at || ' 1'), ', ' ORDER BY at)
		   FROM unnest('{60000, 120000, 180000}'::bigint[]) AS at),
		  '200 rejected_timedout at 61000 200 fulfilled v0, 200 rejected_timedout at 121000 200 fulfilled v0, '
		  '200 rejected_timedout at 181000 200 fulfilled v0', 'settles all');
SELECT is(p_get(181000, 'timer 180000'), '200 resolved at 181000', 'and resolves timers');
SELECT is(executes(181000), 'none', 'none is dispatched');

-- The id is filled in in one pass; an id that exists is adopted.
SELECT is(ask(181000, 'debug.reset', '{}'), '200 {}', 'begin anew');
SELECT is(s_create(0, 'x{{.timestamp}}y', tags => '{}', timeout_ms => 9999999, promise_id => '{{.id}}-{{.timestamp}}-{{.id}}-{{.other}}{{.id}'),
		  '200 x{{.timestamp}}y next 60000', 'a schedule whose id looks like a template');
SELECT is(s_create(0, 'once', tags => '{}', timeout_ms => 9999999, promise_id => 'the only one'), '200 once next 60000',
		  'one whose template is no template');
SELECT is(p_create(0, 'taken 120000', 9999999, '{"mine": "yes"}'), '200 pending', 'a promise');
SELECT is(s_create(0, 'adopts', tags => '{"mine": "no"}', timeout_ms => 9999999, promise_id => 'taken {{.timestamp}}'),
		  '200 adopts next 60000', 'and a schedule that comes upon it');
SELECT is(sweep(180000), '200 []', 'a sweep');
SELECT is((SELECT string_agg(id, ', ' ORDER BY id) FROM resonate.promises),
		  'taken 120000, taken 180000, taken 60000, the only one, '
		  'x{{.timestamp}}y-120000-x{{.timestamp}}y-{{.other}}{{.id}, x{{.timestamp}}y-180000-x{{.timestamp}}y-{{.other}}{{.id}, '
		  'x{{.timestamp}}y-60000-x{{.timestamp}}y-{{.other}}{{.id}', 'what is filled in is not filled in again');
SELECT is(rpc(180000, 'promise.get', '{"id": "the only one"}') #> '{data,promise,createdAt}', '60000',
		  'without a timestamp it fires once');
SELECT is(s_get(180000, 'once'), '200 once last 180000 next 240000', 'though it runs every time');
SELECT is(rpc(180000, 'promise.get', '{"id": "taken 120000"}') #> '{data,promise,tags}', '{"mine": "yes"}',
		  'an id that exists is left as it is');
SELECT is(s_get(180000, 'adopts'), '200 adopts last 180000 next 240000', 'and does not stop the schedule');

-- Steps are bounded, and process_timeouts() does them, too.
SELECT is(ask(180000, 'debug.reset', '{}'), '200 {}', 'begin anew');
SELECT is(s_create(0, 's', tags => '{}', timeout_ms => 9999999), '200 s next 60000', 'a schedule');
SELECT clock(600000);
SELECT is((resonate.worker_step("limit" => 4)).step || ' ' || s_get(NULL, 's'), 'schedule 200 s last 240000 next 300000',
		  'a step of four');
SELECT is((resonate.worker_step("limit" => 4)).processed || ' ' || s_get(NULL, 's'), '4 200 s last 480000 next 540000',
		  'another one');
SELECT is(resonate.process_timeouts() || ' ' || s_get(NULL, 's'), '2 200 s last 600000 next 660000',
		  'process_timeouts() does the rest');
SELECT is(resonate.process_timeouts(), 0, 'once');

--
-- The dialect; test/unit/cron_test.c has the rest of it.
--

SELECT is(s_create(1767225600000, 'cron ' || cron, cron), format('200 cron %s next %s', cron,
				   extract(epoch FROM next_at::timestamptz)::bigint * 1000), cron || ' is next at ' || next_at)
FROM (VALUES ('*/15 * * * *', '2026-01-01 00:15Z'), ('0 9 * * 1-5', '2026-01-01 09:00Z'), ('0 0 1 * 1', '2026-01-05 00:00Z'),
	  ('0 0 ? * 1', '2026-01-05 00:00Z'), ('0 0 31 * *', '2026-01-31 00:00Z'), ('0 0 29 2 *', '2028-02-29 00:00Z'),
	  ('30 10 0 1 1 *', '2026-01-01 00:10:30Z'), ('@hourly', '2026-01-01 01:00Z'), ('@weekly', '2026-01-04 00:00Z'),
	  ('@monthly', '2026-02-01 00:00Z'), ('@yearly', '2027-01-01 00:00Z'), ('5/20 * * * *', '2026-01-01 00:05Z'),
	  ('0 0 * FEB,mar Sunday', '2026-02-01 00:00Z')) AS v (cron, next_at);

--
-- schedule.search
--

CREATE FUNCTION found(data jsonb) RETURNS text LANGUAGE plpgsql AS
$$
DECLARE
	response jsonb := rpc(NULL, 'schedule.search', data);
BEGIN
	RETURN coalesce(fault('schedule.search', response), concat_ws(' ', response #>> '{head,status}',
		(SELECT coalesce(string_agg(s ->> 'id', ' ' ORDER BY n), 'none')
		 FROM jsonb_array_elements(response #> '{data,schedules}') WITH ORDINALITY AS e (s, n)
		 WHERE response #>> '{head,status}' = '200'),
		'more after ' || (response #>> '{data,cursor}'),
		'with ' || nullif(members((response -> 'data') - 'schedules' - 'cursor'), '')));
END
$$;
SELECT is(ask(1000, 'debug.reset', '{}'), '200 {}', 'begin anew');
SELECT is(rpc(NULL, 'schedule.search', '{}') -> 'data', '{"schedules": []}', 'nothing is found');
SELECT is(s_create(1000, id, tags => tags), format('200 %s next 60000', id), 'a schedule')
FROM (VALUES ('a', '{"x": "1"}'::jsonb), ('B', '{"x": "1", "y": "2"}'), ('ä', '{}'), ('a.b', '{"y": "2"}'), ('a_b', '{}'))
AS v (id, tags);
SELECT is(found(data), '200 ' || wanted, 'search for ' || data::text)
FROM (VALUES ('{}'::jsonb, 'B a a.b a_b ä'), ('{"tags": null, "limit": null, "cursor": null, "more": 1}', 'B a a.b a_b ä'),
	  ('{"tags": {}}', 'B a a.b a_b ä'), ('{"tags": {"x": "1"}}', 'B a'), ('{"tags": {"x": "1", "y": "2"}}', 'B'),
	  ('{"tags": {"x": "2"}}', 'none'), ('{"limit": 1}', 'B more after B'), ('{"limit": 2, "cursor": "B"}', 'a a.b more after a.b'),
	  ('{"limit": 3, "cursor": "a"}', 'a.b a_b ä'), ('{"limit": 5}', 'B a a.b a_b ä'), ('{"cursor": "A"}', 'B a a.b a_b ä'),
	  ('{"cursor": "ä"}', 'none'), ('{"limit": 1, "tags": {"x": "1"}}', 'B more after B'),
	  ('{"limit": 1, "tags": {"x": "1"}, "cursor": "B"}', 'a')) AS v (data, wanted);
SELECT is(rpc(NULL, 'schedule.search', '{"limit": 1, "cursor": "A"}') #> '{data,schedules,0}',
		  rpc(NULL, 'schedule.get', '{"id": "B"}') #> '{data,schedule}', 'what is found is the record');
SELECT is(ask(1000, 'schedule.search', data), '400', 'malformed: ' || data::text)
FROM unnest(ARRAY['{"limit": 0}', '{"limit": 1001}', '{"limit": "1"}', '{"limit": 1.5}', '{"cursor": 1}', '{"tags": []}',
	'{"tags": {"x": 1}}']::jsonb[]) AS data;
SELECT is(s_create(1000, format('many %s', to_char(n, 'FM0000'))), format('200 many %s next 60000', to_char(n, 'FM0000')),
		  'one of many') FROM generate_series(1, 20) AS n;
SELECT is(found('{"cursor": "many"}'), '200 ' || (SELECT string_agg(format('many %s', to_char(n, 'FM0000')), ' ' ORDER BY n)
												 FROM generate_series(1, 10) AS n) || ' more after many 0010',
		  'a page has 10 unless asked for another number');
SELECT is((SELECT count(*) FROM jsonb_array_elements(rpc(NULL, 'schedule.search', '{"limit": 1000}') #> '{data,schedules}')),
		  25::bigint, 'up to 1000');

SELECT is_empty('SELECT * FROM resonate.check_invariants()', 'invariants hold');

SELECT finish();
ROLLBACK;
