// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
// The parts of the text report that say what was found: findings, books, retention.
#include <fmt/core.h>

#include <algorithm>
#include <map>
#include <string>
#include <vector>

#include "user/base/escape.h"
#include "user/base/quantity.h"
#include "user/classify/path_shares.h"
#include "user/report/sources.h"
#include "user/report/text_parts.h"

namespace asrtrace::report {
namespace {

using classify::Finding;
using classify::FindingKind;

constexpr std::size_t kArenas = 5;
constexpr std::size_t kPlaces = 3;
constexpr std::size_t kFindingsOfAKind = 10;  ///< shown whole

const char* title_of(FindingKind kind) {
    switch (kind) {
        case FindingKind::kLeak:
            return "LEAK";
        case FindingKind::kCache:
            return "CACHE";
        case FindingKind::kRetention:
            return "RETENTION";
        case FindingKind::kMapped:
            return "MAPPINGS";
        case FindingKind::kStack:
            return "STACKS";
        case FindingKind::kFile:
            return "FILE PAGES";
        case FindingKind::kWarmup:
            return "WARM-UP";
        case FindingKind::kInconclusive:
            return "INCONCLUSIVE";
    }
    return "";
}

std::string rate_of(const Source& source, const Finding& finding) {
    if (!finding.per_request) return {};
    std::string rate = fmt::format(", {} per {}", bytes(finding.per_request->value), source.unit());
    if (finding.per_request->ci95)
        rate += fmt::format(" (95 % interval {})", byte_range(*finding.per_request->ci95));
    return rate;
}

/// Blocks that no site is known of were there before, or were not sampled.
std::string pin_line(const Source& source, StackId stack, std::size_t room) {
    return stack == kUnknownStack ? "[before attach or not sampled]"
                                  : one_line(source, stack, room);
}

/// Free memory that blocks of these stacks keep from being given back, at the last reading.
std::uint64_t pinned_bytes(const Source& source, const std::vector<StackId>& stacks) {
    std::uint64_t total = 0;
    for (const auto& arena : source.recording.arenas)
        if (arena.pin_address != 0 &&
            std::find(stacks.begin(), stacks.end(), arena.pin_stack) != stacks.end())
            total += arena.resident_free;
    return total;
}

/// Stacks that read the same in one line are told once.
void put_culprits(Page& page, const Source& source, const Finding& finding) {
    constexpr std::size_t kRoom = 62;
    std::vector<std::pair<std::string, std::vector<StackId>>> places;
    for (const StackId stack : finding.stacks) {
        std::string line = pin_line(source, stack, kRoom);
        const auto known = std::find_if(places.begin(), places.end(),
                                        [&](const auto& place) { return place.first == line; });
        if (known != places.end())
            known->second.push_back(stack);
        else
            places.emplace_back(std::move(line), std::vector{stack});
    }
    for (std::size_t i = 0; i < std::min(places.size(), kPlaces); ++i) {
        const auto& [line, stacks] = places[i];
        page.line(finding.kind == FindingKind::kRetention
                      ? fmt::format("       {} now pinned by {}",
                                    bytes(pinned_bytes(source, stacks)), line)
                      : fmt::format("       by {}", line));
    }
    if (places.size() > kPlaces)
        page.line(fmt::format("       and {} more places", places.size() - kPlaces));
}

/// Whose requests hold it, where requests have paths.
void put_path_shares(Page& page, const Source& source, const Finding& finding) {
    if (finding.kind == FindingKind::kRetention) return;  // its stacks are the pins'
    const auto shares = classify::path_shares(source.recording, finding.stacks);
    std::string line;
    for (std::size_t i = 0; i < std::min(shares.size(), kPlaces); ++i)
        line += fmt::format("{}{} {}", i == 0 ? "" : ", ", percent(shares[i].fraction),
                            shares[i].path == 0
                                ? "of no request in particular"
                                : escape_terminal(source.recording.paths[shares[i].path].path, 60));
    if (!line.empty()) page.paragraph("- held by requests of: " + line, 7);
}

void put_finding(Page& page, const Source& source, const Finding& finding, std::size_t number) {
    page.line(fmt::format("  {}. {}{}{}, {}: {}{}", number, title_of(finding.kind),
                          finding.subkind.empty() ? "" : ", ", finding.subkind,
                          classify::confidence_name(finding.confidence), bytes(finding.bytes),
                          rate_of(source, finding)));
    put_culprits(page, source, finding);
    for (const auto& line : finding.evidence) page.paragraph("- " + escape_terminal(line, 500), 7);
    put_path_shares(page, source, finding);
    if (finding.forecast)
        page.line(fmt::format(
            "       - {} to rest at {}, after about {:.0f} {}s",
            finding.forecast->at_request <= static_cast<double>(source.recording.requests_completed)
                ? "came"
                : "will come",
            bytes(finding.forecast->plateau_bytes), finding.forecast->at_request, source.unit()));
    if (!finding.advice.empty()) page.paragraph("=> " + escape_terminal(finding.advice, 500), 7);
}

/// Findings of one kind that are not shown one by one.
struct Omitted {
    std::size_t count = 0;
    double bytes = 0;
    double rate = 0;  ///< bytes per request
};

void put_omitted(Page& page, const Source& source, FindingKind kind, const Omitted& rest) {
    std::string line = fmt::format("  ... and {} more of {}: {}", grouped(rest.count),
                                   title_of(kind), bytes(rest.bytes));
    if (rest.rate > 0) line += fmt::format(", {} per {}", bytes(rest.rate), source.unit());
    page.line(line + " (--json lists them)");
}

/// The first of each kind, so that thousands of one do not hide the others; the rest added up.
void put_each(Page& page, const Source& source) {
    std::map<FindingKind, std::size_t> shown;
    std::map<FindingKind, Omitted> omitted;
    std::size_t number = 0;
    for (const Finding& finding : source.findings) {
        if (++shown[finding.kind] <= kFindingsOfAKind) {
            put_finding(page, source, finding, ++number);
            continue;
        }
        Omitted& rest = omitted[finding.kind];
        ++rest.count;
        rest.bytes += finding.bytes;
        rest.rate += finding.per_request ? finding.per_request->value : 0;
    }
    for (const auto& [kind, rest] : omitted) put_omitted(page, source, kind, rest);
}

}  // namespace

void put_findings(Page& page, const Source& source) {
    page.heading("FINDINGS");
    if (source.findings.empty() && source.recording.requests_completed < classify::kFewestRequests)
        return page.line(fmt::format("  none: {} {}s are too few to tell growth from chance",
                                     source.recording.requests_completed, source.unit()));
    if (source.findings.empty()) return page.line("  none: no growth that lasts");
    put_each(page, source);
    if (const double rest = classify::unaccounted_growth(source.recording, source.findings);
        rest > 0)
        page.line(fmt::format("  In no finding: {} of the growth; the books say where it is.",
                              bytes(rest)));
}

void put_books(Page& page, const Source& source) {
    page.heading("THE BOOKS: where the resident anonymous memory is");
    const auto& readings = source.recording.readings;
    if (readings.empty()) return page.line("  not measured: the heap was not read (see the notes)");
    const auto first = book_classes(readings.front().books);
    const auto last = book_classes(readings.back().books);
    page.line(fmt::format("  {:<14} {:>12} {:>12} {:>13}", "", "first", "last", "change"));
    const auto row = [&](const char* name, std::int64_t from, std::int64_t to) {
        const auto signless = [](std::int64_t value) {
            return (value < 0 ? "-" : "") + bytes(static_cast<double>(value < 0 ? -value : value));
        };
        page.line(fmt::format("  {:<14} {:>12} {:>12} {:>13}", name, signless(from), signless(to),
                              signed_bytes(static_cast<double>(to - from))));
    };
    for (std::size_t i = 0; i < first.size(); ++i)
        row(first[i].first, first[i].second, last[i].second);
    row("sum", readings.front().books.total(), readings.back().books.total());
    page.line(fmt::format(
        "  {} readings of the heap, {:.1f} to {:.1f} s; the last saw {} chunks in use in {} arenas",
        readings.size(), static_cast<double>(readings.front().t_ns) * 1e-9,
        static_cast<double>(readings.back().t_ns) * 1e-9, grouped(readings.back().live_chunks),
        readings.back().arenas));
}

void put_retention(Page& page, const Source& source) {
    const auto& recording = source.recording;
    if (recording.readings.empty()) return;
    constexpr std::size_t kRoom = 42;
    const auto& last = recording.readings.back();
    page.heading("FREED BUT STILL RESIDENT, by arena");
    page.line(fmt::format("  {} in all; malloc_trim(0) would give back {}",
                          bytes(last.books.heap_retained), bytes(last.releasable)));
    page.line(fmt::format("  {:>12}  {:>12}  {:>12}  {}", "free", "releasable", "arena",
                          "kept from shrinking by"));
    for (std::size_t i = 0; i < std::min(recording.arenas.size(), kArenas); ++i) {
        const auto& arena = recording.arenas[i];
        std::string by = "nothing in use";
        if (arena.pin_address != 0)
            by = fmt::format("{} by {}", bytes(arena.pin_bytes),
                             pin_line(source, arena.pin_stack, kRoom));
        page.line(fmt::format("  {:>12}  {:>12}  {:>12}  {}", bytes(arena.resident_free),
                              bytes(arena.releasable), bytes(arena.size), by));
    }
    if (recording.arenas.size() > kArenas)
        page.line(fmt::format("  ... and {} more arenas", recording.arenas.size() - kArenas));
}

}  // namespace asrtrace::report
