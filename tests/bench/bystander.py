#!/usr/bin/python3
# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""What processes that are not traced pay: nanoseconds of a pair of malloc and free and of system
calls, without a tracer and while every allocation of another process is followed, with requests by
intervals (and mappings followed by tracepoints), by http as probes, as tracepoints of sockets and as
system calls (before Linux 6.3) see it, interleaved; medians of the differences within a round. Another tracer on the machine spoils it.

    sudo tests/bench/bystander.py BUILD_DIR [ROUNDS]
"""

import os
import statistics
import subprocess
import sys
import time

CALLS = 200000
REPEATS = 5
KINDS = ("malloc and free", "getppid", "read of a device", "write to a device", "close", "recv, TCP")
WAYS = (("every:1",), ("every:1", "--mappings-by-calls"), ("http",), ("http", "--http-by-sockets"),
        ("http", "--http-by-calls"))
FIRST_LOOK_SECONDS = 6  # of tracepoints whether calls pass by the probes (user/capture/http_audit.h)


def measure(bystander):
    samples = []
    for _ in range(REPEATS):
        bystander.stdin.write(f"{CALLS}\n")
        bystander.stdin.flush()
        samples.append([float(value) for value in bystander.stdout.readline().split()])
    return [min(column) for column in zip(*samples)]


def traced(build, target, bystander, *request):
    tracer = subprocess.Popen(
        [os.path.join(build, "bin", "asrtrace"), "attach", "--pid", str(target.pid), "--tier",
         "full", "--no-census", "--request", *request], stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE, text=True)
    try:
        for line in tracer.stderr:
            if line.startswith("attached"):
                break
        if request == ("http",):
            time.sleep(FIRST_LOOK_SECONDS)
        return measure(bystander)
    finally:
        tracer.terminate()
        tracer.communicate()


def difference(rows, none, column):
    added = [row[column] - quiet[column] for row, quiet in zip(rows, none)]
    return f"{statistics.median(added):+.1f} ({min(added):+.1f} to {max(added):+.1f})"


def main():
    build, rounds = sys.argv[1], int(sys.argv[2]) if len(sys.argv) > 2 else 7
    start = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
    bystander = subprocess.Popen([os.path.join(build, "bin", "bystander")], **start)
    target = subprocess.Popen(["/bin/cat"], **start)
    none, rows = [], {way: [] for way in WAYS}
    for _ in range(rounds):
        none.append(measure(bystander))
        for way in WAYS:
            rows[way].append(traced(build, target, bystander, *way))
    print(f"nanoseconds a call: median of {rounds} rounds; then differences to it, median (spread)")
    print(f"{'':18} {'untraced':>9} " + " ".join(f"{' '.join(way):>27}" for way in WAYS))
    for i, kind in enumerate(KINDS):
        print(f"{kind:18} {statistics.median(row[i] for row in none):9.1f} " +
              " ".join(f"{difference(rows[way], none, i):>27}" for way in WAYS))
    for process in (bystander, target):
        process.stdin.close()
        process.wait(10)


if __name__ == "__main__":
    main()
