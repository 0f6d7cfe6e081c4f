// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#include "user/classify/spread.h"

#include <algorithm>
#include <map>
#include <set>
#include <string_view>

#include "user/classify/culprit.h"

namespace asrtrace::classify {
namespace {

constexpr std::size_t kManyPlaces = 50;
constexpr double kNoSmallPart = 0.05;
constexpr double kBelowOneCaller = 0.8;  ///< of the bytes: below a common caller

/// Of the places that a function calls.
struct Caller {
    double bytes = 0;
    double frames = 0;  ///< between it and each byte's allocation, summed up
    double mean_distance() const { return frames / bytes; }
};

/// Without arguments, which tell functions of one name apart and nothing else here.
std::string_view name_of(const ledger::Frame& frame) {
    return std::string_view(frame.function).substr(0, frame.function.find('('));
}

bool is_start(std::string_view function) {
    return function.empty() || function == "main" || function == "_start" ||
           function.starts_with("__libc_start") || function == "start_thread" ||
           function.starts_with("clone");
}

/// Adds the functions from a stack's culprit on, each once.
void add_callers(const std::vector<const ledger::Frame*>& frames, double bytes,
                 std::map<std::string_view, Caller>& callers) {
    const auto* const culprit = culprit_of(frames);
    std::set<std::string_view> seen;
    bool reached = false;
    for (std::size_t i = 0; i < frames.size(); ++i) {
        reached |= frames[i] == culprit;
        const auto name = name_of(*frames[i]);
        if (!reached || is_start(name) || !seen.insert(name).second) continue;
        callers[name].bytes += bytes;
        callers[name].frames += bytes * static_cast<double>(i);
    }
}

}  // namespace

std::optional<Spread> spread_of(const ledger::Recording& recording, const std::vector<Site>& heap) {
    Spread spread;
    double largest = 0;
    std::map<std::string_view, Caller> callers;
    for (const Site& site : heap) {
        const auto bytes = static_cast<double>(site.outlived_bytes);
        if (bytes == 0) continue;
        ++spread.places;
        spread.bytes += bytes;
        largest = std::max(largest, bytes);
        add_callers(frames_of(recording, site.stack), bytes, callers);
    }
    if (spread.places < kManyPlaces || largest > kNoSmallPart * spread.bytes) return std::nullopt;
    spread.largest_share = largest / spread.bytes;
    const Caller* innermost = nullptr;
    for (const auto& [name, caller] : callers) {
        if (caller.bytes < kBelowOneCaller * spread.bytes) continue;
        if (innermost != nullptr && innermost->mean_distance() <= caller.mean_distance()) continue;
        innermost = &caller;
        spread.common_caller = name;
        spread.caller_share = caller.bytes / spread.bytes;
    }
    return spread;
}

}  // namespace asrtrace::classify
