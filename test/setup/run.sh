#!/usr/bin/env bash
#
# What setup.sh looks for, and what it does about what is missing, on a made-up
# system; see system.sh.  And what the scripts look for in logs.  Prints TAP.  Needs neither root's rights nor a network.
#
set -euo pipefail

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
scripts=$(cd "$here/../../scripts" && pwd)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
system=$work/system
# shellcheck source=test/setup/system.sh
. "$here/system.sh"

count=0
failed=0
status=0

is()
{
	count=$((count + 1))
	if [[ $1 == "$2" ]]; then
		echo "ok $count - $3"
	else
		printf '%s\n' "expected: $2" "got: $1" | sed 's/^/# /'
		echo "not ok $count - $3"
		failed=$((failed + 1))
	fi
}

# Runs a command on the made-up system, with its output in $work/output; the
# variables come first.
on_system()
{
	status=0
	(cd "$system/home" && env -i "PATH=$system/bin" "HOME=$system/home" \
		"RSN_SYSTEM_PATH=$system/bin" "RSN_SERVERS=$system/servers" "$@") \
		</dev/null >"$work/output" 2>&1 || status=$?
}

setup()
{
	: >"$system/log"
	on_system bash "$scripts/setup.sh" "$@"
}

# What was installed, in order, and how the run ended.
outcome()
{
	local installed

	installed=$(sed -n 's/^install --no-install-recommends //p' "$system/log" |
		tr ' ' '\n' | sort | paste -s -d ' ')
	echo "status $status, installed: ${installed:-nothing}"
}

# What --report says is missing.
reported()
{
	sed -nE '/^setup: /d; /^[a-z]+: /p' "$work/output"
}

# Prints yes if the output has such a line, and all of it otherwise.
says()
{
	if grep -qE -- "$1" "$work/output"; then
		echo yes
	else
		cat "$work/output"
	fi
}

found_server()
{
	# shellcheck disable=SC2016  # the inner shell's
	on_system "$@" bash -c '. "$0/lib.sh" && rsn_find_pg_config' "$scripts"
	sed "s|$system/||" "$work/output"
}

# ---- nothing missing

make_complete_system 15
setup demo build lint unit model regress pgtap tap
is "$(outcome)" "status 0, installed: nothing" "nothing is installed when all is there"
is "$(<"$system/log")" "" "and no rights are asked for"

# ---- one thing missing

rm "$system/servers/15/include/postgres.h"
setup demo
is "$(outcome)" "status 0, installed: nothing" "headers are unpacked, not installed"
is "$(<"$system/log")" "download postgresql-server-dev-15=15.3-1" \
	"those of the installed server, without rights, although PGXS is there"
is "$(found_server)" "servers/15/bin/pg_config" "which makes the server complete"
setup demo
is "$(<"$system/log")" "" "once"

make_complete_system 15
rm "$system/servers/15/include/postgres.h"
sed -i '/server-dev/d' "$system/archive"
setup build
is "$status $(says '^  postgresql-server-dev-15$')" "1 yes" \
	"headers that cannot be had are named by their package"

make_complete_system 15
rm "$system/libc"
setup unit
is "$(outcome)" "status 0, installed: libc6-dev" \
	"a compiler that cannot compile lacks the C library"

for tool in "nm:lint:binutils" "patch:lint:patch" "pg_prove:pgtap:libtap-parser-sourcehandler-pgtap-perl" \
	"prove:unit:perl" "spin:model:spin" "go:oracle:golang-go" "npm:sdk:npm"; do
	IFS=: read -r program purpose package <<<"$tool"
	make_complete_system 15
	rm "$system/bin/$program"
	setup demo
	is "$(outcome)" "status 0, installed: nothing" "the demonstration does not need $program"
	[[ -s /etc/ssl/certs/ca-certificates.crt ]] ||
		[[ $purpose != oracle && $purpose != sdk ]] || continue
	setup "$purpose"
	is "${status} $(grep -c "^install --no-install-recommends $package$" "$system/log")" \
		"0 1" "but $purpose does, from the package $package"
done

# ---- an empty system

make_system 15
setup demo
is "$(outcome)" "status 0, installed: gcc libc6-dev make postgresql-15 python3-psycopg2" \
	"the demonstration takes a compiler, a server and a driver"
is "$(grep -E '^(create_main_cluster|install|rm) ' "$system/log" | cut -d ' ' -f 1 | paste -s -d ' ')" \
	"create_main_cluster install rm" "no cluster is made meanwhile, and all are made afterwards"

make_system 15
setup source
is "$(outcome)" "status 0, installed: bison dpkg-dev flex gcc libc6-dev libicu-dev libipc-run-perl liblz4-dev libssl-dev make patch perl pkg-config zlib1g-dev" \
	"building a server takes what its sources need, and no server"
: >"$system/log"
setup source
is "$status $(<"$system/log")" "0 " "once"

make_system 15
touch "$system/offline"
setup demo
is "$status $(says '^  postgresql$') $(says '^  postgresql-server-dev-all$')" "1 yes yes" \
	"without lists of packages no version is known"

make_system 14
setup demo
is "$status $(says '^  postgresql-15$') $(says 'apt.postgresql.org')" "1 yes yes" \
	"where only an older version is to be had, a supported one is asked for"

make_system 17
setup --report build lint
is "$(outcome)" "status 0, installed: binutils cppcheck gcc libc6-dev make patch postgresql-17 python3 shellcheck" \
	"since version 16 the indenter comes with the headers, and not as pg-bsd-indent"
is "$(reported)" "" "and nothing is reported as missing"

# ---- what cannot be had

make_complete_system 15
rm "$system/bin/cppcheck" "$system/bin/patch"
sed -i /cppcheck/d "$system/archive"
setup --report build lint model
is "$(outcome)" "status 0, installed: patch" "one package that is in no archive keeps none from being installed"
is "$(reported)" "lint: cppcheck" "and only who needs it lacks it"
setup lint
is "$status $(says '^  cppcheck$')" "1 yes" "who asks for it is told its name"

make_complete_system 15
rm "$system/bin/cppcheck" "$system/bin/patch"
echo cppcheck >"$system/broken"
setup --report lint
is "$(reported), $([[ -e $system/bin/patch ]] && echo patch is there)" \
	"lint: cppcheck, patch is there" "one package that cannot be installed keeps none from it either"

make_complete_system 15
rm "$system/bin/patch"
touch "$system/offline" "$system/lists"
setup lint
is "$(outcome)" "status 0, installed: patch" "lists that cannot be updated may be good enough"

# ---- pgTAP

make_complete_system 15
rm "$system/servers/15/share/extension/pgtap.control"
setup regress
is "$(outcome)" "status 0, installed: nothing" "only the pgTAP tests need pgTAP"
setup pgtap
is "$(outcome)" "status 0, installed: postgresql-15-pgtap" "it is of the server's version"

rm "$system/servers/15/lib/pgaudit.so"
setup tap
is "$(outcome)" "status 0, installed: postgresql-15-pgaudit" "so is what audits"

put_server "$system/home/pg" 16
rm "$system/home/pg/lib/pgaudit.so"
on_system "PG_CONFIG=$system/home/pg/bin/pg_config" bash "$scripts/setup.sh" --report tap
is "$(reported)" "" "which nobody misses for a server that is not packaged"
rm "$system/home/pg/share/extension/pgtap.control"
on_system "PG_CONFIG=$system/home/pg/bin/pg_config" bash "$scripts/setup.sh" --report regress pgtap
is "$(reported)" "pgtap: $system/home/pg/share/extension/pgtap.control" \
	"a server that is from no package lacks a file"

# ---- which server

make_complete_system 15
put_server "$system/servers/17" 17
put_server "$system/servers/14" 14
put_server "$system/servers/19" 19
is "$(found_server)" "servers/17/bin/pg_config" "of several versions the newest supported one is used"
is "$(found_server "PG_CONFIG=$system/servers/15/bin/pg_config")" "servers/15/bin/pg_config" \
	"unless PG_CONFIG says otherwise"
rm "$system/servers/17/bin/postgres"
is "$(found_server)" "servers/15/bin/pg_config" "the newest complete one, that is"
rm "$system/servers/15/include/postgres.h"
found_server >/dev/null
is "$status $(says 'no complete PostgreSQL 15 to 18')" "1 yes" "there may be none"
setup build
is "$(found_server)" "servers/15/bin/pg_config" "and then the one that lacks least is completed"
found_server "PG_CONFIG=$system/servers/17/bin/pg_config" >/dev/null
is "$status $(says 'lacks postgresql-17$')" "1 yes" "PG_CONFIG of an incomplete one names the package"
found_server "PG_CONFIG=$system/servers/14/bin/pg_config" >/dev/null
is "$status $(says 'is of PostgreSQL 14; 15 to 18 are supported')" "1 yes" "as the version, if that is not supported"
found_server "PG_CONFIG=$system/nowhere/pg_config" >/dev/null
is "$status $(says 'is no pg_config')" "1 yes" "or that there is nothing"

# The one of the packages comes first in the path, but has no server.
make_complete_system 15
put_server "$work/libpq" 18
rm "$work/libpq/bin/postgres" "$work/libpq/include/postgres.h"
ln -s "$work/libpq/bin/pg_config" "$system/bin/pg_config"
is "$(found_server)" "servers/15/bin/pg_config" "a pg_config of the client library is not a server"

# ---- a server from the sources

make_complete_system 15
on_system "PATH=$PATH" "VERSIONS=15 16" "SERVERS_DIR=$work/built" bash "$scripts/asserts.sh"
is "$status $(says 'no sources of PostgreSQL "16"') $(ls "$work/built" 2>/dev/null)" "2 yes " \
	"a version that Debian has no sources of is refused before anything is built"

# ---- rights

make_complete_system 15
rm "$system/bin/patch"
touch "$system/password"
setup lint
is "$status $(says 'sudo wants a password') $(says '^  apt-get install --no-install-recommends patch$')" \
	"1 yes yes" "where sudo cannot ask, it is said what to run"
# Where there can be no terminal, there is nothing to see.
if script -qec true /dev/null </dev/null >/dev/null 2>&1; then
	on_system script -qec "bash '$scripts/setup.sh' lint" /dev/null
	is "$status $(grep -c '^asked for a password' "$system/log")" "0 1" "at a terminal it asks"
fi
rm -f "$system/bin/patch" "$system/bin/sudo"
setup lint
is "$status $(says 'there is no sudo') $(says '^  apt-get install .* patch$')" \
	"1 yes yes" "without sudo it is said, too"

# ---- another Python

make_complete_system 15
rm "$system/bin/python3"
put "$system/home/pyenv/shims/python3" <<<$'#!/bin/sh\n[ "$2" = "import json" ]'
: >"$system/log"
on_system "PATH=$system/home/pyenv/shims:$system/bin" bash "$scripts/setup.sh" demo
is "$(outcome)" "status 0, installed: python3-psycopg2" \
	"the module counts that the interpreter finds, and the system's comes first"

# ---- a clone with spaces in its name

mkdir "$work/a clone"
cp -R "$scripts" "$work/a clone/"
make_complete_system 15
rm "$system/servers/15/include/postgres.h"
on_system bash "$work/a clone/scripts/setup.sh" build
is "$(outcome)" "status 0, installed: nothing" "the clone may have spaces in its name"

# ---- a suite that lacks something

tree=$work/tree
mkdir -p "$tree/test/setup" "$work/run"
cp -R "$scripts" "$tree/"
put "$tree/test/setup/run.sh" <<<$'#!/bin/sh\necho "ok 1 - it runs"'
make_complete_system 15
on_system "PATH=$PATH" "RSN_WORKDIR=$work/run" "RSN_ROOT=$tree" "RSN_LACKING=model: spin, gcc" \
	bash "$tree/scripts/check.sh" setup model
is "$(says '^not ok - .* model .* lacks spin, gcc$') $(tail -n 1 "$work/output")" \
	"yes 1 passed, 1 failed" "a suite that lacks something has failed, alone, and says what"

# ---- what a server's log must not have

# Says whether anything is found in a log of the given lines.
faults()
{
	printf '2026-01-01 00:00:00 UTC [7] client backend t %s\n' "$@" >"$work/run/a.log"
	# shellcheck disable=SC2016  # the inner shell's
	on_system "PATH=$PATH" bash -c \
		'. "$0/lib.sh"; rsn_have_no_faults "$1" >/dev/null && echo none || echo some' \
		"$scripts" "$work/run/a.log"
	cat "$work/output"
}

for line in 'WARNING:  buffer refcount leak: [001] (rel=base/5/1, blockNum=0)' \
	'WARNING:  resource was not closed: relation "promises"' \
	'WARNING:  snapshot 0x55d0c3b0a4f8 still active' \
	'WARNING:  transaction left non-empty SPI stack' \
	'WARNING:  problem in alloc set SPI Proc: detected write past chunk end in block' \
	'TRAP: failed Assert("wait")' 'PANIC:  stuck spinlock' \
	'LOG:  server process (PID 7) was terminated by signal 11: Segmentation fault'; do
	is "$(faults "$line")" some "a log must not have: $line"
done
for line in 'WARNING:  could not run step "sweep": canceling statement' \
	'WARNING:  database "t" has a collation version mismatch' \
	'LOG:  server process (PID 7) was terminated by signal 9: Killed'; do
	is "$(faults "$line")" none "it may have: $line"
done
aborted='LOG:  server process (PID 7) was terminated by signal 6: Aborted'
is "$(faults "$aborted")" some "a log must not have: $aborted"
is "$(faults 'PANIC:  fault point: commit write 2' "$aborted")" none \
	"unless the process was to end there"

echo "1..$count"
[[ $failed -eq 0 ]]
