-- The clock of the server jumps ahead by hours, and comes back: what was dequeued,
-- received or leased in between is not hidden until it would have come back by itself.
\ir helpers.psql
\ir background.psql

SELECT no_plan();

SELECT 8 * 3600 * 1000 AS jump, setting::bigint AS hidden FROM pg_settings
WHERE name = 'resonate.visibility_timeout' \gset
SELECT setting::bigint AS retry FROM pg_settings WHERE name = 'resonate.retry_timeout' \gset
SELECT setting::bigint AS longest FROM pg_settings WHERE name = 'resonate.retry_timeout_max' \gset

CREATE FUNCTION make(id text, tags jsonb) RETURNS integer LANGUAGE sql AS
$$
	SELECT (resonate.create_promise(id, '10 d', tags => tags)).status
$$;
CREATE FUNCTION target(address text) RETURNS jsonb LANGUAGE sql AS
$$
	SELECT jsonb_build_object('resonate:target', address)
$$;
CREATE FUNCTION dequeued(address text) RETURNS text LANGUAGE sql AS
$$
	SELECT coalesce(string_agg(task_id, ' ' ORDER BY task_id), 'none') FROM resonate.dequeue_execute(address)
$$;
CREATE FUNCTION received(address text, visibility interval DEFAULT NULL) RETURNS text LANGUAGE sql AS
$$
	SELECT coalesce(string_agg(promise_id, ' ' ORDER BY promise_id), 'none')
	FROM resonate.receive(address, visibility => visibility)
$$;
CREATE FUNCTION clocks() RETURNS text LANGUAGE sql AS
$$
	SELECT string_agg(id || ' ' || clock_at - 4000000000000, ', ' ORDER BY id) FROM resonate.tasks
$$;

--
-- Tasks
--

SELECT is(make('dequeued', target('poll://any@a')), 2010, 'a task');
SELECT is(make('told', target('notify://chan')), 2010, 'a task');
SELECT is(make('delayed', target('poll://any@a') || jsonb_build_object('resonate:delay', (4000000000000 + :jump / 2)::text)),
		  2010, 'a task for later');
SELECT is(make('put off', target('poll://any@a') || jsonb_build_object('resonate:delay', (4000000000000 + 2 * :jump)::text)),
		  2010, 'a task for much later');
SELECT is((resonate.create_promise_and_task(id, 'me', ttl, '10 d', tags => target('poll://any@a'))).status, 2010, 'a lease')
FROM (VALUES ('held', interval '1 min'), ('held for long', '1 d'), ('released', '1 min'), ('kept', '1 min'), ('woken', '1 min'))
AS v (id, ttl);
SELECT is(make('awaited', NULL), 2010, 'a promise');
SELECT is((resonate.suspend_task('woken', 1, '{awaited}')).status, 2000, 'which a task waits for');
SELECT is(step(), 'idle 0', 'nothing is wrong');

SELECT at(:jump);
SELECT is((resonate.heartbeat_tasks('me', ARRAY[id], ARRAY[1])), 1, 'a heartbeat')
FROM unnest('{held, held for long, released}'::text[]) AS id;
SELECT is(dequeued('poll://any@a'), 'delayed dequeued', 'two are dequeued');
SELECT is((resonate.release_task('released', 1)).status, 2000, 'one is given back');
SELECT is((resonate.resolve('awaited')).status, 2010, 'one is woken');
SELECT is(make('born', target('poll://any@a')), 2010, 'one is created');
SELECT is((resonate.create_promise_and_task('taken', 'me', '1 min', '10 d', tags => target('poll://any@a'))).status,
		  2010, 'one is created and held');

SELECT at(100);
SELECT is(dequeued('poll://any@a'), 'none', 'all are hidden');
SELECT is(step(), 'clock 8', 'a step sets them right');
SELECT is(clocks(), format('born 100, delayed %s, dequeued 100, held 60100, held for long %s, kept 60000, put off %s, '
						   'released 100, taken 60100, told %s, woken 100', :jump / 2, 86400000 + 100, 2 * :jump, :retry),
		  'what was dequeued is due, leases are full ones from now, and delays are kept');
SELECT is(dequeued('poll://any@a'), 'born dequeued released woken', 'visible at once');
SELECT is(step(), 'idle 0', 'and nothing is left to do');
SELECT is((resonate.fulfill_task('held', 1, 'resolved')).status, 2000, 'a holder has kept its lease');
SELECT at(60100);
SELECT is(step(), 'lease 2', 'which ends in time otherwise');

-- Waits that the settings explain are no errors, however often one looks.
SELECT at(60200);
SELECT is((resonate.acquire_task('released', 1, 'me', '1 min')).status, 2000, 'acquired');
UPDATE resonate.tasks SET setbacks = 20 WHERE id = 'released';
SELECT is((resonate.release_task('released', 2)).status, 2000, 'and given back after many setbacks');
SELECT clock_at AS before FROM resonate.tasks WHERE id = 'released' \gset
SELECT cmp_ok(:before - 4000000060200, '>=', (:longest * 0.8)::bigint, 'a long wait');
SELECT is(step(), 'idle 0', 'is no error');
SELECT is((SELECT clock_at FROM resonate.tasks WHERE id = 'released'), :before, 'and stays');
DELETE FROM resonate.promises;

--
-- Messages
--

SELECT at(0);
SELECT is(make(id, NULL), 2010, 'a promise') FROM unnest('{l, l2, c, long, n}'::text[]) AS id;
SELECT is(listen(id, 'poll://uni@g/1'), 200, 'a listener') FROM unnest('{l, l2}'::text[]) AS id;
SELECT is((resonate.create_callback(id, 'c', address)).status, 2010, 'a callback')
FROM (VALUES ('c', 'poll://any@c'), ('long', 'poll://any@long'), ('n', 'notify://chan')) AS v (id, address);
SELECT is((resonate.resolve(id)).status, 2010, 'settled') FROM unnest('{l, c, long}'::text[]) AS id;
SELECT is(received('poll://any@long', '1 d'), 'long', 'received, to be kept for a day');
SELECT at(:jump);
SELECT is((SELECT count(*) FROM resonate.dequeue_unblock('poll://uni@g/1')), 1::bigint, 'dequeued');
SELECT is(received('poll://any@c'), 'c', 'received');
SELECT is((resonate.resolve(id)).status, 2010, 'settled') FROM unnest('{l2, n}'::text[]) AS id;
SELECT at(1000);
SELECT is((SELECT count(*) FROM resonate.dequeue_unblock('poll://uni@g/1')), 0::bigint, 'hidden');
SELECT is(received('poll://any@c'), 'none', 'all of them');
SELECT is(step(), 'clock 4', 'a step sets them right');
SELECT is((SELECT count(*) FROM resonate.dequeue_unblock('poll://uni@g/1')), 2::bigint, 'visible at once,');
SELECT is(received('poll://any@c'), 'c', 'what was received,');
SELECT is(step(), 'deliver 1', 'and what is to be sent');
SELECT is(received('poll://any@long'), 'none', 'what was received before for long is not');
SELECT is(step(), 'idle 0', 'nor later');

-- No clock that anybody works with is ahead by decades: a test clock may be.
SELECT at(86400000::bigint * 365 * 20);
SELECT is(make('far', target('poll://any@far')), 2010, 'a task, twenty years ahead');
SELECT is(dequeued('poll://any@far'), 'far', 'dequeued');
SELECT at(1000);
SELECT is(step(), 'idle 0', 'is left alone');
DELETE FROM resonate.promises;

-- Deadlines that have passed are final.
DELETE FROM resonate.messages;
DELETE FROM resonate.promises;
SELECT is((resonate.create_promise('final', '1 h')).status, 2010, 'a promise');
SELECT at(:jump);
SELECT is(step(), 'timeout 1', 'past its deadline');
SELECT at(2000);
SELECT is(step(), 'idle 0', 'stays as it is');
SELECT is((resonate.get_promise('final')).state, 'rejected_timedout', 'settled');
--
-- Schedules
--

CREATE FUNCTION clock(ms bigint) RETURNS text LANGUAGE sql AS
$$
	SELECT to_char(to_timestamp(ms / 1000), 'HH24:MI')
$$;
CREATE FUNCTION schedules() RETURNS text LANGUAGE sql AS
$$
	SELECT string_agg(concat_ws(' ', id, 'next', clock(next_run_at), 'last ' || clock(last_run_at),
								'missed ' || clock(last_missed_at)), ', ' ORDER BY id)
	FROM resonate.schedules WHERE cron <> '@yearly'
$$;
CREATE FUNCTION occurrences() RETURNS text LANGUAGE sql AS
$$
	SELECT string_agg(id || ' ' || n, ', ' ORDER BY id)
	FROM (SELECT split_part(id, '.', 1) AS id, count(*) AS n FROM resonate.promises GROUP BY 1) AS p
$$;

-- It is six minutes past seven, then eight.
DELETE FROM resonate.promises;
SELECT at(0);
SELECT is((resonate.create_schedule(id, cron, promise_id, catch_up => catch_up, time_zone => zone, timeout => '10 d')).status,
		  2010, 'a schedule')
FROM (VALUES ('all', '@hourly', 'all', NULL, NULL), ('last', '@hourly', 'last', NULL, NULL),
	('none', '@hourly', 'none', NULL, NULL), ('berlin', '15 9-20 * * *', 'last', 'Europe/Berlin', NULL),
	('lost', '@hourly', 'all', 'Europe/Berlin', NULL), ('one', '@hourly', 'last', NULL, 'one'),
	('yearly', '@yearly', 'all', NULL, NULL))
AS v (id, cron, catch_up, zone, promise_id);
SELECT at(3200000);
SELECT is(steps(), 'schedule 6', 'all run but one');
SELECT is(schedules(), 'all next 09:00 last 08:00, berlin next 08:15 last 07:15, last next 09:00 last 08:00, '
		  'lost next 09:00 last 08:00, none next 09:00 last 08:00, one next 09:00 last 08:00', 'in time');

SELECT at(:jump + 60000);
SELECT is((resonate.create_schedule('born', '*/5 * * * *')).status, 2010, 'one is created seven hours ahead');
SELECT is(steps(), 'schedule 18', 'and others run');
SELECT is(schedules(), 'all next 16:00 last 15:00, berlin next 15:15 last 14:15 missed 13:15, born next 15:10, '
		  'last next 16:00 last 15:00 missed 14:00, lost next 16:00 last 15:00, none next 16:00 last 08:00 missed 15:00, '
		  'one next 16:00 last 15:00 missed 14:00', 'or are passed over');
SELECT is(occurrences(), 'all 8, berlin 2, last 2, lost 8, none 1, one 1', 'early');
UPDATE resonate.schedules SET time_zone = 'No/Where' WHERE id = 'lost';

SELECT at(3260000);
SELECT is((SELECT w.step || ' ' || w.processed FROM resonate.worker_step("limit" => 1) AS w), 'clock 1',
		  'a step sets as many right as it may');
SELECT is(steps(), 'clock 5', 'and the next one the rest');
SELECT is(schedules(), 'all next 09:00 last 08:00, berlin next 08:15 last 07:15 missed 07:15, born next 08:05, '
		  'last next 09:00 last 08:00 missed 08:00, lost next 16:00 last 15:00, none next 09:00 last 08:00 missed 08:00, '
		  'one next 09:00 last 08:00 missed 08:00',
		  'as if they had kept up, but for what cannot be evaluated');
SELECT is(occurrences(), 'all 8, berlin 2, last 2, lost 8, none 1, one 1', 'nothing is fired for it');
SELECT is(created_at, ts(3260000), 'what was created ahead was created now') FROM resonate.get_schedule('born');
SELECT is(next_run_at, '2097-01-01 00:00:00 UTC', 'what was not touched stays') FROM resonate.get_schedule('yearly');
SELECT at(3500000);
SELECT is(steps(), 'schedule 1', 'five minutes past eight');
SELECT at(6800000);
SELECT is(steps(), 'schedule 16', 'nine');
SELECT is(occurrences(), 'all 8, berlin 3, born 12, last 3, lost 8, none 2, one 1',
		  'what was passed over is made up for, and what has been fired is not fired twice');
SELECT is(missed, 7::bigint, 'what has happened counts') FROM resonate.get_schedule('none');

-- What is far ahead is left alone, as above; and others are not read.
DELETE FROM resonate.schedules;
SELECT at(86400000::bigint * 365 * 20);
SELECT is((resonate.create_schedule('far', '@hourly')).status, 2010, 'a schedule, twenty years ahead');
SELECT at(6900000);
INSERT INTO resonate.schedules (created_at, next_run_at, last_run_at, promise_timeout, catch_up, id, cron, promise_id, promise_tags)
SELECT 4000000000000, 4007750400000, 4000000000000 + n, 0, 'all', 's' || n, '@yearly', '{{.id}}.{{.timestamp}}', '{}'
FROM generate_series(1, 5000) AS n;
SELECT fetched('resonate.schedules') AS before \gset
SELECT is(step(), 'idle 0', 'is left alone, beside many that are in time');
SELECT cmp_ok(fetched('resonate.schedules') - :before, '<', 100::bigint, 'which are not read');
SELECT finish();
ROLLBACK;
