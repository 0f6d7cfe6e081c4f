#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
# How often the gate is right: N healthy workers must pass and N with a leak of 256 bytes a request
# must fail, while other work makes the machine noisy. Prints a table, exit status 1 if any verdict was
# wrong. Needs root and a build, as tools/ci-example.sh, which it repeats.
#   sudo tools/gate-accuracy.sh [--runs N] [--requests N] [--quiet-machine] [--out DIR]
set -euo pipefail
cd "$(dirname "$0")/.."
# shellcheck source=tools/stages.sh
source tools/stages.sh

runs=20
requests=300
noise=1
out=build/gate
while [[ $# -gt 0 ]]; do
    case "$1" in
        --runs) runs=$2 && shift ;;
        --requests) requests=$2 && shift ;;
        --out) out=$2 && shift ;;
        --quiet-machine) noise=0 ;;
        *)
            sed -n '3,6s/^# //p' "$0" >&2
            exit 2
            ;;
    esac
    shift
done
need_root

# Bursts of work of random length, for as long as this script lives.
make_noise() {
    local round
    while kill -0 $$ 2> /dev/null; do
        for ((round = RANDOM * 20; round > 0; --round)); do :; done
        sleep "0.$((RANDOM % 900 + 100))"
    done
}

noisy=()
cleanup() {
    local process
    for process in "${noisy[@]}"; do end_process "$process" TERM; done
}
trap cleanup EXIT
trap 'exit 130' INT TERM
if [[ $noise -eq 1 ]]; then
    for ((cpu = 0; cpu < $(nproc); ++cpu)); do
        make_noise &
        noisy+=($!)
    done
fi

mkdir -p "$out/baseline"
stages_say "a healthy worker as the baseline"
tools/ci-example.sh --requests "$requests" --out "$out/baseline" > "$out/baseline.log"
[[ -e $out/speech ]] || ln -s baseline/speech "$out/speech"
stages_say "$runs healthy and $runs leaking workers, $requests requests each (log: $out/gate.log)"
tools/ci-example.sh --requests "$requests" --runs "$runs" --out "$out" \
    --baseline "$out/baseline/healthy-1.asrtrace" > "$out/gate.log" 2>&1 || true
stages_say "done"
/usr/bin/python3 tools/gate_table.py "$out" "$runs"
