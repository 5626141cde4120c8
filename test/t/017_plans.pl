
# What an operation reads does not depend on what else there is: nor on what there
# was when its plans were made, which are kept.  Rows and index entries are counted,
# with tables as the SDKs fill them.

use strict;
use warnings FATAL => 'all';

use FindBin;
use lib $FindBin::RealBin;

use ResonateTest;
use Test::More;

use constant WORKFLOWS => 4000;
use constant STEPS => 20_000;

# An operation may read that much.  It finds a few rows, and passes over those that
# are dead and others that are due.
use constant READS_MAX => 120;

# What takes a task may be sent a hundred steps, and looks at four entries for each.
use constant BRANCH_READS_MAX => 600;

# One part of pruning looks at a thousand entries: to find where it ends, at them, and
# at what holds them.  One part of reconciling looks at a thousand entries of each of
# three tables, and at their promises.
use constant STEP_READS_MAX => 25_000;

my $node = new_cluster('main', conf => <<'END');
resonate.retention = -1
END

$node->safe_psql('postgres', <<'END');
CREATE FUNCTION rpc(kind text, data jsonb) RETURNS text LANGUAGE sql AS $$
	SELECT (resonate.resonate_rpc(jsonb_build_object('kind', kind, 'data', data,
		'head', jsonb_build_object('corrId', 'c', 'version', '2026-04-01'))))
		#>> '{head,status}'
$$;

-- As an SDK tags a promise: one with a target, or a step of the branch.
CREATE FUNCTION sdk_tags(root text, id text, has_target boolean) RETURNS jsonb
IMMUTABLE LANGUAGE sql AS $$
	SELECT jsonb_build_object('resonate:origin', root, 'resonate:prefix', root,
		'resonate:parent', root) || CASE WHEN has_target
		THEN jsonb_build_object('resonate:scope', 'global', 'resonate:branch', id,
			'resonate:target', 'poll://any@default')
		ELSE jsonb_build_object('resonate:scope', 'local', 'resonate:branch', root)
		END
$$;

CREATE FUNCTION creation(root text, id text, has_target boolean) RETURNS jsonb
LANGUAGE sql AS $$
	SELECT jsonb_build_object('kind', 'promise.create', 'head', '{}'::jsonb, 'data',
		jsonb_build_object('id', id, 'timeoutAt', 9000000000000, 'param',
			'{}'::jsonb, 'tags', sdk_tags(root, id, has_target)))
$$;

CREATE FUNCTION settlement(id text) RETURNS jsonb LANGUAGE sql AS $$
	SELECT jsonb_build_object('kind', 'promise.settle', 'head', '{}'::jsonb, 'data',
		jsonb_build_object('id', id, 'state', 'resolved', 'value', '{}'::jsonb))
$$;

-- Index entries, and rows with and without an index, that this transaction and those
-- whose counters are still pending have read.
CREATE FUNCTION reads() RETURNS bigint LANGUAGE sql AS $$
	SELECT sum(pg_stat_get_xact_tuples_returned(oid) +
			   CASE relkind WHEN 'r' THEN pg_stat_get_xact_tuples_fetched(oid)
			   ELSE 0 END)
	FROM pg_class WHERE relnamespace = 'resonate'::regnamespace
		AND relkind IN ('r', 'i')
$$;

-- Settled workflows of ten promises, one in twenty of them under way, and one that
-- has very many steps and awaits as many promises, each of which has a callback.
CREATE PROCEDURE fill(workflows int, steps int) LANGUAGE sql AS $$
	INSERT INTO resonate.promises (created_at, timeout_at, settled_at, state, timer,
		external, targeted, task_version, id, tags)
	SELECT 1700000000000 + w, 9000000000000,
		CASE WHEN w % 20 > 0 THEN 1700000001000 + w END,
		CASE WHEN w % 20 > 0 THEN 'resolved' ELSE 'pending' END::resonate.promise_state,
		false, s IN (0, 9), s IN (0, 9),
		CASE WHEN s IN (0, 9) AND w % 20 > 0 THEN 1 END,
		root || CASE s WHEN 0 THEN '' ELSE '.' || s END,
		sdk_tags(root, root || CASE s WHEN 0 THEN '' ELSE '.' || s END, s IN (0, 9))
	FROM generate_series(1, workflows) w, generate_series(0, 9) s,
		LATERAL (SELECT 'flow-' || w) AS r (root);

	INSERT INTO resonate.promises (created_at, timeout_at, settled_at, state, timer,
		external, targeted, id, tags)
	SELECT 1700000000000, 9000000000000, 1700000001000, 'resolved', false, false, false,
		'flow-20.' || s, sdk_tags('flow-20', 'flow-20.' || s, false)
	FROM generate_series(10, steps) s;

	INSERT INTO resonate.tasks (clock_at, timeout_at, version, resumes, setbacks,
		state, id, address)
	SELECT 8000000000000, timeout_at, 0, 0, 0, 'pending', id, 'poll://any@default'
	FROM resonate.promises
	WHERE targeted AND state = 'pending' AND id LIKE 'flow-%';

	INSERT INTO resonate.promises (created_at, timeout_at, state, timer, external,
		targeted, id, tags)
	SELECT 1700000000000, 9000000000000, 'pending', false, true, false,
		'awaited ' || s, '{"resonate:external": "true"}'
	FROM generate_series(1, steps) s;

	INSERT INTO resonate.awaiters (awaited_id, awaiter_id)
	SELECT 'awaited ' || s, 'flow-20' FROM generate_series(1, steps) s;

	INSERT INTO resonate.callbacks (created_at, kind, promise_id, callback_id, address)
	SELECT 1700000000000, 'callback', 'awaited ' || s, 'cb', 'poll://any@nobody'
	FROM generate_series(1, steps) s;
$$;
END

# The operations, in an order in which each finds what it is for.  In them, ROOT is
# a new id.
my @operations = (
	[ 'task.create', <<'END' ],
rpc('task.create', jsonb_build_object('pid', 'w', 'ttl', 60000, 'action',
	creation('ROOT', 'ROOT', true)))
END
	[ 'task.fence that creates a step', <<'END' ],
rpc('task.fence', jsonb_build_object('id', 'ROOT', 'version', 1, 'action',
	creation('ROOT', 'ROOT.1', false)))
END
	[ 'task.fence that settles it', <<'END' ],
rpc('task.fence', jsonb_build_object('id', 'ROOT', 'version', 1, 'action',
	settlement('ROOT.1')))
END
	[ 'task.fence that creates a child', <<'END' ],
rpc('task.fence', jsonb_build_object('id', 'ROOT', 'version', 1, 'action',
	creation('ROOT', 'ROOT.2', true)))
END
	[ 'task.suspend', <<'END' ],
rpc('task.suspend', jsonb_build_object('id', 'ROOT', 'version', 1, 'actions',
	jsonb_build_array(jsonb_build_object('kind', 'promise.register_callback',
		'head', '{}'::jsonb, 'data',
		jsonb_build_object('awaiter', 'ROOT', 'awaited', 'ROOT.2')))))
END
	[ 'dequeue_execute', <<'END' ],
(SELECT '200' FROM resonate.dequeue_execute('poll://any@default', 1))
END
	[ 'typed acquire_task', <<'END' ],
(SELECT status / 10 FROM resonate.acquire_task('ROOT.2', 0, 'w', '1 min'))::text
END
	[ 'typed fence_task', <<'END' ],
(SELECT status / 10 FROM resonate.fence_task('ROOT.2', 1, 'create',
	jsonb_build_object('id', 'ROOT.2.1', 'timeout', '1 day', 'tags',
		sdk_tags('ROOT.2', 'ROOT.2.1', false))))::text
END
	[ 'promise.register_listener', <<'END' ],
rpc('promise.register_listener',
	jsonb_build_object('awaited', 'ROOT.2', 'address', 'poll://any@clients'))
END
	[ 'task.heartbeat', <<'END' ],
rpc('task.heartbeat', jsonb_build_object('pid', 'w', 'tasks',
	jsonb_build_array(jsonb_build_object('id', 'ROOT.2', 'version', 1))))
END
	[ 'task.heartbeat of all', <<'END' ],
rpc('task.heartbeat', '{"pid": "w", "tasks": []}')
END
	[ 'typed fulfill_task', <<'END' ],
(SELECT status / 10 FROM resonate.fulfill_task('ROOT.2', 1))::text
END
	[ 'task.acquire', <<'END' ],
rpc('task.acquire', jsonb_build_object('id', 'ROOT', 'version', 1, 'pid', 'w',
	'ttl', 60000))
END
	[ 'task.get', q(rpc('task.get', '{"id": "ROOT"}')) ],
	[ 'promise.get', q(rpc('promise.get', '{"id": "ROOT.2"}')) ],
	[ 'task.release', q(rpc('task.release', '{"id": "ROOT", "version": 2}')) ],
	[ 'typed create_promise', <<'END' ],
(SELECT '200' FROM resonate.create_promise('ROOT typed', '1 day'))
END
	[ 'typed create_callback', <<'END' ],
(SELECT '200' FROM resonate.create_callback('ROOT typed', 'cb', 'poll://any@typed'))
END
	[ 'typed resolve', q[(SELECT '200' FROM resonate.resolve('ROOT typed'))] ],
	[ 'typed receive', q[(SELECT '200' FROM resonate.receive('poll://any@typed', 1))] ],
	[ 'typed acknowledge', <<'END' ],
(SELECT '200' WHERE resonate.acknowledge('ROOT typed', 'cb') IS NOT NULL)
END
	[ 'dequeue_unblock', <<'END' ],
(SELECT DISTINCT '200' FROM resonate.dequeue_unblock('poll://any@clients', 10))
END
	[ 'search by origin', <<'END' ],
rpc('promise.search', '{"tags": {"resonate:origin": "ROOT"}, "limit": 10}')
END
	[ 'process_timeouts', q[(SELECT '200' FROM resonate.process_timeouts())] ],
	[ 'a background step', q[(SELECT '200' FROM resonate.worker_step())] ],
	[
		'pruning', q[(SELECT '200' FROM resonate.prune('1970-01-01 00:00:01+00'))]
	]);

my $rounds = 0;

# What an operation has read, and its status.
sub cost_of
{
	my ($session, $sql) = @_;
	my ($before, $status, $after);

	$session->ask('BEGIN');
	$before = $session->ask('SELECT reads()');
	$status = $session->ask("SELECT $sql");
	$after = $session->ask('SELECT reads()');
	$session->ask('COMMIT');
	return ($after - $before, $status);
}

# Runs all operations in a session; the test is that none reads much.
sub all_read_little
{
	my ($session, $name) = @_;
	my $root = 'root ' . ++$rounds;
	my @faults;

	foreach my $operation (@operations)
	{
		my ($title, $sql) = @$operation;

		$sql =~ s/ROOT/$root/g;
		my ($reads, $status) = cost_of($session, $sql);

		push @faults, "$title: $reads rows and entries"
		  if $reads > READS_MAX;
		push @faults, "$title: status $status" if $status ne '200';
	}
	is("@faults", '', "every operation reads little: $name");
	return;
}

wait_for_worker($node);

# Sessions keep the plans that they make: with tables that never had a row, that were
# vacuumed when they were empty, and that had only rows of another kind.
my %sessions = ('plans of new tables' => open_session($node));

all_read_little($sessions{'plans of new tables'}, 'new tables');
$node->safe_psql('postgres',
	'SET resonate.debug = on; SELECT rpc(\'debug.reset\', \'{}\')');
$node->safe_psql('postgres',
	"VACUUM ANALYZE resonate.$_") for qw(promises tasks callbacks messages awaiters);
$sessions{'plans of empty tables'} = open_session($node);
all_read_little($sessions{'plans of empty tables'}, 'empty tables');

$node->safe_psql('postgres', <<'END');
SELECT count((resonate.create_promise('other ' || i, '1 day')).status)
FROM generate_series(1, 2000) i;
VACUUM ANALYZE resonate.promises;
END
$sessions{'plans of other rows'} = open_session($node);
all_read_little($sessions{'plans of other rows'}, 'other rows');

$node->safe_psql('postgres', "CALL fill(@{[WORKFLOWS]}, @{[STEPS]})");
all_read_little($sessions{$_}, "full tables, $_") for sort keys %sessions;

my ($reads, $status) = cost_of($sessions{'plans of empty tables'}, <<'END');
rpc('task.acquire', '{"id": "flow-20", "version": 0, "pid": "w", "ttl": 60000}')
END
is($status, '200', 'a task of a branch with very many steps is taken');
cmp_ok($reads, '<=', BRANCH_READS_MAX, 'which looks at a hundred or so');

# The index on tags has a list of what is not yet sorted in; search is not of it.
$node->safe_psql('postgres', 'VACUUM ANALYZE resonate.promises, resonate.tasks');
$sessions{'plans of full tables'} = open_session($node);
all_read_little($sessions{$_}, "analyzed tables, $_")
  for sort keys %sessions;

# Sets how long history is kept, as the session sees it and perhaps the worker.
sub set_retention
{
	my ($session, $retention) = @_;

	$node->adjust_conf('postgresql.conf', 'resonate.retention', $retention);
	$node->reload;
	until ($session->ask('SHOW resonate.retention') eq $retention) { }
	return;
}

# Pruning: very many old promises that cannot go, since their root is pending, then
# some that can.
my $session = $sessions{'plans of new tables'};

sub add_history
{
	my ($name, $n, $created_at, $tags) = @_;

	$node->safe_psql('postgres', <<"END");
INSERT INTO resonate.promises (created_at, timeout_at, settled_at, state, timer,
	external, targeted, id, tags)
SELECT $created_at, 3000, 2000, 'resolved', false, true, false, '$name ' || i,
	'{"resonate:external": "true"}'::jsonb || '$tags'
FROM generate_series(1, $n) i
END
	return;
}

add_history('kept', 20_000, 1000, '{"resonate:origin": "flow-20"}');
set_retention($session, '1h');
$session->ask('SET resonate.debug = on');
$session->ask("SET resonate.test_clock = '1700000100000'");
do
{
	($reads, $status) = cost_of($session, q[(resonate.worker_step()).step]);
} until $status eq 'idle';
cmp_ok($reads, '>=', 1000,
	'parts of reconciling and of pruning look at what they leave alone');
cmp_ok($reads, '<=', STEP_READS_MAX, 'and at no more than they are meant to');
set_retention($session, '-1');
add_history('old', 50, 1001, '{}');
is($session->ask("SELECT resonate.prune('1970-01-01 00:01:00+00', 50)"),
	50, 'who prunes until there is nothing left finds what comes after');

$_->close for values %sessions;
$node->stop;
done_testing();
