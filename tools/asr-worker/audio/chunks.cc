// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#include "audio/chunks.h"

#include <algorithm>
#include <cmath>

namespace asr {
namespace {

constexpr double kLongestSeconds = 24.0 * 3600.0;

std::size_t whole_frames(double seconds, std::size_t sample_rate_hz, std::size_t frame_samples) {
    if (!(seconds >= 0.0 && seconds <= kLongestSeconds)) {
        throw ChunkingError("chunk, stride and tail are 0 to 86400 seconds long");
    }
    const double frames =
        seconds * static_cast<double>(sample_rate_hz) / static_cast<double>(frame_samples);
    return static_cast<std::size_t>(std::nearbyint(frames)) * frame_samples;
}

std::size_t round_up(std::size_t value, std::size_t multiple) {
    return multiple == 0 ? value : (value + multiple - 1) / multiple * multiple;
}

}  // namespace

Chunking make_chunking(double chunk_seconds, double stride_seconds, double tail_seconds,
                       std::size_t sample_rate_hz, std::size_t frame_samples) {
    Chunking out;
    out.chunk_samples = whole_frames(chunk_seconds, sample_rate_hz, frame_samples);
    out.stride_samples = whole_frames(stride_seconds, sample_rate_hz, frame_samples);
    out.tail_samples = whole_frames(tail_seconds, sample_rate_hz, frame_samples);
    if (out.chunk_samples > 0 && out.chunk_samples <= 2 * out.stride_samples) {
        throw ChunkingError("a chunk must be longer than its two strides together");
    }
    return out;
}

std::vector<Chunk> plan_chunks(std::size_t samples, const Chunking& chunking,
                               std::size_t frame_samples) {
    std::vector<Chunk> out;
    const auto frames = [&](std::size_t n) { return round_up(n, frame_samples) / frame_samples; };
    const bool whole = chunking.chunk_samples == 0;
    const std::size_t length = whole ? samples : chunking.chunk_samples;
    const std::size_t stride = whole ? 0 : chunking.stride_samples;
    const std::size_t step = length - 2 * stride;

    for (std::size_t first = 0; first < samples; first += step) {
        const std::size_t end = first + length;
        const bool last = stride > 0 ? end > samples : end >= samples;
        const std::size_t left = first == 0 ? 0 : stride;
        const std::size_t right = last ? 0 : stride;
        const std::size_t present = std::min(length, samples - first);
        // Tails grow to a multiple, but no longer than a whole chunk: shapes stay bounded.
        std::size_t padded = last ? round_up(present, chunking.tail_samples) : present;
        if (!whole) padded = std::max(present, std::min(padded, length));
        if (present > left) {
            out.push_back({first, present, padded, left / frame_samples,
                           frames(present) - right / frame_samples});
        }
        if (last) break;
    }
    return out;
}

}  // namespace asr
