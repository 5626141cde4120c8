-- What others put on our tables works as it does for a plain statement, or is
-- refused with an error that says so; and what a call reports is what is stored.
\ir helpers.psql

SELECT no_plan();

CREATE TABLE log (what text);
GRANT ALL ON log TO resonate_owner;

CREATE FUNCTION keep() RETURNS trigger LANGUAGE plpgsql AS
$$ BEGIN INSERT INTO public.log VALUES (TG_NAME || ' ' || TG_OP); RETURN NEW; END $$;
CREATE FUNCTION leave_out() RETURNS trigger LANGUAGE plpgsql AS
$$ BEGIN RETURN NULL; END $$;
CREATE FUNCTION logged() RETURNS text LANGUAGE sql AS
$$ WITH gone AS (DELETE FROM public.log RETURNING what)
   SELECT string_agg(what, ', ' ORDER BY what) FROM gone $$;

-- A call that is refused, with nothing written.
CREATE FUNCTION is_left_out(statement text, relation text, name text) RETURNS SETOF text
LANGUAGE plpgsql AS
$$
DECLARE
	before text := everything();
BEGIN
	RETURN NEXT throws_ok(statement, '27000',
						  format('a trigger or rule on table "resonate.%s" has left out a write of resonate', relation),
						  name);
	RETURN NEXT is(everything(), before, name || ': writes nothing');
END
$$;

CREATE FUNCTION new_promise(id text) RETURNS integer LANGUAGE sql AS
$$ SELECT (resonate.create_promise(id, '1 h')).status $$;
CREATE FUNCTION new_task(id text) RETURNS integer LANGUAGE sql AS
$$ SELECT (resonate.create_promise_and_task(id, 'w', '1 min', '1 h', tags => '{"resonate:target": "poll://any@g"}')).status $$;
CREATE FUNCTION rpc_settle(id text, state text) RETURNS text LANGUAGE sql AS
$$ SELECT r->'head'->>'status' FROM resonate.resonate_rpc(jsonb_build_object('kind', 'promise.settle',
	'head', '{"corrId": "1", "version": "2026-04-01"}'::jsonb,
	'data', jsonb_build_object('id', id, 'state', state, 'value', '{}'::jsonb))) AS r $$;

--
-- Triggers that leave writes out
--

SAVEPOINT start;
CREATE TRIGGER t BEFORE INSERT ON resonate.promises FOR EACH ROW EXECUTE FUNCTION leave_out();
SELECT is_left_out('SELECT new_promise(''a'')', 'promises', 'create');
SELECT is_left_out('SELECT new_task(''a'')', 'promises', 'create with a task');
SELECT is_left_out('SELECT * FROM resonate.create_promises(''[{"id": "a"}, {"id": "b"}]'')', 'promises', 'a batch');
SELECT is_left_out('SELECT resonate.create_promise_and_callback(''a'', ''c'', ''poll://any@c'')', 'promises', 'create with a callback');
DROP TRIGGER t ON resonate.promises;
SELECT is(new_promise('a'), 2010, 'the id is free afterwards');

CREATE TRIGGER t BEFORE UPDATE ON resonate.promises FOR EACH ROW EXECUTE FUNCTION leave_out();
SELECT is_left_out('SELECT resonate.resolve(''a'')', 'promises', 'resolve');
SELECT is_left_out('SELECT rpc_settle(''a'', ''rejected'')', 'promises', 'promise.settle');
SELECT is_left_out('SELECT * FROM resonate.settle_promises(''[{"id": "a", "state": "resolved"}]'')', 'promises', 'settle in a batch');
SELECT at(3600000);
SELECT is_left_out('SELECT resonate.get_promise(''a'')', 'promises', 'the timeout, for who looks');
SELECT at(0);
DROP TRIGGER t ON resonate.promises;
SELECT is((resonate.reject('a')).status, 2010, 'one settlement wins');
SELECT is((resonate.get_promise('a')).state, 'rejected', 'and is what is stored');

CREATE TRIGGER t BEFORE DELETE ON resonate.promises FOR EACH ROW EXECUTE FUNCTION leave_out();
SELECT is(resonate.prune('infinity'), 0, 'history that a trigger keeps is not said to be pruned');
DROP TRIGGER t ON resonate.promises;

SELECT new_promise('p'), new_task('t');
CREATE TRIGGER t BEFORE INSERT OR UPDATE OR DELETE ON resonate.tasks FOR EACH ROW EXECUTE FUNCTION leave_out();
SELECT is_left_out('SELECT new_task(''u'')', 'tasks', 'a new task');
SELECT is_left_out('SELECT resonate.release_task(''t'', 1)', 'tasks', 'release');
SELECT is_left_out('SELECT resonate.fulfill_task(''t'', 1)', 'tasks', 'fulfill');
DROP TRIGGER t ON resonate.tasks;

CREATE TRIGGER t BEFORE INSERT ON resonate.awaiters FOR EACH ROW EXECUTE FUNCTION leave_out();
SELECT is_left_out('SELECT resonate.suspend_task(''t'', 1, ''{p}'')', 'awaiters', 'suspend');
DROP TRIGGER t ON resonate.awaiters;

CREATE TRIGGER t BEFORE INSERT ON resonate.callbacks FOR EACH ROW EXECUTE FUNCTION leave_out();
SELECT is_left_out('SELECT resonate.create_callback(''p'', ''c'', ''poll://any@c'')', 'callbacks', 'a callback');
DROP TRIGGER t ON resonate.callbacks;
SELECT is((resonate.create_callback('p', 'c', 'poll://any@c')).status, 2010, 'afterwards it can be made');
SELECT is((resonate.create_callback('p', 'c', 'poll://any@c')).status, 2000, 'and made again');

CREATE TRIGGER t BEFORE INSERT ON resonate.messages FOR EACH ROW EXECUTE FUNCTION leave_out();
SELECT is_left_out('SELECT resonate.resolve(''p'')', 'messages', 'a settlement with a message');
DROP TRIGGER t ON resonate.messages;
SELECT (resonate.resolve('p')).status;
CREATE TRIGGER t BEFORE UPDATE ON resonate.messages FOR EACH ROW EXECUTE FUNCTION leave_out();
SELECT is_left_out('SELECT * FROM resonate.receive(''poll://any@c'')', 'messages', 'receive');
DROP TRIGGER t ON resonate.messages;

CREATE TRIGGER t BEFORE INSERT OR UPDATE ON resonate.schedules FOR EACH ROW EXECUTE FUNCTION leave_out();
SELECT is_left_out('SELECT resonate.create_schedule(''s'', ''* * * * *'', ''s.{{.timestamp}}'', ''1 h'')', 'schedules', 'a schedule');
DROP TRIGGER t ON resonate.schedules;

--
-- Rules and unique indexes
--

ROLLBACK TO start;
CREATE RULE r AS ON UPDATE TO resonate.tasks DO INSTEAD NOTHING;
SELECT new_task('t');
SELECT throws_ok('SELECT resonate.release_task(''t'', 1)', '0A000', 'cannot perform UPDATE RETURNING on relation "tasks"', 'a rule');
DROP RULE r ON resonate.tasks;

CREATE UNIQUE INDEX one_each ON resonate.promises (timeout_at);
SELECT throws_ok('SELECT new_promise(''b'')', '23505', NULL, 'a unique index of others: its own error');
SELECT is((resonate.create_promise('t', '1 h')).status, 4090, 'an id that exists is found nevertheless');
DROP INDEX resonate.one_each;
CREATE UNIQUE INDEX one_each ON resonate.callbacks (address);
SELECT new_promise('b'), new_promise('c');
SELECT (resonate.create_callback('b', 'c', 'poll://any@c')).status;
SELECT throws_ok('SELECT resonate.create_callback(''c'', ''c'', ''poll://any@c'')', '23505', NULL, 'also on callbacks');
DROP INDEX resonate.one_each;

--
-- Triggers that change the row
--

ROLLBACK TO start;
ALTER TABLE resonate.promises ADD COLUMN tenant text DEFAULT 'nobody',
	ADD COLUMN size integer GENERATED ALWAYS AS (octet_length(param_data)) STORED,
	ADD COLUMN number bigint GENERATED ALWAYS AS IDENTITY,
	ADD COLUMN changed integer NOT NULL DEFAULT 0;
CREATE FUNCTION set_tenant() RETURNS trigger LANGUAGE plpgsql AS
$$ BEGIN NEW.tenant := NEW.id || '''s'; NEW.changed := NEW.changed + 1; RETURN NEW; END $$;
SELECT is((resonate.create_promise('a', '1 h', '"four"')).status, 2010, 'create with columns of others');
SELECT is((tenant, size, number)::text, '(nobody,6,1)', 'each has its default')
FROM resonate.promises WHERE id = 'a';
CREATE TRIGGER t BEFORE INSERT OR UPDATE ON resonate.promises FOR EACH ROW EXECUTE FUNCTION set_tenant();
SELECT is(new_promise('b'), 2010, 'create with a trigger that fills one');
SELECT is((resonate.resolve('a', '1')).status, 2010, 'resolve');
SELECT is(string_agg((id, state, tenant, size, number, changed)::text, ' ' ORDER BY id),
		  '(a,resolved,a''s,6,1,1) (b,pending,b''s,,2,1)', 'and they are filled')
FROM resonate.promises;
SELECT is((SELECT count(*) FROM resonate.create_promises('[{"id": "c"}, {"id": "b"}]') WHERE status = 2010), 1::bigint, 'a batch');
SELECT is((resonate.create_promise('b', '1 h')).status, 4090, 'an id that exists');

CREATE FUNCTION change_tags() RETURNS trigger LANGUAGE plpgsql AS
$$ BEGIN NEW.tags := NEW.tags || '{"a": "b"}'; RETURN NEW; END $$;
CREATE TRIGGER zz BEFORE INSERT ON resonate.promises FOR EACH ROW EXECUTE FUNCTION change_tags();
SELECT throws_ok('SELECT new_promise(''d'')', '27000',
				 'a trigger or rule on table "resonate.promises" has changed what resonate writes',
				 'a trigger that changes a column of ours');
ALTER TABLE resonate.promises DISABLE TRIGGER zz;
SELECT is(new_promise('d'), 2010, 'disabled, it does not matter');

--
-- Everything that fires after
--

ROLLBACK TO start;
CREATE FUNCTION count_rows() RETURNS trigger LANGUAGE plpgsql AS
$$ BEGIN INSERT INTO public.log SELECT TG_NAME || ' ' || string_agg(id, ' ') FROM changed; RETURN NULL; END $$;
CREATE TRIGGER of_state AFTER UPDATE OF state ON resonate.promises FOR EACH ROW
	WHEN (OLD.state IS DISTINCT FROM NEW.state) EXECUTE FUNCTION keep();
CREATE TRIGGER of_tags AFTER UPDATE OF tags ON resonate.promises FOR EACH ROW EXECUTE FUNCTION keep();
CREATE TRIGGER statement BEFORE UPDATE ON resonate.promises FOR EACH STATEMENT EXECUTE FUNCTION keep();
CREATE TRIGGER transition AFTER UPDATE ON resonate.promises REFERENCING NEW TABLE AS changed
	FOR EACH STATEMENT EXECUTE FUNCTION count_rows();
CREATE TRIGGER created AFTER INSERT ON resonate.promises REFERENCING NEW TABLE AS changed
	FOR EACH STATEMENT EXECUTE FUNCTION count_rows();
SELECT new_promise('a'), new_promise('b');
SELECT is(logged(), 'created a, created b', 'a new row is in the transition table');
SELECT (resonate.resolve('a')).status;
SELECT is(logged(), 'of_state UPDATE, statement UPDATE, transition a', 'so is one that settles; UPDATE OF fires for its columns');
SELECT is((resonate.resolve('a')).status, 4030, 'nothing is settled again');
SELECT is(logged(), NULL, 'and nothing fires');
SELECT is((SELECT count(*) FROM resonate.settle_promises('[{"id": "b", "state": "rejected"}]') WHERE status = 2010), 1::bigint, 'settled in a batch');
SELECT is(logged(), 'of_state UPDATE, statement UPDATE, transition b', 'the same');

--
-- Foreign keys
--

ROLLBACK TO start;
CREATE TABLE jobs (promise text COLLATE "C" REFERENCES resonate.promises ON DELETE CASCADE ON UPDATE CASCADE);
SELECT new_promise('a');
INSERT INTO jobs VALUES ('a');
SELECT is((resonate.resolve('a')).status, 2010, 'resolve what a table of others refers to');
SELECT is(resonate.prune('infinity'), 1, 'prune it');
SELECT is((SELECT count(*) FROM jobs), 0::bigint, 'the rows that refer to it go with it');

--
-- What is refused
--

CREATE CONSTRAINT TRIGGER late AFTER UPDATE ON resonate.promises DEFERRABLE INITIALLY DEFERRED
	FOR EACH ROW EXECUTE FUNCTION keep();
SELECT is(new_promise('a'), 2010, 'a deferrable trigger, for a command that it does not fire for');
SELECT CASE WHEN current_setting('server_version_num')::integer < 180000
	THEN throws_ok('SELECT resonate.resolve(''a'')', '42501', NULL, 'it may not fire in the session of a superuser')
	ELSE lives_ok('SELECT resonate.resolve(''a'')', 'it fires as the owner, whoever commits') END;
ROLLBACK TO start;
ALTER TABLE resonate.promises ENABLE ROW LEVEL SECURITY;
SELECT is(new_promise('a'), 2010, 'row-level security does not concern the owner');
ALTER TABLE resonate.promises FORCE ROW LEVEL SECURITY;
SELECT throws_ok('SELECT new_promise(''b'')', '0A000', 'table "resonate.promises" is not as resonate needs it', 'unless it is forced');
ROLLBACK TO start;
CREATE TABLE child () INHERITS (resonate.tasks);
SELECT throws_ok('SELECT new_task(''t'')', '0A000', 'table "resonate.tasks" is not as resonate needs it', 'a table that inherits');
DROP TABLE child;
SELECT is(new_task('t'), 2010, 'it is gone');
ALTER TABLE resonate.tasks RENAME COLUMN pid TO process;
SELECT throws_ok('SELECT resonate.get_task(''t'')', '42P16', 'table "resonate.tasks" is not as resonate needs it', 'a column with another name');

SELECT * FROM finish();
ROLLBACK;
