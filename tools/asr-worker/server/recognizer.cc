// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#include "server/recognizer.h"

#include <cstdint>
#include <vector>

#include "net/ctc.h"

namespace asr {

Transcript Recognizer::transcribe(std::span<const float> samples,
                                  const std::function<void(std::size_t)>& chunk_done) const {
    const auto& weights = network_.weights();
    const auto chunks = plan_chunks(samples.size(), chunking_, weights.frame_samples);
    std::vector<std::uint8_t> path;
    for (std::size_t i = 0; i < chunks.size(); ++i) {
        const auto& chunk = chunks[i];
        const Tensor logits = network_.logits(samples.subspan(chunk.first_sample, chunk.samples),
                                              chunk.padded_samples);
        const auto kept = best_path(logits, chunk.first_frame, chunk.last_frame);
        path.insert(path.end(), kept.begin(), kept.end());
        chunk_done(i);
    }
    return {collapse(path, weights.vocabulary), samples.size(), chunks.size()};
}

}  // namespace asr
