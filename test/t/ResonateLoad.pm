
=pod

=head1 NAME

ResonateLoad - what the clients of ResonateCrash do

=head1 DESCRIPTION

Roles: a maker makes promises, each with an order (a row of the table orders) in
the same transaction, or with a task, and settles them and those that others wait
for; a worker runs tasks, or leaves them; a listener waits for notifications; a
receiver for messages.

Notes are lines of words between tabs: the time, then one of

  try NUMBER EFFECT...    this is asked for; the effects that it would have:
                          create:ID  settle:ID=STATE=VALUE=VERSION
                          acquire:ID=VERSION  left:ID=VERSION  ack:ID
  ok|failed|unknown NUMBER
  saw ID STATE            an answer has shown this
  heard ID STATE HOW      a notification, a message, an answer or a look has
  lost                    the session is lost
  odd WHAT                what must not happen

=cut

package ResonateLoad::Wire;

use strict;
use warnings FATAL => 'all';

use IO::Select;
use ResonateWire;

our @ISA = ('ResonateWire');

# Keeps notifications aside.
sub _read
{
	my ($self) = @_;

	while (1)
	{
		my ($type, $body) = $self->SUPER::_read;

		return ($type, $body) unless $type eq 'A';
		push @{ $self->{notifications} },
		  (split /\0/, substr($body, 4), -1)[1];
	}
}

# The payloads that have come since the last call; waits a little for the first.
sub notifications
{
	my ($self, $seconds) = @_;

	$self->ask('SELECT 1')
	  if length $self->{buffer}
	  || IO::Select->new($self->{socket})->can_read($seconds);
	return splice @{ $self->{notifications} //= [] };
}

#
# What all clients have in common
#

package ResonateLoad::Client;

use POSIX qw(_exit);
use PostgreSQL::Test::Utils;
use Time::HiRes qw(time usleep);

sub new
{
	my ($class, %params) = @_;
	my $self = bless { %params, number => 0, count => 0 }, $class;
	my $file = "$self->{dir}/notes.$self->{round}.$self->{name}";

	$self->{prefix} = "$self->{round}/$self->{name}";
	open($self->{notes}, '>>', $file) or die "$file: $!";
	return $self;
}

sub note
{
	my ($self, @words) = @_;

	syswrite($self->{notes},
		join("\t", sprintf('%.6f', time), @words) . "\n");
	return;
}

sub has_stopped
{
	my ($self, $what) = @_;

	return -e "$self->{dir}/$what";
}

# What is to be done first in each session.
sub begin
{
	return;
}

sub connect
{
	my ($self) = @_;

	until ($self->{wire} = eval { $self->_open })
	{
		my $error = $@;

		$self->_judge($error);
		_exit(0) if $self->has_stopped('stop');
		usleep(5_000);
	}
	$self->begin;
	return;
}

# The server of now.
sub _open
{
	my ($self) = @_;
	my ($host, $port) = split /\n/, slurp_file("$self->{dir}/target");

	return ResonateLoad::Wire->new(
		ResonateLoad::Target->new($host, $port),
		'postgres',
		"crash $self->{name}");
}

# Notes an error that is no consequence of a crash, and dies of what is none of
# the server.
sub _judge
{
	my ($self, $error, $expected) = @_;

	die $error unless ref $error;
	$self->note('odd', $error->{state}, $error->{message})
	  unless $error->{state} =~ /^(?:lost|57P0[123])$/
	  || $error->{state} eq ($expected // '');
	return;
}

sub _reconnect
{
	my ($self) = @_;

	$self->note('lost');
	delete $self->{wire};
	$self->connect;
	return;
}

# The rows of a statement that is not noted; none when the session is lost.
sub look
{
	my ($self, $sql, @arguments) = @_;
	my @rows = eval { $self->{wire}->ask($sql, @arguments) };
	my $error = $@;

	return @rows unless $error;
	$self->_judge($error);
	$self->_reconnect if $error->{is_lost};
	return;
}

=pod

=item $client->attempt($effects, $code, $expected)

A transaction, which is rolled back when code returns false or dies; expected is
the SQLSTATE of which it may.  Answers ok, failed or unknown.

=cut

sub attempt
{
	my ($self, $effects, $code, $expected) = @_;
	my $number = ++$self->{number};
	my $outcome = 'failed';

	$self->note('try', $number, @$effects);
	eval {
		$self->{wire}->ask('BEGIN');
		if ($code->())
		{
			$outcome = 'unknown';
			$self->{wire}->ask('COMMIT');
			$outcome = 'ok';
		}
		else
		{
			$self->{wire}->ask('ROLLBACK');
		}
	};
	my $error = $@;

	# A commit that is answered with an error has not happened.
	$outcome = 'failed' if ref $error && !$error->{is_lost};
	$self->note($outcome, $number);
	return $outcome unless $error;
	$self->_judge($error, $expected);
	$self->look('ROLLBACK') unless $error->{is_lost};
	$self->_reconnect if $error->{is_lost};
	return $outcome;
}

=pod

=item $client->attempt_at_once($effects, $statuses, $sql, @arguments)

The same for a single statement, which does what it is to do if the first column
is one of the statuses.  Answers the outcome and the row.

=cut

sub attempt_at_once
{
	my ($self, $effects, $statuses, $sql, @arguments) = @_;
	my $number = ++$self->{number};
	my ($outcome, $row) = ('failed');

	$self->note('try', $number, @$effects);
	($row) = eval { $self->{wire}->ask($sql, @arguments) };
	my $error = $@;

	if ($error)
	{
		$outcome = 'unknown' if ref $error && $error->{is_lost};
	}
	elsif (grep { $row->[0] == $_ } @$statuses)
	{
		$outcome = 'ok';
	}
	$self->note($outcome, $number);
	$self->_judge($error) if $error;
	$self->_reconnect if $error && $error->{is_lost};
	return ($outcome, $row);
}

my %settle_function = (
	resolved => 'resolve',
	rejected => 'reject',
	rejected_canceled => 'cancel');

=pod

=item $client->settle($id, $is_order)

Settles a promise with a value that nobody else gives, and its order with it.  A
lost answer is sometimes asked for again.

=cut

sub settle
{
	my ($self, $id, $is_order) = @_;
	my $state = (sort keys %settle_function)[ rand 3 ];
	my $value = "$self->{name}." . $self->{number};
	my $outcome;

	do
	{
		$outcome = $self->attempt(["settle:$id=$state=$value"],
			sub { $self->_settle_in($id, $state, $value, $is_order) });
	} while ($outcome eq 'unknown' && rand() < 0.5);
	return $outcome;
}

sub _settle_in
{
	my ($self, $id, $state, $value, $is_order) = @_;
	my $wire = $self->{wire};
	my ($row) = $wire->ask(
		"SELECT status, state, value #>> '{}'
		 FROM resonate.$settle_function{$state}(\$1, to_jsonb(\$2::text), NULL, \$2)",
		$id, $value);

	if ($row->[0] != 2010
		&& !($row->[0] == 2000 && ($row->[2] // '') eq $value))
	{
		$self->note('saw', $id, $row->[1]) if defined $row->[1];
		return 0;
	}
	$wire->ask('UPDATE orders SET state = $2, value = $3 WHERE id = $1',
		$id, $state, $value)
	  if $is_order;
	return 1;
}

# Until there is no more to do.
sub run
{
	my ($self) = @_;

	srand $self->{seed};
	$self->connect;
	until ($self->has_stopped('stop.work'))
	{
		$self->step;
		usleep(rand 3_000);
	}
	return;
}

package ResonateLoad::Target;

sub new
{
	my ($class, $host, $port) = @_;

	return bless { host => $host, port => $port }, $class;
}

sub host { return $_[0]->{host} }
sub port { return $_[0]->{port} }

#
# Makers
#

package ResonateLoad::Maker;

use Time::HiRes qw(time);

our @ISA = ('ResonateLoad::Client');

sub step
{
	my ($self) = @_;
	my $luck = rand;

	if    ($luck < 0.35) { $self->make_order }
	elsif ($luck < 0.60) { $self->settle_order }
	elsif ($luck < 0.80) { $self->make_task }
	else                 { $self->settle_awaited }
	return;
}

# Three of ten have a short life, some of them as timers.  One of ten is rolled
# back, one fails.
sub make_order
{
	my ($self) = @_;
	my $id = "$self->{prefix}/o" . ++$self->{count};
	my $is_short = rand() < 0.3;
	my $ms = $is_short ? 1 + int rand 1500 : 86_400_000;
	my $tags =
	  $is_short && rand() < 0.3 ? '{"resonate:timer": "true"}' : '{}';
	my $luck = rand;
	my $outcome;

	do
	{
		$outcome = $self->attempt(
			["create:$id"],
			sub {
				$self->_make_order_in($id, "$ms ms", $tags);
				$self->{wire}->ask('SELECT 1 / $1::int', 0) if $luck > 0.9;
				return $luck < 0.8;
			},
			'22012');
	} while ($outcome eq 'unknown' && rand() < 0.5);
	push @{ $self->{orders} }, $id if $outcome eq 'ok';
	return;
}

sub _make_order_in
{
	my ($self, $id, $timeout, $tags) = @_;

	$self->{wire}->ask(
		'SELECT status FROM resonate.create_promise($1, $2::interval,
		 to_jsonb($1::text), NULL, $3::jsonb, $1)', $id, $timeout, $tags);
	$self->{wire}
	  ->ask('INSERT INTO orders (id) VALUES ($1) ON CONFLICT DO NOTHING',
		$id);
	return;
}

sub settle_order
{
	my ($self) = @_;
	my $orders = $self->{orders} // [];

	return unless @$orders;
	$self->settle(splice(@$orders, rand @$orders, 1), 1);
	return;
}

sub make_task
{
	my ($self) = @_;
	my $id = "$self->{prefix}/t" . ++$self->{count};
	my $outcome;

	do
	{
		($outcome) = $self->attempt_at_once(
			["create:$id"],
			[ 2010, 2000 ],
			"SELECT status FROM resonate.create_promise(\$1, '1 day',
			 to_jsonb(\$1::text), NULL, jsonb_build_object('resonate:target', \$2::text), \$1)",
			$id,
			"poll://any\@tasks.$self->{round}");
	} while ($outcome eq 'unknown' && rand() < 0.5);
	return;
}

# One of those that listeners and receivers wait for, or a few at once.
sub settle_awaited
{
	my ($self) = @_;
	my $n = rand() < 0.3 ? 4 : 1;
	my @ids = map { $_->[0] } $self->look(
		q(SELECT id FROM resonate.promises
		  WHERE id >= $1 AND id < $2 AND state = 'pending'
		  ORDER BY random() LIMIT $3::int),
		(map { "$self->{round}/$_" } rand() < 0.5 ? ('l', 'm') : ('r', 's')),
		$n);

	if    (@ids > 1)  { $self->settle_together(@ids); }
	elsif (@ids == 1) { $self->settle(@ids); }
	return;
}

# All, or none if one of them is settled already.
sub settle_together
{
	my ($self, @ids) = @_;
	my $value = "$self->{name}." . $self->{number};

	$self->attempt(
		[ map { "settle:$_=resolved=$value" } @ids ],
		sub {
			my @others = grep { $_->[0] != 2010 } $self->{wire}->ask(
				"SELECT status, id, state FROM resonate.settle_promises((
				 SELECT jsonb_agg(jsonb_build_object('id', i,
					'state', 'resolved', 'value', \$2::text))
				 FROM unnest(string_to_array(\$1, ' ')) i))",
				"@ids",
				$value);

			$self->note('saw', @$_[ 1, 2 ]) foreach @others;
			return !@others;
		});
	return;
}

#
# Workers
#

package ResonateLoad::Worker;

use Time::HiRes qw(time);

our @ISA = ('ResonateLoad::Client');

my $lease = '1 s';
my $stale_after_s = 1.2;

sub step
{
	my ($self) = @_;
	my $now = time;

	for my $offer (
		$self->look(
			'SELECT task_id, version FROM resonate.dequeue_execute($1, $2)',
			"poll://any\@tasks.$self->{round}",
			1 + int rand 4))
	{
		my $version = $self->acquire(@$offer);

		$self->work($offer->[0], $version) if defined $version;
	}
	for my $later (splice @{ $self->{later} //= [] })
	{
		if   ($later->[0] > $now) { push @{ $self->{later} }, $later; }
		else                      { $later->[1]->(); }
	}
	return;
}

# Has something done after a while, if this worker is still there then.
sub later
{
	my ($self, $seconds, $code) = @_;

	push @{ $self->{later} }, [ time + $seconds, $code ];
	return;
}

sub acquire
{
	my ($self, $id, $version) = @_;
	my $next = $version + 1;
	my ($outcome, $row) = $self->attempt_at_once(
		["acquire:$id=$next"],
		[2000],
		"SELECT status, version FROM resonate.acquire_task(\$1, \$2, \$3, '$lease')",
		$id,
		$version,
		$self->{name});

	return unless $outcome eq 'ok';
	$self->note('odd', "acquired $id in version $row->[1], not $next")
	  unless $row->[1] == $next;
	return $next;
}

# Some are left without a word, and finished too late; some are given back; some
# have a child and wait for it.
sub work
{
	my ($self, $id, $version) = @_;
	my $luck = rand;

	if ($luck < 0.1)
	{
		$self->later($stale_after_s, sub { $self->fulfill($id, $version) });
	}
	elsif ($luck < 0.2)
	{
		$self->attempt_at_once(["left:$id=$version"],
			[2000], 'SELECT status FROM resonate.release_task($1, $2)',
			$id, $version);
	}
	elsif ($id !~ /[036]$/ || $self->await_child($id, $version))
	{
		$self->fulfill($id, $version);
	}
	return;
}

# True when the child is settled.
sub await_child
{
	my ($self, $id, $version) = @_;
	my $child = "$id.c";
	my ($outcome, $row) = $self->attempt_at_once(
		["create:$child"],
		[2010],
		"SELECT inner_status, status FROM resonate.fence_task(\$1, \$2, 'create',
		 jsonb_build_object('id', \$3::text, 'timeout', '1 day'))",
		$id,
		$version,
		$child);

	return 0 if $outcome eq 'unknown' || $row->[1] != 2000;
	($outcome, $row) =
	  $self->attempt_at_once(["left:$id=$version"], [2000],
		'SELECT status FROM resonate.suspend_task($1, $2, ARRAY[$3])',
		$id, $version, $child);
	$self->later(rand 0.4, sub { $self->settle($child) })
	  if $outcome eq 'ok';
	return $outcome eq 'failed' && $row->[0] == 3000;
}

sub fulfill
{
	my ($self, $id, $version) = @_;
	my $value = "$self->{name}." . $self->{number};

	return $self->attempt_at_once(
		["settle:$id=resolved=$value=$version"],
		[2000],
		"SELECT status FROM resonate.fulfill_task(\$1, \$2, 'resolved', to_jsonb(\$3::text))",
		$id,
		$version,
		$value);
}

#
# The test itself: the one who takes over
#

package ResonateLoad::Owner;

our @ISA = ('ResonateLoad::Worker');

sub count_tasks
{
	my ($self, $round) = @_;
	my ($row) =
	  $self->look('SELECT count(*) FROM resonate.tasks WHERE id LIKE $1',
		"$round/%");

	return $row->[0];
}

sub offers
{
	my ($self, $round) = @_;

	return $self->look(
		'SELECT task_id, version FROM resonate.dequeue_execute($1)',
		"poll://any\@tasks.$round");
}

# Runs a task.  Who may have held it before completes it first, and must not.
# Answers whether there was somebody who was refused.
sub take_over
{
	my ($self, $id, $version) = @_;
	my $held = $self->acquire($id, $version);
	my $outcome;

	return 0 unless defined $held;
	if ($held > 1)
	{
		($outcome) = $self->fulfill($id, $held - 1);
		$self->note('odd', "$id was completed by an earlier holder")
		  if $outcome ne 'failed';
	}
	($outcome) = $self->fulfill($id, $held);
	$self->note('odd', "$id could not be completed") if $outcome ne 'ok';
	return $held > 1 ? 1 : 0;
}

#
# Those who wait
#

package ResonateLoad::Waiter;

use Time::HiRes qw(time);

our @ISA = ('ResonateLoad::Client');

sub run
{
	my ($self) = @_;

	srand $self->{seed};
	$self->{$_} = {} foreach qw(waits heard);
	$self->{again} = [];
	$self->connect;
	until ($self->has_stopped('stop'))
	{
		$self->_begin_more;
		$self->hear;
	}
	return;
}

# What got no answer is asked for again, as the contract has it.
sub _begin_more
{
	my ($self) = @_;
	my @ids = splice @{ $self->{again} };

	push @ids, "$self->{prefix}/w" . ++$self->{count}
	  unless $self->has_stopped('stop.work');
	$self->wait_for($_) foreach @ids;
	return;
}

# Creates a promise with a callback, in one step.
sub create_with_callback
{
	my ($self, $id, $address) = @_;
	my ($outcome, $row) = $self->attempt_at_once(
		["create:$id"],
		[ 2010, 2000 ],
		"SELECT status, state FROM resonate.create_promise_and_callback(
		 \$1, 'cb', \$2, \$3::interval, to_jsonb(\$1::text), NULL, NULL, \$1)",
		$id,
		$address,
		$self->timeout);

	$self->answered($outcome, $id, $row->[1]);
	return;
}

# Every other one has a short life.
sub timeout
{
	return rand() < 0.5 ? 1 + int(rand 1500) . ' ms' : '1 day';
}

# What an answer says, if there is one.
sub answered
{
	my ($self, $outcome, $id, $state) = @_;

	if    ($outcome ne 'ok')       { push @{ $self->{again} }, $id; }
	elsif ($state ne 'pending')    { $self->heard($id, $state, 'answer'); }
	elsif (!$self->{heard}->{$id}) { $self->{waits}->{$id} = 1; }
	return;
}

sub heard
{
	my ($self, $id, $state, $how) = @_;

	$self->note('heard', $id, $state, $how);
	$self->{heard}->{$id} = 1;
	delete $self->{waits}->{$id};
	return;
}

# Reads the state of all that this client waits for.
sub look_again
{
	my ($self) = @_;

	for my $id (sort keys %{ $self->{waits} })
	{
		my ($row) =
		  $self->look('SELECT state FROM resonate.get_promise($1)', $id);

		return unless $row;    # and this was done in a new session
		$self->note('odd', "$id is gone") unless defined $row->[0];
		$self->heard($id, $row->[0], 'look')
		  unless ($row->[0] // 'pending') eq 'pending';
	}
	return;
}

#
# Listeners: a notification may be missed while there is no session, so a new
# one listens first and then looks.
#

package ResonateLoad::Listener;

our @ISA = ('ResonateLoad::Waiter');

sub _channel
{
	my ($self) = @_;

	return "done_$self->{name}";
}

sub begin
{
	my ($self) = @_;

	$self->look('LISTEN ' . $self->_channel);
	$self->look_again;
	return;
}

sub wait_for
{
	my ($self, $id) = @_;

	$self->create_with_callback($id, 'notify://' . $self->_channel);
	return;
}

sub hear
{
	my ($self) = @_;
	my @payloads = eval { $self->{wire}->notifications(0.01) };
	my $error = $@;

	for (@payloads)
	{
		my ($id, $state) = /"id":"([^"]+)","state":"(\w+)"/;

		if   (!defined $id) { $self->note('odd', "payload $_"); }
		else                { $self->heard($id, $state, 'notification'); }
	}
	return unless $error;
	$self->_judge($error);
	$self->_reconnect;
	return;
}

#
# Receivers: a message stays until it is acknowledged, and that of a listener of
# the wire protocol is sent twice, so nothing has to be looked at.
#

package ResonateLoad::Receiver;

use Time::HiRes qw(time);

our @ISA = ('ResonateLoad::Waiter');

my $look_s = 0.25;

sub _unblock_address
{
	my ($self) = @_;

	return "poll://uni\@crash/$self->{prefix}";
}

sub _callback_address
{
	my ($self) = @_;

	return "poll://any\@crash.$self->{round}.$self->{name}";
}

# A message of the wire protocol is lost if both times the answer is.
sub begin
{
	my ($self) = @_;

	for my $address ($self->_unblock_address, $self->_callback_address)
	{
		my ($row) =
		  $self->look('SELECT resonate.outbox_channel($1)', $address);

		return unless $row;
		$self->look(qq(LISTEN "$row->[0]"));
	}
	$self->look_again if ($self->{lost_answers} // 0) > 1;
	return;
}

sub wait_for
{
	my ($self, $id) = @_;
	my ($outcome, $row);

	return $self->create_with_callback($id, $self->_callback_address)
	  if $id =~ /[02468]$/;
	($outcome, $row) = $self->attempt_at_once(
		["create:$id"],
		[ 2010, 2000 ],
		'SELECT status, state FROM resonate.create_promise($1, $2::interval,
		 to_jsonb($1::text), NULL, NULL, $1)', $id, $self->timeout);
	($outcome, $row) = $self->attempt_at_once(
		["listen:$id"],
		[200],
		q(SELECT r #>> '{head,status}', r #>> '{data,promise,state}'
		  FROM resonate.resonate_rpc(jsonb_build_object(
			'kind', 'promise.register_listener',
			'head', '{"corrId": "1", "version": "2026-04-01"}'::jsonb,
			'data', jsonb_build_object('awaited', $1::text, 'address', $2::text))) r),
		$id,
		$self->_unblock_address) if $outcome eq 'ok';
	$self->answered($outcome, $id, $row->[1]);
	return;
}

# Asks when notified, and now and then without.
sub hear
{
	my ($self) = @_;
	my @hints = eval { $self->{wire}->notifications(0.01) };
	my $error = $@;

	if ($error)
	{
		$self->_judge($error);
		return $self->_reconnect;
	}
	return unless @hints || time > ($self->{look_at} // 0);
	$self->{look_at} = time + $look_s;
	$self->_dequeue;
	$self->_receive;
	return;
}

sub _dequeue
{
	my ($self) = @_;
	my $wire = $self->{wire};

	# Counted before the session is made anew.
	$self->{lost_answers}++;
	my @rows = $self->look(
		"SELECT promise ->> 'id', promise ->> 'state'
		 FROM resonate.dequeue_unblock(\$1, 20)",
		$self->_unblock_address);
	$self->{lost_answers}-- if $wire == $self->{wire};
	$self->heard(@$_, 'unblock') foreach @rows;
	return;
}

sub _receive
{
	my ($self) = @_;

	for (
		$self->look(
			"SELECT promise_id, state FROM resonate.receive(\$1, 20, '500 ms')",
			$self->_callback_address))
	{
		$self->heard(@$_, 'message');
		$self->attempt_at_once(["ack:$_->[0]"], [2000],
			"SELECT resonate.acknowledge(\$1, 'cb')",
			$_->[0]);
	}
	return;
}

1;
