
# What large values cost: the worker and the sessions stay within bounds that
# do not grow with the number of rows, and the largest values that are taken
# can be read again by every function.

use strict;
use warnings FATAL => 'all';

use FindBin;
use lib $FindBin::RealBin;

use PostgreSQL::Test::Utils;
use ResonateTest;
use Test::More;

plan skip_all => 'this system does not tell the peak of a process'
  unless -r "/proc/$$/status";

# All in MB.
use constant VALUE => 20;

# What a session may need: ten times a value of that size, and a little.
use constant SESSION_BOUND => 10 * VALUE + 32;

# What the worker may need, whatever the values are.
use constant WORKER_BOUND => 64;

# Shared memory counts, too, as far as a process has touched it.
my $node = new_cluster('main', conf => <<'END');
shared_buffers = '1 MB'
max_wal_size = '8 GB'
END
my $session;

# The most memory that a process has ever had, in MB.
sub peak
{
	my ($pid) = @_;
	my ($peak) = slurp_file("/proc/$pid/status") =~ /VmHWM:\s+(\d+)/;
	return $peak / 1024;
}

# A value of that many MB, as SQL; it is compressed well, as a large one often is.
sub value
{
	my ($size) = @_;
	return "to_jsonb(repeat('0123456789abcdef', @{[ $size * 65536 ]}))";
}

sub rpc
{
	my ($kind, $data) = @_;
	return qq[resonate.resonate_rpc(jsonb_build_object('kind', '$kind', 'data', $data,
		'head', '{"corrId": "t", "version": "2026-04-01"}'::jsonb))];
}

# Has all that a query returns written out and thrown away.
sub read_all
{
	my ($query) = @_;

	$session->ask("COPY ($query) TO '/dev/null'");
	return $session->{error};
}

# In a session of its own, tests that a query is answered within the bound.
sub within_bound
{
	my ($name, $query, $bound) = @_;

	$session = open_session($node);
	$session->ask("SET jit = off");
	is(read_all($query), '', $name);
	cmp_ok(peak($session->pid), '<', $bound // SESSION_BOUND, "$name: MB at the peak");
	$session->close;
	return;
}

#
# The worker
#

for my $payload (qw(state record))
{
	my $worker;

	$node->append_conf('postgresql.conf', "resonate.notify_payload = '$payload'");
	$node->restart;
	$worker = wait_for_worker($node);
	$session = open_session($node);
	for my $callbacks (300, 3)
	{
		my $id = "$payload to $callbacks";

		$session->ask("SELECT resonate.create_promise('$id', '1 day')");
		$session->ask("SELECT count(resonate.create_callback('$id', i::text, 'notify://chan'))
			FROM generate_series(1, $callbacks) AS i");
		is($session->ask("SELECT status FROM resonate.resolve('$id', " . value(VALUE) . ")"),
			2010, "a value of @{[VALUE]} MB is settled for $callbacks who listen");
	}
	ok( $node->poll_query_until('postgres',
			'SELECT notifications_sent = 303 FROM resonate.stats'),
		"notify_payload = $payload: all are notified");
	is(worker_pid($node), $worker, 'the worker is the same');
	cmp_ok(peak($worker), '<', WORKER_BOUND, 'MB at its peak');
	$session->close;
}

#
# Sessions
#

$session = open_session($node);
$session->ask("SELECT " . rpc('promise.create', qq['{"id": "b", "timeoutAt": 5000000000000,
	"tags": {"resonate:target": "poll://any\@g", "resonate:branch": "b"}}'::jsonb]));
for my $i (10 .. 21)
{
	$session->ask("SELECT status FROM resonate.create_promise('b.$i', '1 day',
		tags => '{\"resonate:branch\": \"b\", \"resonate:external\": \"true\"}')");
	$session->ask("SELECT status FROM resonate.create_callback('b.$i', 'c', 'poll://any\@q')");
	$session->ask("SELECT " . rpc('promise.register_listener',
			qq['{"awaited": "b.$i", "address": "poll://any\@l"}'::jsonb]) . " #>> '{head,status}'");
	$session->ask("SELECT status FROM resonate.resolve('b.$i', @{[ value(VALUE) ]})");
}
$session->ask("SELECT status FROM resonate.create_schedule('s$_', '\@yearly', param => @{[ value(VALUE) ]})")
  for 1 .. 6;
is( $session->ask("SELECT count(*) FROM resonate.promises
		WHERE id LIKE 'b.%' AND octet_length(value_data) > 20000000"),
	12, 'twelve siblings');
is($session->ask("SELECT jsonb_array_length(r #> '{data,preload}') || ' ' || (r #>> '{head,status}')
		FROM " . rpc('task.acquire',
			qq['{"id": "b", "version": 0, "pid": "me", "ttl": 60000}'::jsonb]) . ' AS r'),
	'0 200', 'the task is acquired, without what is too large');
$session->close;

within_bound('promise.search', 'SELECT ' . rpc('promise.search', qq['{}'::jsonb]));
within_bound('search_promises', "SELECT * FROM resonate.search_promises()");
within_bound('schedule.search', 'SELECT ' . rpc('schedule.search', qq['{}'::jsonb]));
within_bound('search_schedules', "SELECT * FROM resonate.search_schedules()");
within_bound('receive', "SELECT * FROM resonate.receive('poll://any\@q')");
within_bound('dequeue_unblock', "SELECT * FROM resonate.dequeue_unblock('poll://any\@l')");
within_bound('get_task', "SELECT * FROM resonate.get_task('b')");
within_bound('task.fence', 'SELECT ' . rpc('task.fence', qq['{"id": "b", "version": 1, "action":
	{"kind": "promise.create", "data": {"id": "b.1", "timeoutAt": 4500000000000,
	"tags": {"resonate:branch": "b"}}}}'::jsonb]));

# All are answered, one row after the other.
within_bound('create_promises', "SELECT status, id, state FROM resonate.create_promises(
	(SELECT jsonb_agg(jsonb_build_object('id', 'b.' || i)) FROM generate_series(10, 21) AS i))");
within_bound('settle_promises', "SELECT status, id, state FROM resonate.settle_promises(
	(SELECT jsonb_agg(jsonb_build_object('id', 'b.' || i, 'state', 'rejected'))
	 FROM generate_series(10, 21) AS i))");

# Occurrences of a schedule whose param and tags are large: one at a time.
$session = open_session($node);
$session->ask('SET resonate.debug = on; SET resonate.test_clock = 4102444800000');
is( $session->ask("SELECT status FROM resonate.create_schedule('often', '* * * * * *', param => @{[ value(VALUE) ]},
		tags => jsonb_build_object('note', @{[ value(VALUE) ]} #>> '{}'))"),
	2010, 'a schedule of large promises');
$session->close;
$session = open_session($node);
$session->ask('SET resonate.debug = on; SET resonate.test_clock = 4102444812000');
for my $nth (1 .. 12)
{
	is($session->ask('SELECT processed FROM resonate.worker_step()'), 1, "it fires: $nth");
}
cmp_ok(peak($session->pid), '<', SESSION_BOUND, 'MB at the peak');
$session->close;

# Many deadlines at once.
$node->safe_psql('postgres', <<"END");
SELECT count(resonate.create_promise('due ' || i, '1 s', param => @{[ value(VALUE) ]}))
FROM generate_series(1, 5) AS i
END
ok( $node->poll_query_until('postgres',
		"SELECT count(*) = 5 FROM resonate.promises WHERE id LIKE 'due %' AND settled_at IS NOT NULL"),
	'their deadlines are kept');
cmp_ok(peak(worker_pid($node)), '<', WORKER_BOUND, 'MB at the peak of the worker');
$node->safe_psql('postgres', 'DELETE FROM resonate.schedules; DELETE FROM resonate.promises');

#
# The largest that there is
#

# Values that no compression makes small in the answer: 64 MB of JSON each, and
# the rest of what one promise may have.
my $largest = "to_jsonb(repeat('\"\\', 16 * 1024 * 1024 - 1))";
my $rest = 10;

$session = open_session($node);
$session->ask("SELECT status FROM resonate.create_promise('largest', '1 day', $largest,
	tags => jsonb_build_object('note', repeat('x', $rest * 1024 * 1024)))");
is($session->{error}, '', 'the largest param and more tags');
$session->ask("SELECT status FROM resonate.create_callback('largest', 'c', 'poll://any\@q')");
$session->ask("SELECT " . rpc('promise.register_listener',
		qq['{"awaited": "largest", "address": "poll://any\@l"}'::jsonb]) . " #>> '{head,status}'");
$session->ask("SELECT status FROM resonate.resolve('largest', $largest,
	jsonb_build_object('note', repeat('x', $rest * 1024 * 1024)))");
is($session->{error}, '', 'the largest value and more headers');
is( $session->ask('SELECT octet_length(param_data), octet_length(value_data) FROM resonate.promises'),
	join('|', (64 * 1024 * 1024 - 2) x 2), 'are stored');
is(read_all($_), '', "are read: $_")
  for (
	"SELECT * FROM resonate.get_promise('largest')",
	"SELECT * FROM resonate.search_promises()",
	"SELECT * FROM resonate.receive('poll://any\@q')",
	"SELECT * FROM resonate.dequeue_unblock('poll://any\@l')",
	"SELECT " . rpc('promise.get', qq['{"id": "largest"}'::jsonb]),
	"SELECT " . rpc('promise.search', qq['{}'::jsonb]));
cmp_ok(peak($session->pid), '<', 2048, 'MB at the peak of the session');
is(read_all("SELECT resonate.get_promise('largest')"), '', 'are read as one column, with all quotes doubled');
$session->close;

# One byte more than that is refused.
sub refused
{
	my ($name, $sql) = @_;
	is(error_of($node, $sql), '54000', $name);
	return;
}
refused('a param that is too large',
	"SELECT resonate.create_promise('more', '1 day', to_jsonb(repeat('x', 64 * 1024 * 1024 - 1)))");
refused('a param and tags that are too large together',
	"SELECT resonate.create_promise('more', '1 day', $largest,
	 tags => jsonb_build_object('note', repeat('x', 12 * 1024 * 1024)))");
refused('tags that are too large when they are written',
	"SELECT resonate.create_promise('more', '1 day', tags => jsonb_build_object('note', repeat(chr(1), 17 * 1024 * 1024)))");
refused('headers that are too large when they are written',
	"SELECT resonate.resolve('more', '1', jsonb_build_object('note', repeat(chr(1), 17 * 1024 * 1024)))");
refused('in a batch', "SELECT resonate.settle_promises(jsonb_build_array(jsonb_build_object(
	 'id', 'more', 'state', 'resolved', 'headers', jsonb_build_object('note', repeat(chr(1), 17 * 1024 * 1024)))))");
refused('of a schedule', "SELECT resonate.create_schedule('more', '\@yearly',
	 tags => jsonb_build_object('note', repeat(chr(1), 17 * 1024 * 1024)))");

sub malformed
{
	my ($name, $kind, $data) = @_;
	is($node->safe_psql('postgres', "SELECT " . rpc($kind, $data) . " #>> '{head,status}'"), 400, $name);
	return;
}
malformed('a string of control characters', 'promise.create', "jsonb_build_object('id', 'more', 'timeoutAt', 5000000000000,
	'param', jsonb_build_object('data', repeat(chr(1), 17 * 1024 * 1024)))");
malformed('and as a value', 'promise.settle', "jsonb_build_object('id', 'more', 'state', 'resolved',
	'value', jsonb_build_object('data', repeat(chr(1), 17 * 1024 * 1024)))");
malformed('and of a schedule', 'schedule.create', "jsonb_build_object('id', 'more', 'cron', '\@yearly',
	'promiseId', 'x', 'promiseTimeout', 1, 'promiseParam', jsonb_build_object('data', repeat(chr(1), 17 * 1024 * 1024)))");

invariants_hold($node);
is(crashes($node), '', 'no process has crashed');
$node->stop;
done_testing();
