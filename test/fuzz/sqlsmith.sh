#!/usr/bin/env bash
#
# sqlsmith.sh
#
# Has sqlsmith (Debian: sqlsmith) make up queries against a private database
# with the extension, assertions on, the worker running and data of every kind;
# first as a superuser, then as a member of resonate_worker.  In the environment:
#
#	QUERIES=n	how many for each of the two, 1000 by default
#	SEED=n		1 by default
#
# Fails when a server process ends, an assertion fails, an invariant is broken, or
# a file of the extension reports an internal error (XX...).  Those that the
# server reports are shown: it has some of its own for such queries.
#
set -euo pipefail

# shellcheck source=scripts/lib.sh
. "$(dirname "${BASH_SOURCE[0]}")/../../scripts/lib.sh"
if [[ -z ${RSN_WORKDIR:-} ]]; then
	set -- "${QUERIES:-1000}" "${SEED:-1}"
fi
rsn_enter test/fuzz/sqlsmith.sh "$@"
queries=$1 seed=$2

command -v sqlsmith >/dev/null ||
	rsn_die "there is no sqlsmith; it is a package of that name"

# A query that waits or loops is not a find; what it was doing is logged.
rsn_build_and_install DEBUG=1
rsn_cluster_start sqlsmith "statement_timeout = '2s'" \
	"log_error_verbosity = verbose" "log_min_messages = warning" \
	"track_functions = all" "resonate.retention = 1"
psql -Xq -v ON_ERROR_STOP=1 -o /dev/null -f test/fuzz/sqlsmith.sql

# How often functions of the extension have returned.
calls()
{
	psql -XqAt -c "SELECT coalesce(sum(calls), 0) FROM pg_stat_user_functions
		WHERE schemaname = 'resonate'"
}

# How often a file of the extension has raised an error.
refusals()
{
	awk -v files="$(find src -name '*.c' -printf '%f ')" '
		BEGIN {
			n = split(files, names, " ")
			for (i = 1; i <= n; i++)
				ours[names[i]] = 1
		}
		/ LOCATION:/ {
			file = $NF
			sub(/:[0-9]+$/, "", file)
			count += file in ours
		}
		END { print count + 0 }
	' "$(rsn_cluster_log)"
}

# Runs the queries as the role $1; a lost connection ends sqlsmith, and shows
# in the log of the server.
smith()
{
	local before after refused_before

	before=$(calls)
	refused_before=$(refusals)
	rsn_job 3600 sqlsmith --verbose "--seed=$seed" "--max-queries=$queries" \
		--exclude-catalog "--target=host=$PGHOST port=$PGPORT dbname=postgres
		user=$1 options='-csearch_path=smith,pg_catalog'" \
		>"$RSN_WORKDIR/$1.out" 2>"$RSN_WORKDIR/$1.err" ||
		{ tail -n 5 "$RSN_WORKDIR/$1.err"; failed=1; }
	# Its counts have been flushed when its session is gone.
	while [[ $(psql -XqAt -c "SELECT count(*) FROM pg_stat_activity
		WHERE query LIKE '%smith%' AND pid <> pg_backend_pid()") -gt 0 ]]; do
		sleep 0.1
	done
	after=$(calls)
	echo "$1: $queries queries, seed $seed; functions of the extension returned $((after - before)) times and raised $(($(refusals) - refused_before)) errors"
}

failed=0
smith postgres
smith smith
[[ -z $(psql -XqAt -c 'SELECT resonate.check_invariants()') ]] ||
	{ echo "FAILED: broken invariants"; failed=1; }

log=$(rsn_cluster_log)
awk -v files="$(find src -name '*.c' -printf '%f ')" '
	# The parts of a message follow each other, each with the same process.
	BEGIN {
		n = split(files, names, " ")
		for (i = 1; i <= n; i++)
			ours[names[i]] = 1
	}
	/ (ERROR|FATAL|PANIC):  XX[0-9A-Z]*:/ { message = $0; next }
	/ LOCATION:/ && message != "" {
		file = $NF
		sub(/:[0-9]+$/, "", file)
		sub(/.*ERROR:  /, "", message)
		print (file in ours ? "ours: " : "server: ") message " at " $NF
		found = found || file in ours
		message = ""
	}
	END { exit found }
' "$log" | sort | uniq -c | sort -rn | cut -c1-300 | sed -n 1,30p || failed=1
exit "$failed"
