#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
# The main job, from nothing: installs, builds, starts the reference worker with a leak whose size
# is drawn at random, traces it while it recognises spoken requests, checks the report against what
# the worker knows of itself, and draws a flame graph. Leaves its files in build/demo.
#   sudo tools/demo.sh
set -euo pipefail
cd "$(dirname "$0")/.."
# shellcheck source=tools/stages.sh
source tools/stages.sh
need_root

readonly bin=build/release/bin
readonly out=build/demo
readonly requests=150
readonly utterances=160
readonly attach_seconds=30
worker=
tracer=

cleanup() {
    end_process "$tracer" INT
    end_process "$worker" TERM
}
trap cleanup EXIT
trap 'exit 130' INT TERM

# Speech of the same seed is spoken once.
speak() {
    [[ -f $out/speech/complete ]] && return 0
    rm -rf "$out/speech"
    "$bin/asr-speak" --out "$out/speech" --count "$utterances" --seed 20 --min-seconds 1 \
        --max-seconds 10 --voices all
    touch "$out/speech/complete"
}

stages_say "dependencies"
tools/install-deps.sh --quiet build worker
mount_kernel_file_systems
check_bpf
stage "build" build_preset release asrtrace asr-worker asr-model asr-load asr-speak
mkdir -p "$out"
stage "speak $utterances requests" speak

leak_bytes=$((RANDOM % 30000 + 1000))
stages_say "start asr-worker with a leak of $leak_bytes bytes in each request"
"$bin/asr-worker" --port 0 --plant "leak=$leak_bytes" > "$out/worker.log" 2>&1 &
worker=$!
wait_for_line "$out/worker.log" 'listening on ' "$worker" 20
port=$(sed -nE 's/.*listening on .*:([0-9]+) pid .*/\1/p' "$out/worker.log")

stages_say "asrtrace attach --pid $worker"
rm -f "$out/demo.asrtrace" "$out/demo.json"
# The shell starts background commands with Ctrl-C ignored.
env --default-signal=INT "$bin/asrtrace" attach --pid "$worker" --tier full -o "$out/demo.asrtrace" \
    --json "$out/demo.json" > "$out/report.txt" 2> "$out/attach.log" &
tracer=$!
wait_for_line "$out/attach.log" '^attached to ' "$tracer" "$attach_seconds"

stages_say "$requests spoken requests over HTTP"
"$bin/asr-load" --port "$port" --requests "$requests" --wavs "$out/speech" --json "$out/load.json"
/usr/bin/python3 tools/demo_check.py stats "$port" "$out/stats.json"

stages_say "Ctrl-C"
kill -INT "$tracer"
status=0
wait "$tracer" || status=$?
tracer=
cat "$out/report.txt"
if [[ $status -ne 0 ]]; then
    cat "$out/attach.log" >&2
    echo "asrtrace ended with status $status" >&2
    exit 1
fi

"$bin/asrtrace" flamegraph "$out/demo.asrtrace" --kind growth --format svg -o "$out/growth.svg"
stages_say "flame graph: $out/growth.svg"
/usr/bin/python3 tools/demo_check.py check "$out"
stages_say "done"
