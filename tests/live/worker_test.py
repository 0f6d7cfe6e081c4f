# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""The main job: a speech worker with planted growth of random size; what the report says of it
against what the worker knows of itself."""

import os
import sys
import time

import harness
import speech

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..", "tools"))
import demo_check  # noqa: E402  (the demo makes the same comparison)

REQUESTS = 120


class Worker(speech.SpeechTest):

    def traced_load(self, *plants, concurrency=1, tier="full", arguments=()):
        worker, port = self.serve(*[part for plant in plants for part in ("--plant", plant)])
        tracer = self.attach(worker.pid, *arguments, tier=tier).wait_attached()
        self.load(port, REQUESTS, concurrency)
        truth = demo_check.stats(port)
        time.sleep(0.2)
        self.assertEqual(tracer.stop(), 0, tracer.stderr)
        self.load(port, 3)  # it goes on answering
        report = tracer.report()
        first = report["sites"][0] if report["sites"] else None
        harness.note(f"  {plants} x{concurrency}: /stats {truth['plants']}, first site "
                     f"{first and (first['bytes_per_request'], first['ci95'], first['live_bytes'])}"
                     f", {report['requests']['count']} requests, attributed "
                     f"{report['requests']['attributed_fraction']}, overhead {report['overhead']}")
        return truth, report

    def test_leak(self):
        truth, report = self.traced_load(f"leak={self.random.randrange(1000, 40000)}")
        self.assertEqual(demo_check.leak_mismatches(truth, report), [])
        self.assertEqual(report["sites"][0]["live_bytes"], truth["plants"][0]["total_bytes"])
        self.assertEqual(report["requests"]["source"], "usdt")
        self.assertGreater(report["requests"]["attributed_fraction"], 0.95)
        self.assert_nothing_lost(report)

    def test_leak_with_requests_in_parallel(self):
        truth, report = self.traced_load(f"leak={self.random.randrange(1000, 40000)}",
                                         concurrency=4)
        self.assertEqual(demo_check.leak_mismatches(truth, report), [])
        self.assert_nothing_lost(report)

    def test_small_leak(self):
        """Of the size of what a request leaves in caches: the leak is still counted to the byte."""
        truth, report = self.traced_load(f"leak={self.random.randrange(64, 400)}")
        plant = truth["plants"][0]
        sites = [site for site in report["sites"]
                 if any(plant["function"] in frame["function"] for frame in site["stack"])]
        self.assertEqual(sum(site["live_bytes"] for site in sites), plant["total_bytes"])
        self.assert_nothing_lost(report)

    def test_bounded_cache_stops_growing(self):
        entries = 20
        truth, report = self.traced_load(
            f"cache={self.random.randrange(2000, 20000)},entries={entries}")
        plant = truth["plants"][0]
        sites = [site for site in report["sites"]
                 if any(plant["function"] in frame["function"] for frame in site["stack"])]
        self.assertEqual(sum(site["live_bytes"] for site in sites), plant["total_bytes"])
        for site in sites:
            self.assertLess(site["bytes_per_request"], 0.3 * plant["bytes_per_request"])


if __name__ == "__main__":
    harness.main()
