
# Drivers read every page, whatever the deadlines of the promises on it are: with
# psycopg2, and with psycopg 3 where it is installed.

use strict;
use warnings FATAL => 'all';

use FindBin;
use lib $FindBin::RealBin;

use IPC::Run qw(run);
use ResonateTest;
use Test::More;

my $reader = <<'END';
import importlib, sys
driver = importlib.import_module(sys.argv[1])
connection = driver.connect(sys.argv[2])
cursor = connection.cursor()
for query in sys.argv[3:]:
    cursor.execute(query)
    rows = cursor.fetchall()
    names = [column[0] for column in cursor.description]
    print(*sorted(" ".join(str(row[names.index(name)]) for name in names if name in
                           ("id", "promise_id", "timeout_at_ms"))
                  for row in rows), sep=", ")
    print(sum(value is None for row in rows for name, value in zip(names, row)
              if name in ("timeout_at", "visible_at", "next_run_at", "promise_timeout", "ttl")))
END

# Queries, the ids and deadlines that they return, and how many times are NULL.
my @queries = (
	[ 'SELECT * FROM resonate.search_promises()', 'far 319545734400000, never 9223372036854775807, soon 4102444800000, t 9223372036854775807', 3 ],
	[ "SELECT * FROM resonate.get_promise('never')", 'never 9223372036854775807', 1 ],
	[ q{SELECT * FROM resonate.create_promises('[{"id": "far"}, {"id": "soon"}]')}, 'far 319545734400000, soon 4102444800000', 1 ],
	[ "SELECT * FROM resonate.create_callback('never', 'c', 'poll://any\@q')", 'never 9223372036854775807', 1 ],
	[ 'SELECT * FROM resonate.search_tasks()', 't 9223372036854775807', 2 ],
	[ "SELECT * FROM resonate.acquire_task('t', 0, 'me', '1 hour')", 't 9223372036854775807', 1 ],
	[ "SELECT * FROM resonate.get_task('t')", 't 9223372036854775807', 1 ],
	[ q{SELECT * FROM resonate.fence_task('t', 1, 'create', '{"id": "far"}')}, 'far 319545734400000', 1 ],
	[ 'SELECT * FROM resonate.search_schedules()', 's s', 1 ],
	[ "SELECT * FROM resonate.resolve('never', '1')", 'never 9223372036854775807', 1 ],
	[ "SELECT * FROM resonate.receive('poll://any\@q', visibility => '200000 years')", 'never', 1 ],
	[ "SELECT * FROM resonate.await_promise('never', '0')", 'never 9223372036854775807', 1 ]);

my $node = new_cluster('main');
my $rpc = q[SELECT resonate.resonate_rpc('{"kind": "schedule.create", "head": {"corrId": "t", "version": "2026-04-01"},
	"data": {"id": "s", "cron": "@yearly", "promiseId": "s", "promiseTimeout": 9223372036854775807}}')];
my $tested = 0;

for my $driver (qw(psycopg2 psycopg))
{
	my ($out, $err) = ('', '');
	my $dbname = "by_$driver";

	run([ 'python3', '-c', "import $driver" ], '>', \$out, '2>', \$err) or next;
	$tested++;
	$node->safe_psql('postgres', "CREATE DATABASE $dbname");
	$node->safe_psql($dbname, <<"END");
CREATE EXTENSION resonate;
SELECT resonate.create_promise('never', timeout_at => 'infinity');
SELECT resonate.create_promise('far', timeout_at => '12096-01-01 00:00+00');
SELECT resonate.create_promise('soon', timeout_at => '2100-01-01 00:00+00');
SELECT resonate.create_promise('t', timeout_at => 'infinity', tags => '{"resonate:target": "poll://any\@g"}');
$rpc;
END
	ok( run([ 'python3', '-c', $reader, $driver, $node->connstr($dbname), map { $_->[0] } @queries ],
			'>', \$out, '2>', \$err),
		"$driver reads everything");
	is($err, '', "$driver: no error");
	is($out, join('', map { "$_->[1]\n$_->[2]\n" } @queries), "$driver: and that is right");
}
plan skip_all => 'there is no driver for Python' if $tested == 0;

$node->stop;
done_testing();
