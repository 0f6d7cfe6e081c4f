# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""A leak in one of three URL paths: whose requests hold the bytes, at concurrency 1 and 8, of a
server with a thread a connection and of one with an event loop."""

import os
import subprocess
import time

import harness
import http_load

REQUESTS = 600
PATHS = ("/steady", "/cached", "/leaky")


def by_path(report):
    return {row["path"]: row for row in report["requests"]["by_path"]}


def finding_of(report, name):
    """The finding that is about this function."""
    for finding in report["findings"]:
        if any(name in frame["function"] for frame in finding["stack"]):
            return finding
    raise AssertionError(f"no finding of {name}: {report['findings']}")


class HttpPaths(harness.LiveTest):

    def mixed(self, number, suffix=""):
        return [("GET", self.random.choice(PATHS) + suffix, None) for _ in range(number)]

    def traced(self, pid, port, requests, concurrency, *arguments, census=False):
        tracer = self.attach(pid, *([] if census else ["--no-census"]), "--request", "http",
                             *arguments, tier="full").wait_attached()
        load = http_load.Load(port, requests, concurrency)
        self.assertEqual(load.errors, [])
        return tracer, {path: sum(request[1].split("?")[0] == path for request in requests)
                        for path in PATHS}

    def finish(self, tracer):
        time.sleep(0.3)
        self.assertEqual(tracer.stop(), 0, tracer.stderr)
        report = tracer.report()
        self.assert_nothing_lost(report)
        harness.note(f"  attributed {report['requests']['attributed_fraction']}, "
                     f"{report['requests']['by_path']}, {report['requests']['lifetimes']}")
        return report

    def planted(self, concurrency):
        leak = self.random.randrange(1000, 9000)
        program = self.start("http_server", "--leak", leak)
        tracer, counts = self.traced(program.pid, program.ready["port"],
                                     self.mixed(REQUESTS, "?q=secret"), concurrency, census=True)
        truth = program.run()
        report = self.finish(tracer)
        rows = by_path(report)
        self.assertEqual({path: row["count"] for path, row in rows.items()}, counts)
        self.assertEqual(report["requests"]["count"], REQUESTS)
        self.assertNotIn("secret", tracer.stdout)
        finding = finding_of(report, truth["leak"])
        self.assertEqual(finding["kind"], "leak")
        shares = {share["path"]: share for share in finding["paths"]}
        harness.note(f"  {finding['paths']}, truth {truth}")
        return truth, report, rows, shares, tracer

    def test_a_leak_is_charged_to_its_path(self):
        truth, report, rows, shares, tracer = self.planted(1)
        self.assertGreaterEqual(shares["/leaky"]["bytes"], 0.99 * truth["leaked"])
        self.assertGreaterEqual(shares["/leaky"]["fraction"], 0.99)
        self.assertGreaterEqual(rows["/leaky"]["held_bytes"], truth["leaked"])
        self.assertLessEqual(rows["/steady"]["held_bytes"], 0.01 * truth["leaked"])
        self.assertGreaterEqual(report["requests"]["lifetimes"]["not_freed"]["bytes"],
                                truth["leaked"])
        self.assertIn("held by requests of: ", tracer.stdout)
        again = subprocess.run([harness.ASRTRACE, "report", tracer.trace_path, "--json", "-"],
                               check=True, timeout=60, stdout=subprocess.PIPE).stdout.decode()
        self.assertIn('"path": "/leaky"', again)  # the trace holds it, too

    def test_a_thread_a_connection_at_eight(self):
        truth, _, _, shares, _ = self.planted(8)
        self.assertGreaterEqual(shares["/leaky"]["bytes"], 0.99 * truth["leaked"])
        self.assertGreaterEqual(shares["/leaky"]["fraction"], 0.99)

    def test_an_event_loop_at_eight(self):
        """What is attributed is right, the rest is said to be nobody's."""
        port = http_load.free_port()
        process = subprocess.Popen(
            ["/usr/bin/python3", "-B", "-m", "uvicorn", "app:app", "--port", str(port),
             "--log-level", "error", "--no-access-log"], stdin=subprocess.DEVNULL,
            cwd=os.path.join(os.path.dirname(os.path.abspath(__file__)), "http"))
        self.addCleanup(process.wait)
        self.addCleanup(process.kill)
        http_load.wait_listening(port)
        requests = [("GET", self.random.choice(("/leaky", "/async", "/async")), None)
                    for _ in range(REQUESTS // 2)]
        http_load.Load(port, requests[:20])
        for concurrency in (1, 8):
            tracer, _ = self.traced(process.pid, port, requests, concurrency)
            report = self.finish(tracer)
            self.assertEqual(report["requests"]["count"], len(requests))
            leaked = 5000 * sum(request[1] == "/leaky" for request in requests)
            held = by_path(report)
            fraction = report["requests"]["attributed_fraction"]
            self.assertGreater(fraction, 0.0)
            if concurrency == 1:
                self.assertGreater(fraction, 0.9)
                self.assertGreaterEqual(held["/leaky"]["held_bytes"], 0.99 * leaked)
            # Of a bytearray's 5,000 bytes none may be called the other path's.
            self.assertLess(held["/async"]["held_bytes"], 0.02 * leaked)
            self.assertIn("of the memory events belong to a request", tracer.stdout)

    def test_health_checks_need_not_count(self):
        program = self.start("http_server")
        requests = [("GET", "/healthz" if i % 3 == 0 else "/steady", None) for i in range(90)]
        tracer, _ = self.traced(program.pid, program.ready["port"], requests, 1,
                                "--path-exclude", "^/health")
        program.run()
        report = self.finish(tracer)
        self.assertEqual(report["requests"]["count"], 60)
        self.assertEqual(report["requests"]["http"]["excluded"], 30)
        self.assertEqual(list(by_path(report)), ["/steady"])
        bad = subprocess.run([harness.ASRTRACE, "attach", "--pid", str(program.pid),
                              "--path-exclude", "("], stderr=subprocess.PIPE, timeout=30)
        self.assertEqual(bad.returncode, 2)


if __name__ == "__main__":
    harness.main()
