#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
# Records the regression traces anew: traces/NAME.asrtrace.gz from the reference worker under load, and
# beside it traces/NAME.json, which says how it was made, what was planted, what is found and what the
# gate says. tests/replay/recorded_test.py replays them. Needs root and a build. The worker runs from
# /opt, in a mount namespace of its own: no path of the machine at hand gets into the traces.
#   sudo tools/record-traces.sh [NAME]...
set -euo pipefail
cd "$(dirname "$0")/.."
# shellcheck source=tools/stages.sh
source tools/stages.sh

readonly build=${ASRTRACE_BUILD_DIR:-build/release}
readonly bin=$build/bin
readonly out=build/traces
readonly warm_up=20
readonly requests=120
readonly chunks=(--chunk-seconds 3 --stride-seconds 0.5 --pad-tails 3)
readonly whole=(--whole-file --threads 1)
worker=
tracer=
cleanup() {
    end_process "$tracer" INT
    end_process "$worker" TERM
}
trap cleanup EXIT
trap 'exit 130' INT TERM

load() { # PORT REQUESTS SEED A_SECOND
    "$bin/asr-load" --port "$1" --requests "$2" --seed "$3" --rate "$4" --wavs "$out/speech" --repeat \
        > "$out/load.log"
}

# record NAME REQUESTS_A_SECOND [worker's options]
record() {
    local name=$1 rate=$2 port
    shift 2
    [[ ${#wanted[@]} -eq 0 || " ${wanted[*]} " == *" $name "* ]] || return 0
    stages_say "$name: asr-worker $*"
    rm -f "$out/worker.log" "$out/attach.log" # what the last one said is no sign of this one
    # shellcheck disable=SC2016 # for the inner shell
    LD_LIBRARY_PATH=/opt/tools/asr-worker unshare --mount sh -c \
        'mount --bind "$0" /opt && cd / && exec /opt/bin/asr-worker --port 0 "$@"' \
        "$build" "$@" > "$out/worker.log" &
    worker=$!
    wait_for_line "$out/worker.log" 'listening on ' "$worker" 60
    port=$(sed -nE 's/.*listening on .*:([0-9]+) pid .*/\1/p' "$out/worker.log")
    load "$port" $warm_up 1 0
    /usr/bin/python3 tools/demo_check.py stats "$port" "$out/before.json"
    rm -f "$out/$name.asrtrace"*
    env --default-signal=INT "$bin/asrtrace" attach --pid "$worker" -o "$out/$name.asrtrace" \
        > "$out/$name.txt" 2> "$out/attach.log" &
    tracer=$!
    wait_for_line "$out/attach.log" '^attached to ' "$tracer" 60
    load "$port" $requests 2 "$rate"
    /usr/bin/python3 tools/demo_check.py stats "$port" "$out/after.json"
    kill -INT "$tracer"
    wait "$tracer"
    tracer=
    end_process "$worker" TERM
    worker=
    /usr/bin/python3 -B tests/replay/recorded.py describe "$bin/asrtrace" "$out" "$name" \
        "asr-worker $*; $warm_up requests to warm up, $requests traced (asr-load --repeat --rate $rate)"
    gzip -9nf "$out/$name.asrtrace"
    mv "$out/$name.asrtrace.gz" "$out/$name.json" traces/
    chmod 644 "traces/$name".*
    ls -l "traces/$name.asrtrace.gz"
}

need_root
wanted=("$@")
mkdir -p "$out"
[[ -d $out/speech ]] || "$bin/asr-speak" --out "$out/speech" --count 40 --seed 5 --min-seconds 1 \
    --max-seconds 6 --voices all
record healthy 6 "${chunks[@]}"
record whole-file 6 "${whole[@]}"
record leak 6 "${chunks[@]}" --plant leak=700
record leak-small 6 "${chunks[@]}" --plant leak=40
record cache-unbounded 6 "${chunks[@]}" --plant cache=3000
record cache-bounded 6 "${chunks[@]}" --plant cache=5000,entries=50
record keyed 6 "${chunks[@]}" --plant keyed=6000
record retention 6 "${chunks[@]}" --plant retention=24
record library 6 "${chunks[@]}" --plant library=900
record mixed 0.38 "${whole[@]}" --plant leak=700 --plant cache=3000 --plant keyed=6000
