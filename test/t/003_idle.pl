
# With nothing due, neither ten real seconds nor an hour of the virtual clock
# write WAL or consume a transaction id.

use strict;
use warnings FATAL => 'all';

use FindBin;
use lib $FindBin::RealBin;

use PostgreSQL::Test::Utils;
use ResonateTest;
use Test::More;
use Time::HiRes qw(usleep);

# wal_level = minimal (as init sets it) keeps the background writer from logging
# snapshots for standbys.
my $node = new_cluster('main', conf => <<'END');
checkpoint_timeout = '1h'
synchronous_commit = on
END

# What any write changes.
sub traces
{
	return $node->safe_psql('postgres',
		'SELECT pg_current_wal_insert_lsn(), pg_snapshot_xmax(pg_current_snapshot())'
	);
}

# Until reads no longer prune pages or set hint bits, and nobody else writes.
sub settle
{
	$node->safe_psql('postgres',
		'SELECT * FROM resonate.stats; VACUUM; VACUUM; CHECKPOINT;');

	my $until = time + $PostgreSQL::Test::Utils::timeout_default;
	my $before = '';
	my $now = traces();

	while ($before ne $now && time < $until)
	{
		$before = $now;
		usleep(1_500_000);
		$now = traces();
	}
	return $now;
}

wait_for_worker($node);
$node->safe_psql('postgres', <<'END');
SELECT count(*) FROM generate_series(1, 100) i,
	LATERAL resonate.create_promise_and_callback('far ' || i, 'cb',
		'notify://done', timeout => '10 days');
SELECT resonate.create_promise('never', timeout_at => 'infinity');
SELECT resonate.create_promise('internal', '1 ms',
	tags => '{"resonate:external": "false"}');
SELECT resonate.create_promise_and_callback('polled', 'cb', 'poll://any@group', '1 h');
SELECT resonate.resolve('polled');
SELECT resonate.create_promise_and_callback('soon', 'cb', 'notify://done', '10 ms');
END
ok( $node->poll_query_until('postgres',
		<<'END'), 'there is nothing left to do');
SELECT (SELECT count(*) = 1 FROM resonate.messages) AND
	   (SELECT state = 'rejected_timedout' FROM resonate.promises
		WHERE id = 'soon')
END

#
# Real time
#

my $before = settle();
my $active = $node->safe_psql('postgres',
	'SELECT worker_last_activity FROM resonate.stats');

usleep(10_000_000);
is(traces(), $before,
	'ten idle seconds write no WAL and consume no transaction id');
is( $node->safe_psql(
		'postgres', 'SELECT worker_last_activity FROM resonate.stats'),
	$active,
	'the worker did nothing');
isnt(worker_pid($node), '', 'the worker was there');

#
# Virtual time
#

my $session = open_session($node);

$session->ask('SET resonate.debug = on');
is($session->ask('SELECT step FROM resonate.worker_step()'),
	'dispatch', 'the first step of a session tells of the message that waits');
is($session->ask('SELECT step FROM resonate.worker_step()'),
	'idle', 'another one finds nothing to do');

$before = settle();
my @steps =
  map {
	$session->ask(
		"SELECT step || processed
		 FROM resonate.worker_step(now() + '$_ minutes')")
  } 0 .. 60;
is_deeply(
	\@steps,
	[ map { 'idle0' } 0 .. 60 ],
	'an hour of the virtual clock, a step a minute, is idle');
is(traces(), $before, 'it writes no WAL and consumes no transaction id');

# The test clock moves reads as well: those of a pending promise write nothing.
$session->ask(
	"SELECT set_config('resonate.test_clock',
	((extract(epoch FROM now()) + 3600) * 1000)::bigint::text, false)");
is($session->ask("SELECT state FROM resonate.get_promise('far 1')"),
	'pending', 'an hour later a promise is still pending');
is( $session->ask(
		'SELECT step, processed, next_due_at > now() FROM resonate.worker_step()'
	),
	'idle|0|t',
	'a step at the test clock is idle');
is(traces(), $before, 'and so are reads');

# The measure itself works: at its deadline a promise does leave traces.
is( $session->ask(
		"SELECT step, processed FROM resonate.worker_step(now() + '11 days')"
	),
	'timeout|100',
	'at the deadline a step has something to do');
isnt(traces(), $before, 'and leaves traces');
$session->close;

# Until a time that is later than any of this.
invariants_hold($node, 'postgres', 4_000_000_000_000);
$node->stop;
done_testing();
