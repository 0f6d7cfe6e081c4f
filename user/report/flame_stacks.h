// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
// What a flame graph is drawn from: stacks with their bytes, of one recording or of two.
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

/// A stack by its names, root first.
struct FlameStack {
    std::vector<FlameFrame> frames;
    std::uint64_t bytes = 0;
    std::uint64_t base_bytes = 0;  ///< in the recording that this one is compared with
};

struct Flame {
    FlameKind kind = FlameKind::kGrowth;
    std::string process;  ///< name of the program, unescaped
    std::int64_t start_unix_seconds = 0;
    double seconds = 0;
    std::uint64_t requests = 0;
    bool compared = false;
    std::uint64_t base_requests = 0;
    std::vector<FlameStack> stacks;
};

Flame flame_of(const ledger::Recording& recording, FlameKind kind);

/// Stacks are the same if their functions and modules are; in the order of these. Bytes are as they
/// were held, however many requests led to them.
Flame flame_difference(const ledger::Recording& base, const ledger::Recording& now, FlameKind kind);

}  // namespace asrtrace::report
