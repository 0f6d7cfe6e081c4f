// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
//
// WAV files made by hand for tests, so that their headers can be wrong in every way.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <vector>

namespace asr::test {

struct WavHeader {
    std::uint16_t format = 1;  ///< 1 PCM, 3 float
    std::uint16_t channels = 1;
    std::uint32_t sample_rate_hz = 16000;
    std::uint16_t bits = 16;
    std::uint32_t data_bytes = UINT32_MAX;  ///< as the header says; UINT32_MAX: as there are
};

template <typename T>
void append(std::string& to, T value) {
    to.append(reinterpret_cast<const char*>(&value), sizeof value);
}

inline std::string wav_bytes(const std::string& audio, const WavHeader& header = {}) {
    const auto block = static_cast<std::uint16_t>(header.channels * header.bits / 8);
    const auto bytes = header.data_bytes == UINT32_MAX ? static_cast<std::uint32_t>(audio.size())
                                                       : header.data_bytes;
    std::string out = "RIFF";
    append<std::uint32_t>(out, 36 + bytes);
    out += "WAVEfmt ";
    append<std::uint32_t>(out, 16);
    append(out, header.format);
    append(out, header.channels);
    append(out, header.sample_rate_hz);
    append<std::uint32_t>(out, header.sample_rate_hz * block);
    append(out, block);
    append(out, header.bits);
    out += "data";
    append(out, bytes);
    return out + audio;
}

inline std::string pcm16(const std::vector<std::int16_t>& samples) {
    std::string out;
    for (const auto sample : samples) append(out, sample);
    return out;
}

/// A mono 16 kHz file of `frames` samples of a quiet triangle wave.
inline std::string wav_of_length(std::size_t frames) {
    std::vector<std::int16_t> samples(frames);
    for (std::size_t i = 0; i < frames; ++i) {
        samples[i] = static_cast<std::int16_t>(static_cast<int>(i % 80) * 50 - 2000);
    }
    return wav_bytes(pcm16(samples));
}

inline std::span<const std::byte> bytes_of(const std::string& text) {
    return std::as_bytes(std::span(text));
}

}  // namespace asr::test
