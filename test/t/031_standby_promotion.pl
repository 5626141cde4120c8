
# The primary is lost under load and its synchronous standby promoted.  What the
# clients were told must be true there, and the work must go on.
#
# RSN_PROMOTIONS is how often this happens in a row, RSN_SEED selects the
# instants.

use strict;
use warnings FATAL => 'all';

use FindBin;
use lib $FindBin::RealBin;

use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use ResonateAftermath;
use ResonateCrash;
use ResonateTest;
use Test::More;
use Time::HiRes qw(time usleep);

my $npromotions = $ENV{RSN_PROMOTIONS} || 2;
my $seed = int($ENV{RSN_SEED} || time);

my $primary = new_cluster('server_0', streaming => 1, conf => server_conf());
my $crew = ResonateCrash->new($primary, $seed);
my (%sum, @outages);

srand $seed;
diag("seed: $seed");
prepare($primary);

# A standby without which nothing is committed from now on.
sub make_standby
{
	my ($number) = @_;
	my $standby = PostgreSQL::Test::Cluster->new("server_$number");

	$primary->backup("base_$number");
	$standby->init_from_backup($primary, "base_$number", has_streaming => 1);
	$standby->start;
	$primary->safe_psql('postgres',
		"ALTER SYSTEM SET synchronous_standby_names = '*'");
	$primary->reload;
	$primary->poll_query_until('postgres',
		"SELECT count(*) = 1 FROM pg_stat_replication WHERE sync_state = 'sync'"
	) or die 'the standby does not become synchronous';
	return $standby;
}

sub lose_primary
{
	my ($number) = @_;

	if   ($number % 2) { $primary->stop('immediate'); }
	else               { $primary->kill9; }
	return;
}

for my $number (1 .. $npromotions)
{
	my $round = "p$number";
	my $standby = make_standby($number);
	my ($began, %counts);

	begin_round($crew, $primary, $round);
	usleep(rand 1_000_000);
	$began = time;
	lose_primary($number);
	$standby->promote;
	$standby->poll_query_until('postgres', 'SELECT NOT pg_is_in_recovery()')
	  or die;
	push @outages, time - $began;
	$crew->point_at($standby);
	wait_for_worker($standby);
	pass("$round: the worker starts at the promotion");
	usleep(rand 500_000);
	%counts = check_round($crew, $standby, $round);
	$sum{$_} += $counts{$_} foreach keys %counts;
	$primary = $standby;
}
@outages = sort { $a <=> $b } @outages;
diag("promotions: $npromotions");
diag(describe(%sum));
diag(
	sprintf(
		'promotion: median %.0f ms, longest %.0f ms',
		map { 1000 * $_ } $outages[ @outages / 2 ],
		$outages[-1]));
is(crashes($primary), '', 'no process has crashed');
$primary->stop;
done_testing();
