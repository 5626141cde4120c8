-- What tags make of a promise: external or internal, a timer, and the two
-- profiles.
\ir helpers.psql

SELECT no_plan();

-- The tags that are stored, the two traits, and whether it can be awaited.
CREATE FUNCTION check_tags(given jsonb, stored_tags jsonb, is_external boolean, is_timer boolean,
						   profile text)
RETURNS SETOF text LANGUAGE plpgsql AS
$$
DECLARE
	promise text := format('%s: %s', profile, coalesce(given::text, 'no tags'));
	result resonate.promise_result;
BEGIN
	PERFORM set_config('resonate.profile', profile, true);
	PERFORM at(0);
	result := resonate.create_promise(promise, '1 min', tags => given);
	RETURN NEXT is(result.tags, stored_tags, promise);
	RETURN NEXT is((SELECT ROW(p.external, p.timer)::text FROM resonate.promises p
					WHERE p.id = promise),
				   ROW(is_external, is_timer)::text, promise || ': external, timer');
	RETURN NEXT is((resonate.create_callback(promise, 'c', 'poll://any@g')).status,
				   CASE WHEN is_external THEN 2010 ELSE 4220 END, promise || ': callback');
	RETURN NEXT is((resonate.create_promise_and_callback('2 ' || promise, 'c', 'poll://any@g',
														 tags => given)).status,
				   CASE WHEN is_external THEN 2010 ELSE 4220 END, promise || ': with callback');
	SELECT * INTO STRICT result FROM resonate.create_promises(jsonb_build_array(
		jsonb_build_object('id', '3 ' || promise, 'timeout', '1 min', 'tags', given)));
	RETURN NEXT is(result.tags, stored_tags, promise || ': in a batch');

	-- What is written does not change when the configuration does.
	PERFORM set_config('resonate.profile', CASE profile WHEN 'sdk' THEN 'strict' ELSE 'sdk' END,
					   true);
	RETURN NEXT is((resonate.create_callback(promise, 'd', 'poll://any@g')).status,
				   CASE WHEN is_external THEN 2010 ELSE 4220 END,
				   promise || ': callback, after a change of the profile');

	-- Only external promises are armed, but all lapse.
	PERFORM at(60000);
	PERFORM resonate.worker_step("limit" => 100);
	RETURN NEXT is(stored(promise), CASE WHEN NOT is_external THEN 'pending'
				   WHEN is_timer THEN 'resolved at 60000'
				   ELSE 'rejected_timedout at 60000' END, promise || ': armed');
	RETURN NEXT is(brief(resonate.get_promise(promise)),
				   CASE WHEN is_timer THEN '2000 resolved at 60000'
				   ELSE '2000 rejected_timedout at 60000' END, promise || ': lapsed');
END
$$;

SELECT check_tags(given, stored_tags, is_external, is_timer, profile)
FROM (VALUES
	(NULL::jsonb, '{"resonate:external": "true"}'::jsonb, true, false),
	('{}', '{"resonate:external": "true"}', true, false),
	('{"a": "b"}', '{"a": "b", "resonate:external": "true"}', true, false),
	('{"z": "", "": "empty"}', '{"z": "", "": "empty", "resonate:external": "true"}', true, false),
	('{"resonate:external": "true"}', '{"resonate:external": "true"}', true, false),
	('{"resonate:external": "false"}', '{"resonate:external": "false"}', false, false),
	('{"resonate:external": "True"}', '{"resonate:external": "True"}', false, false),
	('{"resonate:external": "true "}', '{"resonate:external": "true "}', false, false),
	('{"resonate:external": ""}', '{"resonate:external": ""}', false, false),
	('{"Resonate:external": "false"}',
	 '{"Resonate:external": "false", "resonate:external": "true"}', true, false),
	('{"resonate:timer": "true"}', '{"resonate:timer": "true", "resonate:external": "true"}',
	 true, true),
	('{"resonate:timer": "true", "resonate:external": "false"}',
	 '{"resonate:timer": "true", "resonate:external": "false"}', true, true),
	('{"resonate:timer": "false"}', '{"resonate:timer": "false", "resonate:external": "true"}',
	 true, false),
	('{"resonate:timer": "TRUE"}', '{"resonate:timer": "TRUE", "resonate:external": "true"}',
	 true, false),
	('{"resonate:timer": "tru"}', '{"resonate:timer": "tru", "resonate:external": "true"}',
	 true, false),
	('{"resonate:timeout": "true"}', '{"resonate:timeout": "true", "resonate:external": "true"}',
	 true, false),
	('{"resonate:scope": "local", "resonate:external": "false"}',
	 '{"resonate:scope": "local", "resonate:external": "false"}', false, false),
	('{"resonate:scope": "global", "resonate:external": "false"}',
	 '{"resonate:scope": "global", "resonate:external": "false"}', true, false)
) AS v (given, stored_tags, is_external, is_timer)
CROSS JOIN (VALUES ('sdk'), ('strict')) AS p (profile);

SELECT is(boot_val, 'sdk', 'the profile is sdk by default')
FROM pg_settings WHERE name = 'resonate.profile';

SELECT at(0);
SELECT throws_ok($$SELECT resonate.create_promise('targeted', tags => '{"resonate:target": ""}')$$,
				 '22023', NULL, 'a target is not empty');
SELECT is_empty($$SELECT FROM resonate.promises WHERE id = 'targeted'$$, 'with nothing written');
SELECT throws_ok(call, '22023', NULL, 'resonate:combinator is reserved: ' || call)
FROM (VALUES ($$SELECT resonate.create_promise('c', tags => '{"resonate:combinator": "race"}')$$),
	  ($$SELECT resonate.create_promises('[{"id": "c", "tags": {"resonate:combinator": "all"}}]')$$),
	  ($$SELECT resonate.create_promise_and_callback('c', 'c', 'poll://any@g', tags => '{"resonate:combinator": ""}')$$),
	  ($$SELECT resonate.create_promise_and_task('c', 'p', '1 min', tags => '{"resonate:combinator": "race", "resonate:target": "w"}')$$),
	  ($$SELECT resonate.create_schedule('c', '@daily', tags => '{"resonate:combinator": "race"}')$$)) AS v (call);
SELECT is_empty($$SELECT FROM resonate.promises WHERE id = 'c'$$, 'with nothing written');

-- The clock was set back; by this time all of it is the past.
SELECT at(60000);
SELECT is_empty('SELECT * FROM resonate.check_invariants()', 'invariants hold');
SELECT finish();
ROLLBACK;
