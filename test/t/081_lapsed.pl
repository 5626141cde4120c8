
# Internal promises have no armed deadline.  However many of them are past it, a page
# of a search does not cost more: one of all states does not look at them, and the
# first of the others that meets many has the worker store them.  Rows and index
# entries are counted, not time.

use strict;
use warnings FATAL => 'all';

use FindBin;
use lib $FindBin::RealBin;

use ResonateTest;
use Test::More;

use constant LAPSED => 20_000;

# A page of a hundred: rows and entries of each state, and what is passed over.
use constant READS_MAX => 1500;

# Where nobody looks at the promises of the internal ones, they stay as they are.
my $node = new_cluster('main', conf => <<'END');
resonate.retention = -1
autovacuum = off
END

wait_for_worker($node);
count_reads($node);
$node->safe_psql('postgres', <<"END");
INSERT INTO resonate.promises (created_at, timeout_at, settled_at, state, timer,
	external, targeted, id, tags)
SELECT 1700000000000, 9000000000000, CASE WHEN i % 2 = 0 THEN 1700000001000 END,
	CASE WHEN i % 2 = 0 THEN 'rejected' ELSE 'pending' END::resonate.promise_state,
	false, true, false, 'live ' || i, '{"resonate:external": "true"}'
FROM generate_series(1, 400) i;

INSERT INTO resonate.promises (created_at, timeout_at, state, timer, external, targeted,
	id, tags)
SELECT 1700000000000 + i, 1700001000000, 'pending', false, false, false, 'step ' || i, '{}'
FROM generate_series(1, @{[LAPSED]}) i;
VACUUM ANALYZE resonate.promises;
END

my $session = open_session($node);

# It shows what has lapsed, and stores nothing itself.
$session->ask('SET default_transaction_read_only = on');

# The reads of a page, and how many rows it has of which states.
sub page
{
	my ($state) = @_;

	$session->ask('BEGIN');
	my $before = $session->ask('SELECT reads()');
	my $found = $session->ask(
		"SELECT string_agg(n || ' ' || state, ', ' ORDER BY state) FROM
			(SELECT count(*) AS n, state FROM resonate.search_promises(state => "
		  . ($state ? "'$state'" : 'NULL')
		  . ') GROUP BY state) AS s');
	my $after = $session->ask('SELECT reads()');
	$session->ask('COMMIT');
	return ($after - $before, $found);
}

sub unstored
{
	return $node->safe_psql('postgres',
		"SELECT count(*) FROM resonate.promises WHERE state = 'pending' AND NOT external");
}

my ($reads, $found) = page('');

is($found, '100 rejected_timedout', 'the newest promises are past their deadlines');
cmp_ok($reads, '<=', READS_MAX, 'a page of all states reads little');
is(unstored(), LAPSED, 'which nobody has had stored');

(undef, $found) = page('pending');
is($found, '100 pending', 'a page of what is pending has what is');
ok( $node->poll_query_until('postgres',
		"SELECT count(*) = 0 FROM resonate.promises WHERE state = 'pending' AND NOT external"),
	'the worker stores all deadlines that it had to pass over');
is( $node->safe_psql('postgres',
		"SELECT DISTINCT state, settled_at FROM resonate.promises WHERE NOT external"),
	'rejected_timedout|1700001000000',
	'as of the deadline');

$node->safe_psql('postgres', 'VACUUM ANALYZE resonate.promises');
$session->close;
$session = open_session($node);
$session->ask('SET default_transaction_read_only = on');

my %expected = (
	pending => '100 pending',
	resolved => '',
	rejected => '100 rejected_timedout',
	rejected_canceled => '',
	rejected_timedout => '100 rejected_timedout');

foreach my $state (sort keys %expected)
{
	($reads, $found) = page($state);
	is($found, $expected{$state}, "a page of what is $state has what is");
	cmp_ok($reads, '<=', READS_MAX, "a page of what is $state reads little");
}

invariants_hold($node);
$session->close;
$node->stop;
done_testing();
