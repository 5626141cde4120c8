-- What runs the inputs of the fuzzer inside the server, many in one round trip,
-- each in a subtransaction of its own.
CREATE SCHEMA fuzz;

-- What is wrong with an answer of the wire protocol; NULL if nothing is.
CREATE FUNCTION fuzz.fault(request jsonb, answer jsonb) RETURNS text
	LANGUAGE plpgsql STABLE AS
$$
DECLARE
	-- What is no UTF-8 is not even read, so the answer cannot be like it.
	can_be_unread boolean := getdatabaseencoding() = 'SQL_ASCII' AND
		answer @> '{"kind": "unknown", "head": {"status": 400}}';
	status numeric := CASE jsonb_typeof(answer #> '{head,status}')
		WHEN 'number' THEN (answer #> '{head,status}')::numeric END;
	sent jsonb := CASE WHEN jsonb_typeof(request) = 'object' THEN request ELSE '{}' END;
BEGIN
	IF jsonb_typeof(answer) IS DISTINCT FROM 'object' OR
	   (answer - ARRAY['kind', 'head', 'data']) <> '{}' OR
	   NOT answer ?& ARRAY['kind', 'head', 'data']
	THEN
		RETURN 'the answer is not an envelope';
	ELSIF coalesce(status NOT IN (200, 300, 400, 403, 404, 409, 422), true) THEN
		RETURN 'the status is ' || coalesce(status::text, 'not a number');
	ELSIF (jsonb_typeof(answer -> 'data') = 'string') = (status IN (200, 300)) THEN
		RETURN 'the data do not go with the status';
	ELSIF can_be_unread THEN
		RETURN NULL;
	ELSIF jsonb_typeof(sent -> 'kind') = 'string' AND
		  answer -> 'kind' <> sent -> 'kind'
	THEN
		RETURN 'the kind is another';
	ELSIF jsonb_typeof(sent #> '{head,corrId}') = 'string' AND
		  jsonb_typeof(sent -> 'head') = 'object' AND
		  answer #> '{head,corrId}' <> sent #> '{head,corrId}'
	THEN
		RETURN 'the correlation id is another';
	END IF;
	RETURN NULL;
END
$$;

-- Runs inputs; "r" is the body of a request and "c" a statement.  An outcome is
-- a status, or where an error came from and its SQLSTATE.
CREATE FUNCTION fuzz.run(kinds text[], inputs bytea[],
						 OUT n integer, OUT outcome text, OUT detail text)
RETURNS SETOF record LANGUAGE plpgsql AS
$$
DECLARE
	source text;
	stage text;
	request jsonb;
	answer jsonb;
	rendered text;
	status text;
	encoding text := getdatabaseencoding();
BEGIN
	FOR i IN 1 .. cardinality(inputs) LOOP
		n := i;
		detail := NULL;
		BEGIN
			stage := 'input';
			source := convert_from(inputs[i], encoding);
			IF kinds[i] = 'r' THEN
				request := source::jsonb;
				stage := 'call';
				answer := resonate.resonate_rpc(request);
				detail := fuzz.fault(request, answer);
				outcome := coalesce((answer #>> '{head,status}'), '') ||
					coalesce('/' || (answer #>> '{data,action,head,status}'), '');
				rendered := answer::text;
			ELSE
				stage := 'call';
				EXECUTE source INTO rendered, status;
				outcome := coalesce(status, 'done');
			END IF;
			IF detail IS NOT NULL THEN
				outcome := 'fault';
			END IF;
		EXCEPTION WHEN OTHERS THEN
			outcome := stage || ':' || SQLSTATE;
			-- Without bytes that a client could stumble over.
			detail := encode(convert_to(SQLERRM, encoding), 'escape');
		END;
		RETURN NEXT;
	END LOOP;
END
$$;
