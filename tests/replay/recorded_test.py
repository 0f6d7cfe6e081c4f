# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""Traces recorded from the reference worker (tools/record-traces.sh): each says today, byte for byte,
what is stored beside it, and that is what the worker knows that it planted.

recorded_test.py REPLAY_COMMAND TRACES; with ASRTRACE_BLESS in the environment the stored findings and
verdicts are written anew.
"""

import glob
import gzip
import json
import os
import sys
import tempfile
import unittest

import recorded

# The kind (and what it may be called) that a plant must be found as. A cache by input that has seen
# all inputs has reached its bound.
KINDS = {"leak": ("leak", (None,)), "library": ("leak", (None,)),
         "cache": ("cache", ("unbounded", "bounded")), "keyed": ("cache", ("keyed", "bounded"))}
MOST_BYTES = 10_000_000


def names():
    return sorted(os.path.basename(path)[:-5] for path in glob.glob(os.path.join(TRACES, "*.json")))


def stored(name):
    with open(os.path.join(TRACES, name + ".json"), encoding="utf-8") as file:
        return json.load(file)


class Recorded(unittest.TestCase):

    maxDiff = None

    def test_there_are_enough_and_they_are_small(self):
        self.assertGreaterEqual(len(names()), 8)
        total = sum(os.path.getsize(path) for path in glob.glob(os.path.join(TRACES, "*")))
        self.assertLessEqual(total, MOST_BYTES)

    def unpacked(self, name):
        directory = self.enterContext(tempfile.TemporaryDirectory(prefix="asrtrace-recorded-"))
        path = os.path.join(directory, name + ".asrtrace")
        with gzip.open(os.path.join(TRACES, name + ".asrtrace.gz")) as packed, \
                open(path, "wb") as file:
            file.write(packed.read())
        return path

    def test_each_says_what_is_stored(self):
        for name in names():
            with self.subTest(name):
                expected = stored(name)
                today = recorded.observed(COMMAND, self.unpacked(name))
                if "ASRTRACE_BLESS" in os.environ:
                    expected.update(today)
                    with open(os.path.join(TRACES, name + ".json"), "w", encoding="utf-8") as file:
                        file.write(recorded.text(expected))
                with open(os.path.join(TRACES, name + ".json"), encoding="utf-8") as file:
                    self.assertEqual(file.read(), recorded.text({**expected, **today}))

    def test_plants_are_found(self):
        for name in names():
            for plant in stored(name)["planted"]:
                with self.subTest(f"{name}: {plant['kind']}"):
                    self.check_plant(stored(name)["findings"], plant)

    def check_plant(self, findings, plant):
        if plant["kind"] not in KINDS:
            self.assertIn("retention", [finding["kind"] for finding in findings])
            return
        kind, subkinds = KINDS[plant["kind"]]
        found = [finding for finding in findings if finding["kind"] == kind and any(
            plant["function"] in frame["function"] for frame in finding["stack"])]
        self.assertEqual(len(found), 1, findings)
        self.assertIn(found[0]["subkind"], subkinds)
        self.assertEqual(found[0]["confidence"], "definite")
        if found[0]["subkind"] != "bounded":
            self.assertEqual(found[0]["bytes"], plant["bytes"])

    def test_only_what_was_planted_is_grave(self):
        for name in names():
            expected = stored(name)
            grave = {plant["function"] for plant in expected["planted"]}
            for finding in expected["findings"]:
                if finding["kind"] == "leak" or finding["subkind"] == "unbounded":
                    functions = [frame["function"] for frame in finding["stack"]]
                    self.assertTrue(any(plant in function for plant in grave
                                        for function in functions), (name, finding))
            failing = any(plant["kind"] in ("leak", "library") for plant in expected["planted"])
            if failing:
                self.assertEqual(expected["check"], {"status": 1, "verdict": "FAIL"}, name)
            if not expected["planted"]:
                self.assertEqual(expected["check"], {"status": 0, "verdict": "PASS"}, name)


if __name__ == "__main__":
    COMMAND, TRACES = sys.argv[1:3]
    unittest.main(argv=sys.argv[:1], verbosity=2)
