# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""What the gate says beside its verdict: of a baseline that is damaged, of a policy that checks nothing.

check_test.py REPLAY_COMMAND TRACES
"""

import json
import os
import subprocess
import sys
import tempfile
import unittest


class Check(unittest.TestCase):

    def setUp(self):
        self.directory = self.enterContext(tempfile.TemporaryDirectory(prefix="asrtrace-check-"))

    def check(self, *arguments):
        return subprocess.run([COMMAND, "check", TRACE, *arguments], capture_output=True,
                              timeout=60, check=False, text=True)

    def written(self, name, content):
        path = os.path.join(self.directory, name)
        with open(path, "wb") as file:
            file.write(content)
        return path

    def test_a_damaged_baseline_is_said_and_nothing_to_compare_with(self):
        with open(TRACE, "rb") as file:
            whole = file.read()
        half = self.written("half.asrtrace", whole[:len(whole) * 6 // 10])
        done = self.check("--baseline", half, "--json", "-")
        self.assertEqual(done.returncode, 3, done.stderr)
        self.assertIn(f"{half}: damaged, missing: 40 readings of the heap", done.stderr)
        compared = [check for check in json.loads(done.stdout)["checks"]
                    if check["over_baseline"] and check["rule"] in ("retained", "pss")]
        self.assertEqual([check["reason"] for check in compared],
                         ["baseline: the trace is damaged"] * 2)

    def test_a_policy_that_switches_every_limit_off_is_wrong_usage(self):
        rules = ("leak", "cache", "unexplained", "retained", "plateau", "pss", "peak_rss_anon")
        lines = [f"{rule} = {{}}" for rule in rules]
        policy = self.written("none.toml", "\n".join(["[limits]", *lines]).encode())
        done = self.check("--policy", policy)
        self.assertEqual((done.returncode, done.stdout), (2, ""))
        self.assertIn(f"{policy}, line 1: every limit is switched off", done.stderr)
        self.assertIn("give one, such as leak = { max = 0 }", done.stderr)


if __name__ == "__main__":
    COMMAND = sys.argv[1]
    TRACE = os.path.join(sys.argv[2], "synthetic.asrtrace")
    unittest.main(argv=sys.argv[:1], verbosity=2)
