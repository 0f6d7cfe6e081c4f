#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
# How often the verdicts are right: programs whose memory grows for a known reason (tests/corpus),
# sizes and function names drawn at random for each run. Ends with 1 if a definite verdict was wrong.
#   sudo tools/accuracy.sh [--runs 5] [--tier full|sites|auto] [--scenario NAME]... [--quick] [--seed S] [--keep DIR]
set -euo pipefail
cd "$(dirname "$0")/.."
# shellcheck source=tools/stages.sh
source tools/stages.sh
need_root

mkdir -p "$stages_logs"
tools/install-deps.sh --quiet build worker
mount_kernel_file_systems
check_bpf
stage "build" build_preset release asrtrace corpus corpus_boundary
export ASRTRACE_BUILD_DIR=$PWD/build/release
exec /usr/bin/python3 -B tests/corpus/accuracy.py "$@"
