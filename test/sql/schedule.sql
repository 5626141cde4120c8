-- Schedules: every status of every function, and then every error message.
SET client_min_messages = warning;
CREATE EXTENSION IF NOT EXISTS resonate;
LOAD 'resonate';
DELETE FROM resonate.schedules;
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
SELECT status, id FROM resonate.create_schedule('least', '*/5 * * * *', '{{.id}}.{{.timestamp}}', '24 hours', NULL, '{}',
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

--
-- Many at once
--

-- A step takes all that are due, in order of their instants and ids.
DELETE FROM resonate.schedules;
DELETE FROM resonate.promises;
SET resonate.test_clock = '4000000000000';
SELECT count(*) FROM generate_series(1, 300) AS n, resonate.create_schedule('crowd' || n, '*/10 * * * * *');
SET resonate.test_clock = '4000000010000';
SELECT resonate.process_timeouts();
SELECT count(*), min(fired), max(fired), min(next_run_at) FROM resonate.search_schedules("limit" => 1000);

-- With a long backlog, one of them does not keep the others waiting.
SET resonate.test_clock = '4000000000000';
SELECT status FROM resonate.create_schedule('behind', '* * * * * *');
SET resonate.test_clock = '4000003000000';
DELETE FROM resonate.schedules WHERE id LIKE 'crowd%' AND id > 'crowd10';
UPDATE resonate.schedules SET next_run_at = 4000003000000 WHERE id LIKE 'crowd%';
SELECT step, processed FROM resonate.worker_step("limit" => 300);
SELECT id, fired FROM resonate.search_schedules() ORDER BY id LIKE 'crowd%', id;
SELECT step, processed FROM resonate.worker_step("limit" => 10);
SELECT fired FROM resonate.get_schedule('behind');

-- More of them than are taken at once are far behind: those that have just become
-- due do not wait until they are through.
DELETE FROM resonate.schedules;
SET resonate.test_clock = '4000000000000';
SELECT count(*) FROM generate_series(1, 150) AS n, resonate.create_schedule('late' || n, '* * * * * *');
SET resonate.test_clock = '4000000619999';
SELECT status FROM resonate.create_schedule('just now', '* * * * *');
SET resonate.test_clock = '4000000620000';
SELECT step, processed FROM resonate.worker_step("limit" => 100);
SELECT fired FROM resonate.get_schedule('just now');

-- Nor do those that have waited for longest wait for ever.
SELECT count(*) AS nsteps, sum(processed) FROM generate_series(1, 20) AS n, resonate.worker_step("limit" => 100 + 0 * n);
SELECT min(fired) > 3 AS are_all_fired FROM resonate.schedules WHERE id LIKE 'late%';

-- The bytes of a step are bounded, too.
DELETE FROM resonate.schedules;
DELETE FROM resonate.promises;
SET resonate.test_clock = '4000000000000';
SELECT status FROM generate_series(1, 3) AS n,
	resonate.create_schedule('large' || n, '* * * * * *', param => to_jsonb(repeat('x', 1000000)));
SET resonate.test_clock = '4000000005000';
SELECT step, processed FROM resonate.worker_step();
SELECT step, processed FROM resonate.worker_step();
SELECT step, processed FROM resonate.worker_step();
SELECT id, fired FROM resonate.search_schedules();
DELETE FROM resonate.promises;

--
-- What was missed
--

-- Occurrences that nobody could work on: their promises were born too late, or
-- never.  A timer is not missed when it is past its deadline.
DELETE FROM resonate.schedules;
SET resonate.test_clock = '4000000000000';
SELECT status FROM (VALUES
	('default', 'all', NULL::interval, NULL::jsonb), ('short', 'all', '4 s', NULL),
	('timer', 'all', '4 s', '{"resonate:timer": "true"}'), ('last', 'last', NULL, NULL), ('none', 'none', NULL, NULL),
	('short last', 'last', '1 ms', NULL)) AS s (id, catch_up, timeout, tags)
CROSS JOIN LATERAL resonate.create_schedule(s.id, '*/2 * * * * *', timeout => s.timeout, tags => s.tags, catch_up => s.catch_up);
SET resonate.schedule_grace = '100 ms';
SET resonate.test_clock = '4000000015000';
SELECT resonate.process_timeouts() > 0 AS did;
SELECT id, promise_timeout, catch_up, fired, missed, last_run_at, last_missed_at FROM resonate.search_schedules();
SELECT split_part(id, '.', 1) AS schedule, state, count(*) FROM resonate.promises GROUP BY 1, 2 ORDER BY 1, 2;

-- In time, nothing is.
SET resonate.test_clock = '4000000016000';
SELECT resonate.process_timeouts() > 0 AS did;
SELECT id, fired, missed FROM resonate.search_schedules();
SELECT status, fired, missed, last_missed_at FROM resonate.create_schedule('short', '*/2 * * * * *', timeout => '4 s');

-- However many there were.
SET resonate.test_clock = '5000000000000';
SELECT count(*) FROM resonate.schedules WHERE catch_up = 'all' AND resonate.delete_schedule(id) = 2000;
SELECT step, processed FROM resonate.worker_step();
SELECT id, fired, missed, last_missed_at FROM resonate.search_schedules();
RESET resonate.schedule_grace;

-- A day or less of outage is survived without a timeout.
DELETE FROM resonate.schedules;
SET resonate.test_clock = '4000000000000';
SELECT status, next_run_at FROM resonate.create_schedule('report', '0 7 * * mon-fri', time_zone => 'Europe/Berlin');
SET resonate.test_clock = '4000079999999';
SELECT resonate.process_timeouts();
SELECT state, created_at, timeout_at FROM resonate.search_promises('report.*');
SELECT fired, missed FROM resonate.get_schedule('report');

--
-- Rules of a time zone that have changed
--

-- What is stored looks as if the clock had been set otherwise: the next run is
-- moved, and what a clock shows at it is not.  On 2096-10-02 Berlin has summer time.
DELETE FROM resonate.schedules;
DELETE FROM resonate.promises;
SET resonate.test_clock = '4000000000000';
CREATE TEMP TABLE moved (id text, cron text, by interval, has_civil boolean);
INSERT INTO moved VALUES
	('daily/early', '0 12 * * *', '-1 h', true), ('daily/late', '0 12 * * *', '1 h', true),
	('daily/early/unknown', '0 12 * * *', '-1 h', false), ('daily/late/unknown', '0 12 * * *', '1 h', false),
	('hours/early', '0 10-18 * * *', '-1 h', true), ('hours/late', '0 10-18 * * *', '1 h', true),
	('half/early', '0 12 * * *', '-30 min', true), ('half/late', '0 12 * * *', '30 min', true),
	('elapsed', '0 * * * *', '1 h', true), ('elapsed/half', '0 * * * *', '-30 min', true),
	('same', '0 12 * * *', '0', true), ('same/unknown', '0 12 * * *', '0', false),
	('yesterday', '0 12 * * *', '-1 day', true), ('utc', '0 10 * * *', '-30 min', false);
SELECT count(*) FROM moved AS m, resonate.create_schedule(m.id, m.cron, time_zone => CASE WHEN m.id <> 'utc' THEN 'Europe/Berlin' END);
UPDATE resonate.schedules AS s SET
	next_run_at = s.next_run_at + (extract(epoch FROM m.by) * 1000)::bigint,
	created_at = s.created_at - 2 * 86400000,
	next_civil = CASE WHEN m.has_civil THEN s.next_civil END
FROM moved AS m WHERE m.id = s.id;

-- Each is fired when the clock in Berlin shows what it was to show, which is two hours
-- ahead of UTC.
CREATE FUNCTION pg_temp.fire_until(until bigint) RETURNS TABLE (schedule text, fired text) LANGUAGE plpgsql AS $$
DECLARE
	ms bigint;
BEGIN
	FOR ms IN SELECT generate_series(4000000000000, until, 600000) LOOP
		PERFORM set_config('resonate.test_clock', ms::text, false);
		PERFORM resonate.process_timeouts();
	END LOOP;
	RETURN QUERY SELECT regexp_replace(p.id, '\..*', ''),
		string_agg(to_char(to_timestamp(p.created_at / 1000), 'DD HH24:MI'), ', ' ORDER BY p.created_at)
		FROM resonate.promises AS p GROUP BY 1 ORDER BY 1;
END
$$;
SELECT * FROM pg_temp.fire_until(4000015000000);
SELECT id, next_run_at, fired, missed FROM resonate.search_schedules();
DROP TABLE moved;

-- What was fired by the old rules is not fired again by the new ones, which have
-- the same time of the clock an hour later.
DELETE FROM resonate.schedules;
DELETE FROM resonate.promises;
SET resonate.test_clock = '4000000000000';
SELECT status FROM resonate.create_schedule('again', '0 12-14 * * *', time_zone => 'Europe/Berlin');
SELECT count(*) FROM pg_temp.fire_until(4000012000000);
UPDATE resonate.schedules SET last_run_at = last_run_at - 3600000, next_run_at = next_run_at - 3600000;
DELETE FROM resonate.promises;
SELECT * FROM pg_temp.fire_until(4000012000000);
SELECT * FROM pg_temp.fire_until(4000086400000);
DELETE FROM resonate.schedules;
DELETE FROM resonate.promises;
