#!/usr/bin/python3
# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""What a malloc/free pair costs in each tier, beside the same programs on the functions' first
instructions, all in one interleaved run: medians, spread and ratios. Also attach and detach times and
the tracer's memory.

    sudo tests/bench/probes.py BUILD_DIR [ROUNDS]
"""

import json
import os
import statistics
import subprocess
import sys
import tempfile

PAIRS = 20000
REPEATS = 5
VARIANTS = [
    ("no tracer", None),
    ("full", ["--tier", "full"]),
    ("sites", ["--tier", "sites"]),
    ("watch", ["--tier", "watch"]),
    ("full, first instructions", ["--tier", "full", "--probe-symbols"]),
    ("sites, first instructions", ["--tier", "sites", "--probe-symbols"]),
    ("full, uprobe_multi", ["--tier", "full", "--probe-method", "multi"]),
    ("full, perf uprobes", ["--tier", "full", "--probe-method", "perf"]),
]


def measure(target):
    samples = []
    for _ in range(REPEATS):
        target.stdin.write(f"{PAIRS}\n")
        target.stdin.flush()
        samples.append(float(target.stdout.readline()))
    return statistics.median(samples)


def traced(build, target, arguments, directory):
    """The cost of a pair under a tracer, and that tracer's report."""
    path = os.path.join(directory, "report.json")
    tracer = subprocess.Popen(
        [os.path.join(build, "bin", "asrtrace"), "attach", "--pid", str(target.pid), "--request",
         "every:1", "--json", path, *arguments],
        stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
    try:
        for line in tracer.stderr:
            if line.startswith("attached"):
                break
        cost = measure(target)
    finally:
        tracer.terminate()
        tracer.communicate()
    with open(path, encoding="utf-8") as file:
        return cost, json.load(file)


def run(build, rounds):
    target = subprocess.Popen([os.path.join(build, "bin", "malloc_pairs")], text=True,
                              stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    costs = {name: [] for name, _ in VARIANTS}
    overheads = {name: [] for name, _ in VARIANTS}
    try:
        with tempfile.TemporaryDirectory() as directory:
            for _ in range(rounds):
                for name, arguments in VARIANTS:
                    if arguments is None:
                        costs[name].append(measure(target))
                        continue
                    cost, report = traced(build, target, arguments, directory)
                    costs[name].append(cost)
                    overheads[name].append(report["overhead"])
    finally:
        target.stdin.close()
        target.wait()
    return costs, overheads


def show(costs, overheads):
    full = statistics.median(costs["full"])
    print("| variant | ns a pair, median | spread | beside `full` | attach s | detach s | tracer MiB |")
    print("|---|---|---|---|---|---|---|")
    for name, samples in costs.items():
        median = statistics.median(samples)
        row = [name, f"{median:,.0f}", f"{min(samples):,.0f} to {max(samples):,.0f}",
               f"{median / full:.2f}x"]
        reports = overheads[name]
        for key, scale, form in (("attach_seconds", 1, "{:.2f}"), ("detach_seconds", 1, "{:.2f}"),
                                 ("tracer_rss", 1 / 2**20, "{:.0f}")):
            values = [report[key] * scale for report in reports if report.get(key) is not None]
            row.append(form.format(statistics.median(values)) if values else "")
        print("| " + " | ".join(row) + " |")


if __name__ == "__main__":
    if len(sys.argv) not in (2, 3):
        sys.exit(__doc__)
    show(*run(sys.argv[1], int(sys.argv[2]) if len(sys.argv) == 3 else 5))
