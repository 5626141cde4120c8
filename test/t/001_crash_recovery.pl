
# The server is stopped in immediate mode under load, three times.  Whatever a
# client was told is committed must be there, what it rolled back must not, and
# what was due meanwhile must be made up for.

use strict;
use warnings FATAL => 'all';

use FindBin;
use lib $FindBin::RealBin;

use IPC::Run;
use PostgreSQL::Test::Utils;
use ResonateTest;
use Test::More;
use Time::HiRes qw(time usleep);

my $rounds = 3;
my $clients = 4;

my $node = new_cluster('main');
$node->safe_psql('postgres',
	'CREATE TABLE told (round int, id text, what text)');

# What a client does with one promise.  It says "doing" before and "done" after
# each commit, so what was under way at the stop is known as well.
sub life
{
	my ($id, $i) = @_;
	my $kind = $i % 6;
	my $script = '';

	my $step = sub {
		my ($what, $end, @statements) = @_;

		$script .= "\\echo doing $id $what\n" if $end eq 'COMMIT';
		$script .= join("\n",
			'BEGIN;', (map { "SELECT $_;" } @statements),
			"$end;", '');
		$script .= "\\echo done $id $what\n";
	};
	my $created = sub {
		my ($timeout) = @_;
		return ("resonate.create_promise('$id', '$timeout')",
			"resonate.create_callback('$id', 'cb', 'poll://any\@load')");
	};

	if ($kind == 0)
	{
		$step->('rolled_back', 'ROLLBACK', $created->('1 hour'));
	}
	elsif ($kind == 1)
	{
		$step->('created', 'COMMIT', $created->('200 ms'));
	}
	elsif ($kind == 2)
	{
		$step->('created', 'COMMIT', $created->('1 hour'));
		$step->('unsettled', 'ROLLBACK', "resonate.reject('$id', '\"no\"')");
	}
	elsif ($kind == 3)
	{
		$step->('created', 'COMMIT', $created->('1 hour'));
		$step->(
			'rejected_canceled', 'COMMIT', "resonate.cancel('$id', '\"$id\"')"
		);
	}
	else
	{
		$step->('created', 'COMMIT', $created->('1 hour'));
		$step->('resolved', 'COMMIT', "resonate.resolve('$id', '\"$id\"')");
		$step->(
			'acknowledged', 'COMMIT',
			"count(*) FROM resonate.receive('poll://any\@load', 2, '0')",
			"resonate.acknowledge('$id', 'cb')") if $kind == 5;
	}
	return $script;
}

sub client_script
{
	my ($round, $client) = @_;

	return join('', map { life("$round/$client/$_", $_) } 1 .. 20000);
}

sub start_client
{
	my ($round, $client) = @_;
	my $file = PostgreSQL::Test::Utils::tempdir . "/load_$round.$client.sql";
	my $h = { out => '', err => '' };

	append_to_file($file, client_script($round, $client));
	$h->{run} = IPC::Run::start(
		[
			'psql', '-XAtq',
			'-v', 'ON_ERROR_STOP=1',
			'-d', $node->connstr('postgres'),
			'-f', $file
		],
		'<' => \undef,
		'>' => \$h->{out},
		'2>' => \$h->{err},
		IPC::Run::timeout($PostgreSQL::Test::Utils::timeout_default));
	return $h;
}

sub done_by
{
	my ($h) = @_;
	my $n = () = $h->{out} =~ /^done /mg;

	return $n;
}

# Loads what the clients of a round were told.
sub store_told
{
	my ($round, @handles) = @_;
	my $rows = '';

	for my $h (@handles)
	{
		my %doing;

		for my $line (split /\n/, $h->{out})
		{
			next unless $line =~ m/^(doing|done) (\S+) (\S+)$/;
			$rows .= "$round\t$2\t$3\n" if $1 eq 'done';
			$doing{"$round\t$2\t"} = $3 if $1 eq 'doing';
			delete $doing{"$round\t$2\t"} if $1 eq 'done';
		}
		$rows .= "${_}unknown\n" foreach keys %doing;
	}
	$node->safe_psql('postgres', "COPY told FROM stdin;\n$rows\\.\n");
	return;
}

sub none
{
	my ($sql, $name) = @_;

	return is($node->safe_psql('postgres', "SELECT * FROM ($sql) q LIMIT 5"),
		'', $name);
}

for my $round (1 .. $rounds)
{
	my @handles = map { start_client($round, $_) } 1 .. $clients;
	my $until = time + $PostgreSQL::Test::Utils::timeout_default;
	my $is_loaded = 0;

	# Every client must be under way; a little later, in the middle of it.
	while (!$is_loaded && time < $until)
	{
		$_->{run}->pump_nb foreach @handles;
		$is_loaded = !grep { done_by($_) < 300 * $round } @handles;
		usleep(10_000);
	}
	ok($is_loaded, "round $round: the load is running");
	$node->stop('immediate');
	$_->{run}->finish foreach @handles;
	my $cut_off =
	  grep { $_->{err} =~ /server closed the connection|connection to server was lost|could not (?:receive|send) data|terminating/ }
	  @handles;

	is($cut_off, $clients, "round $round: each client was cut off");

	$node->start;
	store_told($round, @handles);
	ok( $node->poll_query_until(
			'postgres', 'SELECT due = 0 FROM resonate.stats'),
		"round $round: what is due gets settled");
	diag(
		"round $round: " . $node->safe_psql(
			'postgres',
			"SELECT string_agg(what || ' ' || n, ', ' ORDER BY what)
			 FROM (SELECT what, count(*) AS n FROM told
				   WHERE round = $round GROUP BY what) c"));

	none(
		"SELECT t.* FROM told t LEFT JOIN resonate.promises p USING (id)
		 WHERE t.what = 'created' AND p.id IS NULL",
		"round $round: every promise that was created is there");
	none(
		"SELECT t.*, p.state FROM told t LEFT JOIN resonate.promises p USING (id)
		 WHERE t.what IN ('resolved', 'rejected_canceled')
		 AND (p.state::text IS DISTINCT FROM t.what OR
			  convert_from(p.value_data, 'UTF8') IS DISTINCT FROM
			  to_json(t.id)::text)",
		"round $round: every settlement is there, with its value");
	none(
		"SELECT t.* FROM told t JOIN resonate.promises p USING (id)
		 WHERE t.what = 'rolled_back'",
		"round $round: no promise that was rolled back is there");
	none(
		"SELECT t.*, p.state FROM told t JOIN resonate.promises p USING (id)
		 WHERE t.what = 'unsettled' AND p.state <> 'pending'",
		"round $round: no settlement that was rolled back is there");
	none(
		"SELECT p.id, p.state FROM resonate.promises p
		 WHERE p.timeout_at - p.created_at = 200
		 AND (p.state <> 'rejected_timedout' OR p.settled_at <> p.timeout_at)",
		"round $round: every short promise has timed out");
	none(
		"SELECT p.id, p.state FROM resonate.promises p
		 WHERE p.state = 'pending' AND NOT EXISTS
		 (SELECT FROM resonate.callbacks c WHERE c.promise_id = p.id)",
		"round $round: every pending promise has its callback");
	none(
		"SELECT c.promise_id FROM resonate.callbacks c
		 LEFT JOIN resonate.promises p ON p.id = c.promise_id
		 WHERE p.state IS DISTINCT FROM 'pending'",
		"round $round: no settled promise has a callback");
	none(
		"SELECT p.id, p.state FROM resonate.promises p
		 WHERE p.state <> 'pending'
		 AND NOT EXISTS (SELECT FROM resonate.messages m
						 WHERE m.promise_id = p.id)
		 AND NOT EXISTS (SELECT FROM told t WHERE t.id = p.id AND
						 t.what IN ('acknowledged', 'unknown'))",
		"round $round: every settlement is a message, or was acknowledged");
	none(
		"SELECT t.* FROM told t JOIN resonate.messages m ON m.promise_id = t.id
		 WHERE t.what = 'acknowledged'",
		"round $round: no message that was acknowledged is there");
	none(
		"SELECT m.promise_id FROM resonate.messages m
		 LEFT JOIN resonate.promises p ON p.id = m.promise_id
		 WHERE p.state IS NULL OR p.state = 'pending'",
		"round $round: no message is about a promise that is not settled");
}

# Messages that were taken and never acknowledged come back after the crash.
my $left =
  $node->safe_psql('postgres', 'SELECT count(*) FROM resonate.messages');
my $received = 0;
my $n;

do
{
	$n = $node->safe_psql(
		'postgres',
		"SELECT count(*)
		 FROM resonate.receive('poll://any\@load', 1000, '1 hour')");
	$received += $n;
} while ($n > 0);
cmp_ok($left, '>', 0, 'there are messages left');
is($received, $left, 'each of them can be received');

invariants_hold($node);
$node->stop;
done_testing();
