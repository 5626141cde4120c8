
# resonate.worker = off keeps the worker of one database still: in the background
# nothing happens there, from the first moment on, until it is switched on again;
# what is called happens.  So a subscriber of another database can hold its rows.

use strict;
use warnings FATAL => 'all';

use FindBin;
use lib $FindBin::RealBin;

use PostgreSQL::Test::Utils;
use ResonateTest;
use Test::More;

my $node = new_cluster(
	'main',
	streaming => 'logical',
	conf => <<'END');
wal_level = logical
max_worker_processes = 24
END

sub state_becomes
{
	my ($database, $state, $name) = @_;

	ok( $node->poll_query_until(
			$database, 'SELECT worker_state FROM resonate.stats', $state),
		$name);
	return;
}

sub query
{
	my ($database, $sql) = @_;

	return $node->safe_psql($database, $sql);
}

# Work of every kind, due in a moment: a deadline, a notification, a lease, an
# occurrence, history and a message to be deleted.
sub make_work
{
	my ($database) = @_;

	query($database, <<'END');
SELECT resonate.create_promise_and_callback('due', 'cb', 'notify://done', '100 ms');
SELECT resonate.create_promise_and_callback('told', 'cb', 'notify://done', '1 h');
SELECT resonate.resolve('told');
SELECT resonate.create_promise_and_task('leased', 'me', '100 ms', '1 h',
	tags => '{"resonate:target": "poll://any@g"}');
SELECT resonate.create_schedule('s', '* * * * * *', 's.{{.timestamp}}', '1 h');
SET resonate.debug = on;
SET resonate.test_clock = '1000';
SELECT resonate.create_promise_and_callback('old', 'cb', 'poll://any@g', '1 s');
SELECT resonate.resolve('old');
END
	return;
}

# What a database holds, as plain rows.
my $contents = <<'END';
SELECT (SELECT string_agg(id || ' ' || state, ', ' ORDER BY id) FROM resonate.promises),
	(SELECT string_agg(id || ' ' || state, ', ' ORDER BY id) FROM resonate.tasks),
	(SELECT count(*) FROM resonate.messages),
	(SELECT last_run_at IS NULL FROM resonate.schedules)
END

my $still = 'due pending, leased pending, old resolved, told resolved'
  . '|leased acquired|2|t';

# True once all of it is done.
my $done = <<'END';
SELECT (SELECT state = 'rejected_timedout' FROM resonate.promises WHERE id = 'due') AND
	(SELECT state = 'pending' FROM resonate.tasks WHERE id = 'leased') AND
	(SELECT last_run_at IS NOT NULL FROM resonate.schedules) AND
	NOT EXISTS (SELECT FROM resonate.promises WHERE id = 'old') AND
	NOT EXISTS (SELECT FROM resonate.messages)
END

#
# Off from the first moment, and on again
#

query('postgres', 'CREATE DATABASE still');
query('postgres', 'ALTER DATABASE still SET resonate.worker = off');
query('still', 'CREATE EXTENSION resonate');
state_becomes('still', 'off', 'a database where the worker is switched off');
make_work('still');
query('still', 'SELECT pg_sleep(3)');
is(query('still', $contents), $still, 'nothing happens there by itself');
is( query('still', "SELECT state FROM resonate.get_promise('due')"),
	'rejected_timedout', 'who looks at a promise finds its deadline kept');
is( query('still', 'SELECT resonate.process_timeouts() >= 2'),
	't', 'and process_timeouts works');

my $offset = -s $node->logfile;

query('postgres', 'ALTER DATABASE still RESET resonate.worker');
query('still', "SELECT resonate.create_promise('call', '1 h')");
ok($node->poll_query_until('still', $done),
	'switched on, the first call of a new session starts the worker');
state_becomes('still', 'running', 'which runs');
query('postgres', 'ALTER DATABASE still SET resonate.worker = off');
state_becomes('still', 'off', 'switched off, it leaves');

# Calls of sessions that do not know of it yet do not wake it.
my $session = open_session($node, 'still');

query('postgres', 'ALTER DATABASE still SET resonate.worker = on');
state_becomes('still', 'none', 'switched on, it is not there yet');
query('still', "SELECT resonate.start_worker()");
state_becomes('still', 'running', 'but can be asked for');
query('postgres', 'ALTER DATABASE still SET resonate.worker = off');
state_becomes('still', 'off', 'off once more');
$session->ask("SELECT resonate.create_promise_and_callback('unheard', 'cb', 'notify://done', '100 ms')");
$session->ask('SELECT pg_sleep(7)');
is( query('still', "SELECT state FROM resonate.promises WHERE id = 'unheard'"),
	'pending', 'a session that began before does not change that');
$session->close;

#
# Copies
#

query('postgres', 'CREATE DATABASE production');
query('production', 'CREATE EXTENSION resonate');
query('postgres', 'ALTER DATABASE production SET resonate.worker = off');
state_becomes('production', 'off', 'a database to copy');
make_work('production');

query('postgres', <<'END');
CREATE DATABASE copy TEMPLATE production ALLOW_CONNECTIONS false
END
query('postgres', 'ALTER DATABASE copy SET resonate.worker = off');
query('postgres', 'ALTER DATABASE copy ALLOW_CONNECTIONS true');

my $dump = $node->basedir . '/dump';

$node->run_log(
	[ 'pg_dump', '-Fc', '-f', $dump, '-d', $node->connstr('production') ]);
query('postgres', 'CREATE DATABASE restored');
query('postgres', 'ALTER DATABASE restored SET resonate.worker = off');
$node->run_log([ 'pg_restore', '-d', $node->connstr('restored'), $dump ]);
foreach my $copy ('copy', 'restored')
{
	query($copy, 'SELECT resonate.start_worker()');
	query($copy, 'SELECT pg_sleep(2)');
	is(query($copy, $contents), $still, "the $copy database keeps still");
	state_becomes($copy, 'off', 'since it is switched off');
}

# A copy of the whole cluster, which the configuration switches off.
$node->stop;
$node->append_conf('postgresql.conf', 'resonate.worker = off');
$node->start;
check_configured();

sub check_configured
{
	query('postgres', 'ALTER DATABASE production RESET resonate.worker');
	query('postgres', 'ALTER DATABASE restored SET resonate.worker = on');
	make_work('postgres');
	query('restored', 'SELECT resonate.start_worker()');
	ok($node->poll_query_until('restored', $done),
		'where the configuration says off, a database can be switched on');
	is(query('postgres', $contents), $still, 'all others are still');
	is(query('production', $contents), $still, 'also what had a setting of its own');
	return;
}

# What a role has set is for its sessions.
query('postgres', 'ALTER ROLE CURRENT_USER SET resonate.worker = on');
query('postgres', 'SELECT resonate.start_worker()');
query('postgres', 'SELECT pg_sleep(2)');
is(query('postgres', $contents), $still, 'a setting of a role changes nothing');
query('postgres', 'ALTER ROLE CURRENT_USER RESET resonate.worker');
$node->adjust_conf('postgresql.conf', 'resonate.worker', 'on');
$node->reload;
query('postgres', "SELECT resonate.create_promise('call', '1 h')");
ok($node->poll_query_until('postgres', $done),
	'the configuration switches on after a reload');
$node->adjust_conf('postgresql.conf', 'resonate.worker', 'off');
$node->reload;
state_becomes('postgres', 'off', 'and off');
$node->adjust_conf('postgresql.conf', 'resonate.worker', 'on');
$node->reload;

# Who may: superusers, and who was granted it.
query('postgres', 'CREATE ROLE owner LOGIN');
query('postgres', 'CREATE DATABASE owned OWNER owner');
is( error_of($node, 'SET ROLE owner; ALTER DATABASE owned SET resonate.worker = off', 'owned'),
	'42501', 'the owner of a database may not switch its worker off');
query('postgres', 'GRANT SET ON PARAMETER resonate.worker TO owner');
is( error_of($node, 'SET ROLE owner; ALTER DATABASE owned SET resonate.worker = off', 'owned'),
	'', 'unless it was granted');

#
# A subscriber of all tables, as for an upgrade of the server
#

query('postgres', 'CREATE DATABASE blue');
query('blue', 'CREATE EXTENSION resonate');
query('blue', 'CREATE TABLE of_the_application (i integer PRIMARY KEY)');
query('postgres', 'CREATE DATABASE green');
query('postgres', 'ALTER DATABASE green SET resonate.worker = off');
query('green', 'CREATE EXTENSION resonate');
query('green', 'CREATE TABLE of_the_application (i integer PRIMARY KEY)');
query('blue', 'CREATE PUBLICATION p FOR ALL TABLES');
query('blue', "SELECT pg_create_logical_replication_slot('s', 'pgoutput')");
query('blue', <<'END');
SELECT resonate.create_schedule('s', '* * * * * *', 's.{{.timestamp}}', '1 h');
SELECT resonate.create_promise_and_task('task', 'me', '1 s', '1 h',
	tags => '{"resonate:target": "poll://any@g"}');
SELECT resonate.create_promise_and_callback('due', 'cb', 'poll://any@g', '2 s');
END
$offset = -s $node->logfile;

my $connstr = $node->connstr('blue');

$connstr =~ s/'/''/g;
query('green', <<"END");
CREATE SUBSCRIPTION s CONNECTION '$connstr' PUBLICATION p
	WITH (create_slot = false, slot_name = 's', copy_data = false)
END
query('blue', <<'END');
SELECT resonate.create_promise('p ' || i, '1 s') FROM generate_series(1, 20) AS i;
INSERT INTO of_the_application SELECT generate_series(1, 10);
END
ok( $node->poll_query_until(
		'blue', 'SELECT occurrences_fired >= 5 FROM resonate.stats'),
	'the publisher fires a schedule');

my $lsn = query('blue', 'SELECT pg_current_wal_lsn()');

ok( $node->poll_query_until('green', <<"END"), 'the subscriber keeps up');
SELECT latest_end_lsn >= '$lsn' FROM pg_stat_subscription
WHERE subname = 's' AND pid IS NOT NULL
END
is( query('green',
		"SELECT count(*) FROM resonate.promises WHERE id LIKE 'p %' AND state = 'rejected_timedout'"),
	20,
	'with what has timed out');
is(query('green', 'SELECT count(*) FROM of_the_application'),
	10, 'and with the tables of the application');
cmp_ok(query('green', "SELECT count(*) FROM resonate.promises WHERE id LIKE 's.%'"),
	'>=', 5, 'and with what was fired, here and not there');
unlike(log_from($node, $offset),
	qr/logical replication.*ERROR/, 'nothing has collided');

# The switch: the old one off, all of it over, the new one on.
query('postgres', 'ALTER DATABASE blue SET resonate.worker = off');
state_becomes('blue', 'off', 'the publisher is switched off');
$lsn = query('blue', 'SELECT pg_current_wal_lsn()');
$node->poll_query_until('green', <<"END");
SELECT latest_end_lsn >= '$lsn' FROM pg_stat_subscription
WHERE subname = 's' AND pid IS NOT NULL
END

my $rows = "SELECT (SELECT md5(string_agg(p::text, '' ORDER BY id)) FROM resonate.promises p),
	(SELECT md5(string_agg(t::text, '' ORDER BY id)) FROM resonate.tasks t),
	(SELECT md5(string_agg(s::text, '' ORDER BY id)) FROM resonate.schedules s),
	(SELECT count(*) FROM resonate.messages)";

is(query('green', $rows), query('blue', $rows), 'both hold the same');
query('green', 'DROP SUBSCRIPTION s');
query('postgres', 'ALTER DATABASE green RESET resonate.worker');
query('green', 'SELECT resonate.start_worker()');
ok( $node->poll_query_until(
		'green', 'SELECT occurrences_fired >= 2 FROM resonate.stats'),
	'switched on, the subscriber goes on');
invariants_hold($node, $_) foreach ('green', 'still', 'postgres');
is(crashes($node), '', 'no process has crashed');
$node->stop;

#
# Without preloading, where sessions start the worker
#

my $plain = new_cluster('plain', preload => 0, extension => 0);

$plain->safe_psql('postgres', 'ALTER DATABASE postgres SET resonate.worker = off');
$plain->safe_psql('postgres', 'CREATE EXTENSION resonate');
$plain->safe_psql('postgres', "SELECT resonate.create_promise('due $_', '10 ms'), pg_sleep(0.6)")
  foreach (1 .. 4);
is( $plain->safe_psql('postgres', <<'END'),
SELECT count(*) FILTER (WHERE state = 'pending'),
	(SELECT count(*) FROM pg_stat_activity WHERE backend_type = 'resonate worker'),
	(SELECT worker_state FROM resonate.stats)
FROM resonate.promises
END
	'4|0|off',
	'without preloading, sessions start no worker');
$plain->safe_psql('postgres', 'ALTER DATABASE postgres RESET resonate.worker');
$plain->safe_psql('postgres', "SELECT resonate.create_promise('call', '1 h')");
ok( $plain->poll_query_until(
		'postgres',
		"SELECT count(*) = 4 FROM resonate.promises WHERE state = 'rejected_timedout'"),
	'but do so when it is on again');
is(crashes($plain), '', 'no process has crashed there either');
$plain->stop;
done_testing();
