-- Roles that mean harm: none of them can change what the extension is made of.  What
-- they may call and read is in privileges.sql.  Every object of the extension is
-- tried, as the catalog has it, by every role.
\ir helpers.psql

SELECT no_plan();
SET LOCAL client_min_messages = error;

CREATE TEMP TABLE hostile (name text, is_for text) ON COMMIT DROP;
INSERT INTO hostile VALUES
	('hostile_public', 'PUBLIC'),
	('hostile_client', 'resonate_client'), ('hostile_worker', 'resonate_worker'),
	('hostile_reader', 'resonate_reader'), ('hostile_admin', 'resonate_admin'),
	('hostile_monitor', 'pg_monitor'), ('hostile_dba', 'owner of the database'),
	('hostile_creator', 'CREATE in public'), ('hostile_hook', 'TRIGGER on promises');
DO $$
DECLARE
	role record;
BEGIN
	FOR role IN SELECT * FROM hostile LOOP
		EXECUTE format('CREATE ROLE %I', role.name);
		IF role.is_for ~ '^(resonate|pg)_' THEN
			EXECUTE format('GRANT %I TO %I', role.is_for, role.name);
		END IF;
	END LOOP;
	EXECUTE format('ALTER DATABASE %I OWNER TO hostile_dba', current_database());
	EXECUTE format('GRANT CREATE, TEMP ON DATABASE %I TO hostile_creator', current_database());
END
$$;
GRANT CREATE ON SCHEMA public TO hostile_creator, hostile_hook;
GRANT USAGE ON SCHEMA resonate TO hostile_hook, hostile_creator;
GRANT TRIGGER ON resonate.promises TO hostile_hook;
CREATE FUNCTION public.hook() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NEW; END';

CREATE TEMP TABLE members ON COMMIT DROP AS
SELECT d.classid, d.objid, (i).type AS type, (i).identity AS identity,
	CASE d.classid WHEN 'pg_class'::regclass THEN (SELECT c.relowner FROM pg_class c WHERE c.oid = d.objid)
	WHEN 'pg_proc'::regclass THEN (SELECT p.proowner FROM pg_proc p WHERE p.oid = d.objid)
	WHEN 'pg_type'::regclass THEN (SELECT t.typowner FROM pg_type t WHERE t.oid = d.objid)
	WHEN 'pg_namespace'::regclass THEN (SELECT n.nspowner FROM pg_namespace n WHERE n.oid = d.objid) END AS owner,
	d.classid = 'pg_proc'::regclass AND EXISTS (SELECT FROM pg_proc p WHERE p.oid = d.objid AND p.prosecdef) AS is_definer,
	-- The type of its rows belongs to whom the table does, and is a member since 17.
	d.classid = 'pg_type'::regclass AND EXISTS (SELECT FROM pg_type t JOIN pg_class c ON c.reltype = t.oid
		WHERE d.objid IN (t.oid, t.typarray) AND c.relkind = 'r') AS is_of_table
FROM pg_depend d, LATERAL pg_identify_object(d.classid, d.objid, 0) AS i
WHERE d.refclassid = 'pg_extension'::regclass AND d.deptype = 'e'
	AND d.refobjid = (SELECT oid FROM pg_extension WHERE extname = 'resonate');

--
-- Whose they are
--

SELECT is(m.owner, CASE WHEN m.type = 'table' OR m.is_definer OR m.is_of_table THEN 'resonate_owner'::regrole::oid
				   ELSE (SELECT e.extowner FROM pg_extension e WHERE e.extname = 'resonate') END,
		  format('the owner of %s %s', m.type, m.identity))
FROM members m;
SELECT is(ROW(r.rolsuper, r.rolinherit, r.rolcreaterole, r.rolcreatedb, r.rolcanlogin, r.rolreplication,
			  r.rolbypassrls)::text,
		  ROW(false, false, false, false, false, false, false)::text, 'resonate_owner has no attribute')
FROM pg_roles r WHERE r.rolname = 'resonate_owner';
SELECT is_empty($$SELECT * FROM pg_auth_members WHERE 'resonate_owner'::regrole IN (roleid, member)$$,
				'it is a member of nobody, and has none');
SELECT ok(NOT has_schema_privilege('resonate_owner', 'resonate', 'CREATE'), 'it puts nothing into the schema');
SELECT is(has_schema_privilege(r.rolname, 'resonate', 'CREATE'), r.rolsuper, format('%s and CREATE in the schema', r.rolname))
FROM pg_roles r;

--
-- What nobody can do to them.  The owner of the tables and functions can do some of
-- it, to these, and nothing to all else: see below.
--

CREATE TEMP TABLE patterns (types text[], statement text) ON COMMIT DROP;
INSERT INTO patterns VALUES
	('{function, procedure}', 'ALTER ROUTINE %s SECURITY INVOKER'),
	('{function, procedure}', 'ALTER ROUTINE %s OWNER TO CURRENT_USER'),
	('{function, procedure}', 'ALTER ROUTINE %s RENAME TO other'),
	('{function, procedure}', 'ALTER ROUTINE %s SET SCHEMA public'),
	('{function, procedure}', 'ALTER ROUTINE %s SET search_path = public'),
	('{function, procedure}', 'DROP ROUTINE %s'),
	('{function, procedure}', 'COMMENT ON ROUTINE %s IS ''mine'''),
	('{function, procedure}', 'ALTER EXTENSION resonate DROP ROUTINE %s'),
	('{table}', 'ALTER TABLE %s ADD COLUMN mine text'),
	('{table}', 'ALTER TABLE %s ALTER created_at SET DEFAULT 1'),
	('{table}', 'ALTER TABLE %s DISABLE TRIGGER ALL'),
	('{table}', 'ALTER TABLE %s ENABLE ROW LEVEL SECURITY'),
	('{table}', 'ALTER TABLE %s SET UNLOGGED'),
	('{table}', 'CREATE POLICY mine ON %s USING (false)'),
	('{table}', 'CREATE INDEX mine ON %s ((1))'),
	('{table}', 'CREATE STATISTICS public.mine ON (1 + 1), (2 + 2) FROM %s'),
	('{table}', 'CREATE TABLE public.mine () INHERITS (%s)'),
	('{table}', 'CREATE PUBLICATION mine FOR TABLE %s'),
	('{table}', 'CLUSTER %s'),
	('{table}', 'TRUNCATE %s'),
	('{table}', 'INSERT INTO %s DEFAULT VALUES'),
	('{table}', 'DELETE FROM %s'),
	('{table}', 'SELECT FROM %s'),
	('{table}', 'SELECT ctid FROM %s FOR UPDATE'),
	('{table}', 'LOCK TABLE %s IN ACCESS SHARE MODE'),
	('{table}', 'ALTER EXTENSION resonate DROP TABLE %s'),
	('{table}', 'COMMENT ON TABLE %s IS ''mine'''),
	('{table, view}', 'ALTER TABLE %s OWNER TO CURRENT_USER'),
	('{table, view}', 'ALTER TABLE %s RENAME TO other'),
	('{table, view}', 'ALTER TABLE %s SET SCHEMA public'),
	('{table, view}', 'CREATE RULE mine AS ON INSERT TO %s DO INSTEAD NOTHING'),
	('{view}', 'CREATE OR REPLACE VIEW %s AS SELECT 1'),
	('{view}', 'DROP VIEW %s'),
	('{view}', 'CREATE TRIGGER mine INSTEAD OF INSERT ON %s FOR EACH ROW EXECUTE FUNCTION public.hook()'),
	('{type}', 'ALTER TYPE %s OWNER TO CURRENT_USER'),
	('{type}', 'ALTER TYPE %s RENAME TO other'),
	('{type}', 'ALTER TYPE %s SET SCHEMA public'),
	('{type}', 'DROP TYPE %s'),
	('{type}', 'COMMENT ON TYPE %s IS ''mine'''),
	('{type}', 'CREATE CAST (%s AS text) WITH INOUT AS IMPLICIT'),
	('{type}', 'CREATE CAST (text AS %s) WITH INOUT AS IMPLICIT'),
	('{schema}', 'ALTER SCHEMA %s OWNER TO CURRENT_USER'),
	('{schema}', 'ALTER SCHEMA %s RENAME TO other'),
	('{schema}', 'DROP SCHEMA %s CASCADE'),
	('{schema}', 'COMMENT ON SCHEMA %s IS ''mine'''),
	('{schema}', 'CREATE TABLE %s.mine ()'),
	('{schema}', 'CREATE VIEW %s.mine AS SELECT 1'),
	('{schema}', 'CREATE SEQUENCE %s.mine'),
	('{schema}', 'CREATE TYPE %s.mine AS ENUM ()'),
	('{schema}', 'CREATE FUNCTION %s.resolve(id text) RETURNS integer LANGUAGE sql AS ''SELECT 1'''),
	('{schema}', 'CREATE OR REPLACE FUNCTION %s.get_stats() RETURNS resonate.stats_result LANGUAGE sql AS ''SELECT NULL'''),
	('{schema}', 'CREATE OPERATOR %s.= (LEFTARG = text, RIGHTARG = text, FUNCTION = pg_catalog.texteq)'),
	('{schema}', 'CREATE COLLATION %s.mine FROM "C"'),
	('{schema}', 'ALTER FUNCTION public.hook() SET SCHEMA %s');
CREATE TEMP TABLE statements (statement text) ON COMMIT DROP;
INSERT INTO statements
SELECT format(p.statement, m.identity) FROM members m JOIN patterns p ON m.type = ANY (p.types)
-- The row type of a table is altered through the table.
WHERE NOT EXISTS (SELECT FROM pg_type t JOIN pg_class c ON c.oid = t.typrelid
				  WHERE m.classid = 'pg_type'::regclass AND t.oid = m.objid AND c.relkind IN ('r', 'v'))
	AND NOT (m.type = 'type' AND m.identity LIKE '%[]');
INSERT INTO statements VALUES
	('CREATE TRIGGER mine BEFORE INSERT ON resonate.tasks FOR EACH ROW EXECUTE FUNCTION public.hook()'),
	('UPDATE resonate.promises SET state = ''resolved'''),
	('UPDATE resonate.tasks SET version = 9'),
	('DROP TRIGGER resonate_guard ON resonate.promises'),
	('CREATE TABLE public.mine (id text REFERENCES resonate.promises)'),
	('CREATE TRIGGER mine BEFORE INSERT ON resonate.promises FOR EACH ROW EXECUTE FUNCTION resonate.guard_promise()'),
	('ALTER TYPE resonate.promise_state ADD VALUE ''mine'''),
	('ALTER TYPE resonate.promise_state RENAME VALUE ''pending'' TO ''mine'''),
	('ALTER TYPE resonate.promise_result ADD ATTRIBUTE mine text'),
	('ALTER EXTENSION resonate UPDATE'),
	('ALTER EXTENSION resonate ADD FUNCTION public.hook()'),
	('DROP EXTENSION resonate CASCADE'),
	('COMMENT ON EXTENSION resonate IS ''mine'''),
	('CREATE FUNCTION public.mine() RETURNS trigger LANGUAGE c AS ''$libdir/resonate'', ''resonate_guard_promise'''),
	('ALTER ROLE resonate_owner LOGIN PASSWORD ''mine'''),
	('ALTER ROLE resonate_owner SET search_path = public'),
	('DROP ROLE resonate_owner'),
	('DROP OWNED BY resonate_owner'),
	('REASSIGN OWNED BY resonate_owner TO CURRENT_USER'),
	('ALTER DEFAULT PRIVILEGES FOR ROLE resonate_owner GRANT ALL ON TABLES TO PUBLIC'),
	('ALTER SYSTEM SET resonate.retention = 0');
INSERT INTO statements SELECT format('GRANT %I TO CURRENT_USER', r.rolname) FROM pg_roles r WHERE r.rolname ~ '^resonate_[acorw]';

-- As a hostile role; lists what does not end with 42501.  ALTER SYSTEM is refused in
-- a block, before or after it is refused to the role.
CREATE FUNCTION not_refused(role name) RETURNS text LANGUAGE sql AS
$$
	SELECT string_agg(outcome || ' ' || s.statement, E'\n')
	FROM pg_temp.statements s CROSS JOIN LATERAL as_role(role, s.statement) AS outcome
	WHERE outcome <> CASE WHEN s.statement ~ '^ALTER SYSTEM' AND outcome = '25001' THEN '25001' ELSE '42501' END
$$;
SELECT cmp_ok((SELECT count(*) FROM statements), '>', 600::bigint, 'there are many statements');
SELECT is(not_refused(h.name), NULL, format('%s (%s): each of them is refused', h.name, h.is_for)) FROM hostile h;
SELECT isnt(not_refused(current_user), NULL, 'not so to a superuser');

-- Who may trigger may do just that.
SELECT is(as_role(h.name, 'CREATE TRIGGER mine BEFORE INSERT ON resonate.promises FOR EACH ROW EXECUTE FUNCTION public.hook()'),
		  CASE h.name WHEN 'hostile_hook' THEN 'ok' ELSE '42501' END, h.name || ' makes a trigger')
FROM hostile h;

-- Whoever has something can neither give it away nor take it from others.  Where a
-- role has a privilege, GRANT only warns.
SELECT is((SELECT string_agg(m.identity, ', ') FROM members m
		   CROSS JOIN LATERAL as_role(h.name, format('GRANT EXECUTE ON ROUTINE %s TO PUBLIC; ' ||
				'SELECT 1 / (NOT has_function_privilege(''public'', %s, ''EXECUTE''))::integer', m.identity, m.objid)) AS outcome
		   WHERE m.type IN ('function', 'procedure') AND outcome NOT IN ('ok', '42501')), NULL,
		  h.name || ' grants nothing')
FROM hostile h;
SELECT ok(as_role(h.name, 'REVOKE ALL ON SCHEMA resonate FROM resonate_client; ' ||
				  'SELECT 1 / has_schema_privilege(''resonate_client'', ''resonate'', ''USAGE'')::integer') IN ('ok', '42501'),
		  h.name || ' revokes nothing')
FROM hostile h;

-- Not even the owner of tables and functions, whose rights triggers of others have,
-- can put anything in the place of what superusers call: schema, types, view and the
-- functions that run with the rights of the caller are not its own, so neither functions nor
-- casts can be replaced or added, and no search_path can be set for them.
CREATE TEMP TABLE of_owner (statement text) ON COMMIT DROP;
INSERT INTO of_owner SELECT s.statement FROM statements s
WHERE s.statement ~ '(SCHEMA|TYPE|VIEW|EXTENSION|CAST|RENAME TO) ' OR s.statement ~ '^CREATE (OR REPLACE )?(TABLE|FUNCTION|SEQUENCE|OPERATOR|COLLATION) resonate\.'
	OR s.statement ~ '^(GRANT|ALTER ROLE resonate_owner LOGIN|DROP ROLE|ALTER SYSTEM)'
	OR s.statement ~ '^ALTER ROUTINE' AND EXISTS (SELECT FROM members m
		WHERE m.type IN ('function', 'procedure') AND NOT m.is_definer AND strpos(s.statement, m.identity) > 0);
DELETE FROM of_owner WHERE statement ~ '^COMMENT';
SELECT cmp_ok((SELECT count(*) FROM of_owner), '>', 150::bigint, 'many of them concern that');
SELECT is(string_agg(outcome || ' ' || s.statement, E'\n'), NULL, 'resonate_owner: each of those is refused')
FROM of_owner s CROSS JOIN LATERAL as_role('resonate_owner', s.statement) AS outcome
WHERE outcome <> CASE WHEN s.statement ~ '^ALTER SYSTEM' AND outcome = '25001' THEN '25001' ELSE '42501' END;

SELECT is_empty('SELECT * FROM resonate.check_invariants()', 'invariants hold');
SELECT finish();
ROLLBACK;
