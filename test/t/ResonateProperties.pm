
=pod

=head1 NAME

ResonateProperties - what no step may do to what is stored

=head1 SYNOPSIS

  use ResonateProperties;

  my $before = read_state($session->ask(state_query()));
  ...
  my $after = read_state($session->ask(state_query()));

  print "$_->[0]: @$_[1 .. $#$_]\n"
    foreach violations($before, $after, { now => $now });

=head1 DESCRIPTION

The transition properties of the protocol specification (6.2), by their names
and in their order, and the two of 6.3 that are for background steps only.  They
speak of a machine that does one thing at a time and has every task, message and
set as such.  Here they are those of our tables:

=over

=item *

A task that has a row is what the row says.  One without a row is fulfilled if
its promise is settled, and has the version that is kept there.

=item *

A callback is a row of awaiters, a listener one of callbacks; its typed sister
has the same duties.  The outbox is the table messages.  An execute message has
no row: a task that is pending and due is one, and what dequeue_execute answers
is a new one.

=item *

resumes is a count.  "Holds that id" means that the count has grown.

=item *

One step is one transaction.  It may settle several promises with all that
follows, which the specification has happen in steps of their own.

=back

The specification itself has three notes on its properties.  (a) 27 is checked
in the weaker form that holds.  (b) A schedule that is late makes promises that
are past their deadline; here they are born settled, so 40 needs no exemption.
(c) A message may disappear when it is delivered (29), history when it is pruned
(2, 3, 4), and a task that was set back without progress waits for longer (47).

=cut

package ResonateProperties;

use strict;
use warnings FATAL => 'all';

use Exporter 'import';
use JSON::PP;

our @EXPORT = qw(
  property_names
  read_state
  state_query
  violations
);

my @states = qw(pending acquired suspended halted fulfilled);
my %edges = (
	pending => [qw(pending acquired halted fulfilled)],
	acquired => \@states,
	suspended => [qw(suspended pending halted fulfilled)],
	halted => [qw(halted pending fulfilled)],
	fulfilled => [qw(fulfilled)]);
my %internal_edges = (
	pending => [qw(pending fulfilled)],
	acquired => [qw(acquired pending fulfilled)],
	suspended => [qw(suspended pending fulfilled)],
	halted => [qw(halted fulfilled)],
	fulfilled => [qw(fulfilled)]);

=pod

=over

=item state_query()

The query for everything that is stored, one object a line.

=cut

sub state_query
{
	return <<'END';
SELECT 'promise ' || json_build_object('id', id, 'state', state,
	'created_at', created_at, 'timeout_at', timeout_at, 'settled_at', settled_at,
	'timer', timer::integer, 'external', external::integer, 'targeted', targeted::integer,
	'target', tags ->> 'resonate:target', 'delay', tags ->> 'resonate:delay',
	'task_version', task_version,
	'birth', jsonb_build_array(created_at, timeout_at, timer, external, targeted, tags,
		param_headers, param_data, param_text, idempotency_key_for_create)::text,
	'value', CASE WHEN num_nonnulls(value_headers, value_data, value_text) > 0
		THEN jsonb_build_array(value_headers, value_data, value_text)::text END,
	'value_string', coalesce(translate(encode(value_data, 'base64'), E'\n', ''), value_text))
FROM resonate.promises
UNION ALL
SELECT 'task ' || json_build_object('id', id, 'state', state, 'version', version,
	'pid', pid, 'ttl', ttl, 'clock', clock_at, 'resumes', resumes, 'setbacks', setbacks,
	'timeout_at', timeout_at, 'address', address)
FROM resonate.tasks
UNION ALL
SELECT 'callback ' || json_build_array(awaited_id, awaiter_id) FROM resonate.awaiters
UNION ALL
SELECT 'listener ' || json_build_array(promise_id, kind || ' ' || callback_id, address)
FROM resonate.callbacks
UNION ALL
SELECT 'message ' || json_build_array(promise_id, kind || ' ' || callback_id, address)
FROM resonate.messages
UNION ALL
SELECT 'schedule ' || json_build_object('id', id, 'last', last_run_at, 'next', next_run_at,
	'birth', (to_jsonb(s) - '{last_run_at,next_run_at,next_civil,fired,missed,last_missed_at}'::text[])::text)
FROM resonate.schedules s
END
}

=pod

=item read_state($lines)

The answer to that query as a structure: promises, tasks, schedules by id;
callbacks, listeners, outbox by the id of the promise and a key of their own;
duplicates, a list of ids.  Lines that tell of something else are left out.

=cut

my $json = JSON::PP->new->utf8(0);
my %known_lines;

sub read_state
{
	my ($lines) = @_;
	my %table = (
		promise => 'promises',
		task => 'tasks',
		schedule => 'schedules',
		callback => 'callbacks',
		listener => 'listeners',
		message => 'outbox');
	my %state = map { $_ => {} } values %table;

	$state{duplicates} = [];
	%known_lines = () if keys %known_lines > 20_000;
	foreach my $line (split /\n/, $lines)
	{
		next
		  unless $line =~
		  /^(promise|task|schedule|callback|listener|message) (.*)/;
		my ($table, $text) = ($table{$1}, $2);
		my $object = $known_lines{$line} //= $json->decode($text);

		if (ref $object eq 'ARRAY')
		{
			$state{$table}->{ $object->[0] }->{ $object->[1] } = $object->[2]
			  // 1;
			next;
		}
		push @{ $state{duplicates} }, $object->{id}
		  if exists $state{$table}->{ $object->{id} };
		$state{$table}->{ $object->{id} } = $object;
	}

	# What has no row.
	foreach my $promise (values %{ $state{promises} })
	{
		next
		  unless $promise->{targeted}
		  && $promise->{state} ne 'pending'
		  && !exists $state{tasks}->{ $promise->{id} };
		$state{tasks}->{ $promise->{id} } = {
			id => $promise->{id},
			state => 'fulfilled',
			version => $promise->{task_version},
			resumes => 0,
			timeout_at => $promise->{timeout_at}
		};
	}
	return \%state;
}

#
# Parts of properties
#

sub is_one_of
{
	my ($name, @names) = @_;

	return scalar grep { $_ eq $name } @names;
}

sub differ
{
	my ($x, $y) = @_;

	return defined $x ? !defined $y || $x ne $y : defined $y;
}

sub is_pending
{
	return $_[0]->{state} eq 'pending';
}

# True for what was in this state before the step, and after it.
sub moves
{
	my ($pair, $from, $to) = @_;

	return
		 $pair->{b}
	  && $pair->{a}
	  && $pair->{b}->{state} eq $from
	  && $pair->{a}->{state} eq $to;
}

sub verdict
{
	my ($promise) = @_;

	return $promise->{timer} ? 'resolved' : 'rejected_timedout';
}

# Settled by its deadline, in every respect.
sub is_timed_out
{
	my ($promise, $now) = @_;

	return
		 $promise->{settled_at} == $promise->{timeout_at}
	  && $promise->{timeout_at} <= $now
	  && $promise->{state} eq verdict($promise)
	  && !defined $promise->{value};
}

sub has_lease
{
	my ($task) = @_;

	return
		 defined $task->{pid}
	  && defined $task->{ttl}
	  && defined $task->{clock};
}

sub is_bare
{
	my ($task) = @_;

	return !grep { defined $task->{$_} } qw(pid ttl clock);
}

# The lease of a task, each field, and no clock unless it is that of the lease.
sub lease
{
	my ($task) = @_;

	return ($task->{pid}, $task->{ttl},
		$task->{state} eq 'acquired' ? $task->{clock} : undef);
}

# Settled, or an internal promise that lapsed: nobody stores that it did.
sub is_history
{
	my ($promise, $now) = @_;

	return !is_pending($promise)
	  || (!$promise->{external} && $promise->{timeout_at} <= $now);
}

# Before and after, for everything that was there or is.
sub pairs
{
	my ($before, $after) = @_;

	return [
		map { { id => $_, b => $before->{$_}, a => $after->{$_} } }
		sort keys %{ { %$before, %$after } }
	];
}

# In a set of sets, without adding anything to it.
sub has
{
	my ($sets, $id, $key) = @_;

	return exists $sets->{$id} && exists $sets->{$id}->{$key};
}

# What one set of sets has and the other has not.
sub missing_in
{
	my ($has, $has_not) = @_;
	my @result;

	foreach my $id (sort keys %$has)
	{
		push @result,
		  map { { id => $id, key => $_, address => $has->{$id}->{$_} } }
		  grep { !has($has_not, $id, $_) }
		  sort keys %{ $has->{$id} };
	}
	return \@result;
}

# All that the properties look at.
sub compare
{
	my ($before, $after, $step) = @_;
	my %c = (
		before => $before,
		after => $after,
		now => $step->{now},
		step => $step,
		promises => pairs($before->{promises}, $after->{promises}),
		tasks => pairs($before->{tasks}, $after->{tasks}),
		schedules => pairs($before->{schedules}, $after->{schedules}));

	foreach my $set (qw(callbacks listeners outbox))
	{
		$c{"new_$set"} = missing_in($after->{$set}, $before->{$set});
		$c{"lost_$set"} = missing_in($before->{$set}, $after->{$set});
	}

	# What is pruned goes with its messages, and with what it has awaited.
	$c{lost_outbox} =
	  [ grep { !is_pruned(\%c, $_->{id}) } @{ $c{lost_outbox} } ];
	$c{lost_callbacks} =
	  [ grep { !is_pruned(\%c, $_->{key}) } @{ $c{lost_callbacks} } ];
	$c{consumed}->{ $_->{key} }++ foreach @{ $c{lost_callbacks} };
	return \%c;
}

sub is_pruned
{
	my ($c, $id) = @_;

	return $c->{step}->{prunes} && !$c->{after}->{promises}->{$id};
}

# The promise of a callback, a message or the like.
sub before
{
	my ($c, $item) = @_;

	return $c->{before}->{promises}->{ $item->{id} };
}

sub after
{
	my ($c, $item) = @_;

	return $c->{after}->{promises}->{ $item->{id} };
}

sub is_on_a_rung
{
	my ($state, $task_id) = @_;

	return scalar grep {
		my $promise = $state->{promises}->{$_};

		$promise
		  && is_pending($promise)
		  && has($state->{callbacks}, $_, $task_id)
	} keys %{ $state->{callbacks} };
}

sub is_born_right
{
	my ($task, $promise) = @_;

	return $task->{state} eq 'fulfilled' && $task->{version} == 0
	  unless is_pending($promise);
	return $task->{state} eq 'pending'
	  ? $task->{version} == 0
	  : $task->{state} eq 'acquired' && $task->{version} >= 1;
}

# When the first offer of a newborn task is due.
sub first_offer
{
	my ($promise) = @_;
	my $delay = $promise->{delay} // 0;

	return $delay > $promise->{created_at} ? $delay : $promise->{created_at};
}

sub is_new_clock_right
{
	my ($c, $pair) = @_;
	my ($before, $task) = @$pair{qw(b a)};
	my $longest = $c->{step}->{longest_wait} // 300_000;

	return $task->{clock} ==
	  first_offer($c->{after}->{promises}->{ $pair->{id} })
	  unless $before;
	return $task->{clock} == $c->{now}
	  if $before->{state} ne 'acquired' || $task->{setbacks} <= 1;

	# Note c.
	return
		 $task->{setbacks} == $before->{setbacks} + 1
	  && $task->{clock} >= $c->{now} + ($longest > 0 ? 1 : 0)
	  && $task->{clock} <= $c->{now} + $longest;
}

sub is_acquired_right
{
	my ($c, $task) = @_;
	my $lease = $c->{step}->{lease};

	return 0
	  unless has_lease($task)
	  && $task->{clock} == $c->{now} + $task->{ttl}
	  && $task->{resumes} == 0;
	return !$lease
	  || ($lease->{pid} eq $task->{pid} && $lease->{ttl} == $task->{ttl});
}

# True for a promise that is born as it should be.
sub is_born_clean
{
	my ($c, $promise) = @_;
	my $is_late = $c->{step}->{is_internal};

	return 0
	  if defined $promise->{value}
	  || %{ $c->{after}->{callbacks}->{ $promise->{id} } // {} }
	  || %{ $c->{after}->{listeners}->{ $promise->{id} } // {} }
	  || $promise->{created_at} > $c->{now};
	return $promise->{created_at} < $promise->{timeout_at}
	  && ($is_late || $promise->{created_at} == $c->{now})
	  if is_pending($promise);

	# An occurrence of a schedule was born when it should have been.
	return is_timed_out($promise, $c->{now})
	  && ($is_late || $promise->{created_at} == $promise->{timeout_at});
}

# True for an offer of what is stored, which is offered again later only.
sub is_execute_right
{
	my ($c, $execute) = @_;
	my $task = $c->{after}->{tasks}->{ $execute->{id} };
	my $promise = after($c, $execute);

	return
		 $task
	  && $promise
	  && $task->{state} eq 'pending'
	  && $task->{version} == $execute->{version}
	  && $task->{clock} > $c->{now}
	  && $execute->{address} eq $promise->{target};
}

sub is_record_right
{
	my ($c, $record) = @_;
	my $promise = after($c, $record);

	return
		 $promise
	  && !is_pending($promise)
	  && !differ($record->{state}, $promise->{state})
	  && !differ($record->{settledAt}, $promise->{settled_at})
	  && !differ($record->{createdAt}, $promise->{created_at})
	  && !differ($record->{timeoutAt}, $promise->{timeout_at})
	  && !differ($record->{value}->{data}, $promise->{value_string});
}

sub settles
{
	my ($pair) = @_;

	return
		 $pair->{b}
	  && $pair->{a}
	  && is_pending($pair->{b})
	  && !is_pending($pair->{a});
}

#
# The properties.  Each answers what violates it.
#

my @properties = (
	preserved_promise_birth_fields_immutable => sub {
		my ($c) = @_;
		return
		  grep { $_->{b} && $_->{a} && $_->{b}->{birth} ne $_->{a}->{birth} }
		  @{ $c->{promises} };
	},
	preserved_settled_promise_record => sub {
		my ($c) = @_;
		return grep {
			my ($b, $a) = @$_{qw(b a)};

			$b
			  && !is_pending($b)
			  && (
				$a
				? scalar(
					grep { differ($b->{$_}, $a->{$_}) }
					  qw(state settled_at value))
				: !$c->{step}->{prunes})
		} @{ $c->{promises} };
	},
	monotone_promise_set_grows => sub {
		my ($c) = @_;
		return grep {
				 !$_->{a}
			  && !($c->{step}->{prunes} && is_history($_->{b}, $c->{now}))
		} @{ $c->{promises} };
	},
	monotone_task_set_grows => sub {
		my ($c) = @_;
		return grep {
				 !$_->{a}
			  && !($c->{step}->{prunes} && $_->{b}->{state} eq 'fulfilled')
		} @{ $c->{tasks} };
	},
	monotone_task_version_increases_only_on_acquisition => sub {
		my ($c) = @_;
		return grep {
				 $_->{b}
			  && $_->{a}
			  && $_->{a}->{version} != $_->{b}->{version} +
			  (moves($_, 'pending', 'acquired') ? 1 : 0)
		} @{ $c->{tasks} };
	},
	preserved_fulfilled_task => sub {
		my ($c) = @_;
		return grep {
			my ($b, $a) = @$_{qw(b a)};

				 $b
			  && $a
			  && $b->{state} eq 'fulfilled'
			  && ( $a->{state} ne 'fulfilled'
				|| $a->{version} != $b->{version}
				|| $a->{resumes} != 0
				|| !is_bare($a))
		} @{ $c->{tasks} };
	},
	preserved_promise_state_frozen_once_settled => sub {
		my ($c) = @_;
		return grep {
				 $_->{b}
			  && $_->{a}
			  && !is_pending($_->{b})
			  && $_->{a}->{state} ne $_->{b}->{state}
		} @{ $c->{promises} };
	},
	preserved_promise_settlement_is_one_way => sub {
		my ($c) = @_;
		return grep {
			$_->{b} && $_->{a} && !is_pending($_->{b}) && is_pending($_->{a})
		} @{ $c->{promises} };
	},
	consistent_promise_settled_at_moves_with_state => sub {
		my ($c) = @_;
		return grep {
				 $_->{b}
			  && $_->{a}
			  && (differ($_->{b}->{state}, $_->{a}->{state})
				xor differ($_->{b}->{settled_at}, $_->{a}->{settled_at}))
		} @{ $c->{promises} };
	},
	preserved_promise_value_until_settlement => sub {
		my ($c) = @_;
		return grep {
				 moves($_, 'pending', 'pending')
			  && differ($_->{b}->{value}, $_->{a}->{value})
		} @{ $c->{promises} };
	},
	preserved_promise_no_duplicate_ids => sub {
		my ($c) = @_;
		return map { { id => $_ } } @{ $c->{after}->{duplicates} };
	},
	monotone_promise_callbacks_grow_while_pending => sub {
		my ($c) = @_;
		return (
			(   grep { after($c, $_) && is_pending(after($c, $_)) }
				  @{ $c->{lost_callbacks} }),
			grep { !before($c, $_) } @{ $c->{new_callbacks} });
	},
	monotone_promise_callbacks_shrink_once_settled => sub {
		my ($c) = @_;
		return
		  grep { before($c, $_) && !is_pending(before($c, $_)) }
		  @{ $c->{new_callbacks} };
	},
	monotone_promise_listeners_grow_while_pending => sub {
		my ($c) = @_;
		return (
			(   grep { after($c, $_) && is_pending(after($c, $_)) }
				  @{ $c->{lost_listeners} }),
			grep { !before($c, $_) } @{ $c->{new_listeners} });
	},
	monotone_promise_listeners_shrink_once_settled => sub {
		my ($c) = @_;
		return
		  grep { before($c, $_) && !is_pending(before($c, $_)) }
		  @{ $c->{new_listeners} };
	},
	consistent_promise_state_edge_admissible => sub {
		my ($c) = @_;
		return grep {
				 $_->{b}
			  && $_->{a}
			  && !is_pending($_->{b})
			  && $_->{a}->{state} ne $_->{b}->{state}
		} @{ $c->{promises} };
	},
	consistent_task_state_edge_admissible => sub {
		my ($c) = @_;
		return grep {
				 $_->{b}
			  && $_->{a}
			  && !is_one_of($_->{a}->{state}, @{ $edges{ $_->{b}->{state} } })
		} @{ $c->{tasks} };
	},
	preserved_task_acquisition_only_from_pending => sub {
		my ($c) = @_;
		return grep {
				 $_->{b}
			  && $_->{a}
			  && $_->{a}->{state} eq 'acquired'
			  && !is_one_of($_->{b}->{state}, qw(pending acquired))
		} @{ $c->{tasks} };
	},
	preserved_task_suspension_only_from_acquired => sub {
		my ($c) = @_;
		return grep {
				 $_->{a}
			  && $_->{a}->{state} eq 'suspended'
			  && !($_->{b}
				&& is_one_of($_->{b}->{state}, qw(acquired suspended)))
		} @{ $c->{tasks} };
	},
	preserved_task_halted_only_reenters_via_pending => sub {
		my ($c) = @_;
		return grep {
				 $_->{b}
			  && $_->{a}
			  && $_->{b}->{state} eq 'halted'
			  && !is_one_of($_->{a}->{state}, qw(halted pending fulfilled))
		} @{ $c->{tasks} };
	},
	consistent_settlement_fulfils_task => sub {
		my ($c) = @_;
		return grep {
			my $task = $c->{after}->{tasks}->{ $_->{id} };

			settles($_)
			  && $_->{a}->{targeted}
			  && !($task && $task->{state} eq 'fulfilled')
		} @{ $c->{promises} };
	},
	consistent_task_fulfilment_needs_settlement => sub {
		my ($c) = @_;
		return grep {
			my ($old, $new) = (before($c, $_), after($c, $_));

				 $_->{a}
			  && $_->{a}->{state} eq 'fulfilled'
			  && !($_->{b} && $_->{b}->{state} eq 'fulfilled')
			  && !($new
				&& !is_pending($new)
				&& ($_->{b} ? $old && is_pending($old) : !$old))
		} @{ $c->{tasks} };
	},
	consistent_obligation_discharge_requires_settled => sub {
		my ($c) = @_;
		return
		  grep { !after($c, $_) || is_pending(after($c, $_)) }
		  @{ $c->{lost_callbacks} }, @{ $c->{lost_listeners} };
	},
	consistent_callback_consumption_resumes_awaiter => sub {
		my ($c) = @_;
		return grep {
			my $old = $c->{before}->{tasks}->{ $_->{key} };
			my $new = $c->{after}->{tasks}->{ $_->{key} };

			!$new
			  || ( $new->{state} ne 'fulfilled'
				&& $c->{now} < $new->{timeout_at}
				&& $new->{resumes} !=
				($old ? $old->{resumes} : 0) + $c->{consumed}->{ $_->{key} })
		} @{ $c->{lost_callbacks} };
	},
	consistent_listener_consumption_enqueues_unblock => sub {
		my ($c) = @_;
		return grep {
			my ($id, $key) = @$_{qw(id key)};

			!has($c->{after}->{outbox}, $id, $key)
			  || has($c->{before}->{outbox}, $id, $key)
			  || $c->{after}->{outbox}->{$id}->{$key} ne $_->{address}
		} @{ $c->{lost_listeners} };
	},
	consistent_wake_follows_callback_consumption => sub {
		my ($c) = @_;
		return grep {
			moves($_, 'suspended', 'pending')
			  && !($c->{consumed}->{ $_->{id} } && $_->{a}->{resumes} >= 1)
		} @{ $c->{tasks} };
	},
	# Note a: what it says is not so; this is.
	consistent_suspension_registers_callback => sub {
		my ($c) = @_;
		return grep {
				 $_->{a}
			  && $_->{a}->{state} eq 'suspended'
			  && !($_->{b} && $_->{b}->{state} eq 'suspended')
			  && !is_on_a_rung($c->{after}, $_->{id})
		} @{ $c->{tasks} };
	},
	consistent_task_birth_couples_promise_birth => sub {
		my ($c) = @_;
		return (
			(   grep {
					!$_->{b}
					  && !(after($c, $_)
						&& !before($c, $_)
						&& after($c, $_)->{targeted}
						&& is_born_right($_->{a}, after($c, $_)))
				} @{ $c->{tasks} }),
			grep {
				my $id = $_->{id};

				!$_->{b}
				  && $_->{a}->{targeted}
				  && (!$c->{after}->{tasks}->{$id}
					|| $c->{before}->{tasks}->{$id})
			} @{ $c->{promises} });
	},
	# Note c.
	monotone_outbox_keys_never_disappear => sub {
		my ($c) = @_;
		return $c->{step}->{delivers} ? () : @{ $c->{lost_outbox} };
	},
	consistent_new_execute_matches_task_and_target => sub {
		my ($c) = @_;
		return
		  grep { !is_execute_right($c, $_) }
		  @{ $c->{step}->{executes} // [] };
	},
	consistent_new_unblock_carries_stored_record => sub {
		my ($c) = @_;
		return (
			(   grep { !after($c, $_) || is_pending(after($c, $_)) }
				  @{ $c->{new_outbox} }),
			grep { !is_record_right($c, $_) }
			  @{ $c->{step}->{unblocks} // [] });
	},
	consistent_new_unblock_discharges_its_listener => sub {
		my ($c) = @_;
		return grep {
				!has($c->{before}->{listeners}, @$_{qw(id key)})
			  || has($c->{after}->{listeners}, @$_{qw(id key)})
		} @{ $c->{new_outbox} };
	},
	preserved_schedule_birth_fields_immutable => sub {
		my ($c) = @_;
		return
		  grep { $_->{b} && $_->{a} && $_->{b}->{birth} ne $_->{a}->{birth} }
		  @{ $c->{schedules} };
	},
	consistent_task_birth_state => sub {
		my ($c) = @_;
		return grep {
			my ($b, $a) = @$_{qw(b a)};

			!$b
			  && !(
				$a->{resumes} == 0
				&& ($a->{state} eq 'pending' ? defined $a->{clock}
					&& !defined $a->{pid} && !defined $a->{ttl}
					: $a->{state} eq 'acquired' ? has_lease($a)
					: $a->{state} eq 'fulfilled'
					&& is_bare($a)))
		} @{ $c->{tasks} };
	},
	consistent_task_lease_released_atomically => sub {
		my ($c) = @_;
		return grep {
			my ($b, $a) = @$_{qw(b a)};

				 $b
			  && $a
			  && $b->{state} eq 'acquired'
			  && $a->{state} ne 'acquired'
			  && ( defined $a->{pid}
				|| defined $a->{ttl}
				|| $a->{version} != $b->{version}
				|| (defined $a->{clock} && $a->{state} ne 'pending'))
		} @{ $c->{tasks} };
	},
	preserved_task_lease_holder_stable => sub {
		my ($c) = @_;
		return grep {
			my ($b, $a) = @$_{qw(b a)};

			moves($_, 'acquired', 'acquired')
			  && $b->{version} == $a->{version}
			  && ( differ($b->{pid}, $a->{pid})
				|| differ($b->{ttl}, $a->{ttl}))
		} @{ $c->{tasks} };
	},
	consistent_task_lease_fields_move_together => sub {
		my ($c) = @_;
		return grep {
			my @b = $_->{b} ? lease($_->{b}) : (undef) x 3;
			my @a = $_->{a} ? lease($_->{a}) : (undef) x 3;
			my $nb = grep { defined } @b;
			my $na = grep { defined } @a;
			my $is_same = !grep { differ($b[$_], $a[$_]) } 0 .. 1;

			!(     ($is_same && !differ($b[2], $a[2]))
				|| ($nb == 0 && $na == 3)
				|| ($nb == 3 && $na == 0)
				|| ($nb == 3 && $na == 3 && $is_same))
		} @{ $c->{tasks} };
	},
	monotone_task_resumes_grow_or_clear => sub {
		my ($c) = @_;
		return grep {
				 $_->{b}
			  && $_->{a}
			  && $_->{a}->{resumes} < $_->{b}->{resumes}
			  && $_->{a}->{resumes} != 0
		} @{ $c->{tasks} };
	},
	consistent_task_resumes_cleared_only_on_dispatch_or_park => sub {
		my ($c) = @_;
		return grep {
				 $_->{b}
			  && $_->{a}
			  && $_->{b}->{resumes} > 0
			  && $_->{a}->{resumes} == 0
			  && !is_one_of($_->{a}->{state},
				qw(acquired suspended fulfilled))
		} @{ $c->{tasks} };
	},
	preserved_no_dead_dispatch => sub {
		my ($c) = @_;
		return grep {
				 $_->{a}
			  && is_pending($_->{a})
			  && !($_->{b} && is_pending($_->{b}))
			  && $c->{now} >= $_->{a}->{timeout_at}
		} @{ $c->{tasks} };
	},
	preserved_execute_only_for_live_task => sub {
		my ($c) = @_;
		return
		  grep { !after($c, $_) || $c->{now} >= after($c, $_)->{timeout_at} }
		  @{ $c->{step}->{executes} // [] };
	},
	consistent_promise_settlement_stamp => sub {
		my ($c) = @_;
		return grep {
			my $a = $_->{a};

			settles($_)
			  && !(
				defined $a->{settled_at}
				&& (is_timed_out($a, $c->{now})
					|| (   $a->{settled_at} == $c->{now}
						&& $c->{now} < $a->{timeout_at}
						&& $a->{state} ne 'rejected_timedout')))
		} @{ $c->{promises} };
	},
	preserved_timedout_is_server_owned => sub {
		my ($c) = @_;
		return grep {
			my ($b, $a) = @$_{qw(b a)};

				 $a
			  && $a->{state} eq 'rejected_timedout'
			  && !($b && $b->{state} eq 'rejected_timedout')
			  && !(defined $a->{settled_at}
				&& $a->{settled_at} == $a->{timeout_at}
				&& $c->{now} >= $a->{timeout_at})
		} @{ $c->{promises} };
	},
	consistent_new_promise_born_clean => sub {
		my ($c) = @_;
		return
		  grep { !$_->{b} && !is_born_clean($c, $_->{a}) }
		  @{ $c->{promises} };
	},
	consistent_task_acquisition_is_atomic => sub {
		my ($c) = @_;
		return grep {
				 $_->{a}
			  && $_->{a}->{state} eq 'acquired'
			  && !($_->{b} && $_->{b}->{state} eq 'acquired')
			  && !is_acquired_right($c, $_->{a})
		} @{ $c->{tasks} };
	},
	consistent_task_lease_deadline_is_now_plus_ttl => sub {
		my ($c) = @_;
		return grep {
			my ($b, $a) = @$_{qw(b a)};

				 $a
			  && $a->{state} eq 'acquired'
			  && has_lease($a)
			  && $a->{clock} != $c->{now} + $a->{ttl}
			  && !($b
				&& $b->{state} eq 'acquired'
				&& !differ($b->{clock}, $a->{clock}))
		} @{ $c->{tasks} };
	},
	consistent_task_pending_entry_arms_retry => sub {
		my ($c) = @_;
		return grep {
				 $_->{a}
			  && is_pending($_->{a})
			  && !($_->{b} && is_pending($_->{b}))
			  && !(defined $_->{a}->{clock}
				&& ($_->{b} || after($c, $_))
				&& is_new_clock_right($c, $_))
		} @{ $c->{tasks} };
	},
	consistent_task_retry_rearm_only_when_due => sub {
		my ($c) = @_;
		return grep {
				 moves($_, 'pending', 'pending')
			  && differ($_->{b}->{clock}, $_->{a}->{clock})
			  && $_->{b}->{clock} > $c->{now}
		} @{ $c->{tasks} };
	},
	monotone_task_retry_rearm_advances => sub {
		my ($c) = @_;
		return grep {
				 moves($_, 'pending', 'pending')
			  && differ($_->{b}->{clock}, $_->{a}->{clock})
			  && $_->{a}->{clock} <= $c->{now}
		} @{ $c->{tasks} };
	},
	consistent_task_wake_records_resume => sub {
		my ($c) = @_;
		return grep {
			moves($_, 'suspended', 'pending')
			  && !($_->{a}->{resumes} >= 1
				&& $_->{a}->{clock} == $c->{now}
				&& $_->{a}->{version} == $_->{b}->{version})
		} @{ $c->{tasks} };
	},

	# Background steps only.
	consistent_task_state_edge_internal_admissible => sub {
		my ($c) = @_;
		return () unless $c->{step}->{is_internal};
		return grep {
				 $_->{b}
			  && $_->{a}
			  && !is_one_of($_->{a}->{state},
				@{ $internal_edges{ $_->{b}->{state} } })
		} @{ $c->{tasks} };
	},
	consistent_promise_state_edge_internal_admissible => sub {
		my ($c) = @_;
		return () unless $c->{step}->{is_internal};
		return
		  grep { settles($_) && !is_timed_out($_->{a}, $c->{now}) }
		  @{ $c->{promises} };
	});

=pod

=item property_names()

All of them, in order.

=cut

sub property_names
{
	return map { $properties[ 2 * $_ ] } 0 .. $#properties / 2;
}

=pod

=item violations($before, $after, $step)

For each property that is violated, its name and the ids that violate it.  Of
the step: now; is_internal for a background step; lease, the pid and ttl that
were asked for; executes (id, version, address) and unblocks (records) that it
has answered; delivers and prunes if it may remove messages and history, which takes its
messages along;
longest_wait of a task that was set back.

=back

=cut

sub violations
{
	my ($before, $after, $step) = @_;
	my $c = compare($before, $after, $step);
	my @result;

	for (my $i = 0; $i < @properties; $i += 2)
	{
		my @found = $properties[ $i + 1 ]->($c);

		push @result, [ $properties[$i], map { $_->{id} } @found ] if @found;
	}
	return @result;
}

1;
