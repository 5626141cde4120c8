--
-- What an SDK sends, as functions, so that a script for pgbench can say it.  Each
-- answers the status; what an SDK would not expect is an error.
--
CREATE SCHEMA sdk;

-- The tags of a promise with a target, which is a branch of its own, and of a step,
-- which is in that of its root.
CREATE FUNCTION sdk.tags(root text, id text, address text) RETURNS jsonb
	IMMUTABLE LANGUAGE sql AS
$$
	SELECT jsonb_build_object('resonate:origin', root, 'resonate:parent', root,
			'resonate:prefix', root) ||
		CASE WHEN address IS NULL THEN
			jsonb_build_object('resonate:scope', 'local', 'resonate:branch', root)
		ELSE jsonb_build_object('resonate:scope', 'global', 'resonate:branch', id,
				'resonate:target', address)
		END
$$;

CREATE FUNCTION sdk.creation(root text, id text, address text) RETURNS jsonb
	LANGUAGE sql AS
$$
	SELECT jsonb_build_object('kind', 'promise.create', 'head', '{}'::jsonb,
		'data', jsonb_build_object('id', id,
			'timeoutAt', (extract(epoch FROM now()) * 1000)::bigint + 86400000,
			'param', jsonb_build_object('data', 'eyJhbW91bnQiOiAyNTB9'),
			'tags', sdk.tags(root, id, address)))
$$;

-- A value has a kilobyte.
CREATE FUNCTION sdk.settlement(id text) RETURNS jsonb LANGUAGE sql AS
$$
	SELECT jsonb_build_object('kind', 'promise.settle', 'head', '{}'::jsonb,
		'data', jsonb_build_object('id', id, 'state', 'resolved',
			'value', jsonb_build_object('data', repeat('abcd', 256))))
$$;

CREATE FUNCTION sdk.call(kind text, data jsonb) RETURNS int LANGUAGE plpgsql AS
$$
DECLARE
	answer jsonb := resonate.resonate_rpc(jsonb_build_object('kind', kind,
		'head', jsonb_build_object('corrId', 'c', 'version', '2026-04-01'),
		'data', data));
	status int := answer #>> '{head,status}';
BEGIN
	IF status NOT IN (200, 300) OR
		coalesce(answer #>> '{data,action,head,status}', '200') <> '200'
	THEN
		RAISE EXCEPTION '% answered %', kind, answer;
	END IF;
	RETURN status;
END
$$;

CREATE FUNCTION sdk.create_task(id text) RETURNS int LANGUAGE sql AS
$$
	SELECT sdk.call('task.create', jsonb_build_object('pid', 'worker',
		'ttl', 60000, 'action', sdk.creation(id, id, 'poll://any@worker')))
$$;

CREATE FUNCTION sdk.fence(id text, version int, action jsonb) RETURNS int
	LANGUAGE sql AS
$$
	SELECT sdk.call('task.fence',
		jsonb_build_object('id', id, 'version', version, 'action', action))
$$;

CREATE FUNCTION sdk.begin_step(id text, version int, step text) RETURNS int
	LANGUAGE sql AS
$$
	SELECT sdk.fence(id, version, sdk.creation(id, step, NULL))
$$;

CREATE FUNCTION sdk.end_step(id text, version int, step text) RETURNS int
	LANGUAGE sql AS
$$
	SELECT sdk.fence(id, version, sdk.settlement(step))
$$;

CREATE FUNCTION sdk.call_child(id text, version int, child text) RETURNS int
	LANGUAGE sql AS
$$
	SELECT sdk.fence(id, version, sdk.creation(id, child, 'poll://any@child'))
$$;

CREATE FUNCTION sdk.suspend(id text, version int, awaited text) RETURNS int
	LANGUAGE sql AS
$$
	SELECT sdk.call('task.suspend', jsonb_build_object('id', id,
		'version', version, 'actions', jsonb_build_array(jsonb_build_object(
			'kind', 'promise.register_callback', 'head', '{}'::jsonb,
			'data', jsonb_build_object('awaiter', id, 'awaited', awaited)))))
$$;

CREATE FUNCTION sdk.acquire(id text, version int) RETURNS int LANGUAGE sql AS
$$
	SELECT sdk.call('task.acquire', jsonb_build_object('id', id,
		'version', version, 'pid', 'worker', 'ttl', 60000))
$$;

CREATE FUNCTION sdk.fulfill(id text, version int) RETURNS int LANGUAGE sql AS
$$
	SELECT sdk.call('task.fulfill', jsonb_build_object('id', id,
		'version', version, 'action', sdk.settlement(id)))
$$;
