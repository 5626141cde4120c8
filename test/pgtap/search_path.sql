-- The functions run with the rights of their owner, whatever search_path their
-- caller has set: wherever names are looked up, it is pinned.  Triggers of others
-- on our tables show what holds there; they fire for our writes as for any other.
\ir helpers.psql

SELECT no_plan();

CREATE TABLE seen (relation text, operation text, path text, id text);
-- They act as the owner of our tables, who has no right to what is not ours.
CREATE FUNCTION see() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER AS
$$
BEGIN
	INSERT INTO public.seen
	VALUES (TG_TABLE_NAME, TG_WHEN || ' ' || TG_OP, pg_catalog.current_setting('search_path'),
			CASE WHEN TG_OP = 'DELETE' THEN pg_catalog.to_jsonb(OLD) ELSE pg_catalog.to_jsonb(NEW) END ->> 'id');
	RETURN CASE WHEN TG_OP = 'DELETE' THEN OLD ELSE NEW END;
END
$$;
CREATE FUNCTION watch(relation text) RETURNS void LANGUAGE plpgsql AS
$$
BEGIN
	EXECUTE format('CREATE TRIGGER see_before BEFORE INSERT OR UPDATE OR DELETE ON resonate.%I
		FOR EACH ROW EXECUTE FUNCTION see()', relation);
	EXECUTE format('CREATE TRIGGER see_after AFTER INSERT OR UPDATE OR DELETE ON resonate.%I
		FOR EACH ROW EXECUTE FUNCTION see()', relation);
END
$$;
SELECT watch(relation) FROM unnest('{promises, tasks, callbacks, messages, awaiters, schedules}'::text[]) AS relation;

CREATE SCHEMA hostile;
CREATE FUNCTION hostile.never(text, text) RETURNS boolean LANGUAGE plpgsql AS
$$ BEGIN RAISE EXCEPTION 'hostile'; END $$;
CREATE OPERATOR hostile.= (LEFTARG = text, RIGHTARG = text, FUNCTION = hostile.never);
CREATE OPERATOR hostile.<> (LEFTARG = text, RIGHTARG = text, FUNCTION = hostile.never);
CREATE OPERATOR hostile.|| (LEFTARG = text, RIGHTARG = text, FUNCTION = hostile.never);
CREATE TABLE answers (n serial, operation text, status integer);
SET LOCAL search_path = hostile, public, pg_catalog;

INSERT INTO answers (operation, status)
	SELECT 'create', (resonate.create_promise('t', '1 min', tags => '{"resonate:target": "poll://any@g"}')).status;
INSERT INTO answers (operation, status) SELECT 'create', (resonate.create_promise('child', '1 min')).status;
INSERT INTO answers (operation, status)
	SELECT 'callback', (resonate.create_callback('child', 'c', 'poll://any@g')).status;
INSERT INTO answers (operation, status) SELECT 'acquire', (resonate.acquire_task('t', 0, 'p', '1 min')).status;
INSERT INTO answers (operation, status) SELECT 'suspend', (resonate.suspend_task('t', 1, '{child}')).status;
INSERT INTO answers (operation, status) SELECT 'resolve', (resonate.resolve('child')).status;
INSERT INTO answers (operation, status) SELECT 'acquire', (resonate.acquire_task('t', 1, 'p', '1 min')).status;
INSERT INTO answers (operation, status) SELECT 'fulfil', (resonate.fulfill_task('t', 2)).status;
INSERT INTO answers (operation, status)
	SELECT 'schedule', (resonate.create_schedule('s', '* * * * *', 'p{{.timestamp}}', '1 min')).status;
INSERT INTO answers (operation, status) SELECT current_setting('search_path'), 0;

SET LOCAL search_path = public;
SELECT results_eq('SELECT operation, status FROM answers ORDER BY n',
				  $$VALUES ('create', 2010), ('create', 2010), ('callback', 2010), ('acquire', 2000), ('suspend', 2000),
					('resolve', 2010), ('acquire', 2000), ('fulfil', 2000), ('schedule', 2010),
					('hostile, public, pg_catalog', 0)$$,
				  'all is answered, and the search_path of the caller is still his');
SELECT is_empty($$SELECT * FROM seen WHERE path <> 'pg_catalog, pg_temp'$$,
				'where triggers fire, and for all statements, the search_path is pinned');
SELECT set_eq($$SELECT relation || ': ' || operation || coalesce(' ' || id, '') FROM seen$$, ARRAY[
	'promises: BEFORE INSERT t', 'promises: AFTER INSERT t', 'promises: BEFORE INSERT child', 'promises: AFTER INSERT child',
	'promises: BEFORE UPDATE child', 'promises: AFTER UPDATE child', 'promises: BEFORE UPDATE t', 'promises: AFTER UPDATE t',
	'tasks: BEFORE INSERT t', 'tasks: AFTER INSERT t', 'tasks: BEFORE UPDATE t', 'tasks: AFTER UPDATE t',
	'tasks: BEFORE DELETE t', 'tasks: AFTER DELETE t',
	'callbacks: BEFORE INSERT', 'callbacks: AFTER INSERT', 'callbacks: BEFORE DELETE', 'callbacks: AFTER DELETE',
	'messages: BEFORE INSERT', 'messages: AFTER INSERT',
	'awaiters: BEFORE INSERT', 'awaiters: AFTER INSERT', 'awaiters: BEFORE DELETE', 'awaiters: AFTER DELETE',
	'schedules: BEFORE INSERT s', 'schedules: AFTER INSERT s'
], 'each write of ours fires the triggers of others');

-- A constraint of others is obeyed, and so is a key that refers to a promise.
CREATE TABLE orders (promise_id text COLLATE "C" REFERENCES resonate.promises);
SELECT is((resonate.create_promise('paid', '1 min')).status, 2010, 'a promise that a table of others refers to');
INSERT INTO orders VALUES ('paid');
SELECT is((resonate.resolve('paid')).status, 2010, 'can be settled');
ALTER TABLE resonate.promises ADD CONSTRAINT short CHECK (length(id) < 20);
SELECT throws_ok($$SELECT resonate.create_promise(repeat('x', 20))$$, '23514', NULL, 'a constraint of others is obeyed');
SELECT is((resonate.get_promise(repeat('x', 20))).status, 4040, 'by doing nothing');

-- A trigger of others can call our functions, and catch what they raise, while we
-- write: what we have open is not disturbed.
CREATE FUNCTION follow() RETURNS trigger LANGUAGE plpgsql AS
$$
BEGIN
	IF NEW.id ~ '^next' AND pg_catalog.length(NEW.id) < 10 THEN
		PERFORM resonate.create_promise(NEW.id || '+', '1 min');
		PERFORM resonate.create_callback(NEW.id || '+', 'c', 'poll://any@g');
		BEGIN
			PERFORM resonate.create_promise(pg_catalog.repeat('x', 20));
		EXCEPTION WHEN check_violation THEN
			PERFORM resonate.resolve(NEW.id || '+');
		END;
		BEGIN
			PERFORM resonate.create_promise('');
		EXCEPTION WHEN invalid_parameter_value THEN
			NULL;
		END;
	END IF;
	RETURN NEW;
END
$$;
CREATE TRIGGER follow_before BEFORE INSERT ON resonate.promises FOR EACH ROW EXECUTE FUNCTION follow();
CREATE TRIGGER follow_after AFTER UPDATE ON resonate.promises FOR EACH ROW EXECUTE FUNCTION follow();
SELECT is((resonate.create_promise('next', '1 min')).status, 2010, 'a promise whose birth makes another one');
SELECT is((resonate.resolve('next')).status, 2010, 'whose settlement makes another one');
SELECT is((SELECT string_agg(length(id) || ' ' || state, ', ' ORDER BY length(id)) FROM resonate.promises WHERE id ~ '^next'),
		  '4 resolved, 5 resolved, 6 resolved, 7 resolved, 8 resolved, 9 resolved, 10 resolved', 'all of them are there');
CREATE FUNCTION forever() RETURNS trigger LANGUAGE plpgsql AS
$$ BEGIN PERFORM resonate.create_promise(NEW.id || '+', '1 min'); RETURN NEW; END $$;
CREATE TRIGGER forever BEFORE INSERT ON resonate.promises FOR EACH ROW WHEN (NEW.id ~ '^a') EXECUTE FUNCTION forever();
SELECT throws_ok($$SELECT resonate.create_promise('a')$$, '54001', NULL, 'a trigger that calls itself again and again');
SELECT is((resonate.create_promise('fine', '1 min')).status, 2010, 'and afterwards all is well');
SELECT is_empty('SELECT resonate.check_invariants()', 'no invariant is broken');

SELECT finish();
ROLLBACK;
