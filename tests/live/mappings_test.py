# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""Mapped and unmapped bytes are exact: partial munmap, holes, mremap each way, brk, failures, threads
that are handed each other's addresses; by probes behind the target's own calls and by tracepoints.
What passes by the probes is said."""

import harness


BY_TRACEPOINTS = "mappings by system call tracepoints"


class Mappings(harness.LiveTest):

    def assert_way(self, report, tracer, options):
        """Tracepoints are said, once; probes are no news."""
        by_calls = "--mappings-by-calls" in options or not harness.probes_behind_calls()
        for notes in (report["notes"], tracer.stderr.splitlines()):
            self.assertEqual(len([note for note in notes if BY_TRACEPOINTS in note]), int(by_calls))

    def play(self, arguments, options):
        program = self.start("map_bytes", "--seed", self.seed % 1000003, *arguments)
        truth, report, tracer = self.trace(program, *options)
        self.assert_way(report, tracer, options)
        counts, calls = report["counts"], report["counts"]["calls"]
        harness.note(f"  {truth['mmap_ok']} mmaps, {truth['munmap_ok']} munmaps "
                     f"({truth['munmaps_over_holes']} over holes), {truth['mremap_ok']} mremaps, "
                     f"mapped {counts['mapped_bytes']}, unmapped {counts['unmapped_bytes']}")
        # Bytes that a mapping replaced, and those that mremap cut off, are unmapped like others.
        mapped = truth["mmap_bytes"] + truth["mremap_grown_bytes"]
        unmapped = (truth["munmap_bytes"] + truth["mremap_shrunk_bytes"] +
                    truth["replaced_bytes"] + truth["mremap_replaced_bytes"])
        self.assertEqual(mapped - unmapped, truth["mapped_at_end_bytes"], "the program's own sums")
        self.assertEqual(counts["mapped_bytes"], mapped)
        self.assertEqual(counts["unmapped_bytes"], unmapped)
        self.assertEqual(counts["brk_grown_bytes"], truth["brk_grown_bytes"])
        self.assertEqual(counts["brk_shrunk_bytes"], truth["brk_shrunk_bytes"])
        # Calls that succeeded; failed ones may be counted too, but then all of them.
        for name in ("mmap", "munmap", "mremap"):
            self.assertIn(calls[name], (truth[f"{name}_ok"],
                                        truth[f"{name}_ok"] + truth[f"{name}_failed"]), name)
        self.assertEqual(calls["brk"], truth["brk_calls"])
        self.assertEqual(calls["madvise"], truth["madvise_calls"])
        self.assert_nothing_lost(report)
        self.assertEqual(program.quit(), 0)

    def both_ways(self, play, *arguments):
        for options in ((), ("--mappings-by-calls",)):
            with self.subTest(options=options):
                play(arguments, options)

    def test_into_free_space(self):
        self.both_ways(self.play, "--operations", 8000)

    def test_over_what_is_mapped(self):
        self.both_ways(self.play, "--operations", 8000, "--replace", 1)

    def race(self, arguments, options):
        program = self.start("map_threads", "--seed", self.seed % 1000003, *arguments)
        truth, report, tracer = self.trace(program, *options)
        self.assert_way(report, tracer, options)
        counts = report["counts"]
        harness.note(f"  {options}: {truth}")
        self.assertEqual(counts["mapped_bytes"], truth["mapped_bytes"])
        self.assertEqual(counts["unmapped_bytes"], truth["unmapped_bytes"])
        for name in ("mmap", "munmap", "mremap"):
            self.assertEqual(counts["calls"][name], truth[f"{name}s"], name)
        self.assert_nothing_lost(report)
        self.assertEqual(program.quit(), 0)

    def test_threads_that_are_handed_each_others_addresses(self):
        self.both_ways(self.race, "--threads", 4, "--rounds", 4000)

    def bypass(self, *options):
        program = self.start("map_threads", "--threads", 1, "--rounds", 10, "--raw-mib", 24)
        tracer = self.attach(program.pid, *options, "--duration", 8).wait_attached()
        truth = program.run()
        self.assertEqual(tracer.wait(60), 0, tracer.stderr)
        return truth, tracer.report()

    def test_what_passes_by_the_probes_is_said(self):
        truth, report = self.bypass()
        harness.note(f"  {report['notes']}")
        self.assertEqual(report["counts"]["mapped_bytes"], truth["mapped_bytes"])
        self.assertEqual(report["losses"]["unseen_mapping_bytes"], 24 << 20)
        self.assertEqual(len([note for note in report["notes"] if "24.0 MiB were mapped" in note]), 1)

    def test_tracepoints_see_that_too(self):
        truth, report = self.bypass("--mappings-by-calls")
        self.assertEqual(report["counts"]["mapped_bytes"], truth["mapped_bytes"] + (24 << 20))
        self.assert_nothing_lost(report)


if __name__ == "__main__":
    harness.main()
