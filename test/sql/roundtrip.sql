-- What goes in comes out: ids, keys, JSON, sizes, encodings.
SET client_min_messages = warning;
CREATE EXTENSION IF NOT EXISTS resonate;
LOAD 'resonate';
DELETE FROM resonate.messages;
DELETE FROM resonate.callbacks;
DELETE FROM resonate.promises;
RESET client_min_messages;
SET TimeZone = 'UTC';
SET DateStyle = 'ISO, YMD';
SET IntervalStyle = 'postgres';
SET resonate.debug = on;
SET resonate.test_clock = '4000000000000';

-- Writes a value as the param, the headers, the tags and the value of a promise,
-- and lists what is read back differently.
CREATE FUNCTION differs(v jsonb) RETURNS text LANGUAGE plpgsql AS
$$
DECLARE
	r resonate.promise_result;
	h jsonb := jsonb_build_object('h', v::text);
BEGIN
	DELETE FROM resonate.promises;
	PERFORM resonate.create_promise('value', param => v, headers => h, tags => h);
	PERFORM resonate.resolve('value', v, h);
	r := resonate.get_promise('value');
	RETURN concat_ws(' ', CASE WHEN r.param IS DISTINCT FROM v THEN 'param' END,
		CASE WHEN r.param::text IS DISTINCT FROM v::text THEN 'param text' END,
		CASE WHEN r.value IS DISTINCT FROM v THEN 'value' END,
		CASE WHEN r.value::text IS DISTINCT FROM v::text THEN 'value text' END,
		CASE WHEN r.param_headers IS DISTINCT FROM h THEN 'param headers' END,
		CASE WHEN r.value_headers IS DISTINCT FROM h THEN 'value headers' END,
		CASE WHEN r.tags - 'resonate:external' IS DISTINCT FROM h THEN 'tags' END,
		CASE WHEN convert_from(decode(r.value_data, 'base64'), 'UTF8')::jsonb IS DISTINCT FROM v THEN 'value data' END,
		CASE WHEN convert_from(decode(r.param_data, 'base64'), 'UTF8')::jsonb IS DISTINCT FROM v THEN 'param data' END,
		CASE WHEN position(E'\n' IN r.param_data) > 0 THEN 'line breaks' END);
END
$$;

SELECT name, length(v::text) AS length, differs(v) AS differs
FROM (VALUES
	(1, 'null', 'null'::jsonb), (2, 'true', 'true'), (3, 'false', 'false'), (4, 'zero', '0'), (5, 'scale', '1.500'),
	(6, 'negative', '-12.5e-3'), (7, 'beyond a double', '12345678901234567890123456789.123456789'), (8, 'huge', '1e1000'),
	(9, 'tiny', '1e-1000'), (10, 'empty string', '""'), (11, 'empty object', '{}'), (12, 'empty array', '[]'),
	(13, 'nested empties', '[[], {}, "", null, [[]]]'), (14, 'empty name', '{"": ""}'),
	(15, 'escapes', '"\" \\ \/ \b \f \n \r \t \u0001 \u001f \u007f"'), (16, 'unicode', '"Grüße, 世界, мир, שלום, 🙂, e\u0301"'),
	(17, 'unicode names', '{"ключ": "値", "🔑": [1]}'), (18, 'surrogates', '"\ud83d\ude00"'), (19, 'line separators', '"\u2028\u2029\ufeff\u200b"'),
	(20, 'sql', '"''; DROP TABLE resonate.promises; --"'), (21, 'percent and dollar', '"%s %n $1 \\u0000 {}"'),
	(22, 'like base64', '"eyJhIjogMX0="'), (23, 'deep', (repeat('[', 1000) || repeat(']', 1000))::jsonb),
	(24, 'deep objects', (repeat('{"a":', 500) || '1' || repeat('}', 500))::jsonb),
	(25, 'wide', (SELECT jsonb_object_agg('k' || i, i) FROM generate_series(1, 2000) AS i)),
	(26, 'long array', (SELECT jsonb_agg(i) FROM generate_series(1, 20000) AS i)),
	(27, '10 MB', to_jsonb(repeat('0123456789abcdef', 655360))),
	(28, '10 MB of unicode', to_jsonb(repeat('世', 3495253)))
) AS v (n, name, v) ORDER BY n;

-- Values that are sent as what they were stored as.
\x on
SELECT status, value, value_data, param, param_data FROM resonate.get_promise('nobody');
SELECT r.value, r.value IS NULL AS is_null, r.value_data, r.param, r.param IS NULL AS param_is_null, r.param_data
FROM resonate.create_promise('json null', param => 'null') AS c, resonate.resolve(c.id, 'null') AS r;
SELECT r.value, r.value IS NULL AS is_null, r.value_data, r.param, r.param IS NULL AS param_is_null, r.param_data
FROM resonate.create_promise('sql null') AS c, resonate.resolve(c.id) AS r;
SELECT r.value, r.value_data, r.param, r.param_data, r.param_headers, r.value_headers
FROM resonate.create_promise('order of members', param => '{"b": 1, "a": 2, "b": 3}', headers => '{}') AS c,
	resonate.resolve(c.id, '"é"', '{}') AS r;
\x off

-- 10 MB also pass through a message and through a batch.
SELECT status FROM resonate.create_promise_and_callback('large', 'c', 'poll://any@g');
SELECT status, md5(value #>> '{}'), length(value_data) FROM resonate.settle_promises(jsonb_build_array(
	jsonb_build_object('id', 'large', 'state', 'resolved', 'value', repeat('0123456789abcdef', 655360))));
SELECT md5(value #>> '{}'), length(value_data) FROM resonate.receive('poll://any@g');
SELECT md5(repeat('0123456789abcdef', 655360));

-- A notification is sent without a value that does not fit.
SELECT status FROM resonate.create_promise_and_callback('large too', 'c', 'notify://chan');
SELECT status FROM resonate.resolve('large too', to_jsonb(repeat('0123456789abcdef', 655360)));
SELECT step, processed FROM resonate.worker_step();

-- Ids and keys: any text that is not empty, byte by byte.
CREATE TEMP TABLE ids (n integer GENERATED ALWAYS AS IDENTITY, id text);
INSERT INTO ids (id) VALUES ('a'), ('A'), ('a '), (' a'), (' '), (E'\t'), (E'a\nb'), ('/'), ('//'), ('a/b.c:d_e-f'), ('.'), ('..'),
	(':'), ('_'), ('-'), ('%'), ('*'), ('\'), ('''; --'), ('"'), ('$1'), ('{}'), ('null'), ('é'), (U&'e\0301'), ('ß'), ('ẞ'), ('SS'),
	('世界'), ('мир'), ('שלום'), ('🙂'), (U&'\200b'), (U&'\feff'), (U&'\0001'), (repeat('x', 1023)), (repeat('x', 1024)),
	(repeat('é', 512)), (repeat('🙂', 256));
SELECT count(*), count(DISTINCT id COLLATE "C") FROM ids;
DELETE FROM resonate.messages;
DELETE FROM resonate.promises;
SELECT count(*) FROM ids, resonate.create_promise(ids.id, idempotency_key => ids.id) AS r
WHERE r.status = 2010 AND r.id = ids.id COLLATE "C";
SELECT count(*) FROM ids, resonate.create_promise(ids.id, idempotency_key => ids.id) AS r
WHERE r.status = 2000 AND r.idempotency_key_for_create = ids.id COLLATE "C";
SELECT count(*) FROM ids, resonate.create_callback(ids.id, 'c', 'poll://any@' || translate(ids.id, '/@', '')) AS r
WHERE r.status = 2010 AND octet_length(ids.id) < 1000 AND ids.id NOT IN ('/', '//');
SELECT count(*) FROM ids, resonate.resolve(ids.id, to_jsonb(ids.n), idempotency_key => ids.id) AS r
WHERE r.status = 2010 AND r.value = to_jsonb(ids.n) AND r.idempotency_key_for_complete = ids.id COLLATE "C";
SELECT count(*) FROM ids, resonate.get_promise(ids.id) AS r WHERE r.status = 2000 AND r.value = to_jsonb(ids.n);
SELECT count(*) FROM ids, resonate.await_promise(ids.id) AS r WHERE r.status = 2000 AND r.value = to_jsonb(ids.n);
SELECT count(*) FROM ids, resonate.search_promises(ids.id) AS r WHERE ids.id <> '*' AND r.id = ids.id COLLATE "C";
SELECT count(*) FROM ids, resonate.search_promises(ids.id) AS r WHERE ids.id <> '*' AND r.id <> ids.id COLLATE "C";
SELECT count(*) FROM ids, resonate.receive('poll://any@' || translate(ids.id, '/@', '')) AS m
WHERE octet_length(ids.id) < 1000 AND ids.id NOT IN ('/', '//') AND m.promise_id = ids.id COLLATE "C";
SELECT count(*) FROM resonate.create_promises((SELECT jsonb_agg(jsonb_build_object('id', ids.id) ORDER BY n) FROM ids)) WHERE status = 4090;

-- What is no text at all does not get in.
\set VERBOSITY sqlstate
SELECT resonate.create_promise(convert_from('\xff', 'UTF8'));
SELECT resonate.create_promise(convert_from('\x00', 'UTF8'));
SELECT resonate.create_promise('new', param => '"\u0000"');
SELECT resonate.create_promise('new', param => '"\ud800"');
SELECT resonate.create_promise('new', param => '{"a": 1');
\set VERBOSITY default

-- A client with another encoding.
SET client_encoding = LATIN1;
SELECT status, id = U&'caf\00e9' AS is_same, param_data
FROM resonate.create_promise(convert_from('\x636166e9', 'LATIN1'), param => to_jsonb(convert_from('\xe9', 'LATIN1')));
RESET client_encoding;
SELECT status, param_data FROM resonate.get_promise('café');

DROP TABLE ids;
DROP FUNCTION differs(jsonb);
DELETE FROM resonate.messages;
DELETE FROM resonate.callbacks;
DELETE FROM resonate.promises;

-- Databases with another encoding: the data are UTF-8 there as well.
SELECT current_database() AS regression_database \gset
SET client_min_messages = error;
DROP DATABASE IF EXISTS regress_resonate_latin1 WITH (FORCE);
DROP DATABASE IF EXISTS regress_resonate_ascii WITH (FORCE);
RESET client_min_messages;
CREATE DATABASE regress_resonate_latin1 ENCODING 'LATIN1' LC_COLLATE 'C' LC_CTYPE 'C' TEMPLATE template0;
CREATE DATABASE regress_resonate_ascii ENCODING 'SQL_ASCII' LC_COLLATE 'C' LC_CTYPE 'C' TEMPLATE template0;

\c regress_resonate_latin1
SET client_min_messages = warning;
CREATE EXTENSION resonate;
SELECT status, id = convert_from('\xe9', 'LATIN1') AS is_same, param_data, convert_from(decode(param_data, 'base64'), 'UTF8') = param::text AS is_utf8
FROM resonate.create_promise(convert_from('\xe9', 'LATIN1'), param => to_jsonb(convert_from('\xe9', 'LATIN1')));
SELECT status, param = to_jsonb(convert_from('\xe9', 'LATIN1')) AS is_same FROM resonate.get_promise(convert_from('\xe9', 'LATIN1'));
SELECT status, value = to_jsonb(convert_from('\xfc', 'LATIN1')) AS is_same, value_data
FROM resonate.resolve(convert_from('\xe9', 'LATIN1'), to_jsonb(convert_from('\xfc', 'LATIN1')));
SELECT count(*) FROM resonate.search_promises(convert_from('\xe92a', 'LATIN1'));
SELECT status FROM resonate.create_promise('new', param => '"plain"');

\c regress_resonate_ascii
SET client_min_messages = warning;
CREATE EXTENSION resonate;
SELECT status, encode(convert_to(id, 'SQL_ASCII'), 'hex') AS id, param_data
FROM resonate.create_promise(E'\xc3\xa9', param => to_jsonb(E'\xc3\xa9'::text));
SELECT status, param_data FROM resonate.get_promise(E'\xc3\xa9');
SELECT status FROM resonate.create_promise(E'\xe9');
SELECT status FROM resonate.create_promise('new', idempotency_key => E'\xe9');
SELECT status FROM resonate.create_promise('new', param => to_jsonb(E'\xe9'::text));
SELECT status FROM resonate.create_promise('new', headers => jsonb_build_object('h', E'\xe9'));
SELECT status FROM resonate.create_promise('new', headers => jsonb_build_object(E'\xe9', 'h'));
SELECT status FROM resonate.create_promise('new', tags => jsonb_build_object('t', E'\xe9'));
SELECT status FROM resonate.create_promise('new', tags => jsonb_build_object(E'\xe9', 't'));
SELECT status FROM resonate.resolve(E'\xc3\xa9', to_jsonb(E'\xe9'::text));
SELECT status FROM resonate.resolve(E'\xc3\xa9', headers => jsonb_build_object('h', E'\xe9'));
SELECT status FROM resonate.create_callback('new', E'\xe9', 'poll://any@g');
SELECT status FROM resonate.create_callback('new', 'c', E'poll://any@\xe9');
SELECT status FROM resonate.get_promise(E'\xe9');
SELECT count(*) FROM resonate.promises;

\c :regression_database
SET client_min_messages = warning;
DROP DATABASE regress_resonate_latin1;
DROP DATABASE regress_resonate_ascii;
