#!/usr/bin/python3
# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""Runs the corpus under the tracer and tells how often its verdicts are right.

accuracy.py [--runs 5] [--tier full|sites|auto] [--scenario NAME]... [--quick] [--seed S] [--keep DIR]
accuracy.py --judge TRUTH.json REPORT.json      judges a report that is there already

Exit status 1: a definite verdict was wrong, a block in use was called unreachable, or a run failed.
"""

import argparse
import collections
import json
import os
import random
import subprocess
import sys

import judge
import scenario

QUICK = ("leak_in_free_heap", "leak_in_one_thread", "cache_by_length", "queue_that_stays",
         "retention_fragmentation", "steady_and_busy")
REACH_SHARE = 0.98
FAILED = "FAILED"


def number(value):
    return "-" if value is None else f"{value:,.0f}"


def kib(value):
    return number(value / 1024)


def percent(value):
    return "-" if value is None else f"{100 * value:.1f} %"


def expected_text(verdict):
    kinds = [row["kind"] + (f"/{row['subkind']}" if row["subkind"] else "")
             for row in verdict["rows"]]
    return " + ".join(kinds) or "nothing"


def print_run(verdict, out=sys.stdout):
    """One line a growth, and one for what was said besides."""
    rss = verdict["rss_anon_growth"]
    head = f"{verdict['scenario']:26} {verdict['result']:12} RSS {number(rss and rss / 1024)} KiB"
    books = verdict["books"]
    if books:
        head += f", unexplained {number(books['unexplained'] / 1024)} KiB"
        head += "" if books["within"] else " TOO MUCH"
    for name in ("unstopped", "stopped"):
        found = verdict.get(f"reach_{name}")
        if found:
            head += f", reach {name} {percent(found['share'])}"
            head += f" {found['false']} FALSE" if found["false"] else ""
    print(head, file=out)
    for row in verdict["rows"]:
        subkind = f"/{row['subkind']}" if row["subkind"] else ""
        mark = "" if row["inside"] is None or row["inside"] else ", outside of its interval"
        print(f"    {row['kind']}{subkind}: planted {number(row['planted'])}, "
              f"found {number(row['found'])}, error {percent(row['error'])}{mark}"
              f"{'' if row['met'] or verdict['result'] == judge.UNMEASURED else '  NOT SAID'}", file=out)
    for one in verdict["unexpected"]:
        print(f"    besides: {one['text']}", file=out)
    out.flush()


def cell(values, show):
    """median (worst) of what is there."""
    known = sorted(value for value in values if value is not None)
    if not known:
        return "-"
    middle, last = show(known[len(known) // 2]), show(known[-1])
    return middle if middle == last else f"{middle} ({last})"


def print_table(verdicts, out=sys.stdout):
    """A row a scenario over its runs; figures are medians, the worst behind them."""
    print("| scenario | expected | right | other results | error of bytes | growth of RssAnon, KiB | "
          "unexplained, KiB | unreachable found, unstopped / stopped |", file=out)
    print("|---|---|---|---|---|---|---|---|", file=out)
    for name, runs in verdicts.items():
        results = collections.Counter(run["result"] for run in runs)
        others = ", ".join(f"{result} {count}" for result, count in results.items()
                           if result != judge.RIGHT)
        errors = [row["error"] for run in runs for row in run["rows"]]
        shares = [[(run[f"reach_{how}"] or {}).get("share") for run in runs]
                  for how in ("unstopped", "stopped")]
        lowest = [min((share for share in each if share is not None), default=None)
                  for each in shares]
        print(f"| {name} | {expected_text(runs[-1])} | {results[judge.RIGHT]} of {len(runs)} | "
              f"{others} | {cell(errors, percent)} | "
              f"{cell([run['rss_anon_growth'] for run in runs], kib)} | "
              f"{cell([(run['books'] or {}).get('unexplained') for run in runs], kib)} | "
              f"{percent(lowest[0])} / {percent(lowest[1])} |", file=out)


def kinds_table(runs):
    """{kind: [planted, met, said besides]}"""
    kinds = collections.defaultdict(lambda: [0, 0, 0])
    for run in runs:
        for row in run["rows"]:
            kinds[row["kind"]][0] += 1
            kinds[row["kind"]][1] += row["met"]
        for one in run["unexpected"]:
            kinds[one["kind"]][2] += 1
    return kinds


def print_reach(runs, how, out):
    """One line; how many blocks in use were called unreachable."""
    readings = [run[f"reach_{how}"] for run in runs if run.get(f"reach_{how}")]
    shares = [one["share"] for one in readings if one["share"] is not None]
    mean = sum(shares) / len(shares) if shares else None
    false = sum(one["false"] or 0 for one in readings)
    print(f"reachability, {how}: {percent(mean)} of the lost bytes found in the mean of "
          f"{len(shares)} readings, {sum(share >= REACH_SHARE for share in shares)} of them 98 % "
          f"and more, the least {percent(min(shares, default=None))}; {false} blocks in use "
          f"reported; {sum(one['false'] is None for one in readings)} readings rejected", file=out)
    return false


def print_totals(verdicts, out=sys.stdout):
    """Precision and recall by kind, and the lines that the corpus is to show. True: all is well."""
    runs = [run for each in verdicts.values() for run in each]
    if all(run["result"] == judge.UNMEASURED for run in runs):
        print("\nverdicts: not measured (the reports have no findings)", file=out)
    else:
        print("\n| kind | planted | precision | recall |\n|---|---|---|---|", file=out)
        for kind, (planted, met, besides) in sorted(kinds_table(runs).items()):
            said = met + besides
            print(f"| {kind} | {planted} | {percent(met / said if said else None)} | "
                  f"{percent(met / planted if planted else None)} |", file=out)
    wrong = sum(run["result"] == judge.WRONG for run in runs)
    right = sum(all(run["result"] == judge.RIGHT for run in each) for each in verdicts.values())
    unsure = [name for name, each in verdicts.items()
              if sum(run["result"] == judge.INCONCLUSIVE for run in each) > 1]
    leaks = [row for run in runs for row in run["rows"] if row["kind"] == "leak" and row["met"]]
    close = sum(row["error"] is not None and row["error"] <= judge.BYTES_TOLERANCE
                for row in leaks)
    inside = [row["inside"] for row in leaks if row["inside"] is not None]
    books = [run["books"]["within"] for run in runs if run["books"]]
    failed = sum(run["result"] == FAILED for run in runs)
    print(f"\n{len(runs)} runs: {failed} failed, {wrong} with a wrong definite verdict; {right} of {len(verdicts)} "
          f"scenarios right in all runs; inconclusive more than once: {', '.join(unsure) or 'none'}",
          file=out)
    print(f"leaks: {close} of {len(leaks)} within 5 % of the planted bytes a request, "
          f"{sum(inside)} of {len(inside)} intervals hold them", file=out)
    print(f"books: unexplained within its limit in {sum(books)} of {len(books)} runs", file=out)
    false = print_reach(runs, "unstopped", out) + print_reach(runs, "stopped", out)
    return failed == 0 and wrong == 0 and false == 0


def judge_run(result):
    """The verdict over one scenario.trace()."""
    verdict = judge.judge(result["truth"], result["report"])
    verdict.update({key: result[key] for key in ("reach_unstopped", "reach_stopped")})
    return verdict


def no_verdict(name, seed):
    """The program or the tracer failed: no other run suffers by it, and all is not well."""
    return {"scenario": name, "seed": seed, "result": FAILED, "rows": [], "unexpected": [],
            "rss_anon_growth": None, "books": None, "reach_unstopped": None, "reach_stopped": None}


def run_all(options):
    verdicts = collections.defaultdict(list)
    for run in range(options.runs):
        for name in options.scenario:
            seed = (options.seed + run) % (1 << 31)
            try:
                result = scenario.trace(name, seed, options.tier)
            except (AssertionError, EOFError, OSError, subprocess.SubprocessError) as error:
                print(f"{name}, seed {seed}: {error}", flush=True)
                verdicts[name].append(no_verdict(name, seed))
                continue
            verdict = judge_run(result)
            verdicts[name].append(verdict)
            print_run(verdict)
            if options.keep:
                keep(options.keep, f"{name}-{seed}", result, verdict)
    return verdicts


def keep(directory, name, result, verdict):
    os.makedirs(directory, exist_ok=True)
    for part, value in (("truth", result["truth"]), ("report", result["report"]),
                        ("verdict", verdict)):
        with open(os.path.join(directory, f"{name}.{part}.json"), "w", encoding="utf-8") as file:
            json.dump(value, file, indent=1)
    with open(os.path.join(directory, f"{name}.txt"), "w", encoding="utf-8") as file:
        file.write(result["text"])


def parse(arguments):
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--tier", choices=("full", "sites", "auto"), default="full")
    parser.add_argument("--scenario", action="append", help="only these; repeatable")
    parser.add_argument("--quick", action="store_true", help=f"one run of {', '.join(QUICK)}")
    parser.add_argument("--seed", type=int, help="of the first run; drawn if not given")
    parser.add_argument("--keep", help="a directory for truths, reports and verdicts")
    parser.add_argument("--judge", nargs=2, metavar=("TRUTH", "REPORT"))
    return parser.parse_args(arguments)


def judge_files(truth_path, report_path):
    with open(truth_path, encoding="utf-8") as truth, open(report_path, encoding="utf-8") as report:
        verdict = judge.judge(json.load(truth), json.load(report))
    print_run(verdict)
    return 1 if verdict["result"] == judge.WRONG else 0


def main(arguments):
    options = parse(arguments)
    if options.judge:
        return judge_files(*options.judge)
    known = scenario.all_scenarios()
    unknown = set(options.scenario or ()) - set(known)
    if unknown:
        print(f"no such scenario: {', '.join(sorted(unknown))}; there are {', '.join(known)}",
              file=sys.stderr)
        return 2
    if options.quick:
        options.runs = 1
    options.scenario = options.scenario or (QUICK if options.quick else known)
    if options.seed is None:
        options.seed = random.SystemRandom().randrange(1 << 31)
    print(f"seed {options.seed}, tier {options.tier}, {options.runs} runs of "
          f"{len(options.scenario)} scenarios\n", flush=True)
    verdicts = run_all(options)
    print()
    print_table(verdicts)
    return 0 if print_totals(verdicts) else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
