
# Sessions that are idle in a transaction, with what others need in their hands: those
# are not stopped by it.

use strict;
use warnings FATAL => 'all';

use FindBin;
use lib $FindBin::RealBin;

use ResonateTest;
use Test::More;

my $node = new_cluster('main', conf => <<'END');
resonate.retention = -1
resonate.schedule_grace = 2s
END
my $session = open_session($node);
my $holder = become($node, 'client');

# Whoever waits for the one who is idle fails.
$session->ask("SET statement_timeout = '20 s'");
wait_for_worker($node);

sub eventually
{
	my ($condition, $name) = @_;

	ok($node->poll_query_until('postgres', "SELECT $condition"), $name);
	return;
}

sub rpc
{
	my ($kind, $data) = @_;

	return $session->ask(<<"END");
SELECT resonate.resonate_rpc('{"kind": "$kind",
	"head": {"corrId": "", "version": "2026-04-01"}, "data": $data}')
END
}

#
# A promise whose deadline passes while somebody has settled it
#

$session->ask("SELECT resonate.create_promise('p ' || i, '1 s') FROM generate_series(1, 300) AS i");
$holder->ask('BEGIN');
is($holder->ask("SELECT status FROM resonate.resolve('p 7')"),
	2010, 'somebody settles a promise in time, and is idle');
eventually("count(*) = 299 FROM resonate.promises WHERE state = 'rejected_timedout'",
	'all others time out');
is($session->ask("SELECT count(*) FROM resonate.search_promises('*')"),
	100, 'a page of all promises');
is($session->ask("SELECT state FROM resonate.search_promises('p 7')"),
	'pending', 'the one in doubt is what is committed of it');
is($session->ask("SELECT count(*) FROM resonate.search_promises('p 7', 'rejected')"),
	0, 'but not among those of a state that it may not have');
is($session->ask("SELECT count(*) FROM resonate.search_promises('*', 'rejected')"),
	100, 'a page of rejected ones is full');
like(rpc('promise.search', '{"limit": 300}'),
	qr/"status": ?200/, 'a page of the protocol');
unlike(rpc('promise.search', '{"state": "rejected_timedout", "limit": 300}'),
	qr/"p 7"/, 'likewise');
is($session->{error}, '', 'nobody waits');
$holder->ask('COMMIT');
is($session->ask("SELECT state FROM resonate.search_promises('p 7')"),
	'resolved', 'it was settled in time');

# A page waits for who ends at once.
$session->ask("SELECT resonate.create_promise('q', '1 s')");
$holder->ask('BEGIN');
$holder->ask("SELECT status FROM resonate.resolve('q')");
$session->ask('SELECT pg_sleep(1.2)');
is($session->ask("SELECT count(*) FROM resonate.search_promises('q', 'pending')"),
	0, 'what is past its deadline is not among the pending ones');
$holder->ask('ROLLBACK');
eventually("state = 'rejected_timedout' FROM resonate.promises WHERE id = 'q'",
	'a settlement that is taken back');

#
# The id of an occurrence, which can be foreseen
#

my $offset = -s $node->logfile;

$session->ask("SELECT resonate.create_schedule('s', '* * * * * *', 'o {{.timestamp}}', '1 h')");
eventually("fired > 1 FROM resonate.schedules WHERE id = 's'", 'a schedule fires');
$holder->ask('BEGIN');
is( $holder->ask(<<'END'), 3, 'somebody creates its next occurrences, and is idle');
SELECT count(resonate.create_promise('o ' || next_ms + 1000 * i, '1 h')) FROM generate_series(2, 4) AS i,
	(SELECT (floor(extract(epoch FROM clock_timestamp())) * 1000)::bigint AS next_ms) AS n
END
eventually("missed = 3 FROM resonate.schedules WHERE id = 's'", 'these are missed');

my $last = $session->ask("SELECT last_run_at FROM resonate.schedules WHERE id = 's'");

eventually("last_run_at > $last FROM resonate.schedules WHERE id = 's'", 'and it goes on');
$holder->ask('ROLLBACK');
eventually("count(*) > 3 FROM resonate.promises WHERE id LIKE 'o %'",
	'its other occurrences are there');
is($session->ask("SELECT missed FROM resonate.schedules WHERE id = 's'"),
	3, 'no other one is missed');

unlike(log_from($node, $offset), qr/was not created by it/, 'nobody has created one');
$holder->ask(<<'END');
SELECT count(resonate.create_promise('o ' || next_ms + 1000 * i, '1 h', '"mine"')) FROM generate_series(2, 4) AS i,
	(SELECT (floor(extract(epoch FROM clock_timestamp())) * 1000)::bigint AS next_ms) AS n
END
is($holder->{error}, '', 'somebody creates some ahead');
eventually("count(*) = 1 FROM resonate.schedules, resonate.promises AS p
	WHERE p.param_data IS NOT NULL AND p.id = 'o ' || last_run_at",
	'they count as occurrences');
eventually("last_run_at > (SELECT max(split_part(p.id, ' ', 2)::bigint)
	FROM resonate.promises AS p WHERE p.param_data IS NOT NULL)
	FROM resonate.schedules WHERE id = 's'", 'and it goes on');
like(log_from($node, $offset),
	qr/promise "o \d+" is an occurrence of schedule "s", but was not created by it/,
	'which is reported');

$session->ask("SELECT resonate.delete_schedule('s')");
is($session->{error}, '', 'no call has waited');
is(crashes($node), '', 'no process has crashed');
invariants_hold($node);
$_->close foreach ($session, $holder);
$node->stop;
done_testing();
