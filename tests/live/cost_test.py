# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""What tracing costs is measured, and said."""

import re

import harness

HITS_A_REQUEST = 150  # of leaky_requests, if every call is followed


class Cost(harness.LiveTest):

    def test_the_report_tells_what_the_probes_cost(self):
        """A program that does nothing but allocate spends nearly all its time in them."""
        program = self.start("alloc_rate", "--rate", 0, "--threads", 1, "--seconds", 2, "--seed", 1)
        _, report, tracer = self.trace(program)
        cost = report["overhead"]
        harness.note(f"  {cost}")
        calls = report["counts"]["calls"]
        # An allocation is seen at its entry and its return, a free at its entry, a system call
        # behind it.
        self.assertEqual(cost["probe_hits"],
                         2 * calls["malloc"] + calls["free"] + harness.mapping_calls(report))
        self.assertGreater(cost["program_seconds"], 0)
        trap_ns = 1e9 * cost["trap_seconds_estimated"] / cost["probe_hits"]
        self.assertGreater(trap_ns, 100)
        self.assertLess(trap_ns, 5000, "a hit that costs as much was single-stepped")
        self.assertGreater(cost["target_cpu_fraction"], 0.5)
        self.assertLess(cost["target_cpu_fraction"], 1.2)
        self.assertGreater(cost["tracer_cpu_seconds"], 0)
        self.assertIn("share of the target's CPU: ", tracer.stdout)
        self.assertNotIn("not measured", tracer.stdout)

    def test_watching_costs_no_hit_of_an_allocation(self):
        program = self.start("alloc_rate", "--rate", 0, "--threads", 1, "--seconds", 1, "--seed", 1)
        _, report, _ = self.trace(program, tier="watch")
        cost = report["overhead"]
        harness.note(f"  {cost}")
        self.assertEqual(cost["probe_hits"], harness.mapping_calls(report))
        self.assertLess(cost["probe_hits"], 20)
        self.assertLess(cost["trap_seconds_estimated"], 1e-3)
        self.assertLess(cost["target_cpu_fraction"], 0.1)

    def test_watching_by_tracepoints_costs_no_hit(self):
        program = self.start("alloc_rate", "--rate", 0, "--threads", 1, "--seconds", 1, "--seed", 1)
        _, report, _ = self.trace(program, "--mappings-by-calls", tier="watch")
        self.assertEqual(report["overhead"]["probe_hits"], 0)
        self.assertEqual(report["overhead"]["trap_seconds_estimated"], 0)

    def test_auto_leaves_a_tight_loop_alone_within_two_seconds(self):
        program = self.start("alloc_rate", "--rate", 0, "--threads", 1, "--seconds", 4, "--seed", 1)
        tracer = self.attach(program.pid, "--duration", 3, tier="auto").wait_attached()
        program.say("go")
        self.assertEqual(tracer.wait(30), 0, tracer.stderr)
        report = tracer.report()
        # A loop that others leave hardly any CPU cannot be told from a program that does little.
        starved = report["overhead"]["target_cpu_seconds"] < 0.4 * 3
        words = "in short windows|stepped down to watch" if starved else "stepped down to watch"
        notes = [note for note in report["notes"] if re.search(words, note)]
        harness.note(f"  {report['notes']} {report['overhead']}")
        self.assertEqual(len(notes), 1, report["notes"])
        # "after 0.2 s: ..." counts from the attach; the program began a moment later.
        self.assertLess(float(notes[0].split()[1]), 2.5)
        self.assertIn(f"note: {notes[0]}", tracer.stderr)
        self.assertEqual(report["overhead"]["tier"], "auto")
        self.assertEqual(harness.patched_bytes(program.pid), 0, "a probe stayed")
        program.expect("done")

    def leaky(self, *arguments):
        """Its leak is of a size class that its cache has no blocks of."""
        program = self.start("leaky_requests", "--seed", self.seed % 1000003, "--pace-us", 2000,
                             "--leak", 9000, *arguments)
        return program, f"func:{program.ready['begin']},{program.ready['done']}"

    def test_auto_follows_everything_where_the_budget_allows(self):
        program, request = self.leaky("--requests", 700)
        truth, report, _ = self.trace(program, "--request", request, "--budget-cpu", 1000,
                                      tier="auto")
        harness.note(f"  {report['overhead']} {report['notes']}")
        self.assertEqual(report["overhead"]["tier"], "full")
        self.assertEqual(report["counts"]["calls"]["posix_memalign"], 2 * truth["requests"])
        self.assert_nothing_lost(report)

    def test_auto_finds_a_leak_in_windows(self):
        program, request = self.leaky("--requests", 3000)
        tracer = self.attach(program.pid, "--request", request, tier="auto").wait_attached()
        truth = program.run()
        self.assertEqual(tracer.stop(), 0, tracer.stderr)
        report = tracer.report()
        harness.note(f"  {report['overhead']} {report['notes']}")
        self.assertEqual(report["overhead"]["tier"], "auto")
        self.assertEqual(len([note for note in report["notes"] if "in short windows" in note]), 1)
        self.assertEqual(report["requests"]["count"], truth["requests"])
        self.assertLess(report["overhead"]["probe_hits"],
                        2 * truth["requests"] + 0.5 * HITS_A_REQUEST * truth["requests"])
        leaks = [finding for finding in report["findings"] if finding["kind"] == "leak"]
        self.assertEqual(len(leaks), 1, report["findings"])
        leak = leaks[0]
        self.assertIn(truth["leak_function"],
                      [frame["function"].split("::")[-1] for frame in leak["stack"][:2]])
        self.assertAlmostEqual(leak["bytes_per_request"], truth["leak_bytes_per_request"],
                               delta=0.1 * truth["leak_bytes_per_request"])
        self.assertEqual([finding["kind"] for finding in report["findings"]
                          if finding["kind"] == "cache" and finding["subkind"] == "unbounded"], [])


if __name__ == "__main__":
    harness.main()
