# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""What each thread of a tracer may do while it traces, as the kernel tells it (docs/trust.md)."""

import contextlib
import os
import signal
import socket
import subprocess
import sys
import time

import harness

CHOWN, DAC_OVERRIDE, DAC_READ_SEARCH, FOWNER, KILL = 0, 1, 2, 3, 5
SYS_PTRACE, SYS_ADMIN, SYS_NICE, PERFMON, BPF, CHECKPOINT_RESTORE = 19, 21, 23, 38, 39, 40

READS = {SYS_PTRACE, DAC_READ_SEARCH, CHECKPOINT_RESTORE}
KEPT = {BPF, PERFMON, SYS_PTRACE, DAC_READ_SEARCH, DAC_OVERRIDE, CHOWN, FOWNER}
THREADS = {"asrtrace": KEPT, "heap": READS | {SYS_NICE}, "symbols": READS | {BPF},
           "sampler": READS, "cache": set(), "statistics": {SYS_ADMIN}}

# Of soak, while it sends requests: the main thread only reads the worker and ends it. It takes the
# samples itself.
SOAK_THREADS = {**THREADS, "asrtrace": KEPT - {BPF, PERFMON} | {KILL}, "recorder": KEPT,
                "load": set()}
del SOAK_THREADS["sampler"]
SERVER = """
import http.server, sys
class Handler(http.server.BaseHTTPRequestHandler):
    def do_POST(self):
        self.rfile.read(int(self.headers["Content-Length"]))
        self.send_response(200)
        self.end_headers()
    def log_message(self, *_):
        pass
http.server.ThreadingHTTPServer(("127.0.0.1", int(sys.argv[1])), Handler).serve_forever()
"""


def threads_of(pid):
    """{name: [(Seccomp, NoNewPrivs, capabilities of CapEff, of CapPrm)]} of a process's threads."""
    found = {}
    for tid in os.listdir(f"/proc/{pid}/task"):
        with open(f"/proc/{pid}/task/{tid}/status", encoding="utf-8") as file:
            fields = dict(line.rstrip("\n").split(":\t", 1) for line in file if ":\t" in line)
        masks = [{bit for bit in range(64) if int(fields[name], 16) >> bit & 1}
                 for name in ("CapEff", "CapPrm")]
        found.setdefault(fields["Name"], []).append(
            (fields["Seccomp"], fields["NoNewPrivs"], *masks))
    return found


class Trust(harness.LiveTest):

    def assert_confined(self, pid, expected):
        deadline = time.monotonic() + 10  # the main thread settles when it has said that it attached
        wanted = {name: [("2", "1", mask, mask)] for name, mask in expected.items()}
        while threads_of(pid) != wanted and time.monotonic() < deadline:
            time.sleep(0.1)
        self.assertEqual(threads_of(pid), wanted)

    def traced(self, *arguments, threads, tier="full"):
        program = self.start("alloc_mix", "--seed", self.seed % 1000003, "--operations", 20000)
        tracer = self.attach(program.pid, *arguments, tier=tier).wait_attached()
        self.assert_confined(tracer.pid, threads)
        program.run()
        time.sleep(1)
        self.assert_confined(tracer.pid, threads)
        self.assertEqual(tracer.stop(), 0, tracer.stderr)
        report = tracer.report()
        self.assertNotIn("confined", tracer.stderr)
        self.assertNotIn("keeps its rights", tracer.stderr)
        # What they are for works: heaps are read, stacks walked and named, the cost is measured.
        self.assertTrue(report["books"])
        self.assertGreater(report["overhead"]["program_seconds"], 0)
        return report, tracer

    def test_attach(self):
        report, tracer = self.traced(threads=THREADS)
        self.assert_nothing_lost(report)
        stacks = harness.folded(tracer.trace_path, "live")
        self.assertTrue(any("worker_main" in frame for frames, _ in stacks
                            for frame in frames), stacks[:3])

    def test_follow_in_windows(self):
        self.traced("--follow", "--budget-cpu", "0.1", threads=THREADS, tier="auto")

    def test_with_a_thread_that_fetches_debug_files(self):
        os.environ["DEBUGINFOD_URLS"] = "http://127.0.0.1:9/"
        self.addCleanup(os.environ.pop, "DEBUGINFOD_URLS")
        self.traced("--debuginfod", threads={**THREADS, "debuginfod": set()})

    def test_a_command_keeps_its_own_rights(self):
        """What run starts was started before anything was given up."""
        command = ("grep -E '^(Cap|Seccomp:|NoNewPrivs)' /proc/self/status; "
                   "trap 'echo got it; exit 0' TERM; while :; do sleep 0.1; done")
        tracer = subprocess.Popen(
            [harness.ASRTRACE, "run", "--json", os.path.join(self.directory, "report.json"), "--",
             "/bin/sh", "-c", command], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
            bufsize=0)
        self.addCleanup(tracer.stdout.close)
        self.addCleanup(tracer.wait)
        self.addCleanup(tracer.kill)
        with open("/proc/self/status", encoding="utf-8") as file:
            own = [line.rstrip("\n") for line in file
                   if line.startswith(("Cap", "Seccomp:", "NoNewPrivs"))]
        lines = harness.LineReader(tracer.stdout)
        self.assertEqual([lines.line(30) for _ in own], own)
        self.assert_confined(tracer.pid, {**THREADS, "asrtrace": KEPT | {KILL}})
        tracer.send_signal(signal.SIGTERM)
        said = tracer.stdout.read().decode(errors="replace")
        self.assertEqual(tracer.wait(60), 0, said)
        self.assertIn("got it", said)

    def test_soak(self):
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            port = free.getsockname()[1]
        body = os.path.join(self.directory, "body")
        with open(body, "wb") as file:
            file.write(bytes(1000))
        soak = subprocess.Popen(
            [harness.ASRTRACE, "soak", "--post", f"http://localhost:{port}/",
             "--file", f"body=@{body}", "--baseline", "3", "--load", "12", "--recovery", "4",
             "--sample", "1", "-o", os.path.join(self.directory, "soak.asrtrace"), "--",
             "/usr/bin/python3", "-c", SERVER, str(port)],
            stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
        self.addCleanup(soak.wait)
        self.addCleanup(soak.kill)
        self.assert_confined(soak.pid, SOAK_THREADS)
        said = soak.communicate(timeout=120)[1]
        self.assertEqual(soak.returncode, 0, said)
        self.assertNotIn("confined", said)
        self.assertNotIn("keeps its rights", said)
        # All of it worked: requests were answered, the worker was traced and ended.
        self.assertIn("0 failed", said)
        self.assertIn("attached to PID", said)
        # It listened on nothing yet when it was attached to; that it is a server is known.
        self.assertIn("requests by http", said)
        self.assertNotIn("is gone", said)
        with self.assertRaises(ConnectionRefusedError):
            socket.create_connection(("127.0.0.1", port), timeout=5).close()

    def test_census(self):
        """While it reads, the main thread can only write what comes of it."""
        target = subprocess.Popen(
            [sys.executable, "-c", "held = [bytes(600) for _ in range(600000)]\n"
             "print('ready', flush=True); open(0).read()"], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        self.addCleanup(target.communicate)
        self.assertEqual(target.stdout.readline(), b"ready\n")
        census = subprocess.Popen(
            [harness.ASRTRACE, "census", "--pid", str(target.pid), "--reach"],
            stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
        self.addCleanup(census.wait)
        writes = {DAC_OVERRIDE, CHOWN, FOWNER}
        wanted = {name: [("2", "1", mask, mask)]
                  for name, mask in (("asrtrace", writes), ("heap", READS | {SYS_NICE}))}
        seen = []
        while census.poll() is None and wanted not in seen:
            with contextlib.suppress(FileNotFoundError, ProcessLookupError):
                seen.append(threads_of(census.pid))
        self.assertIn(wanted, seen)
        said = census.communicate()[1]
        self.assertEqual((census.returncode, said), (0, ""))


if __name__ == "__main__":
    harness.main()
