
# A long random run, after each step of which every invariant and every
# transition property of the specification is checked (protocol 6.1, 6.2).
#
# RSN_SEED selects another run than the usual one, RSN_STEPS its length.

use strict;
use warnings FATAL => 'all';

use FindBin;
use lib $FindBin::RealBin;

use JSON::PP;
use PostgreSQL::Test::Utils;
use ResonateProperties;
use ResonateTest;
use Storable qw(dclone);
use Test::More;

use constant START => 4_000_000_000_000;

my $seed = $ENV{RSN_SEED} // 20960102;
my $nsteps = $ENV{RSN_STEPS} // 3_000;
my $nsteps_of_an_epoch = 150;

my $json = JSON::PP->new->canonical;

#
# The checker: each property is violated by hand, and found.
#

sub promise
{
	my ($id, %changes) = @_;
	my $promise = {
		id => $id,
		state => 'pending',
		created_at => 0,
		timeout_at => 10_000,
		settled_at => undef,
		timer => 0,
		external => 1,
		targeted => 0,
		birth => "birth of $id",
		value => undef,
		%changes
	};

	$promise->{target} = 'poll://any@g' if $promise->{targeted};
	return $promise;
}

sub settled
{
	my ($id, %changes) = @_;

	return promise($id, state => 'resolved', settled_at => 500, %changes);
}

sub timed_out
{
	my ($id, %changes) = @_;

	return promise(
		$id,
		state => 'rejected_timedout',
		timeout_at => 1_000,
		settled_at => 1_000,
		%changes);
}

sub task
{
	my ($id, $state, %changes) = @_;
	my $has_clock = $state eq 'pending' || $state eq 'acquired';

	return {
		id => $id,
		state => $state,
		version => 1,
		resumes => 0,
		setbacks => 0,
		timeout_at => 10_000,
		clock => $has_clock ? 1_500 : undef,
		pid => $state eq 'acquired' ? 'w' : undef,
		ttl => $state eq 'acquired' ? 500 : undef,
		%changes
	};
}

sub by_id
{
	return { map { $_->{id} => $_ } @_ };
}

# A state in which there is one of everything; it is 1000.
sub example
{
	return {
		promises => by_id(
			promise('external'),
			settled('settled'),
			promise('lapsed', timeout_at => 1_000),
			map({ promise($_, targeted => 1) }
				qw(pending acquired suspended halted)),
			promise('dying', targeted => 1, timeout_at => 1_000),
			settled('fulfilled', targeted => 1)),
		tasks => by_id(
			task('pending', 'pending', clock => 900),
			task('acquired', 'acquired'),
			task('suspended', 'suspended'),
			task('halted', 'halted', resumes => 2),
			task('dying', 'acquired', timeout_at => 1_000),
			task('fulfilled', 'fulfilled')),
		callbacks => { external => { suspended => 1 } },
		listeners => { external => { 'listener x' => 'x' } },
		outbox => { settled => { 'listener y' => 'y' } },
		schedules => by_id(
			{ id => 'minutely', last => undef, next => 60_000, birth => 's' }
		),
		duplicates => []
	};
}

# Changes of the example.
sub in_promise
{
	my ($id, %changes) = @_;

	return sub {
		my ($state) = @_;
		$state->{promises}->{$id} =
		  { %{ $state->{promises}->{$id} }, %changes };
	};
}

sub in_task
{
	my ($id, %changes) = @_;

	return sub {
		my ($state) = @_;
		$state->{tasks}->{$id} = { %{ $state->{tasks}->{$id} }, %changes };
	};
}

sub with_promise
{
	my ($promise) = @_;

	return sub { $_[0]->{promises}->{ $promise->{id} } = $promise; };
}

sub with_task
{
	my ($task) = @_;

	return sub { $_[0]->{tasks}->{ $task->{id} } = $task; };
}

sub without
{
	my ($table, @keys) = @_;

	return sub {
		my ($state) = @_;

		@keys == 1
		  ? delete $state->{$table}->{ $keys[0] }
		  : delete $state->{$table}->{ $keys[0] }->{ $keys[1] };
	};
}

sub with
{
	my ($table, $id, $key, $address) = @_;

	return sub { $_[0]->{$table}->{$id}->{$key} = $address // 1; };
}

sub all_of
{
	my @changes = @_;

	return sub {
		my ($state) = @_;
		$_->($state) foreach @changes;
	};
}

# What is violated when the example has changed so, beginning with that.
sub found
{
	my ($change, $step, $earlier) = @_;
	my ($before, $after) = (example(), example());

	if ($earlier)
	{
		$earlier->($before);
		$earlier->($after);
	}
	$change->($after);
	return
	  map { $_->[0] }
	  violations($before, $after, { now => 1_000, %{ $step // {} } });
}

my $wakes = all_of(
	in_promise('external', state => 'rejected', settled_at => 1_000),
	without('callbacks', 'external'),
	without('listeners', 'external'),
	with('outbox', 'external', 'listener x', 'x'),
	in_task('suspended', state => 'pending', resumes => 1, clock => 1_000));
my $acquires = in_task(
	'pending',
	state => 'acquired',
	version => 2,
	pid => 'v',
	ttl => 70,
	clock => 1_070);
my $releases = in_task(
	'acquired',
	state => 'pending',
	setbacks => 1,
	clock => 1_000,
	pid => undef,
	ttl => undef);

# Steps that are right.
foreach (
	[ 'nothing', sub { } ],
	[ 'a settlement', $wakes ],
	[ 'acquire', $acquires, { lease => { pid => 'v', ttl => 70 } } ],
	[ 'release', $releases ],
	[
		'the end of a lease',
		in_task(
			'acquired',
			state => 'pending',
			setbacks => 1,
			clock => 1_000,
			pid => undef,
			ttl => undef),
		{ is_internal => 1 },
		in_task('acquired', clock => 999)
	],
	[
		'release without progress',
		in_task(
			'acquired',
			state => 'pending',
			setbacks => 2,
			clock => 6_000,
			pid => undef,
			ttl => undef),
		{},
		in_task('acquired', setbacks => 1)
	],
	[
		'suspend',
		all_of(
			in_task(
				'acquired',
				state => 'suspended',
				clock => undef,
				pid => undef,
				ttl => undef),
			with('callbacks', 'external', 'acquired'))
	],
	[
		'heartbeat', in_task('acquired', clock => 1_500),
		{}, in_task('acquired', clock => 1_100)
	],
	[
		'halt',
		in_task(
			'acquired',
			state => 'halted',
			clock => undef,
			pid => undef,
			ttl => undef)
	],
	[ 'continue', in_task('halted', state => 'pending', clock => 1_000) ],
	[
		'an offer',
		in_task('pending', clock => 6_000),
		{
			executes => [
				{ id => 'pending', version => 1, address => 'poll://any@g' }
			]
		}
	],
	[
		'a deadline',
		all_of(
			with_promise(
				timed_out('dying', targeted => 1, birth => 'birth of dying')),
			with_task(task('dying', 'fulfilled', timeout_at => 1_000))),
		{ is_internal => 1 }
	],
	[
		'births',
		all_of(
			with_promise(promise('a', created_at => 1_000, targeted => 1)),
			with_task(task('a', 'pending', version => 0, clock => 1_000)),
			with_promise(promise('b', created_at => 1_000, targeted => 1)),
			with_task(task('b', 'acquired')),
			with_promise(timed_out('c', created_at => 1_000, targeted => 1)),
			with_task(task('c', 'fulfilled', version => 0)),
			with_promise(
				timed_out(
					'd',
					created_at => 1_000,
					timer => 1,
					state => 'resolved')),
			with_promise(
				promise(
					'e',
					created_at => 1_000,
					targeted => 1,
					delay => 1_200)),
			with_task(task('e', 'pending', version => 0, clock => 1_200)))
	],
	[
		'late occurrences',
		all_of(
			with_promise(timed_out('a', created_at => 400)),
			with_promise(promise('b', created_at => 900))),
		{ is_internal => 1 }
	],
	[
		'prune',
		all_of(
			without('promises', 'settled'),
			without('promises', 'fulfilled'),
			without('tasks', 'fulfilled'),
			without('promises', 'internal')),
		{ prunes => 1 },
		with_promise(promise('internal', timeout_at => 1_000, external => 0))
	],
	[
		'prune with a message',
		all_of(without('promises', 'settled'), without('outbox', 'settled')),
		{ prunes => 1 }
	],
	[ 'delivery', without('outbox', 'settled'), { delivers => 1 } ],
	[ 'schedule', sub { $_[0]->{schedules}->{minutely}->{last} = 60_000; } ],
	[ 'schedule.delete', without('schedules', 'minutely') ])
{
	my ($name, @rest) = @$_;

	is(join(' ', found(@rest)), '', "right: $name");
}

# Steps that are wrong, by what they violate.
my %wrong = (
	preserved_promise_birth_fields_immutable =>
	  [ in_promise('external', birth => 'again') ],
	preserved_settled_promise_record =>
	  [ in_promise('settled', value => 'other') ],
	monotone_promise_set_grows => [ without('promises', 'lapsed') ],
	monotone_task_set_grows => [ without('tasks', 'halted') ],
	monotone_task_version_increases_only_on_acquisition =>
	  [ in_task('pending', version => 2) ],
	preserved_fulfilled_task => [ in_task('fulfilled', resumes => 1) ],
	preserved_promise_state_frozen_once_settled =>
	  [ in_promise('settled', state => 'rejected') ],
	preserved_promise_settlement_is_one_way =>
	  [ in_promise('settled', state => 'pending', settled_at => undef) ],
	consistent_promise_settled_at_moves_with_state =>
	  [ in_promise('settled', settled_at => 600) ],
	preserved_promise_value_until_settlement =>
	  [ in_promise('external', value => 'early') ],
	preserved_promise_no_duplicate_ids =>
	  [ sub { $_[0]->{duplicates} = ['external']; } ],
	monotone_promise_callbacks_grow_while_pending =>
	  [ without('callbacks', 'external') ],
	monotone_promise_callbacks_shrink_once_settled =>
	  [ with('callbacks', 'settled', 'halted') ],
	monotone_promise_listeners_grow_while_pending => [
		all_of(
			with_promise(promise('newborn', created_at => 1_000)),
			with('listeners', 'newborn', 'listener z', 'z'))
	],
	monotone_promise_listeners_shrink_once_settled =>
	  [ with('listeners', 'settled', 'listener z', 'z') ],
	consistent_promise_state_edge_admissible =>
	  [ in_promise('settled', state => 'rejected_canceled') ],
	consistent_task_state_edge_admissible =>
	  [ in_task('pending', state => 'suspended', clock => undef) ],
	preserved_task_acquisition_only_from_pending => [
		in_task(
			'suspended',
			state => 'acquired',
			pid => 'v',
			ttl => 70,
			clock => 1_070)
	],
	preserved_task_suspension_only_from_acquired =>
	  [ in_task('halted', state => 'suspended', resumes => 0) ],
	preserved_task_halted_only_reenters_via_pending => [
		in_task(
			'halted',
			state => 'acquired',
			pid => 'v',
			ttl => 70,
			clock => 1_070)
	],
	consistent_settlement_fulfils_task =>
	  [ in_promise('halted', state => 'rejected', settled_at => 1_000) ],
	consistent_task_fulfilment_needs_settlement =>
	  [ with_task(task('halted', 'fulfilled')) ],
	consistent_obligation_discharge_requires_settled =>
	  [ without('listeners', 'external') ],
	consistent_callback_consumption_resumes_awaiter =>
	  [ all_of($wakes, in_task('suspended', resumes => 0)) ],
	consistent_listener_consumption_enqueues_unblock =>
	  [ all_of($wakes, without('outbox', 'external')) ],
	consistent_wake_follows_callback_consumption => [
		in_task(
			'suspended',
			state => 'pending',
			resumes => 1,
			clock => 1_000)
	],
	consistent_suspension_registers_callback => [
		in_task(
			'acquired',
			state => 'suspended',
			clock => undef,
			pid => undef,
			ttl => undef)
	],
	consistent_task_birth_couples_promise_birth => [
		with_promise(promise('newborn', created_at => 1_000, targeted => 1))
	],
	monotone_outbox_keys_never_disappear => [ without('outbox', 'settled') ],
	consistent_new_execute_matches_task_and_target => [
		in_task('pending', clock => 6_000),
		{
			executes => [
				{ id => 'pending', version => 2, address => 'poll://any@g' }
			]
		}
	],
	consistent_new_unblock_carries_stored_record => [
		sub { },
		{
			unblocks => [
				{
					id => 'settled',
					state => 'resolved',
					createdAt => 0,
					timeoutAt => 10_000,
					settledAt => 499
				}
			]
		}
	],
	consistent_new_unblock_discharges_its_listener =>
	  [ all_of($wakes, with('outbox', 'external', 'listener z', 'z')) ],
	preserved_schedule_birth_fields_immutable =>
	  [ sub { $_[0]->{schedules}->{minutely}->{birth} = 'again'; } ],
	consistent_task_birth_state => [
		all_of(
			with_promise(
				promise('newborn', created_at => 1_000, targeted => 1)),
			with_task(
				task(
					'newborn', 'pending',
					version => 0,
					clock => 1_000,
					resumes => 1)))
	],
	consistent_task_lease_released_atomically =>
	  [ all_of($releases, in_task('acquired', ttl => 500)) ],
	preserved_task_lease_holder_stable =>
	  [ in_task('acquired', pid => 'thief') ],
	consistent_task_lease_fields_move_together =>
	  [ in_task('acquired', ttl => undef) ],
	monotone_task_resumes_grow_or_clear =>
	  [ in_task('halted', resumes => 1) ],
	consistent_task_resumes_cleared_only_on_dispatch_or_park =>
	  [ in_task('halted', resumes => 0) ],
	preserved_no_dead_dispatch => [
		in_task(
			'dying',
			state => 'pending',
			clock => 1_000,
			pid => undef,
			ttl => undef)
	],
	preserved_execute_only_for_live_task => [
		in_task('dying', clock => 6_000),
		{
			executes =>
			  [ { id => 'dying', version => 1, address => 'poll://any@g' } ]
		},
		in_task(
			'dying',
			state => 'pending',
			clock => 900,
			pid => undef,
			ttl => undef)
	],
	consistent_promise_settlement_stamp =>
	  [ all_of($wakes, in_promise('external', settled_at => 999)) ],
	preserved_timedout_is_server_owned => [
		all_of($wakes, in_promise('external', state => 'rejected_timedout'))
	],
	consistent_new_promise_born_clean =>
	  [ with_promise(promise('newborn', created_at => 1_000, value => 'v')) ],
	consistent_task_acquisition_is_atomic =>
	  [ $acquires, { lease => { pid => 'other', ttl => 70 } } ],
	consistent_task_lease_deadline_is_now_plus_ttl =>
	  [ in_task('acquired', clock => 1_600) ],
	consistent_task_pending_entry_arms_retry =>
	  [ in_task('halted', state => 'pending', clock => 1_001) ],
	consistent_task_retry_rearm_only_when_due => [
		in_task('pending', clock => 6_000),
		{},
		in_task('pending', clock => 1_001)
	],
	monotone_task_retry_rearm_advances =>
	  [ in_task('pending', clock => 1_000) ],
	consistent_task_wake_records_resume =>
	  [ all_of($wakes, in_task('suspended', clock => 1_001)) ],
	consistent_task_state_edge_internal_admissible =>
	  [ $acquires, { is_internal => 1 } ],
	consistent_promise_state_edge_internal_admissible =>
	  [ $wakes, { is_internal => 1 } ]);

is( join(' ', sort keys %wrong),
	join(' ', sort { $a cmp $b } property_names()),
	'there is an example of each of the 52 properties');
foreach my $name (property_names())
{
	my $wrong = $wrong{$name} or next;

	ok((grep { $_ eq $name } found(@$wrong)), "wrong: $name");
}

# More than one way to be wrong.
foreach (
	[ 'preserved_settled_promise_record', without('promises', 'settled') ],
	[
		'monotone_outbox_keys_never_disappear',
		without('outbox', 'settled'),
		{ prunes => 1 }
	],
	[
		'monotone_promise_set_grows',
		without('promises', 'lapsed'),
		{ prunes => 1 }
	],
	[
		'monotone_promise_set_grows',
		without('promises', 'internal'),
		{ prunes => 1 },
		with_promise(promise('internal', timeout_at => 1_001, external => 0))
	],
	[
		'consistent_task_pending_entry_arms_retry',
		all_of($releases, in_task('acquired', clock => 6_000))
	],
	[
		'consistent_task_birth_couples_promise_birth',
		all_of(
			with_promise(
				timed_out('newborn', created_at => 1_000, targeted => 1)),
			with_task(task('newborn', 'fulfilled', version => 1)))
	],
	[
		'consistent_new_promise_born_clean',
		with_promise(timed_out('newborn', created_at => 400))
	],
	[
		'consistent_new_execute_matches_task_and_target',
		in_task('pending', clock => 6_000),
		{ executes => [ { id => 'pending', version => 1, address => 'w' } ] }
	],
	[
		'consistent_promise_settlement_stamp',
		in_promise(
			'lapsed',
			state => 'resolved',
			settled_at => 1_000)
	])
{
	my ($name, @rest) = @$_;

	ok((grep { $_ eq $name } found(@rest)), "wrong, too: $name");
}

#
# The run
#

note("RSN_SEED=$seed RSN_STEPS=$nsteps");
srand($seed);

my $node = new_cluster('main');
my $session = open_session($node);

my $is_strict;
my @addresses = ('poll://any@g', 'poll://uni@g/w0', 'notify://work');
my @listeners = ('poll://uni@g/w0', 'poll://uni@g/w1', 'http://host/path');
my @pids = qw(w0 w1 w2);
my @promise_ids = map { "p$_" } 0 .. 23;
my @schedule_ids = qw(s0 s1);
my ($now, $state, $step_number, $corr_id) = (START, undef, 0, 0);
my (%seen, @faults);

# Set when a step that was made up finds nothing that it fits.
my $is_misfit = 0;

sub one_of
{
	return $_[ int rand @_ ];
}

sub chance
{
	my ($p) = @_;

	return rand() < $p;
}

# One of the pairs of a weight and something.
sub weighted
{
	my @pairs = @_;
	my $sum = 0;
	my $at;

	$sum += $_->[0] foreach @pairs;
	$at = rand $sum;
	foreach my $pair (@pairs)
	{
		return $pair->[1] if ($at -= $pair->[0]) < 0;
	}
	return $pairs[-1]->[1];
}

# Mostly one of these, else any.
sub an_id
{
	my (@ids) = @_;

	return one_of(@promise_ids) if chance(0.05);
	$is_misfit = 1 unless @ids;
	return one_of(@ids ? @ids : @promise_ids);
}

# A promise, mostly one that fits.
sub some_promise
{
	my ($fits) = @_;
	my @ids = grep { $fits->($state->{promises}->{$_}) }
	  sort keys %{ $state->{promises} };

	return an_id(@ids);
}

sub some_task
{
	my (@states) = @_;
	my @ids = grep {
		my $task = $state->{tasks}->{$_};

		grep { $_ eq $task->{state} } @states
	} sort keys %{ $state->{tasks} };
	my @dead = grep { $state->{tasks}->{$_}->{timeout_at} <= $now } @ids;

	return an_id(@dead && chance(0.4) ? @dead : @ids);
}

sub some_version
{
	my ($id) = @_;
	my $task = $state->{tasks}->{$id};
	my $version = $task ? $task->{version} : 0;

	return chance(0.9) ? $version : abs($version + int(rand 5) - 2);
}

sub some_pid
{
	my ($id) = @_;
	my $task = $state->{tasks}->{$id};

	return
		 $task
	  && defined $task->{pid}
	  && chance(0.85) ? $task->{pid} : one_of(@pids);
}

sub some_payload
{
	return weighted(
		[ 3, {} ],
		[ 3, { data => one_of('MQ==', 'InN0cmluZyI=', 'not base64', '') } ],
		[ 1, { headers => { h => one_of('1', '2') } } ],
		[ 1, { headers => {}, data => 'e30=' } ]);
}

sub some_tags
{
	my %tags;

	$tags{'resonate:branch'} = one_of('b0', 'b1') if chance(0.4);
	$tags{
		weighted(
			[ 3, 'tag' ],
			[ 4, 'resonate:external' ],
			[ 3, 'resonate:timer' ],
			[ 1, 'resonate:scope' ])
	  }
	  = 'true'
	  if chance(0.6);
	$tags{'resonate:scope'} = one_of('global', 'local') if chance(0.15);
	if (chance(0.4))
	{
		delete $tags{'resonate:timer'} if chance(0.9);
		$tags{'resonate:target'} = one_of(@addresses);
		$tags{'resonate:delay'} = '' . ($now + int(rand 3_000) - 500)
		  if chance(0.15);
	}
	return \%tags;
}

# Many have the same one, so that they pass together.
sub some_deadline
{
	my $later = $now + weighted(
		[ 2, -100 ],
		[ 2, 0 ],
		[ 1, 1 ],
		[ 2, 50 ],
		[ 4, 2_000 ],
		[ 16, 20_000 ],
		[ 8, 500_000 ]);

	return $later < $now + 20_000
	  ? $later
	  : $later - $later % 20_000 + 20_000;
}

sub some_create
{
	my ($has_target) = @_;
	my $tags = some_tags();

	$tags->{'resonate:target'} = one_of(@addresses)
	  if $has_target && chance(0.95);
	delete $tags->{'resonate:timer'} if $has_target && chance(0.9);
	return {
		id => one_of(@promise_ids),
		timeoutAt => $has_target
		  && chance(0.6) ? $now + 400_000 : some_deadline(),
		param => some_payload(),
		tags => $tags
	};
}

sub some_settle
{
	my ($id) = @_;

	return {
		id => $id,
		value => some_payload(),
		state => weighted(
			[ 6, 'resolved' ],
			[ 3, 'rejected' ],
			[ 3, 'rejected_canceled' ],
			[ 1, one_of('pending', 'rejected_timedout', 'done') ])
	};
}

sub is_open
{
	my ($promise) = @_;

	return $promise->{external} && $promise->{state} eq 'pending';
}

sub action
{
	my ($kind, $data) = @_;

	return {
		kind => $kind,
		head => { corrId => '1', version => '2026-04-01' },
		data => $data
	};
}

# The data of a random request of each kind.
my %requests = (
	'promise.get' => sub { { id => one_of(@promise_ids) } },
	'promise.create' => sub { some_create(0) },
	'promise.settle' => sub { some_settle(some_promise(\&is_open)) },
	'promise.register_callback' => sub {
		{
			awaited => some_promise(\&is_open),
			awaiter =>
			  some_task(one_of(qw(suspended acquired halted pending)))
		}
	},
	'promise.register_listener' => sub {
		{ awaited => some_promise(\&is_open), address => one_of(@listeners) }
	},
	'promise.search' => sub {
		return {
			chance(0.5)
			? (state => one_of('pending', 'resolved', 'rejected_timedout'))
			: (),
			chance(0.3) ? (tags => { 'resonate:branch' => 'b0' }) : (),
			chance(0.5) ? (limit => 1 + int(rand 20)) : (),
			chance(0.2) ? (cursor => one_of(@promise_ids)) : ()
		};
	},
	'task.get' =>
	  sub { { id => some_task('pending', 'acquired', 'suspended') } },
	'task.create' => sub {
		my $create = some_create(1);

		$create->{id} = some_task('pending') if chance(0.3);
		return {
			pid => one_of(@pids),
			ttl => 1 + int(rand 5_000),
			action => action('promise.create', $create)
		};
	},
	'task.acquire' => sub {
		my $id = some_task('pending');

		return {
			id => $id,
			version => some_version($id),
			pid => one_of(@pids),
			ttl => 1 + int(rand 5_000)
		};
	},
	'task.release' => sub {
		my $id = some_task('acquired');

		return { id => $id, version => some_version($id) };
	},
	'task.suspend' => sub {
		my $id = some_task('acquired');
		my $first = some_promise(sub { is_open(@_) && $_[0]->{id} ne $id });
		my $deadline = $state->{promises}->{$first}
		  && chance(0.6) ? $state->{promises}->{$first}->{timeout_at} : undef;
		my %awaited = ($first => 1);

		# Some others, mostly such that will lapse together.
		for (1 .. int(rand 4))
		{
			my $other = some_promise(
				sub {
					my ($promise) = @_;

					return
						 is_open($promise)
					  && $promise->{id} ne $id
					  && (!defined $deadline
						|| $promise->{timeout_at} == $deadline);
				});

			$awaited{$other} = 1;
		}
		delete $awaited{$id} if keys %awaited > 1;
		return {
			id => $id,
			version => some_version($id),
			actions => [
				map {
					action(
						'promise.register_callback',
						{ awaiter => $id, awaited => $_ })
				} sort keys %awaited
			]
		};
	},
	'task.fulfill' => sub {
		my $id = some_task('acquired');

		return {
			id => $id,
			version => some_version($id),
			action => action('promise.settle', some_settle($id))
		};
	},
	'task.fence' => sub {
		my $id = some_task('acquired');

		return {
			id => $id,
			version => some_version($id),
			action => chance(0.5)
			? action('promise.create', some_create(0))
			: action('promise.settle', some_settle(some_promise(\&is_open)))
		};
	},
	'task.heartbeat' => sub {
		my @ids = map { some_task('acquired') } 1 .. int(rand 3);

		return {
			pid => @ids ? some_pid($ids[0]) : one_of(@pids),
			tasks =>
			  [ map { { id => $_, version => some_version($_) } } @ids ]
		};
	},
	'task.halt' => sub {
		{ id => some_task(one_of(qw(pending acquired suspended halted))) }
	},
	'task.continue' => sub { { id => some_task('halted') } },
	'task.search' => sub {
		return {
			chance(0.7)
			? (state =>
				  one_of(qw(pending acquired suspended halted fulfilled)))
			: (),
			chance(0.5) ? (limit => 1 + int(rand 20)) : ()
		};
	},
	'schedule.get' => sub { { id => one_of(@schedule_ids) } },
	'schedule.create' => sub {
		return {
			id => one_of(@schedule_ids),
			cron => one_of(
				'* * * * *', '*/10 * * * * *',
				'*/2 * * * *', '61 * * * *'),
			promiseId => one_of('{{.id}}.{{.timestamp}}', 'p0', '{{.id}}'),
			promiseTimeout => one_of(0, 1, 5_000, 70_000),
			promiseParam => some_payload(),
			promiseTags => some_tags()
		};
	},
	'schedule.delete' => sub { { id => one_of(@schedule_ids) } },
	'schedule.search' => sub {
		{ chance(0.5) ? (limit => 1) : () }
	},
	'debug.tick' => sub { { time => $now } },
	'debug.snap' => sub { {} },
	'debug.start' => sub { {} });

my @kinds = (
	[ 4, 'promise.get' ],
	[ 30, 'promise.create' ],
	[ 22, 'promise.settle' ],
	[ 12, 'promise.register_callback' ],
	[ 14, 'promise.register_listener' ],
	[ 1, 'promise.search' ],
	[ 4, 'task.get' ],
	[ 30, 'task.create' ],
	[ 45, 'task.acquire' ],
	[ 12, 'task.release' ],
	[ 40, 'task.suspend' ],
	[ 12, 'task.fulfill' ],
	[ 24, 'task.fence' ],
	[ 10, 'task.heartbeat' ],
	[ 12, 'task.halt' ],
	[ 14, 'task.continue' ],
	[ 1, 'task.search' ],
	[ 1, 'schedule.get' ],
	[ 6, 'schedule.create' ],
	[ 2, 'schedule.delete' ],
	[ 1, 'schedule.search' ],
	[ 6, 'debug.tick' ],
	[ 1, 'debug.snap' ],
	[ 1, 'debug.start' ]);

# A step that is a request: what it is called, its SQL, and what is to be known
# about it.
sub request_step
{
	my ($kind, $data);

	# A halted task that is past its deadline is rare, and must stay dead.
	my $is_dead_halted =
	  grep { $_->{state} eq 'halted' && $_->{timeout_at} <= $now }
	  values %{ $state->{tasks} };

	do
	{
		$is_misfit = 0;
		$kind = $is_dead_halted
		  && chance(0.3) ? 'task.continue' : weighted(@kinds);
		$data = $requests{$kind}->();
	} while ($is_misfit && chance(0.95));

	my $request = $json->encode(
		{
			kind => $kind,
			head => {
				corrId => '' . ++$corr_id,
				version => '2026-04-01',
				'resonate:debug_time' => $now
			},
			data => $data
		});
	my %step = (
		name => $request,
		kind => $kind,
		sql =>
		  "SELECT 'answer ' || resonate.resonate_rpc(\$rpc\$$request\$rpc\$)::text"
	);

	$step{lease} = { pid => $data->{pid}, ttl => $data->{ttl} }
	  if $kind eq 'task.create' || $kind eq 'task.acquire';
	$step{is_internal} = 1 if $kind eq 'debug.tick';
	return \%step;
}

# One that is a call of a function, at the time of the session.
sub call_step
{
	my $address = one_of(@addresses);
	my $listener = one_of(@listeners);
	my $promise_id = one_of(@promise_ids);
	my %step = %{
		weighted(
			[
				10,
				{
					kind => 'process_timeouts',
					sql => 'SELECT resonate.process_timeouts()',
					is_internal => 1
				}
			],
			[
				14,
				{
					kind => 'worker_step',
					sql => 'SELECT resonate.worker_step()',
					is_internal => 1,
					delivers => 1
				}
			],
			[
				14,
				{
					kind => 'dequeue_execute',
					sql =>
					  "SELECT 'execute ' || json_build_object('id', task_id,
						'version', version, 'address', '$address')
						FROM resonate.dequeue_execute('$address', 3)",
					is_internal => 1
				}
			],
			[
				10,
				{
					kind => 'dequeue_unblock',
					sql => "SELECT 'unblock ' || promise::text
						FROM resonate.dequeue_unblock('$listener', 3)",
					is_internal => 1,
					delivers => 1
				}
			],
			[
				3,
				{
					kind => 'receive',
					sql =>
					  "SELECT count(*) FROM resonate.receive('$listener')",
					is_internal => 1
				}
			],
			[
				3,
				{
					kind => 'acknowledge',
					sql =>
					  "SELECT resonate.acknowledge('$promise_id', '$listener', 'listener')",
					is_internal => 1,
					delivers => 1
				}
			],
			[
				5,
				{
					kind => 'create_callback',
					sql =>
					  "SELECT (resonate.create_callback('$promise_id', 'c', 'notify://done')).status"
				}
			],
			[
				1,
				{
					kind => 'prune',
					sql => 'SELECT resonate.prune(to_timestamp('
					  . ($now / 1_000 - 20) . '), 5)',
					is_internal => 1,
					prunes => 1
				}
			])
	};

	$step{name} = $step{sql} =~ s/\s+/ /gr;
	$step{sql} = "SET resonate.test_clock = '$now';\n$step{sql}";
	return \%step;
}

sub advance_clock
{
	my ($next) = sort { $a <=> $b } grep { $_ > $now }
	  map { $_->{timeout_at} } values %{ $state->{promises} };

	# To a deadline, or one millisecond before it.
	return $now = chance(0.7) ? $next : $next - 1
	  if defined $next && $next < $now + 30_000 && chance(0.05);
	$now += weighted(
		[ 50, 0 ],
		[ 30, 1 + int(rand 50) ],
		[ 16, 100 + int(rand 1_000) ],
		[ 3.5, 5_000 + int(rand 5_000) ],
		[ 0.5, 60_000 + int(rand 20_000) ]);
}

# A promise or task as an answer must show it, from what is stored.
sub is_shown_right
{
	my ($record) = @_;
	my $promise = $state->{promises}->{ $record->{id} } or return 0;

	if (exists $record->{timeoutAt})
	{
		my $shown = $promise->{state};

		$shown = $promise->{timer} ? 'resolved' : 'rejected_timedout'
		  if $shown eq 'pending' && $promise->{timeout_at} <= $now;
		return $record->{state} eq $shown
		  && exists $record->{settledAt} == ($shown ne 'pending');
	}

	my $task = $state->{tasks}->{ $record->{id} } or return 0;
	my $shown = $promise->{timeout_at} <= $now ? 'fulfilled' : $task->{state};

	return
		 $record->{state} eq $shown
	  && $record->{version} == $task->{version}
	  && exists $record->{pid} == ($shown eq 'acquired');
}

# What is wrong with the answer to a request; it may show nothing but what is
# stored, as of now.
sub answer_faults
{
	my ($step, $answer) = @_;
	my $status = $answer->{head}->{status} // 'none';
	my $data = $answer->{data};
	my @records;

	$seen{"status $status"}++;
	return "bad status $status"
	  unless grep { $_ eq $status } qw(200 300 400 404 409 422);
	return 'bad head'
	  unless $answer->{kind} eq $step->{kind}
	  && $answer->{head}->{corrId} eq $corr_id;
	return ref $data ? 'data of a refusal is no string' : ()
	  if $status >= 400;
	return () if ref $data ne 'HASH' || $step->{kind} eq 'debug.snap';

	$data = { %$data, %{ $data->{action}->{data} } }
	  if $data->{action} && ref $data->{action}->{data};
	@records = grep { defined } @$data{qw(promise task)},
	  map { @{ $data->{$_} // [] } } qw(promises tasks preload);
	return map { 'not as stored: ' . $json->encode($_) }
	  grep { !is_shown_right($_) } @records;
}

# What happened, for the report of what has been covered.
sub note_events
{
	my ($before, $after, $step) = @_;

	$seen{"step $step->{kind}"}++;
	foreach my $id (keys %{ $after->{tasks} })
	{
		my $old = $before->{tasks}->{$id};
		my $new = $after->{tasks}->{$id};

		$seen{  'task '
			  . ($old ? $old->{state} : 'none')
			  . " -> $new->{state}" }++
		  if !$old || $json->encode($old) ne $json->encode($new);
		$seen{'wait after setbacks'}++
		  if $old
		  && $old->{state} eq 'acquired'
		  && $new->{state} eq 'pending'
		  && $new->{clock} > $now;
		$seen{'resumed while not suspended'}++
		  if $old
		  && $old->{state} ne 'suspended'
		  && $new->{resumes} > $old->{resumes};
		$seen{'resumed twice at once'}++
		  if $old && $new->{resumes} > $old->{resumes} + 1;
		$seen{"past its deadline and $new->{state}"}++
		  if $new->{timeout_at} <= $now;
	}
	foreach my $id (keys %{ $after->{promises} })
	{
		my $old = $before->{promises}->{$id};
		my $new = $after->{promises}->{$id};

		$seen{  'promise '
			  . ($old ? $old->{state} : 'none')
			  . " -> $new->{state}" }++
		  if !$old || $old->{state} ne $new->{state};
		$seen{'late occurrence'}++
		  if !$old
		  && $new->{state} ne 'pending'
		  && $new->{created_at} < $new->{settled_at};
	}
	$seen{'execute'} += @{ $step->{executes} };
	$seen{'unblock'} += @{ $step->{unblocks} };
}

# Runs a step and checks it.
sub run_step
{
	my ($step) = @_;
	my $before = $state;
	my $lines = $session->ask(
		"$step->{sql};
		SET resonate.test_clock = '$now' \\; EXECUTE state \\;
		SELECT 'violated ' || name FROM resonate.check_invariants() AS name");
	my @found;

	return push @faults,
	  "step $step_number (RSN_SEED=$seed): SQLSTATE $session->{error} $step->{name}"
	  if $session->{error};
	$step->{now} = $now;
	$step->{longest_wait} = 0 if $is_strict;
	$step->{executes} =
	  [ map { $json->decode($_) } $lines =~ /^execute (.*)/mg ];
	$step->{unblocks} =
	  [ map { $json->decode($_) } $lines =~ /^unblock (.*)/mg ];
	$state = read_state($lines);

	push @found, "$_->[0]: @$_[1 .. $#$_]"
	  foreach violations($before, $state, $step);
	push @found, $lines =~ /^violated (.*)/mg;
	push @found,
	  map { answer_faults($step, $json->decode($_)) }
	  $lines =~ /^answer (.*)/mg;
	push @faults,
	  "step $step_number (RSN_SEED=$seed) at $now: $_\n  $step->{name}"
	  foreach @found;
	note_events($before, $state, $step);
}

# An empty store, and settings that take turns.
sub begin_epoch
{
	my ($epoch) = @_;
	my $answer;

	$is_strict = $epoch % 2;
	$session->ask(
		'SET resonate.profile = ' . ($is_strict ? 'strict' : 'sdk'));
	$answer = $session->ask(
		"SELECT resonate.resonate_rpc('{\"kind\": \"debug.reset\", \"head\":
			{\"corrId\": \"1\", \"version\": \"2026-04-01\"}, \"data\": {}}')
			#>> '{head,status}';\nEXECUTE state");
	push @faults, "debug.reset answers $answer" unless $answer eq '200';
	$state = read_state($answer);
}

$session->ask(
	"SET client_min_messages = error;
	SET resonate.debug = on;
	SET resonate.test_clock = '$now';
	PREPARE state AS " . state_query());

for (
	$step_number = 0;
	$step_number < $nsteps && @faults < 10;
	$step_number++)
{
	begin_epoch($step_number / $nsteps_of_an_epoch)
	  if $step_number % $nsteps_of_an_epoch == 0;
	advance_clock();
	run_step(chance(0.8) ? request_step() : call_step());
}

is(join("\n", @faults), '', "no property is violated in $step_number steps");

# A run that does nothing proves nothing.
my @wanted = (
	map({ "step $_->[1]" } @kinds),
	map({ "step $_" }
		qw(process_timeouts worker_step dequeue_execute dequeue_unblock receive
		  acknowledge create_callback prune)),
	map({ "status $_" } qw(200 300 400 404 409 422)),
	map({ "task none -> $_" } qw(pending acquired fulfilled)),
	map({ "task pending -> $_" } qw(pending acquired halted fulfilled)),
	map({ "task acquired -> $_" }
		qw(pending acquired suspended halted fulfilled)),
	map({ "task suspended -> $_" } qw(pending halted fulfilled)),
	map({ "task halted -> $_" } qw(pending fulfilled)),
	map({ "promise none -> $_" } qw(pending rejected_timedout)),
	map({ "promise pending -> $_" }
		qw(resolved rejected rejected_canceled rejected_timedout)),
	'execute',
	'unblock',
	'wait after setbacks',
	'resumed while not suspended',
	map({ "past its deadline and $_" } qw(pending acquired suspended)),
	'late occurrence');

# What is rare enough for another run to do without.
my @rare = (
	'promise none -> resolved',
	'task halted -> halted',
	'resumed twice at once',
	'past its deadline and halted');

is(join(', ', grep { !$seen{$_} } @wanted),
	'', 'everything has happened in this run')
  unless $ENV{RSN_SEED} || $ENV{RSN_STEPS};
note('did not happen: ' . join(', ', grep { !$seen{$_} } @wanted, @rare));
note("$_: $seen{$_}") foreach sort keys %seen;

# The worker was paused by one of the requests.
$session->ask(
	"SELECT resonate.resonate_rpc('{\"kind\": \"debug.stop\", \"head\":
		{\"corrId\": \"1\", \"version\": \"2026-04-01\"}, \"data\": {}}')");
$session->close;
is(crashes($node), '', 'no process has crashed');
$node->stop;
done_testing();
