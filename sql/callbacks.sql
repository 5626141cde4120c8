--
-- API: public.  Callbacks, waiting and messages
--

CREATE FUNCTION resonate.create_callback(
	promise_id text,
	callback_id text,
	address text)
RETURNS resonate.callback_result
	LANGUAGE c VOLATILE PARALLEL UNSAFE SECURITY DEFINER
	AS 'MODULE_PATHNAME', 'resonate_create_callback';
COMMENT ON FUNCTION resonate.create_callback(text, text, text) IS
'Public. Asks for a message to address when the promise settles. Status 2010 recorded; 2000 known already (the first address stays) or the promise is settled and the outcome is in this row, so no message will come: tell them apart by state; 4040 no such promise; 4220 the promise is internal. Addresses: notify://channel, poll://any@group[/id], poll://uni@group/id, http(s)://..., any other scheme://... A notification on a channel is a hint, which every role that can connect can forge: look with get_promise. Settles a promise whose deadline has passed. Errors: 22023 malformed address. Locks the promise row FOR NO KEY UPDATE. Spec: durable-promise 3.2.';

CREATE FUNCTION resonate.create_promise_and_callback(
	id text,
	callback_id text,
	address text,
	timeout interval DEFAULT NULL,
	param jsonb DEFAULT NULL,
	headers jsonb DEFAULT NULL,
	tags jsonb DEFAULT NULL,
	idempotency_key text DEFAULT NULL,
	strict boolean DEFAULT false,
	timeout_at timestamptz DEFAULT NULL)
RETURNS resonate.callback_result
	LANGUAGE c VOLATILE PARALLEL UNSAFE SECURITY DEFINER
	AS 'MODULE_PATHNAME', 'resonate_create_promise_and_callback';
COMMENT ON FUNCTION resonate.create_promise_and_callback(text, text, text, interval, jsonb, jsonb, jsonb, text, boolean, timestamptz) IS
'Public. Both or neither: the callback is recorded only if this very call created the promise, pending. Statuses as for create_promise; the callback columns are NULL when none was recorded. 4220, and nothing written, when the tags make the promise internal. Spec: durable-promise 3.5.';

CREATE FUNCTION resonate.await_promise(
	id text,
	timeout interval DEFAULT NULL)
RETURNS resonate.promise_result
	LANGUAGE c VOLATILE PARALLEL UNSAFE SECURITY DEFINER
	AS 'MODULE_PATHNAME', 'resonate_await_promise';
COMMENT ON FUNCTION resonate.await_promise(text, interval) IS
'Public. Waits until the promise is settled or timeout has passed (NULL: no limit but the deadline of the promise). Status 2000 settled, 4080 still pending after timeout, 4040 no such promise. Sees commits made while it waits, but the statement holds its snapshot: for long waits use the procedure. Errors: 55000 when the promise is pending and this transaction itself has written it or holds a lock that a settlement needs (what was rolled back to a savepoint does not count), 0A000 when it would have to wait at REPEATABLE READ or SERIALIZABLE. Cancellable; ends with its session when the client is gone. statement_timeout counts, and so does transaction_timeout; idle_in_transaction_session_timeout does not, and lock_timeout only for what is done at the deadline. At the deadline it does what get_promise does, and so may wait longer than timeout for a transaction that is settling the promise.';

CREATE PROCEDURE resonate.await_promise(
	id text,
	timeout interval,
	INOUT status integer,
	INOUT state text,
	INOUT value jsonb)
	LANGUAGE c
	AS 'MODULE_PATHNAME', 'resonate_await_promise_procedure';
COMMENT ON PROCEDURE resonate.await_promise(text, interval, integer, text, jsonb) IS
'Public. Like the function, but holds neither snapshot nor locks while it waits, so it is safe for minutes and behind a transaction pooler: CALL resonate.await_promise(''id'', ''10 min'', NULL, NULL, NULL). Commits before it waits; SQLSTATE 2D000 inside a transaction block or a function. statement_timeout counts; transaction_timeout and idle_in_transaction_session_timeout do not, since it waits outside of transactions. The caller needs EXECUTE on get_promise.';

CREATE FUNCTION resonate.receive(
	address text,
	"limit" integer DEFAULT 100,
	visibility interval DEFAULT NULL)
RETURNS SETOF resonate.message
	LANGUAGE c VOLATILE PARALLEL UNSAFE ROWS 100 SECURITY DEFINER
	AS 'MODULE_PATHNAME', 'resonate_receive';
COMMENT ON FUNCTION resonate.receive(text, integer, interval) IS
'Public. Takes up to limit (1 to 1000) messages that wait for exactly this address, oldest first, and not more than resonate.page_bytes of their promises; the rest stays for the next call. A message that is not acknowledged comes back after visibility (NULL: resonate.visibility_timeout), and expires when it has been there for resonate.undelivered_retention. Concurrent receivers get different messages. notify:// addresses cannot be received (22023). Locks the messages it returns, skipping those locked by others.';

CREATE FUNCTION resonate.acknowledge(
	promise_id text,
	callback_id text,
	kind text DEFAULT 'callback')
RETURNS integer
	LANGUAGE c VOLATILE PARALLEL UNSAFE SECURITY DEFINER
	AS 'MODULE_PATHNAME', 'resonate_acknowledge';
COMMENT ON FUNCTION resonate.acknowledge(text, text, text) IS
'Public. Removes a message for good: that of a callback, or with kind listener that of a listener, whose callback_id is its address. Status 2000, or 4040 when there is none (any more). Takes effect when the transaction commits.';
