# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""Requests of real servers, seen at their sockets: as many as the client made, and as long.
ASRTRACE_LONG=1: 2,000 requests a case."""

import json
import os
import signal
import subprocess
import sys
import time

import harness
import http_load
import speech

LONG = bool(os.environ.get("ASRTRACE_LONG"))
REQUESTS = 2000 if LONG else 500
HERE = os.path.dirname(os.path.abspath(__file__))

NGINX = """
daemon off; master_process {master}; worker_processes 2; pid {directory}/nginx.pid;
error_log stderr error;
events {{ worker_connections 256; }}
http {{
  access_log off; sendfile on; tcp_nopush on; keepalive_requests 100000;
  client_body_temp_path {directory}/b; proxy_temp_path {directory}/p;
  fastcgi_temp_path {directory}/f; uwsgi_temp_path {directory}/u; scgi_temp_path {directory}/s;
  server {{ listen 127.0.0.1:{port}; root {directory}; }}
}}
"""


class HttpTest(speech.SpeechTest):

    def spawn(self, command, port, **options):
        process = subprocess.Popen(command, stdin=subprocess.DEVNULL, **options)

        def end():
            process.terminate()
            try:
                process.wait(10)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()

        self.addCleanup(end)
        http_load.wait_listening(port)
        return process

    def watch(self, pid, *arguments, tier="watch"):
        return self.attach(pid, "--no-census", *arguments, tier=tier).wait_attached()

    def check(self, tracer, count, median_ms=None, slack_ms=2.0):
        time.sleep(0.2)
        self.assertEqual(tracer.stop(), 0, tracer.stderr)
        report = tracer.report()
        requests = report["requests"]
        harness.note(f"  {count} requests, client's median {median_ms}: {requests}")
        self.assertEqual(requests["source"], "http")
        self.assertEqual(requests["count"], count)
        self.assert_nothing_lost(report)
        self.assertEqual({key: value for key, value in requests["http"].items() if value}, {})
        if median_ms is not None:
            load_ms = http_load.round_trip_ms()
            harness.note(f"  a round trip without a server: {load_ms:.3f} ms")
            self.assertLessEqual(abs(requests["latency_ms"]["p50"] - median_ms),
                                 slack_ms + load_ms)
        return report


class Worker(HttpTest):

    def serve_plain(self):
        worker = subprocess.Popen([speech.binary("asr-worker-plain"), "--port", "0"],
                                  stdout=subprocess.PIPE, bufsize=0)

        def end():
            worker.kill()
            worker.wait()
            worker.stdout.close()

        self.addCleanup(end)
        line = harness.LineReader(worker.stdout).line(30)
        return worker, int(line.split("listening on ")[1].split()[0].rpartition(":")[2])

    def traced(self, concurrency, tier):
        worker, port = self.serve_plain()
        tracer = self.watch(worker.pid, tier=tier)
        count = 2000 if LONG else 150
        done = subprocess.run(
            [speech.binary("asr-load"), "--port", str(port), "--requests", str(count), "--wavs",
             speech.SPEECH, "--concurrency", str(concurrency), "--seed", str(self.seed % 1000),
             "--json", "-"], check=True, timeout=500, stdout=subprocess.PIPE)
        client = json.loads(done.stdout)
        self.assertEqual(client["failed"], 0)
        return self.check(tracer, count, client["latency_ms"]["p50"] if concurrency == 1 else None)

    def test_worker_without_probes_of_its_own(self):
        report = self.traced(1, "full")
        self.assertGreater(report["requests"]["attributed_fraction"], 0.95)

    def test_worker_in_parallel(self):
        report = self.traced(8, "watch")
        self.assertGreater(report["requests"]["attributed_fraction"], 0.95)


class FastApi(HttpTest):

    def serve(self):
        port = http_load.free_port()
        process = self.spawn(["/usr/bin/python3", "-B", "-m", "uvicorn", "app:app", "--port",
                              str(port), "--log-level", "error", "--no-access-log"], port,
                             cwd=os.path.join(HERE, "http"))
        return process, port

    def traced(self, requests, concurrency, headers=None):
        """At eight the endpoint waits most of the time: what waits in the kernel, unread, is the
        client's latency and not the request's."""
        process, port = self.serve()
        http_load.Load(port, requests[:2 * concurrency], concurrency, headers)
        tracer = self.watch(process.pid)
        load = http_load.Load(port, requests, concurrency, headers)
        self.assertEqual(load.errors, [])
        return self.check(tracer, load.count, load.median_ms)

    def test_async_endpoint(self):
        self.traced([("GET", "/async", None)] * REQUESTS, 1)

    def test_async_endpoint_at_eight(self):
        self.traced([("GET", "/async?ms=40", None)] * REQUESTS, 8)

    def test_sync_endpoint(self):
        self.traced([("GET", "/sync", None)] * REQUESTS, 1)

    def test_sync_endpoint_at_eight(self):
        self.traced([("GET", "/sync?ms=40", None)] * REQUESTS, 8)

    def test_uploads(self):
        body, headers = http_load.multipart(self.random.randbytes(300000))
        self.traced([("POST", "/upload", body)] * (REQUESTS // 5), 1, headers)

    def test_uploads_at_eight(self):
        body, headers = http_load.multipart(self.random.randbytes(300000))
        process, port = self.serve()
        tracer = self.watch(process.pid)
        load = http_load.Load(port, [("POST", "/upload", body)] * (REQUESTS // 5), 8, headers)
        self.assertEqual(load.errors, [])
        self.check(tracer, load.count)


class Nginx(HttpTest):

    def configure(self, master):
        """Files to serve and a command that serves them, and where."""
        port = http_load.free_port()
        for name, size in (("small", 100), ("page", 20000), ("big", 3 << 20)):
            with open(os.path.join(self.directory, name), "wb") as file:
                file.write(self.random.randbytes(size))
        config = os.path.join(self.directory, "nginx.conf")
        with open(config, "w", encoding="utf-8") as file:
            file.write(NGINX.format(directory=self.directory, port=port, master=master))
        os.chmod(self.directory, 0o777)
        return ["/usr/sbin/nginx", "-c", config, "-p", self.directory], port

    def requests(self, number):
        return [("GET", "/" + self.random.choice(("small", "page", "big")), None)
                for _ in range(number)]

    def traced(self, concurrency, port_asked, *way):
        command, port = self.configure("off")
        process = self.spawn(command, port, stderr=sys.stderr)
        tracer = self.watch(process.pid, "--request", f"http:{port}" if port_asked else "auto",
                            *way)
        load = http_load.Load(port, self.requests(REQUESTS), concurrency)
        self.assertEqual(load.errors, [])
        return self.check(tracer, load.count, load.median_ms if concurrency == 1 else None)

    def test_files_with_keep_alive(self):
        self.traced(1, False)

    def test_files_at_eight(self):
        self.traced(8, True)

    def test_files_at_eight_by_tracepoints_of_sockets(self):
        self.traced(8, True, "--http-by-sockets")

    def test_files_at_eight_by_system_calls(self):
        self.traced(8, True, "--http-by-calls")

    def test_several_workers_on_one_socket(self):
        command, port = self.configure("on")
        report = os.path.join(self.directory, "report.json")
        run = subprocess.Popen(
            [harness.ASRTRACE, "run", "--follow", "--no-census", "--tier", "watch", "--request",
             f"http:{port}", "--json", report, "--", *command], stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL, stdin=subprocess.DEVNULL)
        self.addCleanup(run.wait)
        self.addCleanup(run.kill)
        http_load.wait_listening(port)
        load = http_load.Load(port, self.requests(200), 4)
        self.assertEqual(load.errors, [])
        time.sleep(0.3)
        run.send_signal(signal.SIGINT)
        self.assertEqual(run.wait(60), 0)
        with open(report, encoding="utf-8") as file:
            seen = json.load(file)
        self.assertEqual(seen["requests"]["count"], load.count)
        self.assertEqual(seen["requests"]["http"]["confused"], 0)
        self.assertEqual(len(seen["target"]["followed"]), 2)


if __name__ == "__main__":
    harness.main()
