
# Whoever waits for a promise sees that its client is gone, without any setting, and
# leaves: clients that give up leave no session behind.

use strict;
use warnings FATAL => 'all';

use FindBin;
use lib $FindBin::RealBin;

use IO::Socket::INET;
use IO::Socket::UNIX;
use IPC::Run;
use PostgreSQL::Test::Utils;
use ResonateTest;
use Test::More;
use Time::HiRes qw(usleep);

my $node = new_cluster('main', conf => <<'END');
max_connections = 30
client_connection_check_interval = 0
END
my $other = open_session($node);
my %await = (
	function => "SELECT resonate.await_promise('p')",
	'function in a transaction' => "BEGIN; SELECT resonate.await_promise('p')",
	procedure => "CALL resonate.await_promise('p', NULL, NULL, NULL, NULL)",
	'procedure in a DO block' =>
	  "DO 'DECLARE a int; b text; c jsonb; BEGIN CALL resonate.await_promise(''p'', NULL, a, b, c); END'"
);

is($other->ask("SELECT status FROM resonate.create_promise('p', '1 day')"),
	2010, 'a promise');

# How many sessions wait, or are there that have begun to.
sub count_is
{
	my ($count, $condition, $name) = @_;

	return ok(
		$node->poll_query_until(
			'postgres', "SELECT count(*) = $count FROM pg_stat_activity
			 WHERE query LIKE '%await_promise%' AND pid <> pg_backend_pid() AND $condition"
		),
		$name);
}
my $is_asleep = "wait_event_type = 'Extension'";

# A connection that speaks the protocol itself, so that it can just be closed.
sub connect_raw
{
	my ($port, $host) = @_;
	my $startup = pack('N', 196608)
	  . "user\0"
	  . $node->safe_psql('postgres', 'SELECT current_user')
	  . "\0database\0postgres\0\0";
	my $socket =
	  defined $host
	  ? IO::Socket::INET->new(PeerAddr => $host, PeerPort => $port)
	  : IO::Socket::UNIX->new(Peer => $node->host . "/.s.PGSQL.$port");
	my $answer = '';

	die "could not connect: $!" unless $socket;
	$socket->syswrite(pack('N', length($startup) + 4) . $startup);
	until ($answer =~ /Z\x00\x00\x00\x05I\z/)
	{
		$socket->sysread($answer, 4096, length $answer)
		  or die "connection refused: $answer";
	}
	return $socket;
}

sub send_raw
{
	my ($socket, $sql) = @_;

	$socket->syswrite('Q' . pack('N', length($sql) + 5) . "$sql\0");
	return;
}

for my $kind (sort keys %await)
{
	# Closed, or half of it, as by a client that has ended.
	for my $round (1 .. 3)
	{
		my @sockets = map { connect_raw($node->port) } 1 .. 5;

		send_raw($_, $await{$kind}) foreach @sockets;
		count_is(5, $is_asleep, "$kind: five clients wait");
		if ($round == 2) { $_->shutdown(1) foreach @sockets }
		$_->close foreach @sockets;
		count_is(0, 'true', "$kind: round $round leaves nothing behind");
	}

	# Killed.
	my @clients = map {
		IPC::Run::start(
			[
				'psql', '-Xqc', $await{$kind}, '-d',
				$node->connstr('postgres')
			],
			'>',
			\my $out,
			'2>',
			\my $err)
	} 1 .. 3;

	count_is(3, $is_asleep, "$kind: three programs wait");
	$_->signal('KILL') foreach @clients;
	count_is(0, 'true', "$kind: and are killed");
	eval { $_->finish } foreach @clients;
}
like(
	log_from($node, 0),
	qr/FATAL:  connection to client lost/,
	'as PostgreSQL says');
ok( $node->poll_query_until(
		'postgres',
		"SELECT count(*) = 1 FROM pg_stat_activity
		 WHERE backend_type = 'client backend' AND pid <> pg_backend_pid()"),
	'nobody else is there');

# Who is still there is left in peace, whatever it sends meanwhile.
my $client = connect_raw($node->port);

send_raw($client, $await{function});
count_is(1, $is_asleep, 'a client waits');
send_raw($client, 'SELECT 1');
is( $other->ask("SELECT pg_sleep(1); SELECT count(*) FROM pg_stat_activity
		WHERE query LIKE 'SELECT resonate.await_promise%' AND $is_asleep"),
	"\n1",
	'and sends the next query: it still does');
$other->ask("SELECT resonate.resolve('p', '1')");
my $answer = '';

until ($answer =~ /Z\x00\x00\x00\x05I.*Z\x00\x00\x00\x05I\z/s)
{
	$client->sysread($answer, 4096, length $answer) or last;
}
like($answer, qr/SELECT 1/, 'both are answered');
$client->close;

#
# The time of transactions
#

SKIP:
{
	my ($version) = $node->safe_psql('postgres', 'SHOW server_version_num');

	skip 'transaction_timeout is of PostgreSQL 17', 1 if $version < 170000;

	my $waiter = open_session($node);
	my $pid = $waiter->pid;

	$other->ask("SELECT resonate.create_promise('q', '1 day')");
	$waiter->ask("SET transaction_timeout = '500 ms'");
	$waiter->send("CALL resonate.await_promise('q', NULL, NULL, NULL, NULL)");
	$other->ask('SELECT pg_sleep(2)');
	ok(!$waiter->is_done, 'CALL waits longer than a transaction may last');
	$other->ask("SELECT resonate.resolve('q', '1')");
	is($waiter->answer, '2000|resolved|1', 'and is told');
	is($waiter->pid, $pid, 'in the same session');
	$waiter->send('BEGIN; SELECT pg_sleep(60)');
	$waiter->answer;
	is($waiter->{error}, '25P04', 'where the limit holds again');
	$waiter->close;

	$waiter = open_session($node);
	$other->ask("SELECT resonate.create_promise('r', '1 day')");
	$waiter->ask("SET transaction_timeout = '500 ms'");
	$waiter->ask("SELECT resonate.await_promise('r')");
	is($waiter->{error}, '25P04', 'the function waits in a transaction');
	$waiter->close;
}

# The limits that hold for both.
for my $kind ('function', 'procedure')
{
	my $waiter = open_session($node);

	$other->ask("SELECT resonate.create_promise('$kind', '1 day')");
	(my $sql = $await{$kind}) =~ s/'p'/'$kind'/;
	$waiter->ask(
		"SET idle_in_transaction_session_timeout = '300 ms'; SET lock_timeout = '300 ms'"
	);
	$waiter->ask("SET statement_timeout = '1 s'");
	$waiter->ask($sql);
	is($waiter->{error}, '57014',
		"$kind: statement_timeout ends it, and no other limit before");
	$waiter->close;
}

#
# Behind a pooler
#

SKIP:
{
	skip 'there is no pgbouncer', 1 unless `sh -c 'command -v pgbouncer'`;

	my $dir = PostgreSQL::Test::Utils::tempdir;
	my $port = PostgreSQL::Test::Cluster::get_free_port();
	my $user = $node->safe_psql('postgres', 'SELECT current_user');

	append_to_file("$dir/users", "\"$user\" \"\"\n");
	append_to_file("$dir/ini", <<"END");
[databases]
postgres = host=@{[ $node->host ]} port=@{[ $node->port ]}
[pgbouncer]
listen_addr = 127.0.0.1
listen_port = $port
unix_socket_dir =
auth_type = trust
auth_file = $dir/users
pool_mode = transaction
default_pool_size = 4
logfile = $dir/log
pidfile = $dir/pid
END
	$other->ask("SELECT resonate.create_promise('p2', '1 day')");
	is(system("pgbouncer -q -d '$dir/ini'"), 0, 'a pooler');
	for my $round (1 .. 3)
	{
		my @sockets = map { connect_raw($port, '127.0.0.1') } 1 .. 4;

		send_raw($_,
			"CALL resonate.await_promise('p2', NULL, NULL, NULL, NULL)")
		  foreach @sockets;
		count_is(4, $is_asleep, 'four clients fill its pool');
		$_->close foreach @sockets;
		count_is(0, "query LIKE '%p2%' AND state = 'active'",
			"round $round leaves nothing behind");
	}
	my ($pid) = slurp_file("$dir/pid") =~ /(\d+)/;
	kill 'TERM', $pid;
}

is(crashes($node), '', 'no process has crashed');
$other->close;
$node->stop;
done_testing();
