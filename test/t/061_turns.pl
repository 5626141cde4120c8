
# More databases than processes: they take turns, so that each does its work, and the
# log says once which are without a worker.

use strict;
use warnings FATAL => 'all';

use FindBin;
use lib $FindBin::RealBin;

use PostgreSQL::Test::Utils;
use ResonateTest;
use Test::More;

# Two for workers: one is the launcher's, and one that of logical replication.
my $node = new_cluster(
	'main',
	extension => 0,
	conf => "max_worker_processes = 4\nlog_min_messages = log\n");
my @databases = map { "db$_" } 1 .. 5;

sub query
{
	my ($database, $sql) = @_;

	return $node->safe_psql($database, $sql);
}

foreach my $database (@databases)
{
	query('postgres', "CREATE DATABASE $database");
	query($database, 'CREATE EXTENSION resonate');
}

#
# All of them have a turn
#

my %listeners;

foreach my $database (@databases)
{
	$listeners{$database} = open_session($node, $database);
	$listeners{$database}->ask('LISTEN done');
}

sub check_all
{
	my ($name) = @_;

	query($_,
		"SELECT resonate.create_promise_and_callback('$name', 'cb', 'notify://done', '500 ms')")
	  foreach @databases;
	like($listeners{$_}->notification(qr/"$name"/),
		qr/"rejected_timedout"/, "$name: $_ keeps its deadline, and tells of it")
	  foreach @databases;
	return;
}

check_all("round $_") foreach (1 .. 3);

my $launcher = query('postgres',
	"SELECT pid FROM pg_stat_activity WHERE backend_type = 'resonate launcher'");
my $states = join '|', map { query($_, 'SELECT worker_state FROM resonate.stats') } @databases;

like($states, qr/waiting|resting/, "statistics say which have no worker ($states)");
unlike($states, qr/off|none/, 'and why');
cmp_ok(
	query('postgres',
		"SELECT count(*) FROM pg_stat_activity WHERE backend_type = 'resonate worker'"),
	'<=', 2, 'there are no more workers than processes');

# What was counted in one turn is not forgotten in the next.
cmp_ok(query($_, 'SELECT promises_timed_out FROM resonate.stats'),
	'==', 3, "$_ has counted") foreach @databases;

#
# While two have work without end
#

# The turns that a database has had, since each worker is a process of its own.
query('postgres', 'CREATE TABLE busy (i integer)');
foreach my $database (@databases[ 0, 1 ])
{
	query($database,
		"SELECT count(resonate.create_schedule('s ' || i, '* * * * * *', 's.' || i || '.{{.timestamp}}', '1 s')) FROM generate_series(1, 20) AS i");
}

my %before = map { $_ => query($_, 'SELECT occurrences_fired FROM resonate.stats') } @databases;

foreach my $round (1 .. 4)
{
	my $id = "beside busy ones $round";

	foreach my $database (@databases[ 2 .. 4 ])
	{
		query($database,
			"SELECT resonate.create_promise_and_callback('$id', 'cb', 'notify://done', '100 ms')");
		like($listeners{$database}->notification(qr/"$id"/),
			qr/"rejected_timedout"/, "$id: $database");
	}
}
foreach my $database (@databases[ 0, 1 ])
{
	ok( $node->poll_query_until(
			$database,
			"SELECT occurrences_fired > $before{$database} FROM resonate.stats"),
		"$database fires meanwhile");
	query($database, "SELECT resonate.delete_schedule('s ' || i) FROM generate_series(1, 20) AS i");
}

#
# All kinds of work that a database can get while it has none
#

# Waits until a database is without one, for which others have to need theirs.
sub without_worker
{
	my ($database) = @_;
	my $tries = 0;

	while (worker_pid($node, $database) ne '' && $tries++ < 1000)
	{
		query($_, "SELECT resonate.create_promise('other ' || clock_timestamp(), '10 ms')")
		  foreach grep { $_ ne $database } @databases;
	}
	return worker_pid($node, $database) eq '';
}

ok(without_worker('db5'), 'a database without a worker');
query('db5', "SELECT resonate.create_promise('to settle', '1 h')");
query('db5', "SELECT resonate.create_callback('to settle', 'cb', 'notify://done')");
query('db5', "SELECT resonate.resolve('to settle')");
like($listeners{db5}->notification(qr/"to settle"/),
	qr/"resolved"/, 'hears of a settlement');
ok(without_worker('db5'), 'without one again');
query('db5', "SELECT resonate.create_promise('task', '1 h', tags => '{\"resonate:target\": \"notify://done\"}')");
like($listeners{db5}->notification(qr/"task"/),
	qr/"execute"/, 'is told of a task');
ok(without_worker('db5'), 'and again');
query('db5', <<'END');
BEGIN;
SELECT resonate.create_promise_and_callback('prepared', 'cb', 'notify://done', '100 ms');
PREPARE TRANSACTION 'p'
END
query('db5', 'SELECT pg_sleep(1)');
query('db5', "COMMIT PREPARED 'p'");
like($listeners{db5}->notification(qr/"prepared"/),
	qr/"rejected_timedout"/, 'sees what was prepared');

#
# What the log says
#

my $log = log_from($node, 0);

foreach my $database (@databases)
{
	my $n = () = $log =~ /there is no process for the resonate worker of database "$database"/g;

	cmp_ok($n, '<=', 1, "the log names $database once at the most");
}
like( $log,
	qr/there is no process for the resonate worker of database "db\d".*\n.*DETAIL:  Databases take turns\.  Without a worker at this moment: .*"db\d"/,
	'and says which are without');
unlike($log, qr/no process for .* "postgres"/,
	'but names none that does not have the extension');

#
# After a restart, and without a launcher
#

$_->close foreach values %listeners;
query($_, "SELECT resonate.create_promise('over', '100 ms')") foreach @databases;
$node->restart;
foreach my $database (@databases)
{
	ok( $node->poll_query_until(
			$database,
			"SELECT state = 'rejected_timedout' FROM resonate.promises WHERE id = 'over'"),
		"after a restart, $database has a turn");
	query($database, "SELECT resonate.create_promise('next', '2 s')");
}
query('postgres', "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE backend_type = 'resonate launcher'");
ok( $node->poll_query_until(
		$_, "SELECT state = 'rejected_timedout' FROM resonate.promises WHERE id = 'next'"),
	"a new launcher goes on with $_")
  foreach @databases;

#
# With room for all, nobody makes room
#

$node->stop;
$node->adjust_conf('postgresql.conf', 'max_worker_processes', '16');
$node->start;

my @pids = map { wait_for_worker($node, $_) } @databases;

query($_, "SELECT resonate.create_promise('room', '100 ms')") foreach @databases;
query('postgres', 'SELECT pg_sleep(4)');
is_deeply([ map { worker_pid($node, $_) } @databases ],
	\@pids, 'with room for all, each keeps its worker');
invariants_hold($node, $_) foreach @databases;
is(crashes($node), '', 'no process has crashed');
$node->stop;
done_testing();
