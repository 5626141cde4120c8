#!/usr/bin/env bash
#
# run.sh [TARGET...]
#
# Fuzzes the server-free files: promise, task, cron, address, json, or those given.
#
# By itself it runs every file of corpus/TARGET and every prefix of it, which
# takes seconds and needs nothing but the compiler of the unit tests.  With
# RUNS=n or SECONDS=n in the environment it looks for new inputs with libFuzzer
# (Debian: clang, libclang-rt-dev) until so many inputs or seconds have gone to
# each target, then prints what they cover.  Either way the address and
# undefined-behaviour sanitizers watch.
#
#	SEED=n		the seed of libFuzzer, 1 by default
#	KEEP=1		puts what reaches new code into the corpus, and makes that
#				as small as covers the same
#
# An input that ends a target is left in test/fuzz/findings/, and the command
# that runs it again is printed.
#
set -euo pipefail

# Bash counts on from what the environment has set this to.
seconds=$SECONDS
runs=${RUNS:-0}

cd "$(dirname "${BASH_SOURCE[0]}")/../.."
# shellcheck source=scripts/lib.sh
. scripts/lib.sh

targets=("$@")
here=test/fuzz
[[ $# -gt 0 ]] || mapfile -t targets < <(basename -a -s .c "$here"/fuzz_*.c | sed 's/^fuzz_//')
build=$(mktemp -d)
trap 'rm -rf "$build"' EXIT

# What is checked at run time, besides what -fsanitize=undefined does.
flags=(-g -O1 -Wall -Wextra -Werror -Wshadow -fno-sanitize-recover=all -Isrc)

# Finds a program by its name, with the greatest version where it has one.
find_tool()
{
	local tool

	for tool in "$1" $(compgen -c "$1-" | grep -E "^$1-[0-9]+\$" | sort -rV); do
		if command -v "$tool" >/dev/null; then
			echo "$tool"
			return
		fi
	done
	rsn_die "there is no $1; libFuzzer needs the packages clang, llvm and libclang-rt-dev"
}

# Runs the corpus of a target with any compiler.
replay()
{
	local target=$1 files=()

	mapfile -t files < <(find "$here/corpus/$target" -type f | LC_ALL=C sort)
	[[ ${#files[@]} -gt 0 ]] || rsn_die "corpus/$target is empty"
	"${CC:-gcc}" -std=gnu99 "${flags[@]}" -fsanitize=address,undefined \
		-o "$build/$target" "$here/fuzz_$target.c" "$here/replay.c" \
		"${rsn_pure_sources[@]}"
	printf '%-8s ' "$target"
	"$build/$target" "${files[@]}" 2>"$build/log" && return
	tail -n 40 "$build/log" >&2
	return 1
}

# Makes a corpus as small as covers the same.
minimise()
{
	local target=$1

	mkdir "$build/$target.small"
	"$build/$target" -set_cover_merge=1 -use_value_profile=0 \
		"$build/$target.small" "$here/corpus/$target" "$build/$target.found" \
		>"$build/log" 2>&1
	rm -rf "$here/corpus/$target"
	cp -R "$build/$target.small" "$here/corpus/$target"
}

# Prints what of its sources the inputs of a target reach.
cover()
{
	local target=$1 covered=$build/$1.covered source

	"$cc" -std=gnu99 -g -O1 -Isrc -fprofile-instr-generate -fcoverage-mapping \
		-o "$covered" "$here/fuzz_$target.c" "$here/replay.c" "${rsn_pure_sources[@]}"
	find "$build/$target.found" "$here/corpus/$target" -type f -print0 |
		LLVM_PROFILE_FILE=$covered.%p.raw xargs -0 "$covered" \
			>/dev/null 2>"$build/log"
	"$profdata" merge -o "$covered.profdata" "$covered".*.raw
	for source in "src/core/$target.c" "src/core/${target}_"*.c; do
		[[ -f $source ]] || continue
		"$cov" report "$covered" "-instr-profile=$covered.profdata" "$source" |
			awk -v target="$target" -v source="$source" '/^TOTAL/ {
				printf "%-8s lines of %s covered: %s, functions: %s, branches: %s\n",
					target, source, $10, $7, $13
			}'
	done
}

# True when all that was found are inputs that took long, and do so no more: it
# was the machine that stood still.
is_stall()
{
	local input

	for input in "$here/findings/$1-"*; do
		[[ $input == *-timeout-* ]] &&
			"$build/$1" -timeout=20 "$input" >"$build/log.again" 2>&1 ||
			return
	done
	rm "$here/findings/$1-"*
	echo "$1: the machine has stood still; begun again"
}

# Looks for new inputs.
fuzz()
{
	local target=$1 options command status=0

	mkdir -p "$build/$target.found" "$here/findings"
	"$cc" -std=gnu99 "${flags[@]}" \
		-fsanitize=fuzzer,address,undefined,float-cast-overflow \
		-o "$build/$target" "$here/fuzz_$target.c" "${rsn_pure_sources[@]}"
	options=("-seed=${SEED:-1}" -max_len=400 -timeout=20 -use_value_profile=1
		-print_final_stats=1 "-artifact_prefix=$here/findings/$target-")
	[[ $runs -eq 0 ]] || options+=("-runs=$runs")
	[[ $seconds -eq 0 ]] || options+=("-max_total_time=$seconds")
	[[ ! -f $here/$target.dict ]] || options+=("-dict=$here/$target.dict")
	command=("$build/$target" "${options[@]}" "$build/$target.found"
		"$here/corpus/$target")
	"${command[@]}" >"$build/log" 2>&1 || status=$?
	if [[ $status -ne 0 ]] && is_stall "$target"; then
		status=0
		"${command[@]}" >"$build/log" 2>&1 || status=$?
	fi
	if [[ $status -ne 0 ]]; then
		tail -n 60 "$build/log" >&2
		echo "$target: SEED=${SEED:-1} found an input that ends it; to run those found again:" >&2
		echo "  cp $here/findings/$target-* $here/corpus/$target/ && $here/run.sh $target" >&2
		return 1
	fi
	awk -v target="$target" '
		/ cov: / { cover = $0; sub(/.* cov:/, "cov:", cover); sub(/ exec.*/, "", cover) }
		/^stat::number_of_executed_units/ { executions = $2 }
		/^stat::average_exec_per_sec/ { rate = $2 }
		END {
			printf "%-8s %d executions, %d a second, %s\n",
				target, executions, rate, cover
		}' "$build/log"
	[[ -z ${KEEP:-} ]] || minimise "$target"
	cover "$target"
}

for target in "${targets[@]}"; do
	[[ -f $here/fuzz_$target.c ]] || rsn_die "there is no target \"$target\""
	mkdir -p "$here/corpus/$target"
done
if [[ $runs -eq 0 && $seconds -eq 0 ]]; then
	for target in "${targets[@]}"; do
		replay "$target"
	done
	exit
fi
cc=$(find_tool clang)
profdata=$(find_tool llvm-profdata)
cov=$(find_tool llvm-cov)
for target in "${targets[@]}"; do
	fuzz "$target"
done
rmdir --ignore-fail-on-non-empty "$here/findings"
