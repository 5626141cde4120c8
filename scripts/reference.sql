--
-- Writes the reference manual, in Markdown, from the comments and privileges
-- of the database it runs in.  Comments of functions start with "Public." or
-- "Private."; private functions are left out.
--
\set QUIET on
\pset format unaligned
\pset tuples_only on
SET client_min_messages = warning;
SET TIME ZONE 'UTC';
CREATE EXTENSION resonate;

-- A cell of a table: one line, and no bars.
CREATE FUNCTION pg_temp.cell(content text) RETURNS text LANGUAGE sql
	AS $$ SELECT replace(replace(coalesce(content, ''), E'\n', ' '), '|', '\|') $$;

-- The roles other than the owner that may do this.
CREATE FUNCTION pg_temp.grantees(acl aclitem[], privilege text) RETURNS text
	LANGUAGE sql
	AS $$
		SELECT string_agg(name, ', ' ORDER BY name COLLATE "C")
		FROM (SELECT CASE WHEN grantee = 0 THEN 'PUBLIC'
					 ELSE pg_get_userbyid(grantee)::text END
			  FROM aclexplode(acl)
			  WHERE privilege_type = privilege AND grantee <> grantor)
			AS names (name)
	$$;

SELECT $$# Reference

Generated from the comments in the database by `make docs`; do not edit.$$;

--
-- Functions and procedures.
--

SELECT E'\n## Functions and procedures';

SELECT format(E'\n### %s\n\n```sql\n%s %s.%s(%s)%s\n```\n\n%s\n\n%s',
			  proname ||
			  CASE WHEN count(*) OVER (PARTITION BY proname) > 1
			  THEN CASE prokind WHEN 'p' THEN ' (procedure)'
				   ELSE ' (function)' END
			  ELSE '' END,
			  CASE prokind WHEN 'p' THEN 'PROCEDURE' ELSE 'FUNCTION' END,
			  quote_ident(nspname), quote_ident(proname),
			  CASE WHEN pg_get_function_arguments(p.oid) = '' THEN ''
			  ELSE E'\n    ' ||
				   replace(pg_get_function_arguments(p.oid), ', ', E',\n    ') ||
				   E'\n' END,
			  E' RETURNS ' || pg_get_function_result(p.oid),
			  regexp_replace(obj_description(p.oid, 'pg_proc'),
							 '^Public\.\s*', ''),
			  'May be called by: ' ||
			  coalesce(pg_temp.grantees(proacl, 'EXECUTE'),
					   'the owner only') || '.')
FROM pg_proc p JOIN pg_namespace n ON n.oid = pronamespace
WHERE nspname = 'resonate'
	AND obj_description(p.oid, 'pg_proc') LIKE 'Public.%'
ORDER BY proname COLLATE "C", prokind, pg_get_function_arguments(p.oid) COLLATE "C";

--
-- Tables, views and composite types.
--

SELECT E'\n## Tables and views';

SELECT format(E'\n### %s\n\n%s\n\n%s\n\n| column | type | comment |\n|---|---|---|\n%s',
			  relname, pg_temp.cell(obj_description(c.oid, 'pg_class')),
			  'May be read by: ' ||
			  coalesce(pg_temp.grantees(relacl, 'SELECT'),
					   'the owner only') || '.',
			  (SELECT string_agg(format('| `%s` | `%s` | %s |', attname,
										format_type(atttypid, atttypmod),
										pg_temp.cell(col_description(c.oid, attnum))),
								 E'\n' ORDER BY attnum)
			   FROM pg_attribute
			   WHERE attrelid = c.oid AND attnum > 0 AND NOT attisdropped))
FROM pg_class c JOIN pg_namespace n ON n.oid = relnamespace
WHERE nspname = 'resonate' AND relkind IN ('r', 'v', 'p')
ORDER BY relkind <> 'v', relname COLLATE "C";

SELECT E'\n## Types';

SELECT format(E'\n### %s\n\n%s\n\n%s', typname,
			  pg_temp.cell(obj_description(t.oid, 'pg_type')),
			  CASE typtype
			  WHEN 'e' THEN
				  'Labels: ' ||
				  (SELECT string_agg('`' || enumlabel || '`', ', '
									 ORDER BY enumsortorder)
				   FROM pg_enum WHERE enumtypid = t.oid) || '.'
			  WHEN 'c' THEN
				  E'| member | type |\n|---|---|\n' ||
				  (SELECT string_agg(format('| `%s` | `%s` |', attname,
											format_type(atttypid, atttypmod)),
									 E'\n' ORDER BY attnum)
				   FROM pg_attribute
				   WHERE attrelid = typrelid AND attnum > 0
					   AND NOT attisdropped)
			  ELSE 'Domain over `' || format_type(typbasetype, typtypmod) || '`.'
			  END)
FROM pg_type t JOIN pg_namespace n ON n.oid = typnamespace
	LEFT JOIN pg_class c ON c.oid = typrelid
WHERE nspname = 'resonate' AND typcategory <> 'A'
	AND (typtype IN ('e', 'd') OR (typtype = 'c' AND relkind = 'c'))
ORDER BY typname COLLATE "C";

--
-- Configuration.
--

LOAD 'resonate';

SELECT E'\n## Configuration';
SELECT E'\n| parameter | default | set by | meaning |\n|---|---|---|---|';

SELECT format('| `%s` | `%s`%s | %s | %s |', name,
			  CASE WHEN boot_val = '' THEN 'empty' ELSE boot_val END,
			  coalesce(' ' || unit, ''),
			  CASE context
			  WHEN 'user' THEN 'anyone'
			  WHEN 'superuser' THEN 'superusers'
			  WHEN 'sighup' THEN 'configuration file, reload'
			  WHEN 'postmaster' THEN 'configuration file, restart'
			  ELSE context END,
			  pg_temp.cell(concat_ws(' ', short_desc, extra_desc,
						   'One of: ' || array_to_string(enumvals, ', ') || '.')))
FROM pg_settings
WHERE name LIKE 'resonate.%'
ORDER BY name COLLATE "C";
