// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
// How far apart page faults are sampled: a stack costs more than all else that is done at a fault
// (4 us through generated code), and a target may have tens of thousands in a second.
#pragma once

#include <algorithm>
#include <cstdint>

namespace asrtrace {

/// A second of the target's CPU time pays for so many stacks, a thousandth of it; a second of the
/// clock for no more than the most, and no fewer than the fewest.
constexpr double kFaultSamplesPerCpuSecond = 256;
constexpr double kFewestFaultSamples = 16;
constexpr double kMostFaultSamples = 128;
constexpr std::uint32_t kMostFaultShift = 6;

/// By how many powers of two `mean_bytes` is to grow so that faults which bring so many bytes a
/// second give no more samples than a target may bear that uses so many seconds of CPU a second.
constexpr std::uint32_t fault_shift_for(double bytes_per_second, double cpus_used,
                                        std::uint64_t mean_bytes) {
    const double most =
        std::clamp(kFaultSamplesPerCpuSecond * cpus_used, kFewestFaultSamples, kMostFaultSamples);
    double samples = bytes_per_second / static_cast<double>(mean_bytes);
    std::uint32_t shift = 0;
    for (; samples > most && shift < kMostFaultShift; samples /= 2) ++shift;
    return shift;
}

}  // namespace asrtrace
