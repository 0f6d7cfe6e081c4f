# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""Inside the guest: what doctor says, then each case in a process of its own, or how attach refuses
if it has to. A line of JSON a result, the last one says that this is the end."""

import json
import os
import subprocess
import time

ASRTRACE = "/build/bin/asrtrace"
CASE_SECONDS = 400
METHODS = {"uprobe_session": "session", "uprobe_multi": "multi", "perf_uprobe": "perf"}


def say(**values):
    print(json.dumps(values), flush=True)


def doctor():
    """Its rows."""
    done = subprocess.run([ASRTRACE, "doctor", "--json", "-"], stdout=subprocess.PIPE, check=False)
    return json.loads(done.stdout)["features"]


def refusal():
    done = subprocess.run([ASRTRACE, "attach", "--pid", str(os.getpid()), "--duration", "1"],
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                          errors="replace", timeout=CASE_SECONDS, check=False)
    return {"status": done.returncode, "text": done.stdout[-3000:]}


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
    rows = doctor()
    features = {row["name"]: row["works"] for row in rows}
    say(doctor=features)
    os.environ["ASRTRACE_PROBE_METHODS"] = " ".join(
        method for feature, method in METHODS.items() if features[feature])
    if all(row["works"] for row in rows if row["required"]):
        with open("/tests/cases.json", encoding="utf-8") as cases:
            for file, case in json.load(cases):
                run_case(file, case)
    else:
        say(refusal=refusal())
    say(end=True)


main()
