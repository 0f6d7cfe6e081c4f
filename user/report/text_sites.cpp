// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
// The parts of the text report that list stacks.
#include <fmt/core.h>

#include <algorithm>
#include <vector>

#include "user/base/escape.h"
#include "user/report/names.h"
#include "user/report/quantity.h"
#include "user/report/text_parts.h"

namespace asrtrace::report {
namespace {

using classify::Site;
using ledger::Frame;

constexpr std::size_t kRows = 10;          ///< lines of a table
constexpr std::size_t kDetailed = 6;       ///< stacks shown whole
constexpr std::size_t kMaxFrames = 24;     ///< lines of a stack
constexpr std::size_t kFrameColumns = 58;  ///< of a function's name, before location and module

std::string marks_text(const Source& source, StackId stack) {
    std::string out;
    for (const auto& mark : marks_of(source.recording, stack)) out += " " + mark;
    return out;
}

/// The stack in one line: the function to blame, where, and its module.
std::string one_line(const Source& source, StackId stack) {
    const auto frames = frames_of(source.recording, stack);
    const auto* frame = culprit_of(frames);
    const auto marks = marks_text(source, stack);
    if (frame == nullptr) return marks.empty() ? "[unknown]" : marks.substr(1);
    const auto location = location_of(*frame);
    const auto module = std::string(basename_of(frame->module));
    std::string out = clipped(escape_terminal(shorten_function(function_of(*frame))), 44);
    if (!location.empty()) out += "  " + escape_terminal(location, 40);
    if (!module.empty()) out += "  " + escape_terminal(module, 40);
    return out + marks;
}

void put_stack(Page& page, const Source& source, StackId stack) {
    const auto frames = frames_of(source.recording, stack);
    for (std::size_t i = 0; i < frames.size() && i < kMaxFrames; ++i) {
        const Frame& frame = *frames[i];
        const auto name =
            clipped(escape_terminal(shorten_function(function_of(frame))), kFrameColumns);
        const std::string pad(kFrameColumns - std::min(columns_of(name), kFrameColumns), ' ');
        page.line(fmt::format("       {}{}  {:<18}  {}", name, pad,
                              escape_terminal(location_of(frame), 40),
                              escape_terminal(basename_of(frame.module), 40)));
    }
    if (frames.size() > kMaxFrames)
        page.line(fmt::format("       ... {} more", frames.size() - kMaxFrames));
}

struct Row {
    const char* kind;
    const Site* site;
};

std::vector<Row> grown(const Source& source) {
    std::vector<Row> rows;
    for (const auto& site : source.summary.heap)
        if (site.outlived_bytes != 0) rows.push_back({"heap", &site});
    for (const auto& site : source.summary.mapped)
        if (site.outlived_bytes != 0) rows.push_back({"mapped", &site});
    std::stable_sort(rows.begin(), rows.end(), [](const Row& a, const Row& b) {
        return a.site->outlived_bytes > b.site->outlived_bytes;
    });
    return rows;
}

}  // namespace

void put_growth(Page& page, const Source& source) {
    page.heading(
        fmt::format("GROWTH BY STACK: what outlived its {}, held at the end", source.unit()));
    const auto rows = grown(source);
    if (rows.empty()) return page.line("  none");
    page.line(fmt::format("  {:>12}  {:>10}  {:<6}  {}", "bytes", "blocks", "kind", "where"));
    for (std::size_t i = 0; i < std::min(rows.size(), kRows); ++i)
        page.line(fmt::format("  {:>12}  {:>10}  {:<6}  {}", bytes(rows[i].site->outlived_bytes),
                              grouped(rows[i].site->outlived_blocks), rows[i].kind,
                              one_line(source, rows[i].site->stack)));
    if (rows.size() > kRows)
        page.line(fmt::format("  ... and {} more stacks", rows.size() - kRows));
}

void put_left_behind(Page& page, const Source& source) {
    const char* unit = source.unit();
    page.heading(fmt::format("BYTES LEFT BEHIND PER {}, BY STACK (slope over {}s)",
                             unit[0] == 'r' ? "REQUEST" : "INTERVAL", unit));
    std::size_t number = 0, others = 0;
    for (const auto& site : source.summary.heap) {
        if (!site.per_request || site.outlived_bytes == 0 || site.per_request->value <= 0) continue;
        if (number == kDetailed) {
            ++others;
            continue;
        }
        const auto& ci = site.per_request->ci95;
        page.line(fmt::format(
            "  {:>2}. {} per {}, {}; live {} in {} blocks{}", ++number,
            bytes(site.per_request->value), unit,
            ci ? "95 % interval " + byte_range(*ci) : "too few points for an interval",
            bytes(site.live_bytes), grouped(site.live_blocks), marks_text(source, site.stack)));
        put_stack(page, source, site.stack);
    }
    if (number == 0) page.line("  none");
    if (others != 0) page.line(fmt::format("  ... and {} more stacks (--json lists them)", others));
}

void put_faults(Page& page, const Source& source) {
    page.heading("MEMORY TOUCHED FOR THE FIRST TIME, BY STACK (page faults)");
    auto sites = source.summary.faults;
    std::erase_if(sites, [](const Site& site) { return site.allocated_bytes == 0; });
    if (sites.empty()) return page.line("  none sampled");
    std::stable_sort(sites.begin(), sites.end(), [](const Site& a, const Site& b) {
        return a.allocated_bytes > b.allocated_bytes;
    });
    page.line(fmt::format("  {:>12}  {:>16}  {}", "bytes", fmt::format("per {}", source.unit()),
                          "where"));
    for (std::size_t i = 0; i < std::min(sites.size(), kRows); ++i)
        page.line(fmt::format("  {:>12}  {:>16}  {}", bytes(sites[i].allocated_bytes),
                              sites[i].per_request ? bytes(sites[i].per_request->value) : "-",
                              one_line(source, sites[i].stack)));
    if (sites.size() > kRows)
        page.line(fmt::format("  ... and {} more stacks", sites.size() - kRows));
}

}  // namespace asrtrace::report
