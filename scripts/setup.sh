#!/usr/bin/env bash
#
# setup.sh [--report] PURPOSE...
#
# Installs the packages that the purposes need, on Debian and its derivatives.
# A purpose is demo, bench, soak, defects, source (building the server from Debian's
# sources, see asserts.sh), or a suite of scripts/check.sh.  Does nothing, and asks
# for no rights, when everything is there already, however it was installed.  What
# is looked for is what is used: the header and not its package, the module in the
# interpreter that will run, as the user that will run it.
#
# Fails if something is missing in the end, and says what.  With --report it
# fails never, and prints one line "PURPOSE: MISSING, ..." for each purpose that
# lacks something.
#
set -euo pipefail

# shellcheck source=scripts/lib.sh
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"
PATH="$RSN_SYSTEM_PATH:$PATH"

# What each purpose needs; each word is a function need_WORD below.
declare -A needs=(
	[demo]="build python_driver"
	[setup]=""
	[build]="build"
	[lint]="build symbols patch indent cppcheck shellcheck python"
	[unit]="sanitizers prove"
	[model]="compiler spin"
	[regress]="build"
	[isolation]="build"
	[pgtap]="build prove pgtap"
	[tap]="build prove ipc_run python_driver audit"
	[fuzz]="build sanitizers python_driver"
	[oracle]="build go"
	[simulation]="build go"
	[linearizability]="build go"
	[sdk]="build node for_sdk"
	[examples]="build node python for_sdk"
	[docs]="build"
	[defects]="build go patch"
	[bench]="build python_driver gnuplot"
	[soak]="build python_driver go prove ipc_run sanitizers fuzzer sqlsmith"
	[source]="compiler make parsers libraries prove ipc_run unpacker"
)

is_report=
if [[ ${1:-} == --report ]]; then
	is_report=yes
	shift
fi
for purpose in "$@"; do
	[[ -n ${needs[$purpose]+set} ]] ||
		rsn_die "there is no purpose \"$purpose\"; they are: ${!needs[*]}"
done
purposes=("$@")

# ---- what is there

work=$(mktemp -d)
chmod 755 "$work"
trap 'rm -rf "$work"' EXIT

# Runs a command as it will be run: by an unprivileged user if root calls, in
# a clean environment, where this script may not be readable.
runner=()
if [[ $(id -u) -eq 0 ]]; then
	user=$(rsn_find_user)
	runner=(setpriv "--reuid=$user" "--regid=$(id -g "$user")" --init-groups)
fi
try()
{
	(cd "$work" && "${runner[@]}" env -i "PATH=$PATH" "HOME=$work" \
		LC_ALL=C.UTF-8 "$@") </dev/null >"$work/output" 2>&1
}

has()
{
	# shellcheck disable=SC2016  # the inner shell's
	try sh -c 'command -v "$1"' sh "$1"
}

# lack THING: notes that a package is missing, or a file that is in no package.
found=()
lack()
{
	found+=("$1")
}

# Compiles and runs a program with the given options.
compiles()
{
	# shellcheck disable=SC2016  # the inner shell's
	try sh -c 'program=$(mktemp -d) || exit
		echo "#include <stdio.h>
			int main(void) { return puts(\"\") < 0; }" |
			gcc "$@" -x c -o "$program/a" - && "$program/a"
		status=$?; rm -rf "$program"; exit $status' sh "$@"
}

need_compiler()
{
	if ! has gcc; then
		lack gcc
		lack libc6-dev
	elif ! compiles; then
		lack libc6-dev
	fi
}

need_make()
{
	has make || lack make
}

need_build()
{
	need_compiler
	need_make
	need_server
}

# What the server's own sources are built with.
need_parsers()
{
	has bison || lack bison
	has flex || lack flex
}

need_libraries()
{
	local library

	has pkg-config || lack pkg-config
	for library in icu-i18n:libicu-dev liblz4:liblz4-dev openssl:libssl-dev \
		zlib:zlib1g-dev; do
		try pkg-config --exists "${library%:*}" || lack "${library#*:}"
	done
}

# Unpacks source packages and applies the patches in them.
need_unpacker()
{
	has dpkg-source || lack dpkg-dev
	need_patch
}

need_server()
{
	local line

	if [[ -n $config ]]; then
		while read -r line; do
			lack "$line"
		done < <(rsn_server_lacks "$config")
	else
		lack "postgresql${version:+-$version}"
		lack "postgresql-server-dev-${version:-all}"
	fi
}

need_pgtap()
{
	local file packaged

	has pg_prove || lack libtap-parser-sourcehandler-pgtap-perl
	if [[ -z $config ]]; then
		lack "postgresql-${version:-NN}-pgtap"
		return
	fi
	file=$("$config" --sharedir)/extension/pgtap.control
	[[ ! -f $file ]] || return 0
	if packaged=$(rsn_packaged_version "$config"); then
		lack "postgresql-$packaged-pgtap"
	else
		lack "$file"
	fi
}

# For one test, which is skipped where it is in no package for the server.
need_audit()
{
	local packaged

	[[ -n $config ]] || return 0
	[[ ! -f $("$config" --pkglibdir)/pgaudit.so ]] || return 0
	if packaged=$(rsn_packaged_version "$config"); then
		lack "postgresql-$packaged-pgaudit"
	fi
}

# It is in a package of its own up to the server's version 15.
need_indent()
{
	! rsn_find_indent >/dev/null 2>&1 || return 0
	if [[ ${version:-0} -ge 16 ]]; then
		lack "postgresql-server-dev-$version"
	else
		lack pg-bsd-indent
	fi
}

# The sanitizers' libraries belong to the compiler's version.
need_sanitizers()
{
	local compiler

	need_compiler
	if has gcc && compiles && ! compiles -fsanitize=address,undefined; then
		try gcc -dumpversion
		read -r compiler <"$work/output"
		lack "libgcc-${compiler%%.*}-dev"
	fi
}

need_symbols()
{
	has nm || lack binutils
}

need_patch()
{
	has patch || lack patch
}

need_prove()
{
	try prove --version || lack perl
}

need_ipc_run()
{
	try perl -MIPC::Run -e 1 || lack libipc-run-perl
}

need_cppcheck()
{
	try cppcheck --version || lack cppcheck
}

need_shellcheck()
{
	try shellcheck --version || lack shellcheck
}

need_python()
{
	try python3 -c 'import json' || lack python3
}

# The package brings the system's interpreter, which is then the first.
need_python_driver()
{
	try python3 -c 'import psycopg2' || lack python3-psycopg2
}

need_spin()
{
	try spin -V || lack spin
}

# Modules are fetched from the network.
need_certificates()
{
	[[ -s /etc/ssl/certs/ca-certificates.crt ]] || lack ca-certificates
}

need_go()
{
	try go version || lack golang-go
	need_certificates
}

# What the SDKs for Python and Rust need besides these, where they are there and new
# enough; where not, the suite does without.
need_for_sdk()
{
	if try python3 -c 'import sys; sys.exit(sys.version_info < (3, 12))'; then
		try python3 -c 'import venv, ensurepip' || lack python3-venv
	fi
	if cargo --version >/dev/null 2>&1; then
		has pkg-config || lack pkg-config
		try test -f /usr/include/openssl/ssl.h || lack libssl-dev
	fi
}

need_node()
{
	try node --version || lack nodejs
	try npm --version || lack npm
	need_certificates
}

need_gnuplot()
{
	has gnuplot || lack gnuplot-nox
}

need_sqlsmith()
{
	has sqlsmith || lack sqlsmith
}

need_fuzzer()
{
	has clang || lack clang
	has llvm-cov || lack llvm
	# shellcheck disable=SC2016  # the inner shell's
	try sh -c 'ls "$(clang -print-runtime-dir)"/*fuzzer*' || lack libclang-rt-dev
}

# ---- which server, and everything together

# The newest version of the server that the archive has and that is supported;
# first the one that the distribution calls "postgresql".  If none is supported,
# the oldest that would be; nothing if no archive is known.
archive_version()
{
	local version default

	default=$({ apt-cache depends postgresql 2>/dev/null || :; } |
		sed -n 's/.*Depends: postgresql-\([0-9][0-9]*\)$/\1/p' | tail -n 1)
	! rsn_is_supported "$default" || { echo "$default"; return; }
	for ((version = rsn_newest_server; version >= rsn_oldest_server; version--)); do
		! has_candidate "postgresql-$version" || { echo "$version"; return; }
	done
	[[ -z $default ]] || echo "$rsn_oldest_server"
}

# The server to complete: the one that will be used, or the newest of which the
# server itself is there, or none, and then the archive's version.
choose_server()
{
	local candidate

	if [[ -n ${PG_CONFIG:-} ]]; then
		config=$PG_CONFIG
	elif ! config=$(rsn_find_pg_config 2>/dev/null); then
		config=
		while read -r candidate; do
			if [[ -x $("$candidate" --bindir)/postgres ]]; then
				config=$candidate
				break
			fi
		done < <(rsn_servers)
	fi
	if [[ -n $config ]]; then
		version=$(rsn_server_version "$config")
	else
		version=$(archive_version)
	fi
}

# Sets lacking[PURPOSE], one line for each thing, and missing, all of them once.
examine()
{
	local purpose need

	# Programs may have come, and others may have been found elsewhere before.
	hash -r
	choose_server
	lacking=()
	for purpose in "${purposes[@]}"; do
		found=()
		for need in ${needs[$purpose]}; do
			"need_$need"
		done
		lacking[$purpose]=$(printf '%s\n' "${found[@]}" | sort -u)
	done
	mapfile -t missing < <(printf '%s\n' "${lacking[@]}" | sed '/^$/d' | sort -u)
}

# ---- installation

has_candidate()
{
	[[ $(apt-cache policy "$1" 2>/dev/null) =~ Candidate:\ [^\(] ]]
}

# Prints the rest of the missing things: those that are in the archive (yes), or
# not (no).
missing_packages()
{
	local thing is_there

	for thing in "${missing[@]}"; do
		is_there=no
		[[ $thing == */* ]] || ! has_candidate "$thing" || is_there=yes
		[[ $is_there != "$1" ]] || echo "$thing"
	done
}

# Sets as_root to what makes a command run as root; false if nothing does.
become_root()
{
	as_root=()
	if [[ $(id -u) -eq 0 ]]; then
		return
	fi
	why="there is no sudo"
	command -v sudo >/dev/null || return
	as_root=(sudo)
	! sudo -n true 2>/dev/null || return 0
	why="sudo wants a password, and there is no terminal to ask at"
	[[ -t 0 ]] || return
	why="sudo refuses"
	sudo -v
}

apt()
{
	"${as_root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get -y -q \
		-o Acquire::Retries=3 -o DPkg::Lock::Timeout=300 "$@" </dev/null >&2
}

# Unpacks the headers of the server to where they are looked for, if they are
# missing.  The package of the server's own version may have left the archive.
unpack_headers()
{
	local package=postgresql-server-dev-$version directory
	local download=(apt-get -q -o APT::Sandbox::User=root download)

	[[ -n $config && " ${missing[*]} " == *" $package "* ]] &&
		directory=$(rsn_unpacked_headers "$config") &&
		mkdir -p "${directory%/*}" "$work/download/unpacked" || return 0
	echo "setup: unpacking $package" >&2
	(
		cd "$work/download" &&
			{
				"${download[@]}" "$package=${directory##*_}" ||
					"${download[@]}" "$package"
			} && dpkg-deb -x "$package"_*.deb unpacked &&
			rm -rf "$directory" && mv -T unpacked "$directory"
	) >&2 || echo "setup: $package could not be unpacked" >&2
}

# The server package makes and starts a cluster of its own when installed.  The
# scripts bring their own, so ask it not to, for just this once.
forbid_cluster()
{
	local veto=/etc/postgresql-common/createcluster.d/resonate-setup.conf

	trap '"${as_root[@]}" rm -f '"$veto"'; rm -rf "$work"' EXIT
	"${as_root[@]}" mkdir -p "${veto%/*}"
	echo "create_main_cluster = false" | "${as_root[@]}" tee "$veto" >/dev/null
}

# Installs packages; each alone if together they cannot be.
install_packages()
{
	local packages=("$@") package

	[[ ${#packages[@]} -gt 0 ]] || return 0
	[[ " ${packages[*]} " != *" postgresql-"[0-9]* ]] || forbid_cluster
	apt install --no-install-recommends "${packages[@]}" && return
	for package in "${packages[@]}"; do
		apt install --no-install-recommends "$package" ||
			echo "setup: $package cannot be installed" >&2
	done
}

# Headers alone take no rights.  If they cannot be unpacked they are installed as
# everything else.
install_missing()
{
	local packages headers='^postgresql-server-dev-'

	unpack_headers
	examine
	[[ ${#missing[@]} -gt 0 ]] || return 0
	if ! become_root; then
		echo "setup: not root, and $why" >&2
		return
	fi
	apt update ||
		echo "setup: the lists of packages could not be updated" >&2
	examine
	mapfile -t packages < <(missing_packages yes | grep -v "$headers")
	install_packages "${packages[@]}"
	examine
	unpack_headers
	examine
	mapfile -t packages < <(missing_packages yes)
	install_packages "${packages[@]}"
	examine
}

# Says what is missing, and how it can be had.
explain()
{
	local there absent

	mapfile -t there < <(missing_packages yes)
	mapfile -t absent < <(missing_packages no)
	if [[ ${#there[@]} -gt 0 ]]; then
		echo "setup: as root, run"
		echo "  apt-get install --no-install-recommends ${there[*]}"
	fi
	if [[ ${#absent[@]} -gt 0 ]]; then
		echo "setup: not in the package lists of this system:"
		printf '  %s\n' "${absent[@]}"
	fi
	[[ " ${absent[*]} " != *" postgresql-"* ]] ||
		echo "setup: https://apt.postgresql.org has all versions of PostgreSQL"
}

[[ -z ${PG_CONFIG:-} ]] || rsn_check_pg_config
declare -A lacking
examine
if [[ ${#missing[@]} -gt 0 ]]; then
	if command -v apt-get >/dev/null; then
		install_missing
	else
		echo "setup: this needs the equivalents of these Debian packages:" \
			"${missing[*]}" >&2
	fi
fi
if [[ ${#missing[@]} -gt 0 ]]; then
	! command -v apt-get >/dev/null || explain >&2
fi
if [[ -n $is_report ]]; then
	for purpose in "${purposes[@]}"; do
		[[ -z ${lacking[$purpose]} ]] ||
			echo "$purpose: ${lacking[$purpose]//$'\n'/, }"
	done
	exit 0
fi
[[ ${#missing[@]} -eq 0 ]]
