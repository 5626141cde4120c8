
# What others write to the tables, while workers and waiting sessions look: a
# settlement by UPDATE is told to all of them at its commit, and so is a removal.

use strict;
use warnings FATAL => 'all';

use FindBin;
use lib $FindBin::RealBin;

use ResonateTest;
use Test::More;

my $node = new_cluster('main');
my $writer = open_session($node);
my $listener = open_session($node);

wait_for_worker($node);
$listener->ask('LISTEN told; LISTEN offered');

# Starts to wait for a promise, and returns when the session sleeps.
sub start_wait
{
	my ($kind, $id) = @_;
	my $session = open_session($node);
	my $pid = $session->pid;

	$session->send(
		$kind eq 'function'
		? "SELECT status, state, value FROM resonate.await_promise('$id')"
		: "CALL resonate.await_promise('$id', NULL, NULL, NULL, NULL)");
	$node->poll_query_until('postgres', <<END) or die;
SELECT wait_event_type = 'Extension' FROM pg_stat_activity
WHERE pid = $pid AND state = 'active'
END
	return $session;
}

# A promise with a task, and one that is suspended until it settles.
sub create
{
	my ($id) = @_;

	$writer->ask(<<END);
SELECT resonate.create_promise_and_task('$id', 'pid', '1 day', '1 day', tags => '{"resonate:target": "notify://offered"}');
SELECT resonate.create_promise_and_task('after $id', 'pid', '1 day', '1 day',
	tags => '{"resonate:target": "notify://offered"}');
SELECT resonate.suspend_task('after $id', 1, '{$id}');
SELECT resonate.create_callback('$id', 'c', 'notify://told');
SELECT resonate.create_callback('$id', 'q', 'poll://any\@queue');
END
	is($writer->{error}, '', "promise $id");
	return;
}

sub tasks
{
	return $writer->ask(
		"SELECT string_agg(id || ' ' || state, ', ' ORDER BY id) FROM resonate.tasks"
	);
}

#
# Settled
#

for my $role ('origin', 'replica')
{
	my $id = "settled $role";

	create($id);
	my @waiting = map { start_wait($_, $id) } ('function', 'procedure');

	$writer->ask("BEGIN; SET LOCAL session_replication_role = $role");
	$writer->ask(<<END);
UPDATE resonate.promises SET state = 'rejected', value_data = '7', task_version = 1, settled_at = created_at + 1
WHERE id = '$id'
END
	is($writer->{error}, '', "$id: by UPDATE");
	ok(!(grep { $_->is_done } @waiting), "$id: before the commit");
	$writer->ask('COMMIT');
	is($_->answer, '2000|rejected|7', "$id: a waiting session is told")
	  foreach @waiting;
	like($listener->notification(qr/"$id"/),
		qr/"rejected"/, "$id: a listener is told");
	like($listener->notification(qr/"after $id"/),
		qr/"execute"/, "$id: the task that awaits it is offered");
	is( $writer->ask(
			"SELECT promise_id, value FROM resonate.receive('poll://any\@queue')"
		),
		"$id|7",
		"$id: a queue has the message");
	is(tasks(), "after $id pending", "$id: its own task is done");
	$_->close foreach @waiting;
	invariants_hold($node);
	$writer->ask('DELETE FROM resonate.promises');
}

#
# Removed
#

for my $how ('delete', 'truncate')
{
	my $id = "removed $how";
	my $statement =
		$how eq 'delete'
	  ? "DELETE FROM resonate.promises WHERE id = '$id'"
	  : 'TRUNCATE resonate.promises';

	create($id);

	# In a function one would hold the lock of a reader, and TRUNCATE wait for it.
	my @waiting = map { start_wait($_, $id) }
	  $how eq 'delete' ? ('function', 'procedure') : ('procedure');

	$writer->ask($statement);
	is($writer->{error}, '', $statement);
	like($_->answer, qr/^4040\|/, "$id: a waiting session is told")
	  foreach @waiting;
	$_->close foreach @waiting;
	next if $how eq 'truncate';

	like($listener->notification(qr/"after $id"/),
		qr/"execute"/, "$id: the task that awaits it is offered");
	is(tasks(), "after $id pending", "$id: and nothing else");
	invariants_hold($node);
}
is(tasks(), '', 'all tasks are gone with all promises');
create('removed truncate');
is( tasks(),
	'after removed truncate suspended, removed truncate acquired',
	'and can be made anew');
invariants_hold($node);

# At REPEATABLE READ, what was added since is seen, or fails.
for my $statement (
	"DELETE FROM resonate.promises WHERE id = 'seen'",
	'TRUNCATE resonate.promises',
	"UPDATE resonate.promises SET state = 'resolved', settled_at = created_at + 1 WHERE id = 'seen'"
  )
{
	$writer->ask('DELETE FROM resonate.promises');
	$writer->ask("SELECT resonate.create_promise('seen')");
	$writer->ask('BEGIN ISOLATION LEVEL REPEATABLE READ');
	$writer->ask('SELECT count(*) FROM resonate.promises');
	$listener->ask(
		"SELECT resonate.create_callback('seen', 'c', 'poll://any\@queue')");
	$writer->ask($statement);
	is($writer->{error}, '40001', "at REPEATABLE READ: $statement");
	$writer->ask('ROLLBACK');
	$writer->ask($statement);
	is($writer->{error}, '', 'and then not');
	is($writer->ask('SELECT count(*) FROM resonate.callbacks'),
		0, 'and the callback is gone');
	invariants_hold($node);
}

#
# Other rows that are changed
#

# The worker sees at once what is due earlier than it knew.
$writer->ask(
	"SELECT resonate.create_schedule('yearly', '0 0 1 1 *', 'occurrence', '1 day')"
);
is($writer->{error}, '', 'a schedule');
$writer->ask(
	"UPDATE resonate.schedules SET next_run_at = created_at + 1 WHERE id = 'yearly'"
);
ok( $node->poll_query_until('postgres',
		"SELECT count(*) = 1 FROM resonate.promises WHERE id = 'occurrence'"),
	'a schedule that is due by an UPDATE fires');
$writer->ask("SELECT resonate.create_promise('delayed', '1 day',
	tags => jsonb_build_object('resonate:target', 'notify://offered', 'resonate:delay',
		(extract(epoch FROM now() + '1 hour') * 1000)::bigint::text))");
is($writer->{error}, '', 'a task for later');
$writer->ask(
	"UPDATE resonate.tasks SET clock_at = clock_at - 3600000 WHERE id = 'delayed'"
);
like($listener->notification(qr/"delayed"/),
	qr/"execute"/, 'a task that is due by an UPDATE is offered');

is(crashes($node), '', 'no process has crashed');
invariants_hold($node);
$_->close foreach ($writer, $listener);
$node->stop;
done_testing();
