#!/usr/bin/env bash
#
# run.sh [DEFECT...]
#
# Shows that the tests bite.  Runs the simulation and the linearizability check
# on the extension as it is, which must be clean, and then with each defect of
# this directory (or those whose names begin with what is given): at least one of
# them has to find it.  Prints TAP, and the table at the end: defect, found by,
# seeds needed.  Variables of the environment:
#
#	RSN_SEEDS		seeds of the simulation at most (20), each of RSN_TICKS (1000)
#	RSN_HISTORIES	concurrent histories at most (50), each of RSN_OPS (400)
#	RSN_FIRST		1 to leave a defect alone once one of them has found it
#
# The output of each run goes to RSN_OUTDIR, or to test/defects/out.
#
set -euo pipefail
# shellcheck source=scripts/lib.sh
. "$(dirname "${BASH_SOURCE[0]}")/../../scripts/lib.sh"

# Built where the compiler finds its modules; the copy of the sources has them, too.
if [[ -z ${RSN_WORKDIR:-} ]]; then
	(cd "$RSN_ROOT/test" && go build -o dst/dst ./dst &&
		go build -o linearizability/linearizability ./linearizability)
	export RSN_OUTDIR=${RSN_OUTDIR:-$RSN_ROOT/test/defects/out}
fi
rsn_enter test/defects/run.sh "$@"

seeds=${RSN_SEEDS:-20}
histories=${RSN_HISTORIES:-50}
limit_s=${RSN_TIMEOUT:-3600}
number=0
failed=0
out=${RSN_OUT:?}
table=$RSN_WORKDIR/table

# Only what has changed is compiled.  A new session loads the new library, and
# a server that has preloaded it is started again.
build()
{
	rsn_build_and_install DEBUG=1 WERROR=1 >"$1" 2>&1
}

# Runs the simulation with its output in the file $1, and what it keeps in the
# directory $2.
simulate()
{
	rsn_cluster_start simulation "shared_preload_libraries = ''" \
		"autovacuum = off" "restart_after_crash = on"
	rsn_job "$limit_s" test/dst/dst -scenario default -seed 1 -seeds "$seeds" \
		-ticks "${RSN_TICKS:-1000}" -out "$2" \
		"$PGPORT=$RSN_WORKDIR/simulation" >"$1" 2>&1
}

# The same with the linearizability check.
race()
{
	rsn_cluster_start linearizability "resonate.retention = -1"
	rsn_job "$limit_s" test/linearizability/linearizability -seed 1 \
		-histories "$histories" -ops "${RSN_OPS:-400}" \
		-out "$2" >"$1" 2>&1
}

# Each defect meets empty tables and a server that knows nothing of the last one.
remove_cluster()
{
	[[ -d $RSN_WORKDIR/$1 ]] || return 0
	rsn_cluster_stop "$1" immediate >/dev/null 2>&1 || :
	rm -rf "${RSN_WORKDIR:?}/$1" "$RSN_WORKDIR/$1.log" \
		"$RSN_WORKDIR/$1.initdb.log"
}

# The seed at which a program stopped, from its output; all of them begin at 1.
# One that failed without having found anything has no such line, or says that
# it came to something that its model does not know.
failing_seed()
{
	! grep -q 'not modelled$' "$1" || return 0
	sed -nE 's/^(linearizability: )?seed ([0-9]+)(: | fails ).*/\2/p' "$1" |
		head -n 1
}

# Runs "simulate" or "race": prints "clean", the number of seeds it took to find
# something, or "broken" if it did not run to an end.
try()
{
	local output=$out/$2.$1.log seed status=0

	mkdir -p "$out/$2"
	"$1" "$output" "$out/$2" || status=$?
	[[ $status -eq 0 ]] || cp "$(rsn_cluster_log)" "${output%.log}.server.log"
	remove_cluster simulation
	remove_cluster linearizability
	if [[ $status -eq 0 ]]; then
		echo clean
		return
	fi
	seed=$(failing_seed "$output")
	echo "${seed:-broken}"
}

report()
{
	number=$((number + 1))
	if [[ $1 -eq 0 ]]; then
		echo "ok $number - $2"
	else
		echo "not ok $number - $2"
		failed=$((failed + 1))
	fi
}

is_number()
{
	[[ $1 =~ ^[0-9]+$ ]]
}

# A line of the table, for people.
note()
{
	local by='' needed=''

	if is_number "$2"; then
		by=simulation
		needed=$2
	fi
	if is_number "$3"; then
		by+=${by:+, }linearizability
		needed+=${needed:+, }$3
	fi
	printf '%-32s %-28s %s\n' "$1" "${by:-nobody}" "${needed:--}" >>"$table"
}

check_clean()
{
	local simulated raced status=0

	build "$out/unpatched.build.log" ||
		rsn_die "the extension does not compile"
	simulated=$(try simulate unpatched)
	raced=$(try race unpatched)
	[[ $simulated == clean && $raced == clean ]] || status=1
	report "$status" "without a defect, $seeds seeds and $histories histories are clean (simulation: $simulated, linearizability: $raced)"

	# What fails anyway finds nothing.
	[[ $status -eq 0 ]] || rsn_die "the extension as it is is not clean; see $RSN_OUTDIR"
}

check_defect()
{
	local patch=$1 name simulated raced=skipped status=1

	name=$(basename "$patch" .patch)
	if ! patch -p1 -s <"$patch" || ! build "$out/$name.build.log"; then
		report 1 "$name applies and compiles without warnings"
		note "$name" broken broken
		return
	fi
	simulated=$(try simulate "$name")
	if [[ ${RSN_FIRST:-} != 1 ]] || ! is_number "$simulated"; then
		raced=$(try race "$name")
	fi
	patch -p1 -s -R <"$patch"
	if is_number "$simulated" || is_number "$raced"; then
		status=0
	fi
	report "$status" "$name is found (simulation: $simulated, linearizability: $raced)"
	note "$name" "$simulated" "$raced"
}

# The patches that were asked for.
list_defects()
{
	local wanted patch

	for patch in test/defects/*.patch; do
		[[ $# -gt 0 ]] || echo "$patch"
		for wanted in "$@"; do
			[[ $(basename "$patch") != "$wanted"* ]] || echo "$patch"
		done
	done
}

mapfile -t defects < <(list_defects "$@")
[[ ${#defects[@]} -gt 0 ]] || rsn_die "there is no such defect"

check_clean
for defect in "${defects[@]}"; do
	check_defect "$defect"
done
echo "1..$number"
printf '%-32s %-28s %s\n' defect 'found by' 'seeds needed' |
	cat - "$table" | tee "$out/table.txt" | sed 's/^/# /'
[[ $failed -eq 0 ]]
