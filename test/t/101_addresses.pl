
# Very many addresses with one task each, as anybody can have: no turn of the worker
# reads them all, others' deadlines are kept, and who has something new is told.

use strict;
use warnings FATAL => 'all';

use FindBin;
use lib $FindBin::RealBin;

use ResonateTest;
use Test::More;

use constant ADDRESSES => 20_000;
use constant LOOKS => 30;

my $node = new_cluster('main', conf => <<'END');
resonate.retention = -1
resonate.retry_timeout = 2s
END
my $session = open_session($node);
my $mallory = become($node, 'client');
my $listener = open_session($node);

wait_for_worker($node);
note_lateness($node);

# Index scans of tasks and messages so far.
sub scans
{
	return $session->ask(<<'END');
SELECT sum(idx_scan) FROM pg_stat_all_indexes
WHERE schemaname = 'resonate' AND relname IN ('tasks', 'messages')
END
}

sub listen_at
{
	my ($address) = @_;

	my $channel = $session->ask("SELECT resonate.outbox_channel('$address')");

	$listener->ask("LISTEN $channel");
	is($listener->{error}, '', "somebody listens at $address");
	return;
}

sub eventually
{
	my ($condition, $name) = @_;

	ok($node->poll_query_until('postgres', "SELECT $condition"), $name);
	return;
}

sub create_task
{
	my ($id, $address, $delay_ms) = @_;
	my $delay = $delay_ms
	  ? ", 'resonate:delay', (floor(extract(epoch FROM clock_timestamp()) * 1000)::bigint + $delay_ms)::text"
	  : '';

	return $session->ask(<<"END");
SELECT status FROM resonate.create_promise('$id', '1 h',
	tags => jsonb_build_object('resonate:target', '$address'$delay))
END
}

# In batches and one by one; a third of them at notify:// addresses, and a third for
# one process of a group, which others may have, too.
is( $mallory->ask(<<"END"), ADDRESSES, 'somebody has tasks at very many addresses');
SELECT count(resonate.create_promise('task ' || i, '1 h', tags => jsonb_build_object(
	'resonate:target', CASE i % 3 WHEN 0 THEN 'poll://any\@g' || i
		WHEN 1 THEN 'notify://n' || i ELSE 'poll://any\@h' || i || '/p' END)))
FROM generate_series(1, ${\ ADDRESSES}) AS i
END
$mallory->ask(<<"END");
SELECT count(*) FROM (SELECT resonate.create_promise_and_callback('done ' || i, 'cb',
	'poll://any\@c' || i) FROM generate_series(1, ${\ ADDRESSES} / 4) AS i) AS x
END
$mallory->ask("SELECT count(resonate.resolve('done ' || i)) FROM generate_series(1, ${\ ADDRESSES} / 4) AS i");
is($mallory->{error}, '', 'and messages');

# It may have to go through all of them once or twice.
eventually("count(*) = 0 FROM resonate.tasks WHERE address LIKE 'notify:%' AND offers IS NULL",
	'all tasks at notify:// addresses are offered');
$session->ask('SELECT pg_sleep(3)');

#
# What a look reads, and whether it is in time
#

my $before = scans();

for my $i (1 .. LOOKS)
{
	$session->ask("SELECT resonate.create_promise('probe $i', '100 ms')");
	$session->ask('SELECT pg_sleep(0.1)');
}
eventually('count(*) = ' . LOOKS . " FROM settled WHERE id LIKE 'probe %'",
	'deadlines of others are kept');
$session->ask('SELECT pg_sleep(1.5)');
cmp_ok((scans() - $before) / LOOKS,
	'<', ADDRESSES / 4, 'not all addresses are looked at for each');
cmp_ok(
	$session->ask(
		"SELECT round(percentile_cont(0.5) WITHIN GROUP (ORDER BY late_ms)) FROM settled WHERE id LIKE 'probe %'"),
	'<', 500, 'in time');

#
# Who has something new is told, wherever in the order of addresses
#

foreach my $address ('poll://any@aaa', 'poll://any@zzz', 'poll://uni@zzz/1')
{
	listen_at($address);
	is(create_task("at $address", $address), 2010, 'a new task');
	isnt($listener->notification(qr/execute/), undef, "$address is told at once");
	is(create_task("later at $address", $address, 3000), 2010, 'and one for later');
	isnt($listener->notification(qr/execute/), undef, "$address is told when it is due");
}

listen_at('poll://any@others');
is(create_task('for others', 'poll://any@others/gone'), 2010, 'a task for a process that is not there');
isnt($listener->notification(qr/execute/), undef, 'the others are told');

listen_at('poll://any@message');
$session->ask("SELECT resonate.create_promise_and_callback('unblock', 'cb', 'poll://any\@message')");
$session->ask("SELECT resonate.resolve('unblock')");
isnt($listener->notification(qr/unblock/), undef, 'who has a message is told');
$session->ask("SET resonate.visibility_timeout = '2 s'");
is($session->ask("SELECT count(*) FROM resonate.receive('poll://any\@message')"),
	1, 'it is received, and not acknowledged');
$session->ask("SELECT resonate.create_promise('look', '3 s')");
isnt($listener->notification(qr/unblock/), undef, 'it is told of again');

# A task at a notify:// address is offered until somebody acquires it.
$listener->ask('LISTEN offered');
is(create_task('offered', 'notify://offered'), 2010, 'a task at a notify:// address');
isnt($listener->notification(qr/"offered"/), undef, 'is offered at once');
isnt($listener->notification(qr/"offered"/), undef, 'and again');

# What commits could not tell of: in a subtransaction nothing is handed over.
listen_at('poll://any@walk');
$session->ask('BEGIN');
$session->ask('SAVEPOINT s');
is(create_task('walk', 'poll://any@walk'), 2010, 'a task in a subtransaction');
$session->ask('COMMIT');
isnt($listener->notification(qr/execute/), undef, 'its address is found');

# And who listens when a worker begins.
my $worker = worker_pid($node);

listen_at('poll://any@g3');
$node->safe_psql('postgres', "SELECT pg_terminate_backend($worker)");
wait_for_worker($node, 'postgres', $worker);
isnt($listener->notification(qr/execute/), undef, 'a new worker tells all who have something');

is(crashes($node), '', 'no process has crashed');
invariants_hold($node);
$_->close foreach ($session, $mallory, $listener);
$node->stop;
done_testing();
