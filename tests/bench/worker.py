#!/usr/bin/python3
# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""What tracing costs the reference worker: CPU and latency of a request in each tier. Two workers run
side by side and are asked in turn, request by request; one of them is traced, in the next block of
rounds the other. So what else the machine does falls on both alike, and what differs is the tracing;
what the tracer itself takes of the machine does, too, and has a column of its own.

    sudo tests/bench/worker.py BUILD_DIR [--rounds 6] [--tier NAME]... [--requests 100] [--rate 10]

A ratio comes with the upper end of its 95 % interval (bootstrap over couples of rounds in which the
two workers have changed places: what makes one of them slower is in neither). The tier auto is
measured behind its first window, and wants blocks that are longer than the pause between two:

    sudo tests/bench/worker.py BUILD_DIR --tier auto --rounds 20 --block 5 --requests 600
"""

import argparse
import json
import os
import random
import statistics
import subprocess
import sys
import tempfile
import time

TIERS = ["watch", "auto", "sites", "full"]
RESAMPLES = 2000
# What a tracer says when it has begun, by tier; auto then is behind its first window.
BEGUN = {"auto": ("short windows", "stepped down", "fits the budget")}


def cpu_seconds(pid):
    with open(f"/proc/{pid}/stat", encoding="ascii", errors="replace") as file:
        fields = file.read().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


class Worker:
    def __init__(self, build, wavs):
        self._build, self._wavs = build, wavs
        self._process = subprocess.Popen([os.path.join(build, "bin", "asr-worker"), "--port", "0"],
                                         stdout=subprocess.PIPE, text=True)
        self._port = self._process.stdout.readline().split(":")[1].split()[0]
        self.pid = self._process.pid

    def begin_load(self, requests, rate):
        return subprocess.Popen(
            [os.path.join(self._build, "bin", "asr-load"), "--port", self._port, "--wavs",
             self._wavs, "--requests", str(requests), "--rate", str(rate), "--json", "-"],
            stdout=subprocess.PIPE, text=True)

    def end(self):
        self._process.terminate()
        self._process.wait()


def latency_of(load):
    text = load.communicate()[0]
    if load.returncode != 0:
        raise RuntimeError(f"the load failed: {text}")
    return json.loads(text[text.index("{"):])["latency_ms"]


def begin_tracing(build, tier, worker):
    """A tracer; auto decides once it has seen the worker work."""
    tracer = subprocess.Popen(
        [os.path.join(build, "bin", "asrtrace"), "attach", "--pid", str(worker.pid), "--tier",
         tier], stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
    for line in tracer.stderr:
        if line.startswith("attached"):
            break
    if tier in BEGUN:
        latency_of(worker.begin_load(100, 0))
        for line in tracer.stderr:
            if any(words in line for words in BEGUN[tier]) or " full" in line:
                break
    return tracer


def measure_round(options, tracer, workers):
    """For the traced worker and the other one: CPU milliseconds, p50 and p99 of the latency in
    milliseconds, of a request. Then the tracer's own CPU milliseconds a request."""
    before = [cpu_seconds(worker.pid) for worker in workers]
    tracer_before = cpu_seconds(tracer.pid)
    loads = []
    for worker in workers:
        loads.append(worker.begin_load(options.requests, options.rate))
        time.sleep(0.5 / options.rate)  # in turn
    latencies = [latency_of(load) for load in loads]
    used = [cpu_seconds(worker.pid) - first for worker, first in zip(workers, before)]
    own = cpu_seconds(tracer.pid) - tracer_before
    return *((1000 * seconds / options.requests, latency["p50"], latency["p99"])
             for seconds, latency in zip(used, latencies)), 1000 * own / options.requests


def measure_block(options, tier, traced, other):
    """Rounds under one tracer."""
    tracer = begin_tracing(options.build, tier, traced)
    try:
        return [measure_round(options, tracer, (traced, other)) for _ in range(options.block)]
    finally:
        tracer.terminate()
        tracer.communicate()


def couples(ratios, block):
    """Each round's mean with the one in the same place of the next block, where the workers have
    changed places."""
    return [statistics.fmean((ratios[first + place], ratios[first + block + place]))
            for first in range(0, len(ratios), 2 * block) for place in range(block)]


def upper_bound(ratios):
    """Of the mean ratio: the upper end of its 95 % interval."""
    draw = random.Random(1)
    means = sorted(statistics.fmean(draw.choices(ratios, k=len(ratios)))
                   for _ in range(RESAMPLES))
    return means[int(0.975 * RESAMPLES)]


def cells(rows, part, block):
    """Of the other worker, of the traced one, and the ratio."""
    ratios = [traced[part] / other[part] for traced, other, _ in rows]
    traced, other = (statistics.median(row[side][part] for row in rows) for side in (0, 1))
    return [f"{other:.1f}", f"{traced:.1f}",
            f"{statistics.median(ratios):.3f} ({min(ratios):.3f} to {max(ratios):.3f}), "
            f"mean {statistics.fmean(ratios):.3f}, below {upper_bound(couples(ratios, block)):.3f}"]


def main(arguments):
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("build")
    parser.add_argument("--rounds", type=int, default=6, help="an even number of blocks")
    parser.add_argument("--block", type=int, default=1, help="rounds under one tracer")
    parser.add_argument("--tier", action="append", choices=TIERS)
    parser.add_argument("--requests", type=int, default=100)
    parser.add_argument("--rate", type=float, default=10, help="requests a second, of each worker")
    options = parser.parse_args(arguments)
    if min(options.rounds, options.block, options.rate) <= 0 or options.rounds % (2 * options.block):
        parser.error("each worker has to be traced as often as the other")
    results = {tier: [] for tier in options.tier or TIERS}
    with tempfile.TemporaryDirectory() as wavs:
        subprocess.run([os.path.join(options.build, "bin", "asr-speak"), "--out", wavs, "--count",
                        "60", "--max-seconds", "6"], check=True, stdout=subprocess.DEVNULL)
        workers = []
        try:
            for _ in range(2):
                workers.append(Worker(options.build, wavs))
            for worker in workers:
                latency_of(worker.begin_load(200, 0))  # fills its caches
            for _ in range(options.rounds // options.block):
                workers.reverse()
                for tier, rows in results.items():
                    rows.extend(measure_block(options, tier, *workers))
        finally:
            for worker in workers:
                worker.end()
    print("| tier | CPU ms a request, untraced | traced | ratio | p50 ms, untraced | traced | ratio "
          "| p99 ms, untraced | traced | ratio | CPU ms of the tracer a request |")
    print("|---" * 11 + "|")
    for tier, rows in results.items():
        row = [tier, *(cell for part in range(3) for cell in cells(rows, part, options.block)),
               f"{statistics.median(own for *_, own in rows):.2f}"]
        print("| " + " | ".join(row) + " |")


if __name__ == "__main__":
    main(sys.argv[1:])
