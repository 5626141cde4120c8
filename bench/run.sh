#!/usr/bin/env bash
#
# run.sh [--quick] [--only SECTION,...]
#
# The benchmark, on a private server that writes to disk as one in production
# does.  A full run writes RESULTS.md and figures/ beside this script; any other
# writes them to out/, so that what is there of a full run stays.  RSN_OUTDIR
# names another place for both.  RSN_TIMEOUT limits the time, in seconds.
#
set -euo pipefail

# shellcheck source=scripts/lib.sh
. "$(dirname "${BASH_SOURCE[0]}")/../scripts/lib.sh"

# The commit that the tree is at, which its copy cannot tell.  Results are no
# reason to call it dirty.
describe_tree()
{
	local commit tree=(. ':!bench/RESULTS.md' ':!bench/figures' ':!bench/out')

	if ! commit=$(git -C "$RSN_ROOT" rev-parse --short HEAD 2>/dev/null); then
		echo unknown
	elif [[ -n $(git -C "$RSN_ROOT" status --porcelain -- "${tree[@]}") ]]; then
		echo "$commit-dirty"
	else
		echo "$commit"
	fi
}

if [[ -z ${RSN_WORKDIR:-} ]]; then
	RSN_COMMIT=${RSN_COMMIT:-$(describe_tree)}
	if [[ -z ${RSN_OUTDIR:-} ]]; then
		RSN_OUTDIR=$RSN_ROOT/bench
		[[ $# -eq 0 ]] || RSN_OUTDIR+=/out
	fi
fi
rsn_enter bench/run.sh "$@"

# First what is quick to refuse.
python3 bench/bench.py --check "$@"

echo "Building the extension and starting a private server with it."
rsn_build_and_install "-j$(nproc)"
mapfile -t settings <bench/postgresql.conf
rsn_cluster_start bench "${settings[@]}"

status=0
rsn_job "${RSN_TIMEOUT:-14400}" python3 -u bench/bench.py "$@" || status=$?
if [[ $status -ne 0 ]]; then
	echo "---- what the server complained about" >&2
	grep -E ' (WARNING|ERROR|FATAL|PANIC): ' "$(rsn_cluster_log bench)" |
		tail -n 20 >&2 || :
fi
exit "$status"
