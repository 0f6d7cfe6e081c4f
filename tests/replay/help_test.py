# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""--help of asrtrace and of each verb: help_test.py ASRTRACE."""

import re
import subprocess
import sys
import unittest

COMMAND = sys.argv[1]
COLUMNS = 100


def help_of(*verb):
    done = subprocess.run([COMMAND, *verb, "--help"], capture_output=True, text=True, check=True)
    return done.stdout


class Help(unittest.TestCase):
    def expect_narrow(self, text):
        self.assertEqual([line for line in text.splitlines() if len(line) > COLUMNS], [])

    def test_every_verb_has_an_example_and_fits_a_terminal(self):
        overview = help_of()
        self.expect_narrow(overview)
        verbs = re.findall(r"^  ([a-z]+)  ", overview[overview.index("Subcommands:"):], re.M)
        self.assertEqual(sorted(verbs), sorted((
            "analyze", "attach", "census", "check", "diff", "doctor", "experiment", "flamegraph",
            "report", "run", "soak")))
        for verb in verbs:
            with self.subTest(verb):
                text = help_of(verb)
                self.expect_narrow(text)
                self.assertRegex(text, r"(?s)Example:.*asrtrace " + verb)

    def test_what_a_verb_exits_with(self):
        for verb in ("analyze", "attach", "census", "check", "experiment", "flamegraph", "run",
                     "soak"):
            with self.subTest(verb):
                self.assertRegex(help_of(verb), r"(?s)Exit status: 0 .*2 ")
        for verb in ("census", "flamegraph"):
            self.assertRegex(help_of(verb), r"(?s)Exit status: .* 3 ")


if __name__ == "__main__":
    unittest.main(argv=sys.argv[:1], verbosity=2)
