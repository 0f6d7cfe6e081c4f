// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
//
// How long audio is cut: overlapping chunks, of whose logits the strides are dropped, by the rule
// of Hugging Face's speech recognition pipeline (transformers,
// pipelines/automatic_speech_recognition.py, chunk_iter and rescale_stride;
// https://huggingface.co/blog/asr-chunking):
//
//   samples   |<------------- chunk 0 ------------->|
//                                |<- left ->|------------- chunk 1 -------------|
//   kept      |<------------ 0 ------------->|<-- the chunk without its strides -->| ...
//
// The first chunk keeps its left side, the last one its right side. A chunk is the last if it
// reaches beyond the end (or to it, if there is no right stride). Lengths are rounded to whole
// frames first, so that a stride is a whole number of frames.
#pragma once

#include <cstddef>
#include <stdexcept>
#include <vector>

namespace asr {

/// Chunk and strides do not fit each other.
class ChunkingError : public std::runtime_error {
  public:
    using std::runtime_error::runtime_error;
};

struct Chunking {
    std::size_t chunk_samples = 0;   ///< 0: the whole file is one chunk
    std::size_t stride_samples = 0;  ///< on either side
    std::size_t tail_samples = 0;    ///< the last chunk is padded to a multiple of this; 0: not
};

struct Chunk {
    std::size_t first_sample;
    std::size_t samples;
    std::size_t padded_samples;  ///< length to run the network at, >= samples
    std::size_t first_frame;     ///< of the logits, to keep from here ...
    std::size_t last_frame;      ///< ... to here (exclusive)
};

/// Seconds to samples, rounded to whole frames (ties to even, as Python does).
/// Throws ChunkingError if the strides leave nothing of a chunk or a value is negative.
Chunking make_chunking(double chunk_seconds, double stride_seconds, double tail_seconds,
                       std::size_t sample_rate_hz, std::size_t frame_samples);

/// The chunks of `samples` samples; none for 0. The kept frames follow each other without gap or
/// overlap and number ceil(samples / frame_samples).
std::vector<Chunk> plan_chunks(std::size_t samples, const Chunking& chunking,
                               std::size_t frame_samples);

}  // namespace asr
