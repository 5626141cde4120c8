
# A backup that was taken under load is restored to a point in the middle of the
# load that followed: to a name, a transaction and an instant.  Promises and the
# user's own table must agree, with each other and with what the clients had been
# told by then, and the work must go on from there.

use strict;
use warnings FATAL => 'all';

use FindBin;
use lib $FindBin::RealBin;

use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use ResonateAftermath;
use ResonateCrash;
use ResonateLedger;
use ResonateTest;
use ResonateWire;
use Test::More;
use Time::HiRes qw(time usleep);

my $round = 'pitr';
my $seed = int($ENV{RSN_SEED} || time);
my $limit_s = $PostgreSQL::Test::Utils::timeout_default;

# Points in the history of the primary, in this order; the statement reaches the
# point and answers with what the configuration calls it.
my @points = (
	{
		setting => 'recovery_target_name',
		sql =>
		  "SELECT 'the middle' FROM pg_create_restore_point('the middle')"
	},
	{
		setting => 'recovery_target_xid',
		sql => 'INSERT INTO marks VALUES (1) RETURNING pg_current_xact_id()'
	},
	{
		setting => 'recovery_target_time',
		sql => 'SELECT clock_timestamp()'
	});

my $primary = new_cluster(
	'primary',
	streaming => 1,
	start => 0,
	conf => server_conf());

srand $seed;
diag("seed: $seed");
$primary->enable_archiving;
$primary->start;
$primary->safe_psql('postgres',
	'CREATE EXTENSION resonate; CREATE TABLE marks (id int)');

my $crew = ResonateCrash->new($primary, $seed);

prepare($primary);
begin_round($crew, $primary, $round);
$primary->backup('base');

my $wire = ResonateWire->new($primary, 'postgres', 'main');

for my $point (@points)
{
	usleep(300_000 + rand 500_000);
	$point->{from} = time;
	$point->{value} = $wire->value($point->{sql});
	$point->{to} = time;
}
usleep(500_000);
undef $wire;
$crew->stop;

my $last =
  $primary->safe_psql('postgres', 'SELECT pg_walfile_name(pg_switch_wal())');

$primary->poll_query_until('postgres',
	"SELECT last_archived_wal >= '$last' FROM pg_stat_archiver")
  or die 'the history is not archived';
$primary->stop;

my @notes = $crew->notes($round);

#
# A restored server
#

# It stops at the point, and reads.
sub restore
{
	my ($number, $point) = @_;
	my $node = PostgreSQL::Test::Cluster->new("restored_$number");

	$node->init_from_backup(
		$primary, 'base',
		has_restoring => 1,
		standby => 0);
	$node->append_conf('postgresql.conf', <<"END");
$point->{setting} = '$point->{value}'
recovery_target_action = pause
archive_mode = off
END
	$node->start;
	$node->poll_query_until('postgres', 'SELECT pg_is_wal_replay_paused()')
	  or die 'the point is not reached';
	return $node;
}

sub rows
{
	my ($node, $sql) = @_;

	return ResonateWire->new($node, 'postgres', 'main')->ask($sql);
}

# The session of the listener of before: it listens, and then it looks.
sub listen_again
{
	my ($node) = @_;
	my $wire = ResonateLoad::Wire->new($node, 'postgres', 'listener');

	$wire->ask('LISTEN done_l1');
	return $wire;
}

# Who has been told what since the point, until all have been that are waiting.
sub hear_all
{
	my ($node, $listener, @waiting) = @_;
	my %unheard = map { join(' ', @$_[ 0, 1 ]) => 1 } @waiting;
	my $limit = time + $limit_s;
	my $mail = ResonateWire->new($node, 'postgres', 'receiver');

	for (@waiting)
	{
		my ($id, $kind, $address) = @$_;

		next unless $address =~ /^notify:/;
		delete $unheard{"$id $kind"}
		  if $listener->value('SELECT state FROM resonate.get_promise($1)',
			$id) ne 'pending';
	}
	while (%unheard && time < $limit)
	{
		delete @unheard{ map { /"id":"([^"]+)"/; "$1 callback" }
			  $listener->notifications(0.01) };
		delete @unheard{
			map { "$_->[0] callback" } $mail->ask(
				"SELECT promise_id FROM resonate.receive('poll://any\@crash.$round.r1'),
				 LATERAL resonate.acknowledge(promise_id, callback_id)")
		};
		delete @unheard{
			map { "$_->[0] listener" } $mail->ask(
				"SELECT promise ->> 'id' FROM resonate.dequeue_unblock('poll://uni\@crash/$round/r1'),
				 LATERAL resonate.acknowledge(promise ->> 'id', 'poll://uni\@crash/$round/r1', 'listener')"
			)
		};
	}
	return sort keys %unheard;
}

# Everything that has to follow once the server accepts writes.
sub go_on
{
	my ($node, $name, $ledger, @waiting) = @_;
	my $owner = $crew->client('owner', "owner_$name");
	my $listener;

	$node->safe_psql('postgres', 'SELECT pg_wal_replay_resume()');
	$node->poll_query_until('postgres', 'SELECT NOT pg_is_in_recovery()')
	  or die;
	$crew->point_at($node);
	$listener = listen_again($node);
	wait_for_worker($node);
	pass("$name: the worker starts");
	settle_up($owner, $node, $round);
	is(some(hear_all($node, $listener, @waiting)),
		'', "$name: everybody hears of what he has waited for");
	schedule_goes_on($node, $round);
	nothing_stays($node, $round);
	$ledger->add((grep { /owner_$name$/ } $crew->notes($round))[0]);
	check_told($ledger, $node, "$name, in the end");
	return;
}

for my $number (0 .. $#points)
{
	my $point = $points[$number];
	my $name = $point->{setting};
	my $node = restore($number, $point);
	my $ledger = ResonateLedger->new($round, @notes);
	my (%counts, @waiting);

	$ledger->cut(@$point{qw(from to)});
	%counts =
	  ($ledger->counts, check_told($ledger, $node, "$name, at the point"));
	diag(   "$name: $counts{ok} operations before the point, $counts{failed} "
		  . "failed or after it, $counts{unknown} at it "
		  . "(effects present: $counts{present}, absent: $counts{absent})");
	@waiting = rows($node, <<'END');
SELECT promise_id, kind, address FROM resonate.callbacks
UNION ALL
SELECT promise_id, kind, address FROM resonate.messages
END
	cmp_ok(scalar @waiting, '>', 0, "$name: there are some who wait");
	go_on($node, $name, $ledger, @waiting);
	is(crashes($node), '', "$name: no process has crashed");
	$node->stop;
}
done_testing();
