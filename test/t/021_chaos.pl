
# Sixteen workers run ten thousand tasks and are killed all the time, in every
# way and at every moment.  In the end each promise is settled exactly once, by
# a fulfilment that was accepted, and nobody has seen an error.

use strict;
use warnings FATAL => 'all';

use FindBin;
use lib $FindBin::RealBin;

use MIME::Base64 qw(encode_base64);
use POSIX        qw(_exit WNOHANG);
use PostgreSQL::Test::Utils;
use ResonateTest;
use ResonateWire;
use Test::More;
use Time::HiRes qw(time usleep);

my $nworkers = 16;
my $ntasks = 10_000;
my $nlate = 300;
my $nstale = 60;
my $ngathered = 30;
my $nhubs = 120;
my $address = 'poll://any@chaos';
my $first_address = 'poll://any@chaos/first';
my $ttl_ms = 2_000;
my $stale_ttl_ms = 1_000;
my $dir = PostgreSQL::Test::Utils::tempdir;
my $stop_file = "$dir/stop";
my $seed = $ENV{RSN_SEED} || time;

# Tasks that were dropped shall come back soon enough for a test, and who is
# killed by the hundred shall not be waited for.
my $node = new_cluster('main', conf => <<'END');
autovacuum = on
autovacuum_naptime = '1s'
resonate.retry_timeout = '500 ms'
resonate.retry_timeout_max = '2 s'
END

srand int $seed;
diag('seed: ' . int $seed);
wait_for_worker($node);

# What no client can see: every settlement, and every version that is not the
# next one.
$node->safe_psql('postgres', <<'END');
CREATE UNLOGGED TABLE settlements (id text);
CREATE UNLOGGED TABLE leaps (id text, old int, new int);
GRANT INSERT ON settlements, leaps TO PUBLIC;
CREATE FUNCTION note_settlement() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
	INSERT INTO public.settlements VALUES (NEW.id);
	RETURN NULL;
END $$;
CREATE FUNCTION note_leap() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
	INSERT INTO public.leaps VALUES (NEW.id, OLD.version, NEW.version);
	RETURN NULL;
END $$;
CREATE TRIGGER note_settlement AFTER UPDATE ON resonate.promises
	FOR EACH ROW EXECUTE FUNCTION note_settlement();
CREATE TRIGGER note_birth AFTER INSERT ON resonate.promises
	FOR EACH ROW WHEN (NEW.state <> 'pending')
	EXECUTE FUNCTION note_settlement();
CREATE TRIGGER note_leap AFTER UPDATE OF version ON resonate.tasks
	FOR EACH ROW WHEN (NEW.version NOT IN (OLD.version, OLD.version + 1) OR
		(NEW.version <> OLD.version) <>
		(OLD.state = 'pending' AND NEW.state = 'acquired'))
	EXECUTE FUNCTION note_leap();
END

#
# A worker
#

# Its log says what it tries and what it is answered, also if it dies then.
my ($name, $log, $wire);

sub note_down
{
	my (@words) = @_;

	syswrite($log, join("\t", @words) . "\n");
	return;
}

# Connects, as often as it takes.
sub connect_wire
{
	my $limit = time + $PostgreSQL::Test::Utils::timeout_default;

	until ($wire = eval { ResonateWire->new($node, 'postgres', 'chaos') })
	{
		my $error = $@;

		note_down('error', 'connect', $error->{state}, $error->{message})
		  unless $error->{is_lost} && $error->{state} =~ /^(?:lost|57P01)$/;
		_exit(1) if time > $limit;
		usleep(10_000);
	}
	return;
}

# Runs a statement until it is answered: an answer that is lost is asked for
# again.
sub insist
{
	my ($what, $sql, @arguments) = @_;

	while (1)
	{
		my @rows = eval { $wire->ask($sql, @arguments) };
		my $error = $@;

		return @rows unless $error;
		note_down('error', $what, $error->{state}, $error->{message})
		  unless $error->{is_lost} && $error->{state} =~ /^(?:lost|57P01)$/;
		_exit(1) unless $error->{is_lost};
		note_down('lost', $what);
		connect_wire();
	}
}

# The status and perhaps more of a request, which must be one of those listed.
sub call
{
	my ($what, $statuses, $sql, @arguments) = @_;
	my ($row) = insist($what, $sql, @arguments);

	unless (grep { $row->[0] == $_ } @$statuses)
	{
		note_down('odd', $what, $row->[0], map { $_ // '' } @arguments);
		_exit(1);
	}
	return wantarray ? @$row : $row->[0];
}

sub rpc
{
	my ($kind, $data) = @_;

	return qq({"kind":"$kind","head":{"corrId":"1","version":"2026-04-01"},)
	  . qq("data":$data});
}

my $rpc_status =
  q(SELECT r #>> '{head,status}', r #>> '{data,action,head,status}',
	r #>> '{data,task,version}' FROM resonate.resonate_rpc($1::jsonb) r);

# Both surfaces take turns.
sub is_typed
{
	return rand() < 0.5;
}

sub acquire
{
	my ($id, $version) = @_;
	my $ms = $id =~ /^s/ ? $stale_ttl_ms : $ttl_ms;
	my ($status, undef, $held) = is_typed()
	  ? call(
		'acquire',
		[ 200, 409 ],
		"SELECT status / 10, NULL, version
		 FROM resonate.acquire_task(\$1, \$2, \$3, '$ms ms')",
		$id,
		$version,
		$name)
	  : call(
		'acquire',
		[ 200, 409 ],
		$rpc_status,
		rpc('task.acquire',
			qq({"id":"$id","version":$version,"pid":"$name","ttl":$ms})));

	note_down('acquired', $id, $held) if $status == 200;
	return $status == 200 ? $held : undef;
}

sub heartbeat
{
	my (@held) = @_;
	my $list =
	  join(',', map { qq({"id":"$_->[0]","version":$_->[1]}) } @held);

	$list = '' if rand() < 0.3;
	call('heartbeat', [200], $rpc_status,
		rpc('task.heartbeat', qq({"pid":"$name","tasks":[$list]})));
	return;
}

sub release
{
	my ($id, $version) = @_;

	if (is_typed())
	{
		call(
			'release',
			[ 200, 409 ],
			'SELECT status / 10 FROM resonate.release_task($1, $2)',
			$id, $version);
	}
	else
	{
		call('release', [ 200, 409 ],
			$rpc_status,
			rpc('task.release', qq({"id":"$id","version":$version})));
	}
	return;
}

# 200: suspended.  300: go on.  409: the lease is lost.
sub suspend
{
	my ($id, $version, @awaited) = @_;
	my $actions = join(
		',',
		map {
				qq({"kind":"promise.register_callback","head":{},)
			  . qq("data":{"awaited":"$_","awaiter":"$id"}})
		} @awaited);

	return call(
		'suspend',
		[ 200, 300, 409 ],
		'SELECT status / 10
		 FROM resonate.suspend_task($1, $2, string_to_array($3, chr(10)))',
		$id,
		$version,
		join("\n", @awaited)) if is_typed();
	return scalar call(
		'suspend',
		[ 200, 300, 409 ],
		$rpc_status,
		rpc('task.suspend',
			qq({"id":"$id","version":$version,"actions":[$actions]})));
}

# Creates a promise with proof of the lease; false when that is lost.
sub fence_create
{
	my ($id, $version, $child, $tags) = @_;
	my $timeout_at = int((time + 3600) * 1000);
	my ($status, $inner) = call(
		'fence create',
		[ 200, 409 ],
		$rpc_status,
		rpc('task.fence',
			qq({"id":"$id","version":$version,"action":)
			  . qq({"kind":"promise.create","head":{},"data":{"id":"$child",)
			  . qq("timeoutAt":$timeout_at,"tags":$tags}}})));

	note_down('odd', 'fenced create', $inner)
	  if $status == 200 && $inner != 200;
	return $status == 200;
}

# The same with its settlement.
sub fence_settle
{
	my ($id, $version, $child) = @_;
	my ($status, $inner) = is_typed()
	  ? call(
		'fence settle',
		[ 200, 409 ],
		q(SELECT status / 10, inner_status FROM resonate.fence_task($1, $2,
		  'settle', jsonb_build_object('id', $3::text, 'state', 'resolved'))),
		$id,
		$version,
		$child)
	  : call(
		'fence settle',
		[ 200, 409 ],
		$rpc_status,
		rpc('task.fence',
			qq({"id":"$id","version":$version,"action":)
			  . qq({"kind":"promise.settle","head":{},"data":{"id":"$child",)
			  . qq("state":"resolved","value":{}}}})));

	note_down('odd', 'fenced settlement', $inner)
	  if $status == 200 && $inner !~ /^(?:200|2010|4030)$/;
	return $status == 200;
}

# What a lost answer was is found out later, from what is stored.
sub fulfill
{
	my ($id, $version) = @_;
	my $value = "$name $id $version";
	my $data = encode_base64(qq("$value"), '');
	my $status;

	note_down('try', $id, $version, $value);
	$status = is_typed()
	  ? call(
		'fulfill',
		[ 200, 409 ],
		"SELECT status / 10 FROM resonate.fulfill_task(\$1, \$2, 'resolved',
		 to_jsonb(\$3::text))",
		$id,
		$version,
		$value)
	  : call(
		'fulfill',
		[ 200, 409 ],
		$rpc_status,
		rpc('task.fulfill',
			qq({"id":"$id","version":$version,"action":)
			  . qq({"kind":"promise.settle","head":{},"data":{"id":"$id",)
			  . qq("state":"resolved","value":{"data":"$data"}}}})));
	note_down($status == 200 ? 'accepted' : 'refused', $id, $version, $value);
	return;
}

# Things that happen to a worker; false when the task is gone.
sub is_undisturbed
{
	my ($id, $version, @held) = @_;
	my $luck = rand();

	if ($luck < 0.010)
	{
		note_down('died', $id);
		kill 'KILL', $$;
		sleep 1 while 1;
	}
	if ($luck < 0.018)
	{
		release($id, $version);
		return 0;
	}
	heartbeat(@held) if $luck > 0.85;
	return 1;
}

# A task whose first holder goes on when its lease has ended, while the next one
# is at work.
sub run_stale
{
	my ($id, $version) = @_;

	if ($version == 1)
	{
		note_down('slept', $id);
		usleep($stale_ttl_ms * 1100);
		note_down('woke', $id);
	}
	else
	{
		for (1 .. 5)
		{
			usleep($stale_ttl_ms * 100);
			heartbeat([ $id, $version ]);
		}
	}
	fulfill($id, $version);
	return;
}

sub settled_hubs
{
	return (
		insist(
			'read',
			q(SELECT count(*) FROM resonate.promises
			  WHERE id LIKE 'hub%' AND state <> 'pending')))[0]->[0];
}

# A task that many others are like: all wait for the same promises.
sub run_gathered
{
	my ($id, $version) = @_;
	my $status = 300;

	while ($status == 300)
	{
		my $next = settled_hubs() + 1;
		my $last = $next + 4 < $nhubs ? $next + 4 : $nhubs;

		last if $next > $nhubs;
		$status = suspend($id, $version, map { "hub$_" } $next .. $last);
	}
	fulfill($id, $version) if $status == 300;
	return;
}

# Settles what they wait for.
sub settle_hubs
{
	my $next = settled_hubs() + 1;
	my $last = $next + int rand 2;

	return if $next > $nhubs;
	insist(
		'settle',
		q(SELECT * FROM resonate.settle_promises((
		  SELECT jsonb_agg(jsonb_build_object('id', 'hub' || i, 'state', 'resolved'))
		  FROM generate_series($1::int, least($2::int, $3::int)) i))),
		$next,
		$last,
		$nhubs);
	return;
}

# What the function of the task does: some have children, some wait.
sub run_task
{
	my ($id, $version, @held) = @_;
	my ($n) = $id =~ /^t(\d+)$/;

	return run_stale($id, $version) if $id =~ /^s/;
	return unless is_undisturbed($id, $version, @held);
	return run_gathered($id, $version) if $id =~ /^g/;
	if (defined $n && $n % 10 == 3)
	{
		return
		  unless fence_create($id, $version, "$id.c",
			qq({"resonate:target":"$address"}));
		return unless is_undisturbed($id, $version, @held);
		return unless suspend($id, $version, "$id.c") == 300;
	}
	elsif (defined $n && $n % 10 == 6)
	{
		return unless fence_create($id, $version, "$id.x", '{}');
		return unless is_undisturbed($id, $version, @held);
		return unless fence_settle($id, $version, "$id.x");
	}
	elsif (defined $n && $n % 25 == 17)
	{
		my %others =
		  map { ('t' . ($n - 1 - int rand(20)) => 1) } 1 .. 1 + rand 3;

		delete $others{$_} foreach grep { /-|t0$/ } keys %others;
		return
		  if %others && suspend($id, $version, sort keys %others) != 300;
	}
	return unless is_undisturbed($id, $version, @held);
	fulfill($id, $version);
	return;
}

sub work
{
	my ($number) = @_;

	$name = "w$number";
	srand($seed + $number);
	$SIG{PIPE} = 'IGNORE';
	$SIG{TERM} = 'DEFAULT';
	open($log, '>>', "$dir/log.$name") or _exit(2);
	connect_wire();
	my $next_hub = time + rand 3;

	until (-e $stop_file)
	{
		my @held;
		my @offers = map {
			insist(
				'dequeue',
				'SELECT task_id, version FROM resonate.dequeue_execute($1, $2)',
				$_,
				1 + int rand 6)
		} ($first_address, $address);

		if (time > $next_hub)
		{
			# In the midst of those who were woken and wait again.
			for (1 .. 3)
			{
				settle_hubs();
				usleep(rand 20_000);
			}
			$next_hub = time + 1.5 + rand 1.5;
		}

		# As the SDK does before it dequeues.
		insist('process_timeouts', 'SELECT resonate.process_timeouts()')
		  if rand() < 0.05;
		for my $offer (@offers)
		{
			my $version = acquire(@$offer);

			push @held, [ $offer->[0], $version ] if defined $version;
		}
		while (@held)
		{
			run_task(@{ $held[0] }, @held);
			shift @held;
		}
		usleep(20_000) unless @offers;
	}
	_exit(0);
}

#
# The test
#

my $number = 0;
my %workers;
my %deaths = (killed => 0, died => 0, terminated => 0);

sub start_worker
{
	my $pid = fork;

	die "fork: $!" unless defined $pid;
	$number++;
	unless ($pid)
	{
		eval { work($number) };
		note_down('error', 'worker', 'perl',
			ref $@ ? $@->{message} : $@ =~ s/\s+/ /gr);
		_exit(3);
	}
	$workers{$pid} = $number;
	return;
}

# Takes note of who has ended, and starts others instead.
sub replace_dead
{
	while ((my $pid = waitpid(-1, WNOHANG)) > 0)
	{
		next unless delete $workers{$pid};
		$deaths{died}++;
		start_worker();
	}
	return;
}

END
{
	kill 'KILL', keys %workers if %workers;
}

sub create_typed
{
	my ($parent, $first, $last) = @_;

	return $parent->value(<<"END", $first, $last);
SELECT count(*) FROM resonate.create_promises((
	SELECT jsonb_agg(jsonb_build_object('id', 't' || i,
		'timeout_at', (extract(epoch FROM now()) * 1000)::bigint + 3600000,
		'tags', jsonb_build_object('resonate:target', '$address')))
	FROM generate_series(\$1::int, \$2::int) i))
WHERE status = 2010
END
}

sub create_by_rpc
{
	my ($parent, $prefix, $target, $timeout_ms, $first, $last) = @_;

	return $parent->value(
		<<"END", $first, $last, $timeout_ms, $prefix, $target);
SELECT count(*) FROM generate_series(\$1::int, \$2::int) i,
	LATERAL resonate.resonate_rpc(jsonb_build_object('kind', 'promise.create',
		'head', '{"corrId": "1", "version": "2026-04-01"}'::jsonb,
		'data', jsonb_build_object('id', \$4::text || i,
			'timeoutAt', (extract(epoch FROM now()) * 1000)::bigint + \$3::int,
			'tags', jsonb_build_object('resonate:target', \$5::text)))) r
WHERE r #>> '{head,status}' = '200'
END
}

my $parent = ResonateWire->new($node, 'postgres', 'parent');
my $started_at = time;
my $created = 0;
my $late = 0;

create_by_rpc($parent, 's', $first_address, 3_600_000, 1, $nstale);
create_by_rpc($parent, 'g', $first_address, 3_600_000, 1, $ngathered);
$parent->ask(<<'END', $nhubs);
SELECT resonate.create_promise('hub' || i, '1 h') FROM generate_series(1, $1::int) i
END
start_worker() foreach 1 .. $nworkers;

my $limit = time + $PostgreSQL::Test::Utils::timeout_default;
my $next_kill = time + 0.1;
my $next_worker_kill = time + 2;
my $next_look = 0;
my $pending = $ntasks;

while ($pending > 0 && time < $limit)
{
	if ($created < $ntasks)
	{
		my $last = $created + 250;

		$created +=
		  $last % 1000 == 0
		  ? create_by_rpc($parent, 't', $address, 3_600_000, $created + 1,
			$last)
		  : create_typed($parent, $created + 1, $last);
		last if $created != $last;

		# Some that may not be done in time.
		if ($late < $nlate)
		{
			create_by_rpc($parent, 'd', $first_address, int rand 300,
				$late + 1, $late + 10);
			$late += 10;
		}
	}
	if (time > $next_kill)
	{
		my @pids = keys %workers;

		kill 'KILL', $pids[ rand @pids ];
		$deaths{killed}++;
		$deaths{terminated} += $parent->value(<<'END');
SELECT count(pg_terminate_backend(pid)) FROM
	(SELECT pid FROM pg_stat_activity WHERE application_name = 'chaos'
	 AND state = 'active' ORDER BY random() LIMIT 1) a
END
		$next_kill = time + 0.05 + rand 0.1;
	}
	if (time > $next_worker_kill)
	{
		$parent->ask(<<'END');
SELECT pg_terminate_backend(pid) FROM pg_stat_activity
WHERE backend_type = 'resonate worker'
END
		$next_worker_kill = time + 3;
	}
	replace_dead();
	if ($created == $ntasks && time > $next_look)
	{
		$pending = $parent->value(<<'END');
SELECT count(*) FROM resonate.promises WHERE state = 'pending'
END
		$next_look = time + 0.2;
	}
	usleep(10_000);
}
is($created, $ntasks, "$ntasks tasks were created");
is($pending, 0, 'none is left');
is($late, $nlate, "as were $nlate that may be late");

# The end of the workers that are left.
append_to_file($stop_file, '');
while (%workers && time < $limit)
{
	my $pid = waitpid(-1, WNOHANG);

	delete $workers{$pid} if $pid > 0;
	usleep(10_000) if $pid <= 0;
}
is(scalar keys %workers, 0, 'the workers have ended');
diag(
	sprintf(
		'%.1f s; workers ended %d times, %d of them killed; %d backends terminated',
		time - $started_at,
		@deaths{qw(died killed terminated)}));

# The first few, for a message.
sub some
{
	my (@ids) = @_;

	return join("\n", splice(@ids, 0, 10), @ids ? 'and more' : ());
}

#
# What the workers have seen
#

my (%seen, %accepted, %tried, %acquired, @errors, @twice);

for my $file (sort glob "$dir/log.*")
{
	for (split /\n/, slurp_file($file))
	{
		my ($what, @words) = split /\t/, $_, -1;

		$seen{$what}++;
		push @errors, $_ if $what =~ /^(?:error|odd)$/;
		if ($what eq 'try')
		{
			$tried{ $words[0] }->{ $words[2] } = $words[1];
		}
		elsif ($what eq 'accepted')
		{
			push @twice, $words[0] if exists $accepted{ $words[0] };
			$accepted{ $words[0] } = [ @words[ 1, 2 ] ];
		}
		elsif ($what eq 'acquired')
		{
			push @{ $acquired{ $words[0] }->{ $words[1] } }, $file;
		}
	}
}
diag(join(', ', map { "$_: $seen{$_}" } sort keys %seen));
is(some(@errors), '',
	'no client has seen an error or an answer that cannot be');
is(some(@twice), '', 'no promise was fulfilled twice');

my @shared = grep {
	grep { @$_ > 1 }
	  values %{ $acquired{$_} }
} sort keys %acquired;

is(some(@shared), '', 'no version was acquired twice');
cmp_ok($seen{$_} // 0, '>', 0, "it happened: $_")
  foreach qw(accepted refused lost died woke);

#
# What is stored
#

my %stored = map { ($_->[0] => $_) } $parent->ask(<<'END');
SELECT id, state, convert_from(value_data, 'UTF8')::jsonb #>> '{}', task_version
FROM resonate.promises
END
my (@unresolved, @wrong, @lost, $children);

for my $id (
	(map { "t$_" } 1 .. $ntasks),
	(map { "s$_" } 1 .. $nstale),
	(map { "g$_" } 1 .. $ngathered))
{
	push @unresolved, $id if ($stored{$id}->[1] // '') ne 'resolved';
}
is(some(@unresolved), '', 'every task was fulfilled');
$children = grep { /^t\d+\.[cx]$/ } keys %stored;
cmp_ok($children, '>=', $ntasks / 5, 'and all their children are there');
is( scalar keys %stored,
	$ntasks + $nlate + $nstale + $ngathered + $nhubs + $children,
	'and nothing else is');

for my $id (sort keys %stored)
{
	my (undef, $state, $value, $version) = @{ $stored{$id} };

	next if $id =~ /\.x$|^hub/;
	if (exists $accepted{$id})
	{
		push @wrong, $id
		  unless $state eq 'resolved'
		  && $version == $accepted{$id}->[0]
		  && $value eq $accepted{$id}->[1];
	}
	elsif ($state eq 'resolved')
	{
		# The answer was lost, or its reader died before he took note of it.
		push @lost, $id;
		push @wrong, $id
		  unless defined $value && ($tried{$id}->{$value} // -1) == $version;
	}
	elsif ($id !~ /^d/ || $state ne 'rejected_timedout')
	{
		push @wrong, $id;
	}
}
is(some(@wrong), '',
	'each has the value of the fulfilment that was accepted');
diag(
	sprintf(
		'%d accepted fulfilments whose answer was lost, %d timeouts',
		scalar @lost,
		scalar grep { $_->[1] eq 'rejected_timedout' } values %stored));
is($parent->value(<<'END'), 0, 'each promise was settled once');
SELECT count(*) FROM
	(SELECT p.id FROM resonate.promises p LEFT JOIN settlements s ON s.id = p.id
	 GROUP BY p.id HAVING count(s.id) <> 1) x
END
is($parent->value('SELECT count(*) FROM leaps'),
	0, 'versions grow by one with each acquisition, and never else');
is( join(',', map { $_ // '' } map { @$_ } $parent->ask(<<'END')),
SELECT (SELECT count(*) FROM resonate.tasks),
	   (SELECT count(*) FROM resonate.awaiters)
END
	'0,0',
	'no task and no awaiter is left');

invariants_hold($node);

my $server_log = log_from($node, 0);

unlike($server_log, qr/deadlock|40P01/, 'there was no deadlock');
is( join(
		"\n",
		grep {
			/ (?:ERROR|PANIC|WARNING):|TRAP|FATAL:(?!  (?:terminating (?:connection|background worker)|connection to client lost))/
		} split /\n/,
		$server_log),
	'',
	'nor anything else in the log of the server');
is(crashes($node), '', 'no process has crashed');

undef $parent;
$node->stop;
done_testing();
