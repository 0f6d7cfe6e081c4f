// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#include "tools/asrtrace/mapping_balance.h"

#include <algorithm>

namespace asrtrace {
namespace {

/// The kernel itself maps a page or two for uprobes that are single-stepped or have a return.
constexpr std::int64_t kOwnBytes = 64 << 10;

}  // namespace

void MappingBalance::add(std::int64_t difference) {
    readings_.push_back(difference);
    if (readings_.size() < kReadings) return;
    if (readings_.size() > kReadings) readings_.pop_front();
    const auto [low, high] = std::ranges::minmax(readings_);
    // The least that differs in all of them: more than they differ from each other, or it is noise.
    const std::int64_t least = low > 0 ? low : high < 0 ? -high : 0;
    if (least <= kOwnBytes || least <= high - low) return;
    unseen_bytes_ = std::max(unseen_bytes_, static_cast<std::uint64_t>(least));
}

}  // namespace asrtrace
