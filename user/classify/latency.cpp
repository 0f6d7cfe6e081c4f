// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#include "user/classify/latency.h"

#include <algorithm>
#include <map>

#include "user/base/bytes.h"

namespace asrtrace::classify {
namespace {

using Distribution = std::map<std::uint64_t, std::uint64_t>;

/// The smallest value that at least `percent` of `total` do not exceed.
std::uint64_t percentile(const Distribution& distribution, std::uint64_t total,
                         std::uint64_t percent) {
    const std::uint64_t rank = total / 100 * percent + (total % 100 * percent + 99) / 100;
    std::uint64_t seen = 0;
    for (const auto& [value, count] : distribution) {
        seen += count;
        if (seen >= rank) return value;
    }
    return distribution.rbegin()->first;
}

}  // namespace

std::optional<Latency> latency(const ledger::Recording& recording) {
    Distribution distribution;
    std::uint64_t total = 0;
    const auto add = [&](std::uint64_t value, std::uint64_t count) {
        const auto sum = checked_add(total, count);
        if (!sum || count == 0) return;
        total = *sum;
        distribution[value] += count;
    };
    for (const auto& request : recording.requests)
        add(request.end_ns - std::min(request.begin_ns, request.end_ns), 1);
    for (const auto& dropped : recording.dropped_latencies) add(dropped.latency_ns, dropped.count);
    if (total == 0) return std::nullopt;
    return Latency{percentile(distribution, total, 50), percentile(distribution, total, 95),
                   percentile(distribution, total, 99)};
}

}  // namespace asrtrace::classify
