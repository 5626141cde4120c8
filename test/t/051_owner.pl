
# Whose the extension is: it survives its database's "public", is made whatever the
# search_path is, gives nobody more than it says whatever default privileges there
# are, and its owner is a plain role or none.

use strict;
use warnings FATAL => 'all';

use FindBin;
use lib $FindBin::RealBin;

use PostgreSQL::Test::Utils;
use ResonateTest;
use Test::More;

my $node = new_cluster('main');
my $dir = $node->basedir;
my @connect = ('-h', $node->host, '-p', $node->port);

# Runs SQL as a role, and returns its SQLSTATE or an empty string.
sub error_as
{
	my ($user, $dbname, $sql) = @_;
	my ($out, $err) = ('', '');

	IPC::Run::run(
		[
			'psql', '-XAtq', '-v', 'VERBOSITY=sqlstate', '-v',
			'ON_ERROR_STOP=1', '-d', $node->connstr($dbname) . " user=$user",
			'-c', $sql
		],
		'>' => \$out,
		'2>' => \$err);
	return $err =~ /ERROR:\s+(\w{5})/ ? $1 : $err;
}

# What a statement prints to the client beside its result.
sub messages_of
{
	my ($dbname, $sql) = @_;
	my ($ret, $out, $err) = $node->psql($dbname, $sql);

	return $err;
}

sub new_database
{
	my ($name, $owner) = @_;

	$node->safe_psql('postgres', "CREATE DATABASE $name OWNER $owner");
	return;
}

$node->safe_psql('postgres', <<'END');
CREATE ROLE dba LOGIN;
CREATE ROLE stranger LOGIN;
CREATE ROLE watcher LOGIN IN ROLE pg_monitor;
END

#
# The schema public
#

new_database('reset', 'dba');
$node->safe_psql('reset', 'CREATE EXTENSION resonate');
is( $node->safe_psql('reset', <<'END'), 'pg_catalog', 'it is not in public');
SELECT extnamespace::regnamespace FROM pg_extension WHERE extname = 'resonate'
END
$node->safe_psql('reset',
	"SELECT resonate.create_promise_and_callback('kept', 'c', 'poll://any\@g', '1 day')"
);
is(error_as('dba', 'reset', 'DROP SCHEMA public CASCADE'),
	'', 'the owner of the database drops public');
is($node->safe_psql('reset', "SELECT status, state FROM resonate.resolve('kept', '1')"),
	'2010|resolved', 'the promises are there');
$node->safe_psql('reset', "SELECT resonate.create_promise('due', '10 ms')");
ok( $node->poll_query_until(
		'reset',
		"SELECT state = 'rejected_timedout' FROM resonate.promises WHERE id = 'due'"
	),
	'and the worker works');
is(error_as('dba', 'reset', 'DROP EXTENSION resonate'),
	'42501', 'the owner of the database cannot drop the extension');
is(error_as('dba', 'reset', 'DROP SCHEMA resonate CASCADE'),
	'42501', 'nor its schema');

# A dump of a database without public, and one with it into a database without.
my $rows = <<'END';
SELECT id, state, value_data FROM resonate.promises ORDER BY id
END
my $expected = $node->safe_psql('reset', $rows);

foreach my $source ('reset', 'whole')
{
	if ($source eq 'whole')
	{
		new_database('whole', 'dba');
		$node->safe_psql('whole', 'CREATE EXTENSION resonate');
		$node->safe_psql('whole',
			"SELECT resonate.create_promise('one'); SELECT resonate.resolve('one', '2')"
		);
		$expected = $node->safe_psql('whole', $rows);
	}
	$node->command_ok(
		[ 'pg_dump', @connect, '-Fc', '-f', "$dir/$source.dump", $source ],
		"$source: dump");
	$node->safe_psql('postgres',
		"CREATE DATABASE copy_of_$source TEMPLATE template0");
	$node->safe_psql("copy_of_$source", 'DROP SCHEMA public');
	$node->command_ok(
		[
			'pg_restore', '--exit-on-error',
			@connect, '-d',
			"copy_of_$source", "$dir/$source.dump"
		],
		"$source: restore where public is gone");
	is($node->safe_psql("copy_of_$source", $rows),
		$expected, "$source: the promises are there");
}

new_database('empty', 'dba');
$node->safe_psql('empty', 'GRANT CREATE ON SCHEMA public TO stranger');
is(error_as($_, 'empty', 'CREATE EXTENSION resonate'),
	'42501', "$_ cannot create the extension")
  foreach ('dba', 'stranger', 'watcher');
is( $node->safe_psql('empty', <<'END'), '2010', 'made with an empty search_path');
SET search_path = '';
CREATE EXTENSION resonate;
SELECT status FROM resonate.create_promise('a');
END

#
# Default privileges of who installs it
#

my $privileges = <<'END';
WITH object (kind, name, acl, owner) AS (
	SELECT 'schema', nspname::text, coalesce(nspacl, acldefault('n', nspowner)), nspowner FROM pg_namespace
	WHERE nspname = 'resonate'
	UNION ALL SELECT 'relation', relname, coalesce(relacl, acldefault('r', relowner)), relowner FROM pg_class
	WHERE relnamespace = 'resonate'::regnamespace AND relkind IN ('r', 'v', 'S')
	UNION ALL SELECT 'routine', oid::regprocedure::text, coalesce(proacl, acldefault('f', proowner)), proowner FROM pg_proc
	WHERE pronamespace = 'resonate'::regnamespace
	UNION ALL SELECT 'type', typname, coalesce(typacl, acldefault('T', typowner)), typowner FROM pg_type
	WHERE typnamespace = 'resonate'::regnamespace AND typelem = 0)
SELECT o.kind, o.name, o.owner::regrole, a.grantor::regrole, CASE a.grantee WHEN 0 THEN 'PUBLIC' ELSE a.grantee::regrole::text END,
	a.privilege_type, a.is_grantable
FROM object o CROSS JOIN LATERAL aclexplode(o.acl) a ORDER BY 1, 2, 3, 4, 5, 6, 7
END
my $plain = $node->safe_psql('empty', $privileges);

new_database('opened', 'dba');
$node->safe_psql('opened', <<'END');
ALTER DEFAULT PRIVILEGES REVOKE ALL ON TABLES FROM CURRENT_USER;
ALTER DEFAULT PRIVILEGES REVOKE ALL ON FUNCTIONS FROM CURRENT_USER, PUBLIC;
ALTER DEFAULT PRIVILEGES REVOKE ALL ON TYPES FROM PUBLIC;
ALTER DEFAULT PRIVILEGES GRANT ALL ON TABLES TO resonate_client WITH GRANT OPTION;
END
foreach my $kind ('TABLES', 'SEQUENCES', 'FUNCTIONS', 'TYPES', 'SCHEMAS')
{
	$node->safe_psql('opened',
		"ALTER DEFAULT PRIVILEGES GRANT ALL ON $kind TO stranger WITH GRANT OPTION;
		 ALTER DEFAULT PRIVILEGES GRANT ALL ON $kind TO resonate_client, PUBLIC");
}
$node->safe_psql('opened', 'CREATE EXTENSION resonate');
is($node->safe_psql('opened', $privileges),
	$plain, 'default privileges change nothing');
is( error_as('stranger', 'opened',
		'SELECT count(*) FROM resonate.promises'),
	'42501',
	'a stranger is told nothing');
is(error_as('stranger', 'opened', 'CREATE TABLE resonate.mine ()'),
	'42501', 'and puts nothing into the schema');
$node->safe_psql('opened', "SELECT resonate.create_promise('a', '10 ms')");
ok( $node->poll_query_until(
		'opened',
		"SELECT state = 'rejected_timedout' FROM resonate.promises WHERE id = 'a'"
	),
	'the owner of the tables works');

# Nor does a dump say that they differ from those of the extension.
foreach my $dbname ('empty', 'opened')
{
	my $dump = '';

	IPC::Run::run([ 'pg_dump', @connect, '--schema-only', $dbname ],
		'>' => \$dump) or die;
	unlike($dump, qr/^(GRANT|REVOKE).*resonate\./m,
		"$dbname: privileges come with the extension");
	unlike($dump, qr/OWNER TO resonate_owner/, "$dbname: so do owners");
}

#
# Watching and dumping
#

is(error_as('watcher', 'empty', 'SELECT * FROM resonate.stats'),
	'', 'pg_monitor reads the statistics');
is(error_as('watcher', 'empty', "SELECT resonate.get_promise('a')"),
	'42501', 'and nothing else');

my @dump = (
	'pg_dump', @connect, '-U', 'dba', '-Fc', '-f', "$dir/by_owner.dump",
	'whole');

$node->command_fails_like(\@dump, qr/permission denied/,
	'the owner of a database cannot dump the promises');
$node->safe_psql('whole', 'GRANT pg_read_all_data TO dba');
$node->command_ok(\@dump, 'unless granted pg_read_all_data');
$node->safe_psql('postgres', 'CREATE DATABASE by_owner OWNER dba');
$node->command_ok(
	[
		'pg_restore', '--exit-on-error', @connect, '-d', 'by_owner',
		"$dir/by_owner.dump"
	],
	'a superuser restores that');
is($node->safe_psql('by_owner', $rows), $expected, 'with all promises');
$node->safe_psql('whole', 'REVOKE pg_read_all_data FROM dba');

#
# A role of this name that is there already
#

my $create = 'CREATE EXTENSION resonate';

new_database('other', 'dba');
foreach my $attribute ('SUPERUSER', 'CREATEROLE', 'CREATEDB', 'REPLICATION',
	'BYPASSRLS')
{
	$node->safe_psql('postgres', "ALTER ROLE resonate_owner $attribute");
	is(error_of($node, $create, 'other'),
		'0P000', "the owner must not have $attribute");
	$node->safe_psql('postgres', "ALTER ROLE resonate_owner NO$attribute");
}
$node->safe_psql('postgres', 'GRANT pg_read_all_data TO resonate_owner');
is(error_of($node, $create, 'other'), '0P000', 'nor be a member of others');
$node->safe_psql('postgres', 'REVOKE pg_read_all_data FROM resonate_owner');

foreach my $pair (
	[ 'ALTER ROLE resonate_owner LOGIN', 'ALTER ROLE resonate_owner NOLOGIN' ],
	[ 'GRANT resonate_owner TO stranger', 'REVOKE resonate_owner FROM stranger' ])
{
	$node->safe_psql('postgres', $pair->[0]);
	like(messages_of('other', $create),
		qr/WARNING:\s+others can act as role "resonate_owner"/,
		"a warning after $pair->[0]");
	$node->safe_psql('other', 'DROP EXTENSION resonate');
	$node->safe_psql('postgres', $pair->[1]);
}
is(messages_of('other', $create), '', 'and none for a plain one');

#
# Without the library in shared_preload_libraries
#

my $late = new_cluster('late', preload => 0, extension => 0);
my ($ret, $out, $err) = $late->psql('postgres', $create);

like($err, qr/NOTICE:\s+resonate is not in shared_preload_libraries/,
	'a notice');
is(() = $err =~ /NOTICE/g, 1, 'a single one');
like($err, qr/DETAIL:.*HINT:.*shared_preload_libraries/s,
	'says what that means');
($ret, $out, $err) = $late->psql('postgres',
	"SET client_min_messages = warning; DROP EXTENSION resonate; $create");
is($err, '', 'whoever wants no notices gets none');
($ret, $out, $err) = $late->psql('postgres',
	"SELECT status FROM resonate.create_promise('a')");
is("$out$err", '2010', 'and it is not repeated');

$late->stop;
$node->stop;
done_testing();
