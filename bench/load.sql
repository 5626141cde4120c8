--
-- Fills a database that has the extension with history and with work to do:
--
--	psql -v settled=5000000 -v pending=1000000 -f load.sql
--
-- Settled promises of the last five days, which is less than the retention, and
-- pending tasks, which have been waiting for a worker to come on one of a
-- hundred addresses.  No deadline comes soon.
--
\set ON_ERROR_STOP on
\set address '''poll://any@group-'' || i % 100'

BEGIN;

-- The triggers guard against what this is not, and tell the worker of what does
-- not concern it.  Indexes stay: to make them afterwards is hardly faster.
SET LOCAL session_replication_role = replica;

-- Three of five were made by typed calls, one was executed as a task, and one
-- is a step inside such an execution.
INSERT INTO resonate.promises (created_at, timeout_at, settled_at, state, timer,
	external, targeted, task_version, id, tags, param_data, value_data)
SELECT created_at, created_at + 86400000,
	created_at + CASE WHEN is_late THEN 86400000 ELSE 1000 + i % 60000 END,
	CASE WHEN is_late THEN 'rejected_timedout'
		 WHEN i % 50 < 5 THEN 'rejected'
		 ELSE 'resolved' END::resonate.promise_state,
	false, kind <> 'step', kind = 'task', CASE WHEN kind = 'task' THEN 1 END,
	'history-' || lpad(i::text, 9, '0'),
	CASE kind
		WHEN 'typed' THEN '{"resonate:external": "true"}'
		WHEN 'task' THEN jsonb_build_object('resonate:target', :address,
			'resonate:scope', 'global', 'resonate:origin', origin)
		WHEN 'step' THEN jsonb_build_object('resonate:scope', 'local',
			'resonate:origin', origin)
	END,
	'{"amount": 250}'::bytea,
	CASE WHEN NOT is_late THEN '{"approved": true}'::bytea END
FROM (SELECT i,
		(extract(epoch FROM now()) * 1000)::bigint - 5 * 86400000::bigint
			+ 4 * 86400000::bigint * i / :settled AS created_at,
		CASE i % 5 WHEN 3 THEN 'task' WHEN 4 THEN 'step' ELSE 'typed' END AS kind,
		i % 49 = 0 AS is_late,
		'root-' || i / 50 AS origin
	  FROM generate_series(1, :settled) AS i) AS settled;

INSERT INTO resonate.promises (created_at, timeout_at, state, timer, external,
	targeted, id, tags, param_data)
SELECT created_at, created_at + 30 * 86400000::bigint, 'pending', false, true,
	true, 'waiting-' || lpad(i::text, 9, '0'),
	jsonb_build_object('resonate:target', :address, 'resonate:scope', 'global'),
	'{"amount": 250}'::bytea
FROM (SELECT i,
		(extract(epoch FROM now()) * 1000)::bigint - 86400000::bigint
			+ 86400000::bigint * i / :pending AS created_at
	  FROM generate_series(1, :pending) AS i) AS waiting;

INSERT INTO resonate.tasks (clock_at, timeout_at, version, resumes, setbacks,
	state, id, address)
SELECT created_at, timeout_at, 0, 0, 0, 'pending', id, tags ->> 'resonate:target'
FROM resonate.promises
WHERE targeted AND state = 'pending'
ORDER BY id;

COMMIT;

VACUUM ANALYZE resonate.promises, resonate.tasks;
