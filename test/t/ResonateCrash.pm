
=pod

=head1 NAME

ResonateCrash - clients that outlive the server, and note what they were told

=head1 SYNOPSIS

  use ResonateCrash;

  my $crew = ResonateCrash->new($node, $seed);

  $crew->start('r1', maker => 3, worker => 2, listener => 1, receiver => 1);
  $crew->wait_for_load(50);
  $node->stop('immediate');
  $node->start;
  $crew->stop_work;
  $crew->stop;

=head1 DESCRIPTION

Each client is a process with one session.  When that is lost it connects again,
as often as it takes, to the server that the crew is pointed at, and goes on.

Before it asks for anything that shall last, a client notes what that would be,
and afterwards what it was told: ok (it is committed), failed (it is not, because
that was the answer, or because the session was lost before the commit was asked
for), or unknown (it was lost after that).  A note is in the file before the next
thing happens, so nothing that a client was told is forgotten.  L<ResonateLoad>
has what the clients do, L<ResonateLedger> compares the notes with what is
stored.

=cut

package ResonateCrash;

use strict;
use warnings FATAL => 'all';

use Digest::MD5 qw(md5_hex);
use POSIX       qw(_exit WNOHANG);
use PostgreSQL::Test::Utils;
use ResonateLoad;
use Time::HiRes qw(time usleep);

my @crews;

=pod

=item ResonateCrash->new($node, $seed)

A crew without members.

=cut

sub new
{
	my ($class, $node, $seed) = @_;
	my $self = bless {
		dir => PostgreSQL::Test::Utils::tempdir,
		seed => $seed,
		pids => {},
	}, $class;

	$self->point_at($node);
	push @crews, $self;
	return $self;
}

# Nobody stays behind, whatever the test dies of.
END
{
	kill 'KILL', map { keys %{ $_->{pids} } } @crews;
}

=pod

=item $crew->point_at($node)

Has the clients connect to this server, those too that are running.

=cut

sub point_at
{
	my ($self, $node) = @_;
	my $file = "$self->{dir}/target";

	unlink "$file.new";
	append_to_file("$file.new", join("\n", $node->host, $node->port));
	rename("$file.new", $file) or die "rename: $!";
	return;
}

=pod

=item $crew->start($round, %counts)

Starts so many clients of each role, whose ids begin with the round.

=cut

sub start
{
	my ($self, $round, %counts) = @_;

	unlink map { "$self->{dir}/$_" } 'stop.work', 'stop';
	$self->{round} = $round;
	for my $role (sort keys %counts)
	{
		$self->_start_one($role, $_) foreach 1 .. $counts{$role};
	}
	return;
}

sub _start_one
{
	my ($self, $role, $number) = @_;
	my $name = substr($role, 0, 1) . $number;
	my $pid = fork;

	die "fork: $!" unless defined $pid;
	if ($pid == 0)
	{
		my $client = $self->client($role, $name);

		local $SIG{PIPE} = 'IGNORE';
		local $SIG{TERM} = 'DEFAULT';
		eval { $client->run };
		$client->note('odd', ref $@ ? $@->{message} : $@ =~ s/\s+/ /gr)
		  if $@;
		_exit($@ ? 1 : 0);
	}
	$self->{pids}->{$pid} = $name;
	return;
}

=pod

=item $crew->client($role, $name)

A client of this process, which is not connected yet.

=cut

sub client
{
	my ($self, $role, $name) = @_;
	my $class = 'ResonateLoad::' . ucfirst $role;

	return $class->new(
		dir => $self->{dir},
		round => $self->{round},
		name => $name,
		seed => hex
		  substr(md5_hex("$self->{seed}/$self->{round}/$name"), 0, 8));
}

=pod

=item $crew->notes($round)

The files of notes of a round.

=cut

sub notes
{
	my ($self, $round) = @_;

	return sort glob "$self->{dir}/notes.$round.*";
}

=pod

=item $crew->wait_for_load($n)

Waits until each client was told n times that something is committed.

=cut

sub wait_for_load
{
	my ($self, $n) = @_;
	my $limit = time + $PostgreSQL::Test::Utils::timeout_default;
	my $least = 0;

	while ($least < $n)
	{
		my @counts = map {
			my $told = () = slurp_file($_) =~ /\tok\t/g;
			$told;
		} $self->notes($self->{round});

		$least =
		  @counts < keys %{ $self->{pids} }
		  ? 0
		  : (sort { $a <=> $b } @counts)[0];
		die 'the clients do not get under way' if time > $limit;
		usleep(10_000);
	}
	return;
}

=pod

=item $crew->stop_work

Ends makers and workers; those who listen begin nothing new, but go on
listening.

=cut

sub stop_work
{
	my ($self) = @_;

	append_to_file("$self->{dir}/stop.work", '');
	$self->_wait_for(
		grep { $self->{pids}->{$_} =~ /^[mw]/ }
		  keys %{ $self->{pids} });
	return;
}

=pod

=item $crew->stop

Ends all clients.

=cut

sub stop
{
	my ($self) = @_;

	append_to_file("$self->{dir}/stop.work", '');
	append_to_file("$self->{dir}/stop", '');
	$self->_wait_for(keys %{ $self->{pids} });
	return;
}

# A client that fails has said why in its notes, as something odd.
sub _wait_for
{
	my ($self, @pids) = @_;
	my $limit = time + $PostgreSQL::Test::Utils::timeout_default;

	while (@pids)
	{
		delete @{ $self->{pids} }{ grep { waitpid($_, WNOHANG) != 0 } @pids };
		@pids = grep { exists $self->{pids}->{$_} } @pids;
		die 'clients do not end: ' . join(', ', @{ $self->{pids} }{@pids})
		  if time > $limit;
		usleep(10_000) if @pids;
	}
	return;
}

1;
