-- The acceptance tests of the protocol's specification, in the profile "sdk".
\set profile sdk
\ir at.psql
