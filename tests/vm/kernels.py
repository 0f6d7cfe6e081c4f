# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""What each series of kernels must allow, and how the README says it: a kernel under test is held to
this, not to what it says of itself."""

import re

EVER, NEVER = (0, 0), None

# The rows of `asrtrace doctor`, and since which Linux each works (arm64, where it is another one).
SINCE = {
    "capabilities": EVER,
    "bpf": EVER,
    "btf": EVER,
    "ring_buffer": (5, 8),
    "attach_cookie": (5, 15),
    "tracefs": EVER,
    "fault_tracepoints": EVER,
    "exact_rss_stat": (6, 2),
    "socket_tracepoints": (6, 3),
    "uprobe_session": (6, 13),
    "uprobe_multi": (6, 6),
    "perf_uprobe": EVER,
    "seccomp_filter": EVER,
}
SINCE_ON_ARM64 = {**SINCE, "fault_tracepoints": NEVER, "call_probes": NEVER}

# Without these asrtrace does not attach, and names the first that is missing.
REQUIRED = ("capabilities", "bpf", "btf", "ring_buffer", "attach_cookie")
NAMED = {"attach_cookie": "attach cookies"}


def series_of(release):
    """"6.1.0-40-cloud-amd64": (6, 1)"""
    return tuple(int(part) for part in re.findall(r"\d+", release)[:2])


def expected(series, arch):
    """Whether each row of doctor must work."""
    rows = SINCE_ON_ARM64 if arch == "arm64" else SINCE
    return {name: since is not NEVER and series >= since for name, since in rows.items()}


def missing(features):
    """The first requirement that is not met; None: it attaches."""
    return next((name for name in REQUIRED if not features[name]), None)


def attaches(features):
    lacks = missing(features)
    return "yes" if lacks is None else \
        f"no: {NAMED.get(lacks, lacks)} ({'.'.join(map(str, SINCE[lacks]))})"


def by_probes(features, otherwise):
    return "probes" if features["uprobe_multi"] and features.get("call_probes", True) else otherwise


# The table of the README: what is told of a kernel by its features, and of which architectures.
LINES = (
    ("attaches", ("amd64", "arm64"), attaches),
    ("probes of the allocator", ("amd64", "arm64"),
     lambda has: "sessions" if has["uprobe_session"] else
     "uprobe_multi" if has["uprobe_multi"] else "perf uprobes"),
    ("page faults seen by", ("arm64",),
     lambda has: "tracepoints" if has["fault_tracepoints"] else "perf's event"),
    ("mappings followed by", ("amd64", "arm64"), lambda has: by_probes(has, "system calls")),
    ("HTTP requests seen by", ("amd64", "arm64"),
     lambda has: by_probes(has, "sockets" if has["socket_tracepoints"] else "system calls")),
    ("tier `auto`", ("amd64",),
     lambda has: "with windows" if has["uprobe_multi"] else "`full` or `watch`"),
    ("weight of huge-page faults", ("amd64", "arm64"),
     lambda has: "exact" if has["exact_rss_stat"] else "one page each"),
)
TESTS = {"amd64": "live tests: allocations, mappings, faults, requests, HTTP, detach, SIGKILL",
         "arm64": "live tests, as above"}


def table(arch, kernels, tests):
    """Of kernels as (series, features, passed tests), in Markdown."""
    def line(name, cells):
        return f"| {name} | " + " | ".join(cells) + " |"

    rows = [line("", [".".join(map(str, series)) for series, _, _ in kernels]).replace("|  |", "| |"),
            "|---" * (len(kernels) + 1) + "|"]
    for name, arches, word in LINES:
        if arch in arches:
            rows.append(line(name, [word(has) if name == "attaches" or not missing(has) else "-"
                                    for _, has, _ in kernels]))
    rows.append(line(f"{tests} {TESTS[arch]}", [str(passed) for _, _, passed in kernels]))
    return "\n".join(rows) + "\n"


def marks(arch):
    return f"<!-- kernels {arch} -->\n", "<!-- end -->\n"


def table_in(text, arch):
    """The README's table between its marks."""
    begin, end = marks(arch)
    return text.partition(begin)[2].partition(end)[0]


def with_table(text, arch, new):
    """The README with another table."""
    begin, end = marks(arch)
    before, _, rest = text.partition(begin)
    return before + begin + new + end + rest.partition(end)[2]
