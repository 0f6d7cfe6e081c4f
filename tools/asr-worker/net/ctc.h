// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
//
// Greedy CTC: the best class of each frame, repeats merged, blanks dropped (A. Graves et al.,
// "Connectionist Temporal Classification", ICML 2006, best path decoding).
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "net/aligned_buffer.h"

namespace asr {

/// The best class of the frames [first, last) of logits [classes][frames].
std::vector<std::uint8_t> best_path(const Tensor& logits, std::size_t first, std::size_t last);

/// Text of a best path; class 0 is the blank. Words are separated by single spaces.
std::string collapse(std::span<const std::uint8_t> path, std::string_view vocabulary);

}  // namespace asr
