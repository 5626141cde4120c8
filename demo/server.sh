#!/usr/bin/env bash
#
# server.sh crash|start
#
# Crashes the server of the demonstration, or starts it again.
#
set -euo pipefail

# shellcheck source=scripts/lib.sh
. "$(dirname "${BASH_SOURCE[0]}")/../scripts/lib.sh"

case ${1:-} in
	crash)
		rsn_cluster_stop demo immediate
		;;
	start)
		rsn_cluster_start demo
		;;
	*)
		rsn_die "crash or start?"
		;;
esac
