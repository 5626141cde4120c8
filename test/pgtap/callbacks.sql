-- Callbacks: who may be registered, both-or-neither, and what settlement makes
-- of them.
\ir helpers.psql

SELECT no_plan();

CREATE FUNCTION callbacks_of(promise text) RETURNS text LANGUAGE sql AS
$$
	SELECT string_agg(format('%s->%s', c.callback_id, c.address), ' ' ORDER BY c.callback_id)
	FROM resonate.callbacks c WHERE c.promise_id = promise
$$;
CREATE FUNCTION messages_of(promise text) RETURNS text LANGUAGE sql AS
$$
	SELECT string_agg(format('%s->%s (%s due %s)', m.callback_id, m.address, m.attempt,
							 m.due_at - 4000000000000), ' ' ORDER BY m.callback_id)
	FROM resonate.messages m WHERE m.promise_id = promise
$$;

-- Runs a call that must not change any row.
CREATE FUNCTION is_unwritten(query text, wanted text, name text) RETURNS SETOF text
LANGUAGE plpgsql AS
$$
DECLARE
	before text := everything();
	answer text;
BEGIN
	EXECUTE format('SELECT brief(r) FROM %s AS r', query) INTO answer;
	RETURN NEXT is(answer, wanted, name);
	RETURN NEXT is(everything(), before, name || ': writes nothing');
END
$$;

--
-- The table of results, specification 3.2.
--

SELECT is_unwritten($$resonate.create_callback('none', 'c', 'poll://any@g')$$, '4040',
					'no promise');

SELECT is((resonate.create_promise('p', '1 min', param => '1')).status, 2010, 'a promise');
SELECT at(10);
SELECT is(brief(r), '2010 pending -> c poll://any@g', 'a new callback is recorded')
FROM resonate.create_callback('p', 'c', 'poll://any@g') AS r;
SELECT is(callbacks_of('p'), 'c->poll://any@g', 'and stored');
SELECT is((SELECT created_at - 4000000000000 FROM resonate.callbacks), 10::bigint,
		  'with the instant of the call');
SELECT is(ROW(r.callback_id, ms(r.callback_created_at), r.id, r.param, ms(r.created_at),
			  ms(r.timeout_at), ms(r.settled_at))::text,
		  ROW('d', '10', 'p', '1'::jsonb, '0', '60000', NULL)::text,
		  'the answer has the callback and the promise')
FROM resonate.create_callback('p', 'd', 'notify://channel') AS r;

SELECT at(20);
SELECT is_unwritten($$resonate.create_callback('p', 'c', 'poll://any@g')$$, '2000 pending',
					'a known callback');
SELECT is_unwritten($$resonate.create_callback('p', 'c', 'notify://other')$$, '2000 pending',
					'a known callback with another address');
SELECT is(callbacks_of('p'), 'c->poll://any@g d->notify://channel', 'the first address stays');
SELECT is(ROW(callback_id, address, callback_created_at)::text, ROW(NULL, NULL, NULL)::text,
		  'the answer has no callback then')
FROM resonate.create_callback('p', 'c', 'notify://other');

SELECT is(brief(resonate.create_callback('p', 'C', 'poll://any@g')),
		  '2010 pending -> C poll://any@g', 'callback ids are compared byte by byte');
SELECT is(brief(resonate.create_callback('p', 'c ', 'poll://any@g')),
		  '2010 pending -> c  poll://any@g', 'a space counts');

CREATE FUNCTION check_settled(op text, wanted text) RETURNS SETOF text LANGUAGE plpgsql AS
$$
BEGIN
	PERFORM at(0);
	PERFORM resonate.create_promise(op, '1 min');
	PERFORM at(1000);
	EXECUTE format('SELECT resonate.%I(%L, ''{"a": 1}'')', op, op);
	PERFORM at(2000);
	RETURN QUERY SELECT is_unwritten(
		format('resonate.create_callback(%L, ''c'', ''poll://any@g'')', op), wanted,
		'a callback after ' || op);
END
$$;
SELECT check_settled('resolve', '2000 resolved {"a": 1} at 1000');
SELECT check_settled('reject', '2000 rejected {"a": 1} at 1000');
SELECT check_settled('cancel', '2000 rejected_canceled {"a": 1} at 1000');

SELECT at(0);
SELECT is((resonate.create_promise('swept', '1 s')).status, 2010, 'a promise');
SELECT at(1000);
SELECT is((resonate.worker_step()).step, 'timeout', 'that times out');
SELECT is_unwritten($$resonate.create_callback('swept', 'c', 'poll://any@g')$$,
					'2000 rejected_timedout at 1000', 'a callback after the timeout');

--
-- A promise that has lapsed is settled first.
--

SELECT at(0);
SELECT is((resonate.create_promise('lapsed', '1 s')).status, 2010, 'a promise');
SELECT is((resonate.create_promise('timer', '1 s', tags => '{"resonate:timer": "true"}')).status,
		  2010, 'a timer');
SELECT is((resonate.create_callback('lapsed', 'early', 'poll://any@g')).status, 2010,
		  'a callback in time');
SELECT at(5000);
SELECT is(brief(resonate.create_callback('lapsed', 'late', 'poll://any@g')),
		  '2000 rejected_timedout at 1000', 'a lapsed promise is settled at its deadline');
SELECT is(stored('lapsed'), 'rejected_timedout at 1000', 'and stored so');
SELECT is(messages_of('lapsed'), 'early->poll://any@g (0 due 5000)',
		  'who was registered in time gets a message, who came late does not');
SELECT is(callbacks_of('lapsed'), NULL, 'no callback is left');
SELECT is(brief(resonate.create_callback('timer', 'late', 'poll://any@g')),
		  '2000 resolved at 1000', 'a lapsed timer is resolved');
SELECT is(callbacks_of('timer'), NULL, 'and records no callback');

--
-- Internal promises cannot be awaited, in whatever state.
--

SELECT at(0);
SELECT is((resonate.create_promise('internal', '1 min',
								   tags => '{"resonate:external": "false"}')).status,
		  2010, 'an internal promise');
SELECT is_unwritten($$resonate.create_callback('internal', 'c', 'poll://any@g')$$,
					'4220 pending', 'a callback on an internal promise');
SELECT is((resonate.resolve('internal', '1')).status, 2010, 'it can be resolved');
SELECT is_unwritten($$resonate.create_callback('internal', 'c', 'poll://any@g')$$,
					'4220 resolved 1 at 0', 'a callback on a settled internal promise');
SELECT is((resonate.create_promise('internal 2', '1 s',
								   tags => '{"resonate:external": "false"}')).status,
		  2010, 'an internal promise');
SELECT at(1000);
SELECT is(brief(resonate.create_callback('internal 2', 'c', 'poll://any@g')),
		  '4220 rejected_timedout at 1000', 'a callback on a lapsed internal promise');
SELECT is(callbacks_of('internal 2'), NULL, 'nothing is recorded');

--
-- The key is (promise, callback): nothing that joins the two by a separator.
--

SELECT at(0);
SELECT is((resonate.create_promise('a', '1 min')).status, 2010, 'promise a');
SELECT is((resonate.create_promise('a.b', '1 min')).status, 2010, 'promise a.b');
SELECT is(brief(resonate.create_callback('a.b', 'c', 'poll://any@first')),
		  '2010 pending -> c poll://any@first', 'callback c of a.b');
SELECT is(brief(resonate.create_callback('a', 'b.c', 'poll://any@second')),
		  '2010 pending -> b.c poll://any@second', 'callback b.c of a is another one');
SELECT is((resonate.resolve('a')).status, 2010, 'a is resolved');
SELECT is((resonate.resolve('a.b')).status, 2010, 'and a.b');
SELECT is(messages_of('a') || ', ' || messages_of('a.b'),
		  'b.c->poll://any@second (0 due 0), c->poll://any@first (0 due 0)',
		  'each has sent its own message');

--
-- Settlement turns each callback into one message, whoever settles.
--

CREATE FUNCTION check_fires(op text, statement text) RETURNS SETOF text LANGUAGE plpgsql AS
$$
DECLARE
	id text := 'fired by ' || op;
BEGIN
	PERFORM at(0);
	PERFORM resonate.create_promise(id, '1 s');
	PERFORM resonate.create_promise(id || ' not', '1 min');
	PERFORM resonate.create_callback(id || ' not', '1', 'poll://any@g');
	PERFORM resonate.create_callback(id, '1', 'poll://any@g');
	PERFORM resonate.create_callback(id, '2', 'notify://c');
	PERFORM resonate.create_callback(id, '3', 'https://host/path');
	PERFORM at(CASE WHEN op LIKE 'deadline%' THEN 3000 ELSE 500 END);
	EXECUTE format(statement, id);
	RETURN NEXT is(messages_of(id),
		replace('1->poll://any@g (0 due N) 2->notify://c (0 due N) 3->https://host/path (0 due N)',
				'N', CASE WHEN op LIKE 'deadline%' THEN '3000' ELSE '500' END),
		op || ' sends a message for each callback');
	RETURN NEXT is(callbacks_of(id), NULL, op || ' leaves no callback');
	RETURN NEXT is(callbacks_of(id || ' not'), '1->poll://any@g',
				   op || ' leaves the callbacks of others');
	EXECUTE format('SELECT resonate.resolve(%L)', id);
	RETURN NEXT is((SELECT count(*) FROM resonate.messages m WHERE m.promise_id = id), 3::bigint,
				   op || ' fires once');
	DELETE FROM resonate.callbacks;
	DELETE FROM resonate.messages;
	DELETE FROM resonate.promises;
END
$$;
SELECT check_fires('resolve', 'SELECT resonate.resolve(%L)');
SELECT check_fires('reject', 'SELECT resonate.reject(%L)');
SELECT check_fires('cancel', 'SELECT resonate.cancel(%L)');
SELECT check_fires('batch', 'SELECT resonate.settle_promises(jsonb_build_array(
							 jsonb_build_object(''id'', %L, ''state'', ''rejected'')))');
SELECT check_fires('deadline in the background', 'SELECT resonate.worker_step()');
SELECT check_fires('deadline seen by get', 'SELECT resonate.get_promise(%L)');
SELECT check_fires('deadline seen by search', 'SELECT resonate.search_promises(%L)');
SELECT check_fires('deadline seen by create', 'SELECT resonate.create_promise(%L)');
SELECT check_fires('deadline seen by resolve', 'SELECT resonate.resolve(%L)');
SELECT check_fires('deadline seen by callback',
				   'SELECT resonate.create_callback(%L, ''4'', ''poll://any@g'')');
SELECT check_fires('deadline seen by a batch of creates', 'SELECT resonate.create_promises(
				   jsonb_build_array(jsonb_build_object(''id'', %L)))');

--
-- create_promise_and_callback: both or neither, specification 3.5.
--

SELECT at(0);
SELECT is(brief(r), '2010 pending -> c poll://any@g', 'both are created')
FROM resonate.create_promise_and_callback('both', 'c', 'poll://any@g', '1 min',
										  idempotency_key => 'k') AS r;
SELECT is(callbacks_of('both'), 'c->poll://any@g', 'and stored');
SELECT at(10);
SELECT is_unwritten($$resonate.create_promise_and_callback('both', 'd', 'poll://any@g',
					  idempotency_key => 'k')$$, '2000 pending',
					'a deduplicated create records no callback');
SELECT is_unwritten($$resonate.create_promise_and_callback('both', 'c', 'poll://any@g',
					  idempotency_key => 'k', strict => true)$$, '2000 pending',
					'a deduplicated strict create records no callback');
SELECT is_unwritten($$resonate.create_promise_and_callback('both', 'd', 'poll://any@g')$$,
					'4090 pending', 'a refused create records no callback');
SELECT is((resonate.resolve('both', '1')).status, 2010, 'once settled,');
SELECT is_unwritten($$resonate.create_promise_and_callback('both', 'd', 'poll://any@g',
					  idempotency_key => 'k')$$, '2000 resolved 1 at 10',
					'a deduplicated create records no callback either');
SELECT is_unwritten($$resonate.create_promise_and_callback('both', 'd', 'poll://any@g',
					  idempotency_key => 'k', strict => true)$$, '4090 resolved 1 at 10',
					'nor does a strict one');
SELECT is_unwritten($$resonate.create_promise_and_callback('neither', 'c', 'poll://any@g',
					  tags => '{"resonate:external": "false"}')$$, '4220',
					'an internal promise is not created with a callback');
SELECT is_unwritten($$resonate.create_promise_and_callback('both', 'c', 'poll://any@g',
					  tags => '{"resonate:external": "false"}')$$, '4220',
					'not even looked for');

SELECT is(brief(r) || ', ' || r.param || r.param_headers || r.tags || ms(r.timeout_at) ||
		  r.idempotency_key_for_create,
		  '2010 pending -> c notify://x, {"a": 1}{"h": "1"}' ||
		  '{"t": "1", "resonate:external": "true"}5010k', 'all the arguments of a create count')
FROM resonate.create_promise_and_callback('all', 'c', 'notify://x', '5 s', '{"a": 1}',
										  '{"h": "1"}', '{"t": "1"}', 'k', true) AS r;

-- An error in either half leaves neither.
CREATE FUNCTION is_refused(arguments text, state text, name text) RETURNS SETOF text
LANGUAGE plpgsql AS
$$
DECLARE
	before text := everything();
BEGIN
	RETURN NEXT throws_ok('SELECT resonate.create_promise_and_callback(' || arguments || ')',
						  state, NULL, name);
	RETURN NEXT is(everything(), before, name || ': writes nothing');
END
$$;
SELECT is_refused($$'neither', 'c', 'nowhere'$$, '22023', 'a bad address');
SELECT is_refused($$'neither', '', 'poll://any@g'$$, '22023', 'a bad callback id');
SELECT is_refused($$'neither', NULL, 'poll://any@g'$$, '22004', 'no callback id');
SELECT is_refused($$'neither', 'c', NULL$$, '22004', 'no address');
SELECT is_refused($$'neither', repeat('c', 256), 'poll://any@g'$$, '22023', 'a long callback id');
SELECT is_refused($$'neither', 'c', 'poll://any@g', '-1 s'$$, '22023', 'a bad timeout');
SELECT is_refused($$'neither', 'c', 'poll://any@g', tags => '[]'$$, '22023', 'bad tags');
SELECT is_refused($$'neither', 'c', 'poll://any@g', headers => '{"a": 1}'$$, '22023',
				  'bad headers');

-- A half that fails in the database leaves neither as well.
CREATE FUNCTION fail_on_insert() RETURNS trigger LANGUAGE plpgsql AS
$$
BEGIN
	RAISE EXCEPTION 'no' USING ERRCODE = 'P0999';
END
$$;
CREATE TRIGGER fail BEFORE INSERT ON resonate.callbacks
	FOR EACH ROW EXECUTE FUNCTION fail_on_insert();
SELECT is_refused($$'neither', 'c', 'poll://any@g'$$, 'P0999', 'a callback that cannot be stored');
DROP TRIGGER fail ON resonate.callbacks;
CREATE TRIGGER fail BEFORE INSERT ON resonate.promises
	FOR EACH ROW EXECUTE FUNCTION fail_on_insert();
SELECT is_refused($$'neither', 'c', 'poll://any@g'$$, 'P0999', 'a promise that cannot be stored');
DROP TRIGGER fail ON resonate.promises;

-- The trace of three requests that once lost a wake-up.
SELECT is(brief(resonate.create_promise('p5', '1 min')), '2010 pending', 'create p5');
SELECT is(brief(resonate.create_promise_and_callback('p5', 'cb13', 'poll://any@g')),
		  '4090 pending', 'create p5 with cb13');
SELECT is(callbacks_of('p5'), NULL, 'there is no cb13');
SELECT is(brief(resonate.create_callback('p5', 'cb13', 'poll://any@g')),
		  '2010 pending -> cb13 poll://any@g', 'create cb13');
SELECT is(callbacks_of('p5'), 'cb13->poll://any@g', 'now there is');

SELECT is_empty('SELECT * FROM resonate.check_invariants()', 'invariants hold');
SELECT finish();
ROLLBACK;
