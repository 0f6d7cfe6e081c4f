# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""More of something than a map of the kernel side has room for: what is missing from the report is
what the program is known to have had too much of."""

import harness

STACKS = 16_384
CHILDREN = 1023
# Stacks of the program that no test asked for: printing, the end.
OTHER_STACKS = 20


class Exhaustion(harness.LiveTest):

    def test_stacks(self):
        """Blocks whose stacks found no room are there, at [unknown]; all others at their own."""
        paths, rounds = 20_000, 2
        program = self.start("many_stacks", "--paths", paths, "--rounds", rounds)
        truth, report, tracer = self.trace(program, "--no-census")
        self.assertEqual(program.quit(), 0)
        counts, losses = report["counts"], report["losses"]
        self.assertEqual(counts["allocated_blocks"], truth["blocks"])
        self.assertEqual(counts["allocated_bytes"], truth["bytes"])
        self.assertEqual(losses["ring_events"], 0)
        by_path, unknown = {}, 0
        for frames, weight in harness.folded(tracer.trace_path, "live"):
            if any("::walk(" in frame for frame in frames):
                by_path[tuple(frames)] = weight
            else:
                unknown += weight
        harness.note(f"  {len(by_path)} paths, {unknown} bytes unknown, {losses}")
        self.assertEqual(sum(by_path.values()) + unknown, truth["bytes"])
        self.assertEqual(set(by_path.values()), {truth["bytes"] // paths})
        self.assertGreaterEqual(len(by_path), STACKS - OTHER_STACKS)
        self.assertLessEqual(len(by_path), STACKS)
        missing = rounds * (paths - len(by_path))
        self.assertEqual(losses["map_full_stacks"], missing)
        self.assertEqual(losses["map_full_events"], missing)
        self.assertEqual(unknown, missing * truth["bytes"] // truth["blocks"])
        self.assertIn("without their stack", tracer.stdout)

    def test_children(self):
        """Those beyond the limit are not followed, and that is said."""
        children, blocks = 1100, 2
        program = self.start("forks", "--children", children, "--allocate", blocks, "--together", 1)
        truth, report, tracer = self.trace(program, "--follow", "--no-census")
        self.assertEqual(program.quit(), 0)
        self.assertEqual(truth["children_good"], children)
        harness.note(f"  {report['counts']} {report['losses']}")
        self.assertEqual(len(report["target"]["followed"]), CHILDREN)
        self.assertEqual({child["exit_status"] for child in report["target"]["followed"]}, {0})
        self.assertEqual(report["losses"]["map_full_events"], children - CHILDREN)
        self.assertEqual(report["counts"]["allocated_blocks"], CHILDREN * 2 * blocks)
        self.assertIn(f"started {children - CHILDREN} child processes; they were not followed",
                      " ".join(tracer.stdout.split()))


if __name__ == "__main__":
    harness.main()
