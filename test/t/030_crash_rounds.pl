
# A backend, the worker or the postmaster is killed at a random instant under
# load, again and again.  What the clients were told must be true afterwards.
#
# RSN_CRASH_ROUNDS is the number of rounds, RSN_SEED selects the instants;
# RSN_CRASH_FSYNC=1 has every commit wait for the disk.

use strict;
use warnings FATAL => 'all';

use FindBin;
use lib $FindBin::RealBin;

use PostgreSQL::Test::Utils;
use ResonateAftermath;
use ResonateCrash;
use ResonateLedger;
use ResonateTest;
use ResonateWire;
use Test::More;
use Time::HiRes qw(time usleep);

my $nrounds = $ENV{RSN_CRASH_ROUNDS} || 6;
my $seed = int($ENV{RSN_SEED} || time);
my $limit_s = $PostgreSQL::Test::Utils::timeout_default;

my $node = new_cluster('main', conf => server_conf());
my $crew = ResonateCrash->new($node, $seed);
my (%killed, %sum, @recoveries);

srand $seed;
diag("seed: $seed");
prepare($node);

sub can_connect
{
	return
	  eval { ResonateWire->new($node, 'postgres', 'main')->value('SELECT 1') };
}

sub wait_until
{
	my ($what, $condition) = @_;
	my $limit = time + $limit_s;

	until ($condition->())
	{
		die "in vain waited for: $what" if time > $limit;
		usleep(2_000);
	}
	return;
}

# Kills a process of the server, which then ends all others and begins anew.
sub kill_process
{
	my ($pid) = @_;
	my $offset = -s $node->logfile;

	kill('KILL', $pid) == 1 or return 0;
	wait_until('the end of all processes',
		sub { log_from($node, $offset) =~ /terminated; reinitializing/ });
	return 1;
}

# When the postmaster is killed the others leave by themselves, and nobody may
# start it again before.  If its parent is in no hurry to take note of its death,
# its number looks as if it lived; so the files that have it are removed.
sub start_again
{
	my $dir = $node->data_dir;

	wait_until(
		'the end of all processes',
		sub {
			return !grep { (readlink("$_/cwd") // '') eq $dir }
			  glob '/proc/[0-9]*';
		});
	unlink "$dir/postmaster.pid",
	  $node->host . '/.s.PGSQL.' . $node->port . '.lock';
	$node->start;
	return;
}

# Kills the postmaster, or one of these processes; returns when the server is up
# again.
sub strike
{
	my ($what, @pids) = @_;
	my $began = time;

	if ($what eq 'postmaster')
	{
		$node->kill9;
		start_again();
	}
	else
	{
		# One that has just ended cannot be killed.
		until (kill_process(splice @pids, rand @pids, 1))
		{
			@pids or die "there is no $what to kill";
		}
	}
	wait_until('a session', \&can_connect);
	push @recoveries, time - $began;
	$killed{$what}++;
	return;
}

sub pids_of
{
	my ($what) = @_;

	return split /\n/,
	  $node->safe_psql('postgres',
		$what eq 'worker'
		? 'SELECT worker_pid FROM resonate.stats'
		: "SELECT pid FROM pg_stat_activity WHERE application_name ~ '^crash '"
	  );
}

sub run_round
{
	my ($round, $what) = @_;
	my %counts;

	begin_round($crew, $node, $round);
	wait_for_worker($node);

	my @pids = $what eq 'postmaster' ? () : pids_of($what);

	usleep(rand 800_000);
	strike($what, @pids);

	# The work goes on, and now and then so do the blows.
	usleep(rand 400_000);
	strike('postmaster') if rand() < 0.15;
	usleep(200_000);
	%counts = check_round($crew, $node, $round);
	$sum{$_} += $counts{$_} foreach keys %counts;
	return;
}

my @kinds = qw(backend worker postmaster);

run_round("r$_", $kinds[ $_ % 3 ]) foreach 1 .. $nrounds;

# What an earlier round was told is still true after the later ones.
for my $i (1 .. $nrounds)
{
	my ($found) =
	  ResonateLedger->new("r$i", $crew->notes("r$i"))->compare($node);

	is(some(map { @$_ } values %$found), '', "r$i: and so it stays");
}
@recoveries = sort { $a <=> $b } @recoveries;
diag("rounds: $nrounds; killed: "
	  . join(', ', map { "$_ $killed{$_}" } sort keys %killed));
diag(describe(%sum));
diag(
	sprintf(
		'recovery: median %.0f ms, longest %.0f ms',
		map { 1000 * $_ } $recoveries[ @recoveries / 2 ],
		$recoveries[-1]));
cmp_ok($sum{ok}, '>', 100 * $nrounds, 'there was load');
is(crashes($node), '', 'no process has crashed but those that were killed');
$node->stop;
done_testing();
