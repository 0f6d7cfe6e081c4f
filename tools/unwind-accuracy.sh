#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
# Compares the BPF walker with libdwfl on live targets and prints the table. As root.
#   tools/unwind-accuracy.sh [--samples N] [--build DIR]
# 200 stacks a target by default. The worker's part is left out where the worker is not built.
set -eu
samples=200
root=$(cd "$(dirname "$0")/.." && pwd)
build=$root/build/release
while [ $# -gt 0 ]; do
  case $1 in
    --samples) samples=$2; shift 2 ;;
    --build) build=$2; shift 2 ;;
    *) sed -n '3,5s/^# *//p' "$0" >&2; exit 2 ;;
  esac
done
bin=$build/bin
status=0
compare() { # compare NAME [OPTION...] (-- CMD... | --pid P)
  name=$1
  shift
  "$bin/unwind-compare" --samples "$samples" --name "$name" "$@" || status=1
}

compare templates -- "$bin/unwind-deep-templates"
compare signals -- "$bin/unwind-signals"
compare vdso -- "$bin/unwind-vdso"
compare python3 -- /usr/bin/python3 "$root/tests/live/unwind/python_work.py"

if [ ! -x "$bin/asr-worker" ]; then
  echo "worker             not built: $bin/asr-worker"
  exit $status
fi
work=$(mktemp -d)
worker=
load=
# shellcheck disable=SC2317 # called by the trap
finish() {
  for pid in $load $worker; do
    kill "$pid" 2>/dev/null || true
    wait "$pid" 2>/dev/null || true
  done
  rm -rf "$work"
}
trap finish EXIT
"$bin/asr-speak" --out "$work/wavs" --count 20 >/dev/null
: >"$work/log"
"$bin/asr-worker" --port 0 --whole-file >"$work/log" 2>&1 &
worker=$!
port=
for _ in 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20; do
  port=$(sed -n 's/.*listening on [^:]*:\([0-9]*\).*/\1/p' "$work/log")
  [ -n "$port" ] && break
  sleep 0.25
done
"$bin/asr-load" --port "$port" --wavs "$work/wavs" --requests 1000000 >/dev/null 2>&1 &
load=$!
sleep 2
compare worker --pid "$worker"
compare worker-faults --faults --pid "$worker"
exit $status
