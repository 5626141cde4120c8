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
	('{"id": ""}'::jsonb, 'promises_id_length'),
	(jsonb_build_object('id', repeat('x', 1025)), 'promises_id_length'),
	(jsonb_build_object('id', repeat('ä', 513)), 'promises_id_length'),
	('{"id": "resolved"}', 'promises_pkey'), ('{"id": null}', 'not null'), ('{"tags": null}', 'not null'),
	('{"state": null}', 'not null'),
	('{"timeout_at": 999, "state": "resolved", "settled_at": 999}', 'promises_birth'),
	('{"timer": true, "external": false}', 'promises_birth'),
	('{"timeout_at": 1000}', 'promises_pending'), ('{"settled_at": 1500}', 'promises_pending'),
	('{"value_data": "\\x31"}', 'promises_pending'), ('{"value_headers": {}}', 'promises_pending'),
	('{"idempotency_key_for_complete": "k"}', 'promises_pending'),
	('{"state": "resolved"}', 'promises_settled'),
	('{"state": "resolved", "settled_at": 999}', 'promises_settled'),
	('{"state": "rejected", "settled_at": 2001}', 'promises_settled'),
	('{"state": "rejected_timedout", "settled_at": 1999}', 'promises_deadline'),
	('{"state": "resolved", "settled_at": 2000}', 'promises_deadline'),
	('{"state": "rejected", "settled_at": 2000}', 'promises_deadline'),
	('{"state": "rejected_timedout", "settled_at": 2000, "timer": true}', 'promises_deadline'),
	('{"state": "rejected_timedout", "settled_at": 2000, "value_data": "\\x31"}', 'promises_deadline'),
	('{"state": "rejected_timedout", "settled_at": 2000, "value_headers": {}}', 'promises_deadline'),
	('{"state": "rejected_timedout", "settled_at": 2000, "idempotency_key_for_complete": "k"}',
	 'promises_deadline'),
	('{"state": "resolved", "settled_at": 2000, "timer": true, "value_data": "\\x31"}', 'promises_deadline')
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

-- What somebody managed to store in spite of that is not decided upon.
ALTER TABLE resonate.promises DROP CONSTRAINT promises_deadline;
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
