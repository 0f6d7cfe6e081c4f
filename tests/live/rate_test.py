# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""200,000 events a second and more pass without a loss; what is lost beyond that is counted."""

import time

import harness


class Rate(harness.LiveTest):

    def run_at(self, rate, threads, seconds):
        program = self.start("alloc_rate", "--rate", rate, "--threads", threads, "--seconds",
                             seconds, "--seed", self.seed % 1000003)
        truth, report, _ = self.trace(program)
        reached = truth["events"] * 1e9 / truth["elapsed_ns"]
        losses = report["losses"]
        harness.note(f"  {truth['events']} events at {reached:.0f}/s, "
                     f"ring_events lost {losses['ring_events']}, "
                     f"tracer {report['overhead']['tracer_cpu_seconds']} s CPU, "
                     f"{report['overhead']['tracer_rss']} bytes")
        self.assertEqual(program.quit(), 0)
        return truth, report, reached

    def check_exact(self, truth, report):
        self.assert_nothing_lost(report)
        calls, counts = report["counts"]["calls"], report["counts"]
        self.assertEqual(calls["malloc"], truth["ok"]["malloc"])
        self.assertEqual(calls["free"], truth["ok"]["free"])
        for key in ("allocated_bytes", "allocated_blocks", "freed_bytes", "freed_blocks"):
            self.assertEqual(counts[key], truth[key], key)

    def test_paced(self):
        truth, report, reached = self.run_at(rate=280_000, threads=2, seconds=5)
        self.check_exact(truth, report)
        self.assertGreaterEqual(reached, 200_000)

    def test_paced_eight_threads(self):
        truth, report, reached = self.run_at(rate=280_000, threads=8, seconds=5)
        self.check_exact(truth, report)
        self.assertGreaterEqual(reached, 200_000)

    def test_one_thread_as_fast_as_it_goes(self):
        truth, report, reached = self.run_at(rate=0, threads=1, seconds=3)
        self.check_exact(truth, report)
        self.assertGreaterEqual(reached, 200_000)

    def test_all_processors_as_fast_as_they_go(self):
        """Losses are allowed here, silence about them is not."""
        truth, report, _ = self.run_at(rate=0, threads=4, seconds=3)
        calls, counts, losses = report["counts"]["calls"], report["counts"], report["losses"]
        self.assertEqual(calls["malloc"], truth["ok"]["malloc"])
        self.assertEqual(calls["free"], truth["ok"]["free"])
        missing = (truth["allocated_blocks"] - counts["allocated_blocks"] +
                   truth["freed_blocks"] - counts["freed_blocks"] - counts["freed_unknown_blocks"])
        self.assertGreaterEqual(losses["ring_events"] + losses["map_full_events"], missing)
        if losses["ring_events"] == 0:
            self.check_exact(truth, report)

    def test_the_end_is_noticed_under_any_load(self):
        """What comes faster than it can be read must not keep the tracer from all else."""
        program = self.start("alloc_rate", "--rate", 0, "--threads", 8, "--seconds", 90,
                             "--seed", self.seed % 1000003)
        tracer = self.attach(program.pid, "--duration", 4, prefix=("nice", "-n", "19"))
        tracer.wait_attached()
        program.say("go")
        self.assertEqual(tracer.wait(120), 0, tracer.stderr)
        report = tracer.report()
        harness.note(f"  {report['window']} {report['losses']}")
        self.assertGreater(report["losses"]["ring_events"], 0, "the reader kept up")
        self.assertLess(report["window"]["seconds"], 60)

    def test_attached_and_detached_under_load(self):
        """What began before or ends after the window is told apart; nothing is misattributed."""
        program = self.start("alloc_rate", "--rate", 60_000, "--threads", 4, "--seconds", 12,
                             "--seed", self.seed % 1000003)
        program.say("go")
        time.sleep(0.5)
        tracer = self.attach(program.pid).wait_attached()
        time.sleep(3)
        self.assertEqual(tracer.stop(), 0, tracer.stderr)
        truth = program.expect("done")
        self.assertEqual(program.quit(), 0)
        report = tracer.report()
        counts = report["counts"]
        harness.note(f"  {counts['calls']}, unknown {counts['freed_unknown_blocks']}, "
                     f"losses {report['losses']}")
        self.assert_nothing_lost(report)
        self.assertGreater(truth["ok"]["malloc"], counts["calls"]["malloc"])
        # Only what each thread held when the tracer came is unknown when it goes.
        self.assertLessEqual(counts["freed_unknown_blocks"], 4 * 64 + 4)
        self.assertLessEqual(counts["allocated_blocks"] - counts["freed_blocks"], 4 * 64 + 4)


if __name__ == "__main__":
    harness.main()
