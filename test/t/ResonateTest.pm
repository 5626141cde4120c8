
=pod

=head1 NAME

ResonateTest - clusters and sessions for the tests of resonate

=head1 SYNOPSIS

  use ResonateTest;

  my $node = new_cluster('main');
  my $session = open_session($node);

  is($session->ask("SELECT status FROM resonate.create_promise('a')"), 2010);
  $session->send("SELECT state FROM resonate.await_promise('a')");
  ok(!$session->is_done);
  is($session->answer, 'resolved');

=head1 DESCRIPTION

Nothing here waits for a fixed time.  What is expected is waited for, for as
long as PG_TEST_TIMEOUT_DEFAULT seconds.  A program that is not done after a
multiple of that fails, whatever it waits for.

=cut

package ResonateTest;

use strict;
use warnings FATAL => 'all';

use Exporter 'import';
use File::Basename qw(dirname);
use IPC::Run;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;
use Time::HiRes qw(time usleep);

our @EXPORT = qw(
  new_cluster
  open_session
  become
  error_of
  log_from
  crashes
  invariants_hold
  index_use
  worker_pid
  wait_for_worker
  stop_worker
  note_lateness
  count_reads
);

my $test_dir = dirname(dirname(__FILE__));

# safe_psql() and poll_query_until() wait for ever for a server that hangs.
$SIG{ALRM} = sub { die "the whole program timed out\n" };
alarm(3 * $PostgreSQL::Test::Utils::timeout_default);

=pod

=item new_cluster($name, %params)

Makes and starts a cluster with test/resonate.conf, and the extension in the
database postgres.  Parameters: preload => 0, extension => 0, start => 0,
streaming => 1, conf => lines of configuration.

=cut

sub new_cluster
{
	my ($name, %params) = @_;
	my $node = PostgreSQL::Test::Cluster->new($name);
	my $preload = $params{preload} // 1;

	$node->init(
		allows_streaming => $params{streaming} // 0,
		extra => [ '--encoding=UTF8', '--no-locale' ]);
	$node->append_conf('postgresql.conf',
		slurp_file("$test_dir/resonate.conf"));
	$node->append_conf('postgresql.conf', <<"END");
log_statement = none
log_line_prefix = '%m [%p] %b %d '
restart_after_crash = on
autovacuum = off
END
	$node->append_conf('postgresql.conf', "shared_preload_libraries = ''")
	  unless $preload;
	$node->append_conf('postgresql.conf', $params{conf})
	  if defined $params{conf};
	return $node unless $params{start} // 1;

	$node->start;
	$node->safe_psql('postgres', 'CREATE EXTENSION resonate')
	  if $params{extension} // 1;
	return $node;
}

=pod

=item open_session($node, $dbname, %params)

A psql session that takes statements one after the other.  Parameter: user.

=cut

sub open_session
{
	my ($node, $dbname, %params) = @_;
	my $connstr = $node->connstr($dbname // 'postgres');

	$connstr .= " user=$params{user}" if defined $params{user};
	return ResonateTest::Session->new($connstr);
}

=pod

=item become($node, $role, $dbname)

Makes a login role that is a member of a role of the extension, and opens a
session of it.

=cut

sub become
{
	my ($node, $role, $dbname) = @_;

	$node->safe_psql('postgres',
		"CREATE ROLE test_$role LOGIN IN ROLE resonate_$role");
	return open_session($node, $dbname, user => "test_$role");
}

=pod

=item error_of($node, $sql, $dbname)

The SQLSTATE with which a statement fails, or an empty string.

=cut

sub error_of
{
	my ($node, $sql, $dbname) = @_;
	my ($ret, $stdout, $stderr) = $node->psql(
		$dbname // 'postgres',
		$sql,
		on_error_stop => 1,
		extra_params => [ '-v', 'VERBOSITY=sqlstate' ]);

	return $stderr =~ /(?:ERROR|FATAL):\s+(\w{5})/ ? $1 : $stderr;
}

=pod

=item log_from($node, $offset)

What the server has logged after an offset.

=cut

sub log_from
{
	my ($node, $offset) = @_;

	return slurp_file($node->logfile, $offset);
}

=pod

=item crashes($node)

The lines of the log that tell of a crash, except of what a test has killed.

=cut

sub crashes
{
	my ($node) = @_;

	return join("\n",
		grep { /TRAP:|PANIC:|terminated by signal (?!9\b)/ }
		  split /\n/,
		log_from($node, 0));
}

=pod

=item invariants_hold($node, $dbname, $at_ms)

A test that nothing in a database violates an invariant, now or at the instant
given, for what has run ahead of the time of day.

=cut

sub invariants_hold
{
	my ($node, $dbname, $at_ms) = @_;
	my $clock = '';

	$dbname //= 'postgres';
	$clock = "SET resonate.debug = on; SET resonate.test_clock = '$at_ms';"
	  if defined $at_ms;
	return is(
		$node->safe_psql(
			$dbname, "$clock SELECT * FROM resonate.check_invariants()"),
		'',
		"invariants hold in database $dbname");
}

=pod

=item index_use($node, $index, $column)

What the statistics of the server count of the use of an index of the extension.

=cut

sub index_use
{
	my ($node, $index, $column) = @_;

	return $node->safe_psql('postgres', <<"END");
SELECT $column FROM pg_stat_all_indexes
WHERE indexrelid = 'resonate.$index'::regclass
END
}

=pod

=item worker_pid($node, $dbname)

The process id of the worker of a database, or an empty string.

=cut

sub worker_pid
{
	my ($node, $dbname) = @_;

	return $node->safe_psql($dbname // 'postgres',
		'SELECT worker_pid FROM resonate.stats');
}

=pod

=item wait_for_worker($node, $dbname, $other_than)

Waits until a database has a worker, a new one if the old one is named, and
returns its process id.

=cut

sub wait_for_worker
{
	my ($node, $dbname, $other_than) = @_;

	$dbname //= 'postgres';
	$other_than ||= 0;
	$node->poll_query_until(
		$dbname,
		"SELECT count(*) = 1 FROM resonate.stats
		 JOIN pg_stat_activity a ON a.pid = worker_pid
		 WHERE worker_pid <> $other_than"
	) or die "the worker of database $dbname did not come";
	return worker_pid($node, $dbname);
}

=pod

=item stop_worker($node, $dbname)

Has the worker of a database stand still, with SIGSTOP, until kill('CONT', $pid), and
returns its process id.  It is stopped while it waits for something to do: wherever
else it may hold a lock of shared memory, for which everybody would wait with it.

=cut

sub stop_worker
{
	my ($node, $dbname) = @_;
	my $pid = wait_for_worker($node, $dbname);
	my $session = open_session($node, $dbname);
	my $limit = time + $PostgreSQL::Test::Utils::timeout_default;

	while (time < $limit)
	{
		my $moment = time + 2;
		my $is_seen;

		kill('STOP', $pid);
		$session->send(
			"SELECT wait_event_type FROM pg_stat_activity WHERE pid = $pid");
		usleep(1_000) until $session->is_done || time > $moment;
		$is_seen = $session->is_done;
		kill('CONT', $pid) unless $is_seen;
		if ($session->answer eq 'Extension' && $is_seen)
		{
			$session->close;
			return $pid;
		}
		kill('CONT', $pid);
		usleep(5_000);
	}
	die "the worker with process id $pid was never idle";
}

=pod

=item note_lateness($node, $dbname)

Has a trigger note in the table settled (id, late_ms) how late each deadline is stored.

=cut

sub note_lateness
{
	my ($node, $dbname) = @_;

	$node->safe_psql($dbname // 'postgres', <<'END');
CREATE TABLE settled (id text, late_ms float8);
CREATE FUNCTION note_settled() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER AS $$
BEGIN
	INSERT INTO public.settled VALUES (NEW.id,
		extract(epoch FROM pg_catalog.clock_timestamp()) * 1000 - NEW.timeout_at);
	RETURN NULL;
END$$;
CREATE TRIGGER note_settled AFTER UPDATE ON resonate.promises
	FOR EACH ROW EXECUTE FUNCTION note_settled();
END
	return;
}

=pod

=item count_reads($node, $dbname)

Makes a function reads(), which returns how many rows and index entries of the tables
of the extension the transaction has read.

=cut

sub count_reads
{
	my ($node, $dbname) = @_;

	$node->safe_psql($dbname // 'postgres', <<'END');
CREATE FUNCTION reads() RETURNS bigint LANGUAGE sql AS $$
	SELECT sum(pg_stat_get_xact_tuples_returned(oid) +
			   CASE relkind WHEN 'r' THEN pg_stat_get_xact_tuples_fetched(oid)
			   ELSE 0 END)
	FROM pg_class WHERE relnamespace = 'resonate'::regnamespace
		AND relkind IN ('r', 'i')
$$;
END
	return;
}

=pod

=head1 SESSIONS

=cut

package ResonateTest::Session;

use Carp;
use Time::HiRes qw(time usleep);

sub new
{
	my ($class, $connstr) = @_;
	my $self = bless {
		stdin => '',
		stdout => '',
		stderr => '',
		error => '',
		count => 0,
		notifications => [],
	}, $class;

	$self->{run} = IPC::Run::start(
		[
			'psql', '-XAtq', '-v', 'VERBOSITY=sqlstate',
			'-d', $connstr, '-f', '-'
		],
		'<' => \$self->{stdin},
		'>' => \$self->{stdout},
		'2>' => \$self->{stderr});
	$self->ask("\\encoding UTF8");
	return $self;
}

sub _limit
{
	return time + $PostgreSQL::Test::Utils::timeout_default;
}

=pod

=item $session->send($sql)

Starts a statement and does not wait for it.

=cut

sub send
{
	my ($self, $sql) = @_;
	my $mark = 'end of statement ' . ++$self->{count};

	$sql .= ';' unless $sql =~ /;\s*$/ || $sql =~ /^\\/;
	$self->{stdin} .= "$sql\n\\echo '$mark'\n\\warn '$mark'\n";
	# A connection that is gone is found out by answer().
	eval { $self->{run}->pump_nb };
	return;
}

=pod

=item $session->is_done

True when the statement has ended, or the connection.

=cut

sub is_done
{
	my ($self) = @_;
	my $mark = "end of statement $self->{count}\n";

	return 1
	  if $self->{stdout} =~ /^\Q$mark\E/m && $self->{stderr} =~ /^\Q$mark\E/m;
	eval { $self->{run}->pump_nb; 1 } or return 1;
	return 1
	  if $self->{stdout} =~ /^\Q$mark\E/m && $self->{stderr} =~ /^\Q$mark\E/m;
	return !$self->{run}->pumpable;
}

=pod

=item $session->answer

Waits for the statement and returns what it has printed; $session->{error} is
the SQLSTATE with which it has failed, "lost" if the connection is, or an empty
string.

=cut

sub answer
{
	my ($self) = @_;
	my $limit = _limit();
	my $mark = "end of statement $self->{count}\n";
	my $answer;

	until ($self->is_done)
	{
		croak "a session timed out; it has printed: "
		  . "$self->{stdout}$self->{stderr}"
		  if time > $limit;
		usleep(2_000);
	}
	$answer = $self->{stdout};
	$answer =~ s/^\Q$mark\E//m;
	$self->{error} =
		$self->{stderr} =~ /(?:ERROR|FATAL):\s+(\w{5})/ ? $1
	  : $self->{stderr} =~ /connection/                 ? 'lost'
	  :                                                   '';
	$self->{warnings} = $self->{stderr};
	$self->{stdout} = '';
	$self->{stderr} = '';

	while ($answer =~
		s/^Asynchronous notification "(.*?)" (?:with payload "(.*)" )?received from server process with PID \d+\.\n//m
	  )
	{
		push @{ $self->{notifications} }, [ $1, $2 // '' ];
	}
	chomp $answer;
	return $answer;
}

=pod

=item $session->ask($sql)

Runs a statement and returns what it has printed.

=cut

sub ask
{
	my ($self, $sql) = @_;

	$self->send($sql);
	return $self->answer;
}

=pod

=item $session->notification($pattern)

Waits for a notification whose payload matches, takes it, and returns its
payload; undef when none comes in time.

=cut

sub notification
{
	my ($self, $pattern) = @_;
	my $limit = _limit();

	while (time < $limit)
	{
		my $list = $self->{notifications};

		for my $i (0 .. $#$list)
		{
			return (splice(@$list, $i, 1))->[1]
			  if $list->[$i]->[1] =~ $pattern;
		}
		$self->ask('SELECT 1 \g /dev/null');
		return undef if $self->{run} && !$self->{run}->pumpable;
		usleep(5_000);
	}
	return undef;
}

=pod

=item $session->pid

The process id of its backend.

=cut

sub pid
{
	my ($self) = @_;

	return $self->ask('SELECT pg_backend_pid()');
}

=pod

=item $session->close

Ends the session.

=cut

sub close
{
	my ($self) = @_;

	eval {
		$self->{stdin} .= "\\q\n" if $self->{run}->pumpable;
		$self->{run}->finish;
	};
	return;
}

1;
