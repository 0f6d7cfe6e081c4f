# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""The table of tools/gate-accuracy.sh out of the verdicts that it left: gate_table.py DIR RUNS.
Exit status 1 if any is wrong or missing."""

import collections
import json
import os
import sys

# A warning lets a build pass: exit status 0.
KINDS = (("healthy", ("PASS", "WARN")), ("leak", ("FAIL",)))
MIB = 1 << 20


def verdict(directory, name):
    try:
        with open(os.path.join(directory, name + ".json"), encoding="utf-8") as file:
            return json.load(file)
    except OSError:
        return {"verdict": "missing", "checks": []}


def value(answer, rule):
    return next((check["value"] for check in answer["checks"]
                 if check["rule"] == rule and check["value"] is not None), None)


def span(values, form):
    known = sorted(each for each in values if each is not None)
    if not known:
        return "-"
    low, high = form(known[0]), form(known[-1])
    return low if low == high else f"{low} to {high}"


def main(directory, runs):
    wrong = 0
    print("| worker | runs | verdicts | leak found, bytes a request | highest RssAnon, MiB |")
    print("|---|---|---|---|---|")
    for kind, expected in KINDS:
        answers = [verdict(directory, f"{kind}-{run}") for run in range(1, runs + 1)]
        counts = collections.Counter(answer["verdict"] for answer in answers)
        wrong += runs - sum(counts[name] for name in expected)
        told = ", ".join(f"{count} {name}" for name, count in sorted(counts.items()))
        leaks = span([value(answer, "leak") for answer in answers], lambda size: f"{size:,.0f}")
        peaks = span([value(answer, "peak_rss_anon") for answer in answers],
                     lambda size: f"{size / MIB:.0f}")
        print(f"| {kind} | {runs} | {told} | {leaks} | {peaks} |")
    print(f"\n{wrong} of {2 * runs} verdicts wrong")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1], int(sys.argv[2])))
