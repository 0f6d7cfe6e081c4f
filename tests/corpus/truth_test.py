# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""The programs of the corpus against the kernel's and malloc's own counts, without a tracer: what
they say that they made grow is there."""

import os
import sys
import tempfile
import unittest

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, HERE)
import scenario  # noqa: E402
from scenario import harness  # noqa: E402

MIB = 1 << 20
REQUESTS = 200
PACE_US = 100  # so that every thread gets its share
# Growth of RssAnon that is none of the plant's: buffers of requests, stacks, tables of the kernel's.
SLACK = MIB
# With it comes the rest of its last pages, of its stack's first ones, or of the arena's.
SHARE = 0.1
HIDDEN = ("leak_in_free_heap",)  # where RssAnon stays and the heap's free memory goes


class Truth(unittest.TestCase):

    def setUp(self):
        directory = tempfile.TemporaryDirectory(prefix="asrtrace-corpus-")
        self.addCleanup(directory.cleanup)
        self.directory = directory.name

    def run_one(self, name, seed):
        target = scenario.Target(name, seed, self.directory, REQUESTS, PACE_US)
        self.addCleanup(target.end)
        anonymous = scenario.status_bytes(target.pid, "RssAnon")
        files = scenario.status_bytes(target.pid, "RssFile")
        free = scenario.census(target.pid, "--stop")["totals"]["free"]
        truth = target.run()
        grown = scenario.status_bytes(target.pid, "RssAnon") - anonymous
        grown_files = scenario.status_bytes(target.pid, "RssFile") - files
        census = scenario.census(target.pid, "--stop")
        lost, live = target.quit()
        figures = {"anonymous": grown, "files": grown_files,
                   "used_up": free - census["totals"]["free"]}
        if lost is not None:
            figures["false"] = scenario.reach(census, lost)["false"]
        return truth, figures, lost, live

    def check(self, name, seed):
        truth, grown, lost, live = self.run_one(name, seed)
        self.assertEqual(truth["requests"], REQUESTS)
        planted = {"files": 0, "anonymous": 0}
        for growth in truth["growths"]:
            planted["files" if growth["kind"] == "file" else "anonymous"] += growth["chunk_bytes"]
            self.assertGreaterEqual(growth["chunk_bytes"], growth["bytes"])
            self.assertGreater(growth["blocks"], 0)
        if name in HIDDEN:
            self.assertLess(abs(grown["anonymous"]), SLACK)
            self.assertAlmostEqual(grown["used_up"], planted["anonymous"], delta=SLACK)
        else:
            for what, bytes_planted in planted.items():
                self.assertAlmostEqual(grown[what], bytes_planted,
                                       delta=SLACK + SHARE * bytes_planted, msg=f"{what}: {truth}")
        if lost is not None:
            self.assertEqual(grown["false"], 0, "blocks in use are called unreachable")
            self.assertEqual(truth["leaked_blocks"], len(lost))
            self.assertEqual(truth["leaked_chunk_bytes"], sum(lost.values()))
            self.assertEqual(sum(lost.values()), sum(growth["chunk_bytes"] for growth in
                                                     truth["growths"] if growth["kind"] == "leak"))
            self.assertEqual(truth["live_blocks"], len(live))
            self.assertFalse(lost.keys() & live.keys())
        return truth

    def test_every_scenario(self):
        seed = int(os.environ.get("ASRTRACE_SEED") or int.from_bytes(os.urandom(3), "big"))
        harness.note(f"seed {seed}")
        scenarios = scenario.all_scenarios()
        self.assertGreaterEqual(len(scenarios), 24)
        for name in scenarios:
            with self.subTest(name):
                self.check(name, seed)

    def test_names_and_sizes_are_drawn(self):
        """Two runs of a scenario share neither; the same seed repeats both."""
        growths = [self.check("leak_and_cache", seed)["growths"] for seed in (1, 2, 1)]
        self.assertNotEqual([growth["site"] for growth in growths[0]],
                            [growth["site"] for growth in growths[1]])
        self.assertNotEqual([growth["bytes"] for growth in growths[0]],
                            [growth["bytes"] for growth in growths[1]])
        self.assertEqual(growths[0], growths[2])
        self.assertFalse(any("corpus" in growth["site"] for growth in growths[0]))


if __name__ == "__main__":
    unittest.main(verbosity=2)
