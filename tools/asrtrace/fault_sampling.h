// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
// How far apart page faults are sampled: a stack costs more than all else that is done at a fault,
// and a target may have tens of thousands in a second.
#pragma once

#include <cstdint>

namespace asrtrace {

constexpr double kMostFaultSamples = 128;  ///< a second
constexpr std::uint32_t kMostFaultShift = 6;

/// By how many powers of two `mean_bytes` is to grow so that faults which bring so many bytes a
/// second give no more than that many samples.
constexpr std::uint32_t fault_shift_for(double bytes_per_second, std::uint64_t mean_bytes) {
    double samples = bytes_per_second / static_cast<double>(mean_bytes);
    std::uint32_t shift = 0;
    for (; samples > kMostFaultSamples && shift < kMostFaultShift; samples /= 2) ++shift;
    return shift;
}

}  // namespace asrtrace
