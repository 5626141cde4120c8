#!/usr/bin/env bash
#
# setup.sh [bench | soak]
#
# Installs the packages that `make check` and `make demo` need, or `make bench`,
# or `make soak`, on Debian and its derivatives.  Does nothing, and asks for no rights, when
# everything is there already, however it was installed.
#
set -euo pipefail

# System programs first: the packages below belong to the system's
# interpreters, not to others that may come earlier in the search path.
PATH="/usr/sbin:/usr/bin:/sbin:/bin:$PATH"

purpose=${1:-check}
missing=()

# What only test/sdk needs, which is skipped without: never a reason to fail.
optional=()

# want PACKAGE COMMAND...: the package is missing unless the command succeeds.
want()
{
	local package=$1

	shift
	"$@" >/dev/null 2>&1 || missing+=("$package")
}

has()
{
	command -v "$1"
}

# The major version of the server that has its development files installed.
server_version()
{
	local config

	for config in ${PG_CONFIG:+"$PG_CONFIG"} pg_config \
		/usr/lib/postgresql/*/bin/pg_config; do
		if [[ -f "$("$config" --pgxs 2>/dev/null)" ]]; then
			"$config" --version | sed 's/^PostgreSQL \([0-9]*\).*/\1/'
			return
		fi
	done
}

# The major version that the distribution calls "postgresql".
distribution_version()
{
	apt-cache depends postgresql 2>/dev/null |
		sed -n 's/.*Depends: postgresql-\([0-9][0-9]*\)$/\1/p' | head -n 1
}

server_files()
{
	local config bindir

	for config in ${PG_CONFIG:+"$PG_CONFIG"} pg_config \
		/usr/lib/postgresql/*/bin/pg_config; do
		[[ -f "$("$config" --pgxs)" ]] || continue
		bindir=$("$config" --bindir)
		[[ -x $bindir/$1 ]] && return
	done
	return 1
}

pgtap_files()
{
	local config

	for config in ${PG_CONFIG:+"$PG_CONFIG"} pg_config \
		/usr/lib/postgresql/*/bin/pg_config; do
		[[ -f "$("$config" --pgxs)" ]] || continue
		[[ -f "$("$config" --sharedir)/extension/pgtap.control" ]] && return
		return 1
	done
	return 1
}

# Fills missing[] and optional[]; $1 is the major version to ask for.
look()
{
	missing=()
	want gcc has gcc
	want libc6-dev test -f /usr/include/stdio.h
	want make has make
	want patch has patch
	want binutils has nm
	want perl has prove
	want "postgresql-server-dev-$1" test -n "$(server_version)"
	want "postgresql-$1" server_files postgres
	want "postgresql-$1-pgtap" pgtap_files
	want libtap-parser-sourcehandler-pgtap-perl has pg_prove
	want libipc-run-perl perl -MIPC::Run -e 1
	want pg-bsd-indent has pg_bsd_indent
	want cppcheck has cppcheck
	want shellcheck has shellcheck
	want python3 has python3
	want python3-psycopg2 python3 -c 'import psycopg2'
	[[ $purpose != bench ]] || want gnuplot-nox has gnuplot
	[[ $purpose != soak ]] || want sqlsmith has sqlsmith
	[[ $purpose == bench ]] || want spin has spin
	[[ $purpose == bench ]] || want golang-go has go

	optional=()
	[[ $purpose != bench ]] || return 0
	has node >/dev/null || optional+=(nodejs)
	has npm >/dev/null || optional+=(npm)
}

look "$(server_version)"
if [[ ${#missing[@]} -eq 0 && ${#optional[@]} -eq 0 ]]; then
	exit 0
fi

if ! command -v apt-get >/dev/null; then
	[[ ${#missing[@]} -ne 0 ]] || exit 0
	echo "setup: this needs the equivalents of these Debian packages:" >&2
	printf '  %s\n' "${missing[@]}" "${optional[@]}" >&2
	exit 1
fi

as_root=()
if [[ $(id -u) -ne 0 ]]; then
	if ! command -v sudo >/dev/null; then
		[[ ${#missing[@]} -ne 0 ]] || exit 0
		echo "setup: not root, and there is no sudo; as root, run" >&2
		echo "  apt-get install ${missing[*]} ${optional[*]}" >&2
		exit 1
	fi
	as_root=(sudo)
	[[ -t 0 ]] || as_root+=(-n)
fi

export DEBIAN_FRONTEND=noninteractive
apt=("${as_root[@]}" env DEBIAN_FRONTEND=noninteractive
	apt-get -y -q -o Acquire::Retries=3 -o DPkg::Lock::Timeout=300)

"${apt[@]}" update || [[ ${#missing[@]} -eq 0 ]]
version=$(server_version)
version=${version:-$(distribution_version)}
look "${version:-15}"

# The server package makes and starts a cluster of its own when installed.
# The tests bring their own, so ask it not to, for just this once.
veto=/etc/postgresql-common/createcluster.d/resonate-setup.conf
if [[ " ${missing[*]} " =~ " postgresql-"[0-9]+" " && ! -e $veto ]]; then
	trap '"${as_root[@]}" rm -f "$veto"' EXIT
	"${as_root[@]}" mkdir -p "${veto%/*}"
	echo "create_main_cluster = false" | "${as_root[@]}" tee "$veto" >/dev/null
fi

[[ ${#missing[@]} -eq 0 ]] ||
	"${apt[@]}" install --no-install-recommends "${missing[@]}"
[[ ${#optional[@]} -eq 0 ]] ||
	"${apt[@]}" install --no-install-recommends "${optional[@]}" ||
	echo "setup: could not install ${optional[*]}" >&2

look "${version:-15}"
if [[ ${#missing[@]} -ne 0 ]]; then
	echo "setup: still missing after the installation: ${missing[*]}" >&2
	exit 1
fi
