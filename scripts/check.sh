#!/usr/bin/env bash
#
# check.sh [SUITE...]
#
# Runs the given suites, or all of them, and ends with the line
# "N passed, N failed", or "N passed, N failed, N skipped" if suites were skipped.
# Fails unless something passed and nothing failed.
#
#	setup		test/setup: what setup.sh looks for, and what it does about it
#	build		the extension compiles without warnings, with and without
#				assertions
#	lint		scripts/lint.sh
#	unit		scripts/unit.sh
#	model		test/model: the protocol of leases, exhaustively, with spin
#	regress		test/sql
#	isolation	test/specs
#	pgtap		test/pgtap
#	tap			test/t, or what RSN_TAP names
#	fuzz		test/fuzz: the corpus, and a few generated inputs of the functions
#	oracle		test/oracle: the model of both interfaces, by itself and against
#				the extension
#	simulation	test/dst: a fixed set of seeds of every scenario
#	linearizability	test/linearizability: some concurrent histories
#	sdk			test/sdk: the newest SDKs of three languages
#	examples	every code block of README.md and docs/, from a bare server
#	docs		docs/reference.md is what the database says
#
# A suite that stops early, takes too long or reports nothing counts as a
# failed test: what is not seen to pass has failed.  So does one for which a package
# is missing that setup.sh could not install.  The exceptions are "sdk" and
# "examples", where there is no Node.js or no network, those in Go, where it or its
# modules cannot be fetched, and the languages that an SDK cannot be installed for:
# they are reported as skipped, unless CI is set.
#
set -euo pipefail

all_suites=(setup build lint unit model regress isolation pgtap tap fuzz oracle
	simulation linearizability sdk examples docs)
suites=("${@:-${all_suites[@]}}")

for suite in "${suites[@]}"; do
	if [[ " ${all_suites[*]} " != *" $suite "* ]]; then
		echo "check: there is no suite \"$suite\"; they are: ${all_suites[*]}" >&2
		exit 2
	fi
done

# What is missing concerns the suite that needs it, and no other.
if [[ -z ${RSN_WORKDIR:-} ]]; then
	RSN_LACKING=$("$(dirname "${BASH_SOURCE[0]}")/setup.sh" --report build "${suites[@]}")
	export RSN_LACKING
fi

# shellcheck source=scripts/lib.sh
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"
# What the SDKs need and may be only the caller's.
rsn_provide()
{
	[[ ! " ${suites[*]} " =~ " sdk "|" examples " ]] ||
		"$RSN_ROOT/test/sdk/provide.sh" "$@"
}

rsn_enter scripts/check.sh "${suites[@]}"

# How long a program may run, and how long the server's own test modules wait for
# anything: so long that only what hangs is ended, however busy the machine is.
limit_s=${RSN_TIMEOUT:-3600}
export PG_TEST_TIMEOUT_DEFAULT=600
total_passed=0
total_failed=0
total_skipped=0
is_built=

# Those that need the network, where there may be none.
may_be_skipped="oracle simulation linearizability sdk examples"
need_no_build="setup build lint unit model"

# What the current suite reports.
passed=0
failed=0
skipped=
summary=
log=

ok()
{
	echo "ok - $1" >>"$log"
	passed=$((passed + 1))
}

not_ok()
{
	echo "not ok - $1" >>"$log"
	failed=$((failed + 1))
}

# Runs a program with its output in the log.
run()
{
	rsn_job "$limit_s" "$@" >>"$log" 2>&1
}

count_lines()
{
	grep -Ec "$1" "$log" || :
}

# Adds up a log of "ok" and "not ok" lines; $1 is the exit status.
count_plain()
{
	passed=$((passed + $(count_lines '^ok ')))
	failed=$((failed + $(count_lines '^not ok ')))
	if [[ $1 -ne 0 && $failed -eq 0 ]]; then
		not_ok "ended with status $1"
	fi
}

# Adds up the output of pg_regress, whose format changed in version 16; $1 is
# the exit status and $2 the number of tests that had to run.
count_regress()
{
	passed=$(count_lines '^(test|    ) +[^ ]+ +\.\.\. ok |^ok [0-9]+ ')
	failed=$(count_lines '^(test|    ) +[^ ]+ +\.\.\. (FAILED|failed)|^not ok [0-9]+ ')
	if [[ $((passed + failed)) -lt $2 ]]; then
		failed=$((failed + $2 - passed - failed))
	fi
	if [[ $1 -ne 0 && $failed -eq 0 ]]; then
		not_ok "ended with status $1"
	fi
}

# Adds up what prove wrote to the file $1; $2 is its exit status and $3 the
# number of files that had to run.  A file that is missing, was skipped, or
# failed in another way than by a failed test counts as one failed test.
count_prove()
{
	local tests bad broken

	read -r tests bad broken < <(awk '
		/^Files=[0-9]+, Tests=[0-9]+/ {
			split($1 $2, field, /[=,]/)
			files = field[2]
			tests = field[4]
		}
		/\(Wstat: .* Failed: [0-9]+\)$/ {
			sub(/\)$/, "", $NF)
			bad += $NF
			broken += $NF == 0
		}
		/\.\. skipped/ { broken++ }
		END {
			broken += files < want ? want - files : 0
			print tests + 0, bad + 0, broken + 0
		}
	' want="$3" "$1")
	if [[ $2 -ne 0 && $((bad + broken)) -eq 0 ]]; then
		broken=1
	fi
	failed=$((failed + bad + broken))
	passed=$((passed + tests - bad))
}

# No server process may have crashed, or warned of a fault, whatever the tests saw.
check_crashes()
{
	if rsn_have_no_faults "$@" >>"$log"; then
		ok "no server process crashed or warned of a fault"
	else
		not_ok "no server process crashed or warned of a fault"
	fi
}

# Starts the cluster of a suite, as rsn_cluster_start does.
start()
{
	if ! rsn_cluster_start "$@" >>"$log" 2>&1; then
		not_ok "the server starts"
		return 1
	fi
}

stop()
{
	if ! rsn_cluster_stop >>"$log" 2>&1; then
		not_ok "the server stops"
		rsn_cluster_stop "$rsn_cluster" immediate >>"$log" 2>&1 || :
	fi
	check_crashes "$(rsn_cluster_log)"
}

# There must be something to run; the arguments are the files found.
need_tests()
{
	if [[ $# -eq 0 ]]; then
		not_ok "there are tests"
		return 1
	fi
}

suite_build()
{
	local work=$RSN_WORKDIR/release

	mkdir "$work"
	cp -R Makefile resonate.control sql src "$work/"
	rsn_private_server
	summary+="# $("$PG_CONFIG" --version)"$'\n'
	if run make -s -C "$work" PG_CONFIG="$PG_CONFIG" with_llvm=no WERROR=1; then
		ok "builds without assertions"
	else
		not_ok "builds without assertions"
	fi
	if rsn_build_and_install DEBUG=1 WERROR=1 >>"$log" 2>&1; then
		ok "builds with assertions"
		is_built=yes
	else
		not_ok "builds with assertions"
	fi
}

suite_lint()
{
	local status=0

	run scripts/lint.sh || status=$?
	count_plain "$status"
}

suite_setup()
{
	local status=0

	run test/setup/run.sh || status=$?
	count_plain "$status"
}

suite_unit()
{
	local status=0 files=(test/unit/*_test.c)

	need_tests "${files[@]}" || return 0
	run scripts/unit.sh || status=$?
	count_prove "$log" "$status" "${#files[@]}"
}

suite_regress()
{
	local status=0 files=(test/sql/*.sql)

	need_tests "${files[@]}" || return 0
	start regress || return 0
	run make installcheck ISOLATION= PG_CONFIG="$PG_CONFIG" || status=$?
	count_regress "$status" "${#files[@]}"
	[[ ! -s regression.diffs ]] || cat regression.diffs >>"$log"
	stop
}

suite_isolation()
{
	local status=0 files=(test/specs/*.spec)

	need_tests "${files[@]}" || return 0
	start isolation || return 0
	run make installcheck REGRESS= PG_CONFIG="$PG_CONFIG" || status=$?
	count_regress "$status" "${#files[@]}"
	[[ ! -s regression.diffs ]] || cat regression.diffs >>"$log"
	stop
}

# Each file has a database of its own.
suite_pgtap()
{
	local file name output status files=(test/pgtap/*.sql)

	need_tests "${files[@]}" || return 0
	start pgtap || return 0
	for file in "${files[@]}"; do
		name=$(basename "$file" .sql)
		output=$RSN_WORKDIR/pgtap.$name.log
		status=0
		if createdb "$name" >>"$log" 2>&1 &&
			psql -Xq -v ON_ERROR_STOP=1 -d "$name" \
				-c 'SET client_min_messages = warning' \
				-c 'CREATE EXTENSION pgtap' \
				-c 'CREATE EXTENSION resonate' >>"$log" 2>&1; then
			rsn_job "$limit_s" pg_prove --dbname "$name" "$file" \
				>"$output" 2>&1 || status=$?
			cat "$output" >>"$log"
			count_prove "$output" "$status" 1
			dropdb --force "$name" >>"$log" 2>&1 ||
				not_ok "the database of $file can be dropped"
		else
			not_ok "$file has a database"
		fi
	done
	stop
}

suite_tap()
{
	local status=0 output=$RSN_WORKDIR/tap.log files

	# shellcheck disable=SC2206  # a pattern
	files=(${RSN_TAP:-test/t/*.pl})
	need_tests "${files[@]}" || return 0
	rsn_job "$limit_s" make prove-check PG_CONFIG="$PG_CONFIG" \
		PROVE_TESTS="${files[*]}" PROVE_FLAGS='-j2 --timer' >"$output" 2>&1 || status=$?
	cat "$output" >>"$log"
	count_prove "$output" "$status" "${#files[@]}"
	if [[ $failed -ne 0 ]]; then
		tail -n 60 tmp_check/log/regress_log_* >>"$log" 2>/dev/null || :
	fi
	check_crashes tmp_check/log/*.log
}

# Installs the SDKs, once; false, having said why, if that cannot be.
have_sdks()
{
	local status=0

	[[ ! -e $RSN_WORKDIR/sdks/is_ready ]] || return 0
	run test/sdk/prepare.sh "$RSN_WORKDIR/sdks" || status=$?
	if [[ $status -eq 77 ]]; then
		skipped=$(sed -n 's/^skipped: //p' "$log")
	elif [[ $status -ne 0 ]]; then
		count_plain "$status"
	else
		touch "$RSN_WORKDIR/sdks/is_ready"
		return 0
	fi
	return 1
}

# Prints what each workflow gave, too.
suite_sdk()
{
	local status=0

	have_sdks || return 0
	start sdk || return 0
	run test/sdk/run.sh "$RSN_WORKDIR/sdks" sdk || status=$?
	count_plain "$status"
	stop
	grep '^# ' "$log" || :
}

# Prints which blocks are not run, and why.
suite_examples()
{
	local status=0 port

	have_sdks || return 0
	port=$(python3 -c 'import socket
s = socket.socket(); s.bind(("localhost", 0)); print(s.getsockname()[1])')
	start examples "shared_preload_libraries = ''" "listen_addresses = 'localhost'" \
		"port = $port" || return 0
	run test/examples/run.sh "$RSN_WORKDIR/sdks/tools" examples || status=$?
	count_plain "$status"
	stop
	grep '^# .*not run' "$log" || :
}

suite_model()
{
	local status=0

	run test/model/run.sh || status=$?
	count_plain "$status"
}

# run_check NAME COMMAND...: one test, with its last line as a summary.
run_check()
{
	local name=$1

	shift
	if run "$@"; then
		summary+=$(tail -n 1 "$log" | sed 's/^/# /')$'\n'
		ok "$name"
	else
		not_ok "$name"
	fi
}

suite_fuzz()
{
	run_check "the corpus" test/fuzz/run.sh
	run_check "generated inputs" test/fuzz/sql.sh 20000 1 "" "" ""
}

# Builds the programs in Go, once; false, having said why, if that cannot be.
have_go()
{
	export GOPATH=$RSN_WORKDIR/gopath GOCACHE=$RSN_WORKDIR/gocache
	export GOFLAGS=-modcacherw

	[[ ! -x test/oracle/oracle.test ]] || return 0
	if ! (cd test && go mod download) >>"$log" 2>&1; then
		if [[ -n ${CI:-} ]]; then
			not_ok "Go and its modules are there"
		else
			skipped="Go or its modules cannot be had"
		fi
		return 1
	fi
	if ! (cd test && [[ -z $(gofmt -l .) ]] && go vet ./... &&
		go test ./... && go build -o dst/dst ./dst &&
		go build -o linearizability/linearizability ./linearizability &&
		go test -c -o oracle/oracle.test ./oracle) >>"$log" 2>&1; then
		not_ok "the programs in Go are well formed, pass their tests and build"
		return 1
	fi
	ok "the programs in Go are well formed, pass their tests and build"
}

suite_oracle()
{
	have_go || return 0
	run_check "the model and the extension agree" test/oracle/run.sh
}

suite_simulation()
{
	local scenario seeds

	have_go || return 0
	for scenario in default:24 fault:24 lazy:24 crash:6; do
		seeds=${scenario#*:}
		scenario=${scenario%:*}
		run_check "scenario $scenario" env "RSN_DST_SCENARIO=$scenario" \
			"RSN_DST_SEEDS=$seeds" RSN_DST_JOBS=2 test/dst/run.sh
	done
	run_check "the same seed gives the same log" env RSN_DST_SEEDS=2 \
		RSN_DST_SCENARIO=fault RSN_DST_VERIFY=1 test/dst/run.sh
}

suite_linearizability()
{
	have_go || return 0
	run_check "50 histories" test/linearizability/run.sh
}

suite_docs()
{
	start docs || return 0
	if ! rsn_write_reference "$RSN_WORKDIR/reference.md" >>"$log" 2>&1; then
		not_ok "the reference can be written"
	elif diff -u docs/reference.md "$RSN_WORKDIR/reference.md" >>"$log" 2>&1
	then
		ok "docs/reference.md is up to date"
	else
		not_ok "docs/reference.md is up to date; run \"make docs\""
	fi
	stop
}

# Runs the functions of one suite, if they can run.
run_functions()
{
	local lacking

	lacking=$(sed -n "s/^$1: //p" <<<"${RSN_LACKING:-}")
	if [[ -n $lacking && " $may_be_skipped " == *" $1 "* && -z ${CI:-} ]]; then
		skipped="it lacks $lacking"
	elif [[ -n $lacking ]]; then
		not_ok "what the suite $1 needs is there; it lacks $lacking"
	elif [[ -z $is_built && " $need_no_build " != *" $1 "* ]]; then
		not_ok "there is no extension to test"
	else
		"suite_$1"
	fi
}

# Runs one suite, and prints its summary; all of its output if it failed.
run_suite()
{
	local start_s=$SECONDS

	passed=0
	failed=0
	skipped=
	summary=
	log=$RSN_WORKDIR/suite.$1.log
	: >"$log"
	run_functions "$1"
	if [[ -n $skipped ]]; then
		printf '%-10s skipped: %s\n' "$1" "$skipped"
		total_skipped=$((total_skipped + 1))
		return
	fi
	if [[ $((passed + failed)) -eq 0 ]]; then
		not_ok "there are tests"
	fi
	if [[ $failed -ne 0 ]]; then
		echo "---- output of $1"
		cat "$log"
		if [[ -s $RSN_WORKDIR/$1.log ]]; then
			echo "---- end of the server log of $1"
			tail -n 40 "$RSN_WORKDIR/$1.log"
		fi
		echo "----"
	fi
	printf '%-10s %5d passed, %d failed (%d s)\n' \
		"$1" "$passed" "$failed" $((SECONDS - start_s))
	printf '%s' "$summary"
	total_passed=$((total_passed + passed))
	total_failed=$((total_failed + failed))
}

shopt -s nullglob

# What needs no build may run without; lint looks at what was built.
for suite in "${suites[@]}"; do
	if [[ $suite == lint || " $need_no_build " != *" $suite "* ]]; then
		suites+=(build)
		break
	fi
done
for suite in "${all_suites[@]}"; do
	[[ " ${suites[*]} " != *" $suite "* ]] || run_suite "$suite"
done

totals="$total_passed passed, $total_failed failed"
[[ $total_skipped -eq 0 ]] || totals+=", $total_skipped skipped"
echo "$totals"
[[ $total_failed -eq 0 && $total_passed -gt 0 ]]
