// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
//
// libFuzzer target: what a client uploads, and what a weights file may hold.
#include <cstddef>
#include <cstdint>
#include <span>

#include "audio/wav.h"
#include "net/weights.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    const auto bytes = std::as_bytes(std::span(data, size));
    asr::peek_wav_frames(bytes, size);
    try {
        asr::decode_wav(bytes, 16000, 100000);
    } catch (const asr::AudioError&) {
    }
    try {
        asr::parse_weights(bytes);
    } catch (const asr::WeightsError&) {
    }
    return 0;
}
