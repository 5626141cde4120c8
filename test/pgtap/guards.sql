-- A promise is written at most twice, whoever writes; and no row can be stored
-- that is not a promise.
\ir helpers.psql

SELECT no_plan();

-- A statement that is refused, with nothing written.
CREATE FUNCTION is_refused(statement text, name text, message text DEFAULT NULL) RETURNS SETOF text
LANGUAGE plpgsql AS
$$
DECLARE
	before text := everything();
BEGIN
	RETURN NEXT throws_ok(statement, '23514', message, name);
	RETURN NEXT is(everything(), before, name || ': writes nothing');
END
$$;

SELECT is((resonate.create_promise(id, '1 min', '1', '{"h": "1"}', '{"t": "1"}', 'k')).status, 2010,
		  'a promise')
FROM unnest('{pending, resolved, rejected, rejected_canceled, rejected_timedout}'::text[]) AS id;
SELECT at(1000);
SELECT is((resonate.resolve('resolved', '1', '{"h": "1"}', 'u')).status, 2010, 'resolved');
SELECT is((resonate.reject('rejected', '1', '{"h": "1"}', 'u')).status, 2010, 'rejected');
SELECT is((resonate.cancel('rejected_canceled', '1', '{"h": "1"}', 'u')).status, 2010, 'canceled');
UPDATE resonate.promises SET state = 'rejected_timedout', settled_at = timeout_at
WHERE id = 'rejected_timedout';
SELECT ok(current_setting('is_superuser')::boolean, 'the session is a superuser''s');

--
-- A settled promise is final.
--

SELECT is_refused(format('UPDATE resonate.promises SET %s WHERE id = %L', change, id),
				  format('%s: SET %s', id, change),
				  'a promise is written at most twice: at its birth and at its settlement')
FROM unnest('{resolved, rejected, rejected_canceled, rejected_timedout}'::text[]) AS id
CROSS JOIN (VALUES ('state = state'), ('state = ''pending'''),
	('state = ''pending'', settled_at = NULL, value_data = NULL, value_headers = NULL, idempotency_key_for_complete = NULL'),
	('state = ''resolved'''), ('state = ''rejected'''), ('state = ''rejected_canceled'''),
	('state = ''rejected_timedout'', settled_at = timeout_at'), ('settled_at = settled_at'),
	('settled_at = settled_at - 1'), ('value_data = ''2'''), ('value_data = NULL'), ('value_headers = ''{}'''),
	('idempotency_key_for_complete = ''v'''), ('idempotency_key_for_complete = NULL')
) AS v (change);

--
-- What was written at birth is final from the first.
--

SELECT is_refused(format('UPDATE resonate.promises SET %s WHERE id = %L', change, id),
				  format('%s: SET %s', id, change),
				  'a promise is written at most twice: at its birth and at its settlement')
FROM unnest('{pending, resolved}'::text[]) AS id
CROSS JOIN (VALUES ('id = id'), ('id = ''other'''), ('created_at = created_at - 1'),
	('timeout_at = timeout_at + 1'), ('timer = true'), ('external = false'), ('tags = ''{}'''),
	('idempotency_key_for_create = NULL'), ('param_headers = NULL'), ('param_data = ''2'''),
	('state = ''resolved'', settled_at = created_at, tags = ''{"t": "2"}''')
) AS v (change);
SELECT is_refused(format('UPDATE resonate.promises SET %I = %I WHERE id = ''pending''', a.attname, a.attname),
				  format('column %s of a pending promise', a.attname))
FROM pg_attribute AS a
WHERE a.attrelid = 'resonate.promises'::regclass AND a.attnum > 0 AND NOT a.attisdropped;

-- A pending promise can be written in one way only.
SELECT is_refused(format('UPDATE resonate.promises SET %s WHERE id = ''pending''', change), change)
FROM (VALUES ('value_data = ''1'''), ('settled_at = created_at'), ('state = ''pending''')) AS v (change);

-- The other ways to update a row.
SELECT is_refused($$INSERT INTO resonate.promises AS p SELECT (r).* FROM resonate.promises r
	WHERE r.id = 'resolved' ON CONFLICT (id) DO UPDATE SET value_data = '2'$$, 'INSERT ON CONFLICT');
SELECT is_refused($$MERGE INTO resonate.promises p USING (VALUES ('resolved')) AS v (id) ON p.id = v.id
	WHEN MATCHED THEN UPDATE SET value_data = '2'$$, 'MERGE');
SELECT is_refused($$WITH u AS (UPDATE resonate.promises SET value_data = '2' WHERE id = 'resolved'
	RETURNING 1) SELECT * FROM u$$, 'WITH UPDATE');

-- The second write is allowed, once; in a session that knows no function of ours.
SELECT lives_ok($$UPDATE resonate.promises SET state = 'resolved', settled_at = created_at, value_data = '1'
	WHERE id = 'pending'$$, 'the settlement');
SELECT is_refused($$UPDATE resonate.promises SET value_data = '2' WHERE id = 'pending'$$, 'the next write');

--
-- What cannot be stored.  Each statement is refused by the constraint named.
--

CREATE FUNCTION insert_with(changes jsonb) RETURNS void LANGUAGE plpgsql AS
$$
BEGIN
	INSERT INTO resonate.promises
	SELECT (jsonb_populate_record(NULL::resonate.promises, '{
		"created_at": 1000, "timeout_at": 2000, "settled_at": null, "state": "pending",
		"timer": false, "external": true, "targeted": false, "id": "x", "idempotency_key_for_create": null,
		"idempotency_key_for_complete": null, "tags": {}, "param_headers": null, "param_data": null,
		"value_headers": null, "value_data": null}'::jsonb || changes)).*;
END
$$;
CREATE FUNCTION refused_by(changes jsonb) RETURNS text LANGUAGE plpgsql AS
$$
DECLARE
	name text;
BEGIN
	PERFORM insert_with(changes);
	RETURN 'nothing';
EXCEPTION WHEN integrity_constraint_violation THEN
	GET STACKED DIAGNOSTICS name = CONSTRAINT_NAME;
	RETURN coalesce(nullif(name, ''), 'not null');
END
$$;
SELECT is(refused_by(changes), wanted, 'refused: ' || changes::text)
FROM (VALUES
	('{"id": ""}'::jsonb, 'id_length'),
	(jsonb_build_object('id', repeat('x', 1025)), 'id_length'),
	(jsonb_build_object('id', repeat('ä', 513)), 'id_length'),
	('{"id": "resolved"}', 'promises_pkey'), ('{"id": null}', 'not null'), ('{"tags": null}', 'not null'),
	('{"state": null}', 'not null'),
	('{"timeout_at": 999, "state": "resolved", "settled_at": 999}', 'created_at_lte_timeout_at'),
	('{"timer": true, "external": false}', 'timer_is_external'),
	('{"targeted": true, "external": false}', 'targeted_is_external'),
	('{"timer": true, "targeted": true}', 'timer_not_targeted'),
	('{"timeout_at": 1000}', 'pending_created_before_deadline'), ('{"settled_at": 1500}', 'settled_at_iff_not_pending'),
	('{"value_data": "\\x31"}', 'pending_has_no_value'), ('{"value_headers": {}}', 'pending_has_no_value'),
	('{"idempotency_key_for_complete": "k"}', 'pending_has_no_key_for_complete'),
	('{"task_version": 1}', 'task_version_iff_fulfilled'),
	('{"state": "resolved", "settled_at": 1500, "targeted": true}', 'task_version_iff_fulfilled'),
	('{"param_data": "\\x31", "param_text": "x"}', 'data_or_text'),
	('{"state": "resolved", "settled_at": 1500, "value_data": "\\x31", "value_text": "x"}', 'data_or_text'),
	('{"state": "resolved"}', 'settled_at_iff_not_pending'),
	('{"state": "resolved", "settled_at": 999}', 'created_at_lte_settled_at'),
	('{"state": "rejected", "settled_at": 2001}', 'settled_at_lte_timeout_at'),
	('{"state": "rejected_timedout", "settled_at": 1999}', 'timedout_is_server_owned'),
	('{"state": "resolved", "settled_at": 2000}', 'deadline_verdict_matches_timer_tag'),
	('{"state": "rejected", "settled_at": 2000}', 'deadline_verdict_matches_timer_tag'),
	('{"state": "rejected_timedout", "settled_at": 2000, "timer": true}', 'deadline_verdict_matches_timer_tag'),
	('{"state": "rejected_timedout", "settled_at": 2000, "value_data": "\\x31"}', 'deadline_settlement_has_no_value'),
	('{"state": "rejected_timedout", "settled_at": 2000, "value_headers": {}}', 'deadline_settlement_has_no_value'),
	('{"state": "rejected_timedout", "settled_at": 2000, "idempotency_key_for_complete": "k"}',
	 'deadline_settlement_has_no_key_for_complete'),
	('{"state": "resolved", "settled_at": 2000, "timer": true, "value_data": "\\x31"}', 'deadline_settlement_has_no_value')
) AS v (changes, wanted);
SELECT lives_ok(format('SELECT insert_with(%L)', changes), 'allowed: ' || changes)
FROM (VALUES
	('{"id": "1"}'), ('{"id": "2", "timer": true}'),
	('{"id": "3", "state": "resolved", "settled_at": 1000, "value_data": "\\x31"}'),
	('{"id": "4", "state": "rejected_canceled", "settled_at": 1999, "idempotency_key_for_complete": ""}'),
	('{"id": "5", "state": "rejected_timedout", "settled_at": 2000}'),
	('{"id": "6", "state": "resolved", "settled_at": 2000, "timer": true}'),
	('{"id": "7", "created_at": 2000, "state": "rejected_timedout", "settled_at": 2000}')
) AS v (changes);

SELECT throws_ok($$SELECT insert_with('{"state": "done"}')$$, '22P02', NULL, 'there is no other state');
SELECT throws_ok($$INSERT INTO resonate.callbacks VALUES (1, 'callback', 'p', '', 'poll://any@g')$$, '23514', NULL,
				 'a callback has an id');
SELECT throws_ok($$INSERT INTO resonate.callbacks VALUES (1, 'callback', 'p', repeat('c', 256), 'poll://any@g')$$, '23514',
				 NULL, 'of at most 255 bytes');
SELECT throws_ok($$INSERT INTO resonate.callbacks VALUES (1, 'callback', 'p', 'c', 'a'), (1, 'callback', 'p', 'c', 'b')$$, '23505',
				 NULL, 'that is unique in its promise');
SELECT throws_ok($$INSERT INTO resonate.messages VALUES (1, 1, 0, 'callback', 'p', 'c', 'a'), (1, 1, 0, 'callback', 'p', 'c', 'b')$$,
				 '23505', NULL, 'as is that of a message');

-- Tasks likewise.
CREATE FUNCTION task_refused_by(changes jsonb) RETURNS text LANGUAGE plpgsql AS
$$
DECLARE
	name text;
BEGIN
	INSERT INTO resonate.tasks
	SELECT (jsonb_populate_record(NULL::resonate.tasks, '{
		"clock_at": 1000, "timeout_at": 2000, "ttl": null, "version": 0, "resumes": 0, "setbacks": 0,
		"state": "pending", "id": "x", "address": "poll://any@g", "pid": null}'::jsonb || changes)).*;
	DELETE FROM resonate.tasks WHERE id = 'x';
	RETURN 'nothing';
EXCEPTION WHEN integrity_constraint_violation THEN
	GET STACKED DIAGNOSTICS name = CONSTRAINT_NAME;
	RETURN coalesce(nullif(name, ''), 'not null');
END
$$;
SELECT is(task_refused_by(changes), wanted, 'a task is refused: ' || left(changes::text, 100))
FROM (VALUES
	('{}'::jsonb, 'nothing'), ('{"address": null}', 'not null'),
	(jsonb_build_object('address', repeat('x', 1025)), 'address_length'),
	('{"pid": "p"}', 'acquired_iff_has_pid'), ('{"ttl": 5}', 'acquired_iff_has_ttl'),
	('{"state": "acquired", "pid": "p", "version": 1}', 'acquired_iff_has_ttl'),
	('{"state": "acquired", "pid": "p", "ttl": 5}', 'acquired_version_positive'),
	('{"state": "acquired", "pid": "p", "ttl": 5, "version": 1}', 'nothing'),
	('{"clock_at": null}', 'clock_only_while_pending_or_acquired'),
	('{"state": "halted"}', 'clock_only_while_pending_or_acquired'),
	('{"state": "suspended", "clock_at": null, "resumes": 1}', 'suspended_or_fulfilled_has_no_resumes'),
	('{"offers": 1}', 'nothing'), ('{"offers": -1}', 'counters_not_negative'),
	('{"offers": 1, "state": "halted", "clock_at": null}', 'offers_only_while_pending'),
	('{"setbacks": -1}', 'counters_not_negative'), ('{"version": -1}', 'counters_not_negative')
) AS v (changes, wanted);

-- What somebody managed to store in spite of that is not decided upon.
ALTER TABLE resonate.promises DISABLE TRIGGER resonate_guard;
SELECT lives_ok($$SELECT insert_with('{"id": "corrupt", "state": "rejected_timedout", "settled_at": 1999}')$$,
				'a row that is no promise');
SELECT throws_ok(statement, 'XX001', 'stored promise "corrupt" violates invariant "timedout_is_server_owned"',
				 statement)
FROM (VALUES
	('SELECT resonate.get_promise(''corrupt'')'), ('SELECT resonate.resolve(''corrupt'')'),
	('SELECT resonate.create_promise(''corrupt'')'), ('SELECT resonate.search_promises(''corrupt'')'),
	('SELECT resonate.await_promise(''corrupt'')'),
	('SELECT resonate.create_callback(''corrupt'', ''c'', ''poll://any@g'')'),
	('SELECT resonate.create_promises(''[{"id": "fine"}, {"id": "corrupt"}]'')'),
	('SELECT resonate.settle_promises(''[{"id": "corrupt", "state": "resolved"}]'')')) AS v (statement);
SELECT is_empty($$SELECT FROM resonate.promises WHERE id = 'fine'$$, 'and its neighbours in a batch are not written');

SELECT finish();
ROLLBACK;
