# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""A leak of very many blocks is one finding: each of them is looked up, not the largest only."""

import harness

REQUESTS = 200
LEAKS = 1500
LEAK_BYTES = 64


class ManyLost(harness.LiveTest):

    def test_it_is_one_leak_with_its_stack(self):
        program = self.start("leaky_requests", "--seed", self.seed % 1000003, "--requests", REQUESTS,
                             "--pace-us", 20000, "--leak", LEAK_BYTES, "--leaks", LEAKS)
        spec = f"func:{program.ready['begin']},{program.ready['done']}"
        truth, report, _ = self.trace(program, "--request", spec)
        self.assertEqual(program.quit(), 0)
        self.assert_nothing_lost(report)
        for finding in report["findings"]:
            harness.note(f"  {finding['kind']}/{finding['subkind']} {finding['confidence']} "
                         f"{finding['bytes']} {finding['evidence']}")
        leaks = [each for each in report["findings"] if each["kind"] == "leak"]
        self.assertEqual(len(leaks), 1, leaks)
        self.assertEqual([each for each in report["findings"] if each["kind"] == "cache"], [])
        self.assertEqual(leaks[0]["confidence"], "definite")
        self.assertTrue(any(truth["leak_function"] in frame["function"]
                            for frame in leaks[0]["stack"]), leaks[0])
        self.assertAlmostEqual(leaks[0]["bytes"], truth["leak_total_bytes"],
                               delta=0.05 * truth["leak_total_bytes"])


if __name__ == "__main__":
    harness.main()
