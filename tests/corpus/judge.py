# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""Judges a report (asrtrace.report/1) by what the program knows of itself. Pure: no process, no file.

A finding counts as said if its confidence is definite or probable. Each growth of the truth must be
met by a finding of its kind, subkind and function. What else is said is wrong if it is definite, and
too much if it is probable, unless the truth has it too (ALLOWED).
"""

import statistics

SAID = ("definite", "probable")
BYTES_TOLERANCE = 0.05
BOOKS_FRACTION = 0.02
BOOKS_BYTES = 4 << 20
MIB = 1 << 20

RIGHT, WRONG, EXTRA, INCONCLUSIVE, MISSED, UNMEASURED = (
    "right", "WRONG", "extra", "inconclusive", "missed", "not measured")

# These stand still at last: what counts is what they hold, not bytes a request.
BOUNDED = (("cache", "bounded"), ("warmup", ""))

# What is true besides what was planted: (kind, what the growth may be: bytes a request or in all).
# A thread that stays brings its stack, its thread-local storage, and what it keeps itself.
A_THREAD = (("stack", 24 << 10), ("cache", 3 << 10))
ALLOWED_PER_REQUEST = {
    # Small blocks that replace ones from before the attach (as many, but those have no stack).
    "retention_fragmentation": (("cache", 256),),
    "leak_and_retention": (("cache", 256),),
    "retention_arenas": tuple((kind, most * 14 / 300) for kind, most in A_THREAD),
    "retention_tcache": tuple((kind, most / 5) for kind, most in A_THREAD),
    "thread_stacks": (("cache", 1 << 10),),
}
# Whatever the scenario: a program that has just begun to serve finds its level.
ALLOWED_IN_ALL = (("warmup", MIB // 2),)

ALLOCATORS = ("malloc", "calloc", "realloc", "reallocarray", "memalign", "posix_memalign",
              "aligned_alloc", "valloc", "pvalloc", "mmap", "mmap64", "operator new")


def own_frames(stack):
    """Names from the innermost function on that is neither libc's nor an allocator's."""
    names = []
    for frame in stack or []:
        module = (frame.get("module") or "").rsplit("/", 1)[-1]
        function = frame.get("function") or ""
        if names or not (module.startswith(("libc.so", "libc-", "ld-linux")) or
                         function.split("(")[0] in ALLOCATORS):
            names.append(function)
    return names


def leads(finding, site):
    """In a stripped library the innermost function has no name: the next one counts, too."""
    names = own_frames(finding.get("stack"))
    if names and names[0].split("+0x")[0].endswith(".so"):
        names = names[1:]
    return bool(names) and names[0].split("(")[0] == site


def kind_of(finding):
    return finding["kind"], finding.get("subkind") or ""


def meets(finding, growth, sampled):
    kind, subkind = kind_of(finding)
    if kind != growth["kind"] or (growth["subkind"] and subkind != growth["subkind"]):
        return False
    if sampled and kind == "leak" and not finding.get("stack"):
        return True  # the census says how much; no sample fell on it to say where
    return not growth["site"] or leads(finding, growth["site"])


def truth_figures(growth, requests):
    """What a finding should say, as asked and as handed out, and whether it is bytes a request."""
    bounded = (growth["kind"], growth["subkind"]) in BOUNDED
    divisor = 1 if bounded else requests
    return growth["bytes"] / divisor, growth["chunk_bytes"] / divisor, not bounded


def compare_bytes(finding, growth, requests):
    """(found, planted, relative error, truth inside of the interval or None)"""
    asked, handed_out, per_request = truth_figures(growth, requests)
    found = finding.get("bytes_per_request") if per_request else finding.get("bytes")
    if found is None:
        return None, asked, None, None
    error = min(abs(found - value) / value for value in (asked, handed_out))
    interval = finding.get("ci95") if per_request else None
    inside = None
    if interval:
        inside = any(interval[0] <= value <= interval[1] for value in (asked, handed_out))
    return found, asked, error, inside


def allowed(finding, truth):
    """Never at a place where something was planted."""
    if any(growth["site"] and leads(finding, growth["site"]) for growth in truth["growths"]):
        return False
    for kind, most in ALLOWED_PER_REQUEST.get(truth["scenario"], ()):
        if finding["kind"] == kind and (finding.get("bytes_per_request") or 0) <= most:
            return True
    return any(finding["kind"] == kind and (finding.get("bytes") or 0) <= most
               for kind, most in ALLOWED_IN_ALL)


def describe(finding):
    kind, subkind = kind_of(finding)
    names = own_frames(finding.get("stack"))
    text = f"{finding.get('confidence')} {kind}{'/' + subkind if subkind else ''}"
    if finding.get("bytes_per_request") is not None:
        text += f" {finding['bytes_per_request']:.0f} B/request"
    return text + (f" in {names[0]}" if names else "")


def pick(growth, said, requests, sampled):
    """Of the findings that meet a growth, the one whose bytes are the closest."""
    meeting = [finding for finding in said if meets(finding, growth, sampled)]

    def distance(finding):
        error = compare_bytes(finding, growth, requests)[2]
        return float("inf") if error is None else error

    return min(meeting, key=distance, default=None)


def judge_findings(truth, findings, sampled):
    """{result, rows of expected growths, unexpected: [{kind, definite, text}]}"""
    left = [finding for finding in findings if finding.get("confidence") in SAID and
            finding["kind"] != "inconclusive"]
    rows = []
    for growth in truth["growths"]:
        finding = pick(growth, left, truth["requests"], sampled)
        row = {"kind": growth["kind"], "subkind": growth["subkind"], "met": finding is not None,
               "planted": truth_figures(growth, truth["requests"])[0], "found": None, "error": None,
               "inside": None, "confidence": None}
        if finding is not None:
            left.remove(finding)
            row["found"], _, row["error"], row["inside"] = compare_bytes(finding, growth,
                                                                         truth["requests"])
            row["confidence"] = finding["confidence"]
        rows.append(row)
    unexpected = [{"kind": finding["kind"], "definite": finding["confidence"] == "definite",
                   "text": describe(finding)}
                  for finding in left if not allowed(finding, truth)]
    if any(one["definite"] for one in unexpected):
        result = WRONG
    elif not all(row["met"] for row in rows):
        unsure = any(finding["kind"] == "inconclusive" or finding.get("confidence") == "possible"
                     for finding in findings)
        result = INCONCLUSIVE if unsure else MISSED
    else:
        result = EXTRA if unexpected else RIGHT
    return {"result": result, "rows": rows, "unexpected": unexpected}


def judge_books(report):
    """{unexplained: median of |unexplained|, limit, within} or None if nothing was measured."""
    classes = [epoch["classes"] for epoch in report.get("epochs") or [] if epoch.get("classes")]
    if not classes:
        return None
    unexplained = statistics.median(abs(books["unexplained"]) for books in classes)
    total = statistics.median(sum(books.values()) for books in classes)
    limit = max(BOOKS_FRACTION * total, BOOKS_BYTES)
    return {"unexplained": unexplained, "limit": limit, "within": unexplained <= limit}


def judge(truth, report):
    findings = report.get("findings")
    sampled = (report.get("overhead") or {}).get("tier") == "sites"
    verdict = judge_findings(truth, findings or [], sampled)
    if findings is None:
        verdict["result"] = UNMEASURED
    rss = (report.get("memory") or {}).get("rss_anon") or {}
    return {"scenario": truth["scenario"], "seed": truth["seed"], **verdict,
            "rss_anon_growth": rss.get("delta"), "books": judge_books(report)}
