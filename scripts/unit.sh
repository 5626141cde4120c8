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


programs=()
for test in "${tests[@]}"; do
	program=$build/$(basename "$test" .c)
	"${CC:-gcc}" -std=c99 -g -Wall -Wextra -Werror -Wshadow \
		-fsanitize=address,undefined -fno-sanitize-recover=all -Isrc \
		-o "$program" "$test" "${rsn_pure_sources[@]}"
	programs+=("$program")
done

prove --norc --exec '' "${programs[@]}" :: test/transitions.csv
