#!/bin/sh
# Compares this build with nginx in one row in about 20 seconds.
#   bench/run-one.sh                              plain requests, 64 connections, 1 thread
#   bench/run-one.sh '16 KiB, 64 conns, 1 thread' any row, by (part of) its name
# More flags of the runner may follow: bench/run-one.sh '1 MiB, 4 conns' -rounds 8
set -eu
cd "$(dirname "$0")/.."
row=${1:-0.2 KiB, 64 conns, 1 thread}
[ $# -gt 0 ] && shift
exec go run ./bench -proxies pingap,nginx -rows "$row" -rounds 5 -seconds 1s -json '' "$@"
