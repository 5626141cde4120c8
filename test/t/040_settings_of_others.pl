
# Settings that are made for sessions, and requests to cancel: the worker and the
# launcher do their work whatever a database, a role or the configuration says.

use strict;
use warnings FATAL => 'all';

use FindBin;
use lib $FindBin::RealBin;

use PostgreSQL::Test::Utils;
use ResonateTest;
use Test::More;

# Each of these alone has ended all background work, or has made it slow.
my %settings = (
	role => 'app_owner',
	default_transaction_read_only => 'on',
	default_transaction_isolation => 'serializable',
	default_transaction_deferrable => 'on',
	statement_timeout => '1ms',
	lock_timeout => '1ms',
	idle_in_transaction_session_timeout => '1ms',
	session_replication_role => 'replica',
	row_security => 'off',
	search_path => 'pg_temp',
	enable_indexscan => 'off',
	enable_bitmapscan => 'off',
	enable_nestloop => 'off',
	plan_cache_mode => 'force_custom_plan',
	'resonate.debug' => 'on',
	'resonate.test_clock' => '1000');

my $node = new_cluster('main',
	streaming => 1,
	conf => "resonate.retry_interval = '500 ms'\n");

$settings{transaction_timeout} = '1ms'
  if $node->safe_psql('postgres', 'SHOW server_version_num') >= 170000;

# A session that has none of them, and a listener.
sub plain_session
{
	my ($dbname) = @_;

	# Before it could reset the latter, the session would be over.
	local $ENV{PGOPTIONS} = '-c transaction_timeout=0'
	  if exists $settings{transaction_timeout};
	my $session = open_session($node, $dbname);

	$session->ask("RESET ROLE");
	$session->ask('SET ROLE none');
	$session->ask("SET $_ = DEFAULT") foreach (
		'statement_timeout', 'lock_timeout',
		'idle_in_transaction_session_timeout');
	$session->ask(<<'END');
SET statement_timeout = 0; SET lock_timeout = 0; SET idle_in_transaction_session_timeout = 0;
SET default_transaction_read_only = off; SET default_transaction_isolation = 'read committed';
SET default_transaction_deferrable = off; SET session_replication_role = origin;
SET search_path = public; SET resonate.debug = off; SET enable_indexscan = on;
SET enable_nestloop = on; SET enable_bitmapscan = on; SET plan_cache_mode = auto;
SET synchronous_commit = local;
END
	$session->ask('LISTEN done');
	return $session;
}

my $count = 0;

# A deadline, an offer, a schedule and pruning, all from now on.
sub check_service
{
	my ($session, $name) = @_;
	my $id = 'n' . ++$count;

	is( $session->ask(
			"SELECT status FROM resonate.create_promise_and_callback('$id', 'cb', 'notify://done', '100 ms')"),
		2010,
		"$name: a promise");
	like($session->notification(qr/"$id"/),
		qr/"rejected_timedout"/, "$name: it times out, and a listener hears of it");
	$session->ask(<<"END");
SELECT status FROM resonate.create_promise('task $id', '1 h', tags => '{"resonate:target": "notify://done"}')
END
	like($session->notification(qr/"task $id"/),
		qr/"execute"/, "$name: a task is offered");
	$session->ask("SELECT resonate.create_schedule('$id', '* * * * * *', '$id {{.timestamp}}', '1 h')");
	my $fired = 0;
	for (1 .. 1000)
	{
		$fired = $session->ask("SELECT last_run_at IS NOT NULL FROM resonate.schedules WHERE id = '$id'");
		last if $fired eq 't';
		$session->ask('SELECT pg_sleep(0.05)');
	}
	is($fired, 't', "$name: a schedule fires");
	$session->ask("SELECT resonate.delete_schedule('$id')");
	return;
}

sub pid_of
{
	my ($type, $dbname) = @_;
	my $condition = defined $dbname ? "datname = '$dbname'" : 'true';

	$node->poll_query_until('postgres',
		"SELECT count(*) = 1 FROM pg_stat_activity
		 WHERE backend_type = 'resonate $type' AND $condition") or die;
	return $node->safe_psql('postgres',
		"SELECT pid FROM pg_stat_activity
		 WHERE backend_type = 'resonate $type' AND $condition");
}

#
# A database and a role
#

$node->safe_psql('postgres', 'CREATE ROLE app_owner; CREATE DATABASE bar OWNER app_owner');
$node->safe_psql('bar', 'CREATE EXTENSION resonate');

my $worker = pid_of('worker', 'bar');

$node->safe_psql('postgres', "ALTER DATABASE bar SET $_ = '$settings{$_}'")
  foreach sort keys %settings;

my $offset = -s $node->logfile;

$node->safe_psql('postgres', "SELECT pg_terminate_backend($worker)");
ok( $node->poll_query_until(
		'postgres',
		"SELECT count(*) = 1 FROM pg_stat_activity WHERE datname = 'bar'
		 AND backend_type = 'resonate worker' AND pid <> $worker"),
	'a worker starts in a database that has all of them');

my $session = plain_session('bar');

check_service($session, 'a database');
$session->close;
unlike(log_from($node, $offset),
	qr/resonate worker\s+(ERROR|WARNING)/, 'it has logged no error');

#
# The configuration file, while they run
#

$node->safe_psql('postgres', 'ALTER DATABASE bar RESET ALL');
$node->append_conf('postgresql.conf', "$_ = '$settings{$_}'")
  foreach grep { $_ !~ /^role|^resonate|timeout/ } sort keys %settings;
$node->reload;
$session = plain_session('postgres');
$session->ask('SELECT pg_sleep(0.5)');
check_service($session, 'the configuration file');
$session->close;
$node->restart;
$session = plain_session('postgres');
check_service($session, 'the configuration file at the start');
$node->adjust_conf('postgresql.conf', $_, undef)
  foreach grep { $_ !~ /^role|^resonate|timeout/ } sort keys %settings;
$node->reload;

#
# A standby that is not there
#

$node->append_conf('postgresql.conf', "synchronous_standby_names = 'nobody'");
$node->reload;
$session->ask('SELECT pg_sleep(0.5)');
check_service($session, 'without the standby');

# NOTIFY makes commits of the whole cluster wait for each other, and the one that
# waits for the standby keeps all others waiting.
my $stuck = open_session($node);

$stuck->ask('SET synchronous_commit = on');
$session->ask('CREATE TABLE written (i integer)');
$stuck->send('BEGIN; INSERT INTO written VALUES (1); NOTIFY something; COMMIT');
$stuck->is_done;
ok( $node->poll_query_until(
		'postgres',
		"SELECT count(*) = 1 FROM pg_stat_activity WHERE wait_event = 'SyncRep'"),
	'a NOTIFY waits for the standby');
$session->ask("SELECT resonate.create_promise_and_callback('first', 'cb', 'notify://done', '10 ms')");
$session->ask('SELECT pg_sleep(0.5)');
$session->ask("SELECT resonate.create_promise('$_', '10 ms')") foreach ('second', 'third');
ok( $node->poll_query_until(
		'postgres',
		"SELECT count(*) = 3 FROM resonate.promises
		 WHERE id IN ('first', 'second', 'third') AND state = 'rejected_timedout'"),
	'deadlines are kept while nothing can be sent');
$node->safe_psql('postgres',
	"SELECT pg_cancel_backend(pid) FROM pg_stat_activity WHERE wait_event = 'SyncRep'");
$stuck->answer;
$stuck->close;
like($session->notification(qr/"first"/),
	qr/"rejected_timedout"/, 'and what was to be sent is sent when it can be');
$session->ask('CREATE DATABASE gone');
{
	my $gone = plain_session('gone');

	$gone->ask('CREATE EXTENSION resonate');
	$gone->ask("SELECT resonate.create_promise('due', '10 ms')");
	for (1 .. 1000)
	{
		last if $gone->ask("SELECT state FROM resonate.promises") eq 'rejected_timedout';
		$gone->ask('SELECT pg_sleep(0.05)');
	}
	is($gone->ask("SELECT state FROM resonate.promises"),
		'rejected_timedout', 'a worker starts and works without the standby');
	$gone->close;
}
$session->ask('DROP DATABASE gone');
is($session->{error}, '', 'and leaves for DROP DATABASE');
$node->adjust_conf('postgresql.conf', 'synchronous_standby_names', undef);
$node->reload;

#
# Requests to cancel
#

$worker = pid_of('worker', 'postgres');

my $launcher = pid_of('launcher');

for my $pid ($worker, $launcher)
{
	is($node->safe_psql('postgres', "SELECT pg_cancel_backend($pid) FROM generate_series(1, 3)"),
		"t\nt\nt", 'a cancel request');
}
check_service($session, 'after cancel requests');
is(pid_of('worker', 'postgres'), $worker, 'the worker is the same');
is(pid_of('launcher'), $launcher, 'and so is the launcher');

# While a step runs.
$node->safe_psql('postgres', <<'END');
CREATE SEQUENCE tries;
CREATE FUNCTION sleep_once() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER AS $$
BEGIN
	IF OLD.id = 'slow' AND nextval('public.tries') = 1 THEN
		PERFORM pg_catalog.pg_sleep(600);
	END IF;
	RETURN NEW;
END$$;
CREATE TRIGGER sleep_once BEFORE UPDATE ON resonate.promises
	FOR EACH ROW EXECUTE FUNCTION sleep_once();
END
$offset = -s $node->logfile;
$session->ask("SELECT resonate.create_promise_and_callback('slow', 'cb', 'notify://done', '10 ms')");
ok( $node->poll_query_until(
		'postgres',
		"SELECT wait_event = 'PgSleep' FROM pg_stat_activity WHERE pid = $worker"),
	'a step runs for long');
$node->safe_psql('postgres', "SELECT pg_cancel_backend($worker)");
like($session->notification(qr/"slow"/),
	qr/"rejected_timedout"/, 'it is canceled, and runs again later');
is(pid_of('worker', 'postgres'), $worker, 'by the same worker');
like(
	log_from($node, $offset),
	qr/resonate worker\s+ERROR:  canceling statement due to user request/,
	'the log says so');
is($session->ask('SELECT rows_set_aside FROM resonate.stats'),
	0, 'nothing was set aside for it');

#
# A database that DROP DATABASE has left halfway
#

$node->safe_psql('postgres', 'CREATE DATABASE halfway');
$node->safe_psql('halfway', 'CREATE EXTENSION resonate');
$worker = pid_of('worker', 'halfway');
$node->safe_psql('postgres', "UPDATE pg_database SET datconnlimit = -2 WHERE datname = 'halfway'");
$offset = -s $node->logfile;
$node->safe_psql('postgres', "SELECT pg_terminate_backend($worker), pg_terminate_backend($launcher)");
ok( $node->poll_query_until(
		'postgres',
		"SELECT count(*) = 1 FROM pg_stat_activity
		 WHERE backend_type = 'resonate launcher' AND pid <> $launcher"),
	'a new launcher');
$node->safe_psql('postgres', 'CREATE DATABASE whole');
$node->safe_psql('whole', 'CREATE EXTENSION resonate');
wait_for_worker($node, 'whole');
$session->ask('SELECT pg_sleep(2)');
unlike(log_from($node, $offset), qr/invalid database/,
	'it does not try to connect to a database that is dropped halfway');
$node->safe_psql('postgres', 'DROP DATABASE halfway');

$session->close;
is(crashes($node), '', 'no process has crashed');
invariants_hold($node);
$node->stop;
done_testing();
