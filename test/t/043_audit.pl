
# Where somebody audits what is written, our writes are seen like those of anybody.

use strict;
use warnings FATAL => 'all';

use FindBin;
use lib $FindBin::RealBin;

use PostgreSQL::Test::Utils;
use ResonateTest;
use Test::More;

my $directory = `$ENV{PG_CONFIG} --pkglibdir`;

chomp $directory;
plan skip_all => 'pgaudit is not installed' unless -f "$directory/pgaudit.so";

my $node = new_cluster('main', conf => <<'END');
shared_preload_libraries = 'resonate, pgaudit'
pgaudit.role = 'auditor'
pgaudit.log_catalog = off
END
my $offset;

$node->safe_psql('postgres', 'CREATE ROLE auditor');
$node->safe_psql('postgres', "GRANT INSERT, UPDATE, DELETE
	ON resonate.promises, resonate.tasks, resonate.callbacks, resonate.messages TO auditor");

# Asks, and returns what the log of the server says of it, once for each kind.
sub audited
{
	my ($sql) = @_;
	my %seen;
	my $log;

	$offset = -s $node->logfile;
	$node->safe_psql('postgres', $sql);
	$log = log_from($node, $offset);
	$seen{"$1 $2"} = 1
	  while $log =~ /AUDIT: OBJECT,\d+,\d+,WRITE,(\w+),TABLE,resonate\.(\w+),/g;
	return join(', ', sort keys %seen);
}

is(audited("SELECT resonate.create_promise('p', '1 h')"), 'INSERT promises', 'create');
is(audited("SELECT resonate.create_callback('p', 'c', 'poll://any\@c')"), 'INSERT callbacks', 'a callback');
is(audited("SELECT resonate.resolve('p')"), 'DELETE callbacks, INSERT messages, UPDATE promises', 'resolve');
is(audited("SELECT resonate.acknowledge('p', 'c')"), 'DELETE messages', 'acknowledge');
is(audited("SELECT resonate.create_promise_and_task('t', 'w', '1 min', '1 h', tags => '{\"resonate:target\": \"poll://any\@g\"}')"),
	'INSERT promises, INSERT tasks', 'a task');
is(audited("SELECT resonate.release_task('t', 1)"), 'UPDATE tasks', 'release');
is(audited("SELECT resonate.reject('t')"), 'DELETE tasks, UPDATE promises', 'its end');

# What the worker writes
$offset = -s $node->logfile;
$node->safe_psql('postgres', "SELECT resonate.create_promise('q', '100 ms')");
$node->poll_query_until('postgres', "SELECT state = 'rejected_timedout' FROM resonate.promises WHERE id = 'q'");
$node->wait_for_log(qr/AUDIT: OBJECT,\d+,\d+,WRITE,UPDATE,TABLE,resonate\.promises,/, $offset);
pass('the worker');

$node->stop;
done_testing();
