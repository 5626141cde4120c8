
# What fails waits, the longer the more often it has, and stops nothing else; what
# fails for a passing reason is not taken for the fault of a row.

use strict;
use warnings FATAL => 'all';

use FindBin;
use lib $FindBin::RealBin;

use PostgreSQL::Test::Utils;
use ResonateTest;
use Test::More;

my @tables = ('promises', 'tasks', 'callbacks', 'messages', 'schedules');
my $node = new_cluster('main', conf => "resonate.retry_interval = '500 ms'\n");
my $session = open_session($node);
my $offset;

wait_for_worker($node);
$session->ask('LISTEN done');

sub times_out
{
	my ($id, $name) = @_;

	$session->ask("SELECT resonate.create_promise_and_callback('$id', 'cb', 'notify://done', '100 ms')");
	like($session->notification(qr/"$id"/), qr/"rejected_timedout"/, $name);
	return;
}

sub count_errors
{
	my $log = log_from($node, $offset);

	return scalar(() = $log =~ /resonate worker\s+ERROR:/g);
}

# For some seconds errors of a new worker are few: the waits are 0.5, 1, 2, 4 s, for
# each of the questions of a look and for each step.
sub check_log
{
	my ($name) = @_;

	$node->safe_psql('postgres', "SELECT pg_terminate_backend(pid)
		FROM pg_stat_activity WHERE backend_type = 'resonate worker'");
	$session->ask('SELECT pg_sleep(4)');
	cmp_ok(count_errors(), '>', 0, "$name: it is reported");
	cmp_ok(count_errors(), '<=', 200, "$name: but not all the time");
	return;
}

#
# A look that fails
#

# One table does not fit the library, as between the install of a new one and
# ALTER EXTENSION UPDATE.
$offset = -s $node->logfile;
$node->safe_psql('postgres',
	'ALTER TABLE resonate.schedules RENAME COLUMN next_run_at TO other');
times_out('beside', 'other steps go on while one cannot look');
check_log('one table');
times_out('beside too', 'and on');
$node->safe_psql('postgres',
	'ALTER TABLE resonate.schedules RENAME COLUMN other TO next_run_at');
$session->ask("SELECT resonate.create_schedule('s', '* * * * * *', 's {{.timestamp}}', '1 h')");
ok( $node->poll_query_until(
		'postgres', 'SELECT last_run_at IS NOT NULL FROM resonate.schedules'),
	'once it can look again, it does');
$session->ask("SELECT resonate.delete_schedule('s')");

# None of them does.
$offset = -s $node->logfile;
$session->ask("SELECT resonate.create_promise('due', '1 s')");
$node->safe_psql('postgres', "ALTER TABLE resonate.$_ RENAME TO other_$_")
  foreach @tables;
check_log('all tables');
$node->safe_psql('postgres', "ALTER TABLE resonate.other_$_ RENAME TO $_")
  foreach @tables;
ok( $node->poll_query_until(
		'postgres',
		"SELECT state = 'rejected_timedout' FROM resonate.promises WHERE id = 'due'"),
	'then it works again');
is($session->ask('SELECT rows_set_aside FROM resonate.stats'),
	0, 'nothing was set aside');

#
# A row that fails for want of something
#

$node->safe_psql('postgres', <<'END');
CREATE TABLE faults (id text, sqlstate text, times integer);
CREATE FUNCTION fail() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER AS $$
DECLARE fault public.faults;
BEGIN
	SELECT * INTO fault FROM public.faults f WHERE f.id OPERATOR(pg_catalog.=) OLD.id;
	IF fault.sqlstate IS NOT NULL THEN
		RAISE 'no % for %', fault.sqlstate, OLD.id USING ERRCODE = fault.sqlstate;
	END IF;
	RETURN NEW;
END$$;
CREATE TRIGGER fail BEFORE UPDATE ON resonate.promises
	FOR EACH ROW EXECUTE FUNCTION fail();
INSERT INTO faults VALUES ('memory', '53200'), ('locked', '55P03');
END
$session->ask("SELECT resonate.create_promise_and_callback(id, 'cb', 'notify://done', '100 ms') FROM unnest(ARRAY['memory', 'locked']) AS id");
times_out("with them $_", 'others are not held up') foreach (1 .. 3);
is( $session->ask(
		"SELECT string_agg(id, ' ' ORDER BY id) FROM resonate.promises WHERE state = 'pending' AND id IN ('memory', 'locked')"),
	'locked memory',
	'those two wait');
$session->ask('DELETE FROM faults');
like($session->notification(qr/"$_"/),
	qr/"rejected_timedout"/, "$_: it is done once it can be")
  foreach ('memory', 'locked');
is($session->ask('SELECT rows_set_aside FROM resonate.stats'),
	0, 'and was never set aside for a minute');

#
# Many rows that fail by their own fault
#

$offset = -s $node->logfile;
$session->ask("INSERT INTO faults SELECT 'bad ' || i, '22000' FROM generate_series(1, 2000) AS i");
$session->ask("SELECT count(*) FROM generate_series(1, 2000) AS i, resonate.create_promise('bad ' || i, '100 ms')");
times_out("besides $_", 'others are not held up by two thousand') foreach (1 .. 3);
cmp_ok($session->ask('SELECT rows_set_aside FROM resonate.stats'),
	'<=', 500, 'no more are set aside than can be compared with');
cmp_ok(count_errors(), '<=', 300, 'nor are all of them reported');
$session->ask('DELETE FROM faults');
$session->ask("SELECT count(*) FROM generate_series(1, 2000) AS i, resonate.get_promise('bad ' || i)");

#
# Rows that cannot be read, in the way of notifications and offers
#

$node->safe_psql('postgres', <<'END');
ALTER TABLE resonate.promises DISABLE TRIGGER USER;
ALTER TABLE resonate.tasks DISABLE TRIGGER USER;
INSERT INTO resonate.promises (created_at, timeout_at, settled_at, state, timer, external, targeted, id, tags)
	VALUES (0, 10, 20, 'resolved', false, true, true, 'unreadable', '{}');
INSERT INTO resonate.tasks (clock_at, timeout_at, version, resumes, setbacks, state, id, address)
	VALUES (0, 4000000000000, -1, 0, 0, 'pending', 'unreadable task', 'notify://done');
ALTER TABLE resonate.promises ENABLE TRIGGER USER;
ALTER TABLE resonate.tasks ENABLE TRIGGER USER;
INSERT INTO resonate.messages (created_at, due_at, attempt, kind, promise_id, callback_id, address)
	VALUES (0, 0, 0, 'callback', 'unreadable', 'cb', 'notify://done');
END
times_out('readable', 'another notification is sent');
$session->ask(q{SELECT resonate.create_promise('readable task', '1 h', tags => '{"resonate:target": "notify://done"}')});
like($session->notification(qr/"readable task"/),
	qr/"execute"/, 'and another task is offered');
ok( $node->poll_query_until(
		'postgres', 'SELECT rows_set_aside >= 2 FROM resonate.stats'),
	'those two are set aside');
$node->safe_psql('postgres', <<'END');
DELETE FROM resonate.messages WHERE promise_id = 'unreadable';
DELETE FROM resonate.promises WHERE id = 'unreadable';
DELETE FROM resonate.tasks WHERE id = 'unreadable task';
END

#
# Promises to which tables of others refer
#

$node->safe_psql('postgres', <<'END');
SET resonate.debug = on;
SET resonate.test_clock = '1000';
SELECT resonate.create_promise('history ' || i, '1 s') FROM generate_series(1, 30) i;
SELECT resonate.resolve('history ' || i) FROM generate_series(1, 30) i;
CREATE TABLE of_a_user (id text REFERENCES resonate.promises);
CREATE TABLE of_another (id text REFERENCES resonate.promises DEFERRABLE INITIALLY DEFERRED);
INSERT INTO of_a_user VALUES ('history 3');
INSERT INTO of_another VALUES ('history 17');
END
$offset = -s $node->logfile;
$node->reload;
ok( $node->poll_query_until(
		'postgres', "SELECT count(*) <= 2 FROM resonate.promises
		 WHERE id LIKE 'history %'"),
	'pruning passes over promises that tables of others refer to');
is( $session->ask(
		"SELECT string_agg(id, ', ' ORDER BY id) FROM resonate.promises WHERE id LIKE 'history %'"),
	'history 17, history 3',
	'and leaves these alone');
is($session->ask('SELECT promises_pruned FROM resonate.stats'),
	28, 'the statistics count the others');
is(count_errors(), 0, 'the log has no error');

# A table that refers to promises is locked as a whole: to find that out for each
# of a thousand promises would take twenty seconds.
sub tries_to_delete
{
	return $node->safe_psql('postgres', <<'END');
SELECT n_tup_del FROM pg_stat_all_tables WHERE relid = 'resonate.promises'::regclass
END
}

my $holder = open_session($node);
my $tried = tries_to_delete();

$node->append_conf('postgresql.conf', 'resonate.retention = -1');
$node->reload;
ok( $node->poll_query_until(
		'postgres',
		q(SELECT setting = '-1' FROM pg_settings WHERE name = 'resonate.retention')
	),
	'nothing is pruned before that');
$holder->ask('BEGIN');
$holder->ask('LOCK TABLE of_a_user');
is($holder->{error}, '', 'somebody locks such a table');
$node->safe_psql('postgres', <<'END');
SET resonate.debug = on;
SET resonate.test_clock = '1000';
SELECT count(resonate.create_promise('much ' || i, '1 s')) FROM generate_series(1, 1000) i;
SELECT count(resonate.resolve('much ' || i)) FROM generate_series(1, 1000) i;
END
$node->append_conf('postgresql.conf', "resonate.retention = '1 h'");
$node->reload;
ok( $node->poll_query_until('postgres', <<"END"), 'pruning tries all together');
SELECT n_tup_del >= $tried + 1000 FROM pg_stat_all_tables
WHERE relid = 'resonate.promises'::regclass
END
cmp_ok(tries_to_delete() - $tried,
	'<', 1500, 'and few of them one by one');
$holder->ask('COMMIT');
$holder->close;
$session->ask("SELECT resonate.prune(now() - interval '1 hour')");
ok( $node->poll_query_until(
		'postgres', "SELECT count(*) = 0 FROM resonate.promises WHERE id LIKE 'much %'"),
	'all go once they can');
$node->safe_psql('postgres', 'DROP TABLE of_a_user, of_another');
is( $session->ask(
		"SELECT resonate.prune(now() - interval '1 hour')"),
	2,
	'they go once nobody refers to them');

#
# What is told counts when it is
#

my $channel = $session->ask("SELECT resonate.outbox_channel('poll://any\@told')");

$session->ask(qq{LISTEN "$channel"});
$node->safe_psql('postgres', <<'END');
CREATE SEQUENCE failures;
CREATE FUNCTION fail_at_commit() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER AS $$
BEGIN
	IF nextval('public.failures') = 1 THEN
		RAISE 'the queue is full' USING ERRCODE = '53000';
	END IF;
	RETURN NULL;
END$$;
CREATE CONSTRAINT TRIGGER fail_at_commit AFTER UPDATE ON resonate.tasks
	DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION fail_at_commit();
END

my $sent = $session->ask('SELECT notifications_sent FROM resonate.stats');

# Without a handover, so that both are found as rows by one step.
$session->ask(<<'END');
DO $$BEGIN
	PERFORM resonate.create_promise('told 1', '1 h', tags => '{"resonate:target": "notify://done"}');
	BEGIN
		PERFORM resonate.create_promise('told 2', '1 h', tags => '{"resonate:target": "poll://any@told"}');
	EXCEPTION WHEN division_by_zero THEN NULL;
	END;
END$$
END
is($session->{error}, '', 'two tasks');
like($session->notification(qr/"told 1"/),
	qr/"execute"/, 'what could not be sent is sent again');
is($session->notification(qr/^execute$/),
	'execute', 'and who could not be told is told');
cmp_ok($session->ask("SELECT last_value FROM failures"),
	'>', 1, 'the first commit has failed');
is($session->ask('SELECT notifications_sent FROM resonate.stats') - $sent,
	2, 'what was sent is counted');

$session->ask('DROP TRIGGER fail ON resonate.promises; DROP TRIGGER fail_at_commit ON resonate.tasks');

#
# A database whose sessions end with their first error
#

my $worker = worker_pid($node);

$node->safe_psql('postgres',
	'ALTER DATABASE postgres SET exit_on_error = on');
$node->safe_psql('postgres', "SELECT pg_terminate_backend($worker)");
$worker = wait_for_worker($node, 'postgres', $worker);
times_out('no error', 'a new worker keeps a deadline');
$session->ask("SELECT resonate.create_promise_and_callback('error', 'cb', 'notify://done', '500 ms')");
$session->ask('BEGIN');
$session->ask('LOCK TABLE resonate.promises');
$session->ask('SELECT pg_sleep(1)');
$session->ask('COMMIT');
isnt($session->notification(qr/"error"/),
	undef, 'and one that it could not keep at first');
is(worker_pid($node), $worker, 'it has outlived that error');
$node->safe_psql('postgres', 'ALTER DATABASE postgres RESET exit_on_error');
$session->close;
is(crashes($node), '', 'no process has crashed');
invariants_hold($node);
$node->stop;
done_testing();
