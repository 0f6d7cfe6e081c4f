# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""Inside the guest: what doctor says, then each case in a process of its own. A line of JSON a
result, the last one says that this is the end."""

import json
import os
import subprocess
import time

CASE_SECONDS = 400
METHODS = {"uprobe_session": "session", "uprobe_multi": "multi", "perf_uprobe": "perf"}


def say(**values):
    print(json.dumps(values), flush=True)


def doctor():
    done = subprocess.run(["/build/bin/asrtrace", "doctor", "--json", "-"], stdout=subprocess.PIPE,
                          check=False)
    return {row["name"]: row["works"] for row in json.loads(done.stdout)["features"]}


def run_case(file, case):
    begin = time.monotonic()
    try:
        done = subprocess.run(["/usr/bin/python3", "-B", "/tests/live/" + file, case],
                              stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                              errors="replace", timeout=CASE_SECONDS, check=False)
        status, text = done.returncode, done.stdout
    except subprocess.TimeoutExpired as late:
        status, text = None, (late.stdout or b"").decode(errors="replace")
    say(case=case, ok=status == 0, seconds=round(time.monotonic() - begin, 1), text=text[-3000:])


def main():
    say(release=os.uname().release)
    features = doctor()
    say(doctor=features)
    os.environ["ASRTRACE_PROBE_METHODS"] = " ".join(
        method for feature, method in METHODS.items() if features[feature])
    with open("/tests/cases.json", encoding="utf-8") as cases:
        for file, case, _ in json.load(cases):
            run_case(file, case)
    say(end=True)


main()
