
# Whoever is granted TRIGGER on one of the tables runs code in each transaction that
# writes to it.  That code acts as the owner of the tables, whoever calls, and cannot
# become anybody else, least of all a superuser.

use strict;
use warnings FATAL => 'all';

use FindBin;
use lib $FindBin::RealBin;

use PostgreSQL::Test::Utils;
use ResonateTest;
use Test::More;

my $node = new_cluster('main');
my $super = $node->safe_psql('postgres', 'SELECT current_user');
my $worker_pid = wait_for_worker($node);

$node->safe_psql('postgres', <<"END");
CREATE ROLE mallory LOGIN;
CREATE ROLE client LOGIN IN ROLE resonate_client, resonate_worker, resonate_admin;
CREATE SCHEMA mallory AUTHORIZATION mallory;
GRANT USAGE ON SCHEMA resonate TO mallory;
GRANT TRIGGER ON resonate.promises, resonate.tasks, resonate.callbacks, resonate.messages,
	resonate.awaiters, resonate.schedules TO mallory;
END

my $mallory = open_session($node, 'postgres', user => 'mallory');

# Each attempt, how it ends, and as whom.
$mallory->ask($_) foreach <<"END", <<'END', <<'END';
CREATE TABLE mallory.attempts (attempt text, statement text);
INSERT INTO mallory.attempts VALUES
	('set role', 'SET ROLE "$super"'), ('reset role', 'RESET ROLE'), ('no role', 'SET ROLE NONE'),
	('set session', 'SET SESSION AUTHORIZATION "$super"'), ('reset session', 'RESET SESSION AUTHORIZATION'),
	('default session', 'SET SESSION AUTHORIZATION DEFAULT'), ('discard', 'DISCARD ALL'),
	('role by name', \$\$SELECT pg_catalog.set_config('role', '$super', false)\$\$),
	('superuser', 'ALTER ROLE mallory SUPERUSER'), ('grant', 'GRANT pg_execute_server_program TO mallory'),
	('program', 'COPY (SELECT 1) TO PROGRAM ''true'''), ('file', 'COPY (SELECT 1) TO ''/tmp/mallory'''),
	('replica', 'SET session_replication_role = replica'), ('load', 'LOAD ''nowhere/nothing'''),
	('C', 'CREATE FUNCTION mallory.c() RETURNS int LANGUAGE c AS ''nothing'''),
	('replace', 'CREATE OR REPLACE FUNCTION resonate.get_promise(id text) RETURNS resonate.promise_result LANGUAGE sql AS ''SELECT NULL'''),
	('new function', 'CREATE FUNCTION resonate.resolve(id text) RETURNS int LANGUAGE sql AS ''SELECT 1'''),
	('new table', 'CREATE TABLE resonate.mine ()'), ('move', 'ALTER FUNCTION mallory.record() SET SCHEMA resonate'),
	('view', 'CREATE OR REPLACE RULE "_RETURN" AS ON SELECT TO resonate.stats DO INSTEAD SELECT * FROM resonate.stats'),
	('cast', 'CREATE CAST (resonate.promise_state AS text) WITH INOUT AS IMPLICIT'),
	('path', 'ALTER FUNCTION resonate.check_invariants() SET search_path = mallory'),
	('definer', 'ALTER FUNCTION resonate.check_invariants() SECURITY DEFINER'),
	('type', 'ALTER TYPE resonate.promise_result ADD ATTRIBUTE more int'),
	('extension', 'ALTER EXTENSION resonate DROP FUNCTION resonate.get_promise(text)'),
	('schema', 'ALTER SCHEMA resonate OWNER TO mallory'), ('rename', 'ALTER SCHEMA resonate RENAME TO gone');
CREATE TABLE mallory.seen (who name, session name, super boolean, attempt text, outcome text);
GRANT USAGE ON SCHEMA mallory TO PUBLIC;
GRANT ALL ON mallory.attempts, mallory.seen TO PUBLIC;
END
CREATE FUNCTION mallory.record() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
	a record;
	outcome text;
BEGIN
	INSERT INTO mallory.seen SELECT current_user, session_user, r.rolsuper
	FROM pg_catalog.pg_roles r WHERE r.rolname = current_user;
	FOR a IN SELECT * FROM mallory.attempts LOOP
		BEGIN
			EXECUTE a.statement;
			outcome := 'done';
		EXCEPTION WHEN OTHERS THEN
			outcome := SQLSTATE;
		END;
		INSERT INTO mallory.seen SELECT current_user, session_user, r.rolsuper, a.attempt, outcome
		FROM pg_catalog.pg_roles r WHERE r.rolname = current_user;
	END LOOP;
	RETURN CASE WHEN TG_OP = 'DELETE' THEN OLD ELSE NEW END;
END $$;
END
DO $$
DECLARE
	name text;
BEGIN
	FOREACH name IN ARRAY '{promises, tasks, callbacks, messages, awaiters, schedules}'::text[] LOOP
		EXECUTE format('CREATE TRIGGER before BEFORE INSERT OR UPDATE OR DELETE ON resonate.%I FOR EACH ROW
			EXECUTE FUNCTION mallory.record()', name);
		EXECUTE format('CREATE TRIGGER after AFTER INSERT OR UPDATE OR DELETE ON resonate.%I FOR EACH ROW
			EXECUTE FUNCTION mallory.record()', name);
	END LOOP;
END $$;
END
is($mallory->{error}, '', 'mallory has triggers on all tables');

# Who the triggers have acted as since the last call, and what they could do.
sub check_seen
{
	my ($caller) = @_;

	is( $node->safe_psql(
			'postgres',
			"SELECT string_agg(DISTINCT who || CASE WHEN super THEN ' superuser' ELSE '' END, ', ') FROM mallory.seen"
		),
		'resonate_owner',
		"$caller: triggers act as the owner of the tables");
	is( $node->safe_psql('postgres', <<'END'), '', "$caller: and can do nothing");
SELECT DISTINCT a.attempt, s.outcome FROM mallory.attempts a LEFT JOIN mallory.seen s ON s.attempt = a.attempt
WHERE s.outcome IS DISTINCT FROM '42501' AND NOT (a.attempt = 'discard' AND s.outcome = '25001')
END
	$node->safe_psql('postgres', 'TRUNCATE mallory.seen');
	return;
}

# All that writes to a table, in one session.
my @calls = (
	"SELECT status FROM resonate.create_promise('%s a')",
	"SELECT status FROM resonate.create_promise('%s t', '1 h', tags => '{\"resonate:target\": \"poll://any\@g\"}')",
	"SELECT status FROM resonate.create_callback('%s a', 'c', 'poll://any\@g')",
	"SELECT status FROM resonate.acquire_task('%s t', 0, 'p', '1 min')",
	"SELECT status FROM resonate.suspend_task('%s t', 1, '{%s a}')",
	"SELECT status FROM resonate.resolve('%s a', '1')",
	"SELECT resonate.acknowledge('%s a', 'c')",
	"SELECT status FROM resonate.create_schedule('%s s', '0 0 1 1 *')",
	"SELECT resonate.delete_schedule('%s s')",
	"SELECT count(*) FROM resonate.create_promises('[{\"id\": \"%s b\"}, {\"id\": \"%s c\"}, {\"id\": \"%s d\", \"timeout\": 1}]')",
	"SELECT count(*) FROM resonate.settle_promises('[{\"id\": \"%s b\", \"state\": \"resolved\"}]')",
	"SELECT resonate.process_timeouts()",
	"SELECT resonate.resonate_rpc('{\"kind\": \"promise.settle\", \"head\": {\"corrId\": \"1\", \"version\": \"2026-04-01\"}, \"data\": {\"id\": \"%s c\", \"state\": \"resolved\", \"value\": {}}}') #>> '{head,status}'");

foreach my $user ($super, 'client')
{
	my $session = open_session($node, 'postgres', user => $user);

	foreach my $call (@calls)
	{
		(my $sql = $call) =~ s/%s/$user/g;
		$session->ask($sql);
		is($session->{error}, '', "$user: $sql");
	}
	check_seen($user);
	$session->close;
}

# A superuser who has become the owner can become a superuser again, but not while
# one of the functions runs.
$node->safe_psql('postgres', <<'END');
SET ROLE resonate_owner;
SELECT resonate.create_promise('set role');
SELECT resonate.resonate_rpc('{"kind": "promise.settle", "head": {"corrId": "1", "version": "2026-04-01"},
	"data": {"id": "set role", "state": "resolved", "value": {}}}');
END
check_seen('SET ROLE resonate_owner');

# The owner can change its functions; they act as the owner all the same.
$node->safe_psql('postgres', <<'END');
ALTER FUNCTION resonate.create_promise(text, interval, jsonb, jsonb, jsonb, text, boolean, timestamptz) SECURITY INVOKER;
SELECT resonate.create_promise('invoker');
ALTER FUNCTION resonate.create_promise(text, interval, jsonb, jsonb, jsonb, text, boolean, timestamptz) SECURITY DEFINER;
END
check_seen('a function without SECURITY DEFINER');
$node->safe_psql('postgres', 'SELECT resonate.worker_step()');

#
# The worker
#

$node->safe_psql('postgres', <<'END');
SELECT resonate.create_promise_and_callback('due', 'c', 'poll://any@g', '10 ms');
SELECT resonate.create_promise('due task', '1 h', tags => '{"resonate:target": "notify://t"}');
SELECT resonate.create_schedule('often', '* * * * * *');
END
ok( $node->poll_query_until(
		'postgres',
		"SELECT promises_timed_out > 0 AND occurrences_fired > 0 AND notifications_sent > 0 FROM resonate.stats"
	),
	'the worker has written');
is($node->safe_psql('postgres', "SELECT resonate.delete_schedule('often')"),
	2000, 'and has no more to do');
is( $node->safe_psql(
		'postgres',
		'SELECT worker_pid = ' . $worker_pid . ' FROM resonate.stats'),
	't', 'it is still the same');
cmp_ok(
	$node->safe_psql(
		'postgres',
		"SELECT count(*) FROM mallory.seen WHERE attempt = 'superuser' AND session = '$super'"
	),
	'>', 0,
	'the triggers have fired in it');
check_seen('the worker');

# A deferred trigger runs at the commit.  In the worker that is the owner's, too; in
# the session of a superuser it must not come to that: it acts as the owner, or the
# write is refused.
foreach my $table ('promises', 'tasks', 'callbacks', 'messages', 'awaiters', 'schedules')
{
	$node->safe_psql('postgres', <<"END");
TRUNCATE mallory.seen;
DROP TRIGGER before ON resonate.$table;
DROP TRIGGER after ON resonate.$table;
END
	$mallory->ask(<<"END");
CREATE CONSTRAINT TRIGGER deferred AFTER INSERT OR UPDATE OR DELETE ON resonate.$table
	DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION mallory.record()
END
	is($mallory->{error}, '', "$table: a deferred trigger");

	my $session = open_session($node);
	my @refused = ();

	foreach my $call (@calls)
	{
		(my $sql = $call) =~ s/%s/$table/g;
		$session->ask($sql);
		push @refused, $session->{error} if $session->{error} ne '';
	}
	ok(!(grep { !/^(0A000|42501)$/ } @refused),
		"$table: calls are refused, or not");
	is( $node->safe_psql('postgres', <<'END'), '', "$table: a deferred trigger is no superuser");
SELECT DISTINCT who FROM mallory.seen WHERE super
END
	$session->close;
	$node->safe_psql('postgres', "DROP TRIGGER deferred ON resonate.$table");
}

# A trigger that is not deferred can write to a table that has a deferred one.
$node->safe_psql('postgres', 'TRUNCATE mallory.seen');
$mallory->ask($_) foreach <<'END', <<'END', <<'END', <<'END', <<'END';
CREATE TABLE mallory.bait (n integer)
END
GRANT INSERT ON mallory.bait TO PUBLIC
END
CREATE CONSTRAINT TRIGGER later AFTER INSERT ON mallory.bait
	DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION mallory.record()
END
CREATE FUNCTION mallory.bite() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
	INSERT INTO mallory.bait VALUES (1);
	RETURN NEW;
END $$
END
CREATE TRIGGER bite AFTER INSERT OR UPDATE ON resonate.promises
	FOR EACH ROW EXECUTE FUNCTION mallory.bite()
END
is($mallory->{error}, '', 'a trigger that makes a deferred one run');
foreach my $prefix ('', 'SET ROLE client;')
{
	my $error = error_of($node, "$prefix SELECT resonate.create_promise('bait')");

	like($error, qr/^(|42501)$/, "as a superuser: $prefix");
}
$node->safe_psql('postgres', <<'END');
ALTER TABLE resonate.promises DISABLE TRIGGER bite;
SELECT resonate.create_promise('due bait', '1 s');
ALTER TABLE resonate.promises ENABLE TRIGGER bite;
END
ok( $node->poll_query_until(
		'postgres',
		"SELECT state = 'rejected_timedout' FROM resonate.promises WHERE id = 'due bait'"
	),
	'the worker can write');
is( $node->safe_psql('postgres', <<'END'), 'resonate_owner', 'a trigger of a trigger acts as the owner');
SELECT string_agg(DISTINCT who, ', ') FROM mallory.seen
END
is( error_of($node, "SELECT resonate.create_promise('by a superuser')", 'postgres'),
	$node->safe_psql('postgres', 'SHOW server_version_num') >= 180000 ? '' : '42501',
	'refused in the session of a superuser, before 18');

my $of_client = open_session($node, 'postgres', user => 'client');

is( $of_client->ask("SELECT status FROM resonate.create_promise('by a client')"),
	2010,
	'not in that of a client');
$of_client->close;
$node->safe_psql('postgres', 'DROP TRIGGER bite ON resonate.promises');
$mallory->ask(<<'END');
CREATE CONSTRAINT TRIGGER deferred AFTER INSERT OR UPDATE OR DELETE ON resonate.promises
	DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION mallory.record()
END
$node->safe_psql('postgres', 'TRUNCATE mallory.seen');

my $client = open_session($node, 'postgres', user => 'client');

$client->ask("SELECT resonate.create_promise('deferred', '10 ms')");
if ($client->{error} eq '')
{
	ok( $node->poll_query_until(
			'postgres',
			"SELECT state = 'rejected_timedout' FROM resonate.promises WHERE id = 'deferred'"
		),
		'the worker commits');
	is( $node->safe_psql(
			'postgres',
			"SELECT string_agg(DISTINCT who, ', ') FROM mallory.seen WHERE session = '$super'"
		),
		'resonate_owner',
		'a deferred trigger acts as the owner, in the worker');
}
else
{
	is($client->{error}, '0A000', 'a deferred trigger is refused');
	is($node->safe_psql('postgres', 'SELECT count(*) FROM mallory.seen'),
		0, 'and does not fire');
}
is($node->safe_psql('postgres', "SELECT rolsuper FROM pg_roles WHERE rolname = 'mallory'"),
	'f', 'mallory is no superuser');
is( $node->safe_psql('postgres', <<'END'), 0, 'nobody ever was a superuser');
SELECT count(*) FROM mallory.seen WHERE super
END

$client->close;
$mallory->close;
is(crashes($node), '', 'no process has crashed');
$node->stop;
done_testing();
