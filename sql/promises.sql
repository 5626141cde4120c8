--
-- API: public.  Promises
--

CREATE FUNCTION resonate.create_promise(
	id text,
	timeout interval DEFAULT NULL,
	param jsonb DEFAULT NULL,
	headers jsonb DEFAULT NULL,
	tags jsonb DEFAULT NULL,
	idempotency_key text DEFAULT NULL,
	strict boolean DEFAULT false,
	timeout_at timestamptz DEFAULT NULL)
RETURNS resonate.promise_result
	LANGUAGE c VOLATILE PARALLEL UNSAFE SECURITY DEFINER
	AS 'MODULE_PATHNAME', 'resonate_create_promise';
COMMENT ON FUNCTION resonate.create_promise(text, interval, jsonb, jsonb, jsonb, text, boolean, timestamptz) IS
'Public. Creates a promise, or returns the one that has this id. Status 2010 created, 2000 same idempotency key (strict: and still pending), 4090 exists. The deadline is timeout after now, rounded up to a millisecond (NULL: resonate.default_timeout), or timeout_at (infinity: never), not both; one that has passed makes a promise that is born settled. param is the argument (NULL: none), headers and tags are objects of strings. Where 2000 is returned for a promise with another param, headers, tags or deadline than this call asks for, a NOTICE (42710) says which; create_promises and the other functions that create raise the same, one a statement. Errors: 22023 or 22004 for malformed arguments, 54000 over a limit. Waits for a transaction that is creating or settling the promise; locks the row only when it settles a lapsed one. Spec: durable-promise 2.2.';

CREATE FUNCTION resonate.get_promise(id text)
RETURNS resonate.promise_result
	LANGUAGE c VOLATILE PARALLEL UNSAFE SECURITY DEFINER
	AS 'MODULE_PATHNAME', 'resonate_get_promise';
COMMENT ON FUNCTION resonate.get_promise(text) IS
'Public. The promise as it is now: one whose deadline has passed shows as settled even if nobody has stored that yet. Status 2000, or 4040 when there is none. Locks and writes nothing but a deadline that has passed, for which it waits if somebody is settling the promise; on a standby or in a read-only transaction not even that. Spec: durable-promise 1.';

CREATE FUNCTION resonate.resolve(
	id text,
	value jsonb DEFAULT NULL,
	headers jsonb DEFAULT NULL,
	idempotency_key text DEFAULT NULL,
	strict boolean DEFAULT false)
RETURNS resonate.promise_result
	LANGUAGE c VOLATILE PARALLEL UNSAFE SECURITY DEFINER
	AS 'MODULE_PATHNAME', 'resonate_resolve';
COMMENT ON FUNCTION resonate.resolve(text, jsonb, jsonb, text, boolean) IS
'Public. Resolves a pending promise with a value. Status 2010 resolved by this call; 2000 settled before with the same idempotency key (strict: and resolved), or timed out and not strict; 4030 to 4033 already resolved, rejected, canceled or timed out; 4040 no such promise. Look at state, not only at status. Where 2000 is returned for the same idempotency key and another state, value or headers, a NOTICE (42710) says so, as for create_promise. Locks the row FOR NO KEY UPDATE until the transaction ends. Spec: durable-promise 2.2.';

CREATE FUNCTION resonate.reject(
	id text,
	value jsonb DEFAULT NULL,
	headers jsonb DEFAULT NULL,
	idempotency_key text DEFAULT NULL,
	strict boolean DEFAULT false)
RETURNS resonate.promise_result
	LANGUAGE c VOLATILE PARALLEL UNSAFE SECURITY DEFINER
	AS 'MODULE_PATHNAME', 'resonate_reject';
COMMENT ON FUNCTION resonate.reject(text, jsonb, jsonb, text, boolean) IS
'Public. Rejects a pending promise with an error value. Statuses and locks as for resolve. Spec: durable-promise 2.2.';

CREATE FUNCTION resonate.cancel(
	id text,
	value jsonb DEFAULT NULL,
	headers jsonb DEFAULT NULL,
	idempotency_key text DEFAULT NULL,
	strict boolean DEFAULT false)
RETURNS resonate.promise_result
	LANGUAGE c VOLATILE PARALLEL UNSAFE SECURITY DEFINER
	AS 'MODULE_PATHNAME', 'resonate_cancel';
COMMENT ON FUNCTION resonate.cancel(text, jsonb, jsonb, text, boolean) IS
'Public. Cancels a pending promise, which ends as rejected_canceled. Statuses and locks as for resolve. Spec: durable-promise 2.2.';

CREATE FUNCTION resonate.create_promises(promises jsonb)
RETURNS SETOF resonate.promise_result
	LANGUAGE c VOLATILE PARALLEL UNSAFE ROWS 1000 SECURITY DEFINER
	AS 'MODULE_PATHNAME', 'resonate_create_promises';
COMMENT ON FUNCTION resonate.create_promises(jsonb) IS
'Public. Creates many promises in one statement. promises is an array of objects with the arguments of create_promise as members: id, timeout (an interval as text, or milliseconds), param, headers, tags, idempotency_key, strict, timeout_at (a timestamptz as text, or milliseconds since the epoch). One row per item, in the same order; the same id twice counts as two calls one after the other. A malformed item is an error and nothing is written. A member that is null counts as absent. Locks ids in byte order. Spec: durable-promise 2.2.';

CREATE FUNCTION resonate.settle_promises(settlements jsonb)
RETURNS SETOF resonate.promise_result
	LANGUAGE c VOLATILE PARALLEL UNSAFE ROWS 1000 SECURITY DEFINER
	AS 'MODULE_PATHNAME', 'resonate_settle_promises';
COMMENT ON FUNCTION resonate.settle_promises(jsonb) IS
'Public. Settles many promises in one statement. settlements is an array of objects: id, state (resolved, rejected or rejected_canceled), value, headers, idempotency_key, strict. One row per item, in the same order; the same id twice counts as two calls one after the other. A malformed item is an error and nothing is written. An id that has no promise is not locked: one that is created while the call waits for others has 4040 all the same. Locks ids in byte order. Spec: durable-promise 2.2.';

CREATE FUNCTION resonate.search_promises(
	pattern text DEFAULT '*',
	state text DEFAULT NULL,
	tags jsonb DEFAULT NULL,
	"limit" integer DEFAULT 100,
	cursor text DEFAULT NULL)
RETURNS SETOF resonate.search_result
	LANGUAGE c VOLATILE PARALLEL UNSAFE ROWS 100 SECURITY DEFINER
	SET jit = off	-- the cost of lapsed rows is overestimated
	AS 'MODULE_PATHNAME', 'resonate_search_promises';
COMMENT ON FUNCTION resonate.search_promises(text, text, jsonb, integer, text) IS
'Public. Promises newest first. In pattern every * stands for any characters; \* stands for an asterisk and \\ for a backslash, and nothing else is special. state is pending, resolved, rejected (which includes canceled and timed out), rejected_canceled or rejected_timedout, or NULL for all; it is compared with the state as it is now. tags must all be present with equal values. limit is 1 to 100 (0 or NULL: 100); a page also ends before resonate.page_bytes. The last row of a full page has a cursor that holds the whole request: search_promises(cursor => ...) is the next page. pattern, state and tags given beside it must be those of the cursor; limit is not read. Not a snapshot across pages. Errors: 22023, also for a cursor that is malformed or of another search. Stores the timeouts of promises on the page whose deadline has passed, as get_promise does, but waits no longer than a moment for what others have locked: that is shown as pending among promises of all states, and left out where one state is asked for. Spec: durable-promise 7.';
