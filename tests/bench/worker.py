#!/usr/bin/python3
# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""What tracing costs the reference worker: CPU and latency of a request in each tier, against the
same worker untraced, interleaved in one run. The first round warms the caches and is not counted.

    sudo tests/bench/worker.py BUILD_DIR [--rounds 5] [--tier NAME]... [--requests 60] [--rate 0]

A ratio comes with the upper end of its 95 % interval (bootstrap over the rounds). The tier auto is
measured behind its first window, and wants samples that are longer than the pause between two:

    sudo tests/bench/worker.py BUILD_DIR --tier auto --rounds 20 --requests 600 --rate 10
"""

import argparse
import json
import os
import random
import statistics
import subprocess
import sys
import tempfile

TIERS = ["watch", "auto", "sites", "full"]
RESAMPLES = 2000
# What a tracer says when it has begun, by tier; auto then is behind its first window.
BEGUN = {"auto": ("short windows", "stepped down", "fits the budget")}


def cpu_seconds(pid):
    with open(f"/proc/{pid}/stat", encoding="ascii", errors="replace") as file:
        fields = file.read().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def load(options, port, wavs):
    text = subprocess.run(
        [os.path.join(options.build, "bin", "asr-load"), "--port", port, "--wavs", wavs,
         "--requests", str(options.requests), "--rate", str(options.rate), "--json", "-"],
        check=True, capture_output=True, text=True).stdout
    return json.loads(text[text.index("{"):])


def wait_begun(tracer, tier, options, port, wavs):
    """auto decides once it has seen the worker work."""
    for line in tracer.stderr:
        if line.startswith("attached"):
            break
    if tier not in BEGUN:
        return
    load(argparse.Namespace(**{**vars(options), "requests": 100, "rate": 0}), port, wavs)
    for line in tracer.stderr:
        if any(words in line for words in BEGUN[tier]) or " full" in line:
            return


def measure(options, tier, worker, port, wavs):
    """CPU milliseconds, and p50 and p99 of the latency in milliseconds, of a request."""
    tracer = None
    if tier != "none":
        tracer = subprocess.Popen(
            [os.path.join(options.build, "bin", "asrtrace"), "attach", "--pid", str(worker.pid),
             "--tier", tier], stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
        wait_begun(tracer, tier, options, port, wavs)
    try:
        before = cpu_seconds(worker.pid)
        latency = load(options, port, wavs)["latency_ms"]
        used = cpu_seconds(worker.pid) - before
    finally:
        if tracer:
            tracer.terminate()
            tracer.communicate()
    return 1000 * used / options.requests, latency["p50"], latency["p99"]


def upper_bound(ratios):
    """Of the mean ratio: the upper end of its 95 % interval."""
    draw = random.Random(1)
    means = sorted(statistics.fmean(draw.choices(ratios, k=len(ratios)))
                   for _ in range(RESAMPLES))
    return means[int(0.975 * RESAMPLES)]


def ratio(rows, base, part):
    ratios = [row[part] / first[part] for row, first in zip(rows, base)]
    return (f"{statistics.median(ratios):.3f} ({min(ratios):.3f} to {max(ratios):.3f}), "
            f"mean below {upper_bound(ratios):.3f}")


def main(arguments):
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("build")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--tier", action="append", choices=TIERS)
    parser.add_argument("--requests", type=int, default=60)
    parser.add_argument("--rate", type=float, default=0)
    options = parser.parse_args(arguments)
    tiers = ["none", *(options.tier or TIERS)]
    results = {tier: [] for tier in tiers}
    with tempfile.TemporaryDirectory() as wavs:
        subprocess.run([os.path.join(options.build, "bin", "asr-speak"), "--out", wavs, "--count",
                        "60", "--max-seconds", "6"], check=True, stdout=subprocess.DEVNULL)
        worker = subprocess.Popen([os.path.join(options.build, "bin", "asr-worker"), "--port", "0"],
                                  stdout=subprocess.PIPE, text=True)
        try:
            port = worker.stdout.readline().split(":")[1].split()[0]
            for number in range(options.rounds + 1):
                for tier in tiers:
                    figures = measure(options, tier, worker, port, wavs)
                    if number:
                        results[tier].append(figures)
        finally:
            worker.terminate()
            worker.wait()
    print("| tier | CPU ms a request | ratio to none | p50 ms | ratio | p99 ms | ratio |")
    print("|---|---|---|---|---|---|---|")
    for tier, rows in results.items():
        cells = [tier]
        for part in range(3):
            cells += [f"{statistics.median(row[part] for row in rows):.1f}",
                      ratio(rows, results["none"], part)]
        print("| " + " | ".join(cells) + " |")


if __name__ == "__main__":
    main(sys.argv[1:])
