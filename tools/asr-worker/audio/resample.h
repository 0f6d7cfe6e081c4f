// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
//
// Band-limited resampling by a rational factor: a Kaiser-windowed sinc evaluated once per phase
// (J. O. Smith, "Digital Audio Resampling", https://ccrma.stanford.edu/~jos/resample/).
#pragma once

#include <cstdint>
#include <span>
#include <vector>

namespace asr {

/// Samples at `from_hz` to samples at `to_hz`; the output has ceil(n * to / from) samples.
/// Both rates must be positive.
std::vector<float> resample(std::span<const float> in, std::uint32_t from_hz, std::uint32_t to_hz);

}  // namespace asr
