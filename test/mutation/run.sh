#!/usr/bin/env bash
#
# run.sh [MUTANT|PATCH...]
#
# How well the tests watch the background: launcher, worker, signal, hand-over and
# delivery.  Changes one line of it after the other, as mutate.py says, builds,
# and runs the tests that concern them until one of them fails.  A mutant that all of them
# pass has survived: it changes nothing that matters, or a test is missing.  Prints
# TAP with a line for each mutant, and the score at the end: killed, survived, and
# those that do not compile, which do not count.  Where none is named, these are the
# defects in test/mutation/planted, each of which has to be killed, and then a sample.
# Variables of the environment:
#
#	RSN_MUTANTS		how many to draw (40)
#	RSN_SEED		from which seed (1)
#	RSN_SHARD		K/N: only the K-th of every N of them, to run N at once
#	RSN_LIMIT		how many seconds the tests of one mutant may take (300); one that
#					takes longer is killed, since it hangs
#	RSN_MUTATION_TAP	which files of test/t to run
#
# A survivor of the sample fails nothing; how many there are is for people to judge.  The
# output goes to RSN_OUTDIR, or to test/mutation/out.
#
set -euo pipefail
# shellcheck source=scripts/lib.sh
. "$(dirname "${BASH_SOURCE[0]}")/../../scripts/lib.sh"

if [[ -z ${RSN_WORKDIR:-} ]]; then
	export RSN_OUTDIR=${RSN_OUTDIR:-$RSN_ROOT/test/mutation/out}
fi
rsn_enter test/mutation/run.sh "$@"

limit_s=${RSN_LIMIT:-300}
out=${RSN_OUT:?}
mutate=test/mutation/mutate.py
# The quick ones first; they run side by side.
tap=${RSN_MUTATION_TAP:-064_background 013_handoff 017_clock 016_looks \
	010_prepared 009_no_preload 061_turns 063_orphans 008_drop 012_settings_and_log \
	002_worker 041_locked 060_switch 062_failures_show 042_failures}
regress="message callback task"
isolation="background_locks race_sweep race_messages task_process_timeouts"
declare -A names=()
number=0 killed=0 survived=0 invalid=0 failed=0

# How long tests wait for what does not come: most mutants die of that.
export PG_TEST_TIMEOUT_DEFAULT=${RSN_PATIENCE:-60}

build()
{
	rsn_build_and_install DEBUG=1 >"$1" 2>&1
}

# One file of test/t, with a directory of its own.
run_tap()
{
	local work=$RSN_WORKDIR/tests/$1 pgxs

	mkdir -p "$work"
	pgxs=$(dirname "$("$PG_CONFIG" --pgxs)")
	cd "$RSN_ROOT" &&
		TESTDIR=$work TESTDATADIR=$work TESTLOGDIR=$work/log PGPORT=6543 \
			PG_REGRESS=$pgxs/../test/regress/pg_regress \
			exec timeout -k 5 "$limit_s" perl -I "$pgxs/../test/perl" -I test/t \
			"test/t/$1.pl"
}

# Regression and isolation tests, on a cluster of their own.
run_installcheck()
{
	rsn_cluster_start "mutant" &&
		timeout -k 5 "$limit_s" make installcheck PG_CONFIG="$PG_CONFIG" \
			REGRESS="$regress" ISOLATION="$isolation"
}

# Ends what still runs of a mutant's tests.
end_tests()
{
	local pid

	for pid in "${!names[@]}"; do
		kill -TERM -- "-$pid" 2>/dev/null || :
	done
	wait 2>/dev/null || :
	names=()
	rsn_stop_servers "$RSN_WORKDIR"
	rm -rf "$RSN_WORKDIR/tests" "$RSN_WORKDIR/mutant"*
}

# Runs all tests side by side; prints the first that fails.
first_failure()
{
	local test pid

	names=()
	set -m
	for test in installcheck $tap; do
		if [[ $test == installcheck ]]; then
			run_installcheck >"$out/$test.log" 2>&1 </dev/null &
		else
			run_tap "$test" >"$out/$test.log" 2>&1 </dev/null &
		fi
		names[$!]=$test
	done
	set +m
	while [[ ${#names[@]} -gt 0 ]]; do
		for pid in "${!names[@]}"; do
			test=${names[$pid]}
			if grep -q '^not ok ' "$out/$test.log"; then
				echo "$test: $(grep -m 1 '^not ok ' "$out/$test.log")"
				break 2
			fi
			! kill -0 "$pid" 2>/dev/null || continue
			unset "names[$pid]"
			if ! wait "$pid"; then
				echo "$test"
				break 2
			fi
		done
		sleep 1
	done
	end_tests
}

# Changes the sources, and says how.
plant()
{
	rm -rf "$RSN_WORKDIR/src"
	cp -Rp src "$RSN_WORKDIR/src"
	if [[ $1 == *.patch ]]; then
		patch -p1 -s <"$1" && grep '^[-+][^-+]' "$1"
	else
		"$mutate" apply "$1"
	fi
}

# Takes that back; what was changed is compiled again.
take_back()
{
	local file

	for file in src/*.c src/*/*.c; do
		cmp -s "$file" "$RSN_WORKDIR/$file" ||
			cp "$RSN_WORKDIR/$file" "$file"
	done
}

check_mutant()
{
	local mutant=$1 change killer

	number=$((number + 1))
	change=$(plant "$mutant")
	if ! build "$out/build.log"; then
		invalid=$((invalid + 1))
		echo "ok $number - $mutant # SKIP it does not compile"
	else
		killer=$(first_failure)
		if [[ -n $killer ]]; then
			killed=$((killed + 1))
			echo "ok $number - $mutant is killed by $killer"
		elif [[ $mutant == *.patch ]]; then
			survived=$((survived + 1))
			failed=$((failed + 1))
			echo "not ok $number - $mutant survives"
		else
			survived=$((survived + 1))
			echo "not ok $number - $mutant survives # TODO judge it"
		fi
	fi
	echo "#   ${change//$'\n'/$'\n#   '}"
	take_back
}

mutants=("$@")
[[ ${#mutants[@]} -gt 0 ]] ||
	mapfile -t mutants < <(printf '%s\n' test/mutation/planted/*.patch &&
		"$mutate" sample "${RSN_MUTANTS:-40}" "${RSN_SEED:-1}")
shard=${RSN_SHARD:-1/1}

build "$out/build.log" || rsn_die "the extension does not compile"
killer=$(first_failure)
[[ -z $killer ]] || rsn_die "without a mutant, $killer fails; see $out"
for i in "${!mutants[@]}"; do
	if [[ $((i % ${shard#*/})) -eq $((${shard%/*} - 1)) ]]; then
		check_mutant "${mutants[i]}"
	fi
done
echo "1..$number"
echo "# $killed killed, $survived survived, of $((killed + survived)); $invalid do not compile"
[[ $failed -eq 0 ]]
