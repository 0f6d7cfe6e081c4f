// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#include "user/symbols/debug_info.h"

#include <dwarf.h>

#include <algorithm>
#include <tuple>
#include <utility>

namespace asrtrace::symbols {
namespace {

constexpr double kBaseSeconds = 5;
constexpr double kSecondsPerByte = 1.0 / (20 << 20U);
/// Of the indexes: ten million functions.
constexpr std::size_t kMaxCostBytes = std::size_t{256} << 20U;
/// While the units are indexed: pages of the file are given back after this much progress.
constexpr std::uint64_t kDropStride = std::uint64_t{16} << 20U;
/// Functions that start before an address without holding it: how many are passed over.
constexpr int kMaxRangesBack = 32;

double budget_seconds(const ElfImage& image) {
    return kBaseSeconds + kSecondsPerByte * static_cast<double>(image.bytes().size());
}

}  // namespace

DebugInfo::DebugInfo(const ElfImage& debug, const ElfImage& code)
    : debug_(&debug), code_(&code), budget_(budget_seconds(debug)) {}

Result<std::unique_ptr<DebugInfo>> DebugInfo::open(const ElfImage& debug, const ElfImage& code,
                                                   const ElfImage* shared,
                                                   std::uint64_t max_inflated_bytes) {
    const std::uint64_t inflated = debug.inflated_debug_bytes();
    if (inflated > max_inflated_bytes) {
        return Error{debug.name() + ": compressed debug sections inflate to " +
                     std::to_string(inflated >> 20U) + " MiB, more than is allowed"};
    }
    std::unique_ptr<DebugInfo> info(new DebugInfo(debug, code));
    info->budget_.resume();
    if (shared != nullptr) {
        info->shared_.reset(dwarf_begin_elf(shared->elf(), DWARF_C_READ, nullptr));
    }
    // libdw would open whatever path the file names, pipes and devices included.
    if (debug.has_section(".gnu_debugaltlink") && info->shared_ == nullptr) {
        return Error{debug.name() + ": its shared debug file (dwz) is not installed"};
    }
    info->dwarf_.reset(dwarf_begin_elf(debug.elf(), DWARF_C_READ, nullptr));
    if (info->dwarf_ == nullptr) return Error{debug.name() + ": " + dwarf_errmsg(-1)};
    if (info->shared_ != nullptr) dwarf_setalt(info->dwarf_.get(), info->shared_.get());
    // dwarf_begin_elf has inflated it if need be.
    info->line_section_ = debug.section_bytes(".debug_line");
    if (info->line_section_.empty()) info->line_section_ = debug.section_bytes(".zdebug_line");
    info->cost_bytes_ += inflated;
    info->index_units();
    info->budget_.pause();
    if (info->exhausted()) return Error{debug.name() + ": its DWARF takes too long to read"};
    if (info->units_index_.empty()) return Error{debug.name() + ": no usable DWARF"};
    return info;
}

/// False once the file has cost what it may, time or memory.
bool DebugInfo::may_go_on() {
    if (cost_bytes_ > kMaxCostBytes) budget_.spend();
    return budget_.step();
}

void DebugInfo::sort_ranges(std::vector<Range>& ranges) {
    std::sort(ranges.begin(), ranges.end(), [](const Range& a, const Range& b) {
        return std::tie(a.begin, a.die_offset) < std::tie(b.begin, b.die_offset);
    });
}

void DebugInfo::add_ranges(Dwarf_Die& die, std::vector<Range>& ranges) {
    Dwarf_Addr base = 0;
    Dwarf_Addr begin = 0;
    Dwarf_Addr end = 0;
    ptrdiff_t next = 0;
    while ((next = dwarf_ranges(&die, next, &base, &begin, &end)) > 0 && may_go_on()) {
        // What the linker discarded sits at 0 or 1 and has no code.
        if (begin >= end || !code_->is_executable(begin)) continue;
        ranges.push_back({begin, end, dwarf_dieoffset(&die)});
        cost_bytes_ += sizeof(Range);
    }
}

void DebugInfo::index_units() {
    Dwarf_CU* unit = nullptr;
    std::uint64_t dropped_at = 0;
    Dwarf_Die die;
    std::uint8_t type = 0;
    while (may_go_on() &&
           dwarf_get_units(dwarf_.get(), unit, &unit, nullptr, &type, &die, nullptr) == 0) {
        if (type != DW_UT_compile && type != DW_UT_partial) continue;
        add_ranges(die, units_index_);
        cost_bytes_ += 256;  // libdw's own note of a unit and its abbreviations
        const std::uint64_t offset = dwarf_dieoffset(&die);
        if (offset < dropped_at + kDropStride) continue;
        debug_->file().drop_pages();
        dropped_at = offset;
    }
    sort_ranges(units_index_);
    units_index_.shrink_to_fit();
}

namespace {

/// The innermost of the ranges that hold `vaddr`; of equals the one that comes first in the file:
/// of an inline function that several units have, the linker keeps the first unit's code, and
/// points all units' descriptions at it. `ranges` is sorted by sort_ranges().
template <typename Range>
const Range* innermost(const std::vector<Range>& ranges, std::uint64_t vaddr) {
    auto range =
        std::upper_bound(ranges.begin(), ranges.end(), vaddr,
                         [](std::uint64_t address, const Range& r) { return address < r.begin; });
    const Range* best = nullptr;
    for (int step = 0; step < kMaxRangesBack && range != ranges.begin(); ++step) {
        --range;
        if (vaddr >= range->end) continue;
        if (best == nullptr || range->end - range->begin <= best->end - best->begin) best = &*range;
    }
    return best;
}

}  // namespace

std::vector<RawFrame> DebugInfo::frames_at(std::uint64_t vaddr, RawFrame& line_only) {
    std::vector<RawFrame> frames;
    const Range* unit_range = exhausted() ? nullptr : innermost(units_index_, vaddr);
    Dwarf_Die unit_die;
    if (unit_range == nullptr ||
        dwarf_offdie(dwarf_.get(), unit_range->die_offset, &unit_die) == nullptr) {
        return frames;
    }
    budget_.resume();
    const Unit& unit = unit_at(unit_die);
    if (unit.lines_usable) place_frame(unit_die, vaddr, line_only);
    Dwarf_Die function;
    const Range* range = innermost(unit.functions, vaddr);
    if (range != nullptr && dwarf_offdie(dwarf_.get(), range->die_offset, &function) != nullptr) {
        std::vector<Dwarf_Die> chain = inline_chain(function, vaddr);
        for (std::size_t i = chain.size(); i-- > 0;) {
            RawFrame frame;
            frame.inlined = i > 0;
            name_frame(chain[i], unit, frame);
            if (i + 1 == chain.size()) {
                frame.file = line_only.file;
                frame.line = line_only.line;
            } else if (unit.lines_usable) {
                place_call(unit_die, chain[i + 1], frame);
            }
            frames.push_back(std::move(frame));
        }
    }
    budget_.pause();
    return frames;
}

std::size_t DebugInfo::take_touched_bytes() {
    return std::exchange(touched_bytes_, 0);
}

}  // namespace asrtrace::symbols
