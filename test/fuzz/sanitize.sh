#!/usr/bin/env bash
#
# sanitize.sh [ubsan | asan | valgrind]...
#
# Runs the regression suite with the extension under a memory checker, and fails
# when that finds something in the extension.
#
#	ubsan		the extension is built with the undefined-behaviour sanitizer of
#				gcc, which sees all of that in it
#	asan		the same with the address sanitizer, whose run-time library has to
#				be loaded into the server before all others.  What the server
#				allocates with palloc is carved out of larger blocks, so only
#				overruns of those are seen; the stack, globals and what malloc
#				gives are seen exactly.  The server of Debian 12 does not even
#				start so (it hangs in bindtextdomain); give another in PG_CONFIG
#	valgrind	every server process runs under memcheck (Debian: valgrind), which
#				also sees the use of what was never written.  A server that was
#				built with -DUSE_VALGRIND tells it about each palloc, and one with
#				--enable-cassert overwrites what is freed; that of Debian does
#				neither, so give your own in PG_CONFIG.  SUPPRESSIONS=file names
#				src/tools/valgrind.supp of the server's sources
#
# In the environment: SUITES="regress isolation sql", regress by default; "sql"
# is the fuzzer, with INPUTS and SEED as in sql.sh.  TESTS="batch task" runs only
# those of test/sql.
#
set -euo pipefail

# shellcheck source=scripts/lib.sh
. "$(dirname "${BASH_SOURCE[0]}")/../../scripts/lib.sh"
if [[ -z ${RSN_WORKDIR:-} ]]; then
	set -- "${SUITES:-regress}" "${INPUTS:-10000}" "${SEED:-1}" \
		"${TESTS:-}" "${SUPPRESSIONS:+$(realpath "$SUPPRESSIONS")}" "${@:-ubsan}"
fi
rsn_enter test/fuzz/sanitize.sh "$@"
suites=$1 inputs=$2 seed=$3 tests=$4 suppressions=$5
shift 5
found=$RSN_WORKDIR/found
# As in sql.sh, which says why.
export MALLOC_MMAP_THRESHOLD_=131072 MALLOC_TRIM_THRESHOLD_=131072
mkdir "$found"
failed=0

# Runs the suites against the server that is running.
run_suites()
{
	local suite log=$RSN_WORKDIR/suite.log start_s

	for suite in $suites; do
		start_s=$SECONDS
		case $suite in
			regress)
				make -s installcheck ISOLATION= PG_CONFIG="$PG_CONFIG" \
					${tests:+"REGRESS=$tests"}
				;;
			isolation)
				make -s installcheck REGRESS= PG_CONFIG="$PG_CONFIG"
				;;
			sql)
				psql -Xq -d postgres -c 'CREATE ROLE fuzz_worker' &&
					createdb fuzz &&
					psql -Xq -v ON_ERROR_STOP=1 -d fuzz \
						-c 'CREATE EXTENSION resonate' \
						-f test/fuzz/sql/harness.sql &&
					python3 test/fuzz/sql/main.py --database fuzz \
						--inputs "$inputs" --seed "$seed"
				;;
			*)
				rsn_die "there is no suite \"$suite\""
				;;
		esac >"$log" 2>&1 || {
			failed=1
			echo "FAILED: $suite"
			tail -n 40 "$log"
			[[ ! -s regression.diffs ]] || head -n 100 regression.diffs
		}
		echo "$1: $suite took $((SECONDS - start_s)) s"
	done
}

# What the checkers have written, some of it to the log of the server.
findings()
{
	find "$found" -type f -exec cat {} + | sed -E 's/==[0-9]+==//'
	cat "$(rsn_cluster_log)"
}

# Prints what was found; $1 is the checker and $2 a pattern that a finding in the
# extension matches.
report()
{
	local n

	n=$(findings | grep -cE "$2" || :)
	echo "$1: $n findings in the extension"
	[[ $n -ne 0 ]] || return 0
	failed=1
	findings | grep -E -A 12 "$2" | sed -n 1,200p
}

# Builds with sanitizers, which $1 lists, and runs under their run-time
# libraries, which the rest names.
run_sanitizer()
{
	local sanitizers=$1 name=$2 library preload=()

	for library in "${@:2}"; do
		preload+=("$(gcc -print-file-name="lib$library.so")")
	done
	# The server is built with -fwrapv, under which no sum is said to overflow.
	rsn_build_and_install DEBUG=1 COPT="-fsanitize=$sanitizers -fno-wrapv \
-fsanitize=float-cast-overflow -fno-omit-frame-pointer -O1 -g"
	# initdb has nothing to do with it.
	rsn_cluster_start "$name" "shared_preload_libraries = ''"
	rsn_cluster_stop
	echo "shared_preload_libraries = 'resonate'" \
		>>"$RSN_WORKDIR/$name/postgresql.conf"
	export ASAN_OPTIONS=detect_leaks=0:abort_on_error=1:log_path=$found/asan
	export UBSAN_OPTIONS=print_stacktrace=1:log_path=$found/ubsan
	LD_PRELOAD="${preload[*]}" timeout 10 "$("$PG_CONFIG" --bindir)/postgres" \
		-V >/dev/null ||
		rsn_die "this server does not start with ${preload[*]}; see above"
	LD_PRELOAD="${preload[*]}" rsn_cluster_start "$name"
	run_suites "$name"
	rsn_cluster_stop
	report "$name" 'runtime error:|ERROR: AddressSanitizer'
	make -s clean PG_CONFIG="$PG_CONFIG"
}

# Puts memcheck between whoever starts the server and the server.
wrap_server()
{
	local postgres option=

	[[ -z $suppressions ]] || option="--suppressions='$suppressions'"
	postgres=$("$PG_CONFIG" --bindir)/postgres
	mv "$postgres" "$postgres.checked"
	cat >"$postgres" <<-END
		#!/bin/sh
		exec valgrind --quiet --leak-check=no --trace-children=yes \\
			--read-var-info=no --num-callers=25 --log-file='$found/valgrind.%p' \\
			$option '$postgres.checked' "\$@"
	END
	chmod +x "$postgres"
}

run_valgrind()
{
	command -v valgrind >/dev/null || rsn_die "there is no valgrind"
	rsn_build_and_install DEBUG=1 \
		COPT="-O1 -g$(valgrind_flag)"
	rsn_cluster_start valgrind
	rsn_cluster_stop
	wrap_server
	rsn_cluster_start valgrind
	run_suites valgrind
	rsn_cluster_stop
	report valgrind '(at|by) 0x[0-9A-F]+: (resonate|rsn)_'
	make -s clean PG_CONFIG="$PG_CONFIG"
}

# What the extension shares with a server that talks to memcheck.
valgrind_flag()
{
	if "$RSN_PG_CONFIG" --configure | grep -q USE_VALGRIND; then
		echo " -DUSE_VALGRIND"
	fi
}

for checker in "$@"; do
	rm -f "$found"/*
	case $checker in
		ubsan)
			run_sanitizer undefined ubsan
			;;
		asan)
			run_sanitizer address,undefined asan ubsan
			;;
		valgrind)
			run_valgrind
			;;
		*)
			rsn_die "there is no checker \"$checker\""
			;;
	esac
done
exit "$failed"
