
# Schedules that were missed for a month catch up without being in the way of
# anybody, and no occurrence is fired twice, whoever fires.

use strict;
use warnings FATAL => 'all';

use FindBin;
use lib $FindBin::RealBin;

use POSIX qw(_exit);
use PostgreSQL::Test::Utils;
use ResonateTest;
use ResonateWire;
use Test::More;
use Time::HiRes qw(time usleep);

my $minute_ms = 60_000;
my $day_ms = 24 * 60 * $minute_ms;
my $node = new_cluster('main');
my $listener = open_session($node);
my $session = open_session($node);

wait_for_worker($node);
$listener->ask('LISTEN done');

# Every attempt to insert a promise, also one that finds its id taken.
$node->safe_psql('postgres', <<'END');
CREATE UNLOGGED TABLE attempts (id text);
GRANT INSERT ON attempts TO PUBLIC;
CREATE FUNCTION note_attempt() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
	INSERT INTO public.attempts VALUES (NEW.id);
	RETURN NEW;
END $$;
CREATE TRIGGER note_attempt BEFORE INSERT ON resonate.promises
	FOR EACH ROW EXECUTE FUNCTION note_attempt();
END
$session->ask('SET resonate.debug = on');

sub now_ms
{
	return $node->safe_psql('postgres',
		'SELECT floor(extract(epoch FROM clock_timestamp()) * 1000)');
}

# Makes a session live at an instant; without one, now.
sub set_clock
{
	my ($ms) = @_;

	$session->ask(sprintf "SET resonate.test_clock = '%s'", $ms // '');
	return;
}

# Waits until a schedule has nothing to make up for.
sub wait_until_caught_up
{
	my ($condition, $name) = @_;

	ok( $node->poll_query_until(
			'postgres', "SELECT count(*) = 0 FROM resonate.schedules
			 WHERE next_run_at <= extract(epoch FROM clock_timestamp()) * 1000
			 AND $condition"),
		$name);
	return;
}

# For each schedule that is like a pattern, what is wrong with its promises:
# every minute after its birth has one, made once and as of its instant, unless
# the schedule has it still to come.
sub check_every_minute
{
	my ($pattern, $name) = @_;

	is($node->safe_psql('postgres', <<"END"), '', $name);
WITH s AS (SELECT * FROM resonate.schedules WHERE id LIKE '$pattern'),
wanted AS (
	SELECT s.id, o, s.id || '.' || o AS promise_id
	FROM s, generate_series((s.created_at / $minute_ms + 1) * $minute_ms,
		s.next_run_at - $minute_ms, $minute_ms) o),
found AS (
	SELECT s.id, p.created_at AS o, p.id AS promise_id
	FROM s JOIN resonate.promises p ON p.id LIKE s.id || '.%')
SELECT coalesce(w.id, f.id), count(*) FILTER (WHERE f.id IS NULL) AS missing,
	count(*) FILTER (WHERE w.id IS NULL) AS wrong
FROM wanted w FULL JOIN found f USING (id, o, promise_id)
WHERE w.id IS NULL OR f.id IS NULL GROUP BY 1
UNION ALL
SELECT 'attempts at ' || a.id, count(*), 0 FROM attempts a
WHERE a.id LIKE '$pattern.%' GROUP BY 1 HAVING count(*) > 1
END
	return;
}

#
# A month
#

# Created in one transaction: the schedule that was missed, another one that
# was missed for an hour, a promise that is due and a task.  Its promises live
# for 25 days, so that those of the first five days are over before they begin.
my $lifetime_ms = 25 * $day_ms;
my $before_ms = now_ms();

$session->ask('BEGIN');
set_clock($before_ms - 30 * $day_ms);
is( $session->ask(
		q(SELECT status, next_run_at > created_at FROM resonate.create_schedule(
		'month', '* * * * *', '{{.id}}.{{.timestamp}}', '25 days',
		param => '"p"', tags => '{"resonate:target": "poll://any@month"}'))),
	'2010|t',
	'a schedule of thirty days ago');
set_clock($before_ms - 60 * $minute_ms);
is( $session->ask(
		q(SELECT status FROM resonate.create_schedule('other', '* * * * *',
		timeout => '1 day'))),
	2010,
	'another one of an hour ago');
set_clock();
$session->ask(<<'END');
SELECT resonate.create_promise_and_callback('due', 'cb', 'notify://done', '1 ms');
SELECT resonate.create_promise('task', '1 hour',
	tags => '{"resonate:target": "notify://done"}');
END

# Somebody works while it goes on: dequeues, and has deadlines.
my $wire = ResonateWire->new($node, 'postgres', 'client');
my %dequeued;

sub dequeue
{
	my @rows = $wire->ask(
		q(SELECT task_id, version FROM resonate.dequeue_execute('poll://any@month', 10000))
	);

	$dequeued{ $_->[0] } = $_->[1] foreach @rows;
	return scalar @rows;
}

my $started_at = time;
my ($rounds, $slowest) = (0, 0);

$session->ask('COMMIT');
like($listener->notification(qr/"due"/),
	qr/"rejected_timedout"/, 'a promise that is due times out meanwhile');
like($listener->notification(qr/"task"/),
	qr/"execute"/, 'and a task is offered');
while (
	$wire->value(
		"SELECT next_run_at <= extract(epoch FROM clock_timestamp()) * 1000
		 FROM resonate.schedules WHERE id = 'month'") eq 't')
{
	my $asked_at = time;

	$rounds++;
	$wire->ask(
		"SELECT FROM resonate.create_promise_and_callback(\$1, 'cb', 'notify://done', '10 ms')",
		"round $rounds");
	dequeue();
	$listener->notification(qr/"round $rounds"/) or last;
	$slowest = time - $asked_at if $slowest < time - $asked_at;
}
diag(
	sprintf(
		'a month of minutes takes %.1f s; %d deadlines meanwhile, the slowest %.0f ms late',
		time - $started_at,
		$rounds, $slowest * 1000));
wait_until_caught_up('true', 'the month is made up for');
check_every_minute('month',
	'each minute has its promise, made once, as of then');
check_every_minute('other', 'and so has the other schedule');
cmp_ok(
	$node->safe_psql(
		'postgres',
		"SELECT count(*) FROM resonate.promises WHERE id LIKE 'month.%'"),
	'>=', 43_200,
	'these are 43,200 and more');

# Transaction ids are given in the order of the first write, so they tell in
# which order things were done.
my $batches = <<'END';
SELECT count(*) AS n, xmin::text::bigint AS xid FROM resonate.promises
WHERE id LIKE 'month.%' GROUP BY 2
END

is( $node->safe_psql(
		'postgres',
		"SELECT max(n) <= 1000, count(*) >= 44 FROM ($batches) b"),
	't|t',
	'it takes 44 transactions or more, of at most a thousand');

# The first of them comes before all else, as the schedule is the first to wait.
is( $node->safe_psql('postgres',
		<<"END"), '', 'all others are served before it is through');
WITH last AS (SELECT max(xid) AS xid FROM ($batches) b)
SELECT p.id FROM resonate.promises p, last
WHERE (p.id LIKE 'other.%' OR p.id = 'due') AND p.xmin::text::bigint > last.xid
AND p.created_at <= $before_ms
UNION ALL
SELECT t.id FROM resonate.tasks t, last
WHERE t.id = 'task' AND t.xmin::text::bigint > last.xid AND t.version = 0
AND t.clock_at < $before_ms + 5000
END
cmp_ok($rounds, '>=', 3, 'deadlines were kept meanwhile');

# Each as of its own instant.
is( $node->safe_psql('postgres', <<"END"),
SELECT count(*), count(*) FILTER (WHERE p.state = 'rejected_timedout'),
	   count(*) FILTER (WHERE p.settled_at = p.created_at + $lifetime_ms),
	   count(*) FILTER (WHERE p.task_version = 0),
	   count(*) FILTER (WHERE t.id IS NULL)
FROM resonate.promises p LEFT JOIN resonate.tasks t USING (id)
WHERE p.id LIKE 'month.%' AND p.timeout_at <= $before_ms
END
	'7200|7200|7200|7200|7200',
	'those whose deadline has passed are born settled, with a fulfilled task'
);
is( $node->safe_psql('postgres', <<"END"),
SELECT count(*) FILTER (WHERE p.state <> 'pending' OR t.state <> 'pending' OR
		t.version <> 0 OR t.timeout_at <> p.created_at + $lifetime_ms OR
		p.param_data <> '"p"')
FROM resonate.promises p LEFT JOIN resonate.tasks t USING (id)
WHERE p.id LIKE 'month.%' AND p.timeout_at > $before_ms + $minute_ms
END
	0,
	'the others are pending, with a pending task');
is( $node->safe_psql(
		'postgres',
		"SELECT task_state, version, state FROM resonate.get_task(
		 (SELECT min(id) FROM resonate.promises WHERE id LIKE 'month.%'))"),
	'fulfilled|0|rejected_timedout',
	'a task that was born fulfilled shows as that');

# Dispatch: all that are alive, and none of the others.
$node->safe_psql('postgres', <<'END');
SELECT resonate.delete_schedule('month'), resonate.delete_schedule('other');
END
1 while dequeue() == 10_000;
is( scalar(
		grep { !exists $dequeued{ $_->[0] } }
		  $wire->ask("SELECT id FROM resonate.tasks WHERE id LIKE 'month.%'")
	),
	0,
	'all tasks of those that are alive were offered');
cmp_ok(scalar keys %dequeued, '>=', 35_998, 'that is, five sixths');

my @dead = $wire->ask(
	"SELECT id FROM resonate.promises WHERE id LIKE 'month.%' AND timeout_at <= \$1",
	$before_ms);

is(scalar(grep { exists $dequeued{ $_->[0] } } @dead),
	0, 'none of the others was');
is(scalar(grep { $_ != 0 } values %dequeued), 0, 'each in its first version');
is( $node->safe_psql(
		'postgres',
		'SELECT occurrences_fired = (SELECT count(*) FROM resonate.promises
		 WHERE id LIKE \'month.%\' OR id LIKE \'other.%\'),
		 occurrences_missed BETWEEN 7200 AND 7260, rows_set_aside
		 FROM resonate.stats'),
	't|t|0',
	'the statistics count them');

#
# Policies
#

# A quarter past an hour that was two hours ago.
my $hour = int(now_ms() / (60 * $minute_ms)) - 2;
my $latest_ms = ($hour * 60 + 15) * $minute_ms;
my $daily = '15 ' . ($hour % 24) . ' * * *';

$session->ask('BEGIN');
set_clock($latest_ms - 10 * $day_ms - 1);
for my $policy ('all', 'last', 'none')
{
	$session->ask(
		"SELECT resonate.create_schedule('daily $policy', '$daily', timeout => '100 days', catch_up => '$policy')"
	);
	$session->ask(
		"SELECT resonate.create_schedule('minutely $policy', '* * * * *', timeout => '100 days', catch_up => '$policy')"
	) unless $policy eq 'all';
}

# Occurrences that are over and older than history is kept.
$session->ask(
	"SELECT resonate.create_schedule('short', '$daily', timeout => '1 hour')"
);
set_clock();
$session->ask('COMMIT');
wait_until_caught_up('true', 'schedules with policies have caught up');

sub occurrences
{
	my ($id) = @_;

	return $node->safe_psql('postgres', <<"END");
SELECT count(p.id), max(p.created_at) = $latest_ms,
	   max(p.created_at) IS NOT DISTINCT FROM min(s.last_run_at),
	   bool_and(s.next_run_at > extract(epoch FROM now()) * 1000)
FROM resonate.schedules s LEFT JOIN resonate.promises p ON p.id LIKE s.id || '.%'
WHERE s.id = '$id'
END
}

# How many were missed, with and without the last one.
is( $node->safe_psql('postgres', <<"END"),
SELECT id, fired, missed, last_missed_at = $latest_ms,
	   last_missed_at = $latest_ms - $day_ms
FROM resonate.schedules WHERE id LIKE 'daily %' OR id = 'short' ORDER BY id
END
	"daily all|11|0||\ndaily last|1|10|f|t\ndaily none|0|11|t|f\nshort|11|11|t|f",
	'the schedules tell what was missed');
is(occurrences('daily all'), '11|t|t|t', 'all: each is made up for');
is(occurrences('daily last'), '1|t|t|t', 'last: only the latest one');
is(occurrences('daily none'),
	'0||t|t', 'none: none that is older than the grace');
like(occurrences('minutely last'),
	qr/^[1-3]\|f\|t\|t$/, 'last: the latest minute');
like(occurrences('minutely none'),
	qr/^[1-3]\|f\|t\|t$/, 'none: the minute that is not over');
is( $node->safe_psql('postgres', <<"END"),
SELECT count(*) FROM attempts WHERE id LIKE 'short.%'
END
	11, 'history that is as old as that is made');
is( $node->safe_psql('postgres', <<"END"),
SELECT count(*) FROM resonate.promises
WHERE id LIKE 'short.%' AND state <> 'rejected_timedout'
END
	0, 'and settled');
$node->safe_psql('postgres',
	'SELECT resonate.delete_schedule(id) FROM resonate.search_schedules()');

#
# Several that fire
#

# Four sessions and the worker, at twenty schedules.
my @firers;

$session->ask('BEGIN');
set_clock(now_ms() - 500 * $minute_ms);
$session->ask(<<'END');
SELECT count(*) FROM generate_series(1, 20) i,
	LATERAL resonate.create_schedule('race' || i, '* * * * *',
		timeout => CASE i % 2 WHEN 0 THEN interval '1 hour' ELSE '1 day' END,
		tags => '{"resonate:target": "poll://any@race"}')
END
set_clock();
for my $i (1 .. 4)
{
	my $pid = fork // die "fork: $!";

	push @firers, $pid;
	next if $pid;
	my $is_over = eval {
		my $own = ResonateWire->new($node, 'postgres', "firer $i");
		my $fired = 0;
		my $until = time + $PostgreSQL::Test::Utils::timeout_default;

		# Begins before there is anything to do.
		while (time < $until)
		{
			my $n = $own->value('SELECT resonate.process_timeouts()');

			$fired += $n;
			last
			  if $n == 0
			  && $own->value(
				"SELECT count(*) = 20 AND min(next_run_at) > extract(epoch FROM now()) * 1000
				 FROM resonate.schedules WHERE id LIKE 'race%'") eq 't';
		}
		$own->ask(
			'INSERT INTO attempts SELECT $1 FROM generate_series(1, $2::int)',
			'by session',
			$fired);
		1;
	};
	print STDERR ref $@ ? "# $@->{state}: $@->{message}\n" : "# $@\n"
	  unless $is_over;
	_exit($is_over ? 0 : 1);
}
$session->ask('COMMIT');

my $failures = 0;

for my $pid (@firers)
{
	waitpid($pid, 0);
	$failures++ if $? != 0;
}
is($failures, 0, 'four sessions fire besides the worker, without an error');
wait_until_caught_up("id LIKE 'race%'", 'the schedules have caught up');
check_every_minute('race%', 'nobody has fired what another one had');
diag(
	$node->safe_psql(
		'postgres',
		"SELECT (SELECT count(*) FROM attempts WHERE id = 'by session') || ' of ' ||
		 (SELECT count(*) FROM attempts WHERE id LIKE 'race%') ||
		 ' things were done by the sessions'"));
$node->safe_psql('postgres',
	'SELECT resonate.delete_schedule(id) FROM resonate.search_schedules()');

#
# A broken one
#

my $offset = -s $node->logfile;
my $worker = worker_pid($node);

$session->ask('BEGIN');
set_clock(now_ms() - 10 * $minute_ms);
$session->ask(<<'END');
SELECT count(*) FROM unnest(ARRAY['a', 'broken', 'c', 'strange']) i,
	LATERAL resonate.create_schedule(i, '* * * * *', timeout => '1 day')
END
set_clock();
$session->ask(<<'END');
UPDATE resonate.schedules SET cron = 'nonsense' WHERE id = 'broken';
UPDATE resonate.schedules SET time_zone = 'Nowhere/City' WHERE id = 'strange';
COMMIT
END
wait_until_caught_up("id IN ('a', 'c')",
	'beside broken schedules, others catch up');
check_every_minute('a', 'the one before');
check_every_minute('c', 'and the one after');
ok( $node->poll_query_until(
		'postgres', 'SELECT rows_set_aside = 2 FROM resonate.stats'),
	'the broken ones are set aside');
like(
	log_from($node, $offset),
	qr/WARNING:.*could not run step "schedule" for "$_"/,
	"the log names $_") foreach ('broken', 'strange');
is( $node->safe_psql(
		'postgres',
		"SELECT count(*) FROM attempts WHERE id LIKE 'broken.%' OR id LIKE 'strange.%'"
	),
	0,
	'they fire nothing');

# Nor are they in the way of anything that comes later, or of clients that do
# the work by themselves.
$offset = -s $node->logfile;
$listener->ask(
	"SELECT resonate.create_promise_and_callback('later', 'cb', 'notify://done', '50 ms')"
);
like($listener->notification(qr/"later"/),
	qr/"rejected_timedout"/, 'deadlines are kept');
$session->ask('BEGIN');
set_clock(now_ms() - 5 * $minute_ms);
$session->ask(
	"SELECT resonate.create_schedule('bz', '* * * * *', timeout => '1 day')");
set_clock();
$session->ask('COMMIT');
wait_until_caught_up("id = 'bz'", 'a schedule that comes later catches up');
unlike(
	log_from($node, $offset),
	qr/nonsense|could not run/,
	'the broken ones are not tried all the time');
is(worker_pid($node), $worker, 'it was the same worker all the time');

for my $try (1 .. 3)
{
	is( error_of(
			$node,
			'SET client_min_messages = error; SELECT resonate.process_timeouts()'),
		'', "process_timeouts works beside broken schedules, call $try");
}

# Mended, they go on where they were, once they are tried again: at the latest
# by a new worker.
$node->safe_psql('postgres', <<END);
UPDATE resonate.schedules SET cron = '* * * * *', time_zone = NULL
WHERE id IN ('broken', 'strange');
SELECT pg_terminate_backend($worker);
END
wait_for_worker($node, 'postgres', $worker);
wait_until_caught_up('true', 'those that were mended catch up');
check_every_minute($_, "none was skipped of $_")
  foreach ('broken', 'strange');

invariants_hold($node);
is(crashes($node), '', 'no process has crashed');
$listener->close;
$session->close;
$node->stop;
done_testing();
