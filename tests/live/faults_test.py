# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""N pages touched for the first time are N faults, from user code and from the kernel's read()."""

import csv
import subprocess
import time

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


# Touches memory for which it asks for huge pages, before or after "ready", in three steps.
HUGE = """
import mmap, resource, sys

size, early = int(sys.argv[1]), sys.argv[2] == "early"
kept = [mmap.mmap(-1, size, mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS) for _ in range(3)]
if early:
    for memory in kept:
        memory.madvise(mmap.MADV_HUGEPAGE)
print("ready", flush=True)
for memory in kept:
    sys.stdin.readline()
    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    if not early:
        memory.madvise(mmap.MADV_HUGEPAGE)
    for at in range(0, size, mmap.PAGESIZE):
        memory[at] = 1
    print(resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before, flush=True)
sys.stdin.readline()
"""
HUGE_BYTES = 48 << 20
# Threads and children that touch memory, half of which end before all is told; one child is a zombie
# then. Told "ends", all end by themselves.
CROWD_THREADS, CROWD_CHILDREN = 10, 6
CROWD = f"""
import mmap, os, resource, sys, threading

pages = int(sys.argv[1])
ended, go_on = threading.Barrier({CROWD_THREADS} // 2 + 1), threading.Event()
told, tell = os.pipe()

def faults(of):
    return resource.getrusage(of).ru_minflt

def touch():
    memory = mmap.mmap(-1, pages * mmap.PAGESIZE, mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
    memory.madvise(mmap.MADV_NOHUGEPAGE)
    for at in range(0, len(memory), mmap.PAGESIZE):
        memory[at] = 1

def work(stays):
    touch()
    if stays:
        ended.wait()
        go_on.wait()

print("ready", flush=True)
sys.stdin.readline()
before = faults(resource.RUSAGE_SELF)
threads = [threading.Thread(target=work, args=(number % 2,)) for number in range({CROWD_THREADS})]
for thread in threads:
    thread.start()
ended.wait()
for thread in threads[::2]:
    thread.join()
children = []
for number in range({CROWD_CHILDREN}):
    children.append(os.fork())
    if children[-1] == 0:
        touch()
        os.write(tell, b"%8d" % faults(resource.RUSAGE_SELF))
        if number % 2 and sys.argv[2] == "stays":
            sys.stdin.readline()
        os._exit(0)
of_children = sum(int(os.read(told, 8)) for _ in children)
for child in children[2::2]:
    os.waitpid(child, 0)
print(faults(resource.RUSAGE_SELF) - before + of_children, flush=True)
if sys.argv[2] == "stays":
    sys.stdin.readline()
os._exit(0)
"""
# Reads each page of a private mapping of a file, then writes to each.
COPIER = """
import mmap, resource, sys, tempfile

size = int(sys.argv[1]) * mmap.PAGESIZE
file = tempfile.TemporaryFile()
file.write(bytes(size))
file.flush()
memory = mmap.mmap(file.fileno(), size, mmap.MAP_PRIVATE)
print("ready", flush=True)
sys.stdin.readline()
before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
sum(memory[at] for at in range(0, size, mmap.PAGESIZE))
for at in range(0, size, mmap.PAGESIZE):
    memory[at] = 1
print(resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before, flush=True)
sys.stdin.readline()
"""
HUGE_PAGE = 2 << 20


class Faults(harness.LiveTest):

    def python(self, code, *arguments):
        """A program of Python's that is "ready", and its lines."""
        program = subprocess.Popen(["/usr/bin/python3", "-c", code, *map(str, arguments)], bufsize=0,
                                   stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        self.addCleanup(program.wait)
        self.addCleanup(program.kill)
        lines = harness.LineReader(program.stdout)
        self.assertEqual(lines.line(30), "ready")
        return program, lines

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
        program, lines = self.python(TOUCHER, SECONDS)
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

    def touch_huge(self, when):
        """(fault bytes, faults that the program counted, faults of unknown size)"""
        program, lines = self.python(HUGE, HUGE_BYTES, when)
        tracer = self.attach(program.pid, "--no-census", tier="watch").wait_attached()
        faults = 0
        for _ in range(3):
            program.stdin.write(b"go\n")
            faults += int(lines.line(60))
            time.sleep(2)  # by then a busy tracer has heard of it, too
        self.assertEqual(tracer.stop(), 0, tracer.stderr)
        counts, losses = (tracer.report()[part] for part in ("counts", "losses"))
        self.assertAlmostEqual(counts["faults_user"] + counts["faults_kernel"], faults, delta=100)
        harness.note(f"  {when}: {faults} faults brought {3 * HUGE_BYTES} bytes, seen "
                     f"{counts['fault_bytes']}, of unknown size {losses['unsized_faults']}")
        return counts["fault_bytes"], faults, losses["unsized_faults"]

    def test_huge_pages(self):
        """A fault that brings two megabytes counts so where that was asked for before the attach."""
        seen, faults, unsized = self.touch_huge("early")
        with open("/sys/kernel/mm/transparent_hugepage/enabled", encoding="ascii") as setting:
            if "[never]" not in setting.read():
                self.assertLess(faults, 0.9 * 3 * HUGE_BYTES / PAGE)
        self.assertAlmostEqual(seen, 3 * HUGE_BYTES, delta=200 * PAGE)
        self.assertEqual(unsized, 0)

    def test_huge_pages_asked_for_while_traced(self):
        """Later, too, once the tracer has heard of it; what came until then is told."""
        seen, _, unsized = self.touch_huge("late")
        missed = 3 * HUGE_BYTES - seen
        # One fault may have been under way for longer than anybody waits.
        self.assertLessEqual(missed, (unsized + 1) * HUGE_PAGE + 200 * PAGE)
        self.assertLessEqual(missed, HUGE_BYTES)
        self.assertGreaterEqual(missed, -200 * PAGE)

    def test_private_files_bring_memory_when_written_to(self):
        """A fault that maps a page of a file brings none; one that copies it brings a page."""
        pages = self.random.randrange(8000, 12000)
        program, lines = self.python(COPIER, pages)
        tracer = self.attach(program.pid, "--no-census", tier="watch").wait_attached()
        program.stdin.write(b"go\n")
        faults = int(lines.line(60))
        self.assertEqual(tracer.stop(), 0, tracer.stderr)
        counts = tracer.report()["counts"]
        harness.note(f"  {faults} faults, {pages} pages copied, {counts['fault_bytes'] // PAGE} seen")
        # The kernel maps some pages of a file around the one that was asked for, 16 as a rule.
        self.assertGreater(faults, pages + 300)
        self.assertAlmostEqual(counts["faults_user"] + counts["faults_kernel"], faults, delta=100)
        self.assertAlmostEqual(counts["fault_bytes"], PAGE * pages, delta=200 * PAGE)

    def test_threads_and_children_that_end(self):
        """What they touched counts, whether they are there at the end or not."""
        self.touch_by_crowd("stays")

    def test_a_target_that_ends(self):
        self.touch_by_crowd("ends")

    def touch_by_crowd(self, how):
        pages = self.random.randrange(1000, 2000)
        program, lines = self.python(CROWD, pages, how)
        tracer = self.attach(program.pid, "--no-census", "--follow", tier="watch").wait_attached()
        program.stdin.write(b"go\n")
        faults = int(lines.line(60))
        self.assertEqual(tracer.wait(60) if how == "ends" else tracer.stop(), 0, tracer.stderr)
        counts = tracer.report()["counts"]
        seen = counts["faults_user"] + counts["faults_kernel"]
        harness.note(f"  {faults} faults of {CROWD_THREADS} threads and {CROWD_CHILDREN} children, "
                     f"{seen} seen, {counts['fault_bytes'] // PAGE} pages brought")
        everyone = CROWD_THREADS + CROWD_CHILDREN
        self.assertGreater(faults, everyone * pages)
        # A thread or child that ends has some faults more than it can tell.
        self.assertAlmostEqual(seen, faults, delta=60 * everyone)
        self.assertGreaterEqual(counts["fault_bytes"], everyone * pages * PAGE)
        # Before Linux 6.2 a fault counts as it begins, and some of them come to nothing.
        self.assertLessEqual(counts["fault_bytes"], (seen + everyone) * PAGE)

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
