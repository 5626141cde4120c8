--
-- API: public.  Schedules
--

CREATE TYPE resonate.schedule_result AS (
	status integer,
	id text,
	cron text,
	time_zone text,
	catch_up text,
	promise_id text,
	promise_timeout interval,
	param jsonb,
	param_headers jsonb,
	param_data text,
	tags jsonb,
	created_at timestamptz,
	next_run_at timestamptz,
	last_run_at timestamptz,
	fired bigint,
	missed bigint,
	last_missed_at timestamptz
);
COMMENT ON TYPE resonate.schedule_result IS
'A four-digit status and the schedule; all but status and id are NULL when there is none. time_zone NULL is UTC. promise_id is the template of the ids of its promises; promise_timeout (NULL: longer than 292,000 years), param and tags are theirs. next_run_at is NULL if there is no occurrence before the year 9999. last_run_at is the last occurrence that was fired, NULL before the first. fired is how many were, missed how many nobody could work on: those that catch_up has left out, and those whose promise was past its deadline when it was created, which count as fired, too; last_missed_at is the last of these.';

CREATE TYPE resonate.schedule_search_result AS (
	cursor text,
	id text,
	cron text,
	time_zone text,
	catch_up text,
	promise_id text,
	promise_timeout interval,
	param jsonb,
	param_headers jsonb,
	param_data text,
	tags jsonb,
	created_at timestamptz,
	next_run_at timestamptz,
	last_run_at timestamptz,
	fired bigint,
	missed bigint,
	last_missed_at timestamptz
);
COMMENT ON TYPE resonate.schedule_search_result IS
'A schedule found by a search, as in schedule_result. cursor is set in the last row of a page, if there is another page.';

CREATE FUNCTION resonate.create_schedule(
	id text,
	cron text,
	promise_id text DEFAULT '{{.id}}.{{.timestamp}}',
	timeout interval DEFAULT NULL,
	param jsonb DEFAULT NULL,
	headers jsonb DEFAULT NULL,
	tags jsonb DEFAULT NULL,
	time_zone text DEFAULT NULL,
	catch_up text DEFAULT 'all')
RETURNS resonate.schedule_result
	LANGUAGE c VOLATILE PARALLEL UNSAFE SECURITY DEFINER
	AS 'MODULE_PATHNAME', 'resonate_create_schedule';
COMMENT ON FUNCTION resonate.create_schedule(text, text, text, interval, jsonb, jsonb, jsonb, text, text) IS
'Public. Has a promise created at every instant after now that matches cron: five fields, or six with the seconds in front, or a name such as @daily, in time_zone (a name of pg_timezone_names; NULL: UTC). In promise_id, the ids of the promises, {{.id}} is the id of the schedule and {{.timestamp}} the instant in milliseconds since the epoch; an id that exists is left as it is. timeout, param, headers and tags are those of the promises, as for create_promise; timeout counts from the instant, also where that is made up for later, so it is how long an outage may last (NULL: resonate.default_timeout as it is now), with months as long as they are now. catch_up says which missed instants are made up for: all, the last, or none (up to resonate.schedule_grace late). NULL is the same as leaving an argument out. Status 2010 created; 2000 exists with the same definition; 4090 exists with another one, which is returned and stays. Errors: 22023, 22004 or 54000. Waits for a transaction that is creating the same schedule. Spec: protocol 3.3.';

CREATE FUNCTION resonate.get_schedule(id text)
RETURNS resonate.schedule_result
	LANGUAGE c VOLATILE PARALLEL UNSAFE SECURITY DEFINER
	AS 'MODULE_PATHNAME', 'resonate_get_schedule';
COMMENT ON FUNCTION resonate.get_schedule(text) IS
'Public. A schedule. Status 2000, or 4040 when there is none. Errors: 22023 or 22004. Locks and writes nothing. Spec: protocol 3.3.';

CREATE FUNCTION resonate.delete_schedule(id text)
RETURNS integer
	LANGUAGE c VOLATILE PARALLEL UNSAFE SECURITY DEFINER
	AS 'MODULE_PATHNAME', 'resonate_delete_schedule';
COMMENT ON FUNCTION resonate.delete_schedule(text) IS
'Public. Deletes a schedule; the promises that it has created stay. Status 2000, or 4040 when there is none. Errors: 22023 or 22004. Waits for a transaction that fires the schedule. Spec: protocol 3.3.';

CREATE FUNCTION resonate.search_schedules(
	tags jsonb DEFAULT NULL,
	"limit" integer DEFAULT 100,
	cursor text DEFAULT NULL)
RETURNS SETOF resonate.schedule_search_result
	LANGUAGE c VOLATILE PARALLEL UNSAFE ROWS 100 SECURITY DEFINER
	AS 'MODULE_PATHNAME', 'resonate_search_schedules';
COMMENT ON FUNCTION resonate.search_schedules(jsonb, integer, text) IS
'Public. Schedules in byte order of their ids. tags must all be present in those of the promises, with equal values. limit is 1 to 1000 (NULL: 100). The last row of a page has its id as the cursor if there are more: the next page is the same search with that cursor, which may be any text. Not a snapshot across pages. Errors: 22023. Locks and writes nothing. Spec: protocol 8.';
