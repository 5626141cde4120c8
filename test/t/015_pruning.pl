
# The worker prunes in parts, and reads what it has deleted once, however long that
# stays in the way.

use strict;
use warnings FATAL => 'all';

use FindBin;
use lib $FindBin::RealBin;

use ResonateTest;
use Test::More;

use constant BATCHES => 50;
use constant BATCH_SIZE => 100;
use constant HISTORY => BATCHES * BATCH_SIZE;

my $node = new_cluster('main', conf => <<"END");
resonate.retention = -1
resonate.prune_batch_size = @{[BATCH_SIZE]}
END
my $session = open_session($node);

# Entries read of the index of history.
sub entries_read
{
	return index_use($node, 'promises_state_idx', 'idx_tup_read');
}

# Creates and settles a batch of promises, as of some seconds before the real time.
sub make_history
{
	my ($name, $age) = @_;
	my $n = BATCH_SIZE;
	my $as_of = (time - $age) * 1000;

	$session->ask("SET resonate.test_clock = $as_of");
	$session->ask(
		"SELECT count((resonate.create_promise('$name ' || i, '1 day')).status)
		 FROM generate_series(1, $n) i");
	$session->ask("SELECT count((resonate.resolve('$name ' || i)).status)
		 FROM generate_series(1, $n) i");
	return;
}

wait_for_worker($node);
$session->ask('SET resonate.debug = on');
make_history("batch $_", 7200 - $_) for 1 .. BATCHES;

# So that what is deleted cannot be vacuumed.
my $reader = open_session($node);

$reader->ask('BEGIN ISOLATION LEVEL REPEATABLE READ');
is($reader->ask('SELECT count(*) FROM resonate.promises'),
	HISTORY, 'somebody holds a snapshot of all history');

my $read = entries_read();

$node->append_conf('postgresql.conf', "resonate.retention = '1 h'");
$node->reload;
ok( $node->poll_query_until(
		'postgres', 'SELECT count(*) = 0 FROM resonate.promises'),
	'a shorter retention takes effect');
ok($node->poll_query_until('postgres', <<"END"), 'the statistics count it');
SELECT n_tup_del = @{[HISTORY]} FROM pg_stat_all_tables
WHERE relid = 'resonate.promises'::regclass
END
$read = entries_read() - $read;
cmp_ok($read, '>=', HISTORY, 'entries read by pruning');
cmp_ok($read, '<=', 4 * HISTORY,
	'which does not begin again with each batch');
is($reader->ask('SELECT count(*) FROM resonate.promises'),
	HISTORY, 'the snapshot still has all of it');
$reader->close;
$session->close;

invariants_hold($node, 'postgres', 4_000_000_000_000);
$node->stop;
done_testing();
