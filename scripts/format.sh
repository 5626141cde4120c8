#!/usr/bin/env bash
#
# format.sh [--check [FILE...]]
#
# Indents the C files as the server's own sources are, with the options of its
# pgindent.  With --check, prints what would change, in these files or in all, and
# fails if that is anything.
#
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
# shellcheck source=scripts/lib.sh
. scripts/lib.sh

options=(-bad -bap -bbb -bc -bl -cli1 -cp33 -cdb -nce -d0 -di12 -nfc1 -i4
	-l79 -lp -lpl -nip -npro -sac -tpg -ts4)

indent=$(rsn_find_indent) ||
	rsn_die "there is no pg_bsd_indent; run \"scripts/setup.sh lint\""

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

if [[ ${1:-} != --check ]]; then
	scripts/typedefs.sh >"$work/typedefs.list"
	cp "$work/typedefs.list" typedefs.list
fi

# Files that do not know the server may call a variable what is a type there.
grep -vx text typedefs.list >"$work/typedefs.pure"

# Versions of pg_bsd_indent disagree about what continues an initializer: from 2.1.2
# on it is one level deeper than the declaration.  Such a line of the file $1 stays
# as it is in the result.
keep_depth()
{
	perl -e '
		my ($file, $result) = map { open my $f, "<", $_ or die; [<$f>] } @ARGV;
		sub depth
		{
			my $columns = 0;

			$columns = $_ eq "\t" ? 4 * (int($columns / 4) + 1) : $columns + 1
				for $_[0] =~ /\G([ \t])/g;
			return $columns;
		}
		if (@$file == @$result)
		{
			for my $i (1 .. $#$file)
			{
				my ($was, $is) = ($file->[$i], $result->[$i]);
				next if $was =~ s/^\s+//r ne $is =~ s/^\s+//r;
				next if $result->[$i - 1] =~ m{([;{}:]|\*/)\s*$};
				$result->[$i] = $was if abs(depth($was) - depth($is)) == 4;
			}
		}
		print @$result;
	' "$1" "$2"
}

# Keeps comments that start with dashes as they are, and joins the star of a
# function's result type to its name; both as the server's pgindent does.
indent()
{
	local typedefs=typedefs.list

	[[ $1 != test/* && $1 != src/core/* ]] || typedefs=$work/typedefs.pure
	sed -E 's,/\* +---,/*---X_X,' "$1" >"$work/in.c"
	"$indent" "$work/in.c" "$work/out.c" "${options[@]}" \
		"-U$typedefs" || return
	sed -E -e 's,/\*---X_X,/* ---,' \
		-e 's,^([A-Za-z_][^[:blank:]]*)[[:blank:]]+\*$,\1 *,' \
		"$work/out.c" >"$work/indented.c"
	keep_depth "$1" "$work/indented.c" >"$work/result.c"
}

status=0
while read -r file; do
	# It also warns about what it could not parse, and then guesses.
	if ! indent "$file" >"$work/messages" 2>&1 || [[ -s $work/messages ]]; then
		sed "s|^|$file: |" "$work/messages"
		status=1
		continue
	fi
	cmp -s "$file" "$work/result.c" && continue
	if [[ ${1:-} == --check ]]; then
		diff -u --label "$file" --label "$file, formatted" \
			"$file" "$work/result.c" || status=1
	else
		cp "$work/result.c" "$file"
	fi
done < <(if [[ $# -gt 1 ]]; then printf '%s\n' "${@:2}"; else
	find src test/unit test/fuzz -name '*.[ch]' | LC_ALL=C sort; fi)
exit "$status"
