-- The envelope of the wire protocol: what is a request at all, what every answer
-- has, and that being malformed comes before everything else.
\ir rpc.psql


SELECT no_plan();

CREATE FUNCTION raw(request jsonb) RETURNS text LANGUAGE sql AS
$$
	SELECT format('%s %s %s %s', r ->> 'kind', r #>> '{head,corrId}', r #>> '{head,status}',
				  jsonb_typeof(r -> 'data'))
	FROM resonate.resonate_rpc(request) AS r
$$;

--
-- A good request.
--

SELECT is(p_create(100, 'p', 1000), '200 pending', 'a promise');
SELECT is(resonate.resonate_rpc('{"kind": "promise.get", "head": {"corrId": "some id", "version": "2026-04-01"},
								  "data": {"id": "p"}}'),
		  '{"kind": "promise.get", "head": {"corrId": "some id", "status": 200, "version": "2026-04-01"},
			"data": {"promise": {"id": "p", "state": "pending", "param": {}, "value": {}, "tags": {},
								 "timeoutAt": 1000, "createdAt": 100}}}',
		  'the answer has the kind and the corrId of the request, a status and the version');
SELECT is(resonate.resonate_rpc('{"kind": "promise.get", "more": 1, "data": {"id": "p", "more": [null]},
								  "head": {"corrId": "", "version": "2026-04-01", "more": {}, "auth": "token",
										   "resonate:origin": "root"}}') #> '{head}',
		  '{"corrId": "", "status": 200, "version": "2026-04-01"}',
		  'other members are ignored; a corrId may be empty');
SELECT is(members(rpc(100, 'promise.get', '{"id": "none"}')), 'data,head,kind', 'so it is with an error');
SELECT is(members(rpc(100, 'promise.get', '{"id": "none"}') -> 'head'), 'corrId,status,version', 'head and all');
SELECT isnt(rpc(100, 'promise.get', '{"id": "none"}') ->> 'data', '', 'which says something');

--
-- What is no request.
--

SELECT is(raw(request), 'unknown 0 400 string', 'no request: ' || coalesce(request::text, 'NULL'))
FROM (VALUES (NULL::jsonb), ('null'), ('1'), ('"promise.get"'), ('true'), ('[]'), ('{}'),
	  ('[{"kind": "promise.get", "head": {"corrId": "c", "version": "2026-04-01"}, "data": {"id": "p"}}]'),
	  ('{"data": {}}'), ('{"kind": null, "head": null, "data": null}'),
	  ('{"kind": 1, "head": [], "data": {"id": "p"}}')) AS v (request);

SELECT is(raw(request), wanted, what)
FROM (VALUES
	('no kind', '{"head": {"corrId": "c", "version": "2026-04-01"}, "data": {"id": "p"}}'::jsonb,
	 'unknown c 400 string'),
	('a kind that is null', '{"kind": null, "head": {"corrId": "c", "version": "2026-04-01"}, "data": {"id": "p"}}',
	 'unknown c 400 string'),
	('a kind that is no string', '{"kind": 1, "head": {"corrId": "c", "version": "2026-04-01"}, "data": {"id": "p"}}',
	 'unknown c 400 string'),
	('no head', '{"kind": "promise.get", "data": {"id": "p"}}', 'promise.get 0 400 string'),
	('a head that is no object', '{"kind": "promise.get", "head": "c", "data": {"id": "p"}}',
	 'promise.get 0 400 string'),
	('a head that is an array', '{"kind": "promise.get", "head": ["corrId"], "data": {"id": "p"}}',
	 'promise.get 0 400 string'),
	('no corrId', '{"kind": "promise.get", "head": {"version": "2026-04-01"}, "data": {"id": "p"}}',
	 'promise.get 0 400 string'),
	('a corrId that is null',
	 '{"kind": "promise.get", "head": {"corrId": null, "version": "2026-04-01"}, "data": {"id": "p"}}',
	 'promise.get 0 400 string'),
	('a corrId that is no string',
	 '{"kind": "promise.get", "head": {"corrId": 7, "version": "2026-04-01"}, "data": {"id": "p"}}',
	 'promise.get 0 400 string'),
	('no version', '{"kind": "promise.get", "head": {"corrId": "c"}, "data": {"id": "p"}}',
	 'promise.get c 400 string'),
	('a version that is no string', '{"kind": "promise.get", "head": {"corrId": "c", "version": 20260401},
	  "data": {"id": "p"}}', 'promise.get c 400 string'),
	('another version', '{"kind": "promise.get", "head": {"corrId": "c", "version": "1"}, "data": {"id": "p"}}',
	 'promise.get c 400 string'),
	('a version that looks similar', '{"kind": "promise.get", "head": {"corrId": "c", "version": "2026-04-01 "},
	  "data": {"id": "p"}}', 'promise.get c 400 string'),
	('an empty version', '{"kind": "promise.get", "head": {"corrId": "c", "version": ""}, "data": {"id": "p"}}',
	 'promise.get c 400 string'),
	('no data', '{"kind": "promise.get", "head": {"corrId": "c", "version": "2026-04-01"}}',
	 'promise.get c 400 string'),
	('data that are null', '{"kind": "promise.get", "head": {"corrId": "c", "version": "2026-04-01"}, "data": null}',
	 'promise.get c 400 string'),
	('data that are an array',
	 '{"kind": "promise.get", "head": {"corrId": "c", "version": "2026-04-01"}, "data": [{"id": "p"}]}',
	 'promise.get c 400 string'),
	('data that are a string', '{"kind": "promise.get", "head": {"corrId": "c", "version": "2026-04-01"}, "data": "p"}',
	 'promise.get c 400 string'),
	('data that are missing where none are needed',
	 '{"kind": "promise.search", "head": {"corrId": "c", "version": "2026-04-01"}}',
	 'promise.search c 400 string')) AS v (what, request, wanted);
SELECT is(resonate.resonate_rpc('{"kind": "", "head": {"corrId": "c", "version": "2026-04-01"}, "data": {"id": "p"}}')
		  #>> '{head,status}', '400', 'an empty kind');
SELECT is(resonate.resonate_rpc('{"kind": "promise.get", "head": {"corrId": "c", "version": "1"}, "data": {"id": "p"}}')
		  #>> '{head,version}', '2026-04-01', 'the version of an answer is ours');

SELECT is(ask(100, kind, '{"id": "p"}'), '400', 'there is no kind ' || quote_literal(kind))
FROM unnest('{promise,promise.,promise.gets,Promise.get," promise.get","promise.get ",promise.delete,task.delete,
			 schedule.update,message.receive,.,debug,unknown}'::text[]) AS kind;

--
-- Every kind: without data it is malformed or, where it needs none, answered.
--

CREATE TEMP TABLE kinds (kind text, bare text, worker text) ON COMMIT DROP;
INSERT INTO kinds VALUES
	('promise.get', '400', '400'), ('promise.create', '400', '400'), ('promise.settle', '400', '400'),
	('promise.register_callback', '400', '400'), ('promise.register_listener', '400', '400'),
	('promise.search', '200 {"promises": []}', '200'),
	('task.get', '400', '400'), ('task.create', '400', '400'), ('task.acquire', '400', '400'),
	('task.release', '400', '400'), ('task.suspend', '400', '400'), ('task.fulfill', '400', '400'),
	('task.fence', '400', '400'), ('task.heartbeat', '400', '400'), ('task.halt', '400', NULL),
	('task.continue', '400', NULL), ('task.search', '200 {"tasks": []}', '200'),
	('schedule.get', '400', '400'), ('schedule.create', '400', '400'), ('schedule.delete', '400', '400'),
	('schedule.search', '200 {"schedules": []}', '200'),
	('debug.tick', '400', '403'), ('debug.reset', '200 {}', '403'), ('debug.start', '200 {}', '403'),
	('debug.stop', '200 {}', '403'), ('debug.snap', NULL, '403');

SELECT is(ask(100, 'debug.reset', '{}'), '200 {}', 'with nothing stored');
SELECT is(ask(100, kind, '{}'), bare, kind || ' without data')
FROM kinds WHERE bare IS NOT NULL ORDER BY kind;
SELECT is(ask(100, kind, '{"id": 1, "awaited": 1, "awaiter": 1, "address": 1, "version": "0", "tasks": {}, "time": "0",
						   "timeoutAt": "0", "action": [], "actions": {}, "cron": 1, "limit": "1", "pid": 1,
						   "ttl": "1"}'), '400', kind || ' with data of other types')
FROM kinds WHERE kind NOT IN ('debug.reset', 'debug.start', 'debug.stop', 'debug.snap') ORDER BY kind;

-- Without resonate.debug, for a role that is a worker.
SET LOCAL resonate.debug = off;
SELECT is(result_for('rpc_worker', format($$SELECT resonate.resonate_rpc('{"kind": "%s", "data": {},
			"head": {"corrId": "0", "version": "2026-04-01"}}') #>> '{head,status}'$$, kind)),
		  worker, kind || ' without data, from a worker')
FROM kinds WHERE worker IS NOT NULL ORDER BY kind;
SET LOCAL resonate.debug = on;
SELECT is(result_for('resonate_' || role, $$SELECT resonate.resonate_rpc('{"kind": "promise.search", "data": {},
			"head": {"corrId": "0", "version": "2026-04-01"}}') #>> '{head,status}'$$),
		  'SQLSTATE 42501', role || 's have no access to the wire protocol')
FROM unnest('{client, reader}'::text[]) AS role;

--
-- The clock of a request.
--

SELECT clock(100);
SELECT is(ask(NULL, 'promise.create', creation('t', 1000, '{}'), '{"resonate:debug_time": 200}'), '200 pending',
		  'a request may say when it is made');
SELECT is(rpc(NULL, 'promise.get', '{"id": "t"}', '{"resonate:debug_time": 300}') #>> '{data,promise,createdAt}', '200',
		  'and so it is');
SELECT is(p_create(NULL, 'u', 1000), '200 pending', 'one that does not,');
SELECT is(rpc(NULL, 'promise.get', '{"id": "u"}') #>> '{data,promise,createdAt}', '100',
		  'has the clock of the session, whatever was said before');
SELECT is(ask(NULL, 'promise.get', '{"id": "t"}', '{"resonate:debug_time": 999}'), '200 pending',
		  'a millisecond before the deadline');
SELECT is(ask(NULL, 'promise.get', '{"id": "t"}', '{"resonate:debug_time": 1000}'),
		  '200 rejected_timedout at 1000', 'at the deadline');
SELECT is(ask(NULL, 'promise.get', '{"id": "u"}', jsonb_build_object('resonate:debug_time', time)), '400',
		  'no time: ' || time::text)
FROM unnest(ARRAY['-1', '1.5', '"100"', '{}', 'true', '1e30']::jsonb[]) AS time;
SELECT is(ask(NULL, 'promise.create', '{"id": "v"}', '{"resonate:debug_time": 300}'), '400',
		  'a request that is malformed');
SELECT is(rpc(NULL, 'promise.create', creation('v', 1000, '{}')) #>> '{data,promise,createdAt}', '100',
		  'leaves the clock as it was');

-- One that raises an error, from wherever, ends with the time that it has named.
CREATE FUNCTION fail_of_others() RETURNS trigger LANGUAGE plpgsql AS
$$
BEGIN
	RAISE EXCEPTION USING ERRCODE = 'P0996';
END
$$;
CREATE TRIGGER fail BEFORE INSERT ON resonate.promises FOR EACH ROW WHEN (NEW.id = 'fails') EXECUTE FUNCTION fail_of_others();
SELECT throws_ok($$SELECT rpc(NULL, 'promise.create', creation('fails', 1000, '{}'), '{"resonate:debug_time": 300}')$$, 'P0996',
				 NULL, 'a request that raises an error');
SELECT is(rpc(NULL, 'promise.create', creation('after that', 1000, '{}')) #>> '{data,promise,createdAt}', '100',
		  'leaves the clock as it was, too');
SELECT is(extract(epoch FROM (resonate.create_promise('typed, after that')).created_at) * 1000, 100::numeric, 'also for the typed functions');
DROP TRIGGER fail ON resonate.promises;
SET LOCAL resonate.test_clock = '';
SELECT is((rpc(NULL, 'promise.create', creation('w', 9000000000000, '{}')) #>> '{data,promise,createdAt}')::bigint / 86400000,
		  extract(epoch FROM clock_timestamp())::bigint / 86400, 'without either it is the time of day');

--
-- 400 comes before 404: requests that are malformed, about nothing that exists.
--

SELECT is_refused(100, kind, data::jsonb, '400', format('%s %s is malformed before it is not found', kind, data::jsonb))
FROM (VALUES
	('promise.settle', '{"id": "none", "state": "pending"}'),
	('promise.settle', '{"id": "none", "state": "rejected_timedout"}'),
	('promise.settle', '{"id": "none", "state": "unheard of"}'),
	('promise.settle', '{"id": "none"}'),
	('promise.register_callback', '{"awaited": "none", "awaiter": "none"}'),
	('promise.register_callback', '{"awaited": "none"}'),
	('promise.register_listener', '{"awaited": "none", "address": "poll://default"}'),
	('promise.register_listener', '{"awaited": "none"}'),
	('task.acquire', '{"id": "none", "version": 0, "pid": "p", "ttl": 0}'),
	('task.acquire', '{"id": "none", "version": 0, "pid": "", "ttl": 1}'),
	('task.acquire', '{"id": "none", "version": -1, "pid": "p", "ttl": 1}'),
	('task.release', '{"id": "none"}'),
	('task.release', '{"id": "none", "version": -1}'),
	('task.suspend', '{"id": "none", "version": 1, "actions": []}'),
	('task.suspend', '{"id": "none", "version": 1, "actions": [{"kind": "promise.register_callback", "head": {},
					   "data": {"awaited": "none", "awaiter": "none"}}]}'),
	('task.suspend', '{"id": "none", "version": 1, "actions": [
					   {"kind": "promise.register_callback", "head": {}, "data": {"awaited": "a", "awaiter": "none"}},
					   {"kind": "promise.register_callback", "head": {}, "data": {"awaited": "a", "awaiter": "none"}}]}'),
	('task.suspend', '{"id": "none", "version": 1, "actions": [{"kind": "promise.register_callback", "head": {},
					   "data": {"awaited": "a", "awaiter": "other"}}]}'),
	('task.fulfill', '{"id": "none", "version": 1, "action": {"kind": "promise.settle", "head": {},
					   "data": {"id": "none", "state": "pending"}}}'),
	('task.fulfill', '{"id": "none", "version": 1, "action": {"kind": "promise.settle", "head": {},
					   "data": {"id": "other", "state": "resolved"}}}'),
	('task.fence', '{"id": "none", "version": 1, "action": {"kind": "promise.settle", "head": {},
					 "data": {"id": "none", "state": "resolved"}}}'),
	('task.fence', '{"id": "none", "version": 1, "action": {"kind": "promise.create", "head": {},
					 "data": {"id": "none", "timeoutAt": 1000}}}'),
	('task.fence', '{"id": "none", "version": 1, "action": {"kind": "promise.search", "head": {}, "data": {"id": "x"}}}'),
	('task.fence', '{"id": "none", "version": 1, "action": {"kind": "promise.create", "data": {"id": "x"}}}'),
	('task.heartbeat', '{"pid": "p", "tasks": [{"id": "none"}]}'),
	('schedule.delete', '{"id": ""}')) AS v (kind, data);

SELECT clock(9000000000000);
SELECT is_empty('SELECT * FROM resonate.check_invariants()', 'invariants hold');

SELECT finish();
ROLLBACK;
