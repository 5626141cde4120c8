--
-- Invariants.  For tests, and for a look at a database that is in doubt.
--
-- The names are those of the specification (protocol 6.1 and the gaps of 6.3);
-- "stored_..." is what only our own tables have to keep.  Of the 45 in 6.1 there
-- is no query for those that nothing in these tables can violate:
--
--	well_formed_promise_callbacks_unique	the key of awaiters
--	well_formed_promise_listeners_unique	the key of callbacks, of which the
--											address of a listener is a part; see
--											stored_listener_id_is_address
--	well_formed_task_fulfilled_is_cleared	a fulfilled task has no row
--	well_formed_task_resumes_unique			resumes is a counter, and a settled
--											promise has no awaiter to count again
--	well_formed_store_promise_ids_unique	a key
--	well_formed_store_task_ids_unique		a key
--	well_formed_store_schedule_ids_unique	a key
--	well_formed_store_outbox_keys_unique	the keys of messages and of tasks: a
--											pending task is its execute message
--	consistent_outbox_execute_names_existing_task	the same
--	consistent_outbox_never_ahead			the same
--	consistent_settled_task_promise_settled	fulfilled means that the promise is
--											settled; a pending one without its
--											task counts as
--											consistent_task_iff_targeted_promise
--
-- Where the specification speaks of the tags "timer" and "target", a promise is
-- judged by what it was taken for at its birth, see resonate.profile; whether that
-- agrees with its tags is a question of its own.
--

CREATE FUNCTION resonate.check_invariants()
RETURNS SETOF text
	LANGUAGE sql STABLE PARALLEL UNSAFE
	SET search_path = pg_catalog, pg_temp
	SET enable_nestloop = off	-- everything is joined with everything
	SET jit = off
AS $$
WITH clock AS MATERIALIZED (
	SELECT CASE
		WHEN current_setting('resonate.debug', true)::boolean AND
			 current_setting('resonate.test_clock', true) <> ''
		THEN current_setting('resonate.test_clock', true)::bigint
		ELSE floor(extract(epoch FROM clock_timestamp()) * 1000)::bigint
	END AS now_ms
),
-- One pass over each table: a name for each that is violated, else NULL.
promise_names AS (
	SELECT unnest(ARRAY[
		max('well_formed_promise_created_at_lte_timeout_at') FILTER (
			WHERE created_at > timeout_at),
		max('well_formed_promise_pending_created_before_deadline') FILTER (
			WHERE state = 'pending' AND created_at >= timeout_at),
		max('well_formed_promise_settled_at_lte_timeout_at') FILTER (
			WHERE settled_at > timeout_at),
		max('well_formed_promise_created_at_lte_settled_at') FILTER (
			WHERE settled_at < created_at),
		max('well_formed_promise_settled_at_iff_not_pending') FILTER (
			WHERE (state = 'pending') = (settled_at IS NOT NULL)),
		max('well_formed_promise_pending_has_no_value') FILTER (
			WHERE state = 'pending' AND
				  num_nonnulls(value_headers, value_data, value_text) > 0),
		max('well_formed_promise_deadline_verdict_matches_timer_tag') FILTER (
			WHERE settled_at = timeout_at AND
				  state <> CASE WHEN timer
						   THEN 'resolved'::resonate.promise_state
						   ELSE 'rejected_timedout'::resonate.promise_state END),
		max('well_formed_promise_deadline_settlement_has_no_value') FILTER (
			WHERE settled_at = timeout_at AND
				  num_nonnulls(value_headers, value_data, value_text) > 0),
		max('well_formed_promise_timer_not_targeted') FILTER (
			WHERE timer AND targeted),
		max('well_formed_promise_timedout_is_server_owned') FILTER (
			WHERE state = 'rejected_timedout' AND
				  settled_at IS DISTINCT FROM timeout_at),
		max('well_formed_promise_created_at_lte_now') FILTER (
			WHERE created_at > (SELECT now_ms FROM clock)),
		max('well_formed_promise_settled_at_lte_now') FILTER (
			WHERE settled_at > (SELECT now_ms FROM clock)),
		max('well_formed_promise_target_is_nonempty') FILTER (
			WHERE targeted AND tags ->> 'resonate:target' = ''),
		max('stored_promise_timer_is_tag') FILTER (
			WHERE timer <> (tags @> '{"resonate:timer": "true"}')),
		max('stored_promise_external_is_tag') FILTER (
			WHERE external <> (timer OR targeted OR
							   tags @> '{"resonate:external": "true"}' OR
							   tags @> '{"resonate:scope": "global"}')),
		max('stored_promise_targeted_is_tag') FILTER (
			WHERE targeted <> (tags ? 'resonate:target' AND NOT timer)),
		max('stored_promise_task_version_iff_task_fulfilled') FILTER (
			WHERE (task_version IS NOT NULL) <>
				  (state <> 'pending' AND targeted)),
		max('stored_promise_data_has_one_form') FILTER (
			WHERE num_nonnulls(param_data, param_text) > 1 OR
				  num_nonnulls(value_data, value_text) > 1)])
	FROM resonate.promises
),
-- Who has a task; its address is also that of its execute messages.
task_names AS (
	SELECT unnest(ARRAY[
		max('well_formed_task_acquired_iff_has_pid') FILTER (
			WHERE (t.state = 'acquired') <> (t.pid IS NOT NULL)),
		max('well_formed_task_acquired_iff_has_ttl') FILTER (
			WHERE (t.state = 'acquired') <> (t.ttl IS NOT NULL)),
		max('well_formed_task_acquired_iff_has_expires_at') FILTER (
			WHERE t.state = 'acquired' AND t.clock_at IS NULL),
		max('well_formed_task_pending_iff_has_retry_at') FILTER (
			WHERE t.state = 'pending' AND t.clock_at IS NULL),
		max('well_formed_task_suspended_is_cleared') FILTER (
			WHERE t.state = 'suspended' AND
				  num_nonnulls(t.pid, t.ttl, t.clock_at) > 0),
		max('well_formed_task_halted_is_cleared') FILTER (
			WHERE t.state = 'halted' AND
				  num_nonnulls(t.pid, t.ttl, t.clock_at) > 0),
		max('well_formed_task_suspended_has_no_resumes') FILTER (
			WHERE t.state = 'suspended' AND t.resumes <> 0),
		max('well_formed_task_acquired_version_positive') FILTER (
			WHERE t.state = 'acquired' AND t.version < 1),
		max('well_formed_task_ttl_positive') FILTER (
			WHERE t.ttl < 1),
		max('consistent_task_iff_targeted_promise') FILTER (
			WHERE p.targeted IS DISTINCT FROM true),
		max('consistent_settled_promise_has_fulfilled_task') FILTER (
			WHERE p.state <> 'pending'),
		max('consistent_outbox_execute_address_is_target_tag') FILTER (
			WHERE t.address <> p.tags ->> 'resonate:target'),
		max('stored_task_timeout_is_that_of_promise') FILTER (
			WHERE t.timeout_at <> p.timeout_at),
		max('stored_task_others_only_while_pending') FILTER (
			WHERE t.others_at IS NOT NULL AND t.state <> 'pending'),
		max('stored_task_others_have_address_and_clock') FILTER (
			WHERE (t.others_at IS NULL) <> (t.others_address IS NULL)),
		max('stored_task_given_back_is_a_setback') FILTER (
			WHERE t.given_back_by IS NOT NULL AND t.setbacks = 0),
		max('stored_task_counters_not_negative') FILTER (
			WHERE least(t.version, t.resumes, t.setbacks, t.offers) < 0),
		max('stored_task_offers_only_while_pending') FILTER (
			WHERE t.state <> 'pending' AND t.offers > 0)])
	FROM resonate.tasks AS t
	LEFT JOIN resonate.promises AS p ON p.id = t.id
),
missing_task_names AS (
	SELECT max('consistent_task_iff_targeted_promise')
	FROM resonate.promises AS p
	WHERE p.targeted AND p.state = 'pending' AND
		  NOT EXISTS (SELECT FROM resonate.tasks AS t WHERE t.id = p.id)
),
suspended_names AS (
	SELECT max('consistent_suspended_task_holds_rung')
	FROM resonate.tasks AS t
	WHERE t.state = 'suspended' AND
		  t.timeout_at > (SELECT now_ms FROM clock) AND
		  NOT EXISTS (SELECT FROM resonate.awaiters AS a
					  WHERE a.awaiter_id = t.id)
),
awaited_names AS (
	SELECT unnest(ARRAY[
		max('well_formed_promise_obligations_require_external') FILTER (
			WHERE NOT p.external),
		max('well_formed_promise_awaiter_is_not_self') FILTER (
			WHERE a.awaited_id = a.awaiter_id),
		max('stored_awaited_promise_is_pending') FILTER (
			WHERE p.state IS DISTINCT FROM 'pending')])
	FROM resonate.awaiters AS a
	LEFT JOIN resonate.promises AS p ON p.id = a.awaited_id
),
awaiter_names AS (
	SELECT max('consistent_callback_awaiter_is_targeted')
	FROM resonate.awaiters AS a
	WHERE NOT EXISTS (SELECT FROM resonate.promises AS p
					  WHERE p.id = a.awaiter_id AND p.targeted)
),
-- A callback of the typed functions may also be a notification.
callback_names AS (
	SELECT unnest(ARRAY[
		max('well_formed_promise_obligations_require_external') FILTER (
			WHERE NOT p.external),
		max('consistent_listener_addresses_deliverable') FILTER (
			WHERE c.address !~ CASE c.kind
				WHEN 'listener' THEN '^(poll://.*@|(?!notify:|poll:)[a-zA-Z][a-zA-Z0-9+.-]*://.)'
				ELSE '^(poll://(any|uni)@.|(?!poll:)[a-zA-Z][a-zA-Z0-9+.-]*://.)' END),
		-- The worker takes a notification from where the callback is.
		max('stored_callback_promise_is_pending') FILTER (
			WHERE p.state IS DISTINCT FROM 'pending' AND
				  NOT (p.id IS NOT NULL AND c.address ^@ 'notify://')),
		max('stored_listener_id_is_address') FILTER (
			WHERE c.kind = 'listener' AND c.callback_id <> c.address)])
	FROM resonate.callbacks AS c
	LEFT JOIN resonate.promises AS p ON p.id = c.promise_id
),
message_names AS (
	SELECT unnest(ARRAY[
		max('consistent_outbox_unblock_names_settled_promise') FILTER (
			WHERE coalesce(p.state, 'pending') = 'pending'),
		max('consistent_outbox_unblock_address_deliverable') FILTER (
			WHERE m.address !~ CASE m.kind
				WHEN 'listener' THEN '^(poll://.*@|(?!notify:|poll:)[a-zA-Z][a-zA-Z0-9+.-]*://.)'
				ELSE '^(poll://(any|uni)@.|(?!poll:)[a-zA-Z][a-zA-Z0-9+.-]*://.)' END),
		max('stored_listener_id_is_address') FILTER (
			WHERE m.kind = 'listener' AND m.callback_id <> m.address)])
	FROM resonate.messages AS m
	LEFT JOIN resonate.promises AS p ON p.id = m.promise_id
),
schedule_names AS (
	SELECT unnest(ARRAY[
		max('well_formed_schedule_promise_tags_not_timer_targeted') FILTER (
			WHERE promise_tags @> '{"resonate:timer": "true"}' AND
				  promise_tags ? 'resonate:target' AND
				  current_setting('resonate.profile', true) = 'strict'),
		max('well_formed_schedule_created_at_lte_next_run_at') FILTER (
			WHERE next_run_at < created_at),
		max('well_formed_schedule_created_at_lte_last_run_at') FILTER (
			WHERE last_run_at < created_at),
		max('well_formed_schedule_last_run_at_lt_next_run_at') FILTER (
			WHERE last_run_at >= next_run_at)])
	FROM resonate.schedules
)
SELECT DISTINCT v.name
FROM (TABLE promise_names
	  UNION ALL TABLE task_names
	  UNION ALL TABLE missing_task_names
	  UNION ALL TABLE suspended_names
	  UNION ALL TABLE awaited_names
	  UNION ALL TABLE awaiter_names
	  UNION ALL TABLE callback_names
	  UNION ALL TABLE message_names
	  UNION ALL TABLE schedule_names) AS v (name)
WHERE v.name IS NOT NULL
ORDER BY v.name
$$;
COMMENT ON FUNCTION resonate.check_invariants() IS
'Private, superuser only. The names of the invariants that what is stored violates; none if all is well. Those of time are judged by the clock of the session. Reads every table once or twice and locks nothing, so it can be used on a live database. Spec: protocol 6.1.';
