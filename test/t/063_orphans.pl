
# Rows that a transaction holds which nobody ends, idle or prepared, over a restart:
# whichever kind they are, all else goes on, and so do they once they can.

use strict;
use warnings FATAL => 'all';

use FindBin;
use lib $FindBin::RealBin;

use PostgreSQL::Test::Utils;
use ResonateTest;
use Test::More;

my $node = new_cluster('main', conf => <<'END');
resonate.retention = -1
resonate.retry_timeout = '1 s'
END
my ($listener, $holder);
my $n = 0;

sub query
{
	return $node->safe_psql('postgres', shift);
}

sub becomes
{
	my ($condition, $name) = @_;

	ok($node->poll_query_until('postgres', "SELECT $condition"), $name);
	return;
}

sub listen_again
{
	$listener->close if $listener;
	$listener = open_session($node);
	$listener->ask('LISTEN done');
	return;
}

# All kinds of work, which is due soon; each kind can be held.
sub make_work
{
	my ($id) = @_;

	query(<<"END");
SELECT resonate.create_promise_and_callback('$id due', 'cb', 'notify://done', '1 s');
SELECT resonate.create_promise('$id offered', '1 h', tags => '{"resonate:target": "notify://done"}');
SELECT resonate.create_promise_and_task('$id leased', 'me', '1 s', '1 h',
	tags => '{"resonate:target": "poll://any\@g"}');
SELECT resonate.create_promise_and_task('$id awaiter', 'me', '1 h', '1 h',
	tags => '{"resonate:target": "poll://any\@g"}');
SELECT resonate.create_promise('$id awaited', '1 s');
SELECT resonate.resonate_rpc('{"kind": "promise.register_callback",
	"head": {"corrId": "", "version": "2026-04-01"},
	"data": {"awaited": "$id awaited", "awaiter": "$id awaiter"}}');
SELECT resonate.create_schedule('$id s', '* * * * * *', '$id s.{{.timestamp}}', '1 h');
SELECT resonate.create_promise_and_callback('$id told', 'cb', 'notify://done', '1 h');
BEGIN ISOLATION LEVEL REPEATABLE READ;
SELECT resonate.resolve('$id told');
COMMIT;
END
	return;
}

# What shows that a kind of work was done.
my %done = (
	promise => sub { "(SELECT state <> 'pending' FROM resonate.promises WHERE id = '$_[0] due')" },
	callback => sub { "NOT EXISTS (SELECT FROM resonate.callbacks WHERE promise_id = '$_[0] due')" },
	offered => sub { "(SELECT clock_at > 0 FROM resonate.tasks WHERE id = '$_[0] offered')" },
	leased => sub { "(SELECT state = 'pending' FROM resonate.tasks WHERE id = '$_[0] leased')" },
	awaiter => sub { "(SELECT state <> 'pending' FROM resonate.promises WHERE id = '$_[0] awaited')
		AND (SELECT resumes > 0 FROM resonate.tasks WHERE id = '$_[0] awaiter')" },
	schedule => sub { "(SELECT last_run_at IS NOT NULL FROM resonate.schedules WHERE id = '$_[0] s')" },
	message => sub { "NOT EXISTS (SELECT FROM resonate.messages WHERE promise_id = '$_[0] told')" },
);

# How to hold it, before it is due.
my %hold = (
	promise => sub { "SELECT FROM resonate.promises WHERE id = '$_[0] due' FOR UPDATE" },
	callback => sub { "SELECT FROM resonate.callbacks WHERE promise_id = '$_[0] due' FOR UPDATE" },
	offered => sub { "SELECT FROM resonate.tasks WHERE id = '$_[0] offered' FOR UPDATE" },
	leased => sub { "SELECT FROM resonate.tasks WHERE id = '$_[0] leased' FOR UPDATE" },
	awaiter => sub { "SELECT FROM resonate.tasks WHERE id = '$_[0] awaiter' FOR UPDATE" },
	schedule => sub { "SELECT FROM resonate.schedules WHERE id = '$_[0] s' FOR UPDATE" },
	message => sub { "SELECT FROM resonate.messages WHERE promise_id = '$_[0] told' FOR UPDATE" },
);

sub check_others
{
	my ($id, $name) = @_;

	make_work($id);
	becomes($done{$_}->($id), "$name: $_ of others goes on")
	  foreach sort keys %done;
	isnt($listener->notification(qr/"$id due"/),
		undef, "$name: others hear of a deadline");
	isnt($listener->notification(qr/"$id offered"/),
		undef, "$name: others are offered a task");
	query("SELECT resonate.delete_schedule('$id s')");
	return;
}

# Makes work while the worker stands still, and holds it.
sub hold_while_still
{
	my ($id, $kinds, $prepare) = @_;
	my $worker = stop_worker($node);

	make_work($id);
	$holder = open_session($node);
	$holder->ask('BEGIN');
	foreach my $kind (@$kinds)
	{
		$holder->ask($hold{$kind}->($id));
		is($holder->{error}, '', "$kind is held");
	}
	if ($prepare)
	{
		$holder->ask("PREPARE TRANSACTION '$id'");
		is($holder->{error}, '', 'and the transaction prepared');
		$holder->close;
	}
	kill 'CONT', $worker;
	return;
}

wait_for_worker($node);
listen_again();

foreach my $kind (sort keys %hold)
{
	my $id = "idle $kind";

	hold_while_still($id, [$kind], 0);
	check_others('beside ' . $id, $id);
	becomes("NOT (" . $done{$kind}->($id) . ")", "$id: this one waits")
	  unless $kind eq 'offered';
	$holder->ask('ROLLBACK');
	$holder->close;
	becomes($done{$kind}->($id), "$id: it goes on once it can");
	query("SELECT resonate.delete_schedule('$id s')");
}

# All of them at once, by one that is left over from a restart.
my @all = sort keys %hold;

hold_while_still('orphan', \@all, 1);
check_others('beside the orphan', 'prepared');
$node->restart;
wait_for_worker($node);
listen_again();
check_others('after a restart', 'prepared, restarted');
$node->stop('immediate');
$node->start;
wait_for_worker($node);
listen_again();
check_others('after a crash', 'prepared, crashed');
is( query("SELECT " . $done{promise}->('orphan')),
	'f', 'what the orphan holds waits');
is(query('SELECT worker_failures, rows_set_aside, failing_steps FROM resonate.stats'),
	'0|0|{}', 'nothing has failed');
query("ROLLBACK PREPARED 'orphan'");
becomes($done{$_}->('orphan'), "the orphan's $_ goes on once it can")
  foreach @all;
query("SELECT resonate.delete_schedule('orphan s')");
$listener->close;
is(crashes($node), '', 'no process has crashed');
invariants_hold($node);
$node->stop;
done_testing();
