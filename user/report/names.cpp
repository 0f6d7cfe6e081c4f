// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#include "user/report/names.h"

#include <fmt/core.h>

#include <algorithm>
#include <array>

#include "user/symbols/demangle.h"
#include "user/symbols/display_name.h"

namespace asrtrace::report {
namespace {

using ledger::Frame;
using ledger::Recording;

bool is_library_module(std::string_view path) {
    const auto name = basename_of(path);
    return name.starts_with("libc.so") || name.starts_with("libc-") ||
           name.starts_with("libstdc++.so") || name.starts_with("ld-linux");
}

bool is_library_function(std::string_view function) {
    constexpr std::array<std::string_view, 16> kAllocators{
        "operator new",  "malloc",   "calloc", "realloc", "reallocarray", "posix_memalign",
        "aligned_alloc", "memalign", "valloc", "pvalloc", "__libc_",      "__GI_",
        "__gnu_cxx::",   "std::",    "mmap",   "brk"};
    const auto starts = [&](std::string_view prefix) {
        const bool whole_word = prefix.ends_with('_') || prefix.ends_with(':');
        return function.starts_with(prefix) &&
               (whole_word || function.size() == prefix.size() ||
                std::string_view("([ @<").find(function[prefix.size()]) != std::string_view::npos);
    };
    return std::any_of(kAllocators.begin(), kAllocators.end(), starts);
}

/// A template's demangled name begins with its return type.
std::string_view without_return_type(std::string_view function) {
    const auto brackets = function.find_first_of("<(");
    const auto space = function.substr(0, brackets).find(' ');
    if (function.starts_with("operator") || space == std::string_view::npos) return function;
    return function.substr(space + 1);
}

}  // namespace

std::string shorten_function(std::string_view function) {
    constexpr std::size_t kLimit = 60;
    return symbols::display_name(symbols::without_parameters(function), kLimit);
}

std::string_view basename_of(std::string_view path) {
    const auto slash = path.rfind('/');
    return slash == std::string_view::npos ? path : path.substr(slash + 1);
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

std::vector<const Frame*> frames_of(const Recording& recording, StackId stack) {
    std::vector<const Frame*> frames;
    if (stack.value >= recording.stacks.size()) return frames;
    for (const auto id : recording.stacks[stack.value].frames)
        if (id.value < recording.frames.size()) frames.push_back(&recording.frames[id.value]);
    return frames;
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

const Frame* culprit_of(const std::vector<const Frame*>& frames) {
    for (const auto* frame : frames)
        if (!frame->function.empty() && !is_library_module(frame->module) &&
            !is_library_function(without_return_type(frame->function)))
            return frame;
    for (const auto* frame : frames)
        if (!is_library_module(frame->module) && !frame->module.starts_with('[')) return frame;
    return frames.empty() ? nullptr : frames.front();
}

}  // namespace asrtrace::report
