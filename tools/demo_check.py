#!/usr/bin/python3
# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""Compares a report with what the reference worker knows of itself.

demo_check.py stats PORT FILE   saves the worker's GET /stats
demo_check.py check DIR         load.json, stats.json, demo.json, growth.svg in DIR
"""

import json
import os
import sys
import urllib.request

MIN_ACCURACY = 0.70
MIN_REQUESTS = 150
TOLERANCE = 0.05


def stats(port):
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/stats", timeout=10) as answer:
        return json.load(answer)


def leak_mismatches(truth, report):
    """Lines on what differs between /stats and the report's first site; none: they agree."""
    plant = next(plant for plant in truth["plants"] if plant["kind"] == "leak")
    wrong = []
    if not report["sites"]:
        return ["the report has no site"]
    site = report["sites"][0]
    if not any(plant["function"] in frame["function"] for frame in site["stack"]):
        names = [frame["function"] for frame in site["stack"][:4]]
        wrong.append(f"the first site is {names}, not {plant['function']}")
    asked, found = plant["bytes_per_request"], site["bytes_per_request"]
    if found is None or abs(found - asked) > TOLERANCE * asked:
        wrong.append(f"{found} bytes a request in the report, {asked} in /stats")
    if report["requests"]["count"] != truth["requests"]:
        wrong.append(f"{report['requests']['count']} requests in the report, "
                     f"{truth['requests']} in /stats")
    return wrong


def read(directory, name):
    with open(os.path.join(directory, name), encoding="utf-8") as file:
        return json.load(file)


def check(directory):
    load = read(directory, "load.json")
    truth, report = read(directory, "stats.json"), read(directory, "demo.json")
    wrong = leak_mismatches(truth, report)
    if load["failed"] or load["requests"] < MIN_REQUESTS:
        wrong.append(f"{load['requests']} requests, {load['failed']} of them failed")
    if load["word_accuracy"] < MIN_ACCURACY:
        wrong.append(f"word accuracy {load['word_accuracy']:.1%}")
    with open(os.path.join(directory, "growth.svg"), encoding="utf-8") as file:
        if "<svg" not in file.read():
            wrong.append("growth.svg is no SVG")
    print(f"word accuracy {load['word_accuracy']:.1%} over {load['requests']} requests")
    if not wrong:
        plant, site = truth["plants"][0], report["sites"][0]
        print(f"planted: {plant['bytes_per_request']} bytes a request in {plant['function']}")
        print(f"found:   {site['bytes_per_request']:.1f} bytes a request "
              f"[{site['ci95'][0]:.1f}, {site['ci95'][1]:.1f}]")
    for line in wrong:
        print(f"WRONG: {line}", file=sys.stderr)
    return 1 if wrong else 0


def main(arguments):
    if len(arguments) == 3 and arguments[0] == "stats":
        with open(arguments[2], "w", encoding="utf-8") as file:
            json.dump(stats(int(arguments[1])), file, indent=1)
        return 0
    if len(arguments) == 2 and arguments[0] == "check":
        return check(arguments[1])
    print(__doc__, file=sys.stderr)
    return 2


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
