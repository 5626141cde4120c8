
# What others have locked keeps nothing waiting but itself: neither what is due
# behind it, nor what is due elsewhere, and nothing is set aside or reported for it.

use strict;
use warnings FATAL => 'all';

use FindBin;
use lib $FindBin::RealBin;

use PostgreSQL::Test::Utils;
use ResonateTest;
use Test::More;

# Long enough for the waits of the worker for what is locked to have grown.
use constant HELD_S => 3;

my $node = new_cluster('main', conf => "resonate.retention = -1\n");
my $session = open_session($node);
my $holder = open_session($node);
my $offset;

wait_for_worker($node);
note_lateness($node);

# Makes n promises, one due every 20 ms from a moment on.
sub create_staggered
{
	my ($name, $n) = @_;

	$session->ask(<<"END");
SELECT count(*) FROM generate_series(1, $n) AS i,
	resonate.create_promise('$name ' || i, interval '300 ms' + interval '20 ms' * i)
END
	is($session->{error}, '', "$name: created");
	return;
}

sub median_lateness
{
	my ($name) = @_;

	return $session->ask(<<"END");
SELECT round(percentile_cont(0.5) WITHIN GROUP (ORDER BY late_ms))
FROM settled WHERE id LIKE '$name %'
END
}

# These are kept in time, whatever is held.  A worker that looks at what is behind
# a locked one only when its wait for that is over is half a second late.
sub check_in_time
{
	my ($name, $n) = @_;

	create_staggered($name, $n);
	ok( $node->poll_query_until(
			'postgres',
			"SELECT count(*) = $n FROM settled WHERE id LIKE '$name %'"),
		"$name: all $n time out");
	cmp_ok(median_lateness($name), '<', 250, "$name: in time");
	return;
}

sub settles
{
	my ($id, $name) = @_;

	ok( $node->poll_query_until(
			'postgres',
			"SELECT state <> 'pending' FROM resonate.promises WHERE id = '$id'"),
		$name);
	return;
}

sub is_pending
{
	my ($id, $name) = @_;

	is($session->ask("SELECT state FROM resonate.promises WHERE id = '$id'"),
		'pending', $name);
	return;
}

sub resumes
{
	my ($id, $n, $name) = @_;

	ok( $node->poll_query_until(
			'postgres',
			"SELECT resumes = $n FROM resonate.tasks WHERE id = '$id'"),
		$name);
	return;
}

# Has a task await a promise; returns the status.
sub register
{
	my ($awaited, $awaiter) = @_;

	return $session->ask(<<"END");
SELECT resonate.resonate_rpc('{"kind": "promise.register_callback",
	"head": {"corrId": "", "version": "2026-04-01"},
	"data": {"awaited": "$awaited", "awaiter": "$awaiter"}}') #>> '{head,status}'
END
}

#
# Promises
#

$offset = -s $node->logfile;
my $stopped = stop_worker($node);

$session->ask("SELECT resonate.create_promise('locked ' || i, '2 s') FROM generate_series(1, 5000) AS i");
$holder->ask('BEGIN');
$holder->ask("SELECT count(*) FROM (SELECT FROM resonate.promises
	WHERE id LIKE 'locked %' FOR UPDATE) AS l");
kill 'CONT', $stopped;
is($holder->{error}, '', 'somebody holds 5000 promises that become due');
$session->ask('SELECT pg_sleep(' . HELD_S . ')');
is_pending('locked 1', 'one of them');
check_in_time('behind many', 50);
$holder->ask('COMMIT');
ok( $node->poll_query_until(
		'postgres',
		"SELECT count(*) = 5000 FROM settled WHERE id LIKE 'locked %'"),
	'all of them time out once they can');

#
# Tasks that await what is due
#

$session->ask(<<'END');
SELECT status FROM resonate.create_promise_and_task('awaiter', 'w', '1 h', '1 h',
	tags => '{"resonate:target": "poll://any@g"}')
END
$session->ask("SELECT resonate.create_promise('awaited', '2 s')");
is(register('awaited', 'awaiter'), 200, 'a task awaits a promise');
$holder->ask('BEGIN');
$holder->ask("SELECT FROM resonate.tasks WHERE id = 'awaiter' FOR UPDATE");
$session->ask('SELECT pg_sleep(' . HELD_S . ')');
settles('awaited', 'a promise times out whose awaiter is locked');
resumes('awaiter', 0, 'which is not resumed');
check_in_time('behind an awaiter', 50);
$session->ask("SELECT resonate.create_promise('awaited too', '1 h')");
is(register('awaited too', 'awaiter'), 200, 'another one that it awaits');
is($session->ask("SELECT status FROM resonate.resolve('awaited too')"),
	2010, 'who settles that does not wait for the task');
$holder->ask('COMMIT');
resumes('awaiter', 2, 'the awaiter is resumed by both once it can be');

#
# Tasks that await what is settled already, as a restore can leave it
#

$node->append_conf('postgresql.conf', 'resonate.sweep_batch_size = 2');
$node->reload;
foreach my $i (1, 2)
{
	$session->ask(<<"END");
SELECT status FROM resonate.create_promise_and_task('left $i', 'w', '1 h', '1 h',
	tags => '{"resonate:target": "poll://any\@g"}')
END
}
foreach my $i (1 .. 6)
{
	my $awaiter = $i < 6 ? 'left 1' : 'left 2';

	$session->ask("SELECT resonate.create_promise('settled $i', '1 h')");
	is(register("settled $i", $awaiter),
		200, "settled $i is awaited by $awaiter");
}
$holder->ask('BEGIN');
$holder->ask("SELECT FROM resonate.tasks WHERE id = 'left 1' FOR UPDATE");
$session->ask(<<'END');
UPDATE resonate.promises SET state = 'resolved', settled_at = created_at
WHERE id LIKE 'settled %'
END
is($session->{error}, '', 'somebody settles six promises himself');

# Nobody is told of that, but a new worker looks.
my $worker = worker_pid($node);

$node->safe_psql('postgres', "SELECT pg_terminate_backend($worker)");
$worker = wait_for_worker($node, 'postgres', $worker);
$offset = -s $node->logfile;

resumes('left 2', 1, 'a task is resumed, though another one is locked');
resumes('left 1', 0, 'which is not');
$holder->ask('COMMIT');
resumes('left 1', 5, 'until it can be');
$node->append_conf('postgresql.conf', 'resonate.sweep_batch_size = 1000');
$node->reload;

#
# A task that is locked when the worker is told of it, and left as it is
#

# Two that it finds together, without looking for deadlines.
my $listener = open_session($node);

$listener->ask('LISTEN offered');
$worker = stop_worker($node);
foreach my $id ('offered while locked', 'offered at once')
{
	$session->ask(<<"END");
SELECT resonate.create_promise('$id', '1 h', tags => '{"resonate:target": "notify://offered"}')
END
}
$holder->ask('BEGIN');
$holder->ask("SELECT FROM resonate.tasks WHERE id = 'offered while locked' FOR UPDATE");
kill 'CONT', $worker;
isnt($listener->notification(qr/"offered at once"/),
	undef, 'the worker has come to two tasks');
$holder->ask('ROLLBACK');

my $began = time;

isnt($listener->notification(qr/"offered while locked"/),
	undef, 'the one that was locked is offered, too');
cmp_ok(time - $began, '<', 30, 'before the minute after which it looks anyway');
$listener->close;

#
# Leases
#

sub lease_ends
{
	my ($id, $name) = @_;

	ok( $node->poll_query_until(
			'postgres',
			"SELECT state = 'pending' FROM resonate.tasks WHERE id = '$id'"),
		$name);
	return;
}

sub lease
{
	my ($id, $ttl) = @_;

	$session->ask(<<"END");
SELECT status FROM resonate.create_promise_and_task('$id', 'w', '$ttl', '1 h',
	tags => '{"resonate:target": "poll://any\@g"}')
END
	return;
}

lease('leased', '1 s');
$holder->ask('BEGIN');
$holder->ask("SELECT FROM resonate.tasks WHERE id = 'leased' FOR UPDATE");
$session->ask('SELECT pg_sleep(' . HELD_S . ')');
lease('leased too', '100 ms');
lease_ends('leased too', 'a lease ends behind one that is locked');
check_in_time('behind a lease', 50);
$holder->ask('COMMIT');
lease_ends('leased', 'that one ends once it can');

#
# Ids of occurrences, which can be foreseen
#

$session->ask("SELECT resonate.create_schedule('s', '* * * * * *', 'occurrence of s', '1 h')");
$session->ask("SELECT resonate.delete_schedule('s')");
$session->ask("SELECT count(*) FROM generate_series(1, 5) AS i,
	resonate.create_schedule('other ' || i, '* * * * * *', 'occurrence of ' || i || ' {{.timestamp}}', '1 h')");
ok( $node->poll_query_until(
		'postgres', 'SELECT occurrences_fired > 4 FROM resonate.stats'),
	'schedules fire');
$session->ask("DELETE FROM resonate.promises WHERE id = 'occurrence of s'");
$holder->ask('BEGIN');
is( $holder->ask(
		"SELECT status FROM resonate.create_promise('occurrence of s', '1 h')"),
	2010,
	'somebody creates the id of an occurrence');
$session->ask("SELECT resonate.create_schedule('s', '* * * * * *', 'occurrence of s', '1 h')");
$session->ask('SELECT pg_sleep(' . HELD_S . ')');
is( $session->ask("SELECT last_run_at IS NULL FROM resonate.schedules WHERE id = 's'"),
	't', 'its schedule does not fire');

my $fired = $session->ask('SELECT occurrences_fired FROM resonate.stats');

ok( $node->poll_query_until(
		'postgres',
		"SELECT count(*) = 5 FROM resonate.schedules
		 WHERE id LIKE 'other %' AND next_run_at > extract(epoch FROM now()) * 1000"),
	'all others do');
check_in_time('beside an occurrence', 50);
$holder->ask('COMMIT');
ok( $node->poll_query_until(
		'postgres',
		"SELECT last_run_at IS NOT NULL FROM resonate.schedules WHERE id = 's'"),
	'it fires once it can');
$session->ask('SELECT resonate.delete_schedule(id) FROM resonate.schedules');

#
# Tables
#

sub check_table
{
	my ($table) = @_;

	$session->ask("SELECT resonate.create_promise_and_callback('during $table',
		'cb', 'notify://done', '1 s')");
	$holder->ask('BEGIN');
	$holder->ask("LOCK TABLE resonate.$table IN ACCESS EXCLUSIVE MODE");
	$holder->ask('SELECT pg_sleep(' . HELD_S . ')');
	$holder->ask('COMMIT');
	settles("during $table",
		"a promise times out after somebody has locked $table");
	return;
}

check_table($_) foreach ('promises', 'callbacks', 'awaiters', 'schedules');
is( $session->ask('SELECT rows_set_aside FROM resonate.stats'),
	0, 'nothing is set aside');
unlike(
	log_from($node, $offset),
	qr/resonate (worker|launcher)\s+(WARNING|ERROR|FATAL)/,
	'and nothing is reported');

# The worker leaves a database that is dropped meanwhile.
$holder->close;
$node->safe_psql('postgres', 'CREATE DATABASE dropped');
$node->safe_psql('dropped', 'CREATE EXTENSION resonate');
wait_for_worker($node, 'dropped');
$node->safe_psql('dropped', <<'END');
SELECT resonate.create_promise('due ' || i, '100 ms') FROM generate_series(1, 10) AS i;
END
$holder = open_session($node, 'dropped');
$holder->ask('BEGIN');
$holder->ask('LOCK TABLE resonate.promises IN ACCESS EXCLUSIVE MODE');
$session->ask('SELECT pg_sleep(1)');
$session->send('DROP DATABASE dropped');
$session->{run}->pump_nb;
$holder->close;
$session->answer;
is($session->{error}, '',
	'a database is dropped whose worker has met a locked table');
$session->close;

is(crashes($node), '', 'no process has crashed');
invariants_hold($node);
$node->stop;
done_testing();
