
# What fails for ever shows in the statistics, whichever step it is; a row that fails
# keeps process_timeouts from no other one; and rows that come while our triggers are
# switched off are noticed at once.

use strict;
use warnings FATAL => 'all';

use FindBin;
use lib $FindBin::RealBin;

use PostgreSQL::Test::Utils;
use ResonateTest;
use Test::More;

my $node = new_cluster('main', conf => "resonate.retry_interval = '200 ms'\n");
my $listener = open_session($node);

$listener->ask('LISTEN done');
wait_for_worker($node);

sub query
{
	my ($sql, $database) = @_;

	return $node->safe_psql($database // 'postgres', $sql);
}

sub stats_become
{
	my ($condition, $name) = @_;

	ok($node->poll_query_until('postgres', "SELECT $condition FROM resonate.stats"),
		$name);
	return;
}

is( query('SELECT worker_failures, worker_state, failing_steps, last_error_at, last_error_code, last_error_step, resonate.worker_error() FROM resonate.stats'),
	'0|running|{}||||',
	'at first nothing has failed');

#
# Delivery
#

query(<<'END');
CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
	RAISE 'no % for %', TG_OP, repeat('é', 500) USING ERRCODE = TG_ARGV[0];
END$$;
CREATE CONSTRAINT TRIGGER refuse AFTER DELETE ON resonate.callbacks
	DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION refuse('53000');
SELECT resonate.create_promise_and_callback('told', 'cb', 'notify://done', '1 h');
SELECT resonate.resolve('told');
END
stats_become(
	q(delivery_failures >= 3 AND worker_failures >= 3 AND 'deliver' = ANY (failing_steps)),
	'delivery that fails again and again is counted');

# What could not be delivered from the hand is looked for as rows, too.
is( query("SELECT last_error_code, last_error_step IN ('deliver', 'reconcile'), last_error_at > now() - interval '10 min' FROM resonate.stats"),
	'53000|t|t',
	'with the last error');
is(query('SELECT resonate.worker_error()'),
	'no DELETE for ' . ('é' x 120), 'whose text is bounded in bytes, and whole characters');
query('DROP TRIGGER refuse ON resonate.callbacks');
isnt($listener->notification(qr/"told"/), undef, 'then it is delivered');
stats_become("failing_steps = '{}'", 'and fails no more');

#
# Pruning
#

query(<<'END');
CREATE TRIGGER refuse BEFORE DELETE ON resonate.promises
	FOR EACH ROW EXECUTE FUNCTION refuse('57014');
SET resonate.debug = on;
SET resonate.test_clock = '1000';
SELECT resonate.create_promise('old', '1 s');
SELECT resonate.resolve('old');
END
$node->reload;
stats_become(q('prune' = ANY (failing_steps)), 'pruning that fails shows');
is( query('SELECT last_error_code, last_error_step FROM resonate.stats'),
	'57014|prune', 'with its error');
query('DROP TRIGGER refuse ON resonate.promises');
$node->reload;
stats_become("failing_steps = '{}' AND promises_pruned = 1", 'until it works');

# Somebody who works on something is no failure.
my $failures = query('SELECT worker_failures FROM resonate.stats');

$listener->ask("SELECT resonate.create_promise_and_callback('locked', 'cb', 'notify://done', '200 ms')");
$listener->ask('BEGIN; LOCK TABLE resonate.promises; SELECT pg_sleep(2); COMMIT');
isnt($listener->notification(qr/"locked"/), undef, 'what was locked is done later');
is(query('SELECT worker_failures FROM resonate.stats'),
	$failures, 'and was no failure');

#
# Who sees the text
#

foreach my $role ('admin', 'reader', 'client', 'worker')
{
	my $session = become($node, $role);

	$session->ask('SELECT resonate.worker_error()');
	is($session->{error}, $role eq 'admin' ? '' : '42501',
		"resonate_$role " . ($role eq 'admin' ? 'sees' : 'does not see') . ' the text of errors');
	$session->close;
}

#
# A row that fails for a caller
#

query('CREATE DATABASE still');
query('ALTER DATABASE still SET resonate.worker = off');
query('CREATE EXTENSION resonate', 'still');
query(<<'END', 'still');
CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
	IF OLD.id LIKE 'bad%' THEN
		RAISE 'not this one' USING ERRCODE = '22000';
	END IF;
	RETURN NEW;
END$$;
CREATE TRIGGER refuse BEFORE UPDATE ON resonate.promises
	FOR EACH ROW EXECUTE FUNCTION refuse();
SELECT resonate.create_promise('bad', '10 ms'),
	count(resonate.create_promise('good ' || i, '10 ms')) FROM generate_series(1, 5) AS i;
SELECT pg_sleep(0.1);
END

my $session = open_session($node, 'still');

is($session->ask('SELECT resonate.process_timeouts()'),
	5, 'a row that fails keeps a caller from no other one');
like($session->{warnings}, qr/22000/, 'who is told of it');
$session->ask("SELECT resonate.create_promise('next ' || i, '10 ms') FROM generate_series(1, 3) AS i");
$session->ask('SELECT pg_sleep(0.1)');
is($session->ask('SELECT resonate.process_timeouts()'),
	3, 'nor from what is due later');
unlike($session->{warnings}, qr/22000/, 'that one is left out, and not reported again');

# More than can be left out, and a step that fails as a whole, are left for a while.
$session->ask("SELECT count(resonate.create_promise('bad ' || i, '10 ms')) FROM generate_series(1, 600) AS i");
$session->ask('SELECT pg_sleep(0.1)');
$session->ask('SELECT resonate.process_timeouts()') foreach (1 .. 2);
is($session->{error}, '', 'many that fail are no error');
is($session->ask('SELECT resonate.process_timeouts()'), 0, 'and are left');
unlike($session->{warnings}, qr/22000/, 'for a while');
query('DROP TRIGGER refuse ON resonate.promises', 'still');
is( query('SELECT resonate.process_timeouts()', 'still'),
	601, 'another session takes them once they can be');
$session->close;

#
# Rows that come past our triggers
#

my $dump = $node->basedir . '/dump';

query(<<'END', 'still');
DELETE FROM resonate.promises;
SELECT resonate.create_promise_and_callback('restored ' || i, 'cb', 'notify://done', '10 ms')
	FROM generate_series(1, 3) AS i;
END
$node->command_ok(
	[ 'pg_dump', '-Fc', '-a', '-f', $dump, '-d', $node->connstr('still') ],
	'rows are dumped');

# All that a worker does on its own account soon after its start is over.
my $worker = wait_for_worker($node);

query('SELECT pg_sleep(3)');

my $began = time;

$node->command_ok(
	[ 'pg_restore', '-a', '--disable-triggers', '-d', $node->connstr('postgres'), $dump ],
	'and restored while our triggers are switched off');
isnt($listener->notification(qr/"restored $_"/),
	undef, "their deadlines are kept ($_)") foreach (1 .. 3);
cmp_ok(time - $began, '<', 30, 'and not with the look of each minute');
is(worker_pid($node), $worker, 'by the worker that was there');
$listener->close;

is(crashes($node), '', 'no process has crashed');
invariants_hold($node, $_) foreach ('postgres', 'still');
$node->stop;
done_testing();
