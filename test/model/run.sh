#!/usr/bin/env bash
#
# Checks lease.pml with spin, exhaustively in the scopes below, and prints TAP:
# each property with the number of states, then that each property is found
# violated by the protocol that is broken on purpose, and that what is of
# interest happens at all.  README.md says what the properties and scopes are.
#
#	RSN_JOBS	how many checks at once (2)
#
set -euo pipefail
model=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)/lease.pml

# Scopes: any single fault while time passes as it likes; two of them in less
# time; and, for what must happen in the end, faults that stop.
declare -A scopes=(
	[one]="-DFAULTS=1 -DSLOW=NEVER -DBEATS=1 -DLEFT_W=3 -DLEFT_A=2"
	[two]="-DFAULTS=2 -DSLOW=NEVER -DBEATS=0 -DLEFT_W=2 -DLEFT_A=1"
	[endless]="-DFAULTS=1 -DSLOW=2 -DBEATS=1 -DLEFT_W=NEVER -DLEFT_A=NEVER"
	[mortal]="-DFAULTS=2 -DSLOW=1 -DBEATS=0 -DLEFT_W=2 -DLEFT_A=NEVER -DMORTAL"
)

# Assertions, which the scopes "one" and "two" check, and what breaks them.
safety=(
	"COMPLETION|at most one completion of a promise is accepted|a settlement decides on what was read before the lock"
	"HOLDER|a stale holder never succeeds|the guard does not compare versions"
	"DISPATCH|no execute is handed out, and no lease given, once the promise is over|an offer does not look at the deadline"
	"VERSION|the version never falls, and counts acquisitions|a lease that ends takes its version back"
	"RESUME|no resume is lost between a suspend and a settlement|a suspend does not lock what it awaits"
	"EXCLUSIVE|at most one lease is valid at a time|a task that is held can be acquired"
	"LEASE|a lease that was extended in time is not ended|the sweep does not look again under the lock"
	"RECORD|what is stored of task, lease and promise agrees|a resume ignores that the task is over"
)

reachable=(
	"RESUME|a suspended task is resumed"
	"REDIRECT|a suspend finds the awaited promise settled"
	"FENCE|the holder settles another promise"
	"HEARTBEAT|a lease is extended after its end, before the sweep"
	"EXPIRY|the sweep ends a lease"
	"SECOND|a second holder fulfills the task"
	"STALE|the fulfill of a first holder comes while the second holds the lease"
	"TIMEOUT|the deadline passes while the task is held"
)

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
number=0
failed=0

# run NAME OPTIMIZATION "DEFINITIONS": safety; its output is in $work/NAME.
# Stopped early, or with part of the states left out, it says so there.
run_checker()
{
	local name=$1 optimize=$2 directory=$work/$1.d kind=-DSAFETY
	local search=()

	shift 2
	if [[ $* == *LIVENESS* || $* == *DEADLINE* ]]; then
		kind=-DNFAIR=4
		search=(-a -f)
	fi
	mkdir "$directory"
	cd "$directory"
	cp "$model" lease.pml
	if spin -a "$@" lease.pml && gcc "$optimize" -w "$kind" -o pan pan.c; then
		./pan -m1000000 "${search[@]}"
	fi >"$work/$name" 2>&1 || echo "failed" >>"$work/$name"
	rm -rf "$directory"
}

# Starts one in the background, when there are not too many.
start()
{
	while [[ $(jobs -pr | wc -l) -ge ${RSN_JOBS:-2} ]]; do
		wait -n || :
	done
	# shellcheck disable=SC2086  # the definitions are words
	run_checker "$1" "$2" $3 &
}

report()
{
	number=$((number + 1))
	if [[ $1 -eq 0 ]]; then
		echo "ok $number - $2"
	else
		echo "not ok $number - $2"
		sed 's/^/# /' "$3" | head -n 40
		failed=$((failed + 1))
	fi
}

states()
{
	sed -nE 's/^ *([0-9.e+]+) states, stored.*/\1/p' "$1" |
		awk '{ printf "%d states", $1 }'
	sed -nE 's/.*depth reached ([0-9]+).*/, depth \1/p' "$1" | tr -d '\n'
}

# True when the whole state space was searched without an error.
is_clean()
{
	grep -q 'errors: 0$' "$1" &&
		! grep -qE '^failed|max search depth too small|out of memory|MEMLIM|Search not completed' "$1"
}

# True when it stopped at a violation of the given kind.
is_violated()
{
	grep -qE "pan:1: $2" "$1" && grep -q 'errors: 1$' "$1"
}

# What has not been executed in any of the scopes.
unreached()
{
	local scope

	for scope in "${!scopes[@]}"; do
		sed -nE '/"-end-"/d
			s/.*(lease\.pml:[0-9]+), state [0-9]+(, .*)/\1\2/p' \
			"$work/$scope" | sort -u
	done | sort | uniq -c |
		awk -v all="${#scopes[@]}" '$1 == all { $1 = ""; print }'
}

report_safety()
{
	local line name title scope status=0
	local summary=

	for scope in one two; do
		is_clean "$work/$scope" || status=1
		summary+="${summary:+; }$(states "$work/$scope")"
	done
	for line in "${safety[@]}"; do
		IFS='|' read -r name title _ <<<"$line"
		report "$status" "$title ($summary)" "$work/one"
	done
}

report_liveness()
{
	local status=0

	is_clean "$work/endless" || status=1
	report "$status" "once faults stop, a worker resolves the promise without any deadline ($(states "$work/endless"))" "$work/endless"
	status=0
	is_clean "$work/mortal" || status=1
	report "$status" "even if no worker comes back, the promise is settled at its deadline ($(states "$work/mortal"))" "$work/mortal"
}

report_broken()
{
	local line name title broken status

	for line in "${safety[@]}"; do
		IFS='|' read -r name title broken <<<"$line"
		status=0
		is_violated "$work/BREAK_$name" 'assertion violated' || status=1
		report "$status" "found where $broken: $title ($(states "$work/BREAK_$name"))" "$work/BREAK_$name"
	done
	for line in "LIVENESS|an offer that got lost is not repeated" \
		"DEADLINE|the sweep leaves targeted promises alone"; do
		IFS='|' read -r name broken <<<"$line"
		status=0
		is_violated "$work/BREAK_$name" 'acceptance cycle' || status=1
		report "$status" "found where $broken: the promise is settled in the end ($(states "$work/BREAK_$name"))" "$work/BREAK_$name"
	done
	for line in "${reachable[@]}"; do
		IFS='|' read -r name title <<<"$line"
		status=0
		is_violated "$work/REACH_$name" 'assertion violated' || status=1
		report "$status" "it happens that $title" "$work/REACH_$name"
	done
	status=0
	unreached >"$work/unreached"
	[[ ! -s $work/unreached ]] || status=1
	report "$status" "every statement of the model is executed" "$work/unreached"
}

if ! command -v spin >/dev/null || ! command -v gcc >/dev/null; then
	echo "${0##*/}: spin and gcc are needed (Debian: spin, gcc)" >&2
	exit 1
fi

for scope in one two; do
	start "$scope" -O2 "-DALL ${scopes[$scope]}"
done
start endless -O2 "-DCHECK_LIVENESS ${scopes[endless]}"
start mortal -O2 "-DCHECK_DEADLINE ${scopes[mortal]}"
for line in "${safety[@]}"; do
	start "BREAK_${line%%|*}" -O0 \
		"-DCHECK_${line%%|*} -DBREAK_${line%%|*} ${scopes[one]}"
done
start BREAK_LIVENESS -O0 "-DCHECK_LIVENESS -DBREAK_LIVENESS ${scopes[endless]}"
start BREAK_DEADLINE -O0 "-DCHECK_DEADLINE -DBREAK_DEADLINE ${scopes[mortal]}"
for line in "${reachable[@]}"; do
	start "REACH_${line%%|*}" -O0 "-DREACH_${line%%|*} ${scopes[one]}"
done
wait

report_safety
report_liveness
report_broken
echo "1..$number"
[[ $failed -eq 0 ]]
