# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""Targets of unusual shape are counted exactly, in bounded time and memory; a tracer that gets no
CPU counts what it loses; a stopped target stays stopped."""

import os
import signal
import sqlite3
import time

import harness

MIB = 1 << 20


def state_of(pid):
    with open(f"/proc/{pid}/stat", encoding="ascii", errors="replace") as file:
        return file.read().rsplit(")", 1)[1].split()[0]


class Awkward(harness.LiveTest):

    def check(self, *shape, blocks=100, arguments=()):
        program = self.start("awkward", "--blocks", blocks, *shape)
        truth, report, tracer = self.trace(program, *arguments)
        self.assertEqual(program.quit(), 0, "the target was harmed")
        counts = report["counts"]
        harness.note(f"  {shape}: {truth}, attached in {tracer.attach_seconds:.2f} s, tracer "
                     f"{report['overhead']['tracer_rss'] / MIB:.0f} MiB")
        self.assert_nothing_lost(report)
        for key, value in truth.items():
            self.assertEqual(counts[key], value, key)
        self.assertLess(report["overhead"]["tracer_rss"], 250 * MIB)
        return report

    def test_two_thousand_threads(self):
        self.check("--threads", 2000, blocks=20)

    def test_sixty_thousand_mappings(self):
        self.check("--mappings", 60_000, blocks=20_000)

    def test_address_space_of_64_gib(self):
        self.check("--reserve-gib", 64, blocks=20_000)

    def test_a_filter_that_kills(self):
        """Probes with a return enter the kernel by a system call that no sandbox has on its list."""
        for method in harness.probe_methods("session", "multi", "perf"):
            with self.subTest(method=method):
                self.check("--filter", 1, "--threads", 3, blocks=5000,
                           arguments=("--probe-method", method))

    def test_a_thousand_children(self):
        for arguments in ((), ("--follow",)):
            with self.subTest(arguments=arguments):
                program = self.start("forks", "--children", 1000, "--allocate", 2)
                truth, report, _ = self.trace(program, *arguments)
                self.assertEqual(program.quit(), 0)
                self.assertEqual(truth["children_good"], 1000)
                self.assert_nothing_lost(report)
                # Each child allocates twice as much as the parent meanwhile.
                generations = 3 if arguments else 1
                self.assertEqual(report["counts"]["allocated_blocks"],
                                 generations * truth["blocks"])

    def test_a_tracer_that_gets_no_cpu(self):
        """What it could not take in time is a number, to the event."""
        program = self.start("alloc_rate", "--threads", 2, "--rate", 0, "--seconds", 2, "--seed",
                             self.seed % 1000003)
        tracer = self.attach(program.pid, "--no-census").wait_attached()
        time.sleep(0.5)
        with tracer.standing_still():
            truth = program.run()
        self.assertEqual(tracer.stop(), 0, tracer.stderr)
        self.assertEqual(program.quit(), 0)
        report = tracer.report()
        counts, lost = report["counts"], report["losses"]["ring_calls"]
        seen = (counts["allocated_blocks"] + counts["freed_blocks"] +
                counts["freed_unknown_blocks"])
        harness.note(f"  {truth['events']} events, {seen} seen, losses {report['losses']}")
        self.assertGreater(lost, 10_000, "the ring did not overflow: nothing was shown")
        # Calls are counted in the kernel, where nothing is lost.
        self.assertEqual(counts["calls"]["malloc"], truth["ok"]["malloc"])
        self.assertEqual(counts["calls"]["free"], truth["ok"]["free"])
        self.assertEqual(seen + lost, truth["events"])
        self.assertNotIn("nothing lost", tracer.stdout)

    def test_the_clock_is_set(self):
        """An hour forth and back, all the time: what is counted and how long it took stays right."""
        program = self.start("alloc_mix", "--seed", self.seed % 1000003, "--operations", 10000)
        jumps = [f"{name}={value}" for name, value in harness.CLOCK_JUMPS.items()]
        tracer = self.attach(program.pid, "--request", "every:0.5",
                             prefix=("env", *jumps)).wait_attached()
        begin = time.monotonic()
        truth = program.run()
        time.sleep(2)
        self.assertEqual(tracer.stop(), 0, tracer.stderr)
        elapsed = time.monotonic() - begin
        self.assertEqual(program.quit(), 0)
        report = tracer.report()
        self.assert_nothing_lost(report)
        self.assertEqual(report["counts"]["allocated_bytes"], truth["allocated_bytes"])
        self.assertAlmostEqual(report["window"]["seconds"], elapsed, delta=0.25 * elapsed)
        self.assertAlmostEqual(report["requests"]["count"], 2 * report["window"]["seconds"],
                               delta=1.5)
        with sqlite3.connect(tracer.trace_path) as trace:
            rows = trace.execute("SELECT unix_seconds, t_ns FROM samples ORDER BY sequence")
            starts = {round(unix - t_ns / 1e9) for unix, t_ns in rows}
        self.assertLessEqual(max(starts) - min(starts), 1, "samples an hour apart")

    def test_a_stopped_target(self):
        program = self.start("awkward", "--blocks", 1000)
        os.kill(program.pid, signal.SIGSTOP)
        self.addCleanup(lambda: program.alive() and os.kill(program.pid, signal.SIGCONT))
        tracer = self.attach(program.pid).wait_attached()
        time.sleep(1)
        self.assertEqual(state_of(program.pid), "T")
        os.kill(program.pid, signal.SIGCONT)
        truth = program.run()
        os.kill(program.pid, signal.SIGSTOP)
        self.assertEqual(tracer.stop(), 0, tracer.stderr)
        self.assertEqual(state_of(program.pid), "T")
        os.kill(program.pid, signal.SIGCONT)
        self.assertEqual(program.quit(), 0)
        self.assertEqual(tracer.report()["counts"]["allocated_blocks"], truth["allocated_blocks"])


if __name__ == "__main__":
    harness.main()
