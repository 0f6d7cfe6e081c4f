# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""The quick part of tools/accuracy.sh: some scenarios under the tracer, once each."""

import os
import sys
import unittest

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import accuracy  # noqa: E402
import judge  # noqa: E402
import scenario  # noqa: E402
from scenario import harness  # noqa: E402


LEAST_REACH_SHARE = 0.95


class Corpus(harness.LiveTest):

    shares = []

    @classmethod
    def tearDownClass(cls):
        """Over the scenarios as many are found as over the whole corpus."""
        mean = sum(cls.shares) / len(cls.shares) if cls.shares else 1
        assert mean >= accuracy.REACH_SHARE, f"{mean} of the lost bytes were found: {cls.shares}"
        super().tearDownClass()

    def check(self, name):
        result = scenario.trace(name, self.seed)
        verdict = accuracy.judge_run(result)
        accuracy.print_run(verdict, sys.stderr)
        for how in ("reach_unstopped", "reach_stopped"):
            self.assertEqual(verdict[how]["false"], 0, how)
            if result["truth"]["leaked_blocks"] > 0:
                # A stale word may keep one block of the few that a run loses.
                self.assertGreaterEqual(verdict[how]["share"], LEAST_REACH_SHARE, how)
                self.shares.append(verdict[how]["share"])
        requests = result["report"]["requests"]["count"]
        self.assertEqual(requests, result["truth"]["requests"])
        self.check_verdict(verdict, result["report"])

    def check_verdict(self, verdict, report):
        self.assertEqual(verdict["result"], judge.RIGHT, report["findings"])
        for row in verdict["rows"]:
            if row["kind"] == "leak":
                self.assertLessEqual(row["error"], judge.BYTES_TOLERANCE)
        self.assertTrue(verdict["books"]["within"], verdict["books"])


    def test_samples_name_a_small_leak(self):
        """At the tier's mean most small leaks are in no sample; the size that leaks is sampled more."""
        result = scenario.trace("leak_small", self.seed, "sites")
        growth, = result["truth"]["growths"]
        findings = [finding for finding in result["report"]["findings"]
                    if judge.meets(finding, growth, sampled=False)]
        self.assertEqual(len(findings), 1, result["report"]["findings"])


def add_scenario(name):
    setattr(Corpus, f"test_{name}", lambda self: self.check(name))


for quick in accuracy.QUICK:
    add_scenario(quick)


if __name__ == "__main__":
    harness.main()
