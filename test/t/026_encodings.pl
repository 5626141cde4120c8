
# Strings of the wire protocol in databases of all kinds of encodings, and
# notifications to clients whose encodings lack what they are about.

use strict;
use warnings FATAL => 'all';

use FindBin;
use lib $FindBin::RealBin;

use Encode qw(encode);
use MIME::Base64 qw(encode_base64);
use PostgreSQL::Test::Utils;
use ResonateTest;
use Test::More;

my $node = new_cluster('main', conf => "resonate.notify_payload = 'record'\n");

# JSON, and its typed value, in ASCII, in each database: 'same' is what UTF8 has.
my @values = (
	[ 'zero', '"a\u0000b"', { UTF8 => '' } ],
	[ 'surrogate', '{"a": "\udc00"}', { UTF8 => '' } ],
	[ 'number', '1e131072', { UTF8 => '' } ],
	[ 'nested', '[' x 3000 . ']' x 3000, { UTF8 => '' } ],
	[ 'no JSON', '[1, ', { UTF8 => '' } ],
	[ 'ASCII', '{"a": [1, "\u0041\\\\u00e9"]}', { UTF8 => '{"a": [1, "A\\\\u00e9"]}' } ],
	[ 'escaped e', '"\u00e9"', { UTF8 => 'e9', EUC_JP => '8fabb1' } ],
	[ 'e', "\"\x{e9}\"", { UTF8 => 'e9', EUC_JP => '8fabb1' } ],
	[ 'escaped kanji', '"\u6f22"', { UTF8 => '6f22', LATIN1 => '', EUC_JP => 'b4c1' } ],
	[ 'kanji', "\"\x{6f22}\"", { UTF8 => '6f22', LATIN1 => '', EUC_JP => 'b4c1' } ],
	[ 'escaped emoji', '"\ud83d\ude00"', { UTF8 => '1f600', LATIN1 => '', EUC_JP => '' } ],
	[ 'emoji', "\"\x{1f600}\"", { UTF8 => '1f600', LATIN1 => '', EUC_JP => '' } ]);

# What a notification has of them, which is in ASCII everywhere.
my %notified = (
	'ASCII' => '{"a": [1, "\u0041\\\\u00e9"]}',
	'escaped e' => '"\u00e9"',
	'e' => '"\u00e9"',
	'escaped kanji' => '"\u6f22"',
	'kanji' => '"\u6f22"',
	'escaped emoji' => '"\ud83d\ude00"',
	'emoji' => '"\ud83d\ude00"');

sub base64
{
	return encode_base64(encode('UTF-8', $_[0]), '');
}

# A statement that answers with the status of a request.
sub rpc
{
	my ($kind, $data) = @_;
	return qq[SELECT resonate.resonate_rpc(('{"kind": "$kind", "head": {"corrId": "t",
		"version": "2026-04-01"}, "data": ' || $data || '}')::jsonb) #>> '{head,status}'];
}

# The bytes that stand for a character in a database, in hexadecimal.
sub expected
{
	my ($encoding, $wanted) = @_;
	my $text = $wanted->{$encoding} // $wanted->{UTF8};

	return $text unless $text =~ /^[0-9a-f]+$/;
	return unpack('H*', encode('UTF-8', "\"@{[chr hex $text]}\""))
	  if $encoding eq 'UTF8' || $encoding eq 'SQL_ASCII';
	return "22${text}22";
}

sub test_values
{
	my ($encoding, $session, $listener) = @_;

	for my $value (@values)
	{
		my ($name, $json, $wanted) = @$value;
		my $data = base64($json);
		my $text = expected($encoding, $wanted);
		my $column = $text =~ /^[0-9a-f]+$/ ? "encode(value::text::bytea, 'hex')" : 'value::text';
		my $payload;

		$column = "encode(replace(value::text, '\\', '\\\\')::bytea, 'hex')"
		  if $text =~ /^[0-9a-f]+$/;
		$session->ask("SELECT status FROM resonate.create_promise_and_callback('$name', 'c',
			'notify://chan', '1 h')");
		is( $session->ask(rpc('promise.settle',
					qq['{"id": "$name", "state": "resolved", "value": {"data": "$data"}}'])),
			'200', "$encoding, $name: a promise has the value");
		is( $session->ask("SELECT coalesce($column, ''), value_data FROM resonate.get_promise('$name')"),
			"$text|$data", "$encoding, $name: the typed value, and the raw one");
		$payload = $listener->notification(qr/"id":"$name"/);
		like($payload, qr/^[\x20-\x7e]+$/, "$encoding, $name: the listener is told in ASCII");
		is( $payload =~ /"value":(.*)\}\}$/ ? $1 : undef,
			$notified{$name}, "$encoding, $name: and the value");
	}
	is($session->ask("SELECT count(*) FROM resonate.search_promises()"),
		scalar @values, "$encoding: a page has them all");
	return;
}

# An id that is as long as it can be, of one character written as SQL.
sub test_id
{
	my ($encoding, $session, $listener, $sql, $nbytes, $escaped) = @_;
	my $n = int(1024 / $nbytes);
	my $m = int(255 / $nbytes);
	my $before = $session->ask('SELECT count(*) FROM resonate.promises');
	my $id = "repeat($sql, $n)";
	my $payload;

	$session->ask("SELECT resonate.create_promise_and_callback($id, repeat($sql, $m),
		'notify://chan', '1 h')");
	is($session->ask("SELECT status FROM resonate.resolve($id, '1')"),
		2010, "$encoding: an id of $n times $sql");
	$payload = $listener->notification(qr/"kind":"unblock"/);
	is( $payload,
		'{"kind":"unblock","callback":"' . $escaped x $m . '","promise":{"id":"' . $escaped x $n
		  . '","state":"resolved","value":1}}',
		"$encoding: the listener is told of it");
	cmp_ok(length $payload, '<', 8000, "$encoding: in " . length($payload) . ' bytes');

	$session->ask(qq[SELECT resonate.create_promise($id || 'x', '1 h', tags => '{"resonate:target": "notify://chan"}')])
	  if $n * $nbytes < 1024;
	$session->ask(qq[SELECT resonate.create_promise(repeat($sql, $n - 1), '1 h',
		tags => '{"resonate:target": "notify://chan"}')]);
	is( $listener->notification(qr/"execute".*"id":"(?:\Q$escaped\E)+"/),
		'{"kind":"execute","task":{"id":"' . $escaped x ($n - 1) . '","version":0}}',
		"$encoding: and of a task of such a name");
	is( $session->ask("SELECT r ->> 'data' = format('id is too long: \"%s...\": It has %s bytes; the limit is 1024.',
				repeat($sql, 64 / $nbytes), octet_length(repeat($sql, $n + 1)))
			FROM resonate.resonate_rpc(jsonb_build_object('kind', 'promise.get',
				'head', jsonb_build_object('corrId', 't', 'version', '2026-04-01'),
				'data', jsonb_build_object('id', repeat($sql, $n + 1)))) AS r"),
		't', "$encoding: of a longer one a request is told whole characters");
	is( $session->ask('SELECT count(*) FROM resonate.callbacks') + 0,
		0, "$encoding: nothing is left");
	return;
}

for my $test (
	[ 'UTF8', 'LATIN1', [ "U&'\\\\6f22'", 3, '\u6f22' ], [ "U&'\\+01f600'", 4, '\ud83d\ude00' ],
		[ 'chr(1)', 1, '\u0001' ], [ "'\"'", 1, '\"' ] ],
	[ 'LATIN1', 'UTF8', [ "U&'\\00e9'", 1, '\u00e9' ] ],
	[ 'SQL_ASCII', 'SQL_ASCII', [ "E'\\\\xe6\\\\xbc\\\\xa2'", 3, '\u6f22' ] ],
	[ 'EUC_JP', 'SQL_ASCII', [ "U&'\\6f22'", 2, '\u6f22' ] ])
{
	my ($encoding, $client, @ids) = @$test;
	my $dbname = lc "in_$encoding";
	my ($session, $listener);

	$node->safe_psql('postgres',
		"CREATE DATABASE $dbname TEMPLATE template0 ENCODING '$encoding'");
	$node->safe_psql($dbname, 'CREATE EXTENSION resonate');
	$session = open_session($node, $dbname);
	$listener = open_session($node, $dbname);
	$listener->ask("\\encoding $client");
	$listener->ask('LISTEN chan');

	test_values($encoding, $session, $listener);
	for my $id (@ids)
	{
		my ($sql, $nbytes, $escaped) = @$id;

		$sql =~ s/\\\\/\\/g;
		test_id($encoding, $session, $listener, $sql, $nbytes, $escaped);
	}
	is($listener->ask('SELECT 1'), 1, "$encoding: the listener is still there");
	is( $session->ask('SELECT rows_set_aside, delivery_failures, undelivered_messages FROM resonate.stats'),
		'0|0|0', "$encoding: nothing has failed");
	$session->close;
	$listener->close;
	invariants_hold($node, $dbname);
}
is(crashes($node), '', 'no process has crashed');

$node->stop;
done_testing();
