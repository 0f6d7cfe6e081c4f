# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""Requests: what each leaves behind, by stack, with an interval; where they come from; how the
run ends on them."""

import statistics

import harness


def function_of(site, name):
    return any(name in frame["function"] for frame in site["stack"])


# Long enough for a dozen epochs of a quarter of a second: an interval needs five.
PACE_US = 6000


class Requests(harness.LiveTest):

    def leak(self, *arguments, request=None, requests=400):
        program = self.start("leaky_requests", "--seed", self.seed % 1000003, "--requests",
                             requests, *(arguments or ("--pace-us", PACE_US)))
        spec = request or f"func:{program.ready['begin']},{program.ready['done']}"
        truth, report, tracer = self.trace(program, "--request", spec)
        self.assertEqual(program.quit(), 0)
        self.assert_nothing_lost(report)
        return truth, report, tracer

    def check_leak(self, truth, report):
        sites = report["sites"]
        self.assertTrue(sites, "no site outlives its request")
        first = sites[0]
        harness.note(f"  truth {truth['leak_bytes_per_request']} in {truth['leak_function']}, "
                     f"first site {first['bytes_per_request']} {first['ci95']} in "
                     f"{first['stack'][0]['function']}, {first['live_bytes']} live")
        self.assertTrue(function_of(first, truth["leak_function"]), first["stack"])
        wanted = truth["leak_bytes_per_request"]
        self.assertIsNotNone(first["ci95"], "no interval")
        low, high = first["ci95"]
        self.assertLessEqual(abs(first["bytes_per_request"] - wanted), 0.05 * wanted)
        self.assertLessEqual(low, first["bytes_per_request"])
        self.assertGreaterEqual(high, first["bytes_per_request"])
        self.assertEqual(first["live_bytes"], truth["leak_total_bytes"])

    def test_leak_between_two_functions(self):
        truth, report, _ = self.leak()
        self.check_leak(truth, report)
        self.assertEqual(report["requests"]["source"], "func")
        self.assertEqual(report["requests"]["count"], truth["requests"])
        latency = report["requests"]["latency_ms"]
        self.assertLessEqual(0, latency["p50"])
        self.assertLessEqual(latency["p50"], latency["p95"])
        self.assertLessEqual(latency["p95"], latency["p99"])
        self.assertGreater(report["requests"]["attributed_fraction"], 0.95)

    def test_cache_is_no_growth(self):
        """A bounded cache fills in the first requests and then leaves nothing behind."""
        truth, report, _ = self.leak(requests=600)
        cache = [site for site in report["sites"] if function_of(site, truth["cache_function"])]
        for site in cache:
            harness.note(f"  cache: {site['bytes_per_request']} {site['ci95']} bytes a request")
            self.assertLess(site["bytes_per_request"], 0.1 * truth["leak_bytes_per_request"] + 8)
            self.assertLessEqual(site["live_bytes"], truth["cache_bytes"])

    def test_own_buffers_are_not_left_behind(self):
        _, report, _ = self.leak()
        for site in report["sites"]:
            self.assertFalse(function_of(site, "answer") and site["live_bytes"] > 0, site)

    def test_plain_intervals(self):
        truth, report, _ = self.leak("--pace-us", 10000, request="every:0.2")
        self.assertEqual(report["requests"]["source"], "every")
        self.assertGreaterEqual(report["requests"]["count"], 15)
        self.assertTrue(function_of(report["sites"][0], truth["leak_function"]))

    def test_auto_says_what_it_took(self):
        program = self.start("idle")
        _, report, tracer = self.trace(program, "--request", "auto")
        self.assertEqual(report["requests"]["source"], "every")
        self.assertIn("every:10", tracer.stdout + tracer.stderr)

    def test_spread_of_leaks(self):
        """Five draws; the error of the slope does not depend on the size."""
        errors = []
        for run in range(5):
            program = self.start("leaky_requests", "--seed", (self.seed + run) % 1000003,
                                 "--requests", 300, "--pace-us", PACE_US)
            truth, report, _ = self.trace(
                program, "--request", f"func:{program.ready['begin']},{program.ready['done']}")
            self.check_leak(truth, report)
            self.assertEqual(program.quit(), 0)
            errors.append(abs(report["sites"][0]["bytes_per_request"] /
                              truth["leak_bytes_per_request"] - 1))
        harness.note(f"  median error {100 * statistics.median(errors):.3f} %")


if __name__ == "__main__":
    harness.main()
