#!/usr/bin/env bash
#
# asserts.sh [SUITE...]
#
# Runs suites of check.sh on servers that check their own assertions, which those
# of Debian's packages do not.  Debian's source packages are built for that, once
# for each version, into a directory outside of the tree; what is needed to build
# them is installed by setup.sh.  Ends with a line "ok" or "not ok" for each server.
# In the environment:
#
#	VERSIONS	the major versions, "15 18" by default
#	ASSERTS		off for the ordinary server, built from the same sources
#	SERVERS_DIR	where the servers are kept; by default /var/cache/resonate/servers,
#				or ~/.cache/resonate/servers for others than root.  When the directory
#				of a server is removed, the newest minor version is built next time
#	MIRROR		of Debian's archive
#	EXPIRED		1 takes a mirror that is no longer updated, whose lists have expired;
#				signatures are verified all the same
#
# The suites are all but those below unless the arguments say otherwise.  Of the Perl
# tests 043_audit.pl is left out, unless RSN_TAP names it: it needs pgaudit, which is
# in packages for the servers of the packages only.
#
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
# The server's makefiles do other things below another make.
unset MAKEFLAGS MAKELEVEL

# What these suites look at is the same whichever server there is:
#	setup		scripts/setup.sh, on a made-up system
#	lint		the sources; its compiler knows the assertions of ours
#	unit		the files that are compiled without the server
#	model		a model, without any of our code
#	examples	the text of the documentation
every_suite=(regress isolation pgtap tap fuzz oracle simulation linearizability sdk docs)

# Where Debian has the sources of a version.
declare -A release=([15]=bookworm [17]=trixie [18]=forky)

mirror=${MIRROR:-http://deb.debian.org/debian}
keyring=/usr/share/keyrings/debian-archive-keyring.gpg

# What the tests use: ICU for collations, LZ4 as Debian's packages, OpenSSL for the
# random numbers and digests, and the modules for tests in Perl.
options=(--with-icu --with-lz4 --with-openssl --without-readline --enable-tap-tests
	--enable-debug)
[[ ${ASSERTS:-on} == off ]] || options+=(--enable-cassert)

# Not below the home of root, where the user that runs the servers cannot look.
if [[ -n ${SERVERS_DIR:-} ]]; then
	directory=$(realpath -m -- "$SERVERS_DIR")
elif [[ $(id -u) -eq 0 ]]; then
	directory=/var/cache/resonate/servers
else
	directory=${XDG_CACHE_HOME:-$HOME/.cache}/resonate/servers
fi

# The name of a server tells what it was built with.
server_name()
{
	local name=$1-asserts

	[[ ${ASSERTS:-on} != off ]] || name=$1-ordinary
	echo "$name-$(sha256sum <<<"${options[*]}" | head -c 8)"
}

# Runs a program of apt with lists of its own, which need no rights and leave
# those of the system as they are.
with_lists()
{
	local lists=$1 program=$2

	shift 2
	"$program" -q -o "Dir::Etc::SourceList=$lists/sources.list" \
		-o Dir::Etc::SourceParts=/dev/null -o "Dir::State::Lists=$lists/lists" \
		-o "Dir::Cache=$lists/cache" -o APT::Sandbox::User=root \
		-o Acquire::Retries=3 \
		${EXPIRED:+-o Acquire::Check-Valid-Until=false} "$@"
}

# Unpacks the sources of the server of version $1 and its package of pgTAP, which is
# of SQL alone, to the directories $2/server and $2/pgtap.  Debian's patches stay out:
# they fix the paths of its packages.
fetch_sources()
{
	local work=$2 lists=$2/apt

	mkdir -p "$lists"/{lists,cache/archives}/partial
	printf "%s [signed-by=$keyring] $mirror ${release[$1]} main\n" deb deb-src \
		>"$lists/sources.list"
	with_lists "$lists" apt-get update && (
		cd "$work" &&
			with_lists "$lists" apt-get source --download-only "postgresql-$1" &&
			with_lists "$lists" apt-get download "postgresql-$1-pgtap" &&
			dpkg-source --skip-patches -x "postgresql-$1_"*.dsc server &&
			dpkg-deb -x "postgresql-$1-pgtap_"*.deb pgtap
	)
}

# Builds the server of version $1 in the directory $2, and adds pgTAP, as if for the
# directory $3, which then appears at once, unless another run was faster.
build_sources()
{
	local version=$1 work=$2 prefix=$3 jobs extensions

	jobs=$(nproc)
	fetch_sources "$version" "$work" &&
		(cd "$work/server" && ./configure "--prefix=$prefix" "${options[@]}") &&
		make -s -C "$work/server" -j "$jobs" all &&
		make -s -C "$work/server" DESTDIR="$work/stage" install &&
		extensions=$("$work/stage$prefix/bin/pg_config" --sharedir)/extension &&
		cp "$work/pgtap/usr/share/postgresql/$version/extension/"* "$extensions/" &&
		{ mv -T "$work/stage$prefix" "$prefix" || [[ -x $prefix/bin/postgres ]]; }
}

# Builds the server of version $1, unless it is there.
provide_server()
{
	local name work

	name=$(server_name "$1")
	[[ ! -x $directory/$name/bin/postgres ]] || return 0
	env -u PG_CONFIG scripts/setup.sh source || return
	echo "asserts: building $directory/$name from Debian's sources" >&2
	mkdir -p "$directory"
	work=$(mktemp -d "$directory/build.XXXXXX")
	if ! build_sources "$1" "$work" "$directory/$name" \
		>"$directory/$name.log" 2>&1 </dev/null; then
		tail -n 40 "$directory/$name.log" >&2
		echo "asserts: it could not be built; all of it is in $directory/$name.log" >&2
		rm -rf "$work"
		return 1
	fi
	rm -rf "$work"
}

[[ $# -gt 0 ]] || set -- "${every_suite[@]}"
read -ra versions <<<"${VERSIONS:-15 18}"
for version in "${versions[@]}"; do
	[[ -n ${release[$version]:-} ]] ||
		{ echo "asserts: Debian has no sources of PostgreSQL \"$version\"; it has:" \
			"${!release[*]}" >&2; exit 2; }
done
shopt -s extglob
tests=(test/t/!(043_audit).pl)
export RSN_TAP=${RSN_TAP:-${tests[*]}}
umask 022
results=()
status=0
for version in "${versions[@]}"; do
	name=$(server_name "$version")
	if provide_server "$version" &&
		PG_CONFIG=$directory/$name/bin/pg_config scripts/check.sh "$@"; then
		results+=("ok - $name: $*")
	else
		results+=("not ok - $name: $*")
		status=1
	fi
done
printf '%s\n' "${results[@]}"
exit "$status"
