#!/usr/bin/env bash
#
# Writes docs/reference.md from the comments in the database.
#
set -euo pipefail
[[ -n ${RSN_WORKDIR:-} ]] ||
	"$(dirname "${BASH_SOURCE[0]}")/setup.sh" docs
# shellcheck source=scripts/lib.sh
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"
RSN_OUTDIR=$RSN_ROOT/docs
rsn_enter scripts/docs.sh

rsn_build_and_install
rsn_cluster_start docs
rsn_write_reference "$RSN_WORKDIR/reference.md"
# shellcheck disable=SC2153  # rsn_enter sets it
cp "$RSN_WORKDIR/reference.md" "$RSN_OUT/"
