#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
# Compares function names with addr2line -i and with BCC's symbol cache and prints the table. As root.
#   tools/symbols-accuracy.sh [--samples N] [--seed S] [--build DIR]
# 2,000 addresses a module by default, drawn from what the worker and python3 have mapped.
set -eu
samples=2000
seed=$(od -An -N4 -tu4 /dev/urandom | tr -d ' ')
root=$(cd "$(dirname "$0")/.." && pwd)
build=$root/build/release
while [ $# -gt 0 ]; do
  case $1 in
    --samples) samples=$2; shift 2 ;;
    --seed) seed=$2; shift 2 ;;
    --build) build=$2; shift 2 ;;
    *) sed -n '3,5s/^# *//p' "$0" >&2; exit 2 ;;
  esac
done
worker=
python=
# shellcheck disable=SC2317 # called by the trap
finish() {
  for pid in $worker $python; do
    kill "$pid" 2>/dev/null || true
    wait "$pid" 2>/dev/null || true
  done
}
trap finish EXIT
"$build/bin/asr-worker" --port 0 --whole-file >/dev/null 2>&1 &
worker=$!
/usr/bin/python3 "$root/tests/live/unwind/python_work.py" &
python=$!
# Until their libraries are mapped.
for _ in 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20; do
  grep -q libdnnl "/proc/$worker/maps" && grep -q libc.so "/proc/$python/maps" && break
  sleep 0.25
done
echo "seed $seed"
status=0
compare() {
  "$build/bin/symbols-compare" --samples "$samples" --seed "$seed" --pid "$@" || status=1
}
compare "$worker" asr-worker libdnnl libstdc++ libc.so
compare "$python" python3
exit $status
