#!/usr/bin/env bash
#
# Deterministic simulation: drives the extension with a virtual clock, decided by
# one seed, against the model of test/oracle.  Arguments go to the simulator;
# these variables do as well:
#
#	SEED		the first seed (1)
#	SEEDS		how many seeds (1)
#	TICKS		how many actions a run has (1000)
#	SCENARIO	default, fault, lazy or crash; several are run in turn
#	JOBS		how many runs at once, each with a server of its own (1)
#	VERIFY		1 to run each seed twice and compare the logs
#
# Fails at the first run that is wrong, and prints what repeats it; its log goes
# to RSN_OUTDIR, or to test/dst/out.
#
set -euo pipefail
# shellcheck source=scripts/lib.sh
. "$(dirname "${BASH_SOURCE[0]}")/../../scripts/lib.sh"

# What is set by the caller reaches the second run by these names.
for name in SEED SEEDS TICKS SCENARIO JOBS VERIFY; do
	[[ -z ${!name:-} ]] || export "RSN_DST_$name=${!name}"
done
RSN_OUTDIR=${RSN_OUTDIR:-$RSN_ROOT/test/dst/out}

# Built where the compiler finds its modules; the copy of the sources has it, too.
if [[ -z ${RSN_WORKDIR:-} ]]; then
	(cd "$RSN_ROOT/test" && go build -o dst/dst ./dst)
fi
rsn_enter test/dst/run.sh "$@"

rsn_build_and_install DEBUG=1
servers=()
for ((job = 1; job <= ${RSN_DST_JOBS:-1}; job++)); do
	# No worker: it lives by the time of day.
	rsn_cluster_start "dst$job" "shared_preload_libraries = ''" \
		"autovacuum = off" "restart_after_crash = on"
	servers+=("$PGPORT=$RSN_WORKDIR/dst$job")
done
# shellcheck disable=SC2153  # rsn_enter sets RSN_OUT
options=(-seed "${RSN_DST_SEED:-1}" -seeds "${RSN_DST_SEEDS:-1}"
	-ticks "${RSN_DST_TICKS:-1000}" -out "$RSN_OUT")
[[ ${RSN_DST_VERIFY:-} != 1 ]] || options+=(-verify-determinism)
for scenario in ${RSN_DST_SCENARIO:-default}; do
	rsn_job "${RSN_TIMEOUT:-86400}" test/dst/dst \
		-scenario "$scenario" "${options[@]}" "$@" "${servers[@]}"
done
