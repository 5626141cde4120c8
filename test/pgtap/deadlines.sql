-- The deadline: to the millisecond, timers, promises that are born settled, the
-- ends of time, and clocks that step back.
\ir helpers.psql

SELECT no_plan();

--
-- One millisecond before its deadline a promise is alive; at the deadline and
-- after it, it is not, whoever looks first.
--

CREATE TEMP TABLE looks (op text, statement text, alive text, lapsed text, timer text)
ON COMMIT DROP;
INSERT INTO looks VALUES
	('get', 'SELECT brief(r) FROM resonate.get_promise(%L) r',
	 '2000 pending', '2000 rejected_timedout at 60000', '2000 resolved at 60000'),
	('await', 'SELECT brief(r) FROM resonate.await_promise(%L, ''0'') r',
	 '4080 pending', '2000 rejected_timedout at 60000', '2000 resolved at 60000'),
	('search', 'SELECT brief(2000, state, value, settled_at)
				FROM resonate.search_promises(%L)',
	 '2000 pending', '2000 rejected_timedout at 60000', '2000 resolved at 60000'),
	('create', 'SELECT brief(r) FROM resonate.create_promise(%L, idempotency_key => ''k'') r',
	 '2000 pending', '2000 rejected_timedout at 60000', '2000 resolved at 60000'),
	('create strictly', 'SELECT brief(r) FROM resonate.create_promise(%L,
						 idempotency_key => ''k'', strict => true) r',
	 '2000 pending', '4090 rejected_timedout at 60000', '4090 resolved at 60000'),
	('create again', 'SELECT brief(r) FROM resonate.create_promise(%L) r',
	 '4090 pending', '4090 rejected_timedout at 60000', '4090 resolved at 60000'),
	('resolve', 'SELECT brief(r) FROM resonate.resolve(%L, ''1'') r',
	 '2010 resolved 1 at 59999', '2000 rejected_timedout at 60000', '4030 resolved at 60000'),
	('reject', 'SELECT brief(r) FROM resonate.reject(%L, ''1'') r',
	 '2010 rejected 1 at 59999', '2000 rejected_timedout at 60000', '4030 resolved at 60000'),
	('cancel', 'SELECT brief(r) FROM resonate.cancel(%L, ''1'') r',
	 '2010 rejected_canceled 1 at 59999', '2000 rejected_timedout at 60000',
	 '4030 resolved at 60000'),
	('resolve strictly', 'SELECT brief(r) FROM resonate.resolve(%L, ''1'', strict => true) r',
	 '2010 resolved 1 at 59999', '4033 rejected_timedout at 60000', '4030 resolved at 60000'),
	('callback', 'SELECT brief(r) FROM resonate.create_callback(%L, ''late'', ''poll://any@g'') r',
	 '2010 pending -> late poll://any@g', '2000 rejected_timedout at 60000',
	 '2000 resolved at 60000'),
	('create a batch', 'SELECT brief(r) FROM resonate.create_promises(
						jsonb_build_array(jsonb_build_object(''id'', %L))) r',
	 '4090 pending', '4090 rejected_timedout at 60000', '4090 resolved at 60000'),
	('settle a batch', 'SELECT brief(r) FROM resonate.settle_promises(jsonb_build_array(
						jsonb_build_object(''state'', ''resolved'', ''value'', 1, ''id'', %L))) r',
	 '2010 resolved 1 at 59999', '2000 rejected_timedout at 60000', '4030 resolved at 60000');

CREATE FUNCTION check_look(look looks, is_timer boolean, late_ms integer)
RETURNS SETOF text LANGUAGE plpgsql AS
$$
DECLARE
	name text := format('%s %s ms after the deadline of a %s', look.op, late_ms,
		CASE WHEN is_timer THEN 'timer' ELSE 'promise' END);
	wanted text := CASE WHEN late_ms < 0 THEN look.alive WHEN is_timer THEN look.timer
				   ELSE look.lapsed END;
	answer text;
BEGIN
	PERFORM at(0);
	PERFORM resonate.create_promise(name, '1 min', idempotency_key => 'k',
		tags => CASE WHEN is_timer THEN '{"resonate:timer": "true"}'::jsonb END);
	PERFORM resonate.create_callback(name, 'early', 'poll://any@g');
	PERFORM at(60000 + late_ms);
	EXECUTE format(look.statement, name) INTO answer;
	RETURN NEXT is(answer, wanted, name);
	IF late_ms >= 0 THEN
		-- Whoever notices that a deadline has passed stores it, once.
		RETURN NEXT is(stored(name), substr(wanted, 6), name || ' is stored');
		RETURN NEXT is((SELECT count(*) FROM resonate.messages WHERE promise_id = name),
					   1::bigint, name || ' fires the callback');
	END IF;
END
$$;

SELECT check_look(look, is_timer, late_ms)
FROM looks look CROSS JOIN (VALUES (false), (true)) AS kind (is_timer)
CROSS JOIN (VALUES (-1), (0), (1), (86400000)) AS moment (late_ms);

DELETE FROM resonate.messages;
DELETE FROM resonate.callbacks;
DELETE FROM resonate.promises;

--
-- A create whose deadline has passed is born settled.
--

SELECT at(1000);
SELECT is(brief(r) || concat_ws(' ', ', created', ms(created_at), 'due', ms(timeout_at)), wanted, name)
FROM (VALUES
	('born one ms before its deadline', interval '1 ms', NULL::timestamptz, NULL::jsonb,
	 '2010 pending, created 1000 due 1001'),
	('born at its deadline', '0', NULL, NULL,
	 '2010 rejected_timedout at 1000, created 1000 due 1000'),
	('born with a deadline one ms ahead', NULL, ts(1001), NULL,
	 '2010 pending, created 1000 due 1001'),
	('born with a deadline now', NULL, ts(1000), NULL,
	 '2010 rejected_timedout at 1000, created 1000 due 1000'),
	('born one ms after its deadline', NULL, ts(999), NULL,
	 '2010 rejected_timedout at 999, created 999 due 999'),
	('timer born one ms before its deadline', '1 ms', NULL, '{"resonate:timer": "true"}',
	 '2010 pending, created 1000 due 1001'),
	('timer born at its deadline', '0', NULL, '{"resonate:timer": "true"}',
	 '2010 resolved at 1000, created 1000 due 1000'),
	('timer born one ms after its deadline', NULL, ts(999), '{"resonate:timer": "true"}',
	 '2010 resolved at 999, created 999 due 999'),
	('internal promise born at its deadline', '0', NULL, '{"resonate:external": "false"}',
	 '2010 rejected_timedout at 1000, created 1000 due 1000')
) AS v (name, timeout, timeout_at_given, tags_given, wanted)
CROSS JOIN LATERAL resonate.create_promise(name, v.timeout, tags => tags_given,
										   timeout_at => timeout_at_given) AS r;

SELECT is(ms(created_at) || ' ' || state, '-4000000000000 rejected_timedout',
		  'a deadline at the epoch is a long time ago')
FROM resonate.create_promise('born in 1970', timeout_at => 'epoch');

SELECT is(ROW(r.value, r.value_headers, r.value_data, r.idempotency_key_for_create,
			  r.idempotency_key_for_complete)::text,
		  ROW(NULL::jsonb, '{}'::jsonb, NULL, 'k', NULL)::text,
		  'who is born settled has a key for create, and no value')
FROM resonate.create_promise('born settled', '0', param => '1', idempotency_key => 'k') AS r;
SELECT is(brief(resonate.create_promise('born settled', idempotency_key => 'k')),
		  '2000 rejected_timedout at 1000', 'and deduplicates');
SELECT is(brief(resonate.create_promise('born settled', idempotency_key => 'k', strict => true)),
		  '4090 rejected_timedout at 1000', 'but not strictly');
SELECT is(brief(resonate.resolve('born settled', '1')),
		  '2000 rejected_timedout at 1000', 'and cannot be resolved');

SELECT is(brief(r), '2010 rejected_timedout at 1000',
		  'a promise that is born settled gets no callback')
FROM resonate.create_promise_and_callback('born with callback', 'c', 'poll://any@g', '0') AS r;
SELECT is_empty('SELECT FROM resonate.callbacks', 'none is stored');
SELECT is_empty('SELECT FROM resonate.messages', 'and no message');

--
-- Lengths of time: milliseconds, rounded so that nothing ends too early.
--

SELECT at(1000);
SELECT is(ms(timeout_at), wanted, 'a timeout of ' || name)
FROM (VALUES
	('1 microsecond', '1001'), ('999 microseconds', '1001'), ('1000 microseconds', '1001'),
	('1001 microseconds', '1002'), ('1 second', '2000'), ('1 day', '86401000'),
	('1 month', '2678401000'), ('1 year 1 month', '34214401000'),
	('1 month -31 days', '1000'), ('-1 day 24 hours 1 ms', '1001')
) AS v (name, wanted)
CROSS JOIN LATERAL resonate.create_promise('timeout ' || name, name::interval);

SELECT is(ms(timeout_at), '2000', 'an instant is rounded down to a millisecond')
FROM resonate.create_promise('instant', timeout_at => ts(2000) + '999 microseconds');

SET LOCAL TimeZone = 'America/New_York';
SELECT is(ms(timeout_at), '5184001000', 'a day has 24 hours, whatever the session''s time zone')
FROM resonate.create_promise('over the end of summer time', '60 days');
SET LOCAL TimeZone = 'UTC';

SELECT is(ms(timeout_at), '86401000', 'the default timeout is a day')
FROM resonate.create_promise('default timeout');
SET LOCAL resonate.default_timeout = '5min';
SELECT is(ms(timeout_at), '301000', 'unless configured otherwise')
FROM resonate.create_promise('other default timeout');
SELECT is(ms(timeout_at), '301000', 'for batches too')
FROM resonate.create_promises('[{"id": "default timeout of a batch"}]');
SET LOCAL resonate.default_timeout = 0;
SELECT is(brief(resonate.create_promise('no default timeout')), '2010 rejected_timedout at 1000',
		  'a default of zero means born settled');
RESET resonate.default_timeout;

SELECT is(coalesce(ms(timeout_at), timeout_at_ms::text), wanted, 'in a batch, ' || member::text)
FROM (VALUES
	('{"timeout": 1}'::jsonb, '1001'), ('{"timeout": 1e3}', '2000'),
	('{"timeout": "1 microsecond"}', '1001'), ('{"timeout": 0}', '1000'),
	('{"timeout_at": 4000000002000}', '2000'),
	('{"timeout_at": "2096-10-02 07:06:42+00"}', '2000'),
	('{"timeout_at": "infinity"}', '9223372036854775807'), ('{"timeout_at": 0}', '-4000000000000'),
	('{"timeout": null, "timeout_at": null}', '86401000')
) AS v (member, wanted)
CROSS JOIN LATERAL resonate.create_promises(
	jsonb_build_array(member || jsonb_build_object('id', 'batch ' || (member::text))));

--
-- The end of time.
--

DELETE FROM resonate.promises;
SELECT at(0);
SELECT is(brief(r) || ' due ' || timeout_at_ms, '2010 pending due 9223372036854775807',
		  'an infinite deadline never comes')
FROM resonate.create_promise('for ever', timeout_at => 'infinity') AS r;
SELECT is(timeout_at_ms, 9223372036854775807, 'the largest timeout saturates')
FROM resonate.create_promises('[{"id": "saturated", "timeout": 9223372036854775807}]');
SELECT is(timeout_at_ms, 9223372036854775807, 'so does the largest instant')
FROM resonate.create_promises('[{"id": "last instant", "timeout_at": 9223372036854775807}]');
SELECT is((SELECT count(*) FROM resonate.promises WHERE timeout_at = 9223372036854775807),
		  3::bigint, 'all of them are stored as the largest number');
SELECT is(timeout_at_ms, 9404640000000000, 'an instant that timestamptz cannot hold')
FROM resonate.create_promises('[{"id": "year 300000", "timeout_at": 9404640000000000}]');
SELECT is(count(*), 4::bigint, 'what client libraries cannot read is NULL')
FROM resonate.search_promises() WHERE timeout_at IS NULL;
SELECT is(timeout_at, '9999-12-31 00:00:00+00', 'the last instant that is shown')
FROM resonate.create_promise('year 9999', timeout_at => '9999-12-31 00:00:00+00');
SELECT is(timeout_at, NULL, 'the next one is not')
FROM resonate.create_promise('later in 9999', timeout_at => '9999-12-31 00:00:00.001+00');
SELECT is(timeout_at_ms, 253402214400001, 'but counted')
FROM resonate.get_promise('later in 9999');
DELETE FROM resonate.promises WHERE id LIKE '%9999';

SELECT set_config('resonate.test_clock', '9404639999999999', true);
SELECT is((resonate.get_promise('year 300000')).state, 'pending', 'but comes');
SELECT set_config('resonate.test_clock', '9404640000000000', true);
SELECT is((resonate.get_promise('year 300000')).state, 'rejected_timedout', 'to the millisecond');

SELECT set_config('resonate.test_clock', '9223372036854775000', true);
SELECT is((resonate.get_promise('for ever')).state, 'pending', 'at the end of time it is pending');
SELECT is(timeout_at_ms, 9223372036854775807, 'a deadline after the end of time saturates')
FROM resonate.create_promise('overflow');
SELECT is((resonate.resolve('for ever')).status, 2010, 'and can still be resolved');

SELECT at(0);
DELETE FROM resonate.promises WHERE state <> 'pending';
SELECT is(brief(resonate.worker_step(ts(1000000000000))), 'idle 0', 'nobody waits for infinity');

--
-- A clock that steps back.
--

DELETE FROM resonate.promises;
SELECT at(5000);
SELECT resonate.create_promise('stepped', '1 min', idempotency_key => 'k') AS ignored \gset
SELECT resonate.create_promise('stepped timer', '1 min', tags => '{"resonate:timer": "true"}')
	AS ignored \gset
SELECT at(1000);
SELECT is(brief(resonate.get_promise('stepped')), '2000 pending', 'before its birth it is pending');
SELECT is(brief(resonate.create_promise('stepped', idempotency_key => 'k')), '2000 pending',
		  'and deduplicates');
SELECT is(brief(resonate.resolve('stepped', '1')), '2010 resolved 1 at 5000',
		  'it is never settled before its birth');
SELECT is(brief(resonate.resolve('stepped timer', '1')), '2010 resolved 1 at 5000',
		  'nor is a timer');
SELECT is(brief(resonate.get_promise('stepped')), '2000 resolved 1 at 5000', 'and stays so');

SELECT at(0);
SELECT resonate.create_promise('timed out', '1 min') AS ignored \gset
SELECT at(60000);
SELECT is(brief(resonate.worker_step()), 'timeout 1', 'one promise times out');
SELECT at(1000);
SELECT is(brief(resonate.get_promise('timed out')), '2000 rejected_timedout at 60000',
		  'a timeout that is stored stays, whatever the clock says later');
SELECT is(brief(resonate.resolve('timed out', strict => true)), '4033 rejected_timedout at 60000',
		  'for commands too');

-- The clock was set back; by this time all of it is the past.
SELECT at(60000);
SELECT is_empty('SELECT * FROM resonate.check_invariants()', 'invariants hold');
SELECT finish();
ROLLBACK;
