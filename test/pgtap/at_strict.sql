-- The acceptance tests of the protocol's specification, in the profile "strict".
\set profile strict
\ir at.psql
