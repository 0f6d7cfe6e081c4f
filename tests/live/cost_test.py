# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""What tracing costs is measured, and said."""

import harness


class Cost(harness.LiveTest):

    def test_the_report_tells_what_the_probes_cost(self):
        """A program that does nothing but allocate spends nearly all its time in them."""
        program = self.start("alloc_rate", "--rate", 0, "--threads", 1, "--seconds", 2, "--seed", 1)
        _, report, tracer = self.trace(program)
        cost = report["overhead"]
        harness.note(f"  {cost}")
        calls = report["counts"]["calls"]
        # An allocation is seen at its entry and its return, a free at its entry.
        self.assertEqual(cost["probe_hits"], 2 * calls["malloc"] + calls["free"])
        self.assertGreater(cost["program_seconds"], 0)
        trap_ns = 1e9 * cost["trap_seconds_estimated"] / cost["probe_hits"]
        self.assertGreater(trap_ns, 100)
        self.assertLess(trap_ns, 5000, "a hit that costs as much was single-stepped")
        self.assertGreater(cost["target_cpu_fraction"], 0.5)
        self.assertLess(cost["target_cpu_fraction"], 1.2)
        self.assertGreater(cost["tracer_cpu_seconds"], 0)
        self.assertIn("share of the target's CPU: ", tracer.stdout)
        self.assertNotIn("not measured", tracer.stdout)

    def test_watching_costs_no_hit(self):
        program = self.start("alloc_rate", "--rate", 0, "--threads", 1, "--seconds", 1, "--seed", 1)
        _, report, _ = self.trace(program, tier="watch")
        cost = report["overhead"]
        harness.note(f"  {cost}")
        self.assertEqual(cost["probe_hits"], 0)
        self.assertEqual(cost["trap_seconds_estimated"], 0)
        self.assertLess(cost["target_cpu_fraction"], 0.1)


if __name__ == "__main__":
    harness.main()
