# shellcheck shell=bash
#
# Private PostgreSQL clusters for scripts.  Source this, then call rsn_enter.
#
#	set -euo pipefail
#	. "$(dirname "${BASH_SOURCE[0]}")/../scripts/lib.sh"
#	rsn_enter demo/run.sh "$@"
#	rsn_build_and_install
#	rsn_cluster_start demo
#	psql -c 'SELECT 1'
#
# Nothing is written outside one directory in /tmp: the sources are copied
# there, a private copy of the server is made there, and the extension is
# installed into that copy.  Servers listen on a unix socket only.  Everything
# is stopped and removed when the script ends, by itself or by a signal, and
# any number of such scripts may run at once.
#
# rsn_enter SCRIPT [ARG...]
#	Makes that directory and runs SCRIPT (a path relative to the repository)
#	again from the copy there, in a clean environment and, when called by
#	root, as an unprivileged user, because a server refuses to run as root.
#	Returns only in that second run.  The environment keeps PATH (with the
#	system's directories first), TERM, CI and every variable RSN_*.  To get
#	files out, set RSN_OUTDIR to a directory before calling and write into
#	"$RSN_OUT"; the files are copied to RSN_OUTDIR at the end, even after a
#	failure.
#
# After rsn_enter the working directory is the copy of the repository, and:
#
#	RSN_WORKDIR		the private directory, for anything temporary
#	RSN_OUT			what is written here reaches RSN_OUTDIR
#
# rsn_provide WORKDIR [COMMAND...]
#	Not of this file: when the script defines it, rsn_enter calls it in the
#	first run, as the caller, to put something into the private directory.
#	COMMAND runs a program as the user of the second run.
# rsn_workdir
#	Prints RSN_WORKDIR.
# rsn_build_and_install [VARIABLE=VALUE...]
#	Builds with the given make variables and installs privately.  From then
#	on PG_CONFIG and PATH lead to the private server and its programs.
# rsn_cluster_start NAME [LINE...]
#	Starts the cluster NAME, made on first use with test/resonate.conf and the
#	given lines of configuration.  Sets PGHOST, PGPORT, PGUSER and PGDATABASE,
#	so that psql and other clients find it.  Starting a stopped or crashed
#	cluster again is allowed.
# rsn_cluster_stop [NAME [MODE]]
#	Stops the cluster started last, or NAME; MODE is smart, fast (the default)
#	or immediate, which is a crash.
# rsn_cluster_log [NAME]
#	Prints the path of the server's log.
# rsn_as_user COMMAND...
#	Runs COMMAND as the user that owns the clusters.  After rsn_enter that is
#	always the current one.
# rsn_job SECONDS COMMAND...
#	Runs a program (not a shell function) with a time limit, so that signals
#	to the script end it at once.  Returns 124 when the limit was reached.
# rsn_at_exit COMMAND
#	Runs COMMAND when the script ends, before the clusters are stopped.
# rsn_die MESSAGE
#	Ends the script with an error.

# The files that are compiled into the server and into the unit tests alike.
# shellcheck disable=SC2034  # used by the scripts that source this
rsn_pure_sources=(src/core/*.c)

# What no log of a server may have: a crash, other than by a signal that a test
# sends, or a warning of the server about itself, of what a transaction left open or
# of memory that was overwritten.
rsn_faults='TRAP:|PANIC:|terminated by signal (6|7|8|11)\b|WARNING:.*(\bleak|was not closed'
rsn_faults+='|while in [A-Z_]+ state|SPI stack|SPITupleTable|(cleanup for|delete) portal|relcache entry'
rsn_faults+='|own a lock of type|ReleaseLockIfHeld|locallock|tuple lock held'
rsn_faults+='|snapshots seem|snapshot 0x[0-9a-f]+ still|past chunk end'
rsn_faults+='|problem in (alloc set|slab|Generation|Bump))'

RSN_ROOT=${RSN_ROOT:-$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)}

# Where programs are looked for first: Debian's packages belong to the system's
# interpreters, not to others that may come earlier in the search path.  A test
# has other directories.
RSN_SYSTEM_PATH=${RSN_SYSTEM_PATH:-/usr/sbin:/usr/bin:/sbin:/bin}

rsn_at_exit_commands=()
rsn_job_pid=
rsn_logs=()

rsn_die()
{
	echo "${0##*/}: $*" >&2
	exit 1
}

# shellcheck source=scripts/server.sh
. "${BASH_SOURCE[0]%/*}/server.sh"

# The unprivileged user that runs everything when root calls.
rsn_find_user()
{
	local user

	for user in ${RSN_USER:+"$RSN_USER"} postgres nobody; do
		if id -u "$user" >/dev/null 2>&1; then
			echo "$user"
			return
		fi
	done
	rsn_die "there is no unprivileged user to run a server; set RSN_USER"
}

# Copies the sources, and only them, to the directory $1.  That a file changes
# meanwhile (status 1) is no reason to stop.
rsn_copy_tree()
{
	{
		tar -C "$RSN_ROOT" -cf - \
			--exclude=./.git --exclude='*.o' --exclude='*.so' \
			--exclude='*.bc' --exclude='*.dylib' --exclude=./results \
			--exclude=./log --exclude=./tmp_check --exclude=./tmp_check_iso \
			--exclude=./output_iso --exclude=./demo/out \
			--exclude=node_modules \
			--exclude='./regression.*' --exclude='*.zip' . ||
			[[ $? -eq 1 ]]
	} | tar -C "$1" --no-same-owner -xf -
	find "$1/sql" -name 'resonate--*.sql' ! -name 'resonate--*--*.sql' -delete
}

# Stops every server whose data directory is below the private directory.
rsn_stop_servers()
{
	local file pid try

	while read -r file; do
		pid=$(head -n 1 "$file" 2>/dev/null) || continue
		[[ $(readlink "/proc/$pid/cwd" || :) == "${file%/*}" ]] || continue
		kill -QUIT "$pid" 2>/dev/null || continue
		# Gone is what no longer has a working directory, be it a zombie.
		for ((try = 0; try < 100; try++)); do
			[[ -n $(readlink "/proc/$pid/cwd" || :) ]] || break
			sleep 0.1
		done
	done < <(find "$1" -name postmaster.pid 2>/dev/null)
}

# Ends the running job, and whatever it started in its process group.
rsn_kill_job()
{
	[[ -n $rsn_job_pid ]] || return 0
	kill -TERM -- "-$rsn_job_pid" 2>/dev/null || :
	wait "$rsn_job_pid" 2>/dev/null || :
	rsn_job_pid=
}

# The end of the first run: nothing may stay behind.
rsn_leave_outer()
{
	trap '' INT TERM HUP
	if [[ -n $rsn_job_pid ]]; then
		kill -TERM -- "-$rsn_job_pid" 2>/dev/null || :
		wait "$rsn_job_pid" 2>/dev/null || :
	fi
	rsn_stop_servers "$1"
	if [[ -n ${RSN_OUTDIR:-} && -n $(ls -A "$1/out" 2>/dev/null) ]]; then
		mkdir -p "$RSN_OUTDIR"
		cp -R "$1/out/." "$RSN_OUTDIR/"
	fi
	rm -rf "$1"
}

# Prints what the logs of servers must not have; false if there is anything.  A crash
# at a fault point of the extension is meant.
rsn_have_no_faults()
{
	# shellcheck disable=SC2016  # fields of awk
	! { cat "$@" 2>/dev/null || :; } | awk '
		match($0, /\[[0-9]+\]/) { pid = substr($0, RSTART + 1, RLENGTH - 2) }
		/ PANIC:  fault point: / { is_meant[pid] = 1; next }
		/ terminated by signal 6/ && match($0, /\(PID [0-9]+\)/) {
			if (substr($0, RSTART + 5, RLENGTH - 6) in is_meant)
				next
		}
		{ print }
	' | grep -E "$rsn_faults"
}

# The end of the second run, which has failed if a server has.
rsn_leave_inner()
{
	local status=$? command

	trap '' INT TERM HUP
	set +e
	rsn_kill_job
	for command in "${rsn_at_exit_commands[@]}"; do
		eval "$command"
	done
	rsn_stop_servers "$RSN_WORKDIR"
	if [[ $status -eq 0 && ${#rsn_logs[@]} -gt 0 ]] &&
		! rsn_have_no_faults "${rsn_logs[@]}"; then
		echo "a server crashed, or warned of a fault"
		status=1
	fi
	exit "$status"
}

rsn_catch_signals()
{
	trap 'exit 130' INT
	trap 'exit 143' TERM
	trap 'exit 129' HUP
}

# Takes along the headers that are only unpacked, for the unprivileged user.
rsn_copy_headers()
{
	local unpacked

	! rsn_has_headers "$RSN_PG_CONFIG" || return 0
	unpacked=$(rsn_unpacked_headers "$RSN_PG_CONFIG")
	cp -R "$unpacked" "$1"
}

rsn_enter()
{
	local script=$1 work user name status=0
	local environment=() become=()

	shift
	if [[ -n ${RSN_WORKDIR:-} ]]; then
		trap rsn_leave_inner EXIT
		rsn_catch_signals
		ulimit -S -c 0
		cd "$RSN_ROOT" || exit
		return
	fi

	PATH="$RSN_SYSTEM_PATH:$PATH"

	# Not below TMPDIR: the path of a socket must stay short.
	work=$(mktemp -d /tmp/resonate.XXXXXX)
	# shellcheck disable=SC2064  # the directory of now
	trap "rsn_leave_outer '$work'" EXIT
	rsn_catch_signals
	mkdir "$work/tree" "$work/home" "$work/out" "$work/tmp"
	rsn_copy_tree "$work/tree"
	# What needs no server does without.
	RSN_PG_CONFIG=$(rsn_find_pg_config 2>"$work/no_server") || RSN_PG_CONFIG=
	[[ -z $RSN_PG_CONFIG ]] || rsn_copy_headers "$work/unpacked"
	if [[ $(id -u) -eq 0 ]]; then
		user=$(rsn_find_user)
		become=(setpriv "--reuid=$user" "--regid=$(id -g "$user")"
			--init-groups)
	fi
	[[ $(type -t rsn_provide) != function ]] ||
		rsn_provide "$work" "${become[@]}"
	[[ -z ${user:-} ]] || chown -R "$user:" "$work"

	for name in TERM CI ${!RSN_*}; do
		[[ -z ${!name+set} ]] || environment+=("$name=${!name}")
	done
	environment+=("PATH=$PATH" "HOME=$work/home" "TMPDIR=$work/tmp"
		LC_ALL=C.UTF-8 "RSN_PG_CONFIG=$RSN_PG_CONFIG"
		"RSN_WORKDIR=$work" "RSN_ROOT=$work/tree" "RSN_OUT=$work/out")

	# A process group of its own keeps interrupts deliverable to it; it gets
	# them from here.
	set -m
	(
		cd "$work/tree" &&
			exec "${become[@]}" env -i "${environment[@]}" \
				bash "$script" "$@"
	) </dev/null &
	rsn_job_pid=$!
	set +m
	wait "$rsn_job_pid" || status=$?
	rsn_job_pid=
	exit "$status"
}

rsn_workdir()
{
	echo "$RSN_WORKDIR"
}

rsn_as_user()
{
	"$@"
}

rsn_at_exit()
{
	rsn_at_exit_commands+=("$1")
}

rsn_job()
{
	local seconds=$1 status=0

	shift
	set -m
	timeout -k 10 "$seconds" "$@" </dev/null &
	rsn_job_pid=$!
	set +m
	wait "$rsn_job_pid" || status=$?
	rsn_job_pid=
	[[ $status -ne 124 ]] || echo "timed out after $seconds s: $*" >&2
	return "$status"
}

# Makes the private server, once.  Programs find their other files relative to
# their own real path, so they are copied, at the same place below a private
# root; all else may be links.  Headers that are not installed are copied from
# where they were unpacked.
rsn_private_server()
{
	local root=$RSN_WORKDIR/pg unpacked=$RSN_WORKDIR/unpacked option directory

	if [[ -z $RSN_PG_CONFIG ]]; then
		cat "$RSN_WORKDIR/no_server" >&2
		exit 1
	fi
	PG_CONFIG=$root$("$RSN_PG_CONFIG" --bindir)/pg_config
	export PG_CONFIG
	if [[ ! -x $PG_CONFIG ]]; then
		directory=$("$RSN_PG_CONFIG" --bindir)
		mkdir -p "$root$directory"
		cp -R "$directory/." "$root$directory/"
		for option in --pkglibdir --sharedir; do
			directory=$("$RSN_PG_CONFIG" "$option")
			mkdir -p "$root$directory"
			cp -Rs "$directory/." "$root$directory/"
			[[ $("$PG_CONFIG" "$option") == "$root$directory" ]] ||
				rsn_die "this server does not work from another place"
		done
		if [[ -d $unpacked ]]; then
			cp -R "$unpacked/." "$root/"
		fi
		for option in --libdir --includedir --pkgincludedir \
			--includedir-server --localedir; do
			directory=$("$RSN_PG_CONFIG" "$option")
			[[ -e $directory && ! -e $root$directory ]] || continue
			mkdir -p "$root${directory%/*}"
			ln -s "$directory" "$root$directory"
		done
		find "$root" \( -name 'resonate.so' -o -name 'resonate.control' \
			-o -name 'resonate--*.sql' \) -delete
	fi
	PATH=$("$PG_CONFIG" --bindir):$PATH
}

# shellcheck disable=SC2120  # the arguments are optional
rsn_build_and_install()
{
	rsn_private_server
	make -s PG_CONFIG="$PG_CONFIG" with_llvm=no "$@" all
	make -s PG_CONFIG="$PG_CONFIG" with_llvm=no "$@" install
}

# shellcheck disable=SC2120  # the arguments are optional
rsn_cluster_log()
{
	echo "$RSN_WORKDIR/${1:-$rsn_cluster}.log"
}

rsn_cluster_start()
{
	local data=$RSN_WORKDIR/$1 port

	rsn_cluster=$1
	[[ " ${rsn_logs[*]} " == *" $data.log "* ]] || rsn_logs+=("$data.log")
	shift
	export PGHOST=$RSN_WORKDIR PGUSER=postgres PGDATABASE=postgres PGPORT
	if [[ ! -f $data/PG_VERSION ]]; then
		initdb -D "$data" -U "$PGUSER" -A trust -E UTF8 --no-locale \
			--no-sync >"$data.initdb.log" 2>&1 ||
			{ cat "$data.initdb.log" >&2; return 1; }
		port=$((5432 + $(find "$RSN_WORKDIR" -maxdepth 1 \
			-name '*.initdb.log' | wc -l)))
		{
			cat "$RSN_ROOT/test/resonate.conf"
			echo "listen_addresses = ''"
			echo "unix_socket_directories = '$RSN_WORKDIR'"
			echo "port = $port"
			printf '%s\n' "$@"
		} >>"$data/postgresql.conf"
	fi
	PGPORT=$(sed -n 's/^port = //p' "$data/postgresql.conf" | tail -n 1)
	if ! pg_ctl -D "$data" -l "$data.log" -w -t 300 -s start </dev/null; then
		cat "$data.log" >&2
		return 1
	fi
}

# shellcheck disable=SC2120  # the arguments are optional
rsn_cluster_stop()
{
	pg_ctl -D "$RSN_WORKDIR/${1:-$rsn_cluster}" -m "${2:-fast}" -w -t 300 -s \
		stop </dev/null
}

# Writes the reference manual to the file $1, from a running cluster.
rsn_write_reference()
{
	createdb reference &&
		psql -XqAt -v ON_ERROR_STOP=1 -d reference \
			-f scripts/reference.sql >"$1" &&
		dropdb --force reference
}
