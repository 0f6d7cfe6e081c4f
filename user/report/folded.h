// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
// Stacks with weights, and their folded form "root;caller;leaf BYTES", one line a stack, as
// Brendan Gregg's FlameGraph, speedscope and others read it.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "user/classify/findings.h"
#include "user/ledger/recording.h"

namespace asrtrace::report {

enum class FlameKind : std::uint8_t {
    kLive,       ///< heap bytes held at the end
    kGrowth,     ///< of these, what outlived its request
    kFaults,     ///< bytes touched for the first time
    kLeak,       ///< what outlived its request at the stacks that findings call leaks
    kCache,      ///< the same of caches
    kRetention,  ///< free resident bytes of each arena, by who allocated what pins it
};

std::optional<FlameKind> flame_kind(std::string_view name);
const char* flame_name(FlameKind kind);  ///< as flame_kind takes it
const char* flame_title(FlameKind kind);

struct WeighedStack {
    StackId stack;
    std::uint64_t bytes = 0;
};

/// In the order of their ids, none of them empty.
std::vector<WeighedStack> weighed_stacks(const ledger::Recording& recording,
                                         const std::vector<classify::Finding>& findings,
                                         FlameKind kind);
/// The same; what the findings are is found out where the kind needs them.
std::vector<WeighedStack> weighed_stacks(const ledger::Recording& recording, FlameKind kind);

/// Why there is no such stack, and what to do about it.
std::string why_empty(const ledger::Recording& recording, FlameKind kind);

/// What a stack is drawn as, root first: functions, unescaped; a truncated stack begins with
/// "[truncated]", an unknown one is "[unknown]" or "[before attach]" alone.
struct FlameFrame {
    std::string name;
    std::string location;  ///< "file:line" or empty
    std::string module;    ///< basename or empty
    std::string file{};    ///< as the debug information has it, or empty
    std::uint32_t line = 0;
};
std::vector<FlameFrame> flame_frames(const ledger::Recording& recording, StackId stack);

/// Lines in the order of their text, equal ones summed. Semicolons in names become colons.
std::string folded(const ledger::Recording& recording, const std::vector<WeighedStack>& stacks);

}  // namespace asrtrace::report
