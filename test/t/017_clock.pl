
# The clock of the server jumps ahead by eight hours and comes back, while the worker
# runs and while it does not: nothing that was taken meanwhile stays hidden, and
# the worker does not sleep until the clock has caught up.

use strict;
use warnings FATAL => 'all';

use FindBin;
use lib $FindBin::RealBin;

use ResonateTest;
use Test::More;

use constant {
	START => 4_000_000_000_000,
	JUMP => 8 * 3_600_000,
	RETRY => 5_000
};

my $node = new_cluster('main', conf => <<'END');
resonate.debug = on
resonate.retention = -1
resonate.test_clock = '4000000000000'
END

# Sets the clock of all sessions, and of the worker.
sub set_clock
{
	my ($after_ms) = @_;
	my $at = START + $after_ms;

	$node->adjust_conf('postgresql.conf', 'resonate.test_clock', "'$at'");
	$node->reload;
	ok( $node->poll_query_until(
			'postgres', "SELECT current_setting('resonate.test_clock') = '$at'"),
		"the clock shows $after_ms");
}

# The clock of a task, counted from the start.
sub clock_is
{
	my ($id, $at, $name) = @_;

	ok( $node->poll_query_until(
			'postgres',
			"SELECT clock_at - @{[START]} = $at FROM resonate.tasks WHERE id = '$id'"
		),
		$name);
}

# When a schedule that runs each minute runs next, counted from the start.
sub next_run_is
{
	my ($at, $name) = @_;

	ok( $node->poll_query_until(
			'postgres',
			"SELECT next_run_at - @{[START]} = $at FROM resonate.schedules WHERE id = 'minutely'"
		),
		$name);
}

sub state_is
{
	my ($id, $state, $name) = @_;

	ok( $node->poll_query_until(
			'postgres',
			"SELECT state = '$state' FROM resonate.promises WHERE id = '$id'"),
		$name);
}

sub query
{
	return $node->safe_psql('postgres', shift);
}

sub take_all
{
	my ($suffix) = @_;

	is(query("SELECT task_id FROM resonate.dequeue_execute('poll://any\@g')"),
		"offered $suffix", 'a task is dequeued');
	is( query("SELECT status FROM resonate.create_promise_and_task('held $suffix',
			'me', '1 min', '10 d', tags => '{\"resonate:target\": \"poll://any\@h\"}')"),
		'2010',
		'another one is leased');
	is( query("SELECT promise_id FROM resonate.receive('poll://any\@r')"),
		"told $suffix", 'a message is received');
}

sub make_all
{
	my ($suffix) = @_;

	query(<<"END");
SELECT resonate.create_promise('offered $suffix', '10 d',
	tags => '{"resonate:target": "poll://any\@g"}');
SELECT resonate.create_promise_and_callback('told $suffix', 'c', 'poll://any\@r');
SELECT resonate.resolve('told $suffix');
SELECT resonate.create_promise('due $suffix', '1 h');
END
}

sub message_is_visible
{
	my ($suffix) = @_;

	ok( $node->poll_query_until(
			'postgres',
			"SELECT promise_id = 'told $suffix' FROM resonate.receive('poll://any\@r')"
		),
		'and the message can be received');
	query("SELECT resonate.acknowledge('told $suffix', 'c')");
}

# While the worker runs.
wait_for_worker($node);
make_all('1');
query(
	"SELECT resonate.create_schedule('minutely', '* * * * *', catch_up => 'last')"
);
next_run_is(20_000, 'a schedule');
set_clock(JUMP);
state_is('due 1', 'rejected_timedout', 'the worker has seen that clock');
next_run_is(JUMP + 20_000, 'and fired the schedule');
take_all('1');
set_clock(1000);
clock_is('offered 1', 1000, 'back again, the task is due');
clock_is('held 1', 61_000, 'the lease is a full one');
is(query("SELECT task_id FROM resonate.dequeue_execute('poll://any\@g')"),
	'offered 1', 'the task can be dequeued');
message_is_visible('1');
next_run_is(20_000, 'the schedule is to run when it would have');
state_is('due 1', 'rejected_timedout', 'what has settled is final');

# It plans anew, and is not asleep for eight hours.
query("SELECT resonate.create_promise('next', '10 s')");
set_clock(20_000);
state_is('next', 'rejected_timedout', 'the next deadline is kept');
next_run_is(80_000, 'and the schedule runs');
is( query(
		"SELECT string_agg((split_part(id, '.', 2)::bigint - @{[START]})::text, ' ' ORDER BY id)
		 FROM resonate.promises WHERE id LIKE 'minutely.%'"),
	'20000 ' . (JUMP - 40_000),
	'twice, one of them early');

# While it does not.
query('DELETE FROM resonate.promises');
make_all('2');
set_clock(JUMP);
state_is('due 2', 'rejected_timedout', 'the worker has seen that clock');
next_run_is(JUMP + 20_000, 'and fired the schedule');
take_all('2');
$node->stop;
$node->adjust_conf('postgresql.conf', 'resonate.test_clock',
	"'@{[START + 30_000]}'");
$node->start;
wait_for_worker($node);
clock_is('offered 2', 30_000, 'after a restart, the task is due');
clock_is('held 2', 90_000, 'the lease is a full one');
message_is_visible('2');
next_run_is(80_000, 'the schedule is to run when it would have');
$node->stop;

done_testing();
