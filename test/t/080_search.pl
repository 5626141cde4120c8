
# A page of a search of the wire protocol reads a bounded number of rows, whatever the
# filter is and whatever there is in the table; and the pages together are all that
# matches, in order, although some end before they are full.  Rows and index entries
# are counted, not time.

use strict;
use warnings FATAL => 'all';

use FindBin;
use lib $FindBin::RealBin;

use ResonateTest;
use Test::More;

use constant ROWS => 150_000;

# docs/search.md has the sum: two parts of the key, each read for where it ends and
# for its rows, what is few and is not, and the page.
use constant PAGE_READS_MAX => 100_000;

# What leads to a few rows: the first part of the key, and those rows.
use constant RARE_READS_MAX => 7_000;

my $node = new_cluster('main', conf => <<'END');
resonate.retention = -1
autovacuum = off
END

count_reads($node);

# Two thirds resolved; a third pending, a tenth of those past their deadlines, which
# nobody has stored.  Ten rejected ones, spread; one canceled, the last in order.
$node->safe_psql('postgres', <<"END");
CREATE FUNCTION search(data jsonb, kind text DEFAULT 'promise') RETURNS jsonb
LANGUAGE sql AS \$\$
	SELECT (resonate.resonate_rpc(jsonb_build_object('kind', kind || '.search',
		'data', data, 'head', jsonb_build_object('corrId', 'c', 'version', '2026-04-01'))))
		-> 'data'
\$\$;

CREATE PROCEDURE fill(n int) LANGUAGE sql AS \$\$
	INSERT INTO resonate.promises (created_at, timeout_at, settled_at, state, timer,
		external, targeted, task_version, id, tags)
	SELECT 1700000000000 + i,
		CASE WHEN i % 30 = 0 THEN 1700001000000 ELSE 9000000000000 END,
		CASE WHEN s <> 'pending' THEN 1700000001000 + i END, s, i % 60 = 0,
		i % 9 > 0 OR i % 60 = 0, i % 30000 = 7, CASE WHEN i % 30000 = 7 THEN 1 END,
		CASE i WHEN 1 THEN 'z' ELSE 'i' || md5(i::text) END,
		(CASE WHEN i % 9 > 0 OR i % 60 = 0 THEN '{"resonate:external": "true"}'
		 ELSE '{}' END::jsonb || CASE WHEN i % 60 = 0 THEN '{"resonate:timer": "true"}'
		 ELSE '{}' END::jsonb || CASE
		 WHEN i % 30000 = 7 THEN '{"resonate:target": "poll://any\@g"}'
		 WHEN i % 9 = 1 THEN '{"common": "x"}'
		 WHEN i % 20000 = 5 THEN '{"rare": "x"}' ELSE '{}' END::jsonb)
	FROM generate_series(1, n) i,
		LATERAL (SELECT (CASE WHEN i = 1 THEN 'rejected_canceled'
						 WHEN i % 6000 = 2 THEN 'rejected'
						 WHEN i % 3 = 0 THEN 'pending'
						 ELSE 'resolved' END)::resonate.promise_state) AS c (s)
\$\$;

-- What a search is to find, by what there is.
CREATE FUNCTION expected(wanted text, with_tags jsonb) RETURNS bigint LANGUAGE sql AS \$\$
	SELECT count(*) FROM resonate.promises p
	WHERE (wanted IS NULL OR wanted = CASE
		   WHEN state <> 'pending' OR timeout_at > 1800000000000 THEN state::text
		   WHEN timer THEN 'resolved' ELSE 'rejected_timedout' END)
		AND (with_tags IS NULL OR tags \@> with_tags)
\$\$;
CALL fill(@{[ROWS]});
END

# On a replica in effect: what has lapsed is not stored, so that it stays as it is.
my $session = open_session($node);

$session->ask('SET resonate.debug = on');
$session->ask("SET resonate.test_clock = '1800000000000'");
$session->ask('SET default_transaction_read_only = on');

sub filter
{
	my ($state, $tags, $rest) = @_;

	return '{' . join(', ', $rest // (), $state ? "\"state\": \"$state\"" : (),
		$tags ? "\"tags\": $tags" : ()) . '}';
}

# The reads of a page, how many rows it has, and where to go on.
sub page
{
	my ($data) = @_;

	$session->ask('BEGIN');
	my $before = $session->ask('SELECT reads()');
	my $answer = $session->ask(
		"SELECT jsonb_array_length(a -> 'promises'), coalesce(a ->> 'cursor', ''),
			(SELECT count(*) FROM jsonb_array_elements(a -> 'promises') WITH ORDINALITY AS p (r, n)
			 JOIN jsonb_array_elements(a -> 'promises') WITH ORDINALITY AS q (r, n)
			 ON q.n = p.n + 1 AND (q.r ->> 'id') COLLATE \"C\" <= p.r ->> 'id')
			+ (SELECT count(*) FROM jsonb_array_elements(a -> 'promises') AS p (r)
			   WHERE (r ->> 'id') COLLATE \"C\" <= '$data'::jsonb ->> 'cursor')
		 FROM search('$data') AS a");
	my $after = $session->ask('SELECT reads()');
	$session->ask('COMMIT');
	my ($n, $cursor, $disorder) = split /\|/, $answer, -1;
	return ($after - $before, $n, $cursor, $disorder);
}

# Reads all pages, which must be together what there is.
sub all_pages
{
	my ($state, $tags, $reads_max) = @_;
	my $name = filter($state, $tags);
	my ($total, $most, $cursor, $pages, $disorder) = (0, 0, undef, 0, 0);

	do
	{
		my ($reads, $n, $next, $wrong) = page(
			filter(
				$state, $tags,
				join(', ', '"limit": 1000', defined $cursor ? "\"cursor\": \"$cursor\"" : ())));

		$total += $n;
		$disorder += $wrong;
		$most = $reads if $reads > $most;
		$cursor = $next;
		$pages++;
	} while ($cursor ne '');
	my $expected = $session->ask(sprintf 'SELECT expected(%s, %s)',
		$state ? "'$state'" : 'NULL', $tags ? "'$tags'" : 'NULL');

	is($total, $expected, "$name: all that there is, in $pages pages");
	is($disorder, 0, "$name: in order");
	cmp_ok($most, '<=', $reads_max, "$name: no page reads much");
	return;
}

my @filters = (
	[ 'pending', '' ], [ 'rejected', '' ], [ 'rejected_canceled', '' ],
	[ 'rejected_timedout', '' ], [ 'rejected', '{"resonate:external": "true"}' ],
	[ '', '{"common": "x"}' ], [ '', '{"rare": "x"}' ],
	[ '', '{"common": "x", "rare": "x"}' ],
	(
		map {
			my $state = $_;
			map { [ $state, "{\"$_\": \"x\"}" ] } qw(common rare none)
		} qw(pending resolved rejected rejected_timedout)));

foreach my $round ('not analyzed', 'analyzed')
{
	note($round);
	all_pages(@$_, PAGE_READS_MAX) foreach @filters;
	foreach (
		filter('rejected', ''), filter('rejected_canceled', ''),
		filter('', '{"rare": "x"}'), filter('', '{"none": "x"}'),
		filter('resolved', '{"rare": "x"}'), filter('rejected', '{"resonate:external": "true"}'))
	{
		my ($reads, undef, $cursor) = page($_);

		cmp_ok($reads, '<=', RARE_READS_MAX, "$_: reads little");
		is($cursor, '', "$_: all of it is one page");
	}
	$node->safe_psql('postgres', 'VACUUM ANALYZE resonate.promises');
	$session->close;
	$session = open_session($node);
	$session->ask('SET resonate.debug = on');
	$session->ask("SET resonate.test_clock = '1800000000000'");
	$session->ask('SET default_transaction_read_only = on');
}

# Tasks: forty-five thousand live ones, of which four are halted, and five fulfilled
# ones among all promises.
$node->safe_psql('postgres', <<'END');
INSERT INTO resonate.tasks (clock_at, timeout_at, version, resumes, setbacks, state, id,
	address)
SELECT CASE WHEN n % 10000 > 0 THEN 1700000000000 END, 9000000000000, 0, 0, 0,
	CASE WHEN n % 10000 > 0 THEN 'pending' ELSE 'halted' END::resonate.task_state,
	id, 'poll://any@g'
FROM (SELECT id, row_number() OVER (ORDER BY id) AS n FROM resonate.promises
	  WHERE state = 'pending' AND timeout_at = 9000000000000) AS p;
END

# What all pages of the protocol have, and the most that one of them reads.
sub task_pages
{
	my ($state) = @_;
	my ($total, $most, $cursor) = (0, 0, undef);

	do
	{
		my $data = filter($state, '', '"limit": 1000'
			  . (defined $cursor ? ", \"cursor\": \"$cursor\"" : ''));

		$session->ask('BEGIN');
		my $before = $session->ask('SELECT reads()');
		my ($n, $next) = split /\|/, $session->ask(
			"SELECT jsonb_array_length(a -> 'tasks'), coalesce(a ->> 'cursor', '')
			 FROM search('$data', 'task') AS a"), -1;
		my $reads = $session->ask('SELECT reads()') - $before;
		$session->ask('COMMIT');
		$total += $n;
		$most = $reads if $reads > $most;
		$cursor = $next;
	} while ($cursor ne '');
	return ($total, $most);
}

my $live = ROWS / 3 - ROWS / 30;
my $halted = int($live / 10000);
my $fulfilled = ROWS / 30000;

foreach (
	[ 'halted', $halted ], [ 'fulfilled', $fulfilled ], [ 'acquired', 0 ],
	[ 'pending', $live - $halted ], [ '', $live + $fulfilled ])
{
	my ($state, $expected) = @$_;
	my ($total, $most) = task_pages($state);

	is($total, $expected, "tasks $state: all that there are");
	cmp_ok($most, '<=', PAGE_READS_MAX, "tasks $state: no page reads much");
}
is( $session->ask(
		"SELECT count(*) || ' ' || count(cursor) FROM resonate.search_tasks('halted')"),
	'1 1', 'a page of the typed function has at least one, and says where to go on');
is($session->ask(<<'END'), $halted, 'with which all are found');
WITH RECURSIVE page AS (
	(SELECT array_agg(id) AS ids, max(cursor) AS cursor FROM resonate.search_tasks('halted'))
	UNION ALL
	SELECT s.ids, s.cursor FROM page, LATERAL (SELECT array_agg(id) AS ids, max(cursor) AS cursor
		FROM resonate.search_tasks('halted', cursor => page.cursor)) AS s
	WHERE page.cursor IS NOT NULL)
SELECT sum(cardinality(ids)) FROM page
END

# A place that does not exist, and one that nothing can be after.
foreach my $cursor ('', 'h', 'z', '\uffff')
{
	my ($reads, $n, $next) = page("{\"state\": \"rejected\", \"cursor\": \"$cursor\"}");

	is($n, $cursor =~ /^h?$/ ? ROWS / 6000 : 0, "what is rejected after '$cursor'");
	is($next, '', 'and no more');
}

$session->close;
$node->stop;
done_testing();
