
# A dump carries everything, and what was restored works at once.

use strict;
use warnings FATAL => 'all';

use FindBin;
use lib $FindBin::RealBin;

use PostgreSQL::Test::Utils;
use ResonateTest;
use Test::More;

my $node = new_cluster('main', extension => 0);
my $dir = PostgreSQL::Test::Utils::tempdir;
my @connect = ('-h', $node->host, '-p', $node->port);

# All rows of all tables, as text.
sub rows
{
	my ($server, $dbname) = @_;

	return join(
		"\n",
		map {
			$server->safe_psql($dbname,
				"SELECT t.*::text FROM resonate.$_ t ORDER BY t.*::text COLLATE \"C\""
			)
		} ('promises', 'callbacks', 'messages'));
}

#
# A database with everything that there can be
#

$node->safe_psql('postgres', 'CREATE DATABASE source');
$node->safe_psql('source', 'CREATE EXTENSION resonate');
$node->safe_psql('source', <<'END');
SELECT resonate.create_promise_and_callback('pending ' || i, 'cb',
	CASE i % 3 WHEN 0 THEN 'notify://done' WHEN 1 THEN 'poll://any@group'
	ELSE 'poll://uni@group/' || i END,
	timeout => '10 days', param => to_jsonb('param ' || i),
	headers => '{"h": "v"}', tags => jsonb_build_object('n', i::text),
	idempotency_key => 'key ' || i)
FROM generate_series(1, 200) i;
SELECT resonate.create_promise(E'odd \\ \t \n '' " id / é 漢', '10 days',
	'"\\u00e9 \\n \\\\"');
SELECT resonate.create_promise('timer', '10 days', tags => '{"resonate:timer": "true"}');
SELECT resonate.create_promise('never', timeout_at => 'infinity');
SELECT resonate.create_promise('internal', '10 days', tags => '{"resonate:external": "false"}');
SELECT resonate.create_promise('big', '10 days', to_jsonb(repeat('x', 1000000)));
SELECT resonate.create_promise_and_callback('settled ' || i, 'cb',
	'poll://any@group', '10 days') FROM generate_series(1, 50) i;
SELECT resonate.resolve('settled ' || i, to_jsonb(i), '{"h": "v"}', 'k' || i)
FROM generate_series(1, 30) i;
SELECT resonate.reject('settled ' || i) FROM generate_series(31, 40) i;
SELECT resonate.cancel('settled ' || i) FROM generate_series(41, 50) i;
SELECT resonate.create_promise_and_callback('timed out', 'cb', 'poll://any@group', '10 ms');
END
ok( $node->poll_query_until(
		'source', 'SELECT rejected_timedout = 1 FROM resonate.stats'),
	'a database with promises in every state');
is( $node->safe_psql(
		'source',
		"SELECT count(*) FROM resonate.receive('poll://any\@group', 10, '1 hour')"
	),
	10,
	'and messages that were received and not acknowledged');

my $rows = rows($node, 'source');

is( $node->safe_psql('source', <<'END'),
SELECT (SELECT count(*) FROM resonate.promises),
	   (SELECT count(*) FROM resonate.callbacks),
	   (SELECT count(*) FROM resonate.messages),
	   (SELECT count(DISTINCT state) FROM resonate.promises)
END
	'256|200|51|5',
	'it has all kinds of rows');

#
# Dump and restore
#

my %restore = (
	plain => sub {
		my ($target) = @_;
		return (
			[
				'psql', '-Xq', '-v', 'ON_ERROR_STOP=1', '-d', $target,
				@connect, '-f', "$dir/plain"
			]);
	},
	custom => sub {
		my ($target) = @_;
		return (
			[
				'pg_restore', '--exit-on-error',
				@connect, '-d',
				$target, "$dir/custom"
			]);
	},
	directory => sub {
		my ($target) = @_;
		return (
			[
				'pg_restore', '--exit-on-error',
				'-j2', @connect,
				'-d', $target,
				"$dir/directory"
			]);
	});

for my $format (sort keys %restore)
{
	my @jobs = $format eq 'directory' ? ('-j2') : ();

	$node->command_ok(
		[
			'pg_dump', @connect,
			"--format=$format", @jobs,
			'-f', "$dir/$format",
			'source'
		],
		"$format: dump");
	$node->safe_psql('postgres',
		"CREATE DATABASE $format TEMPLATE template0");
	$node->command_ok($_, "$format: restore")
	  foreach $restore{$format}->($format);
	is(rows($node, $format), $rows, "$format: all rows are the same");

	# The settings of the columns, constraints and guards came with the extension.
	is( error_of(
			$node,
			"UPDATE resonate.promises SET value_data = NULL WHERE id = 'settled 1'",
			$format),
		'23514',
		"$format: settled promises are guarded");
	is( $node->safe_psql(
			$format,
			"SELECT status, value FROM resonate.resolve('settled 7', idempotency_key => 'k7')"
		),
		'2000|7',
		"$format: idempotency keys work");
	is( $node->safe_psql(
			$format,
			"SELECT id FROM resonate.search_promises(tags => '{\"n\": \"17\"}')"
		),
		'pending 17',
		"$format: tags are found");

	my $listener = open_session($node, $format);

	$listener->ask('LISTEN done');
	$node->safe_psql($format, "SELECT resonate.resolve('pending 3', '3')");
	like($listener->notification(qr/"pending 3"/),
		qr/"resolved"/, "$format: callbacks fire");
	$listener->close;
	is( $node->safe_psql($format, <<'END'),
SELECT count(*) FROM resonate.receive('poll://any@group', 1000, '1 hour')
END
		41,
		"$format: messages that were not received can be");
}

#
# At once
#

# Deadlines that pass soon after the restore, or have passed before it, and
# nobody calls anything.
$node->safe_psql('source', <<'END');
SELECT resonate.create_promise_and_callback('soon', 'cb', 'notify://done', '2 s');
SELECT resonate.create_promise_and_callback('sooner', 'cb', 'notify://done', '1 s');
END

my @dump = ('pg_dump', @connect, '--format=custom', '-f');

$node->command_ok([ @dump, "$dir/soon", 'source' ], 'dump with deadlines');
$node->poll_query_until(
	'source',
	"SELECT count(*) = 2 FROM resonate.promises WHERE id LIKE 'soon%'
	 AND state = 'rejected_timedout'") or die;
$node->safe_psql('postgres', 'CREATE DATABASE later TEMPLATE template0');

my $listener = open_session($node, 'later');

$listener->ask('LISTEN done');
$node->command_ok(
	[ 'pg_restore', '--exit-on-error', @connect, '-d', 'later', "$dir/soon" ],
	'restore after the deadlines');

# The table is looked at past the functions of the extension.
ok( $node->poll_query_until(
		'later', "SELECT count(*) = 2 FROM resonate.promises
		 WHERE id LIKE 'soon%' AND state = 'rejected_timedout'"),
	'armed deadlines fire without any call');
like($listener->notification(qr/"$_"/),
	qr/"rejected_timedout"/, "and the listener of $_ hears of it")
  foreach ('soon', 'sooner');

$node->safe_psql('source', <<'END');
SELECT resonate.create_promise_and_callback('armed', 'cb', 'notify://done', '5 s');
END
$node->command_ok([ @dump, "$dir/armed", 'source' ], 'dump once more');
$node->safe_psql('postgres', 'CREATE DATABASE armed TEMPLATE template0');
$node->command_ok(
	[
		'pg_restore', '--exit-on-error', @connect, '-d', 'armed',
		"$dir/armed"
	],
	'restore before the deadline');
ok( $node->poll_query_until(
		'armed', "SELECT state = 'rejected_timedout' FROM resonate.promises
		 WHERE id = 'armed'"),
	'a deadline that was ahead fires in its time');

# A parallel restore can load callbacks when their promise is settled already.
my ($list, $callbacks, $rest) = ('', '', '');

IPC::Run::run([ 'pg_restore', '-l', "$dir/soon" ], '>', \$list) or die;
for (split /^/m, $list)
{
	if   (/TABLE DATA resonate callbacks/) { $callbacks .= $_; }
	else                                   { $rest      .= $_; }
}
isnt($callbacks, '', 'the dump has callbacks');
append_to_file("$dir/list1", $rest);
append_to_file("$dir/list2", $callbacks);
$node->safe_psql('postgres', 'CREATE DATABASE parts TEMPLATE template0');
$node->command_ok(
	[
		'pg_restore', '--exit-on-error', @connect, '-L',
		"$dir/list1", '-d', 'parts', "$dir/soon"
	],
	'restore all but the callbacks');
ok( $node->poll_query_until(
		'parts', "SELECT count(*) = 2 FROM resonate.promises
		 WHERE id LIKE 'soon%' AND state = 'rejected_timedout'"),
	'promises are settled before their callbacks are there');
$listener->close;
$listener = open_session($node, 'parts');
$listener->ask('LISTEN done');
$node->command_ok(
	[
		'pg_restore', '--exit-on-error', @connect, '-L',
		"$dir/list2", '-d', 'parts', "$dir/soon"
	],
	'restore the callbacks');
like($listener->notification(qr/"$_"/),
	qr/"rejected_timedout"/, "the callback of $_ fires late, but it fires")
  foreach ('soon', 'sooner');
is($node->safe_psql('parts', 'SELECT count(*) FROM resonate.callbacks'),
	200, 'those of pending promises stay');
$listener->close;

# A restore of the data alone can switch triggers off, so that the worker hears
# of nothing; it must not miss anything for longer than until its next start.
$node->safe_psql('postgres', 'CREATE DATABASE data TEMPLATE template0');
$node->safe_psql('data', 'CREATE EXTENSION resonate');
wait_for_worker($node, 'data');
$node->command_ok(
	[
		'pg_restore', '--exit-on-error',
		'--data-only', '--disable-triggers',
		@connect, '-L',
		"$dir/list1", '-d',
		'data', "$dir/soon"
	],
	'restore data without triggers');
$node->poll_query_until('data',
	"SELECT state <> 'pending' FROM resonate.get_promise('soon')")
  or die;
$node->safe_psql('data', "SELECT * FROM resonate.get_promise('sooner')");
$node->command_ok(
	[
		'pg_restore', '--exit-on-error',
		'--data-only', '--disable-triggers',
		@connect, '-L',
		"$dir/list2", '-d',
		'data', "$dir/soon"
	],
	'and the callbacks');
$node->restart;
ok( $node->poll_query_until(
		'data', "SELECT count(*) = 0 FROM resonate.callbacks
		 WHERE promise_id LIKE 'soon%'"),
	'after a restart the callbacks of settled promises fire');

#
# A whole cluster
#

$node->safe_psql('source', "CREATE ROLE app LOGIN IN ROLE resonate_client");
$node->safe_psql('source',
	"GRANT EXECUTE ON FUNCTION resonate.get_stats() TO app");
$node->safe_psql('postgres', "DROP DATABASE $_ WITH (FORCE)")
  foreach ('armed', 'parts', 'later', 'data', sort keys %restore);
$rows = rows($node, 'source');
$node->command_ok([ 'pg_dumpall', @connect, '-f', "$dir/all" ], 'pg_dumpall');

# The roles exist in the other cluster already, as those of another database.
my $copy = new_cluster('copy');

# Its own superuser exists, which is the one error to expect.
my ($out, $err) = ('', '');

IPC::Run::run(
	[ 'psql', '-Xq', '-d', $copy->connstr('postgres'), '-f', "$dir/all" ],
	'>' => \$out,
	'2>' => \$err);

my @errors = grep { /ERROR/ && !/role "(\w+)" already exists/ } split /\n/,
  $err;

is_deeply(\@errors, [], 'pg_dumpall is restored');
is(rows($copy, 'source'), $rows, 'with all rows');

my $app = open_session($copy, 'source', user => 'app');

is( $app->ask(
		"SELECT status FROM resonate.create_promise('by app', '100 ms')"),
	2010,
	'and with the privileges of roles');
is($app->ask('SELECT rejected_timedout > 0 FROM resonate.get_stats()'),
	't', 'and those that were granted on functions');
$app->close;
ok( $copy->poll_query_until(
		'source', "SELECT state = 'rejected_timedout' FROM resonate.promises
		 WHERE id = 'by app'"),
	'its worker runs');

invariants_hold($_, 'source') foreach ($node, $copy);
$node->stop;
$copy->stop;
done_testing();
