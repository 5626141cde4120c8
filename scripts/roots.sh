#!/usr/bin/env bash
#
# roots.sh RELEASE:SITUATION:COMMAND...
#
# Runs commands in fresh roots of Debian, as somebody does who has just cloned the
# repository.  Needs root, debootstrap and the network.  RELEASE is bookworm,
# trixie or sid, COMMAND the arguments of make, and SITUATION one of
#
#	bare		nothing but make
#	partly		a compiler, the server and libpq-dev, but not the server's headers
#	two			the server of the release before, too
#	running		a cluster at port 5432, which must stay as it is
#	sudo		an ordinary user who may call sudo without a password
#	refused		one who may not; the command must fail, and name the packages
#	pyenv		another python3, without modules, comes first in the search path
#	spaces		the clone is in a directory with spaces in its name
#
# Prints a line "ok" or "not ok" for each.  What is committed is what is cloned.
# MIRROR names a mirror of Debian's archive; with EXPIRED=1 one is taken that is no
# longer updated, whose lists have expired; signatures are verified all the same.
# The roots as debootstrap made them are kept in ROOTS_DIR (/var/tmp/resonate-roots)
# for the next time, and with KEEP=1 also those that the commands ran in.
#
set -euo pipefail

repository=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
directory=${ROOTS_DIR:-/var/tmp/resonate-roots}
mirror=${MIRROR:-http://deb.debian.org/debian}
declare -A before=([bookworm]=bullseye [trixie]=bookworm [sid]=trixie)
passed=0
failed=0

# Makes the root of a release, once, and lets it reach the network as this
# machine does.
make_base()
{
	local base=$directory/$1 file

	[[ ! -d $base ]] || return 0
	mkdir -p "$directory"
	rm -rf "$base.new"
	debootstrap --variant=minbase "$1" "$base.new" "$mirror" >"$base.log" 2>&1 ||
		{ tail -n 20 "$base.log" >&2; return 1; }
	for file in /etc/resolv.conf /etc/hosts /etc/npmrc /usr/etc/npmrc \
		/etc/pip.conf /usr/local/share/ca-certificates/.; do
		[[ ! -e $file ]] || install -d "$base.new${file%/*}"
		[[ ! -e $file ]] || cp -RL "$file" "$base.new${file%/*}/"
	done
	[[ -z ${EXPIRED:-} ]] || echo 'Acquire::Check-Valid-Until "false";' \
		>"$base.new/etc/apt/apt.conf.d/90expired"
	mv "$base.new" "$base"
}

# Runs the shell script $2, with arguments, in the root $1.  Its processes and its
# mounts end with it.
inside()
{
	local root=$1

	shift
	# shellcheck disable=SC2016  # the inner shell's
	unshare --mount --pid --fork --kill-child --propagation private \
		bash -c 'mount -t proc proc "$0/proc" && mount -t tmpfs tmp "$0/dev/shm" &&
			mount -t devpts -o newinstance,ptmxmode=666 devpts "$0/dev/pts" &&
			exec chroot "$0" env -i HOME=/root TERM=dumb CI="$CI" \
				PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin \
				${http_proxy:+"http_proxy=$http_proxy"} \
				${https_proxy:+"https_proxy=$https_proxy"} \
				bash -c "$@"' "$root" "$@" </dev/null
}

# What is run inside: before, the command itself, and after.  Ends with the status
# of the command, or with 99 if the situation could not be made or was disturbed.
script()
{
	cat <<-'END'
		release=$1 situation=$2 earlier=$3 mirror=$4
		shift 4
		export DEBIAN_FRONTEND=noninteractive
		clone=/usr/src/resonate
		as_user=()
		install() { apt-get -q -y install --no-install-recommends "$@"; }
		ask() { setpriv --reuid=postgres --regid=postgres --init-groups psql -XAtc "$@"; }
		prepare()
		{
			apt-get -q update && install make || return
			case $situation in
			partly)
				install gcc libc6-dev postgresql libpq-dev ;;
			two)
				echo "deb $mirror $earlier main" >/etc/apt/sources.list.d/earlier.list
				apt-get -q update && install postgresql || return
				install "$(apt-cache search --names-only "^postgresql-[0-9]+$" |
					cut -d " " -f 1 | sort -V | head -n 1)" ;;
			running)
				install postgresql || return
				pg_ctlcluster $(pg_lsclusters -h | cut -d " " -f 1,2) start || true
				ask "CREATE TABLE mine AS SELECT 42 AS answer" ;;
			sudo | refused)
				install sudo && useradd -m -s /bin/bash dev || return
				[[ $situation == refused ]] ||
					echo "dev ALL=(ALL) NOPASSWD: ALL" >/etc/sudoers.d/dev
				chown -R dev "$clone"
				as_user=(setpriv --reuid=dev --regid=dev --init-groups env HOME=/home/dev) ;;
			pyenv)
				install python3-minimal && mkdir -p /opt/pyenv/shims &&
				cp -L /usr/bin/python3 /opt/pyenv/python3 &&
				printf "%s\n" "#!/bin/sh" "exec /opt/pyenv/python3 -I -S \"\$@\"" \
					>/opt/pyenv/shims/python3 && chmod 755 /opt/pyenv/shims/python3 &&
				apt-get -q -y purge python3-minimal &&
				export PATH="/opt/pyenv/shims:$PATH" ;;
			spaces)
				mkdir "$HOME/my clones" && mv "$clone" "$HOME/my clones/the clone" &&
				clone="$HOME/my clones/the clone" ;;
			esac
		}
		count() { dpkg-query -f "\${db:Status-Status}\n" -W | grep -c "^installed"; }
		prepare >/tmp/prepare.log 2>&1 || { cat /tmp/prepare.log; exit 99; }
		packages=$(count)
		[[ $situation != two ]] || echo "roots: the newest server is" \
			"$(ls /usr/lib/postgresql | sort -n | tail -n 1)"
		servers=$(cat /var/lib/postgresql/*/main/postmaster.pid 2>/dev/null)
		clusters=$(ls -d /var/lib/postgresql/*/main 2>/dev/null)
		cd "$clone" || exit 99
		"${as_user[@]}" make "$@" </dev/null
		status=$?
		echo "roots: $(($(count) - packages)) packages were installed"
		if [[ $(ls -d /var/lib/postgresql/*/main 2>/dev/null) != "$clusters" ]]; then
			echo "roots: a cluster was made"
			status=99
		elif [[ $situation == running ]]; then
			[[ $(cat /var/lib/postgresql/*/main/postmaster.pid) == "$servers" &&
				-n $servers && $(ask "SELECT answer FROM mine") == 42 ]] ||
				{ echo "roots: the cluster was disturbed"; status=99; }
		fi
		exit $status
	END
}

# True if the run with the status $2 is as the situation $1 wants it; $3 is its log.
is_right()
{
	if [[ $1 == refused ]]; then
		[[ $2 -ne 0 && $2 -ne 99 ]] &&
			grep -q 'sudo wants a password' "$3" &&
				grep -qE 'apt-get install .* postgresql-[0-9]+ ' "$3"
	elif [[ $1 == two ]]; then
		[[ $2 -eq 0 ]] &&
			grep -q "PostgreSQL $(sed -n 's/^roots: the newest server is //p' "$3")\b" "$3"
	else
		[[ $2 -eq 0 ]]
	fi
}

run()
{
	local release situation command root log status=0 start_s=$SECONDS

	IFS=: read -r release situation command <<<"$1"
	root=$directory/$release.$situation.$$
	log=$directory/$release.$situation.log
	make_base "$release"
	rm -rf "$root"
	cp -a --reflink=auto "$directory/$release" "$root"
	git clone -q --no-hardlinks "$repository" "$root/usr/src/resonate"
	# shellcheck disable=SC2086  # the arguments of make are words
	inside "$root" "$(script)" roots "$release" "$situation" \
		"${before[$release]}" "$mirror" $command >"$log" 2>&1 || status=$?
	if is_right "$situation" "$status" "$log"; then
		echo "ok - $1 ($(sed -n 's/^roots: //p' "$log" | paste -s -d ,), $((SECONDS - start_s)) s)"
		passed=$((passed + 1))
	else
		tail -n 40 "$log" | sed 's/^/    /'
		echo "not ok - $1 (status $status; all of it in $log)"
		failed=$((failed + 1))
	fi
	[[ -n ${KEEP:-} ]] || rm -rf --one-file-system "$root"
}

[[ $# -gt 0 ]] || set -- {bookworm,trixie}:{bare,partly,two,running,sudo,refused,pyenv,spaces}:demo \
	{bookworm,trixie}:{bare,partly}:check
[[ $(id -u) -eq 0 ]] || { echo "roots: must be run by root" >&2; exit 1; }
command -v debootstrap >/dev/null ||
	{ echo "roots: install debootstrap" >&2; exit 1; }
export CI=${CI:-}
for what in "$@"; do
	run "$what"
done
echo "$passed passed, $failed failed"
[[ $failed -eq 0 ]]
