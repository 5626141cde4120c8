--
-- Privileges
--

REVOKE ALL ON ALL FUNCTIONS IN SCHEMA resonate FROM PUBLIC;
REVOKE ALL ON ALL PROCEDURES IN SCHEMA resonate FROM PUBLIC;

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
	resonate.prune(timestamptz, integer)
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
