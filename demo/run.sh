#!/usr/bin/env bash
#
# run.sh [DIR]
#
# The demonstration: a task whose children hash the files under DIR (by default
# the PostgreSQL include directory), executed by a coordinator and several
# hashers, across the kill of one, the pause of another, and a crash of the
# server, while a schedule fires.  Fails unless everything it claims was seen
# to be true.
#
set -euo pipefail

# shellcheck source=scripts/lib.sh
. "$(dirname "${BASH_SOURCE[0]}")/../scripts/lib.sh"

# Before the working directory changes, for DIR may be relative to it.  Any
# character may be in it, even a newline at the end.
directory=${1:-}
[[ -z $directory ]] ||
	IFS= read -r -d '' directory < <(realpath -mz -- "$directory")
rsn_enter demo/run.sh "$directory"

rsn_private_server
[[ -n $directory ]] ||
	directory=$(realpath -- "$("$PG_CONFIG" --includedir-server)")

# First what is quick to refuse.
python3 demo/files.py "$directory" "$RSN_WORKDIR/files.json"

echo "Building the extension for $("$RSN_PG_CONFIG" --version), and starting a private server with it."
rsn_build_and_install "-j$(nproc)"
# Unlike the tests, the demonstration promises something about disks.
rsn_cluster_start demo "fsync = on"
psql -Xq -v ON_ERROR_STOP=1 -c "CREATE EXTENSION resonate" \
	-c "CREATE ROLE demo LOGIN IN ROLE resonate_worker"

status=0
PGUSER=demo rsn_job "${RSN_TIMEOUT:-7200}" python3 -u demo/demo.py \
	"$directory" "$RSN_WORKDIR/files.json" "$RSN_WORKDIR/journal" ||
	status=$?
if [[ $status -ne 0 ]]; then
	echo "---- what the server complained about" >&2
	# Except about workers that were killed, or came while it was down.
	grep -E ' (WARNING|ERROR|FATAL|PANIC): ' "$(rsn_cluster_log demo)" |
		grep -vE 'the database system is|connection to client lost' |
		tail -n 20 >&2 || :
fi
exit "$status"
