# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""`analyze` as a command: its exit status, its last line, what it says on which stream:
analyze_test.py COMMAND DATA."""

import json
import subprocess
import sys
import tempfile
import unittest

COMMAND, DATA = sys.argv[1:3]
HEALTHY, LEAK = DATA + "/worker_healthy.csv", DATA + "/worker_leak.csv"
SCALED = ["--scale", "1/20"]


def analyze(file, *options):
    return subprocess.run([COMMAND, "analyze", file, *options], capture_output=True, text=True,
                          check=False)


class Analyze(unittest.TestCase):
    def expect(self, done, status, said=""):
        self.assertEqual(done.returncode, status, done)
        self.assertIn(said, done.stderr)
        self.assertEqual(bool(done.stderr), status > 1, done)
        self.assertEqual(bool(done.stdout), status < 2, done)

    def changed(self, change):
        """The healthy run, its lines changed."""
        file = tempfile.NamedTemporaryFile("w", suffix=".csv")
        self.addCleanup(file.close)
        with open(HEALTHY, encoding="ascii") as source:
            lines = source.read().splitlines(keepends=True)
        change(lines)
        file.writelines(lines)
        file.flush()
        return file.name

    def test_pass(self):
        done = analyze(HEALTHY, *SCALED)
        self.expect(done, 0)
        self.assertEqual(done.stdout.splitlines()[-1], "OVERALL: PASS")

    def test_fail(self):
        done = analyze(LEAK, *SCALED)
        self.expect(done, 1)
        self.assertEqual(done.stdout.splitlines()[-1], "OVERALL: FAIL")

    def test_phases_instead_of_a_scale(self):
        phases = ["--baseline", "15", "--load", "180", "--recovery", "45"]
        self.assertEqual(analyze(LEAK, *phases).stdout, analyze(LEAK, *SCALED).stdout)

    def test_json(self):
        done = analyze(LEAK, *SCALED, "--json", "-")
        self.expect(done, 1)
        verdict = json.loads(done.stdout)
        self.assertEqual((verdict["schema"], verdict["overall"]), ("asrtrace.soak/1", "FAIL"))
        with tempfile.TemporaryDirectory() as directory:
            path = directory + "/verdict.json"
            done = analyze(LEAK, *SCALED, "--json", path)
            self.expect(done, 1)
            self.assertEqual(done.stdout.splitlines()[-1], "OVERALL: FAIL")
            with open(path, encoding="utf-8") as file:
                self.assertEqual(json.load(file), verdict)

    def test_malformed(self):
        def header(lines):
            lines[0] = lines[0].replace("Pss_kB", "Pss")

        def row(lines):
            lines[7] = lines[7].replace(",", ";")

        self.expect(analyze(self.changed(header), *SCALED), 2, "line 1:")
        self.expect(analyze(self.changed(row), *SCALED), 2, "line 8:")
        self.expect(analyze("/nonexistent.csv"), 2, "/nonexistent.csv")
        self.expect(analyze(LEAK, "--scale", "20"), 2, "--scale")
        self.expect(analyze(LEAK, "--baseline", "0"), 2, "--baseline")

    def test_insufficient(self):
        def gap(lines):
            del lines[100:110]

        def short(lines):
            del lines[150:]

        self.expect(analyze(self.changed(gap), *SCALED), 3, "gap")
        self.expect(analyze(self.changed(short), *SCALED), 3, "recovery [225,240)")
        self.expect(analyze(HEALTHY), 3, "short")


if __name__ == "__main__":
    unittest.main(argv=sys.argv[:1])
