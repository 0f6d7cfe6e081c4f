// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#include <fmt/format.h>

#include "user/base/escape.h"
#include "user/base/quantity.h"
#include "user/report/page.h"
#include "user/report/soak.h"
#include "user/report/soak_facts.h"

namespace asrtrace::report {
namespace {

using soak::Check;
using soak::Verdict;

constexpr std::size_t kMostCommand = 2000;

std::string kib(std::int64_t value) {
    return (value < 0 ? "-" : "") + grouped(static_cast<std::uint64_t>(value < 0 ? -value : value));
}

std::string size(std::int64_t kilobytes) {
    return bytes(1024 * static_cast<double>(kilobytes));
}

void put_windows(Page& page, const Verdict& verdict) {
    page.heading("MEDIANS OF THE WINDOWS (KiB)");
    const auto row = [&](std::string_view name, const auto& cell) {
        std::string line = fmt::format("  {:<16}", name);
        for (const auto& window : verdict.windows) line += fmt::format(" {:>14}", cell(window));
        page.line(line);
    };
    using Medians = soak::WindowMedians;
    row("", [](const Medians& at) { return std::string(at.window.name); });
    row("from second", [](const Medians& at) { return kib(at.window.begin); });
    row("before second", [](const Medians& at) { return kib(at.window.end); });
    row("rows", [](const Medians& at) { return grouped(at.rows); });
    for (const soak::Column& column : soak::kColumns)
        if (column.value != &soak::Row::ts)
            row(column.name, [&](const Medians& at) { return kib(at.median.*column.value); });
}

void put_check(Page& page, const char* name, const Check& check, const char* what) {
    page.line(fmt::format("  {:<13} {}  {} {} KiB; PASS to {}, WARN to {}", name,
                          soak::grade_name(check.grade), what, kib(check.change),
                          kib(check.pass_limit), kib(check.warn_limit)));
}

void put_checks(Page& page, const Verdict& verdict) {
    page.heading("CHECKS");
    put_check(page, "PSS", verdict.pss, "early to late grew by");
    put_check(page, "RssAnon", verdict.rss_anon, "early to late grew by");
    put_check(page, "MemAvailable", verdict.mem_available, "baseline to late fell by");
    page.line(fmt::format("  {:<13}       late {} KiB; PASS from {}, WARN from {}, no swap", "",
                          kib(verdict.windows[soak::kLate].median.mem_available),
                          kib(verdict.available_floors.pass), kib(verdict.available_floors.warn)));
    page.line(fmt::format("  {:<13} {}  VmSwap at most {} KiB in all rows; PASS with none", "swap",
                          soak::grade_name(verdict.swap), kib(verdict.most_swap)));
}

const char* meaning(soak::Pattern pattern) {
    switch (pattern) {
        case soak::Pattern::kPlateau:
            return "a healthy plateau: PASS, and PSS after the load is not above that of its end.";
        case soak::Pattern::kFile:
            return "growth of file-backed memory: RssFile grew more than RssAnon while the machine "
                   "has memory available; the kernel drops clean file pages when it needs them.";
        case soak::Pattern::kRetained:
            return "retention by the worker: PSS and RssAnon rose together, and after the load PSS "
                   "stays within 10 % of that growth.";
        case soak::Pattern::kNone:
            break;
    }
    return "no plateau below which PSS stays after the load (A), no growth of file-backed memory "
           "(B), no retention by the worker (C).";
}

/// What free(1) would have shown, from the columns that it reads.
void put_machine(Page& page, const Verdict& verdict, const SoakFacts* facts) {
    const soak::Row& before = verdict.windows[soak::kBaseline].median;
    const soak::Row& late = verdict.windows[soak::kLate].median;
    page.heading("THE MACHINE, IN THE WORDS OF free");
    page.paragraph(
        fmt::format("available: {} of {} late in the load, {} in the baseline. What the kernel "
                    "could give to programs without swapping. Most of the page cache counts as "
                    "available, so files that were read do not make a machine short of memory.",
                    size(late.mem_available), size(late.mem_total), size(before.mem_available)),
        2);
    page.paragraph(
        fmt::format("used: {} late, {} in the baseline. The total less what is available: what "
                    "programs and the kernel hold and cannot give up (free before procps 4 "
                    "leaves other parts of the cache out and shows another figure).",
                    size(late.mem_total - late.mem_available),
                    size(before.mem_total - before.mem_available)),
        2);
    page.paragraph(
        fmt::format("Both are of the whole machine: used changed by {} KiB, the worker's PSS by {} "
                    "KiB. What is between them belongs to other programs or the kernel.",
                    kib(verdict.mem_available.change), kib(late.pss - before.pss)),
        2);
    if (facts != nullptr) put_meminfo(page, *facts);
}

void put_next(Page& page, const Verdict& verdict, const SoakFacts* facts) {
    page.heading("NEXT");
    for (const NextStep& step : next_steps(verdict, facts)) {
        page.paragraph(step.text, 2);
        for (const std::string& command : step.commands)
            page.whole_line("    " + escape_terminal(command, kMostCommand));
    }
}

}  // namespace

std::string soak_text(const Verdict& verdict, const std::string& name, const SoakFacts* facts) {
    Page page;
    page.line(fmt::format("asrtrace: {}, {} rows over {} s, one every {} s", escape_terminal(name),
                          grouped(verdict.rows), kib(verdict.seconds), verdict.step));
    if (verdict.seconds > verdict.planned_seconds + verdict.planned_seconds / 10)
        page.paragraph(fmt::format("The rows go on long behind the end of the run at {} s: are the "
                                   "phases (--baseline, --load, --recovery, --scale) right?",
                                   kib(verdict.planned_seconds)),
                       2);
    put_windows(page, verdict);
    put_checks(page, verdict);
    page.heading("PATTERN");
    page.paragraph(
        fmt::format("{}: {}", soak::pattern_name(verdict.pattern), meaning(verdict.pattern)), 2);
    if (facts != nullptr) {
        page.heading("PSS OVER THE RUN");
        put_chart(page, facts->pss);
        put_why(page, *facts);
        put_events(page, *facts);
        put_load(page, *facts);
    }
    put_machine(page, verdict, facts);
    if (facts == nullptr)
        page.paragraph("A CSV does not tell of OOM kills, failed requests or latency.", 2);
    put_next(page, verdict, facts);
    page.line();
    page.line(fmt::format("OVERALL: {}", soak::grade_name(verdict.overall)));
    return page.take();
}

std::string soak_text_without_verdict(const std::string& reason, const SoakFacts& facts) {
    Page page;
    page.paragraph("asrtrace: no verdict: " + escape_terminal(reason, 500), 0, 2);
    put_events(page, facts);
    put_load(page, facts);
    return page.take();
}

}  // namespace asrtrace::report
