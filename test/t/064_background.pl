
# What keeps the background in order, and would not be missed at once: that a worker
# which cannot live is not started all the time, that no database takes the slot of
# another, that a reload takes effect, and that no plan depends on the time of day.

use strict;
use warnings FATAL => 'all';

use FindBin;
use lib $FindBin::RealBin;

use PostgreSQL::Test::Utils;
use ResonateTest;
use Test::More;
use Time::HiRes qw(usleep);

my $test_dir = $FindBin::RealBin;
my $node = new_cluster('main', conf => <<'END');
resonate.retention = -1
resonate.undelivered_retention = -1
resonate.delivered_retention = -1
END
my $session = open_session($node);
my $worker = wait_for_worker($node);

sub query
{
	my ($sql, $database) = @_;

	return $node->safe_psql($database // 'postgres', $sql);
}

sub becomes
{
	my ($condition, $name) = @_;

	ok($node->poll_query_until('postgres', "SELECT $condition"), $name);
	return;
}

#
# A reload
#

query(<<'END');
SET resonate.debug = on;
SET resonate.test_clock = '1000';
SELECT resonate.create_promise('old', '1 h');
SELECT resonate.resolve('old');
END
query(<<'END');
SELECT resonate.create_promise_and_callback('untaken', 'cb', 'poll://any@g', '1 h');
SELECT resonate.resolve('untaken');
END

# What the worker does on its own account is over, and next in a minute.
query('SELECT pg_sleep(4)');
is( query("SELECT (SELECT count(*) FROM resonate.promises WHERE id = 'old'), (SELECT count(*) FROM resonate.messages)"),
	'1|1', 'nothing is deleted without a retention');

my $began = time;

$node->append_conf('postgresql.conf', "resonate.retention = '1 d'");
$node->reload;
becomes("NOT EXISTS (SELECT FROM resonate.promises WHERE id = 'old')",
	'a shorter retention takes effect');
$node->append_conf('postgresql.conf', "resonate.undelivered_retention = '1 s'");
$node->reload;
becomes('NOT EXISTS (SELECT FROM resonate.messages)', 'that of messages, too');
cmp_ok(time - $began, '<', 40, 'on reload, and not with the look of each minute');
is(worker_pid($node), $worker, 'by the worker that was there');

#
# A worker that cannot live
#

# Ends each that comes as soon as it is seen.
my $offset = -s $node->logfile;

$session->ask(<<'END');
DO $$
DECLARE until timestamptz := clock_timestamp() + '13 s';
BEGIN
	WHILE clock_timestamp() < until LOOP
		PERFORM pg_terminate_backend(pid) FROM pg_stat_get_activity(NULL)
			JOIN pg_stat_get_backend_idset() ON true
		WHERE backend_type = 'resonate worker' LIMIT 1;
		PERFORM pg_stat_clear_snapshot(), pg_sleep(0.01);
	END LOOP;
END$$
END
is($session->{error}, '', 'somebody ends each worker');

my $log = log_from($node, $offset);
my $ended = () =
  $log =~ /terminating background worker "resonate worker" due to/g;

cmp_ok($ended, '>=', 2, "it is started again ($ended times)");
cmp_ok($ended, '<=', 6, 'but later each time');
isnt(wait_for_worker($node, 'postgres', $worker), '', 'and in the end it lives');

#
# A worker that is ended while others have work
#

$session->ask('LISTEN done');
$session->ask("SELECT resonate.create_promise_and_callback('after', 'cb', 'notify://done', '100 ms')");
isnt($session->notification(qr/"after"/), undef, 'and works');
$session->close;
is(crashes($node), '', 'no process has crashed');
invariants_hold($node);
$node->stop;

#
# Slots: three of them, and five databases
#

my $other = new_cluster('other', preload => 0, extension => 0,
	conf => 'max_worker_processes = 3');

foreach my $database ('x', 'a', 'b', 'c', 'd')
{
	$other->safe_psql('postgres', "CREATE DATABASE $database");
}

# Slots are taken from the last to the first, so that who looks for one finds that of
# a worker before one that is free.
$other->safe_psql('postgres', 'ALTER DATABASE x SET resonate.worker = off');
$other->safe_psql('x', 'CREATE EXTENSION resonate');
$other->safe_psql('x', "SELECT resonate.create_promise('a', '1 h')");
foreach my $database ('a', 'b')
{
	$other->safe_psql($database, 'CREATE EXTENSION resonate');
	$other->safe_psql($database, "SELECT resonate.create_promise('a', '1 h')");
}

my %pids = map { $_ => wait_for_worker($other, $_) } ('a', 'b');

foreach my $database ('c', 'd', 'c', 'd')
{
	$other->safe_psql($database, 'CREATE EXTENSION IF NOT EXISTS resonate');
	$other->safe_psql($database, "SELECT resonate.create_promise('a', '1 h')");
	$other->safe_psql($database, "SELECT resonate.resolve('a')");
}
foreach my $database ('a', 'b')
{
	is(worker_pid($other, $database),
		$pids{$database}, "$database keeps its worker and its slot");

	my $client = open_session($other, $database);

	$client->ask('LISTEN done');
	$client->ask("SELECT resonate.create_promise_and_callback('due', 'cb', 'notify://done', '100 ms')");
	isnt($client->notification(qr/"due"/),
		undef, "$database is served as before");
	$client->close;
}
is( $other->safe_psql('postgres',
		"SELECT count(*) FROM pg_stat_activity WHERE backend_type = 'resonate worker'"),
	2,
	'there is one worker for each');
is(crashes($other), '', 'no process has crashed');
$other->stop;

#
# The time of day, which is set back by eight hours
#

my $shim = $node->basedir . '/shift_clock.so';
my $shift = $node->basedir . '/shift';

sub set_shift
{
	my ($seconds) = @_;

	open my $file, '>', "$shift.new" or die $!;
	print $file $seconds;
	close $file;
	rename "$shift.new", $shift or die $!;
	return;
}

SKIP:
{
	skip 'there is no compiler to make the clock with', 1
	  unless system("cc -shared -fPIC -o $shim $test_dir/shift_clock.c -ldl") == 0;

	set_shift(8 * 3600);
	{
		local $ENV{LD_PRELOAD} = $shim;
		local $ENV{RSN_CLOCK_SHIFT} = $shift;

		$node->start;
	}
	cmp_ok(query('SELECT extract(epoch FROM now())::bigint'),
		'>', time + 7 * 3600, 'the clock of the server is ahead');
	$worker = wait_for_worker($node);
	query('CREATE DATABASE early');
	query('CREATE EXTENSION resonate', 'early');

	# It leaves to whoever needs the database, and then the clock is set back.
	my $early = wait_for_worker($node, 'early');

	query('CREATE DATABASE copy TEMPLATE early');
	is(worker_pid($node, 'early'), '', 'a worker has just made room');
	set_shift(0);
	$began = time;
	isnt(wait_for_worker($node, 'early', $early), '', 'it comes back');
	cmp_ok(time - $began, '<', 30, 'as soon as if nobody had set the clock');

	# So does one that fails, and one that sleeps keeps deadlines.
	query("SELECT resonate.create_promise('soon', '1 s')");
	becomes("(SELECT state = 'rejected_timedout' FROM resonate.promises WHERE id = 'soon')",
		'the worker that was there keeps a deadline');
	is(worker_pid($node), $worker, 'since it has seen the clock');
	is(crashes($node), '', 'no process has crashed');
	$node->stop;
}

done_testing();
