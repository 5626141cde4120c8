#!/usr/bin/env bash
#
# sql.sh
#
# Fuzzes the SQL functions in a private cluster, with assertions on: generated
# bodies of resonate.resonate_rpc(), and calls of all typed functions.  See
# sql/main.py for what counts as a failure; a server process that ended or
# failed an assertion is one.  In the environment:
#
#	INPUTS=n	how many inputs in all, 20000 by default; at least 10000 go to
#				each of the databases below, if n is large enough
#	SEED=n		1 by default; the same seed gives the same inputs
#	EPOCH=n		runs only that epoch of 10000 inputs
#	ENCODING=e	only in a database of that encoding: UTF8, SQL_ASCII, LATIN1 or
#				EUC_JP
#	LIVE=1		only as a member of resonate_worker, with the time of day and the
#				background worker at work
#
# Of many inputs, 70 % go to UTF8, and 10 % to each of the other encodings;
# half of as many again are run live.
#
set -euo pipefail

# shellcheck source=scripts/lib.sh
. "$(dirname "${BASH_SOURCE[0]}")/../../scripts/lib.sh"
if [[ -z ${RSN_WORKDIR:-} ]]; then
	set -- "${INPUTS:-20000}" "${SEED:-1}" "${EPOCH:-}" "${ENCODING:-}" \
		"${LIVE:-}"
fi
rsn_enter test/fuzz/sql.sh "$@"
inputs=$1 seed=$2 epoch=$3 encoding=$4 live=$5

# One database for the encoding $1; the rest is for main.py.
fuzz()
{
	local name result=0

	name=fuzz_$(tr '[:upper:]' '[:lower:]' <<<"$1")_$#
	createdb -T template0 -E "$1" --locale=C "$name"
	psql -Xq -v ON_ERROR_STOP=1 -d "$name" -c 'CREATE EXTENSION resonate' \
		-f test/fuzz/sql/harness.sql \
		-c 'GRANT USAGE ON SCHEMA fuzz TO fuzz_worker'
	python3 test/fuzz/sql/main.py --database "$name" --encoding "$1" \
		--seed "$seed" ${epoch:+--epoch "$epoch"} "${@:2}" || result=1
	dropdb --force "$name"
	return "$result"
}

# The share of all inputs, in percent, and at least an epoch.
share()
{
	local n=$((inputs * $1 / 100))

	echo $((n < 10000 ? 10000 : n))
}

rsn_build_and_install DEBUG=1
# Without these, malloc keeps what a large input has needed, and RssAnon says
# more about that than about us.
export MALLOC_MMAP_THRESHOLD_=131072 MALLOC_TRIM_THRESHOLD_=131072
rsn_cluster_start fuzz "log_min_messages = warning" "autovacuum_naptime = 5s" \
	"max_stack_depth = 2MB"
psql -Xq -c 'CREATE ROLE fuzz_worker' -d postgres
psql -Xq -d postgres -c 'CREATE EXTENSION resonate' \
	-c 'GRANT resonate_worker, resonate_client TO fuzz_worker' \
	-c 'DROP EXTENSION resonate'

status=0
if [[ -n $live ]]; then
	fuzz "${encoding:-UTF8}" --inputs "$inputs" --live || status=1
elif [[ -n $encoding || -n $epoch ]]; then
	fuzz "${encoding:-UTF8}" --inputs "$inputs" || status=1
elif [[ $inputs -le 20000 ]]; then
	fuzz UTF8 --inputs "$inputs" || status=1
else
	fuzz UTF8 --inputs "$(share 65)" || status=1
	for other in SQL_ASCII LATIN1 EUC_JP; do
		fuzz "$other" --inputs "$(share 10)" || status=1
	done
	fuzz UTF8 --inputs "$(share 5)" --live || status=1
fi
exit "$status"
