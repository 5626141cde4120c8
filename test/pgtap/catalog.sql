-- What every object of the extension must have: comments, names, pinned paths.
\ir helpers.psql

SELECT no_plan();

CREATE TEMP TABLE members ON COMMIT DROP AS
SELECT d.classid, d.objid, (i).type AS type, (i).identity AS identity
FROM pg_depend d, LATERAL pg_identify_object(d.classid, d.objid, 0) AS i
WHERE d.refclassid = 'pg_extension'::regclass AND d.deptype = 'e'
	AND d.refobjid = (SELECT oid FROM pg_extension WHERE extname = 'resonate');

SELECT set_eq('SELECT DISTINCT type FROM members',
			  '{function, procedure, type, table, view, schema}'::text[],
			  'the extension has objects of these kinds only');
SELECT ok(obj_description(m.objid, m.classid::regclass::text) <> '', format('%s %s has a comment', m.type, m.identity))
FROM members m
WHERE m.type IN ('function', 'procedure', 'aggregate', 'table', 'view', 'sequence', 'type', 'schema')
	-- A table and a view have their comment as such, not as the type of their rows.
	AND NOT EXISTS (SELECT FROM pg_type t JOIN pg_class c ON c.oid = t.typrelid
					WHERE m.classid = 'pg_type'::regclass AND t.oid = m.objid AND c.relkind IN ('r', 'v'))
	-- So has an enum or a composite type, not as an array or a relation.
	AND NOT EXISTS (SELECT FROM pg_type t WHERE m.classid = 'pg_type'::regclass AND t.oid = m.objid
					AND t.typelem <> 0 AND t.typlen = -1)
	AND NOT EXISTS (SELECT FROM pg_class c WHERE m.classid = 'pg_class'::regclass AND c.oid = m.objid
					AND c.relkind = 'c');
SELECT matches(obj_description(p.oid, 'pg_proc'), '^(Public|Private|Private, superuser only)\. [A-Z]', format('the comment of %s', p.oid::regprocedure))
FROM pg_proc p WHERE p.pronamespace = 'resonate'::regnamespace;
SELECT is(count(*), count(DISTINCT obj_description(p.oid, 'pg_proc')), 'no two comments are the same')
FROM pg_proc p WHERE p.pronamespace = 'resonate'::regnamespace;

-- Nothing is in the schema that does not belong to the extension.
SELECT is_empty(
	$$SELECT p.oid::regprocedure FROM pg_proc p WHERE p.pronamespace = 'resonate'::regnamespace
	  AND p.oid NOT IN (SELECT objid FROM members WHERE classid = 'pg_proc'::regclass)$$,
	'all functions belong to the extension');
SELECT is_empty(
	$$SELECT c.oid::regclass FROM pg_class c WHERE c.relnamespace = 'resonate'::regnamespace AND c.relkind <> 'i'
	  AND c.oid NOT IN (SELECT objid FROM members WHERE classid = 'pg_class'::regclass)
	  AND c.relkind <> 'c'$$, 'all relations belong to the extension');
SELECT is_empty(
	$$SELECT identity FROM members WHERE type IN ('function', 'procedure', 'table', 'view', 'type')
	  AND identity NOT LIKE 'resonate.%'$$, 'all objects of the extension are in its schema');

-- Vacuum locks nobody out to make a table shorter.
SELECT ok(c.reloptions @> '{vacuum_truncate=false}' AND t.reloptions @> '{vacuum_truncate=false}',
		  format('%s keeps its empty pages', c.oid::regclass))
FROM pg_class c JOIN pg_class t ON t.oid = c.reltoastrelid
WHERE c.relnamespace = 'resonate'::regnamespace AND c.relkind = 'r';

-- Functions.  Only the check for tests is written in SQL.
SELECT is(l.lanname, 'c', format('%s is in C', p.oid::regprocedure)) FROM pg_proc p JOIN pg_language l ON l.oid = p.prolang
WHERE p.pronamespace = 'resonate'::regnamespace AND p.proname <> 'check_invariants';
SELECT matches(p.prosrc, '^resonate_[a-z_]+$', format('symbol %s', p.prosrc)) FROM pg_proc p
WHERE p.pronamespace = 'resonate'::regnamespace AND p.proname <> 'check_invariants';
SELECT ok(p.prosrc = 'resonate_' || p.proname OR p.prokind = 'p' AND p.prosrc = 'resonate_' || p.proname || '_procedure',
		  format('the symbol of %s is called after it', p.oid::regprocedure))
FROM pg_proc p WHERE p.pronamespace = 'resonate'::regnamespace AND p.proname <> 'check_invariants';
-- The functions in C pin it where they look a name up: see search_path.sql.
SELECT ok('search_path=pg_catalog, pg_temp' = ANY (p.proconfig),
		  format('the search_path of %s is pinned', p.oid::regprocedure))
FROM pg_proc p WHERE p.pronamespace = 'resonate'::regnamespace AND p.proname = 'check_invariants';
SELECT set_eq($$SELECT p.oid::regprocedure::text FROM pg_proc p
				WHERE p.pronamespace = 'resonate'::regnamespace AND NOT p.prosecdef$$,
			  '{"resonate.await_promise(text,interval,integer,text,jsonb)", resonate.check_invariants(),
				resonate.guard_promise(), resonate.guard_task(), resonate.note_write(), resonate.resonate_rpc(jsonb),
				resonate.start_worker()}'::text[],
			  'these run with the rights of their callers, all others with those of the owner');
SELECT ok(NOT has_function_privilege('public', p.oid, 'EXECUTE'), format('not for everybody: %s', p.oid::regprocedure))
FROM pg_proc p WHERE p.pronamespace = 'resonate'::regnamespace;
SELECT is(p.proparallel, 'u', format('%s is parallel unsafe', p.oid::regprocedure))
FROM pg_proc p WHERE p.pronamespace = 'resonate'::regnamespace;
SELECT ok(NOT p.proisstrict, format('%s sees its nulls', p.oid::regprocedure))
FROM pg_proc p WHERE p.pronamespace = 'resonate'::regnamespace;
SELECT ok(p.proargnames[1] <> '' AND '' <> ALL (p.proargnames), format('the arguments of %s have names', p.oid::regprocedure))
FROM pg_proc p WHERE p.pronamespace = 'resonate'::regnamespace AND p.pronargs > 0;
-- Whoever creates the extension need not trust who can create in "public".
SELECT is_empty($$SELECT p.oid::regprocedure, probin FROM pg_proc p WHERE p.pronamespace = 'resonate'::regnamespace
				  AND p.probin <> '$libdir/resonate'$$, 'all come from the one library');

-- All data is dumped, whole.
SELECT set_eq($$SELECT unnest(extconfig)::regclass::text FROM pg_extension WHERE extname = 'resonate'$$,
			  $$SELECT c.oid::regclass::text FROM pg_class c
				WHERE c.relnamespace = 'resonate'::regnamespace AND c.relkind IN ('r', 'p', 'S')$$,
			  'pg_dump takes every table');
SELECT is_empty($$SELECT FROM pg_extension, unnest(extcondition) AS condition
				  WHERE extname = 'resonate' AND condition <> ''$$, 'with all of its rows');
SELECT is(extrelocatable, false, 'the schema is fixed')
FROM pg_extension WHERE extname = 'resonate';
SELECT set_eq($$SELECT identity FROM members WHERE type = 'schema'$$, '{resonate}'::text[], 'and belongs to the extension');

-- Ids and keys are compared byte by byte; times are numbers.
SELECT is(a.attcollation, 'pg_catalog."C"'::regcollation::oid, format('%s.%s is compared as bytes', c.relname, a.attname))
FROM pg_attribute a JOIN pg_class c ON c.oid = a.attrelid
WHERE c.relnamespace = 'resonate'::regnamespace AND c.relkind = 'r' AND a.atttypid = 'text'::regtype;
SELECT is(a.atttypid::regtype::text, 'bigint', format('%s.%s is in milliseconds', c.relname, a.attname))
FROM pg_attribute a JOIN pg_class c ON c.oid = a.attrelid
WHERE c.relnamespace = 'resonate'::regnamespace AND c.relkind = 'r' AND a.attname LIKE '%\_at';
SELECT is(c.relpersistence, 'p', format('%s is logged', c.relname)) FROM pg_class c
WHERE c.relnamespace = 'resonate'::regnamespace AND c.relkind = 'r';

-- The states in the order of the specification.
SELECT enum_has_labels('resonate', 'promise_state',
					   '{pending, resolved, rejected, rejected_canceled, rejected_timedout}', 'the states');

-- Parameters
SELECT ok(s.short_desc <> '' AND s.short_desc LIKE '%.', format('%s has a description', s.name))
FROM pg_settings s WHERE s.name LIKE 'resonate.%';
SELECT throws_ok('SET resonate.no_such_parameter = 1', '42602', NULL, 'the prefix of the parameters is reserved');

SELECT is_empty('SELECT * FROM resonate.check_invariants()', 'invariants hold');
SELECT finish();
ROLLBACK;
