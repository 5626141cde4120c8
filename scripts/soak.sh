#!/usr/bin/env bash
#
# soak.sh HOURS
#
# Runs everything that is decided by a seed, with seeds that were not run before,
# one round after the other until that many hours are over: the simulation in
# every scenario, concurrent histories, crashes, and the fuzzers.  Stops at the
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

while [[ $SECONDS -lt $end_s ]]; do
	seed=$((first + round * seeds))
	for scenario in default fault lazy; do
		SCENARIO=$scenario SEED=$seed SEEDS=$seeds JOBS=$jobs \
			test/dst/run.sh | tail -n 1
	done
	SCENARIO=crash SEED=$seed SEEDS=$((seeds / 10)) JOBS=$jobs \
		test/dst/run.sh | tail -n 1
	RSN_SEED=$seed RSN_HISTORIES=50 test/linearizability/run.sh | tail -n 3
	RSN_SEED=$seed RSN_CRASH_ROUNDS=5 RSN_TAP=test/t/030_crash_rounds.pl \
		scripts/check.sh tap
	SEED=$seed INPUTS=100000 test/fuzz/sql.sh | tail -n 1
	SEED=$seed SECONDS=30 test/fuzz/run.sh | tail -n 4
	SEED=$seed QUERIES=500 test/fuzz/sqlsmith.sh | tail -n 1
	round=$((round + 1))
done
