// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
//
// Samples to text: chunks, network, the strides' logits dropped, greedy CTC over the rest.
#pragma once

#include <cstddef>
#include <functional>
#include <span>
#include <string>

#include "audio/chunks.h"
#include "net/network.h"

namespace asr {

struct Transcript {
    std::string text;
    std::size_t frames;  ///< of audio
    std::size_t chunks;
};

class Recognizer {
  public:
    Recognizer(const Network& network, const Chunking& chunking)
        : network_(network), chunking_(chunking) {}

    /// `chunk_done` is called with the index of every chunk that is through.
    Transcript transcribe(std::span<const float> samples,
                          const std::function<void(std::size_t)>& chunk_done) const;

  private:
    const Network& network_;
    Chunking chunking_;
};

}  // namespace asr
