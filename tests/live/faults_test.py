# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""N pages touched for the first time are N faults, from user code and from the kernel's read()."""

import harness

PAGE = 4096


class Faults(harness.LiveTest):

    def touch(self, user, file, pipe, tier):
        """Exact, or else exact when done again. Seldom one user fault more is seen than getrusage
        tells of the counted part; where it comes from is not known yet (the window is wider than
        that part, so it may be a fault outside of it)."""
        stray = self.touch_once(user, file, pipe, tier)
        if stray:
            harness.note(f"  {stray} user fault more than the program counts; again")
            self.assertEqual(self.touch_once(user, file, pipe, tier), 0)

    def touch_once(self, user, file, pipe, tier):
        program = self.start("touch_pages", "--user", user, "--file", file, "--pipe", pipe)
        truth, report, _ = self.trace(program, tier=tier)
        counts = report["counts"]
        stray = counts["faults_user"] - truth["user_pages"] - truth["minor_faults_while_waiting"]
        harness.note(f"  {tier}: user {counts['faults_user']} of {truth['user_pages']}, kernel "
                     f"{counts['faults_kernel']} of {truth['kernel_pages']}, getrusage "
                     f"{truth['minor_faults']} + {truth['minor_faults_while_waiting']} waiting")
        self.assertEqual(truth["minor_faults"], truth["user_pages"] + truth["kernel_pages"])
        self.assertIn(stray, (0, 1))
        self.assertEqual(counts["faults_kernel"], truth["kernel_pages"])
        self.assertIn(counts["fault_bytes"] - PAGE * truth["minor_faults"], (0, PAGE * stray))
        self.assert_nothing_lost(report)
        self.assertEqual(program.quit(), 0)
        return stray

    def test_user_code_and_read(self):
        for tier in ("watch", "full"):
            self.touch(self.random.randrange(1, 9000), self.random.randrange(1, 4000),
                       self.random.randrange(1, 4000), tier)

    def test_user_code_alone(self):
        self.touch(self.random.randrange(1, 30000), 0, 0, "full")

    def test_read_alone(self):
        self.touch(0, self.random.randrange(1, 9000), 0, "full")
        self.touch(0, 0, self.random.randrange(1, 9000), "full")

    def test_few_pages(self):
        self.touch(1, 1, 1, "full")


if __name__ == "__main__":
    harness.main()
