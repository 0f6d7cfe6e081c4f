// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#include "user/report/text.h"

#include <fmt/core.h>

#include <algorithm>
#include <cmath>

#include "user/base/escape.h"
#include "user/base/quantity.h"
#include "user/report/names.h"
#include "user/report/text_parts.h"

namespace asrtrace::report {
namespace {

using classify::Slope;
using ledger::RequestSource;

std::string head_line(const Source& source) {
    const auto& recording = source.recording;
    const auto& target = recording.target;
    std::string line = fmt::format(
        "asrtrace: {} (pid {})",
        target.exe.empty() ? "unknown process" : escape_terminal(basename_of(target.exe), 60),
        target.pid);
    if (!recording.totals_known) return line;
    if (recording.request_source != RequestSource::kNone)
        line += fmt::format(", {} {}s", grouped(recording.requests_completed), source.unit());
    line += fmt::format(" in {:.1f} s", recording.window.seconds);
    const auto& why = recording.window.ended_by;
    if (!why.empty()) line += fmt::format(" (ended by: {})", escape_terminal(why, 60));
    return line;
}

std::string with_interval(const Slope& slope) {
    if (!slope.ci95) return "about " + bytes(slope.value);
    return fmt::format("{} (95 % interval {})", bytes(slope.value), byte_range(*slope.ci95));
}

/// The books begin with the first reading of the heap; what came before is told by procfs alone.
std::string before_the_books(const Source& source) {
    constexpr double kWorthTelling = 1 << 20;
    const char* what = "Resident anonymous memory";
    const auto& sampled = source.summary.memory.rss_anon;
    const auto& first = source.recording.readings.front();
    if (!sampled) return what;
    const double earlier =
        static_cast<double>(first.books.total()) - static_cast<double>(sampled->first);
    if (std::abs(earlier) < kWorthTelling) return what;
    return fmt::format(
        "{} changed by {} in the first {:.1f} s, before the heap was read. Since then it", what,
        signed_bytes(earlier), static_cast<double>(first.t_ns) * 1e-9);
}

/// Where the growth went, by the books.
std::string about_books(const Source& source) {
    const auto& first = source.recording.readings.front().books;
    const auto& last = source.recording.readings.back().books;
    const auto change = [](auto from, auto to) {
        return signed_bytes(static_cast<double>(to) - static_cast<double>(from));
    };
    const auto outside = [](const ledger::Books& books) {
        return books.total() - static_cast<std::int64_t>(books.heap_live + books.heap_retained);
    };
    return fmt::format(
        "{} changed by {}: {} that the program holds, {} that it freed and malloc keeps, {} "
        "outside of malloc.",
        before_the_books(source), change(first.total(), last.total()),
        change(first.heap_live, last.heap_live), change(first.heap_retained, last.heap_retained),
        change(outside(first), outside(last)));
}

std::string about_growth(const Source& source) {
    const auto& slope = source.summary.heap_per_request;
    const char* unit = source.unit();
    if (source.recording.epochs.empty() || !slope)
        return fmt::format(
            "No completed {}s with traced allocations: growth per {} cannot be told.", unit, unit);
    if (!slope->ci95)
        return fmt::format("Too few {}s to tell growth from chance; each left {} behind.", unit,
                           with_interval(*slope));
    if (slope->rises())
        return fmt::format("Each {} leaves {} of heap behind.", unit, with_interval(*slope));
    const auto& heap = source.summary.heap;
    if (!heap.empty() && heap.front().per_request && heap.front().per_request->rises())
        return fmt::format(
            "Single sites grow with every {}; the heap as a whole moves up and down too much to "
            "tell: "
            "{}.",
            unit, with_interval(*slope));
    return fmt::format("No growth of the heap per {} shows: {}.", unit, with_interval(*slope));
}

}  // namespace

void put_headline(Page& page, const Source& source) {
    page.line(head_line(source));
    page.line();
    for (const auto& damage : source.recording.damage)
        page.paragraph("DAMAGED TRACE, missing: " + escape_terminal(damage, 500), 2, 2);
    if (!source.recording.readings.empty()) return page.paragraph(about_books(source), 2);
    page.paragraph(about_growth(source), 2);
    const auto& total = source.summary.heap_per_request;
    if (!total || total->value <= 0 || source.summary.heap.empty()) return;
    const auto& site = source.summary.heap.front();
    if (!site.per_request || site.per_request->value <= 0) return;
    const auto frames = frames_of(source.recording, site.stack);
    const auto* culprit = culprit_of(frames);
    std::string name = culprit == nullptr ? "[unknown]" : shorten_function(function_of(*culprit));
    if (culprit != nullptr && !location_of(*culprit).empty()) name += ", " + location_of(*culprit);
    page.paragraph(fmt::format("First by size: {}: {} per {}.", escape_terminal(name, 300),
                               bytes(site.per_request->value), source.unit()),
                   2, 2);
}

std::string text(const ledger::Recording& recording, const classify::Analysis& analysis) {
    Page page;
    const Source source{recording, analysis.summary, analysis.findings};
    put_headline(page, source);
    put_findings(page, source);
    put_books(page, source);
    put_retention(page, source);
    put_memory(page, source);
    put_growth(page, source);
    put_left_behind(page, source);
    put_faults(page, source);
    put_requests(page, source);
    put_counts(page, source);
    put_overhead(page, source);
    put_losses(page, source);
    return page.take();
}

}  // namespace asrtrace::report
