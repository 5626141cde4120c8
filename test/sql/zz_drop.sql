-- DROP EXTENSION and CREATE EXTENSION, in a session that has used it.
SET client_min_messages = warning;
CREATE EXTENSION IF NOT EXISTS resonate;
LOAD 'resonate';
RESET client_min_messages;
SET resonate.debug = on;
SET resonate.test_clock = '4000000000000';

-- What the tests before have left behind.
SELECT * FROM resonate.check_invariants();

SELECT status FROM resonate.create_promise_and_callback('old', 'c', 'notify://chan', '1 hour');
SELECT status FROM resonate.create_promises('[{"id": "old"}]');

-- Its objects cannot be dropped one by one, nor what others depend on.
DROP TABLE resonate.promises;
DROP SCHEMA resonate;
CREATE VIEW depends AS SELECT pending FROM resonate.stats;
DROP EXTENSION resonate;
DROP VIEW depends;

-- Undone with its transaction.
BEGIN;
DROP EXTENSION resonate;
SELECT to_regclass('resonate.promises');
ROLLBACK;
SELECT status FROM resonate.get_promise('old');
BEGIN;
DROP EXTENSION resonate;
CREATE EXTENSION resonate;
SELECT status FROM resonate.get_promise('old');
ROLLBACK;
SELECT status FROM resonate.get_promise('old');

-- Gone, but for the roles, which belong to the cluster, and the schema, which
-- CREATE EXTENSION takes as it is if it exists, and which is empty now.
DROP EXTENSION resonate;
SELECT count(*) FROM pg_class WHERE relnamespace = to_regnamespace('resonate');
SELECT count(*) FROM pg_proc WHERE pronamespace = to_regnamespace('resonate');
SELECT count(*) FROM pg_type WHERE typnamespace = to_regnamespace('resonate');
SELECT resonate.get_promise('old');
SELECT rolname FROM pg_roles WHERE rolname IN ('resonate_admin', 'resonate_client', 'resonate_reader', 'resonate_worker')
ORDER BY rolname;

-- It has its own schema, and belongs to a superuser.
CREATE SCHEMA resonate;
-- From version 18 on the context names a line of the script.
\set SHOW_CONTEXT never
CREATE EXTENSION resonate;
\set SHOW_CONTEXT errors
DROP SCHEMA resonate;
SET client_min_messages = error;
DROP ROLE IF EXISTS regress_resonate_nobody;
RESET client_min_messages;
CREATE ROLE regress_resonate_nobody;
SET ROLE regress_resonate_nobody;
\set VERBOSITY sqlstate
CREATE EXTENSION resonate;
\set VERBOSITY default
RESET ROLE;
DROP ROLE regress_resonate_nobody;

-- Once more, and the plans of this session are those of the new tables.
CREATE EXTENSION resonate;
SELECT extversion FROM pg_extension WHERE extname = 'resonate';
SELECT status FROM resonate.get_promise('old');
SELECT status FROM resonate.create_promise_and_callback('old', 'c', 'notify://chan', '1 hour');
SELECT status FROM resonate.create_promises('[{"id": "old"}, {"id": "new"}]');
SELECT id FROM resonate.search_promises();
SELECT status FROM resonate.settle_promises('[{"id": "old", "state": "resolved"}]');
SELECT step, processed FROM resonate.worker_step();
SELECT rolname FROM pg_roles WHERE rolname IN ('resonate_admin', 'resonate_client', 'resonate_reader', 'resonate_worker')
ORDER BY rolname;
DELETE FROM resonate.promises;
