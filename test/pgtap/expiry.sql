-- What nobody takes goes: messages that were delivered once, messages that nobody has
-- asked for, and what would keep a promise from being pruned.
\ir helpers.psql
\ir background.psql

SELECT no_plan();

CREATE FUNCTION waiting() RETURNS text LANGUAGE sql AS
$$
	SELECT coalesce(string_agg(promise_id || '/' || kind, ' ' ORDER BY promise_id, kind), 'none')
	FROM resonate.messages
$$;
CREATE FUNCTION in_ms(setting text) RETURNS bigint LANGUAGE sql AS
$$
	SELECT s.setting::bigint * CASE s.unit WHEN 's' THEN 1000 ELSE 1 END
	FROM pg_settings AS s WHERE s.name = 'resonate.' || in_ms.setting
$$;
SELECT in_ms('delivered_retention') AS soon, in_ms('undelivered_retention') AS late,
	in_ms('visibility_timeout') AS hidden, in_ms('retention') AS history \gset

SELECT is(:soon, 3600000, 'what was delivered is kept for an hour by default');
SELECT is(:late, 86400000, 'what was not, for a day');

--
-- expire
--

SELECT is((resonate.create_promise(id, '1 h')).status, 2010, 'a promise')
FROM unnest('{asked, unasked, received, posted}'::text[]) AS id;
SELECT is(listen(id, 'poll://uni@g/' || id), 200, 'a listener')
FROM unnest('{asked, unasked}'::text[]) AS id;
SELECT is((resonate.create_callback(id, 'c', address)).status, 2010, 'a callback')
FROM (VALUES ('received', 'poll://any@g'), ('unasked', 'poll://any@u'), ('posted', 'https://host/'))
AS v (id, address);
SELECT is((resonate.resolve(id)).status, 2010, 'settled')
FROM unnest('{asked, unasked, received, posted}'::text[]) AS id;
SELECT is((SELECT count(*) FROM resonate.dequeue_unblock('poll://uni@g/asked')), 1::bigint,
		  'one is dequeued');
SELECT is((SELECT string_agg(promise_id, ' ') FROM resonate.receive('poll://any@g', 1)), 'received',
		  'one is received');
SELECT is(waiting(), 'asked/listener posted/callback received/callback unasked/callback unasked/listener',
		  'all messages are there');

SELECT at(:hidden + :soon - 1);
SELECT is(steps(), 'none', 'for a while');
SELECT at(:hidden + :soon);
SELECT is(steps(), 'expire 1', 'what was dequeued goes first,');
SELECT is(waiting(), 'posted/callback received/callback unasked/callback unasked/listener',
		  'if it was of a listener; what was received was not acknowledged');
SELECT at(:late - 1);
SELECT is((resonate.create_promise('late', '1 min')).status, 2010, 'another');
SELECT is(listen('late', 'poll://uni@g/late'), 200, 'is listened to');
SELECT is((resonate.resolve('late')).status, 2010, 'and settled');
SELECT is(steps(), 'none', 'and the others stay for a day');
SELECT messages_expired AS was FROM resonate.stats \gset
SELECT at(:late);
SELECT is(step(2), 'expire 2', 'then nobody waits for them any more');
SELECT is(step(2), 'expire 1', 'a batch at a time');
SELECT is(step(2), 'idle 0', 'and no others');
SELECT is(waiting(), 'late/listener received/callback', 'one was asked for later, one came later');
SELECT is((SELECT messages_expired FROM resonate.stats), :was::bigint, 'they count when they are committed');

-- Whoever asks keeps a message.
SELECT at(:late + :hidden - 1);
SELECT is((SELECT string_agg(promise_id, ' ') FROM resonate.receive('poll://any@g', 1)), 'received',
		  'received again');
SELECT at(:late + 2 * :hidden);
SELECT is(waiting(), 'late/listener received/callback', 'it is kept,');
SELECT at(2 * :late + 2 * :hidden - 2);
SELECT is(steps(), 'expire 1', 'for a day from when it could be received last');
SELECT is(waiting(), 'received/callback', 'longer than what nobody has');
SELECT at(2 * :late + 2 * :hidden - 1);
SELECT is(steps(), 'expire 1', 'and goes then');
SELECT is(resonate.acknowledge('received', 'c'), 4040, 'so that there is nothing to acknowledge');

-- Settings.
SELECT throws_ok($$SET resonate.delivered_retention = 5$$, '55P02', NULL, 'no setting of a session');
SELECT throws_ok($$SET resonate.undelivered_retention = 5$$, '55P02', NULL, 'nor is the other');

-- A batch reads what it takes, not what waits.
DELETE FROM resonate.messages;
DELETE FROM resonate.promises;
SELECT at(0);
SELECT is(count(*), 5000::bigint, 'many messages')
FROM resonate.create_promises((SELECT jsonb_agg(jsonb_build_object('id', 'm' || n, 'timeout', 3600000))
							   FROM generate_series(1, 5000) AS n));
INSERT INTO resonate.messages (created_at, due_at, attempt, kind, promise_id, callback_id, address)
SELECT 4000000000000 + n, 4000000000000 + n, 0, 'callback', 'm' || n, 'c', 'poll://any@g'
FROM generate_series(1, 5000) AS n;
SELECT at(3000000);
SELECT fetched('resonate.messages') AS before \gset
SELECT is(step(), 'idle 0', 'a look at a backlog that is young');
SELECT cmp_ok(fetched('resonate.messages') - :before, '<', 100::bigint, 'reads next to nothing of it');
SELECT at(:late + 100);
UPDATE resonate.promises SET state = 'resolved', settled_at = created_at;
SELECT fetched('resonate.messages') AS before \gset
SELECT is(step(50), 'expire 50', 'a batch of it');
SELECT cmp_ok(fetched('resonate.messages') - :before, '<', 400::bigint, 'reads that batch');
DELETE FROM resonate.messages;
DELETE FROM resonate.promises;

--
-- prune
--

SELECT at(0);
SELECT is((resonate.create_promise(id, '1 h')).status, 2010, 'a promise')
FROM unnest('{plain, dequeued, unheard, notified}'::text[]) AS id;
SELECT is(listen('dequeued', 'poll://uni@g/d'), 200, 'a listener');
SELECT is((resonate.create_callback('unheard', 'c', 'poll://any@g')).status, 2010, 'a callback');
SELECT is((resonate.create_callback('notified', 'c', 'notify://chan')).status, 2010, 'a notification');
SELECT is((resonate.resolve(id)).status, 2010, 'settled')
FROM unnest('{plain, dequeued, unheard, notified}'::text[]) AS id;
SELECT is((SELECT count(*) FROM resonate.dequeue_unblock('poll://uni@g/d')), 1::bigint, 'dequeued');
SELECT is(resonate.prune(ts(-1)), 0, 'what is younger stays');
SELECT is(waiting(), 'dequeued/listener notified/callback unheard/callback', 'with its messages');
SELECT is(resonate.prune(ts(0)), 3, 'messages do not hold a promise');
SELECT is(waiting(), 'notified/callback', 'but one that has to be sent, and go with theirs');
SELECT is(step(), 'deliver 1', 'when that is sent,');
SELECT is(resonate.prune(ts(0)), 1, 'it can go as well');

-- A workflow that waits for its job or for a signal, which never comes.
SELECT is((resonate.create_promise_and_task('w', 'me', '1 min', '1 h',
		  tags => '{"resonate:target": "poll://any@g"}')).status, 2010, 'a workflow');
SELECT is((resonate.create_promise('signal', timeout_at => 'infinity')).status, 2010, 'a signal');
SELECT is((resonate.create_promise('job', '1 h')).status, 2010, 'a job');
SELECT is((resonate.suspend_task('w', 1, '{signal, job}')).status, 2000, 'it waits for both');
SELECT is((resonate.resolve('job')).status, 2010, 'the job is done');
SELECT is((resonate.acquire_task('w', 1, 'me', '1 min')).status, 2000, 'it goes on');
SELECT is((resonate.fulfill_task('w', 2, 'resolved')).status, 2000, 'and ends');
SELECT is((SELECT string_agg(awaited_id || ' < ' || awaiter_id, ', ') FROM resonate.awaiters),
		  'signal < w', 'the signal still has it on its list');
SELECT is(resonate.prune(ts(0)), 2, 'which does not hold it');
SELECT is((SELECT count(*) FROM resonate.awaiters), 0::bigint, 'and goes with it');
SELECT is((resonate.resolve('signal')).status, 2010, 'the signal comes, and nobody minds');

SELECT is_empty('SELECT * FROM resonate.check_invariants()', 'invariants hold');
SELECT finish();
ROLLBACK;
