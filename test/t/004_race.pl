
# Many sessions at one promise, a session at tasks that another creates, and many
# promises at one instant.

use strict;
use warnings FATAL => 'all';

use FindBin;
use lib $FindBin::RealBin;

use PostgreSQL::Test::Utils;
use ResonateTest;
use Test::More;
use Time::HiRes qw(time usleep);

my $sessions = 50;
my $node = new_cluster('main');

is($node->safe_psql('postgres', 'SHOW max_locks_per_transaction'),
	64, 'lock settings are the default ones');
$node->safe_psql('postgres',
	'CREATE TABLE answers (race text, status int, state text, value text)');

# Has 50 sessions run a statement at the same moment; they wait for a lock
# that we hold until all have come.
sub race
{
	my ($name, $sql) = @_;
	my $file = PostgreSQL::Test::Utils::tempdir . "/$name.sql";
	my $gate = open_session($node);
	my ($out, $err) = ('', '');

	append_to_file($file, <<"END");
SELECT pg_advisory_lock_shared(1);
INSERT INTO answers SELECT '$name', r.status, r.state, r.value FROM $sql r;
END
	$gate->ask('SELECT pg_advisory_lock(1)');

	my $run = IPC::Run::start(
		[
			'pgbench', '-n', '-c', $sessions,
			'-j', 2, '-t', 1,
			'-f', $file, '-h', $node->host,
			'-p', $node->port, 'postgres'
		],
		'<' => \undef,
		'>' => \$out,
		'2>' => \$err,
		IPC::Run::timeout($PostgreSQL::Test::Utils::timeout_default));
	ok( $node->poll_query_until(
			'postgres',
			"SELECT count(*) FROM pg_locks
			 WHERE locktype = 'advisory' AND NOT granted", $sessions),
		"$name: $sessions sessions wait for the start");
	$gate->ask('SELECT pg_advisory_unlock(1)');
	$gate->close;
	ok($run->finish, "$name: all of them are answered") or diag($err);
	return;
}

sub answers
{
	my ($name) = @_;

	return $node->safe_psql(
		'postgres',
		"SELECT status, count(*) FROM answers WHERE race = '$name'
		 GROUP BY 1 ORDER BY 1");
}

#
# One promise
#

$node->safe_psql('postgres', "SELECT resonate.create_promise('one', '1 h')");
race('settle', "resonate.resolve('one', to_jsonb(:client_id))");
is(answers('settle'), "2010|1\n4030|49",
	'one of 50 resolves the promise, 49 come too late');
is( $node->safe_psql('postgres', <<'END'),
SELECT count(DISTINCT a.value), min(a.value) = g.value::text, min(a.state)
FROM answers a, resonate.get_promise('one') g WHERE race = 'settle' GROUP BY g.value
END
	'1|t|resolved',
	'all 50 read the same value, which is the one stored');

$node->safe_psql('postgres',
	"SELECT resonate.create_promise('mixed', '1 h')");
race('mixed', <<'END' =~ s/\s+/ /gr);
(SELECT * FROM resonate.resolve('mixed', to_jsonb(:client_id))
	WHERE :client_id % 3 = 0
 UNION ALL
 SELECT * FROM resonate.reject('mixed', to_jsonb(:client_id))
	WHERE :client_id % 3 = 1
 UNION ALL
 SELECT * FROM resonate.cancel('mixed', to_jsonb(:client_id))
	WHERE :client_id % 3 = 2)
END
is( $node->safe_psql('postgres', <<'END'),
SELECT count(*) FILTER (WHERE status = 2010), count(*) FILTER (WHERE status <> 2010),
	   count(DISTINCT (a.state, a.value)),
	   bool_and(status IN (2010, CASE a.state WHEN 'resolved' THEN 4030
							WHEN 'rejected' THEN 4031 ELSE 4032 END))
FROM answers a WHERE race = 'mixed'
END
	'1|49|1|t',
	'one of 50 resolves, rejects or cancels; all see the same outcome');

$node->safe_psql('postgres',
	"SELECT resonate.create_promise('keyed', '1 h')");
race('keyed',
	"resonate.resolve('keyed', to_jsonb(:client_id), idempotency_key => 'k')"
);
is(answers('keyed'), "2000|49\n2010|1",
	'with one idempotency key, one resolves and 49 are told so');

race('create',
	"resonate.create_promise('new', '1 h', param => to_jsonb(:client_id))");
is(answers('create'), "2010|1\n4090|49", 'one of 50 creates the promise');

race('create_keyed',
	"resonate.create_promise('new keyed', '1 h', idempotency_key => 'k')");
is(answers('create_keyed'),
	"2000|49\n2010|1", 'with one key, one creates it and 49 are told so');

race('both',
	"resonate.create_promise_and_callback('both', 'cb' || :client_id, 'poll://any\@g', '1 h')"
);
is(answers('both'), "2010|1\n4090|49", 'one of 50 creates with a callback');
is( $node->safe_psql(
		'postgres',
		"SELECT count(*) FROM resonate.callbacks WHERE promise_id = 'both'"),
	1,
	'and only that one leaves its callback');

# 50 sessions find a promise past its deadline, and so does the worker.
$node->safe_psql('postgres',
	"SELECT resonate.create_promise_and_callback('late', 'cb', 'poll://any\@late', '1 s')"
);
race('late',
	"(SELECT t.* FROM pg_sleep(1) s, LATERAL resonate.resolve(left('late' || s, 4), '1') t)"
);
is(answers('late'), '2000|50', 'nobody resolves a promise past its deadline');
is( $node->safe_psql('postgres', <<'END'),
SELECT count(DISTINCT state), min(state), count(value),
	   (SELECT count(*) FROM resonate.messages WHERE promise_id = 'late')
FROM answers WHERE race = 'late'
END
	'1|rejected_timedout|0|1',
	'all see it timed out, and its callback fires once');

#
# Tasks that are just being created
#

# Looks for each of n tasks, over and over, while another session creates them one
# by one.  Counts what the calls say that find the task at last: all others must
# say that there is none.
sub find_newborn
{
	my ($name, $n, $create, $look) = @_;
	my $creator = open_session($node);
	my $seeker = open_session($node);

	$node->safe_psql('postgres', <<"END");
CREATE PROCEDURE create_$name(n int) LANGUAGE plpgsql AS \$\$
BEGIN
	FOR i IN 1 .. n LOOP
		PERFORM $create;
		COMMIT;
		PERFORM pg_sleep(0.001);
	END LOOP;
END \$\$;
CREATE PROCEDURE find_$name(n int) LANGUAGE plpgsql AS \$\$
DECLARE answer record;
BEGIN
	FOR i IN 1 .. n LOOP
		LOOP
			SELECT * INTO answer FROM $look;
			COMMIT;
			EXIT WHEN answer.status <> 4040;
		END LOOP;
		INSERT INTO answers VALUES ('$name', answer.status);
	END LOOP;
END \$\$;
END
	$seeker->send("CALL find_$name($n)");
	$creator->ask("CALL create_$name($n)");
	is($creator->{error}, '', "$name: the tasks are created");
	$seeker->answer;
	is($seeker->{error}, '', "$name: the tasks are found");
	is(answers($name), "2000|$n",
		"$name: a task is not there, or it is, and nothing in between");
	$_->close for $creator, $seeker;
	return;
}

find_newborn(
	'acquire', 1000,
	q[resonate.create_promise('acquire' || i, '1 h', tags => '{"resonate:target": "poll://any@g"}')],
	q[resonate.acquire_task('acquire' || i, 0, 'w', '1 h')]);
find_newborn(
	'fence', 1000,
	q[resonate.create_promise_and_task('fence' || i, 'w', '1 h', '1 h',
		tags => '{"resonate:target": "poll://any@g"}')],
	q[resonate.fence_task('fence' || i, 1, 'settle', '{"id": "nobody", "state": "resolved"}')]);

#
# Many promises
#

# Has the worker settle n promises that are due at one instant.
sub crowd
{
	my ($name, $n) = @_;
	my $offset = -s $node->logfile;
	my $session = open_session($node);

	# All of them in one transaction that ends after the instant.
	$session->ask('BEGIN');
	is( $session->ask(<<"END"),
SELECT status, count(*) FROM resonate.create_promises((
	SELECT jsonb_agg(jsonb_build_object('id', '$name' || i, 'timeout_at',
		(extract(epoch FROM now()) * 1000)::bigint + 1000 * greatest(2, $n / 20000)))
	FROM generate_series(1, $n) i)) GROUP BY 1
END
		"2010|$n",
		"$name: they are created in one call");
	my $due = $session->ask(
		"SELECT max(timeout_at) / 1000.0 FROM resonate.promises WHERE id LIKE '$name%'"
	);
	$session->ask(
		"SELECT pg_sleep(greatest(0, $due - extract(epoch FROM clock_timestamp())))"
	);

	my $start = time;
	$session->ask('COMMIT');
	ok( $node->poll_query_until(
			'postgres',
			"SELECT NOT EXISTS (SELECT FROM resonate.promises
			 WHERE state = 'pending' AND id LIKE '$name%')"),
		"$name: the worker settles them all");
	diag(
		sprintf(
			"%s: %d promises settled by the worker %.1f s after they were due",
			$name, $n, time - $start));
	is( $session->ask(
			"SELECT state, settled_at = timeout_at, count(*) FROM resonate.promises
			 WHERE id LIKE '$name%' GROUP BY 1, 2"),
		"rejected_timedout|t|$n",
		"$name: each at its deadline");
	unlike(
		log_from($node, $offset),
		qr/ERROR|FATAL|out of shared memory/,
		"$name: without an error");
	$session->close;
	return;
}

wait_for_worker($node);
crowd('many', 20_000);
crowd('more', 100_000);

invariants_hold($node);
$node->stop;
done_testing();
