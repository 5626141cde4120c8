
=pod

=head1 NAME

ResonateWire - a small client of the server, for processes that are killed

=head1 SYNOPSIS

  use ResonateWire;

  my $wire = ResonateWire->new($node, 'postgres', 'worker 1');
  my @rows = $wire->ask('SELECT id, state FROM resonate.get_promise($1)', 'a');

=head1 DESCRIPTION

Speaks the protocol of the server itself, because a session of psql takes a
process of its own and a pipe between, too much for many short-lived clients.
Each statement is prepared once for each connection; arguments and columns are
text, NULL is undef.

=cut

package ResonateWire;

use strict;
use warnings FATAL => 'all';

use IO::Socket::UNIX;

=pod

=item ResonateWire->new($node, $dbname, $application_name)

Opens a connection; dies as ask() does.

=cut

sub new
{
	my ($class, $node, $dbname, $application_name) = @_;
	my $path = $node->host . '/.s.PGSQL.' . $node->port;
	my $socket = IO::Socket::UNIX->new(Peer => $path);
	my $self =
	  bless { socket => $socket, buffer => '', names => {}, count => 0 },
	  $class;
	my $options = join(
		"\0",
		user => scalar getpwuid($<),
		database => $dbname,
		application_name => $application_name,
		client_encoding => 'UTF8',
		'', '');

	_lost($self, "could not connect to $path: $!") unless defined $socket;
	$self->_write(pack('NN', length($options) + 8, 196608) . $options);
	$self->_collect;
	return $self;
}

# Dies because the connection is gone.
sub _lost
{
	my ($self, $message) = @_;

	die { state => 'lost', message => $message, is_lost => 1 };
}

sub _write
{
	my ($self, $bytes) = @_;

	while (length $bytes)
	{
		my $n = syswrite($self->{socket}, $bytes);

		$self->_lost("write: $!") unless defined $n;
		substr($bytes, 0, $n, '');
	}
	return;
}

# The type and the body of the next message.
sub _read
{
	my ($self) = @_;

	while (1)
	{
		if (length $self->{buffer} >= 5)
		{
			my ($type, $len) = unpack('aN', $self->{buffer});

			if (length $self->{buffer} > $len)
			{
				my $body = substr($self->{buffer}, 5, $len - 4);

				substr($self->{buffer}, 0, $len + 1, '');
				return ($type, $body);
			}
		}
		my $n = sysread($self->{socket}, $self->{buffer}, 65536,
			length $self->{buffer});

		next if !defined $n && $!{EINTR};
		$self->_lost(defined $n ? 'closed' : "read: $!") unless $n;
	}
}

sub _columns
{
	my ($body) = @_;
	my $at = 2;

	return [
		map {
			my $len = unpack('l>', substr($body, $at, 4));
			my $value = $len < 0 ? undef : substr($body, $at + 4, $len);

			$at += 4 + ($len < 0 ? 0 : $len);
			$value;
		} 1 .. unpack('n', $body)
	];
}

# Reads up to where the server is ready again; the rows, or dies.
sub _collect
{
	my ($self) = @_;
	my @rows;
	my $error;

	while (1)
	{
		my ($type, $body) = eval { $self->_read };

		unless (defined $type)
		{
			die $@ unless $error;
			$error->{is_lost} = 1;
			die $error;
		}
		last if $type eq 'Z';
		push @rows, _columns($body) if $type eq 'D';
		if ($type eq 'E')
		{
			my %field = map { /^(.)(.*)$/s ? ($1, $2) : () } split /\0/,
			  $body;

			$error = { state => $field{C}, message => $field{M} };
		}
		$self->_lost('the server asks for a password')
		  if $type eq 'R' && unpack('N', $body) != 0;
	}
	die $error if $error;
	return @rows;
}

=pod

=item $wire->ask($sql, @arguments)

The rows of a statement, each a reference to the list of its columns.  Dies with
a reference to a hash: state is the SQLSTATE or "lost", message says more, and
is_lost is true when the connection has to be made anew.

=cut

sub ask
{
	my ($self, $sql, @arguments) = @_;
	my $names = $self->{names};
	my $request = '';
	my @rows;

	unless (exists $names->{$sql})
	{
		$names->{$sql} = 's' . $self->{count}++;

		my $parse = "$names->{$sql}\0$sql\0" . pack('n', 0);
		$request .= 'P' . pack('N', length($parse) + 4) . $parse;
	}

	my $bind =
		"\0$names->{$sql}\0"
	  . pack('nn', 0, scalar @arguments)
	  . join('',
		map { defined $_ ? pack('N', length $_) . $_ : pack('l>', -1) }
		  @arguments)
	  . pack('n', 0);

	$request .= 'B' . pack('N', length($bind) + 4) . $bind;
	$request .= 'E' . pack('N', 9) . pack('aN', "\0", 0);
	$request .= 'S' . pack('N', 4);
	$self->_write($request);
	@rows = eval { $self->_collect; };
	if ($@)
	{
		# Perhaps it was not even prepared.
		delete $names->{$sql};
		die $@;
	}
	return @rows;
}

=pod

=item $wire->value($sql, @arguments)

The first column of the first row.

=cut

sub value
{
	my ($self, $sql, @arguments) = @_;
	my @rows = $self->ask($sql, @arguments);

	return @rows ? $rows[0]->[0] : undef;
}

1;
