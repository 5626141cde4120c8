-- Data of every kind, and what sqlsmith is to know of.
CREATE EXTENSION resonate;
CREATE ROLE smith LOGIN;
GRANT resonate_client, resonate_worker TO smith;
GRANT USAGE, CREATE ON SCHEMA public TO smith;

SELECT count(*) FROM generate_series(1, 20) AS i,
	resonate.create_promise('p' || i, '1 day', param => to_jsonb(i));
SELECT count(*) FROM generate_series(1, 10) AS i,
	resonate.create_promise('t' || i, '1 day',
							tags => '{"resonate:target": "poll://any@g"}');
SELECT count(*) FROM generate_series(1, 5) AS i,
	resonate.acquire_task('t' || i, 0, 'w1', '1 hour');
SELECT resonate.suspend_task('t1', 1, ARRAY['p1', 'p2']);
SELECT count(*) FROM generate_series(1, 5) AS i,
	resonate.create_callback('p' || i, 'c', 'poll://any@g');
SELECT resonate.resolve('p3', '1');
SELECT resonate.create_schedule('s1', '* * * * * *', timeout => '1 s');

-- What its queries read: columns of the types that the functions take.
CREATE TABLE public.arguments AS
SELECT i AS number, i % 2 = 0 AS flag,
	   (ARRAY['p1', 't1', 's1', 'poll://any@g', 'resolved', '* * * * *', 'w1',
			  'p' || i, '', 'new' || i])[i] AS name,
	   (i - 2) * interval '1 s' AS span, now() + (i - 2) * interval '1 s' AS instant,
	   (ARRAY['{}', '[]', '{"id": "p1"}', '[{"id": "n"}]', '"x"', 'null', '1',
			  '{"resonate:target": "poll://any@g"}', '{"resonate:timer": "true"}',
			  '{"kind": "promise.get", "head": {"corrId": "1", "version": "2026-04-01"},
				"data": {"id": "p1"}}'])[i]::jsonb AS document,
	   ARRAY['p' || i, 't' || i] AS names, ARRAY[0, i] AS numbers
FROM generate_series(1, 10) AS i;
GRANT SELECT ON public.arguments TO smith;

-- sqlsmith finds functions in "pg_proc", without a schema, so it can be shown
-- another: those of the extension, and harmless ones to make arguments with.
-- What returns sets is shown as if it did not, or it would not be called.
CREATE SCHEMA smith;
CREATE VIEW smith.pg_proc AS
SELECT oid, proname, pronamespace, prorettype, proargtypes, prokind, provolatile,
	   pronargs, false AS proretset
FROM pg_catalog.pg_proc AS p
WHERE prokind = 'f' AND has_function_privilege(oid, 'EXECUTE') AND
	  (pronamespace = 'resonate'::regnamespace OR
	   (pronamespace = 'pg_catalog'::regnamespace AND NOT proretset AND
		provolatile = 'i' AND
		prorettype IN ('text'::regtype, 'jsonb'::regtype, 'integer'::regtype,
					   'boolean'::regtype, 'interval'::regtype,
					   'timestamptz'::regtype, 'text[]'::regtype,
					   'integer[]'::regtype) AND
		NOT EXISTS (SELECT FROM unnest(proargtypes) AS t
					WHERE t NOT IN ('text'::regtype, 'jsonb'::regtype,
									'integer'::regtype, 'boolean'::regtype,
									'interval'::regtype, 'timestamptz'::regtype,
									'text[]'::regtype, 'integer[]'::regtype))));
GRANT USAGE ON SCHEMA smith TO smith;
GRANT SELECT ON smith.pg_proc TO smith;
