#!/usr/bin/env bash
#
# run.sh DIRECTORY CLUSTER
#
# Runs the tests that prepare.sh has put into DIRECTORY against the cluster with
# this name, which is running, and is stopped and started in the course of it.
# Its database must not have the extension yet.
#
set -euo pipefail

cd "$1"
set -a
# shellcheck source=/dev/null
. ./tools
set +a
status=0
RSN_CLUSTER=$2 node --import ./polyfill.mjs main.mjs || status=$?

# The tests that are published with the Rust SDK, as they are; they are ignored
# unless asked for, or the variable was set when they were compiled.
if [[ -n ${RSN_SDK_RUST_TESTS:-} ]]; then
	RESONATE_PG_URL="postgres://sdk_worker@${PGHOST//\//%2F}:$PGPORT/$PGDATABASE" \
		"$RSN_SDK_RUST_TESTS" --include-ignored >rust-tests.log 2>&1 || status=$?
	sed -n 's/^test \(.*\) \.\.\. ok$/ok - published with the Rust SDK: \1/p
		s/^test \([^ ]*\) \.\.\. .*/not ok - published with the Rust SDK: \1/p
		s/^/    /p' rust-tests.log
	grep -q '^test .* ok$' rust-tests.log ||
		echo "not ok - there are tests published with the Rust SDK"
fi
exit "$status"
