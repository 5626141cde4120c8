-- Strings that come through the wire protocol and are no typed values: each
-- function shows NULL for them, the raw string beside it, and works.
\ir rpc.psql

SELECT no_plan();
SELECT at(0);

-- A string as the SDKs send it.
CREATE FUNCTION data_of(value text) RETURNS text LANGUAGE sql IMMUTABLE AS
$$
	SELECT replace(encode(convert_to(value, 'UTF8'), 'base64'), E'\n', '')
$$;

-- What PostgreSQL itself makes of a text, or NULL.
CREATE FUNCTION as_jsonb(value text) RETURNS jsonb LANGUAGE plpgsql AS
$$
BEGIN
	RETURN value::jsonb;
EXCEPTION WHEN OTHERS THEN
	RETURN NULL;
END
$$;

CREATE FUNCTION create_raw(id text, data text, tags jsonb DEFAULT '{"resonate:external": "true"}')
RETURNS text LANGUAGE sql AS
$$
	SELECT rpc(NULL, 'promise.create', jsonb_build_object('id', id, 'timeoutAt', 5000000000000,
		'tags', tags, 'param', jsonb_build_object('headers', '{}'::jsonb, 'data', data)))
		#>> '{head,status}'
$$;
CREATE FUNCTION settle_raw(id text, data text) RETURNS text LANGUAGE sql AS
$$
	SELECT rpc(NULL, 'promise.settle', jsonb_build_object('id', id, 'state', 'resolved',
		'value', jsonb_build_object('headers', '{}'::jsonb, 'data', data))) #>> '{head,status}'
$$;

--
-- The verdict is that of PostgreSQL.
--

CREATE TABLE texts (n serial, value text);
INSERT INTO texts (value) VALUES
	('"a\u0000b"'), ('{"\u0000": 1}'), ('"\ud800"'), ('"\udc00"'), ('"\ud800\ud800"'),
	('"\ud83d\ude00"'), ('"\ud83dx"'), ('1e400000'), ('1e131071'), ('1e131072'), ('-1e131072'),
	('1e-16383'), ('1e-16384'), ('0e-16384'), ('0e200000'), ('0.00001e131076'), ('1e2147483648'),
	('1e99999999999999999999'), ('12e131070'), ('12e131071'), ('0.1e131072'), ('0.1e131073'),
	('[1, 2'), ('[1,]'), ('01'), ('1.'), ('+1'), ('nul'), ('NaN'), (''), (' '), ('"' || chr(9) || '"'),
	('"\u00e9é\n"'), (' {"a" : [ 1 , {} ] } '), ('{"a": 1, "a": 2}'), ('"\x"'), ('1 2'), ('[]]');
-- The same with a character changed, cut out, or put in.
INSERT INTO texts (value)
SELECT overlay(value PLACING substr('[]{}",:\u08de1-+. tf', 1 + (i * 7 + n) % 19, i % 2)
			   FROM 1 + (i * 13 + n) % greatest(length(value), 1) FOR (i / 2) % 2)
FROM texts CROSS JOIN generate_series(1, 40) AS i
WHERE length(value) > 0;

SELECT is(count(*) FILTER (WHERE create_raw('text ' || n, data_of(value)) = '200'), count(*),
		  count(*) || ' strings are taken')
FROM texts WHERE value <> '';
SELECT set_eq(
	$$SELECT n, (resonate.get_promise('text ' || n)).param FROM texts WHERE value <> ''$$,
	$$SELECT n, as_jsonb(value) FROM texts WHERE value <> ''$$,
	'each is the jsonb that PostgreSQL makes of it, or NULL');
SELECT ok(count(*) FILTER (WHERE as_jsonb(value) IS NULL) > 100 AND
		  count(*) FILTER (WHERE as_jsonb(value) IS NOT NULL) > 100, 'there are many of both kinds')
FROM texts;
DELETE FROM resonate.promises;

--
-- Every function on every kind of string.
--

CREATE TABLE kinds (kind text, data text);
INSERT INTO kinds VALUES
	('zero', data_of('"a\u0000b"')), ('surrogate', data_of('["\ud800"]')), ('number', data_of('1e400000')),
	('deep', data_of(repeat('[', 20000) || repeat(']', 20000))),
	('deep objects', data_of(repeat('{"a":', 2001) || '1' || repeat('}', 2001))),
	('long', data_of('[' || repeat('1e131071,', 600) || '1]')),
	('no json', data_of('hello')), ('no base64', 'hello, "world" ' || chr(1)), ('no utf-8', '/w==');

SELECT is(create_raw(kind, data), '200', kind || ' is a param') FROM kinds;
SELECT is(create_raw('task ' || kind, data, '{"resonate:target": "poll://any@g"}'), '200',
		  kind || ' is the param of a task') FROM kinds;
SELECT results_eq(
	'SELECT id, param, md5(param_data) FROM resonate.search_promises(tags => ''{"resonate:external": "true"}'') ORDER BY id COLLATE "C"',
	'SELECT kind, NULL::jsonb, md5(data) FROM kinds ORDER BY kind COLLATE "C"',
	'the page has them all');
SELECT is((r.status, r.param, md5(r.param_data)), (2000, NULL::jsonb, md5(data)), 'get_promise: ' || kind)
FROM kinds CROSS JOIN LATERAL resonate.get_promise(kind) AS r;
SELECT is((r.status, r.param, md5(r.param_data)), (4090, NULL::jsonb, md5(data)), 'create_promise: ' || kind)
FROM kinds CROSS JOIN LATERAL resonate.create_promise(kind) AS r;
SELECT is((r.status, r.param, md5(r.param_data)), (4090, NULL::jsonb, md5(data)), 'create_promises: ' || kind)
FROM kinds CROSS JOIN LATERAL resonate.create_promises(
	jsonb_build_array(jsonb_build_object('id', kind))) AS r;
SELECT is((r.status, r.param, md5(r.param_data)), (2000, NULL::jsonb, md5(data)), 'get_task: ' || kind)
FROM kinds CROSS JOIN LATERAL resonate.get_task('task ' || kind) AS r;
SELECT is((r.status, r.param, md5(r.param_data)), (2000, NULL::jsonb, md5(data)), 'acquire_task: ' || kind)
FROM kinds CROSS JOIN LATERAL resonate.acquire_task('task ' || kind, 0, 'me', '1 min') AS r;
SELECT is((r.status, r.inner_status, r.param, md5(r.param_data)), (2000, 2010, NULL::jsonb, md5(data)),
		  'fence_task: ' || kind)
FROM kinds CROSS JOIN LATERAL resonate.fence_task('task no json', 1, 'settle',
	jsonb_build_object('id', kind, 'state', 'rejected')) AS r;
SELECT is((r.status, r.param, md5(r.param_data)), (2000, NULL::jsonb, md5(data)), 'fulfill_task: ' || kind)
FROM kinds CROSS JOIN LATERAL resonate.fulfill_task('task ' || kind, 1, 'resolved', '1') AS r
WHERE kind <> 'no json';
SELECT is((r.status, r.param, md5(r.param_data)), (2010, NULL::jsonb, md5(data)), 'resolve: ' || kind)
FROM kinds CROSS JOIN LATERAL (SELECT create_raw('again ' || kind, data)) AS c
CROSS JOIN LATERAL resonate.resolve('again ' || kind, '1') AS r;
SELECT is(md5(r #>> '{data,promise,param,data}'), md5(data), 'promise.get: ' || kind)
FROM kinds CROSS JOIN LATERAL rpc(NULL, 'promise.get', jsonb_build_object('id', kind)) AS r;

-- As values, on their way to those who wait.
SELECT is((resonate.create_promise_and_callback('value ' || kind, 'c', 'poll://any@q', '1 h')).status,
		  2010, kind || ' is to be a value') FROM kinds;
SELECT is(rpc(NULL, 'promise.register_listener', jsonb_build_object('awaited', 'value ' || kind,
		  'address', 'poll://any@l')) #>> '{head,status}', '200', 'a listener') FROM kinds;
SELECT is(settle_raw('value ' || kind, data), '200', kind || ' is a value') FROM kinds;
SELECT is((r.status, r.state, r.value, md5(r.value_data)), (2000, 'resolved'::text, NULL::jsonb, md5(data)),
		  'await_promise: ' || kind)
FROM kinds CROSS JOIN LATERAL resonate.await_promise('value ' || kind, '0') AS r;
SELECT is((r.status, r.value, md5(r.value_data)), (4030, NULL::jsonb, md5(data)), 'settle_promises: ' || kind)
FROM kinds CROSS JOIN LATERAL resonate.settle_promises(jsonb_build_array(
	jsonb_build_object('id', 'value ' || kind, 'state', 'rejected', 'strict', true))) AS r;
SELECT set_eq($$SELECT promise_id, value, md5(value_data) FROM resonate.receive('poll://any@q')$$,
			  $$SELECT 'value ' || kind, NULL::jsonb, md5(data) FROM kinds$$, 'receive has them all');
SELECT set_eq($$SELECT md5(promise #>> '{value,data}') FROM resonate.dequeue_unblock('poll://any@l')$$,
			  $$SELECT md5(data) FROM kinds$$, 'dequeue_unblock has them all');

-- As params of schedules.
SELECT is(rpc(NULL, 'schedule.create', jsonb_build_object('id', kind, 'cron', '* * * * *',
		  'promiseId', '{{.id}}.{{.timestamp}}', 'promiseTimeout', 1000,
		  'promiseParam', jsonb_build_object('data', data))) #>> '{head,status}', '200',
		  kind || ' is the param of a schedule') FROM kinds;
SELECT set_eq($$SELECT id, param, md5(param_data) FROM resonate.search_schedules()$$,
			  $$SELECT kind, NULL::jsonb, md5(data) FROM kinds$$, 'search_schedules has them all');
SELECT is((r.status, r.param, md5(r.param_data)), (2000, NULL::jsonb, md5(data)), 'get_schedule: ' || kind)
FROM kinds CROSS JOIN LATERAL resonate.get_schedule(kind) AS r;
SELECT at(60000);
SELECT resonate.process_timeouts() FROM kinds;
SELECT is(count(*), (SELECT count(*) FROM kinds), 'each occurrence has the param of its schedule')
FROM kinds JOIN resonate.search_promises() AS p ON p.id LIKE kind || '.%' AND p.param_data = data;

--
-- What is too deep for the stack that there is.
--

SELECT at(0);
SELECT is(create_raw('2000 levels', data_of(repeat('[', 2000) || repeat(']', 2000))), '200', '2000 levels');
SELECT is((r.param)::text, repeat('[', 2000) || repeat(']', 2000), 'are a typed value')
FROM resonate.get_promise('2000 levels') AS r;
SET LOCAL max_stack_depth = '100kB';
SELECT is((r.status, r.param), (2000, NULL::jsonb), 'but not where the stack is small')
FROM resonate.get_promise('2000 levels') AS r;
RESET max_stack_depth;
SELECT is(param IS NULL, false, 'a typed param of so many levels')
FROM resonate.create_promise('typed', param => (repeat('[', 2000) || repeat(']', 2000))::jsonb);
SELECT throws_ok($$SELECT resonate.create_promise('deeper', param => (repeat('[', 2001) || repeat(']', 2001))::jsonb)$$,
				 '54001', NULL, 'of more it is refused');
SELECT throws_ok($$SELECT resonate.resolve('typed', (repeat('[', 2001) || repeat(']', 2001))::jsonb)$$,
				 '54001', NULL, 'and as a value');
SELECT throws_ok($$SELECT resonate.settle_promises(jsonb_build_array(jsonb_build_object('id', 'typed',
					'state', 'resolved', 'value', (repeat('[', 2001) || repeat(']', 2001))::jsonb)))$$,
				 '54001', NULL, 'in a batch as well');

--
-- What would be too large as jsonb.
--

SELECT is(create_raw('many', data_of('[' || repeat('1,', 5700000) || '1]')), '200', 'many elements');
SELECT is((r.status, r.param, length(r.param_data)), (2000, NULL::jsonb, 15200004), 'are no typed value')
FROM resonate.get_promise('many') AS r;

SELECT at(60000);
SELECT is_empty('SELECT * FROM resonate.check_invariants()', 'invariants hold');

SELECT finish();
ROLLBACK;
