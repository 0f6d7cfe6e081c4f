// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#include "user/report/soak_facts.h"

#include <fmt/format.h>

#include <sstream>

#include "user/base/escape.h"
#include "user/base/quantity.h"

namespace asrtrace::report {
namespace {

using load::Latencies;

std::string row(const char* name, const Latencies& latencies) {
    return fmt::format("  {:<8} {:>8} {:>11.1f} {:>11.1f} {:>11.1f} {:>11.1f}", name,
                       grouped(latencies.count()), latencies.percentile(50),
                       latencies.percentile(95), latencies.percentile(99), latencies.most());
}

/// Late against early, at one percentile.
std::string drift(const load::Tally& tally, double percent_rank) {
    const double early = tally.early.percentile(percent_rank);
    const double late = tally.late.percentile(percent_rank);
    if (early <= 0) return "not known";
    return fmt::format("{:+.1f} % (by {:+.1f} ms)", 100 * (late - early) / early, late - early);
}

/// A field of meminfo in bytes; 0 if it is not there.
double field(const std::string& meminfo, const std::string& name) {
    std::istringstream lines(meminfo);
    for (std::string line; std::getline(lines, line);) {
        if (!line.starts_with(name + ":")) continue;
        return 1024 * std::strtod(line.c_str() + name.size() + 1, nullptr);
    }
    return 0;
}

}  // namespace

void put_events(Page& page, const SoakFacts& facts) {
    page.heading("THE WORKER");
    if (facts.events.empty()) page.line("  ran all the time, and answered");
    for (const std::string& event : facts.events)
        page.paragraph("at " + escape_terminal(event, 500), 2, 2);
    page.line(
        fmt::format("  OOM kills       {} on the machine, {} in the worker's cgroup; none "
                    "allowed",
                    facts.machine_oom_kills, facts.cgroup_oom_kills));
}

void put_load(Page& page, const SoakFacts& facts) {
    const load::Tally& tally = facts.tally;
    page.heading("THE LOAD");
    page.line(fmt::format(
        "  {} requests at {:.3f} a second ({:g} asked for), sent at most {:.1f} ms late",
        grouped(tally.requests), tally.mean_rate(), facts.rate, tally.most_late_ms));
    page.line(fmt::format("  {} answered 200, {} failed", grouped(tally.all.count()),
                          grouped(tally.failed())));
    if (facts.unsent > 0)
        page.line(
            fmt::format("  {} more were not sent: the run ended before", grouped(facts.unsent)));
    if (!tally.first_error.empty())
        page.paragraph("the first failure: " + escape_terminal(tally.first_error, 300), 2, 2);
    if (tally.all.count() == 0) return;
    page.line(fmt::format("  {:<8} {:>8} {:>11} {:>11} {:>11} {:>11}", "", "answers", "p50 ms",
                          "p95 ms", "p99 ms", "most ms"));
    page.line(row("all", tally.all));
    page.line(row("early", tally.early));
    page.line(row("late", tally.late));
    page.line(
        fmt::format("  drift early to late: p50 {}, p95 {}", drift(tally, 50), drift(tally, 95)));
    page.line("  Latencies count from when a request was due, so waiting is part of them.");
}

void put_why(Page& page, const SoakFacts& facts) {
    page.heading("WHY");
    if (!facts.traced) page.line("  not known: the run was not traced");
    for (const std::string& sentence : facts.why)
        page.paragraph("- " + escape_terminal(sentence, 500), 2);
}

void put_meminfo(Page& page, const SoakFacts& facts) {
    const std::string& meminfo = facts.late_meminfo;
    if (meminfo.empty()) return;
    const auto of = [&](const char* name) { return field(meminfo, name); };
    const double cache = of("Buffers") + of("Cached") + of("SReclaimable");
    page.paragraph(
        fmt::format("At the end of the load /proc/meminfo said: {} free, that is unused by "
                    "anything; {} of buffers and cache (copies of files and of what the kernel "
                    "looked up there), {} of it shared memory, which cannot be dropped; "
                    "together with what can be dropped the kernel calls {} available.",
                    bytes(of("MemFree")), bytes(cache), bytes(of("Shmem")),
                    bytes(of("MemAvailable"))),
        2);
}

}  // namespace asrtrace::report
