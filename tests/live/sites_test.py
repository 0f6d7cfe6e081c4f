# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""The sites tier's estimate holds its 95 % interval, and its calls are exact all the same."""

import harness

RUNS = 20
MUST_HOLD = 18


class Sites(harness.LiveTest):

    def test_interval_covers_truth(self):
        held, widths = 0, []
        for run in range(RUNS):
            program = self.start("alloc_mix", "--seed", (self.seed + run) % 1000003, "--threads", 4,
                                 "--operations", 12000)
            truth, report, _ = self.trace(program, tier="sites")
            self.assertEqual(report["overhead"]["tier"], "sites")
            self.assert_nothing_lost(report)
            self.assertEqual(report["counts"]["calls"]["malloc"],
                             truth["ok"]["malloc"] + truth["failed"]["malloc"])
            estimate = report["counts"]["allocated_bytes_estimate"]
            low, high = estimate["ci95"]
            inside = low <= truth["allocated_bytes"] <= high
            held += inside
            widths.append((high - low) / truth["allocated_bytes"])
            harness.note(f"  run {run}: truth {truth['allocated_bytes']}, estimate "
                         f"{estimate['value']:.0f} [{low:.0f}, {high:.0f}]"
                         f"{'' if inside else ' MISSED'}")
            self.assertEqual(program.quit(), 0)
            program.end()
        harness.note(f"  {held} of {RUNS} intervals hold the truth")
        self.assertGreaterEqual(held, MUST_HOLD)
        # An interval that says nothing would hold everything.
        self.assertLess(max(widths), 0.5)


if __name__ == "__main__":
    harness.main()
