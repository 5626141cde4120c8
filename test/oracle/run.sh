#!/usr/bin/env bash
#
# run.sh [GO-TEST-OPTION...]
#
# Runs the tests of the oracle, and then random requests against a private
# server, which it has to agree with.  Variables of the environment: RSN_SEED,
# RSN_STEPS.
#
set -euo pipefail

cd "$(dirname "${BASH_SOURCE[0]}")/../.."
. scripts/lib.sh

# Built where the compiler finds its modules; the copy of the sources that the
# server's user works in has the program, too.
if [[ -z ${RSN_WORKDIR:-} ]]; then
	(cd test && go vet ./oracle && go test -c -o oracle/oracle.test ./oracle)
fi

rsn_enter test/oracle/run.sh "$@"
rsn_build_and_install DEBUG=1
rsn_cluster_start oracle "resonate.retention = -1"
psql -Xqc 'CREATE EXTENSION resonate'
cd test/oracle
RSN_ORACLE=1 ./oracle.test "$@"
