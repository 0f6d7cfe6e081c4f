// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
//
// WAV files from memory. libsndfile decodes; what it would let pass (a cut-off upload, another
// container, numbers that are none) is refused here with a message for the client.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <stdexcept>
#include <vector>

namespace asr {

/// The upload is no WAV file that can be transcribed; what() is meant for the client.
class AudioError : public std::runtime_error {
  public:
    using std::runtime_error::runtime_error;
};

/// The audio is longer than allowed.
class AudioTooLong : public AudioError {
  public:
    using AudioError::AudioError;
};

/// Frames that a WAV header promises, from the file's first bytes; 0 if it cannot be told. At most
/// what fits into `file_bytes`.
std::uint64_t peek_wav_frames(std::span<const std::byte> head, std::uint64_t file_bytes);

/// Samples in -1..1 of a mono WAV file at `sample_rate_hz`, at most `max_frames` of them.
/// Throws AudioError, AudioTooLong.
std::vector<float> decode_wav(std::span<const std::byte> file, std::uint32_t sample_rate_hz,
                              std::uint64_t max_frames);

}  // namespace asr
