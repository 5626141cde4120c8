--
-- Owners and privileges
--

-- What holds data, and what runs with the rights of its owner, belongs to
-- resonate_owner.  All else, the schema, the types, the view and the functions that run
-- with the rights of their callers, stays with the superuser who installs this: with
-- it, somebody who has got hold of resonate_owner could have a superuser run
-- something else.
DO $$
DECLARE
	statement text;
BEGIN
	FOR statement IN
		SELECT format('ALTER TABLE %s OWNER TO resonate_owner', c.oid::regclass)
		FROM pg_class c
		WHERE c.relnamespace = 'resonate'::regnamespace AND c.relkind = 'r'
		UNION ALL
		SELECT format('ALTER ROUTINE %s OWNER TO resonate_owner',
					  p.oid::regprocedure)
		FROM pg_proc p
		WHERE p.pronamespace = 'resonate'::regnamespace AND p.prosecdef
	LOOP
		EXECUTE statement;
	END LOOP;
END
$$;

-- Then all privileges but the owner's are taken away, those too that default
-- privileges of who installs this have given.  Types can be used by everybody.
DO $$
DECLARE
	statement text;
BEGIN
	FOR statement IN
		WITH object (kind, name, owner, acl) AS (
			SELECT 'SCHEMA', n.oid::regnamespace::text, n.nspowner, n.nspacl
			FROM pg_namespace n WHERE n.oid = 'resonate'::regnamespace
			UNION ALL
			SELECT 'TABLE', c.oid::regclass::text, c.relowner, c.relacl
			FROM pg_class c
			WHERE c.relnamespace = 'resonate'::regnamespace AND
				  c.relkind IN ('r', 'v')
			UNION ALL
			SELECT 'TYPE', format_type(t.oid, NULL), t.typowner, t.typacl
			FROM pg_type t
			WHERE t.typnamespace = 'resonate'::regnamespace AND t.typelem = 0
			UNION ALL
			SELECT 'ROUTINE', p.oid::regprocedure::text, p.proowner,
				coalesce(p.proacl, acldefault('f', p.proowner))
			FROM pg_proc p WHERE p.pronamespace = 'resonate'::regnamespace
		)
		SELECT format('REVOKE ALL ON %s %s FROM %s', o.kind, o.name,
					  CASE a.grantee WHEN 0 THEN 'PUBLIC'
					  ELSE a.grantee::regrole::text END)
		FROM object o CROSS JOIN LATERAL
			(SELECT DISTINCT x.grantee FROM aclexplode(o.acl) x) AS a
		WHERE a.grantee <> o.owner
		UNION ALL
		SELECT format('GRANT ALL ON %s %s TO %s', o.kind, o.name,
					  o.owner::regrole)
		FROM object o WHERE o.acl IS NOT NULL
		UNION ALL
		SELECT format('GRANT USAGE ON TYPE %s TO PUBLIC', o.name)
		FROM object o WHERE o.kind = 'TYPE' AND o.acl IS NOT NULL
	LOOP
		EXECUTE statement;
	END LOOP;
END
$$;

-- For triggers of others, which may call what they like.
GRANT EXECUTE ON FUNCTION resonate.resonate_rpc(jsonb) TO resonate_owner;

GRANT USAGE ON SCHEMA resonate
	TO resonate_owner, resonate_client, resonate_worker, resonate_reader,
	resonate_admin, pg_monitor;

GRANT EXECUTE ON FUNCTION
	resonate.get_promise(text),
	resonate.search_promises(text, text, jsonb, integer, text)
	TO resonate_client, resonate_worker, resonate_reader, resonate_admin;

GRANT EXECUTE ON FUNCTION
	resonate.await_promise(text, interval)
	TO resonate_client, resonate_worker, resonate_reader;

GRANT EXECUTE ON PROCEDURE
	resonate.await_promise(text, interval, integer, text, jsonb)
	TO resonate_client, resonate_worker, resonate_reader;

GRANT EXECUTE ON FUNCTION
	resonate.create_promise(text, interval, jsonb, jsonb, jsonb, text, boolean, timestamptz),
	resonate.resolve(text, jsonb, jsonb, text, boolean),
	resonate.reject(text, jsonb, jsonb, text, boolean),
	resonate.cancel(text, jsonb, jsonb, text, boolean),
	resonate.create_promises(jsonb),
	resonate.settle_promises(jsonb),
	resonate.create_callback(text, text, text),
	resonate.create_promise_and_callback(text, text, text, interval, jsonb, jsonb, jsonb, text, boolean, timestamptz)
	TO resonate_client, resonate_worker;

GRANT EXECUTE ON FUNCTION
	resonate.receive(text, integer, interval),
	resonate.acknowledge(text, text, text),
	resonate.resonate_rpc(jsonb),
	resonate.outbox_channel(text),
	resonate.process_timeouts(),
	resonate.dequeue_execute(text, integer),
	resonate.dequeue_unblock(text, integer)
	TO resonate_worker;

GRANT EXECUTE ON FUNCTION
	resonate.get_task(text),
	resonate.search_tasks(text, integer, text)
	TO resonate_client, resonate_worker, resonate_reader, resonate_admin;

GRANT EXECUTE ON FUNCTION
	resonate.get_schedule(text),
	resonate.search_schedules(jsonb, integer, text)
	TO resonate_worker, resonate_reader, resonate_admin;

GRANT EXECUTE ON FUNCTION
	resonate.create_promise_and_task(text, text, interval, interval, jsonb, jsonb, jsonb, text, boolean, timestamptz),
	resonate.acquire_task(text, integer, text, interval),
	resonate.release_task(text, integer),
	resonate.suspend_task(text, integer, text[]),
	resonate.fulfill_task(text, integer, text, jsonb, jsonb),
	resonate.fence_task(text, integer, text, jsonb),
	resonate.heartbeat_tasks(text, text[], integer[])
	TO resonate_worker;

GRANT EXECUTE ON FUNCTION
	resonate.create_schedule(text, text, text, interval, jsonb, jsonb, jsonb, text, text),
	resonate.delete_schedule(text)
	TO resonate_worker, resonate_admin;

GRANT EXECUTE ON FUNCTION
	resonate.halt_task(text),
	resonate.continue_task(text)
	TO resonate_admin;

GRANT EXECUTE ON FUNCTION
	resonate.prune(timestamptz, integer),
	resonate.worker_error()
	TO resonate_admin;

GRANT EXECUTE ON FUNCTION resonate.get_stats()
	TO resonate_admin, resonate_reader, pg_monitor;
GRANT SELECT ON resonate.stats
	TO resonate_admin, resonate_reader, pg_monitor;

GRANT EXECUTE ON FUNCTION resonate.get_queues(integer)
	TO resonate_admin, resonate_reader, pg_monitor;
GRANT SELECT ON resonate.queues
	TO resonate_admin, resonate_reader, pg_monitor;

SELECT resonate.start_worker();
