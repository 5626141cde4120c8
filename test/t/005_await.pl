
# await_promise, function and procedure: what wakes it, what it holds while it
# waits, and what it refuses.

use strict;
use warnings FATAL => 'all';

use FindBin;
use lib $FindBin::RealBin;

use PostgreSQL::Test::Utils;
use ResonateTest;
use Test::More;
use Time::HiRes qw(time);

my $node = new_cluster('main');
my $other = open_session($node);

wait_for_worker($node);

my %await = (
	function =>
	  "SELECT status, state, value FROM resonate.await_promise('%s', %s)",
	procedure => "CALL resonate.await_promise('%s', %s, NULL, NULL, NULL)");

sub create
{
	my ($id, $timeout) = @_;

	is( $other->ask(
			"SELECT status FROM resonate.create_promise('$id', '$timeout')"),
		2010,
		"promise $id");
	return;
}

# Starts a wait and returns when the session sleeps.
sub start_wait
{
	my ($session, $kind, $id, $timeout) = @_;
	my $pid = $session->pid;

	$session->send(sprintf($await{$kind}, $id, $timeout // 'NULL'));
	wait_until_asleep($pid);
	return $pid;
}

sub wait_until_asleep
{
	my (@pids) = @_;
	my $list = join(', ', @pids);

	$node->poll_query_until('postgres', <<END, scalar @pids) or die;
SELECT count(*) FROM pg_stat_activity
WHERE pid IN ($list) AND state = 'active' AND wait_event_type = 'Extension'
END
	return;
}

# It waits for one of the last of a batch, until the end of this test: a session looks by
# itself when it reports its statistics, which is ten seconds after it began.
my $late = open_session($node);

create('batch 1', '1 h');
$other->ask(
	"SELECT resonate.create_promise('batch ' || i, '1 h') FROM generate_series(2, 100) i"
);
start_wait($late, 'procedure', 'batch 99');

for my $kind ('function', 'procedure')
{
	my $session = open_session($node);
	my $start;

	#
	# What wakes it
	#

	create("$kind resolved", '1 h');
	start_wait($session, $kind, "$kind resolved");
	ok(!$session->is_done, "$kind: waits");
	$other->ask('BEGIN');
	$other->ask("SELECT resonate.resolve('$kind resolved', '[1, 2]')");
	$other->ask('SELECT pg_sleep(0.3)');
	ok(!$session->is_done, "$kind: still waits before the commit");
	$start = time;
	$other->ask('COMMIT');
	is($session->answer, '2000|resolved|[1, 2]',
		"$kind: wakes at the commit");
	diag(
		sprintf(
			'%s: woken %.1f ms after the commit',
			$kind, 1000 * (time - $start)));
	is( $session->ask(sprintf($await{$kind}, "$kind resolved", 'NULL')),
		'2000|resolved|[1, 2]',
		"$kind: does not wait for a settled promise");

	create("$kind rolled back", '1 h');
	start_wait($session, $kind, "$kind rolled back", "'1 h'");
	$other->ask('BEGIN');
	$other->ask("SELECT resonate.cancel('$kind rolled back')");
	$other->ask('ROLLBACK');
	$other->ask("SELECT resonate.reject('$kind rolled back', '\"why\"')");
	is($session->answer, '2000|rejected|"why"',
		"$kind: what is rolled back does not count");

	# The deadline of the promise, while the worker can do nothing.
	my $worker = stop_worker($node);

	create("$kind deadline", '1 s');
	is( $session->ask(sprintf($await{$kind}, "$kind deadline", "'1 h'")),
		'2000|rejected_timedout|',
		"$kind: the deadline wakes it without the worker");
	is( $other->ask(
			"SELECT state FROM resonate.promises WHERE id = '$kind deadline'"
		),
		'rejected_timedout',
		"$kind: and it stores what it has seen");
	kill('CONT', $worker);

	#
	# Limits
	#

	create("$kind limits", '1 h');
	$start = time;
	is($session->ask(sprintf($await{$kind}, "$kind limits", "'300 ms'")),
		'4080|pending|', "$kind: the time to wait is over");
	cmp_ok(time - $start, '>=', 0.3, "$kind: not before it was");
	is($session->ask(sprintf($await{$kind}, "$kind limits", "'0'")),
		'4080|pending|', "$kind: no time to wait");
	is($session->ask(sprintf($await{$kind}, "$kind missing", "'1 h'")),
		'4040||', "$kind: no such promise");
	$session->ask(sprintf($await{$kind}, "$kind limits", "'-1 s'"));
	is($session->{error}, '22023', "$kind: a negative time to wait");
	$session->ask(sprintf($await{$kind}, '', "'1 s'"));
	is($session->{error}, '22023', "$kind: an empty id");

	#
	# Cancel, time out, terminate
	#

	my $pid = start_wait($session, $kind, "$kind limits");

	$other->ask("SELECT pg_cancel_backend($pid)");
	$session->answer;
	is($session->{error}, '57014', "$kind: can be cancelled");

	$session->ask("SET statement_timeout = '300 ms'");
	$session->ask(sprintf($await{$kind}, "$kind limits", "'1 h'"));
	is($session->{error}, '57014', "$kind: obeys statement_timeout");
	$session->ask('RESET statement_timeout');

	# The same session and those that come after can wait again.
	$pid = start_wait($session, $kind, "$kind limits");
	$other->ask("SELECT pg_terminate_backend($pid)");
	$session->answer;
	is($session->{error}, '57P01', "$kind: can be terminated");
	$session->close;

	my @sessions = map { open_session($node) } 1 .. 20;

	start_wait($_, $kind, "$kind limits") foreach @sessions;
	$start = time;
	$other->ask("SELECT resonate.resolve('$kind limits', '\"all\"')");
	is_deeply(
		[ map { $_->answer } @sessions ],
		[ map { '2000|resolved|"all"' } @sessions ],
		"$kind: 20 waiters on one promise all wake");
	diag(
		sprintf(
			'%s: 20 waiters woken %.1f ms after the commit',
			$kind, 1000 * (time - $start)));
	$_->close foreach @sessions;

	#
	# Prepared transactions
	#

	$session = open_session($node);
	create("$kind prepared", '1 h');
	create("$kind prepared too", '1 h');
	start_wait($session, $kind, "$kind prepared");
	$other->ask('BEGIN');
	$other->ask("SELECT resonate.resolve('$kind prepared', '\"two\"')");
	$other->ask("SELECT resonate.resolve('$kind prepared too')");
	$other->ask("PREPARE TRANSACTION '$kind'");
	ok(!$session->is_done, "$kind: waits while the settlement is prepared");

	my $late = open_session($node);

	start_wait($late, $kind, "$kind prepared too");
	$start = time;
	$other->ask("COMMIT PREPARED '$kind'");
	is($session->answer, '2000|resolved|"two"',
		"$kind: wakes after COMMIT PREPARED");
	is($late->answer, '2000|resolved|',
		"$kind: so does one that came after PREPARE");
	diag(
		sprintf(
			'%s: woken %.1f ms after COMMIT PREPARED',
			$kind, 1000 * (time - $start)));
	$late->close;
	$session->close;
}

#
# What it holds
#

my $session = open_session($node);

create('held', '1 h');

my $pid = start_wait($session, 'procedure', 'held');
my $holds = <<END;
SELECT backend_xmin IS NULL, backend_xid IS NULL,
	   (SELECT count(*) FROM pg_locks l
		WHERE l.pid = a.pid AND l.locktype <> 'virtualxid')
FROM pg_stat_activity a WHERE pid = $pid
END

is($other->ask($holds), 't|t|0',
	'the procedure holds no snapshot, no transaction id and no lock');

# So nothing keeps others from what it waits for.
$other->ask('BEGIN');
$other->ask("SET LOCAL lock_timeout = '10 s'");
$other->ask('LOCK TABLE resonate.promises IN ACCESS EXCLUSIVE MODE');
is($other->{error}, '', 'the table can be locked meanwhile');
$other->ask('COMMIT');
$other->ask("SELECT resonate.resolve('held')");
is($session->answer, '2000|resolved|', 'and the procedure wakes after that');

create('held by function', '1 h');
start_wait($session, 'function', 'held by function');
like($other->ask($holds), qr/^f\|t\|/,
	'the function holds the snapshot of its statement, but writes nothing');
$other->ask("SELECT resonate.resolve('held by function')");
is($session->answer, '2000|resolved|', 'and wakes as well');

#
# Where it cannot wait
#

create('refused', '1 h');
create('settled', '1 h');
$other->ask("SELECT resonate.resolve('settled', '1')");

$session->ask('BEGIN');
$session->ask(sprintf($await{procedure}, 'refused', "'1 h'"));
is($session->{error}, '2D000', 'procedure: refused in a transaction block');
$session->ask('ROLLBACK');
$node->safe_psql('postgres', <<'END');
CREATE FUNCTION wait_inside() RETURNS void LANGUAGE plpgsql AS
'DECLARE a int; b text; c jsonb;
 BEGIN CALL resonate.await_promise(''refused'', ''1 h'', a, b, c); END';
END
$session->ask('SELECT wait_inside()');
is($session->{error}, '2D000', 'procedure: refused in a function');
$session->ask(<<'END');
DO 'DECLARE a int; b text; c jsonb;
BEGIN
	CALL resonate.await_promise(''settled'', ''1 h'', a, b, c);
	IF a <> 2000 THEN RAISE EXCEPTION ''answered %'', a; END IF;
END'
END
is($session->{error}, '', 'procedure: works in a DO block');

$session->ask('BEGIN');
$session->ask("SELECT resonate.create_promise('own', '1 h')");
$session->ask(sprintf($await{function}, 'own', "'1 h'"));
is($session->{error}, '55000',
	'function: refused for a promise that its transaction has created');
$session->ask('ROLLBACK');
$session->ask('BEGIN');
$session->ask(
	"SELECT resonate.create_callback('refused', 'cb', 'poll://any\@g')");
$session->ask(sprintf($await{function}, 'refused', "'1 h'"));
is($session->{error}, '55000',
	'function: refused for a promise that its transaction has locked');
$session->ask('ROLLBACK');
$session->ask('BEGIN');
$session->ask("SELECT resonate.resolve('refused', '2')");
is($session->ask(sprintf($await{function}, 'refused', "'1 h'")),
	'2000|resolved|2', 'function: not for one that it has settled');
$session->ask('ROLLBACK');

for my $level ('REPEATABLE READ', 'SERIALIZABLE')
{
	$session->ask("BEGIN ISOLATION LEVEL $level");
	is($session->ask(sprintf($await{function}, 'settled', "'1 h'")),
		'2000|resolved|1', "function: at $level, one that is settled");
	$session->ask(sprintf($await{function}, 'refused', "'1 h'"));
	is($session->{error}, '0A000', "function: refused at $level");
	$session->ask('ROLLBACK');
}
$session->close;

#
# Roles
#

my $client = become($node, 'client');

create('for a client', '1 h');
for my $kind ('function', 'procedure')
{
	is($client->ask(sprintf($await{$kind}, 'for a client', "'10 ms'")),
		'4080|pending|', "$kind: resonate_client can wait");
}
start_wait($client, 'procedure', 'for a client');
$other->ask("SELECT resonate.resolve('for a client')");
is($client->answer, '2000|resolved|', 'procedure: and is woken');
$client->close;

$node->safe_psql('postgres', 'CREATE ROLE nobody LOGIN');
my $nobody = open_session($node, 'postgres', user => 'nobody');

for my $kind ('function', 'procedure')
{
	$nobody->ask(sprintf($await{$kind}, 'for a client', "'10 ms'"));
	is($nobody->{error}, '42501', "$kind: not for everybody");
}
$nobody->close;

# A cancellation that a block catches ends the wait just the same.
$session = open_session($node);
create('caught', '1 h');
$session->ask("SET statement_timeout = '300 ms'");
is( $session->ask(<<'END'),
DO 'BEGIN
	PERFORM resonate.await_promise(''caught'', ''1 h'');
EXCEPTION WHEN query_canceled THEN
	PERFORM resonate.await_promise(''caught'', ''10 ms'');
END'
END
	'',
	'function: cancelled within a block that goes on');
is($session->{error}, '', 'function: and waits again there');
$session->ask('RESET statement_timeout');
is( $session->ask(<<'END'),
DO 'DECLARE a int; b text; c jsonb;
BEGIN
	BEGIN
		CALL resonate.await_promise(''caught'', ''1 h'', a, b, c);
	EXCEPTION WHEN invalid_transaction_termination THEN
		NULL;
	END;
	PERFORM resonate.await_promise(''caught'', ''10 ms'');
END'
END
	'',
	'procedure: refused within a block that catches');
is($session->{error}, '', 'procedure: and waits again there');
$other->ask("SELECT resonate.resolve('caught')");
is($session->ask(sprintf($await{function}, 'caught', "'1 h'")),
	'2000|resolved|', 'function: and afterwards');
$session->close;

# A batch that settles more promises than a commit compares one by one.
ok(!$late->is_done, 'a session still waits for one of a batch');
is( $other->ask(<<'END'),
SELECT count(*) FROM resonate.settle_promises((SELECT jsonb_agg(
	jsonb_build_object('id', 'batch ' || i, 'state', 'resolved',
					   'value', i)) FROM generate_series(1, 100) i))
END
	100,
	'a batch settles 100 promises');
is($late->answer, '2000|resolved|99', 'and wakes who waits for the last');
$late->close;
$other->close;

is(crashes($node), '', 'no process has crashed');
invariants_hold($node);
$node->stop;
done_testing();
