#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
# A memory gate for continuous integration, ready to be copied: starts the worker under
# `asrtrace run`, drives requests, gates the trace, and proves with an injected leak that the gate
# can fail. Needs root and a build of asrtrace, asr-worker, asr-model, asr-load and asr-speak.
#   sudo tools/ci-example.sh [--requests N] [--runs N] [--out DIR] [--baseline FILE] [--policy FILE]
# Without --baseline the first healthy run is the baseline of the others. --runs N judges N healthy
# workers and N with a leak of 256 bytes a request. Exit status 0: every verdict was right.
set -euo pipefail
cd "$(dirname "$0")/.."
# shellcheck source=tools/stages.sh
source tools/stages.sh

requests=300
runs=1
out=build/ci
baseline=
policy=()
bin=${ASRTRACE_BUILD_DIR:-build/release}/bin
while [[ $# -gt 0 ]]; do
    case "$1" in
        --requests) requests=$2 ;;
        --runs) runs=$2 ;;
        --out) out=$2 ;;
        --baseline) baseline=$2 ;;
        --policy) policy=(--policy "$2") ;;
        *)
            sed -n '3,8s/^# //p' "$0" >&2
            exit 2
            ;;
    esac
    shift 2
done
need_root
tracer=
wrong=0
trap 'end_process "$tracer" TERM' EXIT
trap 'exit 130' INT TERM

# record NAME [worker's options]: leaves NAME.asrtrace and NAME.log.
record() {
    local name=$1 port
    shift
    rm -f "$out/$name.asrtrace"
    env --default-signal=INT "$bin/asrtrace" run -o "$out/$name.asrtrace" -- \
        "$bin/asr-worker" --port 0 "$@" > "$out/$name.log" 2>&1 &
    tracer=$!
    wait_for_line "$out/$name.log" 'listening on ' "$tracer" 60
    port=$(sed -nE 's/.*listening on .*:([0-9]+) pid .*/\1/p' "$out/$name.log")
    "$bin/asr-load" --port "$port" --requests "$requests" --wavs "$out/speech" > "$out/$name.load"
    kill -TERM "$tracer" # passed on to the worker
    wait "$tracer"
    tracer=
}

# judge NAME EXPECTED: gates NAME.asrtrace; EXPECTED is the exit status that is right.
judge() {
    local status=0
    "$bin/asrtrace" check "$out/$1.asrtrace" ${baseline:+--baseline "$baseline"} "${policy[@]}" \
        --junit "$out/$1.xml" --markdown "$out/$1.md" --json "$out/$1.json" || status=$?
    if [[ $status -ne $2 ]]; then
        echo "WRONG: $1 ended with status $status instead of $2" >&2
        wrong=$((wrong + 1))
    fi
}

mkdir -p "$out"
[[ -d $out/speech ]] || "$bin/asr-speak" --out "$out/speech" --count 40 --seed 5 --min-seconds 1 \
    --max-seconds 6 --voices all
for ((run = 1; run <= runs; ++run)); do
    stages_say "healthy worker, run $run"
    record "healthy-$run"
    judge "healthy-$run" 0
    baseline=${baseline:-$out/healthy-1.asrtrace}
    stages_say "worker with a leak of 256 bytes a request, run $run"
    record "leak-$run" --plant leak=256
    judge "leak-$run" 1
done
stages_say "$((2 * runs)) verdicts, $wrong of them wrong"
[[ $wrong -eq 0 ]]
