#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""Bounds of a long run: an hour of 10 requests a second over 5,000 sites, simulated faster than time
(tests/bench/hour.cpp), must leave a trace of 50 MB at most, in 150 MB of flat memory, whose report
takes 2 seconds and whose page is of 5 MB at most.
  tests/bench/hour.py BUILD [SECONDS]"""

import json
import os
import subprocess
import sys
import tempfile
import time

MB = 1_000_000
SITES = 5000


def timed(*command):
    """Seconds that the fastest of three runs took."""
    best = None
    for _ in range(3):
        begun = time.monotonic()
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL, timeout=300)
        took = time.monotonic() - begun
        best = took if best is None else min(best, took)
    return best


def main(build, seconds=3600):
    program = os.path.join(build, "bin", "hour_of_requests")
    asrtrace = os.path.join(build, "bin", "asrtrace")
    with tempfile.TemporaryDirectory(prefix="asrtrace-hour-") as directory:
        trace = os.path.join(directory, "hour.asrtrace")
        page = os.path.join(directory, "hour.html")
        done = subprocess.run([program, trace, str(seconds)], check=True, stdout=subprocess.PIPE,
                              timeout=3000)
        run = json.loads(done.stdout)
        report_seconds = timed(asrtrace, "report", trace)
        page_seconds = timed(asrtrace, "report", trace, "--html", page)
        report = json.loads(subprocess.run([asrtrace, "report", trace, "--json", "-"], check=True,
                                           stdout=subprocess.PIPE, timeout=300).stdout)
        sites = len(report["sites"]) + report["sites_omitted"]
        # After the first quarter the cache is full; blocks that leak are remembered, each of them.
        grown = (run["resident"][-1] - run["resident"][0]) / MB
        rows = [("requests", report["window"]["requests"], seconds * 10, seconds * 10, ""),
                ("sites that outlive requests", sites, 0.95 * SITES, SITES, ""),
                ("trace", os.path.getsize(trace) / MB, 0, 50, "MB"),
                ("tracer's peak memory", run["peak_bytes"] / MB, 0, 150, "MB"),
                ("memory that came in the last three quarters", grown, -MB, 10, "MB"),
                ("report", report_seconds, 0, 2, "s"),
                ("page", os.path.getsize(page) / MB, 0, 5, "MB"),
                ("report with page", page_seconds, 0, None, "s")]
    print(f"{run['events']:,} events in {run['cpu_seconds']:.1f} s of CPU")
    print("| | measured | limit |\n|---|---|---|")
    failed = False
    for name, value, low, high, unit in rows:
        broken = value < low or (high is not None and value > high)
        failed |= broken
        limit = "" if high is None else f"{high:,g} {unit}"
        print(f"| {name} | {value:,.6g} {unit} | {limit}{' BROKEN' if broken else ''} |")
    return 1 if failed else 0


if __name__ == "__main__":
    if len(sys.argv) not in (2, 3):
        sys.exit(__doc__)
    sys.exit(main(sys.argv[1], *map(int, sys.argv[2:])))
