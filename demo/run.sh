#!/usr/bin/env bash
#
# run.sh [DIR]
#
# The demonstration: one promise for each file under DIR (by default the
# PostgreSQL include directory), settled with its SHA-256 by four worker
# processes, across the kill of a worker and a crash of the server.  Fails
# unless everything it claims was seen to be true.
#
set -euo pipefail

# shellcheck source=scripts/lib.sh
. "$(dirname "${BASH_SOURCE[0]}")/../scripts/lib.sh"

# Before the working directory changes, for DIR may be relative to it.
directory=${1:-$("$(rsn_find_pg_config)" --includedir-server)}
directory=$(realpath -m -- "$directory")
rsn_enter demo/run.sh "$directory"

# First what is quick to refuse.
python3 demo/files.py "$directory" "$RSN_WORKDIR/files.json"

echo "Building the extension and starting a private server with it."
rsn_build_and_install
# Unlike the tests, the demonstration promises something about disks.
rsn_cluster_start demo "fsync = on"
psql -Xq -v ON_ERROR_STOP=1 -c "CREATE EXTENSION resonate" \
	-c "CREATE ROLE demo LOGIN IN ROLE resonate_client"

status=0
PGUSER=demo rsn_job "${RSN_TIMEOUT:-7200}" python3 -u demo/demo.py \
	"$directory" "$RSN_WORKDIR/files.json" "$RSN_WORKDIR/computations.log" ||
	status=$?
if [[ $status -ne 0 ]]; then
	echo "---- what the server complained about" >&2
	grep -E ' (WARNING|ERROR|FATAL|PANIC): ' "$(rsn_cluster_log demo)" |
		tail -n 20 >&2 || :
fi
exit "$status"
