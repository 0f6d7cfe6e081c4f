#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
# Which lines of the libraries the unit and replay tests and the seeds of the fuzz targets run:
# builds them with counters, and prints a line a folder; by source in build/coverage/report.txt,
# line by line in build/coverage/html. What needs root or BPF is not among it (the live tests).
#   tools/coverage.sh
set -euo pipefail
cd "$(dirname "$0")/.."
# shellcheck source=tools/stages.sh
source tools/stages.sh

readonly build=build/coverage
readonly profiles=$build/profiles
[[ $# -eq 0 ]] || { sed -n '3,6s/^# //p' "$0" >&2; exit 2; }

# Each process writes a file of its own. Tests of programs in which the counters stand may fail, for
# such a program is not what it seems: what they ran counts all the same.
run_tests() {
    rm -rf "$profiles"
    LLVM_PROFILE_FILE=$PWD/$profiles/%m-%p.profraw \
        ctest --test-dir $build --output-on-failure --no-tests=error -j "$(nproc)"
}

run_seeds() {
    local target name seeds
    for target in "$build"/bin/*_fuzz; do
        name=$(basename "$target")
        for seeds in tests/fuzz/*_seeds; do
            [[ $name == "$(basename "${seeds%_seeds}")"_* ]] || continue
            LLVM_PROFILE_FILE=$PWD/$profiles/%m-%p.profraw "$target" -runs=0 "$seeds"
        done
    done
}

programs() { find "$build/bin" -type f -perm -u+x -printf '-object %p '; }

write_reports() {
    llvm-profdata merge -sparse "$profiles"/*.profraw -o "$build/profile"
    local only=(user bpf tools/asrtrace) objects
    read -ra objects <<< "$(programs)"
    llvm-cov report "${objects[@]:1}" -instr-profile="$build/profile" "${only[@]}" \
        > "$build/report.txt"
    llvm-cov show "${objects[@]:1}" -instr-profile="$build/profile" "${only[@]}" -format=html \
        -output-dir="$build/html" -show-instantiations=false
}

# Of llvm-cov's columns those of lines: how many there are, how many did not run.
by_folder() {
    awk '/^(user|bpf|tools)\// {
             folder = $1; sub(/\/[^\/]*$/, "", folder)
             lines[folder] += $8; missed[folder] += $9
             lines["all"] += $8; missed["all"] += $9
         }
         END {
             for (folder in lines)
                 printf "%-20s %6d of %6d lines  %5.1f %%\n", folder, lines[folder] - missed[folder],
                        lines[folder], 100 * (1 - missed[folder] / lines[folder])
         }' "$build/report.txt" | sort
}

tools/install-deps.sh --quiet build worker tests coverage
stage "build coverage" build_preset coverage
stage "unit and replay tests" run_tests || stages_say "counted without the end of what failed"
stage "seeds of the fuzz targets" run_seeds
stage "reports" write_reports
by_folder
