#!/usr/bin/env bash
#
# prepare.sh DIRECTORY
#
# Copies the tests of the SDKs to DIRECTORY and installs there the newest SDK of
# each language, saying which versions that are.  Where Node.js is missing, which
# runs the tests, prints "skipped: REASON" and ends with status 77; where Python
# or Rust is missing, says so and goes on without that SDK.  But with CI set it is
# a failure, because there nothing may go untested; unless the distribution has
# none that is new enough.
#
# With RSN_CACHE set to a directory that the tests' user can write, what is
# downloaded and compiled is kept there for the next time.
#
set -euo pipefail

# With --import; the SDK asks for 22, and polyfill.mjs makes up for less.
oldest_node=18.18.0
oldest_python=3.12
# That some crates which the SDK uses ask for.
oldest_rust=1.85

directory=$1
cache=${RSN_CACHE:-$RSN_WORKDIR/cache}

skip()
{
	if [[ -n ${CI:-} ]]; then
		echo "not ok - the SDKs can be tested: $1"
		exit 1
	fi
	echo "skipped: $1"
	exit 77
}

# is_at_least VERSION OLDEST
is_at_least()
{
	[[ $(printf '%s\n' "$2" "$1" | sort -V | head -n 1) == "$2" ]]
}

# Whether the distribution has that package, not older than this.
distribution_has()
{
	local version

	version=$(apt-cache policy "$1" 2>/dev/null |
		sed -n 's/^ *Candidate: *\([0-9.]*\).*/\1/p')
	[[ -n $version ]] && is_at_least "$version" "$2"
}

# do_without LANGUAGE PACKAGE OLDEST REASON
do_without()
{
	if [[ -n ${CI:-} ]] && distribution_has "$2" "$3"; then
		echo "not ok - the SDK for $1 can be tested: $4"
		exit 1
	fi
	echo "# $1: skipped: $4"
}

prepare_node()
{
	local version npm

	version=$(node --version 2>/dev/null) || skip "there is no Node.js"
	is_at_least "${version#v}" "$oldest_node" ||
		skip "Node.js ${version#v} is older than $oldest_node"
	npm --version >/dev/null 2>&1 || skip "there is no npm"
	npm=(npm --ignore-scripts --no-audit --no-fund --no-update-notifier
		--loglevel=error --fetch-retry-mintimeout=1000
		--fetch-retry-maxtimeout=5000)
	if ! "${npm[@]}" install; then
		"${npm[@]}" ping >/dev/null 2>&1 || skip "npm cannot reach its registry"
		echo "not ok - npm installs the SDK"
		exit 1
	fi
	echo "# TypeScript: @resonatehq/sdk $(node_version @resonatehq/sdk)," \
		"pg $(node_version pg), Node.js ${version#v}"
}

node_version()
{
	node -p "require('./node_modules/$1/package.json').version"
}

prepare_python()
{
	local python=$directory/python/bin/python3 pip

	if [[ -z ${RSN_PYTHON:-} ]]; then
		do_without Python python3 "$oldest_python" \
			"there is no Python $oldest_python or later"
		return
	fi
	if ! "$RSN_PYTHON" -m venv "$directory/python" >/dev/null 2>&1; then
		do_without Python python3-venv "$oldest_python" "$RSN_PYTHON has no venv"
		return
	fi
	pip=("$python" -m pip --quiet --disable-pip-version-check --retries 2)
	if ! "${pip[@]}" install --upgrade resonate-sdk resonate-pg; then
		"${pip[@]}" download --no-deps --dest "$directory/pip" pip >/dev/null 2>&1 &&
			{ echo "not ok - pip installs the SDK"; exit 1; }
		do_without Python python3 "$oldest_python" "pip cannot reach its index"
		return
	fi
	echo "# Python: $("$python" - <<-'END'
		import platform
		from importlib.metadata import version
		names = ["resonate-sdk", "resonate-pg", "psycopg"]
		print(*(f"{name} {version(name)}," for name in names), end=" ")
		print("Python", platform.python_version())
	END
	)"
	echo "RSN_SDK_PYTHON=$python" >>"$directory/tools"
}

# Adds the tests that are published with the crate, as they are.
add_published_tests()
{
	local manifest

	manifest=$(cargo metadata --format-version 1 --locked |
		sed 's/"manifest_path":"/\n/g' |
		sed -n 's|^\([^"]*/resonate-sdk-postgres-[^"/]*/Cargo\.toml\)".*|\1|p' |
		head -n 1)
	mkdir tests
	cp "${manifest%/*}/tests/e2e.rs" tests/
}

prepare_rust()
{
	local version build

	if [[ -z ${RSN_RUST:-} ]]; then
		do_without Rust cargo "$oldest_rust" "there is no Rust"
		return
	fi
	PATH=${RSN_RUST%/*}:$PATH
	version=$(rustc --version | cut -d ' ' -f 2)
	if ! is_at_least "$version" "$oldest_rust"; then
		do_without Rust cargo "$oldest_rust" "Rust $version is older than $oldest_rust"
		return
	fi
	if ! pkg-config --exists openssl; then
		do_without Rust libssl-dev 3 "libssl-dev or pkg-config is missing"
		return
	fi
	cd "$directory/rust"
	if ! cargo fetch; then
		cargo search --limit 1 tokio >/dev/null 2>&1 &&
			{ echo "not ok - cargo fetches the SDK"; exit 1; }
		do_without Rust cargo "$oldest_rust" "cargo cannot reach its registry"
		return
	fi
	add_published_tests
	build=(nice cargo build --locked --bins --tests)
	if ! "${build[@]}"; then
		echo "not ok - cargo builds the SDK"
		exit 1
	fi
	echo "# Rust: resonate-sdk $(rust_version resonate-sdk), resonate-sdk-postgres" \
		"$(rust_version resonate-sdk-postgres), rustc $version"
	cp "$CARGO_TARGET_DIR/debug/worker" "$directory/rust-worker"
	cp "$(find "$CARGO_TARGET_DIR/debug/deps" -name 'e2e-*' -executable \
		-newer tests/e2e.rs | head -n 1)" "$directory/rust-tests"
	echo "RSN_SDK_RUST=$directory/rust-worker" >>"$directory/tools"
	echo "RSN_SDK_RUST_TESTS=$directory/rust-tests" >>"$directory/tools"
}

rust_version()
{
	cargo pkgid --locked "$1" | sed 's/.*[#@]//'
}

mkdir -p "$directory" "$cache"
cp -R "$(dirname "${BASH_SOURCE[0]}")/." "$directory/"
cd "$directory"
cp "$RSN_WORKDIR/sdk.tools" tools
cat >>tools <<END
npm_config_cache=$cache/npm
PIP_CACHE_DIR=$cache/pip
CARGO_HOME=$cache/cargo
CARGO_TARGET_DIR=$cache/target
CARGO_PROFILE_DEV_DEBUG=0
CARGO_TERM_QUIET=true
# The newest of those that this compiler can take.
CARGO_RESOLVER_INCOMPATIBLE_RUST_VERSIONS=fallback
END
set -a
# shellcheck source=/dev/null
. ./tools
set +a

prepare_node
prepare_python
prepare_rust
