#!/usr/bin/env bash
#
# run.sh [-check FILE]
#
# Runs concurrent histories against a private server and checks that they are
# linearizable; see main.go.  Variables of the environment: RSN_SEED,
# RSN_HISTORIES, RSN_OPS, RSN_SESSIONS.  What is kept of a failure, the history,
# its visualization and the log of the server, goes to RSN_OUTDIR.
#
# With -check it only checks a history that was kept.
#
set -euo pipefail

# The only argument that is a path.
[[ ${1:-} != -check ]] || set -- -check "$(realpath -- "${2:?no FILE}")"
cd "$(dirname "${BASH_SOURCE[0]}")/../.."
# shellcheck source=scripts/lib.sh
. scripts/lib.sh

# Built where the compiler finds its modules; the copy of the sources that the
# server's user works in has the program, too.
if [[ -z ${RSN_WORKDIR:-} ]]; then
	(cd test && go build -o linearizability/linearizability ./linearizability)
	export RSN_OUTDIR=${RSN_OUTDIR:-$PWD/test/linearizability/out}
	if [[ ${1:-} == -check ]]; then
		mkdir -p "$RSN_OUTDIR"
		exec test/linearizability/linearizability "$@" -out "$RSN_OUTDIR"
	fi
fi

rsn_enter test/linearizability/run.sh "$@"
rsn_build_and_install DEBUG=1
rsn_cluster_start linearizability "resonate.retention = -1"

# The log of the server says why, when it was the server that stood still.
# shellcheck disable=SC2153  # RSN_OUT is not a misspelling
test/linearizability/linearizability \
	-seed "${RSN_SEED:-1}" \
	-histories "${RSN_HISTORIES:-50}" \
	-ops "${RSN_OPS:-400}" \
	-sessions "${RSN_SESSIONS:-8}" \
	-out "$RSN_OUT" ||
	{ cp "$(rsn_cluster_log linearizability)" "$RSN_OUT/server.log"; exit 1; }
