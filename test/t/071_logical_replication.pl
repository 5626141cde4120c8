
# The guards fire for what arrives by logical replication, too: all that a publisher
# sends passes them, and nothing that changes a settled promise does.

use strict;
use warnings FATAL => 'all';

use FindBin;
use lib $FindBin::RealBin;

use ResonateTest;
use Test::More;

my @tables =
  ('promises', 'callbacks', 'messages', 'tasks', 'awaiters', 'schedules');
my $publisher = new_cluster('publisher',
	streaming => 'logical',
	conf => "wal_level = logical\nresonate.retention = -1\n");

my $subscriber = new_cluster('subscriber');

# Its worker would do what the publisher's does, and rows would collide.
wait_for_worker($subscriber);
$subscriber->safe_psql('postgres', <<'END');
LOAD 'resonate';
SET resonate.debug = on;
SELECT resonate.resonate_rpc('{"kind": "debug.start", "data": {}, "head": {"corrId": "0", "version": "2026-04-01"}}');
END

sub rows
{
	my ($node) = @_;

	return join "\n", map {
		"$_:\n"
		  . $node->safe_psql('postgres',
			"SELECT t::text FROM resonate.$_ t ORDER BY t::text COLLATE \"C\"")
	} @tables;
}

sub is_in_step
{
	my ($name) = @_;

	# A deadline or a schedule of the publisher can come in between.
	for (1 .. 20)
	{
		$publisher->wait_for_catchup('sub');
		last if rows($publisher) eq rows($subscriber);
	}
	is(rows($subscriber), rows($publisher), "$name: all rows are the same");
	is( $subscriber->safe_psql(
			'postgres',
			'SELECT sum(apply_error_count + sync_error_count) FROM pg_stat_subscription_stats'
		),
		0,
		"$name: nothing was refused");
	invariants_hold($subscriber);
	return;
}

# Values of every kind of storage: in line, compressed, out of line.
my $values = <<'END';
(VALUES ('small', to_jsonb(1)), ('compressed', to_jsonb(repeat('x', 5000))),
	('compressed away', to_jsonb(repeat('x', 100000))),
	('out of line', (SELECT to_jsonb(string_agg(md5(i::text), '')) FROM generate_series(1, 1000) AS i)))
	AS v (name, value)
END

sub make
{
	my ($prefix) = @_;

	$publisher->safe_psql('postgres', <<"END");
SELECT resonate.create_promise('$prefix ' || name, '10 days', value, tags => jsonb_build_object('t', value #>> '{}')) FROM $values;
SELECT resonate.create_promise_and_callback('$prefix called ' || n, 'c', 'poll://any\@q', '10 days')
FROM generate_series(1, 10) AS n;
SELECT resonate.create_promise_and_task('$prefix task ' || n, 'pid', '1 h', '10 days',
	tags => '{"resonate:target": "poll://any\@g"}') FROM generate_series(1, 5) AS n;
SELECT resonate.suspend_task('$prefix task ' || n, 1, ARRAY['$prefix small', '$prefix called ' || n])
FROM generate_series(1, 4) AS n;
SELECT resonate.create_promise('$prefix due', '100 ms');
END
	return;
}

sub settle
{
	my ($prefix) = @_;

	$publisher->safe_psql('postgres', <<"END");
SELECT resonate.resolve('$prefix ' || name, value) FROM $values;
SELECT count(*) FROM resonate.settle_promises((SELECT jsonb_agg(jsonb_build_object('id', '$prefix called ' || n,
	'state', 'rejected', 'value', n)) FROM generate_series(2, 10) AS n));
SELECT resonate.fulfill_task('$prefix task 5', 1);
SELECT count(*) FROM resonate.dequeue_execute('poll://any\@g');
SELECT count(*) FROM resonate.receive('poll://any\@q', 3);
UPDATE resonate.promises SET state = 'rejected', settled_at = created_at + 1, value_data = '1'
WHERE id = '$prefix called 1';
END
	$publisher->poll_query_until('postgres',
		"SELECT state = 'rejected_timedout' FROM resonate.promises WHERE id = '$prefix due'"
	) or die;
	return;
}

make('before');
settle('before');
make('across');
$publisher->safe_psql('postgres', 'CREATE PUBLICATION pub FOR ALL TABLES');
(my $connstr = $publisher->connstr('postgres')) =~ s/'/''/g;
$subscriber->safe_psql('postgres',
	"CREATE SUBSCRIPTION sub CONNECTION '$connstr' PUBLICATION pub");
$subscriber->wait_for_subscription_sync($publisher, 'sub');
is_in_step('what was there');

settle('across');
make('later');
$publisher->safe_psql('postgres', <<'END');
SELECT resonate.create_schedule('s', '* * * * *', 'occurrence {{.timestamp}}', '1 day');
UPDATE resonate.schedules SET next_run_at = created_at + 1;
END
$publisher->poll_query_until('postgres',
	'SELECT last_run_at IS NOT NULL FROM resonate.schedules')
  or die;
is_in_step('what was settled since');
settle('later');
$publisher->safe_psql('postgres', "SELECT resonate.delete_schedule('s')");
$publisher->safe_psql('postgres', "SELECT resonate.prune('infinity')");
is_in_step('what was pruned');

# Who waits there is told.
my $session = open_session($subscriber);

make('awaited');
$publisher->wait_for_catchup('sub');
$session->send("SELECT state FROM resonate.await_promise('awaited small')");
settle('awaited');
is($session->answer, 'resolved', 'a session that waits at the subscriber');

# What somebody removes at the publisher, with all that hangs on it.
$publisher->safe_psql('postgres',
	"DELETE FROM resonate.promises WHERE id LIKE '% task %'");
is_in_step('what was deleted');
make('truncated');
$publisher->safe_psql('postgres', 'TRUNCATE resonate.promises');
is_in_step('what was truncated');
is( $publisher->safe_psql('postgres', 'SELECT count(*) FROM resonate.tasks'),
	0,
	'truncated: nothing is left');
make('truncated');
settle('truncated');
is_in_step('what was made anew');

#
# What must not pass
#

my $forged = <<'END';
ALTER TABLE resonate.promises DISABLE TRIGGER USER;
UPDATE resonate.promises SET state = 'rejected' WHERE id = 'truncated small';
ALTER TABLE resonate.promises ENABLE ALWAYS TRIGGER resonate_guard,
	ENABLE ALWAYS TRIGGER resonate_guard_follow, ENABLE ALWAYS TRIGGER resonate_guard_truncate;
END

$publisher->safe_psql('postgres', $forged);
ok( $subscriber->poll_query_until('postgres',
		'SELECT apply_error_count > 0 FROM pg_stat_subscription_stats'),
	'what changes a settled promise is refused');
is( $subscriber->safe_psql('postgres',
		"SELECT state FROM resonate.promises WHERE id = 'truncated small'"),
	'resolved',
	'and does not change it');
like(
	log_from($subscriber, 0),
	qr/a promise is written at most twice: at its birth and at its settlement/,
	'for the reason that anybody is told');
$subscriber->safe_psql('postgres', 'DROP SUBSCRIPTION sub');

$session->close;
is(crashes($_), '', 'no process has crashed') foreach ($publisher, $subscriber);
$_->stop foreach ($publisher, $subscriber);
done_testing();
