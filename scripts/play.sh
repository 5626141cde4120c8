#!/usr/bin/env bash
#
# play.sh
#
# Builds the extension with assertions, starts a private server that has it in the
# database "play", and says how to reach it, until it is interrupted.  With RSN_LOG set
# to a level of log_min_messages, such as "debug1", the server logs from that level
# on, and what it logs is printed.
#
set -euo pipefail
# shellcheck source=scripts/lib.sh
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

rsn_enter scripts/play.sh "$@"
rsn_build_and_install DEBUG=1 >"$RSN_WORKDIR/build.log" 2>&1 || {
	cat "$RSN_WORKDIR/build.log"
	exit 1
}
rsn_cluster_start play ${RSN_LOG:+"log_min_messages = $RSN_LOG"}
createdb play
psql -XqAt -d play -c 'CREATE EXTENSION resonate'

cat <<END
    $(command -v psql) -h $PGHOST -p $PGPORT -U $PGUSER play
    the worker:  gdb -p $(psql -XqAt -d play -c 'SELECT worker_pid FROM resonate.stats')
    a session:   gdb -p \$(what SELECT pg_backend_pid() returns there)
    the log:     $(rsn_cluster_log)

The server runs until this program is interrupted.
END

if [[ -n ${RSN_LOG:-} ]]; then
	rsn_job 86400 tail -n 0 -F "$(rsn_cluster_log)"
else
	rsn_job 86400 sleep 86400
fi
