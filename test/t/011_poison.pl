
# A row that cannot be dealt with is set aside and reported; it never stops the
# rest, and it is dealt with once it can be.

use strict;
use warnings FATAL => 'all';

use FindBin;
use lib $FindBin::RealBin;

use PostgreSQL::Test::Utils;
use ResonateTest;
use Test::More;

my $node = new_cluster('main', conf => <<'END');
resonate.sweep_batch_size = 10
resonate.delivery_batch_size = 10
resonate.retry_interval = '500 ms'
resonate.notify_payload = 'record'
END
my $listener = open_session($node);
my $offset = 0;

wait_for_worker($node);
$listener->ask('LISTEN done');

sub stats
{
	my ($column) = @_;

	return $node->safe_psql('postgres', "SELECT $column FROM resonate.stats");
}

#
# Promises
#

# A message that is in the way of the callback of a promise makes the timeout
# of that promise fail.  Two of them, among many, in several batches.
$node->safe_psql('postgres', <<'END');
BEGIN;
SELECT count(*) FROM generate_series(1, 60) i, LATERAL
	resonate.create_promise_and_callback('p' || i, 'cb', 'notify://done', '1 s');
SELECT resonate.create_callback(id, 'other', 'poll://any@in-the-way')
FROM unnest(ARRAY['p7', 'p33']) id;
INSERT INTO resonate.messages
SELECT 0, 9223372036854775806, 0, 'callback', id, 'other', 'poll://any@in-the-way'
FROM unnest(ARRAY['p7', 'p33']) id;
COMMIT;
END
ok( $node->poll_query_until(
		'postgres', "SELECT count(*) = 58 FROM resonate.promises
		 WHERE id LIKE 'p%' AND state = 'rejected_timedout'"),
	'all others time out');
is( $node->safe_psql(
		'postgres',
		"SELECT string_agg(id, ' ' ORDER BY id) FROM resonate.promises
		 WHERE id LIKE 'p%' AND state = 'pending'"),
	'p33 p7',
	'those two do not');
ok( $node->poll_query_until(
		'postgres', 'SELECT rows_set_aside = 2 FROM resonate.stats'),
	'the statistics count them');
is(stats('due'), 2, 'and show that they are due');
like(
	log_from($node, $offset),
	qr/could not run step "timeout" for "$_"/,
	"the log names $_") foreach ('p7', 'p33');
isnt($listener->notification(qr/"p60"/),
	undef, 'listeners of the others hear of them');

# What comes later is not held up.
$offset = -s $node->logfile;
for my $i (1 .. 3)
{
	$node->safe_psql('postgres',
		"SELECT resonate.create_promise_and_callback('later $i', 'cb', 'notify://done', '100 ms')"
	);
	like($listener->notification(qr/"later $i"/),
		qr/"rejected_timedout"/, "promise $i that comes later times out");
}
unlike(
	log_from($node, $offset),
	qr/resonate worker\s+ERROR/,
	'those that are set aside are not tried at every sweep');

# A new worker knows nothing of them; they do not stop it, either.
my $worker = worker_pid($node);

$node->safe_psql('postgres', "SELECT pg_terminate_backend($worker)");
$worker = wait_for_worker($node, 'postgres', $worker);
$node->safe_psql('postgres',
	"SELECT resonate.create_promise_and_callback('restarted', 'cb', 'notify://done', '100 ms')"
);
like($listener->notification(qr/"restarted"/),
	qr/"rejected_timedout"/, 'a new worker is not stopped');
is(stats('rows_set_aside'), 2, 'it sets them aside as well');

#
# Messages, meanwhile
#

# Addresses that no function would have taken, and a message without promise.
$node->safe_psql('postgres', <<'END');
BEGIN;
SELECT count(*) FROM generate_series(1, 60) i, LATERAL
	resonate.create_promise_and_callback('m' || i, 'cb', 'notify://done', '1 day');
SELECT count(*) FROM generate_series(1, 60) i, LATERAL resonate.resolve('m' || i);
INSERT INTO resonate.messages VALUES
	(0, 0, 0, 'callback', 'm1', 'empty', 'notify://'),
	(0, 0, 0, 'callback', 'm1', 'long', 'notify://' || repeat('x', 64)),
	(0, 0, 0, 'callback', 'missing', 'cb', 'notify://done');
COMMIT;
END
ok( $node->poll_query_until(
		'postgres', "SELECT count(*) = 0 FROM resonate.messages
		 WHERE promise_id LIKE 'm%' AND callback_id = 'cb'
		 AND promise_id <> 'missing'"),
	'all other messages are delivered');
isnt($listener->notification(qr/"m60"/), undef, 'to their listeners');
ok( $node->poll_query_until(
		'postgres', 'SELECT delivery_failures >= 6 FROM resonate.stats'),
	'the others are tried again, and counted');
is( $node->safe_psql('postgres', <<'END'),
SELECT count(*), min(attempt) > 0, min(due_at) > 0 FROM resonate.messages
WHERE address LIKE 'notify:%'
END
	'3|t|t', 'they stay, for later');
like(
	log_from($node, $offset),
	qr/could not deliver callback "$_->[1]" of promise "$_->[0]" to "$_->[2]/,
	"the log names callback $_->[1] of $_->[0]")
  foreach (
	[ 'm1', 'empty', 'notify://' ],
	[ 'm1', 'long', 'notify://xxx' ],
	[ 'missing', 'cb', 'notify://done' ]);

# Once the cause is gone, they go.
$node->safe_psql('postgres', <<'END');
UPDATE resonate.messages SET address = 'notify://done'
WHERE promise_id = 'm1';
SELECT resonate.create_promise('missing', '1 day');
SELECT resonate.resolve('missing');
END
like($listener->notification(qr/"callback":"$_"/),
	qr/"resolved"/, "callback $_ is delivered in the end")
  foreach ('empty', 'long');
like($listener->notification(qr/"missing"/),
	qr/"resolved"/, 'and the message whose promise was missing');

#
# Callbacks of a restore
#

$offset = -s $node->logfile;
$node->safe_psql('postgres', <<'END');
BEGIN;
SELECT resonate.create_promise('r' || i, '1 day') FROM generate_series(1, 20) i;
SELECT resonate.resolve('r' || i) FROM generate_series(1, 20) i;
INSERT INTO resonate.messages
VALUES (0, 9223372036854775806, 0, 'callback', 'r3', 'cb', 'poll://any@in-the-way');
INSERT INTO resonate.callbacks
SELECT 0, 'callback', 'r' || i, 'cb', 'notify://done' FROM generate_series(1, 20) i;
COMMIT;
END
ok( $node->poll_query_until(
		'postgres', "SELECT count(*) = 1 FROM resonate.callbacks
		 WHERE promise_id LIKE 'r%'"),
	'callbacks of settled promises fire, all but the one that cannot');
like(log_from($node, $offset), qr/"r3"|\(r3, callback, cb\)/, 'the log names that one');
$node->safe_psql('postgres',
	"DELETE FROM resonate.messages WHERE promise_id = 'r3'");
ok( $node->poll_query_until(
		'postgres', "SELECT count(*) = 0 FROM resonate.callbacks
		 WHERE promise_id LIKE 'r%'"),
	'it fires once it can');

#
# The two promises of the beginning
#

$node->safe_psql('postgres', <<'END');
DELETE FROM resonate.messages WHERE address = 'poll://any@in-the-way';
END
is( $node->safe_psql(
		'postgres', "SELECT state FROM resonate.get_promise('p7')"),
	'rejected_timedout',
	'once the cause is gone, whoever reads one settles it');
ok( $node->poll_query_until(
		'postgres',
		"SELECT state = 'rejected_timedout' FROM resonate.promises WHERE id = 'p33'"
	),
	'and the worker settles the other');
isnt($listener->notification(qr/"$_"/),
	undef, "the listener of $_ hears of it")
  foreach ('p7', 'p33');
is(worker_pid($node), $worker, 'it was the same worker all the time');

#
# Values that are no JSON, as only a foreign hand can write them
#

$node->safe_psql('postgres', <<'END');
INSERT INTO resonate.promises
	(created_at, timeout_at, settled_at, state, timer, external, targeted, id,
	 tags, value_data)
SELECT 0, 10, 1, 'resolved', false, true, false, 'bytes' || i, '{}', v
FROM unnest(ARRAY['no json'::bytea, '', '\xff00']) WITH ORDINALITY AS v (v, i);
INSERT INTO resonate.messages
SELECT 0, i, 0, 'callback', 'bytes' || i, 'cb', 'notify://done' FROM generate_series(1, 3) i;
SELECT resonate.create_promise_and_callback('good', 'cb', 'notify://done', '1 day');
SELECT resonate.resolve('good');
END
like($listener->notification(qr/"good"/),
	qr/"resolved"/,
	'a value that is no JSON, or not even text, does not stop others');

is(crashes($node), '', 'no process has crashed');
$listener->close;
$node->stop;
done_testing();
