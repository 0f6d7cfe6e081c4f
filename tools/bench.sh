#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
# Benchmarks: the cost of probes in the target (interleaved, ratios), of an event in the tracer, of a
# stack, of a census; the bounds of an hour's trace; other tools beside it. Times depend on the machine:
# compare within one run.
#   sudo tools/bench.sh [ROUNDS [peers]]
# peers: only the comparison with other tools, whose packages it installs.
set -euo pipefail
cd "$(dirname "$0")/.."
# shellcheck source=tools/stages.sh
source tools/stages.sh
need_root

readonly rounds=${1:-5}

mkdir -p "$stages_logs"
tools/install-deps.sh --quiet build worker
mount_kernel_file_systems
check_bpf
stage "build" build_preset release
if [[ ${2:-} == peers ]]; then
    tools/install-deps.sh --quiet peers
    stages_say "other tools, $rounds rounds"
    tests/bench/peers.py build/release --rounds "$rounds"
    exit
fi
stages_say "probes in the target, $rounds rounds"
tests/bench/probes.py build/release "$rounds"
stages_say "the worker, $rounds rounds"
# Each of its two workers is traced as often as the other.
tests/bench/worker.py build/release --rounds "$((rounds + rounds % 2))"
stages_say "a census, $rounds rounds"
tests/bench/census.py build/release "$rounds"
stages_say "an hour of requests over 5,000 sites, simulated"
tests/bench/hour.py build/release
stages_say "an event in the tracer"
build/release/bin/ledger_bench --benchmark_min_time=0.2
