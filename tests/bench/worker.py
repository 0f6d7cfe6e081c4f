#!/usr/bin/python3
# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""What tracing costs the reference worker: CPU and median latency of a request in each tier, against
the same worker untraced, interleaved in one run. The first round warms the caches and is not counted.

    sudo tests/bench/worker.py BUILD_DIR [ROUNDS]
"""

import json
import os
import statistics
import subprocess
import sys
import tempfile

REQUESTS = 60
TIERS = ["none", "watch", "sites", "full"]


def cpu_seconds(pid):
    with open(f"/proc/{pid}/stat", encoding="ascii", errors="replace") as file:
        fields = file.read().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def load(build, port, wavs):
    text = subprocess.run(
        [os.path.join(build, "bin", "asr-load"), "--port", port, "--wavs", wavs, "--requests",
         str(REQUESTS), "--json", "-"], check=True, capture_output=True, text=True).stdout
    return json.loads(text[text.index("{"):])


def measure(build, tier, worker, port, wavs):
    """CPU milliseconds and median latency in milliseconds of a request."""
    tracer = None
    if tier != "none":
        tracer = subprocess.Popen(
            [os.path.join(build, "bin", "asrtrace"), "attach", "--pid", str(worker.pid), "--tier",
             tier], stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
        for line in tracer.stderr:
            if line.startswith("attached"):
                break
    try:
        before = cpu_seconds(worker.pid)
        figures = load(build, port, wavs)
        used = cpu_seconds(worker.pid) - before
    finally:
        if tracer:
            tracer.terminate()
            tracer.communicate()
    latency = figures["latency_ms"]["p50"]
    return 1000 * used / REQUESTS, latency


def main(build, rounds):
    results = {tier: [] for tier in TIERS}
    with tempfile.TemporaryDirectory() as wavs:
        subprocess.run([os.path.join(build, "bin", "asr-speak"), "--out", wavs, "--count", "60",
                        "--max-seconds", "6"], check=True, stdout=subprocess.DEVNULL)
        worker = subprocess.Popen([os.path.join(build, "bin", "asr-worker"), "--port", "0"],
                                  stdout=subprocess.PIPE, text=True)
        try:
            port = worker.stdout.readline().split(":")[1].split()[0]
            for number in range(rounds + 1):
                for tier in TIERS:
                    figures = measure(build, tier, worker, port, wavs)
                    if number:
                        results[tier].append(figures)
        finally:
            worker.terminate()
            worker.wait()
    print("| tier | CPU ms a request | ratio to none, median (spread) | p50 ms | ratio |")
    print("|---|---|---|---|---|")
    for tier, rows in results.items():
        ratios = [row[0] / base[0] for row, base in zip(rows, results["none"])]
        latencies = [row[1] / base[1] for row, base in zip(rows, results["none"])]
        print(f"| {tier} | {statistics.median(row[0] for row in rows):.1f} | "
              f"{statistics.median(ratios):.3f} ({min(ratios):.3f} to {max(ratios):.3f}) | "
              f"{statistics.median(row[1] for row in rows):.1f} | "
              f"{statistics.median(latencies):.3f} |")


if __name__ == "__main__":
    if len(sys.argv) not in (2, 3):
        sys.exit(__doc__)
    main(sys.argv[1], int(sys.argv[2]) if len(sys.argv) == 3 else 5)
