
# Configuration parameters, and what the log says.

use strict;
use warnings FATAL => 'all';

use FindBin;
use lib $FindBin::RealBin;

use PostgreSQL::Test::Utils;
use ResonateTest;
use Test::More;

my $node = new_cluster('main');

wait_for_worker($node);

#
# What there is
#

is( $node->safe_psql('postgres', <<'END'),
SELECT name, coalesce(unit, ''), context, boot_val FROM pg_settings
WHERE name LIKE 'resonate.%' ORDER BY name COLLATE "C"
END
	<<'END' =~ s/\n\z//r, 'names, units, contexts and defaults');
resonate.branch_bytes|B|user|4194304
resonate.branch_limit||user|100
resonate.debug||superuser|off
resonate.default_timeout|ms|user|86400000
resonate.delivered_retention|s|sighup|3600
resonate.delivery_batch_size||sighup|1000
resonate.notify_payload||sighup|state
resonate.page_bytes|B|user|16777216
resonate.profile||superuser|sdk
resonate.prune_batch_size||sighup|1000
resonate.retention|s|sighup|604800
resonate.retry_backoff||superuser|2
resonate.retry_interval|ms|sighup|5000
resonate.retry_timeout|ms|superuser|5000
resonate.retry_timeout_max|ms|superuser|300000
resonate.schedule_batch_size||sighup|1000
resonate.schedule_grace|ms|superuser|60000
resonate.sweep_batch_size||sighup|1000
resonate.test_clock||superuser|
resonate.undelivered_retention|s|sighup|86400
resonate.visibility_timeout|ms|user|30000
resonate.worker||superuser|on
END
is( $node->safe_psql(
		'postgres',
		"SELECT name FROM pg_settings WHERE name LIKE 'resonate.%'
		 AND short_desc !~ '^[A-Z].*\\.\$'"),
	'',
	'each has a description');

#
# Bad values
#

my @bad = (
	[ 'resonate.branch_limit', '10001' ],
	[ 'resonate.debug', 'perhaps' ],
	[ 'resonate.default_timeout', '-1' ],
	[ 'resonate.default_timeout', '10 parsecs' ],
	[ 'resonate.profile', 'lenient' ],
	[ 'resonate.retry_backoff', '0.9' ],
	[ 'resonate.retry_timeout', '0' ],
	[ 'resonate.retry_timeout_max', '0' ],
	[ 'resonate.schedule_grace', '-1' ],
	[ 'resonate.test_clock', 'yesterday' ],
	[ 'resonate.test_clock', '-1' ],
	[ 'resonate.test_clock', '12 ' ],
	[ 'resonate.test_clock', '99999999999999999999' ],
	[ 'resonate.visibility_timeout', '-1' ]);

is(error_of($node, "SET $_->[0] = '$_->[1]'"), '22023', "$_->[0] = '$_->[1]'")
  foreach @bad;

my @bad_in_file = (
	[ 'resonate.delivery_batch_size', '0' ],
	[ 'resonate.delivery_batch_size', '100001' ],
	[ 'resonate.notify_payload', 'everything' ],
	[ 'resonate.prune_batch_size', '0' ],
	[ 'resonate.retention', '-2' ],
	[ 'resonate.retry_interval', '0' ],
	[ 'resonate.schedule_batch_size', '0' ],
	[ 'resonate.sweep_batch_size', 'many' ]);

is(error_of($node, "ALTER SYSTEM SET $_->[0] = '$_->[1]'"),
	'22023', "$_->[0] = '$_->[1]'")
  foreach @bad_in_file;

is(error_of($node, "SET $_->[0] = DEFAULT"),
	'55P02', "$_->[0] belongs to the configuration file")
  foreach @bad_in_file;

is(error_of($node, "SET $_ = '1'"), '42602', "$_ is refused")
  foreach ('resonate.no_such_thing', 'resonate.default_timeout_ms');

#
# Who may
#

my $client = become($node, 'client');

for my $name (
	'debug', 'profile', 'retry_backoff', 'retry_timeout',
	'retry_timeout_max', 'schedule_grace', 'test_clock')
{
	$client->ask("SET resonate.$name = DEFAULT");
	is($client->{error}, '42501', "resonate.$name is for superusers");
}
$client->ask("SET resonate.default_timeout = '1 h'");
$client->ask("SELECT resonate.create_promise('an hour')");
is( $client->ask(
		"SELECT timeout_at - created_at FROM resonate.get_promise('an hour')"
	),
	'01:00:00',
	'everybody may set resonate.default_timeout');

# The clock counts with resonate.debug only.
my $session = open_session($node);

$session->ask("SET resonate.test_clock = '1000'");
is( $session->ask(
		"SELECT created_at > '2000-01-01' FROM resonate.create_promise('now')"
	),
	't',
	'without resonate.debug the test clock is ignored');
$session->ask('SET resonate.debug = on');
is( $session->ask(
		"SELECT created_at = to_timestamp(1) FROM resonate.create_promise('then')"
	),
	't',
	'with resonate.debug it counts');
is($client->ask("SELECT state FROM resonate.get_promise('then')"),
	'rejected_timedout', 'in that session only');
$session->close;
$client->close;

#
# A bad configuration file
#

my $offset = -s $node->logfile;

$node->append_conf('postgresql.conf', "resonate.sweep_batch_size = 'none'");
$node->reload;
$node->wait_for_log(
	qr/invalid value for parameter "resonate\.sweep_batch_size": "none"/,
	$offset);
is($node->safe_psql('postgres', 'SHOW resonate.sweep_batch_size'),
	1000, 'a bad value in the file changes nothing');
$node->adjust_conf('postgresql.conf', 'resonate.sweep_batch_size', "'7'");
$node->append_conf('postgresql.conf', "resonate.no_such_thing = 'x'");
$node->restart;
wait_for_worker($node);
is($node->safe_psql('postgres', 'SHOW resonate.sweep_batch_size'),
	7, 'a good one is taken');
like(
	log_from($node, $offset),
	qr/invalid configuration parameter name "resonate\.no_such_thing"/,
	'the log warns of a parameter that does not exist');
$node->adjust_conf('postgresql.conf', 'resonate.no_such_thing', undef);

#
# Retention
#

$node->safe_psql('postgres', <<'END');
SET resonate.debug = on;
SET resonate.test_clock = '1000';
SELECT resonate.create_promise('history ' || i, '1 s') FROM generate_series(1, 20) i;
SELECT resonate.resolve('history ' || i) FROM generate_series(1, 20) i;
SELECT resonate.create_promise('kept', '1 day');
END
$node->append_conf('postgresql.conf', "resonate.retention = '1 h'");
$node->restart;
ok( $node->poll_query_until(
		'postgres', "SELECT count(*) = 0 FROM resonate.promises
		 WHERE id LIKE 'history%'"),
	'the worker removes history that is older than resonate.retention');
is( $node->safe_psql(
		'postgres', "SELECT promises_pruned >= 20 FROM resonate.stats"),
	't',
	'and counts what it removes');
is( $node->safe_psql(
		'postgres',
		"SELECT count(*) FROM resonate.promises WHERE id = 'an hour'"),
	1,
	'what is pending stays');

#
# The log of an ordinary day
#

$offset = -s $node->logfile;
$node->safe_psql('postgres', <<'END');
SELECT resonate.create_promise_and_callback('quiet ' || i, 'cb', 'notify://done',
	CASE i % 2 WHEN 0 THEN interval '10 ms' ELSE '1 h' END)
FROM generate_series(1, 50) i;
SELECT resonate.resolve('quiet ' || i) FROM generate_series(1, 50) i;
END
ok( $node->poll_query_until(
		'postgres', 'SELECT undelivered_messages = 0 FROM resonate.stats'),
	'fifty promises settle');
is(log_from($node, $offset), '', 'and the log has nothing to say about it');

# A worker's errors say whose they are.
$node->safe_psql('postgres', <<'END');
INSERT INTO resonate.messages VALUES (0, 0, 0, 'callback', 'missing', 'cb', 'notify://done');
END
$node->wait_for_log(
	qr/WARNING:  could not deliver.*CONTEXT:  resonate worker for database "postgres"/s,
	$offset);
pass('a report of a worker names its database');

# Smart and fast shutdown do not wait for us.
$node->stop('smart');
pass('smart shutdown');
$node->start;
wait_for_worker($node);
$node->stop('fast');
pass('fast shutdown');
done_testing();
