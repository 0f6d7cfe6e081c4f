// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#include <fmt/core.h>

#include "user/base/escape.h"
#include "user/base/quantity.h"
#include "user/compare/compare.h"
#include "user/report/names.h"
#include "user/report/page.h"

namespace asrtrace::compare {
namespace {

constexpr std::size_t kRows = 20;

std::string place(const Side& side, StackId stack) {
    const auto* culprit = report::culprit_of(report::frames_of(side.recording, stack));
    if (culprit == nullptr) return "[unknown]";
    const auto location = report::location_of(*culprit);
    return report::shorten_function(report::function_of(*culprit)) +
           (location.empty() ? "" : "  " + location) + "  " +
           std::string(basename_of(culprit->module));
}

std::string finding_label(const Side& side, std::size_t index) {
    const auto& finding = side.analysis.findings[index];
    std::string label = classify::kind_name(finding.kind);
    if (!finding.subkind.empty()) label += ", " + finding.subkind;
    return finding.stacks.empty() ? label : label + ": " + place(side, finding.stacks.front());
}

const char* state_of(bool base, bool now) {
    return base && now ? "" : now ? "new" : "gone";
}

void put_row(report::Page& page, double base, double now, const char* state,
             const std::string& what) {
    page.line(fmt::format("  {:>12} {:>12} {:>12}  {:<4} {}", signed_bytes(now - base), bytes(base),
                          bytes(now), state, escape_terminal(what)));
}

void put_head(report::Page& page, const std::string& heading) {
    page.heading(heading);
    page.line(fmt::format("  {:>12} {:>12} {:>12}", "change", "base", "new"));
}

/// Below a list of `count` of which kRows at most are shown.
void put_rest(report::Page& page, std::size_t count) {
    if (count == 0) page.line("  none on either side");
    if (count > kRows)
        page.line(fmt::format("  ... and {} more (--json lists them)", grouped(count - kRows)));
}

}  // namespace

std::string compare_text(const Side& base, const Side& now, const Difference& difference) {
    report::Page page;
    page.line(fmt::format(
        "asrtrace diff: {} and {} requests; bytes per request, most changed first",
        grouped(base.recording.requests_completed), grouped(now.recording.requests_completed)));
    put_head(page, "FINDINGS");
    for (std::size_t i = 0; i < std::min(difference.findings.size(), kRows); ++i) {
        const FindingChange& change = difference.findings[i];
        put_row(page, change.base_rate, change.now_rate,
                state_of(change.base.has_value(), change.now.has_value()),
                change.now ? finding_label(now, *change.now) : finding_label(base, *change.base));
    }
    put_rest(page, difference.findings.size());
    put_head(page, "SITES, by what outlives its request");
    for (std::size_t i = 0; i < std::min(difference.sites.size(), kRows); ++i) {
        const SiteChange& change = difference.sites[i];
        put_row(page, change.base_rate, change.now_rate,
                state_of(change.base.has_value(), change.now.has_value()),
                change.now ? place(now, *change.now) : place(base, *change.base));
    }
    put_rest(page, difference.sites.size());
    put_head(page, "THE BOOKS, growth from the first to the last reading");
    for (const BookChange& change : difference.books)
        put_row(page, change.base_rate, change.now_rate, "", change.name);
    if (difference.books.empty()) page.line("  not measured on both sides");
    return page.take();
}

}  // namespace asrtrace::compare
