
# The worker is out of the way of whoever needs its database for himself, and
# of DROP EXTENSION.

use strict;
use warnings FATAL => 'all';

use FindBin;
use lib $FindBin::RealBin;

use PostgreSQL::Test::Utils;
use ResonateTest;
use Test::More;
use Time::HiRes qw(time);

my $node = new_cluster('main');

sub new_database
{
	my ($name) = @_;

	$node->safe_psql('postgres', "CREATE DATABASE $name");
	$node->safe_psql($name, 'CREATE EXTENSION resonate');
	wait_for_worker($node, $name);
	return;
}

# Runs a command that waits five seconds for other sessions, no longer.
sub check_command
{
	my ($sql, $name) = @_;
	my $start = time;

	is(error_of($node, $sql), '', $name);
	diag(sprintf('%s: %.1f s', $sql, time - $start));
	return;
}

sub check_deadline
{
	my ($dbname, $id, $name) = @_;

	is( $node->safe_psql(
			$dbname,
			"SELECT status FROM resonate.create_promise('$id', '100 ms')"),
		2010,
		"$name: a promise");
	ok( $node->poll_query_until(
			$dbname, "SELECT state = 'rejected_timedout'
			 FROM resonate.promises WHERE id = '$id'"),
		"$name: the worker times it out");
	return;
}

sub count_of_workers_becomes
{
	my ($count, $name) = @_;

	ok( $node->poll_query_until(
			'postgres', "SELECT count(*) FROM pg_stat_activity
			 WHERE backend_type = 'resonate worker'", $count),
		$name);
	return;
}

#
# Databases
#

new_database('a');
$node->safe_psql('a', "SELECT resonate.create_promise('far', '1 day')");
check_command('CREATE DATABASE b TEMPLATE a',
	'a database is a template while its worker runs');
check_deadline('b', 'copy', 'the copy');
is($node->safe_psql('b', "SELECT state FROM resonate.get_promise('far')"),
	'pending', 'the copy has the promises');
check_deadline('a', 'original', 'the original');
wait_for_worker($node, 'a');
wait_for_worker($node, 'b');

check_command('ALTER DATABASE a RENAME TO c',
	'a database is renamed while its worker runs');
wait_for_worker($node, 'c');
pass('the worker comes back after the rename');
check_deadline('c', 'renamed', 'the renamed');

check_command('DROP DATABASE c',
	'a database is dropped while its worker runs');
check_command('DROP DATABASE b', 'and so is the copy');

# While the worker is busy, too.
new_database('busy');
$node->safe_psql('busy', <<'END');
SELECT count(*) FROM resonate.create_promises((
	SELECT jsonb_agg(jsonb_build_object('id', i::text, 'timeout_at',
		(extract(epoch FROM now()) * 1000)::bigint + 2000 + i / 10))
	FROM generate_series(1, 20000) i))
END
$node->poll_query_until('busy',
	'SELECT promises_timed_out > 0 FROM resonate.stats')
  or die;
check_command('DROP DATABASE busy', 'a database whose worker is busy');

# A name that is used again is another database.
new_database('busy');
check_deadline('busy', '1', 'a new database of the old name');
check_command('DROP DATABASE busy WITH (FORCE)', 'dropped by force');

count_of_workers_becomes(1, 'one worker is left');

# The extension may come just as the worker that looks for it leaves.
for my $n (1 .. 10)
{
	new_database("new$n");
	$node->safe_psql('postgres', "DROP DATABASE new$n");
}
pass('a worker comes whenever the extension does');

#
# Extensions
#

my $session = open_session($node);
my $cached = open_session($node);

wait_for_worker($node);
$session->ask("SELECT resonate.create_promise('one', '1 day')");

# These plans are kept by the session, in the extension and by PREPARE.
for my $sql (
	"SELECT status FROM resonate.create_promise('cached', '1 day')",
	"SELECT status FROM resonate.resolve('cached', '1')",
	"SELECT count(*) FROM resonate.search_promises()",
	"PREPARE p AS SELECT count(*) FROM resonate.promises",
	'EXECUTE p')
{
	$cached->ask($sql);
	is($cached->{error}, '', "before: $sql");
}

is($session->ask('DROP EXTENSION resonate'),
	'', 'the extension is dropped while its worker runs');
is($session->{error}, '', 'without an error');
$cached->ask("SELECT status FROM resonate.create_promise('cached')");
is($cached->{error}, '3F000', 'it is gone for a session with kept plans');
$cached->ask('EXECUTE p');
is($cached->{error}, '42P01', 'and for a prepared statement');

$session->ask('CREATE EXTENSION resonate');
is($session->{error}, '', 'the extension is created again, in that session');
is( $session->ask(
		"SELECT status FROM resonate.create_promise('one', '100 ms')"),
	2010,
	'it starts empty');
ok( $node->poll_query_until(
		'postgres', "SELECT state = 'rejected_timedout'
		 FROM resonate.promises WHERE id = 'one'"),
	'the worker works on');
is( $cached->ask(
		"SELECT status FROM resonate.create_promise('cached', '1 day')"),
	2010,
	'a session with kept plans works on');
is($cached->ask("SELECT status FROM resonate.resolve('cached', '1')"),
	2010, 'with each of them');
is($cached->ask('EXECUTE p'), 2, 'and with its prepared statement');

# In one transaction, while the worker sleeps and while it is awake.
for my $i (1 .. 5)
{
	$session->ask('BEGIN');
	$session->ask('DROP EXTENSION resonate');
	$session->ask('CREATE EXTENSION resonate');
	$session->ask(
		"SELECT resonate.create_promise_and_callback('$i', 'cb', 'poll://any\@g', '100 ms')"
	);
	$session->ask('COMMIT');
	is($session->{error}, '', "round $i: dropped and created again");
	ok( $node->poll_query_until(
			'postgres', "SELECT count(*) = 1 FROM resonate.messages
			 WHERE promise_id = '$i'"),
		"round $i: the worker works on");
}

# Gone for good: the worker leaves when it has a reason to look.
$session->ask('BEGIN');
$session->ask("SELECT resonate.create_promise('dropped', '10 ms')");
$session->ask('DROP EXTENSION resonate');
$session->ask('COMMIT');
is($session->{error}, '', 'dropped in the transaction that has used it');
count_of_workers_becomes(0, 'the worker leaves');
$session->ask('CREATE EXTENSION resonate');
check_deadline('postgres', 'again', 'created again');

# Gone while a step of the worker has begun, and waits for a table.
my $worker_pid = wait_for_worker($node);
$session->ask("SELECT resonate.create_promise('due', '3 s')");
$session->ask('BEGIN');
$session->ask('DROP EXTENSION resonate');
ok( $node->poll_query_until(
		'postgres',
		"SELECT count(*) > 0 FROM pg_locks WHERE pid = $worker_pid AND NOT granted"
	),
	'the worker waits for who drops the extension');
$session->ask('COMMIT');
is($session->{error}, '', 'dropped while the worker waits');
count_of_workers_becomes(0, 'and leaves');
$session->ask('CREATE EXTENSION resonate');
check_deadline('postgres', 'once more', 'created once more');
$session->close;
$cached->close;

#
# The log
#

# Whoever runs into what we provoked is a client; a worker has no errors.
my @errors =
  grep { /resonate (worker|launcher).*(WARNING|ERROR|FATAL|PANIC)/ }
  split /\n/, log_from($node, 0);

is(join("\n", grep { !/terminating background worker/ } @errors),
	'', 'worker and launcher have logged no error');
is(crashes($node), '', 'no process has crashed');
invariants_hold($node);

$node->stop;
done_testing();
