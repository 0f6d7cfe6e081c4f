// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
// The parts of the text report that list stacks.
#include <fmt/core.h>

#include <algorithm>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "user/base/escape.h"
#include "user/base/quantity.h"
#include "user/report/names.h"
#include "user/report/text_parts.h"

namespace asrtrace::report {
namespace {

using classify::Site;
using ledger::Frame;

constexpr std::size_t kRows = 10;          ///< lines of a table
constexpr std::size_t kMappedRows = 5;     ///< of that of mappings
constexpr std::size_t kDetailed = 6;       ///< stacks shown whole
constexpr std::size_t kMaxFrames = 24;     ///< lines of a stack
constexpr std::size_t kWhereColumns = 66;  ///< of a place in a table
constexpr std::size_t kFrameColumns = 58;  ///< of a function's name, before location and module

std::string marks_text(const Source& source, StackId stack) {
    std::string out;
    for (const auto& mark : marks_of(source.recording, stack)) out += " " + mark;
    return out;
}

}  // namespace

std::string one_line(const Source& source, StackId stack, std::size_t room) {
    const auto frames = frames_of(source.recording, stack);
    const auto* frame = culprit_of(frames);
    const auto marks = marks_text(source, stack);
    if (frame == nullptr) return marks.empty() ? "[unknown]" : marks.substr(1);
    return place_line(*frame, room - std::min(room, columns_of(marks))) + marks;
}

namespace {

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

/// Sites that read the same in one line, added up: a function that a JIT compiler generated anew
/// for each shape has a stack for each of them.
struct Row {
    std::string where;
    std::uint64_t bytes = 0;
    std::uint64_t blocks = 0;
    std::optional<double> per_request;
};

std::vector<Row> rows_by_place(const Source& source, const std::vector<Site>& sites,
                               std::uint64_t Site::*bytes, std::uint64_t Site::*blocks) {
    std::vector<Row> rows;
    std::map<std::string, std::size_t> index;
    for (const Site& site : sites) {
        if (site.*bytes == 0) continue;
        const auto [entry, added] =
            index.try_emplace(one_line(source, site.stack, kWhereColumns), rows.size());
        if (added) rows.push_back({entry->first, 0, 0, std::nullopt});
        Row& row = rows[entry->second];
        row.bytes += site.*bytes;
        row.blocks += site.*blocks;
        if (site.per_request)
            row.per_request = row.per_request.value_or(0) + site.per_request->value;
    }
    std::stable_sort(rows.begin(), rows.end(),
                     [](const Row& a, const Row& b) { return a.bytes > b.bytes; });
    return rows;
}

void put_held(Page& page, const std::vector<Row>& rows, std::size_t limit) {
    if (rows.empty()) return page.line("  none");
    page.line(fmt::format("  {:>12}  {:>10}  {}", "bytes", "blocks", "where"));
    for (std::size_t i = 0; i < std::min(rows.size(), limit); ++i)
        page.line(fmt::format("  {:>12}  {:>10}  {}", bytes(rows[i].bytes), grouped(rows[i].blocks),
                              rows[i].where));
    if (rows.size() > limit)
        page.line(fmt::format("  ... and {} more places", rows.size() - limit));
}

}  // namespace

void put_growth(Page& page, const Source& source) {
    page.heading(
        fmt::format("GROWTH BY STACK: heap held at the end that outlived its {}, or is of none",
                    source.unit()));
    put_held(
        page,
        rows_by_place(source, source.summary.heap, &Site::outlived_bytes, &Site::outlived_blocks),
        kRows);
    page.heading("ADDRESS SPACE MAPPED SINCE, BY STACK (mmap and brk; not all of it is memory)");
    put_held(page,
             rows_by_place(source, source.summary.mapped, &Site::live_bytes, &Site::live_blocks),
             kMappedRows);
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
    const auto rows = rows_by_place(source, source.summary.faults, &Site::allocated_bytes,
                                    &Site::allocated_blocks);
    if (rows.empty()) return page.line("  none sampled");
    page.line(fmt::format("  {:>12}  {:>16}  {}", "bytes", fmt::format("per {}", source.unit()),
                          "where"));
    for (std::size_t i = 0; i < std::min(rows.size(), kRows); ++i)
        page.line(fmt::format("  {:>12}  {:>16}  {}", bytes(rows[i].bytes),
                              rows[i].per_request ? bytes(*rows[i].per_request) : "-",
                              rows[i].where));
    if (rows.size() > kRows)
        page.line(fmt::format("  ... and {} more places", rows.size() - kRows));
}

}  // namespace asrtrace::report
