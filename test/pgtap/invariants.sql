-- check_invariants(): each invariant is violated by hand, and reported by its
-- name.
\ir helpers.psql

SELECT no_plan();

--
-- One of everything that can be stored
--

CREATE FUNCTION rpc(kind text, data jsonb) RETURNS text LANGUAGE sql AS
$$
	SELECT resonate.resonate_rpc(jsonb_build_object('kind', kind,
		'head', '{"corrId": "1", "version": "2026-04-01"}'::jsonb, 'data', data)) -> 'head' ->> 'status'
$$;
CREATE FUNCTION made(id text, timeout integer, tags jsonb) RETURNS text LANGUAGE sql AS
$$
	SELECT rpc('promise.create', jsonb_build_object('id', id, 'timeoutAt', 4000000000000 + timeout,
												   'tags', tags))
$$;
CREATE FUNCTION held(id text, timeout integer) RETURNS text LANGUAGE sql AS
$$
	SELECT rpc('task.create', jsonb_build_object('pid', 'w', 'ttl', 1000, 'action',
		jsonb_build_object('kind', 'promise.create', 'head', '{}'::jsonb, 'data',
			jsonb_build_object('id', id, 'timeoutAt', 4000000000000 + timeout,
							   'tags', '{"resonate:target": "poll://any@g"}'::jsonb))))
$$;
CREATE FUNCTION suspended(id text, awaited text) RETURNS text LANGUAGE sql AS
$$
	SELECT rpc('task.suspend', jsonb_build_object('id', id, 'version', 1, 'actions',
		jsonb_build_array(jsonb_build_object('kind', 'promise.register_callback', 'head', '{}'::jsonb,
			'data', jsonb_build_object('awaiter', id, 'awaited', awaited)))))
$$;

SELECT is_empty('SELECT * FROM resonate.check_invariants()', 'nothing violates nothing');

SELECT results_eq($$
	SELECT made('external', 10000, '{"resonate:external": "true"}')
	UNION ALL SELECT made('internal', 10000, '{}')
	UNION ALL SELECT made('global', 10000, '{"resonate:scope": "global"}')
	UNION ALL SELECT made('timer', 10000, '{"resonate:timer": "true"}')
	UNION ALL SELECT made('timer that has fired', 50, '{"resonate:timer": "true"}')
	UNION ALL SELECT made('timed out', 50, '{"resonate:external": "true"}')
	UNION ALL SELECT made('lapsed', 50, '{}')
	UNION ALL SELECT made('born dead', -50, '{"resonate:target": "poll://any@g"}')
	UNION ALL SELECT made('resolved', 10000, '{"resonate:external": "true"}')
	UNION ALL SELECT made('fulfilled', 10000, '{"resonate:target": "poll://any@g"}')
	UNION ALL SELECT made('offered', 10000, '{"resonate:target": "poll://any@g"}')
	UNION ALL SELECT made('later', 10000, '{"resonate:target": "w1", "resonate:delay": "4000000005000"}')
	UNION ALL SELECT made('halted', 10000, '{"resonate:target": "poll://any@g"}')
	UNION ALL SELECT held('acquired', 10000)
	UNION ALL SELECT held('suspended', 10000) UNION ALL SELECT suspended('suspended', 'external')
	UNION ALL SELECT held('dying', 10000) UNION ALL SELECT suspended('dying', 'external')
	UNION ALL SELECT rpc('task.halt', '{"id": "halted"}')
	UNION ALL SELECT rpc('promise.register_callback', '{"awaited": "external", "awaiter": "halted"}')
	UNION ALL SELECT rpc('promise.register_listener', '{"awaited": "external", "address": "poll://uni@g/w"}')
	UNION ALL SELECT rpc('promise.register_listener', '{"awaited": "resolved", "address": "http://host"}')
	UNION ALL SELECT rpc('promise.settle', '{"id": "resolved", "state": "resolved",
											 "value": {"data": "not base64"}}')
	UNION ALL SELECT rpc('promise.settle', '{"id": "fulfilled", "state": "rejected", "value": {"data": "MQ=="}}')
	UNION ALL SELECT rpc('schedule.create', '{"id": "minutely", "cron": "* * * * *", "promiseTimeout": 0,
		"promiseId": "{{.id}}.{{.timestamp}}", "promiseTags": {"resonate:target": "poll://any@g"}}')$$,
	$$SELECT '200' FROM generate_series(1, 25)$$, 'one of everything');
SELECT is((resonate.create_callback('external', 'typed', 'notify://channel')).status, 2010, 'and a callback');
SELECT is_empty('SELECT * FROM resonate.check_invariants()', 'none is violated');

-- Time passes; nobody has stored yet that it has.
SELECT at(60000);
SELECT is_empty('SELECT * FROM resonate.check_invariants()', 'nor when every deadline has passed');
SELECT at(100);
SELECT ok(resonate.process_timeouts() > 0, 'the deadlines are stored');
SELECT is_empty('SELECT * FROM resonate.check_invariants()', 'none is violated by that');

--
-- By hand
--

-- What is found after statements without constraints and triggers.  Nothing of
-- them stays.
CREATE FUNCTION violated(statements text) RETURNS text LANGUAGE plpgsql AS
$$
DECLARE
	found text;
	relation regclass;
	constraint_ record;
BEGIN
	FOR relation IN
		SELECT c.oid::regclass FROM pg_class c
		WHERE c.relnamespace = 'resonate'::regnamespace AND c.relkind = 'r'
	LOOP
		EXECUTE format('ALTER TABLE %s DISABLE TRIGGER USER', relation);
	END LOOP;
	FOR constraint_ IN
		SELECT c.conrelid::regclass AS relation, c.conname FROM pg_constraint c
		WHERE c.connamespace = 'resonate'::regnamespace AND c.contype = 'c'
	LOOP
		EXECUTE format('ALTER TABLE %s DROP CONSTRAINT %I', constraint_.relation, constraint_.conname);
	END LOOP;
	EXECUTE statements;
	SELECT string_agg(name, ' ') INTO found FROM resonate.check_invariants() AS name;
	RAISE EXCEPTION USING ERRCODE = 'P0997';
EXCEPTION WHEN SQLSTATE 'P0997' THEN
	RETURN found;
END
$$;

CREATE TEMP TABLE cases (
	name text,			-- the invariant
	statements text,	-- what violates it
	others text			-- what follows from that, in order of names
) ON COMMIT DROP;

-- 6.1, in its order.  The gaps in the numbers are what no row can violate.
INSERT INTO cases VALUES
	('well_formed_promise_created_at_lte_timeout_at',
	 $$UPDATE resonate.promises SET timeout_at = created_at - 1 WHERE id = 'internal'$$,
	 '{well_formed_promise_pending_created_before_deadline}'),
	('well_formed_promise_created_at_lte_timeout_at',
	 $$UPDATE resonate.promises SET timeout_at = created_at - 1, settled_at = created_at - 1
	   WHERE id = 'timed out'$$, '{well_formed_promise_created_at_lte_settled_at}'),
	('well_formed_promise_pending_created_before_deadline',
	 $$UPDATE resonate.promises SET timeout_at = created_at WHERE id = 'internal'$$, '{}'),
	('well_formed_promise_settled_at_lte_timeout_at',
	 $$UPDATE resonate.promises SET timeout_at = settled_at - 1, created_at = settled_at - 1
	   WHERE id = 'resolved'$$, '{}'),
	('well_formed_promise_created_at_lte_settled_at',
	 $$UPDATE resonate.promises SET settled_at = created_at - 1 WHERE id = 'resolved'$$, '{}'),
	('well_formed_promise_settled_at_iff_not_pending',
	 $$UPDATE resonate.promises SET settled_at = created_at WHERE id = 'internal'$$, '{}'),
	('well_formed_promise_settled_at_iff_not_pending',
	 $$UPDATE resonate.promises SET settled_at = NULL WHERE id = 'resolved'$$, '{}'),
	('well_formed_promise_pending_has_no_value',
	 $$UPDATE resonate.promises SET value_data = '1' WHERE id = 'internal'$$, '{}'),
	('well_formed_promise_pending_has_no_value',
	 $$UPDATE resonate.promises SET value_text = '' WHERE id = 'internal'$$, '{}'),
	('well_formed_promise_pending_has_no_value',
	 $$UPDATE resonate.promises SET value_headers = '{}' WHERE id = 'internal'$$, '{}'),
	('well_formed_promise_deadline_verdict_matches_timer_tag',
	 $$UPDATE resonate.promises SET state = 'rejected' WHERE id = 'timed out'$$, '{}'),
	('well_formed_promise_deadline_verdict_matches_timer_tag',
	 $$UPDATE resonate.promises SET state = 'rejected_timedout' WHERE id = 'timer that has fired'$$, '{}'),
	('well_formed_promise_deadline_settlement_has_no_value',
	 $$UPDATE resonate.promises SET value_text = 'x' WHERE id = 'timed out'$$, '{}'),
	('well_formed_promise_timer_not_targeted',
	 $$UPDATE resonate.promises SET timer = true, tags = tags || '{"resonate:timer": "true"}'
	   WHERE id = 'offered'$$, '{stored_promise_targeted_is_tag}'),
	('well_formed_promise_timedout_is_server_owned',
	 $$UPDATE resonate.promises SET state = 'rejected_timedout' WHERE id = 'resolved'$$, '{}'),
	('well_formed_promise_timedout_is_server_owned',
	 $$UPDATE resonate.promises SET settled_at = NULL WHERE id = 'timed out'$$,
	 '{well_formed_promise_settled_at_iff_not_pending}'),
	('well_formed_promise_obligations_require_external',
	 $$UPDATE resonate.promises SET external = false, tags = '{}' WHERE id = 'external'$$, '{}'),
	('well_formed_promise_obligations_require_external',
	 $$INSERT INTO resonate.awaiters VALUES ('internal', 'halted')$$, '{}'),
	('well_formed_promise_obligations_require_external',
	 $$INSERT INTO resonate.callbacks VALUES (0, 'callback', 'internal', 'c', 'notify://channel')$$, '{}'),
	('well_formed_promise_awaiter_is_not_self',
	 $$INSERT INTO resonate.awaiters VALUES ('halted', 'halted')$$, '{}'),
	('well_formed_promise_created_at_lte_now',
	 $$UPDATE resonate.promises SET created_at = 4000000000101 WHERE id = 'internal'$$, '{}'),
	('well_formed_promise_settled_at_lte_now',
	 $$UPDATE resonate.promises SET settled_at = 4000000000101 WHERE id = 'resolved'$$, '{}'),
	('well_formed_task_acquired_iff_has_pid',
	 $$UPDATE resonate.tasks SET pid = NULL WHERE id = 'acquired'$$, '{}'),
	('well_formed_task_acquired_iff_has_pid',
	 $$UPDATE resonate.tasks SET pid = 'w' WHERE id = 'offered'$$, '{}'),
	('well_formed_task_acquired_iff_has_ttl',
	 $$UPDATE resonate.tasks SET ttl = NULL WHERE id = 'acquired'$$, '{}'),
	('well_formed_task_acquired_iff_has_ttl',
	 $$UPDATE resonate.tasks SET ttl = 1 WHERE id = 'offered'$$, '{}'),
	('well_formed_task_acquired_iff_has_expires_at',
	 $$UPDATE resonate.tasks SET clock_at = NULL WHERE id = 'acquired'$$, '{}'),
	('well_formed_task_pending_iff_has_retry_at',
	 $$UPDATE resonate.tasks SET clock_at = NULL WHERE id = 'offered'$$, '{}'),
	('well_formed_task_suspended_is_cleared',
	 $$UPDATE resonate.tasks SET clock_at = 1 WHERE id = 'suspended'$$, '{}'),
	('well_formed_task_suspended_is_cleared',
	 $$UPDATE resonate.tasks SET pid = 'w' WHERE id = 'suspended'$$, '{well_formed_task_acquired_iff_has_pid}'),
	('well_formed_task_halted_is_cleared',
	 $$UPDATE resonate.tasks SET clock_at = 1 WHERE id = 'halted'$$, '{}'),
	('well_formed_task_halted_is_cleared',
	 $$UPDATE resonate.tasks SET ttl = 1 WHERE id = 'halted'$$, '{well_formed_task_acquired_iff_has_ttl}'),
	('well_formed_task_suspended_has_no_resumes',
	 $$UPDATE resonate.tasks SET resumes = 1 WHERE id = 'suspended'$$, '{}'),
	('well_formed_task_acquired_version_positive',
	 $$UPDATE resonate.tasks SET version = 0 WHERE id = 'acquired'$$, '{}'),
	('well_formed_schedule_promise_tags_not_timer_targeted',
	 $$SET LOCAL resonate.profile = strict;
	   UPDATE resonate.schedules SET promise_tags = promise_tags || '{"resonate:timer": "true"}'$$, '{}'),
	('well_formed_schedule_created_at_lte_next_run_at',
	 $$UPDATE resonate.schedules SET next_run_at = created_at - 1$$, '{}'),
	('well_formed_schedule_created_at_lte_last_run_at',
	 $$UPDATE resonate.schedules SET last_run_at = created_at - 1$$, '{}'),
	('well_formed_schedule_last_run_at_lt_next_run_at',
	 $$UPDATE resonate.schedules SET last_run_at = next_run_at$$, '{}'),
	('consistent_task_iff_targeted_promise',
	 $$DELETE FROM resonate.tasks WHERE id = 'offered'$$, '{}'),
	('consistent_task_iff_targeted_promise',
	 $$DELETE FROM resonate.promises WHERE id = 'offered'$$, '{}'),
	('consistent_task_iff_targeted_promise',
	 $$UPDATE resonate.promises SET targeted = false, tags = '{"resonate:external": "true"}'
	   WHERE id = 'offered'$$, '{}'),
	('consistent_settled_promise_has_fulfilled_task',
	 $$UPDATE resonate.promises SET state = 'resolved', settled_at = created_at, task_version = 0
	   WHERE id = 'offered'$$, '{}'),
	('consistent_callback_awaiter_is_targeted',
	 $$INSERT INTO resonate.awaiters VALUES ('external', 'internal')$$, '{}'),
	('consistent_callback_awaiter_is_targeted',
	 $$INSERT INTO resonate.awaiters VALUES ('external', 'nobody')$$, '{}'),
	('consistent_listener_addresses_deliverable',
	 $$INSERT INTO resonate.callbacks VALUES (0, 'listener', 'external', 'poll://default', 'poll://default')$$,
	 '{}'),
	('consistent_listener_addresses_deliverable',
	 $$INSERT INTO resonate.callbacks VALUES (0, 'listener', 'external', 'notify://channel',
											  'notify://channel')$$, '{}'),
	('consistent_listener_addresses_deliverable',
	 $$INSERT INTO resonate.callbacks VALUES (0, 'callback', 'external', 'c', 'gcps:project/topic')$$, '{}'),
	('consistent_outbox_execute_address_is_target_tag',
	 $$UPDATE resonate.tasks SET address = 'poll://any@other' WHERE id = 'offered'$$, '{}'),
	('consistent_outbox_unblock_names_settled_promise',
	 $$UPDATE resonate.messages SET promise_id = 'external'$$, '{}'),
	('consistent_outbox_unblock_names_settled_promise',
	 $$DELETE FROM resonate.promises WHERE id = 'resolved'$$, '{}'),
	('consistent_outbox_unblock_address_deliverable',
	 $$INSERT INTO resonate.messages VALUES (0, 0, 0, 'listener', 'resolved', 'w1', 'w1')$$, '{}'),
	('consistent_suspended_task_holds_rung',
	 $$DELETE FROM resonate.awaiters WHERE awaiter_id = 'suspended'$$, '{}');

-- The gaps of 6.3, and what only our tables have to keep.
INSERT INTO cases VALUES
	('well_formed_task_ttl_positive', $$UPDATE resonate.tasks SET ttl = 0 WHERE id = 'acquired'$$, '{}'),
	('well_formed_promise_target_is_nonempty',
	 $$UPDATE resonate.promises SET tags = '{"resonate:target": ""}' WHERE id = 'offered';
	   UPDATE resonate.tasks SET address = '' WHERE id = 'offered'$$, '{}'),
	('stored_promise_timer_is_tag',
	 $$UPDATE resonate.promises SET timer = true WHERE id = 'external'$$, '{}'),
	('stored_promise_timer_is_tag',
	 $$UPDATE resonate.promises SET tags = '{"resonate:timer": "yes"}' WHERE id = 'timer'$$, '{}'),
	('stored_promise_external_is_tag',
	 $$UPDATE resonate.promises SET external = true WHERE id = 'internal'$$, '{}'),
	('stored_promise_external_is_tag',
	 $$UPDATE resonate.promises SET external = false WHERE id = 'timer'$$, '{}'),
	('stored_promise_external_is_tag',
	 $$UPDATE resonate.promises SET external = false, tags = tags || '{"resonate:scope": "global"}'
	   WHERE id = 'timer'$$, '{}'),
	('stored_promise_targeted_is_tag',
	 $$UPDATE resonate.promises SET tags = '{}' WHERE id = 'offered'$$, '{}'),
	('stored_promise_targeted_is_tag',
	 $$UPDATE resonate.promises SET targeted = true WHERE id = 'internal'$$,
	 '{consistent_task_iff_targeted_promise, stored_promise_external_is_tag}'),
	('stored_promise_task_version_iff_task_fulfilled',
	 $$UPDATE resonate.promises SET task_version = NULL WHERE id = 'fulfilled'$$, '{}'),
	('stored_promise_task_version_iff_task_fulfilled',
	 $$UPDATE resonate.promises SET task_version = 0 WHERE id = 'offered'$$, '{}'),
	('stored_promise_task_version_iff_task_fulfilled',
	 $$UPDATE resonate.promises SET task_version = 0 WHERE id = 'resolved'$$, '{}'),
	('stored_promise_data_has_one_form',
	 $$UPDATE resonate.promises SET param_data = '1', param_text = '1' WHERE id = 'internal'$$, '{}'),
	('stored_promise_data_has_one_form',
	 $$UPDATE resonate.promises SET value_data = '1' WHERE id = 'resolved'$$, '{}'),
	('stored_task_timeout_is_that_of_promise',
	 $$UPDATE resonate.tasks SET timeout_at = timeout_at + 1 WHERE id = 'offered'$$, '{}'),
	('stored_task_others_only_while_pending',
	 $$UPDATE resonate.tasks SET others_at = 1, others_address = 'g' WHERE id = 'halted'$$, '{}'),
	('stored_task_others_have_address_and_clock',
	 $$UPDATE resonate.tasks SET others_at = 1 WHERE id = 'offered'$$, '{}'),
	('stored_task_given_back_is_a_setback',
	 $$UPDATE resonate.tasks SET given_back_by = '{p}' WHERE id = 'offered'$$, '{}'),
	('stored_task_counters_not_negative',
	 $$UPDATE resonate.tasks SET setbacks = -1 WHERE id = 'offered'$$, '{}'),
	('stored_task_counters_not_negative',
	 $$UPDATE resonate.tasks SET version = -1 WHERE id = 'offered'$$, '{}'),
	('stored_task_offers_only_while_pending',
	 $$UPDATE resonate.tasks SET offers = 1 WHERE id = 'halted'$$, '{}'),
	('stored_awaited_promise_is_pending',
	 $$INSERT INTO resonate.awaiters VALUES ('resolved', 'halted')$$, '{}'),
	('stored_awaited_promise_is_pending',
	 $$INSERT INTO resonate.awaiters VALUES ('nobody', 'halted')$$, '{}'),
	('stored_callback_promise_is_pending',
	 $$INSERT INTO resonate.callbacks VALUES (0, 'callback', 'resolved', 'c', 'poll://any@group')$$, '{}'),
	('stored_callback_promise_is_pending',
	 $$INSERT INTO resonate.callbacks VALUES (0, 'callback', 'nobody', 'c', 'notify://channel')$$, '{}'),
	('stored_callback_promise_is_pending',
	 $$INSERT INTO resonate.callbacks VALUES (0, 'listener', 'nobody', 'http://host', 'http://host')$$, '{}'),
	('stored_listener_id_is_address',
	 $$UPDATE resonate.callbacks SET callback_id = 'l' WHERE kind = 'listener'$$, '{}'),
	('stored_listener_id_is_address', $$UPDATE resonate.messages SET callback_id = 'l'$$, '{}');

SELECT is(violated(statements),
		  (SELECT string_agg(n, ' ' ORDER BY n) FROM unnest(name || others::text[]) AS n),
		  concat_ws(': ', name, regexp_replace(statements, '\s+', ' ', 'g')))
FROM cases;

-- There is a case of every invariant that the function knows, and the function
-- and its comments know all 45 of the specification.
SELECT set_eq($$SELECT (regexp_matches(p.prosrc, 'max\(''(\w+)''\)', 'g'))[1] FROM pg_proc p
				WHERE p.oid = 'resonate.check_invariants()'::regprocedure$$,
			  'SELECT name FROM cases', 'every invariant has been violated');

\set source `cat sql/invariants.sql 2>/dev/null || cat ../../sql/invariants.sql`

SELECT ok(:'source' ~ ('\m' || name || '\M'), '6.1 ' || n || ': ' || name)
FROM unnest('{
	well_formed_promise_created_at_lte_timeout_at, well_formed_promise_pending_created_before_deadline,
	well_formed_promise_settled_at_lte_timeout_at, well_formed_promise_created_at_lte_settled_at,
	well_formed_promise_settled_at_iff_not_pending, well_formed_promise_pending_has_no_value,
	well_formed_promise_deadline_verdict_matches_timer_tag,
	well_formed_promise_deadline_settlement_has_no_value, well_formed_promise_timer_not_targeted,
	well_formed_promise_timedout_is_server_owned, well_formed_promise_callbacks_unique,
	well_formed_promise_listeners_unique, well_formed_promise_obligations_require_external,
	well_formed_promise_awaiter_is_not_self, well_formed_promise_created_at_lte_now,
	well_formed_promise_settled_at_lte_now, well_formed_task_acquired_iff_has_pid,
	well_formed_task_acquired_iff_has_ttl, well_formed_task_acquired_iff_has_expires_at,
	well_formed_task_pending_iff_has_retry_at, well_formed_task_fulfilled_is_cleared,
	well_formed_task_suspended_is_cleared, well_formed_task_halted_is_cleared,
	well_formed_task_suspended_has_no_resumes, well_formed_task_resumes_unique,
	well_formed_task_acquired_version_positive, well_formed_schedule_promise_tags_not_timer_targeted,
	well_formed_schedule_created_at_lte_next_run_at, well_formed_schedule_created_at_lte_last_run_at,
	well_formed_schedule_last_run_at_lt_next_run_at, well_formed_store_promise_ids_unique,
	well_formed_store_task_ids_unique, well_formed_store_schedule_ids_unique,
	well_formed_store_outbox_keys_unique, consistent_task_iff_targeted_promise,
	consistent_settled_promise_has_fulfilled_task, consistent_callback_awaiter_is_targeted,
	consistent_listener_addresses_deliverable, consistent_outbox_execute_names_existing_task,
	consistent_outbox_never_ahead, consistent_outbox_execute_address_is_target_tag,
	consistent_outbox_unblock_names_settled_promise, consistent_outbox_unblock_address_deliverable,
	consistent_settled_task_promise_settled, consistent_suspended_task_holds_rung}'::text[])
	WITH ORDINALITY AS names (name, n);

--
-- Clocks and settings
--

-- A suspended task whose promise is past its deadline needs nobody to wake it.
SELECT is(violated($$DELETE FROM resonate.awaiters WHERE awaiter_id = 'dying'; SELECT at(9999)$$),
		  'consistent_suspended_task_holds_rung', 'alive until its deadline');
SELECT is(violated($$DELETE FROM resonate.awaiters WHERE awaiter_id = 'dying'; SELECT at(10000)$$), NULL,
		  'and not from then on');

-- The worker takes a notification from where the callback is.
SELECT is(violated($$INSERT INTO resonate.callbacks VALUES (0, 'callback', 'resolved', 'c', 'notify://channel')$$),
		  NULL, 'a settled promise may have a callback that the worker has to notify of');

SELECT is(violated('SET LOCAL resonate.debug = off'),
		  'well_formed_promise_created_at_lte_now well_formed_promise_settled_at_lte_now',
		  'without resonate.debug it is the time of day that counts');
SELECT is(violated('SELECT at(-1)'),
		  'well_formed_promise_created_at_lte_now well_formed_promise_settled_at_lte_now',
		  'and with it the test clock');
SELECT is(violated($$SELECT set_config('resonate.test_clock', '', true)$$),
		  'well_formed_promise_created_at_lte_now well_formed_promise_settled_at_lte_now',
		  'unless that is empty');

-- What a promise was taken for depends on settings that may have changed.
SELECT is(violated($$INSERT INTO resonate.callbacks VALUES (0, 'callback', 'external', 'c', 'gcps://project/topic')$$),
		  NULL, 'an address may have any scheme');
SELECT is(violated($$UPDATE resonate.promises SET external = false WHERE id = 'global'$$), 'stored_promise_external_is_tag',
		  'a promise of global scope is external');
SELECT is(violated($$UPDATE resonate.promises SET tags = tags || '{"resonate:target": "w1"}'
					 WHERE id = 'timer'$$), NULL,
		  'a timer may have a target that was passed over');
SELECT is(violated($$UPDATE resonate.schedules
					 SET promise_tags = promise_tags || '{"resonate:timer": "true"}'$$), NULL,
		  'and so may that of a schedule');

-- Several at once, each once.
SELECT is(violated($$DELETE FROM resonate.tasks; UPDATE resonate.schedules SET next_run_at = 0, last_run_at = NULL$$),
		  'consistent_task_iff_targeted_promise well_formed_schedule_created_at_lte_next_run_at',
		  'each is named once, in order');

SELECT is_empty('SELECT * FROM resonate.check_invariants()', 'invariants hold');
SELECT finish();
ROLLBACK;
