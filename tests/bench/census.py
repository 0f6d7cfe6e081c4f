#!/usr/bin/python3
# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""What a census takes and what it costs the target: time, CPU, pause and memory of `asrtrace census`
in each way, for a heap of many small and one of few large chunks, and how much slower the target runs
while censuses of it are taken one after the other, interleaved with undisturbed runs.

    sudo tests/bench/census.py BUILD_DIR [ROUNDS]
"""

import json
import os
import resource
import statistics
import subprocess
import sys
import time

HEAPS = [("1.5 GB in 1,000,000 chunks", 1500, 1000000), ("1.5 GB in 70 chunks", 1500, 70)]
WAYS = [(), ("--reach",), ("--stop",), ("--stop", "--reach")]
WORK_MS = 1000  # short: what others take of the machine's memory changes within seconds
PAIRS_OF_A_ROUND = 4


class Target:
    def __init__(self, build, mib, chunks):
        self.process = subprocess.Popen(
            [os.path.join(build, "progs", "heap_target"), "big", "77", str(mib), str(chunks)],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, bufsize=1)
        self.answer()

    def answer(self):
        return dict(word.split("=") for word in self.process.stdout.readline().split())

    def begin_work(self):
        self.process.stdin.write(f"work {WORK_MS}\n")

    def cpu_seconds(self):
        with open(f"/proc/{self.process.pid}/schedstat", encoding="ascii") as file:
            return int(file.read().split()[0]) / 1e9

    def end(self):
        self.process.kill()
        self.process.wait()


def census(build, target, way):
    """The census and its CPU seconds."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    run = subprocess.run(
        [os.path.join(build, "bin", "asrtrace"), "census", "--pid", str(target.process.pid),
         "--json", "-", *way], stdout=subprocess.PIPE, text=True, check=True)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return json.loads(run.stdout), cpu


def measure_times(build, rounds):
    print("| heap | census | s, median (spread) | CPU s | pause ms | tracer MiB |")
    print("|---|---|---|---|---|---|")
    for name, mib, chunks in HEAPS:
        target = Target(build, mib, chunks)
        try:
            for way in WAYS:
                rows = [census(build, target, way) for _ in range(rounds)]
                seconds = [row[0]["seconds"] for row in rows]
                pauses = [row[0]["totals"]["pause_ms"] for row in rows]
                print(f"| {name} | {' '.join(way) or 'unstopped'} | {statistics.median(seconds):.3f} "
                      f"({min(seconds):.3f} to {max(seconds):.3f}) | "
                      f"{statistics.median(row[1] for row in rows):.2f} | "
                      f"{statistics.median(pauses):.1f} | "
                      f"{max(row[0]['tracer_bytes'] for row in rows) / (1 << 20):.0f} |",
                      flush=True)
        finally:
            target.end()


def rounds_of_work(build, target, way):
    """Rounds that the target makes, in all and in a second of its CPU, and how many censuses were
    taken meanwhile."""
    cpu = target.cpu_seconds()
    target.begin_work()
    taken = 0
    if way is not None:
        end = time.monotonic() + WORK_MS / 1000
        while time.monotonic() < end:
            census(build, target, way)
            taken += 1
    rounds = int(target.answer()["rounds"])
    return rounds, rounds / (target.cpu_seconds() - cpu), taken


def measure_slowdown(build, rounds):
    """Two ratios: the second is free of what others on the machine take of the CPU."""
    print("| heap | censuses one after the other | work, ratio to undisturbed (quartiles) | the same "
          "by the target's CPU time |")
    print("|---|---|---|---|")
    name, mib, chunks = HEAPS[0]
    target = Target(build, mib, chunks)
    try:
        for way in WAYS[:2]:
            ratios = []
            for _ in range(rounds * PAIRS_OF_A_ROUND):
                alone = rounds_of_work(build, target, None)
                disturbed = rounds_of_work(build, target, way)
                again = rounds_of_work(build, target, None)
                ratios.append([2 * d / (a + b) for a, d, b in
                               zip(alone[:2], disturbed[:2], again[:2])])
            columns = (statistics.quantiles(column, n=4) for column in zip(*ratios))
            print(f"| {name} | {' '.join(way) or 'unstopped'}, {disturbed[2]} in {WORK_MS} ms | "
                  + " | ".join(f"{middle:.3f} ({low:.3f} to {high:.3f})"
                               for low, middle, high in columns) + " |", flush=True)
    finally:
        target.end()


def main(build, rounds):
    measure_times(build, rounds)
    measure_slowdown(build, rounds)


if __name__ == "__main__":
    if len(sys.argv) not in (2, 3):
        sys.exit(__doc__)
    main(sys.argv[1], int(sys.argv[2]) if len(sys.argv) == 3 else 5)
