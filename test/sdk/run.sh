#!/usr/bin/env bash
#
# run.sh DIRECTORY CLUSTER
#
# Runs the tests that prepare.sh has put into DIRECTORY against the cluster with
# this name, which is running, and is stopped and started in the course of it.
# Its database must not have the extension yet.
#
set -euo pipefail

cd "$1"
RSN_CLUSTER=$2 exec node --import ./polyfill.mjs main.mjs
