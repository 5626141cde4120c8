
# A call that fails at any of its writes, before or after it, or in the commit,
# leaves nothing half done; and so does one whose session ends there.

use strict;
use warnings FATAL => 'all';

use FindBin;
use lib $FindBin::RealBin;

use PostgreSQL::Test::Utils;
use ResonateTest;
use Test::More;

use constant START => 4_102_444_800_000;

# Everything that is stored.
my $state_query = join ' UNION ALL ',
  map { "SELECT '$_ ' || to_jsonb(t)::text FROM resonate.$_ AS t" }
  qw(promises tasks callbacks messages awaiters schedules);

# An external promise that a task, a callback and a listener wait for; tasks that
# are held; two deadlines, a lease and a schedule that are due; a message; history.
my $setup = <<'END';
SELECT resonate.create_promise('old', '1 s'), resonate.resolve('old');
SELECT resonate.create_promise('a', '1 day', tags => '{"resonate:external": "true"}');
SELECT resonate.create_callback('a', 'cb', 'poll://any@g');
SELECT resonate.create_callback('a', 'cb 2', 'notify://done');
SELECT resonate.create_promise_and_task('waits', 'w', '1 day', '1 day',
	tags => '{"resonate:target": "poll://any@g"}');
SELECT resonate.suspend_task('waits', 1, '{a}');
SELECT resonate.create_promise_and_task('held', 'w', '1 day', '1 day',
	tags => '{"resonate:target": "poll://any@g"}');
SELECT resonate.create_promise_and_task('lapses', 'w', '1 s', '1 day',
	tags => '{"resonate:target": "poll://any@g"}');
SELECT resonate.create_promise('offered', '1 day', tags => '{"resonate:target": "notify://work"}');
SELECT resonate.create_promise_and_callback('due', 'cb', 'poll://any@g', '1 s',
	tags => '{"resonate:target": "poll://any@g"}');
SELECT resonate.create_promise_and_callback('told', 'cb', 'poll://any@g', '1 day',
	tags => '{"resonate:external": "true"}'), resonate.resolve('told');
SELECT resonate.create_schedule('s', '*/20 * * * * *', tags => '{"resonate:target": "poll://any@g"}');
END

# What fails.  The number is how many writes there are at least.
my @calls = (
	[ 2, q[resonate.create_promise('new', tags => '{"resonate:target": "x"}')] ],
	[ 2, q[resonate.create_promise_and_callback('new', 'cb', 'poll://any@g',
		tags => '{"resonate:external": "true"}')] ],
	[ 2, q[resonate.create_promise_and_task('new', 'w', '1 s',
		tags => '{"resonate:target": "x"}')] ],
	[ 3, q[resonate.create_promises('[{"id": "x"}, {"id": "y"}, {"id": "z"}]')] ],
	[ 4, q[resonate.resolve('a', '1')] ],
	[ 5, q[resonate.settle_promises(
		'[{"id": "a", "state": "rejected"}, {"id": "due", "state": "resolved"}]')] ],
	[ 1, q[resonate.acquire_task('due', 0, 'w', '1 s')] ],
	[ 1, q[resonate.release_task('held', 1)] ],
	[ 2, q[resonate.suspend_task('held', 1, '{a}')] ],
	[ 2, q[resonate.fulfill_task('held', 1)] ],
	[ 2, q[resonate.fence_task('held', 1, 'create',
		'{"id": "new", "tags": {"resonate:target": "x"}}')] ],
	[ 4, q[resonate.fence_task('held', 1, 'settle', '{"id": "a", "state": "resolved"}')] ],
	[ 2, q[resonate.heartbeat_tasks('w')], 1 ],
	[ 1, q[resonate.halt_task('waits')] ],
	[ 1, q[resonate.receive('poll://any@g')] ],
	[ 1, q[resonate.acknowledge('told', 'cb')] ],
	[ 1, q[resonate.delete_schedule('s')] ],
	[ 1, q[resonate.prune('2199-01-01')] ],
	[ 6, q[resonate.process_timeouts()], 60_000 ],
	[ 2, q[resonate.worker_step()], 60_000 ],
	[ 2, q[resonate.get_promise('due')], 60_000 ]);

my $node = new_cluster('main', preload => 0);

sub new_session
{
	my $session = open_session($node);

	$session->ask("SET client_min_messages = error; LOAD 'resonate';
		SET resonate.debug = on");
	return $session;
}

my $session = new_session();

# Without assertions there is no such parameter.
$session->ask("SET resonate.fault_point = ''");
if ($session->{error})
{
	is($session->{error}, '42602', 'there are no fault points in this build');
	done_testing();
	exit;
}

foreach my $bad ('error', 'error before', 'error before 0', 'warn after 1',
	'error during 1', 'error after 1 x')
{
	$session->ask("SET resonate.fault_point = '$bad'");
	is($session->{error}, '22023', "refused: $bad");
}
is( $node->safe_psql('postgres',
		"LOAD 'resonate'; SELECT count(*) FROM pg_settings WHERE name = 'resonate.fault_point'"
	),
	'0',
	'the parameter is in no list');

sub state_now
{
	my $state = join "\n", sort split /\n/, $session->ask($state_query);

	die $session->{error} if $session->{error};
	return $state;
}

sub begin
{
	$session->ask("TRUNCATE resonate.promises, resonate.tasks, resonate.callbacks,
		resonate.messages, resonate.awaiters, resonate.schedules");
	$session->ask("SET resonate.test_clock = '" . START . "'");
	$session->ask($setup);
	die $session->{error} if $session->{error};
	return state_now();
}

# Makes a call in a transaction of its own and answers with what error.
sub call_with
{
	my ($fault, $call, $later) = @_;
	my $now = START + ($later // 0);
	my $error;

	$session->ask("BEGIN; SET resonate.test_clock = '$now';
		SET resonate.fault_point = '$fault'; SELECT * FROM $call; COMMIT");
	$error = $session->{error};
	return $error if $fault =~ /^exit/;
	$session->ask("ROLLBACK; SET resonate.fault_point = ''");
	return $error;
}

foreach my $case (@calls)
{
	my ($least, $call, $later) = @$case;
	my $name = $call =~ s/\s+/ /gr;

	foreach my $place (qw(before after))
	{
		my $before = begin();
		my @faults;
		my $n = 1;

		while (call_with("error $place $n", $call, $later) eq '53100')
		{
			push @faults, $n unless state_now() eq $before;
			$n++;
		}
		is("@faults", '', "nothing is half done: $place each write of $name");
		cmp_ok($n - 1, '>=', $least, "and there are $least writes or more");
		isnt(state_now(), $before, 'without a fault it is done');
	}

	my $before = begin();
	is(call_with('error commit 1', $call, $later),
		'53100', "the commit of $name fails");
	is(state_now(), $before, 'and nothing is done');
}

# The end of the session.  That of the server is for test/dst.
foreach my $fault ('exit before 1', 'exit after 2', 'exit commit 1')
{
	my $before = begin();
	my $pid = $session->pid;

	is(call_with($fault, q[resonate.resolve('a', '1')]),
		'53100', "$fault: the call fails");
	ok( $node->poll_query_until(
			'postgres',
			"SELECT NOT EXISTS (SELECT FROM pg_stat_activity WHERE pid = $pid)"),
		"$fault: the session is gone");
	$session->close;
	$session = new_session();
	is(state_now(), $before, "$fault: nothing is done");
}

invariants_hold($node, 'postgres', START);
$session->close;
$node->stop;
done_testing();
