#!/usr/bin/env bash
#
# run.sh TOOLS CLUSTER
#
# Runs the code blocks of README.md and docs/*.md with run.py, against the cluster
# with this name, which is running; TOOLS is what test/sdk/prepare.sh has written.
# The extension is taken away from the server first, for README.md installs it.
#
set -euo pipefail

data=$RSN_WORKDIR/$2
export RSN_SHIMS=$RSN_WORKDIR/shims RSN_LACKS=
log=$data.log

rm -f "$("$PG_CONFIG" --pkglibdir)/resonate.so" \
	"$("$PG_CONFIG" --sharedir)"/extension/resonate*

# Passwords count, as on a server that a distribution has set up.
sed -i '/^host/s/trust$/scram-sha-256/' "$data/pg_hba.conf"
pg_ctl -D "$data" -s reload

# What stands for programs that need the rights of root: here everything belongs to
# the user who runs the tests.
mkdir "$RSN_SHIMS"
cat >"$RSN_SHIMS/sudo" <<'END'
#!/bin/sh
[ "$1" != -u ] || shift 2
exec "$@"
END
cat >"$RSN_SHIMS/systemctl" <<END
#!/bin/sh
[ "\$*" = "restart postgresql" ] || exit 1
exec pg_ctl -D "$data" -l "$log" -w -s restart
END
chmod +x "$RSN_SHIMS"/*

set -a
# shellcheck source=/dev/null
. "$1"
set +a
[[ -n ${RSN_SDK_PYTHON:-} ]] || RSN_LACKS+=,Python
[[ -n ${RSN_SDK_RUST:-} ]] || RSN_LACKS+=,Rust
PATH=$("$PG_CONFIG" --bindir):${RSN_PYTHON:+${RSN_PYTHON%/*}:}${RSN_RUST:+${RSN_RUST%/*}:}$PATH
export MAKEFLAGS=with_llvm=no

exec /usr/bin/python3 test/examples/run.py README.md docs/*.md
