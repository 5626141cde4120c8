
# A hot standby reads, waits and does no work; once promoted, it does.

use strict;
use warnings FATAL => 'all';

use FindBin;
use lib $FindBin::RealBin;

use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use ResonateTest;
use Test::More;

my $primary = new_cluster(
	'primary',
	streaming => 1,
	conf => "max_connections = 20\nshared_buffers = 8MB");
my $standby = PostgreSQL::Test::Cluster->new('standby');

$primary->backup('base');
$standby->init_from_backup($primary, 'base', has_streaming => 1);
$standby->start;
wait_for_worker($primary);

sub replay
{
	$primary->wait_for_catchup($standby);
	return;
}

#
# Reads
#

$primary->safe_psql('postgres', <<'END');
SELECT resonate.create_promise('pending', '1 day', tags => '{"a": "b"}');
SELECT resonate.create_promise('settled', '1 day');
SELECT resonate.resolve('settled', '{"x": 1}');
SELECT resonate.create_promise_and_callback('waits', 'cb', 'notify://done', '1 day');
END
replay();
is( $standby->safe_psql(
		'postgres',
		"SELECT status, state, value FROM resonate.get_promise('settled')"),
	'2000|resolved|{"x": 1}',
	'a promise is read on the standby');
is( $standby->safe_psql(
		'postgres', "SELECT status FROM resonate.get_promise('missing')"),
	4040,
	'so is one that is missing');
is( $standby->safe_psql(
		'postgres',
		"SELECT id FROM resonate.search_promises(tags => '{\"a\": \"b\"}')"),
	'pending',
	'search works');
is( $standby->safe_psql(
		'postgres',
		'SELECT pending, resolved, worker_pid FROM resonate.stats'),
	'2|1|',
	'so does the statistics view; it shows no worker');

# What is past its deadline shows as settled, though nobody can store it.
is( $standby->safe_psql('postgres', <<'END'),
SET resonate.debug = on;
SELECT set_config('resonate.test_clock',
	((extract(epoch FROM now()) + 2 * 86400) * 1000)::bigint::text, false) \g /dev/null
SELECT state FROM resonate.get_promise('pending');
SELECT id, state FROM resonate.search_promises(state => 'rejected') ORDER BY id;
SELECT count(*) FROM resonate.search_promises(state => 'pending');
SELECT status, state FROM resonate.await_promise('pending');
END
	"rejected_timedout\npending|rejected_timedout\nwaits|rejected_timedout\n0\n2000|rejected_timedout",
	'a promise past its deadline shows as settled');
invariants_hold($standby);

#
# Writes
#

my %writes = (
	create_promise => "resonate.create_promise('x')",
	resolve => "resonate.resolve('pending')",
	create_callback =>
	  "resonate.create_callback('pending', 'cb', 'poll://any\@g')",
	create_promises => "resonate.create_promises('[{\"id\": \"x\"}]')",
	receive => "resonate.receive('poll://any\@g')",
	acknowledge => "resonate.acknowledge('waits', 'cb')",
	prune => 'resonate.prune(now())',
	worker_step => 'resonate.worker_step()');

is(error_of($standby, "SELECT $writes{$_}"),
	'25006', "$_ is refused as any write is on a standby")
  foreach sort keys %writes;

#
# Waiting
#

for my $kind ('function', 'procedure')
{
	my $session = open_session($standby);
	my $pid = $session->pid;

	$primary->safe_psql('postgres',
		"SELECT resonate.create_promise('$kind', '1 day')");
	replay();
	$session->send(
		$kind eq 'function'
		? "SELECT status, state, value FROM resonate.await_promise('$kind')"
		: "CALL resonate.await_promise('$kind', NULL, NULL, NULL, NULL)");
	$standby->poll_query_until('postgres',
		"SELECT wait_event_type = 'Extension' FROM pg_stat_activity WHERE pid = $pid"
	) or die;
	$primary->safe_psql('postgres', "SELECT resonate.resolve('$kind', '1')");
	is($session->answer, '2000|resolved|1',
		"the $kind on the standby sees the settlement");
	$session->close;
}

#
# No work
#

is( $standby->safe_psql('postgres', <<'END'),
SELECT count(*) FROM pg_stat_activity WHERE backend_type LIKE 'resonate%'
END
	0, 'neither launcher nor worker runs on the standby');

#
# Promotion
#

# Work that the primary leaves behind, because its worker is stopped.
$primary->safe_psql('postgres', <<'END');
SELECT resonate.create_promise_and_callback('overdue', 'cb', 'notify://done', '1 h');
SELECT resonate.create_promise_and_callback('polled', 'cb', 'poll://any@group', '1 h');
END

my $worker = stop_worker($primary);

$primary->safe_psql('postgres', <<'END');
SELECT resonate.create_promise_and_callback('due ' || i, 'cb', 'notify://done', '500 ms')
FROM generate_series(1, 10) i;
SELECT resonate.resolve('overdue', '"just in time"');
SELECT resonate.reject('polled');
END
replay();
$primary->kill9;
kill('KILL', $worker);
is( $standby->safe_psql(
		'postgres',
		"SELECT (SELECT count(*) FROM resonate.messages m
				JOIN resonate.promises p ON p.id = m.promise_id WHERE p.state <> 'pending'),
			(SELECT count(*) FROM resonate.callbacks c
				JOIN resonate.promises p ON p.id = c.promise_id WHERE p.state <> 'pending')"
	),
	'1|1',
	'a message, and a callback handed to the worker, are on their way on the standby');

$standby->promote;
$standby->poll_query_until('postgres', 'SELECT NOT pg_is_in_recovery()')
  or die;

my $listener = open_session($standby);

$listener->ask('LISTEN done');
wait_for_worker($standby);
pass('the worker starts at the promotion');
ok( $standby->poll_query_until(
		'postgres', "SELECT count(*) = 10 FROM resonate.promises
		 WHERE id LIKE 'due %' AND state = 'rejected_timedout'"),
	'what was due meanwhile is settled');
ok( $standby->poll_query_until(
		'postgres', "SELECT count(*) = 0 FROM resonate.messages
		 WHERE address LIKE 'notify:%'"),
	'what was to be notified of is notified of');
is( $standby->safe_psql(
		'postgres',
		"SELECT promise_id, state FROM resonate.receive('poll://any\@group')"
	),
	'polled|rejected',
	'what was to be received is received');
$standby->safe_psql('postgres', "SELECT resonate.resolve('waits', '1')");
like($listener->notification(qr/"waits"/),
	qr/"resolved"/, 'a listener hears of a promise of the old primary');
$listener->ask(
	"SELECT resonate.create_promise_and_callback('new', 'cb', 'notify://done', '200 ms')"
);
like($listener->notification(qr/"new"/),
	qr/"rejected_timedout"/, 'and of a deadline');
$listener->close;

invariants_hold($standby);
$standby->stop;
done_testing();
