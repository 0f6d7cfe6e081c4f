// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
//
// The acoustic model: raw samples in, logits out. Safe to use from several threads at once; a call
// owns all of its memory.
#pragma once

#include <dnnl.hpp>
#include <span>

#include "net/aligned_buffer.h"
#include "net/weights.h"

namespace asr {

class Network {
  public:
    /// `compute_threads` threads for oneDNN in each call (at least 1).
    Network(Weights weights, int compute_threads);

    const Weights& weights() const { return weights_; }

    /// Logits [classes][frames] of `samples`, which are first brought to mean 0 and variance 1, as
    /// wav2vec2's feature extractor does, then padded with zeros to `padded_samples` (if that is
    /// more) and to whole frames: frames = ceil(max(n, padded_samples) / frame_samples).
    /// `samples` must not be empty. Throws dnnl::error and std::bad_alloc.
    Tensor logits(std::span<const float> samples, std::size_t padded_samples = 0) const;

  private:
    Weights weights_;
    int compute_threads_;
    dnnl::engine engine_;
};

}  // namespace asr
