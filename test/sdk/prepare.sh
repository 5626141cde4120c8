#!/usr/bin/env bash
#
# prepare.sh DIRECTORY
#
# Copies the tests of the SDK to DIRECTORY and installs there what
# package-lock.json names.  Where that is impossible, prints "skipped: REASON"
# and ends with status 77; but with CI set that is a failure, because there
# nothing may go untested.
#
set -euo pipefail

# With --import; the SDK asks for 22, and polyfill.mjs makes up for less.
oldest_node=18.18.0

skip()
{
	if [[ -n ${CI:-} ]]; then
		echo "not ok - the SDK can be tested: $1"
		exit 1
	fi
	echo "skipped: $1"
	exit 77
}

version=$(node --version 2>/dev/null) || skip "there is no Node.js"
[[ $(printf '%s\n' "$oldest_node" "${version#v}" | sort -V | head -n 1) == "$oldest_node" ]] ||
	skip "Node.js ${version#v} is older than $oldest_node"
npm --version >/dev/null 2>&1 || skip "there is no npm"

mkdir -p "$1"
cp -R "$(dirname "${BASH_SOURCE[0]}")/." "$1/"
cd "$1"
rm -rf node_modules
npm=(npm --ignore-scripts --no-audit --no-fund --no-update-notifier
	--loglevel=error --cache "$RSN_WORKDIR/npm" --fetch-retry-mintimeout=1000
	--fetch-retry-maxtimeout=5000)
if ! "${npm[@]}" ci; then
	"${npm[@]}" ping >/dev/null 2>&1 || skip "npm cannot reach its registry"
	echo "not ok - npm installs the SDK"
	exit 1
fi
echo "Node.js ${version#v}, SDK $(node -p \
	'require("./node_modules/@resonatehq/sdk/package.json").version')"
