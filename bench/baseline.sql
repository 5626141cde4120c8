--
-- What plain SQL would write, beside the extension: the same tables with the
-- same indexes, but with no constraint, trigger or function to pay for.
--

CREATE SCHEMA plain;

-- Whatever tables the extension has, down to their storage parameters.
DO $$
DECLARE
	original record;
BEGIN
	FOR original IN
		SELECT relname, reloptions
		FROM pg_catalog.pg_class
		WHERE relkind = 'r' AND relnamespace = 'resonate'::regnamespace
	LOOP
		EXECUTE format('CREATE TABLE plain.%1$I (LIKE resonate.%1$I'
					   ' INCLUDING DEFAULTS INCLUDING INDEXES'
					   ' INCLUDING STORAGE INCLUDING COMPRESSION)',
					   original.relname);
		IF original.reloptions IS NOT NULL THEN
			EXECUTE format('ALTER TABLE plain.%I SET (%s)', original.relname,
						   array_to_string(original.reloptions, ', '));
		END IF;
	END LOOP;
END
$$;

-- What the extension gives a promise that comes without tags.  (In a script,
-- pgbench would take the colon for the start of a variable.)
ALTER TABLE plain.promises
	ALTER tags SET DEFAULT '{"resonate:external": "true"}';

-- The cheapest way to such a time.  A plan has the expression in its place.
CREATE FUNCTION plain.now_ms() RETURNS bigint
	LANGUAGE sql STABLE
	RETURN (date_part('epoch', now()) * 1000)::bigint;
