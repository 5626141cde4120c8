-- Requests on tasks: section 3.2 of the specification, and preload (3.8).
\ir rpc.psql


SELECT no_plan();

CREATE FUNCTION begin_anew() RETURNS text LANGUAGE sql AS
$$
	SELECT is(ask(100, 'debug.reset', '{}'), '200 {}', 'begin anew')
$$;

-- A task of that id in that state, in version 1 with one resume where it can have
-- one; its promise has that deadline.
CREATE FUNCTION make_task(id text, state text, timeout_at bigint) RETURNS void LANGUAGE plpgsql AS
$$
BEGIN
	PERFORM p_create(100, 'x', 900000, '{"resonate:external": "true"}');
	PERFORM p_create(100, 'y ' || id, 900000, '{"resonate:external": "true"}');
	PERFORM t_create(100, id, timeout_at, '{"resonate:target": "poll://any@g"}', 'p', 50000);
	PERFORM p_callback(100, 'y ' || id, id);
	IF state IN ('pending', 'halted', 'acquired') THEN
		PERFORM p_settle(100, 'y ' || id);
	END IF;
	CASE state
		WHEN 'pending' THEN PERFORM t_release(100, id);
		WHEN 'acquired' THEN NULL;
		WHEN 'suspended' THEN PERFORM t_suspend(100, id, '{x}');
		WHEN 'halted' THEN PERFORM t_halt(100, id);
		WHEN 'fulfilled' THEN PERFORM t_fulfill(100, id, data => 'v');
	END CASE;
END
$$;

--
-- Every command in every state: what is answered, and what the task is then.  The
-- state "lapsed X" is X in the store, with the promise just past its deadline;
-- "stale X" is X, asked for with another version.
--

CREATE TEMP TABLE commands (command text, state text, wanted text, after text) ON COMMIT DROP;
INSERT INTO commands VALUES
	('get', 'pending', '200 pending v1 resumes 1', 'pending v1 resumes 1'),
	('get', 'acquired', '200 acquired v1 resumes 1 by p for 50000', 'acquired v1 resumes 1 by p for 50000'),
	('get', 'suspended', '200 suspended v1', 'suspended v1'),
	('get', 'halted', '200 halted v1 resumes 1', 'halted v1 resumes 1'),
	('get', 'fulfilled', '200 fulfilled v1', 'fulfilled v1'),
	('create', 'pending', '200 task acquired v2 by q for 7000, promise pending, preload []',
	 'acquired v2 by q for 7000'),
	('create', 'acquired', '409', 'acquired v1 resumes 1 by p for 50000'),
	('create', 'suspended', '409', 'suspended v1'),
	('create', 'halted', '409', 'halted v1 resumes 1'),
	('create', 'fulfilled', '200 task fulfilled v1, promise resolved v at 100, preload []', 'fulfilled v1'),
	('acquire', 'pending', '200 task acquired v2 by q for 7000, promise pending, preload []',
	 'acquired v2 by q for 7000'),
	('acquire', 'acquired', '409', 'acquired v1 resumes 1 by p for 50000'),
	('acquire', 'suspended', '409', 'suspended v1'),
	('acquire', 'halted', '409', 'halted v1 resumes 1'),
	('acquire', 'fulfilled', '409', 'fulfilled v1'),
	('acquire', 'stale pending', '409', 'pending v1 resumes 1'),
	('release', 'pending', '409', 'pending v1 resumes 1'),
	('release', 'acquired', '200 {}', 'pending v1 resumes 1'),
	('release', 'suspended', '409', 'suspended v1'),
	('release', 'halted', '409', 'halted v1 resumes 1'),
	('release', 'fulfilled', '409', 'fulfilled v1'),
	('release', 'stale acquired', '409', 'acquired v1 resumes 1 by p for 50000'),
	('suspend', 'pending', '409', 'pending v1 resumes 1'),
	('suspend', 'acquired', '200 {}', 'suspended v1'),
	('suspend', 'suspended', '409', 'suspended v1'),
	('suspend', 'halted', '409', 'halted v1 resumes 1'),
	('suspend', 'fulfilled', '409', 'fulfilled v1'),
	('suspend', 'stale acquired', '409', 'acquired v1 resumes 1 by p for 50000'),
	('fulfill', 'pending', '409', 'pending v1 resumes 1'),
	('fulfill', 'acquired', '200 rejected w at 200', 'fulfilled v1'),
	('fulfill', 'suspended', '409', 'suspended v1'),
	('fulfill', 'halted', '409', 'halted v1 resumes 1'),
	('fulfill', 'fulfilled', '409', 'fulfilled v1'),
	('fulfill', 'stale acquired', '409', 'acquired v1 resumes 1 by p for 50000'),
	('fence create', 'pending', '409', 'pending v1 resumes 1'),
	('fence create', 'acquired', '200 {200 pending} preload []', 'acquired v1 resumes 1 by p for 50000'),
	('fence create', 'suspended', '409', 'suspended v1'),
	('fence create', 'halted', '409', 'halted v1 resumes 1'),
	('fence create', 'fulfilled', '409', 'fulfilled v1'),
	('fence create', 'stale acquired', '409', 'acquired v1 resumes 1 by p for 50000'),
	('fence settle', 'pending', '409', 'pending v1 resumes 1'),
	('fence settle', 'acquired', '200 {404} preload []', 'acquired v1 resumes 1 by p for 50000'),
	('fence settle', 'suspended', '409', 'suspended v1'),
	('fence settle', 'halted', '409', 'halted v1 resumes 1'),
	('fence settle', 'fulfilled', '409', 'fulfilled v1'),
	('fence settle', 'stale acquired', '409', 'acquired v1 resumes 1 by p for 50000'),
	('heartbeat', 'pending', '200 {}', 'pending v1 resumes 1'),
	('heartbeat', 'acquired', '200 {}', 'acquired v1 resumes 1 by p for 50000'),
	('heartbeat', 'suspended', '200 {}', 'suspended v1'),
	('heartbeat', 'halted', '200 {}', 'halted v1 resumes 1'),
	('heartbeat', 'fulfilled', '200 {}', 'fulfilled v1'),
	('heartbeat', 'stale acquired', '200 {}', 'acquired v1 resumes 1 by p for 50000'),
	('halt', 'pending', '200 {}', 'halted v1 resumes 1'),
	('halt', 'acquired', '200 {}', 'halted v1 resumes 1'),
	('halt', 'suspended', '200 {}', 'halted v1'),
	('halt', 'halted', '200 {}', 'halted v1 resumes 1'),
	('halt', 'fulfilled', '409', 'fulfilled v1'),
	('continue', 'pending', '409', 'pending v1 resumes 1'),
	('continue', 'acquired', '409', 'acquired v1 resumes 1 by p for 50000'),
	('continue', 'suspended', '409', 'suspended v1'),
	('continue', 'halted', '200 {}', 'pending v1 resumes 1'),
	('continue', 'fulfilled', '409', 'fulfilled v1');
INSERT INTO commands
	SELECT c.command, 'lapsed ' || s.state,
		CASE c.command WHEN 'get' THEN '200 fulfilled v1' WHEN 'heartbeat' THEN '200 {}'
		WHEN 'create' THEN '200 task fulfilled v1, promise rejected_timedout at 200, preload []' ELSE '409' END,
		'fulfilled v1'
	FROM (SELECT DISTINCT command FROM commands) AS c
	CROSS JOIN unnest('{pending, acquired, suspended, halted}'::text[]) AS s (state);
INSERT INTO commands
	SELECT DISTINCT command, 'missing',
		CASE command WHEN 'heartbeat' THEN '200 {}'
		WHEN 'create' THEN '200 task acquired v1 by q for 7000, promise pending, preload []' ELSE '404' END,
		CASE command WHEN 'create' THEN 'acquired v1 by q for 7000' END
	FROM commands;

CREATE FUNCTION obey(command text, id text, version bigint) RETURNS text LANGUAGE plpgsql AS
$$
BEGIN
	RETURN CASE command
		WHEN 'get' THEN t_get(200, id)
		WHEN 'create' THEN t_create(200, id, 900000, '{"resonate:target": "poll://any@g"}', 'q', 7000)
		WHEN 'acquire' THEN t_acquire(200, id, version, 'q', 7000)
		WHEN 'release' THEN t_release(200, id, version)
		WHEN 'suspend' THEN t_suspend(200, id, '{x}', version)
		WHEN 'fulfill' THEN t_fulfill(200, id, version, 'rejected', 'w')
		WHEN 'fence create' THEN t_fence(200, id, 'promise.create', creation('inner ' || id, 900000, '{}'), version)
		WHEN 'fence settle' THEN t_fence(200, id, 'promise.settle', settlement('inner ' || id, 'resolved', 'v'), version)
		WHEN 'heartbeat' THEN t_heartbeat(200, jsonb_build_array(jsonb_build_object('id', id, 'version', version)))
		WHEN 'halt' THEN t_halt(200, id)
		WHEN 'continue' THEN t_continue(200, id)
	END;
END
$$;

CREATE FUNCTION check_command(c commands) RETURNS SETOF text LANGUAGE plpgsql AS
$$
DECLARE
	id text := c.command || ' when ' || c.state;
	state text := split_part(c.state, ' ', -1);
	lease bigint;
BEGIN
	IF c.state <> 'missing' THEN
		PERFORM make_task(id, state, CASE WHEN c.state LIKE 'lapsed %' THEN 200 ELSE 900000 END);
	END IF;
	lease := stored_clock(id);
	RETURN NEXT is(obey(c.command, id, CASE WHEN c.state LIKE 'stale %' THEN 2 ELSE 1 END), c.wanted, id);
	RETURN NEXT is(t_get(NULL, id), coalesce('200 ' || c.after, '404'), id || ': the task afterwards');
	-- Only one who may has the inner promise created.
	RETURN NEXT is(p_get(NULL, 'inner ' || id),
				   CASE WHEN id = 'fence create when acquired' THEN '200 pending' ELSE '404' END,
				   id || ': the promise behind a fence');
	-- The clock: a lease from now, an offer at once, or none.
	RETURN NEXT is(stored_clock(id), CASE
		WHEN c.after LIKE '%by q%' THEN 7200
		WHEN c.state = 'acquired' AND c.command = 'heartbeat' THEN 50200
		WHEN c.after LIKE 'acquired%' THEN lease
		WHEN c.after LIKE 'pending%' AND c.state IN ('acquired', 'halted') THEN 200
		WHEN c.after LIKE 'pending%' THEN lease
		ELSE stored_clock(id) * 0 END, id || ': its clock') WHERE c.state NOT LIKE 'lapsed %';
	DELETE FROM resonate.awaiters WHERE awaiter_id = id AND c.state LIKE 'lapsed %';
END
$$;
SELECT check_command(c) FROM commands c ORDER BY command, state;
SELECT clock(200);
SELECT is((SELECT string_agg(e.task_id, ', ' ORDER BY e.task_id)
		   FROM resonate.dequeue_execute('poll://any@g', 1000) AS e WHERE e.version = 1),
		  (SELECT string_agg(c.command || ' when ' || c.state, ', ' ORDER BY c.command || ' when ' || c.state COLLATE "C")
		   FROM commands c WHERE c.after LIKE 'pending%'),
		  'all that are pending are dispatched, and nothing else');

--
-- What is malformed, with the task acquired in version 1, so that all else is well.
--

SELECT begin_anew();
SELECT is(t_create(100, 't', 900000), '200 task acquired v1 by p for 60000, promise pending, preload []', 'a task');
SELECT is(p_create(100, 'x', 900000, :'E'), '200 pending', 'a promise');
SELECT is(p_create(100, 'u', 900000, :'T'), '200 pending', 'a task that is pending');

CREATE FUNCTION is_malformed(kind text, good jsonb, bad jsonb[]) RETURNS SETOF text LANGUAGE sql AS
$$
	SELECT is_refused(200, kind, CASE WHEN jsonb_typeof(b) = 'string' THEN good - (b #>> '{}') ELSE good || b END,
					  '400', format('%s is malformed %s %s', kind,
									CASE jsonb_typeof(b) WHEN 'string' THEN 'without' ELSE 'with' END, b))
	FROM unnest(bad) AS b
$$;
SELECT is_malformed('task.get', '{"id": "t"}', ARRAY['"id"', '{"id": ""}', '{"id": null}', '{"id": 1}']::jsonb[]);
SELECT is_malformed('task.acquire', '{"id": "u", "version": 0, "pid": "p", "ttl": 1}', ARRAY['"id"', '"version"', '"pid"', '"ttl"',
	'{"id": ""}', '{"id": 1}', '{"version": -1}', '{"version": "0"}', '{"version": 0.5}', '{"version": null}', '{"pid": ""}',
	'{"pid": 1}', '{"pid": null}', '{"ttl": 0}', '{"ttl": -1}', '{"ttl": "1"}', '{"ttl": 1.5}', '{"ttl": null}']::jsonb[]);
SELECT is_malformed('task.release', '{"id": "t", "version": 1}', ARRAY['"id"', '"version"', '{"id": ""}', '{"id": 1}',
	'{"version": -1}', '{"version": "1"}', '{"version": 1.5}', '{"version": null}']::jsonb[]);
SELECT is_malformed(kind, '{"id": "t"}', ARRAY['"id"', '{"id": ""}', '{"id": 1}', '{"id": null}']::jsonb[])
FROM unnest('{task.halt, task.continue}'::text[]) AS kind;
SELECT is_malformed('task.suspend', jsonb_build_object('id', 't', 'version', 1, 'actions',
		jsonb_build_array(action('promise.register_callback', '{"awaited": "x", "awaiter": "t"}'))),
	ARRAY['"id"', '"version"', '"actions"', '{"id": ""}', '{"version": -1}', '{"version": "1"}', '{"actions": []}', '{"actions": null}',
	'{"actions": {}}', '{"actions": "x"}', '{"actions": ["x"]}', '{"actions": [[]]}', '{"actions": [null]}', '{"actions": [{}]}',
	'{"actions": [{"kind": "promise.register_callback", "data": {"awaited": "x", "awaiter": "t"}}]}',
	'{"actions": [{"head": {}, "data": {"awaited": "x", "awaiter": "t"}}]}',
	'{"actions": [{"kind": 1, "head": {}, "data": {"awaited": "x", "awaiter": "t"}}]}',
	'{"actions": [{"kind": "promise.register_callback", "head": {}}]}',
	'{"actions": [{"kind": "promise.register_callback", "head": {}, "data": {"awaited": "x"}}]}',
	'{"actions": [{"kind": "promise.register_callback", "head": {}, "data": {"awaiter": "t"}}]}',
	'{"actions": [{"kind": "promise.register_callback", "head": {}, "data": {"awaited": "", "awaiter": "t"}}]}',
	'{"actions": [{"kind": "promise.register_callback", "head": {}, "data": {"awaited": 1, "awaiter": "t"}}]}',
	'{"actions": [{"kind": "promise.register_callback", "head": {}, "data": {"awaited": "x", "awaiter": "u"}}]}',
	'{"actions": [{"kind": "promise.register_callback", "head": {}, "data": {"awaited": "t", "awaiter": "t"}}]}',
	'{"actions": [{"kind": "promise.register_callback", "head": {}, "data": {"awaited": "x", "awaiter": "t"}},
				  {"kind": "promise.register_callback", "head": {}, "data": {"awaited": "t", "awaiter": "t"}}]}',
	'{"actions": [{"kind": "promise.register_callback", "head": {}, "data": {"awaited": "x", "awaiter": "t"}},
				  {"kind": "promise.register_callback", "head": {}, "data": {"awaited": "u", "awaiter": "t"}},
				  {"kind": "promise.register_callback", "head": {}, "data": {"awaited": "x", "awaiter": "t"}}]}']::jsonb[]);
SELECT is_malformed('task.fulfill', jsonb_build_object('id', 't', 'version', 1, 'action',
		action('promise.settle', settlement('t', 'resolved', NULL))),
	ARRAY['"id"', '"version"', '"action"', '{"id": ""}', '{"id": "u"}', '{"version": -1}', '{"version": "1"}', '{"action": null}',
	'{"action": []}', '{"action": {}}',
	'{"action": {"kind": "promise.settle", "data": {"id": "t", "state": "resolved"}}}',
	'{"action": {"head": {}, "data": {"id": "t", "state": "resolved"}}}',
	'{"action": {"kind": "promise.settle", "head": {}}}',
	'{"action": {"kind": "promise.settle", "head": {}, "data": "x"}}',
	'{"action": {"kind": "promise.settle", "head": {}, "data": {"id": "t"}}}',
	'{"action": {"kind": "promise.settle", "head": {}, "data": {"state": "resolved"}}}',
	'{"action": {"kind": "promise.settle", "head": {}, "data": {"id": "t", "state": "pending"}}}',
	'{"action": {"kind": "promise.settle", "head": {}, "data": {"id": "t", "state": "rejected_timedout"}}}',
	'{"action": {"kind": "promise.settle", "head": {}, "data": {"id": "t", "state": "done"}}}',
	'{"action": {"kind": "promise.settle", "head": {}, "data": {"id": "x", "state": "resolved"}}}',
	'{"action": {"kind": "promise.settle", "head": {}, "data": {"id": "t", "state": "resolved", "value": 1}}}']::jsonb[]);
SELECT is_malformed('task.create', jsonb_build_object('pid', 'p', 'ttl', 1, 'action',
		action('promise.create', creation('new', 900000, :'T'))),
	ARRAY['"pid"', '"ttl"', '"action"', '{"pid": ""}', '{"pid": 1}', '{"ttl": 0}', '{"ttl": -5}', '{"ttl": "1"}', '{"action": {}}',
	'{"action": {"kind": "promise.create", "data": {"id": "new", "timeoutAt": 900000, "tags": {"resonate:target": "w"}}}}',
	'{"action": {"head": {}, "data": {"id": "new", "timeoutAt": 900000, "tags": {"resonate:target": "w"}}}}',
	'{"action": {"kind": "promise.create", "head": {}}}',
	'{"action": {"kind": "promise.create", "head": {}, "data": {"timeoutAt": 900000, "tags": {"resonate:target": "w"}}}}',
	'{"action": {"kind": "promise.create", "head": {}, "data": {"id": "new", "tags": {"resonate:target": "w"}}}}',
	'{"action": {"kind": "promise.create", "head": {}, "data": {"id": "new", "timeoutAt": 900000}}}',
	'{"action": {"kind": "promise.create", "head": {}, "data": {"id": "new", "timeoutAt": 900000, "tags": {"resonate:external": "true"}}}}',
	'{"action": {"kind": "promise.create", "head": {}, "data": {"id": "u", "timeoutAt": 900000, "tags": {}}}}',
	'{"action": {"kind": "promise.create", "head": {}, "data": {"id": "x", "timeoutAt": 900000, "tags": {}}}}',
	'{"action": {"kind": "promise.create", "head": {}, "data": {"id": "new", "timeoutAt": 900000, "tags": {"resonate:target": ""}}}}',
	'{"action": {"kind": "promise.create", "head": {}, "data": {"id": "new", "timeoutAt": 900000, "tags": {"resonate:target": "w", "resonate:timer": "true"}}}}',
	'{"action": {"kind": "promise.create", "head": {}, "data": {"id": "new", "timeoutAt": 900000, "tags": {"resonate:target": "w", "resonate:combinator": "race"}}}}',
	'{"action": {"kind": "promise.create", "head": {}, "data": {"id": "new", "timeoutAt": -1, "tags": {"resonate:target": "w"}}}}']::jsonb[]);
SELECT is_malformed('task.fence', jsonb_build_object('id', 't', 'version', 1, 'action',
		action('promise.create', creation('new', 900000, '{}'))),
	ARRAY['"id"', '"version"', '"action"', '{"id": ""}', '{"version": -1}', '{"version": 1.5}', '{"action": null}', '{"action": {}}',
	'{"action": {"kind": "promise.create", "head": {}}}',
	'{"action": {"head": {}, "data": {"id": "new", "timeoutAt": 900000}}}',
	'{"action": {"kind": "promise.get", "head": {}, "data": {"id": "x"}}}',
	'{"action": {"kind": "promise.create", "head": {}, "data": {"id": "new"}}}',
	'{"action": {"kind": "promise.create", "head": {}, "data": {"timeoutAt": 900000}}}',
	'{"action": {"kind": "promise.create", "head": {}, "data": {"id": "new", "timeoutAt": "1"}}}',
	'{"action": {"kind": "promise.create", "head": {}, "data": {"id": "new", "timeoutAt": 900000, "tags": []}}}',
	'{"action": {"kind": "promise.create", "head": {}, "data": {"id": "t", "timeoutAt": 900000}}}',
	'{"action": {"kind": "promise.settle", "head": {}, "data": {"id": "t", "state": "resolved"}}}',
	'{"action": {"kind": "promise.settle", "head": {}, "data": {"state": "resolved"}}}',
	'{"action": {"kind": "promise.settle", "head": {}, "data": {"id": "x", "state": 1}}}',
	'{"action": {"kind": "promise.settle", "head": {}, "data": {"id": "x", "state": "resolved", "value": []}}}']::jsonb[]);
SELECT is_malformed('task.heartbeat', '{"pid": "p", "tasks": [{"id": "t", "version": 1}]}',
	ARRAY['"pid"', '"tasks"', '{"pid": ""}', '{"pid": 1}', '{"tasks": null}', '{"tasks": {}}', '{"tasks": "t"}', '{"tasks": ["t"]}',
	'{"tasks": [{}]}', '{"tasks": [{"id": "t"}]}', '{"tasks": [{"version": 1}]}', '{"tasks": [{"id": "", "version": 1}]}',
	'{"tasks": [{"id": "t", "version": "1"}]}', '{"tasks": [{"id": "t", "version": 1.5}]}',
	'{"tasks": [{"id": "t", "version": 1}, {"id": 1, "version": 1}]}', '{"tasks": [{"id": "t", "version": 1}, null]}']::jsonb[]);
SELECT is(t_get(200, 't') || ', ' || t_get(200, 'u'), '200 acquired v1 by p for 60000, 200 pending v0',
		  'none of these has done anything');

-- The kind of an action that is implied is not looked at, nor is its head.
SELECT is(ask(200, 'task.suspend', '{"id": "t", "version": 1, "actions": [{"kind": "", "head": null,
			"data": {"awaited": "x", "awaiter": "t"}}]}'), '200 {}', 'any kind and head of an action');
SELECT is(t_get(200, 't'), '200 suspended v1', 'will do');
SELECT is(ask(200, 'task.fence', '{"id": "u", "version": 1, "action": {"kind": "promise.settle",
			"data": {"id": "x", "state": "resolved"}}}'), '409', 'a fence needs no inner head');

--
-- The records, exactly.
--

SELECT begin_anew();
SELECT is(rpc(100, 'task.create', '{"pid": "p", "ttl": 5000, "action": {"kind": "promise.create", "head": {},
			"data": {"id": "t", "timeoutAt": 900000, "param": {"data": "cA=="}, "tags": {"resonate:target": "poll://any@g"}}}}')
		  -> 'data',
		  '{"task": {"id": "t", "state": "acquired", "version": 1, "resumes": 0, "ttl": 5000, "pid": "p"},
			"promise": {"id": "t", "state": "pending", "param": {"data": "cA=="}, "value": {},
						"tags": {"resonate:target": "poll://any@g"}, "timeoutAt": 900000, "createdAt": 100},
			"preload": []}', 'task.create');
SELECT is(rpc(100, 'task.release', '{"id": "t", "version": 1}') -> 'data', '{}', 'task.release');
SELECT is(rpc(100, 'task.get', '{"id": "t"}') -> 'data',
		  '{"task": {"id": "t", "state": "pending", "version": 1, "resumes": 0}}', 'task.get');
SELECT is(rpc(200, 'task.acquire', '{"id": "t", "version": 1, "pid": "q", "ttl": 9223372036854775807}') -> 'data',
		  '{"task": {"id": "t", "state": "acquired", "version": 2, "resumes": 0, "ttl": 9223372036854775807, "pid": "q"},
			"promise": {"id": "t", "state": "pending", "param": {"data": "cA=="}, "value": {},
						"tags": {"resonate:target": "poll://any@g"}, "timeoutAt": 900000, "createdAt": 100},
			"preload": []}', 'task.acquire');
SELECT is(rpc(200, 'task.fence', '{"id": "t", "version": 2, "action": {"kind": "promise.create", "head": {},
			"data": {"id": "t.0", "timeoutAt": 800000, "param": {"headers": {}, "data": "x"}, "tags": {"resonate:external": "true"}}}}')
		  -> 'data',
		  '{"action": {"kind": "promise.create", "head": {"corrId": "corr-7", "status": 200, "version": "2026-04-01"},
			"data": {"promise": {"id": "t.0", "state": "pending", "param": {"headers": {}, "data": "x"}, "value": {},
								 "tags": {"resonate:external": "true"}, "timeoutAt": 800000, "createdAt": 200}}},
			"preload": []}', 'task.fence');
SELECT is(jsonb_typeof(rpc(200, 'task.fence', '{"id": "t", "version": 2, "action": {"kind": "promise.settle", "head": {},
			"data": {"id": "none", "state": "resolved"}}}') #> '{data,action,data}'), 'string',
		  'what fails in a fence has a string for data');
SELECT is(rpc(200, 'task.heartbeat', '{"pid": "q", "tasks": []}') -> 'data', '{}', 'task.heartbeat');
SELECT is(rpc(200, 'task.suspend', '{"id": "t", "version": 2, "actions": [{"kind": "promise.register_callback", "head": {},
			"data": {"awaited": "t.0", "awaiter": "t"}}]}') -> 'data', '{}', 'task.suspend');
SELECT is(rpc(200, 'task.get', '{"id": "t"}') -> 'data',
		  '{"task": {"id": "t", "state": "suspended", "version": 2, "resumes": 0}}', 'task.get of one that is suspended');
SELECT is(rpc(200, 'task.halt', '{"id": "t"}') -> 'data', '{}', 'task.halt');
SELECT is(rpc(200, 'task.continue', '{"id": "t"}') -> 'data', '{}', 'task.continue');
SELECT is(t_acquire(200, 't', 2), '200 task acquired v3 by p for 60000, promise pending, preload []', 'again');
SELECT is(rpc(300, 'task.fulfill', '{"id": "t", "version": 3, "action": {"kind": "promise.settle", "head": {},
			"data": {"id": "t", "state": "rejected_canceled", "value": {"headers": {"a": "b"}, "data": ""}}}}') -> 'data',
		  '{"promise": {"id": "t", "state": "rejected_canceled", "param": {"data": "cA=="},
						"value": {"headers": {"a": "b"}, "data": ""}, "tags": {"resonate:target": "poll://any@g"},
						"timeoutAt": 900000, "createdAt": 100, "settledAt": 300}}', 'task.fulfill');
SELECT is(rpc(300, 'task.create', '{"pid": "p", "ttl": 5000, "action": {"kind": "promise.create", "head": {},
			"data": {"id": "t", "timeoutAt": 1, "tags": {"resonate:target": "other"}}}}') -> 'data',
		  '{"task": {"id": "t", "state": "fulfilled", "version": 3, "resumes": 0},
			"promise": {"id": "t", "state": "rejected_canceled", "param": {"data": "cA=="},
						"value": {"headers": {"a": "b"}, "data": ""}, "tags": {"resonate:target": "poll://any@g"},
						"timeoutAt": 900000, "createdAt": 100, "settledAt": 300},
			"preload": []}', 'task.create of one that is fulfilled');

--
-- task.create
--

SELECT begin_anew();
SELECT is(p_create(100, 'untargeted', 900000, :'E'), '200 pending', 'a promise without a target');
SELECT is(p_create(100, 'lapsed', 150), '200 pending', 'and one that lapses');
SELECT is(p_settle(100, 'untargeted'), '200 resolved at 100', 'settled');
SELECT is(t_create(200, 'untargeted', 900000), '422', 'cannot be taken, though settled');
SELECT is(t_create(200, 'lapsed', 900000), '422', 'nor can the other, though lapsed');
SELECT is(t_create(200, 'born dead', 200), '200 task fulfilled v0, promise rejected_timedout at 200, preload []',
		  'born at its deadline');
SELECT is(t_create(200, 'born dead 2', 10), '200 task fulfilled v0, promise rejected_timedout at 10, preload []',
		  'born after its deadline');
SELECT is(p_create(200, 'delayed', 900000, '{"resonate:target": "poll://any@g", "resonate:delay": "800000"}'), '200 pending',
		  'a delayed task');
SELECT is(t_create(200, 'delayed', 900000), '200 task acquired v1 by p for 60000, promise pending, preload []',
		  'may be taken early');
SELECT is(t_create(200, 'delayed 2', 900000, '{"resonate:target": "poll://any@g", "resonate:delay": "800000"}'),
		  '200 task acquired v1 by p for 60000, promise pending, preload []', 'a delay means nothing to who creates the task');
SELECT is(stored_clock('delayed 2'), 60200::bigint, 'nor to its lease');
SELECT is(t_create(200, 'other', 900000, '{"resonate:target": "poll://any@a"}'),
		  '200 task acquired v1 by p for 60000, promise pending, preload []', 'a task');
SELECT is(t_release(200, 'other'), '200 {}', 'released');
SELECT is(t_create(200, 'other', 1, '{"resonate:target": "poll://any@b"}'),
		  '200 task acquired v2 by p for 60000, promise pending, preload []',
		  'is taken whatever target and deadline are asked for');
SELECT is(p_get(200, 'other'), '200 pending', 'which do not change');
SELECT is(executes(900, 'poll://any@b'), 'none', 'nothing is dispatched to the other target');
SELECT is(executes(900), 'none', 'nor to who has the lease');

--
-- A lease.
--

SELECT begin_anew();
SELECT is(p_create(100, 't', 900000, :'T'), '200 pending', 'a task');
SELECT is(t_acquire(100, 't', 1), '409', 'a version that was not issued');
SELECT is(t_acquire(100, 't', 2147483647), '409', 'nor the greatest that there is');
SELECT is(t_acquire(100, 't', 2147483648), '400', 'a greater one is malformed');
SELECT is(t_acquire(100, 't', 0, 'p', 1000), '200 task acquired v1 by p for 1000, promise pending, preload []', 'acquired');
SELECT is(t_acquire(100, 't', 0, 'p', 1000), '409', 'not twice');
SELECT is(t_acquire(100, 't', 1, 'p', 1000), '409', 'not in the new version either');
SELECT is(sweep(1099), '200 []', 'a sweep a millisecond before the lease ends');
SELECT is(t_get(1099, 't'), '200 acquired v1 by p for 1000', 'leaves it');
SELECT is(t_fence(1500, 't', 'promise.create', creation('after the end', 900000, '{}')), '200 {200 pending} preload []',
		  'a lease that has ended counts until it is taken back');
SELECT is(t_create(1500, 't', 900000), '409', 'against others');
SELECT is(t_heartbeat(1600, '[{"id": "t", "version": 1}]'), '200 {}', 'and can be extended');
SELECT is(stored_clock('t'), 2600::bigint, 'by its own ttl');
SELECT is(t_heartbeat(1700, refs, pid), '200 {}', 'a heartbeat ' || what)
FROM (VALUES ('of another process', '[{"id": "t", "version": 1}]'::jsonb, 'q'),
	  ('for an older version', '[{"id": "t", "version": 0}]', 'p'),
	  ('for a newer version', '[{"id": "t", "version": 2}]', 'p'),
	  ('for a version that there cannot be', '[{"id": "t", "version": -1}, {"id": "t", "version": 9223372036854775807}]', 'p'),
	  ('for another task', '[{"id": "none", "version": 1}]', 'p'), ('for none of another process', '[]', 'q')) AS v (what, refs, pid);
SELECT is(stored_clock('t'), 2600::bigint, 'extends nothing');
SELECT is(t_create(1700, 'u', 900000, ttl => 500),
		  '200 task acquired v1 by p for 500, promise pending, preload []', 'another lease');
SELECT is(t_create(1700, 'v', 900000, pid => 'q', ttl => 500),
		  '200 task acquired v1 by q for 500, promise pending, preload []', 'and one of another process');
SELECT is(t_heartbeat(1800, '[{"id": "v", "version": 1}, {"id": "none", "version": 1}, {"id": "u", "version": 1},
							  {"id": "t", "version": 1}, {"id": "t", "version": 0}]'), '200 {}', 'a heartbeat for many');
SELECT is(format('%s %s %s', stored_clock('t'), stored_clock('u'), stored_clock('v')), '2800 2300 2200',
		  'takes each for itself');
SELECT is(sweep(2800), '200 []', 'a sweep at the end of all of them');
SELECT is((SELECT string_agg(t_get(2800, id), ', ' ORDER BY id) FROM unnest('{t, u, v}'::text[]) AS id),
		  '200 pending v1, 200 pending v1, 200 pending v1', 'takes them back, in their version');
SELECT is(executes(2800), 't v1, u v1, v v1', 'and offers them at once');
SELECT is(t_heartbeat(2801, '[{"id": "t", "version": 1}]') || t_get(2801, 't'), '200 {}200 pending v1',
		  'a heartbeat comes too late now');
SELECT is(t_release(2801, 't') || ' ' || t_fulfill(2801, 't') || ' ' || t_suspend(2801, 't', '{u}'), '409 409 409',
		  'and so does everything else');
SELECT is(t_acquire(2801, 't', 1, 'q'), '200 task acquired v2 by q for 60000, promise pending, preload []', 'another acquires it');
SELECT is(t_fulfill(2802, 't', 1) || ' ' || t_heartbeat(2802, '[{"id": "t", "version": 1}]'), '409 200 {}',
		  'who had it before has nothing');
SELECT is(stored_clock('t'), 62801::bigint, 'to say');

--
-- task.suspend
--

SELECT begin_anew();
SELECT is(p_create(100, id, 900000, :'E'), '200 pending', 'a promise') FROM unnest('{a, b, c, d, done}'::text[]) AS id;
SELECT is(p_create(100, 'lapsing', 500, :'E'), '200 pending', 'one that lapses');
SELECT is(p_create(100, 'timer', 900000, :'TIMER'), '200 pending', 'a timer');
SELECT is(p_create(100, 'task', 900000, :'T'), '200 pending', 'a task');
SELECT is(p_create(100, 'internal', 900000), '200 pending', 'an internal one');
SELECT is(p_settle(100, 'done'), '200 resolved at 100', 'one that is settled');
SELECT is(t_create(100, 't', 900000, ttl => 1000),
		  '200 task acquired v1 by p for 1000, promise pending, preload []', 'and a task');
SELECT is(p_callback(100, 'a', 't'), '200 pending', 'that awaits a');
SELECT is(p_settle(200, 'a'), '200 resolved at 200', 'which settles');
SELECT is(t_get(200, 't'), '200 acquired v1 resumes 1 by p for 1000', 'so it has a resume');

CREATE FUNCTION suspension(awaited text[], version integer DEFAULT 1) RETURNS jsonb LANGUAGE sql AS
$$
	SELECT jsonb_build_object('id', 't', 'version', version, 'actions', jsonb_agg(action('promise.register_callback',
							  jsonb_build_object('awaited', a, 'awaiter', 't'))))
	FROM unnest(awaited) AS a
$$;
SELECT is_refused(500, 'task.suspend', suspension(awaited), '422', 'cannot wait for ' || awaited::text)
FROM (VALUES ('{none}'::text[]), ('{internal}'), ('{b, none}'), ('{b, internal}'), ('{done, none}'), ('{internal, done}'),
	  ('{none, lapsing}')) AS v (awaited);
SELECT is_refused(500, 'task.suspend', suspension(awaited, 2), '409',
				  'a stale suspension conflicts, whatever it waits for: ' || awaited::text)
FROM (VALUES ('{none}'::text[]), ('{internal}'), ('{done}'), ('{b}')) AS v (awaited);
SELECT is(t_get(500, 't'), '200 acquired v1 resumes 1 by p for 1000', 'none of them has taken the resume');
SELECT is(t_suspend(500, 't', '{b, done, c}'), '300 preload []', 'one of three is settled');
SELECT is(t_get(500, 't'), '200 acquired v1 by p for 1000', 'the task stays acquired, the resume is taken');
SELECT is(stored_clock('t'), 1100::bigint, 'the lease is as it was');
SELECT is(stored_awaiters(), 'none', 'and nothing was registered');
SELECT is(t_suspend(500, 't', '{b, lapsing}'), '300 preload []', 'one of two has lapsed');
SELECT is(stored_awaiters(), 'none', 'nothing was registered');
SELECT is(t_suspend(600, 't', '{timer, task, c, b}'), '200 {}', 'none of four is settled');
SELECT is(stored_awaiters(), 'b<-t, c<-t, task<-t, timer<-t', 'the task waits for all');
SELECT is(t_get(600, 't'), '200 suspended v1', 'suspended');
SELECT is(stored_clock('t'), NULL, 'without a clock');
SELECT is(executes(600), 'task v0', 'it is not dispatched');
SELECT is(sweep(5000), '200 []', 'nor does any sweep');
SELECT is(executes(5000), 'none', 'have it dispatched');
SELECT is(p_settle(5100, 'b'), '200 resolved at 5100', 'one of them settles');
SELECT is(t_get(5100, 't'), '200 pending v1 resumes 1', 'the task is pending, with a resume');
SELECT is(stored_clock('t'), 5100::bigint, 'and is offered at once');
SELECT is(executes(5100), 't v1', 'in its version');
SELECT is(p_settle(5200, 'c'), '200 resolved at 5200', 'another one settles');
SELECT is(t_get(5200, 't'), '200 pending v1 resumes 2', 'that is counted');
SELECT is(executes(5200), 'none', 'but offers nothing new');
SELECT is(p_settle(5300, 'c'), '200 resolved at 5200', 'it settles again');
SELECT is(t_get(5300, 't'), '200 pending v1 resumes 2', 'that is not counted');
SELECT is(t_acquire(5400, 't', 1), '200 task acquired v2 by p for 60000, promise pending, preload []', 'acquired');
SELECT is(t_suspend(5500, 't', '{d}', 2), '200 {}', 'it waits for something else');
SELECT is(p_settle(5600, 'timer', 'rejected'), '200 rejected at 5600', 'what it has waited for before settles');
SELECT is(t_get(5600, 't'), '200 pending v2 resumes 1', 'which wakes it, too');
SELECT is(t_acquire(5700, 't', 2), '200 task acquired v3 by p for 60000, promise pending, preload []', 'acquired');
SELECT is(t_suspend(5800, 't', '{d}', 3), '200 {}', 'it waits for the same again');
SELECT is(stored_awaiters(), 'd<-t, task<-t', 'which is registered once');
SELECT is(p_settle(5900, 'd') || ' ' || t_get(5900, 't'), '200 resolved at 5900 200 pending v3 resumes 1', 'and wakes it once');

--
-- Resumes: counted while the task is pending, acquired or halted; cleared when it
-- is acquired or suspended; kept otherwise.
--

SELECT begin_anew();
SELECT is(p_create(100, 'x' || n, 900000, :'E'), '200 pending', 'a promise') FROM generate_series(1, 9) AS n;
SELECT is(p_create(100, 't', 900000, :'T'), '200 pending', 'a task');
SELECT is(p_callback(100, 'x' || n, 't'), '200 pending', 'waits for it') FROM generate_series(1, 9) AS n;
SELECT is(p_settle(110, 'x1') || ' ' || t_get(110, 't'), '200 resolved at 110 200 pending v0 resumes 1', 'counted while pending');
SELECT is(p_settle(120, 'x2', 'rejected') || ' ' || t_get(120, 't'), '200 rejected at 120 200 pending v0 resumes 2',
		  'however it settles');
SELECT is(t_acquire(130, 't', ttl => 1000), '200 task acquired v1 by p for 1000, promise pending, preload []', 'cleared by acquire');
SELECT is(p_settle(140, 'x3') || ' ' || t_get(140, 't'), '200 resolved at 140 200 acquired v1 resumes 1 by p for 1000',
		  'counted while acquired');
SELECT is(t_heartbeat(150, '[{"id": "t", "version": 1}]') || ' ' || t_get(150, 't'),
		  '200 {} 200 acquired v1 resumes 1 by p for 1000', 'kept by heartbeat');
SELECT is(t_release(160, 't') || ' ' || t_get(160, 't'), '200 {} 200 pending v1 resumes 1', 'kept by release');
SELECT is(t_halt(170, 't') || ' ' || t_get(170, 't'), '200 {} 200 halted v1 resumes 1', 'kept by halt');
SELECT is(p_settle(180, 'x4') || ' ' || t_get(180, 't'), '200 resolved at 180 200 halted v1 resumes 2', 'counted while halted');
SELECT is(stored_clock('t'), NULL, 'which it stays');
SELECT is(executes(180), 'none', 'and is not dispatched');
SELECT is(t_continue(190, 't') || ' ' || t_get(190, 't'), '200 {} 200 pending v1 resumes 2', 'kept by continue');
SELECT is(executes(190), 't v1', 'which has it dispatched at once');
SELECT is(t_create(200, 't', 900000, ttl => 1000), '200 task acquired v2 by p for 1000, promise pending, preload []',
		  'cleared by task.create');
SELECT is(p_settle(210, 'x5') || ' ' || sweep(1200) || ' ' || t_get(1200, 't'), '200 resolved at 210 200 [] 200 pending v2 resumes 1',
		  'kept by the end of the lease');
SELECT is(t_acquire(1300, 't', 2), '200 task acquired v3 by p for 60000, promise pending, preload []', 'acquired');
SELECT is(p_settle(1310, 'x6') || ' ' || t_suspend(1320, 't', '{x7}', 3) || ' ' || t_get(1320, 't'),
		  '200 resolved at 1310 200 {} 200 suspended v3', 'cleared by suspend');
SELECT is(t_halt(1330, 't') || ' ' || t_get(1330, 't'), '200 {} 200 halted v3', 'a suspended task is halted');
SELECT is(p_settle(1340, 'x7') || ' ' || t_get(1340, 't'), '200 resolved at 1340 200 halted v3 resumes 1',
		  'what it waits for does not wake it, but is counted');
SELECT is(t_halt(1350, 't') || ' ' || t_get(1350, 't'), '200 {} 200 halted v3 resumes 1', 'halting it again changes nothing');
SELECT is(t_continue(1360, 't') || ' ' || t_acquire(1360, 't', 3, ttl => 99999999),
		  '200 {} 200 task acquired v4 by p for 99999999, promise pending, preload []', 'acquired');
SELECT is(p_settle(1370, 'x8') || ' ' || t_fulfill(1380, 't', 4) || ' ' || t_get(1380, 't'),
		  '200 resolved at 1370 200 resolved at 1380 200 fulfilled v4', 'cleared by fulfill');
SELECT is(p_settle(1390, 'x9') || ' ' || t_get(1390, 't'), '200 resolved at 1390 200 fulfilled v4', 'and counted no more');

-- One settlement wakes many, each once, and one task can be woken by a deadline.
SELECT is(p_create(1400, 'soon', 2000, :'E'), '200 pending', 'a promise');
SELECT is(t_create(1400, 'many ' || n, 900000, ttl => 100000),
		  '200 task acquired v1 by p for 100000, promise pending, preload []', 'a task') FROM generate_series(1, 20) AS n;
SELECT is(t_suspend(1500, 'many ' || n, '{soon}'), '200 {}', 'waits for it') FROM generate_series(1, 20) AS n;
SELECT is(sweep(2000), '200 []', 'its deadline');
SELECT is((SELECT string_agg(DISTINCT t_get(2000, 'many ' || n), ', ') FROM generate_series(1, 20) AS n),
		  '200 pending v1 resumes 1', 'wakes all, each once');
SELECT is((SELECT count(*) FROM resonate.dequeue_execute('poll://any@g', 100)), 20::bigint, 'all are dispatched');

-- What a typed function settles wakes a task, too.
SELECT is((resonate.create_promise('typed', timeout_at => to_timestamp(900))).status, 2010, 'a promise of the typed functions');
SELECT is(t_acquire(2100, 'many 1', 1) || ' ' || t_suspend(2100, 'many 1', '{typed}', 2),
		  '200 task acquired v2 by p for 60000, promise pending, preload [] 200 {}', 'that a task waits for');
SELECT is((resonate.resolve('typed', '{"ok": true}')).status, 2010, 'is resolved by one');
SELECT is(t_get(2100, 'many 1') || ' ' || executes(2100), '200 pending v2 resumes 1 many 1 v2', 'which wakes the task');

--
-- task.fence
--

SELECT begin_anew();
SELECT is(t_create(100, 't', 900000), '200 task acquired v1 by p for 60000, promise pending, preload []', 'a task');
SELECT is(t_fence(200, 't', 'promise.create', creation('c', 5000, '{"resonate:target": "poll://any@c"}')),
		  '200 {200 pending} preload []', 'creates a task');
SELECT is(t_get(200, 'c') || ' ' || executes(200, 'poll://any@c'), '200 pending v0 c v0', 'that is dispatched');
SELECT is(t_fence(200, 't', 'promise.create', creation('c', 1, '{}')), '200 {200 pending} preload []',
		  'creates it again, which changes nothing');
SELECT is(rpc(200, 'promise.get', '{"id": "c"}') #> '{data,promise}',
		  '{"id": "c", "state": "pending", "param": {}, "value": {}, "tags": {"resonate:target": "poll://any@c"},
			"timeoutAt": 5000, "createdAt": 200}', 'in its record');
SELECT is(t_fence(200, 't', 'promise.create', creation('late', 100, :'T')),
		  '200 {200 rejected_timedout at 100} preload []', 'creates one that is past its deadline');
SELECT is(t_get(200, 'late'), '200 fulfilled v0', 'with a task that is fulfilled');
SELECT is(t_fence(300, 't', 'promise.create', creation('m', 5000, tags)), '200 {400} preload []', 'inside malformed: ' || tags::text)
FROM (VALUES ('{"resonate:combinator": "all"}'::jsonb), ('{"resonate:target": ""}')) AS v (tags);
SELECT is(p_get(300, 'm'), '404', 'and not created');
SELECT is(t_fence(300, 't', 'promise.settle', settlement('none', 'resolved', NULL)), '200 {404} preload []', 'settles nothing');
SELECT is(t_fence(300, 't', 'promise.settle', settlement('c', state, NULL)), '200 {400} preload []', 'inside malformed: ' || state)
FROM unnest('{pending, rejected_timedout}'::text[]) AS state;
SELECT is(p_callback(300, 'c', 't'), '200 pending', 'waits for a task');
SELECT is(t_fence(300, 't', 'promise.settle', settlement('c', 'rejected', 'v')), '200 {200 rejected v at 300} preload []',
		  'settles its promise');
SELECT is(t_get(300, 'c') || ', ' || t_get(300, 't'), '200 fulfilled v0, 200 acquired v1 resumes 1 by p for 60000',
		  'which fulfils that task and is counted in this one');
SELECT is(t_fence(400, 't', 'promise.settle', settlement('c', 'resolved', 'w')), '200 {200 rejected v at 300} preload []',
		  'settles it again, which changes nothing');
SELECT is(p_create(400, 'lapsing', 500, :'E'), '200 pending', 'a promise');
SELECT is(t_fence(500, 't', 'promise.settle', settlement('lapsing', 'resolved', 'w')),
		  '200 {200 rejected_timedout at 500} preload []', 'settles it too late');
SELECT is(t_fence(500, 't', kind, data, version), wanted, format('%s with version %s: %s', kind, version, data))
FROM (VALUES ('promise.create', creation('n', 5000, '{}'), 0, '409'), ('promise.create', creation('n', 5000, :'TT'), 0, '409'),
	  ('promise.create', creation('n', 100, '{}'), 2, '409'), ('promise.settle', settlement('c', 'resolved', NULL), 2, '409'),
	  ('promise.settle', settlement('none', 'resolved', NULL), 2, '409'), ('promise.settle', settlement('none', 'pending', NULL), 2, '409'),
	  ('promise.settle', settlement('t', 'resolved', NULL), 2, '400'), ('promise.create', creation('t', 5000, '{}'), 2, '400'))
AS v (kind, data, version, wanted);
SELECT is(t_fence(500, 'none', 'promise.create', creation('n', 5000, '{}')), '404', 'a fence without a task');
SELECT is(t_fence(500, 'n0', 'promise.create', creation('n', 5000, :'TT')), '404', 'and around something malformed');
SELECT is(p_create(500, 'untargeted', 5000, :'E'), '200 pending', 'a promise');
SELECT is(t_fence(500, 'untargeted', 'promise.create', creation('n', 5000, '{}')), '404', 'has no task');
SELECT is(p_get(500, 'n'), '404', 'nothing was created');

--
-- Preload.
--

SELECT begin_anew();
SELECT is(t_create(100, 'r', 900000, '{"resonate:target": "poll://any@g", "resonate:branch": "r"}'),
		  '200 task acquired v1 by p for 60000, promise pending, preload []', 'a task of a branch');
SELECT is(p_create(100, id, timeout_at, tags), '200 pending', 'a promise: ' || id)
FROM (VALUES ('r.b', 900000, '{"resonate:branch": "r"}'::jsonb), ('r.a', 900000, '{"resonate:branch": "r", "x": "y"}'),
	  ('R', 900000, '{"resonate:branch": "r"}'), ('r.t', 200, '{"resonate:branch": "r"}'),
	  ('r.s', 250, '{"resonate:branch": "r", "resonate:timer": "true"}'),
	  ('r.other', 900000, '{"resonate:branch": "R"}'), ('r.none', 900000, '{}'), ('r.origin', 900000, '{"resonate:origin": "r"}'),
	  ('task', 900000, '{"resonate:branch": "r", "resonate:target": "poll://any@g"}'))
AS v (id, timeout_at, tags);
SELECT is(p_settle(150, 'r.b', data => 'v'), '200 resolved v at 150', 'one is settled');
SELECT is(t_fence(199, 'r', 'promise.settle', settlement('none', 'resolved', NULL)),
		  '200 {404} preload []', 'a fence preloads nothing: its holder has made what is in the branch');
SELECT is(t_fence(300, 'r', 'promise.create', creation('r.c', 900000, '{"resonate:branch": "r"}')),
		  '200 {200 pending} preload []', 'not even what it creates');
SELECT is(p_create(300, 'y', 900000, :'E') || ' ' || p_settle(300, 'y'), '200 pending 200 resolved at 300', 'a settled promise');
SELECT is(rpc(300, 'task.suspend', jsonb_build_object('id', 'r', 'version', 1, 'actions', jsonb_build_array(
			  action('promise.register_callback', '{"awaiter": "r", "awaited": "y"}')))) #> '{data,preload,2}',
		  '{"id": "r.b", "state": "resolved", "param": {}, "value": {"data": "v"}, "tags": {"resonate:branch": "r"},
			"timeoutAt": 900000, "createdAt": 100, "settledAt": 150}', 'a suspension that is not one preloads whole records');
SELECT is(p_create(300, 'x', 900000, :'E') || ' ' || p_settle(300, 'x'), '200 pending 200 resolved at 300', 'a settled promise');
SELECT is(t_suspend(300, 'r', '{x}'), '300 preload [R pending, r.a pending, r.b resolved v at 150, r.c pending, '
		  'r.s resolved at 250, r.t rejected_timedout at 200, task pending]', 'all others of the branch, bytewise by id, as they are now');
SELECT is(t_release(300, 'r'), '200 {}', 'a release does not');
SELECT is(t_acquire(300, 'r', 1), '200 task acquired v2 by p for 60000, promise pending, preload [R pending, r.a pending, '
		  'r.b resolved v at 150, r.c pending, r.s resolved at 250, r.t rejected_timedout at 200, task pending]',
		  'acquire does');
SELECT is(t_release(300, 'r', 2), '200 {}', 'released');
SELECT is(t_create(300, 'r', 900000), '200 task acquired v3 by p for 60000, promise pending, preload [R pending, r.a pending, '
		  'r.b resolved v at 150, r.c pending, r.s resolved at 250, r.t rejected_timedout at 200, task pending]',
		  'task.create, too, by the tags that are stored');
SELECT is(t_create(300, 'task', 900000), '200 task acquired v1 by p for 60000, promise pending, preload [R pending, r pending, '
		  'r.a pending, r.b resolved v at 150, r.c pending, r.s resolved at 250, r.t rejected_timedout at 200]',
		  'each task is left out of its own');
SELECT is(t_create(300, 'new', 900000, '{"resonate:target": "poll://any@g", "resonate:branch": "R"}'),
		  '200 task acquired v1 by p for 60000, promise pending, preload [r.other pending]', 'a new task of another branch');
SET LOCAL resonate.branch_limit = 2;
SELECT matches(t_suspend(300, 'r', '{x}', 3), '^300 preload \[[^,]+, [^,]+\]$', 'resonate.branch_limit is kept');
SET LOCAL resonate.branch_limit = 0;
SELECT is(t_suspend(300, 'r', '{x}', 3), '300 preload []', 'also if it is none');
RESET resonate.branch_limit;
SELECT is(t_suspend(300, 'new', '{task}'), '200 {}', 'a suspension has none');
SELECT is(t_fulfill(300, 'r', 3), '200 resolved at 300', 'nor has task.fulfill');
SELECT is(t_create(300, 'r', 900000), '200 task fulfilled v3, promise resolved at 300, preload []',
		  'who does not get the lease gets none');
SELECT is(t_create(300, 'no branch', 900000), '200 task acquired v1 by p for 60000, promise pending, preload []',
		  'without a branch there is none');

--
-- task.search
--

CREATE FUNCTION found(now_ms bigint, data jsonb) RETURNS text LANGUAGE plpgsql AS
$$
DECLARE
	response jsonb := rpc(now_ms, 'task.search', data);
BEGIN
	RETURN coalesce(fault('task.search', response), concat_ws(' ', response #>> '{head,status}',
		(SELECT coalesce(string_agg((t ->> 'id') || ' ' || brief_task(t), ', ' ORDER BY n), 'none')
		 FROM jsonb_array_elements(response #> '{data,tasks}') WITH ORDINALITY AS e (t, n)
		 WHERE response #>> '{head,status}' = '200'),
		'more after ' || (response #>> '{data,cursor}'),
		'with ' || nullif(members((response -> 'data') - 'tasks' - 'cursor'), '')));
END
$$;
SELECT begin_anew();
SELECT is(rpc(100, 'task.search', '{}') -> 'data', '{"tasks": []}', 'nothing is found');
SELECT is(make_task(state, state, 900000)::text, '', 'a task')
FROM unnest('{pending, acquired, suspended, halted, fulfilled}'::text[]) AS state;
SELECT is(make_task('Lapsing ' || state, state, 500)::text, '', 'a task that will lapse')
FROM unnest('{pending, acquired, suspended, halted}'::text[]) AS state;
SELECT is(found(499, '{}'), '200 Lapsing acquired acquired v1 resumes 1 by p for 50000, Lapsing halted halted v1 resumes 1, '
		  'Lapsing pending pending v1 resumes 1, Lapsing suspended suspended v1, acquired acquired v1 resumes 1 by p for 50000, '
		  'fulfilled fulfilled v1, halted halted v1 resumes 1, pending pending v1 resumes 1, suspended suspended v1',
		  'bytewise by id, all of them');
SELECT is(found(now_ms, jsonb_build_object('state', state)), '200 ' || wanted, format('%s at %s', state, now_ms))
FROM (VALUES
	('pending', 499, 'Lapsing pending pending v1 resumes 1, pending pending v1 resumes 1'),
	('suspended', 499, 'Lapsing suspended suspended v1, suspended suspended v1'),
	('halted', 499, 'Lapsing halted halted v1 resumes 1, halted halted v1 resumes 1'),
	('acquired', 499, 'Lapsing acquired acquired v1 resumes 1 by p for 50000, acquired acquired v1 resumes 1 by p for 50000'),
	('fulfilled', 499, 'fulfilled fulfilled v1'),
	('pending', 500, 'pending pending v1 resumes 1'), ('acquired', 500, 'acquired acquired v1 resumes 1 by p for 50000'),
	('suspended', 500, 'suspended suspended v1'), ('halted', 500, 'halted halted v1 resumes 1'),
	('fulfilled', 500, 'Lapsing acquired fulfilled v1, Lapsing halted fulfilled v1, Lapsing pending fulfilled v1, '
					   'Lapsing suspended fulfilled v1, fulfilled fulfilled v1')) AS v (state, now_ms, wanted);
SELECT is(sweep(500), '200 []', 'a sweep');
SELECT is(found(500, '{"state": "fulfilled"}'),
		  '200 Lapsing acquired fulfilled v1, Lapsing halted fulfilled v1, Lapsing pending fulfilled v1, '
		  'Lapsing suspended fulfilled v1, fulfilled fulfilled v1', 'makes no difference');
SELECT is(found(500, data), '200 ' || wanted, 'a page: ' || data::text)
FROM (VALUES
	('{"limit": 1}'::jsonb, 'Lapsing acquired fulfilled v1 more after Lapsing acquired'),
	('{"limit": 2, "cursor": "fulfilled"}', 'halted halted v1 resumes 1, pending pending v1 resumes 1 more after pending'),
	('{"limit": 3, "cursor": "fulfilled"}',
	 'halted halted v1 resumes 1, pending pending v1 resumes 1, suspended suspended v1'),
	('{"limit": 2, "state": "fulfilled", "cursor": "Lapsing pending"}',
	 'Lapsing suspended fulfilled v1, fulfilled fulfilled v1'),
	('{"limit": 1, "state": "fulfilled", "cursor": "Lapsing pending"}',
	 'Lapsing suspended fulfilled v1 more after Lapsing suspended'),
	('{"cursor": "suspended"}', 'none'), ('{"cursor": "zzz"}', 'none'),
	('{"state": null, "limit": null, "cursor": null, "more": 1}',
	 'Lapsing acquired fulfilled v1, Lapsing halted fulfilled v1, Lapsing pending fulfilled v1, Lapsing suspended fulfilled v1, '
	 'acquired acquired v1 resumes 1 by p for 50000, fulfilled fulfilled v1, halted halted v1 resumes 1, '
	 'pending pending v1 resumes 1, suspended suspended v1')) AS v (data, wanted);
SELECT is(ask(500, 'task.search', data), '400', 'malformed: ' || data::text)
FROM unnest(ARRAY['{"limit": 0}', '{"limit": 1001}', '{"limit": "1"}', '{"limit": 1.5}', '{"state": "resolved"}', '{"state": ""}',
	'{"state": 1}', '{"cursor": 1}']::jsonb[]) AS data;
SELECT is(p_create(500, format('many %s', to_char(n, 'FM0000')), 900000, :'T'), '200 pending', 'one of many')
FROM generate_series(1, 110) AS n;
SELECT is((SELECT count(*) || ' ' || max(t ->> 'id') FROM jsonb_array_elements(
			rpc(500, 'task.search', '{"cursor": "many"}') #> '{data,tasks}') AS t), '100 many 0100',
		  'a page has 100 unless asked for another number');
SELECT is((SELECT count(*) FROM jsonb_array_elements(rpc(500, 'task.search', '{"limit": 1000}') #> '{data,tasks}')),
		  119::bigint, 'up to 1000');

--
-- halt and continue are for administrators.
--

CREATE FUNCTION status_for(role name, kind text, id text) RETURNS text LANGUAGE sql AS
$$
	SELECT result_for(role, format('SELECT resonate.resonate_rpc(%L) #>> ''{head,status}''', jsonb_build_object('kind', kind,
		'head', '{"corrId": "1", "version": "2026-04-01"}'::jsonb, 'data', jsonb_build_object('id', id))))
$$;
SELECT is(status_for('rpc_worker', 'task.halt', 'pending'), '403', 'a worker cannot halt a task');
SELECT is(status_for('rpc_worker', 'task.halt', 'none'), '403', 'nor learn that there is none');
SELECT is(t_get(500, 'pending'), '200 pending v1 resumes 1', 'it is not halted');
SELECT is(status_for('rpc_worker', 'task.continue', 'halted'), '403', 'nor continue one');
SELECT is(t_get(500, 'halted'), '200 halted v1 resumes 1', 'it is not continued');
SELECT is(status_for('rpc_admin', 'task.halt', 'pending'), '200', 'an administrator can halt a task');
SELECT is(t_get(500, 'pending'), '200 halted v1 resumes 1', 'it is halted');
SELECT is(status_for('rpc_admin', 'task.continue', 'pending'), '200', 'and continue it');
SELECT is(t_get(500, 'pending'), '200 pending v1 resumes 1', 'it is continued');
SELECT is(status_for('rpc_admin', 'task.halt', 'none'), '404', 'he learns that there is none');
SELECT is(status_for('rpc_worker', 'task.get', 'pending'), '200', 'all else is for workers');

-- Who asks is the current user, as for the typed functions: the owner of a materialized
-- view or of a function with SECURITY DEFINER, whoever uses it.
CREATE FUNCTION request(kind text, id text) RETURNS jsonb LANGUAGE sql AS
$$
	SELECT jsonb_build_object('kind', kind, 'head', '{"corrId": "1", "version": "2026-04-01"}'::jsonb,
							  'data', jsonb_build_object('id', id))
$$;
CREATE SCHEMA traps;
GRANT ALL ON SCHEMA traps TO rpc_worker, rpc_admin;
GRANT USAGE ON SCHEMA traps TO PUBLIC;
SET LOCAL ROLE rpc_worker;
CREATE FUNCTION traps.halt() RETURNS text LANGUAGE plpgsql AS
$$ BEGIN RETURN resonate.resonate_rpc(public.request('task.halt', 'pending')) #>> '{head,status}'; END $$;
CREATE FUNCTION traps.halt_as_worker() RETURNS text LANGUAGE sql SECURITY DEFINER AS 'SELECT traps.halt()';
CREATE MATERIALIZED VIEW traps.trap AS SELECT traps.halt() AS status WITH NO DATA;
SET LOCAL ROLE rpc_admin;
CREATE FUNCTION traps.halt_as_admin() RETURNS text LANGUAGE sql SECURITY DEFINER AS 'SELECT traps.halt()';
RESET ROLE;
REFRESH MATERIALIZED VIEW traps.trap;
SELECT is((SELECT status FROM traps.trap), '403', 'a materialized view of a worker halts nothing when a superuser refreshes it');
SELECT is(traps.halt_as_worker(), '403', 'nor does a function of a worker that a superuser calls');
SELECT is(t_get(500, 'pending'), '200 pending v1 resumes 1', 'it is not halted');
SELECT is(result_for('rpc_worker', 'SELECT traps.halt_as_admin()'), '200', 'a function of an administrator does');
SELECT is(t_get(500, 'pending'), '200 halted v1 resumes 1', 'it is halted');
SELECT is(status_for('rpc_admin', 'task.continue', 'pending'), '200', 'and continued');

-- Each kind of request needs what its typed function needs.
CREATE TEMP TABLE kinds (kind text, function text) ON COMMIT DROP;
INSERT INTO kinds VALUES
	('promise.get', 'get_promise'), ('promise.create', 'create_promise'), ('promise.settle', 'settle_promises'),
	('promise.register_callback', 'create_callback'), ('promise.register_listener', 'create_callback'),
	('promise.search', 'search_promises'), ('task.get', 'get_task'), ('task.create', 'create_promise_and_task'),
	('task.acquire', 'acquire_task'), ('task.release', 'release_task'), ('task.suspend', 'suspend_task'),
	('task.fulfill', 'fulfill_task'), ('task.fence', 'fence_task'), ('task.heartbeat', 'heartbeat_tasks'),
	('task.halt', 'halt_task'), ('task.continue', 'continue_task'), ('task.search', 'search_tasks'),
	('schedule.get', 'get_schedule'), ('schedule.create', 'create_schedule'),
	('schedule.delete', 'delete_schedule'), ('schedule.search', 'search_schedules');
CREATE ROLE rpc_only;
GRANT USAGE ON SCHEMA resonate TO rpc_only;
GRANT EXECUTE ON FUNCTION resonate.resonate_rpc(jsonb) TO rpc_only;
CREATE FUNCTION status_with(granted text, kind text) RETURNS text LANGUAGE plpgsql AS
$$
DECLARE
	signature text := (SELECT oid::regprocedure FROM pg_proc
					   WHERE pronamespace = 'resonate'::regnamespace AND proname = granted);
	status text;
BEGIN
	EXECUTE format('GRANT EXECUTE ON FUNCTION %s TO rpc_only', signature);
	status := status_for('rpc_only', kind, '');
	EXECUTE format('REVOKE EXECUTE ON FUNCTION %s FROM rpc_only', signature);
	RETURN status;
END
$$;
SELECT is(status_for('rpc_only', kind, ''), '403', kind || ' is refused to whom ' || function || ' is') FROM kinds;
SELECT is(status_with(function, kind), CASE WHEN kind LIKE '%.search' THEN '200' ELSE '400' END,
		  format('%s is for whom %s is', kind, function)) FROM kinds;
SELECT is(status_for('rpc_only', kind, ''), '403', kind || ' is refused once ' || function || ' is') FROM kinds;

-- What was found out is not kept for longer than it is true.
GRANT resonate_worker TO rpc_only;
SELECT is(status_for('rpc_only', 'task.get', ''), '400', 'who becomes a worker may ask');
REVOKE resonate_worker FROM rpc_only;
SELECT is(status_for('rpc_only', 'task.get', ''), '403', 'who is none any more may not');
ALTER ROLE rpc_only SUPERUSER;
SELECT is(status_for('rpc_only', 'task.halt', ''), '400', 'a superuser may');
ALTER ROLE rpc_only NOSUPERUSER;
SELECT is(status_for('rpc_only', 'task.halt', ''), '403', 'who was one may not');
SELECT is(status_for('rpc_worker', 'task.get', ''), '400', 'what one may');
SELECT is(status_for('rpc_only', 'task.get', ''), '403', 'another one may not');

SELECT is_empty('SELECT * FROM resonate.check_invariants()', 'invariants hold');

SELECT finish();
ROLLBACK;
