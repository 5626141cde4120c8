-- search_promises: what is found.
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

SELECT count(*) FROM resonate.create_promises((
	SELECT jsonb_agg(jsonb_build_object('id', format('order/%s', n), 'timeout', '1 hour',
										'tags', jsonb_build_object('parity', CASE n % 2 WHEN 0 THEN 'even' ELSE 'odd' END)))
	FROM generate_series(1, 9) AS n));
SET resonate.test_clock = '4000000001000';
SELECT status FROM resonate.create_promise('invoice_1', '1 s', '{"a": 1}', '{"h": "1"}', '{"parity": "odd"}', 'k');
SELECT status FROM resonate.create_promise('invoice%2', '2 s', tags => '{"resonate:timer": "true"}');
SELECT status FROM resonate.create_promise('invoice\3', '3 s', tags => '{"resonate:external": "false"}');
SELECT status FROM resonate.resolve('order/1', '"x"', '{"h": "2"}', 'u');
SELECT status FROM resonate.reject('order/2');
SELECT status FROM resonate.cancel('order/3');

-- The whole record.
\x on
SELECT * FROM resonate.search_promises('invoice_1');
SELECT * FROM resonate.search_promises(pattern => '*', state => 'resolved', tags => '{"parity": "odd"}',
									   "limit" => 10, cursor => NULL);
\x off

-- Newest first.
SELECT id, state FROM resonate.search_promises();

-- An asterisk stands for anything, all else for itself, and \ for what follows it.
SELECT id FROM resonate.search_promises('order/*');
SELECT id FROM resonate.search_promises('*_*');
SELECT id FROM resonate.search_promises('*%*');
SELECT id FROM resonate.search_promises('*\\*');
SELECT id FROM resonate.search_promises('*\**');
SELECT id FROM resonate.search_promises('i*o*e*');
SELECT id FROM resonate.search_promises('Order/*');
SELECT id FROM resonate.search_promises('order/');

-- States, as they are now.
SET resonate.test_clock = '4000000002000';
SELECT id, state FROM resonate.search_promises(state => 'rejected');
SET resonate.test_clock = '4000000004000';
SELECT id, state FROM resonate.search_promises(state => 'Pending', pattern => 'i*');
SELECT id, state, settled_at FROM resonate.search_promises(state => 'RESOLVED');
SELECT id, state, settled_at FROM resonate.search_promises(state => 'rejected');
SELECT id, state, settled_at FROM resonate.search_promises(state => 'rejected_canceled');
SELECT id, state, settled_at FROM resonate.search_promises(state => 'rejected_timedout');

-- Tags: all must be there.
SELECT id FROM resonate.search_promises(tags => '{"parity": "even"}');
SELECT id FROM resonate.search_promises(tags => '{"parity": "odd", "resonate:external": "true"}', state => 'pending');
SELECT id FROM resonate.search_promises(tags => '{"resonate:external": "false"}');

-- Pages.
SELECT id, cursor IS NOT NULL AS has_cursor FROM resonate.search_promises('order/*', "limit" => 4);
SELECT cursor FROM resonate.search_promises('order/*', "limit" => 4) WHERE cursor IS NOT NULL \gset page_1_
SELECT id, cursor IS NOT NULL AS has_cursor FROM resonate.search_promises(cursor => :'page_1_cursor');
SELECT cursor FROM resonate.search_promises(cursor => :'page_1_cursor') WHERE cursor IS NOT NULL \gset page_2_
SELECT id, cursor IS NOT NULL AS has_cursor FROM resonate.search_promises(cursor => :'page_2_cursor');

-- A cursor continues its own search, and no other.
SELECT id FROM resonate.search_promises('order/*', "limit" => 1, cursor => :'page_1_cursor');
SELECT id FROM resonate.search_promises('invoice*', 'resolved', '{"no": "such"}', 1, :'page_1_cursor');

-- The default page has a hundred rows.
SELECT count(*) FROM resonate.create_promises((
	SELECT jsonb_agg(jsonb_build_object('id', format('many/%s', n))) FROM generate_series(1, 101) AS n));
SELECT count(*), count(cursor) FROM resonate.search_promises('many/*');
SELECT count(*) FROM resonate.search_promises('many/*', "limit" => 0);
SELECT count(*) FROM resonate.search_promises('many/*', "limit" => NULL);
SELECT count(*) FROM resonate.search_promises('many/*', "limit" => 100);

DELETE FROM resonate.promises;
