--
-- API: public.  Operation
--

CREATE FUNCTION resonate.prune(
	settled_before timestamptz,
	"limit" integer DEFAULT 1000)
RETURNS integer
	LANGUAGE c VOLATILE PARALLEL UNSAFE SECURITY DEFINER
	AS 'MODULE_PATHNAME', 'resonate_prune';
COMMENT ON FUNCTION resonate.prune(timestamptz, integer) IS
'Public. Deletes up to limit promises settled before or at an instant, with their messages, delivered or not, and returns how many. Keeps those with a notification that the worker has yet to send, those of which somebody has a message in an open transaction, and those whose tag resonate:origin names a promise that is still pending. The worker does the same for resonate.retention.';

CREATE FUNCTION resonate.get_stats()
RETURNS resonate.stats_result
	LANGUAGE c VOLATILE PARALLEL UNSAFE SECURITY DEFINER
	AS 'MODULE_PATHNAME', 'resonate_get_stats';
COMMENT ON FUNCTION resonate.get_stats() IS
'Public. The row of the view resonate.stats.';

CREATE VIEW resonate.stats AS SELECT * FROM resonate.get_stats();
COMMENT ON VIEW resonate.stats IS
'Promises by stored state, armed promises past their deadline and the age of the oldest, callbacks, undelivered messages, live tasks by state, schedules, the worker of this database, and its counters since it started, or since its first turn where databases share processes; worker_state is running, paused (debug.start), off (resonate.worker), waiting (for a process), resting (it has made room for another database until it is needed) or none; failing_steps are those whose last run failed; the text of the last error is in resonate.worker_error(). Counts every promise: about a second for ten million.';

CREATE FUNCTION resonate.worker_error()
RETURNS text
	LANGUAGE c VOLATILE PARALLEL UNSAFE SECURITY DEFINER
	AS 'MODULE_PATHNAME', 'resonate_worker_error';
COMMENT ON FUNCTION resonate.worker_error() IS
'Public. The message of the last error of the worker of this database since the server started, at most 255 bytes of it, or NULL. It can quote ids, so not all who see resonate.stats may call this; when and where it was is there.';

CREATE FUNCTION resonate.get_queues("limit" integer DEFAULT 1000)
RETURNS SETOF resonate.queue_result
	LANGUAGE c VOLATILE PARALLEL UNSAFE ROWS 100 SECURITY DEFINER
	AS 'MODULE_PATHNAME', 'resonate_get_queues';
COMMENT ON FUNCTION resonate.get_queues(integer) IS
'Public. The addresses at which tasks or messages wait, those first where something has waited longest; at most limit of them, 1 to 100000 (NULL: 1000). Counts every live task and every message: about a second for a million. Errors: 22023. Locks and writes nothing.';

CREATE VIEW resonate.queues AS SELECT * FROM resonate.get_queues();
COMMENT ON VIEW resonate.queues IS
'The thousand addresses where something has waited longest: how many tasks and messages, and for how long. See resonate.get_queues.';

CREATE FUNCTION resonate.worker_step(
	now timestamptz DEFAULT NULL,
	"limit" integer DEFAULT NULL)
RETURNS resonate.step_result
	LANGUAGE c VOLATILE PARALLEL UNSAFE SECURITY DEFINER
	AS 'MODULE_PATHNAME', 'resonate_worker_step';
COMMENT ON FUNCTION resonate.worker_step(timestamptz, integer) IS
'Private, superuser only. Runs exactly one background step as of now (NULL: the clock of the session), of at most limit rows, and says what it did: the first of clock, schedule, timeout, lease, dispatch, deliver, reconcile, expire and prune that has work, else idle. Waits for nobody: what others are working on is skipped, or else the error is 55P03.';

CREATE FUNCTION resonate.start_worker()
RETURNS void
	LANGUAGE c VOLATILE PARALLEL UNSAFE
	AS 'MODULE_PATHNAME', 'resonate_start_worker';
COMMENT ON FUNCTION resonate.start_worker() IS
'Private, superuser only. Has the worker of this database started when the transaction commits, if it does not run.';
