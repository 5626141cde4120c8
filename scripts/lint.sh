#!/usr/bin/env bash
#
# Checks what the compiler does not.  Prints one "ok" or "not ok" line for each
# check, after its findings, and fails if there were any.  Works on the files
# as they are, without git; the extension must have been built.
#
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
# shellcheck source=scripts/lib.sh
. scripts/lib.sh
shopt -s nullglob

PG_CONFIG=$(rsn_find_pg_config)
includes=$("$PG_CONFIG" --includedir-server)
findings=$(mktemp)
trap 'rm -f "$findings"' EXIT

# check NAME COMMAND...: passes when the command succeeds and prints nothing.
failures=0
check()
{
	local name=$1 status=0

	shift
	"$@" >"$findings" 2>&1 || status=$?
	if [[ $status -eq 0 && ! -s $findings ]]; then
		echo "ok - $name"
	else
		sed 's/^/    /' "$findings"
		echo "not ok - $name"
		failures=$((failures + 1))
	fi
}

check_format()
{
	scripts/format.sh --check
}

check_typedefs()
{
	scripts/typedefs.sh | diff -u --label typedefs.list \
		--label 'typedefs.list, as "make format" writes it' typedefs.list -
}

# Every header compiles alone: after postgres.h, or without it if pure.
check_headers()
{
	local header first

	while read -r header; do
		first='#include "postgres.h"'
		if is_pure "$header"; then
			first=
		fi
		printf '%s\n#include "%s"\n' "$first" "${header#src/}" |
			gcc -x c -std=gnu99 -fsyntax-only -Wall -Wextra -Werror \
				-Wno-unused-parameter -D_GNU_SOURCE -Isrc \
				${first:+"-I$includes"} - || echo "$header: does not stand alone"
		grep -n '#include "postgres\.h"' /dev/null "$header" || :
	done < <(find src -name '*.h' | LC_ALL=C sort)
}

is_pure()
{
	[[ $1 == src/core/* ]]
}

# What is exported lives in one name space with the server and with all other
# extensions.
check_symbols()
{
	local symbols

	[[ -f resonate.so ]] || { echo "resonate.so is not built"; return; }
	symbols=$(nm -D --defined-only resonate.so | awk '{print $NF}')
	grep -Evx '(resonate|rsn|pg_finfo_resonate)_.*|Pg_magic_func|_PG_(init|fini)' \
		<<<"$symbols" | sed 's/^/exported without a prefix: /' || :
}

# The folders of src include each other as they say.  Tables are touched in the store,
# time is read in the clock, and what differs between versions is adapted in one place,
# only.
check_layers()
{
	local file

	scripts/includes.py
	scripts/sizes.py

	for file in src/*.[ch] src/*/*.[ch]; do
		[[ $file == src/store/* ]] ||
			grep -Hn 'executor/spi\.h' "$file" || :
		[[ $file == src/server/clock.c ]] ||
			grep -Hn 'GetCurrentTimestamp' "$file" || :
		[[ $file == src/server/compat.h ]] ||
			grep -HnE 'pg_attribute_noreturn|pg_noreturn' "$file" || :
	done
}

# The text files of the project; expected output is as it is.
text_files()
{
	find . \( -path ./.git -o -path ./results -o -path ./log \
		-o -path ./output_iso -o -path './tmp_check*' -o -path ./expected \
		-o -path ./demo/out -o -path './test/*/out' -o -name node_modules \) -prune -o -type f \
		\( -name '*.[ch]' -o -name '*.sql' -o -name '*.spec' -o -name '*.pl' \
		-o -name '*.py' -o -name '*.sh' -o -name '*.md' -o -name '*.conf' \
		-o -name '*.control' -o -name '*.json' -o -name '*.list' \
		-o -name '*.csv' -o -name '*.mjs' -o -name Makefile -o -name LICENSE \
		-o -name '.git[ai]*' -o -name .editorconfig -o -path ./.ci/run \) \
		-print | LC_ALL=C sort
}

check_whitespace()
{
	local file

	while read -r file; do
		grep -HnE '[[:blank:]]$' "$file" || :
		grep -Hn $' \t' "$file" || :
		grep -Hn $'\r' "$file" || :
		[[ -z $(tail -c 1 "$file") ]] ||
			echo "$file: no newline at the end"
		[[ -n $(tail -n 1 "$file") || ! -s $file ]] ||
			echo "$file: blank line at the end"
		[[ $file != *.[ch] ]] || grep -HnE '^	* {4}' "$file" || :
	done < <(text_files)
}

check_cppcheck()
{
	cppcheck --quiet --error-exitcode=1 --std=c99 --inline-suppr \
		--enable=warning,performance,portability --max-configs=1 \
		--suppress=missingInclude --suppress=normalCheckLevelMaxBranches \
		--suppress=unknownMacro \
		--suppress=unusedStructMember \
		-DPG_VERSION_NUM=150000 \
		'-DPG_FUNCTION_INFO_V1(name)=extern int pg_finfo_##name' \
		-DPG_MODULE_MAGIC='extern int magic' \
		'-DPG_TRY()=if (1)' '-DPG_CATCH()=else' '-DPG_FINALLY()=' \
		'-DPG_END_TRY()=' \
		'-DStaticAssertDecl(condition,message)=extern int checked' \
		'-DStaticAssertStmt(condition,message)=' \
		'-DAssert(condition)=' '-DPGDLLEXPORT=' '-Dpg_noreturn=' \
		'-Dpg_attribute_noreturn()=' '-Dpg_attribute_printf(a,b)=' \
		'-DINT64_FORMAT="%lld"' '-DUINT64_FORMAT="%llu"' \
		-Isrc src test/unit
}

check_shell()
{
	local file files=(.ci/run scripts/hooks/pre-commit)

	while read -r file; do
		files+=("$file")
	done < <(find scripts demo test bench -name '*.sh' 2>/dev/null | sort)
	shellcheck -x "${files[@]}"
}

# The seeded defects are looked for seldom, and the example of a new operation is not
# built, so say at once that one needs another patch.
check_defects()
{
	local patch

	for patch in test/defects/*.patch test/mutation/planted/*.patch docs/*.patch; do
		patch -p1 --dry-run --fuzz=0 -s <"$patch" ||
			echo "$patch: does not apply"
	done
}

# Installation scripts create, comment, and never replace what is there.
check_install_script()
{
	local file

	for file in sql/schema.sql sql/resonate--*--*.sql; do
		head -n 1 "$file" | grep -q '^\\echo .*\\quit$' ||
			echo "$file: does not start with a guard against psql"
	done
	for file in sql/*.sql; do
		grep -HniE 'CREATE +OR +REPLACE' "$file" || :
		grep -HniE '(CREATE|ADD)[^;]* IF +NOT +EXISTS' "$file" || :
		perl -0777 -ne '
			my (%balance, $kind);
			s/^\s*--.*$//gm;
			$kind = qr/FUNCTION|PROCEDURE|AGGREGATE|TABLE|VIEW|TYPE/i;
			$balance{lc "$1 $2"}++
				while /^CREATE (?:UNLOGGED )?($kind)\s+([\w.]+)/gim;
			$balance{lc "$1 $2"}--
				while /^COMMENT ON ($kind)\s+([\w.]+)/gim;
			print "'"$file"': no comment on $_\n"
				for grep { $balance{$_} > 0 } sort keys %balance;
		' "$file"
	done
}

# The control file is the source of the version.
check_version()
{
	local version

	version=$(sed -n "s/^default_version *= *'\(.*\)'/\1/p" resonate.control)
	python3 - "$version" <<-'EOF'
		import json, sys
		version = sys.argv[1]
		meta = json.load(open("META.json"))
		for what, found in (("version", meta["version"]),
		                    ("provides", meta["provides"]["resonate"]["version"])):
		    if found != version:
		        print("META.json: %s is %s, but resonate.control says %s"
		              % (what, found, version))
	EOF
	grep -q "^## $version\\b" CHANGELOG.md ||
		echo "CHANGELOG.md: no section \"## $version\""
}

# Each test has expected output, and each expected output has a test.
check_expected()
{
	local file name

	for file in test/sql/*.sql test/specs/*.spec; do
		name=$(basename "${file%.*}")
		[[ -f expected/$name.out ]] || echo "expected/$name.out is missing"
		[[ ! -f sql/$name.sql ]] || echo "$file: clashes with sql/$name.sql"
		[[ ! -f test/sql/$name.sql || ! -f test/specs/$name.spec ]] ||
			echo "$file: there is another test with this name"
	done
	for file in expected/*.out; do
		name=$(basename "$file" .out)
		[[ -f test/sql/$name.sql || -f test/specs/$name.spec ||
			-f test/sql/${name%_[0-9]}.sql ||
			-f test/specs/${name%_[0-9]}.spec ]] ||
			echo "$file belongs to no test"
	done
}

check "format" check_format
check "typedefs.list" check_typedefs
check "headers stand alone" check_headers
check "exported symbols" check_symbols
check "layers" check_layers
check "whitespace" check_whitespace
check "cppcheck" check_cppcheck
check "shellcheck" check_shell
check "patches apply" check_defects
check "install script" check_install_script
check "version" check_version
check "expected output" check_expected

[[ $failures -eq 0 ]]
