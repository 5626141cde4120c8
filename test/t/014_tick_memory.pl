
# What a tick needs does not grow with the time that it makes up for.

use strict;
use warnings FATAL => 'all';

use FindBin;
use lib $FindBin::RealBin;

use PostgreSQL::Test::Utils;
use ResonateTest;
use Test::More;

plan skip_all => 'this system does not tell the peak of a process'
  unless -r "/proc/$$/status";

use constant START => 4_102_444_800_000;

# Shared memory counts, too, as far as a session has touched it.
my $node = new_cluster('main', conf => "shared_buffers = '1 MB'\n");
my $session = open_session($node);

# The most memory that the session has ever had, in kB.
sub peak
{
	my ($peak) =
	  slurp_file('/proc/' . $session->pid . '/status') =~ /VmHWM:\s+(\d+)/;
	return $peak;
}

# Moves the clock on to so many minutes after the start.
sub tick
{
	my ($minutes) = @_;
	my $time = START + 60_000 * $minutes;

	is( $session->ask(
			qq[SELECT resonate.resonate_rpc('{"kind": "debug.tick",
				"head": {"corrId": "t", "version": "2026-04-01"}, "data": {"time": $time}}')
				#>> '{head,status}']),
		'200',
		"the clock is $minutes minutes later");
	return;
}

$session->ask('SET resonate.debug = on');
$session->ask('SET resonate.test_clock = ' . START);
is( $session->ask(
		"SELECT status FROM resonate.create_schedule('every second', '* * * * * *',
		 timeout => '1 s')"),
	2010, 'a schedule');
tick(5);
my $peak = peak();

# Fifty times as many steps.
tick(255);
cmp_ok(peak() - $peak, '<', 8 * 1024, 'kB more at the peak');
is( $session->ask("SELECT count(*) FROM resonate.promises"),
	255 * 60, 'one promise of the schedule for each second');
$session->close;

invariants_hold($node, 'postgres', START + 60_000 * 255);
$node->stop;
done_testing();
