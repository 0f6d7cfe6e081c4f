# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""System calls of the tracer fail, one at a time: whatever it is, the run ends by itself with an
error that has words or with a report, nothing stays in the kernel, and the target goes on.
ASRTRACE_LONG=1: 25 times as many of each call, at random as well."""

import collections
import os
import re
import subprocess

import harness

# What fails, and as what.
FAULTS = {
    "bpf": ("EPERM", "ENOMEM"),
    "perf_event_open": ("EMFILE", "EACCES"),
    "mmap": ("ENOMEM",),
    "openat": ("EMFILE", "EACCES"),
    "read": ("EIO", "ESRCH"),
    "pread64": ("EIO",),
    "pwrite64": ("EIO", "ENOSPC"),
    "readlink": ("ENOENT",),
    "process_vm_readv": ("ESRCH", "EFAULT"),
    "pidfd_open": ("EMFILE",),
    "epoll_create1": ("EMFILE",),
    "epoll_ctl": ("ENOMEM",),
    "pipe2": ("EMFILE",),
    "clone": ("EAGAIN",),
    "clone3": ("EAGAIN",),
    "fdatasync": ("EIO",),
    "ftruncate": ("EIO",),
    "fcntl": ("EIO",),
}
TRIALS_OF_A_CALL = 25 if os.environ.get("ASRTRACE_LONG") else 1
ENDED_BY_ITSELF = (0, 2, 3)
# What comes before main is not the tracer's: ld.so and libc say it, but of the first mapping, with
# which ld.so just dies.
FIRST = {"mmap": 2}
NOT_EVEN_STARTED = 127
LOADER_GAVE_UP = "error while loading shared libraries|cannot allocate TLS data|Fatal glibc error"
# A sanitized tracer would look for leaks by ptrace, which strace has, and asks by a pipe what memory
# can be read.
NO_LEAK_CHECK = {"ASAN_OPTIONS": "detect_leaks=0"}
# Most mappings of such a tracer are its sanitizer's, which dies of one that fails.
SANITIZER_GAVE_UP = "Sanitizer failed to allocate"
if "ASRTRACE_COMMAND" in os.environ:
    del FAULTS["pipe2"]


class Injection(harness.LiveTest):

    def setUp(self):
        super().setUp()
        self.program = None
        self.before = harness.loaded_objects()
        self.trace_path = os.path.join(self.directory, "trace.asrtrace")

    def begin(self):
        self.program = self.start("throwing_requests", "--seed", self.seed % 100000)
        self.program.say("go")

    def check_target(self):
        self.assertEqual(self.left_over(), {})
        self.assertEqual(harness.patched_left(self.program.pid), 0)
        self.program.say("stop")
        self.assertEqual(self.program.expect("done")["wrong"], 0)
        self.assertEqual(self.program.quit(), 0)

    def run_under_strace(self, *strace):
        """Status and text of a run of half a second."""
        if os.path.exists(self.trace_path):
            os.remove(self.trace_path)
        done = subprocess.run(
            ["strace", "-f", "--quiet=all", "--seccomp-bpf", *strace, harness.ASRTRACE, "attach",
             "--pid", str(self.program.pid), "--duration", "0.2", "--request",
             "func:begin_request,end_request", "-o", self.trace_path],
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=60,
            check=False, env={**os.environ, **NO_LEAK_CHECK})
        return done.returncode, done.stdout.decode(errors="replace")

    def calls_of_a_run(self):
        """How often the tracer's threads make each call."""
        log = os.path.join(self.directory, "strace.log")
        status, text = self.run_under_strace("-o", log, "-e", "trace=" + ",".join(FAULTS))
        self.assertEqual(status, 0, text)
        counts = collections.Counter()
        with open(log, encoding="utf-8", errors="replace") as file:
            for line in file:
                call = re.match(r"\d+ +(\w+)\(", line)
                if call:
                    counts[call[1]] += 1
        return counts

    def check(self, call, error, number):
        log = os.path.join(self.directory, "strace.log")
        status, text = self.run_under_strace(
            "-o", log, "-e", f"trace={call}", "-e", f"inject={call}:error={error}:when={number}")
        with open(log, encoding="utf-8", errors="replace") as file:
            injected = "(INJECTED)" in file.read()
        harness.note(f"  {call} {number} {error}: status {status}, "
                     f"{'' if injected else 'not reached, '}{text.strip().splitlines()[-1:]}")
        if status == NOT_EVEN_STARTED:
            self.assertRegex(text, LOADER_GAVE_UP)
        elif "ASRTRACE_COMMAND" in os.environ and SANITIZER_GAVE_UP in text:
            self.assertEqual(call, "mmap", text)
        else:
            self.assertIn(status, ENDED_BY_ITSELF, text)
        if status == 2:
            self.assertIn("asrtrace: ", text)
        self.assertTrue(self.program.alive(), "the target died")
        return injected

    def test_each_call_may_fail(self):
        self.begin()
        counts = self.calls_of_a_run()
        self.check_target()
        harness.note(f"  calls of a run: {dict(counts)}")
        self.assertGreater(counts["bpf"], 20)
        injected = 0
        for call, errors in FAULTS.items():
            numbers = range(FIRST.get(call, 1), counts[call] + 1)
            for number in self.random.sample(numbers, min(TRIALS_OF_A_CALL, len(numbers))):
                with self.subTest(call=call, number=number):
                    self.begin()
                    injected += self.check(call, self.random.choice(errors), number)
                    self.check_target()
        self.assertGreater(injected, len(FAULTS) / 2)

    def left_over(self):
        return harness.objects_left(harness.new_objects(self.before), 10)


if __name__ == "__main__":
    harness.main()
