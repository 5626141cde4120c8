--
-- Fills a database that has the extension, and sdk.sql, with what SDKs have written:
--
--	psql -v workflows=100000 -v running=10000 -f load.sql
--
-- Workflows of ten promises: the root, eight steps in its branch, and a call of a
-- function elsewhere.  They were made in the last five days, which is less than the
-- retention, and are over, but for the newest ones: those wait for their call, which
-- has been waiting for a worker to come on one of a hundred addresses.  No deadline
-- comes soon.
--
\set ON_ERROR_STOP on
\set address '''poll://any@group-'' || w % 100'
\set day 86400000::bigint

BEGIN;

-- The triggers guard against what this is not, and tell the worker of what does
-- not concern it.  Indexes stay: to make them afterwards is hardly faster.
ALTER TABLE resonate.promises DISABLE TRIGGER resonate_guard;
ALTER TABLE resonate.tasks DISABLE TRIGGER resonate_guard;
ALTER TABLE resonate.awaiters DISABLE TRIGGER resonate_guard;

INSERT INTO resonate.promises (created_at, timeout_at, settled_at, state, timer,
	external, targeted, task_version, id, tags, param_data, value_data)
SELECT created_at, created_at + 30 * :day,
	CASE WHEN is_over THEN created_at + 1000 + w % 60000 END,
	CASE WHEN NOT is_over THEN 'pending' WHEN w % 50 < 5 THEN 'rejected'
		 ELSE 'resolved' END::resonate.promise_state,
	false, is_targeted, is_targeted,
	CASE WHEN is_over AND is_targeted THEN 1 END, id,
	sdk.tags(root, id, CASE WHEN is_targeted THEN :address END),
	'{"amount": 250}'::bytea,
	CASE WHEN is_over THEN '{"approved": true}'::bytea END
FROM (SELECT w, root, created_at, s IN (0, 9) AS is_targeted,
		w <= :workflows - :running OR s BETWEEN 1 AND 8 AS is_over,
		CASE s WHEN 0 THEN root ELSE root || '.' || s END AS id
	  FROM generate_series(1, :workflows) AS w,
		generate_series(0, 9) AS s,
		LATERAL (SELECT 'workflow-' || lpad(w::text, 7, '0'),
			(extract(epoch FROM now()) * 1000)::bigint - 5 * :day
				+ 4 * :day * w / :workflows) AS r (root, created_at)) AS promises;

INSERT INTO resonate.tasks (clock_at, timeout_at, version, resumes, setbacks,
	state, id, address)
SELECT CASE WHEN id LIKE '%.9' THEN created_at END, timeout_at,
	CASE WHEN id LIKE '%.9' THEN 0 ELSE 1 END, 0, 0,
	CASE WHEN id LIKE '%.9' THEN 'pending' ELSE 'suspended' END::resonate.task_state,
	id, tags ->> 'resonate:target'
FROM resonate.promises
WHERE targeted AND state = 'pending'
ORDER BY id;

INSERT INTO resonate.awaiters (awaited_id, awaiter_id)
SELECT id, tags ->> 'resonate:origin'
FROM resonate.promises
WHERE targeted AND state = 'pending' AND id LIKE '%.9'
ORDER BY id;

ALTER TABLE resonate.promises ENABLE ALWAYS TRIGGER resonate_guard;
ALTER TABLE resonate.tasks ENABLE ALWAYS TRIGGER resonate_guard;
ALTER TABLE resonate.awaiters ENABLE ALWAYS TRIGGER resonate_guard;

COMMIT;

VACUUM ANALYZE resonate.promises, resonate.tasks, resonate.awaiters;
