-- Schedules: every status of every function, and then every error message.
SET client_min_messages = warning;
CREATE EXTENSION IF NOT EXISTS resonate;
LOAD 'resonate';
DELETE FROM resonate.schedules;
DELETE FROM resonate.tasks;
DELETE FROM resonate.promises;
RESET client_min_messages;
SET TimeZone = 'UTC';
SET DateStyle = 'ISO, YMD';
SET IntervalStyle = 'postgres';
SET resonate.debug = on;
SET resonate.test_clock = '4000000000000';

--
-- create_schedule and get_schedule
--

-- The whole record, with no more than must be, and with everything.
\x on
SELECT * FROM resonate.create_schedule('least', '*/5 * * * *');
SELECT * FROM resonate.create_schedule(
	id => 'most',
	cron => '0 30 9 * * mon-fri',
	promise_id => 'report/{{.timestamp}}/{{.id}}',
	timeout => '1 day 2 hours',
	param => '{"to": ["a", "b"]}',
	headers => '{"h": "1"}',
	tags => '{"resonate:target": "poll://any@g"}',
	time_zone => 'Europe/Berlin',
	catch_up => 'last');
SELECT * FROM resonate.get_schedule('most');
SELECT * FROM resonate.get_schedule('nobody');
\x off

-- The same definition again is no conflict, however it is written.
SELECT status, id FROM resonate.create_schedule('least', '*/5 * * * *');
SELECT status, id FROM resonate.create_schedule('least', '*/5 * * * *', NULL, NULL, NULL, NULL, NULL, NULL, NULL);
SELECT status, id FROM resonate.create_schedule('least', '*/5 * * * *', '{{.id}}.{{.timestamp}}', '10 s', NULL, '{}',
												'{"resonate:external": "true"}', NULL, 'all');
SELECT status, next_run_at FROM resonate.create_schedule(
	'most', '0 30 9 * * mon-fri', 'report/{{.timestamp}}/{{.id}}', '26 hours', '{ "to" : [ "a" , "b" ] }', '{"h": "1"}',
	'{"resonate:external": "true", "resonate:target": "poll://any@g"}', 'Europe/Berlin', 'last');

-- Any difference is one, and changes nothing.
SELECT d.what, s.status, s.cron, s.time_zone, s.catch_up, s.promise_id, s.promise_timeout, s.param, s.param_headers, s.tags
FROM (VALUES
	(1, 'cron', '0 0 * * *', NULL, NULL::interval, NULL::jsonb, NULL::jsonb, NULL::jsonb, NULL, NULL),
	(2, 'promise_id', '*/5 * * * *', '{{.id}}', NULL, NULL, NULL, NULL, NULL, NULL),
	(3, 'timeout', '*/5 * * * *', NULL, '11 s', NULL, NULL, NULL, NULL, NULL),
	(4, 'param', '*/5 * * * *', NULL, NULL, 'null', NULL, NULL, NULL, NULL),
	(5, 'headers', '*/5 * * * *', NULL, NULL, NULL, '{"h": "1"}', NULL, NULL, NULL),
	(6, 'tags', '*/5 * * * *', NULL, NULL, NULL, NULL, '{"a": "b"}', NULL, NULL),
	(7, 'time_zone', '*/5 * * * *', NULL, NULL, NULL, NULL, NULL, 'UTC', NULL),
	(8, 'catch_up', '*/5 * * * *', NULL, NULL, NULL, NULL, NULL, NULL, 'none'))
	AS d (n, what, cron, promise_id, timeout, param, headers, tags, time_zone, catch_up)
CROSS JOIN LATERAL resonate.create_schedule('least', d.cron, d.promise_id, d.timeout, d.param, d.headers, d.tags, d.time_zone,
											d.catch_up) AS s
ORDER BY d.n;
SELECT what, status FROM (VALUES
	(1, 'param', '{"to": ["a"]}', '{"h": "1"}', 'Europe/Berlin'), (2, 'no param', NULL, '{"h": "1"}', 'Europe/Berlin'),
	(3, 'headers', '{"to": ["a", "b"]}', '{"h": "2"}', 'Europe/Berlin'), (4, 'no headers', '{"to": ["a", "b"]}', NULL, 'Europe/Berlin'),
	(5, 'time zone', '{"to": ["a", "b"]}', '{"h": "1"}', 'Europe/Paris'), (6, 'UTC', '{"to": ["a", "b"]}', '{"h": "1"}', NULL))
	AS d (n, what, param, headers, time_zone)
CROSS JOIN LATERAL resonate.create_schedule(
	'most', '0 30 9 * * mon-fri', 'report/{{.timestamp}}/{{.id}}', '26 hours', d.param::jsonb, d.headers::jsonb,
	'{"resonate:target": "poll://any@g"}', d.time_zone, 'last') ORDER BY n;

-- The instants are those of the time zone, and strictly after now.
SELECT next_run_at FROM resonate.create_schedule('now', '40 6 7 2 10 *');
SELECT next_run_at FROM resonate.create_schedule('hour', '@hourly');
SELECT next_run_at FROM resonate.create_schedule('day', '@daily');
SELECT next_run_at FROM resonate.create_schedule('day in Tokyo', '@daily', time_zone => 'Asia/Tokyo');
SELECT next_run_at FROM resonate.create_schedule('leap day', '0 0 29 2 *');

-- The session does not matter.
SET TimeZone = 'America/New_York';
SELECT next_run_at AT TIME ZONE 'UTC' AS next_run_at FROM resonate.create_schedule('here', '@daily');
SET TimeZone = 'UTC';

-- The timeout: a default, none at all, and a very long one.
SET resonate.default_timeout = '1 min';
SELECT promise_timeout FROM resonate.create_schedule('default timeout', '@daily');
RESET resonate.default_timeout;
SELECT promise_timeout FROM resonate.create_schedule('at once', '@daily', timeout => '0');
SELECT promise_timeout FROM resonate.create_schedule('long', '@daily', timeout => '1000 years');
SELECT tags FROM resonate.create_schedule('internal', '@daily', tags => '{"resonate:external": "no", "a": "b"}');

-- Undone with its transaction.
BEGIN;
SELECT status FROM resonate.create_schedule('undone', '@daily');
ROLLBACK;
SELECT status FROM resonate.get_schedule('undone');

--
-- What it does
--

SELECT resonate.delete_schedule(id) FROM resonate.search_schedules() WHERE id NOT IN ('least', 'most', 'day', 'internal');
SELECT status FROM resonate.create_schedule('twice', '*/3 * * * *', timeout => '1 hour', param => '{"n": 1}', headers => '{"h": "1"}');
SELECT w.step, w.processed FROM resonate.worker_step(to_timestamp(4000000360)) AS w;
SELECT w.step, w.processed FROM resonate.worker_step(to_timestamp(4000000360)) AS w;
SELECT last_run_at, next_run_at FROM resonate.get_schedule('twice');
SELECT id, state, param, param_headers, timeout_at, created_at FROM resonate.search_promises('twice.*') ORDER BY created_at;
SELECT status, last_run_at FROM resonate.create_schedule('twice', '*/3 * * * *', timeout => '1 hour', param => '{"n": 1}',
														 headers => '{"h": "1"}');

--
-- delete_schedule
--

SELECT resonate.delete_schedule('twice');
SELECT resonate.delete_schedule('twice');
SELECT status FROM resonate.get_schedule('twice');
SELECT count(*) FROM resonate.search_promises('twice.*');

--
-- search_schedules
--

\x on
SELECT * FROM resonate.search_schedules('{"resonate:target": "poll://any@g"}');
\x off
SELECT id, cursor FROM resonate.search_schedules();
SELECT id FROM resonate.search_schedules('{"resonate:external": "true"}');
SELECT id FROM resonate.search_schedules('{"resonate:external": "no", "a": "b"}');
SELECT id FROM resonate.search_schedules('{"a": "c"}');
SELECT id FROM resonate.search_schedules('{}');
SELECT id, cursor FROM resonate.search_schedules("limit" => 2);
SELECT id, cursor FROM resonate.search_schedules("limit" => 2, cursor => 'internal');
SELECT id, cursor FROM resonate.search_schedules("limit" => 3, cursor => 'no such id');
SELECT id, cursor FROM resonate.search_schedules(NULL, NULL, 'day');
SELECT count(*) FROM generate_series(1, 101) AS n, resonate.create_schedule('many/' || n, '@daily');
SELECT count(*), max(cursor) FROM resonate.search_schedules(cursor => 'many');
SELECT count(*), max(cursor) FROM resonate.search_schedules("limit" => 1000, cursor => 'many');

-- One that was made through the wire protocol, with a string that is no JSON.
INSERT INTO resonate.schedules (created_at, next_run_at, promise_timeout, catch_up, id, cron, promise_id, promise_tags, param_text)
VALUES (0, 9223372036854775807, 9223372036854775807, 'all', 'wire', '@daily', 'x', '{}', 'plain');
SELECT param, param_headers, param_data, tags, next_run_at FROM resonate.get_schedule('wire');
SELECT status FROM resonate.create_schedule('wire', '@daily', 'x', tags => '{}');

--
-- Errors
--

CREATE TEMP TABLE bad (n integer GENERATED ALWAYS AS IDENTITY, statement text);
INSERT INTO bad (statement) VALUES
	($$SELECT resonate.create_schedule(NULL, '@daily')$$),
	($$SELECT resonate.create_schedule('', '@daily')$$),
	($$SELECT resonate.create_schedule(repeat('x', 1025), '@daily')$$),
	($$SELECT resonate.create_schedule('new', NULL)$$),
	($$SELECT resonate.create_schedule('new', '')$$),
	($$SELECT resonate.create_schedule('new', '* * * *')$$),
	($$SELECT resonate.create_schedule('new', '60 * * * *')$$),
	($$SELECT resonate.create_schedule('new', '0 0 30 2 *')$$),
	($$SELECT resonate.create_schedule('new', '@never')$$),
	($$SELECT resonate.create_schedule('new', repeat('*', 256))$$),
	($$SELECT resonate.create_schedule('least', 'x * * * *')$$),
	($$SELECT resonate.create_schedule('new', '@daily', '')$$),
	($$SELECT resonate.create_schedule('new', '@daily', repeat('x', 1025))$$),
	($$SELECT resonate.create_schedule('new', '@daily', repeat('x', 1003) || '{{.id}}{{.timestamp}}')$$),
	($$SELECT resonate.create_schedule(repeat('x', 1005), '@daily')$$),
	($$SELECT resonate.create_schedule(repeat('x', 513), '@daily', '{{.id}}{{.id}}')$$),
	($$SELECT resonate.create_schedule('new', '@daily', timeout => '-1 ms')$$),
	($$SELECT resonate.create_schedule('new', '@daily', timeout => '1000000 years')$$),
	($$SELECT resonate.create_schedule('new', '@daily', param => to_jsonb(repeat('x', 67108864)))$$),
	($$SELECT resonate.create_schedule('new', '@daily', headers => '[]')$$),
	($$SELECT resonate.create_schedule('new', '@daily', headers => '{"a": 1}')$$),
	($$SELECT resonate.create_schedule('new', '@daily', tags => '"a"')$$),
	($$SELECT resonate.create_schedule('new', '@daily', tags => '{"a": null}')$$),
	($$SELECT resonate.create_schedule('new', '@daily', tags => '{"resonate:target": ""}')$$),
	($$SELECT resonate.create_schedule('new', '@daily', time_zone => '')$$),
	($$SELECT resonate.create_schedule('new', '@daily', time_zone => 'Europe/Nowhere')$$),
	($$SELECT resonate.create_schedule('new', '@daily', time_zone => '../UTC')$$),
	($$SELECT resonate.create_schedule('new', '@daily', catch_up => '')$$),
	($$SELECT resonate.create_schedule('new', '@daily', catch_up => 'some')$$),
	($$SELECT resonate.get_schedule(NULL)$$),
	($$SELECT resonate.get_schedule('')$$),
	($$SELECT resonate.get_schedule(repeat('x', 1025))$$),
	($$SELECT resonate.delete_schedule(NULL)$$),
	($$SELECT resonate.delete_schedule('')$$),
	($$SELECT resonate.delete_schedule(repeat('x', 1025))$$),
	($$SELECT resonate.search_schedules('[]')$$),
	($$SELECT resonate.search_schedules('{"a": 1}')$$),
	($$SELECT resonate.search_schedules("limit" => 0)$$),
	($$SELECT resonate.search_schedules("limit" => -1)$$),
	($$SELECT resonate.search_schedules("limit" => 1001)$$);
CREATE TEMP TABLE before AS TABLE resonate.schedules;
SELECT statement FROM bad ORDER BY n \gexec

-- The same, by SQLSTATE.
\set VERBOSITY sqlstate
SELECT statement FROM bad ORDER BY n \gexec
\set VERBOSITY default

-- Nothing was written.
SELECT count(*) FROM (TABLE resonate.schedules EXCEPT TABLE before) AS changed;

-- The end of time.
SET resonate.test_clock = '9223372036854775806';
SELECT resonate.create_schedule('new', '@daily');
SET resonate.test_clock = '4000000000000';

-- Nobody but the roles that are meant to.
SELECT r.role, p.proname AS function
FROM (VALUES ('public'), ('resonate_client'), ('resonate_worker'), ('resonate_reader'), ('resonate_admin')) AS r (role)
CROSS JOIN pg_proc AS p
WHERE p.pronamespace = 'resonate'::regnamespace AND p.proname ~ '_schedules?$' AND has_function_privilege(r.role, p.oid, 'EXECUTE')
ORDER BY r.role, p.proname;

DROP TABLE bad, before;
DELETE FROM resonate.schedules;
DELETE FROM resonate.tasks;
DELETE FROM resonate.promises;
