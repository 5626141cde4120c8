
# Without shared_preload_libraries: no launcher, a worker on demand.

use strict;
use warnings FATAL => 'all';

use FindBin;
use lib $FindBin::RealBin;

use PostgreSQL::Test::Utils;
use ResonateTest;
use Test::More;

my $node = new_cluster('main', preload => 0, extension => 0);
my $workers = "SELECT count(*) FROM pg_stat_activity
	WHERE backend_type LIKE 'resonate%'";

is($node->safe_psql('postgres', 'SHOW shared_preload_libraries'),
	'', 'nothing is preloaded');

# Before the library is loaded its parameters are only names; what somebody who
# may not set them has put there must not count afterwards.
$node->safe_psql('postgres', 'CREATE EXTENSION resonate');

my $client = become($node, 'client');

$client->ask('SET resonate.debug = on');
$client->ask("SET resonate.test_clock = '1'");
is( $client->ask(
		"SELECT status FROM resonate.create_promise('clock', '1 day')"),
	2010,
	'a client that has set parameters before the library was loaded');
is($client->ask('SHOW resonate.debug'), 'off', 'has not set resonate.debug');
is( $client->ask(
		"SELECT created_at > now() - interval '1 hour'
		 FROM resonate.get_promise('clock')"),
	't',
	'nor the clock');
$client->close;

#
# On demand
#

my $listener = open_session($node);

$listener->ask('LISTEN done');
$listener->ask(
	"SELECT resonate.create_promise_and_callback('first', 'cb', 'notify://done', '300 ms')"
);
wait_for_worker($node);
pass('the first call that leaves work behind starts the worker');
is($node->safe_psql('postgres', $workers), 1, 'there is no launcher');
like($listener->notification(qr/"first"/),
	qr/"rejected_timedout"/, 'a deadline fires while it runs');
$listener->ask(
	"SELECT resonate.create_promise_and_callback('second', 'cb', 'notify://done', '1 day')"
);
$node->safe_psql('postgres', "SELECT resonate.resolve('second')");
like($listener->notification(qr/"second"/),
	qr/"resolved"/, 'a callback fires');

for my $kind ('function', 'procedure')
{
	my $waiter = open_session($node);
	my $pid = $waiter->pid;

	$node->safe_psql('postgres',
		"SELECT resonate.create_promise('$kind', '1 day')");
	$waiter->send(
		$kind eq 'function'
		? "SELECT status, state, value FROM resonate.await_promise('$kind')"
		: "CALL resonate.await_promise('$kind', NULL, NULL, NULL, NULL)");
	$node->poll_query_until('postgres',
		"SELECT wait_event_type = 'Extension' FROM pg_stat_activity WHERE pid = $pid"
	) or die;
	$node->safe_psql('postgres', "SELECT resonate.resolve('$kind', '1')");
	is($waiter->answer, '2000|resolved|1', "the $kind is woken");
	$waiter->close;
}

my $pid = wait_for_worker($node);

$node->safe_psql('postgres', "SELECT pg_terminate_backend($pid)");
ok( $node->poll_query_until('postgres', $workers, '0'),
	'a worker that was terminated does not come back by itself');

# Attempts to start one are a second apart at least, so more than one call may
# be needed.
ok( $node->poll_query_until(
		'postgres',
		"SELECT resonate.create_promise('call ' || clock_timestamp(), '1 day')
		 \\g /dev/null\nSELECT worker_pid <> $pid FROM resonate.stats"),
	'it does at the next call');
$listener->close;

#
# Restart
#

wait_for_worker($node);
$node->safe_psql('postgres', <<'END');
SELECT resonate.create_promise_and_callback('lazy', 'cb', 'notify://done', '1 s');
SELECT resonate.create_promise_and_callback('lazy too', 'cb', 'poll://any@g', '1 s');
END
$node->stop('immediate');
$node->start;
is($node->safe_psql('postgres', $workers),
	0, 'after a restart there is no worker before the first call');
$node->safe_psql('postgres', 'SELECT pg_sleep(1)');
is( $node->safe_psql(
		'postgres', "SELECT state FROM resonate.get_promise('lazy too')"),
	'rejected_timedout',
	'deadlines are kept lazily');
ok( $node->poll_query_until(
		'postgres', "SELECT count(*) = 1 FROM resonate.messages
		 WHERE promise_id = 'lazy too'"),
	'and fire callbacks when they are');
$listener = open_session($node);
$listener->ask('LISTEN done');
wait_for_worker($node);
pass('a settlement that leaves work behind starts the worker');
ok( $node->poll_query_until(
		'postgres', "SELECT state = 'rejected_timedout'
		 FROM resonate.promises WHERE id = 'lazy'"),
	'it catches up with the deadlines');
ok( $node->poll_query_until(
		'postgres', "SELECT count(*) = 0 FROM resonate.messages
		 WHERE promise_id = 'lazy'"),
	'and with the messages');
$listener->ask(
	"SELECT resonate.create_promise_and_callback('after', 'cb', 'notify://done', '200 ms')"
);
like($listener->notification(qr/"after"/),
	qr/"rejected_timedout"/, 'and serves new promises');
$listener->close;

#
# Out of the way
#

$node->safe_psql('postgres', 'CREATE DATABASE other');
$node->safe_psql('other', 'CREATE EXTENSION resonate');
$node->safe_psql('other', "SELECT resonate.create_promise('a', '1 day')");
wait_for_worker($node, 'other');
is(error_of($node, 'DROP DATABASE other'),
	'', 'a database is dropped while its worker runs');
is($node->safe_psql('postgres', $workers), 1, 'its worker is gone');
is(error_of($node, 'DROP EXTENSION resonate'),
	'', 'the extension is dropped while its worker runs');
is( error_of(
		$node, 'SET client_min_messages = warning; CREATE EXTENSION resonate'),
	'',
	'and created again');
$node->safe_psql('postgres',
	"SELECT resonate.create_promise('new', '100 ms')");
ok( $node->poll_query_until(
		'postgres', "SELECT state = 'rejected_timedout'
		 FROM resonate.promises WHERE id = 'new'"),
	'and works');

# No process can be had: everything but the worker works.
$node->append_conf('postgresql.conf', 'max_worker_processes = 0');
$node->restart;

my $offset = -s $node->logfile;

$node->safe_psql('postgres',
	"SELECT resonate.create_promise('alone', '10 ms')");
is( $node->safe_psql(
		'postgres',
		"SELECT status, state FROM resonate.await_promise('alone')"),
	'2000|rejected_timedout',
	'without any worker a deadline is still kept');
like(
	log_from($node, $offset),
	qr/could not start the resonate worker.*Increase max_worker_processes/s,
	'and the log says why there is none');

invariants_hold($node);
$node->stop;
done_testing();
