# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""`asrtrace soak`: short runs of the reference worker, healthy and with plants, and of servers that
stall, refuse and die. The runs go side by side. With --long: at 1/20 and with every plant."""

import csv
import http.server
import json
import os
import random
import signal
import sqlite3
import statistics
import subprocess
import sys
import tempfile
import threading
import time
import unittest
import urllib.request

import harness
import speech

LONG = "--long" in sys.argv
if LONG:
    sys.argv.remove("--long")
RATE, LOAD_SECONDS = 2, 22
PHASES = ("--baseline", "3", "--load", str(LOAD_SECONDS), "--recovery", "4", "--sample", "1")
SHORT = ("--baseline", "3", "--load", "12", "--recovery", "6", "--sample", "1", "--no-trace")


class Server(http.server.ThreadingHTTPServer):
    """Answers uploads; notes when each came. `behave(number)` may wait, and gives the status."""

    request_queue_size = 256
    daemon_threads = True

    def __init__(self, behave):
        self.arrivals = []
        self.bodies = set()
        self.behave = behave
        self.lock = threading.Lock()
        super().__init__(("127.0.0.1", 0), Handler)
        threading.Thread(target=self.serve_forever, daemon=True).start()

    @property
    def url(self):
        return f"http://127.0.0.1:{self.server_port}/upload"


class Handler(http.server.BaseHTTPRequestHandler):

    def do_POST(self):  # noqa: N802 (the library's name)
        now = time.monotonic()
        body = self.rfile.read(int(self.headers["Content-Length"]))
        with self.server.lock:
            self.server.arrivals.append(now)
            number = len(self.server.arrivals)
            self.server.bodies.add(body.split(b"\r\n\r\n", 1)[1].split(b"\r\n--", 1)[0])
        status = self.server.behave(number)
        self.send_response(status)
        self.end_headers()

    def log_message(self, *_):
        pass


class Soak:
    """One run, its output collected."""

    def __init__(self, directory, name, url, files, *arguments, phases=PHASES, environment=None):
        self.json_path = os.path.join(directory, name + ".json")
        self.csv_path = os.path.join(directory, name + ".csv")
        self.trace_path = os.path.join(directory, name + ".asrtrace")
        self.phases = phases
        self.url = url
        trace = () if "--no-trace" in phases else ("-o", self.trace_path)
        self.process = subprocess.Popen(
            [harness.ASRTRACE, "soak", "--post", url,
             *(part for file in files for part in ("--file", f"audio_file=@{file}")),
             *phases, "--json", self.json_path, "--csv", self.csv_path, *trace, *arguments],
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, stdin=subprocess.DEVNULL,
            env={**os.environ, **(environment or {})})
        self.output = None

    def finish(self, seconds=400):
        if self.output is None:
            self.output = tuple(text.decode() for text in self.process.communicate(timeout=seconds))
        return self.process.returncode

    def end(self):
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGINT)
            self.finish()

    def verdict(self):
        self.finish()
        with open(self.json_path, encoding="utf-8") as file:
            return json.load(file)

    def rows(self):
        with open(self.csv_path, encoding="utf-8") as file:
            return list(csv.reader(file))


class SoakTest(speech.SpeechTest):

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        wavs = sorted((os.path.getsize(entry.path), entry.path)
                      for entry in os.scandir(speech.SPEECH) if entry.name.endswith(".wav"))
        cls.wavs = [path for _, path in wavs[:12]]
        cls.ports = random.sample(range(20000, 30000), 40)

    def soak(self, name, url, *arguments, **options):
        run = Soak(self.directory, name, url, self.wavs, *arguments, **options)
        self.addCleanup(run.end)
        return run

    def soak_worker(self, name, *worker, phases=PHASES, rate=str(RATE), arguments=()):
        port = str(self.ports.pop())
        return self.soak(name, f"http://127.0.0.1:{port}/transcribe", "--rate", rate, *arguments,
                         "--", speech.binary("asr-worker"), "--port", port, *worker, phases=phases)

    def told(self, run):
        status = run.finish()
        harness.note(f"  exit {status}\n{run.output[0]}")
        return run.output[0]

    def assert_load(self, verdict, requests):
        load = verdict["requests"]
        self.assertEqual((load["sent"], load["answered"], load["failed"]), (requests, requests, 0))


class ShortRuns(SoakTest):

    PACED_RATE, PACED_SECONDS = 20, 50

    @classmethod
    def setUpClass(cls):
        """The paced load runs beside the other tests: it is light, and must bear company."""
        super().setUpClass()
        stall = threading.Lock()

        def sometimes_stall(number):
            with stall:
                time.sleep(1 if number % 150 == 0 else 0)
            return 200

        cls.stalling = Server(sometimes_stall)
        directory = tempfile.TemporaryDirectory(prefix="asrtrace-live-")
        cls.addClassCleanup(directory.cleanup)
        cls.paced = Soak(directory.name, "paced", cls.stalling.url, cls.wavs, "--rate",
                         str(cls.PACED_RATE), "--pid", str(os.getpid()),
                         phases=("--baseline", "3", "--load", str(cls.PACED_SECONDS), *SHORT[4:]))
        cls.addClassCleanup(cls.paced.end)

    def test_healthy_and_leaking_workers(self):
        chunks = ("--chunk-seconds", "3", "--stride-seconds", "0.5", "--pad-tails", "3")
        healthy = self.soak_worker("healthy", *chunks)
        hidden = self.soak_worker("hidden", "--plant", "leak=40", *chunks)
        leak = self.soak_worker("leak", "--plant", "leak=14000000", *chunks)
        for run in (healthy, hidden, leak):
            self.told(run)
            self.assert_load(run.verdict(), RATE * LOAD_SECONDS)
            self.assert_rows(run)
            self.assertEqual(run.output[0].splitlines()[-1],
                             "OVERALL: " + run.verdict()["overall"])
        # MemAvailable is shared with whatever else runs here.
        for run in (healthy, hidden):
            self.assertEqual((run.verdict()["pss"], run.verdict()["rss_anon"]), ("PASS", "PASS"))
        self.assertEqual((leak.verdict()["pss"], leak.verdict()["rss_anon"]), ("FAIL", "FAIL"))
        self.assertEqual((leak.verdict()["overall"], leak.finish()), ("FAIL", 1))
        self.assertIn("--limit-max-requests 300", leak.output[0])
        self.assertIn("plant_leak_request", " ".join(leak.verdict()["why"]))
        self.assertNotIn("leak", " ".join(healthy.verdict()["why"]))
        why = " ".join(hidden.verdict()["why"])
        self.assertIn("The worker's growth passes, but 40 B a request are never given back", why)
        self.assertIn("plant_leak_request", why)

    def check_sawtooth(self, run):
        """44 requests make three changeovers at most: none is lost, and the memory goes."""
        self.told(run)
        self.assert_load(run.verdict(), RATE * LOAD_SECONDS)
        self.assert_rows(run)
        limit, jitter, leak = self.SAWTOOTH
        events = " ".join(run.verdict()["events"])
        changeovers = events.count("began")
        self.assertIn(changeovers, (2, 3))
        self.assertIn("ended", events)
        peak = max(int(row[6]) for row in run.rows()[1:]) << 10
        least = min(int(row[6]) for row in run.rows()[1:]) << 10
        self.assertLess(peak, least + (limit + jitter + 2) * leak + (40 << 20))
        report = subprocess.run([harness.ASRTRACE, "report", run.trace_path, "--json", "-"],
                                stdout=subprocess.PIPE, timeout=60, check=True)
        report = json.loads(report.stdout)
        self.assertEqual(len(report["target"]["followed"]), 1 + changeovers)
        self.assertEqual(report["requests"]["count"], RATE * LOAD_SECONDS)
        text = subprocess.run([harness.ASRTRACE, "report", run.trace_path],
                              stdout=subprocess.PIPE, timeout=60, check=True).stdout.decode()
        self.assertIn("RssAnon of the target and its children together, over time:", text)

    def assert_rows(self, run):
        """The rows are those of the trace, and analyze says the same of them."""
        header, *rows = run.rows()
        self.assertEqual(",".join(header), "ts,VmRSS_kB,RssAnon_kB,RssFile_kB,RssShmem_kB,"
                                           "VmSwap_kB,Pss_kB,MemAvailable_kB,MemTotal_kB")
        self.assertEqual(len(rows), 3 + LOAD_SECONDS + 4 + 1)
        with sqlite3.connect(run.trace_path) as trace:
            names = [row[1] for row in trace.execute("PRAGMA table_info(samples)")]
            columns = [next(name for name in names if name.startswith(wanted)) for wanted in (
                "unix", "vm_rss", "rss_anon", "rss_file", "rss_shmem", "vm_swap", "pss",
                "mem_available", "mem_total")]
            samples = trace.execute(f"SELECT {','.join(columns)} FROM samples").fetchall()
        self.assertEqual([[str(value) for value in sample] for sample in samples], rows)
        phases = [part for part in run.phases if part != "--no-trace"]
        again = subprocess.run([harness.ASRTRACE, "analyze", run.csv_path, *phases, "--json", "-"],
                               stdout=subprocess.PIPE, timeout=30, check=False)
        self.assertEqual(again.returncode, run.finish())
        for key, value in json.loads(again.stdout).items():
            if key not in ("requests", "oom_kills", "events", "why", "next"):
                self.assertEqual(value, run.verdict()[key], key)

    SAWTOOTH = (12, 3, 4_000_000)

    def test_refusals_death_and_changeovers(self):
        limit, jitter, leak = self.SAWTOOTH
        sawtooth = self.soak_worker("sawtooth", "--plant", f"leak={leak}", "--limit-max-requests",
                                    str(limit), "--limit-max-requests-jitter", str(jitter),
                                    arguments=("--follow",))
        refusing = Server(lambda number: 503 if 20 <= number < 40 else 200)
        refused = self.soak("refused", refusing.url, "--rate", "10", "--pid", str(os.getpid()),
                            phases=SHORT, environment=harness.CLOCK_JUMPS)
        dying = self.soak_worker("dying", phases=SHORT)
        replaced = self.soak_worker("replaced", "--limit-max-requests", "1000", phases=SHORT)
        for run, generations in ((dying, 1), (replaced, 2)):
            self.wait_for_load(run)
            self.kill_the_worker(run, generations)
        self.check_death(dying)
        self.check_replacement(replaced)
        self.check_refusals(refused)
        self.check_sawtooth(sawtooth)

    def wait_for_load(self, run):
        """Its worker answers, and is in a row: one that dies before is not replaced, nor told."""
        deadline = time.monotonic() + 60
        while not os.path.exists(run.csv_path) or len(run.rows()) < 5:
            self.assertLess(time.monotonic(), deadline, "no rows come")
            time.sleep(0.1)
        with urllib.request.urlopen(run.url.replace("/transcribe", "/healthz"), timeout=60):
            pass

    def kill_the_worker(self, run, generations):
        """The soak's child, or that one's child."""
        pid = run.process.pid
        for _ in range(generations):
            with open(f"/proc/{pid}/task/{pid}/children", encoding="utf-8") as children:
                pid = int(children.read().split()[0])
        os.kill(pid, signal.SIGKILL)

    def check_death(self, dying):
        self.assertEqual(dying.finish(), 3, dying.output)
        self.assertIn("is gone", self.told(dying))
        self.assertIn("no verdict", dying.output[0])
        verdict = dying.verdict()
        self.assertIsNone(verdict["overall"])
        self.assertIn("is gone", " ".join(verdict["events"]))

    def check_replacement(self, replaced):
        """One that its parent replaces is told, and there is a verdict."""
        self.told(replaced)
        self.assertIn(replaced.finish(), (0, 1), replaced.output)
        events = " ".join(replaced.verdict()["events"])
        self.assertRegex(events, r"process \d+ ended.*process \d+ began")

    def check_refusals(self, refused):
        """Also while the clock is set, by an hour and back, between any two rows."""
        self.told(refused)
        self.assertEqual(refused.verdict()["requests"]["by_status"], {"200": 100, "503": 20})
        events = " ".join(refused.verdict()["events"])
        for part in ("does not answer", "HTTP 503", "answers again"):
            self.assertIn(part, events)

    def test_thousand_requests_keep_their_pace(self):
        paced, stalling, rate = self.paced, self.stalling, self.PACED_RATE
        requests = rate * self.PACED_SECONDS
        self.told(paced)
        load = paced.verdict()["requests"]
        self.assert_load(paced.verdict(), requests)
        self.assertEqual(len(stalling.arrivals), requests, "as the server counted")
        self.assertEqual(len(stalling.bodies), len(self.wavs), "every file in its turn")
        self.assertAlmostEqual(load["rate"], rate, delta=0.005 * rate)
        # Medians at both ends: one thread of this process that is late to answer is not the load's.
        late = [arrival - number / rate for number, arrival in enumerate(stalling.arrivals)]
        drift = statistics.median(late[-50:]) - statistics.median(late[:50])
        self.assertLess(abs(drift), 0.005 * requests / rate)
        # What waits behind a stall counts: a second in every 150 requests' time.
        self.assertGreater(load["latency_ms"]["max"], 950)
        self.assertGreater(load["latency_ms"]["p95"], 300)


@unittest.skipUnless(LONG, "24 minutes more, with --long")
class ScaledRuns(SoakTest):
    """At 1/20 of the hour, four minutes each, one after the other."""

    SCALE = ("--scale", "1/20")

    def scaled(self, name, *worker):
        run = self.soak_worker(name, *worker, phases=self.SCALE, rate="1",
                               arguments=("--order", "random"))
        self.told(run)
        self.assertEqual(run.verdict()["requests"]["answered"], 400)
        return run.verdict(), " ".join(run.verdict()["why"])

    def test_healthy(self):
        verdict, why = self.scaled("healthy", "--chunk-seconds", "3", "--stride-seconds", "0.5",
                                   "--pad-tails", "3")
        self.assertEqual((verdict["pss"], verdict["rss_anon"]), ("PASS", "PASS"))
        self.assertNotIn("leak", why)
        if verdict["overall"] == "PASS":
            self.assertEqual(verdict["pattern"], "A")

    def test_whole_file_retains(self):
        _, why = self.scaled("whole", "--whole-file")
        self.assertIn("retention", why)

    def test_plants_are_named(self):
        for plant, kind, function in (("leak=1300000", "leak", "plant_leak"),
                                      ("cache=1300000", "cache, unbounded", "plant_cache"),
                                      ("keyed=20000", "cache, keyed", "plant_keyed"),
                                      ("retention=64", "retention", None),
                                      ("library=50000", "leak", "asr_plant")):
            with self.subTest(plant):
                _, why = self.scaled(plant.replace("=", "-"), "--plant", plant)
                self.assertIn(kind, why)
                if function:
                    self.assertIn(function, why)


if __name__ == "__main__":
    harness.main()
