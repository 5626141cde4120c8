
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

is(crashes($node), '', 'no process has crashed');
invariants_hold($node);
$session->close;
$listener->close;
$node->stop;
done_testing();
