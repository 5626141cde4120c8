# shellcheck shell=bash
#
# Which PostgreSQL server the scripts use, and what it lacks.  lib.sh and
# setup.sh source this.
#
# PG_CONFIG selects a server.  Without it the newest complete one is taken: of
# the one that comes first in the search path and of those that Debian's
# packages install side by side.
#
# The headers may be unpacked instead of installed, because Debian's package of
# them depends on clang and LLVM: 38 packages and 560 MB on Debian 12, for
# bitcode that is not made here.  setup.sh unpacks the package into a directory
# of the user, and rsn_enter takes a copy along.
#
# rsn_find_pg_config
#	Prints the pg_config of the server to use, or ends the script with an error
#	that says what is missing.
# rsn_server_lacks PG_CONFIG
#	Prints what that server lacks: one line for each thing, a Debian package if
#	the server came from packages, otherwise a file.
# rsn_server_version PG_CONFIG
#	Prints the major version; nothing if that is not a pg_config.
# rsn_find_indent
#	Prints the path of pg_bsd_indent; false if there is none.

rsn_oldest_server=15
rsn_newest_server=18

# Where Debian's packages put servers; a test has another place.
RSN_SERVERS=${RSN_SERVERS:-/usr/lib/postgresql}

rsn_server_version()
{
	{ "$1" --version 2>/dev/null || :; } | sed -n 's/^PostgreSQL \([0-9]*\).*/\1/p'
}

rsn_is_supported()
{
	[[ -n $1 && $1 -ge $rsn_oldest_server && $1 -le $rsn_newest_server ]]
}

# The pg_config of every supported server there may be, the newest first.
rsn_servers()
{
	local config version

	for config in pg_config "$RSN_SERVERS"/*/bin/pg_config; do
		version=$(rsn_server_version "$config")
		! rsn_is_supported "$version" ||
			printf '%s %s\n' "$version" "$(command -v "$config")"
	done | sort -s -k 1,1nr | cut -d ' ' -f 2-
}

# The version if Debian's packages installed this server; false otherwise.
rsn_packaged_version()
{
	local version

	version=$(rsn_server_version "$1")
	[[ $("$1" --bindir) == "$RSN_SERVERS/$version/bin" ]] && echo "$version"
}

# Where setup.sh unpacks the headers of a server that Debian's packages have
# installed; false if the server is not from there.  An update of the server gets
# another directory.
rsn_unpacked_headers()
{
	local version exact home=${HOME:-$(getent passwd "$(id -u)" | cut -d : -f 6)}

	version=$(rsn_packaged_version "$1") &&
		exact=$(dpkg-query -W -f '${Version}' "postgresql-$version" 2>/dev/null) &&
		[[ -n $exact ]] &&
		echo "${XDG_CACHE_HOME:-$home/.cache}/resonate/postgresql-server-dev-${version}_$exact"
}

# True if the headers are where the server expects them.
rsn_has_headers()
{
	[[ -f $("$1" --includedir-server)/postgres.h ]]
}

# Looks for the files that stand for all others.
rsn_server_lacks()
{
	local config=$1 bindir version headers unpacked package file

	bindir=$("$config" --bindir)
	version=$(rsn_packaged_version "$config") || version=
	headers=$("$config" --includedir-server)/postgres.h
	if ! rsn_has_headers "$config" &&
		unpacked=$(rsn_unpacked_headers "$config"); then
		headers=$unpacked$headers
	fi
	while read -r package file; do
		if [[ -f $file ]]; then
			continue
		elif [[ -n $version ]]; then
			echo "$package-$version"
		else
			echo "$file"
		fi
	done <<-END | sort -u
		postgresql $bindir/postgres
		postgresql $bindir/initdb
		postgresql-client $bindir/psql
		postgresql-client $bindir/pg_config
		postgresql-client $("$config" --pgxs)
		postgresql-server-dev $headers
	END
}

# Ends the script unless PG_CONFIG can be executed and is of a supported version.
rsn_check_pg_config()
{
	local version

	version=$(rsn_server_version "$PG_CONFIG")
	[[ -n $version ]] ||
		rsn_die "PG_CONFIG=$PG_CONFIG is no pg_config that can be executed"
	rsn_is_supported "$version" ||
		rsn_die "PG_CONFIG=$PG_CONFIG is of PostgreSQL $version;" \
			"$rsn_oldest_server to $rsn_newest_server are supported"
}

rsn_find_pg_config()
{
	local config lacks

	if [[ -n ${PG_CONFIG:-} ]]; then
		rsn_check_pg_config
		lacks=$(rsn_server_lacks "$PG_CONFIG")
		[[ -z $lacks ]] ||
			rsn_die "the server of PG_CONFIG=$PG_CONFIG lacks ${lacks//$'\n'/, }"
		realpath -s -- "$(command -v "$PG_CONFIG")"
		return
	fi
	while read -r config; do
		if [[ -z $(rsn_server_lacks "$config") ]]; then
			realpath -s -- "$config"
			return
		fi
	done < <(rsn_servers)
	rsn_die "there is no complete PostgreSQL $rsn_oldest_server to" \
		"$rsn_newest_server; run scripts/setup.sh, or set PG_CONFIG"
}

# It is a package of its own in Debian 12; later it comes with the headers of the
# server, beside the server's programs.
rsn_find_indent()
{
	local config bindir unpacked directory

	if config=$(rsn_find_pg_config 2>/dev/null); then
		bindir=$("$config" --bindir)
		unpacked=$(rsn_unpacked_headers "$config") || unpacked=
		for directory in "$bindir" "$unpacked$bindir"; do
			if [[ -x $directory/pg_bsd_indent ]]; then
				echo "$directory/pg_bsd_indent"
				return
			fi
		done
	fi
	command -v pg_bsd_indent
}
