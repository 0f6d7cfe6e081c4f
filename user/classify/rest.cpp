// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#include "user/classify/rest.h"

#include <algorithm>
#include <numeric>
#include <utility>
#include <vector>

namespace asrtrace::classify {
namespace {

constexpr double kGrowingSteps = 2;  ///< the later half of them by the earlier one

std::size_t count_rises(const Changes& changes) {
    std::size_t rises = 0;
    std::uint64_t level = 0;
    for (const auto& [epoch, value] : changes) rises += value > std::exchange(level, value) ? 1 : 0;
    return rises;
}

}  // namespace

std::size_t rises_of(const SiteList& sites) {
    std::size_t rises = 0;
    for (const auto& [stack, history] : sites) rises += count_rises(history->changes);
    return rises;
}

bool rests_by_chance(const SiteList& sites, double settled, double requests) {
    const auto rises = static_cast<double>(rises_of(sites));
    const double expected = rises * (requests - settled) / std::max(settled, 1.0);
    return rises < kSurelyOne || expected < kSurelyOne;
}

bool steps_grow(const Changes& changes) {
    std::vector<double> steps;
    std::uint64_t highest = 0;
    for (const auto& [epoch, value] : changes) {
        if (value <= highest) continue;
        steps.push_back(static_cast<double>(value - highest));
        highest = value;
    }
    const auto half = static_cast<std::ptrdiff_t>(steps.size() / 2);
    return std::accumulate(steps.end() - half, steps.end(), 0.0) >
           kGrowingSteps * std::accumulate(steps.begin(), steps.begin() + half, 0.0);
}

std::uint64_t freed_after(const ledger::Recording& recording, const SiteList& sites,
                          double settled) {
    std::uint64_t freed = 0;
    for (const auto& [stack, history] : sites)
        for (const auto& [epoch, blocks] : history->late_freed)
            if (static_cast<double>(recording.epochs[epoch].requests) > settled) freed += blocks;
    return freed;
}

}  // namespace asrtrace::classify
