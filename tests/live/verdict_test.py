# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""The verdict on the reference worker: nothing planted, whole files of many lengths; the same with
chunks; and each plant."""

import json
import urllib.request

import harness
import speech

REQUESTS = 180
CHUNKED = ("--chunk-seconds", "3", "--stride-seconds", "0.5", "--pad-tails", "3")


class Verdict(speech.SpeechTest):

    def post(self, port, path):
        with urllib.request.urlopen(f"http://127.0.0.1:{port}{path}", b"", timeout=60) as answer:
            return json.load(answer)

    def rss_anon(self, pid):
        with open(f"/proc/{pid}/status", encoding="utf-8") as status:
            fields = dict(line.split(":", 1) for line in status)
        return int(fields["RssAnon"].split()[0]) * 1024

    def traced(self, *arguments, requests=REQUESTS):
        worker, port = self.serve("--debug-endpoints", *arguments)
        tracer = self.attach(worker.pid).wait_attached()
        self.load(port, requests, repeat=True)
        self.assertEqual(tracer.stop(), 0, tracer.stderr)
        report = tracer.report()
        for finding in report["findings"]:
            harness.note(f"  {finding['kind']}/{finding['subkind']} {finding['confidence']} "
                         f"{finding['bytes']} {finding['bytes_per_request']} "
                         f"{[frame['function'] for frame in finding['stack'][:3]]} "
                         f"{finding['evidence']}")
        self.assert_nothing_lost(report)
        self.books_add_up(report)
        return worker, port, report

    def books_add_up(self, report):
        unexplained = sorted(abs(epoch["classes"]["unexplained"]) for epoch in report["epochs"]
                             if epoch["classes"])
        self.assertGreater(len(unexplained), 4, "readings of the heap")
        total = sum(book["last"] for book in report["books"])
        self.assertLessEqual(unexplained[len(unexplained) // 2], max(0.02 * total, 4 << 20))

    def find(self, report, kind, function=None):
        for finding in report["findings"]:
            names = [frame["function"] for frame in finding["stack"]]
            if finding["kind"] == kind and (not function or
                                            any(function in name for name in names)):
                return finding
        self.fail(f"no {kind} {function or ''} among {report['findings']}")

    def test_whole_files(self):
        """Retention, what pins it, what a trim gives; oneDNN's primitives as a cache by input."""
        for _ in range(3):
            worker, port, report = self.traced("--whole-file", "--threads", "1")
            pins = [arena["pin"] for arena in report["retention"]["arenas"] if arena["pin"]]
            functions = [frame["function"] for pin in pins for frame in pin["stack"]]
            if set(functions) != {"[unknown]"}:
                break
            harness.note("  what pins the heap is from before the attach: once more")
        retention = self.find(report, "retention")
        self.assertEqual(retention["confidence"], "definite")
        growth = sum(book["delta"] for book in report["books"])
        self.assertGreater(retention["bytes"], 0.5 * growth)
        self.assertTrue(any("dnnl" in frame["module"] for pin in pins for frame in pin["stack"]
                            if frame["module"]), pins)
        cache = self.find(report, "cache", "dnnl")
        self.assertEqual(cache["subkind"], "keyed")
        self.assertEqual([f for f in report["findings"] if f["kind"] == "leak"], [])
        before = self.rss_anon(worker.pid)
        self.post(port, "/debug/trim")
        given = before - self.rss_anon(worker.pid)
        releasable = report["retention"]["releasable"]
        harness.note(f"  trim gave {given}, said {releasable}")
        # The request for the trim itself moves a few pages.
        self.assertLessEqual(abs(given - releasable), 0.01 * given + (256 << 10))

    def test_chunks_come_to_rest(self):
        _, _, report = self.traced(*CHUNKED)
        for finding in report["findings"]:
            self.assertNotEqual(finding["kind"], "leak")
            self.assertNotEqual(finding["subkind"], "unbounded")
            self.assertIsNone(finding["bytes_per_request"], finding)

    def plants(self, expected):
        """`expected`: (plant, kind, subkind, function); all of them in one worker."""
        options = [option for plant, *_ in expected for option in ("--plant", plant)]
        worker, port, report = self.traced(*options, *CHUNKED)
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/stats", timeout=60) as answer:
            truths = {plant["function"]: plant for plant in json.load(answer)["plants"]}
        for _, kind, subkind, function in expected:
            finding = self.find(report, kind, function)
            truth = truths[next(name for name in truths if function in name)]
            self.assertEqual((finding["subkind"], finding["confidence"]), (subkind, "definite"))
            self.assertEqual(finding["bytes"], truth["total_bytes"])
            if finding["bytes_per_request"] is not None:
                mean = truth["total_bytes"] / REQUESTS
                self.assertAlmostEqual(finding["bytes_per_request"], mean, delta=0.05 * mean)
        self.assertEqual(worker.poll(), None)

    def test_leak_unbounded_and_keyed_cache(self):
        self.plants([(f"leak={self.random.randrange(64, 5000)}", "leak", None, "plant_leak"),
                     (f"cache={self.random.randrange(2000, 5000)}", "cache", "unbounded",
                      "plant_cache"),
                     (f"keyed={self.random.randrange(4000, 9000)}", "cache", "keyed",
                      "plant_keyed")])

    def test_bounded_cache(self):
        self.plants([(f"cache={self.random.randrange(4000, 9000)},entries=50", "cache", "bounded",
                      "plant_cache")])


if __name__ == "__main__":
    harness.main()
