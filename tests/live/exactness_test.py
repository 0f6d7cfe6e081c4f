# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""Every allocator call is counted once, to the byte, whichever thread makes it."""

import re
import subprocess

import harness

# Tells of a folded stack line: "frame;frame;frame BYTES".
FOLDED = re.compile(r" (\d+)$")


class Exactness(harness.LiveTest):

    def check_calls(self, truth, report):
        asked = {}
        for name in truth["ok"]:
            public = {"reallocarray": "realloc", "aligned_alloc": "memalign"}.get(name, name)
            asked[public] = asked.get(public, 0) + truth["ok"][name] + truth["failed"][name]
        asked["free"] += truth.get("freed_born_before", 0)
        calls = harness.traced_calls(report)
        self.assertEqual({name: calls.get(name, 0) for name in asked}, asked)

    def check_bytes(self, truth, report):
        counts = report["counts"]
        keys = ("allocated_bytes", "allocated_blocks", "freed_bytes", "freed_blocks",
                "failed_allocations")
        self.assertEqual({key: counts[key] for key in keys}, {key: truth[key] for key in keys})
        self.assertEqual(counts["freed_unknown_blocks"], truth.get("freed_born_before", 0))

    def live_bytes(self, tracer):
        """All that the flame graph of live memory shows, unknown stacks included."""
        folded = subprocess.run(
            [harness.ASRTRACE, "flamegraph", tracer.trace_path, "--kind", "live", "--format",
             "folded"], check=True, stdout=subprocess.PIPE, timeout=60).stdout.decode()
        return sum(int(FOLDED.search(line).group(1)) for line in folded.splitlines())

    def mix(self, *arguments, tracer_arguments=()):
        program = self.start("alloc_mix", "--seed", self.seed % 1000003, *arguments)
        truth, report, tracer = self.trace(program, *tracer_arguments)
        harness.note(f"  losses {report['losses']}")
        self.check_calls(truth, report)
        self.check_bytes(truth, report)
        self.assert_nothing_lost(report)
        self.assertEqual(self.live_bytes(tracer), truth["live_bytes"])
        self.assertEqual(program.quit(), 0)
        rate = sum(truth["ok"].values()) * 1e9 / truth["elapsed_ns"]
        harness.note(f"  {sum(truth['ok'].values())} calls at {rate:.0f}/s, "
                     f"{truth['handed_over']} blocks handed between threads, "
                     f"{truth['failed_allocations']} failures, {truth['live_blocks']} live")

    def test_eight_threads(self):
        self.mix("--threads", 8, "--operations", 25000)

    def test_one_thread(self):
        self.mix("--threads", 1, "--operations", 60000)

    def test_many_threads(self):
        self.mix("--threads", 32, "--operations", 4000)

    def test_threads_that_share_a_place(self):
        """Ids whose low bits are the same: all but one have their state elsewhere
        (thread_places, bpf/maps.bpf.h)."""
        self.mix("--threads", 6, "--operations", 8000, "--ids-apart", 4096)

    def test_ways_to_attach_on_older_kernels(self):
        for method in harness.probe_methods("multi", "perf"):
            with self.subTest(method=method):
                self.mix("--threads", 4, "--operations", 8000,
                         tracer_arguments=("--probe-method", method))

    def test_blocks_from_before_the_attach(self):
        self.mix("--threads", 4, "--operations", 5000, "--before", self.random.randrange(1, 4000))

    def test_children_are_not_the_parent(self):
        program = self.start("forks", "--children", 3, "--allocate", 1500)
        truth, report, tracer = self.trace(program)
        self.assertEqual(truth["children_good"], truth["children"])
        self.assertEqual(report["counts"]["calls"]["malloc"], truth["blocks"])
        self.assertEqual(report["counts"]["allocated_bytes"], truth["bytes"])
        self.assertRegex(tracer.stdout + tracer.stderr, "(?i)fork|child")
        self.assertEqual(program.quit(), 0)


if __name__ == "__main__":
    harness.main()
