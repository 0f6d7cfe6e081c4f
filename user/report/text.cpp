// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#include "user/report/text.h"

#include <fmt/core.h>

#include <algorithm>

#include "user/base/escape.h"
#include "user/report/names.h"
#include "user/report/quantity.h"
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
    if (!why.empty()) line += fmt::format(" (ended by: {})", escape_terminal(why, 30));
    return line;
}

std::string with_interval(const Slope& slope) {
    if (!slope.ci95) return "about " + bytes(slope.value);
    return fmt::format("{} (95 % interval {})", bytes(slope.value), byte_range(*slope.ci95));
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
        page.paragraph("DAMAGED TRACE, missing: " + escape_terminal(damage, 500), 2);
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
                   2);
}

std::string text(const ledger::Recording& recording, const classify::Summary& summary) {
    Page page;
    const Source source{recording, summary};
    put_headline(page, source);
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
