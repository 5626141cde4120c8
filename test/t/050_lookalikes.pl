
# The owner of a database, who is no superuser, puts operators, functions, casts,
# types and tables in front of those that the install script and the statements of
# the extension mean.  None of them is ever called, and nothing refers to one.

use strict;
use warnings FATAL => 'all';

use File::Basename qw(dirname);
use FindBin;
use lib $FindBin::RealBin;

use PostgreSQL::Test::Utils;
use ResonateTest;
use Test::More;

my $node = new_cluster('main', extension => 0);
my $super = $node->safe_psql('postgres', 'SELECT current_user');
my $path = "pg_temp, \"$super\", public, pg_catalog";

$node->safe_psql('postgres', <<'END');
CREATE ROLE mallory LOGIN;
CREATE DATABASE victim OWNER mallory;
END
$node->safe_psql('postgres', "ALTER DATABASE victim SET search_path = $path");
$node->safe_psql('postgres', "ALTER ROLE \"$super\" SET search_path = $path");

# What the script and the statements use is found in their text: every word that
# can name a function, and every operator there is for a type that they use.
my $root = dirname(dirname($FindBin::RealBin));
my $text = join("\n", map { slurp_file($_) } glob("$root/sql/*.sql"),
	glob("$root/src/*.c $root/src/*/*.c"));
my %words = map { lc($_) => 1 } $text =~ /\b([a-z_]{2,40})\b/g;
my $names = join(',', map { "'$_'" } sort keys %words);

# In two schemas that the path of a session has: for one that is called like its
# user, it is made here.  Whoever is called says so in the log and fails.
my $plant = <<'END';
CREATE SCHEMA IF NOT EXISTS :"place";
SET search_path = :"place";
SELECT pg_catalog.set_config('plant.place', :'place', false);
CREATE FUNCTION pg_temp.try(statement text) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
	EXECUTE statement;
-- Not every pair of types has a function, and not every function a pair of names.
EXCEPTION WHEN invalid_function_definition OR duplicate_function OR duplicate_object OR
	datatype_mismatch OR feature_not_supported OR ambiguous_function OR reserved_name OR
	undefined_function THEN NULL;
END $$;
CREATE FUNCTION pg_temp.plant(name text, args text, result text) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
	PERFORM pg_temp.try(pg_catalog.format('CREATE FUNCTION %I(%s) RETURNS %s LANGUAGE plpgsql AS %L',
		name, args, result,
		'BEGIN RAISE LOG ''look-alike called''; RAISE EXCEPTION ''look-alike called''; END'));
END $$;

-- The types, and their polymorphic relatives.
CREATE TEMP TABLE types AS SELECT * FROM pg_catalog.unnest(ARRAY['text', 'name', 'varchar', '"char"', 'int8', 'int4',
	'bool', 'jsonb', 'bytea', 'oid', 'float8', 'numeric', 'timestamptz', 'interval', 'tid', 'xid', 'record', 'text[]', 'anyelement',
	'anyarray', 'anynonarray', 'anyenum', 'anycompatible', 'anycompatiblearray', 'anycompatiblenonarray']) AS t (name);
CREATE TEMP TABLE pairs AS SELECT l.name AS l, r.name AS r,
	'op_' OPERATOR(pg_catalog.||) pg_catalog.row_number() OVER () AS function
	FROM types l CROSS JOIN types r;
SELECT pg_temp.plant(function, l OPERATOR(pg_catalog.||) ', ' OPERATOR(pg_catalog.||) r, 'boolean') FROM pairs;
SELECT pg_temp.try(pg_catalog.format('CREATE OPERATOR %s (LEFTARG = %s, RIGHTARG = %s, FUNCTION = %I)', o.name, l, r, function))
FROM pairs CROSS JOIN pg_catalog.unnest(ARRAY['=', '<>', '<', '>', '<=', '>=', '||', '->>', '->', '@>', '?', '~~', '!~~', '~', '!~',
	'^@', '+', '-', '*', '/']) AS o (name)
WHERE EXISTS (SELECT FROM pg_catalog.pg_proc p WHERE p.proname OPERATOR(pg_catalog.=) function);

-- Functions, for everything that is called as a word of the text.
SELECT pg_temp.plant(n.name, a.args, 'boolean')
FROM (SELECT DISTINCT p.proname::text AS name FROM pg_catalog.pg_proc p
	  WHERE p.pronamespace OPERATOR(pg_catalog.=) 'pg_catalog'::pg_catalog.regnamespace AND p.proname IN (:names)) AS n
CROSS JOIN pg_catalog.unnest(ARRAY['', 'text', 'name', 'int8', 'int4', 'bool', 'jsonb', 'oid', 'text[]', 'anyelement', 'anyarray',
	'anyenum', 'text, text', 'text, boolean', 'text, oid', 'oid, int4', 'anyelement, anyelement', 'anycompatiblearray, anycompatible',
	'anyarray, anyarray', 'VARIADIC text[]', 'VARIADIC anyarray', 'text, VARIADIC text[]',
	'text, VARIADIC anyarray']) AS a (args);

-- Types that are called like ours and like those of PostgreSQL, with casts that
-- are made without being asked for, and relations.
SELECT pg_temp.plant('make_' OPERATOR(pg_catalog.||) t.name, 'text', 'boolean')
FROM pg_catalog.unnest(ARRAY['text', 'jsonb']) AS t (name);
CREATE TYPE planted AS ENUM ('pending', 'listener');
CREATE FUNCTION to_text(planted) RETURNS pg_catalog.text LANGUAGE plpgsql AS
$$ BEGIN RAISE LOG 'look-alike called'; RAISE EXCEPTION 'look-alike called'; END $$;
CREATE FUNCTION from_text(pg_catalog.text) RETURNS planted LANGUAGE plpgsql AS
$$ BEGIN RAISE LOG 'look-alike called'; RAISE EXCEPTION 'look-alike called'; END $$;
CREATE FUNCTION from_int8(pg_catalog.int8) RETURNS planted LANGUAGE plpgsql AS
$$ BEGIN RAISE LOG 'look-alike called'; RAISE EXCEPTION 'look-alike called'; END $$;
CREATE CAST (planted AS pg_catalog.text) WITH FUNCTION to_text AS IMPLICIT;
CREATE CAST (pg_catalog.text AS planted) WITH FUNCTION from_text AS IMPLICIT;
CREATE CAST (pg_catalog.int8 AS planted) WITH FUNCTION from_int8 AS IMPLICIT;
SELECT pg_temp.try(pg_catalog.format('CREATE TYPE %I AS ENUM (%L)', n, 'pending'))
FROM pg_catalog.unnest(ARRAY['text', 'name', 'int8', 'int4', 'bool', 'jsonb', 'bytea', 'oid', 'timestamptz', 'regclass', 'regrole',
	'regprocedure', 'regnamespace', 'promise_state', 'callback_kind', 'task_state', 'catch_up', 'trigger', 'void']) AS n;
SELECT pg_temp.try(pg_catalog.format('CREATE VIEW %I AS SELECT 1 AS oid', n))
FROM pg_catalog.unnest(ARRAY['pg_roles', 'pg_class', 'pg_proc', 'pg_namespace', 'pg_type', 'pg_auth_members', 'pg_prepared_xacts',
	'promises', 'callbacks', 'messages', 'tasks', 'awaiters', 'schedules', 'stats']) AS n;
END

# Runs a script as a role, and ends with what it prints.
sub run_as
{
	my ($user, $script, @variables) = @_;
	my ($out, $err) = ('', '');

	IPC::Run::run(
		[
			'psql', '-XAtq', '-v', 'ON_ERROR_STOP=1', @variables,
			'-d', $node->connstr('victim') . " user=$user", '-f', '-'
		],
		'<' => \$script,
		'>' => \$out,
		'2>' => \$err) or die $err;
	return $out;
}

foreach my $place ('public', $super)
{
	run_as('mallory', $plant, '-v', "place=$place", '-v', "names=$names");
}

# Of each schema, without what is in pg_catalog.
my $planted = <<'END';
SELECT pg_catalog.count(*) FROM pg_catalog.pg_operator o
JOIN pg_catalog.pg_namespace n ON n.oid OPERATOR(pg_catalog.=) o.oprnamespace
WHERE n.nspname OPERATOR(pg_catalog.<>) 'pg_catalog'
END
cmp_ok($node->safe_psql('victim', $planted),
	'>', 10000, 'operators are planted');
$planted =~ s/operator o/proc o/;
$planted =~ s/oprnamespace/pronamespace/;
cmp_ok($node->safe_psql('victim', $planted),
	'>', 2000, 'functions are planted');
eval {
	run_as($super, "SELECT 'a'::pg_catalog.text = 'b'::pg_catalog.text");
};
like($@, qr/look-alike called/, 'where names are looked up, they are called');

my $offset = -s $node->logfile;

#
# The install script, with look-alikes that the session has made itself, too
#

my $temporary = <<'END';
CREATE FUNCTION pg_temp.format(text, text) RETURNS text LANGUAGE plpgsql AS
$$ BEGIN RAISE LOG 'look-alike called'; RAISE EXCEPTION 'look-alike called'; END $$;
CREATE TYPE pg_temp.text AS ENUM ('pending');
CREATE TYPE pg_temp.jsonb AS ENUM ('pending');
CREATE TYPE pg_temp.promise_state AS ENUM ('pending');
CREATE TEMP TABLE pg_roles (rolname text);
CREATE TEMP TABLE pg_class (oid oid);
CREATE TEMP TABLE pg_proc (oid oid);
CREATE TEMP TABLE promises (id text);
CREATE TEMP TABLE tasks (id text);
END

run_as($super, "$temporary CREATE EXTENSION resonate;");
pass('CREATE EXTENSION');
is( $node->safe_psql('victim', <<'END'), '', 'nothing refers to a look-alike');
WITH planted (classid, oid) AS (
	SELECT 'pg_catalog.pg_operator'::pg_catalog.regclass, o.oid FROM pg_catalog.pg_operator o
	WHERE o.oid OPERATOR(pg_catalog.>=) 16384::pg_catalog.oid
	UNION ALL SELECT 'pg_catalog.pg_cast'::pg_catalog.regclass, c.oid FROM pg_catalog.pg_cast c
	WHERE c.oid OPERATOR(pg_catalog.>=) 16384::pg_catalog.oid
	UNION ALL SELECT 'pg_catalog.pg_proc'::pg_catalog.regclass, p.oid FROM pg_catalog.pg_proc p
	WHERE p.oid OPERATOR(pg_catalog.>=) 16384::pg_catalog.oid AND
		p.pronamespace OPERATOR(pg_catalog.<>) 'resonate'::pg_catalog.regnamespace
	UNION ALL SELECT 'pg_catalog.pg_type'::pg_catalog.regclass, t.oid FROM pg_catalog.pg_type t
	WHERE t.oid OPERATOR(pg_catalog.>=) 16384::pg_catalog.oid AND
		t.typnamespace OPERATOR(pg_catalog.<>) 'resonate'::pg_catalog.regnamespace AND
		t.typnamespace OPERATOR(pg_catalog.<>) 'pg_toast'::pg_catalog.regnamespace)
SELECT pg_catalog.pg_describe_object(d.classid, d.objid, d.objsubid)
FROM pg_catalog.pg_depend d JOIN planted p
	ON p.classid OPERATOR(pg_catalog.=) d.refclassid AND p.oid OPERATOR(pg_catalog.=) d.refobjid
WHERE pg_catalog.pg_describe_object(d.classid, d.objid, d.objsubid) OPERATOR(pg_catalog.~~) '%resonate.%'
END

#
# Every function, and the worker
#

my $calls = <<'END';
SELECT * FROM resonate.create_promise('a', '1 h', '1', tags => '{"k": "v"}');
SELECT * FROM resonate.create_promise('t', '1 h', tags => '{"resonate:target": "poll://any@g", "resonate:branch": "b"}');
SELECT * FROM resonate.create_promise('u', '1 h', tags => '{"resonate:target": "notify://u"}');
SELECT * FROM resonate.create_promises('[{"id": "b"}, {"id": "c", "timeout": "1 day"}, {"id": "d"}, {"id": "e"}, {"id": "f"}]');
SELECT * FROM resonate.create_callback('a', 'c', 'poll://any@g');
SELECT * FROM resonate.create_promise_and_callback('g', 'c', 'notify://g', '1 s');
SELECT * FROM resonate.create_promise_and_task('v', 'p', '1 min', tags => '{"resonate:target": "poll://any@g"}');
SELECT * FROM resonate.get_promise('a');
SELECT * FROM resonate.search_promises('*');
SELECT * FROM resonate.search_promises('a*', 'pending', '{"k": "v"}', 1);
SELECT * FROM resonate.dequeue_execute('poll://any@g');
SELECT * FROM resonate.acquire_task('t', 0, 'p', '1 min');
SELECT * FROM resonate.fence_task('t', 1, 'create', '{"id": "fenced"}');
SELECT * FROM resonate.fence_task('t', 1, 'settle', '{"id": "fenced", "state": "resolved"}');
SELECT resonate.heartbeat_tasks('p');
SELECT resonate.heartbeat_tasks('p', '{t}', '{1}');
SELECT * FROM resonate.suspend_task('t', 1, '{b}');
SELECT * FROM resonate.resolve('b');
SELECT * FROM resonate.acquire_task('t', 1, 'p', '1 min');
SELECT * FROM resonate.release_task('t', 2);
SELECT * FROM resonate.halt_task('t');
SELECT * FROM resonate.continue_task('t');
SELECT * FROM resonate.get_task('t');
SELECT * FROM resonate.search_tasks();
SELECT * FROM resonate.search_tasks('pending', 1, 'a');
SELECT * FROM resonate.fulfill_task('v', 1);
SELECT * FROM resonate.reject('c');
SELECT * FROM resonate.cancel('d');
SELECT * FROM resonate.settle_promises('[{"id": "a", "state": "resolved", "value": 1}, {"id": "e", "state": "rejected"}]');
SELECT * FROM resonate.receive('poll://any@g');
SELECT resonate.acknowledge('a', 'c');
SELECT * FROM resonate.dequeue_unblock('poll://any@g');
SELECT resonate.outbox_channel('poll://any@g');
SELECT * FROM resonate.create_schedule('s', '* * * * * *', time_zone => 'Europe/Berlin');
SELECT * FROM resonate.get_schedule('s');
SELECT * FROM resonate.search_schedules('{}');
SELECT resonate.process_timeouts();
SELECT * FROM resonate.worker_step();
SELECT resonate.delete_schedule('s');
SELECT * FROM resonate.await_promise('a');
CALL resonate.await_promise('a', '0', NULL, NULL, NULL);
SELECT resonate.resonate_rpc('{"kind": "promise.search", "head": {"corrId": "1", "version": "2026-04-01"}, "data": {"tags": {"k": "v"}}}');
SELECT resonate.resonate_rpc('{"kind": "task.search", "head": {"corrId": "1", "version": "2026-04-01"}, "data": {}}');
SELECT resonate.resonate_rpc('{"kind": "schedule.search", "head": {"corrId": "1", "version": "2026-04-01"}, "data": {}}');
SELECT resonate.resonate_rpc('{"kind": "promise.register_listener", "head": {"corrId": "1", "version": "2026-04-01"},
	"data": {"awaited": "f", "address": "poll://any@g"}}');
SET resonate.debug = on;
SELECT resonate.resonate_rpc('{"kind": "debug.snap", "head": {"corrId": "1", "version": "2026-04-01"}, "data": {}}');
SELECT resonate.resonate_rpc('{"kind": "debug.tick", "head": {"corrId": "1", "version": "2026-04-01"}, "data": {"time": 1}}');
RESET resonate.debug;
SELECT * FROM resonate.stats;
SELECT * FROM resonate.get_stats();
SELECT * FROM resonate.queues;
SELECT * FROM resonate.get_queues();
SELECT resonate.worker_error();
SELECT * FROM resonate.check_invariants();
INSERT INTO resonate.callbacks (created_at, kind, promise_id, callback_id, address)
	VALUES (0, 'callback', 'f', 'x', 'poll://any@g'), (0, 'listener', 'f', 'poll://any@h', 'poll://any@h');
INSERT INTO resonate.schedules (created_at, next_run_at, promise_timeout, catch_up, id, cron, promise_id, promise_tags)
	VALUES (0, 4000000000000, 1, 'all', 'direct', '* * * * *', 'p', '{}');
SELECT * FROM resonate.resolve('f');
SELECT resonate.prune('infinity');
END

run_as($super, $temporary . $calls);
pass('every function');
my @uncalled = grep { $calls !~ /resonate\.$_\b/ } split /\n/,
  $node->safe_psql('victim', <<'END');
SELECT DISTINCT p.proname FROM pg_catalog.pg_proc p
WHERE p.pronamespace OPERATOR(pg_catalog.=) 'resonate'::pg_catalog.regnamespace AND
	p.prorettype OPERATOR(pg_catalog.<>) 'pg_catalog.trigger'::pg_catalog.regtype AND
	p.proname OPERATOR(pg_catalog.<>) 'start_worker'
END
is_deeply(\@uncalled, [], 'none was left out');

# The worker connects to the database, whose path is the hostile one.
run_as($super, <<'END');
SELECT * FROM resonate.create_promise_and_callback('due', 'c', 'notify://due', '10 ms');
SELECT * FROM resonate.create_promise('due task', '1 h', tags => '{"resonate:target": "notify://due"}');
SELECT * FROM resonate.create_schedule('often', '* * * * * *');
END
ok( $node->poll_query_until('victim', <<'END'), 'the worker works');
SELECT s.promises_timed_out OPERATOR(pg_catalog.>) 0 AND s.occurrences_fired OPERATOR(pg_catalog.>) 0 AND
	s.notifications_sent OPERATOR(pg_catalog.>) 1 AND s.undelivered_messages OPERATOR(pg_catalog.=) 0
FROM resonate.stats s
END
run_as($super, 'DROP EXTENSION resonate;');
unlike(log_from($node, $offset),
	qr/look-alike called/, 'no look-alike was ever called');

$node->stop;
done_testing();
