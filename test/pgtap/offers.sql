-- Offers to notify:// targets that nobody takes: less and less often, so that many of
-- them do not keep the worker, and all who commit, busy for ever.
\ir helpers.psql

SELECT no_plan();

SELECT setting::bigint AS retry FROM pg_settings WHERE name = 'resonate.retry_timeout' \gset
SELECT setting::bigint AS longest FROM pg_settings WHERE name = 'resonate.retry_timeout_max' \gset

CREATE FUNCTION make(id text, target text) RETURNS integer LANGUAGE sql AS
$$
	SELECT (resonate.create_promise(id, '1000 d', tags => jsonb_build_object('resonate:target', target))).status
$$;

-- Runs steps until nothing is due.
CREATE FUNCTION work() RETURNS void LANGUAGE plpgsql AS
$$
BEGIN
	LOOP
		EXIT WHEN (resonate.worker_step()).step = 'idle';
	END LOOP;
END
$$;

-- Works whenever the task is due, and says how long it waits after each offer.
CREATE FUNCTION offers(task text, count integer) RETURNS SETOF bigint LANGUAGE plpgsql AS
$$
DECLARE
	due bigint;
BEGIN
	FOR i IN 1 .. count LOOP
		SELECT clock_at INTO due FROM resonate.tasks WHERE id = task;
		PERFORM at(due - 4000000000000);
		PERFORM work();
		RETURN NEXT clock_at - due FROM resonate.tasks WHERE id = task;
	END LOOP;
END
$$;

SELECT is(make('told', 'notify://chan'), 2010, 'a task for whom the worker tells');
SELECT is(ARRAY(SELECT floor(log(2, w::numeric / :retry) + 0.33) FROM offers('told', 6) AS w),
		  '{0,1,2,3,4,5}'::numeric[], 'each wait is about twice the one before');
SELECT is((SELECT offers FROM resonate.tasks), 6, 'offers are counted');
SELECT ok(bool_and(w BETWEEN :longest * 0.8 AND :longest), 'up to the longest')
FROM offers('told', 8) AS w;
SELECT is((resonate.acquire_task('told', 0, 'me', '1 s')).status, 2000, 'somebody takes it');
SELECT is((SELECT offers FROM resonate.tasks), NULL, 'which ends that');
SELECT is((resonate.release_task('told', 1)).status, 2000, 'and gives it back');
SELECT is((SELECT array_agg(w) FROM offers('told', 1) AS w), ARRAY[:retry]::bigint[], 'the first wait is short again');

-- How many are sent in a day, for many tasks.
DELETE FROM resonate.promises;
SELECT at(0);
SELECT is(make('t' || n, 'notify://chan'), 2010, 'a task') FROM generate_series(1, 20) AS n;
CREATE FUNCTION offered_in(duration bigint, step bigint) RETURNS bigint LANGUAGE plpgsql AS
$$
BEGIN
	FOR n IN 0 .. duration / step LOOP
		PERFORM at(n * step);
		PERFORM work();
	END LOOP;
	RETURN (SELECT sum(offers) FROM resonate.tasks);
END
$$;
SELECT cmp_ok(offered_in(3600000, 1000), '<', 20::bigint * (7 + 3600000 / (:longest * 0.8)::bigint),
			  'in an hour they are offered some twenty times each, not seven hundred');

-- Who asks is offered them as often as before.
SELECT is(make('asked', 'poll://any@g'), 2010, 'a task that is asked for');
CREATE FUNCTION asked_at(at_ms bigint) RETURNS text LANGUAGE plpgsql AS
$$
BEGIN
	PERFORM at(at_ms);
	RETURN (SELECT string_agg(d.task_id, ' ') FROM resonate.dequeue_execute('poll://any@g') AS d);
END
$$;
SELECT is(asked_at(4000000 + n * :retry), 'asked', 'it is offered whenever that is due')
FROM generate_series(1, 5) AS n;
SELECT is((SELECT clock_at FROM resonate.tasks WHERE id = 'asked'), 4000000000000 + 4000000 + 6 * :retry,
		  'as often as before');

SELECT is_empty('SELECT * FROM resonate.check_invariants()', 'invariants hold');
SELECT finish();
ROLLBACK;
