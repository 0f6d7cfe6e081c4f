// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#include "user/classify/culprit.h"

#include <algorithm>
#include <array>
#include <string_view>

#include "user/base/path.h"

namespace asrtrace::classify {
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

std::vector<const Frame*> frames_of(const Recording& recording, StackId stack) {
    std::vector<const Frame*> frames;
    if (stack.value >= recording.stacks.size()) return frames;
    for (const auto id : recording.stacks[stack.value].frames)
        if (id.value < recording.frames.size()) frames.push_back(&recording.frames[id.value]);
    return frames;
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

}  // namespace asrtrace::classify
