# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""Traces of two builds of a program, in which every address differs, have one site that changed."""

import json
import os
import subprocess

import harness


def symbol_address(program, name):
    listing = subprocess.run(["nm", os.path.join(harness.PROGS, program)], check=True, timeout=60,
                             stdout=subprocess.PIPE).stdout.decode()
    return next(int(line.split()[0], 16) for line in listing.splitlines()
                if line.endswith(" " + name))


def names(site):
    return [frame["function"].rpartition("::")[2] for frame in site["stack"]]


class Rebuilt(harness.LiveTest):

    def recorded(self, name):
        program = self.start(name)
        truth, report, tracer = self.trace(program, "--request", "func:serve_begin,serve_end")
        self.assertEqual(program.quit(), 0)
        self.assertEqual(report["requests"]["count"], truth["requests"])
        self.assert_nothing_lost(report)
        return truth, tracer.trace_path

    def test_two_builds_differ_in_the_one_changed_site(self):
        for function in ("parse_header", "lose_session", "remember", "serve"):
            self.assertNotEqual(symbol_address("base/rebuilt", function),
                                symbol_address("next/rebuilt", function), function)
        before, base = self.recorded("base/rebuilt")
        after, new = self.recorded("next/rebuilt")
        self.assertNotEqual(before["parse_header_loses"], after["parse_header_loses"])

        done = subprocess.run([harness.ASRTRACE, "diff", base, new, "--json", "-"], check=True,
                              timeout=60, stdout=subprocess.PIPE)
        difference = json.loads(done.stdout)
        # malloc's caller.
        named = {names(site)[1]: site for site in difference["sites"]}
        self.assertEqual(set(named), {"parse_header", "lose_session", "remember"})
        self.assertEqual(len(difference["sites"]), 3, "no site is there twice")
        for site in difference["sites"]:
            self.assertTrue(site["in_base"] and site["in_new"], site)
        changed = [name for name, site in named.items() if site["bytes_per_request"]["delta"]]
        self.assertEqual(changed, ["parse_header"])
        self.assertEqual(named["parse_header"]["bytes_per_request"],
                         {"base": before["parse_header_loses"], "new": after["parse_header_loses"],
                          "delta": after["parse_header_loses"] - before["parse_header_loses"]})
        self.assertEqual(difference["sites"][0], named["parse_header"], "what changed comes first")
        moved = [finding for finding in difference["findings"]
                 if finding["bytes_per_request"]["delta"]]
        self.assertEqual(len(moved), 1, difference["findings"])
        self.assertIn("parse_header", names(moved[0]))


if __name__ == "__main__":
    harness.main()
