-- The functions of the guards read rows as the columns of our tables.  A superuser can
-- make them triggers of any table, at any time: that is refused, whatever the table is.
\ir helpers.psql

SELECT no_plan();

CREATE TABLE narrow (id integer);
CREATE TABLE empty ();
CREATE TABLE texts (a text, b text, c text, d text, e text, f text, g text, h text, i text, j text, k text, l text, m text,
	n text, o text, p text, q text, r text);
CREATE TABLE copy (LIKE resonate.promises INCLUDING ALL);
CREATE TABLE promises (id text);
CREATE TABLE tasks (id text, state text);
CREATE TABLE child () INHERITS (resonate.promises);
CREATE TABLE parted (id integer) PARTITION BY LIST (id);
CREATE TABLE part PARTITION OF parted DEFAULT;
CREATE VIEW seen AS SELECT 1 AS id;

CREATE TABLE functions (name text, tables name[]);
INSERT INTO functions VALUES ('guard_promise', '{promises}'), ('guard_task', '{tasks}'), ('follow_promise', '{promises}'),
	('follow_task', '{tasks}'), ('follow_awaiter', '{awaiters}'),
	('note_write', '{callbacks, messages, awaiters, schedules, promises, tasks}');
SELECT set_eq($$SELECT proname FROM pg_proc WHERE pronamespace = 'resonate'::regnamespace AND prorettype = 'trigger'::regtype$$,
			  'SELECT name FROM functions', 'every trigger function is tried');

-- How statements end that fire such a trigger; nothing of them stays.
CREATE FUNCTION fires(definition text, statements text[]) RETURNS text LANGUAGE plpgsql AS
$$
DECLARE
	statement text;
	found text[] := '{}';
BEGIN
	EXECUTE definition;
	FOREACH statement IN ARRAY statements
	LOOP
		BEGIN
			SET CONSTRAINTS ALL DEFERRED;
			EXECUTE statement;
			SET CONSTRAINTS ALL IMMEDIATE;
			found := found || 'ok'::text;
		EXCEPTION WHEN OTHERS THEN
			found := found || SQLSTATE::text;
		END;
	END LOOP;
	RAISE EXCEPTION USING ERRCODE = 'P0997';
EXCEPTION
	WHEN SQLSTATE 'P0997' THEN
		RETURN (SELECT string_agg(DISTINCT f, ' ' ORDER BY f) FROM unnest(found) AS f);
	WHEN OTHERS THEN
		RETURN 'not made';	-- PostgreSQL refuses it
END
$$;

-- Every function on every foreign table, with every timing, event and level.
CREATE FUNCTION misused(name text, relation text, kind text, level text) RETURNS text LANGUAGE sql AS
$$
	SELECT fires(format('CREATE TRIGGER t %s ON %s FOR EACH %s EXECUTE FUNCTION resonate.%I()', kind, relation, level, name),
		ARRAY[format('INSERT INTO %s DEFAULT VALUES', relation)] || CASE WHEN kind ~ 'INSERT' THEN '{}' ELSE
		ARRAY[format('ALTER TABLE %s DISABLE TRIGGER t; INSERT INTO %1$s DEFAULT VALUES; ALTER TABLE %1$s ENABLE TRIGGER t; %s',
			relation, CASE WHEN kind ~ 'TRUNCATE' THEN 'TRUNCATE ' || relation WHEN kind ~ 'DELETE' THEN 'DELETE FROM ' || relation
			ELSE format('DO $d$ DECLARE r record; BEGIN UPDATE %s SET ctid = ctid; EXCEPTION WHEN feature_not_supported OR syntax_error
				THEN UPDATE %1$s SET id = id; END $d$', relation) END)] END)
$$;
SELECT is(misused(f.name, relation, kind, level), '39P01', format('%s on %s, %s, for each %s', f.name, relation, kind, level))
FROM functions f, unnest('{narrow, empty, texts, public.promises, public.tasks, part}'::text[]) AS relation,
	unnest('{BEFORE INSERT, AFTER INSERT}'::text[]) AS kind, unnest('{ROW, STATEMENT}'::text[]) AS level;
SELECT matches(misused(f.name, relation, kind, level), '^(39P01|.* 39P01|39P01 .*)$',
			   format('%s on %s, %s, for each %s', f.name, relation, kind, level))
FROM functions f, unnest('{narrow, public.promises}'::text[]) AS relation,
	unnest('{BEFORE UPDATE, AFTER UPDATE, BEFORE DELETE, AFTER DELETE}'::text[]) AS kind, unnest('{ROW, STATEMENT}'::text[]) AS level;
SELECT matches(misused(f.name, relation, kind, 'STATEMENT'), '^(39P01|.* 39P01|39P01 .*)$',
			   format('%s on %s, %s', f.name, relation, kind))
FROM functions f, unnest('{narrow, texts}'::text[]) AS relation, unnest('{BEFORE TRUNCATE, AFTER TRUNCATE}'::text[]) AS kind;

SELECT is(fires(format(definition, f.name), ARRAY[statement]), '39P01', format(definition, f.name))
FROM functions f, (VALUES
	('CREATE TRIGGER t INSTEAD OF INSERT ON seen FOR EACH ROW EXECUTE FUNCTION resonate.%I()', 'INSERT INTO seen VALUES (1)'),
	('CREATE TRIGGER t INSTEAD OF UPDATE ON seen FOR EACH ROW EXECUTE FUNCTION resonate.%I()', 'UPDATE seen SET id = 2'),
	('CREATE TRIGGER t INSTEAD OF DELETE ON seen FOR EACH ROW EXECUTE FUNCTION resonate.%I()', 'DELETE FROM seen'),
	('CREATE TRIGGER t BEFORE INSERT ON parted FOR EACH ROW EXECUTE FUNCTION resonate.%I()', 'INSERT INTO parted VALUES (1)'),
	('CREATE TRIGGER t BEFORE INSERT ON parted FOR EACH STATEMENT EXECUTE FUNCTION resonate.%I()', 'INSERT INTO parted VALUES (1)'),
	('CREATE TRIGGER t BEFORE INSERT ON narrow FOR EACH ROW WHEN (NEW.id > 0) EXECUTE FUNCTION resonate.%I()',
	 'INSERT INTO narrow VALUES (1)'),
	('CREATE TRIGGER t AFTER INSERT ON narrow REFERENCING NEW TABLE AS n FOR EACH STATEMENT EXECUTE FUNCTION resonate.%I()',
	 'INSERT INTO narrow VALUES (1)'),
	('CREATE TRIGGER t AFTER INSERT ON narrow REFERENCING NEW TABLE AS n FOR EACH ROW EXECUTE FUNCTION resonate.%I()',
	 'INSERT INTO narrow VALUES (1)'),
	('CREATE CONSTRAINT TRIGGER t AFTER INSERT ON narrow DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION resonate.%I()',
	 'INSERT INTO narrow VALUES (1)')
) AS v (definition, statement);
SELECT is(fires(format('CREATE TRIGGER t BEFORE INSERT ON %s FOR EACH ROW EXECUTE FUNCTION resonate.guard_promise()', relation),
				ARRAY[format('INSERT INTO %s (created_at, timeout_at, state, timer, external, targeted, id, tags)
							  VALUES (1, 2, ''pending'', false, true, false, ''x'', ''{}'')', relation)]),
		  '39P01', relation || ' has the same columns') FROM unnest('{copy, child}'::text[]) AS relation;

DROP TABLE child;

-- On its own table each fires as it was meant to, or not at all.
SELECT is((resonate.create_promise('p')).status, 2010, 'a promise');
SELECT is((resonate.create_promise('t', tags => '{"resonate:target": "poll://any@g"}')).status, 2010, 'another one');
CREATE TABLE writes (relation name, kind text, statement text);
INSERT INTO writes VALUES
	('promises', 'INSERT', $$INSERT INTO resonate.promises (created_at, timeout_at, state, timer, external, targeted, id, tags)
		VALUES (1, 2, 'pending', false, true, false, 'x', '{}')$$),
	('promises', 'UPDATE', $$UPDATE resonate.promises SET state = 'resolved', settled_at = created_at WHERE id = 'p'$$),
	('promises', 'DELETE', $$DELETE FROM resonate.promises$$), ('promises', 'TRUNCATE', $$TRUNCATE resonate.promises$$),
	('tasks', 'UPDATE', $$UPDATE resonate.tasks SET setbacks = 1$$),
	('tasks', 'DELETE', $$ALTER TABLE resonate.tasks DISABLE TRIGGER resonate_guard_follow; DELETE FROM resonate.tasks$$),
	('awaiters', 'INSERT', $$INSERT INTO resonate.awaiters VALUES ('p', 't')$$),
	('awaiters', 'DELETE', $$INSERT INTO resonate.awaiters VALUES ('p', 't'); DELETE FROM resonate.awaiters$$);
SELECT is(fires(format('CREATE TRIGGER resonate_guard_t %s %s ON resonate.%I FOR EACH %s EXECUTE FUNCTION resonate.%I()',
					   timing, w.kind, w.relation, level, f.name),
				ARRAY[w.statement]),
		  CASE WHEN level = 'ROW' AND w.kind = 'TRUNCATE' THEN 'not made'
		  WHEN w.relation = ANY (f.tables) AND CASE f.name
			WHEN 'note_write' THEN timing = 'BEFORE' AND level = 'STATEMENT' AND w.kind IN ('INSERT', 'UPDATE')
			WHEN 'follow_promise' THEN timing = 'AFTER' AND (level = 'ROW') = (w.kind <> 'TRUNCATE') AND w.kind <> 'INSERT'
			WHEN 'follow_awaiter' THEN timing = 'AFTER' AND level = 'ROW' AND w.kind <> 'INSERT'
			WHEN 'follow_task' THEN timing = 'AFTER' AND level = 'ROW' AND w.kind = 'DELETE'
			ELSE timing = 'BEFORE' AND level = 'ROW' AND w.kind IN ('INSERT', 'UPDATE') END
		  THEN CASE WHEN f.name = 'follow_task' THEN '23514' ELSE 'ok' END ELSE '39P01' END,
		  format('%s %s %s on %s for each %s', f.name, timing, w.kind, w.relation, level))
FROM functions f, writes w, unnest('{BEFORE, AFTER}'::text[]) AS timing, unnest('{ROW, STATEMENT}'::text[]) AS level;

SELECT throws_ok(format('SELECT resonate.%I()', name), '39P01', NULL, name || ' is no function to call') FROM functions;

-- A table of ours whose columns somebody has changed is refused, too.
SELECT matches(fires(definition, ARRAY[$$INSERT INTO resonate.promises (created_at, timeout_at, state, id, external, targeted)
	VALUES (1, 2, 'pending', 'y', true, false)$$]), '^(42P16|42703)$', definition)
FROM unnest('{"ALTER TABLE resonate.promises DROP COLUMN timer",
	"ALTER TABLE resonate.promises ALTER COLUMN timer TYPE text",
	"ALTER TABLE resonate.promises ALTER COLUMN tags DROP NOT NULL, ALTER COLUMN param_data TYPE text USING NULL"}'::text[]) AS definition;

SELECT is_empty('SELECT * FROM resonate.check_invariants()', 'invariants hold');
SELECT finish();
ROLLBACK;
