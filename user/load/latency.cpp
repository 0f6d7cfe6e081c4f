// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#include "user/load/latency.h"

#include <algorithm>
#include <cmath>

namespace asrtrace::load {
namespace {

constexpr double kWidth = 1.01;
constexpr double kLeastMilliseconds = 0.001;

}  // namespace

void Latencies::add(double milliseconds) {
    const double bounded = std::max(milliseconds, kLeastMilliseconds);
    ++classes_[static_cast<int>(std::floor(std::log(bounded) / std::log(kWidth)))];
    ++count_;
    most_ = std::max(most_, milliseconds);
}

double Latencies::percentile(double percent) const {
    const double rank = std::max(1.0, std::ceil(percent / 100 * static_cast<double>(count_)));
    std::uint64_t below = 0;
    for (const auto& [index, count] : classes_) {
        below += count;
        // The middle of the class, but nothing above what there was.
        if (static_cast<double>(below) >= rank)
            return std::min(std::pow(kWidth, index + 0.5), most_);
    }
    return 0;
}

}  // namespace asrtrace::load
