# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""What the README says of kernels is what they are held to in tests/vm, row by row of doctor:
kernels_test.py ASRTRACE README VM_TESTS."""

import json
import re
import subprocess
import sys
import unittest

COMMAND, README, VM_TESTS = sys.argv[1:4]
sys.path.insert(0, VM_TESTS)
import kernels  # noqa: E402
import matrix  # noqa: E402


class Kernels(unittest.TestCase):

    def test_the_tables_of_the_readme(self):
        with open(README, encoding="utf-8") as file:
            text = file.read()
        cases = len(matrix.CASES)
        for arch in matrix.MACHINES:
            with self.subTest(arch):
                table = kernels.table_in(text, arch)
                columns = []
                for name in re.findall(r"(\d+\.\d+) \|", table.splitlines()[0]):
                    series = kernels.series_of(name)
                    features = kernels.expected(series, arch)
                    columns.append((series, features, 0 if kernels.missing(features) else cases))
                self.assertEqual(len(columns), len(matrix.SUITES))
                self.assertEqual(table, kernels.table(arch, columns, cases))
                self.assertEqual(kernels.with_table(text, arch, table), text)

    def test_the_rows_of_doctor(self):
        done = subprocess.run([COMMAND, "doctor", "--json", "-"], stdout=subprocess.PIPE, check=True)
        rows = json.loads(done.stdout)["features"]
        arch = "arm64" if any(row["name"] == "call_probes" for row in rows) else "amd64"
        self.assertEqual([row["name"] for row in rows], list(kernels.expected((0, 0), arch)))
        self.assertEqual([row["name"] for row in rows if row["required"]], list(kernels.REQUIRED))


if __name__ == "__main__":
    unittest.main(argv=sys.argv[:1], verbosity=2)
