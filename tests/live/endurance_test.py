# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""A minute of tests/bench/endurance.py: a worker that is replaced and killed again and again is
followed to the request, and the tracer holds no more at the end than at the beginning."""

import os
import sys

import harness
import speech

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "bench"))
import endurance  # noqa: E402

MEMORY_SLACK_BYTES = 24 << 20  # in half a minute; reading DWARF takes as much, for a moment
RECYCLE = 8


class Endurance(speech.SpeechTest):

    def test_a_minute(self):
        options = endurance.parse([harness.BUILD_DIR, "--minutes", "0.7", "--sample", "2",
                                   "--recycle", str(RECYCLE), "--kill-every", "7"])
        outcome = endurance.endure(harness.BUILD_DIR, speech.SPEECH, self.directory, options,
                                   command=harness.ASRTRACE)
        rows = endurance.judge(outcome.samples, MEMORY_SLACK_BYTES)
        report = outcome.report
        harness.note(f"  {outcome.seen} requests, {len(outcome.followed)} workers, "
                     f"{outcome.load.killed} killed, lost {outcome.losses}, "
                     f"{report['overhead']}\n  {rows}")
        self.assertEqual(outcome.mismatches(), [])
        self.assertGreater(outcome.requests, 20)
        # A life is of 12 requests at most.
        self.assertGreaterEqual(len(outcome.followed), outcome.requests // (RECYCLE * 3 // 2))
        self.assertGreaterEqual(outcome.load.killed, 2)
        self.assertEqual([row for row in rows if not row[-1]], [], "not flat")
        # The parent does nothing; what the budget goes by is what its workers use. With windows it
        # was found too small for all the time.
        self.assertEqual(report["overhead"]["tier"], "auto")
        self.assertGreater(report["overhead"]["target_cpu_seconds"], 0.005 * outcome.requests)


if __name__ == "__main__":
    harness.main()
