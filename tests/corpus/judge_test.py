# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""The judge of the corpus against reports made by hand: what is wrong must be called wrong."""

import copy
import json
import os
import subprocess
import sys
import tempfile
import unittest

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, HERE)
import judge  # noqa: E402

REQUESTS = 300


def growth(kind, subkind="", site="", bytes_per_request=1000, chunk_bytes_per_request=1008):
    return {"kind": kind, "subkind": subkind, "site": site, "blocks": REQUESTS,
            "bytes": REQUESTS * bytes_per_request,
            "chunk_bytes": REQUESTS * chunk_bytes_per_request}


def truth(*growths, scenario="hand_made"):
    return {"scenario": scenario, "seed": 1, "requests": REQUESTS, "growths": list(growths)}


def frame(function, module="/srv/program"):
    return {"function": function, "module": module, "file": None, "line": None}


def stack(*functions):
    return [frame("malloc", "/usr/lib/libc.so.6"), *map(frame, functions), frame("main")]


def finding(kind, subkind=None, per_request=1000.0, confidence="definite", functions=(), total=None):
    return {"id": "F1", "kind": kind, "subkind": subkind,
            "bytes": REQUESTS * per_request if total is None else total,
            "bytes_per_request": per_request, "ci95": [per_request * 0.99, per_request * 1.01],
            "confidence": confidence, "evidence": [], "advice": None, "forecast": None,
            "stack": stack(*functions) if functions else None}


def epoch(total, unexplained):
    return {"t": 1.0, "requests": 10,
            "classes": {"heap.live": total - unexplained, "unexplained": unexplained}}


def report(*findings, epochs=()):
    return {"schema": "asrtrace.report/1", "findings": list(findings), "epochs": list(epochs),
            "memory": {"rss_anon": {"first": 10, "last": 30, "delta": 20}}}


LEAK = growth("leak", site="take_bill")


def result(the_truth, *findings):
    return judge.judge(the_truth, report(*findings))["result"]


class Findings(unittest.TestCase):

    def test_right(self):
        verdict = judge.judge(truth(LEAK), report(finding("leak", functions=["take_bill", "serve"])))
        self.assertEqual(verdict["result"], judge.RIGHT)
        self.assertEqual(verdict["rows"][0]["error"], 0)
        self.assertTrue(verdict["rows"][0]["inside"])
        self.assertEqual(verdict["rss_anon_growth"], 20)
        self.assertEqual(result(truth()), judge.RIGHT)

    def test_a_leak_without_a_place_counts_only_where_allocations_are_sampled(self):
        said = report(finding("leak", functions=[]))
        self.assertNotEqual(judge.judge(truth(LEAK), said)["result"], judge.RIGHT)
        self.assertEqual(judge.judge(truth(LEAK), {**said, "overhead": {"tier": "sites"}})["result"],
                         judge.RIGHT)

    def test_probable_counts_and_chunk_bytes_too(self):
        said = finding("leak", per_request=1008.0, confidence="probable", functions=["take_bill"])
        verdict = judge.judge(truth(LEAK), report(said))
        self.assertEqual(verdict["result"], judge.RIGHT)
        self.assertEqual(verdict["rows"][0]["error"], 0)

    def test_names_with_parameters_are_the_same(self):
        said = finding("leak", functions=["bill::take(unsigned long)"])
        self.assertEqual(result(truth(growth("leak", site="bill::take")), said), judge.RIGHT)

    def test_a_wrong_kind_is_wrong(self):
        for kind, subkind in (("cache", "unbounded"), ("retention", "top"), ("warmup", None),
                              ("stack", None), ("mapped", None), ("file", None)):
            said = finding(kind, subkind, functions=["take_bill"])
            self.assertEqual(result(truth(LEAK), said), judge.WRONG, kind)

    def test_a_wrong_subkind_is_wrong(self):
        cache = growth("cache", "keyed", "take_bill")
        for subkind in ("bounded", "unbounded", None):
            said = finding("cache", subkind, functions=["take_bill"])
            self.assertEqual(result(truth(cache), said), judge.WRONG, subkind)

    def test_a_wrong_function_is_wrong(self):
        for functions in (["sort_seat"], ["sort_seat", "take_bill"], ["take_billing"],
                          ["my_take_bill"]):
            self.assertEqual(result(truth(LEAK), finding("leak", functions=functions)), judge.WRONG,
                             functions)
        self.assertEqual(result(truth(LEAK), finding("leak")), judge.WRONG)

    def test_growth_where_none_is_is_wrong(self):
        self.assertEqual(result(truth(), finding("leak", functions=["a"])), judge.WRONG)
        self.assertEqual(result(truth(), finding("leak", confidence="probable")), judge.EXTRA)
        self.assertEqual(result(truth(), finding("leak", confidence="possible")), judge.RIGHT)

    def test_one_more_than_planted(self):
        right = finding("leak", functions=["take_bill"])
        self.assertEqual(result(truth(LEAK), right, right), judge.WRONG)
        more = finding("cache", "unbounded", confidence="probable")
        self.assertEqual(result(truth(LEAK), right, more), judge.EXTRA)

    def test_one_less_than_planted(self):
        both = truth(LEAK, growth("retention", "fragmentation"))
        leak = finding("leak", functions=["take_bill"])
        self.assertEqual(result(both, leak), judge.MISSED)
        self.assertEqual(result(both, leak, finding("inconclusive")), judge.INCONCLUSIVE)
        self.assertEqual(result(both, leak, finding("retention", "fragmentation")), judge.RIGHT)
        self.assertEqual(result(truth(LEAK)), judge.MISSED)
        self.assertEqual(result(truth(LEAK), finding("leak", confidence="possible",
                                                     functions=["take_bill"])), judge.INCONCLUSIVE)

    def test_a_stripped_library_has_no_inner_name(self):
        hidden = growth("leak", site="fold_menu")
        said = finding("leak", functions=["libzone.so+0x1139", "fold_menu", "serve"])
        self.assertEqual(result(truth(hidden), said), judge.RIGHT)
        said = finding("leak", functions=["libzone.so+0x1139", "serve", "fold_menu"])
        self.assertEqual(result(truth(hidden), said), judge.WRONG)

    def test_what_is_true_besides_is_allowed_up_to_its_size(self):
        stacks = truth(growth("stack"), scenario="thread_stacks")
        right = finding("stack")
        self.assertEqual(result(stacks, right, finding("cache", "unbounded", 300.0)), judge.RIGHT)
        self.assertEqual(result(stacks, right, finding("cache", "unbounded", 3000.0)), judge.WRONG)
        self.assertEqual(result(stacks, right, finding("leak", None, 300.0)), judge.WRONG)
        warm = finding("warmup", total=100_000)
        self.assertEqual(result(truth(), warm), judge.RIGHT)
        self.assertEqual(result(truth(), finding("warmup", total=10 << 20)), judge.WRONG)
        planted = finding("warmup", total=100_000, functions=["take_bill"])
        self.assertEqual(result(truth(LEAK), planted), judge.WRONG)

    def test_not_measured(self):
        unmeasured = report()
        unmeasured["findings"] = None
        verdict = judge.judge(truth(LEAK), unmeasured)
        self.assertEqual(verdict["result"], judge.UNMEASURED)
        self.assertEqual(verdict["unexpected"], [])


class Bytes(unittest.TestCase):

    def error(self, the_growth, said):
        return judge.judge(truth(the_growth), report(said))["rows"][0]

    def test_error_and_interval(self):
        row = self.error(LEAK, finding("leak", per_request=900.0, functions=["take_bill"]))
        self.assertAlmostEqual(row["error"], 0.1)
        self.assertFalse(row["inside"])

    def test_a_bounded_cache_is_measured_by_what_it_holds(self):
        bounded = growth("cache", "bounded")
        said = finding("cache", "bounded", per_request=5.0, total=REQUESTS * 1000 * 1.2)
        row = self.error(bounded, said)
        self.assertAlmostEqual(row["error"], 360_000 / 302_400 - 1)
        self.assertIsNone(row["inside"])

    def test_bytes_that_were_not_told_have_no_error(self):
        said = finding("leak", functions=["take_bill"])
        said["bytes_per_request"] = said["ci95"] = None
        row = self.error(LEAK, said)
        self.assertTrue(row["met"])
        self.assertIsNone(row["error"])
        self.assertIsNone(row["inside"])

    def test_of_two_the_closer_one_is_taken(self):
        small, large = growth("mapped"), growth("mapped", bytes_per_request=9000,
                                                chunk_bytes_per_request=9000)
        verdict = judge.judge(truth(small, large), report(finding("mapped", per_request=9000.0),
                                                          finding("mapped")))
        self.assertEqual([row["error"] for row in verdict["rows"]], [0, 0])


class Books(unittest.TestCase):

    def test_limits(self):
        mib = 1 << 20
        within = judge.judge(truth(), report(epochs=[epoch(50 * mib, 3 * mib)] * 3))["books"]
        self.assertTrue(within["within"])
        over = judge.judge(truth(), report(epochs=[epoch(50 * mib, 5 * mib)] * 3))["books"]
        self.assertFalse(over["within"])
        negative = judge.judge(truth(), report(epochs=[epoch(50 * mib, -5 * mib)] * 3))["books"]
        self.assertFalse(negative["within"])
        large = judge.judge(truth(), report(epochs=[epoch(1000 * mib, 19 * mib)] * 3))["books"]
        self.assertTrue(large["within"])
        once = [epoch(50 * mib, 30 * mib), epoch(50 * mib, 0), epoch(50 * mib, 0)]
        self.assertTrue(judge.judge(truth(), report(epochs=once))["books"]["within"])

    def test_not_measured(self):
        self.assertIsNone(judge.judge(truth(), report())["books"])
        bare = report(epochs=[{"t": 1.0, "requests": 5, "classes": None}])
        self.assertIsNone(judge.judge(truth(), bare)["books"])


class Command(unittest.TestCase):
    """accuracy.py --judge over files."""

    def status(self, the_truth, the_report):
        with tempfile.TemporaryDirectory() as directory:
            paths = [os.path.join(directory, name) for name in ("truth.json", "report.json")]
            for path, value in zip(paths, (the_truth, the_report)):
                with open(path, "w", encoding="utf-8") as file:
                    json.dump(value, file)
            done = subprocess.run([sys.executable, "-B", os.path.join(HERE, "accuracy.py"), "--judge",
                                   *paths], stdout=subprocess.PIPE, text=True, check=False)
            return done.returncode, done.stdout

    def test_exit_status(self):
        right = report(finding("leak", functions=["take_bill"]))
        self.assertEqual(self.status(truth(LEAK), right)[0], 0)
        wrong = copy.deepcopy(right)
        wrong["findings"][0]["kind"] = "mapped"
        status, text = self.status(truth(LEAK), wrong)
        self.assertEqual(status, 1)
        self.assertIn("WRONG", text)
        self.assertEqual(self.status(truth(LEAK), report())[0], 0)


if __name__ == "__main__":
    unittest.main(verbosity=2)
