#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
# Installs, builds and runs the tests: lint, fuzzing, sanitized tests, then unit, replay, live and
# worker tests, and one other kernel in QEMU. Needs root and BPF; skips nothing.
#   sudo tools/test.sh [--quick | --full | --kernels [all | SUITE...] | --arm64 [all | SUITE...]
#       | --sanitized]
# --full runs each fuzz target for five minutes, clang-tidy over the tools as well, and live tests as
#   long as they are meant to be: 50 moments to kill the tracer at, a hostile minute.
# --quick leaves out clang-tidy, sanitizers and fuzzing.
# --kernels runs live tests on all other kernels in QEMU (tests/vm), or on those of these suites of
#   Debian, and nothing else; --arm64 does so on kernels of arm64, with a build for it.
# --sanitized runs live tests, the hostile minute too, with the tracer under ASan and UBSan, then
#   under TSan, and nothing else.
set -euo pipefail
cd "$(dirname "$0")/.."
# shellcheck source=tools/stages.sh
source tools/stages.sh

fuzz_seconds=15
fuzz_failures=$stages_logs/fuzz-failures
extent=usual
suites=()
case "${1:-}" in
    "") ;;
    --quick) extent=quick ;;
    --full)
        extent=full
        fuzz_seconds=300
        export ASRTRACE_LONG=1
        ;;
    --kernels | --arm64)
        extent=${1#--}
        [[ ${2:-all} == all ]] || for suite in "${@:2}"; do suites+=(--suite "$suite"); done
        ;;
    --sanitized) extent=sanitized ;;
    *)
        sed -n '3,13s/^# //p' "$0" >&2
        exit 2
        ;;
esac
need_root

# One target of tests/fuzz, from the seeds whose directory begins its name.
fuzz_one() {
    local name corpus seeds=() prefix seconds=$fuzz_seconds
    name=$(basename "$1")
    corpus=build/asan/corpus/$name
    # Parsers of a target's heap, tables and symbols, twice as long.
    [[ ! $name =~ ^(heap_image|symbols_lookup|unwind_table)_ ]] || seconds=$((2 * fuzz_seconds))
    mkdir -p "$corpus"
    for prefix in tests/fuzz/*_seeds; do
        prefix=${prefix%_seeds}
        [[ $name != "${prefix##*/}"_* ]] || seeds+=("${prefix}_seeds")
    done
    # The first directory takes new inputs; the repository's seeds are only read.
    "$1" -max_total_time="$seconds" -rss_limit_mb=2048 -print_final_stats=1 \
        -artifact_prefix="$corpus/" "$corpus" "${seeds[@]}" > "$corpus.log" 2>&1 && return
    tail -n 60 "$corpus.log" | cut -c 1-200
    echo "== $name (${seeds[*]}): $(grep -m 1 -E 'runtime error|^SUMMARY' "$corpus.log")" |
        tee -a "$fuzz_failures"
    return 1
}

# All targets, as many at a time as there are CPUs.
fuzz_all() {
    local target failed=0
    rm -f "$fuzz_failures"
    for target in build/asan/bin/*_fuzz; do
        while [[ $(jobs -rp | wc -l) -ge $(nproc) ]]; do wait -n || failed=1; done
        fuzz_one "$target" &
    done
    while [[ -n $(jobs -p) ]]; do wait -n || failed=1; done
    return $failed
}

sanitized_tests() {
    UBSAN_OPTIONS=print_stacktrace=1 ctest --test-dir build/asan --output-on-failure \
        --no-tests=error -j "$(nproc)"
}

# Live tests whose figures do not depend on how fast the tracer is, with a tracer of another preset.
sanitized_live_tests() {
    local names='exactness|faults|mappings|requests|http|http_edges|http_paths|files|raw|rebuilt'
    names+='|follow|moving|run|injection'
    local -x ASRTRACE_COMMAND=$PWD/build/$1/bin/asrtrace UBSAN_OPTIONS=print_stacktrace=1
    local run=(ctest --test-dir build/release --output-on-failure --no-tests=error) failed=0
    "${run[@]}" -R "^live\\.($names)\$" || failed=1
    ASRTRACE_LONG=1 "${run[@]}" -R '^live\.hostile$' || failed=1
    return $failed
}

# Shows the live tests as they pass, everything that fails, and the summary.
all_tests() {
    local log=$stages_logs/tests.log
    ctest --test-dir build/release --output-on-failure --no-tests=error --no-label-summary \
        -j "$(nproc)" 2>&1 < /dev/null | tee "$log" |
        awk '/^ *Start +[0-9]+:/ || /^Internal ctest|^Test project/ { next }
             / Passed / && !/ (live|worker|vm)\./ { next }
             / Test +#/ { sub(/ # GetParam.*> /, ""); gsub(/ ?\.\.\.+ */, " ... "); gsub(/  +/, " ") }
             { print; fflush() }'
}

mkdir -p "$stages_logs"
stages_say "dependencies"
tools/install-deps.sh --quiet build worker tests kernels
stages_say "kernel"
mount_kernel_file_systems
check_bpf

if [[ $extent == kernels ]]; then
    stage "build release" build_preset release &&
        python3 -B tests/vm/matrix.py build/release --markdown build/kernels.md "${suites[@]}"
    exit
fi
if [[ $extent == arm64 ]]; then
    tools/install-deps.sh --quiet arm64
    stage "packages of arm64" tools/arm64-sysroot.sh && stage "build arm64" build_preset arm64 &&
        python3 -B tests/vm/matrix.py build/arm64 --arch arm64 --markdown build/kernels-arm64.md \
            "${suites[@]}"
    exit
fi
if [[ $extent == sanitized ]]; then
    stage "build release" build_preset release || true
    for preset in asan-live tsan-live; do
        if stage "build $preset" build_preset "$preset"; then
            stage "live tests, $preset" sanitized_live_tests "$preset" || true
        fi
    done
elif stage "build release" build_preset release; then
    if [[ $extent == quick ]]; then
        stage "lint (no clang-tidy)" tools/lint.sh --no-tidy || true
    elif stage "build asan" build_preset asan; then
        stage "unit and replay tests, sanitized" sanitized_tests || true
        stage "fuzz" fuzz_all || true
        stage "lint (clang-tidy over user)" tools/lint.sh --tidy-libraries || true
    fi
    if [[ $extent == full ]]; then
        stage "lint" tools/lint.sh || true
    fi
    stages_say "unit, replay, live, worker and kernel tests"
    all_tests || stages_failed+=("tests")
    # Once more, below the summary: the stage's own lines are far up by now.
    [[ ! -e $fuzz_failures ]] || cat "$fuzz_failures"
fi

if [[ ${#stages_failed[@]} -gt 0 ]]; then
    printf -v names '%s, ' "${stages_failed[@]}"
    stages_say "FAILED: ${names%, }"
    exit 1
fi
