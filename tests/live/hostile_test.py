# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""A target that lies wherever a tracer reads (tests/progs/hostile.cpp) harms neither the tracer nor
what it writes: no crash, bounded memory, no line, escape sequence or tag of the target's own.
ASRTRACE_LONG=1 takes a minute of each instead of seconds; tools/test.sh --sanitized runs it with
sanitizers."""

import json
import os
import re
import subprocess
import threading
import time

import harness

MIB = 1 << 20
SECONDS = 60 if os.environ.get("ASRTRACE_LONG") else 5
# Shadow memory and quarantine of a sanitizer are no memory of ours.
MOST_RSS = (2000 if os.environ.get("ASRTRACE_COMMAND") else 400) * MIB


class PeakMemory(threading.Thread):
    """Of a process, looked at while it lives."""

    def __init__(self, pid):
        super().__init__(daemon=True)
        self._path = f"/proc/{pid}/status"
        self.rss = 0
        self.start()

    def run(self):
        while True:
            try:
                with open(self._path, encoding="ascii", errors="replace") as file:
                    found = re.search(r"VmHWM:\s+(\d+) kB", file.read())
            except OSError:
                return
            if found is None:
                return
            self.rss = int(found.group(1)) * 1024
            time.sleep(0.2)


class Hostile(harness.LiveTest):

    def assert_not_forged(self, text, where):
        # What stands further in goes on with the line above, and is nobody's own.
        self.assertIsNone(re.search(r"^ {0,3}FORGED", text, re.MULTILINE), where)
        self.assertIsNone(re.search(r"[\x00-\x08\x0b-\x1f\x7f-\x9f]", text), where)

    def render(self, *arguments):
        done = subprocess.run([harness.ASRTRACE, *arguments], capture_output=True, timeout=120)
        self.assertEqual(done.returncode, 0, done.stderr.decode(errors="replace"))
        return done.stdout.decode("utf-8")

    def check(self, *arguments):
        modules = os.path.join(self.directory, "modules")
        os.makedirs(modules, exist_ok=True)
        program = self.start("hostile", "--directory", modules, "--module",
                             os.path.join(harness.PROGS, "libhostile_module.so"), "--seconds",
                             SECONDS, "--seed", self.seed)
        tracer = self.attach(program.pid, *arguments).wait_attached()
        memory = PeakMemory(tracer.pid)
        program.run(SECONDS + 60)
        self.assertEqual(tracer.stop(), 0, tracer.stderr)
        memory.join(10)
        self.assertEqual(program.quit(), 0, "the target was harmed")
        report = tracer.report()
        counts = report["counts"]
        harness.note(f"  {arguments}: {counts['calls']['malloc']} mallocs, "
                     f"{report['requests']['count']} requests, {memory.rss / MIB:.0f} MiB, "
                     f"losses {report['losses']}")
        self.assertGreater(counts["calls"]["malloc"], 1000 * SECONDS, "nothing was seen")
        self.assertIn("FORGED", json.dumps(report), "no name of the target's was read")
        self.assertLess(memory.rss, MOST_RSS)
        self.assertGreater(report["losses"]["modules_failed"], 0, "damaged files are counted")
        unwinding = [note for note in report["notes"] if note.startswith("unwinding: ")]
        self.assertIn(len(unwinding), range(1, 20), "the first few, and how many more")
        self.assertLess(len("".join(report["target"]["cmdline"])), 70_000, "its command line is cut")
        self.assert_not_forged(tracer.stdout, "the report")
        self.assert_not_forged(tracer.stderr, "the progress")
        self.assert_not_forged(self.render("report", tracer.trace_path), "the replay")
        page = os.path.join(self.directory, "page.html")
        self.render("report", tracer.trace_path, "--html", page)
        with open(page, encoding="utf-8") as file:
            self.assertNotRegex(file.read(), r"<script>FORGED|<img src=x")
        # A semicolon ends a frame in the one, and is a character of a name in the other.
        for form, forged in (("folded", r"FORGED;main 9"), ("svg", r"<script>FORGED|<img src=x")):
            picture = self.render("flamegraph", tracer.trace_path, "--kind", "live", "--format",
                                  form, "-o", "-")
            self.assert_not_forged(picture, form)
            self.assertNotRegex(picture, forged)
        return report

    def test_requests_by_http(self):
        report = self.check("--request", "http")
        self.assertGreater(report["requests"]["count"], 0)

    def test_requests_by_its_notes(self):
        self.check("--request", "usdt:asr:request_start,request_done")


if __name__ == "__main__":
    harness.main()
