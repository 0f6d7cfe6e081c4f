# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""N pages touched for the first time are N faults, from user code and from the kernel's read()."""

import harness

PAGE = 4096


class Faults(harness.LiveTest):

    def touch(self, user, file, pipe, tier):
        program = self.start("touch_pages", "--user", user, "--file", file, "--pipe", pipe)
        truth, report, _ = self.trace(program, tier=tier)
        counts = report["counts"]
        harness.note(f"  {tier}: user {counts['faults_user']} of {truth['user_pages']}, kernel "
                     f"{counts['faults_kernel']} of {truth['kernel_pages']}, getrusage "
                     f"{truth['minor_faults']}")
        self.assertEqual(truth["minor_faults"], truth["user_pages"] + truth["kernel_pages"])
        self.assertEqual(counts["faults_user"], truth["user_pages"])
        self.assertEqual(counts["faults_kernel"], truth["kernel_pages"])
        self.assertEqual(counts["fault_bytes"], PAGE * truth["minor_faults"])
        self.assert_nothing_lost(report)
        self.assertEqual(program.quit(), 0)

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

    def test_walking_a_stack_is_no_fault(self):
        """The walker reads past the top of a stack, where a page is absent: not the program's. (The
        page of the kernel's that a return probe returns through is one fault of the program's.)"""
        calls = self.random.randrange(500, 3000)
        program = self.start("edge_stack", "--calls", calls)
        truth, report, _ = self.trace(program)
        counts = report["counts"]
        self.assertEqual(counts["calls"]["malloc"], calls)
        self.assertLessEqual(truth["minor_faults"], 1)
        self.assertEqual(counts["faults_user"], truth["minor_faults"])
        self.assertEqual(counts["faults_kernel"], 0)
        self.assertEqual(program.quit(), 0)


if __name__ == "__main__":
    harness.main()
