
# What settlements hand to the worker through shared memory: where the callback
# stays, and that nothing is lost or told twice when the worker is slow, ends, or
# cannot be handed any more.

use strict;
use warnings FATAL => 'all';

use FindBin;
use lib $FindBin::RealBin;

use PostgreSQL::Test::Utils;
use ResonateTest;
use Test::More;
use Time::HiRes qw(time);

my $node = new_cluster('main', conf => "resonate.retry_interval = '500 ms'\n");
my $session = open_session($node);
my $listener = open_session($node);

wait_for_worker($node);
$listener->ask('LISTEN done');

# Makes promises "NAME 1" to "NAME N", each with a callback.
sub create
{
	my ($name, $n, $address) = @_;

	$address //= 'notify://done';
	$session->ask(
		"SELECT count(*) FROM generate_series(1, $n) AS i,
		 resonate.create_promise_and_callback('$name ' || i, 'cb', '$address', '1 day')");
	return;
}

sub count_rows
{
	my ($table, $name) = @_;

	return $session->ask(
		"SELECT count(*) FROM resonate.$table WHERE promise_id LIKE '$name %'");
}

# Settles them in transactions of their own while the worker stands still.
sub settle_unseen
{
	my ($name, $n) = @_;

	kill STOP => worker_pid($node);
	$session->ask(
		"DO \$\$BEGIN FOR i IN 1 .. $n LOOP
		 PERFORM resonate.resolve('$name ' || i); COMMIT;
		 END LOOP; END\$\$");
	is($session->{error}, '', "$name: settled");
	return;
}

sub go_on
{
	kill CONT => worker_pid($node);
	return;
}

# Each is heard of, and once.
sub check_heard
{
	my ($name, $n) = @_;
	my %heard;

	for (1 .. $n)
	{
		my $payload = $listener->notification(qr/"$name \d+"/);

		last unless defined $payload;
		$heard{$payload}++;
	}
	is(scalar(keys %heard), $n, "$name: all are heard of");
	$session->ask("SELECT resonate.create_promise_and_callback('$name end', 'cb', 'notify://done', '1 day')");
	$session->ask("SELECT resonate.resolve('$name end')");
	like($listener->notification(qr/"$name /),
		qr/"$name end"/, "$name: and once");
	is(count_rows('callbacks', $name), 0, "$name: no callback is left");
	is(count_rows('messages', $name), 0, "$name: no message is left");
	return;
}

#
# Where the callback is
#

create('few', 3);
settle_unseen('few', 3);
is(count_rows('callbacks', 'few'),
	3, 'a callback that is handed over stays where it is');
is(count_rows('messages', 'few'), 0, 'and no message is written');
is($session->ask('SELECT resonate.check_invariants()'),
	'', 'which violates nothing');
go_on();
check_heard('few', 3);

# What is received, and not delivered, is there when the settlement commits.
create('received', 1, 'poll://any@group');
$session->ask("SELECT resonate.create_callback('received 1', 'other', 'notify://done')");
settle_unseen('received', 1);
is($session->ask("SELECT callback_id FROM resonate.receive('poll://any\@group')"),
	'cb', 'a message to receive does not wait for the worker');
go_on();
like($listener->notification(qr/"received 1"/),
	qr/"other"/, 'and the other callback of the promise is delivered');

#
# A latch that is reset while a step waits for something else
#

$node->safe_psql('postgres', <<END);
CREATE FUNCTION nap() RETURNS trigger LANGUAGE plpgsql AS \$\$
BEGIN
	PERFORM pg_sleep(2);
	RETURN NEW;
END\$\$;
CREATE TRIGGER nap AFTER UPDATE ON resonate.promises
	FOR EACH ROW WHEN (NEW.id = 'slow') EXECUTE FUNCTION nap();
END
create('unseen', 1);

# The worker looks once a second whether somebody has changed triggers, and then at all.
$session->ask('SELECT pg_sleep(2)');
$session->ask("SELECT resonate.create_promise('slow', '1 s')");
ok( $node->poll_query_until(
		'postgres',
		"SELECT wait_event = 'PgSleep' FROM pg_stat_activity
		 WHERE backend_type = 'resonate worker' AND datname = 'postgres'"),
	'the worker sleeps in a step');
$session->ask("SELECT resonate.resolve('unseen 1')");
{
	my $start = time;

	isnt($listener->notification(qr/"unseen 1"/),
		undef, 'what is handed over meanwhile is heard of');
	cmp_ok(time - $start, '<', 15, 'after the step');
}

#
# What does not commit
#

create('undone', 2);
for (1 .. 1000)
{
	$session->ask("BEGIN; SELECT resonate.resolve('undone ' || i) FROM generate_series(1, 2) AS i; ROLLBACK");
}
settle_unseen('undone', 2);
is(count_rows('callbacks', 'undone'),
	2, 'a rollback gives back the room that it had set aside');
go_on();
check_heard('undone', 2);

create('partly', 2);
$session->ask('BEGIN');
$session->ask("SELECT resonate.resolve('partly 1')");
$session->ask('SAVEPOINT s');
$session->ask("SELECT resonate.resolve('partly 2')");
$session->ask('ROLLBACK TO s');
$session->ask('COMMIT');
like($listener->notification(qr/"partly/),
	qr/"partly 1"/, 'before a savepoint that is rolled back to');
is(count_rows('callbacks', 'partly'),
	1, 'after it, nothing has happened to the callback');
$session->ask("SELECT resonate.resolve('partly 2')");
like($listener->notification(qr/"partly/),
	qr/"partly 2"/, 'and it is delivered in its time');

#
# More than there is room for, places that change, and a worker that ends
#

create('many', 2000);
settle_unseen('many', 2000);
cmp_ok(count_rows('callbacks', 'many'), '>', 0, 'many: some are handed over');
cmp_ok(count_rows('messages', 'many'),
	'>', 0, 'many: those for whom there is no room become messages');
go_on();
check_heard('many', 2000);

create('moved', 20);
$session->ask("SELECT resonate.resolve('moved ' || i) FROM generate_series(1, 10) AS i");
create('moved also', 10);
settle_unseen('moved also', 10);
$session->ask('VACUUM FULL resonate.callbacks');
is($session->{error}, '', 'the table is rewritten');
go_on();
check_heard('moved also', 10);

create('orphan', 5);
settle_unseen('orphan', 5);

my $pid = worker_pid($node);

kill TERM => $pid;
kill CONT => $pid;
check_heard('orphan', 5);
isnt(wait_for_worker($node), $pid, 'another worker has taken over');

#
# A delivery that fails
#

$node->safe_psql('postgres', <<END);
CREATE SEQUENCE failures;
CREATE FUNCTION fail_once() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER AS \$\$
BEGIN
	IF nextval('public.failures') = 2 THEN
		RAISE 'not this time';
	END IF;
	RETURN OLD;
END\$\$;
CREATE TRIGGER fail_once BEFORE DELETE ON resonate.callbacks
	FOR EACH ROW EXECUTE FUNCTION fail_once();
END
create('failed', 3);
settle_unseen('failed', 3);
go_on();
check_heard('failed', 3);
cmp_ok($node->safe_psql('postgres', "SELECT nextval('failures')"),
	'>', 5, 'after a failure all of them were tried again');

# A message that is locked alone is tried again after a second, though no turn has looked.
$node->safe_psql('postgres', <<END);
CREATE SEQUENCE attempts;
CREATE FUNCTION be_locked() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER AS \$\$
BEGIN
	IF nextval('public.attempts') < 3 THEN
		RAISE 'not now' USING ERRCODE = 'lock_not_available';
	END IF;
	RETURN OLD;
END\$\$;
CREATE TRIGGER be_locked BEFORE DELETE ON resonate.messages
	FOR EACH ROW WHEN (OLD.promise_id = 'locked 1') EXECUTE FUNCTION be_locked();
END
create('locked', 1);
$session->ask('SELECT pg_sleep(2)');
$session->ask('BEGIN ISOLATION LEVEL REPEATABLE READ');
$session->ask("SELECT resonate.resolve('locked 1')");
$session->ask('COMMIT');
{
	my $start = time;

	isnt($listener->notification(qr/"locked 1"/),
		undef, 'what was locked is delivered');
	cmp_ok(time - $start, '<', 15, 'soon');
	cmp_ok($node->safe_psql('postgres', "SELECT nextval('attempts')"),
		'>', 3, 'after it has failed as part of a step, and alone');
}

$session->close;
$listener->close;
$node->stop;
is(crashes($node), '', 'no server process has crashed');

done_testing();
