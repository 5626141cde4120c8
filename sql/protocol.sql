
--
-- API: public.  The Resonate wire protocol
--

CREATE FUNCTION resonate.resonate_rpc(request jsonb)
RETURNS jsonb
	LANGUAGE c VOLATILE PARALLEL UNSAFE
	AS 'MODULE_PATHNAME', 'resonate_resonate_rpc';
COMMENT ON FUNCTION resonate.resonate_rpc(jsonb) IS
'Public. Executes one request of the Resonate wire protocol, version 2026-04-01: {kind, head: {corrId, version}, data} gives {kind, head: {corrId, status, version}, data}, where data is a string unless status is 200 or 300. A malformed request, NULL included, has status 400 and changes nothing. A request needs the privilege to call the typed function that does the same (403): halt_task for task.halt, create_schedule for schedule.create, settle_promises for promise.settle, create_callback for promise.register_callback and promise.register_listener, and so on; debug.* needs the setting resonate.debug (403); without that, head.resonate:debug_time is ignored. Locks as the typed functions do. Errors: only for what is not the fault of the request. Spec: protocol 2 and 3.';

CREATE FUNCTION resonate.outbox_channel(address text)
RETURNS text
	LANGUAGE c IMMUTABLE PARALLEL UNSAFE SECURITY DEFINER
	AS 'MODULE_PATHNAME', 'resonate_outbox_channel';
COMMENT ON FUNCTION resonate.outbox_channel(text) IS
'Public. The channel to LISTEN on for an address: the worker notifies it when the address has something to dequeue. A notification can be missed, and every role that can connect can send one: it says nothing but to dequeue, which is also done now and then without one. Errors: 22004 NULL, 22023 empty or longer than 1024 bytes. Spec: protocol 5.3.';

CREATE FUNCTION resonate.process_timeouts()
RETURNS integer
	LANGUAGE c VOLATILE PARALLEL UNSAFE SECURITY DEFINER
	AS 'MODULE_PATHNAME', 'resonate_process_timeouts';
COMMENT ON FUNCTION resonate.process_timeouts() IS
'Public. Does what is due: occurrences of schedules, promises past their deadline, ended leases; one bounded batch of each, and returns how many. The background worker does the same by itself; this is for clients that do not rely on it. Skips what others are working on, and waits for nobody. Spec: protocol 4, 5.3.';

CREATE FUNCTION resonate.dequeue_execute(
	address text,
	"limit" integer DEFAULT 100)
RETURNS TABLE (task_id text, version integer)
	LANGUAGE c VOLATILE PARALLEL UNSAFE ROWS 100 SECURITY DEFINER
	AS 'MODULE_PATHNAME', 'resonate_dequeue_execute';
COMMENT ON FUNCTION resonate.dequeue_execute(text, integer) IS
'Public. Offers up to limit (1 to 10000) tasks whose target is exactly this address, the longest waiting first. Acquire one with the version given. One that nobody acquires is offered again after resonate.retry_timeout. Then come those that this process has not given back while others have, and those for one process of this group, poll://any@group/id, that has not taken them for that time: see docs/tasks.md. Concurrent callers get different tasks. Locks the tasks it returns, skipping those locked by others. Errors: 22004, 22023. Spec: protocol 4 (R6), 5.3.';

CREATE FUNCTION resonate.dequeue_unblock(
	address text,
	"limit" integer DEFAULT 100)
RETURNS TABLE (promise jsonb)
	LANGUAGE c VOLATILE PARALLEL UNSAFE ROWS 100 SECURITY DEFINER
	AS 'MODULE_PATHNAME', 'resonate_dequeue_unblock';
COMMENT ON FUNCTION resonate.dequeue_unblock(text, integer) IS
'Public. Up to limit (1 to 10000) settled promises that listeners at this address wait for, as records of the wire protocol, and not more than resonate.page_bytes of them; the rest stays for the next call. A message is hidden for resonate.visibility_timeout then; if the address dequeues again after that, within resonate.delivered_retention, it gets the message a second time and for the last. One that nobody dequeues expires after resonate.undelivered_retention. acknowledge(promise, address, ''listener'') removes it at once. Locks the messages it returns, skipping those locked by others. Errors: 22004, 22023. Spec: protocol 5.3.';
