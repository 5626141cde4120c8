-- Search: states as they are now, patterns, tags, pages and cursors.
\ir helpers.psql

SELECT no_plan();

-- What a search finds, in its order.  What it settles on the way is undone, so
-- that each search starts from the same rows.
CREATE FUNCTION found(pattern text DEFAULT '*', state text DEFAULT NULL, tags jsonb DEFAULT NULL,
					  count integer DEFAULT 100, cursor text DEFAULT NULL)
RETURNS text LANGUAGE plpgsql AS
$$
DECLARE
	result text;
BEGIN
	SELECT string_agg(s.id, ' ' ORDER BY n) INTO result
	FROM (SELECT row_number() OVER () AS n, * FROM
		  resonate.search_promises(pattern, state, tags, count, cursor)) AS s;
	RAISE EXCEPTION USING ERRCODE = 'P0998';
EXCEPTION WHEN SQLSTATE 'P0998' THEN
	RETURN coalesce(result, 'none');
END
$$;

CREATE FUNCTION in_order(ids text) RETURNS text LANGUAGE sql AS
$$
	SELECT string_agg(id, ' ' ORDER BY id COLLATE "C" DESC)
	FROM string_to_table(ids, ' ') AS t (id)
$$;

--
-- State groups, of the states as they are now: stored ones, and promises that
-- have lapsed without anybody having stored it.
--

SELECT is((resonate.create_promise(id, due, tags => tags)).status, 2010, 'a promise')
FROM (VALUES ('pending', interval '1 h', NULL::jsonb), ('resolved', '1 h', NULL),
	  ('rejected', '1 h', NULL), ('canceled', '1 h', NULL), ('timedout', '1 s', NULL),
	  ('timer', '1 s', '{"resonate:timer": "true"}'::jsonb),
	  ('timer-pending', '1 h', '{"resonate:timer": "true"}'),
	  ('internal', '1 h', '{"resonate:external": "false"}')) AS v (id, due, tags);
SELECT is((resonate.resolve('resolved')).status, 2010, 'resolve');
SELECT is((resonate.reject('rejected')).status, 2010, 'reject');
SELECT is((resonate.cancel('canceled')).status, 2010, 'cancel');
SELECT at(1000);
SELECT is(brief(resonate.worker_step()), 'timeout 2 next 3600000', 'a timeout and a timer');
SELECT is((resonate.create_promise('lapsed-' || id, '1 s', tags => tags)).status, 2010, 'a promise')
FROM (VALUES ('external', NULL::jsonb), ('timer', '{"resonate:timer": "true"}'::jsonb),
	  ('internal', '{"resonate:external": "false"}')) AS v (id, tags);
SELECT at(2000);

CREATE TEMP TABLE groups (state text, ids text) ON COMMIT DROP;
INSERT INTO groups VALUES
	('pending', 'timer-pending pending internal'),
	('resolved', 'lapsed-timer timer resolved'),
	('rejected', 'lapsed-internal lapsed-external timedout rejected canceled'),
	('rejected_canceled', 'canceled'),
	('rejected_timedout', 'lapsed-internal lapsed-external timedout'),
	(NULL, 'lapsed-timer lapsed-internal lapsed-external timer-pending timer timedout resolved ' ||
	 'rejected pending internal canceled');
SELECT is(found(state => state), ids, 'state ' || coalesce(state, 'null')) FROM groups;
SELECT is(found(state => upper(state)), ids, 'state ' || upper(state)) FROM groups
WHERE state IS NOT NULL;
SELECT is(found(state => initcap(state), pattern => 'lapsed*'),
		  CASE WHEN state IN ('pending', 'rejected_canceled') THEN 'none' WHEN state = 'resolved' THEN 'lapsed-timer'
		  ELSE 'lapsed-internal lapsed-external' END, 'lapsed ones, state ' || initcap(state))
FROM groups WHERE state IS NOT NULL;

SELECT at(1999);
SELECT is(found('lapsed*', 'pending'), 'lapsed-timer lapsed-internal lapsed-external',
		  'a millisecond earlier, these were pending');
SELECT is(found('lapsed*', 'resolved'), 'none', 'not resolved');
SELECT is(found('lapsed*', 'rejected'), 'none', 'and not rejected');

SELECT at(2000);
SELECT is(ROW(s.cursor, s.id, s.state, s.value, s.value_headers, s.value_data, s.param, s.param_headers,
			  s.tags, ms(s.timeout_at), ms(s.created_at), ms(s.settled_at))::text,
		  ROW(NULL, 'lapsed-external', 'rejected_timedout', NULL::jsonb, '{}'::jsonb, NULL, NULL::jsonb,
			  '{}'::jsonb, '{"resonate:external": "true"}'::jsonb, '2000', '1000', '2000')::text,
		  'a lapsed promise shows as what it is now')
FROM resonate.search_promises('lapsed-external') AS s;

-- The record of a search is the record of get.
SELECT is(to_jsonb(s) - 'cursor', to_jsonb(resonate.get_promise(s.id)) - 'status',
		  'the record of ' || s.id)
FROM resonate.search_promises() AS s;
SELECT is((SELECT count(*) FROM resonate.promises WHERE state = 'pending'), 3::bigint,
		  'what has lapsed was stored');

DELETE FROM resonate.promises;

--
-- Patterns: * stands for anything, \* for an asterisk, \\ for a backslash, all else
-- for itself.
--

SELECT at(0);
SELECT is((resonate.create_promise(id)).status, 2010, 'a promise')
FROM unnest(ARRAY['abc', 'a_c', 'a%c', 'a\c', 'a*c', 'A_C', 'axxc', 'ac', 'a_', '%', '_', '\', '*',
				  'a\_c', 'a\%c', 'ordnung', 'ÄC', 'äc', 'a b', 'a/b/c', 'a.b:c-d', '日本語', '日']) AS id;
SELECT is(found(pattern), in_order(ids), format('pattern %s', pattern))
FROM (VALUES
	('abc', 'abc'), ('a_c', 'a_c'), ('a%c', 'a%c'), ('a\c', 'a\c'),
	('A_C', 'A_C'), ('a_C', 'none'), ('ABC', 'none'), ('%', '%'), ('_', '_'), ('\', '\'), ('%%', 'none'),
	('__', 'none'), ('\\', '\'), ('\\\', 'none'), ('\*', '*'), ('a\*c', 'a*c'), ('a\\c', 'a\c'), ('a\\*', 'a\c a\_c a\%c'), ('*\*', '*'), ('*\**', 'a*c *'), ('\\\*', 'none'), ('a\_c', 'a\_c'), ('a\%c', 'a\%c'), ('\a', 'none'),
	('a_*', 'a_c a_'), ('*_', 'a_ _'), ('*\\*', 'a\c \ a\_c a\%c'), ('*%*', 'a%c % a\%c'),
	('a*c', 'abc a_c a%c a\c a*c axxc ac a\_c a\%c a/b/c'), ('a**c', 'abc a_c a%c a\c a*c axxc ac a\_c a\%c a/b/c'),
	('a*x*c', 'axxc'), ('a*x*x*c', 'axxc'), ('a*x*x*x*c', 'none'), ('*b*c', 'abc a/b/c'),
	('a.*', 'a.b:c-d'), ('a/b/*', 'a/b/c'), ('a/*', 'a/b/c'), ('*c', 'abc a_c a%c a\c a*c axxc ac a\_c a\%c a/b/c äc'),
	('äc', 'äc'), ('Äc', 'none'), ('ä*', 'äc'), ('日*', '日本語 日'), ('*本*', '日本語'), ('*語', '日本語'),
	('b', 'none'), ('bc', 'none'), ('ab', 'none'), ('a', 'none')
) AS v (pattern, ids);
SELECT is(found('a b'), 'a b', 'a pattern with a space');
SELECT is((SELECT count(*) FROM resonate.search_promises('*')), 23::bigint, 'pattern *');
SELECT is((SELECT count(*) FROM resonate.search_promises('**')), 23::bigint, 'pattern **');
SELECT is((SELECT count(*) FROM resonate.search_promises()), 23::bigint, 'all arguments are optional');

-- A literal % or \ in the default escape must not depend on the session.
SET LOCAL standard_conforming_strings = off;
SELECT is(found(E'a\\c'), E'a\\c', 'old string literals make no difference');
SET LOCAL standard_conforming_strings = on;

-- The longest id, and the longest pattern for it.
SELECT is((resonate.create_promise(repeat('x', 1024))).status, 2010, 'a long id');
SELECT is(found('*' || repeat('x*', 1024)), repeat('x', 1024), 'the longest pattern');
SELECT is((resonate.create_promise(repeat('*', 1024))).status, 2010, 'as long, of asterisks');
SELECT is(found('*' || repeat('\**', 1024)), repeat('*', 1024), 'the longest pattern');
SELECT throws_ok($$SELECT resonate.search_promises('**' || repeat('\**', 1024))$$, '22023', NULL,
				 'a longer one is refused');

DELETE FROM resonate.promises;

--
-- Tags: all must be there, with equal values.
--

SELECT is((resonate.create_promise(id, tags => tags)).status, 2010, 'a promise')
FROM (VALUES ('plain', NULL::jsonb), ('a', '{"a": "1"}'::jsonb), ('b', '{"b": "1"}'),
	  ('ab', '{"a": "1", "b": "1"}'), ('a2', '{"a": "2"}'), ('A', '{"A": "1"}'),
	  ('ä', '{"ä": "é"}'), ('empty', '{"a": ""}'),
	  ('internal', '{"a": "1", "resonate:external": "false"}')) AS v (id, tags);
SELECT is(found(tags => tags), in_order(ids), 'tags ' || tags::text)
FROM (VALUES
	('{"a": "1"}'::jsonb, 'a ab internal'), ('{"b": "1"}', 'b ab'), ('{"a": "1", "b": "1"}', 'ab'),
	('{"a": "2"}', 'a2'), ('{"a": ""}', 'empty'), ('{"a": "3"}', 'none'), ('{"c": "1"}', 'none'),
	('{"A": "1"}', 'A'), ('{"ä": "é"}', 'ä'), ('{"1": "a"}', 'none'),
	('{}', 'plain a b ab a2 A ä empty internal'),
	('{"resonate:external": "true"}', 'plain a b ab a2 A ä empty'),
	('{"resonate:external": "false"}', 'internal'),
	('{"resonate:external": "true", "a": "1"}', 'a ab'),
	('{"resonate:external": "false", "a": "1"}', 'internal')
) AS v (tags, ids);
SELECT is(found('a*', 'pending', '{"a": "1"}'), 'ab a', 'a pattern, a state and a tag');
SELECT is(found('a*', 'resolved', '{"a": "1"}'), 'none', 'no state');
SELECT is(found('b*', 'pending', '{"a": "1"}'), 'none', 'no pattern');
SELECT is(found('a*', 'pending', '{"b": "2"}'), 'none', 'no tag');

DELETE FROM resonate.promises;

--
-- Order and pages: newest first, and by id where that is equal.
--

CREATE FUNCTION make_page_rows(n integer) RETURNS void LANGUAGE plpgsql AS
$$
DECLARE
	id text;
BEGIN
	-- Not in the order of their ids; five at each instant, in three states, some
	-- without the tag, and others in between that no search asks for.
	FOR i IN 0 .. n - 1 LOOP
		PERFORM at(i / 5);
		id := format('page/%s', lpad((i * 7 % 100)::text, 2, '0'));
		PERFORM resonate.create_promise(id, '1 h',
			tags => CASE WHEN i % 4 < 3 THEN '{"é": "page"}'::jsonb END);
		PERFORM resonate.create_promise('other ' || id, '1 h', tags => '{"é": "page"}');
		IF i % 3 = 1 THEN
			PERFORM resonate.resolve(id);
		ELSIF i % 3 = 2 THEN
			PERFORM resonate.cancel(id);
		END IF;
	END LOOP;
END
$$;

-- All pages, "|" between them; at most 50.
CREATE FUNCTION pages(pattern text, state text, tags jsonb, count integer)
RETURNS text LANGUAGE plpgsql AS
$$
DECLARE
	result text;
	page text;
	next_cursor text;
BEGIN
	SELECT string_agg(substr(s.id, 6), ' ' ORDER BY n), max(s.cursor) INTO result, next_cursor
	FROM (SELECT row_number() OVER () AS n, *
		  FROM resonate.search_promises(pattern, state, tags, count)) AS s;
	FOR i IN 1 .. 50 LOOP
		EXIT WHEN next_cursor IS NULL;
		SELECT string_agg(substr(s.id, 6), ' ' ORDER BY n), max(s.cursor) INTO page, next_cursor
		FROM (SELECT row_number() OVER () AS n, *
			  FROM resonate.search_promises(cursor => next_cursor)) AS s;
		result := result || ' | ' || coalesce(page, '');
	END LOOP;
	RETURN result;
END
$$;

-- The same by a query on the table.
CREATE FUNCTION expected_pages(states text, wanted_tags jsonb, count integer) RETURNS text LANGUAGE sql AS
$$
	WITH rows AS (SELECT substr(p.id, 6) AS id,
				  row_number() OVER (ORDER BY p.created_at DESC, p.id DESC) - 1 AS n
				  FROM resonate.promises p
				  WHERE p.id LIKE 'page/%' AND p.tags @> coalesce(wanted_tags, '{}') AND
						(states IS NULL OR p.state::text = ANY (string_to_array(states, ' ')))),
		pages AS (SELECT n / count AS page, string_agg(id, ' ' ORDER BY n) AS ids FROM rows
				  GROUP BY n / count)
	SELECT string_agg(ids, ' | ' ORDER BY page) ||
		CASE WHEN (SELECT count(*) FROM rows) % count = 0 THEN ' | ' ELSE '' END
	FROM pages
$$;

SELECT make_page_rows(80);
SELECT is((SELECT count(*) FROM resonate.promises WHERE id LIKE 'page/%' AND tags ? 'é'), 60::bigint,
		  'sixty promises have the tag');
SELECT is(pages('page/*', v.state, t.tags, count), expected_pages(states, t.tags, count),
		  format('pages of %s, state %s, tags %s', count, v.state, t.tags))
FROM (VALUES (NULL, NULL), ('pending', 'pending'), ('resolved', 'resolved'),
	  ('rejected', 'rejected rejected_canceled rejected_timedout')) AS v (state, states)
CROSS JOIN (VALUES (7), (10), (20), (30), (59), (60), (61), (80), (100)) AS c (count)
CROSS JOIN (VALUES (NULL::jsonb), ('{"é": "page"}')) AS t (tags);
SELECT is(pages('page/*', NULL, NULL, 3), expected_pages(NULL, NULL, 3), 'pages of 3');
SELECT is(pages('page/*', 'pending', NULL, 1), expected_pages('pending', NULL, 1), 'pages of 1');
SELECT is(pages('page/*', NULL, NULL, 0), expected_pages(NULL, NULL, 100), '0 is the default page');
SELECT is(pages('page/*', NULL, NULL, NULL), expected_pages(NULL, NULL, 100), 'so is null');

SELECT is(array_agg(s.cursor IS NULL ORDER BY n), '{t,t,t,f}'::boolean[], 'only the last row has a cursor')
FROM (SELECT row_number() OVER () AS n, * FROM resonate.search_promises("limit" => 4)) AS s;
SELECT is(count(*), 0::bigint, 'a page that is not full has none')
FROM resonate.search_promises('page/1*', "limit" => 100) AS s WHERE s.cursor IS NOT NULL;

-- Filters beside a cursor are those of the cursor, or there are none.
SELECT s.cursor AS page_1 FROM resonate.search_promises('page/*', 'pending', '{"é": "page"}', 5) AS s
WHERE s.cursor IS NOT NULL \gset
SELECT is(found('page/*', 'pending', '{"é": "page"}', 5, :'page_1'), found(cursor => :'page_1'),
		  'the filters that the page has had');
SELECT is(found('*', 'PENDING', '{}', 1, :'page_1'), found(cursor => :'page_1'),
		  'what filters nothing is no filter, and the limit is not read');
SELECT throws_ok(format('SELECT resonate.search_promises(%s, cursor => %L)', filter, :'page_1'), '22023',
				 'argument "cursor" is of another search', 'a cursor with ' || filter)
FROM unnest(ARRAY['pattern => $$none$$', 'pattern => $$page/**$$', 'state => $$resolved$$', 'state => $$rejected$$',
				  'tags => $${"x": "y"}$$', 'tags => $${"é": "page", "x": "y"}$$',
				  'pattern => $$page/*$$, state => $$pending$$, tags => $${"é": "other"}$$']) AS filter;
SELECT throws_ok(format('SELECT resonate.search_promises(%s, cursor => %L)', filter, :'page_1'), code, NULL,
				 'a cursor with malformed ' || filter)
FROM (VALUES ('pattern => NULL', '22004'), ('pattern => $$$$', '22023'), ('state => $$none$$', '22023'),
	  ('tags => $$[]$$', '22023')) AS v (filter, code);
SELECT s.cursor AS any_tags FROM resonate.search_promises('page/*', "limit" => 5) AS s WHERE s.cursor IS NOT NULL \gset
SELECT throws_ok(format('SELECT resonate.search_promises(tags => %L, cursor => %L)', '{"é": "page"}', :'any_tags'),
				 '22023', 'argument "cursor" is of another search', 'a filter that the cursor has not');
SELECT is(found(cursor => :'page_1'), found(cursor => :'page_1'), 'a cursor can be used again');

-- Rows that come and go between pages.
SELECT found(cursor => :'page_1') AS page_2 \gset
SELECT s.id AS last_id FROM resonate.search_promises('page/*', 'pending', '{"é": "page"}', 5) AS s
WHERE s.cursor IS NOT NULL \gset
DELETE FROM resonate.promises WHERE id = :'last_id';
SELECT is(found(cursor => :'page_1'), :'page_2', 'the last row of the page was deleted');
SELECT at(1000);
SELECT is((resonate.create_promise('page/new', '1 h', tags => '{"é": "page"}')).status, 2010, 'a new row');
SELECT is(found(cursor => :'page_1'), :'page_2', 'is not on a later page');
SELECT is(split_part(found('page/*', 'pending', '{"é": "page"}', 5), ' ', 1), 'page/new',
		  'but first on the first one');
DELETE FROM resonate.promises;
SELECT is(found(cursor => :'page_1'), 'none', 'all rows were deleted');

-- Deadlines that pass between pages, or on them.
SELECT at(0);
SELECT is((resonate.create_promise('lapse/' || n, make_interval(secs => CASE WHEN n % 2 = 0 THEN 1 ELSE 3600 END))).status,
		  2010, 'a promise')
FROM generate_series(1, 9) AS n;
SELECT is(found('lapse/*', 'pending', count => 4), 'lapse/9 lapse/8 lapse/7 lapse/6', 'a page of pending ones');
SELECT s.cursor AS page_1 FROM resonate.search_promises('lapse/*', 'pending', "limit" => 4) AS s
WHERE s.cursor IS NOT NULL \gset
SELECT at(1000);
SELECT is(found(cursor => :'page_1'), 'lapse/5 lapse/3 lapse/1', 'the next one, after some have lapsed');
SELECT is(found('lapse/*', 'pending', count => 4), 'lapse/9 lapse/7 lapse/5 lapse/3',
		  'a page is full although some on it have lapsed');
SELECT is(found('lapse/*', 'rejected', count => 3), 'lapse/8 lapse/6 lapse/4', 'and they are found where they belong');
SELECT is(string_agg(s.state, ' '), 'rejected_timedout rejected_timedout rejected_timedout rejected_timedout',
		  'as what they are')
FROM resonate.search_promises('lapse/*', 'rejected') AS s;
DELETE FROM resonate.promises;

--
-- Cursors that nobody was given: each is refused, whatever is wrong with it.
--

SELECT at(0);
SELECT is((resonate.create_promise('c' || n)).status, 2010, 'a promise') FROM generate_series(1, 3) AS n;
SELECT decode(s.cursor, 'base64') AS body FROM resonate.search_promises('c*', 'pending', '{"resonate:external": "true"}', 2) AS s
WHERE s.cursor IS NOT NULL \gset
-- Without the line breaks of encode().
CREATE FUNCTION base64(data bytea) RETURNS text LANGUAGE sql IMMUTABLE AS
$$
	SELECT replace(encode(data, 'base64'), E'\n', '')
$$;
SELECT is(found(cursor => base64(:'body'::bytea)), 'c1', 'the cursor as it was given');

CREATE FUNCTION crc32c(data bytea) RETURNS bigint LANGUAGE plpgsql IMMUTABLE AS
$$
DECLARE
	crc bigint := x'ffffffff'::bigint;
BEGIN
	FOR i IN 0 .. length(data) - 1 LOOP
		crc := crc # get_byte(data, i);
		FOR bit IN 1 .. 8 LOOP
			crc := (crc >> 1) # CASE WHEN crc & 1 = 1 THEN x'82f63b78'::bigint ELSE 0 END;
		END LOOP;
	END LOOP;
	RETURN crc # x'ffffffff'::bigint;
END
$$;
CREATE FUNCTION int4bytes(n bigint) RETURNS bytea LANGUAGE sql IMMUTABLE AS
$$
	SELECT decode(lpad(to_hex(n & x'ffffffff'::bigint), 8, '0'), 'hex')
$$;
-- A cursor with a right checksum over whatever it contains.
CREATE FUNCTION forge(body bytea) RETURNS text LANGUAGE sql IMMUTABLE AS
$$
	SELECT base64(int4bytes(crc32c(body)) || body)
$$;
CREATE FUNCTION cursor_body(version integer, states integer, size bigint, id bytea, pattern bytea, tags bytea)
RETURNS bytea LANGUAGE sql IMMUTABLE AS
$$
	SELECT set_byte('\x00', 0, version) || set_byte('\x00', 0, states) || int4bytes(size) ||
		'\x000003a352944000'::bytea || int4bytes(length(id)) || id ||
		int4bytes(length(pattern)) || pattern || tags
$$;
SELECT is(forge(substr(:'body'::bytea, 5)), base64(:'body'::bytea), 'the checksum is CRC-32C');
CREATE FUNCTION string_bytes(data bytea) RETURNS bytea LANGUAGE sql IMMUTABLE AS
$$
	SELECT int4bytes(length(data)) || data
$$;
SELECT int4bytes(-1) AS any \gset
SELECT is(found(cursor => forge(cursor_body(2, 0, 2, 'c2', '*', :'any'::bytea))), 'c1', 'the layout is known');
SELECT is(found(cursor => forge(cursor_body(2, 0, 2, 'c2', '*', int4bytes(1) || string_bytes('a') || string_bytes('b')))),
		  'none', 'with a tag');

SELECT throws_ok(format('SELECT resonate.search_promises(cursor => %L)', bad), '22023',
				 'invalid value for argument "cursor"', 'cursor ' || name)
FROM (VALUES
	('empty', ''), ('of a few letters', 'abc'), ('that is not base64', '*&^%$#@!'),
	('of zeros', base64(repeat('0', 40)::bytea)),
	('of another alphabet', 'äöü'),
	('cut by a byte', base64(substr(:'body'::bytea, 1, length(:'body'::bytea) - 1))),
	('with a byte more', base64(:'body'::bytea || '\x00')),
	('with a bit changed', base64(set_bit(:'body'::bytea, 100, 1 - get_bit(:'body'::bytea, 100)))),
	('of a checksum alone', forge('')),
	('cut short', forge(substr(cursor_body(2, 0, 2, 'c2', '*', :'any'), 1, 25))),
	('of version 0', forge(cursor_body(0, 0, 2, 'c2', '*', :'any'))),
	('of version 1', forge(cursor_body(1, 0, 2, 'c2', '*', int4bytes(0)))),
	('of version 3', forge(cursor_body(3, 0, 2, 'c2', '*', :'any'))),
	('of state group 6', forge(cursor_body(2, 6, 2, 'c2', '*', :'any'))),
	('of state group 255', forge(cursor_body(2, 255, 2, 'c2', '*', :'any'))),
	('with limit 0', forge(cursor_body(2, 0, 0, 'c2', '*', :'any'))),
	('with limit 101', forge(cursor_body(2, 0, 101, 'c2', '*', :'any'))),
	('with limit -1', forge(cursor_body(2, 0, -1, 'c2', '*', :'any'))),
	('with a length beyond its end', forge(set_byte(cursor_body(2, 0, 2, 'c2', '*', :'any'), 17, 200))),
	('with a negative length', forge(set_byte(cursor_body(2, 0, 2, 'c2', '*', :'any'), 14, 255))),
	('without tags', forge(cursor_body(2, 0, 2, 'abcdefgh', '*', ''))),
	('of the place after an empty id', forge(cursor_body(2, 0, 2, '', '*', :'any'))),
	('of the place after an id too long', forge(cursor_body(2, 0, 2, repeat('x', 1025)::bytea, '*', :'any'))),
	('of an id with a zero byte', forge(cursor_body(2, 0, 2, '\x6100', '*', :'any'))),
	('of an id that is not UTF-8', forge(cursor_body(2, 0, 2, '\xff', '*', :'any'))),
	('of an id that is cut in a character', forge(cursor_body(2, 0, 2, '\xe697', '*', :'any'))),
	('with an empty pattern', forge(cursor_body(2, 0, 2, 'c2', '', :'any'))),
	('with a pattern too long', forge(cursor_body(2, 0, 2, 'c2', repeat('*', 3074)::bytea, :'any'))),
	('with a pattern that has a zero byte', forge(cursor_body(2, 0, 2, 'c2', '\x2a00', :'any'))),
	('with a pattern that is not UTF-8', forge(cursor_body(2, 0, 2, 'c2', '\x2af0', :'any'))),
	('with -2 tags', forge(cursor_body(2, 0, 2, 'c2', '*', int4bytes(-2)))),
	('with fewer tags than it says', forge(cursor_body(2, 0, 2, 'c2', '*', int4bytes(2) || string_bytes('a') || string_bytes('b')))),
	('with the most tags', forge(cursor_body(2, 0, 2, 'c2', '*', int4bytes(2147483647)))),
	('with half a tag', forge(cursor_body(2, 0, 2, 'c2', '*', int4bytes(1) || string_bytes('a')))),
	('with a tag longer than it is', forge(cursor_body(2, 0, 2, 'c2', '*', int4bytes(1) || string_bytes('a') || int4bytes(2147483647)))),
	('with a tag that is not UTF-8', forge(cursor_body(2, 0, 2, 'c2', '*', int4bytes(1) || string_bytes('a') || string_bytes('\xc3')))),
	('with a tag that has a zero byte', forge(cursor_body(2, 0, 2, 'c2', '*', int4bytes(1) || string_bytes('\x00') || string_bytes('b')))),
	('that goes on after its end', forge(cursor_body(2, 0, 2, 'c2', '*', int4bytes(0) || '\x00'))),
	('of tasks', 'c2'), ('of schedules', 'some schedule')
) AS v (name, bad);

SELECT is_empty('SELECT * FROM resonate.check_invariants()', 'invariants hold');
SELECT finish();
ROLLBACK;
