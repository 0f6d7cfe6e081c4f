#!/usr/bin/python3
# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""What --request http costs processes that are not traced: nanoseconds a system call, without a
tracer and while another process is traced by intervals and by http, interleaved; medians of the
differences within a round.

    sudo tests/bench/syscalls.py BUILD_DIR [ROUNDS]
"""

import os
import statistics
import subprocess
import sys

CALLS = 200000
REPEATS = 5
KINDS = ("getppid (no probe)", "read", "write", "close")


def measure(bystander):
    samples = []
    for _ in range(REPEATS):
        bystander.stdin.write(f"{CALLS}\n")
        bystander.stdin.flush()
        samples.append([float(value) for value in bystander.stdout.readline().split()])
    return [min(column) for column in zip(*samples)]


def traced(build, target, bystander, request):
    tracer = subprocess.Popen(
        [os.path.join(build, "bin", "asrtrace"), "attach", "--pid", str(target.pid), "--tier",
         "watch", "--no-census", "--request", request], stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE, text=True)
    try:
        for line in tracer.stderr:
            if line.startswith("attached"):
                break
        return measure(bystander)
    finally:
        tracer.terminate()
        tracer.communicate()


def main():
    build, rounds = sys.argv[1], int(sys.argv[2]) if len(sys.argv) > 2 else 7
    start = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
    bystander = subprocess.Popen([os.path.join(build, "bin", "syscalls")], **start)
    target = subprocess.Popen(["/bin/cat"], **start)
    none, every, http = [], [], []
    for _ in range(rounds):
        none.append(measure(bystander))
        every.append(traced(build, target, bystander, "every:1"))
        http.append(traced(build, target, bystander, "http"))
    print(f"{'':20} {'untraced':>9} {'every':>9} {'http':>9}   nanoseconds a call; medians of "
          f"{rounds} rounds, differences to untraced")
    for i, kind in enumerate(KINDS):
        base = statistics.median(row[i] for row in none)
        added = [statistics.median(row[i] - quiet[i] for row, quiet in zip(rows, none))
                 for rows in (every, http)]
        spread = [row[i] - quiet[i] for row, quiet in zip(http, none)]
        print(f"{kind:20} {base:9.1f} {added[0]:+9.1f} {added[1]:+9.1f}   "
              f"({min(spread):+.1f} to {max(spread):+.1f})")
    for process in (bystander, target):
        process.stdin.close()
        process.wait(10)


if __name__ == "__main__":
    main()
