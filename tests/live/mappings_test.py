# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""Mapped and unmapped bytes are exact: partial munmap, holes, mremap each way, brk, failures."""

import harness


class Mappings(harness.LiveTest):

    def play(self, *arguments):
        program = self.start("map_bytes", "--seed", self.seed % 1000003, *arguments)
        truth, report, _ = self.trace(program)
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

    def test_into_free_space(self):
        self.play("--operations", 8000)

    def test_over_what_is_mapped(self):
        self.play("--operations", 8000, "--replace", 1)


if __name__ == "__main__":
    harness.main()
