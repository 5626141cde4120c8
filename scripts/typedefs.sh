#!/usr/bin/env bash
#
# Prints the type names that the C files use, for pg_bsd_indent: their own,
# those of the server's headers, and those of the C library.
#
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
# shellcheck source=scripts/lib.sh
. scripts/lib.sh
export LC_ALL=C

headers=$("$(rsn_find_pg_config)" --includedir-server)
sources=$(find src test/unit test/fuzz -name '*.[ch]' 2>/dev/null)

# The names that the typedefs in the given files define: the last word before
# the semicolon or a bracket, or the one in "(*name) (...)".
typedef_names()
{
	perl -0777 -ne '
		s{/\*.*?\*/}{ }gs;
		s/\\\n/ /g;
		s/^\s*#.*$//gm;
		s/extern "C"\s*\{//g;
		s/(\{(?:[^{}]++|(?1))*+\})/ /g;
		for (/\btypedef\b([^;]*);/g)
		{
			print "$1\n"
				if /\(\s*\*\s*(\w+)\s*\)\s*\(/
				or /(\w+)\s*\([^()]*\)\s*(?:pg_attribute\w*\s*\([^()]*\)\s*)?$/
				or /(\w+)\s*(?:\[[^\]]*\]\s*)*$/;
		}
	' "$@"
}

# Words of the sources, without comments and strings.
words()
{
	# shellcheck disable=SC2086  # a list of files
	cat $sources | perl -0777 -ne '
		s{/\*.*?\*/}{ }gs;
		s/"(?:\\.|[^"\\])*"/ /g;
		print "$_\n" for /[A-Za-z_]\w*/g;
	'
}

c_library="FILE bool clock_t double_t fpos_t int16_t int32_t int64_t int8_t
intmax_t intptr_t jmp_buf lconv off_t pid_t ptrdiff_t sig_atomic_t sigset_t
size_t socklen_t ssize_t time_t uint16_t uint32_t uint64_t uint8_t uintmax_t
uintptr_t va_list wchar_t"

# Those that the headers have since a later version than the oldest.
later_servers="TU_UpdateIndexes"

# Names that are more often variables than types, as in the server's pgindent.
exclude='FD_SET|U|abs|allocfunc|boolean|date|digit|ilist|interval|iterator'
exclude+='|other|pointer|printfunc|reference|string|timestamp|type|wrap'

comm -12 \
	<({
		# shellcheck disable=SC2086  # a list of words
		printf '%s\n' $c_library $later_servers
		# shellcheck disable=SC2086  # a list of files
		typedef_names $sources
		# shellcheck disable=SC2046  # their names have no spaces
		typedef_names $(find "$headers" -name '*.h')
	} | sort -u) \
	<(words | sort -u) | grep -Evx "$exclude"
