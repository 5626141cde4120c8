-- What others write to the tables has the consequences that it would have through the
-- functions, at once and whatever session_replication_role is; or it is refused.
\ir helpers.psql

SELECT no_plan();

-- A promise with all that can hang on one: awaited by a suspended task and by a halted
-- one, with a callback to a queue, one to a channel and a listener; and, as it has a
-- target, a task, which awaits another promise.
CREATE FUNCTION held(id text) RETURNS text LANGUAGE sql AS
$$
	SELECT (resonate.create_promise_and_task(id, 'pid', '1 h', '1 h', tags => '{"resonate:target": "poll://any@g"}')).status::text
$$;
CREATE FUNCTION make_all() RETURNS SETOF text LANGUAGE plpgsql AS
$$
BEGIN
	RETURN QUERY SELECT is(held(id), '2010', 'the task of ' || id) FROM unnest('{p, suspended, halted}'::text[]) AS id;
	RETURN NEXT is((resonate.create_promise('awaited', '1 h')).status, 2010, 'a promise that p awaits');
	RETURN NEXT is((resonate.suspend_task('suspended', 1, '{p}')).status, 2000, 'suspended');
	RETURN NEXT is((resonate.suspend_task('halted', 1, '{p}')).status, 2000, 'suspended, too');
	RETURN NEXT is((resonate.halt_task('halted')).status, 2000, 'and halted');
	RETURN NEXT is((resonate.create_callback('p', 'queue', 'poll://any@q')).status, 2010, 'a callback');
	RETURN NEXT is((resonate.create_callback('p', 'channel', 'notify://c')).status, 2010, 'another one');
	RETURN NEXT is((resonate.suspend_task('p', 1, '{awaited}')).status, 2000, 'p awaits the other one');
END
$$;
CREATE FUNCTION tasks() RETURNS text LANGUAGE sql AS
$$
	SELECT string_agg(concat_ws(' ', id, state, nullif(resumes, 0)), ', ' ORDER BY id) FROM resonate.tasks
$$;
CREATE FUNCTION waiting() RETURNS text LANGUAGE sql AS
$$
	SELECT format('%s callbacks, %s messages, %s awaiters', (SELECT count(*) FROM resonate.callbacks),
				  (SELECT count(*) FROM resonate.messages), (SELECT count(*) FROM resonate.awaiters))
$$;
CREATE FUNCTION step() RETURNS text LANGUAGE sql AS
$$
	SELECT concat_ws(' ', r.step, r.processed) FROM resonate.worker_step() AS r
$$;
CREATE FUNCTION invariants_hold(name text) RETURNS text LANGUAGE sql AS
$$
	SELECT is_empty('SELECT * FROM resonate.check_invariants()', name || ': invariants hold')
$$;

SELECT set_eq($$SELECT t.tgrelid::regclass || '.' || t.tgname FROM pg_trigger t JOIN pg_class c ON c.oid = t.tgrelid
				WHERE c.relnamespace = 'resonate'::regnamespace AND NOT t.tgisinternal AND t.tgenabled = 'A'$$,
			  $$SELECT t.tgrelid::regclass || '.' || t.tgname FROM pg_trigger t JOIN pg_class c ON c.oid = t.tgrelid
				WHERE c.relnamespace = 'resonate'::regnamespace AND NOT t.tgisinternal$$,
			  'all triggers fire always');
SELECT set_eq($$SELECT DISTINCT t.tgrelid::regclass::text FROM pg_trigger t WHERE t.tgname = 'resonate_guard'$$,
			  $$SELECT c.oid::regclass::text FROM pg_class c
				WHERE c.relnamespace = 'resonate'::regnamespace AND c.relkind = 'r'$$,
			  'and every table has one');

--
-- A settlement by UPDATE
--

CREATE FUNCTION settles(name text) RETURNS SETOF text LANGUAGE plpgsql AS
$$
BEGIN
	RETURN QUERY SELECT make_all();
	UPDATE resonate.promises SET state = 'resolved', settled_at = created_at + 5, task_version = 1, value_data = '1'
	WHERE id = 'p';
	RETURN NEXT is(tasks(), 'halted halted 1, suspended pending 1', name || ': it ends its task, and who awaits it goes on');
	RETURN NEXT is(waiting(), '0 callbacks, 2 messages, 1 awaiters', name || ': its callbacks have fired');
	RETURN NEXT is((SELECT string_agg(m.promise_id || ' ' || m.value, ',') FROM resonate.receive('poll://any@q') AS m),
				   'p 1', name || ': and are received');
	PERFORM at(10);
	RETURN NEXT ok('deliver 1' = ANY (ARRAY(SELECT step() FROM generate_series(1, 3))),
				   name || ': a notification is delivered');
	RETURN NEXT is((SELECT string_agg(m.task_id, ' ') FROM resonate.dequeue_execute('poll://any@g') AS m), 'suspended',
				   name || ': the task is offered');
	RETURN NEXT is((resonate.resolve('awaited')).status, 2010, name || ': what it has awaited settles');
	RETURN NEXT is((resonate.get_task('p')).task_state, 'fulfilled', name || ': and its task is fulfilled');
	RETURN NEXT is(tasks(), 'halted halted 1, suspended pending 1', name || ': for good');
	RETURN NEXT invariants_hold(name);
	DELETE FROM resonate.promises;
	PERFORM at(0);
END
$$;
SELECT settles('settled');
SET LOCAL session_replication_role = replica;
SELECT settles('settled as replica');
SET LOCAL session_replication_role = origin;

-- An UPDATE that fails leaves everything as it was.
SELECT make_all();
SELECT throws_ok($$UPDATE resonate.promises SET state = 'resolved', settled_at = created_at + 5 WHERE id = 'p'$$, '23514',
				 NULL, 'the version of its task must be there');
SELECT is(tasks(), 'halted halted, p suspended, suspended suspended', 'nothing has happened');
SAVEPOINT before;
UPDATE resonate.promises SET state = 'resolved', settled_at = created_at + 5, task_version = 1 WHERE id = 'p';
ROLLBACK TO before;
SELECT is(tasks(), 'halted halted, p suspended, suspended suspended', 'nor when it is rolled back');
SELECT is(waiting(), '2 callbacks, 0 messages, 3 awaiters', 'all still wait');
DELETE FROM resonate.promises;

-- Not even a replica changes what is settled.
SELECT is((resonate.create_promise('final')).status, 2010, 'a promise');
SELECT is((resonate.resolve('final', '1')).status, 2010, 'settled');
SET LOCAL session_replication_role = replica;
SELECT throws_ok(format('UPDATE resonate.promises SET %s WHERE id = ''final''', change), '23514',
				 'a promise is written at most twice: at its birth and at its settlement', 'replica: ' || change)
FROM unnest('{state = ''rejected'', value_data = ''2'', id = ''other'', settled_at = settled_at}'::text[]) AS change;
SELECT throws_ok($$INSERT INTO resonate.tasks (timeout_at, version, resumes, setbacks, state, id, address)
				   VALUES (1, 0, 0, 0, 'pending', 'x', 'poll://any@g')$$, '23514', NULL, 'replica: nor stores what is no task');
SET LOCAL session_replication_role = origin;
DELETE FROM resonate.promises;

--
-- Promises that are removed
--

CREATE FUNCTION removes(name text, statements text) RETURNS SETOF text LANGUAGE plpgsql AS
$$
BEGIN
	RETURN QUERY SELECT make_all();
	RETURN NEXT is((resonate.create_promise_and_callback('told', 'c', 'poll://any@q')).status, 2010, 'another promise');
	RETURN NEXT is((resonate.resolve('told')).status, 2010, 'with a message');
	EXECUTE statements;
	RETURN NEXT is(tasks(), NULL, name || ': no task is left');
	RETURN NEXT is(waiting(), '0 callbacks, 0 messages, 0 awaiters', name || ': nobody waits');
	RETURN NEXT is(step(), 'idle 0', name || ': there is nothing to do');
	RETURN NEXT is_empty($q$SELECT resonate.dequeue_execute('poll://any@g')$q$, name || ': nothing is offered');
	RETURN NEXT invariants_hold(name);
	RETURN QUERY SELECT make_all();
	RETURN NEXT invariants_hold(name || ': made anew');
	RETURN NEXT is((resonate.resolve('awaited')).status, 2010, name || ': what was made anew settles');
	RETURN NEXT is((resonate.fulfill_task('p', 2)).status, 4090, name || ': and nobody has its task');
	RETURN NEXT is((resonate.acquire_task('p', 1, 'pid', '1 h')).status, 2000, name || ': until it is acquired');
	RETURN NEXT is((resonate.fulfill_task('p', 2)).status, 2000, name || ': and fulfilled');
	RETURN NEXT is(tasks(), 'halted halted 1, suspended pending 1', name || ': which resumes the others');
	DELETE FROM resonate.promises;
END
$$;
-- A TRUNCATE within a function is in the transaction that has made the rows.
SELECT removes(statements, statements)
FROM unnest(ARRAY['DELETE FROM resonate.promises', 'TRUNCATE resonate.promises',
	'TRUNCATE resonate.promises CASCADE', 'TRUNCATE resonate.promises RESTART IDENTITY',
	'TRUNCATE resonate.promises, resonate.tasks, resonate.callbacks, resonate.messages, resonate.awaiters, resonate.schedules',
	'TRUNCATE resonate.schedules, resonate.awaiters, resonate.messages, resonate.callbacks, resonate.tasks, resonate.promises',
	'DELETE FROM resonate.awaiters; DELETE FROM resonate.messages; DELETE FROM resonate.callbacks;
	 DELETE FROM resonate.promises; DELETE FROM resonate.tasks',
	'SET LOCAL session_replication_role = replica; DELETE FROM resonate.promises; SET LOCAL session_replication_role = origin',
	'SET LOCAL session_replication_role = replica; TRUNCATE resonate.promises; SET LOCAL session_replication_role = origin',
	'DELETE FROM resonate.promises WHERE id IN (''p'', ''told''); DELETE FROM resonate.promises',
	'WITH d AS (DELETE FROM resonate.promises RETURNING id) SELECT * FROM d',
	'MERGE INTO resonate.promises AS p USING (SELECT id FROM resonate.promises) AS o ON p.id = o.id WHEN MATCHED THEN DELETE'
]) AS statements;

-- Who has awaited what is deleted finds that it does not exist.
SELECT make_all();
DELETE FROM resonate.promises WHERE id = 'p';
SELECT is(tasks(), 'halted halted 1, suspended pending 1', 'those that awaited it go on');
SELECT is(waiting(), '0 callbacks, 0 messages, 0 awaiters', 'and nothing else is left');
SELECT is((resonate.await_promise('p')).status, 4040, 'it does not exist');
SELECT is((resonate.acquire_task('suspended', 1, 'pid', '1 h')).status, 2000, 'the task that goes on');
SELECT is((resonate.fulfill_task('suspended', 2)).status, 2000, 'and ends');
SELECT invariants_hold('one deleted');
DELETE FROM resonate.promises WHERE id = 'halted';
SELECT is(tasks(), NULL, 'a halted one goes with its promise');
SELECT invariants_hold('halted deleted');
DELETE FROM resonate.promises;

-- What is only awaited is left in peace.
SELECT make_all();
DELETE FROM resonate.promises WHERE id IN ('suspended', 'halted');
SELECT is(tasks(), 'p suspended', 'its own task stays');
SELECT is(waiting(), '2 callbacks, 0 messages, 1 awaiters', 'with what waits for it');
SELECT invariants_hold('awaiters deleted');
DELETE FROM resonate.promises;

-- Pruning, and whoever else deletes through a function, pays for none of this.
SELECT is((resonate.create_promise_and_callback('old ' || n, 'c', 'poll://any@q')).status, 2010, 'a promise')
FROM generate_series(1, 3) AS n;
SELECT is((resonate.resolve('old ' || n)).status, 2010, 'settled') FROM generate_series(1, 3) AS n;
SELECT at(10);
SELECT is(resonate.prune('infinity'), 3, 'pruned');
SELECT is(waiting(), '0 callbacks, 0 messages, 0 awaiters', 'with its messages');
SELECT at(0);

--
-- Tasks and awaiters that are removed
--

SELECT make_all();
CREATE FUNCTION refused(statements text) RETURNS text LANGUAGE plpgsql AS
$$
DECLARE
	hint text;
BEGIN
	EXECUTE statements;
	RETURN 'nothing';
EXCEPTION WHEN check_violation THEN
	GET STACKED DIAGNOSTICS hint = PG_EXCEPTION_HINT;
	RETURN concat_ws('. ', SQLERRM, hint);
END
$$;
SELECT is(refused(format('DELETE FROM resonate.tasks WHERE id = %L', id)),
		  format('cannot delete the task of pending promise "%s". Settle or delete the promise, which deletes its task.', id),
		  id || ': its promise needs the task') FROM unnest('{p, suspended, halted}'::text[]) AS id;
SELECT is(refused('TRUNCATE resonate.tasks'),
		  'cannot truncate the tasks while promises are pending. Truncate resonate.promises, which deletes all tasks.',
		  'all of them do');
SELECT is(refused('SET LOCAL session_replication_role = replica; DELETE FROM resonate.tasks WHERE id = ''p'''),
		  'cannot delete the task of pending promise "p". Settle or delete the promise, which deletes its task.',
		  'as replica, too');
SELECT is(refused($$UPDATE resonate.promises SET state = 'resolved', settled_at = created_at + 5, task_version = 1 WHERE id = 'p';
	DELETE FROM resonate.tasks WHERE id = 'p'$$),
		  'nothing', 'unless it is settled');
SELECT is(tasks(), 'halted halted 1, suspended pending 1', 'which tells those who await it');
DELETE FROM resonate.promises;
SELECT make_all();
SELECT throws_ok($$UPDATE resonate.tasks SET id = 'q' WHERE id = 'p'$$, '23514',
				 'the id and the deadline of a task are those of its promise, and never change', 'a task keeps its id');
SELECT throws_ok($$UPDATE resonate.tasks SET timeout_at = timeout_at + 1 WHERE id = 'p'$$, '23514', NULL, 'and its deadline');
SELECT lives_ok($$UPDATE resonate.tasks SET setbacks = 1 WHERE id = 'p'$$, 'its progress can be set');

SELECT lives_ok($$DELETE FROM resonate.awaiters WHERE awaiter_id = 'p'$$, 'it awaits nothing');
SELECT is(tasks(), 'halted halted, p pending 1, suspended suspended', 'and goes on');
SELECT is(held('other'), '2010', 'another task');
SELECT lives_ok($$UPDATE resonate.awaiters SET awaiter_id = 'other' WHERE awaiter_id = 'suspended'$$, 'another one awaits instead');
SELECT is(tasks(), 'halted halted, other acquired, p pending 1, suspended pending 1', 'so does the one that has nothing left');
DELETE FROM resonate.promises;
SELECT make_all();
SELECT lives_ok('TRUNCATE resonate.awaiters', 'nobody awaits anything');
SELECT is(tasks(), 'halted halted, p pending 1, suspended pending 1', 'all of them go on');
SELECT is(step(), 'dispatch 1', 'and are offered');
SELECT invariants_hold('without awaiters');
SELECT lives_ok('TRUNCATE resonate.callbacks, resonate.messages, resonate.schedules', 'these need nobody else');
DELETE FROM resonate.promises;

--
-- A trigger of others
--

-- What a trigger of others writes while the engine does has its consequences as well.
SELECT make_all();
SELECT is((resonate.create_promise('cause')).status, 2010, 'a promise');
CREATE FUNCTION follow() RETURNS trigger LANGUAGE plpgsql AS
$$
BEGIN
	IF NEW.id = 'cause' THEN
		UPDATE resonate.promises SET state = 'resolved', settled_at = created_at + 5, task_version = 1 WHERE id = 'p';
		DELETE FROM resonate.promises WHERE id = 'awaited';
	END IF;
	RETURN NULL;
END
$$;
CREATE TRIGGER follow AFTER UPDATE ON resonate.promises FOR EACH ROW EXECUTE FUNCTION follow();
SELECT at(10);
SELECT is((resonate.resolve('cause')).status, 2010, 'settled by the function');
SELECT is(stored('p'), 'resolved at 5', 'settles another one by UPDATE');
SELECT is(tasks(), 'halted halted 1, suspended pending 1', 'which resumes who awaits it');
SELECT is(waiting(), '0 callbacks, 2 messages, 0 awaiters', 'and fires its callbacks');
SELECT invariants_hold('within a trigger');
DROP TRIGGER follow ON resonate.promises;
DELETE FROM resonate.promises;

--
-- Rights
--

-- Who may delete promises need not have rights on what hangs on them.
SELECT make_all();
CREATE ROLE deleter;
GRANT USAGE ON SCHEMA resonate TO deleter;
GRANT SELECT, DELETE, TRUNCATE ON resonate.promises TO deleter;
SELECT is(as_role('deleter', statement), 'ok', statement)
FROM unnest('{DELETE FROM resonate.promises, TRUNCATE resonate.promises}'::text[]) AS statement;
SELECT is(as_role('deleter', 'DELETE FROM resonate.tasks'), '42501', 'and gets none');

SELECT finish();
ROLLBACK;
