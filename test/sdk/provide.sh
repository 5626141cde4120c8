#!/usr/bin/env bash
#
# provide.sh WORKDIR [COMMAND...]
#
# Looks for a Python and a Rust that the newest SDKs can be installed with, as the
# user who runs the tests, before the tests become another user; COMMAND is what
# runs a program as that one.  Writes their places to WORKDIR/sdk.tools, for
# prepare.sh.  What that user cannot reach, because it is below a closed home
# directory, is copied to WORKDIR: both work from any place.
#
set -euo pipefail

workdir=$1
shift
as_user=("$@")

# can_run PROGRAM ARG...: whether the other user can.
can_run()
{
	"${as_user[@]}" env -i "PATH=$PATH" HOME=/nonexistent "$@" >/dev/null 2>&1
}

# is_new PROGRAM: whether it is a Python of version 3.12 or later.
is_new()
{
	"$1" -c 'import sys; sys.exit(sys.version_info < (3, 12))' >/dev/null 2>&1
}

# The first Python that is new enough, of the search path or of pyenv.
find_python()
{
	local python

	for python in $(type -aP python3 python3.{12..19}) \
		"${PYENV_ROOT:-$HOME/.pyenv}"/versions/3.*/bin/python3; do
		if is_new "$python"; then
			"$python" -c 'import sys; print(sys.prefix)'
			return
		fi
	done
}

# What the compiler calls its root; without rustup's programs in front of it.
find_rust()
{
	rustc --print sysroot 2>/dev/null || :
}

# provide NAME PREFIX PROGRAM ARG...: notes where the user finds PREFIX.
provide()
{
	local name=$1 prefix=$2 program=$3

	shift 3
	[[ -n $prefix ]] || return 0
	if ! can_run "$prefix/$program" "$@"; then
		mkdir "$workdir/$name"
		tar -C "$prefix" -cf - --exclude=./share --exclude=test \
			--exclude='__pycache__' . | tar -C "$workdir/$name" -xf -
		prefix=$workdir/$name
	fi
	echo "RSN_${name^^}=$prefix/$program" >>"$workdir/sdk.tools"
}

# An interpreter with a library of its own has the place of that built in.
provide_libpython()
{
	local libraries=("$workdir"/python/lib/libpython*.so*)

	[[ -f ${libraries[0]} ]] || return 0
	mkdir "$workdir/libpython"
	cp -P "${libraries[@]}" "$workdir/libpython/"
	echo "LD_LIBRARY_PATH=$workdir/libpython" >>"$workdir/sdk.tools"
}

: >"$workdir/sdk.tools"
provide python "$(find_python)" bin/python3 -c 'import venv, ensurepip'
provide_libpython
provide rust "$(find_rust)" bin/cargo --version
