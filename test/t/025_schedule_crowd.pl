
# Many schedules: those of one instant are fired together, others are not read for
# it, and more than can be fired keep nobody else waiting.  And the rules of time
# zones, which a worker checks at its start.

use strict;
use warnings FATAL => 'all';

use FindBin;
use lib $FindBin::RealBin;

use PostgreSQL::Test::Utils;
use ResonateTest;
use Test::More;

# What is fired here is as old as the schedules, and must not be pruned.
my $node = new_cluster('main', conf => "resonate.retention = -1\n");
my $session = open_session($node);
my $listener = open_session($node);

wait_for_worker($node);
$listener->ask('LISTEN done');
$session->ask('SET resonate.debug = on');

sub now_ms
{
	return $node->safe_psql('postgres',
		'SELECT floor(extract(epoch FROM clock_timestamp()) * 1000)');
}

# Creates schedules "NAME 1" to "NAME N" as of an instant.
sub create
{
	my ($name, $n, $cron, $at_ms) = @_;

	$session->ask(sprintf "SET resonate.test_clock = '%s'", $at_ms // '');
	is( $session->ask(
			"SELECT count(*) FROM generate_series(1, $n) i,
			 resonate.create_schedule('$name ' || i, '$cron')"),
		$n,
		"$n times $cron");
	$session->ask("SET resonate.test_clock = ''");
	return;
}

# How many entries of the indexes on schedules were read, by anybody.
sub entries_read
{
	my $n = 0;

	$n += index_use($node, $_, 'idx_tup_read')
	  foreach ('schedules_due_idx', 'schedules_pkey');
	return $n + $node->safe_psql(
		'postgres', "SELECT seq_tup_read FROM pg_stat_user_tables
		 WHERE relid = 'resonate.schedules'::regclass");
}

#
# One among many that sleep
#

create('asleep', 50_000, '0 0 1 1 *');
$node->safe_psql('postgres', 'VACUUM ANALYZE resonate.schedules');
is( $session->ask("SELECT status FROM resonate.create_schedule('each second', '* * * * * *')"),
	2010,
	'beside these, one that fires each second');

my $fired = q(SELECT fired >= %d FROM resonate.get_schedule('each second'));

ok($node->poll_query_until('postgres', sprintf $fired, 1), 'it fires');

my $read = entries_read();
my $before = $session->ask(q(SELECT fired FROM resonate.get_schedule('each second')));

ok($node->poll_query_until('postgres', sprintf $fired, $before + 3),
	'and again');

# What was asked here reads one entry each time, as much as a firing or two.
my $after = $session->ask(q(SELECT fired FROM resonate.get_schedule('each second')));

$read = entries_read() - $read;
cmp_ok($read, '<', 5_000,
	'not all the others are read, but ' . $read . ' entries for ' . ($after - $before) . ' firings');
$session->ask(q(SELECT resonate.delete_schedule('each second')));

#
# All at one instant
#

# Whether each had its own transaction, or they went together.
my $xids = 'SELECT xmin::text::bigint AS xid FROM resonate.promises WHERE id LIKE \'%s %%\'';

$session->ask('BEGIN');
create('together', 300, '0 0 1 1 *', 1000);
$session->ask(
	"UPDATE resonate.schedules SET catch_up = 'last' WHERE id LIKE 'together %'");
$session->ask('COMMIT');
ok( $node->poll_query_until(
		'postgres', "SELECT count(*) = 300 FROM resonate.promises WHERE id LIKE 'together %'"),
	'300 that are due are fired');
cmp_ok(
	$node->safe_psql('postgres',
		'SELECT count(DISTINCT xid) FROM (' . sprintf($xids, 'together') . ') p'),
	'<=',
	3,
	'in transactions of a hundred or more');

# A caller does the same.
$session->ask(q(BEGIN; SET LOCAL resonate.test_clock = '1000'));
$session->ask("SELECT count(*) FROM generate_series(1, 300) i,
	resonate.create_schedule('called ' || i, '0 0 1 1 *', catch_up => 'last')");
$session->ask(q(SET LOCAL resonate.test_clock = ''));
is($session->ask('SELECT resonate.process_timeouts() >= 300'),
	't', 'process_timeouts fires as many at once');
$session->ask('COMMIT');
is( $node->safe_psql('postgres',
		q(SELECT count(*) FROM resonate.promises WHERE id LIKE 'called %')),
	300,
	'each of them');

#
# More than can be fired
#

# Before it begins, somebody has created what is due then, and not committed it.
my $holder = open_session($node);

$holder->ask('BEGIN');
is( $holder->ask("SELECT status FROM resonate.create_promise('late', '1 ms')"),
	2010,
	'a deadline that is not committed');
$session->ask(
	"SELECT resonate.create_promise_and_callback('behind', 'cb', 'notify://done', '100 ms')");
isnt($listener->notification(qr/"behind"/),
	undef, 'the worker has gone on behind it');

# Ten thousand times ten minutes of seconds take minutes.
$session->ask('BEGIN');
create('too many', 10_000, '* * * * * *', now_ms() - 600_000);
$session->ask('COMMIT');
ok( $node->poll_query_until(
		'postgres', "SELECT count(*) > 1000 FROM resonate.promises WHERE id LIKE 'too many %'"),
	'too many schedules are being fired');

for my $i (1 .. 5)
{
	$session->ask(<<"END");
SELECT resonate.create_promise_and_callback('due $i', 'cb', 'notify://done', '1 ms');
SELECT resonate.create_promise('task $i', '1 hour', tags => '{"resonate:target": "notify://done"}');
END
	isnt($listener->notification(qr/"due $i"/),
		undef, "deadline $i is kept meanwhile");
	isnt($listener->notification(qr/"task $i"/), undef, "task $i is offered");
}

# Between the birth of such a promise and its end, how many transactions of the
# worker have fired schedules.  The birth is what the callback of another one shows.
my $waited = $node->safe_psql('postgres', <<'END');
WITH fired AS (SELECT DISTINCT xmin::text::bigint AS xid FROM resonate.promises WHERE id LIKE 'too many %'),
served AS (
	SELECT t.id, p.xmin::text::bigint AS born, d.xmin::text::bigint AS settled
	FROM resonate.promises d
	JOIN resonate.promises p ON p.id = replace(d.id, 'due', 'task')
	JOIN resonate.tasks t ON t.id = p.id
	WHERE d.id LIKE 'due %')
SELECT max(n) FROM (
	SELECT count(f.xid) AS n FROM served s LEFT JOIN fired f ON f.xid BETWEEN s.born AND s.settled
	GROUP BY s.id) w
END
cmp_ok($waited, '<=', 3, 'deadlines wait for few steps of schedules');
is( $node->safe_psql(
		'postgres',
		q(SELECT count(*) > 0 FROM resonate.schedules WHERE id LIKE 'too many %' AND next_run_at < extract(epoch FROM now()) * 1000)
	),
	't',
	'and these were not through by then');

# What becomes due now is not behind all of these.
$session->ask(
	"SELECT resonate.create_schedule('in time', '* * * * * *', timeout => '1 day')");
ok( $node->poll_query_until(
		'postgres',
		"SELECT fired > 0 FROM resonate.get_schedule('in time')"),
	'another schedule is fired beside them');
is( $node->safe_psql(
		'postgres',
		q(SELECT count(*) > 0 FROM resonate.schedules WHERE id LIKE 'too many %' AND next_run_at < extract(epoch FROM now()) * 1000)
	),
	't',
	'before they are through');

# Nor does anything wait for the end of all this.
$holder->ask('COMMIT');
$holder->close;
ok( $node->poll_query_until(
		'postgres',
		"SELECT state <> 'pending' FROM resonate.promises WHERE id = 'late'"),
	'the deadline is kept once it is committed');
is( $node->safe_psql(
		'postgres',
		q(SELECT count(*) > 0 FROM resonate.schedules WHERE id LIKE 'too many %' AND next_run_at < extract(epoch FROM now()) * 1000)
	),
	't',
	'before they are through, too');
$node->safe_psql('postgres', 'DELETE FROM resonate.schedules');

#
# Rules of a time zone that have changed while the server was down
#

my $worker = worker_pid($node);

$session->ask(<<'END');
SELECT count(*) FROM unnest(ARRAY['early', 'late', 'same']) id,
	resonate.create_schedule(id, '0 12 1 1 *', time_zone => 'Europe/Berlin');
SELECT resonate.create_schedule('gone', '0 12 1 1 *', time_zone => 'Europe/Paris');
CREATE TABLE right_times AS SELECT id, next_run_at FROM resonate.schedules;
UPDATE resonate.schedules SET next_run_at = next_run_at + CASE id WHEN 'early' THEN -3600000 ELSE 3600000 END
WHERE id IN ('early', 'late');
UPDATE resonate.schedules SET time_zone = 'Nowhere/City' WHERE id = 'gone';
END
$node->safe_psql('postgres', "SELECT pg_terminate_backend($worker)");
wait_for_worker($node, 'postgres', $worker);
ok( $node->poll_query_until(
		'postgres',
		'SELECT count(*) = 4 FROM resonate.schedules JOIN right_times USING (id, next_run_at)'),
	'a new worker follows the rules that it knows, long before it is time');

invariants_hold($node);
is(crashes($node), '', 'no process has crashed');
$listener->close;
$session->close;
$node->stop;
done_testing();
