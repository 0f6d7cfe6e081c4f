// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#include "user/report/names.h"

#include <fmt/core.h>

#include <algorithm>

#include "user/base/escape.h"
#include "user/report/page.h"
#include "user/symbols/demangle.h"
#include "user/symbols/display_name.h"

namespace asrtrace::report {

using ledger::Frame;
using ledger::Recording;

std::string shorten_function(std::string_view function) {
    constexpr std::size_t kLimit = 60;
    return symbols::display_name(symbols::without_parameters(function), kLimit);
}

std::string function_of(const Frame& frame) {
    if (!frame.function.empty()) return frame.function;
    if (frame.module.empty()) return "[unknown]";
    return fmt::format("{}+0x{:x}", basename_of(frame.module), frame.module_offset);
}

std::string location_of(const Frame& frame) {
    if (frame.file.empty()) return {};
    const std::string name(basename_of(frame.file));
    return frame.line == 0 ? name : name + ":" + std::to_string(frame.line);
}

namespace {

std::string behind_gap(const std::string& text) {
    return text.empty() ? "" : "  " + text;
}

}  // namespace

std::string place_of(const Frame& frame) {
    return shorten_function(function_of(frame)) + behind_gap(location_of(frame)) +
           behind_gap(std::string(basename_of(frame.module)));
}

std::string place_line(const Frame& frame, std::size_t room) {
    constexpr std::size_t kFunction = 44, kShortest = 12;
    std::string name = clipped(escape_terminal(shorten_function(function_of(frame))), kFunction);
    const std::string location = behind_gap(escape_terminal(location_of(frame), 40));
    const std::string module =
        behind_gap(escape_terminal(std::string(basename_of(frame.module)), 40));
    if (columns_of(name + location + module) <= room) return name + location + module;
    const std::size_t left = room - std::min(room, columns_of(location));
    return clipped(name, std::max(left, kShortest)) + location;
}

std::vector<std::string> marks_of(const Recording& recording, StackId stack) {
    std::vector<std::string> marks;
    const bool known = stack.value < recording.stacks.size();
    const std::uint32_t flags = known ? recording.stacks[stack.value].flags : ledger::kStackFailed;
    if ((flags & ledger::kStackBeforeAttach) != 0)
        marks.emplace_back("[before attach]");
    else if ((flags & ledger::kStackFailed) != 0 || frames_of(recording, stack).empty())
        marks.emplace_back("[unknown]");
    if ((flags & ledger::kStackTruncated) != 0) marks.emplace_back("[truncated]");
    if ((flags & ledger::kStackHeuristic) != 0) marks.emplace_back("[heuristic]");
    return marks;
}

}  // namespace asrtrace::report
