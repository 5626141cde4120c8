-- Configuration parameters.
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

-- All of them.
SELECT name, vartype, boot_val, unit, context, min_val, max_val, enumvals
FROM pg_settings WHERE name LIKE 'resonate.%' ORDER BY name COLLATE "C";
\x on
SELECT name, short_desc, extra_desc FROM pg_settings WHERE name LIKE 'resonate.%' ORDER BY name COLLATE "C";
\x off

-- default_timeout
SELECT timeout_at FROM resonate.create_promise('default');
SET resonate.default_timeout = '1h';
SELECT timeout_at FROM resonate.create_promise('an hour');
SET resonate.default_timeout = 0;
SELECT status, state FROM resonate.create_promise('nothing');
SET resonate.default_timeout = 2147483647;
SELECT timeout_at FROM resonate.create_promise('the longest');
RESET resonate.default_timeout;

-- visibility_timeout
SELECT status FROM resonate.create_promise_and_callback('v', 'c', 'poll://any@g');
SELECT status FROM resonate.resolve('v');
SET resonate.visibility_timeout = '1min';
SELECT visible_at FROM resonate.receive('poll://any@g');
RESET resonate.visibility_timeout;

-- profile
SELECT status FROM resonate.create_promise('sdk', tags => '{"resonate:scope": "global", "resonate:external": "false"}');
SELECT status FROM resonate.create_callback('sdk', 'c', 'poll://any@g');
SET resonate.profile = 'strict';
SELECT status FROM resonate.create_promise('strict', tags => '{"resonate:scope": "global", "resonate:external": "false"}');
SELECT status FROM resonate.create_callback('strict', 'c', 'poll://any@g');
RESET resonate.profile;

-- test_clock counts only while debug is on.
SELECT created_at FROM resonate.create_promise('virtual');
SET resonate.test_clock = '0';
SELECT created_at FROM resonate.create_promise('the epoch');
SET resonate.debug = off;
SELECT created_at BETWEEN now() - interval '1 min' AND now() + interval '1 min' AS is_real
FROM resonate.create_promise('real', timeout_at => 'infinity');
SET resonate.debug = on;
SET resonate.test_clock = '';
SELECT created_at BETWEEN now() - interval '1 min' AND now() + interval '1 min' AS is_real
FROM resonate.create_promise('real too', timeout_at => 'infinity');
RESET resonate.test_clock;
SHOW resonate.test_clock;
SET resonate.test_clock = '-1';
SET resonate.test_clock = '1e3';
SET resonate.test_clock = '12 ms';
SET resonate.test_clock = ' ';
SET resonate.test_clock = 'now';
SET resonate.test_clock = '9223372036854775808';
SET resonate.test_clock = '9223372036854775807';
SHOW resonate.test_clock;
RESET resonate.test_clock;

-- These belong into the configuration file.
SET resonate.delivery_batch_size = 1;
SET resonate.notify_payload = 'record';
SET resonate.prune_batch_size = 1;
SET resonate.retention = 0;
SET resonate.retry_interval = 1;
SET resonate.sweep_batch_size = 1;

-- What the server refuses by itself, by SQLSTATE.
\set VERBOSITY sqlstate
SET resonate.default_timeout = -1;
SET resonate.default_timeout = '1 fortnight';
SET resonate.default_timeout = '25 days';
SET resonate.visibility_timeout = -1;
SET resonate.profile = 'lenient';
SET resonate.test_clock = 'now';
SET resonate.retention = 0;
\set VERBOSITY default

-- There are no others.
SET resonate.sweep_batchsize = 1;

DELETE FROM resonate.messages;
DELETE FROM resonate.callbacks;
DELETE FROM resonate.promises;
