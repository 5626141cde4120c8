
# The launcher and the workers: where they run, what they do, and that they
# come back whatever ends them.

use strict;
use warnings FATAL => 'all';

use FindBin;
use lib $FindBin::RealBin;

use PostgreSQL::Test::Utils;
use ResonateTest;
use Test::More;

my $node = new_cluster('main', extension => 0);

# How many workers of ours run in a database.
sub count_workers
{
	my ($type, $condition) = @_;

	return "SELECT count(*) FROM pg_stat_activity
			WHERE backend_type = 'resonate $type' AND $condition";
}

# A promise that times out by itself a moment later, and is heard of.
sub check_service
{
	my ($listener, $id, $name) = @_;

	is( $listener->ask(
			"SELECT status FROM resonate.create_promise_and_callback(
			 '$id', 'cb', 'notify://done', timeout => '300 ms')"),
		2010,
		"$name: a promise with a callback");
	is( $listener->notification(qr/"$id"/),
		qq({"kind":"unblock","callback":"cb","promise":{"id":"$id","state":"rejected_timedout"}}),
		"$name: it times out and its listener hears of it");
	return;
}

#
# Start
#

ok( $node->poll_query_until(
		'postgres', count_workers('launcher', 'true'), '1'),
	'the launcher runs');
$node->safe_psql('postgres', 'CREATE EXTENSION resonate');

my $pid = wait_for_worker($node);

is( $node->safe_psql('postgres', <<END),
SELECT backend_type, datname FROM pg_stat_activity WHERE pid = $pid
END
	'resonate worker|postgres',
	'CREATE EXTENSION starts the worker, without a restart');

#
# Service
#

my $listener = open_session($node);

$listener->ask('LISTEN done');
check_service($listener, 'by deadline', 'deadline');
$listener->ask(
	"SELECT resonate.create_promise_and_callback('by call', 'cb', 'notify://done', timeout => '1 hour')"
);
$node->safe_psql('postgres', "SELECT resonate.resolve('by call', '42')");
is( $listener->notification(qr/by call/),
	'{"kind":"unblock","callback":"cb","promise":{"id":"by call","state":"resolved"}}',
	'a listener hears of a promise that was resolved');
is($node->safe_psql('postgres', 'SELECT count(*) FROM resonate.messages'),
	0, 'what was delivered is gone');

# A deadline nearer than the one the worker sleeps for wakes it.
$listener->ask("SELECT resonate.create_promise('far', '1 hour')");
check_service($listener, 'nearer', 'a nearer deadline');

ok($node->poll_query_until('postgres', <<'END'), 'the statistics count it');
SELECT sweeps = 2 AND promises_timed_out = 2 AND deliveries = 3 AND
	   notifications_sent = 3 AND delivery_failures = 0 AND
	   rows_set_aside = 0 AND promises_pruned = 0 AND
	   worker_last_activity > worker_started_at AND
	   pending = 1 AND resolved = 1 AND rejected_timedout = 2 AND due = 0
FROM resonate.stats
END

# The server counts the writes: 3 settlements, and 3 callbacks that were delivered.
ok( $node->poll_query_until('postgres',
		<<'END'), 'autovacuum sees what the worker writes');
SELECT (SELECT n_tup_upd FROM pg_stat_user_tables
		WHERE relid = 'resonate.promises'::regclass) = 3 AND
	   (SELECT n_tup_del FROM pg_stat_user_tables
		WHERE relid = 'resonate.callbacks'::regclass) = 3
END

#
# Reload
#

$node->append_conf('postgresql.conf', "resonate.notify_payload = 'record'");
$node->append_conf('postgresql.conf', 'resonate.sweep_batch_size = 3');
$node->reload;
ok( $node->poll_query_until(
		'postgres',
		"SELECT current_setting('resonate.sweep_batch_size') = '3'"),
	'the configuration is reloaded');

# The worker gets its signal when we get ours, and may be slower to see it.
my $heard = '';
my $tries = 0;

until ($heard =~ /"value":/ || $tries++ == 100)
{
	$node->safe_psql('postgres', <<END);
SELECT resonate.create_promise_and_callback('record $tries', 'cb', 'notify://done', timeout => '1 hour');
SELECT resonate.resolve('record $tries', '{"ok": true}');
END
	$heard = $listener->notification(qr/record $tries/);
}
is( $heard,
	qq({"kind":"unblock","callback":"cb","promise":{"id":"record $tries","state":"resolved","value":{"ok": true}}}),
	'notify_payload = record sends the value');

my $sweeps =
  $node->safe_psql('postgres', 'SELECT sweeps FROM resonate.stats');
$node->safe_psql('postgres', <<'END');
SELECT count(*) FROM resonate.create_promises((
	SELECT jsonb_agg(jsonb_build_object('id', 'batch' || i,
		'timeout_at', (extract(epoch FROM now()) * 1000)::bigint + 1000))
	FROM generate_series(1, 9) i))
END
ok( $node->poll_query_until(
		'postgres', "SELECT count(*) = 9 FROM resonate.promises
		 WHERE id LIKE 'batch%' AND state = 'rejected_timedout'"),
	'nine promises time out');
is( $node->safe_psql('postgres', 'SELECT sweeps FROM resonate.stats'),
	$sweeps + 3,
	'sweep_batch_size = 3 makes that three sweeps');

#
# What ends them
#

$pid = wait_for_worker($node);
$node->safe_psql('postgres', "SELECT pg_terminate_backend($pid)");
isnt(wait_for_worker($node, 'postgres', $pid),
	'', 'a worker that was terminated is replaced');
check_service($listener, 'after terminate', 'the new worker');

my $launcher = $node->safe_psql('postgres', <<'END');
SELECT pid FROM pg_stat_activity WHERE backend_type = 'resonate launcher'
END
$node->safe_psql('postgres', "SELECT pg_terminate_backend($launcher)");
ok( $node->poll_query_until(
		'postgres', count_workers('launcher', "pid <> $launcher"), '1'),
	'a launcher that was terminated is replaced');
check_service($listener, 'without launcher', 'the worker goes on');
is($node->safe_psql('postgres', count_workers('worker', 'true')),
	1, 'there is still one worker');

$pid = wait_for_worker($node);
$node->safe_psql('postgres', "SELECT pg_terminate_backend($pid)");
isnt(wait_for_worker($node, 'postgres', $pid),
	'', 'the new launcher replaces the worker of the old one');
check_service($listener, 'after launcher', 'the worker of the new launcher');
$listener->close;

# A process that is killed takes the server down; it comes back by itself.
$node->safe_psql('postgres', <<'END');
SELECT resonate.create_promise_and_callback('killed ' || i, 'cb',
	'notify://done', timeout => '1500 ms')
FROM generate_series(1, 20) i
END
$pid = wait_for_worker($node);

my $offset = -s $node->logfile;

kill('KILL', $pid);
$node->wait_for_log(qr/all server processes terminated; reinitializing/,
	$offset);
$node->poll_query_until('postgres', 'SELECT true')
  or die 'the server did not come back';
wait_for_worker($node, 'postgres', $pid);
pass('a worker that was killed is replaced');
ok( $node->poll_query_until(
		'postgres', "SELECT count(*) = 20 FROM resonate.promises
		 WHERE id LIKE 'killed %' AND state = 'rejected_timedout'"),
	'no promise is lost');
ok( $node->poll_query_until(
		'postgres', 'SELECT count(*) = 0 FROM resonate.messages'),
	'no message stays behind');
$listener = open_session($node);
$listener->ask('LISTEN done');
check_service($listener, 'after kill', 'the worker after a crash');
$listener->close;

#
# Databases
#

is( $node->safe_psql(
		'postgres',
		count_workers('worker', "datname IS DISTINCT FROM 'postgres'")),
	0,
	'databases without the extension have no worker, nor have templates');

$node->safe_psql('template1', 'CREATE EXTENSION resonate');
$node->safe_psql('template1', "SELECT resonate.create_promise('a', '10 ms')");
$node->safe_psql('postgres', 'CREATE DATABASE one');
$node->safe_psql('postgres', 'CREATE DATABASE two TEMPLATE template0');
$node->safe_psql('postgres', 'CREATE DATABASE bare TEMPLATE template0');
$node->safe_psql('two', 'CREATE EXTENSION resonate');

# A copy of a database that has the extension is noticed by its first call; a
# template is no database to work in even if it has the extension.
$node->safe_psql('one', "SELECT resonate.create_promise('b', '100 ms')");
ok( $node->poll_query_until(
		'postgres',
		"SELECT string_agg(datname, ' ' ORDER BY datname COLLATE \"C\")
		 FROM pg_stat_activity WHERE backend_type = 'resonate worker'",
		'one postgres two'),
	'each of three databases has its worker');
for my $database ('one', 'two')
{
	my $session = open_session($node, $database);

	$session->ask('LISTEN done');
	check_service($session, 'in', "database $database");
	$session->close;
}
is( $node->safe_psql(
		'template1', "SELECT state FROM resonate.promises WHERE id = 'a'"),
	'pending',
	'in the template nobody works');
$node->restart;
wait_for_worker($node, $_) foreach ('one', 'postgres', 'two');
is($node->safe_psql('postgres', count_workers('worker', 'true')),
	3, 'after a restart they run again, before any call');
$node->stop;

#
# Too few processes
#

$node->append_conf('postgresql.conf', 'max_worker_processes = 3');
$offset = -s $node->logfile;
$node->start;
$node->wait_for_log(
	qr/there is no process for the resonate worker of database "(one|two|postgres)".*HINT:  Increase max_worker_processes\./s,
	$offset);
pass('the log says that max_worker_processes is too small');

# Calls there work, and do not make the launcher try without end.
for my $i (1 .. 20)
{
	for my $database ('one', 'postgres', 'two')
	{
		$node->safe_psql($database,
			"SELECT resonate.create_promise('few $i', '10 ms')");
	}
}
my $log = log_from($node, $offset);
my $messages = () = $log =~ /there is no process/g;

cmp_ok($messages, '<=', 4, 'it does not say so again and again');
is( $node->safe_psql(
		'one', "SELECT state FROM resonate.get_promise('few 1')"),
	'rejected_timedout',
	'deadlines hold without a worker');
is(crashes($node), '', 'nothing crashed but what was killed');
invariants_hold($node, $_) foreach ('one', 'postgres', 'two');

$node->stop;
done_testing();
