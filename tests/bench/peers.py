#!/usr/bin/python3
# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""What asrtrace costs beside other tools: CPU time of a malloc/free pair in a tight loop and of mixed
sizes on 8 threads, and CPU and latency of a request of the reference worker at a fixed rate. All in
one run, interleaved; a ratio is to the same program untraced in the same round. A tool that is not
there or does not work on this machine gets a row that says why.

    sudo tests/bench/peers.py BUILD_DIR [--rounds 5] [--workload tight|mixed|worker]... [--tool NAME]...

memleak-bpfcc counts only if the kernel says that its probes are attached (bpftool perf, bpftool link).
"""

import argparse
import glob
import json
import os
import re
import shutil
import signal
import statistics
import subprocess
import sys
import tempfile
import time

PAIRS = {"tight": 20000, "mixed": 2000}
REPEATS = 3
REQUESTS = 40
RATE = 8
BPFTOOL = shutil.which("bpftool") or "/usr/sbin/bpftool"
LIBRARIES = "/usr/lib/x86_64-linux-gnu/"
# memleak-bpfcc wants headers of the running kernel by name; any will do for what it compiles. In a
# mount namespace of its own, so that nobody else sees them.
WITH_HEADERS = """
headers=$(ls -d /usr/src/linux-headers-*-amd64 | tail -n 1)
mount -t tmpfs none /lib/modules
mkdir "/lib/modules/$(uname -r)"
ln -s "$headers" "/lib/modules/$(uname -r)/build"
ln -s "${headers%-amd64}-common" "/lib/modules/$(uname -r)/source"
exec "$@"
"""
BPFTRACE_SCRIPT = """
uprobe:LIBC:malloc /pid == PID/ { @size[tid] = arg0; }
uretprobe:LIBC:malloc /pid == PID && @size[tid]/ {
  @live[retval] = @size[tid]; @by[ustack] = sum(@size[tid]); delete(@size[tid]); }
uprobe:LIBC:free /pid == PID/ { delete(@live[arg0]); }
"""


class NotHere(Exception):
    """The tool cannot be measured; the reason is shown."""


class Attached:
    """A tool that attaches to a running program."""

    environment = {}
    prefix = ()

    def __init__(self, command):
        self._command = command
        self._process = None

    def begin(self, pid, directory):
        self._log = open(os.path.join(directory, "tool.log"), "w+b")
        self._process = subprocess.Popen(self._command(pid), stdout=self._log, stderr=self._log,
                                         stdin=subprocess.DEVNULL, cwd=directory)
        self.wait(pid)

    def settle(self, work):
        """Works until the tool's cost is what it will be."""

    def said(self):
        self._log.flush()
        self._log.seek(0)
        return self._log.read().decode(errors="replace")

    def wait(self, pid):
        del pid

    def fail(self, why):
        text = " ".join(self.said().split())[-160:]
        self.end()
        raise NotHere(f"{why}: {text}")

    def wait_until(self, ready, seconds):
        deadline = time.monotonic() + seconds
        while not ready():
            if self._process.poll() is not None:
                self.fail(f"ended with status {self._process.returncode}")
            if time.monotonic() > deadline:
                self.fail("was not ready in time")
            time.sleep(0.1)

    def end(self):
        if self._process.poll() is None:
            self._process.send_signal(signal.SIGINT)
            try:
                self._process.wait(60)
            except subprocess.TimeoutExpired:
                self._process.kill()
                self._process.wait()
        self._log.close()


class Asrtrace(Attached):
    def __init__(self, build, tier):
        super().__init__(lambda pid: [os.path.join(build, "bin", "asrtrace"), "attach", "--pid",
                                      str(pid), "--tier", tier])

        self._decides = tier == "auto"

    def wait(self, pid):
        self.wait_until(lambda: "attached to" in self.said(), 60)

    def settle(self, work):
        """auto decides while the program works."""
        deadline = time.monotonic() + 20
        while self._decides and time.monotonic() < deadline and not re.search(
                "short windows|stepped down", self.said()):
            work()


def has_uprobes(pid):
    """Does the kernel hold a uprobe for this process (or all) that somebody runs a program at?"""
    perf = subprocess.run([BPFTOOL, "perf", "show"], capture_output=True, text=True).stdout
    links = subprocess.run([BPFTOOL, "link", "show"], capture_output=True, text=True).stdout
    return f"pid {pid} " in perf and "uprobe" in perf or f"pids memleak({pid})" in links


class Memleak(Attached):
    def wait(self, pid):
        self.wait_until(lambda: has_uprobes(self._process.pid), 90)
        time.sleep(2)  # until the last of its probes is in


class Bpftrace(Attached):
    def wait(self, pid):
        self.wait_until(lambda: re.search(r"Attaching \d+ probes", self.said()), 60)
        time.sleep(2)


class Started:
    """A tool that the program is started under."""

    def __init__(self, environment=None, prefix=()):
        self.environment = environment or {}
        self.prefix = prefix

    def begin(self, pid, directory):
        pass

    def settle(self, work):
        pass

    def end(self):
        pass


def need(path, package):
    if not os.path.exists(path) and shutil.which(path) is None:
        raise NotHere(f"{package} is not installed")
    return path


def libc_of(pid):
    with open(f"/proc/{pid}/maps", encoding="utf-8") as maps:
        return next(line.split()[-1] for line in maps if "/libc.so.6" in line or "/libc-" in line)


def memleak_command(pid):
    if not glob.glob("/usr/src/linux-headers-*-amd64"):
        raise NotHere("linux-headers-amd64 is not installed")
    return ["unshare", "--mount", "sh", "-c", WITH_HEADERS, "sh",
            need("/usr/sbin/memleak-bpfcc", "bpfcc-tools"), "-p", str(pid), "60"]


def bpftrace_command(pid):
    script = BPFTRACE_SCRIPT.replace("LIBC", libc_of(pid)).replace("PID", str(pid))
    return [need("bpftrace", "bpftrace"), "-e", script]


def tools(build, directory):
    """By name: how it is made; making it may raise NotHere."""
    profile = os.path.join(directory, "profile")
    return {
        "asrtrace watch": lambda: Asrtrace(build, "watch"),
        "asrtrace auto": lambda: Asrtrace(build, "auto"),
        "asrtrace sites": lambda: Asrtrace(build, "sites"),
        "asrtrace full": lambda: Asrtrace(build, "full"),
        "memleak-bpfcc": lambda: Memleak(memleak_command),
        "bpftrace script": lambda: Bpftrace(bpftrace_command),
        "heaptrack": lambda: Started(prefix=(need("heaptrack", "heaptrack"), "-o", profile)),
        "jemalloc, profiling": lambda: Started(
            {"LD_PRELOAD": need(LIBRARIES + "libjemalloc.so.2", "libjemalloc2"),
             "MALLOC_CONF": f"prof:true,prof_active:true,lg_prof_sample:19,prof_prefix:{profile}"}),
        "jemalloc": lambda: Started({"LD_PRELOAD": need(LIBRARIES + "libjemalloc.so.2",
                                                        "libjemalloc2")}),
        "gperftools, heap profiler": lambda: Started(
            {"LD_PRELOAD": need(LIBRARIES + "libtcmalloc.so.4", "libgoogle-perftools4"),
             "HEAPPROFILE": profile}),
        "gperftools' tcmalloc": lambda: Started(
            {"LD_PRELOAD": need(LIBRARIES + "libtcmalloc.so.4", "libgoogle-perftools4")}),
        "valgrind massif": lambda: Started(
            prefix=(need("valgrind", "valgrind"), "--tool=massif",
                    f"--massif-out-file={profile}.massif")),
    }


def child_of(process, name):
    """The program itself where a tool's script stands between us and it."""
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        waiting = [process.pid]
        while waiting:
            pid = waiting.pop()
            with open(f"/proc/{pid}/comm", encoding="utf-8") as comm:
                if comm.read().strip() == name[:15]:
                    return pid
            with open(f"/proc/{pid}/task/{pid}/children", encoding="utf-8") as children:
                waiting += map(int, children.read().split())
        time.sleep(0.05)
    raise NotHere("the program did not start under it")


def start(tool, command, **options):
    environment = {**os.environ, **(tool.environment if tool else {})}
    return subprocess.Popen([*(tool.prefix if tool else ()), *command], env=environment, text=True,
                            stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, **options)


def measure_pairs(build, workload, tool, directory):
    """(CPU nanoseconds of a pair,)"""
    threads = ["8"] if workload == "mixed" else []
    target = start(tool, [os.path.join(build, "bin", "malloc_pairs"), *threads],
                   stdin=subprocess.PIPE)
    try:
        def ask(pairs):
            target.stdin.write(f"{pairs}\n")
            target.stdin.flush()
            while True:
                line = target.stdout.readline()
                if not line:
                    raise NotHere("the program ended under it")
                if re.fullmatch(r"[\d.]+\n", line):
                    return float(line)
        ask(100)
        if tool:
            tool.begin(target.pid, directory)
        try:
            if tool:
                tool.settle(lambda: ask(PAIRS[workload]))
            return (statistics.median(ask(PAIRS[workload]) for _ in range(REPEATS)),)
        finally:
            if tool:
                tool.end()
    finally:
        target.stdin.close()
        try:
            target.wait(60)
        except subprocess.TimeoutExpired:
            target.kill()
            target.wait()


def cpu_seconds(pid):
    with open(f"/proc/{pid}/stat", encoding="ascii", errors="replace") as file:
        fields = file.read().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def load(build, port, wavs):
    text = subprocess.run(
        [os.path.join(build, "bin", "asr-load"), "--port", port, "--wavs", wavs, "--requests",
         str(REQUESTS), "--rate", str(RATE), "--json", "-"], check=True, capture_output=True,
        text=True, timeout=600).stdout
    return json.loads(text[text.index("{"):])


def measure_worker(build, tool, directory, wavs):
    """(CPU milliseconds, p50, p95, p99 milliseconds of a request)"""
    worker = start(tool, [os.path.join(build, "bin", "asr-worker"), "--port", "0"])
    try:
        port = None
        while port is None:
            line = worker.stdout.readline()
            if not line:
                raise NotHere("the worker ended under it")
            found = re.search(r"127\.0\.0\.1:(\d+)", line)
            port = found and found.group(1)
        pid = child_of(worker, "asr-worker") if tool and tool.prefix else worker.pid
        load(build, port, wavs)  # warms its caches
        if tool:
            tool.begin(pid, directory)
        try:
            if tool:
                tool.settle(lambda: load(build, port, wavs))
            before = cpu_seconds(pid)
            latency = load(build, port, wavs)["latency_ms"]
            used = cpu_seconds(pid) - before
        finally:
            if tool:
                tool.end()
        os.kill(pid, signal.SIGTERM)
        return (1000 * used / REQUESTS, latency["p50"], latency["p95"], latency["p99"])
    finally:
        worker.terminate()
        try:
            worker.wait(60)
        except subprocess.TimeoutExpired:
            worker.kill()
            worker.wait()
        worker.stdout.close()


def run(options, workload, wavs, directory):
    """({tool: [figures a round]}, {tool: why not})"""
    makers = {"none": lambda: None, **tools(options.build, directory)}
    chosen = ["none", *(options.tool or [name for name in makers if name != "none"])]
    results, missing = {name: [] for name in chosen}, {}
    for _ in range(options.rounds):
        for name in chosen:
            if name in missing:
                continue
            try:
                tool = makers[name]()
                results[name].append(
                    measure_worker(options.build, tool, directory, wavs) if workload == "worker"
                    else measure_pairs(options.build, workload, tool, directory))
            except (NotHere, BrokenPipeError, subprocess.SubprocessError) as why:
                if name == "none":
                    raise
                missing[name] = str(why)
    return results, missing


def spread(values, form):
    return f"{form(statistics.median(values))} ({form(min(values))} to {form(max(values))})"


def show(workload, results, missing):
    columns = {"worker": ["CPU ms a request", "p50 ms", "p95 ms", "p99 ms"]}.get(
        workload, ["CPU ns a pair"])
    base = results["none"]
    beside = results.get("memleak-bpfcc")
    head = ["tool", columns[0], "ratio to none, median (spread)", *columns[1:], "to memleak-bpfcc"]
    print(f"\n{workload}\n\n| " + " | ".join(head) + " |\n" + "|---" * len(head) + "|")
    for name, rows in results.items():
        if name in missing or not rows:
            print(f"| {name} | not measured: {missing.get(name, '')} |" + " |" * (len(head) - 2))
            continue
        ratios = [row[0] / first[0] for row, first in zip(rows, base)]
        cells = [name, f"{statistics.median(row[0] for row in rows):,.1f}",
                 spread(ratios, lambda value: f"{value:.3f}")]
        cells += [f"{statistics.median(row[i] for row in rows):.1f}" for i in range(1, len(columns))]
        cells.append(f"{statistics.median(a[0] / b[0] for a, b in zip(rows, beside)):.3f}"
                     if beside and len(beside) == len(rows) else "")
        print("| " + " | ".join(cells) + " |")
    sys.stdout.flush()


def main(arguments):
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("build")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--workload", action="append", choices=("tight", "mixed", "worker"))
    parser.add_argument("--tool", action="append")
    options = parser.parse_args(arguments)
    options.build = os.path.abspath(options.build)
    with tempfile.TemporaryDirectory(prefix="asrtrace-peers-") as directory:
        wavs = os.path.join(directory, "wavs")
        subprocess.run([os.path.join(options.build, "bin", "asr-speak"), "--out", wavs, "--count",
                        "40", "--max-seconds", "6"], check=True, stdout=subprocess.DEVNULL)
        for workload in options.workload or ("tight", "mixed", "worker"):
            show(workload, *run(options, workload, wavs, directory))


if __name__ == "__main__":
    main(sys.argv[1:])
