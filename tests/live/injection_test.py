# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""System calls of the tracer fail, one at a time: whatever it is, the run ends by itself with an
error that has words, or with a report that is right or says what is missing; nothing stays in the
kernel, and the target goes on. ASRTRACE_LONG=1: 25 times as many of each call, at random as well."""

import collections
import os
import re
import shutil
import signal
import subprocess

import harness

# What fails, and as what.
FAULTS = {
    "bpf": ("EPERM", "ENOMEM"),
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
FAULTS_OF_PERF_UPROBES = {
    "perf_event_open": ("EMFILE", "EACCES"),
    "ioctl": ("EINVAL",),
}
# What run does besides, to start a command and hold it. (Traced are the calls of its first thread:
# strace would take the command from it.)
FAULTS_OF_RUN = {
    "pipe2": ("EMFILE",),
    "clone": ("EAGAIN",),
    "clone3": ("EAGAIN",),
    "ptrace": ("EPERM", "ESRCH"),
    "wait4": ("ECHILD",),
}
TRIALS_OF_A_CALL = 25 if os.environ.get("ASRTRACE_LONG") else 1
TRIALS_OF_A_START = 6
# The same call may come less often in the next run.
SPARE_TRIALS = 8
ENDED_BY_ITSELF = (0, 2, 3)
# What comes before main is not the tracer's: ld.so and libc say it, but of the first mapping, with
# which ld.so just dies.
FIRST = {"mmap": 2}
NOT_EVEN_STARTED = 127
LOADER_GAVE_UP = "error while loading shared libraries|cannot allocate TLS data|Fatal glibc error"
# A sanitized tracer would look for leaks by ptrace, which strace has, and asks by a pipe what memory
# can be read.
NO_LEAK_CHECK = "ASAN_OPTIONS=detect_leaks=0"
# Most mappings of such a tracer are its sanitizer's, which dies of one that fails.
SANITIZER_GAVE_UP = "Sanitizer failed to allocate"
SANITIZED = "ASRTRACE_COMMAND" in os.environ
if SANITIZED:
    del FAULTS["pipe2"]
PROBES_GO_SECONDS = 60  # perf uprobes take many
REQUESTS = 1000
BLOCKS = 500


def strace(log, *options):
    return ("env", NO_LEAK_CHECK, "strace", "--quiet=all", "--seccomp-bpf", "-o", log, *options)


def child_of(pid):
    with open(f"/proc/{pid}/task/{pid}/children", encoding="ascii") as file:
        return int(file.read().split()[0])


def log_of(path):
    with open(path, encoding="utf-8", errors="replace") as file:
        return file.read()


def calls_in(log):
    """The most of each call that a thread made: strace counts them by thread."""
    counts = collections.Counter(re.findall(r"^(\d+ +)?(\w+)\(", log, re.MULTILINE))
    most = collections.Counter()
    for (_, call), count in counts.items():
        most[call] = max(most[call], count)
    return most


class Injection(harness.LiveTest):

    def setUp(self):
        super().setUp()
        self.before = harness.loaded_objects()
        self.log = os.path.join(self.directory, "strace.log")
        self.arguments = []  # of attach
        self.usual = None    # what a report names without any failure

    def named(self, report):
        """What a report says is missing."""
        losses = report["losses"]
        names = {name for name, value in losses.items() if value}
        return names | set(losses["attach_failed"] or ()) | set(report["notes"])

    def run_whole(self, *options):
        """A run from before the program's work to behind it: status, text, truth, and the report
        if there is one."""
        # The last request is none of those whose end is never told.
        seed = 7 * self.random.randrange(10_000) + 9 - REQUESTS % 7
        program = self.start("throwing_requests", "--seed", seed, "--requests", REQUESTS)
        tracer = self.attach(program.pid, "--request", "func:begin_request,end_request",
                             *self.arguments, prefix=strace(self.log, "-f", *options))
        attached = tracer.attaches()
        truth = program.run()
        if attached and tracer.process.poll() is None:
            os.kill(child_of(tracer.pid), signal.SIGINT)
        status = tracer.wait()
        self.assertEqual(truth["wrong"], 0, "the target was harmed")
        self.assertEqual(harness.objects_left(harness.new_objects(self.before), 10), {})
        self.assertEqual(harness.patched_left(program.pid, PROBES_GO_SECONDS), 0)
        self.assertEqual(program.quit(), 0)
        report = tracer.report() if status == 0 else None
        return status, tracer.stderr + tracer.stdout, truth, report

    def check_report(self, truth, report):
        """What the program counted, unless the report names what it lacks."""
        new = self.named(report) - self.usual
        if new:
            return f"names {sorted(new)}"
        served = truth["requests"] - truth["refused"]
        counts = report["counts"]
        self.assertEqual(report["requests"]["count"], served)
        self.assertEqual(report["losses"]["unknown_requests"], truth["refused"])
        self.assertEqual(counts["calls"]["realloc"], truth["reallocs"])
        self.assertEqual(counts["failed_allocations"], truth["failed_allocations"])
        self.assertEqual(counts["calls"]["malloc"] + truth["reallocs"],
                         counts["allocated_blocks"] + truth["failed_allocations"])
        self.assertEqual(counts["allocated_blocks"], counts["freed_blocks"])
        self.assertEqual(counts["allocated_bytes"], counts["freed_bytes"])
        self.assertGreater(counts["allocated_blocks"], 5 * served)
        return "is right"

    def check(self, call, error, number):
        """Whether the call was made so often."""
        status, text, truth, report = self.run_whole(
            "-e", f"trace={call}", "-e", f"inject={call}:error={error}:when={number}")
        injected = "(INJECTED)" in log_of(self.log)
        said = f"{text.strip().splitlines()[:1]}"
        if status == NOT_EVEN_STARTED:
            self.assertRegex(text, LOADER_GAVE_UP)
        elif SANITIZED and SANITIZER_GAVE_UP in text:
            self.assertEqual(call, "mmap", text)
        else:
            self.assertIn(status, ENDED_BY_ITSELF, text)
        if status == 2:
            self.assertRegex(text, r"asrtrace: .+")
        if report is not None:
            said = "the report " + self.check_report(truth, report)
        harness.note(f"  {call} {number} {error}: status {status}, "
                     f"{'' if injected else 'not reached, '}{said}")
        return injected

    def inject_each(self, faults, counts, check, trials):
        harness.note(f"  calls of a thread: { {call: counts[call] for call in faults} }")
        for call, errors in faults.items():
            numbers = range(FIRST.get(call, 1), counts[call] + 1)
            self.assertGreater(len(numbers), 0, f"{call} is never called: nothing is shown")
            injected = 0
            for number in self.random.sample(numbers, min(trials + SPARE_TRIALS, len(numbers))):
                with self.subTest(call=call, number=number):
                    injected += check(call, self.random.choice(errors), number)
                if injected == trials:
                    break
            self.assertGreater(injected, 0, f"{call} never failed: nothing is shown")

    def each_may_fail(self, faults, trials):
        status, text, truth, report = self.run_whole("-e", "trace=" + ",".join(faults))
        self.assertEqual(status, 0, text)
        self.usual = self.named(report)
        self.assertEqual(self.check_report(truth, report), "is right")
        self.inject_each(faults, calls_in(log_of(self.log)), self.check, trials)

    def test_each_call_may_fail(self):
        self.each_may_fail(FAULTS, TRIALS_OF_A_CALL)

    def test_each_probe_by_perf_may_fail(self):
        self.arguments = ["--probe-method", "perf"]
        self.each_may_fail(FAULTS_OF_PERF_UPROBES, TRIALS_OF_A_CALL)

    def run_command(self, *options):
        """`run` of a program that is found again by its file: status, text, processes left."""
        command = os.path.join(self.directory, "command")
        shutil.copy(os.path.join(harness.PROGS, "exits_soon"), command)
        done = subprocess.run(
            [*strace(self.log, *options), harness.ASRTRACE, "run", "--", command, "--allocate",
             str(BLOCKS), "--status", "7"], input=b"go\n", stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT, timeout=60, check=False)
        left = [pid for pid in filter(str.isdigit, os.listdir("/proc"))
                if harness.exe_of(pid) == command]
        return done.returncode, done.stdout.decode(errors="replace"), left

    def check_run(self, call, error, number):
        status, text, left = self.run_command(
            "-e", f"trace={call}", "-e", f"inject={call}:error={error}:when={number}")
        injected = "(INJECTED)" in log_of(self.log)
        harness.note(f"  run: {call} {number} {error}: status {status}, "
                     f"{'' if injected else 'not reached, '}{text.strip().splitlines()[-1:]}")
        self.assertEqual(left, [], "the command is left behind")
        self.assertIn(status, ENDED_BY_ITSELF, text)
        if status == 0:
            self.assertIn("command ended with status 7", text)
        else:
            self.assertRegex(text, r"asrtrace: .+")
            self.assertNotIn(f'"blocks":{BLOCKS}', text.replace(" ", ""), "it ran untraced")
        return injected

    def test_a_command_is_traced_or_does_not_run(self):
        status, text, left = self.run_command("-e", "trace=" + ",".join(FAULTS_OF_RUN))
        self.assertEqual((status, left), (0, []), text)
        self.assertIn("command ended with status 7", text)
        self.assertIn(f'"blocks":{BLOCKS}', text.replace(" ", ""))
        counts = calls_in(log_of(self.log))
        counts["ptrace"] -= 1  # the last one lets it go, and fails only if it is dead
        counts["wait4"] = 2    # until it is held
        self.inject_each(FAULTS_OF_RUN, counts, self.check_run, TRIALS_OF_A_START)


if __name__ == "__main__":
    harness.main()
