# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""Runs one scenario of the corpus, with the tracer or without, and collects what both say."""

import contextlib
import json
import os
import random
import subprocess
import sys
import tempfile

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "..", "live"))
import harness  # noqa: E402
import names  # noqa: E402

PROGRAM = os.path.join(harness.PROGS, "corpus")
BOUNDARY = os.path.join(harness.PROGS, "libcorpus_boundary.so")
PYTHON = "/usr/bin/python3"
PYTHON_SCENARIO = "python_arenas"
# Their parts grow by the length of the input, which only the arguments of USDT tell.
NEED_ARGUMENTS = ("cache_by_length", "leak_cache_and_mapped", PYTHON_SCENARIO)
REQUESTS = 300
PACE_US = 20_000
USDT = "usdt:asr:request_start,request_done"


def all_scenarios():
    listed = subprocess.run([PROGRAM, "--list", "1"], check=True, stdout=subprocess.PIPE, text=True)
    return listed.stdout.split() + [PYTHON_SCENARIO]


class Target:
    """A program of the corpus between "ready" and "quit", and what it tells."""

    def __init__(self, scenario, seed, directory, requests=REQUESTS, pace_us=PACE_US):
        self.scenario = scenario
        self.seed = seed
        self.directory = directory
        self._shown = {}
        self._blocks = None
        draw = random.Random(f"{scenario} {seed}")
        self.request_spec = USDT
        if scenario == PYTHON_SCENARIO:
            self.program = harness.Program(PYTHON, os.path.join(HERE, "python_objects.py"),
                                           BOUNDARY, seed, requests, pace_us)
            return
        path, self._shown = names.dress(PROGRAM, directory, draw)
        if scenario not in NEED_ARGUMENTS and draw.random() < 0.4:
            self.request_spec = (f"func:{self._shown['corpus_request_begins']},"
                                 f"{self._shown['corpus_request_ends']}")
        self._blocks = os.path.join(directory, "blocks")
        arguments = ["--scenario", scenario, "--seed", seed, "--requests", requests, "--pace-us",
                     pace_us, "--blocks", self._blocks, "--file", os.path.join(directory, "file")]
        if scenario == "leak_in_stripped_library":
            library, entry = names.make_library(directory, draw)
            arguments += ["--library", library, "--entry", entry]
        self.program = harness.Program(path, *arguments)

    @property
    def pid(self):
        return self.program.pid

    def run(self):
        """Serves all requests; returns the truth."""
        told = self.program.run(seconds=300)
        growths = list(told.pop("growths").values())
        for growth in growths:
            growth["site"] = self._shown.get(growth["site"], growth["site"])
        return {"scenario": self.scenario, "seed": self.seed, "growths": growths, **told}

    def quit(self):
        """Ends it; returns {address: chunk bytes} of lost and of live blocks, or None twice."""
        status = self.program.quit()
        if status != 0:
            raise AssertionError(f"{self.scenario} ended with status {status}")
        if self._blocks is None:
            return None, None
        lost, live = {}, {}
        with open(self._blocks, encoding="utf-8") as file:
            for line in file:
                state, address, chunk_bytes = line.split()
                (lost if state == "leaked" else live)[int(address, 16)] = int(chunk_bytes)
        return lost, live

    def end(self):
        self.program.end()


def status_bytes(pid, field):
    with open(f"/proc/{pid}/status", encoding="utf-8") as status:
        return next(int(line.split()[1]) * 1024 for line in status if line.startswith(field + ":"))


def census(pid, *arguments):
    done = subprocess.run([harness.ASRTRACE, "census", "--pid", str(pid), "--reach", "--json", "-",
                           *arguments], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
                          timeout=120)
    if done.returncode != 0:
        return None
    return json.loads(done.stdout)


def reach(found, lost):
    """Of a census: the share of lost bytes that it found, and blocks that it should not have."""
    if found is None:
        return {"share": None, "false": None}
    addresses = {int(block["address"], 16) for block in found["reach"]["leaked"]}
    planted = sum(lost.values())
    seen = sum(size for address, size in lost.items() if address in addresses)
    return {"share": seen / planted if planted else None,
            "false": len(addresses - lost.keys())}


def trace(scenario, seed, tier="full", requests=REQUESTS, pace_us=PACE_US):
    """One traced run: {truth, report, text, reach_unstopped, reach_stopped}; the last two are None
    for a program that keeps no list of its blocks."""
    with tempfile.TemporaryDirectory(prefix="asrtrace-corpus-") as directory, \
            contextlib.ExitStack() as ends:
        os.chmod(directory, 0o755)
        target = Target(scenario, seed, directory, requests, pace_us)
        ends.callback(target.end)
        tracer = harness.Tracer(target.pid, "--request", target.request_spec,
                                directory=directory, tier=tier)
        ends.callback(tracer.end)
        tracer.wait_attached()
        truth = target.run()
        truth["boundary"] = target.request_spec
        status = tracer.stop()
        if status != 0:
            raise AssertionError(f"the tracer ended with status {status}: {tracer.stderr}")
        readings = {"reach_unstopped": census(target.pid),
                    "reach_stopped": census(target.pid, "--stop")}
        lost, _ = target.quit()
        return {"truth": truth, "report": tracer.report(), "text": tracer.stdout,
                **{name: None if lost is None else reach(found, lost)
                   for name, found in readings.items()}}
