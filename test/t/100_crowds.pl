
# Very many who wait for one promise, as anybody can have: neither who settles it nor
# the worker at its deadline deals with all of them at once, and nobody else waits.

use strict;
use warnings FATAL => 'all';

use FindBin;
use lib $FindBin::RealBin;

use PostgreSQL::Test::Utils;
use ResonateTest;
use Test::More;

use constant CROWD => 20_000;

# What one transaction may do, of the settler and of the worker: it goes through what it
# was told of, and through all that there is.
use constant SHARE_MAX => 256;
use constant STEP_MAX => 2 * 1000;

my $node = new_cluster('main', conf => <<'END');
resonate.retention = -1
max_prepared_transactions = 5
END
my $session = open_session($node);
my $mallory = become($node, 'client');
my $probe = open_session($node);

wait_for_worker($node);
note_lateness($node);
$node->safe_psql('postgres', <<'END');
-- Suspended tasks that await a promise, as if each had called suspend_task.
CREATE PROCEDURE await(awaited text, name text, n int) LANGUAGE sql AS $$
	INSERT INTO resonate.promises (created_at, timeout_at, state, timer, external,
		targeted, id, tags)
	SELECT 1700000000000, 9000000000000, 'pending', false, true, true,
		name || ' ' || i, '{"resonate:target": "poll://any@crowd"}'
	FROM generate_series(1, n) AS i;
	INSERT INTO resonate.tasks (timeout_at, version, resumes, setbacks, state, id,
		address)
	SELECT 9000000000000, 1, 0, 0, 'suspended', name || ' ' || i, 'poll://any@crowd'
	FROM generate_series(1, n) AS i;
	INSERT INTO resonate.awaiters (awaited_id, awaiter_id)
	SELECT awaited, name || ' ' || i FROM generate_series(1, n) AS i;
$$;

-- Rows of a table that one transaction has written at most.
CREATE FUNCTION most_messages(id text) RETURNS bigint LANGUAGE sql AS $$
	SELECT max(n) FROM (SELECT count(*) AS n FROM resonate.messages
		WHERE promise_id = id GROUP BY xmin::text) AS x
$$;
CREATE FUNCTION most_resumed(name text) RETURNS bigint LANGUAGE sql AS $$
	SELECT max(n) FROM (SELECT count(*) AS n FROM resonate.tasks
		WHERE id LIKE name || ' %' AND resumes > 0 GROUP BY xmin::text) AS x
$$;
END

sub crowd
{
	my ($id, $timeout) = @_;

	$session->ask("SELECT resonate.create_promise('$id', '$timeout')");
	is( $mallory->ask(
			"SELECT count(resonate.create_callback('$id', 'cb ' || i,
				CASE WHEN i % 2 = 0 THEN 'poll://any\@g' || i % 50 ELSE 'notify://n' END))
			 FROM generate_series(1, " . CROWD . ') AS i'),
		CROWD,
		"$id: somebody registers very many callbacks");
	$session->ask("CALL await('$id', 'task of $id', " . CROWD . ')');
	is($session->{error}, '', "$id: as many tasks await it");
	return;
}

sub eventually
{
	my ($condition, $name) = @_;

	ok($node->poll_query_until('postgres', "SELECT $condition"), $name);
	return;
}

# Others get on with their work while a promise settles: promises that are due one
# after the other.
sub probe
{
	my ($name) = @_;

	$probe->ask("SELECT count(resonate.create_promise('probe $name ' || i,
		interval '300 ms' + interval '40 ms' * i)) FROM generate_series(1, 50) AS i");
	is($probe->{error}, '', "$name: others have deadlines");
	return;
}

sub check_probe
{
	my ($name) = @_;

	eventually("count(*) = 50 FROM settled WHERE id LIKE 'probe $name %'",
		"$name: others' deadlines are kept");
	cmp_ok(
		$probe->ask(
			"SELECT round(max(late_ms)) FROM settled WHERE id LIKE 'probe $name %'"),
		'<', 1500, "$name: in time");
	return;
}

sub check_all_told
{
	my ($id) = @_;
	my $n = CROWD;

	eventually("count(*) = 0 FROM resonate.callbacks WHERE promise_id = '$id'",
		"$id: no callback is left");
	eventually("count(*) = 0 FROM resonate.awaiters WHERE awaited_id = '$id'",
		"$id: and no awaiter");
	is( $session->ask(
			"SELECT count(*) FROM resonate.messages WHERE promise_id = '$id'
			 AND address LIKE 'poll:%'"),
		$n / 2,
		"$id: each callback has become a message");
	is( $session->ask(
			"SELECT count(*) FROM resonate.tasks WHERE id LIKE 'task of $id %'
			 AND state = 'pending' AND resumes = 1"),
		$n,
		"$id: each task is resumed, once");
	cmp_ok($session->ask("SELECT most_messages('$id')"),
		'<=', STEP_MAX, "$id: not too many callbacks at once");
	cmp_ok($session->ask("SELECT most_resumed('task of $id')"),
		'<=', STEP_MAX, "$id: nor tasks");
	return;
}

#
# By a command
#

crowd('settled', '1 h');
probe('settled');
$session->ask('BEGIN');
is($session->ask("SELECT status FROM resonate.resolve('settled')"),
	2010, 'the promise is settled');
cmp_ok(
	$session->ask(
		"SELECT pg_stat_get_xact_tuples_deleted('resonate.callbacks'::regclass) +
			pg_stat_get_xact_tuples_deleted('resonate.awaiters'::regclass) +
			pg_stat_get_xact_tuples_updated('resonate.tasks'::regclass)"),
	'<=', SHARE_MAX, 'its settlement does no more than its share');
$session->ask('COMMIT');
check_probe('settled');
check_all_told('settled');

#
# At its deadline
#

crowd('lapsed', '1 h');
probe('lapsed');
$session->ask("ALTER TABLE resonate.promises DISABLE TRIGGER USER");
$session->ask("UPDATE resonate.promises SET timeout_at = floor(extract(epoch FROM now()) * 1000)
	WHERE id = 'lapsed'");
$session->ask("ALTER TABLE resonate.promises ENABLE TRIGGER USER");
is($session->{error}, '', 'a deadline is reached');
$session->ask("SELECT resonate.create_promise('sooner', '1 ms')");
eventually("state = 'rejected_timedout' FROM resonate.promises WHERE id = 'lapsed'",
	'the promise times out');
check_probe('lapsed');
check_all_told('lapsed');

#
# Many promises that are due at once, with some who wait for each
#

$session->ask("SELECT count(resonate.create_promise('many ' || i, '3 s'))
	FROM generate_series(1, 1000) AS i");
$session->ask("DO \$\$ BEGIN FOR i IN 1 .. 1000 LOOP
	CALL await('many ' || i, 'waits for ' || i, 3); END LOOP; END \$\$");
is($session->{error}, '', 'three tasks await each of a thousand promises');
eventually("count(*) = 1000 FROM resonate.promises
	WHERE id LIKE 'many %' AND state = 'rejected_timedout'",
	'all of these time out');
eventually("count(*) = 3000 FROM resonate.tasks
	WHERE id LIKE 'waits for %' AND resumes = 1",
	'and all of those are resumed');
cmp_ok($session->ask("SELECT most_resumed('waits for')"),
	'<=', STEP_MAX, 'not too many at once');

#
# Where the worker cannot be told which promise it is
#

foreach my $case (
	[ 'in a savepoint', 'SAVEPOINT s', 'COMMIT' ],
	[ 'prepared', 'SELECT 1', "PREPARE TRANSACTION 'p'" ],
	[ 'at another level', 'SET TRANSACTION ISOLATION LEVEL REPEATABLE READ', 'COMMIT' ])
{
	my ($name, $begin, $end) = @$case;

	$session->ask("SELECT resonate.create_promise('$name', '1 h')");
	$session->ask("SELECT count(resonate.create_callback('$name', 'cb ' || i, 'poll://any\@g'))
		FROM generate_series(1, 1000) AS i");
	$session->ask('BEGIN');
	$session->ask($begin);
	is($session->ask("SELECT status FROM resonate.resolve('$name')"),
		2010, "settled $name");
	$session->ask($end);
	$session->ask("COMMIT PREPARED 'p'") if $name eq 'prepared';
	is($session->{error}, '', "$name: committed");
	eventually("count(*) = 1000 FROM resonate.messages WHERE promise_id = '$name'",
		"$name: all callbacks become messages");
}

#
# A worker that ends in the middle
#

crowd('interrupted', '1 h');
my $worker = stop_worker($node);

is($session->ask("SELECT status FROM resonate.resolve('interrupted')"),
	2010, 'another one is settled');
$node->safe_psql('postgres', "SELECT pg_terminate_backend($worker)");
kill 'CONT', $worker;
wait_for_worker($node, 'postgres', $worker);
check_all_told('interrupted');

#
# One of the crowd is locked, for as long as somebody likes
#

my $holder = open_session($node);

$session->ask("SELECT resonate.create_promise('held', '1 h')");
$session->ask("CALL await('held', 'task of held', 10)");
$holder->ask('BEGIN');
$holder->ask("SELECT FROM resonate.tasks WHERE id = 'task of held 5' FOR UPDATE");
$session->ask("SET lock_timeout = '10 s'");
is($session->ask("SELECT status FROM resonate.resolve('held')"),
	2010, 'nobody waits for a task that awaits a promise');
eventually("count(*) = 9 FROM resonate.tasks WHERE id LIKE 'task of held %' AND resumes = 1",
	'the others are resumed');
$session->ask("SELECT resonate.create_promise('held too', '1 h')");
$session->ask("CALL await('held too', 'task of held too', 300)");
is($session->ask("SELECT status FROM resonate.resolve('held too')"),
	2010, 'another crowd is left');
eventually("count(*) = 300 FROM resonate.tasks WHERE id LIKE 'task of held too %' AND resumes = 1",
	'it does not wait behind the one that is held');
$holder->ask('COMMIT');
eventually("resumes = 1 FROM resonate.tasks WHERE id = 'task of held 5'",
	'the one that was locked is resumed in the end');

#
# History that goes bit by bit
#

$session->ask("SELECT resonate.create_promise('old', '1 h')");
$session->ask("SELECT count(resonate.create_callback('old', 'cb ' || i, 'poll://any\@g'))
	FROM generate_series(1, 5000) AS i");
is($session->ask("SELECT status FROM resonate.resolve('old')"), 2010, 'old history');
eventually("count(*) = 5000 FROM resonate.messages WHERE promise_id = 'old'",
	'has many messages');
$node->append_conf('postgresql.conf', "resonate.retention = 0");
$node->reload;
eventually("count(*) = 0 FROM resonate.promises WHERE id IN ('old', 'settled', 'lapsed')",
	'all of it goes in the end');

is(crashes($node), '', 'no process has crashed');
invariants_hold($node);
$_->close foreach ($session, $mallory, $probe, $holder);
$node->stop;
done_testing();
