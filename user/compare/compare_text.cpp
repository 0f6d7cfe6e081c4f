// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#include <fmt/core.h>

#include <algorithm>
#include <cmath>

#include "user/base/escape.h"
#include "user/base/quantity.h"
#include "user/compare/compare.h"
#include "user/report/names.h"
#include "user/report/page.h"

namespace asrtrace::compare {
namespace {

constexpr std::size_t kRows = 20;

/// Columns that are left to a place behind the figures.
constexpr std::size_t kRoom = report::kPageColumns - 47;

std::string place(const Side& side, StackId stack, std::size_t room) {
    const auto* culprit = report::culprit_of(report::frames_of(side.recording, stack));
    return culprit == nullptr ? "[unknown]" : report::place_line(*culprit, room);
}

std::string finding_label(const Side& side, std::size_t index) {
    const auto& finding = side.analysis.findings[index];
    std::string label = classify::kind_name(finding.kind);
    if (!finding.subkind.empty()) label += ", " + finding.subkind;
    if (finding.stacks.empty()) return label;
    label += ": ";
    return label + place(side, finding.stacks.front(), kRoom - std::min(kRoom, label.size()));
}

const char* state_of(bool base, bool now) {
    return base && now ? "" : now ? "new" : "gone";
}

void put_row(report::Page& page, double base, double now, const char* state,
             const std::string& what) {
    page.line(fmt::format("  {:>12} {:>12} {:>12}  {:<4} {}", signed_bytes(now - base), bytes(base),
                          bytes(now), state, what));
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

bool has_rate(const FindingChange& change) {
    return change.base_rate != 0 || change.now_rate != 0;
}

void put_findings(report::Page& page, const Side& base, const Side& now,
                  const std::vector<FindingChange>& changes) {
    const auto put = [&](const FindingChange& change, double before, double after) {
        put_row(page, before, after, state_of(change.base.has_value(), change.now.has_value()),
                change.now ? finding_label(now, *change.now) : finding_label(base, *change.base));
    };
    std::size_t rates = 0, others = 0;
    put_head(page, "FINDINGS that go on, bytes per request");
    for (const FindingChange& change : changes)
        if (has_rate(change) && ++rates <= kRows) put(change, change.base_rate, change.now_rate);
    put_rest(page, rates);
    put_head(page, "OTHER FINDINGS, bytes in all");
    for (const FindingChange& change : changes)
        if (!has_rate(change) && ++others <= kRows)
            put(change, change.base_bytes, change.now_bytes);
    put_rest(page, others);
}

/// A site that is on both sides and grows alike is no news.
bool is_news(const SiteChange& change) {
    return std::abs(change.now_rate - change.base_rate) >= 0.5;
}

void put_sites(report::Page& page, const Side& base, const Side& now,
               const std::vector<SiteChange>& changes) {
    put_head(page, "SITES, by what outlives its request, bytes per request");
    std::size_t shown = 0;
    for (const SiteChange& change : changes) {
        if (!is_news(change) || shown == kRows) break;  // the most changed come first
        ++shown;
        put_row(page, change.base_rate, change.now_rate,
                state_of(change.base.has_value(), change.now.has_value()),
                change.now ? place(now, *change.now, kRoom) : place(base, *change.base, kRoom));
    }
    const std::size_t rest = changes.size() - shown;
    if (changes.empty()) page.line("  none on either side");
    if (rest != 0)
        page.line(fmt::format("  ... and {} {} (--json lists them)", grouped(rest),
                              shown == kRows ? "more" : "that changed by less than a byte"));
}

/// What is missing on one side looks like a change.
void put_damage(report::Page& page, const Side& side, const char* name) {
    for (const auto& damage : side.recording.damage)
        page.paragraph(
            fmt::format("DAMAGED TRACE ({}), missing: {}", name, escape_terminal(damage, 500)), 2);
}

}  // namespace

std::string compare_text(const Side& base, const Side& now, const Difference& difference) {
    report::Page page;
    page.line(fmt::format("asrtrace diff: {} and {} requests; most changed first",
                          grouped(base.recording.requests_completed),
                          grouped(now.recording.requests_completed)));
    put_damage(page, base, "base");
    put_damage(page, now, "new");
    put_findings(page, base, now, difference.findings);
    put_sites(page, base, now, difference.sites);
    put_head(page,
             "THE BOOKS, growth per request from the first to the last reading (check has limits)");
    for (const BookChange& change : difference.books)
        put_row(page, change.base_rate, change.now_rate, "", change.name);
    if (difference.books.empty()) page.line("  not measured on both sides");
    return page.take();
}

}  // namespace asrtrace::compare
