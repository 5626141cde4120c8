-- Every row of test/transitions.csv through the SQL functions: each on fresh
-- state, for every combination of keys that the row covers, as a call and as a
-- batch of one.
\ir helpers.psql

\set csv `cat test/transitions.csv 2>/dev/null || cat ../transitions.csv 2>/dev/null || cat transitions.csv`

CREATE TEMP TABLE vectors ON COMMIT DROP AS
SELECT n - 1 AS row, f[1] AS state, f[2] AS op, f[3] = 'T' AS is_strict,
	f[4] AS key_relation, f[5] = 'T' AS is_elapsed, f[6] = 'T' AS is_timer,
	f[7] AS next_state, f[8]::integer AS status
FROM regexp_split_to_table(:'csv', E'\\r?\\n') WITH ORDINALITY AS lines (line, n)
CROSS JOIN string_to_array(line, ',') AS f
WHERE n > 1 AND line <> '';

-- The stored and the given key of each relation; of "any", some of all.
CREATE TEMP TABLE keys (key_relation text, stored text, given text) ON COMMIT DROP;
INSERT INTO keys VALUES
	('none', NULL, NULL), ('none', NULL, 'k'), ('none', 'k', NULL),
	('match', 'k', 'k'), ('match', '', ''), ('match', 'Schlüssel', 'Schlüssel'),
	('mismatch', 'k', 'K'), ('mismatch', 'k', 'k '), ('mismatch', 'k', 'other'),
	('mismatch', 'k', ''), ('mismatch', '', 'k'),
	('any', NULL, NULL), ('any', NULL, 'k'), ('any', 'k', NULL), ('any', 'k', 'k'),
	('any', 'k', 'other');

-- A promise that does not exist has no keys; the key of the other operation
-- must not matter, least of all if it equals the given one.
CREATE TEMP TABLE cases ON COMMIT DROP AS
SELECT DISTINCT v.*, CASE WHEN v.state <> 'init' THEN k.stored END AS stored_key,
	k.given AS given_key, CASE WHEN v.state <> 'init' THEN other.key END AS other_key,
	is_batch
FROM vectors v JOIN keys k USING (key_relation)
CROSS JOIN (VALUES (NULL), ('k')) AS other (key)
CROSS JOIN (VALUES (false), (true)) AS form (is_batch);

CREATE TYPE answer AS (
	status integer, id text, state text, value jsonb, value_headers jsonb,
	param jsonb, param_headers jsonb, tags jsonb, key_for_create text,
	key_for_complete text, timeout_at text, created_at text, settled_at text);

CREATE FUNCTION answer(r resonate.promise_result) RETURNS answer LANGUAGE sql AS
$$
	SELECT r.status, r.id, r.state, r.value, r.value_headers, r.param,
		r.param_headers, r.tags, r.idempotency_key_for_create,
		r.idempotency_key_for_complete, ms(r.timeout_at), ms(r.created_at),
		ms(r.settled_at)
$$;

-- The row of the table in the form of an answer.
CREATE FUNCTION stored_answer(wanted text) RETURNS answer LANGUAGE sql AS
$$
	SELECT NULL::integer, p.id, p.state::text,
		convert_from(p.value_data, 'UTF8')::jsonb,
		CASE WHEN p.state <> 'pending' THEN coalesce(p.value_headers, '{}') END,
		convert_from(p.param_data, 'UTF8')::jsonb, p.param_headers, p.tags,
		p.idempotency_key_for_create, p.idempotency_key_for_complete,
		(p.timeout_at - 4000000000000)::text, (p.created_at - 4000000000000)::text,
		(p.settled_at - 4000000000000)::text
	FROM resonate.promises p WHERE p.id = wanted
$$;

CREATE FUNCTION settle(id text, op text, value jsonb, headers jsonb, key text,
					   is_strict boolean)
RETURNS resonate.promise_result LANGUAGE plpgsql AS
$$
BEGIN
	CASE op
		WHEN 'resolve' THEN RETURN resonate.resolve(id, value, headers, key, is_strict);
		WHEN 'reject' THEN RETURN resonate.reject(id, value, headers, key, is_strict);
		WHEN 'cancel' THEN RETURN resonate.cancel(id, value, headers, key, is_strict);
	END CASE;
END
$$;

-- What each state of the table is called by the functions.
CREATE FUNCTION state_name(state text) RETURNS text LANGUAGE sql IMMUTABLE AS
$$
	SELECT CASE state WHEN 'init' THEN NULL WHEN 'canceled' THEN 'rejected_canceled'
		   WHEN 'timedout' THEN 'rejected_timedout' ELSE state END
$$;

-- A promise in the state from which the row starts: created at 0 with its
-- deadline at 60000 and one callback, settled at 1000 or by the worker.
CREATE FUNCTION build(id text, c cases) RETURNS void LANGUAGE plpgsql AS
$$
DECLARE
	key_for_create text := CASE WHEN c.op = 'create' THEN c.stored_key ELSE c.other_key END;
	key_for_complete text := CASE WHEN c.op = 'create' THEN c.other_key ELSE c.stored_key END;
BEGIN
	IF c.state = 'init' THEN
		RETURN;
	END IF;
	PERFORM at(0);
	PERFORM resonate.create_promise(id, timeout => '60 s', param => '{"stored": 1}',
		headers => '{"stored": "param"}', idempotency_key => key_for_create,
		tags => CASE WHEN c.is_timer THEN '{"resonate:timer": "true"}'::jsonb END);
	PERFORM resonate.create_callback(id, 'c', 'poll://any@group');
	PERFORM at(1000);
	CASE c.state
		WHEN 'pending' THEN NULL;
		WHEN 'timedout' THEN
			PERFORM at(60000);
			PERFORM resonate.worker_step("limit" => 100000);
		ELSE
			PERFORM settle(id, CASE c.state WHEN 'resolved' THEN 'resolve'
						   WHEN 'rejected' THEN 'reject' WHEN 'canceled' THEN 'cancel' END,
						   '{"stored": 2}', '{"stored": "value"}', key_for_complete, false);
	END CASE;
END
$$;

-- The operation of the row.  Nothing that it brings equals what is stored, but
-- the key where that has to match.
CREATE FUNCTION run(id text, c cases) RETURNS resonate.promise_result LANGUAGE plpgsql AS
$$
DECLARE
	tags jsonb := CASE WHEN c.is_timer THEN '{"resonate:timer": "true"}'::jsonb END;
	result resonate.promise_result;
BEGIN
	PERFORM at(CASE WHEN c.is_elapsed OR c.state = 'timedout' THEN 61000 ELSE 2000 END);
	IF NOT c.is_batch AND c.op = 'create' THEN
		RETURN resonate.create_promise(id, timeout_at => ts(60000),
			param => '{"given": 1}', headers => '{"given": "param"}', tags => tags,
			idempotency_key => c.given_key, strict => c.is_strict);
	ELSIF NOT c.is_batch THEN
		RETURN settle(id, c.op, '{"given": 2}', '{"given": "value"}', c.given_key,
					  c.is_strict);
	ELSIF c.op = 'create' THEN
		SELECT * INTO STRICT result FROM resonate.create_promises(jsonb_build_array(
			jsonb_build_object('id', id, 'timeout_at', 4000000060000,
				'param', '{"given": 1}'::jsonb, 'headers', '{"given": "param"}'::jsonb,
				'tags', tags, 'idempotency_key', c.given_key, 'strict', c.is_strict)));
	ELSE
		SELECT * INTO STRICT result FROM resonate.settle_promises(jsonb_build_array(
			jsonb_build_object('id', id,
				'state', CASE c.op WHEN 'resolve' THEN 'resolved' WHEN 'reject' THEN 'rejected'
						 WHEN 'cancel' THEN 'rejected_canceled' END,
				'value', '{"given": 2}'::jsonb, 'headers', '{"given": "value"}'::jsonb,
				'idempotency_key', c.given_key, 'strict', c.is_strict)));
	END IF;
	RETURN result;
END
$$;

-- What the row of the table says must be answered.
CREATE FUNCTION expected(id text, c cases) RETURNS answer LANGUAGE plpgsql AS
$$
DECLARE
	a answer;
	is_born boolean := c.state = 'init' AND c.next_state <> 'init';
	is_settled_by_call boolean := c.op <> 'create' AND c.status = 2010;
	is_settled_before boolean := c.state IN ('resolved', 'rejected', 'canceled');
BEGIN
	a.status := c.status;
	a.id := id;
	IF c.next_state = 'init' THEN
		RETURN a;
	END IF;
	a.state := state_name(c.next_state);
	a.param := CASE WHEN is_born THEN '{"given": 1}' ELSE '{"stored": 1}' END;
	a.param_headers := CASE WHEN is_born THEN '{"given": "param"}' ELSE '{"stored": "param"}' END;
	a.tags := '{"resonate:external": "true"}';
	IF c.is_timer THEN
		a.tags := a.tags || '{"resonate:timer": "true"}';
	END IF;
	a.key_for_create := CASE WHEN is_born THEN c.given_key
						WHEN c.op = 'create' THEN c.stored_key ELSE c.other_key END;
	a.timeout_at := '60000';
	a.created_at := CASE WHEN NOT is_born THEN '0' WHEN c.is_elapsed THEN '60000' ELSE '2000' END;

	IF is_settled_by_call THEN
		a.value := '{"given": 2}';
		a.value_headers := '{"given": "value"}';
		a.key_for_complete := c.given_key;
		a.settled_at := '2000';
	ELSIF is_settled_before THEN
		a.value := '{"stored": 2}';
		a.value_headers := '{"stored": "value"}';
		a.key_for_complete := CASE WHEN c.op = 'create' THEN c.other_key ELSE c.stored_key END;
		a.settled_at := '1000';
	ELSIF c.next_state <> 'pending' THEN
		a.value_headers := '{}';
		a.settled_at := '60000';
	END IF;
	RETURN a;
END
$$;

-- Runs one case: the answer, and what is stored.
CREATE FUNCTION check_case(id text, c cases) RETURNS SETOF text LANGUAGE plpgsql AS
$$
DECLARE
	name text := format('row %s: %s %s%s, %s key (%L, %L, other %L)%s%s%s', c.row, c.state,
		CASE WHEN c.is_strict THEN 'strict ' ELSE '' END, c.op, c.key_relation, c.stored_key,
		c.given_key, c.other_key, CASE WHEN c.is_elapsed THEN ', elapsed' ELSE '' END,
		CASE WHEN c.is_timer THEN ', timer' ELSE '' END,
		CASE WHEN c.is_batch THEN ', batch' ELSE '' END);
	wanted answer := expected(id, c);
	is_changed boolean := c.state <> c.next_state;
	before tid;
	result resonate.promise_result;
BEGIN
	PERFORM build(id, c);
	before := (SELECT p.ctid FROM resonate.promises p WHERE p.id = check_case.id);
	IF c.state <> 'init' AND stored(id) NOT LIKE state_name(c.state) || '%' THEN
		RETURN NEXT fail(name || ' starts in another state: ' || stored(id));
	END IF;

	result := run(id, c);
	RETURN NEXT is(answer(result), wanted, name || ' is answered');

	IF c.next_state = 'init' THEN
		RETURN NEXT is(stored_answer(id), NULL, name || ' stores nothing');
		RETURN;
	END IF;
	wanted.status := NULL;
	RETURN NEXT is(
		ROW(stored_answer(id),
			(SELECT p.ctid FROM resonate.promises p WHERE p.id = check_case.id)
			IS DISTINCT FROM before,
			(SELECT count(*) FROM resonate.callbacks b WHERE b.promise_id = check_case.id),
			(SELECT count(*) FROM resonate.messages m WHERE m.promise_id = check_case.id))::text,
		ROW(wanted, is_changed,
			CASE WHEN c.state = 'init' OR c.next_state <> 'pending' THEN 0 ELSE 1 END,
			CASE WHEN c.state = 'init' OR c.next_state = 'pending' THEN 0 ELSE 1 END)::text,
		name || CASE WHEN is_changed THEN ' is stored' ELSE ' writes nothing' END);
END
$$;

SELECT no_plan();

SELECT is(md5(replace(:'csv', E'\r', '')), 'ef543de84cc6aa3e32289e3601fa2588',
		  'test/transitions.csv is the table that these tests were written for');
SELECT is((SELECT count(*) FROM vectors), 132::bigint, 'the table has 132 rows');
SELECT is((SELECT count(DISTINCT row) FROM cases), 132::bigint, 'there is a case of each row');

SELECT check_case('transition/' || row_number() OVER w, c)
FROM cases c
WINDOW w AS (ORDER BY c.row, c.is_batch, c.stored_key, c.given_key, c.other_key);

SELECT is_empty('SELECT * FROM resonate.check_invariants()', 'invariants hold');
SELECT finish();
ROLLBACK;
