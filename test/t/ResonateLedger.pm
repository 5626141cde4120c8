
=pod

=head1 NAME

ResonateLedger - what clients were told, compared with what is stored

=head1 SYNOPSIS

  use ResonateLedger;

  my $ledger = ResonateLedger->new('r1', $crew->notes('r1'));
  my ($violations, %counts) = $ledger->compare($node);

  is(some(@{ $violations->{lost} }), '', 'nothing that was told is lost');

=head1 DESCRIPTION

The rules: what was told to be committed is stored, with the state, the value and
the version that were told; what was told to have failed is not; what is not known
is stored entirely or not at all, so that a promise and the user's own row agree.

=cut

package ResonateLedger;

use strict;
use warnings FATAL => 'all';

use Exporter 'import';
use PostgreSQL::Test::Utils;
use ResonateWire;

our @EXPORT = qw(some what_is_compared);

# What is violated, and the name of the test that it is not.
my @rules = (
	lost => 'what was told to be committed is there',
	ghost => 'nothing is there that was told to have failed',
	altered => 'states, values, arguments and versions are those told',
	torn => 'promises and the orders of the same transactions agree',
	changed => 'nothing that was seen to be settled is otherwise',
	undue => 'deadlines were kept',
	twice => 'no version of a task was given out twice',
	back => 'nothing has come back that was acknowledged or given up',
	odd => 'no client has seen an error, or an answer that cannot be');

sub what_is_compared
{
	return @rules;
}

# The first few, for a message.
sub some
{
	my (@found) = @_;

	return join("\n", splice(@found, 0, 10), @found ? 'and more' : ());
}

=pod

=item ResonateLedger->new($round, @files)

Reads notes; see L<ResonateLoad> for what is in them.

=cut

sub new
{
	my ($class, $round, @files) = @_;
	my $self = bless {
		round => $round,
		ops => [],
		saw => [],
		heard => [],
		odd => [],
		lost_sessions => 0
	}, $class;

	$self->add($_) foreach @files;
	return $self;
}

=pod

=item $ledger->add($file)

Reads more notes.

=cut

# A line that a client could not finish does not count.
sub add
{
	my ($self, $file) = @_;
	my %op_of;

	for (slurp_file($file) =~ /^(.*)\n/mg)
	{
		my ($at, $what, @words) = split /\t/;

		if ($what eq 'try')
		{
			my ($number, @effects) = @words;

			$op_of{$number} = {
				began => $at,
				outcome => 'unknown',
				effects => \@effects
			};
			push @{ $self->{ops} }, $op_of{$number};
		}
		elsif ($what =~ /^(?:ok|failed|unknown)$/)
		{
			@{ $op_of{ $words[0] } }{qw(outcome ended)} = ($what, $at);
		}
		elsif ($what eq 'lost') { $self->{lost_sessions}++; }
		elsif ($what eq 'odd')  { push @{ $self->{odd} }, "$file: @words"; }
		else                    { push @{ $self->{$what} }, [ $at, @words ]; }
	}
	return;
}

=pod

=item $ledger->cut($from, $to)

Has the ledger say what it says of a database as of an instant between these two:
what was told before is there, what was asked for later is not, and what was
under way is not known.

=cut

sub cut
{
	my ($self, $from, $to) = @_;

	for my $op (@{ $self->{ops} })
	{
		next if defined $op->{ended} && $op->{ended} < $from;
		next if $op->{outcome} eq 'failed';
		$op->{outcome} = $op->{began} > $to ? 'failed' : 'unknown';
	}
	for my $what ('saw', 'heard')
	{
		@{ $self->{$what} } = grep { $_->[0] < $from } @{ $self->{$what} };
	}
	return;
}

=pod

=item $ledger->counts

How many operations had each outcome.

=cut

sub counts
{
	my ($self) = @_;
	my %counts = (ok => 0, failed => 0, unknown => 0);

	$counts{ $_->{outcome} }++ foreach @{ $self->{ops} };
	return %counts;
}

=pod

=item $ledger->created($pattern)

The ids of the promises that are known to have been created.

=cut

sub created
{
	my ($self, $pattern) = @_;

	return sort map { /^create:($pattern.*)$/ ? $1 : () }
	  map           { @{ $_->{effects} } }
	  grep          { $_->{outcome} eq 'ok' } @{ $self->{ops} };
}

=pod

=item $ledger->compare($node)

Lists of violations, by the names of the rules; and how many of the effects that
were not known are present, are absent, and were asked for again with an answer.

=cut

sub compare
{
	my ($self, $node) = @_;
	my $wire = ResonateWire->new($node, 'postgres', 'ledger');
	my $told = $self->_effects;
	my $found =
	  { map { $_ => [] } @rules[ grep { $_ % 2 == 0 } 0 .. $#rules ] };
	my $stored = $self->_stored($wire);

	$found->{odd} = $self->{odd};
	$self->_compare_creations($found, $told, $stored);
	$self->_compare_settlements($found, $told, $stored);
	$self->_compare_orders($found, $stored);
	$self->_compare_tasks($found, $told, $stored);
	$self->_compare_messages($found, $told, $wire);
	for (@{ $self->{saw} }, @{ $self->{heard} })
	{
		my (undef, $id, $state) = @$_;

		push @{ $found->{changed} }, "$id was $state"
		  if $state ne 'pending'
		  && ($stored->{promises}->{$id}->{now} // 'missing') ne $state;
	}
	return ($found, $self->_count_unknown($told, $stored));
}

# For each kind of effect and each effect, the best that was told of it.
sub _effects
{
	my ($self) = @_;
	my %rank = (failed => 1, unknown => 2, ok => 3);
	my %told = map { $_ => {} } qw(create settle acquire left ack listen);

	for my $op (@{ $self->{ops} })
	{
		for (@{ $op->{effects} })
		{
			my ($kind, $what) = /^(\w+):(.*)$/;
			my $best = $told{$kind}->{$what};

			$told{$kind}->{$what} = $op->{outcome}
			  if $rank{ $op->{outcome} } > ($best ? $rank{$best} : 0);
			push @{ $told{given}->{$what} }, 1
			  if $kind eq 'acquire' && $op->{outcome} eq 'ok';
		}
	}
	return \%told;
}

# now is what everybody has to be shown, stored or not.
my @promise_columns =
  qw(id state value param version task_state early is_timer now);
my $promises_sql = <<'END';
SELECT p.id, p.state, convert_from(p.value_data, 'UTF8')::jsonb #>> '{}',
	convert_from(p.param_data, 'UTF8')::jsonb #>> '{}',
	coalesce(t.version, p.task_version), t.state,
	p.timeout_at - p.settled_at, p.timer::int,
	CASE WHEN p.state <> 'pending' OR p.timeout_at >
		extract(epoch FROM clock_timestamp()) * 1000 THEN p.state::text
	WHEN p.timer THEN 'resolved' ELSE 'rejected_timedout' END
FROM resonate.promises p LEFT JOIN resonate.tasks t ON t.id = p.id
WHERE p.id LIKE $1
END

# Promises and orders of the round.
sub _stored
{
	my ($self, $wire) = @_;
	my $pattern = "$self->{round}/%";
	my %stored = (promises => {}, orders => {});

	for my $row ($wire->ask($promises_sql, $pattern))
	{
		@{ $stored{promises}->{ $row->[0] } }{@promise_columns} = @$row;
	}
	for my $row (
		$wire->ask(
			'SELECT id, state, value FROM orders WHERE id LIKE $1', $pattern))
	{
		@{ $stored{orders}->{ $row->[0] } }{qw(id state value)} = @$row;
	}
	return \%stored;
}

# The occurrences of schedules are created by the server.
sub _compare_creations
{
	my ($self, $found, $told, $stored) = @_;
	my $promises = $stored->{promises};

	for my $id (sort keys %{ $told->{create} })
	{
		push @{ $found->{lost} }, $id
		  if $told->{create}->{$id} eq 'ok' && !$promises->{$id};
	}
	for my $id (sort keys %$promises)
	{
		next if $id =~ m{/tick\.\d+$};
		push @{ $found->{ghost} }, $id
		  if ($told->{create}->{$id} // 'failed') eq 'failed';
		push @{ $found->{altered} }, "$id has another argument"
		  if $id !~ /\.c$/ && ($promises->{$id}->{param} // '') ne $id;
	}
	return;
}

# A value belongs to one settlement, so it says whose it was.
sub _compare_settlements
{
	my ($self, $found, $told, $stored) = @_;
	my %settled_by;

	for my $what (sort keys %{ $told->{settle} })
	{
		my ($id, $state, $value, $version) = split /=/, $what;
		my $promise = $stored->{promises}->{$id};
		my $outcome = $told->{settle}->{$what};
		my $is_stored = $promise && ($promise->{value} // '') eq $value;

		push @{ $found->{lost} },
		  "$what is " . ($promise->{state} // 'missing')
		  if $outcome eq 'ok' && !$is_stored;
		next unless $is_stored;
		$settled_by{$id} = $what;
		push @{ $found->{ghost} }, $what if $outcome eq 'failed';
		push @{ $found->{altered} }, "$what is $promise->{state}"
		  if $promise->{state} ne $state
		  || defined $version && $promise->{version} != $version;
	}
	for my $promise (values %{ $stored->{promises} })
	{
		next
		  if $promise->{state} eq 'pending' || $settled_by{ $promise->{id} };
		push @{ $found->{ghost} }, "$promise->{id}=$promise->{state}"
		  if defined $promise->{value};
		push @{ $found->{undue} }, "$promise->{id}=$promise->{state}"
		  if $promise->{early} != 0
		  || $promise->{state} ne
		  ($promise->{is_timer} ? 'resolved' : 'rejected_timedout');
	}
	return;
}

# An order is there if and only if its promise is, and was changed if and only if
# that was settled by somebody.
sub _compare_orders
{
	my ($self, $found, $stored) = @_;
	my ($promises, $orders) = @$stored{qw(promises orders)};

	for my $id (sort keys %{ { %$promises, %$orders } })
	{
		my ($promise, $order) = ($promises->{$id}, $orders->{$id});
		my $state =
		  $promise && defined $promise->{value} ? $promise->{state} : '';

		next unless $order || $id =~ m{/o\d+$};
		push @{ $found->{torn} }, $id
		  unless $promise
		  && $order
		  && ($order->{state} // '') eq $state
		  && ($order->{value} // '') eq ($promise->{value} // '');
	}
	return;
}

sub _compare_tasks
{
	my ($self, $found, $told, $stored) = @_;
	my $promises = $stored->{promises};

	push @{ $found->{twice} },
	  grep { @{ $told->{given}->{$_} } > 1 } sort keys %{ $told->{given} };
	for my $what (sort keys %{ $told->{acquire} })
	{
		my ($id, $version) = split /=/, $what;

		push @{ $found->{lost} }, "acquire $what"
		  if $told->{acquire}->{$what} eq 'ok'
		  && ($promises->{$id}->{version} // -1) < $version;
	}
	for my $what (sort keys %{ $told->{left} })
	{
		my ($id, $version) = split /=/, $what;
		my $promise = $promises->{$id};

		push @{ $found->{back} }, "left $what"
		  if $told->{left}->{$what} eq 'ok'
		  && $promise->{version} == $version
		  && ($promise->{task_state} // '') eq 'acquired';
	}
	return;
}

# What was acknowledged is neither there nor was it received once more.
sub _compare_messages
{
	my ($self, $found, $told, $wire) = @_;
	my %acknowledged_at;

	for my $op (grep { $_->{outcome} eq 'ok' } @{ $self->{ops} })
	{
		$acknowledged_at{$_} = $op->{ended}
		  foreach map { /^ack:(.*)$/ } @{ $op->{effects} };
	}
	for my $row (
		@{ $self->{heard} },
		map { [ 'inf', $_->[0], '', 'message' ] } $wire->ask(
			q(SELECT promise_id FROM resonate.messages
			  WHERE kind = 'callback' AND promise_id LIKE $1),
			"$self->{round}/%"))
	{
		my ($at, $id, undef, $how) = @$row;

		push @{ $found->{back} }, "message of $id"
		  if $how eq 'message' && $at > ($acknowledged_at{$id} // 'inf');
	}
	return;
}

# Of what is still not known: what was asked for again, with an answer, is.
sub _count_unknown
{
	my ($self, $told, $stored) = @_;
	my %count = (present => 0, absent => 0, again => 0);

	for (
		map  { @{ $_->{effects} } }
		grep { $_->{outcome} eq 'unknown' } @{ $self->{ops} })
	{
		my ($kind, $what) = /^(create|settle):(.*)$/ or next;
		my ($id, undef, $value) = split /=/, $what;
		my $promise = $stored->{promises}->{$id};
		my $is_there = $promise
		  && (!defined $value || ($promise->{value} // '') eq $value);

		$count{
			  $told->{$kind}->{$what} eq 'ok' ? 'again'
			: $is_there                       ? 'present'
			:                                   'absent'
		}++;
	}
	return %count;
}

=pod

=item $ledger->unheard

The promises with somebody waiting who has not heard of them.

=cut

sub unheard
{
	my ($self) = @_;
	my %heard = map { $_->[1] => 1 } @{ $self->{heard} };

	return grep { !$heard{$_} } $self->created("$self->{round}/[lr]\\d+/w");
}

1;
