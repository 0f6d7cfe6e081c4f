# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""Drives target programs and the tracer for the live tests; see tests/progs/handshake.h.

Nothing skips: a machine without BPF fails these tests. Only processes that a test started are
ended, by their pid.
"""

import contextlib
import json
import os
import random
import select
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
import unittest

BUILD_DIR = os.environ.get("ASRTRACE_BUILD_DIR") or os.path.join(
    os.path.dirname(os.path.abspath(__file__)), "..", "..", "build", "release")
# Another build of it, with sanitizers (tools/test.sh --sanitized).
ASRTRACE = os.environ.get("ASRTRACE_COMMAND") or os.path.join(BUILD_DIR, "bin", "asrtrace")
PROGS = os.path.join(BUILD_DIR, "progs")
BPFTOOL = shutil.which("bpftool") or "/usr/sbin/bpftool"
EMULATED = "ASRTRACE_EMULATED" in os.environ  # the machine: slow
UPROBE_EVENTS = "/sys/kernel/tracing/uprobe_events"

# Preloaded into the tracer: the clock is set between any two looks at it.
CLOCK_JUMPS = {"LD_PRELOAD": os.path.join(PROGS, "libclock_jumps.so")}

# Functions that share an address in some libc versions are told apart by none of their callers.
SAME_ADDRESS = {"aligned_alloc": "memalign"}


class LineReader:
    """Lines of a pipe with a deadline, without losing what came early."""

    def __init__(self, stream):
        self._fd = stream.fileno()
        self._pending = b""

    def line(self, seconds):
        deadline = time.monotonic() + seconds
        while b"\n" not in self._pending:
            left = deadline - time.monotonic()
            if left <= 0 or not select.select([self._fd], [], [], left)[0]:
                raise TimeoutError(f"no line within {seconds} s; so far: {self._pending!r}")
            chunk = os.read(self._fd, 65536)
            if not chunk:
                raise EOFError(f"the program ended; so far: {self._pending!r}")
            self._pending += chunk
        line, self._pending = self._pending.split(b"\n", 1)
        return line.decode()


class Program:
    """A target program from tests/progs (or a path), between "ready" and "quit"."""

    def __init__(self, name, *arguments, argv0=None):
        path = name if os.path.isabs(name) else os.path.join(PROGS, name)
        self.process = subprocess.Popen(
            [argv0 or path, *map(str, arguments)], executable=path, stdin=subprocess.PIPE,
            stdout=subprocess.PIPE, bufsize=0)
        self._lines = LineReader(self.process.stdout)
        self.ready = self.expect("ready")

    @property
    def pid(self):
        return self.process.pid

    def expect(self, word, seconds=120):
        line = self._lines.line(seconds)
        got, _, values = line.partition(" ")
        if got != word:
            raise AssertionError(f"the program said {line!r} instead of {word}")
        return json.loads(values)

    def say(self, word):
        self.process.stdin.write(word.encode() + b"\n")

    def ask(self, command, seconds=120):
        """A command that is answered with "ok"; returns the answer's values."""
        self.say(command)
        return self.expect("ok", seconds)

    def run(self, seconds=120):
        """go ... done: returns the truth."""
        self.say("go")
        return self.expect("done", seconds)

    def quit(self, seconds=20):
        """Returns the exit status."""
        self.say("quit")
        return self.process.wait(seconds)

    def alive(self):
        return self.process.poll() is None

    def end(self):
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()
        self.process.stdin.close()
        self.process.stdout.close()


class Tracer:
    """One `asrtrace attach`, its stderr collected as it comes."""

    def __init__(self, pid, *arguments, directory, tier="full", prefix=(), trace_path=None):
        self.json_path = os.path.join(directory, f"report-{pid}-{time.monotonic_ns()}.json")
        self.trace_path = trace_path or self.json_path[:-5] + ".asrtrace"
        self.command = [*prefix, ASRTRACE, "attach", "--pid", str(pid), "--tier", tier,
                        "--json", self.json_path, "-o", self.trace_path, *map(str, arguments)]
        self.started = time.monotonic()
        self.stdout_file = tempfile.TemporaryFile()
        self.process = subprocess.Popen(self.command, stdout=self.stdout_file,
                                        stderr=subprocess.PIPE, stdin=subprocess.DEVNULL)
        self._stderr = []
        self._attached = threading.Event()
        self._reader = threading.Thread(target=self._read_stderr, daemon=True)
        self._reader.start()

    def _read_stderr(self):
        for line in self.process.stderr:
            self._stderr.append(line)
            if line.startswith(b"attached to "):
                self.attach_seconds = time.monotonic() - self.started
                self._attached.set()
        self._attached.set()

    @property
    def pid(self):
        return self.process.pid

    @contextlib.contextmanager
    def standing_still(self):
        """It takes nothing from its ring meanwhile."""
        self.process.send_signal(signal.SIGSTOP)
        try:
            yield
        finally:
            self.process.send_signal(signal.SIGCONT)

    @property
    def stderr(self):
        return b"".join(self._stderr).decode(errors="replace")

    @property
    def stdout(self):
        self.stdout_file.seek(0)
        return self.stdout_file.read().decode(errors="replace")

    def attaches(self, seconds=300 if EMULATED else 60):
        """False: it has ended, or is about to."""
        if not self._attached.wait(seconds):
            raise TimeoutError(f"not attached within {seconds} s: {self.stderr}")
        return b"attached to " in b"".join(self._stderr)

    def wait_attached(self):
        if not self.attaches():
            self.process.wait(10)
            raise AssertionError(
                f"{' '.join(self.command)} ended with {self.process.returncode}: {self.stderr}")
        return self

    def stop(self, number=signal.SIGINT, seconds=60):
        """Signals the tracer and waits; returns the exit status."""
        if self.process.poll() is None:
            self.process.send_signal(number)
        return self.wait(seconds)

    def wait(self, seconds=60):
        status = self.process.wait(seconds)
        self._reader.join(5)
        return status

    def report(self):
        with open(self.json_path, encoding="utf-8") as file:
            return json.load(file)

    def end(self):
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()
        self._reader.join(5)
        self.process.stderr.close()
        self.stdout_file.close()


class LiveTest(unittest.TestCase):
    """Ends what a test started; draws and prints a seed, which ASRTRACE_SEED repeats."""

    maxDiff = None

    @classmethod
    def setUpClass(cls):
        if os.geteuid() != 0:
            raise AssertionError("the live tests run as root")
        if not os.access(ASRTRACE, os.X_OK):
            raise AssertionError(f"{ASRTRACE} is not built")

    def setUp(self):
        self.seed = int(os.environ.get("ASRTRACE_SEED") or random.SystemRandom().randrange(1 << 31))
        self.random = random.Random(self.seed)
        self._stack = contextlib.ExitStack()
        self.addCleanup(self._stack.close)
        self.directory = self._stack.enter_context(
            tempfile.TemporaryDirectory(prefix="asrtrace-live-"))
        os.chmod(self.directory, 0o755)
        note(f"{self.id()}: seed {self.seed}")

    def start(self, name, *arguments, **options):
        program = Program(name, *arguments, **options)
        self._stack.callback(program.end)
        return program

    def attach(self, pid, *arguments, **options):
        """Starts the tracer; wait_attached() is the caller's."""
        tracer = Tracer(pid, *arguments, directory=self.directory, **options)
        self._stack.callback(tracer.end)
        return tracer

    def trace(self, program, *arguments, seconds=120, **options):
        """Attach, go, done, Ctrl-C: returns truth, report and the tracer that made it."""
        tracer = self.attach(program.pid, *arguments, **options).wait_attached()
        truth = program.run(seconds)
        self.assertEqual(tracer.stop(), 0, tracer.stderr)
        return truth, tracer.report(), tracer

    def assert_nothing_lost(self, report):
        """No event and no call; a stack that could not be walked loses neither, nor does a reading
        of the heap that was taken again. Emulated, a tracepoint's program takes so long that another
        thread's comes between where the kernel lets it (7.x), and is left out: that is counted."""
        beside = ("stacks_", "census_")
        if EMULATED:
            beside += ("missed_tracepoints",)
        lost = {key: value for key, value in report["losses"].items()
                if value and not key.startswith(beside)}
        self.assertEqual(lost, {}, "something was lost")


def probe_methods(*methods):
    """Of these the ones that the kernel has; what it lacks the matrix of kernels says."""
    there = os.environ.get("ASRTRACE_PROBE_METHODS")
    return [method for method in methods if there is None or method in there.split()]


def probes_behind_calls():
    """Probes can follow system calls (doctor's call_probes, uprobe_multi)."""
    return bool(probe_methods("multi")) and os.uname().machine == "x86_64"


def note(text):
    """A line for the log of the test."""
    print(text, file=sys.stderr, flush=True)


def traced_calls(report):
    """calls by function, functions of one address summed."""
    calls = {}
    for name, number in report["counts"]["calls"].items():
        name = SAME_ADDRESS.get(name, name)
        calls[name] = calls.get(name, 0) + number
    return calls


def mapping_calls(report):
    """Of the system calls that change mappings; each that succeeded is one hit of a probe."""
    calls = report["counts"]["calls"]
    return sum(calls.get(name, 0) for name in ("mmap", "munmap", "mremap", "brk", "madvise"))


def folded(trace, kind):
    """(frames root first, bytes) of each stack of a trace's flame graph."""
    done = subprocess.run([ASRTRACE, "flamegraph", trace, "--kind", kind, "--format", "folded"],
                          check=True, timeout=60, stdout=subprocess.PIPE)
    lines = [line.rpartition(" ") for line in done.stdout.decode().splitlines()]
    return [(stack.split(";"), int(weight)) for stack, _, weight in lines]


def exe_of(pid):
    """The file that a process executes; empty: it has ended."""
    try:
        return os.readlink(f"/proc/{pid}/exe")
    except OSError:
        return ""


def patched_bytes(pid):
    """Bytes of executable file mappings that differ from the file: breakpoints that stand there."""
    patched = 0
    with open(f"/proc/{pid}/maps", encoding="utf-8") as maps, \
            open(f"/proc/{pid}/mem", "rb", buffering=0) as memory:
        for line in maps:
            fields = line.split(maxsplit=5)
            if "x" not in fields[1] or len(fields) < 6 or not fields[5].startswith("/"):
                continue
            start, end = (int(part, 16) for part in fields[0].split("-"))
            # What stands at the path by now may be another file.
            with open(f"/proc/{pid}/map_files/{start:x}-{end:x}", "rb") as file:
                file.seek(int(fields[2], 16))
                on_disk = file.read(end - start)
            memory.seek(start)
            in_memory = memory.read(end - start)
            patched += sum(a != b for a, b in zip(in_memory, on_disk)) \
                if in_memory[:len(on_disk)] != on_disk else 0
    return patched


def kernel_objects(pid):
    """Ids of the BPF objects that a process holds, from its file descriptors."""
    objects = {"prog": set(), "map": set(), "link": set()}
    for fd in os.listdir(f"/proc/{pid}/fdinfo"):
        with contextlib.suppress(OSError), open(f"/proc/{pid}/fdinfo/{fd}",
                                                encoding="utf-8") as info:
            fields = dict(line.split(":", 1) for line in info if ":" in line)
            for kind, ids in objects.items():
                # A link tells the id of its program too.
                if f"{kind}_id" in fields and not (kind == "prog" and "link_id" in fields):
                    ids.add(int(fields[f"{kind}_id"]))
    return objects


def loaded_objects():
    """Ids of all BPF objects in the kernel, as bpftool sees them."""
    loaded = {}
    for kind in ("prog", "map", "link"):
        output = subprocess.run([BPFTOOL, "-j", kind, "show"], check=True, stdout=subprocess.PIPE,
                                timeout=30).stdout
        loaded[kind] = {entry["id"] for entry in json.loads(output or b"[]")}
    return loaded


def new_objects(before):
    """Loaded since then and held by no process that lives: another tracer's are its own affair."""
    loaded = loaded_objects()
    for pid in filter(str.isdigit, os.listdir("/proc")):
        with contextlib.suppress(OSError):
            for kind, ids in kernel_objects(pid).items():
                loaded[kind] -= ids
    return {kind: ids - before[kind] for kind, ids in loaded.items()}


def objects_left(objects, seconds):
    """What of `objects` is still loaded when the time is up; {} as soon as all are gone."""
    deadline = time.monotonic() + seconds
    while True:
        loaded = loaded_objects()
        left = {kind: sorted(ids & loaded[kind]) for kind, ids in objects.items()
                if ids & loaded[kind]}
        if not left or time.monotonic() > deadline:
            return left
        time.sleep(0.1)


def patched_left(pid, seconds=10):
    """patched_bytes() when the time is up; 0 as soon as it is. The kernel forgets a link's number
    before it takes the link's breakpoints away."""
    deadline = time.monotonic() + seconds
    while (left := patched_bytes(pid)) and time.monotonic() < deadline:
        time.sleep(0.1)
    return left


def main():
    unittest.main(verbosity=2)
