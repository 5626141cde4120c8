
# Two-phase commit: COMMIT PREPARED runs in any session and tells nobody, and
# still its messages go out; ROLLBACK PREPARED leaves nothing.

use strict;
use warnings FATAL => 'all';

use FindBin;
use lib $FindBin::RealBin;

use PostgreSQL::Test::Utils;
use ResonateTest;
use Test::More;
use Time::HiRes qw(time);

my $node = new_cluster('main');
my $session = open_session($node);
my $listener = open_session($node);

wait_for_worker($node);
$listener->ask('LISTEN done');

# A transaction that settles one promise, creates another with a callback and
# a third with a deadline.
sub prepare
{
	my ($name) = @_;

	$session->ask(
		"SELECT resonate.create_promise_and_callback('$name old', 'cb', 'notify://done', '1 day')"
	);
	$session->ask('BEGIN');
	$session->ask("SELECT resonate.resolve('$name old', '1')");
	$session->ask("SELECT resonate.create_promise('$name new', '1 day')");
	$session->ask(
		"SELECT resonate.create_callback('$name new', 'cb', 'notify://done')"
	);
	$session->ask(
		"SELECT resonate.create_promise_and_callback('$name short', 'cb', 'notify://done', '1 s')"
	);
	$session->ask("PREPARE TRANSACTION '$name'");
	is($session->{error}, '', "$name: prepared");
	return;
}

sub check_commit
{
	my ($name) = @_;
	my $start = time;

	$node->safe_psql('postgres', "COMMIT PREPARED '$name'");
	like($listener->notification(qr/"$name old"/),
		qr/"resolved"/, "$name: a listener hears of the settlement");
	diag(sprintf("$name: %.1f s after COMMIT PREPARED", time - $start));
	like($listener->notification(qr/"$name short"/),
		qr/"rejected_timedout"/, "$name: and of the deadline");
	$node->safe_psql('postgres', "SELECT resonate.reject('$name new')");
	like($listener->notification(qr/"$name new"/),
		qr/"rejected"/, "$name: its callback fires");
	return;
}

# Heard of long before the worker looks at everything, which it does once a minute.
sub is_soon
{
	my ($pattern, $name) = @_;
	my $start = time;

	isnt($listener->notification($pattern), undef, $name);
	cmp_ok(time - $start, '<', 15, "$name: soon");
	return;
}

prepare('plain');
check_commit('plain');

# After the worker has become idle again it must notice the next one.
prepare('again');
check_commit('again');

# Prepared before a restart, committed after it.
prepare('restart');
$session->close;
$listener->close;
$node->stop('immediate');
$node->start;
$session = open_session($node);
$listener = open_session($node);
$listener->ask('LISTEN done');
wait_for_worker($node);
is($session->ask('SELECT gid FROM pg_prepared_xacts'),
	'restart', 'a prepared transaction survives a crash');
check_commit('restart');

# Past its deadline while it is prepared: the settlement was in time, and
# whoever settles must wait for it.
$session->ask(
	"SELECT resonate.create_promise_and_callback('overdue', 'cb', 'notify://done', '1 s')"
);
$session->ask('BEGIN');
$session->ask("SELECT resonate.resolve('overdue', '\"in time\"')");
$session->ask("PREPARE TRANSACTION 'overdue'");
$session->ask('SELECT pg_sleep(1.5)');
is( $session->ask("SELECT state FROM resonate.promises WHERE id = 'overdue'"),
	'pending', 'the worker leaves alone what is prepared');
$session->ask("COMMIT PREPARED 'overdue'");
like($listener->notification(qr/"overdue"/),
	qr/"resolved"/, 'what was prepared in time counts');

# Nothing of what is rolled back.
prepare('rolled back');
$session->ask("ROLLBACK PREPARED 'rolled back'");
is($session->{error}, '', 'rolled back');
is( $session->ask(
		"SELECT string_agg(id || ' ' || state, ', ') FROM resonate.promises
		 WHERE id LIKE 'rolled back%'"),
	'rolled back old pending',
	'ROLLBACK PREPARED leaves nothing');
$session->ask(
	"SELECT resonate.create_promise_and_callback('marker', 'cb', 'notify://done', '1500 ms')"
);
like($listener->notification(qr/"marker"/),
	qr/"rejected_timedout"/, 'a later deadline is kept');
ok((!grep { $_->[1] =~ /rolled back/ } @{ $listener->{notifications} }),
	'and no listener hears of anything');
is($session->ask('SELECT count(*) FROM resonate.messages'),
	0, 'no message is left');

# Rows that were written past the functions, as by a restore, are dealt with when they
# are there, and not only when they are prepared.
$session->ask("SELECT resonate.create_promise('restored', '1 day')");
$session->ask("SELECT resonate.resolve('restored')");
$session->ask('BEGIN');
$session->ask(
	"INSERT INTO resonate.callbacks (created_at, kind, promise_id, callback_id, address)
	 VALUES (0, 'callback', 'restored', 'cb', 'notify://done')");
$session->ask("PREPARE TRANSACTION 'restored'");
is($session->{error}, '', 'a callback of a settled promise, prepared');
$session->ask('SELECT pg_sleep(1.5)');
$session->ask("COMMIT PREPARED 'restored'");
is_soon(qr/"restored"/, 'it is delivered after COMMIT PREPARED');

# What was to be handed over becomes messages before the transaction is prepared.  What a
# trigger of others settles then is not handed over either.
$node->safe_psql('postgres', <<'END');
CREATE FUNCTION follow() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER AS $$
BEGIN
	PERFORM resonate.resolve('followed');
	RETURN NULL;
END$$;
CREATE TRIGGER follow AFTER INSERT ON resonate.messages
	FOR EACH ROW WHEN (NEW.promise_id = 'followed by') EXECUTE FUNCTION follow();
END
$session->ask('SELECT pg_sleep(2)');
$session->ask(
	"SELECT resonate.create_promise_and_callback(id, 'cb', 'notify://done', '1 day')
	 FROM unnest('{followed by,followed}'::text[]) AS id");
$session->ask('BEGIN');
$session->ask("SELECT resonate.resolve('followed by')");
$session->ask("PREPARE TRANSACTION 'followed'");
is($session->{error}, '', 'a settlement that a trigger follows, prepared');
$session->ask("COMMIT PREPARED 'followed'");
is_soon(qr/"followed by"/, 'it is delivered');
is_soon(qr/"followed"/, 'so is what the trigger has settled');

# The worker is in the middle of a look, and has offered what it has found, when the
# last prepared transaction commits.
$node->safe_psql('postgres', <<'END');
CREATE FUNCTION nap() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
	PERFORM pg_sleep(2);
	RETURN OLD;
END$$;
CREATE TRIGGER nap BEFORE DELETE ON resonate.messages
	FOR EACH ROW WHEN (OLD.promise_id = 'slow') EXECUTE FUNCTION nap();
END

# The worker looks once a second whether somebody has changed triggers, and then at all.
$session->ask('SELECT pg_sleep(2)');
$session->ask('BEGIN');
$session->ask(
	"SELECT resonate.create_promise('late task', '1 day', tags => '{\"resonate:target\": \"notify://done\"}')"
);
$session->ask("PREPARE TRANSACTION 'late'");
is($session->{error}, '', 'a task, prepared');
$session->ask(
	"SELECT resonate.create_promise_and_callback('slow', 'cb', 'notify://done', '1 day')"
);
$session->ask('BEGIN ISOLATION LEVEL REPEATABLE READ');
$session->ask("SELECT resonate.resolve('slow')");
$session->ask('COMMIT');
ok( $node->poll_query_until(
		'postgres',
		"SELECT wait_event = 'PgSleep' FROM pg_stat_activity
		 WHERE backend_type = 'resonate worker' AND datname = 'postgres'"),
	'the worker is busy');
$session->ask("COMMIT PREPARED 'late'");
is_soon(qr/"late task"/, 'it is offered after the look');

# Prepared before a restart, and awaited where there is neither worker nor launcher.
$session->ask("SELECT resonate.create_promise('awaited', '1 day')");
$session->ask('BEGIN');
$session->ask("SELECT resonate.resolve('awaited')");
$session->ask("PREPARE TRANSACTION 'awaited'");
$session->ask('ALTER DATABASE postgres SET resonate.worker = off');
$session->close;
$listener->close;
$node->append_conf('postgresql.conf', "shared_preload_libraries = ''");
$node->restart;
$session = open_session($node);
$listener = open_session($node);
$listener->send("SELECT state FROM resonate.await_promise('awaited', '1 min')");
ok( $node->poll_query_until(
		'postgres',
		"SELECT count(*) = 1 FROM pg_stat_activity WHERE wait_event_type = 'Extension'
		 AND backend_type = 'client backend'
		 AND query LIKE '%await_promise%' AND pid <> pg_backend_pid()"),
	'a session waits');
$session->ask("COMMIT PREPARED 'awaited'");
{
	my $start = time;

	is($listener->answer, 'resolved', 'it sees what was prepared before a restart');
	cmp_ok(time - $start, '<', 5, 'soon');
}

is(crashes($node), '', 'no process has crashed');
invariants_hold($node);
$session->close;
$listener->close;
$node->stop;
done_testing();
