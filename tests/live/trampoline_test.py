# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""Stacks taken under one of our return probes: a page fault inside malloc meets the trampoline
where the return address was, and must still show who called malloc."""

import re

import harness

FUNCTIONS = ("malloc", "calloc", "realloc", "memalign", "posix_memalign")


class Trampoline(harness.LiveTest):

    def faults_in_the_allocator(self, method):
        program = self.start("malloc_faults")
        _, report, tracer = self.trace(program, "--probe-method", method)
        self.assertEqual(program.quit(), 0)
        self.assertEqual(report["losses"]["stacks_truncated"], 0)
        callers = {}
        stacks = harness.folded(tracer.trace_path, "faults")
        for frames, weight in stacks:
            inside = [i for i, frame in enumerate(frames) if frame.startswith("caller_of_")
                      or "::caller_of_" in frame]
            if not inside:
                continue
            self.assertEqual(frames[0], "_start", frames)
            caller = re.search(r"caller_of_(\w+)", frames[inside[-1]]).group(1)
            self.assertGreater(len(frames), inside[-1] + 1, "the fault was not in the allocator")
            callers[caller] = callers.get(caller, 0) + weight
        total = sum(weight for _, weight in stacks)
        harness.note(f"  {method}: {callers} of {total} bytes")
        self.assertEqual(set(callers), set(FUNCTIONS))
        self.assertGreater(sum(callers.values()), 0.98 * total, stacks)

    def test_session(self):
        self.faults_in_the_allocator("session")

    def test_uprobe_multi(self):
        self.faults_in_the_allocator("multi")

    def test_perf_uprobes(self):
        self.faults_in_the_allocator("perf")


if __name__ == "__main__":
    harness.main()
