#!/usr/bin/python3
# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""Does the tracer itself stay flat? `asrtrace attach --follow --tier auto` for two hours on a worker
that recycles itself and whose serving process is killed now and then, under a low steady load.

    sudo tests/bench/endurance.py BUILD_DIR [--minutes 120] [--rate 2] [--kill-every 120]

Every 10 seconds: the tracer's memory, file descriptors, threads, BPF programs, maps, links and the
probes behind them, entries of its hash maps, CPU, and the trace file. Said at the end: the medians of
the first and of the last quarter, and what each would grow in an hour by the slope (Theil-Sen) over
the last three quarters. Exit status 1 if something is not flat, a request was not seen, or a
restart, a stack is there once for each worker, or a map was full. Flat is

  - a count, whose median in the last quarter is at most that of the first, but for the slack given;
  - memory, that by its slope grows over the last three quarters by at most 5 % of its median.

The trace is no such figure: it keeps each request; how much of it there is for one is said.
"""

import argparse
import contextlib
import http.client
import json
import os
import random
import re
import signal
import sqlite3
import statistics
import subprocess
import sys
import tempfile
import threading
import time
import uuid

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "live"))
import harness  # noqa: E402

MIB = 1 << 20
MEMORY_SHARE = 0.05  # that memory may grow by
# Each figure, and the slack of a count; None is memory. PSS and private memory are left out: they
# hold more of the libraries' pages as soon as another process that maps them ends.
FIGURES = {"RSS": None, "anonymous": None, "BPF maps' memory": None,
           "file descriptors": 2, "threads": 0, "BPF programs": 0, "BPF maps": 0,
           "BPF links": 0, "uprobe links": 0, "perf events": 0, "entries of hash maps": 8}
# Keyed by what comes and goes with processes and threads; stacks and sampled blocks are the
# target's, and bounded.
ENTRIES_OF = ("followed", "threads", "unwind_processes")


class Worker:
    """A parent that replaces its workers; its port."""

    def __init__(self, build, arguments):
        self.process = subprocess.Popen(
            [os.path.join(build, "bin", "asr-worker"), "--port", "0", *arguments],
            stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, bufsize=0)
        line = harness.LineReader(self.process.stdout).line(60)
        self.port = int(re.search(r"listening on \S*:(\d+)", line).group(1))
        self.pid = self.process.pid

    def kill(self, child):
        """SIGKILL for a worker, unless it has ended, when it is gone; was it sent?"""
        sent = False
        with contextlib.suppress(OSError):
            handle = os.pidfd_open(child)
            try:
                if child in self.children():
                    signal.pidfd_send_signal(handle, signal.SIGKILL)
                    sent = True
            finally:
                os.close(handle)
        while child in self.children():
            time.sleep(0.01)
        return sent

    def children(self):
        with open(f"/proc/{self.pid}/task/{self.pid}/children", encoding="ascii") as file:
            return set(map(int, file.read().split()))

    def end(self):
        self.process.terminate()
        self.process.wait(30)
        self.process.stdout.close()


class Load(threading.Thread):
    """One request after the other, each on a connection of its own, so that a worker which is killed
    between two has none in its hands."""

    def __init__(self, worker, wavs, rate, kill_every_seconds):
        super().__init__()
        self._worker, self._period = worker, 1 / rate
        self._kill_every = kill_every_seconds
        self._uploads = []
        for name in sorted(os.listdir(wavs)):
            if name.endswith(".wav"):
                with open(os.path.join(wavs, name), "rb") as file:
                    self._uploads.append(file.read())
        self._random = random.Random(1)
        self._over = threading.Event()
        self.answered = 0
        self.failed = []
        self.workers = {}  # pid -> requests; a pid may come again after tens of thousands
        self.killed = 0

    def ask(self):
        """One request; returns the pid of the worker that answered."""
        boundary = uuid.UUID(int=self._random.getrandbits(128)).hex
        body = (f'--{boundary}\r\nContent-Disposition: form-data; name="audio_file"; '
                f'filename="x.wav"\r\nContent-Type: audio/wav\r\n\r\n').encode() + \
            self._random.choice(self._uploads) + f"\r\n--{boundary}--\r\n".encode()
        connection = http.client.HTTPConnection("127.0.0.1", self._worker.port, timeout=60)
        try:
            connection.request("POST", "/transcribe", body, {
                "Content-Type": f"multipart/form-data; boundary={boundary}", "Connection": "close"})
            response = connection.getresponse()
            response.read()
            if response.status != 200:
                raise http.client.HTTPException(f"status {response.status}")
            return int(response.getheader("Worker-Pid"))
        finally:
            connection.close()

    def run(self):
        begun = last_kill = time.monotonic()
        for number in range(sys.maxsize):
            if self._over.wait(max(0.0, begun + number * self._period - time.monotonic())):
                return
            try:
                pid = self.ask()
            except (OSError, http.client.HTTPException) as error:
                self.failed.append(str(error))
                continue
            self.answered += 1
            self.workers[pid] = self.workers.get(pid, 0) + 1
            if time.monotonic() - last_kill >= self._kill_every:
                last_kill = time.monotonic()
                self.killed += self._worker.kill(pid)

    def stop(self):
        self._over.set()
        self.join()


def fields_of(path):
    with open(path, encoding="ascii", errors="replace") as file:
        return dict(line.split(":", 1) for line in file if ":" in line)


def kib(value):
    return 1024 * int(value.split()[0])


def map_ids(pid):
    """Of the hash maps in ENTRIES_OF that a process holds."""
    shown = subprocess.run([harness.BPFTOOL, "-j", "map", "show"], check=True,
                           stdout=subprocess.PIPE, timeout=60).stdout
    held = harness.kernel_objects(pid)["map"]
    # The kernel keeps 15 characters of a name.
    names = {name[:15] for name in ENTRIES_OF}
    ids = [entry["id"] for entry in json.loads(shown)
           if entry["id"] in held and entry.get("name") in names]
    if len(ids) != len(names):
        raise AssertionError(f"{len(ids)} of the maps {ENTRIES_OF} were found")
    return ids


def entries(map_id):
    dump = subprocess.run([harness.BPFTOOL, "-j", "map", "dump", "id", str(map_id)], check=True,
                          stdout=subprocess.PIPE, timeout=60).stdout
    return len(json.loads(dump))


class Tracer:
    def __init__(self, command, pid, arguments, directory):
        self.trace = os.path.join(directory, "endurance.asrtrace")
        self.json = os.path.join(directory, "report.json")
        self.errors = os.path.join(directory, "stderr")
        with open(self.errors, "wb") as errors:
            self._process = subprocess.Popen(
                [command, "attach", "--pid", str(pid), "--follow", "--lines", "-o", self.trace,
                 "--json", self.json, *arguments], stdout=subprocess.DEVNULL, stderr=errors)
        self.pid = self._process.pid
        self._maps = []

    def said(self):
        with open(self.errors, encoding="utf-8", errors="replace") as file:
            return file.read()

    def wait_attached(self):
        deadline = time.monotonic() + 60
        while "attached to " not in self.said():
            if self._process.poll() is not None or time.monotonic() > deadline:
                raise AssertionError(f"not attached: {self.said()}")
            time.sleep(0.1)
        self._maps = map_ids(self.pid)

    def alive(self):
        return self._process.poll() is None

    def sample(self):
        """Each of FIGURES, and the trace's bytes and the CPU seconds used."""
        memory = fields_of(f"/proc/{self.pid}/status")
        fds = os.listdir(f"/proc/{self.pid}/fd")
        kinds = {"perf": 0, "uprobe": 0, "memlock": 0}
        for fd in fds:
            with contextlib.suppress(OSError):  # closed meanwhile
                kinds["perf"] += "perf_event" in os.readlink(f"/proc/{self.pid}/fd/{fd}")
                info = fields_of(f"/proc/{self.pid}/fdinfo/{fd}")
                kinds["memlock"] += int(info["memlock"]) if "map_id" in info else 0
                kinds["uprobe"] += "uprobe" in info.get("link_type", "")
        objects = harness.kernel_objects(self.pid)
        with open(f"/proc/{self.pid}/stat", encoding="ascii", errors="replace") as file:
            stat = file.read().rsplit(")", 1)[1].split()
        trace = sum(os.path.getsize(self.trace + end) for end in ("", "-wal", "-shm")
                    if os.path.exists(self.trace + end))
        return {"RSS": kib(memory["VmRSS"]), "anonymous": kib(memory["RssAnon"]),
                "BPF maps' memory": kinds["memlock"], "file descriptors": len(fds),
                "threads": len(os.listdir(f"/proc/{self.pid}/task")),
                "BPF programs": len(objects["prog"]), "BPF maps": len(objects["map"]),
                "BPF links": len(objects["link"]), "uprobe links": kinds["uprobe"],
                "perf events": kinds["perf"],
                "entries of hash maps": sum(map(entries, self._maps)),
                "trace": trace,
                "cpu": (int(stat[11]) + int(stat[12])) / os.sysconf("SC_CLK_TCK")}

    def stop(self):
        """Ctrl-C; returns the report."""
        self._process.send_signal(signal.SIGINT)
        if self._process.wait(120) != 0:
            raise AssertionError(f"the tracer ended with {self._process.returncode}: {self.said()}")
        with open(self.json, encoding="utf-8") as file:
            return json.load(file)

    def end(self):
        if self.alive():
            self._process.kill()
        self._process.wait()


def slope(points):
    """Theil-Sen's, of at most some 300 of them."""
    points = points[::max(1, len(points) // 300)]
    return statistics.median(
        (later[1] - earlier[1]) / (later[0] - earlier[0])
        for index, later in enumerate(points) for earlier in points[:index])


def judge(samples, memory_slack_bytes=0):
    """Rows (figure, first quarter's median, last one's, growth an hour, flat?) of (seconds, sample)s."""
    quarter = max(1, len(samples) // 4)
    rows = []
    for name, slack in FIGURES.items():
        first = statistics.median(sample[name] for _, sample in samples[:quarter])
        last = statistics.median(sample[name] for _, sample in samples[-quarter:])
        later = [(seconds, sample[name]) for seconds, sample in samples[quarter:]]
        rise = slope(later)
        if slack is None:
            most = max(memory_slack_bytes, MEMORY_SHARE * statistics.median(y for _, y in later))
            flat = rise * (later[-1][0] - later[0][0]) <= most
        else:
            flat = last <= first + slack
        rows.append((name, first, last, rise * 3600, flat))
    return rows


def shown(name, value):
    return f"{value / MIB:,.2f} MiB" if FIGURES[name] is None else f"{value:,g}"


def stacks_of(trace):
    """How many stacks a trace has, and how many of them are another one's twin: each worker's stacks
    are those of the worker before, unless they lead through code that is in no file."""
    with contextlib.closing(sqlite3.connect(f"file:{trace}?mode=ro", uri=True)) as file:
        return file.execute("""
            WITH frame_of AS (SELECT stack, frame, module FROM stack_frames
                              JOIN frames ON frames.id = frame ORDER BY stack, position),
                 named AS (SELECT group_concat(frame) AS frames FROM frame_of
                           GROUP BY stack HAVING NOT max(module LIKE '[%'))
            SELECT (SELECT count(*) FROM stacks), count(*) - count(DISTINCT frames) FROM named
            """).fetchone()


class Outcome:
    def __init__(self, samples, load, report, requests, workers, stacks):
        self.samples, self.load, self.report = samples, load, report
        self.requests = requests  # answered since the tracer follows all workers
        self.workers = workers    # that answered them
        self.stacks, self.stacks_twice = stacks
        self.seen = report["requests"]["count"]
        self.followed = report["target"]["followed"]
        self.losses = {key: value for key, value in report["losses"].items()
                       if value and not key.startswith(("stacks_", "census_"))}

    def mismatches(self):
        """What the tracer says that the client knows better."""
        wrong = []
        if self.load.failed:
            wrong.append(f"{len(self.load.failed)} requests failed: {self.load.failed[0]}")
        if self.seen != self.requests:
            wrong.append(f"{self.requests} requests were answered, {self.seen} seen")
        unseen = self.workers - {child["pid"] for child in self.followed}
        if unseen:
            wrong.append(f"workers that were not followed: {sorted(unseen)}")
        if self.stacks_twice:
            wrong.append(f"{self.stacks_twice} of {self.stacks} stacks are in the trace twice")
        if self.report["losses"]["map_full_events"]:
            wrong.append(f"maps were full: {self.losses}")
        # One that was just ending by itself may have been quicker.
        killed = sum(child["exit_status"] == signal.SIGKILL for child in self.followed)
        if killed > self.load.killed or (self.load.killed > 2 and killed == 0):
            wrong.append(f"{self.load.killed} workers were killed, {killed} are said to be")
        return wrong


def endure(build, wavs, directory, options, command=None, say=lambda text: None):
    """Runs it all; `options` as main() parses them."""
    worker = Worker(build, ["--limit-max-requests", str(options.recycle),
                            "--limit-max-requests-jitter", str(options.recycle // 2)])
    load = Load(worker, wavs, options.rate, options.kill_every)
    tracer = Tracer(command or os.path.join(build, "bin", "asrtrace"), worker.pid,
                    ["--tier", options.tier], directory)
    samples = []
    try:
        before = load.ask()
        tracer.wait_attached()
        worker.kill(before)  # the only one that was there before the tracer
        begun = time.monotonic()
        load.start()
        try:
            while (now := time.monotonic() - begun) < 60 * options.minutes:
                time.sleep(min(options.sample, 60 * options.minutes - now))
                if not tracer.alive():
                    raise AssertionError(f"the tracer ended: {tracer.said()}")
                samples.append((time.monotonic() - begun, tracer.sample()))
                say(f"{samples[-1][0]:.0f} s, {load.answered} requests, {samples[-1][1]}")
        finally:
            load.stop()
        time.sleep(1)  # until it has seen the last one
        return Outcome(samples, load, tracer.stop(), load.answered, set(load.workers),
                       stacks_of(tracer.trace))
    finally:
        tracer.end()
        worker.end()


def print_outcome(outcome, rows):
    print("| figure | first quarter | last quarter | an hour, by slope | |\n|---|---:|---:|---:|---|")
    for name, first, last, hourly, flat in rows:
        print(f"| {name} | {shown(name, first)} | {shown(name, last)} | {shown(name, hourly)} | "
              f"{'flat' if flat else 'NOT FLAT'} |")
    quarter = max(1, len(outcome.samples) // 4)
    halves = []
    for part in (outcome.samples[:quarter], outcome.samples[-quarter:]):
        (begin, first), (end, last) = part[0], part[-1]
        halves.append(100 * (last["cpu"] - first["cpu"]) / max(1e-9, end - begin))
    print(f"| CPU of the tracer | {halves[0]:.2f} % | {halves[1]:.2f} % | | |")
    followed = outcome.followed
    trace = outcome.samples[-1][1]["trace"]
    print(f"\n{outcome.requests} requests answered, {outcome.seen} seen; {len(followed)} workers "
          f"followed, {outcome.load.killed} killed, {outcome.stacks} different stacks; "
          f"{outcome.samples[-1][0] / 60:.0f} minutes, "
          f"{len(outcome.samples)} samples; trace {trace / MIB:.2f} MiB, "
          f"{trace / max(1, outcome.requests):.0f} bytes a request")
    if outcome.losses:
        print(f"lost and counted, where the machine had no time for the tracer: {outcome.losses}")
    for line in outcome.mismatches():
        print(f"MISMATCH: {line}")


def parse(arguments):
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("build")
    parser.add_argument("--minutes", type=float, default=120)
    parser.add_argument("--rate", type=float, default=2, help="requests a second")
    parser.add_argument("--recycle", type=int, default=30,
                        help="requests of a worker's life, and up to half as many more")
    parser.add_argument("--kill-every", type=float, default=120, help="seconds between SIGKILLs")
    parser.add_argument("--sample", type=float, default=10, help="seconds between samples")
    parser.add_argument("--tier", default="auto")
    parser.add_argument("--keep", help="directory for trace, report and what the tracer said")
    return parser.parse_args(arguments)


def main(arguments):
    options = parse(arguments)
    with contextlib.ExitStack() as stack:
        if options.keep:
            os.makedirs(options.keep, exist_ok=True)
        directory = options.keep or stack.enter_context(tempfile.TemporaryDirectory())
        wavs = stack.enter_context(tempfile.TemporaryDirectory())
        subprocess.run([os.path.join(options.build, "bin", "asr-speak"), "--out", wavs, "--count",
                        "40", "--max-seconds", "6"], check=True, stdout=subprocess.DEVNULL)
        outcome = endure(options.build, wavs, directory, options,
                         say=lambda text: print(text, file=sys.stderr, flush=True))
        rows = judge(outcome.samples)
        print_outcome(outcome, rows)
        return int(not all(flat for *_, flat in rows) or bool(outcome.mismatches()))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
