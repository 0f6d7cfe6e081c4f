# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""What is expected of a recorded trace, as stored beside it.

recorded.py describe COMMAND DIR NAME HOW   writes DIR/NAME.json from DIR/NAME.asrtrace and the
worker's own counts before and after (before.json, after.json)
"""

import json
import os
import subprocess
import sys


def run(command, *arguments):
    """Exit status and standard output."""
    done = subprocess.run([command, *arguments], stdout=subprocess.PIPE, timeout=120, check=False)
    return done.returncode, done.stdout.decode()


def observed(command, trace):
    """What the trace says today: the findings as the report has them, the gate's verdict."""
    status, report = run(command, "report", trace, "--json", "-")
    if status != 0:
        raise AssertionError(f"report {trace} ended with {status}")
    status, check = run(command, "check", trace, "--json", "-")
    return {"findings": json.loads(report)["findings"],
            "check": {"status": status, "verdict": json.loads(check)["verdict"]}}


def text(value):
    return json.dumps(value, indent=1, ensure_ascii=False) + "\n"


def planted(directory):
    """Bytes that each plant added between the two counts."""
    counts = []
    for name in ("before.json", "after.json"):
        with open(os.path.join(directory, name), encoding="utf-8") as file:
            counts.append({plant["function"]: plant for plant in json.load(file)["plants"]})
    before, after = counts
    return [{"kind": plant["kind"], "function": function,
             "bytes": plant["total_bytes"] - before[function]["total_bytes"]}
            for function, plant in after.items()]


def describe(command, directory, name, how):
    trace = os.path.join(directory, name + ".asrtrace")
    with open(os.path.join(directory, name + ".json"), "w", encoding="utf-8") as file:
        file.write(text({"made": how, "planted": planted(directory), **observed(command, trace)}))


if __name__ == "__main__":
    describe(*sys.argv[2:6])
