
=pod

=head1 NAME

ResonateAftermath - what has to be true of a server that has come back

=head1 SYNOPSIS

  use ResonateAftermath;

  prepare($node);
  ...
  my $sum = check_round($crew, $node, 'r1');

=head1 DESCRIPTION

Ends the work of a crew, has everything settled that others wait for, and tests
that all of it happens: each due promise is settled, each task that was left is
given out again, each listener hears, and nothing stays behind.

=cut

package ResonateAftermath;

use strict;
use warnings FATAL => 'all';

use Exporter 'import';
use PostgreSQL::Test::Utils;
use ResonateLedger;
use ResonateTest;
use Test::More;
use Time::HiRes qw(time usleep);

our @EXPORT = qw(
  describe
  server_conf
  prepare
  begin_round
  check_round
  check_told
  settle_up
  schedule_goes_on
  nothing_stays
);

=pod

=item server_conf

Configuration with which what was dropped comes back soon enough for a test.
With RSN_CRASH_FSYNC commits take so long that many are under way when something
is killed, and recovery longer, too.

=cut

sub server_conf
{
	my $fsync = $ENV{RSN_CRASH_FSYNC} ? 'on' : 'off';

	return <<"END";
resonate.retry_timeout = '300 ms'
resonate.retry_backoff = 1
resonate.visibility_timeout = '500 ms'
fsync = $fsync
commit_delay = 2000
commit_siblings = 1
END
}

=pod

=item prepare($node)

Makes the user's own table.

=cut

sub prepare
{
	my ($node) = @_;

	$node->safe_psql('postgres',
		'CREATE TABLE orders (id text COLLATE "C" PRIMARY KEY, state text, value text)'
	);
	wait_for_worker($node);
	return;
}

=pod

=item begin_round($crew, $node, $round)

Starts the clients, and a schedule, and waits until all are under way.

=cut

sub begin_round
{
	my ($crew, $node, $round) = @_;

	is( $node->safe_psql(
			'postgres',
			"SELECT status FROM resonate.create_schedule('$round', '* * * * * *',
			 '{{.id}}/tick.{{.timestamp}}', '700 ms')"),
		2010,
		"$round: a schedule is made");
	$crew->start(
		$round,
		maker => 4,
		worker => 2,
		listener => 1,
		receiver => 1);
	$crew->wait_for_load(10);
	return;
}

# Tests that a list is empty.
sub none
{
	my ($name, @found) = @_;

	return is(some(@found), '', $name);
}

# Rows without the rows that they belong to.  A callback of a settled promise that
# the worker has to notify of may be on its way.
my $orphans_sql = <<'END';
SELECT 'callback ' || c.promise_id FROM resonate.callbacks c
	LEFT JOIN resonate.promises p ON p.id = c.promise_id
	WHERE p.state IS DISTINCT FROM 'pending' AND
		NOT (p.id IS NOT NULL AND c.address ^@ 'notify://')
UNION ALL
SELECT 'message ' || m.promise_id FROM resonate.messages m
	LEFT JOIN resonate.promises p ON p.id = m.promise_id
	WHERE coalesce(p.state, 'pending') = 'pending'
UNION ALL
SELECT 'task ' || t.id FROM resonate.tasks t
	LEFT JOIN resonate.promises p ON p.id = t.id
	WHERE p.state IS DISTINCT FROM 'pending' OR NOT p.targeted
UNION ALL
SELECT 'promise ' || p.id FROM resonate.promises p
	LEFT JOIN resonate.tasks t ON t.id = p.id
	WHERE p.targeted AND p.state = 'pending' AND t.id IS NULL
UNION ALL
SELECT 'awaiter ' || a.awaiter_id FROM resonate.awaiters a
	LEFT JOIN resonate.promises p ON p.id = a.awaited_id
	LEFT JOIN resonate.promises w ON w.id = a.awaiter_id
	WHERE p.state IS DISTINCT FROM 'pending' OR w.id IS NULL
END

=pod

=item check_told($ledger, $node, $when)

Tests that the server agrees with the ledger; answers the counts of its compare().

=cut

sub check_told
{
	my ($ledger, $node, $when) = @_;
	my ($found, %counts) = $ledger->compare($node);
	my @rules = what_is_compared();

	while (my ($rule, $name) = splice @rules, 0, 2)
	{
		none("$when: $name", @{ $found->{$rule} });
	}
	none("$when: no row has lost those that it belongs to",
		split /\n/, $node->safe_psql('postgres', $orphans_sql));
	invariants_hold($node);
	return %counts;
}

=pod

=item check_round($crew, $node, $round)

Ends a round; the crew must be pointed at the server.  Answers counts.

=cut

sub check_round
{
	my ($crew, $node, $round) = @_;
	my %sum;

	$crew->stop_work;
	%sum = check_told(ResonateLedger->new($round, $crew->notes($round)),
		$node, "$round, after recovery");
	%sum = (%sum, settle_up($crew->client('owner', 'owner'), $node, $round));
	schedule_goes_on($node, $round);
	nothing_stays($node, $round);
	_all_have_heard($crew, $round);
	$crew->stop;

	my $ledger = ResonateLedger->new($round, $crew->notes($round));

	check_told($ledger, $node, "$round, in the end");
	return (%sum, $ledger->counts, sessions => $ledger->{lost_sessions});
}

=pod

=item describe(%counts)

The counts of check_round in words.

=cut

sub describe
{
	my (%sum) = @_;

	return
		"operations: $sum{ok} acknowledged, $sum{failed} failed, "
	  . "$sum{unknown} unknown (of their effects $sum{present} were present, "
	  . "$sum{absent} absent, $sum{again} asked for again); "
	  . "sessions lost: $sum{sessions}; tasks taken over: $sum{left}, "
	  . "$sum{refused} of them from somebody who was refused";
}

=pod

=item settle_up($owner, $node, $round)

Has a client settle what others wait for, and run the tasks that are left.
Answers counts.

=cut

sub settle_up
{
	my ($owner, $node, $round) = @_;
	my $limit = time + $PostgreSQL::Test::Utils::timeout_default;
	my %sum = (left => 0, refused => 0);

	$owner->connect;
	$owner->settle($_->[0]) foreach $owner->look(<<'END', "$round/%");
SELECT id FROM resonate.promises
WHERE state = 'pending' AND NOT targeted AND timeout_at - created_at > 3600000
	AND id LIKE $1 AND id NOT LIKE '%/o%'
END
	while ($owner->count_tasks($round) > 0 && time < $limit)
	{
		my @offers = $owner->offers($round);

		usleep(20_000) unless @offers;
		for (@offers)
		{
			$sum{left}++;
			$sum{refused} += $owner->take_over(@$_);
		}
	}
	is($owner->count_tasks($round),
		0, "$round: each task that was left is given out again, and ends");
	return %sum;
}

=pod

=item schedule_goes_on($node, $round)

Tests that the schedule has fired in every second since it was made, until now,
and deletes it.

=cut

sub schedule_goes_on
{
	my ($node, $round) = @_;
	my $now_ms = int(time) * 1000;

	ok( $node->poll_query_until(
			'postgres',
			"SELECT last_run_at >= $now_ms FROM resonate.schedules WHERE id = '$round'"
		),
		"$round: the schedule goes on");
	is( $node->safe_psql('postgres',
			<<"END"), 't|t|2000', "$round: it has left out nothing");
SELECT count(*) = (max(p.created_at) - min(p.created_at)) / 1000 + 1,
	min(p.created_at) - min(s.created_at) BETWEEN 1 AND 1000,
	resonate.delete_schedule('$round')
FROM resonate.promises p, resonate.schedules s
WHERE p.id LIKE '$round/tick.%' AND s.id = '$round'
END
	return;
}

=pod

=item nothing_stays($node, $round)

Tests that deadlines pass and queues run empty.

=cut

sub nothing_stays
{
	my ($node, $round) = @_;

	ok( $node->poll_query_until(
			'postgres', "SELECT NOT EXISTS (SELECT FROM resonate.promises
			 WHERE state = 'pending' AND timeout_at - created_at < 3600000
			 AND id LIKE '$round/%')"),
		"$round: everything that is due is settled");
	ok( $node->poll_query_until('postgres', <<'END'),
SELECT NOT EXISTS (SELECT FROM resonate.callbacks)
	AND NOT EXISTS (SELECT FROM resonate.awaiters)
	AND NOT EXISTS (SELECT FROM resonate.messages)
	AND NOT EXISTS (SELECT FROM resonate.tasks)
	AND NOT EXISTS (SELECT FROM resonate.schedules)
END
		"$round: no callback, awaiter, message, task or schedule stays behind"
	);
	return;
}

sub _all_have_heard
{
	my ($crew, $round) = @_;
	my $limit = time + $PostgreSQL::Test::Utils::timeout_default;
	my @unheard;

	do
	{
		@unheard = ResonateLedger->new($round, $crew->notes($round))->unheard;
		usleep(20_000) if @unheard;
	} while (@unheard && time < $limit);
	none("$round: everybody has heard of what he has waited for", @unheard);
	return;
}

1;
