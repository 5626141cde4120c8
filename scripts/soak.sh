#!/usr/bin/env bash
#
# soak.sh HOURS
#
# Runs everything that is decided by a seed, with seeds that were not run before,
# one round after the other until that many hours are over: the simulation in
# every scenario, concurrent histories, crashes, and the fuzzers.  Before that, the
# suites that call the server most on servers with assertions.  Stops at the
# first failure, which has printed how to repeat it.  In the environment:
#
#	SEED		the first seed; by default the time, so that no two soaks are the
#				same
#	ROUND_SEEDS	how many seeds of a scenario make a round (200)
#
# Ends with a table of what was run.
#
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

# Bash counts on from what SECONDS is set to.
SECONDS=0
end_s=$(awk -v "hours=$1" 'BEGIN { printf "%d", hours * 3600 }')
first=${SEED:-$(date +%s)}
seeds=${ROUND_SEEDS:-200}
jobs=$(nproc)
round=0
unset SEED ROUND_SEEDS HOURS MAKEFLAGS MAKELEVEL

report()
{
	printf '%s rounds in %s s, seeds from %s\n' "$round" "$SECONDS" "$first"
	printf 'a round: %s seeds of each of 3 scenarios and %s of crash, %s\n' \
		"$seeds" $((seeds / 10)) \
		"50 histories, 5 crash rounds, 100000 fuzzed calls"
}

trap report EXIT

# Runs a command and prints the last lines of what it says; all of it if it fails.
summarize()
{
	local lines=$1 log
	shift
	log=$(mktemp)
	if ! env "$@" >"$log" 2>&1; then
		cat "$log"
		echo "soak: failed: $*"
		rm -f "$log"
		exit 1
	fi
	tail -n "$lines" "$log"
	rm -f "$log"
}

summarize 2 scripts/asserts.sh regress isolation pgtap tap

while [[ $SECONDS -lt $end_s ]]; do
	seed=$((first + round * seeds))
	for scenario in default fault lazy; do
		summarize 1 SCENARIO="$scenario" SEED="$seed" SEEDS="$seeds" \
			JOBS="$jobs" test/dst/run.sh
	done
	summarize 1 SCENARIO=crash SEED="$seed" SEEDS=$((seeds / 10)) \
		JOBS="$jobs" test/dst/run.sh
	summarize 1 RSN_SEED="$seed" RSN_HISTORIES=50 test/linearizability/run.sh
	summarize 1 RSN_SEED="$seed" RSN_CRASH_ROUNDS=5 \
		RSN_TAP=test/t/030_crash_rounds.pl scripts/check.sh tap
	summarize 1 SEED="$seed" INPUTS=100000 test/fuzz/sql.sh
	summarize 4 SEED="$seed" SECONDS=30 test/fuzz/run.sh
	summarize 1 SEED="$seed" QUERIES=500 test/fuzz/sqlsmith.sh
	round=$((round + 1))
done
