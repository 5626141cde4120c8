-- Malformed requests of the wire protocol: every member of every request with
-- every kind of bad value.  Whatever is malformed is answered with status 400
-- and writes nothing; no request is an error.
--
-- What is malformed is written down here from section 2.4 of the specification.
-- Where that has no upper limit, ours are 1024 bytes for ids, addresses and
-- process ids, the range of int8 for times and that of int4, which is on the
-- wire (5.3), for versions.
\ir helpers.psql

SELECT no_plan();

--
-- The requests, each of which succeeds as it is once the store is filled
--

CREATE TEMP TABLE requests (request text UNIQUE, kind text, data jsonb) ON COMMIT DROP;
INSERT INTO requests (kind, data) VALUES
	('promise.get', '{"id": "external"}'),
	('promise.create', '{"id": "new", "timeoutAt": 4000000060000, "param": {"headers": {"h": "1"}, "data": "MQ=="},
						 "tags": {"t": "1", "resonate:target": "poll://any@g"}}'),
	('promise.settle', '{"id": "external", "state": "resolved", "value": {"headers": {"h": "1"}, "data": "MQ=="}}'),
	('promise.register_callback', '{"awaited": "external", "awaiter": "offered"}'),
	('promise.register_listener', '{"awaited": "external", "address": "poll://uni@g/w"}'),
	('promise.search', '{"state": "pending", "tags": {"t": "1"}, "limit": 10, "cursor": "a"}'),
	('task.get', '{"id": "offered"}'),
	('task.create', '{"pid": "w", "ttl": 1000, "action": {"kind": "promise.create", "head": {}, "data": {
						"id": "new", "timeoutAt": 4000000060000, "param": {"headers": {"h": "1"}, "data": "MQ=="},
						"tags": {"t": "1", "resonate:target": "poll://any@g"}}}}'),
	('task.acquire', '{"id": "offered", "version": 0, "pid": "w", "ttl": 1000}'),
	('task.release', '{"id": "held", "version": 1}'),
	('task.suspend', '{"id": "held", "version": 1, "actions": [
						{"kind": "promise.register_callback", "head": {}, "data": {"awaited": "external", "awaiter": "held"}},
						{"kind": "promise.register_callback", "head": {}, "data": {"awaited": "offered", "awaiter": "held"}}]}'),
	('task.fulfill', '{"id": "held", "version": 1, "action": {"kind": "promise.settle", "head": {}, "data": {
						"id": "held", "state": "resolved", "value": {"headers": {"h": "1"}, "data": "MQ=="}}}}'),
	('task.fence', '{"id": "held", "version": 1, "action": {"kind": "promise.create", "head": {}, "data": {
						"id": "new", "timeoutAt": 4000000060000, "param": {"headers": {"h": "1"}, "data": "MQ=="},
						"tags": {"t": "1", "resonate:target": "poll://any@g"}}}}'),
	('task.heartbeat', '{"pid": "w", "tasks": [{"id": "held", "version": 1}]}'),
	('task.halt', '{"id": "held"}'),
	('task.continue', '{"id": "halted"}'),
	('task.search', '{"state": "pending", "limit": 10, "cursor": "a"}'),
	('schedule.get', '{"id": "minutely"}'),
	('schedule.create', '{"id": "new", "cron": "* * * * *", "promiseId": "{{.id}}.{{.timestamp}}", "promiseTimeout": 1000,
						  "promiseParam": {"headers": {"h": "1"}, "data": "MQ=="},
						  "promiseTags": {"t": "1", "resonate:target": "poll://any@g"}}'),
	('schedule.delete', '{"id": "minutely"}'),
	('schedule.search', '{"tags": {"t": "1"}, "limit": 10, "cursor": "a"}');
UPDATE requests SET request = kind;
INSERT INTO requests VALUES
	('task.fence settle', 'task.fence', '{"id": "held", "version": 1, "action": {"kind": "promise.settle", "head": {},
		"data": {"id": "external", "state": "resolved", "value": {"headers": {"h": "1"}, "data": "MQ=="}}}}'),
	('debug.tick', 'debug.tick', '{"time": 4000000000000}');

CREATE FUNCTION envelope(kind text, data jsonb) RETURNS jsonb LANGUAGE sql AS
$$
	SELECT jsonb_build_object('kind', kind, 'head', '{"corrId": "corr-7", "version": "2026-04-01"}'::jsonb,
							  'data', data)
$$;

--
-- The values, and where each of them is right
--

CREATE TEMP TABLE bad_values (value_name text PRIMARY KEY, value jsonb) ON COMMIT DROP;
INSERT INTO bad_values VALUES
	('absent', NULL), ('null', 'null'), ('true', 'true'), ('false', 'false'),
	('0', '0'), ('1', '1'), ('-1', '-1'), ('1.5', '1.5'), ('1.0', '1.0'), ('1e100', '1e100'),
	('above int4', '2147483648'), ('the last int8', '9223372036854775807'), ('above int8', '9223372036854775808'),
	('string', '"x"'), ('string 1', '"1"'), ('empty string', '""'),
	('long string', to_jsonb(repeat('x', 1024 * 1024))),
	('array', '[]'), ('array of a number', '[1]'), ('array of a string', '["x"]'), ('array of an object', '[{}]'),
	('object', '{}'), ('object of a number', '{"a": 1}'), ('object of a string', '{"a": "x"}'),
	('object of null', '{"a": null}'), ('object of an object', '{"a": {}}'),
	('deep array', (repeat('[', 50) || repeat(']', 50))::jsonb),
	('deep object', (repeat('{"a": ', 50) || '1' || repeat('}', 50))::jsonb);

-- What is not listed is malformed.  "fine" is everything but a refusal of the
-- request as malformed; "inner" is a fence that holds and whose action is
-- refused as malformed.
CREATE TEMP TABLE rules (member_type text, result text, value_names text[]) ON COMMIT DROP;
INSERT INTO rules VALUES
	-- Text that is not empty: ids, process ids.
	('id', 'fine', '{string, string 1}'),
	('pid', 'fine', '{string, string 1}'),
	-- Text that has to be something certain.
	('the task itself', 'fine', '{}'),
	('address', 'fine', '{}'),
	('cron', 'fine', '{}'),
	('settled state', 'fine', '{}'),
	('fence kind', 'fine', '{}'),
	-- Integers.
	('time', 'fine', '{0, 1, above int4, the last int8}'),
	('version', 'fine', '{0, 1}'),
	('version to extend', 'fine', '{-1, 0, 1, above int4, the last int8}'),
	('ttl', 'fine', '{1, above int4, the last int8}'),
	-- The end of time has too many minutes to fire a schedule in each.
	('tick', 'fine', '{0, 1, above int4}'), ('tick', 'not tried', '{the last int8}'),
	-- Objects of strings, and what is in them.
	('tags', 'fine', '{absent, object, object of a string}'),
	('tags with a target', 'fine', '{}'),
	('headers', 'fine', '{absent, object, object of a string}'),
	('string of an object', 'fine', '{absent, string, string 1, empty string, long string}'),
	('target', 'fine', '{absent, string, string 1}'),
	('target that must be', 'fine', '{string, string 1}'),
	('target in a fence', 'fine', '{absent, string, string 1}'),
	('target in a fence', 'inner', '{empty string, long string}'),
	('delay', 'fine', '{absent, string 1}'),
	('delay in a fence', 'fine', '{absent, string 1}'),
	('delay in a fence', 'inner', '{string, empty string, long string}'),
	-- Params and values: members that nobody knows are ignored.
	('payload', 'fine', '{absent, object, object of a number, object of a string, object of null,
						   object of an object, deep object}'),
	('payload data', 'fine', '{absent, "null", string, string 1, empty string, long string}'),
	-- Requests in requests.
	('ignored string', 'fine', '{string, string 1, empty string, long string}'),
	('ignored', 'fine', (SELECT array_agg(value_name) FROM bad_values WHERE value_name <> 'absent')),
	('optional and ignored', 'fine', (SELECT array_agg(value_name) FROM bad_values)),
	('object with members', 'fine', '{}'),
	('array of actions', 'fine', '{}'),
	('one of two actions', 'fine', '{absent}'),
	('array of leases', 'fine', '{array}'),
	('lease', 'fine', '{absent}'),
	-- Searches: what is absent may also be null.
	('optional state', 'fine', '{absent, "null"}'),
	('optional tags', 'fine', '{absent, "null", object, object of a string}'),
	('optional limit', 'fine', '{absent, "null", 1}'),
	('optional cursor', 'fine', '{absent, "null", string, string 1, empty string, long string}');

--
-- The members of the requests
--

CREATE TEMP TABLE members (request text, path text[], member_type text) ON COMMIT DROP;
INSERT INTO members VALUES
	('promise.get', '{id}', 'id'),
	('promise.create', '{id}', 'id'),
	('promise.create', '{timeoutAt}', 'time'),
	('promise.create', '{param}', 'payload'),
	('promise.create', '{param, headers}', 'headers'),
	('promise.create', '{param, headers, h}', 'string of an object'),
	('promise.create', '{param, data}', 'payload data'),
	('promise.create', '{tags}', 'tags'),
	('promise.create', '{tags, t}', 'string of an object'),
	('promise.create', '{tags, resonate:target}', 'target'),
	('promise.create', '{tags, resonate:delay}', 'delay'),
	('promise.settle', '{id}', 'id'),
	('promise.settle', '{state}', 'settled state'),
	('promise.settle', '{value}', 'payload'),
	('promise.settle', '{value, headers}', 'headers'),
	('promise.settle', '{value, headers, h}', 'string of an object'),
	('promise.settle', '{value, data}', 'payload data'),
	('promise.register_callback', '{awaited}', 'id'),
	('promise.register_callback', '{awaiter}', 'id'),
	('promise.register_listener', '{awaited}', 'id'),
	('promise.register_listener', '{address}', 'address'),
	('promise.search', '{state}', 'optional state'),
	('promise.search', '{tags}', 'optional tags'),
	('promise.search', '{tags, t}', 'string of an object'),
	('promise.search', '{limit}', 'optional limit'),
	('promise.search', '{cursor}', 'optional cursor'),
	('task.get', '{id}', 'id'),
	('task.create', '{pid}', 'pid'),
	('task.create', '{ttl}', 'ttl'),
	('task.create', '{action}', 'object with members'),
	('task.create', '{action, kind}', 'ignored string'),
	('task.create', '{action, head}', 'ignored'),
	('task.create', '{action, data}', 'object with members'),
	('task.create', '{action, data, id}', 'id'),
	('task.create', '{action, data, timeoutAt}', 'time'),
	('task.create', '{action, data, param}', 'payload'),
	('task.create', '{action, data, param, headers}', 'headers'),
	('task.create', '{action, data, param, headers, h}', 'string of an object'),
	('task.create', '{action, data, param, data}', 'payload data'),
	('task.create', '{action, data, tags}', 'tags with a target'),
	('task.create', '{action, data, tags, t}', 'string of an object'),
	('task.create', '{action, data, tags, resonate:target}', 'target that must be'),
	('task.create', '{action, data, tags, resonate:delay}', 'delay'),
	('task.acquire', '{id}', 'id'),
	('task.acquire', '{version}', 'version'),
	('task.acquire', '{pid}', 'pid'),
	('task.acquire', '{ttl}', 'ttl'),
	('task.release', '{id}', 'id'),
	('task.release', '{version}', 'version'),
	-- Another id is that of no awaiter in the actions.
	('task.suspend', '{id}', 'the task itself'),
	('task.suspend', '{version}', 'version'),
	('task.suspend', '{actions}', 'array of actions'),
	('task.suspend', '{actions, 0}', 'one of two actions'),
	('task.suspend', '{actions, 0, kind}', 'ignored string'),
	('task.suspend', '{actions, 0, head}', 'ignored'),
	('task.suspend', '{actions, 0, data}', 'object with members'),
	('task.suspend', '{actions, 0, data, awaited}', 'id'),
	('task.suspend', '{actions, 0, data, awaiter}', 'the task itself'),
	('task.suspend', '{actions, 1}', 'one of two actions'),
	('task.suspend', '{actions, 1, kind}', 'ignored string'),
	('task.suspend', '{actions, 1, head}', 'ignored'),
	('task.suspend', '{actions, 1, data}', 'object with members'),
	('task.suspend', '{actions, 1, data, awaited}', 'id'),
	('task.suspend', '{actions, 1, data, awaiter}', 'the task itself'),
	('task.fulfill', '{id}', 'the task itself'),
	('task.fulfill', '{version}', 'version'),
	('task.fulfill', '{action}', 'object with members'),
	('task.fulfill', '{action, kind}', 'ignored string'),
	('task.fulfill', '{action, head}', 'ignored'),
	('task.fulfill', '{action, data}', 'object with members'),
	('task.fulfill', '{action, data, id}', 'the task itself'),
	('task.fulfill', '{action, data, state}', 'settled state'),
	('task.fulfill', '{action, data, value}', 'payload'),
	('task.fulfill', '{action, data, value, headers}', 'headers'),
	('task.fulfill', '{action, data, value, headers, h}', 'string of an object'),
	('task.fulfill', '{action, data, value, data}', 'payload data'),
	('task.fence', '{id}', 'id'),
	('task.fence', '{version}', 'version'),
	('task.fence', '{action}', 'object with members'),
	('task.fence', '{action, kind}', 'fence kind'),
	('task.fence', '{action, head}', 'optional and ignored'),
	('task.fence', '{action, data}', 'object with members'),
	('task.fence', '{action, data, id}', 'id'),
	('task.fence', '{action, data, timeoutAt}', 'time'),
	('task.fence', '{action, data, param}', 'payload'),
	('task.fence', '{action, data, param, headers}', 'headers'),
	('task.fence', '{action, data, param, headers, h}', 'string of an object'),
	('task.fence', '{action, data, param, data}', 'payload data'),
	('task.fence', '{action, data, tags}', 'tags'),
	('task.fence', '{action, data, tags, t}', 'string of an object'),
	('task.fence', '{action, data, tags, resonate:target}', 'target in a fence'),
	('task.fence', '{action, data, tags, resonate:delay}', 'delay in a fence'),
	('task.fence settle', '{id}', 'id'),
	('task.fence settle', '{version}', 'version'),
	('task.fence settle', '{action}', 'object with members'),
	('task.fence settle', '{action, kind}', 'fence kind'),
	('task.fence settle', '{action, head}', 'optional and ignored'),
	('task.fence settle', '{action, data}', 'object with members'),
	('task.fence settle', '{action, data, id}', 'id'),
	('task.fence settle', '{action, data, state}', 'settled state'),
	('task.fence settle', '{action, data, value}', 'payload'),
	('task.fence settle', '{action, data, value, headers}', 'headers'),
	('task.fence settle', '{action, data, value, headers, h}', 'string of an object'),
	('task.fence settle', '{action, data, value, data}', 'payload data'),
	('task.heartbeat', '{pid}', 'pid'),
	('task.heartbeat', '{tasks}', 'array of leases'),
	('task.heartbeat', '{tasks, 0}', 'lease'),
	('task.heartbeat', '{tasks, 0, id}', 'id'),
	('task.heartbeat', '{tasks, 0, version}', 'version to extend'),
	('task.halt', '{id}', 'id'),
	('task.continue', '{id}', 'id'),
	('task.search', '{state}', 'optional state'),
	('task.search', '{limit}', 'optional limit'),
	('task.search', '{cursor}', 'optional cursor'),
	('schedule.get', '{id}', 'id'),
	('schedule.create', '{id}', 'id'),
	('schedule.create', '{cron}', 'cron'),
	('schedule.create', '{promiseId}', 'id'),
	('schedule.create', '{promiseTimeout}', 'time'),
	('schedule.create', '{promiseParam}', 'payload'),
	('schedule.create', '{promiseParam, headers}', 'headers'),
	('schedule.create', '{promiseParam, headers, h}', 'string of an object'),
	('schedule.create', '{promiseParam, data}', 'payload data'),
	('schedule.create', '{promiseTags}', 'tags'),
	('schedule.create', '{promiseTags, t}', 'string of an object'),
	('schedule.create', '{promiseTags, resonate:target}', 'target'),
	('schedule.create', '{promiseTags, resonate:delay}', 'delay'),
	('schedule.delete', '{id}', 'id'),
	('schedule.search', '{tags}', 'optional tags'),
	('schedule.search', '{tags, t}', 'string of an object'),
	('schedule.search', '{limit}', 'optional limit'),
	('schedule.search', '{cursor}', 'optional cursor'),
	('debug.tick', '{time}', 'tick');

SELECT is_empty('SELECT member_type FROM members EXCEPT SELECT member_type FROM rules', 'every member has a rule');
SELECT is_empty('SELECT unnest(value_names) FROM rules EXCEPT SELECT value_name FROM bad_values',
				'every rule is of values');
-- A path that leads nowhere would prove nothing, but for tags to be added.
SELECT is_empty($$SELECT request, path FROM members JOIN requests USING (request)
				  WHERE data #> path IS NULL AND path[cardinality(path)] <> 'resonate:delay'$$,
				'every member is there');
-- All members are listed.
CREATE FUNCTION paths(data jsonb, path text[] DEFAULT '{}') RETURNS SETOF text[] LANGUAGE sql AS
$$
	SELECT path WHERE path <> '{}'
	UNION ALL
	SELECT p FROM jsonb_each(CASE jsonb_typeof(data) WHEN 'object' THEN data END) AS m (key, value),
		LATERAL paths(m.value, path || m.key) AS p
	UNION ALL
	SELECT p FROM jsonb_array_elements(CASE jsonb_typeof(data) WHEN 'array' THEN data END)
		WITH ORDINALITY AS e (value, n), LATERAL paths(e.value, path || (n - 1)::text) AS p
$$;
SELECT is_empty('SELECT request, p FROM requests, LATERAL paths(data) AS p EXCEPT SELECT request, path FROM members',
				'every member is tried');

--
-- Trying
--

-- Answers a request and undoes it.
CREATE FUNCTION attempt(request jsonb, OUT answer jsonb, OUT is_unchanged boolean) LANGUAGE plpgsql AS
$$
DECLARE
	before text := everything();
BEGIN
	answer := resonate.resonate_rpc(request);
	is_unchanged := everything() IS NOT DISTINCT FROM before;
	RAISE EXCEPTION USING ERRCODE = 'P0997';
EXCEPTION
	WHEN SQLSTATE 'P0997' THEN
		NULL;
	WHEN OTHERS THEN
		answer := jsonb_build_object('error', SQLSTATE, 'message', left(SQLERRM, 200));
END
$$;

-- Why an answer is not a refusal of a malformed request; NULL if it is.
CREATE FUNCTION not_refused(answer jsonb, kind text, corr_id text DEFAULT 'corr-7') RETURNS text LANGUAGE sql AS
$$
	SELECT coalesce('SQLSTATE ' || (answer ->> 'error') || ' ' || (answer ->> 'message'),
					'status ' || (answer #>> '{head,status}') || ' ' || left(answer ->> 'data', 200), answer::text)
	WHERE (answer - 'data', jsonb_typeof(answer -> 'data'), answer ->> 'data' <> '')
		  IS DISTINCT FROM
		  (jsonb_build_object('kind', kind, 'head',
							  jsonb_build_object('corrId', corr_id, 'status', 400, 'version', '2026-04-01')),
		   'string', true)
$$;

-- What is wrong with the answer to a request; NULL if nothing is.
CREATE FUNCTION fault(request jsonb, expected text) RETURNS text LANGUAGE plpgsql AS
$$
DECLARE
	a record;
	status integer;
	kind text := request ->> 'kind';
BEGIN
	IF expected = 'not tried' THEN
		RETURN NULL;
	END IF;
	SELECT * INTO a FROM attempt(request);
	status := (a.answer #>> '{head,status}')::integer;
	IF expected = 'fine' THEN
		RETURN CASE WHEN status IN (200, 300, 404, 409, 422) THEN NULL
			   ELSE coalesce(not_refused(a.answer, kind), 'refused: ' || (a.answer ->> 'data')) END;
	ELSIF NOT a.is_unchanged THEN
		RETURN 'writes, status ' || status;
	ELSIF expected = 'inner' AND status = 200 THEN
		RETURN not_refused(a.answer #> '{data,action}', request #>> '{data,action,kind}');
	ELSIF expected = 'inner' THEN
		RETURN coalesce(not_refused(a.answer, kind), 'refused: ' || (a.answer ->> 'data'));
	END IF;
	RETURN not_refused(a.answer, kind);
END
$$;

-- All faults of a member, the name of the value first.
CREATE FUNCTION faults(wanted text, path text[], member_type text, results text[]) RETURNS text LANGUAGE sql AS
$$
	SELECT string_agg(format('%s (%s): %s', v.value_name, expected, f), E'\n' ORDER BY v.value_name)
	FROM requests r CROSS JOIN bad_values v
	LEFT JOIN rules u ON u.member_type = faults.member_type AND v.value_name = ANY (u.value_names)
	CROSS JOIN LATERAL (SELECT coalesce(u.result, 'malformed')) AS e (expected)
	CROSS JOIN LATERAL (SELECT fault(envelope(r.kind, CASE WHEN v.value_name = 'absent' THEN r.data #- path
													  ELSE jsonb_set(r.data, path, v.value) END), expected)) AS g (f)
	WHERE r.request = wanted AND f IS NOT NULL AND expected = ANY (results)
$$;

-- The empty store first: a malformed request about what is missing is malformed.
SELECT is(faults(request, path, member_type, '{malformed}'), NULL,
		  concat_ws(' ', 'nothing stored:', request, array_to_string(path, '.')))
FROM members;

SELECT is(resonate.resonate_rpc(envelope(kind, data)) #>> '{head,status}', '200', 'filled: ' || kind)
FROM (VALUES
	('promise.create', '{"id": "external", "timeoutAt": 4000000060000, "tags": {"resonate:external": "true"}}'::jsonb),
	('promise.create', '{"id": "offered", "timeoutAt": 4000000060000, "tags": {"resonate:target": "poll://any@g"}}'),
	('promise.create', '{"id": "halted", "timeoutAt": 4000000060000, "tags": {"resonate:target": "poll://any@g"}}'),
	('task.halt', '{"id": "halted"}'),
	('task.create', '{"pid": "w", "ttl": 60000, "action": {"kind": "promise.create", "head": {}, "data": {
		"id": "held", "timeoutAt": 4000000060000, "tags": {"resonate:target": "poll://any@g"}}}}'),
	('schedule.create', '{"id": "minutely", "cron": "* * * * *", "promiseId": "{{.id}}.{{.timestamp}}",
						  "promiseTimeout": 1000}')) AS v (kind, data);

CREATE TEMP TABLE answers ON COMMIT DROP AS
SELECT r.*, a.* FROM requests r, LATERAL attempt(envelope(r.kind, r.data)) AS a;
SELECT is(answer #>> '{head,status}', '200', request || ' is right as it is') FROM answers;

SELECT is(faults(request, path, member_type, '{malformed, fine, inner, not tried}'), NULL,
		  concat_ws(' ', request, array_to_string(path, '.')))
FROM members;

--
-- Members that nobody knows are ignored, wherever they are.
--

SELECT is((attempt(changed)).answer, a.answer, format('%s: ignored in %s: %s', a.request, place, v.value_name))
FROM answers a CROSS JOIN bad_values v
CROSS JOIN LATERAL (VALUES
	('the envelope', envelope(a.kind, a.data) || jsonb_build_object('unknown', v.value)),
	('the data', envelope(a.kind, a.data || jsonb_build_object('unknown', v.value, 'Id', v.value))),
	('the head', jsonb_set(envelope(a.kind, a.data), '{head}', envelope(a.kind, a.data) -> 'head' ||
		jsonb_build_object('auth', v.value, 'resonate:origin', v.value, 'unknown', v.value)))) AS c (place, changed)
WHERE v.value_name IN ('null', '1', 'string', 'long string', 'array', 'object', 'deep array', 'deep object');
SELECT is((attempt(jsonb_set(envelope(a.kind, a.data), path || '{unknown}', v.value))).answer, a.answer,
		  format('%s: ignored in %s: %s', a.request, path, v.value_name))
FROM answers a CROSS JOIN bad_values v
CROSS JOIN (VALUES ('{data,action}'::text[]), ('{data,action,data}'), ('{data,action,data,param}'),
	('{data,action,data,value}'), ('{data,param}'), ('{data,value}'), ('{data,promiseParam}'), ('{data,actions,0}'),
	('{data,actions,1,data}'), ('{data,tasks,0}')) AS p (path)
WHERE v.value_name IN ('null', '1', 'string', 'array', 'object', 'deep array', 'deep object')
	AND envelope(a.kind, a.data) #> path IS NOT NULL;

-- Of members with the same name the last one counts, as in every jsonb.
SELECT is(fault(request, expected), NULL, 'the same name twice: ' || request::text)
FROM (VALUES
	('{"kind": "promise.get", "head": {"corrId": "corr-7", "version": "2026-04-01"},
	   "data": {"id": 1, "id": "external"}}'::jsonb, 'fine'),
	('{"kind": "promise.get", "head": {"corrId": "corr-7", "version": "2026-04-01"},
	   "data": {"id": "external", "id": 1}}', 'malformed'),
	('{"kind": 1, "kind": "promise.get", "head": 1, "head": {"corrId": "corr-7", "version": "2026-04-01"},
	   "data": {"id": "external"}}', 'fine'),
	('{"kind": "promise.get", "head": {"version": 1, "corrId": "corr-7", "version": "2026-04-01"},
	   "data": 1, "data": {"id": "external"}}', 'fine'),
	('{"kind": "promise.get", "head": {"corrId": "corr-7", "version": "2026-04-01", "version": "1"},
	   "data": {"id": "external"}}', 'malformed')) AS v (request, expected);

--
-- Values that are of the right type and yet wrong, and some that are just right
--

CREATE FUNCTION changed(wanted text, path text[], value jsonb) RETURNS jsonb LANGUAGE sql AS
$$
	SELECT envelope(kind, jsonb_set(data, path, value)) FROM requests WHERE request = wanted
$$;
SELECT is(fault(changed(request, path, value), expected), NULL,
		  format('%s %s = %s', request, array_to_string(path, '.'), left(value::text, 60)))
FROM (VALUES
	-- States that a client cannot settle with, and no states.
	('promise.settle', '{state}'::text[], '"pending"'::jsonb, 'malformed'),
	('promise.settle', '{state}', '"rejected_timedout"', 'malformed'),
	('promise.settle', '{state}', '"Resolved"', 'malformed'),
	('promise.settle', '{state}', '"resolved "', 'malformed'),
	('promise.settle', '{state}', '"rejected"', 'fine'),
	('promise.settle', '{state}', '"rejected_canceled"', 'fine'),
	('task.fulfill', '{action,data,state}', '"pending"', 'malformed'),
	('task.fulfill', '{action,data,state}', '"rejected_timedout"', 'malformed'),
	('task.fulfill', '{action,data,state}', '"rejected_canceled"', 'fine'),
	('task.fence settle', '{action,data,state}', '"pending"', 'inner'),
	('task.fence settle', '{action,data,state}', '"rejected_timedout"', 'inner'),
	('task.fence settle', '{action,data,state}', '"done"', 'malformed'),
	('task.fence settle', '{action,data,id}', '"missing"', 'fine'),
	-- Timers with a target, which have no task.
	('promise.create', '{tags,resonate:timer}', '"true"', 'fine'),
	('promise.create', '{tags,resonate:timer}', '"TRUE"', 'fine'),
	('task.create', '{action,data,tags,resonate:timer}', '"true"', 'malformed'),
	('task.create', '{action,data,tags,resonate:timer}', '"false"', 'fine'),
	('task.fence', '{action,data,tags,resonate:timer}', '"true"', 'fine'),
	('schedule.create', '{promiseTags,resonate:timer}', '"true"', 'fine'),
	-- Delays up to and beyond the deadline.
	('promise.create', '{tags,resonate:delay}', '"4000000059999"', 'fine'),
	('promise.create', '{tags,resonate:delay}', '"4000000060000"', 'malformed'),
	('promise.create', '{tags,resonate:delay}', '"-1"', 'malformed'),
	('promise.create', '{tags,resonate:delay}', '"1.0"', 'malformed'),
	('promise.create', '{tags,resonate:delay}', '" 1"', 'malformed'),
	('promise.create', '{tags,resonate:delay}', '"9223372036854775808"', 'malformed'),
	('task.create', '{action,data,tags,resonate:delay}', '"4000000060000"', 'malformed'),
	('task.fence', '{action,data,tags,resonate:delay}', '"4000000060000"', 'inner'),
	-- Himself, and one twice.
	('promise.register_callback', '{awaiter}', '"external"', 'malformed'),
	('task.suspend', '{actions,0,data,awaited}', '"held"', 'malformed'),
	('task.suspend', '{actions,0,data,awaited}', '"offered"', 'malformed'),
	('task.fence', '{action,data,id}', '"held"', 'malformed'),
	('task.fence settle', '{action,data,id}', '"held"', 'malformed'),
	('task.fence', '{action,kind}', '"promise.get"', 'malformed'),
	('task.fence', '{action,kind}', '"task.create"', 'malformed'),
	-- Addresses.
	('promise.register_listener', '{address}', '"poll://default"', 'malformed'),
	('promise.register_listener', '{address}', '"notify://channel"', 'malformed'),
	('promise.register_listener', '{address}', '"http:/host"', 'malformed'),
	('promise.register_listener', '{address}', '"HTTP://host"', 'fine'),
	('promise.register_listener', '{address}', '"https://host/path"', 'fine'),
	('promise.register_listener', '{address}', '"poll://any@g"', 'fine'),
	-- Limits.
	('promise.search', '{limit}', '1000', 'fine'),
	('promise.search', '{limit}', '1001', 'malformed'),
	('promise.search', '{limit}', '"10"', 'malformed'),
	('promise.search', '{state}', '"fulfilled"', 'malformed'),
	('task.search', '{limit}', '1001', 'malformed'),
	('task.search', '{state}', '"fulfilled"', 'fine'),
	('task.search', '{state}', '"resolved"', 'malformed'),
	('schedule.search', '{limit}', '1000', 'fine'),
	('schedule.search', '{limit}', '1001', 'malformed'),
	('task.acquire', '{version}', '2147483647', 'fine'),
	('promise.create', '{id}', to_jsonb(repeat('x', 1024)), 'fine'),
	('promise.create', '{id}', to_jsonb(repeat('x', 1025)), 'malformed'),
	('promise.create', '{id}', to_jsonb(repeat('ä', 513)), 'malformed'),
	('promise.create', '{id}', '" a.b/c:d\n''\\ "', 'fine'),
	('schedule.create', '{promiseId}', to_jsonb(repeat('x', 1025)), 'malformed'),
	-- Rules of cron.
	('schedule.create', '{cron}', '"99 * * * *"', 'malformed'),
	('schedule.create', '{cron}', '"0 0 31 2 *"', 'malformed'),
	('schedule.create', '{cron}', '"* * * *"', 'malformed'),
	('schedule.create', '{cron}', '"*/0 * * * *"', 'malformed'),
	('schedule.create', '{cron}', '"5-1 * * * *"', 'malformed')) AS v (request, path, value, expected);

-- A bad rule is bad for a schedule that exists, too.
SELECT is(fault(envelope('schedule.create', '{"id": "minutely", "cron": "99 * * * *", "promiseId": "p",
											  "promiseTimeout": 1000}'), 'malformed'), NULL,
		  'a bad rule is found before the schedule is');

-- A fence that does not hold comes before what is wrong in it.
SELECT is((attempt(jsonb_set(changed('task.fence settle', '{action,data,state}', '"pending"'),
							 '{data,version}', '7'))).answer #>> '{head,status}', '409',
		  'a stale fence with a bad action is stale');
SELECT is((attempt(jsonb_set(changed('task.fence', '{action,data,tags,resonate:combinator}', '"race"'),
							 '{data,id}', '"missing"'))).answer #>> '{head,status}', '404',
		  'and a missing one is missing');

--
-- Envelopes
--

SELECT is(not_refused(answer, kind, corr_id), NULL, format('envelope %s', coalesce(left(request::text, 100), 'NULL')))
FROM (VALUES
	(NULL::jsonb, 'unknown', '0'), ('null', 'unknown', '0'), ('true', 'unknown', '0'), ('1', 'unknown', '0'),
	('"promise.get"', 'unknown', '0'), ('[]', 'unknown', '0'), ('{}', 'unknown', '0'),
	('[{"kind": "promise.get", "head": {"corrId": "c", "version": "2026-04-01"}, "data": {"id": "external"}}]',
	 'unknown', '0'),
	((repeat('[', 50) || repeat(']', 50))::jsonb, 'unknown', '0'),
	-- kind
	('{"head": {"corrId": "c", "version": "2026-04-01"}, "data": {}}', 'unknown', 'c'),
	('{"kind": null, "head": {"corrId": "c", "version": "2026-04-01"}, "data": {}}', 'unknown', 'c'),
	('{"kind": 1, "head": {"corrId": "c", "version": "2026-04-01"}, "data": {}}', 'unknown', 'c'),
	('{"kind": ["promise.get"], "head": {"corrId": "c", "version": "2026-04-01"}, "data": {}}', 'unknown', 'c'),
	('{"kind": {}, "head": {"corrId": "c", "version": "2026-04-01"}, "data": {}}', 'unknown', 'c'),
	('{"kind": "", "head": {"corrId": "c", "version": "2026-04-01"}, "data": {}}', '', 'c'),
	('{"kind": "promise", "head": {"corrId": "c", "version": "2026-04-01"}, "data": {}}', 'promise', 'c'),
	('{"kind": "Promise.get", "head": {"corrId": "c", "version": "2026-04-01"}, "data": {}}', 'Promise.get', 'c'),
	('{"kind": "promise.get ", "head": {"corrId": "c", "version": "2026-04-01"}, "data": {}}', 'promise.get ', 'c'),
	('{"kind": "promise.delete", "head": {"corrId": "c", "version": "2026-04-01"}, "data": {}}',
	 'promise.delete', 'c'),
	('{"kind": "debug.nothing", "head": {"corrId": "c", "version": "2026-04-01"}, "data": {}}', 'debug.nothing', 'c'),
	(jsonb_build_object('kind', repeat('x', 1024 * 1024), 'head',
						'{"corrId": "c", "version": "2026-04-01"}'::jsonb, 'data', '{}'::jsonb),
	 repeat('x', 1024 * 1024), 'c'),
	-- head
	('{"kind": "promise.get", "data": {"id": "external"}}', 'promise.get', '0'),
	('{"kind": "promise.get", "head": null, "data": {"id": "external"}}', 'promise.get', '0'),
	('{"kind": "promise.get", "head": 1, "data": {"id": "external"}}', 'promise.get', '0'),
	('{"kind": "promise.get", "head": "c", "data": {"id": "external"}}', 'promise.get', '0'),
	('{"kind": "promise.get", "head": ["corrId", "version"], "data": {"id": "external"}}', 'promise.get', '0'),
	('{"kind": "promise.get", "head": {}, "data": {"id": "external"}}', 'promise.get', '0'),
	('{"kind": "promise.get", "head": {"version": "2026-04-01"}, "data": {"id": "external"}}', 'promise.get', '0'),
	('{"kind": "promise.get", "head": {"corrId": null, "version": "2026-04-01"}, "data": {"id": "external"}}',
	 'promise.get', '0'),
	('{"kind": "promise.get", "head": {"corrId": 7, "version": "2026-04-01"}, "data": {"id": "external"}}',
	 'promise.get', '0'),
	('{"kind": "promise.get", "head": {"corrId": {}, "version": "2026-04-01"}, "data": {"id": "external"}}',
	 'promise.get', '0'),
	('{"kind": "promise.get", "head": {"corrId": "c"}, "data": {"id": "external"}}', 'promise.get', 'c'),
	('{"kind": "promise.get", "head": {"corrId": "c", "version": null}, "data": {"id": "external"}}',
	 'promise.get', 'c'),
	('{"kind": "promise.get", "head": {"corrId": "c", "version": 20260401}, "data": {"id": "external"}}',
	 'promise.get', 'c'),
	('{"kind": "promise.get", "head": {"corrId": "c", "version": ""}, "data": {"id": "external"}}',
	 'promise.get', 'c'),
	('{"kind": "promise.get", "head": {"corrId": "c", "version": "1"}, "data": {"id": "external"}}',
	 'promise.get', 'c'),
	('{"kind": "promise.get", "head": {"corrId": "c", "version": "2026-04-02"}, "data": {"id": "external"}}',
	 'promise.get', 'c'),
	('{"kind": "promise.get", "head": {"corrId": "c", "version": "2026-04-01 "}, "data": {"id": "external"}}',
	 'promise.get', 'c'),
	-- data
	('{"kind": "promise.get", "head": {"corrId": "c", "version": "2026-04-01"}}', 'promise.get', 'c'),
	('{"kind": "promise.get", "head": {"corrId": "c", "version": "2026-04-01"}, "data": null}', 'promise.get', 'c'),
	('{"kind": "promise.get", "head": {"corrId": "c", "version": "2026-04-01"}, "data": 1}', 'promise.get', 'c'),
	('{"kind": "promise.get", "head": {"corrId": "c", "version": "2026-04-01"}, "data": "external"}',
	 'promise.get', 'c'),
	('{"kind": "promise.get", "head": {"corrId": "c", "version": "2026-04-01"}, "data": ["id", "external"]}',
	 'promise.get', 'c'),
	('{"kind": "promise.get", "head": {"corrId": "c", "version": "2026-04-01"}, "data": {}}', 'promise.get', 'c'),
	-- Requests without members, too, have data.
	('{"kind": "promise.search", "head": {"corrId": "c", "version": "2026-04-01"}}', 'promise.search', 'c'),
	('{"kind": "debug.snap", "head": {"corrId": "c", "version": "2026-04-01"}, "data": []}', 'debug.snap', 'c'),
	-- The instant of a request, where it counts, is one.
	('{"kind": "promise.search", "head": {"corrId": "c", "version": "2026-04-01", "resonate:debug_time": "1"},
	   "data": {}}', 'promise.search', 'c'),
	('{"kind": "promise.search", "head": {"corrId": "c", "version": "2026-04-01", "resonate:debug_time": 1.5},
	   "data": {}}', 'promise.search', 'c'),
	('{"kind": "promise.search", "head": {"corrId": "c", "version": "2026-04-01", "resonate:debug_time": 1e100},
	   "data": {}}', 'promise.search', 'c'),
	('{"kind": "promise.search", "head": {"corrId": "c", "version": "2026-04-01", "resonate:debug_time": true},
	   "data": {}}', 'promise.search', 'c'),
	('{"kind": "promise.search", "head": {"corrId": "c", "version": "2026-04-01", "resonate:debug_time": {}},
	   "data": {}}', 'promise.search', 'c'),
	-- Two instants.
	('{"kind": "debug.tick", "head": {"corrId": "c", "version": "2026-04-01", "resonate:debug_time": 2},
	   "data": {"time": 1}}', 'debug.tick', 'c')) AS v (request, kind, corr_id),
	LATERAL attempt(request);

-- What a head may be.
SELECT is((attempt(request)).answer - 'data', wanted, format('head %s', left((request -> 'head')::text, 100)))
FROM (VALUES
	('{"kind": "promise.get", "head": {"corrId": "", "version": "2026-04-01"}, "data": {"id": "external"}}'::jsonb,
	 '{"kind": "promise.get", "head": {"corrId": "", "status": 200, "version": "2026-04-01"}}'::jsonb),
	('{"kind": "promise.get", "head": {"corrId": "ä\n\"\\", "version": "2026-04-01"}, "data": {"id": "missing"}}',
	 '{"kind": "promise.get", "head": {"corrId": "ä\n\"\\", "status": 404, "version": "2026-04-01"}}')
) AS v (request, wanted);

--
-- Both surfaces refuse by the same checks, each in its own way
--

CREATE FUNCTION refusal(sql text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
	message text;
	detail text;
BEGIN
	EXECUTE sql;
	RETURN 'none';
EXCEPTION WHEN OTHERS THEN
	GET STACKED DIAGNOSTICS message = MESSAGE_TEXT, detail = PG_EXCEPTION_DETAIL;
	RETURN concat_ws(' / ', message, nullif(detail, ''));
END $$;

CREATE TEMP TABLE refusals (what text, call text, refused text, kind text, data jsonb, answer text) ON COMMIT DROP;
INSERT INTO refusals VALUES
	('an empty id', $$resonate.get_promise('')$$, 'argument "id" must not be empty',
	 'promise.get', '{"id": ""}', 'id must not be empty'),
	('a long id', $$resonate.get_promise(repeat('x', 1025))$$,
	 format('argument "id" is too long: "%s..." / It has 1025 bytes; the limit is 1024.', repeat('x', 64)),
	 'promise.get', jsonb_build_object('id', repeat('x', 1025)),
	 format('id is too long: "%s...": It has 1025 bytes; the limit is 1024.', repeat('x', 64))),
	('tags of another type', $$resonate.create_promise('p', tags => '[]')$$,
	 'argument "tags" must be a JSON object / It is of type array.',
	 'promise.create', '{"id": "p", "timeoutAt": 1, "tags": []}', 'tags must be a JSON object: It is of type array.'),
	('a tag of another type', $$resonate.create_promise('p', tags => '{"a": 1}')$$,
	 'argument "tags" must have strings only / The value of "a" is of type number.',
	 'promise.create', '{"id": "p", "timeoutAt": 1, "tags": {"a": 1}}',
	 'tags must have strings only: The value of "a" is of type number.'),
	('a delay that ends too late',
	 $$resonate.create_promise('p', timeout_at => 'epoch', tags => '{"resonate:target": "t", "resonate:delay": "1"}')$$,
	 'invalid value for argument "tags" / The tag "resonate:delay" must be before the deadline of the promise.',
	 'promise.create', '{"id": "p", "timeoutAt": 0, "tags": {"resonate:target": "t", "resonate:delay": "1"}}',
	 'tags: The tag "resonate:delay" must be before the deadline of the promise.'),
	('a task without a target', $$resonate.create_promise_and_task('p', 'me', '1 min')$$,
	 'invalid value for argument "tags" / A promise has a task when it has the tag "resonate:target" and is no timer.',
	 'task.create', '{"pid": "me", "ttl": 1, "action": {"kind": "promise.create", "head": {},
		"data": {"id": "p", "timeoutAt": 1}}}',
	 'action.data.tags: A promise has a task when it has the tag "resonate:target" and is no timer.'),
	('nothing to wait for', $$resonate.suspend_task('t', 1, '{}')$$, 'argument "awaited" must not be empty',
	 'task.suspend', '{"id": "t", "version": 1, "actions": []}', 'actions must not be empty'),
	('a task that waits for itself', $$resonate.suspend_task('t', 1, '{t}')$$,
	 'argument "awaited" must not contain the task itself',
	 'task.suspend', '{"id": "t", "version": 1, "actions": [{"kind": "promise.register_callback", "head": {},
		"data": {"awaiter": "t", "awaited": "t"}}]}', 'actions must not contain the task itself'),
	('its own promise in a fence', $$resonate.fence_task('t', 1, 'settle', '{"id": "t", "state": "resolved"}')$$,
	 'argument "promise" must not be the promise of the task itself',
	 'task.fence', '{"id": "t", "version": 1, "action": {"kind": "promise.settle", "head": {},
		"data": {"id": "t", "state": "resolved"}}}', 'action.data.id must not be the promise of the task itself'),
	('a rule that never comes', $$resonate.create_schedule('s', '0 0 30 2 *')$$,
	 'invalid value for argument "cron": "0 0 30 2 *" / No month of the expression has a day of it.',
	 'schedule.create', '{"id": "s", "cron": "0 0 30 2 *", "promiseId": "p", "promiseTimeout": 1}',
	 'cron: No month of the expression has a day of it.'),
	('ids that would be too long', $$resonate.create_schedule('s', '* * * * *', repeat('{{.timestamp}}', 60))$$,
	 format('invalid value for argument "promise_id": "%s..." / The ids of the promises could have 1140 bytes; the limit is 1024.',
			left(repeat('{{.timestamp}}', 60), 64)),
	 'schedule.create', jsonb_build_object('id', 's', 'cron', '* * * * *', 'promiseId', repeat('{{.timestamp}}', 60),
										   'promiseTimeout', 1),
	 'promiseId: The ids of the promises could have 1140 bytes; the limit is 1024.');
SELECT is(refusal('SELECT ' || call), refused, 'a typed call: ' || what) FROM refusals;
SELECT is((attempt(envelope(kind, data))).answer ->> 'data', answer, 'a request: ' || what) FROM refusals;

--
-- Who may say what time it is
--

SET LOCAL resonate.debug = off;
SELECT is(answer #>> '{head,status}', '403', kind || ' is for tests only')
FROM unnest('{debug.start, debug.stop, debug.reset, debug.tick, debug.snap, debug.nothing}'::text[]) AS kind,
	LATERAL attempt(envelope(kind, '{"time": 1}'));
SELECT is(ROW((a).is_unchanged, jsonb_typeof((a).answer -> 'data'))::text, '(t,string)', kind || ' does nothing then')
FROM unnest('{debug.start, debug.stop, debug.reset, debug.tick, debug.snap}'::text[]) AS kind,
	LATERAL (SELECT attempt(envelope(kind, '{"time": 1}'))) AS v (a);
SELECT is((attempt(jsonb_set(envelope('promise.get', '{"id": "external"}'), '{head,resonate:debug_time}',
							 v.value))).answer,
		  (attempt(envelope('promise.get', '{"id": "external"}'))).answer, 'an ignored instant: ' || v.value_name)
FROM bad_values v WHERE v.value IS NOT NULL;

-- A promise that lapsed long ago does not come back to life.
SET LOCAL ROLE resonate_worker;
SELECT is(resonate.resonate_rpc(jsonb_set(envelope(kind, data), '{head,resonate:debug_time}', '500'))
		  #>> '{data,promise,state}', 'rejected_timedout', kind || ' in the past')
FROM (VALUES ('promise.create', '{"id": "forged", "timeoutAt": 1000}'::jsonb), ('promise.get', '{"id": "forged"}'),
	('promise.settle', '{"id": "forged", "state": "resolved"}')) AS v (kind, data);
SELECT is(resonate.resonate_rpc(jsonb_set(envelope('promise.create', '{"id": "lasting", "timeoutAt": 4000000060000}'),
										  '{head,resonate:debug_time}', '4000000060000'))
		  #>> '{data,promise,state}', 'pending', 'nor does one die early');
RESET ROLE;
SELECT cmp_ok((SELECT created_at FROM resonate.promises WHERE id = 'lasting'), '<',
			  (extract(epoch FROM clock_timestamp()) * 1000)::bigint + 1, 'and it was born when it was');
SET LOCAL resonate.debug = on;

SELECT is_empty('SELECT * FROM resonate.check_invariants()', 'invariants hold');
SELECT finish();
ROLLBACK;
