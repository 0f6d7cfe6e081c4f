// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#include "net/ctc.h"

#include <cstddef>

namespace asr {

std::vector<std::uint8_t> best_path(const Tensor& logits, std::size_t first, std::size_t last) {
    const auto values = logits.values();
    std::vector<std::uint8_t> path;
    path.reserve(last - first);
    for (std::size_t frame = first; frame < last; ++frame) {
        std::size_t best = 0;
        for (std::size_t i = 1; i < logits.channels; ++i) {
            if (values[i * logits.length + frame] > values[best * logits.length + frame]) best = i;
        }
        path.push_back(static_cast<std::uint8_t>(best));
    }
    return path;
}

std::string collapse(std::span<const std::uint8_t> path, std::string_view vocabulary) {
    std::string text;
    std::uint8_t previous = 0;
    for (const std::uint8_t best : path) {
        if (best != previous && best != 0 && best < vocabulary.size()) {
            const char letter = vocabulary[best];
            const bool spare_space = letter == ' ' && (text.empty() || text.back() == ' ');
            if (!spare_space) text += letter;
        }
        previous = best;
    }
    if (!text.empty() && text.back() == ' ') text.pop_back();
    return text;
}

}  // namespace asr
