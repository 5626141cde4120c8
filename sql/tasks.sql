--
-- API: public.  Tasks
--

CREATE TYPE resonate.task_result AS (
	status integer,
	task_state text,
	version integer,
	resumes integer,
	pid text,
	ttl interval,
	id text,
	state text,
	value jsonb,
	value_headers jsonb,
	value_data text,
	param jsonb,
	param_headers jsonb,
	param_data text,
	tags jsonb,
	idempotency_key_for_create text,
	idempotency_key_for_complete text,
	timeout_at timestamptz,
	created_at timestamptz,
	settled_at timestamptz,
	timeout_at_ms bigint,
	setbacks integer,
	offers integer,
	next_offer_at timestamptz,
	lease_until timestamptz
);
COMMENT ON TYPE resonate.task_result IS
'A four-digit status; the task as it is after the operation: task_state (pending, acquired, suspended, halted or fulfilled), version, resumes (promises that have woken it since it was acquired), and of an acquired one the pid and the length of its lease (ttl, NULL if longer than 292,000 years); then id, as asked for, and the promise where it is part of the answer. At the end, of the task again: setbacks (how often it was released, or its lease has ended, since it got further), of a pending one offers (those that no process has taken) and next_offer_at, and of an acquired one lease_until. All others are NULL.';

CREATE TYPE resonate.fence_result AS (
	status integer,
	inner_status integer,
	id text,
	state text,
	value jsonb,
	value_headers jsonb,
	value_data text,
	param jsonb,
	param_headers jsonb,
	param_data text,
	tags jsonb,
	idempotency_key_for_create text,
	idempotency_key_for_complete text,
	timeout_at timestamptz,
	created_at timestamptz,
	settled_at timestamptz,
	timeout_at_ms bigint
);
COMMENT ON TYPE resonate.fence_result IS
'status says whether the lease was held. If it was, inner_status is the status of the create or settlement under it, and the other columns are its promise; if not, all but status and id (of that promise) are NULL, and nothing was done.';

CREATE TYPE resonate.task_search_result AS (
	cursor text,
	id text,
	state text,
	version integer,
	resumes integer,
	pid text,
	ttl interval,
	timeout_at timestamptz,
	timeout_at_ms bigint,
	setbacks integer,
	offers integer,
	next_offer_at timestamptz,
	lease_until timestamptz,
	address text
);
COMMENT ON TYPE resonate.task_search_result IS
'A task found by a search; timeout_at is the deadline of its promise, NULL if that is never or after the year 9999, and timeout_at_ms the same in milliseconds. setbacks, offers, next_offer_at and lease_until are as in resonate.task_result; address is where it is offered, NULL for a fulfilled one. cursor is set in the last row of a page, if there can be another page.';

CREATE FUNCTION resonate.create_promise_and_task(
	id text,
	pid text,
	ttl interval,
	timeout interval DEFAULT NULL,
	param jsonb DEFAULT NULL,
	headers jsonb DEFAULT NULL,
	tags jsonb DEFAULT NULL,
	idempotency_key text DEFAULT NULL,
	strict boolean DEFAULT false,
	timeout_at timestamptz DEFAULT NULL)
RETURNS resonate.task_result
	LANGUAGE c VOLATILE PARALLEL UNSAFE SECURITY DEFINER
	AS 'MODULE_PATHNAME', 'resonate_create_promise_and_task';
COMMENT ON FUNCTION resonate.create_promise_and_task(text, text, interval, interval, jsonb, jsonb, jsonb, text, boolean, timestamptz) IS
'Public. Creates a promise as create_promise does, and acquires its task for the process pid, for ttl. tags must have resonate:target. Status 2010 created, and held unless the deadline has passed; 2000 the promise exists with the same idempotency key, and its pending task was acquired or its task is fulfilled: tell them apart by task_state; 4090 it exists with another key or none, or its task is acquired, suspended or halted; 4220 it exists, with that key, but has no task. Errors: as for create_promise; 22023 or 22004 for tags without a target and for pid and ttl (which must be more than zero). Locks the rows of an existing promise and its task FOR NO KEY UPDATE. Spec: protocol 3.2.';

CREATE FUNCTION resonate.get_task(id text)
RETURNS resonate.task_result
	LANGUAGE c VOLATILE PARALLEL UNSAFE SECURITY DEFINER
	AS 'MODULE_PATHNAME', 'resonate_get_task';
COMMENT ON FUNCTION resonate.get_task(text) IS
'Public. The task as it is now, with its promise: fulfilled, if the promise is settled or its deadline has passed. Status 2000, or 4040 when there is no such promise or it has no task. Locks and writes as get_promise does. Spec: protocol 3.2.';

CREATE FUNCTION resonate.acquire_task(
	id text,
	version integer,
	pid text,
	ttl interval)
RETURNS resonate.task_result
	LANGUAGE c VOLATILE PARALLEL UNSAFE SECURITY DEFINER
	AS 'MODULE_PATHNAME', 'resonate_acquire_task';
COMMENT ON FUNCTION resonate.acquire_task(text, integer, text, interval) IS
'Public. Takes a pending task for the process pid, until ttl has passed without a heartbeat. version is the one that was offered; the result has the next one, which the holder presents from then on. Status 2000 acquired, with the promise; 4090 the task is not pending, or of another version; 4040 no such task. Errors: 22023 or 22004. Locks the row of the task FOR NO KEY UPDATE. Spec: protocol 3.2.';

CREATE FUNCTION resonate.release_task(
	id text,
	version integer)
RETURNS resonate.task_result
	LANGUAGE c VOLATILE PARALLEL UNSAFE SECURITY DEFINER
	AS 'MODULE_PATHNAME', 'resonate_release_task';
COMMENT ON FUNCTION resonate.release_task(text, integer) IS
'Public. Gives an acquired task back unfinished, to be offered again: at once, or after a while that grows if this happens repeatedly (resonate.retry_timeout). Status 2000; 4090 the task is not acquired, or in another version; 4040 no such task. Errors: 22023 or 22004. Locks the row of the task FOR NO KEY UPDATE. Spec: protocol 3.2.';

CREATE FUNCTION resonate.suspend_task(
	id text,
	version integer,
	awaited text[])
RETURNS resonate.task_result
	LANGUAGE c VOLATILE PARALLEL UNSAFE SECURITY DEFINER
	AS 'MODULE_PATHNAME', 'resonate_suspend_task';
COMMENT ON FUNCTION resonate.suspend_task(text, integer, text[]) IS
'Public. Gives an acquired task up until one of the awaited promises settles, when it becomes pending and is offered again. Status 2000 suspended; 3000 one of them is settled already, so the task stays acquired and awaits nothing: go on; 4220 one of them does not exist or is internal; 4090 the task is not acquired, or in another version; 4040 no such task. Errors: 22023 or 22004, also for awaited that is empty or has a null, an id twice or the task itself. Locks the rows of the awaited promises and of the task FOR NO KEY UPDATE. Spec: protocol 3.2.';

CREATE FUNCTION resonate.fulfill_task(
	id text,
	version integer,
	state text DEFAULT 'resolved',
	value jsonb DEFAULT NULL,
	headers jsonb DEFAULT NULL)
RETURNS resonate.task_result
	LANGUAGE c VOLATILE PARALLEL UNSAFE SECURITY DEFINER
	AS 'MODULE_PATHNAME', 'resonate_fulfill_task';
COMMENT ON FUNCTION resonate.fulfill_task(text, integer, text, jsonb, jsonb) IS
'Public. Settles the promise of an acquired task, which is its end. state is resolved, rejected or rejected_canceled (NULL: resolved). Status 2000, with the promise; 4090 the task is not acquired, or in another version, or the deadline has passed; 4040 no such task. Errors: 22023 or 22004. Locks the rows of the promise, of its task and of the tasks that await it FOR NO KEY UPDATE. Spec: protocol 3.2.';

CREATE FUNCTION resonate.fence_task(
	id text,
	version integer,
	action text,
	promise jsonb)
RETURNS resonate.fence_result
	LANGUAGE c VOLATILE PARALLEL UNSAFE SECURITY DEFINER
	AS 'MODULE_PATHNAME', 'resonate_fence_task';
COMMENT ON FUNCTION resonate.fence_task(text, integer, text, jsonb) IS
'Public. Creates or settles another promise, if and only if the task is acquired in that version. action is create or settle; promise is one object with the members of an item of create_promises or settle_promises (messages call it item 1). Status 2000 done, and inner_status is the one of create_promise, or of resolve, reject or cancel; 4090 the task is not acquired, or in another version; 4040 no such task. Errors: 22023 or 22004, also when the promise is that of the task itself. Locks the rows of the promise, of its task and of the tasks that await it FOR NO KEY UPDATE, and the row of the task that is the fence FOR SHARE or FOR NO KEY UPDATE. Spec: protocol 3.2.';

CREATE FUNCTION resonate.heartbeat_tasks(
	pid text,
	ids text[] DEFAULT NULL,
	versions integer[] DEFAULT NULL)
RETURNS integer
	LANGUAGE c VOLATILE PARALLEL UNSAFE SECURITY DEFINER
	AS 'MODULE_PATHNAME', 'resonate_heartbeat_tasks';
COMMENT ON FUNCTION resonate.heartbeat_tasks(text, text[], integer[]) IS
'Public. Extends leases of the process pid, each by its own ttl from now on: those of the tasks ids in the versions at the same places, or all of them if both are NULL. What the process does not hold is left alone. Returns how many were extended. A lease that has ended can be extended until the task is given back. Errors: 22023 or 22004, also for arrays that differ in length or have a null. Locks the rows of those tasks FOR NO KEY UPDATE. Spec: protocol 3.2.';

CREATE FUNCTION resonate.halt_task(id text)
RETURNS resonate.task_result
	LANGUAGE c VOLATILE PARALLEL UNSAFE SECURITY DEFINER
	AS 'MODULE_PATHNAME', 'resonate_halt_task';
COMMENT ON FUNCTION resonate.halt_task(text) IS
'Public. Keeps a task from being run until it is continued; who holds it loses it. Status 2000 halted, now or before; 4090 the task is fulfilled; 4040 no such task. Errors: 22023 or 22004. Locks the row of the task FOR NO KEY UPDATE. Spec: protocol 3.2.';

CREATE FUNCTION resonate.continue_task(id text)
RETURNS resonate.task_result
	LANGUAGE c VOLATILE PARALLEL UNSAFE SECURITY DEFINER
	AS 'MODULE_PATHNAME', 'resonate_continue_task';
COMMENT ON FUNCTION resonate.continue_task(text) IS
'Public. Lets a halted task be offered again. Status 2000, the task is pending; 4090 it is not halted; 4040 no such task. Errors: 22023 or 22004. Locks the row of the task FOR NO KEY UPDATE. Spec: protocol 3.2.';

CREATE FUNCTION resonate.search_tasks(
	state text DEFAULT NULL,
	"limit" integer DEFAULT 100,
	cursor text DEFAULT NULL)
RETURNS SETOF resonate.task_search_result
	LANGUAGE c VOLATILE PARALLEL UNSAFE ROWS 100 SECURITY DEFINER
	AS 'MODULE_PATHNAME', 'resonate_search_tasks';
COMMENT ON FUNCTION resonate.search_tasks(text, integer, text) IS
'Public. Tasks in byte order of their ids. state is pending, acquired, suspended, halted or fulfilled, or NULL for all; it is compared with the state as it is now. limit is 1 to 1000 (NULL: 100). The last row of a page has an id as the cursor if there can be more: the next page is the same search with that cursor, which may be any text. A page can end before limit, after 10,000 tasks that are not what is searched for. Not a snapshot across pages. Errors: 22023. Locks and writes nothing. Spec: protocol 8.';
