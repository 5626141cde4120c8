# shellcheck shell=bash
#
# A made-up Debian for the tests of setup.sh, in the directory $system: programs
# that only pretend, servers, and an archive of packages.  Installing one makes
# what it brings appear.  Whatever asks for root's rights is written to a log.
#
#	bin/		all programs: those that setup.sh looks for, which do nothing, and
#				links to the true ones of what it is written with
#	servers/NN	servers
#	archive		the names of the packages that can be installed
#	lists		is there when the archive is known, as it is after an update
#	log			what was done to the system

: "${system:?the directory}" "${here:?where this file is}"

# put FILE: makes a program of standard input.
put()
{
	mkdir -p "$(dirname "$1")"
	cat >"$1"
	chmod 755 "$1"
}

# Programs that are there and work, and do nothing.
put_tools()
{
	local tool

	for tool in "$@"; do
		put "$system/bin/$tool" <<<'#!/bin/sh'
	done
}

# A compiler whose programs do nothing; without the C library it cannot compile.
put_gcc()
{
	put "$system/bin/gcc" <<-END
		#!/bin/sh
		[ -f "$system/libc" ] || exit 1
		while [ \$# -gt 1 ]; do
			[ "\$1" != -o ] || { printf '#!/bin/sh\n' >"\$2"; chmod 755 "\$2"; }
			shift
		done
	END
}

# It knows the libraries whose packages are installed.
put_pkg_config()
{
	put "$system/bin/pkg-config" <<-END
		#!/bin/sh
		case \$2 in
		icu-i18n) [ -f "$system/libicu-dev" ] ;;
		liblz4) [ -f "$system/liblz4-dev" ] ;;
		openssl) [ -f "$system/libssl-dev" ] ;;
		zlib) [ -f "$system/zlib1g-dev" ] ;;
		esac
	END
}

# put_server DIRECTORY VERSION: one that is complete.
put_server()
{
	local program

	put "$1/bin/pg_config" <<-END
		#!/bin/sh
		case \$1 in
		--version) echo "PostgreSQL $2.3 (Debian $2.3-1)" ;;
		--bindir) echo "$1/bin" ;;
		--pgxs) echo "$1/lib/pgxs.mk" ;;
		--includedir-server) echo "$1/include" ;;
		--sharedir) echo "$1/share" ;;
		--pkglibdir) echo "$1/lib" ;;
		esac
	END
	for program in postgres initdb psql pg_bsd_indent; do
		put "$1/bin/$program" <<<'#!/bin/sh'
	done
	mkdir -p "$1"/{lib,include,share/extension}
	touch "$1/lib/pgxs.mk" "$1/lib/pgaudit.so" "$1/include/postgres.h" \
		"$1/share/extension/pgtap.control"
}

# What a package brings; called by the made-up apt-get.
provide()
{
	local version=${1##*-}

	case $1 in
		gcc) put_gcc ;;
		libc6-dev) touch "$system/libc" ;;
		binutils) put_tools nm ;;
		perl) put_tools prove perl ;;
		dpkg-dev) put_tools dpkg-source ;;
		pkg-config) put_pkg_config ;;
		libicu-dev | liblz4-dev | libssl-dev | zlib1g-dev) touch "$system/$1" ;;
		golang-go) put_tools go ;;
		nodejs) put_tools node ;;
		pg-bsd-indent) put_tools pg_bsd_indent ;;
		python3-psycopg2) put_tools python3 ;;
		postgresql-*-pgtap)
			version=${1#postgresql-}
			touch "$system/servers/${version%-pgtap}/share/extension/pgtap.control" ;;
		postgresql-*-pgaudit)
			version=${1#postgresql-}
			touch "$system/servers/${version%-pgaudit}/lib/pgaudit.so" ;;
		postgresql-server-dev-*)
			touch "$system/servers/$version/include/postgres.h" ;;
		postgresql-*)
			put_server "$system/servers/$version" "$version"
			rm "$system/servers/$version/include/postgres.h" \
				"$system/servers/$version/bin/pg_bsd_indent" \
				"$system/servers/$version/share/extension/pgtap.control" ;;
		libtap-*) put_tools pg_prove ;;
		*) put_tools "$1" ;;
	esac
}

put_package_programs()
{
	put "$system/bin/apt-cache" <<-END
		#!/bin/sh
		[ -e "$system/lists" ] || exit 100
		case \$1 in
		depends) echo "  Depends: postgresql-$1" ;;
		policy)	 grep -qx "\$2" "$system/archive" && echo "  Candidate: 1" ||
			echo "  Candidate: (none)"
			# More than fits into a pipe, as it may be.
			printf '%70000s\n' end ;;
		esac
	END
	put "$system/bin/dpkg-query" <<-END
		#!/bin/sh
		[ -d "$system/servers/\${4#postgresql-}" ] && echo "\${4#postgresql-}.3-1"
	END
	put "$system/bin/dpkg-deb" <<-END
		#!/bin/sh
		version=\${2#postgresql-server-dev-}
		mkdir -p "\$3$system/servers/\${version%%_*}/include" "\$3$system/servers/\${version%%_*}/bin"
		touch "\$3$system/servers/\${version%%_*}/include/postgres.h"
		cp /bin/true "\$3$system/servers/\${version%%_*}/bin/pg_bsd_indent"
	END
	put "$system/bin/apt-get" <<-END
		#!/bin/bash
		system=$system
		here=$here
		. "$here/system.sh"
		while [[ \$1 == -* ]]; do
			[[ \$1 != -o ]] || shift
			shift
		done
		echo "\$*" >>"$system/log"
		case \$1 in
		update)
			[[ ! -e $system/offline ]] && touch $system/lists
			;;
		download)
			[[ -e $system/lists ]] && grep -qx "\${2%=*}" "$system/archive" && touch "\${2%=*}_1.deb"
			;;
		install)
			shift 2
			for package; do
				[[ ! -e $system/broken ]] || [[ \$package != "\$(<$system/broken)" ]] ||
					exit 100
			done
			for package; do
				provide "\$package"
			done
			;;
		esac
	END
}

# A user who is not root.  With a file "password", sudo wants one, and gets it
# from a terminal only.
put_user_programs()
{
	put "$system/bin/id" <<-'END'
		#!/bin/sh
		echo 1000
	END
	put "$system/bin/sudo" <<-END
		#!/bin/sh
		case \$1 in
		-n)	[ ! -e "$system/password" ] ;;
		-v)	echo "asked for a password" >>"$system/log" ;;
		env) exec "\$@" ;;
		tee) cat >>"$system/log"; echo "\$*" >>"$system/log" ;;
		*)	echo "\$*" >>"$system/log" ;;
		esac
	END
}

# make_system VERSION: with that PostgreSQL in its archive, and nothing of what is
# looked for.
make_system()
{
	local program

	rm -rf "$system"
	mkdir -p "$system"/{bin,home,servers}
	for program in awk basename bash cat chmod cp cut dirname env expr getent grep \
		head ls mkdir mktemp mv printf realpath rm script sed sh sort stty tail \
		touch tr true uniq; do
		ln -s "$(command -v "$program")" "$system/bin/"
	done
	put_package_programs "$1"
	put_user_programs
	printf '%s\n' gcc libc6-dev make patch binutils perl cppcheck shellcheck spin \
		golang-go nodejs npm python3 python3-psycopg2 ca-certificates \
		"postgresql-$1" "postgresql-server-dev-$1" "postgresql-$1-pgtap" \
		"postgresql-$1-pgaudit" \
		libtap-parser-sourcehandler-pgtap-perl libipc-run-perl bison flex dpkg-dev \
		pkg-config libicu-dev liblz4-dev libssl-dev zlib1g-dev >"$system/archive"
	: >"$system/log"
}

# Everything that any purpose needs, with the server of that version, and lists.
make_complete_system()
{
	make_system "$1"
	put_gcc
	touch "$system/libc"
	put_tools make patch nm prove perl cppcheck shellcheck spin go node npm python3 \
		pg_prove
	put_server "$system/servers/$1" "$1"
	touch "$system/lists"
}
