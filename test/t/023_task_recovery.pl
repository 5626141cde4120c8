
# Tasks survive whatever happens to the server, to the worker, and to those who
# hold them; a dump carries them.  What was due meanwhile is done afterwards.

use strict;
use warnings FATAL => 'all';

use FindBin;
use lib $FindBin::RealBin;

use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use ResonateTest;
use ResonateWire;
use Test::More;
use Time::HiRes qw(time usleep);

my $limit_s = $PostgreSQL::Test::Utils::timeout_default;
my $dir = PostgreSQL::Test::Utils::tempdir;

#
# A group of tasks, one in each state, and those who wait
#

# What it takes to be in that state is over two seconds later: a lease, a timer
# and a delay.
sub populate
{
	my ($node, $dbname, $group) = @_;
	my $wire = ResonateWire->new($node, $dbname, 'populate');
	my $target = qq({"resonate:target": "poll://any\@$group"});

	$wire->ask(
		"SELECT count(*) FROM unnest(string_to_array(\$1, ' ')) id,
		 LATERAL resonate.create_promise('$group ' || id, '1 day', tags => \$2::jsonb)",
		'pending halted', $target);
	$wire->ask(
		"SELECT count(*) FROM unnest(string_to_array(\$1, ' ')) id,
		 LATERAL resonate.create_promise('$group ' || id, '1 day')",
		'awaited listened answered');
	$wire->ask(
		"SELECT resonate.create_promise('$group timer', '2 s', tags => '{\"resonate:timer\": \"true\"}')"
	);
	$wire->ask(
		"SELECT resonate.create_promise('$group delayed', '1 day',
		 tags => \$1::jsonb || jsonb_build_object('resonate:delay',
			((extract(epoch FROM now()) + 2) * 1000)::bigint::text))",
		$target);
	for my $id (
		'held', 'kept', 'waiting', 'sleeping',
		'both', 'fulfilled', 'lapsing')
	{
		$wire->ask(
			"SELECT resonate.create_promise_and_task('$group $id', 'pid $group',
			 \$1::interval, \$2::interval, tags => \$3::jsonb)",
			$id eq 'held'    ? '2 s' : '1 hour',
			$id eq 'lapsing' ? '2 s' : '1 day',
			$target);
	}
	my @answers = map { $_->[0] } map { $wire->ask($_) } (
		"SELECT status FROM resonate.suspend_task('$group waiting', 1, ARRAY['$group awaited'])",
		"SELECT status FROM resonate.suspend_task('$group sleeping', 1, ARRAY['$group timer'])",
		"SELECT status FROM resonate.suspend_task('$group both', 1, ARRAY['$group awaited', '$group listened', '$group kept'])",
		"SELECT status FROM resonate.acquire_task('$group halted', 0, 'pid', '1 hour')",
		"SELECT status FROM resonate.halt_task('$group halted')",
		"SELECT status FROM resonate.fulfill_task('$group fulfilled', 1, 'resolved', '1')",
		map {
			qq(SELECT r #>> '{head,status}' FROM resonate.resonate_rpc(jsonb_build_object(
			   'kind', 'promise.register_listener',
			   'head', '{"corrId": "1", "version": "2026-04-01"}'::jsonb,
			   'data', '{"awaited": "$group $_", "address": "poll://uni\@$group/1"}'::jsonb)) r)
		} ('listened', 'answered'));

	is( "@answers",
		'2000 2000 2000 2000 2000 2000 200 200',
		"$group: tasks in every state");
	$wire->ask("SELECT resonate.resolve('$group answered', '42')");
	$wire->ask(
		"SELECT resonate.create_schedule('$group tick', '* * * * * *', timeout => '1 day')"
	);
	$wire->ask(
		"SELECT resonate.create_schedule('$group year', '0 0 1 1 *', timeout => '1 day')"
	);
	return;
}

sub states
{
	my ($node, $dbname, $group) = @_;

	return $node->safe_psql($dbname, <<"END");
SELECT string_agg(substr(id, length('$group ') + 1) || ' ' || state || version, ', '
	ORDER BY id)
FROM resonate.search_tasks() WHERE id LIKE '$group %'
END
}

# Dequeues until every task that is expected was offered; what was offered, but
# for those that are offered again.
sub offers
{
	my ($wire, $group, @expected) = @_;
	my $until = time + $limit_s;
	my %offers;

	while (time < $until)
	{
		for (
			$wire->ask(
				"SELECT task_id, version FROM resonate.dequeue_execute('poll://any\@$group')"
			))
		{
			my ($id, $version) = @$_;

			$id =~ s/^$group //;
			$offers{"$id $version"} = $id
			  unless $wire->{offered}->{"$id $version"};
		}
		last unless grep {
			my $id = $_;
			!grep { $_ eq $id } values %offers
		} @expected;
		usleep(20_000);
	}
	$wire->{offered}->{$_} = 1 foreach keys %offers;
	return join(', ', sort keys %offers);
}

# All that has to follow, sooner or later, for a group.
sub check_group
{
	my ($node, $dbname, $group, $name) = @_;
	my $wire = ResonateWire->new($node, $dbname, 'check');

	is( offers($wire, $group, 'pending', 'held', 'sleeping', 'delayed'),
		'delayed 0, held 1, pending 0, sleeping 1',
		"$name: what is due is offered: new, lease ended, woken, delayed");

	# Who has held it, and who holds it now.
	is( $wire->value(
			"SELECT status FROM resonate.acquire_task('$group held', 1, 'new', '1 hour')"
		),
		2000,
		"$name: a task is taken over");
	is( $wire->value(
			"SELECT status FROM resonate.fulfill_task('$group held', 1)"),
		4090,
		"$name: its late fulfilment is refused");
	is( $wire->value(
			"SELECT status FROM resonate.fulfill_task('$group held', 2)"),
		2000,
		"$name: that of the new holder is not");

	# A lease that has not ended.
	is( $wire->value(
			"SELECT resonate.heartbeat_tasks('pid $group', ARRAY['$group kept'], ARRAY[1])"
		),
		1,
		"$name: a lease is extended");
	is( $wire->value(
			"SELECT status FROM resonate.fulfill_task('$group kept', 1)"),
		2000,
		"$name: its task is fulfilled");
	is(offers($wire, $group, 'both'),
		'both 1', "$name: that wakes who has waited for it");

	is( $wire->value(
			"SELECT count(*) FROM resonate.search_tasks('suspended')
			 WHERE id = '$group waiting'"
		),
		1,
		"$name: who waits for something else waits on");
	$wire->ask("SELECT resonate.resolve('$group awaited', '1')");
	is(offers($wire, $group, 'waiting'),
		'waiting 1', "$name: until that is settled");
	is( $wire->value(
			"SELECT task_state || ' ' || resumes FROM resonate.get_task('$group both')"
		),
		'pending 2',
		"$name: which counts for the other one as well");
	is( $wire->value(
			"SELECT task_state FROM resonate.get_task('$group halted')"),
		'halted',
		"$name: what was halted stays halted");
	$wire->ask("SELECT resonate.continue_task('$group halted')");
	is(offers($wire, $group, 'halted'),
		'halted 1', "$name: until it is continued");
	is( join(
			' ',
			map { $_ // '' } @{
				(   $wire->ask(
						"SELECT task_state, version, value::text FROM resonate.get_task('$group fulfilled')"
					))[0]
			}),
		'fulfilled 1 1',
		"$name: what was fulfilled stays fulfilled");
	ok( $node->poll_query_until(
			$dbname,
			"SELECT state = 'rejected_timedout' AND task_version = 1
			 FROM resonate.promises WHERE id = '$group lapsing'"),
		"$name: a task at its deadline is over");

	# Unblock messages: of before, and of now.
	my @unblocked =
	  map { $_->[0] }
	  $wire->ask(
		"SELECT promise ->> 'id' FROM resonate.dequeue_unblock('poll://uni\@$group/1')"
	  );

	is("@unblocked", "$group answered", "$name: an unblock message is there");
	$wire->ask("SELECT resonate.resolve('$group listened', '1')");
	@unblocked =
	  map { $_->[0] }
	  $wire->ask(
		"SELECT promise ->> 'id' FROM resonate.dequeue_unblock('poll://uni\@$group/1')"
	  );
	is("@unblocked", "$group listened", "$name: a listener is told");

	# Schedules: every second until now.
	my $now_s = $wire->value('SELECT floor(extract(epoch FROM now()))');

	ok( $node->poll_query_until(
			$dbname,
			"SELECT last_run_at >= $now_s * 1000::bigint FROM resonate.schedules
			 WHERE id = '$group tick'"),
		"$name: a schedule goes on");
	is($node->safe_psql($dbname, <<"END"), 't|t', "$name: none is left out");
SELECT count(*) = (max(p.created_at) - min(p.created_at)) / 1000 + 1,
	   min(p.created_at) - min(s.created_at) BETWEEN 1 AND 1000
FROM resonate.promises p, resonate.schedules s
WHERE p.id LIKE '$group tick.%' AND s.id = '$group tick'
END
	$wire->ask(
		"SELECT resonate.delete_schedule('$group tick'), resonate.delete_schedule('$group year')"
	);

	invariants_hold($node, $dbname);
	return;
}

my $primary = new_cluster(
	'primary',
	streaming => 1,
	conf => <<'END');
max_connections = 30
shared_buffers = 8MB
resonate.retry_timeout = '1 s'
END

wait_for_worker($primary);

#
# The server
#

populate($primary, 'postgres', 'crash');
is( states($primary, 'postgres', 'crash'),
	'both suspended1, delayed pending0, fulfilled fulfilled1, halted halted1, '
	  . 'held acquired1, kept acquired1, lapsing acquired1, pending pending0, '
	  . 'sleeping suspended1, waiting suspended1',
	'crash: these are the states');
$primary->stop('immediate');
$primary->start;
check_group($primary, 'postgres', 'crash', 'after a crash');

#
# The worker
#

my $worker = wait_for_worker($primary);
my $offset = -s $primary->logfile;

populate($primary, 'postgres', 'killed');
kill('KILL', $worker);
$primary->wait_for_log(qr/all server processes terminated; reinitializing/,
	$offset);
$primary->poll_query_until('postgres', 'SELECT true') or die;
check_group($primary, 'postgres', 'killed', 'after the worker was killed');
$worker = wait_for_worker($primary, 'postgres', $worker);

populate($primary, 'postgres', 'ended');
$primary->safe_psql('postgres', "SELECT pg_terminate_backend($worker)");
check_group($primary, 'postgres', 'ended', 'after the worker was terminated');
wait_for_worker($primary, 'postgres', $worker);

#
# The holder
#

my $first = ResonateWire->new($primary, 'postgres', 'first');
my $second = ResonateWire->new($primary, 'postgres', 'second');

is( $first->value(<<'END'),
SELECT task_state FROM resonate.create_promise_and_task('torn', 'first', '1 s',
	'1 day', tags => '{"resonate:target": "poll://any@torn"}')
END
	'acquired',
	'a worker holds a task');

# Its connection ends between the fulfilment and the commit.
$first->ask('BEGIN');
is( $first->value(
		"SELECT status FROM resonate.fulfill_task('torn', 1, 'resolved', '1')"
	),
	2000,
	'it fulfills it');
$second->ask(
	"SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'first'"
);
eval { $first->ask('COMMIT') };
ok(ref $@ && $@->{is_lost}, 'its connection ends before it can commit');
is(offers($second, 'torn', 'torn'),
	'torn 1', 'when its lease ends, the task is offered');
is( $second->value(
		"SELECT version FROM resonate.acquire_task('torn', 1, 'second', '1 hour')"
	),
	2,
	'another worker takes it');
$first = ResonateWire->new($primary, 'postgres', 'first');

for my $late (
	[ "resonate.fulfill_task('torn', 1, 'resolved', '1')", 4090 ],
	[ "resonate.release_task('torn', 1)", 4090 ],
	[ "resonate.acquire_task('torn', 1, 'first', '1 s')", 4090 ],
	[ "resonate.suspend_task('torn', 1, ARRAY['crash tick'])", 4090 ],
	[
		"resonate.fence_task('torn', 1, 'create', '{\"id\": \"torn child\"}')",
		4090
	])
{
	is($first->value("SELECT status FROM $late->[0]"),
		$late->[1], "the first one is late with $late->[0]");
}
is( $first->value(
		"SELECT resonate.heartbeat_tasks('first', ARRAY['torn'], ARRAY[1])"),
	0,
	'nor does its heartbeat do anything');
is( $first->value(
		q(SELECT resonate.resonate_rpc('{"kind": "task.fulfill",
		"head": {"corrId": "1", "version": "2026-04-01"},
		"data": {"id": "torn", "version": 1, "action": {"kind": "promise.settle",
		"head": {}, "data": {"id": "torn", "state": "resolved", "value": {}}}}}')
		#>> '{head,status}')),
	409,
	'the wire protocol calls that 409');
is( $first->value(
		"SELECT count(*) FROM resonate.promises WHERE id = 'torn child'"),
	0,
	'what it wanted to create is not there');
is( $second->value(
		"SELECT status FROM resonate.fulfill_task('torn', 2, 'resolved', '2')"
	),
	2000,
	'the second one fulfills it');
is($first->value("SELECT value FROM resonate.get_promise('torn')"),
	2, 'and that counts');

#
# Notifications
#

my $listener = open_session($primary);
my %channel;

for my $address ('poll://any@note', 'poll://uni@note/1')
{
	$channel{$address} =
	  $first->value('SELECT resonate.outbox_channel($1)', $address);
	$listener->ask(qq(LISTEN "$channel{$address}"));
}

# When the next notification on the channel of an address comes; undef if none.
sub hear
{
	my ($address) = @_;
	my $until = time + $limit_s;
	my $heard = $listener->{notifications};

	while (time < $until)
	{
		for my $i (0 .. $#$heard)
		{
			next unless $heard->[$i]->[0] eq $channel{$address};
			splice(@$heard, $i, 1);
			return time;
		}
		$listener->ask('SELECT 1 \g /dev/null');
		usleep(5_000);
	}
	return undef;
}

sub forget_heard
{
	$listener->ask('SELECT 1');
	$listener->{notifications} = [];
	return;
}

sub create_note
{
	my ($id, $tags) = @_;

	return $first->value(
		"SELECT status FROM resonate.create_promise(\$1, '1 day',
		 tags => '{\"resonate:target\": \"poll://any\@note\"}'::jsonb || \$2::jsonb)",
		$id, $tags // '{}');
}

sub dequeue_note
{
	return join(
		' ',
		map { @$_ } $first->ask(
			"SELECT * FROM resonate.dequeue_execute('poll://any\@note')"));
}

my $unheard = 0;

for my $i (1 .. 20)
{
	create_note("note $i");
	$unheard++ unless hear('poll://any@note');
	$unheard++ unless dequeue_note() eq "note $i 0";
	$unheard++
	  unless $first->value(
		"SELECT status FROM resonate.acquire_task('note $i', 0, 'pid', '1 h')"
	  ) == 2000;
	$unheard++
	  unless $first->value(
		"SELECT status FROM resonate.fulfill_task('note $i', 1)") == 2000;
}
is($unheard, 0, 'each of twenty new tasks is notified of');

# What nobody acquires.
forget_heard();
create_note('again');
hear('poll://any@note');
my $asked_at = time;

is(dequeue_note(), 'again 0', 'a task is offered');
is(dequeue_note(), '', 'once');
forget_heard();
my $heard_at = hear('poll://any@note');

cmp_ok($heard_at - $asked_at,
	'>=', 0.95, 'nobody acquires it, so there is another notification');
is(dequeue_note(), 'again 0', 'and another offer');
is( $first->value(
		"SELECT status FROM resonate.acquire_task('again', 0, 'pid', '300 ms')"
	),
	2000,
	'now it is acquired');
forget_heard();
ok(hear('poll://any@note'), 'the end of its lease is notified of');
is(dequeue_note(), 'again 1', 'it is offered again');
$first->ask("SELECT resonate.acquire_task('again', 1, 'pid', '1 hour')");
$first->ask("SELECT resonate.create_promise('wanted', '1 day')");
forget_heard();
is( $first->value(
		"SELECT status FROM resonate.suspend_task('again', 2, ARRAY['wanted'])"
	),
	2000,
	'it waits');
$first->ask("SELECT resonate.resolve('wanted')");
ok(hear('poll://any@note'), 'what wakes it is notified of');
is(dequeue_note(), 'again 2', 'and it is offered');
$first->ask("SELECT resonate.resolve('again')");

# Delayed.
forget_heard();
my $at_ms = $first->value(
	'SELECT floor(extract(epoch FROM clock_timestamp()) * 1000) + 1500');

create_note('delayed', qq({"resonate:delay": "$at_ms"}));
is(dequeue_note(), '', 'a delayed task is not offered');
$heard_at = hear('poll://any@note');
cmp_ok($heard_at * 1000, '>=', $at_ms, 'there is a notification at its time');
diag(
	sprintf('a delayed task is notified of %.0f ms after its time',
		$heard_at * 1000 - $at_ms));
is(dequeue_note(), 'delayed 0', 'and then it is offered');
$first->ask("SELECT resonate.resolve('delayed')");

# Unblock.
$first->ask("SELECT resonate.create_promise('asked', '1 day')");
$first->ask(<<'END');
SELECT resonate.resonate_rpc('{"kind": "promise.register_listener",
	"head": {"corrId": "1", "version": "2026-04-01"},
	"data": {"awaited": "asked", "address": "poll://uni@note/1"}}')
END
$first->ask("SELECT resonate.resolve('asked', '7')");
ok(hear('poll://uni@note/1'), 'a listener is notified of a settlement');
is( $first->value(
		"SELECT promise ->> 'id' FROM resonate.dequeue_unblock('poll://uni\@note/1')"
	),
	'asked',
	'and gets the promise');
$listener->close;

#
# The standby
#

my $standby = PostgreSQL::Test::Cluster->new('standby');

$primary->backup('base');
$standby->init_from_backup($primary, 'base', has_streaming => 1);
$standby->start;

# What is left to the standby, as the worker of the primary does nothing.
$worker = stop_worker($primary);
populate($primary, 'postgres', 'standby');
$primary->wait_for_catchup($standby);
is( $standby->safe_psql(
		'postgres', "SELECT task_state, version, pid
		 FROM resonate.get_task('standby kept')"),
	'acquired|1|pid standby',
	'a task is read on the standby');
is(error_of($standby, "SELECT * FROM resonate.$_"),
	'25006', "$_ is refused there")
  foreach (
	"dequeue_execute('poll://any\@standby')",
	"acquire_task('standby pending', 0, 'pid', '1 s')",
	"fulfill_task('standby kept', 1)",
	'process_timeouts()');
undef $first;
undef $second;
$primary->kill9;
kill('KILL', $worker);
$standby->promote;
$standby->poll_query_until('postgres', 'SELECT NOT pg_is_in_recovery()')
  or die;
check_group($standby, 'postgres', 'standby', 'after a promotion');
is(crashes($standby), '', 'no process of the standby has crashed');
$standby->stop;
is(crashes($primary), '',
	'nor one of the primary but those that were killed');

#
# Idle
#

# wal_level = minimal, as in 003_idle.pl.
my $node = new_cluster('main', conf => "checkpoint_timeout = '1h'");

wait_for_worker($node);
$node->safe_psql('postgres', <<'END');
SELECT resonate.create_promise('far ' || i, '10 days', tags => jsonb_build_object(
	'resonate:target', 'poll://any@far',
	'resonate:delay', ((extract(epoch FROM now()) + 86400 + i) * 1000)::bigint::text))
FROM generate_series(1, 100) i;
SELECT resonate.create_promise_and_task('held ' || i, 'pid', '1 day', '10 days',
	tags => '{"resonate:target": "poll://any@far"}') FROM generate_series(1, 20) i;
SELECT resonate.suspend_task('held 1', 1, ARRAY['far 1', 'far 2']);
SELECT resonate.halt_task('held 2');
SELECT resonate.create_schedule('yearly', '0 0 1 1 *');
SELECT resonate.create_promise('due', '10 days',
	tags => '{"resonate:target": "poll://any@nobody"}');
END

sub traces
{
	return $node->safe_psql('postgres',
		'SELECT pg_current_wal_insert_lsn(), pg_snapshot_xmax(pg_current_snapshot())'
	);
}

$node->safe_psql('postgres',
	'SELECT * FROM resonate.stats; VACUUM; VACUUM; CHECKPOINT;');

my ($before, $now) = ('', traces());
my $until = time + $limit_s;

while ($before ne $now && time < $until)
{
	$before = $now;
	usleep(1_500_000);
	$now = traces();
}
usleep(4_000_000);
is(traces(), $now,
	'with tasks far ahead, and one that nobody fetches, nothing is written');

#
# Dump and restore
#

my @connect = ('-h', $node->host, '-p', $node->port);

# Lists of what a dump has: what matches, and the rest.
sub split_list
{
	my ($dump, $name, $pattern) = @_;
	my ($list, $matching, $rest) = ('', '', '');

	IPC::Run::run([ 'pg_restore', '-l', $dump ], '>', \$list) or die;
	for (split /^/m, $list)
	{
		if   (/$pattern/) { $matching .= $_; }
		else              { $rest     .= $_; }
	}
	isnt($matching, '', "the dump has what is called $name");
	append_to_file("$dump.$name", $matching);
	append_to_file("$dump.not_$name", $rest);
	return ("$dump.$name", "$dump.not_$name");
}

sub restore_ok
{
	my ($dbname, $name, @what) = @_;

	return $node->command_ok(
		[ 'pg_restore', '--exit-on-error', @connect, '-d', $dbname, @what ],
		$name);
}

$node->safe_psql('postgres', 'CREATE DATABASE source');
$node->safe_psql('source', 'CREATE EXTENSION resonate');
populate($node, 'source', 'dump');
$node->command_ok(
	[ 'pg_dump', @connect, '--format=custom', '-f', "$dir/dump", 'source' ],
	'dump');
$node->command_ok([ 'pg_dump', @connect, '-f', "$dir/plain", 'source' ],
	'plain dump');

# Restored at once, and after all that is due in it.
$node->safe_psql('postgres', "CREATE DATABASE soon TEMPLATE template0");
$node->command_ok(
	[
		'psql', '-Xq', '-v', 'ON_ERROR_STOP=1', '-d', 'soon', @connect,
		'-f', "$dir/plain"
	],
	'restore at once');
check_group($node, 'soon', 'dump', 'after a restore at once');
check_group($node, 'source', 'dump', 'after a dump');
$node->safe_psql('postgres', "CREATE DATABASE later TEMPLATE template0");
$node->command_ok(
	[
		'psql', '-Xq', '-v', 'ON_ERROR_STOP=1', '-d', 'later', @connect,
		'-f', "$dir/plain"
	],
	'restore later');
check_group($node, 'later', 'dump', 'after a restore later');

# The worker gets to work between any two tables.
my ($tasks, $rest) =
  split_list("$dir/dump", 'tasks', qr/TABLE DATA resonate tasks/);

$node->safe_psql('postgres', 'CREATE DATABASE parts TEMPLATE template0');
restore_ok('parts', 'restore all but the tasks', '-L', $rest, "$dir/dump");
ok( $node->poll_query_until(
		'parts',
		"SELECT state = 'resolved' FROM resonate.promises WHERE id = 'dump timer'"
	),
	'a timer that has come fires before the tasks are there');
restore_ok('parts', 'restore the tasks', '-L', $tasks, "$dir/dump");
check_group($node, 'parts', 'dump', 'after a restore of the tasks at last');

my ($others, $only_tasks) =
  split_list("$dir/dump", 'others', qr/TABLE DATA resonate [^t]/);

$node->safe_psql('postgres', 'CREATE DATABASE first TEMPLATE template0');
restore_ok('first', 'restore nothing but the tasks',
	'-L', $only_tasks, "$dir/dump");
ok( $node->poll_query_until(
		'first',
		"SELECT state = 'pending' FROM resonate.tasks WHERE id = 'dump held'"
	),
	'a lease ends before the promises are there');
restore_ok('first', 'restore the rest', '-L', $others, "$dir/dump");
check_group($node, 'first', 'dump', 'after a restore of the tasks at first');

# Data alone, with triggers off, so that the worker hears of nothing.
$node->safe_psql('postgres', 'CREATE DATABASE data TEMPLATE template0');
$node->safe_psql('data', 'CREATE EXTENSION resonate');
$worker = wait_for_worker($node, 'data');
restore_ok(
	'data', 'restore data without triggers',
	'--data-only', '--disable-triggers',
	"$dir/dump");
$node->safe_psql('data', "SELECT pg_terminate_backend($worker)");
check_group($node, 'data', 'dump',
	'after a restore of data, by the next worker');

#
# A restore that is not complete
#

$node->safe_psql('postgres', 'CREATE DATABASE part TEMPLATE template0');
restore_ok('part', 'restore tasks without promises',
	'-L', $only_tasks, "$dir/dump");

my $torn = ResonateWire->new($node, 'part', 'torn');

# Whatever the answer is, there is one.
sub survives
{
	my ($sql, $name) = @_;

	$torn->ask("SET statement_timeout = '3 s'");
	eval { $torn->ask("SELECT * FROM $sql") };
	my $state = ref $@ ? $@->{state} : $@;

	unlike($state, qr/^(?:57014|lost)/, $name);
	return unless $state eq 'lost';
	$node->poll_query_until('part', 'SELECT true') or die;
	$torn = ResonateWire->new($node, 'part', 'torn');
	return;
}

sub rpc
{
	my ($kind, $data) = @_;

	return
		"resonate.resonate_rpc('"
	  . qq({"kind": "$kind",)
	  . qq("head": {"corrId": "1", "version": "2026-04-01"}, "data": $data})
	  . "')";
}

survives("resonate.dequeue_execute('poll://any\@dump')",
	'a task without promise is offered');
survives("resonate.acquire_task('dump pending', 0, 'pid', '1 hour')",
	'acquired');
survives(
	rpc('task.acquire',
		'{"id": "dump delayed", "version": 0, "pid": "p", "ttl": 60000}'),
	'acquired by the wire protocol');
survives("resonate.get_task('dump pending')", 'read');
survives(
	"resonate.fence_task('dump kept', 1, 'create', '{\"id\": \"child\"}')",
	'a fence');
survives(
	rpc('task.suspend',
		'{"id": "dump kept", "version": 1, "actions": [{"kind": "promise.register_callback", "head": {}, "data": {"awaited": "child", "awaiter": "dump kept"}}]}'
	),
	'suspended');
survives("resonate.fulfill_task('dump pending', 1)", 'and fulfilled');
$torn->ask('ALTER TABLE resonate.tasks DISABLE TRIGGER resonate_guard_follow');
$torn->ask('DELETE FROM resonate.tasks');
$torn->ask(<<'END');
SELECT resonate.create_promise('bare', '1 day', tags => '{"resonate:target": "poll://any@dump"}')
END
$torn->ask('DELETE FROM resonate.tasks');
survives("resonate.get_task('bare')", 'a promise without its task is read');
survives("resonate.acquire_task('bare', 0, 'pid', '1 hour')", 'acquired');
survives("resonate.resolve('bare')", 'and resolved');
is(crashes($node), '', 'no process has crashed');

undef $torn;
$node->stop;
done_testing();
