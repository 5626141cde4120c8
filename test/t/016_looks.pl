
# Commits tell the worker of deadlines; it looks at the tables when the first one
# has come, however many it is told of.

use strict;
use warnings FATAL => 'all';

use FindBin;
use lib $FindBin::RealBin;

use ResonateTest;
use Test::More;
use Time::HiRes qw(time);

use constant DEADLINES => 300;

my $node = new_cluster('main', conf => "resonate.retention = -1\n");
my $session = open_session($node);

# How often deadlines were looked up, by anybody.
sub looks
{
	return index_use($node, 'promises_due_idx', 'idx_scan');
}

wait_for_worker($node);
$session->ask('LISTEN done');
$session->ask(<<'END');
SELECT status FROM resonate.create_promise_and_callback('first', 'cb',
	'notify://done', '1 ms')
END
isnt($session->notification(qr/"first"/), undef, 'the worker keeps a deadline');

my $looks = looks();
my $began = time();

# Each deadline is the earliest so far, earlier than the next look without it would
# be, and later than the end of this test.
for my $i (1 .. DEADLINES)
{
	$session->ask("SELECT status FROM resonate.create_promise('later $i',
		interval '58 s' - interval '20 ms' * $i)");
}
my $elapsed = time() - $began;

# After the notification of this one, the statistics know of all looks before.
$session->ask(<<'END');
SELECT status FROM resonate.create_promise_and_callback('last', 'cb',
	'notify://done', '1 ms')
END
isnt($session->notification(qr/"last"/),
	undef, 'and one that is earlier than all it was told of');

# Each look asks what is due and what will be; once a minute, and for the last one.
cmp_ok(looks() - $looks, '<=', 2 * (4 + $elapsed / 60),
	'it did not look for each of ' . DEADLINES . ' that are later');
$session->close;

invariants_hold($node, 'postgres', 4_000_000_000_000);
$node->stop;
done_testing();
