# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""The CI example: healthy workers pass the gate, workers that leak 256 bytes a request fail."""

import json
import os
import subprocess
import xml.etree.ElementTree

import harness
import speech

EXAMPLE = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..", "tools",
                       "ci-example.sh")
RUNS = 3
REQUESTS = 250  # so that there are enough readings of PSS where all else is slow


class Gate(speech.SpeechTest):

    def test_three_healthy_and_three_leaking_workers(self):
        out = os.path.join(self.directory, "ci")
        os.mkdir(out)
        os.symlink(speech.SPEECH, os.path.join(out, "speech"))
        done = subprocess.run(
            [EXAMPLE, "--requests", str(REQUESTS), "--runs", str(RUNS), "--out", out],
            env={**os.environ, "ASRTRACE_BUILD_DIR": os.path.abspath(harness.BUILD_DIR)},
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=280, check=False)
        harness.note(done.stdout.decode(errors="replace"))
        self.assertEqual(done.returncode, 0)
        for run in range(1, RUNS + 1):
            # A warning passes the gate: on a busy machine a level may be high by chance.
            for name, verdicts in ((f"healthy-{run}", ("PASS", "WARN")),
                                   (f"leak-{run}", ("FAIL",))):
                with open(os.path.join(out, name + ".json"), encoding="utf-8") as file:
                    answer = json.load(file)
                self.assertIn(answer["verdict"], verdicts, name)
                suite = xml.etree.ElementTree.parse(os.path.join(out, name + ".xml")).getroot()
                self.assertEqual(int(suite.get("failures")), len(answer["violations"]))
                if "FAIL" in verdicts:
                    leak = answer["violations"][0]
                    self.assertEqual(leak["rule"], "leak")
                    self.assertEqual(leak["value"], 256)
                    self.assertIn("plant_leak_request", leak["finding"]["text"])
                else:
                    self.assertEqual(answer["violations"], [])


if __name__ == "__main__":
    harness.main()
