#!/usr/bin/env bash
#
# Compiles each test/unit/*_test.c with the server-free sources, under the
# address and undefined-behaviour sanitizers, and runs the programs; they
# print TAP and may read test/transitions.csv, their only argument.
#
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
# shellcheck source=scripts/lib.sh
. scripts/lib.sh

tests=(test/unit/*_test.c)
[[ -e ${tests[0]} ]] || rsn_die "there are no unit tests"

build=$(mktemp -d)
trap 'rm -rf "$build"' EXIT


compile()
{
	"${CC:-gcc}" -std=c99 -g -O1 -Wall -Wextra -Werror -Wshadow \
		"-fsanitize=address,undefined" -fno-sanitize-recover=all -Isrc "$@"
}

objects=()
for source in "${rsn_pure_sources[@]}"; do
	objects+=("$build/$(basename "$source" .c).o")
	compile -c -o "${objects[-1]}" "$source"
done
programs=()
for test in "${tests[@]}"; do
	programs+=("$build/$(basename "$test" .c)")
	compile -o "${programs[-1]}" "$test" "${objects[@]}"
done

prove --norc --exec '' "${programs[@]}" :: test/transitions.csv
