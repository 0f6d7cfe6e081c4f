# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""N pages touched for the first time are N faults, from user code and from the kernel's read()."""

import csv
import subprocess

import harness

PAGE = 4096
SAMPLED_EVERY = 64 << 10  # bytes, where faults are few
SECONDS = 4
# Touches fresh memory for some seconds; tells how many faults that were.
TOUCHER = """
import mmap, resource, sys, time

def faults():
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt

print("ready", flush=True)
sys.stdin.readline()
before, end = faults(), time.monotonic() + float(sys.argv[1])
while time.monotonic() < end:
    memory = mmap.mmap(-1, 16 << 20, mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
    memory.madvise(mmap.MADV_NOHUGEPAGE)
    for at in range(0, len(memory), mmap.PAGESIZE):
        memory[at] = 1
    memory.close()
print(faults() - before, flush=True)
sys.stdin.readline()
"""


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

    def test_fast_faults_are_sampled_further_apart(self):
        """`watch` takes few stacks of many faults; what sites touched stays right."""
        program = subprocess.Popen(["/usr/bin/python3", "-c", TOUCHER, str(SECONDS)], bufsize=0,
                                   stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        self.addCleanup(program.wait)
        self.addCleanup(program.kill)
        lines = harness.LineReader(program.stdout)
        self.assertEqual(lines.line(30), "ready")
        tracer = self.attach(program.pid, "--raw", "--no-census", tier="watch").wait_attached()
        program.stdin.write(b"go\n")
        touched = PAGE * int(lines.line(60))
        self.assertEqual(tracer.stop(), 0, tracer.stderr)
        self.assertAlmostEqual(tracer.report()["counts"]["fault_bytes"] / touched, 1, delta=0.01)
        seen = sum(weight for _, weight in harness.folded(tracer.trace_path, "faults"))
        events = subprocess.run([harness.ASRTRACE, "report", tracer.trace_path, "--events"],
                                check=True, stdout=subprocess.PIPE, text=True).stdout
        details = [row["detail"] for row in csv.DictReader(events.splitlines())
                   if row["event"] == "fault"]
        samples = len(details)
        self.assertTrue(any("thinned=" in text and "thinned=1" != text.split()[-1]
                            for text in details), details[:3])
        harness.note(f"  {touched >> 20} MiB touched, {seen / touched:.3f} of it seen in {samples} "
                     "samples")
        self.assertAlmostEqual(seen / touched, 1, delta=0.15)
        self.assertLess(samples, touched / SAMPLED_EVERY / 2)

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
